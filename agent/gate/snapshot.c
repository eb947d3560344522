/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* First half of a control step: what the plant looks like now, for the safety filter and for the planner. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/gate/gate_internal.h"
#include "agent/gate/vm.h"
#include "agent/points/total.h"

static double reading(const struct gate *g, size_t point, int64_t t_ms)
{
        struct sample s = ptable_get(g->points, point, t_ms);

        return s.quality == QUALITY_BAD ? (double)NAN : s.value;
}

static struct total total_of(const struct gate *g, enum role role, int64_t t_ms)
{
        const struct site *site = g->a.site;
        struct total t = {0};

        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].role == role)
                        total_add(&t, reading(g, i, t_ms));
        return t;
}

/* Heat the chillers must carry: racks and fans by their meters, without a meter by their rating. A rack that has
 * neither counts as a silent one; a fan that has neither is left to the capacity margin. NaN = unknown: no chiller
 * stops. */
static double cooling_load_w(const struct gate *g, const struct total *racks, const struct total *fans)
{
        const struct site *site = g->a.site;
        struct total it = *racks, fan = *fans;

        for (size_t i = 0; i < site->nequipment; i++) {
                const struct equipment *e = &site->equipment[i];

                if (e->cls == EQ_RACK && site_point_of(site, (int)i, ROLE_RACK_POWER) < 0)
                        total_add(&it, e->power_w);
                else if (e->cls == EQ_CRAH && isfinite(e->fan_power_w) &&
                         site_point_of(site, (int)i, ROLE_CRAH_POWER) < 0)
                        total_add(&fan, e->fan_power_w);
        }
        return total_value(&it) + (fan.all > 0 ? total_value(&fan) : 0);
}

/* Powers by what they drive, and what is known of their sum. */
static void read_powers(struct gate *g, int64_t t_ms)
{
        static const enum role part[4] = {ROLE_CRAH_POWER, ROLE_CHILLER_POWER, ROLE_PUMP_POWER, ROLE_TOWER_POWER};
        struct total racks = total_of(g, ROLE_RACK_POWER, t_ms), on = total_of(g, ROLE_CHILLER_STATUS, t_ms);

        g->total_power_w = total_value(&racks);
        for (size_t i = 0; i < 4; i++) {
                struct total t = total_of(g, part[i], t_ms);

                g->power_w[i] = total_value(&t);
                if (t.all > 0)
                        g->total_power_w += g->power_w[i];
                if (i == 0)
                        g->cooling_load_w = cooling_load_w(g, &racks, &t);
        }
        g->chillers_on = total_all_known(&on);
}

static void push_row(double *rows, size_t n, size_t cap, size_t width, const double *row)
{
        if (n == cap)
                memmove(rows, rows + width, --n * width * sizeof *rows);
        memcpy(rows + n * width, row, width * sizeof *rows);
}

/* A reading below this share of what the machines that run need is a dead meter's: they would have tripped. */
#define FLOW_BELIEVED 0.7

static double believed(double flow_m3s, double need_m3s)
{
        return flow_m3s < FLOW_BELIEVED * need_m3s ? (double)NAN : flow_m3s;
}

/* Unit j takes water, as far as anyone knows: what it said last, or its order where it never said anything. */
static bool takes_water(const struct gate *g, size_t j)
{
        return g->ran[j] != 255 ? g->ran[j] == 1 : g->u_confirmed[j] >= 0.5;
}

/* What the best supplied of the machines that run has of its least water, by its own meter (the others could get as
 * much): of those that say so, or of those that are taken to. need: of all of them. NaN: not known. */
static double best_share(const struct gate *g, int64_t t_ms, bool taken, double *ret_need_m3s)
{
        double need = 0, best = (double)NAN;

        for (size_t j = 0; j < g->layout->nu; j++) {
                const double least = g->envelope.u[j].min_flow_m3s;
                int p;

                if (!(least > 0) || !(taken ? takes_water(g, j) : g->onoff[j] == 1))
                        continue;
                need += least;
                p = site_point_of(g->a.site, g->layout->u[j].equipment, ROLE_CHW_FLOW);
                if (p >= 0)
                        best = fmax(best, reading(g, (size_t)p, t_ms) / least);
        }
        *ret_need_m3s = need;
        return best;
}

/* v, or for some steps the last that was known: a meter that drops out opens nothing at once. */
static double held_flow(struct gate *g, double v)
{
        g->flow_unknown_steps = isnan(v) ? g->flow_unknown_steps + 1 : 0;
        if (!isnan(v))
                g->flow_held_m3s = v;
        return g->flow_unknown_steps <= GATE_HOLD_STEPS ? g->flow_held_m3s : (double)NAN;
}

