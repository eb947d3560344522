/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane why: the record of one control step, or of one point, in words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/log_site.h"
#include "agent/cli/replay_origin.h"
#include "agent/cli/why.h"

static const char help[] =
    "example:\n"
    "  coolplane why latest --config /etc/coolplane/site.yaml\n"
    "  coolplane why 1742 --db coolplane.db\n"
    "  coolplane why 2026-07-15T14:30:00Z --db coolplane.db\n"
    "  coolplane why hall/room-1/crah-1/supply-temp --db coolplane.db\n"
    "\n"
    "usage: coolplane why [latest|STEP|RUN:STEP|TIME|POINT] --config site.yaml|--db FILE [--json]\n"
    "\n"
    "A step: what changed, why, which limit allowed it, what was checked, who approved it, what happened (writes, "
    "inlets,\n"
    "events), and how to reverse it. STEP is a step of the newest run that has it; TIME (RFC 3339 with offset, or "
    "epoch\n"
    "ms) means the decision in force then.\n"
    "A point: its last samples and their quality, the last decisions that changed it or were bound by it, its writes\n"
    "and the events that mention it. The end of a name is enough when it is unique.\n"
    "exit: 0 told, 2 usage, 4 no such step or point, 65 not a database, or one of another site than --config's, 69\n"
    "none or busy, 74 I/O, 78 site wrong\n";

/* --- a point ----------------------------------------------------------------------------------------------------- */

/* Samples are keyed by time: the time bound keeps this from reading the whole history. */
#define SAMPLES_WHERE                                                                                                  \
        " FROM v_samples s WHERE s.point_id = ?1 AND s.t_ms > (SELECT t_ms FROM latest WHERE point_id = ?1)"           \
        " - 3600000 AND s.t_ms <= (SELECT t_ms FROM latest WHERE point_id = ?1) ORDER BY s.t_ms DESC LIMIT 10"
#define POINT_CHANGES                                                                                                  \
        " FROM v_setpoints v JOIN v_decisions d ON d.id = v.decision_id WHERE v.point_id = ?1 AND " CHANGED            \
        " ORDER BY v.decision_id DESC LIMIT 10"
#define POINT_BOUND                                                                                                    \
        " FROM v_decisions WHERE binding = (SELECT name FROM point WHERE id = ?1) AND reason <> 'accepted'"            \
        " ORDER BY id DESC LIMIT 10"
/* The event's text holds this name as a whole: crah-1 is not in "crah-10", and a full stop may end it. Names are
 * letters, digits and _ . - (points: /), none of them special to GLOB. */
#define NAMES(name, more)                                                                                              \
        "(' ' || e.text || ' ' GLOB '*[^A-Za-z0-9_." more "-]' || " name " || '[^A-Za-z0-9_." more "-]*'"              \
        " OR ' ' || e.text || ' ' GLOB '*[^A-Za-z0-9_." more "-]' || " name " || '.[^A-Za-z0-9_." more "-]*')"
#define POINT_EVENTS                                                                                                   \
        " FROM v_events e, point p WHERE p.id = ?1 AND (" NAMES("p.name", "/") " OR (p.device <> '' AND " NAMES(       \
            "p.device", "") ")) ORDER BY e.id DESC LIMIT 10"
#define POINT_WRITES " FROM v_actions WHERE point_id = ?1 ORDER BY t_ms DESC LIMIT 10"

static int point_text(const struct db_args *a, const struct store_param *p)
{
        struct replay_origin origin = {.replay = false};
        int r = why_section(a, "point", NULL,
                            "SELECT format('%s  (%s%s%s%s)', name, unit, iif(role = '', '', ', ' || role),"
                            " iif(device = '', '', ', device ' || device), iif(writable, ', writable', ''))"
                            " FROM point WHERE id = ?1",
                            p, 1);
        if (r == 0)
                r = why_failed(a, replay_origin_get(a->store, &origin));
        if (r == 0)
                r = why_section(a, "last samples",
                                origin.replay
                                    ? "none stored: a replay stores none, they are in the log it was made from"
                                    : "none stored",
                                "SELECT s.time, format('%12s %s', coalesce(round(s.value, 4), 'no number'), s.unit),"
                                " s.quality || iif(s.reason = 'none', '', ', ' || s.reason),"
                                " 'raw ' || coalesce(round(s.raw, 4), '-')" SAMPLES_WHERE,
                                p, 1);
        if (r == 0)
                r = why_section(a, "decisions that changed it", NULL,
                                "SELECT d.time, format('step %d of run %d: %s -> %s, %s (%s%s)', d.step, d.run,"
                                " coalesce(round(v.confirmed, 4), 'unknown'), round(v.action, 4), d.decision, d.reason,"
                                " iif(d.binding = '', '', ' at ' || d.binding))" POINT_CHANGES,
                                p, 2);
        if (r == 0)
                r = why_section(
                    a, "decisions it bound", NULL,
                    "SELECT time, format('step %d of run %d: %s, %s, margin %s', step, run, decision, reason,"
                    " coalesce(round(margin, 4), '-'))" POINT_BOUND,
                    p, 1);
        if (r == 0)
                r = why_section(
                    a, "writes", NULL,
                    "SELECT time, round(value, 4), why, result, 'read back ' || coalesce(round(read_back, 4),"
                    " 'nothing')" POINT_WRITES,
                    p, 1);
        if (r == 0)
                r = why_section(a, "events that mention it or its device", NULL,
                                "SELECT e.time, e.severity, e.component || ': ' || e.text" POINT_EVENTS, p, 1);
        return r;
}

