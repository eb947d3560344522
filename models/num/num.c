/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/num/num.h"

#include <errno.h>
#include <float.h>
#include <math.h>

double num_dot(size_t n, const double *x, const double *z)
{
        double s = 0.0;
        for (size_t i = 0; i < n; i++)
                s += x[i] * z[i];
        return s;
}

bool num_all_finite(size_t n, const double *x)
{
        for (size_t i = 0; i < n; i++)
                if (!isfinite(x[i]))
                        return false;
        return true;
}

/* Products of z with four rows of length n, `stride` apart: the sums of num_dot, side by side. */
static void dot4(size_t n, const double *x, size_t stride, const double *z, double *ret)
{
        double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
        for (size_t i = 0; i < n; i++) {
                s0 += x[i] * z[i];
                s1 += x[stride + i] * z[i];
                s2 += x[2 * stride + i] * z[i];
                s3 += x[3 * stride + i] * z[i];
        }
        ret[0] = s0;
        ret[1] = s1;
        ret[2] = s2;
        ret[3] = s3;
}

int num_cholesky(size_t n, double *a)
{
        for (size_t j = 0; j < n; j++) {
                double *aj = a + j * n;
                double d = aj[j] - num_dot(j, aj, aj), dot[4];
                size_t i = j + 1;
                /* what is left of the pivot after subtraction must exceed the rounding of the subtraction */
                if (!(d > DBL_EPSILON * (double)n * fabs(aj[j])) || !isfinite(d))
                        return -EDOM;
                d = sqrt(d);
                aj[j] = d;
                for (; i + 4 <= n; i += 4) {
                        double *ai = a + i * n;
                        dot4(j, ai, n, aj, dot);
                        for (size_t c = 0; c < 4; c++)
                                ai[c * n + j] = (ai[c * n + j] - dot[c]) / d;
                }
                for (; i < n; i++) {
                        double *ai = a + i * n;
                        ai[j] = (ai[j] - num_dot(j, ai, aj)) / d;
                }
        }
        return 0;
}

void num_cholesky_solve(size_t n, const double *l, double *b)
{
        for (size_t i = 0; i < n; i++)
                b[i] = (b[i] - num_dot(i, l + i * n, b)) / l[i * n + i];
        for (size_t i = n; i-- > 0;) {
                double s = b[i];
                for (size_t k = i + 1; k < n; k++)
                        s -= l[k * n + i] * b[k];
                b[i] = s / l[i * n + i];
        }
}

void num_cholesky_inverse_diag(size_t n, const double *l, double *work, double *diag)
{
        /* (A⁻¹)ₖₖ = ‖L⁻¹ eₖ‖²; L⁻¹ eₖ is zero above k */
        for (size_t k = 0; k < n; k++) {
                double s = 0.0;
                for (size_t i = k; i < n; i++) {
                        double v = i == k ? 1.0 : -num_dot(i - k, l + i * n + k, work + k);
                        work[i] = v / l[i * n + i];
                        s += work[i] * work[i];
                }
                diag[k] = s;
        }
}

static double clamp(double v, double lo, double hi)
{
        if (!(v >= lo))
                return lo;
        return v > hi ? hi : v;
}

size_t num_box_qp(size_t n, const double *h, const double *g, const double *lo, const double *hi, double tol,
                  size_t iter_max, double *x)
{
        for (size_t i = 0; i < n; i++) {
                if (!isfinite(x[i]))
                        x[i] = 0.0;
                x[i] = clamp(x[i], lo[i], hi[i]);
        }
        for (size_t it = 0; it < iter_max; it++) {
                double step_max = 0.0;
                for (size_t i = 0; i < n; i++) {
                        const double *hr = h + i * n;
                        double v = clamp(x[i] + (g[i] - num_dot(n, hr, x)) / hr[i], lo[i], hi[i]);
                        double step = fabs(v - x[i]);
                        x[i] = v;
                        if (step > step_max)
                                step_max = step;
                }
                if (step_max <= tol)
                        return it + 1;
        }
        return iter_max;
}
