/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"

enum {
        FORGET_MS = 15 * 60 * 1000,
        HOUR_MS = 3600 * 1000,
        INVENTORY_STALE_MS = 10 * 60 * 1000,
        INVENTORY_PERIOD_MS = 10 * 1000, /* reading 50 000 VMs is work: not oftener, whatever is sent */
        RESULT_BYTES_MAX = 4096
};

/* A move asked for. It counts, as load, room and anti-affinity at its target, until it failed, is forgotten, or an
 * inventory came after it was done. */
struct running {
        char id[48];
        char vm[INVENTORY_NAME_MAX], to[INVENTORY_NAME_MAX];
        int64_t t_ms;
        bool done;
        uint64_t done_at; /* inventories that had come by then */
        int rack;
        double power_w, wake_w; /* of the VM; of the host, when it is woken or was empty */
        double cores, mem_gib;
        uint32_t group;
};

/* An inventory as it came. len 0 = none. */
struct message {
        char *json;
        size_t len, cap;
        int64_t t_ms;
};

struct vm_inventory {
        const struct layout *l;
        const struct inventory *inv; /* the last one accepted … */
        struct inventory *own;       /* it, when it was read here */
        struct message accepted;     /* … while it waits for the store */
        struct message fresh;        /* the newest, not read yet */
        uint64_t arrived;            /* inventories so far */
        int64_t read_mono_ms;        /* when one was read last; −1 = never */
        const char *told;            /* why inventories are refused, as told; NULL = they are accepted */
        bool stranger;               /* a result that is none of ours was told */
        struct running *running;
        size_t nrunning, running_max; /* more than max_concurrent: those that are done wait for an inventory */
        int64_t *asked_t_ms;          /* [max_moves_per_hour] requests of the last hour */
        size_t nasked;
};

int vm_inventory_create(const struct layout *l, struct vm_inventory **ret)
{
        struct vm_inventory *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->l = l;
        v->read_mono_ms = -1;
        v->running_max = 2 * (size_t)l->site->vm.max_concurrent + 1;
        v->running = calloc(v->running_max, sizeof *v->running);
        v->asked_t_ms = calloc((size_t)l->site->vm.max_moves_per_hour + 1, sizeof *v->asked_t_ms);
        if (!v->running || !v->asked_t_ms) {
                vm_inventory_free(v);
                return -ENOMEM;
        }
        *ret = v;
        return 0;
}

struct vm_inventory *vm_inventory_free(struct vm_inventory *v)
{
        if (v) {
                inventory_free(v->own);
                free(v->accepted.json);
                free(v->fresh.json);
                free(v->running);
                free(v->asked_t_ms);
        }
        free(v);
        return NULL;
}

static void forget(struct vm_inventory *v, size_t i)
{
        v->running[i] = v->running[--v->nrunning];
}

/* Moves that were done before the newest inventory came: it shows them. */
static void forget_shown(struct vm_inventory *v)
{
        for (size_t i = v->nrunning; i > 0; i--)
                if (v->running[i - 1].done && v->running[i - 1].done_at < v->arrived)
                        forget(v, i - 1);
}

/* Why inventories are refused is told when it begins and when it changes, not for each. */
static int refuse(struct vm_inventory *v, const char *why, char *text, size_t cap)
{
        bool known = v->told && strcmp(v->told, why) == 0;

        v->told = why;
        (void)snprintf(text, cap, "inventory refused: %s", why);
        return known ? 0 : 1;
}

/* The newest one. 0, or 1 and why it was refused: then the one before stays. One that came after a move was done shows
 * it, and the move counts no more. */
