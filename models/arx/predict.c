/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <string.h>

#include "models/arx/arx_private.h"
#include "models/num/num.h"

#define SLOPE_STEP 1e-4 /* of a regressor's scale */

/* Time τ is relative to the window's last row (0 = now). Outputs live in a buffer that holds the last lag_max measured
 * rows and the n predicted ones; inputs are looked up where they are. */
struct horizon {
        const struct arx *m;
        const struct arx_window *w;
        size_t n;
        const double *u, *d;
        const double *offset; /* [ny] of the nominal prediction, NULL = none */
};

static size_t y_at(const struct arx *m, size_t t, unsigned lag)
{
        return (m->st.lag_max + t - lag) * m->st.ny; /* value at τ = t + 1 − lag */
}

static double input_at(const struct horizon *hz, const struct arx_term *term, size_t t)
{
        bool is_u = term->src == ARX_SRC_U;
        size_t stride = is_u ? hz->m->st.nu : hz->m->st.nd;
        if (t + 1 >= term->lag)
                return (is_u ? hz->u : hz->d)[(t + 1 - term->lag) * stride + term->index];
        size_t back = term->lag - (t + 1); /* steps before now */
        if (back + 1 > hz->w->n)
                return (double)NAN;
        return (is_u ? hz->w->u : hz->w->d)[(hz->w->n - 1 - back) * stride + term->index];
}

static void load_history(const struct arx *m, const struct arx_window *w, double *buf)
{
        size_t ny = m->st.ny, lags = m->st.lag_max;
        for (size_t k = 0; k < lags; k++) {
                size_t back = lags - 1 - k;
                for (size_t i = 0; i < ny; i++) {
                        double v = back < w->n ? w->y[(w->n - 1 - back) * ny + i] : (double)NAN;
                        buf[k * ny + i] = isfinite(v) ? v : (double)NAN;
                }
        }
}

static double last_finite(const struct arx_window *w, size_t ny, size_t i)
{
        for (size_t k = w->n; k-- > 0;)
                if (isfinite(w->y[k * ny + i]))
                        return w->y[k * ny + i];
        return (double)NAN;
}

size_t arx_work_of(const struct arx_structure *st, size_t n_steps)
{
        return 3 * (st->lag_max + n_steps) * st->ny + st->nterm + 2 * st->ny;
}

size_t arx_predict_work(const struct arx *m, size_t n_steps)
{
        return arx_work_of(&m->st, n_steps);
}

static void run_nominal(const struct horizon *hz, double *buf)
{
        const struct arx *m = hz->m;
        size_t ny = m->st.ny;
        load_history(m, hz->w, buf);
        for (size_t t = 0; t < hz->n; t++) {
                double *now = buf + y_at(m, t, 1), *next = now + ny;
                for (size_t i = 0; i < ny; i++) {
                        const struct arx_row *r = &m->row[i];
                        double y = r->fitted > 0.0 ? (hz->offset ? hz->offset[i] : 0.0) : (double)NAN;
                        for (size_t k = 0; k < r->n && !isnan(y); k++) {
                                const struct arx_term *term = &m->st.term[r->t0 + k];
                                double phi = term->src == ARX_SRC_ONE ? 1.0
                                             : term->src == ARX_SRC_Y ? buf[y_at(m, t, term->lag) + term->index]
                                                                      : input_at(hz, term, t);
                                y += isfinite(phi) ? m->theta[r->t0 + k] * phi : (double)NAN;
                        }
                        if (!isfinite(y))
                                y = isfinite(now[i]) ? now[i] : last_finite(hz->w, ny, i);
                        next[i] = y;
                }
        }
}

/* Means of the regressor [terms of row i] and of what followed, over the transitions of the window that row i saw
 * whole; NaN outcome = none. */
