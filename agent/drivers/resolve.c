/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct resolve {
        atomic_int refs; /* the thread and the owner; the last one frees */
        char host[256], port[16];
        resolve_fn fn;
        struct addresses found;
        int eventfd;
        struct loop *loop;
        void (*done)(void *ctx, const struct addresses *a);
        void *ctx;
};

static int ask(resolve_fn fn, const char *host, const char *port, int flags, struct addresses *ret)
{
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
        struct addrinfo *list = NULL;
        struct addresses a = {.n = 0};

        if (fn(host, port, &hints, &list) != 0)
                return -EINVAL;
        for (struct addrinfo *i = list; i && a.n < RESOLVE_MAX; i = i->ai_next) {
                if (i->ai_addrlen > sizeof(a.addr[0]))
                        continue;
                memcpy(&a.addr[a.n], i->ai_addr, i->ai_addrlen);
                a.len[a.n++] = i->ai_addrlen;
        }
        freeaddrinfo(list);
        *ret = a;
        return a.n > 0 ? 0 : -EINVAL;
}

int resolve_numeric(const char *host, int port, struct addresses *ret)
{
        char text[16];

        (void)snprintf(text, sizeof(text), "%d", port);
        return ask(getaddrinfo, host, text, AI_NUMERICHOST | AI_NUMERICSERV, ret);
}

static void release(struct resolve *r)
{
        if (atomic_fetch_sub(&r->refs, 1) > 1)
                return;
        (void)close(r->eventfd);
        free(r);
}

static void *work(void *ctx)
{
        struct resolve *r = ctx;
        uint64_t one = 1;

        (void)ask(r->fn, r->host, r->port, AI_NUMERICSERV, &r->found);
        ssize_t k = write(r->eventfd, &one, sizeof(one));
        (void)k;
        release(r);
        return NULL;
}

static void on_answer(void *ctx, int fd, uint32_t events)
{
        struct resolve *r = ctx;
        uint64_t n;

        (void)events;
        if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
                return;
        r->done(r->ctx, &r->found);
}

int resolve_start(struct loop *l, const char *host, int port, resolve_fn fn,
                  void (*done)(void *ctx, const struct addresses *a), void *ctx, struct resolve **ret)
{
        pthread_attr_t attr;
        pthread_t thread;
        struct resolve *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        atomic_init(&r->refs, 2);
        (void)snprintf(r->host, sizeof(r->host), "%s", host);
        (void)snprintf(r->port, sizeof(r->port), "%d", port);
        r->fn = fn ? fn : getaddrinfo;
        r->done = done;
        r->ctx = ctx;
        r->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        int e = r->eventfd < 0 ? -errno : loop_add_fd(l, r->eventfd, EPOLLIN, on_answer, r);
        if (e == 0) {
                (void)pthread_attr_init(&attr);
                (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
                e = -pthread_create(&thread, &attr, work, r);
                (void)pthread_attr_destroy(&attr);
                if (e < 0)
                        loop_del_fd(l, r->eventfd);
        }
        if (e < 0) {
                if (r->eventfd >= 0)
                        (void)close(r->eventfd);
                free(r);
                return e;
        }
        r->loop = l;
        *ret = r;
        return 0;
}

struct resolve *resolve_free(struct resolve *r)
{
        if (!r)
                return NULL;
        loop_del_fd(r->loop, r->eventfd);
        release(r);
        return NULL;
}
