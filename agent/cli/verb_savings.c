/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane savings: what was saved, with an interval, or why it cannot be told. The statistics: models/savings. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/log_site.h"
#include "agent/cli/savings_report.h"

#define DAY_MS INT64_C(86400000)

static const char help[] =
    "coolplane savings --db coolplane.db --baseline 2026-05-01T00:00:00Z/2026-06-01T00:00:00Z\n"
    "coolplane savings --db after.db --baseline before.db --config site.yaml --json\n"
    "coolplane savings --db coolplane.db --baseline shadow\n"
    "coolplane savings --db coolplane.db --ab mode --skip 2h\n"
    "\n"
    "What a change of control saved of cooling, IT and all of it: daily energy of a baseline fitted on load and "
    "weather\n"
    "and carried over to the reporting days, after IPMVP option B/C (not a compliant M&V report: short periods,\n"
    "sub-meters); or days on which two controls took turns. With a 95 % interval, or exit 4 and the reason why this "
    "log cannot tell.\n"
    "\n"
    "  --db DB             telemetry with the reporting days (read only)\n"
    "  --baseline WHAT     FROM/TO (RFC 3339 with offset, or epoch ms), another database, or shadow: the days on "
    "which\n"
    "                      coolplane only watched, against those on which it was in force\n"
    "  --reporting FROM/TO default: what is after the baseline; of another database, all of --db. Nothing else is "
    "read\n"
    "  --ab WHAT           instead: mode (days in force against others), a date (that day and every second one after "
    "it\n"
    "                      are B), or a file of lines YYYY-MM-DD a|b; what A took is the baseline of B\n"
    "  --load WHAT         it: IT power is given, whatever the control (right for setpoints; a saving in IT is not "
    "seen);\n"
    "                      calendar: IT is an outcome; POINT: a demand that the control cannot change, as busy cores.\n"
    "                      Default: it, after a look whether IT has moved, which refuses only\n                      "
    "what can be seen beside its wandering; with --ab calendar\n"
    "  --measure TEXT      what was changed, where setpoints and decisions do not show it (VMs, hardware)\n"
    "  --skip D            leave out the beginning of each day (0s): what the change of control before left behind\n"
    "  --utc-offset ±HH:MM where days begin (Z)\n"
    "  --precision PCT     half interval of the total worth telling (3); or a quarter of the saving\n"
    "  --it-response PCT   share of IT power that a kelvin of inlet may cost, when IT is given (0.5)\n"
    "  --config FILE       site file; default: the one the database's last run used\n"
    "  --json              one JSON document\n"
    "A few samples or decisions far from all others (a wrong clock) are left out and told.\n"
    "exit: 0 told, 2 usage, 4 cannot be told, 65 no such point, more than 20 years of\n"
    "samples, not a database, or one of another site, 69 no such database, or busy, 74 I/O, 78 site wrong\n";

/* ---- options ---- */

static int parse_span(const char *s, struct savrep_span *ret)
{
        const char *slash = strchr(s, '/');
        char from[40];

        if (slash == NULL || (size_t)(slash - s) >= sizeof(from))
                return -EINVAL;
        memcpy(from, s, (size_t)(slash - s));
        from[slash - s] = '\0';
        if (clk_parse_time(from, &ret->from_ms) < 0 || clk_parse_time(slash + 1, &ret->to_ms) < 0)
                return -EINVAL;
        return ret->from_ms < ret->to_ms ? 0 : -ERANGE;
}

static int parse_offset(const char *s, int64_t *ret_ms)
{
        char text[48];
        int64_t t;

        /* the offset of an instant that is midnight there */
        (void)snprintf(text, sizeof(text), "2000-01-01T00:00:00%.8s", s);
        if (strlen(s) > 6 || clk_parse_time(text, &t) < 0)
                return -EINVAL;
        *ret_ms = INT64_C(946684800000) - t;
        return 0;
}

