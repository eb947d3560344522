/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Fast plan. Each free variable gets one target, approached at its rate: u[k] = u_now + clamp(target − u_now,
 * ±rate(k+1)). The cost in W is minimised over the targets' box by spectral projected gradient (Birgin, Martínez,
 * Raydan 2000) with monotone backtracking; the gradient is exact, by the adjoint of the ARX recursion.
 */
#include "models/plan/plan_impl.h"

#include <math.h>
#include <string.h>

#define KNEE_BLEND_K 0.5 /* server fans do not jump at the knee: quadratic over this width, then linear */
#define ARMIJO 1e-4
#define BACKTRACK_MAX 12

double plan_clamp(double v, double lo, double hi)
{
        return v < lo ? lo : v > hi ? hi : v;
}

void plan_simulate(struct plan *p, const struct arx *m)
{
        const struct arx_structure *st = arx_structure(m);
        const size_t n = p->args.horizon, l = p->lag_max;

        for (size_t i = 0; i < p->ny; i++) {
                if (p->row_ok[i])
                        continue;
                for (size_t k = 0; k < n; k++)
                        p->yh[(l + k) * p->ny + i] = p->yh[(l - 1) * p->ny + i];
        }
        for (size_t k = 0; k < n; k++) {
                const size_t r = l + k;
                for (size_t i = 0; i < p->ny; i++) {
                        const double *theta, *lo, *hi;
                        double sum = 0.0;
                        if (!p->row_ok[i])
                                continue;
                        arx_row(m, i, &theta, &lo, &hi);
                        for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++, theta++) {
                                const struct arx_term *q = &st->term[t];
                                switch (q->src) {
                                case ARX_SRC_Y:
                                        sum += *theta * p->yh[(r - q->lag) * p->ny + q->index];
                                        break;
                                case ARX_SRC_U:
                                        sum += *theta * p->uh[(r - q->lag) * p->nu + q->index];
                                        break;
                                case ARX_SRC_D:
                                        sum += *theta * p->dh[(r - q->lag) * p->nd + q->index];
                                        break;
                                default:
                                        sum += *theta;
                                        break;
                                }
                        }
                        p->yh[r * p->ny + i] = sum;
                }
        }
}

/* The last step stands for what follows it. */
static double step_weight(size_t k, size_t n)
{
        const double tail = (double)n / 2.0;
        return (k + 1 == n ? 1.0 + tail : 1.0) / ((double)n + tail);
}

static double reach(const struct plan *p, size_t j, size_t k, double target)
{
        const double r = p->u[j].rate * (double)(k + 1);
        return p->now[j] + plan_clamp(target - p->now[j], -r, r);
}

/* true when the rate still lets the target act at step k */
static bool reached(const struct plan *p, size_t j, size_t k, double target)
{
        return fabs(target - p->now[j]) <= p->u[j].rate * (double)(k + 1);
}

static double y_cost(const struct plan_y *y, double v, double *ret_slope)
{
        const double e = v - y->target_max, c = v - y->knee;
        double cost = 0.0, slope = 0.0;

        if (e > 0.0) {
                cost += y->weight * e * e;
                slope += 2.0 * y->weight * e;
        }
        if (c > 0.0 && c < KNEE_BLEND_K) { /* false for a NaN knee */
                cost += y->knee_w_per_k * c * c / (2.0 * KNEE_BLEND_K);
                slope += y->knee_w_per_k * c / KNEE_BLEND_K;
        } else if (c >= KNEE_BLEND_K) {
                cost += y->knee_w_per_k * (c - KNEE_BLEND_K / 2.0);
                slope += y->knee_w_per_k;
        }
        *ret_slope = slope;
        return cost;
}

static double move_weight(const struct plan *p, size_t j)
{
        const struct plan_u *u = &p->u[j];
        if (u->kind == PLAN_U_FAN)
                return 0.5 * u->rated_w;
        return u->rate > 0.0 ? 0.1 * p->value[j] / u->rate : 0.0;
}

/* Costs of the variables themselves. */
static double u_cost(const struct plan *p, const double *target, double *grad)
{
        const size_t n = p->args.horizon;
        double cost = 0.0;

        for (size_t j = 0; j < p->nu; j++) {
                const struct plan_u *u = &p->u[j];
                if (!p->free[j])
                        continue;
                for (size_t k = 0; k < n; k++) {
                        const double w = step_weight(k, n), v = reach(p, j, k, target[j]);
                        double slope;
                        if (u->kind == PLAN_U_FAN) {
                                cost += w * u->rated_w * v * v * v;
                                slope = w * u->rated_w * 3.0 * v * v;
                        } else {
                                cost -= w * p->value[j] * v;
                                slope = -w * p->value[j];
                        }
                        if (grad && reached(p, j, k, target[j]))
                                grad[j] += slope;
                }
                const double move = target[j] - p->now[j], q = move_weight(p, j);
                cost += 0.5 * q * move * move;
                if (grad)
                        grad[j] += q * move;
        }
        return cost;
}

static void adjoint(struct plan *p, const struct arx *m, const double *target, double *grad)
{
        const struct arx_structure *st = arx_structure(m);
        const size_t n = p->args.horizon;

        for (size_t kk = n; kk-- > 0;) {
                for (size_t i = 0; i < p->ny; i++) {
                        const double lambda = p->gy[kk * p->ny + i];
                        const double *theta, *lo, *hi;
                        if (!p->row_ok[i] || lambda == 0.0)
                                continue;
                        arx_row(m, i, &theta, &lo, &hi);
                        for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++, theta++) {
                                const struct arx_term *q = &st->term[t];
                                if (q->src == ARX_SRC_Y && q->lag <= kk)
                                        p->gy[(kk - q->lag) * p->ny + q->index] += *theta * lambda;
                                else if (q->src == ARX_SRC_U && q->lag <= kk + 1 && p->free[q->index] &&
                                         reached(p, q->index, kk + 1 - q->lag, target[q->index]))
                                        grad[q->index] += *theta * lambda;
                        }
                }
        }
}

