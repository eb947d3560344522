/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/ladder.h"

#define A LADDER_ACTIVE
#define H LADDER_HOLD
#define F LADDER_FALLBACK
#define R LADDER_RELEASE

static const unsigned char next[LADDER_MODES][LADDER_INPUTS] = {
    /* PROVEN CLEAN UNCLEAN NO_PLAN OVERDUE DEGRADED LOST REARM */
    [LADDER_ACTIVE] = {A, A, A, H, F, F, R, A},
    [LADDER_HOLD] = {A, A, A, H, F, F, R, H},
    [LADDER_FALLBACK] = {A, F, F, F, F, F, R, F},
    [LADDER_RELEASE] = {R, R, R, R, R, R, R, H},
};

enum ladder_mode ladder_next(enum ladder_mode mode, enum ladder_input input)
{
        if ((unsigned)mode >= LADDER_MODES || (unsigned)input >= LADDER_INPUTS)
                return LADDER_RELEASE;
        return (enum ladder_mode)next[mode][input];
}

const char *ladder_mode_str(enum ladder_mode m)
{
        static const char *const text[LADDER_MODES] = {"ACTIVE", "HOLD", "FALLBACK", "RELEASE"};

        return (unsigned)m < LADDER_MODES ? text[m] : "?";
}

const char *ladder_input_str(enum ladder_input i)
{
        static const char *const text[LADDER_INPUTS] = {"proven",  "clean",    "unclean", "no plan",
                                                        "overdue", "degraded", "lost",    "rearm"};

        return (unsigned)i < LADDER_INPUTS ? text[i] : "?";
}
