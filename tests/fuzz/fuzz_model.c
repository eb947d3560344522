/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Saved models. Input: flags u8, then a patch (fuzz_patch) on the saved form of a small trained ARX and energy model;
 * the checksum is put right when flags say so (a checksum is no defence against whoever writes the file). The bytes as
 * they are are tried too, and the set alone (arx_set_save). Oracles: a refusal leaves the model as it was, bit for bit;
 * what loads saves to the same bytes, has θ inside finite-or-prior intervals, predicts, and survives more data and a
 * refit without ever leaving its priors.
 */
#include <math.h>
#include <string.h>

#include "models/arx/arx.h"
#include "models/energy/energy.h"
#include "models/num/bytes.h"
#include "models/num/rng.h"
#include "tests/fuzz/fuzz.h"

#define NY 2
#define NT 4
enum { FLAG_CRC = 1, FLAG_ENERGY = 2, FLAG_SHORT = 4, FLAG_SET = 8 };

static const size_t row_start[] = {0, NT, 2 * NT};
static const struct arx_term term[] = {
    {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_D, 1, 0, 1, 0}, {ARX_SRC_ONE, 0, 0, 0, 0},
    {ARX_SRC_Y, 1, 1, 1, 1}, {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_U, 2, 1, 1, 0},
};
static const double scale[] = {1, 1, 1, 1, 1, 1, 1, 1};
static const double prior_lo[] = {-2, -2, -2, -5, -2, -2, -2, -2}, prior_hi[] = {2, 2, 2, 5, 2, 2, 2, 2};
static const struct arx_structure structure = {NY, 1, 1, 2, 2 * NT, row_start, term, scale};

static double window_y[2 * NY] = {20, 20, 21, 22}, window_u[2] = {18, 18}, window_d[2] = {1, 1};

static struct arx *arx_make(void)
{
        size_t size = (arx_memsize(&structure) + 15) / 16 * 16;
        void *mem = aligned_alloc(16, size);
        struct arx_args args;
        struct arx *m = NULL;
        MUST(mem);
        arx_args_default(&args);
        MUST(arx_create(mem, size, &structure, &args, prior_lo, prior_hi, &m) == 0 && (void *)m == mem);
        return m;
}

static void arx_teach(struct arx *m, uint64_t stream, size_t n)
{
        struct rng r;
        rng_seed(&r, 1, stream);
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
                memcpy(y + NY, next, sizeof next);
        }
}

static uint8_t *arx_bytes(const struct arx *m, size_t *ret_len)
{
        *ret_len = arx_save(m, NULL, 0);
        uint8_t *buf = malloc(*ret_len);
        MUST(buf && arx_save(m, buf, *ret_len) == *ret_len);
        return buf;
}

static void arx_check(const struct arx *m)
{
        for (size_t i = 0; i < NY; i++) {
                const double *theta, *lo, *hi;
                struct arx_row_info info;
                arx_row(m, i, &theta, &lo, &hi);
                for (size_t k = 0; k < NT; k++) {
                        MUST(isfinite(theta[k]) && lo[k] <= theta[k] && theta[k] <= hi[k]);
                        MUST(lo[k] >= prior_lo[i * NT + k] && hi[k] <= prior_hi[i * NT + k]);
                }
                arx_row_info(m, i, &info);
                MUST(info.w_bar > 0);
        }
        double work[4096], y[3 * NY], top[3 * NY], low[3 * NY];
        const double u[3] = {18, 19, 20}, d[3] = {1, 1, 1};
        const uint8_t active[NY] = {1, 1};
        struct arx_window w = {2, window_y, window_u, window_d};
        MUST(arx_predict_work(m, 3) <= sizeof work / sizeof work[0]);
        arx_predict(m, &w, 3, u, d, NULL, work, y);
        arx_worst(m, &w, 3, u, d, 1, active, work, top);
        arx_worst(m, &w, 3, u, d, -1, active, work, low);
        for (size_t k = 0; k < 3 * NY; k++)
                if (isfinite(top[k]) && isfinite(low[k]))
                        MUST(top[k] >= low[k] - 1e-6 * (1 + fabs(top[k]) + fabs(low[k])));
}

static void try_arx(struct arx *m, const uint8_t *buf, size_t len)
{
        size_t n, k;
        uint8_t *before = arx_bytes(m, &n), *after;
        uint64_t hash = arx_hash(m);
        int r = arx_load(m, buf, len);
        after = arx_bytes(m, &k);
        if (r < 0) {
                MUST(k == n && memcmp(before, after, n) == 0 && arx_hash(m) == hash);
        } else {
                MUST(k == len && memcmp(buf, after, k) == 0);
                arx_check(m);
                arx_teach(m, 9, 60);
                (void)arx_fit(m, 50);
                arx_check(m);
                MUST(arx_load(m, before, n) == 0); /* what was there before fits for ever */
                MUST(arx_hash(m) == hash);
        }
        free(before);
        free(after);
}

