/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim compare: controllers over the same weather and load, in process and in virtual time. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/closed_loop.h"
#include "sim/serve.h"
#include "sim/serve_world.h"

#define SEEDS_MAX 1000
#define CONTROLLERS_MAX 8
#define ADVANCE_S 60.0

static const struct controller {
        const char *name;
        enum plant_local local; /* what the plant's own controls do */
        bool agent;             /* the unmodified agent in virtual time takes the plant over */
        bool moves;             /* and may move VMs */
} controllers[] = {{"b0", PLANT_LOCAL_FIXED, false, false},
                   {"b2", PLANT_LOCAL_TRIM_RESPOND, false, false},
                   {"c0", PLANT_LOCAL_FIXED, true, false},
                   {"c", PLANT_LOCAL_FIXED, true, true}};
#define NCONTROLLER (sizeof(controllers) / sizeof(controllers[0]))

struct options {
        struct world_args world;
        int64_t start_ms;
        double hours, warmup_h;
        uint64_t seed;
        int64_t nseed;
        const struct controller *controller[CONTROLLERS_MAX];
        size_t ncontroller;
        const char *log; /* directory for the agent's databases; NULL = none */
        bool json;
};

struct result {
        const struct controller *controller;
        double cooling_kwh, it_kwh, it_fan_kwh, total_kwh;        /* means over the seeds */
        double pue, cooling_per_it_kwh;                           /* of the means; IT with its fans */
        double max_inlet_c, degmin27, degmin32, max_rise_15min_k; /* worst seed */
        uint64_t hard_violations, since_takeover;                 /* sums */
        double chiller_starts, migrations, residual;              /* means; worst */
};

static const char help_text[] =
    "Example: coolplane-sim compare --site hall --season summer --days 2\n"
    "         coolplane-sim compare --site tiny --hours 24 --seeds 5 --json\n\n"
    "One row for each controller over the same weather and load. Energies, starts and migrations are means over "
    "the\n"
    "seeds, temperatures and degree-minutes those of the worst seed, hard violations the sum: racks above 32 °C at "
    "any\n"
    "step of the plant (5 s), freezing, orders a chiller may not follow; since_takeover counts identification too.\n"
    "cooling_per_it is cooling energy per kWh of IT and server fans: moving VMs changes IT, so compare this as "
    "well.\n\n"
    "  --site NAME              tiny, hall (default) or campus\n"
    "  --hours N, --days N      length of the evaluation (default 24 hours)\n"
    "  --warmup-hours H         before it, not counted (default 6)\n"
    "  --season S               winter, spring, summer (default) or autumn: the 15th of its middle month\n"
    "  --start TIME             RFC 3339 instead of a season\n"
    "  --seed S                 first seed (default: the site's)\n"
    "  --seeds K                K seeds from there (default 1)\n"
    "  --weather FILE           .epw or open-meteo .json (default: a synthetic year)\n"
    "  --workload FILE          CPU use of VMs, CSV (default: synthetic)\n"
    "  --controllers LIST       b0 fixed setpoints, b2 trim-and-respond, c coolplane, c0 coolplane without VM moves\n"
    "                           (default b0,b2,c0,c); c and c0 identify the plant live in the last 0.6 of the "
    "warm-up,\n"
    "                           at most 3 h\n"
    "  --log DIR                keep coolplane's databases there (c-SEED.db, c0-SEED.db)\n"
    "  --json                   one JSON document\n";

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
        OPT_HELP
};

static int parse_controllers(struct options *o, const char *list)
{
        o->ncontroller = 0;
        while (*list) {
                size_t n = strcspn(list, ","), k;
                for (k = 0; k < NCONTROLLER; k++)
                        if (strlen(controllers[k].name) == n && strncmp(controllers[k].name, list, n) == 0)
                                break;
                if (k == NCONTROLLER || o->ncontroller == CONTROLLERS_MAX)
                        return -EINVAL;
                o->controller[o->ncontroller++] = &controllers[k];
                list += n + (list[n] == ',');
        }
        return o->ncontroller > 0 ? 0 : -EINVAL;
}

