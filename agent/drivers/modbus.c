/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/modbus.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/drivers/modbus_private.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define BACKOFF_JITTER 0.2
#define WATCHDOG_MS 60000 /* of a device with a heartbeat whose site does not say */

/* ---- back-off and the state of a device ---- */

int64_t mb_backoff_left_ms(const struct mb_backoff *b)
{
        int64_t now = clk_real_mono_ms();
        return b->delay_ms > 0 && now < b->retry_ms ? b->retry_ms - now : 0;
}

bool mb_backoff_holds(const struct mb_backoff *b)
{
        return mb_backoff_left_ms(b) > 0;
}

void mb_backoff_grow(struct modbus_driver *drv, struct mb_backoff *b)
{
        if (mb_backoff_holds(b))
                return;
        b->delay_ms = b->delay_ms == 0 ? BACKOFF_MIN_MS : 2 * b->delay_ms;
        if (b->delay_ms > b->max_ms)
                b->delay_ms = b->max_ms;
        double jitter = rng_range(&drv->rng, 1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER);
        b->retry_ms = clk_real_mono_ms() + llround((double)b->delay_ms * jitter);
}

/* A device that holds a lease must hear us again before its watchdog has run out, so a back-off lasts at most a third
 * of it, jitter included, and heartbeats come each third: an outage shorter than a third costs no lease. */
static int64_t backoff_max_ms(const struct device *dev)
{
        int64_t third_ms = (dev->watchdog_ms > 0 ? dev->watchdog_ms : WATCHDOG_MS) / 3;
        int64_t max_ms = llround((double)third_ms / (1 + BACKOFF_JITTER));

        if (max_ms < BACKOFF_MIN_MS)
                return BACKOFF_MIN_MS;
        return max_ms < BACKOFF_MAX_MS ? max_ms : BACKOFF_MAX_MS;
}

static void limit_backoffs(struct modbus_driver *drv)
{
        const struct site *site = drv->a.site;

        for (size_t i = 0; i < site->ndevice; i++)
                drv->device[i].backoff.max_ms = BACKOFF_MAX_MS;
        for (size_t i = 0; i < drv->nconn; i++)
                drv->conn[i].backoff.max_ms = BACKOFF_MAX_MS;
        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];
                if (p->role != ROLE_HEARTBEAT_CMD || !p->writable || p->device < 0 || !drv->device[p->device].conn)
                        continue;
                struct mb_device *d = &drv->device[p->device];
                d->backoff.max_ms = backoff_max_ms(&site->device[p->device]);
                if (d->backoff.max_ms < d->conn->backoff.max_ms)
                        d->conn->backoff.max_ms = d->backoff.max_ms;
        }
}

enum point_table mb_table_of(uint8_t function)
{
        switch (function) {
        case MBFRAME_READ_COILS:
                return POINT_TABLE_COIL;
        case MBFRAME_READ_DISCRETE:
                return POINT_TABLE_DISCRETE;
        case MBFRAME_READ_INPUT:
                return POINT_TABLE_INPUT;
        default:
                return POINT_TABLE_HOLDING;
        }
}

void mb_note_error(struct mb_device *d, const struct mbrequest *req, const char *cause, unsigned exception)
{
        static const char *const tables[] = {"coil", "discrete", "holding", "input"};
        char code[24] = "";

        if (exception > 0)
                (void)snprintf(code, sizeof(code), " %02u", exception);
        (void)snprintf(d->stats.last_error, sizeof(d->stats.last_error), "%s unit %u %s%s %u..%u: %s%s",
                       d->driver->a.site->device[d->index].name, req->unit_id,
                       req->function == MBFRAME_WRITE ? "write " : "", tables[mb_table_of(req->function)], req->address,
                       req->address + req->count - 1, cause, code);
}

void mb_device_failed(struct mb_device *d, const struct mbrequest *req, const struct mblink_reply *reply)
{
        struct mb_conn *c = d->conn;

        mb_note_error(d, req, reply->why, reply->exception);
        d->fails++;
        if (reply->result == MBLINK_NO_CONNECTION) { /* nobody behind this connection can answer */
                c->why = reply->why;
                mb_backoff_grow(d->driver, &c->backoff);
        } else {
                mb_backoff_grow(d->driver, &d->backoff);
        }
        if (reply->result == MBLINK_TIMEOUT) {
                if (++c->timeouts_in_row >= MB_TIMEOUTS_TO_RECONNECT) {
                        c->timeouts_in_row = 0;
                        mblink_disconnect(c->link);
                }
        }
        d->stats.state = d->fails >= 2 || !d->seen ? DEVICE_DOWN : DEVICE_DEGRADED;
}

