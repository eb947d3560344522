/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/mqttd.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_CAP 64
#define PENDING_MAX 100 /* messages not yet handed to the broker */

enum state { STATE_IDLE, STATE_CONNECTING, STATE_UP };

struct incoming {
        char *topic, *payload;
        size_t len;
};

struct mqttd {
        struct mqttd_args a;
        char subscribe[128];
        MQTTAsync client;
        struct loop_timer *timer;
        int evfd;

        pthread_mutex_t lock; /* guards what follows */
        enum state state;
        bool announce; /* connected since the loop last looked */
        struct incoming queue[QUEUE_CAP];
        size_t head, n;
};

static void wake(struct mqttd *m)
{
        uint64_t one = 1;
        ssize_t r = write(m->evfd, &one, sizeof(one));
        (void)r; /* a full counter wakes as well */
}

static void set_state(struct mqttd *m, enum state s)
{
        pthread_mutex_lock(&m->lock);
        m->state = s;
        m->announce = s == STATE_UP;
        pthread_mutex_unlock(&m->lock);
        wake(m);
}

/* ---- library threads ---- */

static void on_connected(void *ctx, char *cause)
{
        struct mqttd *m = ctx;
        MQTTAsync_responseOptions opts = MQTTAsync_responseOptions_initializer;
        (void)cause;
        MQTTAsync_subscribe(m->client, m->subscribe, 1, &opts);
        set_state(m, STATE_UP);
}

static void on_lost(void *ctx, char *cause)
{
        (void)cause;
        set_state(ctx, STATE_IDLE);
}

static void on_connect_failure(void *ctx, MQTTAsync_failureData *data)
{
        (void)data;
        set_state(ctx, STATE_IDLE);
}

static int on_message(void *ctx, char *topic, int topic_len, MQTTAsync_message *msg)
{
        struct mqttd *m = ctx;
        struct incoming in = {0};
        (void)topic_len;

        /* a retained request is not a request */
        if (!msg->retained && msg->payloadlen >= 0) {
                in.len = (size_t)msg->payloadlen;
                in.topic = strdup(topic);
                in.payload = malloc(in.len + 1);
        }
        if (in.topic && in.payload) {
                memcpy(in.payload, msg->payload, in.len);
                in.payload[in.len] = '\0';
                pthread_mutex_lock(&m->lock);
                if (m->n < QUEUE_CAP) {
                        m->queue[(m->head + m->n++) % QUEUE_CAP] = in;
                        in = (struct incoming){0};
                }
                pthread_mutex_unlock(&m->lock);
                wake(m);
        }
        free(in.topic);
        free(in.payload);
        MQTTAsync_freeMessage(&msg);
        MQTTAsync_free(topic);
        return 1;
}

/* ---- loop thread ---- */

static void on_event(void *ctx, int fd, uint32_t events)
{
        struct mqttd *m = ctx;
        uint64_t count;
        ssize_t r = read(fd, &count, sizeof(count));
        bool announce;
        (void)r;
        (void)events;

        pthread_mutex_lock(&m->lock);
        announce = m->announce;
        m->announce = false;
        pthread_mutex_unlock(&m->lock);
        if (announce && m->a.connected)
                m->a.connected(m->a.ctx);
        for (;;) {
                struct incoming in = {0};
                pthread_mutex_lock(&m->lock);
                if (m->n > 0) {
                        in = m->queue[m->head];
                        m->head = (m->head + 1) % QUEUE_CAP;
                        m->n--;
                }
                pthread_mutex_unlock(&m->lock);
                if (!in.topic)
                        break;
                m->a.message(m->a.ctx, in.topic, in.payload, in.len);
                free(in.topic);
                free(in.payload);
        }
}