/* The set alone: a refusal leaves the model's own as it was, what loads saves to the same bytes and answers. */
static void try_set(struct arx *m, const uint8_t *buf, size_t len)
{
        size_t need = arx_set_save(m, NULL, 0);
        uint8_t *before = malloc(need), *after = malloc(need);
        uint64_t hash = arx_hash(m);
        MUST(before && after && arx_set_save(m, before, need) == need);
        if (arx_set_load(m, buf, len) < 0) {
                MUST(arx_set_save(m, after, need) == need && memcmp(before, after, need) == 0);
        } else {
                MUST(len == need && arx_set_save(m, after, need) == need && memcmp(buf, after, need) == 0);
                arx_check(m);
                MUST(arx_set_load(m, before, need) == 0);
        }
        MUST(arx_hash(m) == hash);
        free(before);
        free(after);
}

static void patch_set(struct arx *m, const uint8_t *data, size_t size)
{
        size_t len = arx_set_save(m, NULL, 0);
        uint8_t *buf = malloc(len), *exact;
        MUST(buf && arx_set_save(m, buf, len) == len);
        fuzz_patch(buf, len, data + 1, size - 1);
        if (data[0] & FLAG_SHORT)
                len -= 8;
        exact = fuzz_copy(buf, len);
        try_set(m, exact, len);
        free(exact);
        free(buf);
}

static struct energy *energy_make(size_t nsample)
{
        struct energy *e = NULL;
        void *mem = aligned_alloc(16, energy_memsize());
        MUST(mem && energy_create(mem, energy_memsize(), 7, 1e6, &e) == 0 && (void *)e == mem);
        for (size_t i = 0; i < nsample; i++) {
                double x = (double)i;
                energy_add(e, &(struct energy_sample){.fan_ratio_cubed = 0.2 + 0.01 * x,
                                                      .heat_w = 4e5 + 1e3 * x,
                                                      .chwst_c = 10 + 0.1 * x,
                                                      .cwst_c = 25,
                                                      .wetbulb_c = 18,
                                                      .chillers_on = 2,
                                                      .valve_mean_ratio = 0.5,
                                                      .power_w = {2e4, 9e4 - 100 * x, 1e4, (double)NAN}});
        }
        (void)energy_fit(e);
        return e;
}

static uint8_t *energy_bytes(const struct energy *e, size_t *ret_len)
{
        *ret_len = energy_save(e, NULL, 0);
        uint8_t *buf = malloc(*ret_len);
        MUST(buf && energy_save(e, buf, *ret_len) == *ret_len);
        return buf;
}

static void try_energy(struct energy *e, const uint8_t *buf, size_t len)
{
        size_t n, k;
        const struct energy_sample now = {.fan_ratio_cubed = 0.3,
                                          .heat_w = 4.2e5,
                                          .chwst_c = 11,
                                          .cwst_c = 25,
                                          .wetbulb_c = 18,
                                          .chillers_on = 2,
                                          .valve_mean_ratio = 0.5};
        uint8_t *before = energy_bytes(e, &n), *after;
        struct energy_estimate was, is;
        bool known = energy_predict(e, &now, &was);
        int r = energy_load(e, buf, len);
        after = energy_bytes(e, &k);
        bool still = energy_predict(e, &now, &is);
        if (r < 0) {
                MUST(k == n && memcmp(before, after, n) == 0);
                MUST(still == known && (!known || fuzz_same(was.power_w, is.power_w)));
        } else {
                MUST(k == len && memcmp(buf, after, k) == 0);
                if (still)
                        MUST(isfinite(is.power_w) && isfinite(is.std_w) && is.std_w >= 0 && is.distance >= 0);
                MUST(energy_load(e, before, n) == 0);
        }
        free(before);
        free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct arx *m;
        static struct energy *e;
        if (!m) {
                m = arx_make();
                arx_teach(m, 1, 300);
                MUST(arx_fit(m, 50) == NY);
                e = energy_make(14);
        }
        if (size == 0)
                return 0;
        uint8_t *raw = fuzz_copy(data, size);
        try_arx(m, raw, size);
        try_energy(e, raw, size);
        try_set(m, raw, size);
        free(raw);
        if (data[0] & FLAG_SET) {
                patch_set(m, data, size);
                return 0;
        }

        size_t len;
        bool energy = data[0] & FLAG_ENERGY;
        uint8_t *buf = energy ? energy_bytes(e, &len) : arx_bytes(m, &len);
        fuzz_patch(buf, len, data + 1, size - 1);
        if (data[0] & FLAG_SHORT)
                len -= 8;
        if (data[0] & FLAG_CRC)
                (void)bytes_put(buf + len - 4, bytes_crc32(buf, len - 4), 4);
        uint8_t *exact = fuzz_copy(buf, len);
        if (energy)
                try_energy(e, exact, len);
        else
                try_arx(m, exact, len);
        free(exact);
        free(buf);
        return 0;
}
