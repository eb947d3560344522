/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* An audit of what a gate stored: everything is found again; one digit changed anywhere is found out; what is not there
 * is said. */
#include <errno.h>

#include "tests/unit/recorded_rig.h"

#include "agent/gate/audit.h"
#include "models/num/rng.h"

enum { STEPS = 215, RUNS = 2 };

/* `recorded` holds two runs of STEPS decisions in a store of its own. */
struct seen {
        struct audit_counts c;
        enum audit_verdict verdict[RUNS * STEPS + 1]; /* by decision */
        char why[RUNS * STEPS + 1][96];
        double said[RUNS * STEPS + 1], found[RUNS * STEPS + 1];
        bool another_set[RUNS * STEPS + 1];
        size_t n;
        struct audit_gap gap[8];
        size_t ngap;
};

static void on_decision(void *ctx, const struct audit_decision *d)
{
        struct seen *v = ctx;

        assert_true(v->n < sizeof v->verdict / sizeof *v->verdict);
        v->verdict[v->n] = d->verdict;
        (void)snprintf(v->why[v->n], sizeof *v->why, "%s", d->why);
        v->said[v->n] = d->d->cert->margin;
        v->found[v->n] = d->margin;
        v->another_set[v->n] = d->model_hash != 0 && d->model_hash != d->d->cert->model_hash;
        v->n++;
}

static void on_gap(void *ctx, const struct audit_gap *g)
{
        struct seen *v = ctx;

        if (v->ngap < 8)
                v->gap[v->ngap++] = *g;
}

static struct seen *audit(int64_t from_ms, int64_t to_ms)
{
        static struct seen v;
        const struct audit_sink sink = {on_decision, on_gap, &v};

        memset(&v, 0, sizeof v);
        assert_int_equal(audit_run(recorded->site, recorded->store, from_ms, to_ms, &sink, &v.c), 0);
        return &v;
}

static void run_steps(struct rig *r, struct rng *g)
{
        struct ipc_proposal p;
        double calm[64];

        for (size_t i = 0; i < r->gate->layout->ny; i++)
                calm[i] = r->value[r->gate->layout->y[i].point];
        for (int t = 0; t < STEPS; t++) {
                for (size_t i = 0; i < r->gate->layout->ny; i++)
                        r->value[r->gate->layout->y[i].point] = calm[i] + 0.03 * rng_normal(g);
                for (size_t k = 0; k < r->gate->layout->nd; k++)
                        if (r->gate->layout->d[k].kind == D_RACK_POWER)
                                r->value[r->gate->layout->d[k].point] = rng_range(g, 3900, 4100);
                advance(r, t % 50 == 30 ? ROLE_INLET_TEMP : ROLE_NONE); /* now and then a scan without inlets */
                proposal(r, &p);
                for (size_t j = 0; j < p.nu && t % 3 != 2; j++)
                        p.u[j] += rng_range(g, -0.4, 0.4) * (p.u[j] > 2 ? 1 : 0.2);
                gate_step_end(r->gate, t > 10 && t < 50 ? NULL : &p, false); /* no planner: HOLD, then FALLBACK */
                finish_writes(r, WRITE_ACCEPTED);
        }
}

static int record_runs(void **state)
{
        struct rng g;
        char why[256];
        struct rig *r = rig_site();

        (void)state;
        r->cold = true; /* what a test changes in the model behind its back, its hash does not know */
        rng_seed(&g, 20261130, 1);
        assert_int_equal(store_open(NULL, STORE_WRITE, &r->store, why), 0);
        for (int run = 0; run < RUNS; run++) {
                rig_start(r, true, 0);
                run_steps(r, &g);
                r->nwrite = r->done = 0;
                if (run + 1 < RUNS)
                        r->gate = gate_free(r->gate);
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + 60000);
        }
        assert_true(status(r).model_rows_fitted > 0);
        recorded = r;
        return 0;
}

static int forget_runs(void **state)
{
        (void)state;
        rig_free(recorded);
        return 0;
}

static int64_t number(const char *text)
{
        int64_t v = -1;

        assert_int_equal(store_get_int(recorded->store, text, -1, &v), 0);
        return v;
}

