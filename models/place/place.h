/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Thermal-aware VM placement: which few VMs to move so that facility power falls and no rack is pushed over its inlet
 * limit. Cost of a rack's load = its heat's effect on the hottest inlet (influence from the identified model) and on
 * the idle power of the hosts that must be awake. Greedy best move under a migration budget, capacity, reserved hosts
 * and inlet limits; never proposes a move whose gain is below its migration cost. Hosts count as what they come to: how
 * long one stays awake after it has emptied is not in it. A first version, without learning. Pure: caller's memory,
 * deterministic.
 */
#ifndef COOLPLANE_PLACE_PLACE_H
#define COOLPLANE_PLACE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place_host {
        uint32_t id;
        int rack;              /* index 0 … nrack−1 */
        double cores, mem_gib; /* capacity */
        double idle_w, max_w;
        double sleep_w; /* what it draws when it is empty and may sleep: idle_w − sleep_w is saved, some time later */
        bool reserved;  /* takes no VM, gives none */
        bool can_sleep;
};

struct place_vm {
        uint32_t id;
        int host;              /* index into hosts */
        double cores, mem_gib; /* reserved size */
        double cpu_cores;      /* cores in use now */
        bool movable;
        uint32_t group; /* anti-affinity group, 0 = none: no two of a group on one host */
};

struct place_move {
        uint32_t vm, from, to; /* indices into vm[] and host[] */
        double power_w;        /* heat that moves with the VM */
        double gain_w;         /* what the choice went by: saved_w and the worth of a cooler hottest inlet */
        double saved_w;        /* power saved at the hosts and in cooling their heat; may be negative.
                                * Both: of a host's evacuation, its share of the whole. */
};

struct place_problem {
        size_t nhost, nvm, nrack;
        const struct place_host *host;
        const struct place_vm *vm;
        const double *inlet_c;         /* [nrack] hottest inlet of each rack now */
        const double *influence;       /* [nrack × nrack] K of inlet i per W at rack j, row-major; ≥ 0 */
        const double *cooling_w_per_w; /* [nrack] marginal cooling power per W of heat there */
        double inlet_max_c;
        double inlet_rise_k; /* ≥ 0: an inlet at its limit may still warm by this within one plan: the setpoints, which
                              * hold it there, answer within minutes, and what that costs is in k_per_w_value */
        double k_per_w_value; /* W of facility power that 1 K of hottest-inlet headroom is worth */
        double move_cost_w;   /* least gain that justifies a migration */
        size_t budget;        /* most moves */
        size_t evacuate_max;  /* largest host to empty, in VMs: more than the budget takes several plans, and gains come
                               * with  the last; 0 = only single moves */
};

size_t place_work_size(size_t nhost, size_t nvm, size_t nrack); /* bytes */
/* Fills ret_moves (≤ budget), best first; returns their number. */
size_t place_plan(const struct place_problem *p, void *work, size_t work_size, struct place_move *ret_moves);

#endif
