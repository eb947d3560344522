/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The baseline of sim/certify_outside.h, which says how it was tuned: one PI loop for each air handler. */
#ifndef COOLPLANE_SIM_CERTIFY_PI_H
#define COOLPLANE_SIM_CERTIFY_PI_H

#include "sim/certify_site.h"

struct certify_pi {
        double kp, ti_s; /* share of the way from least to most cooling per K */
        double out[CERTIFY_UNITS_MAX], error_k[CERTIFY_UNITS_MAX]; /* out: 0 … 1, most cooling */
        double u[CERTIFY_U_MAX];                                   /* what it says; water and chillers as they began */
};

/* Bumpless from inlets y and what the plant has, u. kp, ti_s: 0 = tuned. */
void certify_pi_begin(const struct certify_site *site, const double *y, const double *u, double kp, double ti_s,
                      struct certify_pi *ret);
/* l->u ← after readings y, the plant having u. */
void certify_pi_step(const struct certify_site *site, const double *y, const double *u, struct certify_pi *l);

/* Of u: 0 … 1 of the way to most cooling, mean over supply airs and fans. */
double certify_cooling(const struct certify_site *site, const double *u);

#endif
