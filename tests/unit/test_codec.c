/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/points/codec.h"
#include "agent/points/units.h"
#include "models/num/rng.h"

static uint64_t seed;

static struct point point_of(enum point_type type, enum point_order order)
{
        struct point p = {.table = POINT_TABLE_HOLDING, .type = type, .order = order, .scale = 1, .unit = UNIT_NONE};
        p.valid_min = p.valid_max = p.max_rate = p.min = p.max = p.default_value = p.max_step = (double)NAN;
        return p;
}

static double decode(const struct point *p, const uint16_t *regs)
{
        struct sample s = {0};
        codec_decode(p, regs, 7, &s);
        assert_int_equal(s.t_ms, 7);
        return s.quality == QUALITY_GOOD ? s.value : (double)NAN;
}

/* Value 0x01020304 (…0506 0708) tells each byte apart: its place on the wire is the order's letters. */
static void test_order_vectors(void **state)
{
        (void)state;
        const struct {
                enum point_type type;
                const char *order;
                uint16_t regs[4];
        } v[] = {
            {POINT_UINT16, "AB", {0x0102}},
            {POINT_UINT16, "BA", {0x0201}},
            {POINT_UINT32, "ABCD", {0x0102, 0x0304}},
            {POINT_UINT32, "DCBA", {0x0403, 0x0201}},
            {POINT_UINT32, "BADC", {0x0201, 0x0403}},
            {POINT_UINT32, "CDAB", {0x0304, 0x0102}},
            {POINT_UINT64, "ABCDEFGH", {0x0102, 0x0304, 0x0506, 0x0708}},
            {POINT_UINT64, "BADCFEHG", {0x0201, 0x0403, 0x0605, 0x0807}},
            {POINT_UINT64, "HGFEDCBA", {0x0807, 0x0605, 0x0403, 0x0201}},
            {POINT_UINT64, "GHEFCDAB", {0x0708, 0x0506, 0x0304, 0x0102}},
            {POINT_UINT64, "CDABGHEF", {0x0304, 0x0102, 0x0708, 0x0506}},
            {POINT_UINT64, "EFGHABCD", {0x0506, 0x0708, 0x0102, 0x0304}},
        };
        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                int o = point_order_from_str(v[i].order);
                assert_true(o >= 0);
                assert_string_equal(point_order_str((enum point_order)o), v[i].order);
                struct point p = point_of(v[i].type, (enum point_order)o);
                uint64_t want = v[i].type == POINT_UINT16   ? 0x0102
                                : v[i].type == POINT_UINT32 ? 0x01020304
                                                            : 0x0102030405060708;
                assert_true(decode(&p, v[i].regs) == (double)want);
        }
        assert_int_equal(point_order_from_str("ABDC"), -1);
        assert_int_equal(point_type_from_str("int24"), -1);
        for (int t = POINT_BIT; t <= POINT_STRING; t++)
                assert_int_equal(point_type_from_str(point_type_str((enum point_type)t)), t);
}

