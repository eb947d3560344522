/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Slow plan: a grid of joint named moves (chilled water × condenser water × one chiller off or on), scored by the
 * energy ensemble's pessimistic estimate, inside valve headroom, capacity and the data's neighbourhood.
 */
#include "models/plan/plan_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALVE_SHARE (1 / 12.0)  /* of all valves' weights: what the widest alone, above its limit, costs here */
#define TOWER_EXPONENT 3.0      /* of tower fan power over 1/approach: fan cubes */
#define STAGING_MIN_S 1800.0    /* after a change of the running set: before a stop, and before a start at least … */
#define STAGING_MAX_S 86400.0   /* … and at most, where starts took stops back again and again */
#define STAGING_CALM_S 172800.0 /* … shorter by half after so long without */
#define STAGING_SETTLE_S 900.0  /* after a start: before fewer running than asked for means that one has tripped … */
#define STAGING_WARM_K 1.0      /* … if chilled water is so far above its setpoint */
#define STAGING_VAIN_S 3600.0   /* a machine that did not switch when asked is not asked again */
#define GAIN_MIN_RATIO 0.001    /* of plant power: below it a move is noise */
#define STAGING_GAIN_RATIO 0.03
#define VALVE_LOWER_ABOVE 0.9
#define INLET_OVER_K 0.3     /* an inlet so far above its target asks for colder water, as a wide valve does */
#define WATER_SETTLE_S 900.0 /* until valves and inlets show what warmer water, or another chiller, did to them */

static const double chw_step_k[] = {0.0, -1.0, -0.5, 0.5, 1.0};
static const double cw_step_k[] = {0.0, -1.0, -0.5, 0.5, 1.0};

double plan_valve_now(const struct plan *p)
{
        const size_t n = p->lag_max < 4 ? p->lag_max : 4;
        double widest = (double)NAN;

        for (size_t a = 0; a < p->npy; a++) {
                double sum = 0.0;
                if (p->y[a].kind != PLAN_Y_VALVE)
                        continue;
                for (size_t r = p->lag_max - n; r < p->lag_max; r++)
                        sum += *plan_y_at(p, r, p->y[a].row);
                if (isfinite(sum) && !(sum / (double)n <= widest))
                        widest = sum / (double)n;
        }
        return widest;
}

static double valve_limit(const struct plan *p)
{
        double limit = 1.0;
        for (size_t a = 0; a < p->npy; a++)
                if (p->y[a].kind == PLAN_Y_VALVE && p->y[a].target_max < limit)
                        limit = p->y[a].target_max;
        return limit;
}

struct energy_sample plan_sample_with(const struct plan *p, const struct energy_sample *plant, const double *u)
{
        struct energy_sample s = *plant;
        double fan = 0.0, fan_now = 0.0, rated = 0.0, chw = 0.0, cw = 0.0, on = 0.0, on_now = 0.0;
        size_t nchw = 0, ncw = 0, nchiller = 0;

        for (size_t j = 0; j < p->nu; j++) {
                switch (p->u[j].kind) {
                case PLAN_U_FAN:
                        fan += p->u[j].rated_w * u[j] * u[j] * u[j];
                        fan_now += p->u[j].rated_w * p->now[j] * p->now[j] * p->now[j];
                        rated += p->u[j].rated_w;
                        break;
                case PLAN_U_CHWST:
                        chw += u[j] - p->now[j];
                        nchw++;
                        break;
                case PLAN_U_CWST:
                        cw += u[j] - p->now[j];
                        ncw++;
                        break;
                case PLAN_U_CHILLER:
                        on += u[j] > 0.5;
                        on_now += p->now[j] > 0.5;
                        nchiller++;
                        break;
                case PLAN_U_SAT:
                        break;
                }
        }
        /* What is set moves the measured state by the difference: setpoints and measurements keep their offset. */
        if (rated > 0.0) {
                s.fan_ratio_cubed += (fan - fan_now) / rated;
                s.heat_w += fan - fan_now;
        }
        if (nchw)
                s.chwst_c += chw / (double)nchw;
        if (ncw)
                s.cwst_c += cw / (double)ncw;
        if (nchiller)
                s.chillers_on += on - on_now;
        return s;
}

struct staging {
        double running_w, heat_w;
        size_t nrunning;
        size_t off, on; /* variable to switch; SIZE_MAX = none */
        bool short_of_capacity, may_stop, may_start;
};

