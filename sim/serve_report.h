/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the plant really did while it was served: its account, and a row every 5 minutes for plots. Truth, not sensors.
 */
#ifndef COOLPLANE_SIM_SERVE_REPORT_H
#define COOLPLANE_SIM_SERVE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/plant.h"

/* What the file of report_write begins with and holds early. */
#define REPORT_BEGINS "{\"site\":\""
#define REPORT_HOLDS "\"window_start\":\""

struct report;
int report_create(struct plant *p, const struct weather *w, struct report **ret);
struct report *report_free(struct report *r);
void report_step(struct report *r);                         /* after every advance */
void report_reset(struct report *r);                        /* the window starts now: account and rows begin anew */
bool report_close(struct report *r);                        /* the window ends now; false when it had ended before */
int report_write(const struct report *r, const char *path); /* JSON; 0 or -Exxx */

/* The account's members as JSON, without braces. */
void account_json(FILE *f, const struct plant_account *a);

#endif
