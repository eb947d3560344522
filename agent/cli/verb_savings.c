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
#include "agent/cli/savings.h"
#include "agent/points/layout.h"

#define DAY_MS INT64_C(86400000)
#define IN_FORCE_MIN 0.9 /* of a day's control steps */
#define IN_FORCE_NO 0.05

static const char help[] =
    "coolplane savings --db coolplane.db --baseline 2026-05-01T00:00:00Z/2026-06-01T00:00:00Z\n"
    "coolplane savings --db after.db --baseline before.db --config site.yaml --json\n"
    "coolplane savings --db coolplane.db --baseline shadow\n"
    "coolplane savings --db coolplane.db --ab mode --skip 2h\n"
    "\n"
    "What a change of control saved of cooling, IT and all of it: daily energy of a baseline fitted on load and "
    "weather\n"
    "(IPMVP option C, ASHRAE Guideline 14) and carried over to the reporting days; or days on which two controls took\n"
    "turns. With a 95 % interval, or exit 4 and the reason why this log cannot tell.\n"
    "\n"
    "  --db DB             telemetry with the reporting days (read only)\n"
    "  --baseline WHAT     FROM/TO (RFC 3339 with offset, or epoch ms), another database, or shadow: the days on "
    "which\n"
    "                      coolplane only watched, against those on which it was in force\n"
    "  --reporting FROM/TO default: what is after the baseline; of another database, all of --db\n"
    "  --ab WHAT           instead: mode (days in force against others), a date (that day and every second one after "
    "it\n"
    "                      are B), or a file of lines YYYY-MM-DD a|b; what A took is the baseline of B\n"
    "  --load WHAT         it: IT power is given, whatever the control (right for setpoints; a saving in IT is not "
    "seen);\n"
    "                      calendar: IT is an outcome; POINT: a demand that the control cannot change, as busy cores.\n"
    "                      Default: it, after a look whether IT has moved; with --ab calendar\n"
    "  --measure TEXT      what was changed, where setpoints and decisions do not show it (VMs, hardware)\n"
    "  --skip D            leave out the beginning of each day (0s): what the change of control before left behind\n"
    "  --utc-offset ±HH:MM where days begin (Z)\n"
    "  --precision PCT     half interval of the total worth telling (3); or a quarter of the saving\n"
    "  --it-response PCT   share of IT power that a kelvin of inlet may cost, when IT is given (0.5)\n"
    "  --config FILE       site file; default: the one the database's last run used\n"
    "  --json              one JSON document\n"
    "exit: 0 told, 2 usage, 4 cannot be told, 65 no such point, 74 I/O, 78 site wrong\n";

struct span {
        int64_t from_ms, to_ms;
};
struct options {
        const char *db, *config, *baseline, *ab, *load, *measure;
        struct span before, after;
        bool by_time, by_shadow, has_after, json;
        int64_t skip_ms, offset_ms;
        struct savings_args args;
};

/* ---- options ---- */

static int parse_span(const char *s, struct span *ret)
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

static int parse_option(int c, struct options *o)
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

/* An exit code, or −1 to go on. */
static int parse_options(int argc, char **argv, struct options *o)
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
        int c;

        *o = (struct options){0};
        savings_args_default(&o->args);
        optind = 1;
        while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                if (c == 'h') {
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                }
                if (c == '?')
                        return usage("unknown option");
                if (parse_option(c, o) < 0) {
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
        o->by_time = o->baseline != NULL && parse_span(o->baseline, &o->before) == 0;
        if (o->by_shadow && o->has_after)
                return usage("--baseline shadow goes without --reporting");
        return -1;
}

/* ---- days ---- */

enum arm { ARM_NONE = -1, ARM_A, ARM_B };

