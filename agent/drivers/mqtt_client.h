/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A broker connection behind a fence: paho's calls may wait (names, TLS, its own locks) and its callbacks come on its
 * own threads, so a worker thread makes the calls, callbacks only enqueue, and the loop thread sees events through a
 * descriptor. Nothing here waits in the loop thread but mqttc_free, for at most MQTTC_FREE_MAX_MS.
 */
#ifndef COOLPLANE_DRIVERS_MQTT_CLIENT_H
#define COOLPLANE_DRIVERS_MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTTC_MESSAGE_MAX (8 * 1024 * 1024)  /* an inventory; larger ones are rejected before they are copied */
#define MQTTC_QUEUE_MESSAGES 4096            /* then the oldest is dropped */
#define MQTTC_QUEUE_BYTES (16 * 1024 * 1024) /* payloads and topics */
#define MQTTC_COMMANDS 256

#define MQTTC_FREE_MAX_MS 3000

struct mqttc;

struct mqttc_args { /* all copied */
        const char *host;
        int port;
        const char *client_id;
        const char *username, *password;                        /* NULL or "": none */
        const char *tls_ca_file, *tls_cert_file, *tls_key_file; /* any given: TLS, and never plain text */
        int keepalive_s, connect_timeout_s;
        char *const *topic; /* [ntopic] subscribed with QoS 1 after every connect */
        size_t ntopic;
};

enum mqttc_event_kind {
        MQTTC_NONE,
        MQTTC_UP,      /* connected and every subscription granted */
        MQTTC_DOWN,    /* refused, lost, or a subscription refused; text says */
        MQTTC_MESSAGE, /* topic, payload */
};

struct mqttc_event {
        enum mqttc_event_kind kind;
        char text[96];
        char *topic;
        char *payload; /* [len], NUL-terminated behind */
        size_t len;
        bool retained;
};

struct mqttc_counts {
        uint64_t dropped;   /* messages: the queue was full, or the connection was thrown away with them */
        uint64_t oversized; /* and topics with NUL bytes */
        uint64_t unsent;    /* publications paho did not take */
};

int mqttc_create(const struct mqttc_args *a, struct mqttc **ret);
/* A worker that paho holds for longer, looking up a name while DNS is dead, is left to the end of the process. */
struct mqttc *mqttc_free(struct mqttc *c);

int mqttc_fd(const struct mqttc *c); /* readable: call mqttc_next until it returns MQTTC_NONE */
enum mqttc_event_kind mqttc_next(struct mqttc *c, struct mqttc_event *ret);
void mqttc_event_clear(struct mqttc_event *e);

/* Throws the present connection away, if any, and makes a new one; events of the old one do not come any more. */
void mqttc_connect(struct mqttc *c);
void mqttc_disconnect(struct mqttc *c);
/* QoS 1, not retained. 0, -EAGAIN (queue full), -ENOMEM. */
int mqttc_publish(struct mqttc *c, const char *topic, const char *payload, size_t len);
struct mqttc_counts mqttc_counts_get(struct mqttc *c);

#endif
