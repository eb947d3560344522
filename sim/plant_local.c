/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the PLCs do on their own, once a minute.
 *
 * FIXED (B0): conservative constants and one chiller more than the load needs.
 * TRIM_RESPOND (B2): Guideline 36-2021 in data-centre dress. Plant reset (§5.20.5.2): 15 min delay, every 5 min -2 %,
 * +3 % per request above two, at most +7 %, frozen after a stage change; requests from valves and supply air
 * (PlantRequests). Staging by part load and by the fail-safe (§5.20.4.15), 900 s hold. Fans of a room follow its
 * hottest inlet; its supply air is trimmed warmer until inlets or fans ask for colder; a room without any reading gets
 * FIXED's air. Condenser water follows the wet bulb. What the guideline does not give and `tuned` below holds was found
 * by a grid search on seeds 101-103; what trim_room and trim_water write as numbers (gains of the fans' PI, 0.1 K
 * warmer and 0.2 K colder per request every five minutes, requests from 0.5 and 1 K on, condenser water at most 27 °C,
 * at least 6 °C with an economiser) was set by hand and not searched.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define FIXED_SAT_C 18.0
#define FIXED_FAN 0.9
#define FIXED_CHWST_C 7.0
#define FIXED_CWST_C 24.0
#define FIXED_HOLD_S 1800.0

#define B2_CWST_MAX_C 27.0

#define RESET_DELAY_S 900.0
#define RESET_STEP_S 300.0
#define RESET_TRIM 0.02
#define RESET_RESPOND 0.03
#define RESET_MAX 0.07
#define RESET_IGNORED 2
#define STAGE_HOLD_S 900.0
#define STAGE_PERSIST_S 900.0
#define FAILSAFE_K 1.0

/*
 * From `coolplane-sim tune --controller b2`, which prints the whole grid: least total energy, 2 kWh for each chiller
 * start, with every inlet at 27 °C or less (the limit of b2s and b4 too) over four days (19 January, 20 April, 20 July,
 * 20 October), hall, seeds 101 to 103; one coordinate at a time and then the fan × water plane, again from what was
 * found until nothing changed. The limit does not bind: a warmer target costs more in server fans than the CRAHs save
 * (total at 25.5, 26, 26.25, 26.5 °C: +0.07, 0, +0.03, +0.06 %). A fan request below the fans' minimum always asks, so
 * the supply air stays at its coldest and the fans do the work; 0.42 costs 0.03 %.
 */
static const struct plant_local_tuning tuned = {
    .target_c = 26.0,
    .fan_request = 0.36,
    .stage_up = 0.8,
    .stage_down = 0.65,
    .chwst_max_c = 11.0,
    .approach_k = 5.5,
    .sat_max_c = 24.0,
    .sat_min_c = 17.0,
    .fan_min = 0.42,
    .cwst_min_c = 14.0,
};

/* With an economiser warmer water and a closer approach are worth more: with the values above chillers start 13 times
 * in two winter days that it could have spared. `coolplane-sim tune --economiser`, 139 points, finds nothing better. */
static const struct plant_local_tuning tuned_economiser = {
    .target_c = 26.0,
    .fan_request = 0.45,
    .stage_up = 0.8,
    .stage_down = 0.65,
    .chwst_max_c = 11.5,
    .approach_k = 5.0,
    .sat_max_c = 24.0,
    .sat_min_c = 17.0,
    .fan_min = 0.45,
    .cwst_min_c = 10.0,
};

static double cooling_load_w(const struct plant *p)
{
        const struct water *w = &p->water;

        return fmax(w->secondary_m3s * WATER_J_M3K * (w->return_c - w->supply_c), 0.0);
}

/* Of the smallest machine under the present conditions: staging by it errs toward one more. */
static double unit_capacity_w(const struct plant *p)
{
        double least = (double)INFINITY;

        for (size_t i = 0; i < p->spec.nchiller; i++)
                least = fmin(least, plant_chiller_capacity_w(p, i, p->water.chwst_sp_c, p->water.basin_c));
        return least;
}

static unsigned clamp_units(const struct plant *p, double n)
{
        return (unsigned)clampd(n, 1.0, (double)p->spec.nchiller);
}

static void stage_to(struct plant *p, unsigned n)
{
        struct stage *s = &p->stage;

        if (n == s->wanted)
                return;
        s->wanted = n;
        s->hold_s = STAGE_HOLD_S;
        s->up_s = s->down_s = s->hot_s = 0.0;
        s->reset_delay_s = RESET_DELAY_S; /* frozen while the stage settles */
}

/* Local machines are lead-lag in order; those a supervisor holds on count first, tripped ones never. */
static void order_chillers(struct plant *p)
{
        unsigned on = 0;

        for (size_t i = 0; i < p->spec.nchiller; i++)
                on += plant_lease_alive(p, &p->chiller[i].lease) && p->chiller[i].want && !p->chiller[i].tripped;
        for (size_t i = 0; i < p->spec.nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                if (plant_lease_alive(p, &c->lease))
                        continue;
                c->want = !c->tripped && on < p->stage.wanted;
                on += c->want;
        }
}

/* Starting values, and what a room falls back to that cannot be read: full enough for any load. */
static void fixed_room(struct room *rm)
{
        rm->sat_sp_c = FIXED_SAT_C;
        rm->fan_ratio = FIXED_FAN;
        rm->error_k = 0.0;
}

