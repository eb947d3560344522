/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#define HOSTILE_DEFAULT 100000
#include "tests/unit/test_safety_hostile.h"

int main(void)
{
        return hostile_main();
}
