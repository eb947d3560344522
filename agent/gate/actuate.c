/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/actuate.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/points/codec.h"

enum { OUTCOME_QUEUE = 512, MISMATCH_WINDOW_MS = 15 * 60 * 1000, MISMATCH_MAX = 2, FOREIGN_READINGS = 2 };

/* Ledger of one writable point. */
struct entry {
        uint32_t point;
        bool pending;      /* a write is under way */
        uint64_t request;  /* its id */
        int64_t action_id; /* its row, −1 = not stored */
        bool confirmed;    /* we wrote it and read it back */
        double value;      /* what we wrote last, SI */
        int64_t written_mono_ms;
        int64_t settled_mono_ms; /* readings before this do not count against us */
        unsigned differing;      /* good readings in a row that are not ours */
        bool foreign;
        unsigned mismatches;
        int64_t mismatch_mono_ms;
};

struct device_sup {
        int heartbeat_cmd, heartbeat_echo, remote_enable, remote_status; /* points, −1 = none */
        unsigned silent;                                                 /* heartbeats without a matching echo */
        bool reported;
};

struct actuate {
        struct actuate_args a;
        struct entry *u;        /* [nu], index = layout u */
        int *u_of_point;        /* [npoint] → u index, −1 */
        struct device_sup *dev; /* [ndevice] */
        uint16_t beat;
        uint64_t next_id;
        int64_t run_id;
        size_t pending;
        struct write_outcome outcome[OUTCOME_QUEUE];
        int64_t outcome_action[OUTCOME_QUEUE];
        size_t noutcome;
};

static void report(struct actuate *a, int severity, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void report(struct actuate *a, int severity, const char *fmt, ...)
{
        char text[256];
        va_list ap;

        if (!a->a.event)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        a->a.event(a->a.event_ctx, severity, text);
}

int actuate_create(const struct actuate_args *args, struct actuate **ret)
{
        const struct layout *l = args->layout;
        const struct site *site = l->site;
        struct actuate *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        a->a = *args;
        a->u = calloc(l->nu ? l->nu : 1, sizeof *a->u);
        a->u_of_point = calloc(site->npoint ? site->npoint : 1, sizeof *a->u_of_point);
        a->dev = calloc(site->ndevice ? site->ndevice : 1, sizeof *a->dev);
        if (!a->u || !a->u_of_point || !a->dev) {
                actuate_free(a);
                return -ENOMEM;
        }
        for (size_t i = 0; i < site->npoint; i++)
                a->u_of_point[i] = -1;
        for (size_t j = 0; j < l->nu; j++) {
                a->u[j].point = (uint32_t)l->u[j].point;
                a->u[j].action_id = -1;
                a->u_of_point[l->u[j].point] = (int)j;
        }
        for (size_t i = 0; i < site->ndevice; i++)
                a->dev[i] = (struct device_sup){-1, -1, -1, -1, 0, false};
        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];
                struct device_sup *d;

                if (p->device < 0)
                        continue;
                d = &a->dev[p->device];
                if (p->role == ROLE_HEARTBEAT_CMD)
                        d->heartbeat_cmd = (int)i;
                else if (p->role == ROLE_HEARTBEAT_ECHO)
                        d->heartbeat_echo = (int)i;
                else if (p->role == ROLE_REMOTE_ENABLE)
                        d->remote_enable = (int)i;
                else if (p->role == ROLE_REMOTE_STATUS)
                        d->remote_status = (int)i;
        }
        a->next_id = 1;
        *ret = a;
        return 0;
}

struct actuate *actuate_free(struct actuate *a)
{
        if (a) {
                free(a->u);
                free(a->u_of_point);
                free(a->dev);
                free(a);
        }
        return NULL;
}

void actuate_bind_run(struct actuate *a, int64_t run_id)
{
        a->run_id = run_id;
}

static bool device_remote(const struct actuate *a, int device, int64_t t_ms)
{
        struct sample s;

        if (device < 0 || a->dev[device].remote_status < 0)
                return true; /* a device without the triple always obeys */
        s = ptable_get(a->a.points, (size_t)a->dev[device].remote_status, t_ms);
        return s.quality == QUALITY_GOOD && s.value > 0.5;
}

bool actuate_controllable(const struct actuate *a, size_t j, int64_t t_ms)
{
        const struct point *p = &a->a.layout->site->point[a->u[j].point];

        return !a->a.acting || (!a->u[j].foreign && device_remote(a, p->device, t_ms));
}

