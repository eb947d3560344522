/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

#include <errno.h>
#include <math.h>

#define GRID_MAX 1e9 /* largest step count from origin: keeps the grid exact in a double */

static double grid_of(const struct safety_u *u, double v)
{
        double q = (v - u->origin) / u->step;
        double r = round(q);
        return fabs(q - r) <= SAFETY_SNAP ? r : q;
}

static double grid_min(const struct safety_u *u)
{
        return ceil((u->lo - u->origin) / u->step - 1e-9);
}

static double grid_max(const struct safety_u *u)
{
        return floor((u->hi - u->origin) / u->step + 1e-9);
}

static const char *check_grid(const struct safety_u *u)
{
        if (!(isfinite(u->step) && u->step >= 0))
                return "u.step";
        if (!isfinite(u->origin))
                return "u.origin";
        if (u->step == 0)
                return NULL;
        if (!(fabs(u->lo - u->origin) / u->step <= GRID_MAX && fabs(u->hi - u->origin) / u->step <= GRID_MAX))
                return "u.step";
        if (!(grid_min(u) <= grid_max(u)))
                return "u.origin";
        return NULL;
}

static const char *check_continuous(const struct safety_u *u)
{
        if (!(isfinite(u->rate) && u->rate >= 0))
                return "u.rate";
        if (u->rate > 0 && u->rate < u->step * (1 - 1e-9)) /* could never move */
                return "u.rate";
        if (!(isfinite(u->dead_band) && u->dead_band >= 0))
                return "u.dead_band";
        if (u->unseen && (u->safe_dir != -1 || u->drives_d != SAFETY_NO_D))
                return "u.unseen";
        if (u->safe_dir != 0 && u->hi > u->lo && !(isfinite(u->backup_rate) && u->backup_rate > 0))
                return "u.backup_rate";
        return NULL;
}

static const char *check_onoff(const struct safety_u *u)
{
        if (u->safe_dir != 1)
                return "u.safe_dir";
        if (!(u->lo == 0 && u->hi == 1))
                return "u.lo";
        if (u->step != 1 || u->origin != 0)
                return "u.step";
        if (!(isfinite(u->capacity_w) && u->capacity_w >= 0))
                return "u.capacity_w";
        if (!(isfinite(u->min_on_s) && u->min_on_s >= 0))
                return "u.min_on_s";
        if (!(isfinite(u->min_off_s) && u->min_off_s >= 0))
                return "u.min_off_s";
        if (!(u->max_starts_per_h >= 1 && u->max_starts_per_h <= SAFETY_STARTS_MAX))
                return "u.max_starts_per_h";
        if (!(isfinite(u->min_flow_m3s) && u->min_flow_m3s >= 0))
                return "u.min_flow_m3s";
        if (!(isfinite(u->max_flow_ramp_per_min) && u->max_flow_ramp_per_min >= 0))
                return "u.max_flow_ramp_per_min";
        return NULL;
}

const char *safety_u_check(const struct safety_u *u)
{
        const char *what;
        if (u->kind != SAFETY_U_CONTINUOUS && u->kind != SAFETY_U_ONOFF)
                return "u.kind";
        if (!(u->safe_dir >= -1 && u->safe_dir <= 1))
                return "u.safe_dir";
        if (!(isfinite(u->lo) && isfinite(u->hi) && u->lo <= u->hi))
                return "u.lo";
        what = check_grid(u);
        if (!what && !(u->nominal >= u->lo && u->nominal <= u->hi))
                what = "u.nominal";
        if (!what)
                what = u->kind == SAFETY_U_ONOFF ? check_onoff(u) : check_continuous(u);
        return what;
}

static const char *check_cert(const struct safety_envelope *e, size_t i)
{
        const struct safety_y *c = &e->cert[i];
        if (c->row >= e->ny)
                return "cert.row";
        for (size_t k = 0; k < i; k++) {
                if (e->cert[k].row == c->row)
                        return "cert.row";
        }
        if (isinf(c->hi) || (isnan(c->hi) && isnan(c->trip)))
                return "cert.hi";
        if (isinf(c->trip) || c->trip < c->hi)
                return "cert.trip";
        if (!(c->soft_k >= 0 && c->soft_k < 1000))
                return "cert.soft_k";
        return NULL;
}

/* The coldest water must be in reach, at any load, and some pair inside both boxes. */
static const char *check_lift(const struct safety_envelope *e, const struct safety_lift *p)
{
        const struct safety_u *cw, *chw;
        double least_k;
        if (!(p->cw < e->nu && e->u[p->cw].kind == SAFETY_U_CONTINUOUS))
                return "lift.cw";
        if (!(p->chw < e->nu && p->chw != p->cw && e->u[p->chw].kind == SAFETY_U_CONTINUOUS &&
              e->u[p->chw].safe_dir == -1))
                return "lift.chw";
        cw = &e->u[p->cw];
        chw = &e->u[p->chw];
        if (!(p->min_k <= p->max_k && p->min_k <= cw->hi - chw->lo))
                return "lift.min_k";
        if (!(p->max_k >= cw->lo - chw->lo))
                return "lift.max_k";
        least_k = fmax(p->min_k, cw->lo - chw->lo) - SAFETY_LIFT_TOL_K;
        if (!(isfinite(p->surge_less_k) && p->surge_less_k >= 0 && p->max_k - p->surge_less_k >= least_k))
                return "lift.surge_less_k";
        return NULL;
}

