/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/mqtt.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/drivers/mqtt_client.h"
#include "agent/drivers/mqtt_parse.h"
#include "models/num/rng.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define BACKOFF_JITTER 0.2
#define LOSSES_PER_MINUTE 4
#define REJECTS_PER_MINUTE 1 /* of a device */
#define EVENTS_PER_TURN 256  /* then other descriptors have their turn */

static const char *const vm_topics[] = {"inventory", "move/result"};
#define VM_TOPICS (sizeof(vm_topics) / sizeof(vm_topics[0]))

enum link_state { LINK_WAITING, LINK_CONNECTING, LINK_UP };

struct mqtt_driver {
        struct mqtt_args a;
        struct mqttc *client;
        char client_id[SITE_NAME_MAX + 32];
        char echo_topic[SITE_NAME_MAX + 64];
        char **topic;
        size_t ntopic;
        struct loop_timer *tick, *retry; /* real time */
        struct rng rng;

        enum link_state state;
        int64_t heard_ms;   /* real, monotonic: the last message or the start of this connection */
        int64_t backoff_ms; /* next wait */
        uint64_t echo;
        struct mqttc_counts told;             /* what was told of */
        struct event_ration losses, *rejects; /* [ndevice + 1], the last one is the orchestrator's */
        struct mqtt_stats stats;
};

/* ---- connection ---- */

static void emit_lost(struct mqtt_driver *d)
{
        const struct site *site = d->a.site;
        int64_t t_ms = clk_t_ms(d->a.clk);

        for (size_t i = 0; i < site->npoint; i++) {
                if (site->point[i].table != POINT_TABLE_MQTT || site->point[i].device < 0)
                        continue;
                struct sample s = {.point = (uint32_t)i,
                                   .quality = QUALITY_BAD,
                                   .reason = QR_COMM_FAIL,
                                   .t_ms = t_ms,
                                   .value = (double)NAN,
                                   .raw = (double)NAN};
                d->a.samples.samples(d->a.samples.ctx, &s, 1);
        }
}

static void connect_now(void *ctx)
{
        struct mqtt_driver *d = ctx;
        d->state = LINK_CONNECTING;
        d->heard_ms = clk_real_mono_ms();
        mqttc_connect(d->client);
}

static void give_up(struct mqtt_driver *d, const char *why)
{
        bool was_up = d->state == LINK_UP;

        (void)snprintf(d->stats.last_error, sizeof(d->stats.last_error), "%s:%d: %s", d->a.site->mqtt.host,
                       d->a.site->mqtt.port, why);
        if (was_up || d->backoff_ms == BACKOFF_MIN_MS) /* once an outage */
                event_tell(&d->a.events, 4, "mqtt", "broker %s: %s", was_up ? "lost" : "not reached",
                           d->stats.last_error);
        d->state = LINK_WAITING;
        d->stats.connected = false;
        mqttc_disconnect(d->client);
        double jitter = rng_range(&d->rng, 1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER);
        loop_timer_arm(d->retry, llround((double)d->backoff_ms * jitter));
        d->backoff_ms = d->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : d->backoff_ms * 2;
        if (was_up)
                emit_lost(d);
}

static void send_echo(struct mqtt_driver *d)
{
        char text[24];
        int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)++d->echo);
        (void)mqttc_publish(d->client, d->echo_topic, text, (size_t)n); /* if it fails, silence says so */
}

/* Losses counted on paho's threads. */
static void tell_losses(struct mqtt_driver *d)
{
        struct mqttc_counts n = mqttc_counts_get(d->client);
        uint64_t dropped = n.dropped - d->told.dropped, oversized = n.oversized - d->told.oversized;
        unsigned over; /* counted in d->told */

        if ((dropped == 0 && oversized == 0) ||
            !event_ration_take(&d->losses, LOSSES_PER_MINUTE, clk_real_mono_ms(), &over))
                return;
        d->told = n;
        (void)snprintf(d->stats.last_error, sizeof(d->stats.last_error),
                       "%llu message%s dropped unread, %llu refused: larger than %d KiB", (unsigned long long)dropped,
                       PLURAL_S(dropped), (unsigned long long)oversized, MQTTC_MESSAGE_MAX / 1024);
        event_tell(&d->a.events, 4, "mqtt", "%s", d->stats.last_error);
}

static void on_tick(void *ctx)
{
        struct mqtt_driver *d = ctx;
        int64_t silence_ms = d->a.site->mqtt.silence_ms;

        tell_losses(d);
        loop_timer_arm(d->tick, silence_ms / 3);
        if (d->state != LINK_WAITING && clk_real_mono_ms() - d->heard_ms > silence_ms)
                give_up(d, d->state == LINK_UP ? "connected but silent" : "no answer to connect or subscribe");
        else if (d->state == LINK_UP)
                send_echo(d);
}