double plan_fast_cost(struct plan *p, const struct arx *m, const double *target, double *grad)
{
        const size_t n = p->args.horizon, l = p->lag_max;
        double cost;

        for (size_t k = 0; k < n; k++)
                for (size_t j = 0; j < p->nu; j++)
                        p->uh[(l - 1 + k) * p->nu + j] = p->free[j] ? reach(p, j, k, target[j]) : p->now[j];
        plan_simulate(p, m);

        if (grad) {
                memset(grad, 0, p->nu * sizeof *grad);
                memset(p->gy, 0, n * p->ny * sizeof *p->gy);
        }
        cost = u_cost(p, target, grad);
        for (size_t k = 0; k < n; k++) {
                for (size_t a = 0; a < p->npy; a++) {
                        const size_t i = p->y[a].row;
                        double slope;
                        if (!p->row_ok[i])
                                continue;
                        cost += step_weight(k, n) * y_cost(&p->y[a], p->yh[(l + k) * p->ny + i], &slope);
                        p->gy[k * p->ny + i] += step_weight(k, n) * slope;
                }
        }
        if (grad)
                adjoint(p, m, target, grad);
        return cost;
}

static double span(const struct plan_u *u)
{
        return u->hi > u->lo ? u->hi - u->lo : 1.0;
}

/* The box of a target: what the rate reaches within the horizon, so that its gradient never vanishes. */
static double box(const struct plan *p, size_t j, double v)
{
        const double r = p->u[j].rate * (double)p->args.horizon;
        v = plan_clamp(v, p->now[j] - r, p->now[j] + r);
        return plan_clamp(v, p->u[j].lo, p->u[j].hi);
}

/* Direction of a projected step of length alpha into p->trial; slope along it in *ret_slope; largest move, scaled. */
static double direction(struct plan *p, double alpha, double *ret_slope)
{
        double slope = 0.0, largest = 0.0;

        for (size_t j = 0; j < p->nu; j++) {
                p->trial[j] = 0.0;
                if (!p->free[j])
                        continue;
                const double s = span(&p->u[j]);
                const double d = box(p, j, p->target[j] - alpha * s * s * p->grad[j]) - p->target[j];
                p->trial[j] = d;
                slope += d * p->grad[j];
                if (fabs(d) / s > largest)
                        largest = fabs(d) / s;
        }
        *ret_slope = slope;
        return largest;
}

static double spectral_step(struct plan *p, const double *before, const double *grad_before, double alpha)
{
        double sts = 0.0, sty = 0.0;

        for (size_t j = 0; j < p->nu; j++) {
                if (!p->free[j])
                        continue;
                const double ds = p->target[j] - before[j];
                sts += ds * ds / (span(&p->u[j]) * span(&p->u[j]));
                sty += ds * (p->grad[j] - grad_before[j]);
        }
        return sty > 0.0 ? plan_clamp(sts / sty, 1e-12, 1e3) : 4.0 * alpha;
}

void plan_fast(struct plan *p, const struct arx *m)
{
        double cost, steepest = 0.0, alpha;

        for (size_t j = 0; j < p->nu; j++)
                p->target[j] = p->free[j] ? box(p, j, p->now[j]) : p->now[j];
        cost = plan_fast_cost(p, m, p->target, p->grad);
        for (size_t j = 0; j < p->nu; j++)
                if (p->free[j] && fabs(p->grad[j]) * span(&p->u[j]) > steepest)
                        steepest = fabs(p->grad[j]) * span(&p->u[j]);
        alpha = steepest > 0.0 ? 0.05 / steepest : 0.0;

        for (size_t it = 0; it < p->args.iter_max && alpha > 0.0; it++) {
                double slope, length = 1.0, next = cost;
                bool accepted = false;

                if (!(direction(p, alpha, &slope) > 1e-5) || !(slope < 0.0))
                        break;
                for (int b = 0; b < BACKTRACK_MAX && !accepted; b++, length *= 0.5) {
                        for (size_t j = 0; j < p->nu; j++)
                                p->best[j] = p->target[j] + length * p->trial[j];
                        next = plan_fast_cost(p, m, p->best, NULL);
                        accepted = next <= cost + ARMIJO * length * slope;
                }
                if (!accepted)
                        break;
                memcpy(p->grad_prev, p->grad, p->nu * sizeof *p->grad);
                memcpy(p->trial, p->target, p->nu * sizeof *p->trial);
                memcpy(p->target, p->best, p->nu * sizeof *p->target);
                cost = plan_fast_cost(p, m, p->target, p->grad);
                alpha = spectral_step(p, p->trial, p->grad_prev, alpha);
        }
        memcpy(p->best, p->target, p->nu * sizeof *p->best);
        (void)plan_fast_cost(p, m, p->best, NULL);
}

double plan_hottest(const struct plan *p)
{
        double hottest = NAN;

        for (size_t a = 0; a < p->npy; a++) {
                if (p->y[a].kind != PLAN_Y_INLET || !p->row_ok[p->y[a].row])
                        continue;
                for (size_t k = 0; k < p->args.horizon; k++) {
                        const double v = p->yh[(p->lag_max + k) * p->ny + p->y[a].row];
                        if (!(v <= hottest))
                                hottest = v;
                }
        }
        return hottest;
}
