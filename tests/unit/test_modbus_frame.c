/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/drivers/modbus_frame.h"
#include "models/num/rng.h"

/* The specification's own examples (Modbus application protocol 1.1b3, 6.3 and 6.12) and the CRC of its serial guide.
 */
static void pinned_bytes(void **state)
{
        (void)state;
        uint8_t buf[MBFRAME_REQUEST_MAX];
        struct mbrequest rd = {.unit_id = 0x11, .function = MBFRAME_READ_HOLDING, .address = 0x6B, .count = 3};
        static const uint8_t want_read[] = {0x11, 3, 0x00, 0x6B, 0x00, 0x03};
        assert_int_equal(mbframe_request(&rd, NULL, buf), sizeof(want_read));
        assert_memory_equal(buf, want_read, sizeof(want_read));
        assert_int_equal(mbframe_crc(want_read, sizeof(want_read)), 0x8776); /* on the wire 76 87 */

        struct mbrequest wr = {.unit_id = 0x11, .function = MBFRAME_WRITE, .address = 1, .count = 2};
        static const uint16_t regs[] = {0x000A, 0x0102};
        static const uint8_t want_write[] = {0x11, 16, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02};
        assert_int_equal(mbframe_request(&wr, regs, buf), sizeof(want_write));
        assert_memory_equal(buf, want_write, sizeof(want_write));

        uint8_t head[MBFRAME_MBAP];
        static const uint8_t want_head[] = {0xAB, 0xCD, 0, 0, 0, 6};
        mbframe_header(0xABCD, 6, head);
        assert_memory_equal(head, want_head, sizeof(want_head));

        static const uint8_t reply[] = {0, 1, 0, 0, 0, 9, 0x11, 3, 6, 0x02, 0x2B, 0, 0, 0, 0x64};
        for (size_t n = 0; n < sizeof(reply); n++)
                assert_int_equal(mbframe_parse_tcp(reply, n, &rd, 1).verdict, MBFRAME_MORE);
        struct mbframe f = mbframe_parse_tcp(reply, sizeof(reply), &rd, 1);
        assert_int_equal(f.verdict, MBFRAME_REPLY);
        assert_int_equal(f.consumed, sizeof(reply));
        assert_int_equal(f.ndata, 6);
        assert_ptr_equal(f.data, reply + 9);
        assert_int_equal(mbframe_parse_tcp(reply, sizeof(reply), &rd, 2).verdict, MBFRAME_STRAY);
        assert_int_equal(mbframe_parse_tcp(reply, sizeof(reply), NULL, 1).verdict, MBFRAME_STRAY);
}

static void tcp_refusals(void **state)
{
        (void)state;
        struct mbrequest rd = {.unit_id = 7, .function = MBFRAME_READ_INPUT, .address = 0, .count = 1};
        struct mbrequest wr = {.unit_id = 7, .function = MBFRAME_WRITE, .address = 5, .count = 1};
        static const struct {
                uint8_t b[16];
                size_t n;
                const char *why;
                int write;
        } cases[] = {
            {{0, 1, 0, 1}, 4, "not a Modbus header", 0},
            {{0, 1, 0, 0, 0, 2}, 6, "impossible length", 0},
            {{0, 1, 0, 0, 0, 255}, 6, "impossible length", 0},
            {{0, 1, 0, 0, 1, 0}, 6, "impossible length", 0},
            {{0, 1, 0, 0, 0, 5, 8, 4, 2, 0, 0}, 11, "wrong unit id", 0},
            {{0, 1, 0, 0, 0, 5, 7, 3, 2, 0, 0}, 11, "wrong function code", 0},
            {{0, 1, 0, 0, 0, 5, 7, 0x83, 2, 0, 0}, 11, "wrong function code", 0},
            {{0, 1, 0, 0, 0, 5, 7, 4, 3, 0, 0}, 11, "wrong byte count", 0},
            {{0, 1, 0, 0, 0, 6, 7, 4, 2, 0, 0, 0}, 12, "wrong byte count", 0},
            {{0, 1, 0, 0, 0, 4, 7, 4, 2, 0}, 10, "wrong byte count", 0},
            {{0, 1, 0, 0, 0, 3, 7, 4, 2}, 9, "wrong byte count", 0},
            {{0, 1, 0, 0, 0, 4, 7, 0x84, 2, 0}, 10, "exception of wrong length", 0},
            {{0, 1, 0, 0, 0, 6, 7, 16, 0, 6, 0, 1}, 12, "write reply for other registers", 1},
            {{0, 1, 0, 0, 0, 6, 7, 16, 0, 5, 0, 2}, 12, "write reply for other registers", 1},
            {{0, 1, 0, 0, 0, 5, 7, 16, 0, 5, 0}, 11, "write reply of wrong length", 1},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct mbframe f = mbframe_parse_tcp(cases[i].b, cases[i].n, cases[i].write ? &wr : &rd, 1);
                assert_int_equal(f.verdict, MBFRAME_BAD);
                assert_string_equal(f.why, cases[i].why);
        }
        static const uint8_t exc[] = {0, 1, 0, 0, 0, 3, 7, 0x84, 2};
        struct mbframe f = mbframe_parse_tcp(exc, sizeof(exc), &rd, 1);
        assert_int_equal(f.verdict, MBFRAME_EXCEPTION);
        assert_int_equal(f.exception, 2);
}

