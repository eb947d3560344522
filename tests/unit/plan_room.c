/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/plan_room.h"

#define FAN_REF plan_fan_input(0.6)

size_t chw_u(const struct room *r)
{
        return 2 * r->ncrah;
}

static void add_term(struct room *r, enum arx_src src, size_t index, unsigned lag, int sign, double scale)
{
        assert_true(r->st.nterm < TERM_MAX);
        r->scale[r->st.nterm] = scale;
        r->term[r->st.nterm++] =
            (struct arx_term){.src = (uint8_t)src, .lag = (uint8_t)lag, .sign = (int8_t)sign, .index = (uint16_t)index};
}

/* outputs: inlets, supply temperatures, valves.  u: SAT, fan per handler, CHWST, CWST, 3 chillers.  d: racks, CHW */
static void structure(struct room *r)
{
        for (size_t i = 0; i < r->ny; i++) {
                r->row_start[i] = r->st.nterm;
                for (unsigned k = 1; k <= LAGS; k++)
                        add_term(r, ARX_SRC_Y, i, k, 0, 1.0);
                if (i < r->nrack) {
                        for (size_t c = i % r->ncrah, n = 0; n < 4 && n < r->ncrah; n++, c = (c + 1) % r->ncrah) {
                                for (unsigned k = 1; k <= LAGS; k++) {
                                        add_term(r, ARX_SRC_Y, r->nrack + c, k, +1, 1.0);
                                        add_term(r, ARX_SRC_U, 2 * c + 1, k, -1, 0.2);
                                }
                        }
                        add_term(r, ARX_SRC_D, i, 1, +1, 5e3);
                } else if (i < r->nrack + r->ncrah) {
                        add_term(r, ARX_SRC_U, 2 * (i - r->nrack), 1, +1, 1.0);
                } else {
                        const size_t c = i - r->nrack - r->ncrah;
                        add_term(r, ARX_SRC_U, 2 * c, 1, 0, 1.0);
                        add_term(r, ARX_SRC_U, 2 * c + 1, 1, 0, 0.2);
                        add_term(r, ARX_SRC_D, r->nrack, 1, 0, 1.0);
                }
                add_term(r, ARX_SRC_ONE, 0, 1, 0, 1.0);
        }
        r->row_start[r->ny] = r->st.nterm;
        r->st = (struct arx_structure){.ny = r->ny,
                                       .nu = r->nu,
                                       .nd = r->nd,
                                       .lag_max = LAGS,
                                       .nterm = r->st.nterm,
                                       .row_start = r->row_start,
                                       .term = r->term,
                                       .scale = r->scale};
}

/* The room itself, one step on. Inlet ≈ mean supply of four handlers + recirculation that fans suppress. */
static void room_next(const struct room *r, const double *y, const double *u, const double *d, double *next)
{
        for (size_t i = 0; i < r->nrack; i++) {
                double supply = 0.0, fan = 0.0;
                const size_t n = r->ncrah < 4 ? r->ncrah : 4;
                for (size_t k = 0; k < n; k++) {
                        const size_t c = (i + k) % r->ncrah;
                        supply += y[r->nrack + c] / (double)n;
                        fan += plan_fan_input(u[2 * c + 1]) / (double)n;
                }
                next[i] = 0.8 * y[i] + 0.2 * (supply + 5e-4 * d[i] - 8.0 * (fan - FAN_REF));
        }
        for (size_t c = 0; c < r->ncrah; c++) {
                const double valve = y[r->nrack + r->ncrah + c], chw = d[r->nrack];
                next[r->nrack + c] = 0.6 * y[r->nrack + c] + 0.4 * u[2 * c];
                next[r->nrack + r->ncrah + c] =
                    0.7 * valve + 0.3 * (0.5 - 0.03 * (u[2 * c] - 20.0) +
                                         0.2 * (plan_fan_input(u[2 * c + 1]) - FAN_REF) + 0.04 * (chw - 10.0));
        }
}

static double return_air(double sat, double fan)
{
        return sat + 6.0 / fan;
}

