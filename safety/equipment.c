/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

#include <math.h>
#include <string.h>

static unsigned starts_in_hour(const struct equipment *q, double mono_s)
{
        unsigned n = 0;
        for (unsigned i = 0; i < SAFETY_STARTS_MAX; i++)
                n += q->start_s[i] > mono_s - 3600;
        return n;
}

static void note_start(struct equipment *q, double mono_s, bool proved)
{
        q->start_s[q->head] = mono_s;
        q->head = (q->head + 1) % SAFETY_STARTS_MAX;
        q->proved = proved;
}

/* A start counts from its order until the machine is seen to run, then from there: it may have waited. */
static void prove_start(struct equipment *q, double mono_s)
{
        q->start_s[(q->head + SAFETY_STARTS_MAX - 1) % SAFETY_STARTS_MAX] = mono_s;
        q->proved = true;
}

void equipment_reset(struct equipment *q)
{
        memset(q, 0, sizeof(*q));
        for (unsigned i = 0; i < SAFETY_STARTS_MAX; i++)
                q->start_s[i] = -(double)INFINITY;
}

void equipment_observe(struct equipment *q, const struct safety_u *u, bool commanded, uint8_t status, double mono_s)
{
        const bool running = status == 255 ? q->running : status == 1, told = q->told || status != 255;

        if (!q->seen) {
                /* Nothing is known of the past: timers start now and one start is left in this hour, so that a
                 * restart loop cannot wear a chiller out. */
                *q = (struct equipment){.seen = true, .on_s = mono_s, .off_s = mono_s, .proved = running};
                for (unsigned i = 0; i < SAFETY_STARTS_MAX; i++)
                        q->start_s[i] = -(double)INFINITY;
                for (unsigned i = 1; i < (unsigned)u->max_starts_per_h; i++)
                        note_start(q, mono_s, running);
        } else if ((commanded && !q->commanded && !(q->heard && status == 1)) ||
                   (running && !q->running && !q->commanded)) {
                /* ordered on while it reports running it only goes on; unheard it may have stopped */
                note_start(q, mono_s, status == 1);
        } else if (running && (!q->running || (!q->proved && status == 1))) {
                if (q->proved)
                        note_start(q, mono_s, true); /* it had stopped by itself */
                else
                        prove_start(q, mono_s);
        }
        /* on_s, off_s > mono_s: the clock contract is broken; start over, conservative */
        if ((commanded && !q->commanded) || (running && !q->running) || q->on_s > mono_s)
                q->on_s = mono_s;
        if ((!commanded && q->commanded) || (!running && q->running) || q->off_s > mono_s)
                q->off_s = mono_s;
        q->commanded = commanded;
        q->running = running;
        q->told = told;
        q->heard = status == 1;
}

bool equipment_may_start(const struct equipment *q, const struct safety_u *u, double mono_s)
{
        if (u->hi < 1) /* fixed off */
                return false;
        if (q->commanded)
                return true;
        /* one that still reports running after its order off may have stopped since */
        return mono_s - q->off_s >= u->min_off_s && starts_in_hour(q, mono_s) < (unsigned)u->max_starts_per_h;
}

bool equipment_may_stop(const struct equipment *q, const struct safety_u *u, double mono_s)
{
        if (u->lo > 0) /* fixed on */
                return false;
        /* without a start left it could not come back */
        return mono_s - q->on_s >= u->min_on_s && starts_in_hour(q, mono_s) < (unsigned)u->max_starts_per_h;
}

/* Unit k reports running and stays enabled when unit j stops; the units before j are decided. */
static bool stays(const struct safety_envelope *e, const struct safety_snapshot *snap, const double *base,
                  const double *act, size_t j, size_t k)
{
        return e->u[k].kind == SAFETY_U_ONOFF && k != j && (k < j ? act[k] : base[k]) > 0 && snap->onoff_status &&
               snap->onoff_status[k] == 1;
}

