/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/store/store_internal.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000000000 /* 2023-11-14T22:13:20Z */

static int setup(void **state)
{
        *state = fixture_create();
        return 0;
}

static int teardown(void **state)
{
        fixture_free(*state);
        return 0;
}

static struct store *open_write(struct fixture *f)
{
        struct store *s = NULL;
        int r = store_open(f->db, STORE_WRITE, &s, f->err);
        if (r < 0)
                fail_msg("%d: %s", r, f->err);
        return s;
}

static struct store *open_bound(struct fixture *f)
{
        struct store *s = open_write(f);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        return s;
}

static void tamper(struct fixture *f, const char *sql)
{
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static int64_t begin_run(struct fixture *f, struct store *s)
{
        int64_t run = 0;
        struct store_run r = {.mode = "live", .t_ms = T0, .version = "0.1.0", .config_hash = f->site.hash};
        assert_int_equal(store_begin_run(s, &r, &run), 0);
        return run;
}

static char *query(struct store *s, const char *sql)
{
        char *json = NULL;
        if (store_query_json(s, sql, NULL, 0, &json) != 0)
                fail_msg("%s", store_errmsg(s));
        return json;
}

#define assert_query(s, sql, want)                                                                                     \
        do {                                                                                                           \
                char *got_ = query(s, sql);                                                                            \
                assert_string_equal(got_, want);                                                                       \
                free(got_);                                                                                            \
        } while (0)

/* --- schema ------------------------------------------------------------------------------------------------------ */

static void test_fresh_and_again(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        assert_query(s, "SELECT version, name, dirty FROM migration",
                     "[{\"version\":1,\"name\":\"0001_init\",\"dirty\":0},\n"
                     "{\"version\":2,\"name\":\"0002_retention\",\"dirty\":0},\n"
                     "{\"version\":3,\"name\":\"0003_evidence\",\"dirty\":0}]");
        int64_t wal = 0;
        assert_int_equal(
            store_get_int(s, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'", 0, &wal), 0);
        assert_int_equal(wal, 1);
        assert_query(s, "PRAGMA synchronous", "[{\"synchronous\":2}]");
        assert_query(s, "PRAGMA auto_vacuum", "[{\"auto_vacuum\":2}]");
        store_close(s);
        s = open_write(f); /* idempotent */
        assert_query(s, "SELECT count(*) AS n FROM migration", "[{\"n\":3}]");
        store_close(s);
}

/* Planner and console look for the database from their start; one that just finds it empty must not stop the gate. */
static void test_a_reader_of_the_empty_file_is_waited_for(void **state)
{
        struct fixture *f = *state;
        int ready[2], status;
        char byte;

        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                sqlite3 *db;
                bool ok = sqlite3_open(f->db, &db) == SQLITE_OK &&
                          sqlite3_exec(db, "BEGIN; SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) == SQLITE_OK;
                ok = write(ready[1], "x", 1) == 1 && ok;
                (void)usleep(300000);
                _exit(ok ? 0 : 1);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        store_close(open_write(f));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        (void)close(ready[0]);
        (void)close(ready[1]);
}

static void test_refusals(void **state)
{
        struct fixture *f = *state;
        struct store *s = NULL;
        assert_int_equal(store_open(f->db, STORE_READ, &s, f->err), -ENOENT);
        assert_non_null(strstr(f->err, f->db));
        store_close(open_write(f));

        tamper(f, "UPDATE migration SET dirty = 1");
        for (int a = STORE_READ; a <= STORE_WRITE; a++) {
                assert_int_equal(store_open(f->db, (enum store_access)a, &s, f->err), -EUCLEAN);
                assert_non_null(strstr(f->err, "dirty"));
                assert_non_null(strstr(f->err, f->db));
        }
        tamper(f, "UPDATE migration SET dirty = 0; INSERT INTO migration VALUES (999, 'future', 0, 0)");
        for (int a = STORE_READ; a <= STORE_WRITE; a++) {
                assert_int_equal(store_open(f->db, (enum store_access)a, &s, f->err), -EPROTO);
                assert_non_null(strstr(f->err, "newer"));
        }
        tamper(f, "DELETE FROM migration WHERE version = 999");
        /* between two migrations of the gate: not yet */
        tamper(f, "DELETE FROM migration WHERE version = 3");
        assert_int_equal(store_open(f->db, STORE_READ, &s, f->err), -ESTALE);
        assert_non_null(strstr(f->err, "older"));
        tamper(f, "INSERT INTO migration VALUES (3, 'again', 0, 0)");
        store_close(open_write(f));
        assert_null(s);
}

static void test_refuses_strangers(void **state)
{
        struct fixture *f = *state;
        struct store *s = NULL;
        tamper(f, "CREATE TABLE somebody_elses (x)");
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), -EUCLEAN);
        assert_non_null(strstr(f->err, "not a coolplane database"));
        assert_int_equal(unlink(f->db), 0);
        FILE *o = fopen(f->db, "wb");
        for (int i = 0; i < 8192; i++)
                fputc('x', o);
        fclose(o);
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), -EUCLEAN);
        assert_int_equal(store_open(f->db, STORE_READ, &s, f->err), -EUCLEAN);
}

