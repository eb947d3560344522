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

#include "agent/base/clock.h"
#include "agent/points/quality.h"

static struct point points[2];
static struct ptable *table;

static int setup(void **state)
{
        (void)state;
        for (int i = 0; i < 2; i++) {
                points[i] = (struct point){.scale = 1};
                points[i].max_rate = points[i].valid_min = points[i].valid_max = (double)NAN;
                points[i].stale_after_ms = 30000;
                points[i].readable = true;
        }
        return ptable_create(points, 2, &table);
}

static int teardown(void **state)
{
        (void)state;
        table = ptable_free(table);
        return 0;
}

static struct sample put(int64_t t_ms, double v)
{
        struct sample s = {.point = 0, .quality = QUALITY_GOOD, .t_ms = t_ms, .value = v, .raw = v};
        ptable_update(table, &s, t_ms);
        return s;
}

static void is(struct sample s, enum quality q, enum quality_reason r)
{
        assert_string_equal(quality_reason_str((enum quality_reason)s.reason), quality_reason_str(r));
        assert_int_equal(s.quality, q);
}

static void test_before_any_reading(void **state)
{
        (void)state;
        struct sample s = ptable_get(table, 1, 0);
        is(s, QUALITY_BAD, QR_NOT_YET);
        assert_true(s.point == 1 && isnan(s.value));
        is(ptable_get(table, 1, 999999), QUALITY_BAD, QR_NOT_YET);
}

static void r17_stale(void **state)
{
        (void)state;
        struct sample s;
        put(1000, 21);
        is(ptable_get(table, 0, 1000), QUALITY_GOOD, QR_NONE);
        is(ptable_get(table, 0, 31000), QUALITY_GOOD, QR_NONE);
        is(ptable_get(table, 0, 31001), QUALITY_BAD, QR_STALE);
        /* an old source time does not become fresh by arriving */
        s = (struct sample){.point = 0, .quality = QUALITY_GOOD, .t_ms = 2000, .value = 22, .raw = 22};
        ptable_update(table, &s, 32001);
        is(s, QUALITY_BAD, QR_STALE);
        s = (struct sample){.point = 0, .quality = QUALITY_GOOD, .t_ms = 200000, .value = 22, .raw = 22};
        ptable_update(table, &s, 100000); /* a clock 100 s ahead */
        is(s, QUALITY_BAD, QR_STALE);
        points[0].stale_after_ms = 0; /* not set */
        put(300000, 5);
        is(ptable_get(table, 0, 900000000), QUALITY_GOOD, QR_NONE);
}

/* Silence is said once, and again after each further stale_after; failed polls are samples and no silence. */
static void test_silence_is_recorded_once_a_period(void **state)
{
        (void)state;
        struct sample s, bad = {.point = 0, .quality = QUALITY_BAD, .reason = QR_COMM_FAIL, .value = (double)NAN};
        put(100000, 20);
        assert_false(ptable_turned_stale(table, 0, 130000, &s));
        assert_true(ptable_turned_stale(table, 0, 131000, &s));
        is(s, QUALITY_BAD, QR_STALE);
        assert_int_equal(s.t_ms, 130001); /* when it happened, not when it was seen */
        assert_true(s.point == 0 && isnan(s.value) && isnan(s.raw));
        assert_false(ptable_turned_stale(table, 0, 131000, &s));
        assert_false(ptable_turned_stale(table, 0, 160000, &s));
        assert_true(ptable_turned_stale(table, 0, 255000, &s)); /* slept: one, not four */
        assert_int_equal(s.t_ms, 250001);
        assert_false(ptable_turned_stale(table, 0, 256000, &s));
        s = put(260000, 21);
        assert_int_equal(s.quality, QUALITY_GOOD);
        assert_false(ptable_turned_stale(table, 0, 290000, &s));
        assert_true(ptable_turned_stale(table, 0, 291000, &s));
        struct sample late = {.point = 0, .quality = QUALITY_GOOD, .t_ms = 280000, .value = 22, .raw = 22};
        ptable_update(table, &late, 295000); /* on its way when silence was said: current all the same */
        assert_true(fabs(ptable_get(table, 0, 295000).value - 22) < 1e-9);
        for (int64_t t = 300000; t < 600000; t += 10000) {
                bad.t_ms = t;
                ptable_update(table, &bad, t);
                assert_false(ptable_turned_stale(table, 0, t, &s));
        }
        /* never heard of: from the first look on */
        assert_false(ptable_turned_stale(table, 1, 600000, &s));
        assert_false(ptable_turned_stale(table, 1, 630000, &s));
        assert_true(ptable_turned_stale(table, 1, 630001, &s));
        assert_false(ptable_turned_stale(table, 1, 660000, &s));
        points[1].readable = false;
        assert_false(ptable_turned_stale(table, 1, 700000, &s));
        points[1].readable = true;
        points[1].device = -1;
        assert_false(ptable_turned_stale(table, 1, 700000, &s));
}

