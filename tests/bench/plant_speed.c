/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How fast the reference plant runs in process on one core, and what its long steps cost in fidelity.
 *
 *   plant-speed [HOURS]             plant hours of hall for each figure (default 500; tiny ten times, campus an eighth)
 *   plant-speed --fidelity [HOURS]  only what the long steps cost
 *
 * Times are CPU time of this process. Speed is printed and never judged. What is judged is deterministic: that energy
 * closes, and that the plant gives the same energies and inlets whether it is stepped 5 s at a time or as it likes.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/parse.h"
#include "sim/plant.h"

#define START_MS INT64_C(1768435200000) /* 2026-01-15 */
#define ENERGY_MAX 5e-5                 /* what the steps may change: ARCHITECTURE.md states these two */
#define INLET_MAX_K 0.02
#define WINDOW_H 4
#define FIDELITY_H 96.0
#define RESIDUAL_MAX 0.005

struct run {
        double cpu_s, hours;
        double hottest_c; /* at whole minutes, the mean of the hottest of each four hours */
        struct plant_account account;
};

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double hottest_c(const struct plant *p)
{
        double c = -100.0;

        for (size_t i = 0; i < plant_spec(p)->nrack; i++)
                c = fmax(c, plant_true_inlet_c(p, i));
        return c;
}

/* The mean of what is hottest in each four hours: one excursion more or less is luck, as trim and respond follows
 * noise. */
static double run_hottest(struct plant *p, double hours, double step_s)
{
        const int n = (int)(hours / WINDOW_H);
        double sum = 0.0;

        for (int k = 0; k < n; k++) {
                double most_c = -100.0;

                for (int minute = 0; minute < WINDOW_H * 60; minute++) {
                        for (double t_s = 0.0; t_s < 60.0; t_s += step_s)
                                plant_advance(p, step_s);
                        most_c = fmax(most_c, hottest_c(p));
                }
                sum += most_c / n;
        }
        return sum;
}

static int run(const struct plant_spec *wanted, enum plant_local local, double hours, double step_s, bool come,
               bool hottest, struct run *ret)
{
        struct plant_spec own = *wanted, *spec = &own;
        struct arrivals *arrivals = NULL;
        struct weather *weather = NULL;
        struct workload *load = NULL;
        struct plant *p = NULL;
        int r = weather_synthetic(spec->seed, &weather);
        double start_s;

        if (r == 0)
                r = workload_synthetic(spec->seed, spec->vms, &load);
        if (r == 0 && come)
                r = arrivals_synthetic(spec->seed, &arrivals);
        own.arrivals = arrivals;
        if (r == 0)
                r = plant_create(spec, weather, load, START_MS, &p);
        if (r == 0) {
                plant_set_local(p, local);
                plant_advance(p, 6.0 * 3600.0);
                plant_account_reset(p);
                start_s = cpu_s();
                if (hottest)
                        ret->hottest_c = run_hottest(p, hours, step_s);
                for (double t_s = 0.0; !hottest && t_s < hours * 3600.0; t_s += step_s)
                        plant_advance(p, step_s);
                ret->cpu_s = cpu_s() - start_s;
                ret->hours = hours;
                plant_account(p, &ret->account);
        }
        (void)plant_free(p);
        (void)arrivals_free(arrivals);
        (void)workload_free(load);
        (void)weather_free(weather);
        return r;
}

static int speeds(double hours, int *bad)
{
        static const struct {
                const char *name;
                double share; /* of the hours */
        } site[] = {{"tiny", 10.0}, {"hall", 1.0}, {"campus", 0.125}};
        static const char *const local[] = {"fixed", "trim"};

        printf("%-8s %-6s %-16s %15s %12s %8s %10s\n", "site", "local", "asked for", "plant-hours/s", "x real time",
               "year s", "residual");
        for (size_t k = 0; k < 18; k++) {
                const size_t i = k / 6, l = k / 3 % 2, how = k % 3;
                struct plant_spec spec;
                struct run x;
                int r = plant_spec_named(site[i].name, &spec);

                if (r == 0)
                        r = run(&spec, l ? PLANT_LOCAL_TRIM_RESPOND : PLANT_LOCAL_FIXED,
                                ceil(hours * site[i].share * (how == 1 ? 0.2 : 1.0)), how == 1 ? 5.0 : 60.0, how == 2,
                                false, &x);
                if (r != 0)
                        return r;
                printf("%-8s %-6s %-16s %15.0f %12.0f %8.2f %10.0e\n", site[i].name, local[l],
                       how == 0   ? "60 s at a time"
                       : how == 1 ? "5 s at a time"
                                  : "60 s, VMs come",
                       x.hours / x.cpu_s, x.hours * 3600.0 / x.cpu_s, 8760.0 * x.cpu_s / x.hours,
                       x.account.energy_residual_ratio);
                *bad += !(x.account.energy_residual_ratio < RESIDUAL_MAX);
        }
        return 0;
}

