/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What decisions were made on, in the database: read back as written, found when changed, gone with its samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "agent/store/store_internal.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000000000
#define DAY_MS (86400 * (int64_t)1000)

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

static struct store *open_bound(struct fixture *f, int64_t *ret_run)
{
        struct store *s = NULL;
        int r = store_open(f->db, STORE_WRITE, &s, f->err);
        if (r < 0)
                fail_msg("%d: %s", r, f->err);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        struct store_run run = {.mode = "live", .t_ms = T0, .version = "0.1.0", .config_hash = f->site.hash};
        assert_int_equal(store_begin_run(s, &run, ret_run), 0);
        return s;
}

static int64_t number(struct store *s, const char *sql)
{
        int64_t v = -1;
        assert_int_equal(store_get_int(s, sql, -1, &v), 0);
        return v;
}

static struct safety_certificate cert = {.model_hash = 0xfedcba9876543210u,
                                         .delta = 0.05,
                                         .horizon = 12,
                                         .margin = 0.1 + 0.2,
                                         .binding_y = 3,
                                         .binding_u = -1,
                                         .fraction = 1.0 / 3,
                                         .terminal = true,
                                         .verified = true};
static double proposal[2] = {24, (double)NAN}, action[2] = {22.1, -0.0}, confirmed[2] = {(double)NAN, 0.7};

static struct store_decision decision(uint64_t step, struct store_evidence *e)
{
        return (struct store_decision){.t_ms = T0 + 30000 * (int64_t)step,
                                       .step = step,
                                       .mode = "ACTIVE",
                                       .kind = DECISION_PROJECT,
                                       .reason = DR_WORST_CASE,
                                       .binding = "t/room/rack-1/inlet",
                                       .cert = &cert,
                                       .proposal = step % 2 ? proposal : NULL,
                                       .action = action,
                                       .confirmed = confirmed,
                                       .nu = 2,
                                       .predicted_w = 5000.125,
                                       .predicted_std_w = (double)NAN,
                                       .move = "chwst +0.5 K",
                                       .worst_inlet_c = 25.5,
                                       .solve_s = 0.001,
                                       .evidence = e};
}

/* Every third with a new set. */
static void put(struct store *s, int64_t run, uint64_t step, int64_t *set_id)
{
        char blob[32];
        struct store_evidence e = {.set_id = *set_id, .blob = blob};
        e.len = (size_t)snprintf(blob, sizeof blob, "evidence %d", (int)step);
        if (step % 3 == 0) {
                e.set = "a model set";
                e.set_len = 11;
                e.set_hash = 0xfedcba9876543210u + step;
        }
        struct store_decision d = decision(step, &e);
        assert_int_equal(store_put_decision(s, run, &d, NULL), 0);
        *set_id = e.set_id;
}

struct seen {
        size_t n, lead, stored, intact;
        uint64_t first, last;
        int64_t set[64];
        size_t stop;  /* after so many; 0 = go on */
        bool changed; /* somebody changed something: only count */
};

static int look(void *ctx, const struct store_record *r)
{
        struct seen *v = ctx;
        if (v->n++ == 0)
                v->first = r->d.step;
        v->last = r->d.step;
        v->lead += !r->in_span;
        v->stored += r->stored;
        v->intact += r->intact;
        v->set[r->d.step % 64] = r->set_id;
        if (v->changed)
                return 0;
        if (r->stored) {
                char want[32];
                int len = snprintf(want, sizeof want, "evidence %d", (int)r->d.step);
                assert_int_equal(r->len, len);
                assert_memory_equal(r->blob, want, r->len);
        }
        assert_string_equal(r->run_mode, "live");
        assert_int_equal(strlen(r->config), 64);
        assert_true(r->d.nu == 2 && r->d.action[0] == 22.1 && isnan(r->d.confirmed[0]));
        assert_true((r->d.proposal != NULL) == (r->d.step % 2 == 1));
        assert_true(r->d.cert->margin == 0.1 + 0.2 || !r->stored);
        return v->n == v->stop ? -ECANCELED : 0;
}

