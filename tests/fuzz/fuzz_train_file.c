/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Model files. Input: flags u8, then a patch (fuzz_patch) on a right file; checksums, also those of the parts where the
 * head says they lie, are put right as the flags say. The bytes as they are are tried too. Oracles: a refusal leaves
 * the output alone; what is read has finite numbers and a usable model, and writes back to the same bytes.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/planner/train.h"
#include "models/num/bytes.h"
#include "tests/fuzz/fuzz.h"

enum { FLAG_CRC = 1, FLAG_PARTS = 2, FLAG_LONGER = 4, HEAD_BYTES = 8 + 13 * 8 + 32 + 7 * 8 };

static uint8_t *good;
static size_t good_len;

static size_t read_back(const char *path, uint8_t *buf, size_t cap)
{
        FILE *f = fopen(path, "rb");
        MUST(f);
        size_t n = fread(buf, 1, cap, f);
        MUST(n < cap && fclose(f) == 0);
        return n;
}

static void make_good(void)
{
        static const size_t start[] = {0, 3};
        static const struct arx_term term[] = {
            {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_ONE, 0, 0, 0, 0}};
        static const double scale[] = {1, 1, 1};
        static struct arx_structure st = {1, 1, 0, 1, 3, start, term, scale};
        struct model model = {.structure = &st};
        struct train_file f = {.na = 1, .nb = 1, .step_ms = 30000, .from_ms = 1, .to_ms = 2, .capacity_w = 1e6};
        char report[] = "{\"rows\":1}";
        size_t size = (arx_memsize(&st) + 15) / 16 * 16;
        arx_args_default(&f.arx_args);
        model.mem = aligned_alloc(16, size);
        f.energy_mem = aligned_alloc(16, energy_memsize());
        MUST(model.mem && f.energy_mem);
        MUST(arx_create(model.mem, size, &st, &f.arx_args, NULL, NULL, &model.arx) == 0);
        double y[2] = {20, 20}, u[2] = {18, 18};
        for (int i = 0; i < 100; i++) {
                u[1] = 18 + i % 5;
                struct arx_window w = {1, &y[0], &u[1], NULL};
                y[1] = 0.8 * y[0] + 0.2 * u[1];
                (void)arx_add(model.arx, &w, &y[1]);
                y[0] = y[1];
        }
        MUST(arx_fit(model.arx, 50) == 1);
        MUST(energy_create(f.energy_mem, energy_memsize(), 1, f.capacity_w, &f.energy) == 0);
        energy_add(f.energy, &(struct energy_sample){.fan_ratio_cubed = 0.2, .heat_w = 4e5, .power_w = {2e4, 9e4}});
        f.told = f.refit = true;
        f.log_samples = 1000;
        f.log_sum = UINT64_MAX;
        f.model = &model;
        f.report_json = report;
        MUST(train_file_write(fuzz_path("good.model"), &f) == 0);
        good = malloc(1 << 16);
        MUST(good);
        good_len = read_back(fuzz_path("good.model"), good, 1 << 16);
        free(model.mem);
        free(f.energy_mem);
}

static void check(const struct train_file *f, const uint8_t *bytes, size_t size)
{
        const struct arx_structure *st = arx_structure(f->model->arx);
        MUST(f->step_ms > 0 && f->na >= 1 && f->na <= 255 && f->nb <= 255);
        MUST(f->capacity_w >= 0 && isfinite(f->capacity_w) && (f->energy == NULL || f->capacity_w > 0));
        for (size_t i = 0; i < st->ny; i++) {
                const double *theta, *lo, *hi;
                arx_row(f->model->arx, i, &theta, &lo, &hi);
                for (size_t k = 0; k < st->row_start[i + 1] - st->row_start[i]; k++)
                        MUST(isfinite(theta[k]) && lo[k] <= theta[k] && theta[k] <= hi[k]);
        }
        (void)arx_hash(f->model->arx);
        MUST(train_file_write(fuzz_path("again.model"), f) == 0);
        uint8_t *again = malloc(size + 2);
        MUST(again);
        size_t n = read_back(fuzz_path("again.model"), again, size + 2);
        MUST(n == size && memcmp(again, bytes, n) == 0);
        free(again);
}

static void try_file(const uint8_t *bytes, size_t size)
{
        struct train_file sentinel, *f = &sentinel;
        int r = train_file_read(fuzz_file("tried.model", bytes, size), &f);
        if (r < 0) {
                MUST(f == &sentinel && r == -EBADMSG);
                return;
        }
        check(f, bytes, size);
        train_file_free(f);
}

static void put_crc(uint8_t *p, size_t n)
{
        (void)bytes_put(p + n - 4, bytes_crc32(p, n - 4), 4);
}

/* Checksums of the ARX and energy parts, as far as the head's lengths lie inside the file. */
static void put_part_crcs(uint8_t *buf, size_t len)
{
        uint64_t head[13], at;
        for (size_t k = 0; k < 13; k++) {
                head[k] = bytes_get(buf + 8 + 8 * k, 8);
                if (k != 3 && k != 4 && head[k] > len)
                        return;
        }
        at = HEAD_BYTES + 8 * (head[5] + 1) + 14 * head[9] + head[10];
        if (head[11] >= 8 && at + head[11] <= len)
                put_crc(buf + at, (size_t)head[11]);
        at += head[11];
        if (head[12] >= 8 && at + head[12] <= len)
                put_crc(buf + at, (size_t)head[12]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (!good)
                make_good();
        if (size == 0)
                return 0;
        try_file(data, size);
        size_t len = good_len;
        uint8_t *buf = malloc(len + 8);
        MUST(buf);
        memcpy(buf, good, len);
        memset(buf + len, 0, 8);
        if (data[0] & FLAG_LONGER)
                len += 8;
        fuzz_patch(buf, len, data + 1, size - 1);
        if (data[0] & FLAG_PARTS)
                put_part_crcs(buf, len);
        if (data[0] & FLAG_CRC)
                put_crc(buf, len);
        try_file(buf, len);
        free(buf);
        return 0;
}
