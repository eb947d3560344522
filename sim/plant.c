/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim/plant_internal.h"

#define WARM_UP_S 7200.0
#define QUIET_S 300.0
#define QUIET_K 0.25     /* of return air, from the mean of a step to its end */
#define QUIET_RATIO 0.02 /* of a commanded fan, from its speed, and */
#define QUIET_SP_K 0.3   /* of a commanded setpoint, from the one in force: asked for no farther than this */

/* Installed characteristic of an equal-percentage valve (rangeability 50) at authority 0.5, so that half open is well
 * over a third of the flow; closes tight. */
static double valve_flow(double x)
{
        const double phi = pow(50.0, x - 1.0);

        return x < 0.01 ? 0.0 : 1.0 / sqrt(1.0 + 0.5 * (1.0 / (phi * phi) - 1.0));
}

/* Share of dynamic power at CPU use u (Fan, Weber, Barroso 2007, eq. 2), close to SPECpower's concave curves. */
static double host_curve(double u)
{
        return 2.0 * u - pow(u, 1.4);
}

static void one_step(struct plant *p, double dt_s)
{
        p->tick_s += dt_s;
        p->elapsed_s += dt_s;
        plant_moves_step(p, dt_s);
        if (p->tick_s >= PLANT_TICK_S - 1e-6) {
                p->tick_s = fmax(p->tick_s - PLANT_TICK_S, 0.0);
                p->minute++;
                weather_at(p->weather, plant_t_ms(p), &p->now);
                p->now.oat_c += p->heat_k;
                p->now.wetbulb_c += p->heat_k;
                plant_it_tick(p);
                plant_moist_tick(p);
                plant_local_tick(p);
                plant_account_tick(p);
        }
        p->outage_s = fmax(p->outage_s - dt_s, 0.0);
        plant_plc_step(p, dt_s);
        plant_air_step(p, dt_s);
        plant_water_step(p, dt_s);
        plant_account_step(p, dt_s);
}

int plant_create(const struct plant_spec *spec, const struct weather *w, const struct workload *load, int64_t start_ms,
                 struct plant **ret)
{
        struct plant *p = calloc(1, sizeof(*p));
        int r;

        if (p == NULL)
                return -ENOMEM;
        p->spec = *spec;
        p->weather = w;
        p->load = load;
        p->local = PLANT_LOCAL_FIXED;
        rng_seed(&p->rng, spec->seed, 0x706c616eu);
        for (size_t i = 0; i <= LUT_N; i++) {
                p->valve_flow.y[i] = valve_flow((double)i / LUT_N);
                p->host_curve.y[i] = host_curve((double)i / LUT_N);
        }
        r = plant_build(p);
        if (r != 0) {
                (void)plant_free(p);
                return r;
        }
        plant_faults_clear(p);
        plant_it_build(p);
        p->start_ms = start_ms - (int64_t)(WARM_UP_S * 1000.0);
        weather_at(w, p->start_ms, &p->now);
        plant_water_build(p);
        plant_local_reset(p);
        plant_it_tick(p);
        plant_advance(p, WARM_UP_S);
        p->start_ms = start_ms;
        p->elapsed_s = 0.0;
        plant_account_reset(p);
        *ret = p;
        return 0;
}

const struct plant_spec *plant_spec(const struct plant *p)
{
        return &p->spec;
}

static bool far(double a, double b, double most)
{
        return isfinite(a) && fabs(a - b) > most;
}

/* A supervisor asks for something that is not in force yet. */
static bool asked(const struct plant *p)
{
        const struct water *w = &p->water;
        bool yes = plant_lease_alive(p, &w->lease) && (far(w->cmd.chwst_sp_c, w->chwst_sp_c, QUIET_SP_K) ||
                                                       far(w->cmd.cwst_sp_c, w->cwst_sp_c, QUIET_SP_K));

        for (size_t i = 0; i < p->spec.ncrah && !yes; i++) {
                const struct crah *c = &p->crah[i];

                yes = plant_lease_alive(p, &c->lease) && (far(c->cmd.sat_sp_c, c->sat_sp_c, QUIET_SP_K) ||
                                                          far(c->cmd.fan_ratio, c->fan_ratio, QUIET_RATIO));
        }
        for (size_t i = 0; i < p->spec.nchiller && !yes; i++)
                yes = plant_lease_alive(p, &p->chiller[i].lease) && p->chiller[i].cmd.enable != p->chiller[i].want;
        return yes;
}

/* Nothing is broken, nothing asked for that is not in force, no machine has started or stopped lately and no
 * temperature runs away: a supervisor that holds or trims its setpoints disturbs no more than the plant's own logic. */
static bool calm(const struct plant *p)
{
        bool busy = p->outage_s > 0.0 || p->tower_failed || p->cw_pump_failed || p->bypass_shut || asked(p);

        for (size_t i = 0; i < p->spec.ncrah && !busy; i++)
                busy = p->crah[i].failed || p->crah[i].deaf || isfinite(p->crah[i].stuck_ratio);
        for (size_t i = 0; i < p->spec.nchiller && !busy; i++)
                busy = p->chiller[i].tripped || p->chiller[i].evap_ratio < 1.0 || p->chiller[i].state_s < QUIET_S;
        for (size_t i = 0; i < p->spec.nroom && !busy; i++)
                busy = p->room[i].open || fabs(p->room[i].hot_c - p->room[i].hot_mean_c) > QUIET_K;
        return !busy;
}

void plant_advance(struct plant *p, double dt_s)
{
        const double end_s = p->elapsed_s + dt_s;

        if (!(dt_s > 0.0))
                return;
        while (end_s - p->elapsed_s > 1e-6) {
                const double span_s = fmin(end_s - p->elapsed_s, PLANT_TICK_S - p->tick_s);
                double step_s = PLANT_STEP_S;

                p->quiet_s = calm(p) ? p->quiet_s : 0.0;
                if (p->quiet_s >= QUIET_S)
                        step_s = p->calm_step_s;
                step_s = span_s / ceil(span_s / step_s - 1e-9);
                one_step(p, step_s);
                p->quiet_s += step_s;
        }
        p->elapsed_s = end_s; /* no drift from summing */
}

int64_t plant_t_ms(const struct plant *p)
{
        return p->start_ms + llround(p->elapsed_s * 1000.0);
}

double plant_true_inlet_c(const struct plant *p, size_t rack)
{
        return p->air.inlet_c[rack];
}

double plant_dewpoint_c(const struct plant *p, size_t room)
{
        return p->room[room].dewpoint_c;
}
