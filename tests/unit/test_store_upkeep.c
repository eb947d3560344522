/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Backup, verification and row queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "agent/store/store_internal.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000000000

struct ctx {
        struct fixture *f;
        struct store *s;
        int64_t next; /* next sample of the writer */
        char told[2048];
};

static int setup(void **state)
{
        struct ctx *c = calloc(1, sizeof *c);
        c->f = fixture_create();
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
        assert_int_equal(store_bind_site(c->s, &c->f->site), 0);
        *state = c;
        return 0;
}

static int teardown(void **state)
{
        struct ctx *c = *state;
        store_close(c->s);
        fixture_free(c->f);
        free(c);
        return 0;
}

static void write_some(struct ctx *c, int n)
{
        for (int i = 0; i < n; i++, c->next++) {
                struct sample v = fixture_sample(0, T0 + c->next, 1);
                assert_int_equal(store_append_samples(c->s, &v, 1, NULL), 0);
        }
}

static void write_during_backup(void *ctx, int64_t done, int64_t pages)
{
        (void)done;
        (void)pages;
        write_some(ctx, 10);
}

static void test_backup_while_writing(void **state)
{
        struct ctx *c = *state;
        char dest[128];
        struct store *r = NULL, *copy = NULL;
        struct store_counts n;
        snprintf(dest, sizeof dest, "%s/copy.db", c->f->dir);
        write_some(c, 300);
        assert_int_equal(store_open(c->f->db, STORE_READ, &r, c->f->err), 0);
        assert_int_equal(store_backup(r, dest, write_during_backup, c, c->f->err), 0);
        store_close(r);
        write_some(c, 10);

        assert_int_equal(store_open(dest, STORE_WRITE, &copy, c->f->err), 0);
        assert_int_equal(store_counts(copy, &n), 0);
        assert_int_equal(n.samples, 300); /* the moment it began */
        size_t problems = 99;
        assert_int_equal(store_verify(copy, NULL, NULL, &problems), 0);
        assert_int_equal(problems, 0);
        store_close(copy);
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_true(n.samples >= 320);
}

static void test_backup_never_replaces(void **state)
{
        struct ctx *c = *state;
        char dest[128], part[140];
        snprintf(dest, sizeof dest, "%s/copy.db", c->f->dir);
        snprintf(part, sizeof part, "%s.part", dest);
        assert_int_equal(store_backup(c->s, dest, NULL, NULL, c->f->err), 0);
        assert_int_equal(store_backup(c->s, dest, NULL, NULL, c->f->err), -EEXIST);
        assert_non_null(strstr(c->f->err, dest));
        assert_int_equal(access(part, F_OK), -1);
        snprintf(dest, sizeof dest, "%s/no/such/folder.db", c->f->dir);
        assert_true(store_backup(c->s, dest, NULL, NULL, c->f->err) < 0);
        write_some(c, 1); /* a failed backup leaves the handle usable */
}

static void told(void *ctx, const char *finding)
{
        struct ctx *c = ctx;
        size_t at = strlen(c->told);
        snprintf(c->told + at, sizeof c->told - at, "%s\n", finding);
}

