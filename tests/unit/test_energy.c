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

#include "models/energy/energy.h"
#include "models/num/rng.h"

#define CAPACITY_W 1.5e6
#define DAY 288 /* 5-min steps */

static uint64_t seed;

/* A plant whose equations are not the model's: exponential slopes, a part-load hump, approach to the third power. */
static void plant(struct rng *r, struct energy_sample *s, double noise)
{
        double q = s->heat_w / CAPACITY_W, n = s->chillers_on, plr = 3.0 * q / fmax(n, 1.0);
        double eir = 0.19 * exp(-0.024 * (s->chwst_c - 10.0) + 0.022 * (s->cwst_c - 27.0));
        eir *= 1.0 + 0.25 * (plr - 0.67) * (plr - 0.67);
        double approach = fmax(s->cwst_c - s->wetbulb_c, 1.0), x = q / approach;
        s->power_w[ENERGY_FANS] = 0.055 * s->fan_ratio_cubed * CAPACITY_W;
        s->power_w[ENERGY_CHILLERS] = n > 0.0 ? q * eir * CAPACITY_W + 5000.0 * n : 0.0;
        s->power_w[ENERGY_PUMPS] = (0.006 + 0.008 * n + 0.02 * pow(s->valve_mean_ratio, 2.0)) * CAPACITY_W;
        s->power_w[ENERGY_TOWERS] = (0.002 + 0.4 * x * x) * CAPACITY_W;
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                s->power_w[p] *= 1.0 + noise * rng_normal(r);
}

static void state_at(struct rng *r, size_t t, struct energy_sample *s)
{
        double phase = 6.2831853 * (double)t / DAY;
        *s = (struct energy_sample){
            .fan_ratio_cubed = pow(0.7 + 0.1 * sin(phase) + rng_range(r, -0.05, 0.05), 3.0),
            .heat_w = CAPACITY_W * (0.45 + 0.08 * sin(phase + 1.0) + rng_range(r, -0.02, 0.02)),
            .chwst_c = 10.0 + 2.0 * sin(phase * 1.7) + rng_range(r, -0.5, 0.5),
            .wetbulb_c = 16.0 + 3.0 * sin(phase - 2.0) + rng_range(r, -0.3, 0.3),
            .chillers_on = 2.0,
            .valve_mean_ratio = 0.5 + 0.1 * sin(phase) + rng_range(r, -0.05, 0.05),
        };
        s->cwst_c = s->wetbulb_c + 5.0 + 1.5 * sin(phase * 2.3);
}

static struct energy *make(uint64_t s)
{
        void *mem = aligned_alloc(16, energy_memsize());
        struct energy *e = NULL;
        assert_int_equal(energy_create(mem, energy_memsize(), s, CAPACITY_W, &e), 0);
        assert_ptr_equal((void *)e, mem); /* so that free(e) frees the block */
        return e;
}

static void feed(struct energy *e, struct rng *r, size_t from, size_t to, double noise)
{
        for (size_t t = from; t < to; t++) {
                struct energy_sample s;
                state_at(r, t, &s);
                plant(r, &s, noise);
                energy_add(e, &s);
        }
}

static double slope_ratio(const struct energy *e, double d_chwst, double d_cwst)
{
        struct energy_sample a = {.fan_ratio_cubed = 0.34,
                                  .heat_w = 0.45 * CAPACITY_W,
                                  .chwst_c = 10,
                                  .cwst_c = 21,
                                  .wetbulb_c = 16,
                                  .chillers_on = 2,
                                  .valve_mean_ratio = 0.5};
        struct energy_sample b = a;
        b.chwst_c += d_chwst;
        b.cwst_c += d_cwst;
        struct energy_estimate ea, eb;
        assert_true(energy_predict(e, &a, &ea));
        assert_true(energy_predict(e, &b, &eb));
        return eb.part_w[ENERGY_CHILLERS] / ea.part_w[ENERGY_CHILLERS] - 1.0;
}

static void test_learns_a_foreign_plant(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 1);
        struct energy *e = make(1);
        feed(e, &r, 0, 3 * DAY, 0.01);
        assert_int_equal(energy_fit(e), 4);
        struct energy_info info;
        energy_info(e, &info);
        printf("3 days: CV(RMSE) %.4f NMBE %+.4f, chillers per K: chilled %+.4f condenser %+.4f\n", info.cv_rmse_ratio,
               info.nmbe_ratio, slope_ratio(e, 1, 0), slope_ratio(e, 0, 1));
        assert_int_equal(info.samples, 3 * DAY);
        assert_true(info.cv_rmse_ratio < 0.03);
        assert_true(fabs(info.nmbe_ratio) < 0.01);
        assert_true(slope_ratio(e, 1, 0) < -0.015 && slope_ratio(e, 1, 0) > -0.033);
        assert_true(slope_ratio(e, 0, 1) > 0.013 && slope_ratio(e, 0, 1) < 0.031);
        free(e);
}

