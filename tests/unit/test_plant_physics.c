/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The sanity list of the reference plant: what any believable site shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "plant_fixture.h"
#include "sim/plant_internal.h"

static double mean_inlet(const struct plant *p)
{
        const size_t n = plant_spec(p)->nrack;
        double sum = 0.0;

        for (size_t i = 0; i < n; i++)
                sum += plant_true_inlet_c(p, i);
        return sum / (double)n;
}

static double max_inlet(const struct plant *p)
{
        double max = -100.0;

        for (size_t i = 0; i < plant_spec(p)->nrack; i++)
                max = fmax(max, plant_true_inlet_c(p, i));
        return max;
}

/* Advances with every device held remote at the given setpoints; NaN = leave as it is. */
static void advance_remote(struct plant *p, double seconds, double sat_c, double fan, double chwst_c, double cwst_c)
{
        const struct plant_spec *s = plant_spec(p);
        static uint16_t beat;

        for (double t = 0.0; t < seconds; t += 30.0) {
                beat++;
                for (size_t i = 0; i < s->ncrah; i++) {
                        plant_remote_enable(p, PLANT_DEV_CRAH, i, true);
                        plant_heartbeat(p, PLANT_DEV_CRAH, i, beat);
                        if (!isnan(sat_c))
                                plant_crah_cmd(p, i)->sat_sp_c = sat_c;
                        if (!isnan(fan))
                                plant_crah_cmd(p, i)->fan_ratio = fan;
                }
                plant_remote_enable(p, PLANT_DEV_PLANT, 0, true);
                plant_heartbeat(p, PLANT_DEV_PLANT, 0, beat);
                if (!isnan(chwst_c))
                        plant_water_cmd(p)->chwst_sp_c = chwst_c;
                if (!isnan(cwst_c))
                        plant_water_cmd(p)->cwst_sp_c = cwst_c;
                plant_advance(p, 30.0);
        }
}

static struct plant_account account_over(struct plant *p, double seconds, double sat_c, double fan, double chwst_c,
                                         double cwst_c)
{
        struct plant_account a;

        advance_remote(p, 3600.0, sat_c, fan, chwst_c, cwst_c);
        plant_account_reset(p);
        advance_remote(p, seconds, sat_c, fan, chwst_c, cwst_c);
        plant_account(p, &a);
        return a;
}

static void energy_closes_over_a_day_with_disturbances(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct plant_account a;

        (void)state;
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_advance(r.plant, 6 * 3600.0);
        assert_int_equal(plant_fault(r.plant, "crah-fail:2"), 0);
        assert_int_equal(plant_fault(r.plant, "load-step:1.4"), 0);
        plant_advance(r.plant, 6 * 3600.0);
        assert_int_equal(plant_fault(r.plant, "clear"), 0);
        plant_advance(r.plant, 12 * 3600.0);
        plant_account(r.plant, &a);
        assert_true(fabs(a.hours - 24.0) < 1e-6);
        assert_true(a.energy_residual_ratio < 0.005);
        assert_true(fabs(a.cooling_kwh - a.crah_fan_kwh - a.chiller_kwh - a.pump_kwh - a.tower_kwh) < 1e-6);
        assert_true(fabs(a.total_kwh - a.it_kwh - a.it_fan_kwh - a.cooling_kwh) < 1e-6);
        rig_free(&r);
}

/* The curves as built, at constant load over the range the setpoints cover: as the published ones have it, warmer
 * chilled water saves 0.4 to 5 % of chiller power per kelvin, warmer condenser water costs as much. */
static void chiller_curves_have_published_slopes(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        for (size_t i = 0; i < plant_spec(r.plant)->nchiller; i++)
                for (double te = 7.0; te <= 17.0; te += 1.0)
                        for (double tc = 16.0; tc <= 27.0; tc += 1.0) {
                                const struct chiller *c = &r.plant->chiller[i];
                                const double load = 0.65 * plant_spec(r.plant)->chiller_capacity_w;
                                const double w = chiller_power_w(c->curves, c->nominal_w, load, te, tc);
                                const double warm =
                                    chiller_power_w(c->curves, c->nominal_w, load, te + 1.0, tc) / w - 1.0;
                                const double lift =
                                    chiller_power_w(c->curves, c->nominal_w, load, te, tc + 1.0) / w - 1.0;

                                assert_true(warm <= -0.004 && warm >= -0.05);
                                assert_true(lift >= 0.005 && lift <= 0.05);
                        }
        rig_free(&r);
}

