/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/points/total.h"

static struct total of(size_t known, size_t silent)
{
        struct total t = {0};

        for (size_t i = 0; i < known; i++)
                total_add(&t, 1000);
        for (size_t i = 0; i < silent; i++)
                total_add(&t, i % 2 ? (double)NAN : (double)INFINITY);
        return t;
}

static void test_unknown_is_never_a_smaller_number(void **state)
{
        struct total t;

        (void)state;
        for (size_t all = 1; all <= 60; all++)
                for (size_t silent = 0; silent <= all; silent++) {
                        t = of(all - silent, silent);
                        if (silent < all && (double)silent <= 0.1 * (double)all)
                                assert_true(fabs(total_value(&t) - 1000.0 * (double)all) < 1e-6);
                        else
                                assert_true(isnan(total_value(&t)));
                }
        t = of(9, 1); /* both sides of the bound */
        assert_true(fabs(total_value(&t) - 10000) < 1e-9);
        t = of(8, 1);
        assert_true(isnan(total_value(&t)));
        t = of(0, 0);
        assert_true(isnan(total_value(&t)));
}

static void test_counts_need_every_one(void **state)
{
        struct total t = of(20, 0);

        (void)state;
        assert_true(total_all_known(&t) == 20000);
        t = of(20, 1);
        assert_true(isnan(total_all_known(&t)));
        t = of(0, 0);
        assert_true(isnan(total_all_known(&t)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_unknown_is_never_a_smaller_number),
            cmocka_unit_test(test_counts_need_every_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
