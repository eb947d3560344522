/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * b4: a receding horizon over the plant itself. Every half hour it copies the plant, state, coming weather, coming load
 * and noise included, and tries commands near the present one by holding each for two hours in the copy: supply air and
 * fans of all rooms and of each room, both water setpoints, and every hour the sets of chillers. What improves is kept;
 * a trial ends early when it can no longer be the best or is behind the best one's own course after an hour. What it
 * saves no controller that must forecast can be expected to save without moving VMs; it is no product, and as a local
 * search no proof of the optimum either. Measured when it was made (hall, Seattle, a summer day of 14735 kWh): horizons
 * of 1 and 3 h cost 4.4 and 2.1 kWh more; smaller moves or each CRAH by itself gain nothing. Deciding each quarter of
 * an hour and ending no trial early takes 2.4 times the processor time and 0.6 kWh a day less (built-in weather, two
 * summer and two winter days, 8.1 to 13.4 kWh under b2).
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/yardstick.h"

#define DECIDE_H 0.5
#define HORIZON_H 2.0
#define PARTS 4  /* of the horizon, after each of which a trial may end */
#define BEHIND 1 /* the first part after which being behind ends it: it takes an hour for the water to follow */
#define TOO_WARM_KWH 1e6
#define SCALES 3

struct yard_oracle {
        struct plant *ahead;
        struct yard_command now;
        double stored_cost;   /* kWh of electricity that a kWh of heat left in water and air at the end will cost */
        double until_h;       /* next decision, hours from now */
        double course[PARTS]; /* cost of the best command so far after each part, kWh */
        unsigned decisions, evaluations;
};

int yard_oracle_create(const struct plant *p, const struct yard_command *first, struct yard_oracle **ret)
{
        struct yard_oracle *o = calloc(1, sizeof(*o));

        if (o == NULL)
                return -ENOMEM;
        o->now = *first;
        if (plant_clone(p, &o->ahead) < 0) {
                free(o);
                return -ENOMEM;
        }
        *ret = o;
        return 0;
}

struct yard_oracle *yard_oracle_free(struct yard_oracle *o)
{
        if (o != NULL)
                (void)plant_free(o->ahead);
        free(o);
        return NULL;
}

unsigned yard_oracle_evaluations(const struct yard_oracle *o)
{
        return o->evaluations;
}

/* Tries a command over the horizon and keeps it if it is better than the best, or if nothing was tried before. */
static bool try(struct yard_oracle *o, const struct plant *p, const struct yard_command *c, bool first)
{
        struct plant_account a;
        double course[PARTS];

        plant_copy(o->ahead, p);
        plant_account_reset(o->ahead);
        o->evaluations++;
        for (size_t k = 0; k < PARTS; k++) {
                yard_hold(o->ahead, c, HORIZON_H / PARTS);
                plant_account(o->ahead, &a);
                course[k] = a.total_kwh + o->stored_cost * a.stored_kwh + TOO_WARM_KWH * (double)a.hard_violations;
                if (a.max_inlet_c > YARD_INLET_MAX_C)
                        course[k] += TOO_WARM_KWH * (1.0 + a.max_inlet_c - YARD_INLET_MAX_C);
                if (!first && (course[k] >= o->course[PARTS - 1] || (k >= BEHIND && course[k] >= o->course[k])))
                        return false;
        }
        memcpy(o->course, course, sizeof(course));
        o->now = *c;
        return true;
}

/* What the chillers take for a unit of heat, as they run now. */
static void present_cost(struct yard_oracle *o, const struct plant *p)
{
        struct plant_account a;

        plant_copy(o->ahead, p);
        plant_account_reset(o->ahead);
        yard_hold(o->ahead, &o->now, DECIDE_H);
        plant_account(o->ahead, &a);
        o->stored_cost = a.chiller_kwh / (a.it_kwh + a.it_fan_kwh);
}

static double within(double v, double lo, double hi)
{
        return fmin(fmax(v, lo), hi);
}

