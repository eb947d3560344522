/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* R12: each result of a write is produced by a device that behaves that way. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_modbus_env.h"
#include "test_modbus_peer.h"

static struct env e;
static struct peer peer;

static bool one_outcome(struct env *x)
{
        return x->noutcome >= 1;
}

static bool scanned(struct env *x)
{
        return x->good[0] + x->bad[0] >= 1;
}

static bool sent_20(struct env *x)
{
        (void)x;
        return peer.holding[40] == 20;
}

static void start(enum point_type type)
{
        env_init(&e, 1.0);
        peer_start(&peer, e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer.port, 1);
        e.device[d].period_ms = 1000000; /* no scan in between but the first */
        (void)env_writable(&e, d, 40, type);
        peer.holding[40] = 1;
        env_start(&e, true);
        env_run(&e, scanned, 2000);
}

static void stop(void)
{
        env_stop_driver(&e);
        peer_stop(&peer);
        env_free(&e);
}

static const struct write_outcome *write_one(double value)
{
        e.noutcome = 0;
        env_write(&e, 0, value, 9, true);
        env_run(&e, one_outcome, 8000);
        env_run(&e, NULL, 5);
        assert_int_equal(e.noutcome, 1);
        assert_int_equal(e.outcome[0].id, 9);
        assert_int_equal(e.outcome[0].point, 0);
        assert_true(e.outcome[0].t_ms > 0);
        return &e.outcome[0];
}

static void accepted(void **state)
{
        (void)state;
        start(POINT_UINT16);
        const struct write_outcome *o = write_one(42);
        assert_int_equal(o->result, WRITE_ACCEPTED);
        assert_true(o->written >= 42 && o->written <= 42 && o->read_back >= 42 && o->read_back <= 42);
        assert_int_equal(peer.holding[40], 42);
        assert_int_equal(peer.writes, 1);
        stop();

        start(POINT_FLOAT32);
        o = write_one(18.3);
        assert_int_equal(o->result, WRITE_ACCEPTED);
        assert_true(fabs(o->read_back - 18.3) < 1e-5);
        stop();
}

static void slow_device_is_not_a_failure(void **state)
{
        (void)state;
        start(POINT_UINT16);
        peer.delay_reads = 2; /* the first read-back still shows the old value */
        const struct write_outcome *o = write_one(42);
        assert_int_equal(o->result, WRITE_ACCEPTED);
        assert_int_equal(peer.writes, 1); /* R14: never repeated */
        stop();
}

static void ignored_and_clamped_are_mismatch(void **state)
{
        (void)state;
        start(POINT_UINT16);
        peer.ignore_writes = true;
        const struct write_outcome *o = write_one(42);
        assert_int_equal(o->result, WRITE_MISMATCH);
        assert_true(o->read_back >= 1 && o->read_back <= 1);
        assert_int_equal(peer.reads, 3); /* the scan, the read-back and its one retry */
        peer.ignore_writes = false;
        peer.clamp = 30;
        o = write_one(42);
        assert_int_equal(o->result, WRITE_MISMATCH);
        assert_true(o->read_back >= 30 && o->read_back <= 30);
        assert_int_equal(peer.writes, 2);
        stop();

        /* Both sides of the tolerance. */
        start(POINT_UINT16);
        e.point[0].tol = 2;
        peer.clamp = 40;
        assert_int_equal(write_one(42)->result, WRITE_ACCEPTED);
        assert_int_equal(write_one(43)->result, WRITE_MISMATCH);
        stop();

        start(POINT_FLOAT32); /* M5: half a float written */
        peer.first_word_only = true;
        assert_int_equal(write_one(18.3)->result, WRITE_MISMATCH);
        stop();
}

static void rejected_by_exception(void **state)
{
        (void)state;
        static const struct {
                uint16_t code;
                enum write_result result;
        } cases[] = {
            {1, WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE},
            {2, WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE},
            {3, WRITE_REJECTED_INVALID_SETTING},
            {4, WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE},
            {6, WRITE_TIMED_OUT},
            {10, WRITE_REJECTED_INVALID_DEVICE},
            {11, WRITE_REJECTED_INVALID_DEVICE},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                start(POINT_UINT16);
                peer.write_exception = cases[i].code;
                const struct write_outcome *o = write_one(42);
                assert_int_equal(o->result, cases[i].result);
                assert_true(isnan(o->read_back));
                assert_int_equal(peer.writes, 1);
                assert_int_equal(peer.holding[40], 1);
                stop();
        }
}

