/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A small hall for the safety tests: rooms of air handlers and inlets with a known interval model (the prior box of an
 * unfitted arx model) and plants drawn from it.
 */
#ifndef COOLPLANE_TEST_SAFETY_COMMON_H
#define COOLPLANE_TEST_SAFETY_COMMON_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/num/rng.h"
#include "safety/internal.h"

#define RIG_HIST 8

struct rig_args {
        size_t rooms, crahs, inlets, lags, horizon;
        bool sat_rows; /* inlets read measured supply air, which follows the setpoint */
        bool plant;    /* chilled water setpoint and two chillers */
        bool towers;   /* and a condenser water setpoint before them */
        bool waters;   /* and another chilled water before that */
        double spread; /* relative half width of the gains */
        double w;      /* noise bound */
        double limit_c, step;
};

struct rig {
        struct rig_args a;
        size_t nu, ny, nd, ninlet, nterm;
        struct safety_u *u;
        struct safety_y *cert;
        double *d_max;
        struct safety_envelope env;
        struct arx_structure st;
        size_t *row_start;
        struct arx_term *term;
        double *scale, *lo, *hi, *theta;
        void *arx_mem, *mem;
        struct arx *model;
        struct safety *s;
        size_t mem_size;
        double *wy, *wu, *wd; /* window, RIG_HIST rows */
        double *confirmed, *d_hi, *prop;
        uint8_t *y_ok, *status;
        struct safety_snapshot snap;
        struct safety_proposal p;
        struct rng rng;
};

static inline uint64_t rig_seed(void)
{
        const char *e = getenv("COOLPLANE_SEED");
        uint64_t seed = e ? strtoull(e, NULL, 10) : 20240607u;

        printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return seed;
}

static inline size_t rig_env(const char *name, size_t normal)
{
        const char *e = getenv(name);

        return e ? (size_t)strtoull(e, NULL, 10) : normal;
}

static inline struct rig_args rig_default(void)
{
        return (struct rig_args){.rooms = 2,
                                 .crahs = 2,
                                 .inlets = 3,
                                 .lags = 1,
                                 .horizon = 20,
                                 .plant = true,
                                 .spread = 0.2,
                                 .w = 0.05,
                                 .limit_c = 27,
                                 .step = 0.1};
}

static inline void rig_term(struct rig *r, enum arx_src src, size_t index, size_t lag, bool sum1, int sign, double mid,
                            double half)
{
        size_t k = r->nterm++;

        r->term[k] = (struct arx_term){(uint8_t)src, (uint8_t)lag, sum1, (int8_t)sign, (uint16_t)index};
        r->scale[k] = 1;
        r->lo[k] = sign > 0 ? fmax(0, mid - half) : mid - half;
        r->hi[k] = sign < 0 ? fmin(0, mid + half) : mid + half;
        r->theta[k] = mid;
}