/* Water through the evaporators that run, the better of two steps; this one's where the one before had too little for a
 * start, too: one bad scan stops no machine that has enough, and water that fails is followed. And what more of them
 * could share: that of this step, or what the coils take by the plant's meter (without what a bypass adds) where it is
 * more. */
static void read_flow(struct gate *g, int64_t t_ms)
{
        const struct site *site = g->a.site;
        double need, loop = (double)NAN, share, last = g->evap_share;

        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];

                if (p->role == ROLE_CHW_FLOW && p->equipment >= 0 && site->equipment[p->equipment].cls == EQ_PLANT)
                        loop = fmax(loop, reading(g, i, t_ms)); /* fmax: the one that is known */
        }
        share = g->evap_share = believed(best_share(g, t_ms, false, &need), 1);
        if (isnan(last))
                share = (double)NAN;
        else if (last >= 1 + g->envelope.safety.capacity_margin && share < last)
                share = last;
        g->evap_flow_m3s = share * need;
        share = believed(best_share(g, t_ms, true, &need), 1);
        g->chw_flow_m3s = held_flow(g, believed(fmax(loop, share * need), need));
}

/* Largest change of the water of one machine since about a minute ago, by its own meter. Of each by itself: one that
 * stops leaves its share to the others, which the sum of all does not show. One that did not run then, or does not now,
 * has none to compare: what its start or stop does, the others show. Nor has one whose meter reads nothing, or what it
 * could not run with. NaN: of none it is known, or not for so long; after steps were missing it begins anew. */
static void read_flow_ramp(struct gate *g, int64_t t_ms, double mono_s)
{
        const size_t nu = g->layout->nu;
        const double most_s = 2 * (double)g->evap_cap * g->layout->step_s;

        if (g->evap_n > 0 && mono_s - g->evap_row_s[0] > most_s)
                g->evap_n = 0;

        const size_t n = g->evap_n;
        const double minutes = n == g->evap_cap ? (mono_s - g->evap_row_s[0]) / 60 : 0;

        g->evap_flow_ramp_per_min = (double)NAN;
        for (size_t j = 0; j < nu; j++) {
                const int p =
                    g->onoff[j] == 1 ? site_point_of(g->a.site, g->layout->u[j].equipment, ROLE_CHW_FLOW) : -1;
                const double then = g->evap_rows[j];
                double now = p >= 0 ? reading(g, (size_t)p, t_ms) : (double)NAN;

                now = now > 0 ? believed(now, g->envelope.u[j].min_flow_m3s) : (double)NAN;
                g->evap_now[j] = now;
                if (minutes >= 0.5) /* fmax: of those that are known */
                        g->evap_flow_ramp_per_min = fmax(g->evap_flow_ramp_per_min, fabs(now - then) / then / minutes);
        }
        if (n > 0 && mono_s - g->evap_row_s[n - 1] < g->layout->step_s / 2)
                return; /* a step soon after another */
        push_row(g->evap_rows, n, g->evap_cap, nu, g->evap_now);
        push_row(g->evap_row_s, n, g->evap_cap, 1, &mono_s);
        g->evap_n = n < g->evap_cap ? n + 1 : n;
}

/* A chiller runs, by its status, or else by its order; one of which neither is known may. */
static bool may_run(const struct gate *g, int equipment, int64_t t_ms)
{
        static const enum role by[2] = {ROLE_CHILLER_STATUS, ROLE_CHILLER_ENABLE};

        for (size_t k = 0; k < 2; k++) {
                const int p = site_point_of(g->a.site, equipment, by[k]);
                const double v = p < 0 ? (double)NAN : reading(g, (size_t)p, t_ms);

                if (!isnan(v))
                        return v > 0.5;
        }
        return true;
}

/* The water that a sensor shows is being cooled: by its own machine, or that of a header by any. What stands is as cold
 * as the room it stands in, and no setpoint moves it. */
static bool being_cooled(const struct gate *g, const struct point *p, int64_t t_ms)
{
        const struct site *site = g->a.site;
        bool any = false, chillers = false;

        if (p->equipment >= 0 && site->equipment[p->equipment].cls == EQ_CHILLER)
                return may_run(g, p->equipment, t_ms);
        for (size_t i = 0; i < site->nequipment; i++)
                if (site->equipment[i].cls == EQ_CHILLER) {
                        chillers = true;
                        any = any || may_run(g, (int)i, t_ms);
                }
        return any || !chillers;
}

