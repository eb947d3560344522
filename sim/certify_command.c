/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim certify: the safety claim, tried on plants that satisfy its assumptions. */
#include "sim/certify_command.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/serve.h"

static const char help_text[] =
    "Example: coolplane-sim certify --episodes 3000 --jobs 2 --json\n"
    "         coolplane-sim certify --episodes 0 --hostile 100000000 --jobs 2\n"
    "         coolplane-sim certify --outside 2400 --jobs 2\n"
    "\n"
    "Days of linear plants drawn from the prior model set, vertex models and adversarial noise among them, under the\n"
    "production filter and a model that learns from scratch, whatever is proposed. Exit 3 when a claim is violated;\n"
    "what a violation of its assumptions led to is told apart. sim/certify.h says what is assumed and what is "
    "counted.\n"
    "\n"
    "  --episodes N        default 100, with --outside 0; 1000 cover every combination of plant, noise, load, "
    "proposer\n"
    "  --first-episode E   default 0; with --episodes 1 and --seed: one episode again\n"
    "  --units N           air handlers, 1 to 64 (default 4)\n"
    "  --hours H           of an episode (default 24)\n"
    "  --horizon N         steps of the worst case instead of the gate's\n"
    "  --seed S            default 1\n"
    "  --jobs N            processes side by side (default 1); only times depend on it\n"
    "  --hostile N         so many hostile proposals against random boxes, grids, rates, lifts and machines, after the "
    "episodes\n"
    "  --first-chunk C     of 100000 hostile proposals (default 0)\n"
    "  --break WHAT        break it on purpose: noise, plant, filter, backup or turning\n"
    "  --strict            the model knows the bound of the noise: set membership in place of least squares, and all "
    "noise\n"
    "                      counted in every step; then no certificate may break of plants that do not drift, whatever "
    "the noise\n"
    "  --outside N         N episodes in which an assumption stops to hold (gain, unit failure, stuck or biased "
    "reading,\n"
    "                      load, water), in turn, beside a PI baseline on the same plant, noise and load: "
    "degree-minutes,\n"
    "                      and what is detected how soon. Exit 3 when the filter makes it worse "
    "(sim/certify_outside.h)\n"
    "  --pi-gain G         of the baseline, share of full cooling per K; --pi-time S, its integral time; default: "
    "tuned\n"
    "  --json              one JSON document\n";

enum {
        OPT_EPISODES,
        OPT_FIRST,
        OPT_UNITS,
        OPT_HOURS,
        OPT_HORIZON,
        OPT_SEED,
        OPT_JOBS,
        OPT_HOSTILE,
        OPT_CHUNK,
        OPT_BREAK,
        OPT_STRICT,
        OPT_OUTSIDE,
        OPT_PI_GAIN,
        OPT_PI_TIME
};

static const struct option longopts[] = {{"episodes", required_argument, NULL, OPT_EPISODES},
                                         {"first-episode", required_argument, NULL, OPT_FIRST},
                                         {"units", required_argument, NULL, OPT_UNITS},
                                         {"hours", required_argument, NULL, OPT_HOURS},
                                         {"horizon", required_argument, NULL, OPT_HORIZON},
                                         {"seed", required_argument, NULL, OPT_SEED},
                                         {"jobs", required_argument, NULL, OPT_JOBS},
                                         {"hostile", required_argument, NULL, OPT_HOSTILE},
                                         {"first-chunk", required_argument, NULL, OPT_CHUNK},
                                         {"break", required_argument, NULL, OPT_BREAK},
                                         {"strict", no_argument, NULL, OPT_STRICT},
                                         {"outside", required_argument, NULL, OPT_OUTSIDE},
                                         {"pi-gain", required_argument, NULL, OPT_PI_GAIN},
                                         {"pi-time", required_argument, NULL, OPT_PI_TIME},
                                         {"json", no_argument, NULL, 'j'},
                                         {"help", no_argument, NULL, 'h'},
                                         {NULL, 0, NULL, 0}};