static void test_verify_finds(void **state)
{
        struct ctx *c = *state;
        size_t n = 0;
        write_some(c, 3);
        assert_int_equal(store_verify(c->s, told, c, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(store_exec(c->s, "DELETE FROM sample WHERE t_ms = 1700000000001;"
                                          "INSERT INTO sample VALUES (5, 77, 1, 1, 2, 0);"
                                          "PRAGMA foreign_keys = OFF;"
                                          "INSERT INTO latest VALUES (88, 5, 1, 1, 0, 0)"),
                         0);
        assert_int_equal(store_verify(c->s, told, c, &n), 0);
        assert_int_equal(n, 3);
        assert_non_null(strstr(c->told, "counter good says 3, rows: 2"));
        assert_non_null(strstr(c->told, "sample of unknown point 77: 1 rows"));
        assert_non_null(strstr(c->told, "table latest row 88"));
}

static int row(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct ctx *c = ctx;
        for (size_t i = 0; i < n; i++) {
                size_t at = strlen(c->told);
                snprintf(c->told + at, sizeof c->told - at, "%s=%s;", name[i], text[i] ? text[i] : "(null)");
        }
        return text[0] && strcmp(text[0], "2") == 0 ? 9 : 0;
}

static void test_rows(void **state)
{
        struct ctx *c = *state;
        struct store_param p = {.is_text = true, .text = "x"};
        assert_int_equal(
            store_query_rows(c->s, "SELECT 1 AS a, 0.1 AS b, NULL AS n, ?1 AS t, 1e999 AS i", &p, 1, row, c), 0);
        assert_string_equal(c->told, "a=1;b=0.1;n=(null);t=x;i=Inf;");
        c->told[0] = '\0';
        assert_int_equal(store_query_rows(c->s, "VALUES (1), (2), (3)", NULL, 0, row, c), 9);
        assert_string_equal(c->told, "column1=1;column1=2;");
        assert_int_equal(store_query_rows(c->s, "DELETE FROM point", NULL, 0, row, c), -EACCES);
}

/* What `sqlite3` in a shell, or a reader in a folder it may not write, needs: the file opens read-only after close. */
static void test_readable_after_close(void **state)
{
        struct ctx *c = *state;
        struct store *r = NULL;
        write_some(c, 5);
        c->s = store_close(c->s);
        assert_int_equal(chmod(c->f->dir, 0500), 0);
        int e = store_open(c->f->db, STORE_READ, &r, c->f->err);
        assert_int_equal(chmod(c->f->dir, 0700), 0);
        assert_int_equal(e, 0);
        struct store_counts n;
        assert_int_equal(store_counts(r, &n), 0);
        assert_int_equal(n.samples, 5);
        store_close(r);
}

/* Opening must not take longer because there is more history: pages read at open are bounded. */
static void test_start_does_not_grow(void **state)
{
        struct ctx *c = *state;
        int64_t bytes[2] = {0};
        struct store_counts n;
        for (int k = 0; k < 2; k++) {
                struct sample *v = malloc(100000 * sizeof *v);
                for (int round = 0; round < (k ? 6 : 1); round++) {
                        for (int i = 0; i < 100000; i++)
                                v[i] = fixture_sample((uint32_t)(i % FIXTURE_POINTS), T0 + c->next + i / FIXTURE_POINTS,
                                                      i);
                        c->next += 100000;
                        assert_int_equal(store_append_samples(c->s, v, 100000, NULL), 0);
                }
                free(v);
                assert_int_equal(store_counts(c->s, &n), 0);
                store_close(c->s);
                assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
                assert_int_equal(store_bind_site(c->s, &c->f->site), 0);
                assert_int_equal(store_counts(c->s, &n), 0);
                int missed = 0, high = 0;
                sqlite3_db_status(c->s->db, SQLITE_DBSTATUS_CACHE_MISS, &missed, &high, 0);
                bytes[k] = n.bytes;
                print_message("%lld bytes: %d pages read at open\n", (long long)n.bytes, missed);
                if (k == 1)
                        assert_true(missed < 64); /* of thousands */
        }
        assert_true(bytes[0] < STORE_QUICK_CHECK_MAX_BYTES && bytes[1] > STORE_QUICK_CHECK_MAX_BYTES);
}

#define DAY_MS (86400 * (int64_t)1000)

static int64_t number(struct ctx *c, const char *sql)
{
        int64_t v = -1;
        assert_int_equal(store_get_int(c->s, sql, -1, &v), 0);
        return v;
}

/* `days` of n samples and a decision with an action and an event each. */
static void history(struct ctx *c, int64_t run, int days, int n)
{
        struct sample *v = malloc((size_t)n * sizeof *v);
        double u[2] = {1, 2};
        for (int d = 0; d < days; d++) {
                int64_t t = T0 + d * DAY_MS, id = 0;
                for (int i = 0; i < n; i++)
                        v[i] = fixture_sample((uint32_t)(i % FIXTURE_POINTS), t + i / FIXTURE_POINTS,
                                              i % 5 ? i : (double)NAN);
                assert_int_equal(store_append_samples(c->s, v, (size_t)n, NULL), 0);
                struct store_decision e = {
                    .t_ms = t, .step = (uint64_t)d, .mode = "ACTIVE", .nu = 2, .action = u, .binding = "", .move = ""};
                assert_int_equal(store_put_decision(c->s, run, &e, &id), 0);
                struct store_action a[2] = {{.decision_id = id, .t_ms = t, .point = 3, .value = 1, .why = "decision"},
                                            {.decision_id = -1, .t_ms = t, .point = 3, .value = 1, .why = "handback"}};
                assert_int_equal(store_put_actions(c->s, run, a, 2, NULL), 0);
                assert_int_equal(store_put_event(c->s, run, t, 6, "x", "y"), 0);
                assert_int_equal(store_put_vm_message(c->s, t, "move/request", "{}"), 0);
        }
        free(v);
}

static int64_t begin(struct ctx *c)
{
        int64_t run = 0;
        assert_int_equal(
            store_begin_run(
                c->s, &(struct store_run){.mode = "live", .t_ms = T0, .version = "t", .config_hash = c->f->site.hash},
                &run),
            0);
        return run;
}

/* Purges until nothing is left to do; pieces are bounded and a reader goes on seeing what it saw. */
static void purge_all(struct ctx *c, const struct store_keep *keep)
{
        struct store_purged p = {.more = true};
        for (int i = 0; p.more; i++) {
                assert_true(i < 10000);
                assert_int_equal(store_purge(c->s, keep, &p), 0);
                assert_true(p.samples <= 2000 && p.records <= 50 * 5 + 200 * 3 + 58);
        }
        size_t problems = 99;
        assert_int_equal(store_verify(c->s, told, c, &problems), 0);
        assert_string_equal(c->told, "");
}

static void test_purge_by_age(void **state)
{
        struct ctx *c = *state;
        struct store *r = NULL;
        struct store_counts n;
        history(c, begin(c), 20, 10000);
        struct store_keep keep = {.samples_ms = T0 + 5 * DAY_MS,
                                  .floor_ms = T0 + 13 * DAY_MS,
                                  .max_bytes = INT64_MAX,
                                  .records_ms = INT64_MIN};
        assert_int_equal(store_open(c->f->db, STORE_READ, &r, c->f->err), 0);
        assert_int_equal(store_exec(r, "BEGIN"), 0);
        assert_int_equal(store_counts(r, &n), 0);
        assert_int_equal(n.samples, 200000);
        purge_all(c, &keep);
        assert_int_equal(store_counts(r, &n), 0); /* the snapshot of a reader stands */
        assert_int_equal(n.samples, 200000);
        assert_int_equal(n.first_t_ms, T0);
        assert_int_equal(store_exec(r, "COMMIT"), 0);
        assert_int_equal(store_counts(r, &n), 0);
        store_close(r);
        assert_int_equal(n.samples, 150000);
        assert_int_equal(n.good, 120000);
        assert_int_equal(n.purged_good, 40000);
        assert_int_equal(n.purged_bad, 10000);
        assert_int_equal(n.first_t_ms, T0 + 5 * DAY_MS);
        assert_int_equal(n.decisions, 20); /* the record stays longer */
        keep.records_ms = T0 + 8 * DAY_MS;
        purge_all(c, &keep);
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_int_equal(n.decisions, 12);
        assert_int_equal(n.actions, 24);
        assert_int_equal(n.events, 12);
        assert_int_equal(number(c, "SELECT count(*) FROM vm_message"), 12);
        assert_int_equal(number(c, "SELECT count(*) FROM decision_var"), 24);
        assert_int_equal(n.samples, 150000);
        write_some(c, 3); /* and it goes on */
}

static void test_purge_by_size(void **state)
{
        struct ctx *c = *state;
        struct store_counts n;
        struct store_purged p;
        history(c, begin(c), 20, 20000);
        int64_t bytes = number(c, "PRAGMA page_count") * 4096;
        struct store_keep keep = {
            .samples_ms = T0, .floor_ms = T0 + 13 * DAY_MS, .max_bytes = bytes - (4 << 20), .records_ms = INT64_MIN};
        purge_all(c, &keep);
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_in_range(n.samples, 400000 - 200000, 400000 - 100000); /* no more than it takes */
        int64_t used = (number(c, "PRAGMA page_count") - number(c, "PRAGMA freelist_count")) * 4096;
        assert_true(used <= keep.max_bytes);
        keep.max_bytes = 4096; /* impossible: the floor holds, and it says so */
        purge_all(c, &keep);
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_int_equal(n.first_t_ms, T0 + 13 * DAY_MS);
        assert_int_equal(n.samples, 7 * 20000);
        assert_int_equal(store_purge(c->s, &keep, &p), 0);
        assert_true(p.full && !p.more);
        assert_true(number(c, "PRAGMA freelist_count") <=
                    4096); /* 16 MiB stay for what comes, the rest is given back */
        assert_true(number(c, "PRAGMA page_count") * 4096 < bytes);
}

static void test_models_are_few(void **state)
{
        struct ctx *c = *state;
        struct store_model m = {.kind = "arx-safety", .blob = "x", .len = 1, .report_json = "{}"};
        int64_t id = 0;
        for (int i = 0; i < STORE_MODELS_KEPT + 10; i++)
                assert_int_equal(store_put_model(c->s, &m, &id), 0);
        m.kind = "energy";
        assert_int_equal(store_put_model(c->s, &m, NULL), 0);
        assert_int_equal(number(c, "SELECT count(*) FROM model"), STORE_MODELS_KEPT + 1);
        assert_int_equal(number(c, "SELECT max(id) FROM model WHERE kind = 'arx-safety'"), id);
}

/* A database of the version before is brought up, rows, counters and all. */
static void test_upgrade_from_the_first_version(void **state)
{
        struct ctx *c = *state;
        size_t problems = 99;
        write_some(c, 10);
        assert_int_equal(
            store_exec(c->s, "DELETE FROM counter WHERE name LIKE 'purged%'; DROP TRIGGER uncount_decision;"
                             "DROP TRIGGER uncount_action; DROP TRIGGER uncount_event;"
                             "DROP TABLE evidence; DROP TABLE model_set; DELETE FROM migration WHERE version > 1"),
            0);
        c->s = store_close(c->s);
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
        assert_int_equal(number(c, "SELECT max(version) FROM migration"), 3);
        assert_int_equal(store_verify(c->s, told, c, &problems), 0);
        assert_int_equal(problems, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_backup_while_writing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_backup_never_replaces, setup, teardown),
            cmocka_unit_test_setup_teardown(test_verify_finds, setup, teardown),
            cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
            cmocka_unit_test_setup_teardown(test_purge_by_age, setup, teardown),
            cmocka_unit_test_setup_teardown(test_purge_by_size, setup, teardown),
            cmocka_unit_test_setup_teardown(test_models_are_few, setup, teardown),
            cmocka_unit_test_setup_teardown(test_upgrade_from_the_first_version, setup, teardown),
            cmocka_unit_test_setup_teardown(test_readable_after_close, setup, teardown),
            cmocka_unit_test_setup_teardown(test_start_does_not_grow, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