/* Leaving water near freezing, two steps in a row. What cannot be read forbids nothing: the setpoint has its own lower
 * limit. */
static bool near_freezing(struct gate *g, int64_t t_ms)
{
        const struct site *site = g->a.site;
        char text[256];
        int at = -1;

        for (size_t i = 0; i < site->npoint && at < 0; i++)
                if (site->point[i].role == ROLE_CHWST && reading(g, i, t_ms) < site->limits.chwst_freeze_c &&
                    being_cooled(g, &site->point[i], t_ms))
                        at = (int)i;
        g->freezing_steps = at >= 0 ? g->freezing_steps + 1 : 0;
        if (g->freezing_steps == 2) {
                (void)snprintf(text, sizeof text,
                               "'%.150s' reads %.1f °C, below chwst_freeze: no chilled-water setpoint falls",
                               site->point[at].name, reading(g, (size_t)at, t_ms));
                g->freezing_point = at;
                gate_event(g, 4, "gate", text);
        } else if (at < 0 && g->freezing_point >= 0) {
                (void)snprintf(text, sizeof text,
                               "'%.150s' and all leaving water above chwst_freeze again, or not cooled",
                               site->point[g->freezing_point].name);
                g->freezing_point = -1;
                gate_event(g, 5, "gate", text);
        }
        return g->freezing_steps >= 2;
}

/* Highest dew point known of a zone; NaN: none is. */
static double dewpoint_c(const struct gate *g, int zone, int64_t t_ms)
{
        const struct site *site = g->a.site;
        double dew_c = (double)NAN;

        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];

                if (p->role == ROLE_DEWPOINT && p->zone == zone)
                        dew_c = fmax(dew_c, reading(g, i, t_ms));
        }
        return dew_c;
}

/* Tiles, cabinets and servers are as cold as the supply air: it stays a margin above the dew point of its zone. Coils
 * and pipes may sweat (drain pans, insulation), so chilled water has no such floor. In whole tenths, so that noise
 * moves it seldom. */
static void read_floors(struct gate *g, int64_t t_ms)
{
        const struct layout *l = g->layout;

        for (size_t j = 0; j < l->nu; j++) {
                g->u_floor[j] = (double)NAN;
                if (l->u[j].kind == U_SAT)
                        g->u_floor[j] =
                            ceil(10 * (dewpoint_c(g, l->u[j].zone, t_ms) + l->site->limits.dewpoint_margin_k)) / 10;
        }
}

static void window_push(struct gate *g, const double *y, const double *u, const double *d)
{
        const struct layout *l = g->layout;

        push_row(g->window_y, g->window_n, g->window_cap, l->ny, y);
        push_row(g->window_seen, g->window_n, g->window_cap, l->ny, g->y_seen);
        push_row(g->window_u, g->window_n, g->window_cap, l->nu, u);
        push_row(g->window_u_seen, g->window_n, g->window_cap, l->nu, g->u_seen);
        push_row(g->window_d, g->window_n, g->window_cap, l->nd, d);
        if (g->window_n < g->window_cap)
                g->window_n++;
}

/* Upper bound of a disturbance over the horizon. A rating ends the rise of a power that is below it. */
static double disturbance_hi(const struct gate *g, size_t k, double now)
{
        double start = GATE_RISE_K, hi;
        const double max = g->envelope.d_max[k];
        bool power = false;

        if (!isfinite(now))
                return max;
        switch ((enum d_kind)g->layout->d[k].kind) {
        case D_RACK_POWER:
        case D_ZONE_POWER:
                power = true;
                start = (g->layout->d[k].kind == D_RACK_POWER ? GATE_RISE_RACK : GATE_RISE_ZONE) * fabs(now);
                break;
        case D_CHW_TEMP:
        case D_CW_TEMP:
        case D_RAT:
        case D_MAT:
        case D_WETBULB:
        case D_OAT:
        case D_SAT_SP: /* another controller's */
                start = GATE_RISE_K;
                break;
        case D_DAMPER:
        case D_HEAT_VALVE:
        case D_FAN:
        case D_VALVE:
                return now; /* another controller's: what they do now */
        }
        hi = now + gate_rise(&g->span, start, g->d_steps[k], g->d_change2[k]);
        return power && now <= max ? fmin(hi, max) : hi;
}

