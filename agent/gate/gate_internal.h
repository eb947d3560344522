/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Private to agent/gate: the state its files share: gate.c (life), snapshot.c and decide.c (the two halves of a step),
 * envelope.c (limits), learn.c (safety model). */
#ifndef COOLPLANE_GATE_GATE_INTERNAL_H
#define COOLPLANE_GATE_GATE_INTERNAL_H

#include "agent/base/hash.h"
#include "agent/gate/actuate.h"
#include "agent/gate/advice.h"
#include "agent/gate/assumed.h"
#include "agent/gate/envelope.h"
#include "agent/gate/evidence.h"
#include "agent/gate/gate.h"
#include "agent/points/quality.h"
#include "agent/store/dataset.h"
#include "models/arx/arx.h"
#include "safety/safety.h"

enum {
        GATE_QUEUE_MIN = 4096,
        GATE_QUEUE_S = 600,    /* samples of this long wait for a store that fails */
        GATE_FLUSH_MAX = 5000, /* samples of one flush: about 15 ms */
        GATE_EVENTS = 512,     /* events that wait for a store */
        GATE_FIXED_STEPS = 3,  /* steps until a variable that cannot be moved is an event */
        GATE_RAMP_S = 60,      /* over which the change of the evaporators' water is taken */
        GATE_HOLD_STEPS = 3,   /* a missing reading is carried this many steps in the model's window */
};

enum gate_store_kind {
        GATE_STORE_SAMPLES, /* and events */
        GATE_STORE_DECISIONS,
        GATE_STORE_ACTIONS,
        GATE_STORE_OUTCOMES,
        GATE_STORE_INVENTORY, /* from here on what is not of the record: what cannot be stored does not happen */
        GATE_STORE_MOVES,
        GATE_STORE_KINDS
};

struct gate_event {
        int64_t t_ms;
        int severity;
        char component[16], text[256];
};

struct gate_fixed {
        enum actuate_fixed now, told;
        unsigned steps; /* that it has been so */
};

/* Predictions on their way, and the errors of those that have come true. */
struct gate_holdout {
        size_t steps;
        double *pred, *from; /* [steps × ny] ring: predicted; reading when it was predicted */
        double model_sq, still_sq, n;
};

struct stored_timers {
        struct clk_stamp at;
        double v[]; /* [ntimers] */
};

struct gate_upkeep {
        int64_t checked_mono_ms, t_ms;            /* last look, 0 = none; and the plant's time then */
        int64_t trusted_mono_ms;                  /* from then on the clock may say what is old */
        int64_t samples, before_ms, told_mono_ms; /* deleted since it was told */
        bool trusted, purging, failing, full, full_told, disk_low;
};

/* How often the event log was told that a row's readings contradicted what was learned of it, and its noise bound. */
struct gate_told {
        size_t resets, contradictions;
};

struct gate {
        struct gate_args a;
        struct layout *layout;
        struct ptable *points;
        struct resampler *resampler;
        struct actuate *actuate;
        int64_t run_id;

        /* history of the model, newest last; row r of u and d is in force from r to r + 1 */
        size_t window_cap, window_n;
        double *window_y, *window_u, *window_d;
        struct gate_holdout holdout[GATE_HOLDOUTS];
        size_t holdout_row;
        double *ahead_u, *ahead_d, *ahead_y, *ahead_work;
        double *window_seen, *y_seen;   /* window_y and its newest row, NaN where the value was carried */
        double *window_u_seen, *u_seen; /* window_u and its newest row, NaN where a device's command cannot be read */
        int64_t last_row_t_ms;
        uint32_t *age; /* [ny] steps since the output's last good sample */

        void *model_mem, *member_mem, *safety_mem;
        struct arx_structure *structure;
        struct arx *model;
        struct safety *safety;        /* NULL: nothing can be commanded or certified here, the gate only watches */
        double *watch_y, *watch_work; /* then: the model's forecast of the next row */
        struct gate_spans span;
        struct gate_envelope envelope;
        struct evidence *evidence; /* of decisions on their way to the store; NULL where none is stored */
        size_t fit_countdown, fitted_told;
        struct gate_told *told; /* [ny] */
        char layout_id[17];     /* of the variables the model knows by number */
        int64_t learned_t_ms;   /* beginning of the last step it learned from */
        int64_t model_stored_mono_ms;

