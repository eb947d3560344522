/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The dual of the QP has one multiplier a constraint: minimise ½ (g + Cᵀ lam)ᵀ H⁻¹ (g + Cᵀ lam) + Σ φᵢ(lamᵢ), convex
 * and piecewise quadratic. Any lam of the right signs is feasible there, so any working set is a legal start. Here: the
 * states of a multiplier, the working set from the guess, point and bound of given multipliers.
 */
#include "models/num/qp_private.h"

#include "models/num/num.h"

#include <math.h>
#include <string.h>

#define SETTLE_MAX 4 /* rounds in which the guess sheds all that has the wrong sign at once */
#define KNOT 1e-10   /* a multiplier this close to soft_lin, relatively, may stay on either side of it */

int qp_entry_state(const struct qp *q, size_t i, int side)
{
        return qp_soft_lin(q, i) > 0.0 ? side : 2 * side;
}

void qp_state_range(const struct qp *q, size_t i, double *lo, double *hi)
{
        double w = qp_soft_lin(q, i), in = w * (1.0 + KNOT), out = w * (1.0 - KNOT);
        int s = q->state[i];

        if (s == 2 || s == -2) {
                bool free = qp_is_equality(q, i) && !(w > 0.0); /* one parabola, no knot between its sides */

                *lo = s > 0 && !free ? out : -(double)INFINITY;
                *hi = s > 0 || free ? (double)INFINITY : -out;
        } else {
                *lo = s > 0 && !qp_is_equality(q, i) ? 0.0 : -in;
                *hi = s < 0 && !qp_is_equality(q, i) ? 0.0 : in;
        }
}

int qp_next_state(const struct qp *q, size_t i, bool up)
{
        int s = q->state[i], side = up ? 1 : -1;

        if (s == 2 || s == -2)
                return qp_soft_lin(q, i) > 0.0 ? s / 2 : 0;
        return s == side || qp_is_equality(q, i) ? 2 * side : 0;
}

/* The state of a member of W at this multiplier, which is outside the range of its present one */
static int state_for(const struct qp *q, size_t i, double lam)
{
        int side = lam > 0.0 ? 1 : -1;
        double w = qp_soft_lin(q, i);

        if (lam * q->state[i] < 0.0 && !qp_is_equality(q, i))
                return 0;
        return fabs(lam) > w ? 2 * side : w > 0.0 ? side : 0;
}

void qp_set_point(struct qp *q)
{
        const size_t n = q->n;
        size_t k = 0;

        memcpy(q->z, q->zu, n * sizeof(double));
        for (; k + 4 <= q->nw; k += 4) {
                const size_t *w = q->w + k;
                const double by[4] = {-q->lam[w[0]], -q->lam[w[1]], -q->lam[w[2]], -q->lam[w[3]]};
                const double *const image[4] = {qp_image(q, w[0]), qp_image(q, w[1]), qp_image(q, w[2]),
                                                qp_image(q, w[3])};

                qp_axpy4(n, by, image, q->z);
        }
        for (; k < q->nw; k++)
                qp_axpy(n, -q->lam[q->w[k]], qp_image(q, q->w[k]), q->z);
        if (q->pending != QP_NONE)
                qp_axpy(n, -q->lam[q->pending], qp_image(q, q->pending), q->z);
        q->size = qp_larger(q->size_u, qp_size(q, q->z));
}

/* c_i x of a row of A */
static double row_value(const struct qp *q, size_t i, const double *x)
{
        size_t r = i - q->n, first = q->first[r];

        return qp_dot(q->end[r] - first, q->a + r * q->n + first, x + first);
}

void qp_set_rows(struct qp *q)
{
        for (size_t i = q->n; i < q->nc; i++)
                q->z[i] = row_value(q, i, q->z);
}

void qp_set_target(struct qp *q)
{
        for (size_t k = 0; k < q->nw; k++) {
                size_t i = q->w[k];
                int s = q->state[i];
                double give = q->compliance[i];

                if (isnan(q->zu[i]))
                        q->zu[i] = row_value(q, i, q->zu);
                q->step[k] = q->zu[i] - qp_side(q, i);
                if (give > 0.0)
                        q->step[k] += (s > 0 ? give : -give) * qp_soft_lin(q, i);
        }
        qp_solve_factor(q, q->step);
}

bool qp_admit(struct qp *q, struct qp_run *run, size_t i, int state)
{
        if (!qp_enter(q, i, qp_compliance_of(q, i, state)))
                return false;
        q->state[i] = state;
        run->changes++;
        return true;
}

void qp_dismiss(struct qp *q, struct qp_run *run, size_t k)
{
        q->state[q->w[k]] = 0;
        qp_leave(q, k);
        run->changes++;
}

