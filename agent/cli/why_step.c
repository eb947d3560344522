/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The record of one control step in words: what changed, why, which limit allowed it, what was checked, who approved
 * it, what happened, how to reverse it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/cli/cli.h"
#include "agent/cli/replay_origin.h"
#include "agent/cli/why.h"
#include "agent/points/layout.h"

#define NEAR_MS "120000" /* events this close to a step are told with it */

/* --- texts ------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *reason, *text;
} reasons[] = {
    {"accepted", "the proposal kept every limit and was certified"},
    {"limit", "a variable was proposed outside its range (the dew point's and freezing water's, too), or lies beyond "
              "it and stays there"},
    {"rate", "a variable was proposed to move toward less cooling faster than allowed"},
    {"equipment", "minimum on or off time, starts per hour, running capacity, evaporator flow (too little, or still "
                  "changing) or lift "
                  "stood against it"},
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

int why_failed(const struct db_args *a, int r)
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
                printf("  %s", text[i] ? text[i] : "-");
        printf("\n");
        return 0;
}

/* Rows under a title; `none` (or nothing) when there are none. */
int why_section(const struct db_args *a, const char *title, const char *none, const char *sql,
                const struct store_param *p, size_t np)
{
        struct printer out = {.title = title};
        int r = store_query_rows(a->store, sql, p, np, print_line, &out);
        if (r == 0 && out.rows == 0 && none)
                printf("\n%s\n  %s\n", title, none);
        return why_failed(a, r);
}

int why_json(const struct db_args *a, const struct why_member *m, size_t n, const struct store_param *p)
{
        int r = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                char *rows = NULL;
                r = why_failed(a, store_query_json(a->store, m[i].sql, p, m[i].np, &rows));
                if (r < 0)
                        break;
                printf("%s\"%s\":", i ? ",\n" : "{", m[i].name);
                if (m[i].object)
                        print_json_object(rows);
                else
                        printf("%s", rows);
                free(rows);
        }
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
/* Proposed elsewhere, but not moved. */
#define KEPT " FROM v_setpoints v WHERE decision_id = ?1 AND NOT (" CHANGED ") AND " DIFFERS("proposal - action")

/* Whose decision it was and under what: the question who approved it. */
#define APPROVED                                                                                                       \
        "SELECT CASE WHEN r.mode IN ('shadow', 'replay') OR d.mode = 'SHADOW' THEN 'nobody: nothing is written in '"   \
        " || r.mode WHEN d.mode = 'RELEASE' THEN 'nobody: the devices run on their own controls' ELSE"                 \
        " 'coolplaned by itself, as the site file allows: ' || iif(d.move = '" HANDBACK "', 'it hands back',"          \
        " 'safety filter' || iif(d.verified, ' and second checker', '; the second checker did NOT agree')) END AS by," \
        " d.verified, r.mode AS run_mode, r.start AS since, r.version, r.config FROM v_decisions d"                    \
        " JOIN v_runs r ON r.run = d.run WHERE d.id = ?1"
#define HANDBACK "hand-back to local setpoints"
/* The hottest inlet about five minutes on, and whether anything was written in between is another question. */
#define AFTERWARDS                                                                                                     \
        "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', n.t_ms / 1000.0, 'unixepoch') AS time, (n.t_ms - d.t_ms) / 1000 AS"     \
        " seconds, d.worst_inlet_c AS worst_inlet_before_c, n.worst_inlet_c AS worst_inlet_c FROM decision d"          \
        " JOIN decision n ON n.run_id = d.run_id AND n.t_ms BETWEEN d.t_ms + 240000 AND d.t_ms + 360000"               \
        " WHERE d.id = ?1 ORDER BY abs(n.t_ms - d.t_ms - 300000) LIMIT 1"
