/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * HTTP by libmicrohttpd, inside the program's one event loop. Read-only: GET and HEAD, every other method is 405. What
 * a browser or a stranger can do is bounded here: Host check, header size, number of connections, a deadline for a
 * request to arrive and for its answer to leave; every answer carries the security headers. microhttpd.h is included by
 * http.c alone.
 */
#ifndef COOLPLANE_WEB_HTTP_H
#define COOLPLANE_WEB_HTTP_H

#include "agent/base/loop.h"
#include "agent/web/api.h"
#include "agent/web/request.h"

struct http;

struct http_args {
        struct loop *loop;
        struct console *console;
        const char *bind; /* numeric address or "localhost" */
        int port;         /* 0 = any free one */
        struct host_policy hosts;
};

/* -EINVAL: bind is not an address; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES from the socket. */
int http_create(const struct http_args *a, struct http **ret, int *ret_port);
struct http *http_free(struct http *h);

#endif
