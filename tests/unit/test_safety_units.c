/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Units: what a restart keeps of them, and capacity and water to the last bit of their bounds. */
#include "tests/unit/test_safety_machines.h"

static struct safety_u unit_of(double starts)
{
        return (struct safety_u){.kind = SAFETY_U_ONOFF,
                                 .safe_dir = 1,
                                 .hi = 1,
                                 .step = 1,
                                 .min_off_s = 0,
                                 .max_starts_per_h = starts,
                                 .capacity_w = 1e5};
}

/* Saved and restored at once. */
static void restart(struct equipment *q, double mono_s)
{
        double buf[SAFETY_STATE_PER_U];

        equipment_save(q, mono_s, buf);
        equipment_restore(q, mono_s, 0, buf);
}

/* The start that the machine is seen to make is the newest one: what was made before keeps its time. */
static void test_a_start_that_waited_is_the_newest(void **state)
{
        struct safety_u u = unit_of(2);
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0);
        equipment_observe(&q, &u, true, 1, 4000);
        equipment_observe(&q, &u, false, 0, 4500);
        equipment_observe(&q, &u, true, 0, 5000);
        equipment_observe(&q, &u, true, 1, 5200);
        assert_false(equipment_may_stop(&q, &u, 7599.9));
        assert_true(equipment_may_stop(&q, &u, 7600)); /* the one at 4000 */
        u.max_starts_per_h = 1;
        assert_false(equipment_may_stop(&q, &u, 8799.9));
        assert_true(equipment_may_stop(&q, &u, 8800)); /* the one that waited */
}

/* None made in the hour before: all of them are left, also where the clock has just begun. */
static void test_restored_without_a_start(void **state)
{
        struct safety_u u = unit_of(1);
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0);
        restart(&q, 50);
        assert_true(equipment_may_start(&q, &u, 50));
        equipment_observe(&q, &u, true, 1, 60);
        assert_false(equipment_may_stop(&q, &u, 3659.9));
        assert_true(equipment_may_stop(&q, &u, 3660));
}

/* As many as there may be: none is forgotten, neither the oldest nor one that is made in this very moment. */
static void test_every_start_is_restored(void **state)
{
        static const double ago_s[] = {0, 0.5, 3500};
        struct safety_u u = unit_of(SAFETY_STARTS_MAX);
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0); /* all but one count as made */
        equipment_observe(&q, &u, true, 1, 100);
        equipment_observe(&q, &u, false, 0, 200);
        restart(&q, 300);
        assert_false(equipment_may_start(&q, &u, 3599.9));
        assert_true(equipment_may_start(&q, &u, 3600));
        u.max_starts_per_h = 1;
        for (size_t k = 0; k < sizeof ago_s / sizeof *ago_s; k++) {
                equipment_reset(&q);
                equipment_observe(&q, &u, false, 0, 0);
                equipment_observe(&q, &u, true, 1, 5000); /* off for longer than an hour before */
                restart(&q, 5000 + ago_s[k]);
                assert_false(equipment_may_stop(&q, &u, 8599.9));
                assert_true(equipment_may_stop(&q, &u, 8600));
        }
}

/* Ordered on and not running, or ordered off and still running: a restart takes neither for the other. */
static void test_restored_between_order_and_machine(void **state)
{
        struct safety_u u = unit_of(2);
        struct equipment q;

        (void)state;
        u.min_on_s = 300;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0);
        equipment_observe(&q, &u, true, 0, 4000);
        restart(&q, 4100);
        equipment_observe(&q, &u, true, 1, 4200); /* the time it has to run begins here */
        assert_false(equipment_may_stop(&q, &u, 4499.9));
        assert_true(equipment_may_stop(&q, &u, 4500));
        equipment_observe(&q, &u, false, 1, 4600);
        restart(&q, 4700);
        equipment_observe(&q, &u, false, 1, 4800); /* no start: it has not stopped yet */
        assert_true(equipment_may_start(&q, &u, 4800));
        equipment_observe(&q, &u, false, 0, 4900);
        assert_true(equipment_may_start(&q, &u, 4900));
        u.max_starts_per_h = 1;
        assert_false(equipment_may_start(&q, &u, 7799.9));
        assert_true(equipment_may_start(&q, &u, 7800));
}

/* A start that nobody has seen yet is still the same one after a restart; of one that was seen, running again is
 * another. */
static void test_restored_before_and_after_a_start_is_seen(void **state)
{
        struct safety_u u = unit_of(2);
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 255, 0);
        equipment_observe(&q, &u, true, 255, 4000);
        restart(&q, 4100);
        equipment_observe(&q, &u, true, 1, 4200);
        assert_true(equipment_may_stop(&q, &u, 4200)); /* one */
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0);
        equipment_observe(&q, &u, true, 1, 4000);
        equipment_observe(&q, &u, true, 0, 4500); /* it stopped by itself */
        restart(&q, 4600);
        equipment_observe(&q, &u, true, 1, 4700);
        assert_false(equipment_may_stop(&q, &u, 7599.9)); /* two */
        assert_true(equipment_may_stop(&q, &u, 7600));
}

