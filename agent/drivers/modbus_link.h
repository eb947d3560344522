/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * One Modbus connection, TCP or serial line: connects when it has to, carries one request at a time, never blocks the
 * loop. Each request ends in exactly one done(), never from inside mblink_request.
 */
#ifndef COOLPLANE_DRIVERS_MODBUS_LINK_H
#define COOLPLANE_DRIVERS_MODBUS_LINK_H

#include <stdbool.h>

#include "agent/base/loop.h"
#include "agent/drivers/modbus_frame.h"
#include "agent/drivers/resolve.h"

struct mblink;

enum mblink_result {
        MBLINK_REPLY,
        MBLINK_EXCEPTION,
        MBLINK_TIMEOUT,
        MBLINK_NO_CONNECTION, /* nothing was sent */
        MBLINK_LOST,          /* closed or reset before the answer */
        MBLINK_BAD_REPLY,     /* an answer that cannot be believed; a TCP connection is closed */
};

struct mblink_reply {
        enum mblink_result result;
        uint8_t exception;
        const uint8_t *data; /* valid during done() */
        size_t ndata;
        const char *why; /* static text; NULL for REPLY */
        bool reused;     /* LOST on a connection that had answered before: it may have been closed while idle */
};

struct mblink_args {
        struct loop *loop;
        bool rtu;
        const char *host; /* address, name (asked for at each connect, in a thread) or serial device; copied */
        int port;
        int baud;
        char parity;
        int stop_bits;
        resolve_fn lookup;                                     /* NULL: getaddrinfo */
        int pause_after_connect_ms, pause_between_requests_ms; /* real time */
        void (*done)(void *ctx, const struct mblink_reply *reply);
        void *ctx;
};

int mblink_create(const struct mblink_args *a, struct mblink **ret);
struct mblink *mblink_free(struct mblink *l);

bool mblink_busy(const struct mblink *l);
/* How often the peer has reset a connection, also while it was idle: it may have been restarted. */
uint64_t mblink_resets(const struct mblink *l);
/* regs: [req->count] for a write. timeout_ms: from sending to the whole reply, real time. Not while busy. */
void mblink_request(struct mblink *l, const struct mbrequest *req, const uint16_t *regs, int timeout_ms);
void mblink_hold(struct mblink *l, int ms); /* nothing is sent for so long, real time */
void mblink_disconnect(struct mblink *l);   /* not while busy; the next request connects again */

#endif
