/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim serve: the plant follows the wall clock, scaled; devices answer from its current state. */
#include "sim/serve.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/outfile.h"
#include "agent/base/parse.h"
#include "sim/modbusd.h"
#include "sim/mqttd.h"
#include "sim/orchestrator.h"
#include "sim/print_site.h"
#include "sim/serve_fault.h"
#include "sim/serve_report.h"
#include "sim/serve_world.h"

#define BASE_PORT 15020
#define STEP_S 5.0  /* the plant's own step; the same as in compare, so that both do the same sums */
#define BITE_S 20.0 /* plant time caught up between two looks at the sockets */
#define CATCH_UP_MS INT64_C(86400000)

struct options {
        struct world_args world;
        double scale;
        int64_t origin_wall_ms, origin_plant_ms;
        struct fault fault[FAULT_MAX];
        size_t nfault;
        const char *write_log, *report, *print_site;
        int base_port;
        char mqtt_host[256];
        int mqtt_port;
        bool mqtt;
        double run_for_s;                 /* 0 = until a signal */
        int64_t account_from, account_to; /* INT64_MAX: none */
};

struct serve {
        struct options o;
        struct world world;
        struct clk clk;
        struct loop *loop;
        struct loop_timer *timer;
        struct registers *regs;
        struct modbusd *modbus;
        struct mqttd *mqtt;
        struct orchestrator *orch;
        struct report *report;
        FILE *log;
        int64_t start_ms;
        bool window_open;
        int code;
};

static const char help_text[] =
    "Example: coolplane-sim serve --site hall --time-scale 60 --mqtt 127.0.0.1:1883\n"
    "         coolplane-sim serve --site hall --print-site /tmp/hall\n\n"
    "Serves a simulated site on loopback: Modbus TCP devices (function codes 3, 4, 6, 16) and, with --mqtt, rack "
    "power,\n"
    "weather and the VM orchestrator. Runs until SIGTERM; SIGUSR1 starts the report's window anew.\n\n"
    "  --site NAME|FILE       tiny, hall (default), campus, or a site file (its keys: sim/plant_text.h)\n"
    "  --print-site DIR       write DIR/site.yaml, DIR/profiles/*.csv, DIR/points.csv for coolplaned, and exit\n"
    "  --base-port P          first TCP port (default 15020)\n"
    "  --mqtt HOST:PORT       broker (IPv4 or name)\n"
    "  --time-scale X         plant seconds per second (default 1)\n"
    "  --time-origin W:P      plant time was P ms (UTC) when the wall clock showed W ms; the plant starts at P and\n"
    "                         catches up (at most a day)\n"
    "  --seed S               of plant, weather and load\n"
    "  --weather FILE         .epw or open-meteo .json (default: a synthetic year)\n"
    "  --workload FILE        CPU use of VMs, CSV (default: synthetic)\n"
    "  --arrivals DIR         VMs come and go as in the Azure V1 traces of DIR; \"synthetic\": as a generator says\n"
    "  --local fixed|trim     what the PLCs do on their own (default fixed)\n"
    "  --economiser           a waterside economiser: tower water precools the return water\n"
    "  --fault NAME@TIME      repeatable; TIME in plant seconds since the start, or RFC 3339. Names, by row of the\n"
    "                         fault catalogue (DEV as site.yaml names it, ADDR a holding register, I from 0):\n"
    "    on the wire   M1 refuse:DEV blackhole:DEV  M2 reset:DEV half-open:DEV  M3 exception:DEV[:CODE]\n"
    "                  M4 truncated:DEV short:DEV overlong:DEV wrong-length:DEV wrong-unit:DEV wrong-tid:DEV\n"
    "                     late:DEV garbage:DEV (each for one answer too: a read at 65280 + 16 × its number in "
    "sim/modbusd.h)\n"
    "                  M11 slow:DEV:FACTOR (times 5 ms, real time)  M13 flood:DEV\n"
    "    in registers  M3 illegal:DEV:ADDR  M5 partial:DEV  M6 clamp:DEV:ADDR:LO:HI ignore:DEV\n"
    "                  M7 master:DEV:ADDR:V (writes it each 5 s)  M8 reboot:DEV  M9 inert:DEV\n"
    "                  S7 order:DEV:CDAB (or ABCD BADC DCBA AB BA)  S8 shift:DEV:N  S9 frozen:DEV\n"
    "                  heal:DEV ends what is above\n"
    "    instruments   S1 stuck:CHANNEL:I  S2 drift:CHANNEL:I:K_PER_H bias:CHANNEL:I:K  S3 spike:CHANNEL:I:K\n"
    "                  S4 S10 lost:CHANNEL:I  S5 fahrenheit:CHANNEL:I  S6 const:CHANNEL:I:V (S4: inf, nan)  S11 "
    "mass-loss:CHANNEL:SHARE\n"
    "                  S12 swap:CHANNEL:I:J; CHANNEL is inlet, sat, chw-supply, wetbulb …\n"
    "    the plant     M8 crah-reboot:I  M9 watchdog-inert  M12 crah-deaf:I  X1 chiller-trip:I  X2 tower-fail\n"
    "                  cw-pump-fail  X3 crah-fail:I containment-open:ROOM  X4 utility-loss:S  X5 load-step:F\n"
    "                  X6 bypass-shut  X8 valve-stuck:I:RATIO evap-flow:I:RATIO  L3 chiller-foul:I:F  L4 heat-wave:K\n"
    "                  dew-point:ROOM:C  clear\n"
    "  --write-log FILE       CSV of every write request\n"
    "  --report FILE          JSON account of the plant, written when its window ends and at the end\n"
    "  --account-from TIME    start the report's window then (RFC 3339 or UTC ms of plant time) …\n"
    "  --account-to TIME      … and end it then\n"
    "  --run-for SECONDS      stop after this much plant time\n\n"
    "Of the files it writes, only one of the same kind is written over.\n";

