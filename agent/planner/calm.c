/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/calm.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define REST_S 1800.0
#define MEAN_S 300.0
#define MOST_S 7200.0

const double calm_same[5] = {[U_SAT] = 0.5, [U_FAN] = 0.05, [U_CHWST] = 0.5, [U_CWST] = 0.5, [U_CHILLER] = 0.1};

struct span {
        size_t from, to; /* rows: first of the first step, first at rest again */
};

struct calm {
        size_t mean; /* rows */
        size_t n;
        struct span *span;
};

bool calm_steps(const struct layout *l, const double *u, const double *before)
{
        for (size_t j = 0; j < l->nu; j++)
                if (fabs(u[j] - before[j]) > calm_same[l->u[j].kind])
                        return true;
        return false;
}

int calm_create(const struct layout *l, const struct dataset *log, const double *u, struct calm **ret)
{
        struct calm *c = malloc(sizeof *c);
        const size_t rest = (size_t)(REST_S / l->step_s), most = (size_t)(MOST_S / l->step_s);
        size_t segment = 0;

        if (!c)
                return -ENOMEM;
        *c = (struct calm){.mean = (size_t)(MEAN_S / l->step_s) + 1, .span = malloc((log->n + 1) * sizeof *c->span)};
        if (!c->span) {
                free(c);
                return -ENOMEM;
        }
        for (size_t row = 0; row < log->n; row++) {
                struct span *last = c->n > 0 ? &c->span[c->n - 1] : NULL;

                if (log->segment_start[row]) {
                        if (last && last->to + c->mean > row) /* no rest after it */
                                c->n--;
                        segment = row;
                        continue;
                }
                if (!calm_steps(l, u + row * l->nu, u + (row - 1) * l->nu))
                        continue;
                if (last && last->to + c->mean > row)
                        last->to = row + rest;
                else if (row >= segment + c->mean)
                        c->span[c->n++] = (struct span){row, row + rest};
        }
        if (c->n > 0 && c->span[c->n - 1].to + c->mean > log->n)
                c->n--;
        size_t kept = 0;
        for (size_t k = 0; k < c->n; k++)
                if (c->span[k].to - c->span[k].from <= most)
                        c->span[kept++] = c->span[k];
        c->n = kept;
        *ret = c;
        return 0;
}

struct calm *calm_free(struct calm *c)
{
        if (c)
                free(c->span);
        free(c);
        return NULL;
}

static double mean(const double *v, size_t width, size_t from, size_t to)
{
        double sum = 0, n = 0;

        for (size_t k = from; k < to; k++)
                if (isfinite(v[k * width])) {
                        sum += v[k * width];
                        n++;
                }
        return n > 0 ? sum / n : (double)NAN;
}

void calm_adds(const struct calm *c, const double *v, size_t width, double *ret)
{
        for (size_t k = 0; k < c->n; k++) {
                const struct span s = c->span[k];
                const double before = mean(v, width, s.from - c->mean, s.from), after = mean(v, width, s.to, s.to + c->mean);

                for (size_t row = s.from; row < s.to; row++) {
                        const double at = (double)(row - s.from) / (double)(s.to - s.from),
                                     more = before + (after - before) * at - v[row * width];

                        ret[row * width] = isfinite(more) ? more : 0;
                }
        }
}
