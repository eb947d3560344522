/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim/arrivals_internal.h"

#define PI 3.14159265358979323846
#define DAY_BINS (86400 / ARRIVALS_BIN_S)
#define SEEN_MIN 100.0 /* at risk: fewer say nothing about a bin */
#define SYNTHETIC_DAYS 7
#define SYNTHETIC_BATCHES 12.0 /* a bin */
#define SYNTHETIC_BATCH 4.0    /* VMs */

static int grow(void **array, size_t *cap, size_t n, size_t size)
{
        const size_t want = *cap == 0 ? 4096 : 2 * *cap;
        void *grown;

        if (n < *cap)
                return 0;
        grown = realloc(*array, want * size);
        if (grown == NULL)
                return -ENOMEM;
        *array = grown;
        *cap = want;
        return 0;
}

int arrivals_push_bin(struct arrivals *a)
{
        void *first = a->first;
        int r = grow(&first, &a->bin_cap, a->nbin + 1, sizeof(*a->first));

        a->first = first;
        if (r == 0) {
                a->first[a->nbin++] = a->narrival;
                a->first[a->nbin] = a->narrival;
        }
        return r;
}

int arrivals_push(struct arrivals *a, struct arrival x)
{
        void *list = a->arrival;
        int r = grow(&list, &a->cap, a->narrival, sizeof(*a->arrival));

        a->arrival = list;
        if (r == 0) {
                a->arrival[a->narrival++] = x;
                a->first[a->nbin] = a->narrival;
        }
        return r;
}

/* Actuarial: the censored of a bin count for half of it. */
static void life_table(struct arrivals *a)
{
        double left[LIVES_MAX] = {0}, censored[LIVES_MAX] = {0}, older = (double)a->narrival, rate = 0.0;

        for (size_t i = 0; i < a->narrival; i++)
                (a->arrival[i].censored ? censored : left)[a->arrival[i].life] += 1.0;
        for (size_t k = 0; k < a->nlife; k++) {
                const double at_risk = older - 0.5 * censored[k], width_s = a->life_from_s[k + 1] - a->life_from_s[k];

                older -= left[k] + censored[k];
                if (at_risk >= SEEN_MIN && left[k] > 0.0) {
                        a->hazard[k] = fmin(left[k] / at_risk, 1.0);
                        rate = -log1p(-fmin(a->hazard[k], 0.999)) / width_s;
                } else {
                        a->hazard[k] = -expm1(-rate * width_s);
                }
        }
        a->outlive_s[a->nlife - 1] = a->life_from_s[a->nlife];
        for (size_t k = a->nlife - 1; k-- > 0;)
                a->outlive_s[k] = a->hazard[k + 1] * 0.5 * (a->life_from_s[k + 1] + a->life_from_s[k + 2]) +
                                  (1.0 - a->hazard[k + 1]) * a->outlive_s[k + 1];
}

int arrivals_finish(struct arrivals *a)
{
        double vms = 0.0, cores = 0.0;

        life_table(a); /* of the whole trace */
        if (a->nbin > DAY_BINS)
                a->nbin -= a->nbin % DAY_BINS;
        if (a->nbin == 0 || a->first[a->nbin] == 0)
                return -EINVAL;
        a->narrival = a->first[a->nbin];
        for (size_t i = 0; i < a->narrival; i++) {
                const struct arrival *x = &a->arrival[i];
                const double life_s =
                    x->censored ? a->outlive_s[x->life] : 0.5 * (a->life_from_s[x->life] + a->life_from_s[x->life + 1]);

                vms += life_s;
                cores += life_s * a->flavour[x->flavour].cores;
        }
        a->running_vms = vms / ((double)a->nbin * ARRIVALS_BIN_S);
        a->running_cores = cores / ((double)a->nbin * ARRIVALS_BIN_S);
        return 0;
}

static unsigned life_bin(const struct arrivals *a, double life_s)
{
        unsigned k = 0;

        while (k + 1 < a->nlife && life_s >= a->life_from_s[k + 1])
                k++;
        return k;
}

