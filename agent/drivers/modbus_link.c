/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Serial lines are set up and written to by libmodbus. Modbus TCP is a 7-byte header on a socket and is done here, and
 * so is receiving on both, because libmodbus 3.1.6 cannot be driven without blocking or without believing a wrong
 * answer:
 *  - modbus_connect on TCP waits in select for the response time-out;
 *  - modbus_send_raw_request gives every request the transaction number 0, so the late answer to a request that timed
 * out cannot be told from the answer to the next one;
 *  - modbus_receive_confirmation waits in select for each piece and starts the byte time-out anew with every byte: a
 * peer that sends a byte each 19 ms holds the whole loop for 5 s even with a 20 ms byte time-out, and a serial reply of
 * 255 bytes at 9600 baud holds it for 0.27 s when nothing is wrong;
 *  - it checks neither transaction nor unit for raw requests, and reads a reply in three select + recv pairs, not one
 * recv.
 */
#include "agent/drivers/modbus_link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <modbus/modbus.h>

#define CONNECT_TIMEOUT_MS 1000
#define USER_TIMEOUT_MS 5000 /* unacknowledged data that old: the kernel gives a half-open connection up */
#define STRAYS_MAX 16        /* frames nobody asked for in a row: a flood */

enum state { CLOSED, RESOLVING, CONNECTING, READY };

struct mblink {
        struct mblink_args a;
        char host[256];
        modbus_t *mb; /* serial lines only */
        bool numeric;
        struct addresses to; /* of the host; n 0: name not resolved yet */
        size_t to_i;         /* the one in use; the next one after a failure */
        struct resolve *lookup;
        struct loop_timer *timer;

        enum state state;
        int fd;
        uint64_t replies; /* on this connection */
        uint64_t resets;
        int strays;
        int64_t not_before_ms; /* real: quiet time of the line or the device */

        bool busy, sent;
        const char *failed; /* NO_CONNECTION to be reported by the timer */
        struct mbrequest req;
        uint16_t regs[123];
        int timeout_ms;
        uint64_t serial; /* of the request */
        uint16_t transaction;

        uint8_t buf[2 * MBFRAME_ADU_MAX];
        size_t n;
};

static void on_fd(void *ctx, int fd, uint32_t events);
static void take_bytes(struct mblink *l);
static void on_timer(void *ctx);

/* ---- life ---- */

int mblink_create(const struct mblink_args *a, struct mblink **ret)
{
        int r;
        struct mblink *l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->a = *a;
        l->fd = -1;
        (void)snprintf(l->host, sizeof(l->host), "%s", a->host);
        l->a.host = l->host;

        if (a->rtu) {
                l->mb = modbus_new_rtu(l->host, a->baud, a->parity, 8, a->stop_bits);
                /* 3.5 characters of silence end a frame; 11 bits a character, at least 1.75 ms. */
                int t35_ms = a->baud > 0 ? (38500 + a->baud - 1) / a->baud + 1 : 4;
                if (l->a.pause_between_requests_ms < t35_ms)
                        l->a.pause_between_requests_ms = t35_ms < 3 ? 3 : t35_ms;
        } else {
                l->numeric = resolve_numeric(l->host, a->port, &l->to) == 0;
        }
        if (a->rtu && !l->mb) {
                r = errno == ENOMEM ? -ENOMEM : -EINVAL;
                goto fail;
        }
        r = loop_timer_create(a->loop, true, on_timer, l, &l->timer);
        if (r < 0)
                goto fail;
        *ret = l;
        return 0;
fail:
        mblink_free(l);
        return r;
}

static void close_fd(struct mblink *l)
{
        if (l->fd >= 0) {
                loop_del_fd(l->a.loop, l->fd);
                if (l->a.rtu) {
                        (void)modbus_flush(l->mb); /* what the line does not take would hold the close up to 30 s */
                        modbus_close(l->mb);       /* restores the line's settings */
                } else {
                        (void)close(l->fd);
                }
        }
        l->fd = -1;
        l->state = CLOSED;
        l->n = 0;
        l->strays = 0;
        l->replies = 0;
}

struct mblink *mblink_free(struct mblink *l)
{
        if (!l)
                return NULL;
        close_fd(l);
        resolve_free(l->lookup);
        loop_timer_free(l->timer);
        if (l->mb)
                modbus_free(l->mb);
        free(l);
        return NULL;
}

bool mblink_busy(const struct mblink *l)
{
        return l->busy;
}

uint64_t mblink_resets(const struct mblink *l)
{
        return l->resets;
}

void mblink_disconnect(struct mblink *l)
{
        assert(!l->busy);
        close_fd(l);
}

/* ---- one request ---- */

void mblink_hold(struct mblink *l, int ms)
{
        int64_t t = clk_real_mono_ms() + ms;
        if (ms > 0 && t > l->not_before_ms)
                l->not_before_ms = t;
}

static void finish(struct mblink *l, const struct mblink_reply *reply)
{
        loop_timer_disarm(l->timer);
        l->busy = l->sent = false;
        l->failed = NULL;
        mblink_hold(l, l->a.pause_between_requests_ms);
        l->a.done(l->a.ctx, reply);
}

