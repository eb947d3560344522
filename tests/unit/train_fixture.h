/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A rack, an air handler and a chiller that obey a linear law, as a site and as a dataset; test_train, test_whatif. */
#ifndef COOLPLANE_TESTS_UNIT_TRAIN_FIXTURE_H
#define COOLPLANE_TESTS_UNIT_TRAIN_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/points/layout.h"
#include "agent/store/dataset.h"
#include "models/num/rng.h"

#define STEP_MS 30000
#define T0 ((int64_t)1700000010000 / (10 * STEP_MS) * (10 * STEP_MS))
#ifndef ROWS
#define ROWS 1200
#endif
#define NOISE_C 0.03
#define CLOSES 200

static uint64_t seed;

enum {
        P_INLET,
        P_RACK,
        P_SAT,
        P_SAT_SP,
        P_FAN,
        P_VALVE,
        P_RAT,
        P_STATUS,
        P_CRAH_POWER,
        P_CHILLER_POWER,
        P_CHILLER_ON,
        P_CHWST,
        P_WETBULB,
        POINTS
};

struct world {
        struct site site;
        struct point point[POINTS];
        struct equipment equipment[4];
        struct zone zone[1];
        struct layout *l;
        double fan_factor, sat_shift_k; /* on the operator's settings, from row CLOSES on */
        double value[ROWS][POINTS];
        struct dataset ds;
};

static void add_point(struct world *w, size_t i, const char *name, enum role role, int equipment, bool writable)
{
        struct point *p = &w->point[i];
        snprintf(p->name, sizeof p->name, "%s", name);
        p->role = role;
        p->equipment = equipment;
        p->zone = equipment <= 1 ? 0 : -1;
        p->readable = true;
        p->writable = writable;
        p->device = -1;
        p->valid_min = p->valid_max = p->min = p->max = (double)NAN;
        p->scale = 1;
}

static void make_site(struct world *w)
{
        static const enum equipment_class cls[] = {EQ_RACK, EQ_CRAH, EQ_CHILLER, EQ_WEATHER};
        for (size_t k = 0; k < 4; k++) {
                w->equipment[k].cls = cls[k];
                w->equipment[k].zone = k < 2 ? 0 : -1;
                snprintf(w->equipment[k].name, sizeof w->equipment[k].name, "e%zu", k);
                w->equipment[k].capacity_w = w->equipment[k].airflow_m3s = w->equipment[k].power_w = (double)NAN;
                w->equipment[k].fan_power_w = (double)NAN;
        }
        w->equipment[1].fan_power_w = 5000.0;
        w->equipment[2].capacity_w = 200e3;
        add_point(w, P_INLET, "inlet", ROLE_INLET_TEMP, 0, false);
        add_point(w, P_RACK, "rack", ROLE_RACK_POWER, 0, false);
        add_point(w, P_SAT, "sat", ROLE_SAT, 1, false);
        add_point(w, P_SAT_SP, "sat-sp", ROLE_SAT_SP, 1, true);
        add_point(w, P_FAN, "fan", ROLE_FAN_CMD, 1, true);
        add_point(w, P_VALVE, "valve", ROLE_VALVE, 1, false);
        add_point(w, P_RAT, "rat", ROLE_RAT, 1, false);
        add_point(w, P_STATUS, "status", ROLE_CRAH_STATUS, 1, false);
        add_point(w, P_CRAH_POWER, "crah-w", ROLE_CRAH_POWER, 1, false);
        add_point(w, P_CHILLER_POWER, "chiller-w", ROLE_CHILLER_POWER, 2, false);
        add_point(w, P_CHILLER_ON, "chiller-on", ROLE_CHILLER_STATUS, 2, false);
        add_point(w, P_CHWST, "chwst", ROLE_CHWST, 2, false);
        add_point(w, P_WETBULB, "wetbulb", ROLE_WETBULB, 3, false);
        snprintf(w->zone[0].name, sizeof w->zone[0].name, "room");
        snprintf(w->site.name, sizeof w->site.name, "t");
        w->site.fast_step_ms = STEP_MS;
        w->site.slow_step_ms = 10 * STEP_MS;
        w->site.point = w->point;
        w->site.npoint = POINTS;
        w->site.equipment = w->equipment;
        w->site.nequipment = 4;
        w->site.zone = w->zone;
        w->site.nzone = 1;
        assert_int_equal(layout_create(&w->site, &w->l), 0);
        assert_int_equal(w->l->nu, 2);
        assert_int_equal(w->l->ny, 3);
}