/* How much the disturbances move within one horizon, from the window's span. */
static void learn_disturbances(struct gate *g)
{
        const struct layout *l = g->layout;

        if (g->window_n < g->window_cap)
                return;
        for (size_t k = 0; k < l->nd; k++) {
                double change = g->window_d[(g->window_n - 1) * l->nd + k] - g->window_d[k];

                if (isfinite(change))
                        gate_rise_learn(&g->span, change, g->window_cap - 1, &g->d_steps[k], &g->d_change2[k]);
        }
}

/* Loads and water that rose beyond what certificates counted on. Single racks, whose load comes by leaps, and air,
 * which answers to what we do, are not looked at. */
static void see_assumed(struct gate *g, const double *d)
{
        const struct layout *l = g->layout;
        const struct gate_envelope *e = &g->envelope;
        char text[192 + POINT_NAME_MAX];
        int k;

        for (size_t i = 0; i < l->nd; i++) {
                const enum d_kind kind = (enum d_kind)l->d[i].kind;
                const bool seen = kind == D_ZONE_POWER || kind == D_CHW_TEMP || kind == D_WETBULB || kind == D_OAT;

                g->d_own[i] = seen ? -(double)INFINITY : (double)INFINITY;
        }
        for (size_t j = 0; j < l->nu; j++) {
                double *own = e->u[j].drives_d != SAFETY_NO_D ? &g->d_own[e->u[j].drives_d - 1] : NULL;

                for (size_t r = 0; own && r < g->window_n; r++) /* water follows what was set a while ago */
                        *own = fmax(*own, g->window_u[r * l->nu + j]);
        }
        if (g->window_n <= 1)
                gate_assumed_clear(g->assumed);
        k = gate_assumed_step(g->assumed, d, g->d_hi, g->d_own);
        if (k < 0 || !isfinite(g->status.margin_k)) /* no certificate: nothing was counted on */
                return;
        (void)snprintf(text, sizeof text,
                       "%s: %.1f %s, more than certificates of the last minutes counted on; the next ones do",
                       l->d[k].point >= 0  ? l->site->point[l->d[k].point].name
                       : l->d[k].zone >= 0 ? l->site->zone[l->d[k].zone].name
                                           : "?",
                       d[k], l->d[k].kind == D_ZONE_POWER ? "W" : "°C");
        gate_event(g, 4, "load", text);
}

static void read_u(struct gate *g, int64_t t_ms, int64_t mono_ms)
{
        const struct layout *l = g->layout;

        for (size_t j = 0; j < l->nu; j++) {
                struct sample s = ptable_get(g->points, (size_t)l->u[j].point, t_ms);

                g->u_confirmed[j] = s.quality == QUALITY_BAD ? (double)NAN : s.value;
                g->onoff[j] = 255;
                if (l->u[j].kind == U_CHILLER) /* an order under way stands: a start after a stop is not "no change" */
                        (void)actuate_ordered(g->actuate, j, s.t_ms, mono_ms, &g->u_confirmed[j]);
                if (l->u[j].kind == U_CHILLER && l->u[j].equipment >= 0) {
                        int p = site_point_of(g->a.site, l->u[j].equipment, ROLE_CHILLER_STATUS);
                        struct sample run;

                        if (p < 0)
                                continue;
                        run = ptable_get(g->points, (size_t)p, t_ms);
                        if (run.quality != QUALITY_BAD)
                                g->onoff[j] = g->ran[j] = run.value > 0.5;
                }
        }
}

/* Condition and hottest of the certified outputs; true when any of them has a fresh good reading. */
static bool read_y(struct gate *g, int64_t t_ms)
{
        const struct layout *l = g->layout;
        bool any = false;

        g->max_inlet_c = (double)NAN;
        for (size_t i = 0; i < l->ny; i++) {
                struct sample s = ptable_get(g->points, (size_t)l->y[i].point, t_ms);

                g->y_ok[i] = s.quality == QUALITY_BAD
                                 ? (uint8_t)(s.reason == QR_STALE || s.reason == QR_NOT_YET ? COND_STALE : COND_ERROR)
                                 : (uint8_t)COND_TRUE;
                if (g->y_ok[i] == COND_TRUE && g->age[i] > GATE_HOLD_STEPS)
                        g->y_ok[i] = COND_STALE;
                if (l->y[i].kind != Y_INLET || g->y_ok[i] != COND_TRUE)
                        continue;
                if (!(g->max_inlet_c >= s.value))
                        g->max_inlet_c = s.value;
        }
        for (size_t k = 0; k < g->envelope.safety.ncert; k++)
                any = any || g->y_ok[g->envelope.cert[k].row] == COND_TRUE;
        g->blind = !any;
        return any;
}