static inline void rig_rows(struct rig *r)
{
        const struct rig_args *a = &r->a;

        for (size_t i = 0; i < r->ninlet; i++) {
                size_t room = i / a->inlets;

                r->row_start[i] = r->nterm;
                for (size_t l = 1; l <= a->lags; l++)
                        rig_term(r, ARX_SRC_Y, i, l, true, 1, 0.8 / (double)a->lags, 0.05 / (double)a->lags);
                for (size_t c = 0; c < a->crahs; c++) {
                        size_t crah = room * a->crahs + c;
                        double share = 1.0 / (double)a->crahs;

                        if (a->sat_rows)
                                rig_term(r, ARX_SRC_Y, r->ninlet + crah, 1, true, 1, 0.2 * share,
                                         0.2 * share * a->spread);
                        for (size_t l = 1; l <= a->lags; l++) {
                                double part = share / (double)a->lags;

                                if (!a->sat_rows)
                                        rig_term(r, ARX_SRC_U, 2 * crah, l, true, 1, 0.2 * part,
                                                 0.2 * part * a->spread);
                                rig_term(r, ARX_SRC_U, 2 * crah + 1, l, false, -1, -0.4 * part, 0.4 * part * a->spread);
                        }
                }
                rig_term(r, ARX_SRC_D, room, 1, false, 1, 1.2, 1.2 * a->spread);
                rig_term(r, ARX_SRC_ONE, 0, 1, false, 0, 0.3, 0.3 * a->spread);
        }
        for (size_t c = 0; a->sat_rows && c < a->rooms * a->crahs; c++) {
                r->row_start[r->ninlet + c] = r->nterm;
                for (size_t l = 1; l <= a->lags; l++)
                        rig_term(r, ARX_SRC_Y, r->ninlet + c, l, true, 1, 0.5 / (double)a->lags,
                                 0.05 / (double)a->lags);
                rig_term(r, ARX_SRC_U, 2 * c, 1, true, 1, 0.4, 0.4 * a->spread);
                rig_term(r, ARX_SRC_D, a->rooms, 1, true, 1, 0.1, 0.1 * a->spread);
        }
        r->row_start[r->ny] = r->nterm;
}

static inline void rig_variables(struct rig *r)
{
        const struct rig_args *a = &r->a;
        size_t n = 2 * a->rooms * a->crahs;

        for (size_t j = 0; j < n; j += 2) {
                r->u[j] = (struct safety_u){.safe_dir = -1,
                                            .lo = 16,
                                            .hi = 24,
                                            .step = a->step,
                                            .rate = 0.5,
                                            .backup_rate = 1,
                                            .nominal = 18,
                                            .fast = 1};
                r->u[j + 1] = (struct safety_u){.safe_dir = 1,
                                                .lo = 0.3,
                                                .hi = 1,
                                                .step = a->step / 10,
                                                .rate = 0.05,
                                                .backup_rate = 0.1,
                                                .nominal = 0.8,
                                                .fast = 1};
        }
        if (a->waters)
                r->u[n++] = (struct safety_u){
                    .safe_dir = -1, .lo = 7, .hi = 14, .step = 0.5, .rate = 1, .backup_rate = 0.5, .nominal = 8};
        if (a->towers)
                r->u[n++] = (struct safety_u){.lo = 14, .hi = 30, .step = 0.5, .rate = 1, .nominal = 20};
        if (!a->plant)
                return;
        r->u[n] = (struct safety_u){
            .safe_dir = -1, .lo = 7, .hi = 14, .step = 0.5, .rate = 1, .backup_rate = 0.5, .nominal = 8};
        for (size_t j = n + 1; j < n + 3; j++)
                r->u[j] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                            .safe_dir = 1,
                                            .hi = 1,
                                            .step = 1,
                                            .nominal = 1,
                                            .capacity_w = 100e3,
                                            .min_on_s = 300,
                                            .min_off_s = 600,
                                            .max_starts_per_h = 3};
}

static inline void *rig_alloc(size_t n, size_t size)
{
        void *p = calloc(n ? n : 1, size);

        assert_non_null(p);
        return p;
}

static inline void rig_point(struct rig *r)
{
        size_t now = RIG_HIST - 1;

        r->snap.window = (struct arx_window){RIG_HIST, r->wy, r->wu, r->wd};
        r->snap.u_confirmed = r->confirmed;
        r->snap.d_hi = r->d_hi;
        r->snap.y_ok = r->y_ok;
        r->snap.onoff_status = r->status;
        r->p.u = r->prop;
        memcpy(r->wu + now * r->nu, r->confirmed, r->nu * sizeof(double));
}

