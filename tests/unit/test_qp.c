/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A convex QP is solved if and only if its KKT conditions hold: they are counted here from the problem, not taken from
 * the solver's own residuals. COOLPLANE_SEED repeats a run, COOLPLANE_QPS sets how many random problems (1500). */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/num/num.h"
#include "models/num/qp.h"
#include "models/num/rng.h"
#include "tests/unit/alloc_count.h"

#define N_MAX 24
#define M_MAX 36
#define INF ((double)INFINITY)

static uint64_t seed;
static uint32_t problems = 1500;

struct problem {
        struct qp_dims dims;
        double h[N_MAX * N_MAX], a[M_MAX * N_MAX];
        double g[N_MAX], lb[N_MAX], ub[N_MAX], cl[M_MAX], cu[M_MAX], soft_lin[M_MAX], soft_quad[M_MAX];
        double inside[N_MAX]; /* satisfies bounds and rows */
        struct qp_vectors v;
};

struct solver {
        void *mem;
        struct qp *qp;
};

static void point_vectors(struct problem *p)
{
        p->v = (struct qp_vectors){p->g, p->lb, p->ub, p->cl, p->cu, p->soft_lin, p->soft_quad};
}

static struct solver open_solver(const struct problem *p)
{
        size_t size = qp_bytes(&p->dims);
        struct solver s = {.mem = malloc(size)};

        assert_non_null(s.mem);
        memset(s.mem, 0x5a, size); /* nothing may rely on zeroed memory */
        assert_int_equal(qp_init(&p->dims, s.mem, size, &s.qp), 0);
        assert_int_equal(qp_factor(s.qp, p->h, p->a), 0);
        return s;
}

static struct qp_result solve(struct solver *s, const struct problem *p)
{
        struct qp_settings set = qp_settings_default();
        struct qp_result r;

        assert_int_equal(qp_solve(s->qp, &p->v, &set, &r), 0);
        return r;
}

/* An interval around `at`: infinite sides, equalities and sides that touch are common. */
static void random_sides(struct rng *r, double at, bool equalities, double *lo, double *hi)
{
        *lo = rng_below(r, 4) == 0 ? -INF : at - (rng_below(r, 4) == 0 ? 0.0 : rng_uniform(r));
        *hi = rng_below(r, 4) == 0 ? INF : at + (rng_below(r, 4) == 0 ? 0.0 : rng_uniform(r));
        if (equalities && rng_below(r, 10) == 0)
                *lo = *hi = at;
}

/* Feasible by construction; some rows repeat another one or are a sum of two, some are soft. */
static void random_problem(struct rng *r, struct problem *p)
{
        size_t n = 1 + rng_below(r, N_MAX), m = rng_below(r, M_MAX + 1);
        double root[N_MAX * N_MAX], shift = pow(10.0, rng_range(r, -4.0, 1.0));
        bool with_soft = rng_below(r, 2) == 0, sparse = rng_below(r, 2) == 0;

        memset(p, 0, sizeof(*p));
        p->dims = (struct qp_dims){n, m, with_soft ? m : 0};
        for (size_t i = 0; i < n * n; i++)
                root[i] = rng_normal(r);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                        p->h[i * n + j] = num_dot(n, root + i * n, root + j * n) + (i == j ? shift : 0.0);
        for (size_t j = 0; j < n; j++) {
                p->g[j] = 5.0 * rng_normal(r);
                p->inside[j] = rng_normal(r);
                random_sides(r, p->inside[j], n > 3 && j < n / 4, &p->lb[j], &p->ub[j]);
        }
        for (size_t i = 0; i < m; i++) {
                uint32_t kind = i < 2 ? 9 : rng_below(r, 10);

                for (size_t j = 0; j < n; j++) {
                        double *aij = &p->a[i * n + j];

                        if (kind == 0)
                                *aij = p->a[(i - 1) * n + j];
                        else if (kind == 1)
                                *aij = p->a[(i - 1) * n + j] - 2.0 * p->a[(i - 2) * n + j];
                        else
                                *aij = sparse && rng_below(r, 2) == 0 ? 0.0 : rng_normal(r);
                }
                random_sides(r, num_dot(n, p->a + i * n, p->inside), m < n, &p->cl[i], &p->cu[i]);
                if (kind == 0 && p->soft_lin[i - 1] == INF && rng_below(r, 2) == 0) {
                        p->cl[i] = p->cl[i - 1];
                        p->cu[i] = p->cu[i - 1];
                }
                p->soft_lin[i] = INF;
                if (with_soft && rng_below(r, 2) == 0) {
                        double away = rng_normal(r); /* soft rows need not be feasible */

                        p->soft_lin[i] = rng_below(r, 3) == 0 ? 0.0 : 3.0 * rng_uniform(r);
                        p->soft_quad[i] = pow(10.0, rng_range(r, -3.0, 4.0));
                        p->cl[i] += away;
                        p->cu[i] += away;
                }
        }
        point_vectors(p);
}

