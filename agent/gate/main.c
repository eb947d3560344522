/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplaned: options, then wire_run. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/parse.h"
#include "agent/drivers/modbus.h"
#include "agent/gate/envelope.h"
#include "agent/gate/release.h"
#include "agent/gate/wire.h"

static const char help[] =
    "coolplaned --config /etc/coolplane/site.yaml            shadow: reads, decides, writes nothing\n"
    "coolplaned --config /etc/coolplane/site.yaml --mode live\n"
    "coolplaned --config /etc/coolplane/site.yaml --release  after a crash: make the plant local now\n"
    "\n"
    "The gate: reads the plant, stores samples, filters proposals through the safety layer and, in live mode only,\n"
    "writes. SIGTERM hands the plant back to its own controls before leaving.\n"
    "\n"
    "  --config FILE         site file\n"
    "  --mode shadow|live    default shadow\n"
    "  --check               check the configuration and exit (0, or 78 with every error)\n"
    "  --release             when no gate runs: clear remote enable of every device, write nothing else, exit (0, or "
    "69\n"
    "                        when a device did not confirm)\n"
    "  --planner-user USER   user (name or number) the planner runs as; any other is refused (default: the gate's "
    "own)\n"
    "  --explore DURATION    identification phase: time in control, over all live runs (default 3h of plant time)\n"
    "  --time-scale X        plant time per real time; only for a simulated plant (default 1)\n"
    "  --time-origin W:P     real UTC ms W is plant time P ms (with --time-scale)\n"
    "  --debug               more log lines\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 ok, 1 out of memory or an internal failure, 2 usage, 69 a device driver or broker cannot be "
    "opened,\n"
    "74 database, 75 another gate runs, 78 configuration.\n";

struct options {
        const char *config;
        bool live, check, release;
        uid_t planner_uid;
        double scale;
        int64_t origin_wall_ms, origin_plant_ms, explore_ms;
};

static int usage(const char *what, const char *value)
{
        (void)fprintf(stderr, "coolplaned: %s%s%s; see coolplaned --help\n", what, value ? ": " : "",
                      value ? value : "");
        return EXIT_USAGE_;
}

static int find_user(const char *name, uid_t *ret)
{
        const struct passwd *pw = getpwnam(name);
        int64_t id;

        if (!pw && parse_int64(name, 0, UINT32_MAX - 1, &id) < 0)
                return -ENOENT;
        *ret = pw ? pw->pw_uid : (uid_t)id;
        return 0;
}

/* −1 = go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option opts[] = {{"config", required_argument, NULL, 'c'},
                                             {"mode", required_argument, NULL, 'm'},
                                             {"check", no_argument, NULL, 'k'},
                                             {"release", no_argument, NULL, 'r'},
                                             {"planner-user", required_argument, NULL, 'p'},
                                             {"explore", required_argument, NULL, 'x'},
                                             {"time-scale", required_argument, NULL, 's'},
                                             {"time-origin", required_argument, NULL, 'o'},
                                             {"debug", no_argument, NULL, 'd'},
                                             {"version", no_argument, NULL, 'v'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};
        int c;

        while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
                switch (c) {
                case 'c':
                        o->config = optarg;
                        break;
                case 'm':
                        o->live = strcmp(optarg, "live") == 0;
                        if (!o->live && strcmp(optarg, "shadow") != 0)
                                return usage("--mode takes shadow or live, not", optarg);
                        break;
                case 'k':
                        o->check = true;
                        break;
                case 'r':
                        o->release = true;
                        break;
                case 'p':
                        if (find_user(optarg, &o->planner_uid) < 0)
                                return usage("--planner-user: no such user", optarg);
                        break;
                case 'x':
                        if (parse_duration_ms(optarg, &o->explore_ms) < 0)
                                return usage("--explore takes a duration such as 3h, not", optarg);
                        break;
                case 's':
                        if (clk_parse_scale(optarg, &o->scale) < 0)
                                return usage("--time-scale takes a number above 0, not", optarg);
                        break;
                case 'o':
                        if (clk_parse_origin(optarg, &o->origin_wall_ms, &o->origin_plant_ms) < 0)
                                return usage("--time-origin takes WALL_MS:PLANT_MS, not", optarg);
                        break;
                case 'd':
                        log_set_level(LOG_LEVEL_DEBUG);
                        break;
                case 'v':
                        (void)printf("coolplaned " COOLPLANE_VERSION "%s\n",
                                     modbus_can_write() ? "" : " (shadow only: no code that writes to devices)");
                        return EXIT_OK;
                case 'h':
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                default:
                        return usage("unknown option", NULL);
                }
        }
        if (optind < argc)
                return usage("unexpected argument", argv[optind]);
        if (!o->config)
                return usage("--config is missing", NULL);
        if ((o->live || o->release) && !modbus_can_write())
                return usage("this build has no code that writes to devices (COOLPLANE_NO_WRITE): shadow only", NULL);
        return -1;
}

int main(int argc, char **argv)
{
        struct options o = {.scale = 1, .origin_wall_ms = -1, .explore_ms = 3 * 3600 * 1000, .planner_uid = geteuid()};
        struct wire_args args = {0};
        struct site_errors *errors = NULL;
        struct site *site = NULL;
        int r = parse_options(argc, argv, &o);

        if (r >= 0)
                return r;
        r = site_load_checked(o.config, gate_check_site, &site, &errors);
        site_errors_print(errors, stderr);
        site_errors_free(errors);
        if (r < 0) {
                site_free(site);
                return EXIT_CONFIG;
        }
        if (o.check) {
                site_free(site);
                return EXIT_OK;
        }
        clk_init(&args.clk, o.scale, o.origin_wall_ms, o.origin_plant_ms);
        if (o.release) {
                r = release_run(site, &args.clk);
                site_free(site);
                return r;
        }
        args.site = site;
        args.live = o.live;
        args.planner_uid = o.planner_uid;
        args.explore_ms = o.explore_ms;
        r = wire_run(&args);
        site_free(site);
        return r;
}
