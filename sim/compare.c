/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim compare: controllers over the same weather and load, in process and in virtual time. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/compare.h"
#include "sim/serve.h"

#define SEEDS_MAX 1000
#define CONTROLLERS_MAX 16
#define WEATHERS_MAX 16
#define SEASONS 4
#define TRACE_SAMPLES 288 /* a day at five minutes */

static const char *const season_name[SEASONS] = {"winter", "spring", "summer", "autumn"};
static const char *const season_start[SEASONS] = {"2026-01-15T00:00:00Z", "2026-04-15T00:00:00Z",
                                                  "2026-07-15T00:00:00Z", "2026-10-15T00:00:00Z"};

struct options {
        struct world_args world;
        int64_t start_ms; /* INT64_MIN: by season */
        bool season[SEASONS];
        const char *weather[WEATHERS_MAX];
        size_t nweather;
        double hours, warmup_h;
        uint64_t seed;
        int64_t nseed, jobs;
        const struct yard_controller *controller[CONTROLLERS_MAX];
        size_t ncontroller;
        const char *log, *html;
        bool json;
};

static const char help_text[] =
    "Example: coolplane-sim compare --site hall --season summer --days 2\n"
    "         coolplane-sim compare --site hall --season all --weather a.epw --weather b.epw --seeds 10 --html "
    "r.html\n\n"
    "One row for each controller over the same weather and load, ranked by total energy. Energies, starts and\n"
    "migrations are means over the seeds, temperatures and degree-minutes those of the worst seed, hard violations "
    "the\n"
    "sum: racks above 32 °C at any step of the plant (5 s), freezing, orders a chiller may not follow; since_takeover\n"
    "counts identification too. cooling_per_it is cooling energy per kWh of IT and server fans: moving VMs changes "
    "IT,\n"
    "so compare this as well. saving_% is total energy against b2, ci95_% its interval by bootstrap over the seeds\n"
    "(paired; two seeds at least). stored is the heat left in water, air and masses at the end, thermal kWh: a\n"
    "controller that ends warmer than it began has borrowed it. Compare whole days.\n\n"
    "  --site NAME              tiny, hall (default) or campus\n"
    "  --hours N, --days N      length of the evaluation (default 24 hours)\n"
    "  --warmup-hours H         before it, not counted (default 6)\n"
    "  --season S               winter, spring, summer (default) or autumn: from the 15th of its middle month on; may\n"
    "                           be repeated; several make one more cell, their sum; all: the four\n"
    "  --start TIME             RFC 3339 instead of a season\n"
    "  --seed S                 first seed (default: the site's)\n"
    "  --seeds K                K seeds from there (default 1)\n"
    "  --weather FILE           .epw or open-meteo .json (default: a synthetic year); may be repeated\n"
    "  --workload FILE          CPU use of VMs, CSV (default: synthetic)\n"
    "  --controllers LIST       of (default b0,b2,c0,c):\n"
    "      b0   fixed conservative setpoints, one chiller more than needed\n"
    "      b1   each air handler by itself: supply air at a constant offset from its entering water, constant "
    "pressure\n"
    "      b2   trim-and-respond after Guideline 36, tuned on other seeds (coolplane-sim tune)\n"
    "      b2s  the best constant setpoints in hindsight: searched on the very weather, load and seed, inlets <= 27 "
    "°C\n"
    "      b3   the planner without the safety layer and without VM moves: its proposals written as they are\n"
    "      b4   an oracle that tries every step out in a copy of the plant, coming weather and load included; no VM\n"
    "           moves. A bound for c0, not for c, as far as its local search is good: look whether it beats b2s\n"
    "      c    coolplane; c0: coolplane without VM moves\n"
    "                           b3, c and c0 identify the plant live in the last 0.6 of the warm-up, at most 3 h\n"
    "  --log DIR                keep the agent's databases there (c-SEED.db; with several cells "
    "WEATHER-SEASON-c-SEED.db)\n"
    "  --json                   one JSON document at the end; table and page are written cell by cell\n"
    "  --jobs N                 runs side by side (default 1); the figures do not depend on it\n"
    "  --html FILE              a page with the tables and, for the first seed, plots\n";

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
        OPT_HELP
};

static int parse_controllers(struct options *o, const char *list)
{
        o->ncontroller = 0;
        while (*list) {
                size_t n = strcspn(list, ","), k;
                for (k = 0; k < yard_ncontroller; k++)
                        if (strlen(yard_controllers[k].name) == n && strncmp(yard_controllers[k].name, list, n) == 0)
                                break;
                if (k == yard_ncontroller || o->ncontroller == CONTROLLERS_MAX)
                        return -EINVAL;
                for (size_t i = 0; i < o->ncontroller; i++)
                        if (o->controller[i] == &yard_controllers[k])
                                return -EINVAL;
                o->controller[o->ncontroller++] = &yard_controllers[k];
                list += n + (list[n] == ',');
        }
        return o->ncontroller > 0 ? 0 : -EINVAL;
}

