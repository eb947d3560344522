/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The second checker on its own: both sides of every bound, and its worst case against the model library's. */
#include "tests/unit/test_safety_common.h"

struct bench {
        struct rig r;
        struct verifier *v;
        double act[64];
};

static void open_bench(struct bench *b, struct rig_args a)
{
        rig_open(&b->r, a, 3);
        rig_create(&b->r);
        b->v = b->r.s->verifier;
        memcpy(b->act, b->r.confirmed, b->r.nu * sizeof(double));
}

static bool judge(struct bench *b, size_t j, double value)
{
        double kept = b->act[j];
        bool ok;

        rig_point(&b->r);
        verify_observe(b->v, &b->r.snap);
        b->act[j] = value;
        ok = verify_action(b->v, &b->r.snap, b->act);
        b->act[j] = kept;
        return ok;
}

static void test_continuous_bounds(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        assert_true(judge(&b, 0, 18));
        assert_true(judge(&b, 0, 18.5)); /* rate 0.5 */
        assert_false(judge(&b, 0, 18.6));
        assert_true(judge(&b, 0, 16)); /* more cooling: any distance */
        assert_false(judge(&b, 0, 15.9));
        assert_false(judge(&b, 0, 18.05)); /* off the grid */
        assert_false(judge(&b, 0, (double)NAN));
        assert_false(judge(&b, 0, -(double)INFINITY));
        assert_true(judge(&b, 1, 0.75));
        assert_false(judge(&b, 1, 0.74));
        assert_true(judge(&b, 1, 1));
        assert_false(judge(&b, 1, 1.01));
        b.r.confirmed[0] = 23.8;
        assert_true(judge(&b, 0, 24));
        assert_false(judge(&b, 0, 24.1));
        rig_close(&b.r);
}

static void test_slow_and_water(void **state)
{
        struct bench b;
        size_t w;

        (void)state;
        open_bench(&b, rig_default());
        w = b.r.nu - 3; /* chilled water setpoint, nominal 8, rate 1 */
        assert_true(judge(&b, w, 9));
        assert_false(judge(&b, w, 9.5));
        b.r.snap.no_warmer_water = true;
        assert_false(judge(&b, w, 8.5));
        assert_true(judge(&b, w, 7));
        b.r.snap.no_warmer_water = false;
        b.r.snap.slow_step = false;
        assert_false(judge(&b, w, 8.5));
        assert_true(judge(&b, w, 7.5));
        rig_close(&b.r);
}

static void test_neutral_variable_is_limited_both_ways(void **state)
{
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0].safe_dir = 0;
        rig_create(&b.r);
        b.v = b.r.s->verifier;
        memcpy(b.act, b.r.confirmed, b.r.nu * sizeof(double));
        assert_true(judge(&b, 0, 18.5));
        assert_false(judge(&b, 0, 18.6));
        assert_true(judge(&b, 0, 17.5));
        assert_false(judge(&b, 0, 17.4));
        rig_close(&b.r);
}

static void test_units(void **state)
{
        struct bench b;
        size_t j;

        (void)state;
        open_bench(&b, rig_default());
        j = b.r.nu - 1;
        b.r.snap.mono_s = 1000;
        assert_true(judge(&b, j, 1)); /* first seen on, now; two of three starts are assumed spent */
        assert_false(judge(&b, j, 0.5));
        assert_false(judge(&b, j, 2));
        b.r.snap.mono_s = 1299;
        assert_false(judge(&b, j, 0));
        b.r.snap.mono_s = 1300;
        assert_true(judge(&b, j, 0));
        b.r.snap.cooling_load_w = 100e3 / 1.15 + 1;
        assert_false(judge(&b, j, 0));
        b.r.snap.cooling_load_w = (double)NAN;
        assert_false(judge(&b, j, 0));
        b.r.snap.cooling_load_w = 80e3;
        b.r.status[j - 1] = 0;
        assert_false(judge(&b, j, 0));
        b.r.status[j - 1] = 1;
        b.act[j - 1] = 0; /* both at once */
        assert_false(judge(&b, j, 0));
        b.act[j - 1] = 1;
        b.r.confirmed[j] = 0;
        b.r.status[j] = 0;
        assert_true(judge(&b, j, 0)); /* seen off at 1300 */
        b.r.snap.mono_s = 1899;
        assert_false(judge(&b, j, 1));
        b.r.snap.mono_s = 1900;
        assert_true(judge(&b, j, 1));
        b.r.confirmed[j] = 1; /* on at 1900: the third start */
        assert_true(judge(&b, j, 1));
        b.r.snap.mono_s = 2500;
        assert_false(judge(&b, j, 0)); /* it could not come back */
        b.r.snap.mono_s = 4601;
        assert_true(judge(&b, j, 0));
        rig_close(&b.r);
}

