/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "agent/gate/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct server {
        struct server_args a;
        int planner_listen, status_listen, planner;
        char planner_path[108], status_path[108];
        char *status_text;
        uid_t refused; /* last user turned away from planner.sock */
        union {
                struct ipc_proposal proposal;
                unsigned char bytes[sizeof(struct ipc_proposal) + 16];
        } in;
};

static int listen_on(const char *dir, const char *name, int type, mode_t mode, char *ret_path)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        mode_t mask;
        int fd, n, r;

        n = snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s", dir, name);
        if (n < 0 || (size_t)n >= sizeof sa.sun_path)
                return -ENAMETOOLONG;
        fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        (void)unlink(
            sa.sun_path); /* a socket left by a killed gate; the store's lock has already excluded a living one */
        mask = umask(0777 & ~mode);
        r = bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 8) < 0 ? -errno : 0;
        (void)umask(mask);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        memcpy(ret_path, sa.sun_path, sizeof sa.sun_path);
        return fd;
}

static void drop_planner(struct server *s)
{
        if (s->planner < 0)
                return;
        loop_del_fd(s->a.loop, s->planner);
        (void)close(s->planner);
        s->planner = -1;
        s->a.planner(s->a.ctx, false);
}

static void on_planner(void *ctx, int fd, uint32_t events)
{
        struct server *s = ctx;
        const char *why;

        if (events & EPOLLIN) {
                ssize_t n = recv(fd, s->in.bytes, sizeof s->in.bytes, 0);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n > 0) {
                        if (ipc_check(s->in.bytes, (size_t)n, IPC_PROPOSAL, s->a.site->hash, &why) < 0)
                                s->a.proposal(s->a.ctx, NULL, why);
                        else
                                s->a.proposal(s->a.ctx, &s->in.proposal, NULL);
                        return;
                }
        }
        drop_planner(s);
}

/* Who may reach the socket is a matter of groups; who may be the planner is this one user. */
static bool is_planner(struct server *s, int fd)
{
        struct ucred peer;
        socklen_t len = sizeof peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
                return false;
        if (peer.uid == s->a.planner_uid)
                return true;
        if (peer.uid != s->refused)
                event_tell(&s->a.events, 4, "gate",
                           "planner.sock: process %d of user %u is refused, the planner is user %u", (int)peer.pid,
                           (unsigned)peer.uid, (unsigned)s->a.planner_uid);
        s->refused = peer.uid;
        return false;
}

static void on_planner_listen(void *ctx, int fd, uint32_t events)
{
        struct server *s = ctx;
        int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int size = 4 * (int)sizeof(struct ipc_step);

        (void)events;
        if (c < 0)
                return;
        if (!is_planner(s, c)) {
                (void)close(c);
                return;
        }
        drop_planner(s);
        (void)setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        if (loop_add_fd(s->a.loop, c, EPOLLIN, on_planner, s) < 0) {
                (void)close(c);
                return;
        }
        s->planner = c;
        s->a.planner(s->a.ctx, true);
}

static void on_status_listen(void *ctx, int fd, uint32_t events)
{
        struct server *s = ctx;
        int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int room = (int)s->a.status_cap;
        size_t n;

        (void)events;
        if (c < 0)
                return;
        n = s->a.status(s->a.ctx, s->status_text, s->a.status_cap);
        (void)setsockopt(c, SOL_SOCKET, SO_SNDBUF, &room, sizeof room); /* the whole document fits: no wait, no rest */
        (void)send(c, s->status_text, n, MSG_NOSIGNAL);
        (void)close(c);
}

int server_create(const struct server_args *a, struct server **ret)
{
        struct server *s = calloc(1, sizeof *s);
        int r = -ENOMEM;

        if (!s)
                return r;
        s->a = *a;
        s->planner_listen = s->status_listen = s->planner = -1;
        s->refused = a->planner_uid;
        s->status_text = malloc(a->status_cap);
        if (!s->status_text)
                goto fail;
        if (mkdir(a->site->run_dir, 0750) < 0 && errno != EEXIST) {
                r = -errno;
                goto fail;
        }
        s->planner_listen = r = listen_on(a->site->run_dir, "planner.sock", SOCK_SEQPACKET,
                                          a->planner_uid == geteuid() ? 0600 : 0660, s->planner_path);
        if (r < 0)
                goto fail;
        s->status_listen = r = listen_on(a->site->run_dir, "status.sock", SOCK_STREAM, 0660, s->status_path);
        if (r < 0)
                goto fail;
        r = loop_add_fd(a->loop, s->planner_listen, EPOLLIN, on_planner_listen, s);
        if (r < 0)
                goto fail;
        r = loop_add_fd(a->loop, s->status_listen, EPOLLIN, on_status_listen, s);
        if (r < 0)
                goto fail;
        *ret = s;
        return 0;
fail:
        server_free(s);
        return r;
}

struct server *server_free(struct server *s)
{
        int fds[3];

        if (!s)
                return NULL;
        fds[0] = s->planner;
        fds[1] = s->planner_listen;
        fds[2] = s->status_listen;
        for (size_t i = 0; i < 3; i++)
                if (fds[i] >= 0) {
                        loop_del_fd(s->a.loop, fds[i]);
                        (void)close(fds[i]);
                }
        if (s->planner_path[0])
                (void)unlink(s->planner_path);
        if (s->status_path[0])
                (void)unlink(s->status_path);
        free(s->status_text);
        free(s);
        return NULL;
}

bool server_planner_connected(const struct server *s)
{
        return s->planner >= 0;
}

bool server_send_step(struct server *s, const struct ipc_step *msg)
{
        return s->planner >= 0 &&
               send(s->planner, msg, sizeof *msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *msg;
}
