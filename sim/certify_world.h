/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What surrounds the filter in an episode of certify: load and water, noise, and who proposes. Pure. */
#ifndef COOLPLANE_SIM_CERTIFY_WORLD_H
#define COOLPLANE_SIM_CERTIFY_WORLD_H

#include "sim/certify.h"

#define CERTIFY_STALE_STEPS 60

struct certify_world {
        const struct certify_site *site;
        enum certify_load load;
        double level[CERTIFY_UNITS_MAX]; /* of the rating */
        double floor_c, water_c;         /* what chillers reach at best; entering water */
};
void certify_world_init(struct certify_world *w, const struct certify_site *site, enum certify_load load,
                        struct rng *r);
/* Loads and water of step k; the water follows its setpoint as far as it can. */
void certify_world_advance(struct certify_world *w, uint64_t k, double setpoint_c, struct rng *r);
/* d [nd] now, and the most it can be within `steps` from now while the water setpoint does not rise. */
void certify_world_read(const struct certify_world *w, size_t steps, double *ret_d, double *ret_d_hi);

/* Signs of the telegraph noise. */
struct certify_signs {
        double row[CERTIFY_Y_MAX];
};
/* w [ny] for the step that starts at y [ny]. */
void certify_draw_noise(const struct certify_site *s, enum certify_noise kind, const double *y, struct rng *r,
                        struct certify_signs *signs, double *ret_w);

struct certify_proposals {
        double u[CERTIFY_U_MAX];
        double past[CERTIFY_STALE_STEPS][CERTIFY_U_MAX]; /* sensible ones, ring by step */
};
/* Proposal of step k from inlets y and confirmed values; false = none. */
bool certify_propose(const struct certify_site *s, enum certify_proposer kind, uint64_t k, const double *y,
                     const double *confirmed, bool slow_step, struct rng *r, struct certify_proposals *p);

#endif
