/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The driver on a serial line: a pty pair, with a small RTU server on the other end. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/drivers/modbus_frame.h"
#include "test_modbus_env.h"

enum line_fault { LINE_OK, LINE_SILENT, LINE_BAD_CRC, LINE_NOISE, LINE_WRONG_UNIT, LINE_LATE };

static struct env e;
static struct {
        int master, slave;
        uint8_t in[300];
        size_t n;
        uint16_t reg[100];
        enum line_fault fault[256]; /* by unit */
        uint64_t requests, bad_crc, asked[256];
        uint8_t late[300];
        size_t nlate;
        struct loop_timer *timer;
} line;

static void answer(const uint8_t *req)
{
        uint8_t out[300] = {req[0], req[1]};
        size_t n, addr = (size_t)(req[2] << 8 | req[3]), count = (size_t)(req[4] << 8 | req[5]);

        line.requests++;
        line.asked[req[0]]++;
        if (addr + count > 100) {
                out[1] |= 0x80;
                out[2] = 2;
                n = 3;
        } else if (req[1] == 16) {
                for (size_t i = 0; i < count; i++)
                        line.reg[addr + i] = (uint16_t)(req[7 + 2 * i] << 8 | req[8 + 2 * i]);
                memcpy(out, req, 6);
                n = 6;
        } else {
                out[2] = (uint8_t)(2 * count);
                for (size_t i = 0; i < count; i++) {
                        out[3 + 2 * i] = (uint8_t)(line.reg[addr + i] >> 8);
                        out[4 + 2 * i] = (uint8_t)line.reg[addr + i];
                }
                n = 3 + 2 * count;
        }
        enum line_fault fault = line.fault[req[0]];
        if (fault == LINE_WRONG_UNIT)
                out[0]++;
        uint16_t crc = (uint16_t)(mbframe_crc(out, n) ^ (fault == LINE_BAD_CRC ? 1u : 0u));
        out[n++] = (uint8_t)crc;
        out[n++] = (uint8_t)(crc >> 8);
        if (fault == LINE_SILENT)
                return;
        if (fault == LINE_LATE) {
                memcpy(line.late, out, n);
                line.nlate = n;
                loop_timer_arm(line.timer, 400); /* time-out is 300 */
                return;
        }
        if (fault == LINE_NOISE)
                memset(out, 0x5A, n);
        /* In two parts: a serial reply trickles in. */
        assert_int_equal(write(line.master, out, 2), 2);
        assert_int_equal(write(line.master, out + 2, n - 2), (ssize_t)(n - 2));
}

static void on_late(void *ctx)
{
        (void)ctx;
        assert_int_equal(write(line.master, line.late, line.nlate), (ssize_t)line.nlate);
}

static void on_line(void *ctx, int fd, uint32_t events)
{
        (void)ctx, (void)events;
        ssize_t k = read(fd, line.in + line.n, sizeof(line.in) - line.n);
        if (k <= 0)
                return;
        line.n += (size_t)k;
        for (;;) {
                size_t need = line.n >= 7 && line.in[1] == 16 ? 9u + line.in[6] : 8u;
                if (line.n < need)
                        return;
                if (mbframe_crc(line.in, need - 2) == (line.in[need - 2] | line.in[need - 1] << 8))
                        answer(line.in);
                else
                        line.bad_crc++;
                line.n -= need;
                memmove(line.in, line.in + need, line.n);
        }
}

static void start(void)
{
        memset(&line, 0, sizeof(line));
        env_init(&e, 1.0);
        line.master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (line.master < 0 || grantpt(line.master) < 0 || unlockpt(line.master) < 0)
                exit(77);                                                       /* no ptys here */
        line.slave = open(ptsname(line.master), O_RDWR | O_NOCTTY | O_CLOEXEC); /* keeps the line up */
        assert_true(line.slave >= 0);
        assert_int_equal(loop_add_fd(e.loop, line.master, EPOLLIN, on_line, NULL), 0);
        assert_int_equal(loop_timer_create(e.loop, true, on_late, NULL, &line.timer), 0);
        for (uint16_t i = 0; i < 100; i++)
                line.reg[i] = (uint16_t)(500 + i);
}

static void stop(void)
{
        env_stop_driver(&e);
        loop_timer_free(line.timer);
        loop_del_fd(e.loop, line.master);
        (void)close(line.slave);
        (void)close(line.master);
        env_free(&e);
}

static int unit(uint8_t id)
{
        int d = env_device(&e, DEVICE_MODBUS_RTU, ptsname(line.master), 0, id);
        e.device[d].baud = 19200;
        e.device[d].parity = 'E';
        return d;
}

static bool three_good(struct env *x)
{
        return x->good[0] >= 3 && x->good[1] >= 3;
}

static bool one_outcome(struct env *x)
{
        return x->noutcome >= 1;
}

static void reads_and_writes_two_units_of_a_line(void **state)
{
        (void)state;
        start();
        int a = unit(1), b = unit(247);
        int pa = env_writable(&e, a, 10, POINT_UINT16), pb = env_point(&e, b, POINT_TABLE_HOLDING, 99, POINT_UINT16);
        env_start(&e, true);
        env_run(&e, three_good, 15000);
        assert_true(e.last[pa].raw >= 510 && e.last[pa].raw <= 510);
        assert_true(e.last[pb].raw >= 599 && e.last[pb].raw <= 599);
        env_write(&e, pa, 42, 1, true);
        env_run(&e, one_outcome, 2000);
        assert_int_equal(e.outcome[0].result, WRITE_ACCEPTED);
        assert_int_equal(line.reg[10], 42);
        assert_int_equal(line.bad_crc, 0);
        stop();
}

