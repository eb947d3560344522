/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * At the size of a hall (48 certified inlets, 16 air handlers): nothing allocates after create, and how long a decision
 * takes (processor time, printed; COOLPLANE_CALLS for more calls; not a timed test).
 */
#include "tests/unit/alloc_count.h"
#include "tests/unit/test_safety_common.h"

#include <time.h>

static double now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void test_no_allocation_at_hall_size(void **state)
{
        struct rig_args a = rig_default();
        size_t n = rig_env("COOLPLANE_CALLS", 100), cut = 0;
        double *ms, buf[2048], d[5] = {1, 1, 1, 1, 12};
        struct rig r;

        (void)state;
        a.rooms = 4;
        a.crahs = 4;
        a.inlets = 12;
        a.lags = 3;
        a.sat_rows = true;
        a.spread = 0.15;
        rig_open(&r, a, rig_seed());
        rig_create(&r);
        ms = rig_alloc(n, sizeof(double));
        memcpy(r.d_hi, d, sizeof(d));
        for (size_t k = 0; k < n; k++) {
                const struct safety_decision *dec;
                double t;

                for (size_t j = 0; j < r.nu; j++)
                        r.prop[j] = r.u[j].safe_dir > 0 ? r.u[j].lo : r.u[j].hi;
                r.p.present = k % 10 != 9;
                r.s->have_hash = k % 2 > 0; /* half of the calls with a new model set, as after a refit */
                rig_point(&r);
                armed = true;
                t = now_ms();
                dec = rig_decide(&r);
                ms[k] = now_ms() - t;
                (void)safety_check_load(r.s, &r.snap, r.d_hi);
                (void)safety_state_save(r.s, r.snap.mono_s, buf, 2048);
                armed = false;
                cut += decision_reason(dec) == DR_WORST_CASE;
                rig_advance(&r, rig_action(dec), d, 0);
        }
        assert_int_equal(allocations, 0);
        assert_true(cut > n / 2); /* bisection ran */
        qsort(ms, n, sizeof(double), by_value);
        printf(
            "decision at 48 inlets, 64 rows, horizon %zu: median %.2f ms, p99 %.2f ms, max %.2f ms (%zu of %zu cut)\n",
            a.horizon, ms[n / 2], ms[n - 1 - n / 100], ms[n - 1], cut, n);
        alloc_count_counts();
        free(ms);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_allocation_at_hall_size)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
