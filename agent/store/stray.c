/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rows of a wrong clock at either end of a log. Both tables have an index on time: every question is a seek, but for
 * the count of a group that stands apart. */
#include "agent/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
#define APART_MOST_MS (366 * DAY_MS)
#define APART_LEAST_MS (30 * DAY_MS)
#define APART_LENGTHS 30

struct log {
        struct store *s;
        const char *table;
        int64_t from_ms, to_ms, few; /* few: so many rows may stand apart at either end */
        int64_t apart_ms;            /* so far, at least */
        int64_t nearest_ms;          /* how near the rows left out come to the others */
};

/* The first or last time with from ≤ t < to: 1, 0 when there is none, -errno. */
static int seek(const struct log *l, int64_t from_ms, int64_t to_ms, bool last, int64_t *ret)
{
        char sql[192];
        int64_t t;
        int r;

        (void)snprintf(sql, sizeof sql,
                       "SELECT t_ms FROM %s WHERE t_ms >= %" PRId64 " AND t_ms < %" PRId64 " ORDER BY t_ms %s LIMIT 1",
                       l->table, from_ms, to_ms, last ? "DESC" : "");
        r = store_get_int(l->s, sql, INT64_MAX, &t); /* INT64_MAX < to_ms never */
        if (r == 0 && t < INT64_MAX)
                *ret = t;
        return r < 0 ? r : t < INT64_MAX;
}

/* The time of the few-th row from either end, counted from 0; none: t_ms stays. */
static int rank(const struct log *l, bool back, int64_t *t_ms)
{
        char sql[128];

        (void)snprintf(sql, sizeof sql, "SELECT t_ms FROM %s ORDER BY t_ms %s LIMIT 1 OFFSET %" PRId64, l->table,
                       back ? "DESC" : "", l->few);
        return store_get_int(l->s, sql, *t_ms, t_ms);
}

/* A year or, where the log without the few of either end is shorter than a twelfth of that, 30 times as long. */
static int find_apart(struct log *l, int64_t all)
{
        int64_t first_ms = 0, last_ms = 0;
        int r;

        l->apart_ms = APART_MOST_MS;
        if (all < 200)
                return 0;
        r = rank(l, false, &first_ms);
        if (r == 0)
                r = rank(l, true, &last_ms);
        if (r == 0 && last_ms >= first_ms && last_ms - first_ms < APART_MOST_MS / APART_LENGTHS)
                l->apart_ms = (last_ms - first_ms) * APART_LENGTHS;
        if (l->apart_ms < APART_LEAST_MS)
                l->apart_ms = APART_LEAST_MS;
        return r;
}

/* Counts no further than few + 1. */
static int are_few(const struct log *l, int64_t from_ms, int64_t to_ms, bool *ret)
{
        char sql[192];
        int64_t n = 0;
        int r;

        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM (SELECT 1 FROM %s WHERE t_ms >= %" PRId64 " AND t_ms < %" PRId64
                       " LIMIT %" PRId64 ")",
                       l->table, from_ms, to_ms, l->few + 1);
        r = store_get_int(l->s, sql, 0, &n);
        if (r == 0)
                *ret = n <= l->few;
        return r;
}

static int64_t plus(int64_t t_ms, int64_t d_ms)
{
        return d_ms > 0 && t_ms > INT64_MAX - d_ms   ? INT64_MAX
               : d_ms < 0 && t_ms < INT64_MIN - d_ms ? INT64_MIN
                                                     : t_ms + d_ms;
}

static void note_nearest(struct log *l, int64_t before_ms, int64_t after_ms)
{
        const int64_t far = plus(before_ms, APART_MOST_MS) < after_ms ? APART_MOST_MS + 1 : after_ms - before_ms;

        if (far < l->nearest_ms)
                l->nearest_ms = far;
}

