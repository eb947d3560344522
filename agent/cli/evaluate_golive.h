/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What would have to be so before coolplane may act, told from an evaluation: each condition with its figure and its
 * limit. Limits that other parts of coolplane keep are taken from there; those set here are in ARCHITECTURE.md. Facts
 * for people to decide on: nothing in coolplane asks this list.
 */
#ifndef COOLPLANE_CLI_EVALUATE_GOLIVE_H
#define COOLPLANE_CLI_EVALUATE_GOLIVE_H

#include "agent/gate/evaluate.h"

#define GOLIVE_DAYS 14.0 /* of decisions: every weekday twice, and more than the ten days a baseline needs */
#define GOLIVE_GAPS 0.01 /* share of the span */
#define GOLIVE_GOOD 0.95 /* of the samples; what a day must have to count as a day (daily.h) */

/* GOLIVE_NONE: does not apply to a record of coolplane in force */
enum golive_state { GOLIVE_MET, GOLIVE_NOT_MET, GOLIVE_NOT_KNOWN, GOLIVE_NONE, GOLIVE_STATES };

struct golive_item {
        const char *what, *limit, *why; /* static; why: what the limit is for */
        enum golive_state state;
        char figure[256];
};
enum { GOLIVE_ITEMS = 17 };

struct golive {
        struct golive_item item[GOLIVE_ITEMS];
        size_t n[GOLIVE_STATES];
};

void golive_judge(const struct evaluation *e, struct golive *ret);
const char *golive_str(enum golive_state s); /* "met", "not met", "not known", "does not apply" */

#endif
