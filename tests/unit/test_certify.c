/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim certify in small: the claim holds, the plants are what the claim assumes, and whatever is broken on
 * purpose is found. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/certify.h"

#define STEPS 720 /* 6 h */

static uint64_t seed;

/* What the filter does not see or know. Link with -Wl,--wrap=safety_filter,--wrap=safety_create. */
static enum {
        SEES_ALL,
        NO_SLOW_STEP,
        NO_WARMER,
        NO_COLDER,
        NO_FLOOR,
        NO_INTERLOCK,
        NO_LOAD,
        NO_FLOW,
        NO_EVAPORATOR_FLOW,
        NO_LIFT,
        NO_SURGE,
        NO_RAMP,
        NO_TIMES,
        BLINDNESSES
} blind = SEES_ALL;

const struct safety_decision *__real_safety_filter(struct safety *s, const struct safety_snapshot *snap,
                                                   const struct safety_proposal *prop);
const struct safety_decision *__wrap_safety_filter(struct safety *s, const struct safety_snapshot *snap,
                                                   const struct safety_proposal *prop);
int __real_safety_create(void *mem, size_t size, const struct safety_envelope *e, const struct arx *model,
                         struct safety **ret);
int __wrap_safety_create(void *mem, size_t size, const struct safety_envelope *e, const struct arx *model,
                         struct safety **ret);

const struct safety_decision *__wrap_safety_filter(struct safety *s, const struct safety_snapshot *snap,
                                                   const struct safety_proposal *prop)
{
        struct safety_snapshot seen = *snap;

        seen.slow_step = snap->slow_step || blind == NO_SLOW_STEP;
        seen.no_warmer_water = snap->no_warmer_water && blind != NO_WARMER;
        seen.no_colder_water = snap->no_colder_water && blind != NO_COLDER;
        seen.interlock = snap->interlock && blind != NO_INTERLOCK;
        if (blind == NO_FLOOR)
                seen.u_floor = NULL;
        if (blind == NO_LOAD)
                seen.cooling_load_w = 0;
        if (blind == NO_FLOW)
                seen.chw_flow_m3s = (double)NAN;
        if (blind == NO_RAMP)
                seen.evap_flow_ramp_per_min = (double)NAN;
        if (blind == NO_EVAPORATOR_FLOW)
                seen.evap_flow_m3s = 0;
        return __real_safety_filter(s, &seen, prop);
}

int __wrap_safety_create(void *mem, size_t size, const struct safety_envelope *e, const struct arx *model,
                         struct safety **ret)
{
        static struct safety_u u[CERTIFY_U_MAX];
        static struct safety_lift lift[4];
        struct safety_envelope known = *e;

        memcpy(u, e->u, e->nu * sizeof(*u));
        for (size_t j = 0; blind == NO_TIMES && j < e->nu; j++) {
                u[j].min_on_s = u[j].min_off_s = 0;
                u[j].max_starts_per_h = 16;
        }
        known.u = u;
        assert_true(e->nlift <= sizeof(lift) / sizeof(lift[0]));
        for (size_t i = 0; i < e->nlift; i++) {
                lift[i] = e->lift[i];
                lift[i].surge_less_k = blind == NO_SURGE ? 0 : lift[i].surge_less_k;
        }
        known.lift = lift;
        if (blind == NO_LIFT)
                known.nlift = 0;
        return __real_safety_create(mem, size, &known, model, ret);
}

static uint64_t env(const char *name, uint64_t normal)
{
        const char *e = getenv(name);

        return e ? strtoull(e, NULL, 10) : normal;
}

static struct certify_result episode(uint64_t number, size_t units, size_t steps, enum certify_break broken)
{
        const struct certify_args a = {
            .seed = seed, .number = number, .units = units, .steps = steps, .broken = broken};
        struct certify_result r;

        assert_int_equal(certify_episode(&a, &r), 0);
        return r;
}

static void test_claim_holds(void **state)
{
        const uint64_t n = env("COOLPLANE_EPISODES", 40);
        uint64_t certified = 0, steps = 0, outside = 0, worst_case = 0;

        (void)state;
        for (uint64_t e = 0; e < n; e++) {
                const struct certify_result r = episode(e, 1 + e % 4, STEPS, CERTIFY_INTACT);

                if (certify_failed(&r))
                        fail_msg("episode %llu: %s", (unsigned long long)e, r.first);
                certified += r.certified;
                steps += r.steps;
                outside += r.hard_outside;
                worst_case += r.reason_steps[DR_WORST_CASE];
        }
        printf("%llu episodes, %llu steps, %llu certified, %llu cut, %llu hard violations outside the assumptions\n",
               (unsigned long long)n, (unsigned long long)steps, (unsigned long long)certified,
               (unsigned long long)worst_case, (unsigned long long)outside);
        /* it says something only where certificates are given and proposals have to be cut */
        assert_true(certified > steps / 2);
        assert_true(n < 40 || worst_case > steps / 50);
}