static void fixed_tick(struct plant *p)
{
        struct stage *s = &p->stage;
        const unsigned n = clamp_units(p, ceil(cooling_load_w(p) / (0.9 * unit_capacity_w(p))) + 1.0);

        for (size_t i = 0; i < p->spec.nroom; i++)
                fixed_room(&p->room[i]);
        s->down_s = n < s->wanted ? s->down_s + PLANT_TICK_S : 0.0;
        if (n > s->wanted || s->down_s >= FIXED_HOLD_S)
                stage_to(p, n);
        if (!plant_lease_alive(p, &p->water.lease)) {
                p->water.chwst_target_c = FIXED_CHWST_C;
                p->water.cwst_sp_c = FIXED_CWST_C;
        }
}

static void trim_stage(struct plant *p)
{
        struct stage *s = &p->stage;
        const double load = cooling_load_w(p), unit = unit_capacity_w(p);
        const double late_k = p->water.supply_sensor_c - p->water.chwst_sp_c;

        s->up_s = load > p->tuning.stage_up * unit * (double)s->wanted ? s->up_s + PLANT_TICK_S : 0.0;
        s->hot_s = late_k > FAILSAFE_K ? s->hot_s + PLANT_TICK_S : 0.0;
        s->down_s = s->wanted > 1 && load < p->tuning.stage_down * unit * (double)(s->wanted - 1) && late_k < FAILSAFE_K
                        ? s->down_s + PLANT_TICK_S
                        : 0.0;
        s->hold_s = fmax(s->hold_s - PLANT_TICK_S, 0.0);
        if (s->hold_s > 0.0)
                return;
        if (s->up_s >= STAGE_PERSIST_S || s->hot_s >= STAGE_PERSIST_S)
                stage_to(p, clamp_units(p, (double)s->wanted + 1.0));
        else if (s->down_s >= STAGE_PERSIST_S)
                stage_to(p, s->wanted - 1);
}

static unsigned water_requests(const struct plant *p)
{
        unsigned n = 0;

        for (size_t i = 0; i < p->spec.ncrah; i++) {
                const struct crah *c = &p->crah[i];

                n += c->hot_s[1] >= 120.0 ? 3 : c->hot_s[0] >= 120.0 ? 2 : c->valve_request ? 1 : 0;
        }
        return n;
}

static void trim_water(struct plant *p)
{
        struct stage *s = &p->stage;
        struct water *w = &p->water;

        if (s->reset_delay_s > 0.0) {
                s->reset_delay_s -= PLANT_TICK_S;
        } else {
                s->reset_age_s += PLANT_TICK_S;
        }
        if (s->reset_age_s >= RESET_STEP_S) {
                const unsigned n = water_requests(p);
                const double asked = n > RESET_IGNORED ? (double)(n - RESET_IGNORED) * RESET_RESPOND : 0.0;

                s->reset_age_s = 0.0;
                s->reset_ratio = clampd(s->reset_ratio - RESET_TRIM + fmin(asked, RESET_MAX), 0.0, 1.0);
        }
        if (plant_lease_alive(p, &w->lease))
                return;
        w->chwst_target_c = p->tuning.chwst_max_c - s->reset_ratio * (p->tuning.chwst_max_c - FIXED_CHWST_C);
        w->cwst_sp_c = clampd(p->now.wetbulb_c + p->tuning.approach_k, p->tuning.cwst_min_c, B2_CWST_MAX_C);
}

/* The hottest reading of a room decides its fans (PI, every minute) and its supply air (trim and respond, every 5). */
static void trim_room(struct plant *p, struct room *rm)
{
        double hot_c = -(double)INFINITY, e, requests;

        for (size_t k = 0; k < rm->nrack; k++)
                if (isfinite(plant_inlet_reading_c(p, rm->rack0 + k)))
                        hot_c = fmax(hot_c, plant_inlet_reading_c(p, rm->rack0 + k));
        if (!isfinite(hot_c)) {
                fixed_room(rm);
                return;
        }
        e = hot_c - p->tuning.target_c;
        rm->fan_ratio = clampd(rm->fan_ratio + 0.04 * (e - rm->error_k) + 0.008 * e, p->tuning.fan_min, 1.0);
        rm->error_k = e;
        if (p->minute % 5 != 0)
                return;
        requests = e > 1.0 ? 3.0 : e > 0.5 ? 2.0 : rm->fan_ratio > p->tuning.fan_request ? 1.0 : 0.0;
        rm->sat_sp_c += requests > 0.0 ? -0.2 * requests : 0.1;
        rm->sat_sp_c = clampd(rm->sat_sp_c, p->tuning.sat_min_c, p->tuning.sat_max_c);
}

void plant_local_reset(struct plant *p)
{
        p->tuning = p->spec.economiser ? tuned_economiser : tuned;
        p->stage =
            (struct stage){.wanted = (unsigned)p->spec.nchiller, .reset_ratio = 1.0, .reset_delay_s = RESET_DELAY_S};
        for (size_t i = 0; i < p->spec.nroom; i++)
                fixed_room(&p->room[i]);
}

void plant_local_tick(struct plant *p)
{
        if (p->local == PLANT_LOCAL_FIXED) {
                fixed_tick(p);
        } else {
                for (size_t i = 0; i < p->spec.nroom; i++)
                        trim_room(p, &p->room[i]);
                trim_stage(p);
                trim_water(p);
        }
        order_chillers(p);
}

void plant_set_local(struct plant *p, enum plant_local strategy)
{
        if (p->local == strategy)
                return;
        p->local = strategy;
        p->stage.reset_ratio = 1.0;
        p->stage.reset_delay_s = RESET_DELAY_S;
        p->stage.up_s = p->stage.down_s = p->stage.hot_s = 0.0;
}

struct plant_local_tuning *plant_local_tuning(struct plant *p)
{
        return &p->tuning;
}
