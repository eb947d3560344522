/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Water side: variable primary and secondary loops joined by a decoupler, electric-EIR chillers (DOE-2, EnergyPlus
 * Chiller:Electric:EIR) with head-pressure control, a condenser loop and counterflow tower cells (Merkel effectiveness,
 * Braun 1989).
 */
#include <math.h>

#include "sim/plant_internal.h"

#define RATING_LEAVING_C 7.22 /* capacity_w of a specification is given here */
#define RATING_CONDENSER_C 26.67
#define LEAVING_MIN_C 4.0 /* the machine's own low-limit unloading: nothing freezes here */
#define LOAD_UP_S 120.0   /* full load up, and down, at the quickest */
#define LOAD_DOWN_S 30.0
#define SOFT_LOAD_S 300.0
#define PRIMARY_LEAK 0.05  /* least flow without the bypass */
#define TOWER_NATURAL 0.08 /* draught with the fan off */
#define TOWER_NTU 1.5
#define WATER_AIR_RATIO 1.1 /* design L/G */
#define ECON_NTU 4.0        /* balanced flows: 0.8 effective, 2 K approach at a 10 K range */
#define HEADER_SHARE 0.5    /* of the loop's water, each of the two headers */
#define STEP_SHARE 0.6      /* of a header's time constant, the longest explicit step */

/* What enters the condenser behind the head-pressure control. */
static double condenser_c(double leaving_c, double tower_c)
{
        return fmax(tower_c, leaving_c + PLANT_MIN_LIFT_K);
}

double plant_chiller_capacity_w(const struct plant *p, size_t i, double leaving_c, double tower_c)
{
        return chiller_capacity_w(p->chiller[i].curves, p->chiller[i].nominal_w, leaving_c,
                                  condenser_c(leaving_c, tower_c));
}

double plant_chiller_power_w(const struct plant *p, size_t i, double load_w, double leaving_c, double tower_c)
{
        return chiller_power_w(p->chiller[i].curves, p->chiller[i].nominal_w, load_w, leaving_c,
                               condenser_c(leaving_c, tower_c));
}

double plant_min_flow_m3s(const struct plant_spec *s)
{
        return EVAP_FLOW_MIN * s->chiller_capacity_w / (WATER_J_M3K * PRIMARY_DESIGN_K);
}

/* The most that may go through a header. */
static double header_m3s(const struct plant_spec *s)
{
        const double primary_w_k = s->chiller_capacity_w * (double)s->nchiller / PRIMARY_DESIGN_K,
                     secondary_w_k = s->crah_capacity_w * (double)s->ncrah / SECONDARY_DESIGN_K;

        return fmax(primary_w_k, secondary_w_k) / WATER_J_M3K;
}

double plant_min_volume_m3(const struct plant_spec *s)
{
        return PLANT_STEP_S * header_m3s(s) / (STEP_SHARE * HEADER_SHARE);
}

/* The site's capacity is given at one rating point, whatever the maker's own. */
static void rate_chillers(struct plant *p)
{
        const struct plant_spec *s = &p->spec;
        const struct chiller_curves *set = s->curves;
        size_t n = s->ncurves;

        if (n == 0)
                n = chiller_curves_builtin(&set);
        for (size_t i = 0; i < s->nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                c->curves = &set[i % n];
                c->nominal_w =
                    s->chiller_capacity_w / chiller_capacity_w(c->curves, 1.0, RATING_LEAVING_C, RATING_CONDENSER_C);
        }
}

