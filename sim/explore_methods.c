/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/explore_methods.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "models/num/num.h"

#define NEAR 6          /* inputs that act on a unit: its own and its neighbours' */
#define GRAM_START 0.04 /* (noise / half a prior's width)², of a gain of 0.2 */
#define STARTS 3        /* of greedy's local search, and sweeps over the units in each */
#define SWEEPS 2
#define TARGET 0.05    /* relative error of B */
#define EAGER_FITS 100 /* a fit each step at first, then each tenth */
#define LAZY_FIT 10
#define WARMUP_FIT 100

struct explore {
        const struct row *row;
        struct explore_args args;
        struct arx *model;
        struct region region;
        struct rng rng;
        double u[ROW_Y_MAX];                     /* the last action */
        double gram[ROW_UNITS_MAX][NEAR * NEAR]; /* greedy: Σ u uᵀ of what acts on a unit */
        double radius;
        size_t step;
};

const char *explore_method_str(enum explore_method m)
{
        static const char *const name[EXPLORE_METHODS] = {"walk", "greedy", "ball", "fixed", "noise"};
        return (unsigned)m < EXPLORE_METHODS ? name[m] : "unknown";
}

size_t explore_ball_period(size_t nunit)
{
        return nunit < 3 ? 4 : nunit < 8 ? 10 : nunit < 32 ? 12 : 15;
}

static size_t round16(size_t n)
{
        return (n + 15) & ~(size_t)15;
}

/* Doubles that arx_worst asks for (arx_predict_work of a model that does not exist yet). */
static size_t work_size(const struct row *r)
{
        return 3 * (1 + REGION_HORIZON) * r->st.ny + r->st.nterm + 2 * r->st.ny;
}

size_t explore_memsize(const struct row *r)
{
        return round16(sizeof(struct explore)) + round16(arx_memsize(&r->st)) + sizeof(double) * work_size(r);
}

static struct arx *create_model(void *mem, const struct row *r)
{
        struct arx_args args;
        struct arx *model;

        arx_args_default(&args);
        args.ridge = 1e-3;
        args.w_min = ROW_NOISE_BAR; /* the bound is known … */
        args.w_quantile = 0.5;      /* … and not taken from residuals, of which half are below it after the warm-up */
        int rc = arx_create(mem, arx_memsize(&r->st), &r->st, &args, r->prior_lo, r->prior_hi, &model);
        assert(rc == 0);
        (void)rc;
        return model;
}

struct explore *explore_create(void *mem, size_t size, const struct row *r, const struct explore_args *a, uint64_t seed)
{
        struct explore *e = mem;
        char *at = (char *)mem + round16(sizeof(*e));

        assert(size >= explore_memsize(r));
        memset(e, 0, sizeof(*e));
        e->row = r;
        e->args = *a;
        e->model = create_model(at, r);
        at += round16(arx_memsize(&r->st));
        e->region = (struct region){.row = r, .model = e->model, .work = (double *)(void *)at};
        assert(arx_predict_work(e->model, REGION_HORIZON) == work_size(r));
        rng_seed(&e->rng, seed, 2);
        for (size_t i = 0; i < r->nunit; i++)
                for (size_t k = 0; k < NEAR; k++)
                        e->gram[i][k * NEAR + k] = GRAM_START;
        region_update(&e->region);
        if (a->method == EXPLORE_FIXED)
                e->radius = region_ball(&e->region, a->ball_period);
        return e;
}

const struct arx *explore_model(const struct explore *e)
{
        return e->model;
}

static double clamp_one(double v)
{
        return fmin(fmax(v, -1.0), 1.0);
}

static void propose_walk(struct explore *e, const double *x, const double *d, double *u)
{
        for (size_t j = 0; j < e->row->st.nu; j++)
                u[j] = clamp_one(e->u[j] + rng_range(&e->rng, -1.0, 1.0));
        region_clip(&e->region, x, d, u);
}

/* What acts on unit i: its own inputs and its neighbours'; zero beyond the ends of the row. */
static void gather(const struct explore *e, size_t i, const double *u, double *ret)
{
        for (size_t k = 0; k < NEAR; k++) {
                const size_t j = 2 * i + k; /* + 2: one unit further */
                ret[k] = j >= 2 && j - 2 < e->row->st.nu ? u[j - 2] : 0.0;
        }
}

