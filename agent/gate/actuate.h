/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The one door. A setpoint reaches a device only through actuate_apply, and only a safety decision opens it. The
 * supervision registers (heartbeat, remote enable) have their own functions (supervise.c) and can carry nothing else.
 *
 * A device is ours to move only with the whole set of supervision registers (heartbeat, its echo, remote enable and
 * remote status), while the echo follows and it reports remote. One of which we can move nothing (no echo, unreadable,
 * refused) for longer than its watchdog is let go, so that its own controls run it: remote enable is cleared, and it
 * gets heartbeats only while that reads 0, to see when it follows again. The operator always wins: a device that goes
 * local though it heard every heartbeat, or a setpoint that someone else wrote, is left alone until `coolplane rearm`.
 * No setpoint is written before the device was seen to go local when heartbeats stop (probe.h).
 *
 * Keeps the ownership ledger: after a confirmed write, a later good reading that differs without our doing is a foreign
 * write. Write on change of at least half a register step, plus lease refresh, which counts from the last accepted
 * write and goes on with what the point has while a move waits. Moves toward less cooling wait for min_interval and for
 * the write under way, moves toward more cooling do not. A value that the device refuses or does not take is not fought
 * over; only refusals of more cooling keep it from being asked for more. Allocates at create only.
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

/* Why a variable is not ours to move. */
enum actuate_fixed {
        ACTUATE_FREE = 0,
        ACTUATE_UNREADABLE,   /* its present value is not known */
        ACTUATE_UNSUPERVISED, /* the device lacks supervision registers */
        ACTUATE_NO_ECHO,      /* heartbeat not echoed (yet) */
        ACTUATE_LOCAL,        /* the device reports local control */
        ACTUATE_OPERATOR,     /* taken local by someone at the plant; until re-armed */
        ACTUATE_FOREIGN,      /* someone else writes the point; until re-armed */
        ACTUATE_REFUSED,      /* the last writes were refused or read back otherwise */
        ACTUATE_LET_GO,       /* nothing of the device could be moved for longer than its watchdog: left to itself */
        ACTUATE_UNPROVED,     /* it has not been seen to go local when heartbeats stop (yet) */
        ACTUATE_INERT,        /* it does not go local when heartbeats stop; until a restart */
        ACTUATE_FIXED_COUNT_
};
const char *actuate_fixed_str(enum actuate_fixed f); /* a few words */
/* When nothing acts (shadow, replay) only ACTUATE_UNREADABLE is told. */
enum actuate_fixed actuate_fixed(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms);

/* Sends what differs from the plant, except what snap says was fixed in the decision or what has moved since.
 * decision_id: the stored decision (already durable); −1 with a store: it could not be stored. Then, and where the
 * actions themselves cannot be stored, only what cools more than the point has, or is about to have, is sent (when
 * acting; a start is, a stop is not): without a row and so without an outcome, but each value is told in an event.
 * handback: local setpoints, which wait for nothing. Returns writes queued. */
size_t actuate_apply(struct actuate *a, const struct safety_decision *d, int64_t decision_id,
                     const struct safety_snapshot *snap, bool handback);
/* Takes over the latches of the runs before; -Exxx: they cannot be read. */
int actuate_latches_restore(struct actuate *a);
/* Stores them when they have changed; with every heartbeat, and in RELEASE, which has none, with every step. */
void actuate_latches_save(struct actuate *a, int64_t t_ms);
/* RELEASE is latched too; all of them stand until `coolplane rearm`. */
void actuate_latch_release(struct actuate *a);
bool actuate_release_latched(const struct actuate *a);
/* Did storing actions fail in the last actuate_apply? */
bool actuate_unstored(const struct actuate *a);

/* Variable j was sent a value that a reading of t_ms cannot show yet, because the write is under way or ended after it
 * (with success, or nobody knows how): *ret_value ← that value. False: the reading stands. */
bool actuate_ordered(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms, double *ret_value);

/* A good reading arrived: ledger check. */
void actuate_reading(struct actuate *a, const struct sample *s, int64_t mono_ms);
/* A write ended. */
void actuate_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms);
/* Stores outcomes gathered since the last call; what cannot be stored is kept. 0 or the store's error. */
int actuate_flush(struct actuate *a);

/* Heartbeat period that keeps every device's watchdog: a third of the shortest, at most 10 s. */
int64_t actuate_heartbeat_ms(const struct site *site);
/* Next counter to every heartbeat register, and the judgement of echo and remote status; each period. */
void actuate_heartbeat(struct actuate *a, int64_t t_ms, int64_t mono_ms);
/* The way to a device was cut, or it was restarted: until now. What it did meanwhile is nobody's decision. */
void actuate_outage(struct actuate *a, int device, int64_t mono_ms);
/* Sets remote enable, once, of every device whose echo follows and that nobody at the plant has taken. */
void actuate_take(struct actuate *a, int64_t t_ms, int64_t mono_ms);
/* Has the device the whole set of supervision registers? */
bool actuate_supervises(const struct actuate *a, int device);
/* Clears remote enable of every such device that we have taken, or that does not read both remote enable and remote
 * status 0. To be called again, every ACTUATE_RELEASE_RETRY_MS, until actuate_released: what was not accepted is
 * written again. */
enum { ACTUATE_RELEASE_RETRY_MS = 500 };
void actuate_release(struct actuate *a, int64_t t_ms);
bool actuate_released(const struct actuate *a);

size_t actuate_pending(const struct actuate *a);

#endif