/* Tower water colder than chilled water + least lift saves nothing and carries no more; above it the curves hold. */
static void head_pressure_is_kept(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS), cold = rig_new("hall", 1, WINTER_MS),
                   at = rig_new("hall", 1, WINTER_MS), above = rig_new("hall", 1, WINTER_MS);

        (void)state;
        for (size_t i = 0; i < plant_spec(r.plant)->nchiller; i++)
                for (double te = 5.0; te <= 20.0; te += 0.5) {
                        const struct chiller *c = &r.plant->chiller[i];
                        const double load = 0.4 * plant_spec(r.plant)->chiller_capacity_w,
                                     least_c = te + PLANT_MIN_LIFT_K;
                        const double w = chiller_power_w(c->curves, c->nominal_w, load, te, least_c),
                                     q = chiller_capacity_w(c->curves, c->nominal_w, te, least_c);

                        for (double tc = 6.0; tc <= least_c; tc += 0.5) {
                                assert_true(plant_chiller_power_w(r.plant, i, load, te, tc) == w);
                                assert_true(plant_chiller_capacity_w(r.plant, i, te, tc) == q);
                        }
                        assert_true(plant_chiller_power_w(r.plant, i, load, te, least_c + 0.5) ==
                                    chiller_power_w(c->curves, c->nominal_w, load, te, least_c + 0.5));
                        assert_true(plant_chiller_capacity_w(r.plant, i, te, least_c + 0.5) ==
                                    chiller_capacity_w(c->curves, c->nominal_w, te, least_c + 0.5));
                }
        const double kwh[3] = {account_over(cold.plant, 3600.0, 20.0, 0.8, 14.0, 14.0).chiller_kwh,
                               account_over(at.plant, 3600.0, 20.0, 0.8, 14.0, 18.0).chiller_kwh,
                               account_over(above.plant, 3600.0, 20.0, 0.8, 14.0, 22.0).chiller_kwh};

        print_message("chilled water 14 C, condenser water 14, 18, 22 C: %.2f, %.2f, %.2f kWh\n", kwh[0], kwh[1],
                      kwh[2]);
        assert_true(fabs(kwh[0] / kwh[1] - 1.0) < 0.003 && kwh[2] > 1.04 * kwh[1]);
        rig_free(&r);
        rig_free(&cold);
        rig_free(&at);
        rig_free(&above);
}

/* Why there is no rule against freezing: a loaded machine that gets the coldest water unloads at 4 C at once. */
static void machines_unload_before_water_freezes(void **state)
{
        struct rig r = rig_new("hall", 1, SUMMER_MS);
        struct plant *p = r.plant;

        (void)state;
        for (size_t i = 0; i < plant_spec(p)->nchiller; i++)
                p->chiller[i].load_w = p->chiller[i].available_w;
        p->water.supply_c = p->water.return_c = 4.5;
        plant_advance(p, 5.0);
        for (size_t i = 0; i < plant_spec(p)->nchiller; i++) {
                assert_int_equal(p->chiller[i].state, CHILLER_RUNNING);
                assert_true(p->chiller[i].load_w > 0.0 && p->chiller[i].leaving_c > 3.999);
        }
        rig_free(&r);
}

static void slopes_hold_in_the_running_plant(void **state)
{
        struct rig a = rig_new("hall", 1, SPRING_MS), b = rig_new("hall", 1, SPRING_MS),
                   c = rig_new("hall", 1, SPRING_MS);
        const double base = account_over(a.plant, 3600.0, 20.0, 0.8, 9.0, 22.0).chiller_kwh;
        const double warm = account_over(b.plant, 3600.0, 20.0, 0.8, 10.0, 22.0).chiller_kwh / base - 1.0;
        const double lift = account_over(c.plant, 3600.0, 20.0, 0.8, 9.0, 23.0).chiller_kwh / base - 1.0;

        (void)state;
        print_message("chiller power %+.2f %%/K chilled, %+.2f %%/K condenser water\n", 100.0 * warm, 100.0 * lift);
        assert_true(warm <= -0.01 && warm >= -0.04);
        assert_true(lift >= 0.01 && lift <= 0.045);
        rig_free(&a);
        rig_free(&b);
        rig_free(&c);
}

static void supply_step_reaches_the_racks_in_minutes(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        double before, after, t = 0.0;

        (void)state;
        advance_remote(r.plant, 7200.0, 18.0, 0.8, 9.0, 22.0);
        before = mean_inlet(r.plant);
        {
                struct rig s = rig_new("hall", 1, SPRING_MS);

                advance_remote(s.plant, 7200.0, 18.0, 0.8, 9.0, 22.0);
                advance_remote(s.plant, 3600.0, 21.0, 0.8, 9.0, 22.0);
                after = mean_inlet(s.plant);
                rig_free(&s);
        }
        assert_true(after - before > 2.0 && after - before < 4.0);
        while (mean_inlet(r.plant) < before + 0.63 * (after - before) && t < 3600.0) {
                advance_remote(r.plant, 30.0, 21.0, 0.8, 9.0, 22.0);
                t += 30.0;
        }
        print_message("63 %% of a supply-air step after %.1f min\n", t / 60.0);
        assert_true(t >= 120.0 && t <= 480.0);
        rig_free(&r);
}