static void on_up(struct mqtt_driver *d)
{
        if (d->state != LINK_CONNECTING)
                return;
        d->state = LINK_UP;
        d->heard_ms = clk_real_mono_ms();
        d->stats.connected = true;
        d->stats.reconnects++;
        event_tell(&d->a.events, 5, "mqtt", "broker connected: %s:%d, %zu subscription%s", d->a.site->mqtt.host,
                   d->a.site->mqtt.port, d->ntopic, PLURAL_S(d->ntopic));
        send_echo(d); /* up is believed when it comes back */
}

/* ---- messages ---- */

/* source: the device, or ndevice for the orchestrator. */
static void rejected(struct mqtt_driver *d, size_t source, const char *topic, const char *why)
{
        unsigned more;

        d->stats.rejected++;
        (void)snprintf(d->stats.last_error, sizeof(d->stats.last_error), "%.60s: %s", topic, why);
        if (!event_ration_take(&d->rejects[source], REJECTS_PER_MINUTE, clk_real_mono_ms(), &more))
                return;
        if (more > 0)
                event_tell(&d->a.events, 4, "mqtt", "message on %.100s rejected: %s (and %u before)", topic, why, more);
        else
                event_tell(&d->a.events, 4, "mqtt", "message on %.100s rejected: %s", topic, why);
}

static void vm_message(struct mqtt_driver *d, const char *subtopic, const struct mqttc_event *e)
{
        if (!d->a.vm.message)
                return;
        if (e->retained && strcmp(subtopic, "inventory") != 0)
                rejected(d, d->a.site->ndevice, e->topic, "retained: only the inventory is state");
        else if (memchr(e->payload, '\0', e->len))
                rejected(d, d->a.site->ndevice, e->topic, "NUL byte in JSON text");
        else
                d->a.vm.message(d->a.vm.ctx, subtopic, e->payload, e->len);
}

static void device_message(struct mqtt_driver *d, int device, const struct mqttc_event *e)
{
        const char *why = NULL;
        int n = mqtt_parse_message(d->a.site, device, e->payload, e->len, clk_t_ms(d->a.clk), clk_ahead_ms(d->a.clk),
                                   e->retained, d->a.samples, &why);
        if (n < 0)
                rejected(d, (size_t)device, e->topic, why);
        else
                d->stats.samples += (uint64_t)n;
}

static void on_message(struct mqtt_driver *d, const struct mqttc_event *e)
{
        const struct site *site = d->a.site;
        size_t vm_len = strlen(site->vm.topic);

        d->heard_ms = clk_real_mono_ms();
        d->backoff_ms = BACKOFF_MIN_MS; /* something really comes through */
        if (strcmp(e->topic, d->echo_topic) == 0)
                return;
        d->stats.messages++;
        if (site->vm.enabled && strncmp(e->topic, site->vm.topic, vm_len) == 0 && e->topic[vm_len] == '/') {
                vm_message(d, e->topic + vm_len + 1, e);
                return;
        }
        for (size_t i = 0; i < site->ndevice; i++)
                if (site->device[i].protocol == DEVICE_MQTT && strcmp(site->device[i].topic, e->topic) == 0)
                        device_message(d, (int)i, e);
}

static void on_events(void *ctx, int fd, uint32_t events)
{
        struct mqtt_driver *d = ctx;
        struct mqttc_event e;
        (void)fd, (void)events;

        for (int i = 0; i < EVENTS_PER_TURN; i++) {
                switch (mqttc_next(d->client, &e)) {
                case MQTTC_NONE:
                        return;
                case MQTTC_UP:
                        on_up(d);
                        break;
                case MQTTC_DOWN:
                        if (d->state != LINK_WAITING)
                                give_up(d, e.text);
                        break;
                case MQTTC_MESSAGE:
                        on_message(d, &e);
                        break;
                }
                mqttc_event_clear(&e);
        }
}

int mqtt_driver_publish_vm(struct mqtt_driver *d, const char *subtopic, const char *json)
{
        char topic[256];

        if (!d->a.may_publish_moves || !d->a.site->vm.enabled)
                return -EPERM;
        if (d->state != LINK_UP)
                return -EAGAIN; /* a move kept for later would be a stale command */
        int n = snprintf(topic, sizeof(topic), "%s/%s", d->a.site->vm.topic, subtopic);
        if (n < 0 || (size_t)n >= sizeof(topic))
                return -ENAMETOOLONG;
        return mqttc_publish(d->client, topic, json, strlen(json));
}

void mqtt_driver_stats(const struct mqtt_driver *d, struct mqtt_stats *ret)
{
        struct mqttc_counts n = mqttc_counts_get(d->client);
        *ret = d->stats;
        ret->dropped = n.dropped + n.unsent;
        ret->rejected += n.oversized;
        ret->reconnects = d->stats.reconnects > 0 ? d->stats.reconnects - 1 : 0; /* the first is no re-connect */
}

/* ---- life ---- */

static int add_topic(struct mqtt_driver *d, const char *topic)
{
        for (size_t i = 0; i < d->ntopic; i++)
                if (strcmp(d->topic[i], topic) == 0)
                        return 0;
        char *copy = strdup(topic);
        if (!copy)
                return -ENOMEM;
        d->topic[d->ntopic++] = copy;
        return 0;
}

