/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Inside of models/plan: one plan object, shared by the fast (fast.c), slow (slow.c) and exploring (plan.c) parts. */
#ifndef COOLPLANE_PLAN_PLAN_IMPL_H
#define COOLPLANE_PLAN_PLAN_IMPL_H

#include "models/plan/plan.h"

struct plan {
        struct plan_args args;
        size_t nu, ny, nd, npy, lag_max; /* ny: outputs of the model; npy: outputs that matter here */
        struct plan_u *u;                /* [nu] */
        struct plan_y *y;                /* [npy] */
        uint8_t *acts; /* [nu × npy] 1 = u can move that output (directly or through another output) */

        /* work of one step, no meaning between steps */
        uint8_t *row_ok;      /* [ny] fitted and all its regressors known */
        uint8_t *free;        /* [nu] 1 = the fast plan may move it */
        double *yh, *uh, *dh; /* [lag_max + horizon] rows of ny, nu, nd: history, then future; row lag_max−1 = now */
        double *gy;           /* [horizon × ny] adjoint */
        double *now, *value;  /* [nu] operating point; W per K of warmer supply air */
        double *target, *trial, *grad, *grad_prev, *best; /* [nu] */

        uint64_t staged_step; /* slow step counter of the last staging move */
        uint64_t slow_count;
        char move[64];
};

/* Fills histories from the window; false when the model cannot be used at all (too short, other shape). */
bool plan_load_window(struct plan *p, const struct plan_input *in);
/* Cost of holding `target` (reached at the variables' rates) in W, averaged over the horizon; grad [nu] or NULL. */
double plan_fast_cost(struct plan *p, const struct arx *m, const double *target, double *grad);
/* Optimises the fast variables from the operating point; p->best on return. */
void plan_fast(struct plan *p, const struct arx *m);
/* Hottest inlet of the last simulated future. */
double plan_hottest(const struct plan *p);
/* Simulates the future under p->uh. */
void plan_simulate(struct plan *p, const struct arx *m);

double plan_clamp(double v, double lo, double hi);
/* Largest valve opening now; NaN when no valve is known. */
double plan_valve_now(const struct plan *p);
/* Chooses the slow variables into u [nu]; sets p->move. */
void plan_slow(struct plan *p, const struct plan_input *in, double *u);
/* Switches one chiller on when the running ones cannot carry the heat with margin. */
void plan_stage_if_short(struct plan *p, const struct energy_sample *plant, double *u);
/* Plant state if `u` were in force. */
struct energy_sample plan_sample_with(const struct plan *p, const struct energy_sample *plant, const double *u);

#endif
