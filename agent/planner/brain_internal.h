/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#ifndef COOLPLANE_PLANNER_BRAIN_INTERNAL_H
#define COOLPLANE_PLANNER_BRAIN_INTERNAL_H

#include "agent/gate/inventory.h"
#include "agent/planner/brain.h"
#include "agent/planner/model.h"
#include "agent/planner/plant.h"
#include "models/energy/energy.h"
#include "models/plan/plan.h"

#define BRAIN_INLET_MARGIN_K 1.0 /* aim this far below the recommended limit */

/* What one control step saw, from the socket or from the store. */
struct observation {
        int64_t t_ms;
        const double *y, *u, *d;
        double power_w[ENERGY_PARTS], chillers_on;
        bool follows; /* the step before was the one right before */
};

struct brain {
        struct brain_args a;
        struct model *model;
        struct energy *energy;
        struct plan *plan;
        struct plan_args plan_args;
        void *energy_mem, *plan_mem;
        struct plan_u *pu; /* [nu] */
        struct plan_y *py;
        size_t npy;
        double it_design_w; /* IT power the server-fan penalty was sized for */

        size_t n;                      /* rows in the window */
        double *wy, *wu, *wd, *future; /* window [MODEL_WINDOW × …] */
        double *inputs;                /* the window's u as the model takes it; no meaning between steps */
        double *next;                  /* [ny] what to learn from */
        struct plan_output *out;

        bool learn_due, energy_due, place_due;
        struct ipc_step step; /* the slow step whose placement is due */
        uint32_t nmove;       /* moves found, told with the next answer */
        struct ipc_move move[IPC_MOVE_MAX];
        unsigned fit_countdown, energy_countdown;
        struct plant_mean mean;
        struct energy_sample last; /* plant now */
        struct plant_mean settled; /* … and since the second half of the slow step: after its moves have come to rest */
        unsigned since_slow;       /* steps */
        struct energy_sample ready;

        /* how far to stay from what the gate has been refusing lately */
        double caution_k;
        unsigned caution_pause; /* steps until another refusal counts */
        double *asked;          /* [nu] last answer; NaN = none */

        uint64_t steps, seeded_rows;
        int64_t last_t_ms;
        bool stepped;
        size_t vms;
};

/* brain_setup.c: the site as plan and energy see it */
int brain_setup_plan(struct brain *b);

/* brain.c */
void brain_observe(struct brain *b, const struct observation *o);

/* brain_place.c: VM moves for b->step into b->move */
void brain_place(struct brain *b);
/* Steady K of inlet row per W at the rack whose power is disturbance rack_d, > 0 within a zone. */
double brain_influence(const struct brain *b, size_t row, size_t rack_d);

/* brain_seed.c: yesterday, as if it had been watched */
int brain_seed(struct brain *b);

#endif
