/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Every fault of the plant by name: what it does to readings and to the plant, and that "clear" ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "plant_fixture.h"

static struct plant_rack_meas rack(const struct plant *p, size_t i)
{
        struct plant_rack_meas m;

        plant_rack_meas(p, i, &m);
        return m;
}

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

static struct plant_water_meas water(const struct plant *p)
{
        struct plant_water_meas m;

        plant_water_meas(p, &m);
        return m;
}

static void inject(struct plant *p, const char *name)
{
        const int r = plant_fault(p, name);

        if (r != 0)
                fail_msg("%s: %d", name, r);
}

static bool near(double a, double b, double tol)
{
        return fabs(a - b) <= tol;
}

static void names_and_numbers_are_checked(void **state)
{
        static const char *const bad[] = {"",
                                          "stuck",
                                          "stuck:inlet",
                                          "stuck:inlet:48",
                                          "stuck:inlet:3:1",
                                          "stuck:nothing:1",
                                          "bias:inlet:3",
                                          "bias:inlet:3:nan",
                                          "bias:inlet:3:inf",
                                          "const:inlet:3:infinite",
                                          "bias:inlet:3:x",
                                          "swap:rat:0:1",
                                          "swap:inlet:0:48",
                                          "lost:oat:1",
                                          "mass-loss:inlet:1.1",
                                          "mass-loss:inlet:-0.1",
                                          "crah-fail:12",
                                          "crah-fail:-1",
                                          "crah-fail:1 ",
                                          "valve-stuck:0:1.1",
                                          "valve-stuck:0",
                                          "chiller-foul:3:0.1",
                                          "load-step:10.1",
                                          "heat-wave:21",
                                          "utility-loss:-1",
                                          "containment-open:3",
                                          "tower-fail:1",
                                          "clear:1",
                                          "explode",
                                          "stuck::3",
                                          ":",
                                          "crah-fail:",
                                          "a:b:c:d:e",
                                          "dew-point:0:31",
                                          "evap-flow:0:0",
                                          "evap-flow:3:0.5",
                                          "bypass-shut:1",
                                          "stuck:a-channel-name-longer-than-any:1"};
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (plant_fault(r.plant, bad[i]) != -EINVAL)
                        fail_msg("\"%s\" was taken", bad[i]);
        rig_free(&r);
}

static void instruments_lie_as_told(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant *p = r.plant;
        const double stuck = rack(p, 3).inlet_c;
        unsigned spikes = 0;

        (void)state;
        inject(p, "load-step:1.5"); /* so that truth moves */
        inject(p, "stuck:inlet:3");
        inject(p, "bias:inlet:4:-2.5");
        inject(p, "drift:inlet:5:1.2");
        inject(p, "lost:inlet:6");
        inject(p, "fahrenheit:inlet:7");
        inject(p, "const:inlet:8:99.5");
        inject(p, "const:inlet:10:inf");
        inject(p, "const:inlet:11:-inf");
        inject(p, "const:inlet:12:nan");
        inject(p, "swap:rack-power:9:40");
        inject(p, "bias:sat:2:4");
        inject(p, "lost:chw-supply:0");
        inject(p, "stuck:wetbulb:0");
        inject(p, "spike:outlet:1:30");
        plant_advance(p, 3600.0);
        assert_true(rack(p, 3).inlet_c == stuck);
        assert_true(near(rack(p, 4).inlet_c, plant_true_inlet_c(p, 4) - 2.5, 0.3));
        assert_true(near(rack(p, 5).inlet_c, plant_true_inlet_c(p, 5) + 1.2, 0.3));
        assert_true(isnan(rack(p, 6).inlet_c));
        assert_true(near(rack(p, 7).inlet_c, plant_true_inlet_c(p, 7) * 1.8 + 32.0, 0.5));
        assert_true(near(rack(p, 8).inlet_c, 99.5, 1e-9));
        assert_true(isinf(rack(p, 10).inlet_c) && rack(p, 10).inlet_c > 0);
        assert_true(isinf(rack(p, 11).inlet_c) && rack(p, 11).inlet_c < 0);
        assert_true(isnan(rack(p, 12).inlet_c));
        assert_true(isnan(water(p).chwst_c));
        assert_true(near(crah(p, 2).sat_c, crah(p, 2).sat_sp_c + 4.0, 0.5));
        for (unsigned k = 0; k < 200; k++) {
                spikes += rack(p, 1).outlet_c > 60.0;
                plant_advance(p, 5.0);
        }
        assert_true(spikes >= 3 && spikes <= 25);
        /* the instruments lie, the plant does not */
        inject(p, "clear");
        assert_true(near(rack(p, 3).inlet_c, plant_true_inlet_c(p, 3), 0.3));
        assert_true(near(rack(p, 8).inlet_c, plant_true_inlet_c(p, 8), 0.3));
        assert_true(isfinite(water(p).chwst_c));
        rig_free(&r);
}

