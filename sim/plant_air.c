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

#define EVEN_SHARE 0.3 /* of the supply air that goes where it is drawn, the rest by nearness */
#define LEAK_PER_K 0.001
#define LEAK_KNEE_C 20.0
#define FAN_KNEE_C 25.0
#define FAN_PER_K 0.045 /* server airflow about +22 % at 30 °C and +45 % at 35 °C inlet: ASHRAE 2011 white paper */
#define FAN_MAX 1.9
#define FAN_LAG_S 60.0
#define BETA_MAX 0.5
#define LEAK_MIN 0.05 /* of the supply air, past cable cut-outs and gaps; more without containment */
#define LEAK_OPEN 0.3

/* Server power and airflow from the inlet of the step before. */
static void serve(struct plant *p, struct rack *r, double dt_s)
{
        const double use = fmin(r->host_w / p->spec.rack_design_w, 1.2);
        const double target = clampd(1.0 + FAN_PER_K * (r->inlet_c - FAN_KNEE_C), 1.0, FAN_MAX);
        const double base = 0.55 + 0.45 * use;
        double speed;

        r->speed_ratio += (target - r->speed_ratio) * dt_s / (FAN_LAG_S + dt_s);
        speed = base * r->speed_ratio;
        r->flow_m3s = p->rack_flow_m3s * speed;
        r->fan_w = p->rack_fan_w * speed * speed * speed;
        r->it_w = r->host_w * (1.0 + LEAK_PER_K * fmax(r->inlet_c - LEAK_KNEE_C, 0.0));
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
                const double xa = c->airflow_m3s / p->spec.crah_airflow_m3s, xw = c->water_m3s / p->crah_water_m3s;
                const double ha = p->coil_ua_w_k / 0.6 * sqrt(xa);
                const double hw = p->coil_ua_w_k / 0.4 * sqrt(xw) * sqrt(sqrt(xw));
                const double cmin = fmin(ca, cw), cr = cmin / fmax(ca, cw);
                const double ntu = ha * hw / ((ha + hw) * cmin);
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
        c->airflow_m3s = p->spec.crah_airflow_m3s * s;
        c->fan_w = p->spec.crah_fan_w * s * s * s;
        c->water_m3s = p->outage_s > 0.0 ? 0.0 : p->crah_water_m3s * lut_at(&p->valve_flow, c->valve_ratio);
        coil(p, c);
        c->arrive_c = plant_duct_step(&c->duct, c->airflow_m3s * dt_s, c->sat_c);
}

/* Mixes one rack's inlet and moves its cold and hot nodes; returns the heat it sends to the room's hot node, as a
 * flow-temperature product. */
static double rack_step(const struct plant *p, struct rack *r, const struct room *rm, double supply_m3s,
                        double supply_mc, double dt_s)
{
        const double f = r->flow_m3s, x = supply_m3s / f;
        const double open = rm->open ? 1.0 : 1.0 - p->spec.containment;
        const double beta = fmin(open * r->beta0 * 2.0 / (1.0 + x * sqrt(x)), BETA_MAX);
        const double gamma = fmax(1.0 - beta - (1.0 - LEAK_MIN - LEAK_OPEN * open) * x, 0.0);
        const double taken = f * (1.0 - beta - gamma);
        double local_c = 0.0, to_hot;

        for (size_t i = 0; i < NEIGHBOURS; i++)
                local_c += r->weight[i] * p->rack[r->neighbour[i]].out_c;
        to_hot = f * r->out_c - f * beta * local_c + (supply_m3s - taken) * r->cold_c - f * gamma * rm->hot_c;
        r->inlet_next =
            r->inlet_c + dt_s * AIR_J_M3K / p->inlet_j_k *
                             (taken * r->cold_c + f * beta * local_c + f * gamma * rm->hot_c - f * r->inlet_c);
        r->cold_c += dt_s * AIR_J_M3K / p->cold_j_k * (supply_mc - supply_m3s * r->cold_c);
        r->supply_m3s = supply_m3s;
        return to_hot;
}

static void room_step(struct plant *p, struct room *rm, double dt_s)
{
        const double *share = p->crah_share + rm->rack0 * p->share_stride;
        double supply = 0.0, supply_mc = 0.0, drawn = 0.0, to_hot = 0.0;

        for (size_t k = 0; k < rm->ncrah; k++) {
                struct crah *c = &p->crah[rm->crah0 + k];

                crah_step(p, c, rm->hot_c, dt_s);
                supply += c->airflow_m3s;
                supply_mc += c->airflow_m3s * c->arrive_c;
        }
        for (size_t k = 0; k < rm->nrack; k++) {
                serve(p, &p->rack[rm->rack0 + k], dt_s);
                drawn += p->rack[rm->rack0 + k].flow_m3s;
        }
        for (size_t k = 0; k < rm->nrack; k++) {
                struct rack *r = &p->rack[rm->rack0 + k];
                const double even = EVEN_SHARE * r->flow_m3s / drawn;
                double q = even * supply, mc = even * supply_mc;

                for (size_t i = 0; i < rm->ncrah; i++) {
                        const struct crah *c = &p->crah[rm->crah0 + i];
                        const double m = (1.0 - EVEN_SHARE) * share[k * p->share_stride + i] * c->airflow_m3s;

                        q += m;
                        mc += m * c->arrive_c;
                }
                to_hot += rack_step(p, r, rm, q, mc, dt_s);
        }
        for (size_t k = 0; k < rm->nrack; k++) {
                struct rack *r = &p->rack[rm->rack0 + k];

                r->out_c +=
                    dt_s / p->out_j_k * (r->it_w + r->fan_w + AIR_J_M3K * r->flow_m3s * (r->inlet_c - r->out_c));
                r->inlet_c = r->inlet_next;
        }
        rm->supply_m3s = supply;
        rm->hot_before_c = rm->hot_c;
        rm->hot_c += dt_s / (p->hot_j_k * (double)rm->nrack) *
                     (AIR_J_M3K * (to_hot - supply * rm->hot_c) + p->room_ua_w_k * (p->now.oat_c - rm->hot_c));
}

void plant_air_step(struct plant *p, double dt_s)
{
        for (size_t i = 0; i < p->spec.nroom; i++)
                room_step(p, &p->room[i], dt_s);
}