/* R34: each cycle has exactly one record, and each record all that the seven questions are answered from. */
static void r34_every_cycle_has_one_complete_record(void **state)
{
        const int64_t nu = (int64_t)recorded->gate->layout->nu;
        char text[512];

        (void)state;
        assert_int_equal(number("SELECT count(*) FROM decision"), RUNS * STEPS);
        assert_int_equal(
            number("SELECT count(*) FROM run r WHERE (SELECT count(*) FROM decision WHERE run_id = r.id) <> 1"
                   " + (SELECT max(step) - min(step) FROM decision WHERE run_id = r.id)"),
            0);
        assert_int_equal(number("SELECT count(DISTINCT run_id || ':' || step) FROM decision"), RUNS * STEPS);
        /* what changed: every variable, with what was in force and what is */
        (void)snprintf(
            text, sizeof text,
            "SELECT count(*) FROM decision d WHERE (SELECT count(*) FROM decision_var v JOIN point p ON p.id ="
            " v.point_id WHERE v.decision_id = d.id AND v.action IS NOT NULL AND v.confirmed IS NOT NULL) <> %d",
            (int)nu);
        assert_int_equal(number(text), 0);
        /* why, and what allowed it: names, no numbers that nobody can read; what binds is named where a reason needs it
         */
        assert_int_equal(number("SELECT count(*) FROM v_decisions WHERE typeof(decision) <> 'text' OR typeof(reason) <>"
                                " 'text' OR mode = '' OR (binding = '' AND reason IN ('worst-case', 'limit', 'rate',"
                                " 'sensor', 'not-certifiable', 'trip'))"),
                         0);
        assert_int_equal(number("SELECT count(*) FROM decision WHERE margin IS NOT NULL AND binding_y < 0"), 0);
        /* limits checked: by which model set, how far ahead, and on what */
        assert_int_equal(number("SELECT count(*) FROM decision d LEFT JOIN evidence e ON e.decision_id = d.id WHERE"
                                " e.blob IS NULL OR horizon < 1 OR delta IS NULL OR model_hash = '0000000000000000'"),
                         0);
        /* who approved: run, version and configuration */
        assert_int_equal(
            number("SELECT count(*) FROM decision d LEFT JOIN run r ON r.id = d.run_id WHERE r.version IS NULL"
                   " OR r.version = '' OR NOT EXISTS (SELECT 1 FROM config WHERE hash = r.config)"),
            0);
        /* what happened: each setpoint that changed was written once, and each write has an outcome but the last ones
         */
        assert_int_equal(number("SELECT count(*) FROM v_actions WHERE decision_id IS NOT NULL AND outcome_time IS NULL"
                                " AND decision_id < (SELECT max(id) - 1 FROM decision)"),
                         0);
        assert_int_equal(
            number("SELECT count(*) FROM (SELECT 1 FROM action WHERE why = 'decision' GROUP BY decision_id,"
                   " point_id HAVING count(*) > 1)"),
            0);
        assert_true(number("SELECT count(DISTINCT kind) FROM decision") == 4); /* of every kind */
}

static void test_everything_is_found_again(void **state)
{
        struct seen *v = audit(INT64_MIN, INT64_MAX);

        (void)state;
        assert_int_equal(v->c.decisions, RUNS * STEPS);
        for (size_t k = 0; k < v->n; k++)
                if (v->verdict[k] >= AUDIT_PARTLY)
                        fail_msg("decision %zu: %s", k, v->why[k]);
        assert_true(v->c.verdict[AUDIT_HOLDS] > STEPS / 4);
        assert_true(v->c.verdict[AUDIT_RULES] > STEPS / 4); /* before the fit, in fallback */
        assert_int_equal(v->c.gaps, 1);                     /* a minute between the runs */
        assert_true(v->gap[0].run_from == 1 && v->gap[0].run_to == 2 && v->gap[0].steps == 0);
        /* sets are few, and so are the bytes */
        assert_true(number("SELECT count(*) FROM model_set") < RUNS * STEPS / 10);
        assert_true(number("SELECT max(length(blob)) FROM evidence WHERE decision_id BETWEEN 100 AND 110") <
                    number("SELECT max(length(blob)) FROM evidence") / 2);
}

