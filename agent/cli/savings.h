/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What coolplane savings has found, and how it is told. Shared by its three files alone. */
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

/* What was asked for. by_time, by_shadow: which kind of baseline; neither: another database. */
struct savings_span {
        int64_t from_ms, to_ms;
};
struct savings_options {
        const char *db, *config, *baseline, *ab, *load, *measure;
        struct savings_span before, after;
        bool by_time, by_shadow, has_after, json;
        int64_t skip_ms, offset_ms;
        struct savings_args args;
};

enum arm { ARM_NONE = -1, ARM_A, ARM_B };

struct savings_work {
        const struct savings_options *o;
        const struct site *site;
        struct store *store, *other; /* --db; baseline database or NULL */
        struct daily *days, *before; /* before: of `other`, else the same as days */
        int8_t *schedule;            /* [days->n] enum arm of --ab, NULL = none */
        int load_point;              /* −1 = none */
        bool dry_bulb;
        struct savings_story s;
};

/* Both periods, from days and before. 0, -ENOMEM. */
int savings_make_periods(struct savings_work *w);
/* The verb ends with exit 4 and this. */
void savings_refuse(struct savings_work *w, const char *reason, const char *why);
/* Refuses where no control was changed. 0 or -Exxx. */
int savings_check_control(struct savings_work *w);
/* Fills s.r and s.it, or refuses. 0 or -Exxx. */
int savings_estimate(struct savings_work *w);

void savings_print(const struct savings_story *s);
void savings_print_json(const struct savings_story *s);

#endif
