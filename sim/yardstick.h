/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The controllers of the yardstick, each over the same weather, load and seed in virtual time. Test equipment: b2s and
 * b4 know the future, b4f too, b3 runs the planner without the safety layer; none of them can reach anything but a
 * plant in this process.
 */
#ifndef COOLPLANE_SIM_YARDSTICK_H
#define COOLPLANE_SIM_YARDSTICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plant.h"
#include "sim/serve_world.h"

/* The limit that every baseline may use: b1 and b2 are tuned to it, b2s and b4 search below it. */
#define YARD_INLET_MAX_C 27.0

enum yard_kind {
        YARD_LOCAL,      /* what the plant's PLC does on its own */
        YARD_PID,        /* loops at each CRAH, nothing else */
        YARD_HAND,       /* somebody who steps one setpoint after the other, to see what it does */
        YARD_CONSTANT,   /* best constants in hindsight */
        YARD_UNFILTERED, /* the planner's proposals written as they are */
        YARD_ORACLE,     /* looks ahead in a copy of the plant itself */
        YARD_AGENT,      /* the unmodified agent */
        YARD_JUDGED,     /* the agent with the oracle in the planner's place, once the plant is identified */
};

struct yard_controller {
        const char *name, *what;
        enum yard_kind kind;
        enum plant_local local;
        bool moves; /* VMs are moved: by the agent; of YARD_LOCAL, by a plain consolidation */
};
extern const struct yard_controller yard_controllers[];
extern const size_t yard_ncontroller;
bool yard_has_agent(const struct yard_controller *c);
bool yard_foresees(const struct yard_controller *c); /* what comes, but no faults */

/* What a supervisor may set; chillers: bit i = machine i may run. */
struct yard_command {
        double sat_c[PLANT_CRAH_MAX], fan_ratio[PLANT_CRAH_MAX];
        double chwst_c, cwst_c;
        uint32_t chillers;
};

/* Of the CRAH loops of b1: supply air = entering water + offset, fans hold the pressure. */
struct yard_pid {
        double offset_k, dp_pa;
};
extern const struct yard_pid yard_pid_tuned;

/* One seed over time, for plots: instantaneous but for the powers, which are means since the sample before. */
struct yard_sample {
        double t_h;
        double inlet_max_c, inlet_mean_c;
        double sat_sp_c, fan_ratio, chwst_sp_c, cwst_sp_c, chillers; /* means over the CRAHs; machines running */
        double chiller_kw, pump_kw, tower_kw, crah_fan_kw, it_fan_kw, it_kw;
        double oat_c, wetbulb_c;
};
struct yard_trace {
        struct yard_sample *sample; /* [cap], the caller's */
        size_t n, cap;
};

/* Something of plant_fault, in whole steps of YARD_STEP_S since the start of what counts. b2s, b4 and b4f do not
 * foresee it.
 */
struct yard_fault {
        const char *name;
        int64_t at_ms;
};
#define YARD_STEP_S 30.0 /* of time between looks at a plant */

struct yard_setup {
        struct world_args world;
        int64_t start_ms; /* of what counts; the warm-up is before it */
        double hours, warmup_h;
        uint64_t seed;
        const struct yard_fault *fault; /* [nfault] in order of time, borrowed */
        size_t nfault;
        const char *log; /* path prefix of the databases (yard_log_path); NULL = none */
};
/* Of one controller: <log>NAME-SEED.db. A run needs that there is none. */
void yard_log_path(const struct yard_setup *s, const struct yard_controller *c, char *ret, size_t size);

/* How a warm-up is spent. The plant's own controls; live identification (b3, c0, c, b4f); then control as it goes on,
 * so that nobody begins the part that counts from where exploring left the plant. VMs are moved from `settle` on.
 * Hours, in whole minutes but for the first. */
struct yard_warmup {
        double local_h, identify_h, settle_h;
};
void yard_warmup(double hours, struct yard_warmup *ret);

struct yard_result {
        struct plant_account account;
        double cpu_s;
        struct yard_command best; /* b2s: what it found */
        uint64_t
            decisions[4]; /* by kind, of c, c0, b4f; of b3: what the safety layer would have made of its proposals */
        unsigned evaluations; /* b2s, b4, b4f: plants simulated to the horizon */
};

/* An exit code, with the reason on stderr. trace may be NULL. With a log, a gate in shadow records plants that no agent
 * drives; the result is the same as without. */
int yard_run(const struct yard_setup *s, const struct yard_controller *c, struct yard_trace *trace,
             struct yard_result *ret);

/* ---- the parts, for the tuning and the tests ---- */

void yard_advance(struct plant *p, double hours);
/* b0's setpoints, stepped by hand. -ENOMEM. */
struct yard_hand;
int yard_hand_create(const struct plant *p, uint64_t seed, struct yard_hand **ret);
struct yard_hand *yard_hand_free(struct yard_hand *h);
void yard_hand_advance(struct yard_hand *h, struct plant *p, double hours);

/* The same constants for every CRAH. */
void yard_command_uniform(const struct plant_spec *spec, double sat_c, double fan_ratio, double chwst_c, double cwst_c,
                          uint32_t chillers, struct yard_command *ret);
/* Takes every device over, if it is not ours yet, and holds the command. */
void yard_hold(struct plant *p, const struct yard_command *cmd, double hours);
void yard_pid_advance(struct plant *p, const struct yard_pid *pid, double hours);

/* Least total energy over warm-up and hours from `start` on, every inlet ≤ YARD_INLET_MAX_C and no hard violation:
 * coarse-to-fine pattern search. levels 1-4: 2 K … 0.25 K. -ENOMEM; -ERANGE: nothing tried keeps the inlets. */
int yard_constant_search(const struct plant *start, double warmup_h, double hours, unsigned levels,
                         struct yard_command *ret, unsigned *ret_evaluations);

/* Plain consolidation of VMs (b2v): one look at the plant and the moves that are due, every five minutes. */
struct yard_consolidator;
int yard_consolidator_create(const struct plant *p, struct yard_consolidator **ret); /* -ENOMEM */
struct yard_consolidator *yard_consolidator_free(struct yard_consolidator *k);
void yard_consolidator_step(struct yard_consolidator *k, struct plant *p);

struct yard_oracle;
int yard_oracle_create(const struct plant *p, const struct yard_command *first, struct yard_oracle **ret);
struct yard_oracle *yard_oracle_free(struct yard_oracle *o);
void yard_oracle_advance(struct yard_oracle *o, struct plant *p, double hours);
/* What it holds for the next hours, at most to its next decision; the caller advances the plant. Borrowed. */
const struct yard_command *yard_oracle_command(struct yard_oracle *o, const struct plant *p, double hours);
unsigned yard_oracle_evaluations(const struct yard_oracle *o);

#endif
