/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* One solve: input, phases, refinement, residuals and the certificate. */
#include "models/num/qp_private.h"

#include "models/num/num.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define REFINE 1e-11 /* relative residual of the equations of W that is worth a step of refinement */
#define REFINE_MAX 3
#define ROUNDING 1e-14 /* of the size of x */
/* A solution may be so many times worse than tol before it counts as none: in the first attempt, and in the last */
#define SLACK_FIRST 5.0
#define SLACK_LAST 100.0

const char *qp_status_name(enum qp_status s)
{
        static const char *const name[] = {"solved",     "iteration limit", "time limit",
                                           "infeasible", "stalled",         "bad input"};

        return (size_t)s < sizeof(name) / sizeof(name[0]) ? name[s] : "?";
}

struct qp_settings qp_settings_default(void)
{
        return (struct qp_settings){.tol = 1e-9, .iter_max = 1000, .time_max_s = INFINITY};
}

static bool vectors_valid(const struct qp *q, const struct qp_vectors *v)
{
        size_t soft = 0;

        if (!num_all_finite(q->n, v->g))
                return false;
        for (size_t j = 0; j < q->n; j++)
                if (!(v->lb[j] <= v->ub[j]) || !(v->lb[j] < (double)INFINITY) || !(v->ub[j] > -(double)INFINITY))
                        return false;
        for (size_t i = 0; i < q->m; i++) {
                if (!(v->cl[i] <= v->cu[i]) || !(v->cl[i] < (double)INFINITY) || !(v->cu[i] > -(double)INFINITY))
                        return false;
                if (!v->soft_lin || (isinf(v->soft_lin[i]) && v->soft_lin[i] > 0.0))
                        continue;
                if (!(v->soft_lin[i] >= 0.0) || !(v->soft_quad[i] > 0.0) || !isfinite(v->soft_quad[i]) ||
                    !isfinite(1.0 / v->soft_quad[i]))
                        return false;
                soft++;
        }
        return soft <= q->n_soft;
}

double qp_size(const struct qp *q, const double *x)
{
        double most = 0.0;

        for (size_t j = 0; j < q->n; j++)
                most = qp_larger(most, fabs(x[j]) * q->h_root[j]);
        return most;
}

/* x exactly within its bounds, on those of W; and its rows, unless it moved by rounding only. */
static void snap(struct qp *q)
{
        double moved = 0.0;

        for (size_t j = 0; j < q->n; j++) {
                double x = q->z[j];

                if (q->state[j] != 0)
                        x = qp_side(q, j);
                else if (x > q->v->ub[j])
                        x = q->v->ub[j];
                else if (x < q->v->lb[j])
                        x = q->v->lb[j];
                moved = qp_larger(moved, fabs(x - q->z[j]) * q->h_root[j]);
                q->z[j] = x;
        }
        if (moved > ROUNDING * q->size)
                qp_set_rows(q);
}

/* grad = H x + g + Cᵀ lam, hx = H x. Returns its size beside that of its parts. */
static double gradient(struct qp *q)
{
        const size_t n = q->n;
        double most = 0.0, part = 0.0;

        qp_symmetric(n, q->h, q->z, q->hx);
        for (size_t j = 0; j < n; j++)
                q->grad[j] = q->hx[j] + q->v->g[j];
        for (size_t k = 0; k < q->nw + (q->pending != QP_NONE); k++) {
                size_t i = k < q->nw ? q->w[k] : q->pending;

                qp_add_normal(q, i, q->lam[i], q->grad);
        }
        for (size_t j = 0; j < n; j++) {
                most = qp_larger(most, fabs(q->grad[j]) * q->reach[j]); /* reach of a bound: 1 / √H_jj */
                part = qp_larger(part, (fabs(q->hx[j]) + fabs(q->v->g[j])) * q->reach[j]);
        }
        return most > 0.0 ? most / fmax(part, DBL_MIN) : 0.0;
}

/* How far member i of W is from its side, its own softness counted */
static double side_error(const struct qp *q, size_t i)
{
        double give = q->compliance[i], side = q->state[i] > 0 ? 1.0 : -1.0, e = q->z[i] - qp_side(q, i);

        return give > 0.0 ? e - give * (q->lam[i] - side * qp_soft_lin(q, i)) : e;
}