#define SAT_OVER_K 1.5

/* Supply air of an air handler above its setpoint, K; NaN = cannot be judged. */
static double sat_over_k(const struct gate *g, int equipment, int64_t t_ms)
{
        const int sat = site_point_of(g->a.site, equipment, ROLE_SAT),
                  sp = site_point_of(g->a.site, equipment, ROLE_SAT_SP);

        return sat < 0 || sp < 0 ? (double)NAN : reading(g, (size_t)sat, t_ms) - reading(g, (size_t)sp, t_ms);
}

/* Where there is no valve to look at, supply air that cannot be judged counts as hot. */
static bool hot_supply(const struct gate *g, int equipment, int64_t t_ms)
{
        const double over_k = sat_over_k(g, equipment, t_ms);
        const bool blind = isnan(over_k) && site_point_of(g->a.site, equipment, ROLE_VALVE) < 0 &&
                           site_point_of(g->a.site, equipment, ROLE_SAT_SP) >= 0;

        return over_k > SAT_OVER_K || blind;
}

/* Water may not get warmer while a coil has no headroom left: valve nearly open, or supply air above its setpoint.
 * A valve that cannot be read counts as open unless its supply air can be judged. */
static bool no_headroom(struct gate *g, int64_t t_ms)
{
        const struct site *site = g->a.site;
        bool open = false;

        for (size_t i = 0; i < site->npoint && !open; i++) {
                const struct point *p = &site->point[i];

                if (p->role == ROLE_SAT)
                        open = hot_supply(g, p->equipment, t_ms);
                else if (p->role == ROLE_VALVE && ptable_get(g->points, i, t_ms).quality == QUALITY_BAD)
                        open = isnan(sat_over_k(g, p->equipment, t_ms));
                else if (p->role == ROLE_VALVE)
                        open = ptable_get(g->points, i, t_ms).value > site->limits.valve_max_ratio;
        }
        g->valve_open_steps = open ? g->valve_open_steps + 1 : 0;
        return g->valve_open_steps >= 2;
}

/* A device that is away may run by itself: what it had last teaches nothing of what it does now. A log tells of a
 * command when it changes, and it stands until then. */
static void see_commands(struct gate *g, int64_t t_ms, const double *u)
{
        const struct layout *l = g->layout;

        for (size_t j = 0; j < l->nu; j++) {
                const size_t i = (size_t)l->u[j].point;
                const bool away =
                    l->site->point[i].device >= 0 && ptable_get(g->points, i, t_ms).quality == QUALITY_BAD;

                g->u_seen[j] = away ? (double)NAN : u[j];
        }
}

/* Appends what was measured since the last row; a step less than half an interval after it (a hand-back comes when it
 * comes, and after a late step the next is on time) is taken from that row, so that the window stays one of whole
 * intervals. */
static void next_row(struct gate *g, int64_t t_ms, double *y, double *u, double *d)
{
        const struct layout *l = g->layout;
        int64_t since_ms = t_ms - g->last_row_t_ms, step_ms = g->a.site->fast_step_ms;
        size_t last = g->window_n - 1;

        if (g->window_n > 0 && since_ms >= 0 && since_ms <= step_ms / 2) {
                memcpy(y, g->window_y + last * l->ny, l->ny * sizeof(double));
                memcpy(u, g->window_u + last * l->nu, l->nu * sizeof(double));
                memcpy(d, g->window_d + last * l->nd, l->nd * sizeof(double));
                return;
        }
        resampler_row(g->resampler, t_ms, y, u, d, g->age);
        for (size_t i = 0; i < l->ny; i++)
                g->y_seen[i] = g->age[i] == 0 ? y[i] : (double)NAN;
        see_commands(g, t_ms, u);
        if (!(g->last_row_t_ms >= 0 && since_ms < 2 * step_ms && since_ms > step_ms / 2)) {
                g->window_n = 0; /* a gap: nothing before it may explain what comes after */
                gate_holdout_clear(g);
        }
        gate_holdout_compare(g);
        if (g->window_n > 0) {
                /* what was in force since the last step is known only now */
                memcpy(g->window_u + last * l->nu, u, l->nu * sizeof(double));
                memcpy(g->window_u_seen + last * l->nu, g->u_seen, l->nu * sizeof(double));
                memcpy(g->window_d + last * l->nd, d, l->nd * sizeof(double));
                gate_model_step(g, since_ms);
        }
        window_push(g, y, u, d);
        g->last_row_t_ms = t_ms;
        learn_disturbances(g);
}