/* With the noise bound known nothing is left to chance: no certificate breaks, nor what it assumes, even where the
 * noise learns what quantiles learn. More noise than that, or another plant, is found. */
static void test_strict_claim_holds(void **state)
{
        const enum certify_break broken[] = {CERTIFY_INTACT, CERTIFY_BREAK_TURNING, CERTIFY_BREAK_NOISE,
                                             CERTIFY_BREAK_PLANT};
        uint64_t certified = 0, steps = 0, found[4] = {0};

        (void)state;
        for (size_t b = 0; b < 4; b++)
                for (uint64_t e = 0; e < 10; e++) {
                        const struct certify_args a = {.seed = seed,
                                                       .number = e,
                                                       .units = 1 + e % 4,
                                                       .steps = STEPS,
                                                       .broken = broken[b],
                                                       .strict = true};
                        struct certify_result r;

                        assert_int_equal(certify_episode(&a, &r), 0);
                        found[b] += certify_failed(&r);
                        if (b < 2 && certify_failed(&r))
                                fail_msg("episode %llu, %s: %s", (unsigned long long)e, certify_break_name[broken[b]],
                                         r.first);
                        certified += b < 2 ? r.certified : 0;
                        steps += b < 2 ? r.steps : 0;
                }
        printf("%llu of %llu steps certified; noise found in %llu episodes, plant in %llu\n",
               (unsigned long long)certified, (unsigned long long)steps, (unsigned long long)found[2],
               (unsigned long long)found[3]);
        assert_true(certified > steps / 2);
        assert_true(found[2] > 0 && found[3] > 0);
}

/* Each figure alone decides; those of the strict claim only of plants that stay as they are. */
static void test_what_fails_an_episode(void **state)
{
        static const struct {
                size_t field;
                bool strict;
        } figure[] = {
            {offsetof(struct certify_result, hard), false},      {offsetof(struct certify_result, within), false},
            {offsetof(struct certify_result, unfounded), false}, {offsetof(struct certify_result, illegal.full), false},
            {offsetof(struct certify_result, out), true},        {offsetof(struct certify_result, no_set), true},
            {offsetof(struct certify_result, no_anchor), true},  {offsetof(struct certify_result, no_first), true},
            {offsetof(struct certify_result, no_sum), true},     {offsetof(struct certify_result, resets), true},
        };
        const uint64_t one = 1;

        (void)state;
        for (size_t i = 0; i < sizeof(figure) / sizeof(figure[0]); i++)
                for (int strict = 0; strict < 2; strict++)
                        for (int p = 0; p < CERTIFY_PLANTS; p++) {
                                struct certify_result r = {.strict = strict, .kind = {.plant = (enum certify_plant)p}};

                                assert_false(certify_failed(&r));
                                memcpy((char *)&r + figure[i].field, &one, sizeof(one));
                                assert_int_equal(certify_failed(&r),
                                                 !figure[i].strict || (strict && p != CERTIFY_DRIFT));
                        }
}

/* A proposer that always asks for the warm end comes to rest near the limit: the filter neither swings between full
 * cooling and that, nor trembles. */
static void test_comes_to_rest_at_the_limit(void **state)
{
        static const uint64_t number[] = {33, 83, 133, 145}; /* steady loads, not the plant that is not contracting */

        (void)state;
        for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
                const struct certify_result r = episode(number[i], 4, 1200, CERTIFY_INTACT);
                const double travel = r.late_travel / (8 * (1200 - 360)) * 1000;

                printf("episode %llu: hottest %.2f, %.2f ranges in 1000 steps of a variable\n",
                       (unsigned long long)number[i], r.hottest_c, travel);
                assert_true(r.hottest_c > 31 && r.hottest_c <= 32);
                assert_true(travel < 2);
        }
}

