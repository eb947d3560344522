/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What coolplane savings has found, and how it is told. Shared by its own files, and by the page of coolplane evaluate,
 * which asks savrep_shadow. */
#ifndef COOLPLANE_CLI_SAVINGS_REPORT_H
#define COOLPLANE_CLI_SAVINGS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/store/daily.h"
#include "models/savings/savings.h"

/* Days of one period, and why some are not whole. */
struct savrep_period {
        size_t n, whole, no_cooling, no_it, no_weather, no_load;
        struct savings_day *day; /* [n] */
        int64_t first, last;     /* days; only with n > 0 */
        double over_k_min;       /* degree-minutes above the recommended inlet, a day; NaN: not known */
        size_t over_known;       /* days that know theirs */
        double ppue;             /* partial PUE: of the boundary, on the whole days; NaN: none */
};
struct savrep_story {
        const char *site, *db, *baseline, *load; /* load: "it", "calendar" or a point */
        const char *measure;                     /* what was changed, in the operator's words, or NULL */
        const char *weather;                     /* "wet bulb" or "dry bulb" */
        bool ab, fans_metered, it_checked;
        struct savrep_period period[2];          /* baseline, reporting; of an A/B its two arms */
        size_t partly;                           /* days left out: control was in force for part of them only, … */
        size_t cut;                              /* … or decisions were recorded for part of them only */
        struct store_stray stray[2][STORE_ROWS]; /* of --db and of another baseline */
        struct savings_report r;                 /* r.reason is what the models say … */
        struct savings_report it;                /* it_checked: IT as an outcome of calendar and weather */
        char refusal[32];                        /* … and this what stops the verb: a reason, "" = told */
        char why[512];                           /* of a refusal, a sentence or two */
};

/* What was asked for. by_time, by_shadow: which kind of baseline; neither: another database. */
struct savrep_span {
        int64_t from_ms, to_ms;
};
struct savrep_options {
        const char *db, *config, *baseline, *ab, *load, *measure;
        struct savrep_span within; /* days outside of it do not count; INT64_MIN, INT64_MAX: all */
        struct savrep_span before, after;
        bool by_time, by_shadow, has_after, json;
        int64_t skip_ms, offset_ms;
        struct savings_args args;
};

enum arm { ARM_NONE = -1, ARM_A, ARM_B };

struct savrep_work {
        const struct savrep_options *o;
        const struct site *site;
        struct store *store, *other; /* --db; baseline database or NULL */
        struct daily *days, *before; /* before: of `other`, else the same as days */
        int8_t *schedule;            /* [days->n] enum arm of --ab, NULL = none */
        int load_point;              /* −1 = none */
        bool dry_bulb;
        struct savrep_story s;
};

/* Days of a database, those within. 0, -ENODATA: no samples, -ERANGE: more than 20 years of them, -errno. */
int savrep_load_days(const struct savrep_work *w, struct store *s, const struct savrep_span *within,
                     struct daily **ret);
/* Both periods, from days and before. 0, -ENOMEM. */
int savrep_make_periods(struct savrep_work *w);
/* The verb ends with exit 4 and this. */
void savrep_refuse(struct savrep_work *w, const char *reason, const char *why);
/* Refuses where no control was changed. 0 or -Exxx. */
int savrep_check_control(struct savrep_work *w);
/* Fills s.r and s.it, or refuses. 0 or -Exxx. */
int savrep_estimate(struct savrep_work *w);

/* All of these from days and before: w->s is a figure or a refusal. 0 or -Exxx. */
int savrep_tell(struct savrep_work *w);
/* The refusal where savrep_load_days found none: in which database, and where it has some. 0 or -errno. */
int savrep_no_samples(struct savrep_work *w);
/* --baseline shadow of one database (o->by_shadow, o->load NULL): begins *w and fills w->s. o, site and s are borrowed
 * as long as w. 0 or -Exxx; savrep_free in any case. */
int savrep_shadow(struct savrep_work *w, const struct savrep_options *o, const struct site *site, struct store *s);
/* Days, periods and schedule; not the stores and the site. */
void savrep_free(struct savrep_work *w);

const char *savrep_part_str(const struct savrep_story *s, enum savings_part k);
/* What must be said of parts that moved apart; NULL: nothing. */
const char *savrep_shift_str(const struct savrep_story *s);
/* Inlets were above the recommended limit for longer: 1, 0; −1: not known. */
int savrep_exposure_rose(const struct savrep_story *s);

void savrep_print(const struct savrep_story *s);
void savrep_print_json(const struct savrep_story *s);

#endif