/* Batches of one tenant share a flavour and, nearly, a lifetime; fewer come at night and at weekends. */
static int synthetic_bin(struct arrivals *a, struct rng *rng, size_t bin)
{
        static const double share[] = {0.60, 0.19, 0.10, 0.09, 0.02};
        const double hour = (double)(bin % DAY_BINS) * ARRIVALS_BIN_S / 3600.0;
        const size_t day = bin / DAY_BINS; /* the epoch began on a Thursday */
        const double busy = (1.0 + 0.4 * cos(2.0 * PI * (hour - 15.0) / 24.0)) * (day == 2 || day == 3 ? 0.7 : 1.0);
        double t = 0.0;
        int r = arrivals_push_bin(a);

        while (r == 0 && (t += rng_exponential(rng, 1.0)) < SYNTHETIC_BATCHES * busy) {
                const double median_s = 1500.0 * exp(2.0 * rng_normal(rng));
                const unsigned n = 1 + (unsigned)fmin(rng_exponential(rng, SYNTHETIC_BATCH - 1.0), 200.0);
                double u = rng_uniform(rng);
                uint8_t flavour = 0;

                while (flavour + 1u < a->nflavour && u >= share[flavour])
                        u -= share[flavour++];
                for (unsigned k = 0; k < n && r == 0; k++) {
                        const double life_s = median_s * exp(0.2 * rng_normal(rng));

                        r = arrivals_push(a,
                                          (struct arrival){.flavour = flavour, .life = (uint8_t)life_bin(a, life_s)});
                }
        }
        return r;
}

int arrivals_synthetic(uint64_t seed, struct arrivals **ret)
{
        static const double size[][2] = {{1, 1.75}, {2, 3.5}, {4, 7}, {8, 14}, {1, 0.75}};
        struct arrivals *a = calloc(1, sizeof(*a));
        struct rng rng;
        int r = 0;

        if (a == NULL)
                return -ENOMEM;
        rng_seed(&rng, seed, 0x6172726976u);
        for (; a->nflavour < sizeof(size) / sizeof(size[0]); a->nflavour++) {
                a->flavour[a->nflavour].cores = size[a->nflavour][0];
                a->flavour[a->nflavour].mem_gib = size[a->nflavour][1];
        }
        /* 5 min up to an hour, hours up to a day, days up to ten, and as many again: as the public trace */
        while (a->nlife < 45) {
                const double s = a->life_from_s[a->nlife];

                a->life_from_s[++a->nlife] = s + (s < 3600.0     ? 300.0
                                                  : s < 86400.0  ? 3600.0
                                                  : s < 864000.0 ? 86400.0
                                                                 : 864000.0);
        }
        for (size_t bin = 0; r == 0 && bin < SYNTHETIC_DAYS * DAY_BINS; bin++)
                r = synthetic_bin(a, &rng, bin);
        if (r == 0)
                r = arrivals_finish(a);
        if (r < 0) {
                (void)arrivals_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

struct arrivals *arrivals_free(struct arrivals *a)
{
        if (a != NULL) {
                free(a->arrival);
                free(a->first);
        }
        free(a);
        return NULL;
}

size_t arrivals_nbin(const struct arrivals *a)
{
        return a->nbin;
}

size_t arrivals_in_bin(const struct arrivals *a, size_t k, size_t *ret_first)
{
        *ret_first = a->first[k];
        return a->first[k + 1] - a->first[k];
}

void arrivals_size(const struct arrivals *a, size_t i, double *ret_cores, double *ret_mem_gib)
{
        *ret_cores = a->flavour[a->arrival[i].flavour].cores;
        *ret_mem_gib = a->flavour[a->arrival[i].flavour].mem_gib;
}

double arrivals_life_s(const struct arrivals *a, size_t i, struct rng *rng)
{
        size_t k = a->arrival[i].life;

        if (a->arrival[i].censored) { /* it outlived bin k */
                if (k + 1 == a->nlife)
                        return a->life_from_s[a->nlife];
                for (k++; k + 1 < a->nlife && rng_uniform(rng) >= a->hazard[k]; k++)
                        ;
        }
        return fmax(rng_range(rng, a->life_from_s[k], a->life_from_s[k + 1]), 1.0);
}

double arrivals_life_max_s(const struct arrivals *a)
{
        return a->life_from_s[a->nlife];
}

void arrivals_running(const struct arrivals *a, double *ret_vms, double *ret_cores)
{
        *ret_vms = a->running_vms;
        *ret_cores = a->running_cores;
}