static int parse_percent(const char *s, double *ret_ratio)
{
        double v;

        if (parse_double(s, &v) < 0 || !(v >= 0.0 && v <= 100.0))
                return -EINVAL;
        *ret_ratio = v / 100.0;
        return 0;
}

static int parse_option(int c, struct savrep_options *o)
{
        switch (c) {
        case 'd':
                o->db = optarg;
                return 0;
        case 'c':
                o->config = optarg;
                return 0;
        case 'b':
                o->baseline = optarg;
                return 0;
        case 'r':
                o->has_after = true;
                return parse_span(optarg, &o->after);
        case 'a':
                o->ab = optarg;
                return 0;
        case 'l':
                o->load = optarg;
                return 0;
        case 'm':
                o->measure = optarg;
                return 0;
        case 's':
                return parse_duration_ms(optarg, &o->skip_ms) < 0 || o->skip_ms < 0 || o->skip_ms > DAY_MS / 2 ? -EINVAL
                                                                                                               : 0;
        case 'u':
                return parse_offset(optarg, &o->offset_ms);
        case 'p':
                return parse_percent(optarg, &o->args.precision_ratio) < 0 || o->args.precision_ratio == 0.0 ? -EINVAL
                                                                                                             : 0;
        case 'i':
                return parse_percent(optarg, &o->args.it_response_ratio_k) < 0 || o->args.it_response_ratio_k > 0.1
                           ? -EINVAL
                           : 0;
        default:
                o->json = true;
                return 0;
        }
}

static int usage(const char *what)
{
        fprintf(stderr, "coolplane savings: %s; see coolplane savings --help\n", what);
        return EXIT_USAGE_;
}

/* Of --db nothing is read but the two periods and a day around them, from which values are held into them. */
static void set_within(struct savrep_options *o)
{
        if (o->by_time)
                o->within.from_ms = o->before.from_ms - DAY_MS;
        else if (o->has_after)
                o->within.from_ms = o->after.from_ms - DAY_MS;
        if (o->has_after)
                o->within.to_ms = o->after.to_ms + DAY_MS;
        if (o->by_time && o->has_after && o->after.from_ms - DAY_MS < o->within.from_ms)
                o->within.from_ms = o->after.from_ms - DAY_MS;
        if (o->by_time && o->has_after && o->before.to_ms + DAY_MS > o->within.to_ms)
                o->within.to_ms = o->before.to_ms + DAY_MS;
}

/* An exit code, or −1 to go on. */
static int parse_options(int argc, char **argv, struct savrep_options *o)
{
        static const struct option longopts[] = {
            {"db", required_argument, NULL, 'd'},
            {"config", required_argument, NULL, 'c'},
            {"baseline", required_argument, NULL, 'b'},
            {"reporting", required_argument, NULL, 'r'},
            {"ab", required_argument, NULL, 'a'},
            {"load", required_argument, NULL, 'l'},
            {"measure", required_argument, NULL, 'm'},
            {"skip", required_argument, NULL, 's'},
            {"utc-offset", required_argument, NULL, 'u'},
            {"precision", required_argument, NULL, 'p'},
            {"it-response", required_argument, NULL, 'i'},
            {"json", no_argument, NULL, 'j'},
            {"help", no_argument, NULL, 'h'},
            {NULL, 0, NULL, 0},
        };
        int c, r;

        *o = (struct savrep_options){.within = {INT64_MIN, INT64_MAX}};
        savings_args_default(&o->args);
        optind = 1;
        while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                if (c == 'h') {
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                }
                if (c == '?')
                        return usage("unknown option");
                r = parse_option(c, o);
                if (c == 'r' && r == -ERANGE)
                        return usage("--reporting FROM/TO: FROM is not before TO");
                if (r < 0) {
                        fprintf(stderr, "coolplane savings: %s is not acceptable for this option; see --help\n",
                                optarg);
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc || o->db == NULL || (o->baseline == NULL) == (o->ab == NULL))
                return usage("--db and one of --baseline and --ab are needed");
        if (o->ab != NULL && (o->has_after || (o->load != NULL && strcmp(o->load, "it") == 0)))
                return usage("--ab goes without --reporting and --load it");
        o->by_shadow = o->baseline != NULL && strcmp(o->baseline, "shadow") == 0;
        r = o->baseline != NULL ? parse_span(o->baseline, &o->before) : -EINVAL;
        if (r == -ERANGE)
                return usage("--baseline FROM/TO: FROM is not before TO");
        o->by_time = r == 0;
        if (o->by_shadow && o->has_after)
                return usage("--baseline shadow goes without --reporting");
        set_within(o);
        return -1;
}

