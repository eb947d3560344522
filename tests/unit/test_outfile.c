/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A result does not take the place of what it is made from, under whatever name, or of a file that is not of its kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/outfile.h"

static char dir[] = "/tmp/coolplane-test-XXXXXX";

static const char *at(const char *name)
{
        static char path[4][128];
        static size_t k;

        k = (k + 1) % 4;
        (void)snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
        return path[k];
}

static void put(const char *name, const char *text)
{
        FILE *f = fopen(at(name), "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static bool may(const char *path, const char *input, const char *holds, char *why)
{
        const char *const inputs[] = {NULL, input};

        why[0] = '\0';
        return outfile_may(&(struct outfile){path, "a page", "<!doctype", holds, inputs, 2}, why);
}

static void test_inputs(void **state)
{
        static const char *const of[] = {"log.db", "log.db-wal", "log.db-shm", "log.db.lock"};
        char why[512];

        (void)state;
        for (size_t k = 0; k < 4; k++) {
                put(of[k], "<!doctype html>"); /* whatever it looks like */
                assert_false(may(at(of[k]), at("log.db"), NULL, why));
                assert_non_null(strstr(why, of[k]));
                assert_non_null(strstr(why, "is read"));
        }
        assert_int_equal(symlink(at("log.db"), at("sym")), 0);
        assert_int_equal(link(at("log.db"), at("hard")), 0);
        assert_false(may(at("sym"), at("log.db"), NULL, why));
        assert_false(may(at("hard"), at("log.db"), NULL, why));
        assert_true(may(at("log.db"), at("none.db"), NULL, why));
}

static void test_kinds(void **state)
{
        char why[512], deep[3000];

        (void)state;
        assert_true(may(at("none"), NULL, NULL, why));
        assert_true(may(at("none/none"), NULL, NULL, why)); /* told by who writes */
        assert_true(may("/dev/null", NULL, NULL, why));
        assert_true(may(dir, NULL, NULL, why));
        put("empty", "");
        assert_true(may(at("empty"), NULL, NULL, why));
        put("page", "<!doctype html><title>ours</title>");
        assert_true(may(at("page"), NULL, NULL, why));
        assert_true(may(at("page"), NULL, "ours<", why));
        assert_false(may(at("page"), NULL, "theirs", why));
        assert_non_null(strstr(why, "/page exists and is not a page: remove it"));
        put("notes", "not <!doctype");
        assert_false(may(at("notes"), NULL, NULL, why));
        (void)snprintf(deep, sizeof deep, "<!doctype%2000sours<", "");
        put("deep", deep);
        assert_false(may(at("deep"), NULL, "ours<", why));
}

static int make_dir(void **state)
{
        (void)state;
        return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
        static const char *const name[] = {"log.db", "log.db-wal", "log.db-shm", "log.db.lock", "sym",
                                           "hard",   "empty",      "page",       "notes",       "deep"};

        (void)state;
        for (size_t k = 0; k < sizeof name / sizeof *name; k++)
                (void)unlink(at(name[k]));
        return rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_inputs), cmocka_unit_test(test_kinds)};

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
