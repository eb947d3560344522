/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Inside of models/plan: one plan object, shared by the fast (fast.c), slow (slow.c) and exploring (plan.c) parts. */
#ifndef COOLPLANE_PLAN_PLAN_IMPL_H
#define COOLPLANE_PLAN_PLAN_IMPL_H

#include "models/plan/plan.h"

/* Chilled water stays this far below the coldest supply air asked for. */
#define PLAN_SUPPLY_APPROACH_K 2.0
/* Pumps: P = P_now (1 + v^5.3 − v_now^5.3), v the valves' mean opening: with all valves wide open half of the pump
 * power follows the cube of the flow, the rest is constant flow through chillers and condensers; flow as v^1.75. */
#define PLAN_PUMP_EXPONENT 5.3
/* Where nothing tells what warmer chilled water saves: it rises while the widest valve is below this. */
#define PLAN_VALVE_RAISE_BELOW 0.75

/* An air handler whose return air is measured: its return air is forecast by energy balance, and its valve by what the
 * coil must do, both anchored at what is measured now. */
struct plan_handler {
        size_t sat, fan, d; /* u, u, d */
        int zone;
        double input, k_per_input; /* of the fan now; return air cools by this much per input */
        size_t valve;              /* output, SIZE_MAX = none */
        double v;                  /* opening now over what the coil formula gives; 0 = the valve's own row predicts */
};

/* Many short sums of products over the table of rows, four side by side so that none waits for another:
 * row[target[k]] += Σ_t coef[4 t + k mod 4] · row[off[4 t + k mod 4]], t = first[k / 4] … first[k / 4 + 1], in that
 * order. Longest first; shorter ones of a block are filled up with zeros. */
struct plan_sums {
        size_t n;       /* targets */
        size_t *target; /* [n] column */
        size_t *slot;   /* [width] of a column; SIZE_MAX = it has no sum */
        size_t *count;  /* [width] terms of a column */
        size_t *first;  /* [blocks + 1] */
        double *coef;   /* [4 × terms] */
        int32_t *off;   /* [4 × terms] */
};

/* What became of chillers, as their confirmed commands show it: what was asked and refused is no move. In slow steps.
 */
struct plan_staging {
        bool seen, changed_once, last_on;
        uint64_t changed;    /* last change of the running set … */
        uint64_t wait;       /* … after which a start for economy waits this long */
        uint64_t lengthened; /* last change of the wait */
        size_t asked;        /* chiller asked to switch in the last slow step, SIZE_MAX = none … */
        bool asked_economy;  /* … on, though capacity did not need it */
        bool waits;          /* a switch that would pay waits now */
};

/* What is known of free cooling (freecool.c). Reach: K of chilled-water setpoint above tower water, per W of heat. */
struct plan_economiser {
        bool seen, is_free;    /* ever since create; in the last slow step */
        double short_k_w;      /* reach that was too short; 0 = none is known */
        double last_k_w;       /* of the last slow step */
        double running_w;      /* what the compressors drew at most when they last ran; 0 = not known */
        uint64_t enough_since; /* slow step of the last one with too short a reach */
};

struct plan {
        struct plan_args args;
        size_t nu, ny, nd, npy, lag_max, nterm; /* ny: outputs of the model; npy: outputs that matter here */
        struct plan_u *u;                       /* [nu] */
        struct plan_y *y;                       /* [npy] */
        struct plan_handler *handler;           /* [nu], by zone */
        size_t nhandler;
        double *rise_k; /* [npy] by how much an inlet has become warmer over the window */
        uint8_t *acts;  /* [nu × npy] 1 = u can move that output (directly or through another output) */

        /* Work of one step, no meaning between steps (but saved). History and future share one table of rows [y | u | d
         * | 1], so that a regressor is one offset from its output's row. Row lag_max−1 = now. */
        uint8_t *row_ok; /* [ny] fitted and all its regressors known */
        uint8_t *free;   /* [nu] 1 = the fast plan may move it */
        size_t width;    /* ny + nu + nd + 1 */
        double *z, *g;   /* [lag_max + horizon rows] values; [lag_max + horizon + lag_max] adjoint, its last rows 0 */
        double *theta;   /* [nterm] coefficients of the usable rows, else 0 */
        struct plan_sums ahead; /* outputs of a row of z from the rows before */
        struct plan_sums back;  /* the same terms transposed: adjoint of a row of g from the rows after; only columns
                                 * that the gradient is read from */
        uint8_t *wanted;        /* [width] those columns */
        size_t *by_lag;         /* [nterm] terms, longest lag first; constant after create */
        uint16_t *row_of;       /* [nterm] output whose row has the term; constant after create */
        double *offset;         /* [ny] added in every step */
        double *slope; /* [horizon × npy] of the cost just evaluated, per output, without the step's weight … */
        double *share, *shares; /* [horizon × npy] valves' parts of the widest one; [horizon] their sums */
        double *rat;            /* [nd × horizon] return air as forecast without us; row of a handler's d */
        double *now, *value;    /* [nu] operating point; W per K of warmer supply air */
        double *target, *trial, *grad, *grad_prev, *best; /* [nu] */

