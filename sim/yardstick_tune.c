/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * coolplane-sim tune: the grid that b1 and b2 were tuned by, on seeds that no comparison uses. One coordinate at a time
 * over its values, each time keeping the best, again until a round changes nothing; then the planes of what trades
 * against each other. Judged as the yardstick judges: least total energy with every inlet at most 27 °C, over a winter,
 * a spring, a summer and an autumn day, and 2 kWh for each chiller start.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/serve.h"
#include "sim/yardstick.h"

#define DAYS 4
#define SEEDS_MAX 16
#define WARMUP_H 6.0
#define START_KWH 2.0
#define ROUNDS 4
#define VALUES 9

static const char *const day_start[DAYS] = {"2026-01-19T00:00:00Z", "2026-04-20T00:00:00Z", "2026-07-20T00:00:00Z",
                                            "2026-10-20T00:00:00Z"};

/* A point of the grid: member k of the tuning struct, which holds doubles only. */
#define COORDS_MAX 10
struct coordinate {
        const char *name;
        size_t n;
        double value[VALUES];
};
static const struct coordinate b2_grid[] = {{"target_c", 7, {25.5, 25.75, 26, 26.25, 26.5, 26.75, 27}},
                                            {"fan_request", 9, {0.31, 0.36, 0.41, 0.42, 0.45, 0.48, 0.54, 0.6, 0.7}},
                                            {"stage_up", 5, {0.5, 0.6, 0.7, 0.8, 0.9}},
                                            {"stage_down", 5, {0.45, 0.55, 0.65, 0.75, 0.8}},
                                            {"chwst_max_c", 9, {10, 10.5, 11, 11.5, 12, 13, 14, 16, 18}},
                                            {"approach_k", 6, {3, 4, 4.5, 5, 5.5, 6}},
                                            {"sat_max_c", 6, {21, 22, 23, 24, 25, 26}},
                                            {"sat_min_c", 7, {14, 15, 16, 16.5, 17, 17.5, 18}},
                                            {"fan_min", 7, {0.3, 0.35, 0.38, 0.4, 0.42, 0.45, 0.5}},
                                            {"cwst_min_c", 5, {6, 10, 14, 16, 18}}};
static const struct coordinate b1_grid[] = {{"offset_k", 9, {3, 4, 5, 6, 7, 8, 9, 10, 11}},
                                            {"dp_pa", 9, {1.8, 2.1, 2.4, 2.7, 3, 3.3, 3.6, 4, 5}}};

struct tuning {
        const char *name;
        enum plant_local local;
        const struct coordinate *grid;
        size_t n, plane[2]; /* coordinates of the plane */
};
static const struct tuning tunings[] = {
    {"b1", PLANT_LOCAL_FIXED, b1_grid, sizeof(b1_grid) / sizeof(b1_grid[0]), {0, 1}},
    {"b2", PLANT_LOCAL_TRIM_RESPOND, b2_grid, sizeof(b2_grid) / sizeof(b2_grid[0]), {1, 4}},
};

struct outcome {
        double total_kwh, cooling_kwh, max_inlet_c, starts;
};

struct tune {
        const struct tuning *t;
        const char *site;
        struct world world[DAYS * SEEDS_MAX];
        struct plant *plant; /* the copy that runs */
        size_t nworld;
        double hours, x[COORDS_MAX], least;
        unsigned evaluations;
        bool economiser, small;
};
#define CWST_MIN_C 14.0 /* what a site without an economiser takes */

static void put(const struct tune *u, const double *x, struct plant *p, struct yard_pid *pid)
{
        if (u->t->local == PLANT_LOCAL_FIXED)
                *pid = (struct yard_pid){.offset_k = x[0], .dp_pa = x[1]};
        else
                *plant_local_tuning(p) = (struct plant_local_tuning){.target_c = x[0],
                                                                     .fan_request = x[1],
                                                                     .stage_up = x[2],
                                                                     .stage_down = x[3],
                                                                     .chwst_max_c = x[4],
                                                                     .approach_k = x[5],
                                                                     .sat_max_c = x[6],
                                                                     .sat_min_c = x[7],
                                                                     .fan_min = x[8],
                                                                     .cwst_min_c = x[9]};
}

static void in_force(const struct tune *u, double *ret)
{
        const struct plant_local_tuning *b2 = plant_local_tuning(u->world[0].plant);

        if (u->t->local == PLANT_LOCAL_FIXED)
                memcpy(ret, (const double[]){yard_pid_tuned.offset_k, yard_pid_tuned.dp_pa}, 2 * sizeof(double));
        else
                memcpy(ret,
                       (const double[]){b2->target_c, b2->fan_request, b2->stage_up, b2->stage_down, b2->chwst_max_c,
                                        b2->approach_k, b2->sat_max_c, b2->sat_min_c, b2->fan_min, b2->cwst_min_c},
                       10 * sizeof(double));
}

