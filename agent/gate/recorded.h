/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What is needed to read what a site's decisions were made on: its layout, envelope, safety model and filter, and a
 * coder for the evidence. For the audit and for the comparison of two databases. Allocates at create only.
 */
#ifndef COOLPLANE_GATE_RECORDED_H
#define COOLPLANE_GATE_RECORDED_H

#include "agent/gate/envelope.h"
#include "agent/gate/evidence.h"
#include "agent/gate/safety_model.h"

struct recorded {
        struct layout *layout;
        struct gate_envelope envelope;
        struct safety_model model;
        void *mem;
        struct safety *safety;
        size_t nbasis, nstate; /* safety_basis_save; of it the first are timers, then what the plant had */
        struct evidence *evidence;
};

/* Site borrowed. 0; -ENODEV: nothing can be commanded there; -EINVAL, -E2BIG, -ENOMEM. To be freed in any case. */
int recorded_create(const struct site *site, struct recorded *ret);
void recorded_free(struct recorded *r);

/* A filter with another envelope over the same model; *ret_mem: free() after it. */
int recorded_safety(const struct gate_envelope *e, const struct safety_model *m, void **ret_mem, struct safety **ret);

#endif
