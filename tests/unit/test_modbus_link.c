/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/drivers/modbus_link.h"
#include "test_modbus_peer.h"

#define TIMEOUT_MS 250 /* a busy machine must not make it pass by itself */

struct env {
        struct clk clk;
        struct loop *loop;
        struct peer peer;
        struct mblink *link;
        bool done;
        struct mblink_reply reply;
        uint16_t regs[125];
        struct loop_timer *tick, *guard;
        int64_t last_tick_ms, max_gap_ms;
};

static void on_tick(void *ctx)
{
        struct env *e = ctx;
        int64_t now = clk_real_mono_ms();
        if (now - e->last_tick_ms > e->max_gap_ms)
                e->max_gap_ms = now - e->last_tick_ms;
        e->last_tick_ms = now;
        loop_timer_arm(e->tick, 2);
}

static void on_guard(void *ctx)
{
        struct env *e = ctx;
        loop_stop(e->loop);
}

static void on_done(void *ctx, const struct mblink_reply *reply)
{
        struct env *e = ctx;
        assert_false(e->done);
        e->done = true;
        e->reply = *reply;
        for (size_t i = 0; i + 1 < reply->ndata; i += 2)
                e->regs[i / 2] = (uint16_t)(reply->data[i] << 8 | reply->data[i + 1]);
        loop_stop(e->loop);
}

static void start_host(struct env *e, const char *host, int port, resolve_fn lookup)
{
        memset(e, 0, sizeof(*e));
        clk_init(&e->clk, 1.0, -1, 0);
        assert_int_equal(loop_create(&e->clk, &e->loop), 0);
        peer_start(&e->peer, e->loop);
        struct mblink_args a = {.loop = e->loop,
                                .host = host,
                                .port = port ? port : e->peer.port,
                                .lookup = lookup,
                                .done = on_done,
                                .ctx = e};
        assert_int_equal(mblink_create(&a, &e->link), 0);
        assert_int_equal(loop_timer_create(e->loop, true, on_tick, e, &e->tick), 0);
        assert_int_equal(loop_timer_create(e->loop, true, on_guard, e, &e->guard), 0);
}

static void start(struct env *e, int port)
{
        start_host(e, "127.0.0.1", port, NULL);
}

static void stop(struct env *e)
{
        mblink_free(e->link);
        loop_timer_free(e->tick);
        loop_timer_free(e->guard);
        peer_stop(&e->peer);
        loop_free(e->loop);
}

static void run_ms(struct env *e, int ms)
{
        loop_timer_arm(e->guard, ms);
        assert_int_equal(loop_run(e->loop), 0);
        loop_timer_disarm(e->guard);
}

/* One read of 10 registers from 20; returns how long it took. */
static int64_t ask(struct env *e)
{
        struct mbrequest req = {.unit_id = 3, .function = MBFRAME_READ_HOLDING, .address = 20, .count = 10};
        int64_t t0 = clk_real_mono_ms();
        e->done = false;
        e->max_gap_ms = 0;
        e->last_tick_ms = t0;
        loop_timer_arm(e->tick, 2);
        mblink_request(e->link, &req, NULL, TIMEOUT_MS);
        assert_false(e->done); /* never from inside */
        run_ms(e, 3000);
        assert_true(e->done);
        assert_false(mblink_busy(e->link));
        return clk_real_mono_ms() - t0;
}

static void good_replies_carry_the_registers(void **state)
{
        (void)state;
        struct env e;
        start(&e, 0);
        for (int k = 0; k < 300; k++) {
                (void)ask(&e);
                assert_int_equal(e.reply.result, MBLINK_REPLY);
                assert_int_equal(e.regs[0], 1020);
                assert_int_equal(e.regs[9], 1029);
        }
        assert_int_equal(e.peer.connections, 1);
        assert_int_equal(e.peer.last_unit, 3);
        stop(&e);
}

/* 65535 is followed by 0. */
static void transaction_numbers_wrap(void **state)
{
        (void)state;
        struct env e;
        start(&e, 0);
        for (int k = 0; k < 65540; k++) {
                struct mbrequest req = {.unit_id = 3, .function = MBFRAME_READ_HOLDING, .address = 20, .count = 1};
                e.done = false;
                mblink_request(e.link, &req, NULL, 1000);
                assert_int_equal(loop_run(e.loop), 0);
                assert_int_equal(e.reply.result, MBLINK_REPLY);
        }
        stop(&e);
}

