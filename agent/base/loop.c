/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Timers: a binary heap of real deadlines in ns (plant intervals are divided by the clock's scale when armed) and one
 * timerfd for its head, because epoll_wait counts in ms and at scale 360 a plant second is 2.8 ms.
 */
#include "agent/base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 64
#define NOT_QUEUED SIZE_MAX
#define AFTER_MAX_NS (INT64_C(1) << 60) /* 36 years */

struct fd_slot {
        loop_fd_fn fn; /* NULL: free */
        void *ctx;
        uint32_t gen; /* tells an event queued for a closed descriptor from one of its successor */
};

struct loop {
        const struct clk *clk;
        int epfd, timerfd, sigfd;
        bool stop;
        struct fd_slot *slot; /* [nslot], by descriptor */
        size_t nslot;
        uint32_t gen;
        struct loop_timer **heap; /* [nheap of cap_heap], earliest first, then by order of arming */
        size_t nheap, cap_heap, ntimer;
        uint64_t armings;
        int64_t armed_ns; /* what timerfd is set to; INT64_MAX = off */
        loop_signal_fn signal_fn;
        void *signal_ctx;
};

struct loop_timer {
        struct loop *loop;
        loop_timer_fn fn;
        void *ctx;
        bool real_time;
        size_t at; /* index in heap or NOT_QUEUED */
        int64_t deadline_ns;
        uint64_t seq;
};

static int64_t now_ns(void)
{
        struct timespec ts;
        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* ---- heap ---- */

static bool before(const struct loop_timer *a, const struct loop_timer *b)
{
        return a->deadline_ns < b->deadline_ns || (a->deadline_ns == b->deadline_ns && a->seq < b->seq);
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
        l->heap[i] = t;
        t->at = i;
}

static void heap_fix(struct loop *l, size_t i)
{
        struct loop_timer *t = l->heap[i];

        while (i > 0 && before(t, l->heap[(i - 1) / 2])) {
                heap_put(l, i, l->heap[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
        for (;;) {
                size_t c = 2 * i + 1;
                if (c >= l->nheap)
                        break;
                if (c + 1 < l->nheap && before(l->heap[c + 1], l->heap[c]))
                        c++;
                if (!before(l->heap[c], t))
                        break;
                heap_put(l, i, l->heap[c]);
                i = c;
        }
        heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
        size_t i = t->at;
        struct loop_timer *last = l->heap[--l->nheap];

        t->at = NOT_QUEUED;
        if (last != t) {
                heap_put(l, i, last);
                heap_fix(l, i);
        }
}

/* ---- life ---- */

int loop_create(const struct clk *clk, struct loop **ret)
{
        int r;
        struct loop *l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->clk = clk;
        l->timerfd = l->sigfd = -1;
        l->armed_ns = INT64_MAX;

        l->epfd = epoll_create1(EPOLL_CLOEXEC);
        if (l->epfd < 0) {
                r = -errno;
                goto fail;
        }
        l->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (l->timerfd < 0) {
                r = -errno;
                goto fail;
        }
        struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)l->timerfd};
        if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->timerfd, &ev) < 0) {
                r = -errno;
                goto fail;
        }
        *ret = l;
        return 0;
fail:
        loop_free(l);
        return r;
}

struct loop *loop_free(struct loop *l)
{
        if (!l)
                return NULL;
        if (l->sigfd >= 0)
                (void)close(l->sigfd);
        if (l->timerfd >= 0)
                (void)close(l->timerfd);
        if (l->epfd >= 0)
                (void)close(l->epfd);
        free(l->heap);
        free(l->slot);
        free(l);
        return NULL;
}

/* ---- descriptors ---- */

static struct fd_slot *slot_of(struct loop *l, int fd)
{
        return fd >= 0 && (size_t)fd < l->nslot && l->slot[fd].fn ? &l->slot[fd] : NULL;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *ctx)
{
        if (fd < 0)
                return -EBADF;
        if (slot_of(l, fd))
                return -EEXIST;
        if ((size_t)fd >= l->nslot) {
                size_t n = (size_t)fd + 16;
                struct fd_slot *p = realloc(l->slot, n * sizeof(*p));
                if (!p)
                        return -ENOMEM;
                memset(p + l->nslot, 0, (n - l->nslot) * sizeof(*p));
                l->slot = p;
                l->nslot = n;
        }
        l->gen++;
        struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)l->gen << 32 | (uint32_t)fd};
        if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
                return -errno;
        l->slot[fd] = (struct fd_slot){.fn = fn, .ctx = ctx, .gen = l->gen};
        return 0;
}

int loop_mod_fd(struct loop *l, int fd, uint32_t events)
{
        struct fd_slot *s = slot_of(l, fd);
        if (!s)
                return -ENOENT;
        struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)s->gen << 32 | (uint32_t)fd};
        return epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

