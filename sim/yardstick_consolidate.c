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
        size_t nvm, nfixed, nleaving; /* VMs; those that keep the host awake whatever we do; those on their way */
};

struct guest {
        struct plant_vm vm;
        size_t at;   /* its number in the plant */
        size_t to;   /* where it would go; nhost: nowhere */
        size_t next; /* the next smaller of the same host; nvm: none */
};

struct candidate {
        size_t host;
        double worth_w; /* idle power given up for each VM that still has to leave */
};

struct under_way {
        uint32_t vm;
        size_t to;
};

struct yard_consolidator {
        size_t nhost;
        struct plant_host *host;
        struct load *load, *tried;   /* [nhost] as it is with our moves done; with those of a candidate */
        struct guest *guest;         /* [nvm] largest first */
        size_t *first;               /* [nhost] its largest VM; nvm: none */
        struct candidate *candidate; /* [nhost] */
        size_t *open, nopen;         /* [nhost] awake hosts that take at least the smallest VM */
        size_t nvm, cap;
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
        k->first = calloc(k->nhost, sizeof(*k->first));
        k->candidate = calloc(k->nhost, sizeof(*k->candidate));
        k->open = calloc(k->nhost, sizeof(*k->open));
        if (k->host == NULL || k->load == NULL || k->tried == NULL || k->first == NULL || k->candidate == NULL ||
            k->open == NULL) {
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
                free(k->guest);
                free(k->first);
                free(k->candidate);
                free(k->open);
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

static int by_size(const void *a, const void *b)
{
        const struct plant_vm *x = &((const struct guest *)a)->vm, *y = &((const struct guest *)b)->vm;

        if (x->cores != y->cores)
                return x->cores > y->cores ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

static int by_worth(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;

        if (x->worth_w != y->worth_w)
                return x->worth_w > y->worth_w ? -1 : 1;
        return x->host < y->host ? -1 : x->host > y->host;
}

static int room_for(struct yard_consolidator *k, size_t nvm)
{
        struct guest *guest;

        if (nvm <= k->cap)
                return 0;
        guest = realloc(k->guest, 2 * nvm * sizeof(*guest));
        if (guest == NULL)
                return -ENOMEM;
        k->guest = guest;
        k->cap = 2 * nvm;
        return 0;
}

/* Hosts and VMs as they are; a VM on its way counts at both ends, and keeps its target awake. */
static int look(struct yard_consolidator *k, const struct plant *p)
{
        const size_t nvm = plant_nvm(p);
        bool in_order = true;
        size_t still = 0;

        if (room_for(k, nvm) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < nvm && nvm != k->nvm; i++)
                k->guest[i].at =
                    i; /* else in the order of the last look, which mostly still holds; what is there is read anew */
        k->nvm = nvm;
        for (size_t i = 0; i < k->nhost; i++) {
                plant_host(p, i, &k->host[i]);
                k->load[i] = (struct load){0};
                k->first[i] = nvm;
        }
        for (size_t i = 0; i < nvm; i++) {
                plant_vm(p, k->guest[i].at, &k->guest[i].vm);
                in_order = in_order && (i == 0 || by_size(&k->guest[i - 1], &k->guest[i]) <= 0);
        }
        if (!in_order)
                qsort(k->guest, nvm, sizeof(*k->guest), by_size);
        for (size_t m = 0; m < k->nunder_way; m++)
                for (size_t i = 0; i < k->nvm; i++)
                        if (k->guest[i].vm.id == k->under_way[m].vm && k->guest[i].vm.moving) {
                                k->under_way[still++] = k->under_way[m];
                                break;
                        }
        k->nunder_way = still;
        for (size_t i = k->nvm; i-- > 0;) {
                struct guest *g = &k->guest[i];
                const struct under_way *move = g->vm.moving ? find_move(k, g->vm.id) : NULL;

                put(&k->load[g->vm.host], &g->vm, !g->vm.movable);
                if (move != NULL) {
                        put(&k->load[move->to], &g->vm, true);
                        k->load[g->vm.host].nleaving++;
                }
                g->next = k->first[g->vm.host];
                k->first[g->vm.host] = i;
        }
        for (size_t i = 0; i < k->nhost; i++)
                k->tried[i] = k->load[i];
        return 0;
}

/* The fullest awake host with room. */
static size_t best_fit(const struct yard_consolidator *k, const struct plant_vm *v)
{
        size_t best = k->nhost;

        for (size_t n = 0; n < k->nopen; n++) {
                const size_t i = k->open[n];

                if (i != v->host && fits(&k->host[i], &k->tried[i], v) &&
                    (best == k->nhost || k->tried[i].cores > k->tried[best].cores))
                        best = i;
        }
        return best;
}

struct move {
        struct guest *guest;
        size_t to;
};

/* Whether all VMs of the host find another; ret: the first of them, at most n, *ret_n. `tried` is left as `load`. */
static bool empties(struct yard_consolidator *k, size_t host, size_t n, struct move *ret, size_t *ret_n)
{
        bool all = true;
        size_t end;

        *ret_n = 0;
        for (end = k->first[host]; end < k->nvm && all; end = k->guest[end].next) {
                struct guest *g = &k->guest[end];

                g->to = g->vm.moving ? k->nhost : best_fit(k, &g->vm);
                all = g->vm.moving || g->to < k->nhost;
                if (g->to == k->nhost)
                        continue;
                put(&k->tried[g->to], &g->vm, true);
                if (*ret_n < n)
                        ret[(*ret_n)++] = (struct move){.guest = g, .to = g->to};
        }
        for (size_t i = k->first[host]; i != end; i = k->guest[i].next)
                if (k->guest[i].to < k->nhost)
                        k->tried[k->guest[i].to] = k->load[k->guest[i].to];
        return all;
}

/* 0 = not to be emptied. */
static double worth_w(const struct yard_consolidator *k, size_t host)
{
        const struct load *l = &k->load[host];

        if (k->host[host].reserved || l->nfixed > 0 || l->nleaving >= l->nvm)
                return 0.0;
        return k->host[host].idle_w / (double)(l->nvm - l->nleaving);
}

/* Moves to make now, at most n: of the host of most worth that can be emptied. */
static size_t plan(struct yard_consolidator *k, size_t n, struct move *ret)
{
        const double least_cores = k->nvm > 0 ? k->guest[k->nvm - 1].vm.cores : 0.0;
        size_t ncandidate = 0, found;

        k->nopen = 0;
        for (size_t i = 0; i < k->nhost; i++) {
                const double w = worth_w(k, i);

                if (k->load[i].nvm > 0 && !k->host[i].reserved && k->load[i].cores + least_cores <= k->host[i].cores)
                        k->open[k->nopen++] = i;
                if (w > 0.0)
                        k->candidate[ncandidate++] = (struct candidate){.host = i, .worth_w = w};
        }
        qsort(k->candidate, ncandidate, sizeof(*k->candidate), by_worth);
        for (size_t i = 0; i < ncandidate; i++)
                if (empties(k, k->candidate[i].host, n, ret, &found))
                        return found;
        return 0;
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
                struct move move[AT_ONCE];
                size_t room = AT_ONCE - k->nunder_way, n;

                room = room < PER_HOUR - k->nasked ? room : PER_HOUR - k->nasked;
                n = plan(k, room, move);
                for (size_t i = 0; i < n; i++) {
                        struct plant_vm *v = &move[i].guest->vm;

                        if (plant_move_vm(p, move[i].guest->at, move[i].to, ++k->request) < 0)
                                return;
                        k->asked_ms[k->nasked++] = now_ms;
                        k->under_way[k->nunder_way++] = (struct under_way){.vm = v->id, .to = move[i].to};
                        v->moving = true;
                        put(&k->load[move[i].to], v, true);
                        k->tried[move[i].to] = k->load[move[i].to];
                        k->load[v->host].nleaving++;
                }
                if (n == 0)
                        return;
        }
}
