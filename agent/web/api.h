/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the console answers: path and parameters in, status and body out. Knows nothing of HTTP's wire.
 *
 *   /                 the page             /static/…  its parts
 *   /api/status       the gate's status document, devices, limits, newest values, database
 *   /api/series       ?hours=1…168 (24)    /api/decisions ?limit=1…500 (50)    /api/events ?limit=1…500 (50)
 *                   &severity=0…7 (7)
 *   /metrics          ?values=0…1 (0), metrics.h           /healthz    200 while this process answers
 */
#ifndef COOLPLANE_WEB_API_H
#define COOLPLANE_WEB_API_H

#include "agent/web/metrics.h"
#include "agent/web/series.h"
#include "agent/web/view.h"

struct console;
int console_create(const struct site *site, struct clk *clk, struct console **ret);
struct console *console_free(struct console *c);

struct web_request {
        const char *path;
        const char *(*param)(void *ctx, const char *name); /* NULL = absent */
        void *ctx;
};

struct web_response {
        unsigned status;
        const char *type; /* static text */
        const char *etag; /* static text or NULL: the body may change at any time and is not to be kept */
        const char *body;
        size_t len;
        char *owned; /* malloc'ed body, or NULL when the body lives for ever */
};
void console_answer(struct console *c, const struct web_request *q, struct web_response *ret);

#endif
