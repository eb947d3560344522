/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Air side. Supply air travels from the coil to the racks in plug flow, a pure dead time that is longer with slower
 * fans. Each rack draws f m³/s through three nodes: its share of the plenum (cold), its cold aisle (inlet) and its
 * servers (outlet). The cold aisle mixes
 *
 *   s = f (1 - β - γ) of its plenum share, f β of air recirculated from neighbouring outlets, f γ of room return air,
 *
 * where β follows the geometry, the containment and the surplus of supply air, and γ is what is missing when the CRAHs
 * blow less, after leakage, than the servers draw. In steady state this is Tang's T_in = T_sup + D P, with a D that
 * depends on all flows. Supply air a rack does not take bypasses to the room's hot node.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define DRAWN_SHARE 0.3 /* of the supply air goes where servers draw, the rest by crah_share */
#define LEAK_PER_K 0.001
#define LEAK_KNEE_C 20.0
#define FAN_KNEE_C 25.0
#define FAN_PER_K 0.045 /* server airflow about +22 % at 30 °C and +45 % at 35 °C inlet: ASHRAE 2011 white paper */
#define FAN_MAX 1.9
#define FAN_LAG_S 60.0
#define BETA_MAX 0.5
#define LEAK_MIN 0.05 /* of the supply air, past cable cut-outs and gaps; more without containment */
#define LEAK_OPEN 0.3

/* Server power and airflow from the inlets of the step before; returns the air they draw. */
static double serve(struct plant *p, const struct room *rm, double dt_s)
{
        const struct air *a = &p->air;
        const double lag = dt_s / (FAN_LAG_S + dt_s), per_w = 1.0 / p->spec.rack_design_w;
        double drawn = 0.0;

        for (size_t k = rm->rack0; k < rm->rack0 + rm->nrack; k++) {
                const double inlet_c = a->inlet_c[k], use = clampd(a->host_w[k] * per_w, 0.0, 1.2);
                const double target = clampd(1.0 + FAN_PER_K * (inlet_c - FAN_KNEE_C), 1.0, FAN_MAX);
                const double ratio = a->speed_ratio[k] + (target - a->speed_ratio[k]) * lag;
                const double speed = (0.55 + 0.45 * use) * ratio, over_k = inlet_c - LEAK_KNEE_C;

                a->speed_ratio[k] = ratio;
                a->flow_m3s[k] = p->rack_flow_m3s * speed;
                a->fan_w[k] = p->rack_fan_w * speed * speed * speed;
                a->it_w[k] = a->host_w[k] * (1.0 + LEAK_PER_K * (over_k > 0.0 ? over_k : 0.0));
                drawn += a->flow_m3s[k];
        }
        return drawn;
}

struct films { /* W/K, between the coil's surface and air, and water */
        double air, water;
};

static struct films coil_films(const struct plant *p, const struct crah *c)
{
        const double xa = c->airflow_m3s / p->spec.crah_airflow_m3s, xw = c->water_m3s / p->crah_water_m3s;

        return (struct films){.air = p->coil_ua_w_k / 0.6 * sqrt(xa),
                              .water = p->coil_ua_w_k / 0.4 * sqrt(xw) * sqrt(sqrt(xw))};
}

double plant_coil_surface_c(const struct plant *p, const struct crah *c)
{
        const double ca = c->airflow_m3s * AIR_J_M3K;
        struct films h;

        if (ca < 1.0 || c->water_m3s * WATER_J_M3K <= 1.0)
                return c->rat_c;
        h = coil_films(p, c);
        return (h.air * (c->rat_c - c->coil_w / ca) + h.water * p->water.supply_c) / (h.air + h.water);
}

/* Effectiveness-NTU of a counterflow coil whose two film coefficients follow their flows. */
static void coil(struct plant *p, struct crah *c)
{
        const double ca = c->airflow_m3s * AIR_J_M3K, cw = c->water_m3s * WATER_J_M3K;

        c->coil_w = 0.0;
        c->chw_out_c = p->water.supply_c;
        if (ca < 1.0) {
                c->sat_c = c->rat_c;
                return;
        }
        if (cw > 1.0) {
                const struct films h = coil_films(p, c);
                const double cmin = fmin(ca, cw), cr = cmin / fmax(ca, cw);
                const double ntu = h.air * h.water / ((h.air + h.water) * cmin);
                const double e = exp(-ntu * (1.0 - cr));
                const double eff = cr > 0.9995 ? ntu / (1.0 + ntu) : (1.0 - e) / (1.0 - cr * e);

                c->coil_w = eff * cmin * (c->rat_c - p->water.supply_c);
                c->chw_out_c = p->water.supply_c + c->coil_w / cw;
        }
        c->sat_c = c->rat_c - (c->coil_w - c->fan_w) / ca; /* draw-through: the fan's heat is in the supply */
}