static double at_most(double v, double limit, const char *what)
{
        if (!(v <= limit)) {
                print_error("%s %g, limit %g\n", what, v, limit);
                fail();
        }
        return v;
}

/* The KKT conditions of the problem as given, each beside the size of its own terms. */
static void check_kkt(const struct problem *p, const struct qp_result *r, double tol)
{
        size_t n = p->dims.n, m = p->dims.m;
        double lam_max = 1.0;

        assert_non_null(r->x);
        for (size_t j = 0; j < n; j++) {
                double grad = p->g[j] + r->lam_x[j], size = 1.0 + fabs(p->g[j]) + fabs(r->lam_x[j]);

                for (size_t k = 0; k < n; k++) {
                        grad += p->h[j * n + k] * r->x[k];
                        size += fabs(p->h[j * n + k] * r->x[k]);
                }
                for (size_t i = 0; i < m; i++) {
                        grad += p->a[i * n + j] * r->lam_row[i];
                        size += fabs(p->a[i * n + j] * r->lam_row[i]);
                }
                at_most(fabs(grad), tol * size, "gradient");
                lam_max = fmax(lam_max, fabs(r->lam_x[j]));
                assert_true(r->x[j] >= p->lb[j] && r->x[j] <= p->ub[j]);
                if (r->lam_x[j] > 0.0)
                        assert_true(r->x[j] == p->ub[j]);
                if (r->lam_x[j] < 0.0)
                        assert_true(r->x[j] == p->lb[j]);
        }
        for (size_t i = 0; i < m; i++) {
                double ax = num_dot(n, p->a + i * n, r->x), lam = r->lam_row[i], size = 1.0, s = 0.0;

                for (size_t j = 0; j < n; j++)
                        size += fabs(p->a[i * n + j] * r->x[j]);
                if (isfinite(p->soft_lin[i]) && fabs(lam) > p->soft_lin[i])
                        s = (fabs(lam) - p->soft_lin[i]) / p->soft_quad[i];
                size += s;
                lam_max = fmax(lam_max, fabs(lam));
                at_most(ax - p->cu[i], s + 10.0 * tol * size, "row above");
                at_most(p->cl[i] - ax, s + 10.0 * tol * size, "row below");
                if (lam > 0.0)
                        at_most(fabs(ax - s - p->cu[i]), tol * size, "upper side");
                if (lam < 0.0)
                        at_most(fabs(ax + s - p->cl[i]), tol * size, "lower side");
        }
        at_most(r->primal_residual, 1e-5, "primal residual");
        at_most(r->dual_residual, 1e-6 * lam_max, "dual residual");
        at_most(fabs(r->objective - r->bound), tol * 1e3 * (1.0 + fabs(r->objective)), "duality gap");
}

/* Aᵀ y and the bounds, counted apart from qp_certificate_radius: largest of yᵀ A x over the box below what rows allow
 */
static void check_certificate(const struct problem *p, const struct qp_result *r)
{
        size_t n = p->dims.n, m = p->dims.m;
        double least = 0.0, allowed = 0.0, radius;

        assert_null(r->x);
        assert_non_null(r->certificate);
        for (size_t i = 0; i < m; i++) {
                double y = r->certificate[i];

                if (y == 0.0)
                        continue;
                assert_true(p->soft_lin[i] == INF);
                allowed += y * (y > 0.0 ? p->cu[i] : p->cl[i]);
        }
        for (size_t j = 0; j < n; j++) {
                double e = 0.0, at;

                for (size_t i = 0; i < m; i++)
                        e += p->a[i * n + j] * r->certificate[i];
                at = e > 0.0 ? p->lb[j] : p->ub[j];
                least += isfinite(at) ? e * at : -fabs(e) * 1e4;
        }
        assert_true(least > allowed);
        radius = qp_certificate_radius(&p->dims, p->a, &p->v, r->certificate);
        assert_true(radius > 1e4);
}

static void test_random_feasible(void **state)
{
        struct rng r;
        static struct problem p;
        size_t iterations = 0, most = 0, active = 0, soft_beyond = 0;

        (void)state;
        rng_seed(&r, seed, 1);
        for (uint32_t rep = 0; rep < problems; rep++) {
                struct solver s;
                struct qp_result res;

                random_problem(&r, &p);
                s = open_solver(&p);
                res = solve(&s, &p);
                if (res.status != QP_SOLVED)
                        print_error("problem %u: %s\n", rep, qp_status_name(res.status));
                assert_int_equal(res.status, QP_SOLVED);
                check_kkt(&p, &res, 2e-7);
                iterations += res.iterations;
                most = res.iterations > most ? res.iterations : most;
                for (size_t i = 0; i < p.dims.n + p.dims.m; i++) {
                        active += res.active[i] != 0;
                        soft_beyond += res.active[i] == 2 || res.active[i] == -2;
                }
                free(s.mem);
        }
        printf("%u problems: %.1f iterations, at most %zu; %zu active, %zu soft beyond\n", problems,
               (double)iterations / problems, most, active, soft_beyond);
        assert_true(active > problems && soft_beyond > problems / 4);
}