static int collect_topics(struct mqtt_driver *d)
{
        const struct site *site = d->a.site;
        char topic[256];
        int r;

        d->topic = calloc(site->ndevice + VM_TOPICS + 1, sizeof(char *));
        if (!d->topic)
                return -ENOMEM;
        d->ntopic = 0;
        r = add_topic(d, d->echo_topic);
        for (size_t i = 0; i < site->ndevice && r == 0; i++)
                if (site->device[i].protocol == DEVICE_MQTT)
                        r = add_topic(d, site->device[i].topic);
        for (size_t i = 0; i < VM_TOPICS && r == 0 && site->vm.enabled; i++) {
                (void)snprintf(topic, sizeof(topic), "%s/%s", site->vm.topic, vm_topics[i]);
                r = add_topic(d, topic);
        }
        return r;
}

/* $CREDENTIALS_DIRECTORY/mqtt_password without its final newline; "" when there is none. */
static int read_password(char *buf, size_t cap)
{
        const char *dir = getenv("CREDENTIALS_DIRECTORY");
        char path[512];

        buf[0] = '\0';
        if (!dir)
                return 0;
        int n = snprintf(path, sizeof(path), "%s/mqtt_password", dir);
        if (n < 0 || (size_t)n >= sizeof(path))
                return -ENAMETOOLONG;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        ssize_t k = read(fd, buf, cap - 1);
        int r = k < 0 ? -errno : 0;
        (void)close(fd);
        buf[k > 0 ? k : 0] = '\0';
        buf[strcspn(buf, "\r\n")] = '\0';
        return r;
}

/* Two clients with one id throw each other out for ever: without a configured id it is drawn. */
static int choose_client_id(struct mqtt_driver *d)
{
        uint64_t r = 0;

        if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
                return -EIO;
        rng_seed(&d->rng, r, 0); /* jitter: many agents of one site must differ, nothing replayed depends on it */
        if (d->a.site->mqtt.client_id[0] != '\0')
                (void)snprintf(d->client_id, sizeof(d->client_id), "%s", d->a.site->mqtt.client_id);
        else
                (void)snprintf(d->client_id, sizeof(d->client_id), "coolplane-%016llx", (unsigned long long)r);
        (void)snprintf(d->echo_topic, sizeof(d->echo_topic), "coolplane/%s/echo", d->client_id);
        return 0;
}

static int init(struct mqtt_driver *d)
{
        const struct site_mqtt *m = &d->a.site->mqtt;
        char password[256];
        int r = choose_client_id(d);
        if (r == 0)
                r = collect_topics(d);
        if (r == 0)
                r = read_password(password, sizeof(password));
        if (r < 0)
                return r;

        int64_t keepalive_s = m->silence_ms / 2000;
        struct mqttc_args args = {
            .host = m->host,
            .port = m->port,
            .client_id = d->client_id,
            .username = m->username,
            .password = password,
            .tls_ca_file = m->tls_ca_file,
            .tls_cert_file = m->tls_cert_file,
            .tls_key_file = m->tls_key_file,
            .keepalive_s = keepalive_s < 1    ? 1
                           : keepalive_s > 60 ? 60
                                              : (int)keepalive_s,
            .connect_timeout_s = 5,
            .topic = d->topic,
            .ntopic = d->ntopic,
        };
        r = mqttc_create(&args, &d->client);
        explicit_bzero(password, sizeof(password));
        if (r == 0)
                r = loop_timer_create(d->a.loop, true, on_tick, d, &d->tick);
        if (r == 0)
                r = loop_timer_create(d->a.loop, true, connect_now, d, &d->retry);
        if (r == 0)
                r = loop_add_fd(d->a.loop, mqttc_fd(d->client), EPOLLIN, on_events, d);
        return r;
}

int mqtt_driver_create(const struct mqtt_args *a, struct mqtt_driver **ret)
{
        if (!a->site->mqtt.enabled || a->site->mqtt.silence_ms < 3)
                return -EINVAL;
        struct mqtt_driver *d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->a = *a;
        d->backoff_ms = BACKOFF_MIN_MS;
        d->rejects = calloc(a->site->ndevice + 1, sizeof(*d->rejects));
        int r = d->rejects ? init(d) : -ENOMEM;
        if (r < 0) {
                mqtt_driver_free(d);
                return r;
        }
        loop_timer_arm(d->tick, a->site->mqtt.silence_ms / 3);
        connect_now(d);
        *ret = d;
        return 0;
}

struct mqtt_driver *mqtt_driver_free(struct mqtt_driver *d)
{
        if (!d)
                return NULL;
        if (d->client)
                loop_del_fd(d->a.loop, mqttc_fd(d->client));
        loop_timer_free(d->tick);
        loop_timer_free(d->retry);
        mqttc_free(d->client);
        for (size_t i = 0; i < d->ntopic; i++)
                free(d->topic[i]);
        free(d->topic);
        free(d->rejects);
        free(d);
        return NULL;
}