static void finish_closed(struct mblink *l, enum mblink_result result, const char *why)
{
        bool reused = l->replies > 0;
        if (result == MBLINK_NO_CONNECTION && l->to.n > 0)
                l->to_i = (l->to_i + 1) % l->to.n;
        close_fd(l);
        finish(l, &(struct mblink_reply){.result = result, .why = why, .reused = reused});
}

static void fail_later(struct mblink *l, const char *why)
{
        l->failed = why;
        loop_timer_arm(l->timer, 0);
}

static void send_request(struct mblink *l)
{
        uint8_t adu[MBFRAME_MBAP + MBFRAME_REQUEST_MAX];
        int64_t wait_ms = l->not_before_ms - clk_real_mono_ms();

        if (wait_ms > 0) { /* the timer comes back here */
                loop_timer_arm(l->timer, wait_ms);
                return;
        }
        if (l->a.rtu) {
                (void)modbus_flush(l->mb); /* noise and late answers */
                l->n = 0;
        }
        size_t len = mbframe_request(&l->req, l->regs, adu + MBFRAME_MBAP);
        l->sent = true;
        bool ok;
        if (l->a.rtu) {
                ok = modbus_send_raw_request(l->mb, adu + MBFRAME_MBAP, (int)len) >= 0;
        } else {
                mbframe_header(++l->transaction, len, adu);
                len += MBFRAME_MBAP;
                /* Less than all of 260 bytes means that the peer has not read anything for long: as good as gone. */
                ok = send(l->fd, adu, len, MSG_NOSIGNAL) == (ssize_t)len;
        }
        if (!ok) {
                l->resets++;
                fail_later(l, "connection reset");
                return;
        }
        loop_timer_arm(l->timer, l->timeout_ms);
}

static int watch(struct mblink *l, int fd, uint32_t events)
{
        if (l->a.rtu && fd >= FD_SETSIZE) /* libmodbus puts it into an fd_set without looking */
                return -EMFILE;
        return loop_add_fd(l->a.loop, fd, events, on_fd, l);
}

static void open_line(struct mblink *l)
{
        if (modbus_connect(l->mb) < 0) { /* opens without waiting and sets the line's parameters */
                fail_later(l, "cannot open serial device");
                return;
        }
        l->fd = modbus_get_socket(l->mb);
        if (watch(l, l->fd, EPOLLIN) < 0) {
                close_fd(l);
                fail_later(l, "too many descriptors");
                return;
        }
        l->state = READY;
        mblink_hold(l, l->a.pause_after_connect_ms);
        send_request(l);
}

static void open_socket(struct mblink *l)
{
        int one = 1, user_timeout = USER_TIMEOUT_MS;

        l->state = CLOSED;
        if (l->to.n == 0) {
                fail_later(l, "host name not resolved");
                return;
        }
        const struct sockaddr *to = (const struct sockaddr *)&l->to.addr[l->to_i];
        int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                fail_later(l, "no socket");
                return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        if (connect(fd, to, l->to.len[l->to_i]) < 0 && errno != EINPROGRESS) {
                (void)close(fd);
                fail_later(l, "connection refused or no route");
                return;
        }
        if (watch(l, fd, EPOLLOUT) < 0) {
                (void)close(fd);
                fail_later(l, "too many descriptors");
                return;
        }
        l->fd = fd;
        l->state = CONNECTING;
        loop_timer_arm(l->timer, CONNECT_TIMEOUT_MS);
}

static void on_resolved(void *ctx, const struct addresses *a)
{
        struct mblink *l = ctx;

        if (a->n > 0) { /* else the last ones known */
                l->to = *a;
                l->to_i = 0;
        }
        l->lookup = resolve_free(l->lookup);
        if (l->busy && l->state == RESOLVING)
                open_socket(l);
}

/* A name is asked for anew at each connect; the answer is waited for as long as for a connection. A lookup that takes
 * longer goes on and serves the next attempt. */
static void start_connect(struct mblink *l)
{
        if (!l->numeric && !l->lookup)
                (void)resolve_start(l->a.loop, l->host, l->a.port, l->a.lookup, on_resolved, l, &l->lookup);
        if (!l->lookup) {
                open_socket(l);
                return;
        }
        l->state = RESOLVING;
        loop_timer_arm(l->timer, CONNECT_TIMEOUT_MS);
}

void mblink_request(struct mblink *l, const struct mbrequest *req, const uint16_t *regs, int timeout_ms)
{
        assert(!l->busy);
        l->busy = true;
        l->serial++;
        l->sent = false;
        l->failed = NULL;
        l->req = *req;
        l->timeout_ms = timeout_ms;
        if (req->function == MBFRAME_WRITE)
                memcpy(l->regs, regs, req->count * sizeof(regs[0]));
        if (l->state == READY)
                send_request(l);
        else if (l->a.rtu)
                open_line(l);
        else
                start_connect(l);
}

