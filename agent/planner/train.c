/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/train.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void train_args_default(struct train_args *ret)
{
        *ret = (struct train_args){.na = 5, .nb = 5, .split = 0.7, .min_samples = 120, .origins_max = 10000};
        arx_args_default(&ret->arx);
}

struct train_model *train_model_free(struct train_model *m)
{
        if (m) {
                free(m->structure);
                free(m->mem);
                free(m);
        }
        return NULL;
}

/* Gain boxes for the inlets only: a few hours of a hall do not fix sixty coefficients each. Supply air of a foreign
 * controller's log follows its own loop, which the boxes of a commanded coil do not describe. */
static void inlet_priors(const struct layout *l, const struct arx_structure *st, double *lo, double *hi)
{
        layout_arx_prior(l, st, lo, hi);
        for (size_t i = 0; i < st->ny; i++)
                for (size_t k = st->row_start[i]; k < st->row_start[i + 1] && l->y[i].kind != Y_INLET; k++) {
                        lo[k] = -(double)INFINITY;
                        hi[k] = (double)INFINITY;
                }
}

static int model_create(const struct layout *l, const struct train_args *a, struct train_model **ret)
{
        struct train_model *m = calloc(1, sizeof *m);
        if (!m)
                return -ENOMEM;
        int r = layout_arx_structure(l, a->na, a->nb, &m->structure);
        if (r == 0) {
                size_t size = arx_memsize(m->structure), n = m->structure->nterm;
                double *lo = calloc(n + 1, sizeof *lo), *hi = calloc(n + 1, sizeof *hi);
                m->mem = aligned_alloc(16, (size + 15) / 16 * 16);
                r = -ENOMEM;
                if (m->mem && lo && hi) {
                        inlet_priors(l, m->structure, lo, hi);
                        r = arx_create(m->mem, size, m->structure, &a->arx, lo, hi, &m->arx);
                }
                free(lo);
                free(hi);
        }
        if (r < 0)
                train_model_free(m);
        else
                *ret = m;
        return r;
}

static bool runs(const struct train_args *a, const struct dataset *ds, size_t row, size_t i)
{
        return !a->running || a->running[row * ds->ny + i];
}

/* First row that is judged: by share of the usable steps, so that idle time does not move the split. */
static size_t split_row(const struct dataset *ds, const struct train_args *a)
{
        size_t total = 0, seen = 0;
        for (int pass = 0; pass < 2; pass++)
                for (size_t k = 0; k < ds->n; k++) {
                        bool usable = false;
                        for (size_t i = 0; i < ds->ny && !usable; i++)
                                usable = isfinite(ds->y[k * ds->ny + i]) && runs(a, ds, k, i);
                        if (!pass)
                                total += usable;
                        else if ((double)(seen += usable) >= a->split * (double)total)
                                return k + 1;
                }
        return ds->n;
}

/* The last row of dataset row k is "now"; inputs in force from row r to r + 1 are those of row r + 1 (dataset.h). */
static struct arx_window window_at(const struct dataset *ds, size_t k, size_t lags)
{
        size_t first = k + 1 - lags;
        return (struct arx_window){.n = lags,
                                   .y = ds->y + first * ds->ny,
                                   .u = ds->u + (first + 1) * ds->nu,
                                   .d = ds->d + (first + 1) * ds->nd};
}

/* Pairs k → k+1 with k+1 in [from, to), whole window in one segment. */
static size_t add_pairs(struct arx *m, const struct dataset *ds, const struct train_args *a, size_t from, size_t to,
                        double *y_next)
{
        size_t lags = arx_structure(m)->lag_max, run = 0, pairs = 0;
        for (size_t k = 0; k + 1 < to; k++) {
                run = ds->segment_start[k] ? 1 : run + 1;
                if (k + 1 < from || run < lags || ds->segment_start[k + 1])
                        continue;
                for (size_t i = 0; i < ds->ny; i++)
                        y_next[i] =
                            runs(a, ds, k, i) && runs(a, ds, k + 1, i) ? ds->y[(k + 1) * ds->ny + i] : (double)NAN;
                struct arx_window w = window_at(ds, k, lags);
                pairs += arx_add(m, &w, y_next) > 0;
                if (a->progress && k % 256 == 0)
                        a->progress(a->ctx, k, ds->n);
        }
        return pairs;
}

struct judge {
        const struct dataset *ds;
        const struct layout *l;
        const struct train_args *a;
        const struct arx *m;
        struct train_report *r;
        size_t n_max;                              /* longest horizon */
        double *u, *d, *work, *pred;               /* futures and results */
        double sq[TRAIN_KINDS][TRAIN_HORIZONS][3]; /* held, known, persistence */
};

static void free_run(struct judge *j, size_t k, size_t steps, bool known)
{
        const struct dataset *ds = j->ds;
        for (size_t t = 0; t < steps; t++) {
                size_t from = known ? k + 1 + t : k;
                if (ds->nu)
                        memcpy(j->u + t * ds->nu, ds->u + from * ds->nu, sizeof(double) * ds->nu);
                if (ds->nd)
                        memcpy(j->d + t * ds->nd, ds->d + from * ds->nd, sizeof(double) * ds->nd);
        }
        struct arx_window w = window_at(ds, k, arx_structure(j->m)->lag_max);
        arx_predict(j->m, &w, steps, j->u, j->d, j->work, j->pred);
}

