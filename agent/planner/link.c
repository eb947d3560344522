/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/parse.h"

#define RETRY_MS 500
#define REPORT_STEPS 120

struct link {
        struct loop *loop;
        struct loop_timer *retry;
        const struct site *site;
        struct brain *brain;
        struct sockaddr_un addr;
        int fd;
        bool complained;
        struct link_stats stats;
        struct ipc_step step[2]; /* newest valid one, and room to receive into */
        struct ipc_proposal proposal;
};

static void disconnect(struct link *k)
{
        loop_del_fd(k->loop, k->fd);
        (void)close(k->fd);
        k->fd = -1;
        loop_timer_arm(k->retry, RETRY_MS);
}

static void report(const struct link *k)
{
        struct brain_info i;
        char error[32], cv[32];

        brain_info(k->brain, &i);
        log_info("planner",
                 "step %llu: %zu of %zu model rows fitted, inlet one-step error %s (median), "
                 "%zu energy samples, CV(RMSE) %s, caution %.2f K",
                 (unsigned long long)i.steps, i.rows_fitted, i.rows, format_or_dash(i.inlet_rmse_c, 3, " K", error),
                 i.energy_samples, format_or_dash(i.energy_cv_rmse_ratio, 3, "", cv), i.caution_k);
}

static void answer(struct link *k, const struct ipc_step *step)
{
        brain_step(k->brain, step, &k->proposal);
        if (send(k->fd, &k->proposal, sizeof k->proposal, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof k->proposal) {
                k->stats.unsent++;
                log_warning("planner", "cannot send the proposal: %s", strerror(errno));
        }
        k->stats.steps++;
        brain_learn(k->brain);
        if (k->stats.steps % REPORT_STEPS == 0)
                report(k);
}

static void on_readable(void *ctx, int fd, uint32_t events)
{
        struct link *k = ctx;
        struct ipc_step *newest = NULL, *room = &k->step[0];
        bool gone = false;

        (void)events;
        for (;;) {
                const char *why = NULL;
                ssize_t n = recv(fd, room, sizeof *room, MSG_DONTWAIT | MSG_TRUNC);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        break;
                if (n <= 0) {
                        gone = true;
                        break;
                }
                if (ipc_check(room, (size_t)n, IPC_STEP, k->site->hash, &why) < 0) {
                        k->stats.malformed++;
                        log_warning("planner", "step message refused: %s", why);
                        continue;
                }
                k->stats.skipped += newest != NULL;
                newest = room;
                room = newest == &k->step[0] ? &k->step[1] : &k->step[0];
        }
        if (newest && !gone)
                answer(k, newest);
        if (gone) {
                log_notice("planner", "the gate closed the connection");
                disconnect(k);
        }
}

static void try_connect(void *ctx)
{
        struct link *k = ctx;

        k->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (k->fd >= 0 && connect(k->fd, (const struct sockaddr *)&k->addr, sizeof k->addr) == 0 &&
            loop_add_fd(k->loop, k->fd, EPOLLIN, on_readable, k) == 0) {
                k->stats.connects++;
                k->complained = false;
                log_notice("planner", "connected to %s", k->addr.sun_path);
                return;
        }
        if (!k->complained)
                log_info("planner", "waiting for the gate at %s: %s", k->addr.sun_path, strerror(errno));
        k->complained = true;
        if (k->fd >= 0)
                (void)close(k->fd);
        k->fd = -1;
        loop_timer_arm(k->retry, RETRY_MS);
}

int link_create(struct loop *l, const struct site *site, struct link **ret)
{
        static const char name[] = "/planner.sock";
        const size_t len = strlen(site->run_dir);
        struct link *k = calloc(1, sizeof *k);
        int r;

        if (!k)
                return -ENOMEM;
        k->loop = l;
        k->site = site;
        k->fd = -1;
        k->addr.sun_family = AF_UNIX;
        r = len + sizeof name <= sizeof k->addr.sun_path ? 0 : -ENAMETOOLONG;
        if (r == 0) {
                memcpy(k->addr.sun_path, site->run_dir, len);
                memcpy(k->addr.sun_path + len, name, sizeof name);
                r = loop_timer_create(l, true, try_connect, k, &k->retry);
        }
        if (r < 0) {
                link_free(k);
                return r;
        }
        *ret = k;
        return 0;
}

struct link *link_free(struct link *k)
{
        if (k) {
                if (k->fd >= 0) {
                        loop_del_fd(k->loop, k->fd);
                        (void)close(k->fd);
                }
                loop_timer_free(k->retry);
                free(k);
        }
        return NULL;
}

void link_set_brain(struct link *k, struct brain *b)
{
        k->brain = b;
        loop_timer_arm(k->retry, 0);
}

void link_stats(const struct link *k, struct link_stats *ret)
{
        *ret = k->stats;
}
