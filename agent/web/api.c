/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/api.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/web/asset.h"
#include "agent/web/request.h"

#define EVENTS_SEARCHED "5000" /* newest ones: severity has no index */

enum { SERIES_BUDGET_MS = 400, HOTTEST = 5, BAD_LISTED = 20 };

static const char type_json[] = "application/json; charset=utf-8";
static const char type_text[] = "text/plain; charset=utf-8";
static const char type_metrics[] = "text/plain; version=0.0.4; charset=utf-8";

struct console {
        const struct site *site;
        struct view *view;
        struct series *series;
        const struct store *series_of; /* database the kept rows came from */
        struct counters counters;
};

int console_create(const struct site *site, struct clk *clk, struct console **ret)
{
        struct console *c = calloc(1, sizeof *c);
        int r = -ENOMEM;

        if (!c)
                return r;
        c->site = site;
        r = view_create(site, clk, &c->view);
        if (r == 0)
                r = series_create(site, &c->series);
        counters_init(&c->counters);
        if (r < 0)
                console_free(c);
        else
                *ret = c;
        return r;
}

struct console *console_free(struct console *c)
{
        if (!c)
                return NULL;
        counters_clear(&c->counters);
        series_free(c->series);
        view_free(c->view);
        free(c);
        return NULL;
}

/* --- /api/status ------------------------------------------------------------------------------------------------- */

static void member(struct text *t, const char *name, double v)
{
        text_printf(t, ",\"%s\":", name);
        text_json_number(t, v);
}

static void member_text(struct text *t, const char *name, const char *v)
{
        text_printf(t, ",\"%s\":", name);
        text_json_string(t, v);
}

static void put_limits(const struct site *site, struct text *t)
{
        const struct site_limits *l = &site->limits;

        text_put(t, ",\"limits\":{\"inlet_recommended_c\":");
        text_json_number(t, view_inlet_recommended_c(site));
        member(t, "inlet_allowable_c", view_inlet_allowable_c(site));
        member(t, "inlet_min_c", l->inlet_min_c);
        member(t, "chwst_min_c", l->chwst_min_c);
        member(t, "chwst_max_c", l->chwst_max_c);
        text_put(t, "}");
}

struct hot {
        size_t point;
        double value;
};

static int hotter(const void *a, const void *b)
{
        const struct hot *x = a, *y = b;

        return (x->value < y->value) - (x->value > y->value);
}

static int put_inlets(const struct view *v, struct text *t)
{
        struct hot *h = calloc(v->site->npoint + 1, sizeof *h);
        size_t n = 0, total = 0, above = 0;

        if (!h)
                return -ENOMEM;
        for (size_t i = 0; i < v->site->npoint; i++) {
                if (v->site->point[i].role != ROLE_INLET_TEMP)
                        continue;
                total++;
                if (!view_is_present(v, i))
                        continue;
                h[n++] = (struct hot){i, v->latest[i].value};
                above += v->latest[i].value > view_inlet_recommended_c(v->site);
        }
        qsort(h, n, sizeof *h, hotter);
        text_printf(t, ",\"inlet\":{\"reporting\":%zu,\"total\":%zu,\"above_recommended\":%zu", n, total, above);
        member(t, "max_c", n > 0 ? h[0].value : (double)NAN);
        member(t, "median_c",
               n > 0 ? (n % 2 ? h[n / 2].value : (h[n / 2 - 1].value + h[n / 2].value) / 2) : (double)NAN);
        member(t, "min_c", n > 0 ? h[n - 1].value : (double)NAN);
        text_put(t, ",\"hottest\":[");
        for (size_t i = 0; i < n && i < HOTTEST; i++) {
                text_put(t, i ? ",{\"point\":" : "{\"point\":");
                text_json_string(t, v->site->point[h[i].point].name);
                member(t, "value_c", h[i].value);
                text_put(t, "}");
        }
        text_put(t, "]}");
        free(h);
        return 0;
}

/* The sum of what reports, and how much of it does: a silent meter must not look like a saving. */
static void put_power(const struct view *v, struct text *t)
{
        static const struct {
                const char *name;
                enum role role;
        } part[] = {{"it_w", ROLE_RACK_POWER},     {"crah_w", ROLE_CRAH_POWER}, {"chiller_w", ROLE_CHILLER_POWER},
                    {"tower_w", ROLE_TOWER_POWER}, {"pump_w", ROLE_PUMP_POWER}, {"meter_w", ROLE_METER_POWER}};
        size_t reporting = 0, total = 0;

        text_put(t, ",\"power\":{");
        for (size_t k = 0; k < sizeof part / sizeof part[0]; k++) {
                double sum = 0;
                size_t n = 0;

                for (size_t i = 0; i < v->site->npoint; i++) {
                        if (v->site->point[i].role != part[k].role)
                                continue;
                        total++;
                        if (view_is_present(v, i)) {
                                sum += v->latest[i].value;
                                n++;
                        }
                }
                reporting += n;
                text_printf(t, "\"%s\":", part[k].name);
                text_json_number(t, n > 0 ? sum : (double)NAN);
                text_put(t, ",");
        }
        text_printf(t, "\"reporting\":%zu,\"total\":%zu}", reporting, total);
}

