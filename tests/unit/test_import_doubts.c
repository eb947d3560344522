/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the importer must not pass over: names that only the map, the file or the site has, rows that
 * may be cut, numbers that are none, wrong clocks,
 * times that may be two. */
#include "tests/unit/import_fixture.h"

#define WIDE_MAP "site: s\ntime: { column: t, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n"
#define LONG_MAP                                                                                                       \
        "site: s\nshape: long\n"                                                                                       \
        "time: { column: t, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n"

static void map(struct ctx *c, const char *yaml)
{
        char e[1024];
        if (load_map(c, yaml, e, sizeof e) < 0)
                fail_msg("%s", e);
}

static void test_names_of_wide(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, WIDE_MAP "columns: { Supply Fan: power, SatSP: { point: supply, unit: degF }, Note: { ignore: true },\n"
                        "           Nobody: { ignore: true }, \"Room [old]\": { ignore: true } }\n");
        /* other spacing, other case; with a unit; ignored; nobody's */
        r = ok(c, "Station 7\nt,Supply  Fan,SatSP (degF),inlet,Note,Room [old],satsp\n"
                  "2026-01-01 00:00:00,50,55,20,,1,2\n");
        assert_int_equal(r.header_line, 2);
        assert_string_equal(c->named, "0:Supply Fan;1:Supply  Fan;1:satsp;2:t/room/rack-1/power;");
        assert_int_equal(r.points_without_column, 1);
        r = ok(c, "t,Supply Fan,SatSP,inlet\n2026-01-01 00:01:00,50,55,20\n");
        assert_string_equal(c->named, "");
        /* none left: refused, and told why */
        static const char none[] = "t,Supply fan\n2026-01-01 00:00:00,50\n";
        assert_int_equal(run(c, none, sizeof none - 1, &r), -EBADMSG);
        assert_string_equal(c->named, "0:Supply Fan;0:SatSP;1:Supply fan;2:t/room/rack-1/inlet;2:t/room/rack-1/power;"
                                      "2:t/room/crah-1/supply;");
        /* refused for another reason, before all columns were looked at: nothing is said of them */
        static const char twice[] = "t,inlet,inlet,power\n";
        assert_int_equal(run(c, twice, sizeof twice - 1, &r), -EBADMSG);
        assert_string_equal(c->named, "");
}

static void test_names_of_long(void **state)
{
        struct ctx *c = *state;
        map(c, LONG_MAP "columns: { \"CRAH1:SA-T\": supply, \"CRAH1:Fan\": power, \"CRAH1:X\": { unit: kW }, W: { "
                        "ignore: true } }\n");
        (void)ok(c,
                 "t,TagName,TagVal,Priority\n2026-01-01 00:00:00,CRAH1:SA-T,50,1\n2026-01-01 00:00:00,CRAH1:fan,1,1\n");
        assert_string_equal(c->named, "0:CRAH1:Fan;0:CRAH1:X;1:Priority;2:t/room/rack-1/inlet;2:t/room/rack-1/power;");
        map(c, "site: s\nshape: history\ntime: { column: t, format: \"%s\", zone: UTC }\nfiles: { \"log*.csv\": inlet "
               "}\n");
        (void)ok(c, "t,Value,Note\n1767225600,20,x\n");
        assert_string_equal(c->named, "1:Note;2:t/room/rack-1/power;2:t/room/crah-1/supply;");
}

