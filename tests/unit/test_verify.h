/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The second checker on its own, and one value of an action to be judged. */
#ifndef COOLPLANE_TEST_VERIFY_H
#define COOLPLANE_TEST_VERIFY_H

#include "tests/unit/test_safety_common.h"

struct bench {
        struct rig r;
        struct verifier *v;
        double act[64];
};

/* The verifier and the present action of a rig that rig_open made and the test changed. */
static inline void take_bench(struct bench *b)
{
        rig_create(&b->r);
        b->v = b->r.s->verifier;
        memcpy(b->act, b->r.confirmed, b->r.nu * sizeof(double));
}

/* A rig with sat_rows whose variable 0 is read by no row: what it did comes from the water instead. */
static inline void open_free_first(struct bench *b)
{
        struct rig_args a = rig_default();

        a.sat_rows = true;
        rig_open(&b->r, a, 3);
        for (size_t k = 0; k < b->r.nterm; k++) {
                if (b->r.term[k].src == ARX_SRC_U && b->r.term[k].index == 0) {
                        b->r.term[k].src = ARX_SRC_D;
                        b->r.term[k].index = 2;
                }
        }
        rig_model(&b->r, false);
}

static inline void open_bench(struct bench *b, struct rig_args a)
{
        rig_open(&b->r, a, 3);
        take_bench(b);
}

static inline bool judge(struct bench *b, size_t j, double value)
{
        double kept = b->act[j];
        bool ok;

        rig_point(&b->r);
        verify_observe(b->v, &b->r.snap);
        b->act[j] = value;
        ok = verify_action(b->v, &b->r.snap, b->act);
        b->act[j] = kept;
        return ok;
}

#endif
