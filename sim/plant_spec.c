/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The geometry that follows from a specification. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim/plant_internal.h"

#define ROW_LENGTH 8 /* racks in a row */

static bool spec_valid(const struct plant_spec *s)
{
        const double positive[] = {s->rack_design_w,   s->crah_airflow_m3s,   s->crah_fan_w,
                                   s->crah_capacity_w, s->chiller_capacity_w, s->loop_volume_m3};

        for (size_t i = 0; i < sizeof(positive) / sizeof(positive[0]); i++)
                if (!(positive[i] > 0.0 && positive[i] < 1e9))
                        return false;
        return s->nroom >= 1 && s->nroom <= PLANT_ROOM_MAX && s->ncrah >= s->nroom && s->ncrah <= PLANT_CRAH_MAX &&
               s->nrack >= s->nroom && s->nrack <= PLANT_RACK_MAX && s->nchiller >= 1 &&
               s->nchiller <= PLANT_CHILLER_MAX && s->containment >= 0.0 && s->containment <= 1.0 &&
               s->hosts_per_rack >= 1 && s->hosts_per_rack <= 64 && s->vms <= 100000 &&
               s->loop_volume_m3 >= plant_min_volume_m3(s);
}

/* First member of a room when `total` are dealt as member i → room i·nroom/total. */
static size_t room_first(size_t room, size_t total, size_t nroom)
{
        return (room * total + nroom - 1) / nroom;
}

/* Recirculated air comes mostly over and around the rack's own top, then from its neighbours in the row and from the
 * rack across; racks at the end of a row lose more to the room. */
static void place_rack(struct plant *p, const struct room *rm, size_t k)
{
        struct rack *r = &p->rack[rm->rack0 + k];
        const size_t row = k / ROW_LENGTH, pos = k % ROW_LENGTH;
        const size_t row_end = (row + 1) * ROW_LENGTH < rm->nrack ? ROW_LENGTH - 1 : rm->nrack - 1 - row * ROW_LENGTH;
        const size_t across = row % 2 == 0 ? k + ROW_LENGTH : k - ROW_LENGTH;
        const size_t left = pos > 0 ? k - 1 : k, right = pos < row_end ? k + 1 : k;
        const size_t idx[NEIGHBOURS] = {k, left, right, pos > 1 ? k - 2 : k, across < rm->nrack ? across : k};
        const double weight[NEIGHBOURS] = {0.4, 0.2, 0.2, 0.1, 0.1};

        for (size_t i = 0; i < NEIGHBOURS; i++) {
                r->neighbour[i] = rm->rack0 + idx[i];
                r->weight[i] = weight[i];
        }
        p->air.beta0[rm->rack0 + k] = rng_range(&p->rng, 0.4, 1.0) + (pos == 0 || pos == row_end ? 0.25 : 0.0);
}

/* CRAHs stand along the row ends, spread over the room. Of the air that does not go where it is drawn (DRAWN_SHARE in
 * plant_air.c) half spreads evenly, half falls off with distance, over all racks of the room. */
static void share_air(struct plant *p, const struct room *rm)
{
        for (size_t c = 0; c < rm->ncrah; c++) {
                double *share = p->crah_share + (rm->crah0 + c) * p->share_stride;
                const double x = c % 2 == 0 ? -1.5 : (double)ROW_LENGTH + 0.5;
                const double y = ((double)c + 0.5) / (double)rm->ncrah * ceil((double)rm->nrack / ROW_LENGTH);
                double sum = 0.0;

                for (size_t k = 0; k < rm->nrack; k++) {
                        const size_t row = k / ROW_LENGTH;
                        const double dx = x - (double)(k % ROW_LENGTH), dy = 2.0 * (y - 0.5 - (double)row);

                        share[k] = exp(-sqrt(dx * dx + dy * dy) / 3.5);
                        sum += share[k];
                }
                for (size_t k = 0; k < rm->nrack; k++)
                        share[k] = 0.5 * share[k] / sum + 0.5 / (double)rm->nrack;
        }
}

static void build_rooms(struct plant *p)
{
        const struct plant_spec *s = &p->spec;

        for (size_t i = 0; i < s->nroom; i++) {
                struct room *rm = &p->room[i];

                rm->rack0 = room_first(i, s->nrack, s->nroom);
                rm->nrack = room_first(i + 1, s->nrack, s->nroom) - rm->rack0;
                rm->crah0 = room_first(i, s->ncrah, s->nroom);
                rm->ncrah = room_first(i + 1, s->ncrah, s->nroom) - rm->crah0;
                rm->hot_c = rm->hot_mean_c = 26.0;
                rm->dewpoint_c = 9.0;
                for (size_t k = 0; k < rm->nrack; k++) {
                        p->rack[rm->rack0 + k].room = i;
                        p->air.cold_c[rm->rack0 + k] = 18.5;
                        p->air.inlet_c[rm->rack0 + k] = 21.0;
                        p->air.out_c[rm->rack0 + k] = 31.0;
                        p->air.speed_ratio[rm->rack0 + k] = 1.0;
                        place_rack(p, rm, k);
                }
                for (size_t k = 0; k < rm->ncrah; k++) {
                        struct crah *c = &p->crah[rm->crah0 + k];

                        c->room = i;
                        c->sat_c = c->sat_sensor_c = c->sat_sp_c = 18.0;
                        plant_duct_fill(&c->duct, DUCT_S * s->crah_airflow_m3s, 18.0);
                        c->rat_c = rm->hot_c;
                        c->fan_ratio = c->fan_sp_ratio = 0.9;
                        c->valve_ratio = c->integral = 0.4;
                        c->chw_out_c = 13.0;
                }
        }
}

int plant_build(struct plant *p)
{
        const struct plant_spec *s = &p->spec;

        if (!spec_valid(s))
                return -EINVAL;
        if (plant_allocate(p) != 0)
                return -ENOMEM;

        /* Air: 13 K over a fully loaded rack; server fans 6 % of IT at full speed; masses in J/K per watt of design. */
        p->rack_flow_m3s = s->rack_design_w / (AIR_J_M3K * 13.0);
        p->rack_fan_w = 0.06 * s->rack_design_w;
        p->cold_j_k = 6.0 * s->rack_design_w;
        p->inlet_j_k = 2.0 * s->rack_design_w;
        p->out_j_k = 5.5 * s->rack_design_w;
        p->hot_j_k = 2.0 * s->rack_design_w;
        p->room_ua_w_k = 0.0005 * s->rack_design_w * (double)s->nrack / (double)s->nroom;
        p->coil_ua_w_k = 1.1 * s->crah_airflow_m3s * AIR_J_M3K;
        p->crah_water_m3s = s->crah_capacity_w / (WATER_J_M3K * SECONDARY_DESIGN_K);

        build_rooms(p);
        for (size_t i = 0; i < s->nroom; i++)
                share_air(p, &p->room[i]);
        return 0;
}
