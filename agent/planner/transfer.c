/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/transfer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define HALF_MIN 60   /* samples: five hours of 5-min steps */
#define NEAR_MIN 12   /* … an hour, by weight */
#define OURS_MAX 2000 /* states that are looked at */

/* How far from the mean along the shift, in squared spreads; what is not known is where the mean is. */
static double along(const struct energy *e, const double *shift, const double *mean, const double *spread,
                    const struct energy_sample *s)
{
        double x[ENERGY_STATES], sum = 0.0;

        energy_state(e, s, x);
        for (size_t k = 0; k < ENERGY_STATES; k++)
                if (isfinite(x[k]) && isfinite(shift[k]))
                        sum += shift[k] / spread[k] * (x[k] - mean[k]) / spread[k];
        return sum;
}

static int ascending(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Fitted on one half, judged on the other: root of the sum of the parts' squared errors, over what they drew. */
static double carried_over(const struct energy *e, void *mem, const double *at, double middle, bool learn_far)
{
        struct energy *half = NULL;
        double error[ENERGY_PARTS] = {0}, drew = 0.0, sq = 0.0;
        double w[ENERGY_MEMBERS][ENERGY_PARTS];
        struct energy_info info;

        energy_info(e, &info);
        if (energy_create(mem, energy_memsize(), 1, energy_capacity_w(e), &half) < 0)
                return (double)NAN;
        for (size_t i = 0; i < info.samples; i++)
                if ((at[i] > middle) == learn_far)
                        energy_add(half, energy_sample_at(e, i));
        if (energy_fit(half) == 0)
                return (double)NAN;
        for (size_t i = 0; i < info.samples; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);

                if ((at[i] > middle) == learn_far || !energy_members(half, s, w))
                        continue;
                for (size_t p = 0; p < ENERGY_PARTS; p++) {
                        double mean = 0.0;

                        for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                                mean += w[m][p] / ENERGY_MEMBERS;
                        if (!isfinite(mean) || !isfinite(s->power_w[p]))
                                continue;
                        error[p] += mean - s->power_w[p];
                        drew += s->power_w[p];
                }
        }
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                sq += error[p] * error[p];
        return drew > 0.0 ? sqrt(sq) / drew : (double)NAN;
}

static bool metered(const struct energy *e, size_t n, enum energy_part part)
{
        for (size_t i = 0; i < n; i++)
                if (isfinite(energy_sample_at(e, i)->power_w[part]))
                        return true;
        return false;
}

int transfer_error(const struct energy *e, const struct energy_sample *shift, double *ret_ratio)
{
        struct energy_sample moved = *shift;
        struct energy_info info;
        double *at = NULL, *order;
        void *mem = NULL;
        double d[ENERGY_STATES], mean[ENERGY_STATES], unit[ENERGY_STATES], distance = 0.0, far = 0.0, near = 0.0,
                                                                           middle, a, b;
        size_t n, m, nfar = 0;
        int r = -ENODATA;

        energy_info(e, &info);
        n = info.samples;
        if (n < 2 * (size_t)HALF_MIN)
                return -ENODATA;
        at = malloc(2 * n * sizeof *at);
        mem = aligned_alloc(16, energy_memsize());
        if (!at || !mem) {
                r = -ENOMEM;
                goto out;
        }
        order = at + n;
        if (!metered(e, n, ENERGY_PUMPS)) /* valves tell of nothing else */
                moved.valve_mean_ratio = (double)NAN;
        energy_state(e, &moved, d);
        energy_spread(e, mean, unit);
        for (size_t k = 0; k < ENERGY_STATES; k++)
                if (isfinite(d[k]))
                        distance += d[k] / unit[k] * d[k] / unit[k];
        for (size_t i = 0; i < n; i++)
                at[i] = order[i] = along(e, d, mean, unit, energy_sample_at(e, i));
        qsort(order, n, sizeof *order, ascending);
        for (m = n / 2 - 1; m > 0 && order[m] == order[n - 1]; m--) /* the log was mostly at that end */
                ;
        middle = order[m];
        for (size_t i = 0; i < n; i++) {
                *(at[i] > middle ? &far : &near) += at[i];
                nfar += at[i] > middle;
        }
        if (distance == 0.0) { /* nothing is moved */
                *ret_ratio = 0.0;
                r = 0;
                goto out;
        }
        if (nfar < HALF_MIN || n - nfar < HALF_MIN) /* the log hardly moved that way */
                goto out;
        a = carried_over(e, mem, at, middle, true);
        b = carried_over(e, mem, at, middle, false);
        if (isfinite(a) && isfinite(b)) {
                *ret_ratio = sqrt((a * a + b * b) / 2.0) * distance / (far / (double)nfar - near / (double)(n - nfar));
                r = 0;
        }
out:
        free(mem);
        free(at);
        return r;
}

