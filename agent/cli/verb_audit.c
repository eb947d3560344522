/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane audit verify: stored decisions judged again, from the database and the site file alone. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/other_config.h"
#include "agent/gate/audit.h"

static const char help[] =
    "coolplane audit verify --config site.yaml\n"
    "coolplane audit verify --config site.yaml --db copy.db --from 2026-07-15T00:00:00Z --to 2026-07-16T00:00:00Z\n"
    "\n"
    "Judges stored decisions again, with the safety library that made them and what was stored with each: readings,\n"
    "model set, timers. Needs the database and the site file, opens no device, writes nothing. Of each decision:\n"
    "  holds           the certificate was computed again: same margin, same binding output, limits kept\n"
    "  no-certificate  it carries none (fallback, sensor, not certifiable); limits, rates and equipment rules hold\n"
    "  not-rechecked   what it was made on is not there, and why; limits and rates hold as far as they can be seen\n"
    "  differs         a number, a model or a reading is not as it was said, or a rule is broken\n"
    "and times without decisions. It does not say whether the plant was inside the model set.\n"
    "\n"
    "  --config FILE   site file, default " CLI_CONFIG_DEFAULT "\n"
    "  --db FILE       database, default the site's\n"
    "  --from, --to T  RFC 3339 with offset, or epoch ms; default: all decisions\n"
    "  --each          a line for each decision, not only for those that differ\n"
    "  --json          one JSON document, with each decision\n"
    "exit: 0 nothing differs, 2 usage, 3 something differs, 4 no decision could be re-checked, 65 database damaged,\n"
    "69 no database, 74 I/O, 78 site wrong\n";

enum { REASONS_MAX = 32 };

struct reason {
        enum audit_verdict verdict;
        const char *why;
        size_t n;
};

struct report {
        bool json, each;
        size_t shown;
        struct reason reason[REASONS_MAX];
        size_t nreason;
        struct audit_gap *gap;
        size_t ngap;
        bool failed; /* out of memory */
};

static void count_reason(struct report *r, const struct audit_decision *d)
{
        size_t i = 0;

        while (i < r->nreason && (r->reason[i].verdict != d->verdict || strcmp(r->reason[i].why, d->why) != 0))
                i++;
        if (i == REASONS_MAX)
                return;
        if (i == r->nreason)
                r->reason[r->nreason++] = (struct reason){d->verdict, d->why, 0};
        r->reason[i].n++;
}

static void print_margin(const char *what, double margin, const char *binding)
{
        if (isfinite(margin))
                (void)printf("%s %.9g K%s%s", what, margin, binding[0] ? " at " : "", binding);
        else
                (void)printf("%s none", what);
}

static void print_line(const struct audit_decision *d)
{
        const struct safety_certificate *c = d->d->cert;
        char utc[32];

        (void)printf("%-14s %s run %" PRId64 " step %" PRIu64 " %s, %s%s%s", audit_verdict_str(d->verdict),
                     clk_format(d->t_ms, utc), d->run_id, d->d->step, decision_kind_str(d->d->kind),
                     decision_reason_str(d->d->reason), d->why[0] ? ": " : "", d->why);
        if (d->recomputed && d->verdict != AUDIT_RULES) {
                print_margin("; margin said", c->margin, d->binding_said);
                print_margin(", recomputed", d->margin, d->binding);
        }
        if (d->model_hash != 0 && d->model_hash != c->model_hash)
                (void)printf("; model set said %016" PRIx64 ", stored %016" PRIx64, c->model_hash, d->model_hash);
        (void)printf("\n");
}

