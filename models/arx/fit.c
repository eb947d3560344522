/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The fit of one row. With the group's reference eliminated and c = θ·scale:
 *   minimise Σ (target − zᵀc)² + ridge ‖c − c₀‖²  s.t.  lo ≤ c ≤ hi,  lo_ref ≤ 1 − Σ_group θ ≤ hi_ref
 * Box: block pivoting on the active set with Cholesky (few solves although lags are nearly collinear), then projected
 * coordinate descent, which ends at once when the pivoting was right. The last constraint is rarely active: augmented
 * Lagrangian.
 */
#include <math.h>
#include <string.h>

#include "models/arx/arx_private.h"
#include "models/num/num.h"

struct problem {
        size_t m;
        double *h, *chol, *sub;  /* [m × m] */
        double *g, *c, *lo, *hi; /* [m] */
        double *c0, *a, *work;   /* [m]; a: ∂(Σ_group θ)/∂c */
        double *g_try;           /* [m] */
};

static void build(const struct arx *m, const struct arx_row *r, struct problem *p)
{
        double *s = m->scratch;
        const size_t n2 = ARX_TERMS_MAX * ARX_TERMS_MAX, n1 = ARX_TERMS_MAX;
        *p = (struct problem){.m = r->m, .h = s, .chol = s + n2, .sub = s + 2 * n2};
        double **vec[] = {&p->g, &p->c, &p->lo, &p->hi, &p->c0, &p->a, &p->work, &p->g_try};
        for (size_t k = 0; k < 8; k++)
                *vec[k] = s + 3 * n2 + k * n1;

        size_t j = 0;
        for (size_t k = 0; k < r->n; k++) {
                if (k == r->ref)
                        continue;
                size_t t = r->t0 + k;
                double scale = m->st.scale[t];
                p->lo[j] = m->box_lo[t] * scale;
                p->hi[j] = m->box_hi[t] * scale;
                bool group = m->st.term[t].sum1;
                p->a[j] = group ? 1.0 / scale : 0.0;
                if (!group && isfinite(p->lo[j]) && isfinite(p->hi[j]))
                        p->c0[j] = 0.5 * (p->lo[j] + p->hi[j]);
                else
                        p->c0[j] = fmin(fmax(0.0, p->lo[j]), p->hi[j]);
                p->c[j] = r->fitted > 0.0 ? m->theta[t] * scale : p->c0[j];
                j++;
        }
        for (size_t a = 0; a < r->m; a++) {
                for (size_t b = 0; b <= a; b++)
                        p->h[a * r->m + b] = p->h[b * r->m + a] = r->g[a * r->m + b];
                p->h[a * r->m + a] += m->args.ridge;
                p->g[a] = r->b[a] + m->args.ridge * p->c0[a];
        }
}

/* One guess of the active set: solves for the free variables, others at their bounds. false = not definite. */
static bool solve_free(const struct problem *p, const double *h, const double *g, const signed char *at, double *x)
{
        size_t idx[ARX_TERMS_MAX], nf = 0;
        for (size_t i = 0; i < p->m; i++) {
                if (at[i] == 0)
                        idx[nf++] = i;
                else
                        x[i] = at[i] < 0 ? p->lo[i] : p->hi[i];
        }
        for (size_t i = 0; i < nf; i++) {
                double v = g[idx[i]];
                for (size_t k = 0; k < p->m; k++)
                        if (at[k] != 0)
                                v -= h[idx[i] * p->m + k] * x[k];
                p->work[i] = v;
                for (size_t k = 0; k <= i; k++)
                        p->sub[i * nf + k] = h[idx[i] * p->m + idx[k]];
        }
        if (num_cholesky(nf, p->sub))
                return false;
        num_cholesky_solve(nf, p->sub, p->work);
        for (size_t i = 0; i < nf; i++)
                x[idx[i]] = p->work[i];
        return true;
}

