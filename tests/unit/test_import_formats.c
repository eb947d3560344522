/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What buildings export: long CSV, Niagara histories, BACnet trend logs, encodings, decimal commas, units. */
#include "tests/unit/import_fixture.h"

#include <sys/wait.h>

#define LONG_MAP                                                                                                       \
        "site: s\nshape: long\n"                                                                                       \
        "time: { column: DateTime, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n"
#define HISTORY_MAP                                                                                                    \
        "site: s\nshape: history\n"                                                                                    \
        "time: { column: Timestamp, format: \"%d-%b-%y %I:%M:%S %p %Z\", zone: America/New_York }\n"                   \
        "missing: [\"\", \"***\", \"No Data\", \"nan\", \"null\"]\n"                                                   \
        "files: { \"log*.csv\": inlet }\n"

static void map(struct ctx *c, const char *yaml)
{
        char e[1024];
        if (load_map(c, yaml, e, sizeof e) < 0)
                fail_msg("%s", e);
}

/* --- long -------------------------------------------------------------------------------------------------------- */

static void test_long(void **state)
{
        struct ctx *c = *state;
        map(c, LONG_MAP "columns: { \"CRAH1:SA-T\": supply, Weather: { ignore: true } }\n");
        struct import_report r = ok(c, "DateTime,TagName,TagVal,TagQuality\n"
                                       "2026-01-01 00:00:00,inlet,21.5,Good\n"
                                       "2026-01-01 00:00:03,CRAH1:SA-T,50,Good\n" /* streams that are not aligned */
                                       "2026-01-01 00:00:01,power,3,Good\n" /* 4: earlier, of another tag: in order */
                                       "2026-01-01 00:01:00,inlet,22,Bad\n"
                                       "2026-01-01 00:00:30,inlet,23,Good\n" /* 6: late, a step back */
                                       "2026-01-01 00:01:00,Unknown,1,Good\n"
                                       "2026-01-01 00:01:00,Weather,1,Good\n"
                                       "2026-01-01 00:02:00,power,4,Perhaps\n" /* 9: nobody knows this word */
                                       "2026-01-01 00:02:00,power,5,Good\n"    /* 10: again */
                                       "2026-01-01 00:03:00,power,6,\"Good, Non-specific\"\n"
                                       "2026-01-01 00:04:00,power,7,192\n"
                                       "2026-01-01 00:05:00,power,8,\n" /* 13: no quality at all */
                                       "2026-01-01 00:06:00,power\n");
        assert_int_equal(r.rows, 13);
        assert_int_equal(r.ok, 9);
        assert_int_equal(r.duplicates, 1);
        assert_int_equal(r.first.duplicate, 10);
        assert_int_equal(r.samples_conflict, 1); /* 5 is not 4; 4 stays */
        assert_int_equal(r.first.conflict, 10);
        assert_int_equal(r.bad, 3);
        assert_int_equal(r.bad_by[IMPORT_BAD_TAG], 1);
        assert_int_equal(r.first.bad[IMPORT_BAD_TAG], 7);
        assert_int_equal(r.bad_by[IMPORT_BAD_IGNORED], 1);
        assert_string_equal(c->told, "7:unmapped_tag;14:cell_count;"); /* what is ignored is not told */
        assert_int_equal(r.out_of_order, 1);
        assert_int_equal(r.first.out_of_order, 6);
        assert_int_equal(r.steps_back, 1);
        assert_int_equal(r.first.step_back, 6);
        assert_int_equal(r.unknown_quality, 2);
        assert_int_equal(r.first.unknown_quality, 9);
        assert_int_equal(r.samples_good, 6);
        assert_int_equal(r.samples_by_reason[QR_SOURCE], 3);
        assert_int_equal(r.first.reason[QR_SOURCE], 5);
        assert_int_equal(r.columns_used, 3);
        assert_int_equal(r.points_without_column, 0);
        assert_query(c->s, "SELECT value, raw, quality, reason FROM v_samples WHERE point LIKE '%inlet' LIMIT 3",
                     "[{\"value\":21.5,\"raw\":21.5,\"quality\":\"GOOD\",\"reason\":\"none\"},\n"
                     "{\"value\":23,\"raw\":23,\"quality\":\"GOOD\",\"reason\":\"none\"},\n"
                     "{\"value\":22,\"raw\":22,\"quality\":\"BAD\",\"reason\":\"source\"}]");
}

