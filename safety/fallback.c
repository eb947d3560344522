/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Trim and respond, after Guideline 36 in spirit, from readings only. A room (for the plant: every room) asks for
 *   trim     every reading is more than 2 K below the soft limit (hi − soft_k): toward what the plant runs on its
 *            own, by one rate a step;
 *   stay     below the soft limit, or a reading is missing: not less cooling than now, and toward what the plant runs
 *            on its own where that cools more;
 *   respond  at the soft limit one rate a step toward full cooling, and one more for every K above it; all units on
 *            from two on. Slow variables on the slow step;
 *   full     within 1 K of the hard limit: full cooling at once.
 * Where more than SAFETY_BAD_MAX of the readings are missing: at least what the plant runs on its own, at once, and one
 * rate more a step.
 */
#include "safety/internal.h"

#include <math.h>

#define DEMAND_FULL ((double)INFINITY)

struct demand {
        double rates; /* toward more cooling; −1 = trim */
        bool blind;
};

static double demand_of(const struct safety_y *c, double y)
{
        double hard = isnan(c->hi) ? c->trip : c->hi, soft = isnan(c->hi) ? hard : hard - c->soft_k;
        if (y >= hard - SAFETY_NEAR)
                return DEMAND_FULL;
        if (y >= soft)
                return 1 + floor((y - soft) / SAFETY_NEAR);
        return y >= soft - 2 * SAFETY_NEAR ? 0 : -1;
}

/* Worst demand over the outputs of group g; every output for a variable that belongs to none (the plant). */
static struct demand demand_of_group(const struct safety *s, const struct safety_snapshot *snap, size_t g)
{
        struct demand worst = {-1, false};
        size_t n = 0, lost = 0;
        for (size_t i = 0; i < s->env.ncert; i++) {
                const struct safety_y *c = &s->env.cert[i];
                double y;
                if (g != SAFETY_NO_GROUP && s->row_group[c->row] != g)
                        continue;
                n++;
                if (interlock_reading(&s->env, snap, c->row, &y) == COND_TRUE)
                        worst.rates = fmax(worst.rates, demand_of(c, y));
                else
                        lost++;
        }
        worst.blind = (double)lost > SAFETY_BAD_MAX * (double)n;
        if (lost > 0)
                worst.rates = fmax(worst.rates, 0); /* respond() asks whether it is blind first */
        return worst;
}

static double respond(const struct safety_u *u, struct demand d, double base, bool slow_step)
{
        double step = u->rate > 0 ? u->rate : u->backup_rate, full = limits_full(u, base);
        double to = base + u->safe_dir * fmax(d.rates, 1) * step;
        if (limits_less_cooling(u, full, to))
                to = full;
        if (d.blind)
                return limits_more_of(u, u->nominal, u->fast || slow_step ? to : base);
        if (d.rates > 0 && (u->fast || slow_step))
                return to;
        if (limits_less_cooling(u, base, u->nominal))
                return !u->fast && !slow_step ? base : limits_less_cooling(u, to, u->nominal) ? to : u->nominal;
        return d.rates < 0 ? u->nominal : base;
}

void fallback_action(const struct safety *s, const struct safety_snapshot *snap, bool full, double *want)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                const struct safety_u *u = &s->env.u[j];
                struct demand d = demand_of_group(s, snap, s->u_group[j]);
                if (u->kind == SAFETY_U_ONOFF) /* nothing is staged off while the model is not in use */
                        want[j] = full || d.rates >= 2 || u->nominal > 0 ? 1 : s->base[j];
                else if (u->safe_dir == 0)
                        want[j] = u->nominal;
                else
                        want[j] = full || d.rates >= DEMAND_FULL ? limits_full(u, s->base[j])
                                                                 : respond(u, d, s->base[j], snap->slow_step);
        }
}
