/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/evaluate_series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

int64_t series_floor(int64_t t_ms, int64_t unit_ms)
{
        return t_ms - ((t_ms % unit_ms) + unit_ms) % unit_ms;
}

int series_create(struct series *s, size_t nu, int64_t step_ms)
{
        *s = (struct series){.nu = nu, .width_ms = MINUTE_MS};
        while (s->width_ms < 2 * step_ms)
                s->width_ms *= 2;
        s->bucket = calloc(SERIES_BUCKETS, sizeof *s->bucket);
        s->u = calloc(SERIES_BUCKETS * nu + 1, sizeof *s->u);
        s->lo = calloc(nu + 1, sizeof *s->lo);
        s->hi = calloc(nu + 1, sizeof *s->hi);
        if (!s->bucket || !s->u || !s->lo || !s->hi)
                return -ENOMEM;
        for (size_t j = 0; j < nu; j++)
                s->lo[j] = s->hi[j] = (double)NAN;
        return 0;
}

void series_free(struct series *s)
{
        free(s->bucket);
        free(s->u);
        free(s->lo);
        free(s->hi);
        *s = (struct series){0};
}

double series_mean(const struct series_mean *m)
{
        return m->n > 0 ? m->sum / (double)m->n : (double)NAN;
}

static void mean_merge(struct series_mean *to, const struct series_mean *from)
{
        to->sum += from->sum;
        to->n += from->n;
}

void series_mean_add(struct series_mean *m, double v)
{
        if (isfinite(v))
                mean_merge(m, &(struct series_mean){v, 1});
}

static void pair_add(struct series_mean *a, struct series_mean *b, double va, double vb)
{
        if (!isfinite(va) || !isfinite(vb))
                return;
        mean_merge(a, &(struct series_mean){va, 1});
        mean_merge(b, &(struct series_mean){vb, 1});
}

static void bucket_merge(struct series *s, size_t to, size_t from)
{
        struct series_bucket *a = &s->bucket[to];
        const struct series_bucket *b = &s->bucket[from];

        for (size_t h = 0; h < SERIES_HEATS; h++)
                a->heat_c[h] = fmax(a->heat_c[h], b->heat_c[h]); /* fmax: the one that is known */
        mean_merge(&a->predicted_w, &b->predicted_w);
        mean_merge(&a->measured_w, &b->measured_w);
        mean_merge(&a->metered_w, &b->metered_w);
        for (size_t j = 0; j < s->nu; j++) {
                mean_merge(&s->u[to * s->nu + j].action, &s->u[from * s->nu + j].action);
                mean_merge(&s->u[to * s->nu + j].in_force, &s->u[from * s->nu + j].in_force);
        }
}

static void move(struct series *s, size_t to, size_t from, size_t n)
{
        memmove(&s->bucket[to], &s->bucket[from], n * sizeof *s->bucket);
        if (s->nu > 0)
                memmove(&s->u[to * s->nu], &s->u[from * s->nu], n * s->nu * sizeof *s->u);
}

/* Twice the width: neighbours that now are in one stretch become one. */
static void widen(struct series *s)
{
        size_t n = 0;

        s->width_ms *= 2;
        for (size_t k = 0; k < s->n; k++) {
                const int64_t begins = series_floor(s->bucket[k].t_ms, s->width_ms);

                if (n > 0 && s->bucket[n - 1].t_ms == begins) {
                        bucket_merge(s, n - 1, k);
                        continue;
                }
                if (n != k)
                        move(s, n, k, 1);
                s->bucket[n++].t_ms = begins;
        }
        s->n = n;
}

/* The stretch of this time, made when it is not there. */
static size_t bucket_of(struct series *s, int64_t t_ms)
{
        int64_t begins = series_floor(t_ms, s->width_ms);
        size_t k = s->n;

        while (k > 0 && s->bucket[k - 1].t_ms > begins)
                k--;
        if (k > 0 && s->bucket[k - 1].t_ms == begins)
                return k - 1;
        while (s->n == SERIES_BUCKETS) {
                widen(s);
                begins = series_floor(t_ms, s->width_ms);
                for (k = s->n; k > 0 && s->bucket[k - 1].t_ms > begins;)
                        k--;
                if (k > 0 && s->bucket[k - 1].t_ms == begins)
                        return k - 1;
        }
        move(s, k + 1, k, s->n - k);
        s->n++;
        s->bucket[k] = (struct series_bucket){.t_ms = begins};
        for (size_t h = 0; h < SERIES_HEATS; h++)
                s->bucket[k].heat_c[h] = (double)NAN;
        if (s->nu > 0)
                memset(&s->u[k * s->nu], 0, s->nu * sizeof *s->u);
        return k;
}

/* Keeps the hottest hours of `h`: one that is there already may only get hotter, so it only moves up. */
static void hour_add(struct series *s, size_t h, const struct series_moment *m)
{
        const struct series_hour hour = {.t_ms = series_floor(m->t_ms, HOUR_MS),
                                         .at_ms = m->t_ms,
                                         .c = m->heat_c[h],
                                         .row = m->row[h],
                                         .kind = m->kind,
                                         .reason = m->reason};
        struct series_hour *w = s->worst[h];
        size_t k = 0;

        if (!isfinite(hour.c))
                return;
        while (k < s->nworst[h] && w[k].t_ms != hour.t_ms)
                k++;
        if (k < s->nworst[h] ? hour.c <= w[k].c : k == SERIES_WORST && hour.c <= w[k - 1].c)
                return;
        if (k == SERIES_WORST)
                k--;
        else if (k == s->nworst[h])
                s->nworst[h]++;
        for (; k > 0 && w[k - 1].c < hour.c; k--)
                w[k] = w[k - 1];
        w[k] = hour;
}

void series_add(struct series *s, const struct series_moment *m)
{
        const size_t k = bucket_of(s, m->t_ms);
        struct series_bucket *b = &s->bucket[k];

        for (size_t h = 0; h < SERIES_HEATS; h++) {
                if (isfinite(m->heat_c[h]))
                        b->heat_c[h] = fmax(b->heat_c[h], m->heat_c[h]);
                hour_add(s, h, m);
        }
        pair_add(&b->predicted_w, &b->measured_w, m->predicted_w, m->measured_w);
        series_mean_add(&b->metered_w, m->measured_w);
        for (size_t j = 0; m->in_force && j < s->nu; j++) {
                struct series_pair *p = &s->u[k * s->nu + j];

                pair_add(&p->action, &p->in_force, m->action[j], m->in_force[j]);
                if (isfinite(m->in_force[j])) {
                        s->lo[j] = fmin(s->lo[j], m->in_force[j]);
                        s->hi[j] = fmax(s->hi[j], m->in_force[j]);
                }
        }
}
