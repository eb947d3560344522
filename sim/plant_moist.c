/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Moisture, once a minute: each room's air is one volume that the make-up unit renews slowly, and coils colder than the
 * dew point dry it. Condensing air gives its latent heat to the chilled water. The vapour came in with make-up air, so
 * to the balance of heat (which knows dry air only) that heat comes from outside.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define MAKE_UP_S (6.0 * 3600.0) /* one air change (design) */
#define MAKE_UP_MIN_C 5.0        /* dew points between which the make-up unit keeps the air (design) */
#define MAKE_UP_MAX_C 13.0
#define ROOM_M3 9.0 /* of a rack's share of the room: 2.5 m² by 3.5 m (design) */
#define AIR_KG_M3 1.2
#define VAPOUR_J_KG 2.5e6
#define PRESSURE_PA 101325.0

/* Magnus form over water; the weather's dew points are exact, this one has to be turned around in every room. */
static double humidity_ratio(double dewpoint_c)
{
        const double pa = 611.2 * exp(17.62 * dewpoint_c / (243.12 + dewpoint_c));

        return 0.622 * pa / (PRESSURE_PA - pa);
}

static double dewpoint(double ratio)
{
        const double x = log(PRESSURE_PA * ratio / (0.622 + ratio) / 611.2);

        return 243.12 * x / (17.62 - x);
}

/* One implicit step: a room's air changes many times a minute through its coils, whose surface is then what decides. A
 * coil that is wet meets the air with half of its length, which gets warmer toward the return air. */
static void room_moisture(struct plant *p, struct room *rm)
{
        const double m3 = ROOM_M3 * (double)rm->nrack, in = PLANT_TICK_S / MAKE_UP_S;
        const double make_up_c = clampd(p->now.dewpoint_c, MAKE_UP_MIN_C, MAKE_UP_MAX_C);
        double sum = humidity_ratio(rm->dewpoint_c) + in * humidity_ratio(make_up_c), weight = 1.0 + in, ratio;

        for (size_t k = rm->crah0; k < rm->crah0 + rm->ncrah; k++) {
                struct crah *c = &p->crah[k];
                const double surface_c = plant_coil_surface_c(p, c);

                c->drying = 0.0;
                if (!(surface_c < rm->dewpoint_c))
                        continue;
                c->drying = 0.5 * c->airflow_m3s * PLANT_TICK_S / m3;
                sum += c->drying * humidity_ratio(surface_c);
                weight += c->drying;
        }
        ratio = sum / weight;
        for (size_t k = rm->crah0; k < rm->crah0 + rm->ncrah; k++) {
                struct crah *c = &p->crah[k];
                const double over = c->drying > 0.0 ? ratio - humidity_ratio(plant_coil_surface_c(p, c)) : 0.0;

                c->latent_w = fmax(c->drying * over, 0.0) * m3 * AIR_KG_M3 * VAPOUR_J_KG / PLANT_TICK_S;
        }
        rm->dewpoint_c = dewpoint(ratio);
}

void plant_moist_tick(struct plant *p)
{
        for (size_t i = 0; i < p->spec.nroom; i++)
                room_moisture(p, &p->room[i]);
}
