/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim scenario: runs scenario files over several seeds and says which limit failed with which seed. */
#include "sim/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/serve.h"

enum { FILES_MAX = 512, PATH_BYTES = 512 };

static const char help_text[] =
    "Example: coolplane-sim scenario tests/scenario/310-crah-fails-under-c.scn --seeds 3\n"
    "         coolplane-sim scenario --all\n"
    "\n"
    "         coolplane-sim scenario --all --without-events --seeds 1\n"
    "\n"
    "Runs numbered scenarios in virtual time: what happens, and the limits that must hold. Exit 1 when one fails.\n"
    "\n"
    "  --all                  every .scn file of the folder\n"
    "  --dir DIR              that folder (default tests/scenario)\n"
    "  --seeds K              seeds 1 to K instead of what each file says\n"
    "  --seed S               this seed alone\n"
    "  --without-events       the same files with their `at` lines left out: each one that has some must fail in one "
    "limit\n"
    "                         at least, or it says nothing about them; those that do not are printed, exit 1\n"
    "  --values               print every measure, not only those with a limit\n"
    "  --measures             explain the measures\n"
    "  --check                read the files only\n"
    "\n"
    "A file holds a statement a line, `#` starts a comment (sim/scenario.h has all of them):\n"
    "  site hall              controller b2          season summer          hours 3\n"
    "  at 30m fault crah-fail:1                      at 90m fault clear\n"
    "  limit hard_violations <= 0                    of the part that counts\n"
    "  limit cooling_kwh <= 0.95 b0                  a multiple of it under another controller, same seed\n"
    "  limit since max_inlet_c <= +1 calm            or, with a sign, so much more; calm: with nothing happening\n"
    "  limit since max_inlet_c >= 24.5               from the first `at` on\n"
    "  limit during fallback_share >= 0.9            from the first `at` to the last one\n"
    "  limit after recovery_s <= 600                 from the last `at` on\n";

struct options {
        int64_t seeds, seed;
        bool all, values, check, without_events;
        const char *dir;
};

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every .scn of the folder, sorted; the strings are the caller's to free. */
static int list(const char *dir, char **file, size_t *ret_n)
{
        DIR *d = opendir(dir);
        const struct dirent *e;
        size_t n = 0;

        if (d == NULL)
                return -errno;
        while ((e = readdir(d)) != NULL && n < FILES_MAX) {
                const size_t len = strlen(e->d_name);
                char path[PATH_BYTES];

                if (len < 5 || strcmp(e->d_name + len - 4, ".scn") != 0)
                        continue;
                if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path) ||
                    (file[n] = strdup(path)) == NULL)
                        break;
                n++;
        }
        (void)closedir(d);
        qsort(file, n, sizeof(*file), by_name);
        *ret_n = n;
        return 0;
}

struct outcome {
        struct scenario_result of[SCENARIO_CONTROLLERS];
        bool have[SCENARIO_CONTROLLERS];
};

static int value(const struct options *o, const struct scenario *s, enum scenario_controller who, uint64_t seed,
                 struct outcome *out, const struct scenario_limit *l, double *ret)
{
        const bool calm = who == SCENARIO_CALM;
        int code = EXIT_OK;

        if (calm && o->without_events)
                who = s->controller;
        if (!out->have[who])
                code = scenario_run(s, calm ? s->controller : who, seed, !calm && !o->without_events, &out->of[who]);
        if (code != EXIT_OK)
                return code;
        out->have[who] = true;
        *ret = out->of[who].v[l->part][l->measure];
        return EXIT_OK;
}

static void print_all(const struct scenario *s, const struct scenario_result *r, uint64_t seed)
{
        for (int p = 0; p < SCENARIO_PARTS; p++)
                for (int m = 0; m < SM_COUNT && (p == 0 || s->nevent > 0); m++)
                        if (!isnan(r->v[p][m]))
                                printf("  seed %" PRIu64 " all%s%s %s %.6g\n", seed, p > 0 ? " " : "",
                                       scenario_part_name((enum scenario_part)p),
                                       scenario_measure_name((enum scenario_measure)m), r->v[p][m]);
}

/* Prints one line a limit that failed. */
static int run_seed(const struct options *o, const struct scenario *s, const char *path, uint64_t seed, bool *ret_ok)
{
        struct outcome out = {0};
        bool ok = true;

        for (size_t i = 0; i < s->nlimit; i++) {
                const struct scenario_limit *l = &s->limit[i];
                const char *part = scenario_part_name(l->part), *space = l->part != SP_WHOLE ? " " : "";
                double v, bound = l->value, other = 0.0;
                int code = value(o, s, s->controller, seed, &out, l, &v);

                if (code == EXIT_OK && l->relative)
                        code = value(o, s, l->to, seed, &out, l, &other);
                if (code != EXIT_OK)
                        return code;
                if (l->relative)
                        bound = l->added ? other + bound : other * bound;
                const bool kept = l->at_most ? v <= bound : v >= bound; /* NaN fails */
                if (o->values)
                        printf("  seed %" PRIu64 " %s%s%s %.6g (%s %.6g)%s\n", seed, part, space,
                               scenario_measure_name(l->measure), v, l->at_most ? "<=" : ">=", bound,
                               kept ? "" : " FAILS");
                if (!kept && !o->without_events)
                        printf("%s:%d: FAILED with seed %" PRIu64 ": %s%s%s is %.6g, must be %s %.6g\n", path, l->line,
                               seed, part, space, scenario_measure_name(l->measure), v,
                               l->at_most ? "<=" : ">=", bound);
                ok = ok && kept;
                if (o->without_events && !ok && !o->values)
                        return EXIT_OK; /* noticed */
        }
        const double lost = out.have[s->controller] ? out.of[s->controller].v[SP_WHOLE][SM_RESIDUAL] : 0.0;
        if (!o->without_events && !(lost < PLANT_RESIDUAL_MAX)) { /* asked for or not */
                printf("%s: FAILED with seed %" PRIu64 ": the plant lost %.2g of its heat\n", path, seed, lost);
                ok = false;
        }
        if (o->values && out.have[s->controller])
                print_all(s, &out.of[s->controller], seed);
        if (o->without_events && ok)
                printf("%s: FAILED with seed %" PRIu64 ": keeps every limit though nothing happens\n", path, seed);
        *ret_ok = *ret_ok && ok != o->without_events;
        return EXIT_OK;
}

