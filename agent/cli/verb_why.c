/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane why: the record of one control step, or of one point, in words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"

static const char help[] =
    "example:\n"
    "  coolplane why latest --config /etc/coolplane/site.yaml\n"
    "  coolplane why 1742 --db coolplane.db\n"
    "  coolplane why hall/room-1/crah-1/supply-temp --db coolplane.db\n"
    "\n"
    "usage: coolplane why [latest|STEP|RUN:STEP|POINT] --config site.yaml|--db FILE [--json]\n"
    "\n"
    "A step: what changed, why, which limit bound it, what was checked, what was proposed, what became of the writes,\n"
    "what happened around it, and how to reverse it. STEP is a step of the newest run that has it.\n"
    "A point: its last samples and their quality, the last decisions that changed it or were bound by it, its writes\n"
    "and the events that mention it. The end of a name is enough when it is unique.\n";

#define NEAR_MS "120000" /* events this close to a step are told with it */

/* --- texts ------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *reason, *text;
} reasons[] = {
    {"accepted", "the proposal kept every limit and was certified"},
    {"limit", "a variable was proposed outside its range (the dew point's and freezing water's, too), or lies beyond "
              "it and stays there"},
    {"rate", "a variable was proposed to move toward less cooling faster than allowed"},
    {"equipment",
     "minimum on or off time, starts per hour, running capacity, evaporator flow or lift stood against it"},
    {"worst-case", "in the worst case of the model set an output would have passed its limit"},
    {"slow-step", "a slow variable was proposed off the slow step"},
    {"no-proposal", "the planner sent no proposal in time"},
    {"malformed", "what the planner sent was not a proposal"},
    {"not-finite", "the proposal held NaN or infinity"},
    {"low-confidence", "the planner said that it is outside what it has seen"},
    {"sensor", "a reading that the decision needs is stale or bad"},
    {"not-certifiable", "from here nothing but the backup (more cooling) could be certified"},
    {"trip", "a measured output is above its trip value: full cooling"},
    {"interlock", "an interlock demands full cooling"},
    {"verify", "the second checker disagreed"},
    {"recovering", "clean steps are still missing before leaving fallback"},
    {"water", "warmer water was refused: valves are open or the rooms ask for cooling"},
};

static const char *explain(const char *reason)
{
        for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
                if (strcmp(reasons[i].reason, reason) == 0)
                        return reasons[i].text;
        return "";
}

static int failed(const struct db_args *a, int r)
{
        if (r < 0)
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
        return r;
}

struct printer {
        const char *title; /* printed before the first row */
        int rows;
};

/* Columns joined; a title before the first row. */
static int print_line(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct printer *p = ctx;
        (void)name;
        if (p->rows++ == 0)
                printf("\n%s\n", p->title);
        for (size_t i = 0; i < n; i++)
                printf("%s%s", i ? "  " : "  ", text[i] ? text[i] : "-");
        printf("\n");
        return 0;
}

/* Rows under a title; `none` (or nothing) when there are none. */
static int section(const struct db_args *a, const char *title, const char *none, const char *sql,
                   const struct store_param *p, size_t np)
{
        struct printer out = {.title = title};
        int r = store_query_rows(a->store, sql, p, np, print_line, &out);
        if (r == 0 && out.rows == 0 && none)
                printf("\n%s\n  %s\n", title, none);
        return failed(a, r);
}

/* Members of a JSON document, each from one query. */
struct member {
        const char *name, *sql;
        bool object; /* a single row, not a list */
        size_t np;   /* parameters it takes */
};

static int json_document(const struct db_args *a, const struct member *m, size_t n, const struct store_param *p)
{
        int r = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                char *rows = NULL;
                r = failed(a, store_query_json(a->store, m[i].sql, p, m[i].np, &rows));
                if (r < 0)
                        break;
                printf("%s\"%s\":", i ? ",\n" : "{", m[i].name);
                if (m[i].object)
                        print_json_object(rows);
                else
                        printf("%s", rows);
                free(rows);
        }
        if (r == 0)
                printf("}\n");
        return r;
}

