/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/brain_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Where the point map gives no max_step: the gate's own defaults, per step of the variable. */
#define STEP_SAT_K 0.5
#define STEP_FAN_RATIO 0.05
#define STEP_WATER_K 1.0
/* … and no dead_band. */
#define DEAD_BAND_K 0.2
#define DEAD_BAND_RATIO 0.02
/* Soft limits cost shares of what is at stake, so that small and large sites trade alike; each rack the same. */
#define INLET_WEIGHT_PER_K2 (1 / 15.0) /* one K over at one sensor of every rack, of the air handlers' capacity */
#define VALVE_TARGET 0.85
#define VALVE_WEIGHT (5 / 3.0) /* (opening above)², of this air handler's capacity */
#define IT_LOAD_RATIO 0.6      /* of the air handlers' capacity, to size the server-fan penalty */
/* Server power gained per K above the knee, fans 5–6 % of it, three times 5 % speed: of a rack whose warmest sensor is
 * above. And what servers leak per K at any inlet. */
#define KNEE_RATIO_PER_K 0.010
#define LEAK_RATIO_PER_K 0.001

static double or_else(double v, double other)
{
        return isfinite(v) ? v : other;
}

static void describe_u(const struct brain *b, const struct layout_var *v, struct plan_u *ret)
{
        const struct site *site = b->a.site;
        const struct site_limits *lim = &site->limits;
        const struct point *p = &site->point[v->point];
        /* max_step is per control step; a slow variable moves once in so many of them */
        const double steps = fmax(1.0, (double)site->slow_step_ms / (double)site->fast_step_ms);
        struct plan_u u = {.lo = p->min, .hi = p->max, .zone = v->zone, .d_rat = -1};

        switch ((enum u_kind)v->kind) {
        case U_SAT:
                u.kind = PLAN_U_SAT;
                u.rate = or_else(p->max_step, STEP_SAT_K);
                u.rated_w = plant_coil_w(site, v->equipment);
                break;
        case U_FAN:
                u.kind = PLAN_U_FAN;
                u.rate = or_else(p->max_step, STEP_FAN_RATIO);
                u.rated_w = plant_fan_w(site, v->equipment);
                break;
        case U_CHWST:
                u.kind = PLAN_U_CHWST;
                u.lo = fmax(u.lo, lim->chwst_min_c);
                u.hi = fmin(u.hi, lim->chwst_max_c);
                u.rate = fmin(or_else(p->max_step * steps, STEP_WATER_K),
                              lim->chwst_ramp_k_per_min * (double)site->slow_step_ms / 60e3);
                break;
        case U_CWST:
                u.kind = PLAN_U_CWST;
                u.rate = fmin(or_else(p->max_step * steps, STEP_WATER_K), STEP_WATER_K);
                break;
        case U_CHILLER:
                u.kind = PLAN_U_CHILLER;
                u.rate = 1.0;
                u.rated_w = plant_chiller_w(site, v->equipment);
                break;
        }
        if (u.kind == PLAN_U_SAT || u.kind == PLAN_U_FAN) {
                const double by_role = u.kind == PLAN_U_FAN ? DEAD_BAND_RATIO : DEAD_BAND_K;
                u.d_rat = layout_find_d(b->a.layout, D_RAT, v->equipment);
                u.dead_band = fmin(fmax(or_else(p->dead_band, by_role), point_resolution(p)), u.rate);
        }
        u.nominal = or_else(p->default_value, p->safe_dir > 0 ? u.hi : u.lo);
        u.nominal = fmin(fmax(u.nominal, u.lo), u.hi);
        *ret = u;
}

/* Inlet sensors of the same rack; one that belongs to none is a place of its own. */
static size_t sensors_of(const struct layout *l, int equipment)
{
        size_t n = 0;
        for (size_t i = 0; i < l->ny; i++)
                n += l->y[i].kind == Y_INLET && l->y[i].equipment == equipment;
        return equipment >= 0 && n > 0 ? n : 1;
}

/* Racks with an inlet sensor. */
static size_t racks_seen(const struct layout *l)
{
        double n = 0.0;
        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET)
                        n += 1.0 / (double)sensors_of(l, l->y[i].equipment);
        return (size_t)lround(fmax(n, 1.0));
}

static void describe_y(struct brain *b)
{
        const struct layout *l = b->a.layout;
        const struct site_limits *lim = &b->a.site->limits;
        const double capacity = plant_coils_w(b->a.site);
        const double nrack = (double)racks_seen(l);

        b->it_design_w = IT_LOAD_RATIO * capacity;
        for (size_t i = 0; i < l->ny; i++) {
                struct plan_y y = {.row = i, .knee = (double)NAN};
                if (l->y[i].kind == Y_INLET) {
                        y.kind = PLAN_Y_INLET;
                        y.target_max = lim->inlet_recommended_c - BRAIN_INLET_MARGIN_K;
                        y.weight = INLET_WEIGHT_PER_K2 * capacity / nrack;
                        y.knee = lim->it_fan_knee_c;
                        y.knee_w_per_k = KNEE_RATIO_PER_K * b->it_design_w / nrack;
                        y.leak_w_per_k =
                            LEAK_RATIO_PER_K * b->it_design_w / (nrack * (double)sensors_of(l, l->y[i].equipment));
                } else if (l->y[i].kind == Y_VALVE) {
                        y.kind = PLAN_Y_VALVE;
                        y.target_max = fmin(VALVE_TARGET, lim->valve_max_ratio);
                        y.weight = VALVE_WEIGHT * plant_coil_w(b->a.site, l->y[i].equipment);
                } else {
                        continue;
                }
                b->py[b->npy++] = y;
        }
}

int brain_setup_plan(struct brain *b)
{
        const struct layout *l = b->a.layout;
        size_t size;

        b->pu = calloc(l->nu, sizeof *b->pu);
        b->py = calloc(l->ny + 1, sizeof *b->py);
        if (!b->pu || !b->py)
                return -ENOMEM;
        for (size_t j = 0; j < l->nu; j++)
                describe_u(b, &l->u[j], &b->pu[j]);
        describe_y(b);

        plan_args_default(&b->plan_args);
        b->plan_args.seed = b->a.seed;
        b->plan_args.slow_step_s = (double)b->a.site->slow_step_ms / 1e3;
        b->plan_args.tower_approach_k = b->a.site->limits.tower_approach_k;
        for (size_t k = 0; k < l->nd; k++) {
                if (l->d[k].kind != D_CHW_TEMP)
                        continue;
                if (b->plan_args.nd_chw == 0)
                        b->plan_args.d_chw = k;
                b->plan_args.nd_chw++;
        }
        size = plan_memsize(b->model->structure, l->nu, b->npy, &b->plan_args);
        b->plan_mem = malloc(size);
        if (!b->plan_mem)
                return -ENOMEM;
        return plan_create(b->plan_mem, size, b->model->structure, b->pu, l->nu, b->py, b->npy, &b->plan_args,
                           &b->plan);
}
