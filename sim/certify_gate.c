/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static void *block(size_t size)
{
        return aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
}

static int know_noise(struct certify_gate *g, double noise_max_k)
{
        const size_t size = arx_member_memsize(&g->site->st);
        double w_max[CERTIFY_Y_MAX];

        for (size_t i = 0; i < g->site->st.ny; i++)
                w_max[i] = noise_max_k;
        g->member_mem = block(size);
        return g->member_mem ? arx_member_create(g->model, g->member_mem, size, w_max, GATE_FIT_EVERY) : -ENOMEM;
}

int certify_gate_create(struct certify_gate *g, const struct certify_site *site, double noise_max_k)
{
        const struct arx_structure *st = &site->st;
        struct arx_args args = gate_arx_args(&site->span);
        size_t size = arx_memsize(st);
        int r;

        if (noise_max_k > 0) {
                args.set = ARX_SET_MEMBERSHIP;
                args.w_min = noise_max_k;
                args.w_horizon = 0;
                args.track_miss = 0;
        }

        g->site = site;
        g->fit_countdown = GATE_FIT_EVERY;
        g->model_mem = block(size);
        if (!g->model_mem)
                return -ENOMEM;
        r = arx_create(g->model_mem, size, st, &args, site->lo, site->hi, &g->model);
        if (r == 0 && noise_max_k > 0)
                r = know_noise(g, noise_max_k);
        if (r < 0)
                return r;
        size = safety_memsize(&site->env, st);
        g->safety_mem = block(size);
        if (!g->safety_mem)
                return -ENOMEM;
        return safety_create(g->safety_mem, size, &site->env, g->model, &g->safety);
}

void certify_gate_free(struct certify_gate *g)
{
        free(g->safety_mem);
        free(g->member_mem);
        free(g->model_mem);
}

static void push_row(double *rows, size_t n, size_t cap, size_t width, const double *row)
{
        if (n == cap)
                memmove(rows, rows + width, --n * width * sizeof(*rows));
        memcpy(rows + n * width, row, width * sizeof(*rows));
}

void certify_gate_push(struct certify_gate *g, const double *y, const double *u, const double *d)
{
        const struct arx_structure *st = &g->site->st;
        const size_t cap = g->site->span.window;

        push_row(g->wy, g->wn, cap, st->ny, y);
        push_row(g->wu, g->wn, cap, st->nu, u);
        push_row(g->wd, g->wn, cap, st->nd, d);
        g->wn += g->wn < cap;
}

void certify_gate_in_force(struct certify_gate *g, const double *u, const double *d)
{
        const struct arx_structure *st = &g->site->st;

        memcpy(g->wu + (g->wn - 1) * st->nu, u, st->nu * sizeof(double));
        memcpy(g->wd + (g->wn - 1) * st->nd, d, st->nd * sizeof(double));
}

struct arx_window certify_gate_window(const struct certify_gate *g)
{
        return (struct arx_window){g->wn, g->wy, g->wu, g->wd};
}

bool certify_gate_learn(struct certify_gate *g, const double *y_next)
{
        const struct arx_window w = certify_gate_window(g);

        (void)arx_add(g->model, &w, y_next);
        if (--g->fit_countdown > 0)
                return false;
        g->fit_countdown = GATE_FIT_EVERY;
        (void)arx_fit(g->model, GATE_FIT_MIN);
        return true;
}
