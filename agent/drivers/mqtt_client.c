/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Every connection is a new paho client: neither its automatic nor its manual reconnect is used (#283, #727), sessions
 * are clean, and subscriptions are made again each time. An idle client that never connects keeps paho's threads alive
 * between two connections; without it each rebuild would stop and start them.
 */
#include "agent/drivers/mqtt_client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <MQTTAsync.h>

#define SLOTS 8     /* generations whose late callbacks can still be told apart */
#define CONTROLS 32 /* UP and DOWN events waiting for the loop */
#define TOPICS_MAX 1024

enum command_kind { CMD_CONNECT, CMD_DISCONNECT, CMD_SUBSCRIBE, CMD_PUBLISH, CMD_STOP };

struct command {
        enum command_kind kind;
        uint64_t generation; /* SUBSCRIBE */
        char *topic, *payload;
        size_t len;
};

/* What callbacks get: which connection they belong to. Never freed before the client. */
struct slot {
        struct mqttc *client;
        uint64_t generation;
};

struct mqttc {
        char *uri, *client_id, *username, *password, *ca_file, *cert_file, *key_file;
        bool tls;
        int keepalive_s, connect_timeout_s;
        char **topic;
        int *qos;
        size_t ntopic;

        pthread_t worker;
        bool worker_runs;
        pthread_mutex_t lock; /* all below */
        pthread_cond_t wake, ended;
        bool worker_ended;
        uint64_t generation; /* of the connection whose events count */
        struct slot slot[SLOTS];
        struct command command[MQTTC_COMMANDS];
        size_t first_command, ncommand;
        struct mqttc_event control[CONTROLS], *message;
        size_t first_control, ncontrol, first_message, nmessage, bytes;
        struct mqttc_counts counts;
        int eventfd;

        MQTTAsync anchor, handle; /* worker only */
};

/* ---- queues; called with the lock held ---- */

static void signal_loop(struct mqttc *c)
{
        uint64_t one = 1;
        ssize_t r = write(c->eventfd, &one, sizeof(one));
        (void)r; /* full counter: the loop is awake anyway */
}

static void push_control(struct mqttc *c, enum mqttc_event_kind kind, const char *text, int code)
{
        if (c->ncontrol == CONTROLS) { /* the newest tells how things are */
                c->first_control = (c->first_control + 1) % CONTROLS;
                c->ncontrol--;
        }
        struct mqttc_event *e = &c->control[(c->first_control + c->ncontrol++) % CONTROLS];
        *e = (struct mqttc_event){.kind = kind};
        if (code != 0)
                (void)snprintf(e->text, sizeof(e->text), "%.70s (%d)", text, code);
        else
                (void)snprintf(e->text, sizeof(e->text), "%.90s", text);
        signal_loop(c);
}

/* A topic may be 64 KiB, and a broker may send what was never subscribed to. */
static size_t size_of(const struct mqttc_event *e)
{
        return e->len + strlen(e->topic);
}

static struct mqttc_event pop_message(struct mqttc *c)
{
        struct mqttc_event e = c->message[c->first_message];
        c->first_message = (c->first_message + 1) % MQTTC_QUEUE_MESSAGES;
        c->nmessage--;
        c->bytes -= size_of(&e);
        return e;
}

static bool push_command(struct mqttc *c, struct command cmd)
{
        if (c->ncommand == MQTTC_COMMANDS)
                return false;
        c->command[(c->first_command + c->ncommand++) % MQTTC_COMMANDS] = cmd;
        (void)pthread_cond_signal(&c->wake);
        return true;
}

static void forget_messages(struct mqttc *c)
{
        while (c->nmessage > 0) {
                struct mqttc_event e = pop_message(c);
                mqttc_event_clear(&e);
                c->counts.dropped++;
        }
        c->ncontrol = 0;
}

/* ---- callbacks: on paho's threads; they only enqueue ---- */

/* The client with its lock held, or NULL when the callback belongs to a connection thrown away. */
static struct mqttc *enter(void *context)
{
        struct slot *s = context;
        struct mqttc *c = s->client;
        (void)pthread_mutex_lock(&c->lock);
        if (s->generation == c->generation)
                return c;
        (void)pthread_mutex_unlock(&c->lock);
        return NULL;
}

static void leave(struct mqttc *c)
{
        (void)pthread_mutex_unlock(&c->lock);
}

static void down(void *context, const char *text, int code)
{
        struct mqttc *c = enter(context);
        if (!c)
                return;
        push_control(c, MQTTC_DOWN, text, code);
        leave(c);
}

static void on_lost(void *context, char *cause)
{
        (void)cause;
        down(context, "connection lost", 0);
}

static void on_connect_failure(void *context, MQTTAsync_failureData *r)
{
        down(context, r && r->message ? r->message : "connect failed", r ? r->code : 0);
}

static void on_connected(void *context, MQTTAsync_successData *r)
{
        (void)r;
        struct mqttc *c = enter(context);
        if (!c)
                return;
        if (!push_command(c, (struct command){.kind = CMD_SUBSCRIBE, .generation = c->generation}))
                push_control(c, MQTTC_DOWN, "command queue full", 0);
        leave(c);
}

static void on_subscribe_failure(void *context, MQTTAsync_failureData *r)
{
        down(context, r && r->message ? r->message : "subscribe failed", r ? r->code : 0);
}

static void on_subscribed(void *context, MQTTAsync_successData *r)
{
        struct mqttc *c = enter(context);
        if (!c)
                return;
        const char *refused = NULL;
        for (size_t i = 0; i < c->ntopic && !refused; i++) {
                int granted = c->ntopic == 1 ? r->alt.qos : r->alt.qosList[i];
                if (granted == MQTT_BAD_SUBSCRIBE)
                        refused = c->topic[i];
        }
        if (refused) {
                char text[96];
                (void)snprintf(text, sizeof(text), "broker refuses subscription %.60s", refused);
                push_control(c, MQTTC_DOWN, text, 0);
        } else {
                push_control(c, MQTTC_UP, "", 0);
        }
        leave(c);
}

static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *m)
{
        struct mqttc_event e = {.kind = MQTTC_MESSAGE, .retained = m->retained != 0};
        struct mqttc *c = enter(context);
        if (!c)
                goto out;
        /* paho 1.3.12 gives the length sometimes only when there are NUL bytes, sometimes always */
        if ((topic_len > 0 && strlen(topic) != (size_t)topic_len) || m->payloadlen < 0 ||
            m->payloadlen > MQTTC_MESSAGE_MAX) {
                c->counts.oversized++;
                leave(c);
                goto out;
        }
        e.len = (size_t)m->payloadlen;
        e.topic = strdup(topic);
        e.payload = malloc(e.len + 1);
        if (!e.topic || !e.payload) {
                c->counts.dropped++;
                leave(c);
                mqttc_event_clear(&e);
                goto out;
        }
        if (e.len > 0)
                memcpy(e.payload, m->payload, e.len);
        e.payload[e.len] = '\0';
        while (c->nmessage == MQTTC_QUEUE_MESSAGES || (c->nmessage > 0 && c->bytes + size_of(&e) > MQTTC_QUEUE_BYTES)) {
                struct mqttc_event old = pop_message(c);
                mqttc_event_clear(&old);
                c->counts.dropped++;
        }
        c->message[(c->first_message + c->nmessage++) % MQTTC_QUEUE_MESSAGES] = e;
        c->bytes += size_of(&e);
        signal_loop(c);
        leave(c);
out:
        MQTTAsync_freeMessage(&m);
        MQTTAsync_free(topic);
        return 1; /* taken, also when dropped: paho would deliver it again and again. Now it acknowledges (mqtt.h). */
}

