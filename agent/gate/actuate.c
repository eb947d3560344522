/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/text.h"
#include "agent/gate/actuate_internal.h"
#include "agent/gate/latch.h"
#include "agent/points/codec.h"

enum {
        FOREIGN_READINGS = 3,             /* good readings in a row that are not ours */
        FOREIGN_REPLACED = 3,             /* values of ours found replaced within … */
        FOREIGN_MS = 10 * 60 * 1000,      /* … this time, each written again in between */
        REFUSED_MAX = 2,                  /* refusals in a row before a point is let be */
        REFUSED_LESS_MS = 15 * 60 * 1000, /* … for moves toward less cooling */
        REFUSED_MS = 5 * 60 * 1000,       /* … for refreshes; for more cooling, and then altogether */
        ORDER_STANDS_MS = 2 * 60 * 1000,  /* without a reading since; wall time labels readings and may be set back */
        EVENT_TEXT = 256,
};

/* Of a float32 of 300 K, more than twice; far below any tolerance. */
#define FLOAT_ROUNDING 1e-5

const char *actuate_fixed_str(enum actuate_fixed f)
{
        static const char *const text[ACTUATE_FIXED_COUNT_] = {
            [ACTUATE_FREE] = "free",
            [ACTUATE_UNREADABLE] = "unreadable",
            [ACTUATE_UNSUPERVISED] = "device without supervision registers",
            [ACTUATE_NO_ECHO] = "heartbeat not echoed",
            [ACTUATE_LOCAL] = "device is local",
            [ACTUATE_OPERATOR] = "taken local at the plant, until coolplane rearm",
            [ACTUATE_FOREIGN] = "written by someone else, until coolplane rearm",
            [ACTUATE_REFUSED] = "device does not take what is written",
            [ACTUATE_LET_GO] = "let go, because nothing of the device could be moved",
            [ACTUATE_UNPROVED] = "its watchdog is not proved yet",
            [ACTUATE_INERT] = "its watchdog does not act, until a restart",
        };

        return (unsigned)f < ACTUATE_FIXED_COUNT_ ? text[f] : "?";
}

