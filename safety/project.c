/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A guess at a certified action of a group that lies nearer to the end of its segment than any on the segment: every
 * variable by itself between the segment's start and end, instead of all by the same fraction.
 *
 *   minimise ‖u − end‖²_W   s.t.   Σ_j ∂y_i/∂u_j (u_j − act_j) ≤ margin_i − need,   u_j between start_j and end_j
 *
 * W: one over the squared range of each variable. margin_i and ∂y_i/∂u_j are those of the last rollout, of the action
 * act, at the step where row i came nearest to its limit: the worst case is linear in u while the maximising model
 * stays the same. It need not stay, and rows far from their limits are left out: what comes out is a candidate like any
 * other, for the rollout to judge (filter.c). Nothing here is believed, the solver included.
 */
#include "safety/internal.h"

#include <math.h>
#include <string.h>

#define ROWS 32 /* of a group, nearest to their limits */
#define STEPS 4 /* whose slopes are asked for; later ones count with those of the last of them */
#define ITER_MAX 200

void project_carve(struct arena *a, const struct safety_envelope *e, const struct arx_structure *st,
                   struct projector *p)
{
        const size_t n = e->nu, d = sizeof(double);
        const struct qp_dims most = {.n = n, .m = ROWS};
        p->slope = arena_take(a, STEPS * st->nterm, d);
        p->known = arena_take(a, STEPS * e->ny, 1);
        p->adjoint = arena_take(a, e->horizon * e->ny, d);
        p->grad = arena_take(a, ROWS * n, d);
        p->var = arena_take(a, n, sizeof(size_t));
        p->h = arena_take(a, n * n, d);
        p->a = arena_take(a, ROWS * n, d);
        p->g = arena_take(a, n, d);
        p->lb = arena_take(a, n, d);
        p->ub = arena_take(a, n, d);
        p->cl = arena_take(a, ROWS, d);
        p->cu = arena_take(a, ROWS, d);
        p->qp_size = qp_bytes(&most);
        p->qp = arena_take(a, p->qp_size, 1);
}

/* True for a variable of group g that the segment moves. */
static bool moves(const struct safety *s, size_t g, size_t j)
{
        return s->u_group[j] == g && s->env.u[j].kind == SAFETY_U_CONTINUOUS && s->start[j] != s->end[j];
}

/* The unit of W; not 0 for what moves, even when the box is a point and the variable comes from beyond it. */
static double range(const struct safety *s, size_t j)
{
        return fmax(s->env.u[j].hi - s->env.u[j].lo, fabs(s->start[j] - s->end[j]));
}

double project_distance(const struct safety *s, size_t g, const double *act)
{
        double sum = 0;
        for (size_t j = 0; j < s->env.nu; j++) {
                double x = moves(s, g, j) ? (act[j] - s->end[j]) / range(s, j) : 0;
                sum += x * x;
        }
        return sqrt(sum);
}

/* ret_row [ROWS] ← certified outputs of group g with the least margins. Returns how many. */
static size_t nearest_rows(const struct safety *s, size_t g, size_t *ret_row)
{
        size_t n = 0;
        for (size_t i = 0; i < s->env.ncert; i++) {
                size_t at = n;
                if (s->row_group[s->env.cert[i].row] != g || isnan(s->env.cert[i].hi))
                        continue;
                while (at > 0 && s->least[ret_row[at - 1]] > s->least[i])
                        at--;
                if (at == ROWS)
                        continue;
                n += n < ROWS;
                memmove(ret_row + at + 1, ret_row + at, (n - at - 1) * sizeof(*ret_row));
                ret_row[at] = i;
        }
        return n;
}

/* Slopes of row i at step t, of its terms. */
static const double *slopes(struct safety *s, const struct arx_structure *st, size_t i, size_t t)
{
        struct projector *p = &s->projector;
        const size_t step = t < STEPS ? t : STEPS - 1;
        double *slope = p->slope + step * st->nterm + st->row_start[i];
        if (!p->known[step * s->env.ny + i])
                arx_rollout_slopes(&s->rollout, i, step, s->u_future, s->d_future, slope);
        p->known[step * s->env.ny + i] = 1;
        return slope;
}

/* True when the input of step t moves with the action: its own step, and as long as the backup is on its way. */
static bool follows(const struct safety *s, size_t j, size_t t)
{
        const struct safety_u *u = &s->env.u[j];
        return t == 0 || s->u_future[t * s->env.nu + j] != limits_full(u, u->nominal);
}