static void test_pinned_values(void **state)
{
        (void)state;
        struct point p = point_of(POINT_INT16, ORDER_AB);
        p.scale = 0.1;
        p.unit = UNIT_DEGC;
        assert_true(fabs(decode(&p, (uint16_t[]){0xFFFF}) + 0.1) < 1e-12); /* −0.1 °C, not 6553.5 */
        assert_true(fabs(decode(&p, (uint16_t[]){0x8000}) + 3276.8) < 1e-9);
        assert_true(fabs(decode(&p, (uint16_t[]){0x7FFF}) - 3276.7) < 1e-9);

        p = point_of(POINT_INT32, ORDER_CDAB);
        assert_true(decode(&p, (uint16_t[]){0xFFFE, 0xFFFF}) == -2);
        p = point_of(POINT_INT64, ORDER_ABCDEFGH);
        assert_true(decode(&p, (uint16_t[]){0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD}) == -3);
        assert_true(decode(&p, (uint16_t[]){0x8000, 0, 0, 0}) == -9223372036854775808.0);

        p = point_of(POINT_FLOAT32, ORDER_CDAB); /* 21.5 = 0x41AC0000 */
        assert_true(decode(&p, (uint16_t[]){0x0000, 0x41AC}) == 21.5);
        p = point_of(POINT_FLOAT64, ORDER_ABCDEFGH); /* −2 = 0xC000… */
        assert_true(decode(&p, (uint16_t[]){0xC000, 0, 0, 0}) == -2);

        p = point_of(POINT_UINT16, ORDER_AB); /* 555 tenths of °F */
        p.scale = 0.1;
        p.unit = UNIT_DEGF;
        assert_true(fabs(decode(&p, (uint16_t[]){555}) - (55.5 - 32) * 5 / 9) < 1e-9);
        p.unit = UNIT_DELTA_F;
        assert_true(fabs(decode(&p, (uint16_t[]){90}) - 5) < 1e-9);

        p = point_of(POINT_BIT, ORDER_AB);
        p.bit = 3;
        assert_true(decode(&p, (uint16_t[]){0x0008}) == 1 && decode(&p, (uint16_t[]){0xFFF7}) == 0);
        p.order = ORDER_BA;
        assert_true(decode(&p, (uint16_t[]){0x0800}) == 1 && decode(&p, (uint16_t[]){0x0008}) == 0);
        p.bit = 15;
        p.order = ORDER_AB;
        assert_true(decode(&p, (uint16_t[]){0x8000}) == 1);
        p.table = POINT_TABLE_COIL;
        assert_true(decode(&p, (uint16_t[]){1}) == 1 && decode(&p, (uint16_t[]){0}) == 0);
}

/* Encode ∘ decode = identity: registers → value → registers for every type and order of its width. */
static void test_identity(void **state)
{
        (void)state;
        struct rng rng;
        rng_seed(&rng, seed, 1);
        for (int t = POINT_INT16; t <= POINT_FLOAT64; t++) {
                size_t n = t <= POINT_UINT16 ? 1 : t == POINT_INT32 || t == POINT_UINT32 || t == POINT_FLOAT32 ? 2 : 4;
                int lo = n == 1 ? ORDER_AB : n == 2 ? ORDER_ABCD : ORDER_ABCDEFGH;
                int hi = n == 1 ? ORDER_BA : n == 2 ? ORDER_CDAB : ORDER_EFGHABCD;
                for (int o = lo; o <= hi; o++) {
                        struct point p = point_of((enum point_type)t, (enum point_order)o);
                        assert_int_equal(point_nregs(&p), n);
                        for (int k = 0; k < 500; k++) {
                                uint16_t regs[4], back[4];
                                for (size_t i = 0; i < n; i++)
                                        regs[i] = (uint16_t)rng_u32(&rng);
                                double v = decode(&p, regs), q;
                                if (isnan(v))
                                        continue; /* a random NaN or denormal */
                                if ((t == POINT_INT64 || t == POINT_UINT64) && fabs(v) > 9007199254740992.0)
                                        continue; /* a double cannot tell neighbours apart */
                                assert_int_equal(codec_encode(&p, v, back, &q), 0);
                                assert_memory_equal(regs, back, n * sizeof(regs[0]));
                                assert_true(q == v);
                        }
                        /* and small numbers of 64 bits, which random registers never are */
                        for (int k = 0; k < 100; k++) {
                                double v = (double)rng_below(&rng, 1u << 30) * (double)(1 + rng_below(&rng, 1u << 20));
                                if (t == POINT_INT64 && k % 2)
                                        v = -v;
                                if (n < 4)
                                        break;
                                uint16_t regs[4];
                                double q;
                                assert_int_equal(codec_encode(&p, v, regs, &q), 0);
                                assert_true(decode(&p, regs) == v && q == v);
                        }
                }
        }
}

static void expect(const struct point *p, const uint16_t *regs, enum quality q, enum quality_reason r)
{
        struct sample s = {.point = 42};
        codec_decode(p, regs, 0, &s);
        assert_int_equal(s.point, 42);
        assert_int_equal(s.quality, q);
        assert_int_equal(s.reason, r);
}