/* A plant far from the priors: COP 9 where it runs, power rising faster than load, and in the first three hours, at
 * night with warm condenser water, a third machine that is worse than the others. From then on two, load and wet bulb
 * rising and falling together, water temperatures in small steps. */
static double efficient_w(const struct energy_sample *s)
{
        const double q = s->heat_w, third = s->chillers_on > 2.5 ? 1.0 / 3.0 : 0.0, n = s->chillers_on;
        const double part = pow(q / n / 250e3, 1.2) * 250e3 * n;
        const double slopes = exp(-0.028 * (s->chwst_c - 11.0) + 0.021 * (s->cwst_c - 20.5));
        return part / 9.0 * slopes * (1.0 + 0.9 * third) + 1500.0 * n;
}

static void efficient_at(struct rng *r, size_t t, struct energy_sample *s)
{
        const double day = 6.2831853 * ((double)t - 36.0) / DAY, late = t < 36 ? 0.0 : sin(day - 1.2);
        *s = (struct energy_sample){
            .fan_ratio_cubed = t < 36 ? rng_range(r, 0.2, 0.6) : 0.1,
            .heat_w = t < 36 ? rng_range(r, 540e3, 580e3) : 545e3 + 45e3 * late + rng_range(r, -4e3, 4e3),
            .chwst_c = t < 36 ? rng_range(r, 6.0, 8.5) : 11.7 - 0.9 * late + rng_range(r, -0.3, 0.3),
            .wetbulb_c = 16.6 + 2.0 * sin(day - 0.8) + rng_range(r, -0.2, 0.2),
            .chillers_on = t < 36 ? 3.0 : 2.0,
            .valve_mean_ratio = 0.7,
        };
        s->cwst_c = t < 36 ? rng_range(r, 22.8, 25.0) : s->wetbulb_c + 4.2 + 0.5 * sin(day * 5.0);
        s->power_w[ENERGY_CHILLERS] = efficient_w(s) * (1.0 + 0.004 * rng_normal(r));
        s->power_w[ENERGY_FANS] = s->power_w[ENERGY_PUMPS] = s->power_w[ENERGY_TOWERS] = (double)NAN;
}

static void test_slopes_of_a_plant_unlike_the_priors(void **state)
{
        (void)state;
        struct rng r;
        struct energy *e = make(9);

        rng_seed(&r, seed, 9);
        for (size_t t = 0; t < 36 + DAY; t++) {
                struct energy_sample s, warm;
                struct energy_estimate a, b;

                efficient_at(&r, t, &s);
                energy_add(e, &s);
                if (t < 48 || t % 24 != 0)
                        continue;
                assert_int_equal(energy_fit(e), 1);
                for (int water = 0; water < 2; water++) {
                        warm = s;
                        *(water ? &warm.cwst_c : &warm.chwst_c) += 1.0;
                        assert_true(energy_predict(e, &s, &a) && energy_predict(e, &warm, &b));
                        const double got = b.part_w[ENERGY_CHILLERS] - a.part_w[ENERGY_CHILLERS];
                        const double want = efficient_w(&warm) - efficient_w(&s);
                        if (!(fabs(got / want - 1.0) < 0.3))
                                fail_msg("hour %.1f: %s water %+.0f W/K, the plant %+.0f", (double)t / 12.0 - 3.0,
                                         water ? "condenser" : "chilled", got, want);
                }
        }
        free(e);
}

/* No excitation of the water temperatures: the slopes must still be physics. */
static void test_little_data_degrades_to_physics(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 2);
        struct energy *e = make(2);
        for (size_t t = 0; t < 30; t++) {
                struct energy_sample s;
                state_at(&r, t, &s);
                s.chwst_c = 9.0;
                s.cwst_c = 24.0;
                plant(&r, &s, 0.02);
                energy_add(e, &s);
        }
        assert_int_equal(energy_fit(e), 4);
        double warm = slope_ratio(e, 1, 0), condenser = slope_ratio(e, 0, 1);
        assert_true(warm < -0.01 && warm > -0.04);
        assert_true(condenser > 0.01 && condenser < 0.04);
        free(e);
}

