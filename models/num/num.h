/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Small dense linear algebra on the caller's memory. Row-major, double. No allocation, no I/O, no globals.
 */
#ifndef COOLPLANE_NUM_NUM_H
#define COOLPLANE_NUM_NUM_H

#include <stdbool.h>
#include <stddef.h>

/* y = x·z, both [n] */
double num_dot(size_t n, const double *x, const double *z);
/* true if all n values are finite */
bool num_all_finite(size_t n, const double *x);

/* In-place lower Cholesky A = L Lᵀ of the symmetric a [n × n] (lower triangle read; L overwrites it, upper untouched).
 * Returns 0, or -EDOM when A is not positive definite to working precision (a is then garbage). */
int num_cholesky(size_t n, double *a);
/* Solves L Lᵀ x = b in place; b [n] becomes x. */
void num_cholesky_solve(size_t n, const double *l, double *b);
/* diag[i] = (A⁻¹)ᵢᵢ from its factor L; work [n], no meaning on return. */
void num_cholesky_inverse_diag(size_t n, const double *l, double *work, double *diag);

/* minimise ½ xᵀ H x − gᵀ x  s.t.  lo ≤ x ≤ hi, H [n × n] symmetric positive definite, by cyclic projected coordinate
 * descent warm-started from x (clamped into the box first). Deterministic. Stops at `tol` on the largest step or after
 * `iter_max` sweeps; returns the sweeps used (iter_max = not converged; x is still feasible). lo/hi may be ±INFINITY.
 */
size_t num_box_qp(size_t n, const double *h, const double *g, const double *lo, const double *hi, double tol,
                  size_t iter_max, double *x);

#endif
