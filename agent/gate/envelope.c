/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The safety envelope of a site: every number the filter may rely on, from the site file and the point map alone. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/gate/envelope.h"

/* Defaults where the point map gives no max_step, per fast step; a coarser register moves by one count. */
#define STEP_SAT_K 0.5
#define STEP_FAN_RATIO 0.05
#define STEP_WATER_K 1.0
#define STEP_CW_K 1.0
/* Defaults where the point map gives no dead_band. */
#define DEAD_BAND_K 0.2
#define DEAD_BAND_RATIO 0.02
/* Outdoor wet and dry bulb and return air the terminal set reckons with. */
#define WETBULB_MAX_C 35.0
#define OAT_MAX_C 50.0
/* Time spans, s; as steps in struct gate_spans. */
#define SPAN_HORIZON_S 360.0
#define SPAN_FIVE_MIN_S 300.0
#define SPAN_MEMORY_S (30.0 / (1 - 0.998)) /* about four hours */
#define SPAN_DAY_S 86400.0
/* Of a row that has not been fitted: several times what rooms show once they are. */
#define W_UNFITTED_K 0.5

static double steps(double span_s, double step_s, double least, double most)
{
        return fmin(fmax(ceil(span_s / step_s - 1e-9), least), most);
}

struct gate_spans gate_spans(double step_s)
{
        struct gate_spans s = {
            .horizon = (size_t)steps(SPAN_HORIZON_S, step_s, 4, 60),
            .w_horizon = (unsigned)steps(SPAN_FIVE_MIN_S, step_s, 2, ARX_HORIZON_MAX),
            .persist = (unsigned)steps(SPAN_FIVE_MIN_S, step_s, 2, 100),
            .hold = (unsigned)fmax(1, floor(SPAN_FIVE_MIN_S / step_s + 1e-9)),
            .forget = fmax(0.9, pow(1 - 30.0 / SPAN_MEMORY_S, step_s / 30)),
            .day_weight = fmin(step_s / SPAN_DAY_S, 0.1),
        };

        s.window = (s.w_horizon > 4 ? s.w_horizon : 4) + 1;
        return s;
}

double gate_rise(const struct gate_spans *span, double start, double steps, double change2)
{
        const double hour = 1 / (24 * span->day_weight);

        return sqrt((hour * start * start + steps * 9 * change2) / (hour + steps));
}

void gate_rise_learn(const struct gate_spans *span, double change, size_t over, double *steps, double *change2)
{
        const double scale = (double)span->horizon / (double)over;

        *steps = fmin(*steps + 1, 1 / span->day_weight);
        *change2 += (scale * change * change - *change2) / *steps;
}

struct arx_args gate_arx_args(const struct gate_spans *span)
{
        struct arx_args args;

        arx_args_default(&args);
        args.delta = GATE_DELTA;
        args.set = ARX_SET_ASYMPTOTIC;
        args.w_horizon = span->w_horizon;
        args.w_quantile = 0.97;
        args.w_unfitted = W_UNFITTED_K;
        args.forget = span->forget;
        args.anchor = true;
        args.track_miss = 0.02;
        args.track_step = 0.5;
        args.track_floor = 1;
        args.track_reset = 4;
        return args;
}

static double fallback(double v, double other)
{
        return isfinite(v) ? v : other;
}

static bool has_inlets(const struct layout *l, int zone)
{
        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET && l->y[i].zone == zone)
                        return true;
        return false;
}

/* Every inlet; in a zone without inlet sensors the supply air, which no inlet can be cooler than, of the air handlers
 * that we command. */
static bool certified(const struct layout *l, size_t i)
{
        if (l->y[i].kind != Y_SAT)
                return l->y[i].kind == Y_INLET;
        if (layout_find_u(l, U_SAT, l->y[i].equipment) < 0 && layout_find_u(l, U_FAN, l->y[i].equipment) < 0)
                return false;
        return !has_inlets(l, l->y[i].zone);
}

/* What chilled water k does is certified: it feeds an air handler whose supply air is, or is read by inlets that are.
 */
static bool feeds(const struct layout *l, size_t k)
{
        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_SAT && layout_chilled_water(l, l->y[i].zone) == (int)k &&
                    (certified(l, i) || has_inlets(l, l->y[i].zone)))
                        return true;
        return false;
}

/* The chilled-water reading by which the model sees what a setpoint does: its own equipment's, else the only one that
 * feeds anything, unless that is another zone's. SAFETY_NO_D: there is none, or it may be any of several. */
