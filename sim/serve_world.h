/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A plant with its weather and load, from what the command line named. */
#ifndef COOLPLANE_SIM_SERVE_WORLD_H
#define COOLPLANE_SIM_SERVE_WORLD_H

#include "sim/plant.h"

struct world_args {
        const char *site;               /* named site or site file, or … */
        const struct plant_spec *spec;  /* … this one; NULL: by name */
        uint64_t seed;                  /* 0: the site's own */
        const char *weather, *workload; /* files; NULL: synthetic */
        enum plant_local local;
        const char *arrivals; /* folder of VMs that come and go, or "synthetic"; NULL: those of the site stay */
        bool economiser;      /* the site gets one if it has none */
};
struct world {
        struct plant_spec spec;
        struct chiller_curves *curves; /* of a site file */
        struct weather *weather;
        struct workload *workload;
        struct arrivals *arrivals;
        struct plant *plant;
};

/* What is to be built; *ret_curves is the caller's to free. 0 or an exit code, with the reason on stderr. */
int world_spec(const struct world_args *a, struct plant_spec *ret, struct chiller_curves **ret_curves);
/* 0 or an exit code, with the reason on stderr. */
int world_create(const struct world_args *a, int64_t start_ms, struct world *ret);
void world_free(struct world *w);

#endif