static void print_json(struct report *r, const struct audit_decision *d)
{
        const struct safety_certificate *c = d->d->cert;
        char utc[32];

        (void)printf("%s{\"time\":\"%s\",\"run\":%" PRId64 ",\"step\":%" PRIu64
                     ",\"decision\":\"%s\",\"reason\":\"%s\",\"verdict\":\"%s\",\"why\":\"%s\",\"margin\":",
                     r->shown++ > 0 ? ",\n" : "\n", clk_format(d->t_ms, utc), d->run_id, d->d->step,
                     decision_kind_str(d->d->kind), decision_reason_str(d->d->reason), audit_verdict_str(d->verdict),
                     d->why);
        cli_json_number(stdout, c->margin);
        (void)printf(",\"margin_recomputed\":");
        cli_json_number(stdout, d->margin);
        (void)printf(",\"binding\":");
        cli_json_string(stdout, d->binding_said);
        (void)printf(",\"binding_recomputed\":");
        cli_json_string(stdout, d->binding);
        (void)printf(",\"model_hash\":\"%016" PRIx64 "\",\"model_hash_stored\":", c->model_hash);
        if (d->model_hash != 0)
                (void)printf("\"%016" PRIx64 "\"}", d->model_hash);
        else
                (void)printf("null}");
}

static void on_decision(void *ctx, const struct audit_decision *d)
{
        struct report *r = ctx;

        count_reason(r, d);
        if (r->json)
                print_json(r, d);
        else if (r->each || d->verdict == AUDIT_DIFFERS)
                print_line(d);
}

static void on_gap(void *ctx, const struct audit_gap *g)
{
        struct report *r = ctx;
        struct audit_gap *more;

        if ((r->ngap & (r->ngap + 1)) == 0) { /* full: the next power of two */
                more = realloc(r->gap, (2 * r->ngap + 2) * sizeof *more);
                if (!more) {
                        r->failed = true;
                        return;
                }
                r->gap = more;
        }
        r->gap[r->ngap++] = *g;
}

static void print_gap(const struct audit_gap *g)
{
        char from[32], to[32];

        (void)printf("  %s to %s, %.0f s: ", clk_format(g->from_ms, from), clk_format(g->to_ms, to),
                     (double)(g->to_ms - g->from_ms) / 1000.0);
        if (g->steps > 0)
                (void)printf("%" PRIu64 " step%s of run %" PRId64 " not stored\n", g->steps, PLURAL_S(g->steps),
                             g->run_to);
        else if (g->run_from == 0)
                (void)printf("the span begins before run %" PRId64 "\n", g->run_to);
        else if (g->run_to == 0)
                (void)printf("the span ends after run %" PRId64 "\n", g->run_from);
        else if (g->run_from == g->run_to)
                (void)printf("no step in run %" PRId64 "\n", g->run_to);
        else
                (void)printf("between run %" PRId64 " and run %" PRId64 "\n", g->run_from, g->run_to);
}

static void print_gap_json(const struct audit_gap *g)
{
        char from[32], to[32];

        (void)printf("{\"from\":\"%s\",\"to\":\"%s\",\"run_before\":", clk_format(g->from_ms, from),
                     clk_format(g->to_ms, to));
        (void)(g->run_from > 0 ? printf("%" PRId64, g->run_from) : printf("null"));
        (void)printf(",\"run_after\":");
        (void)(g->run_to > 0 ? printf("%" PRId64, g->run_to) : printf("null"));
        (void)printf(",\"steps_missing\":%" PRIu64 "}", g->steps);
}

static void end_json(const struct report *r, const struct audit_counts *c)
{
        (void)printf("],\n\"gaps\":[");
        for (size_t i = 0; i < r->ngap; i++) {
                (void)printf(i > 0 ? ",\n" : "\n");
                print_gap_json(&r->gap[i]);
        }
        (void)printf("],\n\"reasons\":[");
        for (size_t i = 0; i < r->nreason; i++)
                (void)printf("%s{\"verdict\":\"%s\",\"why\":\"%s\",\"decisions\":%zu}", i > 0 ? ",\n" : "\n",
                             audit_verdict_str(r->reason[i].verdict), r->reason[i].why, r->reason[i].n);
        (void)printf("],\n\"summary\":{\"decisions\":%zu", c->decisions);
        for (int v = 0; v < AUDIT_VERDICTS; v++)
                (void)printf(",\"%s\":%zu", audit_verdict_str((enum audit_verdict)v), c->verdict[v]);
        (void)printf(",\"gaps\":%zu,\"steps_missing\":%" PRIu64 "}}\n", c->gaps, c->steps_missing);
}

