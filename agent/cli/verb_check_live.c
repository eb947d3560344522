/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane check-live: every point read once through the gate's own drivers, nothing written. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/parse.h"
#include "agent/cli/cli.h"
#include "agent/drivers/modbus.h"
#include "agent/drivers/mqtt.h"
#include "agent/gate/probe.h"
#include "agent/points/units.h"

static const char help[] =
    "coolplane check-live --config site.yaml\n"
    "coolplane check-live --config site.yaml --wait 90s --json\n"
    "\n"
    "Reads every point of the site once, with the drivers the gate uses, and says what came: value, quality, how long\n"
    "it took. Writes nothing: no write path is opened. Points that only a log has, and text registers, are left out.\n"
    "Of a device that takes heartbeats it also says what live mode found of its watchdog, as the database remembers.\n"
    "\n"
    "  --config FILE         site file (default " CLI_CONFIG_DEFAULT ")\n"
    "  --wait DURATION       longest wait (default 30s, or the broker's silence time when that is longer)\n"
    "  --json                one JSON document on stdout\n"
    "  --time-scale X, --time-origin W:P   as coolplaned; only for a simulated plant\n"
    "\n"
    "Exit codes: 0 every point is good, 3 some are not (every device answers), 69 a device or the broker does not\n"
    "answer, 75 coolplaned runs and a device is on a serial line, which takes one master, 78 configuration.\n";

enum { WAIT_MS = 30000 };

struct reading {
        struct sample s;
        bool wanted, have;
        int64_t after_ms; /* real time from the start of the check */
};

struct check {
        struct site *site;
        struct clk clk;
        struct loop *loop;
        struct modbus_driver *modbus;
        struct mqtt_driver *mqtt;
        struct loop_timer *end;
        struct reading *r;           /* [npoint] */
        struct probe_result *probed; /* [ndevice] */
        size_t missing;
        int64_t start_ms;
};

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct check *c = ctx;

        for (size_t i = 0; i < n; i++) {
                struct reading *r = &c->r[s[i].point];

                if (!r->wanted || r->have)
                        continue;
                r->s = s[i];
                r->have = true;
                r->after_ms = clk_real_mono_ms() - c->start_ms;
                c->missing--;
        }
        if (c->missing == 0)
                loop_stop(c->loop);
}

static void on_end(void *ctx)
{
        loop_stop(((struct check *)ctx)->loop);
}

static void on_vm(void *ctx, const char *subtopic, const char *json, size_t len)
{
        (void)ctx, (void)subtopic, (void)json, (void)len;
}

static void on_event(void *ctx, int severity, const char *component, const char *text)
{
        (void)ctx;
        log_msg((enum log_level)severity, component, "%s", text);
}

static int read_all(struct check *c, int64_t wait_ms)
{
        struct actuator none = {0};
        int r;

        c->start_ms = clk_real_mono_ms();
        r = loop_create(&c->clk, &c->loop);
        if (r >= 0)
                r = loop_timer_create(c->loop, true, on_end, c, &c->end);
        if (r >= 0)
                r = modbus_driver_create(&(struct modbus_args){.site = c->site,
                                                               .loop = c->loop,
                                                               .clk = &c->clk,
                                                               .samples = {on_samples, c},
                                                               .writable = false,
                                                               .events = {on_event, NULL},
                                                               .seed = 1},
                                         &c->modbus, &none);
        if (r >= 0 && c->site->mqtt.enabled) {
                /* the gate's own client id would throw the gate off the broker */
                (void)snprintf(c->site->mqtt.client_id, sizeof c->site->mqtt.client_id, "coolplane-check-%ld",
                               (long)getpid());
                r = mqtt_driver_create(&(struct mqtt_args){.site = c->site,
                                                           .loop = c->loop,
                                                           .clk = &c->clk,
                                                           .samples = {on_samples, c},
                                                           .vm = {on_vm, c},
                                                           .events = {on_event, NULL},
                                                           .may_publish_moves = false},
                                       &c->mqtt);
        }
        if (r < 0)
                return r;
        modbus_driver_scan_now(c->modbus);
        loop_timer_arm(c->end, wait_ms);
        return c->missing > 0 ? loop_run(c->loop) : 0;
}

static bool good(const struct reading *r)
{
        return r->have && r->s.quality == QUALITY_GOOD;
}

/* ---- what came ---- */

struct tally {
        size_t wanted, good, answered;
        size_t supervision, supervision_good; /* heartbeat and remote enable registers */
        bool remote;
};

static struct tally tally_of(const struct check *c, int device)
{
        struct tally t = {0};

