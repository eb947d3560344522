/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The safety filter: takes a proposal from an untrusted planner and returns the only thing that may be written, a
 * decision. It reasons with hard limits and with an interval model (models/arx) and with nothing else.
 *
 *   u₀ = the proposal, or else an action near it between what the plant has and the proposal, or else one near to what
 *   the plant has between the backup and what the plant has, such that, for every model θ ∈ Θ and
 * every |w| ≤ w̄: apply u₀ for one step, then the backup policy (more cooling at the equipment's own rates); every
 * certified output stays ≤ its limit along the horizon N, and ends where the backup holds it (terminal set: the limit
 * box, when invariant under the backup; computed in tighten.c).
 *
 * Near: the farthest certified action on the segment (bisection), or one found with a solver that is nearer to its end,
 * every variable by itself; in the norm of ranges. The solver only guesses: what it says goes through the same check.
 *
 * Moves toward more cooling that a proposal, the backup or a trip asks for are never limited by rates, intervals or the
 * optimiser; only moves toward less cooling are. What nobody asked for in a hurry goes by rates: trim and respond, and
 * the way to the nominal action while readings are comfortable.
 *
 * What the plant has may lie beyond a variable's box (taken over that way, or a local controller's value). Where that
 * is not less cooling (either side when safe_dir is 0) the variable stays there, and every worst case counts it there,
 * until a decision moves it to a value of the box within one rate of it; from farther away it always stays. Full
 * cooling leaves it there. From the other side it enters the box at once. What stays beyond is not written.
 *
 * Hard, whoever asks: boxes and grids, minimum on and off, starts per hour, water for the evaporators, lift, freezing,
 * the outputs' hard limit. A missing reading of flow, load (of a lift), freezing or dew point forbids nothing: that
 * would be less cooling. Soft, and given up in this order: first hi − soft_k, which proposals aim at: none goes below
 * u_floor for its sake. Then u_floor, for what the hard limit asks through backup, fallback or trip, and only while
 * some certified reading is missing or less than SAFETY_COMFORT below hi − soft_k. Nothing else gives way.
 *
 * NaN, late, malformed or absent proposals are ordinary: HOLD, then FALLBACK. Guarantee layers: ARCHITECTURE.md.
 * Pure: caller's memory, no I/O, no clock, no logging, no allocation after create.
 */
#ifndef COOLPLANE_SAFETY_SAFETY_H
#define COOLPLANE_SAFETY_SAFETY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/arx/arx.h"

/* Kind of a manipulated variable, as far as safety cares. */
enum safety_u_kind {
        SAFETY_U_CONTINUOUS, /* SAT, fan, CHWST, CWST */
        SAFETY_U_ONOFF,      /* chiller enable: equipment automaton */
};

/* drives_d: the disturbance a setpoint drives, SAFETY_NO_D when none; the zero-initialised struct says none. */
#define SAFETY_NO_D ((size_t)0)
#define SAFETY_DRIVES(index) ((size_t)(index) + 1)

