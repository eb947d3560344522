/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/explore_methods.h"

#define STEPS 12
#define PERIOD 10 /* of the ball where nothing is compared */

static uint64_t seed;

static const struct row_case tight = {4, true, 0.02, 0.5}, wide = {16, true, 0.05, 0.5}, bare = {4, false, 0.02, 0.5};

/* A row and an explorer on it, on the heap. */
struct rig {
        struct row row;
        struct explore *e;
        void *mem;
        size_t size;
};

static struct rig *rig_create(const struct row_case *c, enum explore_method m, uint64_t s)
{
        struct rig *g = malloc(sizeof(*g));
        assert_non_null(g);
        row_create(&g->row, c, s);
        g->size = explore_memsize(&g->row);
        g->mem = malloc(g->size);
        assert_non_null(g->mem);
        g->e = explore_create(g->mem, g->size, &g->row, &(struct explore_args){m, explore_ball_period(c->nunit)}, s);
        return g;
}

static void rig_free(struct rig *g)
{
        free(g->mem);
        free(g);
}

static struct explore_result run(const struct row_case *c, enum explore_method m, uint64_t s, size_t steps)
{
        struct rig *g = rig_create(c, m, s);
        struct explore_result r;
        explore_run(g->mem, g->size, &g->row, &(struct explore_args){m, explore_ball_period(c->nunit)}, s, steps, &r);
        rig_free(g);
        return r;
}

static struct region *region_create(const struct rig *g)
{
        struct region *r = calloc(1, sizeof(*r));
        assert_non_null(r);
        r->row = &g->row;
        r->model = explore_model(g->e);
        r->work = malloc(sizeof(double) * arx_predict_work(r->model, REGION_HORIZON));
        assert_non_null(r->work);
        region_update(r);
        r->steps = STEPS;
        return r;
}

static void region_free(struct region *r)
{
        free(r->work);
        free(r);
}

static void test_truth_is_in_the_prior(void **state)
{
        (void)state;
        const struct row_case *const c[] = {&tight, &wide, &bare};
        struct row *r = malloc(sizeof(*r));
        assert_non_null(r);
        for (size_t n = 0; n < 60; n++) {
                row_create(r, c[n % 3], seed + n);
                assert_int_equal(r->st.ny, 2 * r->nunit);
                for (size_t k = 0; k < r->st.nterm; k++) {
                        assert_true(r->theta[k] >= r->prior_lo[k] && r->theta[k] <= r->prior_hi[k]);
                        assert_true(r->term[k].src != ARX_SRC_Y || r->prior_lo[k] >= 0.0);
                }
        }
        free(r);
}

static void random_action(struct rng *rng, size_t n, double *u)
{
        for (size_t j = 0; j < n; j++)
                u[j] = rng_range(rng, -1.0, 1.0);
}

/* A member of the prior box: uniform or a vertex. */
static void random_model(struct rng *rng, const struct row *r, double *theta)
{
        const bool vertex = rng_below(rng, 2);
        for (size_t k = 0; k < r->st.nterm; k++) {
                const double f = vertex ? (double)rng_below(rng, 2) : rng_uniform(rng);
                theta[k] = r->prior_lo[k] + f * (r->prior_hi[k] - r->prior_lo[k]);
        }
}

/* u in the first step, zero afterwards; loads d first, then load_sign or random when 0; noise likewise. */
static void simulate(const struct row *r, const double *theta, struct rng *rng, double sign, const double *x,
                     const double *u, const double *d, double *ret)
{
        const double zero[ROW_Y_MAX] = {0};
        double load[ROW_UNITS_MAX];
        for (size_t t = 0; t < STEPS; t++) {
                for (size_t j = 0; j < r->st.nd; j++)
                        load[j] = t == 0 ? d[j] : sign != 0.0 ? sign : rng_range(rng, -1.0, 1.0);
                for (size_t i = 0; i < r->st.ny; i++)
                        ret[t * r->st.ny + i] =
                            row_value(r, theta, i, t == 0 ? x : ret + (t - 1) * r->st.ny, t == 0 ? u : zero, load) +
                            (sign != 0.0 ? sign * ROW_NOISE_BAR : rng_range(rng, -ROW_NOISE_BAR, ROW_NOISE_BAR));
        }
}