void plant_water_build(struct plant *p)
{
        const struct plant_spec *s = &p->spec;
        struct water *w = &p->water;

        rate_chillers(p);
        p->header_j_k = HEADER_SHARE * s->loop_volume_m3 * WATER_J_M3K;
        p->primary_m3s = s->chiller_capacity_w / (WATER_J_M3K * PRIMARY_DESIGN_K);
        p->secondary_m3s = p->crah_water_m3s * (double)s->ncrah;
        p->cw_m3s = 1.2 * s->chiller_capacity_w / (WATER_J_M3K * 5.5);
        /* pressure · flow / efficiency */
        p->primary_w = 100e3 * p->primary_m3s / 0.7;
        p->secondary_w = 220e3 * p->secondary_m3s / 0.7;
        p->cw_pump_w = 180e3 * p->cw_m3s / 0.7;
        p->tower_fan_w = 0.014 * s->chiller_capacity_w;
        p->tower_air_kg_s = 1000.0 * p->cw_m3s / WATER_AIR_RATIO;
        if (s->economiser) {
                p->econ_m3s = p->secondary_m3s;
                p->econ_pump_w = 120e3 * p->econ_m3s / 0.7;
                p->econ_ua_w_k = ECON_NTU * p->econ_m3s * WATER_J_M3K;
        }
        p->basin_j_k = WATER_J_M3K * 4e-6 * s->chiller_capacity_w * (double)s->nchiller;

        /* the water nodes are stepped explicitly, so no step is longer than STEP_SHARE of their time constant;
         * plant_min_volume_m3 sees to it that PLANT_STEP_S is not */
        p->calm_step_s = fmin(STEP_SHARE * HEADER_SHARE * s->loop_volume_m3 / header_m3s(s), PLANT_CALM_STEP_S);

        w->supply_c = w->supply_sensor_c = w->chwst_sp_c = w->chwst_target_c = 7.0;
        w->return_c = w->entering_c = 12.0;
        w->cwst_sp_c = 24.0;
        w->primary_ratio = 1.0;
        w->basin_c = w->cw_return_c = fmax(24.0, p->now.wetbulb_c + 4.0);
        for (size_t i = 0; i < s->nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                c->state = CHILLER_RUNNING;
                c->state_s = 3600.0;
                c->want = c->want_before = true;
                c->leaving_c = 7.0;
                for (size_t k = 0; k < STARTS_PER_H; k++)
                        c->start_age_s[k] = 1e6;
        }
}

static size_t running(const struct plant *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->spec.nchiller; i++)
                n += p->chiller[i].state == CHILLER_RUNNING;
        return n;
}

/* Those that reject heat: an idle one has its condenser pump off. */
static size_t compressing(const struct plant *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->spec.nchiller; i++)
                n += p->chiller[i].state == CHILLER_RUNNING && !p->chiller[i].idle;
        return n;
}

/* Precools the return water with tower water: counterflow plate heat exchanger, effectiveness-NTU. */
static void economiser_step(struct plant *p)
{
        struct water *w = &p->water;
        const double cc = w->secondary_m3s * WATER_J_M3K, ct = p->econ_m3s * WATER_J_M3K;
        double cmin, cr, ntu, e, eff;

        w->econ_w = 0.0;
        w->precooled_c = w->return_c;
        if (!w->econ_on || cc < 1.0 || p->outage_s > 0.0 || p->cw_pump_failed)
                return;
        cmin = fmin(cc, ct);
        cr = cmin / fmax(cc, ct);
        ntu = p->econ_ua_w_k / cmin;
        e = exp(-ntu * (1.0 - cr));
        eff = cr > 0.9995 ? ntu / (1.0 + ntu) : (1.0 - e) / (1.0 - cr * e);
        w->econ_w = eff * cmin * fmax(w->return_c - w->basin_c, 0.0);
        /* a bypass keeps the water at its setpoint when the towers could cool it further */
        w->econ_w = fmin(w->econ_w, cc * fmax(w->return_c - w->chwst_sp_c, 0.0));
        w->precooled_c = w->return_c - w->econ_w / cc;
}

