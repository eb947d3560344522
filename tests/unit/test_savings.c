/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * models/savings on numbers worked out by hand, and on seeded weeks whose saving is known. COOLPLANE_SAVINGS_REPS:
 * repetitions (60; the figures of ARCHITECTURE.md: 2000).
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/num/rng.h"
#include "models/savings/savings.h"

enum { MAX = 128 };

static uint64_t seed = 1;
static size_t reps = 60;
static struct savings_row work[2 * MAX];

/* cmocka's compares as float */
#define assert_near(a, b, tol) assert_true(fabs((a) - (b)) <= (tol))

static struct savings_args args_of(enum savings_load load)
{
        struct savings_args a;

        savings_args_default(&a);
        a.load = load;
        return a;
}

/* Eight days, load 1 to 8, total 100 + 10 load + e with cooling the total less 50; e is orthogonal to 1 and to load. */
static void eight_days(const double *e, struct savings_day *ret)
{
        for (int i = 0; i < 8; i++)
                ret[i] = (struct savings_day){.day = i,
                                              .load = i + 1,
                                              .weather_c = 10.0,
                                              .inlet_c = (double)NAN,
                                              .energy_j = {50.0 + 10.0 * (i + 1) + e[i], (double)NAN, 50.0}};
}

static void four_days(struct savings_day *ret)
{
        for (int i = 0; i < 4; i++)
                ret[i] = (struct savings_day){.day = 8 + i,
                                              .load = 4.5,
                                              .weather_c = 10.0,
                                              .inlet_c = (double)NAN,
                                              .energy_j = {75.0, (double)NAN, 50.0}};
}

static void pinned_regression(void **state)
{
        static const double e[] = {1, -1, -1, 1, 1, -1, -1, 1};
        struct savings_day a[8], b[4];
        struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
        struct savings_report r;
        const struct savings_figure *f = &r.part[SAVINGS_TOTAL];
        uint8_t counted[4];

        (void)state;
        args.baseline_min = 8;
        args.reporting_min = 4;
        eight_days(e, a);
        args.precision_ratio = 0.05;
        for (int i = 0; i < 8; i++) /* no neighbours: no autocorrelation to be seen, and so few days hide half */
                a[i].day = 2 * i;
        four_days(b);
        assert_int_equal(savings_baseline(a, 8, b, 4, &args, work, counted, &r), 0);
        assert_int_equal(r.reason, SAVINGS_TOLD);
        assert_int_equal(r.n, 8);
        assert_int_equal(r.p, 2);
        assert_int_equal(r.m, 4);
        assert_true(r.by_load && !r.by_weather && !r.by_change && !r.by_weekend);
        /* Σe² = 8 over n − p = 6, ȳ = 145; n' = 8/3, two degrees of freedom are the least */
        assert_near(f->cv_rmse, sqrt(8.0 / 6.0) / 145.0, 1e-12);
        assert_near(f->nmbe, 0.0, 1e-12);
        assert_near(f->rho, 0.5, 0.0);
        assert_near(f->n_eff, 8.0 / 3.0, 1e-12);
        assert_near(f->baseline_j, 4 * 145.0, 1e-9);
        assert_near(f->measured_j, 4 * 125.0, 1e-9);
        assert_near(f->saving_j, 80.0, 1e-9);
        /* t(2) = 4.3027; variance 8/8 · 4/2 · 1.5/0.5 · (4 + 4²/8) */
        assert_near(f->high_j - f->saving_j, 4.3027 * 6.0, 1e-9);
        assert_near(f->saving_j - f->low_j, f->high_j - f->saving_j, 1e-9);
        /* F = 80/580; √(3 · (1 + 2 · 3/8)/4) */
        assert_near(f->fsu, 4.3027 * 1.26 * sqrt(8.0 / 6.0) / 145.0 * 580.0 / 80.0 * sqrt(3.0 * 1.75 / 4.0), 1e-9);
        assert_near(r.part[SAVINGS_IT].saving_j, 0.0, 1e-9);
        assert_near(r.part[SAVINGS_COOLING].saving_j, 80.0, 1e-9);
        assert_false(r.part[SAVINGS_IT_FANS].known);
        assert_int_equal(counted[0] + counted[3], 2);
}