static int parse_season(const char *v, int64_t *ret)
{
        static const char *const season[][2] = {{"winter", "2026-01-15T00:00:00Z"},
                                                {"spring", "2026-04-15T00:00:00Z"},
                                                {"summer", "2026-07-15T00:00:00Z"},
                                                {"autumn", "2026-10-15T00:00:00Z"}};
        for (size_t k = 0; k < sizeof(season) / sizeof(season[0]); k++)
                if (strcmp(v, season[k][0]) == 0)
                        return clk_parse_time(season[k][1], ret);
        return -EINVAL;
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
                return parse_season(v, &o->start_ms) == 0;
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
                o->world.weather = v;
                return true;
        case OPT_WORKLOAD:
                o->world.workload = v;
                return true;
        case OPT_CONTROLLERS:
                return parse_controllers(o, v) == 0;
        case OPT_LOG:
                o->log = v;
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
                                                 {"help", no_argument, NULL, OPT_HELP},
                                                 {NULL, 0, NULL, 0}};
        int c, index;

        *o = (struct options){.world = {.site = "hall"}, .hours = 24, .warmup_h = 6, .nseed = 1};
        (void)parse_season("summer", &o->start_ms);
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
                                optarg, c == OPT_CONTROLLERS ? " (b0, b2, c0 or c)" : "");
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim compare: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        return -1;
}

/* ---- running ---- */

static void advance_h(struct plant *p, double hours)
{
        int64_t end = plant_t_ms(p) + llround(hours * 3600e3);
        while (plant_t_ms(p) < end)
                plant_advance(p, fmin(ADVANCE_S, (double)(end - plant_t_ms(p)) / 1000));
}

/* Warm-up beside the plant's own controls, then live: identification at the end of the warm-up, then what counts. */
static int run_agent(const struct options *o, const struct controller *k, struct plant *p, uint64_t seed)
{
        double explore_h = fmin(3, 0.6 * o->warmup_h);
        struct closed_loop *loop;
        char db[512];
        int r;

        advance_h(p, o->warmup_h - explore_h);
        (void)snprintf(db, sizeof(db), "%s/%s-%" PRIu64 ".db", o->log ? o->log : "", k->name, seed);
        r = closed_loop_create(&(struct closed_loop_args){.plant = p,
                                                          .database = o->log ? db : NULL,
                                                          .acting = true,
                                                          .explore_ms = llround(explore_h * 3600e3),
                                                          .seed = seed,
                                                          .planner = true,
                                                          .no_moves = !k->moves},
                               &loop);
        if (r < 0) {
                fprintf(stderr, "coolplane-sim compare: the agent does not start: %s\n", strerror(-r));
                return EXIT_GENERIC;
        }
        closed_loop_run(loop, explore_h);
        plant_account_reset(p);
        closed_loop_run(loop, o->hours);
        closed_loop_free(loop);
        return EXIT_OK;
}

static int run(const struct options *o, const struct controller *c, uint64_t seed, struct plant_account *ret)
{
        struct world_args a = o->world;
        struct world w;
        int code;

        a.seed = seed;
        a.local = c->local;
        code = world_create(&a, o->start_ms - llround(o->warmup_h * 3600e3), &w);
        if (code != EXIT_OK)
                return code;
        if (c->agent) {
                code = run_agent(o, c, w.plant, seed);
        } else {
                advance_h(w.plant, o->warmup_h);
                plant_account_reset(w.plant);
                advance_h(w.plant, o->hours);
        }
        plant_account(w.plant, ret);
        world_free(&w);
        return code;
}

static void add(struct result *r, const struct plant_account *a, double share)
{
        r->cooling_kwh += a->cooling_kwh * share;
        r->it_kwh += a->it_kwh * share;
        r->it_fan_kwh += a->it_fan_kwh * share;
        r->total_kwh += a->total_kwh * share;
        r->cooling_per_it_kwh = r->cooling_kwh / (r->it_kwh + r->it_fan_kwh);
        r->pue = 1.0 + r->cooling_per_it_kwh;
        r->chiller_starts += (double)a->chiller_starts * share;
        r->migrations += (double)a->migrations * share;
        r->max_inlet_c = fmax(r->max_inlet_c, a->max_inlet_c);
        r->degmin27 = fmax(r->degmin27, a->degmin27);
        r->degmin32 = fmax(r->degmin32, a->degmin32);
        r->max_rise_15min_k = fmax(r->max_rise_15min_k, a->max_rise_15min_k);
        r->residual = fmax(r->residual, a->energy_residual_ratio);
        r->hard_violations += a->hard_violations;
        r->since_takeover += a->hard_violations_since_takeover;
}