struct work {
        const struct options *o;
        const struct site *site;
        struct store *store, *other; /* --db; baseline database or NULL */
        struct daily *days, *before; /* before: of `other`, else the same as days */
        int8_t *schedule;            /* [days->n] enum arm of --ab, NULL = none */
        int load_point;              /* −1 = none */
        bool dry_bulb;
        struct savings_story s;
};

static bool inside(const struct options *o, const struct span *p, int64_t day)
{
        const int64_t begins = day * DAY_MS - o->offset_ms;

        return begins >= p->from_ms && begins + DAY_MS <= p->to_ms;
}

/* Which arm day k of --db is in. With a baseline database none of them is A. */
static enum arm arm_of(const struct work *w, size_t k)
{
        const struct options *o = w->o;
        const struct daily_day *d = &w->days->day[k];
        const enum arm by_mode = d->ours >= IN_FORCE_MIN ? ARM_B : d->ours <= IN_FORCE_NO ? ARM_A : ARM_NONE;

        if (o->ab != NULL)
                return w->schedule != NULL ? (enum arm)w->schedule[k] : by_mode;
        if (o->by_shadow)
                return by_mode == ARM_A && d->shadow < 0.5 ? ARM_NONE : by_mode;
        if (o->by_time && inside(o, &o->before, d->day))
                return ARM_A;
        if (o->has_after)
                return inside(o, &o->after, d->day) ? ARM_B : ARM_NONE;
        return !o->by_time || d->day * DAY_MS - o->offset_ms >= o->before.to_ms ? ARM_B : ARM_NONE;
}

static void add_day(struct work *w, const struct daily *from, size_t k, enum arm arm)
{
        struct savings_period *p = &w->s.period[arm];
        struct savings_day *to = &p->day[p->n];
        const struct daily_day *d = &from->day[k];
        const double s = (double)(DAY_MS - w->o->skip_ms) / 1000.0;
        const double cooling = d->power_w[DAILY_CHILLERS] + d->power_w[DAILY_PUMPS] + d->power_w[DAILY_TOWERS] +
                               d->power_w[DAILY_CRAH_FANS];
        const double fans = d->power_w[DAILY_SERVER_FANS], racks = d->power_w[DAILY_RACKS];

        *to = (struct savings_day){.day = d->day,
                                   .weekend = d->weekend,
                                   .load = w->load_point >= 0 ? from->mean[k * from->npoint + (size_t)w->load_point]
                                                              : (double)NAN,
                                   .weather_c = w->dry_bulb ? d->oat_c : d->wetbulb_c,
                                   .inlet_c = d->inlet_c,
                                   .energy_j = {s * cooling, s * fans, s * (w->s.fans_metered ? racks - fans : racks)}};
        p->first = p->n ? p->first : d->day;
        p->last = d->day;
        p->n++;
        p->over_k_min += d->over_recommended_k_min;
        if (!isfinite(cooling))
                p->no_cooling++;
        else if (!(to->energy_j[SAVINGS_IT] > 0.0))
                p->no_it++;
        else if (!isfinite(to->weather_c))
                p->no_weather++;
        else if (w->load_point >= 0 && !isfinite(to->load))
                p->no_load++;
        else
                p->whole++;
}

static void finish_period(struct savings_period *p, bool fans)
{
        double it = 0.0, all = 0.0;

        for (size_t i = 0; i < p->n; i++) {
                const double *e = p->day[i].energy_j;
                const double servers = e[SAVINGS_IT] + (fans ? e[SAVINGS_IT_FANS] : 0.0);

                if (!isfinite(servers + e[SAVINGS_COOLING]))
                        continue;
                it += servers;
                all += servers + e[SAVINGS_COOLING];
        }
        p->pue = it > 0.0 && all >= it ? all / it : (double)NAN;
        p->over_k_min /= p->n ? (double)p->n : 1.0;
}

static bool knows_wetbulb(const struct daily *d)
{
        for (size_t k = 0; k < d->n; k++)
                if (isfinite(d->day[k].wetbulb_c))
                        return true;
        return false;
}

