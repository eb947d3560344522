/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/store/dataset.h"
#include "tests/unit/store_fixture.h"

#define STEP 30000
#define T0 (1700000010000 / STEP * STEP)

/* u: supply setpoint, fan. y: inlet, supply. d: power of two racks, their zone, return. */
static struct layout_var var_u[] = {{3, U_SAT, 1, 0}, {4, U_FAN, 1, 0}};
static struct layout_var var_y[] = {{0, Y_INLET, 0, 0}, {2, Y_SAT, 1, 0}};
static struct layout_var var_d[] = {
    {1, D_RACK_POWER, 0, 0}, {6, D_RACK_POWER, 0, 0}, {-1, D_ZONE_POWER, -1, 0}, {7, D_RAT, 1, 0}};

struct ctx {
        struct fixture *f;
        struct layout l;
        struct store *s;
};

static int setup(void **state)
{
        struct ctx *c = calloc(1, sizeof *c);
        c->f = fixture_create();
        c->l = (struct layout){&c->f->site, 2, 2, 4, var_u, var_y, var_d, STEP / 1000.0};
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
        assert_int_equal(store_bind_site(c->s, &c->f->site), 0);
        *state = c;
        return 0;
}

static int teardown(void **state)
{
        struct ctx *c = *state;
        store_close(c->s);
        fixture_free(c->f);
        free(c);
        return 0;
}

static void add(struct ctx *c, uint32_t point, int64_t t_ms, double v)
{
        struct sample s = fixture_sample(point, t_ms, v);
        assert_int_equal(store_append_samples(c->s, &s, 1, NULL), 0);
}

static struct dataset *load(struct ctx *c, size_t hold)
{
        struct dataset *d = NULL;
        assert_int_equal(dataset_load(c->s, &c->l, 0, INT64_MAX, hold, &d), 0);
        return d;
}

#define assert_number(a, b) assert_true(fabs((a) - (double)(b)) < 1e-9)

static void test_means_and_last(void **state)
{
        struct ctx *c = *state;
        add(c, 0, T0, 20); /* first ms of the step belongs to it */
        add(c, 0, T0 + 10000, 22);
        add(c, 0, T0 + STEP - 1, 27); /* so does the last */
        add(c, 0, T0 + STEP, 30);     /* and this is the next */
        add(c, 3, T0 + 1000, 18);
        add(c, 3, T0 + 2000, 19);
        add(c, 4, T0 + 5000, 0.5);
        struct sample bad = fixture_sample(0, T0 + 3000, 1000);
        bad.quality = QUALITY_BAD;
        assert_int_equal(store_append_samples(c->s, &bad, 1, NULL), 0);
        bad = fixture_sample(0, T0 + 4000, 1000);
        bad.quality = QUALITY_UNCERTAIN;
        assert_int_equal(store_append_samples(c->s, &bad, 1, NULL), 0);
        struct dataset *d = load(c, 0);
        assert_int_equal(d->n, 2);
        assert_int_equal(d->t_ms[0], T0);
        assert_int_equal(d->t_ms[1], T0 + STEP);
        assert_int_equal(d->segment_start[0], 1);
        assert_int_equal(d->segment_start[1], 0);
        assert_number(d->y[0], 23);
        assert_number(d->y[2], 30);
        assert_true(isnan(d->y[1]));
        assert_number(d->u[0], 19);
        assert_number(d->u[2], 19); /* commands persist although hold is 0 */
        assert_number(d->u[3], 0.5);
        assert_true(isnan(d->d[0]));
        dataset_free(d);
}

static void test_hold(void **state)
{
        struct ctx *c = *state;
        add(c, 0, T0, 20);
        add(c, 7, T0, 27);
        for (int k = 0; k < 6; k++)
                add(c, 2, T0 + k * STEP, 14);
        for (size_t hold = 0; hold < 4; hold++) {
                struct dataset *d = load(c, hold);
                assert_int_equal(d->n, 6);
                for (size_t k = 0; k < 6; k++) {
                        assert_int_equal(isnan(d->y[2 * k]), k > 0); /* an output is what was seen */
                        assert_int_equal(isnan(d->d[4 * k + 3]), k > hold);
                }
                dataset_free(d);
        }
}

