/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_assume.h"

#include <math.h>

#include "models/arx/arx_private.h"

#define ROUNDING 1e-9

static bool in_intervals(const struct arx *m, const struct arx_row *r, const double *theta)
{
        for (size_t k = r->t0; k < r->t0 + r->n; k++)
                if (!(theta[k] >= m->lo[k] - ROUNDING && theta[k] <= m->hi[k] + ROUNDING))
                        return false;
        return true;
}

/* ‖Lᵀ z‖ ≤ radius, z the reduced scaled difference to the fit. */
static bool in_ellipsoid(const struct arx *m, const struct arx_row *r, const double *theta)
{
        double z[ARX_TERMS_MAX], sum = 0;
        size_t n = 0;

        if (!(r->radius > 0) || r->sum1_infeasible)
                return true;
        for (size_t k = 0; k < r->n; k++)
                if (k != r->ref)
                        z[n++] = (theta[r->t0 + k] - m->theta[r->t0 + k]) * m->st.scale[r->t0 + k];
        for (size_t b = 0; b < n; b++) {
                double v = 0;

                for (size_t a = b; a < n; a++)
                        v += r->factor[a * r->m + b] * z[a];
                sum += v * v;
        }
        return sqrt(sum) <= r->radius * (1 + ROUNDING);
}

bool certify_in_set(const struct arx *m, const double *theta)
{
        for (size_t i = 0; i < m->st.ny; i++)
                if (!in_intervals(m, &m->row[i], theta) || !in_ellipsoid(m, &m->row[i], theta))
                        return false;
        return true;
}

bool certify_in_anchor(const struct arx *m, const struct arx_window *w, const double *theta)
{
        const size_t count = w->n - 1;

        for (size_t i = 0; count > 0 && i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                double phi[ARX_TERMS_MAX], sum = 0;

                for (size_t last = 1; last <= count; last++) {
                        const struct arx_window past = {last, w->y, w->u, w->d};

                        if (!arx_regressor(m, i, &past, phi))
                                return false; /* every reading is there: cannot be */
                        sum += w->y[last * m->st.ny + i];
                        for (size_t k = 0; k < r->n; k++)
                                sum -= theta[r->t0 + k] * phi[k];
                }
                /* predict.c, anchor_row */
                if (!(sum / (double)count >=
                      -fmin(arx_w_bar(r), fmax(arx_w_step(r), arx_w_bar(r) / sqrt((double)count))) - ROUNDING))
                        return false;
        }
        return true;
}
