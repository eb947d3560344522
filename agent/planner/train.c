/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/train.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/planner/plant.h"

#define POWER_STALE_STEPS 4
#define STATUS_STALE_STEPS 10

void train_args_default(struct train_args *ret)
{
        *ret =
            (struct train_args){.lags = MODEL_LAGS, .split = 0.7, .min_samples = MODEL_FIT_MIN, .origins_max = 10000};
        model_args_default(&ret->arx);
}

static bool runs(const struct train_args *a, const struct dataset *ds, size_t row, size_t i)
{
        return a->running[row * ds->ny + i];
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

enum future { HELD, PLANNED, KNOWN, FUTURES };

struct judge {
        const struct dataset *ds;
        const struct layout *l;
        const struct train_args *a;
        const struct arx *m;
        struct train_report *r;
        size_t n_max;                                        /* longest horizon */
        double *u, *d, *offset, *work, *pred;                /* futures, offset and results */
        double sq[TRAIN_KINDS][TRAIN_HORIZONS][FUTURES + 1]; /* by enum future, then persistence */
};

static void free_run(struct judge *j, size_t k, const struct arx_window *w, size_t steps, enum future future)
{
        const struct dataset *ds = j->ds;
        for (size_t t = 0; t < steps; t++) {
                const size_t u_from = future == HELD ? k : k + 1 + t;
                if (ds->nu)
                        memcpy(j->u + t * ds->nu, ds->u + u_from * ds->nu, sizeof(double) * ds->nu);
                if (ds->nd && future == KNOWN)
                        memcpy(j->d + t * ds->nd, ds->d + (k + 1 + t) * ds->nd, sizeof(double) * ds->nd);
        }
        if (future != KNOWN)
                model_forecast(j->l, w->n, ds->d + (k + 1 - w->n) * ds->nd, steps, j->d);
        arx_predict(j->m, w, steps, j->u, j->d, j->offset, j->work, j->pred);
}

/* rows: of this segment up to k. The offset sees what the planner's window would hold. */
static void judge_origin(struct judge *j, size_t k, size_t rows, size_t steps)
{
        const struct dataset *ds = j->ds;
        const size_t lags = arx_structure(j->m)->lag_max, most = lags > MODEL_WINDOW ? lags : MODEL_WINDOW;
        const struct arx_window w = window_at(ds, k, rows < most ? rows : most);

        model_offset(j->l, j->m, &w, j->offset);
        for (int future = HELD; future < FUTURES; future++) {
                free_run(j, k, &w, steps, (enum future)future);
                for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                        size_t n = j->r->horizon_steps[h];
                        for (size_t i = 0; i < ds->ny && n <= steps; i++) {
                                double now = ds->y[k * ds->ny + i], then = ds->y[(k + n) * ds->ny + i];
                                double e = j->pred[(n - 1) * ds->ny + i] - then;
                                size_t kind = (size_t)j->l->y[i].kind;
                                if (!isfinite(now) || !isfinite(e) || !runs(j->a, ds, k, i) ||
                                    !runs(j->a, ds, k + n, i))
                                        continue;
                                j->sq[kind][h][future] += e * e;
                                if (future != HELD)
                                        continue;
                                j->sq[kind][h][FUTURES] += (now - then) * (now - then);
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
                        judge_origin(j, k, run, steps);
                if (j->a->progress && k % 64 == 0)
                        j->a->progress(j->a->ctx, k, ds->n);
        }
        for (size_t kind = 0; kind < TRAIN_KINDS; kind++)
                for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                        struct train_error *e = &j->r->kind[kind].h[h];
                        const double *sq = j->sq[kind][h];
                        double n = e->n ? (double)e->n : (double)NAN;
                        e->held = sqrt(sq[HELD] / n);
                        e->planned = sqrt(sq[PLANNED] / n);
                        e->known = sqrt(sq[KNOWN] / n);
                        e->persistence = sqrt(sq[FUTURES] / n);
                }
}

static int judge_model(const struct dataset *ds, const struct layout *l, const struct train_args *a,
                       const struct arx *m, size_t cut, struct train_report *r)
{
        struct judge j = {.ds = ds, .l = l, .a = a, .m = m, .r = r, .n_max = r->horizon_steps[TRAIN_HORIZONS - 1]};
        j.u = calloc(j.n_max * ds->nu + 1, sizeof(double));
        j.d = calloc(j.n_max * ds->nd + 1, sizeof(double));
        j.offset = calloc(ds->ny + 1, sizeof(double));
        j.pred = calloc(j.n_max * ds->ny + 1, sizeof(double));
        j.work = calloc(arx_predict_work(m, j.n_max), sizeof(double));
        int ret = j.u && j.d && j.offset && j.pred && j.work ? 0 : -ENOMEM;
        if (ret == 0)
                judge_all(&j, cut);
        free(j.u);
        free(j.d);
        free(j.offset);
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
                        r->kind[k].h[h] = (struct train_error){0, (double)NAN, (double)NAN, (double)NAN, (double)NAN};
        for (size_t i = 0; i < l->ny; i++)
                r->kind[l->y[i].kind].outputs++;
}

static int train_fed(const struct dataset *ds, const struct layout *l, const struct train_args *a,
                     struct model **ret_model, struct train_report *ret_report)
{
        size_t cut = split_row(ds, a);
        begin_report(ds, l, cut, ret_report);
        if (!ds->n || !ds->ny)
                return -ENODATA;

        struct model *m = NULL;
        double *y_next = NULL;
        int r = model_create(l, a->lags, &a->arx, &m);
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
                model_free(m);
        else
                *ret_model = m;
        return r;
}

int train_arx(const struct dataset *ds, const struct layout *l, const struct train_args *a, struct model **ret_model,
              struct train_report *ret_report)
{
        struct dataset fed = *ds; /* inputs as the model takes them */
        struct train_args told = *a;
        uint8_t *running = NULL;
        int r = -ENOMEM;

        if (ds->ny != l->ny || ds->nu != l->nu || ds->nd != l->nd || !(a->split > 0.0 && a->split < 1.0) ||
            !(l->step_s > 0.0))
                return -EINVAL;
        fed.u = malloc((ds->n * ds->nu + 1) * sizeof *fed.u);
        running = malloc(ds->n * ds->ny + 1);
        if (!fed.u || !running)
                goto out;
        model_inputs(l, ds->n, ds->u, fed.u);
        for (size_t k = 0; k < ds->n; k++)
                for (size_t i = 0; i < ds->ny; i++)
                        running[k * ds->ny + i] = model_runs(l, ds->u + k * ds->nu, ds->d + k * ds->nd, i);
        if (!told.running)
                told.running = running;
        r = train_fed(&fed, l, &told, ret_model, ret_report);
out:
        free(fed.u);
        free(running);
        return r;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

struct status_pass {
        const struct layout *l;
        const struct dataset *ds;
        struct meters meters;
        int64_t step_ms;
        size_t row; /* first row not yet closed */
        uint8_t *ret;
};

static void close_running(struct status_pass *p, int64_t t_ms)
{
        const struct dataset *ds = p->ds;

        for (; p->row < ds->n && ds->t_ms[p->row] + p->step_ms <= t_ms; p->row++)
                for (size_t i = 0; i < ds->ny; i++) {
                        const int e = p->l->y[i].equipment;
                        uint8_t *ret = &p->ret[p->row * ds->ny + i];
                        *ret = model_runs(p->l, ds->u + p->row * ds->nu, ds->d + p->row * ds->nd, i);
                        if (p->l->y[i].kind == Y_INLET || e < 0)
                                continue;
                        const int status = site_point_of(p->l->site, e, ROLE_CRAH_STATUS);
                        if (status >= 0 && ds->t_ms[p->row] - p->meters.t_ms[status] <= STATUS_STALE_STEPS * p->step_ms)
                                *ret = p->meters.value[status] > 0.5;
                }
}

static int take_status(void *ctx, const struct sample *v, size_t n)
{
        struct status_pass *p = ctx;

        for (size_t i = 0; i < n; i++) {
                close_running(p, v[i].t_ms);
                meters_push(&p->meters, &v[i]);
        }
        return 0;
}

int train_running(struct store *s, const struct layout *l, const struct dataset *ds, uint8_t *ret)
{
        struct status_pass p = {.l = l, .ds = ds, .step_ms = llround(l->step_s * 1000.0), .ret = ret};
        int r = meters_create(l->site, &p.meters);

        if (r < 0)
                return r;
        if (ds->n)
                r = store_read_samples(s, ds->t_ms[0], ds->t_ms[ds->n - 1] + p.step_ms, take_status, &p);
        if (r == 0)
                close_running(&p, INT64_MAX);
        meters_destroy(&p.meters);
        return r;
}

/* --- energy ------------------------------------------------------------------------------------------------------- */

struct energy_pass {
        const struct layout *l;
        const struct dataset *ds;
        struct energy *e;
        struct meters meters;
        struct plant_mean mean;
        int64_t step_ms;
        size_t row, added; /* first row not yet closed */
};

static void add_energy(struct energy_pass *p, const struct energy_sample *s)
{
        struct energy_info before, after;

        energy_info(p->e, &before);
        energy_add(p->e, s);
        energy_info(p->e, &after);
        p->added += after.samples > before.samples;
}

/* Rows that end by t_ms. */
static void close_rows(struct energy_pass *p, int64_t t_ms)
{
        const struct dataset *ds = p->ds;

        for (; p->row < ds->n && ds->t_ms[p->row] + p->step_ms <= t_ms; p->row++) {
                const int64_t end_ms = ds->t_ms[p->row] + p->step_ms;
                double power_w[ENERGY_PARTS], chillers_on;
                struct energy_sample done;

                meters_sum(&p->meters, end_ms, POWER_STALE_STEPS * p->step_ms, power_w, &chillers_on);
                const struct energy_sample now = plant_sample(p->l, ds->y + p->row * ds->ny, ds->u + p->row * ds->nu,
                                                              ds->d + p->row * ds->nd, power_w, chillers_on);
                if (plant_mean_add(&p->mean, end_ms, p->l->site->slow_step_ms, !ds->segment_start[p->row], &now, &done))
                        add_energy(p, &done);
        }
}

static int take_power(void *ctx, const struct sample *v, size_t n)
{
        struct energy_pass *p = ctx;

        for (size_t i = 0; i < n; i++) {
                close_rows(p, v[i].t_ms);
                meters_push(&p->meters, &v[i]);
        }
        return 0;
}

int train_energy(struct store *s, const struct layout *l, const struct dataset *ds, struct energy *e,
                 size_t *ret_samples)
{
        struct energy_pass p = {.l = l, .ds = ds, .e = e, .step_ms = llround(l->step_s * 1000.0)};
        struct energy_sample done;
        int r;

        if (l->site->slow_step_ms <= 0)
                return -EINVAL;
        r = meters_create(l->site, &p.meters);
        if (r < 0)
                return r;
        plant_mean_init(&p.mean, l->site);
        if (ds->n)
                r = store_read_samples(s, ds->t_ms[0], ds->t_ms[ds->n - 1] + p.step_ms, take_power, &p);
        if (r == 0) {
                close_rows(&p, INT64_MAX);
                if (plant_mean_close(&p.mean, &done))
                        add_energy(&p, &done);
                *ret_samples = p.added;
        }
        meters_destroy(&p.meters);
        return r;
}
