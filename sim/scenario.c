/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim scenario: runs scenario files over several seeds and says which limit failed with which seed. */
#include "sim/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
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
    "Runs numbered scenarios in virtual time: what happens, and the limits that must hold. Exit 1 when one fails.\n"
    "\n"
    "  --all                  every .scn file of the folder\n"
    "  --dir DIR              that folder (default tests/scenario)\n"
    "  --seeds K              seeds 1 to K instead of what each file says\n"
    "  --seed S               this seed alone\n"
    "  --values               print every measure, not only those with a limit\n"
    "  --check                read the files only\n";

struct options {
        int64_t seeds, seed;
        bool all, values, check;
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
        double v[SCENARIO_CONTROLLERS][SM_COUNT]; /* by controller */
        bool have[SCENARIO_CONTROLLERS];
};

static int value(const struct scenario *s, enum scenario_controller who, uint64_t seed, struct outcome *o,
                 enum scenario_measure m, double *ret)
{
        int code = o->have[who] ? EXIT_OK : scenario_run(s, who, seed, o->v[who]);

        if (code != EXIT_OK)
                return code;
        o->have[who] = true;
        *ret = o->v[who][m];
        return EXIT_OK;
}

/* Prints one line a limit that failed. */
static int run_seed(const struct options *o, const struct scenario *s, const char *path, uint64_t seed, bool *ret_ok)
{
        struct outcome out = {0};

        for (size_t i = 0; i < s->nlimit; i++) {
                const struct scenario_limit *l = &s->limit[i];
                double v, bound = l->value, other = 0.0;
                int code = value(s, s->controller, seed, &out, l->measure, &v);

                if (code == EXIT_OK && l->relative)
                        code = value(s, l->to, seed, &out, l->measure, &other);
                if (code != EXIT_OK)
                        return code;
                if (l->relative)
                        bound *= other;
                const bool ok = l->at_most ? v <= bound : v >= bound; /* NaN fails */
                if (o->values)
                        printf("  seed %" PRIu64 " %s %.6g (%s %.6g)\n", seed, scenario_measure_name(l->measure), v,
                               l->at_most ? "<=" : ">=", bound);
                if (ok)
                        continue;
                printf("%s:%d: FAILED with seed %" PRIu64 ": %s is %.6g, must be %s %.6g\n", path, l->line, seed,
                       scenario_measure_name(l->measure), v, l->at_most ? "<=" : ">=", bound);
                *ret_ok = false;
        }
        for (int m = 0; o->values && m < SM_COUNT; m++)
                printf("  seed %" PRIu64 " all %s %.6g\n", seed, scenario_measure_name((enum scenario_measure)m),
                       out.v[s->controller][m]);
        return EXIT_OK;
}

static int run_file(const struct options *o, const char *path, bool *ret_ok)
{
        struct scenario s;
        char why[256];
        int r = scenario_read(path, &s, why);
        int64_t first = 1, last;

        *ret_ok = true;
        if (r < 0) {
                fprintf(stderr, "%s\n", why);
                return r == -EINVAL ? EXIT_DATA : EXIT_IO;
        }
        if (o->check) {
                r = scenario_check(&s);
                if (r != EXIT_OK)
                        return r;
        }
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
        size_t n = 0, failed = 0;
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
                bool ok;

                code = run_file(&o, file[i], &ok);
                failed += !ok;
        }
        if (code == EXIT_OK)
                printf("%zu scenario%s, %zu failed\n", n, n == 1 ? "" : "s", failed);
        for (size_t i = 0; o.all && i < n; i++)
                free(file[i]);
        return code != EXIT_OK ? code : failed > 0 ? EXIT_GENERIC : EXIT_OK;
}