/* From any guess, however wrong, the same optimum. */
static void test_random_guess(void **state)
{
        struct rng r;
        static struct problem p;

        (void)state;
        rng_seed(&r, seed, 2);
        for (uint32_t rep = 0; rep < problems / 2; rep++) {
                struct solver s;
                struct qp_result res;
                int guess[N_MAX + M_MAX];
                double x[N_MAX];

                random_problem(&r, &p);
                s = open_solver(&p);
                res = solve(&s, &p);
                memcpy(x, res.x, p.dims.n * sizeof(double));
                for (size_t i = 0; i < p.dims.n + p.dims.m; i++)
                        guess[i] = (int)rng_below(&r, 7) - 3; /* ±3 counts as 0 */
                qp_guess(s.qp, guess);
                res = solve(&s, &p);
                assert_int_equal(res.status, QP_SOLVED);
                check_kkt(&p, &res, 2e-7);
                for (size_t j = 0; j < p.dims.n; j++)
                        at_most(fabs(x[j] - res.x[j]), 1e-5 * (1.0 + fabs(x[j])), "from a guess");
                free(s.mem);
        }
}

/* Sides at random: every outcome is a solution or a proof that there is none. */
static void test_random_infeasible(void **state)
{
        struct rng r;
        static struct problem p;
        size_t infeasible = 0;

        (void)state;
        rng_seed(&r, seed, 3);
        for (uint32_t rep = 0; rep < problems; rep++) {
                struct solver s;
                struct qp_result res;

                random_problem(&r, &p);
                for (size_t i = 0; i < p.dims.m; i++) {
                        double away = rng_below(&r, 3) == 0 ? rng_normal(&r) : 0.0;

                        p.cl[i] += away;
                        p.cu[i] += away;
                }
                s = open_solver(&p);
                res = solve(&s, &p);
                if (res.status == QP_INFEASIBLE) {
                        infeasible++;
                        check_certificate(&p, &res);
                } else {
                        if (res.status != QP_SOLVED)
                                print_error("problem %u: %s\n", rep, qp_status_name(res.status));
                        assert_int_equal(res.status, QP_SOLVED);
                        check_kkt(&p, &res, 2e-7);
                }
                free(s.mem);
        }
        printf("%zu of %u infeasible\n", infeasible, problems);
        assert_true(infeasible > problems / 20 && infeasible < problems);
}

/* A soft row is the same as a hard row with a slack variable of its own. */
static void test_soft_is_slack(void **state)
{
        struct rng r;
        static struct problem p, q;

        (void)state;
        rng_seed(&r, seed, 4);
        for (uint32_t rep = 0; rep < problems / 4; rep++) {
                struct solver s, t;
                struct qp_result a, b;
                size_t n, m;

                do
                        random_problem(&r, &p);
                while (p.dims.n + p.dims.m > N_MAX || p.dims.n_soft == 0 || 2 * p.dims.m > M_MAX);
                n = p.dims.n;
                m = p.dims.m;
                memset(&q, 0, sizeof(q));
                q.dims = (struct qp_dims){n + m, 2 * m, 0};
                for (size_t j = 0; j < n + m; j++) {
                        bool soft = j >= n && isfinite(p.soft_lin[j - n]);

                        for (size_t k = 0; k < n && j < n; k++)
                                q.h[j * (n + m) + k] = p.h[j * n + k];
                        if (j >= n)
                                q.h[j * (n + m) + j] = soft ? p.soft_quad[j - n] : 1.0;
                        q.g[j] = j < n ? p.g[j] : soft ? p.soft_lin[j - n] : 0.0;
                        q.lb[j] = j < n ? p.lb[j] : 0.0;
                        q.ub[j] = j < n ? p.ub[j] : soft ? INF : 0.0;
                }
                for (size_t i = 0; i < m; i++) {
                        for (size_t j = 0; j < n; j++)
                                q.a[i * (n + m) + j] = q.a[(m + i) * (n + m) + j] = p.a[i * n + j];
                        q.a[i * (n + m) + n + i] = -1.0;
                        q.a[(m + i) * (n + m) + n + i] = 1.0;
                        q.cl[i] = -INF;
                        q.cu[i] = p.cu[i];
                        q.cl[m + i] = p.cl[i];
                        q.cu[m + i] = INF;
                        q.soft_lin[i] = q.soft_lin[m + i] = INF;
                }
                point_vectors(&q);
                for (size_t i = 0; i < 2 * m; i++) /* -inf ≤ row ≤ inf is a row like any other */
                        assert_true(q.cl[i] <= q.cu[i] || isnan(q.cl[i]));
                s = open_solver(&p);
                t = open_solver(&q);
                a = solve(&s, &p);
                b = solve(&t, &q);
                assert_int_equal(a.status, QP_SOLVED);
                assert_int_equal(b.status, QP_SOLVED);
                check_kkt(&q, &b, 2e-7);
                for (size_t j = 0; j < n; j++)
                        at_most(fabs(a.x[j] - b.x[j]), 1e-5 * (1.0 + fabs(a.x[j])), "slack variable");
                at_most(fabs(a.objective - b.objective), 1e-6 * (1.0 + fabs(a.objective)), "objective");
                free(s.mem);
                free(t.mem);
        }
}

