/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/codec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/points/units.h"

/* A raw number this close to an integer (in units of the register's resolution) is that integer: otherwise 18.0 °C
 * at 0.1 °C per count would round to the next count and a quantised value would not stay where it is. */
#define GRID_EPS 1e-6

static const char *const type_names[] = {"bit",   "int16",  "uint16",  "int32",   "uint32",
                                         "int64", "uint64", "float32", "float64", "string"};
static const char *const order_names[] = {"AB",       "BA",       "ABCD",     "DCBA",     "BADC",     "CDAB",
                                          "ABCDEFGH", "BADCFEHG", "HGFEDCBA", "GHEFCDAB", "CDABGHEF", "EFGHABCD"};

const char *point_type_str(enum point_type t)
{
        return (size_t)t < sizeof(type_names) / sizeof(type_names[0]) ? type_names[t] : "?";
}

int point_type_from_str(const char *s)
{
        for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
                if (strcmp(s, type_names[i]) == 0)
                        return (int)i;
        return -1;
}

const char *point_order_str(enum point_order o)
{
        return (size_t)o < sizeof(order_names) / sizeof(order_names[0]) ? order_names[o] : "?";
}

int point_order_from_str(const char *s)
{
        for (size_t i = 0; i < sizeof(order_names) / sizeof(order_names[0]); i++)
                if (strcmp(s, order_names[i]) == 0)
                        return (int)i;
        return -1;
}

/* The order's letters say which byte of the value (A = most significant) travels at each place. An order whose width
 * is not the type's (a bug the loader refuses) falls back to network order. */
static const char *order_letters(const struct point *p, size_t nbytes)
{
        const char *s = order_names[p->order];
        return strlen(s) == nbytes ? s : &"ABCDEFGH"[0];
}

static uint64_t bits_from_regs(const struct point *p, const uint16_t *regs, size_t nregs)
{
        const char *order = order_letters(p, 2 * nregs);
        uint64_t bits = 0;
        for (size_t k = 0; k < 2 * nregs; k++) {
                uint64_t byte = (k % 2 == 0 ? regs[k / 2] >> 8 : regs[k / 2]) & 0xFFu;
                size_t from_msb = (size_t)(order[k] - 'A');
                bits |= byte << (8 * (2 * nregs - 1 - from_msb));
        }
        return bits;
}

static void bits_to_regs(const struct point *p, uint64_t bits, uint16_t *regs, size_t nregs)
{
        const char *order = order_letters(p, 2 * nregs);
        memset(regs, 0, nregs * sizeof(regs[0]));
        for (size_t k = 0; k < 2 * nregs; k++) {
                size_t from_msb = (size_t)(order[k] - 'A');
                unsigned byte = (unsigned)(bits >> (8 * (2 * nregs - 1 - from_msb))) & 0xFFu;
                regs[k / 2] = (uint16_t)(regs[k / 2] | (k % 2 == 0 ? byte << 8 : byte));
        }
}

static bool is_integer(enum point_type t)
{
        return t >= POINT_INT16 && t <= POINT_UINT64;
}

/* Bits of the type → number; signed types by two's complement. */
static double number_from_bits(enum point_type t, uint64_t bits)
{
        float f;
        double d;
        uint32_t lo = (uint32_t)bits;
        switch (t) {
        case POINT_INT16:
                return bits >= 0x8000u ? (double)bits - 65536.0 : (double)bits;
        case POINT_INT32:
                return bits >= 0x80000000u ? (double)bits - 4294967296.0 : (double)bits;
        case POINT_INT64:
                return bits >> 63 ? -(double)(~bits + 1) : (double)bits;
        case POINT_FLOAT32:
                memcpy(&f, &lo, sizeof(f));
                return (double)f;
        case POINT_FLOAT64:
                memcpy(&d, &bits, sizeof(d));
                return d;
        case POINT_BIT:
        case POINT_UINT16:
        case POINT_UINT32:
        case POINT_UINT64:
        case POINT_STRING:
                break;
        }
        return (double)bits;
}

/* Range of the raw number a type can hold. For 64 bits hi is the largest double below 2^63 or 2^64. */
static void type_range(enum point_type t, double *ret_lo, double *ret_hi)
{
        double lo = 0, hi = 1;
        switch (t) {
        case POINT_INT16:
                lo = -32768, hi = 32767;
                break;
        case POINT_UINT16:
                hi = 65535;
                break;
        case POINT_INT32:
                lo = -2147483648.0, hi = 2147483647.0;
                break;
        case POINT_UINT32:
                hi = 4294967295.0;
                break;
        case POINT_INT64:
                lo = -9223372036854775808.0, hi = 9223372036854774784.0;
                break;
        case POINT_UINT64:
                hi = 18446744073709549568.0;
                break;
        case POINT_FLOAT32:
                hi = 3.4028234663852886e38, lo = -hi;
                break;
        case POINT_FLOAT64:
                hi = 1.7976931348623157e308, lo = -hi;
                break;
        case POINT_BIT:
        case POINT_STRING:
                break;
        }
        *ret_lo = lo, *ret_hi = hi;
}

