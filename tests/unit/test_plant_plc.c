/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Leases, what a remote supervisor may do, how machines protect themselves, and the two local strategies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "plant_fixture.h"

static struct plant_crah_meas crah(const struct plant *p, size_t i)
{
        struct plant_crah_meas m;

        plant_crah_meas(p, i, &m);
        return m;
}

static struct plant_chiller_meas chiller(const struct plant *p, size_t i)
{
        struct plant_chiller_meas m;

        plant_chiller_meas(p, i, &m);
        return m;
}

static struct plant_account account(const struct plant *p)
{
        struct plant_account a;

        plant_account(p, &a);
        return a;
}

static unsigned count_running(const struct plant *p)
{
        unsigned n = 0;

        for (size_t i = 0; i < plant_spec(p)->nchiller; i++)
                n += chiller(p, i).running;
        return n;
}

/* Advances keeping the lease of all chillers and the plant, with the enables given by bits. */
static void hold_chillers(struct plant *p, double seconds, unsigned enable_bits)
{
        static uint16_t beat;

        for (double t = 0.0; t < seconds; t += 5.0) {
                beat++;
                for (size_t i = 0; i < plant_spec(p)->nchiller; i++) {
                        plant_remote_enable(p, PLANT_DEV_CHILLER, i, true);
                        plant_heartbeat(p, PLANT_DEV_CHILLER, i, beat);
                        if (plant_is_remote(p, PLANT_DEV_CHILLER, i))
                                plant_chiller_cmd(p, i)->enable = (enable_bits >> i & 1u) != 0;
                }
                plant_advance(p, 5.0);
        }
}

static void local_registers_show_what_is_in_force(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        plant_crah_cmd(r.plant, 0)->sat_sp_c = 25.0; /* nobody listens */
        plant_advance(r.plant, 10.0);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_CRAH, 0));
        assert_true(plant_crah_cmd(r.plant, 0)->sat_sp_c == 18.0);
        assert_true(plant_crah_cmd(r.plant, 0)->fan_ratio == 0.9);
        assert_true(plant_water_cmd(r.plant)->chwst_sp_c == 7.0);
        assert_true(plant_chiller_cmd(r.plant, 0)->enable);
        /* taking over without writing changes nothing */
        plant_remote_enable(r.plant, PLANT_DEV_CRAH, 0, true);
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 0, 1);
        plant_advance(r.plant, 10.0);
        assert_true(plant_is_remote(r.plant, PLANT_DEV_CRAH, 0));
        assert_true(crah(r.plant, 0).sat_sp_c == 18.0);
        rig_free(&r);
}

static void lease_is_obeyed_and_lost_after_its_time(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        uint16_t beat = 0;

        (void)state;
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 2, ++beat);
        plant_advance(r.plant, 5.0);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_CRAH, 2)); /* not enabled */
        plant_remote_enable(r.plant, PLANT_DEV_CRAH, 2, true);
        plant_remote_enable(r.plant, PLANT_DEV_PLANT, 0, true);
        plant_heartbeat(r.plant, PLANT_DEV_PLANT, 0, beat);
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 2, ++beat);
        *plant_crah_cmd(r.plant, 2) = (struct plant_crah_cmd){.sat_sp_c = 22.0, .fan_ratio = 0.6};
        plant_water_cmd(r.plant)->chwst_sp_c = 12.0;
        plant_advance(r.plant, 60.0);
        assert_true(plant_is_remote(r.plant, PLANT_DEV_CRAH, 2)); /* exactly the watchdog time */
        assert_true(crah(r.plant, 2).sat_sp_c == 22.0 && crah(r.plant, 2).fan_cmd_ratio == 0.6);
        assert_true(crah(r.plant, 3).sat_sp_c == 18.0);    /* each device has its own */
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 2, beat); /* the same counter is no sign of life */
        plant_advance(r.plant, 5.0);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_CRAH, 2));
        assert_false(plant_is_remote(r.plant, PLANT_DEV_PLANT, 0));
        plant_advance(r.plant, 120.0);
        assert_true(crah(r.plant, 2).sat_sp_c == 18.0 && fabs(crah(r.plant, 2).fan_ratio - 0.9) < 1e-9);
        assert_true(plant_water_cmd(r.plant)->chwst_sp_c == 7.0);
        /* life returns with the next change */
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 2, ++beat);
        assert_true(plant_is_remote(r.plant, PLANT_DEV_CRAH, 2));
        plant_remote_enable(r.plant, PLANT_DEV_CRAH, 2, false);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_CRAH, 2));
        rig_free(&r);
}

