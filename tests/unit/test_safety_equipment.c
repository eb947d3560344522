/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Water for the evaporators: both sides of every bound, in both checkers. */
#include "tests/unit/test_safety_machines.h"

/* ---- water for the evaporators: 0.01 m³/s each, two need 0.023 with the margin ---- */

/* Machine A runs, B has been off for long. */
static void open_flow(struct rig *r)
{
        rig_open(r, rig_default(), 1);
        r->snap.evap_flow_m3s = (double)NAN;
        r->u[A].min_flow_m3s = r->u[B].min_flow_m3s = 0.01;
        rig_create(r);
        r->confirmed[B] = r->prop[B] = r->status[B] = 0;
        (void)rig_decide(r);
        r->snap.mono_s = 4000;
        r->prop[B] = 1;
}

/* Both checkers about the start of unit j. */
static bool starts(struct rig *r, size_t j, double flow_m3s)
{
        bool on;

        r->snap.chw_flow_m3s = flow_m3s;
        rig_point(r);
        decide_again(r);
        on = rig_action(&r->s->decision)[j] == 1;
        assert_true(decision_certificate(&r->s->decision)->verified);
        assert_int_equal(decision_reason(&r->s->decision), on ? DR_ACCEPTED : DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r->s->decision)->binding_u, on ? -1 : (int)j);
        assert_int_equal(verdict(r, j, 1), on);
        return on;
}

static void test_water_for_one_more(void **state)
{
        struct rig r;

        (void)state;
        open_flow(&r);
        assert_false(starts(&r, B, 0.0229));
        assert_true(starts(&r, B, 0.0231));
        assert_false(starts(&r, B, 0));
        assert_true(starts(&r, B, (double)NAN)); /* nobody knows it: more cooling */
        r.status[A] = 255;                       /* nobody sees it now, but it did run */
        assert_false(starts(&r, B, 0.0229));
        assert_true(starts(&r, B, 0.0231));
        r.status[A] = 0; /* it has tripped: the pumps stand, and the other one may */
        assert_true(starts(&r, B, 0));
        r.status[A] = 1;
        r.confirmed[A] = r.prop[A] = 0; /* ordered off, and still running */
        assert_false(starts(&r, B, 0.0229));
        assert_true(starts(&r, B, 0.0231));
        rig_close(&r);
}

/* A machine that never says whether it runs is taken to do as it is ordered, after a restart as well. */
static void test_water_beside_one_without_a_status(void **state)
{
        struct rig r;
        double buf[1 + 16 * SAFETY_STATE_PER_U];
        size_t n;

        (void)state;
        for (int told = 0; told < 2; told++) {
                open_flow(&r);
                r.status[A] = told ? 1 : 255;
                rig_create(&r);
                r.prop[B] = 0;
                r.snap.mono_s = 0;
                (void)rig_decide(&r);
                r.snap.mono_s = 4000;
                r.status[A] = 255;
                for (int again = 0; again < 2; again++) {
                        r.prop[B] = 1;
                        assert_false(starts(&r, B, 0.0229));
                        assert_true(starts(&r, B, 0.0231));
                        n = safety_state_save(r.s, r.snap.mono_s, buf, sizeof buf / sizeof buf[0]);
                        assert_true(buf[1 + A * SAFETY_STATE_PER_U + 2] == (told ? 1 : 2));
                        rig_create(&r);
                        safety_state_restore(r.s, r.snap.mono_s, 0, buf, n);
                }
                r.confirmed[A] = r.prop[A] = 0; /* ordered off: of one that was seen to run that is not known yet */
                assert_int_equal(starts(&r, B, 0.0229), !told);
                r.snap.onoff_status = NULL;
                decide_again(&r);
                assert_true(rig_action(&r.s->decision)[B] == !told);
                rig_close(&r);
        }
}

static void test_water_without_a_rule(void **state)
{
        struct rig r;

        (void)state;
        open_flow(&r);
        r.u[B].min_flow_m3s = 0; /* its own is not known */
        rig_create(&r);
        r.prop[B] = 0;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[B] = 1;
        assert_true(starts(&r, B, 0.001));
        r.u[B].min_flow_m3s = 0.01;
        r.u[A].min_flow_m3s = 0; /* the other one's is not */
        rig_create(&r);
        r.prop[B] = 0;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[B] = 1;
        assert_true(starts(&r, B, 0.001));
        r.snap.onoff_status = NULL; /* nobody tells what runs */
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[B] == 1);
        rig_close(&r);
}

