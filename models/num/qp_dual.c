/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The dual of the QP has one multiplier a constraint: minimise ½ (g + Cᵀ lam)ᵀ H⁻¹ (g + Cᵀ lam) + Σ φᵢ(lamᵢ), convex
 * and piecewise quadratic. Any lam of the right signs is feasible there, so any working set is a legal start.
 *
 * qp_block_phase: primal-dual active sets (Hintermüller, Ito and Kunisch 2002; block pivoting of Júdice and Pires
 * 1994). Every constraint that is wrong changes at once, which takes a handful of iterations from a good guess. It may
 * cycle; when the count of what is wrong has not reached a new minimum for a while, qp_single_phase: the dual active
 * set method of Goldfarb and Idnani (1983), one change an iteration. The dual objective falls at every full step, so
 * that no working set comes back; an infeasible problem ends in a ray of the dual.
 */
#include "models/num/qp_private.h"

#include "models/num/num.h"

#include <math.h>
#include <string.h>

#define BLOCK_PATIENCE 4 /* block iterations without a new minimum of wrong constraints */
#define KNOT 1e-10       /* a multiplier this close to soft_lin, relatively, may stay on either side of it */

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

double qp_violation(const struct qp *q, size_t i, double tol, int *side)
{
        double over = q->z[i] - qp_upper(q, i), under = qp_lower(q, i) - q->z[i];
        double by = over > under ? over : under, at = over > under ? qp_upper(q, i) : qp_lower(q, i);

        *side = over > under ? 1 : -1;
        if (!(by > 0.0) || !(by > tol * (fabs(at) + q->reach[i] * q->size)))
                return 0.0;
        return by / q->norm[i];
}

/* z = C x, x = −H⁻¹ (g + Cᵀ lam) */
void qp_set_point(struct qp *q)
{
        const size_t n = q->n;

        memcpy(q->z, q->zu, n * sizeof(double));
        for (size_t k = 0; k < q->nw; k++)
                qp_axpy(n, -q->lam[q->w[k]], qp_image(q, q->w[k]), q->z);
        if (q->pending != QP_NONE)
                qp_axpy(n, -q->lam[q->pending], qp_image(q, q->pending), q->z);
}

void qp_set_rows(struct qp *q)
{
        q->size = q->size_u;
        for (size_t j = 0; j < q->n; j++)
                q->size = fmax(q->size, fabs(q->z[j]) * q->h_root[j]);
        for (size_t i = 0; i < q->m; i++)
                q->z[q->n + i] = qp_dot(q->end[i] - q->first[i], q->a + i * q->n + q->first[i], q->z + q->first[i]);
}

void qp_set_target(struct qp *q)
{
        for (size_t k = 0; k < q->nw; k++) {
                size_t i = q->w[k];
                int s = q->state[i];
                double give = q->compliance[i];

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

/* Changes what is wrong at the multipliers of W all at once. Returns the count of what was wrong. */
static size_t block_step(struct qp *q, struct qp_run *run)
{
        size_t wrong = 0, outside = 0;

        qp_set_target(q);
        for (size_t k = 0; k < q->nw; k++)
                q->lam[q->w[k]] = q->step[k];
        qp_set_point(q);
        qp_set_rows(q);
        for (size_t i = 0; i < q->nc; i++) {
                int side;

                if (q->state[i] == 0 && qp_violation(q, i, run->s->tol, &side) > 0.0)
                        q->list[outside++] = side > 0 ? i : i + q->nc;
        }
        for (size_t k = q->nw; k-- > 0;) {
                size_t i = q->w[k];
                double lam = q->lam[i], lo, hi;

                qp_state_range(q, i, &lo, &hi);
                if (lam >= lo && lam <= hi)
                        continue;
                wrong++;
                if (qp_out_of_time(run))
                        break;
                change(q, run, k, state_for(q, i, lam));
        }
        for (size_t c = 0; c < outside && !qp_out_of_time(run); c++) {
                size_t i = q->list[c] % q->nc;

                q->lam[i] = 0.0;
                (void)qp_admit(q, run, i, qp_entry_state(q, i, q->list[c] < q->nc ? 1 : -1));
        }
        return wrong + outside;
}

bool qp_block_phase(struct qp *q, struct qp_run *run, enum qp_status *status)
{
        size_t least = QP_NONE, waited = 0;

        while (waited < BLOCK_PATIENCE) {
                size_t wrong;

                if (qp_limit(run, status))
                        return true;
                wrong = block_step(q, run);
                if (wrong == 0) {
                        *status = QP_SOLVED;
                        return true;
                }
                waited = wrong < least ? 0 : waited + 1;
                least = wrong < least ? wrong : least;
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

        for (size_t i = 0; i < q->nc; i++) {
                if (q->lam[i] == 0.0)
                        continue;
                twice += q->lam[i] * q->z[i];
                f += dual_penalty(q, i);
        }
        return 0.5 * twice - f;
}
