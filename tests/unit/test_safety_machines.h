/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The rig's water and machines, and both checkers asked about the same step. */
#ifndef COOLPLANE_TEST_SAFETY_MACHINES_H
#define COOLPLANE_TEST_SAFETY_MACHINES_H

#include "tests/unit/test_safety_common.h"

enum { W = 8, A = 9, B = 10 }; /* rig_variables: chilled water, then two machines */

static inline void decide_again(struct rig *r)
{
        (void)safety_filter(r->s, &r->snap, &r->p);
}

/* What the second checker says of the last decision with one value changed. */
static inline bool verdict(struct rig *r, size_t j, double value)
{
        double act[16];
        size_t nu;

        memcpy(act, decision_u(&r->s->decision, &nu), r->nu * sizeof(double));
        act[j] = value;
        verify_observe(r->s->verifier, &r->snap);
        return verify_action(r->s->verifier, &r->snap, act);
}

#endif
