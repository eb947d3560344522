/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/modbusd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/modbusd_hostile.h"

#define ADU_MAX MODBUSD_ADU_MAX
#define ANSWER_MAX (ADU_MAX + MODBUSD_HOSTILE_EXTRA)
#define CONN_MAX 256
#define OUT_MAX (8 * ANSWER_MAX)
#define MAGIC_SLOW 200   /* units */
#define SLOW_UNIT_MS 5.0 /* an answer of a device 1 time slow */
#define BEAT_MS 2        /* real time between two looks at slow and flooding devices */
#define FLOOD_FRAMES 32  /* in one beat */

struct conn {
        struct modbusd *m;
        int fd; /* -1 = free */
        uint16_t port;
        uint8_t in[ADU_MAX], out[OUT_MAX], late[ANSWER_MAX];
        size_t nin, nout, nlate;
        bool half_open;
        bool reset;          /* after what is in out */
        double bytes_per_ms; /* 0: as fast as it goes */
        int64_t slow_since_ms;
        size_t slow_sent; /* since then */
};

struct listener {
        struct modbusd *m;
        int fd;
        uint16_t index, port;
};

struct modbusd {
        struct modbusd_args a;
        struct listener *listener;
        size_t nlistener;
        struct conn conn[CONN_MAX];
        struct mode {
                enum modbusd_mode mode;
                double arg;
        } * mode;                /* by device */
        struct loop_timer *beat; /* armed while an answer is slow or a device floods */
        bool beating;            /* it is armed */
        uint64_t rng;
        struct modbusd_stats stats;
};

static void accept_ready(void *ctx, int fd, uint32_t events);
static void conn_ready(void *ctx, int fd, uint32_t events);

static uint16_t get16(const uint8_t *b)
{
        return (uint16_t)((b[0] << 8) | b[1]);
}

static void put16(uint8_t *b, unsigned v)
{
        b[0] = (uint8_t)(v >> 8);
        b[1] = (uint8_t)v;
}

static uint8_t random_byte(struct modbusd *m)
{
        m->rng ^= m->rng << 13;
        m->rng ^= m->rng >> 7;
        m->rng ^= m->rng << 17;
        return (uint8_t)(m->rng >> 32);
}

/* ---- requests ---- */

/* Of a read that begins at a magic register: its mode; of everything else NORMAL. */
static enum modbusd_mode magic_mode(const uint8_t *pdu, size_t n)
{
        const unsigned at = n == 5 && (pdu[0] == 3 || pdu[0] == 4) ? get16(pdu + 1) : 0,
                       mode = (at - MODBUSD_MAGIC) / 16;

        if (at < MODBUSD_MAGIC || at % 16 != 0 || mode >= MODBUSD_FLOOD || mode == MODBUSD_REFUSE)
                return MODBUSD_NORMAL;
        return (enum modbusd_mode)mode;
}

static size_t answer_read(struct modbusd *m, size_t device, const uint8_t *pdu, size_t n, uint8_t *ret_pdu,
                          int *ret_exception)
{
        uint16_t regs[125];
        if (n != 5) {
                *ret_exception = 3;
                return 0;
        }
        unsigned count = get16(pdu + 3);
        memset(regs, 0, sizeof(regs));
        if (!(magic_mode(pdu, n) != MODBUSD_NORMAL && count >= 1 && count <= 125))
                *ret_exception = registers_read(m->a.regs, device, pdu[0] == 3, get16(pdu + 1), count, regs);
        if (*ret_exception)
                return 0;
        ret_pdu[0] = pdu[0];
        ret_pdu[1] = (uint8_t)(2 * count);
        for (unsigned k = 0; k < count; k++)
                put16(ret_pdu + 2 + 2 * k, regs[k]);
        return 2 + 2 * (size_t)count;
}

static size_t answer_write(struct modbusd *m, size_t device, int refuse, const uint8_t *pdu, size_t n, uint8_t *ret_pdu,
                           int *ret_exception)
{
        uint16_t regs[123];
        struct modbusd_write w = {.device = &m->a.regs->device[device], .function = pdu[0], .regs = regs};
        bool one = pdu[0] == 6;

        w.count = one ? 1 : (uint16_t)(n >= 6 ? get16(pdu + 3) : 0);
        if ((one && n != 5) || (!one && (w.count < 1 || w.count > 123 || n != 6 + 2 * (size_t)w.count ||
                                         pdu[5] != (uint8_t)(2 * w.count)))) {
                *ret_exception = 3;
                return 0;
        }
        w.address = get16(pdu + 1);
        for (unsigned k = 0; k < w.count; k++)
                regs[k] = get16(one ? pdu + 3 : pdu + 6 + 2 * k);
        w.exception = refuse ? refuse : registers_write(m->a.regs, device, w.address, w.count, regs);
        m->stats.writes++;
        if (m->a.written)
                m->a.written(m->a.ctx, &w);
        *ret_exception = w.exception;
        memcpy(ret_pdu, pdu, 5);
        return 5;
}