static uint64_t slow_steps(const struct plan *p, double s)
{
        return (uint64_t)fmax(1.0, ceil(s / p->args.slow_step_s));
}

/* A start wears a machine, and a model that errs both ways would switch for ever: a start for economy as soon as it may
 * after a stop doubles the wait of the next one, two days without such a start halve it. Capacity waits for nothing. */
void plan_observe_staging(struct plan *p, const struct plan_input *in)
{
        struct plan_staging *s = &p->staging;
        const uint64_t least = slow_steps(p, STAGING_MIN_S), most = slow_steps(p, STAGING_MAX_S);
        bool on = false, off = false;

        for (size_t j = 0; j < p->nu; j++) {
                const bool now = in->u_now[j] > 0.5;
                if (p->u[j].kind != PLAN_U_CHILLER || !isfinite(in->u_now[j]))
                        continue;
                on = on || (s->seen && now && !(p->was[j] > 0.5));
                off = off || (s->seen && !now && p->was[j] > 0.5);
                if (s->asked == j && in->followed && now == (p->was[j] > 0.5))
                        p->vain_until[j] = (double)(p->slow_count + slow_steps(p, STAGING_VAIN_S));
                p->was[j] = in->u_now[j];
        }
        if (s->wait < least)
                s->wait = least;
        if (on && s->asked_economy && s->changed_once && !s->last_on && p->slow_count - s->changed <= s->wait + least) {
                s->wait = 2 * s->wait < most ? 2 * s->wait : most;
                s->lengthened = p->slow_count;
        } else if (p->slow_count - s->lengthened >= slow_steps(p, STAGING_CALM_S)) {
                s->wait = s->wait / 2 > least ? s->wait / 2 : least;
                s->lengthened = p->slow_count;
        }
        if (on || off) {
                s->changed = p->slow_count;
                s->changed_once = true;
                s->last_on = on;
        }
        s->seen = true;
        s->asked = SIZE_MAX;
        s->asked_economy = s->waits = false;
}

static void ask(struct plan *p, size_t chiller, bool economy)
{
        p->staging.asked = chiller;
        p->staging.asked_economy = economy;
}

static bool is_vain(const struct plan *p, size_t j)
{
        return (double)p->slow_count < p->vain_until[j];
}

/* Machines that were asked to run and, as their statuses and the water that stays warm say, do not: they tripped. One
 * that only idles, as beside an economiser, leaves the water where it should be. */
static double missing_chillers(const struct plan *p, const struct energy_sample *plant)
{
        const bool starting =
            p->staging.last_on && p->slow_count - p->staging.changed < slow_steps(p, STAGING_SETTLE_S);
        double commanded = 0.0, setpoint_c = 0.0;
        size_t n = 0;

        for (size_t j = 0; j < p->nu; j++) {
                commanded += p->u[j].kind == PLAN_U_CHILLER && p->now[j] > 0.5;
                if (p->u[j].kind == PLAN_U_CHWST) {
                        setpoint_c += p->now[j];
                        n++;
                }
        }
        if (starting || n == 0 || !(plant->chwst_c > setpoint_c / (double)n + STAGING_WARM_K) ||
            !(plant->chillers_on < commanded - 0.5))
                return 0.0;
        return round(commanded - plant->chillers_on);
}

static struct staging staging_options(const struct plan *p, const struct energy_sample *plant)
{
        const uint64_t since = p->slow_count - p->staging.changed;
        struct staging s = {.heat_w = plant->heat_w,
                            .off = SIZE_MAX,
                            .on = SIZE_MAX,
                            .may_stop = since >= slow_steps(p, STAGING_MIN_S),
                            .may_start = since >= p->staging.wait};
        const double needed = plant->heat_w * (1.0 + p->args.capacity_margin);
        const double missing = missing_chillers(p, plant);
        double largest_w = 0.0;
        size_t vain = SIZE_MAX; /* asked for only when nothing else is left */