/* The duct is a pure dead time of its volume over the flow, and keeps every joule whatever the flow does. */
static void supply_air_travels_in_plug_flow(void **state)
{
        struct duct d;
        struct rng rng;
        double in = 0.0, out = 0.0;

        (void)state;
        for (int slow = 0; slow < 2; slow++) {
                const double m3 = slow ? 0.5 : 1.0;
                const int steps = slow ? 20 : 10;

                plant_duct_fill(&d, 10.0, 18.0);
                for (int k = 0; k < steps; k++)
                        assert_true(plant_duct_step(&d, m3, 20.0) == 18.0);
                assert_true(plant_duct_step(&d, m3, 20.0) == 20.0);
        }
        rng_seed(&rng, 1, 0x64756374u);
        plant_duct_fill(&d, 10.0, 18.0);
        for (int k = 0; k < 20000; k++) {
                const double m3 = rng_below(&rng, 4) == 0 ? 0.0 : rng_range(&rng, 0.0, rng_below(&rng, 9) ? 0.4 : 25.0);
                const double in_c = rng_range(&rng, 10.0, 40.0), out_c = plant_duct_step(&d, m3, in_c);

                assert_true(out_c > 9.999 && out_c < 40.001);
                in += m3 * in_c;
                out += m3 * out_c;
        }
        assert_true(fabs(in - out - (plant_duct_m3k(&d) - 180.0)) < 1e-6 * in);
}

static void losing_all_cooling_overheats_in_a_minute_or_three(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        double t = 0.0, kw = 0.0;

        (void)state;
        for (size_t i = 0; i < plant_spec(r.plant)->nrack; i++) {
                struct plant_rack_meas m;

                plant_rack_meas(r.plant, i, &m);
                kw += m.power_w / 1e3 / (double)plant_spec(r.plant)->nrack;
        }
        assert_true(kw > 8.0 && kw < 14.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "crah-fail:%zu", i);
                assert_int_equal(plant_fault(r.plant, name), 0);
        }
        while (max_inlet(r.plant) <= 32.0 && t < 600.0) {
                plant_advance(r.plant, 5.0);
                t += 5.0;
        }
        print_message("all CRAHs lost at %.1f kW a rack: 32 °C after %.0f s\n", kw, t);
        assert_true(t >= 50.0 && t <= 200.0);
        rig_free(&r);
}

static void slower_fans_save_by_the_cube_and_warm_the_inlets(void **state)
{
        struct rig a = rig_new("hall", 1, SPRING_MS), b = rig_new("hall", 1, SPRING_MS);
        const struct plant_account fast = account_over(a.plant, 3600.0, 20.0, 0.8, 9.0, 22.0);
        const struct plant_account slow = account_over(b.plant, 3600.0, 20.0, 0.4, 9.0, 22.0);

        (void)state;
        assert_true(fabs(slow.crah_fan_kwh / fast.crah_fan_kwh - 0.125) < 0.001);
        assert_true(mean_inlet(b.plant) > mean_inlet(a.plant) + 2.0);
        assert_true(max_inlet(b.plant) > 27.0); /* the bound can be reached: the control problem is real */
        assert_true(slow.it_fan_kwh > fast.it_fan_kwh);
        assert_true(slow.it_kwh >= fast.it_kwh);
        rig_free(&a);
        rig_free(&b);
}

/* Warmer supply air helps the chiller (through warmer water) and hurts the fans: the best lies inside. */
static void supply_temperature_has_an_interior_optimum(void **state)
{
        double total[4];

        (void)state;
        for (size_t k = 0; k < 4; k++) {
                struct rig r = rig_new("hall", 1, SPRING_MS);
                const double sat = 16.0 + 4.0 * (double)k;

                total[k] = account_over(r.plant, 3600.0, sat, 0.6, fmin(sat - 6.0, 16.0), 20.0).total_kwh;
                print_message("supply %.0f °C: %.1f kWh\n", sat, total[k]);
                rig_free(&r);
        }
        assert_true(fmin(total[1], total[2]) < total[0]);
        assert_true(fmin(total[1], total[2]) < total[3]);
}

