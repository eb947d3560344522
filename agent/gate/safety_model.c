/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/safety_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/gate/envelope.h"

enum { ALIGN = 64 };

static size_t round64(size_t n)
{
        return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* What the site file says of noise is said of air temperatures. */
static int know_noise(const struct layout *l, void *mem, size_t size, struct arx *m)
{
        double *w_max = calloc(l->ny, sizeof *w_max);
        int r;

        if (!w_max)
                return -ENOMEM;
        for (size_t i = 0; i < l->ny; i++)
                w_max[i] = l->y[i].kind == Y_VALVE ? 0 : l->site->limits.noise_max_k;
        r = arx_member_create(m, mem, size, w_max);
        free(w_max);
        return r;
}

int safety_model_create(const struct layout *l, struct safety_model *ret)
{
        const struct gate_spans span = gate_spans(l->step_s);
        const struct arx_args args = gate_arx_args(&span);
        double *lo = NULL, *hi = NULL;
        const bool noise_known = isfinite(l->site->limits.noise_max_k);
        size_t size, more, n;
        int r;

        *ret = (struct safety_model){0};
        r = layout_arx_structure(l, 1, 1, &ret->structure);
        if (r < 0)
                return r;
        n = ret->structure->nterm;
        lo = calloc(n ? n : 1, sizeof *lo);
        hi = calloc(n ? n : 1, sizeof *hi);
        size = round64(arx_memsize(ret->structure));
        more = noise_known ? round64(arx_member_memsize(ret->structure)) : 0;
        ret->mem = aligned_alloc(ALIGN, size + more);
        ret->window = ret->structure->lag_max + span.window;
        r = -ENOMEM;
        if (lo && hi && ret->mem) {
                layout_arx_prior(l, ret->structure, lo, hi);
                r = arx_create(ret->mem, size, ret->structure, &args, lo, hi, &ret->arx);
        }
        if (r == 0 && noise_known)
                r = know_noise(l, (char *)ret->mem + size, more, ret->arx);
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