/* One manipulated variable. All in SI; lo ≤ hi finite; step ≥ 0 (register resolution, 0 = continuous). */
struct safety_u {
        enum safety_u_kind kind;
        int safe_dir; /* +1: larger = more cooling; −1: smaller = more cooling; 0: neither (both directions limited) */
        double lo, hi;
        double step; /* resolution; verified values are multiples of it above `origin` */
        double origin;
        double rate; /* largest change per decision toward less cooling (or any, when safe_dir = 0); 0 or ≥ step.
                      * A slow variable changes once per slow step: give its rate per slow step. */
        /* How far the equipment moves toward more cooling within one control step at least: certificates count on it.
         * hi − lo: a setpoint is in force one step after the order; what follows it lags by the model. */
        double backup_rate;
        double nominal;   /* what the plant runs on its own: the known safe action */
        double dead_band; /* ≥ 0: a proposed change smaller than this is not made; 0 = none. CONTINUOUS only */
        /* SAFETY_DRIVES(k): disturbance k follows this setpoint (chilled water): the worst case takes it at no less
         * than the setpoint decided. CONTINUOUS with safe_dir −1, read by no row of the model itself. */
        size_t drives_d;
        /* 1: no row of the model sees what this setpoint does, nothing certifies it: it is never warmer than what the
         * plant has, or, while every certified reading is comfortable, than the nominal action. CONTINUOUS with
         * safe_dir −1, drives nothing. */
        uint8_t unseen;
        uint8_t fast; /* 1: may change every step; 0: only on the slow step (toward more cooling: always).
                       * A slow continuous variable with safe_dir ≤ 0 is a water setpoint (no_warmer_water). */
        /* ONOFF only: lo 0, hi 1, step 1, origin 0, safe_dir +1; rate and backup_rate unused. The equipment's own
         * minimum off time and starts per hour bind toward more cooling as well: no one may start a chiller against
         * them. No unit stops unless others report running and carry the load with the margin; but where those
         * that run get less than 1.10 of their min_flow_m3s, one stops in time, the last one never. With less than
         * that for all and the margin none starts beside another. Such a unit is read by no row of the model. None
         * stops for want of load while evap_flow_ramp_per_min, the largest of all that report running, its own too, is
         * more than one of those takes that report running and stay: what it leaves to them would come on top. A start,
         * and a stop for want of water, never wait. */
        double capacity_w;                            /* cooling capacity; 0 = unknown */
        double min_on_s, min_off_s, max_starts_per_h; /* 1 … 16 starts in any sliding hour */
        double min_flow_m3s;                          /* least water through its evaporator; 0 = unknown, no rule */
        double max_flow_ramp_per_min;                 /* how fast that may change, share of it; 0 = unknown, no rule */
};

/* What a machine can lift: condenser-water setpoint − chilled-water setpoint. Too little and oil does not return, too
 * much and it surges, the sooner the less it carries. Kept whichever of the two setpoints comes into force first. Two
 * continuous variables that no row of the model reads, chw with safe_dir −1.
 * The greatest is max_k at full load and surge_less_k less at none, linear between. Part load: cooling_load_w, which is
 * all machines', of the capacity of all that report running. Full load where it is not known (no load, or one below 0;
 * none that is known to run): the lower bound would hold colder water back for want of a meter. */
struct safety_lift {
        size_t cw, chw;      /* variables */
        double min_k, max_k; /* min_k ≤ max_k − surge_less_k; ∓INFINITY = no such bound */
        double surge_less_k; /* ≥ 0, 0 = max_k whatever the load */
};

/* One certified output: arx row → limit. Upper limits only. */
struct safety_y {
        size_t row;    /* output index in the arx structure */
        double hi;     /* hard limit for the worst case; NaN = not certified, trip only */
        double trip;   /* measured value at which full cooling is ordered at once; NaN = none */
        double soft_k; /* ≥ 0: above hi − soft_k the fallback responds and the nominal action is not taken as safe */
};

/* The envelope: validated once, then constant. Arrays are copied by safety_create. */
struct safety_envelope {
        size_t nu, ny, nd; /* ny = number of arx outputs */
        size_t ncert;      /* certified outputs */
        const struct safety_u *u;
        const struct safety_y *cert; /* [ncert] */
        const double *d_max;         /* [nd] worst plausible disturbance for the terminal set (coefficients ≥ 0);
                                      * INFINITY = unknown: what reads it has no terminal set */
        size_t nlift;
        const struct safety_lift *lift; /* [nlift] */
        double step_s;                  /* control step */
        size_t horizon;                 /* steps, e.g. 20 */
        double capacity_margin; /* running capacity ≥ load × (1 + margin), flow ≥ need × (1 + margin); 0.15 */
        double reserve; /* ≥ 0, unit of the outputs: margin that less cooling must leave. What the plant has stays with
                         * half of it; where it leaves less, that half is sought again on the way to the backup, which
                         * is taken whole where it leaves less itself. */
        unsigned hold_steps;       /* HOLD lasts at most this many steps, then FALLBACK (≤ 5 min) */
        unsigned required_persist; /* clean steps needed to leave FALLBACK */
        double delta; /* 1 − confidence of one row of Θ at one fit, recorded; 0 = not given (stored as NaN) */
};