/* Commands are carried for ever, but only `hold` steps once their reading failed. */
static void test_lost_command(void **state)
{
        static const enum quality of_step[8] = {QUALITY_GOOD,      QUALITY_UNCERTAIN, QUALITY_UNCERTAIN, QUALITY_BAD,
                                                QUALITY_UNCERTAIN, QUALITY_BAD,       QUALITY_BAD,       QUALITY_GOOD};
        struct ctx *c = *state;
        for (int k = 0; k < 8; k++) {
                struct sample s = fixture_sample(3, T0 + k * STEP, 18 + k);
                s.quality = of_step[k];
                assert_int_equal(store_append_samples(c->s, &s, 1, NULL), 0);
                add(c, 0, T0 + k * STEP, 20);
        }
        struct dataset *d = load(c, 4);
        assert_int_equal(d->n, 8);
        for (size_t k = 0; k < 8; k++) {
                assert_int_equal(isnan(d->u[2 * k]), k == 5 || k == 6);
                if (!isnan(d->u[2 * k]))
                        assert_number(d->u[2 * k], k < 7 ? 18 : 25);
        }
        dataset_free(d);
}

/* A log's column has no device: a blank cell in it says nothing of the command, which stands until it changes. */
static void test_blank_cells_lose_no_command(void **state)
{
        struct ctx *c = *state;
        c->f->point[3].device = -1;
        for (int k = 0; k < 8; k++) {
                struct sample s = fixture_sample(3, T0 + k * STEP, k == 0 ? 18 : (double)NAN);
                assert_int_equal(store_append_samples(c->s, &s, 1, NULL), 0);
                add(c, 0, T0 + k * STEP, 20);
        }
        struct dataset *d = load(c, 4);
        assert_int_equal(d->n, 8);
        for (size_t k = 0; k < 8; k++)
                assert_number(d->u[2 * k], 18);
        dataset_free(d);
}

static void test_zone_power(void **state)
{
        struct ctx *c = *state;
        add(c, 1, T0, 1000);
        add(c, 6, T0, 3000);
        add(c, 1, T0 + STEP, 1000); /* one of two racks missing: more than a tenth */
        struct dataset *d = load(c, 0);
        assert_number(d->d[2], 4000);
        assert_true(isnan(d->d[4 + 2]));
        dataset_free(d);
}

/* Ten racks: one missing is scaled up, two missing make the sum unknown. */
static void test_zone_power_scales(void **state)
{
        struct ctx *c = *state;
        struct site site = c->f->site;
        struct point point[10] = {0};
        struct layout_var d[11];
        double row_u[2], row_y[2], row_d[11];
        site.point = point;
        site.npoint = 10;
        for (int i = 0; i < 10; i++)
                d[i] = (struct layout_var){i, D_RACK_POWER, -1, 0};
        d[10] = (struct layout_var){-1, D_ZONE_POWER, -1, 0};
        struct layout l = {&site, 0, 0, 11, NULL, NULL, d, 30};
        for (uint32_t missing = 0; missing < 3; missing++) {
                struct resampler *r = NULL;
                assert_int_equal(resampler_create(&l, 0, 0, &r), 0);
                for (uint32_t i = missing; i < 10; i++) {
                        struct sample s = fixture_sample(i, T0, 100);
                        resampler_push(r, &s);
                }
                resampler_row(r, T0 + STEP, row_y, row_u, row_d, NULL);
                if (missing < 2)
                        assert_number(row_d[10], 1000);
                else
                        assert_true(isnan(row_d[10]));
                resampler_free(r);
        }
}

static void test_segments(void **state)
{
        struct ctx *c = *state;
        add(c, 0, T0, 20);
        add(c, 3, T0, 18);
        add(c, 7, T0, 27);
        add(c, 0, T0 + 11 * STEP, 21); /* ten empty steps: rows of NaN */
        add(c, 0, T0 + 23 * STEP, 22); /* eleven: a new segment */
        add(c, 0, T0 + 24 * STEP, 23);
        struct dataset *d = load(c, 1);
        assert_int_equal(d->n, 12 + 2);
        for (size_t k = 0; k < d->n; k++)
                assert_int_equal(d->segment_start[k], k == 0 || k == 12);
        assert_true(!isnan(d->d[4 * 1 + 3]) && isnan(d->d[4 * 2 + 3]));
        assert_int_equal(d->t_ms[12], T0 + 23 * STEP);
        assert_number(d->u[2 * 11], 18);
        assert_true(isnan(d->u[2 * 12])); /* nothing is carried over a gap */
        assert_number(d->y[2 * 13], 23);
        dataset_free(d);
}

