/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test_modbus_env.h"

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct env *e = ctx;
        if (n > 0 && !e->sampled)
                modbus_driver_stats(e->driver, e->point[s[0].point].device, &e->first);
        e->sampled = true;
        for (size_t i = 0; i < n; i++) {
                assert_true(s[i].point < e->site.npoint);
                e->last[s[i].point] = s[i];
                if (s[i].quality == QUALITY_GOOD)
                        e->good[s[i].point]++;
                else
                        e->bad[s[i].point]++;
        }
}

static void on_outcome(void *ctx, const struct write_outcome *o)
{
        struct env *e = ctx;
        for (size_t i = 0; i < e->noutcome; i++)
                assert_true(e->outcome[i].id != o->id); /* exactly one each */
        assert_true(e->noutcome < ENV_OUTCOMES);
        e->outcome[e->noutcome++] = *o;
}

static void on_poll(void *ctx)
{
        struct env *e = ctx;
        int64_t now = clk_real_mono_ms();
        if (now - e->last_poll_ms > e->max_gap_ms)
                e->max_gap_ms = now - e->last_poll_ms;
        e->last_poll_ms = now;
        e->reached = e->until && e->until(e);
        if (e->reached || now >= e->deadline_ms)
                loop_stop(e->loop);
        else
                loop_timer_arm(e->poll, 1);
}

void env_init(struct env *e, double scale)
{
        memset(e, 0, sizeof(*e));
        clk_init(&e->clk, scale, -1, 0);
        assert_int_equal(loop_create(&e->clk, &e->loop), 0);
        assert_int_equal(loop_timer_create(e->loop, true, on_poll, e, &e->poll), 0);
        e->site.point = e->point;
        e->site.device = e->device;
}

int env_device(struct env *e, enum device_protocol protocol, const char *host, int port, uint8_t unit_id)
{
        assert_true(e->site.ndevice < ENV_DEVICES);
        struct device *d = &e->device[e->site.ndevice];
        *d = (struct device){.protocol = protocol,
                             .port = port,
                             .baud = 115200,
                             .parity = 'N',
                             .stop_bits = 1,
                             .unit_id = unit_id,
                             .period_ms = 20,
                             .timeout_ms = 300};
        d->quirks.max_word_registers_per_request = 125;
        d->quirks.max_bit_registers_per_request = 2000;
        d->quirks.max_gap = 8;
        (void)snprintf(d->host, sizeof(d->host), "%s", host);
        (void)snprintf(d->name, sizeof(d->name), "device-%zu", e->site.ndevice);
        return (int)e->site.ndevice++;
}

int env_point(struct env *e, int device, enum point_table table, uint16_t address, enum point_type type)
{
        assert_true(e->site.npoint < ENV_POINTS);
        struct point *p = &e->point[e->site.npoint];
        *p = (struct point){.device = device,
                            .equipment = -1,
                            .zone = -1,
                            .table = table,
                            .address = address,
                            .unit_id = e->device[device].unit_id,
                            .type = type,
                            .scale = 1,
                            .readable = true,
                            .valid_min = (double)NAN,
                            .valid_max = (double)NAN,
                            .max_rate = (double)NAN,
                            .min = (double)NAN,
                            .max = (double)NAN,
                            .default_value = (double)NAN,
                            .max_step = (double)NAN};
        if (type == POINT_FLOAT32)
                p->order = ORDER_ABCD;
        (void)snprintf(p->name, sizeof(p->name), "site/zone/device-%d/point-%zu", device, e->site.npoint);
        return (int)e->site.npoint++;
}

int env_writable(struct env *e, int device, uint16_t address, enum point_type type)
{
        int i = env_point(e, device, POINT_TABLE_HOLDING, address, type);
        e->point[i].writable = true;
        e->point[i].min = 0;
        e->point[i].max = 100;
        e->point[i].settle_ms = 10;
        return i;
}

static void on_event(void *ctx, int severity, const char *component, const char *text)
{
        struct env *e = ctx;
        size_t n = strlen(e->events);

        (void)snprintf(e->events + n, sizeof(e->events) - n, "%d %s: %s\n", severity, component, text);
}

void env_start(struct env *e, bool writable)
{
        struct modbus_args a = {.site = &e->site,
                                .loop = e->loop,
                                .clk = &e->clk,
                                .samples = {.samples = on_samples, .ctx = e},
                                .writable = writable,
                                .writes = {.done = on_outcome, .ctx = e},
                                .events = {.event = on_event, .ctx = e},
                                .seed = 1};
        assert_int_equal(modbus_driver_create(&a, &e->driver, &e->act), 0);
}

void env_stop_driver(struct env *e)
{
        e->driver = modbus_driver_free(e->driver);
}

void env_free(struct env *e)
{
        env_stop_driver(e);
        loop_timer_free(e->poll);
        loop_free(e->loop);
}

void env_run(struct env *e, bool (*until)(struct env *e), int ms)
{
        e->until = until;
        e->reached = false;
        e->max_gap_ms = 0;
        e->last_poll_ms = clk_real_mono_ms();
        e->deadline_ms = e->last_poll_ms + ms;
        loop_timer_arm(e->poll, 1);
        assert_int_equal(loop_run(e->loop), 0);
        if (until)
                assert_true(e->reached);
}

void env_write(struct env *e, int point, double value, uint64_t id, bool read_back)
{
        struct write_request r = {.id = id, .point = (uint32_t)point, .value = value, .read_back = read_back};
        assert_int_equal(e->act.write(e->act.self, &r), 0);
}
