/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Greedy by gain per migration. Two kinds of candidate: one VM to another host, and the evacuation of a whole host that
 * may then sleep (its VMs go to awake hosts, best fit). Gain = −Δ(Σ rack power (1 + cooling)) − value · Δ(hottest
 * inlet). A move must be safe while both ends carry it (the target is loaded before the source is relieved) and after.
 */
#include "models/place/place.h"

#include <assert.h>
#include <math.h>
#include <stdalign.h>
#include <string.h>

#define EVACUATE_MAX 32 /* VMs of a host that is considered for emptying */
#define TIE_PER_W 1e-3  /* of a host's cores */

struct host_state {
        double cores, mem_gib, cpu_cores; /* in use */
        size_t nvm, nfixed;               /* VMs there; those that may not move (or moved already) */
};

struct work {
        const struct place_problem *p;
        struct host_state *host; /* [nhost] */
        int *at;                 /* [nvm] host now */
        uint8_t *moved;          /* [nvm] one migration a plan: budgets count VMs */
        size_t *first, *next;    /* [nhost], [nvm] chains of VMs per host; SIZE_MAX ends */
        double *inlet_c;         /* [nrack] with the moves so far */
        double *peak_k;          /* [nrack] rise while all moves so far are under way (targets loaded only) */
        double *strongest;       /* [nrack] largest influence of each rack's heat, K per W */
        double cheapest_w;       /* least that a core in use costs anywhere, cooling included */
        size_t ntouched;         /* racks whose power the candidate changes */
        int touched[EVACUATE_MAX + 1];
        double delta_w[EVACUATE_MAX + 1];
        double hottest_c;
};

static size_t round_up(size_t n)
{
        return (n + 15u) / 16u * 16u;
}

size_t place_work_size(size_t nhost, size_t nvm, size_t nrack)
{
        return round_up(nhost * sizeof(struct host_state)) + round_up(nvm * sizeof(int)) + round_up(nvm) +
               round_up(nhost * sizeof(size_t)) + round_up(nvm * sizeof(size_t)) +
               3 * round_up(nrack * sizeof(double)) + alignof(max_align_t);
}

static void *slice(unsigned char **at, size_t bytes)
{
        void *r = *at;
        *at += round_up(bytes);
        return r;
}

static double dynamic_w(const struct place_host *h, double cpu_cores)
{
        return h->cores > 0.0 ? (h->max_w - h->idle_w) * cpu_cores / h->cores : 0.0;
}

/* Power of a host with this many VMs and load. */
static double host_w(const struct place_host *h, size_t nvm, double cpu_cores)
{
        if (nvm == 0 && h->can_sleep)
                return h->sleep_w;
        return h->idle_w + dynamic_w(h, cpu_cores);
}

static double cost_per_w(const struct place_problem *p, int rack)
{
        return 1.0 + p->cooling_w_per_w[rack];
}

static bool fits(const struct work *w, size_t vm, size_t host)
{
        const struct place_host *h = &w->p->host[host];
        const struct place_vm *v = &w->p->vm[vm];
        const struct host_state *s = &w->host[host];

        if (h->reserved || w->at[vm] == (int)host)
                return false;
        if (!(s->cores + v->cores <= h->cores && s->mem_gib + v->mem_gib <= h->mem_gib &&
              s->cpu_cores + v->cpu_cores <= h->cores))
                return false;
        if (v->group)
                for (size_t i = w->first[host]; i != SIZE_MAX; i = w->next[i])
                        if (w->p->vm[i].group == v->group)
                                return false;
        return true;
}

static void chain_remove(struct work *w, size_t vm)
{
        size_t *link = &w->first[w->at[vm]];
        while (*link != vm)
                link = &w->next[*link];
        *link = w->next[vm];
}

/* Moves the bookkeeping of one VM; the thermal state is separate. */
static void shift(struct work *w, size_t vm, size_t to)
{
        const struct place_vm *v = &w->p->vm[vm];
        struct host_state *a = &w->host[w->at[vm]], *b = &w->host[to];

        chain_remove(w, vm);
        a->cores -= v->cores;
        a->mem_gib -= v->mem_gib;
        a->cpu_cores -= v->cpu_cores;
        a->nvm--;
        b->cores += v->cores;
        b->mem_gib += v->mem_gib;
        b->cpu_cores += v->cpu_cores;
        b->nvm++;
        w->at[vm] = (int)to;
        w->next[vm] = w->first[to];
        w->first[to] = vm;
}