/* --- the log's residuals where we would be ------------------------------------------------------------------------ */

/* A kernel's width in what each part depends on, in the order of energy_state; 0: it does not. */
static const double width[ENERGY_PARTS][ENERGY_STATES] = {
    [ENERGY_FANS] = {0.03, 0, 0, 0, 0, 0, 0},
    [ENERGY_CHILLERS] = {0, 0.05, 0.75, 1.0, 0, 0.2, 0},
    [ENERGY_PUMPS] = {0, 0, 0, 0, 0, 0.2, 0.05},
    [ENERGY_TOWERS] = {0, 0.05, 0, 1.0, 1.0, 0.2, 0},
};

static double nearness(enum energy_part part, const double *x, const double *y)
{
        double sq = 0.0;

        for (size_t k = 0; k < ENERGY_STATES; k++) {
                const double d = x[k] - y[k];

                if (width[part][k] > 0.0 && isfinite(d))
                        sq += d / width[part][k] * d / width[part][k];
        }
        return exp(-0.5 * sq);
}

/* Of a part: what was measured less what the model says; NaN: not metered. */
static void residuals(const struct energy *e, size_t n, enum energy_part part, double *ret)
{
        double w[ENERGY_MEMBERS][ENERGY_PARTS];

        for (size_t i = 0; i < n; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                double mean = 0.0;

                ret[i] = (double)NAN;
                if (!energy_members(e, s, w))
                        continue;
                for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                        mean += w[m][part] / ENERGY_MEMBERS;
                ret[i] = s->power_w[part] - mean;
        }
}

/* Mean residual near our state; false: too little is near. */
static bool residual_near(const struct energy *e, size_t n, enum energy_part part, const double *residual,
                          const struct energy_sample *ours, double *ret_w)
{
        double x[ENERGY_STATES], y[ENERGY_STATES], sum = 0.0, weight = 0.0;

        energy_state(e, ours, x);
        for (size_t i = 0; i < n; i++) {
                if (!isfinite(residual[i]))
                        continue;
                energy_state(e, energy_sample_at(e, i), y);
                const double k = nearness(part, x, y);

                sum += k * residual[i];
                weight += k;
        }
        if (!(weight >= NEAR_MIN))
                return false;
        *ret_w = sum / weight;
        return true;
}

int transfer_correct(const struct energy *e, const struct energy_sample *ours, size_t n,
                     struct transfer_correction *ret)
{
        const size_t every = n / OURS_MAX + 1;
        struct transfer_correction r;
        struct energy_info info;
        double *residual;

        energy_info(e, &info);
        residual = malloc((info.samples + 1) * sizeof *residual);
        if (!residual)
                return -ENOMEM;
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                size_t metered = 0, looked = 0, near = 0;
                double sum = 0.0, w;

                residuals(e, info.samples, (enum energy_part)p, residual);
                for (size_t i = 0; i < info.samples; i++)
                        metered += isfinite(residual[i]);
                for (size_t j = 0; j < n && metered > 0; j += every) {
                        looked++;
                        if (residual_near(e, info.samples, (enum energy_part)p, residual, &ours[j], &w)) {
                                near++;
                                sum += w;
                        }
                }
                r.power_w[p] = looked > 0 ? sum / (double)looked : 0.0;
                r.support[p] = looked > 0 ? (double)near / (double)looked : (double)NAN;
        }
        free(residual);
        *ret = r;
        return 0;
}