static void secondary(struct plant *p)
{
        struct water *w = &p->water;
        double flow = 0.0, mc = 0.0, x;

        for (size_t i = 0; i < p->spec.ncrah; i++) {
                flow += p->crah[i].water_m3s;
                mc += p->crah[i].water_m3s * p->crah[i].chw_out_c + p->crah[i].latent_w / WATER_J_M3K;
        }
        w->secondary_m3s = flow;
        w->coil_return_wc = mc;
        /* constant differential pressure at the far coil (35 %), the rest square-law */
        x = flow / p->secondary_m3s;
        w->chw_pump_w = p->outage_s > 0.0 ? 0.0 : p->secondary_w * x * (0.35 + 0.65 * x * x);
}

/* The pumps follow the coils as fast as the evaporators stand it; the bypass keeps what those need. */
static void primary(struct plant *p, size_t n, double dt_s)
{
        struct water *w = &p->water;
        double x = w->primary_ratio, target;

        if (n > 0) {
                target = clampd(w->secondary_m3s / ((double)n * p->primary_m3s),
                                p->bypass_shut ? PRIMARY_LEAK : PRIMARY_MIN, 1.0);
                x = clampd(target, x - FLOW_RAMP_S * dt_s, x + FLOW_RAMP_S * dt_s);
                w->chw_pump_w += (double)n * p->primary_w * x * (0.2 + 0.8 * x * x);
        }
        w->primary_ratio = x;
        w->primary_m3s = 0.0;
        for (size_t i = 0; i < p->spec.nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                c->flow_m3s = c->state == CHILLER_RUNNING ? p->primary_m3s * x * c->evap_ratio : 0.0;
                w->primary_m3s += c->flow_m3s;
        }
}

/* One chiller's evaporator at its flow; adds its heat to the condenser loop through load and power. */
static void chiller_step(struct plant *p, size_t i, double dt_s)
{
        const struct water *w = &p->water;
        struct chiller *c = &p->chiller[i];
        const double mc = c->flow_m3s * WATER_J_M3K;
        const double soft = clampd((c->state_s - PROVE_S) / SOFT_LOAD_S, 0.15, 1.0);
        double need;

        if (c->idle) {
                c->load_w = c->power_w = 0.0;
                c->leaving_c = w->entering_c;
                return;
        }
        c->available_w = plant_chiller_capacity_w(p, i, w->chwst_sp_c, w->basin_c);
        need = fmin(mc * (w->entering_c - w->chwst_sp_c), c->available_w * soft);
        need = clampd(need, c->load_w - c->available_w * dt_s / LOAD_DOWN_S,
                      c->load_w + c->available_w * dt_s / LOAD_UP_S);
        c->load_w = clampd(need, 0.0, fmax(mc * (w->entering_c - LEAVING_MIN_C), 0.0));
        c->leaving_c = w->entering_c - c->load_w / mc;
        c->power_w = plant_chiller_power_w(p, i, c->load_w, c->leaving_c, w->basin_c) * (1.0 + c->foul_ratio);
        c->hours += dt_s / 3600.0;
}

static double chillers_step(struct plant *p, double dt_s, double *ret_leaving_mc)
{
        double rejected = 0.0, leaving_mc = 0.0;

        for (size_t i = 0; i < p->spec.nchiller; i++) {
                struct chiller *c = &p->chiller[i];

                if (c->state == CHILLER_RUNNING) {
                        chiller_step(p, i, dt_s);
                        leaving_mc += c->flow_m3s * c->leaving_c;
                } else {
                        c->load_w = c->power_w = 0.0;
                        c->available_w = plant_chiller_capacity_w(p, i, p->water.chwst_sp_c, p->water.basin_c);
                        c->leaving_c = p->water.supply_c;
                }
                rejected += c->load_w + c->power_w;
        }
        *ret_leaving_mc = leaving_mc;
        return rejected;
}

/* Enthalpy of saturated air, kJ/kg: a cubic fit between 0 and 40 °C, below a parabola within 0.6 kJ/kg down to −25 °C.
 */
