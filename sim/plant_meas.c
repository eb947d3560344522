/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Instruments. Noise is a hash of seed, channel and time, so that reading costs nothing when nobody reads, does not
 * disturb the plant, and gives the same value twice at the same moment.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define TEMP_SIGMA_K 0.05
#define TEMP_STEP_K 0.1
#define POWER_SIGMA 0.01
#define FLOW_SIGMA 0.01
#define SPIKE_EVERY 20

static uint64_t mix(uint64_t x) /* splitmix64 finaliser */
{
        x ^= x >> 30;
        x *= 0xbf58476d1ce4e5b9u;
        x ^= x >> 27;
        x *= 0x94d049bb133111ebu;
        return x ^ (x >> 31);
}

/* Near-normal, unit variance: sum of four uniforms. */
static double noise(const struct plant *p, enum channel_kind kind, size_t i, unsigned item)
{
        const uint64_t h =
            mix(mix(p->spec.seed ^ (channel_key(kind, i, item) * 0x9e3779b97f4a7c15u)) ^ (uint64_t)plant_t_ms(p));
        double sum = 0.0;

        for (unsigned k = 0; k < 4; k++)
                sum += (double)((h >> (16 * k)) & 0xffffu) / 65536.0;
        return (sum - 2.0) * 1.7320508075688772;
}

/* What the instrument makes of its right reading. */
static double sensed(const struct plant *p, double v, enum channel_kind kind, size_t i, unsigned item)
{
        const uint64_t key = channel_key(kind, i, item);

        for (size_t k = 0; k < p->nsensor_fault; k++) {
                const struct sensor_fault *f = &p->sensor_fault[k];

                if (f->key != key)
                        continue;
                switch (f->kind) {
                case SENSOR_STUCK:
                        v = f->v;
                        break;
                case SENSOR_BIAS:
                        v += f->v;
                        break;
                case SENSOR_DRIFT:
                        v += f->v * (p->elapsed_s - f->since_s) / 3600.0;
                        break;
                case SENSOR_SPIKE:
                        if (mix(mix(p->spec.seed ^ key) ^ (uint64_t)plant_t_ms(p)) % SPIKE_EVERY == 0)
                                v += f->v;
                        break;
                case SENSOR_LOST:
                        v = (double)NAN;
                        break;
                case SENSOR_FAHRENHEIT:
                        v = v * 1.8 + 32.0;
                        break;
                case SENSOR_SWAP: /* the wires are exchanged before the instrument */
                        break;
                }
        }
        return v;
}

/* The index whose wire ends at instrument i. */
static size_t wired(const struct plant *p, enum channel_kind kind, size_t i, unsigned item)
{
        for (size_t k = 0; k < p->nsensor_fault; k++)
                if (p->sensor_fault[k].kind == SENSOR_SWAP && p->sensor_fault[k].key == channel_key(kind, i, item))
                        return p->sensor_fault[k].other;
        return i;
}

static double temperature(const struct plant *p, double v, enum channel_kind kind, size_t i, unsigned item)
{
        return round(sensed(p, v + TEMP_SIGMA_K * noise(p, kind, i, item), kind, i, item) / TEMP_STEP_K) * TEMP_STEP_K;
}

static double scaled(const struct plant *p, double v, double sigma, enum channel_kind kind, size_t i, unsigned item)
{
        return sensed(p, v * (1.0 + sigma * noise(p, kind, i, item)), kind, i, item);
}

static double power(const struct plant *p, double v, enum channel_kind kind, size_t i, unsigned item)
{
        return round(scaled(p, v, POWER_SIGMA, kind, i, item));
}

double plant_inlet_reading_c(const struct plant *p, size_t rack)
{
        return temperature(p, p->air.inlet_c[wired(p, CH_RACK, rack, 0)], CH_RACK, rack, 0);
}

void plant_rack_meas(const struct plant *p, size_t i, struct plant_rack_meas *ret)
{
        const size_t metered = wired(p, CH_RACK, i, 3);
        const struct air *a = &p->air;

        *ret = (struct plant_rack_meas){
            .inlet_c = plant_inlet_reading_c(p, i),
            /* recirculated air comes over the top, so the foot of the rack sees more of the plenum */
            .inlet_low_c = temperature(p, 0.4 * a->inlet_c[i] + 0.6 * fmin(a->cold_c[i], a->inlet_c[i]), CH_RACK, i, 1),
            .outlet_c = temperature(p, a->out_c[i], CH_RACK, i, 2),
            .power_w = power(p, a->it_w[metered] + a->fan_w[metered], CH_RACK, i, 3),
        };
}