static void r16_sentinels_and_range(void **state)
{
        (void)state;
        struct point p = point_of(POINT_INT16, ORDER_AB);
        p.scale = 0.1;
        p.unit = UNIT_DEGC;
        p.invalid[0] = (struct point_invalid){.kind = INVALID_RAW, .raw = 0x8000};
        p.invalid[1] = (struct point_invalid){.kind = INVALID_VALUE, .value = 255};
        p.ninvalid = 2;
        expect(&p, (uint16_t[]){0x8000}, QUALITY_BAD, QR_SENTINEL);
        expect(&p, (uint16_t[]){0x8001}, QUALITY_GOOD, QR_NONE);
        expect(&p, (uint16_t[]){2550}, QUALITY_BAD, QR_SENTINEL);
        expect(&p, (uint16_t[]){2549}, QUALITY_GOOD, QR_NONE);
        expect(&p, (uint16_t[]){2551}, QUALITY_GOOD, QR_NONE);
        p.valid_min = -0.1;
        p.valid_max = 60;
        expect(&p, (uint16_t[]){600}, QUALITY_GOOD, QR_NONE);
        expect(&p, (uint16_t[]){601}, QUALITY_BAD, QR_OUT_OF_RANGE);
        expect(&p, (uint16_t[]){0xFFFF}, QUALITY_GOOD, QR_NONE);
        expect(&p, (uint16_t[]){0xFFFE}, QUALITY_BAD, QR_OUT_OF_RANGE);

        p = point_of(POINT_FLOAT32, ORDER_ABCD);
        expect(&p, (uint16_t[]){0x7FC0, 0}, QUALITY_BAD, QR_NAN);
        expect(&p, (uint16_t[]){0x7F80, 0}, QUALITY_BAD, QR_NAN);   /* +Inf */
        expect(&p, (uint16_t[]){0x0000, 1}, QUALITY_BAD, QR_NAN);   /* denormal */
        expect(&p, (uint16_t[]){0x0080, 0}, QUALITY_GOOD, QR_NONE); /* smallest normal */
        expect(&p, (uint16_t[]){0, 0}, QUALITY_GOOD, QR_NONE);
        p.invalid[0] = (struct point_invalid){.kind = INVALID_NAN};
        p.invalid[1] = (struct point_invalid){.kind = INVALID_VALUE, .value = -999.9};
        p.ninvalid = 2;
        expect(&p, (uint16_t[]){0x7FC0, 0}, QUALITY_BAD, QR_SENTINEL);
        expect(&p, (uint16_t[]){0xC479, 0xF99A}, QUALITY_BAD, QR_SENTINEL); /* nearest float to −999.9 */
        p = point_of(POINT_STRING, ORDER_AB);
        p.length = 2;
        expect(&p, (uint16_t[]){0x4142, 0}, QUALITY_BAD, QR_PARSE);
        p = point_of(POINT_UINT32, ORDER_CDAB); /* raw = the value's pattern, whatever the word order */
        p.invalid[0] = (struct point_invalid){.kind = INVALID_RAW, .raw = 0xFFFF0000};
        p.ninvalid = 1;
        expect(&p, (uint16_t[]){0x0000, 0xFFFF}, QUALITY_BAD, QR_SENTINEL);
        expect(&p, (uint16_t[]){0xFFFF, 0x0000}, QUALITY_GOOD, QR_NONE);
}