/* A span in the middle: the evidence it follows is read, and neither judged nor counted. */
static void test_a_span(void **state)
{
        int64_t from = number("SELECT t_ms FROM decision WHERE run_id = 1 AND step = 100");
        struct seen *v = audit(from, from + 50 * STEP_MS);

        (void)state;
        assert_int_equal(v->c.decisions, 50);
        assert_int_equal(v->c.verdict[AUDIT_PARTLY] + v->c.verdict[AUDIT_DIFFERS], 0);
        assert_int_equal(v->c.gaps, 0);
        v = audit(from - 1000 * STEP_MS, from + 10 * STEP_MS); /* begins before anything was stored */
        assert_int_equal(v->c.decisions, 110);
        assert_true(v->ngap == 1 && v->gap[0].run_from == 0 && v->gap[0].run_to == 1);
        v = audit(from + 10 * STEP_MS, from + 10000 * STEP_MS);
        assert_true(v->ngap == 2 && v->gap[1].run_from == 2 && v->gap[1].run_to == 0);
        v = audit(from + 10000 * STEP_MS, from + 10001 * STEP_MS);
        assert_int_equal(v->c.decisions, 0);
}

/* A certified decision between fits, in the middle of the first run. */
static int64_t certified_id(void)
{
        int64_t id = number("SELECT id FROM decision WHERE run_id = 1 AND step > 110 AND kind < 2 AND reason = 0"
                            " AND margin IS NOT NULL LIMIT 1");

        assert_true(id > 0);
        return id;
}

/* One count of variable j's register. */
static double count_of(size_t j)
{
        return fmax(recorded->gate->envelope.u[j].step, 0.01);
}

#define CHANGE(...)                                                                                                    \
        do {                                                                                                           \
                char text_[512];                                                                                       \
                (void)snprintf(text_, sizeof text_, __VA_ARGS__);                                                      \
                sql(text_);                                                                                            \
        } while (0)

/* Only decision `id` (the n-th by id) differs, for that reason. */
static void only(const struct seen *v, int64_t id, const char *why)
{
        const size_t k = (size_t)id - 1;

        for (size_t i = 0; i < v->n; i++)
                if (i != k && v->verdict[i] == AUDIT_DIFFERS)
                        fail_msg("decision %zu: %s", i + 1, v->why[i]);
        assert_int_equal(v->verdict[k], AUDIT_DIFFERS);
        assert_string_equal(v->why[k], why);
}

static void test_a_digit_of_the_margin(void **state)
{
        const int64_t id = certified_id();
        struct seen *v;

        (void)state;
        CHANGE("UPDATE decision SET margin = margin + 0.01 WHERE id = %lld", (long long)id);
        v = audit(INT64_MIN, INT64_MAX);
        only(v, id, "another margin");
        assert_true(fabs(v->said[id - 1] - v->found[id - 1] - 0.01) < 1e-9);
}

/* The first run, where the changes are made. */
static struct seen *audit_first(void)
{
        return audit(INT64_MIN, number("SELECT min(t_ms) FROM decision WHERE run_id = 2"));
}

/* That decision alone. */
static struct seen *audit_one(int64_t id)
{
        char text[96];
        int64_t t_ms;

        (void)snprintf(text, sizeof text, "SELECT t_ms FROM decision WHERE id = %lld", (long long)id);
        t_ms = number(text);
        return audit(t_ms, t_ms + 1);
}

/* Every variable by one count either way. Of some the worst case says nothing new (a setpoint acts on inlets when the
 * backup has set in; a fan may be worth nothing): then the digest tells. *ret_j, *ret_count: one that has another
 * margin. */
static void move_each(int64_t id, size_t *ret_j, double *ret_count)
{
        size_t margins = 0;

        for (size_t k = 0; k < 2 * recorded->gate->layout->nu; k++) {
                const double count = count_of(k / 2) * (k % 2 ? 1 : -1);
                struct seen *v;

                sql("SAVEPOINT one");
                CHANGE("UPDATE decision_var SET action = action + %.17g WHERE decision_id = %lld AND var = %zu", count,
                       (long long)id, k / 2);
                v = audit_one(id);
                assert_int_equal(v->verdict[0], AUDIT_DIFFERS);
                if (strcmp(v->why[0], "another margin") == 0) {
                        assert_true(fabs(v->said[0] - v->found[0]) > 1e-6);
                        margins++;
                        *ret_j = k / 2;
                        *ret_count = count;
                }
                sql("ROLLBACK TO one; RELEASE one");
        }
        assert_true(margins > 0);
}