/* The theorem on this row: no model of the box, no noise and no load ever exceeds the bound. */
static void test_no_model_exceeds_the_bound(void **state)
{
        (void)state;
        double theta[ROW_TERMS_MAX], path[STEPS * ROW_Y_MAX], upper[STEPS * ROW_Y_MAX], lower[STEPS * ROW_Y_MAX];
        double x[ROW_Y_MAX], u[ROW_Y_MAX], d[ROW_UNITS_MAX];
        struct rng rng;
        rng_seed(&rng, seed, 10);
        for (size_t n = 0; n < 20; n++) {
                struct rig *g = rig_create(n % 2 ? &tight : &bare, EXPLORE_WALK, seed + n);
                struct region *r = region_create(g);
                const size_t ny = g->row.st.ny;
                random_action(&rng, ny, x);
                random_action(&rng, ny, u);
                random_action(&rng, g->row.st.nd, d);
                region_bounds(r, x, d, u, upper, lower);
                for (size_t k = 0; k < 500; k++) {
                        random_model(&rng, &g->row, theta);
                        simulate(&g->row, theta, &rng, (double)rng_below(&rng, 3) - 1.0, x, u, d, path);
                        for (size_t at = 0; at < STEPS * ny; at++)
                                assert_true(path[at] <= upper[at] + 1e-9 && path[at] >= lower[at] - 1e-9);
                }
                region_free(r);
                rig_free(g);
        }
}

/* The model that attains the upper bound where every state stays ≥ 0: A⁺, C⁺ and, by the sign of u, B⁺ or B⁻. */
static void vertex_model(const struct row *r, const double *u, const double *d, double *theta)
{
        for (size_t k = 0; k < r->st.nterm; k++) {
                const struct arx_term *t = &r->term[k];
                const double value = t->src == ARX_SRC_U ? u[t->index] : t->src == ARX_SRC_D ? d[t->index] : 1.0;
                theta[k] = value >= 0.0 ? r->prior_hi[k] : r->prior_lo[k];
        }
}

static void test_the_vertex_attains_the_bound(void **state)
{
        (void)state;
        double theta[ROW_TERMS_MAX], path[STEPS * ROW_Y_MAX], upper[STEPS * ROW_Y_MAX], lower[STEPS * ROW_Y_MAX];
        double x[ROW_Y_MAX], u[ROW_Y_MAX], d[ROW_UNITS_MAX];
        struct rng rng;
        rng_seed(&rng, seed, 11);
        for (size_t n = 0; n < 50; n++) {
                struct rig *g = rig_create(&tight, EXPLORE_WALK, seed + n);
                struct region *r = region_create(g);
                const size_t ny = g->row.st.ny;
                for (size_t i = 0; i < g->row.nunit; i++) { /* warms every aisle, raises every pressure */
                        u[2 * i] = rng_range(&rng, 0.0, 0.2);
                        u[2 * i + 1] = rng_range(&rng, -1.0, -0.8);
                        d[i] = rng_range(&rng, 0.0, 1.0);
                        x[2 * i] = rng_uniform(&rng);
                        x[2 * i + 1] = rng_uniform(&rng);
                }
                region_bounds(r, x, d, u, upper, lower);
                vertex_model(&g->row, u, d, theta);
                simulate(&g->row, theta, &rng, 1.0, x, u, d, path);
                for (size_t at = 0; at < STEPS * ny; at++) {
                        assert_true(path[at] >= 0.0);
                        assert_true(fabs(path[at] - upper[at]) <= 1e-9);
                }
                region_free(r);
                rig_free(g);
        }
}