static struct seen read_back(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead)
{
        struct seen v = {0};
        assert_int_equal(store_read_records(s, from_ms, to_ms, lead, look, &v), 0);
        return v;
}

static void test_round_trip(void **state)
{
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        for (uint64_t step = 0; step < 600; step++) /* more than one read's worth */
                put(s, run, step, &set);
        struct seen v = read_back(s, INT64_MIN, INT64_MAX, 7);
        assert_int_equal(v.n, 600);
        assert_int_equal(v.intact, 600);
        assert_int_equal(v.lead, 0);
        assert_true(v.set[0] == v.set[2] && v.set[2] != v.set[3]);
        v = read_back(s, T0 + 30000 * 100, T0 + 30000 * 110, 7);
        assert_int_equal(v.n, 17);
        assert_int_equal(v.lead, 7);
        assert_int_equal(v.first, 93);
        assert_int_equal(v.last, 109);
        v = read_back(s, T0 + 30000 * 3, T0 + 30000 * 5, 7);
        assert_int_equal(v.first, 0);
        v = read_back(s, T0 - 5, T0, 7);
        assert_int_equal(v.n, 0);
        v = (struct seen){.stop = 5};
        assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), -ECANCELED);
        uint64_t hash = 0;
        void *blob = NULL;
        size_t len = 0;
        assert_int_equal(store_get_set(s, set, &hash, &blob, &len), 0);
        assert_true(hash == 0xfedcba9876543210u + 597 && len == 11 && memcmp(blob, "a model set", 11) == 0);
        free(blob);
        assert_int_equal(store_get_set(s, set + 1, &hash, &blob, &len), -ENOENT);
        store_close(s);
}

/* Any single value of the record, of its variables or of the blob. */
static void test_a_change_is_found(void **state)
{
        static const char *const change[] = {
            "UPDATE decision SET margin = margin + 1e-12 WHERE step = 4",
            "UPDATE decision SET margin = NULL WHERE step = 4",
            "UPDATE decision SET reason = 0 WHERE step = 4",
            "UPDATE decision SET t_ms = t_ms + 1 WHERE step = 4",
            "UPDATE decision SET mode = 'HOLD' WHERE step = 4",
            "UPDATE decision SET model_hash = 'fedcba9876543211' WHERE step = 4",
            "UPDATE decision SET verified = 0 WHERE step = 4",
            "UPDATE decision SET step = 99 WHERE step = 4",
            "UPDATE decision_var SET action = 0.1 WHERE var = 1 AND decision_id = 5",
            "UPDATE decision_var SET confirmed = 22.1 WHERE var = 0 AND decision_id = 5",
            "UPDATE evidence SET blob = CAST('evidence 4 ' AS BLOB) WHERE decision_id = 5"};
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        for (uint64_t step = 0; step < 6; step++)
                put(s, run, step, &set);
        for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
                struct seen v = {.changed = true};
                assert_int_equal(store_exec(s, "SAVEPOINT before"), 0);
                assert_int_equal(store_exec(s, change[i]), 0);
                assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), 0);
                if (v.intact != 5)
                        fail_msg("not found: %s", change[i]);
                assert_int_equal(store_exec(s, "ROLLBACK TO before; RELEASE before"), 0);
        }
        struct seen v = read_back(s, INT64_MIN, INT64_MAX, 0);
        assert_int_equal(v.intact, 6);
        store_close(s);
}