/* The last number of a file that is still written would be stored short, and stay. */
static void test_last_row(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, WIDE_MAP);
        r = ok(c, "t,inlet,power\n2026-01-01 00:00:00,20,54\n2026-01-01 00:01:00,20,5");
        assert_int_equal(r.rows, 1);
        assert_int_equal(r.held_back_line, 3);
        assert_true(r.ended_without_newline);
        r = ok(c, "t,inlet,power\n2026-01-01 00:00:00,20,54\n2026-01-01 00:01:00,20,55\n2026-01-01 00:02");
        assert_int_equal(r.ok, 1);
        assert_int_equal(r.duplicates, 1);
        assert_int_equal(r.samples_conflict, 0);
        assert_int_equal(r.bad, 0);
        assert_int_equal(r.held_back_line, 4);
        assert_query(c->s, "SELECT max(raw) AS v FROM v_samples WHERE point LIKE '%power'", "[{\"v\":55}]");
        c->whole = true;
        r = ok(c, "t,inlet,power\n2026-01-01 00:03:00,20,56");
        assert_int_equal(r.ok, 1);
        assert_int_equal(r.held_back_line, 0);
        c->whole = false;
        r = ok(c, "t,inlet"); /* a header is one without a line end too */
        assert_int_equal(r.columns_used, 1);
        assert_int_equal(r.held_back_line, 0);
}

/* No number fits the map: refused, and nothing stored that the same times read rightly would contradict. */
static void test_no_number(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, WIDE_MAP "delimiter: \";\"\n");
        static const char comma[] = "t;inlet;power\n2026-01-01 00:00:00;;\n2026-01-01 00:01:00;17,50;3,5\n";
        assert_int_equal(run(c, comma, sizeof comma - 1, &r), -EBADMSG);
        assert_non_null(
            strstr(c->f->err, "log.csv:3: no value is a number: '17,50' is none with decimal '.', but with ','"));
        static const char words[] = "t;inlet;power\n2026-01-01 00:00:00;Aus;\n";
        assert_int_equal(run(c, words, sizeof words - 1, &r), -EBADMSG);
        assert_non_null(
            strstr(c->f->err, "log.csv:2: no value is a number: 'Aus' is none with decimal '.' and none of"));
        size_t n = 14;
        char *text = malloc(2000000); /* more than a batch */
        memcpy(text, "t;inlet;power\n", n);
        for (int i = 0; i < 20000; i++)
                n +=
                    (size_t)sprintf(text + n, "2026-01-%02d %02d:%02d:00;1,5;2,5\n", 1 + i / 1440, i / 60 % 24, i % 60);
        assert_int_equal(run(c, text, n, &r), -EBADMSG);
        free(text);
        assert_query(c->s, "SELECT count(*) AS n FROM sample", "[{\"n\":0}]");
        map(c, WIDE_MAP "delimiter: \";\"\ndecimal: \",\"\n");
        assert_int_equal(run(c, comma, sizeof comma - 1, &r), 0);
        assert_int_equal(r.samples_good, 2);
        assert_int_equal(r.cells_read, 2);
        /* nothing but gaps, or out of range, is a log; one number makes the rest bad readings */
        r = ok(c, "t;inlet;power\n2026-02-01 00:00:00;;\n");
        r = ok(c, "t;inlet\n2026-02-02 00:00:00;99\n2026-02-02 00:01:00;x\n");
        assert_int_equal(r.samples_by_reason[QR_PARSE], 1);
        assert_int_equal(r.first.unreadable, 3);
}