static int point_json(const struct db_args *a, const struct store_param *p)
{
        static const struct why_member m[] = {
            {"point", "SELECT * FROM v_points WHERE id = ?1", true, 1},
            {"samples", "SELECT s.time, s.value, s.unit, s.quality, s.reason, s.raw, s.t_ms" SAMPLES_WHERE, false, 1},
            {"decisions",
             "SELECT d.time, d.run, d.step, d.decision, d.reason, d.binding, v.confirmed, v.proposal,"
             " v.action" POINT_CHANGES,
             false, 2},
            {"bound", "SELECT time, run, step, decision, reason, margin" POINT_BOUND, false, 1},
            {"writes", "SELECT time, value, why, result, read_back, outcome_time" POINT_WRITES, false, 1},
            {"events", "SELECT e.time, e.severity, e.component, e.text" POINT_EVENTS, false, 1}};
        int r = why_json(a, m, sizeof m / sizeof m[0], p);
        if (r == 0)
                printf("}\n");
        return r;
}

/* --- what is asked for ------------------------------------------------------------------------------------------- */

struct ids {
        int64_t id;
        int n;
        bool tell;
};

static int take_id(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct ids *w = ctx;
        (void)n;
        (void)name;
        if (w->tell)
                fprintf(stderr, "  %s\n", text[1]);
        else if (text[0])
                (void)parse_int64(text[0], 0, INT64_MAX, &w->id);
        w->n++;
        return 0;
}

#define STEPS_MAX 100000000000 /* a larger number is a time */

/* The decision in force at a time; how old it was is told where it was not of that step. */
static int find_time(const struct db_args *a, int64_t t_ms, struct ids *found)
{
        struct store_param p = {.i = t_ms};
        struct ids age = {0};
        int r =
            store_query_rows(a->store, "SELECT id FROM decision WHERE t_ms <= ?1 ORDER BY t_ms DESC, id DESC LIMIT 1",
                             &p, 1, take_id, found);
        if (r == 0 && found->n > 0)
                r = store_query_rows(a->store, "SELECT ?1 - max(t_ms) FROM decision WHERE t_ms <= ?1", &p, 1, take_id,
                                     &age);
        if (r == 0 && age.id > 120000)
                fprintf(stderr, "the last decision before that is %lld s older\n", (long long)(age.id / 1000));
        return r;
}

/* "latest", "1742", "3:1742" or a time; -ENOENT when there is no such decision, -EINVAL when it is not a step. */
static int find_step(const struct db_args *a, const char *what, int64_t *ret_id)
{
        struct ids found = {0};
        struct store_param p[2] = {0};
        char run[24];
        const char *colon = strchr(what, ':');
        int64_t t_ms;
        int r;
        if (strcmp(what, "latest") == 0) {
                r = store_query_rows(a->store, "SELECT max(id) FROM decision HAVING max(id) IS NOT NULL", NULL, 0,
                                     take_id, &found);
        } else if (parse_int64(what, 0, STEPS_MAX, &p[0].i) == 0) {
                r = store_query_rows(a->store, "SELECT id FROM decision WHERE step = ?1 ORDER BY id DESC LIMIT 1", p, 1,
                                     take_id, &found);
        } else if (clk_parse_time(what, &t_ms) == 0) {
                r = find_time(a, t_ms, &found);
        } else if (colon && (size_t)(colon - what) < sizeof run) {
                memcpy(run, what, (size_t)(colon - what));
                run[colon - what] = '\0';
                if (parse_int64(run, 0, INT64_MAX, &p[0].i) < 0 || parse_int64(colon + 1, 0, INT64_MAX, &p[1].i) < 0)
                        return -EINVAL;
                r = store_query_rows(a->store, "SELECT id FROM decision WHERE run_id = ?1 AND step = ?2", p, 2, take_id,
                                     &found);
        } else {
                return -EINVAL;
        }
        if (why_failed(a, r) < 0)
                return r;
        *ret_id = found.id;
        return found.n > 0 ? 0 : -ENOENT;
}