/* Row M4 and M13: each misbehaviour, its outcome, and that the loop went on all the time. */
static void m4_each_hostile_peer_has_its_outcome(void **state)
{
        (void)state;
        static const struct {
                enum peer_behaviour behaviour;
                enum mblink_result result;
                bool waits; /* the outcome is the time-out */
                const char *why;
        } cases[] = {
            {PEER_BLACK_HOLE, MBLINK_TIMEOUT, true, "time-out"},
            {PEER_EXCEPTION, MBLINK_EXCEPTION, false, "exception"},
            {PEER_SHORT, MBLINK_TIMEOUT, true, "time-out in the middle of a reply"},
            {PEER_CUT, MBLINK_BAD_REPLY, false, "wrong byte count"},
            {PEER_OVERLONG, MBLINK_BAD_REPLY, false, "wrong byte count"},
            {PEER_WRONG_TID, MBLINK_TIMEOUT, true, "time-out"},
            {PEER_WRONG_UNIT, MBLINK_BAD_REPLY, false, "wrong unit id"},
            {PEER_WRONG_FUNCTION, MBLINK_BAD_REPLY, false, "wrong function code"},
            {PEER_SLOW_BYTES, MBLINK_TIMEOUT, true, "time-out in the middle of a reply"},
            {PEER_GARBAGE, MBLINK_BAD_REPLY, false, "not a Modbus header"},
            {PEER_RESET, MBLINK_LOST, false, "connection reset"},
            {PEER_CLOSE, MBLINK_LOST, false, "connection closed"},
            {PEER_FLOOD, MBLINK_BAD_REPLY, false, "flood of frames nobody asked for"},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct env e;
                start(&e, 0);
                e.peer.behaviour = cases[i].behaviour;
                e.peer.exception = 4;
                int64_t took = ask(&e);
                assert_int_equal(e.reply.result, cases[i].result);
                assert_string_equal(e.reply.why, cases[i].why);
                assert_true(cases[i].waits ? took >= TIMEOUT_MS - 1 : took < TIMEOUT_MS);
                assert_true(took <
                            TIMEOUT_MS + 1000); /* generous for a loaded machine; blocking libmodbus needs more */
                assert_true(e.max_gap_ms < 1000);
                /* The link recovers with the peer. */
                e.peer.behaviour = PEER_OK;
                (void)ask(&e);
                assert_int_equal(e.reply.result, MBLINK_REPLY);
                assert_int_equal(e.regs[0], 1020);
                stop(&e);
        }
}

/* A late answer to an earlier request is never taken for the answer to this one. */
static void m4_late_answer_is_not_bound_to_the_next_request(void **state)
{
        (void)state;
        struct env e;
        start(&e, 0);
        e.peer.behaviour = PEER_LATE;
        (void)ask(&e);
        assert_int_equal(e.reply.result, MBLINK_TIMEOUT);
        e.peer.holding[20] = 7;
        (void)ask(&e); /* the first answer arrives now: a stray */
        assert_int_equal(e.reply.result, MBLINK_TIMEOUT);
        e.peer.behaviour = PEER_OK;
        (void)ask(&e);
        assert_int_equal(e.reply.result, MBLINK_REPLY);
        assert_int_equal(e.regs[0], 7);
        assert_int_equal(e.peer.connections, 1); /* framing was never lost */
        stop(&e);
}

static void m1_nobody_listens(void **state)
{
        (void)state;
        struct env e;
        start(&e, peer_free_port());
        assert_true(ask(&e) < 1000);
        assert_int_equal(e.reply.result, MBLINK_NO_CONNECTION);
        stop(&e);
}

/* ---- names ---- */

static atomic_int lookups, lookup_ms, lookup_fails;

/* A name server with moods: waits, then fails or gives two addresses, the first of which nobody listens on. */
static int moody(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
        assert_string_equal(host, "plc-7.plant");
        struct timespec ts = {.tv_sec = lookup_ms / 1000, .tv_nsec = lookup_ms % 1000 * 1000000L};
        lookups++;
        (void)nanosleep(&ts, NULL);
        if (lookup_fails)
                return EAI_AGAIN;
        struct addrinfo *second = NULL;
        int r = getaddrinfo("127.0.0.1", port, hints, &second);
        if (r != 0)
                return r;
        r = getaddrinfo("127.0.0.2", port, hints, ret);
        if (r != 0) {
                freeaddrinfo(second);
                return r;
        }
        (*ret)->ai_next = second;
        return 0;
}