static int send(struct actuate *a, uint32_t point, double value, bool read_back, uint64_t *ret_id)
{
        struct write_request r = {.id = a->next_id, .point = point, .value = value, .read_back = read_back};
        int rc;

        if (!a->a.actuator.write)
                return -EPERM;
        *ret_id = r.id;
        a->next_id++;
        a->pending++;
        rc = a->a.actuator.write(a->a.actuator.self, &r);
        if (rc < 0)
                a->pending--;
        return rc;
}

/* +1: v is more cooling than from, −1: less, 0: neither. */
static int cooling_dir(const struct point *p, double from, double v)
{
        double d = (v - from) * p->safe_dir;

        return d > 0 ? 1 : d < 0 ? -1 : 0;
}

static bool wants_write(const struct entry *e, const struct point *p, double now, double v, int64_t mono_ms)
{
        double step = point_resolution(p);
        bool changed = !(fabs(v - now) < fmax(step * 0.5, 1e-6));
        bool refresh = p->lease_ms > 0 && mono_ms - e->written_mono_ms >= p->lease_ms / 2;

        if (e->pending || (!changed && !refresh))
                return false;
        if (e->mismatches >= MISMATCH_MAX && mono_ms - e->mismatch_mono_ms < MISMATCH_WINDOW_MS)
                return false; /* another master or a clamp: never fight */
        if (changed && p->min_interval_ms > 0 && e->written_mono_ms > 0 && cooling_dir(p, now, v) <= 0 &&
            mono_ms - e->written_mono_ms < p->min_interval_ms)
                return false;
        return true;
}

/* The write of e ended: its action gets this outcome. */
static void put_outcome(struct actuate *a, struct entry *e, const struct write_outcome *o)
{
        e->pending = false;
        if (e->action_id >= 0 && a->a.store) {
                if (a->noutcome == OUTCOME_QUEUE)
                        actuate_flush(a);
                a->outcome[a->noutcome] = *o;
                a->outcome_action[a->noutcome++] = e->action_id;
        }
        e->action_id = -1;
}

size_t actuate_apply(struct actuate *a, const struct safety_decision *d, int64_t decision_id, int64_t t_ms,
                     int64_t mono_ms)
{
        const struct layout *l = a->a.layout;
        size_t nu, n = 0, queued = 0;
        const double *u = decision_u(d, &nu);
        struct store_action rows[64];
        size_t index[64];
        int64_t ids[64];

        assert(nu == l->nu);
        for (size_t j0 = 0; j0 < nu;) {
                n = 0;
                for (; j0 < nu && n < 64; j0++) {
                        const struct point *p = &l->site->point[a->u[j0].point];
                        struct sample now = ptable_get(a->a.points, a->u[j0].point, t_ms);

                        if (!isfinite(u[j0]) || now.quality == QUALITY_BAD || !actuate_controllable(a, j0, t_ms) ||
                            !wants_write(&a->u[j0], p, now.value, u[j0], mono_ms))
                                continue;
                        rows[n] = (struct store_action){.decision_id = decision_id,
                                                        .t_ms = t_ms,
                                                        .point = a->u[j0].point,
                                                        .value = u[j0],
                                                        .why = "decision"};
                        ids[n] = -1;
                        index[n++] = j0;
                }
                /* what is about to be sent is durable before it is sent */
                if (n > 0 && a->a.store && store_put_actions(a->a.store, a->run_id, rows, n, ids) < 0) {
                        report(a, 3, "%zu actions cannot be stored, so none of them is written", n);
                        continue;
                }
                for (size_t k = 0; k < n; k++) {
                        struct entry *e = &a->u[index[k]];

                        e->pending = true;
                        e->action_id = ids[k];
                        e->value = rows[k].value;
                        e->written_mono_ms = mono_ms;
                        e->confirmed = false;
                        if (send(a, e->point, rows[k].value, true, &e->request) < 0)
                                put_outcome(a, e,
                                            &(struct write_outcome){.point = e->point,
                                                                    .result = WRITE_NOT_SENT,
                                                                    .written = (double)NAN,
                                                                    .read_back = (double)NAN,
                                                                    .t_ms = t_ms});
                        else
                                queued++;
                }
        }
        return queued;
}