/* A point that names an interlock is guarded by that point: 1 means that it demands full cooling, and so does one that
 * cannot be read. */
static bool interlock(const struct gate *g, int64_t t_ms)
{
        const struct site *site = g->a.site;

        for (size_t i = 0; i < site->npoint; i++) {
                struct sample s;
                int k;

                if (!site->point[i].interlock[0])
                        continue;
                k = site_find_point(site, site->point[i].interlock);
                if (k < 0)
                        return true;
                s = ptable_get(g->points, (size_t)k, t_ms);
                if (s.quality == QUALITY_BAD && s.reason == QR_NOT_YET && g->step <= GATE_HOLD_STEPS)
                        continue; /* not yet polled since start */
                if (s.quality == QUALITY_BAD || !(s.value <= 0.5))
                        return true;
        }
        return false;
}

void gate_step_begin(struct gate *g, struct ipc_step *msg)
{
        const struct layout *l = g->layout;
        int64_t t_ms = clk_t_ms(g->a.clk), mono_ms = clk_mono_ms(g->a.clk);
        int64_t ratio = g->a.site->slow_step_ms / g->a.site->fast_step_ms;
        double *y = msg->y, *u = msg->u, *d = msg->d;

        assert(l->nu <= IPC_U_MAX && l->ny <= IPC_Y_MAX && l->nd <= IPC_D_MAX);
        gate_record_stale(g, t_ms);
        (void)gate_flush(g);
        memset(msg, 0, sizeof *msg);
        next_row(g, t_ms, y, u, d);
        read_u(g, t_ms, mono_ms);
        gate_read_fixed(g, t_ms, mono_ms);
        g->first_scan_done = read_y(g, t_ms) || g->first_scan_done;
        for (size_t k = 0; k < l->nd; k++)
                g->d_free[k] = disturbance_hi(g, k, d[k]);
        vm_inventory_load(g->vm, t_ms, g->d_free, g->d_hi);
        if (g->safety)
                see_assumed(g, d);
        read_powers(g, t_ms);
        read_flow(g, t_ms);
        read_flow_ramp(g, t_ms, (double)mono_ms / 1000.0);
        read_floors(g, t_ms);

        if (g->last_step_mono_ms > 0 && g->status.exploring && g->status.mode == GATE_ACTIVE)
                g->explored_ms += mono_ms - g->last_step_mono_ms;
        g->last_step_mono_ms = mono_ms;
        g->status.exploring = g->a.acting && g->explored_ms < g->a.explore_ms && !g->handback;
        g->snap = (struct safety_snapshot){
            .t_ms = t_ms,
            .mono_s = (double)mono_ms / 1000.0,
            .window = {.n = g->window_n, .y = g->window_y, .u = g->window_u, .d = g->window_d},
            .u_confirmed = g->u_confirmed,
            .u_fixed = g->u_fixed,
            .d_hi = g->d_hi,
            .y_ok = g->y_ok,
            .onoff_status = g->onoff,
            .cooling_load_w = g->cooling_load_w,
            .chw_flow_m3s = g->chw_flow_m3s,
            .evap_flow_m3s = g->evap_flow_m3s,
            .evap_flow_ramp_per_min = g->evap_flow_ramp_per_min,
            .slow_step = ratio <= 1 || g->step % (uint64_t)ratio == 0,
            .interlock = interlock(g, t_ms),
            .no_colder_water = near_freezing(g, t_ms),
            .u_floor = g->u_floor,
            .no_warmer_water = no_headroom(g, t_ms),
        };
        ipc_head_init(&msg->head, IPC_STEP, g->step, t_ms, g->a.site->hash);
        msg->nu = (uint32_t)l->nu;
        msg->ny = (uint32_t)l->ny;
        msg->nd = (uint32_t)l->nd;
        memcpy(u, g->u_confirmed, l->nu * sizeof(double));
        msg->slow_step = g->snap.slow_step;
        msg->explore = g->status.exploring;
        msg->mode = (uint32_t)g->status.mode;
        memcpy(msg->power_w, g->power_w, sizeof msg->power_w);
        msg->chillers_on = g->chillers_on;
        msg->inlet_max_c = g->max_inlet_c;
        msg->head.size = (uint32_t)sizeof *msg;
        g->in_step = true;
}
