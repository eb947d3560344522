/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/arx/arx.h"
#include "models/num/num.h"
#include "models/num/rng.h"

/* Two rack inlets fed by one air handler: y0, y1 inlets, u0 supply setpoint, u1 fan, d0 power (kW).
 * y_i⁺ = a0 y_i + a1 y_i[-1] + c y_j + s u0 + f u1 + p d0 + k, a0 + a1 + c + s = 1. */
#define NY 2
#define NU 2
#define ND 1
#define NT 7 /* terms a row */
#define STEPS 4000

static uint64_t seed;

static const size_t row_start[] = {0, NT, 2 * NT};
static const struct arx_term term[] = {
    {ARX_SRC_Y, 1, 1, 1, 0},  {ARX_SRC_Y, 2, 1, 0, 0},   {ARX_SRC_Y, 1, 1, 1, 1},   {ARX_SRC_U, 1, 1, 1, 0},
    {ARX_SRC_U, 1, 0, -1, 1}, {ARX_SRC_D, 1, 0, 1, 0},   {ARX_SRC_ONE, 0, 0, 0, 0}, {ARX_SRC_Y, 1, 1, 1, 1},
    {ARX_SRC_Y, 2, 1, 0, 1},  {ARX_SRC_Y, 1, 1, 1, 0},   {ARX_SRC_U, 1, 1, 1, 0},   {ARX_SRC_U, 1, 0, -1, 1},
    {ARX_SRC_D, 1, 0, 1, 0},  {ARX_SRC_ONE, 0, 0, 0, 0},
};
static const double scale[] = {1, 1, 1, 1, 0.2, 2, 1, 1, 1, 1, 1, 0.2, 2, 1};
static const struct arx_structure structure = {NY, NU, ND, 2, 2 * NT, row_start, term, scale};
static const double truth[] = {0.70, 0.10, 0.05, 0.15, -0.8, 0.12, 0.30, 0.60, 0.15, 0.10, 0.15, -0.5, 0.20, 0.10};

struct world {
        double y[STEPS * NY], u[STEPS * NU], d[STEPS * ND];
};

static void simulate(struct world *w, uint64_t stream, double noise)
{
        struct rng r;
        rng_seed(&r, seed, stream);
        memset(w, 0, sizeof(*w));
        for (size_t t = 0; t < STEPS; t++) {
                double *u = w->u + t * NU, *y = w->y + t * NY;
                u[0] = t ? fmin(fmax(u[0 - NU] + rng_range(&r, -0.5, 0.5), 16.0), 24.0) : 20.0;
                u[1] = t ? fmin(fmax(u[1 - NU] + rng_range(&r, -0.05, 0.05), 0.3), 1.0) : 0.6;
                w->d[t] = t ? fmin(fmax(w->d[t - 1] + rng_range(&r, -0.3, 0.3), 2.0), 9.0) : 5.0;
                for (size_t i = 0; i < NY; i++) {
                        if (t < 2) {
                                y[i] = 22.0;
                                continue;
                        }
                        const double *th = truth + i * NT, *p = y - NY, *q = y - 2 * NY, *pu = u - NU;
                        y[i] = th[0] * p[i] + th[1] * q[i] + th[2] * p[1 - i] + th[3] * pu[0] + th[4] * pu[1] +
                               th[5] * w->d[t - 1] + th[6] + noise * rng_normal(&r);
                }
        }
}

/* The window of the last two rows ending at t. */
static struct arx_window window_at(const struct world *w, size_t t)
{
        return (struct arx_window){2, w->y + (t - 1) * NY, w->u + (t - 1) * NU, w->d + (t - 1) * ND};
}

static void feed(struct arx *m, const struct world *w, size_t from, size_t to)
{
        for (size_t t = from; t + 1 < to; t++) {
                struct arx_window win = window_at(w, t);
                (void)arx_add(m, &win, w->y + (t + 1) * NY);
        }
}

static struct arx *make(const struct arx_args *args, const double *lo, const double *hi, void **ret_mem)
{
        size_t size = arx_memsize(&structure);
        void *mem = aligned_alloc(16, (size + 15) & ~(size_t)15);
        assert_non_null(mem);
        struct arx *m = NULL;
        assert_int_equal(arx_create(mem, size, &structure, args, lo, hi, &m), 0);
        *ret_mem = mem;
        return m;
}

static struct world world;