static void judge_origin(struct judge *j, size_t k, size_t steps)
{
        const struct dataset *ds = j->ds;
        for (int known = 0; known < 2; known++) {
                free_run(j, k, steps, known);
                for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                        size_t n = j->r->horizon_steps[h];
                        for (size_t i = 0; i < ds->ny && n <= steps; i++) {
                                double now = ds->y[k * ds->ny + i], then = ds->y[(k + n) * ds->ny + i];
                                double e = j->pred[(n - 1) * ds->ny + i] - then;
                                size_t kind = (size_t)j->l->y[i].kind;
                                if (!isfinite(now) || !isfinite(e) || !runs(j->a, ds, k, i) ||
                                    !runs(j->a, ds, k + n, i))
                                        continue;
                                j->sq[kind][h][known] += e * e;
                                if (known)
                                        continue;
                                j->sq[kind][h][2] += (now - then) * (now - then);
                                j->r->kind[kind].h[h].n++;
                        }
                }
        }
}

/* Rows after k in the same segment. */
static size_t rows_ahead(const struct dataset *ds, size_t k, size_t max)
{
        size_t n = 0;
        while (n < max && k + n + 1 < ds->n && !ds->segment_start[k + n + 1])
                n++;
        return n;
}

static void judge_all(struct judge *j, size_t cut)
{
        const struct dataset *ds = j->ds;
        size_t lags = arx_structure(j->m)->lag_max, run = 0;
        size_t stride = j->a->origins_max ? (ds->n - cut) / j->a->origins_max + 1 : 1;
        for (size_t k = 0; k < ds->n; k++) {
                run = ds->segment_start[k] ? 1 : run + 1;
                if (k < cut || run < lags || (k - cut) % stride)
                        continue;
                size_t steps = rows_ahead(ds, k, j->n_max);
                if (steps)
                        judge_origin(j, k, steps);
                if (j->a->progress && k % 64 == 0)
                        j->a->progress(j->a->ctx, k, ds->n);
        }
        for (size_t kind = 0; kind < TRAIN_KINDS; kind++)
                for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                        struct train_error *e = &j->r->kind[kind].h[h];
                        const double *sq = j->sq[kind][h];
                        double n = e->n ? (double)e->n : (double)NAN;
                        e->held = sqrt(sq[0] / n);
                        e->known = sqrt(sq[1] / n);
                        e->persistence = sqrt(sq[2] / n);
                }
}

static int judge_model(const struct dataset *ds, const struct layout *l, const struct train_args *a,
                       const struct arx *m, size_t cut, struct train_report *r)
{
        struct judge j = {.ds = ds, .l = l, .a = a, .m = m, .r = r, .n_max = r->horizon_steps[TRAIN_HORIZONS - 1]};
        j.u = calloc(j.n_max * ds->nu + 1, sizeof(double));
        j.d = calloc(j.n_max * ds->nd + 1, sizeof(double));
        j.pred = calloc(j.n_max * ds->ny + 1, sizeof(double));
        j.work = calloc(arx_predict_work(m, j.n_max), sizeof(double));
        int ret = j.u && j.d && j.pred && j.work ? 0 : -ENOMEM;
        if (ret == 0)
                judge_all(&j, cut);
        free(j.u);
        free(j.d);
        free(j.pred);
        free(j.work);
        return ret;
}

static void begin_report(const struct dataset *ds, const struct layout *l, size_t cut, struct train_report *r)
{
        *r = (struct train_report){.rows = ds->n, .rows_fit = cut};
        if (ds->n) {
                int64_t step_ms = llround(l->step_s * 1000.0);
                r->from_ms = ds->t_ms[0];
                r->to_ms = ds->t_ms[ds->n - 1] + step_ms;
                r->split_ms = cut < ds->n ? ds->t_ms[cut] : r->to_ms;
        }
        r->horizon_steps[0] = 1;
        r->horizon_steps[1] = (size_t)fmax(1.0, round(300.0 / l->step_s));
        r->horizon_steps[2] = (size_t)fmax(1.0, round(900.0 / l->step_s));
        for (size_t k = 0; k < TRAIN_KINDS; k++)
                for (size_t h = 0; h < TRAIN_HORIZONS; h++)
                        r->kind[k].h[h].held = r->kind[k].h[h].known = r->kind[k].h[h].persistence = (double)NAN;
        for (size_t i = 0; i < l->ny; i++)
                r->kind[l->y[i].kind].outputs++;
}

int train_arx(const struct dataset *ds, const struct layout *l, const struct train_args *a,
              struct train_model **ret_model, struct train_report *ret_report)
{
        if (ds->ny != l->ny || ds->nu != l->nu || ds->nd != l->nd || !(a->split > 0.0 && a->split < 1.0) ||
            !(l->step_s > 0.0))
                return -EINVAL;
        size_t cut = split_row(ds, a);
        begin_report(ds, l, cut, ret_report);
        if (!ds->n || !ds->ny)
                return -ENODATA;

        struct train_model *m = NULL;
        double *y_next = NULL;
        int r = model_create(l, a, &m);
        if (r < 0)
                goto out;
        y_next = calloc(ds->ny, sizeof(double));
        if (!y_next) {
                r = -ENOMEM;
                goto out;
        }
        ret_report->pairs = add_pairs(m->arx, ds, a, 0, cut, y_next);
        if (arx_fit(m->arx, a->min_samples) == 0) {
                r = -ENODATA;
                goto out;
        }
        for (size_t i = 0; i < l->ny; i++) {
                struct arx_row_info info;
                arx_row_info(m->arx, i, &info);
                ret_report->kind[l->y[i].kind].fitted += info.fitted;
        }
        r = judge_model(ds, l, a, m->arx, cut, ret_report);
        if (r == 0 && a->refit) {
                (void)add_pairs(m->arx, ds, a, cut, ds->n, y_next);
                (void)arx_fit(m->arx, a->min_samples);
                ret_report->refitted = true;
        }
out:
        free(y_next);
        if (r < 0)
                train_model_free(m);
        else
                *ret_model = m;
        return r;
}