void room_step(struct room *r, const double *u)
{
        double next[Y_MAX];

        memcpy(&r->wu[(WINDOW - 1) * r->nu], u, r->nu * sizeof *u);
        room_next(r, &r->wy[(WINDOW - 1) * r->ny], u, &r->wd[(WINDOW - 1) * r->nd], next);
        memmove(r->wy, r->wy + r->ny, (WINDOW - 1) * r->ny * sizeof(double));
        memmove(r->wu, r->wu + r->nu, (WINDOW - 1) * r->nu * sizeof(double));
        memmove(r->wd, r->wd + r->nd, (WINDOW - 1) * r->nd * sizeof(double));
        memcpy(&r->wy[(WINDOW - 1) * r->ny], next, r->ny * sizeof(double));
        for (size_t i = 0; i < r->nrack; i++)
                r->wd[(WINDOW - 1) * r->nd + i] = 8e3 + 500.0 * sin(0.7 * (double)i);
        r->wd[(WINDOW - 1) * r->nd + r->nrack] = r->wu[(WINDOW - 1) * r->nu + chw_u(r)];
        for (size_t c = 0; c < r->ncrah; c++)
                r->wd[(WINDOW - 1) * r->nd + r->nrack + 1 + c] = return_air(u[2 * c], u[2 * c + 1]);
}

static void as_the_model_takes_it(const struct room *r, const double *u, double *ret)
{
        memcpy(ret, u, WINDOW * r->nu * sizeof *u);
        for (size_t t = 0; t < WINDOW; t++)
                for (size_t c = 0; c < r->ncrah; c++)
                        ret[t * r->nu + 2 * c + 1] = plan_fan_input(u[t * r->nu + 2 * c + 1]);
}

static struct arx_window window_of(struct room *r)
{
        as_the_model_takes_it(r, r->wu, r->wm);
        return (struct arx_window){.n = WINDOW, .y = r->wy, .u = r->wm, .d = r->wd};
}

void start_state(struct room *r, double sat, double fan, double chw)
{
        for (size_t t = 0; t < WINDOW; t++) {
                double *u = &r->wu[t * r->nu], *y = &r->wy[t * r->ny], *d = &r->wd[t * r->nd];
                for (size_t c = 0; c < r->ncrah; c++) {
                        u[2 * c] = sat;
                        u[2 * c + 1] = fan;
                        y[r->nrack + c] = sat;
                        y[r->nrack + r->ncrah + c] =
                            0.5 - 0.03 * (sat - 20.0) + 0.2 * (plan_fan_input(fan) - FAN_REF) + 0.04 * (chw - 10.0);
                }
                u[chw_u(r)] = chw;
                u[chw_u(r) + 1] = 25.0;
                u[chw_u(r) + 2] = u[chw_u(r) + 3] = 1.0;
                u[chw_u(r) + 4] = 0.0;
                for (size_t i = 0; i < r->nrack; i++) {
                        d[i] = 8e3 + 500.0 * sin(0.7 * (double)i);
                        y[i] = sat + 5e-4 * d[i] - 8.0 * (plan_fan_input(fan) - FAN_REF);
                }
                d[r->nrack] = chw;
                for (size_t c = 0; c < r->ncrah; c++)
                        d[r->nrack + 1 + c] = return_air(sat, fan);
        }
}

static void identify(struct room *r, size_t steps)
{
        for (size_t t = 0; t < steps; t++) {
                double u[U_MAX], before_y[WINDOW * Y_MAX], before_u[WINDOW * U_MAX], before_d[WINDOW * D_MAX];
                for (size_t c = 0; c < r->ncrah; c++) {
                        u[2 * c] = rng_range(&r->rng, 17, 24);
                        u[2 * c + 1] = rng_range(&r->rng, 0.3, 1.0);
                }
                u[chw_u(r)] = rng_range(&r->rng, 8, 14);
                for (size_t k = 1; k < 5; k++)
                        u[chw_u(r) + k] = r->wu[(WINDOW - 1) * r->nu + chw_u(r) + k];
                memcpy(&r->wu[(WINDOW - 1) * r->nu], u, r->nu * sizeof *u);
                memcpy(before_y, r->wy, WINDOW * r->ny * sizeof(double));
                as_the_model_takes_it(r, r->wu, before_u);
                memcpy(before_d, r->wd, WINDOW * r->nd * sizeof(double));
                room_step(r, u);
                for (size_t i = 0; i < r->nrack; i++)
                        r->wd[(WINDOW - 1) * r->nd + i] = rng_range(&r->rng, 4e3, 12e3);
                const struct arx_window w = {WINDOW, before_y, before_u, before_d};
                (void)arx_add(r->model, &w, &r->wy[(WINDOW - 1) * r->ny]);
        }
}

