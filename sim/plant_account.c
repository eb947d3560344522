/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Energy, exposure and the balance that shows the plant neither makes nor loses heat. */
#include <math.h>
#include <string.h>

#include "sim/plant_internal.h"

#define HARD_INLET_C 32.0
#define WARM_INLET_C 27.0
#define J_PER_KWH 3.6e6

static double stored_j(const struct plant *p)
{
        double j = p->header_j_k * (p->water.supply_c + p->water.return_c) + p->basin_j_k * p->water.basin_c;

        for (size_t i = 0; i < p->spec.nrack; i++)
                j += p->cold_j_k * p->air.cold_c[i] + p->inlet_j_k * p->air.inlet_c[i] + p->out_j_k * p->air.out_c[i];
        for (size_t i = 0; i < p->spec.ncrah; i++)
                j += AIR_J_M3K * plant_duct_m3k(&p->crah[i].duct);
        for (size_t i = 0; i < p->spec.nroom; i++)
                j += p->hot_j_k * (double)p->room[i].nrack * p->room[i].hot_c + p->room[i].carry_j;
        return j;
}

const char *plant_rule_str(enum plant_rule rule)
{
        static const char *const text[] = {
            [PLANT_RULE_INLET] = "inlet above 32 °C",
            [PLANT_RULE_MIN_ON] = "ordered off too soon after its start",
            [PLANT_RULE_LAST_RUNNING] = "ordered off with no other running",
            [PLANT_RULE_MIN_OFF] = "ordered on too soon after its stop",
            [PLANT_RULE_STARTS] = "ordered on with no start left in the hour",
        };

        return (unsigned)rule < sizeof text / sizeof text[0] ? text[rule] : "?";
}

static bool is_worse(enum plant_rule rule, double value, double than)
{
        return rule == PLANT_RULE_INLET ? value > than : value < than;
}

void plant_violation(struct plant *p, enum plant_rule rule, size_t index, double value, uint64_t n)
{
        size_t k = 0;

        p->meter.violations += n;
        if (!p->taken_over)
                return;
        p->violations_since_takeover += n;
        while (k < p->nbreach && !(p->breach[k].rule == rule && p->breach[k].index == index))
                k++;
        if (k == PLANT_BREACHES_MAX)
                return;
        if (k == p->nbreach)
                p->breach[p->nbreach++] =
                    (struct plant_breach){.rule = rule, .index = index, .t_ms = plant_t_ms(p), .worst = value};
        p->breach[k].steps += n;
        if (is_worse(rule, value, p->breach[k].worst))
                p->breach[k].worst = value;
}

size_t plant_breaches(const struct plant *p, const struct plant_breach **ret)
{
        *ret = p->breach;
        return p->nbreach;
}

void plant_account_step(struct plant *p, double dt_s)
{
        struct meters *m = &p->meter;
        double it = 0.0, fan = 0.0, crah = 0.0, latent = 0.0, chiller = 0.0, hottest = -100.0;
        /* in a calm step as often as in the short ones it stands for */
        const uint64_t often = (uint64_t)fmax(1.0, round(dt_s / PLANT_STEP_S));

        for (size_t i = 0; i < p->spec.nrack; i++) {
                const double inlet_c = p->air.inlet_c[i];

                it += p->air.it_w[i];
                fan += p->air.fan_w[i];
                hottest = inlet_c > hottest ? inlet_c : hottest;
                if (!(inlet_c <= HARD_INLET_C))
                        plant_violation(p, PLANT_RULE_INLET, i, inlet_c, often);
                if (inlet_c > WARM_INLET_C) {
                        m->degmin27 += (inlet_c - WARM_INLET_C) * dt_s / 60.0;
                        m->degmin32 += fmax(inlet_c - HARD_INLET_C, 0.0) * dt_s / 60.0;
                }
        }
        for (size_t i = 0; i < p->spec.ncrah; i++) {
                crah += p->crah[i].fan_w;
                latent += p->crah[i].latent_w;
        }
        for (size_t i = 0; i < p->spec.nchiller; i++)
                chiller += p->chiller[i].power_w;
        m->time_s += dt_s;
        m->econ_s += p->water.econ_on ? dt_s : 0.0;
        m->econ_alone_s += p->water.econ_on && !(chiller > 0.0) ? dt_s : 0.0;
        m->it += it * dt_s;
        m->it_fan += fan * dt_s;
        m->crah += crah * dt_s;
        m->chiller += chiller * dt_s;
        m->pump += (p->water.chw_pump_w + p->water.cw_pump_w) * dt_s;
        m->tower += p->water.tower_w * dt_s;
        m->max_inlet_c = fmax(m->max_inlet_c, hottest);
        m->peak_inlet_c = fmax(m->peak_inlet_c, hottest);
        m->latent += latent * dt_s;
        m->heat_in += (it + fan + crah + latent + chiller + p->water.chw_pump_w + p->water.cw_pump_w) * dt_s;
        for (size_t i = 0; i < p->spec.nroom; i++)
                m->heat_in += p->room_ua_w_k * (p->now.oat_c - p->room[i].hot_mean_c) * dt_s;
}

static void dewpoint_tick(struct plant *p)
{
        struct meters *m = &p->meter;

        for (size_t i = 0; i < p->spec.nroom; i++) {
                const struct room *rm = &p->room[i];
                double coldest_c = (double)INFINITY;

                for (size_t k = rm->crah0; k < rm->crah0 + rm->ncrah; k++) {
                        const struct crah *c = &p->crah[k];

                        if (c->airflow_m3s > 0.0)
                                coldest_c = fmin(coldest_c, c->arrive_c);
                        if (plant_coil_surface_c(p, c) < rm->dewpoint_c)
                                m->wet_coil_min += PLANT_TICK_S / 60.0;
                }
                if (coldest_c < rm->dewpoint_c + PLANT_DRY_K)
                        m->cold_surface_min += PLANT_TICK_S / 60.0;
                m->max_dewpoint_c = fmax(m->max_dewpoint_c, rm->dewpoint_c);
        }
}

