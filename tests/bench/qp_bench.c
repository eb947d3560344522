/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How fast the QP solver is on model predictive control in closed loop: half of the states are temperatures on a ring,
 * half slow masses behind them; every actuator cools five temperatures; box and rate of every control, soft limits on
 * both sides of every temperature, a known forecast of heat, noise. Condensed: the variables are the controls.
 *
 *   qp-bench [STEPS]                        all sizes (default 300 steps)
 *   qp-bench STATES ACTUATORS HORIZON STEPS [SEED [FILE EVERY]]
 *
 * The closed loop is replayed REPLAYS times; the solver is deterministic, so a step's time is the least of its replays:
 * what is left is the solver's work, not the machine's. With FILE every EVERY-th problem is written for
 * qp_cvxopt.py, with our solution. Speed is printed and never judged.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/num/num.h"
#include "models/num/qp.h"
#include "models/num/rng.h"

#define REPLAYS 5
#define TOUCHED 5
#define RATE 0.15
#define SOFT_K 1.0 /* limits of the temperatures about their reference */
#define SOFT_LIN 5.0
#define SOFT_QUAD 50.0
#define TRACK 0.2
#define EFFORT 0.1
#define PRICE 0.02
#define NOISE_K 0.03

struct bench {
        size_t nt, m, horizon; /* temperatures, actuators, steps ahead */
        double *b;             /* [nt × m] cooling by actuators, K a step */
        double *gain;          /* [horizon × nt × m] temperatures k + 1 steps after a unit of control */
        double *heat;          /* [nt × 3] mean, swing, phase of the heat load */
        double load;           /* factor on the heat */
        struct rng rng;
        double *temp, *mass, *last; /* state of the plant, controls in force */
        double *free;               /* [horizon × nt] temperatures without control */
        struct qp_dims dims;
        double *h, *a;
        double *g, *lb, *ub, *cl, *cu, *soft_lin, *soft_quad;
        struct qp_vectors v;
};

struct figures {
        double *warm_us, *cold_us; /* [steps] */
        double setup_s, warm_iterations, warm_changes, cold_iterations, saturated, rates, soft, residual;
        size_t iterations_max, unsolved;
};