/* Static text naming the bad field ("u.lo"), or NULL: fit to be an element of u. What ties it to d is not looked at. */
const char *safety_u_check(const struct safety_u *u);
/* -EINVAL and *reterr_what = static text naming the bad field, *reterr_index its index. */
int safety_envelope_validate(const struct safety_envelope *e, const char **reterr_what, size_t *reterr_index);

/* Four-valued condition (NASA LC). */
enum safety_cond { COND_FALSE, COND_TRUE, COND_STALE, COND_ERROR };

/* What the gate saw at this step. Stored with its decision, every field of it, for safety_recheck
 * (agent/gate/evidence.c). */
struct safety_snapshot {
        int64_t t_ms;              /* label */
        double mono_s;             /* monotonic or virtual seconds; all timers use it */
        struct arx_window window;  /* last row = now; u rows are confirmed values */
        const double *u_confirmed; /* [nu] last read-back; NaN = unknown */
        /* [nu] 1: cannot be moved now (device local, foreign, down). It keeps its present value (inside its box or not,
         * grid or not) in every decision, whatever is proposed, and the worst case counts it where it is. NULL = none.
         * A decision says nothing about what such a variable should be. */
        const uint8_t *u_fixed;
        const double *d_hi;  /* [nd] worst disturbance over the horizon: forecast upper, VM moves included both ways */
        const uint8_t *y_ok; /* [ny] enum safety_cond of the reading: FALSE = not usable, TRUE = fresh and GOOD */
        const uint8_t *onoff_status; /* [nu] running feedback of ONOFF units (0/1), 255 = unknown; may be NULL */
        double cooling_load_w;       /* measured or estimated load on the chillers; NaN = unknown */
        double chw_flow_m3s;         /* chilled water that evaporators could share; NaN = unknown: forbids no start */
        double evap_flow_m3s;        /* what those that report running do get, lately; NaN = unknown: stops none */
        /* largest change of the water of one that reports running, over the last minute, share of it per minute; NaN =
         * unknown: no stop waits */
        double evap_flow_ramp_per_min;
        bool slow_step;        /* true when slow variables may change this step */
        bool interlock;        /* an interlock outside this library demands full cooling */
        bool no_warmer_water;  /* valve or request interlock: water setpoints may not rise */
        bool no_colder_water;  /* water near freezing: slow variables with safe_dir −1 may not fall */
        const double *u_floor; /* [nu] soft floor where safe_dir is −1 (dew point); NaN = none; NULL = none at all */
};

struct safety_proposal {
        bool present;         /* false: none in time */
        bool malformed;       /* transport saw garbage */
        const double *u;      /* [nu]; may hold NaN or Inf */
        bool in_distribution; /* the planner's own confidence */
};

/* ACCEPT: the proposal, but for quantisation, dead-band and fixed variables; every variable that a certified output
 * depends on is certified. Others (chillers, condenser water) are guarded by limits, rates, automata and capacity only.
 * PROJECT: changed, or let pass without a certificate because it cools at least as much as the nominal action (reason
 * NOT_CERTIFIABLE) or as the present one (reason SENSOR).
 * HOLD: no proposal that could be used: the last decision again, certified like any other. Where it cannot be, or a
 * room cannot be read, it moves toward more cooling and stays a HOLD with the reason of the missing proposal; the
 * certificate tells the rest. */
enum decision_kind { DECISION_ACCEPT, DECISION_PROJECT, DECISION_HOLD, DECISION_FALLBACK };

/* Why the decision is what it is. Stored and shown; append only. */
enum decision_reason {
        DR_ACCEPTED = 0,
        DR_LIMIT = 1,       /* box limit of a variable, or it lies beyond its box and stays there */
        DR_RATE = 2,        /* rate toward less cooling */
        DR_EQUIPMENT = 3,   /* minimum on/off, starts per hour, capacity, flow, lift */
        DR_WORST_CASE = 4,  /* robust constraint: binding names the output */
        DR_SLOW_STEP = 5,   /* slow variable proposed off the slow step */
        DR_NO_PROPOSAL = 6, /* absent or late */
        DR_MALFORMED = 7,
        DR_NOT_FINITE = 8,       /* NaN or Inf in the proposal */
        DR_LOW_CONFIDENCE = 9,   /* planner says: outside what it has seen */
        DR_SENSOR = 10,          /* a required reading is stale or bad: binding names it */
        DR_NOT_CERTIFIABLE = 11, /* nothing but the backup can be certified from here */
        DR_TRIP = 12,            /* a measured output is above its trip value */
        DR_INTERLOCK = 13,
        DR_VERIFY = 14,     /* the second checker disagreed */
        DR_RECOVERING = 15, /* clean steps still missing before leaving FALLBACK */
        DR_WATER = 16,      /* warmer water refused: valves open or requests */
};
const char *decision_kind_str(enum decision_kind k);
const char *decision_reason_str(enum decision_reason r);