static void test_recovers_a_known_system(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        args.ridge = 1e-6;
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 1, 0.0);
        feed(m, &world, 1, 1500);
        assert_int_equal(arx_fit(m, 100), 2);
        for (size_t i = 0; i < NY; i++) {
                const double *theta;
                arx_row(m, i, &theta, NULL, NULL);
                for (size_t k = 0; k < NT; k++)
                        assert_true(fabs(theta[k] - truth[i * NT + k]) < 1e-4);
        }
        /* free run equals the simulation, with known inputs */
        enum { N = 40 };
        double pred[N * NY], *work = calloc(arx_predict_work(m, N), sizeof(double));
        struct arx_window win = window_at(&world, 2000);
        arx_predict(m, &win, N, world.u + 2000 * NU, world.d + 2000 * ND, NULL, work, pred);
        for (size_t t = 0; t < N; t++)
                for (size_t i = 0; i < NY; i++)
                        assert_true(fabs(pred[t * NY + i] - world.y[(2001 + t) * NY + i]) < 1e-3);
        /* what the room did beyond the model over the window goes on in the prediction */
        enum { ROWS = 12 };
        const size_t first = 2000 + 1 - ROWS;
        double y[ROWS * NY], plain[2 * NY], warm[2 * NY], offset[NY] = {0.0};
        memcpy(y, world.y + first * NY, sizeof y);
        y[(ROWS - 1) * NY] += 0.3; /* one transition of ten is off */
        const struct arx_window seen = {ROWS, y, world.u + first * NU, world.d + first * ND};
        offset[0] = arx_offset(m, 0, &seen);
        assert_true(fabs(offset[0] - 0.03) < 1e-3);
        assert_true(fabs(arx_offset(m, 1, &seen)) < 1e-3);
        assert_true(arx_offset(m, 0, &win) == 0.0); /* no transition in as many rows as lags */
        arx_predict(m, &win, 2, world.u + 2000 * NU, world.d + 2000 * ND, NULL, work, plain);
        arx_predict(m, &win, 2, world.u + 2000 * NU, world.d + 2000 * ND, offset, work, warm);
        assert_true(fabs(warm[0] - plain[0] - offset[0]) < 1e-12);
        assert_true(fabs(warm[NY] - plain[NY] - 1.7 * offset[0]) < 1e-3);
        /* a nearer horizon is the prefix of a farther one */
        double near[5 * NY];
        arx_predict(m, &win, 5, world.u + 2000 * NU, world.d + 2000 * ND, NULL, work, near);
        assert_memory_equal(near, pred, sizeof(near));
        free(work);
        free(mem);
}

static void test_prediction_is_exact_with_the_true_coefficients(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        void *mem;
        struct arx *m = make(&args, truth, truth, &mem); /* a prior of zero width */
        simulate(&world, 9, 0.0);
        feed(m, &world, 1, 50);
        assert_int_equal(arx_fit(m, 10), 2);
        enum { N = 60 };
        double pred[N * NY], *work = calloc(arx_predict_work(m, N), sizeof(double));
        struct arx_window win = window_at(&world, 100);
        arx_predict(m, &win, N, world.u + 100 * NU, world.d + 100 * ND, NULL, work, pred);
        for (size_t k = 0; k < N * NY; k++)
                assert_true(fabs(pred[k] - world.y[101 * NY + k]) < 1e-10);
        free(work);
        free(mem);
}

static void test_sum_and_signs_hold(void **state)
{
        (void)state;
        for (uint64_t stream = 0; stream < 40; stream++) {
                struct arx_args args;
                arx_args_default(&args);
                args.forget = stream % 2 ? 0.999 : 1.0;
                void *mem;
                struct arx *m = make(&args, NULL, NULL, &mem);
                simulate(&world, 100 + stream, 0.3);
                size_t n = 12 + 40 * (size_t)stream;
                feed(m, &world, 1, n);
                assert_int_equal(arx_fit(m, 5), 2);
                for (size_t i = 0; i < NY; i++) {
                        const double *theta, *lo, *hi;
                        arx_row(m, i, &theta, &lo, &hi);
                        double sum = 0.0;
                        for (size_t k = 0; k < NT; k++) {
                                if (term[i * NT + k].sum1)
                                        sum += theta[k];
                                assert_true(theta[k] * term[i * NT + k].sign >= 0.0);
                                assert_true(lo[k] <= theta[k] && theta[k] <= hi[k]);
                                assert_true(lo[k] * term[i * NT + k].sign >= 0.0 || term[i * NT + k].sign < 0);
                        }
                        assert_true(fabs(sum - 1.0) < 1e-6);
                        struct arx_row_info info;
                        arx_row_info(m, i, &info);
                        assert_false(info.sum1_infeasible);
                        assert_int_equal(info.samples, n - 2);
                }
                free(mem);
        }
}

