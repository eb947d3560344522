/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane train and coolplane model, from a database of the example site `tiny`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"
#include "agent/planner/train.h"
#include "models/num/rng.h"
#include "tests/unit/store_fixture.h"

#define SITE COOLPLANE_SOURCE "/deploy/examples/tiny/site.yaml"
#define STEP_MS 30000
#define T0 ((int64_t)1700000000000 / STEP_MS * STEP_MS)
#define ARGC(v) ((int)(sizeof(v) / sizeof((v)[0])) - 1)

static double value_of(enum role role, double before, struct rng *r)
{
        switch (role) {
        case ROLE_SAT_SP:
        case ROLE_SAT:
        case ROLE_CHWST:
                return 0.9 * before + 0.1 * 18.0 + rng_range(r, -0.3, 0.3);
        case ROLE_INLET_TEMP:
                return 0.9 * before + 0.1 * 23.0 + rng_range(r, -0.05, 0.05);
        case ROLE_FAN_CMD:
        case ROLE_VALVE:
                return fmin(fmax(before + rng_range(r, -0.03, 0.03), 0.4), 1.0);
        case ROLE_RACK_POWER:
                return 5e3 + rng_range(r, -100, 100);
        default:
                return 1.0;
        }
}

/* Everything the site measures, for n steps. */
static void fill(const char *db, size_t n, bool with_run)
{
        struct site *site = NULL;
        struct store *s = NULL;
        char err[256];
        assert_int_equal(cli_load_site(SITE, &site), EXIT_OK);
        assert_int_equal(store_open(db, STORE_WRITE, &s, err), 0);
        assert_int_equal(store_bind_site(s, site), 0);
        if (with_run) {
                struct store_run run = {.mode = "sim", .t_ms = T0, .version = "t", .config_hash = site->hash};
                int64_t id;
                assert_int_equal(store_begin_run(s, &run, &id), 0);
        }
        struct rng r;
        rng_seed(&r, 5, 5);
        struct sample *v = calloc(site->npoint, sizeof *v);
        double *x = calloc(site->npoint, sizeof *x);
        for (size_t k = 0; k < n; k++) {
                for (uint32_t p = 0; p < site->npoint; p++) {
                        x[p] = value_of(site->point[p].role, k ? x[p] : 20.0, &r);
                        v[p] = fixture_sample(p, T0 + (int64_t)k * STEP_MS + 1000, x[p]);
                }
                assert_int_equal(store_append_samples(s, v, site->npoint, NULL), 0);
        }
        free(v);
        free(x);
        store_close(s);
        site_free(site);
}

static void test_train_then_inspect(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        char out[128];
        snprintf(out, sizeof out, "%s/m.model", f->dir);
        fill(f->db, 420, true);
        char *train[] = {"train", "--db", f->db, "--out", out, "--config", SITE, "--lags", "2", NULL};
        assert_int_equal(verb_train(ARGC(train), train), EXIT_OK);
        struct train_file *m = NULL;
        assert_int_equal(train_file_read(out, &m), 0);
        assert_int_equal(m->na, 2);
        assert_non_null(strstr(m->report_json, "\"inlet\":{\"unit\":\"K\""));
        struct arx_row_info info;
        arx_row_info(m->model->arx, 0, &info);
        assert_true(info.fitted);
        uint64_t hash = arx_hash(m->model->arx);
        train_file_free(m);
        char *inspect[] = {"model", "inspect", out, "--json", NULL};
        assert_int_equal(verb_model(ARGC(inspect), inspect), EXIT_OK);
        char *text[] = {"model", "inspect", out, NULL};
        assert_int_equal(verb_model(ARGC(text), text), EXIT_OK);
        /* the site file is known from the run: same data, same model */
        char *again[] = {"train", "--db", f->db, "--out", out, "--lags", "2", "--json", NULL};
        assert_int_equal(verb_train(ARGC(again), again), EXIT_OK);
        assert_int_equal(train_file_read(out, &m), 0);
        assert_true(arx_hash(m->model->arx) == hash);
        train_file_free(m);
        /* a damaged file is data, not a crash */
        assert_int_equal(truncate(out, 1000), 0);
        assert_int_equal(verb_model(ARGC(inspect), inspect), EXIT_DATA);
        fixture_free(f);
}