/* --- a step ------------------------------------------------------------------------------------------------------ */

#define DECISION "SELECT * FROM v_decisions WHERE id = ?1"
#define VARIABLES                                                                                                      \
        "SELECT point, unit, confirmed, proposal, action, change FROM v_setpoints WHERE decision_id = ?1 ORDER BY var"
#define WRITES                                                                                                         \
        "SELECT point, value, why, result, written, read_back, time, outcome_time FROM v_actions"                      \
        " WHERE decision_id = ?1 ORDER BY id"
#define EVENTS                                                                                                         \
        "SELECT e.time, e.severity, e.component, e.text FROM v_events e, decision d WHERE d.id = ?1"                   \
        " AND e.t_ms BETWEEN d.t_ms - " NEAR_MS " AND d.t_ms + " NEAR_MS " ORDER BY e.t_ms, e.id LIMIT 50"
/* The last that was said about each point before the step (and in its run): events "POINT: reason". */
#define FIXED                                                                                                          \
        "SELECT text FROM (SELECT e.text, max(e.id) FROM v_events e, decision d WHERE d.id = ?1 AND e.run = d.run_id"  \
        " AND e.component = 'fixed' AND e.t_ms <= d.t_ms GROUP BY substr(e.text, 1, instr(e.text, ': ')))"             \
        " WHERE text NOT LIKE '%: free'"
/* Half a register count, as the gate judges whether there is anything to write. ?2: object of what half a count is by
 * point, as far as known; below 1e-6 it is the noise of a float32. */
#define DIFFERS(d)                                                                                                     \
        "(abs(" d ") >= 1e-6 AND abs(" d ") >= coalesce((SELECT value FROM json_each(?2) WHERE key = v.point), 0))"
#define CHANGED "v.action IS NOT NULL AND (v.confirmed IS NULL OR " DIFFERS("v.change") ")"

/* Proposed elsewhere, but not moved. */
#define KEPT " FROM v_setpoints v WHERE decision_id = ?1 AND NOT (" CHANGED ") AND " DIFFERS("proposal - action")

static int head_row(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)ctx;
        (void)n;
        (void)name;
        printf("%s\n%s\n", text[0], text[1]);
        const char *words = explain(text[2]);
        if (words[0])
                printf("  %s%s\n", words, text[3]);
        return 0;
}

