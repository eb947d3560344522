/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/explore_region.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define ITERATIONS_MAX 4000
#define CLIP_PASSES 6
#define BISECTIONS 8
#define ROUNDING 1e-9

const char *region_reason_str(enum region_reason r)
{
        static const char *const name[REGION_REASONS] = {
            [REGION_CERTIFIED] = "certified",
            [REGION_NOT_CONTRACTING] = "row sums of A not contracting",
            [REGION_STATE] = "nominal action not certified from this state",
            [REGION_UNCHECKED] = "unchecked",
        };
        return (unsigned)r < REGION_REASONS ? name[r] : "unknown";
}

/* Largest |θ_k| over the intervals of term k of row i. */
static double largest(const double *lo, const double *hi, size_t k)
{
        return fmax(fabs(lo[k]), fabs(hi[k]));
}

/* ret = |A|⁺ v + extra [ny], ret ≠ v */
static void advance(const struct region *g, const double *v, const double *extra, double *ret)
{
        const struct row *r = g->row;
        const double *theta, *lo, *hi;

        for (size_t i = 0; i < r->st.ny; i++) {
                const struct arx_term *term = r->term + r->row_start[i];
                arx_row(g->model, i, &theta, &lo, &hi);
                ret[i] = extra[i];
                for (size_t k = 0; k < r->row_start[i + 1] - r->row_start[i]; k++)
                        if (term[k].src == ARX_SRC_Y)
                                ret[i] += largest(lo, hi, k) * v[term[k].index];
        }
}

/* v = |A|⁺ v + extra, from zero upward; false when it exceeds `most` or does not settle. */
static bool fixed_point(const struct region *g, const double *extra, double most, double *v)
{
        double next[ROW_Y_MAX];

        memset(v, 0, sizeof(double) * g->row->st.ny);
        for (size_t it = 0; it < ITERATIONS_MAX; it++) {
                double change = 0.0;
                advance(g, v, extra, next);
                for (size_t i = 0; i < g->row->st.ny; i++) {
                        if (!(next[i] <= most))
                                return false;
                        change = fmax(change, next[i] - v[i]);
                }
                memcpy(v, next, sizeof(double) * g->row->st.ny);
                if (change < 0.1 * ROUNDING)
                        return true;
        }
        return false;
}

/* Per row: noise and the largest loads [ny], row sums of |A|⁺. */
static void unavoidable(struct region *g, double *ret)
{
        const struct row *r = g->row;
        const double *theta, *lo, *hi;

        g->worst_sum = 0.0;
        for (size_t i = 0; i < r->st.ny; i++) {
                struct arx_row_info info;
                double sum = 0.0;
                arx_row_info(g->model, i, &info);
                arx_row(g->model, i, &theta, &lo, &hi);
                ret[i] = info.w_bar;
                for (size_t k = 0; k < r->row_start[i + 1] - r->row_start[i]; k++) {
                        const uint8_t src = r->term[r->row_start[i] + k].src;
                        if (src == ARX_SRC_D)
                                ret[i] += largest(lo, hi, k);
                        if (src == ARX_SRC_Y)
                                sum += largest(lo, hi, k);
                }
                if (sum > g->worst_sum) {
                        g->worst_sum = sum;
                        g->worst_row = i;
                }
        }
}

static bool invariant(const struct region *g, const double *box, const double *extra)
{
        double next[ROW_Y_MAX];

        advance(g, box, extra, next);
        for (size_t i = 0; i < g->row->st.ny; i++)
                if (!(next[i] <= box[i] + ROUNDING))
                        return false;
        return true;
}

void region_update(struct region *g)
{
        const size_t ny = g->row->st.ny;
        double extra[ROW_Y_MAX] = {0}, one[ROW_Y_MAX], v[ROW_Y_MAX], s = (double)INFINITY;

        unavoidable(g, extra);
        g->contracting = fixed_point(g, extra, ROW_LIMIT, g->settle);
        if (!g->contracting)
                return;
        for (size_t i = 0; i < ny; i++) {
                g->terminal[i] = ROW_LIMIT;
                one[i] = 1.0;
        }
        g->steps = 1;
        if (invariant(g, g->terminal, extra))
                return;
        g->steps = REGION_HORIZON;
        g->contracting = fixed_point(g, one, (double)INFINITY, v);
        for (size_t i = 0; g->contracting && i < ny; i++)
                s = fmin(s, (ROW_LIMIT - g->settle[i]) / v[i]);
        for (size_t i = 0; g->contracting && i < ny; i++)
                g->terminal[i] = g->settle[i] + s * v[i];
        g->contracting = g->contracting && invariant(g, g->terminal, extra);
}

void region_bounds(struct region *g, const double *x, const double *d, const double *u, double *upper, double *lower)
{
        const size_t ny = g->row->st.ny, nd = g->row->st.nd;
        const struct arx_window now = {1, x, u, d};
        double u_future[REGION_HORIZON * ROW_Y_MAX] = {0}, d_future[REGION_HORIZON * ROW_UNITS_MAX];
        uint8_t active[ROW_Y_MAX];

        memset(active, 1, sizeof(active));
        memcpy(u_future, u, sizeof(double) * ny);
        memcpy(d_future, d, sizeof(double) * nd);
        for (size_t k = nd; k < g->steps * nd; k++)
                d_future[k] = 1.0; /* heat warms: the sign is known */
        arx_worst(g->model, &now, g->steps, u_future, d_future, 1, active, g->work, upper);
        for (size_t k = nd; k < g->steps * nd; k++)
                d_future[k] = -1.0;
        arx_worst(g->model, &now, g->steps, u_future, d_future, -1, active, g->work, lower);
}

