/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Linked so that the second checker passes whatever the filter decides. */
#define HOSTILE_DEFAULT 20000
#include "tests/unit/test_safety_hostile.h"

bool __wrap_verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act);

static size_t passed;

bool __wrap_verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act)
{
        (void)v;
        (void)snap;
        (void)act;
        passed++;
        return true;
}

int main(void)
{
        int failed = hostile_main();

        return failed || passed < rig_env("COOLPLANE_HOSTILE", HOSTILE_DEFAULT); /* it was taken out indeed */
}
