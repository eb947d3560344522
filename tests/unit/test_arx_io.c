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

#include "models/arx/arx.h"
#include "models/num/rng.h"

#define NY 2
#define NT 4

static uint64_t seed;

static const size_t row_start[] = {0, NT, 2 * NT};
static const struct arx_term term[] = {
    {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_D, 1, 0, 1, 0}, {ARX_SRC_ONE, 0, 0, 0, 0},
    {ARX_SRC_Y, 1, 1, 1, 1}, {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_U, 2, 1, 1, 0},
};
static const double scale[] = {1, 1, 1, 1, 1, 1, 1, 1};
static const struct arx_structure structure = {NY, 1, 1, 2, 2 * NT, row_start, term, scale};

static struct arx *make(const struct arx_structure *st, const double *lo, const double *hi)
{
        size_t size = arx_memsize(st);
        void *mem = aligned_alloc(16, size);
        struct arx_args args;
        arx_args_default(&args);
        struct arx *m = NULL;
        assert_int_equal(arx_create(mem, size, st, &args, lo, hi, &m), 0);
        assert_ptr_equal((void *)m, mem); /* so that free(m) frees the block */
        return m;
}

static void train(struct arx *m, uint64_t stream, size_t n)
{
        struct rng r;
        rng_seed(&r, seed, stream);
        double y[2 * NY] = {20, 20, 20, 20}, u[2] = {18, 18}, d[2] = {1, 1};
        for (size_t t = 0; t < n; t++) {
                u[0] = u[1];
                d[0] = d[1];
                u[1] = rng_range(&r, 16, 24);
                d[1] = rng_range(&r, 0, 2);
                double next[NY];
                next[0] = 0.8 * y[2] + 0.2 * u[1] + 0.5 * d[1] + 0.05 * rng_normal(&r);
                next[1] = 0.7 * y[3] + 0.1 * y[2] + 0.15 * u[1] + 0.05 * u[0] + 0.05 * rng_normal(&r);
                struct arx_window w = {2, y, u, d};
                (void)arx_add(m, &w, next);
                memmove(y, y + NY, sizeof(double) * NY);
                memcpy(y + NY, next, sizeof(next));
        }
}

static unsigned char *save(const struct arx *m, size_t *ret_len)
{
        size_t len = arx_save(m, NULL, 0);
        unsigned char *buf = malloc(len), guard = 0xab;
        memset(buf, guard, len);
        assert_int_equal(arx_save(m, buf, len - 1), len); /* too small: nothing written */
        for (size_t k = 0; k < len; k++)
                assert_int_equal(buf[k], guard);
        assert_int_equal(arx_save(m, buf, len), len);
        *ret_len = len;
        return buf;
}

static void test_round_trip_continues_identically(void **state)
{
        (void)state;
        struct arx *a = make(&structure, NULL, NULL), *b = make(&structure, NULL, NULL);
        train(a, 1, 300);
        assert_int_equal(arx_fit(a, 50), 2);
        train(a, 2, 100); /* residual statistics too */
        size_t len;
        unsigned char *buf = save(a, &len);
        assert_true(arx_hash(a) != arx_hash(b));
        assert_int_equal(arx_load(b, buf, len), 0);
        assert_true(arx_hash(a) == arx_hash(b));
        train(a, 3, 500);
        train(b, 3, 500);
        assert_int_equal(arx_fit(a, 50), 2);
        assert_int_equal(arx_fit(b, 50), 2);
        assert_true(arx_hash(a) == arx_hash(b));
        struct arx_row_info ia, ib;
        arx_row_info(a, 1, &ia);
        arx_row_info(b, 1, &ib);
        assert_int_equal(ia.samples, 900);
        assert_int_equal(ib.samples, 900);
        assert_true(ia.w_bar == ib.w_bar);
        free(buf);
        free(a);
        free(b);
}

static void test_every_bit_flip_is_refused(void **state)
{
        (void)state;
        struct arx *a = make(&structure, NULL, NULL), *b = make(&structure, NULL, NULL);
        train(a, 1, 200);
        (void)arx_fit(a, 50);
        size_t len;
        unsigned char *buf = save(a, &len);
        uint64_t before = arx_hash(b);
        for (size_t k = 0; k < len; k++) {
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
                assert_int_equal(arx_load(b, buf, len), -EINVAL);
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
        }
        assert_int_equal(arx_load(b, buf, len - 1), -EINVAL);
        assert_int_equal(arx_load(b, buf, 0), -EINVAL);
        assert_int_equal(arx_load(b, NULL, 0), -EINVAL);
        assert_true(arx_hash(b) == before);
        assert_int_equal(arx_load(b, buf, len), 0);
        free(buf);
        free(a);
        free(b);
}

static uint32_t crc32_bitwise(const unsigned char *p, size_t n)
{
        uint32_t c = 0xffffffffu;
        for (size_t i = 0; i < n; i++) {
                c ^= p[i];
                for (int k = 0; k < 8; k++)
                        c = c & 1u ? (c >> 1) ^ 0xedb88320u : c >> 1;
        }
        return ~c;
}

