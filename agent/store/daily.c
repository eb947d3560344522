/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/daily.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/points/total.h"

#define DAY_MS INT64_C(86400000)
#define HOLD_MS INT64_C(300000)
#define DAYS_MAX (20 * 366)

struct held {
        double value;
        int64_t t_ms; /* INT64_MIN: nothing is held */
};
struct loading {
        const struct daily_args *a;
        struct daily *d;
        struct held *held; /* [npoint] */
        double *covered_s; /* [n × npoint] */
};

static int64_t local_day(const struct daily_args *a, int64_t t_ms)
{
        const int64_t t = t_ms + a->offset_ms;

        return t / DAY_MS - (t % DAY_MS < 0);
}

/* The value that was held counts until `to`. */
static void count(struct loading *l, size_t point, int64_t to_ms)
{
        const struct held h = l->held[point];
        const struct point *p = &l->a->site->point[point];
        const int64_t hold_ms = p->stale_after_ms > 0 ? p->stale_after_ms : HOLD_MS;
        int64_t at = h.t_ms;

        if (at == INT64_MIN)
                return;
        if (to_ms > at + hold_ms)
                to_ms = at + hold_ms;
        while (at < to_ms) {
                const int64_t day = local_day(l->a, at), begins = day * DAY_MS - l->a->offset_ms;
                const int64_t ends = begins + DAY_MS < to_ms ? begins + DAY_MS : to_ms;
                const int64_t k = day - l->d->day[0].day;
                const int64_t from = at > begins + l->a->skip_ms ? at : begins + l->a->skip_ms;

                if (from < ends && k >= 0 && k < (int64_t)l->d->n) {
                        const double s = (double)(ends - from) / 1000.0;
                        const size_t i = (size_t)k * l->d->npoint + point;

                        l->d->mean[i] += s * h.value;
                        l->covered_s[i] += s;
                        if (p->role == ROLE_INLET_TEMP)
                                l->d->day[k].over_recommended_k_min +=
                                    s / 60.0 * fmax(h.value - l->a->site->limits.inlet_recommended_c, 0.0);
                }
                at = ends;
        }
}

static int on_samples(void *ctx, const struct sample *v, size_t n)
{
        struct loading *l = ctx;

        for (size_t i = 0; i < n; i++) {
                struct held *h = &l->held[v[i].point];

                count(l, v[i].point, v[i].t_ms);
                if (v[i].quality == QUALITY_GOOD && isfinite(v[i].value))
                        *h = (struct held){.value = v[i].value, .t_ms = v[i].t_ms};
                else
                        h->t_ms = INT64_MIN;
        }
        return 0;
}

static int part_of(enum role r)
{
        switch (r) {
        case ROLE_CHILLER_POWER:
                return DAILY_CHILLERS;
        case ROLE_PUMP_POWER:
                return DAILY_PUMPS;
        case ROLE_TOWER_POWER:
                return DAILY_TOWERS;
        case ROLE_CRAH_POWER:
                return DAILY_CRAH_FANS;
        case ROLE_SERVER_FAN_POWER:
                return DAILY_SERVER_FANS;
        case ROLE_RACK_POWER:
                return DAILY_RACKS;
        default:
                return -1;
        }
}

/* Of several stations the first that is known. */
static void first(double *to, double v)
{
        if (!isfinite(*to))
                *to = v;
}

static void sum_day(const struct site *site, const double *mean, struct daily_day *d)
{
        struct total part[DAILY_PARTS] = {0}, inlet = {0};

        d->wetbulb_c = d->oat_c = (double)NAN;
        for (size_t i = 0; i < site->npoint; i++) {
                const enum role r = site->point[i].role;
                const int p = part_of(r);

                if (p >= 0)
                        total_add(&part[p], mean[i]);
                else if (r == ROLE_INLET_TEMP)
                        total_add(&inlet, mean[i]);
                else if (r == ROLE_WETBULB)
                        first(&d->wetbulb_c, mean[i]);
                else if (r == ROLE_OAT)
                        first(&d->oat_c, mean[i]);
        }
        for (int p = 0; p < DAILY_PARTS; p++)
                d->power_w[p] = part[p].all ? total_value(&part[p]) : p == DAILY_SERVER_FANS ? (double)NAN : 0.0;
        d->inlet_c = inlet.all ? total_value(&inlet) / (double)inlet.all : (double)NAN;
}

/* As if every inlet had been read all of the day. */
static double over_recommended(const struct loading *l, size_t k, double whole_s)
{
        const struct site *site = l->a->site;
        double covered_s = 0.0, all_s = 0.0;

        for (size_t p = 0; p < site->npoint; p++)
                if (site->point[p].role == ROLE_INLET_TEMP) {
                        covered_s += l->covered_s[k * site->npoint + p];
                        all_s += whole_s;
                }
        return all_s > 0.0 && covered_s >= DAILY_COVER_MIN * all_s
                   ? l->d->day[k].over_recommended_k_min * all_s / covered_s
                   : (double)NAN;
}

