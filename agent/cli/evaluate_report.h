/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What coolplane evaluate prints: for people, short and worst first; or everything as one JSON document. */
#ifndef COOLPLANE_CLI_EVALUATE_REPORT_H
#define COOLPLANE_CLI_EVALUATE_REPORT_H

#include "agent/base/text.h"
#include "agent/gate/evaluate.h"

#define EVALUATE_COVERAGE 0.98 /* nominal share of readings under the one-step bound (gate_arx_args, track_miss) */

void evaluate_print_text(const struct evaluation *e);
void evaluate_print_json(const struct evaluation *e);
/* Of an evaluation that could score nothing. */
void evaluate_print_writes_text(const struct evaluation *e);
void evaluate_print_writes_json(const struct evaluation *e);

const char *evaluate_heat_str(enum evaluate_heat h);   /* "measured", "in_force", … */
const char *evaluate_group_str(enum evaluate_group g); /* "inlet", "supply_air" */
/* Difference of a variable in its own unit, and that unit's name. */
double evaluate_delta(const struct evaluation *e, size_t j, double si);
const char *evaluate_unit(const struct evaluation *e, size_t j);
/* The same as people read it: of ratios in %, so that fans of two makes are told alike. */
double evaluate_read_delta(const struct evaluation *e, size_t j, double si);
const char *evaluate_read_unit(const struct evaluation *e, size_t j);
/* What stands out, a line each; nothing put: nothing does. */
void evaluate_stand_out(const struct evaluation *e, struct text *t);
/* Why powers foreseen and measured cannot be compared (all.power.n 0); static. */
const char *evaluate_power_why(const struct evaluation *e);

#endif
