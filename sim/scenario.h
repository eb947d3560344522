/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A scenario: a site, a controller, what happens when, and the limits the run must keep. Files
 * tests/scenario/NNN-name.scn, a statement a line, `#` starts a comment:
 *
 *   site tiny                     tiny (default), hall, campus
 *   controller c                  c coolplane (default), c0 without VM moves, b0 fixed setpoints, b2 trim-and-respond
 *   local fixed                   what the PLCs do under c, and before it: fixed (default) or trim
 *   start 2026-07-15T00:00:00Z    when the part that counts begins
 *   season summer                 instead: the 15th of its middle month, 2026
 *   warmup 2h                     before it, under the PLCs; then, under c and c0, `identify 2h` of live exploration,
 *                                 and `settle 1h` (default 0) of ordinary control
 *   hours 3                       the part that counts
 *   seeds 3                       how many, from 1 (--seeds says otherwise)
 *   containment 0.2               and economiser, crah-fan-w, loop-volume-m3, vms: instead of the site's own
 *   at 30m fault crah-fail:1      (or `at start`: before the agent comes, which need not take everything over then)
 *                                 sim/plant.h says which, and of a device's registers, under c only, sim/registers.h;
 *                                 blackhole:DEV (answers nothing) and exception:DEV:N (1 to 11, to everything; default
 *                                 4), under c only, end with heal:DEV; `clear` ends all
 *   at 30m planner WORD           on, off, nan, random, bangbang, warmest, malformed
 *   at 30m silence DEVICE         as blackhole (the device's name; or inlets: the one that reads the inlets)
 *   at 35m hear                   ends every silence
 *   at 30m agent dead             and alive
 *   limit max_inlet_c <= 30       a measure, <= or >=, a number
 *   limit total_kwh <= 1.02 b2    or a multiple of that measure under another controller, same seed; calm: under the
 *                                 same one, with nothing happening
 *   limit max_inlet_c >= +0.5 calm  or, with a sign, so much more or less than that
 *   limit since max_inlet_c <= 30 of a part: since (the first event, to the end), during (from the first event to the
 *                                 last one), after (the last event, to the end)
 *
 * A limit says what must happen because of the events, so that it fails without them: `--without-events` runs the same
 * files with nothing happening at their times, and each one that has events must then fail in one limit at least.
 *
 * Times count from the start of the part that counts, in whole scans of 5 s. Under c and c0 the agent must have taken
 * the plant over when that part begins, or the scenario fails. Measures: scenario_measure_name; `coolplane-sim scenario
 * --measures` explains them.
 */
#ifndef COOLPLANE_SIM_SCENARIO_H
#define COOLPLANE_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plant.h"

enum scenario_controller {
        SCENARIO_C,
        SCENARIO_C0,
        SCENARIO_B0,
        SCENARIO_B2,
        SCENARIO_CALM, /* of a limit: the scenario's own controller without the events */
        SCENARIO_CONTROLLERS
};

/* What each is: scenario_measure.c, the text of --measures. Shares are of the decisions of the part in question; times
 * count from its beginning, infinite when it does not come to that. Under a baseline what is the agent's is 0. */
enum scenario_measure {
        SM_MAX_INLET_C,
        SM_RISE_K,
        SM_DEGMIN27,
        SM_DEGMIN32,
        SM_MAX_RISE_15MIN_K,
        SM_MAX_DEWPOINT_C,
        SM_COLD_SURFACE_MIN,
        SM_WET_COIL_MIN,
        SM_HARD_VIOLATIONS,
        SM_COOLING_KWH,
        SM_IT_KWH,
        SM_TOTAL_KWH,
        SM_PUE,
        SM_COP,
        SM_CHILLER_STARTS,
        SM_CHILLERS_MEAN,
        SM_FLOW_TRIPS,
        SM_MIGRATIONS,
        SM_RESIDUAL,
        SM_ECON_HOURS,
        SM_RECOVERY_S,
        SM_LAST_INLET_C,
        SM_MEAN_INLET_C,
        SM_MAX_CHWST_C,
        SM_MIN_LIFT_K,
        SM_MEAN_SAT_SP_C,
        SM_MEAN_FAN_RATIO,
        SM_FAN_GAP_RATIO,
        SM_SAT_TRAVEL_K_H,
        SM_FAN_TRAVEL_H,
        SM_REMOTE_SHARE,
        SM_MIN_REMOTE_SHARE,
        SM_LOCAL_S,
        SM_FIXED_MAX,
        SM_FIXED_LAST,
        SM_BAD_SAMPLES,
        SM_BAD_S,
        SM_ACCEPT_SHARE,
        SM_PROJECT_SHARE,
        SM_HOLD_SHARE,
        SM_FALLBACK_SHARE,
        SM_FALLBACK_S,
        SM_ACTIVE_S,
        SM_RELEASED,
        SM_RELEASE_S,
        SM_VAIN_WRITES,
        SM_MARGIN_K,
        SM_HOLDOUT_C,
        SM_REASON, /* and one each for the reasons of decisions, as enum decision_reason */
        SM_COUNT = SM_REASON + 17
};
const char *scenario_measure_name(enum scenario_measure m);
const char *scenario_measure_text(enum scenario_measure m);

/* What a limit is about. */
enum scenario_part { SP_WHOLE, SP_SINCE, SP_DURING, SP_AFTER, SCENARIO_PARTS };
const char *scenario_part_name(enum scenario_part p); /* "" of the whole */

#define SCENARIO_SCAN_S 5.0
#define SCENARIO_START_S (-1.0)

enum scenario_proposer { SC_ON, SC_OFF, SC_NAN, SC_RANDOM, SC_BANGBANG, SC_WARMEST, SC_MALFORMED };
int scenario_proposer(const char *word); /* -EINVAL */

enum scenario_event_kind { SE_FAULT, SE_PLANNER, SE_SILENCE, SE_AGENT };
struct scenario_event {
        double at_s; /* SCENARIO_START_S: before the agent comes */
        enum scenario_event_kind kind;
        char arg[64];
        int line;
};
struct scenario_limit {
        enum scenario_part part;
        enum scenario_measure measure;
        bool at_most;
        double value; /* or, relative: factor, or what is added */
        bool relative, added;
        enum scenario_controller to;
        int line;
};

enum { SCENARIO_EVENTS_MAX = 32, SCENARIO_LIMITS_MAX = 16, SCENARIO_ADJUST_MAX = 8 };
struct scenario {
        const char *path; /* borrowed from who read it */
        char name[64];    /* of the file, without folder and .scn */
        char site[16];
        enum scenario_controller controller;
        enum plant_local local;
        int64_t start_ms;
        double warmup_s, identify_s, settle_s, run_s;
        int64_t seeds;
        double containment; /* NaN: the site's own; so too below */
        double crah_fan_w, loop_volume_m3, vms;
        int loop_volume_line;
        bool economiser;
        size_t nevent, nlimit;
        struct scenario_event event[SCENARIO_EVENTS_MAX]; /* in time order */
        struct scenario_limit limit[SCENARIO_LIMITS_MAX];
};

/* 0; -errno of opening; -EINVAL with "file:line: reason" in reterr (256 bytes), the last line for what is missing. */
int scenario_read(const char *path, struct scenario *ret, char *reterr);
/* Every fault exists at that site. 0 or an exit code, file, line and reason on stderr. */
int scenario_check(const struct scenario *s);
struct scenario_result {
        double v[SCENARIO_PARTS][SM_COUNT]; /* of parts that the scenario does not have: NaN */
};
/* 0 or an exit code, the reason on stderr. events false: nothing happens, but the parts begin and end at those times.
 */
int scenario_run(const struct scenario *s, enum scenario_controller who, uint64_t seed, bool events,
                 struct scenario_result *ret);

#endif
