/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "agent/store/logtime.h"

#define S 1000LL
#define H (3600 * S)

static void test_parse(void **state)
{
        (void)state;
        static const struct {
                const char *pattern, *text;
                int64_t ms;
                bool absolute;
        } ok[] = {
            {"%m/%d/%Y %H:%M", "8/28/2007 0:00", 1188259200 * S, false},
            {"%m/%d/%Y %H:%M", "08/28/2007 21:57", 1188259200 * S + 21 * H + 57 * 60 * S, false},
            {"%Y-%m-%dT%H:%M:%S%z", "2023-11-14T22:13:20Z", 1700000000 * S, true},
            {"%Y-%m-%dT%H:%M:%S%z", "2023-11-14T23:13:20+01:00", 1700000000 * S, true},
            {"%Y-%m-%d %H:%M:%S.%f", "2023-11-14 22:13:20.1239", 1700000000 * S + 123, false},
            {"%d-%b-%y %I:%M:%S %p", "14-Nov-23 10:13:20 PM", 1700000000 * S, false},
            {"%d-%b-%y %I:%M:%S %p", "14-NOV-23 12:13:20 am", 1699920800 * S, false},
            {"%m/%d/%Y %H:%M", "12/31/1999 24:00", 946684800 * S, false},
            {"%m/%d/%Y", "2/29/2000", 951782400 * S, false},
            {"%d.%m.%Y %H:%M", "14.11.2023   22:13", 1699999980 * S, false},
            {"%s", "1700000000.5", 1700000000500, true},
            {"%Q", "1700000000123", 1700000000123, true},
            {"%d-%b-%y %I:%M:%S %p %Z", "14-Nov-23 10:13:20 PM UTC", 1700000000 * S, true},
            {"%Y-%m-%d %H:%M:%S %Z", "2023-11-14 22:13:20 CST", 1700000000 * S, false},
            {"%Y%%%m%%%d", "1970%01%01", 0, false},
        };
        for (size_t i = 0; i < sizeof ok / sizeof ok[0]; i++) {
                struct logtime_text t = {0};
                assert_int_equal(logtime_check_pattern(ok[i].pattern), 0);
                if (logtime_parse(ok[i].pattern, ok[i].text, &t) != 0)
                        fail_msg("%s refused", ok[i].text);
                assert_int_equal(t.wall_ms, ok[i].ms);
                assert_int_equal(t.absolute, ok[i].absolute);
        }
        static const char *const bad[][2] = {{"%m/%d/%Y %H:%M", "8/28/2007"},
                                             {"%m/%d/%Y %H:%M", "8/28/2007 0:00 "},
                                             {"%m/%d/%Y %H:%M", "13/28/2007 0:00"},
                                             {"%m/%d/%Y %H:%M", "2/29/2007 0:00"},
                                             {"%m/%d/%Y %H:%M", "2/0/2007 0:00"},
                                             {"%m/%d/%Y %H:%M", "2/1/2007 25:00"},
                                             {"%m/%d/%Y %H:%M", "2/1/2007 24:01"},
                                             {"%m/%d/%Y %H:%M", "2/1/2007 0:60"},
                                             {"%m/%d/%Y %H:%M", ""},
                                             {"%m/%d/%Y %H:%M", "2/1/2007 -1:00"},
                                             {"%d-%b-%y %I:%M %p", "14-Nov-23 0:13 PM"},
                                             {"%d-%b-%y", "14-Foo-23"},
                                             {"%Y-%m-%dT%H:%M:%S%z", "2023-11-14T22:13:20"},
                                             {"%Y-%m-%d %Z", "2023-11-14 "},
                                             {"%Y-%m-%d %Z", "2023-11-14 EasternTime"},
                                             {"%Y-%m-%d %Z", "2023-11-14 -05"},
                                             {"%s", "nan"},
                                             {"%s", "1e300"},
                                             {"%s", ""},
                                             {"%Y-%m-%dT%H:%M:%S%z", "2023-11-14T22:13:20+15:00"}};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct logtime_text t = {.wall_ms = 42};
                assert_int_equal(logtime_parse(bad[i][0], bad[i][1], &t), -EINVAL);
                assert_int_equal(t.wall_ms, 42);
        }
        static const char *const no_time[] = {"%H:%M",          "%Y-%m-%d %q",       "%Y-%m-%d %",
                                              "%Y-%m-%d %I:%M", /* afternoons would be mornings */
                                              "%Y-%m-%d %p",    "%Y-%m-%d %H:%M %p", "%Y-%m-%d %H %I:%M %p"};
        for (size_t i = 0; i < sizeof no_time / sizeof no_time[0]; i++)
                if (logtime_check_pattern(no_time[i]) != -EINVAL)
                        fail_msg("%s taken", no_time[i]);
}

