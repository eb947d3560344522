/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The stylised row of air handlers on which explorers are compared: nunit units side by side, in deviations from the
 * nominal operating point (x = 0, u = 0, d = 0, which is safe).
 *
 *   x⁺ = A x + B u + C d + w,   |w| ≤ ROW_NOISE_BAR,  |d| ≤ 1,  |u| ≤ 1,  |u⁺ − u| ≤ 1,   to be kept: |x| ≤ ROW_LIMIT
 *
 * x [2 nunit]: per unit the cold-aisle temperature (K) and the differential pressure (Pa). u [2 nunit]: per unit the
 * fan and the valve (supply air) setpoint, ±1 = half of the range either way. d [nunit]: IT load of the aisle, ±1 = its
 * span. A ≥ 0 (cooperative); more fan and more valve cool the own and the next aisles; more fan raises the pressures.
 * One step is 30 s. The nominal action is within one step's rate of every other.
 *
 * The constants (explore_row.c) are our own stylisation, magnitudes after Lazic et al. 2018 and Lu et al. 2017; their
 * matrices are not public. No figure of theirs is reproduced here.
 *
 * The row is an ARX structure with one lag (models/arx), so the production identification and worst case read it.
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef COOLPLANE_SIM_EXPLORE_ROW_H
#define COOLPLANE_SIM_EXPLORE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/arx/arx.h"
#include "models/num/rng.h"

#define ROW_UNITS_MAX 64
#define ROW_Y_MAX (2 * ROW_UNITS_MAX)
#define ROW_TERMS_MAX (14 * ROW_UNITS_MAX)
#define ROW_LIMIT 2.0      /* K and Pa */
#define ROW_NOISE_STD 0.02 /* K and Pa; normal, cut at three of them */
#define ROW_NOISE_BAR (3 * ROW_NOISE_STD)

struct row_case {
        size_t nunit; /* 1 … ROW_UNITS_MAX */
        /* true: each coefficient is known to lie within ± ratio of a commissioning estimate, which is itself off by
         * as much. false: only signs and neighbours are known, and that no coefficient exceeds 1. */
        bool priors;
        double a_ratio, b_ratio; /* of A; of B and C: in (0, 1) */
};

/* Holds pointers into itself: not to be copied. */
struct row {
        size_t nunit;
        struct arx_structure st; /* ny = nu = 2 nunit, nd = nunit */
        size_t row_start[ROW_Y_MAX + 1];
        struct arx_term term[ROW_TERMS_MAX];
        double scale[ROW_TERMS_MAX];
        double theta[ROW_TERMS_MAX]; /* the truth */
        double prior_lo[ROW_TERMS_MAX], prior_hi[ROW_TERMS_MAX];
};

/* Draws a row and what is known of it. */
void row_create(struct row *ret, const struct row_case *c, uint64_t seed);

/* Value of output i without noise under coefficients theta [nterm]. */
double row_value(const struct row *r, const double *theta, size_t i, const double *x, const double *u, const double *d);

/* x [2 nunit] one step on, with noise, and the loads d [nunit], which wander; in place. */
void row_step(const struct row *r, struct rng *rng, const double *u, double *x, double *d);

/* Frobenius norm of B̂ − B relative to that of B; theta [nterm]. */
double row_error_b(const struct row *r, const double *theta);

#endif
