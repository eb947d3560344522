/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the command line of coolplane-sim compare asks for. */
#ifndef COOLPLANE_SIM_COMPARE_OPTIONS_H
#define COOLPLANE_SIM_COMPARE_OPTIONS_H

#include "sim/serve_fault.h"
#include "sim/yardstick.h"

enum { COMPARE_CONTROLLERS_MAX = 16, COMPARE_WEATHERS_MAX = 16, COMPARE_SEASONS = 4 };
extern const char *const compare_season[COMPARE_SEASONS];

struct compare_options {
        struct world_args world;
        int64_t start_ms; /* INT64_MIN: by season */
        bool season[COMPARE_SEASONS];
        const char *weather[COMPARE_WEATHERS_MAX];
        size_t nweather;
        double hours, warmup_h;
        uint64_t seed;
        int64_t nseed, jobs;
        const struct yard_controller *controller[COMPARE_CONTROLLERS_MAX];
        size_t ncontroller;
        struct fault fault[FAULT_MAX];
        size_t nfault;
        const char *log, *html, *resume;
        bool json;
};

/* An exit code with the reason on stderr, or −1 to go on. */
int compare_parse(int argc, char **argv, struct compare_options *ret);
/* Whether season k is a cell, and when it begins; with --start there is one, k = 0. */
bool compare_cell_start(const struct compare_options *o, size_t k, int64_t *ret_ms);
/* The faults of a cell that begins at start_ms, in order; ret: [nfault], names borrowed from o. NULL, or the first that
 * is not in what counts, or not in whole steps. */
const struct fault *compare_faults(const struct compare_options *o, int64_t start_ms, struct yard_fault *ret);

#endif
