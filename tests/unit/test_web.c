/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The console on a real database: history, counters, the exposition format, what it says while nothing is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "agent/base/parse.h"
#include "agent/web/api.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000100000 /* a multiple of 300 s */
#define HOUR 3600000LL

struct env {
        struct fixture *f;
        struct store *w;
        struct clk clk;
        int64_t run;
};

static int setup(void **state)
{
        struct env *e = calloc(1, sizeof *e);

        e->f = fixture_create();
        snprintf(e->f->site.database, sizeof e->f->site.database, "%s", e->f->db);
        snprintf(e->f->site.run_dir, sizeof e->f->site.run_dir, "%s", e->f->dir);
        e->f->site.limits.inlet_recommended_c = 27;
        e->f->site.limits.inlet_allowable_c = 32;
        snprintf(e->f->point[6].name, sizeof e->f->point[6].name, "t/room/ra\"ck\\2/power");
        /* the fixture has no index by name; points are few and sorted here */
        static uint32_t by_name[FIXTURE_POINTS];
        for (uint32_t i = 0; i < FIXTURE_POINTS; i++)
                by_name[i] = i;
        for (size_t i = 1; i < FIXTURE_POINTS; i++)
                for (size_t k = i; k > 0 && strcmp(e->f->point[by_name[k]].name, e->f->point[by_name[k - 1]].name) < 0;
                     k--) {
                        uint32_t swap = by_name[k];
                        by_name[k] = by_name[k - 1];
                        by_name[k - 1] = swap;
                }
        e->f->site.point_by_name = by_name;
        clk_init_virtual(&e->clk, T0 + HOUR);
        *state = e;
        return 0;
}

static int teardown(void **state)
{
        struct env *e = *state;

        store_close(e->w);
        fixture_free(e->f);
        free(e);
        return 0;
}

static void open_writer(struct env *e)
{
        if (store_open(e->f->db, STORE_WRITE, &e->w, e->f->err) < 0)
                fail_msg("%s", e->f->err);
        assert_int_equal(store_bind_site(e->w, &e->f->site), 0);
}

static void begin_run(struct env *e)
{
        struct store_run r = {.mode = "live", .t_ms = T0, .version = "0.1.0", .config_hash = e->f->site.hash};

        assert_int_equal(store_begin_run(e->w, &r, &e->run), 0);
}

static void put(struct env *e, uint32_t point, int64_t t_ms, double value, enum quality q)
{
        struct sample s = {.point = point,
                           .t_ms = t_ms,
                           .value = value,
                           .raw = value,
                           .quality = (uint8_t)q,
                           .reason = (uint8_t)(q == QUALITY_GOOD ? QR_NONE : QR_COMM_FAIL)};

        assert_int_equal(store_append_samples(e->w, &s, 1, NULL), 0);
}

static int64_t decide(struct env *e, uint64_t step, int64_t t_ms, enum decision_kind k, enum decision_reason r,
                      double worst_c)
{
        double u[2] = {20, 0.6};
        struct store_decision d = {.t_ms = t_ms,
                                   .step = step,
                                   .mode = "ACTIVE",
                                   .kind = k,
                                   .reason = r,
                                   .binding = "t/room/rack-1/inlet",
                                   .action = u,
                                   .confirmed = u,
                                   .nu = 2,
                                   .predicted_w = 1000,
                                   .predicted_std_w = 10,
                                   .move = "",
                                   .worst_inlet_c = worst_c,
                                   .solve_s = 0.002};
        int64_t id = 0;

        assert_int_equal(store_put_decision(e->w, e->run, &d, &id), 0);
        return id;
}

static const char *no_param(void *ctx, const char *name)
{
        (void)name;
        return ctx;
}

