/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Did loads and water stay within what certificates counted on (d_hi; assumption A4 of safety/THEOREM.md)? The next
 * decision counts on what came instead, so nothing has to be done, but it has to be told: the certificates of the last
 * horizon said nothing about this. Told is a rise of more than twice what a decision of the last horizon allowed for
 * (its three standard deviations are passed now and then by what changes by leaps). Pure but for create.
 */
#ifndef COOLPLANE_GATE_ASSUMED_H
#define COOLPLANE_GATE_ASSUMED_H

#include <stddef.h>

struct gate_assumed;
int gate_assumed_create(size_t nd, size_t horizon, struct gate_assumed **ret); /* 0 or -ENOMEM */
struct gate_assumed *gate_assumed_free(struct gate_assumed *a);
void gate_assumed_clear(struct gate_assumed *a); /* after a gap */

/* A step: d [nd] is now (NaN = unknown), this decision counts on d_hi [nd] at most. own [nd]: what our own setpoints in
 * force may have made of it, −INFINITY = nothing. Returns a disturbance that is beyond and was not told since it is,
 * one a step, −1 = none. What d_hi does not let rise (d_hi = d) is not looked at. */
int gate_assumed_step(struct gate_assumed *a, const double *d, const double *d_hi, const double *own);

#endif