static bool any_fans(const struct site *site)
{
        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].role == ROLE_SERVER_FAN_POWER)
                        return true;
        return false;
}

static int make_periods(struct work *w)
{
        w->dry_bulb = !knows_wetbulb(w->days) || !knows_wetbulb(w->before);
        w->s.weather = w->dry_bulb ? "dry bulb" : "wet bulb";
        w->s.fans_metered = any_fans(w->site);
        for (int arm = 0; arm < 2; arm++) {
                w->s.period[arm].day = calloc(w->days->n + w->before->n, sizeof(struct savings_day));
                if (w->s.period[arm].day == NULL)
                        return -ENOMEM;
        }
        for (size_t k = 0; w->before != w->days && k < w->before->n; k++)
                add_day(w, w->before, k, ARM_A);
        for (size_t k = 0; k < w->days->n; k++) {
                const enum arm arm = arm_of(w, k);

                if (arm != ARM_NONE)
                        add_day(w, w->days, k, arm);
        }
        for (int arm = 0; arm < 2; arm++)
                finish_period(&w->s.period[arm], w->s.fans_metered);
        return 0;
}

/* ---- what the log can tell at all ---- */

static void refuse(struct work *w, const char *reason, const char *why)
{
        (void)snprintf(w->s.refusal, sizeof(w->s.refusal), "%s", reason);
        (void)snprintf(w->s.why, sizeof(w->s.why), "%s", why);
}

/* What is no change of a setpoint, of daily means. */
static double small(enum u_kind kind)
{
        return kind == U_FAN ? 0.03 : kind == U_CHILLER ? 0.1 : 0.3;
}

struct moments {
        double n, sum, sq;
};

static void add(struct moments *m, double v)
{
        if (!isfinite(v))
                return;
        m->n++;
        m->sum += v;
        m->sq += v * v;
}

static double mean(const struct moments *m)
{
        return m->sum / m->n;
}

static double spread(const struct moments *m)
{
        return sqrt(fmax(m->sq / m->n - mean(m) * mean(m), 0.0));
}

/* Setpoints of the two periods: one differs by more than it wandered within the baseline; or of a single period: one
 * moved from day to day. NaN, none known: false. */
static bool setpoints_differ(const struct work *w, const struct layout *l, bool between)
{
        for (size_t j = 0; j < l->nu; j++) {
                struct moments m[2] = {{0}};

                for (size_t k = 0; w->before != w->days && k < w->before->n; k++)
                        add(&m[0], w->before->mean[k * w->before->npoint + (size_t)l->u[j].point]);
                for (size_t k = 0; k < w->days->n; k++) {
                        const enum arm arm = arm_of(w, k);

                        if (arm != ARM_NONE)
                                add(&m[between ? arm : 0], w->days->mean[k * w->days->npoint + (size_t)l->u[j].point]);
                }
                if (between && m[0].n > 0 && m[1].n > 0 &&
                    fabs(mean(&m[1]) - mean(&m[0])) > fmax(small((enum u_kind)l->u[j].kind), 2.0 * spread(&m[0])))
                        return true;
                if (!between && m[0].n > 0 && spread(&m[0]) > small((enum u_kind)l->u[j].kind))
                        return true;
        }
        return false;
}

static double in_force(const struct work *w, enum arm arm)
{
        double sum = 0.0, n = 0.0;

        for (size_t k = 0; k < w->days->n; k++)
                if (arm_of(w, k) == arm) {
                        sum += w->days->day[k].ours;
                        n++;
                }
        return n > 0.0 ? sum / n : 0.0;
}