/* Change of its host's power when the VM leaves: ≤ 0. */
static double shed_w(const struct work *w, size_t vm)
{
        const struct host_state *a = &w->host[w->at[vm]];
        const struct place_host *ha = &w->p->host[w->at[vm]];

        return host_w(ha, a->nvm - 1, a->cpu_cores - w->p->vm[vm].cpu_cores) - host_w(ha, a->nvm, a->cpu_cores);
}

/* Gain without the thermal part: power of both hosts with cooling, before minus after. */
static double power_gain(const struct work *w, size_t vm, size_t to, double *ret_from_w, double *ret_to_w)
{
        const struct place_problem *p = w->p;
        const struct place_vm *v = &p->vm[vm];
        const struct host_state *b = &w->host[to];
        const struct place_host *ha = &p->host[w->at[vm]], *hb = &p->host[to];

        *ret_from_w = shed_w(w, vm);
        *ret_to_w = host_w(hb, b->nvm + 1, b->cpu_cores + v->cpu_cores) - host_w(hb, b->nvm, b->cpu_cores);
        return -*ret_from_w * cost_per_w(p, ha->rack) - *ret_to_w * cost_per_w(p, hb->rack);
}

static void touch(struct work *w, int rack, double delta_w)
{
        for (size_t i = 0; i < w->ntouched; i++) {
                if (w->touched[i] == rack) {
                        w->delta_w[i] += delta_w;
                        return;
                }
        }
        assert(w->ntouched <= EVACUATE_MAX);
        w->touched[w->ntouched] = rack;
        w->delta_w[w->ntouched++] = delta_w;
}

/* Rise of inlet i from the candidate's rack powers: only what is added (peak), or the net. */
static double rise(const struct work *w, size_t i, bool added_only)
{
        const double *row = &w->p->influence[i * w->p->nrack];
        double k = 0.0;
        for (size_t j = 0; j < w->ntouched; j++)
                if (w->delta_w[j] > 0.0 || !added_only)
                        k += row[w->touched[j]] * w->delta_w[j];
        return k;
}

/* Gain of cooler hottest inlet, or −INFINITY when some inlet would pass its limit by our doing. */
static double thermal_gain(const struct work *w)
{
        const struct place_problem *p = w->p;
        double hottest = -(double)INFINITY;

        for (size_t i = 0; i < p->nrack; i++) {
                const double net = rise(w, i, false), added = rise(w, i, true);
                const double after = w->inlet_c[i] + net;
                const double peak = p->inlet_c[i] + w->peak_k[i] + added;
                if (added > 0.0 && !(peak <= fmax(p->inlet_max_c, p->inlet_c[i] + p->inlet_rise_k)))
                        return -(double)INFINITY;
                if (after > hottest)
                        hottest = after;
        }
        if (p->nrack == 0 || !isfinite(hottest))
                return 0.0;
        return (w->hottest_c - hottest) * p->k_per_w_value;
}

static void commit_thermal(struct work *w)
{
        w->hottest_c = -(double)INFINITY;
        for (size_t i = 0; i < w->p->nrack; i++) {
                w->inlet_c[i] += rise(w, i, false);
                w->peak_k[i] += rise(w, i, true);
                if (w->inlet_c[i] > w->hottest_c)
                        w->hottest_c = w->inlet_c[i];
        }
}

/*
 * Most that taking this power off the host's rack and `cpu_cores` to any other host can gain: the heat comes up where
 * it costs least and the hottest inlet falls by the rack's strongest influence. Prunes the exact search.
 */
static double gain_bound(const struct work *w, size_t host, double relief_w, double cpu_cores)
{
        const struct place_problem *p = w->p;
        const int rack = p->host[host].rack;

        return relief_w * (cost_per_w(p, rack) + p->k_per_w_value * w->strongest[rack]) - cpu_cores * w->cheapest_w;
}

struct candidate {
        double gain_per_move_w, power_w;
        size_t n;
        size_t vm[EVACUATE_MAX], to[EVACUATE_MAX];
};

static bool may_move(const struct work *w, size_t vm)
{
        return w->p->vm[vm].movable && !w->moved[vm] && !w->p->host[w->at[vm]].reserved;
}