static double window_mean(const struct arx *m, size_t i, const struct arx_window *w, double *ret_phi, size_t *ret_count)
{
        const struct arx_row *r = &m->row[i];
        double phi[ARX_TERMS_MAX], sum = 0.0;
        size_t count = 0;

        for (size_t k = 0; k < r->n; k++)
                ret_phi[k] = 0.0;
        for (size_t last = 1; last < w->n; last++) {
                const struct arx_window past = {last, w->y, w->u, w->d};
                double y = w->y[last * m->st.ny + i];

                if (!isfinite(y) || !arx_regressor(m, i, &past, phi))
                        continue;
                for (size_t k = 0; k < r->n; k++)
                        ret_phi[k] += phi[k];
                sum += y;
                count++;
        }
        for (size_t k = 0; k < r->n && count > 0; k++)
                ret_phi[k] /= (double)count;
        *ret_count = count;
        return count > 0 ? sum / (double)count : (double)NAN;
}

double arx_offset(const struct arx *m, size_t i, const struct arx_window *w)
{
        const struct arx_row *r = &m->row[i];
        size_t count;
        double phi[ARX_TERMS_MAX], y = r->fitted > 0.0 ? window_mean(m, i, w, phi, &count) : (double)NAN;

        return isfinite(y) ? y - num_dot(r->n, phi, m->theta + r->t0) : 0.0;
}

const double *arx_free_run(const struct arx *m, const struct arx_window *w, size_t steps, double *buf)
{
        /* the window without its last steps − 1 rows; what was in force afterwards is the rest of it */
        const struct arx_window past = {w->n - steps + 1, w->y, w->u, w->d};
        const struct horizon hz = {.m = m,
                                   .w = &past,
                                   .n = steps,
                                   .u = w->u + (w->n - steps) * m->st.nu,
                                   .d = w->d + (w->n - steps) * m->st.nd};
        run_nominal(&hz, buf);
        return buf + (m->st.lag_max + steps - 1) * m->st.ny;
}

void arx_predict(const struct arx *m, const struct arx_window *w, size_t n_steps, const double *u_future,
                 const double *d_future, const double *offset, double *work, double *ret_y)
{
        const struct horizon hz = {.m = m, .w = w, .n = n_steps, .u = u_future, .d = d_future, .offset = offset};
        run_nominal(&hz, work);
        memcpy(ret_y, work + m->st.lag_max * m->st.ny, sizeof(double) * n_steps * m->st.ny);
}

/* One member of the sum-to-one group in the knapsack: value per unit of coefficient. */
struct item {
        double value, room;
};

/* max of θ·φ over θ ∈ [lo, hi], φ ∈ [a, b] */
static double max_product(double lo, double hi, double a, double b)
{
        double best = -(double)INFINITY;
        const double theta[] = {lo, hi}, phi[] = {a, b};
        for (size_t i = 0; i < 2; i++)
                for (size_t k = 0; k < 2; k++) {
                        /* unbounded times exactly zero is zero */
                        double v = phi[k] == 0.0 || theta[i] == 0.0 ? 0.0 : theta[i] * phi[k];
                        if (v > best)
                                best = v;
                }
        return best;
}

/* Fills the remaining mass `mass` into the items of largest value first. */
static double fill_knapsack(struct item *item, size_t n, double mass)
{
        double sum = 0.0;
        for (size_t taken = 0; taken < n && mass > 0.0; taken++) {
                size_t best = taken;
                for (size_t k = taken + 1; k < n; k++)
                        if (item[k].value > item[best].value)
                                best = k;
                struct item t = item[best];
                item[best] = item[taken];
                double take = fmin(t.room, mass);
                sum += take * t.value;
                mass -= take;
        }
        return sum;
}

/* Largest Σ θ_k x_k over the row's intervals ∩ sum-to-one, x_k ∈ [a_k − ψ_k, b_k − ψ_k]; ψ_k = psi[k · stride]. */
static double box_bound(const struct arx *m, const struct arx_row *r, const double *a, const double *b,
                        const double *psi, size_t stride)
{
        bool group = r->ref < r->n && !r->sum1_infeasible;
        struct item item[ARX_TERMS_MAX];
        size_t nitem = 0;
        double sum = 0.0, mass = 1.0;
        for (size_t k = 0; k < r->n; k++) {
                double lo = m->lo[r->t0 + k], hi = m->hi[r->t0 + k], near = a[k] - psi[k * stride],
                       far = b[k] - psi[k * stride];
                if (lo == 0.0 && hi == 0.0)
                        continue;
                if (!group || !m->st.term[r->t0 + k].sum1) {
                        sum += max_product(lo, hi, near, far);
                        continue;
                }
                if (!isfinite(lo) || !isfinite(near) || !isfinite(far))
                        return (double)INFINITY; /* no bound can be given */
                double value = far;
                if (hi <= 0.0) {
                        value = near;
                } else if (lo < 0.0 && near < far) { /* mixed sign on an uncertain value: midpoint and ± half width */
                        value = 0.5 * (near + far);
                        sum += fmax(-lo, hi) * 0.5 * (far - near);
                }
                sum += lo * value;
                mass -= lo;
                item[nitem++] = (struct item){.value = value, .room = hi - lo};
        }
        return sum + fill_knapsack(item, nitem, mass);
}