static double saturated_kj_kg(double t_c)
{
        if (t_c < 0.0)
                return 9.3625 + t_c * (1.7861 + t_c * 0.01866);
        return 9.3625 + t_c * (1.7861 + t_c * (0.01135 + t_c * 0.00098855));
}

/* Heat the tower takes from water returning at w->cw_return_c, all cells alike. */
static double tower_w(const struct plant *p, size_t cells)
{
        const struct water *w = &p->water;
        const double speed = fmax(w->tower_fan_ratio, TOWER_NATURAL);
        const double air = p->tower_air_kg_s * speed, water = 1000.0 * w->cw_m3s / (double)cells;
        const double range_k = w->cw_return_c - p->now.wetbulb_c;
        double dh, m, ntu, e, eff;

        if (!(range_k > 0.01))
                return 0.0;
        dh = saturated_kj_kg(w->cw_return_c) - saturated_kj_kg(p->now.wetbulb_c);
        m = air * dh / range_k / (water * 4.186);
        ntu = TOWER_NTU * sqrt(water / air);
        e = exp(-ntu * (1.0 - m));
        eff = fabs(1.0 - m) < 1e-3 ? ntu / (1.0 + ntu) : (1.0 - e) / (1.0 - m * e);
        return 1000.0 * (double)cells * eff * air * dh;
}

static double condenser_step(struct plant *p, size_t n, double rejected_w, double dt_s)
{
        struct water *w = &p->water;
        /* one cell more than chillers shares the water where there is one: fans at lower speed; all with the economiser
         */
        const bool econ = w->econ_on && !(p->outage_s > 0.0) && !p->cw_pump_failed;
        const size_t cells = n < p->spec.nchiller && !econ ? n + 1 : p->spec.nchiller;
        double taken;

        w->cw_m3s = (double)n * p->cw_m3s + (econ ? p->econ_m3s : 0.0);
        w->cw_pump_w = (double)n * p->cw_pump_w + (econ ? p->econ_pump_w : 0.0);
        if (n == 0 && !econ) {
                w->tower_w = 0.0;
                w->cw_return_c = w->basin_c;
                return 0.0;
        }
        w->tower_w = (double)cells * p->tower_fan_w * w->tower_fan_ratio * w->tower_fan_ratio * w->tower_fan_ratio;
        w->cw_return_c = w->basin_c + (rejected_w + w->cw_pump_w) / (w->cw_m3s * WATER_J_M3K);
        taken = tower_w(p, cells);
        w->basin_c += dt_s / p->basin_j_k * (rejected_w + w->cw_pump_w - taken);
        return taken;
}

void plant_water_step(struct plant *p, double dt_s)
{
        struct water *w = &p->water;
        const size_t n = running(p);
        double rejected, leaving_mc, through, surplus, shortage, taken;

        secondary(p);
        economiser_step(p);
        primary(p, n, dt_s);
        /* decoupler: what the primary has too much runs from supply to return, what it lacks the other way */
        through = fmin(w->primary_m3s, w->secondary_m3s);
        surplus = w->primary_m3s - through;
        shortage = w->secondary_m3s - through;
        if (w->primary_m3s > 0.0)
                w->entering_c = (through * w->precooled_c + surplus * w->supply_c) / w->primary_m3s;
        rejected = chillers_step(p, dt_s, &leaving_mc);
        taken = condenser_step(p, compressing(p), rejected + w->econ_w, dt_s);

        const double supply_c = w->supply_c;

        w->supply_c += dt_s / p->header_j_k * WATER_J_M3K *
                       (leaving_mc + shortage * w->precooled_c - (w->primary_m3s + shortage) * supply_c);
        w->return_c +=
            dt_s / p->header_j_k * (WATER_J_M3K * (w->coil_return_wc - w->secondary_m3s * w->return_c) + w->chw_pump_w);
        p->meter.heat_out += taken * dt_s;
}
