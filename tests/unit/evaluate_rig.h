/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A recorded run, and what is scored of it. */
#ifndef TESTS_UNIT_EVALUATE_RIG_H
#define TESTS_UNIT_EVALUATE_RIG_H

#include "tests/unit/recorded_rig.h"

#include "agent/gate/evaluate.h"

static struct evaluation evaluated;

/* In the place of what was scored before. */
static inline struct evaluation *evaluate(int64_t from_ms, int64_t to_ms)
{
        evaluate_free(&evaluated);
        assert_int_equal(evaluate_run(&(struct evaluate_args){.site = recorded->site,
                                                              .store = recorded->store,
                                                              .samples = recorded->store,
                                                              .from_ms = from_ms,
                                                              .to_ms = to_ms},
                                      &evaluated),
                         0);
        return &evaluated;
}

static inline int forget_run(void **state)
{
        (void)state;
        evaluate_free(&evaluated);
        rig_free(recorded);
        return 0;
}

#endif
