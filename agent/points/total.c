/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/total.h"

#include <math.h>

void total_add(struct total *t, double value)
{
        t->all++;
        if (!isfinite(value))
                return;
        t->known++;
        t->sum += value;
}

double total_value(const struct total *t)
{
        if (t->known == 0 || 10 * t->known < 9 * t->all)
                return (double)NAN;
        return t->sum * (double)t->all / (double)t->known;
}

double total_all_known(const struct total *t)
{
        return t->all > 0 && t->known == t->all ? t->sum : (double)NAN;
}
