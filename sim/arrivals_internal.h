/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The trace behind struct arrivals, shared by the generator and the reader. */
#ifndef COOLPLANE_SIM_ARRIVALS_INTERNAL_H
#define COOLPLANE_SIM_ARRIVALS_INTERNAL_H

#include <stdbool.h>

#include "sim/arrivals.h"

#define FLAVOURS_MAX 26
#define LIVES_MAX 64 /* bins of lifetime */

struct arrival {
        uint8_t flavour, life; /* life: its bin */
        bool censored;
};

struct arrivals {
        struct {
                double cores, mem_gib;
        } flavour[FLAVOURS_MAX];
        size_t nflavour, nlife;
        double life_from_s[LIVES_MAX + 1]; /* bin k: from [k] to [k + 1] */
        struct arrival *arrival;
        size_t narrival, cap;
        size_t *first; /* [nbin + 1] */
        size_t nbin, bin_cap;
        /* the life table: leaves in bin k, given that it got there; and the mean life of those that outlive bin k */
        double hazard[LIVES_MAX], outlive_s[LIVES_MAX];
        double running_vms, running_cores;
};

int arrivals_push_bin(struct arrivals *a); /* opens the next bin: 0 or -ENOMEM */
int arrivals_push(struct arrivals *a, struct arrival x);
/* Cuts the trace to whole days and makes the life table; -EINVAL: nothing arrives. */
int arrivals_finish(struct arrivals *a);

#endif
