/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Forecasts judged afterwards, on a seeded linear plant of one output, one input and one disturbance: a model that has
 * learned it has skill near 1 and bounds that hold as often as they promise; each forecast is by the set of its own
 * decision and under what was really in force; gaps, NaN and one decision alone say nothing they should not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/hindsight.h"
#include "models/num/rng.h"

enum { ROWS = 8, HORIZON = 4, LEARN = 400, STEPS = 400 };

static const size_t row_start[] = {0, 4};
static const struct arx_term term[] = {
    {ARX_SRC_Y, 1, 0, 0, 0}, {ARX_SRC_U, 1, 0, 0, 0}, {ARX_SRC_D, 1, 0, 0, 0}, {ARX_SRC_ONE, 1, 0, 0, 0}};
static const double scale[] = {20, 20, 5, 1};
static const uint8_t judged[] = {1};

struct plant {
        struct rng g;
        struct arx *m;
        void *mem;
        double noise;                     /* of the readings */
        double y[ROWS], u[ROWS], d[ROWS]; /* window, newest last */
        double unseen;                    /* K a step that no model knows of */
        size_t n;
        int64_t t_ms;
        uint8_t *set;
        size_t bytes;
        struct hindsight *h;
        struct hindsight_score sum;
        size_t told;
        int64_t last_told_ms;
};

static void on_forecast(void *ctx, size_t i, int64_t t_ms, const struct hindsight_score *s)
{
        struct plant *p = ctx;

        assert_int_equal(i, 0);
        hindsight_score_merge(&p->sum, s);
        p->told++;
        p->last_told_ms = t_ms;
}

/* y+ = 0.8 y + 0.2 u + 0.1 d + 1, and steps of u and d that a forecast has to know. */
static double next(struct plant *p)
{
        const size_t k = p->n - 1;

        return 0.8 * p->y[k] + 0.2 * p->u[k] + 0.1 * p->d[k] + 1 + p->unseen + p->noise * rng_normal(&p->g);
}

static void push(struct plant *p, double y)
{
        if (p->n == ROWS) {
                memmove(p->y, p->y + 1, (ROWS - 1) * sizeof(double));
                memmove(p->u, p->u + 1, (ROWS - 1) * sizeof(double));
                memmove(p->d, p->d + 1, (ROWS - 1) * sizeof(double));
                p->n--;
        }
        p->y[p->n] = y;
        p->u[p->n] = p->n > 0 ? p->u[p->n - 1] : 18; /* what will be in force is not known yet: as before */
        p->d[p->n] = p->n > 0 ? p->d[p->n - 1] : 5;
        p->n++;
}

/* What is in force until the next row. */
static void act(struct plant *p)
{
        p->u[p->n - 1] = 18 + rng_range(&p->g, -3, 3);
        p->d[p->n - 1] = 5 + rng_range(&p->g, -2, 2);
}

static struct arx_window window(const struct plant *p)
{
        return (struct arx_window){p->n, p->y, p->u, p->d};
}

static int begin(void **state)
{
        static const double lo[] = {-10, -10, -10, -100}, hi[] = {10, 10, 10, 100};
        const struct arx_structure st = {1, 1, 1, 1, 4, row_start, term, scale};
        struct plant *p = calloc(1, sizeof *p);
        struct arx_args args;

        assert_non_null(p);
        rng_seed(&p->g, 20261130, 3);
        arx_args_default(&args);
        args.w_min = 1e-4;
        args.ridge = 1e-6;
        args.w_horizon = 3;
        args.anchor = true;
        args.track_miss = 0.02;
        args.track_step = 0.5;
        args.track_floor = 1;
        p->mem = aligned_alloc(64, (arx_memsize(&st) + 63) / 64 * 64);
        assert_non_null(p->mem);
        assert_int_equal(arx_create(p->mem, arx_memsize(&st), &st, &args, lo, hi, &p->m), 0);
        p->bytes = arx_set_save(p->m, NULL, 0);
        p->set = calloc(1, p->bytes);
        assert_non_null(p->set);
        *state = p;
        return 0;
}

static int end(void **state)
{
        struct plant *p = *state;

        hindsight_free(p->h);
        free(p->set);
        free(p->mem);
        free(p);
        return 0;
}

static void judge(struct plant *p, size_t memory)
{
        assert_int_equal(hindsight_create(&(struct hindsight_args){.model = p->m,
                                                                   .window = ROWS,
                                                                   .judged = judged,
                                                                   .nahead = 3,
                                                                   .ahead = {1, 2, 6},
                                                                   .horizon = HORIZON,
                                                                   .memory = memory},
                                          on_forecast, p, &p->h),
                         0);
}