/* What is clipped is certified: whichever model, its own terminal box is reached inside the limit and kept. */
static void test_clipped_actions_keep_the_limit(void **state)
{
        (void)state;
        double theta[ROW_TERMS_MAX], path[STEPS * ROW_Y_MAX], x[ROW_Y_MAX], u[ROW_Y_MAX], d[ROW_UNITS_MAX];
        size_t tried = 0, moved = 0;
        struct rng rng;
        rng_seed(&rng, seed, 12);
        for (size_t n = 0; n < 40; n++) {
                struct rig *g = rig_create(&tight, EXPLORE_WALK, seed + n);
                struct region *r = region_create(g);
                const size_t ny = g->row.st.ny;
                for (size_t i = 0; i < ny; i++)
                        x[i] = rng_range(&rng, -1.7, 1.7);
                random_action(&rng, ny, u);
                random_action(&rng, g->row.st.nd, d);
                if (region_enter(r, x, d) == REGION_CERTIFIED) {
                        tried++;
                        region_clip(r, x, d, u);
                        for (size_t j = 0; j < ny; j++)
                                moved += fabs(u[j]) > 0.01;
                        for (size_t k = 0; k < 200; k++) {
                                random_model(&rng, &g->row, theta);
                                simulate(&g->row, theta, &rng, (double)rng_below(&rng, 3) - 1.0, x, u, d, path);
                                for (size_t at = 0; at < STEPS * ny; at++)
                                        assert_true(fabs(path[at]) <= ROW_LIMIT + 1e-9);
                        }
                }
                region_free(r);
                rig_free(g);
        }
        assert_true(tried >= 10 && moved >= 4 * tried); /* of 8 inputs */
}

/* Largest value of output i of a one-unit row under the model that is worst for it, the worst noise and load, and
 * `toward` every PERIOD steps. */
static double largest_of(const struct row *r, size_t i, const double *toward)
{
        const double zero[2] = {0}, load[1] = {1.0};
        double theta[ROW_TERMS_MAX], x[2] = {0}, next[2], most = 0.0;
        vertex_model(r, toward, load, theta);
        for (size_t k = 0; k < 2000; k++) {
                for (size_t j = 0; j < 2; j++)
                        next[j] = row_value(r, theta, j, x, k % PERIOD == 0 ? toward : zero, load) + ROW_NOISE_BAR;
                memcpy(x, next, sizeof(x));
                most = fmax(most, x[i]);
        }
        return most;
}

/* From the ball, with its rests, in the worst direction for ever: never beyond the limit, and one output reaches it. */
static void test_ball_radius_is_exact(void **state)
{
        (void)state;
        for (uint64_t s = 0; s < 10; s++) {
                struct rig *g = rig_create(&(struct row_case){1, true, 0.02, 0.5}, EXPLORE_BALL, seed + s);
                struct region *r = region_create(g);
                const double radius = region_ball(r, PERIOD);
                const double fan = g->row.prior_lo[1], valve = g->row.prior_lo[2], b = hypot(fan, valve);
                const double temp = largest_of(&g->row, 0, (double[]){radius * fan / b, radius * valve / b}),
                             press = largest_of(&g->row, 1, (double[]){radius, 0.0});
                assert_true(region_ball(r, 1) < radius);
                assert_true(fabs(fmax(temp, press) - ROW_LIMIT) <= 1e-6);
                region_free(r);
                rig_free(g);
        }
}

static void test_same_seed_same_run(void **state)
{
        (void)state;
        for (size_t m = 0; m < EXPLORE_METHODS; m++) {
                const struct explore_result a = run(&tight, (enum explore_method)m, seed, 60),
                                            b = run(&tight, (enum explore_method)m, seed, 60),
                                            c = run(&tight, (enum explore_method)m, seed + 1, 60);
                assert_true(a.error == b.error && a.first == b.first && a.moved == b.moved);
                assert_true(a.error != c.error);
        }
}

