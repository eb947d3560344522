/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A log without what the operator's own steps shake. When a setting jumps, readings follow in their own way for some
 * minutes, which no model knows to the second; a plant on which nobody made that step would have had none of it. So a
 * series is led straight from its mean before a step to its mean half an hour after the last of the steps that follow
 * each other. Where settings move on and on (for more than an hour and a half without half an hour's rest) it stays as
 * it is, and so it does at the ends of a segment, without a mean before or after. No clock, no logging; allocates at
 * create.
 */
#ifndef COOLPLANE_PLANNER_CALM_H
#define COOLPLANE_PLANNER_CALM_H

#include "agent/planner/train.h"

/* A move of a setting within this is nothing that an operator would notice; unit of the kind. */
double calm_same(enum u_kind kind);
/* Some setting [nu] differs from the other by more. NaN: not known to differ. */
bool calm_differ(const struct layout *l, const double *u, const double *than);

struct calm;
/* u: [n × nu] settings of the log, rows as in log. 0, -ENOMEM. */
int calm_create(const struct layout *l, const struct dataset *log, const double *u, struct calm **ret);
struct calm *calm_free(struct calm *c);

/* What is to be added to a series of the log, v[row × width], in ret[row × width]; rows without a step near are not
 * touched. Values that are not known have no part in the means, and get 0. */
void calm_adds(const struct calm *c, const double *v, size_t width, double *ret);

#endif