/* grad [nu] ← ∂y/∂u of certified output i at the step of its least margin: backwards from there. */
static void gradient(struct safety *s, size_t i, double *grad)
{
        const struct arx_structure *st = arx_structure(s->model);
        const size_t ny = s->env.ny, last = s->when[i];
        double *adjoint = s->projector.adjoint;
        memset(grad, 0, s->env.nu * sizeof(double));
        memset(adjoint, 0, (last + 1) * ny * sizeof(double));
        adjoint[last * ny + s->env.cert[i].row] = 1;
        for (size_t t = last + 1; t-- > 0;) {
                for (size_t r = 0; r < ny; r++) {
                        const double by = adjoint[t * ny + r], *slope;
                        if (by == 0)
                                continue;
                        slope = slopes(s, st, r, t);
                        for (size_t k = st->row_start[r]; k < st->row_start[r + 1]; k++) {
                                const struct arx_term *term = &st->term[k];
                                const double part = by * slope[k - st->row_start[r]];
                                if (term->src == ARX_SRC_Y && t >= term->lag)
                                        adjoint[(t - term->lag) * ny + term->index] += part;
                                else if (term->src == ARX_SRC_U && t + 1 >= term->lag &&
                                         follows(s, term->index, t + 1 - term->lag))
                                        grad[term->index] += part;
                        }
                }
        }
}

/* The QP of n variables and m rows in x = (u − end) / range; act is the origin of the gradients. */
static void fill(struct safety *s, const struct group *p, const double *act, size_t n, const size_t *row, size_t m)
{
        struct projector *q = &s->projector;
        memset(q->h, 0, n * n * sizeof(double));
        for (size_t v = 0; v < n; v++) {
                const size_t j = q->var[v];
                const double from = (s->start[j] - s->end[j]) / range(s, j);
                q->h[v * n + v] = 1;
                q->g[v] = 0;
                q->lb[v] = fmin(from, 0);
                q->ub[v] = fmax(from, 0);
        }
        for (size_t r = 0; r < m; r++) {
                q->cl[r] = -(double)INFINITY;
                q->cu[r] = fmax(s->least[row[r]] - p->need, 0);
                for (size_t v = 0; v < n; v++) {
                        const size_t j = q->var[v];
                        q->a[r * n + v] = q->grad[r * s->env.nu + j] * range(s, j);
                        q->cu[r] += q->grad[r * s->env.nu + j] * (act[j] - s->end[j]);
                }
        }
}

bool project_guess(struct safety *s, size_t g, const double *act, double *ret_act)
{
        static const struct qp_settings set = {.tol = 1e-9, .iter_max = ITER_MAX, .time_max_s = (double)INFINITY};
        struct projector *q = &s->projector;
        const struct qp_vectors v = {.g = q->g, .lb = q->lb, .ub = q->ub, .cl = q->cl, .cu = q->cu};
        struct qp_result res = {.status = QP_BAD_INPUT};
        struct qp_dims dims = {0};
        size_t row[ROWS];
        struct qp *qp;
        memset(q->known, 0, STEPS * s->env.ny);
        dims.m = nearest_rows(s, g, row);
        for (size_t r = 0; r < dims.m; r++)
                gradient(s, row[r], q->grad + r * s->env.nu);
        for (size_t j = 0; j < s->env.nu; j++) {
                if (moves(s, g, j))
                        q->var[dims.n++] = j;
        }
        fill(s, &s->group[g], act, dims.n, row, dims.m);
        if (qp_init(&dims, q->qp, q->qp_size, &qp) < 0)
                return false;
        (void)qp_factor(qp, q->h, q->a); /* what it refuses, qp_solve refuses too */
        (void)qp_solve(qp, &v, &set, &res);
        if (res.status != QP_SOLVED)
                return false;
        for (size_t k = 0; k < dims.n; k++) {
                const size_t j = q->var[k];
                const double least = fmin(s->start[j], s->end[j]), most = fmax(s->start[j], s->end[j]);
                ret_act[j] = limits_quantise(&s->env.u[j], fmin(fmax(s->end[j] + res.x[k] * range(s, j), least), most),
                                             s->base[j]);
        }
        return true;
}
