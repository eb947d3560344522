/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * One write: function code 16, settle (plant time), read back with function code 3, compare; if it differs settle and
 * read once more. A write whose answer never came is settled by the read-back too. A newer write of the same point
 * takes over at once: the older one ends as NOT_SENT (still queued) or PENDING (sent, not confirmed).
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/drivers/modbus_private.h"
#include "agent/points/codec.h"

#define READ_BACKS_MAX 2
#define SPARE_JOBS 16

static const struct point *point_of(const struct mb_job *j)
{
        return &j->driver->a.site->point[j->req.point];
}

static struct mb_device *device_of(const struct mb_job *j)
{
        return &j->driver->device[point_of(j)->device];
}

bool modbus_can_write(void)
{
        return true;
}

/* ---- life of a job ---- */

static void on_settled(void *ctx)
{
        struct mb_job *j = ctx;
        j->state = JOB_READ_DUE;
        mb_conn_kick(j->conn);
}

int mb_write_init(struct modbus_driver *drv)
{
        const struct site *site = drv->a.site;
        size_t writable = 0;

        for (size_t i = 0; i < site->npoint; i++)
                writable += site->point[i].writable;
        /* One on the wire and one that supersedes it, for each point. */
        size_t n = 2 * writable + SPARE_JOBS;
        drv->job = calloc(n, sizeof(*drv->job));
        if (!drv->job)
                return -ENOMEM;
        for (; drv->njob < n; drv->njob++) {
                struct mb_job *j = &drv->job[drv->njob];
                j->driver = drv;
                int r = loop_timer_create(drv->a.loop, false, on_settled, j, &j->settle);
                if (r < 0)
                        return r;
                j->next = drv->free_job;
                drv->free_job = j;
        }
        return 0;
}

static void enqueue(struct mb_conn *c, struct mb_job *j)
{
        j->conn = c;
        j->prev = c->last_job;
        j->next = NULL;
        *(c->last_job ? &c->last_job->next : &c->first_job) = j;
        c->last_job = j;
}

static void finish(struct mb_job *j, enum write_result result, double read_back)
{
        struct modbus_driver *drv = j->driver;
        struct mb_conn *c = j->conn;
        struct write_outcome o = {.id = j->req.id,
                                  .point = j->req.point,
                                  .result = result,
                                  .written = j->written,
                                  .read_back = read_back,
                                  .t_ms = clk_t_ms(drv->a.clk)};

        if (result != WRITE_ACCEPTED && result != WRITE_PENDING && result != WRITE_NOT_SENT)
                device_of(j)->stats.write_errors++;
        loop_timer_disarm(j->settle);
        *(j->prev ? &j->prev->next : &c->first_job) = j->next;
        *(j->next ? &j->next->prev : &c->last_job) = j->prev;
        j->state = JOB_FREE;
        j->prev = NULL;
        j->next = drv->free_job;
        drv->free_job = j;
        drv->a.writes.done(drv->a.writes.ctx, &o);
}

void mb_write_fini(struct modbus_driver *drv)
{
        for (size_t i = 0; i < drv->njob; i++) {
                struct mb_job *j = &drv->job[i];
                if (j->state != JOB_FREE) /* every accepted request has its outcome, at the end too */
                        finish(j, j->state == JOB_QUEUED ? WRITE_NOT_SENT : WRITE_PENDING, (double)NAN);
                loop_timer_free(j->settle);
        }
        free(drv->job);
}

static void settle(struct mb_job *j)
{
        j->state = JOB_SETTLING;
        loop_timer_arm(j->settle, point_of(j)->settle_ms);
}

static void supersede_older(struct mb_conn *c, uint32_t point, uint64_t seq)
{
        struct mb_job *next;
        for (struct mb_job *j = c->first_job; j; j = next) {
                next = j->next;
                if (j->req.point != point || j->seq >= seq)
                        continue;
                if (j->state == JOB_WRITING || j->state == JOB_READING) {
                        j->superseded = true;
                        continue;
                }
                finish(j, j->state == JOB_QUEUED ? WRITE_NOT_SENT : WRITE_PENDING, (double)NAN);
                next = c->first_job; /* done() may have queued or ended others: look again */
        }
}