static bool parse_season(struct options *o, const char *v)
{
        const bool all = strcmp(v, "all") == 0;
        bool known = all;

        for (size_t k = 0; k < SEASONS; k++)
                if (all || strcmp(v, season_name[k]) == 0)
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

static bool set_option(struct options *o, int which, char *v)
{
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
                if (o->nweather == WEATHERS_MAX)
                        return false;
                o->weather[o->nweather++] = v;
                return true;
        case OPT_WORKLOAD:
                o->world.workload = v;
                return true;
        case OPT_CONTROLLERS:
                return parse_controllers(o, v) == 0;
        case OPT_LOG:
                o->log = v;
                return true;
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

static int parse_options(int argc, char **argv, struct options *o)
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
                                                 {"help", no_argument, NULL, OPT_HELP},
                                                 {NULL, 0, NULL, 0}};
        int c, index;

        *o = (struct options){
            .world = {.site = "hall"}, .start_ms = INT64_MIN, .hours = 24, .warmup_h = 6, .nseed = 1, .jobs = 1};
        (void)parse_controllers(o, "b0,b2,c0,c");
        while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
                if (c == OPT_HELP) {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                if (c == '?')
                        return EXIT_USAGE_;
                if (!set_option(o, c, optarg)) {
                        fprintf(stderr, "coolplane-sim compare: --%s: cannot use \"%s\"%s\n", longopts[index].name,
                                optarg, c == OPT_CONTROLLERS ? " (each once: b0,b1,b2,b2s,b3,b4,c0,c)" : "");
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim compare: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        if (o->nweather == 0)
                o->weather[o->nweather++] = NULL;
        if (!o->season[0] && !o->season[1] && !o->season[2] && !o->season[3])
                (void)parse_season(o, "summer");
        return -1;
}

/* ---- running ---- */

struct campaign {
        const struct options *o;
        struct compare_report report;
        struct yard_result *result; /* [SEASONS][ncontroller × nseed] of the weather under way */
        const char *command;        /* line that started it */
        bool progress;
};

static void weather_label(const char *path, char *ret, size_t size)
{
        const char *base = path == NULL ? "synthetic" : strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

        const char *dot = strrchr(base, '.');

        (void)snprintf(ret, size, "%.*s", (int)(dot != NULL ? (size_t)(dot - base) : strlen(base)), base);
}

static int new_cell(struct campaign *c, const char *weather, const char *season, int64_t start_ms, bool traced,
                    struct compare_cell **ret)
{
        const size_t n = c->o->ncontroller;
        struct compare_cell *cell = &c->report.cell[c->report.ncell++];

        *cell = (struct compare_cell){.season = season, .start_ms = start_ms, .nrow = n};
        weather_label(weather, cell->weather, sizeof(cell->weather));
        cell->row = calloc(n, sizeof(*cell->row));
        cell->trace = traced ? calloc(n, sizeof(*cell->trace)) : NULL;
        for (size_t i = 0; cell->trace != NULL && i < n; i++) {
                cell->trace[i].cap = TRACE_SAMPLES;
                cell->trace[i].sample = calloc(TRACE_SAMPLES, sizeof(*cell->trace[i].sample));
                if (cell->trace[i].sample == NULL)
                        return -ENOMEM;
        }
        *ret = cell;
        return cell->row != NULL && (cell->trace != NULL || !traced) ? 0 : -ENOMEM;
}

static int write_file(const char *path, const struct text *t)
{
        FILE *f = fopen(path, "we");
        int ok = f != NULL && fwrite(t->v, 1, t->n, f) == t->n;

        if (f != NULL && fclose(f) != 0)
                ok = 0;
        if (!ok)
                fprintf(stderr, "coolplane-sim compare: %s: %s\n", path, strerror(errno));
        return ok ? EXIT_OK : EXIT_IO;
}

static int print(struct text *t)
{
        const bool ok = !t->failed && fwrite(t->v, 1, t->n, stdout) == t->n && fflush(stdout) == 0;

        text_free(t);
        return ok ? EXIT_OK : EXIT_IO;
}

/* A campaign may take hours: what is known is shown at once. */
static int finish_cell(const struct campaign *c, struct compare_cell *cell, const struct yard_result *result)
{
        const size_t nseed = (size_t)c->o->nseed;
        struct text table = {0}, page = {0};
        int code = EXIT_OK;

        for (size_t i = 0; i < cell->nrow; i++)
                compare_aggregate(c->o->controller[i], &result[i * nseed], nseed, &cell->row[i]);
        compare_judge(cell->row, cell->nrow, result, nseed);
        if (c->progress)
                fprintf(stderr, "\r%60s\r", "");
        if (!c->o->json) {
                text_put(&table, cell == c->report.cell ? "" : "\n");
                compare_table(&c->report, cell, &table);
                code = print(&table);
        }
        if (code == EXIT_OK && c->o->html != NULL) {
                compare_html(&c->report, c->command, &page);
                code = page.failed ? EXIT_GENERIC : write_file(c->o->html, &page);
                text_free(&page);
        }
        return code;
}

static int run_cell(const struct campaign *c, struct compare_cell *cell, const char *weather,
                    struct yard_result *result)
{
        const struct options *o = c->o;
        const bool several = o->nweather > 1 || o->season[0] + o->season[1] + o->season[2] + o->season[3] > 1;
        const size_t n = o->ncontroller * (size_t)o->nseed;
        struct compare_job *job = calloc(n, sizeof(*job));
        char log[512], label[128];
        int code;
        struct yard_setup s = {.world = o->world,
                               .start_ms = cell->start_ms,
                               .hours = o->hours,
                               .warmup_h = o->warmup_h,
                               .log = o->log != NULL ? log : NULL};

        if (job == NULL)
                return EXIT_GENERIC;
        s.world.weather = weather;
        (void)snprintf(log, sizeof(log), several ? "%s/%s-%s-" : "%s/", o->log != NULL ? o->log : "", cell->weather,
                       cell->season);
        for (size_t i = 0; i < n; i++) {
                const size_t seed = i % (size_t)o->nseed;

                s.seed = o->seed + seed;
                job[i] = (struct compare_job){.setup = s,
                                              .controller = o->controller[i / (size_t)o->nseed],
                                              .trace = seed == 0 ? &cell->trace[i / (size_t)o->nseed] : NULL,
                                              .result = &result[i]};
        }
        (void)snprintf(label, sizeof(label), "%s %s", cell->weather, cell->season);
        code = compare_run(job, n, (size_t)o->jobs, c->progress ? label : NULL);
        free(job);
        if (code != EXIT_OK)
                return code;
        return finish_cell(c, cell, result);
}

/* The sum of the seasons, seed by seed, is a cell of its own: its interval is over whole seeds. */
static int sum_cell(struct campaign *c, const char *weather, size_t nseason)
{
        const size_t n = c->o->ncontroller * (size_t)c->o->nseed;
        struct yard_result *sum = calloc(n, sizeof(*sum)), season[SEASONS];
        struct compare_cell *cell;
        int code;

        if (sum == NULL || new_cell(c, weather, "all", INT64_MIN, false, &cell) < 0) {
                free(sum);
                return EXIT_GENERIC;
        }
        for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < nseason; k++)
                        season[k] = c->result[k * n + i];
                compare_sum(season, nseason, &sum[i]);
        }
        code = finish_cell(c, cell, sum);
        free(sum);
        return code;
}