/* Where the ellipsoid is asked: ψ for all terms and for all but the inputs, counted from zero and from the anchor. */
enum { FROM_ZERO = 0, FROM_ANCHOR = 2, NPSI = ARX_ELLIPSOID_POINTS };

/* φ_k ∈ [a_k, b_k] of one row at one step, sgn applied, counted from zero or from the anchor; psi [n × NPSI] holds its
 * two split points in columns `at` and `at` + 1. */
struct side {
        double a[ARX_TERMS_MAX], b[ARX_TERMS_MAX];
        bool known; /* all finite */
        bool point; /* a = b */
};

static void split_points(const struct arx *m, const struct arx_row *r, const struct side *s, double sgn, size_t at,
                         double *psi)
{
        for (size_t k = 0; k < r->n; k++) {
                double lo = m->lo[r->t0 + k], hi = m->hi[r->t0 + k];
                double v = lo >= 0.0 ? s->b[k] : (hi <= 0.0 ? s->a[k] : 0.5 * (s->a[k] + s->b[k]));
                psi[k * NPSI + at] = v;
                psi[k * NPSI + at + 1] = m->st.term[r->t0 + k].src != ARX_SRC_U ? v
                                         : at == FROM_ANCHOR                    ? 0.0
                                                                                : sgn * r->phi0[k];
        }
}

/* Largest θᵀψ over the confidence ellipsoid, for each column of psi [n × NPSI]. */
static void ellipsoid_bounds(const struct arx *m, const struct arx_row *r, const double *psi, double *ret)
{
        double z[ARX_TERMS_MAX * NPSI], centre[NPSI] = {0.0};
        const double *ref = r->ref < r->n ? psi + r->ref * NPSI : NULL, *theta = m->theta + r->t0;
        size_t j = 0;
        for (size_t k = 0; k < r->n; k++) {
                const bool group = ref && m->st.term[r->t0 + k].sum1;
                for (size_t c = 0; c < NPSI; c++)
                        centre[c] += psi[k * NPSI + c] * theta[k];
                if (k == r->ref)
                        continue;
                for (size_t c = 0; c < NPSI; c++)
                        z[j * NPSI + c] = (psi[k * NPSI + c] - (group ? ref[c] : 0.0)) / m->st.scale[r->t0 + k];
                j++;
        }
        arx_ellipsoid_widths(r, z, ret);
        for (size_t c = 0; c < NPSI; c++)
                ret[c] = centre[c] + ret[c];
}

/* max_product of a point */
static inline double point_product(double lo, double hi, double x)
{
        if (x == 0.0)
                return 0.0;
        const double at_lo = lo == 0.0 ? 0.0 : lo * x, at_hi = hi == 0.0 ? 0.0 : hi * x;
        return at_hi > at_lo ? at_hi : at_lo;
}

/* box_bound of a point: the same sums without the other end. */
static double point_bound(const struct arx *m, const struct arx_row *r, const double *a, const double *psi,
                          size_t stride)
{
        const bool group = r->ref < r->n && !r->sum1_infeasible;
        const double *lower = m->lo + r->t0, *upper = m->hi + r->t0;
        const struct arx_term *term = m->st.term + r->t0;
        struct item item[ARX_TERMS_MAX];
        size_t nitem = 0;
        double sum = 0.0, mass = 1.0;
        for (size_t k = 0; k < r->n; k++) {
                const double lo = lower[k], hi = upper[k], x = a[k] - psi[k * stride];
                if (lo == 0.0 && hi == 0.0)
                        continue;
                if (!group || !term[k].sum1) {
                        sum += point_product(lo, hi, x);
                        continue;
                }
                if (!isfinite(lo) || !isfinite(x))
                        return (double)INFINITY; /* no bound can be given */
                sum += lo * x;
                mass -= lo;
                item[nitem++] = (struct item){.value = x, .room = hi - lo};
        }
        return sum + fill_knapsack(item, nitem, mass);
}

