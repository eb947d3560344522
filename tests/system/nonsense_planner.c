/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A hostile planner for the system tests: nonsense_planner SOCKET SEED SECONDS [KIND]
 * Connects to the gate and answers every step with nonsense of each kind in turn (or of one kind): random bytes, wrong
 * sizes, wrong heads, NaN, infinities, bang-bang, huge numbers, stale answers, floods, foreign VM moves, silence,
 * connect and drop. Prints one line with what it sent; exits 0 when it lived through the time, 1 when it never got a
 * step.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/gate/ipc.h"
#include "models/num/rng.h"

enum nonsense {
        RANDOM_BYTES,
        WRONG_SIZE,
        WRONG_HEAD,
        NOT_A_NUMBER,
        INFINITE,
        BANG_BANG,
        HUGE,
        STALE,
        FLOOD,
        FOREIGN_MOVES,
        SILENT,
        DROP,
        KINDS
};
static const char *const name[KINDS] = {"random", "size",  "head",  "nan",   "inf",    "bang",
                                        "huge",   "stale", "flood", "moves", "silent", "drop"};

static struct {
        struct rng rng;
        struct ipc_step step;
        struct ipc_proposal proposal;
        unsigned char raw[sizeof(struct ipc_proposal) + 64];
        unsigned long sent[KINDS], steps, connects;
} me;

