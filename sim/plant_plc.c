/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The devices' controllers: who is obeyed (lease), the control loops, and what a machine does to protect itself
 * whatever it is told. While a device is local its command registers show the values in force, so that a supervisor
 * taking over starts from where the PLC was.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define SAT_MIN_C 12.0
#define SAT_MAX_C 30.0
#define FAN_MIN 0.3
#define CHWST_MIN_C 5.0
#define CHWST_MAX_C 20.0
#define CWST_MIN_C 14.0
#define CWST_ECON_MIN_C 6.0 /* with an economiser; the machines' condensers are kept warmer by their own valves */
#define CWST_MAX_C 32.0

#define SENSOR_LAG_S 20.0
#define VALVE_STROKE_S 90.0
#define FAN_RAMP_S 60.0
#define FAN_COAST_S 20.0 /* a failed fan runs down */
#define VALVE_KP 0.02    /* 1/K */
#define VALVE_TI_S 80.0
#define TOWER_KP 0.10
#define TOWER_TI_S 200.0
#define CHWST_UP_K_S (1.0 / 300.0)
#define CHWST_DOWN_K_S (0.5 / 60.0)

#define MIN_ON_S 300.0
#define MIN_OFF_S 600.0
#define RULE_SLACK_S 10.0 /* a supervisor's clock and ours may differ by a scan or two */
#define LATE_K 3.0 /* chilled water this far above its setpoint for this long: start another machine, asked or not */
#define LATE_S 300.0
#define FORCED_S 900.0
#define LOW_FLOW_S 10.0 /* delay of the flow switch (design) */
#define ECON_ON_K 2.0   /* tower water this much colder than the return water for this long */
#define ECON_OFF_K 0.5
#define ECON_S 300.0
#define IDLE_K 0.3 /* water enters the evaporators this close to its setpoint: nothing left to cool */
#define IDLE_S 300.0
#define RESTART_K 1.5 /* recycle restart: Trane CH530 offers 0.55-5.55 K */

static const double hot_k[2] = {2.0, 3.0};

bool plant_lease_alive(const struct plant *p, const struct lease *l)
{
        return l->enable && l->seen && (l->age_s <= PLANT_WATCHDOG_S || p->watchdog_inert);
}

static struct lease *lease_of(struct plant *p, enum plant_dev dev, size_t i)
{
        switch (dev) {
        case PLANT_DEV_CRAH:
                return i < p->spec.ncrah ? &p->crah[i].lease : NULL;
        case PLANT_DEV_CHILLER:
                return i < p->spec.nchiller ? &p->chiller[i].lease : NULL;
        case PLANT_DEV_PLANT:
                return &p->water.lease;
        }
        return NULL;
}

void plant_remote_enable(struct plant *p, enum plant_dev dev, size_t i, bool on)
{
        struct lease *l = lease_of(p, dev, i);

        if (l == NULL)
                return;
        l->enable = on;
        p->taken_over |= plant_lease_alive(p, l);
}

void plant_heartbeat(struct plant *p, enum plant_dev dev, size_t i, uint16_t counter)
{
        struct lease *l = lease_of(p, dev, i);

        if (l == NULL || (counter == l->counter))
                return;
        l->counter = counter;
        l->seen = true;
        l->age_s = 0.0;
        p->taken_over |= plant_lease_alive(p, l);
}

bool plant_is_remote(const struct plant *p, enum plant_dev dev, size_t i)
{
        switch (dev) {
        case PLANT_DEV_CRAH:
                return i < p->spec.ncrah && plant_lease_alive(p, &p->crah[i].lease);
        case PLANT_DEV_CHILLER:
                return i < p->spec.nchiller && plant_lease_alive(p, &p->chiller[i].lease);
        case PLANT_DEV_PLANT:
                return plant_lease_alive(p, &p->water.lease);
        }
        return false;
}

struct plant_crah_cmd *plant_crah_cmd(struct plant *p, size_t i)
{
        return &p->crah[i].cmd;
}

struct plant_chiller_cmd *plant_chiller_cmd(struct plant *p, size_t i)
{
        return &p->chiller[i].cmd;
}

struct plant_water_cmd *plant_water_cmd(struct plant *p)
{
        return &p->water.cmd;
}

/* A register out of the device's range, or not a number, leaves the setpoint in force. */
static void obey(double *in_force, double asked, double lo, double hi)
{
        if (isfinite(asked))
                *in_force = clampd(asked, lo, hi);
}

static double slew(double from, double to, double max_change)
{
        return clampd(to, from - max_change, from + max_change);
}