static void box_solve(const struct problem *p, const double *h, const double *g, double *x)
{
        signed char at[ARX_TERMS_MAX];
        for (size_t i = 0; i < p->m; i++)
                at[i] = p->lo[i] == p->hi[i] ? -1 : 0;
        for (int it = 0; it < 30; it++) {
                if (!solve_free(p, h, g, at, x))
                        break;
                size_t changed = 0;
                for (size_t i = 0; i < p->m; i++) {
                        if (p->lo[i] == p->hi[i])
                                continue;
                        if (at[i] == 0) {
                                if (x[i] < p->lo[i])
                                        at[i] = -1;
                                else if (x[i] > p->hi[i])
                                        at[i] = 1;
                                else
                                        continue;
                                changed++;
                        } else {
                                double slope = num_dot(p->m, h + i * p->m, x) - g[i];
                                if ((at[i] < 0 ? slope : -slope) < -1e-12 * (1.0 + fabs(g[i]))) {
                                        at[i] = 0;
                                        changed++;
                                }
                        }
                        if (changed && it >= 15)
                                break; /* one at a time when blocks cycle */
                }
                if (!changed)
                        break;
        }
        (void)num_box_qp(p->m, h, g, p->lo, p->hi, 1e-10, 200, x);
}

/* Adds the reference's own box. On return p->c is the fit. */
static void solve(const struct arx *m, const struct arx_row *r, struct problem *p)
{
        box_solve(p, p->h, p->g, p->c);
        if (r->ref == r->n)
                return;
        double ref = 1.0 - num_dot(p->m, p->a, p->c);
        double lo = m->box_lo[r->t0 + r->ref], hi = m->box_hi[r->t0 + r->ref];
        if (ref >= lo && ref <= hi)
                return;
        double target = 1.0 - (ref < lo ? lo : hi), nu = 0.0, trace = 0.0;
        for (size_t i = 0; i < p->m; i++)
                trace += p->h[i * p->m + i];
        double rho = 10.0 * trace;
        for (size_t i = 0; i < p->m; i++)
                for (size_t k = 0; k < p->m; k++)
                        p->chol[i * p->m + k] = p->h[i * p->m + k] + rho * p->a[i] * p->a[k];
        for (int it = 0; it < 12; it++) {
                for (size_t i = 0; i < p->m; i++)
                        p->g_try[i] = p->g[i] + (rho * target - nu) * p->a[i];
                box_solve(p, p->chol, p->g_try, p->c);
                double violation = num_dot(p->m, p->a, p->c) - target;
                nu += rho * violation;
                if (fabs(violation) < 1e-12)
                        break;
        }
}

static double residual_scale(const struct arx *m, const struct arx_row *r, const struct problem *p)
{
        double rss = r->yy;
        for (size_t a = 0; a < p->m; a++) {
                double hc = num_dot(p->m, p->h + a * p->m, p->c) - m->args.ridge * p->c[a];
                rss += p->c[a] * (hc - 2.0 * r->b[a]);
        }
        double dof = fmax(r->weight - (double)p->m, 1.0);
        double s = sqrt(fmax(rss, 0.0) / dof) * (1.0 + 1.0 / sqrt(dof));
        return fmax(s, m->args.w_min / 3.0);
}

double arx_ellipsoid_width(const struct arx_row *r, double *z)
{
        double sum = 0.0;
        for (size_t i = 0; i < r->m; i++) {
                z[i] = (z[i] - num_dot(i, r->factor + i * r->m, z)) / r->factor[i * r->m + i];
                sum += z[i] * z[i];
        }
        return r->radius * sqrt(sum);
}

void arx_ellipsoid_widths(const struct arx_row *r, double *z, double *ret)
{
        enum { N = ARX_ELLIPSOID_POINTS };
        double sum[N] = {0.0};
        for (size_t i = 0; i < r->m; i++) {
                const double *row = r->factor + i * r->m;
                double dot[N] = {0.0};
                for (size_t k = 0; k < i; k++)
                        for (size_t c = 0; c < N; c++)
                                dot[c] += row[k] * z[k * N + c];
                for (size_t c = 0; c < N; c++) {
                        z[i * N + c] = (z[i * N + c] - dot[c]) / row[i];
                        sum[c] += z[i * N + c] * z[i * N + c];
                }
        }
        for (size_t c = 0; c < N; c++)
                ret[c] = r->radius * sqrt(sum[c]);
}

