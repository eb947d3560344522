/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The safety model of a site before it has learned anything: the same for the gate, which goes on to teach it, and for
 * an audit, which puts stored model sets into it. */
#ifndef COOLPLANE_GATE_SAFETY_MODEL_H
#define COOLPLANE_GATE_SAFETY_MODEL_H

#include "agent/points/layout.h"
#include "models/arx/arx.h"

struct safety_model {
        struct arx_structure *structure;
        void *mem;
        struct arx *arx; /* in mem */
        size_t window;   /* rows of history that it and the filter may look at */
};

/* 0 or -Exxx; free what ret holds in both cases. */
int safety_model_create(const struct layout *l, struct safety_model *ret);
void safety_model_free(struct safety_model *m);
/* Set membership of m from its next sample on, where the site file bounds the noise (noise_max_k); else *ret_mem is
 * NULL. 0, -ENOMEM. Free *ret_mem after m. */
int safety_model_bound_noise(const struct layout *l, struct arx *m, void **ret_mem);

#endif
