/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * One scan of a device: its blocks in order; a refused block is halved until the refused point stands alone. Every
 * readable point gets exactly one sample a scan, good or bad, also while the device is silent and nothing is sent.
 */
#include <math.h>
#include <stdio.h>

#include "agent/base/text.h"
#include "agent/drivers/modbus_private.h"
#include "agent/points/codec.h"

static void emit_bad(struct mb_device *d, size_t first, size_t n, enum quality_reason reason)
{
        struct modbus_driver *drv = d->driver;
        int64_t t_ms = clk_t_ms(drv->a.clk);

        for (size_t i = 0; i < n; i++)
                drv->scratch[i] = (struct sample){.point = d->plan->point[first + i],
                                                  .quality = QUALITY_BAD,
                                                  .reason = (uint8_t)reason,
                                                  .t_ms = t_ms,
                                                  .value = (double)NAN,
                                                  .raw = (double)NAN};
        if (n > 0)
                drv->a.samples.samples(drv->a.samples.ctx, drv->scratch, n);
}

/* ---- start and end ---- */

static int build_plan(struct mb_device *d)
{
        struct readplan *plan;
        int r = readplan_create_capped(d->driver->a.site, d->index, d->driver->quarantined, &d->caps, &plan);
        if (r < 0)
                return r;
        readplan_free(d->plan);
        d->plan = plan;
        return 0;
}

static struct readplan_caps configured(const struct mb_device *d)
{
        return readplan_caps_of(&d->driver->a.site->device[d->index]);
}

int mb_scan_init(struct mb_device *d)
{
        d->caps = configured(d);
        int r = build_plan(d);
        return r < 0 ? r : loop_timer_create(d->driver->a.loop, false, mb_scan_start, d, &d->timer);
}

static void schedule_next(struct mb_device *d)
{
        int64_t now = clk_mono_ms(d->driver->a.clk);
        int64_t period_ms = d->driver->a.site->device[d->index].period_ms;

        d->due_ms += period_ms;
        if (d->due_ms < now) /* late: at once, and missed scans are not caught up */
                d->due_ms = now;
        loop_timer_arm(d->timer, d->due_ms - now);
}

/* ---- merged reads that were refused: lower caps, and now and then the configured ones again ---- */

static bool caps_lowered(const struct mb_device *d)
{
        struct readplan_caps c = configured(d);
        return d->caps.max_gap < c.max_gap || d->caps.max_words < c.max_words || d->caps.max_bits < c.max_bits;
}

static void caps_lower(struct mb_device *d)
{
        if (!caps_lowered(d))
                d->try_at_ms = clk_mono_ms(d->driver->a.clk) + MB_QUARANTINE_RETRY_MS;
        if (d->caps.max_gap > 0) {
                d->caps.max_gap = 0;
        } else {
                d->caps.max_words = (d->caps.max_words + 1) / 2;
                d->caps.max_bits = (d->caps.max_bits + 1) / 2;
        }
        d->replan = d->lowered = true;
        event_tell(
            &d->driver->a.events, 5, "modbus", "%s refuses merged reads: now at most %zu register%s, holes of %zu",
            d->driver->a.site->device[d->index].name, d->caps.max_words, PLURAL_S(d->caps.max_words), d->caps.max_gap);
}

/* It may have refused only while it started. Before a scan. */
static void caps_try(struct mb_device *d)
{
        if (!caps_lowered(d) || clk_mono_ms(d->driver->a.clk) < d->try_at_ms)
                return;
        d->learned = d->caps;
        d->caps = configured(d);
        d->trying = build_plan(d) == 0;
        if (!d->trying)
                d->caps = d->learned;
}

/* They were refused: without holes once more if the length was lowered too, else what is known to work. */
static void caps_try_less(struct mb_device *d)
{
        struct readplan_caps c = configured(d);
        bool shorter = d->learned.max_words < c.max_words || d->learned.max_bits < c.max_bits;

        if (shorter && d->caps.max_gap > 0) {
                d->caps.max_gap = 0;
                return;
        }
        d->caps = d->learned;
        d->trying = false;
        d->try_at_ms = clk_mono_ms(d->driver->a.clk) + MB_QUARANTINE_RETRY_MS;
}