/* ---- worker: the only thread that calls paho ---- */

static void do_connect(struct mqttc *c, struct slot *slot)
{
        MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
        MQTTAsync_connectOptions opt = MQTTAsync_connectOptions_initializer;
        MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
        int r;

        create.MQTTVersion = MQTTVERSION_3_1_1;
        opt.keepAliveInterval = c->keepalive_s;
        opt.connectTimeout = c->connect_timeout_s;
        opt.cleansession = 1;
        opt.MQTTVersion = MQTTVERSION_3_1_1;
        opt.automaticReconnect = 0;
        opt.username = c->username;
        opt.password = c->password;
        opt.onSuccess = on_connected;
        opt.onFailure = on_connect_failure;
        opt.context = slot;
        if (c->tls) {
                ssl.trustStore = c->ca_file;
                ssl.keyStore = c->cert_file;
                ssl.privateKey = c->key_file;
                ssl.enableServerCertAuth = 1;
                ssl.verify = 1; /* the name in the certificate too */
                ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
                opt.ssl = &ssl;
        }
        if (!c->anchor)
                (void)MQTTAsync_create(&c->anchor, "tcp://127.0.0.1:1", "coolplane-anchor", MQTTCLIENT_PERSISTENCE_NONE,
                                       NULL);
        r = MQTTAsync_createWithOptions(&c->handle, c->uri, c->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
        if (r != MQTTASYNC_SUCCESS) {
                c->handle = NULL;
                down(slot, "cannot create client", r);
                return;
        }
        r = MQTTAsync_setCallbacks(c->handle, slot, on_lost, on_message, NULL);
        if (r == MQTTASYNC_SUCCESS)
                r = MQTTAsync_connect(c->handle, &opt);
        if (r != MQTTASYNC_SUCCESS)
                down(slot, "cannot connect", r);
}

static void do_subscribe(struct mqttc *c, struct slot *slot)
{
        MQTTAsync_responseOptions opt = MQTTAsync_responseOptions_initializer;

        opt.onSuccess = on_subscribed;
        opt.onFailure = on_subscribe_failure;
        opt.context = slot;
        int r = MQTTAsync_subscribeMany(c->handle, (int)c->ntopic, c->topic, c->qos, &opt);
        if (r != MQTTASYNC_SUCCESS)
                down(slot, "cannot subscribe", r);
}

static void do_publish(struct mqttc *c, const struct command *cmd)
{
        MQTTAsync_responseOptions opt = MQTTAsync_responseOptions_initializer;
        int r = c->handle ? MQTTAsync_send(c->handle, cmd->topic, (int)cmd->len, cmd->payload, 1, 0, &opt)
                          : MQTTASYNC_DISCONNECTED;
        if (r != MQTTASYNC_SUCCESS) {
                (void)pthread_mutex_lock(&c->lock);
                c->counts.unsent++;
                (void)pthread_mutex_unlock(&c->lock);
        }
}

static void run_command(struct mqttc *c, const struct command *cmd, uint64_t generation)
{
        struct slot *slot = &c->slot[generation % SLOTS];

        switch (cmd->kind) {
        case CMD_CONNECT:
        case CMD_DISCONNECT:
        case CMD_STOP:
                if (c->handle)
                        MQTTAsync_destroy(&c->handle);
                c->handle = NULL;
                if (cmd->kind == CMD_CONNECT && cmd->generation == generation)
                        do_connect(c, slot);
                if (cmd->kind == CMD_STOP && c->anchor)
                        MQTTAsync_destroy(&c->anchor); /* waits for paho's threads */
                break;
        case CMD_SUBSCRIBE:
                if (c->handle && cmd->generation == generation)
                        do_subscribe(c, slot);
                break;
        case CMD_PUBLISH:
                do_publish(c, cmd);
                break;
        }
}

static void *work(void *ctx)
{
        struct mqttc *c = ctx;
        bool stop = false;

        while (!stop) {
                (void)pthread_mutex_lock(&c->lock);
                while (c->ncommand == 0)
                        (void)pthread_cond_wait(&c->wake, &c->lock);
                struct command cmd = c->command[c->first_command];
                c->first_command = (c->first_command + 1) % MQTTC_COMMANDS;
                c->ncommand--;
                uint64_t generation = c->generation;
                (void)pthread_mutex_unlock(&c->lock);
                run_command(c, &cmd, generation);
                free(cmd.topic);
                free(cmd.payload);
                stop = cmd.kind == CMD_STOP;
        }
        (void)pthread_mutex_lock(&c->lock);
        c->worker_ended = true;
        (void)pthread_cond_signal(&c->ended);
        (void)pthread_mutex_unlock(&c->lock);
        return NULL;
}

/* ---- loop thread ---- */

/* The waiting commands belong to the connection that is given up: one new command in their place. */
static void replace_commands(struct mqttc *c, enum command_kind kind)
{
        (void)pthread_mutex_lock(&c->lock);
        for (; c->ncommand > 0; c->ncommand--) {
                struct command *old = &c->command[c->first_command];
                free(old->topic);
                free(old->payload);
                c->first_command = (c->first_command + 1) % MQTTC_COMMANDS;
        }
        c->generation++;
        c->slot[c->generation % SLOTS].generation = c->generation;
        forget_messages(c);
        (void)push_command(c, (struct command){.kind = kind, .generation = c->generation});
        (void)pthread_mutex_unlock(&c->lock);
}

void mqttc_connect(struct mqttc *c)
{
        replace_commands(c, CMD_CONNECT);
}

void mqttc_disconnect(struct mqttc *c)
{
        replace_commands(c, CMD_DISCONNECT);
}

int mqttc_publish(struct mqttc *c, const char *topic, const char *payload, size_t len)
{
        struct command cmd = {.kind = CMD_PUBLISH, .topic = strdup(topic), .payload = malloc(len + 1), .len = len};
        int r = -ENOMEM;

        if (cmd.topic && cmd.payload) {
                memcpy(cmd.payload, payload, len);
                (void)pthread_mutex_lock(&c->lock);
                r = push_command(c, cmd) ? 0 : -EAGAIN;
                (void)pthread_mutex_unlock(&c->lock);
        }
        if (r < 0) {
                free(cmd.topic);
                free(cmd.payload);
        }
        return r;
}

int mqttc_fd(const struct mqttc *c)
{
        return c->eventfd;
}

enum mqttc_event_kind mqttc_next(struct mqttc *c, struct mqttc_event *ret)
{
        *ret = (struct mqttc_event){.kind = MQTTC_NONE};
        (void)pthread_mutex_lock(&c->lock);
        if (c->ncontrol > 0) {
                *ret = c->control[c->first_control];
                c->first_control = (c->first_control + 1) % CONTROLS;
                c->ncontrol--;
        } else if (c->nmessage > 0) {
                *ret = pop_message(c);
        } else {
                uint64_t n;
                ssize_t r = read(c->eventfd, &n, sizeof(n)); /* under the lock: what comes later signals again */
                (void)r;
        }
        (void)pthread_mutex_unlock(&c->lock);
        return ret->kind;
}

void mqttc_event_clear(struct mqttc_event *e)
{
        free(e->topic);
        free(e->payload);
        *e = (struct mqttc_event){.kind = MQTTC_NONE};
}

struct mqttc_counts mqttc_counts_get(struct mqttc *c)
{
        (void)pthread_mutex_lock(&c->lock);
        struct mqttc_counts n = c->counts;
        (void)pthread_mutex_unlock(&c->lock);
        return n;
}

/* ---- life ---- */

static int copy_text(char **dst, const char *src)
{
        if (!src || src[0] == '\0')
                return 0;
        *dst = strdup(src);
        return *dst ? 0 : -ENOMEM;
}

static int copy_args(struct mqttc *c, const struct mqttc_args *a)
{
        char uri[320];
        int r = 0;

        if (a->ntopic < 1 || a->ntopic > TOPICS_MAX)
                return -EINVAL;
        c->tls = (a->tls_ca_file && a->tls_ca_file[0]) || (a->tls_cert_file && a->tls_cert_file[0]);
        int n = snprintf(uri, sizeof(uri), "%s://%s:%d", c->tls ? "ssl" : "tcp", a->host, a->port);
        if (n < 0 || (size_t)n >= sizeof(uri))
                return -ENAMETOOLONG;
        if ((r = copy_text(&c->uri, uri)) < 0 || (r = copy_text(&c->client_id, a->client_id)) < 0 ||
            (r = copy_text(&c->username, a->username)) < 0 || (r = copy_text(&c->password, a->password)) < 0 ||
            (r = copy_text(&c->ca_file, a->tls_ca_file)) < 0 || (r = copy_text(&c->cert_file, a->tls_cert_file)) < 0 ||
            (r = copy_text(&c->key_file, a->tls_key_file)) < 0)
                return r;
        if (!c->client_id)
                return -EINVAL;
        c->keepalive_s = a->keepalive_s;
        c->connect_timeout_s = a->connect_timeout_s;
        c->topic = calloc(a->ntopic, sizeof(char *));
        c->qos = calloc(a->ntopic, sizeof(*c->qos));
        c->message = calloc(MQTTC_QUEUE_MESSAGES, sizeof(*c->message));
        if (!c->topic || !c->qos || !c->message)
                return -ENOMEM;
        for (; c->ntopic < a->ntopic; c->ntopic++) {
                c->qos[c->ntopic] = 1;
                c->topic[c->ntopic] = strdup(a->topic[c->ntopic]);
                if (!c->topic[c->ntopic])
                        return -ENOMEM;
        }
        return 0;
}

static int start_worker(struct mqttc *c)
{
        sigset_t all, before;
        (void)sigfillset(&all);
        /* Signals are the loop's; paho's threads inherit this mask. */
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&c->worker, NULL, work, c);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        c->worker_runs = r == 0;
        return -r;
}