/* ---- databases and schedules ---- */

static int64_t parse_date(const char *s)
{
        char text[40];
        int64_t t;

        (void)snprintf(text, sizeof(text), "%.10sT00:00:00Z", s);
        return strlen(s) == 10 && clk_parse_time(text, &t) == 0 ? t / DAY_MS : -1;
}

static int set_arm(struct savrep_work *w, int64_t day, int8_t arm)
{
        const int64_t k = day - w->days->day[0].day;

        if (k >= 0 && k < (int64_t)w->days->n)
                w->schedule[k] = arm;
        return 0;
}

/* Lines "YYYY-MM-DD a|b"; # begins a comment. An exit code. */
static int read_schedule(struct savrep_work *w, const char *path)
{
        FILE *f = fopen(path, "re");
        char line[128];
        int code = EXIT_OK;

        if (f == NULL) {
                fprintf(stderr, "coolplane savings: %s: %s\n", path, strerror(errno));
                return EXIT_IO;
        }
        for (int n = 1; code == EXIT_OK && fgets(line, sizeof(line), f) != NULL; n++) {
                char *save = NULL, *date = strtok_r(line, " \t,\r\n", &save), *arm = strtok_r(NULL, " \t,\r\n", &save);

                if (date == NULL || date[0] == '#')
                        continue;
                if (parse_date(date) < 0 || arm == NULL || (strcmp(arm, "a") != 0 && strcmp(arm, "b") != 0) ||
                    strtok_r(NULL, " \t,\r\n", &save) != NULL) {
                        fprintf(stderr, "coolplane savings: %s:%d: not a line of YYYY-MM-DD a|b\n", path, n);
                        code = EXIT_DATA;
                } else {
                        set_arm(w, parse_date(date), arm[0] == 'b');
                }
        }
        (void)fclose(f);
        return code;
}

static int make_schedule(struct savrep_work *w)
{
        const int64_t first = parse_date(w->o->ab);

        if (strcmp(w->o->ab, "mode") == 0)
                return EXIT_OK;
        w->schedule = malloc(w->days->n);
        if (w->schedule == NULL)
                return EXIT_GENERIC;
        memset(w->schedule, ARM_NONE, w->days->n);
        if (first < 0)
                return read_schedule(w, w->o->ab);
        for (size_t k = 0; k < w->days->n; k++)
                if (w->days->day[k].day >= first)
                        w->schedule[k] = (w->days->day[k].day - first) % 2 == 0;
        return EXIT_OK;
}

static int find_load(struct savrep_work *w)
{
        const char *load = w->o->load;

        w->load_point = -1;
        w->s.load = load ? load : w->s.ab ? "calendar" : "it";
        if (load == NULL || strcmp(load, "it") == 0 || strcmp(load, "calendar") == 0)
                return EXIT_OK;
        w->load_point = site_find_point(w->site, load);
        if (w->load_point >= 0)
                return EXIT_OK;
        fprintf(stderr, "coolplane savings: %s has no point %s\n", w->site->name, load);
        return EXIT_DATA;
}