static int run_weather(struct campaign *c, const char *weather)
{
        const struct options *o = c->o;
        const size_t n = o->ncontroller * (size_t)o->nseed;
        struct compare_cell *cell;
        size_t done = 0;

        for (size_t k = 0; k < SEASONS; k++) {
                const bool given = o->start_ms != INT64_MIN;
                int64_t start_ms = o->start_ms;
                int code;

                if (given ? k > 0 : !o->season[k])
                        continue;
                if (!given)
                        (void)clk_parse_time(season_start[k], &start_ms);
                if (new_cell(c, weather, given ? "" : season_name[k], start_ms, true, &cell) < 0)
                        return EXIT_GENERIC;
                code = run_cell(c, cell, weather, &c->result[done++ * n]);
                if (code != EXIT_OK)
                        return code;
        }
        return done > 1 ? sum_cell(c, weather, done) : EXIT_OK;
}

int verb_compare(int argc, char **argv)
{
        struct options o;
        struct campaign c = {.o = &o};
        struct text command = {0};
        struct plant_spec spec;
        int code;

        code = parse_options(argc, argv, &o);
        if (code >= 0)
                return code;
        assert(o.ncontroller > 0 && o.nweather > 0 && o.nseed > 0);
        if (!o.seed)
                o.seed = plant_spec_named(o.world.site, &spec) == 0 ? spec.seed : 1;
        c.report = (struct compare_report){
            .site = o.world.site, .hours = o.hours, .warmup_h = o.warmup_h, .seed = o.seed, .nseed = (size_t)o.nseed};
        text_put(&command, "coolplane-sim");
        for (int i = 0; i < argc; i++)
                text_printf(&command, " %s", argv[i]);
        c.command = command.v != NULL ? command.v : "";
        c.progress = !o.json && isatty(STDERR_FILENO);
        c.report.cell = calloc(o.nweather * (SEASONS + 1), sizeof(*c.report.cell));
        c.result = calloc(SEASONS * o.ncontroller * (size_t)o.nseed, sizeof(*c.result));
        code = c.report.cell != NULL && c.result != NULL ? EXIT_OK : EXIT_GENERIC;
        for (size_t i = 0; code == EXIT_OK && i < o.nweather; i++)
                code = run_weather(&c, o.weather[i]);
        if (code == EXIT_OK && o.json) {
                struct text t = {0};

                compare_json(&c.report, &t);
                code = print(&t);
        }
        text_free(&command);
        for (size_t i = 0; c.report.cell != NULL && i < c.report.ncell; i++) {
                for (size_t k = 0; c.report.cell[i].trace != NULL && k < c.report.cell[i].nrow; k++)
                        free(c.report.cell[i].trace[k].sample);
                free(c.report.cell[i].trace);
                free(c.report.cell[i].row);
        }
        free(c.report.cell);
        free(c.result);
        return code;
}