static int run_file(const struct options *o, const char *path, bool *ret_ok, bool *ret_ran)
{
        struct scenario s;
        char why[256];
        int r = scenario_read(path, &s, why);
        int64_t first = 1, last;

        *ret_ok = *ret_ran = true;
        if (r < 0) {
                fprintf(stderr, "%s\n", why);
                return r == -EINVAL ? EXIT_DATA : EXIT_IO;
        }
        if (o->check) {
                r = scenario_check(&s);
                if (r != EXIT_OK)
                        return r;
        }
        *ret_ran = s.nevent > 0 || !o->without_events;
        if (!*ret_ran)
                return EXIT_OK;
        last = o->seeds ? o->seeds : s.seeds;
        if (o->seed)
                first = last = o->seed;
        for (int64_t seed = first; !o->check && seed <= last; seed++) {
                r = run_seed(o, &s, path, (uint64_t)seed, ret_ok);
                if (r != EXIT_OK)
                        return r;
        }
        printf("%s %s\n", o->check ? "read  " : *ret_ok ? "ok    " : "FAILED", s.name);
        (void)fflush(stdout);
        return EXIT_OK;
}

static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {
            {"all", no_argument, NULL, 'a'},         {"dir", required_argument, NULL, 'd'},
            {"seeds", required_argument, NULL, 'k'}, {"seed", required_argument, NULL, 's'},
            {"values", no_argument, NULL, 'v'},      {"check", no_argument, NULL, 'c'},
            {"measures", no_argument, NULL, 'm'},    {"without-events", no_argument, NULL, 'w'},
            {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
        int c;

        while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
                switch (c) {
                case 'a':
                        o->all = true;
                        break;
                case 'd':
                        o->dir = optarg;
                        break;
                case 'k':
                case 's':
                        if (parse_int64(optarg, 1, 1000000, c == 'k' ? &o->seeds : &o->seed) < 0) {
                                fprintf(stderr, "coolplane-sim scenario: cannot use \"%s\"\n", optarg);
                                return EXIT_USAGE_;
                        }
                        break;
                case 'v':
                        o->values = true;
                        break;
                case 'c':
                        o->check = true;
                        break;
                case 'w':
                        o->without_events = true;
                        break;
                case 'm':
                        for (int m = 0; m < SM_COUNT; m++)
                                printf("%-22s %s\n", scenario_measure_name((enum scenario_measure)m),
                                       scenario_measure_text((enum scenario_measure)m));
                        return EXIT_OK;
                case 'h':
                        fputs(help_text, stdout);
                        return EXIT_OK;
                default:
                        return EXIT_USAGE_;
                }
        }
        if (o->all == (optind < argc)) {
                fputs("coolplane-sim scenario: give files, or --all\n", stderr);
                return EXIT_USAGE_;
        }
        return -1;
}

int verb_scenario(int argc, char **argv)
{
        struct options o = {.dir = "tests/scenario"};
        char *file[FILES_MAX];
        size_t n = 0, ran = 0, failed = 0;
        int code = parse_options(argc, argv, &o), r;

        if (code >= 0)
                return code;
        code = EXIT_OK;
        if (o.all) {
                r = list(o.dir, file, &n);
                if (r < 0 || n == 0) {
                        fprintf(stderr, "coolplane-sim scenario: %s: %s\n", o.dir,
                                r < 0 ? strerror(-r) : "no .scn file");
                        return EXIT_IO;
                }
        } else {
                for (n = 0; optind + (int)n < argc && n < FILES_MAX; n++)
                        file[n] = argv[optind + (int)n];
        }
        for (size_t i = 0; i < n && code == EXIT_OK; i++) {
                bool ok, this_ran;

                code = run_file(&o, file[i], &ok, &this_ran);
                failed += !ok;
                ran += this_ran;
        }
        if (code == EXIT_OK)
                printf("%zu scenario%s%s, %zu failed\n", ran, ran == 1 ? "" : "s",
                       o.without_events ? " without their events" : "", failed);
        for (size_t i = 0; o.all && i < n; i++)
                free(file[i]);
        return code != EXIT_OK ? code : failed > 0 ? EXIT_GENERIC : EXIT_OK;
}