/* point_bound from the column `at` of psi, which differs from φ in inputs alone: what does not differ adds 0. */
static double inputs_bound(const struct arx *m, const struct arx_row *r, const struct side *s, const double *psi,
                           size_t at)
{
        double sum = 0.0;
        for (size_t k = 0; k < r->n; k++) {
                const double lo = m->lo[r->t0 + k], hi = m->hi[r->t0 + k];
                if (m->st.term[r->t0 + k].src != ARX_SRC_U || (lo == 0.0 && hi == 0.0))
                        continue;
                if (m->st.term[r->t0 + k].sum1)
                        return point_bound(m, r, s->a, psi + at, NPSI);
                sum += point_product(lo, hi, s->a[k] - psi[k * NPSI + at]);
        }
        return sum;
}

static double side_bound(const struct arx *m, const struct arx_row *r, const struct side *s, const double *psi,
                         size_t stride)
{
        return s->point ? point_bound(m, r, s->a, psi, stride) : box_bound(m, r, s->a, s->b, psi, stride);
}

/* Largest θᵀφ over the row's set, φ_k ∈ [a_k, b_k]. For every ψ, θᵀφ = θᵀψ + θᵀ(φ − ψ): the first part is bounded by
 * the ellipsoid, the second by the intervals. ψ = 0 leaves everything to the intervals; ψ = φ everything to the
 * ellipsoid, tight where there was data; ψ = the mean regressor gives the ellipsoid its best point and prices every
 * move away from it by the intervals; the last does that for the inputs only, which nobody may have moved yet. All are
 * bounds, the least is taken. From the anchor φ is already counted from a mean regressor. ellipsoid: what
 * ellipsoid_bounds says of the columns of psi; NULL = there is none. */
static double set_bound(const struct arx *m, const struct arx_row *r, const struct side *s, double sgn, size_t at,
                        const double *psi, const double *ellipsoid)
{
        static const double zero = 0.0;
        double best = side_bound(m, r, s, &zero, 0), rest = 0.0, mean[ARX_TERMS_MAX], centre = r->width0;
        if (!ellipsoid || !s->known)
                return best;
        const bool point = s->point && isfinite(best);
        if (!point) /* of a point nothing is left to the intervals */
                rest = side_bound(m, r, s, psi + at, NPSI);
        best = fmin(best, ellipsoid[at] + rest);
        rest = point ? inputs_bound(m, r, s, psi, at + 1) : side_bound(m, r, s, psi + at + 1, NPSI);
        best = fmin(best, ellipsoid[at + 1] + rest);
        if (at == FROM_ANCHOR)
                return best;
        for (size_t k = 0; k < r->n; k++) {
                mean[k] = sgn * r->phi0[k];
                centre += mean[k] * m->theta[r->t0 + k];
        }
        return fmin(best, centre + side_bound(m, r, s, mean, 1));
}

/* The anchor of row i and the bound of its mean noise: w̄ at most. With w_horizon, of `count` transitions: white noise
 * averages out by √count, what persists is in w_step; of a single one all of w̄. */
static void anchor_row(const struct arx_rollout *ro, size_t i)
{
        const struct arx *m = ro->m;
        const struct arx_row *r = &m->row[i];
        size_t count;

        ro->y_ref[i] = window_mean(m, i, ro->w, ro->phi_ref + r->t0, &count);
        ro->w_ref[i] = arx_w_bar(r);
        if (m->args.w_horizon > 0 && count > 0)
                ro->w_ref[i] = fmin(arx_w_bar(r), fmax(arx_w_step(r), arx_w_bar(r) / sqrt((double)count)));
}