/* Variables by 1e-6..1e6, rows by the same: the solution is that of the problem in ordinary units. */
static void test_badly_scaled(void **state)
{
        struct rng r;
        static struct problem p, q;

        (void)state;
        rng_seed(&r, seed, 5);
        for (uint32_t rep = 0; rep < problems / 4; rep++) {
                double unit[N_MAX], row[M_MAX];
                struct solver s, t;
                struct qp_result a, b;
                size_t n, m;

                random_problem(&r, &p);
                n = p.dims.n;
                m = p.dims.m;
                q = p;
                point_vectors(&q);
                for (size_t j = 0; j < n; j++)
                        unit[j] = pow(10.0, rng_range(&r, -6.0, 6.0)); /* x = unit · x' */
                for (size_t i = 0; i < m; i++)
                        row[i] = pow(10.0, rng_range(&r, -6.0, 6.0));
                for (size_t j = 0; j < n; j++) {
                        for (size_t k = 0; k < n; k++)
                                q.h[j * n + k] *= unit[j] * unit[k];
                        q.g[j] *= unit[j];
                        q.lb[j] /= unit[j];
                        q.ub[j] /= unit[j];
                }
                for (size_t i = 0; i < m; i++) {
                        for (size_t j = 0; j < n; j++)
                                q.a[i * n + j] *= row[i] * unit[j];
                        q.cl[i] *= row[i];
                        q.cu[i] *= row[i];
                        q.soft_lin[i] /= row[i];
                        q.soft_quad[i] /= row[i] * row[i];
                }
                s = open_solver(&p);
                t = open_solver(&q);
                a = solve(&s, &p);
                b = solve(&t, &q);
                assert_int_equal(a.status, QP_SOLVED);
                if (b.status != QP_SOLVED)
                        print_error("problem %u: %s\n", rep, qp_status_name(b.status));
                assert_int_equal(b.status, QP_SOLVED);
                for (size_t j = 0; j < n; j++)
                        at_most(fabs(a.x[j] - unit[j] * b.x[j]), 1e-4 * (1.0 + fabs(a.x[j])), "scaled");
                free(s.mem);
                free(t.mem);
        }
}

/* A drifting problem: the warm solver, a cold one and its copy. The copy must agree to the byte. */
static void test_warm_is_cold(void **state)
{
        struct rng r;
        static struct problem p;
        size_t warm = 0, cold = 0;

        (void)state;
        rng_seed(&r, seed, 6);
        for (uint32_t rep = 0; rep < problems / 30; rep++) {
                struct solver s, copy, c;

                random_problem(&r, &p);
                s = open_solver(&p);
                copy = open_solver(&p);
                c = open_solver(&p);
                for (size_t step = 0; step < 20; step++) {
                        struct qp_result a, b, d;

                        for (size_t j = 0; j < p.dims.n; j++)
                                p.g[j] += 0.3 * rng_normal(&r);
                        if (step % 7 == 6) /* weights may change too, a soft row may become hard */
                                for (size_t i = 0; i < p.dims.m; i++)
                                        if (isfinite(p.soft_lin[i]))
                                                p.soft_quad[i] *= rng_range(&r, 0.5, 2.0);
                        if (step == 12)
                                assert_int_equal(qp_factor(s.qp, p.h, p.a), 0); /* the working set is kept */
                        if (step == 12)
                                assert_int_equal(qp_factor(copy.qp, p.h, p.a), 0);
                        a = solve(&s, &p);
                        d = solve(&copy, &p);
                        qp_guess(c.qp, NULL);
                        b = solve(&c, &p);
                        assert_int_equal(a.status, QP_SOLVED);
                        assert_int_equal(b.status, QP_SOLVED);
                        check_kkt(&p, &a, 2e-7);
                        assert_memory_equal(a.x, d.x, p.dims.n * sizeof(double));
                        if (p.dims.m > 0)
                                assert_memory_equal(a.lam_row, d.lam_row, p.dims.m * sizeof(double));
                        for (size_t j = 0; j < p.dims.n; j++)
                                at_most(fabs(a.x[j] - b.x[j]), 1e-5 * (1.0 + fabs(a.x[j])), "warm and cold");
                        warm += a.changes;
                        cold += b.changes;
                }
                free(s.mem);
                free(copy.mem);
                free(c.mem);
        }
        printf("changes of the working set: %zu warm, %zu cold\n", warm, cold);
        assert_true(warm < cold);
}

