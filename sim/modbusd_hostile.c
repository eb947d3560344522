/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/modbusd_hostile.h"

#include <string.h>

enum { LENGTH = 4, UNIT = 6, FUNCTION = 7, BYTES = 8, DATA = 9 }; /* offsets in the frame */

static void add_length(uint8_t *frame, int by)
{
        unsigned v = (unsigned)((frame[LENGTH] << 8) | frame[LENGTH + 1]) + (unsigned)by;

        frame[LENGTH] = (uint8_t)(v >> 8);
        frame[LENGTH + 1] = (uint8_t)v;
}

static bool is_read(const uint8_t *frame, size_t n)
{
        return n > DATA && (frame[FUNCTION] == 3 || frame[FUNCTION] == 4);
}

/* Consistent in itself: header and byte count agree with what is sent. */
static size_t resize(uint8_t *frame, size_t n, int by)
{
        if (is_read(frame, n))
                frame[BYTES] = (uint8_t)(frame[BYTES] + by);
        add_length(frame, by);
        const int sum = (int)n + by;

        return sum > 0 ? (size_t)sum : 0;
}

size_t modbusd_hostile(enum modbusd_mode mode, uint8_t chance, uint8_t *frame, size_t n)
{
        switch (mode) {
        case MODBUSD_RESET:
        case MODBUSD_TRUNCATED:
                return n / 2;
        case MODBUSD_SHORT:
                return resize(frame, n, is_read(frame, n) ? -2 : -1);
        case MODBUSD_OVERLONG:
                memset(frame + n, 0x2a, MODBUSD_HOSTILE_EXTRA);
                return resize(frame, n, MODBUSD_HOSTILE_EXTRA);
        case MODBUSD_WRONG_LENGTH:
                add_length(frame, chance & 1 ? 3 : -1);
                return n;
        case MODBUSD_WRONG_UNIT:
                frame[UNIT] ^= 0x55;
                return n;
        case MODBUSD_WRONG_TID:
                frame[0] ^= 0x40;
                return n;
        case MODBUSD_NORMAL:
        case MODBUSD_BLACKHOLE:
        case MODBUSD_GARBAGE:
        case MODBUSD_EXCEPTION:
        case MODBUSD_REFUSE:
        case MODBUSD_LATE:
        case MODBUSD_SLOW:
        case MODBUSD_FLOOD:
                break;
        }
        return n;
}

size_t modbusd_unsolicited(uint8_t *ret_frame)
{
        static const uint8_t frame[] = {0xbe, 0xef, 0, 0, 0, 5, 0xfe, 3, 2, 0x12, 0x34};

        memcpy(ret_frame, frame, sizeof(frame));
        return sizeof(frame);
}