static void test_corruption_found_at_open(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        for (int i = 0; i < 200; i++) {
                struct sample v = fixture_sample(0, T0 + i * 1000, i);
                assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        }
        store_close(s);
        FILE *o = fopen(f->db, "r+b");
        fseek(o, 0, SEEK_END);
        long size = ftell(o);
        for (long at = 4096; at < size; at += 4096) { /* break every page but the first */
                fseek(o, at, SEEK_SET);
                for (int i = 0; i < 16; i++)
                        fputc(0xee, o);
        }
        fclose(o);
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), -EUCLEAN);
        assert_non_null(strstr(f->err, f->db));
}

static void test_migrations_are_all_or_nothing(void **state)
{
        (void)state;
        char err[STORE_ERR_MAX] = "";
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        const struct store_migration good[] = {{1, "one", "CREATE TABLE a (x)"},
                                               {2, "two", "CREATE TABLE b (x); INSERT INTO b VALUES (7)"},
                                               {0, NULL, NULL}};
        const struct store_migration bad[] = {
            {1, "one", "CREATE TABLE a (x)"}, {2, "two", "CREATE TABLE b (x); CREATE TABLE a (x)"}, {0, NULL, NULL}};
        assert_int_equal(store_check_version(db, good, err), -ENOENT);
        assert_true(store_migrate(db, bad, err) < 0);
        assert_non_null(strstr(err, "two"));
        assert_int_equal(store_check_version(db, good, err), -ESTALE); /* at 1: older */
        assert_non_null(strstr(err, "older"));
        assert_int_equal(sqlite3_exec(db, "SELECT * FROM b", NULL, NULL, NULL), SQLITE_ERROR); /* rolled back */
        assert_int_equal(store_migrate(db, good, err), 0);
        assert_int_equal(sqlite3_exec(db, "SELECT * FROM b", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(store_check_version(db, good, err), 0);
        assert_int_equal(store_migrate(db, good, err), 0);
        sqlite3_close(db);
}

static void test_checks_hold(void **state)
{
        struct fixture *f = *state;
        store_close(open_bound(f));
        static const char *const bad[] = {
            "INSERT INTO sample VALUES (1, 1, 1.0, 1.0, 3, 0)",
            "INSERT INTO sample VALUES (1, 0, 1.0, 1.0, 0, 0)",
            "INSERT INTO sample VALUES (1, 1, 'x', 1.0, 0, 0)",
            "INSERT INTO point (name) VALUES ('')",
            "UPDATE counter SET value = -1",
            "INSERT INTO run (mode, start_t_ms, version, config) VALUES ('auto', 0, '', hex(randomblob(32)))",
            "INSERT INTO event (t_ms, severity, component, text) VALUES (0, 8, 'x', 'y')"};
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_int_equal(sqlite3_exec(db, bad[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
        assert_int_equal(sqlite3_exec(db, "INSERT INTO sample VALUES (1, 1, 1.0, 1.0, 2, 255)", NULL, NULL, NULL),
                         SQLITE_OK);
        sqlite3_close(db);
}

static void test_one_writer(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f), *second = NULL;
        assert_int_equal(store_open(f->db, STORE_WRITE, &second, f->err), -EBUSY);
        assert_non_null(strstr(f->err, "another process"));
        assert_null(second);
        store_close(s);
        store_close(open_write(f));
}

/* A database without a name: two at once, nothing left in the folder, nobody else sees it. */
static void test_scratch(void **state)
{
        struct fixture *f = *state;
        struct store *a = NULL, *b = NULL;
        struct store_counts c;
        struct sample v = {.point = 0, .t_ms = T0, .value = 20, .raw = 20, .quality = QUALITY_GOOD};
        size_t dup;

        assert_int_equal(store_open(NULL, STORE_READ, &a, f->err), -ENOENT);
        assert_int_equal(store_open(NULL, STORE_WRITE, &a, f->err), 0);
        assert_int_equal(store_open(NULL, STORE_WRITE, &b, f->err), 0);
        assert_int_equal(store_bind_site(a, &f->site), 0);
        assert_int_equal(store_append_samples(a, &v, 1, &dup), 0);
        assert_int_equal(store_counts(a, &c), 0);
        assert_int_equal(c.samples, 1);
        assert_int_equal(store_counts(b, &c), 0);
        assert_int_equal(c.samples, 0);
        assert_int_equal(access(".lock", F_OK), -1);
        store_close(a);
        store_close(b);
}

/* What the database calls a write's outcome is what logs and metrics call it. */
static void test_result_names(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        for (int i = WRITE_PENDING; i <= WRITE_NOT_SENT; i++) {
                char sql[96], want[96];
                snprintf(sql, sizeof sql, "SELECT name FROM code WHERE kind = 'write_result' AND id = %d", i);
                snprintf(want, sizeof want, "[{\"name\":\"%s\"}]", write_result_str((enum write_result)i));
                assert_query(s, sql, want);
        }
        assert_query(s, "SELECT max(id) AS last FROM code WHERE kind = 'write_result'", "[{\"last\":10}]");
        store_close(s);
}

/* --- samples ----------------------------------------------------------------------------------------------------- */

struct seen {
        struct sample v[64];
        size_t n;
        int stop_after;
};

static int collect(void *ctx, const struct sample *v, size_t n)
{
        struct seen *w = ctx;
        for (size_t i = 0; i < n && w->n < 64; i++)
                w->v[w->n++] = v[i];
        return w->stop_after;
}

static void test_append_read_back(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct sample v[4] = {fixture_sample(0, T0, 21.5), fixture_sample(2, T0, (double)NAN),
                              fixture_sample(0, T0 + 1000, -0.1), fixture_sample(1, T0 + 1000, 1e6)};
        v[3].quality = QUALITY_UNCERTAIN;
        v[3].reason = QR_SOURCE;
        v[3].raw = 1000;
        size_t dup = 99;
        assert_int_equal(store_append_samples(s, v, 4, &dup), 0);
        assert_int_equal(dup, 0);

        struct seen w = {0};
        assert_int_equal(store_read_samples(s, T0, T0 + 1001, collect, &w), 0);
        assert_int_equal(w.n, 4);
        assert_int_equal(w.v[0].t_ms, T0);
        assert_int_equal(w.v[2].t_ms, T0 + 1000);
        for (size_t i = 0; i < 4; i++) {
                const struct sample *a = NULL;
                for (size_t k = 0; k < 4; k++)
                        if (v[k].t_ms == w.v[i].t_ms && v[k].point == w.v[i].point)
                                a = &v[k];
                assert_non_null(a);
                assert_true(isnan(a->value) ? isnan(w.v[i].value) : a->value == w.v[i].value);
                assert_true(isnan(a->raw) ? isnan(w.v[i].raw) : a->raw == w.v[i].raw);
                assert_int_equal(a->quality, w.v[i].quality);
                assert_int_equal(a->reason, w.v[i].reason);
        }
        w = (struct seen){0};
        assert_int_equal(store_read_samples(s, T0, T0 + 1000, collect, &w), 0); /* to is exclusive */
        assert_int_equal(w.n, 2);
        w = (struct seen){.stop_after = 42};
        assert_int_equal(store_read_samples(s, 0, INT64_MAX, collect, &w), 42);
        store_close(s);
}

static void test_duplicates_are_counted_and_lose_nothing(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct sample v[3] = {fixture_sample(0, T0, 20), fixture_sample(0, T0, 99), fixture_sample(1, T0, 5)};
        size_t dup = 0;
        assert_int_equal(store_append_samples(s, v, 3, &dup), 0);
        assert_int_equal(dup, 1);
        assert_int_equal(store_append_samples(s, v, 3, &dup), 0);
        assert_int_equal(dup, 3);
        assert_query(s, "SELECT value FROM v_samples WHERE point LIKE '%inlet'", "[{\"value\":20}]");
        assert_query(s, "SELECT value FROM counter WHERE name = 'duplicates'", "[{\"value\":4}]");
        struct store_counts c;
        assert_int_equal(store_counts(s, &c), 0);
        assert_int_equal(c.samples, 2);
        assert_int_equal(c.good, 2);
        assert_int_equal(c.bad, 0);
        store_close(s);
}

static void test_bad_arguments_change_nothing(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        struct sample v[2] = {fixture_sample(0, T0, 20), fixture_sample(FIXTURE_POINTS, T0, 20)};
        assert_int_equal(store_append_samples(s, v, 1, NULL), -EINVAL); /* no site bound */
        assert_int_equal(store_read_samples(s, 0, 1, collect, NULL), -EINVAL);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        assert_int_equal(store_append_samples(s, v, 2, NULL), -EINVAL);
        v[1] = fixture_sample(1, T0, 20);
        v[1].quality = 3;
        assert_int_equal(store_append_samples(s, v, 2, NULL), -EINVAL);
        struct store_counts c;
        assert_int_equal(store_counts(s, &c), 0);
        assert_int_equal(c.samples, 0);
        assert_int_equal(c.first_t_ms, 0);
        store_close(s);
}

static void test_ids_survive_a_changed_site(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct sample v = fixture_sample(7, T0, 25);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        store_close(s);
        struct point first = f->point[0]; /* another order, one point gone */
        f->point[0] = f->point[7];
        f->point[7] = first;
        f->site.npoint = 7;
        s = open_bound(f);
        struct seen w = {0};
        assert_int_equal(store_read_samples(s, 0, INT64_MAX, collect, &w), 0);
        assert_int_equal(w.n, 1);
        assert_int_equal(w.v[0].point, 0);
        assert_query(s, "SELECT count(*) AS n FROM point", "[{\"n\":8}]");
        v = fixture_sample(1, T0 + 1, 1);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        f->site.npoint = 1; /* points unknown to the bound site are skipped */
        assert_int_equal(store_bind_site(s, &f->site), 0);
        w = (struct seen){0};
        assert_int_equal(store_read_samples(s, 0, INT64_MAX, collect, &w), 0);
        assert_int_equal(w.n, 1);
        store_close(s);
}

static void test_latest(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct sample v[4] = {fixture_sample(0, T0 + 2000, 22), fixture_sample(0, T0 + 3000, 23),
                              fixture_sample(0, T0 + 1000, 21), fixture_sample(2, T0 + 1000, 14)};
        assert_int_equal(store_append_samples(s, v, 4, NULL), 0);
        assert_query(s, "SELECT point, value, unit, quality, reason, time FROM v_latest ORDER BY point DESC",
                     "[{\"point\":\"t/room/rack-1/inlet\",\"value\":23,\"unit\":\"degC\",\"quality\":\"GOOD\","
                     "\"reason\":\"none\",\"time\":\"2023-11-14T22:13:23.000Z\"},\n"
                     "{\"point\":\"t/room/crah-1/supply\",\"value\":14,\"unit\":\"degC\",\"quality\":\"GOOD\","
                     "\"reason\":\"none\",\"time\":\"2023-11-14T22:13:21.000Z\"}]");
        struct sample late = fixture_sample(0, T0, 1); /* late: stored, but not the latest */
        assert_int_equal(store_append_samples(s, &late, 1, NULL), 0);
        assert_query(s, "SELECT value FROM v_latest WHERE point LIKE '%inlet'", "[{\"value\":23}]");
        store_close(s);
}

static void test_reader_while_writing(void **state)
{
        struct fixture *f = *state;
        struct store *w = open_bound(f), *r = NULL;
        assert_int_equal(store_open(f->db, STORE_READ, &r, f->err), 0);
        assert_int_equal(store_bind_site(r, &f->site), 0);
        struct store_counts c;
        for (int i = 1; i <= 50; i++) {
                struct sample v[3] = {fixture_sample(0, T0 + i, i), fixture_sample(1, T0 + i, i),
                                      fixture_sample(2, T0 + i, i)};
                assert_int_equal(store_append_samples(w, v, 3, NULL), 0);
                assert_int_equal(store_counts(r, &c), 0);
                assert_int_equal(c.samples, 3 * i);
                assert_int_equal(c.last_t_ms, T0 + i);
                assert_true(c.bytes > 0);
        }
        struct sample v = fixture_sample(0, T0, 1);
        assert_int_equal(store_append_samples(r, &v, 1, NULL), -EROFS);
        assert_int_equal(store_put_event(r, 0, T0, 4, "x", "y"), -EROFS);
        char *json = NULL;
        assert_int_equal(store_query_json(r, "DELETE FROM sample", NULL, 0, &json), -EACCES);
        /* the reader has neither locked the writer out nor checkpointed */
        assert_query(r, "SELECT count(*) AS n FROM sample", "[{\"n\":150}]");
        store_close(w);
        assert_query(r, "SELECT count(*) AS n FROM sample", "[{\"n\":150}]");
        store_close(r);
}

static void test_reader_sees_points_added_later(void **state)
{
        struct fixture *f = *state;
        f->site.npoint = 1;
        struct store *w = open_bound(f), *r = NULL;
        f->site.npoint = FIXTURE_POINTS;
        assert_int_equal(store_open(f->db, STORE_READ, &r, f->err), 0);
        assert_int_equal(store_bind_site(r, &f->site), 0);
        assert_int_equal(store_bind_site(w, &f->site), 0);
        struct sample v = fixture_sample(6, T0, 1);
        assert_int_equal(store_append_samples(w, &v, 1, NULL), 0);
        struct seen got = {0};
        assert_int_equal(store_read_samples(r, 0, INT64_MAX, collect, &got), 0);
        assert_int_equal(got.n, 1);
        assert_int_equal(got.v[0].point, 6);
        store_close(r);
        store_close(w);
}

/* A full disk (here: a file-size limit) loses nothing that was acknowledged, and the store goes on afterwards. */
static void test_full_disk(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct rlimit old, lim;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
        lim = old;
        lim.rlim_cur = 300000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
        int64_t acked = 0;
        int r = 0;
        while (acked < 100000) {
                struct sample v[50];
                for (int i = 0; i < 50; i++)
                        v[i] = fixture_sample(0, T0 + acked + i, 1);
                r = store_append_samples(s, v, 50, NULL);
                if (r < 0)
                        break;
                acked += 50;
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        signal(SIGXFSZ, was);
        assert_true(r == -EIO || r == -ENOSPC);
        assert_true(acked > 0 && acked < 100000);
        struct store_counts c;
        struct sample v = fixture_sample(1, T0, 1);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        assert_int_equal(store_counts(s, &c), 0);
        assert_int_equal(c.samples, acked + 1);
        assert_query(s, "PRAGMA integrity_check", "[{\"integrity_check\":\"ok\"}]");
        store_close(s);
}

/* --- decisions --------------------------------------------------------------------------------------------------- */

static void test_decision_record(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        int64_t run = begin_run(f, s), id = 0, act[2] = {0};
        struct safety_certificate cert = {.model_hash = 0xfedcba9876543210u,
                                          .delta = 0.05,
                                          .horizon = 20,
                                          .margin = 0.75,
                                          .binding_y = 3,
                                          .binding_u = -1,
                                          .fraction = 0.5,
                                          .terminal = true,
                                          .verified = true};
        double proposal[2] = {24, (double)NAN}, action[2] = {22, 0.6}, confirmed[2] = {21, 0.7};
        struct store_decision d = {.t_ms = T0,
                                   .step = 17,
                                   .mode = "ACTIVE",
                                   .kind = DECISION_PROJECT,
                                   .reason = DR_WORST_CASE,
                                   .binding = "t/room/rack-1/inlet",
                                   .cert = &cert,
                                   .proposal = proposal,
                                   .action = action,
                                   .confirmed = confirmed,
                                   .nu = 2,
                                   .predicted_w = 5000,
                                   .predicted_std_w = (double)NAN,
                                   .move = "chwst +0.5 K",
                                   .worst_inlet_c = 25.5,
                                   .solve_s = 0.001};
        assert_int_equal(store_put_decision(s, run, &d, &id), 0);
        assert_int_equal(store_put_decision(s, run, &d, &id), -EINVAL); /* one record a step */
        struct store_action a[2] = {{.decision_id = id, .t_ms = T0, .point = 3, .value = 22, .why = "decision"},
                                    {.decision_id = -1, .t_ms = T0, .point = 4, .value = 0.6, .why = "handback"}};
        assert_int_equal(store_put_actions(s, run, a, 2, act), 0);
        struct write_outcome o[2] = {
            {.point = 3, .result = WRITE_ACCEPTED, .written = 22, .read_back = 22.05, .t_ms = T0 + 1500},
            {.point = 4,
             .result = WRITE_TIMED_OUT,
             .written = (double)NAN,
             .read_back = (double)NAN,
             .t_ms = T0 + 2000}};
        assert_int_equal(store_put_outcomes(s, act, o, 2), 0);
        int64_t nobody[1] = {12345}, heartbeat[1] = {-1};
        assert_int_equal(store_put_outcomes(s, nobody, o, 1), -ENOENT);
        assert_int_equal(store_put_outcomes(s, heartbeat, o, 1), 0);
        a[0].value = (double)INFINITY;
        assert_int_equal(store_put_actions(s, run, a, 1, act), -EINVAL);
        assert_int_equal(store_put_event(s, run, T0, 4, "modbus", "plc: down"), 0);
        assert_int_equal(store_put_event(s, run, T0, 9, "modbus", "no such severity"), -EINVAL);

        assert_query(s,
                     "SELECT time, run, step, mode, decision, reason, binding, margin, horizon, verified, model_hash,"
                     " predicted_w, predicted_std_w, move FROM v_decisions",
                     "[{\"time\":\"2023-11-14T22:13:20.000Z\",\"run\":1,\"step\":17,\"mode\":\"ACTIVE\","
                     "\"decision\":\"project\",\"reason\":\"worst-case\",\"binding\":\"t/room/rack-1/inlet\","
                     "\"margin\":0.75,\"horizon\":20,\"verified\":1,\"model_hash\":\"fedcba9876543210\","
                     "\"predicted_w\":5000,\"predicted_std_w\":null,\"move\":\"chwst +0.5 K\"}]");
        assert_query(s, "SELECT step, point, confirmed, proposal, action, change FROM v_setpoints",
                     "[{\"step\":17,\"point\":\"t/room/crah-1/"
                     "supply-sp\",\"confirmed\":21,\"proposal\":24,\"action\":22,\"change\":1},\n"
                     "{\"step\":17,\"point\":\"t/room/crah-1/"
                     "fan\",\"confirmed\":0.7,\"proposal\":null,\"action\":0.6,\"change\":-0.09999999999999998}]");
        assert_query(s, "SELECT step, point, value, why, result, read_back, outcome_time FROM v_actions",
                     "[{\"step\":17,\"point\":\"t/room/crah-1/supply-sp\",\"value\":22,\"why\":\"decision\","
                     "\"result\":\"ACCEPTED\",\"read_back\":22.05,\"outcome_time\":\"2023-11-14T22:13:21.500Z\"},\n"
                     "{\"step\":null,\"point\":\"t/room/crah-1/fan\",\"value\":0.6,\"why\":\"handback\","
                     "\"result\":\"TIMED_OUT\",\"read_back\":null,\"outcome_time\":\"2023-11-14T22:13:22.000Z\"}]");
        assert_query(s, "SELECT severity, component, text FROM v_events",
                     "[{\"severity\":\"warning\",\"component\":\"modbus\",\"text\":\"plc: down\"}]");
        struct store_counts c;
        assert_int_equal(store_counts(s, &c), 0);
        assert_int_equal(c.decisions, 1);
        assert_int_equal(c.actions, 2);
        assert_int_equal(c.events, 1);
        assert_int_equal(store_end_run(s, run, T0 + 5000, "SIGTERM"), 0);
        assert_int_equal(store_end_run(s, 99, T0, "x"), -ENOENT);
        assert_query(s, "SELECT run, mode, start, end, end_reason FROM v_runs",
                     "[{\"run\":1,\"mode\":\"live\",\"start\":\"2023-11-14T22:13:20.000Z\","
                     "\"end\":\"2023-11-14T22:13:25.000Z\",\"end_reason\":\"SIGTERM\"}]");
        store_close(s);
}

/* A group is all or nothing, whatever in it fails and wherever. */
static void test_groups(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        struct store_counts c;
        struct sample v = fixture_sample(0, T0, 1);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        assert_int_equal(store_group_begin(s), 0);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        assert_int_equal(store_put_event(s, 0, T0, 4, "x", "y"), 0);
        assert_int_equal(store_group_end(s, 0), 0);
        v.t_ms++;
        assert_int_equal(store_group_begin(s), 0);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        assert_int_equal(store_put_event(s, 0, T0, 9, "x", "no such severity"), -EINVAL);
        assert_true(store_append_samples(s, &v, 1, NULL) < 0);
        assert_true(store_group_end(s, 0) < 0);
        assert_non_null(strstr(store_errmsg(s), "event"));
        assert_int_equal(store_group_begin(s), 0);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        assert_int_equal(store_group_end(s, -EINVAL), -EINVAL);
        assert_int_equal(store_counts(s, &c), 0);
        assert_int_equal(c.samples, 1);
        assert_int_equal(c.events, 1);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        store_close(s);
}

/* Unsynced: some hundred commits are one; what waits is there after settling, and an error that loses it is kept. */
static void test_unsynced(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f), *reader = NULL;
        int64_t run;
        assert_int_equal(store_unsynced(s), 0);
        run = begin_run(f, s);
        assert_int_equal(store_settle(s), 0);
        assert_int_equal(store_open(f->db, STORE_READ, &reader, f->err), 0);
        for (int i = 0; i < 1000; i++)
                assert_int_equal(store_put_event(s, run, T0 + i, 6, "test", "happens"), 0);
        assert_query(s, "SELECT count(*) AS n FROM event", "[{\"n\":1000}]"); /* on its own handle */
        assert_query(reader, "SELECT count(*) / 256 AS n FROM event", "[{\"n\":3}]");
        assert_int_equal(store_settle(s), 0);
        assert_query(reader, "SELECT count(*) AS n FROM event", "[{\"n\":1000}]");
        assert_int_equal(store_put_event(s, run, T0, 6, "test", "waits"), 0);
        assert_true(store_put_event(s, run + 1, T0, 6, "test", "of no run") < 0);
        assert_true(store_put_event(s, run, T0, 6, "test", "after it") < 0);
        assert_true(store_settle(s) < 0);
        assert_query(reader, "SELECT count(*) AS n FROM event", "[{\"n\":1000}]");
        store_close(s);
        s = open_bound(f); /* and closing settles */
        assert_int_equal(store_unsynced(s), 0);
        assert_int_equal(store_put_event(s, run, T0, 6, "test", "waits"), 0);
        store_close(s);
        assert_query(reader, "SELECT count(*) AS n FROM event", "[{\"n\":1001}]");
        store_close(reader);
}

static void test_decision_needs_its_run(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_bound(f);
        struct store_decision d = {.t_ms = T0, .mode = "HOLD", .kind = DECISION_HOLD};
        assert_int_equal(store_put_decision(s, 5, &d, NULL), -EINVAL);
        int64_t run = begin_run(f, s);
        assert_int_equal(store_put_decision(s, run, &d, NULL), 0); /* no certificate, no variables */
        assert_query(s, "SELECT margin, binding_y, has_proposal FROM v_decisions",
                     "[{\"margin\":null,\"binding_y\":-1,\"has_proposal\":0}]");
        store_close(s);
}

/* --- things by name ---------------------------------------------------------------------------------------------- */

static void test_models(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        struct store_model m = {0};
        void *blob = NULL;
        char *report = NULL;
        assert_int_equal(store_latest_model(s, "energy", &m, &blob, &report), -ENOENT);
        for (uint8_t i = 1; i <= 3; i++) {
                struct store_model put = {.kind = i == 3 ? "other" : "energy",
                                          .t_ms = T0 + i,
                                          .train_from_ms = 1,
                                          .train_to_ms = 2,
                                          .hash = UINT64_MAX - i,
                                          .blob = (uint8_t[]){i, 0, i},
                                          .len = 3,
                                          .report_json = "{\"rmse\":0.1}"};
                assert_int_equal(store_put_model(s, &put, NULL), 0);
        }
        assert_int_equal(store_latest_model(s, "energy", &m, &blob, &report), 0);
        assert_int_equal(m.t_ms, T0 + 2);
        assert_true(m.hash == UINT64_MAX - 2);
        assert_int_equal(m.len, 3);
        assert_memory_equal(m.blob, ((uint8_t[]){2, 0, 2}), 3);
        assert_string_equal(report, "{\"rmse\":0.1}");
        assert_ptr_equal(m.blob, blob);
        free(blob);
        free(report);
        assert_query(s, "SELECT kind, bytes, train_from FROM v_models LIMIT 1",
                     "[{\"kind\":\"energy\",\"bytes\":3,\"train_from\":\"1970-01-01T00:00:00.001Z\"}]");
        store_close(s);
}

static void test_state_and_vm(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        double v[3] = {1, 2, 3}, got[4] = {0};
        int64_t t = 0;
        size_t len = 77;
        assert_int_equal(store_get_state(s, "timers", &t, got, sizeof got, &len), -ENOENT);
        assert_int_equal(len, 77);
        assert_int_equal(store_put_state(s, "timers", T0, v, 2 * sizeof v[0]), 0);
        assert_int_equal(store_put_state(s, "timers", T0 + 1, v, sizeof v), 0);
        assert_int_equal(store_get_state(s, "timers", &t, got, 2 * sizeof v[0], &len), -ENOBUFS);
        assert_int_equal(store_get_state(s, "timers", &t, got, sizeof got, &len), 0);
        assert_int_equal(t, T0 + 1);
        assert_int_equal(len, sizeof v);
        assert_memory_equal(got, v, sizeof v);
        assert_int_equal(store_put_state(s, "empty", T0, NULL, 0), 0);
        assert_int_equal(store_get_state(s, "empty", &t, got, 0, &len), 0);
        assert_int_equal(len, 0);

        char *json = NULL;
        assert_int_equal(store_latest_vm_message(s, "inventory", &t, &json), -ENOENT);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(store_put_vm_message(s, T0 + i, "inventory", i == 2 ? "{\"n\":2}" : "{}"), 0);
                assert_int_equal(store_put_vm_message(s, T0 + i, "move/result", "{}"), 0);
        }
        assert_int_equal(store_latest_vm_message(s, "inventory", &t, &json), 0);
        assert_string_equal(json, "{\"n\":2}");
        assert_int_equal(t, T0 + 2);
        free(json);
        assert_query(s, "SELECT subtopic, count(*) AS n FROM vm_message GROUP BY subtopic ORDER BY subtopic",
                     "[{\"subtopic\":\"inventory\",\"n\":1},\n{\"subtopic\":\"move/result\",\"n\":3}]");
        store_close(s);
}

static void test_query_json(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_write(f);
        struct store_param p[2] = {{.is_text = true, .text = "a\"b\\c\n\x01\xc3\xa9\xff\xed\xa0\x80"},
                                   {.i = INT64_MIN}};
        char *json = NULL;
        assert_int_equal(store_query_json(s, "SELECT ?1 AS t, ?2 AS i, 0.1 AS d, 1e999 AS inf, NULL AS n, x'00ff' AS b",
                                          p, 2, &json),
                         0);
        assert_string_equal(json,
                            "[{\"t\":\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
                            "\xbd\",\"i\":-9223372036854775808,\"d\":0.1,\"inf\":null,\"n\":null,\"b\":\"00ff\"}]");
        free(json);
        json = NULL;
        assert_query(s, "SELECT 1 WHERE 0", "[]");
        assert_query(s, "SELECT 1 AS a ; ", "[{\"a\":1}]");
        static const char *const refused[] = {"UPDATE counter SET value = 0",
                                              "BEGIN",
                                              "COMMIT",
                                              "ATTACH 'x' AS y",
                                              "SELECT 1; SELECT 2",
                                              "DROP TABLE sample"};
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
                assert_int_equal(store_query_json(s, refused[i], NULL, 0, &json), -EACCES);
        assert_int_equal(store_query_json(s, "SELEC 1", NULL, 0, &json), -EINVAL);
        assert_int_equal(store_query_json(s, "", NULL, 0, &json), -EINVAL);
        assert_int_equal(store_query_json(s, "SELECT ?1", p, 2, &json), -EINVAL); /* one parameter too many */
        assert_null(json);
        store_close(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_fresh_and_again, setup, teardown),
            cmocka_unit_test_setup_teardown(test_a_reader_of_the_empty_file_is_waited_for, setup, teardown),
            cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
            cmocka_unit_test_setup_teardown(test_refuses_strangers, setup, teardown),
            cmocka_unit_test_setup_teardown(test_corruption_found_at_open, setup, teardown),
            cmocka_unit_test(test_migrations_are_all_or_nothing),
            cmocka_unit_test_setup_teardown(test_checks_hold, setup, teardown),
            cmocka_unit_test_setup_teardown(test_one_writer, setup, teardown),
            cmocka_unit_test_setup_teardown(test_scratch, setup, teardown),
            cmocka_unit_test_setup_teardown(test_result_names, setup, teardown),
            cmocka_unit_test_setup_teardown(test_append_read_back, setup, teardown),
            cmocka_unit_test_setup_teardown(test_duplicates_are_counted_and_lose_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_bad_arguments_change_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_ids_survive_a_changed_site, setup, teardown),
            cmocka_unit_test_setup_teardown(test_latest, setup, teardown),
            cmocka_unit_test_setup_teardown(test_reader_while_writing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_reader_sees_points_added_later, setup, teardown),
            cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
            cmocka_unit_test_setup_teardown(test_decision_record, setup, teardown),
            cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
            cmocka_unit_test_setup_teardown(test_unsynced, setup, teardown),
            cmocka_unit_test_setup_teardown(test_decision_needs_its_run, setup, teardown),
            cmocka_unit_test_setup_teardown(test_models, setup, teardown),
            cmocka_unit_test_setup_teardown(test_state_and_vm, setup, teardown),
            cmocka_unit_test_setup_teardown(test_query_json, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