static void test_known_optima(void **state)
{
        (void)state;
        static struct problem p;
        struct solver s;
        struct qp_result r;

        /* Goldfarb and Idnani 1983, section 5: minimise ½ x'[4 −2; −2 4]x + (6, 0)'x, x ≥ 0, x1 + x2 ≥ 2: (½, 3/2) */
        memset(&p, 0, sizeof(p));
        p.dims = (struct qp_dims){2, 1, 0};
        memcpy(p.h, (double[]){4, -2, -2, 4}, 4 * sizeof(double));
        memcpy(p.a, (double[]){1, 1}, 2 * sizeof(double));
        p.g[0] = 6;
        p.ub[0] = p.ub[1] = INF;
        p.cl[0] = 2;
        p.cu[0] = INF;
        p.soft_lin[0] = INF;
        point_vectors(&p);
        s = open_solver(&p);
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_SOLVED);
        assert_true(fabs(r.x[0] - 0.5) < 1e-12 && fabs(r.x[1] - 1.5) < 1e-12);
        assert_true(fabs(r.lam_row[0] + 5.0) < 1e-12 && r.lam_x[0] == 0.0 && r.lam_x[1] == 0.0);
        assert_true(fabs(r.objective - 6.5) < 1e-12 && fabs(r.bound - 6.5) < 1e-12);
        assert_true(r.active[2] == -1 && r.active[0] == 0);
        free(s.mem);
}

/* One variable, ½ x² + g x in [lb, ub]; no rows. */
static void one(double g, double lb, double ub, double x, double lam)
{
        static struct problem p;
        struct solver s;
        struct qp_result r;

        memset(&p, 0, sizeof(p));
        p.dims = (struct qp_dims){1, 0, 0};
        p.h[0] = 1.0;
        p.g[0] = g;
        p.lb[0] = lb;
        p.ub[0] = ub;
        p.v = (struct qp_vectors){.g = p.g, .lb = p.lb, .ub = p.ub};
        s = open_solver(&p);
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_SOLVED);
        assert_true(r.x[0] == x && r.lam_x[0] == lam);
        assert_true(r.primal_residual == 0.0 && r.dual_residual == 0.0 && r.complementarity == 0.0);
        free(s.mem);
}

static void test_one_variable(void **state)
{
        (void)state;
        one(-2, -INF, INF, 2, 0);
        one(-2, -1, 1, 1, 1);
        one(2, -1, 1, -1, -1);
        one(-2, 0, 2, 2, 0);  /* touches, no force */
        one(-2, 5, 5, 5, -3); /* fixed */
        one(-2, 0, 0, 0, 2);
        one(0, 0, 0, 0, 0);
        one(0, 0, INF, 0, 0);
        one(3, -INF, 7, -3, 0);
        one(3, 2, INF, 2, -5);
}

/* ½ x² with the soft row x ≥ 3, penalty w s + ½ k s²: every piece of it and both sides */
static void test_soft_pieces(void **state)
{
        static struct problem p;
        struct solver s;

        (void)state;
        memset(&p, 0, sizeof(p));
        p.dims = (struct qp_dims){1, 1, 1};
        p.h[0] = p.a[0] = 1.0;
        p.lb[0] = -INF;
        p.ub[0] = INF;
        p.soft_quad[0] = 1.0;
        point_vectors(&p);
        s = open_solver(&p);
        for (int side = -1; side <= 1; side += 2) {
                const double w[] = {4, 3, 1, 0, INF}, x[] = {3, 3, 2, 1.5, 3};

                p.cl[0] = side < 0 ? 3 : -INF;
                p.cu[0] = side < 0 ? INF : -3;
                for (size_t k = 0; k < 5; k++) {
                        struct qp_result r;

                        p.soft_lin[0] = w[k];
                        r = solve(&s, &p);
                        assert_int_equal(r.status, QP_SOLVED);
                        assert_true(fabs(r.x[0] + side * x[k]) < 1e-9);
                        assert_true(fabs(r.lam_row[0] - side * x[k]) < 1e-9);
                        if (k < 4)
                                assert_true(fabs(r.objective - 0.5 * x[k] * x[k] - w[k] * (3 - x[k]) -
                                                 0.5 * (3 - x[k]) * (3 - x[k])) < 1e-9);
                }
        }
        free(s.mem);
}

