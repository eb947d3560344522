/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Shadow and replay: every write ends as NOT_SENT with the value the registers would have expressed. Holds no handle.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/drivers/driver.h"
#include "agent/points/codec.h"

struct null_actuator {
        const struct site *site;
        struct write_sink sink;
};

const char *write_result_str(enum write_result r)
{
        static const char *const names[] = {
            [WRITE_PENDING] = "PENDING",
            [WRITE_ACCEPTED] = "ACCEPTED",
            [WRITE_TIMED_OUT] = "TIMED_OUT",
            [WRITE_REJECTED_INVALID_SETTING] = "REJECTED_INVALID_SETTING",
            [WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE] = "REJECTED_NOT_ENABLED_OR_AVAILABLE",
            [WRITE_REJECTED_OVERRIDE] = "REJECTED_OVERRIDE",
            [WRITE_REJECTED_INVALID_DEVICE] = "REJECTED_INVALID_DEVICE",
            [WRITE_REJECTED_DEVICE_OFFLINE] = "REJECTED_DEVICE_OFFLINE",
            [WRITE_REJECTED_BY_SAFETY] = "REJECTED_BY_SAFETY",
            [WRITE_MISMATCH] = "MISMATCH",
            [WRITE_NOT_SENT] = "NOT_SENT",
        };
        return (size_t)r < sizeof(names) / sizeof(names[0]) && names[r] ? names[r] : "UNKNOWN";
}

static int null_write(void *self, const struct write_request *req)
{
        struct null_actuator *n = self;
        uint16_t regs[4];
        struct write_outcome o = {.id = req->id, .point = req->point, .written = (double)NAN, .read_back = (double)NAN};

        if (req->point >= n->site->npoint || !n->site->point[req->point].writable)
                return -EINVAL;
        /* The same refusals as on the wire: what shadow records is what live would have done. */
        o.result = codec_encode(&n->site->point[req->point], req->value, regs, &o.written) == 0
                       ? WRITE_NOT_SENT
                       : WRITE_REJECTED_INVALID_SETTING;
        n->sink.done(n->sink.ctx, &o);
        return 0;
}

int null_actuator_create(const struct site *site, struct write_sink sink, struct null_actuator **ret,
                         struct actuator *ret_act)
{
        struct null_actuator *n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        *n = (struct null_actuator){.site = site, .sink = sink};
        *ret = n;
        *ret_act = (struct actuator){.write = null_write, .self = n};
        return 0;
}

struct null_actuator *null_actuator_free(struct null_actuator *n)
{
        free(n);
        return NULL;
}
