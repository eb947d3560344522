/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/modbus_frame.h"

#include <assert.h>

#define MBAP_LENGTH_MIN 3   /* unit, function, one byte more */
#define MBAP_LENGTH_MAX 254 /* unit and the largest PDU */

static uint16_t be16(const uint8_t *p)
{
        return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
        p[0] = (uint8_t)(v >> 8);
        p[1] = (uint8_t)v;
}

size_t mbframe_request(const struct mbrequest *req, const uint16_t *regs, uint8_t *ret_buf)
{
        ret_buf[0] = req->unit_id;
        ret_buf[1] = req->function;
        put16(ret_buf + 2, req->address);
        put16(ret_buf + 4, req->count);
        if (req->function != MBFRAME_WRITE)
                return 6;
        assert(req->count >= 1 && req->count <= 123);
        ret_buf[6] = (uint8_t)(2 * req->count);
        for (size_t i = 0; i < req->count; i++)
                put16(ret_buf + 7 + 2 * i, regs[i]);
        return 7 + 2u * req->count;
}

void mbframe_header(uint16_t transaction, size_t len, uint8_t *ret_buf)
{
        put16(ret_buf, transaction);
        put16(ret_buf + 2, 0);
        put16(ret_buf + 4, (uint16_t)len);
}

static size_t expected_bytes(const struct mbrequest *req)
{
        return req->function <= MBFRAME_READ_DISCRETE ? (req->count + 7u) / 8 : 2u * req->count;
}

static struct mbframe bad(const char *why)
{
        return (struct mbframe){.verdict = MBFRAME_BAD, .why = why};
}

/* pdu: [n] function code and what follows, complete. */
static struct mbframe check_pdu(const uint8_t *pdu, size_t n, const struct mbrequest *req)
{
        if (pdu[0] == (req->function | 0x80)) {
                if (n != 2)
                        return bad("exception of wrong length");
                return (struct mbframe){.verdict = MBFRAME_EXCEPTION, .exception = pdu[1]};
        }
        if (pdu[0] != req->function)
                return bad("wrong function code");
        if (req->function == MBFRAME_WRITE) {
                if (n != 5)
                        return bad("write reply of wrong length");
                if (be16(pdu + 1) != req->address || be16(pdu + 3) != req->count)
                        return bad("write reply for other registers");
                return (struct mbframe){.verdict = MBFRAME_REPLY};
        }
        size_t want = expected_bytes(req);
        if (n < 2 || pdu[1] != want || n != 2 + want)
                return bad("wrong byte count");
        return (struct mbframe){.verdict = MBFRAME_REPLY, .data = pdu + 2, .ndata = want};
}

struct mbframe mbframe_parse_tcp(const uint8_t *buf, size_t n, const struct mbrequest *req, uint16_t transaction)
{
        const struct mbframe more = {.verdict = MBFRAME_MORE};

        /* Refuse as early as the bytes tell: a peer that is not Modbus must not keep us waiting for more. */
        if (n >= 4 && be16(buf + 2) != 0)
                return bad("not a Modbus header");
        if (n < 6)
                return more;
        size_t length = be16(buf + 4);
        if (length < MBAP_LENGTH_MIN || length > MBAP_LENGTH_MAX)
                return bad("impossible length");
        if (n < 6 + length)
                return more;

        struct mbframe f;
        if (!req || be16(buf) != transaction)
                f = (struct mbframe){.verdict = MBFRAME_STRAY};
        else if (buf[MBFRAME_MBAP] != req->unit_id)
                f = bad("wrong unit id");
        else
                f = check_pdu(buf + MBFRAME_MBAP + 1, length - 1, req);
        f.consumed = 6 + length;
        return f;
}

uint16_t mbframe_crc(const uint8_t *buf, size_t n)
{
        uint16_t crc = 0xFFFF;
        for (size_t i = 0; i < n; i++) {
                crc ^= buf[i];
                for (int k = 0; k < 8; k++)
                        crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
        }
        return crc;
}

/* A serial line has no transaction numbers: what arrives is the answer to the one request or noise. */
struct mbframe mbframe_parse_rtu(const uint8_t *buf, size_t n, const struct mbrequest *req)
{
        size_t need;

        if (!req)
                return (struct mbframe){.verdict = MBFRAME_STRAY, .consumed = n};
        if (n >= 1 && buf[0] != req->unit_id)
                return bad("wrong unit id");
        if (n < 3)
                return (struct mbframe){.verdict = MBFRAME_MORE};
        if (buf[1] == (req->function | 0x80))
                need = 5;
        else if (buf[1] != req->function)
                return bad("wrong function code");
        else if (req->function == MBFRAME_WRITE)
                need = 8;
        else if (buf[2] != expected_bytes(req))
                return bad("wrong byte count");
        else
                need = 3u + buf[2] + 2u;
        if (n < need)
                return (struct mbframe){.verdict = MBFRAME_MORE};
        if (mbframe_crc(buf, need - 2) != (buf[need - 2] | buf[need - 1] << 8))
                return bad("wrong CRC");

        struct mbframe f = check_pdu(buf + 1, need - 3, req);
        f.consumed = n; /* what follows on the line is noise */
        return f;
}
