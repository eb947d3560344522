/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/num/rng.h"
#include "plant_fixture.h"
#include "sim/plant_internal.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

static unsigned long allocations;

void *__wrap_malloc(size_t n)
{
        allocations++;
        return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
        allocations++;
        return __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
        allocations++;
        return __real_realloc(p, n);
}

static void sites_have_their_sizes(void **state)
{
        static const struct {
                const char *name;
                size_t nroom, ncrah, nrack, nchiller;
        } expect[] = {{"tiny", 1, 4, 8, 1}, {"hall", 3, 12, 48, 3}, {"campus", 24, 96, 384, 12}};
        struct plant_spec s;

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(plant_spec_named(expect[i].name, &s), 0);
                assert_int_equal(s.nroom, expect[i].nroom);
                assert_int_equal(s.ncrah, expect[i].ncrah);
                assert_int_equal(s.nrack, expect[i].nrack);
                assert_int_equal(s.nchiller, expect[i].nchiller);
        }
        assert_int_equal(plant_spec_named("nowhere", &s), -ENOENT);
}

static void bad_specifications_are_refused(void **state)
{
        struct rig r = rig_new("tiny", 1, SPRING_MS);
        const struct plant_spec good = *plant_spec(r.plant);
        struct plant_spec bad[10];
        struct plant *p = NULL;

        (void)state;
        for (size_t i = 0; i < 10; i++)
                bad[i] = good;
        bad[0].nroom = 0;
        bad[1].ncrah = PLANT_CRAH_MAX + 1;
        bad[2].nrack = 0;
        bad[3].nchiller = PLANT_CHILLER_MAX + 1;
        bad[4].containment = 1.01;
        bad[5].rack_design_w = (double)NAN;
        bad[6].loop_volume_m3 = 0.0;
        bad[7].hosts_per_rack = 0;
        bad[8].loop_volume_m3 = 0.999 * plant_min_volume_m3(&good);
        bad[9].loop_volume_m3 = (double)NAN;
        for (size_t i = 0; i < 10; i++) {
                assert_int_equal(plant_create(&bad[i], r.weather, r.load, SPRING_MS, &p), -EINVAL);
                assert_null(p);
        }
        rig_free(&r);
}

/* Refused on the one side of the least loop; on the other the day is that of an ordinary loop. */
static void the_least_loop_is_still_a_plant(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct plant_spec small = *plant_spec(r.plant);
        struct plant_account a, b;
        struct plant *p = NULL;

        (void)state;
        small.loop_volume_m3 = 1.001 * plant_min_volume_m3(&small);
        assert_int_equal(plant_create(&small, r.weather, r.load, SUMMER_MS, &p), 0);
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_set_local(p, PLANT_LOCAL_TRIM_RESPOND);
        plant_advance(r.plant, 86400.0);
        plant_advance(p, 86400.0);
        plant_account(r.plant, &a);
        plant_account(p, &b);
        print_message("%.3f instead of %.1f m3: total %.1f instead of %.1f kWh, hottest %.2f instead of %.2f C\n",
                      small.loop_volume_m3, plant_spec(r.plant)->loop_volume_m3, b.total_kwh, a.total_kwh,
                      b.max_inlet_c, a.max_inlet_c);
        assert_true(b.energy_residual_ratio < 1e-9);
        assert_true(fabs(b.total_kwh / a.total_kwh - 1.0) < 0.005 && fabs(b.max_inlet_c - a.max_inlet_c) < 0.5);
        p = plant_free(p);
        rig_free(&r);
}

/* Whoever asks for less than PLANT_RESIDUAL_MAX must not get it from a plant that is no number any more. */
static void a_lost_plant_has_no_residual(void **state)
{
        struct rig r = rig_new("tiny", 1, SPRING_MS);
        struct plant_account a;

        (void)state;
        plant_account_reset(r.plant);
        plant_account(r.plant, &a);
        assert_true(a.energy_residual_ratio == 0.0);
        r.plant->water.supply_c = (double)NAN;
        plant_advance(r.plant, 600.0);
        plant_account(r.plant, &a);
        assert_false(a.energy_residual_ratio < PLANT_RESIDUAL_MAX);
        rig_free(&r);
}

