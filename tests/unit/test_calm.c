/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What an operator's steps shake is led straight from before to after; nothing else is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/planner/calm.h"

#define ROWS 3600
#include "tests/unit/train_fixture.h"

enum { REST = 60, MEAN = 11 }; /* rows: half an hour of 30 s, five minutes and one */

struct bench {
        struct world *w;
        double *u, *v, *add;
};

static struct bench open_bench(void)
{
        struct bench b = {.w = world_create(1, 0)};
        const size_t nu = b.w->l->nu;

        assert_true(b.w->l->step_s == 30 && nu > 0);
        b.u = calloc(ROWS * nu, sizeof *b.u);
        b.v = calloc(ROWS, sizeof *b.v);
        b.add = calloc(ROWS, sizeof *b.add);
        memset(b.w->ds.segment_start, 0, ROWS * sizeof *b.w->ds.segment_start);
        b.w->ds.segment_start[0] = true;
        return b;
}

static void close_bench(struct bench *b)
{
        world_free(b->w);
        free(b->u);
        free(b->v);
        free(b->add);
}

/* Variable 0 moves by `times` what is nothing, from `row` on. */
static void step_at(struct bench *b, size_t row, double times)
{
        const double k = times * calm_same((enum u_kind)b->w->l->u[0].kind);

        for (size_t r = row; r < ROWS; r++)
                b->u[r * b->w->l->nu] += k;
}

static void calm_down(struct bench *b)
{
        struct calm *c;

        memset(b->add, 0, ROWS * sizeof *b->add);
        assert_int_equal(calm_create(b->w->l, &b->w->ds, b->u, &c), 0);
        calm_adds(c, b->v, 1, b->add);
        calm_free(c);
}

static size_t touched(const struct bench *b)
{
        size_t n = 0;

        for (size_t r = 0; r < ROWS; r++)
                n += b->add[r] != 0;
        return n;
}

static void test_straight_across_a_step(void **state)
{
        struct bench b = open_bench();

        (void)state;
        for (size_t r = 0; r < ROWS; r++) /* 2 before, 5 after, a spike of 9 between */
                b.v[r] = r < 1000 ? 2 : r < 1020 ? 9 : 5;
        calm_down(&b);
        assert_int_equal(touched(&b), 0); /* nobody moved anything: it is the plant's own */
        step_at(&b, 1000, 0.99);
        calm_down(&b);
        assert_int_equal(touched(&b), 0);
        step_at(&b, 1000, 1);
        calm_down(&b);
        assert_true(touched(&b) == REST && b.add[999] == 0 && b.add[1000 + REST] == 0);
        for (size_t r = 1000; r < 1000 + REST; r++)
                assert_true(fabs(b.v[r] + b.add[r] - (2 + 3 * (double)(r - 1000) / REST)) < 1e-12);
        b.v[1030] = (double)NAN; /* not known stays not known */
        calm_down(&b);
        assert_true(b.add[1030] == 0 && b.add[1031] != 0);
        close_bench(&b);
}

/* Steps that follow each other are one; between others there is rest. */
static void test_steps_in_a_row(void **state)
{
        struct bench b = open_bench();

        (void)state;
        for (size_t r = 0; r < ROWS; r++)
                b.v[r] = r % 2 ? 1 : -1;
        step_at(&b, 1000, 2);
        step_at(&b, 1000 + REST + MEAN - 1, 2); /* no whole mean of rest between */
        calm_down(&b);
        assert_int_equal(touched(&b), 2 * REST + MEAN - 1);
        step_at(&b, 2000, 2);
        step_at(&b, 2000 + REST + MEAN, 2);
        calm_down(&b);
        assert_int_equal(touched(&b), 4 * REST + MEAN - 1);
        close_bench(&b);
}

/* Where settings move on and on there is no calm to be found; nor without rest before, or after. */
static void test_no_rest(void **state)
{
        struct bench b = open_bench();

        (void)state;
        for (size_t r = 0; r < ROWS; r++)
                b.v[r] = r % 2 ? 1 : -1;
        for (size_t r = 100; r <= 100 + 3 * REST; r += REST) /* 3 h by half hours: two hours and a step */
                step_at(&b, r, 2);
        calm_down(&b);
        assert_int_equal(touched(&b), 4 * REST);
        step_at(&b, 100 + 4 * REST, 2);
        calm_down(&b);
        assert_int_equal(touched(&b), 0);
        step_at(&b, 2000 + MEAN - 1, 2); /* too soon in its segment */
        b.w->ds.segment_start[2000] = true;
        step_at(&b, 3000, 2);
        b.w->ds.segment_start[3000 + REST + MEAN - 1] = true; /* which ends too soon */
        step_at(&b, ROWS - REST - MEAN + 1, 2);
        calm_down(&b);
        assert_int_equal(touched(&b), 0);
        step_at(&b, 2500 + MEAN, 2);
        b.w->ds.segment_start[2500] = true;
        calm_down(&b);
        assert_int_equal(touched(&b), REST);
        close_bench(&b);
}

static void test_what_is_nothing(void **state)
{
        struct bench b = open_bench();
        double one[16] = {0}, other[16] = {0};

        (void)state;
        assert_true(b.w->l->nu <= 16);
        for (size_t j = 0; j < b.w->l->nu; j++) {
                other[j] = calm_same((enum u_kind)b.w->l->u[j].kind);
                assert_true(other[j] > 0);
                assert_false(calm_differ(b.w->l, one, other));
                other[j] *= -1.01;
                assert_true(calm_differ(b.w->l, one, other));
                other[j] = (double)NAN;
                assert_false(calm_differ(b.w->l, one, other));
                other[j] = 0;
        }
        close_bench(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_straight_across_a_step),
            cmocka_unit_test(test_steps_in_a_row),
            cmocka_unit_test(test_no_rest),
            cmocka_unit_test(test_what_is_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