static int check_control(struct work *w)
{
        struct layout *l = NULL;
        int r = layout_create(w->site, &l);

        if (r < 0)
                return r;
        if (w->o->by_shadow && w->s.period[1].n == 0)
                refuse(
                    w, "never-in-force",
                    setpoints_differ(w, l, false)
                        ? "on no day was coolplane in force. Setpoints did move from day to day, but of proposals that "
                          "were never carried out, and so never led on to others, this log holds no outcome"
                        : "on no day was coolplane in force, and setpoints never moved from day to day: nothing in "
                          "this "
                          "log tells what other setpoints would have cost");
        else if (w->o->measure == NULL && w->s.period[0].whole > 0 && w->s.period[1].whole > 0 &&
                 in_force(w, ARM_B) - (w->before == w->days ? in_force(w, ARM_A) : 0.0) < 0.5 &&
                 !setpoints_differ(w, l, true))
                refuse(
                    w, "same-control",
                    "setpoints of both periods are the same and no decision of coolplane was in force in one of them "
                    "alone: there is no measure whose saving could be told. If something else was changed, say what "
                    "with --measure");
        l = layout_free(l);
        return 0;
}

static int one_number(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)n;
        (void)name;
        return parse_int64(text[0], 0, INT64_MAX, ctx);
}

/* VM moves that were asked for in the reporting days. */
static int moves_asked(struct work *w, int64_t *ret)
{
        const struct savings_period *p = &w->s.period[1];
        const struct store_param span[] = {{.i = p->first * DAY_MS - w->o->offset_ms},
                                           {.i = (p->last + 1) * DAY_MS - w->o->offset_ms}};

        *ret = 0;
        return p->n == 0 ? 0
                         : store_query_rows(w->store,
                                            "SELECT count(*) FROM vm_message WHERE subtopic = 'move/request' AND "
                                            "t_ms >= ?1 AND t_ms < ?2",
                                            span, 2, one_number, ret);
}

/* ---- the estimate ---- */

static const char *why_not(enum savings_reason r, bool ab)
{
        switch (r) {
        case SAVINGS_FEW_BASELINE:
                return "too few whole days (or pairs of days) of baseline: ten are needed, each metered for 95 % of "
                       "its "
                       "time";
        case SAVINGS_FEW_REPORTING:
                return "too few whole days to report on: seven are needed, each metered for 95 % of its time";
        case SAVINGS_NO_OVERLAP:
                return ab ? "one control ran on weekends and the other on working days"
                          : "most reporting days had a load or weather that the baseline never saw";
        case SAVINGS_POOR_FIT:
                return "the baseline does not explain its own days (CV(RMSE) above 30 % or NMBE beyond 10 %)";
        case SAVINGS_IMPRECISE:
                return "the interval is wider than the claim is worth: more days, a demand (--load POINT) or days in "
                       "turn "
                       "(--ab) would narrow it";
        case SAVINGS_TOLD:
                break;
        }
        return "";
}

static int run_baseline(struct work *w, enum savings_load load, struct savings_report *ret)
{
        const struct savings_period *a = &w->s.period[0], *b = &w->s.period[1];
        struct savings_args args = w->o->args;
        struct savings_row *rows = calloc(a->n + b->n + 1, sizeof(*rows));
        int r;

        if (rows == NULL)
                return -ENOMEM;
        args.load = load;
        r = savings_baseline(a->day, a->n, b->day, b->n, &args, rows, NULL, ret);
        free(rows);
        return r;
}

/* IT is given only if it has not moved by itself. */
static int check_it(struct work *w)
{
        const struct savings_figure *it = &w->s.it.part[SAVINGS_IT];
        int64_t moves;
        int r = run_baseline(w, SAVINGS_LOAD_NONE, &w->s.it);

        if (r == 0)
                r = moves_asked(w, &moves);
        if (r < 0)
                return r;
        w->s.it_checked = true;
        if (moves > 0)
                refuse(w, "load-moved",
                       "VMs were moved in the reporting days, so that IT power is part of what was changed: --load "
                       "calendar, "
                       "or a demand (--load POINT), or days in turn (--ab)");
        else if (it->known && (it->low_j > 0.0 || it->high_j < 0.0)) {
                w->s.r = w->s.it;
                w->s.load = "calendar";
                refuse(
                    w, "load-moved",
                    "IT energy is not what calendar and weather made expect. If the measure moved it, --load calendar "
                    "tells the total; if work did, --load it tells what setpoints saved; a demand (--load POINT) or "
                    "days "
                    "in turn (--ab) tell both");
        }
        return 0;
}

