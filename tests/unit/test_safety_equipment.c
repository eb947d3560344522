/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Water for the evaporators, lift, freezing, dew point: both sides of every bound, in both checkers. */
#include "tests/unit/test_safety_common.h"

enum { W = 8, A = 9, B = 10 }; /* rig_variables: chilled water, then two machines */

static void decide_again(struct rig *r)
{
        (void)safety_filter(r->s, &r->snap, &r->p);
}

/* What the second checker says of the last decision with one value changed. */
static bool verdict(struct rig *r, size_t j, double value)
{
        double act[16];
        size_t nu;

        memcpy(act, decision_u(&r->s->decision, &nu), r->nu * sizeof(double));
        act[j] = value;
        verify_observe(r->s->verifier, &r->snap);
        return verify_action(r->s->verifier, &r->snap, act);
}

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
            {{0.01, 0.02, 0.03}, {100, 300, 200}, 0.0659, 0}, {{0.01, 0.02, 0.03}, {100, 100, 200}, 0.0659, 1},
            {{0.01, 0.02, 0.03}, {200, 300, 400}, 0.0441, 1}, /* 1.10 of 0.04: the second or the third */
            {{0.01, 0.02, 0.03}, {200, 300, 400}, 0.0439, 2}, {{0.03, 0.02, 0.01}, {400, 300, 200}, 0.0439, 0},
            {{0.01, 0.02, 0.03}, {100, 200, 300}, 0.0100, 2}, /* none is enough */
            {{0.03, 0.02, 0.01}, {300, 200, 100}, 0.0100, 0}, {{0.02, 0.02, 0.02}, {300, 100, 200}, 0.0100, 1},
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

/* ---- lift: condenser water (in place of machine A) minus chilled water ---- */

static struct safety_lift pairs[2]; /* the first binds nothing */
#define pair pairs[1]

static void open_lift(struct rig *r, double min_k, double max_k, double chw, double cw)
{
        rig_open(r, rig_default(), 1);
        r->u[W].step = 0.1;
        r->u[W].rate = 2;
        r->u[A] = (struct safety_u){.lo = 12, .hi = 30, .step = 0.5, .rate = 2, .nominal = cw};
        r->u[W].nominal = chw;
        pair = (struct safety_lift){A, W, min_k, max_k};
        pairs[0] = (struct safety_lift){A, W, -(double)INFINITY, (double)INFINITY};
        r->env.lift = pairs;
        r->env.nlift = 2;
        rig_create(r);
        r->snap.no_warmer_water = false;
        r->confirmed[W] = r->prop[W] = chw;
        r->confirmed[A] = r->prop[A] = cw;
        rig_point(r);
}

/* Decides chw and cw; what comes of it; the second checker agrees with that. */
static void lift_of(struct rig *r, double chw, double cw, double expect_chw, double expect_cw)
{
        const double *act;

        r->prop[W] = chw;
        r->prop[A] = cw;
        act = rig_action(rig_decide(r));
        if (!(fabs(act[W] - expect_chw) < 1e-9 && fabs(act[A] - expect_cw) < 1e-9))
                fail_msg("chilled water %.9g, condenser water %.9g", act[W], act[A]);
        assert_true(decision_certificate(&r->s->decision)->verified);
}

static bool lift_ok(struct rig *r, double chw, double cw)
{
        double act[16];
        size_t nu;

        memcpy(act, decision_u(&r->s->decision, &nu), r->nu * sizeof(double));
        act[W] = chw;
        act[A] = cw;
        verify_observe(r->s->verifier, &r->snap);
        return verify_action(r->s->verifier, &r->snap, act);
}