static void finish(struct loading *l)
{
        const double whole_s = (double)(DAY_MS - l->a->skip_ms) / 1000.0;
        struct daily *d = l->d;

        for (size_t p = 0; p < d->npoint; p++)
                count(l, p, INT64_MAX);
        for (size_t i = 0; i < d->n * d->npoint; i++)
                d->mean[i] = l->covered_s[i] >= DAILY_COVER_MIN * whole_s ? d->mean[i] / l->covered_s[i] : (double)NAN;
        for (size_t k = 0; k < d->n; k++) {
                sum_day(l->a->site, d->mean + k * d->npoint, &d->day[k]);
                d->day[k].over_recommended_k_min = over_recommended(l, k, whole_s);
        }
}

static int on_steps(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct loading *l = ctx;
        int64_t day, in_force, shadow, all;
        const double steps = (double)DAY_MS / (double)l->a->site->fast_step_ms;

        (void)n;
        (void)name;
        if (parse_int64(text[0], INT64_MIN, INT64_MAX, &day) < 0 || parse_int64(text[1], 0, INT64_MAX, &in_force) < 0 ||
            parse_int64(text[2], 0, INT64_MAX, &shadow) < 0 || parse_int64(text[3], 0, INT64_MAX, &all) < 0)
                return -EUCLEAN;
        day -= l->d->day[0].day;
        if (day >= 0 && day < (int64_t)l->d->n) {
                l->d->day[day].ours = (double)in_force / steps;
                l->d->day[day].shadow = (double)shadow / steps;
                l->d->day[day].decided = (double)all / steps;
        }
        return 0;
}

/* In force: what an acting gate decided, but for RELEASE, when devices run their own controls. */
static int count_steps(struct store *s, struct loading *l, int64_t from_ms, int64_t to_ms)
{
        const struct store_param p[] = {{.i = from_ms}, {.i = to_ms}, {.i = l->a->offset_ms}};

        return store_query_rows(
            s,
            "SELECT (t_ms + ?3) / 86400000, sum(mode IN ('ACTIVE', 'HOLD', 'FALLBACK')), "
            "sum(mode = 'SHADOW'), count(*) FROM decision WHERE t_ms >= ?1 AND t_ms < ?2 GROUP BY 1",
            p, 3, on_steps, l);
}

int daily_load(struct store *s, const struct daily_args *a, struct daily **ret)
{
        struct loading l = {.a = a};
        struct store_stray stray[STORE_ROWS];
        struct store_counts c = {0};
        int64_t from = a->from_ms, to = a->to_ms, day;
        int r = store_true_span(s, STORE_DECISIONS, &from, &to, &stray[STORE_DECISIONS]);

        from = a->from_ms; /* days are days of samples */
        to = a->to_ms;
        if (r == 0)
                r = store_true_span(s, STORE_SAMPLES, &from, &to, &stray[STORE_SAMPLES]);
        if (r == 0)
                r = store_counts(s, &c);
        if (r < 0)
                return r;
        from = from > c.first_t_ms ? from : c.first_t_ms;
        to = to < c.last_t_ms + 1 ? to : c.last_t_ms + 1;
        if (c.samples == 0 || from >= to)
                return -ENODATA;
        day = local_day(a, from);
        if (local_day(a, to - 1) - day >= DAYS_MAX)
                return -ERANGE;
        l.d = calloc(1, sizeof(*l.d));
        if (l.d == NULL)
                return -ENOMEM;
        l.d->n = (size_t)(local_day(a, to - 1) - day + 1);
        l.d->npoint = a->site->npoint;
        memcpy(l.d->stray, stray, sizeof stray);
        l.d->day = calloc(l.d->n, sizeof(*l.d->day));
        l.d->mean = calloc(l.d->n * l.d->npoint + 1, sizeof(double));
        l.covered_s = calloc(l.d->n * l.d->npoint + 1, sizeof(double));
        l.held = calloc(l.d->npoint + 1, sizeof(*l.held));
        r = l.d->day && l.d->mean && l.covered_s && l.held ? 0 : -ENOMEM;
        for (size_t k = 0; r == 0 && k < l.d->n; k++) {
                l.d->day[k].day = day + (int64_t)k;
                l.d->day[k].weekend = (l.d->day[k].day + 3) % 7 >= 5; /* the epoch began on a Thursday */
        }
        for (size_t i = 0; r == 0 && i < l.d->npoint; i++)
                l.held[i].t_ms = INT64_MIN;
        if (r == 0)
                r = store_read_samples(s, from, to, on_samples, &l);
        if (r == 0) {
                finish(&l);
                r = count_steps(s, &l, from, to);
        }
        free(l.covered_s);
        free(l.held);
        if (r < 0)
                l.d = daily_free(l.d);
        else
                *ret = l.d;
        return r;
}

struct daily *daily_free(struct daily *d)
{
        if (d != NULL) {
                free(d->day);
                free(d->mean);
                free(d);
        }
        return NULL;
}

const char *daily_unmetered(const struct site *site)
{
        for (size_t e = 0; e < site->nequipment; e++) {
                const enum equipment_class c = site->equipment[e].cls;
                bool metered = c != EQ_RACK && c != EQ_CRAH && c != EQ_CHILLER && c != EQ_PUMP && c != EQ_TOWER;

                for (size_t i = 0; i < site->npoint && !metered; i++)
                        metered = site->point[i].equipment == (int)e && part_of(site->point[i].role) >= 0 &&
                                  site->point[i].role != ROLE_SERVER_FAN_POWER;
                if (!metered)
                        return site->equipment[e].name;
        }
        return NULL;
}