        double *saved; /* [nu] steps toward less cooling not yet asked for: too small by themselves */

        bool all_known;   /* every variable could be read in this step */
        bool planned;     /* target holds the last step's: where to begin */
        double caution_k; /* of this step */
        double knee_scale;
        double approach_k;    /* supply air above chilled water at the coil of the widest valve */
        double fan_price;     /* W per W of a fan: itself and the chillers' power for its heat */
        double pump_price_w;  /* W per opening of one valve: its water is pumped */
        double valve_price_w; /* W per opening of the widest valve: what keeps the chilled water from rising */

        struct plan_staging staging;
        struct plan_economiser freecool;
        uint64_t warm_from; /* slow step from which warmer water may be asked for again */
        double *was;        /* [nu] chillers: command of the last slow step */
        double *vain_until; /* [nu] chillers: asked to switch and did not; left alone until this slow step */
        uint64_t slow_count;
        char move[64];
};

/* Fills histories from the window; false when the model cannot be used at all (too short, other shape). */
bool plan_load_window(struct plan *p, const struct plan_input *in);
/* sums.c: the terms of the usable rows, zeros (sign priors make many) left out, into p->ahead and p->back. */
void plan_compile(struct plan *p, const struct arx *m);
/* Entries of coef and off that the model's terms take at most when no sum has more than `longest`. */
size_t plan_sums_slots(const struct plan *p, size_t longest);
/* by_lag and row_of, once. */
void plan_order_terms(struct plan *p, const struct arx_structure *st);
/* Adds the sums to their targets in the row. */
void plan_sums_add(const struct plan_sums *s, double *row);
/* Cost of holding `target` (reached at the variables' rates) in W, averaged over the horizon; grad [nu] or NULL. */
double plan_fast_cost(struct plan *p, const double *target, double *grad);
/* Its gradient at the target just evaluated. */
void plan_fast_gradient(struct plan *p, const double *target, double *grad);
/* Optimises the fast variables from the operating point; p->best on return. */
void plan_fast(struct plan *p);
/* Hottest inlet of the last simulated future. */
double plan_hottest(const struct plan *p);
/* Simulates the future under the inputs and disturbances in the table. */
void plan_simulate(struct plan *p);

static inline double *plan_y_at(const struct plan *p, size_t row, size_t i)
{
        return &p->z[row * p->width + i];
}

static inline double *plan_u_at(const struct plan *p, size_t row, size_t j)
{
        return &p->z[row * p->width + p->ny + j];
}

/* Puts a variable's value into the table. */
void plan_put_u(struct plan *p, size_t r, size_t j, double v);

static inline double *plan_d_at(const struct plan *p, size_t row, size_t k)
{
        return &p->z[row * p->width + p->ny + p->nu + k];
}

/* Remembers what the coils do now, for plan_simulate. */
void plan_anchor_valves(struct plan *p);
/* What the widest valve opens, its supply air being kept, when the water gets warmer by warmer_k (ratio), and per K
 * (relative): the same formula as the fast plan's. */
double plan_valve_factor(const struct plan *p, double warmer_k);
double plan_valve_slope(const struct plan *p);
/* Least room of the inlets this variable acts on: target − caution − measured; INFINITY when none is known. */
double plan_room_k(const struct plan *p, size_t j);
/* Of all inlets. */
double plan_least_room_k(const struct plan *p);
double plan_clamp(double v, double lo, double hi);
/* Largest valve opening now; NaN when no valve is known. */
double plan_valve_now(const struct plan *p);
/* Before a slow step: what the chillers did since the last one. */
void plan_observe_staging(struct plan *p, const struct plan_input *in);
/* Before a slow step: whether compressors stood still, and with how cold tower water. */
void plan_observe_economiser(struct plan *p, const struct plan_input *in);
/* W: what the plant s under u gains over `hold` by keeping, or coming nearer to, free cooling; < 0: loses. */
double plan_economiser_gain_w(const struct plan *p, const struct plan_input *in, const struct energy_sample *hold,
                              const double *u_hold, const struct energy_sample *s, const double *u);
/* Chooses the slow variables into u [nu]; sets p->move. */
void plan_slow(struct plan *p, const struct plan_input *in, double *u);
/* Switches one chiller on when the running ones cannot carry the heat with margin. */
void plan_stage_if_short(struct plan *p, const struct energy_sample *plant, double *u);
/* Plant state if `u` were in force. */
struct energy_sample plan_sample_with(const struct plan *p, const struct energy_sample *plant, const double *u);

#endif