static void on_timer(void *ctx)
{
        struct mqttd *m = ctx;
        MQTTAsync_connectOptions opts = MQTTAsync_connectOptions_initializer;
        bool idle;

        pthread_mutex_lock(&m->lock);
        idle = m->state == STATE_IDLE;
        if (idle)
                m->state = STATE_CONNECTING;
        pthread_mutex_unlock(&m->lock);
        if (idle) {
                opts.keepAliveInterval = 10;
                opts.cleansession = 1;
                opts.connectTimeout = 3;
                opts.onFailure = on_connect_failure;
                opts.context = m;
                if (MQTTAsync_connect(m->client, &opts) != MQTTASYNC_SUCCESS)
                        set_state(m, STATE_IDLE);
        }
        loop_timer_arm(m->timer, 1000);
}

int mqttd_create(const struct mqttd_args *a, struct mqttd **ret)
{
        MQTTAsync_createOptions opts = MQTTAsync_createOptions_initializer;
        char uri[300];
        struct mqttd *m = calloc(1, sizeof(*m));
        int err = -ENOMEM;

        if (!m)
                return -ENOMEM;
        m->a = *a;
        m->evfd = -1;
        pthread_mutex_init(&m->lock, NULL);
        if ((size_t)snprintf(m->subscribe, sizeof(m->subscribe), "%s", a->subscribe) >= sizeof(m->subscribe) ||
            (size_t)snprintf(uri, sizeof(uri), "tcp://%s:%d", a->host, a->port) >= sizeof(uri)) {
                err = -ENAMETOOLONG;
                goto fail;
        }
        m->evfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (m->evfd < 0) {
                err = -errno;
                goto fail;
        }
        if (MQTTAsync_createWithOptions(&m->client, uri, a->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &opts) !=
            MQTTASYNC_SUCCESS)
                goto fail;
        if (MQTTAsync_setCallbacks(m->client, m, on_lost, on_message, NULL) != MQTTASYNC_SUCCESS ||
            MQTTAsync_setConnected(m->client, m, on_connected) != MQTTASYNC_SUCCESS)
                goto fail;
        err = loop_add_fd(a->loop, m->evfd, EPOLLIN, on_event, m);
        if (err < 0)
                goto fail;
        err = loop_timer_create(a->loop, true, on_timer, m, &m->timer);
        if (err < 0)
                goto fail;
        loop_timer_arm(m->timer, 0);
        *ret = m;
        return 0;
fail:
        mqttd_free(m);
        return err;
}

struct mqttd *mqttd_free(struct mqttd *m)
{
        if (!m)
                return NULL;
        if (m->client) {
                MQTTAsync_disconnectOptions opts = MQTTAsync_disconnectOptions_initializer;
                MQTTAsync_disconnect(m->client, &opts);
                MQTTAsync_destroy(&m->client); /* joins nothing of ours: callbacks have ended after this */
        }
        if (m->timer)
                loop_timer_free(m->timer);
        if (m->evfd >= 0) {
                loop_del_fd(m->a.loop, m->evfd);
                close(m->evfd);
        }
        for (; m->n > 0; m->n--, m->head = (m->head + 1) % QUEUE_CAP) {
                free(m->queue[m->head].topic);
                free(m->queue[m->head].payload);
        }
        pthread_mutex_destroy(&m->lock);
        free(m);
        return NULL;
}

int mqttd_publish(struct mqttd *m, const char *topic, const char *payload, size_t len, int qos, bool retained)
{
        MQTTAsync_responseOptions opts = MQTTAsync_responseOptions_initializer;
        MQTTAsync_token *pending = NULL;
        size_t n = 0;

        if (!mqttd_connected(m))
                return -ENOTCONN;
        if (MQTTAsync_getPendingTokens(m->client, &pending) == MQTTASYNC_SUCCESS && pending) {
                while (pending[n] != -1 && n < PENDING_MAX)
                        n++;
                MQTTAsync_free(pending);
        }
        if (n >= PENDING_MAX || len > INT32_MAX)
                return -EAGAIN;
        return MQTTAsync_send(m->client, topic, (int)len, payload, qos, retained, &opts) == MQTTASYNC_SUCCESS ? 0
                                                                                                              : -EAGAIN;
}

bool mqttd_connected(const struct mqttd *m)
{
        return m->client && MQTTAsync_isConnected(m->client);
}