static const char *check_scalars(const struct safety_envelope *e)
{
        if (e->nu < 1 || !e->u)
                return "nu";
        if (e->ny < 1)
                return "ny";
        if (e->ncert < 1 || !e->cert)
                return "ncert";
        if (e->nd > 0 && !e->d_max)
                return "d_max";
        if (e->nlift > 0 && !e->lift)
                return "nlift";
        if (!(isfinite(e->step_s) && e->step_s > 0))
                return "step_s";
        if (!(e->horizon >= 1 && e->horizon <= 1000))
                return "horizon";
        if (!(e->capacity_margin >= 0 && e->capacity_margin <= 10))
                return "capacity_margin";
        if (!(e->reserve >= 0 && e->reserve < 1000))
                return "reserve";
        if (!((double)e->hold_steps * e->step_s <= 300))
                return "hold_steps";
        if (!(e->delta >= 0 && e->delta < 1))
                return "delta";
        return NULL;
}

int safety_envelope_validate(const struct safety_envelope *e, const char **reterr_what, size_t *reterr_index)
{
        const char *what = check_scalars(e);
        size_t index = 0;
        for (size_t j = 0; !what && j < e->nu; j++) {
                what = safety_u_check(&e->u[j]);
                if (!what && e->u[j].drives_d != SAFETY_NO_D &&
                    (e->u[j].drives_d > e->nd || e->u[j].kind != SAFETY_U_CONTINUOUS || e->u[j].safe_dir != -1))
                        what = "u.drives_d";
                index = j;
        }
        for (size_t i = 0; !what && i < e->ncert; i++) {
                what = check_cert(e, i);
                index = i;
        }
        for (size_t i = 0; !what && i < e->nlift; i++) {
                what = check_lift(e, &e->lift[i]);
                index = i;
        }
        for (size_t d = 0; !what && d < e->nd; d++) {
                what = e->d_max[d] > -(double)INFINITY ? NULL : "d_max";
                index = d;
        }
        if (!what)
                return 0;
        *reterr_what = what;
        *reterr_index = index;
        return -EINVAL;
}

bool limits_less_cooling(const struct safety_u *u, double a, double than)
{
        return u->safe_dir > 0 ? a < than : u->safe_dir < 0 && a > than;
}

double limits_more_of(const struct safety_u *u, double a, double b)
{
        return limits_less_cooling(u, a, b) ? b : a;
}

int limits_side(const struct safety_u *u, double v)
{
        double first = u->step > 0 ? u->origin + grid_min(u) * u->step : u->lo;
        double last = u->step > 0 ? u->origin + grid_max(u) * u->step : u->hi;
        double tol = SAFETY_SNAP * u->step + SAFETY_FLOAT * (1 + fabs(v));
        return v < first - tol ? -1 : v > last + tol;
}

bool limits_beyond(const struct safety_u *u, double v)
{
        int side = limits_side(u, v);
        return side != 0 && side * u->safe_dir >= 0;
}

double limits_quantise(const struct safety_u *u, double v, double base)
{
        double k;
        if (limits_beyond(u, base) && limits_side(u, v) == limits_side(u, base))
                return base;
        if (!(v >= u->lo)) /* NaN too: callers never pass it, and the safe side of a NaN is not lo in general */
                v = u->lo;
        if (v > u->hi)
                v = u->hi;
        if (u->step == 0)
                return v;
        k = grid_of(u, v);
        if (u->safe_dir > 0 || (u->safe_dir == 0 && v < base))
                k = ceil(k);
        else
                k = floor(k);
        if (k < grid_min(u))
                k = grid_min(u);
        if (k > grid_max(u))
                k = grid_max(u);
        return fmin(fmax(u->origin + k * u->step, u->lo), u->hi); /* the product may end a rounding beyond them */
}

double limits_full(const struct safety_u *u, double base)
{
        double end = u->safe_dir > 0 ? fmax(u->hi, base) : fmin(u->lo, base);
        return limits_quantise(u, u->safe_dir == 0 ? u->nominal : end, base);
}

double limits_ramp(const struct safety_u *u, double from)
{
        double full = limits_full(u, from);
        double v = from + u->safe_dir * u->backup_rate;
        return limits_less_cooling(u, v, full) ? v : full;
}