void actuate_report(struct actuate *a, int severity, const char *fmt, ...)
{
        char text[EVENT_TEXT];
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
        supervise_create(a);
        for (size_t j = 0; a->a.acting && j < l->nu; j++) {
                int device = site->point[a->u[j].point].device;

                if (supervise_fixed(a, device, 0) == ACTUATE_UNSUPERVISED)
                        actuate_report(a, 4,
                                       "%s: left alone, its device has no complete set of heartbeat, echo, "
                                       "remote enable and remote status",
                                       site->point[a->u[j].point].name);
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

static int64_t refused_ms(int dir)
{
        return dir < 0 ? REFUSED_LESS_MS : REFUSED_MS;
}

/* Writes of this direction are not tried for now. */
static bool refuses(const struct entry *e, int dir, int64_t mono_ms)
{
        const struct refusals *r = &e->refused[1 + dir];

        return r->n >= REFUSED_MAX && mono_ms - r->mono_ms < refused_ms(dir);
}

/* The write of e was refused. One that nobody repeated when it could be is over: the next is the first again. */
static void note_refusal(struct entry *e, int64_t mono_ms)
{
        struct refusals *r = &e->refused[1 + e->dir];

        if (mono_ms - r->mono_ms > 2 * refused_ms(e->dir))
                r->n = 0;
        r->n++;
        r->mono_ms = mono_ms;
}

/* A write of ours was accepted over another value than our last one: a reading that healed by itself is not told of. */
static void count_replaced(struct entry *e, int64_t mono_ms)
{
        if (e->differing == 0)
                return;
        if (e->replaced == 0 || mono_ms - e->replaced_mono_ms > FOREIGN_MS) {
                e->replaced = 0;
                e->replaced_mono_ms = mono_ms;
        }
        e->replaced++;
        e->differing = 0;
}

/* The write of e was accepted. A refresh says nothing of moves. */
static void forget_refusals(struct entry *e)
{
        if (e->dir == 0)
                e->refused[1] = (struct refusals){0};
        else
                memset(e->refused, 0, sizeof e->refused);
}

enum actuate_fixed actuate_fixed_itself(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms)
{
        const struct entry *e = &a->u[j];

        if (ptable_get(a->a.points, e->point, t_ms).quality == QUALITY_BAD)
                return ACTUATE_UNREADABLE;
        if (e->foreign)
                return ACTUATE_FOREIGN;
        /* one that only refuses less cooling can still be asked for more */
        return refuses(e, +1, mono_ms) ? ACTUATE_REFUSED : ACTUATE_FREE;
}

enum actuate_fixed actuate_fixed(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms)
{
        enum actuate_fixed itself = actuate_fixed_itself(a, j, t_ms, mono_ms), device;

        if (itself == ACTUATE_UNREADABLE || !a->a.acting)
                return itself;
        device = supervise_fixed(a, a->a.layout->site->point[a->u[j].point].device, t_ms);
        return device != ACTUATE_FREE ? device : itself;
}

int actuate_send(struct actuate *a, uint32_t point, double value, unsigned flags, uint64_t *id)
{
        struct write_request r = {.id = a->next_id,
                                  .point = point,
                                  .value = value,
                                  .read_back = (flags & SEND_READ_BACK) != 0,
                                  .insist = (flags & SEND_INSIST) != 0};
        int rc;

        if (!a->a.actuator.write)
                return -EPERM;
        *id = r.id;
        a->next_id++;
        a->pending++;
        rc = a->a.actuator.write(a->a.actuator.self, &r);
        if (rc < 0)
                a->pending--;
        return rc;
}

static bool differs(const struct point *p, double a, double b)
{
        return !(fabs(a - b) < fmax(point_resolution(p) * 0.5, 1e-6));
}

/* +1: v is more cooling than from, −1: less, 0: the same. */
static int cooling_dir(const struct point *p, double from, double v)
{
        if (!differs(p, from, v))
                return 0;
        return (v - from) * p->safe_dir > 0 ? 1 : -1;
}

/* Its register can hold just this value, but for a float's last bits. */
static bool holds(const struct point *p, double value)
{
        return fabs(codec_quantise(p, value) - value) <= FLOAT_ROUNDING * fmax(1, fabs(value));
}

/* What the point has, or is about to have. */
static double base_of(const struct entry *e, double now)
{
        return e->pending ? e->value : now;
}

/* Toward less cooling, and not before something else is over. */
static bool must_wait(const struct entry *e, const struct point *p, int64_t mono_ms)
{
        return e->pending || refuses(e, -1, mono_ms) ||
               (p->min_interval_ms > 0 && e->moved_mono_ms > 0 && mono_ms - e->moved_mono_ms < p->min_interval_ms);
}

/* Of the decided v: v itself; what the point has, so that its lease goes on while v must wait; or NaN, nothing. known:
 * what the decision was made from is what the point shows now. step_ms: until the next decision. */
static double value_to_write(const struct entry *e, const struct point *p, double now, double v, bool known,
                             bool handback, int64_t mono_ms, int64_t step_ms)
{
        int dir = cooling_dir(p, base_of(e, now), v);
        /* at the next decision half of the lease would have passed */
        bool refresh = p->lease_ms > 0 && mono_ms - e->leased_mono_ms + step_ms > p->lease_ms / 2;

        if (dir > 0)
                return v;
        if (!known)
                return (double)NAN; /* the ramp would start from a value the plant does not have */
        if (dir < 0 && (handback || !must_wait(e, p, mono_ms)))
                return v;
        if (!refresh || e->pending || e->differing > 0 || refuses(e, 0, mono_ms))
                return (double)NAN;
        return dir == 0 ? v : holds(p, now) ? now : (double)NAN;
}

void actuate_put_outcome(struct actuate *a, int64_t action_id, const struct write_outcome *o)
{
        if (action_id < 0 || !a->a.store)
                return;
        if (a->noutcome == ACTUATE_OUTCOMES) {
                if (!a->outcomes_lost)
                        actuate_report(a, 4, "outcomes of writes cannot be stored; the oldest are lost");
                a->outcomes_lost = true;
                a->noutcome--;
                memmove(a->outcome, a->outcome + 1, a->noutcome * sizeof a->outcome[0]);
                memmove(a->outcome_action, a->outcome_action + 1, a->noutcome * sizeof a->outcome_action[0]);
        }
        a->outcome[a->noutcome] = *o;
        a->outcome_action[a->noutcome++] = action_id;
}

/* The write of e ended: its action gets this outcome. */
static void end_write(struct actuate *a, struct entry *e, const struct write_outcome *o)
{
        e->pending = false;
        if (o->result == WRITE_ACCEPTED || !a->a.acting) /* what only records has no other outcome */
                e->leased_mono_ms = e->sent_mono_ms;
        if (o->result == WRITE_ACCEPTED || o->result == WRITE_TIMED_OUT || o->result == WRITE_PENDING)
                e->sent_until_t_ms = o->t_ms;
        actuate_put_outcome(a, e->action_id, o);
        e->action_id = -1;
}

static struct write_outcome no_reading(uint32_t point, enum write_result result, int64_t t_ms)
{
        return (struct write_outcome){
            .point = point, .result = result, .written = (double)NAN, .read_back = (double)NAN, .t_ms = t_ms};
}

static bool write_one(struct actuate *a, struct entry *e, double value, int64_t action_id, int64_t t_ms,
                      int64_t mono_ms)
{
        struct write_outcome o;

        const struct point *p = &a->a.layout->site->point[e->point];

        if (e->pending) {
                o = no_reading(e->point, WRITE_PENDING, t_ms);
                end_write(a, e, &o);
        }
        e->dir = cooling_dir(p, ptable_get(a->a.points, e->point, t_ms).value, value);
        e->pending = true;
        e->action_id = action_id;
        e->value = value;
        e->sent_mono_ms = mono_ms;
        if (e->dir != 0)
                e->moved_mono_ms = mono_ms;
        e->confirmed = false;
        if (!holds(p, value)) /* what is verified is what is written: the decision's grid is the register's */
                actuate_report(a, 3, "%s: its register cannot hold the %g that was verified; not written", p->name,
                               value);
        else if (actuate_send(a, e->point, value, SEND_READ_BACK, &e->request) == 0)
                return true;
        o = no_reading(e->point, WRITE_NOT_SENT, t_ms);
        end_write(a, e, &o);
        return false;
}

/* What becomes of the decided v of variable j; NaN: nothing is written. */
static double due(const struct actuate *a, const struct safety_snapshot *snap, size_t j, double v, double now,
                  bool handback, int64_t mono_ms)
{
        const struct entry *e = &a->u[j];
        const struct point *p = &a->a.layout->site->point[e->point];
        bool known = fabs(snap->u_confirmed[j] - now) <= fmax(p->tol, point_resolution(p));

        if (!isfinite(v) || (snap->u_fixed && snap->u_fixed[j]) ||
            actuate_fixed(a, j, snap->t_ms, mono_ms) != ACTUATE_FREE)
                return (double)NAN;
        return value_to_write(e, p, now, v, known, handback, mono_ms, a->a.layout->site->fast_step_ms);
}

static const char *why_of(const struct actuate *a, size_t j, double v, double now, bool handback)
{
        const struct entry *e = &a->u[j];

        if (handback)
                return "handback";
        return differs(&a->a.layout->site->point[e->point], v, base_of(e, now)) ? "decision" : "refresh";
}

/* v may go out though it has no row: more cooling cannot wait for the store, as the certificate of the step before says
 * "that action for one step, then the backup". What cools less, or has no direction, can. */
static bool cannot_wait(const struct actuate *a, size_t j, double v, int64_t t_ms)
{
        const struct entry *e = &a->u[j];
        const double now = ptable_get(a->a.points, e->point, t_ms).value;

        return a->a.acting && cooling_dir(&a->a.layout->site->point[e->point], base_of(e, now), v) > 0;
}

/* Values that went out without a row are told, in as few events as hold their names (p NULL: the end of them). */
struct unrecorded {
        char text[EVENT_TEXT - sizeof "written without a record: "];
        size_t n;
};

static void tell_unrecorded(struct actuate *a, struct unrecorded *l, const struct point *p, double v)
{
        char one[POINT_NAME_MAX + 32] = "";

        if (p)
                (void)snprintf(one, sizeof one, "%s %.6g", p->name, v);
        if (l->n > 0 && (!p || l->n + 2 + strlen(one) >= sizeof l->text)) {
                actuate_report(a, 3, "written without a record: %s", l->text);
                l->n = 0;
        }
        if (p)
                l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s", l->n > 0 ? ", " : "", one);
}

size_t actuate_apply(struct actuate *a, const struct safety_decision *d, int64_t decision_id,
                     const struct safety_snapshot *snap, bool handback)
{
        enum { BATCH = 64 };
        struct unrecorded unrecorded = {0};
        size_t nu, queued = 0;
        const double *u = decision_u(d, &nu);
        int64_t mono_ms = (int64_t)llround(snap->mono_s * 1000.0);

        assert(nu == a->a.layout->nu);
        a->unstored = false;
        for (size_t j = 0; j < nu;) {
                struct store_action rows[BATCH];
                size_t index[BATCH], n = 0;
                int64_t ids[BATCH];

                for (; j < nu && n < BATCH; j++) {
                        double now = ptable_get(a->a.points, a->u[j].point, snap->t_ms).value;
                        double v = decision_in_box(d, j) ? due(a, snap, j, u[j], now, handback, mono_ms) : (double)NAN;

                        if (isnan(v))
                                continue;
                        rows[n] = (struct store_action){.decision_id = decision_id,
                                                        .t_ms = snap->t_ms,
                                                        .point = a->u[j].point,
                                                        .value = v,
                                                        .why = why_of(a, j, v, now, handback)};
                        ids[n] = -1;
                        index[n++] = j;
                }
                /* what is about to be sent is durable before it is sent, but for more cooling */
                bool recorded = !a->a.store || n == 0;

                if (!recorded && decision_id >= 0) {
                        recorded = store_put_actions(a->a.store, a->run_id, rows, n, ids) == 0;
                        a->unstored = a->unstored || !recorded;
                }
                for (size_t k = 0; k < n; k++) {
                        if (!recorded && !cannot_wait(a, index[k], rows[k].value, snap->t_ms))
                                continue;
                        if (!write_one(a, &a->u[index[k]], rows[k].value, recorded ? ids[k] : -1, snap->t_ms, mono_ms))
                                continue;
                        queued++;
                        if (!recorded)
                                tell_unrecorded(a, &unrecorded, &a->a.layout->site->point[rows[k].point],
                                                rows[k].value);
                }
        }
        tell_unrecorded(a, &unrecorded, NULL, 0);
        return queued;
}

bool actuate_unstored(const struct actuate *a)
{
        return a->unstored;
}

bool actuate_ordered(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms, double *ret_value)
{
        const struct entry *e = &a->u[j];
        bool recent = e->sent_mono_ms > 0 && mono_ms - e->sent_mono_ms < ORDER_STANDS_MS;

        if (!e->pending && !(recent && t_ms <= e->sent_until_t_ms))
                return false;
        *ret_value = e->value;
        return true;
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
        if (!supervise_remote(a, p->device, s->t_ms)) {
                e->confirmed = false; /* the device went local and shows its own setpoint: not a second master */
                e->differing = 0;
                return;
        }
        e->differing++;
        if ((e->differing >= FOREIGN_READINGS ||
             (e->replaced >= FOREIGN_REPLACED && mono_ms - e->replaced_mono_ms <= FOREIGN_MS)) &&
            !e->foreign) {
                e->foreign = a->latches_unsaved = true;
                actuate_report(a, 4, "%s: foreign write found, value %g instead of ours %g; the point is left alone",
                               p->name, s->value, e->value);
        }
}

void actuate_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms)
{
        const struct point *p = &a->a.layout->site->point[o->point];
        int j = a->u_of_point[o->point];
        struct entry *e;

        if (a->pending > 0)
                a->pending--;
        if (j < 0) {
                supervise_done(a, o, mono_ms);
                return;
        }
        e = &a->u[j];
        if (!e->pending || e->request != o->id)
                return; /* a newer write took over; this one was ended then */
        if (o->result == WRITE_ACCEPTED) {
                e->confirmed = true;
                e->value = o->written;
                e->settled_mono_ms = mono_ms + p->settle_ms;
                count_replaced(e, mono_ms);
                forget_refusals(e);
        } else if (o->result == WRITE_MISMATCH || o->result == WRITE_REJECTED_INVALID_SETTING ||
                   o->result == WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE) {
                note_refusal(e, mono_ms);
        }
        if (o->result != e->last && o->result == WRITE_MISMATCH)
                actuate_report(a, 4, "%s: read back %g after writing %g", p->name, o->read_back, o->written);
        else if (o->result != e->last && o->result != WRITE_ACCEPTED && o->result != WRITE_NOT_SENT &&
                 o->result != WRITE_PENDING)
                actuate_report(a, 4, "%s: write of %g ended %s", p->name, e->value, write_result_str(o->result));
        if (o->result != WRITE_NOT_SENT && o->result != WRITE_PENDING)
                e->last = o->result;
        end_write(a, e, o);
}

/* ---- latches ---- */

static void restore_latch(void *ctx, const struct latch *l)
{
        struct actuate *a = ctx;
        const struct site *site = a->a.layout->site;

        a->released = a->released || l->kind == LATCH_RELEASE;
        for (size_t i = 0; l->kind == LATCH_OPERATOR && i < site->ndevice; i++)
                if (strcmp(site->device[i].name, l->name) == 0)
                        a->dev[i].operator_took = true;
        for (size_t j = 0; l->kind == LATCH_FOREIGN && j < a->a.layout->nu; j++)
                if (strcmp(site->point[a->u[j].point].name, l->name) == 0)
                        a->u[j].foreign = true;
        actuate_report(a, 4, "%s: %s before this start; until coolplane rearm", l->name[0] ? l->name : "the plant",
                       latch_kind_str(l->kind));
}

int actuate_latches_restore(struct actuate *a)
{
        int64_t t_ms;

        return a->a.acting && a->a.store ? latch_read(a->a.store, &t_ms, restore_latch, a) : 0;
}

void actuate_latches_save(struct actuate *a, int64_t t_ms)
{
        const struct site *site = a->a.layout->site;
        struct latch *l;
        size_t n = 0;

        if (!a->latches_unsaved || !a->a.store)
                return;
        l = calloc(1 + site->ndevice + a->a.layout->nu, sizeof *l);
        if (!l)
                return;
        if (a->released)
                l[n++] = (struct latch){LATCH_RELEASE, ""};
        for (size_t i = 0; i < site->ndevice; i++)
                if (a->dev[i].operator_took)
                        l[n++] = (struct latch){LATCH_OPERATOR, site->device[i].name};
        for (size_t j = 0; j < a->a.layout->nu; j++)
                if (a->u[j].foreign)
                        l[n++] = (struct latch){LATCH_FOREIGN, site->point[a->u[j].point].name};
        a->latches_unsaved = latch_write(a->a.store, t_ms, l, n) < 0; /* else with the next heartbeat */
        free(l);
}

void actuate_latch_release(struct actuate *a)
{
        a->latches_unsaved = a->latches_unsaved || !a->released;
        a->released = true;
}

bool actuate_release_latched(const struct actuate *a)
{
        return a->released;
}

int actuate_flush(struct actuate *a)
{
        int r = 0;

        if (a->noutcome > 0 && a->a.store)
                r = store_put_outcomes(a->a.store, a->outcome_action, a->outcome, a->noutcome);
        if (r < 0 && r != -ENOENT) /* -ENOENT: stored, but an action's row is gone (retention) */
                return r;
        a->noutcome = 0;
        a->outcomes_lost = false;
        return 0;
}

size_t actuate_pending(const struct actuate *a)
{
        return a->pending;
}
