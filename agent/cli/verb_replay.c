/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * coolplane replay: the gate and the planner's brain over a log, at full speed. Virtual clock, log source, null
 * actuator; between sample and decision it is the code that runs live. Same log, configuration and build: same
 * decision_sha256.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/replay_diff.h"
#include "agent/cli/replay_origin.h"
#include "agent/cli/replay_whatif.h"
#include "agent/cli/stray.h"
#include "agent/gate/envelope.h"
#include "agent/gate/gate.h"
#include "agent/planner/brain.h"

#define MISSING_TOLD 5
#define LEARN_H 24 /* default of --learn */

static const char help[] =
    "coolplane replay --config site.yaml --log coolplane.db --out decisions.db\n"
    "coolplane replay --config site.yaml --log coolplane.db --out d.db --from 2026-01-01T00:00:00Z --json\n"
    "coolplane replay --config site.yaml --log coolplane.db --out d.db --what-if model.cpm\n"
    "coolplane replay --diff before.db after.db\n"
    "\n"
    "Runs the production gate and planner over a recorded database. Nothing is written to any plant.\n"
    "--what-if lets the decisions count: every reading of the log becomes what it would have been under them, by a "
    "model\n"
    "that `coolplane train --refit` made of this very log, and the cooling energy saved is told part by part, with a\n"
    "95 % interval; or why this log cannot tell (a setpoint where it never was, a state it never saw). VMs stay, "
    "racks\n"
    "draw what they drew. A model without --refit, or of another log, is refused.\n"
    "--diff compares the decisions of two databases, time by time: two configurations, builds or model sets that were\n"
    "replayed over one log, or a replay and what decided live. It names what is not the same: kinds, reasons and\n"
    "actions with their largest differences, limits, and of the first difference what it was made on; and which of\n"
    "them is a what-if, or a replay that did not end.\n"
    "\n"
    "  --config FILE   site file\n"
    "  --log DB        database of an import or of an earlier run (read only)\n"
    "  --out DB        new database for the decisions\n"
    "  --from, --to T  RFC 3339 with offset, or epoch ms; default: the whole log, without a few samples far\n"
    "                  from all others (a wrong clock), which are told. Models learn from T on, so that a later start\n"
    "                  decides by less; the same start decides the same\n"
    "  --no-planner    decisions without proposals: what the fallback alone would have done\n"
    "  --what-if MODEL model file; `coolplane evaluate` refuses such decisions: their readings are the model's\n"
    "  --learn HOURS   with --what-if: so long the operator's settings stay while gate and planner learn (default 24)\n"
    "  --diff A B      compare the decisions of these two (read only); with --from, --to, --json\n"
    "  --json          one JSON document\n"
    "exit: 0 replayed, 1 set-up failed, 2 usage, 4 no samples in the log or in this span of it, or\n"
    "--what-if cannot be told from it, 65 a log or model of another\n"
    "site, a model of another log or without --refit, or damaged, 69 no such log or model, or busy, 74 I/O, 78 site "
    "wrong. "
    "--diff: 0 all equal (what one of them "
    "has before\n"
    "or after the other does not count), 2 usage, 3 some differ, are missing, or are at times that one of them has\n"
    "twice, or one is a replay that did not end, 4 no decision at the same time, 65 database damaged, 69 no database "
    "or busy, 74 I/O\n";

struct replay {
        const struct site *site;
        struct clk clk;
        struct gate *gate;
        struct brain *brain;
        struct null_actuator *null;
        struct replay_whatif whatif; /* --what-if */
        int64_t first_ms, next_step_ms, last_ms;
        struct ipc_step step;
        struct ipc_proposal proposal;
        bool progress;
        int64_t span_ms, shown_ms;
        struct store_stray stray[STORE_ROWS];
        uint64_t samples, good; /* of the log */
};

static void on_write_done(void *ctx, const struct write_outcome *o)
{
        struct replay *r = ctx;

        if (r->whatif.plant && o->result == WRITE_NOT_SENT)
                whatif_set(r->whatif.plant, o->point, o->written);
        gate_write_done(r->gate, o);
}

