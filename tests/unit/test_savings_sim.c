/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What models/savings says of the reference plant, where the truth can be run: a plant is copied after the baseline
 * weeks, one goes on as it was and one under the other control, with the same weather and load. The estimate sees the
 * baseline weeks and the second plant; the first is the truth. COOLPLANE_SAVINGS_SITES: how many (3; the figures of
 * ARCHITECTURE.md: 60). Days are those of the truth's accounts, weather and load as the instruments show them.
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
#include "sim/serve_world.h"
#include "sim/yardstick.h"

enum { LOOKS = 144, LONG_DAYS = 60 }; /* a day */
#define DAY_MS INT64_C(86400000)
#define KWH_J 3.6e6

enum control { B0, B2, B2V };

static size_t sites = 3;
static size_t period_days = 14;

struct drive {
        struct plant *p;
        double wander; /* of the demand from day to day, as the standard deviation of an AR(1) of 0.7; 0 = none */
        uint64_t seed;
        struct yard_consolidator *k; /* B2V */
};

static void set_control(struct drive *d, enum control c)
{
        d->k = yard_consolidator_free(d->k);
        plant_set_local(d->p, c == B0 ? PLANT_LOCAL_FIXED : PLANT_LOCAL_TRIM_RESPOND);
        if (c == B2V)
                assert_int_equal(yard_consolidator_create(d->p, &d->k), 0);
}

/* The same on the same day, whoever asks. */
static double demand_factor(const struct drive *d)
{
        const int64_t day = plant_t_ms(d->p) / DAY_MS;
        double sum = 0.0;

        for (int64_t lag = 0; lag < 30; lag++) {
                struct rng r;

                rng_seed(&r, d->seed, (uint64_t)(day - lag));
                sum += pow(0.7, (double)lag) * rng_normal(&r);
        }
        return fmax(1.0 + d->wander * sqrt(1.0 - 0.49) * sum, 0.5);
}

/* One day; demand: cores that VMs are busy with. fans: metered apart. */
static void run_day(struct drive *d, bool fans, struct savings_day *ret)
{
        const struct plant_spec *spec = plant_spec(d->p);
        struct plant_account before, after;
        double demand = 0.0, wet = 0.0, inlet = 0.0;

        if (d->wander > 0.0) {
                char fault[32];

                (void)snprintf(fault, sizeof(fault), "load-step:%.4f", demand_factor(d));
                assert_int_equal(plant_fault(d->p, fault), 0);
        }
        plant_account(d->p, &before);
        *ret =
            (struct savings_day){.day = plant_t_ms(d->p) / DAY_MS, .weekend = (plant_t_ms(d->p) / DAY_MS + 3) % 7 >= 5};
        for (int i = 0; i < LOOKS; i++) {
                struct plant_weather_meas w;

                for (int half = 0; half < 2; half++) {
                        if (d->k != NULL)
                                yard_consolidator_step(d->k, d->p);
                        yard_advance(d->p, 24.0 / LOOKS / 2.0);
                }
                plant_weather_meas(d->p, &w);
                wet += w.wetbulb_c / LOOKS;
                for (size_t k = 0; k < plant_nvm(d->p); k++) {
                        struct plant_vm vm;

                        plant_vm(d->p, k, &vm);
                        demand += vm.cpu_cores / LOOKS;
                }
                for (size_t k = 0; k < spec->nrack; k++) {
                        struct plant_rack_meas m;

                        plant_rack_meas(d->p, k, &m);
                        inlet += m.inlet_c / (double)spec->nrack / LOOKS;
                }
        }
        plant_account(d->p, &after);
        ret->load = demand;
        ret->weather_c = wet;
        ret->inlet_c = inlet;
        ret->energy_j[SAVINGS_COOLING] = KWH_J * (after.cooling_kwh - before.cooling_kwh);
        ret->energy_j[SAVINGS_IT_FANS] = fans ? KWH_J * (after.it_fan_kwh - before.it_fan_kwh) : (double)NAN;
        ret->energy_j[SAVINGS_IT] =
            KWH_J * (after.it_kwh - before.it_kwh + (fans ? 0.0 : after.it_fan_kwh - before.it_fan_kwh));
}

static double total_j(const struct savings_day *d)
{
        return d->energy_j[SAVINGS_COOLING] + d->energy_j[SAVINGS_IT] +
               (isfinite(d->energy_j[SAVINGS_IT_FANS]) ? d->energy_j[SAVINGS_IT_FANS] : 0.0);
}

/* Site k of the experiment: tiny and hall, open and contained, with and without economiser, VMs that stay with a demand
 * that wanders or come and go, any season, its own weather, load and plant noise. */