static int step_text(const struct db_args *a, const struct store_param *p)
{
        int r = failed(a, store_query_rows(a->store,
                                           "SELECT format('step %d of run %d (%s), %s, mode %s', step, run,"
                                           " (SELECT mode FROM run WHERE id = d.run), time, mode),"
                                           " format('decision: %s, %s%s%s', decision, reason,"
                                           " iif(binding = '', '', ' at '), binding), reason,"
                                           " iif(reason <> 'accepted', '', (SELECT iif(count(*) = 0, ' as it stood',"
                                           " format(', but for %d command%s not ours to move or within the dead band',"
                                           " count(*), iif(count(*) = 1, '', 's')))" KEPT "))"
                                           " FROM v_decisions d WHERE id = ?1",
                                           p, 2, head_row, NULL));
        if (r == 0)
                r = section(
                    a, "what changed", "nothing",
                    "SELECT format('%-40s %s -> %s %s', point, coalesce(round(confirmed, 4), 'unknown'),"
                    " round(action, 4), unit), iif(proposal IS NULL, 'no proposal',"
                    " iif(" DIFFERS(
                        "proposal - action") ", 'proposed ' || round(proposal, 4),"
                                             " 'as proposed')) FROM v_setpoints v WHERE decision_id = ?1 AND " CHANGED
                                             " ORDER BY var",
                    p, 2);
        if (r == 0)
                r = section(a, "kept where it is, though proposed elsewhere", NULL,
                            "SELECT format('%-40s stays at %s %s, proposed %s', point, round(action, 4), unit,"
                            " round(proposal, 4))" KEPT " ORDER BY var",
                            p, 2);
        if (r == 0)
                r = section(a, "not ours to move", NULL, FIXED, p, 1);
        if (r == 0)
                r = section(a, "limits checked", NULL,
                            "SELECT format('model set %s, confidence %s %%, %d step%s ahead', model_hash,"
                            " coalesce(round(100 * (1 - delta), 1), '-'), horizon, iif(horizon = 1, '', 's')) FROM "
                            "decision WHERE id = ?1"
                            " UNION ALL SELECT 'least margin to a limit in the worst case: ' ||"
                            " coalesce(round(margin, 4) || ' K', " DB_UNCERTIFIED ", 'not computed')"
                            " FROM v_decisions d WHERE id = ?1"
                            " UNION ALL SELECT 'second checker: ' || iif(verified, 'agreed', 'did NOT agree') ||"
                            " '; terminal set: ' || iif(terminal, 'limit box holds under the backup',"
                            " 'not invariant') FROM decision WHERE id = ?1"
                            " UNION ALL SELECT format('action lies %s of the way to the proposal (0: what the plant "
                            "has, or the backup)',"
                            " round(fraction, 3)) FROM decision WHERE id = ?1 AND fraction IS NOT NULL",
                            p, 1);
        if (r == 0)
                r = section(
                    a, "proposal", "none arrived",
                    "SELECT iif(move = 'hand-back to local setpoints', 'not from the planner: the gate hands back to"
                    " local setpoints', format('%splant power %s%s', iif(move = '', '', move || ', '),"
                    " coalesce(round(predicted_w / 1000, 2) || ' kW predicted', 'not predicted'),"
                    " coalesce(' +- ' || round(predicted_std_w / 1000, 2) || ' kW', '')))"
                    " FROM decision WHERE id = ?1 AND has_proposal",
                    p, 1);
        if (r == 0)
                r = section(a, "measured", NULL,
                            "SELECT format('hottest inlet %s; solved in %s ms', coalesce(round(worst_inlet_c, 2) ||"
                            " ' degC', 'unknown'), coalesce(round(1000 * solve_s, 2), '-'))"
                            " FROM decision WHERE id = ?1",
                            p, 1);
        if (r == 0)
                r = section(a, "writes", "none belong to this step",
                            "SELECT format('%-40s %s', point, round(value, 4)), result,"
                            " 'read back ' || coalesce(round(read_back, 4), 'nothing'), why"
                            " FROM v_actions WHERE decision_id = ?1 ORDER BY id",
                            p, 1);
        if (r == 0)
                r = section(a, "events within two minutes", NULL,
                            "SELECT e.time, e.severity, e.component || ': ' || e.text FROM v_events e, decision d"
                            " WHERE d.id = ?1 AND e.t_ms BETWEEN d.t_ms - " NEAR_MS " AND d.t_ms + " NEAR_MS
                            " ORDER BY e.t_ms, e.id LIMIT 50",
                            p, 1);
        if (r == 0)
                printf("\nto reverse\n  the left numbers of \"what changed\" were in force before; stopping coolplaned "
                       "hands every device back\n  to its own setpoints, and so does its remote-enable point set to 0 "
                       "by the building management.\n");
        return r;
}

