/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What coolplane savings has found, and how it is told. Shared by its two files alone. */
#ifndef COOLPLANE_CLI_SAVINGS_H
#define COOLPLANE_CLI_SAVINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/store/daily.h"
#include "models/savings/savings.h"

/* Days of one period, and why some are not whole. */
struct savings_period {
        size_t n, whole, no_cooling, no_it, no_weather, no_load;
        struct savings_day *day; /* [n] */
        int64_t first, last;     /* days; only with n > 0 */
        double over_k_min;       /* degree-minutes above the recommended inlet, a day */
        double pue;              /* of the whole days; NaN: none */
};
struct savings_story {
        const char *site, *db, *baseline, *load; /* load: "it", "calendar" or a point */
        const char *measure;                     /* what was changed, in the operator's words, or NULL */
        const char *weather;                     /* "wet bulb" or "dry bulb" */
        bool ab, fans_metered, it_checked;
        struct savings_period period[2]; /* baseline, reporting; of an A/B its two arms */
        double hours;                    /* of a day that are counted */
        struct savings_report r;         /* r.reason is what the models say … */
        struct savings_report it;        /* it_checked: IT as an outcome of calendar and weather */
        char refusal[32];                /* … and this what stops the verb: a reason, "" = told */
        char why[512];                   /* of a refusal, a sentence or two */
};

void savings_print(const struct savings_story *s);
void savings_print_json(const struct savings_story *s);

#endif
