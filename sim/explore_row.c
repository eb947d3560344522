/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/explore_row.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Of one unit: middle and half width of what is drawn. Self-chosen (header); a row sum of A is at most 0.93. */
static const struct span {
        double mid, half;
} temp_self = {0.85, 0.02}, temp_next = {0.03, 0.0}, temp_fan = {-0.30, 0.09}, temp_valve = {-0.45, 0.135},
  temp_fan_next = {-0.05, 0.015}, temp_valve_next = {-0.08, 0.024}, temp_load = {0.01, 0.003}, press_self = {0.50, 0.0},
  press_fan = {0.80, 0.0}, press_fan_next = {0.15, 0.0};

#define LOAD_STEP 0.1 /* largest change of a load in one step */

static void add_term(struct row *r, const struct row_case *c, struct rng *rng, enum arx_src src, size_t index,
                     const struct span *s)
{
        const size_t k = r->st.nterm++;
        const double ratio = src == ARX_SRC_Y ? c->a_ratio : c->b_ratio, sign = s->mid < 0.0 ? -1.0 : 1.0;
        const double truth = s->mid + rng_range(rng, -s->half, s->half);
        const double estimate = fabs(truth) / (1.0 + ratio * rng_range(rng, -1.0, 1.0));
        const double small = c->priors ? estimate * (1.0 - ratio) : 0.0;
        const double large = c->priors ? estimate * (1.0 + ratio) : 1.0;

        r->term[k] = (struct arx_term){
            .src = (uint8_t)src, .lag = 1, .sign = (int8_t)(s->mid < 0.0 ? -1 : 1), .index = (uint16_t)index};
        r->scale[k] = 1.0;
        r->theta[k] = truth;
        r->prior_lo[k] = sign > 0.0 ? small : -large;
        r->prior_hi[k] = sign > 0.0 ? large : -small;
}

/* The same coefficient for the units beside unit i; index of unit j's variable: 2 j + offset. */
static void add_next(struct row *r, const struct row_case *c, struct rng *rng, enum arx_src src, size_t i,
                     size_t offset, const struct span *s)
{
        if (i > 0)
                add_term(r, c, rng, src, 2 * (i - 1) + offset, s);
        if (i + 1 < c->nunit)
                add_term(r, c, rng, src, 2 * (i + 1) + offset, s);
}

void row_create(struct row *ret, const struct row_case *c, uint64_t seed)
{
        struct rng rng;

        assert(c->nunit >= 1 && c->nunit <= ROW_UNITS_MAX);
        rng_seed(&rng, seed, 1);
        memset(ret, 0, sizeof(*ret));
        ret->nunit = c->nunit;
        for (size_t i = 0; i < c->nunit; i++) {
                const size_t temp = 2 * i, press = temp + 1, fan = temp, valve = fan + 1;

                add_term(ret, c, &rng, ARX_SRC_Y, temp, &temp_self);
                add_next(ret, c, &rng, ARX_SRC_Y, i, 0, &temp_next);
                add_term(ret, c, &rng, ARX_SRC_U, fan, &temp_fan);
                add_term(ret, c, &rng, ARX_SRC_U, valve, &temp_valve);
                add_next(ret, c, &rng, ARX_SRC_U, i, 0, &temp_fan_next);
                add_next(ret, c, &rng, ARX_SRC_U, i, 1, &temp_valve_next);
                add_term(ret, c, &rng, ARX_SRC_D, i, &temp_load);
                ret->row_start[press] = ret->st.nterm;
                add_term(ret, c, &rng, ARX_SRC_Y, press, &press_self);
                add_term(ret, c, &rng, ARX_SRC_U, fan, &press_fan);
                add_next(ret, c, &rng, ARX_SRC_U, i, 0, &press_fan_next);
                ret->row_start[press + 1] = ret->st.nterm;
        }
        ret->st.ny = ret->st.nu = 2 * c->nunit;
        ret->st.nd = c->nunit;
        ret->st.lag_max = 1;
        ret->st.row_start = ret->row_start;
        ret->st.term = ret->term;
        ret->st.scale = ret->scale;
}

double row_value(const struct row *r, const double *theta, size_t i, const double *x, const double *u, const double *d)
{
        const double *from[] = {[ARX_SRC_Y] = x, [ARX_SRC_U] = u, [ARX_SRC_D] = d};
        double sum = 0.0;

        for (size_t k = r->row_start[i]; k < r->row_start[i + 1]; k++)
                sum += theta[k] * from[r->term[k].src][r->term[k].index];
        return sum;
}

static double noise(struct rng *rng)
{
        double w;

        do
                w = ROW_NOISE_STD * rng_normal(rng);
        while (fabs(w) > ROW_NOISE_BAR);
        return w;
}

void row_step(const struct row *r, struct rng *rng, const double *u, double *x, double *d)
{
        double next[ROW_Y_MAX];

        for (size_t i = 0; i < r->st.ny; i++)
                next[i] = row_value(r, r->theta, i, x, u, d) + noise(rng);
        memcpy(x, next, sizeof(double) * r->st.ny);
        for (size_t i = 0; i < r->st.nd; i++)
                d[i] = fmin(fmax(d[i] + rng_range(rng, -LOAD_STEP, LOAD_STEP), -1.0), 1.0);
}

double row_error_b(const struct row *r, const double *theta)
{
        double off = 0.0, all = 0.0;

        for (size_t k = 0; k < r->st.nterm; k++) {
                if (r->term[k].src != ARX_SRC_U)
                        continue;
                off += (theta[k] - r->theta[k]) * (theta[k] - r->theta[k]);
                all += r->theta[k] * r->theta[k];
        }
        return sqrt(off / all);
}