static void r16_rate(void **state)
{
        (void)state;
        points[0].max_rate = 0.5; /* per second */
        is(put(0, 20), QUALITY_GOOD, QR_NONE);
        is(put(10000, 25), QUALITY_GOOD, QR_NONE);    /* exactly 0.5/s */
        is(put(20000, 30.001), QUALITY_BAD, QR_RATE); /* just above */
        is(put(30000, 25.5), QUALITY_GOOD, QR_NONE);  /* back where it was: that one was the glitch */
        is(put(40000, 80), QUALITY_BAD, QR_RATE);
        is(put(50000, 81), QUALITY_GOOD, QR_NONE);        /* confirmed: the level is real */
        is(put(60000, 81 - 5.001), QUALITY_BAD, QR_RATE); /* downward too */
        is(ptable_get(table, 0, 60000), QUALITY_BAD, QR_RATE);
}

static void r16_stuck(void **state)
{
        (void)state;
        points[0].frozen_after_ms = 60000;
        is(put(0, 20), QUALITY_GOOD, QR_NONE);
        is(put(59999, 20), QUALITY_GOOD, QR_NONE);
        is(put(60000, 20), QUALITY_BAD, QR_STUCK);
        is(put(70000, 20), QUALITY_BAD, QR_STUCK);
        is(put(80000, 20.1), QUALITY_GOOD, QR_NONE);
        is(put(139999, 20.1), QUALITY_GOOD, QR_NONE);
        is(put(140000, 20.1), QUALITY_BAD, QR_STUCK);

        points[0].writable = true; /* a setpoint is meant to rest */
        is(put(500000, 20.1), QUALITY_GOOD, QR_NONE);
        points[0].writable = false;
        points[0].frozen_after_ms = 0; /* not set: never stuck */
        is(put(9000000, 20.1), QUALITY_GOOD, QR_NONE);
}

/* Quality gets worse, never better; nothing is repaired. */
static void test_never_better(void **state)
{
        (void)state;
        struct sample s = {
            .point = 0, .quality = QUALITY_BAD, .reason = QR_SENTINEL, .t_ms = 5000, .value = 255, .raw = 255};
        ptable_update(table, &s, 5000);
        is(s, QUALITY_BAD, QR_SENTINEL);
        is(ptable_get(table, 0, 5000), QUALITY_BAD, QR_SENTINEL);
        assert_true(ptable_get(table, 0, 5000).value == 255);
        s = (struct sample){.point = 0, .quality = QUALITY_UNCERTAIN, .reason = QR_SOURCE, .t_ms = 6000, .value = 20};
        ptable_update(table, &s, 6000);
        is(ptable_get(table, 0, 6000), QUALITY_UNCERTAIN, QR_SOURCE);
        s = (struct sample){
            .point = 0, .quality = QUALITY_GOOD, .t_ms = 7000, .value = (double)NAN, .raw = (double)NAN};
        ptable_update(table, &s, 7000);
        is(s, QUALITY_BAD, QR_NAN);
        s = (struct sample){
            .point = 0, .quality = QUALITY_BAD, .reason = QR_COMM_FAIL, .t_ms = 8000, .value = (double)NAN};
        ptable_update(table, &s, 8000);
        is(ptable_get(table, 0, 8000), QUALITY_BAD, QR_COMM_FAIL);
        s = (struct sample){.point = 99, .quality = QUALITY_GOOD, .t_ms = 8000, .value = 1};
        ptable_update(table, &s, 8000); /* not ours: ignored */
}