static void refuse(struct modbus_driver *drv, const struct write_request *req, enum write_result result, double written)
{
        struct write_outcome o = {.id = req->id,
                                  .point = req->point,
                                  .result = result,
                                  .written = written,
                                  .read_back = (double)NAN,
                                  .t_ms = clk_t_ms(drv->a.clk)};
        drv->device[drv->a.site->point[req->point].device].stats.write_errors++;
        drv->a.writes.done(drv->a.writes.ctx, &o);
}

int mb_write(void *driver, const struct write_request *req)
{
        struct modbus_driver *drv = driver;
        const struct site *site = drv->a.site;
        uint16_t regs[4] = {0};
        double written = (double)NAN;

        if (req->point >= site->npoint)
                return -EINVAL;
        const struct point *p = &site->point[req->point];
        if (!p->writable || p->table != POINT_TABLE_HOLDING || p->type == POINT_STRING || p->device < 0 ||
            !drv->device[p->device].conn)
                return -EINVAL;
        struct mb_device *d = &drv->device[p->device];
        if (!drv->free_job)
                return -EAGAIN;
        if (codec_encode(p, req->value, regs, &written) < 0) {
                refuse(drv, req, WRITE_REJECTED_INVALID_SETTING, (double)NAN);
                return 0;
        }
        if (!req->insist && (mb_backoff_holds(&d->backoff) || mb_backoff_holds(&d->conn->backoff))) {
                refuse(drv, req, WRITE_REJECTED_DEVICE_OFFLINE, written);
                return 0;
        }

        struct mb_job *j = drv->free_job;
        drv->free_job = j->next;
        j->req = *req;
        j->seq = ++drv->writes;
        j->written = written;
        memcpy(j->regs, regs, sizeof(regs));
        j->state = JOB_QUEUED;
        j->reads = 0;
        j->busy_left = site->device[p->device].quirks.busy_retries;
        j->superseded = j->unconfirmed = false;
        enqueue(d->conn, j);
        supersede_older(d->conn, req->point, j->seq);
        mb_conn_kick(d->conn);
        return 0;
}

/* ---- on the wire ---- */

/* In a back-off nothing is sent but what insists: a write ends, as one that comes now would; a read-back waits. */
struct mb_job *mb_write_ready(struct mb_conn *c)
{
        struct mb_job *j = c->first_job;
        int64_t wait_ms = INT64_MAX;

        while (j) {
                struct mb_device *d = device_of(j);
                int64_t a = mb_backoff_left_ms(&d->backoff), b = mb_backoff_left_ms(&c->backoff), left = a > b ? a : b;
                if (j->state != JOB_QUEUED && j->state != JOB_READ_DUE) {
                        j = j->next;
                } else if (left == 0 || j->req.insist) {
                        return j;
                } else if (j->state == JOB_QUEUED) {
                        finish(j, WRITE_REJECTED_DEVICE_OFFLINE, (double)NAN);
                        j = c->first_job; /* done() may have queued or ended others: look again */
                } else {
                        wait_ms = left < wait_ms ? left : wait_ms;
                        j = j->next;
                }
        }
        if (wait_ms < INT64_MAX)
                loop_timer_arm(c->kick, wait_ms);
        return NULL;
}

void mb_write_send(struct mb_job *j)
{
        const struct point *p = point_of(j);
        struct mb_device *d = device_of(j);
        bool write = j->state == JOB_QUEUED;
        struct mbrequest req = {.unit_id = p->unit_id,
                                .function = write ? MBFRAME_WRITE : MBFRAME_READ_HOLDING,
                                .address = p->address,
                                .count = (uint16_t)point_nregs(p)};

        j->state = write ? JOB_WRITING : JOB_READING;
        if (write)
                d->stats.writes++;
        j->conn->current_job = j;
        mb_conn_request(j->conn, write ? MB_WRITE : MB_READ_BACK, d, &req, j->regs);
}

