/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Modbus frames. Input: function, count (u16), address (u16), unit, transaction (u16), then the peer's bytes. Oracles:
 * an answer lies inside the bytes and has the length that was asked for, the same bytes short of one are never an
 * answer, a stream always moves on, and a right answer built from the request is taken.
 */
#include <string.h>

#include "agent/drivers/modbus_frame.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD = 8 };

static size_t want(const struct mbrequest *q)
{
        return q->function == MBFRAME_WRITE ? 0 : q->function <= 2 ? (q->count + 7u) / 8 : 2u * q->count;
}

static void check(const struct mbframe *f, const uint8_t *buf, size_t n, const struct mbrequest *q)
{
        MUST(f->consumed <= n);
        switch (f->verdict) {
        case MBFRAME_REPLY:
                MUST(q && f->ndata == want(q) && f->consumed > 0);
                MUST(f->ndata == 0 || (f->data >= buf && f->data + f->ndata <= buf + f->consumed));
                break;
        case MBFRAME_EXCEPTION:
                MUST(q && f->ndata == 0 && f->consumed > 0);
                break;
        case MBFRAME_BAD:
                MUST(f->why);
                break;
        case MBFRAME_MORE:
        case MBFRAME_STRAY:
                break;
        }
}

static void tcp(const uint8_t *data, size_t size, const struct mbrequest *q, uint16_t transaction)
{
        for (size_t at = 0; at < size;) {
                uint8_t *buf = fuzz_copy(data + at, size - at);
                struct mbframe f = mbframe_parse_tcp(buf, size - at, q, transaction);
                check(&f, buf, size - at, q);
                bool whole = f.verdict == MBFRAME_REPLY || f.verdict == MBFRAME_EXCEPTION || f.verdict == MBFRAME_STRAY;
                free(buf);
                if (!whole)
                        return;
                MUST(f.consumed >= MBFRAME_MBAP + 3);
                for (size_t k = 0; k < f.consumed; k++) {
                        buf = fuzz_copy(data + at, k);
                        MUST(mbframe_parse_tcp(buf, k, q, transaction).verdict == MBFRAME_MORE);
                        free(buf);
                }
                at += f.consumed;
        }
}

static void rtu(const uint8_t *data, size_t size, const struct mbrequest *q)
{
        for (size_t n = size > 300 ? size - 300 : 0; n <= size; n++) {
                uint8_t *buf = fuzz_copy(data, n);
                struct mbframe f = mbframe_parse_rtu(buf, n, q);
                check(&f, buf, n, q);
                if (f.verdict == MBFRAME_REPLY) {
                        size_t len = q->function == MBFRAME_WRITE ? 6 : 3 + f.ndata;
                        MUST(n >= len + 2 && mbframe_crc(buf, len) == (buf[len] | buf[len + 1] << 8));
                }
                free(buf);
        }
}

/* What an honest device would answer, filled with the input's bytes. */
static void honest(const uint8_t *data, size_t size, const struct mbrequest *q, uint16_t transaction)
{
        uint8_t adu[MBFRAME_ADU_MAX + 2], *unit = adu + MBFRAME_MBAP;
        size_t n = want(q), len = q->function == MBFRAME_WRITE ? 6 : 3 + n;
        if (q->function == 0 || (q->function > 4 && q->function != MBFRAME_WRITE) || n > 250 || q->count == 0)
                return;
        uint16_t reg[123] = {0};
        uint8_t request[MBFRAME_REQUEST_MAX];
        if (q->function == MBFRAME_WRITE && q->count > 123)
                return;
        MUST(mbframe_request(q, reg, request) <= sizeof request);
        memcpy(unit, request, 6);
        if (q->function != MBFRAME_WRITE) {
                unit[2] = (uint8_t)n;
                for (size_t i = 0; i < n; i++)
                        unit[3 + i] = size ? data[i % size] : 0;
        }
        mbframe_header(transaction, len, adu);
        struct mbframe f = mbframe_parse_tcp(adu, MBFRAME_MBAP + len, q, transaction);
        MUST(f.verdict == MBFRAME_REPLY && f.consumed == MBFRAME_MBAP + len);
        MUST(f.ndata == 0 || memcmp(f.data, unit + 3, n) == 0);
        uint16_t crc = mbframe_crc(unit, len);
        unit[len] = (uint8_t)crc;
        unit[len + 1] = (uint8_t)(crc >> 8);
        f = mbframe_parse_rtu(unit, len + 2, q);
        MUST(f.verdict == MBFRAME_REPLY && f.consumed == len + 2);
        unit[0] ^= 1;
        MUST(mbframe_parse_rtu(unit, len + 2, q).verdict == MBFRAME_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < HEAD)
                return 0;
        static const uint8_t functions[] = {1, 2, 3, 4, 16};
        struct mbrequest q = {.unit_id = data[5],
                              .function = functions[data[0] % sizeof functions],
                              .address = (uint16_t)(data[3] | data[4] << 8),
                              .count = (uint16_t)(data[1] | data[2] << 8)};
        uint16_t transaction = (uint16_t)(data[6] << 8 | data[7]);
        data += HEAD;
        size -= HEAD;
        tcp(data, size, &q, transaction);
        tcp(data, size, NULL, transaction);
        rtu(data, size, &q);
        rtu(data, size, NULL);
        honest(data, size, &q, transaction);
        return 0;
}