static uint64_t bits_from_number(enum point_type t, double raw)
{
        float f;
        uint32_t lo;
        uint64_t bits;
        switch (t) {
        case POINT_FLOAT32:
                f = (float)raw;
                memcpy(&lo, &f, sizeof(lo));
                return lo;
        case POINT_FLOAT64:
                memcpy(&bits, &raw, sizeof(bits));
                return bits;
        case POINT_INT16:
                return (uint64_t)(int64_t)raw & 0xFFFFu;
        case POINT_INT32:
                return (uint64_t)(int64_t)raw & 0xFFFFFFFFu;
        case POINT_INT64:
                return (uint64_t)(int64_t)raw;
        case POINT_BIT:
        case POINT_UINT16:
        case POINT_UINT32:
        case POINT_UINT64:
        case POINT_STRING:
                break;
        }
        return (uint64_t)raw;
}

static double wire_from_raw(const struct point *p, double raw)
{
        return raw * p->scale + p->offset;
}

static double si_from_raw(const struct point *p, double raw)
{
        return unit_to_si((enum unit)p->unit, wire_from_raw(p, raw));
}

static double raw_from_si(const struct point *p, double value)
{
        return (unit_from_si((enum unit)p->unit, value) - p->offset) / p->scale;
}

static bool wire_equal(const struct point *p, double a, double b)
{
        double tol = 1e-9 * fabs(b);
        if (is_integer(p->type))
                tol = 0.25 * fabs(p->scale);
        else if (p->type == POINT_FLOAT32)
                tol = 1e-6 * fabs(b); /* −999.9 has no exact float */
        return fabs(a - b) <= tol;
}

/* Quality of one reading from its value alone. wire: engineering unit of the wire. */
static void judge(const struct point *p, const uint64_t *bits, double wire, struct sample *s)
{
        s->quality = QUALITY_BAD;
        for (size_t i = 0; i < p->ninvalid; i++) {
                const struct point_invalid *v = &p->invalid[i];
                bool hit = false;
                if (v->kind == INVALID_RAW)
                        hit = bits != NULL && *bits == v->raw;
                else if (v->kind == INVALID_VALUE)
                        hit = wire_equal(p, wire, v->value);
                else
                        hit = isnan(wire);
                if (hit) {
                        s->reason = QR_SENTINEL;
                        return;
                }
        }
        int cls = fpclassify(s->raw);
        bool denormal32 = p->type == POINT_FLOAT32 && s->raw != 0 && fabs(s->raw) < 1.17549435e-38;
        if ((cls != FP_NORMAL && cls != FP_ZERO) || denormal32 || !isfinite(s->value)) {
                s->reason = QR_NAN;
                s->value = (double)NAN;
                return;
        }
        if ((!isnan(p->valid_min) && !(s->value >= p->valid_min)) ||
            (!isnan(p->valid_max) && !(s->value <= p->valid_max))) {
                s->reason = QR_OUT_OF_RANGE;
                return;
        }
        s->quality = QUALITY_GOOD;
        s->reason = QR_NONE;
}

void codec_decode(const struct point *p, const uint16_t *regs, int64_t t_ms, struct sample *ret_sample)
{
        struct sample s = {.point = ret_sample->point, .t_ms = t_ms, .value = (double)NAN, .raw = (double)NAN};
        if (p->type == POINT_STRING) {
                s.quality = QUALITY_BAD;
                s.reason = QR_PARSE;
                *ret_sample = s;
                return;
        }
        uint64_t bits;
        if (p->type == POINT_BIT && (p->table == POINT_TABLE_COIL || p->table == POINT_TABLE_DISCRETE))
                bits = regs[0] != 0;
        else if (p->type == POINT_BIT)
                bits = (bits_from_regs(p, regs, 1) >> p->bit) & 1u;
        else
                bits = bits_from_regs(p, regs, point_nregs(p));
        s.raw = number_from_bits(p->type, bits);
        s.value = si_from_raw(p, s.raw);
        judge(p, &bits, wire_from_raw(p, s.raw), &s);
        *ret_sample = s;
}