static void same_seed_same_plant(void **state)
{
        struct rig a = rig_new("hall", 5, SPRING_MS), b = rig_new("hall", 5, SPRING_MS), c = a;
        struct plant_spec other = *plant_spec(a.plant);
        struct plant_account x, y, z;
        struct plant_rack_meas m, n;

        (void)state;
        plant_set_local(a.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_set_local(b.plant, PLANT_LOCAL_TRIM_RESPOND);
        other.seed = 6;
        assert_int_equal(plant_create(&other, a.weather, a.load, SPRING_MS, &c.plant), 0);
        plant_set_local(c.plant, PLANT_LOCAL_TRIM_RESPOND);
        for (int i = 0; i < 60; i++) {
                plant_advance(a.plant, 60.0);
                plant_advance(b.plant, 60.0);
                plant_advance(c.plant, 60.0);
                plant_rack_meas(a.plant, 3, &m); /* reading more often than b must not change the plant */
        }
        plant_rack_meas(a.plant, 3, &m);
        plant_rack_meas(b.plant, 3, &n);
        assert_memory_equal(&m, &n, sizeof(m));
        plant_account(a.plant, &x);
        plant_account(b.plant, &y);
        plant_account(c.plant, &z);
        assert_memory_equal(&x, &y, sizeof(x));
        assert_true(x.total_kwh != z.total_kwh);
        rig_free(&a);
        rig_free(&b);
        rig_free(&c);
}

static void advancing_keeps_time_and_allocates_nothing(void **state)
{
        struct rig r = rig_new("tiny", 1, SPRING_MS);
        const int64_t t0 = plant_t_ms(r.plant);
        unsigned long before;

        (void)state;
        assert_true(t0 == SPRING_MS);
        before = allocations;
        plant_advance(r.plant, 3600.0);
        for (int i = 0; i < 1000; i++)
                plant_advance(r.plant, 0.7);
        assert_int_equal(allocations, before);
        assert_true(plant_t_ms(r.plant) == t0 + 3600 * 1000 + 700 * 1000);
        plant_advance(r.plant, 0.0);
        plant_advance(r.plant, -5.0);
        plant_advance(r.plant, (double)NAN);
        assert_true(plant_t_ms(r.plant) == t0 + 4300 * 1000);
        assert_true(allocations > 0); /* the wrap counts at all */
        rig_free(&r);
}

static void step_size_hardly_matters(void **state)
{
        struct rig a = rig_new("tiny", 1, SPRING_MS), b = rig_new("tiny", 1, SPRING_MS);

        (void)state;
        plant_advance(a.plant, 7200.0);
        for (int i = 0; i < 7200; i++)
                plant_advance(b.plant, 1.0);
        for (size_t k = 0; k < plant_spec(a.plant)->nrack; k++)
                assert_true(fabs(plant_true_inlet_c(a.plant, k) - plant_true_inlet_c(b.plant, k)) < 0.1);
        rig_free(&a);
        rig_free(&b);
}

/* Two plants over the same hours, one asked to advance a minute at a time and one 5 s at a time. */
static void compare_steps(const char *site, enum plant_local local, const char *fault, double hours, double inlet_k)
{
        struct rig a = rig_new(site, 3, SUMMER_MS), b = rig_new(site, 3, SUMMER_MS);
        struct rig *const both[] = {&a, &b};
        struct plant_account x[2];

        for (size_t k = 0; k < 2; k++) {
                struct plant *p = both[k]->plant;

                plant_set_local(p, local);
                plant_advance(p, 6.0 * 3600.0);
                plant_account_reset(p);
                for (double t = 0.0; t < hours * 3600.0; t += k == 0 ? 60.0 : 5.0) {
                        if (fault != NULL && fabs(t - 3600.0) < 1.0)
                                assert_int_equal(plant_fault(p, fault), 0);
                        plant_advance(p, k == 0 ? 60.0 : 5.0);
                }
                plant_account(p, &x[k]);
                assert_true(x[k].energy_residual_ratio < 1e-9);
        }
        print_message("%s %s: total %+.4f %%, hottest inlet %+.3f K, violations %llu %llu\n", site, fault ? fault : "",
                      100.0 * (x[0].total_kwh / x[1].total_kwh - 1.0), x[0].max_inlet_c - x[1].max_inlet_c,
                      (unsigned long long)x[0].hard_violations, (unsigned long long)x[1].hard_violations);
        assert_true(fabs(x[0].total_kwh / x[1].total_kwh - 1.0) < 0.0005);
        assert_true(fabs(x[0].max_inlet_c - x[1].max_inlet_c) < inlet_k);
        assert_true(fabs((double)x[0].hard_violations - (double)x[1].hard_violations) <=
                    0.02 * (double)x[1].hard_violations);
        rig_free(&a);
        rig_free(&b);
}

static void long_steps_are_as_good_as_short_ones(void **state)
{
        (void)state;
        compare_steps("tiny", PLANT_LOCAL_FIXED, NULL, 12.0, 0.02);
        compare_steps("tiny", PLANT_LOCAL_TRIM_RESPOND, NULL, 12.0, 0.1);
        compare_steps("tiny", PLANT_LOCAL_FIXED, "crah-fail:0", 3.0, 0.05);
        compare_steps("tiny", PLANT_LOCAL_FIXED, "utility-loss:300", 3.0, 0.05);
        compare_steps("tiny", PLANT_LOCAL_TRIM_RESPOND, "load-step:1.5", 3.0, 0.1);
}

static void energy_closes_however_it_is_stepped(void **state)
{
        static const char *const fault[] = {"crah-fail:0",   "crah-fail:1", "crah-fail:2",     "crah-fail:3", "clear",
                                            "load-step:1.6", "clear",       "utility-loss:90", "heat-wave:8", "clear"};
        struct rig r = rig_new("tiny", rig_seed(), SPRING_MS);
        struct plant_account a;
        struct rng rng;

        (void)state;
        rng_seed(&rng, rig_seed(), 5);
        for (int i = 0; i < 600; i++) {
                if (i % 40 == 0)
                        assert_int_equal(plant_fault(r.plant, fault[rng_below(&rng, 10)]), 0);
                plant_advance(r.plant, rng_range(&rng, 0.2, i % 3 ? 20.0 : 300.0));
                plant_account(r.plant, &a);
                assert_true(a.energy_residual_ratio < 1e-9);
        }
        rig_free(&r);
}

static void instruments_are_noisy_and_quantised(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        double sum = 0.0, square = 0.0;
        const int n = 4000;

        (void)state;
        for (int i = 0; i < n; i++) {
                struct plant_rack_meas m;
                double e;

                plant_advance(r.plant, 5.0);
                plant_rack_meas(r.plant, 7, &m);
                assert_true(fabs(m.inlet_c * 10.0 - round(m.inlet_c * 10.0)) < 1e-6);
                e = m.inlet_c - plant_true_inlet_c(r.plant, 7);
                sum += e;
                square += e * e;
        }
        /* sigma 0.05 and the step's 0.1/sqrt(12) together: 0.058 */
        assert_true(fabs(sum / n) < 0.02);
        assert_true(sqrt(square / n) > 0.04 && sqrt(square / n) < 0.075);
        rig_free(&r);
}

static void faults_act_and_clear(void **state)
{
        static const char *const bad[] = {"",
                                          "crah-fail",
                                          "crah-fail:",
                                          "crah-fail:12",
                                          "crah-fail:x",
                                          "crah-fail:1.5",
                                          "crah-fail:-1",
                                          "crah-fail:1 ",
                                          "clear:1",
                                          "bias:inlet:1",
                                          "bias:inlet:1:x",
                                          "load-step:11",
                                          "load-step:nan",
                                          "chiller-trip:3",
                                          "explode:1",
                                          "stuck:inlet:48"};
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant_rack_meas m, before;
        struct plant_crah_meas crah;
        struct plant_chiller_meas chiller;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(plant_fault(r.plant, bad[i]), -EINVAL);
        plant_rack_meas(r.plant, 3, &before);
        assert_int_equal(plant_fault(r.plant, "stuck:inlet:3"), 0);
        assert_int_equal(plant_fault(r.plant, "bias:inlet:4:-2.5"), 0);
        assert_int_equal(plant_fault(r.plant, "crah-fail:1"), 0);
        assert_int_equal(plant_fault(r.plant, "chiller-trip:0"), 0);
        assert_int_equal(plant_fault(r.plant, "load-step:1.5"), 0);
        plant_advance(r.plant, 1800.0);
        plant_rack_meas(r.plant, 3, &m);
        assert_true(m.inlet_c == before.inlet_c);
        assert_true(m.power_w > 1.05 * before.power_w);
        plant_rack_meas(r.plant, 4, &m);
        assert_true(fabs(m.inlet_c - plant_true_inlet_c(r.plant, 4) + 2.5) < 0.3);
        plant_crah_meas(r.plant, 1, &crah);
        assert_true(!crah.running && crah.alarm && crah.airflow_m3s < 1e-6);
        plant_chiller_meas(r.plant, 0, &chiller);
        assert_true(!chiller.running && chiller.alarm);
        assert_int_equal(plant_fault(r.plant, "clear"), 0);
        plant_advance(r.plant, 1800.0);
        plant_crah_meas(r.plant, 1, &crah);
        assert_true(crah.running && !crah.alarm);
        plant_rack_meas(r.plant, 4, &m);
        assert_true(fabs(m.inlet_c - plant_true_inlet_c(r.plant, 4)) < 0.4);
        rig_free(&r);
}

static double rack_power(const struct plant *p, size_t rack)
{
        struct plant_rack_meas m;

        plant_rack_meas(p, rack, &m);
        return m.power_w;
}

static void hosts_carry_their_vms(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        double used[480] = {0.0}, least = 1e9, most = 0.0;

        (void)state;
        assert_int_equal(plant_nhost(r.plant), 480);
        assert_int_equal(plant_nvm(r.plant), 1920);
        for (size_t k = 0; k < plant_nvm(r.plant); k++) {
                struct plant_vm v;

                plant_vm(r.plant, k, &v);
                assert_true(v.host < 480 && v.cpu_cores >= 0.0 && v.cpu_cores <= v.cores && !v.moving);
                used[v.host] += v.mem_gib;
        }
        for (size_t i = 0; i < 480; i++) {
                struct plant_host h;

                plant_host(r.plant, i, &h);
                assert_true(h.rack == i / 10 && h.idle_w > 0.0 && h.idle_w < h.max_w);
                assert_true(used[i] <= h.mem_gib);
                assert_true(!h.reserved || used[i] == 0.0);
        }
        for (size_t i = 0; i < 48; i++) {
                least = fmin(least, rack_power(r.plant, i));
                most = fmax(most, rack_power(r.plant, i));
        }
        assert_true(least > 0.35 * 20e3 && most < 0.8 * 20e3 && most > 1.1 * least);
        rig_free(&r);
}

static void moves_take_time_and_sometimes_fail(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant_account a;
        unsigned asked = 0, done = 0, failed = 0;

        (void)state;
        assert_int_equal(plant_move_vm(r.plant, 1920, 0, 1), -EINVAL);
        assert_int_equal(plant_move_vm(r.plant, 0, 480, 1), -EINVAL);
        for (uint64_t id = 1; id <= 300; id++) {
                struct plant_move_event e;
                struct plant_vm v;
                size_t to = (size_t)(id * 7) % 480, vm = (size_t)(id * 13) % 1920;
                const int ok = plant_move_vm(r.plant, vm, to, id);

                assert_true(ok == 0 || ok == -EINVAL || ok == -ENOSPC || ok == -EBUSY);
                if (ok == 0) {
                        asked++;
                        plant_vm(r.plant, vm, &v);
                        assert_true(v.moving && v.host != to);
                        assert_int_equal(plant_move_vm(r.plant, vm, to, id), -EBUSY);
                        assert_false(plant_next_move_event(r.plant, &e));
                }
                plant_advance(r.plant, 480.0);
                while (plant_next_move_event(r.plant, &e)) {
                        assert_true(e.request_id == id && e.vm == vm && e.to == to && e.done != e.failed);
                        plant_vm(r.plant, vm, &v);
                        assert_true(v.host == (e.done ? e.to : e.from) && !v.moving);
                        done += e.done;
                        failed += e.failed;
                }
        }
        assert_int_equal(asked, done + failed);
        print_message("moves: %u done, %u failed\n", done, failed);
        assert_true(done > 150 && failed > 0 && failed < done / 10);
        plant_account(r.plant, &a);
        assert_true(a.migrations == done);
        rig_free(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(sites_have_their_sizes),
            cmocka_unit_test(bad_specifications_are_refused),
            cmocka_unit_test(the_least_loop_is_still_a_plant),
            cmocka_unit_test(a_lost_plant_has_no_residual),
            cmocka_unit_test(same_seed_same_plant),
            cmocka_unit_test(advancing_keeps_time_and_allocates_nothing),
            cmocka_unit_test(step_size_hardly_matters),
            cmocka_unit_test(long_steps_are_as_good_as_short_ones),
            cmocka_unit_test(energy_closes_however_it_is_stepped),
            cmocka_unit_test(instruments_are_noisy_and_quantised),
            cmocka_unit_test(faults_act_and_clear),
            cmocka_unit_test(hosts_carry_their_vms),
            cmocka_unit_test(moves_take_time_and_sometimes_fail),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
