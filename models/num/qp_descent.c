/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The dual active set method of Goldfarb and Idnani (1983) with many changes at once. At the minimum of the dual over
 * the working set W everything that is violated enters W with the multiplier zero; then steps go toward the minimum
 * over the larger W, each up to the first end of a multiplier's range, where that constraint leaves or a soft row
 * begins to give way. The dual falls from minimum to minimum, so no W comes back. What depends on W moves along a ray
 * on which the dual is linear; a ray without end proves the problem infeasible.
 */
#include "models/num/qp_private.h"

#include <math.h>
#include <string.h>

#define STALL_MAX 20  /* full steps in a row that do not lower the dual objective before giving up */
#define CROWD 0.25    /* what is violated less than this part of the most violated waits: it often goes with it */
#define RAY_ZERO 1e-9 /* scaled entries of a dual ray below this are rounding */
#define RAY_REFINE 2
#define NEW_PART 1e-14 /* of a square; less counts as dependence even when measured exactly */
#define RADIUS_MIN 1e6 /* a certificate counts if it covers so many times the largest variable */

/* How far multiplier i may go along `dir` until its range ends. */
static double room(const struct qp *q, size_t i, double dir)
{
        double lo, hi, to;

        qp_state_range(q, i, &lo, &hi);
        to = dir > 0.0 ? hi : lo;
        if (dir == 0.0 || isinf(to))
                return (double)INFINITY;
        return fmax((to - q->lam[i]) / dir, 0.0);
}

/* The end of a multiplier's range was reached at position k of W. */
static void cross_knot(struct qp *q, struct qp_run *run, size_t k, bool up)
{
        size_t i = q->w[k];
        int s = qp_next_state(q, i, up);

        qp_dismiss(q, run, k);
        if (s != 0 && qp_admit(q, run, i, s))
                return;
        if (s != 0 && q->pending == QP_NONE) { /* without compliance it depends on the others */
                q->pending = i;
                q->state[i] = s;
        } else {
                q->lam[i] = 0.0;
        }
}

/* From lam toward the target of W, at most to the first ends of ranges: what came to one leaves or changes its state.
 * True when the target was reached. */
static bool step_to_target(struct qp *q, struct qp_run *run)
{
        double t = 1.0;
        size_t ends = 0;

        qp_set_target(q);
        for (size_t k = 0; k < q->nw; k++) {
                q->step[k] -= q->lam[q->w[k]];
                q->room[k] = room(q, q->w[k], q->step[k]);
                if (q->room[k] < t)
                        t = q->room[k];
        }
        for (size_t k = 0; k < q->nw; k++) {
                if (t < 1.0 && q->room[k] <= t)
                        q->list[ends++] = k;
                q->lam[q->w[k]] += t * q->step[k];
        }
        while (ends-- > 0) /* from the last position on: those before keep their places */
                cross_knot(q, run, q->list[ends], q->step[q->list[ends]] > 0.0);
        return !(t < 1.0);
}

void qp_add_normal(const struct qp *q, size_t i, double f, double *sum)
{
        if (i < q->n)
                sum[i] += f;
        else
                qp_axpy(q->end[i - q->n] - q->first[i - q->n], f, q->a + (i - q->n) * q->n + q->first[i - q->n],
                        sum + q->first[i - q->n]);
}

/* step [nw]: the combination of W nearest to p in H⁻¹, refined against A itself; grad = c_p − C_Wᵀ step. qp_enter has
 * just refused p. */
