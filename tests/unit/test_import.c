/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/import_fixture.h"

static void test_plain(void **state)
{
        struct ctx *c = *state;
        struct import_report r = ok(c, "\xef\xbb\xbf"
                                       "time, inlet ,supply,comment\r\n"
                                       "8/28/2007 0:00,21.5,55,\"a, b\"\r\n"
                                       "8/28/2007 0:01,22,56.3,\r\n");
        assert_int_equal(r.rows, 2);
        assert_int_equal(r.ok, 2);
        assert_int_equal(r.columns, 4);
        assert_int_equal(r.columns_used, 2);
        assert_int_equal(r.points_without_column, 1);
        assert_int_equal(r.samples, 4);
        assert_int_equal(r.samples_good, 4);
        assert_int_equal(r.median_interval_ms, 60000);
        assert_int_equal(r.first_t_ms, 1188259200000);
        assert_int_equal(r.last_t_ms, 1188259260000);
        assert_false(r.ended_without_newline);
        /* °F on the wire, °C inside, the raw number kept */
        assert_query(c->s, "SELECT time, point, round(value, 9) AS v, raw FROM v_samples WHERE point LIKE '%supply'",
                     "[{\"time\":\"2007-08-28T00:00:00.000Z\",\"point\":\"t/room/crah-1/supply\",\"v\":12.777777778,"
                     "\"raw\":55},\n{\"time\":\"2007-08-28T00:01:00.000Z\",\"point\":\"t/room/crah-1/supply\","
                     "\"v\":13.5,\"raw\":56.3}]");
}

static void test_every_row_accounted(void **state)
{
        struct ctx *c = *state;
        c->whole = true;
        struct import_report r = ok(c, "time,inlet,supply\n"
                                       "8/28/2007 0:00,21,55\n" /* 2 */
                                       "8/28/2007 0:01,21,55\n"
                                       "8/28/2007 0:01,99,99\n"   /* 4: same time again */
                                       "garbage,21,55\n"          /* 5 */
                                       "8/28/2007 0:02,21\n"      /* 6: too few */
                                       "8/28/2007 0:02,21,55,1\n" /* 7: too many */
                                       "\n"
                                       "8/28/2007 0:05,2\"1,55\n" /* 9 */
                                       "8/28/2007 0:03,21,55\n"
                                       "8/28/2007 0:02,21,55\n" /* 11: late */
                                       "8/28/2007 5:03,21,55\n" /* 12: after a gap */
                                       "8/28/2007 5:04,2");     /* truncated */
        assert_int_equal(r.rows, 11);
        assert_int_equal(r.ok, 5);
        assert_int_equal(r.duplicates, 1);
        assert_int_equal(r.bad, 5);
        assert_int_equal(r.bad_by[IMPORT_BAD_TIME], 1);
        assert_int_equal(r.bad_by[IMPORT_BAD_CELLS], 3);
        assert_int_equal(r.bad_by[IMPORT_BAD_QUOTES], 1);
        assert_int_equal(r.out_of_order, 1);
        assert_int_equal(r.gaps, 1);
        assert_int_equal(r.blank_lines, 1);
        assert_int_equal(r.samples, 10);
        assert_int_equal(r.samples_duplicate, 2);
        assert_true(r.ended_without_newline);
        assert_int_equal(r.held_back_line, 0);
        assert_string_equal(c->told, "5:unreadable_time;6:cell_count;7:cell_count;9:quoting;13:cell_count;");
        struct store_counts n;
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_int_equal(n.samples, 10);
}

