/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Five explorers of the stylised row (explore_row.h). All identify with the same production code (models/arx: least
 * squares within the prior, intervals at 1 − δ); they differ in the actions they take.
 *
 *   walk    certified random walk: u + U(−1, 1), clipped to the box and to the certified region (explore_region.h)
 *   greedy  information-greedy: the vertices of the box within one step's rate, one unit after the other, by what they
 *           add to Σ_units log det of the Gram matrix of what acts on the unit; then the certified region
 *   ball    growing ball around the nominal action after Lu, Zinkevich, Boutilier, Roy, Schuurmans 2017 (arXiv
 *           1711.11165). This is OUR RE-IMPLEMENTATION from the paper's abstract and setting, not their code, and
 *           none of their figures is reproduced. It is given the same model set, priors included, in place of a PAC
 *           bound; the exact robust radius for it; the whole trajectory to come; actions on the sphere, which say most;
 *           and rests between actions (`ball_period`), which let the radius grow and are worth a factor of its steps.
 *   fixed   the same with the radius certified once, from the prior
 *   noise   uniform on the whole box whatever happens, certified by nobody
 *
 * Pure: caller's memory, no I/O, no clock, no allocation after create.
 */
#ifndef COOLPLANE_SIM_EXPLORE_METHODS_H
#define COOLPLANE_SIM_EXPLORE_METHODS_H

#include "sim/explore_region.h"

enum explore_method { EXPLORE_WALK, EXPLORE_GREEDY, EXPLORE_BALL, EXPLORE_FIXED, EXPLORE_NOISE };
#define EXPLORE_METHODS (EXPLORE_NOISE + 1)
const char *explore_method_str(enum explore_method m);

#define EXPLORE_WARMUP                                                                                                 \
        500 /* steps at the nominal action, the same for all, not counted: A is learned from noise alone */

struct explore_args {
        enum explore_method method;
        size_t ball_period; /* 1 … REGION_PERIOD_MAX: every so many steps one action from the ball, zero in between */
};
/* What suits the ball best for that many units. Of 1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25 and 30, tried on 1 to 40 seeds:
 * steps at 4 units 800 (each step), 280 (4), 220 (8, 10), 255 (12, 15), 245 (20). */
size_t explore_ball_period(size_t nunit);

/* What came of one run. */
struct explore_result {
        size_t first; /* steps until B̂ was within 5 % for the first time; 0 = never. Fits are each step up to 100, then
                       * each tenth. */
        size_t settled;            /* steps after which it stayed there to the end; 0 = did not */
        double error;              /* of B̂ at the end, relative */
        size_t violations;         /* steps with any state beyond its limit, warm-up included */
        size_t certified;          /* steps whose action was certified, the nominal one included */
        size_t moved;              /* steps whose action was not the nominal one */
        enum region_reason reason; /* of the last step */
        size_t worst_row;          /* with the largest worst-case row sum of A, and the sum, at the end */
        double worst_sum;
};

struct explore;
size_t explore_memsize(const struct row *r);
/* mem: explore_memsize() bytes, aligned to 16, borrowed; r borrowed. */
struct explore *explore_create(void *mem, size_t size, const struct row *r, const struct explore_args *a,
                               uint64_t seed);

/* The next action u [2 nunit] in state x under loads d. */
enum region_reason explore_next(struct explore *e, const double *x, const double *d, double *ret_u);
/* What came of it. */
void explore_learn(struct explore *e, const double *x, const double *u, const double *d, const double *x_next);
/* Learns the model set from what was added so far. */
void explore_fit(struct explore *e);
const struct arx *explore_model(const struct explore *e);

/* Warm-up, then `steps` steps of one explorer on one row. mem as for explore_create. */
void explore_run(void *mem, size_t size, const struct row *r, const struct explore_args *a, uint64_t seed, size_t steps,
                 struct explore_result *ret);

#endif
