/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/loop.h"

struct env {
        struct clk clk;
        struct loop *loop;
        char order[64];
        size_t n;
        int64_t fired_ms;
        struct loop_timer *t[4];
        int pipe_a[2], pipe_b[2];
        int hits;
};

static void start(struct env *e, double scale)
{
        *e = (struct env){0};
        clk_init(&e->clk, scale, -1, 0);
        assert_int_equal(loop_create(&e->clk, &e->loop), 0);
}

static void note_a(void *ctx)
{
        struct env *e = ctx;
        e->order[e->n++] = 'a';
}

static void note_b(void *ctx)
{
        struct env *e = ctx;
        e->order[e->n++] = 'b';
}

static void note_stop(void *ctx)
{
        struct env *e = ctx;
        e->fired_ms = clk_real_mono_ms();
        loop_stop(e->loop);
}

static void timers_fire_in_order_of_deadline(void **state)
{
        (void)state;
        struct env e;
        start(&e, 1.0);
        assert_int_equal(loop_timer_create(e.loop, true, note_a, &e, &e.t[0]), 0);
        assert_int_equal(loop_timer_create(e.loop, true, note_b, &e, &e.t[1]), 0);
        assert_int_equal(loop_timer_create(e.loop, true, note_stop, &e, &e.t[2]), 0);
        assert_int_equal(loop_timer_create(e.loop, true, note_a, &e, &e.t[3]), 0);
        int64_t t0 = clk_real_mono_ms();
        loop_timer_arm(e.t[0], 20);
        loop_timer_arm(e.t[1], 5);
        loop_timer_arm(e.t[2], 30);
        loop_timer_arm(e.t[3], 1);
        loop_timer_disarm(e.t[3]);
        assert_int_equal(loop_run(e.loop), 0);
        assert_string_equal(e.order, "ba");
        assert_true(e.fired_ms - t0 >= 29);

        /* Arming again moves it: earlier and later. */
        e.n = 0;
        loop_timer_arm(e.t[0], 10000);
        loop_timer_arm(e.t[0], 1);
        loop_timer_arm(e.t[1], 1);
        loop_timer_arm(e.t[1], 10000);
        loop_timer_arm(e.t[2], 15);
        assert_int_equal(loop_run(e.loop), 0);
        e.order[e.n] = '\0';
        assert_string_equal(e.order, "a");
        for (int i = 0; i < 4; i++)
                e.t[i] = loop_timer_free(e.t[i]);
        loop_free(e.loop);
}

static void plant_timer_follows_the_scale(void **state)
{
        (void)state;
        struct env e;
        start(&e, 360.0);
        assert_int_equal(loop_timer_create(e.loop, false, note_stop, &e, &e.t[0]), 0);
        int64_t t0 = clk_real_mono_ms();
        loop_timer_arm(e.t[0], 5000); /* 13.9 ms */
        assert_int_equal(loop_run(e.loop), 0);
        assert_true(e.fired_ms - t0 >= 13);
        assert_true(e.fired_ms - t0 < 2000);
        loop_timer_free(e.t[0]);
        loop_free(e.loop);

        struct clk v;
        clk_init_virtual(&v, 0);
        assert_int_equal(loop_create(&v, &e.loop), 0);
        assert_int_equal(loop_timer_create(e.loop, false, note_stop, &e, &e.t[0]), -ENOTSUP);
        loop_free(e.loop);
}

static int64_t heap_last_ms;
static int heap_fired;
struct heap_timer {
        struct loop_timer *t;
        int64_t due_ms; /* real; 0 = never armed */
        bool disarmed;
};

static void heap_fn(void *ctx)
{
        struct heap_timer *h = ctx;
        assert_false(h->disarmed);
        assert_true(h->due_ms >= heap_last_ms - 1); /* due_ms is cut to ms */
        assert_true(clk_real_mono_ms() >= h->due_ms);
        heap_last_ms = h->due_ms;
        heap_fired++;
}

