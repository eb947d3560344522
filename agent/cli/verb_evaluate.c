/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane evaluate: a recorded gate scored, from the database and the site file. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/outfile.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/evaluate_html.h"
#include "agent/cli/evaluate_report.h"
#include "agent/cli/other_config.h"
#include "agent/cli/replay_origin.h"

static const char help[] =
    "coolplane evaluate --config site.yaml\n"
    "coolplane evaluate --config site.yaml --db shadow.db --from 2026-07-01T00:00:00Z --to 2026-08-01T00:00:00Z "
    "--json\n"
    "coolplane evaluate --config site.yaml --db decisions.db --log recorded.db    of a replay\n"
    "coolplane evaluate --config site.yaml --html report.html    a page for those who decide whether it may act\n"
    "\n"
    "Scores what the gate stored in shadow, live or a replay; opens no device, writes nothing. Every forecast is by "
    "the\n"
    "model set as it was at its decision, so all figures are out of sample:\n"
    "  hindcast skill of each inlet and supply air, one step, 5 and 15 min ahead, beside \"stays as it is\": the "
    "loads,\n"
    "  weather and setpoints that came are given, which no forecast had; coverage of the model set's bounds; hottest\n"
    "  inlet foreseen under our actions and proposals beside the measured; what the safety layer changed of the\n"
    "  proposals; our actions beside what was in force; predicted and measured power; what the record lacks; and\n"
    "  whether shadow wrote anything.\n"
    "A shadow action starts from what the operator runs at each step: what it would have led to was never tried.\n"
    "A few decisions far from all others (a wrong clock) are left out and told, if no end is given.\n"
    "A what-if (replay --what-if) is refused: what it calls readings are a model's.\n"
    "\n"
    "  --config FILE   site file, default " CLI_CONFIG_DEFAULT "\n"
    "  --db FILE       database, default the site's\n"
    "  --log FILE      database that was replayed: its samples tell power and data quality, a replay stores none;\n"
    "                  another log is refused\n"
    "  --from, --to T  RFC 3339 with offset, or epoch ms; default: all decisions\n"
    "  --json          one JSON document, with each point, variable and day\n"
    "  --html FILE     beside it a page: what would be needed to go live, energy, limits, worst hours, what the "
    "safety\n"
    "                  layer did, differences, forecasts and data quality; needs nothing else and can be printed; "
    "only\n"
    "                  such a page is written over\n"
    "exit: 0 scored, 2 usage, 3 something was written in shadow (whether or not it can be scored), 4 nothing can be\n"
    "scored (and why), 65 database damaged or another log than the replayed one, 69 no database, 74 I/O, 78 site "
    "wrong\n";

struct options {
        struct db_args in; /* of the decisions */
        const char *log, *html;
        const char *command;     /* as it was given */
        bool log_known, unended; /* found out: .log is what was replayed; the replay did not end */
};

struct progress {
        int64_t shown_ms;
};

static void on_progress(void *ctx, int64_t t_ms)
{
        struct progress *p = ctx;
        char utc[32];

        if (t_ms - p->shown_ms < 6 * 3600000)
                return;
        p->shown_ms = t_ms;
        (void)fprintf(stderr, "\r%.16s", clk_format(t_ms, utc));
}

static int bind(struct store *s, const char *path, const struct site *site)
{
        const int r = store_bind_site(s, site);

        return r < 0 ? db_failed("evaluate", path, s, r) : EXIT_OK;
}

static int open_log(const char *path, const struct site *site, struct store **ret)
{
        char why[256];
        const int e = store_open(path, STORE_READ, ret, why);

        if (e < 0) {
                (void)fprintf(stderr, "coolplane evaluate: %s\n", why);
                return db_exit(e);
        }
        return bind(*ret, path, site);
}

static void say_why_not(const struct evaluation *v, bool nothing_commanded)
{
        if (nothing_commanded)
                (void)fprintf(stderr, "coolplane evaluate: nothing is commanded at %s: there are no decisions\n",
                              v->site->name);
        else
                (void)fprintf(stderr, "coolplane evaluate: nothing can be scored: %s\n", evaluate_refusal(v));
}