void codec_accept(const struct point *p, double wire_value, int64_t t_ms, struct sample *ret_sample)
{
        struct sample s = {.point = ret_sample->point, .t_ms = t_ms};
        /* MQTT and log columns carry the device's own number, so scale and offset apply; a register point met in a log
         * was scaled by whoever recorded it. */
        bool scaled = p->table != POINT_TABLE_MQTT && p->table != POINT_TABLE_LOG;
        s.raw = scaled ? (wire_value - p->offset) / p->scale : wire_value;
        double wire = scaled ? wire_value : wire_from_raw(p, wire_value);
        s.value = unit_to_si((enum unit)p->unit, wire);

        double lo, hi;
        uint64_t bits = 0;
        type_range(p->type, &lo, &hi);
        bool have_bits = is_integer(p->type) && fabs(s.raw - rint(s.raw)) < 1e-3 && s.raw >= lo && s.raw <= hi;
        if (have_bits)
                bits = bits_from_number(p->type, rint(s.raw));
        judge(p, have_bits ? &bits : NULL, wire, &s);
        *ret_sample = s;
}

/* Smallest and largest raw number inside both min..max and the type. Integers: whole numbers, empty when lo > hi. */
static void raw_bounds(const struct point *p, double *ret_lo, double *ret_hi)
{
        double lo, hi;
        type_range(p->type, &lo, &hi);
        double a = isnan(p->min) ? -HUGE_VAL : raw_from_si(p, p->min);
        double b = isnan(p->max) ? HUGE_VAL : raw_from_si(p, p->max);
        if (p->scale < 0) {
                double t = isnan(p->max) ? -HUGE_VAL : b;
                b = isnan(p->min) ? HUGE_VAL : a;
                a = t;
        }
        if (is_integer(p->type) || p->type == POINT_BIT) {
                a = ceil(a - GRID_EPS);
                b = floor(b + GRID_EPS);
        }
        *ret_lo = fmax(lo, a);
        *ret_hi = fmin(hi, b);
}

/* Raw number → one the type can hold; dir: −1 down, +1 up, 0 nearest. */
static double raw_round(enum point_type t, double raw, int dir)
{
        if (t == POINT_FLOAT64)
                return raw;
        if (t == POINT_FLOAT32) {
                if (!(fabs(raw) <= 3.4028234663852886e38))
                        return raw;
                float f = (float)raw;
                if (fabs((double)f - raw) <= 1e-12 * fabs(raw) || dir == 0)
                        return (double)f;
                if (dir > 0 && (double)f < raw)
                        f = nextafterf(f, INFINITY);
                if (dir < 0 && (double)f > raw)
                        f = nextafterf(f, -INFINITY);
                return (double)f;
        }
        double near = rint(raw);
        if (dir == 0 || fabs(raw - near) <= GRID_EPS)
                return near;
        return dir > 0 ? ceil(raw) : floor(raw);
}

double codec_quantise(const struct point *p, double value)
{
        if (isnan(value) || p->type == POINT_STRING)
                return (double)NAN;
        double lo, hi;
        raw_bounds(p, &lo, &hi);
        if (!(lo <= hi))
                return (double)NAN;
        double raw = raw_round(p->type, raw_from_si(p, value), p->scale < 0 ? -p->safe_dir : p->safe_dir);
        if (p->type == POINT_FLOAT32) { /* the bound itself must be a float inside the range */
                lo = raw_round(POINT_FLOAT32, lo, +1);
                hi = raw_round(POINT_FLOAT32, hi, -1);
        }
        return si_from_raw(p, fmin(fmax(raw, lo), hi));
}

int codec_encode(const struct point *p, double value, uint16_t *ret_regs, double *ret_quantised)
{
        bool table_bit = p->table == POINT_TABLE_COIL || p->table == POINT_TABLE_DISCRETE;
        if (p->type == POINT_STRING || (p->type == POINT_BIT && !table_bit))
                return -ENOTSUP;
        if (!isfinite(value) || (p->writable && (isnan(p->min) || isnan(p->max))))
                return -ERANGE;
        /* A quantised bound may differ from the configured one in the last bits. */
        double tol = 1e-9 * fmax(1, fabs(value));
        if ((!isnan(p->min) && !(value >= p->min - tol)) || (!isnan(p->max) && !(value <= p->max + tol)))
                return -ERANGE;
        double lo, hi;
        raw_bounds(p, &lo, &hi);
        double raw = raw_round(p->type, raw_from_si(p, value), 0);
        double slack = is_integer(p->type) || p->type == POINT_BIT ? 0 : 1e-6 * fabs(raw);
        if (!(raw >= lo - slack && raw <= hi + slack))
                return -ERANGE;
        if (p->type == POINT_FLOAT32 && !(fabs(raw) <= 3.4028234663852886e38))
                return -ERANGE;
        if (p->type == POINT_BIT)
                ret_regs[0] = raw != 0;
        else
                bits_to_regs(p, bits_from_number(p->type, raw), ret_regs, point_nregs(p));
        *ret_quantised = si_from_raw(p, raw);
        return 0;
}