static void test_hostile(void **state)
{
        const uint64_t n = env("COOLPLANE_HOSTILE", 50000);
        uint64_t left = n;

        (void)state;
        for (uint64_t chunk = 0; left > 0; chunk++) {
                const uint64_t some = left < CERTIFY_CHUNK ? left : CERTIFY_CHUNK;
                struct certify_hostile h;

                assert_int_equal(certify_hostile(seed, chunk, some, &h), 0);
                assert_int_equal(h.proposals, some);
                if (certify_illegal_any(&h.illegal))
                        fail_msg("chunk %llu: %s", (unsigned long long)chunk, h.first);
                left -= some;
        }
}

/* Each break is found, in the way in which it breaks. */
static void test_breaks_are_found(void **state)
{
        uint64_t found[CERTIFY_BREAKS] = {0}, illegal = 0, within = 0;

        (void)state;
        for (int b = CERTIFY_BREAK_NOISE; b <= CERTIFY_BREAK_BACKUP; b++)
                for (uint64_t e = 0; e < 10; e++) {
                        const struct certify_result r = episode(e, 2, STEPS, (enum certify_break)b);

                        found[b] += r.hard + r.hard_outside > 0;
                        if (b == CERTIFY_BREAK_FILTER)
                                illegal += certify_failed(&r) && certify_illegal_any(&r.illegal);
                        if (b == CERTIFY_BREAK_BACKUP)
                                within += certify_failed(&r) && r.within > 0;
                }
        assert_true(found[CERTIFY_BREAK_NOISE] > 0);
        assert_true(found[CERTIFY_BREAK_PLANT] > 0);
        assert_true(found[CERTIFY_BREAK_FILTER] > 0);
        assert_true(illegal > 0);
        assert_true(within > 0);
}

/* Each rule that is kept from the filter is missed by the judge, and no other. */
static void test_hostile_breaks_are_found(void **state)
{
        static const struct {
                const char *what;
                size_t field;
        } expect[BLINDNESSES] = {
            [NO_SLOW_STEP] = {"(s", offsetof(struct certify_illegal, rate)}, /* of setpoints, and stops of units */
            [NO_WARMER] = {"(warmer water)", offsetof(struct certify_illegal, rate)},
            [NO_COLDER] = {"(freezing)", offsetof(struct certify_illegal, box)},
            [NO_FLOOR] = {"(floor)", offsetof(struct certify_illegal, box)},
            [NO_INTERLOCK] = {"(full cooling)", offsetof(struct certify_illegal, full)},
            [NO_LOAD] = {"(stop against the load)", offsetof(struct certify_illegal, automaton)},
            [NO_FLOW] = {"(start without water)", offsetof(struct certify_illegal, automaton)},
            [NO_EVAPORATOR_FLOW] = {"(stop ", offsetof(struct certify_illegal, automaton)},
            [NO_LIFT] = {"(lift)", offsetof(struct certify_illegal, automaton)},
            [NO_SURGE] = {"(lift)", offsetof(struct certify_illegal, automaton)},
            [NO_RAMP] = {"(stop into changing water)", offsetof(struct certify_illegal, automaton)},
            [NO_TIMES] = {"(times)", offsetof(struct certify_illegal, automaton)},
        };

        (void)state;
        for (blind = NO_SLOW_STEP; blind < BLINDNESSES; blind++) {
                struct certify_hostile h;
                uint64_t n;

                assert_int_equal(certify_hostile(seed, 0, 20000, &h), 0);
                memcpy(&n, (const char *)&h.illegal + expect[blind].field, sizeof(n));
                printf("blindness %d: %llu, %s\n", (int)blind, (unsigned long long)n, h.first);
                assert_true(n > 0 && expect[blind].what != NULL && strstr(h.first, expect[blind].what) != NULL);
        }
        blind = SEES_ALL;
}

static void test_episodes_repeat(void **state)
{
        struct certify_result a = episode(9, 2, 300, CERTIFY_INTACT), b = episode(9, 2, 300, CERTIFY_INTACT);

        (void)state;
        a.time = a.cpu = b.time = b.cpu = (struct certify_time){0};
        assert_memory_equal(&a, &b, sizeof(a));
}

static void test_kinds_cover_the_product(void **state)
{
        static uint8_t seen[CERTIFY_PLANTS][CERTIFY_NOISES][CERTIFY_LOADS][CERTIFY_PROPOSERS];

        (void)state;
        for (uint64_t e = 0; e < CERTIFY_PRODUCT; e++) {
                const struct certify_kinds k = certify_kinds(e);

                assert_int_equal(seen[k.plant][k.noise][k.load][k.proposer]++, 0);
        }
}