static void a_bad_unit_does_not_take_the_line_down(void **state)
{
        (void)state;
        static const enum line_fault faults[] = {LINE_SILENT, LINE_BAD_CRC, LINE_NOISE, LINE_WRONG_UNIT};
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
                start();
                (void)env_point(&e, unit(1), POINT_TABLE_HOLDING, 10, POINT_UINT16);
                (void)env_point(&e, unit(2), POINT_TABLE_HOLDING, 20, POINT_UINT16);
                (void)env_point(&e, unit(3), POINT_TABLE_HOLDING, 30, POINT_UINT16);
                line.fault[3] = faults[i];
                env_start(&e, false);
                env_run(&e, three_good, 15000);
                assert_int_equal(e.bad[0] + e.bad[1], 0);
                assert_int_equal(e.good[2], 0);
                assert_true(e.max_gap_ms < 500);
                stop();
        }
}

static bool many_good(struct env *x)
{
        return x->good[0] >= 15 && x->bad[1] >= 1;
}

/* There are no transaction numbers: an answer that comes after the time-out must not pass for the next one's. */
static void m4_late_answer_is_flushed(void **state)
{
        (void)state;
        start();
        int a = unit(1), b = unit(2);
        int pa = env_point(&e, a, POINT_TABLE_HOLDING, 10, POINT_UINT16);
        (void)env_point(&e, b, POINT_TABLE_HOLDING, 20, POINT_UINT16);
        line.fault[2] = LINE_LATE;
        env_start(&e, false);
        env_run(&e, many_good, 15000);
        assert_int_equal(e.good[1], 0);
        assert_int_equal(e.bad[pa], 0);
        assert_true(e.last[pa].raw >= 510 && e.last[pa].raw <= 510);
        stop();
}

static bool two_timeouts(struct env *x)
{
        struct device_stats s;
        modbus_driver_stats(x->driver, 1, &s);
        return s.timeouts >= 2;
}

/* A time-out is a time-out (a serial line without data reads as 0 bytes, which is no end of file): it is counted as
 * one, and a silent unit is asked once in a back-off, while the others go on on the same open line. */
static void m1_silent_unit_costs_one_request_a_back_off(void **state)
{
        (void)state;
        start();
        (void)env_point(&e, unit(1), POINT_TABLE_HOLDING, 10, POINT_UINT16);
        (void)env_point(&e, unit(2), POINT_TABLE_HOLDING, 20, POINT_UINT16);
        env_start(&e, false);
        env_run(&e, three_good, 15000); /* it has answered before: the line is in use */
        line.fault[2] = LINE_SILENT;
        uint64_t asked = line.asked[2];
        int64_t t0 = clk_real_mono_ms();
        env_run(&e, two_timeouts, 15000);
        int64_t took = clk_real_mono_ms() - t0;
        struct device_stats s;
        modbus_driver_stats(e.driver, 1, &s);
        assert_int_equal(s.timeouts, 2);
        assert_int_equal(s.lost + s.bad_replies + s.no_connections, 0);
        assert_int_equal(line.asked[2] - asked, 2);
        assert_true(took >= 300 + 800 + 300); /* time-out, back-off of 1 s ± 20 %, time-out */
        assert_non_null(strstr(s.last_error, "unit 2 holding 20..20: time-out"));
        assert_int_equal(s.state, DEVICE_DOWN);
        uint64_t good = e.good[0];
        env_run(&e, NULL, 600); /* the quiet time after the time-out is over: the other unit is read */
        assert_true(e.good[0] > good && e.bad[0] == 0);
        assert_int_equal(line.asked[2] - asked, 2); /* 2 s of back-off now */
        line.fault[2] = LINE_OK;
        good = e.good[1];
        env_run(&e, NULL, 2500);
        assert_true(e.good[1] > good);
        stop();
}

static bool hung_up(struct env *x)
{
        struct device_stats s;
        modbus_driver_stats(x->driver, 0, &s);
        return s.state == DEVICE_DOWN && s.lost + s.no_connections >= 1;
}

/* The adapter is pulled out. */
static void hang_up_of_the_line_is_noticed(void **state)
{
        (void)state;
        start();
        (void)env_point(&e, unit(1), POINT_TABLE_HOLDING, 10, POINT_UINT16);
        env_start(&e, false);
        e.good[1] = 3; /* there is no second point */
        env_run(&e, three_good, 15000);
        loop_del_fd(e.loop, line.master);
        (void)close(line.master);
        env_run(&e, hung_up, 3000);
        assert_true(e.max_gap_ms < 500);
        env_stop_driver(&e);
        loop_timer_free(line.timer);
        (void)close(line.slave);
        env_free(&e);
}

static bool device_down(struct env *x)
{
        return x->bad[0] >= 3;
}

static void missing_line_is_down_not_fatal(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        int d = env_device(&e, DEVICE_MODBUS_RTU, "/nonexistent/tty", 0, 1);
        (void)env_point(&e, d, POINT_TABLE_HOLDING, 10, POINT_UINT16);
        env_start(&e, false);
        env_run(&e, device_down, 2000);
        struct device_stats s;
        modbus_driver_stats(e.driver, d, &s);
        assert_int_equal(s.state, DEVICE_DOWN);
        assert_non_null(strstr(s.last_error, "cannot open serial device"));
        env_free(&e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(reads_and_writes_two_units_of_a_line),
            cmocka_unit_test(a_bad_unit_does_not_take_the_line_down),
            cmocka_unit_test(m4_late_answer_is_flushed),
            cmocka_unit_test(m1_silent_unit_costs_one_request_a_back_off),
            cmocka_unit_test(hang_up_of_the_line_is_noticed),
            cmocka_unit_test(missing_line_is_down_not_fatal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