static void coils_hold_warm_supply_on_warm_water_with_valves_to_spare(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);

        (void)state;
        advance_remote(r.plant, 4 * 3600.0, 24.0, 0.6, 16.0, 20.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                struct plant_crah_meas m;

                plant_crah_meas(r.plant, i, &m);
                assert_true(fabs(m.sat_c - 24.0) < 0.5);
                assert_true(m.valve_ratio < 0.9);
        }
        rig_free(&r);
}

static void fixed_local_setpoints_give_the_usual_inlets(void **state)
{
        static const char *const site[] = {"tiny", "hall"};

        (void)state;
        for (size_t k = 0; k < 2; k++) {
                struct rig r = rig_new(site[k], 1, SPRING_MS);

                plant_advance(r.plant, 6 * 3600.0);
                print_message("%s: inlets mean %.1f, hottest %.1f °C\n", site[k], mean_inlet(r.plant),
                              max_inlet(r.plant));
                assert_true(mean_inlet(r.plant) > 19.0 && max_inlet(r.plant) < 24.0);
                rig_free(&r);
        }
}

static void containment_removes_recirculation(void **state)
{
        struct rig r = rig_new("hall", 1, SPRING_MS);
        struct plant_spec spec = *plant_spec(r.plant);
        struct plant *tight = NULL, *open = NULL;

        (void)state;
        spec.containment = 1.0;
        assert_int_equal(plant_create(&spec, r.weather, r.load, SPRING_MS, &tight), 0);
        spec.containment = 0.2;
        assert_int_equal(plant_create(&spec, r.weather, r.load, SPRING_MS, &open), 0);
        assert_true(max_inlet(tight) < 18.7);
        assert_true(max_inlet(open) > max_inlet(r.plant) + 1.0);
        tight = plant_free(tight);
        open = plant_free(open);
        rig_free(&r);
}

/* Two days of trim-and-respond on hall with an economiser; what it had without one in *ret_without. */
static struct plant_account economiser_days(int64_t start_ms, struct plant_account *ret_without)
{
        struct rig r = rig_new("hall", 1, start_ms);
        struct plant_spec spec = *plant_spec(r.plant);
        struct plant *with = NULL;
        struct plant_account a;

        spec.economiser = true;
        assert_int_equal(plant_create(&spec, r.weather, r.load, start_ms, &with), 0);
        plant_set_local(with, PLANT_LOCAL_TRIM_RESPOND);
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        plant_advance(with, 6 * 3600.0);
        plant_advance(r.plant, 6 * 3600.0);
        plant_account_reset(with);
        plant_account_reset(r.plant);
        plant_advance(with, 48 * 3600.0);
        plant_advance(r.plant, 48 * 3600.0);
        plant_account(with, &a);
        plant_account(r.plant, ret_without);
        print_message("economiser on %.1f h, alone %.1f h; cooling %.0f kWh against %.0f without; %llu starts\n",
                      a.econ_hours, a.econ_alone_hours, a.cooling_kwh, ret_without->cooling_kwh,
                      (unsigned long long)a.chiller_starts);
        assert_true(a.energy_residual_ratio < 0.005);
        assert_true(a.hard_violations == 0 && a.max_inlet_c < 27.5);
        plant_free(with);
        rig_free(&r);
        return a;
}

static void economiser_works_in_winter_and_rests_in_summer(void **state)
{
        struct plant_account without;
        const struct plant_account winter = economiser_days(WINTER_MS, &without);

        (void)state;
        assert_true(winter.econ_hours > 40.0 && winter.econ_alone_hours > 24.0);
        assert_true(winter.chiller_kwh < 0.4 * without.chiller_kwh);
        assert_true(winter.cooling_kwh < 0.8 * without.cooling_kwh);
        assert_true(winter.chiller_starts <= 4); /* does not cycle */

        const struct plant_account summer = economiser_days(SUMMER_MS, &without);
        assert_true(summer.econ_alone_hours == 0.0);
        assert_true(summer.cooling_kwh < 1.05 * without.cooling_kwh);
        assert_true(without.econ_hours == 0.0);
}

static double coldest_arriving_c(const struct plant *p)
{
        double c = 100.0;

        for (size_t i = 0; i < plant_spec(p)->ncrah; i++)
                c = fmin(c, p->crah[i].arrive_c);
        return c;
}

static double coldest_coil_c(const struct plant *p)
{
        double c = 100.0;

        for (size_t i = 0; i < plant_spec(p)->ncrah; i++)
                c = fmin(c, plant_coil_surface_c(p, &p->crah[i]));
        return c;
}

static struct plant_account one_minute_at(struct plant *p, double dewpoint_c)
{
        struct plant_account a;

