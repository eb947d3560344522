/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* How far an energy model carries: none needed where nothing moves, far along a bend, and corrected where the log has
 * been. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/planner/transfer.h"
#include "models/num/rng.h"

#define CAPACITY_W 1e6
#define SAMPLES 1000

static uint64_t seed;

/* A plant whose chillers draw less with warmer chilled water and more with warmer condenser water: `bend` W beside that
 * per squared K of condenser water from 24 °C. */
static struct energy_sample sample_of(struct rng *r, double cwst_c, double bend)
{
        struct energy_sample s = {.fan_ratio_cubed = pow(rng_range(r, 0.4, 0.9), 3),
                                  .heat_w = rng_range(r, 4e5, 6e5),
                                  .chwst_c = rng_range(r, 7, 12),
                                  .cwst_c = cwst_c,
                                  .wetbulb_c = 10,
                                  .chillers_on = 1,
                                  .valve_mean_ratio = 0.6};

        s.power_w[ENERGY_FANS] = 60e3 * s.fan_ratio_cubed;
        s.power_w[ENERGY_CHILLERS] = 0.15 * s.heat_w * (1 - 0.024 * (s.chwst_c - 10) + 0.022 * (cwst_c - 27)) +
                                     bend * (cwst_c - 24) * (cwst_c - 24);
        s.power_w[ENERGY_PUMPS] = s.power_w[ENERGY_TOWERS] = (double)NAN;
        return s;
}

static struct energy *learned(double bend, size_t n)
{
        void *mem = aligned_alloc(16, energy_memsize());
        struct energy *e;
        struct rng r;

        rng_seed(&r, seed, 1);
        assert_int_equal(energy_create(mem, energy_memsize(), 1, CAPACITY_W, &e), 0);
        for (size_t k = 0; k < n; k++) {
                const struct energy_sample s = sample_of(&r, rng_range(&r, 18, 28), bend);

                energy_add(e, &s);
        }
        (void)energy_fit(e);
        return e;
}

static double error(double bend, double cwst_k)
{
        struct energy *e = learned(bend, SAMPLES);
        const struct energy_sample shift = {.cwst_c = cwst_k, .wetbulb_c = (double)NAN};
        double ratio = (double)NAN;

        assert_int_equal(transfer_error(e, &shift, &ratio), 0);
        free(e);
        return ratio;
}

static void test_error(void **state)
{
        const double straight = error(0, -4), bent = error(500, -4), twice = error(500, -8);

        (void)state;
        printf("straight %.4f, bent %.4f, twice as far %.4f\n", straight, bent, twice);
        assert_true(error(500, 0) == 0);
        assert_true(straight >= 0 && straight < 0.01);
        assert_true(bent > 3 * straight && bent < 0.2);
        assert_true(fabs(twice - 2 * bent) < 1e-9);
}

static void test_too_little(void **state)
{
        struct energy *e = learned(0, 119);
        const struct energy_sample shift = {.cwst_c = -4}, untried = {.wetbulb_c = 3},
                                   partly = {.cwst_c = -4, .wetbulb_c = 30};
        double tried = 0;
        double ratio = 7;

        (void)state;
        assert_int_equal(transfer_error(e, &shift, &ratio), -ENODATA);
        assert_true(ratio == 7);
        free(e);
        e = learned(0, 120);
        assert_int_equal(transfer_error(e, &shift, &ratio), 0);
        ratio = 7;
        assert_int_equal(transfer_error(e, &untried, &ratio), -ENODATA); /* nothing of the log lies that way */
        assert_true(ratio == 7);
        assert_int_equal(transfer_error(e, &(struct energy_sample){.cwst_c = -4, .wetbulb_c = (double)NAN}, &tried), 0);
        assert_int_equal(transfer_error(e, &partly, &ratio), 0); /* farther, where nothing was */
        assert_true(ratio > 2 * tried);
        free(e);
}

static void test_correction(void **state)
{
        struct energy *e = learned(500, SAMPLES);
        struct energy_sample ours[200], far[200];
        struct transfer_correction near, none;
        struct energy_estimate est;
        double truth_w = 0, model_w = 0;
        struct rng r;

        (void)state;
        rng_seed(&r, seed, 2);
        for (size_t k = 0; k < 200; k++) {
                ours[k] = sample_of(&r, rng_range(&r, 19, 20), 500);
                far[k] = sample_of(&r, rng_range(&r, 2, 3), 500);
                assert_true(energy_predict(e, &ours[k], &est));
                truth_w += ours[k].power_w[ENERGY_CHILLERS] / 200;
                model_w += est.part_w[ENERGY_CHILLERS] / 200;
        }
        assert_int_equal(transfer_correct(e, ours, 200, &near), 0);
        assert_int_equal(transfer_correct(e, far, 200, &none), 0);
        printf("chillers draw %.0f W, modelled %.0f W, corrected %.0f W\n", truth_w, model_w,
               model_w + near.power_w[ENERGY_CHILLERS]);
        assert_true(fabs(model_w - truth_w) > 1500);
        assert_true(fabs(model_w + near.power_w[ENERGY_CHILLERS] - truth_w) < 0.3 * fabs(model_w - truth_w));
        assert_true(near.support[ENERGY_CHILLERS] > 0.95 && near.support[ENERGY_FANS] > 0.95);
        assert_true(isnan(near.support[ENERGY_PUMPS]));
        assert_true(none.support[ENERGY_CHILLERS] == 0 && none.power_w[ENERGY_CHILLERS] == 0);
        assert_true(none.support[ENERGY_FANS] > 0.95); /* they know nothing of water */
        free(e);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_error),
            cmocka_unit_test(test_too_little),
            cmocka_unit_test(test_correction),
        };

        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
