/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rows of a wrong clock at the ends of a log: found, told, and nothing else taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/store/daily.h"
#include "agent/store/store_internal.h"
#include "tests/unit/store_fixture.h"

#define MINUTE INT64_C(60000)
#define DAY (1440 * MINUTE)
#define T0 (20000 * DAY)     /* 2024-10-04 */
#define Y2099 (47117 * DAY)  /* 2099-01-01 */
#define FAR (INT64_MAX - 10) /* whatever a device makes of its clock */

struct log {
        struct fixture *f;
        struct store *s;
        int64_t from_ms, to_ms;
        struct store_stray stray;
};

static void put(struct log *l, uint32_t point, int64_t t_ms, int n)
{
        struct sample *v = calloc((size_t)n + 1, sizeof *v);

        assert_non_null(v);
        for (int i = 0; i < n; i++)
                v[i] = fixture_sample(point, t_ms + i * MINUTE, 20);
        assert_int_equal(store_append_samples(l->s, v, (size_t)n, NULL), 0);
        free(v);
}

/* 300 samples of one point: three may stand apart. */
static struct log *make(int n)
{
        struct log *l = calloc(1, sizeof *l);

        assert_non_null(l);
        l->f = fixture_create();
        assert_int_equal(store_open(l->f->db, STORE_WRITE, &l->s, l->f->err), 0);
        assert_int_equal(store_bind_site(l->s, &l->f->site), 0);
        put(l, 0, T0, n);
        return l;
}

static void end(struct log *l)
{
        store_close(l->s);
        fixture_free(l->f);
        free(l);
}

static int64_t ask(struct log *l, enum store_rows rows, int64_t from_ms, int64_t to_ms)
{
        l->from_ms = from_ms;
        l->to_ms = to_ms;
        assert_int_equal(store_true_span(l->s, rows, &l->from_ms, &l->to_ms, &l->stray), 0);
        return l->stray.rows;
}

static void one_at_either_end(void **state)
{
        struct log *l = make(300);

        (void)state;
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        assert_true(l->from_ms == INT64_MIN && l->to_ms == INT64_MAX);
        put(l, 2, Y2099, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 1);
        assert_true(l->from_ms == INT64_MIN && l->to_ms == T0 + 299 * MINUTE + 1);
        assert_true(l->stray.first_ms == Y2099 && l->stray.last_ms == Y2099);
        assert_string_equal(l->stray.point, "t/room/crah-1/supply");
        put(l, 1, 0, 2);
        put(l, 0, FAR, 1);
        put(l, 0, -FAR, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 5);
        assert_true(l->from_ms == T0 && l->to_ms == T0 + 299 * MINUTE + 1);
        assert_true(l->stray.first_ms == -FAR && l->stray.last_ms == FAR);
        assert_int_equal(l->stray.points, 3);
        assert_string_equal(l->stray.point, "t/room/rack-1/inlet");
        /* an end that was asked for is what was asked for */
        assert_int_equal(ask(l, STORE_SAMPLES, 0, INT64_MAX), 2);
        assert_true(l->from_ms == 0 && l->to_ms == T0 + 299 * MINUTE + 1);
        assert_int_equal(ask(l, STORE_SAMPLES, -FAR, FAR + 1), 0);
        assert_true(l->from_ms == -FAR && l->to_ms == FAR + 1);
        end(l);
}

static void what_is_none(void **state)
{
        struct log *l = make(300);

        (void)state;
        put(l, 0, Y2099, 4); /* more than 1 % */
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        put(l, 0, Y2099 + 400 * DAY, 1); /* … but this one is alone */
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 1);
        end(l);
        l = make(2);
        put(l, 0, Y2099, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 1);
        end(l);
        l = make(1); /* which of two is wrong? */
        put(l, 0, Y2099, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        end(l);
        l = make(0);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        assert_int_equal(ask(l, STORE_DECISIONS, INT64_MIN, INT64_MAX), 0);
        end(l);
}