static void dependence(struct qp *q, size_t p)
{
        double *correction = q->rotation;

        memcpy(q->step, qp_factor_row(q, q->nw), q->nw * sizeof(double)); /* L⁻¹ C_W Y_p */
        qp_solve_upper(q, q->step);
        for (size_t r = 0;; r++) {
                memset(q->grad, 0, q->n * sizeof(double));
                qp_add_normal(q, p, 1.0, q->grad);
                for (size_t k = 0; k < q->nw; k++)
                        qp_add_normal(q, q->w[k], -q->step[k], q->grad);
                if (r == RAY_REFINE)
                        return;
                for (size_t k = 0; k < q->nw; k++)
                        correction[k] =
                            qp_dot(q->n, qp_image(q, q->w[k]), q->grad) - q->compliance[q->w[k]] * q->step[k];
                qp_solve_factor(q, correction);
                qp_axpy(q->nw, 1.0, correction, q->step);
        }
}

/* The factor refused p, whose dependence is in step and what it leaves in grad. That is exact enough to tell a part of
 * p that is new from rounding where the factor could not; if there is one p enters with it. */
static bool enter_measured(struct qp *q, struct qp_run *run, size_t p, int state)
{
        double give = qp_compliance_of(q, p, state), new_part;

        qp_symmetric(q->n, q->p, q->grad, q->hx);
        new_part = qp_dot(q->n, q->grad, q->hx) + give;
        for (size_t k = 0; k < q->nw; k++)
                new_part += q->compliance[q->w[k]] * q->step[k] * q->step[k];
        if (q->nw == q->w_max || !(new_part > NEW_PART * q->gram[p]))
                return false;
        qp_factor_row(q, q->nw)[q->nw] = sqrt(new_part);
        q->w[q->nw++] = p;
        q->compliance[p] = give;
        q->state[p] = state;
        run->changes++;
        return true;
}

/* An end of a multiplier's range that rounding alone moves toward is none. */
static double ray_room(const struct qp *q, size_t i, double dir)
{
        return fabs(dir) * q->norm[i] > RAY_ZERO * q->norm[q->pending] ? room(q, i, dir) : (double)INFINITY;
}

/* The certificate of a ray without end: its entries of rows, without those of rounding that have the wrong sign. */
static void set_certificate(struct qp *q, double dir)
{
        memset(q->certificate, 0, q->m * sizeof(double));
        for (size_t k = 0; k < q->nw; k++)
                if (q->w[k] >= q->n && isinf(qp_soft_lin(q, q->w[k])) && isinf(room(q, q->w[k], q->step[k])))
                        q->certificate[q->w[k] - q->n] = q->step[k];
        if (q->pending >= q->n)
                q->certificate[q->pending - q->n] = dir;
}

/*
 * The pending constraint p depends on W: c_p = C_Wᵀ r, so along lam_p + t, lam_W − t r the dual is linear, with slope
 * (side − z)_p − r · (side − z)_W. Goes down it to the first end of a range. False when there is none: infeasible.
 */
static bool ray_step(struct qp *q, struct qp_run *run)
{
        size_t p = q->pending, block = QP_NONE;
        double slope = qp_side(q, p) - q->z[p], dir, t;
        bool up;

        for (size_t k = 0; k < q->nw; k++)
                slope -= q->step[k] * (qp_side(q, q->w[k]) - q->z[q->w[k]]);
        dir = slope < 0.0 ? 1.0 : -1.0;
        t = room(q, p, dir);
        for (size_t k = 0; k < q->nw; k++) {
                double r;

                q->step[k] *= -dir;
                r = ray_room(q, q->w[k], q->step[k]);
                if (r < t) {
                        t = r;
                        block = k;
                }
        }
        if (isinf(t)) {
                set_certificate(q, dir);
                return false;
        }
        q->lam[p] += t * dir;
        for (size_t k = 0; k < q->nw; k++)
                q->lam[q->w[k]] += t * q->step[k];
        if (block == QP_NONE) {
                q->state[p] = qp_next_state(q, p, dir > 0.0);
                if (q->state[p] == 0) {
                        q->lam[p] = 0.0;
                        q->pending = QP_NONE;
                }
                return true;
        }
        up = q->step[block] > 0.0;
        cross_knot(q, run, block, up);
        return true;
}