/* The chilled-water setpoint turned into a third machine. */
static void open_three(struct rig *r, bool w_runs)
{
        rig_open(r, rig_default(), 1);
        r->snap.evap_flow_m3s = (double)NAN;
        r->u[W] = r->u[A];
        for (size_t j = W; j <= B; j++)
                r->u[j].min_flow_m3s = 0.01;
        rig_create(r);
        for (size_t j = W; j <= B; j++)
                r->confirmed[j] = r->prop[j] = r->status[j] = j == W && w_runs;
        (void)rig_decide(r);
        r->snap.mono_s = 4000;
}

/* One that was ordered on is counted until it runs, or until it does not come: five minutes. */
static void test_water_while_one_starts(void **state)
{
        struct rig r;

        (void)state;
        open_three(&r, true);
        r.prop[A] = 1;
        assert_true(starts(&r, A, 0.0231));
        r.confirmed[A] = 1; /* on its way, ordered at 4000 */
        r.prop[B] = 1;
        assert_false(starts(&r, B, 0.0344));
        assert_true(starts(&r, B, 0.0346)); /* three of them */
        r.snap.mono_s = 4299.9;
        assert_false(starts(&r, B, 0.0344));
        r.snap.mono_s = 4300; /* it does not come */
        assert_true(starts(&r, B, 0.0231));
        assert_false(starts(&r, B, 0.0229));
        rig_close(&r);
}

/* Two in one step: whatever the order of the variables, they are counted together. Of none that run, one may. */
static void test_water_for_two_at_once(void **state)
{
        struct rig r;
        const double *act;

        (void)state;
        open_three(&r, true);
        r.prop[A] = r.prop[B] = 1;
        r.snap.chw_flow_m3s = 0.0344;
        rig_point(&r);
        act = rig_action(safety_filter(r.s, &r.snap, &r.p));
        assert_true(act[A] == 1 && act[B] == 0 && decision_certificate(&r.s->decision)->verified);
        assert_false(verdict(&r, B, 1));
        r.snap.chw_flow_m3s = 0.0346;
        act = rig_action(safety_filter(r.s, &r.snap, &r.p));
        assert_true(act[A] == 1 && act[B] == 1 && decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
        open_three(&r, false);
        r.prop[W] = r.prop[A] = r.prop[B] = 1;
        r.snap.chw_flow_m3s = 0;
        rig_point(&r);
        act = rig_action(safety_filter(r.s, &r.snap, &r.p));
        assert_true(act[W] == 1 && act[A] == 0 && act[B] == 0 && decision_certificate(&r.s->decision)->verified);
        assert_false(verdict(&r, A, 1) || verdict(&r, B, 1));
        rig_close(&r);
}

/* Full cooling starts every machine that has the water, and no other. */
static void test_water_under_full_cooling(void **state)
{
        struct rig r;

        (void)state;
        open_flow(&r);
        r.snap.interlock = true;
        r.snap.chw_flow_m3s = 0.0229;
        rig_point(&r);
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[B] == 0);
        assert_true(decision_certificate(&r.s->decision)->verified);
        r.snap.chw_flow_m3s = 0.0231;
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[B] == 1);
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

/* ---- all that run are short of water: one of them stops in time ---- */

static void open_short(struct rig *r)
{
        rig_open(r, rig_default(), 1);
        r->u[A].min_flow_m3s = r->u[B].min_flow_m3s = 0.01;
        rig_create(r);
        r->snap.evap_flow_m3s = 1;
        (void)rig_decide(r);
        r->snap.mono_s = 4000;
        r->snap.cooling_load_w = 1e6; /* none is to spare */
        r->snap.slow_step = false;
}