/* Several seeds are several tries: their spikes come at other moments, at the same rate. */
static void spikes_come_at_moments_of_their_seed(void **state)
{
        static bool hit[2][2000];
        unsigned n[2] = {0, 0}, both = 0;
        struct rig r[2];

        (void)state;
        for (size_t k = 0; k < 2; k++) {
                r[k] = rig_new("tiny", k + 1, SPRING_MS);
                inject(r[k].plant, "spike:outlet:1:30");
                for (int i = 0; i < 2000; i++) {
                        plant_advance(r[k].plant, 5.0);
                        hit[k][i] = rack(r[k].plant, 1).outlet_c > 50.0;
                        n[k] += hit[k][i];
                }
                rig_free(&r[k]);
        }
        for (int i = 0; i < 2000; i++)
                both += hit[0][i] && hit[1][i];
        print_message("%u and %u spikes in 2000 readings, %u together\n", n[0], n[1], both);
        assert_true(n[0] > 60 && n[0] < 140 && n[1] > 60 && n[1] < 140 && both < 20);
}

static void swapped_wires_exchange_two_readings(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        size_t cold = 0, hot = 0;

        (void)state;
        plant_advance(r.plant, 3600.0);
        for (size_t i = 1; i < plant_spec(r.plant)->nrack; i++) {
                cold = plant_true_inlet_c(r.plant, i) < plant_true_inlet_c(r.plant, cold) ? i : cold;
                hot = plant_true_inlet_c(r.plant, i) > plant_true_inlet_c(r.plant, hot) ? i : hot;
        }
        assert_true(plant_true_inlet_c(r.plant, hot) > plant_true_inlet_c(r.plant, cold) + 0.8);
        char name[64];
        (void)snprintf(name, sizeof(name), "swap:inlet:%zu:%zu", cold, hot);
        inject(r.plant, name);
        assert_true(near(rack(r.plant, cold).inlet_c, plant_true_inlet_c(r.plant, hot), 0.3));
        assert_true(near(rack(r.plant, hot).inlet_c, plant_true_inlet_c(r.plant, cold), 0.3));
        rig_free(&r);
}

static void mass_loss_takes_a_share(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        size_t lost = 0;

        (void)state;
        inject(r.plant, "mass-loss:inlet:0.4");
        for (size_t i = 0; i < 48; i++)
                lost += isnan(rack(r.plant, i).inlet_c) ? 1 : 0;
        assert_int_equal(lost, 20); /* ceil(0.4 · 48) */
        rig_free(&r);
}

/* Remote setpoints with a beat a step. */
static void hold(struct plant *p, double seconds, double sat_c, double fan_ratio)
{
        static uint16_t beat;

        for (double t = 0.0; t < seconds; t += 10.0) {
                beat++;
                for (size_t i = 0; i < plant_spec(p)->ncrah; i++) {
                        plant_remote_enable(p, PLANT_DEV_CRAH, i, true);
                        plant_heartbeat(p, PLANT_DEV_CRAH, i, beat);
                        *plant_crah_cmd(p, i) = (struct plant_crah_cmd){sat_c, fan_ratio};
                }
                plant_advance(p, 10.0);
        }
}

static void air_handlers_fail_in_their_ways(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant *p = r.plant;

        (void)state;
        hold(p, 1200.0, 19.0, 0.8);
        inject(p, "crah-fail:1");
        inject(p, "crah-deaf:2");
        inject(p, "valve-stuck:3:0.05");
        hold(p, 1800.0, 21.0, 0.7);
        assert_true(!crah(p, 1).running && crah(p, 1).alarm && crah(p, 1).power_w < 1.0);
        assert_true(near(crah(p, 2).sat_sp_c, 19.0, 1e-9) && near(crah(p, 2).fan_ratio, 0.8, 1e-6)); /* no effect … */
        assert_true(plant_crah_cmd(p, 2)->sat_sp_c == 21.0); /* … but reads back */
        assert_true(near(crah(p, 0).sat_sp_c, 21.0, 1e-9));
        assert_true(near(crah(p, 3).valve_ratio, 0.05, 1e-6) && crah(p, 3).sat_c > 22.0);
        inject(p, "crah-reboot:0");
        plant_advance(p, 5.0);
        assert_false(plant_is_remote(p, PLANT_DEV_CRAH, 0));
        assert_true(near(plant_crah_cmd(p, 0)->sat_sp_c, 18.0, 1e-9)); /* its default */
        plant_advance(p, 70.0);
        assert_false(plant_is_remote(p, PLANT_DEV_CRAH, 4)); /* the watchdog works … */
        inject(p, "clear");
        hold(p, 60.0, 21.0, 0.7);
        inject(p, "watchdog-inert");
        plant_advance(p, 600.0);
        assert_true(plant_is_remote(p, PLANT_DEV_CRAH, 4)); /* … unless it is inert */
        rig_free(&r);
}

