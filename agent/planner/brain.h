/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The untrusted brain: a step message in, a proposal out, learning in between. The planner process wraps it in a
 * socket; replay and in-process simulation call it directly. No clock, no unseeded randomness: the same messages (and
 * the same history in the store) give the same proposals. Allocates at create and for each VM inventory. One thread.
 */
#ifndef COOLPLANE_PLANNER_BRAIN_H
#define COOLPLANE_PLANNER_BRAIN_H

#include "agent/gate/ipc.h"
#include "agent/points/layout.h"
#include "agent/store/store.h"

struct inventory;

struct brain_args {
        const struct site *site;     /* borrowed */
        const struct layout *layout; /* borrowed */
        struct store *store;         /* borrowed; read only, bound to the site; NULL = no history */
        /* The newest VM inventory, borrowed until the next step, NULL = none; without the function the store's newest
         * is read, and without a store no VM is placed. */
        const struct inventory *(*inventory)(void *ctx);
        void *inventory_ctx;
        uint64_t seed;
        bool learn; /* false: models stay as seeded from the store */
};

struct brain;

/* Reads the last day of the store first, so it may take seconds. -EINVAL: a site nothing can be planned for (no
 * manipulated variable, more than a message carries), -ENOMEM, -EIO. */
int brain_create(const struct brain_args *a, struct brain **ret);
struct brain *brain_free(struct brain *b);

/* Answers one step; always a well-formed message. */
void brain_step(struct brain *b, const struct ipc_step *step, struct ipc_proposal *ret);
/* Does the learning that the last step made due. Call it once the answer is on its way; the next brain_step does it
 * itself if nobody did, so that calling it changes no answer. */
void brain_learn(struct brain *b);

struct brain_info {
        uint64_t steps, seeded_rows;
        size_t rows, rows_fitted;
        double inlet_rmse_c; /* median one-step error of the inlet rows; NaN = none fitted */
        size_t energy_samples;
        double energy_cv_rmse_ratio;
        size_t vms;       /* in the last inventory */
        double caution_k; /* extra distance kept from the inlet targets because the gate has been refusing */
};
void brain_info(const struct brain *b, struct brain_info *ret);

#endif