static int read_inventory(struct vm_inventory *v, int64_t mono_ms, char *text, size_t cap)
{
        struct message swap = v->accepted;
        struct inventory *inv;
        const char *why;
        size_t len = v->fresh.len;

        v->read_mono_ms = mono_ms;
        v->fresh.len = 0;
        if (inventory_parse(v->l->site, v->fresh.json, len, &inv, &why) < 0)
                return refuse(v, why, text, cap);
        v->told = NULL;
        inventory_free(v->own);
        v->inv = v->own = inv;
        v->accepted = v->fresh;
        v->accepted.len = len;
        v->fresh = swap;
        v->fresh.len = 0;
        forget_shown(v);
        return 0;
}

void vm_inventory_take(struct vm_inventory *v, const struct inventory *inv)
{
        v->own = inventory_free(v->own);
        v->inv = inv;
        v->fresh.len = 0;
        v->arrived++;
        if (inv)
                forget_shown(v);
}

static int take_inventory(struct vm_inventory *v, int64_t t_ms, const char *json, size_t len, char *text, size_t cap)
{
        struct message *m = &v->fresh;

        if (len > INVENTORY_BYTES_MAX)
                return refuse(v, "too long", text, cap);
        if (len >= m->cap) {
                char *more = realloc(m->json, len + 1);

                if (!more)
                        return refuse(v, "out of memory", text, cap);
                m->json = more;
                m->cap = len + 1;
        }
        memcpy(m->json, json, len);
        m->json[len] = '\0';
        m->len = len;
        m->t_ms = t_ms;
        v->arrived++;
        return 0;
}

/* Results are of moves under way, a few each; others are told once until one of ours comes. */
static int take_result(struct vm_inventory *v, const char *json, size_t len, char *text, size_t cap)
{
        struct inventory_result res;
        bool told = v->stranger;
        size_t i = 0;

        v->stranger = true;
        if (len > RESULT_BYTES_MAX || inventory_parse_result(json, len, &res) < 0) {
                (void)snprintf(text, cap, "move result refused: malformed");
                return !told;
        }
        while (i < v->nrunning && strcmp(v->running[i].id, res.id) != 0)
                i++;
        if (i == v->nrunning) {
                (void)snprintf(text, cap, "move result refused: %s is not under way", res.id);
                return !told;
        }
        v->stranger = false;
        if (strcmp(res.state, "started") == 0 || v->running[i].done)
                return 0;
        if (strcmp(res.state, "done") == 0) {
                v->running[i].done = true;
                v->running[i].done_at = v->arrived;
        } else {
                forget(v, i);
        }
        (void)snprintf(text, cap, "move %s of %s: %s %s", res.id, res.vm, res.state, res.error);
        return 1;
}

int vm_inventory_message(struct vm_inventory *v, int64_t t_ms, const char *subtopic, const char *json, size_t len,
                         char *text, size_t cap)
{
        if (strcmp(subtopic, "inventory") == 0)
                return take_inventory(v, t_ms, json, len, text, cap);
        if (strcmp(subtopic, "move/result") == 0)
                return take_result(v, json, len, text, cap);
        return 0;
}

int vm_inventory_turn(struct vm_inventory *v, int64_t mono_ms, char *text, size_t cap)
{
        if (v->fresh.len == 0 || (v->read_mono_ms >= 0 && mono_ms - v->read_mono_ms < INVENTORY_PERIOD_MS))
                return 0;
        return read_inventory(v, mono_ms, text, cap);
}

const char *vm_inventory_accepted(const struct vm_inventory *v, int64_t *ret_t_ms)
{
        *ret_t_ms = v->accepted.t_ms;
        return v->accepted.len > 0 ? v->accepted.json : NULL;
}

void vm_inventory_stored(struct vm_inventory *v)
{
        v->accepted.len = 0;
}

/* Disturbance index of kind for rack equipment, −1 if none. */
static int d_index(const struct layout *l, int kind, int equipment, int zone)
{
        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == kind &&
                    (kind == D_ZONE_POWER ? l->d[k].zone == zone : l->d[k].equipment == equipment))
                        return (int)k;
        return -1;
}