static void rtu(void **state)
{
        (void)state;
        struct mbrequest rd = {.unit_id = 7, .function = MBFRAME_READ_HOLDING, .address = 0, .count = 2};
        uint8_t b[9] = {7, 3, 4, 1, 2, 3, 4};
        uint16_t crc = mbframe_crc(b, 7);
        b[7] = (uint8_t)crc;
        b[8] = (uint8_t)(crc >> 8);
        for (size_t n = 0; n < sizeof(b); n++)
                assert_int_equal(mbframe_parse_rtu(b, n, &rd).verdict, MBFRAME_MORE);
        struct mbframe f = mbframe_parse_rtu(b, sizeof(b), &rd);
        assert_int_equal(f.verdict, MBFRAME_REPLY);
        assert_int_equal(f.ndata, 4);
        assert_int_equal(f.data[3], 4);
        for (size_t i = 0; i < sizeof(b); i++) /* every single-bit error is found */
                for (int k = 0; k < 8; k++) {
                        b[i] ^= (uint8_t)(1u << k);
                        int v = (int)mbframe_parse_rtu(b, sizeof(b), &rd).verdict;
                        assert_true(v == MBFRAME_BAD || v == MBFRAME_MORE);
                        b[i] ^= (uint8_t)(1u << k);
                }
        assert_int_equal(mbframe_parse_rtu(b, sizeof(b), NULL).verdict, MBFRAME_STRAY);
}

/* Random and mutated bytes: the verdict is consistent and nothing points outside. ASan watches the rest. */
static void random_bytes(void **state)
{
        (void)state;
        const char *s = getenv("COOLPLANE_SEED");
        uint64_t seed = s ? strtoull(s, NULL, 10) : 20261122;
        (void)printf("seed %" PRIu64 "\n", seed);
        struct rng rng;
        rng_seed(&rng, seed, 2);
        size_t verdicts[5] = {0};
        for (int i = 0; i < 200000; i++) {
                struct mbrequest req = {.unit_id = (uint8_t)rng_below(&rng, 4),
                                        .function = (uint8_t)(rng_below(&rng, 5) + 1),
                                        .address = (uint16_t)rng_u32(&rng),
                                        .count = (uint16_t)(1 + rng_below(&rng, 5))};
                if (req.function == 5)
                        req.function = MBFRAME_WRITE;
                size_t n = rng_below(&rng, 40);
                uint8_t *b = malloc(n + 1); /* its own block, so that ASan sees the first byte past n */
                assert_non_null(b);
                for (size_t k = 0; k < n; k++)
                        b[k] = (uint8_t)rng_below(&rng, rng_below(&rng, 2) ? 8 : 256);
                if (n > 8 && rng_below(&rng, 4) != 0) { /* often nearly right */
                        static const uint8_t head[] = {0, 1, 0, 0, 0};
                        memcpy(b, head, sizeof(head));
                        b[5] = (uint8_t)(n - 6 - rng_below(&rng, 2));
                        b[6] = req.unit_id;
                        b[7] = req.function;
                        b[8] = (uint8_t)(2 * req.count);
                        if (rng_below(&rng, 8) == 0) {
                                b[5] = 3;
                                b[7] |= 0x80;
                        }
                        b[1] = (uint8_t)(1 + (rng_below(&rng, 8) == 0));
                }
                uint8_t *exact = realloc(b, n > 0 ? n : 1);
                assert_non_null(exact);
                for (int rtu_too = 0; rtu_too < 2; rtu_too++) {
                        struct mbframe f =
                            rtu_too ? mbframe_parse_rtu(exact, n, &req) : mbframe_parse_tcp(exact, n, &req, 1);
                        verdicts[f.verdict]++;
                        assert_true(f.consumed <= n);
                        assert_true((f.verdict == MBFRAME_BAD) == (f.why != NULL));
                        if (f.ndata > 0)
                                assert_true(f.data >= exact && f.data + f.ndata <= exact + n);
                        if (f.verdict == MBFRAME_REPLY && req.function != MBFRAME_WRITE)
                                assert_true(f.ndata == (req.function <= 2 ? 1u : 2u * req.count));
                        if (f.verdict == MBFRAME_STRAY)
                                assert_true(f.consumed > 0);
                }
                free(exact);
        }
        for (int v = 0; v < 5; v++)
                assert_true(verdicts[v] > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pinned_bytes),
            cmocka_unit_test(tcp_refusals),
            cmocka_unit_test(rtu),
            cmocka_unit_test(random_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
