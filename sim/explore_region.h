/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What is certified on the stylised row (explore_row.h), given a model set Θ (models/arx: prior ∩ data).
 *
 * An action u is certified in state x when for every model of Θ, every |w| ≤ w̄ and every load from the next step on,
 * u now and the nominal action (zero) afterwards keeps |x| ≤ ROW_LIMIT for ever. Checked exactly by one vertex
 * trajectory each way (arx_worst): along the horizon below the limit, at its end inside a terminal box T that the
 * nominal action keeps,  |A|⁺ T + |C|⁺ d̄ + w̄ ≤ T ≤ ROW_LIMIT.  T is the limit box where that is invariant (one step is
 * then enough); else x* + s v with x* = |A|⁺ x* + |C|⁺ d̄ + w̄ and v = |A|⁺ v + 1, s as large as the limit allows; and
 * where x* exceeds the limit there is none: rows of A do not contract enough, not even the nominal action can be
 * certified, and the only answer is to stay at it and to say so.
 *
 * Pure: caller's memory, no I/O, no clock, no allocation.
 */
#ifndef COOLPLANE_SIM_EXPLORE_REGION_H
#define COOLPLANE_SIM_EXPLORE_REGION_H

#include "sim/explore_row.h"

#define REGION_HORIZON 12

enum region_reason {
        REGION_CERTIFIED,       /* the action, whole or shortened */
        REGION_NOT_CONTRACTING, /* no terminal box: nothing can be certified with this Θ */
        REGION_STATE,           /* not even the nominal action is certified from this state */
        REGION_UNCHECKED,       /* the method does not ask */
};
#define REGION_REASONS (REGION_UNCHECKED + 1)
const char *region_reason_str(enum region_reason r);

struct region {
        const struct row *row;
        const struct arx *model; /* borrowed; region_update after each fit */
        bool contracting;
        size_t steps;               /* of the horizon that are needed: 1 when the limit box is invariant */
        double settle[ROW_Y_MAX];   /* x*: what the nominal action keeps to from zero; valid when contracting */
        double terminal[ROW_Y_MAX]; /* T; valid when contracting */
        size_t worst_row;           /* with the largest row sum of |A|⁺ */
        double worst_sum;
        double *work; /* arx_predict_work(model, REGION_HORIZON) */
        double upper[REGION_HORIZON * ROW_Y_MAX], lower[REGION_HORIZON * ROW_Y_MAX];
        double base_upper[REGION_HORIZON * ROW_Y_MAX], base_lower[REGION_HORIZON * ROW_Y_MAX];
};

/* Terminal box of the present Θ. */
void region_update(struct region *g);

/* Largest and smallest state at every step over Θ, u [nu] now and zero afterwards, into upper and lower [steps × ny].
 */
void region_bounds(struct region *g, const double *x, const double *d, const double *u, double *upper, double *lower);

/* Is the nominal action certified in this state? REGION_CERTIFIED, _NOT_CONTRACTING or _STATE. */
enum region_reason region_enter(struct region *g, const double *x, const double *d);
/* After REGION_CERTIFIED, same x and d: shortens u [nu] toward the nominal action, each unit by itself, until it is
 * certified. */
void region_clip(struct region *g, const double *x, const double *d, double *u);

/* Radius of the ball around the nominal action from which every `period`-th action may be drawn, zero in between, for
 * ever, starting from the nominal state: r Σ_k ‖eᵢᵀ(|A|⁺)ᵏ|B|⁺‖₂ + x*ᵢ ≤ ROW_LIMIT with k over the steps that act (the
 * worst phase). Exact for sign-definite B. 0 when not contracting. */
double region_ball(const struct region *g, size_t period);
#define REGION_PERIOD_MAX 64

#endif
