/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the linear rows of the inlets miss: with little air the racks take back what they blew out, with plenty none.
 * The mean error of the model's free run over a log at each speed of the zone's fans. No clock, no logging; allocates
 * at create.
 */
#ifndef COOLPLANE_PLANNER_INLET_BEND_H
#define COOLPLANE_PLANNER_INLET_BEND_H

#include "agent/points/layout.h"
#include "agent/store/dataset.h"
#include "models/arx/arx.h"

struct inlet_bend;
/* y, u, d: the dataset's rows with gaps filled. 0 or -ENOMEM. */
int inlet_bend_create(const struct layout *l, const struct arx *model, const struct dataset *ds, const double *y,
                      const double *u, const double *d, struct inlet_bend **ret);
struct inlet_bend *inlet_bend_free(struct inlet_bend *b);
/* How much warmer inlet i (index of y) is than its row says under settings u [nu] of all than under `than` [nu]; K, 0
 * where the log has not told. */
double inlet_bend_k(const struct inlet_bend *b, size_t i, const double *u, const double *than);

#endif