static void test_accept(void **state)
{
        (void)state;
        struct sample s = {.point = 3};
        struct point p = point_of(POINT_FLOAT64, ORDER_ABCDEFGH);
        p.table = POINT_TABLE_LOG;
        p.unit = UNIT_DEGF;
        p.valid_min = unit_to_si(UNIT_DEGF, 20);
        p.valid_max = unit_to_si(UNIT_DEGF, 130);
        codec_accept(&p, 55, 9, &s);
        assert_int_equal(s.quality, QUALITY_GOOD);
        assert_true(s.raw == 55 && fabs(s.value - 12.777777777777779) < 1e-12 && s.t_ms == 9 && s.point == 3);
        codec_accept(&p, 0, 9, &s); /* the dropout row of the Iowa log: 0.0 °F */
        assert_int_equal(s.reason, QR_OUT_OF_RANGE);
        codec_accept(&p, 20, 9, &s);
        assert_int_equal(s.quality, QUALITY_GOOD);
        codec_accept(&p, (double)NAN, 9, &s);
        assert_int_equal(s.reason, QR_NAN);
        codec_accept(&p, (double)INFINITY, 9, &s);
        assert_int_equal(s.reason, QR_NAN);
        p.scale = 0.001; /* scale is the device's own on MQTT and in logs … */
        p.unit = UNIT_KW;
        p.valid_min = p.valid_max = (double)NAN;
        codec_accept(&p, 5000, 9, &s);
        assert_true(fabs(s.value - 5000) < 1e-9);
        p = point_of(POINT_INT16, ORDER_AB); /* … and was applied already to a register point in a log */
        p.scale = 0.1;
        p.unit = UNIT_DEGC;
        p.invalid[0] = (struct point_invalid){.kind = INVALID_RAW, .raw = 0x8000};
        p.ninvalid = 1;
        codec_accept(&p, 21.5, 9, &s);
        assert_true(s.value == 21.5 && fabs(s.raw - 215) < 1e-9 && s.quality == QUALITY_GOOD);
        codec_accept(&p, -3276.8, 9, &s);
        assert_int_equal(s.reason, QR_SENTINEL);
}

static void test_encode_bounds(void **state)
{
        (void)state;
        uint16_t regs[4] = {0xAAAA, 0xAAAA, 0xAAAA, 0xAAAA};
        double q = -1;
        struct point p = point_of(POINT_UINT16, ORDER_AB);
        p.scale = 0.1;
        p.unit = UNIT_DEGC;
        p.writable = true;
        assert_int_equal(codec_encode(&p, 20, regs, &q), -ERANGE); /* writable without bounds: refused */
        p.min = 18, p.max = 27;
        assert_int_equal(codec_encode(&p, 17.9, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, 27.1, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, 27.0001, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, (double)NAN, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, (double)INFINITY, regs, &q), -ERANGE);
        assert_true(regs[0] == 0xAAAA && q == -1);
        assert_int_equal(codec_encode(&p, 18, regs, &q), 0);
        assert_int_equal(regs[0], 180);
        assert_int_equal(codec_encode(&p, 27, regs, &q), 0);
        assert_int_equal(regs[0], 270);
        assert_int_equal(codec_encode(&p, 20.04, regs, &q), 0);
        assert_int_equal(regs[0], 200);
        assert_true(fabs(q - 20) < 1e-12);

        p = point_of(POINT_INT16, ORDER_AB);
        assert_int_equal(codec_encode(&p, 32767, regs, &q), 0);
        assert_int_equal(codec_encode(&p, 32768, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, -32768, regs, &q), 0);
        assert_int_equal(regs[0], 0x8000);
        assert_int_equal(codec_encode(&p, -32769, regs, &q), -ERANGE);
        p = point_of(POINT_UINT16, ORDER_AB);
        assert_int_equal(codec_encode(&p, -1, regs, &q), -ERANGE);
        assert_int_equal(codec_encode(&p, 65535, regs, &q), 0);
        assert_int_equal(codec_encode(&p, 65536, regs, &q), -ERANGE);
        p = point_of(POINT_FLOAT32, ORDER_ABCD);
        assert_int_equal(codec_encode(&p, 1e39, regs, &q), -ERANGE);
        p = point_of(POINT_UINT64, ORDER_ABCDEFGH);
        assert_int_equal(codec_encode(&p, 18446744073709551616.0, regs, &q), -ERANGE);
        p = point_of(POINT_BIT, ORDER_AB);
        assert_int_equal(codec_encode(&p, 1, regs, &q), -ENOTSUP);
        p = point_of(POINT_STRING, ORDER_AB);
        assert_int_equal(codec_encode(&p, 1, regs, &q), -ENOTSUP);
}