static void control_step(struct replay *r)
{
        clk_advance_to(&r->clk, r->next_step_ms);
        gate_step_begin(r->gate, &r->step);
        if (r->brain)
                brain_step(r->brain, &r->step, &r->proposal);
        gate_step_end(r->gate, r->brain ? &r->proposal : NULL, false);
        if (r->whatif.plant)
                whatif_step(r->whatif.plant, r->next_step_ms);
        r->next_step_ms += r->site->fast_step_ms;
}

static void show_progress(struct replay *r)
{
        if (!r->progress || r->last_ms - r->shown_ms < r->span_ms / 100)
                return;
        r->shown_ms = r->last_ms;
        (void)fprintf(stderr, "\rreplay %3d %%", (int)(100 * (r->last_ms - r->first_ms) / (r->span_ms + 1)));
}

static int on_samples(void *ctx, const struct sample *v, size_t n)
{
        struct replay *r = ctx;

        for (size_t i = 0; i < n; i++) {
                /* between separate days there is nothing to decide: the next step is the one after the gap */
                if (v[i].t_ms - r->next_step_ms > 10 * r->site->fast_step_ms)
                        r->next_step_ms +=
                            (v[i].t_ms - r->next_step_ms) / r->site->fast_step_ms * r->site->fast_step_ms;
                while (v[i].t_ms >= r->next_step_ms)
                        control_step(r);
                clk_advance_to(&r->clk, v[i].t_ms);
                struct sample s = v[i];
                if (r->whatif.plant)
                        whatif_sample(r->whatif.plant, &s);
                gate_samples(r->gate, &s, 1);
                r->last_ms = v[i].t_ms;
                r->good += v[i].quality == QUALITY_GOOD;
        }
        r->samples += n;
        show_progress(r);
        return 0;
}

static int print_result(const struct replay *r, double wall_s, bool json)
{
        struct gate_status s;
        char sha[65];
        double speedup;
        int code = EXIT_OK;

        gate_status(r->gate, &s);
        gate_decision_sha256(r->gate, sha);
        if (s.watching)
                (void)fprintf(stderr, "nothing to command here: watched only, no decisions\n");
        if (2 * r->good < r->samples)
                (void)fprintf(stderr,
                              "coolplane replay: only %" PRIu64 " of %" PRIu64 " samples are good (%.2g %%): the "
                              "decisions are made on little\n",
                              r->good, r->samples, 100 * (double)r->good / (double)r->samples);
        speedup = (double)s.step * (double)r->site->fast_step_ms / 1000.0 / (wall_s > 0 ? wall_s : 1e-9);
        if (json)
                (void)printf("{\"steps\":%" PRIu64 ",\"accept\":%" PRIu64 ",\"project\":%" PRIu64 ",\"hold\":%" PRIu64
                             ",\"fallback\":%" PRIu64 ",\"decision_sha256\":\"%s\",\"speedup\":%.1f",
                             s.step, s.steps_by_kind[DECISION_ACCEPT], s.steps_by_kind[DECISION_PROJECT],
                             s.steps_by_kind[DECISION_HOLD], s.steps_by_kind[DECISION_FALLBACK], sha, speedup);
        else
                (void)printf("steps %" PRIu64 "  accept %" PRIu64 "  project %" PRIu64 "  hold %" PRIu64
                             "  fallback %" PRIu64 "\ndecision_sha256 %s\nspeedup %.0f\n",
                             s.step, s.steps_by_kind[DECISION_ACCEPT], s.steps_by_kind[DECISION_PROJECT],
                             s.steps_by_kind[DECISION_HOLD], s.steps_by_kind[DECISION_FALLBACK], sha, speedup);
        if (r->whatif.plant) {
                (void)fputs(json ? ",\"what_if\":" : "", stdout);
                code = replay_whatif_print(&r->whatif, json);
        }
        if (json) {
                (void)printf(",\"samples\":%" PRIu64 ",\"samples_good\":%" PRIu64 ",\"left_out\":", r->samples,
                             r->good);
                stray_print_json(r->stray);
                (void)fputs("}\n", stdout);
        }
        return code;
}