static void refused_before_the_wire(void **state)
{
        (void)state;
        start(POINT_UINT16);
        assert_int_equal(write_one(100.6)->result, WRITE_REJECTED_INVALID_SETTING);
        assert_int_equal(write_one(-1)->result, WRITE_REJECTED_INVALID_SETTING);
        assert_int_equal(write_one((double)NAN)->result, WRITE_REJECTED_INVALID_SETTING);
        assert_int_equal(write_one(100)->result, WRITE_ACCEPTED);
        struct write_request r = {.id = 1, .point = 1, .value = 5};
        assert_int_equal(e.act.write(e.act.self, &r), -EINVAL);
        r.point = 0;
        e.point[0].writable = false;
        assert_int_equal(e.act.write(e.act.self, &r), -EINVAL);
        assert_int_equal(peer.writes, 1);
        stop();
}

static bool two_outcomes(struct env *x)
{
        return x->noutcome >= 2;
}

static bool timed_out_once(struct env *x)
{
        struct device_stats s;
        modbus_driver_stats(x->driver, 0, &s);
        return s.timeouts >= 1;
}

/* M1: in a back-off (at least 0.8 s) nothing is sent: no read-back, and no write that was waiting its turn. */
static void m1_nothing_is_sent_in_a_back_off(void **state)
{
        (void)state;
        start(POINT_UINT16);
        (void)env_writable(&e, 0, 41, POINT_UINT16); /* known to the driver from its next start on */
        env_stop_driver(&e);
        e.good[0] = 0;
        env_start(&e, true);
        env_run(&e, scanned, 2000);
        env_run(&e, NULL, 20);
        peer.behaviour = PEER_BLACK_HOLE;
        uint64_t requests = peer.requests;
        env_write(&e, 0, 42, 1, true);
        env_write(&e, 1, 43, 2, true);
        env_run(&e, timed_out_once, 2000);
        env_run(&e, NULL, 600);
        assert_int_equal(peer.requests, requests + 1);
        assert_int_equal(e.noutcome, 1); /* the one that waited */
        assert_int_equal(e.outcome[0].id, 2);
        assert_int_equal(e.outcome[0].result, WRITE_REJECTED_DEVICE_OFFLINE);
        peer.behaviour = PEER_OK; /* the read-back comes after the back-off and tells: only the answer was lost */
        peer.holding[40] = 42;
        env_run(&e, two_outcomes, 4000);
        assert_int_equal(e.outcome[1].id, 1);
        assert_int_equal(e.outcome[1].result, WRITE_ACCEPTED);
        stop();
}

static void timed_out_and_offline(void **state)
{
        (void)state;
        start(POINT_UINT16);
        peer.behaviour = PEER_BLACK_HOLE;
        assert_int_equal(write_one(42)->result, WRITE_TIMED_OUT);
        /* In back-off now: refused at once, nothing sent. */
        uint64_t requests = peer.requests;
        e.noutcome = 0;
        env_write(&e, 0, 43, 10, true);
        assert_int_equal(e.noutcome, 1);
        assert_int_equal(e.outcome[0].result, WRITE_REJECTED_DEVICE_OFFLINE);
        assert_int_equal(peer.requests, requests);
        peer.behaviour = PEER_OK; /* what insists is sent all the same */
        e.noutcome = 0;
        assert_int_equal(
            e.act.write(e.act.self, &(struct write_request){.id = 11, .point = 0, .value = 44, .insist = true}), 0);
        env_run(&e, one_outcome, 300); /* the back-off lasts 0.8 s at least */
        assert_int_equal(e.outcome[0].result, WRITE_ACCEPTED);
        assert_int_equal(peer.holding[40], 44);
        stop();

        start(POINT_UINT16); /* the write arrived, only its answer did not: the read-back tells */
        peer.swallow_write_reply = true;
        assert_int_equal(write_one(42)->result, WRITE_ACCEPTED);
        stop();

        start(POINT_UINT16); /* without read-back nobody can tell */
        peer.swallow_write_reply = true;
        env_write(&e, 0, 42, 9, false);
        env_run(&e, one_outcome, 3000);
        assert_int_equal(e.outcome[0].result, WRITE_TIMED_OUT);
        stop();

        env_init(&e, 1.0); /* nobody there */
        peer_start(&peer, e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer_free_port(), 1);
        (void)env_writable(&e, d, 40, POINT_UINT16);
        e.point[0].readable = false;
        env_start(&e, true);
        assert_int_equal(write_one(42)->result, WRITE_REJECTED_DEVICE_OFFLINE);
        stop();
}