void vm_inventory_load(struct vm_inventory *v, int64_t t_ms, const double *d_free, double *ret_d)
{
        const struct layout *l = v->l;

        memcpy(ret_d, d_free, l->nd * sizeof *ret_d);
        for (size_t i = v->nrunning; i > 0; i--)
                if (t_ms - v->running[i - 1].t_ms > FORGET_MS)
                        forget(v, i - 1);
        for (size_t i = 0; i < v->nrunning; i++) {
                const struct running *r = &v->running[i];
                double power_w = r->power_w + r->wake_w;
                int k = d_index(l, D_RACK_POWER, r->rack, -1);

                for (size_t j = 0; j < i; j++)
                        if (v->running[j].wake_w > 0 && strcmp(v->running[j].to, r->to) == 0) {
                                power_w = r->power_w; /* a host wakes once */
                                break;
                        }
                if (k >= 0)
                        ret_d[k] += power_w;
                k = d_index(l, D_ZONE_POWER, -1, l->site->equipment[r->rack].zone);
                if (k >= 0)
                        ret_d[k] += power_w;
        }
}

static bool same_group(uint32_t a, uint32_t b)
{
        return a != 0 && a == b;
}

/* Room and anti-affinity at the target, with what is there and what is on its way. */
static const char *fits(const struct vm_inventory *v, const struct inventory_vm *vm, size_t to, bool *ret_empty)
{
        const struct inventory *inv = v->inv;
        double cores = vm->cores, mem = vm->mem_gib;

        *ret_empty = true;
        for (size_t i = 0; i < inv->nvm; i++) {
                if (inv->vm[i].host != to)
                        continue;
                *ret_empty = false;
                cores += inv->vm[i].cores;
                mem += inv->vm[i].mem_gib;
                if (same_group(vm->group, inv->vm[i].group))
                        return "anti-affinity";
        }
        for (size_t i = 0; i < v->nrunning; i++) {
                const struct running *r = &v->running[i];
                ptrdiff_t at = inventory_find_vm(inv, r->vm);

                if (strcmp(r->to, inv->host[to].name) != 0 || (at >= 0 && inv->vm[at].host == to))
                        continue; /* elsewhere, or arrived and counted */
                cores += r->cores;
                mem += r->mem_gib;
                if (same_group(vm->group, r->group))
                        return "anti-affinity with a VM on its way there";
        }
        return cores <= inv->host[to].cores && mem <= inv->host[to].mem_gib ? NULL : "the target host has no room";
}

/* NULL and what the move would bring, or why it is not valid. */
static const char *check(const struct vm_inventory *v, const struct ipc_move *m, int64_t t_ms, struct running *ret)
{
        const struct inventory *inv = v->inv;
        const struct inventory_host *host;
        const struct inventory_vm *vm;
        ptrdiff_t at, to;
        const char *why;
        bool empty;

        if (!inv)
                return "no inventory yet";
        if (t_ms - inv->t_ms > INVENTORY_STALE_MS || inv->t_ms - t_ms > INVENTORY_STALE_MS)
                return "the inventory is more than 10 min from now";
        at = inventory_find_vm(inv, m->vm);
        to = inventory_find_host(inv, m->to);
        if (at < 0 || to < 0)
                return "unknown VM or host";
        vm = &inv->vm[at];
        host = &inv->host[to];
        for (size_t i = 0; i < v->nrunning; i++)
                if (strcmp(v->running[i].vm, vm->name) == 0)
                        return "the VM is moving already";
        if (strcmp(inv->host[vm->host].name, m->from) != 0)
                return "the VM is not where the planner thinks";
        if (!vm->movable || vm->host == (size_t)to)
                return "the VM cannot move there";
        if (host->reserved || host->rack < 0)
                return "the target host is reserved or in an unknown rack";
        if (d_index(v->l, D_RACK_POWER, host->rack, -1) < 0)
                return "the target rack's power is not metered";
        why = fits(v, vm, (size_t)to, &empty);
        if (why)
                return why;
        *ret = (struct running){
            .t_ms = t_ms,
            .rack = host->rack,
            .power_w = inventory_vm_power_w(inv, (size_t)at, (size_t)to),
            .wake_w = host->asleep || empty ? host->idle_w : 0,
            .cores = vm->cores,
            .mem_gib = vm->mem_gib,
            .group = vm->group,
        };
        memcpy(ret->vm, vm->name, sizeof ret->vm);
        memcpy(ret->to, host->name, sizeof ret->to);
        return NULL;
}