static bool stops(struct rig *r, double flow_m3s)
{
        const double *act;

        r->snap.evap_flow_m3s = flow_m3s;
        rig_point(r);
        act = rig_action(safety_filter(r->s, &r->snap, &r->p));
        assert_true(decision_certificate(&r->s->decision)->verified);
        assert_true(act[A] == r->confirmed[A]);
        if (act[B] == r->confirmed[B])
                return false;
        assert_int_equal(decision_reason(&r->s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r->s->decision)->binding_u, B);
        return true;
}

static void test_relief(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};

        (void)state;
        open_short(&r);
        assert_false(stops(&r, 0.0221) || verdict(&r, B, 0));
        assert_true(stops(&r, 0.0219));
        assert_false(stops(&r, (double)NAN) || verdict(&r, B, 0));
        r.snap.evap_flow_m3s = 0.0219;
        assert_true(verdict(&r, B, 0) && verdict(&r, A, 0)); /* either, for the second checker */
        r.status[A] = 0;                                     /* the last that runs stays */
        assert_false(stops(&r, 0.001) || verdict(&r, B, 0));
        r.status[A] = 255;
        assert_false(stops(&r, 0.001) || verdict(&r, B, 0));
        r.status[A] = 1;
        r.confirmed[A] = r.prop[A] = 0; /* one is on its way out already */
        assert_false(stops(&r, 0.001) || verdict(&r, B, 0));
        r.confirmed[A] = r.prop[A] = 1;
        r.snap.u_fixed = fixed;
        fixed[A] = fixed[B] = 1;
        assert_false(stops(&r, 0.0219));
        r.snap.u_fixed = NULL;
        r.snap.onoff_status = NULL;
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[B] == 1 && !verdict(&r, B, 0));
        rig_close(&r);
}

static void test_relief_keeps_the_timers(void **state)
{
        struct rig r;

        (void)state;
        open_short(&r);
        r.snap.mono_s = 329; /* on since 30 */
        assert_false(stops(&r, 0.0219) || verdict(&r, B, 0));
        r.snap.mono_s = 330;
        assert_true(stops(&r, 0.0219));
        rig_close(&r);
        open_short(&r);
        r.u[B].max_starts_per_h = 1; /* A goes instead: B could not come back */
        rig_create(&r);
        r.snap.mono_s = 0;
        r.snap.evap_flow_m3s = 1;
        (void)rig_decide(&r);
        r.confirmed[B] = r.prop[B] = r.status[B] = 0;
        r.snap.mono_s = 1000;
        decide_again(&r);
        r.confirmed[B] = r.prop[B] = r.status[B] = 1;
        r.snap.mono_s = 2000; /* the start of this hour */
        decide_again(&r);
        r.snap.mono_s = 3000;
        r.snap.evap_flow_m3s = 0.0219;
        rig_point(&r);
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[A] == 0 && rig_action(&r.s->decision)[B] == 1);
        assert_true(decision_certificate(&r.s->decision)->verified && !verdict(&r, B, 0));
        rig_close(&r);
}

/* ---- water that still changes: nothing stops on top of it ---- */

/* A and B run and take a tenth a minute; either carries the load. */
static void open_ramp(struct rig *r)
{
        rig_open(r, rig_default(), 1);
        r->u[A].max_flow_ramp_per_min = r->u[B].max_flow_ramp_per_min = 0.1;
        rig_create(r);
        r->snap.evap_flow_m3s = 1;
        (void)rig_decide(r);
        r->snap.mono_s = 4000;
        r->prop[B] = 0;
}

/* Both checkers about the stop of B. */
static bool stops_at(struct rig *r, double ramp_per_min)
{
        bool off;

        r->snap.evap_flow_ramp_per_min = ramp_per_min;
        rig_point(r);
        decide_again(r);
        off = rig_action(&r->s->decision)[B] == 0;
        assert_true(decision_certificate(&r->s->decision)->verified);
        assert_int_equal(decision_reason(&r->s->decision), off ? DR_ACCEPTED : DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r->s->decision)->binding_u, off ? -1 : B);
        assert_int_equal(verdict(r, B, 0), off);
        return off;
}