/* φ of row i at step t within the tubes [lo, hi] of the outputs, sgn applied. False when no bound can be given. */
static bool regressors(const struct arx_rollout *ro, const struct horizon *hz, size_t i, size_t t, double sgn,
                       const double *tube_lo, const double *tube_hi, struct side *ret)
{
        const struct arx *m = ro->m;
        const struct arx_row *r = &m->row[i];
        for (size_t k = 0; k < r->n; k++) {
                const struct arx_term *term = &m->st.term[r->t0 + k];
                double a, b;
                if (term->src == ARX_SRC_Y) {
                        size_t at = y_at(m, t, term->lag) + term->index;
                        a = sgn * tube_lo[at];
                        b = sgn * tube_hi[at];
                } else {
                        a = b = sgn * (term->src == ARX_SRC_ONE ? 1.0 : input_at(hz, term, t));
                }
                /* a tube may be infinite (no bound), an input may not */
                if (isnan(a) || isnan(b) || !(term->src == ARX_SRC_Y || isfinite(b))) {
                        if (m->lo[r->t0 + k] != 0.0 || m->hi[r->t0 + k] != 0.0)
                                return false;
                        a = b = 0.0; /* plays no part, whatever it reads */
                }
                ret->a[k] = a;
                ret->b[k] = b;
        }
        return true;
}

/* Largest θᵀφ of row i over its set, the noise of an anchor included, sgn applied to φ.
 * With an anchor it is counted from the mean of the last transitions as well as from zero, and the tighter bound taken:
 * for every model of the set
 *   ȳ = θ·φ̄ + w',  so  y = θ·φ + w = ȳ − w' + θ·(φ − φ̄) + w. */
static double row_bound(const struct arx_rollout *ro, size_t i, double sgn, struct side *zero)
{
        const struct arx *m = ro->m;
        const struct arx_row *r = &m->row[i];
        const double *ref = ro->phi_ref + r->t0;
        const bool anchored = isfinite(ro->y_ref[i]), ellipsoid = r->radius > 0.0 && !r->sum1_infeasible;
        double psi[ARX_TERMS_MAX * NPSI], bound[NPSI], best;
        struct side anchor;
        zero->known = zero->point = true;
        for (size_t k = 0; k < r->n; k++) {
                const double a = zero->a[k], b = zero->b[k];
                zero->known = zero->known && isfinite(a) && isfinite(b);
                zero->point = zero->point && a == b;
                anchor.a[k] = anchored ? a - sgn * ref[k] : 0.0;
                anchor.b[k] = anchored ? b - sgn * ref[k] : 0.0;
        }
        anchor.known = zero->known; /* the anchor is finite */
        anchor.point = zero->point;
        if (ellipsoid) {
                split_points(m, r, zero, sgn, FROM_ZERO, psi);
                split_points(m, r, &anchor, sgn, FROM_ANCHOR, psi);
                ellipsoid_bounds(m, r, psi, bound);
        }
        best = set_bound(m, r, zero, sgn, FROM_ZERO, psi, ellipsoid ? bound : NULL);
        if (anchored)
                best = fmin(best, sgn * ro->y_ref[i] + ro->w_ref[i] +
                                      set_bound(m, r, &anchor, sgn, FROM_ANCHOR, psi, ellipsoid ? bound : NULL));
        return best;
}

/* Largest value of row i at step t over its set, noise included, given tubes [lo, hi] of the outputs. sgn = +1; for the
 * smallest value the caller passes −1 and swapped tubes: every regressor is negated, then the result is. */
static double extreme(const struct arx_rollout *ro, const struct horizon *hz, size_t i, size_t t, double sgn,
                      const double *tube_lo, const double *tube_hi)
{
        const struct arx_row *r = &ro->m->row[i];
        struct side phi;
        if (!regressors(ro, hz, i, t, sgn, tube_lo, tube_hi, &phi))
                return (double)NAN;
        return sgn * (row_bound(ro, i, sgn, &phi) + (t == 0 ? arx_w_bar(r) : arx_w_step(r)));
}

static bool needs_both_tubes(const struct arx *m, const uint8_t *active)
{
        for (size_t i = 0; i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                for (size_t k = r->t0; active[i] && k < r->t0 + r->n; k++)
                        if (m->st.term[k].src == ARX_SRC_Y && m->lo[k] < 0.0 && active[m->st.term[k].index])
                                return true;
        }
        return false;
}