static void pinned_autocorrelation(void **state)
{
        static const double e[] = {1, 1, -1, -1, -1, -1, 1, 1};
        struct savings_day a[8], b[4];
        struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
        struct savings_report r;
        const struct savings_figure *f = &r.part[SAVINGS_TOTAL];

        (void)state;
        args.baseline_min = 8;
        args.reporting_min = 4;
        eight_days(e, a);
        four_days(b);
        assert_int_equal(savings_baseline(a, 8, b, 4, &args, work, NULL, &r), 0);
        /* lag-1: 3/7 over 8/8; corrected (3/7 · 8 + 2)/5 > 0.9; n' = 8 · 0.1/1.9; two degrees of freedom are the least
         */
        assert_near(f->rho, 0.9, 1e-12);
        assert_near(f->n_eff, 8.0 / 19.0, 1e-12);
        assert_near(f->high_j - f->saving_j, 4.3027 * sqrt(8.0 / 8.0 * 4.0 / 2.0 * 19.0 * 6.0), 1e-9);
}

static void quantiles(void **state)
{
        static const double table[][2] = {{2, 4.3027},  {3, 3.1824},  {4, 2.7764},   {6, 2.4469},
                                          {10, 2.2281}, {30, 2.0423}, {120, 1.9799}, {1e6, 1.95996}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
                assert_near(savings_t95(table[i][0]), table[i][1], 0.01 * table[i][1]);
        assert_near(savings_t95(-3.0), 4.3027, 0.0);
        assert_near(savings_t95((double)NAN), 4.3027, 0.0);
        for (double v = 2.0; v < 50.0; v += 0.1)
                assert_true(savings_t95(v) >= savings_t95(v + 0.1));
}

/* ---- seeded days ---- */

struct world {
        double noise, rho;     /* of a day's total, ratio; AR(1) */
        double demand_noise;   /* of IT beyond its demand */
        double saving_cooling; /* ratio of cooling, on treated days */
        double fans_up;        /* ratio of server fans, on treated days */
        double trend_k;        /* of the weather, a day */
        size_t n, m;           /* days of baseline and reporting; 0: 28 */
};

/* Demand with a week and a wandering part, wet bulb with fronts, cooling with a change point at 12 °C; treated [n]. */
static void make_days(struct rng *r, const struct world *w, size_t n, const uint8_t *treated, bool fans,
                      struct savings_day *ret)
{
        double e = rng_normal(r), front = rng_normal(r), wander = rng_normal(r);

        for (size_t i = 0; i < n; i++) {
                const bool weekend = i % 7 >= 5;
                double it, fan, cooling;

                e = w->rho * e + sqrt(1.0 - w->rho * w->rho) * rng_normal(r);
                front = 0.7 * front + 0.714 * rng_normal(r);
                wander = 0.8 * wander + 0.6 * rng_normal(r);
                ret[i] = (struct savings_day){.day = (int64_t)i, .weekend = weekend, .inlet_c = 24.0};
                ret[i].load = 100.0 * (1.0 - 0.1 * weekend + 0.03 * wander);
                ret[i].weather_c = 14.0 + 3.0 * front + w->trend_k * (double)i;
                it = 1e9 * (0.4 + 0.006 * ret[i].load) * (1.0 + w->demand_noise * rng_normal(r));
                fan = 0.05 * it * (1.0 + (treated[i] ? w->fans_up : 0.0));
                cooling = 0.25 * it + 8e6 * fmax(ret[i].weather_c - 12.0, 0.0) + 2e6 * ret[i].weather_c;
                cooling *= 1.0 - (treated[i] ? w->saving_cooling : 0.0);
                cooling += w->noise * 1.3e9 * e;
                ret[i].energy_j[SAVINGS_COOLING] = cooling;
                ret[i].energy_j[SAVINGS_IT_FANS] = fans ? fan : (double)NAN;
                ret[i].energy_j[SAVINGS_IT] = it + (fans ? 0.0 : fan);
        }
}

/* What would have been saved: the noise is in both. */
static double true_saving_j(const struct savings_day *d, const uint8_t *use, size_t n, double saving)
{
        double sum = 0.0;

        for (size_t i = 0; i < n; i++)
                if (use[i]) {
                        const double it = d[i].energy_j[SAVINGS_IT] / 1.05;
                        const double cooling =
                            0.25 * it + 8e6 * fmax(d[i].weather_c - 12.0, 0.0) + 2e6 * d[i].weather_c;

                        sum += saving * cooling;
                }
        return sum;
}

/* Nominal 95 %, and of those that are told. */
static void intervals_cover(void **state)
{
        static const struct world worlds[] = {
            {.noise = 0.01, .rho = 0.0, .saving_cooling = 0.3},
            {.noise = 0.01, .rho = 0.5, .saving_cooling = 0.3, .demand_noise = 0.002},
            {.noise = 0.02, .rho = 0.3, .saving_cooling = 0.1},
            {.noise = 0.01, .rho = 0.3, .saving_cooling = 0.0, .trend_k = 0.02},
            {.noise = 0.01, .rho = 0.7, .saving_cooling = 0.3},
            {.n = 14, .m = 14, .noise = 0.01, .rho = 0.5, .saving_cooling = 0.3},
            {.n = 14, .m = 14, .noise = 0.01, .rho = 0.7, .saving_cooling = 0.3},
            {.n = 10, .m = 7, .noise = 0.01, .rho = 0.5, .saving_cooling = 0.3},
            {.n = 10, .m = 7, .noise = 0.01, .rho = 0.7, .saving_cooling = 0.3},
            {.n = 21, .m = 21, .noise = 0.01, .rho = 0.7, .saving_cooling = 0.3},
        };

        (void)state;
        for (size_t k = 0; k < sizeof worlds / sizeof worlds[0]; k++) {
                const size_t n = worlds[k].n ? worlds[k].n : 28, m = worlds[k].m ? worlds[k].m : 28;
                size_t told = 0, covered = 0, near = 0;
                uint8_t treated[56];

                for (size_t i = 0; i < n + m; i++)
                        treated[i] = i >= n;

                for (size_t rep = 0; rep < reps; rep++) {
                        const struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
                        struct savings_day d[56];
                        struct savings_report r;
                        uint8_t use[28];
                        struct rng rng;
                        double truth;

                        rng_seed(&rng, seed + rep, k);
                        make_days(&rng, &worlds[k], n + m, treated, false, d);
                        assert_int_equal(savings_baseline(d, n, d + n, m, &args, work, use, &r), 0);
                        if (r.reason != SAVINGS_TOLD)
                                continue;
                        truth = true_saving_j(d + n, use, m, worlds[k].saving_cooling);
                        told++;
                        covered += r.part[SAVINGS_TOTAL].low_j <= truth && truth <= r.part[SAVINGS_TOTAL].high_j;
                        near += fabs(r.part[SAVINGS_TOTAL].saving_j - truth) <= 0.03 * r.part[SAVINGS_TOTAL].baseline_j;
                }
                printf(
                    "%zu + %zu days, noise %.2f rho %.1f: told %zu of %zu, covered %.1f %%, within 3 points %.1f %%\n",
                    n, m, worlds[k].noise, worlds[k].rho, told, reps, 100.0 * (double)covered / fmax((double)told, 1.0),
                    100.0 * (double)near / fmax((double)told, 1.0));
                assert_true(told * 2 > reps || n < 28 || worlds[k].rho > 0.5); /* short ones are hardly ever told */
                assert_true((double)covered >= (reps < 200 ? 0.85 : 0.9) * (double)told - (told < 20 ? 1.0 : 0.0));
                assert_true((double)near >= 0.97 * (double)told);
        }
}

/* Sixty days in turn, a saving of 10 % of the total, noise of 2 % of it with autocorrelation 0.5. */
static void sixty_days_in_turn_find_ten_per_cent(void **state)
{
        uint8_t treated[60];

        (void)state;
        for (size_t i = 0; i < 60; i++)
                treated[i] = i % 2;
        for (int demand = 0; demand < 2; demand++) {
                size_t told = 0, covered = 0, near = 0;
                double worst = 0.0;

                for (size_t rep = 0; rep < reps; rep++) {
                        const struct savings_args args = args_of(demand ? SAVINGS_LOAD_DEMAND : SAVINGS_LOAD_NONE);
                        const struct world w = {.noise = 0.02, .rho = 0.5, .demand_noise = 0.005};
                        struct savings_day d[60];
                        struct savings_report r;
                        struct rng rng;
                        double error;

                        rng_seed(&rng, seed + rep, 77);
                        make_days(&rng, &w, 60, treated, false, d);
                        for (size_t i = 0; i < 60; i++)
                                for (int k = 0; k < SAVINGS_TOTAL; k++)
                                        d[i].energy_j[k] *= treated[i] ? 0.9 : 1.0;
                        assert_int_equal(savings_pairs(d, treated, 60, &args, work, &r), 0);
                        assert_int_equal(r.n, 30);
                        if (r.reason != SAVINGS_TOLD)
                                continue;
                        told++;
                        error = r.part[SAVINGS_TOTAL].saving_j / r.part[SAVINGS_TOTAL].baseline_j - 0.1;
                        near += fabs(error) <= 0.02;
                        worst = fmax(worst, fabs(error));
                        covered += r.part[SAVINGS_TOTAL].low_j <= 0.1 * r.part[SAVINGS_TOTAL].baseline_j &&
                                   0.1 * r.part[SAVINGS_TOTAL].baseline_j <= r.part[SAVINGS_TOTAL].high_j;
                }
                printf("60 days in turn, %s: told %zu of %zu, covered %.1f %%, within 2 points %.1f %%, worst %.2f "
                       "points\n",
                       demand ? "demand metered" : "weather and calendar", told, reps,
                       100.0 * (double)covered / (double)told, 100.0 * (double)near / (double)told, 100.0 * worst);
                assert_true((double)told > 0.9 * (double)reps);
                assert_true((double)covered >= 0.9 * (double)told);
                assert_true((double)near >= 0.95 * (double)told);
        }
}

/* R31: server fans save and the cooling rises, and the other way round. */
static void r31_what_moves_apart_is_named(void **state)
{
        uint8_t treated[56];

        (void)state;
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        for (int way = 0; way < 3; way++) {
                const struct world w = {.noise = 0.001,
                                        .saving_cooling = way == 0   ? -0.2
                                                          : way == 1 ? 0.2
                                                                     : 0.0,
                                        .fans_up = way == 0   ? -0.6
                                                   : way == 1 ? 0.5
                                                              : 0.0};
                const struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
                struct savings_day d[56];
                struct savings_report r;
                struct rng rng;

                rng_seed(&rng, seed, 5);
                make_days(&rng, &w, 56, treated, true, d);
                assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &r), 0);
                assert_true(r.part[SAVINGS_IT_FANS].known);
                assert_int_equal(savings_shift(&r), way == 0   ? SAVINGS_SHIFT_TO_COOLING
                                                    : way == 1 ? SAVINGS_SHIFT_TO_IT
                                                               : SAVINGS_SHIFT_NONE);
                assert_near(r.part[SAVINGS_COOLING].saving_j + r.part[SAVINGS_IT_FANS].saving_j +
                                r.part[SAVINGS_IT].saving_j,
                            r.part[SAVINGS_TOTAL].saving_j, 1e-3);
        }
}