static void test_no_stop_while_water_changes(void **state)
{
        struct rig r;

        (void)state;
        open_ramp(&r);
        assert_true(stops_at(&r, 0));
        assert_true(stops_at(&r, 0.1));
        assert_false(stops_at(&r, nextafter(0.1, 1)));
        assert_false(stops_at(&r, (double)INFINITY));
        assert_true(stops_at(&r, (double)NAN)); /* nobody knows it: nobody waits */
        rig_close(&r);
        open_ramp(&r);
        r.u[A].max_flow_ramp_per_min = 0; /* the one that gets its water takes any change */
        rig_create(&r);
        r.snap.mono_s = 0;
        r.prop[B] = 1;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[B] = 0;
        assert_true(stops_at(&r, 0.2));
        assert_true(stops_at(&r, (double)INFINITY));
        rig_close(&r);
}

static void test_what_never_waits_for_water(void **state)
{
        struct rig r;

        (void)state;
        open_ramp(&r); /* a start */
        r.confirmed[B] = r.status[B] = 0;
        r.snap.evap_flow_ramp_per_min = 1;
        rig_point(&r);
        decide_again(&r);
        r.snap.mono_s = 8000;
        r.prop[B] = 1;
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[B] == 1 && verdict(&r, B, 1));
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
        open_short(&r); /* a stop for want of water */
        r.u[A].max_flow_ramp_per_min = r.u[B].max_flow_ramp_per_min = 0.1;
        rig_create(&r);
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.snap.evap_flow_ramp_per_min = 1;
        assert_false(stops(&r, 0.0221) || verdict(&r, B, 0));
        assert_true(stops(&r, 0.0219) && verdict(&r, B, 0));
        rig_close(&r);
}

/* The machines that stay and report running, in every place; not the one that stops. */
static void test_ramp_of_every_place(void **state)
{
        struct safety_u u[4];
        struct equipment q[4];
        const struct safety_envelope e = {.nu = 4, .u = u};
        const double base[4] = {1, 1, 1, 0.5};
        double want[4] = {1, 1, 1, 0.5}, act[4];

        (void)state;
        for (size_t stop = 0; stop < 3; stop++)
                for (size_t limited = 0; limited < 4; limited++)
                        for (uint8_t heard = 0; heard < 2; heard++) {
                                uint8_t status[4] = {1, 1, 1, 1};
                                const struct safety_snapshot snap = {.mono_s = 4000,
                                                                     .slow_step = true,
                                                                     .onoff_status = status,
                                                                     .evap_flow_m3s = 1,
                                                                     .evap_flow_ramp_per_min = 0.2};
                                enum decision_reason why = DR_ACCEPTED;
                                int binding = -1;

                                for (size_t k = 0; k < 4; k++) {
                                        u[k] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                                                 .safe_dir = 1,
                                                                 .hi = 1,
                                                                 .step = 1,
                                                                 .capacity_w = 1e5,
                                                                 .max_starts_per_h = 3};
                                        u[k].max_flow_ramp_per_min = k == limited ? 0.1 : 0.3;
                                        equipment_reset(&q[k]);
                                        equipment_observe(&q[k], &u[k], true, 1, 0);
                                }
                                u[3].kind = SAFETY_U_CONTINUOUS; /* no machine */
                                status[limited] = heard ? 1 : 255;
                                want[stop] = 0;
                                equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                                assert_int_equal(act[stop], heard && limited < 3 && limited != stop);
                                assert_int_equal(why, act[stop] == 1 ? DR_EQUIPMENT : DR_ACCEPTED);
                                want[stop] = 1;
                        }
}

/* Exactly what one more needs lets it start, and exactly what all need keeps them, for both checkers. */
static void test_water_to_the_last_bit(void **state)
{
        struct rig r;

        (void)state;
        open_flow(&r);
        r.env.capacity_margin = 0.25;
        r.u[A].min_flow_m3s = r.u[B].min_flow_m3s = 0.25; /* 0.625 for both */
        rig_create(&r);
        r.prop[B] = 0;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[B] = 1;
        assert_true(starts(&r, B, 0.625));
        assert_false(starts(&r, B, nextafter(0.625, 0)));
        rig_close(&r);
        open_short(&r);
        r.u[A].min_flow_m3s = r.u[B].min_flow_m3s = 0.5;
        rig_create(&r);
        r.snap.mono_s = 0;
        r.snap.evap_flow_m3s = 2;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        assert_false(stops(&r, SAFETY_RELIEF) || verdict(&r, B, 0));
        assert_true(stops(&r, nextafter(SAFETY_RELIEF, 0)));
        rig_close(&r);
}

