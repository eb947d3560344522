/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/gatedoc.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define DOC_MAX (256 * 1024)
#define DEVICE_MAX 4096

const char *gate_link_str(enum gate_link l)
{
        static const char *const name[] = {"not running", "no answer", "unreadable status", "running"};

        return (unsigned)l < sizeof name / sizeof name[0] ? name[l] : "?";
}

void gatedoc_clear(struct gatedoc *d)
{
        free(d->device);
        free(d->json);
        memset(d, 0, sizeof(*d));
        d->link = GATE_NOT_RUNNING;
        d->step = -1;
        d->last_cycle_t_ms = -1;
        d->max_inlet_c = (double)NAN;
        d->margin_k = (double)NAN;
        d->model_rmse_c = d->drift_score = (double)NAN;
        d->last_commit_s = (double)NAN;
        d->unstored_s = (double)NAN;
        d->samples_dropped = -1;
}

static double number(const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static int64_t count(const json_t *o, const char *key, int64_t def)
{
        const json_t *v = json_object_get(o, key);

        return json_is_integer(v) ? (int64_t)json_integer_value(v) : def;
}

static void word(const json_t *o, const char *key, char *buf, size_t cap)
{
        const char *v = json_string_value(json_object_get(o, key));

        (void)snprintf(buf, cap, "%s", v ? v : "");
}

static void take_errors(json_t *o, struct gate_device *d)
{
        const char *code;
        json_t *n;

        json_object_foreach(o, code, n)
        {
                if (d->nerror == GATE_ERRORS_MAX || !json_is_integer(n) || strlen(code) >= sizeof d->error[0].code)
                        continue;
                (void)snprintf(d->error[d->nerror].code, sizeof d->error[0].code, "%s", code);
                d->error[d->nerror++].n = (int64_t)json_integer_value(n);
        }
}

static int take_devices(const json_t *list, struct gatedoc *d)
{
        size_t n = json_array_size(list);

        if (n > DEVICE_MAX)
                n = DEVICE_MAX;
        d->device = calloc(n + 1, sizeof *d->device);
        if (!d->device)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const json_t *o = json_array_get(list, i);
                struct gate_device *v = &d->device[d->ndevice];

                if (!json_is_object(o))
                        continue;
                word(o, "name", v->name, sizeof v->name);
                word(o, "state", v->state, sizeof v->state);
                v->unit_id = count(o, "unit_id", 0);
                take_errors(json_object_get(o, "poll_errors"), v);
                d->ndevice++;
        }
        return 0;
}

int gatedoc_parse(const char *text, size_t n, struct gatedoc *ret)
{
        struct gatedoc d = {0};
        json_t *doc = json_loadb(text, n, 0, NULL);
        const json_t *mqtt;
        int r = 0;

        gatedoc_clear(&d);
        if (!json_is_object(doc) || !json_is_string(json_object_get(doc, "mode"))) {
                d.link = GATE_GARBLED;
                goto out;
        }
        word(doc, "mode", d.mode, sizeof d.mode);
        d.step = count(doc, "step", -1);
        d.last_cycle_t_ms = count(doc, "last_cycle_t_ms", -1);
        d.max_inlet_c = number(doc, "max_inlet_c");
        d.margin_k = number(doc, "margin_k");
        d.model_rmse_c = number(doc, "model_rmse_c");
        d.drift_score = number(doc, "drift_score");
        d.last_commit_s = number(doc, "last_commit_s");
        d.last_purge_s = number(doc, "last_purge_s");
        d.samples_dropped = count(doc, "samples_dropped", -1);
        d.unstored_s = number(doc, "unstored_s");
        d.planner = json_is_true(json_object_get(doc, "planner"));
        mqtt = json_object_get(doc, "mqtt");
        d.has_mqtt = json_is_object(mqtt);
        d.mqtt_connected = json_is_true(json_object_get(mqtt, "connected"));
        r = take_devices(json_object_get(doc, "devices"), &d);
        if (r < 0)
                goto out;
        d.json = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(12));
        if (!d.json)
                r = -ENOMEM;
        d.link = GATE_RUNNING;
out:
        json_decref(doc);
        if (r < 0) {
                gatedoc_clear(&d);
                return r;
        }
        gatedoc_clear(ret);
        *ret = d;
        return 0;
}

/* Reads to the end of the stream; bytes read, or −1: not all of it by the deadline. */
static ssize_t read_all(int fd, char *buf, size_t cap, int64_t deadline_ms)
{
        size_t n = 0;

        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                int64_t left = deadline_ms - clk_real_mono_ms();
                ssize_t got;

                if (left <= 0 || n == cap || poll(&p, 1, (int)left) <= 0)
                        return -1;
                got = recv(fd, buf + n, cap - n, 0);
                if (got == 0)
                        return (ssize_t)n;
                if (got < 0 && errno != EINTR && errno != EAGAIN)
                        return -1;
                if (got > 0)
                        n += (size_t)got;
        }
}

int gatedoc_read(const char *socket_path, int timeout_ms, struct gatedoc *ret)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int64_t deadline_ms = clk_real_mono_ms() + timeout_ms;
        char *buf = NULL;
        ssize_t n;
        int fd = -1, r = 0;

        gatedoc_clear(ret);
        if (strlen(socket_path) >= sizeof sa.sun_path)
                return 0;
        memcpy(sa.sun_path, socket_path, strlen(socket_path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return 0;
        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
                if (errno == EAGAIN) /* its queue is full: it is there and does not answer */
                        ret->link = GATE_SILENT;
                goto out;
        }
        buf = malloc(DOC_MAX);
        if (!buf) {
                r = -ENOMEM;
                goto out;
        }
        n = read_all(fd, buf, DOC_MAX, deadline_ms);
        if (n <= 0)
                ret->link = GATE_SILENT;
        else
                r = gatedoc_parse(buf, (size_t)n, ret);
out:
        free(buf);
        (void)close(fd);
        return r;
}