static void test_cells(void **state)
{
        struct ctx *c = *state;
        struct import_report r = ok(c, "time,inlet,power,supply\n"
                                       "8/28/2007 0:00,,#VALUE!,***\n"
                                       "8/28/2007 0:01,bad,nan,1e999\n"
                                       "8/28/2007 0:02,61,5,0\n"
                                       "8/28/2007 0:03,60,5,0.0\n");
        assert_int_equal(r.rows, 4);
        assert_int_equal(r.ok, 4);
        assert_int_equal(r.bad, 0);
        assert_int_equal(r.samples, 12);
        assert_int_equal(r.samples_by_reason[QR_SOURCE], 3);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 3);
        assert_int_equal(r.samples_by_reason[QR_OUT_OF_RANGE], 1);
        assert_int_equal(r.samples_by_reason[QR_SENTINEL], 2); /* zero_is_missing */
        assert_int_equal(r.samples_good, 3);
        assert_query(c->s, "SELECT value, raw, quality, reason FROM v_samples WHERE point LIKE '%inlet' LIMIT 3",
                     "[{\"value\":null,\"raw\":null,\"quality\":\"BAD\",\"reason\":\"source\"},\n"
                     "{\"value\":null,\"raw\":null,\"quality\":\"BAD\",\"reason\":\"parse\"},\n"
                     "{\"value\":61,\"raw\":61,\"quality\":\"BAD\",\"reason\":\"out-of-range\"}]");
}

static void test_twice_changes_nothing(void **state)
{
        struct ctx *c = *state;
        char *text = malloc(400000);
        size_t len = (size_t)sprintf(text, "time,inlet,power,supply\n");
        for (int i = 0; i < 6000; i++) /* several batches */
                len += (size_t)sprintf(text + len, "%d/%d/2007 %d:%02d,21,5,55\n", 1 + i / 43200, 1 + i / 1440 % 30,
                                       i / 60 % 24, i % 60);
        struct import_report r;
        assert_int_equal(run(c, text, len, &r), 0);
        assert_int_equal(r.ok, 6000);
        assert_int_equal(r.gaps, 0);
        assert_int_equal(run(c, text, len, &r), 0);
        assert_int_equal(r.rows, 6000);
        assert_int_equal(r.ok, 0);
        assert_int_equal(r.duplicates, 6000);
        assert_int_equal(r.samples, 0);
        struct store_counts n;
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_int_equal(n.samples, 18000);
        free(text);
}

static void test_daylight_saving(void **state)
{
        struct ctx *c = *state;
        static const char autumn[] = "time,inlet\n"
                                     "11/4/2007 0:30,1\n11/4/2007 1:00,2\n11/4/2007 1:30,3\n"
                                     "11/4/2007 1:00,4\n11/4/2007 1:30,5\n11/4/2007 2:00,6\n";
        static const struct {
                const char *policy;
                int64_t ok, bad, duplicates, late;
        } want[] = {{"order", 6, 0, 0, 0}, {"reject", 2, 4, 0, 0}, {"first", 4, 0, 2, 0}, {"second", 4, 0, 2, 0}};
        for (int i = 0; i < 4; i++) {
                char yaml[256];
                snprintf(yaml, sizeof yaml,
                         "site: s\ntime: { column: time, format: \"%%m/%%d/%%Y %%H:%%M\", zone: America/Chicago,"
                         " ambiguous: %s }\n",
                         want[i].policy);
                if (load_map(c, yaml, c->told, sizeof c->told) < 0) {
                        print_message("no tz database here: skipped\n");
                        skip();
                }
                teardown(state);
                setup(state);
                c = *state;
                load_map(c, yaml, NULL, 0);
                struct import_report r = ok(c, autumn);
                assert_int_equal(r.ok, want[i].ok);
                assert_int_equal(r.bad, want[i].bad);
                assert_int_equal(r.bad_by[IMPORT_BAD_AMBIGUOUS], want[i].bad);
                assert_int_equal(r.duplicates, want[i].duplicates);
                assert_int_equal(r.out_of_order, want[i].late);
                assert_int_equal(r.ambiguous_hours, 4);
                if (i == 0) /* 30 min apart all the way through the repeated hour */
                        assert_int_equal(r.last_t_ms - r.first_t_ms, 5 * 30 * 60000);
                r = ok(c, "time,inlet\n3/11/2007 1:59,1\n3/11/2007 2:00,2\n3/11/2007 2:59,3\n3/11/2007 3:00,4\n");
                assert_int_equal(r.ok, 2);
                assert_int_equal(r.bad_by[IMPORT_BAD_NONEXISTENT], 2);
                assert_int_equal(r.last_t_ms - r.first_t_ms, 60000);
        }
}