static void test_nothing_before_enough_data(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 3);
        struct energy *e = make(3);
        struct energy_sample s;
        state_at(&r, 0, &s);
        struct energy_estimate est = {.power_w = -1.0};
        assert_false(energy_predict(e, &s, &est));
        feed(e, &r, 0, 11, 0.01);
        assert_int_equal(energy_fit(e), 0);
        assert_false(energy_predict(e, &s, &est));
        assert_true(est.power_w == -1.0);
        feed(e, &r, 11, 12, 0.01);
        assert_int_equal(energy_fit(e), 4);
        assert_true(energy_predict(e, &s, &est));
        struct energy_info info;
        energy_info(e, &info);
        assert_true(isnan(info.cv_rmse_ratio)); /* too few for a hold-out */
        feed(e, &r, 12, 40, 0.01);
        assert_int_equal(energy_fit(e), 4);
        energy_info(e, &info);
        assert_true(info.cv_rmse_ratio > 0.0 && info.cv_rmse_ratio < 0.2);
        free(e);
}

static void test_distance_and_spread_grow_outside(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 4);
        struct energy *e = make(4);
        feed(e, &r, 0, DAY, 0.01);
        assert_int_equal(energy_fit(e), 4);
        struct energy_sample in, out;
        state_at(&r, 100, &in);
        out = in;
        struct energy_estimate a, b;
        assert_true(energy_predict(e, &in, &a));
        assert_true(a.distance < 0.5);
        double last = 0.0, last_std = 0.0;
        for (int k = 0; k < 5; k++) {
                out.chwst_c += 4.0;
                assert_true(energy_predict(e, &out, &b));
                if (k > 0) {
                        assert_true(b.distance > last);
                        assert_true(b.std_w > last_std);
                }
                last = b.distance;
                last_std = b.std_w;
        }
        assert_true(last > 5.0);
        free(e);
}

static void test_missing_and_absurd_values(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 5);
        struct energy *e = make(5);
        struct energy_sample s;
        struct energy_info info;
        state_at(&r, 0, &s);
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                s.power_w[p] = (double)NAN;
        energy_add(e, &s); /* nothing measured: not kept */
        s.power_w[0] = -5.0;
        s.power_w[1] = (double)INFINITY;
        energy_add(e, &s);
        energy_info(e, &info);
        assert_int_equal(info.samples, 0);
        /* only chillers metered, some states unknown */
        for (size_t t = 0; t < 60; t++) {
                state_at(&r, t, &s);
                plant(&r, &s, 0.01);
                s.power_w[ENERGY_FANS] = s.power_w[ENERGY_PUMPS] = s.power_w[ENERGY_TOWERS] = (double)NAN;
                s.valve_mean_ratio = (double)NAN;
                if (t % 3 == 0)
                        s.cwst_c = (double)NAN;
                energy_add(e, &s);
        }
        assert_int_equal(energy_fit(e), 1);
        struct energy_estimate est;
        state_at(&r, 10, &s);
        assert_true(energy_predict(e, &s, &est));
        assert_true(isfinite(est.power_w) && est.part_w[ENERGY_TOWERS] > 0.0); /* physics for what is not metered */
        s.heat_w = (double)INFINITY;
        s.fan_ratio_cubed = (double)NAN;
        assert_true(energy_predict(e, &s, &est));
        assert_true(isfinite(est.power_w) && isfinite(est.std_w) && isfinite(est.distance));
        assert_true(est.part_w[ENERGY_CHILLERS] == 0.0);
        free(e);
}

/* What the model says a third chiller costs, W. */
static double third_chiller_w(const struct energy *e)
{
        struct energy_sample s;
        struct energy_estimate two, three;
        struct rng r;

        rng_seed(&r, 1, 1);
        state_at(&r, 100, &s);
        assert_true(energy_predict(e, &s, &two));
        s.chillers_on = 3.0;
        assert_true(energy_predict(e, &s, &three));
        return three.power_w - two.power_w;
}

