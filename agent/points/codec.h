/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Registers ⇄ numbers, for every type and word order, one path for both directions (encode∘decode = identity).
 * Floats are decoded here and not by libmodbus (byte-order bugs in 3.1.8–3.1.10). Allocates nothing.
 */
#ifndef COOLPLANE_POINTS_CODEC_H
#define COOLPLANE_POINTS_CODEC_H

#include "agent/points/point.h"

/* regs: [point_nregs(p)] as received. Outcome in ret_sample quality/reason: NaN, sentinel or range are outcomes.
 * t_ms is copied. Rate, stuck and stale need history: quality.h. Strings give NaN with QR_PARSE. */
void codec_decode(const struct point *p, const uint16_t *regs, int64_t t_ms, struct sample *ret_sample);

/* A number that arrived as a number (MQTT, log) in the point's unit, not SI: converted, then the same checks as
 * codec_decode. scale and offset apply to points of table mqtt and log; a register point met in a log is taken as
 * already scaled. */
void codec_accept(const struct point *p, double wire_value, int64_t t_ms, struct sample *ret_sample);

/* SI value → registers. Returns 0; -ERANGE when value is not finite or not inside p->min..p->max or the type's range;
 * -ENOTSUP for strings and bits of a shared register. *ret_quantised is the SI value the registers really express. */
int codec_encode(const struct point *p, double value, uint16_t *ret_regs, double *ret_quantised);

/* The SI value that codec_encode would write for `value`, rounded to the register's resolution toward more cooling
 * (safe_dir) or to nearest when safe_dir is 0; clamped into min..max. NaN in → NaN out. */
double codec_quantise(const struct point *p, double value);

const char *point_type_str(enum point_type t);
int point_type_from_str(const char *s); /* −1 if unknown */
const char *point_order_str(enum point_order o);
int point_order_from_str(const char *s); /* −1 if unknown */

#endif