/* One row on, into the model when it learns. */
static void advance(struct plant *p, bool learn)
{
        double y;

        act(p);
        y = next(p);
        if (learn) {
                const struct arx_window w = window(p);

                (void)arx_add(p->m, &w, &y);
        }
        push(p, y);
        p->t_ms += 30000;
}

static void learned(struct plant *p, double noise)
{
        p->noise = noise;
        push(p, 25);
        for (int t = 0; t < LEARN; t++)
                advance(p, true);
        assert_int_equal(arx_fit(p->m, 50), 1);
        (void)arx_set_save(p->m, p->set, p->bytes);
}

static void decide(struct plant *p, bool follows)
{
        const struct arx_window w = window(p);

        hindsight_step(p->h, p->t_ms, follows, &w, p->y + p->n - 1, p->set);
}

static void test_a_perfect_model(void **state)
{
        struct plant *p = *state;

        learned(p, 1e-7);
        judge(p, SIZE_MAX);
        for (int t = 0; t < STEPS; t++) {
                advance(p, false);
                decide(p, t > 0);
        }
        hindsight_end(p->h);
        assert_int_equal(p->told, STEPS - 1); /* nothing came after the last */
        assert_int_equal(p->sum.error[0].n, STEPS - 1);
        assert_int_equal(p->sum.error[1].n, STEPS - 2);
        assert_int_equal(p->sum.error[2].n, STEPS - 6);
        for (int k = 0; k < 3; k++) {
                assert_true(score_skill(&p->sum.error[k]) > 0.999);
                assert_true(score_skill(&p->sum.anchored[k]) > 0.999);
                assert_int_equal(p->sum.anchored[k].n, p->sum.error[k].n);
        }
        assert_true(score_share(p->sum.upper.inside, p->sum.upper.n) == 1);
        assert_true(score_share(p->sum.inside.inside, p->sum.inside.n) == 1);
        assert_int_equal(p->sum.upper.n, STEPS - 1);
        assert_int_equal(p->sum.end.n, STEPS - HORIZON);
        assert_int_equal(p->sum.inside.n, 4 * STEPS - 1 - 2 - 3 - 4);
        assert_true(score_width(&p->sum.step) <= score_width(&p->sum.end) && score_width(&p->sum.end) < 0.2);
}

/* A plant as learned, with noise: the bounds hold as often as they promise, in the whole interval too. */
static void test_coverage_is_nominal(void **state)
{
        struct plant *p = *state;

        learned(p, 0.1);
        judge(p, SIZE_MAX);
        for (int t = 0; t < 4 * STEPS; t++) {
                advance(p, true); /* goes on learning: each forecast is by the set of its decision */
                if (t % 20 == 0)
                        (void)arx_fit(p->m, 50);
                (void)arx_set_save(p->m, p->set, p->bytes);
                decide(p, t > 0);
                /* hindsight left an older set in the model */
                assert_int_equal(arx_set_load(p->m, p->set, p->bytes), 0);
        }
        hindsight_end(p->h);
        assert_true(score_share(p->sum.upper.inside, p->sum.upper.n) >= 0.98);
        assert_true(score_share(p->sum.inside.inside, p->sum.inside.n) >= 0.95);
        assert_true(score_skill(&p->sum.error[0]) > 0.6 && score_skill(&p->sum.error[2]) > 0.6);
        assert_true(fabs(score_bias(&p->sum.error[0])) < 0.02);
        assert_true(fabs(score_rmse(&p->sum.error[0]) - 0.1) < 0.02); /* the noise is all that is left */
}

/* A forecast by the set of its own decision: once that is spoiled, only what began later is bad. */
static void test_the_set_of_the_decision(void **state)
{
        struct plant *p = *state;
        struct score_error before;

        learned(p, 1e-7);
        judge(p, SIZE_MAX);
        for (int t = 0; t < 50; t++) {
                advance(p, false);
                decide(p, t > 0);
        }
        /* the model forgets everything: another plant, learned by other rows */
        for (int t = 0; t < 50; t++) {
                const struct arx_window w = window(p);
                const double y = 40;

                (void)arx_add(p->m, &w, &y);
        }
        (void)arx_fit(p->m, 10);
        before = p->sum.error[0];
        for (int t = 0; t < 6; t++) { /* these were foreseen before */
                advance(p, false);
                decide(p, true);
        }
        assert_int_equal(p->sum.error[0].n, before.n + 6);
        assert_true(score_skill(&p->sum.error[0]) > 0.999 && score_skill(&p->sum.error[2]) > 0.999);
}

