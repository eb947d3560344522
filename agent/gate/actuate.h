/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The one door. A setpoint reaches a device only through actuate_apply, and only a safety decision opens it. The
 * supervision registers (heartbeat, remote enable) have their own two functions and can carry nothing else.
 *
 * Keeps the ownership ledger: after a confirmed write, a later good reading that differs without our doing is a foreign
 * write; the point is then left alone. Write on change of at least half a register step, plus lease refresh; moves
 * toward less cooling wait for min_interval, moves toward more cooling never do. Allocates at create only.
 */
#ifndef COOLPLANE_GATE_ACTUATE_H
#define COOLPLANE_GATE_ACTUATE_H

#include "agent/drivers/driver.h"
#include "agent/points/layout.h"
#include "agent/points/quality.h"
#include "agent/store/store.h"
#include "safety/safety.h"

struct actuate;

struct actuate_args {
        const struct layout *layout; /* borrowed */
        const struct ptable *points; /* borrowed: current readings */
        struct store *store;         /* borrowed; NULL = not stored */
        struct actuator actuator;
        bool acting; /* false: intended writes are recorded as WRITE_NOT_SENT by a null driver */
        void (*event)(void *ctx, int severity, const char *text);
        void *event_ctx;
};

int actuate_create(const struct actuate_args *a, struct actuate **ret);
struct actuate *actuate_free(struct actuate *a);
void actuate_bind_run(struct actuate *a, int64_t run_id);

/* Is variable j ours to move: its device follows remote setpoints and nobody else has written the point? */
bool actuate_controllable(const struct actuate *a, size_t j, int64_t t_ms);

/* Sends what differs from the plant. decision_id: the stored decision (already durable). Returns writes queued. */
size_t actuate_apply(struct actuate *a, const struct safety_decision *d, int64_t decision_id, int64_t t_ms,
                     int64_t mono_ms);

/* A good reading arrived: ledger check. */
void actuate_reading(struct actuate *a, const struct sample *s, int64_t mono_ms);
/* A write ended. */
void actuate_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms);
/* Stores outcomes gathered since the last call. */
void actuate_flush(struct actuate *a);

/* Next counter to every heartbeat register; devices whose echo has not followed the last three are reported once. */
void actuate_heartbeat(struct actuate *a, int64_t t_ms);
/* Writes remote enable of every device that differs from `on`. Returns writes queued. */
size_t actuate_remote(struct actuate *a, bool on, int64_t t_ms);

size_t actuate_pending(const struct actuate *a);
size_t actuate_foreign(const struct actuate *a); /* points another master has taken */

#endif
