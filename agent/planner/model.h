/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The thermal model of the planner: one structure, one set of arguments and priors, one rule of what to learn from, one
 * way to predict. The running brain and `coolplane train` both use it, so that the error that training prints is that
 * of the model that runs. No clock, no logging; allocates at create.
 */
#ifndef COOLPLANE_PLANNER_MODEL_H
#define COOLPLANE_PLANNER_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/points/layout.h"
#include "models/arx/arx.h"

#define MODEL_LAGS 5      /* Lazic et al. 2018 */
#define MODEL_FIT_MIN 120 /* samples of a row: an hour of steps */
#define MODEL_WINDOW                                                                                                   \
        24 /* steps: lags, enough to carry a sensor over 10 minutes of silence, and to average an offset               \
            */

struct model {
        struct arx_structure *structure; /* free() */
        void *mem;                       /* of arx */
        struct arx *arx;
};

void model_args_default(struct arx_args *ret);
/* `lags` of outputs and inputs, or as many as the rows of a zone with many air handlers have terms for. -EINVAL,
 * -E2BIG, -ENOMEM. */
int model_create(const struct layout *l, unsigned lags, const struct arx_args *a, struct model **ret);
struct model *model_free(struct model *m);

/* Rows of u as the model takes them: fans as plan_fan_input. u, ret [n × nu]. */
void model_inputs(const struct layout *l, size_t n, const double *u, double *ret);

/* Output i's equipment runs, by its fan (command, else measurement) above 5 %; without one always. Supply air and
 * valves of a stopped air handler follow other laws. */
bool model_runs(const struct layout *l, const double *u, const double *d, size_t i);

/* arx_offset for the inlets, 0 elsewhere: leaks and recirculation that nobody measures stand as they stood; supply air
 * and valves are under a loop that corrects its own errors. ret [ny]. The planner's own prediction (models/plan) does
 * the same. */
void model_offset(const struct layout *l, const struct arx *m, const struct arx_window *w, double *ret);

/* Disturbances of the next steps: the last value, from which loads return to their mean over the rows seen. d [n × nd],
 * newest last; ret [steps × nd]. */
void model_forecast(const struct layout *l, size_t n, const double *d, size_t steps, double *ret);

#endif