/* θ ∈ Θ with its sums; and with the nominal action, full load and noise that persists the limit holds. */
static void test_plants_are_of_the_set(void **state)
{
        struct rng r;

        (void)state;
        rng_seed(&r, seed, 1);
        for (int kind = 0; kind < CERTIFY_PLANTS; kind++)
                for (int rep = 0; rep < 20; rep++) {
                        static struct certify_site s;
                        double theta[CERTIFY_TERMS_MAX], y[CERTIFY_Y_MAX], u[CERTIFY_U_MAX], w[CERTIFY_Y_MAX];

                        certify_site_init(&s, 1 + (size_t)rep % 5, 0, kind != CERTIFY_UNBOUNDED);
                        certify_draw(&s, (enum certify_plant)kind, &r, theta);
                        for (size_t i = 0; i < s.st.ny; i++) {
                                double sum = 0;

                                for (size_t k = s.row_start[i]; k < s.row_start[i + 1]; k++) {
                                        assert_true(theta[k] >= s.lo[k] - 1e-12 && theta[k] <= s.hi[k] + 1e-12);
                                        sum += s.term[k].src == ARX_SRC_Y || s.term[k].sum1 ? theta[k] : 0;
                                }
                                if (s.contracting)
                                        assert_true(fabs(sum - 1) < 1e-9);
                                y[i] = i < s.units ? 23 : 18;
                                w[i] = CERTIFY_NOISE_K;
                        }
                        for (size_t j = 0; j < s.st.nu; j++)
                                u[j] = s.u[j].nominal;
                        for (size_t k = 0; k < 500; k++) {
                                double next[CERTIFY_Y_MAX] = {0};

                                certify_advance(&s, theta, y, u, s.d_max, w, next);
                                memcpy(y, next, sizeof(y));
                        }
                        for (size_t i = 0; i < s.units; i++)
                                assert_true(y[i] < s.cert[i].hi - GATE_RESERVE_K);
                }
}

static void test_judges(void **state)
{
        const struct safety_u sat = {.safe_dir = -1, .lo = 16, .hi = 28, .step = 0.1, .rate = 0.5},
                              still = {.lo = 0.3, .hi = 1},
                              unit = {.kind = SAFETY_U_ONOFF,
                                      .safe_dir = 1,
                                      .hi = 1,
                                      .step = 1,
                                      .min_on_s = 300,
                                      .min_off_s = 600,
                                      .max_starts_per_h = 1};
        struct certify_automaton q = {.on = true};
        struct certify_illegal n = {0};

        (void)state;
        assert_int_equal(certify_judge_value(&sat, 16, 28, &n), 0); /* more cooling at once */
        assert_int_equal(certify_judge_value(&sat, 20.5, 20, &n), 0);
        assert_int_equal(certify_judge_value(&sat, 15, 15, &n), 0);          /* stays beyond its box */
        assert_int_equal(certify_judge_value(&still, 1, 1.00000018, &n), 0); /* single precision, at a bound */
        assert_false(certify_illegal_any(&n));
        assert_int_equal(certify_judge_value(&still, 1, 1.000001, &n), 1);
        n = (struct certify_illegal){0};
        assert_int_equal(certify_judge_value(&sat, 20.6, 20, &n), 1);
        assert_int_equal(n.rate, 1);
        assert_int_equal(certify_judge_value(&sat, 20.05, 20, &n), 1);
        assert_int_equal(n.grid, 1);
        assert_int_equal(certify_judge_value(&sat, 15.9, 20, &n), 1);
        assert_int_equal(n.box, 1);
        assert_int_equal(certify_judge_value(&sat, (double)NAN, 20, &n), 1);
        assert_int_equal(n.not_finite, 1);
        assert_int_equal(certify_judge_unit(&unit, 0, 300, &q, &n), 0);
        assert_int_equal(certify_judge_unit(&unit, 1, 900, &q, &n), 0);
        assert_int_equal(certify_judge_unit(&unit, 0, 1190, &q, &n), 1); /* on for 290 s */
        assert_int_equal(certify_judge_unit(&unit, 1, 1800, &q, &n), 1); /* a second start in the hour */
        assert_int_equal(n.automaton, 2);
        assert_int_equal(certify_judge_unit(&unit, 0, 2200, &q, &n), 0);
        q.turns = true;
        assert_int_equal(certify_judge_unit(&unit, 1, 2900, &q, &n), 0); /* it ran on: no start */
}