/* CPU time per plant hour ~ racks^exponent, least squares over sites of one to eight halls. */
static int exponent(double hours)
{
        double sx = 0, sy = 0, sxx = 0, sxy = 0;
        const int n = 4;

        for (int k = 0; k < n; k++) {
                const size_t m = (size_t)1 << k;
                struct plant_spec s;
                struct run x;
                int r = plant_spec_named("hall", &s);

                if (r != 0)
                        return r;
                s.nroom *= m;
                s.ncrah *= m;
                s.nrack *= m;
                s.vms *= m;
                s.loop_volume_m3 *= (double)m;
                s.nchiller = m < 5 ? s.nchiller * m : 12;
                s.chiller_capacity_w *= m < 5 ? 1.0 : 2.0;
                r = run(&s, PLANT_LOCAL_TRIM_RESPOND, ceil(hours / (double)m), 60.0, false, false, &x);
                if (r != 0)
                        return r;
                const double lx = log((double)s.nrack), ly = log(x.cpu_s / x.hours);

                printf("%zu racks: %.1f us an hour and rack\n", s.nrack, 1e6 * x.cpu_s / x.hours / (double)s.nrack);
                sx += lx;
                sy += ly;
                sxx += lx * lx;
                sxy += lx * ly;
        }
        printf("CPU time ~ racks^%.2f\n", (n * sxy - sx * sy) / (n * sxx - sx * sx));
        return 0;
}

static int fidelity(double hours, int *bad)
{
        const double window = WINDOW_H * ceil(hours / WINDOW_H);

        printf("\nwhat long steps change against steps of 5 s, over %g h:\n", window);
        printf("%-8s %-6s %14s %14s %16s %16s\n", "site", "local", "total energy", "cooling", "hottest of 4 h",
               "of all");
        for (int i = 0; i < 4; i++) {
                const char *name = i < 2 ? "tiny" : "hall";
                const enum plant_local local = i % 2 ? PLANT_LOCAL_TRIM_RESPOND : PLANT_LOCAL_FIXED;
                struct plant_spec s;
                struct run a, b;
                int r = plant_spec_named(name, &s);

                if (r == 0)
                        r = run(&s, local, window, 60.0, false, true, &a);
                if (r == 0)
                        r = run(&s, local, window, 5.0, false, true, &b);
                if (r != 0)
                        return r;
                const double total = a.account.total_kwh / b.account.total_kwh - 1.0;
                const double cooling = a.account.cooling_kwh / b.account.cooling_kwh - 1.0;
                const double inlet_k = a.hottest_c - b.hottest_c;

                printf("%-8s %-6s %+13.4f%% %+13.4f%% %+14.3f K %+14.3f K\n", name, i % 2 ? "trim" : "fixed",
                       100.0 * total, 100.0 * cooling, inlet_k, a.account.max_inlet_c - b.account.max_inlet_c);
                *bad += !(fabs(total) < ENERGY_MAX && fabs(inlet_k) < INLET_MAX_K);
        }
        return 0;
}

int main(int argc, char **argv)
{
        const bool only = argc > 1 && strcmp(argv[1], "--fidelity") == 0;
        double hours = only ? FIDELITY_H : 500.0;
        int bad = 0, r = 0;

        argc -= only;
        argv += only;
        if (argc > 2 || (argc == 2 && (parse_double(argv[1], &hours) < 0 || !(hours >= 1.0 && hours <= 1e6)))) {
                fprintf(stderr, "usage: plant-speed [--fidelity] [HOURS]\n");
                return 2;
        }
        if (!only) {
                r = speeds(hours, &bad);
                printf("\n");
                if (r == 0)
                        r = exponent(hours);
        }
        if (r == 0)
                r = fidelity(only ? hours : FIDELITY_H, &bad);
        if (r != 0) {
                fprintf(stderr, "plant-speed: %s\n", strerror(-r));
                return 1;
        }
        if (bad > 0)
                fprintf(stderr, "plant-speed: %d runs lose energy or fidelity\n", bad);
        return bad > 0;
}