static void try_single(struct work *w, size_t vm, struct candidate *best)
{
        const struct place_problem *p = w->p;
        const size_t from = (size_t)w->at[vm];
        const int ra = p->host[from].rack;
        const bool last = w->host[from].nvm == 1 && p->host[from].can_sleep && p->evacuate_max > 0;
        const double relief_w = -shed_w(w, vm);
        const double thermal = relief_w * p->k_per_w_value * w->strongest[ra];

        if (!(gain_bound(w, from, relief_w, p->vm[vm].cpu_cores) > best->gain_per_move_w))
                return;
        for (size_t to = 0; to < p->nhost; to++) {
                double from_w, to_w, gain;
                if (last && w->host[to].nvm > 0)
                        continue; /* an evacuation */
                gain = power_gain(w, vm, to, &from_w, &to_w);
                if (!(gain + thermal > best->gain_per_move_w) || !fits(w, vm, to))
                        continue;
                touch(w, ra, from_w);
                touch(w, p->host[to].rack, to_w);
                gain += thermal_gain(w);
                w->ntouched = 0;
                if (gain > best->gain_per_move_w) {
                        best->gain_per_move_w = gain;
                        best->n = 1;
                        best->vm[0] = vm;
                        best->to[0] = to;
                }
        }
}

/* Awake host where the VM fits tightest: what is left together empties the next host. Power only decides between
 * equals: an old machine's core may cost less than a new one's, and its idling more. */
static size_t refuge(const struct work *w, size_t vm)
{
        const struct place_problem *p = w->p;
        size_t best = SIZE_MAX;
        double best_score = -(double)INFINITY;

        for (size_t to = 0; to < p->nhost; to++) {
                double from_w, to_w;
                if (w->host[to].nvm == 0)
                        continue;
                const double left = (p->host[to].cores - w->host[to].cores) / p->host[to].cores;
                const double score = TIE_PER_W * power_gain(w, vm, to, &from_w, &to_w) - left;
                if (score > best_score && fits(w, vm, to)) {
                        best_score = score;
                        best = to;
                }
        }
        return best;
}

/* The largest VM of a host: it finds room hardest. */
static size_t largest(const struct work *w, size_t host)
{
        size_t best = w->first[host];

        for (size_t v = best; v != SIZE_MAX; v = w->next[v])
                if (w->p->vm[v].cores > w->p->vm[best].cores)
                        best = v;
        return best;
}

static void try_evacuation(struct work *w, size_t host, struct candidate *best)
{
        const struct place_problem *p = w->p;
        const struct host_state *s = &w->host[host];
        struct candidate c = {.n = 0};
        double gain = 0.0;
        bool whole = true;

        if (s->nvm == 0 || s->nvm > p->evacuate_max || s->nvm > EVACUATE_MAX || s->nfixed > 0 ||
            p->host[host].reserved || !p->host[host].can_sleep)
                return;
        if (!(gain_bound(w, host, host_w(&p->host[host], s->nvm, s->cpu_cores), s->cpu_cores) >
              best->gain_per_move_w * (double)s->nvm))
                return;
        for (size_t left = s->nvm; left-- > 0 && whole;) {
                const size_t vm = largest(w, host);
                const size_t to = refuge(w, vm);
                double from_w, to_w;
                if (to == SIZE_MAX) {
                        whole = false;
                        break;
                }
                gain += power_gain(w, vm, to, &from_w, &to_w);
                touch(w, p->host[host].rack, from_w);
                touch(w, p->host[to].rack, to_w);
                c.vm[c.n] = vm;
                c.to[c.n] = to;
                c.n++;
                shift(w, vm, to);
        }
        if (whole)
                gain += thermal_gain(w);
        w->ntouched = 0;
        for (size_t i = c.n; i-- > 0;)
                shift(w, c.vm[i], host);
        if (whole && c.n > 0 && gain / (double)c.n > best->gain_per_move_w) {
                c.gain_per_move_w = gain / (double)c.n;
                *best = c;
        }
}

/* Of an evacuation that is larger than what is left of the budget only the first moves are for now; the whole counts in
 * what follows, as the next plan will see it through. Returns the moves for now. */
