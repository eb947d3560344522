/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/assumed.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define TOLD_BEYOND 2.0 /* times what was allowed for */

struct gate_assumed {
        size_t nd, horizon, at, n; /* ring of n ≤ horizon rows */
        bool *beyond;              /* [nd] */
        double most[];             /* [horizon × nd] */
};

int gate_assumed_create(size_t nd, size_t horizon, struct gate_assumed **ret)
{
        struct gate_assumed *a = calloc(1, sizeof(*a) + horizon * nd * sizeof(double));

        if (!a)
                return -ENOMEM;
        a->nd = nd;
        a->horizon = horizon;
        a->beyond = calloc(nd + 1, sizeof(*a->beyond));
        if (!a->beyond) {
                free(a);
                return -ENOMEM;
        }
        *ret = a;
        return 0;
}

struct gate_assumed *gate_assumed_free(struct gate_assumed *a)
{
        if (a)
                free(a->beyond);
        free(a);
        return NULL;
}

void gate_assumed_clear(struct gate_assumed *a)
{
        a->n = a->at = 0;
}

static bool is_beyond(const struct gate_assumed *a, size_t k, double d)
{
        for (size_t r = 0; r < a->n; r++)
                if (d > a->most[r * a->nd + k])
                        return true;
        return false;
}

int gate_assumed_step(struct gate_assumed *a, const double *d, const double *d_hi, const double *own)
{
        int told = -1;

        for (size_t k = 0; k < a->nd; k++) {
                const bool beyond = d[k] > own[k] && is_beyond(a, k, d[k]);
                const double rise = d_hi[k] - d[k];

                if (beyond && !a->beyond[k] && told < 0)
                        told = (int)k;
                a->beyond[k] = beyond && (a->beyond[k] || told == (int)k); /* another one: in the next step */
                a->most[a->at * a->nd + k] = rise > 0 ? d[k] + TOLD_BEYOND * rise : (double)INFINITY;
        }
        a->at = (a->at + 1) % a->horizon;
        a->n += a->n < a->horizon;
        return told;
}
