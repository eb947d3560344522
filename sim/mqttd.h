/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The plant's own connection to the broker (MQTTAsync). Library threads only enqueue and wake the loop; everything else
 * happens on the loop thread. Reconnects once a second for as long as it lives and subscribes again each time.
 */
#ifndef COOLPLANE_SIM_MQTTD_H
#define COOLPLANE_SIM_MQTTD_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/loop.h"

struct mqttd_args {
        struct loop *loop; /* borrowed */
        const char *host;
        int port;
        const char *client_id;
        const char *subscribe;        /* one topic, QoS 1; copied */
        void (*connected)(void *ctx); /* after every (re)connect: time to publish what is retained */
        void (*message)(void *ctx, const char *topic, const char *payload, size_t len); /* payload NUL-terminated */
        void *ctx;
};

struct mqttd;
int mqttd_create(const struct mqttd_args *a, struct mqttd **ret);
struct mqttd *mqttd_free(struct mqttd *m);
/* QoS 0 for telemetry, 1 otherwise. -ENOTCONN; -EAGAIN when the library's queue is full: the message is dropped. */
int mqttd_publish(struct mqttd *m, const char *topic, const char *payload, size_t len, int qos, bool retained);
bool mqttd_connected(const struct mqttd *m);

#endif
