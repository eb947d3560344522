/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the linear row of an inlet misses: nothing in a linear world; a bend over fan speed where there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/planner/inlet_bend.h"
#include "agent/planner/train.h"

#define ROWS 3600
#include "tests/unit/train_fixture.h"

static int ascending(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Of the world's fan speeds. */
static double quantile(const struct world *w, double q)
{
        static double fan[ROWS];

        for (size_t k = 0; k < ROWS; k++)
                fan[k] = w->value[k][P_FAN];
        qsort(fan, ROWS, sizeof *fan, ascending);
        return fan[(size_t)(q * (ROWS - 1))];
}

/* Racks take back what they blew out: kelvins of it under half of the world's speeds. */
static struct inlet_bend *learned(struct world *w, double k_per_ratio)
{
        const struct layout *l = w->l;
        struct train_args a;
        struct train_report report;
        struct model *model;
        struct inlet_bend *b;
        const double bends_at = quantile(w, 0.5);

        for (size_t k = 0; k < ROWS; k++)
                for (size_t i = 0; i < l->ny; i++)
                        if (l->y[i].kind == Y_INLET)
                                w->ds.y[k * l->ny + i] += k_per_ratio * fmax(bends_at - w->value[k][P_FAN], 0);
        train_args_default(&a);
        a.lags = 2;
        a.refit = true;
        assert_int_equal(train_arx(&w->ds, l, &a, &model, &report), 0);
        assert_int_equal(inlet_bend_create(l, model->arx, &w->ds, w->ds.y, w->ds.u, w->ds.d, &b), 0);
        model_free(model);
        return b;
}

static double bend_k(const struct world *w, const struct inlet_bend *b, double fan, double than)
{
        double u[8] = {0}, u_than[8] = {0};

        assert_true(w->l->nu <= 8);
        for (size_t j = 0; j < w->l->nu; j++)
                if (w->l->u[j].kind == U_FAN) {
                        u[j] = fan;
                        u_than[j] = than;
                }
        for (size_t i = 0; i < w->l->ny; i++)
                if (w->l->y[i].kind == Y_INLET)
                        return inlet_bend_k(b, i, u, u_than);
        return (double)NAN;
}

static void test_linear(void **state)
{
        struct world *w = world_create(1, 0);
        struct inlet_bend *b = learned(w, 0);

        (void)state;
        for (double fan = 0.4; fan < 1; fan += 0.03)
                assert_true(fabs(bend_k(w, b, fan, 0.7)) < 0.1);
        inlet_bend_free(b);
        world_free(w);
}

static void test_bend(void **state)
{
        struct world *w = world_create(1, 0);
        struct inlet_bend *b = learned(w, 20);
        const double low = quantile(w, 0.05), middle = quantile(w, 0.5), high = quantile(w, 0.95),
                     little = bend_k(w, b, low, middle), much = bend_k(w, b, high, middle);

        (void)state;
        printf("beside the row at %.2f: %+.2f K at %.2f, %+.2f K at %.2f\n", middle, little, low, much, high);
        assert_true(little > 0.1 && little < 20 * (middle - low));
        assert_true(much > 0.1 && much < 20 * (middle - low));
        assert_true(fabs(bend_k(w, b, middle, low) + little) < 1e-12);
        assert_true(bend_k(w, b, low, low) == 0);
        assert_true(bend_k(w, b, 0.05, 0.1) == 0); /* never tried: as the least that was */
        assert_true(bend_k(w, b, (double)NAN, 0.6) == 0);
        inlet_bend_free(b);
        world_free(w);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_linear),
            cmocka_unit_test(test_bend),
        };

        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