/* Answers one PDU into ret_pdu (≤ 253 bytes); 0 = stay silent. */
static size_t answer(struct modbusd *m, const struct mode *mode, uint16_t port, const uint8_t *q, size_t n,
                     uint8_t *ret_pdu)
{
        const uint8_t unit = q[6], *pdu = q + 7;
        int device = registers_lookup(m->a.regs, port, unit);
        int exception = 0;
        size_t len = 0;

        m->stats.requests++;
        if (device < 0) {
                exception = 0x0b; /* gateway target failed to respond */
        } else {
                const int refuse = mode->mode == MODBUSD_EXCEPTION ? (int)mode->arg : 0;
                if (mode->mode == MODBUSD_BLACKHOLE)
                        return 0;
                if (pdu[0] == 6 || pdu[0] == 16)
                        len = answer_write(m, (size_t)device, refuse, pdu, n, ret_pdu, &exception);
                else if (refuse)
                        exception = refuse;
                else if (pdu[0] == 3 || pdu[0] == 4)
                        len = answer_read(m, (size_t)device, pdu, n, ret_pdu, &exception);
                else
                        exception = 1;
        }
        if (exception) {
                m->stats.exceptions++;
                ret_pdu[0] = (uint8_t)(pdu[0] | 0x80);
                ret_pdu[1] = (uint8_t)exception;
                return 2;
        }
        return len;
}

/* ---- connections ---- */

static void conn_close(struct conn *c)
{
        struct linger rst = {.l_onoff = 1};

        loop_del_fd(c->m->a.loop, c->fd);
        if (c->reset)
                setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
        close(c->fd);
        c->fd = -1;
}

/* How the request q of n bytes after the header's length is answered. */
static struct mode mode_of(const struct modbusd *m, uint16_t port, const uint8_t *q, size_t n)
{
        const int device = registers_lookup(m->a.regs, port, q[6]);
        const enum modbusd_mode magic = magic_mode(q + 7, n - 1);

        if (device < 0)
                return (struct mode){MODBUSD_NORMAL, 0};
        if (magic == MODBUSD_NORMAL || m->mode[device].mode != MODBUSD_NORMAL)
                return m->mode[device];
        return (struct mode){magic, magic == MODBUSD_EXCEPTION ? 4 : MAGIC_SLOW};
}

/* One request's answer, made wrong if it must be, into out (ANSWER_MAX bytes). Returns its length. */
static size_t conn_answer(struct conn *c, const struct mode *mode, const uint8_t *q, size_t len, uint8_t *out)
{
        struct modbusd *m = c->m;

        if (mode->mode == MODBUSD_GARBAGE) {
                size_t n = 1 + random_byte(m) % 40u;
                for (size_t k = 0; k < n; k++)
                        out[k] = random_byte(m);
                return n;
        }
        size_t n = answer(m, mode, c->port, q, len - 1, out + 7);
        if (n == 0)
                return 0;
        memcpy(out, q, 4);
        put16(out + 4, (unsigned)(n + 1));
        out[6] = q[6];
        return modbusd_hostile(mode->mode, random_byte(m), out, 7 + n);
}

static void beat_arm(struct modbusd *m, int64_t after_ms)
{
        if (!m->beating)
                loop_timer_arm(m->beat, after_ms);
        m->beating = true;
}

/* Late: it is kept until the next request; what was kept goes out first. */
static void conn_send(struct conn *c, const struct mode *mode, const uint8_t *frame, size_t n)
{
        if (c->nlate > 0) {
                memcpy(c->out + c->nout, c->late, c->nlate);
                c->nout += c->nlate;
                c->nlate = 0;
        }
        if (mode->mode == MODBUSD_LATE) {
                memcpy(c->late, frame, n);
                c->nlate = n;
                return;
        }
        c->bytes_per_ms = 0;
        if (mode->mode == MODBUSD_SLOW && n > 0) {
                c->bytes_per_ms = (double)n / (SLOW_UNIT_MS * mode->arg);
                c->slow_since_ms = clk_real_mono_ms();
                c->slow_sent = 0;
                beat_arm(c->m, BEAT_MS);
        }
        memcpy(c->out + c->nout, frame, n);
        c->nout += n;
        c->reset |= mode->mode == MODBUSD_RESET;
}