void plant_duct_fill(struct duct *d, double m3, double c)
{
        *d = (struct duct){.m3 = {m3}, .c = {c}, .n = 1};
}

double plant_duct_step(struct duct *d, double in_m3, double in_c)
{
        double left = in_m3, m3k = 0.0;
        size_t last;

        if (!(in_m3 > 0.0))
                return d->c[d->head];
        if (d->n < DUCT_PARCELS) {
                last = (d->head + d->n++) % DUCT_PARCELS;
                d->m3[last] = in_m3;
                d->c[last] = in_c;
        } else { /* thin slices: the newest two become one */
                last = (d->head + d->n - 1) % DUCT_PARCELS;
                d->c[last] = (d->m3[last] * d->c[last] + in_m3 * in_c) / (d->m3[last] + in_m3);
                d->m3[last] += in_m3;
        }
        while (d->n > 1 && d->m3[d->head] <= left) {
                left -= d->m3[d->head];
                m3k += d->m3[d->head] * d->c[d->head];
                d->head = (d->head + 1) % DUCT_PARCELS;
                d->n--;
        }
        d->m3[d->head] -= left;
        return (m3k + left * d->c[d->head]) / in_m3;
}

double plant_duct_m3k(const struct duct *d)
{
        double sum = 0.0;

        for (size_t k = 0; k < d->n; k++)
                sum += d->m3[(d->head + k) % DUCT_PARCELS] * d->c[(d->head + k) % DUCT_PARCELS];
        return sum;
}

static void crah_step(struct plant *p, struct crah *c, double return_c, double dt_s)
{
        const double s = c->fan_ratio;

        c->rat_c = return_c;
        c->fan_w = p->spec.crah_fan_w * s * s * s;
        c->water_m3s = p->outage_s > 0.0 ? 0.0 : p->crah_water_m3s * lut_at(&p->valve_flow, c->valve_ratio);
        coil(p, c);
        c->arrive_c = plant_duct_step(&c->duct, c->airflow_m3s * dt_s, c->sat_c);
}

/* What each rack's place in the room gets of the supply air, and how warm the air around its neighbours' outlets is. */
static void deliver(struct plant *p, const struct room *rm, double drawn, double supply, double supply_mc)
{
        const struct air *a = &p->air;
        const double ratio = DRAWN_SHARE * supply / drawn, ratio_c = DRAWN_SHARE * supply_mc / drawn;
        double *restrict supply_m3s = a->supply_m3s + rm->rack0, *restrict to_mc = a->supply_mc + rm->rack0;

        for (size_t k = rm->rack0; k < rm->rack0 + rm->nrack; k++) {
                const struct rack *r = &p->rack[k];
                double local_c = 0.0;

                for (size_t i = 0; i < NEIGHBOURS; i++)
                        local_c += r->weight[i] * a->out_c[r->neighbour[i]];
                a->local_c[k] = local_c;
                supply_m3s[k - rm->rack0] = ratio * a->flow_m3s[k];
                to_mc[k - rm->rack0] = ratio_c * a->flow_m3s[k];
        }
        for (size_t i = 0; i < rm->ncrah; i++) {
                const struct crah *c = &p->crah[rm->crah0 + i];
                const double *restrict share = p->crah_share + (rm->crah0 + i) * p->share_stride;
                const double m = (1.0 - DRAWN_SHARE) * c->airflow_m3s, mc = m * c->arrive_c;

                for (size_t k = 0; k < rm->nrack; k++) {
                        supply_m3s[k] += share[k] * m;
                        to_mc[k] += share[k] * mc;
                }
        }
}

/* Mixes the inlets and moves the cold, inlet and outlet nodes in the order of the flow, each fed with the mean of the
 * one before; to_hot is what a rack sends to the room's hot node, as a flow-temperature product. */
