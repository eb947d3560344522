/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rows of the yardstick: from the accounts of the seeds to means, intervals and ranks, and on to table, JSON, page. */
#ifndef COOLPLANE_SIM_COMPARE_H
#define COOLPLANE_SIM_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/text.h"
#include "sim/yardstick.h"

/* One controller in one cell (weather × season). Energies, starts, travel and migrations are means over the seeds,
 * temperatures, degree-minutes and minutes those of the worst seed, violations and trips sums. */
struct compare_row {
        const struct yard_controller *controller;
        size_t nseed;
        double chiller_kwh, pump_kwh, tower_kwh, crah_fan_kwh, cooling_kwh, it_kwh, it_fan_kwh, total_kwh;
        double pue, cooling_per_it_kwh; /* of the means; IT with its fans */
        double max_inlet_c, degmin27, degmin32, max_rise_15min_k, max_swing_15min_k;
        double max_dewpoint_c, cold_surface_min, wet_coil_min; /* plant.h says which surfaces */
        double latent_kwh;                                     /* mean */
        uint64_t hard_violations, since_takeover, flow_trips, decisions[4];
        double chiller_starts, migrations;
        double sat_travel_k_h, fan_travel_h, valve_travel_h, chwst_travel_k_h; /* plant.h, an hour; means */
        double stored_kwh; /* heat left in the plant, mean: energy borrowed when positive */
        double residual, cpu_s;
        double saving_total, saving_cooling;  /* % against b2; NaN without b2 */
        double ci95_low, ci95_high;           /* of saving_total, bootstrap over the seeds; NaN for few seeds */
        double saving_b2v, b2v_low, b2v_high; /* of total energy against b2v, and its interval; NaN without b2v */
        /* the baseline of least total energy in this cell, of those without a hard violation if there are any, and what
         * is saved against it; NULL, NaN without one. Baselines are what anybody can run: no hindsight, no oracle; and
         * for a controller that moves no VMs, those that move none. */
        const struct yard_controller *strongest;
        double saving_strongest, strongest_low, strongest_high;
        unsigned rank;            /* 1 = least total energy of its cell */
        struct yard_command best; /* b2s: constants of the first seed; b4: those it starts from */
};

struct compare_cell {
        const char *season; /* "winter" …, "all" for the sum of the seasons, "" with --start */
        char weather[64];   /* file name without its ending, or "synthetic" */
        int64_t start_ms;
        size_t nrow;
        struct compare_row *row;
        struct yard_trace *trace; /* [nrow] of the first seed; NULL in "all" */
};

struct compare_report {
        const char *site;
        double hours, warmup_h;
        uint64_t seed; /* the first */
        size_t nseed, ncell;
        struct compare_cell *cell;
};

struct compare_job {
        struct yard_setup setup;
        const struct yard_controller *controller;
        struct yard_trace *trace; /* may be NULL */
        struct yard_result *result;
};
/* The exit code of the first that failed, which starts no more. at_once > 1: in child processes. label: counts runs on
 * stderr; NULL = silent. ended: called here, in order of their ends, for each run that succeeded; an exit code. */
int compare_run(const struct compare_job *job, size_t n, size_t at_once, const char *label,
                int (*ended)(void *ctx, const struct compare_job *j), void *ctx);

/* Row of one controller from its seeds. */
void compare_aggregate(const struct yard_controller *c, const struct yard_result *seed, size_t n,
                       struct compare_row *ret);
/* One seed over several seasons: energies and counts add up, temperatures are the worst. */
void compare_sum(const struct yard_result *season, size_t n, struct yard_result *ret);
/* Saving in % of Σ value against Σ base, and its 95 % interval over resampled pairs: the expanded percentile bootstrap
 * of Hesterberg (What Teachers Should Know About the Bootstrap, 2015), which widens the percentiles as Student's t
 * does, because plain ones hold the truth in 83 % of cases at 5 pairs and 89 % at 10. NaN for fewer than
 * COMPARE_CI_SEEDS. */
#define COMPARE_CI_SEEDS 5
void compare_saving(const double *base, const double *value, size_t n, uint64_t seed, double *ret_saving,
                    double *ret_low, double *ret_high);
/* seed: [nrow × nseed] results, row by row. Fills savings, intervals and ranks of aggregated rows. */
void compare_judge(struct compare_row *row, size_t nrow, const struct yard_result *seed, size_t nseed);

void compare_table(const struct compare_report *r, const struct compare_cell *c, struct text *t);
void compare_json(const struct compare_report *r, struct text *t);
/* Self-contained page with plots of the first seed. command: the one that made it. */
void compare_html(const struct compare_report *r, const char *command, struct text *t);
/* What a reader of a cell must know beside the figures; one sentence a line, nothing when all is well. */
void compare_notes(const struct compare_cell *cell, struct text *t);

#endif