/* Decimal commas read with points, with one number among them: told, and the right map puts it right. */
static void test_read_again(void **state)
{
        struct ctx *c = *state;
        static const char text[] = "t;inlet;power\n2026-01-01 00:00:00;21;5\n2026-01-01 00:01:00;21,5;5,5\n"
                                   "2026-01-01 00:02:00;21,75;5\n2026-01-01 00:03:00;Err;5\n";
        struct import_report r;
        map(c, "site: s\ndelimiter: \";\"\ntime: { column: t, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n");
        r = ok(c, text);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 4);
        assert_int_equal(r.columns_unreadable, 1);
        assert_string_equal(c->unread, "t/room/rack-1/inlet:3/4@3;");
        assert_int_equal(r.first.reason[QR_PARSE], 3);
        assert_int_equal(r.first.cell[QR_PARSE].point, 0);
        assert_string_equal(r.first.cell[QR_PARSE].column, "inlet");
        assert_string_equal(r.first.cell[QR_PARSE].text, "21,5");
        r = ok(c, text); /* the same again replaces nothing */
        assert_true(r.duplicates == 4 && r.samples_replaced == 0 && r.samples_conflict == 0);
        map(c, "site: s\ndelimiter: \";\"\ndecimal: \",\"\n"
               "time: { column: t, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n");
        r = ok(c, text);
        assert_int_equal(r.samples_replaced, 3);
        assert_int_equal(r.first.replaced, 3);
        assert_true(r.ok == 2 && r.duplicates == 2 && r.samples == 0 && r.samples_conflict == 0);
        assert_string_equal(c->unread, "");
        assert_query(c->s, "SELECT value, quality FROM v_samples WHERE point LIKE '%inlet'",
                     "[{\"value\":21,\"quality\":\"GOOD\"},\n{\"value\":21.5,\"quality\":\"GOOD\"},\n"
                     "{\"value\":21.75,\"quality\":\"GOOD\"},\n{\"value\":null,\"quality\":\"BAD\"}]");
        /* a number that is stored stays, good or not, and so does what the source flagged */
        r = ok(c, "t;inlet;power\n2026-01-02 00:00:00;99;\n");
        r = ok(c, "t;inlet;power\n2026-01-02 00:00:00;20;6\n2026-01-01 00:00:00;25;\n");
        assert_true(r.samples_replaced == 0 && r.samples_conflict == 4);
        struct store_counts n;
        assert_int_equal(store_counts(c->s, &n), 0);
        assert_int_equal(n.samples, 10);
        assert_int_equal(n.good, 7);
        r = ok(c, "t;inlet\n2026-01-03 00:00:00;x\n2026-01-03 00:00:30;20\n2026-01-03 00:01:00;x\n");
        r = ok(c, "t;inlet\n2026-01-03 00:01:00;20,5\n"); /* the newest, too */
        assert_query(c->s, "SELECT value FROM latest WHERE point_id = (SELECT id FROM point WHERE name LIKE '%inlet')",
                     "[{\"value\":20.5}]");
        r = ok(c, "t;inlet\n2026-01-04 00:00:00;x\n2026-01-04 00:00:00;20,7\n"); /* of one batch, too */
        assert_int_equal(r.samples_replaced, 1);
        assert_query(c->s, "SELECT value FROM latest WHERE point_id = (SELECT id FROM point WHERE name LIKE '%inlet')",
                     "[{\"value\":20.7}]");
}

/* One cell says nothing of a column. */
static void test_one_cell(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, "site: s\ntime: { column: t, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n");
        r = ok(c, "t,inlet,power\n2026-01-01 00:00:00,x,5\n2026-01-01 00:01:00,,5\n");
        assert_int_equal(r.columns_unreadable, 0);
        r = ok(c, "t,inlet,power\n2026-01-02 00:00:00,x,5\n2026-01-02 00:01:00,x,5\n");
        assert_int_equal(r.columns_unreadable, 1);
}

/* One row of a wrong clock would make a log decades long. */
static void test_clock(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, "site: s\ntime: { column: t, format: [\"%Y-%m-%d %H:%M\", \"%Y-%m-%dT%H:%M:%S%z\"], zone: UTC }\n");
        c->now_ms = 1767225600000; /* 2026-01-01 */
        r = ok(c, "t,inlet\n2025-12-31 23:00,20\n2099-01-01 00:00,20\n2026-01-01 23:59,20\n2026-01-02 00:01,20\n"
                  "1970-01-01 00:00,20\n1989-12-31T23:59:59Z,20\n1990-01-01 00:00,20\n2099-01-01T00:00:00Z,20\n");
        assert_string_equal(c->told, "3:implausible_time;5:implausible_time;6:implausible_time;7:implausible_time;"
                                     "9:implausible_time;");
        assert_int_equal(r.ok, 3);
        assert_int_equal(r.last_t_ms, 1767225600000 + 86340000);
        assert_int_equal(r.steps_back, 1);                                   /* 1990 */
        map(c, "site: s\ntime: { column: t, format: \"%s\", zone: UTC }\n"); /* of a simulation: from 0 on */
        r = ok(c, "t,inlet\n0,20\n60,20\n4070908800,20\n");
        assert_int_equal(r.ok, 2);
        assert_string_equal(c->told, "4:implausible_time;");
        c->now_ms = 0;
        r = ok(c, "t,inlet\n4070908800,20\n");
        assert_int_equal(r.ok, 1);
}

