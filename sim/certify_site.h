/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The stylised site of `coolplane-sim certify` and the linear plants drawn for it: a row of n air handlers with one
 * rack each. Inlet i reads itself, supply air and fans of its own air handler and of the two beside it (their weights
 * add to 1 with its own), the power of its rack and of the row, and a constant; supply air reads itself, its setpoint,
 * the entering water (these add to 1) and its fan. One lag: the gate's own structure (agent/points/layout.h), thinned
 * out to neighbours so that 64 air handlers fit.
 *
 *   u = n × (supply air setpoint °C, fan ratio), chilled water setpoint °C, two chillers
 *   y = n inlets °C, n supply airs °C          d = n rack powers W, power of the row W, entering water °C
 *
 * Θ is the box lo … hi: a commissioning estimate ± 50 % (own lag of an inlet 0.76 … 0.84), with the sums. In all of it
 * the nominal action (18 °C, 80 %) holds the limit at the ratings: the claim's "one safe action is known". Without
 * `contracting` the rows know no sums, the own lag is 0.97 ± 5 %, so sums beyond 1 are in Θ and nothing the prior alone
 * says can be certified.
 *
 * Pure; no allocation. A site points into itself: it is not copied.
 */
#ifndef COOLPLANE_SIM_CERTIFY_SITE_H
#define COOLPLANE_SIM_CERTIFY_SITE_H

#include "agent/gate/envelope.h"
#include "models/num/rng.h"
#include "safety/safety.h"

#define CERTIFY_UNITS_MAX 64
#define CERTIFY_Y_MAX (2 * CERTIFY_UNITS_MAX)
#define CERTIFY_U_MAX (2 * CERTIFY_UNITS_MAX + 3)
#define CERTIFY_D_MAX (CERTIFY_UNITS_MAX + 2)
#define CERTIFY_TERMS_MAX (14 * CERTIFY_UNITS_MAX)
#define CERTIFY_STEP_S 30.0
#define CERTIFY_RACK_W 8000.0 /* rating */
#define CERTIFY_WATER_MAX_C 18.0

struct certify_site {
        size_t units;
        bool contracting;
        struct gate_spans span;
        struct safety_envelope env;
        struct safety_u u[CERTIFY_U_MAX];
        struct safety_y cert[CERTIFY_UNITS_MAX];
        double d_max[CERTIFY_D_MAX];
        struct arx_structure st;
        size_t row_start[CERTIFY_Y_MAX + 1];
        struct arx_term term[CERTIFY_TERMS_MAX];
        double scale[CERTIFY_TERMS_MAX], lo[CERTIFY_TERMS_MAX], hi[CERTIFY_TERMS_MAX];
};

/* 1 ≤ units ≤ CERTIFY_UNITS_MAX; horizon 0 = the gate's. */
void certify_site_init(struct certify_site *s, size_t units, size_t horizon, bool contracting);

enum certify_plant {
        CERTIFY_RANDOM, /* somewhere in Θ */
        CERTIFY_UPPER, /* (A⁺, B⁺, C⁺): every gain at its warmest end; slow and least mixed where sums leave a choice */
        CERTIFY_LOWER, /* the other end */
        CERTIFY_DRIFT, /* from one point of Θ to another and back in 24 h: in Θ, but not what was learned hours ago */
        CERTIFY_UNBOUNDED, /* a contracting plant; its Θ is not (see above) */
        CERTIFY_PLANTS
};

/* θ [nterm] of a plant of Θ; CERTIFY_DRIFT draws like CERTIFY_RANDOM. */
void certify_draw(const struct certify_site *s, enum certify_plant kind, struct rng *r, double *ret_theta);

/* y [ny] → y [ny] one step later; u [nu] and d [nd] in force, w [ny] noise. ret_y may not be y. */
void certify_advance(const struct certify_site *s, const double *theta, const double *y, const double *u,
                     const double *d, const double *w, double *ret_y);

#endif
