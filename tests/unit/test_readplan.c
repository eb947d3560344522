/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/drivers/readplan.h"
#include "models/num/rng.h"

#define N 300

static struct point points[N];
static struct device devices[2];
static struct site site = {.point = points, .device = devices, .ndevice = 2};

static void reset(void)
{
        memset(points, 0, sizeof(points));
        memset(devices, 0, sizeof(devices));
        site.npoint = 0;
        devices[0].quirks = (struct device_quirks){
            .max_word_registers_per_request = 125, .max_bit_registers_per_request = 2000, .max_gap = 4};
}

static void add(enum point_table table, uint16_t address, enum point_type type)
{
        points[site.npoint++] =
            (struct point){.table = table, .address = address, .type = type, .unit_id = 1, .readable = true};
}

static struct readplan *plan(const uint8_t *quarantined)
{
        struct readplan *p = NULL;
        assert_int_equal(readplan_create(&site, 0, quarantined, &p), 0);
        return p;
}

static void merges_up_to_the_gap(void **state)
{
        (void)state;
        reset();
        add(POINT_TABLE_HOLDING, 16, POINT_UINT16); /* unsorted on purpose */
        add(POINT_TABLE_HOLDING, 10, POINT_FLOAT32);
        add(POINT_TABLE_HOLDING, 22, POINT_UINT16); /* hole of 5 */
        add(POINT_TABLE_INPUT, 17, POINT_UINT16);
        struct readplan *p = plan(NULL);
        assert_int_equal(p->nblock, 3);
        assert_int_equal(p->block[0].address, 10);
        assert_int_equal(p->block[0].count, 7); /* 10..16, hole of 4 */
        assert_int_equal(p->block[1].address, 22);
        assert_int_equal(p->block[2].table, POINT_TABLE_INPUT);
        readplan_free(p);
        devices[0].quirks.max_gap = 5;
        p = plan(NULL);
        assert_int_equal(p->nblock, 2);
        assert_int_equal(p->block[0].count, 13);
        readplan_free(p);
}

static void both_sides_of_125(void **state)
{
        (void)state;
        reset();
        for (uint16_t i = 0; i < 126; i++)
                add(POINT_TABLE_HOLDING, i, POINT_UINT16);
        struct readplan *p = plan(NULL);
        assert_int_equal(p->nblock, 2);
        assert_int_equal(p->block[0].count, 125);
        assert_int_equal(p->block[1].count, 1);
        readplan_free(p);
        site.npoint = 125;
        p = plan(NULL);
        assert_int_equal(p->nblock, 1);
        readplan_free(p);
        devices[0].quirks.max_word_registers_per_request = 500; /* never beyond the protocol */
        site.npoint = 126;
        p = plan(NULL);
        assert_int_equal(p->nblock, 2);
        readplan_free(p);
}

static void wide_points_stay_whole(void **state)
{
        (void)state;
        reset();
        devices[0].quirks.max_word_registers_per_request = 1;
        add(POINT_TABLE_HOLDING, 0, POINT_FLOAT64);
        add(POINT_TABLE_HOLDING, 4, POINT_UINT16);
        struct readplan *p = plan(NULL);
        assert_int_equal(p->nblock, 2);
        assert_int_equal(p->block[0].count, 4);
        readplan_free(p);

        struct readplan *q = NULL;
        add(POINT_TABLE_HOLDING, 65533, POINT_FLOAT64);
        assert_int_equal(readplan_create(&site, 0, NULL, &q), -ERANGE);
        points[2].address = 65532;
        assert_int_equal(readplan_create(&site, 0, NULL, &q), 0);
        readplan_free(q);
        points[2].type = POINT_STRING;
        points[2].address = 100;
        points[2].length = 126;
        q = NULL;
        assert_int_equal(readplan_create(&site, 0, NULL, &q), -ERANGE);
        assert_null(q);
}

static void aliases_and_quarantine(void **state)
{
        (void)state;
        reset();
        add(POINT_TABLE_HOLDING, 0, POINT_UINT32);
        add(POINT_TABLE_HOLDING, 0, POINT_UINT16);
        add(POINT_TABLE_HOLDING, 1, POINT_UINT16);
        add(POINT_TABLE_HOLDING, 2, POINT_UINT16);
        devices[0].quirks.one_request_per_field = true;
        struct readplan *p = plan(NULL);
        assert_int_equal(p->nblock, 2); /* 0..1 with its aliases, 2 */
        readplan_free(p);
        devices[0].quirks.one_request_per_field = false;
        uint8_t q[N] = {0};
        q[2] = 1;
        p = plan(q);
        size_t alone = 0;
        for (size_t b = 0; b < p->nblock; b++)
                alone += p->block[b].npoint == 1 && p->point[p->block[b].first] == 2;
        assert_int_equal(alone, 1);
        readplan_free(p);
}

