/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Private to agent/gate: the state its files share: gate.c (life), snapshot.c and decide.c (the two halves of a step),
 * envelope.c (limits), learn.c (safety model). */
#ifndef COOLPLANE_GATE_GATE_INTERNAL_H
#define COOLPLANE_GATE_GATE_INTERNAL_H

#include "agent/base/hash.h"
#include "agent/gate/actuate.h"
#include "agent/gate/envelope.h"
#include "agent/gate/gate.h"
#include "agent/points/quality.h"
#include "agent/store/dataset.h"
#include "models/arx/arx.h"
#include "safety/safety.h"

enum {
        GATE_TIMERS_MAX = 256,
        GATE_QUEUE = 4096,   /* samples waiting for the store */
        GATE_HOLD_STEPS = 3, /* a missing reading is carried this many steps in the model's window */
        GATE_FIT_EVERY = 20, /* steps between refits of the safety model */
        GATE_FIT_MIN = 60,   /* samples a row needs before its fit counts */
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
        int64_t last_row_t_ms;
        uint32_t *age; /* [ny] steps since the output's last good sample */

        void *model_mem, *safety_mem;
        struct arx_structure *structure;
        struct arx *model;
        struct safety *safety;        /* NULL: nothing can be commanded or certified here, the gate only watches */
        double *watch_y, *watch_work; /* then: the model's forecast of the next row */
        struct gate_spans span;
        struct gate_envelope envelope;
        size_t fit_countdown;
        bool store_models; /* a new fit is waiting for its hourly registration */
        int64_t model_stored_mono_ms;

        /* the step under way */
        uint64_t step;
        struct safety_snapshot snap;
        double *u_confirmed, *d_free, *d_hi; /* d_hi: d_free and the VM moves under way */
        double *d_change2;                   /* [nd] mean square change over one horizon */
        uint64_t d_rows;                     /* steps it was learned from */
        uint8_t *y_ok, *onoff;
        unsigned valve_open_steps;
        double power_w[4], cooling_load_w, chillers_on, max_inlet_c, total_power_w;
        bool blind;           /* no certified output has a fresh good reading */
        unsigned blind_steps; /* consecutive blind steps in FALLBACK */
        bool in_step, handback, remote_released, first_scan_done;
        int64_t explored_ms, last_step_mono_ms;
        int64_t store_failing_since_mono_ms; /* −1 = healthy */

        struct gate_status status;
        struct hash decisions; /* running SHA-256 */
        struct sample queue[GATE_QUEUE];
        size_t nqueue;

        struct vm_inventory *vm;
};

/* gate.c: a write to the store failed or worked again; long outages end in RELEASE */
void gate_store_trouble(struct gate *g, bool failed);
/* vm.c: VM moves the planner asks for; each must be safe with the target loaded and the source not yet relieved */
void gate_place_moves(struct gate *g, const struct ipc_proposal *prop, int64_t t_ms);
/* learn.c: the safety model, identified from the gate's own samples */
int gate_model_create(struct gate *g);
void gate_model_seed(struct gate *g);                       /* from the samples the gate stored in earlier runs */
void gate_model_step(struct gate *g, const double *y_next); /* window → y_next, refit now and then */
void gate_model_store(struct gate *g, int64_t mono_ms);

#endif
