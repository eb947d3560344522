/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/csvlog.h"

struct got {
        char text[4096]; /* line:flaw:cell|cell;… */
        int64_t rows;
        int stop_at;
        enum csvlog_flaw last_flaw;
        size_t last_cells;
};

static int on_row(void *ctx, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        struct got *g = ctx;
        size_t at = strlen(g->text);
        g->rows++;
        g->last_flaw = flaw;
        g->last_cells = n;
        if (at + 200 < sizeof g->text) {
                at += (size_t)snprintf(g->text + at, 40, "%lld:%d:", (long long)line, (int)flaw);
                for (size_t i = 0; i < n && strlen(cell[i]) < 50 && at + 60 < sizeof g->text; i++)
                        at += (size_t)snprintf(g->text + at, 60, "%s%s", i ? "|" : "", cell[i]);
                snprintf(g->text + at, 2, ";");
        }
        return g->rows == g->stop_at ? 7 : 0;
}

static struct got parse(const char *s, size_t len, size_t chunk)
{
        struct got g = {.text = ""};
        struct csvlog *l = NULL;
        assert_int_equal(csvlog_create(',', on_row, &g, &l), 0);
        for (size_t at = 0; at < len; at += chunk)
                assert_int_equal(csvlog_feed(l, s + at, len - at < chunk ? len - at : chunk), 0);
        assert_int_equal(csvlog_finish(l), 0);
        csvlog_free(l);
        return g;
}

static void check_len(const char *s, size_t len, const char *want)
{
        for (size_t chunk = 1; chunk <= len; chunk++) { /* every way to cut it gives the same */
                struct got g = parse(s, len, chunk);
                assert_string_equal(g.text, want);
        }
}

static void check(const char *s, const char *want)
{
        check_len(s, strlen(s), want);
}

static void test_forms(void **state)
{
        (void)state;
        check("a,b\n1,2\n", "1:0:a|b;2:0:1|2;");
        check("a,b\r\n1,2\r\n", "1:0:a|b;2:0:1|2;");
        check("\xef\xbb\xbf"
              "a,b\n1,2",
              "1:0:a|b;2:0:1|2;");
        check("\xef\xbb"
              "a\n",
              "1:0:\xef\xbb"
              "a;");
        check("\xef", "1:0:\xef;");
        check(" a , b\t\n", "1:0:a|b;");
        check("a,,\n,\n", "1:0:a||;2:0:|;");
        check("\n\r\n  \na\n\n", "4:0:a;");
        check("\"a,b\",\"c\"\"d\" , \" e \"\n", "1:0:a,b|c\"d| e ;");
        check("\"a\",\"\"\r\n\"\"\n", "1:0:a|;2:0:;");
        check("1,2\r", "1:0:1|2;");
        check("1,", "1:0:1|;");
        check("", "");
        check("a\rb,c\n", "1:0:a\rb|c;");
}

static void test_flaws(void **state)
{
        (void)state;
        check("a\"b,c\n1\n", "1:1:a\"b|c;2:0:1;");
        check("\"a\"x,c\n1\n", "1:1:ax|c;2:0:1;");
        check("\"a,b\n1,2\n", "1:2:a,b;2:0:1|2;"); /* a stray quote costs its own line only */
        check("1\n\"a", "1:0:1;2:2:a;");
        check_len("a\0b,c\n1\n", 8, "1:4:a|c;2:0:1;"); /* the cell prints up to its NUL */
}

static void test_bounds(void **state)
{
        (void)state;
        size_t len = CSVLOG_ROW_MAX + 1000;
        char *s = malloc(len + 3);
        memset(s, 'x', len);
        memcpy(s + len, "\n1\n", 3);
        struct got g = parse(s, len + 3, 65536);
        assert_int_equal(g.rows, 2);
        assert_int_equal(g.last_flaw, CSVLOG_FINE);
        assert_non_null(strstr(g.text, "1:3:")); /* too long, named by its line */
        memset(s, ',', CSVLOG_CELLS_MAX);
        s[CSVLOG_CELLS_MAX - 1] = '\n'; /* just fits */
        g = parse(s, CSVLOG_CELLS_MAX, 65536);
        assert_int_equal(g.last_cells, CSVLOG_CELLS_MAX);
        assert_int_equal(g.last_flaw, CSVLOG_FINE);
        s[CSVLOG_CELLS_MAX - 1] = ',';
        s[CSVLOG_CELLS_MAX] = '\n';
        g = parse(s, CSVLOG_CELLS_MAX + 1, 65536);
        assert_int_equal(g.last_flaw, CSVLOG_TOO_LONG);
        free(s);
}

static void test_stop_and_counts(void **state)
{
        (void)state;
        struct got g = {.text = "", .stop_at = 2};
        struct csvlog *l = NULL;
        assert_int_equal(csvlog_create(';', on_row, &g, &l), 0);
        assert_int_equal(csvlog_feed(l, "a;b\n\n1,5;2\n3\n", 14), 7);
        assert_int_equal(csvlog_feed(l, "4\n", 2), 7);
        assert_int_equal(csvlog_finish(l), 7);
        assert_int_equal(g.rows, 2);
        assert_string_equal(g.text, "1:0:a|b;3:0:1,5|2;");
        assert_int_equal(csvlog_blank_lines(l), 1);
        csvlog_free(l);
        for (int newline = 0; newline < 2; newline++) {
                g = (struct got){.text = ""};
                assert_int_equal(csvlog_create(',', on_row, &g, &l), 0);
                assert_int_equal(csvlog_feed(l, "a\n", newline ? 2 : 1), 0);
                assert_int_equal(csvlog_finish(l), 0);
                assert_int_equal(csvlog_ended_without_newline(l), !newline);
                csvlog_free(l);
        }
}

/* Random bytes out of the letters that matter: no crash, and no line is lost. */
static void test_every_line_is_told(void **state)
{
        (void)state;
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t seed = env ? strtoull(env, NULL, 10) : 77;
        print_message("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        for (int k = 0; k < 3000; k++) {
                char s[64];
                int64_t lines = 0;
                for (size_t i = 0; i < sizeof s; i++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        s[i] = "a1 ,\"\n\r;"[(seed >> 40) % 8];
                        lines += s[i] == '\n';
                }
                lines += s[sizeof s - 1] != '\n';
                struct got g = {.text = ""};
                struct csvlog *l = NULL;
                assert_int_equal(csvlog_create(',', on_row, &g, &l), 0);
                assert_int_equal(csvlog_feed(l, s, sizeof s), 0);
                assert_int_equal(csvlog_finish(l), 0);
                /* a last line of nothing but blanks is no line */
                assert_in_range(g.rows + csvlog_blank_lines(l), lines - 1, lines);
                csvlog_free(l);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_flaws),
                                           cmocka_unit_test(test_bounds), cmocka_unit_test(test_stop_and_counts),
                                           cmocka_unit_test(test_every_line_is_told)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