/* IT given: warmer inlets may cost the servers more, colder ones less; the saving itself is the cooling's. */
static void it_given_bounds_what_servers_answer(void **state)
{
        const struct world w = {.noise = 0.002, .saving_cooling = 0.2};
        struct savings_args args = args_of(SAVINGS_LOAD_IT);
        uint8_t treated[56];
        struct savings_day d[56];
        struct savings_report even, warm, cold;
        struct rng rng;

        (void)state;
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        rng_seed(&rng, seed, 6);
        make_days(&rng, &w, 56, treated, false, d);
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &even), 0);
        assert_true(even.part[SAVINGS_IT].given && even.part[SAVINGS_IT].saving_j == 0.0);
        assert_near(even.part[SAVINGS_TOTAL].saving_j, even.part[SAVINGS_COOLING].saving_j, 1e-3);
        assert_true(even.it_unseen_j == 0.0);
        for (size_t i = 28; i < 56; i++)
                d[i].inlet_c = 27.0;
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &warm), 0);
        assert_near(warm.inlet_change_k, 3.0, 1e-9);
        /* cooling answers load by 0.25/1.05 */
        assert_near(warm.it_unseen_j / warm.part[SAVINGS_IT].measured_j, 0.015 * (1.0 + 0.25 / 1.05), 3e-4);
        assert_near(even.part[SAVINGS_TOTAL].low_j - warm.part[SAVINGS_TOTAL].low_j, warm.it_unseen_j, 1.0);
        assert_near(even.part[SAVINGS_TOTAL].high_j, warm.part[SAVINGS_TOTAL].high_j, 1.0);
        for (size_t i = 28; i < 56; i++)
                d[i].inlet_c = 21.0;
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &cold), 0);
        assert_near(cold.part[SAVINGS_TOTAL].high_j - even.part[SAVINGS_TOTAL].high_j, -cold.it_unseen_j, 1.0);
        assert_near(even.part[SAVINGS_TOTAL].low_j, cold.part[SAVINGS_TOTAL].low_j, 1.0);
}