/* A forged file with a right checksum must still hold finite numbers inside the prior. */
static void test_content_is_checked_behind_the_checksum(void **state)
{
        (void)state;
        double lo[2 * NT], hi[2 * NT];
        for (size_t k = 0; k < 2 * NT; k++)
                lo[k] = 0.0, hi[k] = 1.0;
        lo[3] = -5.0, hi[3] = 5.0;
        struct arx *b = make(&structure, lo, hi), *c = make(&structure, lo, hi);
        hi[0] = 0.5; /* truth 0.8 */
        struct arx *a = make(&structure, NULL, NULL), *tight = make(&structure, lo, hi);
        train(a, 1, 300);
        train(c, 1, 300);
        (void)arx_fit(a, 50);
        (void)arx_fit(c, 50);
        size_t len;
        unsigned char *buf = save(a, &len);
        assert_int_equal(arx_load(tight, buf, len), -EINVAL);
        free(buf);
        buf = save(c, &len);
        assert_int_equal(arx_load(b, buf, len), 0);
        size_t refused = 0;
        const double evil[] = {(double)NAN, (double)INFINITY, -1e308};
        for (size_t at = 32; at + 12 <= len; at += 8)
                for (size_t e = 0; e < 3; e++) {
                        unsigned char keep[8];
                        memcpy(keep, buf + at, 8);
                        memcpy(buf + at, &evil[e], 8);
                        uint32_t crc = crc32_bitwise(buf, len - 4);
                        for (size_t k = 0; k < 4; k++)
                                buf[len - 4 + k] = (unsigned char)(crc >> (8 * k));
                        int ret = arx_load(b, buf, len);
                        assert_true(ret == -EINVAL || e == 2); /* NaN and Inf nowhere; b and G may be any finite */
                        refused += ret == -EINVAL;
                        memcpy(buf + at, keep, 8);
                }
        assert_true(refused > 2 * (len - 36) / 8);
        free(buf);
        free(a);
        free(b);
        free(c);
        free(tight);
}

static void test_another_shape_is_refused(void **state)
{
        (void)state;
        struct arx *a = make(&structure, NULL, NULL);
        struct arx_term other[2 * NT];
        memcpy(other, term, sizeof(other));
        other[2].sign = 0;
        struct arx_structure st = structure;
        st.term = other;
        struct arx *b = make(&st, NULL, NULL);
        size_t len;
        unsigned char *buf = save(a, &len);
        assert_int_equal(arx_load(b, buf, len), -EINVAL);
        free(buf);
        free(a);
        free(b);
}

static void worst(const struct arx *m, double *ret)
{
        double work[4096];
        const double y[2 * NY] = {20, 20, 21, 22}, u[2] = {18, 19}, d[2] = {1, 1}, u3[3] = {18, 19, 20},
                           d3[3] = {1, 1, 1};
        const uint8_t active[NY] = {1, 1};
        struct arx_window w = {2, y, u, d};
        assert_true(arx_predict_work(m, 3) <= sizeof work / sizeof work[0]);
        arx_worst(m, &w, 3, u3, d3, 1, active, work, ret);
}

/* The set alone answers as the model it was taken from, before a fit, after one, and with what tracking added; a
 * changed byte that is not refused has another hash. */
static void test_set_answers_as_the_model(void **state)
{
        (void)state;
        double lo[2 * NT], hi[2 * NT], want[3 * NY], got[3 * NY];
        for (size_t k = 0; k < 2 * NT; k++)
                lo[k] = -2.0, hi[k] = 2.0;
        lo[3] = -5.0, hi[3] = 5.0;
        struct arx *a = make(&structure, lo, hi), *b = make(&structure, lo, hi),
                   *free_prior = make(&structure, NULL, NULL);
        size_t len = arx_set_save(a, NULL, 0);
        unsigned char *buf = malloc(len);
        assert_non_null(buf);
        for (size_t round = 0; round < 3; round++) {
                assert_int_equal(arx_set_save(a, buf, len - 1), len); /* too small: nothing written */
                assert_int_equal(arx_set_save(a, buf, len), len);
                assert_int_equal(arx_set_load(b, buf, len), 0);
                assert_true(arx_hash(a) == arx_hash(b));
                worst(a, want);
                worst(b, got);
                assert_memory_equal(want, got, sizeof want);
                train(a, round + 1, 300);
                if (round == 0)
                        assert_int_equal(arx_fit(a, 50), 2);
        }
        assert_int_equal(arx_set_load(b, buf, len), 0);
        uint64_t hash = arx_hash(b);
        size_t refused = 0;
        struct arx_row_info info;
        arx_row_info(b, 0, &info);
        assert_true(info.fitted);
        for (size_t k = 0; k < len; k++) {
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
                if (arx_set_load(b, buf, len) < 0)
                        refused++;
                else
                        assert_true(arx_hash(b) != hash);
                buf[k] = (unsigned char)(buf[k] ^ (1u << (k % 8)));
                assert_int_equal(arx_set_load(b, buf, len), 0);
                assert_true(arx_hash(b) == hash);
        }
        assert_true(refused >= 32); /* the head at least */
        assert_int_equal(arx_set_load(b, buf, len - 8), -EINVAL);
        assert_int_equal(arx_set_load(b, NULL, 0), -EINVAL);
        /* outside this model's prior */
        (void)arx_set_save(free_prior, buf, len);
        assert_int_equal(arx_set_load(b, buf, len), -EINVAL);
        assert_true(arx_hash(b) == hash);
        assert_int_equal(arx_set_load(free_prior, buf, len), 0); /* unbounded, as the prior is */
        free(buf);
        free(a);
        free(b);
        free(free_prior);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trip_continues_identically),
            cmocka_unit_test(test_every_bit_flip_is_refused),
            cmocka_unit_test(test_content_is_checked_behind_the_checksum),
            cmocka_unit_test(test_another_shape_is_refused),
            cmocka_unit_test(test_set_answers_as_the_model),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
