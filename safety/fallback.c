/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Trim and respond, after Guideline 36 in spirit: comfortable → trim toward what the plant runs on its own; near a
 * limit or blind → respond toward full cooling at the equipment's pace; in between → stay. Uses readings only.
 */
#include "safety/internal.h"

#include <math.h>

enum demand { DEMAND_TRIM, DEMAND_STAY, DEMAND_RESPOND };

static enum demand demand_of(const struct safety *s, const struct safety_snapshot *snap, const struct safety_y *c)
{
        double y, room = (double)INFINITY;
        if (interlock_reading(&s->env, snap, c->row, &y) != COND_TRUE)
                return DEMAND_RESPOND;
        if (!isnan(c->hi))
                room = c->hi - c->soft_k - y;
        else if (!isnan(c->trip))
                room = c->trip - y;
        if (s->row_lo[c - s->env.cert] && y <= c->lo)
                return DEMAND_RESPOND;
        if (room <= SAFETY_NEAR)
                return DEMAND_RESPOND;
        return room <= 2 * SAFETY_NEAR ? DEMAND_STAY : DEMAND_TRIM;
}

/* Worst demand over the outputs of group g; every output for a variable that belongs to none (the plant). */
static enum demand demand_of_group(const struct safety *s, const struct safety_snapshot *snap, size_t g)
{
        enum demand worst = DEMAND_TRIM;
        for (size_t i = 0; i < s->env.ncert; i++) {
                const struct safety_y *c = &s->env.cert[i];
                enum demand d;
                if (g != SAFETY_NO_GROUP && s->row_group[c->row] != g)
                        continue;
                d = demand_of(s, snap, c);
                if (d > worst)
                        worst = d;
        }
        return worst;
}

void fallback_action(const struct safety *s, const struct safety_snapshot *snap, bool full, double *want)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                const struct safety_u *u = &s->env.u[j];
                enum demand d = demand_of_group(s, snap, s->u_group[j]);
                double nominal = u->nominal;
                if (u->kind == SAFETY_U_ONOFF) { /* nothing is staged off while the model is not in use */
                        want[j] = full || d == DEMAND_RESPOND || nominal > 0 ? 1 : s->base[j];
                } else if (u->safe_dir == 0) {
                        want[j] = nominal;
                } else if (full) {
                        want[j] = limits_full(u);
                } else if (d == DEMAND_RESPOND) {
                        want[j] = limits_ramp(u, s->base[j]);
                } else if (limits_less_cooling(u, s->base[j], nominal)) {
                        double ramp = limits_ramp(u, s->base[j]);
                        want[j] = limits_less_cooling(u, ramp, nominal) ? ramp : nominal;
                } else {
                        want[j] = d == DEMAND_TRIM ? nominal : s->base[j];
                }
        }
}