/* Whatever their places: the last one that may goes. */
static void test_relief_of_every_place(void **state)
{
        struct safety_u u[3];
        struct equipment q[3];
        const struct safety_envelope e = {.nu = 3, .u = u, .capacity_margin = 0.15};
        const double base[3] = {1, 1, 1}, want[3] = {1, 1, 1};
        const uint8_t status[3] = {1, 1, 1};
        struct safety_snapshot snap = {.mono_s = 4000, .onoff_status = status};

        (void)state;
        for (size_t late = 0; late < 4; late++) { /* a machine that has just started, or none */
                for (int enough = 0; enough < 2; enough++) {
                        const size_t goes = late == 2 ? 1 : 2;
                        double act[3];
                        enum decision_reason why = DR_ACCEPTED;
                        int binding = -1;

                        for (size_t k = 0; k < 3; k++) {
                                u[k] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                                         .hi = 1,
                                                         .min_on_s = 300,
                                                         .max_starts_per_h = 3,
                                                         .min_flow_m3s = 0.01 * (double)(1 + k)};
                                equipment_reset(&q[k]);
                                equipment_observe(&q[k], &u[k], true, 1, k == late ? 3900 : 0);
                        }
                        snap.evap_flow_m3s = enough ? 0.0661 : 0.0659; /* 1.10 of 0.06 */
                        equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                        for (size_t k = 0; k < 3; k++)
                                assert_true(act[k] == (enough || k != goes));
                        assert_int_equal(binding, enough ? -1 : (int)goes);
                }
        }
        for (size_t j = 0; j < 3; j++) { /* and of a start every other one counts */
                double off[3] = {1, 1, 1}, act[3];
                uint8_t runs[3] = {1, 1, 1};
                enum decision_reason why = DR_ACCEPTED;
                int binding = -1;

                off[j] = runs[j] = 0;
                snap.onoff_status = runs;
                snap.evap_flow_m3s = 1;
                for (int enough = 0; enough < 2; enough++) {
                        for (size_t k = 0; k < 3; k++) {
                                equipment_reset(&q[k]);
                                equipment_observe(&q[k], &u[k], k != j, k != j, 0);
                        }
                        snap.chw_flow_m3s = enough ? 0.0691 : 0.0689; /* 1.15 */
                        equipment_move(&e, q, &snap, off, want, act, &why, &binding);
                        assert_true(act[j] == enough);
                }
        }
}

/* A stop that the planner asks for makes room enough; one whose own need is unknown is not stopped for the others. */
static void test_relief_of_whom(void **state)
{
        struct rig r;

        (void)state;
        open_short(&r);
        r.snap.slow_step = true;
        r.snap.cooling_load_w = 0;
        r.prop[A] = 0;
        r.snap.evap_flow_m3s = 0.0219;
        rig_point(&r);
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[A] == 0 && rig_action(&r.s->decision)[B] == 1);
        rig_close(&r);
        open_short(&r);
        r.u[B].min_flow_m3s = 0;
        rig_create(&r);
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.snap.evap_flow_m3s = 0.0109;
        rig_point(&r);
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[A] == 0 && rig_action(&r.s->decision)[B] == 1);
        r.snap.evap_flow_m3s = 0.0111;
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[A] == 1 && rig_action(&r.s->decision)[B] == 1);
        rig_close(&r);
}

