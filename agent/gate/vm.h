/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the gate knows of the VMs: the latest inventory, the moves under way, and the load they shift. A plan must be
 * safe with and without a move, because migrations fail: the load is added at the target and not taken from the source,
 * which by monotonicity covers both placements, from the request until the move failed, was forgotten, or is done and
 * in the inventory. A move brings twice its linear share of the host's dynamic power (inventory.h), and the idle power
 * of a host that sleeps or is empty.
 */
#ifndef COOLPLANE_GATE_VM_H
#define COOLPLANE_GATE_VM_H

#include "agent/gate/inventory.h"
#include "agent/points/layout.h"

struct vm_inventory;

int vm_inventory_create(const struct layout *l, struct vm_inventory **ret);
struct vm_inventory *vm_inventory_free(struct vm_inventory *v);

/* A message of the orchestrator ("inventory", "move/result", …). Returns 1 and a sentence in text when it is worth an
 * event (a move ended, a message was refused), else 0. An inventory may be read only when a move is asked for, and is
 * refused then; of nine in a row one is read at once. */
int vm_inventory_message(struct vm_inventory *v, const char *subtopic, const char *json, size_t len, char *text,
                         size_t cap);

/* An inventory that was read elsewhere; borrowed until the next one or the end. NULL = none any more. */
void vm_inventory_take(struct vm_inventory *v, const struct inventory *inv);

/* Disturbances [nd] with the moves under way: ret_d = d_free plus their load at the target racks and their zones. Moves
 * that gave no answer in 15 min are forgotten. */
void vm_inventory_load(struct vm_inventory *v, int64_t t_ms, const double *d_free, double *ret_d);

#endif
