/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/plan_room.h"

static void slow_plan_follows_the_valves_without_an_energy_model(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 400);
        const struct {
                double valve, chwst, expect;
                const char *move;
        } c[] = {
            {0.60, 9.0, 9.5, "chwst +0.5 K"}, {0.74, 9.0, 9.5, "chwst +0.5 K"}, {0.76, 9.0, 9.0, "hold"},
            {0.89, 9.0, 9.0, "hold"},         {0.91, 9.0, 8.5, "chwst -0.5 K"}, {0.60, 16.0, 16.0, "hold"},
        };
        for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
                struct plan_output out;
                start_state(r, 18, 0.8, c[k].chwst);
                for (size_t t = 0; t < WINDOW; t++)
                        r->wy[t * r->ny + r->nrack + r->ncrah] = r->wy[t * r->ny + r->nrack + r->ncrah + 1] =
                            c[k].valve;
                struct plan_input in = input_of(r, k);
                in.slow_step = true;
                plan_step(r->plan, &in, &out);
                near(out.u[chw_u(r)], c[k].expect, 1e-9);
                assert_string_equal(out.move, c[k].move);
        }
        room_free(r);
}

static void says_that_water_stays_cold_where_no_valve_is_known(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;
        start_state(r, 18, 0.8, 9.0);
        for (size_t t = 0; t < WINDOW; t++)
                r->wy[t * r->ny + r->nrack + r->ncrah] = r->wy[t * r->ny + r->nrack + r->ncrah + 1] = (double)NAN;
        struct plan_input in = input_of(r, 0);
        in.slow_step = true;
        plan_step(r->plan, &in, &out);
        near(out.u[chw_u(r)], 9.0, 1e-9);
        assert_string_equal(out.move, "hold (no valve opening: chwst never raised)");
        room_free(r);
}

static void chillers_follow_capacity(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;

        for (int explore = 0; explore < 2; explore++) {
                struct plan_input in = input_of(r, 1);
                in.slow_step = true;
                in.explore = explore;
                in.plant.heat_w = 690e3; /* × 1.15 = 793.5 kW of 800 */
                plan_step(r->plan, &in, &out);
                near(out.u[chw_u(r) + 4], 0.0, 0.0);
                in.plant.heat_w = 700e3; /* × 1.15 = 805 kW */
                plan_step(r->plan, &in, &out);
                near(out.u[chw_u(r) + 4], 1.0, 0.0);
                near(out.u[chw_u(r) + 2], 1.0, 0.0);
                in.slow_step = false;
                plan_step(r->plan, &in, &out);
                near(out.u[chw_u(r) + 4], 0.0, 0.0);
        }
        room_free(r);
}

#define CAPACITY_W 1200e3

static double plant_w(const struct energy_sample *s, double machine_w, double crowd_w)
{
        const double load = s->heat_w / CAPACITY_W;

        return s->heat_w / 5.0 * (1.0 - 0.025 * (s->chwst_c - 8.0)) * (1.0 + 0.022 * (s->cwst_c - 25.0)) +
               machine_w * (s->chillers_on - 1.0) + crowd_w * load * load / s->chillers_on;
}

/* An energy model of a plant seen between 8 and 12 °C chilled and 22 and 28 °C condenser water, where each chiller
 * takes machine_w and a load that fewer of them carry costs more. */
static struct energy *trained_energy(void *mem, double machine_w, double crowd_w)
{
        struct energy *e = NULL;
        struct rng g;

        assert_int_equal(energy_create(mem, energy_memsize(), 3, CAPACITY_W, &e), 0);
        rng_seed(&g, 9, 0);
        for (int k = 0; k < 300; k++) {
                struct energy_sample s = {.fan_ratio_cubed = rng_range(&g, 0.1, 0.4),
                                          .heat_w = rng_range(&g, 400e3, 600e3),
                                          .chwst_c = rng_range(&g, 8, 12),
                                          .cwst_c = rng_range(&g, 22, 28),
                                          .wetbulb_c = rng_range(&g, 10, 23),
                                          .chillers_on = 2 + rng_below(&g, 2),
                                          .valve_mean_ratio = rng_range(&g, 0.4, 0.7)};
                s.power_w[ENERGY_FANS] = 30e3 * s.fan_ratio_cubed;
                s.power_w[ENERGY_CHILLERS] = plant_w(&s, machine_w, crowd_w) * (1.0 + 0.01 * rng_normal(&g));
                s.power_w[ENERGY_PUMPS] = s.power_w[ENERGY_TOWERS] = 4e3;
                energy_add(e, &s);
        }
        assert_true(energy_fit(e) > 0);
        return e;
}