void mb_device_answered(struct mb_device *d)
{
        d->seen = true;
        d->backoff.delay_ms = 0;
        d->conn->backoff.delay_ms = 0;
        d->conn->timeouts_in_row = 0;
}

/* ---- one connection: who may use it next ---- */

static void pump(struct mb_conn *c)
{
        while (!mblink_busy(c->link)) {
                struct mb_job *job = mb_write_ready(c);
                struct mb_device *d = NULL;

                for (size_t i = 0; i < c->ndevice && !d; i++) {
                        struct mb_device *x = c->device[(c->turn + i) % c->ndevice];
                        if (x->scanning && !mb_scan_held(x)) { /* a failure since it began counts for it too */
                                d = x;
                                c->turn = (c->turn + i + 1) % c->ndevice; /* one read each, in turn */
                        }
                }
                if (job && (!d || c->writes_in_row < MB_WRITES_IN_A_ROW)) {
                        c->writes_in_row++;
                        mb_write_send(job);
                        return;
                }
                if (!d)
                        return;
                c->writes_in_row = 0;
                (void)mb_scan_next(d); /* a scan that ends here sent nothing: look again */
        }
}

static void on_kick(void *ctx)
{
        pump(ctx);
}

void mb_conn_kick(struct mb_conn *c)
{
        loop_timer_arm(c->kick, 0); /* from the loop: callers may be inside a callback of ours */
}

void mb_conn_request(struct mb_conn *c, enum mb_request kind, struct mb_device *d, const struct mbrequest *req,
                     const uint16_t *regs)
{
        c->current = kind;
        c->current_device = d;
        c->request = *req;
        mblink_request(c->link, req, regs, d->driver->a.site->device[d->index].timeout_ms);
}

static void count_failure(struct device_stats *s, const struct mblink_reply *reply)
{
        switch (reply->result) {
        case MBLINK_REPLY:
                return;
        case MBLINK_EXCEPTION:
                s->exceptions[reply->exception < 12 ? reply->exception : 0]++;
                return;
        case MBLINK_TIMEOUT:
                s->timeouts++;
                return;
        case MBLINK_NO_CONNECTION:
                s->no_connections++;
                return;
        case MBLINK_LOST:
                s->lost++;
                return;
        case MBLINK_BAD_REPLY:
                s->bad_replies++;
                return;
        }
}

static void on_reply(void *ctx, const struct mblink_reply *reply)
{
        struct mb_conn *c = ctx;
        struct mb_device *d = c->current_device;
        struct mb_job *job = c->current_job;
        enum mb_request kind = c->current;

        c->current = MB_NONE;
        c->current_job = NULL;
        count_failure(&d->stats, reply);
        if (kind == MB_READ)
                mb_scan_reply(d, reply);
        else
                mb_write_reply(job, reply);
        pump(c);
}

/* ---- life ---- */

static bool is_modbus(const struct device *d)
{
        return d->protocol == DEVICE_MODBUS_TCP || d->protocol == DEVICE_MODBUS_RTU;
}

static bool same_connection(const struct device *a, const struct device *b)
{
        return a->protocol == b->protocol && strcmp(a->host, b->host) == 0 &&
               (a->protocol == DEVICE_MODBUS_RTU || a->port == b->port);
}

static int open_connection(struct modbus_driver *drv, struct mb_conn *c, const struct device *first)
{
        const struct site *site = drv->a.site;
        struct mblink_args args = {.loop = drv->a.loop,
                                   .rtu = first->protocol == DEVICE_MODBUS_RTU,
                                   .host = first->host,
                                   .port = first->port,
                                   .baud = first->baud,
                                   .parity = first->parity,
                                   .stop_bits = first->stop_bits,
                                   .done = on_reply,
                                   .ctx = c};
        c->driver = drv;
        c->device = calloc(site->ndevice, sizeof(struct mb_device *));
        if (!c->device)
                return -ENOMEM;
        for (size_t i = 0; i < site->ndevice; i++) {
                const struct device *dev = &site->device[i];
                if (!is_modbus(dev) || !same_connection(dev, first))
                        continue;
                drv->device[i].conn = c;
                c->device[c->ndevice++] = &drv->device[i];
                if (dev->quirks.pause_after_connect_ms > args.pause_after_connect_ms)
                        args.pause_after_connect_ms = dev->quirks.pause_after_connect_ms;
                if (dev->quirks.pause_between_requests_ms > args.pause_between_requests_ms)
                        args.pause_between_requests_ms = dev->quirks.pause_between_requests_ms;
        }
        int r = loop_timer_create(drv->a.loop, true, on_kick, c, &c->kick);
        return r < 0 ? r : mblink_create(&args, &c->link);
}