static void test_lift_minimum(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, 8, (double)INFINITY, 8, 17.5);
        lift_of(&r, 8, 16, 8, 16); /* exactly 8 K */
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        lift_of(&r, 8, 15.5, 8, 16); /* condenser water gives way … */
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, A);
        lift_of(&r, 9.5, 17.5, 9.5, 17.5);
        lift_of(&r, 9.6, 17.5, 9.5, 17.5); /* … it stays: chilled water */
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, W);
        lift_of(&r, 10, 16, 9.5, 17.5); /* first the one, then the other */
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, A);
        lift_of(&r, 8.2, 16, 8.2, 16.5); /* rounded inward */
        lift_of(&r, 10, 19, 10, 19);
        assert_true(lift_ok(&r, 9.5, 17.5) && lift_ok(&r, 8, 16));
        assert_false(lift_ok(&r, 9.6, 17.5) || lift_ok(&r, 8.1, 16) || lift_ok(&r, 8, 15.5));
        rig_close(&r);
}

static void test_lift_maximum(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, -(double)INFINITY, 12, 9, 20);
        lift_of(&r, 8, 20, 8, 20); /* exactly 12 K */
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        lift_of(&r, 7.9, 20, 8, 20); /* a limit of the machine: colder water is refused, too */
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, W);
        lift_of(&r, 9, 21, 9, 21);
        lift_of(&r, 9, 21.5, 9, 21);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, A);
        lift_of(&r, 8, 21, 8, 20); /* condenser water first */
        lift_of(&r, 8.9, 22, 8.9, 20.5);
        lift_of(&r, 7, 18.5, 7, 18.5);
        assert_true(lift_ok(&r, 8, 20) && lift_ok(&r, 9, 21));
        assert_false(lift_ok(&r, 7.9, 20) || lift_ok(&r, 9, 21.5));
        r.snap.interlock = true; /* whoever asks */
        lift_of(&r, 9, 20, 8, 20);
        rig_close(&r);
}

/* A bound just short of a value of the register: what counts as on the grid does not pass it. */
static void test_lift_beside_a_count(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, 11.5003, 12.4997, 8, 20);
        lift_of(&r, 8, 20.5, 8, 20);
        lift_of(&r, 8, 19.5, 8, 20);
        rig_close(&r);
        open_lift(&r, 11.4997, 12.5003, 8, 20);
        lift_of(&r, 8, 20.5, 8, 20.5);
        lift_of(&r, 8, 19.5, 8, 19.5);
        rig_close(&r);
}

/* Two chilled waters below one condenser water: what keeps the second pair undoes the first one, which is kept again.
 */
static void test_lifts_that_share(void **state)
{
        struct rig r;
        struct safety_lift two[2] = {{A, W, 9, (double)INFINITY}, {A, B, -(double)INFINITY, 12}};
        const double *act;

        (void)state;
        open_lift(&r, -100, 100, 10, 19);
        r.u[B] = r.u[W];
        r.u[B].nominal = 8;
        r.env.lift = two;
        for (int turn = 0; turn < 2; turn++) {
                if (turn) {
                        struct safety_lift first = two[0];

                        two[0] = two[1];
                        two[1] = first;
                }
                rig_create(&r);
                r.confirmed[B] = r.prop[B] = 8;
                lift_of(&r, 12, 21, 11, 20);
                act = rig_action(&r.s->decision);
                assert_true(act[B] == 8);
                assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
                assert_false(lift_ok(&r, 12, 20) || lift_ok(&r, 12, 21));
                assert_true(lift_ok(&r, 11, 20));
        }
        rig_close(&r);
}

/* What the plant has outside the bounds is not made worse, and may be left. */
static void test_lift_taken_over(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, 8, 12, 9, 15);
        lift_of(&r, 9, 15, 9, 15);
        lift_of(&r, 9.5, 14, 9, 15);
        lift_of(&r, 8.5, 15, 8.5, 15);
        lift_of(&r, 9.5, 16.5, 9.5, 16.5); /* 7 K, better than 6 */
        r.confirmed[A] = 24;
        lift_of(&r, 9, 24, 9, 24);
        lift_of(&r, 8.9, 24.5, 9, 24);
        lift_of(&r, 8, 22, 8, 22);
        r.confirmed[W] = 8.95; /* between two values of the register, and rounded toward more cooling */
        lift_of(&r, 8.95, 24, 8.9, 24);
        assert_false(lift_ok(&r, 8.1, 24));
        r.confirmed[W] = 15; /* above its box it has to come in, whatever the lift */
        r.confirmed[A] = 28;
        lift_of(&r, 13, 28, 14, 28);
        r.confirmed[W] = 6; /* below it it stays */
        r.confirmed[A] = 18;
        lift_of(&r, 6, 18.5, 6, 18);
        lift_of(&r, 6, 17, 6, 17);
        r.confirmed[W] = 9;
        r.confirmed[A] = 35; /* far above its box it stays, and nothing is written */
        lift_of(&r, 9, 30, 9, 35);
        lift_of(&r, 8, 30, 9, 35);
        rig_close(&r);
}