void plant_crah_meas(const struct plant *p, size_t i, struct plant_crah_meas *ret)
{
        const struct crah *c = &p->crah[i];
        const struct room *rm = &p->room[c->room];
        const double fill = rm->supply_m3s / (p->spec.crah_airflow_m3s * (double)rm->ncrah);

        *ret = (struct plant_crah_meas){
            .sat_c = temperature(p, p->crah[wired(p, CH_CRAH, i, 0)].sat_sensor_c, CH_CRAH, i, 0),
            .rat_c = temperature(p, c->rat_c, CH_CRAH, i, 1),
            .sat_sp_c = c->sat_sp_c,
            .fan_ratio = c->fan_ratio,
            .fan_cmd_ratio = c->fan_sp_ratio,
            .valve_ratio = c->valve_ratio,
            .power_w = power(p, c->fan_w, CH_CRAH, i, 2),
            /* floor tiles: square law */
            .dp_pa = sensed(p, fmax(20.0 * fill * fill + 0.2 * noise(p, CH_CRAH, i, 3), 0.0), CH_CRAH, i, 3),
            .chw_in_c = temperature(p, p->water.supply_c, CH_CRAH, i, 4),
            .chw_out_c = temperature(p, c->chw_out_c, CH_CRAH, i, 5),
            .airflow_m3s = scaled(p, c->airflow_m3s, FLOW_SIGMA, CH_CRAH, i, 6),
            .running = c->fan_ratio > 0.05,
            .alarm = c->failed,
        };
}

void plant_chiller_meas(const struct plant *p, size_t i, struct plant_chiller_meas *ret)
{
        const struct chiller *c = &p->chiller[i];
        const bool on = c->state == CHILLER_RUNNING && !c->idle;
        const struct water *w = &p->water;

        *ret = (struct plant_chiller_meas){
            .chwst_c = temperature(p, c->leaving_c, CH_CHILLER, i, 0),
            .chwrt_c = temperature(p, on ? w->entering_c : w->return_c, CH_CHILLER, i, 1),
            .cw_in_c = temperature(p, w->basin_c, CH_CHILLER, i, 2),
            .cw_out_c =
                temperature(p, on ? w->basin_c + (c->load_w + c->power_w) / (p->cw_m3s * WATER_J_M3K) : w->basin_c,
                            CH_CHILLER, i, 3),
            .power_w = power(p, c->power_w, CH_CHILLER, i, 4),
            .plr = on ? fmax(scaled(p, c->load_w / c->available_w, FLOW_SIGMA, CH_CHILLER, i, 5), 0.0) : 0.0,
            .chw_flow_m3s = scaled(p, c->flow_m3s, FLOW_SIGMA, CH_CHILLER, i, 6),
            .starts = (double)c->starts,
            .hours = c->hours,
            .running = on,
            .enabled = c->want || c->forced,
            .alarm = c->tripped,
        };
}

void plant_water_meas(const struct plant *p, struct plant_water_meas *ret)
{
        const struct water *w = &p->water;

        *ret = (struct plant_water_meas){
            .chwst_c = temperature(p, w->supply_sensor_c, CH_WATER, 0, 0),
            .chwrt_c = temperature(p, w->return_c, CH_WATER, 0, 1),
            .cwst_c = temperature(p, w->basin_c, CH_WATER, 0, 2),
            .cwrt_c = temperature(p, w->cw_return_c, CH_WATER, 0, 3),
            .chw_flow_m3s = scaled(p, w->secondary_m3s, FLOW_SIGMA, CH_WATER, 0, 4),
            .cw_flow_m3s = scaled(p, w->cw_m3s, FLOW_SIGMA, CH_WATER, 0, 5),
            .chw_pump_w = power(p, w->chw_pump_w, CH_WATER, 0, 6),
            .cw_pump_w = power(p, w->cw_pump_w, CH_WATER, 0, 7),
            .tower_w = power(p, w->tower_w, CH_WATER, 0, 8),
            .tower_fan_ratio = w->tower_fan_ratio,
            .chwst_sp_c = w->chwst_sp_c,
            .cwst_sp_c = w->cwst_sp_c,
            .econ_ratio =
                w->secondary_m3s > 0.0 && w->return_c > w->supply_c
                    ? clampd(w->econ_w / (w->secondary_m3s * WATER_J_M3K * (w->return_c - w->supply_c)), 0.0, 1.0)
                    : 0.0,
        };
}

void plant_weather_meas(const struct plant *p, struct plant_weather_meas *ret)
{
        *ret = (struct plant_weather_meas){
            .oat_c = temperature(p, p->now.oat_c, CH_WEATHER, 0, 0),
            .wetbulb_c = temperature(p, p->now.wetbulb_c, CH_WEATHER, 0, 1),
            .rh_ratio = clampd(round((p->now.rh_ratio + 0.01 * noise(p, CH_WEATHER, 0, 2)) * 100.0) / 100.0, 0.0, 1.0),
        };
}