static void advance(const struct tune *u, struct plant *p, const struct yard_pid *pid, double hours)
{
        if (u->t->local == PLANT_LOCAL_FIXED)
                yard_pid_advance(p, pid, hours);
        else
                yard_advance(p, hours);
}

static double judge(const struct outcome *o)
{
        return o->max_inlet_c <= YARD_INLET_MAX_C ? o->total_kwh + START_KWH * o->starts : (double)INFINITY;
}

static struct outcome evaluate(struct tune *u, const double *x)
{
        struct outcome o = {.max_inlet_c = -100.0};
        struct yard_pid pid = {0};

        for (size_t i = 0; i < u->nworld; i++) {
                struct plant_account a;

                plant_copy(u->plant, u->world[i].plant);
                put(u, x, u->plant, &pid);
                advance(u, u->plant, &pid, WARMUP_H);
                plant_account_reset(u->plant);
                advance(u, u->plant, &pid, u->hours);
                plant_account(u->plant, &a);
                o.total_kwh += a.total_kwh;
                o.cooling_kwh += a.cooling_kwh;
                o.starts += (double)a.chiller_starts;
                o.max_inlet_c = fmax(o.max_inlet_c, a.max_inlet_c);
        }
        u->evaluations++;
        return o;
}

static void row(const struct tune *u, const double *x, const char *what, const struct outcome *o, bool best)
{
        printf("%-22s", what);
        for (size_t k = 0; k < u->t->n; k++)
                printf(" %11g", x[k]);
        printf(" %10.1f %10.1f %9.2f %6.0f %s\n", o->total_kwh, o->cooling_kwh, o->max_inlet_c, o->starts,
               !isfinite(judge(o)) ? "too warm"
               : best              ? "best so far"
                                   : "");
}

/* True when it is the best so far (ties stay where they are). */
static bool look(struct tune *u, const double *x, const char *what)
{
        const struct outcome o = evaluate(u, x);
        const bool better = judge(&o) < u->least - 1e-6;

        row(u, x, what, &o, better);
        if (better) {
                u->least = judge(&o);
                memcpy(u->x, x, u->t->n * sizeof(*x));
        }
        return better;
}

static bool along(struct tune *u, size_t k)
{
        const struct coordinate *c = &u->t->grid[k];
        double x[COORDS_MAX], was[COORDS_MAX];
        bool better = false;

        memcpy(was, u->x, sizeof(was));
        memcpy(x, was, sizeof(x));
        for (size_t i = 0; i < c->n; i++) {
                x[k] = c->value[i];
                if (strcmp(c->name, "cwst_min_c") == 0 && x[k] < CWST_MIN_C && !u->economiser)
                        continue;
                if (fabs(x[k] - was[k]) > 1e-9)
                        better |= look(u, x, c->name);
        }
        return better;
}

static void plane(struct tune *u)
{
        const struct coordinate *a = &u->t->grid[u->t->plane[0]], *b = &u->t->grid[u->t->plane[1]];
        double x[COORDS_MAX];
        char what[64];

        memcpy(x, u->x, sizeof(x));
        (void)snprintf(what, sizeof(what), "%s x %s", a->name, b->name);
        for (size_t i = 0; i < a->n; i++)
                for (size_t k = 0; k < b->n; k++) {
                        x[u->t->plane[0]] = a->value[i];
                        x[u->t->plane[1]] = b->value[k];
                        (void)look(u, x, what);
                }
}

static void tune(struct tune *u)
{
        double first[COORDS_MAX] = {0};
        bool better = true;
        struct outcome o;

        in_force(u, first);
        memcpy(u->x, first, sizeof(first));
        u->least = (double)INFINITY;
        printf("%-22s", "varied");
        for (size_t k = 0; k < u->t->n; k++)
                printf(" %11s", u->t->grid[k].name);
        printf(" %10s %10s %9s %6s\n", "total_kwh", "cooling", "max_inlet", "starts");
        (void)look(u, first, "in force");
        for (unsigned round = 0; better && u->t->n > 2 && round < (u->small ? 1 : ROUNDS); round++) {
                better = false;
                for (size_t k = 0; k < u->t->n; k++)
                        better |= along(u, k);
        }
        if (!u->small || u->t->n == 2)
                plane(u);
        o = evaluate(u, first);
        row(u, first, "in force", &o, false);
        printf("best: ");
        for (size_t k = 0; k < u->t->n; k++)
                printf("%s%s %g", k > 0 ? ", " : "", u->t->grid[k].name, u->x[k]);
        if (isfinite(judge(&o)))
                printf("; %.3f %% under the values in force", 100.0 * (1.0 - u->least / judge(&o)));
        printf("; %u evaluations\n", u->evaluations);
}