void arx_rollout_begin(struct arx_rollout *ret, const struct arx *m, const struct arx_window *w, size_t n_steps,
                       int dir, const uint8_t *active, double *work)
{
        const size_t ny = m->st.ny, block = (m->st.lag_max + n_steps) * ny;

        *ret = (struct arx_rollout){.m = m,
                                    .w = w,
                                    .n = n_steps,
                                    .sgn = dir > 0 ? 1.0 : -1.0,
                                    .far = work + block,
                                    .near = work + block, /* never read where it differs: every active coefficient on it
                                                           * is ≥ 0, or one step reads history alone */
                                    .phi_ref = work + 3 * block,
                                    .y_ref = work + 3 * block + m->st.nterm,
                                    .w_ref = work + 3 * block + m->st.nterm + ny};
        if (n_steps > 1 && needs_both_tubes(m, active))
                ret->near = work + 2 * block;
        load_history(m, w, ret->far);
        load_history(m, w, ret->near);
        for (size_t i = 0; i < ny; i++) {
                ret->y_ref[i] = (double)NAN;
                if (active[i] && m->args.anchor)
                        anchor_row(ret, i);
        }
}

void arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u_future, const double *d_future,
                      const uint8_t *active, double *ret_y)
{
        const struct horizon hz = {.m = ro->m, .w = ro->w, .n = ro->n, .u = u_future, .d = d_future};
        const size_t ny = ro->m->st.ny, next = y_at(ro->m, t, 1) + ny;

        for (size_t i = 0; i < ny; i++) {
                if (!active[i])
                        continue;
                /* seen from the bound sought, `near` is the small end and `far` the large one */
                const double worst = extreme(ro, &hz, i, t, ro->sgn, ro->near, ro->far);
                if (ro->near != ro->far)
                        ro->near[next + i] = extreme(ro, &hz, i, t, -ro->sgn, ro->far, ro->near);
                ro->far[next + i] = ret_y[i] = worst;
        }
}

void arx_rollout_slopes(const struct arx_rollout *ro, size_t i, size_t t, const double *u_future,
                        const double *d_future, double *ret_slope)
{
        const struct horizon hz = {.m = ro->m, .w = ro->w, .n = ro->n, .u = u_future, .d = d_future};
        const struct arx_row *r = &ro->m->row[i];
        struct side phi;
        const bool known = regressors(ro, &hz, i, t, ro->sgn, ro->near, ro->far, &phi);
        const double here = known ? row_bound(ro, i, ro->sgn, &phi) : (double)NAN;
        for (size_t k = 0; k < r->n; k++) {
                const struct arx_term *term = &ro->m->st.term[r->t0 + k];
                const double a = phi.a[k], b = phi.b[k], h = SLOPE_STEP * ro->m->st.scale[r->t0 + k];
                const bool moves = term->src == ARX_SRC_Y || term->src == ARX_SRC_U;
                ret_slope[k] = known ? 0.0 : (double)NAN;
                if (!known || !moves)
                        continue;
                phi.a[k] += h;
                phi.b[k] += h;
                ret_slope[k] = (row_bound(ro, i, ro->sgn, &phi) - here) / h;
                phi.a[k] = a;
                phi.b[k] = b;
        }
}

void arx_worst(const struct arx *m, const struct arx_window *w, size_t n_steps, const double *u_future,
               const double *d_future, int dir, const uint8_t *active, double *work, double *ret_y)
{
        const struct horizon hz = {.m = m, .w = w, .n = n_steps, .u = u_future, .d = d_future};
        const size_t ny = m->st.ny, now = m->st.lag_max * ny;
        struct arx_rollout ro;
        bool any_inactive = false;

        arx_rollout_begin(&ro, m, w, n_steps, dir, active, work);
        for (size_t i = 0; i < ny; i++)
                any_inactive |= !active[i];
        if (any_inactive) {
                run_nominal(&hz, work);
                memcpy(ro.far + now, work + now, sizeof(double) * n_steps * ny);
                memcpy(ro.near + now, work + now, sizeof(double) * n_steps * ny);
        }
        for (size_t t = 0; t < n_steps; t++)
                arx_rollout_step(&ro, t, u_future, d_future, active, ro.far + now + t * ny);
        memcpy(ret_y, ro.far + now, sizeof(double) * n_steps * ny);
}