/* ---- command line ---- */

static int bad(const char *opt, const char *value)
{
        fprintf(stderr, "coolplane-sim serve: --%s: cannot use \"%s\"\n", opt, value);
        return EXIT_USAGE_;
}

static bool parse_host_port(const char *s, char *host, size_t cap, int *ret_port)
{
        const char *colon = strrchr(s, ':');
        int64_t port;
        if (!colon || colon == s || (size_t)(colon - s) >= cap || parse_int64(colon + 1, 1, 65535, &port) < 0)
                return false;
        memcpy(host, s, (size_t)(colon - s));
        host[colon - s] = '\0';
        *ret_port = (int)port;
        return true;
}

enum {
        OPT_SITE,
        OPT_PRINT,
        OPT_PORT,
        OPT_MQTT,
        OPT_SCALE,
        OPT_ORIGIN,
        OPT_SEED,
        OPT_WEATHER,
        OPT_WORKLOAD,
        OPT_ARRIVALS,
        OPT_LOCAL,
        OPT_ECONOMISER,
        OPT_FAULT,
        OPT_WRITE_LOG,
        OPT_REPORT,
        OPT_RUN_FOR,
        OPT_FROM,
        OPT_TO,
        OPT_HELP
};

static bool set_option(struct options *o, int which, char *v)
{
        int64_t n;
        switch (which) {
        case OPT_SITE:
                o->world.site = v;
                return true;
        case OPT_PRINT:
                o->print_site = v;
                return true;
        case OPT_PORT:
                if (parse_int64(v, 1, 65535 - 256, &n) < 0)
                        return false;
                o->base_port = (int)n;
                return true;
        case OPT_MQTT:
                o->mqtt = true;
                return parse_host_port(v, o->mqtt_host, sizeof(o->mqtt_host), &o->mqtt_port);
        case OPT_SCALE:
                return clk_parse_scale(v, &o->scale) == 0;
        case OPT_ORIGIN:
                return clk_parse_origin(v, &o->origin_wall_ms, &o->origin_plant_ms) == 0;
        case OPT_SEED:
                if (parse_int64(v, 1, INT64_MAX, &n) < 0)
                        return false;
                o->world.seed = (uint64_t)n;
                return true;
        case OPT_WEATHER:
                o->world.weather = v;
                return true;
        case OPT_ARRIVALS:
                o->world.arrivals = v;
                return true;
        case OPT_WORKLOAD:
                o->world.workload = v;
                return true;
        case OPT_LOCAL:
                o->world.local = strcmp(v, "trim") == 0 ? PLANT_LOCAL_TRIM_RESPOND : PLANT_LOCAL_FIXED;
                return strcmp(v, "trim") == 0 || strcmp(v, "fixed") == 0;
        case OPT_ECONOMISER:
                o->world.economiser = true;
                return true;
        case OPT_FAULT:
                return o->nfault < FAULT_MAX && fault_parse(v, &o->fault[o->nfault++]) == 0;
        case OPT_WRITE_LOG:
                o->write_log = v;
                return true;
        case OPT_FROM:
                return clk_parse_time(v, &o->account_from) == 0;
        case OPT_TO:
                return clk_parse_time(v, &o->account_to) == 0;
        case OPT_REPORT:
                o->report = v;
                return true;
        default:
                return parse_double(v, &o->run_for_s) == 0 && o->run_for_s > 0;
        }
}