static void end_text(const struct report *r, const struct audit_counts *c)
{
        (void)printf("%zu decision%s\n", c->decisions, PLURAL_S(c->decisions));
        for (int v = 0; v < AUDIT_VERDICTS; v++) {
                (void)printf("  %-14s %zu\n", audit_verdict_str((enum audit_verdict)v), c->verdict[v]);
                for (size_t i = 0; i < r->nreason; i++)
                        if (r->reason[i].verdict == (enum audit_verdict)v && r->reason[i].why[0])
                                (void)printf("    %8zu %s\n", r->reason[i].n, r->reason[i].why);
        }
        (void)printf("%zu gap%s\n", r->ngap, PLURAL_S(r->ngap));
        for (size_t i = 0; i < r->ngap; i++)
                print_gap(&r->gap[i]);
}

static int report(const struct db_args *a, bool each)
{
        struct report r = {.json = a->json, .each = each};
        const struct audit_sink sink = {on_decision, on_gap, &r};
        struct audit_counts c;
        int code, e;

        if (r.json)
                (void)printf("{\"decisions\":[");
        e = audit_run(a->site, a->store, a->from_ms, a->to_ms, &sink, &c);
        code = EXIT_GENERIC;
        if (e == -ENODEV) {
                (void)fprintf(stderr, "coolplane audit: nothing is commanded at %s: there are no decisions\n",
                              a->site->name);
                code = EXIT_CANNOT_EVALUATE;
        } else if (e < 0) {
                (void)fprintf(stderr, "coolplane audit: %s: %s\n", a->db,
                              e == -ENOMEM ? strerror(ENOMEM) : store_errmsg(a->store));
                code = e == -ENOMEM ? EXIT_GENERIC : e == -EUCLEAN ? EXIT_DATA : EXIT_IO;
        } else if (r.failed) {
                (void)fprintf(stderr, "coolplane audit: %s\n", strerror(ENOMEM));
        } else {
                (r.json ? end_json : end_text)(&r, &c);
                (void)fflush(stdout);
                if (c.decisions > 0 && c.verdict[AUDIT_PARTLY] == c.decisions)
                        other_config_tell("audit", a->db, a->store, a->site);
                code = c.verdict[AUDIT_DIFFERS] > 0                           ? EXIT_VIOLATIONS
                       : c.verdict[AUDIT_HOLDS] + c.verdict[AUDIT_RULES] == 0 ? EXIT_CANNOT_EVALUATE
                                                                              : EXIT_OK;
        }
        free(r.gap);
        return code;
}

static int usage(const char *what)
{
        (void)fprintf(stderr, "coolplane audit: %s; see coolplane audit --help\n", what);
        return EXIT_USAGE_;
}

int verb_audit(int argc, char **argv)
{
        static const struct option opts[] = {
            {"config", required_argument, NULL, 'c'}, {"db", required_argument, NULL, 'd'},
            {"from", required_argument, NULL, 'f'},   {"to", required_argument, NULL, 't'},
            {"each", no_argument, NULL, 'e'},         {"json", no_argument, NULL, 'j'},
            {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
        struct db_args a = {.config = CLI_CONFIG_DEFAULT, DB_ARGS_ALL_TIME};
        const char *wrong;
        bool each = false;
        int c, code;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
                wrong = NULL;
                if (c == 'e')
                        each = true;
                else
                        wrong = db_args_option(&a, c);
                if (wrong)
                        return usage(wrong);
        }
        if (a.help) {
                (void)fputs(help, stdout);
                return EXIT_OK;
        }
        if (optind + 1 != argc || strcmp(argv[optind], "verify") != 0)
                return usage("what it does is `audit verify`");
        if (a.from_ms >= a.to_ms)
                return usage("--from is not before --to");
        if (db_args_load(&a, &code) && db_args_open(&a, &code))
                code = report(&a, each);
        db_args_free(&a);
        return code;
}
