/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/workload.h"

#define STEP_MS INT64_C(300000)

static void write_file(char *path, const char *text)
{
        int fd;
        FILE *f;

        (void)sprintf(path, "/tmp/coolplane-workload-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0);
        f = fdopen(fd, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void traces_interpolate_and_repeat(void **state)
{
        struct workload *w = NULL;
        char path[64], err[256] = "";

        (void)state;
        write_file(path, "vm,t0,t1,t2\na,0,100,50\nb,10,10,10\n");
        assert_int_equal(workload_load(path, &w, err), 0);
        (void)unlink(path);
        assert_int_equal(workload_nvm(w), 2);
        assert_true(fabs(workload_cpu_ratio(w, 0, 0) - 0.0) < 1e-9);
        assert_true(fabs(workload_cpu_ratio(w, 0, STEP_MS / 2) - 0.5) < 1e-4);
        assert_true(fabs(workload_cpu_ratio(w, 0, STEP_MS) - 1.0) < 1e-4);
        assert_true(fabs(workload_cpu_ratio(w, 0, 2 * STEP_MS + STEP_MS / 2) - 0.25) < 1e-4); /* wraps to t0 */
        assert_true(fabs(workload_cpu_ratio(w, 0, 4 * STEP_MS) - 1.0) < 1e-4);
        assert_true(fabs(workload_cpu_ratio(w, 0, -STEP_MS) - 0.5) < 1e-4);
        assert_true(fabs(workload_cpu_ratio(w, 3, 0) - 0.1) < 1e-4); /* trace 1 again */
        w = workload_free(w);
}

static void aggregates_are_ratios_percent_or_scaled_counts(void **state)
{
        static const struct {
                const char *text;
                double at_second;
        } good[] = {
            {"timestamp,cpu_usage,mem\n0,4,1\n300,8,2", 0.08},      /* percent; no newline at the end */
            {"timestamp,cpu_usage,mem\n0,400,1\n300,800,2\n", 0.7}, /* counts: the peak is 0.7 */
            {"timestamp,cpu\n0,0.25\n300,0.5\n", 0.5},
        };
        struct workload *w = NULL;
        char path[64], err[256] = "";

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                write_file(path, good[i].text);
                assert_int_equal(workload_load(path, &w, err), 0);
                (void)unlink(path);
                assert_true(fabs(workload_cpu_ratio(w, 0, STEP_MS) - good[i].at_second) < 1e-4);
                w = workload_free(w);
        }
        write_file(path, ",cpu_load\n1,0.2\n2,0.4\n");
        assert_int_equal(workload_load(path, &w, err), 0);
        (void)unlink(path);
        assert_true(fabs(workload_cpu_ratio(w, 0, INT64_C(3600000)) - 0.4) < 1e-4); /* hours */
        w = workload_free(w);
}

static void bad_files_are_named_with_their_line(void **state)
{
        static const struct {
                const char *text, *message;
        } bad[] = {
            {"", ":1: expected a header"},
            {"vm,t0\n", ":1: no rows"},
            {"vm,t0,t1\na,1,2\nb,1\n", ":3: number of columns"},
            {"vm,t0,t1\na,1,nan\n", ":2: not a number"},
            {"vm,t0,t1\na,1,2\nb,1,101\n", ":3: percent"},
            {"vm,t0,t1\na,1,-1\n", ":2: percent"},
            {"timestamp,v\n0,1\n300,2\n900,3\n", ":4: time stamps are not evenly"},
            {"timestamp,v\n0,1\n0,2\n", "rising time stamps"},
            {"timestamp,v\n0,1\n0.0001,2\n", ":3: expected rising time stamps, 1 s"}, /* 0 ms divided by zero */
            {"timestamp,v\n0,1\n300,-2\n", ":3: negative"},
        };
        struct workload *w = NULL;
        char path[64], err[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                write_file(path, bad[i].text);
                assert_int_equal(workload_load(path, &w, err), -EINVAL);
                assert_null(w);
                if (strstr(err, bad[i].message) == NULL)
                        fail_msg("case %zu: %s", i, err);
                (void)unlink(path);
        }
        assert_int_equal(workload_load("/nonexistent/x.csv", &w, err), -ENOENT);
}

static void synthetic_is_seeded_bounded_and_has_a_day(void **state)
{
        struct workload *a = NULL, *b = NULL, *c = NULL;
        double day = 0.0, night = 0.0, mean = 0.0;
        int differ = 0;

        (void)state;
        assert_int_equal(workload_synthetic(3, 200, &a), 0);
        assert_int_equal(workload_synthetic(3, 200, &b), 0);
        assert_int_equal(workload_synthetic(4, 200, &c), 0);
        assert_int_equal(workload_nvm(a), 200);
        for (size_t vm = 0; vm < 200; vm++) {
                for (int i = 0; i < 288; i++) {
                        const double x = workload_cpu_ratio(a, vm, i * STEP_MS);

                        assert_true(x >= 0.0 && x <= 1.0);
                        assert_true(x == workload_cpu_ratio(b, vm, i * STEP_MS));
                        differ += x != workload_cpu_ratio(c, vm, i * STEP_MS);
                        mean += x / (200.0 * 288.0);
                        day += i >= 156 && i < 204 ? x : 0.0; /* 13-17 h */
                        night += i >= 12 && i < 60 ? x : 0.0; /* 1-5 h */
                }
        }
        assert_true(mean > 0.2 && mean < 0.45);
        assert_true(day > 1.2 * night);
        for (int64_t t_ms = -700000; t_ms < 3 * 86400000;
             t_ms += 7777777) { /* all at once are the same, laps included */
                double all[450];

                workload_cpu_ratios(a, t_ms, 450, all);
                for (size_t vm = 0; vm < 450; vm++)
                        assert_true(all[vm] == workload_cpu_ratio(a, vm, t_ms));
        }
        assert_true(differ > 40000);
        a = workload_free(a);
        b = workload_free(b);
        c = workload_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(traces_interpolate_and_repeat),
            cmocka_unit_test(aggregates_are_ratios_percent_or_scaled_counts),
            cmocka_unit_test(bad_files_are_named_with_their_line),
            cmocka_unit_test(synthetic_is_seeded_bounded_and_has_a_day),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