        /* the step under way */
        uint64_t step;
        struct safety_snapshot snap;
        double *u_confirmed, *d_free, *d_hi; /* d_hi: d_free and the VM moves under way */
        double *d_change2;                   /* [nd] mean square change over one horizon */
        double *d_steps;                     /* [nd] steps it was learned from, at most a day */
        struct gate_assumed *assumed;        /* whether d_hi held */
        double *d_own;                       /* [nd] what our setpoints may have made of it; INFINITY = not looked at */
        uint8_t *y_ok, *onoff;
        uint8_t *ran;             /* [nu] onoff as last known; 255 = never */
        double *u_floor;          /* [nu] soft floors; NaN = none */
        uint8_t *u_fixed;         /* [nu] 1 = cannot be moved */
        struct gate_fixed *fixed; /* [nu] and why */
        struct advice *advice;    /* [nu] of shadow */
        double power_w[4], cooling_load_w, chillers_on, max_inlet_c, total_power_w;
        double chw_flow_m3s, evap_flow_m3s;
        /* water of each machine that reports running, over the last minute, newest last; NaN = none, or not known */
        double *evap_rows, *evap_row_s, *evap_now; /* [evap_cap × nu], [evap_cap] when, [nu] now */
        size_t evap_cap, evap_n;
        double evap_flow_ramp_per_min;
        double evap_share;    /* in the last step: what the best supplied machine had of its least; NaN = unknown */
        double flow_held_m3s; /* last known of chw_flow_m3s, */
        unsigned flow_unknown_steps; /* and since when not */
        unsigned freezing_steps;     /* consecutive ones */
        int freezing_point;          /* −1 = none has been told */
        int64_t explored_ms, last_step_mono_ms;
        int64_t store_failing_since_mono_ms[GATE_STORE_KINDS]; /* −1 = healthy */
        struct stored_timers *timers;                          /* equipment timers on their way to the store */
        size_t ntimers;

        struct gate_status status;
        struct hash decisions; /* running SHA-256 */
        struct sample *queue;  /* ring of samples waiting for the store; the oldest give way */
        size_t queue_cap, queue_head, nqueue;
        struct gate_event event[GATE_EVENTS]; /* ring of events waiting for the store; the oldest give way */
        size_t event_head, nevent;
        int64_t events_lost; /* since it was told */

        struct vm_inventory *vm;
        struct gate_upkeep upkeep;

        unsigned valve_open_steps, blind_steps; /* blind_steps: consecutive ones in FALLBACK */
        bool blind;                             /* no certified output has a fresh good reading */
        bool in_step, handback, remote_released, first_scan_done;
        bool store_models; /* a new fit is waiting for its hourly registration */
        bool timers_lost, dropping;
};

/* gate.c: writes of a kind to the store failed or worked again; long outages end in RELEASE */
void gate_store_trouble(struct gate *g, enum gate_store_kind kind, bool failed);
int64_t gate_store_failing_ms(const struct gate *g); /* the longest outage of the record; −1 = none */
/* gate.c: events waiting, inside a store group; stored: the group was committed. A decision takes those before it
 * along, so that its record is never without what led to it. */
int gate_put_events(struct gate *g);
void gate_events_stored(struct gate *g);
/* gate.c: into the record, that nothing is heard of a point any more; models and safety see its age by themselves */
void gate_record_stale(struct gate *g, int64_t t_ms);
/* gate.c: which variables cannot be moved now, and why; an event when that lasts */
void gate_read_fixed(struct gate *g, int64_t t_ms, int64_t mono_ms);
/* vm.c: VM moves the planner asks for; each must be safe with the target loaded and the source not yet relieved */
void gate_place_moves(struct gate *g, const struct ipc_proposal *prop, int64_t t_ms);
/* memory.c: what must survive a restart */
void gate_memory_save(struct gate *g);
int gate_memory_restore(struct gate *g); /* 0 or -ENOMEM */
/* holdout.c: how well the model foresees the inlets. compare: the newest row has come; predict: after the decision,
 * with the setpoints now in force (NULL: as they were) */
int gate_holdout_create(struct gate *g);
void gate_holdout_free(struct gate *g);
void gate_holdout_clear(struct gate *g); /* after a gap */
void gate_holdout_compare(struct gate *g);
void gate_holdout_predict(struct gate *g, const double *u);
/* learn.c: the safety model, identified from the gate's own samples */
int gate_model_create(struct gate *g);
void gate_model_seed(struct gate *g); /* from what the gate stored in earlier runs, its model and samples */
void gate_model_step(struct gate *g,
                     int64_t took_ms); /* since the row before; window_seen → y_seen, refit now and then */
void gate_model_rows(struct gate *g);  /* how many rows are fitted → status; an event when that has changed */
void gate_model_store(struct gate *g, int64_t mono_ms);

#endif