        for (size_t j = 0; j < p->nu; j++) {
                if (p->u[j].kind != PLAN_U_CHILLER)
                        continue;
                size_t *on = is_vain(p, j) ? &vain : &s.on;
                if (p->now[j] > 0.5) {
                        s.running_w += p->u[j].rated_w;
                        s.nrunning++;
                        largest_w = fmax(largest_w, p->u[j].rated_w);
                        /* ties: the later unit goes first, so that the first stays the lead */
                        if (!is_vain(p, j) && (s.off == SIZE_MAX || p->u[j].rated_w <= p->u[s.off].rated_w))
                                s.off = j;
                } else if (*on == SIZE_MAX || p->u[j].rated_w < p->u[*on].rated_w) {
                        *on = j;
                }
        }
        s.running_w = fmax(s.running_w - missing * largest_w, 0.0);
        s.short_of_capacity = s.nrunning == 0 || needed > s.running_w;
        if (s.short_of_capacity && s.on == SIZE_MAX)
                s.on = vain;
        s.short_of_capacity = s.short_of_capacity && s.on != SIZE_MAX;
        if (s.off != SIZE_MAX && !(s.nrunning > 1 && s.running_w - p->u[s.off].rated_w >= needed))
                s.off = SIZE_MAX; /* also when the heat is unknown (NaN) */
        return s;
}

void plan_stage_if_short(struct plan *p, const struct energy_sample *plant, double *u)
{
        const struct staging s = staging_options(p, plant);
        if (!s.short_of_capacity)
                return;
        u[s.on] = 1.0;
        ask(p, s.on, false);
}

struct move {
        double chw_k, cw_k;
        size_t off, on;
};

static double cw_floor(const struct plan *p, const struct plan_input *in, size_t j)
{
        const double reachable = in->plant.wetbulb_c + p->args.tower_approach_k;
        return reachable > p->u[j].lo ? reachable : p->u[j].lo;
}

/* Warmest chilled water a coil can make the coldest supply air of. */
static double chw_ceiling(const struct plan *p, const double *u, size_t j)
{
        double ceiling = p->u[j].hi;
        for (size_t k = 0; k < p->nu; k++)
                if (p->u[k].kind == PLAN_U_SAT && u[k] - PLAN_SUPPLY_APPROACH_K < ceiling)
                        ceiling = u[k] - PLAN_SUPPLY_APPROACH_K;
        return ceiling;
}

/* Applies a move; false when nothing of what it names can change. */
static bool apply(const struct plan *p, const struct plan_input *in, const struct move *m, const double *from,
                  double *u)
{
        bool chw = m->chw_k == 0.0, cw = m->cw_k == 0.0;

        memcpy(u, from, p->nu * sizeof *u);
        for (size_t j = 0; j < p->nu; j++) {
                const struct plan_u *v = &p->u[j];
                if (v->kind == PLAN_U_CHWST && m->chw_k != 0.0) {
                        double next = from[j] + plan_clamp(m->chw_k, -v->rate, v->rate);
                        if (m->chw_k > 0.0 && next > chw_ceiling(p, from, j))
                                next = fmax(chw_ceiling(p, from, j), from[j]);
                        u[j] = plan_clamp(next, v->lo, v->hi);
                        chw = chw || fabs(u[j] - from[j]) > 0.05;
                } else if (v->kind == PLAN_U_CWST && m->cw_k != 0.0) {
                        if (m->cw_k < 0.0 && !isfinite(in->plant.wetbulb_c))
                                continue;
                        double next = from[j] + plan_clamp(m->cw_k, -v->rate, v->rate);
                        if (m->cw_k < 0.0 && next < cw_floor(p, in, j))
                                next = from[j] < cw_floor(p, in, j) ? from[j] : cw_floor(p, in, j);
                        u[j] = plan_clamp(next, v->lo, v->hi);
                        cw = cw || fabs(u[j] - from[j]) > 0.05;
                }
        }
        if (m->off != SIZE_MAX)
                u[m->off] = 0.0;
        if (m->on != SIZE_MAX)
                u[m->on] = 1.0;
        return chw && cw;
}

