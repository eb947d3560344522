/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/inlet_bend.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/planner/model.h"

#define BIN_RATIO 0.05 /* of fan speed */
#define BINS 21
#define LEAST_S 7200.0 /* in a bin */

struct inlet_bend {
        const struct layout *l;
        double *error; /* [ny × BINS] measured − free run, K; NaN: not told */
};

/* Mean speed of the zone's fans; NaN: none, or one is not known. */
static double zone_fan(const struct layout *l, const double *u, int zone)
{
        double sum = 0, n = 0;

        for (size_t j = 0; j < l->nu; j++)
                if (l->u[j].kind == U_FAN && l->u[j].zone == zone) {
                        sum += u[j];
                        n++;
                }
        return n > 0 ? sum / n : (double)NAN;
}

struct free_run {
        double *y, *in, *work, *next; /* [n × ny], [lags × nu], …, [ny] */
        double *n;                    /* [ny × BINS] rows of a bin */
        bool *fitted;                 /* [ny] */
};

/* Inlets as the model alone has them from each segment's first rows on; supply air and valves as they were. */
static void run_free(struct inlet_bend *b, const struct arx *model, const struct dataset *ds, const double *u,
                     const double *d, const struct free_run *f)
{
        const struct layout *l = b->l;
        const size_t lags = arx_structure(model)->lag_max;
        size_t segment = 0;

        for (size_t row = 0; row < ds->n; row++) {
                segment = ds->segment_start[row] ? row : segment;
                if (row < segment + lags)
                        continue;
                const size_t first = row - lags;
                model_inputs(l, lags, u + (first + 1) * l->nu, f->in);
                const struct arx_window win = {
                    .n = lags, .y = f->y + first * l->ny, .u = f->in, .d = d + (first + 1) * l->nd};
                arx_predict(model, &win, 1, f->in + (lags - 1) * l->nu, d + row * l->nd, NULL, f->work, f->next);
                for (size_t i = 0; i < l->ny; i++) {
                        double *free_c = f->y + row * l->ny + i;
                        const double at = zone_fan(l, u + row * l->nu, l->y[i].zone) / BIN_RATIO,
                                     measured_c = ds->y[row * l->ny + i];

                        if (l->y[i].kind != Y_INLET || !f->fitted[i] || !isfinite(f->next[i]))
                                continue;
                        *free_c = f->next[i];
                        if (!(at >= 0 && at < BINS) || !isfinite(measured_c))
                                continue;
                        b->error[i * BINS + (size_t)at] += measured_c - f->next[i];
                        f->n[i * BINS + (size_t)at]++;
                }
        }
        for (size_t k = 0; k < l->ny * BINS; k++)
                b->error[k] = f->n[k] * l->step_s >= LEAST_S ? b->error[k] / f->n[k] : (double)NAN;
}

int inlet_bend_create(const struct layout *l, const struct arx *model, const struct dataset *ds, const double *y,
                      const double *u, const double *d, struct inlet_bend **ret)
{
        const size_t lags = arx_structure(model)->lag_max;
        struct inlet_bend *b = calloc(1, sizeof *b);
        struct free_run f = {.y = malloc((ds->n * l->ny + 1) * sizeof(double)),
                             .in = calloc(lags * l->nu + 1, sizeof(double)),
                             .work = calloc(arx_predict_work(model, 1) + 1, sizeof(double)),
                             .next = calloc(l->ny + 1, sizeof(double)),
                             .n = calloc(l->ny * BINS + 1, sizeof(double)),
                             .fitted = calloc(l->ny + 1, sizeof(bool))};
        int r = -ENOMEM;

        if (b)
                *b = (struct inlet_bend){.l = l, .error = calloc(l->ny * BINS + 1, sizeof(double))};
        if (b && b->error && f.y && f.in && f.work && f.next && f.n && f.fitted) {
                for (size_t i = 0; i < l->ny; i++) {
                        struct arx_row_info info;

                        arx_row_info(model, i, &info);
                        f.fitted[i] = info.fitted;
                }
                memcpy(f.y, y, ds->n * l->ny * sizeof *y);
                run_free(b, model, ds, u, d, &f);
                r = 0;
        }
        free(f.y);
        free(f.in);
        free(f.work);
        free(f.next);
        free(f.n);
        free(f.fitted);
        if (r < 0)
                inlet_bend_free(b);
        else
                *ret = b;
        return r;
}

struct inlet_bend *inlet_bend_free(struct inlet_bend *b)
{
        if (b)
                free(b->error);
        free(b);
        return NULL;
}

/* Between the middles of the bins that are told; beyond them the last. */
static double error_at(const double *error, double fan_ratio)
{
        const double at = fan_ratio / BIN_RATIO - 0.5;
        size_t below = BINS, above = BINS;

        for (size_t k = 0; k < BINS; k++) {
                if (!isfinite(error[k]))
                        continue;
                if ((double)k <= at)
                        below = k;
                else if (above == BINS)
                        above = k;
        }
        if (below == BINS || above == BINS)
                return below < BINS ? error[below] : above < BINS ? error[above] : 0;
        return error[below] + (error[above] - error[below]) * (at - (double)below) / (double)(above - below);
}

double inlet_bend_k(const struct inlet_bend *b, size_t i, const double *u, const double *than)
{
        const double *error = b->error + i * BINS;
        const double fan = zone_fan(b->l, u, b->l->y[i].zone), than_fan = zone_fan(b->l, than, b->l->y[i].zone);

        if (!isfinite(fan) || !isfinite(than_fan) || fan == than_fan)
                return 0;
        return error_at(error, fan) - error_at(error, than_fan);
}