static void test_a_digit_of_the_action(void **state)
{
        const int64_t id = certified_id();
        double count;
        size_t j;

        (void)state;
        move_each(id, &j, &count);
        CHANGE("UPDATE decision_var SET action = action + %.17g WHERE decision_id = %lld AND var = %zu", count,
               (long long)id, j);
        only(audit_first(), id, "another margin");
        CHANGE("UPDATE decision_var SET proposal = proposal + 1 WHERE decision_id = %lld AND var = %zu", (long long)id,
               j);
        only(audit_first(), id, "accepted, but the action is not the proposal");
}

static void test_a_digit_of_what_was_confirmed(void **state)
{
        const int64_t id = certified_id();

        (void)state;
        CHANGE("UPDATE decision_var SET confirmed = confirmed + 0.1 WHERE decision_id = %lld AND var = 0",
               (long long)id);
        only(audit_first(), id, "the filter counted from another value than what is stored as confirmed");
}

/* A tenth of a kelvin that no certificate counts, in a decision that carries none. */
static void test_a_digit_that_nothing_is_computed_from(void **state)
{
        const int64_t id = number("SELECT id FROM decision WHERE kind = 3 LIMIT 1");

        (void)state;
        assert_true(id > 0);
        CHANGE("UPDATE decision SET worst_inlet_c = worst_inlet_c + 0.1 WHERE id = %lld", (long long)id);
        only(audit_first(), id, "the record was changed after it was written");
}

static void test_an_action_beyond_its_rate(void **state)
{
        const int64_t id = number("SELECT id FROM decision WHERE kind = 3 LIMIT 1");

        (void)state;
        CHANGE("UPDATE decision_var SET action = confirmed + 3 WHERE decision_id = %lld AND var = 0", (long long)id);
        only(audit_first(), id, "the action breaks a limit, a rate or an equipment rule");
}

/* One bit of a coefficient: every decision that follows the set is told, with both hashes. */
static void test_a_digit_of_the_model(void **state)
{
        const int64_t set = number("SELECT set_id FROM evidence WHERE decision_id = 130");
        const int64_t followers = number("SELECT count(*) FROM evidence WHERE set_id ="
                                         " (SELECT set_id FROM evidence WHERE decision_id = 130)");
        struct seen *v;
        uint64_t hash;
        void *blob;
        size_t len, other = 0;
        sqlite3_stmt *st = NULL;

        (void)state;
        assert_int_equal(store_get_set(recorded->store, set, &hash, &blob, &len), 0);
        ((uint8_t *)blob)[len - 100] ^= 1; /* of the lowest byte plane */
        assert_int_equal(
            sqlite3_prepare_v2(recorded->store->db, "UPDATE model_set SET blob = ?1 WHERE id = ?2", -1, &st, NULL),
            SQLITE_OK);
        sqlite3_bind_blob(st, 1, blob, (int)len, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, set);
        assert_int_equal(sqlite3_step(st), SQLITE_DONE);
        sqlite3_finalize(st);
        free(blob);
        v = audit(INT64_MIN, INT64_MAX);
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], followers);
        assert_int_equal(v->verdict[129], AUDIT_DIFFERS);
        assert_string_equal(v->why[129], "the model set stored is not the one that the decision names");
        for (size_t i = 0; i < v->n; i++)
                other += v->another_set[i];
        assert_int_equal(other, followers);
        CHANGE("UPDATE model_set SET blob = substr(blob, 1, length(blob) - 1) WHERE id = %lld", (long long)set);
        v = audit(INT64_MIN, INT64_MAX);
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], followers);
        assert_string_equal(v->why[129], "the model set stored with it is damaged");
}

static void test_the_hash_of_the_model(void **state)
{
        const int64_t id = certified_id();

        (void)state;
        CHANGE("UPDATE decision SET model_hash = '0123456789abcdef' WHERE id = %lld", (long long)id);
        only(audit_first(), id, "the model set stored is not the one that the decision names");
}