/* Air, chilled and condenser water, two chillers; one inlet. Nothing moves. */
struct bench {
        struct safety_u u[5];
        struct safety_y cert;
        struct safety_lift lift;
        struct safety_envelope env;
        struct safety_snapshot snap;
        struct certify_automaton unit[5];
        double was[5], act[5], floor[5], y;
        uint8_t fixed[5], status[5], y_ok;
        struct certify_move m;
};

static void open_bench(struct bench *b)
{
        *b = (struct bench){.was = {20, 10, 20, 1, 1}, .act = {20, 10, 20, 1, 1}, .y = 24, .y_ok = COND_TRUE};
        b->u[0] = (struct safety_u){.safe_dir = -1, .lo = 16, .hi = 28, .step = 0.1, .rate = 0.5, .fast = 1};
        b->u[1] = (struct safety_u){.safe_dir = -1, .lo = 7, .hi = 14, .step = 0.5, .rate = 1};
        b->u[2] = (struct safety_u){.lo = 14, .hi = 30, .step = 0.5, .rate = 1};
        for (size_t j = 0; j < 5; j++) {
                b->floor[j] = (double)NAN;
                if (j < 3)
                        continue;
                b->u[j] = (struct safety_u){
                    .kind = SAFETY_U_ONOFF, .safe_dir = 1, .hi = 1, .step = 1, .capacity_w = 100, .min_flow_m3s = 0.01};
                b->unit[j] = (struct certify_automaton){.on = true, .told = true, .runs = true};
                b->status[j] = 1;
        }
        b->cert = (struct safety_y){.hi = 30, .trip = 32, .soft_k = 4};
        b->lift = (struct safety_lift){.cw = 2, .chw = 1, .min_k = 9, .max_k = 15};
        b->env = (struct safety_envelope){.nu = 5,
                                          .ny = 1,
                                          .ncert = 1,
                                          .u = b->u,
                                          .cert = &b->cert,
                                          .nlift = 1,
                                          .lift = &b->lift,
                                          .capacity_margin = 0.15};
        b->snap = (struct safety_snapshot){.mono_s = 10000,
                                           .window = {.n = 1, .y = &b->y},
                                           .u_fixed = b->fixed,
                                           .u_floor = b->floor,
                                           .y_ok = &b->y_ok,
                                           .onoff_status = b->status,
                                           .cooling_load_w = 100 / 1.15,
                                           .chw_flow_m3s = 1,
                                           .evap_flow_m3s = 1,
                                           .slow_step = true};
        b->m = (struct certify_move){.env = &b->env, .snap = &b->snap, .was = b->was, .act = b->act, .unit = b->unit};
}

/* What is said of setpoint j at v, and that what is said is counted once. */
static const char *setpoint(struct bench *b, size_t j, double v)
{
        struct certify_illegal n = {0};
        const char *what;

        b->act[j] = v;
        what = certify_judge_setpoint(&b->m, j, &n);
        assert_int_equal(n.rate + n.box + n.full, what != NULL);
        return what ? what : "";
}

