/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the gate knows of the VMs: the latest inventory, the moves under way, and the load a move would shift. A plan
 * must be safe with and without a move, because migrations fail: the load is added at the target and not taken from the
 * source, which by monotonicity covers both placements.
 */
#ifndef COOLPLANE_GATE_VM_H
#define COOLPLANE_GATE_VM_H

#include "agent/gate/inventory.h"
#include "agent/gate/ipc.h"
#include "agent/points/layout.h"

struct vm_inventory;

int vm_inventory_create(const struct layout *l, struct vm_inventory **ret);
struct vm_inventory *vm_inventory_free(struct vm_inventory *v);

/* A message of the orchestrator ("inventory", "move/result", …). Returns 1 and a sentence in text when it is worth an
 * event (a move ended, a message was refused), else 0. */
int vm_inventory_message(struct vm_inventory *v, const char *subtopic, const char *json, size_t len, char *text,
                         size_t cap);

/* Adds the move's load to the target rack's and its zone's disturbances d [nd]. NULL, or why the move is not valid
 * (then d is unchanged): unknown names, VM elsewhere, reserved or overfull host, anti-affinity, immovable. */
const char *vm_inventory_load(const struct vm_inventory *v, const struct ipc_move *m, double *d);
void vm_inventory_unload(const struct vm_inventory *v, const struct ipc_move *m, double *d);

/* Writes the request message and remembers the move as running. */
void vm_inventory_request(struct vm_inventory *v, const struct ipc_move *m, int64_t run_id, uint64_t step, unsigned k,
                          int64_t t_ms, char *ret_json, size_t cap);
/* Moves asked for and not yet ended (forgotten after 15 min). */
unsigned vm_inventory_running(struct vm_inventory *v, int64_t t_ms);

#endif
