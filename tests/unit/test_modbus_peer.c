/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "test_modbus_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MBAP 7

static uint16_t get16(const uint8_t *p)
{
        return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, size_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
}

static void close_conn(struct peer *p, int i, bool reset)
{
        struct linger lg = {.l_onoff = 1, .l_linger = 0};
        if (p->conn[i].fd < 0)
                return;
        if (reset)
                (void)setsockopt(p->conn[i].fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
        loop_del_fd(p->loop, p->conn[i].fd);
        (void)close(p->conn[i].fd);
        p->conn[i].fd = -1;
        p->conn[i].n = p->conn[i].nout = p->conn[i].sent = p->conn[i].nlate = 0;
        loop_timer_disarm(p->conn[i].timer);
}

static void send_bytes(struct peer *p, int i, const uint8_t *b, size_t n)
{
        if (send(p->conn[i].fd, b, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                close_conn(p, i, false);
}

static void on_slow(void *ctx)
{
        struct peer *p = *(struct peer **)ctx;
        for (int i = 0; i < PEER_CONNS; i++) {
                if (&p->conn[i].peer != ctx || p->conn[i].fd < 0 || p->conn[i].sent >= p->conn[i].nout)
                        continue;
                loop_timer_arm(p->conn[i].timer, 40);
                size_t at = p->conn[i].sent++;
                send_bytes(p, i, p->conn[i].out + at, 1);
        }
}

static size_t exception_pdu(uint8_t function, unsigned code, uint8_t *pdu)
{
        pdu[0] = function | 0x80;
        pdu[1] = (uint8_t)code;
        return 2;
}

static size_t read_pdu(struct peer *p, const uint8_t *req, uint8_t *pdu)
{
        uint16_t addr = get16(req + 1), count = get16(req + 3);
        bool bits = req[0] <= 2;

        p->reads++;
        p->last_count = count;
        p->writes_in_row = 0;
        if (addr + count > PEER_REGS)
                return exception_pdu(req[0], 2, pdu);
        if (p->max_count > 0 && count > p->max_count)
                return exception_pdu(req[0], 3, pdu);
        for (int i = addr; i < addr + count; i++)
                if (p->illegal[i])
                        return exception_pdu(req[0], 2, pdu);
        if (p->delay_reads > 0 && --p->delay_reads == 0)
                memcpy(p->holding, p->shadow, sizeof(p->holding));
        pdu[0] = req[0];
        pdu[1] = (uint8_t)(bits ? (count + 7) / 8 : 2 * count);
        memset(pdu + 2, 0, pdu[1]);
        for (int i = 0; i < count; i++) {
                if (!bits)
                        put16(pdu + 2 + 2 * i, p->holding[addr + i]);
                else if (p->coil[addr + i])
                        pdu[2 + i / 8] |= (uint8_t)(1u << (i % 8));
        }
        return 2u + pdu[1];
}

static size_t write_pdu(struct peer *p, const uint8_t *req, uint8_t *pdu)
{
        uint16_t addr = get16(req + 1), count = get16(req + 3);

        p->writes++;
        if (++p->writes_in_row > p->max_writes_in_row)
                p->max_writes_in_row = p->writes_in_row;
        if (p->write_exception)
                return exception_pdu(req[0], p->write_exception, pdu);
        if (addr + count > PEER_REGS || req[5] != 2 * count)
                return exception_pdu(req[0], 2, pdu);
        uint16_t *image = p->delay_reads > 0 ? p->shadow : p->holding;
        if (p->delay_reads > 0)
                memcpy(p->shadow, p->holding, sizeof(p->shadow));
        for (int i = 0; i < count && !p->ignore_writes; i++) {
                uint16_t v = get16(req + 6 + 2 * i);
                if (p->clamp > 0 && v > p->clamp)
                        v = p->clamp;
                if (i == 0 || !p->first_word_only)
                        image[addr + i] = v;
        }
        memcpy(pdu, req, 5);
        return 5;
}

static void reply(struct peer *p, int i, const uint8_t *adu)
{
        uint8_t *out = p->conn[i].out, *pdu = out + MBAP;
        const uint8_t *req = adu + MBAP;
        size_t n;

        memcpy(out, adu, MBAP);
        if (p->behaviour == PEER_EXCEPTION)
                n = exception_pdu(req[0], p->exception, pdu);
        else if (p->busy > 0)
                p->busy--, n = exception_pdu(req[0], 6, pdu);
        else if (req[0] == 16)
                n = write_pdu(p, req, pdu);
        else if (req[0] >= 1 && req[0] <= 4)
                n = read_pdu(p, req, pdu);
        else
                n = exception_pdu(req[0], 1, pdu);

        if (p->behaviour == PEER_CUT && n >= 4)
                pdu[1] = (uint8_t)(pdu[1] - 2), n -= 2;
        if (p->behaviour == PEER_OVERLONG)
                pdu[1] = (uint8_t)(pdu[1] + 2), n += 2;
        if (p->behaviour == PEER_WRONG_TID)
                out[1] ^= 0x55;
        if (p->behaviour == PEER_WRONG_UNIT)
                out[6] ^= 0x55;
        if (p->behaviour == PEER_WRONG_FUNCTION)
                pdu[0] ^= 0x07;
        put16(out + 4, n + 1);
        n += MBAP;
        p->conn[i].nout = n;
        p->conn[i].sent = 0;

        uint8_t junk[256];
        memset(junk, 0xA5, sizeof(junk));
        switch (p->behaviour) {
        case PEER_BLACK_HOLE:
                return;
        case PEER_SHORT:
                send_bytes(p, i, out, n / 2);
                return;
        case PEER_SLOW_BYTES:
                loop_timer_arm(p->conn[i].timer, 40);
                return;
        case PEER_GARBAGE:
                send_bytes(p, i, junk, sizeof(junk));
                return;
        case PEER_RESET:
        case PEER_CLOSE:
                close_conn(p, i, p->behaviour == PEER_RESET);
                return;
        case PEER_LATE:
                if (p->conn[i].nlate > 0)
                        send_bytes(p, i, p->conn[i].late_reply, p->conn[i].nlate);
                memcpy(p->conn[i].late_reply, out, n);
                p->conn[i].nlate = n;
                return;
        case PEER_FLOOD:
                out[0] ^= 0x80;
                for (int k = 0; k < 200 && p->conn[i].fd >= 0; k++)
                        send_bytes(p, i, out, n);
                return;
        default:
                break;
        }
        if (p->swallow_write_reply && req[0] == 16)
                return;
        send_bytes(p, i, out, n);
        if (p->behaviour == PEER_HANG_UP_AFTER_REPLY)
                close_conn(p, i, false);
}

static void on_conn(void *ctx, int fd, uint32_t events)
{
        struct peer *p = *(struct peer **)ctx;
        int i = 0;
        (void)events;
        while (&p->conn[i].peer != ctx)
                i++;
        uint8_t *in = p->conn[i].in;
        ssize_t k = recv(fd, in + p->conn[i].n, sizeof(p->conn[i].in) - p->conn[i].n, 0);
        if (k <= 0) {
                close_conn(p, i, false);
                return;
        }
        p->conn[i].n += (size_t)k;
        int whole = 0;
        while (p->conn[i].fd >= 0 && p->conn[i].n >= MBAP && p->conn[i].n >= 6u + get16(in + 4)) {
                size_t len = 6u + get16(in + 4);
                p->requests++;
                p->overlaps += whole++ > 0; /* a second one before the first was answered */
                p->last_unit = in[6];
                if (!p->dead_unit[in[6]])
                        reply(p, i, in);
                if (p->conn[i].fd < 0)
                        return;
                p->conn[i].n -= len;
                memmove(in, in + len, p->conn[i].n);
        }
}

static void on_listen(void *ctx, int fd, uint32_t events)
{
        struct peer *p = ctx;
        (void)events;
        int c = accept(fd, NULL, NULL);
        if (c < 0)
                return;
        for (int i = 0; i < PEER_CONNS; i++) {
                if (p->conn[i].fd >= 0)
                        continue;
                p->conn[i].fd = c;
                p->connections++;
                (void)loop_add_fd(p->loop, c, EPOLLIN, on_conn, &p->conn[i].peer);
                return;
        }
        (void)close(c);
}

static int bound_socket(int *port) /* 0: any */
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(a);
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(fd >= 0);
        if (*port > 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* its old connections linger */
        a.sin_port = htons((uint16_t)*port);
        int r = bind(fd, (struct sockaddr *)&a, sizeof(a));
        assert(r == 0);
        r = getsockname(fd, (struct sockaddr *)&a, &len);
        assert(r == 0);
        *port = ntohs(a.sin_port);
        return fd;
}

int peer_free_port(void)
{
        int port = 0, fd = bound_socket(&port);
        (void)close(fd);
        return port;
}

void peer_come_back(struct peer *p)
{
        p->fd = bound_socket(&p->port);
        int r = listen(p->fd, 8);
        assert(r == 0);
        r = loop_add_fd(p->loop, p->fd, EPOLLIN, on_listen, p);
        assert(r == 0);
}

void peer_go_away(struct peer *p)
{
        for (int i = 0; i < PEER_CONNS; i++)
                close_conn(p, i, true);
        loop_del_fd(p->loop, p->fd);
        (void)close(p->fd);
        p->fd = -1;
}

void peer_start(struct peer *p, struct loop *l)
{
        int r;
        *p = (struct peer){.loop = l};
        peer_come_back(p);
        for (int i = 0; i < PEER_CONNS; i++) {
                p->conn[i].fd = -1;
                p->conn[i].peer = p;
                r = loop_timer_create(l, true, on_slow, &p->conn[i].peer, &p->conn[i].timer);
                assert(r == 0);
        }
        for (int i = 0; i < PEER_REGS; i++)
                p->holding[i] = (uint16_t)(1000 + i);
}

void peer_stop(struct peer *p)
{
        for (int i = 0; i < PEER_CONNS; i++) {
                close_conn(p, i, false);
                loop_timer_free(p->conn[i].timer);
        }
        if (p->fd < 0)
                return;
        loop_del_fd(p->loop, p->fd);
        (void)close(p->fd);
}
