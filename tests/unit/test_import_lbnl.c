/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* deploy/examples/ahu-mzvav on the real log: all 21600 rows accounted for. Exit 77 (skipped) without the data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "agent/store/dataset.h"
#include "agent/store/import.h"
#include "tests/unit/store_fixture.h"

static char log_path[512];

static void test_all_rows(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct import_map *map = NULL;
        struct site *site = NULL;
        struct site_errors *errors = NULL;
        struct store *s = NULL;
        struct import_report r;
        if (import_map_load(COOLPLANE_SOURCE "/deploy/examples/ahu-mzvav/import.yaml", stderr, &map) < 0)
                fail();
        if (logtime_zone_parse("America/Chicago", &map->zone) < 0) { /* no tz database on this machine */
                print_message("no tz database: imported with a fixed offset\n");
                assert_int_equal(logtime_zone_parse("-06:00", &map->zone), 0);
        }
        if (site_load(map->site_path, &site, &errors) < 0) {
                site_errors_print(errors, stderr);
                fail();
        }
        site_errors_free(errors);
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), 0);
        assert_int_equal(store_bind_site(s, site), 0);
        struct import_args a = {.store = s, .site = site, .map = map, .zone = map->zone};
        for (int again = 0; again < 2; again++) {
                if (import_file(&a, log_path, &r, f->err) < 0)
                        fail_msg("%s", f->err);
                assert_int_equal(r.rows, 21600);
                assert_int_equal(r.ok, again ? 0 : 21600);
                assert_int_equal(r.duplicates, again ? 21600 : 0);
                assert_int_equal(r.bad, 0);
                assert_int_equal(r.out_of_order, 0);
                assert_int_equal(r.gaps, 7);
                assert_int_equal(r.median_interval_ms, 60000);
                assert_int_equal(r.columns_used, 18); /* all but the time */
                assert_int_equal(r.points_without_column, 0);
                assert_int_equal(r.samples, again ? 0 : 21600 * 18);
        }
        /* the dropout row: three temperatures of 0 °F, nothing else of the log is wrong */
        char *json = NULL;
        assert_int_equal(store_query_json(s,
                                          "SELECT count(*) AS n, min(t_ms) = max(t_ms) AS one FROM sample"
                                          " WHERE quality <> 0",
                                          NULL, 0, &json),
                         0);
        assert_string_equal(json, "[{\"n\":3,\"one\":1}]");
        free(json);

        struct layout *l = NULL;
        struct dataset *d = NULL;
        assert_int_equal(layout_create(site, &l), 0);
        assert_true(l->ny > 0);
        assert_int_equal(dataset_load(s, l, 0, INT64_MAX, 2, &d), 0);
        assert_int_equal(d->n, 21600);
        size_t segments = 0;
        for (size_t i = 0; i < d->n; i++)
                segments += d->segment_start[i];
        assert_int_equal(segments, 8);
        print_message("%zu outputs, %zu inputs, %zu disturbances\n", l->ny, l->nu, l->nd);
        dataset_free(d);
        layout_free(l);
        store_close(s);
        site_free(site);
        import_map_free(map);
        fixture_free(f);
}

int main(void)
{
        const char *data = getenv("COOLPLANE_DATA");
        if (data)
                snprintf(log_path, sizeof log_path, "%s/telemetry/lbnl_fdd_MZVAV-2-1.csv", data);
        else
                snprintf(log_path, sizeof log_path,
                         COOLPLANE_SOURCE "/../shared/data/telemetry/lbnl_fdd_MZVAV-2-1.csv");
        if (access(log_path, R_OK) != 0) {
                fprintf(stderr, "SKIPPED: %s is missing (set COOLPLANE_DATA)\n", log_path);
                return 77;
        }
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_rows)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
