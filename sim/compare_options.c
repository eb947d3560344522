/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/compare_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"

#define SEEDS_MAX 1000

const char *const compare_season[COMPARE_SEASONS] = {"winter", "spring", "summer", "autumn"};
static const char *const season_start[COMPARE_SEASONS] = {"2026-01-15T00:00:00Z", "2026-04-15T00:00:00Z",
                                                          "2026-07-15T00:00:00Z", "2026-10-15T00:00:00Z"};

static const char help_text[] =
    "Example: coolplane-sim compare --site hall --season summer --days 2\n"
    "         coolplane-sim compare --site hall --season all --weather a.epw --weather b.epw --seeds 10 --html "
    "r.html\n\n"
    "One row for each controller over the same weather and load, ranked by total energy. Energies, starts and\n"
    "migrations are means over the seeds, temperatures and degree-minutes those of the worst seed, hard violations "
    "the\n"
    "sum: racks above 32 °C at any step of the plant (5 s), orders a chiller may not follow; since_takeover\n"
    "counts identification too. cooling_per_it is cooling energy per kWh of IT and server fans: moving VMs changes "
    "IT,\n"
    "so compare this as well. saving_% is total energy against b2, ci95_% its interval by bootstrap over the seeds\n"
    "(paired; from five seeds on), for this very weather; a note sets the agent against the strongest baseline that\n"
    "ran, of those anybody can run (no hindsight, no oracle; without VM moves, of those without). sat_, chwst_k_per_h\n"
    "and valve_per_h: how far setpoints and the coils' valves were moved in an hour. stored is the heat left in "
    "water,\n"
    "air and masses at the end, thermal kWh: a controller that ends warmer than it began has borrowed it. Compare\n"
    "whole days.\n\n"
    "  --site NAME              tiny, hall (default), campus or a site file\n"
    "  --hours N, --days N      length of the evaluation (default 24 hours)\n"
    "  --warmup-hours H         before it, not counted (default 8): the plant's own controls; for half of it, at most "
    "3 h,\n"
    "                           b3, b4f, c0 and c identify the plant live; for the last quarter, at most 2 h, "
    "everybody\n"
    "                           controls as in what counts, and b2v and c move VMs\n"
    "  --season S               winter, spring, summer (default) or autumn: from the 15th of its middle month on; may\n"
    "                           be repeated; several make one more cell, their sum; all: the four\n"
    "  --start TIME             RFC 3339 instead of a season\n"
    "  --seed S                 first seed (default: the site's)\n"
    "  --seeds K                K seeds from there (default 1)\n"
    "  --weather FILE           .epw or open-meteo .json (default: a synthetic year); may be repeated\n"
    "  --workload FILE          CPU use of VMs, CSV (default: synthetic)\n"
    "  --arrivals DIR           VMs come and go as in the Azure V1 traces of DIR; \"synthetic\": as a generator says\n"
    "  --fault NAME@TIME        of the plant or its instruments (sim/plant.h: crah-fail:I, inlet stuck …), under "
    "every\n"
    "                           controller; may be repeated. TIME in seconds since the start of what counts, or RFC\n"
    "                           3339; whole half minutes. Not with b2s, b4 and b4f, which would have to foresee it\n"
    "  --controllers LIST       of (default b0,b2,b2v,c0,c):\n"
    "      b0   fixed conservative setpoints, one chiller more than needed\n"
    "      b0h  b0's setpoints, stepped by hand one after the other: no rival, but a log that can tell what each does\n"
    "      b1   each air handler by itself: supply air at a constant offset from its entering water, constant "
    "pressure\n"
    "      b2   trim-and-respond after Guideline 36, tuned on other seeds (coolplane-sim tune)\n"
    "      b2v  b2 with VMs packed by a plain best-fit consolidation, blind to temperatures, with the budget of "
    "moves,\n"
    "           the rules and the migrations of c: what c saves beyond it, knowing temperatures and setpoints is "
    "worth\n"
    "      b2s  the best constant setpoints in hindsight: searched on the very weather, load and seed, inlets <= 27 "
    "°C\n"
    "      b3   the planner without the safety layer and without VM moves: its proposals written as they are\n"
    "      b4   an oracle that tries every step out in a copy of the plant, coming weather and load included; no VM\n"
    "           moves. A bound for c0, not for c, as far as its local search is good: look whether it beats b2s\n"
    "      b4f  the oracle in the planner's place, under the safety layer: how many of its decisions that changes\n"
    "      c    coolplane; c0: coolplane without VM moves\n"
    "  --log DIR                keep every run's telemetry there, a new database each (c-SEED.db; with several cells\n"
    "                           WEATHER-SEASON-c-SEED.db); beside a baseline a gate in shadow records, which changes\n"
    "                           nothing but the time it takes\n"
    "  --resume FILE            append each run that has ended; called again, go on where it stopped. More seeds,\n"
    "                           controllers, seasons and weathers may be added, other options and builds are refused\n"
    "  --json                   one JSON document at the end; table and page are written cell by cell\n"
    "  --jobs N                 runs side by side (default 1); the figures do not depend on it\n"
    "  --html FILE              a page with the tables and, for the first seed, plots; written over such pages\n"
    "                           only\n";

