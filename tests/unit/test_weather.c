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

#include "sim/weather.h"

#define HOUR_MS INT64_C(3600000)
#define Y2022_MS INT64_C(1640995200000) /* 2022-01-01T00:00Z */

/* Stull 2011, eq. 1: an empirical fit at sea level, within 1 K above 5 % humidity; independent of our equations. */
static double stull_c(double t, double rh)
{
        const double r = 100.0 * rh;

        return t * atan(0.151977 * sqrt(r + 8.313659)) + atan(t + r) - atan(r - 1.676331) +
               0.00391838 * r * sqrt(r) * atan(0.023101 * r) - 4.686035;
}

static void wet_bulb_matches_published_points(void **state)
{
        (void)state;
        for (double t = 0.0; t <= 40.0; t += 5.0)
                for (double rh = 0.2; rh <= 0.96; rh += 0.05)
                        assert_true(fabs(psychro_wetbulb_c(t, rh, 101325.0) - stull_c(t, rh)) < 1.0);
        assert_true(fabs(psychro_wetbulb_c(7.0, 0.61, 100000.0) - 3.92667) < 1e-3); /* PsychroLib's test */
        assert_true(fabs(psychro_wetbulb_c(25.0, 0.5, 101325.0) - 17.9) < 0.1);
        assert_true(fabs(psychro_wetbulb_c(20.0, 1.0, 101325.0) - 20.0) < 1e-6);
        assert_true(fabs(psychro_dewpoint_c(25.0, 0.5) - 13.86) < 0.05);
        assert_true(fabs(psychro_dewpoint_c(20.0, 1.0) - 20.0) < 1e-6);
        assert_true(fabs(psychro_dewpoint_c(0.0, 0.6) - -6.1) < 0.3); /* frost point */
}

static void wet_bulb_lies_between_dew_point_and_dry_bulb(void **state)
{
        (void)state;
        for (double t = -25.0; t <= 48.0; t += 3.7)
                for (double rh = 0.02; rh <= 1.0; rh += 0.07)
                        for (double pa = 75e3; pa <= 105e3; pa += 10e3) {
                                const double wb = psychro_wetbulb_c(t, rh, pa), dp = psychro_dewpoint_c(t, rh);

                                assert_true(wb <= t + 1e-6);
                                assert_true(dp <= wb + 0.02);
                        }
}

static void synthetic_year_is_temperate_seeded_and_continuous(void **state)
{
        struct weather *a = NULL, *b = NULL, *c = NULL;
        double sum = 0.0, lo = 99.0, hi = -99.0;
        int differ = 0;

        (void)state;
        assert_int_equal(weather_synthetic(7, &a), 0);
        assert_int_equal(weather_synthetic(7, &b), 0);
        assert_int_equal(weather_synthetic(8, &c), 0);
        for (int h = 0; h < 8760; h++) {
                struct weather_now x, y, z, next;

                weather_at(a, Y2022_MS + h * HOUR_MS, &x);
                weather_at(b, Y2022_MS + h * HOUR_MS, &y);
                weather_at(c, Y2022_MS + h * HOUR_MS, &z);
                weather_at(a, Y2022_MS + (h + 1) * HOUR_MS, &next);
                assert_memory_equal(&x, &y, sizeof(x));
                differ += x.oat_c != z.oat_c;
                assert_true(x.rh_ratio > 0.0 && x.rh_ratio <= 1.0);
                assert_true(x.wetbulb_c <= x.oat_c + 1e-6 && x.wetbulb_c < 26.0);
                if (h < 8759)
                        assert_true(fabs(next.oat_c - x.oat_c) < 6.0);
                sum += x.oat_c;
                lo = fmin(lo, x.oat_c);
                hi = fmax(hi, x.oat_c);
        }
        assert_true(sum / 8760.0 > 8.5 && sum / 8760.0 < 12.5);
        assert_true(lo > -20.0 && lo < 0.0 && hi > 24.0 && hi < 40.0);
        assert_true(differ > 8000);
        a = weather_free(a);
        b = weather_free(b);
        c = weather_free(c);
}

static void write_file(char *path, const char *suffix, const char *text)
{
        int fd;
        FILE *f;

        (void)sprintf(path, "/tmp/coolplane-weather-XXXXXX%s", suffix);
        fd = mkstemps(path, (int)strlen(suffix));
        assert_true(fd >= 0);
        f = fdopen(fd, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void bad_files_are_named_with_their_line(void **state)
{
        static const struct {
                const char *suffix, *text, *message;
        } bad[] = {
            {".epw", "nonsense\n", ":1: expected an EPW LOCATION"},
            {".epw", "LOCATION,a,b,c,d,e,1,2,99,5\n", ":1: expected an EPW LOCATION"},
            {".epw", "LOCATION,a,b,c,d,e,1,2,-6,5\n\n\n\n\n\n\n\n2016,1,1,1,0,x,nan,-8,68,99832\n", ":9: dry bulb"},
            {".epw", "LOCATION,a,b,c,d,e,1,2,-6,5\n\n\n\n\n\n\n\n2016,1,1,1,0,x,1,-8,68,99832\n",
             ":9: fewer than 8760"},
            {".json", "{\"hourly\": [1,\n2,}", ":2: "},
            {".epw", "LOCATION,a,b,c,d,e,1,2,-6,5\n\n\n", ":3: fewer than 8760"},
            {".epw", "", ".epw: is empty"},
            {".json", "{}", ".json: hourly.time"},
            {".json",
             "{\"utc_offset_seconds\":0,\n\"hourly\":{\"time\":[\"2022-01-01T00:00\"],\n\"temperature_2m\":[1]}}",
             ".json: hourly.temperature_2m must have 8760 values"},
            {".txt", "x", ".txt: expected a name ending in .epw or .json"},
        };
        struct weather *w = NULL;
        char err[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char path[64];

                write_file(path, bad[i].suffix, bad[i].text);
                assert_int_equal(weather_load(path, &w, err), -EINVAL);
                assert_null(w);
                if (strstr(err, bad[i].message) == NULL)
                        fail_msg("case %zu: %s", i, err);
                (void)unlink(path);
        }
        assert_int_equal(weather_load("/nonexistent/x.epw", &w, err), -ENOENT);
        assert_null(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(wet_bulb_matches_published_points),
            cmocka_unit_test(wet_bulb_lies_between_dew_point_and_dry_bulb),
            cmocka_unit_test(synthetic_year_is_temperate_seeded_and_continuous),
            cmocka_unit_test(bad_files_are_named_with_their_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