        plant_account_reset(p);
        p->room[0].dewpoint_c = dewpoint_c;
        plant_account_tick(p);
        plant_account(p, &a);
        return a;
}

/* Both sides of the two bounds: 2 K under the coldest supply air; the coldest coil's own surface. */
static void surfaces_near_the_dew_point_are_counted(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant *p = r.plant;
        struct plant_account a;

        (void)state;
        advance_remote(p, 3600.0, 20.0, 0.8, 14.0, (double)NAN);
        print_message("supply %.2f, coil %.2f, water %.2f °C\n", coldest_arriving_c(p), coldest_coil_c(p),
                      p->water.supply_c);
        assert_true(coldest_coil_c(p) > p->water.supply_c && coldest_coil_c(p) < coldest_arriving_c(p));
        assert_true(one_minute_at(p, coldest_arriving_c(p) - PLANT_DRY_K - 0.01).cold_surface_min == 0.0);
        a = one_minute_at(p, coldest_arriving_c(p) - PLANT_DRY_K + 0.01);
        assert_true(a.cold_surface_min == 1.0 && a.max_dewpoint_c == p->room[0].dewpoint_c);
        assert_true(one_minute_at(p, coldest_coil_c(p) - 0.01).wet_coil_min == 0.0);
        assert_true(one_minute_at(p, coldest_coil_c(p) + 0.01).wet_coil_min >= 1.0);
        /* nothing blows, nothing is cold */
        assert_int_equal(plant_fault(p, "utility-loss:600"), 0);
        plant_advance(p, 300.0);
        a = one_minute_at(p, 25.0);
        assert_true(a.cold_surface_min == 0.0 && a.wet_coil_min == 0.0);
        rig_free(&r);
}

/* Cold coils dry a humid room; the vapour's heat is the chillers' and the balance closes. */
static void condensing_is_a_load(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS), dry = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant_account a, b;
        const double kg_per_k = 0.75e-3 * 9.0 * 1.2 * 8; /* near 15 °C; 8 racks */

        (void)state;
        plant_account_reset(r.plant);
        plant_account_reset(dry.plant);
        assert_int_equal(plant_fault(r.plant, "dew-point:0:25"), 0);
        plant_advance(r.plant, 3600.0);
        plant_advance(dry.plant, 3600.0);
        plant_account(r.plant, &a);
        plant_account(dry.plant, &b);
        print_message("dew point %.2f °C after an hour, %.2f kWh latent, chillers %.2f and %.2f kWh\n",
                      plant_dewpoint_c(r.plant, 0), a.latent_kwh, a.chiller_kwh, b.chiller_kwh);
        assert_true(plant_dewpoint_c(r.plant, 0) < 16.0 && plant_dewpoint_c(r.plant, 0) > 8.0);
        /* 25 °C to where it ends: between 0.5 and 2 times what a straight line says */
        const double kwh = (25.0 - plant_dewpoint_c(r.plant, 0)) * kg_per_k * 2.5e6 / 3.6e6;
        assert_true(a.latent_kwh > 0.5 * kwh && a.latent_kwh < 2.0 * kwh);
        assert_true(b.latent_kwh == 0.0 && a.chiller_kwh > b.chiller_kwh + 0.05 * a.latent_kwh);
        assert_true(a.energy_residual_ratio < 1e-9 && b.energy_residual_ratio < 1e-9);
        rig_free(&r);
        rig_free(&dry);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(energy_closes_over_a_day_with_disturbances),
            cmocka_unit_test(chiller_curves_have_published_slopes),
            cmocka_unit_test(head_pressure_is_kept),
            cmocka_unit_test(machines_unload_before_water_freezes),
            cmocka_unit_test(slopes_hold_in_the_running_plant),
            cmocka_unit_test(supply_step_reaches_the_racks_in_minutes),
            cmocka_unit_test(supply_air_travels_in_plug_flow),
            cmocka_unit_test(losing_all_cooling_overheats_in_a_minute_or_three),
            cmocka_unit_test(slower_fans_save_by_the_cube_and_warm_the_inlets),
            cmocka_unit_test(supply_temperature_has_an_interior_optimum),
            cmocka_unit_test(coils_hold_warm_supply_on_warm_water_with_valves_to_spare),
            cmocka_unit_test(fixed_local_setpoints_give_the_usual_inlets),
            cmocka_unit_test(containment_removes_recirculation),
            cmocka_unit_test(economiser_works_in_winter_and_rests_in_summer),
            cmocka_unit_test(surfaces_near_the_dew_point_are_counted),
            cmocka_unit_test(condensing_is_a_load),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
