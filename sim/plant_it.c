/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Hosts and VMs: who runs where, what it draws, and live migration. */
#include <errno.h>
#include <math.h>

#include "sim/plant_internal.h"

#define HOST_CORES 64.0
#define HOST_MEM_GIB 512.0
#define MEM_GIB_PER_CORE 4.0
#define SLEEP_W 12.0
#define SLEEP_AFTER_S 600.0
#define WAKE_S 90.0
#define MIGRATION_CORES 0.5 /* burnt on both sides while memory is copied */
#define MIGRATION_FAILS 0.03

bool plant_host_fits(const struct host *h, double cores, double mem_gib)
{
        return h->used_cores + cores <= h->pub.cores * OVERCOMMIT && h->used_mem_gib + mem_gib <= h->pub.mem_gib;
}

static void occupy(struct plant *p, size_t host, const struct plant_vm *vm)
{
        struct host *h = &p->host[host];

        h->used_cores += vm->cores;
        h->used_mem_gib += vm->mem_gib;
        if (h->nvm++ == 0 && !h->pub.reserved) {
                p->nidle -= !h->pub.asleep;
                h->pub.asleep = false;
        }
        p->demand.stale = true;
        if (p->spec.arrivals != NULL)
                plant_host_refit(p, host);
}

static void vacate(struct plant *p, size_t host, const struct plant_vm *vm)
{
        struct host *h = &p->host[host];

        h->used_cores -= vm->cores;
        h->used_mem_gib -= vm->mem_gib;
        if (--h->nvm == 0 && !h->pub.reserved) {
                p->nidle++;
                h->empty_s = 0.0;
        }
        p->demand.stale = true;
        if (p->spec.arrivals != NULL)
                plant_host_refit(p, host);
}

void plant_vm_add(struct plant *p, const struct plant_vm *vm)
{
        p->vm_trace[p->nvm] = vm->id % (uint32_t)p->demand.ntrace;
        p->vm[p->nvm++] = *vm;
        occupy(p, vm->host, vm);
}

static void end_move(struct plant *p, size_t i, bool gone)
{
        struct move *m = &p->move[i];

        p->event[(p->event_head + p->event_n++) % EVENTS_MAX] = (struct plant_move_event){
            .request_id = m->request_id,
            .vm = m->vm,
            .from = m->from,
            .to = m->to,
            .done = !m->fails && !gone,
            .failed = m->fails || gone,
            .gone = gone,
        };
        *m = p->move[--p->nmove];
}

/* The last VM takes the place of k; a move of k ends with it. */
void plant_vm_remove(struct plant *p, size_t k)
{
        const size_t last = p->nvm - 1;

        for (size_t i = p->nmove; i-- > 0;)
                if (p->move[i].vm == k) {
                        vacate(p, p->move[i].to, &p->vm[k]);
                        end_move(p, i, true);
                }
        vacate(p, p->vm[k].host, &p->vm[k]);
        for (size_t i = 0; i < p->nmove; i++)
                if (p->move[i].vm == last)
                        p->move[i].vm = k;
        p->vm[k] = p->vm[last];
        p->vm_trace[k] = p->vm_trace[last];
        p->vm_end_ms[k] = p->vm_end_ms[last];
        p->nvm = last;
}

static void build_hosts(struct plant *p)
{
        for (size_t i = 0; i < p->nhost; i++) {
                struct host *h = &p->host[i];
                /* two generations of machines: the older idles higher */
                const double idle_ratio = rng_uniform(&p->rng) < 0.3 ? 0.48 : 0.34;
                const double max_w = 0.94 * p->spec.rack_design_w / (double)p->spec.hosts_per_rack;

                h->pub.id = (uint32_t)(i + 1);
                h->pub.rack = i / p->spec.hosts_per_rack;
                h->pub.cores = HOST_CORES;
                h->pub.mem_gib = HOST_MEM_GIB;
                h->pub.max_w = max_w;
                h->pub.idle_w = idle_ratio * max_w;
                h->pub.sleep_w = SLEEP_W;
                h->pub.reserved = rng_uniform(&p->rng) < 0.03;
                p->nidle += !h->pub.reserved;
        }
}