/* Steady history: inlets at y_c, variables at nominal. */
static inline void rig_settle(struct rig *r, double y_c, double load)
{
        for (size_t k = 0; k < RIG_HIST; k++) {
                for (size_t i = 0; i < r->ny; i++)
                        r->wy[k * r->ny + i] = i < r->ninlet ? y_c : 17;
                for (size_t j = 0; j < r->nu; j++)
                        r->wu[k * r->nu + j] = r->u[j].nominal;
                for (size_t d = 0; d < r->nd; d++)
                        r->wd[k * r->nd + d] = d < r->a.rooms ? load : 10;
        }
        for (size_t j = 0; j < r->nu; j++)
                r->prop[j] = r->confirmed[j] = r->u[j].nominal;
        for (size_t d = 0; d < r->nd; d++)
                r->d_hi[d] = d < r->a.rooms ? load : 10;
        memset(r->y_ok, COND_TRUE, r->ny);
        memset(r->status, 1, r->nu);
        r->p = (struct safety_proposal){.present = true, .in_distribution = true};
        rig_point(r);
}

/* (Re)creates the model; call again after changing terms or priors, and before rig_create. */
static inline void rig_model(struct rig *r, bool anchor)
{
        struct arx_args args;

        arx_args_default(&args);
        args.w_min = r->a.w;
        args.anchor = anchor;
        free(r->arx_mem);
        r->arx_mem = aligned_alloc(64, (arx_memsize(&r->st) + 63) / 64 * 64);
        assert_int_equal(arx_create(r->arx_mem, arx_memsize(&r->st), &r->st, &args, r->lo, r->hi, &r->model), 0);
}

static inline void rig_open(struct rig *r, struct rig_args a, uint64_t seed)
{
        size_t terms;

        memset(r, 0, sizeof(*r));
        r->a = a;
        rng_seed(&r->rng, seed, 7);
        r->ninlet = a.rooms * a.inlets;
        r->nu = 2 * a.rooms * a.crahs + (a.waters ? 1 : 0) + (a.towers ? 1 : 0) + (a.plant ? 3 : 0);
        r->ny = r->ninlet + (a.sat_rows ? a.rooms * a.crahs : 0);
        r->nd = a.rooms + 1;
        terms = r->ny * (a.lags + 2 + a.crahs * (1 + 2 * a.lags));
        r->u = rig_alloc(r->nu, sizeof(*r->u));
        r->cert = rig_alloc(r->ninlet, sizeof(*r->cert));
        r->d_max = rig_alloc(r->nd, sizeof(double));
        r->row_start = rig_alloc(r->ny + 1, sizeof(size_t));
        r->term = rig_alloc(terms, sizeof(*r->term));
        r->scale = rig_alloc(terms, sizeof(double));
        r->lo = rig_alloc(terms, sizeof(double));
        r->hi = rig_alloc(terms, sizeof(double));
        r->theta = rig_alloc(terms, sizeof(double));
        r->wy = rig_alloc(RIG_HIST * r->ny, sizeof(double));
        r->wu = rig_alloc(RIG_HIST * r->nu, sizeof(double));
        r->wd = rig_alloc(RIG_HIST * r->nd, sizeof(double));
        r->confirmed = rig_alloc(r->nu, sizeof(double));
        r->prop = rig_alloc(r->nu, sizeof(double));
        r->d_hi = rig_alloc(r->nd, sizeof(double));
        r->y_ok = rig_alloc(r->ny, 1);
        r->status = rig_alloc(r->nu, 1);
        rig_rows(r);
        assert_true(r->nterm <= terms);
        rig_variables(r);
        for (size_t i = 0; i < r->ninlet; i++)
                r->cert[i] = (struct safety_y){.row = i, .hi = a.limit_c, .trip = a.limit_c + 5};
        for (size_t d = 0; d < r->nd; d++)
                r->d_max[d] = d < a.rooms ? 1 : 12;
        r->st =
            (struct arx_structure){r->ny, r->nu, r->nd, (unsigned)a.lags, r->nterm, r->row_start, r->term, r->scale};
        rig_model(r, false);
        r->env = (struct safety_envelope){.nu = r->nu,
                                          .ny = r->ny,
                                          .nd = r->nd,
                                          .ncert = r->ninlet,
                                          .u = r->u,
                                          .cert = r->cert,
                                          .d_max = r->d_max,
                                          .step_s = 30,
                                          .horizon = a.horizon,
                                          .capacity_margin = 0.15,
                                          .hold_steps = 3,
                                          .required_persist = 4,
                                          .delta = 0.05};
        r->snap = (struct safety_snapshot){.cooling_load_w = 80e3, .slow_step = true};
        rig_settle(r, 22, 0.6);
}