/* β² of the ellipsoid and of one coefficient's interval. */
static void confidence(const struct arx *m, const struct arx_row *r, double *ret_ellipsoid2, double *ret_interval2)
{
        double n = (double)r->m, logdet = 0.0;
        if (m->args.set == ARX_SET_SELF_NORMALISED) {
                for (size_t a = 0; a < r->m; a++)
                        logdet += 2.0 * log(r->factor[a * r->m + a]) - log(m->args.ridge);
                *ret_ellipsoid2 = *ret_interval2 = 2.0 * log(1.0 / m->args.delta) + fmax(logdet, 0.0);
                return;
        }
        /* half of delta each; chi-square tail after Laurent and Massart 2000 */
        double l = log(2.0 / m->args.delta);
        *ret_ellipsoid2 = n + 2.0 * sqrt(n * l) + 2.0 * l;
        *ret_interval2 = 2.0 * log(4.0 * (double)r->n / m->args.delta);
}

/* The set around the fit; p->h is the full matrix. */
static void intervals(const struct arx *m, struct arx_row *r, const struct problem *p)
{
        const double *scale = m->st.scale + r->t0, *box_lo = m->box_lo + r->t0, *box_hi = m->box_hi + r->t0;
        double *theta = m->theta + r->t0, *lo = m->lo + r->t0, *hi = m->hi + r->t0, radius = (double)INFINITY;
        memcpy(r->factor, p->h, sizeof(double) * p->m * p->m);
        bool known =
            m->args.set != ARX_SET_MEMBERSHIP && r->weight > (double)p->m + 2.0 && num_cholesky(p->m, r->factor) == 0;
        r->radius = r->width0 = 0.0;
        if (known) {
                double bias = 0.0, ellipsoid2, interval2;
                for (size_t a = 0; a < p->m; a++) {
                        double far = fmax(p->hi[a] - p->c0[a], p->c0[a] - p->lo[a]);
                        double d = isfinite(far) ? far : p->c[a] - p->c0[a];
                        bias += d * d;
                }
                confidence(m, r, &ellipsoid2, &interval2);
                radius = r->s * sqrt(interval2) + sqrt(m->args.ridge * bias);
                r->radius = r->s * sqrt(ellipsoid2) + sqrt(m->args.ridge * bias);
                for (size_t k = 0; k < r->n; k++)
                        r->phi0[k] = r->phi_sum[k] / r->weight;
                (void)arx_reduce(m, r, r->phi0, p->work);
                r->width0 = arx_ellipsoid_width(r, p->work);
                num_cholesky_inverse_diag(p->m, r->factor, p->work, p->g_try);
        } else {
                memset(r->factor, 0, sizeof(double) * p->m * p->m);
        }
        size_t j = 0;
        for (size_t k = 0; k < r->n; k++) {
                double half = (double)INFINITY;
                if (k == r->ref) {
                        if (known) {
                                memcpy(p->work, p->a, sizeof(double) * p->m);
                                num_cholesky_solve(p->m, r->factor, p->work);
                                half = radius * sqrt(fmax(num_dot(p->m, p->a, p->work), 0.0));
                        }
                } else {
                        if (known)
                                half = radius * sqrt(p->g_try[j]) / scale[k];
                        j++;
                }
                lo[k] = fmax(box_lo[k], theta[k] - half);
                hi[k] = fmin(box_hi[k], theta[k] + half);
        }
}

double arx_hist_quantile(const struct arx *m, const double *hist, double weight, double q)
{
        double rank = q * (weight + 1.0), below = 0.0, edge = 0.0;
        for (size_t k = 0; k < ARX_HIST_BINS && below < rank; k++) {
                below += hist[k];
                if (hist[k] > 1e-9)
                        edge = m->args.w_min * exp2((double)(k + 1) / 8.0 - 2.0);
        }
        return edge;
}