/* CRAHs first … last − 1, and chilled water with them. */
static bool try_air(struct yard_oracle *o, const struct plant *p, size_t first, size_t last, double chw_k, double dk,
                    double df)
{
        struct yard_command c = o->now;

        c.chwst_c = within(c.chwst_c + chw_k, 5.0, 20.0);
        for (size_t i = first; i < last; i++) {
                c.sat_c[i] = within(c.sat_c[i] + dk, 12.0, 30.0);
                c.fan_ratio[i] = within(c.fan_ratio[i] + df, 0.3, 1.0);
        }
        return try(o, p, &c, false);
}

static bool try_water(struct yard_oracle *o, const struct plant *p, double chw_k, double cw_k)
{
        struct yard_command c = o->now;

        c.chwst_c = within(c.chwst_c + chw_k, 5.0, 20.0);
        c.cwst_c = within(c.cwst_c + cw_k, plant_spec(p)->economiser ? 6.0 : 14.0, 32.0);
        return try(o, p, &c, false);
}

static void try_chillers(struct yard_oracle *o, const struct plant *p)
{
        const size_t n = plant_spec(p)->nchiller;
        const uint32_t from = o->now.chillers;

        for (uint32_t m = 1; m < (n <= 4 ? 1u << n : (uint32_t)n + 1u); m++) {
                struct yard_command c = o->now;

                c.chillers = n <= 4 ? m : from ^ 1u << (m - 1u);
                if (c.chillers != from && c.chillers != 0)
                        (void)try(o, p, &c, false);
        }
}

static void try_air_moves(struct yard_oracle *o, const struct plant *p, size_t first, size_t last, double scale)
{
        static const double move[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}};

        for (size_t k = 0; k < sizeof(move) / sizeof(move[0]); k++)
                while (try_air(o, p, first, last, 0.0, scale * move[k][0], 0.06 * scale * move[k][1]))
                        ;
}

static size_t first_crah(const struct plant_spec *s, size_t room)
{
        return (room * s->ncrah + s->nroom - 1) / s->nroom;
}

static void decide(struct yard_oracle *o, const struct plant *p)
{
        static const double scale[SCALES] = {1.0, 0.5, 0.25};
        static const double all_move[][3] = {{0, 1, 1}, {0, -1, -1}, {1, 1, 0},  {-1, -1, 0},
                                             {1, 0, 1}, {-1, 0, -1}, {1, -1, 0}, {-1, 1, 0}};
        static const double water_move[][2] = {{1, 0}, {-1, 0}, {0, 2}, {0, -2}};
        const double s = scale[o->decisions % SCALES];
        const struct plant_spec *spec = plant_spec(p);
        const struct yard_command present = o->now;

        present_cost(o, p);
        (void)try(o, p, &present, true);
        if (o->decisions++ % 2 == 0)
                try_chillers(o, p);
        for (size_t k = 0; k < sizeof(water_move) / sizeof(water_move[0]); k++)
                while (try_water(o, p, s * water_move[k][0], s * water_move[k][1]))
                        ;
        for (size_t k = 0; k < sizeof(all_move) / sizeof(all_move[0]); k++)
                while (try_air(o, p, 0, spec->ncrah, s * all_move[k][0], s * all_move[k][1], 0.06 * s * all_move[k][2]))
                        ;
        for (size_t room = 0; room < spec->nroom; room++)
                try_air_moves(o, p, first_crah(spec, room), first_crah(spec, room + 1), s);
}

const struct yard_command *yard_oracle_command(struct yard_oracle *o, const struct plant *p, double hours)
{
        if (o->until_h <= 1e-9) {
                decide(o, p);
                o->until_h = DECIDE_H;
        }
        o->until_h -= hours;
        return &o->now;
}

void yard_oracle_advance(struct yard_oracle *o, struct plant *p, double hours)
{
        while (hours > 1e-9) {
                const double dh = fmin(hours, o->until_h <= 1e-9 ? DECIDE_H : o->until_h);

                yard_hold(p, yard_oracle_command(o, p, dh), dh);
                hours -= dh;
        }
}
