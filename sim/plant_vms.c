/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * VMs that come and go. The trace of arrivals is thinned (or multiplied), by a seeded draw a VM, so that in the long
 * run the site carries as many cores as its specification's number of lasting VMs would. A VM goes to the fullest host
 * that takes it (best fit); hosts wait in lists by their free cores. Everything happens at the bins of the trace.
 */
#include <math.h>

#include "sim/plant_internal.h"

#define LASTING_CORES 11.2 /* mean of plant_it_build's sizes */
#define MOVABLE 0.9

static void unlink_host(struct plant *p, uint32_t i)
{
        struct host *h = &p->host[i];

        if (h->fit == NO_FIT)
                return;
        if (h->fit_before != NO_HOST)
                p->host[h->fit_before].fit_after = h->fit_after;
        else
                p->fit_first[h->fit] = h->fit_after;
        if (h->fit_after != NO_HOST)
                p->host[h->fit_after].fit_before = h->fit_before;
        h->fit = NO_FIT;
}

void plant_host_refit(struct plant *p, size_t i)
{
        struct host *h = &p->host[i];
        const double free_cores = h->pub.cores * OVERCOMMIT - h->used_cores;
        const uint32_t fit = (uint32_t)clampd(free_cores + 1e-6, 0.0, FIT_LISTS - 1);

        if (h->pub.reserved || fit == h->fit)
                return;
        unlink_host(p, (uint32_t)i);
        h->fit = fit;
        h->fit_before = NO_HOST;
        h->fit_after = p->fit_first[fit];
        if (h->fit_after != NO_HOST)
                p->host[h->fit_after].fit_before = (uint32_t)i;
        p->fit_first[fit] = (uint32_t)i;
}

static size_t best_fit(const struct plant *p, double cores, double mem_gib)
{
        for (size_t fit = (size_t)ceil(cores - 1e-6); fit < FIT_LISTS; fit++)
                for (uint32_t i = p->fit_first[fit]; i != NO_HOST; i = p->host[i].fit_after)
                        if (plant_host_fits(&p->host[i], cores, mem_gib))
                                return i;
        return p->nhost;
}

static size_t common_divisor(size_t a, size_t b)
{
        while (b != 0) {
                const size_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

/* Hosts are listed in golden strides, so that the first to be filled are spread over the rooms. */
void plant_vms_build(struct plant *p)
{
        double vms, cores;
        size_t stride = (size_t)(0.618 * (double)p->nhost) + 1;

        if (p->spec.arrivals == NULL)
                return;
        arrivals_running(p->spec.arrivals, &vms, &cores);
        p->come.keep = LASTING_CORES * (double)p->spec.vms / cores;
        while (common_divisor(stride, p->nhost) != 1)
                stride++;
        for (size_t k = 0; k < FIT_LISTS; k++)
                p->fit_first[k] = NO_HOST;
        for (size_t i = 0; i < p->nhost; i++)
                p->host[i].fit = NO_FIT;
        for (size_t n = 0; n < p->nhost; n++)
                plant_host_refit(p, n * stride % p->nhost);
}

/* Twice what runs in the long run: a VM that finds no room here is refused, as one that finds no host. */
size_t plant_vms_max(const struct plant_spec *s)
{
        double vms, cores;

        if (s->arrivals == NULL)
                return s->vms;
        arrivals_running(s->arrivals, &vms, &cores);
        return 1000 + (size_t)fmin(2.0 * vms * LASTING_CORES * (double)s->vms / cores, 4e6);
}

/* Arrival i of a lap of the trace, at_ms its bin: as many VMs as the site's share of it says, those that live on at
 * now_ms. The draws are its own, so that they do not depend on what else happens. */
static void arrive(struct plant *p, int64_t lap, size_t i, int64_t at_ms, int64_t now_ms)
{
        struct rng rng;
        uint64_t n;

        rng_seed(&rng, p->spec.seed ^ (uint64_t)lap << 32, 0x766d0000u + i);
        for (n = (uint64_t)ceil(fmax(p->come.keep - rng_uniform(&rng), 0.0)); n > 0; n--) {
                const int64_t end_ms = at_ms + (int64_t)(1000.0 * arrivals_life_s(p->spec.arrivals, i, &rng));
                const bool movable = rng_uniform(&rng) < MOVABLE;
                double cores, mem_gib;
                size_t host;

                if (end_ms <= now_ms)
                        continue;
                arrivals_size(p->spec.arrivals, i, &cores, &mem_gib);
                host = p->nvm < p->vm_max ? best_fit(p, cores, mem_gib) : p->nhost;
                if (host == p->nhost) {
                        p->come.count.refused++;
                        continue;
                }
                p->come.count.arrived++;
                p->vm_end_ms[p->nvm] = end_ms;
                plant_vm_add(
                    p,
                    &(struct plant_vm){
                        .id = ++p->come.last_id, .host = host, .cores = cores, .mem_gib = mem_gib, .movable = movable});
        }
}

static void arrive_bin(struct plant *p, int64_t bin, int64_t now_ms)
{
        const int64_t nbin = (int64_t)arrivals_nbin(p->spec.arrivals);
        const int64_t lap = bin >= 0 ? bin / nbin : -((nbin - 1 - bin) / nbin);
        size_t first, n = arrivals_in_bin(p->spec.arrivals, (size_t)(bin - lap * nbin), &first);

        for (size_t k = 0; k < n; k++)
                arrive(p, lap, first + k, bin * ARRIVALS_BIN_S * 1000, now_ms);
}

void plant_vms_step(struct plant *p, int64_t now_ms, bool next)
{
        const int64_t bin_ms = INT64_C(1000) * ARRIVALS_BIN_S, bin = now_ms / bin_ms;
        const int64_t back = next ? 0 : (int64_t)(arrivals_life_max_s(p->spec.arrivals) / ARRIVALS_BIN_S) + 1;

        for (size_t k = p->nvm; k-- > 0;)
                if (p->vm_end_ms[k] <= now_ms) {
                        plant_vm_remove(p, k);
                        p->come.count.left++;
                }
        for (int64_t b = bin - back; b <= bin; b++)
                arrive_bin(p, b, now_ms);
}

void plant_vm_counts(const struct plant *p, struct plant_vm_counts *ret)
{
        *ret = p->come.count;
}