static void print_table(const struct options *o, const struct result *r, size_t n)
{
        char t[32];
        printf("site %s, %g h from %s, %" PRId64 " seed%s\n", o->world.site, o->hours, clk_format(o->start_ms, t),
               o->nseed, o->nseed == 1 ? "" : "s");
        printf("%-10s %11s %10s %10s %10s %6s %14s %11s %8s %8s %16s %15s %14s %14s %10s\n", "controller",
               "cooling_kwh", "it_kwh", "it_fan_kwh", "total_kwh", "pue", "cooling_per_it", "max_inlet_c", "degmin27",
               "degmin32", "max_rise_15min_k", "hard_violations", "since_takeover", "chiller_starts", "migrations");
        for (size_t i = 0; i < n; i++) {
                printf("%-10s %11.1f %10.1f %10.1f %10.1f %6.3f %14.4f %11.2f %8.1f %8.1f %16.2f %15" PRIu64,
                       r[i].controller->name, r[i].cooling_kwh, r[i].it_kwh, r[i].it_fan_kwh, r[i].total_kwh, r[i].pue,
                       r[i].cooling_per_it_kwh, r[i].max_inlet_c, r[i].degmin27, r[i].degmin32, r[i].max_rise_15min_k,
                       r[i].hard_violations);
                if (r[i].controller->agent)
                        printf(" %14" PRIu64, r[i].since_takeover);
                else
                        printf(" %14s", "-");
                printf(" %14.1f %10.1f\n", r[i].chiller_starts, r[i].migrations);
        }
}

static void print_json(const struct options *o, const struct result *r, size_t n)
{
        char t[32];
        printf("{\"site\":\"%s\",\"start\":\"%s\",\"hours\":%.10g,\"warmup_hours\":%.10g,\"seeds\":%" PRId64
               ",\"rows\":[",
               o->world.site, clk_format(o->start_ms, t), o->hours, o->warmup_h, o->nseed);
        for (size_t i = 0; i < n; i++)
                printf("%s\n{\"controller\":\"%s\",\"cooling_kwh\":%.3f,\"it_kwh\":%.3f,\"it_fan_kwh\":%.3f,"
                       "\"total_kwh\":%.3f,\"pue\":%.5f,\"cooling_per_it_kwh\":%.5f,\"max_inlet_c\":%.3f,"
                       "\"degmin27\":%.3f,\"degmin32\":%.3f,\"max_rise_15min_k\":%.3f,\"hard_violations\":%" PRIu64
                       ",\"hard_violations_since_takeover\":%" PRIu64
                       ",\"chiller_starts\":%.10g,\"migrations\":%.10g,\"energy_residual_ratio\":%.3e}",
                       i ? "," : "", r[i].controller->name, r[i].cooling_kwh, r[i].it_kwh, r[i].it_fan_kwh,
                       r[i].total_kwh, r[i].pue, r[i].cooling_per_it_kwh, r[i].max_inlet_c, r[i].degmin27,
                       r[i].degmin32, r[i].max_rise_15min_k, r[i].hard_violations, r[i].since_takeover,
                       r[i].chiller_starts, r[i].migrations, r[i].residual);
        printf("\n]}\n");
}

int verb_compare(int argc, char **argv)
{
        struct result result[CONTROLLERS_MAX] = {{0}};
        struct options o;
        struct plant_spec spec;
        bool progress;
        int code = parse_options(argc, argv, &o);

        if (code >= 0)
                return code;
        if (!o.seed)
                o.seed = plant_spec_named(o.world.site, &spec) == 0 ? spec.seed : 1;
        progress = !o.json && isatty(STDERR_FILENO);
        for (size_t i = 0; i < o.ncontroller; i++) {
                result[i] = (struct result){.controller = o.controller[i], .max_inlet_c = -(double)INFINITY};
                for (int64_t k = 0; k < o.nseed; k++) {
                        struct plant_account a;
                        if (progress)
                                fprintf(stderr, "\r%s seed %" PRId64 "/%" PRId64 " ", o.controller[i]->name, k + 1,
                                        o.nseed);
                        code = run(&o, o.controller[i], o.seed + (uint64_t)k, &a);
                        if (code != EXIT_OK)
                                return code;
                        add(&result[i], &a, 1.0 / (double)o.nseed);
                }
        }
        if (progress)
                fprintf(stderr, "\r%30s\r", "");
        if (o.json)
                print_json(&o, result, o.ncontroller);
        else
                print_table(&o, result, o.ncontroller);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_IO;
}
