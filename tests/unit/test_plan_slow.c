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
                r->plan->warm_from = 0;
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

/* Water at 9 °C, all valves at this opening, the first rack so far above its target. */
static struct plan_output water_step(struct room *r, double valve, double over_k)
{
        struct plan_output out;

        start_state(r, 18, 0.8, 9.0);
        for (size_t t = 0; t < WINDOW; t++) {
                for (size_t v = 0; v < r->ncrah; v++)
                        r->wy[t * r->ny + r->nrack + r->ncrah + v] = valve;
                if (over_k > 0.0)
                        r->wy[t * r->ny] = r->y[0].target_max + over_k;
        }
        struct plan_input in = input_of(r, 0);
        in.slow_step = true;
        plan_step(r->plan, &in, &out);
        return out;
}

static void warmer_water_comes_a_step_at_a_time_and_never_to_warm_racks(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 400);

        assert_int_equal(r->y[0].kind, PLAN_Y_INLET);
        for (int k = 0; k < 9; k++) /* a quarter of an hour apart */
                near(water_step(r, 0.6, 0.0).u[chw_u(r)], k % 3 == 0 ? 9.5 : 9.0, 1e-9);
        near(water_step(r, 0.6, 0.1).u[chw_u(r)], 9.0, 1e-9);
        near(water_step(r, 0.6, 0.5).u[chw_u(r)], 9.0, 1e-9); /* the valves still can */
        near(water_step(r, 0.8, 0.2).u[chw_u(r)], 9.0, 1e-9);
        near(water_step(r, 0.8, 0.5).u[chw_u(r)], 8.5, 1e-9);
        near(water_step(r, 0.8, 0.5).u[chw_u(r)], 8.5, 1e-9); /* and that waits for nothing */
        near(water_step(r, 0.6, 0.0).u[chw_u(r)], 9.5, 1e-9);
        r->plan->warm_from = 0;
        r->plan->staging.changed_once = true;
        r->plan->staging.changed = r->plan->slow_count;
        near(water_step(r, 0.6, 0.0).u[chw_u(r)], 9.0, 1e-9);
        near(water_step(r, 0.6, 0.0).u[chw_u(r)], 9.0, 1e-9);
        near(water_step(r, 0.6, 0.0).u[chw_u(r)], 9.5, 1e-9);
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
                r->plan->warm_from = 0;
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
        int asked[20], asks = 0;

        for (uint64_t k = 0; k < 20; k++) {
                double u[U_MAX];
                struct plan_output out;
                struct plan_input in = input_of(r, k);
                memcpy(u, in.u_now, r->nu * sizeof *u);
                u[chw_u(r) + 4] = 1.0; /* three run: whatever the plan asks, someone switches it on again */
                in.u_now = u;
                in.slow_step = true;
                in.followed = true;
                in.energy = e;
                in.plant.chillers_on = 3;
                in.plant.heat_w = k < 10 ? 500e3 : 720e3; /* 800 kW left: with 15 % margin, enough for 695 kW */
                plan_step(r->plan, &in, &out);
                const double *on = out.u + chw_u(r) + 2;
                const double all = on[0] + on[1] + on[2];
                assert_true(all >= 2.0 && (all == 3.0) == (strstr(out.move, "chiller off") == NULL));
                assert_true(all == 3.0 || k < 10);
                if (all < 3.0)
                        asked[asks++] = on[2] < 0.5 ? 2 : on[1] < 0.5 ? 1 : 0;
        }
        /* one after the other, each once: what does not stop is passed over for an hour */
        assert_int_equal(asks, 3);
        assert_true(asked[0] == 2 && asked[1] == 1 && asked[2] == 0);
        room_free(r);
        free(mem);
}

/* A plant of three chillers that obeys: the third as asked, unless it is broken. */
struct day {
        struct room *r;
        struct energy *e[2]; /* with two and with three running */
        double u[U_MAX];
        size_t third;
        bool broken;   /* the third does not start */
        double warm_k; /* chilled water above its setpoint */
};

static void day_begin(struct day *d, struct room *r, struct energy *two, struct energy *three)
{
        *d = (struct day){.r = r, .e = {two, three}, .third = chw_u(r) + 4};
        memcpy(d->u, input_of(r, 0).u_now, r->nu * sizeof *d->u);
}

/* One slow step; true when the third was switched. running: as measured. */
static bool day_step(struct day *d, double heat_w, double running, struct plan_output *out)
{
        struct plan_input in = input_of(d->r, 0);
        const double was = d->u[d->third];

        in.u_now = d->u;
        in.slow_step = true;
        in.energy = d->e[was > 0.5];
        in.followed = true;
        in.plant.chwst_c = d->u[chw_u(d->r)] + d->warm_k;
        in.plant.chillers_on = running;
        in.plant.heat_w = heat_w;
        plan_step(d->r->plan, &in, out);
        if (!d->broken)
                d->u[d->third] = out->u[d->third];
        return (was > 0.5) != (d->u[d->third] > 0.5);
}