static void test_what_the_certificate_claims(void **state)
{
        const int64_t id = certified_id();
        static const struct {
                const char *set, *why;
        } change[] = {{"horizon = horizon + 1", "horizon or confidence is not that of the site"},
                      {"delta = 0.01", "horizon or confidence is not that of the site"},
                      {"binding_y = binding_y + 1", "another output binds"},
                      {"verified = 0", "another margin"},
                      {"fraction = 0.5", "the record was changed after it was written"},
                      {"t_ms = t_ms + 1", "the record was changed after it was written"}};

        (void)state;
        for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
                sql("SAVEPOINT one");
                CHANGE("UPDATE decision SET %s WHERE id = %lld", change[i].set, (long long)id);
                only(audit_first(), id, change[i].why);
                sql("ROLLBACK TO one; RELEASE one");
        }
        sql("SAVEPOINT one");
        CHANGE("UPDATE decision SET terminal = 1 - terminal WHERE id = %lld", (long long)id);
        assert_int_equal(audit(INT64_MIN, INT64_MAX)->verdict[id - 1], AUDIT_DIFFERS);
        sql("ROLLBACK TO one; RELEASE one");
}

/* The evidence itself: found, and the decisions after it until the next whole one say why they cannot be judged. */
static void test_a_changed_blob(void **state)
{
        const int64_t id = certified_id();
        struct seen *v;

        (void)state;
        CHANGE("UPDATE evidence SET blob = CAST(substr(blob, 1, length(blob) - 9) || X'5a' || substr(blob, -8) AS BLOB)"
               " WHERE decision_id = %lld",
               (long long)id);
        v = audit(INT64_MIN, INT64_MAX);
        only(v, id, "the record was changed after it was written");
        assert_int_equal(v->verdict[id], AUDIT_PARTLY);
        assert_string_equal(v->why[id], "its evidence follows one that is not stored");
        assert_true(v->c.verdict[AUDIT_PARTLY] < EVIDENCE_KEY);
}

/* Written so from the start, with a digest that agrees: the numbers alone tell. */
struct forger {
        int64_t id, run;
        int what;
        size_t var;
        double count;
        struct store *to;
};

static int forge(void *ctx, const struct store_record *r)
{
        struct forger *f = ctx;
        struct store_decision d = r->d;
        struct safety_certificate cert = *r->d.cert;
        double action[64];
        uint64_t hash;
        void *set = NULL;
        size_t len;
        struct store_evidence e = {.set_id = r->set_id, .blob = r->blob, .len = r->len};
        int64_t id;

        assert_true(d.nu <= 64);
        memcpy(action, d.action, d.nu * sizeof(double));
        d.action = action;
        d.cert = &cert;
        d.evidence = &e;
        if (r->id == f->id && f->what % 3 == 0)
                cert.margin += 0.01;
        if (r->id == f->id && f->what == 1)
                action[f->var] += f->count;
        if (store_get_set(f->to, r->set_id, &hash, &set, &len) == -ENOENT) {
                assert_int_equal(store_get_set(recorded->store, r->set_id, &e.set_hash, &set, &e.set_len), 0);
                e.set = set;
        }
        assert_int_equal(store_put_decision(f->to, f->run, &d, &id), 0);
        assert_int_equal(e.set_id, r->set_id);
        free(set);
        return 0;
}

static void test_a_forger_who_knows_the_digest(void **state)
{
        const int64_t id = certified_id();
        struct store *own = recorded->store;
        char why[256];
        double count;
        size_t j;

        (void)state;
        move_each(id, &j, &count);
        for (int what = 0; what < 4; what++) {
                struct forger f = {.id = id, .what = what, .var = j, .count = count};
                struct seen *v;

                assert_int_equal(store_open(NULL, STORE_WRITE, &f.to, why), 0);
                assert_int_equal(store_bind_site(f.to, recorded->site), 0);
                assert_int_equal(store_begin_run(f.to,
                                                 &(struct store_run){.mode = "sim",
                                                                     .version = what < 3 ? COOLPLANE_VERSION : "0.0",
                                                                     .config_hash = recorded->site->hash},
                                                 &f.run),
                                 0);
                assert_int_equal(store_read_records(own, INT64_MIN,
                                                    number("SELECT max(t_ms) FROM decision WHERE run_id = 1") + 1, 0,
                                                    forge, &f),
                                 0);
                recorded->store = f.to;
                v = audit(INT64_MIN, INT64_MAX);
                if (what < 2)
                        only(v, id, "another margin");
                else
                        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], 0); /* nothing forged, or an older gate */
                assert_int_equal(v->c.verdict[AUDIT_PARTLY], what == 3);
                recorded->store = own;
                store_close(f.to);
        }
}

