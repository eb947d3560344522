/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * ARX models with masks, priors and an interval uncertainty set.
 *
 * Row i (one per output):   y_i[t+1] = Σ_k θ_ik φ_ik[t] + w_i,   |w_i| ≤ w̄_i
 * φ_ik is one lagged value of an output, an input or a disturbance, or the constant 1 (struct arx_term).
 * Inputs and disturbances with lag 1 are the values in force from t to t+1.
 *
 * Sum-to-one group: terms marked sum1 are temperatures whose coefficients add to 1 (the room has no preferred
 * temperature: raise every temperature by 1 K at equal heat and the answer is 1 K higher). Enforced in the fit and used
 * by the worst case.
 *
 * Fit: ridge least squares under sign and box priors, from accumulated normal equations, so that data can be added for
 * ever in constant memory, with forgetting. One member of the sum-to-one group (the row's own first lag) is eliminated,
 * so the sum holds to rounding and the ridge pulls toward persistence. The model set of a row is the intersection of
 *   an ellipsoid  (c − ĉ)ᵀ G (c − ĉ) ≤ (β s + √ridge ‖c − c₀‖)²,
 *   intervals     θ̂_k ± (β s + √ridge ‖c − c₀‖) √((G⁻¹)_kk) ∩ prior,   and the sum-to-one group,
 * with β of self-normalised least squares (Abbasi-Yadkori et al. 2011; holds at all times for sub-Gaussian noise; s is
 * the estimate of its scale), or the smaller asymptotic one; each row separately with 1 − delta. Constraining the fit
 * to a convex prior that holds the truth never moves it away from the truth in the norm of G, so the set stays valid.
 * A bound that no noise exceeds narrows the intervals further (arx_member_create).
 * The ellipsoid keeps what intervals lose: at the operating point the data say precisely what happens, although single
 * coefficients may be poorly known (measured on the simulated hall: one-step excess 6 K with intervals alone, 0.3 K).
 * w̄: quantile of the |one-step residuals| seen before they were learned from, and on top of it what keeps the one-step
 * bound honest whatever the data do: quantile tracking (adaptive conformal inference, Gibbs and Candès 2021; of the
 * quantile itself, Angelopoulos et al. 2023). A reading above its bound adds track_step (1 − track_miss), one below it
 * takes track_step · track_miss off; what is above zero, times w̄, counts as noise in every step of a worst case.
 * After Lazic et al., "Data center cooling using model-predictive control", NeurIPS 2018 (5 lags, 30 s, masks).
 *
 * Pure: caller's memory, no I/O, no clock, no allocation after create. One thread per object.
 */
#ifndef COOLPLANE_ARX_ARX_H
#define COOLPLANE_ARX_ARX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARX_TERMS_MAX 96 /* regressors of one row */

enum arx_src { ARX_SRC_Y, ARX_SRC_U, ARX_SRC_D, ARX_SRC_ONE };

struct arx_term {
        uint8_t src;    /* enum arx_src */
        uint8_t lag;    /* ≥ 1 */
        uint8_t sum1;   /* 1 = member of the row's sum-to-one group */
        int8_t sign;    /* +1: θ ≥ 0, −1: θ ≤ 0, 0: free */
        uint16_t index; /* of the output, input or disturbance */
};

/* Flattened rows: terms of row i are term[row_start[i] … row_start[i+1]). */
struct arx_structure {
        size_t ny, nu, nd;
        unsigned lag_max;
        size_t nterm;
        const size_t *row_start;     /* [ny + 1] */
        const struct arx_term *term; /* [nterm] */
        const double *scale;         /* [nterm] typical size of the regressor, > 0; conditions the fit */
};

/* History window, newest last: y [(n) × ny], u [n × nu], d [n × nd], row-major; NaN = invalid. Row r of u and d holds
 * the values in force from row r to r+1. */
struct arx_window {
        size_t n;
        const double *y, *u, *d;
};

enum arx_set {
        /* β² = 2 ln(1/δ) + ln det(G)/det(ridge): any stopping time, adaptive inputs */
        ARX_SET_SELF_NORMALISED,
        /* Long records: ellipsoid β² = n + 2√(n l) + 2 l, l = ln(2/δ) (chi-square tail), intervals β² = 2 ln(4 n/δ) */
        ARX_SET_ASYMPTOTIC,
        /* No confidence set: θ̂ by least squares, the set is the prior and what membership leaves of it
         * (arx_member_create). */
        ARX_SET_MEMBERSHIP,
};

struct arx_args {
        double ridge;      /* relative to the scaled regressor, > 0 */
        double forget;     /* per added sample, (0, 1] */
        double delta;      /* 1 − confidence of the parameter set, e.g. 0.05 */
        double w_quantile; /* residual quantile for w̄, e.g. 0.995 */
        double w_min;      /* floor of w̄ (sensor noise and quantisation), unit of y, > 0 */
        double w_unfitted; /* w̄ of a row before its first fit; below w_min: w_min */
        enum arx_set set;
        /* 0: the worst case lets every |w| ≤ w̄ in every step, all in one direction. H ≥ 2 (at most ARX_HORIZON_MAX):
         * the noise is bounded by w̄ in one step and by the w_quantile of the H-step free-run residual in sum; after the
         * first step the worst case counts only w_step a step, such that H steps accumulate that. Residuals are mostly
         * sensor noise, which does not accumulate. Statistical, not adversarial; until 50 such residuals are seen
         * w_step = w̄. Above w̄ where other rows' errors come in on the way. */
        unsigned w_horizon;
        /* Take the worst case from what the window's transitions showed as well as from zero, and count the tighter
         * bound: what was just seen bounds θ too, and the plant's standing heat cancels. The mean noise of `count`
         * transitions is counted as w̄; with w_horizon as max(w_step, w̄/√count), at most w̄. Sound at every step, but a
         * later window may bound less, so a certificate no longer implies the next one (safety.h, chain). */
        bool anchor;
        /* Of the readings of a row at most this share, in the long run and whatever made them, lies above the upper
         * one-step bound of that step: misses ≤ track_miss T + (B / w_min + track_floor) / track_step + 1 after T
         * readings that exceed the bound without the addition by no more than B. 0 = no tracking. The next three are in
         * units of w̄. */
        double track_miss;
        double track_step;  /* > 0 */
        double track_floor; /* ≥ 0: how far below zero it may go, so that a single miss adds nothing */
        /* Addition at which the data contradict the set: the row forgets them and begins anew from its prior. 0: never.
         */
        double track_reset;
};
#define ARX_HORIZON_MAX 20
void arx_args_default(struct arx_args *ret);

struct arx;

size_t arx_memsize(const struct arx_structure *st);
/* mem: arx_memsize() bytes, aligned to 16, borrowed for the life of the object. prior_lo/hi [nterm] or NULL = sign
 * priors only (±INFINITY otherwise). The structure's arrays are copied. -EINVAL on bad arguments. */
int arx_create(void *mem, size_t size, const struct arx_structure *st, const struct arx_args *args,
               const double *prior_lo, const double *prior_hi, struct arx **ret);

/* Set membership, beside the confidence set of least squares: no noise of row i ever exceeds w_max [ny] (unit of y,
 * 0 = nobody knows such a bound). Each sample then leaves of the prior only the θ that explain it so; the intervals are
 * those around what is left ∩ those of least squares, whose fit is held to it as to the prior. Where prior and bound
 * are true and θ stays, it holds the plant whatever the noise does (least squares need noise that averages out), and is
 * narrower where the bound is tight; from three standard deviations on least squares are narrower. Not all samples are
 * kept, and the bound of each widens by 1/forget a sample: looser, never wrong. Nothing left: the samples contradict
 * bound or prior and are forgotten, least squares go on (contradictions); a bound that is a little too small loses the
 * plant long before. Costs two linear programs a coefficient: before each fit with turns 0; else of every turns-th row
 * with each sample, so that no step bears them all, and a fit takes what it finds; and once more when 64 samples came
 * without any. After Milanese and Vicino, "Optimal estimation theory for dynamic systems with set membership
 * uncertainty", Automatica 1991. mem: arx_member_memsize() bytes, aligned to 16, borrowed for the life of m. Not saved:
 * after arx_load the intervals are those saved, and from the next fit on those of least squares and of what came since.
 * -EINVAL: a bound that is none, or for a row whose prior is not finite. */
size_t arx_member_memsize(const struct arx_structure *st);
int arx_member_create(struct arx *m, void *mem, size_t size, const double *w_max, size_t turns);
/* While pass is true samples are not offered to membership: what is said of noise is not said of them. */
void arx_member_pass(struct arx *m, bool pass);

/* True when m was created with args.anchor. */
bool arx_anchored(const struct arx *m);

const struct arx_structure *arx_structure(const struct arx *m);

/* Regressor of row i at the window's last row into phi [terms of row i]; false when any needed value is not finite. */
bool arx_regressor(const struct arx *m, size_t i, const struct arx_window *w, double *phi);

/* Adds the one-step pair (window → y_next [ny]); rows with a missing value are skipped. Also feeds the residual
 * statistics of the current fit and the tracking of its bound. Returns the number of rows that took the sample. */
size_t arx_add(struct arx *m, const struct arx_window *w, const double *y_next);

/* Re-solves every row with at least min_samples samples; other rows keep θ. A fitted set that cannot add to one is
 * empty: that row begins anew from its prior. Returns rows fitted. */
size_t arx_fit(struct arx *m, size_t min_samples);

/* Per-row state. */
struct arx_row_info {
        size_t samples;
        bool fitted;
        double rmse;             /* one-step, over the samples since the last fit (exponentially weighted) */
        double w_bar;            /* noise bound in force, w_more in it */
        double w_step;           /* what the worst case counts per step after the first; = w_bar when w_horizon is 0 */
        double w_more;           /* what tracking adds to w_bar and w_step */
        double drift;            /* the tracker in units of w̄, ≥ 0: how far the row strays from its set now */
        double drift_low;        /* the same of readings below their lower bound; adds nothing, resets nothing, ends at
                                  * track_reset; begins        anew after arx_load */
        size_t readings, misses; /* one-step bounds that were compared with a reading, and how many it exceeded */
        size_t resets;           /* how often the data contradicted the set since create */
        size_t contradictions;   /* how often no θ of the prior explained the samples within w_max */
        double width;            /* Σ (hi − lo)·scale: how wide the set still is */
        bool sum1_infeasible;    /* the intervals cannot add to 1: arx_worst drops the group's constraint */
};
void arx_row_info(const struct arx *m, size_t i, struct arx_row_info *ret);

/* Coefficients and interval of row i (arrays borrowed until the next arx_fit). */
void arx_row(const struct arx *m, size_t i, const double **ret_theta, const double **ret_lo, const double **ret_hi);

/* What row i has lately been missing: mean of y − θᵀφ over the window's transitions that it saw whole; 0 when there are
 * none (lag_max rows hold none) or it is not fitted. Counted in every step of a prediction it makes the model agree
 * with the present: slow errors of gains and disturbances nobody measures cancel, noise averages (offset-free
 * prediction). */
double arx_offset(const struct arx *m, size_t i, const struct arx_window *w);

/* Nominal N-step prediction of all outputs. u_future [N × nu], d_future [N × nd]: values in force during each step
 * (row 0 replaces the window's last row). offset [ny]: added in every step
 * (arx_offset), NULL = none. ret_y [N × ny]. work
 * [arx_predict_work(m, n) doubles]. Rows not fitted predict persistence. */
size_t arx_predict_work(const struct arx *m, size_t n_steps);
void arx_predict(const struct arx *m, const struct arx_window *w, size_t n_steps, const double *u_future,
                 const double *d_future, const double *offset, double *work, double *ret_y);

/* Worst case of all outputs over every model in the set and every |w| ≤ w̄: an upper (dir > 0) or lower (dir < 0)
 * bound of y at every step. Before a fit exact at each step for the prior box ∩ sum-to-one when the outputs' own and
 * cross coefficients are ≥ 0 (cooperative rows); sound, looser, when some may be negative. After a fit the least of
 * four bounds that split θᵀφ between ellipsoid and intervals, and with an anchor of three more (predict.c). All values
 * may be negative. Same shapes as arx_predict. Rows for which `active` [ny] is 0 are held at the nominal prediction.
 * Rows never fitted use their prior. A bound that cannot be given (a value missing in the window, no prior) is NaN or
 * infinite, never a number: compare in accepting form. */
void arx_worst(const struct arx *m, const struct arx_window *w, size_t n_steps, const double *u_future,
               const double *d_future, int dir, const uint8_t *active, double *work, double *ret_y);

/* The same worst case step by step, for a caller that tries many inputs from one window, or has seen enough before the
 * end. begin: once a window; the model must stay as it is until the last step. step: t = 0 first, then one by one, and
 * again from 0 for other inputs; u_future and d_future as above, rows up to t are read. Writes ret_y [ny] of the rows
 * that are active now. Those of begin are the most that may be; later fewer may be active, but none that
 * reads an inactive one. */
struct arx_rollout { /* members are arx's own */
        const struct arx *m;
        const struct arx_window *w;
        size_t n;
        double sgn;
        double *far, *near; /* tubes, lag_max measured rows before the steps; one and the same where one is enough */
        /* The anchor of each row (args.anchor): what the last transitions of the window showed. Mean regressor [nterm],
         * mean outcome [ny] (NaN = no anchor) and the bound of their mean noise [ny]. */
        double *phi_ref, *y_ref, *w_ref;
};
void arx_rollout_begin(struct arx_rollout *ret, const struct arx *m, const struct arx_window *w, size_t n_steps,
                       int dir, const uint8_t *active, double *work);
void arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u_future, const double *d_future,
                      const uint8_t *active, double *ret_y);