static void put_points(const struct view *v, struct text *t)
{
        size_t good = 0, uncertain = 0, bad = 0, missing = 0, listed = 0;

        text_put(t, ",\"points\":{\"not_good\":[");
        for (size_t i = 0; i < v->site->npoint; i++) {
                const struct view_latest *l = &v->latest[i];

                missing += !l->present;
                good += l->present && l->quality == QUALITY_GOOD;
                uncertain += l->present && l->quality == QUALITY_UNCERTAIN;
                bad += l->present && l->quality == QUALITY_BAD;
                if (!l->present || l->quality == QUALITY_GOOD || listed == BAD_LISTED)
                        continue;
                text_put(t, listed++ ? ",{\"point\":" : "{\"point\":");
                text_json_string(t, v->site->point[i].name);
                member_text(t, "quality", quality_str((enum quality)l->quality));
                member_text(t, "reason", quality_reason_str((enum quality_reason)l->reason));
                text_printf(t, ",\"t_ms\":%lld}", (long long)l->t_ms);
        }
        text_printf(t, "],\"total\":%zu,\"good\":%zu,\"uncertain\":%zu,\"bad\":%zu,\"no_sample_yet\":%zu}",
                    v->site->npoint, good, uncertain, bad, missing);
}

static void put_store(const struct view *v, struct text *t)
{
        text_printf(t, ",\"database\":{\"open\":%s,\"error\":", v->store ? "true" : "false");
        text_json_string(t, v->store_error);
        text_printf(t,
                    ",\"bytes\":%lld,\"samples\":%lld,\"bad\":%lld,\"decisions\":%lld,\"first_t_ms\":%lld,"
                    "\"last_t_ms\":%lld}",
                    (long long)v->counts.bytes, (long long)v->counts.samples, (long long)v->counts.bad,
                    (long long)v->counts.decisions, (long long)v->counts.first_t_ms, (long long)v->counts.last_t_ms);
        if (v->run.id > 0) {
                text_printf(t, ",\"run\":{\"id\":%lld,\"start_t_ms\":%lld", (long long)v->run.id,
                            (long long)v->run.start_t_ms);
                member_text(t, "mode", v->run.mode);
                member_text(t, "version", v->run.version);
                text_put(t, "}");
        } else {
                text_put(t, ",\"run\":null");
        }
}

static int put_status(struct console *c, struct text *t)
{
        const struct view *v = c->view;
        int r;

        text_put(t, "{\"site\":");
        text_json_string(t, c->site->name);
        member_text(t, "version", COOLPLANE_VERSION);
        text_printf(t, ",\"now_t_ms\":%lld", (long long)v->now_t_ms);
        member(t, "fast_step_s", (double)c->site->fast_step_ms / 1000);
        member(t, "time_scale", v->clk->scale);
        put_limits(c->site, t);
        text_put(t, ",\"gate\":{\"link\":");
        text_json_string(t, gate_link_str(v->gate.link));
        /* real time since this console saw a new cycle: right whatever clock the plant runs on */
        member(t, "cycle_seen_s",
               v->cycle_mono_ms < 0 ? (double)NAN : (double)(v->read_mono_ms - v->cycle_mono_ms) / 1000);
        text_put(t, ",\"status\":");
        text_put(t, v->gate.json ? v->gate.json : "null");
        text_put(t, "}");
        put_store(v, t);
        r = put_inlets(v, t);
        put_power(v, t);
        put_points(v, t);
        text_put(t, "}\n");
        return r;
}

/* --- queries ----------------------------------------------------------------------------------------------------- */

static int put_series(struct console *c, const struct web_request *q, struct text *t)
{
        const struct view *v = c->view;
        int64_t hours;

        if (request_int(q->param(q->ctx, "hours"), 24, 1, SERIES_HOURS_MAX, &hours) < 0)
                return -EINVAL;
        if (!v->store)
                return -ENODATA;
        if (c->series_of != v->store) {
                series_forget(c->series);
                c->series_of = v->store;
        }
        return series_json(c->series, v->store, hours, v->counts.first_t_ms, v->counts.last_t_ms, SERIES_BUDGET_MS, t);
}