/* Half a second between two processes is half a second, for every unit, be it the first of the variables. */
static void test_restored_half_a_second_later(void **state)
{
        (void)state;
        for (size_t j = 0; j <= B; j += B) {
                double buf[1 + 16 * SAFETY_STATE_PER_U];
                struct rig r;
                size_t n;

                rig_open(&r, rig_default(), 1);
                swap_variables(&r, j, B);
                rig_model(&r, false);
                rig_settle(&r, 22, 0.6);
                rig_create(&r);
                r.confirmed[j] = r.prop[j] = r.status[j] = 0;
                (void)rig_decide(&r); /* at 30: seen off, for ten minutes at least */
                r.prop[j] = 1;
                n = safety_state_save(r.s, 130, buf, sizeof buf / sizeof *buf);
                for (int early = 1; early >= 0; early--) {
                        rig_create(&r);
                        safety_state_restore(r.s, 1000, 0.5, buf, n);
                        r.snap.mono_s = 1000 + 500 - 0.5 - 0.25 * early - 30;
                        assert_true(rig_action(rig_decide(&r))[j] == !early);
                        assert_true(decision_certificate(&r.s->decision)->verified);
                }
                rig_close(&r);
        }
}

/* Nothing has been seen: no age and no start is made up, of no variable. */
static void test_state_before_anything_was_seen(void **state)
{
        double buf[1 + 16 * SAFETY_STATE_PER_U];
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        assert_int_equal(safety_state_save(r.s, 100, buf, sizeof buf / sizeof *buf), 1 + r.nu * SAFETY_STATE_PER_U);
        for (size_t j = 0; j < r.nu; j++) {
                const double *b = buf + 1 + j * SAFETY_STATE_PER_U;

                assert_true(b[0] == 0 && b[1] == 0 && b[2] == 2 && b[3] == 0 && b[4] == 0 && b[5] == 0);
                for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                        assert_true(b[6 + i] == -1);
        }
        rig_close(&r);
}

/* Three units that run, on since 0; and behind them, in every array, one that is none of them. */
struct three {
        struct safety_u u[4];
        struct equipment q[4];
        struct safety_envelope e;
        uint8_t status[4];
        struct safety_snapshot snap;
        double base[4], want[4], act[4];
        enum decision_reason why;
        int binding;
};

static void open_three(struct three *t)
{
        *t = (struct three){.e = {.nu = 3, .capacity_margin = 0.25},
                            .status = {1, 1, 1, 1},
                            .snap = {.mono_s = 4000, .slow_step = true, .evap_flow_m3s = (double)NAN},
                            .base = {1, 1, 1, 1},
                            .want = {1, 1, 1, 1},
                            .act = {7, 7, 7, 7}};
        t->e.u = t->u;
        t->snap.onoff_status = t->status;
        for (size_t k = 0; k < 4; k++) {
                t->u[k] = unit_of(3);
                t->u[k].min_on_s = 300;
                equipment_reset(&t->q[k]);
                equipment_observe(&t->q[k], &t->u[k], true, 1, 0);
        }
        t->u[3].capacity_w = 1e9;
        t->u[3].min_flow_m3s = 1e-3;
}

static void move_three(struct three *t)
{
        t->why = DR_ACCEPTED;
        t->binding = -1;
        equipment_move(&t->e, t->q, &t->snap, t->base, t->want, t->act, &t->why, &t->binding);
        assert_true(t->act[3] == 7);
}

/* The others carry exactly the load and its margin: enough. Half a watt more of load: not. */
static void test_capacity_to_the_watt(void **state)
{
        (void)state;
        for (size_t stop = 0; stop < 3; stop++) {
                for (int more = 0; more < 2; more++) {
                        struct three t;

                        open_three(&t);
                        t.want[stop] = 0;
                        t.snap.cooling_load_w = 1.6e5 + 0.5 * more; /* 2e5 with the margin */
                        move_three(&t);
                        assert_true(t.act[stop] == more);
                        assert_int_equal(t.why, more ? DR_EQUIPMENT : DR_ACCEPTED);
                        assert_int_equal(t.binding, more ? (int)stop : -1);
                }
        }
}

/* One that was ordered off and still runs is about to go: it carries nothing, before or after the one that asks. */
static void test_what_runs_out_carries_nothing(void **state)
{
        (void)state;
        for (size_t out = 0; out < 3; out++) {
                for (size_t stop = 0; stop < 3; stop++) {
                        struct three t;

                        open_three(&t);
                        t.base[out] = t.want[out] = 0;
                        equipment_observe(&t.q[out], &t.u[out], false, 1, 3990);
                        t.want[stop] = 0;
                        t.snap.cooling_load_w = 1e5; /* 1.25e5 with the margin: two of them */
                        move_three(&t);
                        for (size_t k = 0; k < 3; k++)
                                assert_true(t.act[k] == (k != out));
                        assert_int_equal(t.why, stop == out ? DR_ACCEPTED : DR_EQUIPMENT);
                        assert_int_equal(t.binding, stop == out ? -1 : (int)stop);
                }
        }
}

