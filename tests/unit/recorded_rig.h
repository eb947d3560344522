/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A run of the rig that is kept in a store, and tests that change the store and take it back. */
#ifndef TESTS_UNIT_RECORDED_RIG_H
#define TESTS_UNIT_RECORDED_RIG_H

#include "tests/unit/gate_rig.h"

#include "agent/store/store_internal.h"

static struct rig *recorded;

static inline int begin(void **state)
{
        (void)state;
        return store_exec(recorded->store, "PRAGMA foreign_keys = OFF; SAVEPOINT before");
}

static inline int take_back(void **state)
{
        (void)state;
        return store_exec(recorded->store, "ROLLBACK TO before; RELEASE before; PRAGMA foreign_keys = ON");
}

static inline void sql(const char *text)
{
        if (store_exec(recorded->store, text) < 0)
                fail_msg("%s: %s", text, store_errmsg(recorded->store));
}

#endif
