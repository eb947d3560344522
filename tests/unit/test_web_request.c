/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Escapes, the Host check, numbers of the query, the gate's document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/web/gatedoc.h"
#include "agent/web/request.h"
#include "agent/base/text.h"

static void expect_text(void (*put)(struct text *t, const char *s), const char *in, const char *out)
{
        struct text t = {0};

        text_put(&t, "");
        put(&t, in);
        assert_false(t.failed);
        assert_string_equal(t.v, out);
        text_free(&t);
}

static void json_escapes(void **state)
{
        (void)state;
        expect_text(text_json_string, "plain", "\"plain\"");
        expect_text(text_json_string, "a\"b\\c\n\t\x01", "\"a\\\"b\\\\c\\u000a\\u0009\\u0001\"");
        expect_text(text_json_string, "</script>", "\"</script>\"");
        expect_text(text_json_string, "Z\xc3\xbcrich \xe2\x82\xac", "\"Z\xc3\xbcrich \xe2\x82\xac\"");
        /* Latin-1, a cut sequence, an overlong slash, a surrogate, beyond U+10FFFF */
        expect_text(text_json_string, "Z\xfcrich", "\"Z\xef\xbf\xbdrich\"");
        expect_text(text_json_string, "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
        expect_text(text_json_string, "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
        expect_text(text_json_string, "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
        expect_text(text_json_string, "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void label_escapes(void **state)
{
        (void)state;
        expect_text(text_label, "hall/room-1/crah-1/fan", "hall/room-1/crah-1/fan");
        expect_text(text_label, "a\"} 1\nb\\", "a\\\"} 1\\nb\\\\");
        expect_text(text_label, "tab\there", "tab\there");
        expect_text(text_label, "\xff", "\xef\xbf\xbd");
}

static void numbers(void **state)
{
        static const struct {
                double v;
                const char *json, *prom;
        } c[] = {{0.1, "0.1", "0.1"},
                 {-0.5, "-0.5", "-0.5"},
                 {27, "27", "27"},
                 {(double)NAN, "null", "NaN"},
                 {(double)INFINITY, "null", "+Inf"},
                 {-(double)INFINITY, "null", "-Inf"}};

        (void)state;
        for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
                struct text t = {0}, u = {0};

                text_json_number(&t, c[i].v);
                text_prom_number(&u, c[i].v);
                assert_string_equal(t.v, c[i].json);
                assert_string_equal(u.v, c[i].prom);
                text_free(&t);
                text_free(&u);
        }
}

static void long_text(void **state)
{
        char piece[3001];
        struct text t = {0};

        (void)state;
        memset(piece, 'x', 3000);
        piece[3000] = '\0';
        for (int i = 0; i < 50; i++)
                text_printf(&t, "%d:%s;", 10 + i, piece);
        assert_false(t.failed);
        assert_int_equal(t.n, 50 * 3004);
        assert_int_equal(strlen(t.v), t.n);
        assert_memory_equal(t.v + 49 * 3004, "59:x", 4);
        text_free(&t);
}

static void hosts(void **state)
{
        static const char *const names[] = {"console.example"};
        const struct host_policy loopback = {.bind = "127.0.0.1"};
        const struct host_policy lan = {.bind = "192.0.2.7", .names = names, .nname = 1};
        const struct host_policy any = {.bind = "0.0.0.0"};
        static const struct {
                const char *host;
                bool loopback, lan, any;
        } c[] = {
            {"127.0.0.1", true, false, true},
            {"127.0.0.1:8480", true, false, true},
            {"[::1]:8480", true, false, true},
            {"localhost", true, true, true},
            {"LocalHost:1", true, true, true},
            {"192.0.2.7:80", false, true, true},
            {"console.example", false, true, false},
            {"Console.Example:443", false, true, false},
            {"evil.example", false, false, false},
            {"localhost.evil.example", false, false, false},
            {"127.0.0.1.evil.example", false, false, false},
            {"console.example.", false, false, false},
            {"", false, false, false},
            {":8480", false, false, false},
            {"localhost:", false, false, false},
            {"localhost:80x", false, false, false},
            {"localhost:123456", false, false, false},
            {"localhost:80:80", false, false, false},
            {"localhost/", false, false, false},
            {"user@localhost", false, false, false},
            {"[localhost]", false, false, false},
            {"[::1", false, false, false},
            {"[::1]x", false, false, false},
            {"::1", false, false, false},
            {"127.1", false, false, false},
        };
        char long_host[600];

        (void)state;
        for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
                if (request_host_allowed(&loopback, c[i].host) != c[i].loopback ||
                    request_host_allowed(&lan, c[i].host) != c[i].lan ||
                    request_host_allowed(&any, c[i].host) != c[i].any)
                        fail_msg("Host: %s", c[i].host);
        }
        memset(long_host, 'a', sizeof long_host - 1);
        long_host[sizeof long_host - 1] = '\0';
        assert_false(request_host_allowed(&any, long_host));
        assert_false(request_host_allowed(&any, NULL));
}

static void query_numbers(void **state)
{
        static const char *const refused[] = {
            "", "0", "169", "-1", "+1", " 1", "1 ", "1.5", "1e2", "0x10", "nan", "99999999999999999999", "1;2"};
        int64_t v = -7;

        (void)state;
        assert_int_equal(request_int(NULL, 24, 1, 168, &v), 0);
        assert_int_equal(v, 24);
        assert_int_equal(request_int("1", 24, 1, 168, &v), 0);
        assert_int_equal(v, 1);
        assert_int_equal(request_int("168", 24, 1, 168, &v), 0);
        assert_int_equal(v, 168);
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
                assert_int_equal(request_int(refused[i], 24, 1, 168, &v), -EINVAL);
                assert_int_equal(v, 168);
        }
}

/* --- the gate's document ----------------------------------------------------------------------------------------- */

static const char good_doc[] =
    "{\"site\":\"t\",\"mode\":\"HOLD\",\"step\":12,\"last_cycle_t_ms\":1700000000000,\"margin_k\":1.25,"
    "\"max_inlet_c\":null,\"model_rmse_c\":0.05,\"drift_score\":1.5,\"planner\":true,\"last_commit_s\":0.002,\"last_"
    "purge_s\":0.003,"
    "\"mqtt\":{\"connected\":false},\"devices\":[{\"name\":\"plc\",\"state\":\"down\",\"unit_id\":3,"
    "\"poll_errors\":{\"timeout\":2,\"exception-02\":1,\"x\":\"y\","
    "\"a-code-far-too-long-for-a-label\":1}},7],\"samples_dropped\":4,\"unstored_s\":null}\n";

static void gate_document(void **state)
{
        static const char *const garbled[] = {
            "", "{", "[]", "null", "{\"mode\":3}", "{\"error\":\"x\"}", "{\"mode\":\"A\"} trailing"};
        struct gatedoc d = {0};

        (void)state;
        assert_int_equal(gatedoc_parse(good_doc, sizeof good_doc - 1, &d), 0);
        assert_int_equal(d.link, GATE_RUNNING);
        assert_string_equal(d.mode, "HOLD");
        assert_int_equal(d.step, 12);
        assert_int_equal(d.last_cycle_t_ms, 1700000000000);
        assert_true(d.margin_k == 1.25);
        assert_true(isnan(d.max_inlet_c));
        assert_true(d.planner);
        assert_true(d.has_mqtt && !d.mqtt_connected);
        assert_int_equal(d.ndevice, 1);
        assert_string_equal(d.device[0].name, "plc");
        assert_string_equal(d.device[0].state, "down");
        assert_int_equal(d.device[0].nerror, 2);
        assert_string_equal(d.device[0].error[1].code, "exception-02");
        assert_true(d.device[0].error[0].n == 2 && d.device[0].error[1].n == 1);
        assert_int_equal(d.samples_dropped, 4);
        assert_true(isnan(d.unstored_s));
        assert_true(d.drift_score > 1.4 && d.drift_score < 1.6);
        assert_true(d.last_purge_s > 0.002 && d.last_purge_s < 0.004);
        assert_non_null(strstr(d.json, "\"margin_k\":1.25"));
        for (size_t i = 0; i < sizeof garbled / sizeof garbled[0]; i++) {
                assert_int_equal(gatedoc_parse(garbled[i], strlen(garbled[i]), &d), 0);
                assert_int_equal(d.link, GATE_GARBLED);
                assert_null(d.json);
        }
        gatedoc_clear(&d);
}

static int listen_at(const char *path)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(listen(fd, 2), 0);
        return fd;
}

static void gate_socket(void **state)
{
        char dir[] = "/tmp/coolplane-test-XXXXXX", path[64];
        struct gatedoc d = {0};
        int fd, status;
        pid_t child;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/status.sock", dir);
        assert_int_equal(gatedoc_read(path, 100, &d), 0);
        assert_int_equal(d.link, GATE_NOT_RUNNING);
        fd = listen_at(path);
        assert_int_equal(gatedoc_read(path, 50, &d), 0); /* accepts nothing: stopped, or stuck */
        assert_int_equal(d.link, GATE_SILENT);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {                       /* in two pieces, then the end */
                int c = accept(fd, NULL, NULL); /* the one left waiting above */
                close(c);
                c = accept(fd, NULL, NULL);
                if (write(c, good_doc, 20) != 20)
                        _exit(1);
                struct timespec t = {.tv_nsec = 20000000};
                nanosleep(&t, NULL);
                _exit(write(c, good_doc + 20, sizeof good_doc - 21) > 0 ? 0 : 1);
        }
        assert_int_equal(gatedoc_read(path, 2000, &d), 0);
        assert_int_equal(d.link, GATE_RUNNING);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        close(fd);
        assert_int_equal(gatedoc_read(path, 100, &d), 0); /* a socket nobody listens on: the gate was killed */
        assert_int_equal(d.link, GATE_NOT_RUNNING);
        gatedoc_clear(&d);
        unlink(path);
        rmdir(dir);
}

static void test_printable(void **state)
{
        static const char *const pair[][2] = {{"", ""},
                                              {"Z\xc3\xbcrich\t\xe2\x82\xac", "Z\xc3\xbcrich \xe2\x82\xac"},
                                              {"\x1b[2Ja\n\x7f", "?[2Ja??"},
                                              {"\xc2\x9b"
                                               "31m\xc2\xb0",
                                               "??31m\xc2\xb0"},
                                              {"cut \xc2", "cut \xc2"}};
        char buf[64];

        (void)state;
        for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
                (void)snprintf(buf, sizeof buf, "%s", pair[i][0]);
                assert_string_equal(text_printable(buf), pair[i][1]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_printable), cmocka_unit_test(json_escapes),  cmocka_unit_test(label_escapes),
            cmocka_unit_test(numbers),        cmocka_unit_test(long_text),     cmocka_unit_test(hosts),
            cmocka_unit_test(query_numbers),  cmocka_unit_test(gate_document), cmocka_unit_test(gate_socket),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