static double now_s(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int dial(const char *path)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd;

        if (strlen(path) >= sizeof a.sun_path)
                return -1;
        memcpy(a.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static void put(int fd, const void *p, size_t n)
{
        (void)send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT); /* a full queue or a closed end is the gate's right */
}

static void well_formed(void)
{
        struct ipc_proposal *p = &me.proposal;
        memset(p, 0, sizeof *p);
        ipc_head_init(&p->head, IPC_PROPOSAL, me.step.head.seq, me.step.head.t_ms, me.step.head.config_hash);
        p->nu = me.step.nu;
        p->in_distribution = 1;
        memcpy(p->u, me.step.u, sizeof p->u);
        p->predicted_w = 1.0;
        memcpy(p->move_name, "trust me", 9);
}

static void fill_random(void)
{
        for (size_t i = 0; i < sizeof me.raw; i++)
                me.raw[i] = (unsigned char)rng_u32(&me.rng);
}

static void bad_head(void)
{
        struct ipc_head *h = &me.proposal.head;
        switch (rng_below(&me.rng, 7)) {
        case 0:
                h->magic ^= 1;
                break;
        case 1:
                h->version++;
                break;
        case 2:
                h->kind = IPC_STEP;
                break;
        case 3:
                h->size--;
                break;
        case 4:
                h->config_hash[rng_below(&me.rng, 32)] ^= 0x80;
                break;
        case 5:
                me.proposal.nu = rng_u32(&me.rng) | 0x80000000u;
                break;
        default:
                me.proposal.nmove = IPC_MOVE_MAX + 1 + rng_below(&me.rng, 1000);
                break;
        }
}

static void set_u(enum nonsense kind)
{
        for (size_t j = 0; j < IPC_U_MAX; j++) {
                const bool odd = rng_below(&me.rng, 2);
                double v = odd ? 1e6 : -1e6;
                if (kind == NOT_A_NUMBER && odd)
                        v = (double)NAN;
                else if (kind == NOT_A_NUMBER)
                        continue;
                else if (kind == INFINITE)
                        v = odd ? (double)INFINITY : -(double)INFINITY;
                else if (kind == BANG_BANG)
                        v = (me.step.head.seq + j) % 2 ? 1e6 : -1e6;
                else if (kind == HUGE)
                        v = rng_range(&me.rng, -1, 1) * 1e308;
                me.proposal.u[j] = v;
        }
}

static void foreign_moves(void)
{
        me.proposal.nmove = IPC_MOVE_MAX;
        for (size_t i = 0; i < IPC_MOVE_MAX; i++) {
                struct ipc_move *m = &me.proposal.move[i];
                if (i % 3 == 0)
                        memset(m, 'x', sizeof *m); /* not terminated */
                else
                        (void)snprintf(m->vm, sizeof m->vm, "%s", i % 3 == 1 ? "../../etc" : "\"},{\"vm\":\"v");
                m->power_w = i % 2 ? (double)NAN : -1e9;
                m->gain_w = (double)INFINITY;
        }
}

/* Returns false when the connection is given up. */
static bool misbehave(int fd, enum nonsense kind)
{
        well_formed();
        switch (kind) {
        case RANDOM_BYTES:
                fill_random();
                put(fd, me.raw, sizeof me.proposal);
                break;
        case WRONG_SIZE:
                fill_random();
                memcpy(me.raw, &me.proposal, sizeof me.proposal.head);
                put(fd, me.raw, 1 + rng_below(&me.rng, (uint32_t)sizeof me.raw));
                break;
        case WRONG_HEAD:
                bad_head();
                put(fd, &me.proposal, sizeof me.proposal);
                break;
        case STALE:
                me.proposal.head.seq -= 1 + rng_below(&me.rng, 100);
                put(fd, &me.proposal, sizeof me.proposal);
                break;
        case FLOOD:
                for (int i = 0; i < 200; i++)
                        put(fd, &me.proposal, sizeof me.proposal);
                break;
        case FOREIGN_MOVES:
                foreign_moves();
                put(fd, &me.proposal, sizeof me.proposal);
                break;
        case SILENT:
                break;
        case DROP:
                me.sent[kind]++;
                return false;
        default:
                set_u(kind);
                put(fd, &me.proposal, sizeof me.proposal);
                break;
        }
        me.sent[kind]++;
        return true;
}

static void live(const char *path, double until_s, int only)
{
        int fd = -1;

        while (now_s() < until_s) {
                struct pollfd p = {.events = POLLIN};
                ssize_t n;
                if (fd < 0 && (fd = dial(path)) < 0) {
                        const struct timespec nap = {0, 200 * 1000 * 1000};
                        nanosleep(&nap, NULL);
                        continue;
                }
                p.fd = fd;
                if (poll(&p, 1, 200) <= 0)
                        continue;
                n = recv(fd, &me.step, sizeof me.step, 0);
                bool keep = n > 0;
                if (n == (ssize_t)sizeof me.step) {
                        me.connects += me.steps == 0;
                        keep = misbehave(fd, only < KINDS ? (enum nonsense)only : (enum nonsense)(me.steps % KINDS));
                        me.steps++;
                }
                if (!keep) {
                        close(fd);
                        fd = -1;
                        me.connects++;
                }
        }
        if (fd >= 0)
                close(fd);
}

int main(int argc, char **argv)
{
        int64_t seed, seconds;
        int only = KINDS;

        if (argc < 4 || argc > 5 || parse_int64(argv[2], 0, INT64_MAX, &seed) < 0 ||
            parse_int64(argv[3], 1, 86400, &seconds) < 0) {
                fprintf(stderr, "usage: nonsense_planner SOCKET SEED SECONDS [KIND]\n");
                return 2;
        }
        if (argc == 5) {
                for (only = 0; only < KINDS && strcmp(argv[4], name[only]) != 0;)
                        only++;
                if (only == KINDS) {
                        fprintf(stderr, "nonsense_planner: no such kind: %s\n", argv[4]);
                        return 2;
                }
        }
        rng_seed(&me.rng, (uint64_t)seed, 0);
        live(argv[1], now_s() + (double)seconds, only);
        printf("nonsense_planner: %lu steps, %lu connections:", me.steps, me.connects);
        for (int k = 0; k < KINDS; k++)
                printf(" %s %lu", name[k], me.sent[k]);
        printf("\n");
        return me.steps ? 0 : 1;
}