/* Body of an answer; ctx is the value of every parameter. */
static char *ask(struct console *c, const char *path, const char *value, unsigned status)
{
        union {
                const char *in;
                void *out;
        } v = {.in = value};
        struct web_request q = {.path = path, .param = no_param, .ctx = v.out};
        struct web_response w;
        char *body;

        console_answer(c, &q, &w);
        if (w.status != status)
                fail_msg("%s: %u, expected %u: %.*s", path, w.status, status, (int)w.len, w.body);
        body = malloc(w.len + 1);
        memcpy(body, w.body, w.len);
        body[w.len] = '\0';
        free(w.owned);
        return body;
}

static void expect_part(const char *body, const char *part)
{
        if (!strstr(body, part))
                fail_msg("missing: %s\nin: %s", part, body);
}

/* --- Prometheus text format, strictly ----------------------------------------------------------------------------- */

struct families {
        char name[64][96], type[64][16];
        size_t n;
        char seen[512][320]; /* series, name and labels */
        size_t nseen;
};

static size_t name_len(const char *s)
{
        size_t n = 0;

        if (!isalpha((unsigned char)s[0]) && s[0] != '_')
                return 0;
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
                n++;
        return n;
}

static const char *parse_labels(const char *s)
{
        if (*s != '{')
                return s;
        do {
                size_t n = name_len(++s);
                if (n == 0 || s[n] != '=' || s[n + 1] != '"')
                        return NULL;
                for (s += n + 2; *s != '"'; s++) {
                        if (*s == '\0' || *s == '\n')
                                return NULL;
                        if (*s == '\\' && !strchr("\\\"n", *++s))
                                return NULL;
                }
                s++;
        } while (*s == ',');
        return *s == '}' ? s + 1 : NULL;
}

static void check_family(struct families *f, const char *name, size_t n, const char *type, size_t nt)
{
        static const char *const unit[] = {
            "_celsius", "_seconds", "_bytes", "_info",
            "_total",   "_up",      "_mode",  "_value"}; /* of a point: the one whose unit varies */
        bool ok = false;

        for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++)
                ok = ok || (n > strlen(unit[i]) && memcmp(name + n - strlen(unit[i]), unit[i], strlen(unit[i])) == 0);
        if (!ok || strncmp(name, "coolplane_", 10) != 0)
                fail_msg("name without unit: %.*s", (int)n, name);
        for (size_t i = 0; i < f->n; i++)
                if (strlen(f->name[i]) == n && memcmp(f->name[i], name, n) == 0)
                        fail_msg("family twice: %.*s", (int)n, name);
        bool total = n > 6 && memcmp(name + n - 6, "_total", 6) == 0,
             counter = nt == 7 && memcmp(type, "counter", 7) == 0;
        if (total != counter)
                fail_msg("%.*s is a %.*s", (int)n, name, (int)nt, type);
        snprintf(f->name[f->n], sizeof f->name[0], "%.*s", (int)n, name);
        snprintf(f->type[f->n], sizeof f->type[0], "%.*s", (int)nt, type);
        f->n++;
}

static void check_sample(struct families *f, const char *line)
{
        const char *family = f->name[f->n - 1], *end, *value;
        size_t n = name_len(line), nf = strlen(family);
        bool histogram = strcmp(f->type[f->n - 1], "histogram") == 0;
        double v;

        if (n < nf || memcmp(line, family, nf) != 0)
                fail_msg("sample outside its family: %s", line);
        if (histogram ? (strncmp(line + nf, "_bucket{", 8) != 0 && strncmp(line + nf, "_sum ", 5) != 0 &&
                         strncmp(line + nf, "_count ", 7) != 0)
                      : n != nf)
                fail_msg("sample of another family: %s", line);
        end = parse_labels(line + n);
        if (!end || *end != ' ')
                fail_msg("labels: %s", line);
        value = end + 1;
        if (strcmp(value, "+Inf") != 0 && strcmp(value, "NaN") != 0 && parse_double(value, &v) < 0)
                fail_msg("value: %s", line);
        if (strcmp(f->type[f->n - 1], "counter") == 0 &&
            (strchr(value, '-') || strchr(value, '.') || strchr(value, 'I')))
                fail_msg("counter value: %s", line);
        for (size_t i = 0; i < f->nseen; i++)
                if (strlen(f->seen[i]) == (size_t)(end - line) && memcmp(f->seen[i], line, (size_t)(end - line)) == 0)
                        fail_msg("series twice: %s", line);
        assert_true(f->nseen < 512);
        snprintf(f->seen[f->nseen++], sizeof f->seen[0], "%.*s", (int)(end - line), line);
}