/* ---- events ---- */

static void timed_out(struct mblink *l)
{
        uint64_t serial = l->serial;

        take_bytes(l); /* it may be us who are late: what has arrived in time counts */
        if (!l->busy || l->serial != serial)
                return;
        if (l->a.rtu)
                mblink_hold(l, l->timeout_ms); /* a late answer would pass for the next one's: it is flushed then */
        if (l->n > 0 && !l->a.rtu)
                finish_closed(l, MBLINK_TIMEOUT, "time-out in the middle of a reply"); /* framing is lost */
        else
                finish(l, &(struct mblink_reply){.result = MBLINK_TIMEOUT, .why = "time-out"});
}

static void on_timer(void *ctx)
{
        struct mblink *l = ctx;

        if (!l->busy)
                return;
        if (l->failed) {
                finish_closed(l, l->sent ? MBLINK_LOST : MBLINK_NO_CONNECTION, l->failed);
        } else if (l->state == RESOLVING) {
                open_socket(l);
        } else if (l->state == CONNECTING) {
                finish_closed(l, MBLINK_NO_CONNECTION, "connect timed out");
        } else if (!l->sent) {
                send_request(l); /* the quiet time is over */
        } else {
                timed_out(l);
        }
}

static void on_connected(struct mblink *l)
{
        int err = 0;
        socklen_t len = sizeof(err);

        if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0) {
                finish_closed(l, MBLINK_NO_CONNECTION, "connection refused or no route");
                return;
        }
        (void)loop_mod_fd(l->a.loop, l->fd, EPOLLIN);
        l->state = READY;
        mblink_hold(l, l->a.pause_after_connect_ms);
        send_request(l);
}

static void lost(struct mblink *l, enum mblink_result result, const char *why)
{
        if (l->busy)
                finish_closed(l, result, why);
        else
                close_fd(l);
}

static void drop_front(struct mblink *l, size_t n)
{
        l->n -= n;
        memmove(l->buf, l->buf + n, l->n);
}

/* Frames in the buffer, until a reply was handed on, the connection was closed or more bytes are needed. */
static void take_frames(struct mblink *l)
{
        while (l->n > 0) {
                const struct mbrequest *req = l->busy && l->sent ? &l->req : NULL;
                struct mbframe f = l->a.rtu ? mbframe_parse_rtu(l->buf, l->n, req)
                                            : mbframe_parse_tcp(l->buf, l->n, req, l->transaction);
                if (f.verdict == MBFRAME_MORE)
                        return;
                if (f.verdict == MBFRAME_BAD && l->a.rtu) {
                        l->n = 0;
                        mblink_hold(l, l->timeout_ms); /* let the babble end */
                        finish(l, &(struct mblink_reply){.result = MBLINK_BAD_REPLY, .why = f.why});
                        return;
                }
                if (f.verdict == MBFRAME_BAD) {
                        lost(l, MBLINK_BAD_REPLY, f.why);
                        return;
                }
                if (f.verdict == MBFRAME_STRAY) {
                        drop_front(l, f.consumed);
                        if (!l->a.rtu && ++l->strays > STRAYS_MAX) {
                                lost(l, MBLINK_BAD_REPLY, "flood of frames nobody asked for");
                                return;
                        }
                        continue;
                }
                l->strays = 0;
                l->replies++;
                uint8_t data[MBFRAME_ADU_MAX]; /* done() may send the next request, which reuses the buffer */
                if (f.ndata > 0)
                        memcpy(data, f.data, f.ndata);
                drop_front(l, f.consumed);
                finish(l, &(struct mblink_reply){.result = f.verdict == MBFRAME_REPLY ? MBLINK_REPLY : MBLINK_EXCEPTION,
                                                 .exception = f.exception,
                                                 .data = data,
                                                 .ndata = f.ndata,
                                                 .why = f.verdict == MBFRAME_REPLY ? NULL : "exception"});
                return; /* bytes behind the reply, if any, are looked at with the next event or request */
        }
}

static void take_bytes(struct mblink *l)
{
        ssize_t k = l->a.rtu ? read(l->fd, l->buf + l->n, sizeof(l->buf) - l->n)
                             : recv(l->fd, l->buf + l->n, sizeof(l->buf) - l->n, 0);
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (k == 0 && l->a.rtu) /* libmodbus sets VMIN = VTIME = 0: nothing there. A hang-up is an event or EIO. */
                return;
        if (k <= 0) {
                l->resets += k < 0;
                lost(l, MBLINK_LOST, k == 0 ? "connection closed" : "connection reset");
                return;
        }
        l->n += (size_t)k;
        take_frames(l);
}

static void on_fd(void *ctx, int fd, uint32_t events)
{
        struct mblink *l = ctx;

        (void)fd;
        if (l->state == CONNECTING) {
                on_connected(l);
                return;
        }
        if (l->a.rtu && events & (EPOLLHUP | EPOLLERR)) {
                lost(l, MBLINK_LOST, "serial line hung up");
                return;
        }
        take_bytes(l);
}