static void test_judges_setpoints(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        assert_string_equal(setpoint(&b, 1, 11), "");
        b.snap.slow_step = false;
        assert_string_equal(setpoint(&b, 1, 10.5), "slow step");
        assert_string_equal(setpoint(&b, 1, 9), ""); /* toward more cooling: always */
        assert_string_equal(setpoint(&b, 0, 20.5), "");
        assert_string_equal(setpoint(&b, 2, 21), "slow step");
        assert_string_equal(setpoint(&b, 2, 19), "slow step");
        b.snap.slow_step = b.snap.no_warmer_water = true;
        assert_string_equal(setpoint(&b, 1, 10.5), "warmer water");
        assert_string_equal(setpoint(&b, 1, 10), "");
        assert_string_equal(setpoint(&b, 2, 21), "warmer water");
        assert_string_equal(setpoint(&b, 2, 19), "");
        assert_string_equal(setpoint(&b, 0, 20.5), "");
        b.fixed[2] = 1;
        assert_string_equal(setpoint(&b, 2, 21), ""); /* judged elsewhere */

        open_bench(&b);
        b.snap.no_colder_water = true;
        assert_string_equal(setpoint(&b, 1, 9.5), "freezing");
        assert_string_equal(setpoint(&b, 1, 10), "");
        assert_string_equal(setpoint(&b, 0, 19), "");
        assert_string_equal(setpoint(&b, 2, 19), "");
        b.was[1] = 10.3; /* beside the grid */
        assert_string_equal(setpoint(&b, 1, 10), "");
        assert_string_equal(setpoint(&b, 1, 9.5), "freezing");
        b.was[1] = 20; /* from beyond its box it comes back, no farther */
        assert_string_equal(setpoint(&b, 1, 14), "");
        assert_string_equal(setpoint(&b, 1, 13.5), "freezing");

        open_bench(&b);
        b.floor[0] = 18;
        assert_string_equal(setpoint(&b, 0, 18), "");
        assert_string_equal(setpoint(&b, 0, 17.9), "floor");
        b.m.kind = DECISION_FALLBACK;
        assert_string_equal(setpoint(&b, 0, 17.9), "floor");
        b.y = 25.6; /* less than half a kelvin below the soft limit: the floor gives way */
        assert_string_equal(setpoint(&b, 0, 17.9), "");
        b.m.kind = DECISION_ACCEPT; /* but not to what is only proposed */
        assert_string_equal(setpoint(&b, 0, 17.9), "floor");
        b.m.kind = DECISION_PROJECT;
        b.y = 25.5;
        assert_string_equal(setpoint(&b, 0, 17.9), "floor");
        b.y_ok = COND_STALE;
        assert_string_equal(setpoint(&b, 0, 17.9), "");
        b.y_ok = COND_TRUE;
        b.was[0] = 17.5; /* what is below already may stay */
        assert_string_equal(setpoint(&b, 0, 17.5), "");
        assert_string_equal(setpoint(&b, 0, 17.4), "floor");
        b.snap.u_floor = NULL;
        assert_string_equal(setpoint(&b, 0, 17.4), "");
}

static void test_judges_full_cooling(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        b.snap.interlock = true;
        assert_string_equal(setpoint(&b, 0, 16), "full cooling"); /* whatever it is: no FALLBACK */
        b.m.kind = DECISION_FALLBACK;
        assert_string_equal(setpoint(&b, 0, 16), "");
        assert_string_equal(setpoint(&b, 0, 16.1), "full cooling");
        assert_string_equal(setpoint(&b, 2, 20), ""); /* without a direction */
        b.floor[0] = 17;
        assert_string_equal(setpoint(&b, 0, 17), ""); /* kept where it is cool */
        b.y = 26;
        assert_string_equal(setpoint(&b, 0, 17), "full cooling");
        assert_string_equal(setpoint(&b, 1, 9), "full cooling"); /* 20 − 9: the lift leaves room … */
        assert_string_equal(setpoint(&b, 1, 7), "");
        b.lift.max_k = 11.9;
        assert_string_equal(setpoint(&b, 1, 9), ""); /* … not for a count of each */
        assert_string_equal(setpoint(&b, 1, 9.5), "full cooling");
        b.was[2] = b.act[2] = 22; /* beyond it already, and no farther */
        assert_string_equal(setpoint(&b, 1, 10.5), "");
        assert_string_equal(setpoint(&b, 1, 11), "full cooling");
        b.lift.max_k = 15;
        b.was[2] = b.act[2] = 20;
        b.env.nlift = 0;
        assert_string_equal(setpoint(&b, 1, 9), "full cooling");
        b.snap.no_colder_water = true;
        assert_string_equal(setpoint(&b, 1, 10), "");
        b.was[0] = 15; /* beyond its box it stays */
        assert_string_equal(setpoint(&b, 0, 15), "");
        b.fixed[0] = 1;
        b.was[0] = 22;
        assert_string_equal(setpoint(&b, 0, 22), "");
}

static const char *stage(struct bench *b, double a, double second)
{
        struct certify_illegal n = {0};
        const char *what[2];

        b->act[3] = a;
        b->act[4] = second;
        for (size_t k = 0; k < 2; k++)
                what[k] = certify_judge_stage(&b->m, 3 + k, &n);
        assert_int_equal(n.automaton, (what[0] != NULL) + (what[1] != NULL));
        return what[0] ? what[0] : what[1] ? what[1] : "";
}