double limits_move(const struct safety_u *u, double base, double want, bool slow_step, bool no_warmer_water,
                   enum decision_reason *why)
{
        double v = want;
        bool back;
        if (!(v >= u->lo && v <= u->hi)) {
                v = limits_quantise(u, v, base);
                if (v != want)
                        *why = DR_LIMIT;
        }
        if (no_warmer_water && !u->fast && u->safe_dir <= 0 && v > base) {
                v = base;
                *why = DR_WATER;
        }
        back = u->safe_dir == 0 ? v != base : limits_less_cooling(u, v, base);
        if (back && !u->fast && !slow_step) {
                v = base;
                *why = DR_SLOW_STEP;
        } else if (back && fabs(v - base) > u->rate * (1 + 1e-9)) {
                v = v > base ? base + u->rate : base - u->rate;
                *why = limits_beyond(u, v) ? DR_LIMIT : DR_RATE; /* the box is out of reach: stays at base */
        }
        return limits_quantise(u, v, base);
}

void limits_raise(struct safety_u *u, double base, double floor)
{
        /* NaN: no floor */
        if (u->kind != SAFETY_U_CONTINUOUS || u->safe_dir >= 0 || !(floor > u->lo) || limits_beyond(u, base))
                return;
        u->lo = fmin(floor, limits_quantise(u, base, base));
        u->nominal = fmax(u->nominal, u->lo);
}

/* Where a variable is when nothing moves: what the plant has, or inside the box where it has to go there. */
static double rest(const struct safety_u *u, double base)
{
        return limits_quantise(u, base, base);
}

/* And what it is until then, between two values of the register, too. */
static double present(const struct safety_u *u, double base)
{
        return limits_side(u, base) == 0 ? base : rest(u, base);
}

/* v rounded toward rest, so that no bound is passed by rounding: not by what counts as on the grid, either; and from
 * beyond the box to rest itself, where the box has no value before v. */
static double toward(const struct safety_u *u, double v, double rest_at)
{
        struct safety_u t = *u;
        double q;
        t.safe_dir = 0;
        q = limits_quantise(&t, v, rest_at);
        if (fabs(q - rest_at) > fabs(v - rest_at) + SAFETY_LIFT_TOL_K)
                q = limits_quantise(&t, q > rest_at ? q - u->step : q + u->step, rest_at);
        return q;
}

/* Share of what the machines that report running can carry; 1 where it is not known. */
static double part_load(const struct safety_envelope *e, const struct safety_snapshot *snap)
{
        double running_w = 0;
        for (size_t j = 0; snap->onoff_status && j < e->nu; j++) {
                if (e->u[j].kind == SAFETY_U_ONOFF && snap->onoff_status[j] == 1)
                        running_w += e->u[j].capacity_w;
        }
        if (!(snap->cooling_load_w >= 0 && snap->cooling_load_w < running_w))
                return 1;
        return snap->cooling_load_w / running_w;
}

double limits_greatest_lift(const struct safety_envelope *e, const struct safety_snapshot *snap,
                            const struct safety_lift *p)
{
        return p->max_k - p->surge_less_k * (1 - part_load(e, snap));
}

bool limits_lift(const struct safety_lift *p, const struct safety_u *u, const double *base, double *act,
                 enum decision_reason *why, int *binding)
{
        const struct safety_u *cw = &u[p->cw], *chw = &u[p->chw];
        const double cw0 = rest(cw, base[p->cw]), chw0 = rest(chw, base[p->chw]), cw1 = act[p->cw], chw1 = act[p->chw];
        const double cw_has = present(cw, base[p->cw]), chw_has = present(chw, base[p->chw]);
        const double cw_least = fmin(cw0, cw_has), cw_most = fmax(cw0, cw_has);
        const double chw_least = fmin(chw0, chw_has), chw_most = fmax(chw0, chw_has);
        const double lo = fmin(p->min_k, cw_least - chw_most), hi = fmax(p->max_k, cw_most - chw_least);
        const double warmest = fmax(chw_most, chw1), coldest = fmin(chw_least, chw1);
        if (fmin(cw_least, cw1) - warmest < lo - SAFETY_LIFT_TOL_K) {
                act[p->cw] = toward(cw, fmax(cw1, fmin(cw0, warmest + lo)), cw0);
                act[p->chw] = toward(chw, fmin(chw1, fmin(cw_least, act[p->cw]) - lo), chw0);
        } else if (fmax(cw_most, cw1) - coldest > hi + SAFETY_LIFT_TOL_K) {
                act[p->cw] = toward(cw, fmin(cw1, fmax(cw0, coldest + hi)), cw0);
                act[p->chw] = toward(chw, fmax(chw1, fmax(cw_most, act[p->cw]) - hi), chw0);
        } else {
                return false;
        }
        *why = DR_EQUIPMENT;
        if (*binding < 0)
                *binding = (int)(act[p->cw] != cw1 ? p->cw : p->chw);
        return true;
}
