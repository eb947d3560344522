/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How long a decision of the safety filter takes: rows of 4, 16 and 64 air handlers, each one group, 40 steps ahead, in
 * the episodes of `coolplane-sim certify`: plants, noises, loads and proposers mixed, the model learns from scratch.
 *
 *   filter-bench [EPISODES [HOURS]]         of each size; default 10 of 3 h
 *
 * Beside it what a decision is made of: one worst case to the end of the horizon, of a fitted model. A decision asks
 * for up to twelve. Times are CPU time of this thread, printed and never judged.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/certify_world.h"

#define HORIZON 40
#define SEED 1
#define SAMPLES 300
#define REPEATS 21

static struct certify_site site;
static struct certify_result result;
static double y[(SAMPLES + 1) * CERTIFY_Y_MAX], u[(SAMPLES + 1) * CERTIFY_U_MAX], d[(SAMPLES + 1) * CERTIFY_D_MAX];

static void *block(size_t size)
{
        void *p = aligned_alloc(64, (size + 63) / 64 * 64);

        if (!p) {
                fputs("filter-bench: out of memory\n", stderr);
                exit(1);
        }
        return p;
}

/* A plant of the site under random actions, and what it teaches. */
static struct arx *learned(void *mem)
{
        const struct arx_structure *st = &site.st;
        const struct arx_args args = gate_arx_args(&site.span);
        double theta[CERTIFY_TERMS_MAX], w[CERTIFY_Y_MAX];
        struct rng r;
        struct arx *m;

        rng_seed(&r, SEED, 1);
        certify_draw(&site, CERTIFY_RANDOM, &r, theta);
        if (arx_create(mem, arx_memsize(st), st, &args, site.lo, site.hi, &m) < 0)
                exit(1);
        for (size_t i = 0; i < st->ny; i++)
                y[i] = i < site.units ? 23 : 18;
        for (size_t k = 0; k <= SAMPLES; k++) {
                const struct arx_window window = {k, y, u, d};

                if (k > 0)
                        (void)arx_add(m, &window, y + k * st->ny);
                for (size_t j = 0; j < st->nu; j++)
                        u[k * st->nu + j] = rng_range(&r, site.u[j].lo, site.u[j].hi);
                for (size_t j = 0; j < st->nd; j++)
                        d[k * st->nd + j] = site.d_max[j] * rng_range(&r, 0.5, 0.8);
                for (size_t i = 0; i < st->ny; i++)
                        w[i] = rng_range(&r, -CERTIFY_NOISE_K, CERTIFY_NOISE_K);
                if (k < SAMPLES)
                        certify_advance(&site, theta, y + k * st->ny, u + k * st->nu, d + k * st->nd, w,
                                        y + (k + 1) * st->ny);
        }
        (void)arx_fit(m, GATE_FIT_MIN);
        return m;
}

/* Seconds of one worst case to the end. */
static double whole_s(void)
{
        const struct arx_structure *st = &site.st;
        void *mem = block(arx_memsize(st));
        const struct arx *m = learned(mem);
        double *work = block(arx_predict_work(m, HORIZON) * sizeof(double)),
               *up = block(HORIZON * st->ny * sizeof(*up)), *u_future = block(HORIZON * st->nu * sizeof(*u_future)),
               *d_future = block(HORIZON * st->nd * sizeof(*d_future));
        const size_t first = SAMPLES + 1 - site.span.window;
        const struct arx_window window = {site.span.window, y + first * st->ny, u + first * st->nu, d + first * st->nd};
        uint8_t active[CERTIFY_Y_MAX];
        struct certify_time t = {0};

        for (size_t k = 0; k < HORIZON; k++) {
                for (size_t j = 0; j < st->nu; j++)
                        u_future[k * st->nu + j] = site.u[j].nominal;
                for (size_t j = 0; j < st->nd; j++)
                        d_future[k * st->nd + j] = site.d_max[j];
        }
        for (size_t i = 0; i < st->ny; i++)
                active[i] = 1;
        for (size_t k = 0; k < REPEATS; k++) {
                const double start = certify_clock_s(true);

                arx_worst(m, &window, HORIZON, u_future, d_future, 1, active, work, up);
                certify_time_add(&t, certify_clock_s(true) - start);
        }
        free(d_future);
        free(u_future);
        free(up);
        free(work);
        free(mem);
        return certify_time_quantile(&t, 0.5);
}

int main(int argc, char **argv)
{
        static const size_t units[] = {4, 16, 64};
        const uint64_t episodes = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
        const double hours = argc > 2 ? strtod(argv[2], NULL) : 3;

        printf("%-6s %9s %12s %9s %9s   %s\n", "units", "decisions", "median us", "p99 us", "max us",
               "one whole worst case, us");
        for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++) {
                struct certify_time t = {0};
                uint64_t decisions = 0;

                for (uint64_t e = 0; e < episodes; e++) {
                        const struct certify_args a = {.seed = SEED,
                                                       .number = e,
                                                       .units = units[k],
                                                       .horizon = HORIZON,
                                                       .steps = (size_t)(hours * 3600 / CERTIFY_STEP_S)};

                        if (certify_episode(&a, &result) < 0)
                                return 1;
                        certify_time_merge(&t, &result.cpu);
                        decisions += result.steps;
                }
                certify_site_init(&site, units[k], HORIZON, true);
                printf("%-6zu %9llu %12.0f %9.0f %9.0f   %.0f\n", units[k], (unsigned long long)decisions,
                       1e6 * certify_time_quantile(&t, 0.5), 1e6 * certify_time_quantile(&t, 0.99), 1e6 * t.max_s,
                       1e6 * whole_s());
        }
        return 0;
}