/* A heat that nobody measures: the nominal forecast misses it, the anchored one has seen it. */
static void test_anchored(void **state)
{
        struct plant *p = *state;

        learned(p, 1e-7);
        p->unseen = 0.5;
        judge(p, SIZE_MAX);
        for (int t = 0; t < STEPS; t++) {
                advance(p, false);
                if (t > 2 * ROWS)
                        decide(p, t > 2 * ROWS + 1);
        }
        hindsight_end(p->h);
        assert_true(fabs(score_bias(&p->sum.error[0]) + 0.5) < 0.01);
        assert_true(score_bias(&p->sum.error[2]) < -1.5);
        for (int k = 0; k < 3; k++)
                assert_true(score_skill(&p->sum.anchored[k]) > 0.99);
}

static void test_little(void **state)
{
        struct plant *p = *state;

        learned(p, 1e-7);
        judge(p, SIZE_MAX);
        hindsight_end(p->h);
        advance(p, false);
        decide(p, false);
        hindsight_end(p->h);
        assert_int_equal(p->told, 0); /* one decision has nothing after it */
        advance(p, false);
        decide(p, true); /* says that it follows, but what it follows is gone */
        advance(p, false);
        decide(p, true);
        hindsight_end(p->h);
        assert_int_equal(p->told, 1);
        assert_int_equal(p->sum.error[0].n, 1);
        assert_int_equal(p->sum.error[1].n, 0);
}

static void test_gaps_and_nan(void **state)
{
        struct plant *p = *state;
        const double nan = (double)NAN;
        struct arx_window w;

        learned(p, 1e-7);
        judge(p, SIZE_MAX);
        for (int t = 0; t < 10; t++) {
                advance(p, false);
                decide(p, t > 0 && t != 5); /* a gap before the sixth: what began before is judged up to it */
        }
        hindsight_end(p->h);
        assert_int_equal(p->sum.error[0].n, 8);
        assert_int_equal(p->sum.error[1].n, 6);
        assert_int_equal(p->sum.error[2].n, 0);
        memset(&p->sum, 0, sizeof p->sum);
        for (int t = 0; t < 4; t++) {
                advance(p, false);
                w = window(p);
                /* the third reading cannot be used: neither as what came nor as what was before; the fourth has no set
                 */
                hindsight_step(p->h, p->t_ms, t > 0, &w, t == 2 ? &nan : p->y + p->n - 1, t == 3 ? NULL : p->set);
        }
        hindsight_end(p->h);
        assert_int_equal(p->sum.error[0].n, 1); /* 0→1; not 1→2, nor 2→3 */
        assert_int_equal(p->sum.error[1].n, 1); /* 1→3 */
        assert_int_equal(p->sum.upper.n, 2);    /* 0→1 and 2→3, which needs no reading before */
}

/* Too little memory for all sets: fewer forecasts, as good. */
static void test_stride(void **state)
{
        struct plant *p = *state;

        learned(p, 1e-7);
        judge(p, 2 * p->bytes);
        assert_int_equal(hindsight_stride(p->h), 3);
        for (int t = 0; t < 60; t++) {
                advance(p, false);
                decide(p, t > 0);
        }
        hindsight_end(p->h);
        assert_int_equal(p->told, 20);
        assert_int_equal(p->sum.error[0].n, 20);
        assert_true(score_skill(&p->sum.error[2]) > 0.999);
}

static void test_before_a_fit(void **state)
{
        struct plant *p = *state;

        push(p, 25);
        (void)arx_set_save(p->m, p->set, p->bytes);
        judge(p, SIZE_MAX);
        for (int t = 0; t < 20; t++) {
                advance(p, false);
                decide(p, t > 0);
        }
        hindsight_end(p->h);
        assert_int_equal(p->told, 0); /* a prior is no forecast */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_a_perfect_model, begin, end),
            cmocka_unit_test_setup_teardown(test_coverage_is_nominal, begin, end),
            cmocka_unit_test_setup_teardown(test_the_set_of_the_decision, begin, end),
            cmocka_unit_test_setup_teardown(test_anchored, begin, end),
            cmocka_unit_test_setup_teardown(test_little, begin, end),
            cmocka_unit_test_setup_teardown(test_gaps_and_nan, begin, end),
            cmocka_unit_test_setup_teardown(test_stride, begin, end),
            cmocka_unit_test_setup_teardown(test_before_a_fit, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