/* Moves position k to another state; 0 takes it out. */
static void change(struct qp *q, struct qp_run *run, size_t k, int state)
{
        size_t i = q->w[k];

        qp_dismiss(q, run, k);
        if (state == 0 || !qp_admit(q, run, i, state))
                q->lam[i] = 0.0;
}

bool qp_out_of_time(const struct qp_run *run)
{
        return run->s->now_s && !(run->s->now_s(run->s->clock) - run->start_s < run->s->time_max_s);
}

bool qp_limit(struct qp_run *run, enum qp_status *status)
{
        if (run->iterations >= run->s->iter_max) {
                *status = QP_ITERATION_LIMIT;
                return true;
        }
        if (qp_out_of_time(run)) {
                *status = QP_TIME_LIMIT;
                return true;
        }
        run->iterations++;
        return false;
}

/* The state with which a member of the guess may stay under the new vectors; 0: it may not. */
static int valid_state(const struct qp *q, size_t i)
{
        int s = q->state[i], side = s > 0 ? 1 : -1;
        double w = qp_soft_lin(q, i);

        if (s == 0 || isinf(s > 0 ? qp_upper(q, i) : qp_lower(q, i)))
                return 0;
        return (s == 2 || s == -2) && isfinite(w) ? s : qp_entry_state(q, i, side);
}

enum qp_status qp_start(struct qp *q, struct qp_run *run)
{
        size_t guessed = 0;

        if (q->refactor) {
                guessed = q->nw;
                memcpy(q->list, q->w, guessed * sizeof(size_t));
                q->nw = 0;
        }
        for (size_t k = 0; k < guessed; k++) {
                size_t i = q->list[k];
                int s = valid_state(q, i);

                if (qp_out_of_time(run)) /* what is not factored is forgotten */
                        s = 0;
                if (s == 0 || !qp_admit(q, run, i, s))
                        q->state[i] = 0;
        }
        q->refactor = false;
        for (size_t k = q->nw; k-- > 0;) {
                size_t i = q->w[k];
                int s = valid_state(q, i);

                if (s == 0 || qp_compliance_of(q, i, s) != q->compliance[i])
                        change(q, run, k, s);
                else
                        q->state[i] = s;
        }
        for (size_t i = 0; i < q->nc; i++) {
                if (q->state[i] != 0 || !qp_is_equality(q, i))
                        continue;
                if (qp_out_of_time(run))
                        return QP_TIME_LIMIT;
                (void)qp_admit(q, run, i, qp_entry_state(q, i, 1)); /* a redundant one may stay out */
        }
        return QP_SOLVED;
}

bool qp_settle(struct qp *q, struct qp_run *run)
{
        for (size_t r = 0; r < SETTLE_MAX; r++) {
                size_t wrong = 0;

                qp_set_target(q);
                for (size_t k = 0; k < q->nw; k++)
                        q->lam[q->w[k]] = q->step[k];
                for (size_t k = q->nw; k-- > 0;) {
                        double lam = q->lam[q->w[k]], lo, hi;

                        qp_state_range(q, q->w[k], &lo, &hi);
                        if (lam >= lo && lam <= hi)
                                continue;
                        wrong++;
                        change(q, run, k, qp_out_of_time(run) ? 0 : state_for(q, q->w[k], lam));
                }
                if (wrong == 0)
                        return true;
        }
        return false;
}

void qp_make_dual_feasible(struct qp *q)
{
        for (size_t k = 0; k < q->nw; k++) {
                size_t i = q->w[k];

                if (!qp_is_equality(q, i) && (q->state[i] > 0 ? q->lam[i] < 0.0 : q->lam[i] > 0.0))
                        q->lam[i] = 0.0;
        }
}

/* φ summed over all multipliers: support of the sides, and what softness adds */
static double dual_penalty(const struct qp *q, size_t i)
{
        double lam = q->lam[i], beyond = fabs(lam) - qp_soft_lin(q, i), f;

        if (lam == 0.0)
                return 0.0;
        f = lam * (lam > 0.0 ? qp_upper(q, i) : qp_lower(q, i));
        return beyond > 0.0 ? f + 0.5 * beyond * beyond / q->v->soft_quad[i - q->n] : f;
}

double qp_dual_bound(const struct qp *q)
{
        double twice = num_dot(q->n, q->v->g, q->z), f = 0.0;

        for (size_t k = 0; k < q->nw + (q->pending != QP_NONE); k++) {
                size_t i = k < q->nw ? q->w[k] : q->pending;

                twice += q->lam[i] * q->z[i];
                f += dual_penalty(q, i);
        }
        return 0.5 * twice - f;
}
