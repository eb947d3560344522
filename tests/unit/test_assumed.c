/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What rose beyond what certificates counted on, and what did not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/gate/assumed.h"

enum { ND = 2, HORIZON = 4 };

static const double nobody[ND] = {-INFINITY, -INFINITY};

static struct gate_assumed *quiet(size_t steps)
{
        struct gate_assumed *a = NULL;

        assert_int_equal(gate_assumed_create(ND, HORIZON, &a), 0);
        for (size_t k = 0; k < steps; k++)
                assert_int_equal(gate_assumed_step(a, (double[]){10, 20}, (double[]){11, 22}, nobody), -1);
        return a;
}

static void twice_the_rise_and_more_is_told_once(void **state)
{
        struct gate_assumed *a = quiet(9);

        (void)state;
        assert_int_equal(gate_assumed_step(a, (double[]){12, 24}, (double[]){13, 26}, nobody), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){10, 24.1}, (double[]){13, 26}, nobody), 1);
        assert_int_equal(gate_assumed_step(a, (double[]){10, 24.1}, (double[]){13, 26}, nobody), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){10, 20}, (double[]){11, 22}, nobody), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){12.1, 30}, (double[]){13, 40}, nobody), 0);
        gate_assumed_free(a);
}

/* One a step, so that none is lost. */
static void two_at_once_are_told_one_after_the_other(void **state)
{
        struct gate_assumed *a = quiet(9);

        (void)state;
        for (int k = 0; k < 3; k++)
                assert_int_equal(gate_assumed_step(a, (double[]){30, 60}, (double[]){31, 62}, nobody), k < 2 ? k : -1);
        gate_assumed_free(a);
}

/* A slow rise is seen against the oldest decision of the horizon, and against none before. */
static void the_whole_horizon_counts_and_no_more(void **state)
{
        struct gate_assumed *a = quiet(9), *b = quiet(1);

        (void)state;
        for (int k = 1; k <= 3; k++)
                assert_int_equal(
                    gate_assumed_step(a, (double[]){10 + 0.6 * k, 20}, (double[]){11 + 0.6 * k, 22}, nobody), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){12.4, 20}, (double[]){13.4, 22}, nobody), 0);
        for (int k = 1; k <= 20; k++)
                assert_int_equal(
                    gate_assumed_step(b, (double[]){10 + 0.4 * k, 20}, (double[]){11 + 0.4 * k, 22}, nobody), -1);
        gate_assumed_free(a);
        gate_assumed_free(b);
}

static void our_own_doing_is_not(void **state)
{
        struct gate_assumed *a = quiet(9);

        (void)state;
        assert_int_equal(gate_assumed_step(a, (double[]){30, 40}, (double[]){31, 41}, (double[]){INFINITY, 40}), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){30, 40.5}, (double[]){31, 41}, (double[]){INFINITY, 40}), 1);
        gate_assumed_free(a);
}

static void unknown_and_unbounded_and_before_a_gap_is_not(void **state)
{
        struct gate_assumed *a = quiet(9);

        (void)state;
        assert_int_equal(gate_assumed_step(a, (double[]){NAN, 20}, (double[]){50, 20}, nobody), -1);
        for (int k = 0; k < HORIZON; k++)
                assert_int_equal(gate_assumed_step(a, (double[]){10, 20}, (double[]){INFINITY, 20}, nobody), -1);
        assert_int_equal(gate_assumed_step(a, (double[]){1e6, 1e6}, (double[]){1e6, 1e6}, nobody), -1);
        gate_assumed_free(a);
        a = quiet(9);
        gate_assumed_clear(a);
        assert_int_equal(gate_assumed_step(a, (double[]){99, 99}, (double[]){100, 100}, nobody), -1);
        gate_assumed_free(a);
        assert_null(gate_assumed_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(twice_the_rise_and_more_is_told_once),
            cmocka_unit_test(two_at_once_are_told_one_after_the_other),
            cmocka_unit_test(the_whole_horizon_counts_and_no_more),
            cmocka_unit_test(our_own_doing_is_not),
            cmocka_unit_test(unknown_and_unbounded_and_before_a_gap_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