/* What brings back what was in force: the setpoints that a write of this decision has replaced, or may have. */
#define REVERSE                                                                                                        \
        "SELECT v.point, v.unit, v.confirmed AS value FROM v_setpoints v JOIN v_actions a ON a.decision_id ="          \
        " v.decision_id AND a.point_id = v.point_id WHERE v.decision_id = ?1 AND a.result <> 'NOT_SENT'"               \
        " AND a.result NOT LIKE 'REJECTED%' AND v.confirmed IS NOT NULL ORDER BY v.var"

/* Which output had the least margin and what its limit was. */
struct allowed {
        char output[POINT_NAME_MAX]; /* "" = none, or not known */
        double margin_k, limit_c;    /* NaN = none, or not known */
        int binding_y;
        char config[65], decision[24], reason[24];
        bool writes; /* not in shadow or replay */
};

static int take_allowed(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct allowed *w = ctx;
        int64_t y = -1;
        (void)n;
        (void)name;
        if (text[0])
                (void)parse_double(text[0], &w->margin_k);
        if (text[1])
                (void)parse_int64(text[1], -1, INT32_MAX, &y);
        w->binding_y = (int)y;
        snprintf(w->config, sizeof w->config, "%s", text[2]);
        snprintf(w->decision, sizeof w->decision, "%s", text[3]);
        snprintf(w->reason, sizeof w->reason, "%s", text[4]);
        w->writes = text[5][0] == '1';
        return 0;
}

/* The output's name and limit are those of the configuration that the database keeps of the run. */
static void name_output(const struct db_args *a, struct allowed *w)
{
        struct site_text *text = NULL;
        struct site_errors *errors = NULL;
        struct layout *l = NULL;
        struct site *site = NULL;
        size_t n = 0;
        if (w->binding_y < 0 || store_get_config(a->store, w->config, &text, &n) < 0)
                return;
        if (site_load_texts(text, n, &site, &errors) == 0 && layout_create(site, &l) == 0 &&
            (size_t)w->binding_y < l->ny) {
                snprintf(w->output, sizeof w->output, "%s", site->point[l->y[w->binding_y].point].name);
                w->limit_c = site->limits.inlet_allowable_c;
        }
        layout_free(l);
        site_free(site);
        site_errors_free(errors);
        free(text);
}

static int find_allowed(const struct db_args *a, const struct store_param *p, struct allowed *ret)
{
        *ret = (struct allowed){.margin_k = (double)NAN, .limit_c = (double)NAN, .binding_y = -1};
        int r = why_failed(a, store_query_rows(a->store,
                                               "SELECT d.margin, d.binding_y, r.config, d.decision, d.reason,"
                                               " r.mode NOT IN ('shadow', 'replay') AND d.mode <> 'SHADOW'"
                                               " FROM v_decisions d JOIN run r ON r.id = d.run WHERE d.id = ?1",
                                               p, 1, take_allowed, ret));
        if (r == 0 && isfinite(ret->margin_k))
                name_output(a, ret);
        return r;
}

static void print_allowed(const struct allowed *w)
{
        printf("\nallowed by\n  ");
        if (isfinite(w->margin_k) && w->output[0])
                printf("worst case of the model set: %.4g K %s the hard limit of %.4g degC at %s\n", fabs(w->margin_k),
                       w->margin_k < 0 ? "BEYOND" : "below", w->limit_c, w->output);
        else if (isfinite(w->margin_k))
                printf("worst case of the model set: %.4g K %s the nearest hard limit\n", fabs(w->margin_k),
                       w->margin_k < 0 ? "BEYOND" : "below");
        else
                printf("no certificate (%s): limits, rates and equipment rules alone\n",
                       strcmp(w->decision, "fallback") == 0 ? "the fallback decides without the model"
                       : strcmp(w->reason, "sensor") == 0   ? "a room could not be read"
                                                            : "no worst case could be computed");
        if (isfinite(w->margin_k) && w->margin_k < 0)
                printf("  so only more cooling, or no less than what runs, was let pass\n");
}

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