/* Variables a and b of the model and the envelope change places. Before rig_model, rig_settle and rig_create. */
static inline void swap_variables(struct rig *r, size_t a, size_t b)
{
        const struct safety_u first = r->u[a];

        r->u[a] = r->u[b];
        r->u[b] = first;
        for (size_t k = 0; k < r->nterm; k++) {
                if (r->term[k].src != ARX_SRC_U)
                        continue;
                if (r->term[k].index == a)
                        r->term[k].index = (uint16_t)b;
                else if (r->term[k].index == b)
                        r->term[k].index = (uint16_t)a;
        }
}

/* (Re)creates the filter for r->env; call again after changing it. */
static inline void rig_create(struct rig *r)
{
        r->mem_size = safety_memsize(&r->env, &r->st);
        free(r->mem);
        r->mem = aligned_alloc(64, (r->mem_size + 63) / 64 * 64);
        assert_int_equal(safety_create(r->mem, r->mem_size, &r->env, r->model, &r->s), 0);
}

static inline void rig_close(struct rig *r)
{
        void *const p[] = {r->u,    r->cert,  r->d_max,  r->row_start, r->term, r->scale,     r->lo,
                           r->hi,   r->theta, r->wy,     r->wu,        r->wd,   r->confirmed, r->prop,
                           r->d_hi, r->y_ok,  r->status, r->arx_mem,   r->mem};

        for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++)
                free(p[i]);
}

static inline const struct safety_decision *rig_decide(struct rig *r)
{
        r->snap.mono_s += r->env.step_s;
        r->snap.t_ms += 30000;
        rig_point(r);
        return safety_filter(r->s, &r->snap, &r->p);
}

static inline const double *rig_action(const struct safety_decision *d)
{
        size_t nu;

        return decision_u(d, &nu);
}

/* A plant from Θ: coefficients in the box, sums kept at 1. worst: the vertex that warms most from the present window.
 */
static inline void rig_draw(struct rig *r, bool worst)
{
        for (size_t i = 0; i < r->ny; i++) {
                double sum = 0, missing;
                size_t b = r->row_start[i], e = r->row_start[i + 1], n = 0, order[ARX_TERMS_MAX];

                for (size_t k = b; k < e; k++) {
                        double x = r->term[k].src == ARX_SRC_Y
                                       ? r->wy[(RIG_HIST - r->term[k].lag) * r->ny + r->term[k].index]
                                   : r->term[k].src == ARX_SRC_U
                                       ? r->wu[(RIG_HIST - r->term[k].lag) * r->nu + r->term[k].index]
                                   : r->term[k].src == ARX_SRC_D
                                       ? r->wd[(RIG_HIST - r->term[k].lag) * r->nd + r->term[k].index]
                                       : 1;
                        r->theta[k] = worst ? (r->term[k].sum1 ? r->lo[k]
                                               : x > 0         ? r->hi[k]
                                                               : r->lo[k])
                                            : rng_range(&r->rng, r->lo[k], r->hi[k]);
                        if (!r->term[k].sum1)
                                continue;
                        sum += r->theta[k];
                        /* insertion by value, largest first; random order when not worst */
                        size_t at = n++;
                        double key = worst ? x : rng_uniform(&r->rng);
                        static double keys[ARX_TERMS_MAX];

                        while (at > 0 && keys[at - 1] < key) {
                                keys[at] = keys[at - 1];
                                order[at] = order[at - 1];
                                at--;
                        }
                        keys[at] = key;
                        order[at] = k;
                }
                missing = 1 - sum;
                for (size_t m = 0; m < n; m++) {
                        size_t k = order[m];
                        double room = missing > 0 ? r->hi[k] - r->theta[k] : r->lo[k] - r->theta[k];
                        double put = fabs(room) < fabs(missing) ? room : missing;

                        r->theta[k] += put;
                        missing -= put;
                }
                assert_true(fabs(missing) < 1e-9);
        }
}

