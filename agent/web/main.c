/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/parse.h"
#include "agent/web/http.h"

enum { NAMES_MAX = 16 };

static const char help[] =
    "coolplane-web --config /etc/coolplane/site.yaml\n"
    "coolplane-web --config site.yaml --port 9000\n"
    "\n"
    "The console: one page, JSON under /api/, Prometheus metrics at /metrics. Read-only. Starts whether or not the "
    "gate\n"
    "runs and the database exists.\n"
    "\n"
    "  --config FILE        site file; its web: { bind, port } are the defaults of the next two\n"
    "  --bind ADDRESS       address to listen on (127.0.0.1)\n"
    "  --port PORT          port to listen on, 0 = a free one (8480)\n"
    "  --allow-host NAME    a further name the console is asked by, e.g. behind a proxy; repeatable\n"
    "  --time-scale X       plant time per real time, as given to coolplaned (1)\n"
    "  --time-origin W:P    real UTC ms W is plant time P ms\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 ok, 2 usage, 69 the address cannot be listened on, 78 configuration.\n";

struct options {
        const char *config, *bind;
        int64_t port; /* −1 = from the site file */
        double scale;
        int64_t origin_wall_ms, origin_plant_ms;
        const char *name[NAMES_MAX];
        size_t nname;
};

static int usage(const char *what, const char *value)
{
        (void)fprintf(stderr, "coolplane-web: %s%s%s; see coolplane-web --help\n", what, value ? ": " : "",
                      value ? value : "");
        return EXIT_USAGE_;
}

/* −1 = go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                              {"bind", required_argument, NULL, 'b'},
                                              {"port", required_argument, NULL, 'p'},
                                              {"allow-host", required_argument, NULL, 'a'},
                                              {"time-scale", required_argument, NULL, 's'},
                                              {"time-origin", required_argument, NULL, 'o'},
                                              {"version", no_argument, NULL, 'v'},
                                              {"help", no_argument, NULL, 'h'},
                                              {NULL, 0, NULL, 0}};
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                switch (c) {
                case 'c':
                        o->config = optarg;
                        break;
                case 'b':
                        o->bind = optarg;
                        break;
                case 'p':
                        if (parse_int64(optarg, 0, 65535, &o->port) < 0)
                                return usage("--port takes 0 to 65535, not", optarg);
                        break;
                case 'a':
                        if (o->nname == NAMES_MAX)
                                return usage("too many --allow-host", NULL);
                        o->name[o->nname++] = optarg;
                        break;
                case 's':
                        if (clk_parse_scale(optarg, &o->scale) < 0)
                                return usage("--time-scale takes a number above 0, not", optarg);
                        break;
                case 'o':
                        if (clk_parse_origin(optarg, &o->origin_wall_ms, &o->origin_plant_ms) < 0)
                                return usage("--time-origin takes WALL_MS:PLANT_MS, not", optarg);
                        break;
                case 'v':
                        (void)puts("coolplane-web " COOLPLANE_VERSION);
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
        return -1;
}

static void on_signal(void *ctx, int signo)
{
        log_notice("web", "%s, stopping", signo == SIGTERM ? "SIGTERM" : "SIGINT");
        loop_stop(ctx);
}

static int serve(const struct site *site, const struct options *o)
{
        const char *bind = o->bind ? o->bind : site->web_bind;
        struct console *console = NULL;
        struct loop *loop = NULL;
        struct http *http = NULL;
        struct clk clk;
        sigset_t set;
        int port, r, code = EXIT_GENERIC;

        clk_init(&clk, o->scale, o->origin_wall_ms, o->origin_plant_ms);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)signal(SIGPIPE, SIG_IGN);
        r = loop_create(&clk, &loop);
        if (r == 0)
                r = loop_signals(loop, &set, on_signal, loop);
        if (r == 0)
                r = console_create(site, &clk, &console);
        if (r < 0)
                goto out;
        r = http_create(&(struct http_args){.loop = loop,
                                            .console = console,
                                            .bind = bind,
                                            .port = o->port >= 0 ? (int)o->port : site->web_port,
                                            .hosts = {.bind = bind, .names = o->name, .nname = o->nname}},
                        &http, &port);
        if (r < 0) {
                log_error("web", "cannot listen on %s: %s", bind,
                          r == -EINVAL ? "not a numeric address" : strerror(-r));
                code = r == -EINVAL ? EXIT_CONFIG : EXIT_UNAVAILABLE;
                goto out;
        }
        if (!request_is_loopback(bind))
                log_warning("web", "%s is reachable from other machines; the console has no login of its own", bind);
        log_notice("web", strchr(bind, ':') ? "console at http://[%s]:%d/" : "console at http://%s:%d/", bind, port);
        r = loop_run(loop);
        code = r < 0 ? EXIT_GENERIC : EXIT_OK;
out:
        if (r < 0 && code == EXIT_GENERIC)
                log_error("web", "%s", strerror(-r));
        http_free(http);
        console_free(console);
        loop_free(loop);
        return code;
}

int main(int argc, char **argv)
{
        struct options o = {.port = -1, .scale = 1, .origin_wall_ms = -1};
        struct site_errors *errors = NULL;
        struct site *site = NULL;
        int r = parse_options(argc, argv, &o);

        if (r >= 0)
                return r;
        r = site_load(o.config, &site, &errors);
        site_errors_print(errors, stderr);
        site_errors_free(errors);
        if (r < 0)
                return EXIT_CONFIG;
        r = serve(site, &o);
        site_free(site);
        return r;
}
