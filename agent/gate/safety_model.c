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
        size = round64(arx_memsize(ret->structure));
        ret->mem = aligned_alloc(ALIGN, size);
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

int safety_model_bound_noise(const struct layout *l, struct arx *m, void **ret_mem)
{
        const size_t size = round64(arx_member_memsize(arx_structure(m)));
        const double most_k = l->site->limits.noise_max_k;
        double *w_max;
        void *mem;
        int r = -ENOMEM;

        *ret_mem = NULL;
        if (isnan(most_k))
                return 0;
        w_max = calloc(l->ny + 1, sizeof *w_max);
        mem = aligned_alloc(ALIGN, size);
        if (w_max && mem) {
                for (size_t i = 0; i < l->ny; i++) /* what the site file says is said of air temperatures */
                        w_max[i] = l->y[i].kind == Y_VALVE ? 0 : most_k;
                r = arx_member_create(m, mem, size, w_max, GATE_FIT_EVERY);
        }
        free(w_max);
        if (r < 0) {
                free(mem);
                return r;
        }
        *ret_mem = mem;
        return 0;
}