/* Row k: what was measured during interval k. Inputs of interval k move the temperatures of interval k. */
static void simulate(struct world *w, uint64_t stream)
{
        struct rng r;
        rng_seed(&r, seed, stream);
        double sat = 20, inlet = 24, rack = 60e3, sat_sp = 20, fan = 0.7;
        for (size_t k = 0; k < ROWS; k++) {
                double *v = w->value[k];
                sat_sp = k ? fmin(fmax(sat_sp + rng_range(&r, -0.4, 0.4), 16), 24) : sat_sp;
                fan = k ? fmin(fmax(fan + rng_range(&r, -0.04, 0.04), 0.4), 1) : fan;
                v[P_SAT_SP] = k < CLOSES ? sat_sp : sat_sp + w->sat_shift_k;
                v[P_FAN] = k < CLOSES ? fan : fan * w->fan_factor;
                rack = fmin(fmax(rack + rng_range(&r, -2e3, 2e3), 40e3), 90e3);
                v[P_RACK] = rack;
                v[P_RAT] = 32;
                v[P_CHWST] = 10;
                v[P_WETBULB] = 15;
                v[P_STATUS] = 1;
                sat = 0.6 * sat + 0.4 * v[P_SAT_SP];
                inlet = 0.8 * inlet + 0.2 * sat + 0.2 * (1.0 / v[P_FAN] - 1.0 / 0.7) + 1e-5 * (rack - 10e3);
                v[P_SAT] = sat + NOISE_C * rng_normal(&r);
                v[P_INLET] = inlet + NOISE_C * rng_normal(&r);
                v[P_VALVE] = 0.5;
                v[P_CRAH_POWER] = 5000 * pow(v[P_FAN], 3);
                v[P_CHILLER_ON] = 1;
                v[P_CHILLER_POWER] = 0.2 * (rack + v[P_CRAH_POWER]);
        }
}

static void make_dataset(struct world *w)
{
        const struct layout *l = w->l;
        struct dataset *d = &w->ds;
        *d = (struct dataset){.n = ROWS, .nu = l->nu, .ny = l->ny, .nd = l->nd};
        d->y = calloc(ROWS * l->ny, sizeof(double));
        d->u = calloc(ROWS * l->nu, sizeof(double));
        d->d = calloc(ROWS * l->nd, sizeof(double));
        d->t_ms = calloc(ROWS, sizeof(int64_t));
        d->segment_start = calloc(ROWS, 1);
        d->segment_start[0] = 1;
        for (size_t k = 0; k < ROWS; k++) {
                d->t_ms[k] = T0 + (int64_t)k * STEP_MS;
                for (size_t i = 0; i < l->ny; i++)
                        d->y[k * l->ny + i] = w->value[k][l->y[i].point];
                for (size_t i = 0; i < l->nu; i++)
                        d->u[k * l->nu + i] = w->value[k][l->u[i].point];
                for (size_t i = 0; i < l->nd; i++)
                        d->d[k * l->nd + i] = w->value[k][l->d[i].point < 0 ? P_RACK : l->d[i].point];
        }
}

static struct world *world_create(double fan_factor, double sat_shift_k)
{
        struct world *w = calloc(1, sizeof *w);

        assert_non_null(w);
        w->fan_factor = fan_factor;
        w->sat_shift_k = sat_shift_k;
        make_site(w);
        simulate(w, 1);
        make_dataset(w);
        return w;
}

static void world_free(struct world *w)
{
        free(w->ds.y);
        free(w->ds.u);
        free(w->ds.d);
        free(w->ds.t_ms);
        free(w->ds.segment_start);
        layout_free(w->l);
        free(w);
}

#endif