/* The most violated constraint outside W becomes pending, the lowest of equals; by_index: the first one, which breaks
 * cycles. Returns its violation, 0 when there is none. */
static double pick(struct qp *q, double tol, bool by_index)
{
        double most = 0.0;
        int state = 0;

        for (size_t i = 0; i < q->nc && !(by_index && most > 0.0); i++) {
                int side = 0;
                double by = q->state[i] == 0 ? qp_violation(q, i, tol, &side) : 0.0;

                if (by > most) {
                        most = by;
                        q->pending = i;
                        state = qp_entry_state(q, i, side);
                }
        }
        if (most > 0.0)
                q->state[q->pending] = state;
        return most;
}

/* What else is violated by more than `least` enters with the multiplier zero: the next step is still one of descent. */
static void admit_others(struct qp *q, struct qp_run *run, double least)
{
        for (size_t i = 0; i < q->nc; i++) {
                int side = 0;

                if (q->state[i] != 0 || !(qp_violation(q, i, run->s->tol, &side) > least))
                        continue;
                if (qp_out_of_time(run))
                        return;
                (void)qp_admit(q, run, i, qp_entry_state(q, i, side));
        }
}

enum qp_status qp_certified(const struct qp *q)
{
        const struct qp_dims d = {q->n, q->m, q->n_soft};
        double largest = 0.0;

        for (size_t j = 0; j < q->n; j++)
                largest = qp_larger(largest, fabs(q->z[j]));
        return qp_certificate_radius(&d, q->a, q->v, q->certificate) > RADIUS_MIN * largest ? QP_INFEASIBLE
                                                                                            : QP_STALLED;
}

/* What is violated may be rounding only: then report() takes the point. */
static enum qp_status give_up(struct qp *q)
{
        size_t p = q->pending;

        if (p != QP_NONE && q->lam[p] != 0.0)
                return QP_STALLED;
        if (p != QP_NONE)
                q->state[p] = 0;
        q->pending = QP_NONE;
        return QP_SOLVED;
}

enum pending_end { ENTERED, MOVED, ENDLESS };

/* The pending constraint enters W, or the multipliers move along its ray, or the ray has no end. */
static enum pending_end pending_step(struct qp *q, struct qp_run *run)
{
        size_t p = q->pending;
        int s = q->state[p];

        q->state[p] = 0;
        if (!qp_admit(q, run, p, s)) {
                dependence(q, p);
                if (!enter_measured(q, run, p, s)) {
                        q->state[p] = s;
                        return ray_step(q, run) ? MOVED : ENDLESS;
                }
        }
        q->pending = QP_NONE;
        return ENTERED;
}

enum qp_status qp_descend(struct qp *q, struct qp_run *run, bool at_target)
{
        enum qp_status status;
        double bound = -(double)INFINITY,
               most = 0.0; /* most > 0: the violation of pending, and z is the point of lam */
        size_t stalled = 0;

        while (!qp_limit(run, &status)) {
                double now;

                if (q->pending != QP_NONE) {
                        enum pending_end end = pending_step(q, run);

                        if (end == ENDLESS)
                                return qp_certified(q) == QP_INFEASIBLE ? QP_INFEASIBLE : give_up(q);
                        if (end == ENTERED && most > 0.0 && stalled == 0 && !run->careful)
                                admit_others(q, run, CROWD * most);
                        most = 0.0;
                        if (end == MOVED)
                                continue;
                }
                if (!at_target && !step_to_target(q, run))
                        continue;
                at_target = false;
                qp_set_point(q);
                qp_set_rows(q);
                now = qp_dual_bound(q);
                stalled = now > bound ? 0 : stalled + 1;
                bound = qp_larger(bound, now);
                if (stalled > STALL_MAX)
                        return give_up(q);
                most = pick(q, run->s->tol, stalled > 0);
                if (q->pending == QP_NONE)
                        return QP_SOLVED;
        }
        return status;
}
