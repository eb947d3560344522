/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What is summed up over the closed steps of a plant under other settings (whatif.h), and what comes of it: the saving,
 * how sure it is, and why the log cannot tell. No clock, no logging; allocates at create and for the result. */
#ifndef COOLPLANE_PLANNER_WHATIF_SUMS_H
#define COOLPLANE_PLANNER_WHATIF_SUMS_H

#include "agent/planner/whatif.h"

struct whatif_sums;
/* a: of it the layout, the model and the log, all borrowed; the model has an energy model. log_u: [n × nu] the log's
 * settings with gaps filled, read here only. nmeter: the site's meters of each part; a part without counts for nothing.
 * 0 or -ENOMEM. */
int whatif_sums_create(const struct whatif_args *a, const double *log_u, const size_t nmeter[ENERGY_PARTS],
                       struct whatif_sums **ret);
struct whatif_sums *whatif_sums_free(struct whatif_sums *s);

/* A closed step that is over: the log's and ours. NaN: not known. */
struct whatif_sums_step {
        int64_t end_ms;
        bool follows;            /* the step before was the one right before */
        const double *log_u, *u; /* [nu] settings; borrowed */
        const double *log_y, *y; /* [ny]; borrowed */
        const double *log_d;     /* [nd] disturbances of the log; borrowed */
        bool modelled;           /* false: nothing below is known */
        struct energy_sample log, ours;
        double measured_w[ENERGY_PARTS];                                                  /* of the log */
        double log_w[ENERGY_MEMBERS][ENERGY_PARTS], ours_w[ENERGY_MEMBERS][ENERGY_PARTS]; /* by each member's word */
        double log_mean_w[ENERGY_PARTS], ours_mean_w[ENERGY_PARTS];                       /* of the members */
};
/* Steps in their order. false: the power of a metered part is not known; of the step only settings and temperatures
 * count. */
bool whatif_sums_add(struct whatif_sums *s, const struct whatif_sums_step *step);
/* All of it but the breaks, which are the walk's: 0. */
void whatif_sums_result(const struct whatif_sums *s, struct whatif_result *ret);

#endif