/* Best of three random hosts in a rack drawn by popularity: uneven racks, as grown sites have. */
static size_t choose_host(struct plant *p, const struct plant_vm *vm)
{
        for (int tries = 0; tries < 64; tries++) {
                const size_t i = rng_below(&p->rng, (uint32_t)p->nhost);
                const double popularity = 0.45 + 0.55 * fmod((double)p->host[i].pub.rack * 0.7548776662, 1.0);

                if (!p->host[i].pub.reserved && rng_uniform(&p->rng) < popularity &&
                    plant_host_fits(&p->host[i], vm->cores, vm->mem_gib))
                        return i;
        }
        for (size_t i = 0; i < p->nhost; i++)
                if (!p->host[i].pub.reserved && plant_host_fits(&p->host[i], vm->cores, vm->mem_gib))
                        return i;
        return p->nhost;
}

void plant_it_build(struct plant *p)
{
        size_t placed = 0;

        build_hosts(p);
        plant_vms_build(p);
        for (size_t k = 0; k < p->spec.vms && p->spec.arrivals == NULL; k++) {
                struct plant_vm vm = {.id = (uint32_t)(k + 1)};
                const double size = rng_uniform(&p->rng);

                vm.cores = size < 0.3 ? 4.0 : size < 0.65 ? 8.0 : size < 0.9 ? 16.0 : 32.0;
                vm.mem_gib = vm.cores * MEM_GIB_PER_CORE;
                vm.movable = rng_uniform(&p->rng) < 0.9;
                vm.host = choose_host(p, &vm);
                if (vm.host == p->nhost)
                        break; /* the site is full: fewer VMs than asked for */
                occupy(p, vm.host, &vm);
                p->vm_trace[placed] = (uint32_t)k;
                p->vm[placed++] = vm;
        }
        p->nvm = placed;
}

/* What the hosts of each rack draw while VM k uses ratio[trace of k] of its cores. */
static void draw(struct plant *p, const double *ratio, double *rack_w)
{
        const size_t per_rack = p->spec.hosts_per_rack;

        for (size_t i = 0; i < p->nhost; i++)
                p->host[i].cpu_cores = 0.0;
        for (size_t k = 0; k < p->nvm; k++) {
                const double use = ratio[p->vm_trace[k]] * p->load_step;

                p->host[p->vm[k].host].cpu_cores += (use < 1.0 ? use : 1.0) * p->vm[k].cores;
        }
        for (size_t i = 0; i < p->nmove; i++) {
                p->host[p->move[i].from].cpu_cores += MIGRATION_CORES;
                p->host[p->move[i].to].cpu_cores += MIGRATION_CORES;
        }
        for (size_t i = 0; i < p->spec.nrack; i++) {
                rack_w[i] = 0.0;
                for (size_t k = i * per_rack; k < (i + 1) * per_rack; k++) {
                        const struct host *h = &p->host[k];

                        rack_w[i] += h->pub.asleep
                                         ? h->pub.sleep_w
                                         : h->pub.idle_w + (h->pub.max_w - h->pub.idle_w) *
                                                               lut_at(&p->host_curve, h->cpu_cores / HOST_CORES);
                }
        }
}

/* Keeps both ends of the interval that t_ms is in. */
static void look_at_vms(struct plant *p, int64_t t_ms)
{
        struct demand *d = &p->demand;
        const int64_t interval_ms = (int64_t)(DEMAND_S * 1000.0);
        bool stale = d->stale || d->load_step != p->load_step;

        d->stale = false;
        d->load_step = p->load_step;
        if (t_ms >= d->since_ms && t_ms < d->until_ms) {
                if (stale) {
                        draw(p, d->ratio0, d->rack0_w);
                        draw(p, d->ratio1, d->rack1_w);
                }
                return;
        }
        const bool next = t_ms >= d->until_ms && t_ms - d->until_ms < interval_ms && d->until_ms > d->since_ms;
        double *const ratio = d->ratio0, *const rack_w = d->rack0_w;

        d->since_ms = t_ms - (t_ms % interval_ms + interval_ms) % interval_ms;
        d->until_ms = d->since_ms + interval_ms;
        if (p->spec.arrivals != NULL) {
                plant_vms_step(p, d->since_ms, next);
                stale |= d->stale;
                d->stale = false;
        }
        d->ratio0 = d->ratio1;
        d->ratio1 = ratio;
        d->rack0_w = d->rack1_w;
        d->rack1_w = rack_w;
        if (!next)
                workload_cpu_ratios(p->load, d->since_ms, d->ntrace, d->ratio0);
        if (!next || stale)
                draw(p, d->ratio0, d->rack0_w);
        workload_cpu_ratios(p->load, d->until_ms, d->ntrace, d->ratio1);
        draw(p, d->ratio1, d->rack1_w);
}