static void check_metrics(const char *body)
{
        struct families *f = calloc(1, sizeof *f);
        char *copy = strdup(body), *save = NULL, helped[96] = "";

        assert_true(body[0] != '\0' && body[strlen(body) - 1] == '\n');
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                if (strncmp(line, "# HELP ", 7) == 0) {
                        snprintf(helped, sizeof helped, "%.*s", (int)name_len(line + 7), line + 7);
                        assert_true(line[7 + strlen(helped)] == ' ' && line[8 + strlen(helped)] != '\0');
                } else if (strncmp(line, "# TYPE ", 7) == 0) {
                        size_t n = name_len(line + 7);
                        const char *type = line + 7 + n + 1;
                        assert_true(strlen(helped) == n && memcmp(helped, line + 7, n) == 0);
                        assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0 ||
                                    strcmp(type, "histogram") == 0);
                        check_family(f, line + 7, n, type, strlen(type));
                } else {
                        assert_true(f->n > 0);
                        check_sample(f, line);
                }
        }
        free(copy);
        free(f);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void nothing_there_yet(void **state)
{
        struct env *e = *state;
        struct console *c;
        char *b;

        assert_int_equal(console_create(&e->f->site, &e->clk, &c), 0);
        b = ask(c, "/api/status", NULL, 200);
        expect_part(b, "\"link\":\"not running\"");
        expect_part(b, "\"open\":false");
        free(b);
        b = ask(c, "/metrics", NULL, 200);
        check_metrics(b);
        expect_part(b, "coolplane_gate_up 0\n");
        expect_part(b, "coolplane_mode{mode=\"ACTIVE\"} 0\n");
        assert_null(strstr(b, "db_bytes"));
        free(b);
        free(ask(c, "/api/series", NULL, 503));
        free(ask(c, "/api/decisions", NULL, 503));
        free(ask(c, "/healthz", NULL, 200));
        free(ask(c, "/nope", NULL, 404));
        free(ask(c, "/static/../etc/passwd", NULL, 404));
        console_free(c);
}

/* The view reads once a second; here at once. */
static void refresh(struct view *v)
{
        v->read_mono_ms = -1;
        view_refresh(v);
}

static void appears_later_and_is_replaced(void **state)
{
        struct env *e = *state;
        struct view *v;
        char aside[160];

        assert_int_equal(view_create(&e->f->site, &e->clk, &v), 0);
        refresh(v);
        assert_null(v->store);
        expect_part(v->store_error, e->f->db);
        open_writer(e);
        begin_run(e);
        put(e, 0, T0, 24, QUALITY_GOOD);
        refresh(v);
        assert_non_null(v->store);
        assert_string_equal(v->store_error, "");
        assert_int_equal(v->run.id, e->run);
        assert_true(view_is_present(v, 0) && v->latest[0].value == 24);
        assert_false(view_is_present(v, 1));
        put(e, 1, T0 + VIEW_PRESENT_MS, 5000, QUALITY_GOOD);
        refresh(v);
        assert_true(view_is_present(v, 0) && view_is_present(v, 1));
        put(e, 1, T0 + VIEW_PRESENT_MS + 1, 5000, QUALITY_GOOD); /* the inlet has been silent too long */
        put(e, 6, T0 + VIEW_PRESENT_MS + 1, 5000, QUALITY_BAD);
        refresh(v);
        assert_false(view_is_present(v, 0));
        assert_false(view_is_present(v, 6));
        e->w = store_close(e->w);
        snprintf(aside, sizeof aside, "%s.aside", e->f->db);
        assert_int_equal(rename(e->f->db, aside), 0);
        refresh(v);
        assert_null(v->store);
        assert_false(view_is_present(v, 1));
        open_writer(e); /* another database in its place */
        begin_run(e);
        put(e, 0, T0, 21, QUALITY_GOOD);
        refresh(v);
        assert_non_null(v->store);
        assert_true(view_is_present(v, 0) && v->latest[0].value == 21);
        view_free(v);
}

