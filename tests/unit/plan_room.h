/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The plan against a room made here, linear in what the model takes: air handlers with supply air (y), a valve each
 * (y), racks with inlets (y). The model is identified by arx itself from a seeded excitation of that room.
 */
#ifndef COOLPLANE_TESTS_UNIT_PLAN_ROOM_H
#define COOLPLANE_TESTS_UNIT_PLAN_ROOM_H

#include "models/num/rng.h"
#include "models/plan/plan_impl.h"

#define CRAH_MAX 12
#define RACK_MAX 48
#define TERM_MAX 8000
#define LAGS 5
#define WINDOW 12
#define U_MAX (2 * CRAH_MAX + 5)
#define Y_MAX (2 * CRAH_MAX + RACK_MAX)
#define D_MAX (RACK_MAX + 1 + CRAH_MAX)

struct room {
        size_t ncrah, nrack, nu, ny, nd;
        struct arx_term term[TERM_MAX];
        size_t row_start[Y_MAX + 1];
        double scale[TERM_MAX];
        struct arx_structure st;
        struct arx *model;
        void *model_mem, *plan_mem;
        struct plan_u u[U_MAX];
        struct plan_y y[Y_MAX];
        size_t npy;
        struct plan_args args;
        struct plan *plan;
        struct rng rng;
        /* state: window, newest last */
        double wy[WINDOW * Y_MAX], wu[WINDOW * U_MAX], wd[WINDOW * D_MAX];
        double wm[WINDOW * U_MAX]; /* wu as the model takes it */
        double future[32 * D_MAX];
};
size_t chw_u(const struct room *r);
void room_step(struct room *r, const double *u);
void start_state(struct room *r, double sat, double fan, double chw);
struct room *room_new(size_t ncrah, size_t nrack, size_t samples);
void room_free(struct room *r);
struct plan_input input_of(struct room *r, uint64_t step);
void near_(double a, double b, double tol, int line);
#define near(a, b, tol) near_((a), (b), (tol), __LINE__)

#endif
