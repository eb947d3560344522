/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/drivers/event.h"

static char told[512];

static void record(void *ctx, int severity, const char *component, const char *text)
{
        assert_ptr_equal(ctx, told);
        (void)snprintf(told, sizeof told, "%d %s: %s", severity, component, text);
}

static void test_an_event_has_its_words(void **state)
{
        const struct event_sink s = {record, told}, nobody = {NULL, NULL};

        (void)state;
        event_tell(&nobody, 4, "x", "%d", 1);
        assert_string_equal(told, "");
        event_tell(&s, 4, "modbus", "%s: %02d", "point", 2);
        assert_string_equal(told, "4 modbus: point: 02");
        event_tell(&s, 5, "modbus", "%0400d", 1); /* cut, not over the end */
        assert_int_equal(strlen(told), strlen("5 modbus: ") + 255);
}

static void test_so_many_a_minute_and_the_rest_is_counted(void **state)
{
        struct event_ration r = {0};
        unsigned over = 9;

        (void)state;
        for (int i = 0; i < 3; i++) { /* also when the clock has just begun */
                assert_true(event_ration_take(&r, 3, 10 + i, &over));
                assert_int_equal(over, 0);
        }
        over = 9;
        for (int i = 0; i < 500; i++)
                assert_false(event_ration_take(&r, 3, 20 + i * 100, &over));
        assert_int_equal(over, 9);
        assert_false(event_ration_take(&r, 3, 60009, &over));
        assert_true(event_ration_take(&r, 3, 60010, &over));
        assert_int_equal(over, 501);
        assert_true(event_ration_take(&r, 3, 60011, &over));
        assert_int_equal(over, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_an_event_has_its_words),
            cmocka_unit_test(test_so_many_a_minute_and_the_rest_is_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
