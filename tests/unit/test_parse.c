/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/parse.h"

static uint64_t seed;

static uint64_t next_u64(uint64_t *s) /* splitmix64 */
{
        uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

static void double_accepts(void **state)
{
        (void)state;
        static const struct {
                const char *s;
                double v;
        } ok[] = {{"0", 0},
                  {"-1.5", -1.5},
                  {"+2", 2},
                  {".5", 0.5},
                  {"5.", 5},
                  {"1e3", 1e3},
                  {"1E-3", 1e-3},
                  {"1e+2", 100},
                  {"0.1", 0.1},
                  {"1e-400", 0},
                  {"00012", 12},
                  {"4.9406564584124654e-324", 0x1p-1074},
                  {"1.7976931348623157e308", 0x1.fffffffffffffp1023}};
        for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
                double v = 77;
                assert_int_equal(parse_double(ok[i].s, &v), 0);
                assert_true(v >= ok[i].v && v <= ok[i].v);
        }
}

static void double_refuses(void **state)
{
        (void)state;
        static const char *bad[] = {"",      " 1",  "1 ",  "nan", "NaN",   "inf", "-inf", "infinity",
                                    "0x10",  "1,5", "1e",  "1e+", ".",     "-",   "+-1",  "1.2.3",
                                    "12abc", "1d3", "--1", "e5",  "1e5.0", "\t1", "1\n",  "1_000"};
        double v = 77;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(parse_double(bad[i], &v), -EINVAL);
        assert_int_equal(parse_double("1e309", &v), -ERANGE);
        assert_int_equal(parse_double("-1e999", &v), -ERANGE);
        assert_true(v >= 77 && v <= 77);

        char huge[600];
        memset(huge, '1', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = '\0';
        assert_int_equal(parse_double(huge, &v), -EINVAL);
        huge[300] = '\0';
        assert_int_equal(parse_double(huge, &v), 0);
}

static void format_is_shortest_and_round_trips(void **state)
{
        (void)state;
        static const struct {
                double v;
                const char *s;
        } pinned[] = {{0.1, "0.1"},
                      {1.0 / 3, "0.3333333333333333"},
                      {18, "18"},
                      {-0.0, "-0"},
                      {1e21, "1e+21"},
                      {0.1 + 0.2, "0.30000000000000004"},
                      {0x1p-1074, "5e-324"},
                      {123456.789, "123456.789"},
                      {(double)NAN, "nan"},
                      {-(double)INFINITY, "-inf"},
                      {(double)INFINITY, "inf"},
                      {0x1.fffffffffffffp1023, "1.7976931348623157e+308"}};
        char buf[32];
        for (size_t i = 0; i < sizeof(pinned) / sizeof(pinned[0]); i++)
                assert_string_equal(format_double(pinned[i].v, buf), pinned[i].s);

        uint64_t s = seed;
        for (int i = 0; i < 100000; i++) {
                uint64_t bits = next_u64(&s);
                double v, back = 0;
                memcpy(&v, &bits, sizeof(v));
                if (!isfinite(v))
                        continue;
                format_double(v, buf);
                assert_true(strlen(buf) < 32);
                assert_int_equal(parse_double(buf, &back), 0);
                assert_memory_equal(&back, &v, sizeof(v));
        }
}

static void locale_does_not_matter(void **state)
{
        (void)state;
        static const char *names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8", "ps_AF.UTF-8"};
        const char *got = NULL;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !got; i++)
                got = setlocale(LC_NUMERIC, names[i]);
        if (!got)
                skip(); /* only the C locale is installed */
        char buf[32];
        double v = 0;
        assert_int_equal(parse_double("1.5", &v), 0);
        assert_string_equal(format_double(v, buf), "1.5");
        assert_int_equal(parse_double("1,5", &v), -EINVAL);
        (void)setlocale(LC_NUMERIC, "C");
}

