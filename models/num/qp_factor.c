/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Memory of the QP solver, what is kept of H and A, and the factor of the working set. */
#include "models/num/qp_private.h"

#include "models/num/num.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define ALIGN 64u
#define DIM_MAX ((size_t)1 << 20) /* no size overflows 64 bits */
/* A newcomer depends on W when what is new in it is less than this of its square: the factor cannot tell less from
 * rounding reliably. */
#define DEPENDENT 1e-8

double qp_dot(size_t n, const double *x, const double *z)
{
        double s[8] = {0.0};
        size_t i = 0;

        for (; i + 8 <= n; i += 8)
                for (size_t c = 0; c < 8; c++)
                        s[c] += x[i + c] * z[i + c];
        for (; i < n; i++)
                s[0] += x[i] * z[i];
        return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

void qp_axpy(size_t n, double a, const double *restrict x, double *restrict y)
{
        size_t i = 0;

        for (; i + 8 <= n; i += 8)
                for (size_t c = 0; c < 8; c++)
                        y[i + c] += a * x[i + c];
        for (; i < n; i++)
                y[i] += a * x[i];
}

void qp_axpy4(size_t n, const double a[4], const double *const x[4], double *restrict y)
{
        const double *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
        size_t i = 0;

        for (; i + 4 <= n; i += 4)
                for (size_t c = 0; c < 4; c++)
                        y[i + c] += (a[0] * x0[i + c] + a[1] * x1[i + c]) + (a[2] * x2[i + c] + a[3] * x3[i + c]);
        for (; i < n; i++)
                y[i] += (a[0] * x0[i] + a[1] * x1[i]) + (a[2] * x2[i] + a[3] * x3[i]);
}

/* Rows first..first + 3 of a symmetric matrix left of their diagonal block, and what they mean to the columns above. */
static void strip(size_t first, size_t n, const double *mat, const double *x, double *ret)
{
        const double *m0 = mat + first * n, *m1 = m0 + n, *m2 = m1 + n, *m3 = m2 + n;
        const double x0 = x[first], x1 = x[first + 1], x2 = x[first + 2], x3 = x[first + 3];
        double s[4][2] = {{0.0}};

        for (size_t j = 0; j < first; j += 4) /* first is a multiple of four */
                for (size_t c = 0; c < 4; c += 2)
                        for (size_t d = 0; d < 2; d++) {
                                const size_t k = j + c + d;

                                s[0][d] += m0[k] * x[k];
                                s[1][d] += m1[k] * x[k];
                                s[2][d] += m2[k] * x[k];
                                s[3][d] += m3[k] * x[k];
                                ret[k] += (m0[k] * x0 + m1[k] * x1) + (m2[k] * x2 + m3[k] * x3);
                        }
        for (size_t r = 0; r < 4; r++)
                ret[first + r] = s[r][0] + s[r][1];
}

void qp_symmetric(size_t n, const double *mat, const double *restrict x, double *restrict ret)
{
        size_t i = 0;

        for (; i < n; i += 4) {
                const size_t rows = n - i < 4 ? n - i : 4;

                if (rows == 4)
                        strip(i, n, mat, x, ret);
                for (size_t r = i; r < i + rows; r++) {
                        const double *row = mat + r * n;

                        if (rows < 4) {
                                ret[r] = qp_dot(i, row, x);
                                qp_axpy(i, x[r], row, ret);
                        }
                        for (size_t c = i; c < r; c++) {
                                ret[r] += row[c] * x[c];
                                ret[c] += row[c] * x[r];
                        }
                        ret[r] += row[r] * x[r];
                }
        }
}

/* The next `count` items of the block; offset counts on when there is no block. */
static void *slice(unsigned char *base, size_t *offset, size_t count, size_t size)
{
        unsigned char *p = base ? base + *offset : NULL;

        *offset += (count * size + ALIGN - 1) / ALIGN * ALIGN;
        return p;
}

/* Lays q's arrays out behind it; returns the bytes used. */
static size_t lay_out(struct qp *q, const struct qp_dims *d, unsigned char *base)
{
        size_t at = 0, n = d->n, m = d->m, nc = n + m, w = n + d->n_soft + 1, d8 = sizeof(double);

        (void)slice(base, &at, 1, sizeof(*q));
        q->n = n;
        q->m = m;
        q->nc = nc;
        q->n_soft = d->n_soft;
        q->w_max = w - 1;
        q->p = slice(base, &at, n * n, d8);
        q->y = slice(base, &at, m * n, d8);
        q->l = slice(base, &at, w * (w + 1) / 2, d8);
        q->gram = slice(base, &at, nc, d8);
        q->norm = slice(base, &at, nc, d8);
        q->reach = slice(base, &at, nc, d8);
        q->h_root = slice(base, &at, n, d8);
        q->compliance = slice(base, &at, nc, d8);
        q->zu = slice(base, &at, nc, d8);
        q->z = slice(base, &at, nc, d8);
        q->lam = slice(base, &at, nc, d8);
        q->step = slice(base, &at, w, d8);
        q->room = slice(base, &at, w, d8);
        q->rotation = slice(base, &at, 2 * w, d8);
        q->grad = slice(base, &at, n, d8);
        q->hx = slice(base, &at, n, d8);
        q->certificate = slice(base, &at, m, d8);
        q->first = slice(base, &at, m, sizeof(size_t));
        q->end = slice(base, &at, m, sizeof(size_t));
        q->w = slice(base, &at, w, sizeof(size_t));
        q->list = slice(base, &at, nc, sizeof(size_t));
        q->state = slice(base, &at, nc, sizeof(int));
        return at;
}

size_t qp_bytes(const struct qp_dims *dims)
{
        struct qp q;

        if (dims->n < 1 || dims->n > DIM_MAX || dims->m > DIM_MAX || dims->n_soft > dims->m)
                return 0;
        return lay_out(&q, dims, NULL) + ALIGN - 1; /* the caller's block may begin anywhere */
}

int qp_init(const struct qp_dims *dims, void *mem, size_t size, struct qp **ret_qp)
{
        size_t bytes = qp_bytes(dims);
        unsigned char *base = mem;
        struct qp *q;

        if (bytes == 0 || !mem)
                return -EINVAL;
        if (size < bytes)
                return -ENOMEM;
        base += (ALIGN - (uintptr_t)base % ALIGN) % ALIGN;
        q = (struct qp *)(void *)base;
        memset(q, 0, sizeof(*q));
        (void)lay_out(q, dims, base);
        q->pending = QP_NONE;
        memset(q->state, 0, q->nc * sizeof(int));
        memset(q->lam, 0, q->nc * sizeof(double));
        *ret_qp = q;
        return 0;
}

/* In place: the factor L in the lower triangle of p becomes the whole of (L Lᵀ)⁻¹; work [n]. */
static void invert(size_t n, double *p, double *work)
{
        for (size_t i = 0; i < n; i++) { /* L⁻¹, row by row */
                double *pi = p + i * n, d = 1.0 / pi[i];

                memcpy(work, pi, i * sizeof(double));
                memset(pi, 0, i * sizeof(double));
                for (size_t k = 0; k < i; k++)
                        qp_axpy(k + 1, -d * work[k], p + k * n, pi);
                pi[i] = d;
        }
        for (size_t i = 0; i < n; i++) { /* L⁻ᵀ L⁻¹: row i needs the rows from i on, as they still are */
                double *pi = p + i * n, d = pi[i];

                for (size_t j = 0; j <= i; j++)
                        pi[j] *= d;
                for (size_t k = i + 1; k < n; k++)
                        qp_axpy(i + 1, p[k * n + i], p + k * n, pi);
        }
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                        p[j * n + i] = p[i * n + j];
}

int qp_factor(struct qp *q, const double *h, const double *a)
{
        const size_t n = q->n;

        q->factored = false;
        q->refactor = true;
        if (!h || (!a && q->m > 0) || !num_all_finite(n * n, h) || !num_all_finite(q->m * n, a))
                return -EINVAL;
        q->h = h;
        q->a = a;
        memcpy(q->p, h, n * n * sizeof(double));
        if (num_cholesky(n, q->p) < 0)
                return -EDOM;
        invert(n, q->p, q->hx);
        for (size_t j = 0; j < n; j++) {
                q->h_root[j] = sqrt(h[j * n + j]);
                q->reach[j] = 1.0 / q->h_root[j];
                q->gram[j] = q->p[j * n + j];
        }
        for (size_t i = 0; i < q->m; i++) {
                const double *ai = a + i * n;
                double *yi = q->y + i * n, reach = 0.0;
                size_t first = 0, end = n;

                while (first < n && ai[first] == 0.0)
                        first++;
                while (end > first && ai[end - 1] == 0.0)
                        end--;
                q->first[i] = first;
                q->end[i] = end;
                memset(yi, 0, n * sizeof(double));
                for (size_t j = first; j < end; j++) {
                        if (ai[j] != 0.0)
                                qp_axpy(n, ai[j], q->p + j * n, yi);
                        reach += fabs(ai[j]) / q->h_root[j];
                }
                q->reach[n + i] = reach;
                q->gram[n + i] = qp_dot(end - first, ai + first, yi + first);
        }
        for (size_t i = 0; i < q->nc; i++)
                q->norm[i] = q->gram[i] > 0.0 ? sqrt(q->gram[i]) : 1.0;
        if (!num_all_finite(n * n, q->p) || !num_all_finite(q->nc, q->gram) || !num_all_finite(q->nc, q->reach))
                return -EDOM;
        q->factored = true;
        return 0;
}

void qp_guess(struct qp *q, const int *active)
{
        q->nw = 0;
        q->refactor = true;
        for (size_t i = 0; i < q->nc; i++) {
                int s = active && active[i] >= -2 && active[i] <= 2 ? active[i] : 0;

                q->state[i] = s;
                if (s != 0 && q->nw < q->w_max)
                        q->w[q->nw++] = i;
                else
                        q->state[i] = 0;
        }
}

/* c_i H⁻¹ c_j: by the constraint with fewer non-zeros */
static double cross(const struct qp *q, size_t i, size_t j)
{
        size_t n = q->n, first;

        if (i < n)
                return qp_image(q, j)[i];
        if (j < n)
                return qp_image(q, i)[j];
        if (q->end[j - n] - q->first[j - n] < q->end[i - n] - q->first[i - n]) {
                size_t t = i;

                i = j;
                j = t;
        }
        first = q->first[i - n];
        return qp_dot(q->end[i - n] - first, q->a + (i - n) * n + first, qp_image(q, j) + first);
}

/* ret[r] = row[r] · x for four rows */
static void dot4(size_t n, double *const row[4], const double *x, double ret[4])
{
        const double *m0 = row[0], *m1 = row[1], *m2 = row[2], *m3 = row[3];
        double s[4][2] = {{0.0}};
        size_t j = 0;

        for (; j + 2 <= n; j += 2)
                for (size_t c = 0; c < 2; c++) {
                        s[0][c] += m0[j + c] * x[j + c];
                        s[1][c] += m1[j + c] * x[j + c];
                        s[2][c] += m2[j + c] * x[j + c];
                        s[3][c] += m3[j + c] * x[j + c];
                }
        for (; j < n; j++)
                for (size_t r = 0; r < 4; r++)
                        s[r][0] += row[r][j] * x[j];
        for (size_t r = 0; r < 4; r++)
                ret[r] = s[r][0] + s[r][1];
}

/* L b = b in place, b [k]; four rows at a time */
static void solve_lower(const struct qp *q, size_t k, double *b)
{
        for (size_t i = 0; i < k; i += 4) {
                const size_t rows = k - i < 4 ? k - i : 4;
                double *row[4], sum[4];

                for (size_t r = 0; r < rows; r++)
                        row[r] = qp_factor_row(q, i + r);
                if (rows == 4)
                        dot4(i, row, b, sum);
                for (size_t r = 0; r < rows; r++) {
                        double v = b[i + r] - (rows == 4 ? sum[r] : qp_dot(i, row[r], b));

                        for (size_t c = 0; c < r; c++)
                                v -= row[r][i + c] * b[i + c];
                        b[i + r] = v / row[r][i + r];
                }
        }
}

void qp_solve_upper(const struct qp *q, double *b)
{
        size_t i = q->nw;

        for (; i >= 4; i -= 4) {
                const double *row[4];
                double by[4];

                for (size_t r = 4; r-- > 0;) {
                        row[r] = qp_factor_row(q, i - 4 + r);
                        b[i - 4 + r] /= row[r][i - 4 + r];
                        by[r] = -b[i - 4 + r];
                        for (size_t c = 0; c < r; c++)
                                b[i - 4 + c] += by[r] * row[r][i - 4 + c];
                }
                qp_axpy4(i - 4, by, row, b);
        }
        while (i-- > 0) {
                const double *row = qp_factor_row(q, i);

                b[i] /= row[i];
                qp_axpy(i, -b[i], row, b);
        }
}

void qp_solve_factor(const struct qp *q, double *b)
{
        solve_lower(q, q->nw, b);
        qp_solve_upper(q, b);
}

bool qp_enter(struct qp *q, size_t i, double compliance)
{
        size_t k = q->nw;
        double *row = qp_factor_row(q, k), square = q->gram[i] + compliance, pivot;

        for (size_t j = 0; j < k; j++)
                row[j] = cross(q, i, q->w[j]);
        solve_lower(q, k, row);
        pivot = square - qp_dot(k, row, row);
        if (k == q->w_max || !(pivot > DEPENDENT * square))
                return false;
        row[k] = sqrt(pivot);
        q->w[k] = i;
        q->compliance[i] = compliance;
        q->nw = k + 1;
        return true;
}

/*
 * Rows i..i + rows − 1 (at most four side by side) of a factor that lost row k: rotations of neighbouring columns take
 * away the column each has too many. Those formed by the rows before are applied, then each row forms its own.
 */
static void leave_rows(struct qp *q, size_t k, size_t i, size_t rows)
{
        double *c = q->rotation, *s = q->rotation + q->w_max + 1, carry[4];
        double *row[5]; /* row[r + 1] moves to row[r] */

        for (size_t r = 0; r <= rows; r++)
                row[r] = qp_factor_row(q, i + r - 1);
        for (size_t r = 0; r < rows; r++) {
                carry[r] = row[r + 1][k];
                memcpy(row[r], row[r + 1], k * sizeof(double));
        }
        for (size_t j = k; j + 1 < i; j++) /* row[r] is written left of where it is read as row[r − 1 + 1] */
                for (size_t r = 0; r < rows; r++) {
                        double next = row[r + 1][j + 1];

                        row[r][j] = c[j] * carry[r] + s[j] * next;
                        carry[r] = c[j] * next - s[j] * carry[r];
                }
        for (size_t r = 0; r < rows; r++) {
                double last = row[r + 1][i + r], root;

                for (size_t j = i - 1; j < i - 1 + r; j++) {
                        double next = row[r + 1][j + 1];

                        row[r][j] = c[j] * carry[r] + s[j] * next;
                        carry[r] = c[j] * next - s[j] * carry[r];
                }
                root = sqrt(carry[r] * carry[r] + last * last);
                c[i - 1 + r] = carry[r] / root;
                s[i - 1 + r] = last / root;
                row[r][i - 1 + r] = root;
                q->w[i - 1 + r] = q->w[i + r];
        }
}

void qp_leave(struct qp *q, size_t k)
{
        size_t i = k + 1;

        for (; i + 4 <= q->nw; i += 4)
                leave_rows(q, k, i, 4);
        if (i < q->nw)
                leave_rows(q, k, i, q->nw - i);
        q->nw--;
}