enum {
        OPT_SITE,
        OPT_HOURS,
        OPT_DAYS,
        OPT_WARMUP,
        OPT_SEASON,
        OPT_START,
        OPT_SEED,
        OPT_SEEDS,
        OPT_WEATHER,
        OPT_WORKLOAD,
        OPT_CONTROLLERS,
        OPT_LOG,
        OPT_JSON,
        OPT_HTML,
        OPT_JOBS,
        OPT_ARRIVALS,
        OPT_FAULT,
        OPT_RESUME,
        OPT_HELP
};

static int parse_controllers(struct compare_options *o, const char *list)
{
        o->ncontroller = 0;
        while (*list) {
                size_t n = strcspn(list, ","), k;
                for (k = 0; k < yard_ncontroller; k++)
                        if (strlen(yard_controllers[k].name) == n && strncmp(yard_controllers[k].name, list, n) == 0)
                                break;
                if (k == yard_ncontroller || o->ncontroller == COMPARE_CONTROLLERS_MAX)
                        return -EINVAL;
                for (size_t i = 0; i < o->ncontroller; i++)
                        if (o->controller[i] == &yard_controllers[k])
                                return -EINVAL;
                o->controller[o->ncontroller++] = &yard_controllers[k];
                list += n + (list[n] == ',');
        }
        return o->ncontroller > 0 ? 0 : -EINVAL;
}

static bool parse_season(struct compare_options *o, const char *v)
{
        const bool all = strcmp(v, "all") == 0;
        bool known = all;

        for (size_t k = 0; k < COMPARE_SEASONS; k++)
                if (all || strcmp(v, compare_season[k]) == 0)
                        o->season[k] = known = true;
        return known;
}

static bool parse_positive(const char *v, double factor, double *ret)
{
        double d;
        if (parse_double(v, &d) < 0 || !(d * factor > 0 && d * factor <= 24 * 366 * 10))
                return false;
        *ret = d * factor;
        return true;
}

static bool set_option(struct compare_options *o, int which, char *v)
{
        struct stat st;
        int64_t n;

        switch (which) {
        case OPT_SITE:
                o->world.site = v;
                return true;
        case OPT_HOURS:
                return parse_positive(v, 1, &o->hours);
        case OPT_DAYS:
                return parse_positive(v, 24, &o->hours);
        case OPT_WARMUP:
                return parse_double(v, &o->warmup_h) == 0 && o->warmup_h >= 0 && o->warmup_h <= 24 * 366;
        case OPT_SEASON:
                return parse_season(o, v);
        case OPT_START:
                return clk_parse_time(v, &o->start_ms) == 0;
        case OPT_SEED:
                if (parse_int64(v, 1, INT64_MAX - SEEDS_MAX, &n) < 0)
                        return false;
                o->seed = (uint64_t)n;
                return true;
        case OPT_SEEDS:
                return parse_int64(v, 1, SEEDS_MAX, &o->nseed) == 0;
        case OPT_WEATHER:
                if (o->nweather == COMPARE_WEATHERS_MAX)
                        return false;
                o->weather[o->nweather++] = v;
                return true;
        case OPT_WORKLOAD:
                o->world.workload = v;
                return true;
        case OPT_CONTROLLERS:
                return parse_controllers(o, v) == 0;
        case OPT_ARRIVALS:
                o->world.arrivals = v;
                return true;
        case OPT_FAULT:
                return o->nfault < FAULT_MAX && fault_parse(v, &o->fault[o->nfault++]) == 0;
        case OPT_RESUME:
                o->resume = v;
                return true;
        case OPT_LOG:
                o->log = v;
                return stat(v, &st) == 0 && S_ISDIR(st.st_mode) && access(v, W_OK | X_OK) == 0;
        case OPT_JOBS:
                return parse_int64(v, 1, 64, &o->jobs) == 0;
        case OPT_HTML:
                o->html = v;
                return true;
        default:
                o->json = true;
                return true;
        }
}

bool compare_cell_start(const struct compare_options *o, size_t k, int64_t *ret_ms)
{
        if (o->start_ms != INT64_MIN) {
                *ret_ms = o->start_ms;
                return k == 0;
        }
        (void)clk_parse_time(season_start[k], ret_ms);
        return o->season[k];
}

const struct fault *compare_faults(const struct compare_options *o, int64_t start_ms, struct yard_fault *ret)
{
        for (size_t i = 0; i < o->nfault; i++) {
                const struct fault *f = &o->fault[i];
                const int64_t at_ms = f->relative ? f->t_ms : f->t_ms - start_ms;
                size_t k = i;

                if (!(at_ms >= 0 && at_ms < llround(o->hours * 3600e3)) || at_ms % llround(YARD_STEP_S * 1e3) != 0)
                        return f;
                for (; k > 0 && ret[k - 1].at_ms > at_ms; k--)
                        ret[k] = ret[k - 1];
                ret[k] = (struct yard_fault){.name = f->name, .at_ms = at_ms};
        }
        return NULL;
}