/* Short of water, and the only one that may stop would not help, as far as is known: all stay, and nothing is cut. */
static void test_nobody_stops_who_does_not_help(void **state)
{
        struct three t;

        (void)state;
        open_three(&t);
        t.u[1].min_flow_m3s = t.u[2].min_flow_m3s = 0.01;
        for (size_t k = 1; k < 3; k++) {
                equipment_reset(&t.q[k]);
                equipment_observe(&t.q[k], &t.u[k], true, 1, 3900); /* just started */
        }
        t.snap.evap_flow_m3s = 0.001;
        move_three(&t);
        assert_true(t.act[0] == 1 && t.act[1] == 1 && t.act[2] == 1);
        assert_true(t.why == DR_ACCEPTED && t.binding == -1);
        t.snap.mono_s = 4200;
        move_three(&t);
        assert_true(t.act[0] == 1 && t.act[1] + t.act[2] == 1 && t.why == DR_EQUIPMENT);
}

/* Water for those that there are, to the last bit: what lies behind the last of them needs none. */
static void test_water_for_three_and_no_more(void **state)
{
        (void)state;
        for (size_t j = 0; j < 3; j++) {
                for (int enough = 0; enough < 2; enough++) {
                        struct three t;

                        open_three(&t);
                        t.u[3].capacity_w = 0; /* nor is it the one to stop */
                        for (size_t k = 0; k < 3; k++)
                                t.u[k].min_flow_m3s = 0.25;
                        t.snap.evap_flow_m3s = enough ? 0.75 * SAFETY_RELIEF : nextafter(0.75 * SAFETY_RELIEF, 0);
                        move_three(&t);
                        assert_true(t.act[0] + t.act[1] + t.act[2] == 2 + enough);
                        t.base[j] = t.status[j] = 0;
                        equipment_reset(&t.q[j]);
                        equipment_observe(&t.q[j], &t.u[j], false, 0, 0);
                        t.snap.evap_flow_m3s = 1;
                        t.snap.chw_flow_m3s = enough ? 0.75 * 1.25 : nextafter(0.75 * 1.25, 0);
                        move_three(&t);
                        assert_true(t.act[j] == enough && t.act[0] + t.act[1] + t.act[2] == 2 + enough);
                }
        }
}

/* What is asked of a unit lies beyond off and on: it is done as far as it can be, and told. */
static void test_a_unit_has_two_states(void **state)
{
        static const struct {
                double want, is;
                enum decision_reason reason;
        } at[] = {{1, 1, DR_ACCEPTED}, {1.5, 1, DR_LIMIT}, {0.25, 1, DR_ACCEPTED}, {-0.5, 0, DR_LIMIT}, {0, 0, 0}};
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        r.snap.cooling_load_w = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
                r.prop[B] = at[k].want;
                assert_true(rig_action(rig_decide(&r))[B] == at[k].is);
                assert_int_equal(decision_reason(&r.s->decision), at[k].reason);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_u, at[k].reason == DR_LIMIT ? B : -1);
                assert_true(decision_certificate(&r.s->decision)->verified);
        }
        rig_close(&r);
}

/* A read-back is a number: from a half on it is on, for both checkers. Below it the unit is off, and its time off runs.
 */
static void test_read_back_of_a_half(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        r.status[B] = 255;
        r.confirmed[B] = 0.5;
        (void)rig_decide(&r);
        assert_true(r.s->base[B] == 1 && r.s->equip[B].commanded);
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->verified);
        r.prop[B] = 0; /* it would be a stop, and a minute is not long enough */
        assert_true(rig_action(rig_decide(&r))[B] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        r.snap.mono_s = 4000;
        r.confirmed[B] = 0.49;
        assert_true(rig_action(rig_decide(&r))[B] == 0);
        assert_true(r.s->base[B] == 0 && !r.s->equip[B].commanded);
        r.prop[B] = 1;
        r.snap.mono_s = 4030 + 599.9 - 30;
        assert_true(rig_action(rig_decide(&r))[B] == 0);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        r.snap.mono_s = 4030 + 600 - 30;
        assert_true(rig_action(rig_decide(&r))[B] == 1);
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_start_that_waited_is_the_newest),
            cmocka_unit_test(test_restored_without_a_start),
            cmocka_unit_test(test_every_start_is_restored),
            cmocka_unit_test(test_restored_between_order_and_machine),
            cmocka_unit_test(test_restored_before_and_after_a_start_is_seen),
            cmocka_unit_test(test_restored_half_a_second_later),
            cmocka_unit_test(test_state_before_anything_was_seen),
            cmocka_unit_test(test_capacity_to_the_watt),
            cmocka_unit_test(test_what_runs_out_carries_nothing),
            cmocka_unit_test(test_nobody_stops_who_does_not_help),
            cmocka_unit_test(test_water_for_three_and_no_more),
            cmocka_unit_test(test_a_unit_has_two_states),
            cmocka_unit_test(test_read_back_of_a_half),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