static void without_read_back_one_request(void **state)
{
        (void)state;
        start(POINT_UINT16);
        uint64_t reads = peer.reads;
        env_write(&e, 0, 5, 1, false);
        env_run(&e, one_outcome, 2000);
        assert_int_equal(e.outcome[0].result, WRITE_ACCEPTED);
        assert_true(isnan(e.outcome[0].read_back));
        assert_int_equal(peer.reads, reads);
        stop();
}

static void newer_write_takes_over(void **state)
{
        (void)state;
        start(POINT_UINT16);
        e.point[0].settle_ms = 60000;
        env_write(&e, 0, 10, 1, true); /* queued … */
        env_write(&e, 0, 20, 2, true); /* … and replaced before it was sent */
        assert_int_equal(e.noutcome, 1);
        assert_int_equal(e.outcome[0].id, 1);
        assert_int_equal(e.outcome[0].result, WRITE_NOT_SENT);
        env_run(&e, sent_20, 2000);
        env_run(&e, NULL, 20); /* answered, it settles */
        e.point[0].settle_ms = 1;
        env_write(&e, 0, 30, 3, true); /* need not wait for that */
        assert_int_equal(e.outcome[1].id, 2);
        assert_int_equal(e.outcome[1].result, WRITE_PENDING);
        e.noutcome = 0;
        env_run(&e, one_outcome, 2000);
        assert_int_equal(e.outcome[0].id, 3);
        assert_int_equal(e.outcome[0].result, WRITE_ACCEPTED);
        assert_int_equal(peer.writes, 2);
        stop();
}

static bool many_outcomes(struct env *x)
{
        return x->noutcome >= 150;
}

/* R11: one request at a time, writes first, and reads still get through under a flood of writes. */
static void r11_writes_first_but_reads_go_on(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer, e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer.port, 1);
        e.device[d].period_ms = 1;
        e.device[d].quirks.one_request_per_field = true; /* a scan is always under way */
        for (uint16_t i = 0; i < 150; i++)
                (void)env_writable(&e, d, i, POINT_UINT16);
        env_start(&e, true);
        env_run(&e, scanned, 2000);
        uint64_t reads = peer.reads;
        for (int i = 0; i < 150; i++)
                env_write(&e, i, i % 100, (uint64_t)i, false);
        env_run(&e, many_outcomes, 3000);
        for (size_t i = 0; i < e.noutcome; i++)
                assert_int_equal(e.outcome[i].result, WRITE_ACCEPTED);
        assert_int_equal(peer.writes, 150);
        assert_int_equal(peer.overlaps, 0);
        assert_true(peer.max_writes_in_row <= 8); /* 4, and those between the end of a scan and the next */
        assert_true(peer.reads - reads >= 20);
        stop();
}

static void queue_is_bounded(void **state)
{
        (void)state;
        start(POINT_UINT16);
        peer.behaviour = PEER_BLACK_HOLE;
        struct write_request r = {.id = 100, .point = 0, .value = 1};
        int got = 0;
        /* Only the newest waits; the driver never runs out through one point. */
        for (int i = 0; i < 100; i++, r.id++)
                got += e.act.write(e.act.self, &r) == 0;
        assert_int_equal(got, 100);
        assert_int_equal(e.noutcome, 99);
        stop();
}

static void modes_without_writing_have_no_door(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer, e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer.port, 1);
        (void)env_writable(&e, d, 40, POINT_UINT16);
        env_start(&e, false);
        assert_null(e.act.write);
        env_run(&e, scanned, 2000);
        assert_int_equal(peer.writes, 0);
        stop();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(accepted),
            cmocka_unit_test(slow_device_is_not_a_failure),
            cmocka_unit_test(ignored_and_clamped_are_mismatch),
            cmocka_unit_test(rejected_by_exception),
            cmocka_unit_test(refused_before_the_wire),
            cmocka_unit_test(m1_nothing_is_sent_in_a_back_off),
            cmocka_unit_test(timed_out_and_offline),
            cmocka_unit_test(without_read_back_one_request),
            cmocka_unit_test(newer_write_takes_over),
            cmocka_unit_test(r11_writes_first_but_reads_go_on),
            cmocka_unit_test(queue_is_bounded),
            cmocka_unit_test(modes_without_writing_have_no_door),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
