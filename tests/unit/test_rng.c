/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "models/num/rng.h"

static uint64_t seed;

/* First outputs of the published demo of pcg32 with seed 42, stream 54 (pcg-c-basic). */
static void test_reference_stream(void **state)
{
        (void)state;
        const uint32_t want[] = {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu};
        struct rng r;
        rng_seed(&r, 42, 54);
        for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
                assert_int_equal(rng_u32(&r), want[i]);
}

static void test_below(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 1);
        size_t count[7] = {0};
        for (int i = 0; i < 70000; i++) {
                uint32_t v = rng_below(&r, 7);
                assert_true(v < 7);
                count[v]++;
        }
        for (size_t i = 0; i < 7; i++)
                assert_true(count[i] > 9400 && count[i] < 10600); /* 6 sigma = 555 */
        for (int i = 0; i < 100; i++)
                assert_int_equal(rng_below(&r, 1), 0);
}

static void test_moments(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 2);
        const int n = 200000;
        double su = 0, sn = 0, sn2 = 0, sn4 = 0, se = 0;
        for (int i = 0; i < n; i++) {
                double u = rng_range(&r, -2.0, 6.0), z = rng_normal(&r), e = rng_exponential(&r, 3.0);
                assert_true(u >= -2.0 && u < 6.0);
                assert_true(isfinite(z) && e >= 0.0);
                su += u;
                sn += z;
                sn2 += z * z;
                sn4 += z * z * z * z;
                se += e;
        }
        assert_true(fabs(su / n - 2.0) < 0.035);
        assert_true(fabs(sn / n) < 0.014);
        assert_true(fabs(sn2 / n - 1.0) < 0.02);
        assert_true(fabs(sn4 / n - 3.0) < 0.15);
        assert_true(fabs(se / n - 3.0) < 0.045);
}

static void test_streams_differ(void **state)
{
        (void)state;
        struct rng a, b, c;
        rng_seed(&a, seed, 1);
        rng_seed(&b, seed, 2);
        rng_seed(&c, seed, 1);
        int same = 0;
        for (int i = 0; i < 1000; i++) {
                uint32_t x = rng_u32(&a);
                same += x == rng_u32(&b);
                assert_int_equal(x, rng_u32(&c));
        }
        assert_true(same < 3);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_reference_stream),
            cmocka_unit_test(test_below),
            cmocka_unit_test(test_moments),
            cmocka_unit_test(test_streams_differ),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