/* The one whose share is enough for the others; of several the least capacity; of none the largest share. */
static void test_relief_by_whom_it_helps(void **state)
{
        static const struct {
                double least[3], capacity_w[3], flow_m3s;
                size_t goes;
        } at[] = {
            {{0.01, 0.02, 0.03}, {300, 100, 200}, 0.0659, 1}, /* any: what cools least */
            {{0.01, 0.02, 0.03}, {100, 300, 200}, 0.0659, 0},   {{0.01, 0.02, 0.03}, {100, 100, 200}, 0.0659, 1},
            {{0.01, 0.02, 0.03}, {200, 300, 400}, 0.0441, 1}, /* 1.10 of 0.04: the second or the third */
            {{0.01, 0.02, 0.03}, {200, 300, 400}, 0.0439, 2},   {{0.03, 0.02, 0.01}, {400, 300, 200}, 0.0439, 0},
            {{0.01, 0.02, 0.03}, {100, 200, 300}, 0.0100, 2}, /* none is enough */
            {{0.03, 0.02, 0.01}, {300, 200, 100}, 0.0100, 0},   {{0.02, 0.02, 0.02}, {300, 100, 200}, 0.0100, 1},
            {{1, 2, 3}, {200, 300, 400}, 4 * SAFETY_RELIEF, 1}, /* just enough, whichever comes first */
            {{3, 2, 1}, {400, 300, 200}, 4 * SAFETY_RELIEF, 1},
        };
        const double base[4] = {1, 1, 1, 0}, want[4] = {1, 1, 1, 0}; /* and one that stands */
        const uint8_t status[4] = {1, 1, 1, 0};

        (void)state;
        for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
                struct safety_u u[4];
                struct equipment q[4];
                const struct safety_envelope e = {.nu = 4, .u = u, .capacity_margin = 0.15};
                const struct safety_snapshot snap = {
                    .mono_s = 4000, .onoff_status = status, .evap_flow_m3s = at[i].flow_m3s};
                enum decision_reason why = DR_ACCEPTED;
                double act[4];
                int binding = -1;

                for (size_t k = 0; k < 4; k++) {
                        u[k] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                                 .hi = 1,
                                                 .min_on_s = 300,
                                                 .max_starts_per_h = 3,
                                                 .capacity_w = k < 3 ? at[i].capacity_w[k] : 1,
                                                 .min_flow_m3s = k < 3 ? at[i].least[k] : 1};
                        equipment_reset(&q[k]);
                        equipment_observe(&q[k], &u[k], k < 3, k < 3, 0);
                }
                equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                if (binding != (int)at[i].goes)
                        fail_msg("case %zu: %d", i, binding);
                for (size_t k = 0; k < 3; k++)
                        assert_true(act[k] == (k != at[i].goes));
        }
}

/* One that stops for the load, heard or not, is the one that stops: what is short of water waits for the next step. */
static void test_relief_waits_for_another_stop(void **state)
{
        (void)state;
        for (int k = 0; k < 3; k++) {
                static const uint8_t first[] = {1, 0, 255};
                const uint8_t status[3] = {first[k], 1, 1};
                struct safety_u u[3];
                struct equipment q[3];
                const struct safety_envelope e = {.nu = 3, .u = u, .capacity_margin = 0.15};
                const struct safety_snapshot snap = {.mono_s = 4000,
                                                     .slow_step = true,
                                                     .onoff_status = status,
                                                     .evap_flow_m3s = 0.01,
                                                     .cooling_load_w = 150};
                double base[3] = {1, 1, 1}, want[3] = {0, 1, 1}, act[3];
                enum decision_reason why = DR_ACCEPTED;
                int binding = -1;

                for (size_t j = 0; j < 3; j++) {
                        u[j] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                                 .hi = 1,
                                                 .max_starts_per_h = 3,
                                                 .capacity_w = 100,
                                                 .min_flow_m3s = 0.01};
                        equipment_reset(&q[j]);
                        equipment_observe(&q[j], &u[j], true, status[j], 0);
                }
                equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                assert_true(act[0] == 0 && act[1] == 1 && act[2] == 1 && why == DR_ACCEPTED && binding == -1);
                base[0] = 0;
                equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                assert_true(act[0] == 0 && act[1] == 1 && act[2] == (first[k] == 1)); /* that one still runs out */
                assert_int_equal(binding, first[k] == 1 ? -1 : 2);
        }
}

/* What the second checker says of stopping the units of a set (bits from the first one on) of four. */
static bool stop_set(struct rig *r, unsigned set)
{
        double act[16];

        memcpy(act, r->confirmed, r->nu * sizeof(double));
        for (size_t k = 0; k < 4; k++)
                if (set >> k & 1)
                        act[8 + k] = 0;
        rig_point(r);
        verify_observe(r->s->verifier, &r->snap);
        return verify_action(r->s->verifier, &r->snap, act);
}