/* A prior box that binds on the eliminated coefficient too. */
static void test_box_prior_binds(void **state)
{
        (void)state;
        double lo[2 * NT], hi[2 * NT];
        for (size_t k = 0; k < 2 * NT; k++) {
                lo[k] = -(double)INFINITY;
                hi[k] = (double)INFINITY;
        }
        lo[0] = 0.75, hi[0] = 0.9; /* truth 0.70: outside */
        lo[5] = 0.0, hi[5] = 0.10; /* truth 0.12 */
        struct arx_args args;
        arx_args_default(&args);
        void *mem;
        struct arx *m = make(&args, lo, hi, &mem);
        simulate(&world, 3, 0.02);
        feed(m, &world, 1, 2000);
        assert_int_equal(arx_fit(m, 10), 2);
        const double *theta;
        arx_row(m, 0, &theta, NULL, NULL);
        assert_true(fabs(theta[0] - 0.75) < 1e-6);
        assert_true(theta[5] == 0.10);
        assert_true(fabs(theta[0] + theta[1] + theta[2] + theta[3] - 1.0) < 1e-6);
        free(mem);
}

/* Both sets must cover the truth at least as often as they say: per row with 1 − delta. */
static void coverage(enum arx_set set, double *ret_rate, double *ret_width)
{
        const int runs = 100;
        int covered = 0;
        double width = 0.0;
        for (int s = 0; s < runs; s++) {
                struct arx_args args;
                arx_args_default(&args);
                args.set = set;
                args.delta = 0.1;
                args.w_min = 1e-3;
                void *mem;
                struct arx *m = make(&args, NULL, NULL, &mem);
                simulate(&world, 1000 + (uint64_t)s, 0.1);
                feed(m, &world, 1, 400);
                assert_int_equal(arx_fit(m, 100), 2);
                for (size_t i = 0; i < NY; i++) {
                        const double *lo, *hi;
                        arx_row(m, i, NULL, &lo, &hi);
                        bool in = true;
                        for (size_t k = 0; k < NT; k++) {
                                in &= truth[i * NT + k] >= lo[k] && truth[i * NT + k] <= hi[k];
                                width += hi[k] - lo[k];
                        }
                        covered += in;
                }
                free(mem);
        }
        *ret_rate = covered / (double)(2 * runs);
        *ret_width = width / (2 * runs);
}

static void test_interval_coverage(void **state)
{
        (void)state;
        double rate, width, rate_asymptotic, width_asymptotic;
        coverage(ARX_SET_SELF_NORMALISED, &rate, &width);
        coverage(ARX_SET_ASYMPTOTIC, &rate_asymptotic, &width_asymptotic);
        printf("coverage of 90 %% sets: self-normalised %.3f (width %.2f), asymptotic %.3f (width %.2f)\n", rate, width,
               rate_asymptotic, width_asymptotic);
        assert_true(rate >= 0.9);
        assert_true(rate_asymptotic >= 0.9);
        assert_true(width_asymptotic < width);
}

/* The true system, with bounded noise, against the worst case learned from other data of it: never outside while the
 * set holds the truth; and the bound must be worth having: near the operating point a small multiple of the noise. */
static void test_worst_case_holds_for_the_true_system(void **state)
{
        (void)state;
        enum { N = 10, TRIALS = 60 };
        double excess = 0.0, count = 0.0;
        int outside = 0;
        for (int s = 0; s < TRIALS; s++) {
                struct arx_args args;
                arx_args_default(&args);
                args.set = s % 2 ? ARX_SET_ASYMPTOTIC : ARX_SET_SELF_NORMALISED;
                void *mem;
                struct arx *m = make(&args, NULL, NULL, &mem);
                simulate(&world, 5000 + (uint64_t)s, 0.05);
                feed(m, &world, 1, 600);
                assert_int_equal(arx_fit(m, 100), 2);
                double up[N * NY], down[N * NY], *work = calloc(arx_predict_work(m, N), sizeof(double));
                const uint8_t active[NY] = {1, 1};
                bool out = false;
                for (size_t t = 700; t < 3900; t += 100) {
                        struct arx_window win = window_at(&world, t);
                        arx_worst(m, &win, N, world.u + t * NU, world.d + t * ND, 1, active, work, up);
                        arx_worst(m, &win, N, world.u + t * NU, world.d + t * ND, -1, active, work, down);
                        for (size_t k = 0; k < N * NY; k++) {
                                double y = world.y[(t + 1) * NY + k];
                                out |= y > up[k] || y < down[k];
                        }
                        excess += up[0] - world.y[(t + 1) * NY];
                        count += 1.0;
                }
                outside += out;
                free(work);
                free(mem);
        }
        printf("worst case left by %d of %d true systems; one-step excess %.3f at noise 0.05\n", outside, TRIALS,
               excess / count);
        assert_true(outside <= 3);
        assert_true(excess / count < 0.5);
}