/* The scan has ended without a refusal. */
static void caps_tried(struct mb_device *d, bool failed)
{
        if (!d->trying)
                return;
        if (failed) { /* silence may be an answer to it */
                d->caps = d->learned;
                d->replan = true;
        } else {
                event_tell(&d->driver->a.events, 5, "modbus",
                           "%s takes merged reads again: at most %zu register%s, holes of %zu",
                           d->driver->a.site->device[d->index].name, d->caps.max_words, PLURAL_S(d->caps.max_words),
                           d->caps.max_gap);
        }
        d->trying = false;
        d->try_at_ms = clk_mono_ms(d->driver->a.clk) + MB_QUARANTINE_RETRY_MS;
}

static void scan_end(struct mb_device *d, bool failed)
{
        struct device_stats *st = &d->stats;
        const struct device *dev = &d->driver->a.site->device[d->index];

        d->scanning = false;
        d->nstack = 0;
        d->bisecting = false;
        st->known = true;
        if (!failed) {
                d->fails = 0;
                st->state = d->some_failed ? DEVICE_DEGRADED : DEVICE_UP;
        }
        caps_tried(d, failed);
        if (d->replan) {
                d->replan = false;
                if (build_plan(d) < 0)
                        event_tell(&d->driver->a.events, 4, "modbus",
                                   "%s: no memory for a new read plan, keeping the old one", dev->name);
        }
        if (dev->quirks.close_connection_after_gather && !mblink_busy(d->conn->link))
                mblink_disconnect(d->conn->link);
        schedule_next(d);
}

/* The rest of the scan cannot be read: bad samples for it. left: points of the piece that was in flight, if any. */
static void scan_abandon(struct mb_device *d, struct mb_piece left)
{
        if (left.n > 0 || d->nstack > 0)
                d->block++; /* what is left of its block is in the piece and on the stack */
        emit_bad(d, left.first, left.n, QR_COMM_FAIL);
        while (d->nstack > 0) {
                d->nstack--;
                emit_bad(d, d->stack[d->nstack].first, d->stack[d->nstack].n, QR_COMM_FAIL);
        }
        for (; d->block < d->plan->nblock; d->block++) {
                const struct readblock *b = &d->plan->block[d->block];
                bool q = b->npoint == 1 && d->driver->quarantined[d->plan->point[b->first]];
                emit_bad(d, b->first, b->npoint, q ? QR_BAD_ADDR : QR_COMM_FAIL);
        }
        scan_end(d, true);
}

static void note_start(struct mb_device *d)
{
        int64_t now = clk_mono_ms(d->driver->a.clk);
        if (d->scans == 0) {
                d->first_start_ms = now;
        } else {
                double period = (double)d->driver->a.site->device[d->index].period_ms;
                double dev = fabs((double)(now - d->last_start_ms) - period);
                if (dev > d->max_deviation_ms)
                        d->max_deviation_ms = dev;
        }
        d->last_start_ms = now;
        d->scans++;
}

bool mb_scan_held(struct mb_device *d)
{
        struct mb_conn *c = d->conn;

        if (!mb_backoff_holds(&d->backoff) && !mb_backoff_holds(&c->backoff))
                return false;
        if (mb_backoff_holds(&c->backoff)) {
                d->stats.state = DEVICE_DOWN;
                if (d->fails == 0) /* learned through another device of the connection */
                        (void)snprintf(d->stats.last_error, sizeof(d->stats.last_error), "%s: %s",
                                       d->driver->a.site->device[d->index].name, c->why);
        }
        scan_abandon(d, (struct mb_piece){0});
        return true;
}

void mb_scan_start(void *ctx)
{
        struct mb_device *d = ctx;

        note_start(d);
        d->scanning = true;
        d->some_failed = d->retried = d->lowered = false;
        d->block = 0;
        d->nstack = 0;
        d->bisecting = false;
        d->busy_left = d->driver->a.site->device[d->index].quirks.busy_retries;
        if (mb_scan_held(d))
                return;
        caps_try(d);
        mb_conn_kick(d->conn);
}