static double limit_at(const struct region *g, size_t at)
{
        const size_t ny = g->row->st.ny;
        return at / ny + 1 == g->steps ? g->terminal[at % ny] : ROW_LIMIT;
}

static bool within(const struct region *g, const double *upper, const double *lower)
{
        for (size_t at = 0; at < g->steps * g->row->st.ny; at++)
                if (!(upper[at] <= limit_at(g, at) && lower[at] >= -limit_at(g, at)))
                        return false;
        return true;
}

/* How much of the way from the nominal action's bound to u's is left below the limit. */
static double share(double limit, double base, double bound)
{
        return bound > limit ? fmin(fmax((limit - base) / (bound - base), 0.0), 1.0) : 1.0;
}

/* Shortens the units that act on a row beyond its limit. The bound is convex in u, so that a common factor would be
 * enough; a row's own neighbourhood nearly is. */
static void shorten(const struct region *g, double *u)
{
        const size_t ny = g->row->st.ny;
        double factor[ROW_UNITS_MAX];

        for (size_t j = 0; j < g->row->nunit; j++)
                factor[j] = 1.0;
        for (size_t at = 0; at < g->steps * ny; at++) {
                const size_t unit = at % ny / 2, first = unit > 0 ? unit - 1 : 0;
                const double limit = limit_at(g, at);
                const double f = fmin(share(limit, g->base_upper[at], g->upper[at]),
                                      share(limit, -g->base_lower[at], -g->lower[at]));
                for (size_t j = first; j <= unit + 1 && j < g->row->nunit; j++)
                        factor[j] = fmin(factor[j], f);
        }
        for (size_t j = 0; j < g->row->nunit; j++) {
                u[2 * j] *= factor[j];
                u[2 * j + 1] *= factor[j];
        }
}

static bool certified(struct region *g, const double *x, const double *d, const double *u)
{
        region_bounds(g, x, d, u, g->upper, g->lower);
        return within(g, g->upper, g->lower);
}

/* The largest certified part of u, all units alike; that of zero is certified. */
static void bisect(struct region *g, const double *x, const double *d, double *u)
{
        const size_t nu = g->row->st.nu;
        double good = 0.0, bad = 1.0, part[ROW_Y_MAX];

        for (size_t it = 0; it < BISECTIONS; it++) {
                const double f = 0.5 * (good + bad);
                for (size_t j = 0; j < nu; j++)
                        part[j] = f * u[j];
                if (certified(g, x, d, part))
                        good = f;
                else
                        bad = f;
        }
        for (size_t j = 0; j < nu; j++)
                u[j] *= good;
}

enum region_reason region_enter(struct region *g, const double *x, const double *d)
{
        const double zero[ROW_Y_MAX] = {0};

        if (!g->contracting)
                return REGION_NOT_CONTRACTING;
        region_bounds(g, x, d, zero, g->base_upper, g->base_lower);
        return within(g, g->base_upper, g->base_lower) ? REGION_CERTIFIED : REGION_STATE;
}

void region_clip(struct region *g, const double *x, const double *d, double *u)
{
        for (size_t pass = 0; pass < CLIP_PASSES; pass++) {
                if (certified(g, x, d, u))
                        return;
                shorten(g, u);
        }
        bisect(g, x, d, u);
}

/* ret = vᵀ|A|⁺, and ‖vᵀ|B|⁺‖₂ */
static double transposed(const struct region *g, const double *v, double *ret)
{
        const struct row *r = g->row;
        const double *theta, *lo, *hi;
        double b[ROW_Y_MAX] = {0}, sum = 0.0;

        memset(ret, 0, sizeof(double) * r->st.ny);
        for (size_t i = 0; i < r->st.ny; i++) {
                const struct arx_term *term = r->term + r->row_start[i];
                if (v[i] == 0.0)
                        continue;
                arx_row(g->model, i, &theta, &lo, &hi);
                for (size_t k = 0; k < r->row_start[i + 1] - r->row_start[i]; k++) {
                        const double part = v[i] * largest(lo, hi, k);
                        if (term[k].src == ARX_SRC_Y)
                                ret[term[k].index] += part;
                        if (term[k].src == ARX_SRC_U)
                                b[term[k].index] += part;
                }
        }
        for (size_t j = 0; j < r->st.nu; j++)
                sum += b[j] * b[j];
        return sqrt(sum);
}

/* Σ_k ‖eᵢᵀ(|A|⁺)ᵏ|B|⁺‖₂ over the steps that act, worst phase. */
static double response(const struct region *g, size_t i, size_t period)
{
        double v[ROW_Y_MAX] = {0}, next[ROW_Y_MAX], phase[REGION_PERIOD_MAX] = {0}, most = 0.0;

        v[i] = 1.0;
        for (size_t k = 0; k < ITERATIONS_MAX; k++) {
                const double gain = transposed(g, v, next);
                phase[k % period] += gain;
                most = fmax(most, phase[k % period]);
                if (gain < ROUNDING)
                        break;
                memcpy(v, next, sizeof(double) * g->row->st.ny);
        }
        return most;
}

double region_ball(const struct region *g, size_t period)
{
        double r = (double)INFINITY;

        assert(period >= 1 && period <= REGION_PERIOD_MAX);
        if (!g->contracting)
                return 0.0;
        for (size_t i = 0; i < g->row->st.ny; i++)
                r = fmin(r, (ROW_LIMIT - g->settle[i]) / response(g, i, period));
        return r;
}