static void test_certified_explorers_never_violate(void **state)
{
        (void)state;
        const enum explore_method safe[] = {EXPLORE_WALK, EXPLORE_GREEDY, EXPLORE_BALL, EXPLORE_FIXED};
        const struct row_case one = {1, true, 0.02, 0.5}, one_bare = {1, false, 0.02, 0.5};
        const struct row_case *const c[] = {&one, &tight, &one_bare};
        for (size_t k = 0; k < 3; k++)
                for (size_t m = 0; m < 4; m++)
                        for (uint64_t s = 0; s < 3; s++) {
                                const struct explore_result r = run(c[k], safe[m], seed + s, 600);
                                assert_int_equal(r.violations, 0);
                                assert_true(c[k] == &one_bare || r.moved > 0);
                        }
}

static void test_noise_violates(void **state)
{
        (void)state;
        const struct explore_result r = run(&tight, EXPLORE_NOISE, seed, 2000);
        assert_true(r.violations > 0);
        assert_int_equal(r.certified, 0);
}

/* Means over 12 seeds; the ball that is not there after 2000 steps counts as 2000. */
static double mean_steps(enum explore_method m, size_t steps, size_t seeds)
{
        double sum = 0.0;
        for (uint64_t s = 0; s < seeds; s++) {
                const struct explore_result r = run(&tight, m, seed + s, steps);
                assert_true(m == EXPLORE_BALL || r.first > 0);
                sum += r.first > 0 ? (double)r.first : (double)steps;
        }
        return sum / (double)seeds;
}

static void test_greedy_is_no_slower_than_walk_and_a_tenth_of_the_ball(void **state)
{
        (void)state;
        const double greedy = mean_steps(EXPLORE_GREEDY, 60, 12), walk = mean_steps(EXPLORE_WALK, 60, 12),
                     ball = mean_steps(EXPLORE_BALL, 2000, 6);
        printf("steps to 5 %% at 4 units: greedy %.1f, walk %.1f, ball %.1f\n", greedy, walk, ball);
        assert_true(greedy <= walk);
        assert_true(greedy <= 0.1 * ball && walk <= 0.1 * ball);
}

static void test_larger_rows_are_learned(void **state)
{
        (void)state;
        const struct row_case c[] = {{16, true, 0.02, 0.5}, {64, true, 0.02, 0.5}};
        for (size_t k = 0; k < 2; k++) {
                const struct explore_result r = run(&c[k], EXPLORE_GREEDY, seed, 20);
                assert_true(r.settled > 0);
                assert_int_equal(r.violations, 0);
        }
}

/* Where the row sums of A do not contract, and without priors, everybody stays nominal and says why. */
static void test_not_contracting_stays_nominal(void **state)
{
        (void)state;
        const enum explore_method safe[] = {EXPLORE_WALK, EXPLORE_GREEDY, EXPLORE_BALL, EXPLORE_FIXED};
        const struct row_case *const c[] = {&wide, &bare};
        for (size_t k = 0; k < 2; k++)
                for (size_t m = 0; m < 4; m++) {
                        const struct explore_result r = run(c[k], safe[m], seed, 100);
                        assert_int_equal(r.moved, 0);
                        assert_int_equal(r.certified, 0);
                        assert_int_equal(r.violations, 0);
                        assert_int_equal(r.reason, REGION_NOT_CONTRACTING);
                        assert_true(r.worst_sum > 0.95);
                }
        assert_string_equal(region_reason_str(REGION_NOT_CONTRACTING), "row sums of A not contracting");
}

int main(void)
{
        const char *env = getenv("COOLPLANE_SEED");
        seed = env ? strtoull(env, NULL, 0) : 1;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_truth_is_in_the_prior),
            cmocka_unit_test(test_no_model_exceeds_the_bound),
            cmocka_unit_test(test_the_vertex_attains_the_bound),
            cmocka_unit_test(test_clipped_actions_keep_the_limit),
            cmocka_unit_test(test_ball_radius_is_exact),
            cmocka_unit_test(test_same_seed_same_run),
            cmocka_unit_test(test_certified_explorers_never_violate),
            cmocka_unit_test(test_noise_violates),
            cmocka_unit_test(test_greedy_is_no_slower_than_walk_and_a_tenth_of_the_ball),
            cmocka_unit_test(test_larger_rows_are_learned),
            cmocka_unit_test(test_not_contracting_stays_nominal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