/* One step of the plant under act with noise of the given sign or random (0); shifts the window. */
static inline void rig_advance(struct rig *r, const double *act, const double *d, int noise)
{
        double *next = rig_alloc(r->ny, sizeof(double));
        size_t now = RIG_HIST - 1;

        memcpy(r->wu + now * r->nu, act, r->nu * sizeof(double));
        memcpy(r->wd + now * r->nd, d, r->nd * sizeof(double));
        if (noise > 0)
                rig_draw(r, true);
        for (size_t i = 0; i < r->ny; i++) {
                next[i] = noise > 0 ? r->a.w : rng_range(&r->rng, -r->a.w, r->a.w);
                for (size_t k = r->row_start[i]; k < r->row_start[i + 1]; k++) {
                        const struct arx_term *t = &r->term[k];
                        size_t at = (size_t)RIG_HIST - t->lag;

                        next[i] += r->theta[k] * (t->src == ARX_SRC_Y   ? r->wy[at * r->ny + t->index]
                                                  : t->src == ARX_SRC_U ? r->wu[at * r->nu + t->index]
                                                  : t->src == ARX_SRC_D ? r->wd[at * r->nd + t->index]
                                                                        : 1);
                }
        }
        memmove(r->wy, r->wy + r->ny, now * r->ny * sizeof(double));
        memmove(r->wu, r->wu + r->nu, now * r->nu * sizeof(double));
        memmove(r->wd, r->wd + r->nd, now * r->nd * sizeof(double));
        memcpy(r->wy + now * r->ny, next, r->ny * sizeof(double));
        memcpy(r->confirmed, act, r->nu * sizeof(double));
        free(next);
}

static inline bool on_grid(const struct safety_u *u, double v)
{
        double k = u->step > 0 ? round((v - u->origin) / u->step) : 0;

        return u->step == 0 || fabs(u->origin + k * u->step - v) <= 1e-9 * (1 + fabs(v));
}

/* First and last value of the box that the register has. */
static inline double box_end(const struct safety_u *u, bool upper)
{
        double k = u->step > 0 ? ((upper ? u->hi : u->lo) - u->origin) / u->step : 0;

        if (u->step == 0)
                return upper ? u->hi : u->lo;
        return u->origin + u->step * (upper ? floor(k + 1e-9) : ceil(k - 1e-9));
}

/* The plant has it beyond the box, and going there would not be more cooling. */
static inline bool beyond_box(const struct safety_u *u, double was)
{
        return (u->safe_dir <= 0 && was < box_end(u, false)) || (u->safe_dir >= 0 && was > box_end(u, true));
}

/* What must hold of every value, whatever happened; was = confirmed value at the decision. */
static inline bool value_legal(const struct safety_u *u, double v, double was)
{
        if (u->kind == SAFETY_U_CONTINUOUS && v == was && beyond_box(u, was))
                return true; /* stays, and is not written */
        if (!(v >= u->lo && v <= u->hi) || !on_grid(u, v))
                return false;
        if (u->kind == SAFETY_U_ONOFF)
                return true;
        if (u->safe_dir == 0)
                return fabs(v - was) <= u->rate + u->step * 1.001 + 1e-7 * (1 + fabs(was));
        return u->safe_dir * (v - was) >= -(u->rate * (1 + 1e-9) + 2e-3 * u->step + 1e-7 * (1 + fabs(was)));
}

#endif