/* What those that stay carry. */
static double capacity_without(const struct safety_envelope *e, const struct safety_snapshot *snap, const double *base,
                               const double *act, size_t j)
{
        double sum_w = 0;
        for (size_t k = 0; k < e->nu; k++)
                sum_w += stays(e, snap, base, act, j, k) ? e->u[k].capacity_w : 0;
        return sum_w;
}

/* The load is carried without unit j. The last one that runs never stops for want of load: the meters may be wrong. A
 * load that nobody knows is not carried. */
static bool others_carry(const struct safety_envelope *e, const struct safety_snapshot *snap, const double *base,
                         const double *act, size_t j)
{
        const double left_w = capacity_without(e, snap, base, act, j);
        return left_w > 0 && left_w >= snap->cooling_load_w * (1 + e->capacity_margin);
}

/* No water of a machine that reports running, j or another, changes faster than those take that stay; a change that
 * nobody knows holds no one. */
static bool water_settled(const struct safety_envelope *e, const struct safety_snapshot *snap, const double *base,
                          const double *act, size_t j)
{
        for (size_t k = 0; k < e->nu; k++) {
                const double most = e->u[k].max_flow_ramp_per_min;
                if (stays(e, snap, base, act, j, k) && most > 0 && snap->evap_flow_ramp_per_min > most)
                        return false;
        }
        return true;
}

/* Unit k takes its share of the water: it runs, as far as anyone knows, or it was ordered on just now and is about to.
 * Of one that was never seen its order tells. */
static bool shares_water(const struct safety_snapshot *snap, const struct equipment *q, bool on, size_t k)
{
        return (q[k].told ? q[k].running : q[k].commanded) ||
               (on && !(q[k].commanded && snap->mono_s - q[k].on_s >= SAFETY_START_S));
}

/* Water that the evaporators need with unit j beside the others; the units before j are decided. 0 = none but j. */
static double flow_beside(const struct safety_envelope *e, const struct equipment *q,
                          const struct safety_snapshot *snap, const double *base, const double *act, size_t j)
{
        double sum = 0;
        for (size_t k = 0; k < e->nu; k++) {
                if (e->u[k].kind == SAFETY_U_ONOFF && k != j &&
                    shares_water(snap, q, (k < j ? act[k] : base[k]) > 0, k))
                        sum += e->u[k].min_flow_m3s;
        }
        return sum;
}

/* False: with unit j some evaporator would get too little water. The first one always may: without any the pumps stand,
 * and the flow says nothing. */
static bool flow_for(const struct safety_envelope *e, const struct equipment *q, const struct safety_snapshot *snap,
                     const double *base, const double *act, size_t j)
{
        const double beside = flow_beside(e, q, snap, base, act, j), own = e->u[j].min_flow_m3s;
        return !(own > 0 && beside > 0 && snap->chw_flow_m3s < (beside + own) * (1 + e->capacity_margin));
}

/* Unit j is rather the one to stop than unit k: the others have their water then; else more of it is left to them; and
 * the least capacity goes. */
static bool goes_before(const struct safety_envelope *e, double flow_m3s, double need_m3s, size_t j, size_t k)
{
        const struct safety_u *a = &e->u[j], *b = &e->u[k];
        const bool enough_a = flow_m3s >= (need_m3s - a->min_flow_m3s) * SAFETY_RELIEF;
        const bool enough_b = flow_m3s >= (need_m3s - b->min_flow_m3s) * SAFETY_RELIEF;
        if (enough_a != enough_b)
                return enough_a;
        if (!enough_a && a->min_flow_m3s != b->min_flow_m3s)
                return a->min_flow_m3s > b->min_flow_m3s;
        return a->capacity_w <= b->capacity_w;
}

/* Where the evaporators that run get hardly more than their least water, as after a bypass has shut, all of them are
 * about to trip. One is stopped in time, and the others have its share; it needs no capacity to spare, and it can come
 * back. The last one stays. */