struct options {
        struct db_args in; /* but for .db */
        const char *log, *out, *diff, *whatif;
        int64_t learn_h;
        bool planner;
};

static int open_log(const struct options *o, const struct site *site, struct store **ret,
                    struct store_counts *ret_counts)
{
        char why[256];
        int r = store_open(o->log, STORE_READ, ret, why);

        if (r < 0) {
                (void)fprintf(stderr, "coolplane replay: %s\n", why);
                return db_exit(r);
        }
        r = store_bind_site(*ret, site);
        if (r == 0)
                r = store_counts(*ret, ret_counts);
        if (r < 0)
                return db_failed("replay", o->log, *ret, r);
        if (ret_counts->samples == 0) {
                (void)fprintf(stderr, "coolplane replay: %s holds no samples\n", o->log);
                return EXIT_CANNOT_EVALUATE;
        }
        return EXIT_OK;
}

struct matched {
        const struct site *site;
        bool *logged; /* [npoint] */
        size_t points, hits;
        struct text missing; /* the first names of those that are not logged */
};

static int mark(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct matched *m = ctx;
        int i = text[0] ? site_find_point(m->site, text[0]) : -1;

        (void)n;
        (void)name;
        if (i >= 0)
                m->logged[i] = true;
        return 0;
}

static void count(struct matched *m, const struct layout_var *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (v[i].point < 0)
                        continue;
                m->points++;
                m->hits += m->logged[v[i].point];
                if (!m->logged[v[i].point] && m->points - m->hits <= MISSING_TOLD)
                        text_printf(&m->missing, "%s%s", m->missing.n > 0 ? ", " : "", m->site->point[v[i].point].name);
        }
}

/* A log of another site would replay too: as one in which every sensor is silent. */
static int check_log(const struct options *o, const struct site *site, const struct layout *l, struct store *log)
{
        struct matched m = {.site = site, .logged = calloc(site->npoint + 1, sizeof(bool))};
        int code = EXIT_OK, r;

        if (!m.logged)
                return EXIT_GENERIC;
        r = store_query_rows(log, "SELECT name FROM point WHERE id IN (SELECT point_id FROM latest)", NULL, 0, mark,
                             &m);
        if (r < 0) {
                code = db_failed("replay", o->log, log, r);
                goto out;
        }
        count(&m, l->u, l->nu);
        count(&m, l->y, l->ny);
        count(&m, l->d, l->nd);
        if (m.points > 0 && m.hits == 0) {
                (void)fprintf(
                    stderr,
                    "coolplane replay: %s holds none of the %zu point%s that decisions about %s are made from: "
                    "a log of another site?\n",
                    o->log, m.points, PLURAL_S(m.points), site->name);
                code = EXIT_DATA;
        } else if (m.hits < m.points) {
                const size_t missing = m.points - m.hits;
                (void)fprintf(stderr,
                              "coolplane replay: warning: %s holds %zu of the %zu point%s that decisions are made "
                              "from, and not %s",
                              o->log, m.hits, m.points, PLURAL_S(m.points), m.missing.v ? m.missing.v : "all");
                if (missing > MISSING_TOLD)
                        (void)fprintf(stderr, " and %zu more", missing - MISSING_TOLD);
                (void)fputc('\n', stderr);
        }
out:
        text_free(&m.missing);
        free(m.logged);
        return code;
}

/* A file is in the place of --out. */
static void tell_exists(const char *path)
{
        struct replay_origin origin = {.ended = true};
        struct store *s = NULL;
        char why[256];
        int fd = -1, lock = 0;

        if (store_open(path, STORE_READ, &s, why) == 0)
                (void)replay_origin_get(s, &origin);
        store_close(s);
        if (!origin.ended) {
                lock = store_lock(path, &fd, why);
                if (lock == 0)
                        (void)close(fd);
        }
        if (origin.ended)
                (void)fprintf(stderr, "coolplane replay: %s exists; decisions go into a new database\n", path);
        else if (lock == -EBUSY)
                (void)fprintf(stderr, "coolplane replay: %s exists: another replay is writing it\n", path);
        else
                (void)fprintf(stderr,
                              "coolplane replay: %s exists: a replay that did not end left it; it may be removed, with "
                              "its -wal and -shm\n",
                              path);
}

