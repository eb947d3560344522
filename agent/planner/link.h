/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The planner's end of <run_dir>/planner.sock: connects, reconnects, hands every valid step to the brain and sends the
 * answer. Of steps that queued up while we were busy only the newest is answered: the others are past. Runs on the
 * agent's loop; logs.
 */
#ifndef COOLPLANE_PLANNER_LINK_H
#define COOLPLANE_PLANNER_LINK_H

#include "agent/base/loop.h"
#include "agent/planner/brain.h"

struct link_stats {
        uint64_t connects, steps, skipped, malformed, unsent;
};

struct link;
/* brain may be NULL until link_set_brain: no connection is made before, so that the gate never waits for us. */
int link_create(struct loop *l, const struct site *site, struct link **ret);
struct link *link_free(struct link *k);
void link_set_brain(struct link *k, struct brain *b); /* starts connecting */
void link_stats(const struct link *k, struct link_stats *ret);

#endif
