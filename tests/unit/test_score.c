/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The figures of an evaluation against numbers computed by hand: nothing, one value, gaps, NaN, both sides of bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/score.h"
#include "models/num/rng.h"

#define near(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static void test_errors(void **state)
{
        struct score_error e = {0}, sum = {0};

        (void)state;
        assert_true(isnan(score_rmse(&e)) && isnan(score_mae(&e)) && isnan(score_bias(&e)) && isnan(score_skill(&e)));
        score_error_add(&e, 22, 21, 21); /* +1; it stayed: no persistence to be better than */
        near(score_rmse(&e), 1);
        assert_true(isnan(score_skill(&e)));
        score_error_add(&e, 19, 21, 23); /* −4, persistence −2 */
        score_error_add(&e, 23, 19, 22); /* +1, persistence −3 */
        near(score_bias(&e), -2.0 / 3);
        near(score_mae(&e), 2);
        near(score_rmse(&e), sqrt(18.0 / 3));
        near(score_persistence(&e), sqrt(13.0 / 3));
        near(score_skill(&e), 1 - sqrt(18.0 / 13));
        score_error_add(&e, (double)NAN, 1, 1);
        score_error_add(&e, 1, (double)NAN, 1);
        score_error_add(&e, 1, 1, (double)INFINITY);
        assert_int_equal(e.n, 3);
        score_error_merge(&sum, &e);
        score_error_merge(&sum, &e);
        assert_int_equal(sum.n, 6);
        near(score_rmse(&sum), score_rmse(&e));
        near(score_skill(&sum), score_skill(&e));
}

static void test_coverage(void **state)
{
        struct score_cover c = {0}, u = {0}, sum = {0};

        (void)state;
        assert_true(isnan(score_share(c.inside, c.n)) && isnan(score_width(&c)));
        score_cover_add(&c, 20, 22, 20); /* both bounds count as inside */
        score_cover_add(&c, 20, 22, 22);
        score_cover_add(&c, 20, 22, nextafter(22, 23));
        score_cover_add(&c, 20, 22, nextafter(20, 19));
        score_cover_add(&c, 20, 26, 21);
        assert_int_equal(c.n, 5);
        assert_int_equal(c.inside, 3);
        near(score_width(&c), 14.0 / 5);
        score_cover_add(&c, -(double)INFINITY, 22, 21); /* no bound is no success */
        score_cover_add(&c, 20, (double)NAN, 21);
        score_cover_add(&c, 20, 22, (double)NAN);
        assert_int_equal(c.n, 5);
        score_upper_add(&u, 22, 22);
        score_upper_add(&u, 22, nextafter(22, 23));
        score_upper_add(&u, 22, -40);
        score_upper_add(&u, (double)INFINITY, 21);
        assert_int_equal(u.n, 3);
        assert_int_equal(u.inside, 2);
        score_cover_merge(&sum, &c);
        score_cover_merge(&sum, &u);
        assert_int_equal(sum.n, 8);
        assert_int_equal(sum.inside, 5);
}

static struct score_dist *dist(void)
{
        struct score_dist *d = calloc(1, sizeof *d);

        assert_non_null(d);
        return d;
}

static void test_distribution(void **state)
{
        struct score_dist *d = dist();

        (void)state;
        assert_true(isnan(score_dist_mean(d)) && isnan(score_dist_quantile(d, 0.95)));
        assert_true(isnan(score_dist_abs_quantile(d, 0.95)));
        score_dist_add(d, -3);
        near(score_dist_mean(d), -3);
        assert_true(fabs(score_dist_quantile(d, 0.95) + 3) < 0.03);
        assert_true(fabs(score_dist_abs_quantile(d, 0.95) - 3) < 0.03);
        for (int k = 1; k <= 99; k++) /* −3, 0.01 … 0.99 */
                score_dist_add(d, 0.01 * k);
        assert_true(fabs(score_dist_quantile(d, 0.95) - 0.94) < 0.0094);
        assert_true(fabs(score_dist_abs_quantile(d, 0.95) - 0.95) < 0.0095);
        assert_true(fabs(score_dist_quantile(d, 0.01) + 3) < 0.03);
        assert_true(score_dist_quantile(d, 1) <= 3 && score_dist_abs_quantile(d, 1) <= 3);
        near(d->max_abs, 3);
        score_dist_add(d, (double)NAN);
        score_dist_add(d, (double)INFINITY);
        assert_int_equal(d->n, 100);
        memset(d, 0, sizeof *d);
        score_dist_add(d, 0);
        score_dist_add(d, 1e-9);
        score_dist_add(d, -1e300); /* a proposal may be anything */
        assert_true(score_dist_quantile(d, 0.5) == 0 && score_dist_abs_quantile(d, 0.5) == 0);
        assert_true(score_dist_quantile(d, 0.2) < -5e8 && score_dist_abs_quantile(d, 0.95) > 5e8);
        assert_true(d->max_abs == 1e9 && fabs(score_dist_mean(d) + 1e9 / 3) < 1);
        free(d);
}

