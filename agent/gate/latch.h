/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What only an operator undoes, kept in the database so that no automatic restart undoes it: devices that someone at
 * the plant took local, setpoints that someone else writes, and RELEASE. `coolplane rearm` clears them while the gate
 * is stopped.
 */
#ifndef COOLPLANE_GATE_LATCH_H
#define COOLPLANE_GATE_LATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/store.h"

enum latch_kind { LATCH_OPERATOR, LATCH_FOREIGN, LATCH_RELEASE };
struct latch {
        enum latch_kind kind;
        const char *name; /* device, point, or empty: RELEASE is the whole plant's */
};
const char *latch_kind_str(enum latch_kind k); /* a few words */

/* Every latch that is stored; name is good for the call. 0 when there are none, else -Exxx of the store. */
int latch_read(struct store *s, int64_t *ret_t_ms, void (*each)(void *ctx, const struct latch *l), void *ctx);
/* Replaces what is stored. */
int latch_write(struct store *s, int64_t t_ms, const struct latch *l, size_t n);

#endif
