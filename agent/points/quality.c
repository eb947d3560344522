/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/quality.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct entry {
        struct sample now;
        /* base of the rate rule: the last reading, and the last one it let pass */
        double last_value, passed_value;
        int64_t last_t_ms, passed_t_ms;
        bool has_last;
        /* since when the raw number has not changed */
        double held_raw;
        int64_t held_t_ms;
        bool has_held;
        /* waiting for a first reading since; last moment it was said to be stale; 0 = none */
        int64_t waiting_t_ms, stale_t_ms;
};

struct ptable {
        const struct point *points;
        size_t n;
        struct entry e[];
};

int ptable_create(const struct point *points, size_t n, struct ptable **ret)
{
        if (n > (SIZE_MAX - sizeof(struct ptable)) / sizeof(struct entry))
                return -ENOMEM;
        struct ptable *t = calloc(1, sizeof(*t) + n * sizeof(t->e[0]));
        if (t == NULL)
                return -ENOMEM;
        t->points = points;
        t->n = n;
        for (size_t i = 0; i < n; i++)
                t->e[i].now = (struct sample){.point = (uint32_t)i,
                                              .quality = QUALITY_BAD,
                                              .reason = QR_NOT_YET,
                                              .value = (double)NAN,
                                              .raw = (double)NAN};
        *ret = t;
        return 0;
}

struct ptable *ptable_free(struct ptable *t)
{
        free(t);
        return NULL;
}

static void make_bad(struct sample *s, enum quality_reason reason)
{
        s->quality = QUALITY_BAD;
        s->reason = (uint8_t)reason;
}

static bool believable(const struct point *p, double dv, int64_t dt_ms)
{
        return fabs(dv) <= p->max_rate * (double)dt_ms / 1e3;
}

/* Two readings that agree are no glitch: a jump is refused once; the new level passes when the next reading confirms
 * it, and the old level passes when the value comes back. */
static void check_rate(const struct point *p, struct entry *e, struct sample *s)
{
        if (isnan(p->max_rate) || (e->has_last && s->t_ms == e->last_t_ms))
                return;
        bool pass = !e->has_last || believable(p, s->value - e->last_value, s->t_ms - e->last_t_ms) ||
                    believable(p, s->value - e->passed_value, s->t_ms - e->passed_t_ms);
        e->last_value = s->value;
        e->last_t_ms = s->t_ms;
        e->has_last = true;
        if (!pass) {
                make_bad(s, QR_RATE);
                return;
        }
        e->passed_value = s->value;
        e->passed_t_ms = s->t_ms;
}

/* A setpoint may rest for ever; a measurement that never moves is a frozen sensor or a dead gateway. */
static void check_stuck(const struct point *p, struct entry *e, struct sample *s)
{
        if (p->frozen_after_ms == 0 || p->writable)
                return;
        if (!e->has_held || s->raw != e->held_raw) {
                e->held_raw = s->raw;
                e->held_t_ms = s->t_ms;
                e->has_held = true;
        } else if (s->t_ms - e->held_t_ms >= p->frozen_after_ms && s->quality == QUALITY_GOOD) {
                make_bad(s, QR_STUCK);
        }
}

static bool too_old(const struct point *p, int64_t t_ms, int64_t now_ms)
{
        return p->stale_after_ms > 0 && now_ms - t_ms > p->stale_after_ms;
}

void ptable_update(struct ptable *t, struct sample *s, int64_t now_ms)
{
        if (s->point >= t->n)
                return;
        const struct point *p = &t->points[s->point];
        struct entry *e = &t->e[s->point];
        if (s->t_ms - now_ms > SAMPLE_AHEAD_MS) {
                make_bad(s, QR_STALE);
                return;
        }
        /* A current sample from the future (a fast clock that was set right since) must not blind us until then. */
        bool late = e->now.reason != QR_NOT_YET && s->t_ms < e->now.t_ms && e->now.t_ms <= now_ms;
        bool reading = s->quality != QUALITY_BAD && isfinite(s->value);
        if (s->quality != QUALITY_BAD && !reading)
                make_bad(s, QR_NAN);
        if (reading && too_old(p, s->t_ms, now_ms)) {
                make_bad(s, QR_STALE);
                reading = false;
        }
        if (reading && !late) {
                check_rate(p, e, s);
                check_stuck(p, e, s);
        }
        if (late)
                return; /* a late message does not replace a newer one */
        e->now = *s;
}

bool ptable_turned_stale(struct ptable *t, size_t point, int64_t now_ms, struct sample *ret)
{
        const struct point *p = &t->points[point];
        struct entry *e = &t->e[point];
        if (p->device < 0 || !p->readable || p->stale_after_ms <= 0)
                return false;
        if (e->waiting_t_ms == 0)
                e->waiting_t_ms = now_ms;
        int64_t since_ms = e->now.reason == QR_NOT_YET ? e->waiting_t_ms : e->now.t_ms;
        if (!too_old(p, since_ms, now_ms))
                return false;
        int64_t at_ms = since_ms + (now_ms - since_ms - 1) / p->stale_after_ms * p->stale_after_ms + 1;
        if (at_ms <= e->stale_t_ms)
                return false;
        e->stale_t_ms = at_ms;
        *ret = (struct sample){.point = (uint32_t)point, .t_ms = at_ms, .value = (double)NAN, .raw = (double)NAN};
        make_bad(ret, QR_STALE);
        return true;
}

struct sample ptable_get(const struct ptable *t, size_t point, int64_t now_ms)
{
        struct sample s = t->e[point].now;
        if (s.reason != QR_NOT_YET && too_old(&t->points[point], s.t_ms, now_ms))
                make_bad(&s, QR_STALE);
        return s;
}