/* Whole name, or an end of it after a '/' that only one point has. */
static int find_point(const struct db_args *a, const char *what, int64_t *ret_id)
{
        static const char sql[] =
            "SELECT id, name FROM point WHERE name = ?1 OR substr(name, -length(?1) - 1) = '/' || ?1"
            " ORDER BY name <> ?1, name LIMIT 12";
        static const char like[] = "SELECT id, name FROM point WHERE instr(name, ?1) > 0 ORDER BY name LIMIT 12";
        struct store_param p = {.is_text = true, .text = what};
        struct ids found = {0}, told = {.tell = true};
        int r =
            why_failed(a, store_query_rows(a->store, "SELECT id FROM point WHERE name = ?1", &p, 1, take_id, &found));
        if (r == 0 && found.n == 0)
                r = why_failed(a, store_query_rows(a->store, sql, &p, 1, take_id, &found));
        if (r < 0)
                return r;
        *ret_id = found.id;
        if (found.n == 1)
                return 0;
        fprintf(stderr, found.n ? "several points end in '%s':\n" : "no step and no point '%s'; points that hold it:\n",
                what);
        r = store_query_rows(a->store, found.n ? sql : like, &p, 1, take_id, &told);
        if (r == 0 && told.n == 0)
                fprintf(stderr, "  none\n");
        return -ENOENT;
}

/* What half a register count is, by point; without a site file nobody knows. */
static void half_counts(struct text *t, const struct site *site)
{
        text_put(t, "{");
        for (size_t i = 0, n = 0; site && i < site->npoint; i++) {
                if (!site->point[i].writable)
                        continue;
                text_put(t, n++ > 0 ? "," : "");
                text_json_string(t, site->point[i].name);
                text_put(t, ":");
                text_json_number(t, point_resolution(&site->point[i]) / 2);
        }
        text_put(t, "}");
}

static int take_span(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        int64_t *t = ctx;
        (void)n;
        (void)name;
        for (int k = 0; k < 2; k++)
                if (!text[k] || parse_int64(text[k], INT64_MIN, INT64_MAX, &t[k]) < 0)
                        t[k] = INT64_MIN;
        return 0;
}

static void tell_no_decision(const struct db_args *a, const char *what)
{
        int64_t t[2] = {INT64_MIN, INT64_MIN};
        char from[32], to[32];
        if (store_query_rows(a->store, "SELECT min(t_ms), max(t_ms) FROM decision", NULL, 0, take_span, t) < 0 ||
            t[0] == INT64_MIN || t[1] == INT64_MIN)
                fprintf(stderr, "%s: no decision '%s' is stored, nor any other\n", a->db, what);
        else
                fprintf(stderr, "%s: no decision '%s' is stored; there are some from %s to %s\n", a->db, what,
                        clk_format(t[0], from), clk_format(t[1], to));
}

/* What is meant for a time, but is none: it begins as a date or a clock does. */
static bool looks_like_time(const char *s)
{
        const size_t digits = strspn(s, "0123456789");
        return (digits == 4 && s[4] == '-' && strspn(s + 5, "0123456789") == 2) ||
               (digits == 2 && s[2] == ':' && strlen(s) <= 8);
}

static int answer(const struct db_args *a, const char *what, const char *half)
{
        struct store_param p[2] = {{0}, {.is_text = true, .text = half}};
        int r = find_step(a, what, &p[0].i);
        if (r == 0)
                return db_exit(a->json ? why_step_json(a, p) : why_step_text(a, p));
        if (r == -ENOENT) {
                tell_no_decision(a, what);
                return EXIT_CANNOT_EVALUATE;
        }
        if (r != -EINVAL)
                return db_exit(r);
        if (looks_like_time(what)) {
                fprintf(stderr,
                        "coolplane why: '%s' is no time: a time is as 2026-07-15T14:30:00Z or "
                        "2026-07-15T16:30:00+02:00, or epoch ms\n",
                        what);
                return EXIT_USAGE_;
        }
        r = find_point(a, what, &p[0].i);
        if (r == -ENOENT)
                return EXIT_CANNOT_EVALUATE;
        return r < 0 ? db_exit(r) : db_exit(a->json ? point_json(a, p) : point_text(a, p));
}

int verb_why(int argc, char **argv)
{
        struct db_args a;
        struct text half = {0};
        int code = EXIT_USAGE_;
        if (!db_args_parse(argc, argv, &a, &code))
                return code;
        if (a.help) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        if (a.nrest > 1) {
                fprintf(stderr, "coolplane why: one step or point at a time\n");
                return EXIT_USAGE_;
        }
        if (db_args_load(&a, &code) && db_args_open(&a, &code)) {
                half_counts(&half, a.site);
                code = half.failed ? EXIT_GENERIC
                       : a.site    ? log_site_check("why", a.db, a.store, a.site, false)
                                   : EXIT_OK;
                if (code == EXIT_OK)
                        code = answer(&a, a.nrest == 1 ? a.rest[0] : "latest", half.v);
        }
        text_free(&half);
        db_args_free(&a);
        return code;
}