struct room *room_new(size_t ncrah, size_t nrack, size_t samples)
{
        struct room *r = calloc(1, sizeof *r);
        struct arx_args aa;

        assert_non_null(r);
        r->ncrah = ncrah;
        r->nrack = nrack;
        r->nu = 2 * ncrah + 5;
        r->ny = nrack + 2 * ncrah;
        r->nd = nrack + 1 + ncrah;
        rng_seed(&r->rng, 77, 0);
        structure(r);
        arx_args_default(&aa);
        aa.ridge = 1e-9;
        r->model_mem = aligned_alloc(64, (arx_memsize(&r->st) + 63) / 64 * 64);
        assert_int_equal(arx_create(r->model_mem, arx_memsize(&r->st), &r->st, &aa, NULL, NULL, &r->model), 0);

        for (size_t c = 0; c < ncrah; c++) {
                r->u[2 * c] = (struct plan_u){PLAN_U_SAT, 15, 27, 0.5, 18, 0, (int)(nrack + 1 + c), 120e3, 0};
                r->u[2 * c + 1] = (struct plan_u){PLAN_U_FAN, 0.3, 1.0, 0.05, 0.8, 0, (int)(nrack + 1 + c), 7500, 0};
        }
        r->u[chw_u(r)] = (struct plan_u){PLAN_U_CHWST, 7, 16, 1.0, 8, -1, -1, 0, 0};
        r->u[chw_u(r) + 1] = (struct plan_u){PLAN_U_CWST, 18, 32, 1.0, 27, -1, -1, 0, 0};
        for (size_t k = 2; k < 5; k++)
                r->u[chw_u(r) + k] = (struct plan_u){PLAN_U_CHILLER, 0, 1, 1, 1, -1, -1, 400e3, 0};
        for (size_t i = 0; i < nrack; i++)
                r->y[r->npy++] = (struct plan_y){PLAN_Y_INLET, i, 26.0, 2e3, 25.0, 60.0, 8.0};
        for (size_t c = 0; c < ncrah; c++)
                r->y[r->npy++] = (struct plan_y){PLAN_Y_VALVE, nrack + ncrah + c, 0.85, 2e5, (double)NAN, 0.0, 0.0};

        plan_args_default(&r->args);
        r->args.d_chw = nrack;
        r->args.nd_chw = 1;
        const size_t size = plan_memsize(&r->st, r->nu, r->npy, &r->args);
        r->plan_mem = aligned_alloc(64, (size + 63) / 64 * 64);
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &r->args, &r->plan), 0);

        start_state(r, 18, 0.8, 8);
        if (samples) {
                identify(r, samples);
                assert_int_equal(arx_fit(r->model, samples / 2), r->ny);
        }
        start_state(r, 18, 0.8, 8);
        return r;
}

void room_free(struct room *r)
{
        free(r->model_mem);
        free(r->plan_mem);
        free(r);
}

struct plan_input input_of(struct room *r, uint64_t step)
{
        for (size_t k = 0; k < r->args.horizon; k++)
                memcpy(&r->future[k * r->nd], &r->wd[(WINDOW - 1) * r->nd], r->nd * sizeof(double));
        return (struct plan_input){
            .model = r->model,
            .window = window_of(r),
            .u_now = &r->wu[(WINDOW - 1) * r->nu],
            .d_future = r->future,
            .plant = {.fan_ratio_cubed = 0.2,
                      .heat_w = 500e3,
                      .chwst_c = r->wu[(WINDOW - 1) * r->nu + chw_u(r)],
                      .cwst_c = 25,
                      .wetbulb_c = 15,
                      .chillers_on = 2,
                      .valve_mean_ratio = 0.5,
                      .power_w = {(double)NAN, (double)NAN, (double)NAN, (double)NAN}},
            .step = step,
        };
}

void near_(double a, double b, double tol, int line)
{
        if (!(fabs(a - b) <= tol))
                fail_msg("line %d: %.9g is not within %.3g of %.9g", line, a, tol, b);
}