void actuate_reading(struct actuate *a, const struct sample *s, int64_t mono_ms)
{
        const struct site *site = a->a.layout->site;
        const struct point *p = &site->point[s->point];
        int j = a->u_of_point[s->point];
        struct entry *e;

        if (j < 0 || s->quality == QUALITY_BAD)
                return;
        e = &a->u[j];
        if (!e->confirmed || e->pending || mono_ms < e->settled_mono_ms)
                return;
        if (fabs(s->value - e->value) <= fmax(p->tol, point_resolution(p))) {
                e->differing = 0;
                return;
        }
        if (!device_remote(a, p->device, s->t_ms)) {
                e->confirmed = false; /* the device went local and shows its own setpoint: not a second master */
                e->differing = 0;
                return;
        }
        if (++e->differing >= FOREIGN_READINGS + 1 && !e->foreign) {
                e->foreign = true;
                report(a, 4, "%s: foreign write found, value %g instead of ours %g; the point is left alone", p->name,
                       s->value, e->value);
        }
}

void actuate_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms)
{
        const struct point *p = &a->a.layout->site->point[o->point];
        int j = a->u_of_point[o->point];
        struct entry *e;

        if (a->pending > 0)
                a->pending--;
        if (j < 0)
                return;
        e = &a->u[j];
        if (!e->pending || e->request != o->id)
                return;
        if (o->result == WRITE_ACCEPTED) {
                e->confirmed = true;
                e->value = o->written;
                e->settled_mono_ms = mono_ms + p->settle_ms;
                e->differing = 0;
                e->mismatches = 0;
        } else if (o->result == WRITE_MISMATCH) {
                e->mismatches++;
                e->mismatch_mono_ms = mono_ms;
                report(a, 4, "%s: read back %g after writing %g", p->name, o->read_back, o->written);
        } else if (o->result != WRITE_NOT_SENT && o->result != WRITE_PENDING) {
                report(a, 4, "%s: write of %g ended %s", p->name, e->value, write_result_str(o->result));
        }
        put_outcome(a, e, o);
}

void actuate_flush(struct actuate *a)
{
        if (a->noutcome > 0 && a->a.store)
                (void)store_put_outcomes(a->a.store, a->outcome_action, a->outcome, a->noutcome);
        a->noutcome = 0;
}

void actuate_heartbeat(struct actuate *a, int64_t t_ms)
{
        const struct site *site = a->a.layout->site;
        uint16_t last = a->beat;

        a->beat = (uint16_t)(a->beat % 30000u + 1u);
        for (size_t i = 0; i < site->ndevice; i++) {
                struct device_sup *d = &a->dev[i];
                uint64_t id;

                if (d->heartbeat_cmd < 0)
                        continue;
                if (d->heartbeat_echo >= 0 && last > 0) {
                        struct sample s = ptable_get(a->a.points, (size_t)d->heartbeat_echo, t_ms);

                        /* the scan may be one or two beats behind */
                        bool follows = s.quality == QUALITY_GOOD && last - s.value < 3.5 && s.value - last < 0.5;

                        d->silent = follows ? 0 : d->silent + 1;
                        if (d->silent >= 3 && !d->reported) {
                                d->reported = true;
                                report(a, 4, "%s: heartbeat is not echoed", site->device[i].name);
                        } else if (d->silent == 0) {
                                d->reported = false;
                        }
                }
                (void)send(a, (uint32_t)d->heartbeat_cmd, a->beat, false, &id);
        }
}

size_t actuate_remote(struct actuate *a, bool on, int64_t t_ms)
{
        const struct site *site = a->a.layout->site;
        size_t n = 0;

        for (size_t i = 0; i < site->ndevice; i++) {
                const struct device_sup *d = &a->dev[i];
                struct sample s;
                uint64_t id;

                if (d->remote_enable < 0)
                        continue;
                s = ptable_get(a->a.points, (size_t)d->remote_enable, t_ms);
                if (on && (s.quality == QUALITY_BAD || s.value > 0.5))
                        continue;
                if (!on && s.quality == QUALITY_GOOD && s.value < 0.5)
                        continue;
                if (send(a, (uint32_t)d->remote_enable, on ? 1 : 0, true, &id) == 0)
                        n++;
        }
        return n;
}

size_t actuate_pending(const struct actuate *a)
{
        return a->pending;
}

size_t actuate_foreign(const struct actuate *a)
{
        size_t n = 0;

        for (size_t j = 0; j < a->a.layout->nu; j++)
                n += a->u[j].foreign;
        return n;
}
