/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A sum over points of which some are silent: the one rule for powers and loads everywhere (gate, planner, training).
 * What most of the points say stands for the few that say nothing; when more than a tenth is silent the sum is unknown,
 * never a smaller number. Start from {0}.
 */
#ifndef COOLPLANE_POINTS_TOTAL_H
#define COOLPLANE_POINTS_TOTAL_H

#include <stddef.h>

struct total {
        double sum;
        size_t known, all;
};

void total_add(struct total *t, double value); /* NaN: belongs to the sum, but is not known now */
double total_value(const struct total *t);     /* scaled up to all; NaN unless nine tenths are known */
double total_all_known(const struct total *t); /* for counts, which cannot be scaled: NaN unless every one is known */

#endif
