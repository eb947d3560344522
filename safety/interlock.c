/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

#include <math.h>

#define TRIP_PERSIST 2 /* steps one sensor must stay above trip; two sensors together need none */

enum safety_cond interlock_reading(const struct safety_envelope *e, const struct safety_snapshot *snap, size_t row,
                                   double *ret_y)
{
        enum safety_cond c = snap->y_ok && snap->window.n > 0 ? (enum safety_cond)snap->y_ok[row] : COND_ERROR;
        double y;
        if (c != COND_TRUE)
                return c;
        y = snap->window.y[(snap->window.n - 1) * e->ny + row];
        if (!isfinite(y))
                return COND_ERROR;
        *ret_y = y;
        return COND_TRUE;
}

/* Trip: TRUE at once when two sensors agree, after TRIP_PERSIST steps for one. *any: some sensor is above now. */
static bool trip_check(struct interlock *k, const struct safety_envelope *e, const struct safety_snapshot *snap,
                       bool *any, int *binding)
{
        unsigned now = 0;
        bool persistent = false;
        for (size_t i = 0; i < e->ncert; i++) {
                const struct safety_y *c = &e->cert[i];
                double y;
                if (interlock_reading(e, snap, c->row, &y) != COND_TRUE)
                        continue;     /* neither counts up nor clears */
                if (!(y > c->trip)) { /* none: never above */
                        k->trip_count[i] = 0;
                        continue;
                }
                if (*binding < 0 || k->trip_count[i] + 1 >= TRIP_PERSIST)
                        *binding = (int)c->row;
                now++;
                if (k->trip_count[i] < TRIP_PERSIST)
                        k->trip_count[i]++;
                if (k->trip_count[i] >= TRIP_PERSIST)
                        persistent = true;
        }
        *any = now > 0;
        return persistent || now >= 2;
}

static size_t bad_readings(const struct safety_envelope *e, const struct safety_snapshot *snap, int *first)
{
        size_t n = 0;
        for (size_t i = 0; i < e->ncert; i++) {
                double y;
                if (interlock_reading(e, snap, e->cert[i].row, &y) == COND_TRUE)
                        continue;
                if (n++ == 0)
                        *first = (int)e->cert[i].row;
        }
        return n;
}

/* What is wrong with the proposal; DR_ACCEPTED = nothing. */
static enum decision_reason proposal_check(const struct safety_envelope *e, const struct safety_proposal *p)
{
        if (!p || !p->present)
                return DR_NO_PROPOSAL;
        if (p->malformed || !p->u)
                return DR_MALFORMED;
        for (size_t j = 0; j < e->nu; j++) {
                if (!isfinite(p->u[j]))
                        return DR_NOT_FINITE;
        }
        return p->in_distribution ? DR_ACCEPTED : DR_LOW_CONFIDENCE;
}

/* What the step means for the ladder; counts how long it has lasted. */
static enum ladder_input ladder_input(struct interlock *k, const struct safety_envelope *e, enum interlock_order order,
                                      bool clean)
{
        if (order == ORDER_HOLD) {
                k->clean_count = 0;
                if (k->hold_count >= e->hold_steps)
                        return LADDER_OVERDUE;
                k->hold_count++;
                return LADDER_NO_PLAN;
        }
        if (order >= ORDER_FALLBACK) {
                k->clean_count = 0;
                return LADDER_DEGRADED;
        }
        k->hold_count = 0;
        if (!clean || k->mode != LADDER_FALLBACK) {
                k->clean_count = 0;
                return clean ? LADDER_CLEAN : LADDER_UNCLEAN;
        }
        return ++k->clean_count < e->required_persist ? LADDER_CLEAN : LADDER_PROVEN; /* which leads out of FALLBACK */
}

/* The step's order and reason, by where the ladder stands after it. */
static struct interlock_result ladder(struct interlock *k, const struct safety_envelope *e, struct interlock_result r,
                                      bool clean)
{
        const enum ladder_input input = ladder_input(k, e, r.order, clean);

        k->mode = ladder_next(k->mode, input);
        if (k->mode != LADDER_FALLBACK)
                return r;
        if (r.order == ORDER_NORMAL) /* clean, or above a trip for one step */
                r.reason = DR_RECOVERING;
        if (r.order < ORDER_FALLBACK)
                r.order = ORDER_FALLBACK;
        return r;
}

struct interlock_result interlock_step(struct interlock *k, const struct safety_envelope *e,
                                       const struct safety_snapshot *snap, const struct safety_proposal *prop)
{
        struct interlock_result r = {ORDER_NORMAL, DR_ACCEPTED, -1};
        enum decision_reason bad_proposal = proposal_check(e, prop);
        int trip_row = -1, bad_row = -1;
        bool above = false;
        bool trip = trip_check(k, e, snap, &above, &trip_row);
        size_t bad = bad_readings(e, snap, &bad_row);
        k->seen = k->seen || bad < e->ncert;
        if (trip) {
                r = (struct interlock_result){ORDER_FULL, DR_TRIP, trip_row};
        } else if (snap->interlock) {
                r = (struct interlock_result){ORDER_FULL, DR_INTERLOCK, -1};
        } else if (bad == e->ncert && !k->seen) { /* at the start: nothing has been moved yet */
                r = (struct interlock_result){ORDER_HOLD, DR_SENSOR, bad_row};
        } else if ((double)bad > SAFETY_BAD_MAX * (double)e->ncert) {
                r = (struct interlock_result){ORDER_FALLBACK, DR_SENSOR, bad_row};
        } else if (bad_proposal != DR_ACCEPTED) {
                r = (struct interlock_result){ORDER_HOLD, bad_proposal, -1};
        }
        return ladder(k, e, r, r.order == ORDER_NORMAL && !above);
}
