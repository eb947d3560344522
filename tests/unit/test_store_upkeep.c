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

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_backup_while_writing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_backup_never_replaces, setup, teardown),
            cmocka_unit_test_setup_teardown(test_verify_finds, setup, teardown),
            cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
            cmocka_unit_test_setup_teardown(test_readable_after_close, setup, teardown),
            cmocka_unit_test_setup_teardown(test_start_does_not_grow, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