        for (size_t i = 0; i < c->site->npoint; i++) {
                const struct point *p = &c->site->point[i];
                const struct reading *r = &c->r[i];

                if (p->device != device || !r->wanted)
                        continue;
                t.wanted++;
                t.good += good(r);
                t.answered += r->have && r->s.reason != QR_COMM_FAIL;
                if (p->role == ROLE_HEARTBEAT_CMD || p->role == ROLE_HEARTBEAT_ECHO || p->role == ROLE_REMOTE_ENABLE ||
                    p->role == ROLE_REMOTE_STATUS) {
                        t.supervision++;
                        t.supervision_good += good(r);
                }
                if (p->role == ROLE_REMOTE_STATUS && good(r))
                        t.remote = r->s.value > 0.5;
        }
        return t;
}

static const char *supervised(const struct tally *t)
{
        return t->supervision == 0                    ? "no"
               : t->supervision_good < t->supervision ? "unreadable"
               : t->remote                            ? "remote"
                                                      : "local";
}

struct watchdog {
        const char *word, *text;
        char seen[32]; /* "" = never */
};

static struct watchdog watchdog_of(const struct check *c, size_t d)
{
        const struct probe_result *p = &c->probed[d];
        struct watchdog w = {"unproved", "not proved yet", ""};

        if (p->t_ms > 0)
                (void)clk_format(p->t_ms, w.seen);
        if (!c->site->device[d].watchdog_probe)
                w.word = "trusted", w.text = "taken on trust";
        else if (p->t_ms > 0 && !p->acts)
                w.word = "inert", w.text = "does not act";
        else if (probe_counts(p, clk_t_ms(&c->clk)))
                w.word = "acts", w.text = "acts";
        else if (p->t_ms > 0)
                w.text = "is to be proved again";
        return w;
}

static const char *reason_of(const struct reading *r)
{
        return r->have ? quality_reason_str((enum quality_reason)r->s.reason) : "no answer in time";
}

static void print_points(const struct check *c, bool json)
{
        bool first = true;

        for (size_t i = 0; i < c->site->npoint; i++) {
                const struct point *p = &c->site->point[i];
                const struct reading *r = &c->r[i];
                const char *quality = r->have ? quality_str((enum quality)r->s.quality) : "none";
                double v = r->have ? unit_from_si((enum unit)p->unit, r->s.value) : (double)NAN;

                if (!r->wanted)
                        continue;
                if (json) {
                        (void)printf("%s\n{\"name\":", first ? "" : ",");
                        cli_json_string(stdout, p->name);
                        (void)printf(",\"device\":");
                        cli_json_string(stdout, c->site->device[p->device].name);
                        (void)printf(",\"unit\":\"%s\",\"value\":", unit_str((enum unit)p->unit));
                        cli_json_number(stdout, v);
                        (void)printf(",\"quality\":\"%s\",\"reason\":\"%s\",\"after_ms\":", quality,
                                     good(r) ? "" : reason_of(r));
                        cli_json_number(stdout, r->have ? (double)r->after_ms : (double)NAN);
                        (void)printf("}");
                } else {
                        char value[32] = "-";

                        if (isfinite(v))
                                (void)snprintf(value, sizeof value, "%.6g", v);
                        (void)printf("%-48s %12s %-7s %-5s %-18s", p->name, value,
                                     p->unit != UNIT_NONE ? unit_str((enum unit)p->unit) : "", quality,
                                     good(r) ? "" : reason_of(r));
                        if (r->have)
                                (void)printf(" %6lld ms\n", (long long)r->after_ms);
                        else
                                (void)printf("\n");
                }
                first = false;
        }
}

/* The worst of what the devices say: EXIT_OK, EXIT_VIOLATIONS or EXIT_UNAVAILABLE. */
static int print_devices(const struct check *c, bool json)
{
        struct mqtt_stats ms = {0};
        int rc = EXIT_OK;

        if (c->mqtt)
                mqtt_driver_stats(c->mqtt, &ms);
        for (size_t d = 0; d < c->site->ndevice; d++) {
                const struct device *dev = &c->site->device[d];
                struct tally t = tally_of(c, (int)d);
                struct device_stats st = {0};
                bool up = t.wanted == 0 || t.answered > 0, beaten = t.supervision > 0;
                struct watchdog w = watchdog_of(c, d);
                const char *why = "";

                if (dev->protocol == DEVICE_MQTT)
                        why = ms.connected ? "connected to the broker, but no message came" : "no broker";
                else
                        modbus_driver_stats(c->modbus, (int)d, &st), why = st.last_error;
                if (!up)
                        rc = EXIT_UNAVAILABLE;
                else if (t.good < t.wanted && rc == EXIT_OK)
                        rc = EXIT_VIOLATIONS;
                if (json) {
                        (void)printf("%s\n{\"name\":\"%s\",\"reachable\":%s,\"points\":%zu,\"good\":%zu,"
                                     "\"supervised\":\"%s\",\"watchdog\":\"%s\",\"watchdog_seen\":\"%s\",\"error\":",
                                     d > 0 ? "," : "", dev->name, up ? "true" : "false", t.wanted, t.good,
                                     supervised(&t), beaten ? w.word : "", beaten ? w.seen : "");
                        cli_json_string(stdout, up && t.good == t.wanted ? "" : why);
                        (void)printf("}");
                } else {
                        (void)printf("device %-24s %-11s %4zu of %zu points good, supervised: %s", dev->name,
                                     up ? "answers" : "UNREACHABLE", t.good, t.wanted, supervised(&t));
                        if (beaten)
                                (void)printf(", its watchdog %s%s%s%s", w.text, w.seen[0] ? " (seen " : "", w.seen,
                                             w.seen[0] ? ")" : "");
                        (void)printf("%s%s\n", up ? "" : "; ", up ? "" : why);
                }
        }
        return rc;
}

