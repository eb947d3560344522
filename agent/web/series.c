/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"

enum { CELLS = 512, WINDOW_MIN_MS = 60000, WINDOW_MAX_MS = 300000, LATE_MS = 120000 };

static const int64_t grid_s[] = {30, 60, 120, 300, 600, 1800};
enum { GRIDS = sizeof grid_s / sizeof grid_s[0] };

struct cell {
        int64_t end_ms; /* 0 = empty */
        double v[SERIES_COLUMNS_];
};

struct acc { /* one point over one row */
        double sum, max, carry;
        uint32_t n;
        bool carried;
};

struct series {
        const struct site *site;
        int64_t window_ms;
        struct acc *acc;        /* [npoint] */
        double *sorted;         /* [npoint] scratch */
        int64_t bucket_from_ms; /* samples before it only carry */
        struct cell cell[GRIDS][CELLS];
};

const char *series_column_str(enum series_column c)
{
        static const char *const name[] = {"inlet_max_c",  "inlet_median_c", "sat_sp_min_c", "sat_sp_mean_c",
                                           "sat_sp_max_c", "fan_mean_ratio", "chwst_sp_c",   "chwst_c",
                                           "cwst_sp_c",    "cwst_c",         "it_w",         "crah_w",
                                           "chiller_w",    "tower_w",        "pump_w"};
        _Static_assert(sizeof name / sizeof name[0] == SERIES_COLUMNS_, "a name for every column");
        return (unsigned)c < SERIES_COLUMNS_ ? name[c] : "?";
}

int64_t series_bucket_s(int64_t hours)
{
        for (size_t i = 0; i < GRIDS; i++)
                if (hours * 3600 / grid_s[i] <= 400)
                        return grid_s[i];
        return grid_s[GRIDS - 1];
}

int series_create(const struct site *site, struct series **ret)
{
        struct series *s = calloc(1, sizeof *s);
        int64_t longest = 0;

        if (!s)
                return -ENOMEM;
        s->acc = calloc(site->npoint + 1, sizeof *s->acc);
        s->sorted = calloc(site->npoint + 1, sizeof *s->sorted);
        if (!s->acc || !s->sorted) {
                series_free(s);
                return -ENOMEM;
        }
        for (size_t i = 0; i < site->ndevice; i++)
                if (site->device[i].period_ms > longest)
                        longest = site->device[i].period_ms;
        s->site = site;
        s->window_ms = 2 * longest < WINDOW_MIN_MS ? WINDOW_MIN_MS : 2 * longest;
        if (s->window_ms > WINDOW_MAX_MS)
                s->window_ms = WINDOW_MAX_MS;
        *ret = s;
        return 0;
}

struct series *series_free(struct series *s)
{
        if (!s)
                return NULL;
        free(s->acc);
        free(s->sorted);
        free(s);
        return NULL;
}

void series_forget(struct series *s)
{
        memset(s->cell, 0, sizeof s->cell);
}

static int add_samples(void *ctx, const struct sample *v, size_t n)
{
        struct series *s = ctx;

        for (size_t i = 0; i < n; i++) {
                struct acc *a = &s->acc[v[i].point];

                if (v[i].quality != QUALITY_GOOD || !isfinite(v[i].value))
                        continue;
                if (v[i].t_ms < s->bucket_from_ms) {
                        a->carry = v[i].value;
                        a->carried = true;
                        continue;
                }
                a->max = a->n == 0 ? v[i].value : fmax(a->max, v[i].value);
                a->sum += v[i].value;
                a->n++;
        }
        return 0;
}

struct group { /* of one role over the site */
        double sum, min, max;
        size_t n;
};

static bool point_value(const struct acc *a, double *ret_mean, double *ret_max)
{
        if (a->n == 0 && !a->carried)
                return false;
        *ret_mean = a->n > 0 ? a->sum / a->n : a->carry;
        *ret_max = a->n > 0 ? a->max : a->carry;
        return true;
}

static struct group group_of(const struct series *s, enum role role)
{
        struct group g = {0, (double)INFINITY, -(double)INFINITY, 0};

        for (size_t i = 0; i < s->site->npoint; i++) {
                double mean, max;

                if (s->site->point[i].role != role || !point_value(&s->acc[i], &mean, &max))
                        continue;
                g.sum += mean;
                g.min = fmin(g.min, mean);
                g.max = fmax(g.max, max);
                g.n++;
        }
        return g;
}

