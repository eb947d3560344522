/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/advice.h"

#include <math.h>

const char *advice_answer_str(enum advice_answer a)
{
        static const char *const name[] = {"none", "accepted", "rejected", "ignored"};

        return (unsigned)a < ADVICE_ANSWERS ? name[a] : "none";
}

double advice_band(const struct safety_u *u)
{
        if (u->kind == SAFETY_U_ONOFF)
                return 0.5;
        const double least = fmax(u->dead_band, u->step * (1 - 1e-6)); /* one count is as little as may be moved */

        return least > 0 ? least : 1e-3;
}

static int direction(double band, double action, double in_force)
{
        return action - in_force >= band ? 1 : action - in_force <= -band ? -1 : 0; /* NaN: 0 */
}

/* What the operator did since advice began to stand. */
static enum advice_answer answer(struct advice *a, int64_t t_ms, double band, double in_force)
{
        const double moved = a->dir * (in_force - a->from);
        const bool late = a->ignored;

        if (fabs(moved) >= band) {
                *a = (struct advice){0};
                return late ? ADVICE_NONE : moved > 0 ? ADVICE_ACCEPTED : ADVICE_REJECTED;
        }
        if (late || t_ms - a->since_ms < ADVICE_TIMEOUT_MS)
                return ADVICE_NONE;
        a->ignored = true;
        return ADVICE_IGNORED;
}

enum advice_answer advice_step(struct advice *a, int64_t t_ms, double band, double action, double in_force)
{
        const int dir = direction(band, action, in_force);
        enum advice_answer is = ADVICE_NONE;

        if (!isfinite(in_force) || (a->dir != 0 && (t_ms < a->held_ms || t_ms - a->held_ms > ADVICE_AFTER_MS)))
                *a = (struct advice){0};
        if (!isfinite(in_force))
                return ADVICE_NONE;
        if (a->stands)
                is = answer(a, t_ms, band, in_force);
        if (a->dir == 0 || dir == -a->dir) /* what water setpoints ask for is there in the slow steps only: 0 is none */
                *a = (struct advice){.dir = dir, .since_ms = t_ms, .held_ms = t_ms};
        if (dir != a->dir)
                return is;
        a->held_ms = t_ms;
        if (!a->stands && dir != 0 && t_ms - a->since_ms >= ADVICE_AFTER_MS) {
                a->stands = true;
                a->since_ms = t_ms;
                a->from = in_force;
        }
        return is;
}