static int report(const struct check *c, bool json)
{
        int rc;

        if (json)
                (void)printf("{\"points\":[");
        print_points(c, json);
        (void)printf("%s", json ? "\n],\"devices\":[" : "\n");
        rc = print_devices(c, json);
        if (json)
                (void)printf("\n],\"ok\":%s}\n", rc == EXIT_OK ? "true" : "false");
        return rc;
}

/* ---- set-up ---- */

static bool serial_line_in_use(const struct site *s)
{
        bool serial = false;
        char *doc;

        for (size_t d = 0; d < s->ndevice; d++)
                serial = serial || s->device[d].protocol == DEVICE_MODBUS_RTU;
        doc = serial ? cli_ask_daemon(s->run_dir) : NULL;
        free(doc);
        return doc != NULL;
}

/* Without a database, or one that cannot be read, nothing is remembered. */
static void recall(struct check *c)
{
        char why[256];
        struct store *s = NULL;

        if (store_open(c->site->database, STORE_READ, &s, why) == 0)
                (void)probe_read(s, c->site, c->probed);
        store_close(s);
}

static int check_live(struct check *c, int64_t wait_ms, bool json)
{
        int r;

        c->r = calloc(c->site->npoint + 1, sizeof *c->r);
        c->probed = calloc(c->site->ndevice + 1, sizeof *c->probed);
        if (!c->r || !c->probed) {
                (void)fprintf(stderr, "coolplane: out of memory\n");
                return EXIT_GENERIC;
        }
        for (size_t i = 0; i < c->site->npoint; i++) {
                const struct point *p = &c->site->point[i];

                c->r[i].wanted = p->readable && p->device >= 0 && p->type != POINT_STRING;
                c->missing += c->r[i].wanted;
        }
        if (serial_line_in_use(c->site)) {
                (void)fprintf(stderr, "coolplane: coolplaned runs and a device is on a serial line; stop it first, or "
                                      "ask coolplane status\n");
                return EXIT_TEMPFAIL;
        }
        if (wait_ms < 0)
                wait_ms =
                    c->site->mqtt.enabled && c->site->mqtt.silence_ms > WAIT_MS ? c->site->mqtt.silence_ms : WAIT_MS;
        recall(c);
        log_set_level(LOG_LEVEL_ERROR); /* the report says what the drivers would */
        r = read_all(c, wait_ms);
        if (r < 0) {
                (void)fprintf(stderr, "coolplane: the drivers cannot start: %s\n", strerror(-r));
                return EXIT_UNAVAILABLE;
        }
        return report(c, json);
}

int verb_check_live(int argc, char **argv)
{
        static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                                {"wait", required_argument, NULL, 'w'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"time-scale", required_argument, NULL, 's'},
                                                {"time-origin", required_argument, NULL, 'o'},
                                                {"help", no_argument, NULL, 'h'},
                                                {NULL, 0, NULL, 0}};
        const char *config = CLI_CONFIG_DEFAULT;
        int64_t wait_ms = -1, wall_ms = -1, plant_ms = 0;
        struct check c = {0};
        double scale = 1;
        bool json = false, usage = false;
        int opt, rc;

        while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
                if (opt == 'h') {
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                }
                if (opt == 'c')
                        config = optarg;
                else if (opt == 'j')
                        json = true;
                else if (opt == 'w')
                        usage = usage || parse_duration_ms(optarg, &wait_ms) < 0;
                else if (opt == 's')
                        usage = usage || clk_parse_scale(optarg, &scale) < 0;
                else if (opt == 'o')
                        usage = usage || clk_parse_origin(optarg, &wall_ms, &plant_ms) < 0;
                else
                        usage = true;
        }
        if (usage || optind < argc) {
                (void)fputs(help, stderr);
                return EXIT_USAGE_;
        }
        rc = cli_load_site(config, &c.site);
        if (rc != EXIT_OK)
                return rc;
        clk_init(&c.clk, scale, wall_ms, plant_ms);
        rc = check_live(&c, wait_ms, json);
        mqtt_driver_free(c.mqtt);
        modbus_driver_free(c.modbus);
        loop_timer_free(c.end);
        loop_free(c.loop);
        free(c.r);
        free(c.probed);
        site_free(c.site);
        return rc;
}