/* ---- one read ---- */

static bool is_bits(enum point_table t)
{
        return t == POINT_TABLE_COIL || t == POINT_TABLE_DISCRETE;
}

static struct mbrequest request_of(const struct mb_device *d, struct mb_piece piece)
{
        static const uint8_t function[] = {[POINT_TABLE_COIL] = MBFRAME_READ_COILS,
                                           [POINT_TABLE_DISCRETE] = MBFRAME_READ_DISCRETE,
                                           [POINT_TABLE_HOLDING] = MBFRAME_READ_HOLDING,
                                           [POINT_TABLE_INPUT] = MBFRAME_READ_INPUT};
        const struct readblock *b = &d->plan->block[d->block];
        const struct point *points = d->driver->a.site->point;
        uint32_t start = points[d->plan->point[piece.first]].address, end = start; /* sorted by address */

        for (size_t i = 0; i < piece.n; i++) {
                const struct point *p = &points[d->plan->point[piece.first + i]];
                uint32_t e = p->address + (is_bits(p->table) ? 1u : (uint32_t)point_nregs(p));
                if (e > end)
                        end = e;
        }
        return (struct mbrequest){.unit_id = b->unit_id,
                                  .function = function[b->table],
                                  .address = (uint16_t)start,
                                  .count = (uint16_t)(end - start)};
}

static void send_piece(struct mb_device *d, struct mb_piece piece)
{
        struct mbrequest req = request_of(d, piece);
        d->conn->piece = piece;
        mb_conn_request(d->conn, MB_READ, d, &req, NULL);
}

/* What comes after a piece of the current block is done. */
static void piece_done(struct mb_device *d)
{
        if (d->nstack > 0)
                return;
        if (d->bisecting && !d->found_bad && !d->lowered &&
            !(d->caps.max_gap == 0 && d->caps.max_words == 1 && d->caps.max_bits == 1))
                caps_lower(d); /* each point alone is fine, so it refuses what the plan added: holes, then length */
        d->bisecting = false;
        d->block++;
}

bool mb_scan_next(struct mb_device *d)
{
        if (d->nstack > 0) {
                send_piece(d, d->stack[--d->nstack]);
                return true;
        }
        for (; d->block < d->plan->nblock; d->block++) {
                const struct readblock *b = &d->plan->block[d->block];
                uint32_t point = d->plan->point[b->first];
                if (b->npoint == 1 && d->driver->quarantined[point] &&
                    clk_mono_ms(d->driver->a.clk) < d->driver->retry_at_ms[point]) {
                        emit_bad(d, b->first, 1, QR_BAD_ADDR);
                        continue;
                }
                d->found_bad = false;
                send_piece(d, (struct mb_piece){.first = b->first, .n = b->npoint});
                return true;
        }
        scan_end(d, false);
        return false;
}

/* ---- its answer ---- */

static void deliver(struct mb_device *d, struct mb_piece piece, const struct mbrequest *req, const uint8_t *data)
{
        struct modbus_driver *drv = d->driver;
        int64_t t_ms = clk_t_ms(drv->a.clk);
        uint16_t regs[125];

        for (size_t i = 0; i < piece.n; i++) {
                uint32_t index = d->plan->point[piece.first + i];
                const struct point *p = &drv->a.site->point[index];
                size_t at = (size_t)(p->address - req->address);
                if (is_bits(p->table)) {
                        regs[0] = (uint16_t)(data[at / 8] >> (at % 8) & 1);
                } else {
                        for (size_t k = 0; k < point_nregs(p); k++)
                                regs[k] = (uint16_t)(data[2 * (at + k)] << 8 | data[2 * (at + k) + 1]);
                }
                drv->scratch[i].point = index;
                codec_decode(p, regs, t_ms, &drv->scratch[i]);
                if (drv->quarantined[index]) {
                        drv->quarantined[index] = 0;
                        d->replan = true;
                        event_tell(&d->driver->a.events, 5, "modbus", "%s: readable again", p->name);
                }
        }
        d->stats.reads++;
        drv->a.samples.samples(drv->a.samples.ctx, drv->scratch, piece.n);
}