/* What cooling may add to the servers' answer: its slope by load at most twice what it takes for each joule of IT. */
static void it_given_bounds_the_slope(void **state)
{
        static const double steep[] = {1.4, 0.5, 0};
        const struct savings_args args = args_of(SAVINGS_LOAD_IT);

        (void)state;
        for (int way = 0; way < 3; way++) {
                struct savings_day d[56];
                struct savings_report r;
                double mean = 0;

                for (int i = 0; i < 56; i++) { /* load within 4 % */
                        const double it = 1000.0 + (i % 7 == 3 ? 20.0 : 0.0) - (i % 5 == 1 ? 20.0 : 0.0),
                                     e = (i * 7) % 11 - 5.0;

                        d[i] = (struct savings_day){
                            .day = i,
                            .weather_c = 10.0,
                            .inlet_c = i < 28 ? 22.0 : 24.0,
                            .energy_j = {300.0 + steep[way] * (it - 1000.0) + 0.02 * e, (double)NAN, it}};
                        mean += i < 28 ? d[i].energy_j[SAVINGS_COOLING] / 28000.0 : 0.0;
                }
                assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &r), 0);
                assert_int_equal(r.by_load, steep[way] > 0);
                assert_near(r.it_unseen_j / r.part[SAVINGS_IT].measured_j,
                            0.01 * (1.0 + (way == 0   ? 2.0 * mean
                                           : way == 1 ? steep[way]
                                                      : mean)),
                            2e-5);
        }
}