static void make_site(size_t k, enum control c, struct world *ret)
{
        struct world_args a = {.seed = 1000 + k, .local = c == B0 ? PLANT_LOCAL_FIXED : PLANT_LOCAL_TRIM_RESPOND};
        static const double containment[] = {0.5, 1.0, 0.8, 0.2, 0.65};
        struct plant_spec spec;

        assert_int_equal(plant_spec_named(k % 3 == 2 ? "hall" : "tiny", &spec), 0);
        spec.containment = containment[k % 5];
        spec.economiser = k % 4 == 3;
        a.spec = &spec;
        a.arrivals = k % 2 ? "synthetic" : NULL;
        assert_int_equal(world_create(&a, INT64_C(1767225600000) + (int64_t)(k * 37 % 330) * DAY_MS, ret),
                         EXIT_SUCCESS);
}

struct tally {
        size_t sites, told, covered, near, refused[8], shift;
        double worst, width, error;
};

static void judge(size_t k, const struct savings_report *r, const struct savings_day *after,
                  const struct savings_day *truth, const uint8_t *counted, size_t m, struct tally *t)
{
        const struct savings_figure *f = &r->part[SAVINGS_TOTAL];
        double would = 0.0, did = 0.0, est, err, half;

        t->sites++;
        if (r->reason != SAVINGS_TOLD) {
                t->refused[r->reason]++;
                printf("  %2zu %s\n", k, savings_reason_str(r->reason));
                return;
        }
        for (size_t i = 0; i < m; i++) {
                would += counted[i] ? total_j(&truth[i]) : 0.0;
                did += counted[i] ? total_j(&after[i]) : 0.0;
        }
        est = 100.0 * f->saving_j / f->baseline_j;
        err = est - 100.0 * (would - did) / would;
        half = 50.0 * (f->high_j - f->low_j) / f->baseline_j;
        t->told++;
        t->covered += f->low_j <= would - did && would - did <= f->high_j;
        t->near += fabs(err) <= 3.0;
        t->worst = fmax(t->worst, fabs(err));
        t->width += half;
        t->error += fabs(err);
        t->shift += savings_shift(r) != SAVINGS_SHIFT_NONE;
        printf("  %2zu n %zu p %zu m %zu rho %.2f cv %.2f %% (%.2f left out): saving %6.2f %% [%6.2f, %6.2f], true "
               "%6.2f%s\n",
               k, r->n, r->p, r->m, f->rho, 100.0 * f->cv_rmse, 100.0 * f->cv_rmse_out, est,
               100.0 * f->low_j / f->baseline_j, 100.0 * f->high_j / f->baseline_j, est - err,
               f->low_j <= would - did && would - did <= f->high_j ? "" : "  MISSED");
}

static void experiment(const char *what, enum control before, enum control after, enum savings_load load, bool fans,
                       struct tally *t)
{
        const size_t n = period_days;
        struct savings_day *day = calloc(3 * n, sizeof(*day)), *truth = day + n, *other = day + 2 * n;
        struct savings_row *work = calloc(2 * n, sizeof(*work));
        uint8_t *counted = calloc(n, 1);
        struct savings_args args;

        assert_true(day && work && counted);
        savings_args_default(&args);
        args.load = load;
        memset(t, 0, sizeof(*t));
        printf("%s, %zu + %zu days\n", what, n, n);
        for (size_t k = 0; k < sites; k++) {
                struct savings_report r;
                struct drive a = {.seed = k, .wander = k % 2 ? 0.0 : 0.04}, b = a;
                struct world w;

                make_site(k, before, &w);
                a.p = w.plant;
                set_control(&a, before);
                yard_advance(a.p, 24.0); /* not counted */
                for (size_t i = 0; i < n; i++)
                        run_day(&a, fans, &day[i]);
                assert_int_equal(plant_clone(a.p, &b.p), 0);
                set_control(&b, after);
                for (size_t i = 0; i < n; i++) {
                        run_day(&a, fans, &truth[i]);
                        run_day(&b, fans, &other[i]);
                }
                assert_int_equal(savings_baseline(day, n, other, n, &args, work, counted, &r), 0);
                judge(k, &r, other, truth, counted, n, t);
                a.k = yard_consolidator_free(a.k);
                b.k = yard_consolidator_free(b.k);
                b.p = plant_free(b.p);
                world_free(&w);
        }
        printf("  told %zu of %zu; covered %zu, within 3 points %zu, worst %.2f, mean error %.2f, mean half interval "
               "%.2f points\n",
               t->told, t->sites, t->covered, t->near, t->worst, t->error / (double)t->told,
               t->width / (double)t->told);
        free(day);
        free(work);
        free(counted);
}

/* Nine of ten, and for a handful of sites one miss. told_of: one of so many is told at least. */
static void check(const struct tally *t, size_t told_of)
{
        assert_true(t->told * told_of >= t->sites);
        assert_true((double)t->covered >= 0.9 * (double)t->told - (t->told < 10 ? 0.6 : 0.0));
        assert_int_equal(t->near, t->told);
}