static bool may_ask(struct vm_inventory *v, int64_t t_ms)
{
        const struct site_vm *limit = &v->l->site->vm;
        size_t kept = 0, under_way = 0;

        for (size_t i = 0; i < v->nasked; i++)
                if (t_ms - v->asked_t_ms[i] < HOUR_MS)
                        v->asked_t_ms[kept++] = v->asked_t_ms[i];
        v->nasked = kept;
        for (size_t i = 0; i < v->nrunning; i++)
                under_way += !v->running[i].done;
        return v->nasked < (size_t)limit->max_moves_per_hour && under_way < (size_t)limit->max_concurrent &&
               v->nrunning < v->running_max;
}

/* Durable, then out. NULL, or why it did not go out. */
static const char *ask(struct gate *g, const struct running *r)
{
        char request[384];
        int e;

        /* names come from the inventory that parsed them: they hold no control characters, quotes or backslashes */
        (void)snprintf(request, sizeof request,
                       "{\"timestamp\":%lld,\"id\":\"%s\",\"vm\":\"%s\",\"to\":\"%s\",\"reason\":\"thermal\"}",
                       (long long)r->t_ms, r->id, r->vm, r->to);
        e = g->a.store ? store_put_vm_message(g->a.store, r->t_ms, "move/request", request) : 0;
        if (g->a.store)
                gate_store_trouble(g, GATE_STORE_MOVES, e < 0);
        if (e < 0)
                return "it could not be stored";
        return g->a.publish_move(g->a.publish_ctx, request) < 0 ? "it could not be published" : NULL;
}

void gate_place_moves(struct gate *g, const struct ipc_proposal *prop, int64_t t_ms)
{
        struct vm_inventory *v = g->vm;
        char refused[192];

        if (v->fresh.len > 0 && read_inventory(v, clk_mono_ms(g->a.clk), refused, sizeof refused) > 0)
                gate_event(g, 6, "vm", refused);
        for (uint32_t i = 0; i < prop->nmove && i < IPC_MOVE_MAX; i++) {
                const struct ipc_move *m = &prop->move[i];
                struct running r;
                const char *why;
                char text[256];

                if (!may_ask(v, t_ms))
                        return;
                why = check(v, m, t_ms, &r);
                if (!why) {
                        (void)snprintf(r.id, sizeof r.id, "%lld-%llu-%u", (long long)g->run_id,
                                       (unsigned long long)g->step, (unsigned)i);
                        v->running[v->nrunning++] = r;
                        vm_inventory_load(v, t_ms, g->d_free, g->d_hi);
                        why = safety_check_load(g->safety, &g->snap, g->d_hi)
                                  ? ask(g, &r)
                                  : "the target rack would not stay certified";
                        if (why) {
                                v->nrunning--;
                                vm_inventory_load(v, t_ms, g->d_free, g->d_hi);
                        }
                }
                if (why) {
                        (void)snprintf(text, sizeof text, "move of %s to %s refused: %s", m->vm, m->to, why);
                } else {
                        v->asked_t_ms[v->nasked++] = t_ms;
                        (void)snprintf(text, sizeof text, "move of %s from %s to %s asked for, gain %.0f W", m->vm,
                                       m->from, m->to, m->gain_w);
                }
                gate_event(g, 6, "vm", text);
        }
}