static int print_changes(const struct db_args *a, const struct store_param *p, const struct allowed *w)
{
        int r =
            why_section(a, w->writes ? "what changed" : "what would change (nothing is written here)", "nothing",
                        "SELECT format('%-40s %s -> %s %s', point, coalesce(round(confirmed, 4), 'unknown'),"
                        " round(action, 4), unit), iif(proposal IS NULL, 'no proposal',"
                        " iif(" DIFFERS("proposal - action") ", 'proposed ' || round(proposal, 4), 'as proposed'))"
                                                             " FROM v_setpoints v WHERE decision_id = ?1 AND " CHANGED
                                                             " ORDER BY var",
                        p, 2);
        if (r == 0)
                r = why_section(a, "kept where it is, though proposed elsewhere", NULL,
                                "SELECT format('%-40s stays at %s %s, proposed %s', point, round(action, 4), unit,"
                                " round(proposal, 4))" KEPT " ORDER BY var",
                                p, 2);
        if (r == 0)
                r = why_section(a, "not ours to move", NULL, FIXED, p, 1);
        return r;
}

static int print_checks(const struct db_args *a, const struct store_param *p)
{
        int r =
            why_section(a, "limits checked", NULL,
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
                        " round(fraction, 3)) FROM decision d WHERE id = ?1 AND fraction IS NOT NULL AND has_proposal"
                        " AND EXISTS (SELECT 1 FROM v_setpoints v WHERE v.decision_id = d.id AND " CHANGED ")",
                        p, 2);
        if (r == 0)
                r = why_section(
                    a, "approved by", NULL,
                    "SELECT format('%s', by) FROM (" APPROVED ") UNION ALL SELECT"
                    " format('coolplane %s, started in %s at %s, configuration %.12s', version, run_mode, since,"
                    " config) FROM (" APPROVED ")",
                    p, 1);
        if (r == 0)
                r = why_section(a, "proposal", "none arrived",
                                "SELECT iif(move = '" HANDBACK "', 'not from the planner: the gate hands back to"
                                " local setpoints', format('%splant power %s%s', iif(move = '', '', move || ', '),"
                                " coalesce(round(predicted_w / 1000, 2) || ' kW predicted', 'not predicted'),"
                                " coalesce(' +- ' || round(predicted_std_w / 1000, 2) || ' kW', '')))"
                                " FROM decision WHERE id = ?1 AND has_proposal",
                                p, 1);
        return r;
}

static int print_outcome(const struct db_args *a, const struct store_param *p, const struct allowed *w, bool what_if)
{
        int r =
            why_section(a, what_if ? "as modelled, not measured" : "measured", NULL,
                        "SELECT format('hottest inlet %s; solved in %s ms', coalesce(round(worst_inlet_c, 2) ||"
                        " ' degC', 'unknown'), coalesce(round(1000 * solve_s, 2), '-'))"
                        " FROM decision WHERE id = ?1 UNION ALL"
                        " SELECT format('hottest inlet %s s later: %s', seconds, coalesce(round(worst_inlet_c, 2) ||"
                        " ' degC', 'unknown')) FROM (" AFTERWARDS ")",
                        p, 1);
        if (r == 0 && w->writes)
                r = why_section(a, "writes", "none belong to this step",
                                "SELECT format('%-40s %s', point, round(value, 4)), result,"
                                " 'read back ' || coalesce(round(read_back, 4), 'nothing'), why"
                                " FROM v_actions WHERE decision_id = ?1 ORDER BY id",
                                p, 1);
        else if (r == 0)
                r = why_section(
                    a, "writes", NULL,
                    "SELECT format('none: %d would have been', count(*)) FROM action WHERE decision_id = ?1", p, 1);
        if (r == 0)
                r = why_section(a, "events within two minutes", NULL,
                                "SELECT e.time, e.severity, e.component || ': ' || e.text FROM v_events e, decision d"
                                " WHERE d.id = ?1 AND e.t_ms BETWEEN d.t_ms - " NEAR_MS " AND d.t_ms + " NEAR_MS
                                " ORDER BY e.t_ms, e.id LIMIT 50",
                                p, 1);
        return r;
}

