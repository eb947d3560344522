/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/clock.h"

static int64_t utc_ms(void)
{
        struct timespec ts;
        (void)clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void nap_ms(long ms)
{
        struct timespec ts = {.tv_sec = 0, .tv_nsec = ms * 1000000};
        (void)nanosleep(&ts, NULL);
}

static void real_clock_is_utc(void **state)
{
        (void)state;
        struct clk c;
        clk_init(&c, 1.0, -1, 0);
        int64_t before = utc_ms(), t = clk_t_ms(&c), after = utc_ms();
        assert_true(t >= before - 1 && t <= after + 1); /* two clocks, read one after the other */
        assert_true(clk_mono_ms(&c) >= 0 && clk_mono_ms(&c) < 5000);
}

static void scaled_clock_runs_faster_from_its_origin(void **state)
{
        (void)state;
        struct clk c, d;
        int64_t wall = utc_ms() - 1000;
        clk_init(&c, 360.0, wall, 1000000);
        int64_t t0 = clk_t_ms(&c), m0 = clk_mono_ms(&c), r0 = clk_real_mono_ms();
        assert_true(t0 >= 1000000 + 360000 - 720); /* 1 s of wall time ago; ± the ms of the origin */
        assert_true(t0 <= 1000000 + 360000 + 360 * 4000);
        nap_ms(20);
        int64_t dt = clk_t_ms(&c) - t0, dm = clk_mono_ms(&c) - m0, dr = clk_real_mono_ms() - r0;
        assert_true(dt >= 360 * 19 && dt <= 360 * (dr + 2));
        assert_true(dm >= 360 * 19 && dm <= 360 * (dr + 2));

        /* Two processes with the same scale and origin agree, whenever they started. */
        bool agree = false;
        for (int tries = 0; tries < 10 && !agree; tries++) { /* again if we lost the processor in between */
                clk_init(&d, 360.0, wall, 1000000);
                int64_t before = clk_t_ms(&c), t = clk_t_ms(&d), after = clk_t_ms(&c);
                agree = t >= before - 720 && t <= after + 720;
        }
        assert_true(agree);
}

static void virtual_clock_moves_only_forward(void **state)
{
        (void)state;
        struct clk c;
        clk_init_virtual(&c, 5000);
        assert_true(clk_t_ms(&c) == 5000);
        clk_advance_to(&c, 7000);
        clk_advance_to(&c, 6000);
        assert_true(clk_t_ms(&c) == 7000 && clk_mono_ms(&c) == 7000);
        clk_init(&c, 1.0, -1, 0);
        int64_t t = clk_t_ms(&c);
        clk_advance_to(&c, t + 1000000000);
        assert_true(clk_t_ms(&c) < t + 1000000);
}

/* ---- T1: the wall clock is set ---- */

static int64_t fake_mono_us, fake_wall_us;

static int64_t fake_us(bool wall)
{
        return wall ? fake_wall_us : fake_mono_us;
}

static void pass_ms(int64_t ms)
{
        fake_mono_us += ms * 1000;
        fake_wall_us += ms * 1000;
}

#define T0 INT64_C(1795308175000)
static const int64_t steps_s[] = {1, 3, 59, 61, 3600, 86400, 100000000, 315360000};
#define NSTEPS (sizeof(steps_s) / sizeof(steps_s[0]))

static void start_fake(struct clk *c)
{
        fake_mono_us = 5000000;
        fake_wall_us = T0 * 1000;
        clk_init_from(c, 1.0, -1, 0, fake_us);
        for (int i = 0; i < 10; i++) {
                pass_ms(500);
                assert_true(clk_follow(c) == 0 && clk_ahead_ms(c) == 0);
        }
        assert_true(clk_t_ms(c) == T0 + 5000);
}

static void t1_set_back_time_goes_on_and_is_slewed(void **state)
{
        (void)state;
        struct clk c;
        for (size_t i = 0; i < NSTEPS; i++) {
                start_fake(&c);
                int64_t mono0 = clk_mono_ms(&c), before = clk_t_ms(&c), last = before;
                fake_wall_us -= steps_s[i] * 1000000;
                assert_true(clk_t_ms(&c) == before);
                assert_true(clk_follow(&c) == (steps_s[i] * 1000 >= CLK_STEP_MS ? -steps_s[i] * 1000 : 0));
                assert_true(clk_t_ms(&c) == before && clk_ahead_ms(&c) == steps_s[i] * 1000);
                int64_t need_s = steps_s[i] * 10 + 1, run_s = need_s < 2000 ? need_s : 2000;
                for (int64_t k = 0; k < run_s; k++) { /* never backwards, 10 % slow, told once */
                        pass_ms(1000);
                        int64_t t = clk_t_ms(&c);
                        assert_true(t >= last + 899 && t <= last + 1000);
                        last = t;
                        assert_true(clk_follow(&c) == 0 && clk_t_ms(&c) == t);
                        assert_true(llabs(clk_ahead_ms(&c) - (t - fake_wall_us / 1000)) <= 20);
                }
                assert_true(clk_mono_ms(&c) - mono0 == run_s * 1000);
                if (run_s == need_s)
                        assert_true(clk_ahead_ms(&c) == 0 && llabs(clk_t_ms(&c) - fake_wall_us / 1000) <= 20);
        }
}

static void t1_set_forward_time_jumps_along(void **state)
{
        (void)state;
        struct clk c;
        for (size_t i = 0; i < NSTEPS; i++) {
                start_fake(&c);
                int64_t mono0 = clk_mono_ms(&c), before = clk_t_ms(&c);
                fake_wall_us += steps_s[i] * 1000000;
                if (steps_s[i] * 1000 >= CLK_STEP_MS) {
                        assert_true(clk_follow(&c) == steps_s[i] * 1000);
                        assert_true(clk_t_ms(&c) == before + steps_s[i] * 1000 && clk_ahead_ms(&c) == 0);
                } else { /* small: slewed, 10 % fast */
                        assert_true(clk_follow(&c) == 0 && clk_t_ms(&c) == before && clk_ahead_ms(&c) == -1000);
                        pass_ms(5000);
                        assert_true(clk_t_ms(&c) == before + 5500 && clk_ahead_ms(&c) == -500);
                        pass_ms(60000); /* not beyond it */
                        assert_true(clk_t_ms(&c) == fake_wall_us / 1000);
                }
                assert_true(clk_follow(&c) == 0 && clk_mono_ms(&c) - mono0 < 70000);
        }
}

/* chrony's worst: back and forth, and a program that stood still while it was slewed. */
static void t1_never_backwards_whatever_happens(void **state)
{
        (void)state;
        struct clk c;
        uint32_t r = 1;
        start_fake(&c);
        int64_t last = clk_t_ms(&c);
        for (int i = 0; i < 20000; i++) {
                r = r * 1664525u + 1013904223u;
                if (r >> 28 == 0)
                        fake_wall_us += ((int64_t)(r & 0xffffff) - 0x800000) * 1000;
                pass_ms(r >> 27 == 3 ? 600000 : (r >> 16) % 1000);
                if (r >> 30 != 1)
                        (void)clk_follow(&c);
                int64_t t = clk_t_ms(&c);
                assert_true(t >= last);
                last = t;
        }
}

static void a_simulation_does_not_follow_the_wall_clock(void **state)
{
        (void)state;
        struct clk c;
        fake_mono_us = 5000000;
        fake_wall_us = T0 * 1000;
        clk_init_from(&c, 60.0, T0 - 1000, 1000000, fake_us);
        assert_true(clk_t_ms(&c) == 1060000);
        fake_wall_us -= 3600000000;
        pass_ms(1000);
        assert_true(clk_follow(&c) == 0 && clk_t_ms(&c) == 1120000 && clk_mono_ms(&c) == 60000);
        assert_true(clk_ahead_ms(&c) == 0);
        clk_init_virtual(&c, 5000);
        assert_true(clk_follow(&c) == 0 && clk_ahead_ms(&c) == 0);
}

static void options(void **state)
{
        (void)state;
        double s = 7;
        int64_t w = 7, p = 7;
        assert_int_equal(clk_parse_scale("360", &s), 0);
        assert_true(s >= 360 && s <= 360);
        assert_int_equal(clk_parse_scale("0", &s), -EINVAL);
        assert_int_equal(clk_parse_scale("-1", &s), -EINVAL);
        assert_int_equal(clk_parse_scale("1e7", &s), -EINVAL);
        assert_int_equal(clk_parse_scale("nan", &s), -EINVAL);
        assert_int_equal(clk_parse_origin("1000:2000", &w, &p), 0);
        assert_true(w == 1000 && p == 2000);
        static const char *bad[] = {"",      ":",    "1000", "1:",   ":1",
                                    "1:2:3", "-1:2", "a:b",  "1 :2", "99999999999999999999999999:1"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(clk_parse_origin(bad[i], &w, &p), -EINVAL);
        assert_true(w == 1000 && p == 2000);
}

static void text_time(void **state)
{
        (void)state;
        char buf[32];
        int64_t t = 7;
        assert_string_equal(clk_format(0, buf), "1970-01-01T00:00:00.000Z");
        assert_string_equal(clk_format(-1, buf), "1969-12-31T23:59:59.999Z");
        assert_string_equal(clk_format(951782400000, buf), "2000-02-29T00:00:00.000Z");
        assert_string_equal(clk_format(1795308175123, buf), "2026-11-22T00:42:55.123Z");
        (void)clk_format(INT64_MIN, buf);
        assert_true(strlen(buf) < 32);
        (void)clk_format(INT64_MAX, buf);
        assert_true(strlen(buf) < 32);

        static const struct {
                const char *s;
                int64_t t;
        } ok[] = {{"2026-11-22T00:42:55.123Z", 1795308175123},  {"2026-11-22T01:42:55.1239+01:00", 1795308175123},
                  {"2026-11-21 19:12:55-05:30", 1795308175000}, {"1795308175123", 1795308175123},
                  {"2016-12-31T23:59:60Z", 1483228800000},      {"-5", -5},
                  {"2000-02-29T00:00:00Z", 951782400000},       {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)}};
        for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
                assert_int_equal(clk_parse_time(ok[i].s, &t), 0);
                assert_true(t == ok[i].t);
        }
        t = 7;
        static const char *bad[] = {"",
                                    "2026-11-22T00:42:55",
                                    "2026-11-22",
                                    "2026-02-29T00:00:00Z",
                                    "1900-02-29T00:00:00Z",
                                    "2026-13-01T00:00:00Z",
                                    "2026-00-01T00:00:00Z",
                                    "2026-01-32T00:00:00Z",
                                    "2026-01-01T24:00:00Z",
                                    "2026-01-01T00:60:00Z",
                                    "2026-01-01T00:00:61Z",
                                    "2026-01-01T00:00:00.Z",
                                    "2026-01-01T00:00:00+0100",
                                    "2026-01-01T00:00:00+24:00",
                                    "2026-01-01T00:00:00Zx",
                                    "2026-1-01T00:00:00Z",
                                    "12:30",
                                    "1.5"};
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(clk_parse_time(bad[i], &t), -EINVAL);
        assert_true(t == 7);

        for (int64_t v = -4000000000123; v < 8000000000000; v += 86399999999 / 7) {
                assert_int_equal(clk_parse_time(clk_format(v, buf), &t), 0);
                assert_true(t == v);
        }
}