static void test_judges_stops(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        b.snap.cooling_load_w = 86.9; /* × 1.15 < 100 */
        assert_string_equal(stage(&b, 1, 1), "");
        assert_string_equal(stage(&b, 1, 0), "");
        assert_string_equal(stage(&b, 0, 0), "stop against the load");
        b.snap.slow_step = false;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
        b.u[4].fast = 1;
        assert_string_equal(stage(&b, 1, 0), "");
        b.snap.cooling_load_w = 87;
        assert_string_equal(stage(&b, 1, 0), "stop against the load");
        b.snap.cooling_load_w = (double)NAN;
        assert_string_equal(stage(&b, 1, 0), "stop against the load");
        b.snap.cooling_load_w = 0;
        assert_string_equal(stage(&b, 0, 0), "stop off the slow step");
        b.snap.cooling_load_w = 50;
        b.status[3] = 255; /* it does not report to run */
        assert_string_equal(stage(&b, 1, 0), "stop against the load");
        b.fixed[4] = 1;
        assert_string_equal(stage(&b, 1, 0), "");

        open_bench(&b); /* short of water: one, whatever the load, and not the last one */
        b.snap.cooling_load_w = (double)NAN;
        b.snap.slow_step = false;
        b.snap.evap_flow_m3s = 0.0219;
        assert_string_equal(stage(&b, 1, 0), "");
        assert_string_equal(stage(&b, 0, 0), "stop off the slow step");
        b.snap.evap_flow_m3s = 0.0221;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
        b.snap.evap_flow_m3s = (double)NAN;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
        b.snap.evap_flow_m3s = 0;
        b.u[0].kind = SAFETY_U_ONOFF; /* a third one, that nobody hears: still on, or on its way out */
        b.was[0] = b.act[0] = 1;
        assert_string_equal(stage(&b, 1, 0), "");
        b.act[0] = 0;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
        b.was[0] = 0;
        assert_string_equal(stage(&b, 1, 0), "");
        b.u[0].kind = SAFETY_U_CONTINUOUS;
        b.status[3] = 0;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
        b.snap.onoff_status = NULL;
        assert_string_equal(stage(&b, 1, 0), "stop off the slow step");
}

/* Ordered off while the water of the other one changes: how fast, and what that one takes. */
static void test_judges_stops_into_changing_water(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        b.snap.cooling_load_w = 50;
        b.u[3].max_flow_ramp_per_min = 0.1;
        b.snap.evap_flow_ramp_per_min = 0.1;
        assert_string_equal(stage(&b, 1, 0), "");
        b.snap.evap_flow_ramp_per_min = 0.101;
        assert_string_equal(stage(&b, 1, 0), "stop into changing water");
        assert_string_equal(stage(&b, 0, 1), ""); /* the other one takes anything */
        b.snap.evap_flow_ramp_per_min = (double)NAN;
        assert_string_equal(stage(&b, 1, 0), "");
        b.snap.evap_flow_ramp_per_min = 1;
        b.snap.evap_flow_m3s = 0.0219; /* short of water: at once */
        assert_string_equal(stage(&b, 1, 0), "");
        b.was[4] = b.status[4] = 0; /* a start as well */
        b.unit[4] = (struct certify_automaton){.told = true};
        assert_string_equal(stage(&b, 1, 1), "");
}

static void test_judges_starts(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        b.was[4] = b.status[4] = 0;
        b.unit[4] = (struct certify_automaton){.told = true};
        b.snap.chw_flow_m3s = 0.0231; /* 1.15 of 0.02 */
        assert_string_equal(stage(&b, 1, 1), "");
        b.snap.chw_flow_m3s = 0.0229;
        assert_string_equal(stage(&b, 1, 1), "start without water");
        b.snap.chw_flow_m3s = (double)NAN;
        assert_string_equal(stage(&b, 1, 1), "");
        b.snap.chw_flow_m3s = -1;
        b.unit[3].runs = false; /* ordered on so long ago that it is not about to */
        assert_string_equal(stage(&b, 1, 1), "");
        b.unit[3].since_s = 9701;
        assert_string_equal(stage(&b, 1, 1), "start without water");
        b.unit[3].since_s = 0;
        b.unit[3].told = false; /* nobody knows: its order tells */
        assert_string_equal(stage(&b, 1, 1), "start without water");
        b.u[4].min_flow_m3s = 0;
        assert_string_equal(stage(&b, 1, 1), "");
        b.u[4].min_flow_m3s = 0.01;
        b.was[3] = 0; /* two at once */
        b.unit[3].told = true;
        assert_string_equal(stage(&b, 1, 1), "start without water");
        assert_string_equal(stage(&b, 0, 1), "");
}

static bool lift_ok(struct bench *b, double cw, double chw)
{
        struct certify_illegal n = {0};
        bool bad;

        b->act[2] = cw;
        b->act[1] = chw;
        bad = certify_judge_lift(&b->m, &b->lift, &n) != NULL;
        assert_int_equal(n.automaton, bad);
        return !bad;
}