static int count_rows(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        int *rows = ctx;
        (void)n;
        (void)name;
        (void)text;
        ++*rows;
        return 0;
}

static int print_reverse(const struct db_args *a, const struct store_param *p, const struct allowed *w)
{
        int written = 0;
        int r = why_failed(a, store_query_rows(a->store, REVERSE, p, 1, count_rows, &written));
        if (r < 0)
                return r;
        printf("\nto reverse\n");
        if (written == 0)
                printf("  nothing: no write of this step reached a device\n");
        else
                printf("  the left numbers of \"what changed\" were in force before\n");
        if (w->writes)
                printf(
                    "  stopping coolplaned hands every device back to its own setpoints, and so does its remote-enable"
                    " point\n  set to 0 by the building management\n");
        return 0;
}

/* What the database is of, where its word is less than it looks. */
static void print_origin(const struct replay_origin *o)
{
        if (o->what_if)
                printf("  readings as modelled, not measured: a replay with --what-if\n");
        if (!o->ended)
                printf("  this replay did not end, or is going on\n");
}

int why_step_text(const struct db_args *a, const struct store_param *p)
{
        struct replay_origin origin = {.replay = false};
        struct allowed w;
        int r = find_allowed(a, p, &w);
        if (r == 0)
                r = why_failed(a, replay_origin_get(a->store, &origin));
        if (r == 0)
                r = why_failed(
                    a, store_query_rows(a->store,
                                        "SELECT format('step %d of run %d (%s), %s, mode %s', step, run,"
                                        " (SELECT mode FROM run WHERE id = d.run), time, mode),"
                                        " format('decision: %s, %s%s%s', decision, reason,"
                                        " iif(binding = '', '', ' at '), binding), reason,"
                                        " iif(reason <> 'accepted', '', (SELECT iif(count(*) = 0, ' as it stood',"
                                        " format(', but for %d command%s not ours to move or within the dead band',"
                                        " count(*), iif(count(*) = 1, '', 's')))" KEPT "))"
                                        " FROM v_decisions d WHERE id = ?1",
                                        p, 2, head_row, NULL));
        if (r == 0) {
                print_origin(&origin);
                r = print_changes(a, p, &w);
        }
        if (r == 0) {
                print_allowed(&w);
                r = print_checks(a, p);
        }
        if (r == 0)
                r = print_outcome(a, p, &w, origin.what_if);
        return r == 0 ? print_reverse(a, p, &w) : r;
}

int why_step_json(const struct db_args *a, const struct store_param *p)
{
        static const struct why_member m[] = {{"decision", DECISION, true, 1},     {"variables", VARIABLES, false, 1},
                                              {"fixed", FIXED, false, 1},          {"approved", APPROVED, true, 1},
                                              {"writes", WRITES, false, 1},        {"events", EVENTS, false, 1},
                                              {"afterwards", AFTERWARDS, true, 1}, {"reverse", REVERSE, false, 1}};
        struct replay_origin origin = {.replay = false};
        struct allowed w;
        int r = find_allowed(a, p, &w);
        if (r == 0)
                r = why_failed(a, replay_origin_get(a->store, &origin));
        if (r == 0)
                r = why_json(a, m, sizeof m / sizeof m[0], p);
        if (r < 0)
                return r;
        printf(",\n\"allowed\":{\"margin\":");
        cli_json_number(stdout, w.margin_k);
        printf(",\"output\":");
        cli_json_string(stdout, w.output);
        printf(",\"limit\":");
        cli_json_number(stdout, w.limit_c);
        printf("},\n\"written\":%s,\"what_if\":%s,\"ended\":%s}\n", w.writes ? "true" : "false",
               origin.what_if ? "true" : "false", origin.ended ? "true" : "false");
        return 0;
}