static void m1_names_are_asked_for_without_blocking(void **state)
{
        (void)state;
        struct env e;

        lookups = 0;
        lookup_ms = 0;
        lookup_fails = 1; /* not up at boot */
        start_host(&e, "plc-7.plant", 0, moody);
        assert_int_equal(lookups, 0);
        (void)ask(&e);
        assert_int_equal(e.reply.result, MBLINK_NO_CONNECTION);
        assert_string_equal(e.reply.why, "host name not resolved");
        lookup_fails = 0; /* up now: the first address refuses, the next attempt takes the second */
        (void)ask(&e);
        assert_int_equal(e.reply.result, MBLINK_NO_CONNECTION);
        lookup_fails = 1; /* gone again: what is known serves */
        (void)ask(&e);
        assert_int_equal(e.reply.result, MBLINK_REPLY);
        assert_int_equal(e.peer.connections, 1);
        int n = lookups;
        (void)ask(&e); /* connected: nobody is asked */
        assert_int_equal(e.reply.result, MBLINK_REPLY);
        assert_int_equal(lookups, n);
        stop(&e);

        /* Slower than a connection may be: the loop goes on, the attempt ends in time, the late answer serves. */
        lookup_fails = 0;
        lookup_ms = 1300;
        start_host(&e, "plc-7.plant", 0, moody);
        int64_t took = ask(&e);
        assert_true(took >= 990 && took < 1290);
        assert_true(e.max_gap_ms < 250);
        assert_int_equal(e.reply.result, MBLINK_NO_CONNECTION);
        n = lookups;
        (void)ask(&e); /* the first address */
        assert_int_equal(e.reply.result, MBLINK_NO_CONNECTION);
        assert_int_equal(lookups, n); /* one at a time */
        lookup_ms = 0;
        stop(&e);

        /* Freed in the middle of a lookup. */
        lookup_ms = 300;
        start_host(&e, "plc-7.plant", 0, moody);
        struct mbrequest req = {.unit_id = 3, .function = MBFRAME_READ_HOLDING, .address = 20, .count = 1};
        mblink_request(e.link, &req, NULL, TIMEOUT_MS);
        run_ms(&e, 20);
        stop(&e);
        struct timespec ts = {.tv_sec = 0, .tv_nsec = 400000000L};
        (void)nanosleep(&ts, NULL); /* the thread ends by itself */
}

static void idle_close_is_noticed_and_the_next_request_connects_again(void **state)
{
        (void)state;
        struct env e;
        start(&e, 0);
        e.peer.behaviour = PEER_HANG_UP_AFTER_REPLY;
        for (int i = 0; i < 3; i++) {
                (void)ask(&e);
                assert_int_equal(e.reply.result, MBLINK_REPLY);
                run_ms(&e, 5);
        }
        assert_int_equal(e.peer.connections, 3);
        stop(&e);
}

static void pauses_are_kept(void **state)
{
        (void)state;
        struct env e;
        start(&e, 0);
        mblink_free(e.link);
        struct mblink_args a = {.loop = e.loop,
                                .host = "localhost",
                                .port = e.peer.port,
                                .done = on_done,
                                .ctx = &e,
                                .pause_after_connect_ms = 30,
                                .pause_between_requests_ms = 20};
        assert_int_equal(mblink_create(&a, &e.link), 0);
        assert_true(ask(&e) >= 29);
        assert_true(ask(&e) >= 19);
        assert_int_equal(e.reply.result, MBLINK_REPLY);
        stop(&e);
}

static void r4_unit_ids_reach_the_wire(void **state)
{
        (void)state;
        static const uint8_t ids[] = {0, 1, 2, 127, 128, 247, 248, 255};
        struct env e;
        start(&e, 0);
        for (size_t i = 0; i < sizeof(ids); i++) {
                struct mbrequest req = {.unit_id = ids[i], .function = MBFRAME_READ_INPUT, .address = 0, .count = 1};
                e.done = false;
                mblink_request(e.link, &req, NULL, TIMEOUT_MS);
                run_ms(&e, 3000);
                assert_int_equal(e.reply.result, MBLINK_REPLY);
                assert_int_equal(e.peer.last_unit, ids[i]);
        }
        stop(&e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(good_replies_carry_the_registers),
            cmocka_unit_test(transaction_numbers_wrap),
            cmocka_unit_test(m4_each_hostile_peer_has_its_outcome),
            cmocka_unit_test(m4_late_answer_is_not_bound_to_the_next_request),
            cmocka_unit_test(m1_nobody_listens),
            cmocka_unit_test(m1_names_are_asked_for_without_blocking),
            cmocka_unit_test(idle_close_is_noticed_and_the_next_request_connects_again),
            cmocka_unit_test(pauses_are_kept),
            cmocka_unit_test(r4_unit_ids_reach_the_wire),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