/* The run's row says what all its decisions were made under. */
static void test_a_changed_run_is_found(void **state)
{
        static const char *const change[] = {"UPDATE run SET config = printf('%064d', 7) WHERE id = 1",
                                             "UPDATE run SET version = '0.2.0' WHERE id = 1",
                                             "UPDATE run SET mode = 'sim' WHERE id = 1"};
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        put(s, run, 0, &set);
        put(s, run, 1, &set);
        struct store_run other = {.mode = "shadow", .t_ms = T0, .version = "0.1.0", .config_hash = f->site.hash};
        assert_int_equal(store_begin_run(s, &other, &run), 0);
        put(s, run, 2, &set);
        for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
                struct seen v = {.changed = true};
                assert_int_equal(store_exec(s, "SAVEPOINT before"), 0);
                assert_int_equal(store_exec(s, change[i]), 0);
                assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), 0);
                if (v.stored != 3 || v.intact != 1)
                        fail_msg("not found: %s", change[i]);
                assert_int_equal(store_exec(s, "ROLLBACK TO before; RELEASE before"), 0);
        }
        /* how and when it ended is written later */
        struct seen v = {.changed = true};
        assert_int_equal(store_end_run(s, 1, T0 + 1, "stopped"), 0);
        assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), 0);
        assert_int_equal(v.intact, 3);
        store_close(s);
}

/* The decision and what it was made on are there together or not at all. */
static void test_all_or_nothing(void **state)
{
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        put(s, run, 0, &set);
        struct store_evidence e = {.set_id = set + 77, .blob = "x", .len = 1}; /* a set that is not there */
        struct store_decision d = decision(1, &e);
        assert_int_equal(store_put_decision(s, run, &d, NULL), -EINVAL);
        assert_int_equal(number(s, "SELECT count(*) FROM decision"), 1);
        assert_int_equal(number(s, "SELECT count(*) FROM decision_var"), 2);
        e = (struct store_evidence){.set = "s", .set_len = 1, .set_id = set, .blob = "x", .len = 1};
        d = decision(0, &e); /* the step is there already */
        assert_int_equal(store_put_decision(s, run, &d, NULL), -EINVAL);
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 1);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 1);
        d.step = 1;
        assert_int_equal(store_group_begin(s), 0);
        assert_int_equal(store_put_decision(s, run, &d, NULL), 0);
        assert_int_equal(store_group_end(s, -EIO), -EIO); /* what else was in the group failed */
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 1);
        d.evidence = NULL;
        assert_int_equal(store_put_decision(s, run, &d, NULL), 0);
        struct seen v = {.changed = true};
        assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), 0);
        assert_true(v.n == 2 && v.stored == 1 && v.intact == 1);
        store_close(s);
}

static void purge_all(struct store *s, const struct store_keep *keep)
{
        struct store_purged p = {.more = true};
        for (int i = 0; p.more; i++) {
                assert_true(i < 1000);
                assert_int_equal(store_purge(s, keep, &p), 0);
        }
}

static void test_purged_with_its_samples(void **state)
{
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        for (int64_t k = 0; k < 20; k++) {
                struct sample v = fixture_sample(0, T0 + k * DAY_MS, 1);
                assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        }
        for (uint64_t step = 0; step < 20; step++) {
                put(s, run, step, &set);
                assert_int_equal(
                    store_exec(s, "UPDATE decision SET t_ms = 1700000000000 + step * 86400000 WHERE step > 0"), 0);
        }
        struct store_keep keep = {.samples_ms = T0 + 5 * DAY_MS,
                                  .floor_ms = T0 + 13 * DAY_MS,
                                  .max_bytes = INT64_MAX,
                                  .records_ms = INT64_MIN};
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM decision"), 20); /* the record stays longer */
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 15);
        assert_int_equal(number(s, "SELECT min(decision_id) FROM evidence"), 6);
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 6); /* of step 3 on: 5 follows it */
        keep.max_bytes = 4096;
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 7); /* by size, not beyond the floor */
        keep.max_bytes = INT64_MAX;
        keep.records_ms = T0 + 17 * DAY_MS; /* decisions that go first take theirs along */
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM decision"), 3);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 3);
        keep.samples_ms = keep.records_ms = T0 + 30 * DAY_MS;
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 0);
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 1); /* the gate may be about to refer to it */
        size_t problems = 99;
        assert_int_equal(store_verify(s, NULL, NULL, &problems), 0);
        assert_int_equal(problems, 0);
        put(s, run, 31, &set);
        store_close(s);
}