static void slow_plan_trusts_the_energy_model_inside_its_data(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        const struct {
                double valve, chwst, cwst, wetbulb, chwst_step, cwst_step;
        } c[] = {
            {0.50, 9.0, 25.0, 15.0, 1.0, -1.0},  /* room everywhere: the pair at once */
            {0.84, 9.0, 25.0, 15.0, 0.0, -1.0},  /* 0.84 (9 K/8.5 K)^0.5 > 0.85 */
            {0.95, 9.0, 25.0, 15.0, -0.5, -1.0}, /* valves first */
            {0.50, 9.0, 25.0, 21.2, 1.0, -0.8},  /* no lower than wet bulb + 3 K */
            {0.50, 9.0, 25.0, 22.0, 1.0, 0.0},
            {0.50, 9.0, 25.0, (double)NAN, 1.0, 0.0}, /* wet bulb unknown: never lower */
            {0.50, 16.0, 25.0, 22.0, 0.0, 0.0},
        };
        for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
                struct plan_output out;
                start_state(r, 18, 0.8, c[k].chwst);
                for (size_t t = 0; t < WINDOW; t++)
                        for (size_t v = 0; v < 2; v++)
                                r->wy[t * r->ny + r->nrack + r->ncrah + v] = c[k].valve;
                struct plan_input in = input_of(r, k);
                in.slow_step = true;
                in.energy = e;
                in.plant.wetbulb_c = c[k].wetbulb;
                plan_step(r->plan, &in, &out);
                near(out.u[chw_u(r)] - c[k].chwst, c[k].chwst_step, 1e-9);
                near(out.u[chw_u(r) + 1] - c[k].cwst, c[k].cwst_step, 1e-9);
                assert_true(isfinite(out.predicted_w) && out.predicted_std_w >= 0.0);
        }
        room_free(r);
        free(mem);
}

static void idle_chiller_is_switched_off_with_margin_and_not_too_often(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        int switched = 0;

        for (uint64_t k = 0; k < 20; k++) {
                double u[U_MAX];
                struct plan_output out;
                struct plan_input in = input_of(r, k);
                memcpy(u, in.u_now, r->nu * sizeof *u);
                u[chw_u(r) + 4] = 1.0; /* three run: whatever the plan asks, someone switches it on again */
                in.u_now = u;
                in.slow_step = true;
                in.energy = e;
                in.plant.chillers_on = 3;
                in.plant.heat_w = k < 10 ? 500e3 : 720e3; /* 800 kW left: with 15 % margin, enough for 695 kW */
                plan_step(r->plan, &in, &out);
                if (out.u[chw_u(r) + 4] < 0.5) {
                        assert_true(k < 10);
                        assert_non_null(strstr(out.move, "chiller off"));
                        switched++;
                }
                assert_true(out.u[chw_u(r) + 2] > 0.5 && out.u[chw_u(r) + 3] > 0.5);
        }
        assert_in_range(switched, 1, 2);
        room_free(r);
        free(mem);
}

/* Where the model holds the other count for cheaper whichever runs, a chiller would start every hour for ever. */
static void a_staging_move_taken_back_makes_the_next_one_wait(void **state)
{
        (void)state;
        enum { DAYS = 6, PER_DAY = 288 };
        void *mem[2] = {malloc(energy_memsize()), malloc(energy_memsize())};
        struct energy *e[2] = {trained_energy(mem[0], 0.0, 500e3), trained_energy(mem[1], 15e3, 0.0)};
        struct room *r = room_new(2, 4, 400);
        const size_t third = chw_u(r) + 4;
        int moves[DAYS] = {0};
        struct plan_output out;
        double u[U_MAX];

        memcpy(u, input_of(r, 0).u_now, r->nu * sizeof *u);
        for (uint64_t k = 0; k < (uint64_t)DAYS * PER_DAY; k++) {
                struct plan_input in = input_of(r, k);
                in.u_now = u;
                in.slow_step = true;
                in.energy = e[u[third] > 0.5];
                in.plant.chillers_on = u[third] > 0.5 ? 3 : 2;
                in.plant.heat_w = 500e3;
                plan_step(r->plan, &in, &out);
                moves[k / PER_DAY] += (out.u[third] > 0.5) != (u[third] > 0.5);
                u[third] = out.u[third];
        }
        assert_in_range(moves[0], 4, 6); /* after 30, 60, 120 … min */
        for (int d = 1; d < DAYS; d++)
                assert_in_range(moves[d], d == 1 ? 0 : 1, 1);

        /* heat that the running ones cannot carry waits for nothing */
        while (u[third] > 0.5) {
                struct plan_input in = input_of(r, 0);
                in.u_now = u;
                in.slow_step = true;
                in.energy = e[1];
                in.plant.chillers_on = 3;
                in.plant.heat_w = 500e3;
                plan_step(r->plan, &in, &out);
                u[third] = out.u[third];
        }
        struct plan_input in = input_of(r, 0);
        in.u_now = u;
        in.slow_step = true;
        in.energy = e[0];
        in.plant.chillers_on = 2;
        in.plant.heat_w = 720e3;
        plan_step(r->plan, &in, &out);
        assert_true(out.u[third] > 0.5);

        /* quiet days make it ready again */
        u[third] = 0.0;
        r->plan->slow_count += (uint64_t)4 * PER_DAY;
        for (int k = 0; k < 5; k++) {
                const uint64_t before = r->plan->staging_gap;
                in = input_of(r, 0);
                in.u_now = u;
                in.slow_step = true;
                in.energy = e[0];
                in.plant.chillers_on = 2;
                in.plant.heat_w = 500e3;
                plan_step(r->plan, &in, &out);
                assert_true(out.u[third] > 0.5);
                assert_int_equal(r->plan->staging_gap, before > 12 ? before / 2 : 6);
                r->plan->slow_count += (uint64_t)4 * PER_DAY;
        }
        room_free(r);
        free(mem[0]);
        free(mem[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(slow_plan_follows_the_valves_without_an_energy_model),
            cmocka_unit_test(says_that_water_stays_cold_where_no_valve_is_known),
            cmocka_unit_test(chillers_follow_capacity),
            cmocka_unit_test(slow_plan_trusts_the_energy_model_inside_its_data),
            cmocka_unit_test(idle_chiller_is_switched_off_with_margin_and_not_too_often),
            cmocka_unit_test(a_staging_move_taken_back_makes_the_next_one_wait),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