/* One step of refinement of the equations of W: takes grad and the side errors out of x and lam. */
static void refine(struct qp *q)
{
        for (size_t k = 0; k < q->nw; k++)
                q->step[k] = side_error(q, q->w[k]) - qp_dot(q->n, qp_image(q, q->w[k]), q->grad);
        qp_solve_factor(q, q->step);
        qp_symmetric(q->n, q->p, q->grad, q->hx);
        for (size_t j = 0; j < q->n; j++)
                q->z[j] -= q->hx[j];
        for (size_t k = 0; k < q->nw; k++) {
                qp_axpy(q->n, -q->step[k], qp_image(q, q->w[k]), q->z);
                q->lam[q->w[k]] += q->step[k];
        }
        qp_make_dual_feasible(q);
        qp_set_rows(q);
        snap(q);
}

/* Largest side error of W, as a part of the size of x */
static double side_errors(const struct qp *q)
{
        double most = 0.0;

        for (size_t k = 0; k < q->nw; k++)
                most = fmax(most, fabs(side_error(q, q->w[k])) / q->norm[q->w[k]]);
        return most > 0.0 ? most / fmax(q->size, DBL_MIN) : 0.0;
}

/* Refines the solution as far as it is worth it. False when it is none by this tolerance. */
static bool polish(struct qp *q, double tol)
{
        double off, side;
        int which;

        snap(q);
        off = gradient(q);
        side = side_errors(q);
        for (size_t r = 0; r < REFINE_MAX && (off > REFINE || side > REFINE); r++) {
                refine(q);
                off = gradient(q);
                side = side_errors(q);
        }
        if (!(off <= tol && side <= tol))
                return false;
        for (size_t i = 0; i < q->nc; i++)
                if (q->state[i] == 0 && qp_violation(q, i, tol, &which) > 0.0)
                        return false;
        return true;
}

/* Slack of a soft row that belongs to its multiplier */
static double slack(const struct qp *q, size_t i)
{
        double beyond = fabs(q->lam[i]) - qp_soft_lin(q, i);

        return beyond > 0.0 ? beyond / q->v->soft_quad[i - q->n] : 0.0;
}

/* Residuals and objectives of the problem as given, at z, lam and hx of this very point. */
static void measure(const struct qp *q, struct qp_result *r)
{
        r->objective = 0.5 * num_dot(q->n, q->hx, q->z) + num_dot(q->n, q->v->g, q->z);
        for (size_t j = 0; j < q->n; j++)
                r->dual_residual = qp_larger(r->dual_residual, fabs(q->grad[j]));
        for (size_t i = 0; i < q->nc; i++) {
                double lam = q->lam[i], over = q->z[i] - qp_upper(q, i), under = qp_lower(q, i) - q->z[i], s;

                if (lam == 0.0 && over <= 0.0 && under <= 0.0)
                        continue;
                s = slack(q, i);
                if (lam != 0.0)
                        r->complementarity =
                            qp_larger(r->complementarity, fabs(lam * ((lam > 0.0 ? over : under) - s)));
                over = qp_larger(over, under);
                r->primal_residual = qp_larger(r->primal_residual, over - s);
                if (over > 0.0 && isfinite(qp_soft_lin(q, i)))
                        r->objective += qp_soft_lin(q, i) * over + 0.5 * q->v->soft_quad[i - q->n] * over * over;
        }
        r->bound = qp_dual_bound(q);
}

/* From the guess to an end. */
static enum qp_status attempt(struct qp *q, struct qp_run *run)
{
        enum qp_status status;

        q->pending = QP_NONE;
        memset(q->lam, 0, q->nc * sizeof(double));
        status = qp_start(q, run);
        if (status == QP_SOLVED)
                status = qp_descend(q, run, qp_settle(q, run));
        if (status == QP_SOLVED && !polish(q, run->s->tol * (run->careful ? SLACK_LAST : SLACK_FIRST)))
                status = QP_STALLED;
        if (status == QP_STALLED) { /* multipliers that ran away prove it as well as a ray */
                for (size_t i = 0; i < q->m; i++)
                        q->certificate[i] = isinf(qp_soft_lin(q, q->n + i)) ? q->lam[q->n + i] : 0.0;
                status = qp_certified(q);
        }
        return status;
}