static void crah_plc(struct plant *p, struct crah *c, double dt_s)
{
        const bool off = c->failed || p->outage_s > 0.0;
        double target, e, valve;

        c->lease.age_s += dt_s;
        if (plant_lease_alive(p, &c->lease) && c->deaf) {
                ; /* shows what it was told, does what it did */
        } else if (plant_lease_alive(p, &c->lease)) {
                obey(&c->sat_sp_c, c->cmd.sat_sp_c, SAT_MIN_C, SAT_MAX_C);
                obey(&c->fan_sp_ratio, c->cmd.fan_ratio, FAN_MIN, 1.0);
        } else {
                c->sat_sp_c = p->room[c->room].sat_sp_c;
                c->fan_sp_ratio = p->room[c->room].fan_ratio;
                c->cmd = (struct plant_crah_cmd){.sat_sp_c = c->sat_sp_c, .fan_ratio = c->fan_sp_ratio};
        }
        c->sat_sensor_c += (c->sat_c - c->sat_sensor_c) * dt_s / (SENSOR_LAG_S + dt_s);
        target = off ? 0.0 : c->fan_sp_ratio;
        c->fan_ratio = slew(c->fan_ratio, target, dt_s / (off ? FAN_COAST_S : FAN_RAMP_S));
        e = c->sat_sensor_c - c->sat_sp_c;
        if (off) {
                c->integral = 0.0;
                valve = 0.0;
        } else {
                c->integral = clampd(c->integral + VALVE_KP / VALVE_TI_S * e * dt_s, 0.0, 1.0);
                valve = clampd(c->integral + VALVE_KP * e, 0.0, 1.0);
        }
        if (isfinite(c->stuck_ratio))
                valve = c->stuck_ratio;
        c->valve_ratio = slew(c->valve_ratio, valve, dt_s / VALVE_STROKE_S);
        for (size_t k = 0; k < 2; k++)
                c->hot_s[k] = e > hot_k[k] && !off ? c->hot_s[k] + dt_s : 0.0;
        c->valve_request = c->valve_ratio > 0.95 || (c->valve_request && c->valve_ratio > 0.85);
}

static void tower_plc(struct plant *p, double dt_s)
{
        struct water *w = &p->water;
        const double e = w->basin_c - w->cwst_sp_c;

        if (!(w->cw_m3s > 0.0) || p->tower_failed) {
                w->tower_integral = w->tower_fan_ratio = 0.0;
                return;
        }
        w->tower_integral = clampd(w->tower_integral + TOWER_KP / TOWER_TI_S * e * dt_s, 0.0, 1.0);
        w->tower_fan_ratio =
            slew(w->tower_fan_ratio, clampd(w->tower_integral + TOWER_KP * e, 0.0, 1.0), dt_s / FAN_RAMP_S);
}

static void economiser_plc(struct plant *p, double dt_s)
{
        struct water *w = &p->water;
        const double gain_k = w->return_c - w->basin_c;
        const bool wrong = w->econ_on ? gain_k < ECON_OFF_K : gain_k > ECON_ON_K;

        if (!p->spec.economiser)
                return;
        w->econ_s = wrong ? w->econ_s + dt_s : 0.0;
        if (w->econ_s >= ECON_S) {
                w->econ_on = !w->econ_on;
                w->econ_s = 0.0;
        }
}

static void water_plc(struct plant *p, double dt_s)
{
        struct water *w = &p->water;
        const double cwst_min_c = p->spec.economiser ? CWST_ECON_MIN_C : CWST_MIN_C;

        w->lease.age_s += dt_s;
        if (plant_lease_alive(p, &w->lease)) {
                obey(&w->chwst_target_c, w->cmd.chwst_sp_c, CHWST_MIN_C, CHWST_MAX_C);
                obey(&w->cwst_sp_c, w->cmd.cwst_sp_c, cwst_min_c, CWST_MAX_C);
        } else {
                w->cmd = (struct plant_water_cmd){.chwst_sp_c = w->chwst_target_c, .cwst_sp_c = w->cwst_sp_c};
        }
        w->chwst_sp_c =
            clampd(w->chwst_target_c, w->chwst_sp_c - CHWST_DOWN_K_S * dt_s, w->chwst_sp_c + CHWST_UP_K_S * dt_s);
        w->supply_sensor_c += (w->supply_c - w->supply_sensor_c) * dt_s / (SENSOR_LAG_S + dt_s);
        tower_plc(p, dt_s);
        economiser_plc(p, dt_s);
}

static bool may_start(const struct plant *p, const struct chiller *c)
{
        return !c->tripped && !(p->outage_s > 0.0) && !p->cw_pump_failed && c->state == CHILLER_OFF &&
               c->state_s >= MIN_OFF_S && c->start_age_s[STARTS_PER_H - 1] >= 3600.0;
}

/* Another machine runs and has passed its start, so this one may go. */
static bool spare_runs(const struct plant *p, size_t i)
{
        for (size_t k = 0; k < p->spec.nchiller; k++)
                if (k != i && p->chiller[k].state == CHILLER_RUNNING && !p->chiller[k].tripped)
                        return true;
        return false;
}