static void test_quantiles_of_many(void **state)
{
        struct score_dist *d = dist();
        struct rng g;

        (void)state;
        rng_seed(&g, 20261130, 7);
        for (int k = 0; k < 200000; k++)
                score_dist_add(d, rng_normal(&g));
        assert_true(fabs(score_dist_quantile(d, 0.95) - 1.645) < 0.03);
        assert_true(fabs(score_dist_quantile(d, 0.05) + 1.645) < 0.03);
        assert_true(fabs(score_dist_abs_quantile(d, 0.95) - 1.96) < 0.03);
        free(d);
}

static void test_spells(void **state)
{
        struct score_spell s = {0};

        (void)state;
        score_spell_add(&s, 0, 1000, 0);
        assert_int_equal(s.longest_ms, 0);
        score_spell_add(&s, 1000, 1000, 1);
        assert_int_equal(s.longest_ms, 1000); /* a step stands for its length */
        score_spell_add(&s, 2000, 1000, 1);
        score_spell_add(&s, 3000, 1000, -1); /* another direction is another spell */
        assert_int_equal(s.longest_ms, 2000);
        score_spell_add(&s, 4500, 1000, -1); /* just no gap */
        score_spell_add(&s, 5500, 1000, -1);
        assert_int_equal(s.longest_ms, 3500);
        assert_int_equal(s.longest_from_ms, 3000);
        assert_int_equal(s.longest_dir, -1);
        score_spell_add(&s, 7001, 1000, -1); /* a gap: nobody knows what was in between */
        score_spell_add(&s, 8001, 1000, -1);
        score_spell_add(&s, 7500, 1000, -1); /* a clock that was set back */
        assert_int_equal(s.longest_ms, 3500);
}

static void test_limits(void **state)
{
        struct score_heat h = {0};

        (void)state;
        score_heat_add(&h, 27, 32, (double)NAN, 1);
        assert_int_equal(h.n, 0);
        score_heat_add(&h, 27, 32, -5, 2);
        near(h.max_c, -5);
        score_heat_add(&h, 27, 32, 27, 3); /* at the limit is not above it */
        score_heat_add(&h, 27, 32, nextafter(27, 28), 4);
        score_heat_add(&h, 27, 32, 32, 5);
        score_heat_add(&h, 27, 32, nextafter(32, 33), 6);
        score_heat_add(&h, 27, 32, 32, 7);
        assert_int_equal(h.n, 6);
        assert_int_equal(h.soft, 4);
        assert_int_equal(h.hard, 1);
        assert_int_equal(h.max_t_ms, 6);
}

static void test_power(void **state)
{
        struct score_power p = {0};

        (void)state;
        score_power_add(&p, 900, 1000);
        score_power_add(&p, (double)NAN, 1000);
        score_power_add(&p, 900, (double)NAN);
        score_power_add(&p, 1100, 2000);
        assert_int_equal(p.n, 2);
        near(p.predicted_w, 2000);
        near(p.measured_w, 3000);
}

static void test_variable(void **state)
{
        struct score_variable *v = calloc(1, sizeof *v);
        const double p = 25, nan = (double)NAN;

        (void)state;
        assert_non_null(v);
        assert_int_equal(score_variable_add(v, 0, 1000, 0.2, 0.1, &p, 20.5, 20), 1); /* + 0.5, cost −4.5 */
        assert_int_equal(score_variable_add(v, 1000, 1000, 0.2, 0.1, NULL, 19.75, 20), -1);
        assert_int_equal(score_variable_add(v, 2000, 1000, 0.2, 0.1, &nan, 20.1, 20), 0); /* within the dead band */
        assert_int_equal(score_variable_add(v, 3000, 1000, 0.2, 0.1, &p, 24.95, nan),
                         0);                                                      /* acting: nothing to compare */
        assert_int_equal(score_variable_add(v, 4000, 1000, 0, 0, NULL, 1, 0), 1); /* on and off */
        assert_int_equal(score_variable_add(v, 5000, 1000, 0, 0, NULL, 1, 1), 0);
        assert_int_equal(v->steps, 5);
        assert_int_equal(v->above, 2);
        assert_int_equal(v->below, 1);
        near(score_dist_mean(&v->change), (0.5 - 0.25 + (20.1 - 20) + 1) / 5);
        assert_int_equal(v->cost.n, 2);
        near(score_dist_mean(&v->cost), (-4.5 - (25 - 24.95)) / 2);
        assert_int_equal(v->projected, 1); /* 0.05 is rounding */
        assert_int_equal(v->not_finite, 1);
        assert_int_equal(v->ask.n, 1);
        near(v->ask.sum, 5);
        free(v);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_errors),       cmocka_unit_test(test_coverage),
            cmocka_unit_test(test_distribution), cmocka_unit_test(test_quantiles_of_many),
            cmocka_unit_test(test_spells),       cmocka_unit_test(test_limits),
            cmocka_unit_test(test_power),        cmocka_unit_test(test_variable),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
