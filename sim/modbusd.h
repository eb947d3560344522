/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Modbus TCP server of the simulated devices, on the event loop: one listening socket a TCP port, many connections,
 * requests answered in order. Function codes 3, 4, 6 and 16; everything else is exception 01. Devices can be told to
 * misbehave, one mode each. Test equipment: loopback only.
 */
#ifndef COOLPLANE_SIM_MODBUSD_H
#define COOLPLANE_SIM_MODBUSD_H

#include "agent/base/loop.h"
#include "sim/registers.h"

enum modbusd_mode {
        MODBUSD_NORMAL,
        MODBUSD_BLACKHOLE, /* takes requests, never answers */
        MODBUSD_GARBAGE,   /* answers with random bytes */
        MODBUSD_EXCEPTION, /* answers an exception to everything; arg: its code */
        MODBUSD_REFUSE,    /* its TCP port refuses connections (a gateway's port takes all its units along) */
        /* the request is carried out, but its answer … */
        MODBUSD_RESET,        /* … is cut off by a reset */
        MODBUSD_TRUNCATED,    /* … ends half-way */
        MODBUSD_SHORT,        /* … has a register less than was asked for */
        MODBUSD_OVERLONG,     /* … has two more */
        MODBUSD_WRONG_LENGTH, /* … is longer or shorter than its header says */
        MODBUSD_WRONG_UNIT,   /* … comes from another unit */
        MODBUSD_WRONG_TID,    /* … belongs to another transaction */
        MODBUSD_LATE,         /* … comes after the next request */
        MODBUSD_SLOW,         /* … takes arg times 5 ms, byte by byte */
        MODBUSD_FLOOD,        /* … drowns in frames nobody asked for, which its port sends without end */
};

/* Magic registers: a read that begins at MODBUSD_MAGIC + 16 × mode, holding or input, of any device, is answered with
 * zeros in that mode, once: a hostile peer among registers that behave. Exception is code 04 then, slow takes 1 s;
 * NORMAL, and REFUSE and FLOOD, which are of a whole port, have none; a device's own mode goes before. */
#define MODBUSD_MAGIC 0xff00u

struct modbusd_write {
        const struct reg_device *device;
        uint8_t function;
        uint16_t address, count;
        const uint16_t *regs;
        int exception; /* 0 = accepted */
};

struct modbusd_args {
        struct loop *loop;      /* borrowed */
        struct registers *regs; /* borrowed */
        uint16_t base_port;     /* port k listens on base_port + k; 0: any free ports */
        uint64_t seed;          /* of the garbage */
        void (*written)(void *ctx,
                        const struct modbusd_write *w); /* every write request, refused ones too; may be NULL */
        void *ctx;
};

struct modbusd;
int modbusd_create(const struct modbusd_args *a, struct modbusd **ret); /* -EADDRINUSE … */
struct modbusd *modbusd_free(struct modbusd *m);
uint16_t modbusd_port(const struct modbusd *m, size_t port_index);
int modbusd_set_mode(struct modbusd *m, size_t device, enum modbusd_mode mode, double arg);
/* What happens to the connections of the device's port that are open now. Half-open: the peer is gone without a word,
 * nothing that is sent there is answered; a new connection is served. */
void modbusd_reset_connections(struct modbusd *m, size_t device);
void modbusd_half_open(struct modbusd *m, size_t device);

struct modbusd_stats {
        uint64_t requests, writes, exceptions, connections, protocol_errors;
};
void modbusd_stats(const struct modbusd *m, struct modbusd_stats *ret);

#endif