static void history_keeps_peaks(void **state)
{
        struct env *e = *state;
        struct series *s;
        struct store *r;
        double v[SERIES_COLUMNS_];
        struct text t = {0};

        open_writer(e);
        begin_run(e);
        /* one bucket of the 24 h grid is 300 s, of which the last 60 s are read */
        for (int64_t at = T0; at < T0 + 600000; at += 10000) {
                put(e, 0, at, 23, QUALITY_GOOD);
                put(e, 1, at, 5000, QUALITY_GOOD);
                put(e, 6, at, 3000, QUALITY_GOOD);
                put(e, 3, at, 20, QUALITY_GOOD);
        }
        put(e, 0, T0 + 5001, 99, QUALITY_BAD);
        decide(e, 1, T0 + 90000, DECISION_ACCEPT, DR_ACCEPTED, 29.5); /* a peak nobody samples for the chart */
        assert_int_equal(store_open(e->f->db, STORE_READ, &r, e->f->err), 0);
        assert_int_equal(store_bind_site(r, &e->f->site), 0);
        assert_int_equal(series_create(&e->f->site, &s), 0);
        assert_int_equal(series_row(s, r, T0, T0 + 60000, v), 0);
        assert_true(v[SERIES_INLET_MAX] == 23); /* the bad 99 counts nowhere */
        assert_true(v[SERIES_IT_W] == 8000);
        assert_true(v[SERIES_SAT_MEAN] == 20);
        assert_true(isnan(v[SERIES_FAN_MEAN]) && isnan(v[SERIES_CHILLER_W]));
        assert_int_equal(series_json(s, r, 24, T0, T0 + 599999, 1000, &t), 0);
        expect_part(t.v, "\"bucket_s\":300");
        expect_part(t.v, "\"complete\":true");
        char want[64];
        snprintf(want, sizeof want, "[%lld,29.5,23,20,20,20,null", (long long)(T0 + 300000));
        expect_part(t.v, want);
        snprintf(want, sizeof want, "[%lld,23,23,20,20,20,null", (long long)(T0 + 600000)); /* still filling */
        expect_part(t.v, want);
        text_free(&t);
        t = (struct text){0};
        assert_int_equal(series_json(s, r, 24, T0, T0 + 300000, 1000, &t), 0); /* newest sample first of its bucket */
        snprintf(want, sizeof want, "[%lld,29.5,", (long long)(T0 + 300000));
        expect_part(t.v, want);
        snprintf(want, sizeof want, "[%lld,23,", (long long)(T0 + 300001));
        expect_part(t.v, want);
        text_free(&t);
        series_free(s);
        store_close(r);
}

static void history_is_bounded(void **state)
{
        (void)state;
        for (int64_t h = 1; h <= SERIES_HOURS_MAX; h++)
                assert_true(h * 3600 / series_bucket_s(h) + 2 <= SERIES_ROWS_MAX);
        assert_int_equal(series_bucket_s(1), 30);
        assert_int_equal(series_bucket_s(168), 1800);
}

static void outcome(struct env *e, int64_t action, enum write_result r)
{
        struct write_outcome o = {.point = 3, .result = r, .written = 20, .read_back = 20, .t_ms = T0 + 1000};

        assert_int_equal(store_put_outcomes(e->w, &action, &o, 1), 0);
}

