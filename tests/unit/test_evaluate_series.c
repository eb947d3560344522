/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Series of an evaluation: bounded however long the record, nothing lost when stretches are merged, holes stay holes,
 * clocks that were set back, and the hottest hours against a list that keeps all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "agent/gate/evaluate_series.h"
#include "models/num/rng.h"

#define START INT64_C(1752537600000)
#define STEP INT64_C(30000)
#define HOUR INT64_C(3600000)
#define NONE ((double)NAN)

enum { NU = 2 };

static void add(struct series *s, int64_t t_ms, double measured_c, double action, double in_force)
{
        const double a[NU] = {action, NONE}, f[NU] = {in_force, 3};
        struct series_moment m = {.t_ms = t_ms,
                                  .predicted_w = 2000,
                                  .measured_w = measured_c > 25 ? NONE : 1000,
                                  .kind = DECISION_PROJECT,
                                  .reason = DR_RATE,
                                  .action = a,
                                  .in_force = f};

        for (size_t h = 0; h < SERIES_HEATS; h++) {
                m.heat_c[h] = h == 0 ? measured_c : NONE;
                m.row[h] = h == 0 ? 7 : -1;
        }
        series_add(s, &m);
}

static void check_order(const struct series *s)
{
        assert_true(s->n <= SERIES_BUCKETS);
        for (size_t k = 0; k < s->n; k++) {
                assert_int_equal(s->bucket[k].t_ms % s->width_ms, 0);
                assert_true(k == 0 || s->bucket[k].t_ms > s->bucket[k - 1].t_ms);
        }
}

static void a_long_record_stays_bounded_and_whole(void **state)
{
        const size_t steps = (size_t)400 * 2880;
        struct series s;
        double sum = 0, hottest = 0;
        size_t n = 0, powers = 0;

        (void)state;
        assert_int_equal(series_create(&s, NU, STEP), 0);
        assert_int_equal(s.width_ms, 60000);
        for (size_t k = 0; k < steps; k++)
                add(&s, START + (int64_t)k * STEP, k == 700000 ? 31.5 : 20 + (double)(k % 7), 5, 4);
        check_order(&s);
        assert_true(s.n > SERIES_BUCKETS / 2 - 2);
        for (size_t k = 0; k < s.n; k++) {
                n += s.u[k * NU].action.n;
                sum += s.u[k * NU].action.sum - s.u[k * NU].in_force.sum;
                assert_int_equal(s.u[k * NU + 1].action.n, 0); /* an action that is not known has no partner */
                hottest = fmax(hottest, s.bucket[k].heat_c[0]);
                assert_true(isnan(s.bucket[k].heat_c[1]));
                powers += s.bucket[k].predicted_w.n;
                assert_int_equal(s.bucket[k].predicted_w.n, s.bucket[k].measured_w.n);
        }
        assert_int_equal(n, steps);
        assert_true(fabs(sum - (double)steps) < 1e-3);
        assert_true(hottest == 31.5);
        assert_true(powers < steps && powers > steps / 2);
        assert_true(s.lo[0] == 4 && s.hi[0] == 4 && s.lo[1] == 3);
        assert_true(s.worst[0][0].c == 31.5 && s.worst[0][0].at_ms == START + 700000 * STEP);
        series_free(&s);
        series_free(&s);
}

static void holes_and_clocks_set_back(void **state)
{
        struct series s;

        (void)state;
        assert_int_equal(series_create(&s, NU, STEP), 0);
        assert_true(isnan(s.lo[0]));
        for (int64_t t = 0; t < 10; t++)
                add(&s, START + t * 60000, 20, 1, NONE);
        add(&s, START + 30 * 60000, 21, 1, 1);
        add(&s, START + 5 * 60000, 22, 1, 1); /* again */
        add(&s, START + 20 * 60000, 23, 1, 1);
        add(&s, START - 60000, 24, 1, 1);
        assert_int_equal(s.n, 13);
        check_order(&s);
        assert_true(s.bucket[0].heat_c[0] == 24 && s.bucket[6].heat_c[0] == 22);
        assert_int_equal(s.u[NU * 1].action.n, 0); /* in force not known */
        assert_int_equal(s.u[NU * 6].action.n, 1);
        assert_true(isnan(series_mean(&s.u[NU * 1].action)) && series_mean(&s.u[NU * 6].in_force) == 1);
        series_free(&s);
        assert_int_equal(series_create(&s, 0, 300000), 0); /* slow steps; nothing to compare */
        assert_int_equal(s.width_ms, 960000);
        for (int64_t t = 0; t < 5000; t++)
                add(&s, START + t * 960000, 20, 1, 1);
        check_order(&s);
        series_free(&s);
}

static void the_hottest_hours_are_found(void **state)
{
        enum { HOURS = 500, PER = 12 };
        static double best[HOURS];
        struct series s;
        struct rng g;

        (void)state;
        rng_seed(&g, 20261130, 3);
        assert_int_equal(series_create(&s, NU, STEP), 0);
        for (size_t h = 0; h < HOURS; h++)
                for (size_t k = 0; k < PER; k++) {
                        const double c = k == 5 ? NONE : 20 + 5 * rng_normal(&g);

                        best[h] = k == 0 ? c : fmax(best[h], c);
                        add(&s, START + (int64_t)h * HOUR + (int64_t)k * 300000, c, 1, 1);
                }
        assert_int_equal(s.nworst[0], SERIES_WORST);
        assert_int_equal(s.nworst[1], 0);
        for (size_t k = 0; k < SERIES_WORST; k++) {
                const struct series_hour *w = &s.worst[0][k];
                size_t hotter = 0;

                assert_true(w->c == best[(w->t_ms - START) / HOUR]);
                assert_true(w->at_ms >= w->t_ms && w->at_ms < w->t_ms + HOUR);
                assert_int_equal(w->row, 7);
                assert_int_equal(w->kind, DECISION_PROJECT);
                for (size_t h = 0; h < HOURS; h++)
                        hotter += best[h] > w->c;
                assert_int_equal(hotter, k);
        }
        series_free(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_long_record_stays_bounded_and_whole),
            cmocka_unit_test(holes_and_clocks_set_back),
            cmocka_unit_test(the_hottest_hours_are_found),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
