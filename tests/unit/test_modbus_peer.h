/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A Modbus TCP server for tests, on the loop under test, that can misbehave in each of the ways real devices do. */
#ifndef COOLPLANE_TESTS_MODBUS_PEER_H
#define COOLPLANE_TESTS_MODBUS_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/loop.h"

#define PEER_REGS 1000
#define PEER_CONNS 8

enum peer_behaviour {
        PEER_OK,
        PEER_BLACK_HOLE, /* takes requests, answers nothing */
        PEER_EXCEPTION,  /* `exception` to everything */
        PEER_SHORT,      /* announces a whole reply, sends half of it */
        PEER_CUT,        /* a reply whose length says it has fewer registers than asked for */
        PEER_OVERLONG,   /* a reply with more registers than asked for */
        PEER_WRONG_TID,
        PEER_WRONG_UNIT,
        PEER_WRONG_FUNCTION,
        PEER_SLOW_BYTES, /* one byte each 40 ms */
        PEER_GARBAGE,
        PEER_RESET,
        PEER_CLOSE,
        PEER_LATE,  /* answers a request only when the next one comes */
        PEER_FLOOD, /* well-formed frames without end instead of an answer */
        PEER_HANG_UP_AFTER_REPLY,
};

struct peer {
        struct loop *loop;
        int fd, port;
        enum peer_behaviour behaviour;
        uint8_t exception;
        bool dead_unit[256];
        uint16_t holding[PEER_REGS];
        bool coil[PEER_REGS];
        bool illegal[PEER_REGS];
        uint16_t max_count; /* more in one read: exception 03; 0 = no limit */
        int busy;           /* so many times exception 06 first */
        bool ignore_writes, first_word_only;
        uint16_t clamp;  /* registers never exceed it; 0 = off */
        int delay_reads; /* a written value shows only after so many reads */
        uint16_t write_exception;
        bool swallow_write_reply; /* applies, does not answer */

        uint64_t requests, reads, writes, overlaps, connections;
        uint8_t last_unit;
        uint16_t last_count;
        int writes_in_row, max_writes_in_row;

        struct {
                int fd;
                struct peer *peer;
                uint8_t in[600];
                size_t n;
                uint8_t out[300];
                size_t nout, sent;
                bool late;
                uint8_t late_reply[300];
                size_t nlate;
                struct loop_timer *timer;
        } conn[PEER_CONNS];
        uint16_t shadow[PEER_REGS];
};

void peer_start(struct peer *p, struct loop *l);
void peer_stop(struct peer *p);
/* The host is gone: its connections are reset and new ones are refused, until it is back on the same port. */
void peer_go_away(struct peer *p);
void peer_come_back(struct peer *p);
/* A port of the loopback on which nobody listens. */
int peer_free_port(void);

#endif