/* Without a read-back the base is the last decision. */
static void test_base_without_read_back(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        b.act[0] = 16.5;
        verify_decided(b.v, b.act);
        b.r.confirmed[0] = (double)NAN;
        assert_true(judge(&b, 0, 17));
        assert_false(judge(&b, 0, 17.1));
        rig_close(&b.r);
}

/* Its one-step worst case is the model library's: the highest limit it refuses and the lowest it passes enclose it. */
static void test_one_step_bound_agrees_with_the_model(void **state)
{
        uint64_t seed = rig_seed();

        (void)state;
        for (uint64_t n = 0; n < 200; n++) {
                struct rig_args a = rig_default();
                struct rig r;
                double y[64], work[4096];
                uint8_t all[64];
                struct verifier *v;
                size_t i;

                a.lags = 1 + n % 3;
                a.sat_rows = n % 2;
                rig_open(&r, a, seed + n);
                for (size_t k = 0; k < RIG_HIST * r.ny; k++)
                        r.wy[k] = rng_range(&r.rng, -5, 40);
                for (size_t k = 0; k < RIG_HIST * r.nd; k++)
                        r.wd[k] = rng_range(&r.rng, -1, 15);
                for (size_t j = 0; j < r.nu; j++)
                        r.confirmed[j] = r.prop[j] =
                            limits_quantise(&r.u[j], rng_range(&r.rng, r.u[j].lo, r.u[j].hi), 0);
                rig_point(&r);
                memset(all, 1, sizeof(all));
                arx_worst(r.model, &r.snap.window, 1, r.prop, r.d_hi, 1, all, work, y);
                i = rng_below(&r.rng, (uint32_t)r.ninlet);
                for (size_t k = 0; k < r.ninlet; k++)
                        r.cert[k].hi = r.cert[k].trip = 1e6;
                for (int side = -1; side <= 1; side += 2) {
                        double act[64];

                        r.cert[i].hi = y[i] + side * 2e-6;
                        for (size_t j = 0; j < r.nu; j++) { /* now and nominal cool more than what is judged */
                                r.u[j].nominal = r.u[j].safe_dir > 0 ? r.u[j].hi : r.u[j].lo;
                                r.u[j].rate = 1000;
                                act[j] = r.prop[j];
                                r.confirmed[j] = r.u[j].nominal;
                        }
                        act[r.nu - 1] = act[r.nu - 2] = 1;
                        rig_create(&r);
                        v = r.s->verifier;
                        r.snap.window.u = r.wu; /* lag 1 comes from act, the older rows stay */
                        verify_observe(v, &r.snap);
                        assert_int_equal(verify_action(v, &r.snap, act), side > 0);
                }
                rig_close(&r);
        }
}

/* A row that is over its limit for certain lets only as much or more cooling through, in its own group. */
static void test_over_the_limit_only_cooler(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        for (size_t k = 0; k < RIG_HIST; k++)
                b.r.wy[k * b.r.ny] = 40;
        b.r.confirmed[0] = b.act[0] = 17; /* cooler than nominal 18 */
        assert_true(judge(&b, 0, 17));
        assert_true(judge(&b, 0, 16.5));
        assert_true(judge(&b, 0, 17.5)); /* still as much cooling as the plant on its own */
        b.r.confirmed[0] = b.act[0] = 18;
        assert_false(judge(&b, 0, 18.1));
        assert_true(judge(&b, 4, 18.4)); /* the other room */
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = (double)NAN;
        assert_false(judge(&b, 0, 18.1)); /* not known is not inside */
        assert_true(judge(&b, 0, 18));
        rig_close(&b.r);
}

