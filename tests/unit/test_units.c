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

#include "agent/points/units.h"

static void near(double a, double b)
{
        if (!(fabs(a - b) <= 1e-9 * fmax(1, fabs(b))))
                fail_msg("%.17g != %.17g", a, b);
}

static void test_pinned(void **state)
{
        (void)state;
        near(unit_to_si(UNIT_DEGF, 32), 0);
        near(unit_to_si(UNIT_DEGF, 212), 100);
        near(unit_to_si(UNIT_DEGF, -40), -40);
        near(unit_to_si(UNIT_KELVIN, 273.15), 0);
        near(unit_to_si(UNIT_TON, 1), 3516.8528420667);
        near(unit_to_si(UNIT_GPM, 1000), 0.0630901964);
        near(unit_to_si(UNIT_CFM, 2118.8800032893), 1);
        near(unit_to_si(UNIT_PSI, 14.6959487755134), 101325);
        near(unit_to_si(UNIT_INWC, 1), 249.08891);
        near(unit_to_si(UNIT_BAR, 1), 1e5);
        near(unit_to_si(UNIT_M3H, 3600), 1);
        near(unit_to_si(UNIT_LPS, 1000), 1);
        near(unit_to_si(UNIT_PERCENT, 50), 0.5);
        near(unit_to_si(UNIT_KWH, 1), 3.6e6);
        near(unit_to_si(UNIT_H, 1), 3600);
        near(unit_to_si(UNIT_RPM, 1450), 1450);
}

/* The classic bug: a difference of 9 °F is 5 K, not −12.8 °C. */
static void test_difference_has_no_offset(void **state)
{
        (void)state;
        near(unit_to_si(UNIT_DELTA_F, 9), 5);
        near(unit_to_si(UNIT_DELTA_F, 0), 0);
        near(unit_to_si(UNIT_DELTA_K, 5), 5);
        near(unit_delta_to_si(UNIT_DEGF, 9), 5);
        near(unit_delta_to_si(UNIT_KELVIN, 3), 3);
        near(unit_delta_from_si(UNIT_DEGF, 5), 9);
        near(unit_to_si(UNIT_DEGF, 9), -12.777777777777779);
        for (int u = 0; u < UNIT_COUNT_; u++)
                near(unit_delta_to_si((enum unit)u, 0), 0);
}

static void test_round_trip(void **state)
{
        (void)state;
        const double v[] = {-459.67, -40, -0.1, 0, 1e-6, 0.5, 32, 72.5, 1e6};
        for (int u = 0; u < UNIT_COUNT_; u++) {
                for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                        near(unit_from_si((enum unit)u, unit_to_si((enum unit)u, v[i])), v[i]);
                        near(unit_delta_from_si((enum unit)u, unit_delta_to_si((enum unit)u, v[i])), v[i]);
                        /* a difference of two readings converts like a difference */
                        near(unit_to_si((enum unit)u, v[i] + 3) - unit_to_si((enum unit)u, v[i]),
                             unit_delta_to_si((enum unit)u, v[i] + 3 - v[i]));
                }
                assert_int_equal(unit_from_str(unit_str((enum unit)u)), u);
                assert_non_null(unit_si_str((enum unit)u));
        }
}

static void test_names(void **state)
{
        (void)state;
        assert_int_equal(unit_from_str("°F"), UNIT_DEGF);
        assert_int_equal(unit_from_str("degC"), UNIT_DEGC);
        assert_int_equal(unit_from_str("°C"), UNIT_DEGC);
        assert_int_equal(unit_from_str("K"), UNIT_KELVIN);
        assert_int_equal(unit_from_str("deltaF"), UNIT_DELTA_F);
        assert_int_equal(unit_from_str("%"), UNIT_PERCENT);
        assert_int_equal(unit_from_str(""), UNIT_NONE);
        assert_int_equal(unit_from_str("Deg F"), UNIT_DEGF);
        assert_int_equal(unit_from_str("\xc2\xba"
                                       "C"), /* the ordinal sign that looks like a degree */
                         UNIT_DEGC);
        assert_int_equal(unit_from_str("Tons"), UNIT_TON);
        assert_int_equal(unit_from_str("in WC"), UNIT_INWC);
        assert_int_equal(unit_from_str("degX"), -1);
        assert_int_equal(unit_from_str("KW"), -1); /* units are spelled exactly */
        assert_int_equal(unit_from_str(NULL), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_pinned),
            cmocka_unit_test(test_difference_has_no_offset),
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
