/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a scenario file cannot say: two runs compared bit by bit. The scenarios are the .scn files beside this. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "sim/closed_loop.h"
#include "sim/serve_world.h"

#define START_MS 1752537600000 /* 2025-07-15T00:00Z */
#define EXPLORE_H 2.0

static uint64_t seed = 1;

struct run {
        struct world world;
        struct closed_loop *loop;
};

static void run_open(struct run *r, bool acting, bool planner, closed_loop_proposer proposer, void *ctx)
{
        assert_int_equal(world_create(&(struct world_args){.site = "tiny", .seed = seed}, START_MS, &r->world),
                         EXIT_OK);
        plant_advance(r->world.plant, 2 * 3600);
        assert_int_equal(closed_loop_create(&(struct closed_loop_args){.plant = r->world.plant,
                                                                       .acting = acting,
                                                                       .explore_ms = (int64_t)(EXPLORE_H * 3600e3),
                                                                       .seed = seed,
                                                                       .planner = planner,
                                                                       .proposer = proposer,
                                                                       .proposer_ctx = ctx},
                                            &r->loop),
                         0);
}

static void run_close(struct run *r)
{
        closed_loop_free(r->loop);
        world_free(&r->world);
}

static struct plant_account account(const struct run *r)
{
        struct plant_account a;

        plant_account(r->world.plant, &a);
        return a;
}

static struct gate_status status(const struct run *r)
{
        struct gate_status s;

        gate_status(closed_loop_gate(r->loop), &s);
        return s;
}

/* 002: shadow decides every step and would have written; the plant goes on exactly as one that nobody watches. */
static void s002_shadow_leaves_the_plant_alone(void **state)
{
        struct run r;
        struct world alone;
        struct plant_account a, b;

        (void)state;
        run_open(&r, false, true, NULL, NULL);
        closed_loop_run(r.loop, 1);
        assert_true(closed_loop_unsent(r.loop) > 0);
        assert_in_range(status(&r).step, 119, 121);
        assert_int_equal(status(&r).mode, GATE_SHADOW);
        a = account(&r);

        assert_int_equal(world_create(&(struct world_args){.site = "tiny", .seed = seed}, START_MS, &alone), EXIT_OK);
        plant_advance(alone.plant, 2 * 3600);
        for (int k = 0; k < 720; k++) /* in the steps of the loop: the same sums */
                plant_advance(alone.plant, 5);
        plant_account(alone.plant, &b);
        assert_true(a.cooling_kwh == b.cooling_kwh && a.total_kwh == b.total_kwh && a.max_inlet_c == b.max_inlet_c);
        for (size_t i = 0; i < plant_spec(alone.plant)->nrack; i++)
                assert_true(plant_true_inlet_c(r.world.plant, i) == plant_true_inlet_c(alone.plant, i));
        world_free(&alone);
        run_close(&r);
}

/* 003: the same run twice gives the same decisions. */
static void s003_repeatable(void **state)
{
        char sha[2][65];

        (void)state;
        for (int k = 0; k < 2; k++) {
                struct run r;

                run_open(&r, true, true, NULL, NULL);
                closed_loop_run(r.loop, 1.5);
                gate_decision_sha256(closed_loop_gate(r.loop), sha[k]);
                run_close(&r);
        }
        assert_string_equal(sha[0], sha[1]);
}

/* 004: VMs come and go under live, so that inventories are out of date when moves are asked for. */
static void s004_vms_come_and_go(void **state)
{
        struct run r;
        struct plant_vm_counts n;
        struct plant_account a;

        (void)state;
        assert_int_equal(world_create(&(struct world_args){.site = "tiny", .seed = seed, .arrivals = "synthetic"},
                                      START_MS, &r.world),
                         EXIT_OK);
        plant_advance(r.world.plant, 2 * 3600);
        assert_int_equal(closed_loop_create(&(struct closed_loop_args){.plant = r.world.plant,
                                                                       .acting = true,
                                                                       .explore_ms = (int64_t)(EXPLORE_H * 3600e3),
                                                                       .seed = seed,
                                                                       .planner = true},
                                            &r.loop),
                         0);
        closed_loop_run(r.loop, EXPLORE_H + 4);
        a = account(&r);
        plant_vm_counts(r.world.plant, &n);
        print_message("%llu VMs came, %llu left; %llu moves; hottest inlet %.2f C, %llu hard violations\n",
                      (unsigned long long)n.arrived, (unsigned long long)n.left, (unsigned long long)a.migrations,
                      a.max_inlet_c, (unsigned long long)a.hard_violations_since_takeover);
        assert_true(n.left > 200 && n.arrived - n.left == plant_nvm(r.world.plant));
        assert_int_equal(status(&r).mode, GATE_ACTIVE);
        assert_true(a.migrations > 0);
        assert_true(a.hard_violations_since_takeover == 0);
        run_close(&r);
}

/* 005: a loop that keeps its log takes inventories by message and stores samples; one that does not decides the same.
 */
static void s005_a_kept_log_changes_nothing(void **state)
{
        char dir[] = "/tmp/coolplane-s005.XXXXXX", db[64], command[96], sha[2][65];
        uint64_t migrations[2];

        (void)state;
        assert_non_null(mkdtemp(dir));
        (void)snprintf(db, sizeof db, "%s/t.db", dir);
        for (int k = 0; k < 2; k++) {
                struct run r;

                assert_int_equal(
                    world_create(&(struct world_args){.site = "tiny", .seed = seed, .arrivals = "synthetic"}, START_MS,
                                 &r.world),
                    EXIT_OK);
                plant_advance(r.world.plant, 2 * 3600);
                assert_int_equal(closed_loop_create(&(struct closed_loop_args){.plant = r.world.plant,
                                                                               .database = k ? db : NULL,
                                                                               .acting = true,
                                                                               .explore_ms = 3600 * 1000,
                                                                               .seed = seed,
                                                                               .planner = true},
                                                    &r.loop),
                                 0);
                closed_loop_run(r.loop, 3);
                gate_decision_sha256(closed_loop_gate(r.loop), sha[k]);
                migrations[k] = account(&r).migrations;
                run_close(&r);
        }
        assert_string_equal(sha[0], sha[1]);
        assert_true(migrations[0] > 0 && migrations[0] == migrations[1]);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(s002_shadow_leaves_the_plant_alone),
            cmocka_unit_test(s003_repeatable),
            cmocka_unit_test(s004_vms_come_and_go),
            cmocka_unit_test(s005_a_kept_log_changes_nothing),
        };
        const char *s = getenv("COOLPLANE_SEED");

        if (s)
                seed = strtoull(s, NULL, 10);
        print_message("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