/* False: paho does not let it go. Its calls wait for each other's name lookups, 10 to 30 s when no DNS server answers:
 * longer than a service has to stop. */
static bool stop_worker(struct mqttc *c)
{
        struct timespec until;
        int r = 0;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += MQTTC_FREE_MAX_MS / 1000;
        replace_commands(c, CMD_STOP);
        (void)pthread_mutex_lock(&c->lock);
        while (!c->worker_ended && r == 0)
                r = pthread_cond_timedwait(&c->ended, &c->lock, &until);
        bool ended = c->worker_ended;
        (void)pthread_mutex_unlock(&c->lock);
        if (ended)
                (void)pthread_join(c->worker, NULL);
        else
                (void)pthread_detach(c->worker);
        return ended;
}

int mqttc_create(const struct mqttc_args *a, struct mqttc **ret)
{
        pthread_condattr_t attr;
        struct mqttc *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        (void)pthread_mutex_init(&c->lock, NULL);
        (void)pthread_cond_init(&c->wake, NULL);
        (void)pthread_condattr_init(&attr);
        (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&c->ended, &attr);
        (void)pthread_condattr_destroy(&attr);
        for (size_t i = 0; i < SLOTS; i++)
                c->slot[i].client = c;
        c->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        int r = c->eventfd < 0 ? -errno : 0;
        if (r == 0)
                r = copy_args(c, a);
        if (r == 0)
                r = start_worker(c);
        if (r < 0) {
                mqttc_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

struct mqttc *mqttc_free(struct mqttc *c)
{
        if (!c)
                return NULL;
        if (c->worker_runs && !stop_worker(c))
                return NULL; /* with all it uses */
        forget_messages(c);
        if (c->eventfd >= 0)
                (void)close(c->eventfd);
        for (size_t i = 0; i < c->ntopic; i++)
                free(c->topic[i]);
        free(c->topic);
        free(c->qos);
        free(c->message);
        char *texts[] = {c->uri, c->client_id, c->username, c->password, c->ca_file, c->cert_file, c->key_file};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                free(texts[i]);
        (void)pthread_cond_destroy(&c->wake);
        (void)pthread_cond_destroy(&c->ended);
        (void)pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
}
