/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * MQTT through paho's MQTTAsync. A worker thread calls the library, its callbacks only enqueue (bounded, oldest
 * dropped), the loop thread parses and delivers. On every (re)connect it subscribes again; an own echo topic proves
 * that messages come through; "connected but silent" rebuilds the client; back-off with jitter. Sample messages are
 * JSON {"timestamp":ms,"values":{key:number,…},"errors":{key:reason,…}}: many samples a message. Retained messages are
 * samples only if fresh, never commands (of the VM messages only the inventory may be retained). When the connection is
 * lost every MQTT point gets one bad sample. Setpoints are not accepted over MQTT.
 *
 * Acknowledged means committed to the database (gate_status.samples_committed): that survives kill -9. The broker's QoS
 * 1 acknowledgement does not mean it: paho sends it as soon as its callback returns, whatever that returns, and has no
 * call to send it later; to hold the callback until the commit would stop every message behind it. So a sample the
 * broker counts as delivered may still be lost: with the process, in the 0.5 s to the next commit; with the connection,
 * or to a full queue, while it waits for the loop (counted as dropped). Sessions are clean: what was sent while nobody
 * was connected is not sent again. Such losses are gaps, never wrong values; a sender that must not have them sends the
 * samples again (same point and timestamp: stored once).
 */
#ifndef COOLPLANE_DRIVERS_MQTT_H
#define COOLPLANE_DRIVERS_MQTT_H

#include "agent/base/loop.h"
#include "agent/drivers/driver.h"

struct mqtt_driver;

/* VM messages of the orchestrator (site.vm.topic), handed on as they came; JSON text, NUL-terminated. */
struct vm_sink {
        void (*message)(void *ctx, const char *subtopic, const char *json, size_t len);
        void *ctx;
};

struct mqtt_args {
        const struct site *site;
        struct loop *loop;
        const struct clk *clk;
        struct sample_sink samples;
        struct vm_sink vm;
        struct event_sink events;
        bool may_publish_moves; /* false: no publisher exists */
};

int mqtt_driver_create(const struct mqtt_args *a, struct mqtt_driver **ret);
struct mqtt_driver *mqtt_driver_free(struct mqtt_driver *d);

/* Publishes on <vm.topic>/<subtopic>, QoS 1, not retained. 0, -EPERM when may_publish_moves is false, -EAGAIN. */
int mqtt_driver_publish_vm(struct mqtt_driver *d, const char *subtopic, const char *json);

struct mqtt_stats {
        bool connected;
        uint64_t messages, samples, rejected, reconnects, dropped;
        char last_error[128];
};
void mqtt_driver_stats(const struct mqtt_driver *d, struct mqtt_stats *ret);

/* The parser of one sample message (fuzzed). Samples go to sink; returns their number or -EINVAL with *ret_why static.
 */
int mqtt_parse_samples(const struct site *site, int device, const char *json, size_t len, int64_t now_ms,
                       struct sample_sink sink, const char **ret_why);

#endif