/* Every fault exists at the site and happens in every cell. */
static int check_faults(const struct compare_options *o)
{
        const struct world_args a = {.site = o->world.site};
        struct yard_fault sorted[FAULT_MAX];
        struct world w = {0};
        int64_t start_ms;
        int code = EXIT_OK;

        if (o->nfault == 0)
                return EXIT_OK;
        for (size_t k = 0; k < o->ncontroller; k++)
                if (yard_foresees(o->controller[k])) {
                        fprintf(stderr, "coolplane-sim compare: --fault: %s does not foresee faults\n",
                                o->controller[k]->name);
                        return EXIT_USAGE_;
                }
        for (size_t k = 0; k < COMPARE_SEASONS && code == EXIT_OK; k++) {
                const struct fault *bad =
                    compare_cell_start(o, k, &start_ms) ? compare_faults(o, start_ms, sorted) : NULL;

                if (bad != NULL) {
                        fprintf(stderr,
                                "coolplane-sim compare: --fault: %s is not within what counts, or not at a whole half "
                                "minute\n",
                                bad->name);
                        code = EXIT_USAGE_;
                }
        }
        if (code == EXIT_OK)
                code = world_create(&a, start_ms, &w);
        for (size_t k = 0; k < o->nfault && code == EXIT_OK; k++)
                if (plant_fault(w.plant, o->fault[k].name) < 0) {
                        fprintf(stderr, "coolplane-sim compare: --fault: no fault \"%s\" at this site\n",
                                o->fault[k].name);
                        code = EXIT_USAGE_;
                }
        world_free(&w);
        return code;
}

int compare_parse(int argc, char **argv, struct compare_options *o)
{
        static const struct option longopts[] = {{"site", required_argument, NULL, OPT_SITE},
                                                 {"hours", required_argument, NULL, OPT_HOURS},
                                                 {"days", required_argument, NULL, OPT_DAYS},
                                                 {"warmup-hours", required_argument, NULL, OPT_WARMUP},
                                                 {"season", required_argument, NULL, OPT_SEASON},
                                                 {"start", required_argument, NULL, OPT_START},
                                                 {"seed", required_argument, NULL, OPT_SEED},
                                                 {"seeds", required_argument, NULL, OPT_SEEDS},
                                                 {"weather", required_argument, NULL, OPT_WEATHER},
                                                 {"workload", required_argument, NULL, OPT_WORKLOAD},
                                                 {"controllers", required_argument, NULL, OPT_CONTROLLERS},
                                                 {"log", required_argument, NULL, OPT_LOG},
                                                 {"json", no_argument, NULL, OPT_JSON},
                                                 {"html", required_argument, NULL, OPT_HTML},
                                                 {"jobs", required_argument, NULL, OPT_JOBS},
                                                 {"arrivals", required_argument, NULL, OPT_ARRIVALS},
                                                 {"fault", required_argument, NULL, OPT_FAULT},
                                                 {"resume", required_argument, NULL, OPT_RESUME},
                                                 {"help", no_argument, NULL, OPT_HELP},
                                                 {NULL, 0, NULL, 0}};
        int c, index;

        *o = (struct compare_options){
            .world = {.site = "hall"}, .start_ms = INT64_MIN, .hours = 24, .warmup_h = 8, .nseed = 1, .jobs = 1};
        (void)parse_controllers(o, "b0,b2,b2v,c0,c");
        while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
                if (c == OPT_HELP) {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                if (c == '?')
                        return EXIT_USAGE_;
                if (!set_option(o, c, optarg)) {
                        fprintf(stderr, "coolplane-sim compare: --%s: cannot use \"%s\"%s\n", longopts[index].name,
                                optarg,
                                c == OPT_CONTROLLERS ? " (each once: b0,b1,b2,b2v,b2s,b3,b4,b4f,c0,c)"
                                : c == OPT_LOG       ? " (a folder that can be written)"
                                                     : "");
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim compare: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        if (o->nweather == 0)
                o->weather[o->nweather++] = NULL;
        if (!o->season[0] && !o->season[1] && !o->season[2] && !o->season[3]) {
                (void)parse_season(o, "summer");
        } else if (o->start_ms != INT64_MIN) {
                fputs("coolplane-sim compare: --season and --start exclude each other\n", stderr);
                return EXIT_USAGE_;
        }
        if (o->resume != NULL && o->log != NULL) {
                fputs("coolplane-sim compare: --resume and --log: an interrupted run leaves half a database\n", stderr);
                return EXIT_USAGE_;
        }
        c = check_faults(o);
        return c != EXIT_OK ? c : -1;
}