static void test_zones(void **state)
{
        (void)state;
        struct logtime_zone z;
        int64_t t[2];
        static const struct {
                const char *s;
                int32_t offset_s;
        } fixed[] = {{"UTC", 0}, {"Z", 0}, {"+01:00", 3600}, {"-0630", -23400}};
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(logtime_zone_parse(fixed[i].s, &z), 0);
                assert_true(z.fixed);
                assert_int_equal(z.offset_s, fixed[i].offset_s);
                assert_int_equal(logtime_to_utc(&z, 0, t), 1);
                assert_int_equal(t[0], -fixed[i].offset_s * S);
        }
        static const char *const bad[] = {
            "", "Mars/Base", "/etc/passwd", "../etc/passwd", "+1", "CET-1CEST,M3.5.0,M10.5.0/3:00"};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_int_equal(logtime_zone_parse(bad[i], &z), -EINVAL);
}

struct change {
        const char *zone;
        int64_t utc_s; /* first second with the new offset */
        int32_t before_s, after_s;
};

/* Both transitions in four zones (one of half an hour, one of the southern half of the world). */
static void test_daylight_saving(void **state)
{
        (void)state;
        static const struct change change[] = {
            {"America/Chicago", 1173600000, -21600, -18000},   {"America/Chicago", 1194159600, -18000, -21600},
            {"Europe/Berlin", 1679792400, 3600, 7200},         {"Europe/Berlin", 1698541200, 7200, 3600},
            {"Australia/Sydney", 1680364800, 39600, 36000},    {"Australia/Sydney", 1696089600, 36000, 39600},
            {"Australia/Lord_Howe", 1680361200, 39600, 37800}, {"Australia/Lord_Howe", 1696087800, 37800, 39600}};
        if (setenv("TZ", "Asia/Tokyo", 1) != 0)
                fail();
        for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
                const struct change *c = &change[i];
                struct logtime_zone z;
                if (logtime_zone_parse(c->zone, &z) < 0) {
                        print_message("no tz database here: skipped\n");
                        skip();
                }
                logtime_zone_enter(&z);
                for (int64_t s = -10800; s < 10800; s += 300) {
                        int64_t utc = c->utc_s + s, t[2] = {0};
                        int64_t wall = utc + (s < 0 ? c->before_s : c->after_s);
                        int64_t lost = c->before_s - c->after_s; /* > 0: that long is repeated */
                        int n = logtime_to_utc(&z, wall * S, t);
                        bool twice = lost > 0 && s >= -lost && s < lost;
                        assert_int_equal(n, twice ? 2 : 1);
                        assert_true(t[0] == utc * S || (twice && t[1] == utc * S));
                        if (twice)
                                assert_int_equal(t[1] - t[0], lost * S);
                        if (lost < 0 && s >= 0 && s < -lost) /* the wall times jumped over */
                                assert_int_equal(logtime_to_utc(&z, (utc + c->before_s) * S, t), 0);
                }
                logtime_zone_leave();
        }
        assert_string_equal(getenv("TZ"), "Asia/Tokyo");
        (void)unsetenv("TZ");
}

/* An abbreviation only chooses among the times that the zone allows. */
static void test_abbreviations(void **state)
{
        (void)state;
        struct logtime_zone z;
        struct logtime_text t;
        int64_t utc[2] = {0, 3600000};
        assert_int_equal(logtime_zone_parse("-06:00", &z), 0);
        assert_int_equal(logtime_called(&z, "-06:00", 2, utc), 2);
        assert_int_equal(logtime_called(&z, "CST", 2, utc), 0);
        if (logtime_zone_parse("America/Chicago", &z) < 0) {
                print_message("no tz database here: skipped\n");
                skip();
        }
        logtime_zone_enter(&z);
        assert_int_equal(logtime_parse("%Y-%m-%d %H:%M %Z", "2026-11-01 01:30 CST", &t), 0);
        assert_string_equal(t.abbrev, "CST");
        assert_int_equal(logtime_to_utc(&z, t.wall_ms, utc), 2);
        int64_t second = utc[1];
        assert_int_equal(logtime_called(&z, "cst", 2, utc), 1);
        assert_int_equal(utc[0], second);
        assert_int_equal(logtime_to_utc(&z, t.wall_ms, utc), 2);
        assert_int_equal(logtime_called(&z, "CDT", 2, utc), 1);
        assert_int_equal(utc[0], second - 3600000);
        assert_int_equal(logtime_called(&z, "EST", 1, utc), 0);
        logtime_zone_leave();
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_abbreviations),
                                           cmocka_unit_test(test_zones), cmocka_unit_test(test_daylight_saving)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