/* Sensors that are lost narrow nothing: the days that know speak for a few that do not, and no more. */
static void it_given_needs_the_inlets(void **state)
{
        const struct world w = {.noise = 0.002, .saving_cooling = 0.2};
        struct savings_args args = args_of(SAVINGS_LOAD_IT);
        uint8_t treated[56];
        struct savings_day d[56];
        struct savings_report all, r;
        struct rng rng;

        (void)state;
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        rng_seed(&rng, seed, 6);
        make_days(&rng, &w, 56, treated, false, d);
        for (size_t i = 28; i < 56; i++)
                d[i].inlet_c = 27.0;
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &all), 0);
        assert_int_equal(all.reason, SAVINGS_TOLD);
        for (size_t i = 0; i < 5; i++)
                d[i].inlet_c = d[40 + i].inlet_c = (double)NAN;
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &r), 0);
        assert_int_equal(r.reason, SAVINGS_TOLD);
        assert_near(r.it_unseen_j, all.it_unseen_j, 1.0);
        assert_near(r.part[SAVINGS_TOTAL].low_j, all.part[SAVINGS_TOTAL].low_j, 1.0);
        for (int side = 0; side < 2; side++) {
                struct savings_day x[56];

                memcpy(x, d, sizeof x);
                for (size_t i = 0; i < 10; i++)
                        x[28 * (size_t)side + i].inlet_c = (double)NAN;
                assert_int_equal(savings_baseline(x, 28, x + 28, 28, &args, work, NULL, &r), 0);
                assert_int_equal(r.reason, SAVINGS_INLET_NOT_KNOWN);
                assert_true(isnan(r.inlet_change_k));
                args.it_response_ratio_k = 0.0;
                assert_int_equal(savings_baseline(x, 28, x + 28, 28, &args, work, NULL, &r), 0);
                assert_int_equal(r.reason, SAVINGS_TOLD);
                args.load = SAVINGS_LOAD_DEMAND; /* nothing is given */
                args.it_response_ratio_k = 0.005;
                assert_int_equal(savings_baseline(x, 28, x + 28, 28, &args, work, NULL, &r), 0);
                assert_int_equal(r.reason, SAVINGS_TOLD);
                args.load = SAVINGS_LOAD_IT;
        }
}

