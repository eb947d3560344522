/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What may reach an actuator, judged apart from safety/: no code is shared with what is being tested. */
#include "sim/certify.h"

#include <math.h>
#include <time.h>

#define ROUNDING 1e-9

static bool on_grid(const struct safety_u *u, double v)
{
        double k = u->step > 0 ? round((v - u->origin) / u->step) : 0;

        return u->step == 0 || fabs(u->origin + k * u->step - v) <= ROUNDING * (1 + fabs(v));
}

/* First and last value of the box that the register has. */
static double end(const struct safety_u *u, bool upper)
{
        double k = u->step > 0 ? ((upper ? u->hi : u->lo) - u->origin) / u->step : 0;

        if (u->step == 0)
                return upper ? u->hi : u->lo;
        return u->origin + u->step * (upper ? floor(k + ROUNDING) : ceil(k - ROUNDING));
}

/* The plant has it beyond the box, and going there would not be more cooling: it may stay, and nothing is written. */
static bool beyond(const struct safety_u *u, double was)
{
        return (u->safe_dir <= 0 && was < end(u, false)) || (u->safe_dir >= 0 && was > end(u, true));
}

/* One rate toward less cooling, either way without a direction, and what rounding adds: one count without a direction,
 * else what a read-back is off the grid; and what a single-precision register rounds: a value that is a bound but for
 * that is the bound (SAFETY_FLOAT in safety/internal.h). */
static bool over_rate(const struct safety_u *u, double v, double was)
{
        const double single = 1e-7 * (1 + fabs(was));

        if (u->safe_dir == 0)
                return !(fabs(v - was) <= u->rate + 1.001 * u->step + single);
        return !(u->safe_dir * (v - was) >= -(u->rate * (1 + ROUNDING) + 2e-3 * u->step + single));
}

uint64_t certify_judge_value(const struct safety_u *u, double v, double was, struct certify_illegal *n)
{
        const bool finite = isfinite(v), box = v >= u->lo && v <= u->hi,
                   rate = u->kind == SAFETY_U_CONTINUOUS && over_rate(u, v, was);

        if (u->kind == SAFETY_U_CONTINUOUS && v == was && beyond(u, was))
                return 0;
        n->not_finite += !finite;
        n->box += !box;
        n->rate += rate;
        n->grid += finite && !on_grid(u, v);
        return !finite || !box || rate || !on_grid(u, v);
}

uint64_t certify_judge_unit(const struct safety_u *u, double v, double now_s, struct certify_automaton *q,
                            struct certify_illegal *n)
{
        const size_t kept = sizeof(q->start_s) / sizeof(q->start_s[0]);
        const bool on = v >= 0.5;
        bool bad;

        if (on == q->on)
                return 0;
        bad = now_s - q->since_s < (on ? u->min_off_s : u->min_on_s);
        if (on) {
                unsigned in_hour = 0;

                q->start_s[q->starts++ % kept] = now_s;
                for (size_t i = 0; i < kept && i < q->starts; i++)
                        in_hour += now_s - q->start_s[i] < 3600;
                bad = bad || in_hour > u->max_starts_per_h;
        }
        q->on = on;
        q->since_s = now_s;
        n->automaton += bad;
        return bad;
}

void certify_illegal_add(struct certify_illegal *sum, const struct certify_illegal *n)
{
        sum->not_finite += n->not_finite;
        sum->box += n->box;
        sum->rate += n->rate;
        sum->grid += n->grid;
        sum->automaton += n->automaton;
}

bool certify_illegal_any(const struct certify_illegal *n)
{
        return n->not_finite || n->box || n->rate || n->grid || n->automaton;
}

double certify_clock_s(bool processor)
{
        struct timespec t;

        (void)clock_gettime(processor ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void certify_time_merge(struct certify_time *sum, const struct certify_time *t)
{
        sum->sum_s += t->sum_s;
        sum->max_s = fmax(sum->max_s, t->max_s);
        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++)
                sum->bin[k] += t->bin[k];
}

void certify_time_add(struct certify_time *t, double s)
{
        double at = 8 * log2(fmax(s, 1e-6) / 1e-6);

        t->sum_s += s;
        t->max_s = fmax(t->max_s, s);
        t->bin[(size_t)fmin(at, CERTIFY_TIME_BINS - 1)]++;
}

double certify_time_quantile(const struct certify_time *t, double q)
{
        double all = 0, below = 0;

        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++)
                all += t->bin[k];
        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++) {
                below += t->bin[k];
                if (below > 0 && below >= q * all)
                        return 1e-6 * exp2((double)(k + 1) / 8);
        }
        return 0;
}
