/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/calm.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define REST_S 1800.0
#define MEAN_S 300.0
#define MOST_S 7200.0

struct span {
        size_t from, to; /* rows: of the first step; the first at rest again */
};

struct calm {
        size_t mean; /* rows */
        size_t n;
        struct span *span;
};

double calm_same(enum u_kind kind)
{
        switch (kind) {
        case U_SAT:
        case U_CHWST:
        case U_CWST:
                return 0.5;
        case U_FAN:
                return 0.05;
        case U_CHILLER:
                return 0.1;
        }
        return 0;
}

bool calm_differ(const struct layout *l, const double *u, const double *than)
{
        for (size_t j = 0; j < l->nu; j++)
                if (fabs(u[j] - than[j]) > calm_same((enum u_kind)l->u[j].kind))
                        return true;
        return false;
}

/* A step at this row: the span that it begins, or that it makes longer. */
static void take_step(struct calm *c, size_t row, size_t segment, size_t rest)
{
        struct span *last = c->n > 0 ? &c->span[c->n - 1] : NULL;

        if (last && last->to + c->mean > row)
                last->to = row + rest;
        else if (row >= segment + c->mean)
                c->span[c->n++] = (struct span){row, row + rest};
}

/* What has no rest before the segment ends is no span. */
static void end_segment(struct calm *c, size_t end)
{
        if (c->n > 0 && c->span[c->n - 1].to + c->mean > end)
                c->n--;
}

static void drop_long(struct calm *c, size_t most)
{
        size_t kept = 0;

        for (size_t k = 0; k < c->n; k++)
                if (c->span[k].to - c->span[k].from <= most)
                        c->span[kept++] = c->span[k];
        c->n = kept;
}

int calm_create(const struct layout *l, const struct dataset *log, const double *u, struct calm **ret)
{
        struct calm *c = calloc(1, sizeof *c);
        size_t segment = 0;

        if (c)
                c->span = malloc((log->n + 1) * sizeof *c->span);
        if (!c || !c->span) {
                free(c);
                return -ENOMEM;
        }
        c->mean = (size_t)(MEAN_S / l->step_s) + 1;
        for (size_t row = 0; row < log->n; row++) {
                if (row == 0 || log->segment_start[row]) {
                        end_segment(c, row);
                        segment = row;
                } else if (calm_differ(l, u + row * l->nu, u + (row - 1) * l->nu)) {
                        take_step(c, row, segment, (size_t)(REST_S / l->step_s));
                }
        }
        end_segment(c, log->n);
        drop_long(c, (size_t)(MOST_S / l->step_s));
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

        for (size_t row = from; row < to; row++)
                if (isfinite(v[row * width])) {
                        sum += v[row * width];
                        n++;
                }
        return n > 0 ? sum / n : (double)NAN;
}

void calm_adds(const struct calm *c, const double *v, size_t width, double *ret)
{
        for (size_t k = 0; k < c->n; k++) {
                const struct span s = c->span[k];
                const double before = mean(v, width, s.from - c->mean, s.from),
                             after = mean(v, width, s.to, s.to + c->mean);

                for (size_t row = s.from; row < s.to; row++) {
                        const double part = (double)(row - s.from) / (double)(s.to - s.from),
                                     more = before + (after - before) * part - v[row * width];

                        ret[row * width] = isfinite(more) ? more : 0;
                }
        }
}