static void test_more_data_narrows_the_set(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 5, 0.05);
        struct arx_row_info a, b;
        feed(m, &world, 1, 200);
        assert_int_equal(arx_fit(m, 10), 2);
        arx_row_info(m, 0, &a);
        feed(m, &world, 200, 4000);
        assert_int_equal(arx_fit(m, 10), 2);
        arx_row_info(m, 0, &b);
        assert_true(b.width < 0.5 * a.width);
        /* noise bound: a sub-Gaussian 99.5 % bound of 0.05, not less than the 99 % point and not silly */
        assert_true(b.w_bar > 2.57 * 0.05 && b.w_bar < 4.5 * 0.05);
        free(mem);
}

/* Residuals seen before being learned from: the bound must hold for the share it names. */
static void test_noise_bound_covers(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        args.w_quantile = 0.99;
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 6, 0.1);
        feed(m, &world, 1, 1000);
        (void)arx_fit(m, 10);
        feed(m, &world, 1000, 2000);
        (void)arx_fit(m, 10);
        struct arx_row_info info;
        arx_row_info(m, 1, &info);
        size_t above = 0;
        for (size_t t = 2000; t + 1 < STEPS; t++) {
                double phi[ARX_TERMS_MAX];
                const double *theta;
                struct arx_window win = window_at(&world, t);
                assert_true(arx_regressor(m, 1, &win, phi));
                arx_row(m, 1, &theta, NULL, NULL);
                above += fabs(world.y[(t + 1) * NY + 1] - num_dot(NT, phi, theta)) > info.w_bar;
        }
        /* 1 % plus 3.5 standard deviations of (quantile of 1000, share of 2000) */
        assert_true((double)above / 1999.0 <= 0.023);
        free(mem);
}

static void test_missing_values(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 7, 0.05);
        double phi[ARX_TERMS_MAX];
        struct arx_window win = window_at(&world, 500);
        assert_true(arx_regressor(m, 0, &win, phi));
        assert_true(phi[0] == world.y[500 * NY] && phi[1] == world.y[499 * NY] && phi[3] == world.u[500 * NU] &&
                    phi[6] == 1.0);

        double y_next[] = {(double)NAN, 22.0};
        assert_int_equal(arx_add(m, &win, y_next), 1); /* row 0 has no target */
        world.y[499 * NY] = (double)NAN;               /* lag 2 of row 0 only */
        assert_false(arx_regressor(m, 0, &win, phi));
        assert_true(arx_regressor(m, 1, &win, phi));
        world.d[500] = (double)INFINITY;
        assert_false(arx_regressor(m, 1, &win, phi));
        y_next[0] = 22.0;
        assert_int_equal(arx_add(m, &win, y_next), 0);
        struct arx_window one = {1, win.y + NY, win.u + NU, win.d + ND}; /* shorter than the lags */
        assert_false(arx_regressor(m, 0, &one, phi));
        /* absurd but finite values are refused rather than learned */
        simulate(&world, 7, 0.05);
        world.u[500 * NU] = 1e200;
        assert_int_equal(arx_add(m, &win, y_next), 0);
        free(mem);
}