static bool parse_break(const char *v, enum certify_break *ret)
{
        for (size_t k = 1; k < CERTIFY_BREAKS; k++)
                if (strcmp(v, certify_break_name[k]) == 0) {
                        *ret = (enum certify_break)k;
                        return true;
                }
        return false;
}

static bool take(int c, const char *v, struct certify_options *o)
{
        switch (c) {
        case OPT_EPISODES:
                return parse_int64(v, 0, 1000000, &o->episodes) == 0;
        case OPT_FIRST:
                return parse_int64(v, 0, INT64_MAX / 2, &o->first) == 0;
        case OPT_UNITS:
                return parse_int64(v, 1, CERTIFY_UNITS_MAX, &o->units) == 0;
        case OPT_HOURS:
                return parse_double(v, &o->hours) == 0 && o->hours * 3600 >= CERTIFY_STEP_S && o->hours <= 1000;
        case OPT_HORIZON:
                return parse_int64(v, 1, 1000, &o->horizon) == 0;
        case OPT_SEED:
                return parse_int64(v, 0, INT64_MAX, &o->seed) == 0;
        case OPT_JOBS:
                return parse_int64(v, 1, CERTIFY_JOBS_MAX, &o->jobs) == 0;
        case OPT_HOSTILE:
                return parse_int64(v, 0, INT64_MAX / 2, &o->hostile) == 0;
        case OPT_CHUNK:
                return parse_int64(v, 0, INT64_MAX / 2, &o->first_chunk) == 0;
        case OPT_STRICT:
                return o->strict = true;
        case OPT_OUTSIDE:
                return parse_int64(v, 0, 1000000, &o->outside) == 0;
        case OPT_PI_GAIN:
                return parse_double(v, &o->pi_gain) == 0 && o->pi_gain > 0 && o->pi_gain <= 100;
        case OPT_PI_TIME:
                return parse_double(v, &o->pi_s) == 0 && o->pi_s >= CERTIFY_STEP_S && o->pi_s <= 86400;
        default:
                return parse_break(v, &o->broken);
        }
}

static int run_episode(const void *ctx, size_t i, void *ret)
{
        const struct certify_options *o = ctx;
        const struct certify_args a = {.seed = (uint64_t)o->seed,
                                       .number = (uint64_t)o->first + i,
                                       .units = (size_t)o->units,
                                       .horizon = (size_t)o->horizon,
                                       .steps = (size_t)(o->hours * 3600 / CERTIFY_STEP_S),
                                       .broken = o->broken,
                                       .strict = o->strict};

        return certify_episode(&a, ret);
}

static int run_outside(const void *ctx, size_t i, void *ret)
{
        const struct certify_options *o = ctx;
        const struct outside_args a = {.seed = (uint64_t)o->seed,
                                       .number = (uint64_t)o->first + i,
                                       .units = (size_t)o->units,
                                       .kp = o->pi_gain,
                                       .ti_s = o->pi_s};

        return outside_episode(&a, ret);
}

static bool outside_worse(const struct outside_result *r, size_t n)
{
        bool worse = false;

        for (int k = OUTSIDE_NONE + 1; k < OUTSIDE_KINDS; k++) {
                const struct outside_sum s = outside_sum(r, n, k);

                worse = worse || outside_failed(&s);
        }
        return worse;
}

static int run_chunk(const void *ctx, size_t i, void *ret)
{
        const struct certify_options *o = ctx;
        const uint64_t left = (uint64_t)o->hostile - i * CERTIFY_CHUNK;

        return certify_hostile((uint64_t)o->seed, (uint64_t)o->first_chunk + i,
                               left < CERTIFY_CHUNK ? left : CERTIFY_CHUNK, ret);
}

static void add_hostile(struct certify_hostile *sum, const struct certify_hostile *h)
{
        sum->proposals += h->proposals;
        for (size_t k = 0; k < 4; k++)
                sum->kind_steps[k] += h->kind_steps[k];
        certify_illegal_add(&sum->illegal, &h->illegal);
        certify_time_merge(&sum->time, &h->time);
        if (!sum->first[0])
                memcpy(sum->first, h->first, sizeof(sum->first));
}

