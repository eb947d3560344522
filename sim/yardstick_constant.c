/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * b2s: the best constants in hindsight. One supply air temperature, one fan speed, one chilled and one condenser water
 * setpoint and one set of running chillers for the whole time, found on the very weather, load and seed they are judged
 * on. A pattern search: single coordinates, and the pairs that trade against each other along the inlet limit.
 *
 * A candidate is dropped as soon as an inlet passes 27 °C, and after any whole day on which it has used 0.3 % more than
 * the best so far had by then; the rest is run to its end. So the result is the best of what was tried, by its energy
 * over the whole time.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/yardstick.h"

#define HOPELESS 1.003
#define LEVELS 4
#define SEEN_MAX 2048

enum { SAT, FAN, CHWST, CWST, NX };

struct candidate {
        double x[NX];
        uint32_t chillers;
};

struct search {
        const struct plant *start;
        struct plant *plant;
        double warmup_h, hours;
        struct candidate best;
        double best_kwh, *best_by_day, *by_day; /* energy at the end of each day */
        size_t ndays;
        struct candidate seen[SEEN_MAX];
        size_t nseen;
        unsigned evaluations;
};

static const double step[NX] = {2.0, 0.1, 2.0, 2.0}; /* of the first level; each next is half */
static const double lo[NX] = {12.0, 0.3, 5.0, 14.0}, hi[NX] = {30.0, 1.0, 20.0, 32.0};
#define CWST_ECON_MIN_C 6.0
static const double moves[][NX] = {
    {1, 0, 0, 0}, {-1, 0, 0, 0},  {0, 1, 0, 0},  {0, -1, 0, 0},  {0, 0, 1, 0}, {0, 0, -1, 0},
    {0, 0, 0, 1}, {0, 0, 0, -1},  {1, 1, 0, 0},  {-1, -1, 0, 0}, {1, 0, 1, 0}, {-1, 0, -1, 0},
    {0, 1, 1, 0}, {0, -1, -1, 0}, {1, 0, -1, 0}, {-1, 0, 1, 0},
};
#define NMOVE (sizeof(moves) / sizeof(moves[0]))

static bool seen(struct search *s, const struct candidate *c)
{
        for (size_t i = 0; i < s->nseen; i++) {
                bool same = s->seen[i].chillers == c->chillers;

                for (size_t k = 0; same && k < NX; k++)
                        same = fabs(s->seen[i].x[k] - c->x[k]) < 1e-9;
                if (same)
                        return true;
        }
        if (s->nseen < SEEN_MAX)
                s->seen[s->nseen++] = *c;
        return false;
}

static void command(const struct search *s, const struct candidate *c, struct yard_command *ret)
{
        yard_command_uniform(plant_spec(s->start), c->x[SAT], c->x[FAN], c->x[CHWST], c->x[CWST], c->chillers, ret);
}

/* Total kWh, or NaN when it breaks a limit or is hopeless. */
static double evaluate(struct search *s, const struct candidate *c)
{
        struct yard_command cmd;
        struct plant_account a = {0};
        size_t day = 0;

        command(s, c, &cmd);
        plant_copy(s->plant, s->start);
        yard_hold(s->plant, &cmd, s->warmup_h);
        plant_account_reset(s->plant);
        s->evaluations++;
        for (double h = 0.0; h < s->hours - 1e-9;) {
                const double dh = fmin(1.0, s->hours - h);

                yard_hold(s->plant, &cmd, dh);
                h += dh;
                plant_account(s->plant, &a);
                if (!(a.max_inlet_c <= YARD_INLET_MAX_C) || a.hard_violations > 0)
                        return (double)NAN;
                if (h >= 24.0 * (double)(day + 1) - 1e-9) {
                        if (s->best_kwh < (double)INFINITY && a.total_kwh > HOPELESS * s->best_by_day[day])
                                return (double)NAN;
                        s->by_day[day++] = a.total_kwh;
                }
        }
        return a.total_kwh;
}

static bool try(struct search *s, const struct candidate *c)
{
        double kwh;

        if (seen(s, c))
                return false;
        kwh = evaluate(s, c);
        if (!(kwh < s->best_kwh))
                return false;
        s->best = *c;
        s->best_kwh = kwh;
        memcpy(s->best_by_day, s->by_day, s->ndays * sizeof(*s->by_day));
        return true;
}

/* Every set of up to four machines; of more, the present set with one switched. */
static bool try_chillers(struct search *s)
{
        const size_t n = plant_spec(s->start)->nchiller;
        const struct candidate from = s->best;
        bool better = false;

        for (uint32_t m = 0; m < (n <= 4 ? 1u << n : (uint32_t)n); m++) {
                struct candidate c = from;

                c.chillers = n <= 4 ? m : from.chillers ^ 1u << m;
                if (c.chillers != 0)
                        better |= try(s, &c);
        }
        return better;
}

static bool try_moves(struct search *s, double scale)
{
        bool better = false;

        for (size_t m = 0; m < NMOVE; m++) {
                bool again = true;

                while (again) { /* as far as it leads */
                        struct candidate c = s->best;

                        for (size_t k = 0; k < NX; k++) {
                                const double least =
                                    k == CWST && plant_spec(s->start)->economiser ? CWST_ECON_MIN_C : lo[k];

                                c.x[k] = fmin(fmax(c.x[k] + moves[m][k] * step[k] * scale, least), hi[k]);
                        }
                        again = try(s, &c);
                        better |= again;
                }
        }
        return better;
}

static int search(struct search *s, unsigned levels)
{
        const uint32_t all = (uint32_t)((UINT64_C(1) << plant_spec(s->start)->nchiller) - 1);
        const struct candidate first[] = {{{18.0, 0.9, 7.0, 24.0}, all}, {{20.0, 0.7, 9.0, 22.0}, all}};
        double scale = 1.0;

        for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
                (void)try(s, &first[i]);
        if (!(s->best_kwh < (double)INFINITY))
                return -ERANGE;
        for (unsigned level = 0; level < levels && level < LEVELS; level++) {
                bool better = true;

                while (better) {
                        better = try_chillers(s);
                        better |= try_moves(s, scale);
                }
                scale /= 2.0;
        }
        return 0;
}

int yard_constant_search(const struct plant *start, double warmup_h, double hours, unsigned levels,
                         struct yard_command *ret, unsigned *ret_evaluations)
{
        struct search *s = calloc(1, sizeof(*s));
        int r = -ENOMEM;

        if (s == NULL)
                return -ENOMEM;
        s->start = start;
        s->warmup_h = warmup_h;
        s->hours = hours;
        s->best_kwh = (double)INFINITY;
        s->ndays = (size_t)(hours / 24.0) + 1;
        s->by_day = calloc(s->ndays, sizeof(*s->by_day));
        s->best_by_day = calloc(s->ndays, sizeof(*s->best_by_day));
        if (s->by_day != NULL && s->best_by_day != NULL)
                r = plant_clone(start, &s->plant);
        if (r == 0)
                r = search(s, levels);
        if (r == 0) {
                command(s, &s->best, ret);
                *ret_evaluations = s->evaluations;
        }
        (void)plant_free(s->plant);
        free(s->by_day);
        free(s->best_by_day);
        free(s);
        return r;
}