static void a_fouled_chiller_costs_more(void **state)
{
        struct rig r = rig_new("tiny", 1, SPRING_MS);
        double clean;

        (void)state;
        plant_advance(r.plant, 3600.0);
        clean = chiller(r.plant, 0).power_w;
        inject(r.plant, "chiller-foul:0:0.3");
        plant_advance(r.plant, 60.0);
        assert_true(near(chiller(r.plant, 0).power_w / clean, 1.3, 0.08));
        rig_free(&r);
}

static void towers_and_condenser_pumps_fail(void **state)
{
        struct rig a = rig_new("hall", 1, SUMMER_MS), b = rig_new("hall", 1, SUMMER_MS);
        const double before = water(a.plant).cwst_c;

        (void)state;
        inject(a.plant, "tower-fail");
        plant_advance(a.plant, 1800.0);
        assert_true(water(a.plant).tower_w < 1.0 && water(a.plant).cwst_c > before + 3.0);
        inject(b.plant, "cw-pump-fail");
        plant_advance(b.plant, 120.0);
        for (size_t i = 0; i < 3; i++)
                assert_false(chiller(b.plant, i).running);
        assert_true(water(b.plant).cw_flow_m3s < 1e-9);
        inject(b.plant, "clear");
        plant_advance(b.plant, 900.0); /* minimum off time, then the plant starts them again */
        assert_true(chiller(b.plant, 0).running);
        rig_free(&a);
        rig_free(&b);
}

static void utility_loss_stops_everything_but_the_servers(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant_account before, after;

        (void)state;
        plant_advance(r.plant, 3600.0);
        plant_account(r.plant, &before);
        inject(r.plant, "utility-loss:100");
        plant_advance(r.plant, 90.0);
        plant_account(r.plant, &after);
        assert_true(after.it_kwh > before.it_kwh);
        assert_true(chiller(r.plant, 0).power_w < 1.0 && water(r.plant).chw_pump_w < 1.0);
        assert_true(after.max_inlet_c > before.max_inlet_c + 3.0); /* a minute and a half without air */
        plant_advance(r.plant, 1800.0);
        assert_true(crah(r.plant, 0).running && chiller(r.plant, 0).running);
        plant_account(r.plant, &after);
        assert_true(after.energy_residual_ratio < 0.005);
        rig_free(&r);
}

static void rooms_load_and_weather_change(void **state)
{
        struct rig a = rig_new("hall", 1, SUMMER_MS), b = rig_new("hall", 1, SUMMER_MS);
        struct plant_weather_meas wa, wb;

        (void)state;
        inject(a.plant, "containment-open:0");
        inject(a.plant, "heat-wave:8");
        inject(a.plant, "dew-point:1:16.5");
        assert_true(near(plant_dewpoint_c(a.plant, 1), 16.5, 1e-9));
        plant_advance(a.plant, 3600.0);
        plant_advance(b.plant, 3600.0);
        double open = 0.0, shut = 0.0;
        for (size_t i = 0; i < 16; i++) { /* room 0 */
                open += plant_true_inlet_c(a.plant, i) / 16.0;
                shut += plant_true_inlet_c(b.plant, i) / 16.0;
        }
        print_message("open %.2f, shut %.2f °C\n", open, shut);
        assert_true(open > shut + 1.0);
        plant_weather_meas(a.plant, &wa);
        plant_weather_meas(b.plant, &wb);
        assert_true(near(wa.oat_c, wb.oat_c + 8.0, 0.4) && near(wa.wetbulb_c, wb.wetbulb_c + 8.0, 0.4));
        rig_free(&a);
        rig_free(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(names_and_numbers_are_checked),
            cmocka_unit_test(instruments_lie_as_told),
            cmocka_unit_test(spikes_come_at_moments_of_their_seed),
            cmocka_unit_test(swapped_wires_exchange_two_readings),
            cmocka_unit_test(mass_loss_takes_a_share),
            cmocka_unit_test(air_handlers_fail_in_their_ways),
            cmocka_unit_test(a_fouled_chiller_costs_more),
            cmocka_unit_test(towers_and_condenser_pumps_fail),
            cmocka_unit_test(utility_loss_stops_everything_but_the_servers),
            cmocka_unit_test(rooms_load_and_weather_change),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