void loop_del_fd(struct loop *l, int fd)
{
        struct fd_slot *s = slot_of(l, fd);
        if (!s)
                return;
        (void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
        *s = (struct fd_slot){0};
}

/* ---- timers ---- */

int loop_timer_create(struct loop *l, bool real_time, loop_timer_fn fn, void *ctx, struct loop_timer **ret)
{
        if (!real_time && l->clk->virtual_ms >= 0)
                return -ENOTSUP; /* nobody can wait for a clock that its owner moves */

        /* Room in the heap is made here, so that arming cannot fail. */
        if (l->ntimer >= l->cap_heap) {
                size_t cap = l->cap_heap ? 2 * l->cap_heap : 16;
                struct loop_timer **h = realloc(l->heap, cap * sizeof(struct loop_timer *));
                if (!h)
                        return -ENOMEM;
                l->heap = h;
                l->cap_heap = cap;
        }
        struct loop_timer *t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        *t = (struct loop_timer){.loop = l, .fn = fn, .ctx = ctx, .real_time = real_time, .at = NOT_QUEUED};
        l->ntimer++;
        *ret = t;
        return 0;
}

void loop_timer_arm(struct loop_timer *t, int64_t after_ms)
{
        struct loop *l = t->loop;
        double ns = after_ms <= 0 ? 0 : (double)after_ms * 1e6 / (t->real_time ? 1.0 : l->clk->scale);

        t->deadline_ns = now_ns() + (ns < (double)AFTER_MAX_NS ? (int64_t)ns : AFTER_MAX_NS);
        t->seq = l->armings++;
        if (t->at == NOT_QUEUED)
                heap_put(l, l->nheap++, t);
        heap_fix(l, t->at);
}

void loop_timer_disarm(struct loop_timer *t)
{
        if (t && t->at != NOT_QUEUED)
                heap_remove(t->loop, t);
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
        if (!t)
                return NULL;
        loop_timer_disarm(t);
        t->loop->ntimer--;
        free(t);
        return NULL;
}

static void run_timers(struct loop *l)
{
        int64_t now = now_ns();
        uint64_t newest = l->armings; /* what callbacks arm now waits for the next turn */

        while (!l->stop && l->nheap > 0 && l->heap[0]->deadline_ns <= now && l->heap[0]->seq < newest) {
                struct loop_timer *t = l->heap[0];
                heap_remove(l, t);
                t->fn(t->ctx);
        }
}

/* A head later than what is set costs one idle wake-up, which is cheaper than a system call for each arming. */
static int set_timerfd(struct loop *l)
{
        int64_t head = l->nheap > 0 ? l->heap[0]->deadline_ns : INT64_MAX;
        if (head >= l->armed_ns)
                return 0;
        struct itimerspec its = {
            .it_value = {.tv_sec = (time_t)(head / 1000000000), .tv_nsec = (long)(head % 1000000000)}};
        if (timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL) < 0)
                return -errno;
        l->armed_ns = head;
        return 0;
}

static void timerfd_fired(struct loop *l)
{
        uint64_t n;
        ssize_t r = read(l->timerfd, &n, sizeof(n));
        (void)r;
        l->armed_ns = INT64_MAX;
}

/* ---- signals ---- */

static void on_signalfd(void *ctx, int fd, uint32_t events)
{
        struct loop *l = ctx;
        struct signalfd_siginfo si;
        (void)events;
        while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
                l->signal_fn(l->signal_ctx, (int)si.ssi_signo);
}

int loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn, void *ctx)
{
        if (l->sigfd >= 0)
                return -EALREADY;
        if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
                return -errno;
        int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        l->signal_fn = fn;
        l->signal_ctx = ctx;
        int r = loop_add_fd(l, fd, EPOLLIN, on_signalfd, l);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        l->sigfd = fd;
        return 0;
}

/* ---- run ---- */

int loop_run(struct loop *l)
{
        struct epoll_event ev[EVENTS_PER_WAIT];
        int r = 0;

        while (!l->stop) {
                r = set_timerfd(l);
                if (r < 0)
                        break;
                int n = epoll_wait(l->epfd, ev, EVENTS_PER_WAIT, -1);
                if (n < 0 && errno != EINTR) {
                        r = -errno;
                        break;
                }
                for (int i = 0; i < n && !l->stop; i++) {
                        int fd = (int)(uint32_t)ev[i].data.u64;
                        if (fd == l->timerfd) {
                                timerfd_fired(l);
                                continue;
                        }
                        struct fd_slot *s = slot_of(l, fd);
                        if (s && s->gen == (uint32_t)(ev[i].data.u64 >> 32))
                                s->fn(s->ctx, fd, ev[i].events);
                }
                run_timers(l);
        }
        l->stop = false;
        return r;
}

void loop_stop(struct loop *l)
{
        l->stop = true;
}
