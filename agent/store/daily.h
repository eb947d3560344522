/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A stretch of history day by day: time-weighted means of every point, and of the parts of the energy boundary. A value
 * holds until the point's next sample, but no longer than its stale_after (five minutes without one); a bad reading
 * ends it. Means of less than 95 % of the day are NaN: no day is made up.
 */
#ifndef COOLPLANE_STORE_DAILY_H
#define COOLPLANE_STORE_DAILY_H

#include "agent/store/store.h"

#define DAILY_COVER_MIN 0.95

enum daily_part {
        DAILY_CHILLERS,
        DAILY_PUMPS,
        DAILY_TOWERS,
        DAILY_CRAH_FANS,
        DAILY_SERVER_FANS,
        DAILY_RACKS,
        DAILY_PARTS
};

struct daily_args {
        const struct site *site; /* bound to the store; borrowed */
        int64_t from_ms, to_ms;  /* INT64_MIN, INT64_MAX: all there is; days that are cut short are not whole */
        int64_t offset_ms;       /* days begin at midnight of UTC + offset */
        int64_t skip_ms;         /* left out at the beginning of every day: what a change of control leaves behind */
};
struct daily_day {
        int64_t day;                   /* since 1970-01-01, local */
        bool weekend;                  /* Saturday, Sunday */
        double power_w[DAILY_PARTS];   /* racks with their fans; NaN: not known; 0: the site has no such equipment */
        double wetbulb_c, oat_c;       /* NaN: not known */
        double inlet_c;                /* mean of the inlets, NaN unless nine of ten are known */
        double over_recommended_k_min; /* degree-minutes above the recommended inlet, summed over the inlets, readings
                                          that lack as those there are; NaN: less than 95 % of them */
        double ours, shadow;           /* share of the day's control steps decided in force, in shadow */
        double decided;                /* … of which there is a decision, of whatever mode */
};
struct daily {
        size_t n, npoint;
        struct daily_day *day;                /* [n] ascending, days without a sample among them */
        double *mean;                         /* [n × npoint] of each point */
        struct store_stray stray[STORE_ROWS]; /* what a wrong clock left beyond the days: in none of them */
};
/* -ENODATA: no samples there; -ERANGE: more than 20 years, without what is stray. */
int daily_load(struct store *s, const struct daily_args *a, struct daily **ret);
struct daily *daily_free(struct daily *d);

/* The first equipment of the boundary (racks, air handlers, chillers, pumps, towers) without a power meter; NULL: all
 * have one. */
const char *daily_unmetered(const struct site *site);

#endif
