/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The gate's part of an episode: model, filter, and the window that both read; learning goes as in agent/gate/learn.c.
 * Allocates at create only. */
#ifndef COOLPLANE_SIM_CERTIFY_GATE_H
#define COOLPLANE_SIM_CERTIFY_GATE_H

#include "sim/certify_site.h"

#define CERTIFY_WINDOW_MAX (ARX_HORIZON_MAX + 1)

struct certify_gate {
        const struct certify_site *site; /* borrowed */
        void *model_mem, *member_mem, *safety_mem;
        struct arx *model;
        struct safety *safety;
        double wy[CERTIFY_WINDOW_MAX * CERTIFY_Y_MAX], wu[CERTIFY_WINDOW_MAX * CERTIFY_U_MAX],
            wd[CERTIFY_WINDOW_MAX * CERTIFY_D_MAX];
        size_t wn; /* rows of the window */
        unsigned fit_countdown;
};

/* g: zeroed; to be freed whatever is returned. noise_max_k 0: the model with the gate's own arguments. Else the strict
 * one: set membership alone, and all noise counted that there may be, in every step. 0, -ENOMEM, -EINVAL. */
int certify_gate_create(struct certify_gate *g, const struct certify_site *site, double noise_max_k);
void certify_gate_free(struct certify_gate *g);

/* The window's next row: readings [ny] now, and what is in force [nu], [nd] until the next. */
void certify_gate_push(struct certify_gate *g, const double *y, const double *u, const double *d);
/* What was in force after all, decided meanwhile. */
void certify_gate_in_force(struct certify_gate *g, const double *u, const double *d);
struct arx_window certify_gate_window(const struct certify_gate *g);
/* Readings [ny] after the window's last row, NaN = not to be learned from. True after a fit. */
bool certify_gate_learn(struct certify_gate *g, const double *y_next);

#endif