/* Group by group from one end, as long as all that was passed are few. */
static int strip(struct log *l, bool back)
{
        const int64_t from_ms = l->from_ms, to_ms = l->to_ms;
        int64_t t = 0, next = 0, near_ms;
        bool few = true;
        int r = seek(l, from_ms, to_ms, back, &t);

        while (r == 1) {
                near_ms = plus(t, back ? -l->apart_ms : l->apart_ms + 1);
                r = back ? seek(l, near_ms > from_ms ? near_ms : from_ms, t, false, &next)
                         : seek(l, t + 1, near_ms < to_ms ? near_ms : to_ms, true, &next);
                if (r == 0) { /* t ends its group */
                        r = back ? seek(l, from_ms, t, true, &next) : seek(l, t + 1, to_ms, false, &next);
                        if (r == 1 && (r = are_few(l, back ? t : from_ms, back ? to_ms : t + 1, &few)) == 0)
                                r = few;
                        if (r == 1)
                                note_nearest(l, back ? next : t, back ? t : next);
                        if (r == 1 && back)
                                l->to_ms = next + 1;
                        else if (r == 1)
                                l->from_ms = next;
                }
                t = next;
        }
        return r;
}

static int on_stray(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct store_stray *to = ctx;

        (void)n;
        (void)name;
        to->rows = strtoll(text[0], NULL, 10);
        to->first_ms = text[1] ? strtoll(text[1], NULL, 10) : 0;
        to->last_ms = text[2] ? strtoll(text[2], NULL, 10) : 0;
        to->points = strtoll(text[3], NULL, 10);
        (void)snprintf(to->point, sizeof to->point, "%s", text[4] ? text[4] : "");
        return 0;
}

static int tell(const struct log *l, bool samples, int64_t from_ms, int64_t to_ms, struct store_stray *ret)
{
        const struct store_param p[] = {{.i = from_ms}, {.i = l->from_ms}, {.i = l->to_ms}, {.i = to_ms}};
        char sql[640];

        (void)snprintf(sql, sizeof sql,
                       "WITH stray(t, p) AS (SELECT t_ms, %s FROM %s WHERE t_ms >= ?1 AND t_ms < ?2 UNION ALL"
                       " SELECT t_ms, %s FROM %s WHERE t_ms >= ?3 AND t_ms < ?4)"
                       " SELECT count(*), min(t), max(t), count(DISTINCT p),"
                       " (SELECT name FROM point WHERE id = (SELECT p FROM stray ORDER BY t, p LIMIT 1)) FROM stray",
                       samples ? "point_id" : "NULL", l->table, samples ? "point_id" : "NULL", l->table);
        return store_query_rows(l->s, sql, p, sizeof p / sizeof *p, on_stray, ret);
}

int store_true_span(struct store *s, enum store_rows rows, int64_t *from_ms, int64_t *to_ms, struct store_stray *ret)
{
        const bool samples = rows == STORE_SAMPLES;
        struct log l = {.s = s,
                        .table = samples ? "sample" : "decision",
                        .from_ms = *from_ms,
                        .to_ms = *to_ms,
                        .nearest_ms = INT64_MAX};
        struct store_stray stray = {0};
        struct store_counts c;
        int64_t all = 0;
        int r = store_counts(s, &c);

        if (r == 0 && !samples) /* their counter knows of no purge, and they are not as many */
                r = store_get_int(s, "SELECT count(*) FROM decision", 0, &all);
        if (r < 0)
                return r;
        if (samples)
                all = c.samples;
        l.few = all < 3 ? 0 : all < 200 ? 1 : all / 100;
        r = find_apart(&l, all);
        if (r == 0 && *from_ms == INT64_MIN)
                r = strip(&l, false);
        if (r == 0 && *to_ms == INT64_MAX)
                r = strip(&l, true);
        if (r == 0 && (l.from_ms != *from_ms || l.to_ms != *to_ms))
                r = tell(&l, samples, *from_ms, *to_ms, &stray);
        if (r < 0)
                return r;
        *from_ms = l.from_ms;
        *to_ms = l.to_ms;
        stray.apart_ms = stray.rows > 0 ? l.nearest_ms : 0;
        *ret = stray;
        return 0;
}
