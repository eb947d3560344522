/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Modbus TCP server of the simulated devices, on the event loop: one listening socket a TCP port, many connections,
 * requests answered in order. Function codes 3, 4, 6 and 16; everything else is exception 01. Devices can be told to
 * misbehave. Test equipment: loopback only.
 */
#ifndef COOLPLANE_SIM_MODBUSD_H
#define COOLPLANE_SIM_MODBUSD_H

#include "agent/base/loop.h"
#include "sim/registers.h"

enum modbusd_mode {
        MODBUSD_NORMAL,
        MODBUSD_BLACKHOLE, /* takes requests, never answers */
        MODBUSD_GARBAGE,   /* answers with random bytes */
        MODBUSD_EXCEPTION, /* answers 04 to everything */
        MODBUSD_REFUSE,    /* its TCP port refuses connections (a gateway's port takes all its units along) */
};

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
int modbusd_set_mode(struct modbusd *m, size_t device, enum modbusd_mode mode);

struct modbusd_stats {
        uint64_t requests, writes, exceptions, connections, protocol_errors;
};
void modbusd_stats(const struct modbusd *m, struct modbusd_stats *ret);

#endif
