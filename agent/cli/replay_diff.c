/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/replay_diff.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
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
#include "agent/cli/replay_origin.h"
#include "agent/gate/diff.h"

static const char letter[2] = {'A', 'B'};

static bool same(double a, double b)
{
        return a == b || (isnan(a) && isnan(b));
}

static const char *number(double v, char *buf)
{
        if (isfinite(v))
                (void)snprintf(buf, 32, "%.6g", v);
        else
                (void)snprintf(buf, 32, "-");
        return buf;
}

/* Two that are not the same look so. */
static void numbers(const double *v, char buf[2][32])
{
        for (int k = 0; k < 2; k++)
                (void)number(v[k], buf[k]);
        if (strcmp(buf[0], buf[1]) != 0 || same(v[0], v[1]))
                return;
        for (int k = 0; k < 2; k++)
                (void)format_double(v[k], buf[k]);
}

/* What was left out was not found equal. */
static bool differs(const struct diff *d)
{
        return d->equal < d->both || d->only[0] > 0 || d->only[1] > 0 || d->again[0] > 0 || d->again[1] > 0;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void print_config(const struct diff_config *c)
{
        char t[2][32];

        if (c->same) {
                (void)printf("configuration: the same\n");
                return;
        }
        (void)printf("configuration: not the same\n");
        for (size_t i = 0; i < c->nlimit; i++) {
                const struct diff_limit *l = &c->limit[i];

                numbers(l->v, t);
                (void)printf("  %s%s%s: A %s, B %s %s", l->what, l->point[0] ? " of " : "", l->point, t[0], t[1],
                             l->unit);
                if (l->n > 1)
                        (void)printf(" (and %zu more)", l->n - 1);
                (void)printf("\n");
        }
        if (c->nlimit == 0 && c->read[0] && c->read[1])
                (void)printf("  no limit of the safety layer differs\n");
        for (size_t i = 0; i < c->nfile; i++) {
                (void)printf("  %s:%zu: A \"%s\", B \"%s\"\n", c->file[i].name, c->file[i].line, c->file[i].text[0],
                             c->file[i].text[1]);
                if (c->file[i].more > 0)
                        (void)printf("  %s: and %zu more\n", c->file[i].name, c->file[i].more);
        }
        for (int k = 0; k < 2; k++)
                if (!c->read[k])
                        (void)printf(
                            "  %c: it cannot be read from the database: limits and readings are not compared\n",
                            letter[k]);
}

static void print_counts(const struct diff *d)
{
        char t[32], u[32];

        (void)printf("%" PRIu64 " decision%s in both", d->both, PLURAL_S(d->both));
        if (d->both > 0)
                (void)printf(", %s to %s: %" PRIu64 " equal, %" PRIu64 " differ", clk_format(d->begin_ms, t),
                             clk_format(d->end_ms, u), d->equal, d->both - d->equal);
        (void)printf("\n");
        for (int k = 0; k < 2; k++) {
                if (d->only[k] > 0)
                        (void)printf("  %" PRIu64 " missing in %c, first %s\n", d->only[k], letter[1 - k],
                                     clk_format(d->only_ms[k], t));
                if (d->before[k] > 0)
                        (void)printf("  %" PRIu64 " before %c begins\n", d->before[k], letter[1 - k]);
                if (d->after[k] > 0)
                        (void)printf("  %" PRIu64 " after %c has ended\n", d->after[k], letter[1 - k]);
                if (d->again[k] > 0)
                        (void)printf("  %" PRIu64 " of %c at times that it has twice: left out\n", d->again[k],
                                     letter[k]);
        }
        if (d->equal == d->both)
                return;
        (void)printf("  differ in kind %" PRIu64 ", reason %" PRIu64 ", binding %" PRIu64 ", action %" PRIu64 "\n",
                     d->kind, d->reason, d->binding, d->action);
        for (int i = 0; i < 4; i++)
                for (int k = 0; k < 4; k++)
                        if (d->by_kind[i][k] > 0)
                                (void)printf("  %8" PRIu64 "  A %s, B %s\n", d->by_kind[i][k],
                                             decision_kind_str((enum decision_kind)i),
                                             decision_kind_str((enum decision_kind)k));
        for (int i = 0; i < DIFF_REASONS; i++)
                for (int k = 0; k < DIFF_REASONS; k++)
                        if (d->by_reason[i][k] > 0)
                                (void)printf("  %8" PRIu64 "  A %s, B %s\n", d->by_reason[i][k],
                                             decision_reason_str((enum decision_reason)i),
                                             decision_reason_str((enum decision_reason)k));
}

static void print_actions(const struct diff *d)
{
        char t[32], at[2][32], m[32];

        if (d->action > 0)
                (void)printf("actions: largest differences\n");
        for (size_t i = 0; i < d->nvar; i++) {
                const struct diff_var *v = &d->var[i];

                if (!v->in[0] || !v->in[1])
                        (void)printf("  %-40s only in %c\n", v->name, letter[v->in[1]]);
                if (v->n == 0)
                        continue;
                numbers(v->at, at);
                (void)printf("  %-40s %s %s (A %s, B %s at %s), in %" PRIu64 "\n", v->name, number(v->most, m),
                             diff_unit(v->unit), at[0], at[1], clk_format(v->most_ms, t), v->n);
        }
}

static void print_decision(const struct diff_decision *f, char side)
{
        char m[32];

        (void)printf("  %c  %s, %s%s%s; ", side, decision_kind_str(f->kind), decision_reason_str(f->reason),
                     f->binding[0] ? " at " : "", f->binding);
        if (isfinite(f->margin))
                (void)printf("margin %s K%s%s", number(f->margin, m), f->margin_at[0] ? " at " : "", f->margin_at);
        else
                (void)printf("no margin");
        (void)printf("%s  (step %" PRIu64 " of run %" PRId64 ", mode %s)\n",
                     f->verified ? "" : "; the second checker disagreed", f->step, f->run_id, f->mode);
}

/* Actions that differ; where none does, proposals that do. */
static bool is_shown(const struct diff *d, const struct diff_var *v)
{
        bool any = false;

        for (size_t i = 0; i < d->nvar && !any; i++)
                any = !same(d->var[i].first_action[0], d->var[i].first_action[1]);
        if (any)
                return !same(v->first_action[0], v->first_action[1]);
        return d->first[0].has_proposal && d->first[1].has_proposal &&
               !same(v->first_proposal[0], v->first_proposal[1]);
}

static void print_pair(const char *what, const double *v)
{
        char t[2][32];

        numbers(v, t);
        if (same(v[0], v[1]))
                (void)printf("%s %s", what, t[0]);
        else
                (void)printf("%s A %s, B %s", what, t[0], t[1]);
}

static void print_first_variables(const struct diff *d)
{
        size_t shown = 0, more = 0;

        for (size_t i = 0; i < d->nvar; i++) {
                const struct diff_var *v = &d->var[i];

                if (!is_shown(d, v))
                        continue;
                if (shown++ >= 8) {
                        more++;
                        continue;
                }
                (void)printf("     %-40s", v->name);
                print_pair(" in force", v->first_confirmed);
                print_pair("; proposed", v->first_proposal);
                print_pair("; action", v->first_action);
                (void)printf(" %s\n", v->unit);
        }
        if (more > 0)
                (void)printf("     and %zu more\n", more);
}

/* Names of the parts in a state, commas between; the number of them. */
static int list_parts(const struct diff *d, enum diff_state state, char *buf, size_t cap)
{
        int n = 0;

        buf[0] = '\0';
        for (int i = 0; i < DIFF_PARTS; i++)
                if (d->first_part[i] == state) {
                        size_t at = strlen(buf);

                        (void)snprintf(buf + at, cap - at, "%s%s", n++ > 0 ? ", " : "",
                                       diff_part_str((enum diff_part)i));
                }
        return n;
}

/* What of all that a decision is made on was not the same. */
static void print_origin(const struct diff *d)
{
        char list[160], t[32], v[2][32];
        int n;

        if (list_parts(d, DIFF_EQUAL, list, sizeof list) > 0)
                (void)printf("  equal: %s%s\n", list, d->config.same ? ", configuration" : "");
        n = list_parts(d, DIFF_DIFFERS, list, sizeof list);
        for (int i = 0; i < DIFF_PARTS; i++) {
                if (d->first_part[i] != DIFF_DIFFERS)
                        continue;
                (void)printf("  not equal: %s", diff_part_str((enum diff_part)i));
                if (d->part[i].first_ms < d->first_ms)
                        (void)printf(", since %s", clk_format(d->part[i].first_ms, t));
                if (i == DIFF_READINGS && d->reading[0]) {
                        numbers(d->reading_v, v);
                        (void)printf(" (%s: A %s, B %s)", d->reading, v[0], v[1]);
                }
                if (i == DIFF_MODEL)
                        (void)printf(" (A %016" PRIx64 ", B %016" PRIx64 ")", d->first[0].model_hash,
                                     d->first[1].model_hash);
                if (i == DIFF_PROPOSAL && d->first[0].has_proposal != d->first[1].has_proposal)
                        (void)printf(" (%c has none)", letter[d->first[0].has_proposal]);
                (void)printf("\n");
        }
        if (!d->config.same)
                (void)printf("  not equal: configuration%s\n", d->config.nlimit > 0 ? ", limits too" : "");
        if (strcmp(d->first[0].version, d->first[1].version) != 0)
                (void)printf("  not equal: version of coolplane (A %s, B %s)\n", d->first[0].version,
                             d->first[1].version);
        else if (n == 0 && d->config.same)
                (void)printf(
                    "  nothing else that is stored differs: another build, or what the filter remembers of the "
                    "steps before\n");
        if (list_parts(d, DIFF_UNKNOWN, list, sizeof list) > 0)
                (void)printf("  not stored: %s\n", list);
}

static void print_text(const struct diff *d, const char *const db[2], const struct replay_origin of[2])
{
        char t[32];

        for (int k = 0; k < 2; k++) {
                (void)printf("%c  %s\n", letter[k], db[k]);
                if (of[k].what_if)
                        (void)printf("   a what-if: readings as modelled, not measured\n");
                if (!of[k].ended)
                        (void)printf("   this replay did not end: what it would have gone on with is not here\n");
        }
        print_config(&d->config);
        print_counts(d);
        print_actions(d);
        if (d->equal < d->both) {
                (void)printf("first difference: %s\n", clk_format(d->first_ms, t));
                for (int k = 0; k < 2; k++)
                        print_decision(&d->first[k], letter[k]);
                print_first_variables(d);
                print_origin(d);
                return;
        }
        for (int i = 0; i < DIFF_PARTS; i++)
                if (d->part[i].differs > 0)
                        (void)printf("  though not made on the same: %s in %" PRIu64 ", first %s\n",
                                     diff_part_str((enum diff_part)i), d->part[i].differs,
                                     clk_format(d->part[i].first_ms, t));
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void put_text(const char *name, const char *text)
{
        (void)printf("\"%s\":", name);
        cli_json_string(stdout, text);
}

static void put_time(const char *name, int64_t t_ms)
{
        char t[32];

        (void)printf("\"%s\":\"%s\"", name, clk_format(t_ms, t));
}

static void put_number(const char *name, double v)
{
        (void)printf("\"%s\":", name);
        cli_json_number(stdout, v);
}

static void put_pair(const char *name, const double *v)
{
        (void)printf("\"%s\":[", name);
        cli_json_number(stdout, v[0]);
        (void)printf(",");
        cli_json_number(stdout, v[1]);
        (void)printf("]");
}

static void put_config(const struct diff_config *c)
{
        (void)printf("\"configuration\":{\"same\":%s,\"limits\":[", c->same ? "true" : "false");
        for (size_t i = 0; i < c->nlimit; i++) {
                (void)printf("%s{", i ? "," : "");
                put_text("what", c->limit[i].what);
                (void)printf(",");
                put_text("point", c->limit[i].point);
                (void)printf(",");
                put_text("unit", c->limit[i].unit);
                (void)printf(",\"points\":%zu,", c->limit[i].n);
                put_pair("value", c->limit[i].v);
                (void)printf("}");
        }
        (void)printf("],\"files\":[");
        for (size_t i = 0; i < c->nfile; i++) {
                (void)printf("%s{", i ? "," : "");
                put_text("file", c->file[i].name);
                (void)printf(",\"line\":%zu,", c->file[i].line);
                put_text("a", c->file[i].text[0]);
                (void)printf(",");
                put_text("b", c->file[i].text[1]);
                (void)printf(",\"more\":%zu}", c->file[i].more);
        }
        (void)printf("]}");
}

static void put_pairs(const char *name, const uint64_t *n, int count, const char *(*str)(int))
{
        bool any = false;

        (void)printf("\"%s\":[", name);
        for (int i = 0; i < count; i++)
                for (int k = 0; k < count; k++)
                        if (n[i * count + k] > 0) {
                                (void)printf("%s{\"a\":\"%s\",\"b\":\"%s\",\"decisions\":%" PRIu64 "}", any ? "," : "",
                                             str(i), str(k), n[i * count + k]);
                                any = true;
                        }
        (void)printf("]");
}

static const char *kind_str(int k)
{
        return decision_kind_str((enum decision_kind)k);
}

static const char *reason_str(int r)
{
        return decision_reason_str((enum decision_reason)r);
}

static void put_variables(const struct diff *d)
{
        bool any = false;

        (void)printf("\"variables\":[");
        for (size_t i = 0; i < d->nvar; i++) {
                const struct diff_var *v = &d->var[i];

                if (v->n == 0 && v->in[0] && v->in[1])
                        continue;
                (void)printf("%s\n{", any ? "," : "");
                any = true;
                put_text("point", v->name);
                (void)printf(",");
                put_text("unit", v->unit);
                (void)printf(",\"in\":[%s,%s],\"decisions\":%" PRIu64 ",", v->in[0] ? "true" : "false",
                             v->in[1] ? "true" : "false", v->n);
                put_number("largest", v->n > 0 ? v->most : (double)NAN);
                if (v->n > 0) {
                        (void)printf(",");
                        put_time("time", v->most_ms);
                }
                (void)printf(",");
                put_pair("action", v->at);
                (void)printf("}");
        }
        (void)printf("]");
}

static void put_decision(const char *name, const struct diff_decision *f)
{
        (void)printf("\"%s\":{\"run\":%" PRId64 ",\"step\":%" PRIu64 ",", name, f->run_id, f->step);
        put_text("mode", f->mode);
        (void)printf(",\"decision\":\"%s\",\"reason\":\"%s\",", decision_kind_str(f->kind),
                     decision_reason_str(f->reason));
        put_text("binding", f->binding);
        (void)printf(",");
        put_number("margin", f->margin);
        (void)printf(",");
        put_text("margin_at", f->margin_at);
        (void)printf(",\"proposal\":%s,\"verified\":%s,\"model_hash\":\"%016" PRIx64 "\",",
                     f->has_proposal ? "true" : "false", f->verified ? "true" : "false", f->model_hash);
        put_text("version", f->version);
        (void)printf(",");
        put_text("config", f->config);
        (void)printf("}");
}

static const char *state_str(enum diff_state s)
{
        static const char *const name[] = {"equal", "differs", "not stored"};

        return (unsigned)s < sizeof name / sizeof name[0] ? name[s] : "";
}

static void put_first(const struct diff *d)
{
        bool any = false;

        (void)printf("\"first_difference\":");
        if (d->equal == d->both) {
                (void)printf("null");
                return;
        }
        (void)printf("{");
        put_time("time", d->first_ms);
        (void)printf(",\n");
        put_decision("a", &d->first[0]);
        (void)printf(",\n");
        put_decision("b", &d->first[1]);
        (void)printf(",\n\"variables\":[");
        for (size_t i = 0; i < d->nvar; i++) {
                const struct diff_var *v = &d->var[i];

                if (same(v->first_action[0], v->first_action[1]) && same(v->first_proposal[0], v->first_proposal[1]))
                        continue;
                (void)printf("%s{", any ? "," : "");
                any = true;
                put_text("point", v->name);
                (void)printf(",");
                put_pair("in_force", v->first_confirmed);
                (void)printf(",");
                put_pair("proposal", v->first_proposal);
                (void)printf(",");
                put_pair("action", v->first_action);
                (void)printf("}");
        }
        (void)printf("],\n\"made_on\":{");
        for (int i = 0; i < DIFF_PARTS; i++)
                (void)printf("\"%s\":\"%s\",", diff_part_str((enum diff_part)i), state_str(d->first_part[i]));
        (void)printf("\"configuration\":\"%s\"}}", state_str(d->config.same ? DIFF_EQUAL : DIFF_DIFFERS));
}

static void put_parts(const struct diff *d)
{
        (void)printf("\"made_on\":[");
        for (int i = 0; i < DIFF_PARTS; i++) {
                (void)printf("%s{\"what\":\"%s\",\"differs\":%" PRIu64 ",\"not_stored\":%" PRIu64, i ? "," : "",
                             diff_part_str((enum diff_part)i), d->part[i].differs, d->part[i].unknown);
                if (d->part[i].differs > 0) {
                        (void)printf(",");
                        put_time("first", d->part[i].first_ms);
                }
                if (i == DIFF_READINGS && d->reading[0]) {
                        (void)printf(",");
                        put_text("point", d->reading);
                        (void)printf(",");
                        put_pair("value", d->reading_v);
                }
                (void)printf("}");
        }
        (void)printf("]");
}

static void print_json(const struct diff *d, const char *const db[2], const struct replay_origin of[2])
{
        (void)printf("{");
        put_text("a", db[0]);
        (void)printf(",");
        put_text("b", db[1]);
        (void)printf(",\"what_if\":[%s,%s],\"ended\":[%s,%s]", of[0].what_if ? "true" : "false",
                     of[1].what_if ? "true" : "false", of[0].ended ? "true" : "false", of[1].ended ? "true" : "false");
        (void)printf(",\n\"both\":%" PRIu64 ",\"equal\":%" PRIu64 ",\"differ\":%" PRIu64
                     ",\"differ_in\":{\"kind\":%" PRIu64 ",\"reason\":%" PRIu64 ",\"binding\":%" PRIu64
                     ",\"action\":%" PRIu64 "},\n",
                     d->both, d->equal, d->both - d->equal, d->kind, d->reason, d->binding, d->action);
        (void)printf("\"missing\":[%" PRIu64 ",%" PRIu64 "],\"before\":[%" PRIu64 ",%" PRIu64 "],\"after\":[%" PRIu64
                     ",%" PRIu64 "],\"twice\":[%" PRIu64 ",%" PRIu64 "],\n",
                     d->only[1], d->only[0], d->before[0], d->before[1], d->after[0], d->after[1], d->again[0],
                     d->again[1]);
        put_config(&d->config);
        (void)printf(",\n");
        put_pairs("kinds", &d->by_kind[0][0], 4, kind_str);
        (void)printf(",\n");
        put_pairs("reasons", &d->by_reason[0][0], DIFF_REASONS, reason_str);
        (void)printf(",\n");
        put_variables(d);
        (void)printf(",\n");
        put_parts(d);
        (void)printf(",\n");
        put_first(d);
        (void)printf("}\n");
}

/* --- the verb ---------------------------------------------------------------------------------------------------- */

struct bar {
        int64_t from_ms, to_ms;
        int shown;
};

static int take_span(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct bar *b = ctx;

        (void)n;
        (void)name;
        if (text[0] && text[1]) {
                (void)parse_int64(text[0], INT64_MIN, INT64_MAX, &b->from_ms);
                (void)parse_int64(text[1], INT64_MIN, INT64_MAX, &b->to_ms);
        }
        return 0;
}

static void show_bar(void *ctx, int64_t t_ms)
{
        struct bar *b = ctx;
        int percent = (int)(100 * (t_ms - b->from_ms) / (b->to_ms - b->from_ms + 1));

        if (percent == b->shown || percent < 0 || percent > 100)
                return;
        b->shown = percent;
        (void)fprintf(stderr, "\rcompare %3d %%", percent);
}

static int open_db(const char *path, struct store **ret)
{
        char why[256];
        int r = store_open(path, STORE_READ, ret, why);

        if (r == 0)
                return EXIT_OK;
        (void)fprintf(stderr, "coolplane replay: %s\n", why);
        return db_exit(r);
}

static int compare(struct store *const store[2], const char *const db[2], int64_t from_ms, int64_t to_ms, bool json)
{
        struct replay_origin of[2] = {{.replay = false}};
        struct bar bar = {.shown = -1};
        struct diff_args args = {.store = {store[0], store[1]}, .from_ms = from_ms, .to_ms = to_ms, .ctx = &bar};
        struct diff d;
        int r, side, code = EXIT_OK;

        if (!json && isatty(STDERR_FILENO) &&
            store_query_rows(store[0], "SELECT (SELECT min(t_ms) FROM decision), (SELECT max(t_ms) FROM decision)",
                             NULL, 0, take_span, &bar) == 0) {
                bar.from_ms = from_ms > bar.from_ms ? from_ms : bar.from_ms;
                bar.to_ms = to_ms < bar.to_ms ? to_ms : bar.to_ms;
                args.progress = show_bar;
        }
        for (side = 0, r = 0; r == 0 && side < 2; side++)
                r = replay_origin_get(store[side], &of[side]);
        if (r < 0) {
                (void)fprintf(stderr, "coolplane replay: %s: %s\n", db[side - 1], store_errmsg(store[side - 1]));
                return db_exit(r);
        }
        r = diff_run(&args, &d, &side);
        if (args.progress && bar.shown >= 0)
                (void)fputs("\r             \r", stderr);
        if (r < 0) {
                (void)fprintf(stderr, "coolplane replay: %s: %s\n", db[side],
                              r == -ENOMEM || r == -E2BIG ? strerror(-r) : store_errmsg(store[side]));
                code = r == -ENOMEM ? EXIT_GENERIC : r == -E2BIG || r == -EUCLEAN ? EXIT_DATA : EXIT_IO;
        } else if (d.both == 0) {
                (void)fprintf(stderr, "coolplane replay: %s and %s have no decision at the same time%s\n", db[0], db[1],
                              from_ms > INT64_MIN || to_ms < INT64_MAX ? " in this span" : "");
                code = EXIT_CANNOT_EVALUATE;
        } else {
                (json ? print_json : print_text)(&d, db, of);
                code = differs(&d) || !of[0].ended || !of[1].ended ? EXIT_VIOLATIONS : EXIT_OK;
        }
        diff_free(&d);
        return code;
}

int replay_diff(const char *a, const char *b, int64_t from_ms, int64_t to_ms, bool json)
{
        struct store *store[2] = {NULL, NULL};
        const char *const db[2] = {a, b};
        int code = open_db(a, &store[0]);

        if (code == EXIT_OK)
                code = open_db(b, &store[1]);
        if (code == EXIT_OK)
                code = compare(store, db, from_ms, to_ms, json);
        store_close(store[1]);
        store_close(store[0]);
        return code;
}
