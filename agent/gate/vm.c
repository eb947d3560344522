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
        KEPT_MAX = 8 /* inventories that may go unread: a broken one is noticed without a move */
};

/* A move asked for. It counts, as load, room and anti-affinity at its target, until it failed, is forgotten, or an
 * inventory came after it was done. */
struct running {
        char id[48];
        char vm[INVENTORY_NAME_MAX], to[INVENTORY_NAME_MAX];
        int64_t t_ms;
        bool done;
        int rack;
        double power_w, wake_w; /* of the VM; of the host, when it is woken or was empty */
        double cores, mem_gib;
        uint32_t group;
};

struct vm_inventory {
        const struct layout *l;
        const struct inventory *inv; /* the last one read */
        struct inventory *own;       /* it, when it was read here */
        char *text;                  /* a newer one, not read yet: nobody has asked since */
        size_t len, cap;             /* len 0 = none */
        unsigned kept;               /* inventories since the last one read */
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
                free(v->text);
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

/* 0, or 1 and why it was refused: then the one before stays. */
static int read_inventory(struct vm_inventory *v, const char *json, size_t len, char *text, size_t cap)
{
        struct inventory *fresh;
        const char *why;

        v->len = 0;
        if (inventory_parse(v->l->site, json, len, &fresh, &why) < 0) {
                v->kept = KEPT_MAX; /* the next one at once */
                (void)snprintf(text, cap, "inventory refused: %s", why);
                return 1;
        }
        v->kept = 0;
        inventory_free(v->own);
        v->inv = v->own = fresh;
        return 0;
}

static bool keep(struct vm_inventory *v, const char *json, size_t len)
{
        if (len > v->cap) {
                char *more = realloc(v->text, len);

                if (!more)
                        return false;
                v->text = more;
                v->cap = len;
        }
        memcpy(v->text, json, len);
        v->len = len;
        v->kept++;
        return true;
}

static void forget_done(struct vm_inventory *v)
{
        for (size_t i = v->nrunning; i > 0; i--)
                if (v->running[i - 1].done)
                        forget(v, i - 1);
}

static bool any_done(const struct vm_inventory *v)
{
        for (size_t i = 0; i < v->nrunning; i++)
                if (v->running[i].done)
                        return true;
        return false;
}

/* Reading thousands of VMs is work, and only moves ask for it: an inventory that ends no move waits for the next one
 * asked for, or for the next inventory. */
static int take_inventory(struct vm_inventory *v, const char *json, size_t len, char *text, size_t cap)
{
        if (v->inv && v->kept < KEPT_MAX && !any_done(v) && keep(v, json, len))
                return 0;
        if (read_inventory(v, json, len, text, cap) > 0)
                return 1;
        forget_done(v);
        return 0;
}

void vm_inventory_take(struct vm_inventory *v, const struct inventory *inv)
{
        v->own = inventory_free(v->own);
        v->inv = inv;
        v->len = 0;
        v->kept = 0;
        if (inv)
                forget_done(v);
}

static int take_result(struct vm_inventory *v, const char *json, size_t len, char *text, size_t cap)
{
        struct inventory_result res;

        if (inventory_parse_result(json, len, &res) < 0) {
                (void)snprintf(text, cap, "move result refused: malformed");
                return 1;
        }
        if (strcmp(res.state, "started") == 0)
                return 0;
        for (size_t i = v->nrunning; i > 0; i--) {
                struct running *r = &v->running[i - 1];

                if (strcmp(r->id, res.id) != 0)
                        continue;
                if (strcmp(res.state, "done") == 0)
                        r->done = true;
                else
                        forget(v, i - 1);
        }
        (void)snprintf(text, cap, "move %s of %s: %s %s", res.id, res.vm, res.state, res.error);
        return 1;
}

int vm_inventory_message(struct vm_inventory *v, const char *subtopic, const char *json, size_t len, char *text,
                         size_t cap)
{
        if (strcmp(subtopic, "inventory") == 0)
                return take_inventory(v, json, len, text, cap);
        if (strcmp(subtopic, "move/result") == 0)
                return take_result(v, json, len, text, cap);
        return 0;
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
        gate_store_trouble(g, GATE_STORE_DECISIONS, e < 0);
        if (e < 0)
                return "it could not be stored";
        return g->a.publish_move(g->a.publish_ctx, request) < 0 ? "it could not be published" : NULL;
}

void gate_place_moves(struct gate *g, const struct ipc_proposal *prop, int64_t t_ms)
{
        struct vm_inventory *v = g->vm;
        char refused[192];

        if (v->len > 0 && read_inventory(v, v->text, v->len, refused, sizeof refused) > 0)
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
