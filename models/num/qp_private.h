/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Inside the QP solver. Constraint i is the bound of variable i for i < n, row i − n of A from there on; c_i is its
 * normal and Y_i = H⁻¹ c_i. The working set W holds constraints in the order they entered, with the packed Cholesky
 * factor L Lᵀ = C_W H⁻¹ C_Wᵀ + diag(compliance).
 */
#ifndef COOLPLANE_NUM_QP_PRIVATE_H
#define COOLPLANE_NUM_QP_PRIVATE_H

#include "models/num/qp.h"

#include <math.h>
#include <stdbool.h>

#define QP_NONE ((size_t)-1)

struct qp {
        size_t n, m, nc, n_soft;
        size_t w_max;        /* n independent constraints and every soft row that gives way */
        const double *h, *a; /* the caller's */
        bool factored;
        /* of H and A */
        double *p;           /* [n × n] H⁻¹ */
        double *y;           /* [m × n] A H⁻¹ */
        size_t *first, *end; /* [m] the non-zeros of a row of A lie in first..end − 1 */
        double *gram;        /* [nc] c_i H⁻¹ c_i */
        double *norm;        /* [nc] its root; 1 for a row of zeros */
        double *reach; /* [nc] Σ_j |c_ij| / √H_jj: a change of x by 1 in units of √H_jj moves the row at most so */
        double *h_root; /* [n] √H_jj */
        /* working set */
        size_t nw, *w;      /* [w_max + 1] */
        double *l;          /* packed rows of the factor; row nw is scratch of the newcomer */
        double *compliance; /* [nc] 1 / soft_quad of the rows that give way, as factored; else 0 */
        int *state;         /* [nc] as qp_result.active */
        bool refactor;      /* w is a guess that is not factored yet */
        /* of this solve */
        const struct qp_vectors *v;
        double *zu;          /* [nc] C x at the unconstrained optimum; NAN in rows nobody asked for */
        double *z;           /* [nc] C x; x itself is its first n */
        double *lam;         /* [nc] zero outside W, but for the pending constraint */
        size_t pending;      /* wants to enter but depends on W, or QP_NONE */
        double size_u, size; /* largest |x_j| √H_jj: at the unconstrained optimum; there and here. Scale of rounding */
        double *step, *room; /* [w_max + 1] */
        double *rotation;    /* [2 (w_max + 1)] */
        double *grad, *hx;   /* [n] */
        double *certificate; /* [m] */
        size_t *list;        /* [nc] */
};

static inline double *qp_factor_row(const struct qp *q, size_t k)
{
        return q->l + k * (k + 1) / 2;
}

static inline const double *qp_image(const struct qp *q, size_t i)
{
        return i < q->n ? q->p + i * q->n : q->y + (i - q->n) * q->n;
}

/* One solve's limits and what it used of them */
struct qp_run {
        const struct qp_settings *s;
        double start_s;
        size_t iterations, changes;
        bool careful; /* the second attempt: one newcomer at a time */
};

static inline double qp_lower(const struct qp *q, size_t i)
{
        return i < q->n ? q->v->lb[i] : q->v->cl[i - q->n];
}

static inline double qp_upper(const struct qp *q, size_t i)
{
        return i < q->n ? q->v->ub[i] : q->v->cu[i - q->n];
}

/* The side that pushes in the state of constraint i */
static inline double qp_side(const struct qp *q, size_t i)
{
        return q->state[i] > 0 ? qp_upper(q, i) : qp_lower(q, i);
}

static inline double qp_soft_lin(const struct qp *q, size_t i)
{
        return i < q->n || !q->v->soft_lin ? (double)INFINITY : q->v->soft_lin[i - q->n];
}

/* 1 / soft_quad for a soft row that gives way */
static inline double qp_compliance_of(const struct qp *q, size_t i, int state)
{
        return state == 2 || state == -2 ? 1.0 / q->v->soft_quad[i - q->n] : 0.0;
}

static inline bool qp_is_equality(const struct qp *q, size_t i)
{
        return qp_lower(q, i) == qp_upper(q, i);
}

