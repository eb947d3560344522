/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/transfer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF_MIN 60   /* samples: five hours of 5-min steps */
#define NEAR_MIN 12   /* … an hour, by weight */
#define OURS_MAX 2000 /* states that are looked at */

enum { HEAT = 1, VALVE = 6, DIMS = 7 };

static void state(const struct energy_sample *s, double *x)
{
        const double v[DIMS] = {s->fan_ratio_cubed, s->heat_w,      s->chwst_c,         s->cwst_c,
                                s->wetbulb_c,       s->chillers_on, s->valve_mean_ratio};

        memcpy(x, v, sizeof(v));
}

/* No spread is less than a move that an operator would call small, as in energy.c. Heat is a share of the capacity. */
static const double least_spread[DIMS] = {0.05, 0.05, 1.0, 1.0, 2.0, 0.5, 0.1};

/* Means and standard deviations of what was sampled. */
static void spread(const struct energy *e, size_t n, double *ret_mean, double *ret)
{
        double sum[DIMS] = {0}, sq[DIMS] = {0}, known[DIMS] = {0}, x[DIMS];

        for (size_t i = 0; i < n; i++) {
                state(energy_sample_at(e, i), x);
                for (size_t k = 0; k < DIMS; k++)
                        if (isfinite(x[k])) {
                                sum[k] += x[k];
                                sq[k] += x[k] * x[k];
                                known[k] += 1.0;
                        }
        }
        for (size_t k = 0; k < DIMS; k++) {
                const double mean = known[k] > 0.0 ? sum[k] / known[k] : 0.0,
                             var = known[k] > 0.0 ? sq[k] / known[k] - mean * mean : 0.0;

                ret_mean[k] = mean;
                ret[k] = fmax(sqrt(fmax(var, 0.0)), least_spread[k] * (k == HEAT ? energy_capacity_w(e) : 1.0));
        }
}

/* How far from the mean along the shift, in squared spreads; what is not known is where the mean is. */
static double along(const double *shift, const double *mean, const double *spread, const struct energy_sample *s)
{
        double x[DIMS], sum = 0.0;

        state(s, x);
        for (size_t k = 0; k < DIMS; k++)
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
        struct energy_info info;
        double *at = NULL, *order;
        void *mem = NULL;
        double d[DIMS], mean[DIMS], unit[DIMS], distance = 0.0, far = 0.0, near = 0.0, middle, a, b;
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
        state(shift, d);
        if (!metered(e, n, ENERGY_PUMPS)) /* valves tell of nothing else */
                d[VALVE] = (double)NAN;
        spread(e, n, mean, unit);
        for (size_t k = 0; k < DIMS; k++)
                if (isfinite(d[k]))
                        distance += d[k] / unit[k] * d[k] / unit[k];
        for (size_t i = 0; i < n; i++)
                at[i] = order[i] = along(d, mean, unit, energy_sample_at(e, i));
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

/* A kernel's width in what each part depends on; 0: it does not. Heat is a share of the capacity. */
static const double width[ENERGY_PARTS][DIMS] = {
    [ENERGY_FANS] = {0.03, 0, 0, 0, 0, 0, 0},
    [ENERGY_CHILLERS] = {0, 0.05, 0.75, 1.0, 0, 0.2, 0},
    [ENERGY_PUMPS] = {0, 0, 0, 0, 0, 0.2, 0.05},
    [ENERGY_TOWERS] = {0, 0.05, 0, 1.0, 1.0, 0.2, 0},
};

static double nearness(enum energy_part part, double capacity_w, const double *x, const double *y)
{
        double sq = 0.0;

        for (size_t k = 0; k < DIMS; k++) {
                const double scale = k == HEAT ? capacity_w : 1.0, d = (x[k] - y[k]) / scale;

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
        double x[DIMS], y[DIMS], sum = 0.0, weight = 0.0;

        state(ours, x);
        for (size_t i = 0; i < n; i++) {
                if (!isfinite(residual[i]))
                        continue;
                state(energy_sample_at(e, i), y);
                const double k = nearness(part, energy_capacity_w(e), x, y);

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