static size_t driven(const struct layout *l, const struct layout_var *v)
{
        const int own = layout_find_d(l, D_CHW_TEMP, v->equipment);
        size_t only = SAFETY_NO_D, n = 0;

        if (own >= 0 && feeds(l, (size_t)own))
                return SAFETY_DRIVES(own);
        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == D_CHW_TEMP && feeds(l, k)) {
                        const bool other = l->d[k].zone >= 0 && v->zone >= 0 && l->d[k].zone != v->zone;

                        only = other ? SAFETY_NO_D : SAFETY_DRIVES(k);
                        n++;
                }
        return n == 1 ? only : SAFETY_NO_D;
}

/* Smallest proposed change that is made: never below one count, never above what one step may change. Just under the
 * figure, so that a change of exactly that much is made. */
static double dead_band(const struct point *p, const struct safety_u *u, double by_role)
{
        return fmax(fallback(p->dead_band, fmin(by_role, u->rate)), u->step) * (1 - 1e-6);
}

static void envelope_u(const struct layout *l, size_t j, struct safety_u *ret)
{
        const struct site *site = l->site;
        const struct layout_var *v = &l->u[j];
        const struct point *p = &site->point[v->point];
        const struct site_limits *lim = &site->limits;
        struct safety_u u = {.kind = SAFETY_U_CONTINUOUS, .safe_dir = p->safe_dir, .lo = p->min, .hi = p->max};
        /* a slow variable moves once per slow step, and max_step counts control steps */
        double ratio = (double)site->slow_step_ms / (double)site->fast_step_ms, per_step;

        u.step = point_resolution(p);
        u.origin = point_origin(p);
        switch ((enum u_kind)v->kind) {
        case U_SAT:
                u.fast = 1;
                u.rate = fallback(p->max_step, fmax(STEP_SAT_K, u.step));
                break;
        case U_FAN:
                u.fast = 1;
                u.rate = fallback(p->max_step, fmax(STEP_FAN_RATIO, u.step));
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
                u.step = 1; /* 0 and 1 are what it has (check.c), whatever the register counts in */
                u.origin = 0;
                u.rate = 1;
                if (v->equipment >= 0) {
                        const struct equipment *e = &site->equipment[v->equipment];

                        u.capacity_w = fallback(e->capacity_w, 0);
                        u.min_on_s = fallback(e->min_on_s, 300);
                        u.min_off_s = fallback(e->min_off_s, 600);
                        u.max_starts_per_h = fallback(e->max_starts_per_h, 3);
                        u.min_flow_m3s = fallback(e->min_flow_m3s, 0);
                        u.max_flow_ramp_per_min = fallback(e->max_flow_ramp_per_min, 0);
                }
                break;
        }
        if (u.kind == SAFETY_U_CONTINUOUS)
                u.dead_band = dead_band(p, &u, v->kind == U_FAN ? DEAD_BAND_RATIO : DEAD_BAND_K);
        if (v->kind == U_CHWST) {
                u.drives_d = driven(l, v);
                u.unseen = u.drives_d == SAFETY_NO_D;
        }
        u.backup_rate = u.hi - u.lo;
        u.nominal = fallback(p->default_value, u.safe_dir > 0 ? u.hi : u.lo);
        u.nominal = fmin(fmax(u.nominal, u.lo), u.hi);
        *ret = u;
}

static double rated_w(const struct equipment *e)
{
        return fallback(e->power_w, (double)INFINITY);
}

/* Worst plausible disturbance, for the terminal set. A rack without a rating may draw anything: nothing it heats has a
 * terminal set. */
static double worst_disturbance(const struct layout *l, size_t k)
{
        const struct site *site = l->site;
        const struct layout_var *v = &l->d[k];
        double sum = 0;

        switch ((enum d_kind)v->kind) {
        case D_RACK_POWER:
                return v->equipment >= 0 ? rated_w(&site->equipment[v->equipment]) : (double)INFINITY;
        case D_ZONE_POWER:
                for (size_t i = 0; i < site->nequipment; i++)
                        if (site->equipment[i].cls == EQ_RACK && site->equipment[i].zone == v->zone)
                                sum += rated_w(&site->equipment[i]);
                return sum;
        case D_CHW_TEMP:
                return site->limits.chwst_max_c;
        case D_WETBULB:
                return WETBULB_MAX_C;
        case D_OAT:
        case D_CW_TEMP:
        case D_MAT:
        case D_RAT:
                return OAT_MAX_C;
        case D_SAT_SP: /* another controller's */
                return v->point >= 0 ? fallback(site->point[v->point].max, (double)INFINITY) : (double)INFINITY;
        case D_DAMPER:
        case D_HEAT_VALVE:
        case D_FAN:
        case D_VALVE:
                return 1; /* ratios */
        }
        return (double)INFINITY;
}