/* Without any valve's opening nothing tells whether the coils could do with warmer water. */
static void name_move(struct plan *p, const struct move *m, double valve)
{
        size_t n = 0;

        p->move[0] = '\0';
        if (m->chw_k != 0.0)
                n += (size_t)snprintf(p->move + n, sizeof p->move - n, "chwst %+.1f K", m->chw_k);
        if (m->cw_k != 0.0)
                n += (size_t)snprintf(p->move + n, sizeof p->move - n, "%scwst %+.1f K", n ? ", " : "", m->cw_k);
        if (m->off != SIZE_MAX)
                n += (size_t)snprintf(p->move + n, sizeof p->move - n, "%schiller off", n ? ", " : "");
        if (m->on != SIZE_MAX)
                n += (size_t)snprintf(p->move + n, sizeof p->move - n, "%schiller on", n ? ", " : "");
        if (n == 0)
                n = (size_t)snprintf(p->move, sizeof p->move, "hold");
        if (p->staging.waits && n < sizeof p->move)
                n += (size_t)snprintf(p->move + n, sizeof p->move - n, " (a chiller waits)");
        for (size_t j = 0; j < p->nu && !isfinite(valve) && n < sizeof p->move; j++)
                if (p->u[j].kind == PLAN_U_CHWST) {
                        (void)snprintf(p->move + n, sizeof p->move - n, " (no valve opening: chwst never raised)");
                        break;
                }
}

static double valve_penalty(const struct plan *p, double valve)
{
        const double over = valve - valve_limit(p);
        double weight = 0.0;

        for (size_t a = 0; a < p->npy; a++)
                weight += p->y[a].kind == PLAN_Y_VALVE ? p->y[a].weight : 0.0;
        return over > 0.0 ? VALVE_SHARE * weight * over * over : 0.0;
}

double plan_least_room_k(const struct plan *p)
{
        double room = (double)INFINITY;

        for (size_t a = 0; a < p->npy; a++) {
                const double left = p->y[a].target_max - p->caution_k - *plan_y_at(p, p->lag_max - 1, p->y[a].row);
                if (p->y[a].kind == PLAN_Y_INLET && left < room)
                        room = left;
        }
        return room;
}

/* Warmer water shows late: one step of it at a time, none while racks are warm already, or while the widest valve may
 * be one that nobody sees. Colder water waits for nothing. */
static bool may_warm(const struct plan *p)
{
        const uint64_t settle = slow_steps(p, WATER_SETTLE_S);

        return p->all_known && p->slow_count >= p->warm_from && plan_least_room_k(p) >= 0.0 &&
               !(p->staging.changed_once && p->slow_count < p->staging.changed + settle);
}

/* The coils cannot do what the racks need with this water. */
static bool must_cool(const struct plan *p, double valve)
{
        return valve > VALVE_LOWER_ABOVE || (valve > PLAN_VALVE_RAISE_BELOW && plan_least_room_k(p) < -INLET_OVER_K);
}

/* Without an energy model, or a heat to ask it about: the direction physics gives. */
static struct move prior_move(const struct plan *p, double valve)
{
        struct move m = {.off = SIZE_MAX, .on = SIZE_MAX};
        if (must_cool(p, valve))
                m.chw_k = -0.5;
        else if (valve < PLAN_VALVE_RAISE_BELOW && may_warm(p))
                m.chw_k = 0.5;
        return m;
}

/* Near the edge of the tower's reach its fans rise as (1/approach)³, and pumps with the valves: about the measured
 * point that is steeper than a model fitted over everything says. Returns what to add to its estimate. */
static double local_correction(const struct plan_input *in, const struct energy_sample *s,
                               const struct energy_estimate *e, const struct energy_estimate *hold, double valve_factor)
{
        const double tower = in->plant.power_w[ENERGY_TOWERS], pump = in->plant.power_w[ENERGY_PUMPS];
        const double approach = in->plant.cwst_c - in->plant.wetbulb_c, next = s->cwst_c - in->plant.wetbulb_c;
        const double valve = in->plant.valve_mean_ratio;
        double add = 0.0;

        if (tower > 0.0 && approach > 0.5 && next > 0.5 && next != approach) {
                const double local = tower * (pow(approach / next, TOWER_EXPONENT) - 1.0);
                add += local - (e->part_w[ENERGY_TOWERS] - hold->part_w[ENERGY_TOWERS]);
        }
        if (pump > 0.0 && valve > 0.0)
                add += pump * pow(valve, PLAN_PUMP_EXPONENT) * (pow(valve_factor, PLAN_PUMP_EXPONENT) - 1.0);
        return isfinite(add) ? add : 0.0;
}