static void test_refusals(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        char out[128], none[128];
        snprintf(out, sizeof out, "%s/m.model", f->dir);
        snprintf(none, sizeof none, "%s/none.db", f->dir);
        fill(f->db, 20, false);
        char *no_out[] = {"train", "--db", f->db, NULL};
        assert_int_equal(verb_train(ARGC(no_out), no_out), EXIT_USAGE_);
        char *split[] = {"train", "--db", f->db, "--out", out, "--split", "1", NULL};
        assert_int_equal(verb_train(ARGC(split), split), EXIT_USAGE_);
        char *lags[] = {"train", "--db", f->db, "--out", out, "--lags", "nan", NULL};
        assert_int_equal(verb_train(ARGC(lags), lags), EXIT_USAGE_);
        char *ends[] = {"train", "--db", f->db, "--out", out, "--from", "2000", "--to", "1000", NULL};
        assert_int_equal(verb_train(ARGC(ends), ends), EXIT_USAGE_);
        char *no_db[] = {"train", "--db", none, "--out", out, "--config", SITE, NULL};
        assert_int_equal(verb_train(ARGC(no_db), no_db), EXIT_UNAVAILABLE);
        char *text[] = {"train", "--db", SITE, "--out", out, "--config", SITE, NULL};
        assert_int_equal(verb_train(ARGC(text), text), EXIT_DATA);
        char *other[] = {
            "train", "--db", f->db, "--out", out, "--config", COOLPLANE_SOURCE "/deploy/examples/hall/site.yaml", NULL};
        assert_int_equal(verb_train(ARGC(other), other), EXIT_DATA);
        char *no_site[] = {"train", "--db", f->db, "--out", out, NULL}; /* no run names one */
        assert_int_equal(verb_train(ARGC(no_site), no_site), EXIT_USAGE_);
        char *bad_site[] = {"train", "--db", f->db, "--out", out, "--config", none, NULL};
        assert_int_equal(verb_train(ARGC(bad_site), bad_site), EXIT_CONFIG);
        char *few[] = {"train", "--db", f->db, "--out", out, "--config", SITE, NULL};
        assert_int_equal(verb_train(ARGC(few), few), EXIT_CANNOT_EVALUATE);
        assert_int_equal(access(out, F_OK), -1); /* nothing written */
        char *inspect[] = {"model", "inspect", out, NULL};
        assert_int_equal(verb_model(ARGC(inspect), inspect), EXIT_IO);
        char *bare[] = {"model", NULL};
        assert_int_equal(verb_model(ARGC(bare), bare), EXIT_USAGE_);
        fixture_free(f);
}

static void copy(const char *from, const char *to)
{
        FILE *in = fopen(from, "rbe"), *out = fopen(to, "wbe");
        int c;
        assert_true(in && out);
        while ((c = fgetc(in)) != EOF)
                assert_int_equal(fputc(c, out), c);
        assert_int_equal(fclose(in) | fclose(out), 0);
}

static long size_of(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* The database, its log, the site file: whatever is there and is no model stays as it is. */
static void test_writes_over_models_only(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        char wal[128], notes[128], out[128];
        snprintf(wal, sizeof wal, "%s-wal", f->db);
        snprintf(notes, sizeof notes, "%s/notes", f->dir);
        snprintf(out, sizeof out, "%s/m.model", f->dir);
        fill(f->db, 420, true);
        copy(SITE, notes);
        char *const taken[] = {f->db, notes, SITE};
        for (size_t k = 0; k < sizeof taken / sizeof *taken; k++) {
                long before = size_of(taken[k]);
                char *train[] = {"train", "--db", f->db, "--out", taken[k], "--config", SITE, NULL};
                assert_true(before > 0);
                assert_int_equal(verb_train(ARGC(train), train), EXIT_IO);
                assert_int_equal(size_of(taken[k]), before);
        }
        char *train[] = {"train", "--db", f->db, "--out", out, "--config", SITE, "--lags", "2", NULL};
        for (int twice = 0; twice < 2; twice++)
                assert_int_equal(verb_train(ARGC(train), train), EXIT_OK);
        assert_int_equal(truncate(out, 0), 0); /* as mktemp leaves it */
        assert_int_equal(verb_train(ARGC(train), train), EXIT_OK);
        fixture_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_train_then_inspect),
            cmocka_unit_test(test_refusals),
            cmocka_unit_test(test_writes_over_models_only),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