static int tell_end(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        char at[32];
        int64_t t_ms;

        (void)n;
        (void)name;
        if (text[0] != NULL && parse_int64(text[0], INT64_MIN, INT64_MAX, &t_ms) == 0)
                fprintf(stderr, "%s %s of %s", (const char *)ctx, clk_format(t_ms, at), text[1]);
        return 0;
}

/* Most likely one reading of a device with a wrong clock: the ends are told. */
static int too_long(struct store *s, const char *db)
{
#define END(order) "SELECT t_ms, point FROM v_samples WHERE t_ms = (SELECT " order "(t_ms) FROM sample) LIMIT 1"
        static char from[] = "from", to[] = " to";

        fprintf(stderr, "coolplane savings: %s holds more than 20 years, ", db);
        (void)store_query_rows(s, END("min"), NULL, 0, tell_end, from);
        (void)store_query_rows(s, END("max"), NULL, 0, tell_end, to);
        fprintf(stderr, ": a wrong clock? --baseline FROM/TO with --reporting FROM/TO bounds what is read\n");
        return EXIT_DATA;
}

/* A day of both is one of the baseline. */
static void tell_overlap(const struct savrep_options *o)
{
        if (o->by_time && o->has_after && o->after.from_ms < o->before.to_ms && o->before.from_ms < o->after.to_ms)
                fputs("coolplane savings: note: the reporting period overlaps the baseline; days of both count as "
                      "baseline\n",
                      stderr);
}

static int run(struct savrep_work *w)
{
        static const struct savrep_span all = {INT64_MIN, INT64_MAX};
        int r = savrep_load_days(w, w->store, &w->o->within, &w->days);
        int code = EXIT_OK;

        if (r == -ERANGE)
                return too_long(w->store, w->o->db);
        if (r == 0 && w->other != NULL)
                r = savrep_load_days(w, w->other, &all, &w->before);
        else
                w->before = w->days;
        if (r == -ERANGE)
                return too_long(w->other, w->o->baseline);
        if (r == 0 && w->o->ab != NULL)
                code = make_schedule(w);
        if (r == 0 && code == EXIT_OK)
                code = find_load(w);
        if (code != EXIT_OK)
                return code;
        if (r == 0)
                r = savrep_tell(w);
        if (r == -ENODATA)
                r = savrep_no_samples(w);
        if (r < 0)
                return db_failed("savings", w->o->db, w->store, r);
        tell_overlap(w->o);
        if (w->o->json)
                savrep_print_json(&w->s);
        else
                savrep_print(&w->s);
        return w->s.refusal[0] ? EXIT_CANNOT_EVALUATE : EXIT_OK;
}

static int open_store(const char *path, struct store **ret)
{
        char why[256] = "";

        int r = store_open(path, STORE_READ, ret, why);

        if (r < 0)
                fprintf(stderr, "coolplane savings: %s\n", why);
        return db_exit(r);
}

int verb_savings(int argc, char **argv)
{
        struct savrep_options o;
        struct savrep_work w = {.o = &o};
        struct site *site = NULL;
        int code = parse_options(argc, argv, &o);

        if (code >= 0)
                return code;
        code = open_store(o.db, &w.store);
        if (code == EXIT_OK && o.baseline != NULL && !o.by_time && !o.by_shadow)
                code = open_store(o.baseline, &w.other);
        if (code == EXIT_OK)
                code = log_site_load("savings", o.db, w.store, o.config, &site);
        if (code == EXIT_OK)
                code = log_site_check("savings", o.db, w.store, site, true);
        if (code == EXIT_OK && w.other != NULL)
                code = log_site_check("savings", o.baseline, w.other, site, true);
        if (code == EXIT_OK) {
                w.site = site;
                w.s.site = site->name;
                w.s.db = o.db;
                w.s.baseline = o.ab ? o.ab : o.baseline;
                w.s.measure = o.measure;
                w.s.ab = o.ab != NULL;
                code = run(&w);
        }
        store_close(w.other);
        store_close(w.store);
        savrep_free(&w);
        site_free(site);
        return code;
}