static void mix(struct plant *p, const struct room *rm, double dt_s)
{
        const double open = rm->open ? 1.0 : 1.0 - p->spec.containment, hot_c = rm->hot_c;
        const double arrives = 1.0 - LEAK_MIN - LEAK_OPEN * open;
        const double kc = dt_s * AIR_J_M3K / p->cold_j_k, ki = dt_s * AIR_J_M3K / p->inlet_j_k;
        const double ko = dt_s * AIR_J_M3K / p->out_j_k;
        const size_t k0 = rm->rack0;
        const double *restrict flow = p->air.flow_m3s + k0, *restrict supply = p->air.supply_m3s + k0;
        const double *restrict supply_mc = p->air.supply_mc + k0, *restrict local_c = p->air.local_c + k0;
        const double *restrict beta0 = p->air.beta0 + k0, *restrict it_w = p->air.it_w + k0;
        const double *restrict fan_w = p->air.fan_w + k0;
        double *restrict cold_c = p->air.cold_c + k0, *restrict inlet_c = p->air.inlet_c + k0;
        double *restrict out_c = p->air.out_c + k0, *restrict to_hot = p->air.to_hot + k0;

        for (size_t k = 0; k < rm->nrack; k++) {
                const double f = flow[k], q = supply[k], x = q / f;
                const double reach = open * beta0[k] * 2.0 / (1.0 + x * sqrt(x));
                const double beta = reach < BETA_MAX ? reach : BETA_MAX;
                const double missing = 1.0 - beta - arrives * x, gamma = missing > 0.0 ? missing : 0.0;
                const double taken = f * (1.0 - beta - gamma);
                const struct relax rc = relax(kc * q), ri = relax(ki * f), ro = relax(ko * f);
                const double dc = kc * (supply_mc[k] - q * cold_c[k]), cold = cold_c[k] + rc.psi * dc;
                const double around = f * beta * local_c[k] + f * gamma * hot_c;
                const double di = ki * (taken * cold + around - f * inlet_c[k]), inlet = inlet_c[k] + ri.psi * di;
                const double heat = (it_w[k] + fan_w[k]) * (1.0 / AIR_J_M3K);
                const double d_out = ko * (heat + f * (inlet - out_c[k])), out = out_c[k] + ro.psi * d_out;

                to_hot[k] = f * out + (q - taken) * cold - around;
                cold_c[k] += rc.phi * dc;
                inlet_c[k] += ri.phi * di;
                out_c[k] += ro.phi * d_out;
        }
}

static void room_step(struct plant *p, struct room *rm, double dt_s)
{
        const double hot_j_k = p->hot_j_k * (double)rm->nrack;
        double supply = 0.0, supply_mc = 0.0, to_hot = 0.0, drawn, g, d, return_c;
        struct relax r;

        for (size_t k = 0; k < rm->ncrah; k++) {
                struct crah *c = &p->crah[rm->crah0 + k];

                c->airflow_m3s = p->spec.crah_airflow_m3s * c->fan_ratio;
                supply += c->airflow_m3s;
        }
        /* what the hot node gave in the step before, and that step's error in the same guess: a straight line on */
        g = AIR_J_M3K * supply * dt_s;
        return_c = rm->hot_mean_c + clampd(rm->carry_j / (g > 1.0 ? g : 1.0), -1.0, 1.0);
        for (size_t k = 0; k < rm->ncrah; k++) {
                struct crah *c = &p->crah[rm->crah0 + k];

                crah_step(p, c, return_c, dt_s);
                supply_mc += c->airflow_m3s * c->arrive_c;
        }
        drawn = serve(p, rm, dt_s);
        deliver(p, rm, drawn, supply, supply_mc);
        mix(p, rm, dt_s);
        for (size_t k = rm->rack0; k < rm->rack0 + rm->nrack; k++)
                to_hot += p->air.to_hot[k];
        rm->supply_m3s = supply;
        r = relax((AIR_J_M3K * supply + p->room_ua_w_k) * dt_s / hot_j_k);
        d = dt_s / hot_j_k * (AIR_J_M3K * (to_hot - supply * rm->hot_c) + p->room_ua_w_k * (p->now.oat_c - rm->hot_c));
        rm->hot_mean_c = rm->hot_c + r.psi * d;
        rm->hot_c += r.phi * d;
        rm->carry_j += g * (rm->hot_mean_c - return_c);
}

void plant_air_step(struct plant *p, double dt_s)
{
        for (size_t i = 0; i < p->spec.nroom; i++)
                room_step(p, &p->room[i], dt_s);
}