/* By how much an inactive constraint is violated beyond tolerance, in units of its norm; 0: not. *side: which. */
static inline double qp_violation(const struct qp *q, size_t i, double tol, int *side)
{
        double z = q->z[i], up = qp_upper(q, i), low = qp_lower(q, i), by = z - up, at = up;

        if (z <= up && z >= low)
                return 0.0;
        *side = 1;
        if (z < low) {
                by = low - z;
                at = low;
                *side = -1;
        }
        return by > tol * (fabs(at) + q->reach[i] * q->size) ? by / q->norm[i] : 0.0;
}

/* fmax without its care for NaN: one in b is passed over */
static inline double qp_larger(double a, double b)
{
        return b > a ? b : a;
}

/* Eight sums side by side in a fixed order: the compiler may use vectors and the result is the same without. */
double qp_dot(size_t n, const double *x, const double *z);
/* y += a x */
void qp_axpy(size_t n, double a, const double *x, double *y);
/* y += a₀ x₀ + a₁ x₁ + a₂ x₂ + a₃ x₃ */
void qp_axpy4(size_t n, const double a[4], const double *const x[4], double *y);
/* ret = M x, M [n × n] symmetric, of which the lower triangle is read */
void qp_symmetric(size_t n, const double *mat, const double *x, double *ret);

/* Takes constraint i into W. False when it depends on W; row nw of the factor then holds L⁻¹ C_W Y_i. */
bool qp_enter(struct qp *q, size_t i, double compliance);
/* Takes position k out of W. */
void qp_leave(struct qp *q, size_t k);
/* (L Lᵀ) b = b in place, b [nw]; and its second half alone */
void qp_solve_factor(const struct qp *q, double *b);
void qp_solve_upper(const struct qp *q, double *b);

/* The state in which a constraint enters that is violated on this side, +1 or −1. */
int qp_entry_state(const struct qp *q, size_t i, int side);
/* Multipliers for which constraint i stays in its state: [*lo, *hi] */
void qp_state_range(const struct qp *q, size_t i, double *lo, double *hi);
/* The state behind the upper (up) or lower end of the range */
int qp_next_state(const struct qp *q, size_t i, bool up);
/* Puts constraint i into W in this state; false: it depends on W. */
bool qp_admit(struct qp *q, struct qp_run *run, size_t i, int state);
void qp_dismiss(struct qp *q, struct qp_run *run, size_t k);
/* Multipliers at which every member of W meets its side: step [nw] */
void qp_set_target(struct qp *q);
bool qp_out_of_time(const struct qp_run *run);
/* Counts an iteration; true with the status when there is no more. */
bool qp_limit(struct qp_run *run, enum qp_status *status);

/* Makes the last working set, or the guess, one of this problem: every equality in it. */
enum qp_status qp_start(struct qp *q, struct qp_run *run);
/* Multipliers in the ranges of their states, from those that solve the equations of W; what is wrong there changes or
 * leaves. True when they solve the equations of the W that remains. */
bool qp_settle(struct qp *q, struct qp_run *run);
/* From settled multipliers to the optimum, or to another end. */
enum qp_status qp_descend(struct qp *q, struct qp_run *run, bool at_target);

/* Largest |x_j| √H_jj */
double qp_size(const struct qp *q, const double *x);
/* x = −H⁻¹ (g + Cᵀ lam) and its size; and the rows of x */
void qp_set_point(struct qp *q);
void qp_set_rows(struct qp *q);
/* c_i added to sum [n], times f */
void qp_add_normal(const struct qp *q, size_t i, double f, double *sum);
/* Multipliers to the nearest feasible ones of the dual: what has the wrong sign becomes zero. */
void qp_make_dual_feasible(struct qp *q);
/* The dual objective, at the z that belongs to lam: a lower bound of the optimum */
double qp_dual_bound(const struct qp *q);
/* What the certificate is worth: QP_INFEASIBLE or QP_STALLED */
enum qp_status qp_certified(const struct qp *q);

#endif
