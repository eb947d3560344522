/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/evaluate_rank.h"

#include <math.h>
#include <stdlib.h>

#include "agent/cli/evaluate_report.h"
#include "agent/store/daily.h"

#define DAY_S 86400.0

struct ranked {
        size_t index;
        double badness;
};

static int worse(const void *a, const void *b)
{
        const struct ranked *p = a, *q = b;

        if (p->badness != q->badness)
                return p->badness > q->badness ? -1 : 1;
        return (p->index > q->index) - (p->index < q->index);
}

size_t evrank_worst(const struct evaluation *e, size_t n, evrank_fn *badness, size_t *ret, size_t most)
{
        struct ranked *r = calloc(n + 1, sizeof *r);
        size_t found = 0, k;

        for (size_t i = 0; r && i < n; i++) {
                const double b = badness(e, i);

                if (b > 0)
                        r[found++] = (struct ranked){i, b};
        }
        if (found > 0)
                qsort(r, found, sizeof *r, worse);
        for (k = 0; k < found && k < most; k++)
                ret[k] = r[k].index;
        free(r);
        return k;
}

size_t evrank_distance(const struct evaluation *e)
{
        return e->nahead > 1 ? 1 : 0;
}

double evrank_forecast(const struct evaluation *e, size_t i)
{
        return score_rmse(&e->y[i].forecast.error[evrank_distance(e)]);
}

double evrank_coverage(const struct evaluation *e, size_t i)
{
        const struct score_cover *c = &e->y[i].forecast.upper;

        return EVALUATE_COVERAGE - score_share(c->inside, c->n);
}

double evrank_unusable(const struct evaluation *e, size_t i)
{
        const double share = score_share(e->y[i].unusable, e->evidence);

        return share >= EVRANK_TOLD ? share : 0;
}

static double range(const struct evaluation *e, size_t j)
{
        return fmax(e->envelope.u[j].hi - e->envelope.u[j].lo, 1e-9);
}

double evrank_change(const struct evaluation *e, size_t j)
{
        const struct score_variable *v = &e->u[j];

        return v->steps > 0 ? score_dist_abs_quantile(&v->change, 0.95) / range(e, j) +
                                  EVRANK_TOLD * score_share(v->above + v->below, v->steps)
                            : 0;
}

double evrank_projection(const struct evaluation *e, size_t j)
{
        const struct score_variable *v = &e->u[j];

        return (double)v->not_finite + (v->cost.n > 0 ? score_dist_abs_quantile(&v->cost, 0.95) / range(e, j) : 0);
}

double evrank_quality(const struct evaluation *e, size_t i)
{
        const size_t *q = e->quality[i];

        const double share = score_share(q[QUALITY_BAD] + q[QUALITY_UNCERTAIN], q[0] + q[1] + q[2]);

        return share >= EVRANK_TOLD ? share : 0;
}

const char *evrank_y_name(const struct evaluation *e, size_t y)
{
        return e->site->point[e->layout->y[y].point].name;
}

const char *evrank_u_name(const struct evaluation *e, size_t u)
{
        return e->site->point[e->layout->u[u].point].name;
}

bool evrank_judged(const struct evaluation *e, enum evaluate_group g)
{
        return e->all.forecast[g].upper.n > 0;
}

size_t evrank_certified(const struct evaluation *e)
{
        size_t n = 0;

        for (size_t k = 0; k < EVALUATE_KINDS; k++)
                n += e->certified[k];
        return n;
}

/* Cut, not rounded: what is told as 0.00 is not above 0. */
static double cut(double skill)
{
        return floor(100 * skill) / 100;
}

void evrank_skill(const struct evaluation *e, enum evaluate_group g, struct evrank_skill *ret)
{
        const size_t d = evrank_distance(e);
        struct evrank_skill s = {.all = cut(score_skill(&e->all.forecast[g].error[d])),
                                 .anchored = score_skill(&e->all.forecast[g].anchored[d])};

        for (size_t k = 0; k < e->nday; k++) {
                const double v = score_skill(&e->day[k].sum.forecast[g].error[d]),
                             day_s = (double)e->day[k].sum.steps * e->layout->step_s;

                if (isfinite(v) && day_s >= DAILY_COVER_MIN * DAY_S) {
                        s.days++;
                        s.days_not_above += !(v > 0);
                }
        }
        for (size_t i = 0; i < e->layout->ny; i++) {
                const double v = score_skill(&e->y[i].forecast.error[d]);

                if (e->layout->y[i].kind != Y_VALVE && evaluate_group(e, i) == g && isfinite(v)) {
                        s.outputs++;
                        s.outputs_not_above += !(v > 0);
                }
        }
        s.above = s.all > 0 && (s.days == 0 || 2 * s.days_not_above < s.days) && 2 * s.outputs_not_above < s.outputs;
        *ret = s;
}

bool evrank_in_force(const struct evaluation *e)
{
        return e->scored > 0 && e->shadow == 0;
}

void evrank_answers(const struct evaluation *e, size_t ret[ADVICE_ANSWERS])
{
        for (int k = 0; k < ADVICE_ANSWERS; k++) {
                ret[k] = 0;
                for (size_t j = 0; j < e->layout->nu; j++)
                        ret[k] += e->answers[j][k];
        }
}
