/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The planner's socket against a gate made here: answers, catches up, refuses garbage, comes back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/log.h"
#include "agent/planner/link.h"
#include "tests/unit/brain_bench.h"

struct gate_end {
        struct bench *bench;
        struct clk clk;
        struct loop *loop;
        struct loop_timer *deadline;
        struct link *link;
        struct brain *brain;
        int listener, fd;
        struct ipc_proposal got;
        unsigned connections, answers, until_answers, until_connections;
};

static void deadline(void *ctx)
{
        (void)ctx;
        fail_msg("nothing came within ten seconds");
}

static void on_answer(void *ctx, int fd, uint32_t events)
{
        struct gate_end *g = ctx;
        const char *why = "";
        ssize_t n = recv(fd, &g->got, sizeof g->got, MSG_DONTWAIT | MSG_TRUNC);

        (void)events;
        if (n <= 0)
                return;
        if (ipc_check(&g->got, (size_t)n, IPC_PROPOSAL, g->bench->site->hash, &why) < 0)
                fail_msg("malformed answer: %s", why);
        g->answers++;
        if (g->answers == g->until_answers)
                loop_stop(g->loop);
}

static void on_knock(void *ctx, int fd, uint32_t events)
{
        struct gate_end *g = ctx;

        (void)events;
        g->fd = accept(fd, NULL, NULL);
        assert_true(g->fd >= 0);
        assert_int_equal(loop_add_fd(g->loop, g->fd, EPOLLIN, on_answer, g), 0);
        g->connections++;
        if (g->connections == g->until_connections)
                loop_stop(g->loop);
}

static void give_step(struct gate_end *g, uint64_t seq)
{
        g->bench->plant.seq = seq;
        make_step(g->bench, true);
        assert_int_equal(send(g->fd, &g->bench->step, sizeof g->bench->step, MSG_NOSIGNAL),
                         (long)sizeof g->bench->step);
}

static void wait_for(struct gate_end *g, unsigned connections, unsigned answers)
{
        g->until_connections = connections;
        g->until_answers = answers;
        loop_timer_arm(g->deadline, 10000);
        assert_int_equal(loop_run(g->loop), 0);
        loop_timer_disarm(g->deadline);
}

static void hang_up(struct gate_end *g)
{
        loop_del_fd(g->loop, g->fd);
        close(g->fd);
        g->fd = -1;
}

static int setup(void **state)
{
        struct gate_end *g = calloc(1, sizeof *g);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        void *bench = NULL;

        assert_non_null(g);
        log_set_level(LOG_LEVEL_ERROR);
        assert_int_equal(bench_setup(&bench), 0);
        g->bench = bench;
        clk_init(&g->clk, 1.0, -1, 0);
        assert_int_equal(loop_create(&g->clk, &g->loop), 0);
        assert_int_equal(loop_timer_create(g->loop, true, deadline, g, &g->deadline), 0);

        assert_int_equal(mkdir(g->bench->site->run_dir, 0700), 0);
        (void)snprintf(a.sun_path, sizeof a.sun_path, "%.80s/planner.sock", g->bench->site->run_dir);
        g->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(g->listener, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(g->listener, 2), 0);
        assert_int_equal(loop_add_fd(g->loop, g->listener, EPOLLIN, on_knock, g), 0);

        g->brain = brain_new(g->bench, NULL);
        assert_int_equal(link_create(g->loop, g->bench->site, &g->link), 0);
        link_set_brain(g->link, g->brain);
        *state = g;
        return 0;
}

static int teardown(void **state)
{
        struct gate_end *g = *state;
        void *bench = g->bench;
        char path[SITE_PATH_MAX + 16];

        link_free(g->link);
        brain_free(g->brain);
        if (g->fd > 0)
                hang_up(g);
        loop_del_fd(g->loop, g->listener);
        close(g->listener);
        loop_timer_free(g->deadline);
        loop_free(g->loop);
        (void)snprintf(path, sizeof path, "%s/planner.sock", g->bench->site->run_dir);
        unlink(path);
        rmdir(g->bench->site->run_dir);
        free(g);
        return bench_teardown(&bench);
}

static void answers_the_step_it_got(void **state)
{
        struct gate_end *g = *state;

        wait_for(g, 1, 0);
        for (uint64_t seq = 100; seq < 110; seq++) {
                give_step(g, seq);
                wait_for(g, 0, g->answers + 1);
                assert_int_equal(g->got.head.seq, seq);
                assert_int_equal(g->got.nu, g->bench->layout->nu);
        }
}

/* Steps that queued up are history: only the newest gets an answer. */
static void catches_up_with_the_newest(void **state)
{
        struct gate_end *g = *state;
        struct link_stats stats;

        wait_for(g, 1, 0);
        for (uint64_t seq = 1; seq <= 5; seq++)
                give_step(g, seq);
        wait_for(g, 0, 1);
        assert_int_equal(g->got.head.seq, 5);
        link_stats(g->link, &stats);
        assert_int_equal(stats.skipped, 4);
        assert_int_equal(stats.steps, 1);
}

static void garbage_is_counted_and_survived(void **state)
{
        struct gate_end *g = *state;
        struct link_stats stats;
        unsigned char junk[300];

        wait_for(g, 1, 0);
        memset(junk, 0x5a, sizeof junk);
        assert_int_equal(send(g->fd, junk, sizeof junk, 0), (long)sizeof junk);
        assert_int_equal(send(g->fd, junk, 1, 0), 1);
        g->bench->site->hash[0] ^= 1; /* a step of another configuration */
        give_step(g, 6);
        g->bench->site->hash[0] ^= 1;
        give_step(g, 7);
        wait_for(g, 0, 1);
        assert_int_equal(g->got.head.seq, 7);
        link_stats(g->link, &stats);
        assert_int_equal(stats.malformed, 3);
        assert_int_equal(stats.steps, 1);
}

static void comes_back_when_the_gate_does(void **state)
{
        struct gate_end *g = *state;
        struct link_stats stats;

        wait_for(g, 1, 0);
        hang_up(g);
        wait_for(g, 2, 0);
        give_step(g, 9);
        wait_for(g, 0, 1);
        assert_int_equal(g->got.head.seq, 9);
        link_stats(g->link, &stats);
        assert_int_equal(stats.connects, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(answers_the_step_it_got, setup, teardown),
            cmocka_unit_test_setup_teardown(catches_up_with_the_newest, setup, teardown),
            cmocka_unit_test_setup_teardown(garbage_is_counted_and_survived, setup, teardown),
            cmocka_unit_test_setup_teardown(comes_back_when_the_gate_does, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
