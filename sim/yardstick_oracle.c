/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * b4: a receding horizon over the plant itself. Every 15 minutes it copies the plant, state, coming weather, coming
 * load and noise included, and tries commands near the present one by holding each for two hours in the copy: supply
 * air and fans of all rooms and of each room, both water setpoints, and every hour the sets of chillers. What improves
 * is kept. What it saves no controller that must forecast can be expected to save without moving VMs; it is no product,
 * and as a local search no proof of the optimum either. Measured (hall, Seattle, a summer day, 14735.1 kWh against
 * 14752.5 of b2): horizons of 1 and 3 h give 14739.5 and 14737.2, smaller moves 14735.1, each CRAH by itself 14735.4.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim/yardstick.h"

#define DECIDE_H 0.25
#define HORIZON_H 2.0
#define TOO_WARM_KWH 1e6
#define SCALES 3

struct yard_oracle {
        struct plant *ahead;
        struct yard_command now;
        double stored_cost; /* kWh of electricity that a kWh of heat left in water and air at the end will cost */
        double until_h;     /* next decision, hours from now */
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

static double cost(struct yard_oracle *o, const struct plant *p, const struct yard_command *cmd)
{
        struct plant_account a;
        double kwh;

        plant_copy(o->ahead, p);
        plant_account_reset(o->ahead);
        yard_hold(o->ahead, cmd, HORIZON_H);
        plant_account(o->ahead, &a);
        o->evaluations++;
        kwh = a.total_kwh + o->stored_cost * a.stored_kwh;
        if (a.max_inlet_c > YARD_INLET_MAX_C)
                kwh += TOO_WARM_KWH * (1.0 + a.max_inlet_c - YARD_INLET_MAX_C);
        return kwh + TOO_WARM_KWH * (double)a.hard_violations;
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

static bool try(struct yard_oracle *o, const struct plant *p, const struct yard_command *c, double *best)
{
        const double kwh = cost(o, p, c);

        if (!(kwh < *best))
                return false;
        *best = kwh;
        o->now = *c;
        return true;
}

static double within(double v, double lo, double hi)
{
        return fmin(fmax(v, lo), hi);
}

/* CRAHs first … last − 1, and chilled water with them. */
static bool try_air(struct yard_oracle *o, const struct plant *p, size_t first, size_t last, double chw_k, double dk,
                    double df, double *best)
{
        struct yard_command c = o->now;

        c.chwst_c = within(c.chwst_c + chw_k, 5.0, 20.0);
        for (size_t i = first; i < last; i++) {
                c.sat_c[i] = within(c.sat_c[i] + dk, 12.0, 30.0);
                c.fan_ratio[i] = within(c.fan_ratio[i] + df, 0.3, 1.0);
        }
        return try(o, p, &c, best);
}

static bool try_water(struct yard_oracle *o, const struct plant *p, double chw_k, double cw_k, double *best)
{
        struct yard_command c = o->now;

        c.chwst_c = within(c.chwst_c + chw_k, 5.0, 20.0);
        c.cwst_c = within(c.cwst_c + cw_k, plant_spec(p)->economiser ? 6.0 : 14.0, 32.0);
        return try(o, p, &c, best);
}

static void try_chillers(struct yard_oracle *o, const struct plant *p, double *best)
{
        const size_t n = plant_spec(p)->nchiller;
        const uint32_t from = o->now.chillers;

        for (uint32_t m = 1; m < (n <= 4 ? 1u << n : (uint32_t)n + 1u); m++) {
                struct yard_command c = o->now;

                c.chillers = n <= 4 ? m : from ^ 1u << (m - 1u);
                if (c.chillers != from && c.chillers != 0)
                        (void)try(o, p, &c, best);
        }
}

static void try_air_moves(struct yard_oracle *o, const struct plant *p, size_t first, size_t last, double scale,
                          double *best)
{
        static const double move[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}};

        for (size_t k = 0; k < sizeof(move) / sizeof(move[0]); k++)
                while (try_air(o, p, first, last, 0.0, scale * move[k][0], 0.06 * scale * move[k][1], best))
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
        double best;

        present_cost(o, p);
        best = cost(o, p, &o->now);
        if (o->decisions++ % 4 == 0)
                try_chillers(o, p, &best);
        for (size_t k = 0; k < sizeof(water_move) / sizeof(water_move[0]); k++)
                while (try_water(o, p, s * water_move[k][0], s * water_move[k][1], &best))
                        ;
        for (size_t k = 0; k < sizeof(all_move) / sizeof(all_move[0]); k++)
                while (try_air(o, p, 0, spec->ncrah, s * all_move[k][0], s * all_move[k][1], 0.06 * s * all_move[k][2],
                               &best))
                        ;
        for (size_t room = 0; room < spec->nroom; room++)
                try_air_moves(o, p, first_crah(spec, room), first_crah(spec, room + 1), s, &best);
}

void yard_oracle_advance(struct yard_oracle *o, struct plant *p, double hours)
{
        while (hours > 1e-9) {
                double dh;

                if (o->until_h <= 1e-9) {
                        decide(o, p);
                        o->until_h = DECIDE_H;
                }
                dh = fmin(hours, o->until_h);
                yard_hold(p, &o->now, dh);
                o->until_h -= dh;
                hours -= dh;
        }
}
