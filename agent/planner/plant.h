/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The plant as the energy model sees it, one way for the running brain, its start from the store and `coolplane train`:
 * ratings, metered powers, the sample of a control step and its mean over a slow step. No clock, no logging.
 */
#ifndef COOLPLANE_PLANNER_PLANT_H
#define COOLPLANE_PLANNER_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/points/layout.h"
#include "agent/store/store.h"
#include "models/energy/energy.h"

/* Ratings from the data sheets, W; where they are missing, a share of the racks' rated power. */
double plant_rack_w(const struct site *site, int equipment);
double plant_coil_w(const struct site *site, int equipment);
double plant_fan_w(const struct site *site, int equipment);
double plant_chiller_w(const struct site *site, int equipment);
double plant_coils_w(const struct site *site);    /* Σ air handlers */
double plant_capacity_w(const struct site *site); /* Σ chillers, else Σ air handlers; always > 0 */

/* enum energy_part that a meter of this role counts to; −1 = none. */
int plant_power_part(enum role role);

/* Newest good values of the metered points. */
struct meters {
        const struct site *site; /* borrowed */
        double *value;           /* [npoint] */
        int64_t *t_ms;           /* [npoint] */
};
int meters_create(const struct site *site, struct meters *ret);
void meters_destroy(struct meters *m);
void meters_push(struct meters *m, const struct sample *s);
/* Sums per part; NaN when none is metered or one of them has been silent for longer than stale_ms. */
void meters_sum(const struct meters *m, int64_t t_ms, int64_t stale_ms, double *ret_power_w, double *ret_chillers_on);

struct energy_sample plant_sample(const struct layout *l, const double *y, const double *u, const double *d,
                                  const double *power_w, double chillers_on);

/* Means over a slow step, each field of the samples that had it. */
#define PLANT_FIELDS 11
struct plant_mean {
        unsigned steps_min; /* a slow step seen in fewer is no sample */
        int64_t slow;       /* index of the slow step being averaged */
        double sum[PLANT_FIELDS];
        unsigned n[PLANT_FIELDS], steps;
};
void plant_mean_init(struct plant_mean *m, const struct site *site);
/* Adds what was seen at t_ms; follows: the step before was the one right before. true: a slow step was completed. */
bool plant_mean_add(struct plant_mean *m, int64_t t_ms, int64_t slow_ms, bool follows, const struct energy_sample *s,
                    struct energy_sample *ret);
/* Completes the last one. */
bool plant_mean_close(struct plant_mean *m, struct energy_sample *ret);

#endif