static void absurd_setpoints_are_clamped_or_ignored(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        plant_remote_enable(r.plant, PLANT_DEV_CRAH, 0, true);
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 0, 1);
        *plant_crah_cmd(r.plant, 0) = (struct plant_crah_cmd){.sat_sp_c = 90.0, .fan_ratio = -3.0};
        plant_advance(r.plant, 5.0);
        assert_true(crah(r.plant, 0).sat_sp_c == 30.0 && crah(r.plant, 0).fan_cmd_ratio == 0.3);
        *plant_crah_cmd(r.plant, 0) = (struct plant_crah_cmd){.sat_sp_c = (double)NAN, .fan_ratio = (double)NAN};
        plant_advance(r.plant, 5.0);
        assert_true(crah(r.plant, 0).sat_sp_c == 30.0 && crah(r.plant, 0).fan_cmd_ratio == 0.3);
        rig_free(&r);
}

static void chiller_orders_respect_minimum_times_and_the_last_one(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        hold_chillers(r.plant, 120.0, 7);
        assert_int_equal(count_running(r.plant), 3);
        hold_chillers(r.plant, 60.0, 3);
        assert_int_equal(count_running(r.plant), 2);
        assert_int_equal(account(r.plant).hard_violations, 0);
        /* back on before the minimum off time: refused, counted once, obeyed when the time is up */
        hold_chillers(r.plant, 300.0, 7);
        assert_int_equal(count_running(r.plant), 2);
        assert_int_equal(account(r.plant).hard_violations, 1);
        hold_chillers(r.plant, 400.0, 7);
        assert_int_equal(count_running(r.plant), 3);
        assert_int_equal(account(r.plant).hard_violations, 1);
        assert_int_equal(account(r.plant).chiller_starts, 1);
        /* off at once: held for its minimum on time */
        hold_chillers(r.plant, 60.0, 3);
        assert_int_equal(count_running(r.plant), 3);
        assert_int_equal(account(r.plant).hard_violations, 2);
        hold_chillers(r.plant, 300.0, 3);
        assert_int_equal(count_running(r.plant), 2);
        /* never the last one */
        hold_chillers(r.plant, 900.0, 0);
        assert_int_equal(count_running(r.plant), 1);
        assert_true(account(r.plant).hard_violations > 2);
        rig_free(&r);
}

/* Every rack above 32 °C counts at every step, so a short excursion counts too; a reset of the account forgets nothing
 * of what happened under a supervisor. */
static void hard_violations_count_every_step_and_every_hour_under_a_supervisor(void **state)
{
        struct rig r = rig_new("tiny", 1, SPRING_MS);
        uint64_t expected = 0, supervised = 0;
        bool over_for_a_part_of_a_minute = false;
        unsigned above_steps = 0;

        (void)state;
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                char name[32];

                snprintf(name, sizeof(name), "crah-fail:%zu", i);
                assert_int_equal(plant_fault(r.plant, name), 0);
        }
        for (unsigned step = 0; step < 240; step++) {
                const uint64_t before = expected;

                plant_advance(r.plant, 5.0);
                for (size_t i = 0; i < plant_spec(r.plant)->nrack; i++)
                        expected += plant_true_inlet_c(r.plant, i) > 32.0;
                above_steps += expected > before;
                over_for_a_part_of_a_minute |= above_steps == 1 && account(r.plant).hard_violations > 0;
                assert_int_equal(account(r.plant).hard_violations, expected);
                assert_int_equal(account(r.plant).hard_violations_since_takeover, 0);
        }
        assert_true(over_for_a_part_of_a_minute);

        plant_remote_enable(r.plant, PLANT_DEV_CRAH, 0, true);
        plant_heartbeat(r.plant, PLANT_DEV_CRAH, 0, 1);
        for (unsigned step = 0; step < 60; step++) {
                if (step % 20 == 0)
                        plant_account_reset(r.plant);
                plant_advance(r.plant, 5.0);
                for (size_t i = 0; i < plant_spec(r.plant)->nrack; i++)
                        supervised += plant_true_inlet_c(r.plant, i) > 32.0;
        }
        assert_true(supervised > 0);
        assert_int_equal(account(r.plant).hard_violations_since_takeover, supervised);
        assert_true(account(r.plant).hard_violations < supervised);
        rig_free(&r);
}

static void starting_takes_time_and_loads_softly(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        hold_chillers(r.plant, 900.0, 3);
        assert_false(chiller(r.plant, 2).running);
        hold_chillers(r.plant, 45.0, 7);
        assert_false(chiller(r.plant, 2).running);
        hold_chillers(r.plant, 60.0, 7);
        assert_true(chiller(r.plant, 2).running);
        assert_true(chiller(r.plant, 2).plr < 0.7 * chiller(r.plant, 0).plr);
        hold_chillers(r.plant, 900.0, 7);
        assert_true(fabs(chiller(r.plant, 2).plr / chiller(r.plant, 0).plr - 1.0) < 0.1);
        rig_free(&r);
}