static int by_day(const void *a, const void *b)
{
        const struct savings_day *x = a, *y = b;

        return (x->day > y->day) - (x->day < y->day);
}

static int run_pairs(struct work *w)
{
        const struct savings_period *p = w->s.period;
        const size_t n = p[0].n + p[1].n;
        struct savings_day *day = calloc(n + 1, sizeof(*day));
        struct savings_row *rows = calloc(n + 1, sizeof(*rows));
        uint8_t *treated = calloc(n + 1, 1);
        struct savings_args args = w->o->args;
        int r = day && rows && treated ? 0 : -ENOMEM;

        if (r == 0) {
                memcpy(day, p[0].day, p[0].n * sizeof(*day));
                memcpy(day + p[0].n, p[1].day, p[1].n * sizeof(*day));
                qsort(day, n, sizeof(*day), by_day);
                for (size_t i = 0, b = 0; i < n; i++)
                        if (b < p[1].n && day[i].day == p[1].day[b].day) {
                                treated[i] = 1;
                                b++;
                        }
                args.load = w->load_point >= 0 ? SAVINGS_LOAD_DEMAND : SAVINGS_LOAD_NONE;
                r = savings_pairs(day, treated, n, &args, rows, &w->s.r);
        }
        free(day);
        free(rows);
        free(treated);
        return r;
}

static int estimate(struct work *w)
{
        const bool automatic = w->o->load == NULL && !w->s.ab;
        int r = 0;

        if (w->s.ab)
                r = run_pairs(w);
        else if (automatic)
                r = check_it(w);
        if (r == 0 && !w->s.ab && !w->s.refusal[0])
                r = run_baseline(w,
                                 w->load_point >= 0                   ? SAVINGS_LOAD_DEMAND
                                 : strcmp(w->s.load, "calendar") == 0 ? SAVINGS_LOAD_NONE
                                                                      : SAVINGS_LOAD_IT,
                                 &w->s.r);
        if (r == 0 && !w->s.refusal[0] && w->s.r.reason != SAVINGS_TOLD)
                refuse(w, savings_reason_str(w->s.r.reason), why_not(w->s.r.reason, w->s.ab));
        return r;
}

/* ---- databases and schedules ---- */

static int keep_text(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        char **to = ctx;

        (void)n;
        (void)name;
        if (text[0] != NULL && *to == NULL)
                *to = strdup(text[0]);
        return 0;
}

/* Default: the site file of the newest run in the database. */
static int load_site(struct store *s, const struct options *o, struct site **ret)
{
        char *stored = NULL;
        int code;

        if (o->config == NULL)
                (void)store_query_rows(s,
                                       "SELECT c.path FROM run r JOIN config c ON c.hash = r.config "
                                       "ORDER BY r.id DESC, c.ord LIMIT 1",
                                       NULL, 0, keep_text, &stored);
        if (o->config == NULL && stored == NULL) {
                fprintf(stderr, "coolplane savings: %s names no site file; give --config\n", o->db);
                return EXIT_USAGE_;
        }
        code = cli_load_site(o->config ? o->config : stored, ret);
        free(stored);
        return code;
}

static int open_days(const struct work *w, struct store *s, struct daily **ret)
{
        const struct daily_args a = {.site = w->site,
                                     .from_ms = INT64_MIN,
                                     .to_ms = INT64_MAX,
                                     .offset_ms = w->o->offset_ms,
                                     .skip_ms = w->o->skip_ms};
        int r = store_bind_site(s, w->site);

        return r < 0 ? r : daily_load(s, &a, ret);
}