static void test_lift_of_a_variable_that_is_fixed(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};

        (void)state;
        open_lift(&r, 8, 12, 8, 18);
        r.snap.u_fixed = fixed;
        fixed[A] = 1;
        lift_of(&r, 10.1, 25, 10, 18);
        fixed[A] = 0;
        fixed[W] = 1;
        lift_of(&r, 14, 15.5, 8, 16);
        fixed[A] = 1;
        r.confirmed[A] = 11; /* beyond its box as well */
        lift_of(&r, 14, 15.5, 8, 11);
        rig_close(&r);
}

/* ---- water near freezing ---- */

static void test_no_colder_water(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.confirmed[W] = 9;
        rig_create(&r);
        r.snap.no_colder_water = true;
        r.prop[W] = 8.5;
        r.prop[0] = 17.5; /* air is not water */
        assert_true(rig_action(rig_decide(&r))[W] == 9 && rig_action(&r.s->decision)[0] == 17.5);
        assert_int_equal(decision_reason(&r.s->decision), DR_LIMIT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, W);
        assert_true(decision_certificate(&r.s->decision)->verified);
        assert_false(verdict(&r, W, 8.5));
        assert_true(verdict(&r, W, 9.5));
        r.prop[W] = 9.5;
        assert_true(rig_action(rig_decide(&r))[W] == 9.5);
        r.snap.interlock = true; /* whoever asks */
        assert_true(rig_action(rig_decide(&r))[W] == 9 && rig_action(&r.s->decision)[0] == 16);
        assert_true(decision_certificate(&r.s->decision)->verified);
        r.confirmed[W] = 8.8; /* between two values of the register: the colder one is what it has */
        assert_true(rig_action(rig_decide(&r))[W] == 8.5 && decision_certificate(&r.s->decision)->verified);
        assert_false(verdict(&r, W, 8));
        r.confirmed[W] = 16; /* above its box: it comes in */
        assert_true(rig_action(rig_decide(&r))[W] == 14 && decision_certificate(&r.s->decision)->verified);
        r.confirmed[W] = 6; /* below it stays */
        assert_true(rig_action(rig_decide(&r))[W] == 6 && decision_certificate(&r.s->decision)->verified);
        r.snap.interlock = false;
        r.confirmed[W] = r.prop[W] = 9;
        r.snap.no_colder_water = false;
        (void)rig_decide(&r);
        assert_true(verdict(&r, W, 8.5)); /* never below the box, freezing or not */
        assert_false(verdict(&r, W, 6.5));
        rig_close(&r);
}

/* ---- dew point: a floor for air, and what gives way first ---- */

static double floors[32];

/* Neither floor binds where more cooling is neither way. */
static void test_floors_of_no_direction(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, -100, 100, 8, 20);
        for (size_t j = 0; j < r.nu; j++)
                floors[j] = j == A ? 25 : (double)NAN;
        r.snap.u_floor = floors;
        r.snap.no_colder_water = true;
        lift_of(&r, 8, 19, 8, 19);
        lift_of(&r, 8, 20, 8, 20);
        rig_close(&r);
}