static int put_rows(struct console *c, const struct web_request *q, const char *sql, size_t np, struct text *t)
{
        struct store_param p[2] = {{0}, {0}};
        char *json = NULL;
        int r;

        if (request_int(q->param(q->ctx, "limit"), 50, 1, SERIES_ROWS_MAX, &p[0].i) < 0 ||
            request_int(q->param(q->ctx, "severity"), 7, 0, 7, &p[1].i) < 0)
                return -EINVAL;
        if (!c->view->store)
                return -ENODATA;
        r = store_query_json(c->view->store, sql, p, np, &json);
        if (r < 0)
                return r;
        text_put(t, "{\"rows\":");
        text_put(t, json);
        text_put(t, "}\n");
        free(json);
        return 0;
}

static int put_decisions(struct console *c, const struct web_request *q, struct text *t)
{
        return put_rows(c, q,
                        "SELECT id, run, t_ms, time, step, mode, decision, reason, binding, margin, fraction, verified,"
                        " terminal, has_proposal, predicted_w, predicted_std_w, move, worst_inlet_c, solve_s"
                        " FROM v_decisions ORDER BY id DESC LIMIT ?1",
                        1, t);
}

static int put_events(struct console *c, const struct web_request *q, struct text *t)
{
        return put_rows(
            c, q,
            "SELECT id, run, t_ms, time, severity, component, text FROM v_events WHERE id IN (SELECT id FROM"
            " event WHERE severity <= ?2 AND id > (SELECT max(id) FROM event) - " EVENTS_SEARCHED
            " ORDER BY id DESC LIMIT ?1) ORDER BY id DESC",
            2, t);
}

static int put_status_route(struct console *c, const struct web_request *q, struct text *t)
{
        (void)q;
        return put_status(c, t);
}

static int put_metrics(struct console *c, const struct web_request *q, struct text *t)
{
        int64_t values;

        if (request_int(q->param(q->ctx, "values"), 0, 0, 1, &values) < 0)
                return -EINVAL;
        metrics_text(&c->counters, c->view, values == 1, t);
        return 0;
}

static int put_health(struct console *c, const struct web_request *q, struct text *t)
{
        (void)q;
        text_printf(t, "ok\ngate: %s\ndatabase: %s\n", gate_link_str(c->view->gate.link),
                    c->view->store ? "open" : "not there yet");
        return 0;
}

/* --- routes ------------------------------------------------------------------------------------------------------ */

static const struct route {
        const char *path, *type;
        int (*put)(struct console *c, const struct web_request *q, struct text *t);
} routes[] = {{"/api/status", type_json, put_status_route}, {"/api/series", type_json, put_series},
              {"/api/decisions", type_json, put_decisions}, {"/api/events", type_json, put_events},
              {"/metrics", type_metrics, put_metrics},      {"/healthz", type_text, put_health}};

static void say(struct web_response *ret, unsigned status, const char *json)
{
        *ret = (struct web_response){.status = status, .type = type_json, .body = json, .len = strlen(json)};
}

static void fail(struct web_response *ret, int r)
{
        if (r == -EINVAL)
                say(ret, 400,
                    "{\"error\":\"hours is a whole number from 1 to 168, limit one from 1 to 500, severity one from 0 "
                    "to"
                    " 7\"}\n");
        else if (r == -ENODATA)
                say(ret, 503, "{\"error\":\"no data yet: the database does not exist or cannot be read\"}\n");
        else if (r == -EBUSY)
                say(ret, 503, "{\"error\":\"the database is busy, try again\"}\n");
        else
                say(ret, 500, "{\"error\":\"the database could not be read\"}\n");
}

void console_answer(struct console *c, const struct web_request *q, struct web_response *ret)
{
        for (const struct asset *a = web_assets; a->path; a++) {
                if (strcmp(a->path, q->path) == 0) {
                        *ret = (struct web_response){.status = 200,
                                                     .type = a->type,
                                                     .etag = a->etag,
                                                     .body = (const char *)a->data,
                                                     .len = *a->len};
                        return;
                }
        }
        for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
                struct text t = {0};
                int r;

                if (strcmp(routes[i].path, q->path) != 0)
                        continue;
                view_refresh(c->view);
                r = routes[i].put(c, q, &t);
                if (r == 0 && t.failed)
                        r = -ENOMEM;
                if (r < 0) {
                        text_free(&t);
                        fail(ret, r);
                        return;
                }
                *ret =
                    (struct web_response){.status = 200, .type = routes[i].type, .body = t.v, .len = t.n, .owned = t.v};
                return;
        }
        say(ret, 404, "{\"error\":\"no such page\"}\n");
}