static double clock_us(clockid_t clock)
{
        struct timespec t;

        (void)clock_gettime(clock, &t);
        return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static double *array(size_t n)
{
        double *p = calloc(n > 0 ? n : 1, sizeof(double));

        if (!p) {
                fputs("qp-bench: out of memory\n", stderr);
                exit(1);
        }
        return p;
}

/* One step of the plant; heat [nt] and cooling of u [m] (NULL: none) act on the temperatures. */
static void plant_step(const struct bench *b, double *temp, double *mass, const double *heat, const double *u)
{
        double *next = array(b->nt);

        for (size_t i = 0; i < b->nt; i++) {
                double left = temp[(i + b->nt - 1) % b->nt], right = temp[(i + 1) % b->nt];

                next[i] = temp[i] + 0.08 * (left + right - 2.0 * temp[i]) + 0.1 * (mass[i] - temp[i]);
                if (heat)
                        next[i] += heat[i];
                if (u)
                        next[i] -= num_dot(b->m, b->b + i * b->m, u);
        }
        for (size_t i = 0; i < b->nt; i++)
                mass[i] += 0.02 * (temp[i] - mass[i]);
        memcpy(temp, next, b->nt * sizeof(double));
        free(next);
}

static void heat_at(const struct bench *b, size_t t, double *heat)
{
        for (size_t i = 0; i < b->nt; i++)
                heat[i] = b->heat[3 * i] + b->heat[3 * i + 1] * sin(0.05 * (double)t + b->heat[3 * i + 2]);
}

/* H and A of the condensed problem. Rows: rates from the second step on (the first one's are bounds), then limits. */
static void condense(struct bench *b)
{
        const size_t nt = b->nt, m = b->m, hz = b->horizon, n = hz * m, rates = (hz - 1) * m;
        double *temp = array(nt), *mass = array(nt), *u = array(m);

        for (size_t j = 0; j < m; j++) {
                memset(temp, 0, nt * sizeof(double));
                memset(mass, 0, nt * sizeof(double));
                u[j] = 1.0;
                for (size_t k = 0; k < hz; k++) {
                        plant_step(b, temp, mass, NULL, k == 0 ? u : NULL);
                        for (size_t i = 0; i < nt; i++)
                                b->gain[(k * nt + i) * m + j] = temp[i];
                }
                u[j] = 0.0;
        }
        for (size_t k = 1; k < hz; k++)
                for (size_t j = 0; j < m; j++) {
                        double *row = b->a + ((k - 1) * m + j) * n;

                        row[k * m + j] = 1.0;
                        row[(k - 1) * m + j] = -1.0;
                }
        for (size_t k = 0; k < hz; k++)
                for (size_t i = 0; i < nt; i++)
                        for (size_t s = 0; s <= k; s++)
                                memcpy(b->a + (rates + k * nt + i) * n + s * m, b->gain + ((k - s) * nt + i) * m,
                                       m * sizeof(double));
        for (size_t r = 0; r < hz * nt; r++) {
                const double *row = b->a + (rates + r) * n;

                for (size_t i = 0; i < n; i++)
                        for (size_t j = 0; row[i] != 0.0 && j < n; j++)
                                b->h[i * n + j] += TRACK * row[i] * row[j];
        }
        for (size_t i = 0; i < n; i++)
                b->h[i * n + i] += EFFORT;
        free(temp);
        free(mass);
        free(u);
}

static void bench_open(struct bench *b, size_t nx, size_t m, size_t horizon)
{
        const size_t nt = nx / 2, n = horizon * m, rates = (horizon - 1) * m, rows = rates + horizon * nt;

        *b = (struct bench){.nt = nt, .m = m, .horizon = horizon, .dims = {n, rows, horizon * nt}};
        b->b = array(nt * m);
        b->gain = array(horizon * nt * m);
        b->heat = array(nt * 3);
        b->temp = array(nt);
        b->mass = array(nt);
        b->last = array(m);
        b->free = array(horizon * nt);
        b->h = array(n * n);
        b->a = array(rows * n);
        b->g = array(n);
        b->lb = array(n);
        b->ub = array(n);
        b->cl = array(rows);
        b->cu = array(rows);
        b->soft_lin = array(rows);
        b->soft_quad = array(rows);
        b->v = (struct qp_vectors){b->g, b->lb, b->ub, b->cl, b->cu, b->soft_lin, b->soft_quad};
        for (size_t r = 0; r < rows; r++) {
                b->soft_lin[r] = r < rates ? (double)INFINITY : SOFT_LIN;
                b->soft_quad[r] = r < rates ? 0.0 : SOFT_QUAD;
        }
}

static void bench_close(struct bench *b)
{
        double *all[] = {b->b, b->gain, b->heat, b->temp, b->mass, b->last, b->free,     b->h,
                         b->a, b->g,    b->lb,   b->ub,   b->cl,   b->cu,   b->soft_lin, b->soft_quad};

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                free(all[i]);
}

/* The plant as it is before the first step; the same seed gives the same plant, heat and noise. */
static void bench_reset(struct bench *b, uint64_t seed)
{
        static const double share[TOUCHED] = {0.3, 0.6, 1.0, 0.6, 0.3};

        rng_seed(&b->rng, seed, 1);
        memset(b->b, 0, b->nt * b->m * sizeof(double));
        for (size_t j = 0; j < b->m; j++) {
                double gain = rng_range(&b->rng, 0.15, 0.25) * (double)b->nt / (double)b->m;

                for (size_t s = 0; s < TOUCHED; s++)
                        b->b[(j * b->nt / b->m + s + b->nt - 2) % b->nt * b->m + j] += gain * share[s];
        }
        for (size_t i = 0; i < b->nt; i++) {
                b->heat[3 * i] = b->load * rng_range(&b->rng, 0.0, 0.5);
                b->heat[3 * i + 1] = b->load * rng_range(&b->rng, 0.0, 0.25);
                b->heat[3 * i + 2] = rng_range(&b->rng, 0.0, 6.28);
                b->temp[i] = b->mass[i] = 0.5 * rng_normal(&b->rng);
        }
        for (size_t j = 0; j < b->m; j++)
                b->last[j] = 0.5;
}

/* Vectors of the problem at step t */
static void bench_vectors(struct bench *b, size_t t)
{
        const size_t nt = b->nt, m = b->m, hz = b->horizon, n = hz * m, rates = (hz - 1) * m;
        double *temp = array(nt), *mass = array(nt), *heat = array(nt);

        memcpy(temp, b->temp, nt * sizeof(double));
        memcpy(mass, b->mass, nt * sizeof(double));
        for (size_t k = 0; k < hz; k++) {
                heat_at(b, t + k, heat);
                plant_step(b, temp, mass, heat, NULL);
                memcpy(b->free + k * nt, temp, nt * sizeof(double));
        }
        for (size_t i = 0; i < n; i++)
                b->g[i] = PRICE;
        for (size_t r = 0; r < hz * nt; r++) {
                const double *row = b->a + (rates + r) * n;

                b->cl[rates + r] = -SOFT_K - b->free[r];
                b->cu[rates + r] = SOFT_K - b->free[r];
                for (size_t i = 0; i < n; i++)
                        b->g[i] += TRACK * row[i] * b->free[r];
        }
        for (size_t r = 0; r < rates; r++) {
                b->cl[r] = -RATE;
                b->cu[r] = RATE;
        }
        for (size_t i = 0; i < n; i++) {
                b->lb[i] = i < m ? fmax(0.0, b->last[i] - RATE) : 0.0;
                b->ub[i] = i < m ? fmin(1.0, b->last[i] + RATE) : 1.0;
        }
        free(temp);
        free(mass);
        free(heat);
}

static void bench_apply(struct bench *b, size_t t, const double *u)
{
        double *heat = array(b->nt);

        heat_at(b, t, heat);
        plant_step(b, b->temp, b->mass, heat, u);
        for (size_t i = 0; i < b->nt; i++)
                b->temp[i] += NOISE_K * rng_normal(&b->rng);
        memcpy(b->last, u, b->m * sizeof(double));
        free(heat);
}

static struct qp *open_solver(const struct bench *b, void **ret_mem)
{
        size_t size = qp_bytes(&b->dims);
        struct qp *qp;

        *ret_mem = malloc(size);
        if (!*ret_mem || qp_init(&b->dims, *ret_mem, size, &qp) < 0 || qp_factor(qp, b->h, b->a) < 0) {
                fputs("qp-bench: the solver cannot be set up\n", stderr);
                exit(1);
        }
        return qp;
}

static struct qp_result timed(struct qp *qp, const struct bench *b, double *us)
{
        struct qp_settings s = qp_settings_default();
        struct qp_result r;
        double cpu = clock_us(CLOCK_THREAD_CPUTIME_ID), start = clock_us(CLOCK_MONOTONIC);

        if (qp_solve(qp, &b->v, &s, &r) < 0) {
                fputs("qp-bench: qp_solve refused\n", stderr);
                exit(1);
        }
        start = clock_us(CLOCK_MONOTONIC) - start;
        cpu = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu;
        *us = fmin(*us, fmin(start, cpu)); /* the thread's own time when it was interrupted */
        return r;
}

static void count(struct figures *f, const struct bench *b, const struct qp_result *r)
{
        const size_t n = b->dims.n, rates = (b->horizon - 1) * b->m;

        for (size_t i = 0; i < n + b->dims.m; i++)
                if (r->active[i] != 0)
                        *(i < n ? &f->saturated : i < n + rates ? &f->rates : &f->soft) += 1.0;
        f->warm_iterations += (double)r->iterations;
        f->warm_changes += (double)r->changes;
        f->iterations_max = r->iterations > f->iterations_max ? r->iterations : f->iterations_max;
        f->residual = fmax(f->residual, fmax(r->primal_residual, r->dual_residual));
        f->unsolved += r->status != QP_SOLVED;
}

static void write_doubles(FILE *out, size_t n, const double *x)
{
        if (fwrite(x, sizeof(double), n, out) != n) {
                fputs("qp-bench: cannot write\n", stderr);
                exit(1);
        }
}

/* H and A once, then for every problem its vectors, our x, our objective and our warm time; all of it doubles. */
static void write_problem(FILE *out, const struct bench *b, const struct qp_result *r, double us, bool first)
{
        const size_t n = b->dims.n, m = b->dims.m;

        if (first) {
                write_doubles(out, 3, (double[]){(double)n, (double)m, (double)b->m});
                write_doubles(out, n * n, b->h);
                write_doubles(out, m * n, b->a);
                write_doubles(out, m, b->soft_lin);
                write_doubles(out, m, b->soft_quad);
        }
        write_doubles(out, n, b->g);
        write_doubles(out, n, b->lb);
        write_doubles(out, n, b->ub);
        write_doubles(out, m, b->cl);
        write_doubles(out, m, b->cu);
        write_doubles(out, n, r->x);
        write_doubles(out, 2, (double[]){r->objective, us});
}

/* Replays the closed loop. The last replay writes and counts. */
static void run(struct bench *b, size_t steps, uint64_t seed, FILE *out, size_t every, struct figures *f)
{
        double start;

        bench_reset(b, seed);
        condense(b);
        for (size_t t = 0; t < steps; t++)
                f->warm_us[t] = f->cold_us[t] = (double)INFINITY;
        for (size_t replay = 0; replay < REPLAYS; replay++)
                for (int cold = 0; cold < 2; cold++) {
                        void *mem;
                        struct qp *qp;

                        start = clock_us(CLOCK_MONOTONIC);
                        qp = open_solver(b, &mem);
                        f->setup_s = 1e-6 * (clock_us(CLOCK_MONOTONIC) - start);
                        bench_reset(b, seed);
                        for (size_t t = 0; t < steps; t++) {
                                bool last = replay == REPLAYS - 1;
                                struct qp_result r;

                                bench_vectors(b, t);
                                if (cold)
                                        qp_guess(qp, NULL);
                                r = timed(qp, b, cold ? &f->cold_us[t] : &f->warm_us[t]);
                                if (!r.x)
                                        exit(1);
                                if (last && cold)
                                        f->cold_iterations += (double)r.iterations;
                                if (last && !cold)
                                        count(f, b, &r);
                                if (last && !cold && out && t % every == every - 1)
                                        write_problem(out, b, &r, f->warm_us[t], t == every - 1);
                                bench_apply(b, t, r.x);
                        }
                        free(mem);
                }
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double quantile(double *x, size_t n, double p)
{
        qsort(x, n, sizeof(double), by_value);
        return x[(size_t)(p * (double)(n - 1) + 0.5)];
}

static void size(size_t nx, size_t m, size_t horizon, double load, size_t steps, uint64_t seed, FILE *out, size_t every)
{
        struct figures f = {.warm_us = array(steps), .cold_us = array(steps)};
        struct bench b;
        double s = (double)steps, n = (double)(horizon * m);

        bench_open(&b, nx, m, horizon);
        b.load = load;
        run(&b, steps, seed, out, every, &f);
        f.warm_us[0] = f.warm_us[steps > 1]; /* the first one is cold */
        printf("%zu/%zu/%zu, heat %.2f: %zu variables, %zu rows, set-up %.3g s, %zu steps\n", nx, m, horizon, load,
               b.dims.n, b.dims.m, f.setup_s, steps);
        printf("  warm  median %.2f us, p95 %.2f, p99 %.2f, max %.2f; iterations %.1f (max %zu), changes %.1f\n",
               quantile(f.warm_us, steps, 0.5), quantile(f.warm_us, steps, 0.95), quantile(f.warm_us, steps, 0.99),
               quantile(f.warm_us, steps, 1.0), f.warm_iterations / s, f.iterations_max, f.warm_changes / s);
        printf("  cold  median %.2f us, p99 %.2f, max %.2f; iterations %.1f\n", quantile(f.cold_us, steps, 0.5),
               quantile(f.cold_us, steps, 0.99), quantile(f.cold_us, steps, 1.0), f.cold_iterations / s);
        printf("  active: %.1f %% of controls at a bound, %.1f rates, %.1f soft; residual %.1e; not solved %zu\n",
               100.0 * f.saturated / s / n, f.rates / s, f.soft / s, f.residual, f.unsolved);
        bench_close(&b);
        free(f.warm_us);
        free(f.cold_us);
}

static size_t number(const char *text)
{
        char *end;
        unsigned long long v = strtoull(text, &end, 10);

        if (*end != '\0' || v < 1 || v > 1000000) {
                fprintf(stderr, "qp-bench: %s is not a number from 1 to 1000000 (see the head of the file)\n", text);
                exit(2);
        }
        return (size_t)v;
}

int main(int argc, char **argv)
{
        size_t steps = argc > 1 && argc < 5 ? number(argv[1]) : 300;

        if (argc >= 5) {
                FILE *out = argc > 7 ? fopen(argv[6], "wb") : NULL;

                if (argc > 7 && !out) {
                        perror(argv[6]);
                        return 1;
                }
                size(number(argv[1]), number(argv[2]), number(argv[3]), 1.0, number(argv[4]),
                     argc > 5 ? number(argv[5]) : 1, out, argc > 7 ? number(argv[7]) : 1);
                if (out && fclose(out) != 0) {
                        perror(argv[6]);
                        return 1;
                }
                return 0;
        }
        size(8, 4, 10, 1.0, steps, 1, NULL, 1);
        size(40, 20, 10, 1.0, steps, 1, NULL, 1);
        size(40, 20, 10, 1.2, steps, 1, NULL, 1); /* more heat than the actuators can take away */
        size(40, 20, 30, 1.0, steps / 3 + 1, 1, NULL, 1);
        size(200, 100, 10, 1.0, steps / 10 + 1, 1, NULL, 1);
        return 0;
}
