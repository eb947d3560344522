/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The gate: the one path from sample to decision, used unchanged by live, shadow, replay and in-process simulation.
 * Samples come in by gate_samples, a control step happens at gate_step, writes leave through the actuator. The wiring
 * (wire.h, replay, sim) owns clock, drivers and sockets; the gate owns point table, window, model, safety and store.
 */
#ifndef COOLPLANE_GATE_GATE_H
#define COOLPLANE_GATE_GATE_H

#include "agent/base/clock.h"
#include "agent/drivers/driver.h"
#include "agent/gate/ipc.h"
#include "agent/points/layout.h"
#include "agent/store/store.h"
#include "safety/ladder.h"

struct gate;

/* The ladder (safety/ladder.h), and beside it SHADOW, which decides and never writes. */
enum gate_mode {
        GATE_ACTIVE = LADDER_ACTIVE,
        GATE_HOLD = LADDER_HOLD,
        GATE_FALLBACK = LADDER_FALLBACK,
        GATE_RELEASE = LADDER_RELEASE,
        GATE_SHADOW = LADDER_MODES
};
const char *gate_mode_str(enum gate_mode m);

struct gate_args {
        const struct site *site;  /* borrowed */
        const struct clk *clk;    /* borrowed */
        struct store *store;      /* borrowed; NULL = nothing is stored (unit tests) */
        struct actuator actuator; /* .write NULL = the plant cannot be written */
        const char *run_mode;     /* "live", "shadow", "replay", "sim": a label in the run row */
        bool acting;              /* writes go out (live, sim); false: decisions are recorded only */
        bool decisions_only;      /* samples are not stored: a replay's log has them, or nobody keeps the log */
        bool unaudited;           /* what decisions were made on is not stored either: nobody keeps the record */
        int64_t explore_ms;       /* identification: ACTIVE time of all runs; anew when the last day teaches nothing */
        int (*publish_move)(void *ctx, const char *json); /* VM move requests: 0 or -Exxx; NULL = none */
        void *publish_ctx;
        /* Every event, as it happens, whether or not it can be stored: the program's log. NULL = none. */
        void (*log)(void *ctx, int severity, const char *component, const char *text);
        void *log_ctx;
};

/* 0 or -Exxx; a site that cannot be run (-EINVAL, -E2BIG) is explained to .log. */
int gate_create(const struct gate_args *a, struct gate **ret);
struct gate *gate_free(struct gate *g);

void gate_samples(struct gate *g, const struct sample *s, size_t n); /* sample_sink */
void gate_write_done(struct gate *g, const struct write_outcome *o); /* write_sink */
void gate_vm_message(struct gate *g, const char *subtopic, const char *json, size_t len);
struct inventory;
/* The newest inventory from a caller in this process, who has read it already; borrowed until the next one or the
 * gate's end; NULL = none any more. Not stored. */
void gate_vm_inventory(struct gate *g, const struct inventory *inv);

/* Commits what is queued, at most some thousand samples. Called about once a second of real time by the wiring and
 * before every decision. 0, 1 = more is waiting (again soon), or the store's error (again at the next turn). */
int gate_flush(struct gate *g);

/* One piece of what keeps the database small (the site's retention) and, once a minute, a look at the room on its disk.
 * Called by the wiring after a flush that left nothing waiting. */
void gate_upkeep(struct gate *g);

/* An event for .log and, with the next flush or decision, for the log table: device down, planner lost, broker back.
 * Shown by `coolplane why`. */
void gate_event(struct gate *g, int severity, const char *component, const char *text);

/* Begins control step `seq`: builds the snapshot and fills what the planner gets. */
void gate_step_begin(struct gate *g, struct ipc_step *ret_msg);
/* Ends it with the planner's answer (NULL = none in time; malformed = garbage arrived): decide, store, act. */
void gate_step_end(struct gate *g, const struct ipc_proposal *prop, bool malformed);

/* The way to a device was cut for a moment, or it was restarted. */
void gate_outage(struct gate *g, int device);
/* Heartbeats to every device that has them, and remote enable where it is due; call each heartbeat period. */
void gate_heartbeat(struct gate *g);
int64_t gate_heartbeat_ms(const struct gate *g); /* plant time; a third of the shortest watchdog, at most 10 s */

/* Leaving live, in this order: begin (fallback setpoints go out as a decision), wait until done, release (remote enable
 * off, heartbeat stopped), again every ACTUATE_RELEASE_RETRY_MS until released: what was not accepted goes out again.
 */
void gate_handback_begin(struct gate *g, const char *why);
void gate_release(struct gate *g);
bool gate_handback_done(const struct gate *g); /* no write is under way */
bool gate_released(const struct gate *g);      /* every device confirmed that remote enable is off */

enum { GATE_HOLDOUTS = 2 }; /* one step, about five minutes */

struct gate_status {
        enum gate_mode mode;
        enum decision_kind kind;
        enum decision_reason reason;
        char binding[POINT_NAME_MAX];
        uint64_t step, steps_by_kind[4], late_proposals, malformed_proposals;
        int64_t last_cycle_t_ms;
        double max_inlet_c, total_power_w, predicted_w;
        double margin_k; /* of the certificate; NaN = not computed, or no row of the model is fitted */
        int64_t samples_committed, samples_bad, samples_dropped; /* dropped: the store failed too long */
        int64_t samples_purged;                                  /* by retention */
        double last_purge_s;                                     /* time of the last piece of it; NaN = none yet */
        size_t samples_waiting;
        double unstored_s; /* for how long something of the record cannot be stored; NaN = it can */
        double last_commit_s, last_solve_s;
        bool exploring;
        size_t model_rows_fitted, model_rows;
        double holdout_c[GATE_HOLDOUTS], holdout_persistence_c[GATE_HOLDOUTS]; /* RMSE of inlets; NaN = none yet */
        double drift_score;  /* largest of the rows of the safety model: arx_row_info.drift, drift_low */
        double model_rmse_c; /* median one-step of inlet rows */
        size_t variables;    /* layout nu */
        bool watching;       /* nothing to command or no certified output: no decisions are made */
};
void gate_status(const struct gate *g, struct gate_status *ret);
/* Variable j (< layout nu): why it is not ours to move, NULL when it is, as of the last step. *ret_point: its point. */
const char *gate_fixed(const struct gate *g, size_t j, size_t *ret_point);

/* SHA-256 over every decision made (t_ms, step, kind, reason, action), hex, 65 bytes: replay's identity. Where the gate
 * only watches: over each step's time, readings and forecast. */
void gate_decision_sha256(const struct gate *g, char *ret_hex);

#endif
