/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim explore: how many steps five explorers need to learn the stylised row of air handlers. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "sim/explore_methods.h"
#include "sim/serve.h"

#define SEEDS_MAX 1000
#define CELLS_MAX 16 /* numbers of units in one run */
#define B_RATIO 0.5

/* What is known of the row beforehand. */
static const struct prior {
        const char *name, *what;
        bool known;
        double a_ratio;
} priors[] = {
    {"yes", "A within 2 % of an estimate, B and C within 50 %", true, 0.02},
    {"wide", "A within 5 %, which does not contract beyond a few units", true, 0.05},
    {"no", "signs and neighbours only, no coefficient above 1", false, 0.02},
};
#define PRIORS (sizeof(priors) / sizeof(priors[0]))

struct options {
        size_t unit[CELLS_MAX], nunit;
        bool method[EXPLORE_METHODS], prior[PRIORS], json;
        size_t seeds, steps, ball_period; /* ball_period 0: the best */
        uint64_t seed;
};

/* One explorer over all seeds; INFINITY = not reached by half of them. */
struct summary {
        double first, first_min, first_max, settled, error, us_per_step;
        size_t reached, nominal; /* seeds; nominal: never left the nominal action */
        size_t violations, certified, moved, steps;
        enum region_reason reason; /* of a seed that stayed nominal */
        size_t worst_row;
        double worst_sum;
};