/* −1: go on; otherwise the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option longopts[] = {{"site", required_argument, NULL, OPT_SITE},
                                                 {"print-site", required_argument, NULL, OPT_PRINT},
                                                 {"base-port", required_argument, NULL, OPT_PORT},
                                                 {"mqtt", required_argument, NULL, OPT_MQTT},
                                                 {"time-scale", required_argument, NULL, OPT_SCALE},
                                                 {"time-origin", required_argument, NULL, OPT_ORIGIN},
                                                 {"seed", required_argument, NULL, OPT_SEED},
                                                 {"weather", required_argument, NULL, OPT_WEATHER},
                                                 {"workload", required_argument, NULL, OPT_WORKLOAD},
                                                 {"arrivals", required_argument, NULL, OPT_ARRIVALS},
                                                 {"local", required_argument, NULL, OPT_LOCAL},
                                                 {"economiser", no_argument, NULL, OPT_ECONOMISER},
                                                 {"fault", required_argument, NULL, OPT_FAULT},
                                                 {"write-log", required_argument, NULL, OPT_WRITE_LOG},
                                                 {"report", required_argument, NULL, OPT_REPORT},
                                                 {"run-for", required_argument, NULL, OPT_RUN_FOR},
                                                 {"account-from", required_argument, NULL, OPT_FROM},
                                                 {"account-to", required_argument, NULL, OPT_TO},
                                                 {"help", no_argument, NULL, OPT_HELP},
                                                 {NULL, 0, NULL, 0}};
        int c, index;

        *o = (struct options){.world = {.site = "hall"},
                              .scale = 1,
                              .origin_wall_ms = -1,
                              .account_from = INT64_MAX,
                              .account_to = INT64_MAX,
                              .base_port = BASE_PORT,
                              .mqtt_host = "127.0.0.1",
                              .mqtt_port = 1883};
        while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
                if (c == OPT_HELP) {
                        fputs(help_text, stdout);
                        return EXIT_OK;
                }
                if (c == '?')
                        return EXIT_USAGE_;
                if (!set_option(o, c, optarg))
                        return bad(longopts[index].name, optarg);
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim serve: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        return -1;
}

/* ---- running ---- */

static void stop(struct serve *s, int code)
{
        if (code != EXIT_OK)
                s->code = code;
        loop_stop(s->loop);
}

static void written(void *ctx, const struct modbusd_write *w)
{
        struct serve *s = ctx;
        int64_t t = clk_t_ms(&s->clk);
        char time[32];

        if (!s->log)
                return;
        fprintf(s->log, "%s,%" PRId64 ",%s,%u,%u,%u,", clk_format(t, time), t, w->device->name,
                (unsigned)w->device->unit_id, (unsigned)w->function, (unsigned)w->address);
        for (unsigned k = 0; k < w->count; k++)
                fprintf(s->log, "%s%u", k ? " " : "", (unsigned)w->regs[k]);
        fprintf(s->log, ",%d\n", w->exception);
        if (fflush(s->log) != 0) {
                log_error("sim", "write log: %s", strerror(errno));
                stop(s, EXIT_IO);
        }
}

static void run_faults(struct serve *s)
{
        int64_t now = plant_t_ms(s->world.plant);
        for (size_t k = 0; k < s->o.nfault; k++) {
                struct fault *f = &s->o.fault[k];
                if (f->done || now < (f->relative ? s->start_ms + f->t_ms : f->t_ms))
                        continue;
                f->done = true;
                int err = fault_apply(f, s->regs, s->modbus);
                if (err < 0) {
                        log_error("sim", "fault %s: %s", f->name, strerror(-err));
                        stop(s, EXIT_USAGE_);
                } else
                        log_notice("sim", "fault %s", f->name);
        }
}

static void write_report(struct serve *s)
{
        int err = s->o.report ? report_write(s->report, s->o.report) : 0;
        if (err < 0) {
                log_error("sim", "%s: %s", s->o.report, strerror(-err));
                s->code = EXIT_IO;
        }
}

static void run_window(struct serve *s)
{
        int64_t now = plant_t_ms(s->world.plant);
        if (!s->window_open && now >= s->o.account_from) {
                s->window_open = true;
                report_reset(s->report);
        }
        if (now >= s->o.account_to && report_close(s->report))
                write_report(s);
}