static int64_t parse_date(const char *s)
{
        char text[40];
        int64_t t;

        (void)snprintf(text, sizeof(text), "%.10sT00:00:00Z", s);
        return strlen(s) == 10 && clk_parse_time(text, &t) == 0 ? t / DAY_MS : -1;
}

static int set_arm(struct work *w, int64_t day, int8_t arm)
{
        const int64_t k = day - w->days->day[0].day;

        if (k >= 0 && k < (int64_t)w->days->n)
                w->schedule[k] = arm;
        return 0;
}

/* Lines "YYYY-MM-DD a|b"; # begins a comment. An exit code. */
static int read_schedule(struct work *w, const char *path)
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

static int make_schedule(struct work *w)
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

static int find_load(struct work *w)
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

static int run(struct work *w)
{
        const char *unmetered;
        int r = open_days(w, w->store, &w->days);
        int code = EXIT_OK;

        if (r == 0 && w->other != NULL)
                r = open_days(w, w->other, &w->before);
        else
                w->before = w->days;
        if (r == 0 && w->o->ab != NULL)
                code = make_schedule(w);
        if (r == 0 && code == EXIT_OK)
                code = find_load(w);
        if (code != EXIT_OK)
                return code;
        if (r == 0)
                r = make_periods(w);
        unmetered = daily_unmetered(w->site);
        if (r == 0 && unmetered != NULL) {
                refuse(w, "not-metered", "");
                (void)snprintf(
                    w->s.why, sizeof(w->s.why),
                    "%s has no power meter: the boundary is chillers, pumps, towers, air handler fans and racks, "
                    "and a saving outside of what is metered cannot be excluded",
                    unmetered);
        }
        if (r == 0 && !w->s.refusal[0])
                r = check_control(w);
        if (r == 0 && !w->s.refusal[0])
                r = estimate(w);
        if (r == -ENODATA) {
                refuse(w, "no-samples", "a database holds no samples");
                w->s.load = w->s.load ? w->s.load : "it";
        } else if (r < 0) {
                fprintf(stderr, "coolplane savings: %s: %s (%s)\n", w->o->db, strerror(-r), store_errmsg(w->store));
                return r == -ENOMEM ? EXIT_GENERIC : EXIT_IO;
        }
        if (w->o->json)
                savings_print_json(&w->s);
        else
                savings_print(&w->s);
        return w->s.refusal[0] ? EXIT_CANNOT_EVALUATE : EXIT_OK;
}

static int open_store(const char *path, struct store **ret)
{
        char why[256] = "";

        if (store_open(path, STORE_READ, ret, why) == 0)
                return EXIT_OK;
        fprintf(stderr, "coolplane savings: %s\n", why);
        return EXIT_IO;
}

int verb_savings(int argc, char **argv)
{
        struct options o;
        struct work w = {.o = &o};
        struct site *site = NULL;
        int code = parse_options(argc, argv, &o);

        if (code >= 0)
                return code;
        code = open_store(o.db, &w.store);
        if (code == EXIT_OK && o.baseline != NULL && !o.by_time && !o.by_shadow)
                code = open_store(o.baseline, &w.other);
        if (code == EXIT_OK)
                code = load_site(w.store, &o, &site);
        if (code == EXIT_OK) {
                w.site = site;
                w.s.site = site->name;
                w.s.db = o.db;
                w.s.baseline = o.ab ? o.ab : o.baseline;
                w.s.measure = o.measure;
                w.s.ab = o.ab != NULL;
                code = run(&w);
        }
        for (int arm = 0; arm < 2; arm++)
                free(w.s.period[arm].day);
        free(w.schedule);
        if (w.before != w.days)
                (void)daily_free(w.before);
        (void)daily_free(w.days);
        site_free(site);
        store_close(w.other);
        store_close(w.store);
        return code;
}