static void test_empty_and_ranges(void **state)
{
        struct ctx *c = *state;
        struct dataset *d = load(c, 1);
        assert_int_equal(d->n, 0);
        dataset_free(d);
        for (int k = 0; k < 10; k++)
                add(c, 0, T0 + k * STEP, k);
        assert_int_equal(dataset_load(c->s, &c->l, T0 + 3 * STEP, T0 + 5 * STEP, 1, &d), 0);
        assert_int_equal(d->n, 2);
        assert_number(d->y[0], 3);
        dataset_free(d);
        c->l.step_s = 0;
        assert_true(dataset_load(c->s, &c->l, 0, 1, 1, &d) < 0);
}

static void test_age(void **state)
{
        struct ctx *c = *state;
        struct resampler *r = NULL;
        double y[2], u[2], d[4];
        uint32_t age[2];
        assert_int_equal(resampler_create(&c->l, 2, 2, &r), 0);
        resampler_row(r, T0, y, u, d, age);
        assert_int_equal(age[0], UINT32_MAX);
        assert_true(isnan(y[0]) && isnan(u[0]) && isnan(d[2]));
        struct sample s = fixture_sample(0, T0 + STEP - 1, 20);
        resampler_push(r, &s);
        for (uint32_t k = 0; k < 4; k++) {
                resampler_row(r, T0 + (k + 1) * STEP, y, u, d, age);
                assert_int_equal(age[0], k);
                assert_int_equal(isnan(y[0]), k > 2);
        }
        s = fixture_sample(0, T0 + 100 * STEP, 21);
        resampler_push(r, &s);
        s = fixture_sample(3, T0 + 2000, 19); /* commands: a late older one does not win */
        resampler_push(r, &s);
        s = fixture_sample(3, T0 + 1000, 17);
        resampler_push(r, &s);
        s = fixture_sample(FIXTURE_POINTS + 3, T0, 1); /* unknown point */
        resampler_push(r, &s);
        resampler_row(r, T0 + 10 * STEP, y, u, d, age);
        assert_int_equal(age[0], 0); /* a source clock that runs ahead is not old */
        assert_number(y[0], 21);
        assert_number(u[0], 19);
        resampler_free(r);
}

/* The stream and the loaded stretch are the same thing, but for the outputs that the stream carries and tells so. */
static void test_stream_equals_load(void **state)
{
        struct ctx *c = *state;
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t seed = env ? strtoull(env, NULL, 10) : 20231114;
        print_message("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        struct resampler *r = NULL;
        assert_int_equal(resampler_create(&c->l, 3, 3, &r), 0);
        struct sample all[400];
        size_t n = 0;
        int64_t t = T0;
        for (size_t i = 0; i < 400; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                t += 1 + (int64_t)(seed >> 33) % 40000;
                all[n++] = fixture_sample((uint32_t)(seed >> 20) % FIXTURE_POINTS, t, (double)(seed >> 50));
                if ((seed >> 40) % 7 == 0)
                        all[n - 1].quality = QUALITY_BAD;
        }
        all[0].quality = QUALITY_GOOD;
        all[0].point = 0;
        assert_int_equal(store_append_samples(c->s, all, n, NULL), 0);
        struct dataset *ds = load(c, 3);
        assert_true(ds->n > 100);
        size_t at = 0;
        for (size_t k = 0; k < ds->n; k++) {
                double y[2], u[2], d[4];
                uint32_t age[2];
                assert_int_equal(ds->segment_start[k], k == 0);
                for (; at < n && all[at].t_ms < ds->t_ms[k] + STEP; at++)
                        resampler_push(r, &all[at]);
                resampler_row(r, ds->t_ms[k] + STEP, y, u, d, age);
                for (size_t i = 0; i < 2; i++)
                        if (age[i] == 0)
                                assert_number(y[i], ds->y[k * 2 + i]);
                        else
                                assert_true(isnan(ds->y[k * 2 + i]));
                assert_memory_equal(u, &ds->u[k * 2], sizeof u);
                assert_memory_equal(d, &ds->d[k * 4], sizeof d);
        }
        dataset_free(ds);
        resampler_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_means_and_last, setup, teardown),
            cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
            cmocka_unit_test_setup_teardown(test_lost_command, setup, teardown),
            cmocka_unit_test_setup_teardown(test_blank_cells_lose_no_command, setup, teardown),
            cmocka_unit_test_setup_teardown(test_zone_power, setup, teardown),
            cmocka_unit_test_setup_teardown(test_zone_power_scales, setup, teardown),
            cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
            cmocka_unit_test_setup_teardown(test_empty_and_ranges, setup, teardown),
            cmocka_unit_test_setup_teardown(test_age, setup, teardown),
            cmocka_unit_test_setup_teardown(test_stream_equals_load, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
