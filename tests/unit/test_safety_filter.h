/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the tests of the filter share beside the rig. */
#ifndef COOLPLANE_TEST_SAFETY_FILTER_H
#define COOLPLANE_TEST_SAFETY_FILTER_H

#include "tests/unit/test_safety_common.h"

#define NOW(r, row) ((r).wy[(RIG_HIST - 1) * (r).ny + (row)])

static inline void open_rig(struct rig *r)
{
        rig_open(r, rig_default(), 1);
        rig_create(r);
}

static inline void expect(const struct safety_decision *d, enum decision_kind kind, enum decision_reason reason)
{
        if (decision_kind(d) != kind || decision_reason(d) != reason)
                fail_msg("%s/%s, expected %s/%s", decision_kind_str(decision_kind(d)),
                         decision_reason_str(decision_reason(d)), decision_kind_str(kind), decision_reason_str(reason));
}

static inline bool near(double a, double b)
{
        return fabs(a - b) < 1e-9;
}

static inline void set_inlets(struct rig *r, double y_c)
{
        for (size_t i = 0; i < RIG_HIST * r->ny; i++)
                r->wy[i] = y_c;
}

#endif