static int ascending(const void *a, const void *b)
{
        double x, y;

        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return (x > y) - (x < y);
}

static double median_of(struct series *s, enum role role)
{
        size_t n = 0;

        for (size_t i = 0; i < s->site->npoint; i++) {
                double mean, max;

                if (s->site->point[i].role == role && point_value(&s->acc[i], &mean, &max))
                        s->sorted[n++] = mean;
        }
        if (n == 0)
                return (double)NAN;
        qsort(s->sorted, n, sizeof *s->sorted, ascending);
        return n % 2 ? s->sorted[n / 2] : (s->sorted[n / 2 - 1] + s->sorted[n / 2]) / 2;
}

static double mean_of(const struct group *g)
{
        return g->n > 0 ? g->sum / (double)g->n : (double)NAN;
}

static void summarise(struct series *s, double *ret)
{
        static const enum role mean_role[] = {[SERIES_FAN_MEAN] = ROLE_FAN_CMD,
                                              [SERIES_CHWST_SP] = ROLE_CHWST_SP,
                                              [SERIES_CHWST] = ROLE_CHWST,
                                              [SERIES_CWST_SP] = ROLE_CWST_SP,
                                              [SERIES_CWST] = ROLE_CWST};
        static const enum role sum_role[] = {[SERIES_IT_W] = ROLE_RACK_POWER,
                                             [SERIES_CRAH_W] = ROLE_CRAH_POWER,
                                             [SERIES_CHILLER_W] = ROLE_CHILLER_POWER,
                                             [SERIES_TOWER_W] = ROLE_TOWER_POWER,
                                             [SERIES_PUMP_W] = ROLE_PUMP_POWER};
        struct group g = group_of(s, ROLE_INLET_TEMP);

        ret[SERIES_INLET_MAX] = g.n > 0 ? g.max : (double)NAN;
        ret[SERIES_INLET_MEDIAN] = median_of(s, ROLE_INLET_TEMP);
        g = group_of(s, ROLE_SAT_SP);
        ret[SERIES_SAT_MIN] = g.n > 0 ? g.min : (double)NAN;
        ret[SERIES_SAT_MEAN] = mean_of(&g);
        ret[SERIES_SAT_MAX] = g.n > 0 ? g.max : (double)NAN;
        for (int c = SERIES_FAN_MEAN; c <= SERIES_CWST; c++) {
                g = group_of(s, mean_role[c]);
                ret[c] = mean_of(&g);
        }
        for (int c = SERIES_IT_W; c <= SERIES_PUMP_W; c++) {
                g = group_of(s, sum_role[c]);
                ret[c] = g.n > 0 ? g.sum : (double)NAN;
        }
}

int series_row(struct series *s, struct store *store, int64_t from_ms, int64_t to_ms, double *ret)
{
        int64_t read_from = from_ms;
        int r;

        if (to_ms - from_ms > 4 * s->window_ms)
                read_from = from_ms = to_ms - s->window_ms;
        else if (to_ms - from_ms < s->window_ms)
                read_from = to_ms - s->window_ms;
        memset(s->acc, 0, s->site->npoint * sizeof *s->acc);
        s->bucket_from_ms = from_ms;
        r = store_read_samples(store, read_from, to_ms, add_samples, s);
        if (r < 0)
                return r;
        summarise(s, ret);
        return 0;
}

/* --- the grid ---------------------------------------------------------------------------------------------------- */

struct peaks {
        struct cell *row; /* [n] oldest first */
        size_t n;
        int64_t first_end_ms, bucket_ms;
};

static int take_peak(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct peaks *p = ctx;
        int64_t k;
        double v;

        (void)n;
        (void)name;
        if (!text[0] || !text[1] || parse_int64(text[0], 0, INT64_MAX, &k) < 0 || parse_double(text[1], &v) < 0)
                return 0;
        if (k < (int64_t)p->n) {
                double *max = &p->row[k].v[SERIES_INLET_MAX];
                *max = isnan(*max) ? v : fmax(*max, v);
        }
        return 0;
}