static void heap_keeps_order_under_random_arming(void **state)
{
        (void)state;
        enum { N = 200 };
        static struct heap_timer h[N];
        struct env e;
        const char *s = getenv("COOLPLANE_SEED");
        unsigned seed = s ? (unsigned)strtoul(s, NULL, 10) : 20261122u;
        (void)printf("seed %u\n", seed);
        start(&e, 1.0);
        heap_last_ms = 0;
        heap_fired = 0;
        int want = 0;
        for (int i = 0; i < N; i++)
                assert_int_equal(loop_timer_create(e.loop, true, heap_fn, &h[i], &h[i].t), 0);
        for (int k = 0; k < 1000; k++) {
                seed = seed * 1664525u + 1013904223u;
                struct heap_timer *x = &h[(seed >> 8) % N];
                x->disarmed = (seed >> 28) == 0;
                int64_t after_ms = (int64_t)((seed >> 16) % 100);
                x->due_ms = clk_real_mono_ms() + after_ms;
                if (x->disarmed)
                        loop_timer_disarm(x->t);
                else
                        loop_timer_arm(x->t, after_ms);
        }
        for (int i = 0; i < N; i++)
                want += !h[i].disarmed && h[i].due_ms > 0;
        assert_int_equal(loop_timer_create(e.loop, true, note_stop, &e, &e.t[0]), 0);
        loop_timer_arm(e.t[0], 200);
        assert_int_equal(loop_run(e.loop), 0);
        assert_int_equal(heap_fired, want);
        for (int i = 0; i < N; i++)
                loop_timer_free(h[i].t);
        loop_timer_free(e.t[0]);
        loop_free(e.loop);
}

/* Both pipes are readable in the same wait; whichever comes first removes the other, whose event must not arrive. */
static void on_pipe(void *ctx, int fd, uint32_t events)
{
        struct env *e = ctx;
        assert_true(events & EPOLLIN);
        e->hits++;
        int other = fd == e->pipe_a[0] ? e->pipe_b[0] : e->pipe_a[0];
        loop_del_fd(e->loop, other);
        loop_del_fd(e->loop, fd);
}

static void removed_descriptor_gets_no_event(void **state)
{
        (void)state;
        struct env e;
        start(&e, 1.0);
        assert_int_equal(pipe(e.pipe_a), 0);
        assert_int_equal(pipe(e.pipe_b), 0);
        assert_int_equal(write(e.pipe_a[1], "x", 1), 1);
        assert_int_equal(write(e.pipe_b[1], "x", 1), 1);
        assert_int_equal(loop_add_fd(e.loop, e.pipe_a[0], EPOLLIN, on_pipe, &e), 0);
        assert_int_equal(loop_add_fd(e.loop, e.pipe_b[0], EPOLLIN, on_pipe, &e), 0);
        assert_int_equal(loop_add_fd(e.loop, e.pipe_b[0], EPOLLIN, on_pipe, &e), -EEXIST);
        assert_int_equal(loop_add_fd(e.loop, -1, EPOLLIN, on_pipe, &e), -EBADF);
        assert_int_equal(loop_mod_fd(e.loop, 999, EPOLLIN), -ENOENT);
        assert_int_equal(loop_timer_create(e.loop, true, note_stop, &e, &e.t[0]), 0);
        loop_timer_arm(e.t[0], 20);
        assert_int_equal(loop_run(e.loop), 0);
        assert_int_equal(e.hits, 1);
        loop_timer_free(e.t[0]);
        for (int i = 0; i < 2; i++) {
                (void)close(e.pipe_a[i]);
                (void)close(e.pipe_b[i]);
        }
        loop_free(e.loop);
}

static void on_signal(void *ctx, int signo)
{
        struct env *e = ctx;
        e->hits = signo;
        loop_stop(e->loop);
}

static void signals_arrive_in_the_loop(void **state)
{
        (void)state;
        struct env e;
        sigset_t set;
        start(&e, 1.0);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        assert_int_equal(loop_signals(e.loop, &set, on_signal, &e), 0);
        assert_int_equal(loop_signals(e.loop, &set, on_signal, &e), -EALREADY);
        (void)kill(getpid(), SIGUSR1);
        assert_int_equal(loop_run(e.loop), 0);
        assert_int_equal(e.hits, SIGUSR1);
        loop_free(e.loop);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(timers_fire_in_order_of_deadline),     cmocka_unit_test(plant_timer_follows_the_scale),
            cmocka_unit_test(heap_keeps_order_under_random_arming), cmocka_unit_test(removed_descriptor_gets_no_event),
            cmocka_unit_test(signals_arrive_in_the_loop),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
