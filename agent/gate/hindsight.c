/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/hindsight.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A decision from which a forecast begins. */
struct origin {
        uint64_t row;
        int64_t t_ms;
        size_t n; /* rows of its window */
        double *y, *u, *d;
        uint8_t *set;
};

struct hindsight {
        struct hindsight_args a;
        hindsight_fn fn;
        void *ctx;
        size_t ny, nu, nd, set_bytes;
        size_t most; /* steps ahead */
        size_t stride, norigin;
        struct origin *origin; /* ring [norigin], first … first + count */
        size_t first, count;
        uint64_t row;              /* of the newest decision, counted since the last break */
        bool any;                  /* there is one */
        double *reading, *u, *d;   /* ring [most + 1] of decisions: what was read, what was in force afterwards */
        double *u_ahead, *d_ahead; /* [most] */
        double *y, *anchored, *lo, *hi, *work; /* [most × ny] */
        double *offset;                        /* [ny] */
        double *mem;
        uint8_t *sets;
};

static size_t larger(size_t a, size_t b)
{
        return a > b ? a : b;
}

static double *slice(double **p, size_t n)
{
        double *v = *p;

        *p += n;
        return v;
}

static int allocate(struct hindsight *h)
{
        const size_t rows = h->most + 1, ny = h->ny, nu = h->nu, nd = h->nd, all = ny + nu + nd;
        const size_t work = arx_predict_work(h->a.model, h->most);
        const size_t n = rows * all + h->most * (nu + nd + 4 * ny) + ny + work + h->norigin * h->a.window * all;
        double *p;

        p = h->mem = calloc(n + 1, sizeof *h->mem);
        h->sets = calloc(h->norigin, h->set_bytes);
        h->origin = calloc(h->norigin, sizeof *h->origin);
        if (!h->mem || !h->sets || !h->origin)
                return -ENOMEM;
        h->reading = slice(&p, rows * ny);
        h->u = slice(&p, rows * nu);
        h->d = slice(&p, rows * nd);
        h->u_ahead = slice(&p, h->most * nu);
        h->d_ahead = slice(&p, h->most * nd);
        h->y = slice(&p, h->most * ny);
        h->anchored = slice(&p, h->most * ny);
        h->offset = slice(&p, ny);
        h->lo = slice(&p, h->most * ny);
        h->hi = slice(&p, h->most * ny);
        h->work = slice(&p, work);
        for (size_t k = 0; k < h->norigin; k++) {
                h->origin[k].y = slice(&p, h->a.window * ny);
                h->origin[k].u = slice(&p, h->a.window * nu);
                h->origin[k].d = slice(&p, h->a.window * nd);
                h->origin[k].set = h->sets + k * h->set_bytes;
        }
        return 0;
}

int hindsight_create(const struct hindsight_args *a, hindsight_fn fn, void *ctx, struct hindsight **ret)
{
        const struct arx_structure *st = arx_structure(a->model);
        struct hindsight *h = calloc(1, sizeof *h);
        size_t fit;
        int r;

        if (!h)
                return -ENOMEM;
        assert(a->nahead >= 1 && a->nahead <= HINDSIGHT_AHEAD && a->horizon >= 1 && a->window >= 1);
        *h = (struct hindsight){.a = *a, .fn = fn, .ctx = ctx, .ny = st->ny, .nu = st->nu, .nd = st->nd};
        h->set_bytes = arx_set_save(a->model, NULL, 0);
        h->most = larger(a->ahead[a->nahead - 1], a->horizon);
        fit = larger(a->memory / h->set_bytes, 1);
        h->stride = (h->most + fit - 1) / fit;
        h->norigin = (h->most + h->stride - 1) / h->stride;
        r = allocate(h);
        if (r < 0) {
                hindsight_free(h);
                return r;
        }
        *ret = h;
        return 0;
}

struct hindsight *hindsight_free(struct hindsight *h)
{
        if (h) {
                free(h->origin);
                free(h->sets);
                free(h->mem);
                free(h);
        }
        return NULL;
}

size_t hindsight_stride(const struct hindsight *h)
{
        return h->stride;
}

void hindsight_score_merge(struct hindsight_score *to, const struct hindsight_score *from)
{
        for (size_t k = 0; k < HINDSIGHT_AHEAD; k++) {
                score_error_merge(&to->error[k], &from->error[k]);
                score_error_merge(&to->anchored[k], &from->anchored[k]);
        }
        score_cover_merge(&to->upper, &from->upper);
        score_cover_merge(&to->step, &from->step);
        score_cover_merge(&to->end, &from->end);
        score_cover_merge(&to->inside, &from->inside);
}

/* --- judging ----------------------------------------------------------------------------------------------------- */

static size_t slot(const struct hindsight *h, uint64_t row)
{
        return (size_t)(row % (h->most + 1));
}

