/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Receding-horizon proposals. Fast: supply air and fans over N steps of 30 s by projected gradient on the ARX
 * prediction: power (fan cubes, warmer supply helps the water side, warm inlets speed up server fans) plus soft limits.
 * Slow: chilled water, condenser water and the set of running chillers by search over a grid of named moves, scored by
 * the energy ensemble's mean + k·spread, inside the data's neighbourhood.
 *
 * Everything here is untrusted: safety/ changes or refuses it. Pure: caller's memory, deterministic by seed.
 */
#ifndef COOLPLANE_PLAN_PLAN_H
#define COOLPLANE_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/arx/arx.h"
#include "models/energy/energy.h"

enum plan_u_kind { PLAN_U_SAT, PLAN_U_FAN, PLAN_U_CHWST, PLAN_U_CWST, PLAN_U_CHILLER };

struct plan_u {
        enum plan_u_kind kind;
        double lo, hi, rate; /* rate: either direction, per fast step; slow kinds (CHWST, CWST): per slow step */
        double nominal;
        int zone;       /* −1 = plant */
        int d_rat;      /* SAT and fan: disturbance that is this air handler's return air, −1 = none */
        double rated_w; /* fan: power at full speed; chiller: capacity; SAT: the air handler's capacity, 0 = unknown */
        double dead_band; /* the gate makes no smaller change: none is asked for, small steps are saved up */
};

/* What the thermal model takes for the speed of a fan, and it back: heat being given, temperatures go with 1/air, so
 * that a gain found at high speed holds at low. Rises with the speed, is 0.5 with slope 1 at half speed. */
#define PLAN_FAN_MIN 0.1 /* below it a fan counts as this */
double plan_fan_input(double ratio);
/* Of a coil's valve, up to a factor: air cooled by drop_k (return - supply) to approach_k above the water, at the fan's
 * speed. */
double plan_coil_opening(double drop_k, double approach_k, double fan_ratio);
double plan_fan_ratio(double input);

enum plan_y_kind { PLAN_Y_INLET, PLAN_Y_VALVE, PLAN_Y_OTHER };

struct plan_y {
        enum plan_y_kind kind;
        size_t row;          /* arx output */
        double target_max;   /* soft: stay below */
        double weight;       /* cost per K² above */
        double knee;         /* server-fan knee (inlets); NaN = none */
        double knee_w_per_k; /* extra IT fan power per K above the knee, at knee_scale 1 */
        double leak_w_per_k; /* extra IT power per K anywhere, the same */
};

struct plan_args {
        size_t horizon; /* fast steps, 10–30 */
        size_t iter_max;
        double explore_k;       /* exploration amplitude as a fraction of the range, 0 = exploit */
        double spread_k;        /* pessimism: score = mean + spread_k · std */
        double trust;           /* largest energy distance accepted */
        double capacity_margin; /* running chiller capacity ≥ load × (1 + margin) */
        double tower_approach_k;
        double slow_step_s;   /* > 0 */
        size_t d_chw, nd_chw; /* disturbances that are chilled water temperatures: first and number (0 = none) */
        uint64_t seed;
};
void plan_args_default(struct plan_args *ret);

struct plan;
size_t plan_memsize(const struct arx_structure *st, size_t nu, size_t ny, const struct plan_args *a);
int plan_create(void *mem, size_t size, const struct arx_structure *st, const struct plan_u *u, size_t nu,
                const struct plan_y *y, size_t ny, const struct plan_args *a, struct plan **ret);

struct plan_input {
        const struct arx *model;     /* nominal model; unfitted: holds, or explores when asked */
        const struct energy *energy; /* may be NULL or unfitted */
        struct arx_window window;    /* last row = now; fans as plan_fan_input */
        const double *u_now;         /* [nu] confirmed; NaN = cannot be read (plan_step) */
        const double *d_future;      /* [horizon × nd] forecast */
        struct energy_sample plant;  /* plant averages now */
        bool slow_step;
        bool followed;     /* what the last step asked for was acted on (not in shadow, not after a late answer) */
        uint64_t step;     /* counter; randomness is a function of (seed, step) */
        bool explore;      /* identification phase: random walk u + U(−Δ, Δ) in range and rate */
        double knee_scale; /* of every knee_w_per_k and leak_w_per_k, > 0; anything else: 1 */
        double caution_k;  /* stay this much further below every inlet target than asked for at create */
};

struct plan_output {
        double u[512];                       /* [nu] first action */
        double predicted_w, predicted_std_w; /* plant power of the plan; NaN = no energy model */
        double predicted_max_inlet_c;        /* hottest predicted inlet of the horizon; NaN = no usable model */
        bool in_distribution;
        const char *move; /* name of the slow move chosen, e.g. "chwst +0.5 K"; valid until the next plan_step */
};
/* Never fails; with no usable model it proposes u_now (or explores when asked). nu ≤ 512. A fan that cannot be read, or
 * supply air whose temperature cannot either, leaves what shares an inlet with it where it is. Not in_distribution: a
 * water setpoint or chiller that cannot be read, half of the air handlers, or any of them while it explores. */
void plan_step(struct plan *p, const struct plan_input *in, struct plan_output *ret);

#endif