static int by_value(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

/* Sorts v [n]. */
static double median(double *v, size_t n)
{
        qsort(v, n, sizeof(*v), by_value);
        return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static double steps_or_never(size_t n)
{
        return n > 0 ? (double)n : (double)INFINITY;
}

static int run_seed(const struct options *o, const struct row_case *c, const struct explore_args *a, uint64_t seed,
                    struct explore_result *ret, double *ret_cpu_s)
{
        struct row *row = malloc(sizeof(*row));
        void *mem = NULL;
        int code = EXIT_UNAVAILABLE;

        if (!row)
                return code;
        row_create(row, c, seed);
        mem = malloc(explore_memsize(row));
        if (mem) {
                const clock_t before = clock();
                explore_run(mem, explore_memsize(row), row, a, seed, o->steps, ret);
                *ret_cpu_s = (double)(clock() - before) / CLOCKS_PER_SEC;
                code = EXIT_OK;
        }
        free(mem);
        free(row);
        return code;
}

static void add_result(const struct explore_result *r, struct summary *s)
{
        s->reached += r->first > 0;
        s->violations += r->violations;
        s->certified += r->certified;
        s->moved += r->moved;
        if (r->moved > 0)
                return;
        if (s->nominal == 0 || r->worst_sum > s->worst_sum) {
                s->reason = r->reason;
                s->worst_row = r->worst_row;
                s->worst_sum = r->worst_sum;
        }
        s->nominal++;
}

static int run_method(const struct options *o, size_t units, const struct prior *p, enum explore_method m,
                      struct summary *ret)
{
        const struct row_case c = {units, p->known, p->a_ratio, B_RATIO};
        const struct explore_args a = {m, o->ball_period > 0 ? o->ball_period : explore_ball_period(units)};
        double first[SEEDS_MAX], settled[SEEDS_MAX], error[SEEDS_MAX], cpu_s = 0.0;

        *ret = (struct summary){.steps = o->seeds * o->steps};
        for (size_t k = 0; k < o->seeds; k++) {
                struct explore_result r;
                double took_s;
                const int code = run_seed(o, &c, &a, o->seed + k, &r, &took_s);
                if (code != EXIT_OK)
                        return code;
                cpu_s += took_s;
                first[k] = steps_or_never(r.first);
                settled[k] = steps_or_never(r.settled);
                error[k] = r.error;
                add_result(&r, ret);
        }
        ret->first = median(first, o->seeds);
        ret->first_min = first[0];
        ret->first_max = first[o->seeds - 1];
        ret->settled = median(settled, o->seeds);
        ret->error = median(error, o->seeds);
        ret->us_per_step = 1e6 * cpu_s / (double)(o->seeds * (o->steps + EXPLORE_WARMUP));
        return EXIT_OK;
}

static char *count_or_never(double v, size_t steps, char *buf, size_t size)
{
        if (isfinite(v))
                (void)snprintf(buf, size, "%g", v);
        else
                (void)snprintf(buf, size, "not in %zu", steps);
        return buf;
}

/* Steps of the ball for each of this explorer's; *ret_bound: at least that, the ball did not get there. */
static double against_ball(const struct summary *s, const struct summary *ball, size_t steps, bool *ret_bound)
{
        *ret_bound = !isfinite(ball->first);
        return isfinite(s->first) ? (*ret_bound ? (double)steps : ball->first) / s->first : (double)NAN;
}

static void print_row(const struct options *o, enum explore_method m, const struct summary *s,
                      const struct summary *ball)
{
        char first[32], range[80], low[32], high[32], settled[32], ratio[32] = "-";
        const double all = (double)s->steps, lived = (double)(o->seeds * (o->steps + EXPLORE_WARMUP));
        bool bound;

        if (ball && m != EXPLORE_BALL && isfinite(s->first)) {
                const double times = against_ball(s, ball, o->steps, &bound);
                (void)snprintf(ratio, sizeof(ratio), "%s1/%.1f", bound ? "< " : "", times);
        }
        (void)snprintf(range, sizeof(range), "%s..%s", count_or_never(s->first_min, o->steps, low, sizeof(low)),
                       isfinite(s->first_max) ? count_or_never(s->first_max, o->steps, high, sizeof(high)) : "never");
        printf("%-7s %12s %16s %4zu/%zu %12s %10zu %7.2f %11.1f %8.1f %8.2f %11.1f %9s\n", explore_method_str(m),
               count_or_never(s->first, o->steps, first, sizeof(first)), s->reached ? range : "-", s->reached, o->seeds,
               count_or_never(s->settled, o->steps, settled, sizeof(settled)), s->violations,
               100.0 * (double)s->violations / lived, 100.0 * (double)s->certified / all,
               100.0 * (double)s->moved / all, 100.0 * s->error, s->us_per_step, ratio);
        if (s->nominal > 0)
                printf("        %zu of %zu seeds stayed nominal: %s (worst sum %.3f, %s of unit %zu)\n", s->nominal,
                       o->seeds, region_reason_str(s->reason), s->worst_sum,
                       s->worst_row % 2 ? "pressure" : "cold aisle", s->worst_row / 2 + 1);
}

static void json_number(struct text *t, const char *name, double v)
{
        text_printf(t, ",\"%s\":", name);
        text_json_number(t, v);
}

static void json_row(const struct options *o, size_t units, const struct prior *p, enum explore_method m,
                     const struct summary *s, const struct summary *ball, struct text *t)
{
        bool bound = false;
        const double times = ball ? against_ball(s, ball, o->steps, &bound) : (double)NAN, all = (double)s->steps;

        text_printf(t, "%s{\"units\":%zu,\"priors\":\"%s\",\"method\":\"%s\",\"reached\":%zu", t->n > 0 ? "," : "",
                    units, p->name, explore_method_str(m), s->reached);
        json_number(t, "steps_median", s->first);
        json_number(t, "steps_min", s->first_min);
        json_number(t, "steps_max", s->first_max);
        json_number(t, "settled_median", s->settled);
        json_number(t, "error_median_ratio", s->error);
        json_number(t, "violation_steps", (double)s->violations);
        json_number(t, "violation_ratio", (double)s->violations / (double)(o->seeds * (o->steps + EXPLORE_WARMUP)));
        json_number(t, "certified_ratio", (double)s->certified / all);
        json_number(t, "moved_ratio", (double)s->moved / all);
        json_number(t, "cpu_us_per_step", s->us_per_step);
        json_number(t, "ball_steps_per_step", times);
        text_printf(t, ",\"ball_not_reached\":%s,\"nominal_seeds\":%zu", bound ? "true" : "false", s->nominal);
        if (s->nominal > 0) {
                text_printf(t, ",\"nominal_reason\":\"%s\"", region_reason_str(s->reason));
                json_number(t, "worst_row_sum", s->worst_sum);
        }
        text_put(t, "}");
}

/* All explorers on rows of one size under one prior. *violated: set when one that certifies violated. */
static int run_cell(const struct options *o, size_t units, const struct prior *p, struct text *json, bool *violated)
{
        struct summary s[EXPLORE_METHODS];
        const struct summary *ball = o->method[EXPLORE_BALL] ? &s[EXPLORE_BALL] : NULL;

        for (size_t m = 0; m < EXPLORE_METHODS; m++) {
                const int code = o->method[m] ? run_method(o, units, p, (enum explore_method)m, &s[m]) : EXIT_OK;
                if (code != EXIT_OK)
                        return code;
        }
        if (!o->json)
                printf("\n%zu unit%s, priors %s: %s\n%-7s %12s %16s %7s %12s %10s %7s %11s %8s %8s %11s %9s\n", units,
                       PLURAL_S(units), p->name, p->what, "method", "steps", "range", "reached", "stays_from",
                       "violations", "viol_%", "certified_%", "moved_%", "error_%", "cpu_us/step", "of_ball");
        for (size_t m = 0; m < EXPLORE_METHODS; m++) {
                if (!o->method[m])
                        continue;
                if (m != EXPLORE_NOISE && s[m].violations > 0)
                        *violated = true;
                if (o->json)
                        json_row(o, units, p, (enum explore_method)m, &s[m], ball, json);
                else
                        print_row(o, (enum explore_method)m, &s[m], ball);
        }
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_IO;
}

static int run(const struct options *o)
{
        struct text json = {0};
        bool violated = false;
        int code = EXIT_OK;

        if (!o->json)
                printf("Steps until B is known to 5 %% (median and range over %zu seed%s from %llu), after %d at the "
                       "nominal action; %zu steps each.\n",
                       o->seeds, PLURAL_S(o->seeds), (unsigned long long)o->seed, EXPLORE_WARMUP, o->steps);
        for (size_t p = 0; p < PRIORS; p++)
                for (size_t k = 0; o->prior[p] && k < o->nunit && code == EXIT_OK; k++)
                        code = run_cell(o, o->unit[k], &priors[p], &json, &violated);
        if (code == EXIT_OK && json.failed)
                code = EXIT_UNAVAILABLE;
        if (code == EXIT_OK && o->json)
                printf("{\"seed\":%llu,\"seeds\":%zu,\"steps\":%zu,\"warmup\":%d,\"rows\":[%s]}\n",
                       (unsigned long long)o->seed, o->seeds, o->steps, EXPLORE_WARMUP, json.v);
        text_free(&json);
        if (code == EXIT_OK && fflush(stdout) != 0)
                code = EXIT_IO;
        return code == EXIT_OK && violated ? EXIT_VIOLATIONS : code;
}

static const char help_text[] =
    "Example: coolplane-sim explore --units 4 --seeds 10\n\n"
    "How fast a row of air handlers is learned, and what the learning does to it: five explorers on a stylised row\n"
    "(sim/explore_row.h: cold-aisle temperature and differential pressure, fan and valve per unit), the same\n"
    "identification for all, 500 steps at the nominal action first. steps: until the error of B (Frobenius, relative)\n"
    "is 5 % for the first time, median over the seeds; stays_from: for good. violations: steps with a state beyond\n"
    "its limit. of_ball: steps as a part of the ball's; \"<\" when the ball did not get there. Exit code 3 when an\n"
    "explorer other than noise violated a limit.\n\n"
    "  --units LIST       default 1,4,16,64\n"
    "  --methods LIST     of (default all):\n"
    "      walk    certified random walk\n"
    "      greedy  what tells most about B, inside the certified region\n"
    "      ball    growing ball around the nominal action, our re-implementation after Lu et al. 2017\n"
    "      fixed   the same, certified once from the prior\n"
    "      noise   uniform over the whole range, not certified\n"
    "  --priors P         yes: A within 2 % of an estimate, B and C within 50 %; wide: A within 5 %, which does not\n"
    "                     contract beyond a few units; no: signs and neighbours only; both: yes and no; all (default)\n"
    "  --seeds K          default 10\n"
    "  --seed S           the first (default 1)\n"
    "  --steps N          default 2000\n"
    "  --ball-period N    ball and fixed act every N steps and rest in between, which lets the ball grow; 1: every\n"
    "                     step (default: the best of a grid, 4 to 15 by the number of units)\n"
    "  --json             one JSON document\n";

static int refuse(const char *option, const char *value)
{
        fprintf(stderr, "coolplane-sim explore: %s: cannot use \"%s\"\n", option, value);
        return EXIT_USAGE_;
}

static int parse_count(const char *option, const char *value, int64_t max, size_t *ret)
{
        int64_t v;

        if (parse_int64(value, 1, max, &v) < 0)
                return refuse(option, value);
        *ret = (size_t)v;
        return EXIT_OK;
}

/* The next member of a comma-separated list, cut out of it; NULL at its end. */
static char *next_member(char **list)
{
        char *member = *list;

        if (!member)
                return NULL;
        *list = strchr(member, ',');
        if (*list)
                *(*list)++ = '\0';
        return member;
}

static int parse_units(char *list, struct options *o)
{
        char *member;

        o->nunit = 0;
        while ((member = next_member(&list)) != NULL) {
                if (o->nunit == CELLS_MAX)
                        return refuse("--units", member);
                if (parse_count("--units", member, ROW_UNITS_MAX, &o->unit[o->nunit]) != EXIT_OK)
                        return EXIT_USAGE_;
                o->nunit++;
        }
        return EXIT_OK;
}

static int parse_methods(char *list, struct options *o)
{
        char *member;

        memset(o->method, 0, sizeof(o->method));
        while ((member = next_member(&list)) != NULL) {
                size_t m = 0;
                while (m < EXPLORE_METHODS && strcmp(explore_method_str((enum explore_method)m), member) != 0)
                        m++;
                if (m == EXPLORE_METHODS)
                        return refuse("--methods", member);
                o->method[m] = true;
        }
        return EXIT_OK;
}

static int parse_priors(const char *value, struct options *o)
{
        bool any = false;

        for (size_t p = 0; p < PRIORS; p++) {
                o->prior[p] = strcmp(value, priors[p].name) == 0 || strcmp(value, "all") == 0 ||
                              (strcmp(value, "both") == 0 && strcmp(priors[p].name, "wide") != 0);
                any = any || o->prior[p];
        }
        return any ? EXIT_OK : refuse("--priors", value);
}

static int parse_options(int argc, char **argv, struct options *o, bool *ret_help)
{
        static const struct option longopts[] = {{"units", required_argument, NULL, 'u'},
                                                 {"methods", required_argument, NULL, 'm'},
                                                 {"priors", required_argument, NULL, 'p'},
                                                 {"seeds", required_argument, NULL, 'k'},
                                                 {"seed", required_argument, NULL, 'd'},
                                                 {"steps", required_argument, NULL, 'n'},
                                                 {"ball-period", required_argument, NULL, 'b'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
        size_t seed = 1;
        int c, code = EXIT_OK;

        while (code == EXIT_OK && (c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                switch (c) {
                case 'u':
                        code = parse_units(optarg, o);
                        break;
                case 'm':
                        code = parse_methods(optarg, o);
                        break;
                case 'p':
                        code = parse_priors(optarg, o);
                        break;
                case 'k':
                        code = parse_count("--seeds", optarg, SEEDS_MAX, &o->seeds);
                        break;
                case 'd':
                        code = parse_count("--seed", optarg, INT64_MAX - SEEDS_MAX, &seed);
                        break;
                case 'n':
                        code = parse_count("--steps", optarg, 1000000, &o->steps);
                        break;
                case 'b':
                        code = parse_count("--ball-period", optarg, REGION_PERIOD_MAX, &o->ball_period);
                        break;
                case 'j':
                        o->json = true;
                        break;
                case 'h':
                        *ret_help = true;
                        break;
                default:
                        code = EXIT_USAGE_;
                }
        }
        o->seed = seed;
        if (code == EXIT_OK && optind < argc) {
                fprintf(stderr, "coolplane-sim explore: unexpected argument \"%s\"\n", argv[optind]);
                code = EXIT_USAGE_;
        }
        return code;
}

int verb_explore(int argc, char **argv)
{
        struct options o = {.unit = {1, 4, 16, 64},
                            .nunit = 4,
                            .method = {true, true, true, true, true},
                            .prior = {true, true, true},
                            .seeds = 10,
                            .steps = 2000};
        bool help = false;
        const int code = parse_options(argc, argv, &o, &help);

        if (code != EXIT_OK)
                return code;
        if (help) {
                fputs(help_text, stdout);
                return EXIT_OK;
        }
        return run(&o);
}
