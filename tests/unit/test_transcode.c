/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/store/transcode.h"

struct out {
        char text[65536];
        size_t n;
        int stop_after; /* calls; 0 = never */
};

static int add(void *ctx, const char *text, size_t n)
{
        struct out *o = ctx;
        assert_true(n > 0 && o->n + n < sizeof o->text);
        memcpy(o->text + o->n, text, n);
        o->n += n;
        o->text[o->n] = '\0';
        return o->stop_after > 0 && --o->stop_after == 0 ? 42 : 0;
}

static void decode(const char *encoding, const char *data, size_t n, size_t piece, struct out *o, const char *want_name,
                   int64_t want_bad)
{
        struct transcode *t = NULL;
        *o = (struct out){.n = 0};
        assert_int_equal(transcode_create(encoding, add, o, &t), 0);
        for (size_t at = 0; at < n; at += piece)
                assert_int_equal(transcode_feed(t, data + at, n - at < piece ? n - at : piece), 0);
        assert_int_equal(transcode_finish(t), 0);
        assert_string_equal(transcode_name(t), want_name);
        assert_int_equal(transcode_undecodable(t), want_bad);
        assert_int_equal(transcode_detected(t), strcmp(encoding, "auto") == 0);
        transcode_free(t);
}

#define BYTES(literal) literal, sizeof literal - 1

static void test_detection(void **state)
{
        (void)state;
        static const struct {
                const char *encoding, *data;
                size_t n;
                const char *text, *name;
                int64_t bad;
        } row[] = {
            {"auto", BYTES(""), "", "ASCII", 0},
            {"auto", BYTES("a"), "a", "ASCII", 0},
            {"auto", BYTES("plain,1\n"), "plain,1\n", "ASCII", 0},
            {"auto", BYTES("\xef\xbb\xbf"), "", "UTF-8", 0},
            {"auto",
             BYTES("\xef\xbb\xbf"
                   "a"),
             "a", "UTF-8", 0},
            {"auto", BYTES("\xef\xbb"), "\xc3\xaf\xc2\xbb", "ISO-8859-1", 0},
            {"auto",
             BYTES("T (\xc2\xb0"
                   "C)"),
             "T (\xc2\xb0"
             "C)",
             "UTF-8", 0},
            {"auto",
             BYTES("T (\xb0"
                   "C)"),
             "T (\xc2\xb0"
             "C)",
             "ISO-8859-1", 0},
            {"auto", BYTES("x\xe4"), "x\xc3\xa4", "ISO-8859-1", 0}, /* the last byte of all */
            {"auto",
             BYTES("\xc2\xb0"
                   "C \xb0"
                   "C"),
             "\xc2\xb0"
             "C \xef\xbf\xbd"
             "C",
             "UTF-8", 1},
            {"auto",
             BYTES("\xff\xfe"
                   "a\0\xb0\0"),
             "a\xc2\xb0", "UTF-16LE", 0},
            {"auto", BYTES("\xfe\xff\0a\0\xb0"), "a\xc2\xb0", "UTF-16BE", 0},
            {"auto", BYTES("a\0b\0"), "ab", "UTF-16LE", 0},
            {"auto", BYTES("\0a\0b"), "ab", "UTF-16BE", 0},
            {"auto",
             BYTES("\xff\xfe"
                   "a\0b"),
             "a\xef\xbf\xbd", "UTF-16LE", 1},
            {"auto",
             BYTES("\xff\xfe\0\xd8"
                   "a\0"),
             "\xef\xbf\xbd"
             "a",
             "UTF-16LE", 1}, /* half a surrogate pair */
            {"auto", BYTES("\xff\xfe\x3d\xd8\x00\xde"), "\xf0\x9f\x98\x80", "UTF-16LE", 0},
            {"utf-8",
             BYTES("\xef\xbb\xbf"
                   "a\xff"),
             "a\xef\xbf\xbd", "UTF-8", 1},
            {"latin-1", BYTES("\xef\xbb\xbf"), "\xc3\xaf\xc2\xbb\xc2\xbf", "ISO-8859-1", 0},
            {"Latin1", BYTES("\x80\xff"), "\xc2\x80\xc3\xbf", "ISO-8859-1", 0},
            {"utf-16le",
             BYTES("\xff\xfe"
                   "1\0"),
             "1", "UTF-16LE", 0},
            {"windows-1252", BYTES("\x80"), "\xe2\x82\xac", "WINDOWS-1252", 0},
        };
        static struct out o;
        for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
                for (size_t piece = 1; piece <= 5; piece++) {
                        decode(row[i].encoding, row[i].data, row[i].n, piece, &o, row[i].name, row[i].bad);
                        if (strcmp(o.n ? o.text : "", row[i].text) != 0)
                                fail_msg("%zu in pieces of %zu: '%s' is not '%s'", i, piece, o.text, row[i].text);
                }
        }
}

static void test_long_text(void **state)
{
        (void)state;
        static struct out o, whole;
        static char latin1[20000];
        for (size_t i = 0; i < sizeof latin1; i++)
                latin1[i] = (char)(i % 3 ? 'a' + (int)(i % 26) : 0xc0 + (int)(i % 60));
        decode("latin-1", latin1, sizeof latin1, sizeof latin1, &whole, "ISO-8859-1", 0);
        for (size_t piece = 4093; piece < 4100; piece++) {
                decode("auto", latin1, sizeof latin1, piece, &o, "ISO-8859-1", 0);
                assert_int_equal(o.n, whole.n);
                assert_memory_equal(o.text, whole.text, o.n);
        }
        for (size_t piece = 4093; piece < 4100; piece++) { /* its UTF-8, cut anywhere */
                decode("auto", whole.text, whole.n, piece, &o, "UTF-8", 0);
                assert_int_equal(o.n, whole.n);
                assert_memory_equal(o.text, whole.text, o.n);
        }
}

static void test_refusals(void **state)
{
        (void)state;
        static struct out o;
        struct transcode *t = NULL;
        assert_int_equal(transcode_create("klingon", add, &o, &t), -EINVAL);
        assert_int_equal(transcode_create("", add, &o, &t), -EINVAL);
        assert_int_equal(transcode_create("UTF-8//TRANSLIT", add, &o, &t), -EINVAL);
        assert_int_equal(transcode_create("a-name-that-is-longer-than-any-encoding-has", add, &o, &t), -EINVAL);
        assert_null(t);
        assert_null(transcode_free(NULL));
        o.stop_after = 1; /* what the function returns comes back */
        assert_int_equal(transcode_create("auto", add, &o, &t), 0);
        assert_int_equal(transcode_feed(t, "abcdef", 6), 42);
        transcode_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_detection), cmocka_unit_test(test_long_text),
                                           cmocka_unit_test(test_refusals)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