/* Noise bound: conformal rank of the residuals once there are enough of them, else (and until then) the sub-Gaussian
 * tail bound of the fit's residual scale. */
static double noise_bound(const struct arx *m, const struct arx_row *r)
{
        double q = m->args.w_quantile;
        double dof = fmax(r->weight - (double)r->m, 1.0);
        double tail = r->s * sqrt(2.0 * log(2.0 / (1.0 - q))) * (1.0 + 1.0 / sqrt(dof));
        double edge = arx_hist_quantile(m, r->hist, r->hist_weight, q);
        double w = r->hist_weight >= 2.0 / (1.0 - q) ? edge : fmax(edge, tail);
        return fmax(w, m->args.w_min);
}

/* Noise per step after the first, such that the horizon accumulates the quantile of the free-run residual:
 * Σ_{k=0}^{H-2} aᵏ w_step + a^{H-1} w̄ = W_H with the row's own a. */
static double noise_step(const struct arx *m, const struct arx_row *r)
{
        const unsigned h = m->args.w_horizon;
        double a = 0.0, sum = 0.0, power = 1.0, w_h;
        if (h == 0 || r->drift_weight < 50.0)
                return r->w_bar;
        for (size_t k = r->t0; k < r->t0 + r->n; k++)
                if (m->st.term[k].src == ARX_SRC_Y && m->st.term[k].index == (uint16_t)(r - m->row))
                        a += m->theta[k];
        a = fmin(fmax(a, 0.0), 1.0);
        for (unsigned k = 0; k + 1 < h; k++) {
                sum += power;
                power *= a;
        }
        w_h = arx_hist_quantile(m, r->drift, r->drift_weight, m->args.w_quantile);
        return fmax((w_h - power * r->w_bar) / sum, 0.0);
}

bool arx_fit_row(struct arx *m, size_t i)
{
        struct arx_row *r = &m->row[i];
        struct problem p;
        build(m, r, &p);
        if (!num_all_finite(p.m * p.m, p.h) || !num_all_finite(p.m, p.g) || !isfinite(r->yy))
                return false;
        solve(m, r, &p);
        if (!num_all_finite(p.m, p.c))
                return false;

        size_t j = 0;
        double group = 0.0;
        for (size_t k = 0; k < r->n; k++) {
                if (k == r->ref)
                        continue;
                size_t t = r->t0 + k;
                m->theta[t] = fmin(fmax(p.c[j++] / m->st.scale[t], m->box_lo[t]), m->box_hi[t]);
                if (m->st.term[t].sum1)
                        group += m->theta[t];
        }
        if (r->ref < r->n) {
                size_t t = r->t0 + r->ref;
                m->theta[t] = fmin(fmax(1.0 - group, m->box_lo[t]), m->box_hi[t]);
        }
        r->s = residual_scale(m, r, &p);
        /* residuals of a much worse fit say nothing about this one */
        if (!(r->s_hist > 0.0) || r->s < 0.7 * r->s_hist) {
                memset(r->hist, 0, sizeof(double) * ARX_HIST_BINS);
                memset(r->drift, 0, sizeof(double) * ARX_HIST_BINS);
                r->hist_weight = r->drift_weight = 0.0;
                r->s_hist = r->s;
        }
        r->w_bar = noise_bound(m, r);
        r->w_step = noise_step(m, r);
        r->w_more = fmax(r->track, 0.0) * r->w_bar;
        r->ew_sq = r->ew_weight = 0.0;
        r->fitted = 1.0;
        intervals(m, r, &p);
        arx_row_check_sum1(m, i);
        if (r->sum1_infeasible) {
                arx_row_reset(m, i);
                return false;
        }
        return true;
}

size_t arx_fit(struct arx *m, size_t min_samples)
{
        size_t fitted = 0;
        m->memo->known = false;
        for (size_t i = 0; i < m->st.ny; i++)
                if (m->row[i].samples >= (double)min_samples && m->row[i].samples > 0.0) {
                        arx_member_before_fit(m, i);
                        fitted += arx_fit_row(m, i);
                }
        return fitted;
}