/* log det of unit i's Gram matrix after u, less that before. */
static double gain(const struct explore *e, size_t i, const double *u)
{
        double l[NEAR * NEAR], near[NEAR], solved[NEAR];

        gather(e, i, u, near);
        memcpy(l, e->gram[i], sizeof(l));
        if (num_cholesky(NEAR, l) < 0)
                return 0.0;
        memcpy(solved, near, sizeof(solved));
        num_cholesky_solve(NEAR, l, solved);
        return log1p(num_dot(NEAR, near, solved));
}

static double gain_around(const struct explore *e, size_t i, const double *u)
{
        const size_t first = i > 0 ? i - 1 : 0;
        double sum = 0.0;

        for (size_t j = first; j <= i + 1 && j < e->row->nunit; j++)
                sum += gain(e, j, u);
        return sum;
}

/* The best of unit i's four vertices within the rate, the other units as they are in u. */
static void choose_vertex(const struct explore *e, size_t i, double *u)
{
        double best[2] = {0}, most = -1.0;

        for (size_t v = 0; v < 4; v++) {
                u[2 * i] = clamp_one(e->u[2 * i] + (v & 1 ? 1.0 : -1.0));
                u[2 * i + 1] = clamp_one(e->u[2 * i + 1] + (v & 2 ? 1.0 : -1.0));
                const double g = gain_around(e, i, u);
                if (g > most) {
                        most = g;
                        best[0] = u[2 * i];
                        best[1] = u[2 * i + 1];
                }
        }
        u[2 * i] = best[0];
        u[2 * i + 1] = best[1];
}

static double gain_all(const struct explore *e, const double *u)
{
        double sum = 0.0;

        for (size_t i = 0; i < e->row->nunit; i++)
                sum += gain(e, i, u);
        return sum;
}

static void propose_greedy(struct explore *e, const double *x, const double *d, double *u)
{
        const size_t nu = e->row->st.nu;
        double trial[ROW_Y_MAX], most = -1.0;

        for (size_t start = 0; start < STARTS; start++) {
                for (size_t j = 0; j < nu; j++)
                        trial[j] = clamp_one(e->u[j] + (rng_below(&e->rng, 2) ? 1.0 : -1.0));
                for (size_t sweep = 0; sweep < SWEEPS; sweep++)
                        for (size_t i = 0; i < e->row->nunit; i++)
                                choose_vertex(e, i, trial);
                region_clip(&e->region, x, d, trial);
                const double g = gain_all(e, trial);
                if (g > most) {
                        most = g;
                        memcpy(u, trial, sizeof(double) * nu);
                }
        }
}

static enum region_reason next_certified(struct explore *e, const double *x, const double *d, double *u)
{
        enum region_reason reason = region_enter(&e->region, x, d);

        memset(u, 0, sizeof(double) * e->row->st.nu);
        if (reason != REGION_CERTIFIED)
                return reason;
        if (e->args.method == EXPLORE_WALK)
                propose_walk(e, x, d, u);
        else
                propose_greedy(e, x, d, u);
        return reason;
}

/* On the sphere, cut to the box, as far as the rate allows from the last action: all of it inside the ball. */
static enum region_reason next_ball(struct explore *e, double *u)
{
        const size_t nu = e->row->st.nu;
        double norm = 0.0, far = 0.0;

        memset(u, 0, sizeof(double) * nu);
        if (!(e->radius > 0.0))
                return REGION_NOT_CONTRACTING;
        if (e->step % e->args.ball_period != 0)
                return REGION_CERTIFIED;
        for (size_t j = 0; j < nu; j++)
                u[j] = rng_normal(&e->rng);
        norm = sqrt(num_dot(nu, u, u));
        for (size_t j = 0; j < nu; j++) {
                u[j] = clamp_one(u[j] * e->radius / norm);
                far = fmax(far, fabs(u[j] - e->u[j]));
        }
        for (size_t j = 0; far > 1.0 && j < nu; j++)
                u[j] = e->u[j] + (u[j] - e->u[j]) / far;
        return REGION_CERTIFIED;
}

static enum region_reason next_noise(struct explore *e, double *u)
{
        for (size_t j = 0; j < e->row->st.nu; j++)
                u[j] = fmin(fmax(rng_range(&e->rng, -1.0, 1.0), e->u[j] - 1.0), e->u[j] + 1.0);
        return REGION_UNCHECKED;
}