static void judge_output(struct hindsight *h, const struct origin *o, size_t steps, size_t horizon, size_t i)
{
        const double before = h->reading[slot(h, o->row) * h->ny + i];
        struct hindsight_score s = {0};

        for (size_t k = 0; k < h->a.nahead && h->a.ahead[k] <= steps; k++) {
                const size_t at = (h->a.ahead[k] - 1) * h->ny + i;
                const double reading = h->reading[slot(h, o->row + h->a.ahead[k]) * h->ny + i];

                score_error_add(&s.error[k], h->y[at], before, reading);
                score_error_add(&s.anchored[k], h->anchored[at], before, reading);
        }
        for (size_t t = 0; t < horizon; t++) {
                const double lo = h->lo[t * h->ny + i], hi = h->hi[t * h->ny + i],
                             reading = h->reading[slot(h, o->row + t + 1) * h->ny + i];

                score_cover_add(&s.inside, lo, hi, reading);
                if (t == 0) {
                        score_upper_add(&s.upper, hi, reading);
                        score_cover_add(&s.step, lo, hi, reading);
                }
                if (t + 1 == h->a.horizon)
                        score_cover_add(&s.end, lo, hi, reading);
        }
        h->fn(h->ctx, i, o->t_ms, &s);
}

/* The oldest forecast, as far as readings came. */
static void judge(struct hindsight *h)
{
        const struct origin *o = &h->origin[h->first];
        const size_t steps = (size_t)(h->row - o->row), horizon = steps < h->a.horizon ? steps : h->a.horizon;
        const struct arx_window w = {o->n, o->y, o->u, o->d};
        struct arx_row_info info;

        h->first = (h->first + 1) % h->norigin;
        h->count--;
        if (steps == 0 || arx_set_load(h->a.model, o->set, h->set_bytes) < 0)
                return;
        for (size_t t = 0; t < steps; t++) {
                const size_t at = slot(h, o->row + t);

                memcpy(h->u_ahead + t * h->nu, h->u + at * h->nu, h->nu * sizeof(double));
                memcpy(h->d_ahead + t * h->nd, h->d + at * h->nd, h->nd * sizeof(double));
        }
        for (size_t i = 0; i < h->ny; i++)
                h->offset[i] = arx_offset(h->a.model, i, &w);
        arx_predict(h->a.model, &w, steps, h->u_ahead, h->d_ahead, NULL, h->work, h->y);
        arx_predict(h->a.model, &w, steps, h->u_ahead, h->d_ahead, h->offset, h->work, h->anchored);
        arx_worst(h->a.model, &w, horizon, h->u_ahead, h->d_ahead, 1, h->a.judged, h->work, h->hi);
        arx_worst(h->a.model, &w, horizon, h->u_ahead, h->d_ahead, -1, h->a.judged, h->work, h->lo);
        for (size_t i = 0; i < h->ny; i++) {
                arx_row_info(h->a.model, i, &info);
                if (h->a.judged[i] && info.fitted) /* before a fit there is a prior and no forecast */
                        judge_output(h, o, steps, horizon, i);
        }
}

static void begin(struct hindsight *h, int64_t t_ms, const struct arx_window *w, const uint8_t *set)
{
        struct origin *o = &h->origin[(h->first + h->count++) % h->norigin];

        assert(h->count <= h->norigin && w->n <= h->a.window);
        o->row = h->row;
        o->t_ms = t_ms;
        o->n = w->n;
        memcpy(o->y, w->y, w->n * h->ny * sizeof(double));
        memcpy(o->u, w->u, w->n * h->nu * sizeof(double));
        memcpy(o->d, w->d, w->n * h->nd * sizeof(double));
        memcpy(o->set, set, h->set_bytes);
}

void hindsight_end(struct hindsight *h)
{
        while (h->count > 0)
                judge(h);
        h->any = false;
        h->row = 0;
}

void hindsight_step(struct hindsight *h, int64_t t_ms, bool follows, const struct arx_window *w, const double *reading,
                    const uint8_t *set)
{
        if (!(follows && h->any && w->n >= 2)) {
                hindsight_end(h);
        } else {
                const size_t at = slot(h, h->row);

                memcpy(h->u + at * h->nu, w->u + (w->n - 2) * h->nu, h->nu * sizeof(double));
                memcpy(h->d + at * h->nd, w->d + (w->n - 2) * h->nd, h->nd * sizeof(double));
                h->row++;
        }
        h->any = true;
        memcpy(h->reading + slot(h, h->row) * h->ny, reading, h->ny * sizeof(double));
        while (h->count > 0 && h->row - h->origin[h->first].row >= h->most)
                judge(h);
        if (set && w->n > 0 && h->row % h->stride == 0)
                begin(h, t_ms, w, set);
}