/* Ten copies of a row, an equality said three times, every constraint through one point; then one copy contradicts. */
static void test_degenerate(void **state)
{
        static struct problem p;
        struct solver s;
        struct qp_result r;

        (void)state;
        memset(&p, 0, sizeof(p));
        p.dims = (struct qp_dims){3, 14, 0};
        for (size_t j = 0; j < 3; j++) {
                p.h[4 * j] = 1.0;
                p.g[j] = 1.0;
                p.ub[j] = INF;
        }
        for (size_t i = 0; i < 14; i++) {
                for (size_t j = 0; j < 3; j++)
                        p.a[3 * i + j] = i < 10 ? (double)(1 + j) : i < 13 ? (double)(i - 9) : (double)(j == 2);
                p.cl[i] = 0.0;
                p.cu[i] = i < 10 ? INF : 0.0;
                p.soft_lin[i] = INF;
        }
        p.cu[13] = 1.0; /* x3 within 0..1 beside its bound */
        point_vectors(&p);
        s = open_solver(&p);
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_SOLVED);
        check_kkt(&p, &r, 1e-12);
        for (size_t j = 0; j < 3; j++)
                assert_true(fabs(r.x[j]) < 1e-12);
        p.cl[12] = p.cu[12] = 1.0; /* 3 (x1 + x2 + x3) = 1 beside x1 + x2 + x3 = 0 */
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_INFEASIBLE);
        check_certificate(&p, &r);
        p.cl[12] = p.cu[12] = 0.0; /* and back */
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_SOLVED);
        free(s.mem);
}

static void test_certificates(void **state)
{
        static struct problem p;
        struct solver s;
        struct qp_result r;

        (void)state;
        /* 0'x ≥ 1 with free variables; then x1 + x2 ≥ 5 in the unit box */
        memset(&p, 0, sizeof(p));
        p.dims = (struct qp_dims){2, 1, 0};
        p.h[0] = p.h[3] = 1.0;
        for (size_t j = 0; j < 2; j++) {
                p.lb[j] = -INF;
                p.ub[j] = INF;
        }
        p.cl[0] = 1.0;
        p.cu[0] = INF;
        p.soft_lin[0] = INF;
        point_vectors(&p);
        s = open_solver(&p);
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_INFEASIBLE);
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, r.certificate) == INF);
        p.a[0] = p.a[1] = 1.0;
        p.cl[0] = 5.0;
        p.lb[0] = p.lb[1] = 0.0;
        p.ub[0] = p.ub[1] = 1.0;
        assert_int_equal(qp_factor(s.qp, p.h, p.a), 0);
        r = solve(&s, &p);
        assert_int_equal(r.status, QP_INFEASIBLE);
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, r.certificate) == INF);
        assert_true(r.certificate[0] < 0.0 && isnan(r.objective));

        /* what proves nothing: the wrong sign, an infinite side, zero, NaN, a soft row, a feasible problem */
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){1.0}) == 0.0);
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){0.0}) == 0.0);
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){(double)NAN}) == 0.0);
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){-1.0}) == INF);
        p.ub[0] = INF; /* x1 may be 5 */
        assert_true(fabs(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){-1.0}) - 4.0) < 1e-9);
        p.ub[0] = 4.0;
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){-1.0}) == 0.0);
        p.ub[0] = 1.0;
        p.soft_lin[0] = 1.0;
        assert_true(qp_certificate_radius(&p.dims, p.a, &p.v, (double[]){-1.0}) == 0.0);
        free(s.mem);
}

