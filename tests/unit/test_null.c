/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/drivers/driver.h"

static struct write_outcome got;
static int outcomes;

static void on_outcome(void *ctx, const struct write_outcome *o)
{
        (void)ctx;
        got = *o;
        outcomes++;
}

static void says_what_would_have_been_written(void **state)
{
        (void)state;
        struct point p[2] = {{.type = POINT_UINT16, .scale = 0.1, .min = 10, .max = 30, .writable = true},
                             {.type = POINT_UINT16, .scale = 1}};
        struct site site = {.point = p, .npoint = 2};
        struct null_actuator *n = NULL;
        struct actuator act;
        assert_int_equal(null_actuator_create(&site, (struct write_sink){.done = on_outcome}, &n, &act), 0);

        struct write_request r = {.id = 7, .point = 0, .value = 18.3, .read_back = true};
        assert_int_equal(act.write(act.self, &r), 0);
        assert_int_equal(outcomes, 1);
        assert_int_equal(got.id, 7);
        assert_int_equal(got.result, WRITE_NOT_SENT);
        assert_true(fabs(got.written - 18.3) < 1e-9);
        assert_true(isnan(got.read_back));

        r.value = 30.2; /* what the wire would have refused is refused here too */
        assert_int_equal(act.write(act.self, &r), 0);
        assert_int_equal(got.result, WRITE_REJECTED_INVALID_SETTING);
        assert_true(isnan(got.written));

        r.point = 1;
        assert_int_equal(act.write(act.self, &r), -EINVAL);
        r.point = 2;
        assert_int_equal(act.write(act.self, &r), -EINVAL);
        assert_int_equal(outcomes, 2);
        null_actuator_free(n);
}

static void every_result_has_a_name(void **state)
{
        (void)state;
        assert_string_equal(write_result_str(WRITE_PENDING), "PENDING");
        assert_string_equal(write_result_str(WRITE_REJECTED_BY_SAFETY), "REJECTED_BY_SAFETY");
        assert_string_equal(write_result_str(WRITE_NOT_SENT), "NOT_SENT");
        assert_string_equal(write_result_str((enum write_result)11), "UNKNOWN");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(says_what_would_have_been_written),
            cmocka_unit_test(every_result_has_a_name),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