/* For a guess at other inputs: by how much the bound of row i at step t of the last pass changes with each regressor of
 * the row that is an output or an input (ret_slope [terms of row i], 0 for the others, NaN where there is no bound). By
 * differences: right while the maximising coefficients stay the same, and itself no bound of anything. */
void arx_rollout_slopes(const struct arx_rollout *ro, size_t i, size_t t, const double *u_future,
                        const double *d_future, double *ret_slope);

/* Hash of structure, θ, intervals and w̄ (FNV-1a 64 over the little-endian bytes): names the model set in decisions. */
uint64_t arx_hash(const struct arx *m);

/* Serialised form (versioned, little-endian, CRC-32). save: returns bytes needed; writes when cap suffices.
 * load: -EINVAL (wrong version, shape differs from m's structure, CRC, non-finite). Output untouched on failure. */
size_t arx_save(const struct arx *m, void *buf, size_t cap);
int arx_load(struct arx *m, const void *buf, size_t len);

/* The model set alone, as arx_hash names it: all that a worst case needs, nothing to go on learning from. A fixed
 * number of bytes for a structure, so that two sets can be compared byte by byte. save: returns bytes needed; writes
 * when cap suffices. load: -EINVAL (other structure or version, outside m's prior, not finite), then m is untouched;
 * afterwards arx_worst and arx_hash answer as the model that was saved (created with the same arguments); whether the
 * bytes are those that were saved, only the hash tells. */
size_t arx_set_save(const struct arx *m, void *buf, size_t cap);
int arx_set_load(struct arx *m, const void *buf, size_t len);

#endif