/* Steps of one length whatever the wall does, so that a plant nobody writes to runs the same every time. */
static void tick(void *ctx)
{
        struct serve *s = ctx;
        const int64_t step_ms = llround(STEP_S * 1000);
        double bite_s = BITE_S;
        int64_t behind;

        while ((behind = clk_t_ms(&s->clk) - plant_t_ms(s->world.plant)) >= step_ms && bite_s > 0) {
                plant_advance(s->world.plant, STEP_S);
                registers_step(s->regs);
                bite_s -= STEP_S;
                run_faults(s);
                report_step(s->report);
                run_window(s);
                if (s->o.run_for_s > 0 && (double)(plant_t_ms(s->world.plant) - s->start_ms) >= s->o.run_for_s * 1000) {
                        stop(s, EXIT_OK);
                        return;
                }
        }
        if (s->mqtt && mqttd_connected(s->mqtt))
                orchestrator_tick(s->orch, clk_real_mono_ms());
        loop_timer_arm(s->timer, behind < step_ms ? step_ms - behind : 0);
}

static void on_signal(void *ctx, int signo)
{
        struct serve *s = ctx;
        if (signo == SIGUSR1) {
                report_reset(s->report);
                log_notice("sim", "account reset");
        } else
                stop(s, EXIT_OK);
}

static void mqtt_connected(void *ctx)
{
        struct serve *s = ctx;
        orchestrator_connected(s->orch);
        log_info("sim", "broker connected");
}

static void mqtt_message(void *ctx, const char *topic, const char *payload, size_t len)
{
        struct serve *s = ctx;
        (void)topic;
        orchestrator_request(s->orch, payload, len);
}

static int mqtt_publish(void *ctx, const char *topic, const char *payload, size_t len, int qos, bool retained)
{
        struct serve *s = ctx;
        return s->mqtt ? mqttd_publish(s->mqtt, topic, payload, len, qos, retained) : -ENOTCONN;
}

static int start_mqtt(struct serve *s)
{
        char id[96];
        struct orchestrator_args oa = {
            .plant = s->world.plant, .site = s->world.spec.name, .publish = mqtt_publish, .ctx = s};
        int err = orchestrator_create(&oa, &s->orch);
        if (err < 0)
                return err;
        snprintf(id, sizeof(id), "coolplane-sim-%s-%ld", s->world.spec.name, (long)getpid());
        struct mqttd_args ma = {.loop = s->loop,
                                .host = s->o.mqtt_host,
                                .port = s->o.mqtt_port,
                                .client_id = id,
                                .subscribe = orchestrator_request_topic(s->orch),
                                .connected = mqtt_connected,
                                .message = mqtt_message,
                                .ctx = s};
        return mqttd_create(&ma, &s->mqtt);
}

#define WRITE_LOG_BEGINS "time,t_ms,device,unit_id,function,address,registers,exception\n"

/* Outputs go nowhere but into the place of one of their kind. An exit code. */
static int check_outputs(const struct options *o)
{
        const char *const input[] = {o->world.site, o->world.weather, o->world.workload}; /* files, or NULL */
        const struct outfile out[] = {
            {o->write_log, "a write log of coolplane-sim serve", WRITE_LOG_BEGINS, NULL, input, 3},
            {o->report, "a report of coolplane-sim serve", REPORT_BEGINS, REPORT_HOLDS, input, 3},
        };
        char why[512];

        if (o->write_log && o->report && strcmp(o->write_log, o->report) == 0)
                return bad("report", o->report);
        for (size_t k = 0; k < sizeof(out) / sizeof(out[0]); k++)
                if (out[k].path && !outfile_may(&out[k], why)) {
                        fprintf(stderr, "coolplane-sim serve: %s\n", why);
                        return EXIT_IO;
                }
        return EXIT_OK;
}

static int open_log(struct serve *s)
{
        if (!s->o.write_log)
                return 0;
        s->log = fopen(s->o.write_log, "w");
        if (!s->log)
                return -errno;
        fputs(WRITE_LOG_BEGINS, s->log);
        return fflush(s->log) == 0 ? 0 : -errno;
}