static const char help_text[] =
    "Example: coolplane-sim tune --controller b2\n\n"
    "Repeats the grid search that the baselines b1 and b2 of coolplane-sim compare were tuned by, and prints every "
    "point\n"
    "of it: total energy of four days (19 January, 20 April, 20 July, 20 October) and all seeds, every inlet at\n"
    "27 °C or less, 2 kWh for each chiller start. It changes nothing: the values in force stand in sim/plant_local.c "
    "(b2) "
    "and\n"
    "sim/yardstick_command.c (b1). COOLPLANE_TUNE_SMALL=1 in the environment: one seed, two hours, one round.\n\n"
    "  --controller NAME        b1 or b2 (default)\n"
    "  --site NAME              tiny, hall (default) or campus\n"
    "  --economiser             the site gets one if it has none\n"
    "  --first-seed S           default 101: no comparison should use it\n"
    "  --seeds K                default 3\n";

struct tune_options {
        int64_t first, nseed;
};

/* An exit code, or −1 to go on. */
static int parse_options(int argc, char **argv, struct tune *u, struct tune_options *o)
{
        enum { OPT_CONTROLLER, OPT_SITE, OPT_ECONOMISER, OPT_FIRST, OPT_SEEDS, OPT_HELP };
        static const struct option longopts[] = {{"controller", required_argument, NULL, OPT_CONTROLLER},
                                                 {"site", required_argument, NULL, OPT_SITE},
                                                 {"economiser", no_argument, NULL, OPT_ECONOMISER},
                                                 {"first-seed", required_argument, NULL, OPT_FIRST},
                                                 {"seeds", required_argument, NULL, OPT_SEEDS},
                                                 {"help", no_argument, NULL, OPT_HELP},
                                                 {NULL, 0, NULL, 0}};
        int c, index;

        while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
                bool ok = true;

                if (c == OPT_HELP) {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                if (c == OPT_CONTROLLER) {
                        ok = strcmp(optarg, "b1") == 0 || strcmp(optarg, "b2") == 0;
                        u->t = &tunings[ok && optarg[1] == '2'];
                } else if (c == OPT_SITE) {
                        u->site = optarg;
                } else if (c == OPT_ECONOMISER) {
                        u->economiser = true;
                } else if (c == OPT_FIRST) {
                        ok = parse_int64(optarg, 1, INT64_MAX - SEEDS_MAX, &o->first) == 0;
                } else if (c == OPT_SEEDS) {
                        ok = parse_int64(optarg, 1, SEEDS_MAX, &o->nseed) == 0;
                } else {
                        return EXIT_USAGE_;
                }
                if (!ok) {
                        fprintf(stderr, "coolplane-sim tune: --%s: cannot use \"%s\"\n", longopts[index].name, optarg);
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim tune: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        return -1;
}

int verb_tune(int argc, char **argv)
{
        const char *small = getenv("COOLPLANE_TUNE_SMALL");
        struct tune u = {.t = &tunings[1], .site = "hall", .hours = 24.0, .small = small != NULL && *small == '1'};
        struct tune_options o = {.first = 101, .nseed = 3};
        int code = parse_options(argc, argv, &u, &o);

        if (code >= 0)
                return code;
        if (u.small) {
                o.nseed = 1;
                u.hours = 2.0;
        }
        code = EXIT_OK;
        for (int64_t i = 0; code == EXIT_OK && i < DAYS * o.nseed; i++) {
                const struct world_args a = {.site = u.site,
                                             .seed = (uint64_t)(o.first + i / DAYS),
                                             .local = u.t->local,
                                             .economiser = u.economiser};
                int64_t start_ms;

                (void)clk_parse_time(day_start[i % DAYS], &start_ms);
                code = world_create(&a, start_ms - llround(WARMUP_H * 3600e3), &u.world[u.nworld]);
                u.nworld += code == EXIT_OK;
        }
        if (code == EXIT_OK && plant_clone(u.world[0].plant, &u.plant) < 0)
                code = EXIT_GENERIC;
        if (code == EXIT_OK) {
                printf("%s on %s, %zu days of %g h, seeds %" PRId64 " to %" PRId64 "\n", u.t->name, u.site, u.nworld,
                       u.hours, o.first, o.first + o.nseed - 1);
                tune(&u);
        }
        (void)plant_free(u.plant);
        for (size_t i = 0; i < u.nworld; i++)
                world_free(&u.world[i]);
        return code != EXIT_OK || fflush(stdout) == 0 ? code : EXIT_IO;
}