static void setpoints_alone_with_it_given(void **state)
{
        struct tally t;

        (void)state;
        experiment("b0 -> b2, IT given", B0, B2, SAVINGS_LOAD_IT, false, &t);
        check(&t, 4);
}

static void setpoints_alone_with_a_demand(void **state)
{
        struct tally t;

        (void)state;
        experiment("b0 -> b2, demand and server fans metered", B0, B2, SAVINGS_LOAD_DEMAND, true, &t);
        check(&t, 4);
}

static void moves_with_a_demand(void **state)
{
        struct tally t;

        (void)state;
        experiment("b2 -> b2v, demand metered", B2, B2V, SAVINGS_LOAD_DEMAND, false, &t);
        check(&t, 4);
}

static void it_as_an_outcome_of_the_calendar(void **state)
{
        struct tally t;

        (void)state;
        experiment("b2 -> b2v, calendar and weather", B2, B2V, SAVINGS_LOAD_NONE, false, &t);
        check(&t, 6);
}

static void nothing_done_saves_nothing(void **state)
{
        struct tally t;

        (void)state;
        experiment("b2 -> b2, IT given", B2, B2, SAVINGS_LOAD_IT, false, &t);
        check(&t, 4);
}

/* Days in turn between b0 and b2, against both of them over all days. */
static void days_in_turn(void **state)
{
        struct savings_day *day = calloc(2 * LONG_DAYS, sizeof(*day)), *truth = day + LONG_DAYS;
        struct savings_row *work = calloc(LONG_DAYS, sizeof(*work));
        uint8_t treated[LONG_DAYS];
        const size_t n = sites > 4 ? LONG_DAYS : LONG_DAYS / 2;
        size_t covered = 0, told = 0;
        double worst = 0.0;

        (void)state;
        assert_true(day && work);
        for (size_t k = 0; k < sites; k++) {
                struct savings_args args;
                struct savings_report r;
                struct drive a = {.seed = k, .wander = k % 2 ? 0.0 : 0.04}, b = a;
                struct world w;
                double base = 0.0, took = 0.0;

                savings_args_default(&args);
                make_site(k, B0, &w);
                a.p = w.plant;
                yard_advance(a.p, 24.0);
                assert_int_equal(plant_clone(a.p, &b.p), 0);
                for (size_t i = 0; i < n; i++) {
                        treated[i] = (uint8_t)(i % 2);
                        set_control(&b, treated[i] ? B2 : B0);
                        run_day(&a, false, &truth[i]);
                        run_day(&b, false, &day[i]);
                        base += treated[i] ? total_j(&truth[i]) : 0.0;
                        took += treated[i] ? total_j(&day[i]) : 0.0;
                }
                assert_int_equal(savings_pairs(day, treated, n, &args, work, &r), 0);
                printf("  %2zu %s: %zu pairs, p %zu, rho %.2f, saving %6.2f %% [%6.2f, %6.2f], true %6.2f\n", k,
                       savings_reason_str(r.reason), r.n, r.p, r.part[SAVINGS_TOTAL].rho,
                       100.0 * r.part[SAVINGS_TOTAL].saving_j / r.part[SAVINGS_TOTAL].baseline_j,
                       100.0 * r.part[SAVINGS_TOTAL].low_j / r.part[SAVINGS_TOTAL].baseline_j,
                       100.0 * r.part[SAVINGS_TOTAL].high_j / r.part[SAVINGS_TOTAL].baseline_j,
                       100.0 * (base - took) / base);
                b.k = yard_consolidator_free(b.k);
                if (r.reason == SAVINGS_TOLD) {
                        const struct savings_figure *f = &r.part[SAVINGS_TOTAL];

                        told++;
                        covered += f->low_j <= base - took && base - took <= f->high_j;
                        worst = fmax(worst, 100.0 * fabs(f->saving_j / f->baseline_j - (base - took) / base));
                }
                b.p = plant_free(b.p);
                world_free(&w);
        }
        printf("days in turn: told %zu of %zu, covered %zu, worst %.2f points\n", told, sites, covered, worst);
        assert_true(told * 2 >= sites);
        assert_true((double)covered >= 0.9 * (double)told - (told < 10 ? 0.6 : 0.0));
        assert_true(worst <= 3.0);
        free(day);
        free(work);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(setpoints_alone_with_it_given), cmocka_unit_test(setpoints_alone_with_a_demand),
            cmocka_unit_test(moves_with_a_demand),           cmocka_unit_test(it_as_an_outcome_of_the_calendar),
            cmocka_unit_test(nothing_done_saves_nothing),    cmocka_unit_test(days_in_turn),
        };
        const char *s = getenv("COOLPLANE_SAVINGS_SITES"), *d = getenv("COOLPLANE_SAVINGS_DAYS");

        if (s != NULL)
                sites = (size_t)strtoul(s, NULL, 10);
        if (d != NULL)
                period_days = (size_t)strtoul(d, NULL, 10);
        printf("%zu sites, seeds from 1000\n", sites);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