static void test_what_is_missing_is_named(void **state)
{
        struct seen *v;
        int64_t set = number("SELECT set_id FROM evidence WHERE decision_id = 130"), partly;

        (void)state;
        CHANGE("DELETE FROM model_set WHERE id = %lld", (long long)set);
        v = audit(INT64_MIN, INT64_MAX);
        assert_int_equal(v->c.verdict[AUDIT_PARTLY],
                         number("SELECT count(*) FROM evidence WHERE set_id NOT IN (SELECT id FROM model_set)"));
        assert_string_equal(v->why[129], "its model set is no longer stored");
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], 0);
        partly = (int64_t)v->c.verdict[AUDIT_PARTLY];

        sql("DELETE FROM evidence WHERE decision_id < 100");
        v = audit(INT64_MIN, INT64_MAX);
        assert_string_equal(v->why[50], "nothing is stored of what it was made on");
        assert_true((int64_t)v->c.verdict[AUDIT_PARTLY] >= partly + 99);
        assert_true((int64_t)v->c.verdict[AUDIT_PARTLY] < partly + 99 + EVIDENCE_KEY);
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], 0);
        /* limits and rates are looked at all the same */
        sql("UPDATE decision_var SET action = confirmed + 3 WHERE decision_id = 50 AND var = 0");
        only(audit_first(), 50, "the action is beyond a limit or a rate of what was confirmed");
        sql("UPDATE decision_var SET action = 99 WHERE decision_id = 50 AND var = 0");
        only(audit_first(), 50, "the action is beyond a limit or a rate of what was confirmed");
}

static void test_a_deleted_decision_is_a_gap(void **state)
{
        struct seen *v;

        (void)state;
        sql("DELETE FROM decision_var WHERE decision_id IN (300, 301); DELETE FROM evidence WHERE decision_id IN (300, "
            "301);"
            "DELETE FROM decision WHERE id IN (300, 301)");
        v = audit(INT64_MIN, INT64_MAX);
        assert_int_equal(v->c.decisions, RUNS * STEPS - 2);
        assert_int_equal(v->c.gaps, 2);
        assert_int_equal(v->c.steps_missing, 2);
        assert_true(v->gap[1].run_from == 2 && v->gap[1].steps == 2);
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], 0);
        sql("DELETE FROM decision_var WHERE decision_id = 310 AND var = 1");
        v = audit(INT64_MIN, INT64_MAX);
        assert_int_equal(v->c.verdict[AUDIT_DIFFERS], 1);
        assert_string_equal(v->why[310 - 3], "its variables are not those of the site");
}

static void test_another_configuration(void **state)
{
        struct seen *v;

        (void)state;
        recorded->site->hash[0] ^= 1;
        v = audit(INT64_MIN, INT64_MAX);
        recorded->site->hash[0] ^= 1;
        assert_int_equal(v->c.verdict[AUDIT_PARTLY], RUNS * STEPS);
        assert_string_equal(v->why[0], "its run had another configuration");
}

/* What is not judged any more is still compared with its digest. */
static void test_a_change_under_another_configuration(void **state)
{
        const int64_t id = certified_id();
        struct seen *v;

        (void)state;
        CHANGE("UPDATE decision_var SET action = action + 0.1 WHERE decision_id = %lld AND var = 0", (long long)id);
        recorded->site->hash[0] ^= 1;
        v = audit(INT64_MIN, INT64_MAX);
        recorded->site->hash[0] ^= 1;
        only(v, id, "the record was changed after it was written");
        assert_int_equal(v->c.verdict[AUDIT_PARTLY], RUNS * STEPS - 1);
}