static void test_judges_lifts(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b); /* 20 − 10, bounds 9 and 15; one count of each is rounding only where it is outside already */
        assert_true(lift_ok(&b, 19, 10) && lift_ok(&b, 25, 10));
        assert_false(lift_ok(&b, 18.5, 10) || lift_ok(&b, 20, 11.5) || lift_ok(&b, 25.5, 10));
        assert_false(lift_ok(&b, 21, 11.5) || lift_ok(&b, 18.5, 9)); /* the other may come later */
        assert_false(lift_ok(&b, 25.5, 11) || lift_ok(&b, 18, 4.5));
        b.was[2] = 16; /* 6: may stay, but not fall */
        assert_true(lift_ok(&b, 16, 10) && lift_ok(&b, 15.5, 10.5) && lift_ok(&b, 25, 10));
        assert_false(lift_ok(&b, 15, 10.5) || lift_ok(&b, 25.5, 10));
        b.was[2] = 29; /* 19 */
        assert_true(lift_ok(&b, 29, 10) && lift_ok(&b, 19, 10));
        assert_false(lift_ok(&b, 30, 9.5) || lift_ok(&b, 18.5, 10));
        b.was[1] = 20; /* comes back to 14: 15 */
        assert_true(lift_ok(&b, 29, 14));
        assert_false(lift_ok(&b, 29, 12.5));
        b.fixed[1] = 1; /* does not: 9 */
        assert_true(lift_ok(&b, 29, 20));
        b.lift.max_k = (double)INFINITY;
        assert_true(lift_ok(&b, 30, 7));
        b.lift.min_k = -(double)INFINITY;
        assert_true(lift_ok(&b, 14, 14));
}

/* 15 K at the 200 W of both machines, 11 K at none. */
static void test_judges_lifts_by_load(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b);
        b.lift.surge_less_k = 4;
        b.snap.cooling_load_w = 0;
        assert_true(lift_ok(&b, 21, 10));
        assert_false(lift_ok(&b, 21.5, 10));
        b.snap.cooling_load_w = 100;
        assert_true(lift_ok(&b, 23, 10));
        assert_false(lift_ok(&b, 23.5, 10));
        b.status[3] = 255; /* nobody hears it: all of the other one */
        assert_true(lift_ok(&b, 25, 10));
        assert_false(lift_ok(&b, 25.5, 10));
        b.snap.cooling_load_w = 50;
        assert_true(lift_ok(&b, 23, 10));
        assert_false(lift_ok(&b, 23.5, 10));
        b.snap.cooling_load_w = (double)NAN;
        assert_true(lift_ok(&b, 25, 10));
        b.snap.cooling_load_w = 0;
        b.status[4] = 0;
        assert_true(lift_ok(&b, 25, 10));
}

static void test_rejects(void **state)
{
        struct certify_result r;

        (void)state;
        assert_true(certify_episode(&(struct certify_args){.units = 0, .steps = 1}, &r) < 0);
        assert_true(certify_episode(&(struct certify_args){.units = CERTIFY_UNITS_MAX + 1, .steps = 1}, &r) < 0);
        assert_true(certify_episode(&(struct certify_args){.units = 1}, &r) < 0);
        assert_int_equal(certify_episode(&(struct certify_args){.units = CERTIFY_UNITS_MAX, .steps = 3}, &r), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_claim_holds),
            cmocka_unit_test(test_strict_claim_holds),
            cmocka_unit_test(test_what_fails_an_episode),
            cmocka_unit_test(test_comes_to_rest_at_the_limit),
            cmocka_unit_test(test_hostile),
            cmocka_unit_test(test_breaks_are_found),
            cmocka_unit_test(test_hostile_breaks_are_found),
            cmocka_unit_test(test_episodes_repeat),
            cmocka_unit_test(test_kinds_cover_the_product),
            cmocka_unit_test(test_plants_are_of_the_set),
            cmocka_unit_test(test_judges),
            cmocka_unit_test(test_judges_setpoints),
            cmocka_unit_test(test_judges_full_cooling),
            cmocka_unit_test(test_judges_stops),
            cmocka_unit_test(test_judges_stops_into_changing_water),
            cmocka_unit_test(test_judges_starts),
            cmocka_unit_test(test_judges_lifts),
            cmocka_unit_test(test_judges_lifts_by_load),
            cmocka_unit_test(test_rejects),
        };

        seed = env("COOLPLANE_SEED", 1);
        printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
