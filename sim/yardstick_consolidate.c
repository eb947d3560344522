/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The VM moves of b2v: what a scheduler does that knows nothing of temperatures. Every five minutes, as the agent: of
 * the hosts whose VMs all fit elsewhere, that which gives most idle power for each migration is emptied, its VMs
 * largest first, each to the fullest awake host that takes it (best fit decreasing). What the agent's gate allows is
 * allowed here: moves an hour and at once, VMs that may move, hosts that are not reserved, no target beyond its cores,
 * memory and present CPU use. Migrations are the plant's: they take as long and fail as often.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/print_site.h"
#include "sim/yardstick.h"

#define PER_HOUR PRINT_SITE_MOVES_PER_HOUR
#define AT_ONCE PRINT_SITE_MOVES_AT_ONCE
#define HOUR_MS INT64_C(3600000)

struct load {
        double cores, mem_gib, cpu_cores;
        size_t nvm, nfixed; /* VMs; those that keep the host awake whatever we do */
};

struct under_way {
        uint32_t vm;
        size_t to;
};

struct yard_consolidator {
        size_t nhost;
        struct plant_host *host;
        struct load *load, *tried; /* [nhost] as it is with our moves done; with those of a candidate */
        struct plant_vm *vm;       /* [nvm] */
        size_t *by_size, nvm, cap; /* VMs, largest first */
        struct under_way under_way[AT_ONCE];
        size_t nunder_way;
        int64_t asked_ms[PER_HOUR];
        size_t nasked;
        uint64_t request;
};

int yard_consolidator_create(const struct plant *p, struct yard_consolidator **ret)
{
        struct yard_consolidator *k = calloc(1, sizeof(*k));

        if (k == NULL)
                return -ENOMEM;
        k->nhost = plant_nhost(p);
        k->host = calloc(k->nhost, sizeof(*k->host));
        k->load = calloc(k->nhost, sizeof(*k->load));
        k->tried = calloc(k->nhost, sizeof(*k->tried));
        if (k->host == NULL || k->load == NULL || k->tried == NULL) {
                yard_consolidator_free(k);
                return -ENOMEM;
        }
        *ret = k;
        return 0;
}

struct yard_consolidator *yard_consolidator_free(struct yard_consolidator *k)
{
        if (k != NULL) {
                free(k->host);
                free(k->load);
                free(k->tried);
                free(k->vm);
                free(k->by_size);
        }
        free(k);
        return NULL;
}

static void put(struct load *l, const struct plant_vm *v, bool fixed)
{
        l->cores += v->cores;
        l->mem_gib += v->mem_gib;
        l->cpu_cores += v->cpu_cores;
        l->nvm++;
        l->nfixed += fixed;
}

static bool fits(const struct plant_host *h, const struct load *l, const struct plant_vm *v)
{
        return l->cores + v->cores <= h->cores && l->mem_gib + v->mem_gib <= h->mem_gib &&
               l->cpu_cores + v->cpu_cores <= h->cores;
}

static const struct under_way *find_move(const struct yard_consolidator *k, uint32_t vm)
{
        for (size_t i = 0; i < k->nunder_way; i++)
                if (k->under_way[i].vm == vm)
                        return &k->under_way[i];
        return NULL;
}

static bool larger(const struct plant_vm *a, const struct plant_vm *b)
{
        return a->cores != b->cores ? a->cores > b->cores : a->id < b->id;
}

static int room_for(struct yard_consolidator *k, size_t nvm)
{
        struct plant_vm *vm;
        size_t *by_size;

        if (nvm <= k->cap)
                return 0;
        vm = realloc(k->vm, 2 * nvm * sizeof(*vm));
        if (vm == NULL)
                return -ENOMEM;
        k->vm = vm;
        by_size = realloc(k->by_size, 2 * nvm * sizeof(*by_size));
        if (by_size == NULL)
                return -ENOMEM;
        k->by_size = by_size;
        k->cap = 2 * nvm;
        return 0;
}

/* Hosts and VMs as they are; a VM on its way counts at both ends, and keeps its target awake. */
static int look(struct yard_consolidator *k, const struct plant *p)
{
        size_t still = 0;

        k->nvm = plant_nvm(p);
        if (room_for(k, k->nvm) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < k->nhost; i++) {
                plant_host(p, i, &k->host[i]);
                k->load[i] = (struct load){0};
        }
        for (size_t i = 0; i < k->nvm; i++)
                plant_vm(p, i, &k->vm[i]);
        for (size_t m = 0; m < k->nunder_way; m++)
                for (size_t i = 0; i < k->nvm; i++)
                        if (k->vm[i].id == k->under_way[m].vm && k->vm[i].moving) {
                                k->under_way[still++] = k->under_way[m];
                                break;
                        }
        k->nunder_way = still;
        for (size_t i = 0; i < k->nvm; i++) {
                const struct plant_vm *v = &k->vm[i];
                size_t at = i;

                put(&k->load[v->host], v, !v->movable);
                if (v->moving && find_move(k, v->id) != NULL)
                        put(&k->load[find_move(k, v->id)->to], v, true);
                for (; at > 0 && larger(v, &k->vm[k->by_size[at - 1]]); at--)
                        k->by_size[at] = k->by_size[at - 1];
                k->by_size[at] = i;
        }
        return 0;
}

