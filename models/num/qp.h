/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Convex quadratic programs of controllers, solved again and again with other vectors:
 *
 *   minimise  ½ xᵀ H x + gᵀ x + Σ_soft (soft_linᵢ sᵢ + ½ soft_quadᵢ sᵢ²)
 *   s.t.      lb ≤ x ≤ ub                       n bounds
 *             cl − s ≤ A x ≤ cu + s, s ≥ 0      m rows; sᵢ = 0 in a hard row
 *
 * x, g, lb, ub [n]; H [n × n] symmetric positive definite; A [m × n]; cl, cu, soft_lin, soft_quad [m]. Row-major.
 * Either side may be infinite; lb = ub and cl = cu are equalities. A row is hard when its soft_lin is INFINITY (or
 * there are no soft_lin); otherwise soft_lin ≥ 0 and soft_quad > 0. Slacks cost no variables: a soft row is one row.
 *
 * H that is not positive definite to working precision is refused (-EDOM), not regularised: add ε to its diagonal, and
 * know that you did.
 *
 * Multipliers: H x + g + lam_x + Aᵀ lam_row = 0, positive where the upper side pushes, negative where the lower does.
 * A soft row gives way by s = max(0, |lam| − soft_lin) / soft_quad.
 *
 * All memory is the caller's block; nothing is allocated. No clock, no globals: the same calls give the same bytes.
 */
#ifndef COOLPLANE_NUM_QP_H
#define COOLPLANE_NUM_QP_H

#include <stddef.h>

struct qp; /* lives in the caller's block */

struct qp_dims {
        size_t n;      /* variables, ≥ 1 */
        size_t m;      /* rows of A, hard and soft */
        size_t n_soft; /* at most so many rows are soft, ≤ m */
};

/* What may differ from solve to solve; read during qp_solve only. */
struct qp_vectors {
        const double *g, *lb, *ub;          /* [n] */
        const double *cl, *cu;              /* [m] */
        const double *soft_lin, *soft_quad; /* [m], or both NULL: every row is hard */
};

struct qp_settings {
        double tol;        /* violation that counts as none, relative to the size of bound and variables; in (0, 1e-2];
                            * where rounding wore the factor a second, careful attempt is content with 100 times that */
        size_t iter_max;   /* hard limit on iterations, ≥ 1 */
        double time_max_s; /* hard limit on time by now_s, > 0; looked at once an iteration */
        double (*now_s)(void *clock); /* monotonic seconds, or NULL: no limit on time */
        void *clock;                  /* its argument */
};

enum qp_status {
        QP_SOLVED,
        QP_ITERATION_LIMIT,
        QP_TIME_LIMIT,
        QP_INFEASIBLE, /* `certificate` proves it */
        QP_STALLED,    /* rounding stopped all progress: neither a solution nor a certificate */
        QP_BAD_INPUT   /* NaN, infinite g, lower above upper, a soft weight out of range, more than n_soft soft rows */
};

/*
 * The pointers show the solver's memory and hold until its next call; NULL and NAN where the status has no such thing.
 * SOLVED: x within its bounds exactly and within the rows to `primal_residual`.
 * ITERATION_LIMIT, TIME_LIMIT, STALLED: multipliers of the right signs and the x that belongs to them; x is no more
 * than dual feasible and may break bounds and rows by `primal_residual`; no feasible point costs less than `bound`.
 * INFEASIBLE, BAD_INPUT, and STALLED after an overflow: no x.
 */
struct qp_result {
        enum qp_status status;
        const double *x, *lam_x;    /* [n] */
        const double *lam_row;      /* [m] */
        const double *certificate;  /* [m], INFEASIBLE only: see qp_certificate_radius */
        const int *active;          /* [n + m] working set: 0 out, ±1 held at upper/lower, ±2 soft and beyond it */
        double primal_residual;     /* largest violation of bounds and rows (of a soft row: beyond its own slack) */
        double dual_residual;       /* largest |H x + g + lam_x + Aᵀ lam_row| */
        double complementarity;     /* largest |lam · distance to the side that pushes| */
        double objective;           /* at x, penalties included */
        double bound;               /* dual objective: a lower bound of the optimum, to rounding */
        size_t iterations, changes; /* iterations, and constraints that entered or left the working set */
};

const char *qp_status_name(enum qp_status s);
struct qp_settings qp_settings_default(void);

/* Bytes of the block for these dimensions; 0 when they are not valid or overflow. About 8 (n² + m n + (n + n_soft)²/2)
 */
size_t qp_bytes(const struct qp_dims *dims);
/* Lays the solver out in mem [size bytes], which must outlive it. -EINVAL: bad dimensions, -ENOMEM: size too small. */
int qp_init(const struct qp_dims *dims, void *mem, size_t size, struct qp **ret_qp);
/*
 * Factors H and prepares the rows: O(n³ + m n²), apart from solving. H and A are borrowed: they must stay as they are
 * until the next qp_factor. The working set is kept as a guess. -EINVAL: not finite, -EDOM: H is not positive definite
 * (the solver then refuses to solve). Only the lower triangle of H is factored; the residuals read all of it.
 */
int qp_factor(struct qp *qp, const double *h, const double *a);
/* The guess from which the next solve starts: active [n + m] as in the result (say, shifted by one step), or NULL:
 * cold. Without it a solve starts from the last working set. Values outside −2..2 count as 0. */
void qp_guess(struct qp *qp, const int *active);
/* Returns 0 with the outcome in ret_result, or -EINVAL: not factored, missing vectors, bad settings. */
int qp_solve(struct qp *qp, const struct qp_vectors *v, const struct qp_settings *s, struct qp_result *ret_result);

/*
 * What a Farkas vector y [m] proves by itself: no x in the bounds with every |x_j| below the returned radius satisfies
 * the hard rows. INFINITY: the problem is infeasible; 0: y proves nothing. yᵢ > 0 weighs A x ≤ cu, yᵢ < 0 weighs
 * A x ≥ cl; the multipliers of the bounds follow from y. A finite radius comes from rounding in Aᵀ y where a variable
 * has no bound. Independent of the solver; dims.n_soft is not read.
 */
double qp_certificate_radius(const struct qp_dims *dims, const double *a, const struct qp_vectors *v, const double *y);

#endif