static int64_t act(struct env *e, int64_t decision, int64_t t_ms)
{
        struct store_action a = {.decision_id = decision, .t_ms = t_ms, .point = 3, .value = 20, .why = "decision"};
        int64_t id = 0;

        assert_int_equal(store_put_actions(e->w, e->run, &a, 1, &id), 0);
        return id;
}

static uint64_t writes(const struct counters *c, const char *result)
{
        for (size_t i = 0; i < c->nwrite; i++)
                if (strcmp(c->write[i].result, result) == 0)
                        return c->write[i].n + c->write[i].unsettled;
        return 0;
}

static void counters_follow_the_run(void **state)
{
        struct env *e = *state;
        struct counters c;

        counters_init(&c);
        open_writer(e);
        begin_run(e);
        assert_int_equal(counters_update(&c, e->w, e->run, T0), 0);
        int64_t d1 = decide(e, 1, T0, DECISION_ACCEPT, DR_ACCEPTED, 24);
        int64_t a1 = act(e, d1, T0), a2 = act(e, d1, T0), a3 = act(e, d1, T0);
        outcome(e, a1, WRITE_ACCEPTED);
        outcome(e, a3, WRITE_MISMATCH); /* a2 has no outcome yet */
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 1000), 0);
        assert_int_equal(writes(&c, "ACCEPTED"), 1);
        assert_int_equal(writes(&c, "MISMATCH"), 1);
        assert_int_equal(writes(&c, "PENDING"), 0);
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 1000), 0); /* asking twice counts once */
        assert_int_equal(writes(&c, "MISMATCH"), 1);
        outcome(e, a2, WRITE_ACCEPTED);
        decide(e, 2, T0 + 30000, DECISION_PROJECT, DR_WORST_CASE, 24);
        decide(e, 3, T0 + 60000, DECISION_FALLBACK, DR_SENSOR, 24);
        decide(e, 4, T0 + 90000, DECISION_FALLBACK, DR_SENSOR, 24);
        decide(e, 5, T0 + 120000, DECISION_ACCEPT, DR_ACCEPTED, 24);
        decide(e, 6, T0 + 150000, DECISION_FALLBACK, DR_TRIP, 24);
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 150000), 0);
        assert_int_equal(writes(&c, "ACCEPTED"), 2);
        assert_int_equal(writes(&c, "MISMATCH"), 1);
        assert_int_equal(c.kind[DECISION_ACCEPT], 2);
        assert_int_equal(c.intervention[DR_WORST_CASE], 1);
        assert_int_equal(c.intervention[DR_SENSOR], 2);
        assert_int_equal(c.failback[DR_SENSOR], 1);
        assert_int_equal(c.failback[DR_TRIP], 1);
        assert_int_equal(c.solve_n, 6);
        assert_int_equal(c.solve_bucket[1], 6); /* 2 ms */
        act(e, d1, T0);                         /* never answered: PENDING after ten minutes */
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 599999), 0);
        assert_int_equal(writes(&c, "PENDING"), 0);
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 600000), 0);
        assert_int_equal(writes(&c, "PENDING"), 1);
        begin_run(e);
        decide(e, 1, T0 + 700000, DECISION_HOLD, DR_NO_PROPOSAL, 24);
        assert_int_equal(counters_update(&c, e->w, e->run, T0 + 700000), 0);
        assert_int_equal(c.kind[DECISION_ACCEPT], 0);
        assert_int_equal(c.intervention[DR_NO_PROPOSAL], 1);
        assert_int_equal(writes(&c, "ACCEPTED"), 0);
        counters_clear(&c);
}

