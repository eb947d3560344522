/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/log.h"

/* Runs fn in a child with stderr on a pipe (log keeps process-wide state); the text it wrote in buf. */
static void capture(void (*fn)(void), bool journal, char *buf, size_t cap)
{
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct stat st;
                char id[64];
                (void)dup2(p[1], STDERR_FILENO);
                (void)fstat(STDERR_FILENO, &st);
                (void)snprintf(id, sizeof(id), "%llu:%llu", (unsigned long long)st.st_dev,
                               (unsigned long long)st.st_ino);
                (void)(journal ? setenv("JOURNAL_STREAM", id, 1) : unsetenv("JOURNAL_STREAM"));
                fn();
                _exit(0);
        }
        (void)close(p[1]);
        size_t n = 0;
        for (ssize_t r; n + 1 < cap && (r = read(p[0], buf + n, cap - 1 - n)) > 0;)
                n += (size_t)r;
        buf[n] = '\0';
        (void)close(p[0]);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void two_levels(void)
{
        log_warning("modbus", "device %s down", "crah-1");
        log_debug("modbus", "hidden");
        log_set_level(LOG_LEVEL_DEBUG);
        log_debug("modbus", "shown");
}

static void forged(void)
{
        log_error("mqtt", "topic %s", "a\nmqtt: all is well\x1b[2J");
}

static void flood(void)
{
        for (int i = 0; i < 100; i++)
                log_warning("modbus", "line %d", i);
        log_warning("mqtt", "other component");
}

static void events(void)
{
        for (int i = 0; i < 100; i++) {
                char text[64];
                (void)snprintf(text, sizeof text, "crah-%d: down", i);
                log_warning("gate", "%s", text);
        }
        log_warning("gate", "%s", "crah-7: taken local at the plant");
        for (int i = 0; i < 400; i++) { /* outside text that is never the same twice */
                char text[] = "aaaa is no VM";
                text[0] = (char)('a' + i / 26 % 26), text[1] = (char)('a' + i % 26);
                log_warning("vm", "%s", text);
        }
}

static void huge(void)
{
        static char text[5000];
        memset(text, 'x', sizeof(text) - 1);
        log_error("mqtt", "%s", text);
}

static char out[1 << 16];

static void plain_and_journal_prefix(void **state)
{
        (void)state;
        capture(two_levels, false, out, sizeof(out));
        assert_string_equal(out, "modbus: device crah-1 down\nmodbus: shown\n");
        capture(two_levels, true, out, sizeof(out));
        assert_string_equal(out, "<4>modbus: device crah-1 down\n<7>modbus: shown\n");
}

static void outside_text_cannot_forge_a_line(void **state)
{
        (void)state;
        capture(forged, false, out, sizeof(out));
        assert_string_equal(out, "mqtt: topic a?mqtt: all is well?[2J\n");
}

static void repeats_are_capped_per_format(void **state)
{
        (void)state;
        capture(flood, false, out, sizeof(out));
        size_t lines = 0;
        for (const char *p = out; (p = strchr(p, '\n')) != NULL; p++)
                lines++;
        assert_int_equal(lines, 21); /* 20 of the flood and the other one */
        assert_non_null(strstr(out, "mqtt: other component\n"));
}

static void texts_are_capped_by_what_they_say(void **state)
{
        size_t vm = 0;
        (void)state;
        capture(events, false, out, sizeof(out));
        assert_non_null(strstr(out, "gate: crah-19: down\n"));
        assert_null(strstr(out, "gate: crah-20: down\n"));
        assert_non_null(strstr(out, "gate: crah-7: taken local at the plant\n"));
        for (const char *p = out; (p = strstr(p, "vm: ")) != NULL; p++)
                vm++;
        assert_int_equal(vm, 200 - 21); /* all components together */
}

static void long_messages_are_cut(void **state)
{
        (void)state;
        capture(huge, false, out, sizeof(out));
        size_t n = strlen(out);
        assert_true(n > 1000 && n < 1300);
        assert_int_equal(out[n - 1], '\n');
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(plain_and_journal_prefix),      cmocka_unit_test(outside_text_cannot_forge_a_line),
            cmocka_unit_test(repeats_are_capped_per_format), cmocka_unit_test(texts_are_capped_by_what_they_say),
            cmocka_unit_test(long_messages_are_cut),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