/* A host that has been empty long enough goes to sleep; nidle counts those that may. */
static void fall_asleep(struct plant *p)
{
        for (size_t i = 0; i < p->nhost && p->nidle > 0; i++) {
                struct host *h = &p->host[i];

                if (h->nvm > 0 || h->pub.reserved || h->pub.asleep)
                        continue;
                h->empty_s += PLANT_TICK_S;
                if (h->empty_s >= SLEEP_AFTER_S) {
                        h->pub.asleep = true;
                        p->nidle--;
                        p->demand.stale = true;
                }
        }
}

void plant_it_tick(struct plant *p)
{
        const int64_t t_ms = plant_t_ms(p);
        const struct demand *d = &p->demand;
        double f;

        fall_asleep(p);
        look_at_vms(p, t_ms);
        f = (double)(t_ms - d->since_ms) / (DEMAND_S * 1000.0);
        for (size_t i = 0; i < p->spec.nrack; i++)
                p->air.host_w[i] = d->rack0_w[i] + (d->rack1_w[i] - d->rack0_w[i]) * f;
}

size_t plant_nhost(const struct plant *p)
{
        return p->nhost;
}

size_t plant_nvm(const struct plant *p)
{
        return p->nvm;
}

void plant_host(const struct plant *p, size_t i, struct plant_host *ret)
{
        *ret = p->host[i].pub;
}

void plant_vm(const struct plant *p, size_t i, struct plant_vm *ret)
{
        const struct demand *d = &p->demand;
        const uint32_t k = p->vm_trace[i];
        const double f = clampd((double)(plant_t_ms(p) - d->since_ms) / (DEMAND_S * 1000.0), 0.0, 1.0);
        const double use = (d->ratio0[k] + (d->ratio1[k] - d->ratio0[k]) * f) * p->load_step;

        *ret = p->vm[i];
        ret->cpu_cores = fmin(use, 1.0) * ret->cores;
}

int plant_move_vm(struct plant *p, size_t vm, size_t to_host, uint64_t request_id)
{
        struct plant_vm *v;
        struct host *to;
        double copy_s;

        if (vm >= p->nvm || to_host >= p->nhost)
                return -EINVAL;
        v = &p->vm[vm];
        to = &p->host[to_host];
        if (!v->movable || v->host == to_host || to->pub.reserved || p->host[v->host].pub.reserved)
                return -EINVAL;
        /* every accepted move has room for its event, so that none is lost */
        if (v->moving || p->nmove == MOVES_MAX || p->event_n + p->nmove >= EVENTS_MAX)
                return -EBUSY;
        if (!plant_host_fits(to, v->cores, v->mem_gib))
                return -ENOSPC;
        copy_s = 15.0 + v->mem_gib * rng_range(&p->rng, 0.9, 2.2); /* about 1 GiB/s and the pages dirtied meanwhile */
        p->move[p->nmove++] = (struct move){
            .request_id = request_id,
            .vm = vm,
            .from = v->host,
            .to = to_host,
            .left_s = copy_s + (to->pub.asleep ? WAKE_S : 0.0),
            .fails = rng_uniform(&p->rng) < MIGRATION_FAILS,
        };
        v->moving = true;
        occupy(p, to_host, v);
        return 0;
}

void plant_moves_step(struct plant *p, double dt_s)
{
        for (size_t i = 0; i < p->nmove;) {
                struct move *m = &p->move[i];
                struct plant_vm *v = &p->vm[m->vm];

                m->left_s -= dt_s;
                if (m->left_s > 0.0) {
                        i++;
                        continue;
                }
                vacate(p, m->fails ? m->to : m->from, v);
                v->moving = false;
                if (!m->fails) {
                        v->host = m->to;
                        p->meter.migrations++;
                }
                end_move(p, i, false);
        }
}

bool plant_next_move_event(struct plant *p, struct plant_move_event *ret)
{
        if (p->event_n == 0)
                return false;
        *ret = p->event[p->event_head];
        p->event_head = (p->event_head + 1) % EVENTS_MAX;
        p->event_n--;
        return true;
}