/* Far from a log of minutes is a month, of days 30 times as long, of more of them a year, as of few rows. */
static void as_far_as_the_log_is_long(void **state)
{
        static const struct {
                int n; /* samples over .. */
                int64_t length_ms, near_ms, far_ms;
        } of[] = {{300, 300 * MINUTE, 30 * DAY, 30 * DAY + 1},
                  {201, 3 * DAY, 88 * DAY, 90 * DAY},
                  {201, 13 * DAY, 366 * DAY, 366 * DAY + 1},
                  {198, 198 * MINUTE, 366 * DAY, 366 * DAY + 1}};

        (void)state;
        for (size_t i = 0; i < 2 * sizeof of / sizeof *of; i++) {
                struct log *l = make(0);
                const bool far = i % 2 != 0;
                const int64_t last_ms = T0 + of[i / 2].length_ms;

                for (int k = 0; k < of[i / 2].n; k++)
                        put(l, 0, T0 + of[i / 2].length_ms * k / (of[i / 2].n - 1), 1);
                put(l, 1, last_ms + (far ? of[i / 2].far_ms : of[i / 2].near_ms), 1);
                if (ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX) != far)
                        fail_msg("%zu: %s", i / 2, far ? "not found" : "found");
                assert_true(l->to_ms == (far ? last_ms + 1 : INT64_MAX));
                assert_true(l->stray.apart_ms == (far ? of[i / 2].far_ms : 0));
                end(l);
        }
}

/* Real logs: days of equal size, 5 to 354 days apart. */
static void separate_days(void **state)
{
        struct log *l = make(1440);

        (void)state;
        put(l, 0, T0 + 354 * DAY, 1440);
        put(l, 0, T0 + 359 * DAY, 1440);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        put(l, 1, T0 + 700 * DAY, 1); /* less than a year after a log of a year */
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 0);
        put(l, 1, T0 - 367 * DAY, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 1);
        end(l);
}

/* Groups that are few each are not few together. */
static void many_that_are_few(void **state)
{
        struct log *l = make(300);

        (void)state;
        for (int k = 0; k < 9; k++)
                put(l, 0, Y2099 + k * 400 * DAY, 1);
        assert_int_equal(ask(l, STORE_SAMPLES, INT64_MIN, INT64_MAX), 3);
        assert_true(l->to_ms == Y2099 + 5 * 400 * DAY + 1);
        end(l);
}

static void decisions_too(void **state)
{
        struct log *l = make(0);

        (void)state;
        assert_int_equal(
            store_exec(l->s, "PRAGMA foreign_keys = OFF;"
                             "WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 49)"
                             " INSERT INTO decision (run_id, step, t_ms, mode, kind, reason, binding, model_hash,"
                             " horizon, binding_y, binding_u, terminal, verified, has_proposal, move)"
                             " SELECT 1, i, CASE i WHEN 7 THEN 0 ELSE 1728000000000 + 30000 * i END, 'SHADOW', 0,"
                             " 0, '', '0000000000000000', 0, 0, 0, 0, 0, 0, '' FROM s"),
            0);
        assert_int_equal(ask(l, STORE_DECISIONS, INT64_MIN, INT64_MAX), 1);
        assert_true(l->from_ms == INT64_C(1728000000000) && l->to_ms == INT64_MAX && l->stray.first_ms == 0);
        assert_int_equal(l->stray.points, 0);
        end(l);
}

static void days_without_them(void **state)
{
        struct log *l = make(2 * 1440);
        const struct daily_args a = {.site = &l->f->site, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
        struct daily *d = NULL;

        (void)state;
        put(l, 1, Y2099, 1);
        put(l, 1, 0, 1);
        assert_int_equal(daily_load(l->s, &a, &d), 0);
        assert_int_equal(d->n, 2);
        assert_int_equal(d->day[0].day, 20000);
        assert_int_equal(d->stray[STORE_SAMPLES].rows, 2);
        assert_int_equal(d->stray[STORE_DECISIONS].rows, 0);
        d = daily_free(d);
        end(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_at_either_end),         cmocka_unit_test(what_is_none),
            cmocka_unit_test(as_far_as_the_log_is_long), cmocka_unit_test(separate_days),
            cmocka_unit_test(many_that_are_few),         cmocka_unit_test(decisions_too),
            cmocka_unit_test(days_without_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
