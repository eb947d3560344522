/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/parse.h"
#include "agent/planner/brain.h"
#include "agent/planner/link.h"

#define STORE_RETRY_MS 1000

static const char help[] =
    "usage: coolplane-planner --config SITE.yaml [options]\n"
    "\n"
    "Proposes setpoints and VM moves to coolplaned over <run_dir>/planner.sock. Reads the site's database read-only,\n"
    "identifies its models from it and goes on learning from what the gate sends. Everything it says is filtered by\n"
    "the gate; when it is gone the gate holds, then falls back.\n"
    "\n"
    "  --config FILE          the site file\n"
    "  --time-scale X         plant time runs X times real time (as given to coolplaned)\n"
    "  --time-origin W:P      real and plant time, ms since 1970, at which both agree\n"
    "  --no-learn             keep the models as identified from the database\n"
    "  -v, --verbose          debug messages\n"
    "  -h, --help             this text\n"
    "  -V, --version          version\n";

struct options {
        const char *config;
        double scale;
        int64_t origin_wall_ms, origin_plant_ms;
        bool learn;
};

struct planner {
        struct site *site;
        struct layout *layout;
        struct store *store;
        struct brain *brain;
        struct link *link;
        struct loop *loop;
        struct loop_timer *store_retry;
        bool learn, complained;
        int exit_code;
};

static void on_signal(void *ctx, int signo)
{
        struct planner *p = ctx;
        log_notice("planner", "%s, stopping", signo == SIGTERM ? "SIGTERM" : "SIGINT");
        loop_stop(p->loop);
}

static void fail(struct planner *p, int code)
{
        p->exit_code = code;
        loop_stop(p->loop);
}

/* The gate creates and upgrades the database; until it has, there is nothing to read and nobody to talk to. */
static void open_store(void *ctx)
{
        struct planner *p = ctx;
        char why[256] = "";
        char error[32];
        struct brain_info info;
        int r = store_open(p->site->database, STORE_READ, &p->store, why);

        if (r == 0)
                r = store_bind_site(p->store, p->site);
        if (r < 0) {
                p->store = store_close(p->store);
                if (r == -EPROTO) {
                        log_error("planner", "%s", why);
                        fail(p, EXIT_DATA);
                        return;
                }
                if (!p->complained)
                        log_info("planner", "waiting for the database: %s", why[0] ? why : strerror(-r));
                p->complained = true;
                loop_timer_arm(p->store_retry, STORE_RETRY_MS);
                return;
        }
        const struct brain_args a = {
            .site = p->site, .layout = p->layout, .store = p->store, .seed = p->site->seed, .learn = p->learn};
        r = brain_create(&a, &p->brain);
        if (r == -EINVAL) {
                log_error("planner", "%s: no manipulated variable a plan could set, or more than a message carries",
                          p->site->name);
                fail(p, EXIT_CONFIG);
                return;
        }
        if (r < 0) {
                log_error("planner", "cannot learn from %s: %s", p->site->database, strerror(-r));
                fail(p, r == -ENOMEM ? EXIT_GENERIC : EXIT_IO);
                return;
        }
        brain_info(p->brain, &info);
        log_notice("planner",
                   "%zu variables, %zu outputs; learned from %llu stored steps: %zu rows fitted, "
                   "inlet one-step error %s (median), %zu energy samples",
                   p->layout->nu, p->layout->ny, (unsigned long long)info.seeded_rows, info.rows_fitted,
                   format_or_dash(info.inlet_rmse_c, 3, " K", error), info.energy_samples);
        link_set_brain(p->link, p->brain);
}

static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {
            {"config", required_argument, NULL, 'c'},      {"time-scale", required_argument, NULL, 's'},
            {"time-origin", required_argument, NULL, 'o'}, {"no-learn", no_argument, NULL, 'n'},
            {"verbose", no_argument, NULL, 'v'},           {"help", no_argument, NULL, 'h'},
            {"version", no_argument, NULL, 'V'},           {0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "c:vhV", longs, NULL)) != -1) {
                switch (c) {
                case 'c':
                        o->config = optarg;
                        break;
                case 's':
                        if (clk_parse_scale(optarg, &o->scale) < 0) {
                                fprintf(stderr, "coolplane-planner: --time-scale: not a number above 0: %s\n", optarg);
                                return EXIT_USAGE_;
                        }
                        break;
                case 'o':
                        if (clk_parse_origin(optarg, &o->origin_wall_ms, &o->origin_plant_ms) < 0) {
                                fprintf(stderr, "coolplane-planner: --time-origin: not WALL_MS:PLANT_MS: %s\n", optarg);
                                return EXIT_USAGE_;
                        }
                        break;
                case 'n':
                        o->learn = false;
                        break;
                case 'v':
                        log_set_level(LOG_LEVEL_DEBUG);
                        break;
                case 'h':
                        fputs(help, stdout);
                        return -1;
                case 'V':
                        puts("coolplane-planner " COOLPLANE_VERSION);
                        return -1;
                default:
                        fputs(help, stderr);
                        return EXIT_USAGE_;
                }
        }
        if (!o->config || optind != argc) {
                fputs(help, stderr);
                return EXIT_USAGE_;
        }
        return 0;
}

static int load_site(const char *path, struct planner *p)
{
        struct site_errors *errors = NULL;
        int r = site_load(path, &p->site, &errors);

        site_errors_print(errors, stderr);
        site_errors_free(errors);
        if (r < 0)
                return EXIT_CONFIG;
        r = layout_create(p->site, &p->layout);
        if (r < 0) {
                log_error("planner", "%s: %s", path, strerror(-r));
                return r == -ENOMEM ? EXIT_GENERIC : EXIT_CONFIG;
        }
        return 0;
}

static int run(struct planner *p, const struct clk *clk)
{
        sigset_t set;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        r = loop_create(clk, &p->loop);
        if (r == 0)
                r = loop_signals(p->loop, &set, on_signal, p);
        if (r == 0)
                r = link_create(p->loop, p->site, &p->link);
        if (r == 0)
                r = loop_timer_create(p->loop, true, open_store, p, &p->store_retry);
        if (r == 0) {
                loop_timer_arm(p->store_retry, 0);
                r = loop_run(p->loop);
        }
        if (r < 0) {
                log_error("planner", "%s", strerror(-r));
                return EXIT_GENERIC;
        }
        return p->exit_code;
}

int main(int argc, char **argv)
{
        struct options o = {.scale = 1.0, .origin_wall_ms = -1, .learn = true};
        struct planner p = {0};
        struct clk clk;
        int r = parse_options(argc, argv, &o);

        if (r != 0)
                return r < 0 ? EXIT_OK : r;
        clk_init(&clk, o.scale, o.origin_wall_ms, o.origin_plant_ms);
        p.learn = o.learn;
        r = load_site(o.config, &p);
        if (r == 0)
                r = run(&p, &clk);
        loop_timer_free(p.store_retry);
        link_free(p.link);
        brain_free(p.brain);
        store_close(p.store);
        loop_free(p.loop);
        layout_free(p.layout);
        site_free(p.site);
        return r;
}