enum region_reason explore_next(struct explore *e, const double *x, const double *d, double *ret_u)
{
        switch (e->args.method) {
        case EXPLORE_WALK:
        case EXPLORE_GREEDY:
                return next_certified(e, x, d, ret_u);
        case EXPLORE_BALL:
        case EXPLORE_FIXED:
                return next_ball(e, ret_u);
        case EXPLORE_NOISE:
                break;
        }
        return next_noise(e, ret_u);
}

void explore_learn(struct explore *e, const double *x, const double *u, const double *d, const double *x_next)
{
        const struct arx_window now = {1, x, u, d};
        double near[NEAR];

        (void)arx_add(e->model, &now, x_next);
        memcpy(e->u, u, sizeof(double) * e->row->st.nu);
        e->step++;
        for (size_t i = 0; i < e->row->nunit; i++) {
                gather(e, i, u, near);
                for (size_t a = 0; a < NEAR; a++)
                        for (size_t b = 0; b < NEAR; b++)
                                e->gram[i][a * NEAR + b] += near[a] * near[b];
        }
}

void explore_fit(struct explore *e)
{
        (void)arx_fit(e->model, 1);
        if (e->args.method == EXPLORE_NOISE || e->args.method == EXPLORE_FIXED)
                return;
        region_update(&e->region);
        if (e->args.method == EXPLORE_BALL) /* a radius that was certified once holds for ever: θ is in every Θ */
                e->radius = fmax(e->radius, region_ball(&e->region, e->args.ball_period));
}

static double error_b(const struct explore *e)
{
        double theta[ROW_TERMS_MAX];
        const double *row, *lo, *hi;

        for (size_t i = 0; i < e->row->st.ny; i++) {
                const size_t at = e->row->row_start[i];
                arx_row(e->model, i, &row, &lo, &hi);
                memcpy(theta + at, row, sizeof(double) * (e->row->row_start[i + 1] - at));
        }
        return row_error_b(e->row, theta);
}

static bool violated(const struct row *r, const double *x)
{
        for (size_t i = 0; i < r->st.ny; i++)
                if (!(fabs(x[i]) <= ROW_LIMIT))
                        return true;
        return false;
}

/* One step of the row under u, learned from. */
static void live(struct explore *e, struct rng *plant, const double *u, double *x, double *d,
                 struct explore_result *ret)
{
        const size_t ny = e->row->st.ny;
        double before[ROW_Y_MAX], load[ROW_UNITS_MAX];

        memcpy(before, x, sizeof(double) * ny);
        memcpy(load, d, sizeof(double) * e->row->nunit);
        row_step(e->row, plant, u, x, d);
        explore_learn(e, before, u, load, x);
        ret->violations += violated(e->row, x);
}

static bool moves(const struct row *r, const double *u)
{
        for (size_t j = 0; j < r->st.nu; j++)
                if (u[j] != 0.0)
                        return true;
        return false;
}

void explore_run(void *mem, size_t size, const struct row *r, const struct explore_args *a, uint64_t seed, size_t steps,
                 struct explore_result *ret)
{
        struct explore *e = explore_create(mem, size, r, a, seed);
        double x[ROW_Y_MAX] = {0}, d[ROW_UNITS_MAX] = {0}, u[ROW_Y_MAX] = {0};
        struct rng plant;
        size_t off = 0; /* the last step that ended beyond the target */

        rng_seed(&plant, seed, 3);
        *ret = (struct explore_result){.reason = REGION_UNCHECKED};
        for (size_t k = 1; k <= EXPLORE_WARMUP; k++) {
                live(e, &plant, u, x, d, ret);
                if (k % WARMUP_FIT == 0)
                        explore_fit(e);
        }
        e->step = 0;
        for (size_t k = 1; k <= steps; k++) {
                ret->reason = explore_next(e, x, d, u);
                ret->certified += ret->reason == REGION_CERTIFIED;
                ret->moved += moves(r, u);
                live(e, &plant, u, x, d, ret);
                if (k <= EAGER_FITS || k % LAZY_FIT == 0 || k == steps) {
                        explore_fit(e);
                        ret->error = error_b(e);
                }
                if (!(ret->error <= TARGET))
                        off = k;
                else if (ret->first == 0)
                        ret->first = k;
        }
        ret->settled = off < steps ? off + 1 : 0;
        ret->worst_row = e->region.worst_row;
        ret->worst_sum = e->region.worst_sum;
}
