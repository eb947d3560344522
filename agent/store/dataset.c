/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/dataset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/points/total.h"
#include <string.h>

#define GAP_STEPS 10 /* more empty steps than this start a new segment */

struct slot {
        double sum, value; /* of this step; last value carried */
        uint32_t n;
        bool any;
        int64_t last_t_ms; /* source time of the newest good sample */
        bool last_wins;    /* commands: the last of the step, carried for ever, but … */
        bool polled;       /* … where a device is read, not a log of changes … */
        int64_t lost_t_ms; /* … lost_hold steps once a reading failed: when one first did, INT64_MAX = none */
        uint32_t next;     /* next slot of the same point, UINT32_MAX = none */
};

struct resampler {
        const struct layout *l;
        size_t hold, lost_hold, nslot; /* slots: u, then y, then d */
        int64_t step_ms;
        struct slot *slot;
        uint32_t *first; /* [npoint] first slot of a point */
        size_t npoint;
};

static void attach(struct resampler *r, size_t at, const struct layout_var *v, bool last_wins)
{
        r->slot[at].last_wins = last_wins;
        r->slot[at].lost_t_ms = INT64_MAX;
        r->slot[at].next = UINT32_MAX;
        if (v->point < 0 || (size_t)v->point >= r->npoint)
                return;
        r->slot[at].polled = r->l->site->point[v->point].device >= 0;
        r->slot[at].next = r->first[v->point];
        r->first[v->point] = (uint32_t)at;
}

int resampler_create(const struct layout *l, size_t hold, size_t lost_hold, struct resampler **ret)
{
        struct resampler *r = calloc(1, sizeof *r);
        if (!r)
                return -ENOMEM;
        r->l = l;
        r->hold = hold;
        r->lost_hold = lost_hold;
        r->step_ms = llround(l->step_s * 1000);
        r->nslot = l->nu + l->ny + l->nd;
        r->npoint = l->site->npoint;
        r->slot = calloc(r->nslot + 1, sizeof *r->slot);
        r->first = malloc((r->npoint + 1) * sizeof *r->first);
        if (!r->slot || !r->first || r->step_ms <= 0) {
                int e = r->step_ms <= 0 ? -EINVAL : -ENOMEM;
                resampler_free(r);
                return e;
        }
        for (size_t i = 0; i < r->npoint; i++)
                r->first[i] = UINT32_MAX;
        for (size_t i = 0; i < l->nu; i++)
                attach(r, i, &l->u[i], true);
        for (size_t i = 0; i < l->ny; i++)
                attach(r, l->nu + i, &l->y[i], false);
        for (size_t i = 0; i < l->nd; i++)
                attach(r, l->nu + l->ny + i, &l->d[i], false);
        *ret = r;
        return 0;
}

struct resampler *resampler_free(struct resampler *r)
{
        if (r) {
                free(r->slot);
                free(r->first);
                free(r);
        }
        return NULL;
}

static bool good(const struct sample *s)
{
        return s->quality == QUALITY_GOOD && isfinite(s->value);
}

void resampler_push(struct resampler *r, const struct sample *s)
{
        if (s->point >= r->npoint)
                return;
        for (uint32_t k = r->first[s->point]; k != UINT32_MAX; k = r->slot[k].next) {
                struct slot *w = &r->slot[k];
                if (w->polled && s->quality == QUALITY_BAD && s->t_ms < w->lost_t_ms)
                        w->lost_t_ms = s->t_ms;
                if (!good(s))
                        continue;
                w->lost_t_ms = INT64_MAX;
                if (w->last_wins && w->any && s->t_ms < w->last_t_ms)
                        continue; /* arrived late: a newer command is known */
                w->sum = w->last_wins ? s->value : w->sum + s->value;
                w->n = w->last_wins ? 1 : w->n + 1;
                if (!w->any || s->t_ms > w->last_t_ms)
                        w->last_t_ms = s->t_ms;
                w->any = true;
        }
}