static void ratios_do_not_know_the_unit(void **state)
{
        const struct world w = {.noise = 0.01, .rho = 0.3, .saving_cooling = 0.2};
        const struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
        uint8_t treated[56];
        struct savings_day d[56];
        struct savings_report one, other;
        struct rng rng;

        (void)state;
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        rng_seed(&rng, seed, 7);
        make_days(&rng, &w, 56, treated, false, d);
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &one), 0);
        for (size_t i = 0; i < 56; i++) {
                d[i].day += 20000;
                d[i].load *= 7.0;
                for (int k = 0; k < SAVINGS_TOTAL; k++)
                        d[i].energy_j[k] *= 1e-6;
        }
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &other), 0);
        assert_near(one.part[SAVINGS_TOTAL].saving_j * 1e-6, other.part[SAVINGS_TOTAL].saving_j, 1e-6);
        assert_near(one.part[SAVINGS_TOTAL].low_j * 1e-6, other.part[SAVINGS_TOTAL].low_j, 1e-6);
        assert_near(one.part[SAVINGS_TOTAL].fsu, other.part[SAVINGS_TOTAL].fsu, 1e-9);
}

static void what_cannot_be_told_is_refused(void **state)
{
        const struct world w = {.noise = 0.01, .saving_cooling = 0.2};
        struct savings_args args = args_of(SAVINGS_LOAD_DEMAND);
        uint8_t treated[56];
        struct savings_day d[56], x[56];
        struct savings_report r;
        struct rng rng;

        (void)state;
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        rng_seed(&rng, seed, 8);
        make_days(&rng, &w, 56, treated, false, d);
#define REFUSED(reason_, n, m)                                                                                         \
        do {                                                                                                           \
                assert_int_equal(savings_baseline(x, n, x + 28, m, &args, work, NULL, &r), 0);                         \
                assert_string_equal(savings_reason_str(r.reason), savings_reason_str(reason_));                        \
        } while (0)
        memcpy(x, d, sizeof x);
        REFUSED(SAVINGS_TOLD, 28, 28);
        REFUSED(SAVINGS_FEW_BASELINE, 0, 0);
        REFUSED(SAVINGS_FEW_BASELINE, 1, 28);
        REFUSED(SAVINGS_FEW_BASELINE, 9, 28);
        REFUSED(SAVINGS_FEW_REPORTING, 28, 0);
        REFUSED(SAVINGS_FEW_REPORTING, 28, 6);
        for (size_t i = 0; i < 56; i++) /* nothing is metered */
                x[i].energy_j[SAVINGS_COOLING] = (double)NAN;
        REFUSED(SAVINGS_FEW_BASELINE, 28, 28);
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 19; i++) /* gaps */
                x[i].weather_c = (double)NAN;
        REFUSED(SAVINGS_FEW_BASELINE, 28, 28);
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 28; i++)
                x[i].energy_j[SAVINGS_IT] = (double)INFINITY;
        REFUSED(SAVINGS_FEW_BASELINE, 28, 28);
        memcpy(x, d, sizeof x);
        for (size_t i = 28; i < 56; i++) /* another season */
                x[i].weather_c += 30.0;
        REFUSED(SAVINGS_NO_OVERLAP, 28, 28);
        assert_int_equal(r.m, 0);
        memcpy(x, d, sizeof x);
        for (size_t i = 28; i < 56; i++) /* another load */
                x[i].load *= 1.5;
        REFUSED(SAVINGS_NO_OVERLAP, 28, 28);
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 28; i++) /* a load that never moved tells nothing of any other … */
                x[i].load = 100.0;
        for (size_t i = 28; i < 56; i++)
                x[i].load = 110.0;
        REFUSED(SAVINGS_NO_OVERLAP, 28, 28);
        for (size_t i = 28; i < 56; i++) /* … but of itself */
                x[i].load = 100.5;
        assert_int_equal(savings_baseline(x, 28, x + 28, 28, &args, work, NULL, &r), 0);
        assert_false(r.by_load);
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 56; i++) /* load and weather are one: either will do, both are singular */
                x[i].weather_c = 0.1 * x[i].load + 5.0;
        assert_int_equal(savings_baseline(x, 28, x + 28, 28, &args, work, NULL, &r), 0);
        assert_false(r.by_load && r.by_weather);
        assert_true(isfinite(r.part[SAVINGS_TOTAL].low_j));
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 28; i++) /* days of anything */
                x[i].energy_j[SAVINGS_IT] *= i % 3 == 0 ? 4.0 : 0.5;
        REFUSED(SAVINGS_POOR_FIT, 28, 28);
        memcpy(x, d, sizeof x);
        for (size_t i = 0; i < 28; i++)
                x[i].energy_j[SAVINGS_IT] *= i % 2 ? 1.15 : 0.85;
        REFUSED(SAVINGS_IMPRECISE, 28, 8);
        assert_true(r.part[SAVINGS_TOTAL].known); /* what was found is shown with the refusal */