static void test_long_columns(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        map(c, LONG_MAP "tag: Name\nvalue: Wert\nquality: Q\ngood: [\"1\", Gut]\ndelimiter: \";\"\ndecimal: \",\"\n"
                        "words: { Ein: 1 }\n");
        r = ok(c, "Q;DateTime;Name;Wert\n1;2026-01-01 00:00:00;power;1,5\nGUT;2026-01-01 00:01:00;power;Ein\n"
                  "2;2026-01-01 00:02:00;power;2\n1;2026-01-01 00:03:00;power;1.234\n"
                  "1;2026-01-01 00:04:00;power;1.234,5\n1;2026-01-01 00:05:00;power;1,2,3\n");
        assert_int_equal(r.ok, 6);
        assert_int_equal(r.samples_good, 2);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 3); /* a thousands mark is not guessed at */
        assert_query(c->s, "SELECT value AS v FROM sample WHERE quality = 0 ORDER BY t_ms",
                     "[{\"v\":1500},\n{\"v\":1000}]");
        assert_int_equal(run(c, "DateTime;Name;Wert\n", 19, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'Q'"));
        map(c, LONG_MAP);
        assert_int_equal(run(c, "DateTime,Tag,TagVal\n", 20, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'TagName'"));
        static const char one_unit[] = "DateTime,TagName,TagVal (degF)\n2026-01-01 00:00:00,inlet,70\n";
        assert_int_equal(run(c, one_unit, sizeof one_unit - 1, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "per tag"));
        /* a point of any table by its name; a contradiction is found before any row */
        map(c, LONG_MAP "columns: { A: { point: t/room/crah-1/return, unit: degF } }\n");
        r = ok(c, "DateTime,TagName,TagVal\n2026-02-01 00:00:00,A,50\n");
        assert_int_equal(r.samples_good, 1);
        assert_query(c->s, "SELECT value AS v, raw FROM v_samples WHERE point LIKE '%return'",
                     "[{\"v\":10,\"raw\":50}]");
        map(c, LONG_MAP "columns: { A: { point: t/room/crah-1/return, unit: degF }, B: { point: inlet, unit: kW } }\n");
        static const char contradiction[] =
            "DateTime,TagName,TagVal\n2026-03-01 00:00:00,A,50\n2026-03-01 00:01:00,B,1\n";
        assert_int_equal(run(c, contradiction, sizeof contradiction - 1, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "log.csv:1: column 'B' is in kW, but point t/room/rack-1/inlet is in degC"));
        assert_int_equal(r.rows, 0);
        map(c, LONG_MAP "columns: { A: nowhere }\n");
        assert_int_equal(run(c, contradiction, sizeof contradiction - 1, &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "nowhere"));
}

/* --- Niagara ----------------------------------------------------------------------------------------------------- */

static void test_niagara(void **state)
{
        struct ctx *c = *state;
        if (load_map(c, HISTORY_MAP, c->told, sizeof c->told) < 0) {
                print_message("no tz database here: skipped\n");
                skip();
        }
        struct import_report r = ok(c, "history:/Station/AHU1_SAT\n\n"
                                       "Timestamp,Trend Flags,Status,Value (\xc2\xb0"
                                       "F)\n"
                                       "22-Sep-26 09:00:01 AM UTC,{start},{ok},50.0\n" /* 4 */
                                       "22-Sep-26 05:15:01 AM EDT,{},{alarm,unackedAlarm},59\n"
                                       "22-Sep-26 05:30:01 AM EDT,{},{null},nan\n"
                                       "22-Sep-26 05:45:01 AM EDT,{},\"{fault,alarm}\",68\n"
                                       "22-Sep-26 06:00:01 AM EDT,{},{stale},68\n"
                                       "22-Sep-26 06:15:01 AM EDT,{},{down},68\n"
                                       "22-Sep-26 06:30:01 AM EDT,{},{overridden @ 8},68\n"
                                       "22-Sep-26 06:45:01 AM EST,{},{ok},68\n" /* 11: it was daylight saving time */
                                       "22-Sep-26 06:45:01 AM CEST,{},{ok},68\n"
                                       "22-Sep-26 07:00:01 AM EDT,{modified},{ok},68\n"
                                       "22-Sep-26 07:15:01 AM EDT,{outOfOrder},{ok},77\n"
                                       "22-Sep-26 07:30:01 AM EDT,{},{frozen solid},77\n"
                                       "22-Sep-26 07:45:01 AM EDT,{},{ok,77\n" /* 16 */
                                       "22-Sep-26 07:45:01 AM EDT,{},{ok},77,78\n"
                                       "22-Sep-26 07:45:01 AM EDT,{},{alarm,77,78,{}\n");
        assert_int_equal(r.preamble_lines, 1);
        assert_int_equal(r.bad_by[IMPORT_BAD_CELLS], 2);
        assert_int_equal(r.rows, 15);
        assert_int_equal(r.ok, 11);
        assert_int_equal(r.bad_by[IMPORT_BAD_ZONE], 2);
        assert_int_equal(r.first.bad[IMPORT_BAD_ZONE], 11);
        assert_int_equal(r.samples_good, 3);
        assert_int_equal(r.samples_by_reason[QR_SOURCE], 6);
        assert_int_equal(r.samples_by_reason[QR_STALE], 1);
        assert_int_equal(r.samples_by_reason[QR_COMM_FAIL], 1);
        assert_int_equal(r.unknown_quality, 2); /* "frozen solid", and the cell cut at 16 */
        assert_int_equal(r.columns_used, 1);
        assert_int_equal(r.points_without_column, 2);
        assert_query(c->s, "SELECT time, value AS v FROM v_samples WHERE quality = 'GOOD'",
                     "[{\"time\":\"2026-09-22T09:00:01.000Z\",\"v\":10},\n"
                     "{\"time\":\"2026-09-22T09:15:01.000Z\",\"v\":15},\n"
                     "{\"time\":\"2026-09-22T11:15:01.000Z\",\"v\":25}]");
        /* the abbreviation tells the two hours of autumn apart whatever the order */
        r = ok(c, "Timestamp,Trend Flags,Status,Value\n"
                  "01-Nov-26 01:30:00 AM EST,{},{ok},20\n01-Nov-26 01:30:00 AM EDT,{},{ok},20\n");
        assert_int_equal(r.ok, 2);
        assert_int_equal(r.ambiguous_hours, 0);
        assert_int_equal(r.last_t_ms - r.first_t_ms, 3600000);
        /* what is commanded was in force although somebody overrode it */
        c->f->point[0].writable = true;
        r = ok(c, "Timestamp,Trend Flags,Status,Value\n01-Dec-26 01:30:00 AM EST,{},{overridden},20\n");
        assert_int_equal(r.samples_good, 1);
        c->f->point[0].writable = false;
}

static void test_history_files(void **state)
{
        struct ctx *c = *state;
        struct import_report r;
        char yaml[512];
        static const char text[] = "Timestamp,Value\n2026-01-01,20\n";
        static const char with_files[] = "site: s\nshape: history\n"
                                         "time: { column: Timestamp, format: \"%%Y-%%m-%%d\", zone: UTC }\nfiles: %s\n";
        static const char *const fit[] = {"{ \"x*\": inlet, \"l*\": supply }", "{ log.csv: supply }",
                                          "{ \"lo?.csv\": t/room/crah-1/supply }"};
        for (size_t i = 0; i < 3; i++) {
                snprintf(yaml, sizeof yaml, with_files, fit[i]);
                map(c, yaml);
                r = ok(c, text);
                assert_int_equal(r.ok, i == 0);
                assert_int_equal(r.duplicates, i > 0);
        }
        snprintf(c->f->point[1].key, sizeof c->f->point[1].key, "g");
        snprintf(yaml, sizeof yaml, with_files, "{ \"lo*.csv\": \"*\" }");
        map(c, yaml); /* what the star matches is the key */
        assert_int_equal(ok(c, text).ok, 1);
        static const struct {
                const char *files, *says;
        } wrong[] = {{"{ \"x*\": inlet }", "no pattern"},
                     {"{ \"l*\": { ignore: true } }", "ignore it"},
                     {"{ \"l*\": nowhere }", "'nowhere'"},
                     {"{ \"l*\": \"*\" }", "'og.csv'"},
                     {"{ \"l*\": { point: inlet, unit: psi } }", "psi"}};
        for (size_t i = 0; i < 5; i++) {
                snprintf(yaml, sizeof yaml, with_files, wrong[i].files);
                map(c, yaml);
                assert_int_equal(run(c, text, sizeof text - 1, &r), -EBADMSG);
                if (!strstr(c->f->err, wrong[i].says) || !strstr(c->f->err, "log.csv:1: "))
                        fail_msg("%s", c->f->err);
        }
}

/* --- BACnet ------------------------------------------------------------------------------------------------------ */

static void test_trend_log(void **state)
{
        struct ctx *c = *state;
        map(c, "site: s\nshape: history\n"
               "time: { column: Timestamp, format: \"%Y-%m-%d %H:%M:%S\", zone: UTC }\n"
               "quality: Status Flags\nevent: Record Type\nevents: [\"Controller restarted\"]\n"
               "files: { log.csv: power }\n");
        struct import_report r =
            ok(c, "Sequence,Timestamp,Record Type,Value,Status Flags\n"
                  "1,2026-01-01 00:00:00,log-status,\"{false,false,false}\",\n"
                  "2,2026-01-01 00:00:00,real-value,1.5,\"{false,false,false,false}\"\n"
                  "3,2026-01-01 00:01:00,real-value,Log Disabled,\n"
                  "4,2026-01-01 00:02:00,real-value,LOG_ENABLED,\n"
                  "5,2026-01-01 00:03:00,real-value,2.5,\"{true,false,false,false}\"\n" /* in alarm: a value */
                  "6,2026-01-01 00:04:00,real-value,2.5,\"{false,true,false,false}\"\n"
                  "7,*,,buffer-purged,\n" /* 8: needs no time */
                  "12,2026-01-01 00:05:00,time-change,-30.0,\n"
                  "13,2026-01-01 00:04:30,real-value,3,\"F,F,F,F\"\n"
                  "14,2026-01-01 00:06:00,log-interrupted,,\n"
                  "15,2026-01-01 00:07:00,,Controller restarted,\n"
                  "16,2026-01-01 00:08:00,real-value,failure: timeout,\"{false,false,false,false}\"\n"
                  "17,2026-01-01 00:09:00,real-value,4,\"{false,false,false}\"\n");
        assert_int_equal(r.rows, 13);
        assert_int_equal(r.events, 7);
        assert_int_equal(r.bad, 0);
        assert_int_equal(r.ok, 6);
        assert_int_equal(r.events_by[IMPORT_EVENT_OTHER], 2);
        assert_int_equal(r.events_by[IMPORT_EVENT_DISABLED], 1);
        assert_int_equal(r.events_by[IMPORT_EVENT_ENABLED], 1);
        assert_int_equal(r.events_by[IMPORT_EVENT_PURGED], 1);
        assert_int_equal(r.events_by[IMPORT_EVENT_CLOCK], 1);
        assert_int_equal(r.events_by[IMPORT_EVENT_INTERRUPTED], 1);
        assert_int_equal(r.first.event[IMPORT_EVENT_PURGED], 8);
        assert_int_equal(r.sequence_gaps, 1);
        assert_int_equal(r.sequence_lost, 4);
        assert_int_equal(r.first.sequence, 9);
        assert_int_equal(r.samples_good, 3);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 1);
        assert_int_equal(r.unknown_quality, 1);
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

static size_t utf16(const char *latin1, bool mark, bool big, char *out)
{
        size_t n = 0;
        for (int first = mark; first || *latin1; first = 0) {
                unsigned u = first ? 0xfeff : (unsigned char)*latin1++;
                out[n++] = (char)(big ? u >> 8 : u & 255);
                out[n++] = (char)(big ? u & 255 : u >> 8);
        }
        return n;
}

#define ENCODING_MAP                                                                                                   \
        "site: s\ntime: { column: [Datum, Zeit], format: \"%%d.%%m.%%Y %%H:%%M:%%S\", zone: \"+01:00\" }\n"            \
        "delimiter: \";\"\ndecimal: \",\"\nencoding: %s\nmissing: [\"\", \"***\", No Data, Bad]\n"                     \
        "columns: { \"K\xc3\xa4lte\": { point: inlet, unit: degC } }\n"

static void test_encodings(void **state)
{
        struct ctx *c = *state;
        static const char latin1[] = "Datum;Zeit;K\xe4lte (\xb0"
                                     "C);power\r\n"
                                     "01.02.2026;00:00:00;21,5;1\r\n01.02.2026;00:01:00;***;No Data\r\n"
                                     "01.02.2026;00:02:00;Bad;-1,25e1\r\n";
        static const char utf8[] = "Datum;Zeit;K\xc3\xa4lte (\xc2\xb0"
                                   "C);power\r\n"
                                   "01.02.2026;00:00:00;21,5;1\r\n01.02.2026;00:01:00;***;No Data\r\n"
                                   "01.02.2026;00:02:00;Bad;-1,25e1\r\n";
        static const char marked[] = "\xef\xbb\xbf";
        char buf[8][1024];
        size_t len[8];
        memcpy(buf[0], latin1, len[0] = sizeof latin1 - 1);
        memcpy(buf[1], utf8, len[1] = sizeof utf8 - 1);
        memcpy(buf[2], marked, 3);
        memcpy(buf[2] + 3, utf8, sizeof utf8 - 1);
        len[2] = sizeof utf8 - 1 + 3;
        len[3] = utf16(latin1, true, false, buf[3]);
        len[4] = utf16(latin1, true, true, buf[4]);
        len[5] = utf16(latin1, false, false, buf[5]);
        len[6] = utf16(latin1, false, true, buf[6]);
        memcpy(buf[7], latin1, len[7] = sizeof latin1 - 1);
        static const struct {
                const char *said, *found;
                bool detected;
        } how[] = {{"auto", "ISO-8859-1", true},    {"auto", "UTF-8", true},         {"auto", "UTF-8", true},
                   {"auto", "UTF-16LE", true},      {"auto", "UTF-16BE", true},      {"auto", "UTF-16LE", true},
                   {"utf-16be", "UTF-16BE", false}, {"latin-1", "ISO-8859-1", false}};
        for (size_t i = 0; i < 8; i++) {
                char yaml[600];
                struct import_report r;
                snprintf(yaml, sizeof yaml, ENCODING_MAP, how[i].said);
                map(c, yaml);
                if (run(c, buf[i], len[i], &r) != 0)
                        fail_msg("%zu: %s", i, c->f->err);
                assert_string_equal(r.encoding, how[i].found);
                assert_int_equal(r.encoding_detected, how[i].detected);
                assert_int_equal(r.undecodable, 0);
                assert_int_equal(r.rows, 3);
                assert_int_equal(i == 0 ? r.ok : r.duplicates, 3);
                if (i == 0) {
                        assert_int_equal(r.samples_good, 3);
                        assert_int_equal(r.samples_by_reason[QR_SOURCE], 3);
                }
        }
        /* half a character at the end, a surrogate alone, UTF-8 that stops being it: counted, never a number */
        char yaml[600];
        struct import_report r;
        snprintf(yaml, sizeof yaml, ENCODING_MAP, "auto");
        map(c, yaml);
        buf[3][len[3]] = '1';
        c->whole = true;
        assert_int_equal(run(c, buf[3], len[3] + 1, &r), 0);
        c->whole = false;
        assert_int_equal(r.undecodable, 1);
        assert_int_equal(r.bad_by[IMPORT_BAD_CELLS], 1);
        snprintf(buf[1], sizeof buf[1], "%s01.02.2026;00:03:00;2\xff\x31;\xe4\r\n", utf8);
        assert_int_equal(run(c, buf[1], strlen(buf[1]), &r), 0);
        assert_int_equal(r.undecodable, 2);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 2);
        snprintf(yaml, sizeof yaml, ENCODING_MAP, "no-such-thing");
        char e[512];
        assert_int_equal(load_map(c, yaml, e, sizeof e), -EINVAL);
        assert_non_null(strstr(e, "no-such-thing"));
}

/* --- units ------------------------------------------------------------------------------------------------------- */

static void on_unit(void *ctx, const char *path, const char *column, const char *unit, const struct point *point)
{
        struct ctx *c = ctx;
        size_t at = strlen(c->told);
        (void)path;
        snprintf(c->told + at, sizeof c->told - at, "%s:%s>%s;", column, unit, unit_str((enum unit)point->unit));
}

static void test_units(void **state)
{
        struct ctx *c = *state;
        char path[128];
        struct import_report r;
        static const char text[] = "time,inlet (\xc2\xb0"
                                   "F),power [tons],supply (degF)\n8/28/2007 0:00,50,2,50\n8/28/2007 0:01,200,2,50\n";
        write_file(c, "log.csv", text, sizeof text - 1, path);
        struct import_args a = {
            .store = c->s, .site = &c->f->site, .map = c->map, .zone = c->map->zone, .on_unit = on_unit, .ctx = c};
        assert_int_equal(import_file(&a, path, &r, c->f->err), 0);
        assert_string_equal(c->told, "inlet (\xc2\xb0"
                                     "F):degF>degC;power [tons]:ton>kW;");
        assert_int_equal(r.columns_used, 3);
        assert_int_equal(r.samples_by_reason[QR_OUT_OF_RANGE], 1); /* 200 °F is beyond 60 °C */
        assert_query(c->s, "SELECT round(value, 6) AS v, raw FROM v_samples WHERE time LIKE '%:00:00.000Z'",
                     "[{\"v\":10,\"raw\":50},\n{\"v\":7033.705684,\"raw\":2},\n{\"v\":10,\"raw\":50}]");
        static const struct {
                const char *header, *options, *says;
        } wrong[] = {
            {"time,inlet (kW)\n", "", "column 'inlet (kW)' is in kW, but point t/room/rack-1/inlet is in degC"},
            {"time,inlet (deltaK)\n", "", "is in deltaK, but point t/room/rack-1/inlet is in degC"},
            {"time,inlet (floor 2)\n", "", "unknown unit 'floor 2'"},
            {"time,inlet (degF)\n", "inlet: { unit: degC }", "is in degF, but the import map says degC"},
            {"time,inlet\n", "inlet: { unit: gpm }", "is in gpm, but point"},
            {"time,inlet,inlet (degC)\n", "", "two columns"},
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                char yaml[300];
                snprintf(yaml, sizeof yaml,
                         "site: s\ntime: { column: time, format: \"%%s\", zone: UTC }\ncolumns: { %s }\n",
                         wrong[i].options);
                map(c, yaml);
                assert_int_equal(run(c, wrong[i].header, strlen(wrong[i].header), &r), -EBADMSG);
                if (!strstr(c->f->err, wrong[i].says) || !strstr(c->f->err, "log.csv:1: "))
                        fail_msg("'%s' is not in: %s", wrong[i].says, c->f->err);
        }
        /* a unit behind the number must be the column's */
        map(c, "site: s\ntime: { column: time, format: \"%s\", zone: UTC }\n");
        r = ok(c, "time,inlet (degF)\n100,70 \xc2\xb0"
                  "F\n200,70 \xc2\xb0"
                  "C\n300,7 0\n400,70 deg F\n");
        assert_int_equal(r.samples_good, 1);
        assert_int_equal(r.samples_by_reason[QR_PARSE], 3); /* "70 deg" is no number */
        /* a name that ends in brackets is a name when a point has it, and a unit can be said not to be one */
        snprintf(c->f->point[0].key, sizeof c->f->point[0].key, "inlet (floor 2)");
        map(c, "site: s\ntime: { column: time, format: \"%s\", zone: UTC }\ncolumns: { power: { unit: kW } }\n");
        assert_int_equal(ok(c, "time,inlet (floor 2),power (room 1)\n5,1,1\n").columns_used, 2);
}

/* --- lines that are not rows ------------------------------------------------------------------------------------- */

static void test_footers(void **state)
{
        struct ctx *c = *state;
        struct import_report r = ok(c, "Report of power,,\n\nPrinted 1/2/2026\n"
                                       "time,inlet,power\n"
                                       "8/28/2007 0:00,21,5\n"
                                       "time,inlet,power\n" /* 6: files put together */
                                       "8/28/2007 0:01,21,5\n"
                                       "Total,42,10\n" /* 8 */
                                       "Average:,21,5\n"
                                       "Minutes,1,2\n" /* 10: not a word of these */
                                       "******* End of Report *******\n");
        assert_int_equal(r.preamble_lines, 2);
        assert_int_equal(r.rows, 7);
        assert_int_equal(r.ok, 2);
        assert_int_equal(r.bad_by[IMPORT_BAD_SUMMARY], 3);
        assert_int_equal(r.first.bad[IMPORT_BAD_SUMMARY], 8);
        assert_int_equal(r.bad_by[IMPORT_BAD_HEADER], 1);
        assert_int_equal(r.bad_by[IMPORT_BAD_TIME], 1);
        assert_int_equal(r.first.bad[IMPORT_BAD_TIME], 10);
        char long_preamble[400] = "";
        for (int i = 0; i < 65; i++)
                strcat(long_preamble, "a,b\n");
        strcat(long_preamble, "time,inlet\n");
        assert_int_equal(run(c, long_preamble, strlen(long_preamble), &r), -EBADMSG);
        assert_non_null(strstr(c->f->err, "'time'"));
}

static void test_map_of_shapes(void **state)
{
        struct ctx *c = *state;
        char e[2048];
        static const struct {
                const char *yaml, *says;
        } wrong[] = {
            {"shape: square\n", ":2:8: shape must be one of: wide, long, history"},
            {"decimal: x\n", "decimal must be one of"},
            {"decimal: \",\"\n", "both ','"},
            {"shape: history\n", "needs files"},
            {"files: { a: b }\n", "of shape history"},
            {"tag: T\n", "no meaning in shape wide"},
            {"shape: history\nfiles: { a: { unit: degC } }\n", "names no point"},
            {"shape: long\ntag: \"\"\n", "must name a column"},
            {"columns: { a: { unit: furlong } }\n", "'furlong'"},
            {"words: { On: yes }\n", "words must be"},
            {"words: [ On ]\n", "words must be"},
            {"encoding: [ ]\n", "encoding"},
            {"encoding: \"utf-8//IGNORE\"\n", "unknown encoding"},
        };
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                char yaml[300];
                snprintf(yaml, sizeof yaml, "site: s\n%stime: { column: t, format: \"%%s\" }\n", wrong[i].yaml);
                assert_int_equal(load_map(c, yaml, e, sizeof e), -EINVAL);
                if (!strstr(e, wrong[i].says) || !strstr(e, "import.yaml:"))
                        fail_msg("'%s' is not in: %s", wrong[i].says, e);
        }
}

/* --- resume ------------------------------------------------------------------------------------------------------ */

struct many {
        char *text;
        size_t len;
};

static struct many many_rows(int rows)
{
        struct many m = {.text = malloc((size_t)rows * 48 + 64)};
        m.len = (size_t)sprintf(m.text, "DateTime,TagName,TagVal\n");
        for (int i = 0; i < rows; i++) {
                static const char *const tag[] = {"inlet", "power", "supply", "nobody"};
                m.len += (size_t)sprintf(m.text + m.len, "2026-01-%02d %02d:%02d:%02d,%s,%d\n", 1 + i / 86400,
                                         i / 3600 % 24, i / 60 % 60, i % 60, tag[i % 4], i % 70);
        }
        return m;
}

static void die_at_four_fifths(void *ctx, const char *path, int64_t bytes, int64_t total)
{
        (void)ctx;
        (void)path;
        if (bytes > total / 5 * 4)
                _exit(0);
}

/* Another process imports the file and dies on the way. */
static void interrupt(struct ctx *c, const char *text, size_t len)
{
        char path[128];
        write_file(c, "log.csv", text, len, path);
        store_close(c->s);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
                struct import_report r;
                if (store_open(c->f->db, STORE_WRITE, &c->s, c->f->err) == 0 &&
                    store_bind_site(c->s, &c->f->site) == 0) {
                        struct import_args a = {.store = c->s,
                                                .site = &c->f->site,
                                                .map = c->map,
                                                .zone = c->map->zone,
                                                .on_progress = die_at_four_fifths};
                        (void)import_file(&a, path, &r, c->f->err);
                }
                _exit(1);
        }
        int status = 1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
        assert_int_equal(store_bind_site(c->s, &c->f->site), 0);
        assert_query(c->s, "SELECT count(*) AS n FROM state WHERE length(blob) > 0", "[{\"n\":1}]");
}