static void test_unusable_files(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        assert_int_equal(run(c, "", 0, &r), -EBADMSG);
        assert_int_equal(run(c, "\n\n", 2, &r), -EBADMSG);
        assert_int_equal(run(c, "a,inlet\n1,2\n", 12, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'time'"));
        assert_int_equal(run(c, "time,other\n1,2\n", 15, &r), -EBADMSG);
        assert_int_equal(run(c, "time,inlet,inlet\n1,2,3\n", 23, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'inlet'"));
        assert_int_equal(run(c, "\xff\xfet\0i\0", 6, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'time'"));
        assert_int_equal(run(c, "ti\"me,inlet\n", 12, &r), -EBADMSG);
        struct import_args a = {.store = c->s, .site = &c->f->site, .map = c->map, .zone = c->map->zone};
        memset(&r, 0x5a, sizeof r);
        struct import_report before = r;
        assert_int_equal(import_file(&a, "/nonexistent/log.csv", &r, c->f->err), -ENOENT);
        assert_memory_equal(&r, &before, sizeof r);
        struct import_report h = ok(c, "time,inlet\n"); /* a header alone is an empty log, not an error */
        assert_int_equal(h.rows, 0);
        assert_int_equal(h.median_interval_ms, 0);
}

static void test_two_time_columns_and_offsets(void **state)
{
        struct ctx *c = *state;
        load_map(c,
                 "site: s\ndelimiter: \";\"\ngap: 30s\n"
                 "time: { column: [Date, Time], format: \"%d.%m.%Y %H:%M:%S\", zone: \"+01:00\" }\n",
                 NULL, 0);
        struct import_report r = ok(c, "Date;inlet;Time\n14.11.2023;20;23:13:20\n14.11.2023;21;23:13:50\n"
                                       "14.11.2023;21;23:14:21\n");
        assert_int_equal(r.ok, 3);
        assert_int_equal(r.first_t_ms, 1700000000000);
        assert_int_equal(r.gaps, 1);
        load_map(c, "site: s\ntime: { column: t, format: \"%s\" }\n", NULL, 0);
        assert_false(c->map->has_zone);
        r = ok(c, "t,inlet\n100.5,20\n");
        assert_int_equal(r.first_t_ms, 100500);
}

static void test_map_errors(void **state)
{
        struct ctx *c = *state;
        char e[1024], path[160];
        assert_int_equal(load_map(c,
                                  "site: s\n"
                                  "time: { column: t, format: \"%H\", zone: Mars/Base, ambiguous: maybe, x: 1 }\n"
                                  "gap: soon\n"
                                  "delimiter: \"::\"\n"
                                  "columns: { a: { zero_is_missing: 1, y: true } }\n"
                                  "colums: {}\n",
                                  e, sizeof e),
                         -EINVAL);
        static const char *const want[] = {
            ":2:", "'%H'", "Mars/Base", "ambiguous", "'x'", ":3:", ":4:", "zero_is_missing", "'y'", ":6:", "'colums'"};
        for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
                if (!strstr(e, want[i]))
                        fail_msg("no %s in %s", want[i], e);
        assert_int_equal(load_map(c, "site: s\n", e, sizeof e), -EINVAL);
        assert_non_null(strstr(e, "time is missing"));
        assert_int_equal(load_map(c, "- a\n", e, sizeof e), -EINVAL);
        assert_int_equal(load_map(c, "", e, sizeof e), -EINVAL);
        assert_int_equal(load_map(c, "site: [\n", e, sizeof e), -EINVAL);
        assert_null(c->map);
        load_map(c, "site: s.yaml\ntime: { column: t, format: \"%s\" }\n", NULL, 0);
        snprintf(path, sizeof path, "%s/s.yaml", c->f->dir);
        assert_string_equal(c->map->site_path, path); /* relative to the map */
        assert_int_equal(c->map->nmissing, 1);
        assert_string_equal(c->map->missing[0], "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
            cmocka_unit_test_setup_teardown(test_every_row_accounted, setup, teardown),
            cmocka_unit_test_setup_teardown(test_cells, setup, teardown),
            cmocka_unit_test_setup_teardown(test_twice_changes_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_daylight_saving, setup, teardown),
            cmocka_unit_test_setup_teardown(test_unusable_files, setup, teardown),
            cmocka_unit_test_setup_teardown(test_two_time_columns_and_offsets, setup, teardown),
            cmocka_unit_test_setup_teardown(test_map_errors, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
