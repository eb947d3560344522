/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A log without what the operator's own steps shake. When a setting jumps, readings follow by their own ways for some
 * minutes, which no model knows to the second; a plant on which nobody made that step would have had none of it. A
 * series goes straight from its mean before a step to its mean half an hour after the last of those that follow each
 * other. Where settings move all the time (more than two hours without half an hour's rest) it stays as it is. No
 * clock, no logging; allocates at create.
 */
#ifndef COOLPLANE_PLANNER_CALM_H
#define COOLPLANE_PLANNER_CALM_H

#include "agent/planner/train.h"

/* A move of a setpoint within this is nothing that anybody would notice, by enum u_kind: K, K of fan speed … */
extern const double calm_same[5];

bool calm_steps(const struct layout *l, const double *u, const double *before);
struct calm;
/* u: [n × nu] settings of the log. 0, -ENOMEM. */
int calm_create(const struct layout *l, const struct dataset *log, const double *u, struct calm **ret);
struct calm *calm_free(struct calm *c);

/* ret[k × width] ← what is to be added to v[k × width], k < n rows; v and ret point at their first value. Unknown values
 * (NaN) have no part in the means and get 0. */
void calm_adds(const struct calm *c, const double *v, size_t width, double *ret);

#endif