/* A run told to be of another configuration or version, so that nobody looks closely: all its decisions differ. */
static void test_a_changed_run(void **state)
{
        static const char *const change[] = {"config = replace(config, substr(config, 1, 8), '00000000')",
                                             "version = '0.0'", "mode = 'shadow'"};

        (void)state;
        for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
                struct seen *v;

                sql("SAVEPOINT one");
                CHANGE("UPDATE run SET %s WHERE id = 1", change[i]);
                v = audit(INT64_MIN, INT64_MAX);
                assert_int_equal(v->c.verdict[AUDIT_DIFFERS], STEPS);
                assert_string_equal(v->why[STEPS - 1], "the record was changed after it was written");
                assert_int_not_equal(v->verdict[STEPS], AUDIT_DIFFERS);
                sql("ROLLBACK TO one; RELEASE one");
        }
}

/* Readings that contradict all that was learned, between two fits: the decision of that very step says that nothing is
 * known any more. */
static void test_after_drift(void **state)
{
        struct gate *g = recorded->gate;
        struct ipc_proposal p;
        struct seen *v;
        int64_t from_ms = INT64_MIN;

        (void)state;
        for (int t = 0; t < 60; t++) { /* to a step that neither fits nor is slow */
                const uint64_t ratio = (uint64_t)(recorded->site->slow_step_ms / recorded->site->fast_step_ms);

                if (g->fit_countdown > 3 && g->step % ratio != 0 && g->status.model_rows_fitted > 0) {
                        for (size_t i = 0; i < g->layout->ny; i++)
                                g->model->row[i].track = g->model->args.track_reset + 1;
                        g->model->memo->known = false;
                        from_ms = clk_t_ms(&recorded->clk) + 1;
                }
                advance(recorded, ROLE_NONE);
                proposal(recorded, &p);
                gate_step_end(g, &p, false);
                finish_writes(recorded, WRITE_ACCEPTED);
                if (from_ms != INT64_MIN)
                        break;
        }
        assert_true(from_ms != INT64_MIN && !g->snap.slow_step && g->fit_countdown > 0);
        assert_int_equal(g->status.model_rows_fitted, 0);
        v = audit(from_ms, INT64_MAX);
        assert_int_equal(v->c.decisions, 1);
        assert_string_equal(v->why[0], "a room could not be certified");
        assert_true(isnan(v->said[0]) && isnan(v->found[0]));
}

/* A decision that could not be stored: the next is whole, and so nothing else is lost with it. */
static void test_after_one_that_could_not_be_stored(void **state)
{
        struct seen *v;
        struct ipc_proposal p;

        (void)state;
        for (int t = 0; t < 6; t++) {
                advance(recorded, ROLE_NONE);
                proposal(recorded, &p);
                if (t == 2)
                        sql("ALTER TABLE evidence RENAME TO away");
                gate_step_end(recorded->gate, &p, false);
                if (t == 2)
                        sql("ALTER TABLE away RENAME TO evidence");
                finish_writes(recorded, WRITE_ACCEPTED);
        }
        v = audit(number("SELECT max(t_ms) FROM decision") - 5 * STEP_MS, INT64_MAX);
        assert_int_equal(v->c.decisions, 5);
        assert_int_equal(v->c.steps_missing, 1);
        assert_int_equal(v->c.verdict[AUDIT_PARTLY] + v->c.verdict[AUDIT_DIFFERS], 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(r34_every_cycle_has_one_complete_record),
            cmocka_unit_test(test_everything_is_found_again),
            cmocka_unit_test(test_a_span),
            cmocka_unit_test_setup_teardown(test_a_digit_of_the_margin, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_digit_of_the_action, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_digit_of_what_was_confirmed, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_digit_that_nothing_is_computed_from, begin, take_back),
            cmocka_unit_test_setup_teardown(test_an_action_beyond_its_rate, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_digit_of_the_model, begin, take_back),
            cmocka_unit_test_setup_teardown(test_the_hash_of_the_model, begin, take_back),
            cmocka_unit_test_setup_teardown(test_what_the_certificate_claims, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_changed_blob, begin, take_back),
            cmocka_unit_test(test_a_forger_who_knows_the_digest),
            cmocka_unit_test_setup_teardown(test_what_is_missing_is_named, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_deleted_decision_is_a_gap, begin, take_back),
            cmocka_unit_test(test_another_configuration),
            cmocka_unit_test_setup_teardown(test_a_change_under_another_configuration, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_changed_run, begin, take_back),
            cmocka_unit_test(test_after_one_that_could_not_be_stored),
            cmocka_unit_test(test_after_drift),
        };
        return cmocka_run_group_tests(tests, record_runs, forget_runs);
}