static int init(struct modbus_driver *drv)
{
        const struct site *site = drv->a.site;
        int r;

        drv->device = calloc(site->ndevice + 1, sizeof(*drv->device));
        drv->conn = calloc(site->ndevice + 1, sizeof(*drv->conn));
        drv->quarantined = calloc(site->npoint + 1, sizeof(*drv->quarantined));
        drv->retry_at_ms = calloc(site->npoint + 1, sizeof(*drv->retry_at_ms));
        drv->scratch = calloc(site->npoint + 1, sizeof(*drv->scratch));
        if (!drv->device || !drv->conn || !drv->quarantined || !drv->retry_at_ms || !drv->scratch)
                return -ENOMEM;

        for (size_t i = 0; i < site->ndevice; i++) {
                struct mb_device *d = &drv->device[i];
                d->index = (int)i;
                d->driver = drv;
                d->stats.state = DEVICE_DOWN;
                if (!is_modbus(&site->device[i]))
                        continue;
                if (!d->conn) { /* the first of its connection opens it for all */
                        r = open_connection(drv, &drv->conn[drv->nconn++], &site->device[i]);
                        if (r < 0)
                                return r;
                }
                r = mb_scan_init(d);
                if (r < 0)
                        return r;
        }
        limit_backoffs(drv);
        return drv->a.writable ? mb_write_init(drv) : 0;
}

int modbus_driver_create(const struct modbus_args *a, struct modbus_driver **ret, struct actuator *ret_act)
{
        struct modbus_driver *drv = calloc(1, sizeof(*drv));
        if (!drv)
                return -ENOMEM;
        drv->a = *a;
        rng_seed(&drv->rng, a->seed, 0x6d6f64627573); /* "modbus" */
        int r = init(drv);
        if (r < 0) {
                modbus_driver_free(drv);
                return r;
        }
        *ret = drv;
        if (ret_act)
                *ret_act = (struct actuator){.write = a->writable ? mb_write : NULL, .self = drv};
        modbus_driver_scan_now(drv);
        return 0;
}

struct modbus_driver *modbus_driver_free(struct modbus_driver *drv)
{
        if (!drv)
                return NULL;
        mb_write_fini(drv);
        for (size_t i = 0; drv->conn && i < drv->nconn; i++) {
                mblink_free(drv->conn[i].link);
                loop_timer_free(drv->conn[i].kick);
                free(drv->conn[i].device);
        }
        for (size_t i = 0; drv->device && i < drv->a.site->ndevice; i++) {
                loop_timer_free(drv->device[i].timer);
                readplan_free(drv->device[i].plan);
        }
        free(drv->device);
        free(drv->conn);
        free(drv->quarantined);
        free(drv->retry_at_ms);
        free(drv->scratch);
        free(drv);
        return NULL;
}

void modbus_driver_scan_now(struct modbus_driver *drv)
{
        for (size_t i = 0; i < drv->a.site->ndevice; i++) {
                struct mb_device *d = &drv->device[i];
                if (!d->conn || d->scanning || d->plan->npoint == 0)
                        continue;
                d->due_ms = clk_mono_ms(drv->a.clk);
                loop_timer_arm(d->timer, 0);
        }
}

void modbus_driver_stats(const struct modbus_driver *drv, int device, struct device_stats *ret)
{
        const struct mb_device *d = &drv->device[device];

        *ret = d->stats;
        ret->resets = d->conn ? mblink_resets(d->conn->link) : 0;
        ret->quarantined = 0;
        for (size_t i = 0; d->plan && i < d->plan->npoint; i++)
                ret->quarantined += drv->quarantined[d->plan->point[i]];
        if (d->scans > 1)
                ret->scan_period_s = (double)(d->last_start_ms - d->first_start_ms) / (double)(d->scans - 1) / 1000.0;
        ret->scan_jitter_s = d->max_deviation_ms / 1000.0;
}