static int hostile(const struct certify_options *o, struct certify_hostile *ret)
{
        const size_t n = ((size_t)o->hostile + CERTIFY_CHUNK - 1) / CERTIFY_CHUNK;
        struct certify_hostile *chunk = calloc(n, sizeof(*chunk));
        int r = chunk ? certify_jobs(n, (size_t)o->jobs, sizeof(*chunk), run_chunk, o, chunk) : -ENOMEM;

        *ret = (struct certify_hostile){0};
        for (size_t i = 0; r == 0 && i < n; i++)
                add_hostile(ret, &chunk[i]);
        free(chunk);
        return r;
}

static int certify(const struct certify_options *o)
{
        const size_t n = (size_t)o->episodes, nout = (size_t)o->outside;
        struct certify_result *res = calloc(n + 1, sizeof(*res));
        struct outside_result *out = calloc(nout + 1, sizeof(*out));
        struct certify_hostile h;
        struct certify_report report = {.options = o, .episode = res, .n = n, .outside = out, .outside_n = nout};
        bool failed = false;
        int r = res && out ? certify_jobs(n, (size_t)o->jobs, sizeof(*res), run_episode, o, res) : -ENOMEM;

        if (r == 0 && o->hostile > 0) {
                const double start = certify_clock_s(false);

                r = hostile(o, &h);
                report.hostile = &h;
                report.hostile_s = certify_clock_s(false) - start;
                failed = r == 0 && certify_illegal_any(&h.illegal);
        }
        if (r == 0)
                r = certify_jobs(nout, (size_t)o->jobs, sizeof(*out), run_outside, o, out);
        failed = failed || (r == 0 && outside_worse(out, nout));
        for (size_t i = 0; r == 0 && i < n; i++)
                failed = failed || certify_failed(&res[i]);
        if (r == 0 && o->json)
                r = certify_print_json(stdout, &report);
        else if (r == 0)
                certify_print_text(stdout, &report);
        free(out);
        free(res);
        if (r < 0) {
                fprintf(stderr, "coolplane-sim certify: %s\n", strerror(-r));
                return EXIT_GENERIC;
        }
        if (fflush(stdout) != 0)
                return EXIT_IO;
        return failed ? EXIT_VIOLATIONS : EXIT_OK;
}

/* Options of the episodes, where only those outside the assumptions are run, which have their own. */
static bool ignores(const struct certify_options *o, unsigned given)
{
        const int of_episodes[] = {OPT_HOURS, OPT_HORIZON, OPT_BREAK, OPT_STRICT};
        bool any = false;

        for (size_t i = 0; o->outside > 0 && o->episodes == 0 && i < sizeof(of_episodes) / sizeof(of_episodes[0]); i++)
                if (given >> of_episodes[i] & 1U) {
                        fprintf(stderr, "coolplane-sim certify: --%s says nothing to --outside\n",
                                longopts[of_episodes[i]].name);
                        any = true;
                }
        return any;
}

int verb_certify(int argc, char **argv)
{
        struct certify_options o = {.episodes = -1, .units = 4, .seed = 1, .jobs = 1, .hours = 24};
        unsigned given = 0;
        int c;

        while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                if (c == '?')
                        return EXIT_USAGE_;
                if (c == 'h') {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                if (c == 'j')
                        o.json = true;
                else if (!take(c, optarg, &o)) {
                        fprintf(stderr, "coolplane-sim certify: --%s: cannot use \"%s\"\n", longopts[c].name, optarg);
                        return EXIT_USAGE_;
                } else
                        given |= 1U << c;
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim certify: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        if (o.episodes < 0)
                o.episodes = o.outside > 0 ? 0 : 100;
        if (ignores(&o, given))
                return EXIT_USAGE_;
        return certify(&o);
}