static char *dump(struct ctx *c)
{
        char *json = NULL;
        assert_int_equal(
            store_query_json(c->s,
                             "SELECT count(*) AS n, sum(t_ms % 1000003) AS t, sum(raw * (t_ms / 1000 % 97))"
                             " AS r, sum(quality) AS q FROM sample",
                             NULL, 0, &json),
            0);
        return json;
}

static void test_resume(void **state)
{
        struct ctx *c = *state;
        struct many m = many_rows(120000); /* three batches */
        map(c, LONG_MAP);
        struct import_report whole, r;
        assert_int_equal(run(c, m.text, m.len, &whole), 0);
        assert_int_equal(whole.ok, 90000);
        assert_int_equal(whole.bad_by[IMPORT_BAD_TAG], 30000);
        assert_int_equal(whole.resumed_rows, 0);
        char *want = dump(c);
        assert_query(c->s, "SELECT count(*) AS n FROM state WHERE length(blob) > 0", "[{\"n\":0}]");

        teardown(state);
        setup(state);
        c = *state;
        map(c, LONG_MAP);
        interrupt(c, m.text, m.len);
        assert_int_equal(run(c, m.text, m.len, &r), 0);
        assert_true(r.resumed_rows > 60000 && r.resumed_rows < 110000);
        char *got = dump(c);
        assert_string_equal(got, want);
        free(got);
        r.resumed_rows = 0;
        assert_memory_equal(&r, &whole, sizeof r); /* and the report is that of one go */
        assert_query(c->s, "SELECT count(*) AS n FROM state WHERE length(blob) > 0", "[{\"n\":0}]");

        /* begun, then another file in its place (one digit near the start differs): begun anew, all accounted */
        interrupt(c, m.text, m.len);
        m.text[60] ^= 1;
        assert_int_equal(run(c, m.text, m.len, &r), 0);
        assert_int_equal(r.resumed_rows, 0);
        assert_int_equal(r.ok + r.duplicates, 90000);
        /* begun, then the header corrected: what was stored meant something else */
        interrupt(c, m.text, m.len);
        memcpy(m.text, "DateTime,TagVal,TagName", 23);
        assert_int_equal(run(c, m.text, m.len, &r), 0);
        assert_int_equal(r.resumed_rows, 0);
        assert_int_equal(r.bad_by[IMPORT_BAD_TAG], 120000);
        memcpy(m.text, "DateTime,TagName,TagVal", 23);
        /* begun, then a shorter one; begun, then read otherwise */
        interrupt(c, m.text, m.len);
        assert_int_equal(run(c, m.text, 200, &r), 0);
        assert_int_equal(r.resumed_rows, 0);
        assert_true(r.rows < 10);
        interrupt(c, m.text, m.len);
        map(c, LONG_MAP "gap: 1h\n");
        assert_int_equal(run(c, m.text, m.len, &r), 0);
        assert_int_equal(r.resumed_rows, 0);
        free(m.text);
        free(want);
}

