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

#include "models/num/bytes.h"
#include "models/num/num.h"
#include "models/num/rng.h"

#define N_MAX 24

static uint64_t seed;

/* H = M Mᵀ + shift I */
static void random_spd(struct rng *r, size_t n, double shift, double *h)
{
        double m[N_MAX * N_MAX];
        for (size_t i = 0; i < n * n; i++)
                m[i] = rng_normal(r);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                        h[i * n + j] = num_dot(n, m + i * n, m + j * n) + (i == j ? shift : 0.0);
}

static void test_dot_and_finite(void **state)
{
        (void)state;
        const double a[] = {1, 2, 3}, b[] = {4, -5, 6};
        assert_true(num_dot(3, a, b) == 12.0);
        assert_true(num_dot(0, a, b) == 0.0);
        assert_true(num_all_finite(3, a));
        const double c[] = {1, (double)NAN}, d[] = {1, -(double)INFINITY};
        assert_false(num_all_finite(2, c));
        assert_false(num_all_finite(2, d));
        assert_true(num_all_finite(1, d));
}

static void test_cholesky_pinned(void **state)
{
        (void)state;
        double a[] = {4, 99, 2, 5};
        assert_int_equal(num_cholesky(2, a), 0);
        assert_true(a[0] == 2.0 && a[2] == 1.0 && a[3] == 2.0);
        assert_true(a[1] == 99.0); /* upper untouched */
        double indefinite[] = {1, 0, 2, 1};
        assert_int_equal(num_cholesky(2, indefinite), -EDOM);
        double singular[] = {1, 0, 1, 1};
        assert_int_equal(num_cholesky(2, singular), -EDOM);
        double nan[] = {(double)NAN};
        assert_int_equal(num_cholesky(1, nan), -EDOM);
        double zero[] = {0.0};
        assert_int_equal(num_cholesky(1, zero), -EDOM);
}

static void test_cholesky_solves_and_inverts(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 1);
        for (int rep = 0; rep < 200; rep++) {
                size_t n = 1 + rng_below(&r, N_MAX);
                double h[N_MAX * N_MAX], l[N_MAX * N_MAX], x[N_MAX], b[N_MAX], work[N_MAX], diag[N_MAX];
                random_spd(&r, n, 1.0, h);
                memcpy(l, h, sizeof(double) * n * n);
                assert_int_equal(num_cholesky(n, l), 0);
                for (size_t i = 0; i < n; i++)
                        x[i] = rng_normal(&r);
                for (size_t i = 0; i < n; i++)
                        b[i] = num_dot(n, h + i * n, x);
                num_cholesky_solve(n, l, b);
                for (size_t i = 0; i < n; i++)
                        assert_true(fabs(b[i] - x[i]) < 1e-9);
                num_cholesky_inverse_diag(n, l, work, diag);
                for (size_t k = 0; k < n; k++) {
                        double e[N_MAX] = {0};
                        e[k] = 1.0;
                        num_cholesky_solve(n, l, e);
                        assert_true(fabs(diag[k] - e[k]) < 1e-10 * fmax(1.0, e[k]));
                }
        }
}

/* KKT of the box QP: gradient zero inside, pushing outward at an active bound. */
static void test_box_qp_kkt(void **state)
{
        (void)state;
        struct rng r;
        rng_seed(&r, seed, 2);
        size_t active = 0;
        for (int rep = 0; rep < 300; rep++) {
                size_t n = 1 + rng_below(&r, N_MAX);
                double h[N_MAX * N_MAX], g[N_MAX], lo[N_MAX], hi[N_MAX], x[N_MAX];
                random_spd(&r, n, 2.0, h);
                for (size_t i = 0; i < n; i++) {
                        g[i] = 5.0 * rng_normal(&r);
                        lo[i] = rng_below(&r, 4) == 0 ? (double)-INFINITY : -rng_uniform(&r);
                        hi[i] = rng_below(&r, 4) == 0 ? (double)INFINITY : rng_uniform(&r);
                        x[i] = rng_below(&r, 8) == 0 ? (double)NAN : 10.0 * rng_normal(&r);
                }
                size_t it = num_box_qp(n, h, g, lo, hi, 1e-12, 20000, x);
                assert_true(it < 20000);
                for (size_t i = 0; i < n; i++) {
                        assert_true(x[i] >= lo[i] && x[i] <= hi[i]);
                        double grad = num_dot(n, h + i * n, x) - g[i];
                        if (x[i] > lo[i] && x[i] < hi[i]) {
                                assert_true(fabs(grad) < 1e-8);
                        } else {
                                active++;
                                assert_true(x[i] > lo[i] ? grad < 1e-8 : (x[i] < hi[i] ? grad > -1e-8 : true));
                        }
                }
        }
        assert_true(active > 100);
}

static void test_box_qp_cap_is_feasible(void **state)
{
        (void)state;
        double h[] = {1.0, 0.999999, 0.999999, 1.0}, g[] = {1.0, 1.0}, lo[] = {0.0, 0.0}, hi[] = {2.0, 2.0};
        double x[] = {2.0, 0.0};
        size_t it = num_box_qp(2, h, g, lo, hi, 0.0, 3, x);
        assert_true(it <= 3);
        assert_true(x[0] >= 0.0 && x[0] <= 2.0 && x[1] >= 0.0 && x[1] <= 2.0);
}

static void test_bytes(void **state)
{
        (void)state;
        assert_int_equal(bytes_crc32("123456789", 9), 0xcbf43926u); /* the check value of CRC-32/ISO-HDLC */
        assert_int_equal(bytes_crc32("", 0), 0);
        /* and bit by bit, whatever the bytes, the length and where they lie */
        uint8_t any[64];
        for (unsigned i = 0; i < 20000; i++) {
                size_t n = i % 41, at = i % 8;
                for (size_t k = 0; k < sizeof any; k++)
                        any[k] = (uint8_t)(i < 256 ? i : (i * 2654435761u + k * 40503u) >> (k % 13));
                uint32_t c = 0xffffffffu;
                for (size_t k = 0; k < n; k++) {
                        c ^= any[at + k];
                        for (int bit = 0; bit < 8; bit++)
                                c = (c >> 1) ^ ((c & 1u) ? 0xedb88320u : 0u);
                }
                assert_int_equal(bytes_crc32(any + at, n), ~c);
        }
        uint8_t b[16];
        assert_ptr_equal(bytes_put(b, 0x0102030405060708u, 8), b + 8);
        assert_int_equal(b[0], 8);
        assert_int_equal(b[7], 1);
        assert_int_equal(bytes_get(b, 3), 0x060708u);
        const double v[] = {-1.5, (double)NAN};
        double w[2];
        assert_ptr_equal(bytes_put_f64(b, v, 2), b + 16);
        assert_ptr_equal(bytes_get_f64(b, w, 2), b + 16);
        assert_true(w[0] == -1.5 && isnan(w[1]));
        assert_int_equal(b[7], 0xbf);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_dot_and_finite),
            cmocka_unit_test(test_cholesky_pinned),
            cmocka_unit_test(test_cholesky_solves_and_inverts),
            cmocka_unit_test(test_box_qp_kkt),
            cmocka_unit_test(test_box_qp_cap_is_feasible),
            cmocka_unit_test(test_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
