/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How well the gate's own model foresees the inlets: each step it predicts them one step and about five minutes ahead,
 * with the setpoints just decided and the disturbances held as they are, and compares when the reading has come. Errors
 * are means over about a day, beside persistence ("as it is now") over the same readings.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"

#define LONG_S 300.0

int gate_holdout_create(struct gate *g)
{
        const struct layout *l = g->layout;
        size_t steps[GATE_HOLDOUTS] = {1, (size_t)fmax(1, round(LONG_S / l->step_s))}, most = steps[1];

        for (size_t h = 0; h < GATE_HOLDOUTS; h++) {
                struct gate_holdout *o = &g->holdout[h];

                o->steps = steps[h];
                o->pred = calloc(steps[h] * l->ny + 1, sizeof(double));
                o->from = calloc(steps[h] * l->ny + 1, sizeof(double));
                if (!o->pred || !o->from)
                        return -ENOMEM;
        }
        g->ahead_u = calloc(most * l->nu + 1, sizeof(double));
        g->ahead_d = calloc(most * l->nd + 1, sizeof(double));
        g->ahead_y = calloc(most * l->ny + 1, sizeof(double));
        g->ahead_work = calloc(arx_predict_work(g->model, most) + 1, sizeof(double));
        gate_holdout_clear(g);
        return g->ahead_u && g->ahead_d && g->ahead_y && g->ahead_work ? 0 : -ENOMEM;
}

void gate_holdout_free(struct gate *g)
{
        for (size_t h = 0; h < GATE_HOLDOUTS; h++) {
                free(g->holdout[h].pred);
                free(g->holdout[h].from);
        }
        free(g->ahead_u);
        free(g->ahead_d);
        free(g->ahead_y);
        free(g->ahead_work);
}

void gate_holdout_clear(struct gate *g)
{
        for (size_t h = 0; h < GATE_HOLDOUTS; h++)
                for (size_t k = 0; k < g->holdout[h].steps * g->layout->ny; k++)
                        g->holdout[h].pred[k] = (double)NAN;
}

void gate_holdout_compare(struct gate *g)
{
        const struct layout *l = g->layout;

        g->holdout_row++;
        for (size_t h = 0; h < GATE_HOLDOUTS; h++) {
                struct gate_holdout *o = &g->holdout[h];
                assert(o->steps > 0);
                const size_t at = g->holdout_row % o->steps * l->ny;
                double keep = 1 - g->span.day_weight, model = 0, still = 0, n = 0;

                for (size_t i = 0; i < l->ny; i++) {
                        double e = o->pred[at + i] - g->y_seen[i], s = o->from[at + i] - g->y_seen[i];

                        o->pred[at + i] = (double)NAN;
                        if (!isfinite(e) || !isfinite(s))
                                continue;
                        model += e * e;
                        still += s * s;
                        n++;
                }
                if (n > 0) {
                        o->model_sq = keep * o->model_sq + model;
                        o->still_sq = keep * o->still_sq + still;
                        o->n = keep * o->n + n;
                }
                g->status.holdout_c[h] = o->n > 0 ? sqrt(o->model_sq / o->n) : (double)NAN;
                g->status.holdout_persistence_c[h] = o->n > 0 ? sqrt(o->still_sq / o->n) : (double)NAN;
        }
}

void gate_holdout_predict(struct gate *g, const double *u)
{
        const struct layout *l = g->layout;
        size_t last = g->window_n - 1, most = g->holdout[GATE_HOLDOUTS - 1].steps;
        struct arx_window w = {.n = g->window_n, .y = g->window_y, .u = g->window_u, .d = g->window_d};

        for (size_t k = 0; k < most; k++) {
                memcpy(g->ahead_u + k * l->nu, u ? u : g->window_u + last * l->nu, l->nu * sizeof(double));
                memcpy(g->ahead_d + k * l->nd, g->window_d + last * l->nd, l->nd * sizeof(double));
        }
        arx_predict(g->model, &w, most, g->ahead_u, g->ahead_d, NULL, g->ahead_work, g->ahead_y);
        for (size_t h = 0; h < GATE_HOLDOUTS; h++) {
                struct gate_holdout *o = &g->holdout[h];
                assert(o->steps > 0);
                const size_t at = g->holdout_row % o->steps * l->ny;

                for (size_t i = 0; i < l->ny; i++) {
                        struct arx_row_info info;

                        if (l->y[i].kind != Y_INLET)
                                continue;
                        arx_row_info(g->model, i, &info);
                        o->pred[at + i] = info.fitted ? g->ahead_y[(o->steps - 1) * l->ny + i] : (double)NAN;
                        o->from[at + i] = g->y_seen[i];
                }
        }
}
