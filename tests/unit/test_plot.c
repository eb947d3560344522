/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Plots of pages: scales and ticks, holes in lines, names that are markup, no number that is none; and how a page is
 * saved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/plot.h"

#define MIDNIGHT INT64_C(1752537600000) /* 2025-07-15 */
#define NONE ((double)NAN)

struct row {
        double t_h, a, b;
};

static const struct plot_series series[] = {PLOT_SERIES("a <b>", PLOT_BLUE, struct row, a, 1),
                                            {"half", PLOT_RED, offsetof(struct row, b), 0.5, true}};
static const struct plot lines = {.title = "inlets & more",
                                  .unit = "°C",
                                  .height = 100,
                                  .lo = NONE,
                                  .hi = NONE,
                                  .limit = {27, NONE},
                                  .limit_name = {"soft", NULL},
                                  .series = series,
                                  .nseries = 2,
                                  .x_offset = offsetof(struct row, t_h)};

static size_t count(const char *s, const char *what)
{
        size_t n = 0;

        for (s = strstr(s, what); s; s = strstr(s + 1, what))
                n++;
        return n;
}

static struct text draw(const struct plot *p, const struct row *row, size_t n, int64_t start_ms, double hours)
{
        const struct plot_rows rows = {row, n, sizeof *row};
        const struct plot_scale s = plot_scale(p, &rows, 1);
        struct text t = {0};

        plot_draw(p, &s, &rows, start_ms, hours, &t);
        assert_false(t.failed);
        assert_int_equal(count(t.v, "nan"), 0);
        assert_int_equal(count(t.v, "inf"), 0);
        assert_int_equal(count(t.v, "<svg"), 1);
        assert_int_equal(count(t.v, "</svg>"), 1);
        return t;
}

static void steps_are_round(void **state)
{
        static const double of[][2] = {{5, 1}, {5.1, 2}, {10, 2}, {20, 5}, {26, 10}, {0.3, 0.1}, {1e6, 2e5}};

        (void)state;
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
                assert_true(fabs(plot_step(of[k][0]) - of[k][1]) < 1e-9 * of[k][1]);
}

static void scales_hold_the_data_and_what_is_asked(void **state)
{
        const struct row row[] = {{0, 20.2, 50}, {1, 24.9, NONE}, {2, (double)INFINITY, 44}};
        const struct plot_rows two[] = {{row, 2, sizeof *row}, {row, 3, sizeof *row}}, none = {row, 0, sizeof *row};
        struct plot p = lines;
        struct plot_scale s = plot_scale(&p, two, 2);

        (void)state;
        assert_true(s.lo == 20 && s.hi == 25 && s.step == 1);
        p.lo = 18;
        p.hi = 33;
        s = plot_scale(&p, two, 2);
        assert_true(s.lo == 15 && s.hi == 35 && s.step == 5);
        p.kind = PLOT_STACK;
        p.lo = 0;
        s = plot_scale(&p, two, 1);
        assert_true(s.lo == 0 && s.hi == 50 && s.step == 10); /* 20.2 + 25 */
        s = plot_scale(&lines, &none, 1);
        assert_true(s.lo == 0 && s.hi == 1);
        p = lines;
        p.hi = 3;
        s = plot_scale(&p, &none, 1);
        assert_true(isfinite(s.lo) && s.hi == 3 && s.lo < s.hi);
}

static void lines_break_at_holes(void **state)
{
        const struct row row[] = {{0, 20, NONE},
                                  {1, 21, NONE},
                                  {2, NONE, 44},
                                  {3, 22, NONE},
                                  {4, 23, NONE},
                                  {5, 24, 50},
                                  {6, -(double)INFINITY, NONE}};
        struct text t = draw(&lines, row, 7, MIDNIGHT, 6);

        (void)state;
        assert_int_equal(count(t.v, "<polyline"), 2); /* 0–1 and 3–5 of a */
        assert_int_equal(count(t.v, "<circle"), 2);   /* b stands alone twice */
        text_free(&t);
        t = draw(&lines, row, 0, MIDNIGHT, 6);
        assert_int_equal(count(t.v, "<polyline") + count(t.v, "<circle"), 0);
        text_free(&t);
}

static void names_are_no_markup(void **state)
{
        struct plot p = lines;
        struct text t;

        (void)state;
        p.title = "</title><script>alert(1)</script>";
        p.unit = "<u>";
        t = draw(&p, NULL, 0, MIDNIGHT, 1);
        assert_int_equal(count(t.v, "<script"), 0);
        assert_int_equal(count(t.v, "<u>"), 0);
        assert_int_equal(count(t.v, "<b>"), 0);
        assert_int_equal(count(t.v, "a &lt;b&gt;"), 1);
        assert_int_equal(count(t.v, "</title>"), 1);
        text_free(&t);
        text_html(&t, "a&b<c>\"d'e\x01\x7f\tf");
        assert_string_equal(t.v, "a&amp;b&lt;c&gt;&quot;d&#39;e\xef\xbf\xbd\xef\xbf\xbd\tf");
        text_free(&t);
}