static void metrics_from_a_database(void **state)
{
        struct env *e = *state;
        struct console *c;
        char *b;

        open_writer(e);
        begin_run(e);
        put(e, 0, T0 + HOUR - 5000, 25.5, QUALITY_GOOD);
        put(e, 6, T0 + HOUR - 2500, 3000, QUALITY_GOOD);
        put(e, 3, T0 + HOUR, 20, QUALITY_BAD);
        int64_t d = decide(e, 1, T0, DECISION_PROJECT, DR_RATE, 25.5);
        outcome(e, act(e, d, T0), WRITE_ACCEPTED);
        assert_int_equal(console_create(&e->f->site, &e->clk, &c), 0);
        b = ask(c, "/metrics", NULL, 200);
        check_metrics(b);
        expect_part(b, "coolplane_build_info{version=\"" COOLPLANE_VERSION "\"} 1\n");
        expect_part(b, "coolplane_point_age_seconds{point=\"t/room/rack-1/inlet\"} 5\n");
        expect_part(b, "coolplane_point_age_seconds{point=\"t/room/crah-1/supply-sp\"} +Inf\n");
        expect_part(b, "coolplane_point_age_seconds{point=\"t/room/ra\\\"ck\\\\2/power\"} 2.5\n");
        expect_part(b, "coolplane_safety_slack_celsius{constraint=\"inlet_recommended\"} 1.5\n");
        expect_part(b, "coolplane_safety_slack_celsius{constraint=\"inlet_allowable\"} 6.5\n");
        expect_part(b, "coolplane_safety_interventions_total{constraint=\"rate\"} 1\n");
        expect_part(b, "coolplane_writes_total{point=\"t/room/crah-1/supply-sp\",result=\"ACCEPTED\"} 1\n");
        expect_part(b, "coolplane_samples_total{quality=\"good\"} 2\n");
        expect_part(b, "coolplane_samples_total{quality=\"bad\"} 1\n");
        expect_part(b, "coolplane_samples_purged_total 0\n");
        expect_part(b, "coolplane_solver_seconds_bucket{le=\"0.0025\"} 1\n");
        expect_part(b, "coolplane_solver_seconds_bucket{le=\"+Inf\"} 1\n");
        assert_null(strstr(b, "coolplane_point_value"));
        free(b);
        b = ask(c, "/metrics", "1", 200);
        check_metrics(b);
        expect_part(b, "coolplane_point_value{point=\"t/room/rack-1/inlet\"} 25.5\n");
        assert_null(strstr(b, "coolplane_point_value{point=\"t/room/crah-1/supply-sp\"}")); /* a bad reading */
        free(b);
        free(ask(c, "/metrics", "2", 400));
        b = ask(c, "/api/decisions", "1", 200);
        expect_part(b, "\"reason\":\"rate\"");
        free(b);
        assert_int_equal(store_put_event(e->w, e->run, T0, 6, "vm", "small talk"), 0);
        assert_int_equal(store_put_event(e->w, e->run, T0, 4, "modbus", "plc: down"), 0);
        b = ask(c, "/api/events", "5", 200); /* limit and severity */
        expect_part(b, "plc: down");
        assert_null(strstr(b, "small talk"));
        free(b);
        b = ask(c, "/api/events", "7", 200);
        expect_part(b, "small talk");
        free(b);
        free(ask(c, "/api/events", "8", 400));
        free(ask(c, "/api/decisions", "0", 400));
        free(ask(c, "/api/series", "0", 400));
        free(ask(c, "/api/series", "169", 400));
        free(ask(c, "/api/series", "7", 200));
        console_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(nothing_there_yet, setup, teardown),
            cmocka_unit_test_setup_teardown(appears_later_and_is_replaced, setup, teardown),
            cmocka_unit_test_setup_teardown(history_keeps_peaks, setup, teardown),
            cmocka_unit_test(history_is_bounded),
            cmocka_unit_test_setup_teardown(counters_follow_the_run, setup, teardown),
            cmocka_unit_test_setup_teardown(metrics_from_a_database, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