/* What is stored as an age must not grow with the wall clock alone. */
static void x6_passed_time_is_what_the_machine_ran(void **state)
{
        struct clk c, v;
        struct clk_stamp at;

        (void)state;
        clk_init(&c, 1, -1, 0);
        clk_stamp(&c, &at);
        assert_true(clk_passed_ms(&c, &at) < 5000);
        at.t_ms -= 3600 * 1000; /* the wall clock was set an hour forward */
        assert_true(clk_passed_ms(&c, &at) < 5000);
        at.up_ms -= 60 * 1000; /* and a minute really passed */
        assert_in_range(clk_passed_ms(&c, &at), 60000, 65000);
        at.t_ms += 2 * 3600 * 1000; /* set back */
        assert_int_equal(clk_passed_ms(&c, &at), 0);
        at.t_ms -= 3 * 3600 * 1000;
        at.up_ms += (int64_t)1000 * 3600 * 1000; /* of a boot that lasted longer */
        assert_int_equal(clk_passed_ms(&c, &at), 0);
        clk_init_virtual(&v, 1000000);
        clk_stamp(&v, &at);
        clk_advance_to(&v, 1600000);
        assert_int_equal(clk_passed_ms(&v, &at), 600000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_clock_is_utc),
            cmocka_unit_test(scaled_clock_runs_faster_from_its_origin),
            cmocka_unit_test(virtual_clock_moves_only_forward),
            cmocka_unit_test(t1_set_back_time_goes_on_and_is_slewed),
            cmocka_unit_test(x6_passed_time_is_what_the_machine_ran),
            cmocka_unit_test(t1_set_forward_time_jumps_along),
            cmocka_unit_test(t1_never_backwards_whatever_happens),
            cmocka_unit_test(a_simulation_does_not_follow_the_wall_clock),
            cmocka_unit_test(options),
            cmocka_unit_test(text_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