static double commanded(const struct day *d)
{
        return d->u[d->third] > 0.5 ? 3 : 2;
}

/* Where the model holds the other count for cheaper whichever runs, a chiller would start every hour for ever. */
static void a_start_that_takes_a_stop_back_makes_the_next_one_wait(void **state)
{
        (void)state;
        enum { DAYS = 6, PER_DAY = 288 };
        void *mem[2] = {malloc(energy_memsize()), malloc(energy_memsize())};
        struct room *r = room_new(2, 4, 400);
        const struct plan_staging *st = &r->plan->staging;
        int moves[DAYS] = {0};
        uint64_t wait[8] = {0}, starts = 0;
        struct plan_output out;
        struct day d;

        day_begin(&d, r, trained_energy(mem[0], 0.0, 500e3), trained_energy(mem[1], 15e3, 0.0));
        for (size_t k = 0; k < (size_t)DAYS * PER_DAY; k++) {
                const bool moved = day_step(&d, 500e3, commanded(&d), &out);
                moves[k / PER_DAY] += moved;
                if (moved && d.u[d.third] > 0.5 && starts < 8) {
                        (void)day_step(&d, 500e3, commanded(&d), &out); /* it is seen in the next step */
                        wait[starts++] = st->wait;
                }
        }
        assert_int_equal(wait[0], 6); /* 30 min: nothing was taken back yet */
        assert_int_equal(wait[1], 12);
        assert_int_equal(wait[2], 24);
        assert_int_equal(wait[3], 48);
        for (int k = 3; k < DAYS; k++)
                assert_in_range(moves[k], 0, 3);

        /* heat that the running ones cannot carry waits for nothing */
        for (int k = 0; k < 300 && d.u[d.third] > 0.5; k++)
                (void)day_step(&d, 500e3, commanded(&d), &out);
        assert_true(d.u[d.third] < 0.5);
        assert_true(st->wait > 100);
        assert_true(day_step(&d, 720e3, 2, &out) && d.u[d.third] > 0.5);
        const uint64_t before = st->wait;
        (void)day_step(&d, 720e3, 3, &out);
        assert_int_equal(st->wait, before);

        /* and days without make it ready again */
        for (size_t k = 0; k < (size_t)13 * PER_DAY; k++)
                (void)day_step(&d, 720e3, 3, &out);
        assert_int_equal(st->wait, 6);
        room_free(r);
        free(mem[0]);
        free(mem[1]);
}

/* The waits are times, whatever the slow step. */
static void a_long_slow_step_changes_none_of_it(void **state)
{
        (void)state;
        void *mem[2] = {malloc(energy_memsize()), malloc(energy_memsize())};
        struct energy *e[2] = {trained_energy(mem[0], 0.0, 500e3), trained_energy(mem[1], 15e3, 0.0)};

        for (int k = 0; k < 4; k++) {
                static const double slow_step_s[] = {60, 900, 1800, 3600};
                struct room *r = room_new(2, 4, 400);
                struct plan_output out;
                int starts = 0;
                struct day d;

                r->plan->args.slow_step_s = slow_step_s[k];
                day_begin(&d, r, e[0], e[1]);
                for (size_t t = 0; t < (size_t)(7 * 86400 / slow_step_s[k]); t++)
                        starts += day_step(&d, 500e3, commanded(&d), &out) && d.u[d.third] > 0.5;
                assert_in_range(starts, 6, 13); /* a week of a model that errs both ways */
                assert_true((double)r->plan->staging.wait * slow_step_s[k] <= 86400);
                room_free(r);
        }
        free(mem[0]);
        free(mem[1]);
}

/* Nothing is asked of the energy model about a heat that nobody knows: the valves say what the water needs. */
static void without_a_heat_the_valves_decide(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;

        for (int known = 0; known < 2; known++) {
                start_state(r, 18, 0.8, 9.0);
                for (size_t t = 0; t < WINDOW; t++)
                        for (size_t v = 0; v < r->ncrah; v++)
                                r->wy[t * r->ny + r->nrack + r->ncrah + v] = 0.8; /* neither wide nor narrow */
                struct plan_input in = input_of(r, 1);
                in.slow_step = true;
                in.energy = e;
                in.plant.heat_w = known ? 500e3 : (double)NAN;
                in.plant.chillers_on = 3;
                plan_step(r->plan, &in, &out);
                assert_int_equal(strcmp(out.move, "hold") == 0, !known);
        }
        room_free(r);
        free(mem);
}

