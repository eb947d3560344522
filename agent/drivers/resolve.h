/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A host name's addresses without waiting in the loop: getaddrinfo blocks, so a thread of its own makes the call. */
#ifndef COOLPLANE_DRIVERS_RESOLVE_H
#define COOLPLANE_DRIVERS_RESOLVE_H

#include <netdb.h>
#include <sys/socket.h>

#include "agent/base/loop.h"

#define RESOLVE_MAX 4 /* addresses kept */

struct addresses {
        struct sockaddr_storage addr[RESOLVE_MAX];
        socklen_t len[RESOLVE_MAX];
        size_t n;
};

/* getaddrinfo, or a test's. */
typedef int (*resolve_fn)(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);

struct resolve;

/* Numeric addresses only: never asks anybody. 0 or -EINVAL. */
int resolve_numeric(const char *host, int port, struct addresses *ret);

/* done is called once, in the loop; ret_addresses->n is 0 when the name could not be resolved. -EAGAIN: no thread. */
int resolve_start(struct loop *l, const char *host, int port, resolve_fn fn,
                  void (*done)(void *ctx, const struct addresses *a), void *ctx, struct resolve **ret);
/* After done, or instead of it. Does not wait for the thread. */
struct resolve *resolve_free(struct resolve *r);

#endif
