/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The safety envelope of a site: every number the filter may rely on, from the site file and the point map alone. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/gate/gate_internal.h"

/* Defaults where the point map gives no max_step, per fast step. */
#define STEP_SAT_K 0.5
#define STEP_FAN_RATIO 0.05
#define STEP_WATER_K 1.0
#define STEP_CW_K 1.0
/* Without a rating a rack is taken to draw at most this. */
#define RACK_POWER_W 20000.0
/* Warmest chilled water, outdoor wet and dry bulb the terminal set reckons with. */
#define CHW_MAX_C 20.0
#define WETBULB_MAX_C 35.0
#define OAT_MAX_C 50.0

static double fallback(double v, double other)
{
        return isfinite(v) ? v : other;
}

static void envelope_u(const struct gate *g, size_t j, struct safety_u *ret)
{
        const struct site *site = g->a.site;
        const struct layout_var *v = &g->layout->u[j];
        const struct point *p = &site->point[v->point];
        const struct site_limits *lim = &site->limits;
        struct safety_u u = {.kind = SAFETY_U_CONTINUOUS, .safe_dir = p->safe_dir, .lo = p->min, .hi = p->max};
        /* a slow variable moves once per slow step, and max_step counts control steps */
        double ratio = (double)site->slow_step_ms / (double)site->fast_step_ms, per_step;

        u.step = point_resolution(p);
        u.origin = p->offset;
        switch ((enum u_kind)v->kind) {
        case U_SAT:
                u.fast = 1;
                u.rate = fallback(p->max_step, STEP_SAT_K);
                break;
        case U_FAN:
                u.fast = 1;
                u.rate = fallback(p->max_step, STEP_FAN_RATIO);
                break;
        case U_CHWST:
                u.lo = fmax(u.lo, lim->chwst_min_c);
                u.hi = fmin(u.hi, lim->chwst_max_c);
                per_step = lim->chwst_ramp_k_per_min * (double)site->slow_step_ms / 60000.0;
                u.rate = fmin(fallback(p->max_step * ratio, STEP_WATER_K), per_step);
                break;
        case U_CWST:
                u.rate = fmin(fallback(p->max_step * ratio, STEP_CW_K), STEP_CW_K);
                break;
        case U_CHILLER:
                u.kind = SAFETY_U_ONOFF;
                u.rate = 1;
                if (v->equipment >= 0) {
                        const struct equipment *e = &site->equipment[v->equipment];

                        u.capacity_w = fallback(e->capacity_w, 0);
                        u.min_on_s = fallback(e->min_on_s, 300);
                        u.min_off_s = fallback(e->min_off_s, 600);
                        u.max_starts_per_h = fallback(e->max_starts_per_h, 3);
                }
                break;
        }
        u.backup_rate = u.hi - u.lo;
        u.nominal = fallback(p->default_value, u.safe_dir > 0 ? u.hi : u.lo);
        u.nominal = fmin(fmax(u.nominal, u.lo), u.hi);
        *ret = u;
}

/* Worst plausible disturbance, for the terminal set. */
static double worst_disturbance(const struct gate *g, size_t k)
{
        const struct site *site = g->a.site;
        const struct layout_var *v = &g->layout->d[k];
        double sum = 0;

        switch ((enum d_kind)v->kind) {
        case D_RACK_POWER:
                return v->equipment >= 0 ? fallback(site->equipment[v->equipment].power_w, RACK_POWER_W) : RACK_POWER_W;
        case D_ZONE_POWER:
                for (size_t i = 0; i < site->nequipment; i++)
                        if (site->equipment[i].cls == EQ_RACK && site->equipment[i].zone == v->zone)
                                sum += fallback(site->equipment[i].power_w, RACK_POWER_W);
                return sum;
        case D_CHW_TEMP:
                return CHW_MAX_C;
        case D_WETBULB:
                return WETBULB_MAX_C;
        case D_OAT:
        case D_MAT:
        case D_RAT:
                return OAT_MAX_C;
        default:
                return 1; /* dampers, valves and fans are ratios */
        }
}

/* Every inlet; in a zone without inlet sensors the supply air, which no inlet can be cooler than. */
static bool certified(const struct layout *l, size_t i)
{
        if (l->y[i].kind != Y_SAT)
                return l->y[i].kind == Y_INLET;
        for (size_t k = 0; k < l->ny; k++)
                if (l->y[k].kind == Y_INLET && l->y[k].zone == l->y[i].zone)
                        return false;
        return true;
}

int gate_envelope_build(struct gate *g)
{
        const struct layout *l = g->layout;
        const struct site_limits *lim = &g->a.site->limits;
        size_t ncert = 0;

        g->env_u = calloc(l->nu ? l->nu : 1, sizeof *g->env_u);
        g->env_cert = calloc(l->ny ? l->ny : 1, sizeof *g->env_cert);
        g->env_d_max = calloc(l->nd ? l->nd : 1, sizeof *g->env_d_max);
        if (!g->env_u || !g->env_cert || !g->env_d_max)
                return -ENOMEM;
        for (size_t j = 0; j < l->nu; j++)
                envelope_u(g, j, &g->env_u[j]);
        for (size_t i = 0; i < l->ny; i++)
                if (certified(l, i))
                        g->env_cert[ncert++] =
                            (struct safety_y){.row = i,
                                              .hi = lim->inlet_allowable_c,
                                              .lo = (double)NAN,
                                              .trip = lim->inlet_allowable_c,
                                              .soft_k = lim->inlet_allowable_c - lim->inlet_recommended_c};
        for (size_t k = 0; k < l->nd; k++)
                g->env_d_max[k] = worst_disturbance(g, k);
        g->envelope = (struct safety_envelope){
            .nu = l->nu,
            .ny = l->ny,
            .nd = l->nd,
            .ncert = ncert,
            .u = g->env_u,
            .cert = g->env_cert,
            .d_max = g->env_d_max,
            .step_s = l->step_s,
            .horizon = GATE_HORIZON,
            .delta = GATE_DELTA,
            .reserve = GATE_RESERVE_K,
            .capacity_margin = 0.15,
            .hold_steps = (unsigned)fmax(1.0, 300.0 / l->step_s),
            .required_persist = 10,
        };
        return 0;
}
