/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* FNV-1a, 64 bits: to tell texts apart where nobody means harm; else hash.h. */
#ifndef COOLPLANE_BASE_FNV_H
#define COOLPLANE_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(14695981039346656037)

static inline uint64_t fnv_add(uint64_t h, const void *data, size_t n)
{
        const unsigned char *c = data;
        for (size_t i = 0; i < n; i++)
                h = (h ^ c[i]) * UINT64_C(1099511628211);
        return h;
}

#endif