/* What was saved, with --baseline shadow on the same span; .site NULL: not known. */
static void ask_savings(const struct savrep_options *o, const struct site *site, struct store *s,
                        struct savrep_work *ret)
{
        const int r = savrep_shadow(ret, o, site, s);

        if (r < 0) {
                (void)fprintf(stderr, "coolplane evaluate: savings: %s\n", strerror(-r));
                ret->s.site = NULL;
        }
}

static int write_page(const struct options *o, const struct evaluation *v, struct store *samples)
{
        struct savrep_options by_shadow = {.db = o->log ? o->log : o->in.db,
                                           .baseline = "shadow",
                                           .by_shadow = true,
                                           .within = {o->in.from_ms, o->in.to_ms}};
        struct savrep_work savings;
        struct text page = {0};
        int r;

        savings_args_default(&by_shadow.args);
        ask_savings(&by_shadow, v->site, samples, &savings);
        evaluate_html(&(struct evaluate_page){.e = v,
                                              .savings = savings.s.site ? &savings.s : NULL,
                                              .db = o->in.db,
                                              .log = o->log,
                                              .log_known = o->log_known,
                                              .command = o->command},
                      &page);
        savrep_free(&savings);
        r = text_save(&page, o->html);
        text_free(&page);
        if (r < 0)
                (void)fprintf(stderr, "coolplane evaluate: %s: %s\n", o->html, strerror(-r));
        else
                (void)fprintf(stderr, "coolplane evaluate: wrote %s\n", o->html);
        return r < 0 ? EXIT_IO : EXIT_OK;
}

static int report(const struct options *o, struct store *log)
{
        struct store *store = o->in.store;
        struct progress p = {0};
        struct evaluation v;
        const bool shows = !o->in.json && isatty(STDERR_FILENO);
        int code, e = evaluate_run(&(struct evaluate_args){.site = o->in.site,
                                                           .store = store,
                                                           .samples = log ? log : store,
                                                           .from_ms = o->in.from_ms,
                                                           .to_ms = o->in.to_ms,
                                                           .unended = o->unended,
                                                           .progress = shows ? on_progress : NULL,
                                                           .ctx = &p},
                                   &v);

        if (shows && p.shown_ms > 0)
                (void)fprintf(stderr, "\r                \r");
        if (e < 0 && e != -ENODEV) {
                code = db_failed("evaluate", o->in.db, store, e);
        } else if (e == -ENODEV || evaluate_refusal(&v)) {
                say_why_not(&v, e == -ENODEV);
                if (e == 0 && v.decisions > v.changed)
                        other_config_tell("evaluate", o->in.db, store, o->in.site);
                if (v.writes.left > 0) /* a breach whatever can be scored */
                        (o->in.json ? evaluate_print_writes_json : evaluate_print_writes_text)(&v);
                code = v.writes.left > 0 ? EXIT_VIOLATIONS : EXIT_CANNOT_EVALUATE;
        } else {
                (o->in.json ? evaluate_print_json : evaluate_print_text)(&v);
                (void)fflush(stdout); /* before what is told beside it: both may go into one file */
                code = o->html ? write_page(o, &v, log ? log : store) : EXIT_OK;
                if (code == EXIT_OK && v.writes.left > 0)
                        code = EXIT_VIOLATIONS;
        }
        evaluate_free(&v);
        return code;
}

/* The page goes nowhere but into the place of another one. */
static int check_page(const struct options *o)
{
        const struct site *site = o->in.site;
        const char **input = calloc(site->nfile + 2, sizeof *input);
        char why[512];
        bool may;

        if (!input)
                return EXIT_GENERIC;
        input[0] = o->in.db;
        input[1] = o->log;
        for (size_t i = 0; i < site->nfile; i++)
                input[i + 2] = site->file[i];
        may = outfile_may(&(struct outfile){.path = o->html,
                                            .what = "a page of coolplane evaluate",
                                            .begins = EVALUATE_PAGE_BEGINS,
                                            .holds = EVALUATE_PAGE_HOLDS,
                                            .input = input,
                                            .ninput = site->nfile + 2},
                          why);
        free(input);
        if (!may)
                (void)fprintf(stderr, "coolplane evaluate: %s\n", why);
        return may ? EXIT_OK : EXIT_IO;
}