static void quarantine(struct mb_device *d, struct mb_piece piece, unsigned exception)
{
        struct modbus_driver *drv = d->driver;

        d->found_bad = true;
        for (size_t i = 0; i < piece.n; i++) {
                uint32_t index = d->plan->point[piece.first + i];
                if (!drv->quarantined[index]) {
                        d->replan = true;
                        event_tell(&d->driver->a.events, 4, "modbus",
                                   "%s: refused with exception %02u, reading it each 10 min only (%s)",
                                   drv->a.site->point[index].name, exception, d->stats.last_error);
                }
                drv->quarantined[index] = 1;
                drv->retry_at_ms[index] = clk_mono_ms(drv->a.clk) + MB_QUARANTINE_RETRY_MS;
        }
        emit_bad(d, piece.first, piece.n, QR_BAD_ADDR);
}

/* Goes on in a plan of lower caps from where the present one was refused. Both have the points in the same order. */
static bool resume_lower(struct mb_device *d, size_t at)
{
        size_t k = 0;

        caps_try_less(d);
        if (build_plan(d) < 0) { /* no memory: halve what was refused, and build at the end of the scan */
                d->caps = d->learned;
                d->trying = false;
                d->replan = true;
                return false;
        }
        while (at >= d->plan->block[k].first + d->plan->block[k].npoint)
                k++;
        const struct readblock *b = &d->plan->block[k];
        d->block = k;
        d->found_bad = false;
        if (at > b->first) /* the points before were read in the wider block before this one */
                d->stack[d->nstack++] = (struct mb_piece){.first = at, .n = b->first + b->npoint - at};
        return true;
}

static void refused(struct mb_device *d, struct mb_piece piece, unsigned exception)
{
        if (d->trying && piece.n > 1 && resume_lower(d, piece.first))
                return;
        if (exception == 1 || piece.n == 1) { /* 01: the whole table is not there, halving would not help */
                quarantine(d, piece, exception);
                piece_done(d);
                return;
        }
        size_t half = piece.n / 2;
        d->bisecting = true;
        d->stack[d->nstack++] = (struct mb_piece){.first = piece.first + half, .n = piece.n - half};
        d->stack[d->nstack++] = (struct mb_piece){.first = piece.first, .n = half};
}

static void exception_reply(struct mb_device *d, struct mb_piece piece, const struct mblink_reply *reply)
{
        const struct mbrequest *req = &d->conn->request;

        mb_note_error(d, req, "exception", reply->exception);
        d->stats.read_errors++;
        switch (reply->exception) {
        case 1:
        case 2:
        case 3:
                mb_device_answered(d);
                refused(d, piece, reply->exception);
                return;
        case 5:
        case 6: /* busy: again in this scan as often as allowed */
                if (d->busy_left > 0) {
                        d->busy_left--;
                        mblink_hold(d->conn->link, MB_BUSY_PAUSE_MS);
                        d->stack[d->nstack++] = piece;
                        return;
                }
                break;
        case 10:
        case 11: /* the gateway is there, the device behind it is not */
                mb_device_failed(d, req, reply);
                scan_abandon(d, piece);
                return;
        default:
                break;
        }
        mb_device_answered(d);
        d->some_failed = true;
        emit_bad(d, piece.first, piece.n, QR_COMM_FAIL);
        piece_done(d);
}

void mb_scan_reply(struct mb_device *d, const struct mblink_reply *reply)
{
        struct mb_piece piece = d->conn->piece;

        if (reply->result == MBLINK_REPLY) {
                mb_device_answered(d);
                d->retried = false;
                deliver(d, piece, &d->conn->request, reply->data);
                piece_done(d);
        } else if (reply->result == MBLINK_EXCEPTION) {
                exception_reply(d, piece, reply);
        } else if (reply->result == MBLINK_LOST && reply->reused && !d->retried) {
                d->retried = true; /* closed by the peer while idle, probably: once more, on a new connection */
                d->stack[d->nstack++] = piece;
        } else {
                d->stats.read_errors++;
                mb_device_failed(d, &d->conn->request, reply);
                scan_abandon(d, piece);
        }
}