static int run(const struct options *o, const struct site *site)
{
        struct replay_origin origin = {.what_if = o->whatif};
        struct replay r = {.site = site, .progress = !o->in.json && isatty(STDERR_FILENO)};
        struct store *log = NULL, *out = NULL;
        struct layout *layout = NULL;
        struct store_counts counts = {0};
        struct actuator act;
        char why[256], begin[32], end[32];
        int64_t from = o->in.from_ms, to = o->in.to_ms, started;
        int failed, code = open_log(o, site, &log, &counts);

        if (code != EXIT_OK)
                goto out;
        if (layout_create(site, &layout) < 0) {
                (void)fprintf(stderr, "coolplane replay: no model can be laid out for %s\n", site->name);
                code = EXIT_GENERIC;
                goto out;
        }
        code = check_log(o, site, layout, log);
        if (code != EXIT_OK)
                goto out;
        code = store_true_span(log, STORE_SAMPLES, &from, &to, &r.stray[STORE_SAMPLES]);
        if (code < 0) {
                code = db_failed("replay", o->log, log, code);
                goto out;
        }
        stray_tell("replay", o->log, &r.stray[STORE_SAMPLES]);
        from = from > counts.first_t_ms ? from : counts.first_t_ms;
        to = to < counts.last_t_ms + 1 ? to : counts.last_t_ms + 1;
        if (from >= to) {
                (void)fprintf(stderr, "coolplane replay: %s holds no samples in this span: it is from %s to %s\n",
                              o->log, clk_format(counts.first_t_ms, begin), clk_format(counts.last_t_ms, end));
                code = EXIT_CANNOT_EVALUATE;
                goto out;
        }
        r.first_ms = r.last_ms = r.shown_ms = from;
        r.span_ms = to - from;
        r.next_step_ms = (from / site->fast_step_ms + 1) * site->fast_step_ms;
        if (o->whatif) {
                code = replay_whatif_open(&(struct replay_whatif_args){.model = o->whatif,
                                                                       .log_path = o->log,
                                                                       .config = o->in.config,
                                                                       .site = site,
                                                                       .layout = layout,
                                                                       .log = log,
                                                                       .from_ms = from,
                                                                       .to_ms = to,
                                                                       .closes_ms = from + o->learn_h * 3600000},
                                          &r.whatif);
                if (code != EXIT_OK)
                        goto out;
        }
        clk_init_virtual(&r.clk, from);
        code = EXIT_IO;
        if (access(o->out, F_OK) == 0) {
                tell_exists(o->out);
                goto out;
        }
        if (store_open(o->out, STORE_WRITE, &out, why) < 0) {
                (void)fprintf(stderr, "coolplane replay: %s\n", why);
                goto out;
        }
        (void)store_unsynced(out); /* what is lost is replayed again */
        code = EXIT_GENERIC;
        if (null_actuator_create(site, (struct write_sink){on_write_done, &r}, &r.null, &act) < 0 ||
            gate_create(&(struct gate_args){.site = site,
                                            .clk = &r.clk,
                                            .store = out,
                                            .actuator = act,
                                            .run_mode = "replay",
                                            .decisions_only = true},
                        &r.gate) < 0 ||
            (o->planner && layout->nu > 0 &&
             brain_create(&(struct brain_args){.site = site, .layout = layout, .seed = site->seed, .learn = true},
                          &r.brain) < 0)) {
                (void)fprintf(stderr, "coolplane replay: set-up failed: %s\n", store_errmsg(out));
                goto out;
        }
        failed = log_print_make(log, site, from, to, &origin.log);
        if (failed < 0) {
                code = db_failed("replay", o->log, log, failed);
                goto out;
        }
        if (replay_origin_put(out, &origin) < 0 || store_settle(out) < 0) { /* known from the start, if it ends early */
                (void)fprintf(stderr, "coolplane replay: %s: %s\n", o->out, store_errmsg(out));
                code = EXIT_IO;
                goto out;
        }
        started = clk_real_mono_ms();
        failed = store_read_samples(log, from, to, on_samples, &r);
        if (failed < 0) {
                code = db_failed("replay", o->log, log, failed);
                goto out;
        }
        if (r.next_step_ms <= to)
                control_step(&r);
        if (r.progress)
                (void)fputs("\r            \r", stderr);
        origin.ended = true;
        if (store_settle(out) < 0 || replay_origin_put(out, &origin) < 0) {
                (void)fprintf(stderr, "coolplane replay: %s: %s\n", o->out, store_errmsg(out));
                code = EXIT_IO;
                goto out;
        }
        if (r.whatif.plant) /* the last step's account */
                whatif_step(r.whatif.plant, r.next_step_ms);
        code = print_result(&r, (double)(clk_real_mono_ms() - started) / 1000.0, o->in.json);
out:
        replay_whatif_close(&r.whatif);
        brain_free(r.brain);
        gate_free(r.gate);
        null_actuator_free(r.null);
        layout_free(layout);
        store_close(out);
        store_close(log);
        return code;
}