static void open_floor_of(struct rig *r, struct rig_args a, double floor_c)
{
        rig_open(r, a, 1);
        for (size_t i = 0; i < r->ninlet; i++)
                r->cert[i].soft_k = 3; /* of 27: soft at 24, comfortable up to 23.5 */
        for (size_t j = 0; j < r->nu; j++)
                floors[j] = (double)NAN;
        floors[0] = floor_c;
        r->snap.u_floor = floors;
        rig_create(r);
}

static void open_floor(struct rig *r, double floor_c)
{
        open_floor_of(r, rig_default(), floor_c);
}

static double air(struct rig *r)
{
        double v = rig_action(rig_decide(r))[0];

        assert_true(decision_certificate(&r->s->decision)->verified);
        return v;
}

static void test_floor_of_proposals(void **state)
{
        uint8_t fixed[16] = {0};
        struct rig r;

        (void)state;
        open_floor(&r, 17.4);
        r.prop[0] = 17.4;
        assert_true(fabs(air(&r) - 17.4) < 1e-9);
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        r.prop[0] = r.prop[2] = 17.3;
        assert_true(fabs(air(&r) - 17.4) < 1e-9);
        assert_true(fabs(rig_action(&r.s->decision)[2] - 17.3) < 1e-9); /* NaN is no floor */
        assert_int_equal(decision_reason(&r.s->decision), DR_LIMIT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        assert_true(verdict(&r, 0, 17.4));
        assert_false(verdict(&r, 0, 17.3));
        floors[0] = 17.35; /* between two values of the register: the drier one */
        assert_true(fabs(air(&r) - 17.4) < 1e-9);
        assert_false(verdict(&r, 0, 17.3));
        floors[0] = 20; /* what the plant has is below: it comes up by its rate, and may stay */
        assert_true(air(&r) == 18.5);
        assert_int_equal(decision_reason(&r.s->decision), DR_RATE);
        assert_true(verdict(&r, 0, 18));
        assert_false(verdict(&r, 0, 17.9));
        floors[0] = 18.2;
        assert_true(fabs(air(&r) - 18.2) < 1e-9);
        assert_int_equal(decision_reason(&r.s->decision), DR_LIMIT);
        r.confirmed[0] = 23.8;
        floors[0] = 30; /* not above its box */
        assert_true(air(&r) == 24);
        r.confirmed[0] = 18;
        floors[1] = 0.9; /* of a fan: larger is more cooling, and nothing binds it */
        r.prop[1] = 0.82;
        assert_true(fabs(rig_action(rig_decide(&r))[1] - 0.82) < 1e-9);
        floors[1] = (double)NAN;
        floors[0] = (double)NAN; /* a dew point that cannot be read */
        assert_true(fabs(air(&r) - 17.3) < 1e-9);
        r.snap.u_floor = NULL;
        assert_true(fabs(air(&r) - 17.3) < 1e-9);
        r.snap.u_floor = floors;
        r.snap.u_fixed = fixed;
        fixed[0] = 1;
        floors[0] = 20;
        assert_true(air(&r) == 18);
        fixed[0] = 0;
        r.p.present = false; /* a hold keeps what was decided */
        assert_true(air(&r) == 18);
        r.p.present = true;
        r.u[0].dead_band = 0.3;
        rig_create(&r);
        floors[0] = 18.29;
        assert_true(air(&r) == 18);
        floors[0] = 18.31;
        assert_true(fabs(air(&r) - 18.3) < 1e-9);
        rig_close(&r);
}

/* First the recommended limit: a proposal does not get below the floor for its sake. Then the floor, for what the hard
 * limit asks: full cooling, once some reading is near the soft limit. What is hard never gives way. */
static void test_order_of_relaxation(void **state)
{
        struct rig r;

        (void)state;
        open_floor(&r, 17.4);
        r.u[W].nominal = 9;
        rig_create(&r);
        r.confirmed[W] = r.prop[W] = 9;
        r.snap.no_colder_water = true;
        r.prop[0] = 17;
        rig_settle(&r, 24.5, 0.2); /* above the soft limit, below the hard one */
        r.confirmed[W] = r.prop[W] = 9;
        r.prop[0] = 17;
        assert_true(fabs(air(&r) - 17.4) < 1e-9); /* 1. the proposal stops at the floor … */
        floors[0] = 19;                           /* … but it is not warmed for it … */
        assert_true(air(&r) == 18);
        floors[0] = 17.4;
        assert_true(verdict(&r, 0, 17)); /* … of which the second checker knows that it may give way … */
        r.snap.interlock = true;
        assert_true(air(&r) == 16);                      /* 2. … and full cooling passes it, … */
        assert_true(rig_action(&r.s->decision)[W] == 9); /* … but not what is hard */
        rig_settle(&r, 23.5, 0.2);
        r.confirmed[W] = r.prop[W] = 9;
        assert_true(fabs(air(&r) - 17.4) < 1e-9); /* comfortable everywhere: the floor holds, whoever asks */
        assert_false(verdict(&r, 0, 17.3));
        r.wy[(RIG_HIST - 1) * r.ny + 5] = 23.6;
        assert_true(air(&r) == 16);
        r.wy[(RIG_HIST - 1) * r.ny + 5] = 23;
        r.y_ok[5] = COND_STALE; /* one that cannot be read may be hot */
        assert_true(air(&r) == 16);
        r.y_ok[5] = COND_TRUE;
        r.wy[(RIG_HIST - 1) * r.ny + 5] = (double)NAN;
        assert_true(air(&r) == 16);
        rig_close(&r);
}

/* The backup passes the floor where the certificate needs it and a reading is near its soft limit. */
static void test_certificate_passes_the_floor(void **state)
{
        struct rig r;

        (void)state;
        open_floor(&r, 17.9);
        rig_settle(&r, 24.4, 1);
        for (size_t k = 0; k < RIG_HIST; k++) {
                for (size_t j = 0; j < W; j += 2) {
                        r.wu[k * r.nu + j] = r.confirmed[j] = r.prop[j] = 22;
                        r.wu[k * r.nu + j + 1] = r.confirmed[j + 1] = r.prop[j + 1] = 0.3;
                }
        }
        floors[0] = 21.9;
        assert_true(air(&r) < 21.9);
        rig_close(&r);
}

/* A room that cannot be seen is not kept warm for its humidity; one that can be is. */
static void test_floor_of_dark_rooms(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.rooms = 4; /* one of them dark is not FALLBACK yet */
        open_floor_of(&r, a, 19);
        for (size_t j = 0; j < 16; j += 2)
                r.confirmed[j] = r.prop[j] = 20;
        floors[4] = 19;
        (void)rig_decide(&r);
        memset(r.y_ok, COND_ERROR, 3);
        r.prop[4] = 18;
        assert_true(air(&r) < 19 && rig_action(&r.s->decision)[4] == 19);
        assert_true(decision_kind(&r.s->decision) < DECISION_FALLBACK);
        memset(r.y_ok, COND_TRUE, 3);
        rig_point(&r);
        r.snap.y_ok = NULL; /* nor where nobody tells any reading */
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[0] < 19 && decision_certificate(&r.s->decision)->verified);
        r.snap.y_ok = r.y_ok;
        r.snap.window.n = 0;
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[0] < 19 && decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

/* Outputs with a trip only: it takes the place of the hard limit. */
static void test_floor_beside_a_trip_only(void **state)
{
        struct rig r;

        (void)state;
        open_floor(&r, 17.4);
        for (size_t i = 0; i < r.ninlet; i++) {
                r.cert[i].trip = 27;
                r.cert[i].hi = (double)NAN;
        }
        rig_create(&r);
        r.snap.interlock = true;
        rig_settle(&r, 23.5, 0.2);
        assert_true(fabs(air(&r) - 17.4) < 1e-9);
        rig_settle(&r, 23.6, 0.2);
        assert_true(air(&r) == 16);
        rig_close(&r);
}

/* ---- the envelope ---- */

static void expect_bad(struct rig *r, const char *what, size_t at)
{
        const char *found = NULL;
        size_t index = 99;

        assert_int_equal(safety_envelope_validate(&r->env, &found, &index), -22);
        assert_string_equal(found, what);
        assert_int_equal(index, at);
}

static void test_validate(void **state)
{
        static const double bad_flow[] = {-1e-9, (double)INFINITY, (double)NAN};
        struct safety_lift two[2];
        struct rig r;
        const char *what;
        size_t index;

        (void)state;
        open_lift(&r, 8, 12, 8, 18);
        for (size_t i = 0; i < 3; i++) {
                r.u[B].min_flow_m3s = bad_flow[i];
                expect_bad(&r, "u.min_flow_m3s", B);
        }
        r.u[B].min_flow_m3s = 0;
        two[0] = two[1] = pair;
        r.env.lift = two;
        r.env.nlift = 2;
#define BAD_LIFT(member, value, what)                                                                                  \
        do {                                                                                                           \
                two[1] = pair;                                                                                         \
                two[1].member = (value);                                                                               \
                expect_bad(&r, what, 1);                                                                               \
        } while (0)
        BAD_LIFT(cw, 11, "lift.cw");
        BAD_LIFT(cw, B, "lift.cw"); /* a machine is no setpoint */
        BAD_LIFT(chw, 11, "lift.chw");
        BAD_LIFT(chw, A, "lift.chw");
        BAD_LIFT(chw, B, "lift.chw");
        BAD_LIFT(chw, 1, "lift.chw"); /* safe_dir + */
        BAD_LIFT(min_k, 12.1, "lift.min_k");
        BAD_LIFT(min_k, (double)NAN, "lift.min_k");
        BAD_LIFT(max_k, (double)NAN, "lift.min_k");
        two[1] = pair;
        two[1].max_k = 30;
        two[1].min_k = 23; /* 30 − 7: the warmest condenser water above the coldest chilled water */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
        two[1].min_k = 23.1;
        expect_bad(&r, "lift.min_k", 1);
        two[1].min_k = -5;
        two[1].max_k = 5; /* 12 − 7: or full cooling could not be had */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
        two[1].max_k = 4.9;
        expect_bad(&r, "lift.max_k", 1);
        r.env.lift = NULL;
        expect_bad(&r, "nlift", 0);
        rig_close(&r);
}

/* What is decided for all rooms together is read by no row of the model. */
static void test_create_refuses_what_rooms_own(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, 8, 12, 8, 18);
        pair.chw = 0;
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        pair = (struct safety_lift){0, W, -100, 100};
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        pair = (struct safety_lift){A, W, 8, 12};
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), 0);
        rig_close(&r);
        rig_open(&r, rig_default(), 1);
        r.u[1] = r.u[B];
        rig_create(&r);
        r.u[1].min_flow_m3s = 0.01;
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        rig_close(&r);
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
            cmocka_unit_test(test_relief_of_every_place),
            cmocka_unit_test(test_relief_of_whom),
            cmocka_unit_test(test_relief_by_whom_it_helps),
            cmocka_unit_test(test_relief_waits_for_another_stop),
            cmocka_unit_test(test_relief_stops_one),
            cmocka_unit_test(test_lift_minimum),
            cmocka_unit_test(test_lift_maximum),
            cmocka_unit_test(test_lift_beside_a_count),
            cmocka_unit_test(test_lifts_that_share),
            cmocka_unit_test(test_lift_taken_over),
            cmocka_unit_test(test_lift_of_a_variable_that_is_fixed),
            cmocka_unit_test(test_no_colder_water),
            cmocka_unit_test(test_floors_of_no_direction),
            cmocka_unit_test(test_floor_of_proposals),
            cmocka_unit_test(test_order_of_relaxation),
            cmocka_unit_test(test_certificate_passes_the_floor),
            cmocka_unit_test(test_floor_of_dark_rooms),
            cmocka_unit_test(test_floor_beside_a_trip_only),
            cmocka_unit_test(test_validate),
            cmocka_unit_test(test_create_refuses_what_rooms_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