static size_t take(struct work *w, const struct candidate *c, size_t budget, struct place_move *ret)
{
        const struct place_problem *p = w->p;
        const size_t now = c->n < budget ? c->n : budget;
        double saved_w = 0.0;

        for (size_t i = 0; i < c->n; i++) {
                const size_t vm = c->vm[i], to = c->to[i];
                const int from = w->at[vm];
                double from_w, to_w;
                saved_w += power_gain(w, vm, to, &from_w, &to_w);
                touch(w, p->host[from].rack, from_w);
                touch(w, p->host[to].rack, to_w);
                if (i < now)
                        ret[i] = (struct place_move){.vm = (uint32_t)vm,
                                                     .from = (uint32_t)from,
                                                     .to = (uint32_t)to,
                                                     .power_w = to_w,
                                                     .gain_w = c->gain_per_move_w};
                shift(w, vm, to);
                w->moved[vm] = 1;
                w->host[to].nfixed++;
        }
        for (size_t i = 0; i < now; i++)
                ret[i].saved_w = saved_w / (double)c->n;
        commit_thermal(w);
        w->ntouched = 0;
        return now;
}

static void set_up(struct work *w, const struct place_problem *p, void *mem)
{
        unsigned char *at = mem;

        at += (alignof(max_align_t) - (uintptr_t)at % alignof(max_align_t)) % alignof(max_align_t);
        *w = (struct work){.p = p, .hottest_c = -(double)INFINITY};
        w->host = slice(&at, p->nhost * sizeof *w->host);
        w->at = slice(&at, p->nvm * sizeof *w->at);
        w->moved = slice(&at, p->nvm);
        w->first = slice(&at, p->nhost * sizeof *w->first);
        w->next = slice(&at, p->nvm * sizeof *w->next);
        w->inlet_c = slice(&at, p->nrack * sizeof(double));
        w->peak_k = slice(&at, p->nrack * sizeof(double));
        w->strongest = slice(&at, p->nrack * sizeof(double));

        memset(w->host, 0, p->nhost * sizeof *w->host);
        memset(w->moved, 0, p->nvm);
        for (size_t h = 0; h < p->nhost; h++)
                w->first[h] = SIZE_MAX;
        for (size_t v = p->nvm; v-- > 0;) {
                struct host_state *s = &w->host[p->vm[v].host];
                w->at[v] = p->vm[v].host;
                w->next[v] = w->first[p->vm[v].host];
                w->first[p->vm[v].host] = v;
                s->cores += p->vm[v].cores;
                s->mem_gib += p->vm[v].mem_gib;
                s->cpu_cores += p->vm[v].cpu_cores;
                s->nvm++;
                s->nfixed += !p->vm[v].movable;
        }
        w->cheapest_w = (double)INFINITY;
        for (size_t h = 0; h < p->nhost; h++)
                if (!p->host[h].reserved)
                        w->cheapest_w =
                            fmin(w->cheapest_w, dynamic_w(&p->host[h], 1.0) * cost_per_w(p, p->host[h].rack));
        for (size_t i = 0; i < p->nrack; i++) {
                w->inlet_c[i] = p->inlet_c[i];
                w->peak_k[i] = w->strongest[i] = 0.0;
                if (w->inlet_c[i] > w->hottest_c)
                        w->hottest_c = w->inlet_c[i];
        }
        for (size_t i = 0; i < p->nrack; i++)
                for (size_t j = 0; j < p->nrack; j++)
                        if (p->influence[i * p->nrack + j] > w->strongest[j])
                                w->strongest[j] = p->influence[i * p->nrack + j];
}

size_t place_plan(const struct place_problem *p, void *work, size_t work_size, struct place_move *ret_moves)
{
        struct work w;
        size_t n = 0;

        assert(work_size >= place_work_size(p->nhost, p->nvm, p->nrack));
        if (p->nhost == 0 || p->nvm == 0)
                return 0;
        set_up(&w, p, work);
        while (n < p->budget) {
                struct candidate best = {.gain_per_move_w = p->move_cost_w > 0.0 ? p->move_cost_w : 0.0};
                for (size_t h = 0; h < p->nhost; h++)
                        try_evacuation(&w, h, &best);
                for (size_t v = 0; v < p->nvm; v++)
                        if (may_move(&w, v))
                                try_single(&w, v, &best);
                if (best.n == 0)
                        break;
                n += take(&w, &best, p->budget - n, &ret_moves[n]);
        }
        return n;
}
