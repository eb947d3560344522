/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/plan/plan.h"

#define FORGET 0.9998 /* 5000 steps, some 40 h */
#define LOAD_KEEPS                                                                                                     \
        0.9 /* of a load's distance from its mean, per step: a burst of work is mostly over in ten minutes             \
             */
#define FAN_RUNS_RATIO 0.05

void model_args_default(struct arx_args *ret)
{
        arx_args_default(ret);
        ret->forget = FORGET;
}

struct model *model_free(struct model *m)
{
        if (m) {
                free(m->structure);
                free(m->mem);
                free(m);
        }
        return NULL;
}

/* Gain boxes for the inlets only: a few hours of a hall do not fix sixty coefficients each. Supply air of a foreign
 * controller's log follows its own loop, which the boxes of a commanded coil do not describe. */
static void inlet_priors(const struct layout *l, const struct arx_structure *st, double *lo, double *hi)
{
        layout_arx_prior(l, st, lo, hi);
        for (size_t i = 0; i < st->ny; i++)
                for (size_t k = st->row_start[i]; k < st->row_start[i + 1] && l->y[i].kind != Y_INLET; k++) {
                        lo[k] = -(double)INFINITY;
                        hi[k] = (double)INFINITY;
                }
}

int model_create(const struct layout *l, unsigned lags, const struct arx_args *a, struct model **ret)
{
        struct model *m = calloc(1, sizeof *m);
        double *lo = NULL, *hi = NULL;
        int r = -EINVAL;

        if (!m)
                return -ENOMEM;
        for (; lags >= 1 && (r == -EINVAL || r == -E2BIG); lags--)
                r = layout_arx_structure(l, lags, lags, &m->structure);
        if (r == 0) {
                const size_t size = arx_memsize(m->structure), n = m->structure->nterm;
                lo = calloc(n + 1, sizeof *lo);
                hi = calloc(n + 1, sizeof *hi);
                m->mem = aligned_alloc(16, (size + 15) / 16 * 16);
                r = -ENOMEM;
                if (m->mem && lo && hi) {
                        inlet_priors(l, m->structure, lo, hi);
                        r = arx_create(m->mem, size, m->structure, a, lo, hi, &m->arx);
                }
        }
        free(lo);
        free(hi);
        if (r < 0)
                model_free(m);
        else
                *ret = m;
        return r;
}

void model_inputs(const struct layout *l, size_t n, const double *u, double *ret)
{
        for (size_t k = 0; k < n; k++)
                for (size_t j = 0; j < l->nu; j++) {
                        const double v = u[k * l->nu + j];
                        ret[k * l->nu + j] = l->u[j].kind == U_FAN && isfinite(v) ? plan_fan_input(v) : v;
                }
}

bool model_runs(const struct layout *l, const double *u, const double *d, size_t i)
{
        const int e = l->y[i].equipment;

        if (l->y[i].kind == Y_INLET || e < 0)
                return true;
        const int command = layout_find_u(l, U_FAN, e), measured = command >= 0 ? -1 : layout_find_d(l, D_FAN, e);
        if (command >= 0)
                return !(u[command] < FAN_RUNS_RATIO);
        return measured < 0 || !(d[measured] < FAN_RUNS_RATIO);
}

void model_offset(const struct layout *l, const struct arx *m, const struct arx_window *w, double *ret)
{
        for (size_t i = 0; i < l->ny; i++)
                ret[i] = l->y[i].kind == Y_INLET ? arx_offset(m, i, w) : 0.0;
}

void model_forecast(const struct layout *l, size_t n, const double *d, size_t steps, double *ret)
{
        for (size_t k = 0; k < l->nd; k++) {
                const double last = d[(n - 1) * l->nd + k];
                const bool load = l->d[k].kind == D_RACK_POWER || l->d[k].kind == D_ZONE_POWER;
                double sum = 0.0, keeps = 1.0;
                size_t good = 0;

                for (size_t r = 0; r < n; r++) {
                        const double v = d[r * l->nd + k];
                        sum += isfinite(v) ? v : 0.0;
                        good += isfinite(v);
                }
                const double mean = load && good ? sum / (double)good : last;
                for (size_t t = 0; t < steps; t++) {
                        keeps *= LOAD_KEEPS;
                        ret[t * l->nd + k] = mean + keeps * (last - mean);
                }
        }
}
