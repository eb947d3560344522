/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Modbus requests to bytes, and bytes of a peer nobody trusts to an outcome: unit, transaction, function, byte count
 * and CRC are checked here, before anything is believed. Pure; allocates nothing; fuzzed.
 */
#ifndef COOLPLANE_DRIVERS_MODBUS_FRAME_H
#define COOLPLANE_DRIVERS_MODBUS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define MBFRAME_MBAP 6          /* TCP header before the unit id */
#define MBFRAME_ADU_MAX 260     /* header, unit id and PDU of 253 */
#define MBFRAME_REQUEST_MAX 254 /* unit + PDU */

enum { MBFRAME_READ_COILS = 1, MBFRAME_READ_DISCRETE, MBFRAME_READ_HOLDING, MBFRAME_READ_INPUT, MBFRAME_WRITE = 16 };

struct mbrequest {
        uint8_t unit_id;
        uint8_t function; /* 1–4 read, 16 write */
        uint16_t address, count;
};

enum mbframe_verdict {
        MBFRAME_MORE,      /* not complete yet, fine so far */
        MBFRAME_REPLY,     /* data: the bits or registers as sent (reads), nothing (write) */
        MBFRAME_EXCEPTION, /* exception: its code */
        MBFRAME_STRAY,     /* a whole frame, but no answer to this request (late, unsolicited): skip `consumed` bytes */
        MBFRAME_BAD,       /* not what was asked for, or not Modbus: the stream is lost; why says */
};

struct mbframe {
        enum mbframe_verdict verdict;
        size_t consumed;
        const uint8_t *data; /* inside buf */
        size_t ndata;
        uint8_t exception;
        const char *why; /* static text */
};

/* Unit id and PDU, the form modbus_send_raw_request takes. regs: [count] for a write. Returns the length. */
size_t mbframe_request(const struct mbrequest *req, const uint16_t *regs, uint8_t *ret_buf);

/* The header of a TCP request whose unit id and PDU are len bytes: MBFRAME_MBAP bytes. */
void mbframe_header(uint16_t transaction, size_t len, uint8_t *ret_buf);

/* req NULL: nothing is in flight, every frame is a stray. */
struct mbframe mbframe_parse_tcp(const uint8_t *buf, size_t n, const struct mbrequest *req, uint16_t transaction);
struct mbframe mbframe_parse_rtu(const uint8_t *buf, size_t n, const struct mbrequest *req);

uint16_t mbframe_crc(const uint8_t *buf, size_t n);

#endif
