/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/gate/ipc.h"

static struct ipc_proposal proposal;
static struct ipc_step step;
static uint8_t hash[32];

static int setup(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof hash; i++)
                hash[i] = (uint8_t)(i * 7 + 1);
        memset(&proposal, 0, sizeof proposal);
        ipc_head_init(&proposal.head, IPC_PROPOSAL, 42, 1000, hash);
        proposal.nu = IPC_U_MAX;
        proposal.nmove = IPC_MOVE_MAX;
        proposal.in_distribution = 1;
        memset(&step, 0, sizeof step);
        ipc_head_init(&step.head, IPC_STEP, 42, 1000, hash);
        step.nu = IPC_U_MAX;
        step.ny = IPC_Y_MAX;
        step.nd = IPC_D_MAX;
        return 0;
}

static const char *why_of(const void *buf, size_t len, uint32_t kind, const uint8_t *expect)
{
        const char *why = NULL;
        int r = ipc_check(buf, len, kind, expect, &why);
        if (r == 0) {
                assert_null(why);
                return NULL;
        }
        assert_int_equal(r, -EPROTO);
        assert_non_null(why);
        return why;
}

static void accepts_what_it_writes(void **state)
{
        (void)state;
        assert_null(why_of(&proposal, sizeof proposal, IPC_PROPOSAL, hash));
        assert_null(why_of(&proposal, sizeof proposal, IPC_PROPOSAL, NULL));
        assert_null(why_of(&step, sizeof step, IPC_STEP, hash));
        struct ipc_head h;
        ipc_head_init(&h, IPC_STEP, 42, 1000, hash);
        assert_int_equal(h.seq, 42);
        assert_int_equal(h.t_ms, 1000);
}

static void refuses_each_bad_field(void **state)
{
        (void)state;
        const size_t n = sizeof proposal;
        assert_string_equal(why_of(&proposal, n - 1, IPC_PROPOSAL, hash), "wrong size");
        assert_string_equal(why_of(&proposal, n + 1, IPC_PROPOSAL, hash), "wrong size");
        assert_string_equal(why_of(&proposal, 0, IPC_PROPOSAL, hash), "wrong size");
        assert_string_equal(why_of(&proposal, n, IPC_STEP, hash), "wrong size");

        const struct {
                uint32_t *field;
                uint32_t bad;
                const char *why;
        } c[] = {
            {&proposal.head.magic, IPC_MAGIC + 1, "wrong magic"},
            {&proposal.head.version, IPC_VERSION + 1, "wrong version"},
            {&proposal.head.kind, IPC_STEP, "wrong kind"},
            {&proposal.head.size, (uint32_t)sizeof step, "wrong size in the head"},
            {&proposal.nu, IPC_U_MAX + 1, "more variables than fit"},
            {&proposal.nu, UINT32_MAX, "more variables than fit"},
            {&proposal.nmove, IPC_MOVE_MAX + 1, "more moves than fit"},
            {&proposal.in_distribution, 2, "flag in_distribution is neither 0 nor 1"},
            {&proposal.reserved, 1, "reserved field is not 0"},
        };
        for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
                uint32_t keep = *c[i].field;
                *c[i].field = c[i].bad;
                assert_string_equal(why_of(&proposal, n, IPC_PROPOSAL, hash), c[i].why);
                *c[i].field = keep;
                assert_null(why_of(&proposal, n, IPC_PROPOSAL, hash));
        }

        proposal.head.config_hash[31] ^= 1;
        assert_string_equal(why_of(&proposal, n, IPC_PROPOSAL, hash), "other configuration");
        assert_null(why_of(&proposal, n, IPC_PROPOSAL, NULL));
        proposal.head.config_hash[31] ^= 1;

        memset(proposal.move[IPC_MOVE_MAX - 1].to, 'x', sizeof proposal.move[0].to);
        assert_string_equal(why_of(&proposal, n, IPC_PROPOSAL, hash), "name in a VM move is not terminated");
        proposal.nmove = IPC_MOVE_MAX - 1; /* unused slots are not read */
        assert_null(why_of(&proposal, n, IPC_PROPOSAL, hash));
        memset(proposal.move_name, 'x', sizeof proposal.move_name);
        assert_string_equal(why_of(&proposal, n, IPC_PROPOSAL, hash), "move name is not terminated");

        step.nd = IPC_D_MAX + 1;
        assert_string_equal(why_of(&step, sizeof step, IPC_STEP, hash), "more variables than fit");
        step.nd = 0;
        step.slow_step = 7;
        assert_string_equal(why_of(&step, sizeof step, IPC_STEP, hash), "flag is neither 0 nor 1");
}

/* Whatever the bytes are, the check ends with an answer, and an accepted message indexes nothing out of bounds. */
static void random_bytes_never_pass_unbounded(void **state)
{
        (void)state;
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t s = env ? strtoull(env, NULL, 10) : 20240601u;
        printf("seed %" PRIu64 "\n", s);
        int accepted = 0;
        for (int round = 0; round < 300; round++) {
                unsigned char *b = (unsigned char *)&proposal;
                for (size_t i = round % 2 ? sizeof proposal.head : 0; i < sizeof proposal; i++) {
                        s = s * 6364136223846793005u + 1442695040888963407u;
                        b[i] = (unsigned char)(s >> 56);
                }
                if (round % 2) {
                        ipc_head_init(&proposal.head, IPC_PROPOSAL, 1, 1, hash);
                        proposal.nu %= IPC_U_MAX + 2;
                        proposal.nmove %= IPC_MOVE_MAX + 2;
                        proposal.in_distribution &= 1;
                        proposal.reserved = 0;
                        if (round % 4 == 1) { /* one in two terminates its names */
                                proposal.move_name[sizeof proposal.move_name - 1] = '\0';
                                for (int i = 0; i < IPC_MOVE_MAX; i++)
                                        proposal.move[i].vm[31] = proposal.move[i].from[31] = proposal.move[i].to[31] =
                                            '\0';
                        }
                }
                if (!why_of(&proposal, sizeof proposal, IPC_PROPOSAL, hash)) {
                        assert_true(proposal.nu <= IPC_U_MAX && proposal.nmove <= IPC_MOVE_MAX);
                        assert_true(strlen(proposal.move_name) < sizeof proposal.move_name);
                        accepted++;
                }
        }
        assert_true(accepted > 0); /* the odd rounds reach past the head */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup(accepts_what_it_writes, setup),
            cmocka_unit_test_setup(refuses_each_bad_field, setup),
            cmocka_unit_test_setup(random_bytes_never_pass_unbounded, setup),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