static void test_bad_input(void **state)
{
        static struct problem p, q;
        struct rng r;
        struct solver s;
        struct qp_result res;
        double *at[7];

        (void)state;
        rng_seed(&r, seed, 7);
        do
                random_problem(&r, &p);
        while (p.dims.m < 3 || p.dims.n_soft == 0);
        p.soft_lin[0] = 1.0;
        p.soft_quad[0] = 1.0;
        s = open_solver(&p);
        for (size_t k = 0; k < 7; k++) {
                const double bad[] = {(double)NAN, INF, -INF};

                for (size_t b = 0; b < 3; b++) {
                        q = p;
                        point_vectors(&q);
                        memcpy(at, (double *[]){q.g, q.lb, q.ub, q.cl, q.cu, q.soft_lin, q.soft_quad}, sizeof(at));
                        *at[k] = bad[b];
                        if ((b == 1 && (k == 2 || k == 4 || k == 5)) || (b == 2 && (k == 1 || k == 3)))
                                continue; /* an infinite side, or a hard row */
                        res = solve(&s, &q);
                        assert_int_equal(res.status, QP_BAD_INPUT);
                        assert_null(res.x);
                        assert_true(isnan(res.objective) && isnan(res.primal_residual) && isnan(res.bound));
                }
        }
        q = p;
        point_vectors(&q);
        q.lb[0] = 1.0;
        q.ub[0] = 0.5;
        assert_int_equal(solve(&s, &q).status, QP_BAD_INPUT);
        q = p;
        point_vectors(&q);
        q.cl[1] = q.cu[1] + 1.0;
        if (isfinite(q.cl[1]))
                assert_int_equal(solve(&s, &q).status, QP_BAD_INPUT);
        q = p;
        point_vectors(&q);
        q.soft_quad[0] = 0.0;
        assert_int_equal(solve(&s, &q).status, QP_BAD_INPUT);
        res = solve(&s, &p); /* and nothing of it stays */
        assert_int_equal(res.status, QP_SOLVED);
        check_kkt(&p, &res, 2e-7);
        free(s.mem);
}

static void test_errors(void **state)
{
        static struct problem p;
        struct rng r;
        struct solver s;
        struct qp *qp = NULL;
        struct qp_settings set = qp_settings_default();
        struct qp_result res = {.status = QP_STALLED};
        unsigned char mem[16];

        (void)state;
        assert_int_equal(qp_bytes(&(struct qp_dims){0, 0, 0}), 0);
        assert_int_equal(qp_bytes(&(struct qp_dims){1, 1, 2}), 0);
        assert_int_equal(qp_bytes(&(struct qp_dims){SIZE_MAX, 1, 0}), 0);
        assert_int_equal(qp_bytes(&(struct qp_dims){1, SIZE_MAX, 0}), 0);
        assert_int_equal(qp_init(&(struct qp_dims){0, 0, 0}, mem, sizeof(mem), &qp), -EINVAL);
        assert_int_equal(qp_init(&(struct qp_dims){1, 0, 0}, NULL, 1 << 20, &qp), -EINVAL);
        assert_int_equal(qp_init(&(struct qp_dims){1, 0, 0}, mem, sizeof(mem), &qp), -ENOMEM);
        assert_null(qp);

        rng_seed(&r, seed, 8);
        do
                random_problem(&r, &p);
        while (p.dims.n < 2 || p.dims.m < 1);
        s = open_solver(&p);
        for (int k = 0; k < 4; k++) {
                struct qp_settings bad = set;

                if (k == 0)
                        bad.tol = (double)NAN;
                if (k == 1)
                        bad.tol = 0.0;
                if (k == 2)
                        bad.tol = 1.0;
                if (k == 3)
                        bad.iter_max = 0;
                assert_int_equal(qp_solve(s.qp, &p.v, &bad, &res), -EINVAL);
        }
        for (int k = 0; k < 7; k++) {
                struct qp_vectors v = p.v;
                const double **field[] = {&v.g, &v.lb, &v.ub, &v.cl, &v.cu, &v.soft_lin, &v.soft_quad};

                *field[k] = NULL;
                assert_int_equal(qp_solve(s.qp, &v, &set, &res), -EINVAL);
        }
        assert_int_equal(qp_factor(s.qp, NULL, p.a), -EINVAL);
        assert_int_equal(qp_solve(s.qp, &p.v, &set, &res), -EINVAL);
        p.a[0] = (double)NAN;
        assert_int_equal(qp_factor(s.qp, p.h, p.a), -EINVAL);
        p.a[0] = 1.0;
        memset(p.h, 0, sizeof(p.h)); /* semidefinite */
        p.h[0] = 1.0;
        assert_int_equal(qp_factor(s.qp, p.h, p.a), -EDOM);
        assert_int_equal(qp_solve(s.qp, &p.v, &set, &res), -EINVAL);
        p.h[0] = -1.0;
        assert_int_equal(qp_factor(s.qp, p.h, p.a), -EDOM);
        assert_int_equal(res.status, QP_STALLED); /* untouched by all of them */
        free(s.mem);
        assert_string_equal(qp_status_name(QP_BAD_INPUT), "bad input");
        assert_string_equal(qp_status_name((enum qp_status)99), "?");
}

struct fake_clock {
        double now, tick;
};

static double fake_now(void *clock)
{
        struct fake_clock *c = clock;

        return c->now += c->tick;
}