static int step_json(const struct db_args *a, const struct store_param *p)
{
        static const struct member m[] = {{"decision", DECISION, true, 1},
                                          {"variables", VARIABLES, false, 1},
                                          {"fixed", FIXED, false, 1},
                                          {"writes", WRITES, false, 1},
                                          {"events", EVENTS, false, 1}};
        return json_document(a, m, sizeof m / sizeof m[0], p);
}

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
        int r = section(a, "point", NULL,
                        "SELECT format('%s  (%s%s%s%s)', name, unit, iif(role = '', '', ', ' || role),"
                        " iif(device = '', '', ', device ' || device), iif(writable, ', writable', ''))"
                        " FROM point WHERE id = ?1",
                        p, 1);
        if (r == 0)
                r = section(a, "last samples", "none stored",
                            "SELECT s.time, format('%12s %s', coalesce(round(s.value, 4), 'no number'), s.unit),"
                            " s.quality || iif(s.reason = 'none', '', ', ' || s.reason),"
                            " 'raw ' || coalesce(round(s.raw, 4), '-')" SAMPLES_WHERE,
                            p, 1);
        if (r == 0)
                r = section(a, "decisions that changed it", NULL,
                            "SELECT d.time, format('step %d of run %d: %s -> %s, %s (%s%s)', d.step, d.run,"
                            " coalesce(round(v.confirmed, 4), 'unknown'), round(v.action, 4), d.decision, d.reason,"
                            " iif(d.binding = '', '', ' at ' || d.binding))" POINT_CHANGES,
                            p, 2);
        if (r == 0)
                r = section(a, "decisions it bound", NULL,
                            "SELECT time, format('step %d of run %d: %s, %s, margin %s', step, run, decision, reason,"
                            " coalesce(round(margin, 4), '-'))" POINT_BOUND,
                            p, 1);
        if (r == 0)
                r = section(a, "writes", NULL,
                            "SELECT time, round(value, 4), why, result, 'read back ' || coalesce(round(read_back, 4),"
                            " 'nothing')" POINT_WRITES,
                            p, 1);
        if (r == 0)
                r = section(a, "events that mention it or its device", NULL,
                            "SELECT e.time, e.severity, e.component || ': ' || e.text" POINT_EVENTS, p, 1);
        return r;
}

static int point_json(const struct db_args *a, const struct store_param *p)
{
        static const struct member m[] = {
            {"point", "SELECT * FROM v_points WHERE id = ?1", true, 1},
            {"samples", "SELECT s.time, s.value, s.unit, s.quality, s.reason, s.raw, s.t_ms" SAMPLES_WHERE, false, 1},
            {"decisions",
             "SELECT d.time, d.run, d.step, d.decision, d.reason, d.binding, v.confirmed, v.proposal,"
             " v.action" POINT_CHANGES,
             false, 2},
            {"bound", "SELECT time, run, step, decision, reason, margin" POINT_BOUND, false, 1},
            {"writes", "SELECT time, value, why, result, read_back, outcome_time" POINT_WRITES, false, 1},
            {"events", "SELECT e.time, e.severity, e.component, e.text" POINT_EVENTS, false, 1}};
        return json_document(a, m, sizeof m / sizeof m[0], p);
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

/* "latest", "1742" or "3:1742"; -ENOENT when there is no such decision, -EINVAL when it is not a step. */
static int find_step(const struct db_args *a, const char *what, int64_t *ret_id)
{
        struct ids found = {0};
        struct store_param p[2] = {0};
        char run[24];
        const char *colon = strchr(what, ':');
        int r;
        if (strcmp(what, "latest") == 0) {
                r = store_query_rows(a->store, "SELECT max(id) FROM decision HAVING max(id) IS NOT NULL", NULL, 0,
                                     take_id, &found);
        } else if (parse_int64(what, 0, INT64_MAX, &p[0].i) == 0) {
                r = store_query_rows(a->store, "SELECT id FROM decision WHERE step = ?1 ORDER BY id DESC LIMIT 1", p, 1,
                                     take_id, &found);
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
        if (failed(a, r) < 0)
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
        int r = failed(a, store_query_rows(a->store, "SELECT id FROM point WHERE name = ?1", &p, 1, take_id, &found));
        if (r == 0 && found.n == 0)
                r = failed(a, store_query_rows(a->store, sql, &p, 1, take_id, &found));
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

static int answer(const struct db_args *a, const char *what, const char *half)
{
        struct store_param p[2] = {{0}, {.is_text = true, .text = half}};
        int r = find_step(a, what, &p[0].i);
        if (r == 0)
                return db_exit(a->json ? step_json(a, p) : step_text(a, p));
        if (r == -ENOENT) {
                fprintf(stderr, "%s: no decision '%s' is stored\n", a->db, what);
                return EXIT_CANNOT_EVALUATE;
        }
        if (r != -EINVAL)
                return db_exit(r);
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
                code = half.failed ? EXIT_GENERIC : answer(&a, a.nrest == 1 ? a.rest[0] : "latest", half.v);
        }
        text_free(&half);
        db_args_free(&a);
        return code;
}