/* A clock that ran ahead for a while: what it dated so stays, and what is behind it goes all the same, whole. */
static void test_purged_behind_what_is_dated_ahead(void **state)
{
        struct fixture *f = *state;
        int64_t run, set = 0;
        struct store *s = open_bound(f, &run);
        struct store_keep keep = {
            .samples_ms = T0 + 20 * DAY_MS, .floor_ms = INT64_MIN, .max_bytes = INT64_MAX, .records_ms = INT64_MIN};
        struct store_purged p;
        for (uint64_t step = 0; step < 240; step++)
                put(s, run, step, &set);
        assert_int_equal(store_exec(s, "UPDATE decision SET t_ms = t_ms + 90 * 86400000 WHERE step < 60;"
                                       "UPDATE decision SET t_ms = t_ms + 30 * 86400000 WHERE step >= 200"),
                         0);
        assert_int_equal(store_purge(s, &keep, &p), 0);
        assert_true(p.more);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 190); /* the oldest 50 of them at a time */
        assert_int_equal(number(s, "SELECT min(decision_id) FROM evidence WHERE decision_id > 60"), 111);
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 100);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence WHERE decision_id BETWEEN 61 AND 200"), 0);
        /* sets of what stays: 20 of those dated ahead; 199 to 201 share one, and 13 follow */
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 20 + 14);
        keep.samples_ms = T0 + 60 * DAY_MS; /* all but those dated ahead */
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 60);
        assert_int_equal(number(s, "SELECT count(*) FROM model_set"), 20 + 1);
        keep.samples_ms = T0 + 100 * DAY_MS;
        purge_all(s, &keep);
        assert_int_equal(number(s, "SELECT count(*) FROM evidence"), 0);
        store_close(s);
}

/* A database of version 2: opened, upgraded, its decisions without evidence, new ones with it. */
static void test_upgrade(void **state)
{
        struct fixture *f = *state;
        struct store_migration old[3] = {store_migrations[0], store_migrations[1], {0, NULL, NULL}};
        sqlite3 *db = NULL;
        char err[STORE_ERR_MAX];
        assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
        assert_int_equal(store_migrate(db, old, err), 0);
        assert_int_equal(
            sqlite3_exec(
                db,
                "INSERT INTO run (mode, start_t_ms, version, config) VALUES ('live', 0, '', printf('%064d', 0));"
                "INSERT INTO decision (run_id, step, t_ms, mode, kind, reason, binding, model_hash, horizon,"
                " binding_y, binding_u, terminal, verified, has_proposal, move)"
                " VALUES (1, 7, 1700000000000, 'HOLD', 2, 6, '', printf('%016d', 0), 12, -1, -1, 0, 1, 0, '');"
                "INSERT INTO decision_var VALUES (1, 0, NULL, NULL, 22.1, NULL),"
                " (1, 1, NULL, NULL, 0.5, 0.7)",
                NULL, NULL, NULL),
            SQLITE_OK);
        sqlite3_close(db);
        struct store *s = NULL;
        assert_int_equal(store_open(f->db, STORE_READ, &s, f->err), -ESTALE); /* the gate has yet to upgrade it */
        int64_t run, set = 0;
        s = open_bound(f, &run);
        assert_int_equal(number(s, "SELECT max(version) FROM migration WHERE dirty = 0"), 3);
        put(s, run, 9, &set);
        struct seen v = {.changed = true};
        assert_int_equal(store_read_records(s, INT64_MIN, INT64_MAX, 0, look, &v), 0);
        assert_true(v.n == 2 && v.stored == 1 && v.intact == 1);
        store_close(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
            cmocka_unit_test_setup_teardown(test_a_change_is_found, setup, teardown),
            cmocka_unit_test_setup_teardown(test_a_changed_run_is_found, setup, teardown),
            cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_purged_with_its_samples, setup, teardown),
            cmocka_unit_test_setup_teardown(test_purged_behind_what_is_dated_ahead, setup, teardown),
            cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
