/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The unmodified agent in virtual time: gate and planner's brain wired to a plant in this process. Readings go through
 * the register tables and the agent's codec, writes the same way back; only sockets and real time are missing. Used by
 * the numbered scenarios and by coolplane-sim compare.
 */
#ifndef COOLPLANE_SIM_CLOSED_LOOP_H
#define COOLPLANE_SIM_CLOSED_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/gate/gate.h"
#include "sim/plant.h"

struct closed_loop;

/* Replaces the planner's answer (hostile or absent proposers). Returns false for "no proposal in time"; *malformed may
 * be set. Called after the brain, whose answer is in *prop. */
typedef bool (*closed_loop_proposer)(void *ctx, const struct ipc_step *step, struct ipc_proposal *prop,
                                     bool *malformed);

struct closed_loop_args {
        struct plant *plant; /* borrowed */
        /* path of a new database (-EEXIST: it is not); NULL = one that goes with the loop: samples, which nobody would
         * read, are not stored in it, and the VM inventory is handed over instead of printed and parsed. The decisions
         * are the same. */
        const char *database;
        bool acting; /* false: shadow */
        int64_t explore_ms;
        uint64_t seed;
        closed_loop_proposer proposer; /* NULL = the brain alone */
        void *proposer_ctx;
        bool planner; /* false: no brain, no proposals */
        /* Test equipment (b3 of the yardstick): the gate is in shadow (acting must be false), and the brain's proposals
         * go to the plant's registers as they are, past the safety layer; only the devices' own ranges bound them. The
         * plant's leases are held for it. No VM moves. */
        bool unfiltered;
        bool no_moves; /* the site's orchestrator is left out: VMs stay where they are */
};

/* -Exxx; site errors are printed to stderr (they would be our own bug). */
int closed_loop_create(const struct closed_loop_args *a, struct closed_loop **ret);
struct closed_loop *closed_loop_free(struct closed_loop *c);

void closed_loop_run(struct closed_loop *c, double hours);
/* Instead, of a loop in shadow: somebody else drives the plant, and calls this whenever he has advanced it by a divisor
 * of the control step (30 s), so that the gate samples it and decides. Nothing of the plant changes. */
void closed_loop_watch(struct closed_loop *c);

struct gate *closed_loop_gate(struct closed_loop *c);
const struct site *closed_loop_site(const struct closed_loop *c);
/* What the agent reads and writes; for registers_fault. Borrowed. */
struct registers *closed_loop_registers(struct closed_loop *c);
/* For a proposer that knows what it wants: proposes the way there, within the gate's rates and slow steps, without VM
 * moves. The arrays are [CRAHs of the plant]; chillers: bit i = machine i may run. */
struct closed_loop_target {
        const double *sat_c, *fan_ratio;
        double chwst_c, cwst_c;
        uint32_t chillers;
};
void closed_loop_toward(const struct closed_loop *c, const struct ipc_step *step, const struct closed_loop_target *t,
                        struct ipc_proposal *ret);
double closed_loop_step_s(const struct closed_loop *c);
/* Setpoint writes that shadow's null driver took instead of the plant. */
uint64_t closed_loop_unsent(const struct closed_loop *c);
/* How a Modbus device of the site answers from now on, reads and writes: as ever; not at all; with that exception (1 to
 * 11). */
enum { CLOSED_LOOP_SILENT = -1, CLOSED_LOOP_ANSWERS = 0 };
void closed_loop_answer(struct closed_loop *c, size_t device, int how);
/* The agent is gone: no scan, no heartbeat, no step. */
void closed_loop_kill(struct closed_loop *c, bool dead);

#endif