static void ticks_are_at_round_times(void **state)
{
        struct text t = draw(&lines, NULL, 0, MIDNIGHT + 37 * 60000, 24);

        (void)state;
        assert_int_equal(count(t.v, ">04:00<"), 1);
        assert_int_equal(count(t.v, ">00:00<"), 1); /* the next midnight; the first was before */
        assert_int_equal(count(t.v, ":37<"), 0);
        text_free(&t);
        t = draw(&lines, NULL, 0, MIDNIGHT + 3600000, 24.0 * 14);
        assert_int_equal(count(t.v, ">07-16<"), 1);
        assert_int_equal(count(t.v, ">07-15<"), 0);
        assert_int_equal(count(t.v, ">07-29<"), 1);
        text_free(&t);
        t = draw(&lines, NULL, 0, INT64_MIN, 24);
        assert_int_equal(count(t.v, ">00:00<"), 2);
        assert_int_equal(count(t.v, ">20:00<"), 1);
        text_free(&t);
        for (double h = 0.01; h < 24 * 400; h *= 1.3) {
                const double every = plot_tick_hours(h);

                assert_true(h / every >= 1 || h < 1.0 / 60 || h >= 12); /* a day of 13 h may have its ticks outside */
                assert_true(h / every <= 15);
        }
}

static void limits_are_drawn_inside_the_scale(void **state)
{
        const struct row cool[] = {{0, 20, NONE}, {1, 21, NONE}}, warm[] = {{0, 20, NONE}, {1, 30, NONE}};
        struct text t = draw(&lines, cool, 2, MIDNIGHT, 1);

        (void)state;
        assert_int_equal(count(t.v, "soft 27"), 0);
        text_free(&t);
        t = draw(&lines, warm, 2, MIDNIGHT, 1);
        assert_int_equal(count(t.v, "soft 27"), 1);
        text_free(&t);
}

static void bars_and_areas(void **state)
{
        const struct row row[] = {{0, 5, 4}, {1, NONE, 4}, {2, 3, NONE}};
        struct plot p = lines;
        struct text t;

        (void)state;
        p.kind = PLOT_BARS;
        p.lo = 0;
        p.nseries = 1;
        t = draw(&p, row, 3, INT64_MIN, 24);
        assert_int_equal(count(t.v, "<rect"), 1 + 2); /* the legend's; and of what there is */
        text_free(&t);
        p.kind = PLOT_STACK;
        p.nseries = 2;
        t = draw(&p, row, 3, MIDNIGHT, 2);
        assert_int_equal(count(t.v, "<polygon"), 2);
        text_free(&t);
}

static void a_page_is_saved_whole_or_not_at_all(void **state)
{
        char dir[] = "/tmp/coolplane-plot.XXXXXX", path[64], beside[72], got[16] = "";
        struct text t = {0}, failed = {.failed = true};
        struct stat st;
        FILE *f;

        (void)state;
        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof path, "%s/page.html", dir);
        (void)snprintf(beside, sizeof beside, "%s.new", path);
        text_put(&t, "first");
        assert_int_equal(text_save(&t, path), 0);
        text_put(&t, ", more");
        assert_int_equal(text_save(&t, path), 0);
        assert_int_equal(text_save(&failed, path), -ENOMEM);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fread(got, 1, sizeof got, f), 11);
        (void)fclose(f);
        assert_string_equal(got, "first, more");
        assert_int_equal(stat(beside, &st), -1);
        assert_int_equal(text_save(&t, "/nonexistent/page.html"), -ENOENT);
        assert_int_equal(text_save(&t, dir), -EISDIR);
        assert_int_equal(text_save(&t, "/dev/null"), 0); /* stays what it is */
        assert_int_equal(stat("/dev/null", &st), 0);
        assert_true(S_ISCHR(st.st_mode));
        text_free(&t);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(steps_are_round),          cmocka_unit_test(scales_hold_the_data_and_what_is_asked),
            cmocka_unit_test(lines_break_at_holes),     cmocka_unit_test(names_are_no_markup),
            cmocka_unit_test(ticks_are_at_round_times), cmocka_unit_test(limits_are_drawn_inside_the_scale),
            cmocka_unit_test(bars_and_areas),           cmocka_unit_test(a_page_is_saved_whole_or_not_at_all),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