#undef REFUSED
        args.precision_ratio = (double)NAN;
        assert_int_equal(savings_baseline(d, 28, d + 28, 28, &args, work, NULL, &r), -EINVAL);
        args = args_of(SAVINGS_LOAD_IT);
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), -EINVAL);
}

static void days_in_turn_that_are_not(void **state)
{
        const struct world w = {.noise = 0.01};
        const struct savings_args args = args_of(SAVINGS_LOAD_NONE);
        uint8_t treated[56];
        struct savings_day d[56];
        struct savings_report r;
        struct rng rng;

        (void)state;
        rng_seed(&rng, seed, 9);
        for (size_t i = 0; i < 56; i++)
                treated[i] = i >= 28;
        make_days(&rng, &w, 56, treated, false, d);
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), 0); /* one after the other */
        assert_int_equal(r.reason, SAVINGS_FEW_BASELINE);
        assert_int_equal(r.n, 1);
        assert_int_equal(r.unpaired, 54);
        for (size_t i = 0; i < 56; i++) {
                treated[i] = i % 2;
                d[i].day *= 4; /* too far apart */
        }
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), 0);
        assert_int_equal(r.n, 0);
        for (size_t i = 0; i < 56; i++)
                d[i].energy_j[SAVINGS_IT] = 0.0;
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), 0);
        assert_int_equal(r.unpaired, 0);
        assert_int_equal(savings_pairs(d, treated, 0, &args, work, &r), 0);
        assert_int_equal(r.reason, SAVINGS_FEW_BASELINE);
        make_days(&rng, &w, 56, treated, false, d);
        for (size_t i = 0; i < 56; i++) /* one of them on weekends alone */
                treated[i] = i % 7 >= 5;
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), 0);
        assert_int_equal(r.n, 15);
        assert_int_equal(r.reason, SAVINGS_NO_OVERLAP);
        treated[3] = 2;
        assert_int_equal(savings_pairs(d, treated, 56, &args, work, &r), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pinned_regression),
            cmocka_unit_test(pinned_autocorrelation),
            cmocka_unit_test(quantiles),
            cmocka_unit_test(intervals_cover),
            cmocka_unit_test(sixty_days_in_turn_find_ten_per_cent),
            cmocka_unit_test(r31_what_moves_apart_is_named),
            cmocka_unit_test(it_given_bounds_what_servers_answer),
            cmocka_unit_test(it_given_bounds_the_slope),
            cmocka_unit_test(it_given_needs_the_inlets),
            cmocka_unit_test(ratios_do_not_know_the_unit),
            cmocka_unit_test(what_cannot_be_told_is_refused),
            cmocka_unit_test(days_in_turn_that_are_not),
        };
        const char *s = getenv("COOLPLANE_SEED"), *n = getenv("COOLPLANE_SAVINGS_REPS");

        if (s != NULL)
                seed = strtoull(s, NULL, 10);
        if (n != NULL)
                reps = (size_t)strtoul(n, NULL, 10);
        printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