/* A clock that jitters: more lengths of intervals than are kept exactly, the usual one late in the table of them. */
static void test_resume_jitter(void **state)
{
        struct ctx *c = *state;
        enum { ROWS = 80000, USUAL_MS = 60239 };
        struct many m = {.text = malloc(ROWS * 40 + 64)};
        struct import_report whole, r;
        int64_t t_ms = 1767225600000;
        uint64_t x = 1;
        m.len = (size_t)sprintf(m.text, "DateTime,TagName,TagVal\n");
        for (int i = 0; i < ROWS; i++) {
                x = x * 6364136223846793005u + 1442695040888963407u;
                t_ms += i % 3 ? USUAL_MS : (int64_t)(1 + (x >> 33) % 200000);
                m.len += (size_t)sprintf(m.text + m.len, "%lld,inlet,%d\n", (long long)t_ms, i % 50);
        }
        for (int pass = 0; pass < 2; pass++) {
                if (pass == 1) {
                        teardown(state);
                        setup(state);
                        c = *state;
                }
                map(c, "site: s\nshape: long\ntime: { column: DateTime, format: \"%Q\", zone: UTC }\n"
                       "columns: { inlet: { unit: degF } }\n");
                if (pass == 1)
                        interrupt(c, m.text, m.len);
                assert_int_equal(run(c, m.text, m.len, pass ? &r : &whole), 0);
                assert_int_equal(c->converted, 1); /* told again, although the tag was met before */
        }
        assert_int_equal(whole.median_interval_ms, USUAL_MS);
        assert_true(r.resumed_rows > 0);
        r.resumed_rows = 0;
        assert_memory_equal(&r, &whole, sizeof r);
        free(m.text);
}

