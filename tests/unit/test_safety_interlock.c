/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What each step says of readings and proposals, by itself: trips, what is named, what is no proposal. */
#include "tests/unit/test_safety_filter.h"

/* Two sensors above their trip agree at once, whichever they are: the first is named. An output without a trip value
 * is none of them. */
static void test_any_two_trip_at_once(void **state)
{
        (void)state;
        for (size_t a = 0; a < 6; a++) {
                for (size_t b = a + 1; b < 6; b++) {
                        struct rig r;

                        rig_open(&r, rig_default(), 1);
                        rig_create(&r);
                        NOW(r, a) = NOW(r, b) = 32.01;
                        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
                        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, (int)a);
                        r.cert[b].trip = (double)NAN;
                        rig_create(&r);
                        (void)rig_decide(&r);
                        assert_int_not_equal(decision_reason(&r.s->decision), DR_TRIP);
                        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP); /* it lasts */
                        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, (int)a);
                        rig_close(&r);
                }
        }
}

/* An interlock from outside names no output of ours. */
static void test_an_interlock_names_nothing(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.snap.interlock = true;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_INTERLOCK);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, -1);
        rig_close(&r);
}

/* One value that is no number, or no finite one, and there is no proposal; what lies behind the last is not looked at.
 */
static void test_every_value_of_a_proposal(void **state)
{
        static const double none[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
        double prop[12];
        struct rig r;

        (void)state;
        open_rig(&r);
        assert_int_equal(r.nu, 11);
        for (size_t j = 0; j <= r.nu; j++) {
                for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
                        memcpy(prop, r.confirmed, r.nu * sizeof(double));
                        prop[r.nu] = 0;
                        prop[j] = none[k];
                        rig_create(&r);
                        rig_point(&r);
                        r.p.u = prop;
                        (void)safety_filter(r.s, &r.snap, &r.p);
                        expect(&r.s->decision, j < r.nu ? DECISION_HOLD : DECISION_ACCEPT,
                               j < r.nu ? DR_NOT_FINITE : DR_ACCEPTED);
                }
        }
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_any_two_trip_at_once),
            cmocka_unit_test(test_an_interlock_names_nothing),
            cmocka_unit_test(test_every_value_of_a_proposal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
