/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The gate's two local sockets in <run_dir>: planner.sock (SEQPACKET, one planner at a time, a new one replaces the
 * old; a peer of another user than planner_uid is closed at once and replaces nothing) and status.sock (STREAM, open to
 * the gate's group: one JSON document, then close). Never blocks; a slow reader is dropped.
 */
#ifndef COOLPLANE_GATE_SERVER_H
#define COOLPLANE_GATE_SERVER_H

#include <sys/types.h>

#include "agent/base/loop.h"
#include "agent/drivers/event.h"
#include "agent/gate/ipc.h"
#include "agent/points/site.h"

struct server;

struct server_args {
        const struct site *site;
        struct loop *loop;
        uid_t planner_uid; /* the only user whose proposals are heard */
        /* A proposal of the right form (borrowed for the call), or NULL with why: garbage arrived. */
        void (*proposal)(void *ctx, const struct ipc_proposal *p, const char *why);
        void (*planner)(void *ctx, bool connected);
        /* Fills buf with the status document (NUL-terminated); returns its length. */
        size_t (*status)(void *ctx, char *buf, size_t cap);
        size_t status_cap;
        struct event_sink events;
        void *ctx;
};

int server_create(const struct server_args *a, struct server **ret); /* 0 or -Exxx (run_dir not writable, …) */
struct server *server_free(struct server *s);

bool server_planner_connected(const struct server *s);
/* Sends the step; false when no planner is there or it does not read. */
bool server_send_step(struct server *s, const struct ipc_step *msg);

#endif
