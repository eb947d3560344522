/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * coolplane-sim certify --outside: what becomes of the rooms, and who notices, when the claim's assumptions stop to
 * hold.
 *
 * An episode is ten to twelve hours of a random plant of Θ (sim/certify_site.h) that a model has learned from scratch
 * as the gate's does; each rack's load by itself between 30 and 100 %, noise |w| ≤ W uniform or telegraph. After six to
 * eight hours the event of its kind comes, and stays. Plant, loads, noise and event are run three times: sensible
 * proposals through the production filter; a PI baseline alone; and the same PI loops through the filter, which shows
 * what the filter does and not whose proposals are better.
 *
 * The baseline: one PI loop for each air handler, on the hottest of the inlets that it feeds, in velocity form, split
 * over supply air and fan alike, in the filter's boxes, grids and rates (toward more cooling at once), every 30 s;
 * water and chillers at nominal. It aims where sensible proposals aim, 26.5 °C. Gains: 0.5 of the whole way per K, 180
 * s, the fewest degree-minutes over 27 °C on these very kinds (seed 1000, 80 episodes, of 7 gains from 0.05 to 0.8 and
 * 5 times from 60 to 600 s; flat: within 2 % from 0.2 on). All read the faulty instrument.
 *
 * Degree-minutes are those of the true inlets, summed over the racks, from the event to the end of the episode.
 *
 * Detected is what production has and tells somebody (metric, event, quality): a detector speaks for the first time at
 * a step after the event (1: the first reading that the event can have moved), behind sensible proposals. False are the
 * same onsets in the hours before, once the model has had three. One that speaks by chance within three steps counts as
 * well: the rate of false ones says how often that is.
 */
#ifndef COOLPLANE_SIM_CERTIFY_OUTSIDE_H
#define COOLPLANE_SIM_CERTIFY_OUTSIDE_H

#include "sim/certify_world.h"

enum outside_kind {
        OUTSIDE_NONE,  /* nothing: the control */
        OUTSIDE_GAIN,  /* heat gains of racks and row 30 % beyond the prior's upper end */
        OUTSIDE_UNIT,  /* one air handler: fan without effect, supply air follows its room; both still read as set */
        OUTSIDE_STUCK, /* one inlet reading frozen */
        OUTSIDE_BIAS,  /* one inlet reading −2 K */
        OUTSIDE_LOAD,  /* all racks from 30 … 50 % to 100 % at once; within d_hi, which always says 100 % */
        OUTSIDE_UNDECLARED, /* the same, d_hi being what the gate learns of loads that hardly move (gate_rise) */
        OUTSIDE_WATER,      /* entering water +4 °C in 10 min, d_hi by gate_rise */
        OUTSIDE_KINDS
};
extern const char *const outside_kind_name[OUTSIDE_KINDS];

/* The first two are known inside and told to nobody: no detections. */
enum outside_detector {
        OUTSIDE_MISS,     /* some reading above its one-step bound */
        OUTSIDE_DECLARED, /* some disturbance above the d_hi of a decision of the last horizon */
        OUTSIDE_TOLD,
        OUTSIDE_DRIFT = OUTSIDE_TOLD, /* coolplane_drift_score of some row leaves zero: three misses, less the good
                                       * readings between */
        OUTSIDE_LOW,                  /* the same of the lower bound */
        OUTSIDE_RESET,                /* event `model`: readings contradict the set of some row, forgotten */
        OUTSIDE_ASSUMED,              /* event `load`: row power or water beyond twice the rise that d_hi allowed for */
        OUTSIDE_QUALITY,              /* a reading turns BAD in the point table */
        OUTSIDE_LADDER,               /* event `mode`: HOLD or FALLBACK (trip, readings gone) */
        OUTSIDE_DETECTORS
};
extern const char *const outside_detector_name[OUTSIDE_DETECTORS];

#define OUTSIDE_IN_TIME 3 /* steps */
#define OUTSIDE_AFTER 480 /* steps from the event to the end: 4 h */

enum outside_controller {
        OUTSIDE_SENSIBLE, /* the sensible proposer behind the filter */
        OUTSIDE_FILTERED, /* the baseline behind the filter */
        OUTSIDE_PI,       /* the baseline */
        OUTSIDE_CONTROLLERS
};
extern const char *const outside_controller_name[OUTSIDE_CONTROLLERS];

/* A step as it was, for tests: true values after it and what is then read [ny], confirmed [nu], in force in it [nd]. */
struct outside_view {
        enum outside_controller who;
        uint64_t k, event;
        const double *y, *read, *u, *d, *d_hi; /* d_hi: NULL under the baseline */
};

struct outside_args {
        uint64_t seed, number; /* number: kind in turn, and the random stream */
        size_t units;          /* ≥ 2: a lone one that fails has no neighbour */
        double kp, ti_s;       /* of the baseline: share of the way from least to most cooling per K; 0 = tuned */
        void (*see)(void *ctx, const struct outside_view *v); /* NULL = nobody looks */
        void *ctx;
};

struct outside_result {
        uint64_t number;
        enum outside_kind kind;
        uint64_t steps, event; /* of the episode; step number of the event */
        struct outside_run {
                double degmin27, degmin32; /* K min */
                double hottest_c;          /* from the event on */
                double before_c,
                    cooling; /* mean of the hottest inlet and of the way to most cooling, hours 3 to event */
        } run[OUTSIDE_CONTROLLERS];
        uint32_t first[OUTSIDE_DETECTORS],
            detected; /* steps after the event; 0 = never. detected: from OUTSIDE_TOLD on */
        uint64_t quiet_steps, onset[OUTSIDE_DETECTORS], false_alarms; /* before the event */
};

/* Episodes of one kind; of all kinds for what is counted before the event. */
struct outside_sum {
        int kind;                             /* < 0: of all */
        uint64_t episodes, in_time, detected; /* told within OUTSIDE_IN_TIME steps; ever */
        uint64_t spoke_in_time[OUTSIDE_DETECTORS], spoke[OUTSIDE_DETECTORS];
        uint64_t at_step[OUTSIDE_AFTER + 1];         /* episodes, by the step of detection */
        struct outside_run run[OUTSIDE_CONTROLLERS]; /* sums; hottest_c: the largest */
        uint64_t quiet_steps, onset[OUTSIDE_DETECTORS], false_alarms;
};
/* kind < 0: of all. */
struct outside_sum outside_sum(const struct outside_result *r, size_t n, int kind);
uint32_t outside_median_step(const struct outside_sum *s);            /* of those detected; 0 = none */
double outside_per_day(const struct outside_sum *s, uint64_t onsets); /* of before the event */
/* True when the filter made it worse than the baseline alone:
 *   over 32 °C, behind either proposer: by anything at all; where an air handler fails, and no controller can cool its
 *   rack, by more than 2 %;
 *   over 27 °C, with the baseline's own proposals: by more than 2 % and OUTSIDE_SLACK_KMIN an episode.
 * The latter is noise (dead bands, the way back from FALLBACK): more than two standard errors of the difference of 30
 * episodes of a kind, whose standard deviation is at most 0.12 K min where a mean is below one (seeds 1 … 5, 240
 * episodes each; there means exceed 2 % by at most 0.013). Where a reading is wrong an episode differs by K min and
 * more: fewer than 30 of a kind are no verdict. */
#define OUTSIDE_SLACK 0.02
#define OUTSIDE_SLACK_KMIN 0.05
bool outside_failed(const struct outside_sum *s);

/* 0, -ENOMEM, -EINVAL (units). */
int outside_episode(const struct outside_args *a, struct outside_result *ret);

#endif
