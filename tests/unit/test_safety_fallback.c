/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* FALLBACK: what it does with rooms that it cannot see, on which steps, and what it says was cut. */
#include "tests/unit/test_safety_filter.h"

enum { W = 8, A = 9, B = 10 }; /* rig_variables: chilled water, then two machines */

/* Into FALLBACK, and it lasts as long as no proposal comes. */
static void fall_back(struct rig *r)
{
        r->snap.interlock = true;
        expect(rig_decide(r), DECISION_FALLBACK, DR_INTERLOCK);
        assert_true(decision_certificate(&r->s->decision)->fraction == 0); /* nothing of any proposal */
        r->snap.interlock = false;
        r->p.present = false;
}

static void have(struct rig *r, double supply_c, double fan)
{
        for (size_t j = 0; j < W; j += 2) {
                r->confirmed[j] = supply_c;
                r->confirmed[j + 1] = fan;
        }
}

/* Three of ten readings of a room may be missing: what it has stays, where that cools more than the plant on its own.
 * Four: colder by one rate. */
static void test_share_of_missing_readings_of_a_room(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.inlets = 10;
        for (size_t lost = 3; lost <= 4; lost++) {
                rig_open(&r, a, 1);
                rig_create(&r);
                fall_back(&r);
                have(&r, 17, 0.9);
                for (size_t i = 0; i < lost; i++)
                        r.y_ok[9 - i] = COND_STALE;
                expect(rig_decide(&r), DECISION_FALLBACK, DR_NO_PROPOSAL);
                assert_true(decision_certificate(&r.s->decision)->fraction == 0);
                assert_true(near(rig_action(&r.s->decision)[0], lost > 3 ? 16.5 : 17));
                assert_true(near(rig_action(&r.s->decision)[1], lost > 3 ? 0.95 : 0.9));
                assert_true(near(rig_action(&r.s->decision)[4], 17.5)); /* the other room trims */
                rig_close(&r);
        }
}

/* A room that cannot be seen: air goes colder on every step, water on the slow one; up to what the plant runs on its
 * own both go at once. */
static void test_blind_on_slow_and_other_steps(void **state)
{
        static const struct {
                double water_c, other_c, slow_c;
        } at[] = {{12, 8, 8}, {8.5, 8, 7.5}, {7.5, 7.5, 7}};

        (void)state;
        for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
                for (int slow = 0; slow < 2; slow++) {
                        struct rig r;

                        open_rig(&r);
                        (void)rig_decide(&r);
                        memset(r.y_ok, COND_STALE, r.ny);
                        have(&r, 17, 0.9);
                        r.confirmed[W] = at[k].water_c;
                        r.snap.slow_step = slow;
                        expect(rig_decide(&r), DECISION_FALLBACK, DR_SENSOR);
                        assert_true(near(rig_action(&r.s->decision)[0], 16.5));
                        assert_true(near(rig_action(&r.s->decision)[1], 0.95));
                        assert_true(near(rig_action(&r.s->decision)[W], slow ? at[k].slow_c : at[k].other_c));
                        rig_close(&r);
                }
        }
}

/* Comfortable: water that is warmer than the plant has it on its own comes back by one rate, on the slow step. */
static void test_warm_water_comes_back_on_the_slow_step(void **state)
{
        (void)state;
        for (int slow = 0; slow < 2; slow++) {
                struct rig r;

                open_rig(&r);
                fall_back(&r);
                r.confirmed[W] = 10;
                r.snap.slow_step = slow;
                assert_true(rig_action(rig_decide(&r))[W] == (slow ? 9 : 10));
                r.confirmed[W] = 8.5; /* not beyond it */
                assert_true(rig_action(rig_decide(&r))[W] == (slow ? 8 : 8.5));
                rig_close(&r);
        }
}

/* At full cooling already, or the last part of a rate away from it: nothing is cut, and so nothing is named. */
static void test_response_ends_at_full_cooling(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t i = 0; i < r.ninlet; i++) {
                r.cert[i].hi = r.cert[i].trip = 32;
                r.cert[i].soft_k = 5;
        }
        rig_create(&r);
        fall_back(&r);
        r.confirmed[B] = r.status[B] = 0;
        (void)rig_decide(&r);
        r.snap.mono_s += 3600;
        set_inlets(&r, 28.5); /* two rates, and every unit on */
        for (int k = 0; k < 2; k++) {
                have(&r, k ? 16.3 : 16, k ? 0.97 : 1);
                r.confirmed[W] = k ? 7.5 : 7;
                expect(rig_decide(&r), DECISION_FALLBACK, DR_NO_PROPOSAL);
                assert_true(rig_action(&r.s->decision)[0] == 16 && rig_action(&r.s->decision)[1] == 1);
                assert_true(rig_action(&r.s->decision)[W] == 7 && rig_action(&r.s->decision)[B] == 1);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_u, -1);
        }
        rig_close(&r);
}

/* What is neither way more cooling goes to where the plant has it, whatever was asked for before. */
static void test_neutral_goes_to_nominal(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.towers = true; /* 8: condenser water, 20 °C on its own */
        rig_open(&r, a, 1);
        rig_create(&r);
        for (int warm = 0; warm < 2; warm++) {
                r.snap.interlock = false;
                r.confirmed[8] = 22;
                r.prop[8] = warm ? 25 : 16;
                (void)rig_decide(&r);
                fall_back(&r);
                assert_true(rig_action(&r.s->decision)[8] == 21);
                assert_true(rig_action(rig_decide(&r))[8] == 21);
                r.confirmed[8] = 18;
                assert_true(rig_action(rig_decide(&r))[8] == 19);
                r.confirmed[8] = 20;
                assert_true(rig_action(rig_decide(&r))[8] == 20);
                r.p.present = true;
                for (unsigned k = 0; k < r.env.required_persist; k++)
                        (void)rig_decide(&r);
        }
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_share_of_missing_readings_of_a_room),
            cmocka_unit_test(test_blind_on_slow_and_other_steps),
            cmocka_unit_test(test_warm_water_comes_back_on_the_slow_step),
            cmocka_unit_test(test_response_ends_at_full_cooling),
            cmocka_unit_test(test_neutral_goes_to_nominal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