/* Adds the decisions' hottest inlets to rows that end at first_end + k × bucket. */
static int add_peaks(struct store *store, struct peaks *p)
{
        int64_t from_ms = p->first_end_ms - p->bucket_ms;
        struct store_param q[] = {{.i = from_ms}, {.i = from_ms + (int64_t)p->n * p->bucket_ms}, {.i = p->bucket_ms}};

        return store_query_rows(store,
                                "SELECT (t_ms - ?1) / ?3, max(worst_inlet_c) FROM decision"
                                " WHERE t_ms >= ?1 AND t_ms < ?2 GROUP BY 1",
                                q, 3, take_peak, p);
}

static int compute(struct series *s, struct store *store, size_t grid, int64_t newest_t_ms, int64_t end_ms,
                   struct cell *ret)
{
        int64_t bucket_ms = grid_s[grid] * 1000;
        struct cell *keep = &s->cell[grid][(size_t)((end_ms / bucket_ms) % CELLS)];
        int r;

        if (keep->end_ms == end_ms) {
                *ret = *keep;
                return 0;
        }
        r = series_row(s, store, end_ms - bucket_ms, end_ms <= newest_t_ms ? end_ms : newest_t_ms + 1, ret->v);
        if (r < 0)
                return r;
        ret->end_ms = end_ms;
        if (end_ms + LATE_MS <= newest_t_ms)
                *keep = *ret;
        return 0;
}

static void print(const struct cell *row, size_t n, int64_t bucket_ms, int64_t newest_t_ms, bool complete,
                  const struct series *s, struct text *out)
{
        text_printf(out,
                    "{\"bucket_s\":%lld,\"window_s\":%lld,\"newest_t_ms\":%lld,\"complete\":%s,\"columns\":[\"t_ms\"",
                    (long long)(bucket_ms / 1000), (long long)(s->window_ms / 1000), (long long)newest_t_ms,
                    complete ? "true" : "false");
        for (int c = 0; c < SERIES_COLUMNS_; c++)
                text_printf(out, ",\"%s\"", series_column_str((enum series_column)c));
        text_put(out, "],\"rows\":[");
        for (size_t i = 0; i < n; i++) {
                text_printf(out, "%s[%lld", i ? ",\n" : "", (long long)row[i].end_ms);
                for (int c = 0; c < SERIES_COLUMNS_; c++) {
                        text_put(out, ",");
                        text_json_number(out, round(row[i].v[c] * 1000) / 1000);
                }
                text_put(out, "]");
        }
        text_put(out, "]}\n");
}

int series_json(struct series *s, struct store *store, int64_t hours, int64_t oldest_t_ms, int64_t newest_t_ms,
                int64_t budget_ms, struct text *out)
{
        int64_t bucket_ms = series_bucket_s(hours) * 1000, deadline_ms = clk_real_mono_ms() + budget_ms;
        struct cell *row = calloc(SERIES_ROWS_MAX, sizeof *row); /* filled from the end */
        int64_t last_end = newest_t_ms - newest_t_ms % bucket_ms + bucket_ms;
        int64_t from_ms = newest_t_ms - hours * 3600 * 1000;
        size_t grid = 0, n = 0;
        bool complete = true;
        int r = 0;

        if (!row)
                return -ENOMEM;
        if (from_ms < oldest_t_ms)
                from_ms = oldest_t_ms;
        while (grid_s[grid] * 1000 != bucket_ms)
                grid++;
        for (int64_t end = last_end; newest_t_ms > 0 && end > from_ms && n < SERIES_ROWS_MAX; end -= bucket_ms) {
                if (n > 0 && clk_real_mono_ms() > deadline_ms) {
                        complete = false;
                        break;
                }
                r = compute(s, store, grid, newest_t_ms, end, &row[SERIES_ROWS_MAX - 1 - n]);
                if (r < 0)
                        goto out;
                n++;
        }
        struct peaks p = {row + SERIES_ROWS_MAX - n, n, last_end - ((int64_t)n - 1) * bucket_ms, bucket_ms};
        if (n > 0)
                r = add_peaks(store, &p);
        if (r < 0)
                goto out;
        if (n > 0) /* the last bucket is still filling: it ends, like every other, just after its newest sample */
                row[SERIES_ROWS_MAX - 1].end_ms = newest_t_ms + 1;
        print(p.row, n, bucket_ms, newest_t_ms, complete, s, out);
out:
        free(row);
        return r;
}
