/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The orchestrator's inventory message as data: hosts and VMs by name, racks as equipment of the site. Outside bytes:
 * the parser checks every member, refuses the whole message on the first wrong one and keeps nothing of it. Members
 * that may be missing (reserved, asleep, movable: false; group: 0 = none; sleep_w: 0) are refused too when they are of
 * another type, null included. Members it does not know are skipped. Used by the gate (what load a move shifts) and by
 * the planner (what to move).
 */
#ifndef COOLPLANE_GATE_INVENTORY_H
#define COOLPLANE_GATE_INVENTORY_H

#include "agent/points/site.h"

#define INVENTORY_NAME_MAX 32
/* What a message of MQTTC_MESSAGE_MAX bytes holds with names of ten characters. */
#define INVENTORY_BYTES_MAX (8u << 20)
#define INVENTORY_HOST_MAX 5000
#define INVENTORY_VM_MAX 50000

struct inventory_host {
        char name[INVENTORY_NAME_MAX];
        int rack; /* site.equipment index; −1 = a rack the site does not know */
        double cores, mem_gib, idle_w, max_w;
        double sleep_w; /* drawn while asleep; 0 when the message does not say */
        bool reserved, asleep;
};

struct inventory_vm {
        char name[INVENTORY_NAME_MAX];
        size_t host; /* index */
        double cores, mem_gib, cpu_cores;
        bool movable;
        uint32_t group; /* VMs of one group stay on different hosts; 0 = none */
};

struct inventory {
        int64_t t_ms;
        size_t nhost, nvm;
        struct inventory_host *host; /* sorted by name */
        struct inventory_vm *vm;     /* sorted by name */
};

/* 0, -EINVAL with *ret_why static text, -ENOMEM. */
int inventory_parse(const struct site *site, const char *json, size_t len, struct inventory **ret,
                    const char **ret_why);
struct inventory *inventory_free(struct inventory *inv);

/* The orchestrator's answer to a move request. */
struct inventory_result {
        char id[48];
        char vm[INVENTORY_NAME_MAX];
        char state[16]; /* started, done, failed */
        char error[96]; /* "" when none */
};
int inventory_parse_result(const char *json, size_t len, struct inventory_result *ret); /* 0 or -EINVAL */

/* Index by name, −1 if none. */
ptrdiff_t inventory_find_host(const struct inventory *inv, const char *name);
ptrdiff_t inventory_find_vm(const struct inventory *inv, const char *name);

/* Most heat a VM brings to a host that runs, W: twice its busy cores' share of the dynamic power, at most all of it
 * (servers are steepest at low use, up to twice the mean: SPECpower's 2u − u^1.4). ≥ 0. The host's idle power is not in
 * it. */
double inventory_vm_power_w(const struct inventory *inv, size_t vm, size_t host);

#endif