/* Whether the decisions may be called the plant's, and the log theirs. */
static int check_origin(struct options *o, struct store *log)
{
        const char *db = o->in.db;
        struct replay_origin origin;
        char differs[160];
        int r = replay_origin_get(o->in.store, &origin);

        if (r < 0)
                return db_failed("evaluate", db, o->in.store, r);
        if (origin.what_if) {
                (void)fprintf(stderr,
                              "coolplane evaluate: %s is a what-if: its readings are a model's, not the plant's, and "
                              "every figure here would be, too; evaluate the replay without --what-if\n",
                              db);
                return EXIT_CANNOT_EVALUATE;
        }
        o->unended = !origin.ended;
        if (!log)
                return EXIT_OK;
        if (!origin.logged) {
                (void)fprintf(stderr,
                              "coolplane evaluate: warning: %s does not tell of which log it is (an earlier version's, "
                              "or no replay): taken on trust is %s\n",
                              db, o->log);
                return EXIT_OK;
        }
        r = log_print_is(log, o->in.site, &origin.log, differs);
        if (r < 0) {
                (void)fprintf(stderr, "coolplane evaluate: %s: %s\n", o->log, store_errmsg(log));
                return EXIT_IO;
        }
        o->log_known = r > 0;
        if (r == 0)
                (void)fprintf(stderr, "coolplane evaluate: %s is not the log that was replayed into %s: %s\n", o->log,
                              db, differs);
        return r > 0 ? EXIT_OK : EXIT_DATA;
}

static int run(struct options *o)
{
        struct store *log = NULL;
        int code = EXIT_OK;

        if (!db_args_load(&o->in, &code))
                goto out;
        if (o->html)
                code = check_page(o);
        if (code != EXIT_OK || !db_args_open(&o->in, &code))
                goto out;
        code = bind(o->in.store, o->in.db, o->in.site);
        if (code == EXIT_OK && o->log)
                code = open_log(o->log, o->in.site, &log);
        if (code == EXIT_OK)
                code = check_origin(o, log);
        if (code == EXIT_OK)
                code = report(o, log);
out:
        store_close(log);
        db_args_free(&o->in);
        return code;
}

static int usage(const char *what)
{
        (void)fprintf(stderr, "coolplane evaluate: %s; see coolplane evaluate --help\n", what);
        return EXIT_USAGE_;
}

int verb_evaluate(int argc, char **argv)
{
        static const struct option opts[] = {{"config", required_argument, NULL, 'c'},
                                             {"db", required_argument, NULL, 'd'},
                                             {"log", required_argument, NULL, 'l'},
                                             {"from", required_argument, NULL, 'f'},
                                             {"to", required_argument, NULL, 't'},
                                             {"json", no_argument, NULL, 'j'},
                                             {"html", required_argument, NULL, 'w'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};
        struct options o = {.in = {.config = CLI_CONFIG_DEFAULT, DB_ARGS_ALL_TIME}};
        struct text command = {0};
        const char *wrong;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
                wrong = NULL;
                if (c == 'l')
                        o.log = optarg;
                else if (c == 'w')
                        o.html = optarg;
                else
                        wrong = db_args_option(&o.in, c);
                if (wrong)
                        return usage(wrong);
        }
        if (o.in.help) {
                (void)fputs(help, stdout);
                return EXIT_OK;
        }
        if (optind < argc)
                return usage("unexpected argument");
        if (o.in.from_ms >= o.in.to_ms)
                return usage("--from is not before --to");
        text_put(&command, "coolplane");
        for (int i = 0; i < argc; i++) {
                text_put(&command, " ");
                text_shell(&command, argv[i]);
        }
        o.command = command.v ? command.v : "";
        c = run(&o);
        text_free(&command);
        return c;
}