/* --- hostile files ----------------------------------------------------------------------------------------------- */

static const char *const any_map[] = {
    "site: s\ntime: { column: time, format: [\"%m/%d/%Y %H:%M\", \"%s\"], zone: UTC }\n",
    LONG_MAP,
    "site: s\nshape: history\nfiles: { log.csv: inlet }\n"
    "time: { column: Timestamp, format: [\"%d-%b-%y %I:%M:%S %p %Z\", \"%s\"], zone: UTC }\n",
};
static const char *const any_header[] = {"time,inlet,power\n", "DateTime,TagName,TagVal,TagQuality\n",
                                         "Sequence,Timestamp,Trend Flags,Status,Value\n"};

static void test_hostile(void **state)
{
        struct ctx *c = *state;
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t x = env ? strtoull(env, NULL, 10) : 1;
        print_message("seed %llu\n", (unsigned long long)x);
        static const char *const token[] = {",",
                                            "\n",
                                            "\"",
                                            "{",
                                            "}",
                                            "{ok}",
                                            "inlet",
                                            "Good",
                                            "1",
                                            "-1e9",
                                            "2026-01-01 00:00:00",
                                            "\r\n",
                                            ";",
                                            "\xff",
                                            "\xc2\xb0",
                                            "Total",
                                            "log-disabled",
                                            " ",
                                            "1/2/2026 0:00",
                                            "22-Sep-26 09:00:01 AM UTC",
                                            "time",
                                            "4294967295",
                                            "99999999999999999999",
                                            "@",
                                            "nan"};
        enum { TOKENS = sizeof token / sizeof token[0] };
        char *text = malloc(65536);
        for (int i = 0; i < 300; i++) {
                size_t shape = (size_t)i % 3, n = (size_t)sprintf(text, "%s", any_header[shape]);
                map(c, any_map[shape]);
                for (int k = 0; k < 400; k++) {
                        x = x * 6364136223846793005u + 1442695040888963407u;
                        n += (size_t)sprintf(text + n, "%s", token[(x >> 33) % TOKENS]);
                        if ((x >> 50) % 97 == 0)
                                text[n++] = '\0';
                }
                struct import_report r;
                int e = run(c, text, n, &r); /* of no number at all: refused */
                assert_true(e == 0 || (e == -EBADMSG && r.cells_read == 0 && r.cells_unreadable > 0));
        }
        free(text);
}

