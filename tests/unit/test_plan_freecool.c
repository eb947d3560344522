/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Free cooling is found out: how far below its setpoint the tower water must be, from when compressors stand still. */
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

#define TOWER_W_K 500.0 /* what a kelvin of warmer tower water saves */
#define RUNNING_W 40e3

/* A plant whose compressors stand still while the chilled-water setpoint is needed_k or more above the tower water. */
struct site {
        struct room *r;
        struct plan_input in;
        double u[U_MAX], needed_k;
        bool free;
        unsigned lost;
};

static void site_new(struct site *s, double cwst_c, double wetbulb_c, double needed_k)
{
        *s = (struct site){.r = room_new(2, 4, 400), .needed_k = needed_k};
        s->in = input_of(s->r, 0);
        s->in.u_now = s->u;
        s->r->plan->now = s->u;
        memcpy(s->u, &s->r->wu[(WINDOW - 1) * s->r->nu], s->r->nu * sizeof *s->u);
        s->r->plan->u[chw_u(s->r) + 1].lo = 0.0; /* the tower water's */
        s->u[chw_u(s->r)] = 11.0;
        s->in.plant.chwst_c = 11.0;
        s->in.plant.cwst_c = cwst_c;
        s->in.plant.wetbulb_c = wetbulb_c;
}

static double gain(const struct site *s, double warmer_k)
{
        struct energy_sample then = s->in.plant;

        then.cwst_c += warmer_k;
        return plan_economiser_gain_w(s->r->plan, &s->in, &s->in.plant, s->u, &then, s->u);
}

/* Five minutes: what is seen, then the best of three moves of the tower water. */
static void site_step(struct site *s)
{
        static const double step_k[] = {0.0, 1.0, -1.0};
        struct energy_sample *p = &s->in.plant;
        const bool free = s->u[chw_u(s->r)] - p->cwst_c >= s->needed_k;
        double best = 0.0, most = 0.0;

        s->lost += s->free && !free;
        s->free = free;
        p->power_w[ENERGY_CHILLERS] = free ? 0.0 : RUNNING_W;
        plan_observe_economiser(s->r->plan, &s->in);
        s->r->plan->slow_count++;
        for (size_t k = 1; k < 3; k++) {
                const double g = gain(s, step_k[k]) + step_k[k] * TOWER_W_K;
                if (g > most && p->cwst_c + step_k[k] >= p->wetbulb_c + s->r->args.tower_approach_k) {
                        most = g;
                        best = step_k[k];
                }
        }
        p->cwst_c += best;
}

static void site_free(struct site *s)
{
        s->r->plan->now = NULL;
        room_free(s->r);
}

static void free_cooling_is_lost_once_a_day_at_most(void **state)
{
        struct rng rng;

        (void)state;
        rng_seed(&rng, 1, 0x66726565u);
        for (int k = 0; k < 20; k++) {
                const double needed_k = 1.0 + 5.0 * rng_uniform(&rng);
                unsigned free = 0;
                struct site s;

                site_new(&s, 4.0, -4.0, needed_k);
                for (int t = 0; t < 5 * 288; t++) {
                        site_step(&s);
                        free += s.free;
                }
                assert_true(s.lost >= 1); /* it is tried out: warmer tower water saves fans */
                assert_true(s.lost <= 6);
                assert_true(free >= 0.97 * 5 * 288);
                site_free(&s);
        }
}

/* Seen once, it is come back to when the weather allows, and not striven for when it does not. */
static void it_is_regained_where_the_towers_reach(void **state)
{
        struct site s;

        (void)state;
        site_new(&s, 4.0, -4.0, 4.0);
        for (int t = 0; t < 288; t++)
                site_step(&s);
        s.in.plant.cwst_c = 16.0; /* somebody warmed it */
        for (int t = 0; t < 24; t++)
                site_step(&s);
        assert_true(s.free);
        s.in.plant.wetbulb_c = 12.0;
        s.in.plant.cwst_c = 17.0;
        site_step(&s);
        assert_true(gain(&s, -1.0) == 0.0);
        assert_true(gain(&s, 1.0) == 0.0);
        site_free(&s);
}