/* Setpoint v acts on machine e: its own, or one that all share. */
static bool acts_on(const struct layout *l, const struct layout_var *v, size_t e)
{
        return v->equipment < 0 || l->site->equipment[v->equipment].cls != EQ_CHILLER || v->equipment == (int)e;
}

/* What every machine between the two setpoints can lift, at any load; false: none says. */
static bool envelope_lift(const struct layout *l, size_t cw, size_t chw, struct safety_lift *ret)
{
        struct safety_lift p = {cw, chw, -(double)INFINITY, (double)INFINITY, 0};
        double idle_k = (double)INFINITY;

        for (size_t e = 0; e < l->site->nequipment; e++) {
                const struct equipment *q = &l->site->equipment[e];

                if (q->cls != EQ_CHILLER || !acts_on(l, &l->u[cw], e) || !acts_on(l, &l->u[chw], e))
                        continue;
                p.min_k = fmax(p.min_k, q->min_lift_k); /* NaN: not given */
                p.max_k = fmin(p.max_k, q->max_lift_k);
                idle_k = fmin(idle_k, fallback(q->surge_lift_k, q->max_lift_k));
        }
        if (isfinite(p.max_k))
                p.surge_less_k = p.max_k - idle_k;
        *ret = p;
        return isfinite(p.min_k) || isfinite(p.max_k);
}

static size_t envelope_lifts(const struct layout *l, struct safety_lift *ret)
{
        size_t n = 0;

        for (size_t cw = 0; cw < l->nu; cw++)
                for (size_t chw = 0; chw < l->nu && l->u[cw].kind == U_CWST; chw++)
                        if (l->u[chw].kind == U_CHWST)
                                n += envelope_lift(l, cw, chw, &ret[n]);
        return n;
}

static size_t count_u(const struct layout *l, enum u_kind kind)
{
        size_t n = 0;

        for (size_t j = 0; j < l->nu; j++)
                n += l->u[j].kind == (int)kind;
        return n;
}

int gate_envelope_build(const struct layout *l, struct gate_envelope *ret)
{
        const struct site_limits *lim = &l->site->limits;
        struct gate_spans span = gate_spans(l->step_s);
        struct gate_envelope e = {.u = calloc(l->nu + 1, sizeof *e.u),
                                  .cert = calloc(l->ny + 1, sizeof *e.cert),
                                  .lift = calloc(count_u(l, U_CWST) * count_u(l, U_CHWST) + 1, sizeof *e.lift),
                                  .d_max = calloc(l->nd + 1, sizeof *e.d_max)};
        size_t ncert = 0;

        if (!e.u || !e.cert || !e.lift || !e.d_max) {
                gate_envelope_free(&e);
                return -ENOMEM;
        }
        for (size_t j = 0; j < l->nu; j++)
                envelope_u(l, j, &e.u[j]);
        for (size_t i = 0; i < l->ny; i++)
                if (certified(l, i))
                        e.cert[ncert++] =
                            (struct safety_y){.row = i,
                                              .hi = lim->inlet_allowable_c,
                                              .trip = lim->inlet_allowable_c,
                                              .soft_k = lim->inlet_allowable_c - lim->inlet_recommended_c};
        for (size_t k = 0; k < l->nd; k++)
                e.d_max[k] = worst_disturbance(l, k);
        e.safety = (struct safety_envelope){
            .nu = l->nu,
            .ny = l->ny,
            .nd = l->nd,
            .ncert = ncert,
            .u = e.u,
            .cert = e.cert,
            .d_max = e.d_max,
            .nlift = envelope_lifts(l, e.lift),
            .lift = e.lift,
            .step_s = l->step_s,
            .horizon = span.horizon,
            .delta = GATE_DELTA,
            .reserve = GATE_RESERVE_K,
            .capacity_margin = 0.15,
            .hold_steps = span.hold,
            .required_persist = span.persist,
        };
        *ret = e;
        return 0;
}

void gate_envelope_free(struct gate_envelope *e)
{
        free(e->u);
        free(e->cert);
        free(e->lift);
        free(e->d_max);
        *e = (struct gate_envelope){0};
}