/* Rows without end, more cells than any, tags that nobody has: counted, and nothing of them is kept in memory. */
static void test_immense(void **state)
{
        struct ctx *c = *state;
        size_t cap = (8u << 20) + 256, n = 0;
        char *text = malloc(cap);
        struct import_report r;
        for (size_t shape = 0; shape < 3; shape++) {
                map(c, any_map[shape]);
                n = (size_t)sprintf(text, "%s1,2,3\n", any_header[shape]);
                memset(text + n, '7', 2u << 20);
                n += 2u << 20;
                text[n++] = '\n';
                memset(text + n, ',', 40000);
                n += 40000;
                text[n++] = '\n';
                n += (size_t)sprintf(text + n, "%s", shape == 0 ? "5,6,7\n" : "");
                assert_int_equal(run(c, text, n, &r), 0);
                assert_int_equal(r.bad_by[IMPORT_BAD_TOO_LONG], 2);
                assert_int_equal(r.ok, shape == 0 ? 2 : 0);
        }
        map(c, any_map[1]);
        n = (size_t)sprintf(text, "%s", any_header[1]);
        for (int i = 0; i < 100000; i++)
                n += (size_t)sprintf(text + n, "2026-01-01 00:00:00,tag-%d,1,Good\n", i);
        assert_int_equal(run(c, text, n, &r), 0);
        assert_int_equal(r.bad_by[IMPORT_BAD_TAG], 100000);
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_long, setup, teardown),
            cmocka_unit_test_setup_teardown(test_long_columns, setup, teardown),
            cmocka_unit_test_setup_teardown(test_niagara, setup, teardown),
            cmocka_unit_test_setup_teardown(test_history_files, setup, teardown),
            cmocka_unit_test_setup_teardown(test_trend_log, setup, teardown),
            cmocka_unit_test_setup_teardown(test_encodings, setup, teardown),
            cmocka_unit_test_setup_teardown(test_units, setup, teardown),
            cmocka_unit_test_setup_teardown(test_footers, setup, teardown),
            cmocka_unit_test_setup_teardown(test_map_of_shapes, setup, teardown),
            cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
            cmocka_unit_test_setup_teardown(test_resume_jitter, setup, teardown),
            cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
            cmocka_unit_test_setup_teardown(test_immense, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
