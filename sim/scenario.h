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
 *   at 30m fault crah-fail:1      sim/plant.h says which, and of a device's registers, under c only, sim/registers.h;
 *                                 `clear` ends all
 *   at 30m planner WORD           on, off, nan, random, bangbang, warmest, malformed
 *   at 30m silence DEVICE         no samples of this Modbus device (its name; or inlets: the one that reads the inlets)
 *   at 35m hear                   ends it
 *   at 30m agent dead             and alive
 *   limit max_inlet_c <= 30       a measure, <= or >=, a number
 *   limit total_kwh <= 1.02 b2    or a multiple of that measure under another controller, same seed
 *
 * Times count from the start of the part that counts, in whole scans of 5 s. Under c and c0 the agent must have taken
 * the plant over when that part begins, or the scenario fails. Measures: scenario_measure_name.
 */
#ifndef COOLPLANE_SIM_SCENARIO_H
#define COOLPLANE_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plant.h"

enum scenario_controller { SCENARIO_C, SCENARIO_C0, SCENARIO_B0, SCENARIO_B2, SCENARIO_CONTROLLERS };

enum scenario_measure {
        SM_MAX_INLET_C,
        SM_DEGMIN27,
        SM_DEGMIN32,
        SM_MAX_RISE_15MIN_K,
        SM_MAX_DEWPOINT_C,
        SM_COLD_SURFACE_MIN, /* plant.h says of which surfaces; so too below */
        SM_WET_COIL_MIN,
        SM_HARD_VIOLATIONS, /* from take-over on, identification included */
        SM_COOLING_KWH,
        SM_TOTAL_KWH,
        SM_PUE,
        SM_CHILLER_STARTS,
        SM_FLOW_TRIPS,
        SM_MIGRATIONS,
        SM_RESIDUAL,
        SM_ECON_HOURS,
        SM_RECOVERY_S,   /* from the last event until every inlet stays ≤ 27 °C to the end; 0 = never above since */
        SM_LAST_INLET_C, /* hottest true inlet at the end */
        SM_SAT_TRAVEL_K_H, /* mean over the CRAHs: Σ |change of the supply setpoint in force|, per hour */
        SM_FAN_TRAVEL_H,   /* and of the fan setpoint, ratio per hour */
        SM_REMOTE_SHARE,   /* of the CRAHs that follow the agent at the end */
        SM_ACCEPT_SHARE,   /* of the decisions of the part that counts; 0 where there are none */
        SM_HOLD_SHARE,
        SM_FALLBACK_SHARE,
        SM_RELEASED,    /* 1: the gate ended in RELEASE */
        SM_VAIN_WRITES, /* of setpoints by the agent, all devices: refused, or something else reads back */
        SM_COUNT
};
const char *scenario_measure_name(enum scenario_measure m);

#define SCENARIO_SCAN_S 5.0

enum scenario_proposer { SP_ON, SP_OFF, SP_NAN, SP_RANDOM, SP_BANGBANG, SP_WARMEST, SP_MALFORMED };
int scenario_proposer(const char *word); /* -EINVAL */

enum scenario_event_kind { SE_FAULT, SE_PLANNER, SE_SILENCE, SE_AGENT };
struct scenario_event {
        double at_s;
        enum scenario_event_kind kind;
        char arg[64];
};
struct scenario_limit {
        enum scenario_measure measure;
        bool at_most;
        double value; /* or, relative: factor */
        bool relative;
        enum scenario_controller to;
        int line;
};

enum { SCENARIO_EVENTS_MAX = 32, SCENARIO_LIMITS_MAX = 16, SCENARIO_ADJUST_MAX = 8 };
struct scenario {
        char name[64]; /* of the file, without folder and .scn */
        char site[16];
        enum scenario_controller controller;
        enum plant_local local;
        int64_t start_ms;
        double warmup_s, identify_s, settle_s, run_s;
        int64_t seeds;
        double containment; /* NaN: the site's own; so too below */
        double crah_fan_w, loop_volume_m3, vms;
        bool economiser;
        size_t nevent, nlimit;
        struct scenario_event event[SCENARIO_EVENTS_MAX]; /* in time order */
        struct scenario_limit limit[SCENARIO_LIMITS_MAX];
};

/* 0; -errno of opening; -EINVAL with "file:line: reason" in reterr (256 bytes). */
int scenario_read(const char *path, struct scenario *ret, char *reterr);
/* Every fault exists at that site. 0 or an exit code, the reason on stderr. */
int scenario_check(const struct scenario *s);
/* 0 or an exit code, the reason on stderr. ret: [SM_COUNT]. */
int scenario_run(const struct scenario *s, enum scenario_controller who, uint64_t seed, double *ret);

#endif