/* The shortest window that holds every lag is enough; one row less is not known, so not inside. */
static void test_window_length(void **state)
{
        struct bench b;
        struct rig_args a = rig_default();
        (void)state;
        a.lags = 3;
        open_bench(&b, a);
        for (size_t n = 2; n <= 3; n++) {
                rig_point(&b.r);
                b.r.snap.window =
                    (struct arx_window){n, b.r.wy + (RIG_HIST - n) * b.r.ny, b.r.wu + (RIG_HIST - n) * b.r.nu,
                                        b.r.wd + (RIG_HIST - n) * b.r.nd};
                verify_observe(b.v, &b.r.snap);
                b.act[0] = 18.3; /* warmer than now and than nominal: only a row inside lets it pass */
                assert_int_equal(verify_action(b.v, &b.r.snap, b.act), n == 3);
        }
        rig_close(&b.r);
}

/* A neutral variable of a row over its limit may stay or go toward nominal, nowhere else. */
static void test_neutral_over_the_limit(void **state)
{
        struct bench b;
        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0].safe_dir = 0;
        b.r.u[0].rate = 2;
        rig_create(&b.r);
        b.v = b.r.s->verifier;
        memcpy(b.act, b.r.confirmed, b.r.nu * sizeof(double));
        b.r.confirmed[0] = 19; /* nominal 18, step 0.1 */
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        assert_true(judge(&b, 0, 19));
        assert_true(judge(&b, 0, 18.5));
        assert_true(judge(&b, 0, 18));
        assert_false(judge(&b, 0, 17.5));
        assert_false(judge(&b, 0, 19.5));
        rig_close(&b.r);
}

static void test_fixed_and_driven(void **state)
{
        struct bench b;
        struct rig_args a = rig_default();
        uint8_t fixed[16] = {0};
        size_t w;

        (void)state;
        a.sat_rows = true;
        rig_open(&b.r, a, 3);
        w = b.r.nu - 3;
        b.r.u[w].hi = 40;
        b.r.u[w].rate = 30;
        b.r.u[w].drives_d = SAFETY_DRIVES(2);
        b.r.cert[1].row = b.r.ninlet; /* a supply air temperature, 17 °C with water at 10 */
        b.r.cert[1].hi = 19;
        rig_create(&b.r);
        b.v = b.r.s->verifier;
        memcpy(b.act, b.r.confirmed, b.r.nu * sizeof(double));
        assert_false(judge(&b, w, 38));
        assert_true(judge(&b, w, 12));
        b.r.snap.u_fixed = fixed;
        fixed[0] = 1;
        b.r.confirmed[0] = b.act[0] = 18.37;
        assert_true(judge(&b, 0, 18.37));
        assert_false(judge(&b, 0, 18.3)); /* not even toward more cooling */
        assert_false(judge(&b, 0, 16));
        fixed[b.r.nu - 1] = 1;
        assert_true(judge(&b, b.r.nu - 1, 1));
        b.r.snap.mono_s += 4000;
        b.r.snap.cooling_load_w = 0;
        assert_false(judge(&b, b.r.nu - 1, 0));
        fixed[b.r.nu - 1] = 0;
        assert_true(judge(&b, b.r.nu - 1, 0));
        rig_close(&b.r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_continuous_bounds),
            cmocka_unit_test(test_slow_and_water),
            cmocka_unit_test(test_neutral_variable_is_limited_both_ways),
            cmocka_unit_test(test_units),
            cmocka_unit_test(test_fixed_and_driven),
            cmocka_unit_test(test_base_without_read_back),
            cmocka_unit_test(test_one_step_bound_agrees_with_the_model),
            cmocka_unit_test(test_over_the_limit_only_cooler),
            cmocka_unit_test(test_window_length),
            cmocka_unit_test(test_neutral_over_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