static int start(struct serve *s)
{
        sigset_t set;
        int err = registers_create(&s->world.spec, s->world.plant, &s->regs);
        if (err == 0)
                err = report_create(s->world.plant, s->world.weather, &s->report);
        if (err == 0)
                err = loop_create(&s->clk, &s->loop);
        if (err < 0)
                return err;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGUSR1);
        signal(SIGPIPE, SIG_IGN);
        err = loop_signals(s->loop, &set, on_signal, s); /* before the broker's threads */
        if (err == 0)
                err = loop_timer_create(s->loop, false, tick, s, &s->timer);
        if (err < 0)
                return err;
        err = open_log(s);
        if (err < 0) {
                log_error("sim", "%s: %s", s->o.write_log, strerror(-err));
                return err;
        }
        struct modbusd_args ma = {.loop = s->loop,
                                  .regs = s->regs,
                                  .base_port = (uint16_t)s->o.base_port,
                                  .seed = s->world.spec.seed,
                                  .written = written,
                                  .ctx = s};
        err = modbusd_create(&ma, &s->modbus);
        if (err < 0) {
                log_error("sim", "ports %d to %d: %s", s->o.base_port, s->o.base_port + (int)s->regs->nport - 1,
                          strerror(-err));
                return err;
        }
        return s->o.mqtt ? start_mqtt(s) : 0;
}

static int serve(struct serve *s)
{
        const struct fault *bad = NULL;
        char t[32];
        int err;

        clk_init(&s->clk, s->o.scale, s->o.origin_wall_ms, s->o.origin_plant_ms);
        s->start_ms = clk_t_ms(&s->clk);
        /* a given origin is a given start: two plants with one origin see the same day from the same second */
        if (s->o.origin_wall_ms >= 0 && s->start_ms - s->o.origin_plant_ms < CATCH_UP_MS)
                s->start_ms = s->o.origin_plant_ms;
        s->code = world_create(&s->o.world, s->start_ms, &s->world);
        if (s->code != EXIT_OK)
                return s->code;
        err = fault_check(s->o.fault, s->o.nfault, s->world.plant, &bad);
        if (err == -EINVAL) {
                fprintf(stderr, "coolplane-sim serve: --fault: no fault \"%s\" at this site\n", bad->name);
                return EXIT_USAGE_;
        }
        if (err == 0)
                err = start(s);
        if (err < 0) {
                log_error("sim", "cannot start: %s", strerror(-err));
                return err == -EADDRINUSE ? EXIT_UNAVAILABLE : EXIT_IO;
        }
        log_notice("sim", "site %s, %zu devices on 127.0.0.1 ports %d to %d, plant time %s, scale %g",
                   s->world.spec.name, s->regs->ndevice, s->o.base_port, s->o.base_port + (int)s->regs->nport - 1,
                   clk_format(s->start_ms, t), s->o.scale);
        run_faults(s);
        run_window(s);
        loop_timer_arm(s->timer, 0);
        err = loop_run(s->loop);
        if (err < 0) {
                log_error("sim", "event loop: %s", strerror(-err));
                s->code = EXIT_GENERIC;
        }
        write_report(s);
        return s->code;
}

static int print_only(const struct options *o)
{
        const char *const input[] = {o->world.site, o->world.weather, o->world.workload}; /* files, or NULL */
        struct chiller_curves *curves;
        struct plant_spec spec;
        struct registers *r;
        char why[512] = "";
        int err = world_spec(&o->world, &spec, &curves);

        if (err != EXIT_OK)
                return err;
        err = registers_create(&spec, NULL, &r);
        if (err == 0) {
                if (print_site_may(r, o->print_site, input, 3, why))
                        err = print_site(r, o->print_site, (uint16_t)o->base_port, o->mqtt_host, o->mqtt_port);
                else
                        err = -EEXIST;
                registers_free(r);
        }
        free(curves);
        if (why[0])
                fprintf(stderr, "coolplane-sim serve: %s\n", why);
        else if (err < 0)
                fprintf(stderr, "coolplane-sim: %s: %s\n", o->print_site, strerror(-err));
        return err < 0 ? EXIT_IO : EXIT_OK;
}

int verb_serve(int argc, char **argv)
{
        static struct serve s; /* the fault list is large; one serve a process */
        int code = parse_options(argc, argv, &s.o);

        if (code >= 0)
                return code;
        if (s.o.print_site)
                return print_only(&s.o);
        code = check_outputs(&s.o);
        if (code != EXIT_OK)
                return code;
        code = serve(&s);
        mqttd_free(s.mqtt);
        orchestrator_free(s.orch);
        modbusd_free(s.modbus);
        if (s.timer)
                loop_timer_free(s.timer);
        loop_free(s.loop);
        report_free(s.report);
        registers_free(s.regs);
        if (s.log)
                fclose(s.log);
        world_free(&s.world);
        return code;
}