static void relieve(const struct safety_envelope *e, const struct equipment *q, const struct safety_snapshot *snap,
                    const double *base, double *act, enum decision_reason *why, int *binding)
{
        double need_m3s = 0;
        size_t staying = 0, goes = e->nu;
        for (size_t j = 0; j < e->nu; j++) {
                const bool runs = snap->onoff_status && snap->onoff_status[j] == 1;
                if (e->u[j].kind != SAFETY_U_ONOFF)
                        continue;
                if (act[j] == 0 && (runs || base[j] > 0))
                        return; /* one is on its way out already: for the load, whether it reports or not */
                if (!runs)
                        continue;
                need_m3s += e->u[j].min_flow_m3s;
                staying++;
        }
        if (staying < 2 || !(snap->evap_flow_m3s < need_m3s * SAFETY_RELIEF))
                return;
        for (size_t j = 0; j < e->nu; j++) {
                if (e->u[j].kind == SAFETY_U_ONOFF && snap->onoff_status[j] == 1 && e->u[j].min_flow_m3s > 0 &&
                    equipment_may_stop(&q[j], &e->u[j], snap->mono_s) &&
                    (goes == e->nu || goes_before(e, snap->evap_flow_m3s, need_m3s, j, goes)))
                        goes = j;
        }
        if (goes == e->nu)
                return;
        act[goes] = 0;
        *why = DR_EQUIPMENT;
        *binding = (int)goes;
}

void equipment_move(const struct safety_envelope *e, const struct equipment *q, const struct safety_snapshot *snap,
                    const double *base, const double *want, double *act, enum decision_reason *why, int *binding)
{
        for (size_t j = 0; j < e->nu; j++) {
                const struct safety_u *u = &e->u[j];
                bool was = base[j] > 0, on;
                enum decision_reason cut = want[j] >= 0 && want[j] <= 1 ? DR_ACCEPTED : DR_LIMIT;
                if (u->kind != SAFETY_U_ONOFF)
                        continue;
                on = want[j] > 0; /* anything but off is on: rounding goes toward more cooling */
                if (on && !was &&
                    !(equipment_may_start(&q[j], u, snap->mono_s) && flow_for(e, q, snap, base, act, j))) {
                        on = false;
                        cut = DR_EQUIPMENT;
                } else if (!on && was && !u->fast && !snap->slow_step) {
                        on = true;
                        cut = DR_SLOW_STEP;
                } else if (!on && was &&
                           !(equipment_may_stop(&q[j], u, snap->mono_s) && others_carry(e, snap, base, act, j) &&
                             water_settled(e, snap, base, act, j))) {
                        on = true;
                        cut = DR_EQUIPMENT;
                }
                act[j] = on ? 1 : 0;
                if (cut != DR_ACCEPTED) {
                        *why = cut;
                        if (*binding < 0)
                                *binding = (int)j;
                }
        }
        relieve(e, q, snap, base, act, why, binding);
}

void equipment_save(const struct equipment *q, double mono_s, double *buf)
{
        buf[0] = q->seen;
        buf[1] = q->commanded;
        buf[2] = q->told ? q->running : 2;
        buf[3] = q->proved;
        buf[4] = q->seen ? mono_s - q->on_s : 0;
        buf[5] = q->seen ? mono_s - q->off_s : 0;
        for (unsigned i = 0; i < SAFETY_STARTS_MAX; i++) /* oldest first; −1 = none */
        {
                double t = q->start_s[(q->head + i) % SAFETY_STARTS_MAX];
                buf[6 + i] = t > mono_s - 3600 ? fmax(mono_s - t, 0) : -1; /* later: the clock went back since */
        }
}

void equipment_restore(struct equipment *q, double mono_s, double elapsed_s, const double *buf)
{
        const double then_s = mono_s - elapsed_s;

        equipment_reset(q);
        if (buf[0] != 1 || !(buf[4] >= 0 && buf[5] >= 0))
                return;
        q->seen = true;
        q->commanded = buf[1] != 0;
        q->running = buf[2] == 1;
        q->told = buf[2] != 2;
        q->on_s = then_s - buf[4];
        q->off_s = then_s - buf[5];
        for (unsigned i = 0; i < SAFETY_STARTS_MAX; i++) {
                double age_s = buf[6 + i];
                if (age_s >= 0)
                        note_start(q, then_s - age_s, false);
        }
        q->proved = buf[3] != 0;
}