/* Nothing more can be learned about a write that was sent: what is its name? */
static enum write_result without_confirmation(const struct mb_job *j)
{
        return j->superseded ? WRITE_PENDING : WRITE_TIMED_OUT;
}

static void write_exception(struct mb_job *j, unsigned exception)
{
        switch (exception) {
        case 3:
                finish(j, WRITE_REJECTED_INVALID_SETTING, (double)NAN);
                return;
        case 10:
        case 11:
                finish(j, WRITE_REJECTED_INVALID_DEVICE, (double)NAN);
                return;
        case 5: /* acknowledged, still working on it */
                j->unconfirmed = true;
                if (j->req.read_back && point_of(j)->readable && !j->superseded)
                        settle(j);
                else
                        finish(j, without_confirmation(j), (double)NAN);
                return;
        case 6:
                if (j->busy_left-- > 0 && !j->superseded) {
                        mblink_hold(j->conn->link, MB_BUSY_PAUSE_MS);
                        j->state = JOB_QUEUED;
                } else {
                        finish(j, WRITE_TIMED_OUT, (double)NAN);
                }
                return;
        default:
                finish(j, WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE, (double)NAN);
        }
}

static void written(struct mb_job *j, const struct mblink_reply *reply)
{
        struct mb_device *d = device_of(j);

        switch (reply->result) {
        case MBLINK_REPLY:
                mb_device_answered(d);
                break;
        case MBLINK_EXCEPTION:
                mb_device_answered(d);
                mb_note_error(d, &j->conn->request, "exception", reply->exception);
                write_exception(j, reply->exception);
                return;
        case MBLINK_NO_CONNECTION:
                mb_device_failed(d, &j->conn->request, reply);
                finish(j, WRITE_REJECTED_DEVICE_OFFLINE, (double)NAN);
                return;
        case MBLINK_TIMEOUT:
        case MBLINK_LOST:
        case MBLINK_BAD_REPLY:
                mb_device_failed(d, &j->conn->request, reply);
                j->unconfirmed = true; /* it may have arrived: the read-back tells */
                break;
        }
        if (j->superseded)
                finish(j, WRITE_PENDING, (double)NAN);
        else if (j->req.read_back && point_of(j)->readable)
                settle(j);
        else
                finish(j, j->unconfirmed ? WRITE_TIMED_OUT : WRITE_ACCEPTED, (double)NAN);
}

static void read_back(struct mb_job *j, const struct mblink_reply *reply)
{
        const struct point *p = point_of(j);
        struct mb_device *d = device_of(j);
        struct sample s = {.point = j->req.point, .value = (double)NAN};

        j->reads++;
        if (reply->result == MBLINK_REPLY) {
                uint16_t regs[4];
                mb_device_answered(d);
                for (size_t i = 0; i < point_nregs(p); i++)
                        regs[i] = (uint16_t)(reply->data[2 * i] << 8 | reply->data[2 * i + 1]);
                codec_decode(p, regs, clk_t_ms(j->driver->a.clk), &s);
                /* The relative part is the last digits of a scaled double, not a licence. */
                double tol = (p->tol > 0 ? p->tol : 0) + 1e-9 * fmax(1, fabs(j->written));
                if (fabs(s.value - j->written) <= tol) {
                        finish(j, WRITE_ACCEPTED, s.value);
                        return;
                }
        } else if (reply->result == MBLINK_EXCEPTION) {
                mb_device_answered(d);
                mb_note_error(d, &j->conn->request, "exception", reply->exception);
        } else {
                mb_device_failed(d, &j->conn->request, reply);
        }

        if (j->superseded)
                finish(j, WRITE_PENDING, s.value);
        else if (j->reads < READ_BACKS_MAX)
                settle(j); /* slow is not wrong */
        else if (reply->result == MBLINK_REPLY && !j->unconfirmed)
                finish(j, WRITE_MISMATCH, s.value);
        else
                finish(j, WRITE_TIMED_OUT, s.value);
}

void mb_write_reply(struct mb_job *j, const struct mblink_reply *reply)
{
        if (j->state == JOB_WRITING)
                written(j, reply);
        else
                read_back(j, reply);
}