/* A heat exchanger that fouls needs more: what was enough is given up after an hour without. */
static void more_reach_is_asked_for_when_it_does_not_come(void **state)
{
        struct site s;
        unsigned lost;

        (void)state;
        site_new(&s, 4.0, -4.0, 3.0);
        for (int t = 0; t < 288; t++)
                site_step(&s);
        s.needed_k = 6.0;
        for (int t = 0; t < 144; t++)
                site_step(&s);
        assert_true(s.free);
        lost = s.lost;
        for (int t = 0; t < 144; t++)
                site_step(&s);
        assert_true(s.lost <= lost + 1);
        site_free(&s);
}

static void says_nothing_where_compressors_never_stand_still(void **state)
{
        struct site s;

        (void)state;
        site_new(&s, 20.0, 10.0, 4.0);
        for (int t = 0; t < 50; t++) {
                site_step(&s);
                assert_true(gain(&s, 1.0) == 0.0 && gain(&s, -1.0) == 0.0);
        }
        /* no heat, heat unknown, water that nobody cools, or that warmer water cannot have cooled, is not free cooling
         */
        s.in.plant.power_w[ENERGY_CHILLERS] = 0.0;
        s.in.plant.cwst_c = 8.0;
        for (int k = 0; k < 4; k++) {
                s.in.plant.heat_w = k == 0 ? 0.0 : k == 1 ? (double)NAN : 500e3;
                s.in.plant.chwst_c = k == 2 ? 13.1 : 12.9;
                s.in.plant.cwst_c = k == 3 ? 12.1 : 8.0;
                plan_observe_economiser(s.r->plan, &s.in);
                plan_observe_economiser(s.r->plan, &s.in);
                assert_false(s.r->plan->freecool.seen);
        }
        s.u[chw_u(s.r)] = (double)NAN; /* nor where the setpoint cannot be read */
        s.in.plant.cwst_c = 8.0;
        plan_observe_economiser(s.r->plan, &s.in);
        plan_observe_economiser(s.r->plan, &s.in);
        assert_false(s.r->plan->freecool.seen);
        s.u[chw_u(s.r)] = 11.0;
        plan_observe_economiser(s.r->plan, &s.in);
        assert_false(s.r->plan->freecool.seen); /* twice in a row */
        plan_observe_economiser(s.r->plan, &s.in);
        assert_true(s.r->plan->freecool.seen);
        assert_true(gain(&s, 2.9) == 0.0);
        s.in.plant.cwst_c = 10.0;
        s.in.plant.wetbulb_c = 0.0;
        s.in.plant.power_w[ENERGY_CHILLERS] = RUNNING_W;
        plan_observe_economiser(s.r->plan, &s.in);
        assert_true(gain(&s, -1.0) > 0.0);
        s.in.plant.wetbulb_c = (double)NAN; /* how far the towers reach is not known */
        assert_true(gain(&s, -1.0) == 0.0);
        /* without a meter the statuses tell */
        s.in.plant.power_w[ENERGY_CHILLERS] = (double)NAN;
        plan_observe_economiser(s.r->plan, &s.in);
        assert_false(s.r->plan->freecool.is_free);
        s.in.plant.chillers_on = 0.0;
        plan_observe_economiser(s.r->plan, &s.in);
        assert_true(s.r->plan->freecool.is_free);
        site_free(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(free_cooling_is_lost_once_a_day_at_most),
            cmocka_unit_test(it_is_regained_where_the_towers_reach),
            cmocka_unit_test(more_reach_is_asked_for_when_it_does_not_come),
            cmocka_unit_test(says_nothing_where_compressors_never_stand_still),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