static void int_both_sides_of_every_bound(void **state)
{
        (void)state;
        int64_t v = 77;
        assert_int_equal(parse_int64("9223372036854775807", INT64_MIN, INT64_MAX, &v), 0);
        assert_true(v == INT64_MAX);
        assert_int_equal(parse_int64("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
        assert_true(v == INT64_MIN);
        assert_int_equal(parse_int64("9223372036854775808", INT64_MIN, INT64_MAX, &v), -ERANGE);
        assert_int_equal(parse_int64("-9223372036854775809", INT64_MIN, INT64_MAX, &v), -ERANGE);
        assert_int_equal(parse_int64("99999999999999999999999", INT64_MIN, INT64_MAX, &v), -ERANGE);
        assert_int_equal(parse_int64("0x7fff", 0, 0x7fff, &v), 0);
        assert_true(v == 0x7fff);
        assert_int_equal(parse_int64("0x8000", 0, 0x7fff, &v), -ERANGE);
        assert_int_equal(parse_int64("-1", 0, 10, &v), -ERANGE);
        assert_int_equal(parse_int64("10", 0, 10, &v), 0);
        assert_int_equal(parse_int64("11", 0, 10, &v), -ERANGE);
        v = 77;
        static const char *bad[] = {"", "-", "0x", " 1", "1 ", "1.0", "1e3", "0b1", "12f", "+-3", "0xg"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(parse_int64(bad[i], INT64_MIN, INT64_MAX, &v), -EINVAL);
        assert_true(v == 77);

        uint64_t s = seed;
        for (int i = 0; i < 10000; i++) {
                int64_t want = (int64_t)(next_u64(&s) >> (i % 64));
                char buf[32];
                (void)snprintf(buf, sizeof(buf), "%" PRId64, want);
                assert_int_equal(parse_int64(buf, INT64_MIN, INT64_MAX, &v), 0);
                assert_true(v == want);
        }
}

static void sizes(void **state)
{
        (void)state;
        static const char *const bad[] = {"", "GiB", "-1", "1 GiB", "1G", "1gib", "1.5GiB", "2GB"};
        int64_t v = 77;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(parse_bytes(bad[i], &v), -EINVAL);
        assert_int_equal(parse_bytes("8388608TiB", &v), -ERANGE);
        assert_true(v == 77);
        assert_int_equal(parse_bytes("512", &v), 0);
        assert_true(v == 512);
        assert_int_equal(parse_bytes("3KiB", &v), 0);
        assert_true(v == 3072);
        assert_int_equal(parse_bytes("2GiB", &v), 0);
        assert_true(v == INT64_C(2147483648));
}

static void durations(void **state)
{
        (void)state;
        static const struct {
                const char *s;
                int64_t ms;
        } ok[] = {{"100ms", 100}, {"5s", 5000}, {"15m", 900000}, {"2h", 7200000}, {"1d", 86400000}, {"0s", 0}};
        int64_t v = 77;
        for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
                assert_int_equal(parse_duration_ms(ok[i].s, &v), 0);
                assert_true(v == ok[i].ms);
        }
        v = 77;
        static const char *bad[] = {"", "5", "s", "-5s", "5 s", "5sec", "1.5s", "0x5s", "5S", "5s "};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(parse_duration_ms(bad[i], &v), -EINVAL);
        assert_int_equal(parse_duration_ms("106751991168d", &v), -ERANGE);
        assert_int_equal(parse_duration_ms("99999999999999999999999999d", &v), -ERANGE);
        assert_true(v == 77);
        assert_int_equal(parse_duration_ms("106751991167d", &v), 0);
}

static void copies(void **state)
{
        (void)state;
        char dst[4] = "xyz";
        assert_int_equal(parse_copy(dst, sizeof(dst), "abcd"), -ENAMETOOLONG);
        assert_string_equal(dst, "xyz");
        assert_int_equal(parse_copy(dst, sizeof(dst), "abc"), 0);
        assert_string_equal(dst, "abc");
        assert_int_equal(parse_copy(dst, 0, ""), -ENAMETOOLONG);
}

static void a_reader_sees_a_dash_for_no_number(void **state)
{
        (void)state;
        char buf[32];
        assert_string_equal(format_or_dash(0.0625, 3, " K", buf), "0.062 K");
        assert_string_equal(format_or_dash(-2, 0, "", buf), "-2");
        assert_string_equal(format_or_dash((double)NAN, 3, " K", buf), "-");
        assert_string_equal(format_or_dash((double)INFINITY, 3, " K", buf), "-");
        assert_int_equal(strlen(format_or_dash(1e300, 3, " K", buf)), 31);
}

int main(void)
{
        const char *e = getenv("COOLPLANE_SEED");
        seed = e ? strtoull(e, NULL, 10) : 20261122;
        (void)printf("seed %" PRIu64 "\n", seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(double_accepts),
            cmocka_unit_test(double_refuses),
            cmocka_unit_test(format_is_shortest_and_round_trips),
            cmocka_unit_test(locale_does_not_matter),
            cmocka_unit_test(int_both_sides_of_every_bound),
            cmocka_unit_test(sizes),
            cmocka_unit_test(durations),
            cmocka_unit_test(copies),
            cmocka_unit_test(a_reader_sees_a_dash_for_no_number),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