/* Takes complete requests out of c->in as long as there is room for their answers. -EPROTO: not Modbus TCP. */
static int conn_serve(struct conn *c)
{
        uint8_t frame[ANSWER_MAX];
        size_t at = 0;
        int err = 0;

        while (c->nin - at >= 8 && c->nout + 2 * ANSWER_MAX <= OUT_MAX && !c->reset) {
                const uint8_t *q = c->in + at;
                size_t len = get16(q + 4); /* unit id and PDU */
                if (get16(q + 2) != 0 || len < 2 || len > 254) {
                        err = -EPROTO;
                        break;
                }
                if (c->nin - at < 6 + len)
                        break;
                const struct mode mode = mode_of(c->m, c->port, q, len);
                conn_send(c, &mode, frame, conn_answer(c, &mode, q, len, frame));
                at += 6 + len;
        }
        memmove(c->in, c->in + at, c->nin - at);
        c->nin -= at;
        return err;
}

/* How much of what is to be sent may go now. */
static size_t conn_may_send(const struct conn *c)
{
        if (!(c->bytes_per_ms > 0))
                return c->nout;
        double due = (double)(clk_real_mono_ms() - c->slow_since_ms) * c->bytes_per_ms - (double)c->slow_sent;
        return due >= (double)c->nout ? c->nout : due > 0 ? (size_t)due : 0;
}

static int conn_flush(struct conn *c)
{
        size_t may;

        while ((may = conn_may_send(c)) > 0) {
                ssize_t n = send(c->fd, c->out, may, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        return 0;
                if (n <= 0)
                        return -EPIPE;
                memmove(c->out, c->out + n, c->nout - (size_t)n);
                c->nout -= (size_t)n;
                c->slow_sent += (size_t)n;
        }
        return c->reset && c->nout == 0 ? -ECONNRESET : 0;
}

/* What comes next on this connection: room to read into, or room to write to (a slow one waits for the beat). */
static void conn_watch(struct conn *c)
{
        bool waits_for_room = c->nout > 0 && !(c->bytes_per_ms > 0);
        loop_mod_fd(c->m->a.loop, c->fd, waits_for_room ? EPOLLOUT : EPOLLIN);
}

static void conn_ready(void *ctx, int fd, uint32_t events)
{
        struct conn *c = ctx;
        (void)fd;

        if (events & (EPOLLERR | EPOLLHUP)) {
                conn_close(c);
                return;
        }
        if (c->nin < sizeof(c->in) && (events & EPOLLIN)) {
                ssize_t n = recv(c->fd, c->in + c->nin, sizeof(c->in) - c->nin, 0);
                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
                        conn_close(c);
                        return;
                }
                if (n > 0)
                        c->nin += (size_t)n;
        }
        if (c->half_open) {
                c->nin = 0;
                return;
        }
        int err;
        size_t before;
        do { /* requests that waited for room in the buffer of answers are not announced by the socket again */
                before = c->nin;
                err = conn_serve(c);
                if (err < 0)
                        c->m->stats.protocol_errors++;
                /* what was answered before the error still goes out */
                if (conn_flush(c) < 0 || err < 0) {
                        conn_close(c);
                        return;
                }
        } while (c->nout == 0 && c->nin < before);
        /* an answer that does not fit stops the reading: the peer's own window is the limit */
        conn_watch(c);
}

/* ---- slow and flooding devices ---- */

static bool port_floods(const struct modbusd *m, uint16_t port)
{
        for (size_t k = 0; k < m->a.regs->ndevice; k++)
                if (m->a.regs->device[k].port == port && m->mode[k].mode == MODBUSD_FLOOD)
                        return true;
        return false;
}

static void on_beat(void *ctx)
{
        struct modbusd *m = ctx;
        bool needed = false;

        m->beating = false;
        for (size_t k = 0; k < CONN_MAX; k++) {
                struct conn *c = &m->conn[k];
                if (c->fd < 0 || c->half_open)
                        continue;
                if (port_floods(m, c->port))
                        for (int i = 0; i < FLOOD_FRAMES && c->nout + 3 * ANSWER_MAX <= OUT_MAX; i++)
                                c->nout += modbusd_unsolicited(c->out + c->nout);
                if (c->nout == 0)
                        continue;
                if (conn_flush(c) < 0)
                        conn_close(c);
                else
                        conn_watch(c);
                needed |= c->fd >= 0 && c->nout > 0 && c->bytes_per_ms > 0;
        }
        for (size_t k = 0; k < m->a.regs->ndevice; k++)
                needed |= m->mode[k].mode == MODBUSD_SLOW || m->mode[k].mode == MODBUSD_FLOOD;
        if (needed)
                beat_arm(m, BEAT_MS);
}

static int set_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        return 0;
}

