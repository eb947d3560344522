/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a driver has to say to people: it never logs, the program does, and may store it. */
#ifndef COOLPLANE_DRIVERS_EVENT_H
#define COOLPLANE_DRIVERS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct event_sink {
        void (*event)(void *ctx, int severity, const char *component, const char *text); /* NULL: nobody listens */
        void *ctx;
};
/* severity: as of syslog, 3 error … 6 info. */
void event_tell(const struct event_sink *s, int severity, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* So many events a minute of one source, the rest is counted. All 0 at the start. */
struct event_ration {
        int64_t since_ms;
        unsigned n, over;
};
/* May one more go out? Then *ret_over ← those that might not since one last did. */
bool event_ration_take(struct event_ration *r, unsigned per_minute, int64_t now_ms, unsigned *ret_over);

#endif
