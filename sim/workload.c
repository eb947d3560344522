/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/num/rng.h"
#include "sim/workload_internal.h"

#define PI 3.14159265358979323846
#define SYNTHETIC_TRACES_MAX 512
#define SYNTHETIC_STEP_S 300.0
#define SYNTHETIC_SAMPLES 2016 /* one week */

int workload_alloc(size_t ntrace, size_t nsample, double step_s, struct workload **ret)
{
        struct workload *w = calloc(1, sizeof(*w));

        if (w == NULL)
                return -ENOMEM;
        w->ratio = ntrace > 0 && nsample > 0 ? calloc(ntrace * nsample, sizeof(*w->ratio)) : NULL;
        if (w->ratio == NULL) {
                (void)workload_free(w);
                return -ENOMEM;
        }
        w->ntrace = ntrace;
        w->nsample = nsample;
        w->step_s = step_s;
        w->shift_max_s = 3600.0;
        *ret = w;
        return 0;
}

uint16_t workload_encode(double ratio)
{
        return (uint16_t)lround(fmin(fmax(ratio, 0.0), 1.0) * WORKLOAD_FULL);
}

/*
 * Three families in the proportions of public traces: services that follow people (day and week), batch that bursts,
 * and near-idle machines. Mean over all about 0.3; PlanetLab's is 0.12.
 */
static void synthetic_trace(struct rng *rng, uint16_t *out, size_t stride)
{
        const double kind = rng_uniform(rng);
        const double mean = kind < 0.55 ? rng_range(rng, 0.25, 0.55) : kind < 0.8 ? rng_range(rng, 0.1, 0.3) : 0.04;
        const double daily = kind < 0.55 ? rng_range(rng, 0.3, 0.6) : 0.1;
        const double weekend = kind < 0.55 ? rng_range(rng, 0.6, 0.9) : 1.0;
        const double peak_h = rng_range(rng, 13.0, 17.0);
        const double burst_rate = kind < 0.55 ? 0.002 : 0.012;
        double ar = 0.0;
        int burst = 0;

        for (size_t i = 0; i < SYNTHETIC_SAMPLES; i++) {
                const double hour = (double)i * SYNTHETIC_STEP_S / 3600.0;
                const size_t day = i / 288;
                double u = mean * (1.0 + daily * cos(2.0 * PI * (fmod(hour, 24.0) - peak_h) / 24.0));

                if (day == 2 || day == 3) /* the epoch began on a Thursday: days 2 and 3 are the weekend */
                        u *= weekend;
                ar = 0.9 * ar + 0.44 * 0.06 * rng_normal(rng);
                if (burst > 0)
                        burst--;
                else if (rng_uniform(rng) < burst_rate)
                        burst = (int)rng_exponential(rng, 9.0) + 1;
                out[i * stride] = workload_encode(u + ar + (burst > 0 ? 0.4 : 0.0));
        }
}

int workload_synthetic(uint64_t seed, size_t nvm, struct workload **ret)
{
        const size_t ntrace = nvm < 1 ? 1 : nvm < SYNTHETIC_TRACES_MAX ? nvm : SYNTHETIC_TRACES_MAX;
        struct workload *w;
        struct rng rng;
        int r = workload_alloc(ntrace, SYNTHETIC_SAMPLES, SYNTHETIC_STEP_S, &w);

        if (r != 0)
                return r;
        for (size_t k = 0; k < ntrace; k++) {
                rng_seed(&rng, seed, 0x10000u + k);
                synthetic_trace(&rng, w->ratio + k, ntrace);
        }
        *ret = w;
        return 0;
}

struct workload *workload_free(struct workload *w)
{
        if (w != NULL)
                free(w->ratio);
        free(w);
        return NULL;
}

size_t workload_nvm(const struct workload *w)
{
        return w->ntrace;
}

/* Of the two samples about t_ms for VMs ntrace·lap and after. */
static double samples_at(const struct workload *w, size_t lap, int64_t t_ms, const uint16_t **ret_from,
                         const uint16_t **ret_to)
{
        const int64_t step_ms = (int64_t)(w->step_s * 1000.0);
        const int64_t period_ms = step_ms * (int64_t)w->nsample;
        /* the golden ratio spreads the laps over the allowed shift without repeating */
        const double lag = (double)lap * 0.6180339887498949;
        int64_t x = t_ms - (int64_t)((lag - floor(lag)) * w->shift_max_s * 1000.0);
        size_t i;

        x %= period_ms;
        if (x < 0)
                x += period_ms;
        i = (size_t)(x / step_ms);
        *ret_from = w->ratio + i * w->ntrace;
        *ret_to = w->ratio + (i + 1 == w->nsample ? 0 : i + 1) * w->ntrace;
        return (double)(x - (int64_t)i * step_ms) / (double)step_ms;
}

static double between(uint16_t from, uint16_t to, double f)
{
        return ((double)from + ((double)to - (double)from) * f) / WORKLOAD_FULL;
}

double workload_cpu_ratio(const struct workload *w, size_t vm, int64_t t_ms)
{
        const uint16_t *from, *to;
        const double f = samples_at(w, vm / w->ntrace, t_ms, &from, &to);

        return between(from[vm % w->ntrace], to[vm % w->ntrace], f);
}

void workload_cpu_ratios(const struct workload *w, int64_t t_ms, size_t n, double *ret)
{
        for (size_t lap = 0; lap * w->ntrace < n; lap++) {
                const uint16_t *from, *to;
                const double f = samples_at(w, lap, t_ms, &from, &to);
                const size_t first = lap * w->ntrace, last = first + w->ntrace < n ? first + w->ntrace : n;

                for (size_t k = first; k < last; k++)
                        ret[k] = between(from[k - first], to[k - first], f);
        }
}