/* In shadow nothing follows: the same is asked for in every slow step, and no machine counts as one that refuses. */
static void in_shadow_nothing_counts_as_refused(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;

        for (uint64_t k = 0; k < 20; k++) {
                double u[U_MAX];
                struct plan_input in = input_of(r, k);
                memcpy(u, in.u_now, r->nu * sizeof *u);
                u[chw_u(r) + 4] = 1.0;
                in.u_now = u;
                in.slow_step = true;
                in.energy = e;
                in.plant.chillers_on = 3;
                in.plant.heat_w = 500e3;
                plan_step(r->plan, &in, &out);
                assert_int_equal(out.u[chw_u(r) + 4] < 0.5, k >= 5);
        }
        room_free(r);
        free(mem);
}

/* A day's load that needs the third by day: its stop waits half an hour every evening, whatever was before. */
static void a_bad_spell_does_not_keep_a_chiller_running_for_ever(void **state)
{
        (void)state;
        enum { DAYS = 14, PER_DAY = 288 };
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;
        struct day d;
        int idle = 0;

        day_begin(&d, r, e, e);
        r->plan->staging.wait = PER_DAY;
        for (size_t k = 0; k < (size_t)DAYS * PER_DAY; k++) {
                const double heat_w = k % PER_DAY < PER_DAY / 2 ? 720e3 : 500e3;
                (void)day_step(&d, heat_w, commanded(&d), &out);
                if (heat_w > 695e3)
                        assert_true(d.u[d.third] > 0.5);
                else
                        idle += d.u[d.third] > 0.5;
        }
        assert_true(idle <= DAYS); /* no step longer than it takes to say so */
        assert_int_equal(r->plan->staging.wait, 6);
        room_free(r);
        free(mem);
}

/* One of two trips, its command still on: the third is asked for in the next slow step, if no start explains it. */
static void a_tripped_chiller_is_replaced_without_waiting(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 15e3, 0.0);
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;
        struct day d;

        day_begin(&d, r, e, e);
        r->plan->staging.wait = 288;
        for (int k = 0; k < 10; k++)
                assert_false(day_step(&d, 500e3, 2, &out));
        for (int k = 0; k < 10; k++)
                assert_false(day_step(&d, 500e3, 1, &out)); /* one idles: the water is as it should be */
        d.warm_k = 1.2;
        assert_false(day_step(&d, 500e3, 1.6, &out)); /* mean of a step: may be one reading */
        assert_true(day_step(&d, 500e3, 1, &out) && d.u[d.third] > 0.5);
        for (int k = 0; k < 3; k++) { /* it takes its time to start: no stop, nothing more */
                assert_false(day_step(&d, 500e3, 1, &out));
                assert_true(out.u[d.third - 1] > 0.5 && out.u[d.third - 2] > 0.5);
        }
        room_free(r);
        free(mem);
}

/* What does not switch when asked is no move, and is left alone for an hour. */
static void a_refused_switch_counts_for_nothing(void **state)
{
        (void)state;
        void *mem = malloc(energy_memsize());
        struct energy *e = trained_energy(mem, 0.0, 500e3);
        struct room *r = room_new(2, 4, 400);
        struct plan_output out;
        int asked = 0;
        struct day d;

        day_begin(&d, r, e, e);
        d.broken = true;
        for (int k = 0; k < 72; k++) {
                (void)day_step(&d, 500e3, 2, &out);
                asked += out.u[d.third] > 0.5;
        }
        assert_in_range(asked, 5, 6); /* once an hour */
        assert_int_equal(r->plan->staging.wait, 6);
        assert_false(r->plan->staging.changed_once);
        room_free(r);
        free(mem);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(slow_plan_follows_the_valves_without_an_energy_model),
            cmocka_unit_test(warmer_water_comes_a_step_at_a_time_and_never_to_warm_racks),
            cmocka_unit_test(says_that_water_stays_cold_where_no_valve_is_known),
            cmocka_unit_test(chillers_follow_capacity),
            cmocka_unit_test(slow_plan_trusts_the_energy_model_inside_its_data),
            cmocka_unit_test(idle_chiller_is_switched_off_with_margin_and_not_too_often),
            cmocka_unit_test(a_start_that_takes_a_stop_back_makes_the_next_one_wait),
            cmocka_unit_test(a_long_slow_step_changes_none_of_it),
            cmocka_unit_test(without_a_heat_the_valves_decide),
            cmocka_unit_test(in_shadow_nothing_counts_as_refused),
            cmocka_unit_test(a_bad_spell_does_not_keep_a_chiller_running_for_ever),
            cmocka_unit_test(a_tripped_chiller_is_replaced_without_waiting),
            cmocka_unit_test(a_refused_switch_counts_for_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
