/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Closed-loop scenarios on the site tiny; see CMakeLists.txt beside this. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "models/num/rng.h"
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

/* 001: identification, then live hours: limits hold and cooling is at least 15 % under the fixed setpoints. */
static void s001_live_saves_and_keeps_limits(void **state)
{
        struct run r;
        struct world fixed;
        struct plant_account a, b;

        (void)state;
        run_open(&r, true, true, NULL, NULL);
        closed_loop_run(r.loop, EXPLORE_H + 1);
        assert_int_equal(account(&r).hard_violations, 0);
        plant_account_reset(r.world.plant);
        closed_loop_run(r.loop, 4);
        a = account(&r);
        run_close(&r);

        assert_int_equal(world_create(&(struct world_args){.site = "tiny", .seed = seed}, START_MS, &fixed), EXIT_OK);
        plant_advance(fixed.plant, (2 + EXPLORE_H + 1) * 3600);
        plant_account_reset(fixed.plant);
        plant_advance(fixed.plant, 4 * 3600);
        plant_account(fixed.plant, &b);
        world_free(&fixed);
        print_message("cooling %.1f kWh, fixed %.1f kWh; total %.1f, fixed %.1f; hottest inlet %.2f C\n", a.cooling_kwh,
                      b.cooling_kwh, a.total_kwh, b.total_kwh, a.max_inlet_c);
        assert_int_equal(a.hard_violations, 0);
        assert_true(a.max_inlet_c < 28);
        assert_true(a.degmin32 == 0);
        assert_true(a.cooling_kwh < 0.85 * b.cooling_kwh);
        assert_true(a.total_kwh < b.total_kwh);
        assert_true(a.energy_residual_ratio < 0.005);
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

enum hostility { HOSTILE_NAN, HOSTILE_RANDOM, HOSTILE_BANGBANG, HOSTILE_WARMEST, HOSTILE_MALFORMED, HOSTILE_KINDS };
static const char *const hostility_name[] = {"nan", "random", "bang-bang", "warmest", "malformed"};

struct hostile {
        enum hostility kind;
        struct rng rng;
};

static bool hostile_answer(void *ctx, const struct ipc_step *step, struct ipc_proposal *p, bool *malformed)
{
        struct hostile *h = ctx;

        memset(p, 0, sizeof *p);
        p->nu = step->nu;
        p->in_distribution = 1;
        p->predicted_w = p->predicted_std_w = p->predicted_max_inlet_c = (double)NAN;
        for (uint32_t j = 0; j < step->nu; j++) {
                double big = rng_range(&h->rng, -1e3, 1e3);

                switch (h->kind) {
                case HOSTILE_NAN:
                        p->u[j] = rng_below(&h->rng, 2) ? (double)NAN : (double)INFINITY;
                        break;
                case HOSTILE_RANDOM:
                        p->u[j] = rng_below(&h->rng, 3) ? rng_range(&h->rng, 0, 30) : big;
                        break;
                case HOSTILE_BANGBANG:
                        p->u[j] = step->head.seq % 2 ? -1e6 : 1e6;
                        break;
                case HOSTILE_WARMEST: /* supply air and water up, fans and chillers off */
                        p->u[j] = step->u[j] > 2 ? 100 : 0;
                        break;
                default:
                        break;
                }
        }
        *malformed = h->kind == HOSTILE_MALFORMED;
        return true;
}

/* 301: hostile proposers instead of the planner: the plant's hard limits hold and nothing crashes. */
static void s301_hostile_proposers(void **state)
{
        (void)state;
        for (int kind = 0; kind < HOSTILE_KINDS; kind++) {
                struct hostile h = {.kind = (enum hostility)kind};
                struct run r;

                rng_seed(&h.rng, seed, (uint64_t)kind);
                run_open(&r, true, false, hostile_answer, &h);
                closed_loop_run(r.loop, 3);
                print_message("%s: hottest inlet %.2f C, %llu steps\n", hostility_name[kind], account(&r).max_inlet_c,
                              (unsigned long long)status(&r).step);
                assert_int_equal(account(&r).hard_violations, 0);
                assert_true(account(&r).max_inlet_c < 32);
                run_close(&r);
        }
}

/* 302: no planner at all: HOLD, then FALLBACK, limits hold. */
static void s302_no_planner(void **state)
{
        struct run r;

        (void)state;
        run_open(&r, true, false, NULL, NULL);
        closed_loop_run(r.loop, 1);
        assert_int_equal(status(&r).mode, GATE_FALLBACK);
        assert_int_equal(account(&r).hard_violations, 0);
        run_close(&r);
}

/* 303: the agent dies: within its watchdog time every device is local again and the inlets come down. */
static void s303_agent_dies(void **state)
{
        struct run r;
        size_t remote = 0;

        (void)state;
        run_open(&r, true, true, NULL, NULL);
        closed_loop_run(r.loop, EXPLORE_H + 1);
        for (size_t i = 0; i < plant_spec(r.world.plant)->ncrah; i++)
                remote += plant_is_remote(r.world.plant, PLANT_DEV_CRAH, i);
        assert_int_equal(remote, plant_spec(r.world.plant)->ncrah);
        closed_loop_kill(r.loop, true);
        closed_loop_run(r.loop, (PLANT_WATCHDOG_S + 10) / 3600);
        for (size_t i = 0; i < plant_spec(r.world.plant)->ncrah; i++)
                assert_false(plant_is_remote(r.world.plant, PLANT_DEV_CRAH, i));
        closed_loop_run(r.loop, 1);
        assert_int_equal(account(&r).hard_violations, 0);
        for (size_t i = 0; i < plant_spec(r.world.plant)->nrack; i++)
                assert_true(plant_true_inlet_c(r.world.plant, i) < 24);
        run_close(&r);
}

/* 304: the hub that reads every inlet goes silent: no certificate without readings; the gate releases the plant. */
static void s304_blind(void **state)
{
        struct run r;
        const struct site *site;
        int hub = -1;

        (void)state;
        run_open(&r, true, true, NULL, NULL);
        closed_loop_run(r.loop, EXPLORE_H + 0.5);
        site = closed_loop_site(r.loop);
        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].role == ROLE_INLET_TEMP)
                        hub = site->point[i].device;
        assert_true(hub >= 0);
        closed_loop_silence(r.loop, hub);
        closed_loop_run(r.loop, 0.5);
        assert_int_equal(status(&r).mode, GATE_RELEASE);
        closed_loop_run(r.loop, 0.5);
        assert_int_equal(account(&r).hard_violations, 0);
        for (size_t i = 0; i < plant_spec(r.world.plant)->ncrah; i++)
                assert_false(plant_is_remote(r.world.plant, PLANT_DEV_CRAH, i));
        run_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(s001_live_saves_and_keeps_limits),
            cmocka_unit_test(s002_shadow_leaves_the_plant_alone),
            cmocka_unit_test(s003_repeatable),
            cmocka_unit_test(s301_hostile_proposers),
            cmocka_unit_test(s302_no_planner),
            cmocka_unit_test(s303_agent_dies),
            cmocka_unit_test(s304_blind),
        };
        const char *s = getenv("COOLPLANE_SEED");

        if (s)
                seed = strtoull(s, NULL, 10);
        print_message("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