static void accept_ready(void *ctx, int lfd, uint32_t events)
{
        struct listener *l = ctx;
        struct conn *c = NULL;
        int one = 1;
        int fd = accept(lfd, NULL, NULL);
        (void)events;

        if (fd < 0)
                return;
        for (size_t k = 0; k < CONN_MAX && !c; k++)
                if (l->m->conn[k].fd < 0)
                        c = &l->m->conn[k];
        if (!c || set_nonblocking(fd) < 0) {
                close(fd);
                return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        *c = (struct conn){.m = l->m, .fd = fd, .port = l->index};
        if (loop_add_fd(l->m->a.loop, fd, EPOLLIN, conn_ready, c) < 0) {
                close(fd);
                c->fd = -1;
                return;
        }
        l->m->stats.connections++;
}

/* ---- listeners ---- */

static int listen_open(struct listener *l)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(l->port)};
        socklen_t len = sizeof(sa);
        int one = 1, err;

        sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        l->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (l->fd < 0)
                return -errno;
        setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(l->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(l->fd, 64) < 0 ||
            getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
                goto fail;
        l->port = ntohs(sa.sin_port);
        err = set_nonblocking(l->fd);
        if (err == 0)
                err = loop_add_fd(l->m->a.loop, l->fd, EPOLLIN, accept_ready, l);
        if (err == 0)
                return 0;
        errno = -err;
fail:
        err = -errno;
        close(l->fd);
        l->fd = -1;
        return err;
}

static void listen_close(struct listener *l)
{
        if (l->fd < 0)
                return;
        loop_del_fd(l->m->a.loop, l->fd);
        close(l->fd);
        l->fd = -1;
        for (size_t k = 0; k < CONN_MAX; k++)
                if (l->m->conn[k].fd >= 0 && l->m->conn[k].port == l->index)
                        conn_close(&l->m->conn[k]);
}

int modbusd_create(const struct modbusd_args *a, struct modbusd **ret)
{
        struct modbusd *m = calloc(1, sizeof(*m));
        int err = -ENOMEM;

        if (!m)
                return -ENOMEM;
        m->a = *a;
        m->rng = a->seed * 0x9e3779b97f4a7c15u + 1;
        for (size_t k = 0; k < CONN_MAX; k++)
                m->conn[k].fd = -1;
        m->listener = calloc(a->regs->nport, sizeof(*m->listener));
        m->mode = calloc(a->regs->ndevice, sizeof(*m->mode));
        if (!m->listener || !m->mode)
                goto fail;
        err = loop_timer_create(a->loop, true, on_beat, m, &m->beat);
        if (err < 0)
                goto fail;
        for (size_t k = 0; k < a->regs->nport; k++) {
                m->listener[k] =
                    (struct listener){m, -1, (uint16_t)k, a->base_port ? (uint16_t)(a->base_port + k) : (uint16_t)0};
                m->nlistener++;
                err = listen_open(&m->listener[k]);
                if (err < 0)
                        goto fail;
        }
        *ret = m;
        return 0;
fail:
        modbusd_free(m);
        return err;
}

struct modbusd *modbusd_free(struct modbusd *m)
{
        if (!m)
                return NULL;
        for (size_t k = 0; k < m->nlistener; k++)
                listen_close(&m->listener[k]);
        for (size_t k = 0; k < CONN_MAX; k++)
                if (m->conn[k].fd >= 0)
                        conn_close(&m->conn[k]);
        loop_timer_free(m->beat);
        free(m->listener);
        free(m->mode);
        free(m);
        return NULL;
}

uint16_t modbusd_port(const struct modbusd *m, size_t port_index)
{
        return m->listener[port_index].port;
}

int modbusd_set_mode(struct modbusd *m, size_t device, enum modbusd_mode mode, double arg)
{
        uint16_t port = m->a.regs->device[device].port;
        bool refused = false;

        m->mode[device] = (struct mode){mode, arg};
        if (mode == MODBUSD_SLOW || mode == MODBUSD_FLOOD)
                beat_arm(m, 0);
        for (size_t k = 0; k < m->a.regs->ndevice; k++)
                refused |= m->a.regs->device[k].port == port && m->mode[k].mode == MODBUSD_REFUSE;
        if (refused)
                listen_close(&m->listener[port]);
        else if (m->listener[port].fd < 0)
                return listen_open(&m->listener[port]);
        return 0;
}

void modbusd_reset_connections(struct modbusd *m, size_t device)
{
        for (size_t k = 0; k < CONN_MAX; k++)
                if (m->conn[k].fd >= 0 && m->conn[k].port == m->a.regs->device[device].port) {
                        m->conn[k].reset = true;
                        conn_close(&m->conn[k]);
                }
}

void modbusd_half_open(struct modbusd *m, size_t device)
{
        for (size_t k = 0; k < CONN_MAX; k++)
                if (m->conn[k].fd >= 0 && m->conn[k].port == m->a.regs->device[device].port)
                        m->conn[k].half_open = true;
}

void modbusd_stats(const struct modbusd *m, struct modbusd_stats *ret)
{
        *ret = m->stats;
}