static void test_patterns(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, "site: s\ntime: { column: t, format: [\"%m/%d/%Y %H:%M\", \"%d/%m/%Y %H:%M\", \"%Y-%m-%d\"], zone: UTC "
               "}\n");
        r = ok(c, "t,inlet\n01/07/2026 00:00,20\n01/13/2026 00:00,20\n02/02/2026 00:00,20\n13/01/2026 01:00,20\n");
        assert_int_equal(r.ok, 4);
        assert_int_equal(r.pattern_rows[0], 3);
        assert_int_equal(r.first.pattern[0], 2);
        assert_int_equal(r.pattern_rows[1], 1);
        assert_int_equal(r.first.pattern[1], 5);
        assert_int_equal(r.pattern_rows[2], 0);
        assert_int_equal(r.several_patterns, 1); /* 02/02 is the same in both */
        assert_int_equal(r.first.several_patterns, 2);
}

/* The night of 2007-11-04, when 1:00 to 1:59 happens twice. */
static void test_repeated_hour(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        char e[256], text[8000];
        if (load_map(c, "site: s\ntime: { column: t, format: \"%m/%d/%Y %H:%M\", zone: America/Chicago }\n", e,
                     sizeof e) < 0) {
                print_message("no tz database here: skipped\n");
                skip();
        }
        /* a row twice in each of the two hours, one late in the second: minutes stay where they were */
        size_t n = (size_t)sprintf(text, "t,inlet\n");
        for (int i = 0; i < 180; i++) {
                int hour = i < 120 ? i / 60 % 2 : 1;
                for (int k = 0; k < (i == 60 || i == 70 || i == 120 || i == 150 ? 2 : 1); k++)
                        n += (size_t)sprintf(text + n, "11/4/2007 %d:%02d,%d.%d\n", hour, i % 60, 10 + i / 10, i % 10);
                if (i == 160)
                        n += (size_t)sprintf(text + n, "11/4/2007 1:35,99\n");
        }
        r = ok(c, text);
        assert_int_equal(r.ok, 180);
        assert_int_equal(r.duplicates, 5);
        assert_int_equal(r.samples_conflict, 1);
        assert_int_equal(r.last_t_ms - r.first_t_ms, 179 * 60000);
        assert_query(c->s,
                     "SELECT count(*) AS n FROM sample a JOIN sample b ON b.t_ms = a.t_ms + 60000 WHERE abs(b.raw - "
                     "a.raw - 0.1) < 0.001",
                     "[{\"n\":179}]");
        /* rows an hour apart: the same time twice is both hours */
        teardown(state);
        setup(state);
        c = *state;
        load_map(c, "site: s\ntime: { column: t, format: \"%m/%d/%Y %H:%M\", zone: America/Chicago }\n", NULL, 0);
        r = ok(c,
               "t,inlet\n11/3/2007 23:00,1\n11/4/2007 0:00,2\n11/4/2007 1:00,3\n11/4/2007 1:00,4\n11/4/2007 2:00,5\n");
        assert_int_equal(r.ok, 5);
        assert_int_equal(r.last_t_ms - r.first_t_ms, 4 * 3600000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_names_of_wide, setup, teardown),
            cmocka_unit_test_setup_teardown(test_names_of_long, setup, teardown),
            cmocka_unit_test_setup_teardown(test_last_row, setup, teardown),
            cmocka_unit_test_setup_teardown(test_no_number, setup, teardown),
            cmocka_unit_test_setup_teardown(test_read_again, setup, teardown),
            cmocka_unit_test_setup_teardown(test_one_cell, setup, teardown),
            cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
            cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
            cmocka_unit_test_setup_teardown(test_repeated_hour, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
