/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the operator makes of advice. In shadow every action stands beside what is in force: one that asks for the same
 * direction for five minutes is advice, and what follows is the operator's answer, whoever or whatever moves the
 * setpoint. A shadow action starts from what is in force in every step, so advice has a direction and no goal. The gate
 * leaves a row of each answer (an event, component "advice"); evaluate counts them from the record the same way. Pure,
 * one variable; a zeroed struct is empty.
 */
#ifndef COOLPLANE_GATE_ADVICE_H
#define COOLPLANE_GATE_ADVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "safety/safety.h"

#define ADVICE_AFTER_MS                                                                                                \
        ((int64_t)5 * 60000) /* in one direction and never in the other, to be advice; not in it, to be withdrawn */
#define ADVICE_TIMEOUT_MS ((int64_t)60 * 60000) /* without an answer: ignored */

enum advice_answer {
        ADVICE_NONE,
        ADVICE_ACCEPTED, /* moved in the direction advised, by the dead band at least */
        ADVICE_REJECTED, /* moved against it */
        ADVICE_IGNORED,  /* neither for an hour; it may still stand, but counts once */
        ADVICE_ANSWERS
};
const char *advice_answer_str(enum advice_answer a); /* "accepted", "rejected", "ignored" */

struct advice {
        int dir; /* of what is advised, or about to be: +1 higher, −1 lower; 0 none */
        bool stands, ignored;
        int64_t since_ms; /* in this direction; once it stands, that it does */
        int64_t held_ms;  /* when it was last in this direction */
        double from;      /* what was in force when it began to stand */
};

/* Least difference of a variable that an operator would call one: its dead band, or a count of the register; half for
 * on and off. > 0. */
double advice_band(const struct safety_u *u);

/* One decision in shadow. band: least difference that counts, > 0. action NaN: none in this step; in_force NaN: not
 * known, which ends what stands. Time that goes back or leaps (a gap of over five minutes) ends it, too. */
enum advice_answer advice_step(struct advice *a, int64_t t_ms, double band, double action, double in_force);

#endif
