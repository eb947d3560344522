/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Inside of struct arx, shared by the files of models/arx only (and looked into by sim/certify_assume.c). */
#ifndef COOLPLANE_ARX_PRIVATE_H
#define COOLPLANE_ARX_PRIVATE_H

#include "models/arx/arx.h"

#define ARX_HIST_BINS 96 /* eighth octaves of |residual| from w_min/4 to 1024 w_min */

struct arx_row {
        size_t t0, n; /* terms t0 … t0+n */
        size_t m;     /* regressors after elimination */
        size_t ref;   /* eliminated member of the sum-to-one group; == n: the row has no group */
        double *g;    /* [m × m] Σ z zᵀ, lower triangle, z = reduced scaled regressor */
        double *b;    /* [m] Σ z r, r = reduced target */
        double yy, weight;
        double samples;
        double fitted; /* 0/1 */
        double s;      /* residual scale of the last fit */
        double s_hist; /* residual scale when the histogram was last cleared */
        double w_bar;
        double ew_sq, ew_weight; /* one-step error since the last fit */
        double hist_weight, *hist;
        double *phi_sum; /* [n] Σ regressors, weighted like g */
        /* The confidence ellipsoid of the last fit: ‖c − ĉ‖ in the norm of `factor`'s matrix ≤ radius; none when
         * radius is 0. */
        double radius, *factor; /* [m × m] lower Cholesky factor */
        double *phi0;           /* [n] mean regressor at the last fit: where the ellipsoid is narrowest */
        double width0;          /* radius · ‖reduced phi0‖ in the inverse norm; follows from the above */
        double w_step, drift_weight, *drift; /* histogram of the free-run residual over args.w_horizon steps */
        bool sum1_infeasible;
        /* Tracking of the one-step bound: the tracker (units of w_bar), and what is in force of it (unit of y; raised
         * at once, lowered by a fit, so that the set changes seldom). */
        double track, w_more;
        double track_low; /* the same of the lower bound: only told, adds nothing, not stored */
        size_t readings, misses, resets, contradictions;
};

static inline double arx_w_bar(const struct arx_row *r)
{
        return r->w_bar + r->w_more;
}

static inline double arx_w_step(const struct arx_row *r)
{
        return r->w_step + r->w_more;
}

/* arx_hash reads every byte of the set: once a fit is enough. */
struct arx_hash_memo {
        uint64_t hash;
        bool known;
};

struct arx {
        struct arx_structure st;
        struct arx_args args;
        struct arx_row *row;
        double *prior_lo, *prior_hi; /* [nterm], sign priors applied; constant after create */
        double *box_lo, *box_hi;     /* [nterm] prior ∩ what membership leaves of it */
        double *theta, *lo, *hi;     /* [nterm] */
        double *free_run;            /* [(lag_max + ARX_HORIZON_MAX) ny] nominal prediction of the recent past */
        /* [ny], [ny], [arx_predict_work of one step]: what arx_add compares readings with */
        double *bound, *bound_low, *bound_work;
        uint8_t *every; /* [ny] all 1 */
        struct arx_hash_memo *memo;
        struct arx_member *member; /* NULL: no set membership */
        double *scratch;           /* arx_fit: 3 n² + 8 n with n = ARX_TERMS_MAX */
};

/* Reduced scaled regressor z [m] of phi [n]; returns the eliminated member's value (0 without a group). */
double arx_reduce(const struct arx *m, const struct arx_row *r, const double *phi, double *z);
/* radius · ‖z‖ in the inverse norm; z [m] is overwritten. */
double arx_ellipsoid_width(const struct arx_row *r, double *z);
/* The same of several z at once, which the processor overlaps: z [m × ARX_ELLIPSOID_POINTS], overwritten;
 * ret [ARX_ELLIPSOID_POINTS]. */
void arx_ellipsoid_widths(const struct arx_row *r, double *z, double *ret);
#define ARX_ELLIPSOID_POINTS 4
/* Histogram of |residual|: counts one in, forgetting; the q-quantile's upper bin edge (0 when empty). */
void arx_hist_add(const struct arx *m, double *hist, double *weight, double residual);
double arx_hist_quantile(const struct arx *m, const double *hist, double weight, double q);
/* predict.c: nominal free run of the whole window's last `steps` rows, started before them; buf as free_run. */
const double *arx_free_run(const struct arx *m, const struct arx_window *w, size_t steps, double *buf);

/* arx_predict_work of this structure. */
size_t arx_work_of(const struct arx_structure *st, size_t n_steps);
/* Recomputes row i's sum1_infeasible from lo/hi. */
void arx_row_check_sum1(struct arx *m, size_t i);
/* member.c. add: one more sample of row i, reduced; turn: the boxes of the rows whose turn it is; before_fit: that of
 * row i, where there are no turns. Where nothing of the set is left its samples are forgotten. forget: the box is the
 * prior again. */
void arx_member_add(struct arx *m, size_t i, const double *z, double target);
void arx_member_turn(struct arx *m);
void arx_member_before_fit(struct arx *m, size_t i);
void arx_member_forget(struct arx *m, size_t i);
/* fit.c: θ and the set of row i anew. False: it is as it was, or was reset. */
bool arx_fit_row(struct arx *m, size_t i);
/* Row i as after create, but for the counts; a reset is counted. */
void arx_row_reset(struct arx *m, size_t i);

#endif
