/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"

enum { RUNNING_MAX = 32, FORGET_MS = 15 * 60 * 1000 };

struct running {
        char id[48];
        int64_t t_ms;
};

struct vm_inventory {
        const struct layout *l;
        struct inventory *inv;
        struct running running[RUNNING_MAX];
        size_t nrunning;
};

int vm_inventory_create(const struct layout *l, struct vm_inventory **ret)
{
        struct vm_inventory *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->l = l;
        *ret = v;
        return 0;
}

struct vm_inventory *vm_inventory_free(struct vm_inventory *v)
{
        if (v)
                inventory_free(v->inv);
        free(v);
        return NULL;
}

static void forget(struct vm_inventory *v, size_t i)
{
        v->running[i] = v->running[--v->nrunning];
}

int vm_inventory_message(struct vm_inventory *v, const char *subtopic, const char *json, size_t len, char *text,
                         size_t cap)
{
        const char *why;

        if (strcmp(subtopic, "inventory") == 0) {
                struct inventory *fresh;

                if (inventory_parse(v->l->site, json, len, &fresh, &why) < 0) {
                        (void)snprintf(text, cap, "inventory refused: %s", why);
                        return 1;
                }
                inventory_free(v->inv);
                v->inv = fresh;
                return 0;
        }
        if (strcmp(subtopic, "move/result") == 0) {
                struct inventory_result res;

                if (inventory_parse_result(json, len, &res) < 0) {
                        (void)snprintf(text, cap, "move result refused: malformed");
                        return 1;
                }
                if (strcmp(res.state, "started") == 0)
                        return 0;
                for (size_t i = 0; i < v->nrunning; i++)
                        if (strcmp(v->running[i].id, res.id) == 0)
                                forget(v, i--);
                (void)snprintf(text, cap, "move %s of %s: %s %s", res.id, res.vm, res.state, res.error);
                return 1;
        }
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

static void shift(const struct vm_inventory *v, size_t host, double power_w, double *d)
{
        int rack = v->inv->host[host].rack, k;

        k = d_index(v->l, D_RACK_POWER, rack, -1);
        if (k >= 0)
                d[k] += power_w;
        k = d_index(v->l, D_ZONE_POWER, -1, v->l->site->equipment[rack].zone);
        if (k >= 0)
                d[k] += power_w;
}

static const char *check(const struct vm_inventory *v, const struct ipc_move *m, size_t *ret_vm, size_t *ret_to)
{
        const struct inventory *inv = v->inv;
        ptrdiff_t vm, to;
        double cores = 0, mem = 0;

        if (!inv)
                return "no inventory yet";
        vm = inventory_find_vm(inv, m->vm);
        to = inventory_find_host(inv, m->to);
        if (vm < 0 || to < 0)
                return "unknown VM or host";
        if (strcmp(inv->host[inv->vm[vm].host].name, m->from) != 0)
                return "the VM is not where the planner thinks";
        if (!inv->vm[vm].movable || inv->vm[vm].host == (size_t)to)
                return "the VM cannot move there";
        if (inv->host[to].reserved || inv->host[to].rack < 0)
                return "the target host is reserved or in an unknown rack";
        for (size_t i = 0; i < inv->nvm; i++) {
                if (inv->vm[i].host != (size_t)to)
                        continue;
                cores += inv->vm[i].cores;
                mem += inv->vm[i].mem_gib;
                if (inv->vm[vm].group != 0 && inv->vm[i].group == inv->vm[vm].group)
                        return "anti-affinity";
        }
        if (!(cores + inv->vm[vm].cores <= inv->host[to].cores) ||
            !(mem + inv->vm[vm].mem_gib <= inv->host[to].mem_gib))
                return "the target host has no room";
        *ret_vm = (size_t)vm;
        *ret_to = (size_t)to;
        return NULL;
}

const char *vm_inventory_load(const struct vm_inventory *v, const struct ipc_move *m, double *d)
{
        size_t vm, to;
        const char *why = check(v, m, &vm, &to);

        if (!why)
                shift(v, to, inventory_vm_power_w(v->inv, vm, to), d);
        return why;
}

void vm_inventory_unload(const struct vm_inventory *v, const struct ipc_move *m, double *d)
{
        size_t vm, to;

        if (!check(v, m, &vm, &to))
                shift(v, to, -inventory_vm_power_w(v->inv, vm, to), d);
}

void vm_inventory_request(struct vm_inventory *v, const struct ipc_move *m, int64_t run_id, uint64_t step, unsigned k,
                          int64_t t_ms, char *ret_json, size_t cap)
{
        struct running *r;

        if (v->nrunning == RUNNING_MAX)
                forget(v, 0);
        r = &v->running[v->nrunning++];
        (void)snprintf(r->id, sizeof r->id, "%lld-%llu-%u", (long long)run_id, (unsigned long long)step, k);
        r->t_ms = t_ms;
        /* names come from the inventory that parsed them: they hold no control characters, quotes or backslashes */
        (void)snprintf(ret_json, cap,
                       "{\"timestamp\":%lld,\"id\":\"%s\",\"vm\":\"%s\",\"to\":\"%s\",\"reason\":\"thermal\"}",
                       (long long)t_ms, r->id, m->vm, m->to);
}

unsigned vm_inventory_running(struct vm_inventory *v, int64_t t_ms)
{
        for (size_t i = 0; i < v->nrunning; i++)
                if (t_ms - v->running[i].t_ms > FORGET_MS)
                        forget(v, i--);
        return (unsigned)v->nrunning;
}

void gate_place_moves(struct gate *g, const struct ipc_proposal *prop, int64_t t_ms)
{
        const struct site_vm *vm = &g->a.site->vm;
        size_t kept = 0;

        for (size_t i = 0; i < g->nmove; i++)
                if (t_ms - g->move_t_ms[i] < 3600000)
                        g->move_t_ms[kept++] = g->move_t_ms[i];
        g->nmove = kept;
        for (uint32_t i = 0; i < prop->nmove && i < IPC_MOVE_MAX; i++) {
                char request[384], text[256];
                const char *why;

                if (g->nmove >= (size_t)vm->max_moves_per_hour ||
                    g->nmove >= sizeof g->move_t_ms / sizeof g->move_t_ms[0] ||
                    vm_inventory_running(g->vm, t_ms) >= (unsigned)vm->max_concurrent)
                        return;
                why = vm_inventory_load(g->vm, &prop->move[i], g->d_hi);
                if (!why && !safety_check_load(g->safety, &g->snap, g->d_hi))
                        why = "the target rack would not stay certified";
                if (why) {
                        vm_inventory_unload(g->vm, &prop->move[i], g->d_hi);
                        (void)snprintf(text, sizeof text, "move of %s to %s refused: %s", prop->move[i].vm,
                                       prop->move[i].to, why);
                        gate_event(g, 6, "vm", text);
                        continue;
                }
                vm_inventory_request(g->vm, &prop->move[i], g->run_id, g->step, i, t_ms, request, sizeof request);
                g->move_t_ms[g->nmove++] = t_ms;
                g->a.publish_move(g->a.publish_ctx, request);
                (void)snprintf(text, sizeof text, "move of %s from %s to %s asked for, gain %.0f W", prop->move[i].vm,
                               prop->move[i].from, prop->move[i].to, prop->move[i].gain_w);
                gate_event(g, 6, "vm", text);
        }
}