static void not_ours_is_left_out(void **state)
{
        (void)state;
        reset();
        add(POINT_TABLE_HOLDING, 0, POINT_UINT16);
        points[0].device = 1;
        add(POINT_TABLE_MQTT, 0, POINT_FLOAT64);
        add(POINT_TABLE_LOG, 0, POINT_FLOAT64);
        add(POINT_TABLE_HOLDING, 0, POINT_UINT16);
        points[3].readable = false;
        struct readplan *p = plan(NULL);
        assert_int_equal(p->nblock, 0);
        assert_int_equal(p->npoint, 0);
        readplan_free(p);
}

/* R10 as a property: every readable point once, inside its block, no cap exceeded, no hole too wide. */
static void r10_random_maps(void **state)
{
        (void)state;
        const char *s = getenv("COOLPLANE_SEED");
        uint64_t seed = s ? strtoull(s, NULL, 10) : 20261122;
        (void)printf("seed %" PRIu64 "\n", seed);
        struct rng rng;
        rng_seed(&rng, seed, 1);
        for (int round = 0; round < 300; round++) {
                reset();
                uint8_t quarantined[N] = {0};
                struct device_quirks *dq = &devices[0].quirks;
                dq->max_gap = (int)rng_below(&rng, 12);
                dq->max_word_registers_per_request = 4 + (int)rng_below(&rng, 122);
                dq->max_bit_registers_per_request = 1 + (int)rng_below(&rng, 2000);
                dq->one_request_per_field = rng_below(&rng, 8) == 0;
                size_t n = rng_below(&rng, N);
                for (size_t i = 0; i < n; i++) {
                        enum point_table t = (enum point_table)rng_below(&rng, 4);
                        bool bits = t == POINT_TABLE_COIL || t == POINT_TABLE_DISCRETE;
                        add(t, (uint16_t)rng_below(&rng, 600),
                            bits ? POINT_BIT : (enum point_type)rng_below(&rng, POINT_STRING));
                        points[i].unit_id = (uint8_t)rng_below(&rng, 3);
                        points[i].readable = rng_below(&rng, 10) != 0;
                        quarantined[i] = rng_below(&rng, 20) == 0;
                }
                struct readplan *p = plan(quarantined);
                uint8_t seen[N] = {0};
                for (size_t b = 0; b < p->nblock; b++) {
                        const struct readblock *k = &p->block[b];
                        bool bits = k->table == POINT_TABLE_COIL || k->table == POINT_TABLE_DISCRETE;
                        int cap = bits ? dq->max_bit_registers_per_request : dq->max_word_registers_per_request;
                        uint8_t used[2100] = {0};
                        assert_true(k->npoint >= 1);
                        assert_true(k->count <= cap);
                        for (size_t i = 0; i < k->npoint; i++) {
                                uint32_t index = p->point[k->first + i];
                                const struct point *pt = &points[index];
                                size_t width = bits ? 1 : point_nregs(pt);
                                assert_int_equal(seen[index]++, 0);
                                assert_int_equal(pt->unit_id, k->unit_id);
                                assert_int_equal(pt->table, k->table);
                                assert_true(pt->address >= k->address &&
                                            pt->address + width <= (size_t)k->address + k->count);
                                memset(used + (pt->address - k->address), 1, width);
                                assert_true(!quarantined[index] || k->npoint == 1);
                        }
                        int hole = 0;
                        for (size_t i = 0; i < k->count; i++) {
                                hole = used[i] ? 0 : hole + 1;
                                assert_true(hole <= dq->max_gap);
                        }
                        assert_true(used[0] && used[k->count - 1]);
                }
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(seen[i], points[i].readable);
                readplan_free(p);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(merges_up_to_the_gap),   cmocka_unit_test(both_sides_of_125),
            cmocka_unit_test(wide_points_stay_whole), cmocka_unit_test(aliases_and_quarantine),
            cmocka_unit_test(not_ours_is_left_out),   cmocka_unit_test(r10_random_maps),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