/* A remote order that the machine has to refuse would have broken it without this PLC: the yardstick counts it. */
static void judge_order(struct plant *p, size_t i)
{
        struct chiller *c = &p->chiller[i];
        const bool on = c->state != CHILLER_OFF;

        if (c->want == c->want_before || !plant_lease_alive(p, &c->lease))
                return;
        if (!c->want && on && c->state_s < MIN_ON_S - RULE_SLACK_S)
                plant_violation(p, PLANT_RULE_MIN_ON, i, c->state_s, 1);
        else if (!c->want && on && !spare_runs(p, i))
                plant_violation(p, PLANT_RULE_LAST_RUNNING, i, c->state_s, 1);
        if (c->want && !on && !c->tripped && c->state_s < MIN_OFF_S - RULE_SLACK_S)
                plant_violation(p, PLANT_RULE_MIN_OFF, i, c->state_s, 1);
        else if (c->want && !on && !c->tripped && c->start_age_s[STARTS_PER_H - 1] < 3600.0 - RULE_SLACK_S)
                plant_violation(p, PLANT_RULE_STARTS, i, c->start_age_s[STARTS_PER_H - 1], 1);
}

static void chiller_start(struct plant *p, struct chiller *c)
{
        for (size_t k = STARTS_PER_H - 1; k > 0; k--)
                c->start_age_s[k] = c->start_age_s[k - 1];
        c->start_age_s[0] = 0.0;
        c->state = CHILLER_STARTING;
        c->state_s = 0.0;
        c->starts++;
        p->meter.starts++;
}

static void chiller_stop(struct chiller *c)
{
        c->state = CHILLER_OFF;
        c->state_s = 0.0;
}

/* An evaporator with too little water protects itself, until someone resets it. Nobody commands that flow, so it is no
 * broken rule of a supervisor's. */
static void low_flow(struct plant *p, struct chiller *c, double dt_s)
{
        const bool low =
            c->state == CHILLER_RUNNING && !c->idle && !(c->flow_m3s >= EVAP_FLOW_MIN * p->primary_m3s) && !c->tripped;

        c->low_flow_s = low ? c->low_flow_s + dt_s : 0.0;
        if (c->low_flow_s < LOW_FLOW_S)
                return;
        c->tripped = true;
        p->meter.flow_trips++;
}

/* Recycle shut-down: a machine that has nothing to cool stops its compressor and waits for the water to warm up. */
static void recycle(struct plant *p, struct chiller *c, double dt_s)
{
        const struct water *w = &p->water;

        if (c->state != CHILLER_RUNNING) {
                c->idle = false;
                c->idle_s = 0.0;
        } else if (c->idle) {
                if (w->supply_sensor_c > w->chwst_sp_c + RESTART_K && c->start_age_s[STARTS_PER_H - 1] >= 3600.0) {
                        c->idle = false;
                        chiller_start(p, c);
                }
        } else {
                c->idle_s = w->econ_on && w->entering_c < w->chwst_sp_c + IDLE_K ? c->idle_s + dt_s : 0.0;
                c->idle = c->idle_s >= IDLE_S && c->state_s >= MIN_ON_S;
        }
}

static void chiller_plc(struct plant *p, size_t i, double dt_s)
{
        struct chiller *c = &p->chiller[i];
        bool want;

        c->lease.age_s += dt_s;
        c->state_s += dt_s;
        for (size_t k = 0; k < STARTS_PER_H; k++)
                c->start_age_s[k] += dt_s;
        if (plant_lease_alive(p, &c->lease))
                c->want = c->cmd.enable;
        else
                c->cmd.enable = c->want; /* plant_local_tick decides */
        judge_order(p, i);
        c->want_before = c->want;

        low_flow(p, c, dt_s);
        want = (c->want || c->forced) && !c->tripped;
        if (want && may_start(p, c))
                chiller_start(p, c);
        else if ((c->tripped || p->outage_s > 0.0 || p->cw_pump_failed) && c->state != CHILLER_OFF)
                chiller_stop(c);
        else if (!want && c->state != CHILLER_OFF && c->state_s >= MIN_ON_S && spare_runs(p, i))
                chiller_stop(c);
        if (c->state == CHILLER_STARTING && c->state_s >= PROVE_S)
                c->state = CHILLER_RUNNING;
        recycle(p, c, dt_s);
}

/* Chilled water too warm for too long: whoever commands, the first machine that may start is started. */
static void too_warm(struct plant *p, double dt_s)
{
        struct stage *s = &p->stage;
        const double over_k = p->water.supply_sensor_c - p->water.chwst_sp_c;

        s->late_s = over_k > LATE_K ? s->late_s + dt_s : 0.0;
        for (size_t i = 0; i < p->spec.nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                if (c->forced && c->state != CHILLER_OFF && c->state_s > FORCED_S && over_k < 0.5)
                        c->forced = false;
                if (s->late_s >= LATE_S && !c->forced && !c->want && may_start(p, c)) {
                        c->forced = true;
                        s->late_s = 0.0;
                }
        }
}

void plant_plc_step(struct plant *p, double dt_s)
{
        for (size_t i = 0; i < p->spec.ncrah; i++)
                crah_plc(p, &p->crah[i], dt_s);
        water_plc(p, dt_s);
        too_warm(p, dt_s);
        for (size_t i = 0; i < p->spec.nchiller; i++)
                chiller_plc(p, i, dt_s);
}