static void test_persistence_where_there_is_no_model(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 8, 0.05);
        double pred[3 * NY], *work = calloc(arx_predict_work(m, 3), sizeof(double));
        struct arx_window win = window_at(&world, 500);
        arx_predict(m, &win, 3, world.u + 500 * NU, world.d + 500, NULL, work, pred);
        for (size_t t = 0; t < 3; t++)
                for (size_t i = 0; i < NY; i++)
                        assert_true(pred[t * NY + i] == world.y[500 * NY + i]);
        feed(m, &world, 1, 400);
        assert_int_equal(arx_fit(m, 1000), 0); /* too few */
        struct arx_row_info info;
        arx_row_info(m, 0, &info);
        assert_false(info.fitted);
        assert_int_equal(arx_fit(m, 100), 2);
        arx_row_info(m, 0, &info);
        assert_true(info.fitted);
        /* a missing reading of row 1 leaves row 1 and whoever needs it at persistence, never NaN */
        world.y[500 * NY + 1] = (double)NAN;
        arx_predict(m, &win, 3, world.u + 500 * NU, world.d + 500, NULL, work, pred);
        assert_true(pred[0] == world.y[500 * NY]);
        assert_true(pred[1] == world.y[499 * NY + 1]);
        assert_true(num_all_finite(3 * NY, pred));
        free(work);
        free(mem);
}

static void test_forgetting_follows_a_change(void **state)
{
        (void)state;
        struct arx_args args;
        arx_args_default(&args);
        args.forget = 0.99;
        void *mem;
        struct arx *m = make(&args, NULL, NULL, &mem);
        simulate(&world, 11, 0.02);
        for (size_t t = 0; t < 1500 * NY; t += NY)
                world.y[t] += 3.0; /* a sensor bias that ends at 1500: the constant changes */
        feed(m, &world, 1, STEPS);
        assert_int_equal(arx_fit(m, 10), 2);
        const double *theta;
        arx_row(m, 0, &theta, NULL, NULL);
        for (size_t k = 0; k < NT - 1; k++)
                assert_true(fabs(theta[k] - truth[k]) < 0.2);
        struct arx_row_info info;
        arx_row_info(m, 0, &info);
        assert_true(info.rmse < 0.03);
        free(mem);
}

static void test_create_refuses(void **state)
{
        (void)state;
        size_t size = arx_memsize(&structure);
        char *mem = aligned_alloc(16, size + 16);
        struct arx *m = NULL;
        struct arx_args args;
        arx_args_default(&args);
        assert_int_equal(arx_create(mem, size - 1, &structure, &args, NULL, NULL, &m), -EINVAL);
        assert_int_equal(arx_create(mem + 8, size, &structure, &args, NULL, NULL, &m), -EINVAL);
        struct arx_args bad = args;
        bad.ridge = 0.0;
        assert_int_equal(arx_create(mem, size, &structure, &bad, NULL, NULL, &m), -EINVAL);
        bad = args;
        bad.forget = (double)NAN;
        assert_int_equal(arx_create(mem, size, &structure, &bad, NULL, NULL, &m), -EINVAL);
        double lo[2 * NT], hi[2 * NT];
        for (size_t k = 0; k < 2 * NT; k++)
                lo[k] = -1.0, hi[k] = 1.0;
        lo[0] = 2.0; /* crossed */
        assert_int_equal(arx_create(mem, size, &structure, &args, lo, hi, &m), -EINVAL);
        lo[0] = -1.0;
        lo[4] = 0.5; /* against the sign prior */
        assert_int_equal(arx_create(mem, size, &structure, &args, lo, hi, &m), -EINVAL);
        lo[4] = (double)NAN;
        assert_int_equal(arx_create(mem, size, &structure, &args, lo, hi, &m), -EINVAL);
        struct arx_term t[2 * NT];
        memcpy(t, term, sizeof(t));
        struct arx_structure st = structure;
        st.term = t;
        t[3].index = NU;
        assert_int_equal(arx_create(mem, size, &st, &args, NULL, NULL, &m), -EINVAL);
        t[3].index = 0;
        t[3].lag = 3;
        assert_int_equal(arx_create(mem, size, &st, &args, NULL, NULL, &m), -EINVAL);
        t[3].lag = 0;
        assert_int_equal(arx_create(mem, size, &st, &args, NULL, NULL, &m), -EINVAL);
        assert_null(m);
        free(mem);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_recovers_a_known_system),
            cmocka_unit_test(test_prediction_is_exact_with_the_true_coefficients),
            cmocka_unit_test(test_sum_and_signs_hold),
            cmocka_unit_test(test_box_prior_binds),
            cmocka_unit_test(test_interval_coverage),
            cmocka_unit_test(test_worst_case_holds_for_the_true_system),
            cmocka_unit_test(test_more_data_narrows_the_set),
            cmocka_unit_test(test_noise_bound_covers),
            cmocka_unit_test(test_missing_values),
            cmocka_unit_test(test_persistence_where_there_is_no_model),
            cmocka_unit_test(test_forgetting_follows_a_change),
            cmocka_unit_test(test_create_refuses),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