/* Steps since the last good sample by its source time; 0 = in the step that ends at t_ms. */
static uint32_t age_of(const struct resampler *r, const struct slot *w, int64_t t_ms)
{
        if (!w->any)
                return UINT32_MAX;
        int64_t age = w->last_t_ms >= t_ms ? 0 : (t_ms - 1 - w->last_t_ms) / r->step_ms;
        return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

static double close_slot(const struct resampler *r, struct slot *w, int64_t t_ms, uint32_t *ret_age)
{
        bool sampled = w->n > 0;
        if (sampled) {
                w->value = w->sum / w->n;
                w->sum = 0;
                w->n = 0;
        }
        uint32_t age = age_of(r, w, t_ms);
        if (ret_age) /* a sample at the very edge was of the step before */
                *ret_age = !sampled && age == 0 ? 1 : age;
        size_t hold = !w->last_wins ? r->hold : w->lost_t_ms < t_ms ? r->lost_hold : SIZE_MAX;
        return w->any && age <= hold ? w->value : (double)NAN;
}

static double zone_power(const struct layout *l, int zone, const double *d)
{
        struct total t = {0};
        for (size_t i = 0; i < l->nd; i++)
                if (l->d[i].kind == D_RACK_POWER && l->d[i].zone == zone)
                        total_add(&t, d[i]);
        return total_value(&t);
}

void resampler_row(struct resampler *r, int64_t t_ms, double *ret_y, double *ret_u, double *ret_d, uint32_t *ret_age)
{
        const struct layout *l = r->l;
        struct slot *w = r->slot;
        for (size_t i = 0; i < l->nu; i++)
                ret_u[i] = close_slot(r, w++, t_ms, NULL);
        for (size_t i = 0; i < l->ny; i++)
                ret_y[i] = close_slot(r, w++, t_ms, ret_age ? &ret_age[i] : NULL);
        for (size_t i = 0; i < l->nd; i++)
                ret_d[i] = close_slot(r, w++, t_ms, NULL);
        for (size_t i = 0; i < l->nd; i++)
                if (l->d[i].kind == D_ZONE_POWER && l->d[i].point < 0)
                        ret_d[i] = zone_power(l, l->d[i].zone, ret_d);
}

static void forget(struct resampler *r)
{
        for (size_t i = 0; i < r->nslot; i++) {
                r->slot[i].any = false;
                r->slot[i].lost_t_ms = INT64_MAX;
                r->slot[i].sum = 0;
                r->slot[i].n = 0;
        }
}

/* --- whole stretches --------------------------------------------------------------------------------------------- */

struct loading {
        struct resampler *r;
        struct dataset *d;
        uint32_t *age; /* [ny] */
        size_t cap;
        bool started, new_segment;
        int64_t step; /* index (t_ms / step_ms, rounded down) of the open step */
};

static int reserve(struct dataset *d, size_t cap)
{
        double *y = realloc(d->y, cap * (d->ny + 1) * sizeof *y);
        if (y)
                d->y = y;
        double *u = realloc(d->u, cap * (d->nu + 1) * sizeof *u);
        if (u)
                d->u = u;
        double *dd = realloc(d->d, cap * (d->nd + 1) * sizeof *dd);
        if (dd)
                d->d = dd;
        int64_t *t = realloc(d->t_ms, cap * sizeof *t);
        if (t)
                d->t_ms = t;
        uint8_t *seg = realloc(d->segment_start, cap);
        if (seg)
                d->segment_start = seg;
        return y && u && dd && t && seg ? 0 : -ENOMEM;
}

static int emit(struct loading *w, int64_t step)
{
        struct dataset *d = w->d;
        if (d->n == w->cap) {
                size_t cap = w->cap ? 2 * w->cap : 256;
                int r = reserve(d, cap);
                if (r < 0)
                        return r;
                w->cap = cap;
        }
        d->t_ms[d->n] = step * w->r->step_ms;
        d->segment_start[d->n] = w->new_segment;
        resampler_row(w->r, (step + 1) * w->r->step_ms, &d->y[d->n * d->ny], &d->u[d->n * d->nu], &d->d[d->n * d->nd],
                      w->age);
        for (size_t i = 0; i < d->ny; i++)
                if (w->age[i] > 0)
                        d->y[d->n * d->ny + i] = (double)NAN;
        w->new_segment = false;
        d->n++;
        return 0;
}

static int load_batch(void *ctx, const struct sample *v, size_t n)
{
        struct loading *w = ctx;
        for (size_t i = 0; i < n; i++) {
                if (!good(&v[i]) || v[i].point >= w->r->npoint || w->r->first[v[i].point] == UINT32_MAX) {
                        resampler_push(w->r, &v[i]); /* makes no row by itself */
                        continue;
                }
                int64_t step = v[i].t_ms / w->r->step_ms - (v[i].t_ms % w->r->step_ms < 0);
                if (w->started && step > w->step) {
                        bool gap = step - w->step - 1 > GAP_STEPS;
                        for (int64_t k = w->step; k < (gap ? w->step + 1 : step); k++) {
                                int r = emit(w, k);
                                if (r < 0)
                                        return r;
                        }
                        if (gap) {
                                forget(w->r);
                                w->new_segment = true;
                        }
                }
                w->started = true;
                w->step = step;
                resampler_push(w->r, &v[i]);
        }
        return 0;
}

int dataset_load(struct store *s, const struct layout *l, int64_t from_ms, int64_t to_ms, size_t hold,
                 struct dataset **ret)
{
        struct loading w = {.new_segment = true, .d = calloc(1, sizeof *w.d)};
        int r = w.d ? resampler_create(l, hold, hold, &w.r) : -ENOMEM;
        if (r == 0) {
                w.d->nu = l->nu;
                w.d->ny = l->ny;
                w.d->nd = l->nd;
                w.age = calloc(l->ny + 1, sizeof *w.age);
                r = w.age ? 0 : -ENOMEM;
        }
        if (r == 0) {
                r = store_read_samples(s, from_ms, to_ms, load_batch, &w);
        }
        if (r == 0 && w.started)
                r = emit(&w, w.step);
        resampler_free(w.r);
        free(w.age);
        if (r < 0)
                dataset_free(w.d);
        else
                *ret = w.d;
        return r;
}

struct dataset *dataset_free(struct dataset *d)
{
        if (d) {
                free(d->y);
                free(d->u);
                free(d->d);
                free(d->t_ms);
                free(d->segment_start);
                free(d);
        }
        return NULL;
}