static void report(struct qp *q, const struct qp_run *run, struct qp_result *r)
{
        r->iterations = run->iterations;
        r->changes = run->changes;
        r->active = q->state;
        if (r->status == QP_INFEASIBLE) {
                r->certificate = q->certificate;
                return;
        }
        if (r->status != QP_SOLVED) {
                qp_make_dual_feasible(q);
                qp_set_point(q);
                qp_set_rows(q);
                (void)gradient(q);
        }
        if (!num_all_finite(q->nc, q->z) || !num_all_finite(q->nc, q->lam)) {
                r->status = QP_STALLED;
                return;
        }
        r->primal_residual = r->dual_residual = r->complementarity = 0.0;
        measure(q, r);
        r->x = q->z;
        r->lam_x = q->lam;
        r->lam_row = q->lam + q->n;
}

int qp_solve(struct qp *q, const struct qp_vectors *v, const struct qp_settings *s, struct qp_result *ret_result)
{
        struct qp_result r = {.status = QP_BAD_INPUT,
                              .primal_residual = (double)NAN,
                              .dual_residual = (double)NAN,
                              .complementarity = (double)NAN,
                              .objective = (double)NAN,
                              .bound = (double)NAN};
        struct qp_run run = {.s = s};

        if (!q->factored || !v->g || !v->lb || !v->ub || (q->m > 0 && (!v->cl || !v->cu)) ||
            (!v->soft_lin) != (!v->soft_quad))
                return -EINVAL;
        if (!(s->tol > 0.0 && s->tol <= 1e-2) || s->iter_max < 1 || (s->now_s && !(s->time_max_s > 0.0)))
                return -EINVAL;
        run.start_s = s->now_s ? s->now_s(s->clock) : 0.0;
        if (!vectors_valid(q, v)) {
                *ret_result = r;
                return 0;
        }
        q->v = v;
        qp_symmetric(q->n, q->p, v->g, q->zu);
        for (size_t j = 0; j < q->n; j++)
                q->zu[j] = -q->zu[j];
        for (size_t i = q->n; i < q->nc; i++)
                q->zu[i] = (double)NAN;
        q->size_u = qp_size(q, q->zu);
        r.status = attempt(q, &run);
        if (r.status == QP_STALLED) { /* the factor may be worn or W ill-conditioned: once more, with a new one */
                qp_guess(q, NULL);
                run.careful = true;
                r.status = attempt(q, &run);
        }
        report(q, &run, &r);
        if (q->pending != QP_NONE)
                q->state[q->pending] = 0;
        q->pending = QP_NONE;
        q->refactor = q->refactor || r.status != QP_SOLVED;
        q->v = NULL;
        *ret_result = r;
        return 0;
}

double qp_certificate_radius(const struct qp_dims *d, const double *a, const struct qp_vectors *v, const double *y)
{
        double least = 0.0, allowed = 0.0, slope = 0.0, terms = 0.0, margin;

        for (size_t i = 0; i < d->m; i++) {
                double side = y[i] > 0.0 ? v->cu[i] : v->cl[i];

                if (y[i] == 0.0)
                        continue;
                if (!isfinite(y[i]) || !isfinite(side) || (v->soft_lin && isfinite(v->soft_lin[i])))
                        return 0.0;
                allowed += y[i] * side; /* yᵀ A x is at most this for every x that satisfies the rows */
                terms += fabs(y[i] * side);
        }
        for (size_t j = 0; j < d->n; j++) {
                double e = 0.0, part = 0.0, at;

                for (size_t i = 0; i < d->m; i++) {
                        e += a[i * d->n + j] * y[i];
                        part += fabs(a[i * d->n + j] * y[i]);
                }
                if (part == 0.0)
                        continue;
                /* and at least the sum of e x_j; where rounding hides the sign of e, both bounds count */
                const double off = DBL_EPSILON * (double)d->m * part, lb = v->lb[j], ub = v->ub[j];
                const bool hidden = fabs(e) <= off;

                at = e > 0.0 ? lb : ub;
                if (hidden ? isfinite(lb) && isfinite(ub) : isfinite(at)) {
                        least += hidden ? -(fabs(e) + off) * fmax(fabs(lb), fabs(ub)) : e * at;
                        terms += hidden ? 0.0 : part * fabs(at);
                } else {
                        slope += fabs(e) + off;
                }
        }
        margin = least - allowed - DBL_EPSILON * (double)(d->n + d->m) * terms;
        if (!(margin > 0.0))
                return 0.0;
        return slope > 0.0 ? margin / slope : (double)INFINITY;
}
