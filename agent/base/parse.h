/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Locale-independent parsing of outside text: the whole string must be the value (digits, end and range checked);
 * "nan", "inf" and trailing junk are refused. 0 or -EINVAL / -ERANGE; outputs untouched on failure.
 */
#ifndef COOLPLANE_BASE_PARSE_H
#define COOLPLANE_BASE_PARSE_H

#include <stddef.h>
#include <stdint.h>

int parse_double(const char *s, double *ret);
int parse_int64(const char *s, int64_t min, int64_t max, int64_t *ret); /* decimal, or 0x… hex */
int parse_duration_ms(const char *s, int64_t *ret_ms);                  /* "100ms" "5s" "15m" "2h" "1d" */
int parse_bytes(const char *s, int64_t *ret);                           /* "512" "64MiB" "2GiB" "1TiB" */
/* Copies with truncation check: 0 or -ENAMETOOLONG (dst untouched). */
int parse_copy(char *dst, size_t cap, const char *src);
/* Shortest decimal that reads back the same double; buf ≥ 32 bytes; '.' whatever the locale. Returns buf. */
char *format_double(double v, char *buf);
/* For a reader: decimals and a unit, "-" when there is no number. buf ≥ 32 bytes. Returns buf. */
char *format_or_dash(double v, int decimals, const char *unit, char *buf);

#endif