static void warm_water_starts_a_machine_unasked(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        hold_chillers(r.plant, 900.0, 1);
        assert_int_equal(plant_fault(r.plant, "chiller-trip:0"), 0);
        hold_chillers(r.plant, 1800.0, 1);
        assert_true(count_running(r.plant) >= 1);
        assert_false(chiller(r.plant, 0).running);
        rig_free(&r);
}

static void tripped_chiller_is_replaced_locally(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_advance(r.plant, 3 * 3600.0);
        assert_int_equal(count_running(r.plant), 2);
        assert_int_equal(plant_fault(r.plant, "chiller-trip:0"), 0);
        plant_advance(r.plant, 900.0);
        assert_int_equal(count_running(r.plant), 2);
        assert_int_equal(account(r.plant).hard_violations, 0);
        rig_free(&r);
}

/* B2 has to be a baseline worth beating, and no hotter than it says. */
static void trim_and_respond_beats_fixed_setpoints(void **state)
{
        static const int64_t day_ms[] = {SPRING_MS, SUMMER_MS};

        (void)state;
        for (size_t k = 0; k < 2; k++) {
                struct rig a = rig_new("hall", 1, day_ms[k]), b = rig_new("hall", 1, day_ms[k]);
                struct plant_account fixed, trim;

                plant_set_local(b.plant, PLANT_LOCAL_TRIM_RESPOND);
                plant_advance(a.plant, 5 * 3600.0);
                plant_advance(b.plant, 5 * 3600.0);
                plant_account_reset(a.plant);
                plant_account_reset(b.plant);
                plant_advance(a.plant, 12 * 3600.0);
                plant_advance(b.plant, 12 * 3600.0);
                fixed = account(a.plant);
                trim = account(b.plant);
                print_message("cooling %.0f → %.0f kWh, hottest %.1f → %.1f °C\n", fixed.cooling_kwh, trim.cooling_kwh,
                              fixed.max_inlet_c, trim.max_inlet_c);
                assert_true(trim.cooling_kwh < 0.85 * fixed.cooling_kwh);
                assert_true(trim.total_kwh < fixed.total_kwh);
                assert_true(trim.max_inlet_c < 27.5 && trim.degmin32 == 0.0);
                assert_int_equal(fixed.hard_violations + trim.hard_violations, 0);
                assert_true(trim.chiller_starts <= 6);
                rig_free(&a);
                rig_free(&b);
        }
}

/* B2 of a room whose inlets are all lost cools as FIXED does; the other rooms go on, and so does this one afterwards.
 */
static void a_blind_room_gets_the_fixed_air(void **state)
{
        struct rig r = rig_new("hall", 1, SUMMER_MS);
        const size_t racks = plant_spec(r.plant)->nrack / plant_spec(r.plant)->nroom;
        char fault[64];

        (void)state;
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_advance(r.plant, 2 * 3600.0);
        assert_true(crah(r.plant, 0).fan_cmd_ratio < 0.8);
        for (size_t i = 0; i < racks; i++) {
                (void)snprintf(fault, sizeof(fault), i % 2 ? "lost:inlet:%zu" : "const:inlet:%zu:inf", i);
                assert_int_equal(plant_fault(r.plant, fault), 0);
        }
        plant_advance(r.plant, 120.0);
        assert_true(crah(r.plant, 0).fan_cmd_ratio == 0.9 && crah(r.plant, 0).sat_sp_c == 18.0);
        assert_true(crah(r.plant, 11).fan_cmd_ratio < 0.8);
        plant_advance(r.plant, 24 * 3600.0);
        print_message("blind for a day: hottest %.2f C\n", account(r.plant).max_inlet_c);
        assert_true(account(r.plant).degmin27 == 0.0);
        assert_int_equal(plant_fault(r.plant, "clear"), 0);
        plant_advance(r.plant, 3600.0);
        assert_true(crah(r.plant, 0).fan_cmd_ratio < 0.8);
        rig_free(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(local_registers_show_what_is_in_force),
            cmocka_unit_test(lease_is_obeyed_and_lost_after_its_time),
            cmocka_unit_test(absurd_setpoints_are_clamped_or_ignored),
            cmocka_unit_test(chiller_orders_respect_minimum_times_and_the_last_one),
            cmocka_unit_test(hard_violations_count_every_step_and_every_hour_under_a_supervisor),
            cmocka_unit_test(starting_takes_time_and_loads_softly),
            cmocka_unit_test(warm_water_starts_a_machine_unasked),
            cmocka_unit_test(tripped_chiller_is_replaced_locally),
            cmocka_unit_test(trim_and_respond_beats_fixed_setpoints),
            cmocka_unit_test(a_blind_room_gets_the_fixed_air),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