/* For want of water one stops, never two, in one step or in several: three and four machines. */
static void test_relief_stops_one(void **state)
{
        (void)state;
        for (size_t n = 3; n <= 4; n++) {
                struct rig_args a = rig_default();
                struct rig r;

                a.towers = true;
                rig_open(&r, a, 1);
                for (size_t j = 8; j < 12; j++) {
                        r.u[j] = r.u[11];
                        r.u[j].min_flow_m3s = 0.01;
                }
                rig_create(&r);
                for (size_t j = 8; j < 12; j++)
                        r.confirmed[j] = r.prop[j] = r.status[j] = j < 8 + n;
                r.snap.evap_flow_m3s = 1;
                (void)rig_decide(&r);
                r.snap.mono_s = 4000;
                r.snap.cooling_load_w = 1e6;
                r.snap.evap_flow_m3s = 0.0109 * (double)n;
                for (unsigned set = 0; set < 1u << n; set++)
                        assert_int_equal(stop_set(&r, set), (set & (set - 1)) == 0);
                r.snap.evap_flow_m3s = 0.0111 * (double)n;
                for (unsigned set = 1; set < 1u << n; set++)
                        assert_false(stop_set(&r, set));
                r.snap.evap_flow_m3s = 0.0109 * (double)n;
                r.confirmed[8] = 0; /* ordered off before, and still running */
                assert_true(stop_set(&r, 0));
                for (unsigned set = 2; set < 1u << n; set++)
                        assert_false(stop_set(&r, set));
                r.status[8] = 0; /* it has stopped */
                r.snap.evap_flow_m3s = 0.0109 * (double)(n - 1);
                assert_true(stop_set(&r, 2) && stop_set(&r, 4));
                assert_false(stop_set(&r, 6));
                r.confirmed[8] = 1; /* ordered on, and it does not run: its stop is one, and helps nobody */
                assert_true(stop_set(&r, 0));
                r.snap.mono_s = 8000;
                assert_false(stop_set(&r, 3) || stop_set(&r, 1));
                r.status[8] = 255;
                assert_false(stop_set(&r, 3) || stop_set(&r, 1));
                r.snap.cooling_load_w = 0;
                assert_true(stop_set(&r, 1));
                rig_close(&r);
                rig_open(&r, a, 1);
                for (size_t j = 8; j < 12; j++) {
                        r.u[j] = r.u[11];
                        r.u[j].min_flow_m3s = j == 8 ? 0 : 0.01;
                }
                rig_create(&r);
                r.snap.evap_flow_m3s = 1;
                for (size_t j = 8; j < 12; j++)
                        r.confirmed[j] = r.prop[j] = r.status[j] = 1;
                (void)rig_decide(&r);
                r.snap.mono_s = 4000;
                r.snap.cooling_load_w = 1e6;
                r.snap.evap_flow_m3s = 0.0329;
                assert_true(stop_set(&r, 2));
                assert_false(stop_set(&r, 1)); /* what it needs is not known: its stop helps nobody */
                rig_close(&r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_water_for_one_more),
            cmocka_unit_test(test_water_beside_one_without_a_status),
            cmocka_unit_test(test_water_without_a_rule),
            cmocka_unit_test(test_water_while_one_starts),
            cmocka_unit_test(test_water_for_two_at_once),
            cmocka_unit_test(test_water_under_full_cooling),
            cmocka_unit_test(test_relief),
            cmocka_unit_test(test_relief_keeps_the_timers),
            cmocka_unit_test(test_water_to_the_last_bit),
            cmocka_unit_test(test_relief_of_every_place),
            cmocka_unit_test(test_relief_of_whom),
            cmocka_unit_test(test_relief_by_whom_it_helps),
            cmocka_unit_test(test_relief_waits_for_another_stop),
            cmocka_unit_test(test_relief_stops_one),
            cmocka_unit_test(test_no_stop_while_water_changes),
            cmocka_unit_test(test_what_never_waits_for_water),
            cmocka_unit_test(test_ramp_of_every_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