static int usage(const char *what)
{
        (void)fprintf(stderr, "coolplane replay: %s; see coolplane replay --help\n", what);
        return EXIT_USAGE_;
}

int verb_replay(int argc, char **argv)
{
        static const struct option opts[] = {
            {"config", required_argument, NULL, 'c'},  {"log", required_argument, NULL, 'l'},
            {"out", required_argument, NULL, 'o'},     {"from", required_argument, NULL, 'f'},
            {"to", required_argument, NULL, 't'},      {"diff", required_argument, NULL, 'd'},
            {"what-if", required_argument, NULL, 'w'}, {"learn", required_argument, NULL, 'L'},
            {"no-planner", no_argument, NULL, 'n'},    {"json", no_argument, NULL, 'j'},
            {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
        struct options o = {.in = {DB_ARGS_ALL_TIME}, .planner = true, .learn_h = -1};
        struct site_errors *errors = NULL;
        struct site *site = NULL;
        const char *wrong;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
                switch (c) {
                case 'l':
                        o.log = optarg;
                        break;
                case 'o':
                        o.out = optarg;
                        break;
                case 'd':
                        o.diff = optarg;
                        break;
                case 'w':
                        o.whatif = optarg;
                        break;
                case 'L':
                        if (parse_int64(optarg, 1, 100000, &o.learn_h) < 0)
                                return usage("--learn takes whole hours");
                        break;
                case 'n':
                        o.planner = false;
                        break;
                default:
                        wrong = db_args_option(&o.in, c);
                        if (wrong)
                                return usage(wrong);
                }
        }
        if (o.in.help) {
                (void)fputs(help, stdout);
                return EXIT_OK;
        }
        if (o.in.from_ms >= o.in.to_ms)
                return usage("--from is not before --to");
        if (o.diff) {
                if (o.in.config || o.log || o.out || o.whatif || !o.planner || optind + 1 != argc)
                        return usage("--diff takes two databases, and --from, --to and --json");
                return replay_diff(o.diff, argv[optind], o.in.from_ms, o.in.to_ms, o.in.json);
        }
        if (o.learn_h >= 0 && !o.whatif)
                return usage("--learn goes with --what-if");
        if (o.learn_h < 0)
                o.learn_h = LEARN_H;
        if (!o.in.config || !o.log || !o.out || optind < argc)
                return usage("--config, --log and --out are needed");
        c = site_load_checked(o.in.config, gate_check_site, &site, &errors);
        site_errors_print(errors, stderr);
        site_errors_free(errors);
        if (c < 0) {
                site_free(site);
                return EXIT_CONFIG;
        }
        c = run(&o, site);
        site_free(site);
        return c;
}