struct safety_decision; /* opaque: only safety_filter makes one */

/* What is stored with every decision so that it can be re-checked offline. */
struct safety_certificate {
        uint64_t model_hash;
        double delta; /* 1 − confidence of one row of Θ at one fit */
        size_t horizon;
        double margin;   /* least (limit − worst case) over certified outputs and steps; NaN = not computed */
        int binding_y;   /* arx row with the least margin, −1 = none */
        int binding_u;   /* variable that was cut first, −1 = none */
        double fraction; /* 1: the proposal; else how far toward the end of its segment the action lies, least of all
                            groups */
        bool terminal;   /* the limit box is invariant under the backup for the present model set */
        bool verified;   /* the second checker agreed */
};

/* [nu], verified; quantised, but for what stays beyond its box or is fixed */
const double *decision_u(const struct safety_decision *d, size_t *ret_nu);
/* False: variable j stays beyond its box; nothing may be written. */
bool decision_in_box(const struct safety_decision *d, size_t j);
enum decision_kind decision_kind(const struct safety_decision *d);
enum decision_reason decision_reason(const struct safety_decision *d);
const struct safety_certificate *decision_certificate(const struct safety_decision *d);
int64_t decision_t_ms(const struct safety_decision *d);

struct safety;
size_t safety_memsize(const struct safety_envelope *e, const struct arx_structure *st);
/* model is borrowed and read only; it may be refitted between calls. */
int safety_create(void *mem, size_t size, const struct safety_envelope *e, const struct arx *model,
                  struct safety **ret);

/* Always returns a decision (owned by the safety object, valid until the next call). Never fails: outcomes are in it.
 */
const struct safety_decision *safety_filter(struct safety *s, const struct safety_snapshot *snap,
                                            const struct safety_proposal *prop);

/* VM moves: would the disturbances d_with [nd] (target rack loaded, source rack not yet relieved) still be certified
 * with the action just decided? Call right after safety_filter. */
bool safety_check_load(struct safety *s, const struct safety_snapshot *snap, const double *d_with);

/* State that must survive a restart (starts and stop times, as ages in seconds): plain array of doubles.
 * save returns the count needed. restore tolerates a different count (then starts conservative). */
size_t safety_state_save(const struct safety *s, double mono_s, double *buf, size_t cap);
void safety_state_restore(struct safety *s, double mono_s, double elapsed_s, const double *buf, size_t n);

/* What a decision was made on beside its snapshot and the model set: the equipment's timers (as safety_state_save),
 * what the plant was taken to have [nu], and how each room was decided. Plain doubles; returns the count needed. Call
 * right after safety_filter. */
size_t safety_basis_save(const struct safety *s, double mono_s, double *buf, size_t cap);

/* A decision judged again from what was stored with it (recheck.c). */
struct safety_recheck {
        bool base_same; /* what the snapshot says is confirmed is what the filter counted from */
        bool verified;  /* the second checker passes the action */
        bool certified; /* the filter had certified every room: margin, binding and terminal are of the certificate */
        bool holds;     /* the worst case of each room that it had certified keeps the limits */
        bool terminal;
        double margin; /* as in the certificate; NaN = not computed */
        int binding_y;
};
/* s: created with the same envelope; its model holds the set of that decision. snap, act [nu]: that decision's. s is
 * used up by it: for re-checks only. -EINVAL: basis is not one of this envelope; ret untouched. */
int safety_recheck(struct safety *s, const struct safety_snapshot *snap, const double *basis, size_t n,
                   const double *act, struct safety_recheck *ret);

#endif