/* A message that arrives late is judged by itself but does not replace a newer one. */
static void test_out_of_order(void **state)
{
        (void)state;
        points[0].max_rate = 0.1;
        put(10000, 20);
        struct sample s = {.point = 0, .quality = QUALITY_GOOD, .t_ms = 9000, .value = 40, .raw = 40};
        ptable_update(table, &s, 10000);
        assert_true(ptable_get(table, 0, 10000).value == 20);
        is(put(11000, 20.05), QUALITY_GOOD, QR_NONE); /* and does not disturb the rate rule */
}

/* A sample too far ahead says nothing: it does not become current, and right ones go on counting. */
static void t1_a_sample_from_the_future_is_refused(void **state)
{
        (void)state;
        put(100000, 20);
        struct sample s = {.point = 0, .quality = QUALITY_GOOD, .t_ms = 100000 + SAMPLE_AHEAD_MS + 1, .value = 9};
        ptable_update(table, &s, 100000);
        is(s, QUALITY_BAD, QR_STALE);
        assert_true(ptable_get(table, 0, 100000).value == 20);
        is(put(105000, 21), QUALITY_GOOD, QR_NONE);
        assert_true(ptable_get(table, 0, 105000).value == 21);
        points[0].stale_after_ms = 0; /* refused also where nothing grows stale */
        s.quality = QUALITY_GOOD;
        s.t_ms = 105000 + SAMPLE_AHEAD_MS + 1;
        ptable_update(table, &s, 105000);
        is(s, QUALITY_BAD, QR_STALE);
        assert_true(ptable_get(table, 0, 105000).value == 21);
        points[0].stale_after_ms = 30000;
        /* within the bound it counts, but a clock that is set right then is believed at once */
        s = (struct sample){.point = 0, .quality = QUALITY_GOOD, .t_ms = 105000 + SAMPLE_AHEAD_MS, .value = 22};
        ptable_update(table, &s, 105000);
        assert_true(ptable_get(table, 0, 105000).value == 22);
        is(put(106000, 23), QUALITY_GOOD, QR_NONE);
        assert_true(ptable_get(table, 0, 106000).value == 23);
}

/* The table behind the clock: a scan each 5 s, the wall clock set back and forth, every reading current and fresh. */
static int64_t mono_us, wall_us;

static int64_t now_us(bool wall)
{
        return wall ? wall_us : mono_us;
}

static void t1_a_set_wall_clock_does_not_blind_the_table(void **state)
{
        (void)state;
        static const int64_t step_s[] = {-1, -30, -61, -3600, -86400, 30, 61, 3600, 100000000};
        struct clk c;

        mono_us = 0;
        wall_us = INT64_C(1795308175000000);
        clk_init_from(&c, 1.0, -1, 0, now_us);
        for (size_t k = 0; k < sizeof(step_s) / sizeof(step_s[0]); k++) {
                wall_us += step_s[k] * 1000000;
                (void)clk_follow(&c);
                for (int i = 0; i < 30; i++) {
                        mono_us += 5000000;
                        wall_us += 5000000;
                        (void)clk_follow(&c);
                        is(put(clk_t_ms(&c), i), QUALITY_GOOD, QR_NONE);
                        struct sample s = ptable_get(table, 0, clk_t_ms(&c));
                        is(s, QUALITY_GOOD, QR_NONE);
                        assert_true(s.value == i);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_before_any_reading, setup, teardown),
            cmocka_unit_test_setup_teardown(r17_stale, setup, teardown),
            cmocka_unit_test_setup_teardown(test_silence_is_recorded_once_a_period, setup, teardown),
            cmocka_unit_test_setup_teardown(r16_rate, setup, teardown),
            cmocka_unit_test_setup_teardown(r16_stuck, setup, teardown),
            cmocka_unit_test_setup_teardown(test_never_better, setup, teardown),
            cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
            cmocka_unit_test_setup_teardown(t1_a_sample_from_the_future_is_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(t1_a_set_wall_clock_does_not_blind_the_table, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