/* Stopped anywhere: multipliers of the right signs, a bound below the optimum, and the next solve is none the worse. */
static void test_limits(void **state)
{
        static struct problem p;
        struct rng r;
        size_t stopped = 0, timed = 0;

        (void)state;
        rng_seed(&r, seed, 9);
        for (uint32_t rep = 0; rep < problems / 10; rep++) {
                struct qp_settings set = qp_settings_default();
                struct fake_clock clock = {0.0, 1.0};
                struct solver s;
                struct qp_result res;
                double best;

                random_problem(&r, &p);
                s = open_solver(&p);
                best = solve(&s, &p).objective;
                for (size_t k = 0; k < 24; k++) {
                        bool by_time = k % 2 == 1;
                        double lam_max = 0.0;

                        qp_guess(s.qp, NULL);
                        set.iter_max = by_time ? 1000 : 1 + k / 2;
                        set.now_s = by_time ? fake_now : NULL;
                        set.clock = &clock;
                        set.time_max_s = 1.5 + (double)k;
                        assert_int_equal(qp_solve(s.qp, &p.v, &set, &res), 0);
                        if (res.status == QP_SOLVED)
                                continue;
                        assert_int_equal(res.status, by_time ? QP_TIME_LIMIT : QP_ITERATION_LIMIT);
                        stopped++;
                        timed += by_time;
                        assert_true(res.iterations <= set.iter_max);
                        assert_true(res.bound <= best + 1e-6 * (1.0 + fabs(best)));
                        for (size_t i = 0; i < p.dims.n + p.dims.m; i++) {
                                double lam = i < p.dims.n ? res.lam_x[i] : res.lam_row[i - p.dims.n];
                                double hi = i < p.dims.n ? p.ub[i] : p.cu[i - p.dims.n];
                                double lo = i < p.dims.n ? p.lb[i] : p.cl[i - p.dims.n];

                                lam_max = fmax(lam_max, fabs(lam));
                                assert_true(lam == 0.0 || isfinite(lam > 0.0 ? hi : lo));
                        }
                        at_most(res.dual_residual, 1e-9 * (1.0 + lam_max), "dual residual");
                        res = solve(&s, &p);
                        assert_int_equal(res.status, QP_SOLVED);
                        check_kkt(&p, &res, 2e-7);
                }
                set.time_max_s = (double)NAN; /* no limit at all is not a limit */
                set.now_s = fake_now;
                assert_int_equal(qp_solve(s.qp, &p.v, &set, &res), -EINVAL);
                clock.now = (double)NAN; /* a clock that fails stops at once */
                set.time_max_s = 1.0;
                assert_int_equal(qp_solve(s.qp, &p.v, &set, &res), 0);
                assert_int_equal(res.status, QP_TIME_LIMIT);
                free(s.mem);
        }
        printf("%zu solves stopped, %zu of them by time\n", stopped, timed);
        assert_true(timed > 100 && stopped > timed + 100);
}

static void test_no_allocation_any_alignment(void **state)
{
        static struct problem p;
        static unsigned char mem[1 << 18];
        struct rng r;

        (void)state;
        rng_seed(&r, seed, 10);
        for (size_t shift = 0; shift < 70; shift++) {
                struct qp_settings set = qp_settings_default();
                struct qp_result res;
                struct qp *qp;
                size_t size;

                random_problem(&r, &p);
                size = qp_bytes(&p.dims);
                assert_true(size + shift < sizeof(mem));
                memset(mem, 0xa5, sizeof(mem));
                armed = true;
                assert_int_equal(qp_init(&p.dims, mem + shift, size, &qp), 0);
                assert_int_equal(qp_factor(qp, p.h, p.a), 0);
                for (int k = 0; k < 3; k++)
                        assert_int_equal(qp_solve(qp, &p.v, &set, &res), 0);
                armed = false;
                assert_int_equal(res.status, QP_SOLVED);
                for (size_t k = 0; k < sizeof(mem); k++) /* nothing written outside the block */
                        if (k < shift || k >= shift + size)
                                assert_int_equal(mem[k], 0xa5);
        }
        assert_int_equal(allocations, 0);
        alloc_count_counts();
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED"), *n = getenv("COOLPLANE_QPS");
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_known_optima),
            cmocka_unit_test(test_one_variable),
            cmocka_unit_test(test_soft_pieces),
            cmocka_unit_test(test_degenerate),
            cmocka_unit_test(test_certificates),
            cmocka_unit_test(test_random_feasible),
            cmocka_unit_test(test_random_guess),
            cmocka_unit_test(test_random_infeasible),
            cmocka_unit_test(test_soft_is_slack),
            cmocka_unit_test(test_badly_scaled),
            cmocka_unit_test(test_warm_is_cold),
            cmocka_unit_test(test_bad_input),
            cmocka_unit_test(test_errors),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_no_allocation_any_alignment),
        };

        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        problems = n ? (uint32_t)strtoul(n, NULL, 10) : problems;
        printf("seed %llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