/* The fullest awake host with room. */
static size_t best_fit(const struct yard_consolidator *k, const struct plant_vm *v)
{
        size_t best = k->nhost;

        for (size_t i = 0; i < k->nhost; i++)
                if (i != v->host && k->tried[i].nvm > 0 && !k->host[i].reserved && fits(&k->host[i], &k->tried[i], v) &&
                    (best == k->nhost || k->tried[i].cores > k->tried[best].cores))
                        best = i;
        return best;
}

/* Whether all VMs of the host find another; ret_vm, ret_to: the first, at most n, *ret_n of them. */
static bool empties(struct yard_consolidator *k, size_t host, size_t n, size_t *ret_vm, size_t *ret_to, size_t *ret_n)
{
        *ret_n = 0;
        for (size_t i = 0; i < k->nhost; i++)
                k->tried[i] = k->load[i];
        for (size_t i = 0; i < k->nvm; i++) {
                const struct plant_vm *v = &k->vm[k->by_size[i]];
                size_t to;

                if (v->host != host || v->moving)
                        continue;
                to = best_fit(k, v);
                if (to == k->nhost)
                        return false;
                put(&k->tried[to], v, true);
                if (*ret_n < n) {
                        ret_vm[*ret_n] = k->by_size[i];
                        ret_to[(*ret_n)++] = to;
                }
        }
        return true;
}

/* Idle power given up for each VM that still has to leave; 0 = not to be emptied. */
static double worth_w(const struct yard_consolidator *k, size_t host)
{
        size_t leaving = 0;

        if (k->host[host].reserved || k->load[host].nfixed > 0 || k->load[host].nvm == 0)
                return 0.0;
        for (size_t m = 0; m < k->nunder_way; m++)
                for (size_t i = 0; i < k->nvm; i++)
                        leaving += k->vm[i].id == k->under_way[m].vm && k->vm[i].host == host;
        return leaving < k->load[host].nvm ? k->host[host].idle_w / (double)(k->load[host].nvm - leaving) : 0.0;
}

/* Moves to make now, at most n. The hosts in order of their worth, which a linear search each time gives. */
static size_t plan(struct yard_consolidator *k, size_t n, size_t *ret_vm, size_t *ret_to)
{
        double below_w = 1e300;
        size_t last = 0, found;

        for (;;) {
                double most_w = 0.0;
                size_t best = k->nhost;

                for (size_t i = 0; i < k->nhost; i++) {
                        const double w = worth_w(k, i);

                        if (w > most_w && (w < below_w || (w == below_w && i > last))) {
                                most_w = w;
                                best = i;
                        }
                }
                if (best == k->nhost)
                        return 0;
                if (empties(k, best, n, ret_vm, ret_to, &found))
                        return found;
                below_w = most_w;
                last = best;
        }
}

void yard_consolidator_step(struct yard_consolidator *k, struct plant *p)
{
        const int64_t now_ms = plant_t_ms(p);
        struct plant_move_event e;
        size_t kept = 0;

        while (plant_next_move_event(p, &e))
                ; /* what has become of a move is seen at the VM */
        for (size_t i = 0; i < k->nasked; i++)
                if (now_ms - k->asked_ms[i] < HOUR_MS)
                        k->asked_ms[kept++] = k->asked_ms[i];
        k->nasked = kept;
        if (look(k, p) < 0)
                return;
        while (k->nunder_way < AT_ONCE && k->nasked < PER_HOUR) {
                size_t vm[AT_ONCE], to[AT_ONCE], room = AT_ONCE - k->nunder_way, n;

                room = room < PER_HOUR - k->nasked ? room : PER_HOUR - k->nasked;
                n = plan(k, room, vm, to);
                for (size_t i = 0; i < n; i++) {
                        if (plant_move_vm(p, vm[i], to[i], ++k->request) < 0)
                                return;
                        k->asked_ms[k->nasked++] = now_ms;
                        k->under_way[k->nunder_way++] = (struct under_way){.vm = k->vm[vm[i]].id, .to = to[i]};
                        k->vm[vm[i]].moving = true;
                        put(&k->load[to[i]], &k->vm[vm[i]], true);
                }
                if (n == 0)
                        return;
        }
}
