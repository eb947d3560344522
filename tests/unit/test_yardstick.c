/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's own controllers: what they command, and that what they claim to have found is so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "models/num/rng.h"
#include "plant_fixture.h"
#include "sim/yardstick.h"

#define assert_near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static struct plant_account account(const struct plant *p)
{
        struct plant_account a;

        plant_account(p, &a);
        return a;
}

/* A copy lives on exactly as the original does, noise and load included, and neither feels the other. */
static void a_copy_has_the_same_future(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant *copy;
        struct plant_account a, b;
        struct plant_rack_meas ma, mb;

        (void)state;
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        yard_advance(r.plant, 1.0);
        assert_int_equal(plant_clone(r.plant, &copy), 0);
        yard_advance(copy, 2.0);
        assert_true(account(copy).total_kwh > account(r.plant).total_kwh);
        yard_advance(r.plant, 2.0);
        a = account(r.plant);
        b = account(copy);
        assert_memory_equal(&a, &b, sizeof(a));
        plant_rack_meas(r.plant, 3, &ma);
        plant_rack_meas(copy, 3, &mb);
        assert_memory_equal(&ma, &mb, sizeof(ma));
        yard_advance(copy, 1.0);
        plant_copy(copy, r.plant);
        yard_advance(copy, 1.0);
        yard_advance(r.plant, 1.0);
        assert_true(account(copy).total_kwh == account(r.plant).total_kwh);
        plant_free(copy);
        rig_free(&r);
}

static void a_held_command_is_in_force(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct yard_command cmd;
        struct plant_crah_meas m;
        struct plant_water_meas w;

        (void)state;
        yard_command_uniform(plant_spec(r.plant), 19.0, 0.7, 9.0, 22.0, 0x5, &cmd);
        for (size_t i = 4; i < 8; i++)
                cmd.sat_c[i] = 20.0;
        yard_hold(r.plant, &cmd, 1.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                assert_true(plant_is_remote(r.plant, PLANT_DEV_CRAH, i));
                plant_crah_meas(r.plant, i, &m);
                assert_near(m.sat_sp_c, i >= 4 && i < 8 ? 20.0 : 19.0, 1e-9);
                assert_near(m.fan_cmd_ratio, 0.7, 1e-9);
        }
        for (size_t i = 0; i < 3; i++) {
                struct plant_chiller_meas c;

                plant_chiller_meas(r.plant, i, &c);
                assert_int_equal(c.enabled, i != 1);
        }
        plant_water_meas(r.plant, &w);
        assert_near(w.chwst_sp_c, 9.0, 0.05);
        assert_near(w.cwst_sp_c, 22.0, 0.05);
        assert_int_equal(account(r.plant).hard_violations, 0);
        rig_free(&r);
}

static void local_loops_hold_pressure_and_offset(void **state)
{
        const struct yard_pid pid = {.offset_k = 10.0, .dp_pa = 8.0};
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant_crah_meas m;
        double dp = 0.0;

        (void)state;
        yard_pid_advance(r.plant, &pid, 2.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                plant_crah_meas(r.plant, i, &m);
                dp += m.dp_pa / (double)plant_spec(r.plant)->ncrah;
                assert_near(m.sat_sp_c - m.chw_in_c, 10.0, 1.0);
        }
        assert_near(dp, 8.0, 0.6);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_PLANT, 0)); /* water stays with the plant */
        rig_free(&r);
}

/* No constants drawn at random beat those that b2s found, unless they break its limit. */
static void no_other_constants_are_better(void **state)
{
        const uint64_t seed = rig_seed();
        struct rig r = rig_new("tiny", seed, SUMMER_MS);
        struct yard_command best, cmd;
        struct plant *p;
        struct rng rng;
        unsigned evaluations, fair = 0;
        double least;

        (void)state;
        assert_int_equal(yard_constant_search(r.plant, 1.0, 1.5, 4, &best, &evaluations), 0);
        assert_int_equal(plant_clone(r.plant, &p), 0);
        yard_hold(p, &best, 1.0);
        plant_account_reset(p);
        yard_hold(p, &best, 1.5);
        least = account(p).total_kwh;
        print_message("%u evaluations: %.2f kWh at %.2f °C, fans %.3f, water %.2f and %.2f °C\n", evaluations, least,
                      best.sat_c[0], best.fan_ratio[0], best.chwst_c, best.cwst_c);
        assert_true(account(p).max_inlet_c <= 27.0);
        rng_seed(&rng, seed, 5);
        for (unsigned k = 0; k < 40; k++) {
                yard_command_uniform(plant_spec(r.plant), rng_range(&rng, 14, 24), rng_range(&rng, 0.3, 0.9),
                                     rng_range(&rng, 6, 14), rng_range(&rng, 16, 28), 1, &cmd);
                plant_copy(p, r.plant);
                yard_hold(p, &cmd, 1.0);
                plant_account_reset(p);
                yard_hold(p, &cmd, 1.5);
                if (!(account(p).max_inlet_c <= 27.0))
                        continue;
                fair++;
                assert_true(account(p).total_kwh > least - 0.001 * least);
        }
        assert_true(fair >= 7);
        plant_free(p);
        rig_free(&r);
}

/* From b0's setpoints on, an oracle must find its way down to less than half of what lies between b0 and b2s. */
static void the_oracle_finds_its_way(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct yard_command first, best;
        struct yard_oracle *oracle;
        struct plant *p;
        unsigned evaluations;
        double b0, b2s;

        (void)state;
        assert_int_equal(yard_constant_search(r.plant, 1.0, 2.0, 2, &best, &evaluations), 0);
        yard_command_uniform(plant_spec(r.plant), 18.0, 0.9, 7.0, 24.0, 1, &first);
        assert_int_equal(plant_clone(r.plant, &p), 0);
        yard_hold(p, &first, 3.0);
        plant_account_reset(p);
        yard_hold(p, &first, 1.0);
        b0 = account(p).total_kwh;
        plant_copy(p, r.plant);
        yard_hold(p, &best, 3.0);
        plant_account_reset(p);
        yard_hold(p, &best, 1.0);
        b2s = account(p).total_kwh;
        plant_copy(p, r.plant);
        assert_int_equal(yard_oracle_create(p, &first, &oracle), 0);
        yard_oracle_advance(oracle, p, 3.0);
        plant_account_reset(p);
        yard_oracle_advance(oracle, p, 1.0);
        print_message("b0 %.3f, b2s %.3f, b4 %.3f kWh, %u evaluations\n", b0, b2s, account(p).total_kwh,
                      yard_oracle_evaluations(oracle));
        assert_true(account(p).total_kwh < 0.5 * (b0 + b2s));
        assert_true(account(p).max_inlet_c <= 27.0);
        assert_int_equal(account(p).hard_violations, 0);
        yard_oracle_free(oracle);
        plant_free(p);
        rig_free(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_copy_has_the_same_future),
            cmocka_unit_test(a_held_command_is_in_force),
            cmocka_unit_test(local_loops_hold_pressure_and_offset),
            cmocka_unit_test(no_other_constants_are_better),
            cmocka_unit_test(the_oracle_finds_its_way),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