/* Quantised toward more cooling, idempotent, inside min..max, less than one count away, and exactly what is written. */
static void test_quantise(void **state)
{
        (void)state;
        struct point p = point_of(POINT_UINT16, ORDER_AB);
        p.scale = 0.1;
        p.unit = UNIT_DEGC;
        p.writable = true;
        p.min = 18, p.max = 27, p.safe_dir = -1;
        assert_true(fabs(codec_quantise(&p, 20.19) - 20.1) < 1e-9);
        assert_true(fabs(codec_quantise(&p, 20.1) - 20.1) < 1e-9);
        p.safe_dir = 1;
        assert_true(fabs(codec_quantise(&p, 20.11) - 20.2) < 1e-9);
        p.safe_dir = 0;
        assert_true(fabs(codec_quantise(&p, 20.14) - 20.1) < 1e-9);
        assert_true(fabs(codec_quantise(&p, 99) - 27) < 1e-9 &&
                    fabs(codec_quantise(&p, -(double)INFINITY) - 18) < 1e-9);
        assert_true(isnan(codec_quantise(&p, (double)NAN)));
        p.min = 20.01, p.max = 20.09; /* no count inside */
        assert_true(isnan(codec_quantise(&p, 20.05)));

        struct rng rng;
        rng_seed(&rng, seed, 2);
        const int units[] = {UNIT_DEGC, UNIT_DEGF, UNIT_PERCENT, UNIT_NONE};
        const enum point_type types[] = {POINT_INT16,  POINT_UINT16,  POINT_INT32,
                                         POINT_UINT32, POINT_FLOAT32, POINT_FLOAT64};
        const double scales[] = {1, 0.1, 0.01, 0.5, -0.1, 0.03};
        for (int k = 0; k < 20000; k++) {
                p = point_of(types[rng_below(&rng, 6)], ORDER_AB);
                size_t n = point_nregs(&p);
                p.order = n == 1 ? ORDER_AB : n == 2 ? ORDER_CDAB : ORDER_GHEFCDAB;
                p.scale = scales[rng_below(&rng, 6)];
                p.offset = rng_below(&rng, 2) ? 0 : rng_range(&rng, -5, 5);
                if (p.scale < 0)
                        p.offset += 300; /* counts stay positive */
                else if (p.type == POINT_UINT16 || p.type == POINT_UINT32)
                        p.offset = -10;
                p.unit = units[rng_below(&rng, 4)];
                p.writable = true;
                p.safe_dir = (int)rng_below(&rng, 3) - 1;
                double lo = rng_range(&rng, 10, 20);
                p.min = unit_to_si((enum unit)p.unit, lo);
                p.max = unit_to_si((enum unit)p.unit, lo + rng_range(&rng, 3, 80));
                double v = rng_range(&rng, p.min - 1, p.max + 1), q = codec_quantise(&p, v), w;
                uint16_t regs[4];
                double eps = 1e-9 * fmax(1, fabs(v)), res = point_resolution(&p);
                assert_true(q >= p.min - eps && q <= p.max + eps);
                assert_true(fabs(codec_quantise(&p, q) - q) <= 1e-12 * fmax(1, fabs(q)));
                assert_int_equal(codec_encode(&p, q, regs, &w), 0);
                assert_true(fabs(w - q) <= 1e-12 * fmax(1, fabs(q)));
                assert_true(fabs(decode(&p, regs) - w) <= 1e-12 * fmax(1, fabs(w)));
                if (res == 0)
                        res = 1e-4;
                if (v >= p.min + res && v <= p.max - res) {
                        assert_true(fabs(q - v) <= res * (1 + 1e-5) + eps);
                        if (p.safe_dir != 0)
                                assert_true((q - v) * p.safe_dir >= -1e-5 * res - eps);
                }
        }
}

int main(void)
{
        const char *env = getenv("COOLPLANE_SEED");
        seed = env != NULL ? strtoull(env, NULL, 10) : 20240611;
        printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_order_vectors), cmocka_unit_test(test_pinned_values),
            cmocka_unit_test(test_identity),      cmocka_unit_test(r16_sentinels_and_range),
            cmocka_unit_test(test_accept),        cmocka_unit_test(test_encode_bounds),
            cmocka_unit_test(test_quantise),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
