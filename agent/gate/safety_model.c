/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/safety_model.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/gate/envelope.h"

enum { ALIGN = 64 };

int safety_model_create(const struct layout *l, struct safety_model *ret)
{
        const struct gate_spans span = gate_spans(l->step_s);
        const struct arx_args args = gate_arx_args(&span);
        double *lo = NULL, *hi = NULL;
        size_t size, n;
        int r;

        *ret = (struct safety_model){0};
        r = layout_arx_structure(l, 1, 1, &ret->structure);
        if (r < 0)
                return r;
        n = ret->structure->nterm;
        lo = calloc(n ? n : 1, sizeof *lo);
        hi = calloc(n ? n : 1, sizeof *hi);
        size = arx_memsize(ret->structure);
        ret->mem = aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
        ret->window = ret->structure->lag_max + span.window;
        r = -ENOMEM;
        if (lo && hi && ret->mem) {
                layout_arx_prior(l, ret->structure, lo, hi);
                r = arx_create(ret->mem, size, ret->structure, &args, lo, hi, &ret->arx);
        }
        free(lo);
        free(hi);
        return r;
}

void safety_model_free(struct safety_model *m)
{
        free(m->mem);
        free(m->structure);
        *m = (struct safety_model){0};
}
