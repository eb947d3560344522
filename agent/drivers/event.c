/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/event.h"

#include <stdarg.h>
#include <stdio.h>

void event_tell(const struct event_sink *s, int severity, const char *component, const char *fmt, ...)
{
        char text[256];
        va_list ap;

        if (!s->event)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        s->event(s->ctx, severity, component, text);
}

bool event_ration_take(struct event_ration *r, unsigned per_minute, int64_t now_ms, unsigned *ret_over)
{
        if (r->n == 0 || now_ms - r->since_ms >= 60 * 1000) {
                r->since_ms = now_ms;
                r->n = 0;
        }
        if (r->n >= per_minute) {
                r->over++;
                return false;
        }
        r->n++;
        *ret_over = r->over;
        r->over = 0;
        return true;
}
