/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/recorded.h"

#include <errno.h>
#include <stdlib.h>

int recorded_safety(const struct gate_envelope *e, const struct safety_model *m, void **ret_mem, struct safety **ret)
{
        size_t size = (safety_memsize(&e->safety, m->structure) + 63) / 64 * 64;

        *ret_mem = aligned_alloc(64, size);
        return *ret_mem ? safety_create(*ret_mem, size, &e->safety, m->arx, ret) : -ENOMEM;
}

int recorded_create(const struct site *site, struct recorded *ret)
{
        const struct layout *l;
        int r;

        *ret = (struct recorded){0};
        r = layout_create(site, &ret->layout);
        if (r < 0)
                return r;
        l = ret->layout;
        r = gate_envelope_build(l, &ret->envelope);
        if (r < 0)
                return r;
        if (ret->envelope.safety.nu < 1 || ret->envelope.safety.ncert < 1)
                return -ENODEV;
        r = safety_model_create(l, &ret->model);
        if (r == 0)
                r = recorded_safety(&ret->envelope, &ret->model, &ret->mem, &ret->safety);
        if (r < 0)
                return r;
        ret->nbasis = safety_basis_save(ret->safety, 0, NULL, 0);
        ret->nstate = safety_state_save(ret->safety, 0, NULL, 0);
        return evidence_create(&(struct evidence_shape){.nu = l->nu,
                                                        .ny = l->ny,
                                                        .nd = l->nd,
                                                        .rows = ret->model.window,
                                                        .nbasis = ret->nbasis,
                                                        .set_bytes = arx_set_save(ret->model.arx, NULL, 0)},
                               &ret->evidence);
}

void recorded_free(struct recorded *r)
{
        evidence_free(r->evidence);
        free(r->mem);
        safety_model_free(&r->model);
        gate_envelope_free(&r->envelope);
        layout_free(r->layout);
        *r = (struct recorded){0};
}