/* Switching one on and off again: what the one promises the other must cost, whichever count ran last. */
static void test_each_number_of_chillers_has_its_own_fit(void **state)
{
        (void)state;
        struct energy *e = make(8);
        struct energy_sample s;
        struct rng r;
        double with[2], truth;

        rng_seed(&r, seed, 8);
        for (size_t t = 0; t < 4 * DAY; t++) {
                state_at(&r, t, &s);
                s.chillers_on = t < 2 * DAY ? 2.0 : t == 2 * DAY ? 2.4 : 3.0;
                plant(&r, &s, 0.01);
                energy_add(e, &s);
        }
        rng_seed(&r, 1, 1);
        state_at(&r, 100, &s);
        plant(&r, &s, 0.0);
        truth = -s.power_w[ENERGY_CHILLERS] - s.power_w[ENERGY_PUMPS];
        s.chillers_on = 3.0;
        plant(&r, &s, 0.0);
        truth += s.power_w[ENERGY_CHILLERS] + s.power_w[ENERGY_PUMPS];

        assert_int_equal(energy_fit(e), 4);
        with[1] = third_chiller_w(e);
        state_at(&r, 0, &s);
        plant(&r, &s, 0.01);
        energy_add(e, &s); /* two run again */
        assert_int_equal(energy_fit(e), 4);
        with[0] = third_chiller_w(e);
        printf("a third chiller: %.0f W, said with two running %.0f, with three %.0f\n", truth, with[0], with[1]);
        assert_true(fabs(with[0] - with[1]) < 200.0);
        assert_true(fabs(with[0] - truth) < 0.25 * truth);
        for (int k = 0; k < 2; k++) {
                s.chillers_on = 2.5;
                plant(&r, &s, 0.01);
                s.chillers_on = k ? (double)NAN : 2.5; /* switched within the step, or unknown: neither */
                energy_add(e, &s);
                assert_int_equal(energy_fit(e), 4);
                assert_true(fabs(third_chiller_w(e) - with[0]) < 200.0);
        }
        free(e);
}

static void test_no_chiller_no_chiller_power(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 6);
        struct energy *e = make(6);
        feed(e, &r, 0, 50, 0.01);
        (void)energy_fit(e);
        struct energy_sample s;
        state_at(&r, 5, &s);
        s.chillers_on = 0.0;
        struct energy_estimate est;
        assert_true(energy_predict(e, &s, &est));
        assert_true(est.part_w[ENERGY_CHILLERS] == 0.0);
        free(e);
}

static void test_ring_keeps_the_newest(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 7);
        struct energy *e = make(7);
        feed(e, &r, 0, ENERGY_SAMPLES + 500, 0.01);
        struct energy_info info;
        energy_info(e, &info);
        assert_int_equal(info.samples, ENERGY_SAMPLES);
        free(e);
}

static void test_save_and_load(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 8);
        struct energy *a = make(8), *b = make(99);
        feed(a, &r, 0, DAY, 0.01);
        (void)energy_fit(a);
        size_t len = energy_save(a, NULL, 0);
        unsigned char *buf = malloc(len);
        assert_int_equal(energy_save(a, buf, len), len);
        for (size_t k = 0; k < len; k += 7) {
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
                assert_int_equal(energy_load(b, buf, len), -EINVAL);
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
        }
        assert_int_equal(energy_load(b, buf, len - 1), -EINVAL);
        struct energy_sample s;
        struct energy_estimate ea, eb;
        state_at(&r, 3, &s);
        assert_false(energy_predict(b, &s, &eb));
        assert_int_equal(energy_load(b, buf, len), 0);
        assert_true(energy_predict(a, &s, &ea));
        assert_true(energy_predict(b, &s, &eb));
        assert_memory_equal(&ea, &eb, sizeof(ea));
        /* both go on alike */
        struct rng r2 = r;
        feed(a, &r, DAY, DAY + 50, 0.01);
        feed(b, &r2, DAY, DAY + 50, 0.01);
        (void)energy_fit(a);
        (void)energy_fit(b);
        assert_true(energy_predict(a, &s, &ea));
        assert_true(energy_predict(b, &s, &eb));
        assert_memory_equal(&ea, &eb, sizeof(ea));

        void *mem = aligned_alloc(16, energy_memsize());
        struct energy *other = NULL;
        assert_int_equal(energy_create(mem, energy_memsize(), 1, 2.0 * CAPACITY_W, &other), 0);
        assert_int_equal(energy_load(other, buf, len), -EINVAL);
        assert_int_equal(energy_create(mem, energy_memsize() - 1, 1, 1.0, &other), -EINVAL);
        assert_int_equal(energy_create(mem, energy_memsize(), 1, 0.0, &other), -EINVAL);
        assert_int_equal(energy_create(mem, energy_memsize(), 1, (double)NAN, &other), -EINVAL);
        free(mem);
        free(buf);
        free(a);
        free(b);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_learns_a_foreign_plant),
            cmocka_unit_test(test_slopes_of_a_plant_unlike_the_priors),
            cmocka_unit_test(test_little_data_degrades_to_physics),
            cmocka_unit_test(test_nothing_before_enough_data),
            cmocka_unit_test(test_distance_and_spread_grow_outside),
            cmocka_unit_test(test_missing_and_absurd_values),
            cmocka_unit_test(test_no_chiller_no_chiller_power),
            cmocka_unit_test(test_each_number_of_chillers_has_its_own_fit),
            cmocka_unit_test(test_ring_keeps_the_newest),
            cmocka_unit_test(test_save_and_load),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
