/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/num/bytes.h"

#include <string.h>

uint32_t bytes_crc32(const void *data, size_t n)
{
        static const uint32_t nibble[16] = {
            0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
            0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2acu, 0xa00ae278u, 0xbdbdf21cu};
        const uint8_t *p = data;
        uint32_t c = 0xffffffffu;
        for (size_t i = 0; i < n; i++) {
                c ^= p[i];
                c = (c >> 4) ^ nibble[c & 15u];
                c = (c >> 4) ^ nibble[c & 15u];
        }
        return ~c;
}

uint8_t *bytes_put(uint8_t *p, uint64_t v, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                p[i] = (uint8_t)(v >> (8 * i));
        return p + bytes;
}

uint64_t bytes_get(const uint8_t *p, size_t bytes)
{
        uint64_t v = 0;
        for (size_t i = 0; i < bytes; i++)
                v |= (uint64_t)p[i] << (8 * i);
        return v;
}

uint8_t *bytes_put_f64(uint8_t *p, const double *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t u;
                memcpy(&u, &v[i], sizeof(u));
                p = bytes_put(p, u, 8);
        }
        return p;
}

const uint8_t *bytes_get_f64(const uint8_t *p, double *v, size_t n)
{
        for (size_t i = 0; i < n; i++, p += 8) {
                uint64_t u = bytes_get(p, 8);
                memcpy(&v[i], &u, sizeof(u));
        }
        return p;
}
