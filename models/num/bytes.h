/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Little-endian fields and CRC-32 (IEEE 802.3) of model files. Caller's memory. */
#ifndef COOLPLANE_NUM_BYTES_H
#define COOLPLANE_NUM_BYTES_H

#include <stddef.h>
#include <stdint.h>

uint32_t bytes_crc32(const void *p, size_t n);

/* The low `bytes` (1–8) bytes of v. Returns the position behind them. */
uint8_t *bytes_put(uint8_t *p, uint64_t v, size_t bytes);
uint64_t bytes_get(const uint8_t *p, size_t bytes);

/* n doubles by their IEEE 754 bits. Return the position behind them. */
uint8_t *bytes_put_f64(uint8_t *p, const double *v, size_t n);
const uint8_t *bytes_get_f64(const uint8_t *p, double *v, size_t n);

#endif