static struct move best_move(struct plan *p, const struct plan_input *in, const struct staging *st, const double *u,
                             const struct energy_sample *now, const struct energy_estimate *hold,
                             const double *valve_at)
{
        static const struct move colder = {.chw_k = -0.5, .off = SIZE_MAX, .on = SIZE_MAX};
        const double hold_score = hold->power_w + p->args.spread_k * hold->std_w + valve_penalty(p, valve_at[0]);
        struct move best = {.off = SIZE_MAX, .on = SIZE_MAX};
        /* coils first, whatever it costs, where the water can be colder */
        const bool must_lower = must_cool(p, valve_at[0]) && apply(p, in, &colder, u, p->trial);
        const bool warm = may_warm(p);
        double best_gain = must_lower ? -(double)INFINITY : GAIN_MIN_RATIO * hold->power_w;
        double waiting = -(double)INFINITY;

        for (size_t c = 0; c < sizeof chw_step_k / sizeof *chw_step_k; c++) {
                if (chw_step_k[c] > 0.0 && !(warm && valve_at[c] <= valve_limit(p)))
                        continue; /* also when no valve is known */
                if (must_lower && !(chw_step_k[c] < 0.0))
                        continue;
                for (size_t w = 0; w < sizeof cw_step_k / sizeof *cw_step_k; w++) {
                        for (int g = 0; g < 3; g++) {
                                struct move m = {chw_step_k[c], cw_step_k[w], SIZE_MAX, SIZE_MAX};
                                struct energy_estimate e;
                                double gain;
                                if (g == 1)
                                        m.off = st->off;
                                if (g == 2)
                                        m.on = st->on;
                                if (g && m.off == SIZE_MAX && m.on == SIZE_MAX)
                                        continue;
                                if (!apply(p, in, &m, u, p->trial))
                                        continue;
                                struct energy_sample s = plan_sample_with(p, &in->plant, p->trial);
                                if (!energy_predict(in->energy, &s, &e))
                                        continue;
                                if (!(must_lower || e.distance <= p->args.trust || e.distance <= hold->distance))
                                        continue;
                                e.power_w += local_correction(in, &s, &e, hold, valve_at[c] / valve_at[0]);
                                gain = hold_score - e.power_w - p->args.spread_k * e.std_w -
                                       valve_penalty(p, valve_at[c]) - (g ? STAGING_GAIN_RATIO * hold->power_w : 0.0) +
                                       plan_economiser_gain_w(p, in, now, u, &s, p->trial);
                                if ((g == 1 && !st->may_stop) || (g == 2 && !st->may_start)) {
                                        waiting = fmax(waiting, gain);
                                } else if (gain > best_gain) {
                                        best_gain = gain;
                                        best = m;
                                }
                        }
                }
        }
        p->staging.waits = waiting > best_gain;
        return best;
}

void plan_slow(struct plan *p, const struct plan_input *in, double *u)
{
        const struct staging st = staging_options(p, &in->plant);
        const double valve = plan_valve_now(p);
        double valve_at[sizeof chw_step_k / sizeof *chw_step_k];
        struct move m = {.off = SIZE_MAX, .on = SIZE_MAX};
        struct energy_estimate hold;

        for (size_t c = 0; c < sizeof chw_step_k / sizeof *chw_step_k; c++)
                valve_at[c] = valve * plan_valve_factor(p, chw_step_k[c]);

        struct energy_sample s = plan_sample_with(p, &in->plant, u);
        if (in->energy && isfinite(in->plant.heat_w) && energy_predict(in->energy, &s, &hold))
                m = best_move(p, in, &st, u, &s, &hold, valve_at);
        else
                m = prior_move(p, valve);
        if (st.short_of_capacity) {
                m.off = SIZE_MAX;
                m.on = st.on;
                p->staging.waits = false;
        }
        if (!apply(p, in, &m, u, p->trial))
                m = (struct move){.off = SIZE_MAX, .on = m.on};
        (void)apply(p, in, &m, u, p->trial);
        memcpy(u, p->trial, p->nu * sizeof *u);
        if (m.chw_k > 0.0)
                p->warm_from = p->slow_count + slow_steps(p, WATER_SETTLE_S);
        if (m.off != SIZE_MAX || m.on != SIZE_MAX)
                ask(p, m.on != SIZE_MAX ? m.on : m.off, m.on != SIZE_MAX && !st.short_of_capacity);
        name_move(p, &m, valve);
}