/* Adds what moved since the look before; `first`: there was none. */
static void travel_tick(struct plant *p, bool first)
{
        struct meters *m = &p->meter;
        const double share = first ? 0.0 : 1.0 / (double)p->spec.ncrah;

        for (size_t i = 0; i < p->spec.ncrah; i++) {
                struct crah *c = &p->crah[i];

                m->sat_travel_k += share * fabs(c->sat_sp_c - c->seen_sat_c);
                m->fan_travel_ratio += share * fabs(c->fan_sp_ratio - c->seen_fan_ratio);
                m->valve_travel_ratio += share * fabs(c->valve_ratio - c->seen_valve_ratio);
                c->seen_sat_c = c->sat_sp_c;
                c->seen_fan_ratio = c->fan_sp_ratio;
                c->seen_valve_ratio = c->valve_ratio;
        }
        m->chwst_travel_k += first ? 0.0 : fabs(p->water.chwst_sp_c - p->water.seen_chwst_c);
        p->water.seen_chwst_c = p->water.chwst_sp_c;
}

double plant_take_peak_inlet_c(struct plant *p)
{
        const double peak_c = p->meter.peak_inlet_c;

        p->meter.peak_inlet_c = -100.0;
        return peak_c;
}

void plant_account_tick(struct plant *p)
{
        struct meters *m = &p->meter;
        const size_t n = p->spec.nrack;
        double *restrict least_c = p->air.local_c, *restrict most_c = p->air.to_hot; /* both made anew in each step */

        memcpy(p->air.minute_c + p->minute % RISE_SLOTS * n, p->air.inlet_c, n * sizeof(double));
        memcpy(least_c, p->air.inlet_c, n * sizeof(double));
        memcpy(most_c, p->air.inlet_c, n * sizeof(double));
        for (size_t k = 0; k < RISE_SLOTS; k++) {
                const double *restrict then = p->air.minute_c + k * n;

                for (size_t i = 0; i < n; i++) {
                        least_c[i] = then[i] < least_c[i] ? then[i] : least_c[i];
                        most_c[i] = then[i] > most_c[i] ? then[i] : most_c[i];
                }
        }
        for (size_t i = 0; i < n; i++) {
                m->max_rise_k = fmax(m->max_rise_k, p->air.inlet_c[i] - least_c[i]);
                m->max_swing_k = fmax(m->max_swing_k, most_c[i] - least_c[i]);
        }
        dewpoint_tick(p);
        travel_tick(p, false);
}

void plant_account_reset(struct plant *p)
{
        p->meter = (struct meters){
            .stored_at_reset = stored_j(p), .max_inlet_c = -100.0, .peak_inlet_c = -100.0, .max_dewpoint_c = -100.0};
        travel_tick(p, true);
        for (size_t i = 0; i < p->spec.nroom; i++)
                p->meter.max_dewpoint_c = fmax(p->meter.max_dewpoint_c, p->room[i].dewpoint_c);
        for (size_t i = 0; i < p->spec.nrack; i++) {
                p->meter.max_inlet_c = fmax(p->meter.max_inlet_c, p->air.inlet_c[i]);
                for (size_t k = 0; k < RISE_SLOTS; k++)
                        p->air.minute_c[k * p->spec.nrack + i] = p->air.inlet_c[i];
        }
}

void plant_account(const struct plant *p, struct plant_account *ret)
{
        const struct meters *m = &p->meter;
        const double residual = m->heat_in - m->heat_out - (stored_j(p) - m->stored_at_reset);
        const double cooling = m->crah + m->chiller + m->pump + m->tower;

        *ret = (struct plant_account){
            .hours = m->time_s / 3600.0,
            .econ_hours = m->econ_s / 3600.0,
            .econ_alone_hours = m->econ_alone_s / 3600.0,
            .it_kwh = m->it / J_PER_KWH,
            .it_fan_kwh = m->it_fan / J_PER_KWH,
            .crah_fan_kwh = m->crah / J_PER_KWH,
            .chiller_kwh = m->chiller / J_PER_KWH,
            .pump_kwh = m->pump / J_PER_KWH,
            .tower_kwh = m->tower / J_PER_KWH,
            .cooling_kwh = cooling / J_PER_KWH,
            .total_kwh = (m->it + m->it_fan + cooling) / J_PER_KWH,
            .max_inlet_c = m->max_inlet_c,
            .degmin27 = m->degmin27,
            .degmin32 = m->degmin32,
            .max_rise_15min_k = m->max_rise_k,
            .max_dewpoint_c = m->max_dewpoint_c,
            .cold_surface_min = m->cold_surface_min,
            .wet_coil_min = m->wet_coil_min,
            .latent_kwh = m->latent / J_PER_KWH,
            .hard_violations = m->violations,
            .hard_violations_since_takeover = p->violations_since_takeover,
            .chiller_starts = m->starts,
            .migrations = m->migrations,
            .flow_trips = m->flow_trips,
            .stored_kwh = (stored_j(p) - m->stored_at_reset) / J_PER_KWH,
            .max_swing_15min_k = m->max_swing_k,
            .sat_travel_k = m->sat_travel_k,
            .fan_travel_ratio = m->fan_travel_ratio,
            .valve_travel_ratio = m->valve_travel_ratio,
            .chwst_travel_k = m->chwst_travel_k,
            .energy_residual_ratio = m->heat_in == 0.0 ? 0.0 : fabs(residual / m->heat_in), /* NaN stays NaN */
        };
}
