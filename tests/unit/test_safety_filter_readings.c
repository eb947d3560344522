/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Readings, trips and proposals that are missing: HOLD, FALLBACK, and the way back. */
#include "tests/unit/test_safety_filter.h"

static void test_trip_single_needs_persistence_two_agree(void **state)
{
        struct rig r;
        const struct safety_decision *d;
        const double *act;

        (void)state;
        open_rig(&r);
        NOW(r, 0) = 32; /* at the bound: not above */
        (void)rig_decide(&r);
        d = rig_decide(&r);
        assert_int_not_equal(decision_reason(d), DR_TRIP);
        NOW(r, 0) = 32.01;
        assert_int_not_equal(decision_reason(rig_decide(&r)), DR_TRIP);
        NOW(r, 0) = 22; /* one step only: clears */
        (void)rig_decide(&r);
        NOW(r, 0) = 32.01;
        assert_int_not_equal(decision_reason(rig_decide(&r)), DR_TRIP);
        d = rig_decide(&r);
        expect(d, DECISION_FALLBACK, DR_TRIP);
        assert_int_equal(decision_certificate(d)->binding_y, 0);
        act = rig_action(d);
        for (size_t j = 0; j < 8; j += 2)
                assert_true(act[j] == 16 && act[j + 1] == 1); /* full cooling, at once */
        assert_true(act[8] == 7);
        rig_close(&r);
        open_rig(&r);
        NOW(r, 2) = NOW(r, 4) = 32.01;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 2); /* the first */
        rig_close(&r);
        open_rig(&r);
        NOW(r, 4) = 32.01;
        (void)rig_decide(&r);
        NOW(r, 0) = 32.01;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 4); /* the one that lasts */
        NOW(r, 0) = NOW(r, 4) = 22; /* recovery takes required_persist clean steps */
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        rig_close(&r);
}

/* A reading that is gone for a step neither counts toward a trip nor clears what was counted. */
static void test_trip_over_a_gap(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        NOW(r, 5) = 32.01;
        assert_int_not_equal(decision_reason(rig_decide(&r)), DR_TRIP);
        r.y_ok[5] = COND_STALE;
        for (unsigned k = 0; k < 3; k++)
                assert_int_not_equal(decision_reason(rig_decide(&r)), DR_TRIP);
        r.y_ok[5] = COND_TRUE;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
        rig_close(&r);
}

/* What is not a reading is not one, whatever its flag says; and an output without a trip value never trips. */
static void test_what_counts_as_a_reading(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        NOW(r, 1) = (double)NAN; /* flagged good */
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 1);
        NOW(r, 3) = (double)INFINITY; /* 2 of 6 */
        expect(rig_decide(&r), DECISION_FALLBACK, DR_SENSOR);
        NOW(r, 1) = NOW(r, 3) = 22;
        r.snap.y_ok = NULL; /* nothing is known of any */
        expect(safety_filter(r.s, &r.snap, &r.p), DECISION_FALLBACK, DR_SENSOR);
        rig_close(&r);
        open_rig(&r);
        rig_point(&r);
        r.snap.window.n = 0; /* no window yet */
        expect(safety_filter(r.s, &r.snap, &r.p), DECISION_HOLD, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 0);
        r.snap.window = (struct arx_window){1, r.wy, r.wu, r.wd}; /* one row is enough with one lag */
        expect(safety_filter(r.s, &r.snap, &r.p), DECISION_ACCEPT, DR_ACCEPTED);
        rig_close(&r);
        rig_open(&r, rig_default(), 1);
        r.cert[0].trip = r.cert[4].trip = (double)NAN;
        rig_create(&r);
        NOW(r, 0) = NOW(r, 4) = 60;
        for (unsigned k = 0; k < 3; k++)
                assert_int_not_equal(decision_kind(rig_decide(&r)), DECISION_FALLBACK);
        NOW(r, 1) = NOW(r, 3) = 32.01;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
        rig_close(&r);
}

static void test_no_proposal_at_all(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.snap.mono_s += 30;
        rig_point(&r);
        expect(safety_filter(r.s, &r.snap, NULL), DECISION_HOLD, DR_NO_PROPOSAL);
        r.p.u = NULL; /* announced, and not there */
        expect(safety_filter(r.s, &r.snap, &r.p), DECISION_HOLD, DR_MALFORMED);
        rig_close(&r);
}

/* The first variable that no one reads back, and no status of any unit: the last decision, and units as they were. */
static void test_no_read_back_and_no_status(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.prop[0] = 17;
        rig_point(&r);
        r.snap.u_confirmed = NULL;
        r.snap.onoff_status = NULL;
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[0] == 17);
        r.prop[0] = 20;
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[0] == 17.5); /* from 17 on by its rate */
        assert_true(decision_certificate(&r.s->decision)->verified);
        assert_false(r.s->equip[9].running);
        r.snap.u_confirmed = r.confirmed;
        r.snap.onoff_status = r.status;
        (void)safety_filter(r.s, &r.snap, &r.p);
        r.snap.onoff_status = NULL;
        (void)safety_filter(r.s, &r.snap, &r.p);
        assert_true(r.s->equip[9].running);
        rig_close(&r);
}

static void test_interlock_demands_full_cooling(void **state)
{
        struct rig r;
        const struct safety_decision *d;

        (void)state;
        open_rig(&r);
        r.snap.interlock = true;
        d = rig_decide(&r);
        expect(d, DECISION_FALLBACK, DR_INTERLOCK);
        assert_true(rig_action(d)[0] == 16 && rig_action(d)[1] == 1);
        rig_close(&r);
}

/* One bad kind of proposal: HOLD for hold_steps, then FALLBACK until required_persist clean steps. */
static void ladder_of(enum decision_reason reason, bool present, bool malformed, bool confident, double value)
{
        struct rig r;

        open_rig(&r);
        r.prop[0] = 17.8;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        r.confirmed[0] = 17.8;
        r.p = (struct safety_proposal){.present = present, .malformed = malformed, .in_distribution = confident};
        r.prop[0] = value;
        for (unsigned k = 0; k < r.env.hold_steps; k++) {
                expect(rig_decide(&r), DECISION_HOLD, reason);
                assert_true(rig_action(&r.s->decision)[0] == 17.8); /* what was decided last */
        }
        expect(rig_decide(&r), DECISION_FALLBACK, reason);
        expect(rig_decide(&r), DECISION_FALLBACK, reason);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, -1);
        r.p = (struct safety_proposal){.present = true, .in_distribution = true};
        r.prop[0] = 18;
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        r.p.present = false; /* the hold counter started over */
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        rig_close(&r);
}

static void test_ladder(void **state)
{
        (void)state;
        ladder_of(DR_NO_PROPOSAL, false, false, true, 18);
        ladder_of(DR_MALFORMED, true, true, true, 18);
        ladder_of(DR_LOW_CONFIDENCE, true, false, false, 18);
        ladder_of(DR_NOT_FINITE, true, false, true, (double)NAN);
        ladder_of(DR_NOT_FINITE, true, false, true, (double)INFINITY);
        ladder_of(DR_NOT_FINITE, true, false, true, -(double)INFINITY);
}

static void test_unclean_step_restarts_recovery(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.snap.interlock = true;
        (void)rig_decide(&r);
        r.snap.interlock = false;
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        r.p.present = false;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_NO_PROPOSAL);
        r.p.present = true;
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        r.snap.interlock = true;
        (void)rig_decide(&r);
        r.snap.interlock = false;
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        NOW(r, 0) = 32.01; /* above its trip for one step: not believed, but not clean either */
        expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        NOW(r, 0) = 22;
        for (unsigned k = 1; k < r.env.required_persist; k++)
                expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        for (unsigned k = 0; k < 2; k++) { /* an interlock in the middle, too */
                r.snap.interlock = true;
                (void)rig_decide(&r);
                r.snap.interlock = false;
                for (unsigned n = 1; n < r.env.required_persist; n++)
                        expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        }
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        rig_close(&r);
}

static void test_bad_reading_blocks_warmer_in_its_group_only(void **state)
{
        struct rig r;
        const struct safety_decision *d;
        const double *act;

        (void)state;
        open_rig(&r);
        r.y_ok[1] = COND_STALE; /* 1 of 6 certified */
        for (size_t j = 0; j < 8; j += 2)
                r.prop[j] = 18.2;
        r.prop[2] = 17.5;
        d = rig_decide(&r);
        expect(d, DECISION_PROJECT, DR_SENSOR);
        act = rig_action(d);
        assert_int_equal(decision_certificate(d)->binding_y, 1);
        assert_true(act[0] == 18 && act[2] == 17.5 && near(act[4], 18.2) && near(act[6], 18.2));
        assert_false(decision_certificate(d)->terminal);
        /* a finite value of a bad reading is not believed, hot or cold */
        NOW(r, 1) = 90;
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 18 && act[2] == 17.5);
        assert_true(decision_certificate(&r.s->decision)->margin > 0); /* of the others */
        /* a gap in the history blinds as well, although the reading is good now */
        r.y_ok[1] = COND_TRUE;
        NOW(r, 1) = 22;
        r.wu[(RIG_HIST - 1) * r.nu] = (double)NAN;
        r.confirmed[0] = (double)NAN;
        d = rig_decide(&r);
        expect(d, DECISION_PROJECT, DR_SENSOR);
        rig_close(&r);
}

static void test_many_bad_readings(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.y_ok[0] = COND_ERROR; /* 1 of 6 = 17 % */
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        r.y_ok[3] = COND_STALE; /* 2 of 6 = 33 % */
        expect(rig_decide(&r), DECISION_FALLBACK, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 0); /* the first */
        rig_close(&r);
}

/* None can be read: before the first reading nothing is touched; after it, local setpoints at once and colder. */
static void test_total_loss_of_readings(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        memset(r.y_ok, COND_STALE, r.ny);
        r.confirmed[0] = 20;
        expect(rig_decide(&r), DECISION_HOLD, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[0] == 20);
        memset(r.y_ok, COND_TRUE, r.ny);
        (void)rig_decide(&r);
        memset(r.y_ok, COND_STALE, r.ny);
        r.confirmed[0] = 23;
        r.confirmed[1] = 0.4;
        r.confirmed[8] = 12;
        expect(rig_decide(&r), DECISION_FALLBACK, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[0] == 18 && near(rig_action(&r.s->decision)[1], 0.8));
        assert_true(rig_action(&r.s->decision)[8] == 8);
        memcpy(r.confirmed, rig_action(&r.s->decision), r.nu * sizeof(double));
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[0] == 17.5 && near(rig_action(&r.s->decision)[1], 0.85));
        rig_close(&r);
}

/* No proposal ever: the reason stays that, as long as nothing more serious changes what the plant has. */
static void test_first_decision_without_a_proposal(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.w = 2; /* nothing can be certified */
        rig_open(&r, a, 1);
        rig_create(&r);
        r.p.present = false;
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        assert_true(rig_action(&r.s->decision)[0] == 18);
        rig_create(&r);
        r.confirmed[0] = 20; /* warmer than the plant on its own: goes back, and is a hold all the same */
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        assert_true(rig_action(&r.s->decision)[0] < 20);
        rig_close(&r);
}

/* One room of several goes dark: it goes to local setpoints at once and colder, the others go on. */
static void test_a_dark_room(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.rooms = 4;
        rig_open(&r, a, 1);
        rig_create(&r);
        r.confirmed[0] = r.prop[0] = r.confirmed[4] = 20;
        r.prop[4] = 20.2;
        memset(r.y_ok, COND_STALE, 2);
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR); /* one of three still reads: held */
        assert_true(rig_action(&r.s->decision)[0] == 20);
        memset(r.y_ok, COND_STALE, 3);
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[0] == 18 && near(rig_action(&r.s->decision)[4], 20.2));
        r.p.present = false;
        r.confirmed[0] = 18;
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        assert_true(rig_action(&r.s->decision)[0] == 17.5);
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

/* 3 of 10 is not more than 30 %, 4 of 10 is; and that FALLBACK is latched like any other. */
static void test_share_of_bad_readings(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        (void)state;
        a.inlets = 5;
        rig_open(&r, a, 1);
        rig_create(&r);
        memset(r.y_ok, COND_STALE, 3);
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        memset(r.y_ok, COND_STALE, 4);
        expect(rig_decide(&r), DECISION_FALLBACK, DR_SENSOR);
        memset(r.y_ok, COND_TRUE, 4);
        expect(rig_decide(&r), DECISION_FALLBACK, DR_RECOVERING);
        rig_close(&r);
}

/* Holding is certified like anything else: when it cannot be, the action moves toward the backup; the certificate says
 * so, and the decision stays a HOLD with its reason. */
static void test_hold_is_certified(void **state)
{
        struct rig r;
        (void)state;
        open_rig(&r);
        r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 20;
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_ACCEPT);
        r.p.present = false;
        set_inlets(&r, 26);
        r.d_hi[0] = 1.1;
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        assert_true(rig_action(&r.s->decision)[0] < 20);
        assert_true(decision_certificate(&r.s->decision)->fraction < 1);
        assert_true(decision_certificate(&r.s->decision)->binding_y < 3);
        set_inlets(&r, 22); /* a hold that only the rate shapes stays a hold */
        r.confirmed[4] = 17;
        r.d_hi[0] = 0.6;
        expect(rig_decide(&r), DECISION_HOLD, DR_NO_PROPOSAL);
        assert_true(rig_action(&r.s->decision)[4] == 17.5);
        rig_close(&r);
}

static void test_fallback_trims_and_responds(void **state)
{
        struct rig r;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t i = 0; i < r.ninlet; i++) {
                r.cert[i].hi = r.cert[i].trip = 32;
                r.cert[i].soft_k = 5; /* aims at 27 */
        }
        r.u[9].nominal = 0;
        rig_create(&r);
        r.snap.interlock = true;
        (void)rig_decide(&r);
        r.snap.interlock = false;
        r.p.present = false; /* stays in FALLBACK */
        for (size_t j = 0; j < 8; j += 2) {
                r.confirmed[j] = 16;
                r.confirmed[j + 1] = 1;
        }
        r.confirmed[6] = 19;   /* warmer than the plant on its own: toward it by one rate */
        set_inlets(&r, 24.99); /* more than 2 K below 27 */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 16.5 && near(act[1], 0.95) && act[6] == 18.5);
        set_inlets(&r, 25); /* between: stays */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 16 && act[1] == 1 && act[6] == 18.5);
        r.confirmed[0] = r.confirmed[4] = 22;
        r.confirmed[1] = r.confirmed[5] = 0.4;
        r.confirmed[8] = 8;
        r.confirmed[9] = r.status[9] = 0;
        (void)rig_decide(&r);
        r.snap.mono_s += 3600; /* the unit may start */
        set_inlets(&r, 26.3);  /* where the planner steers: no hurry */
        act = rig_action(rig_decide(&r));
        assert_true(near(act[0], 21.5) && near(act[1], 0.45) && act[8] == 8 && act[9] == 0);
        NOW(r, 0) = 26.99;
        assert_true(near(rig_action(rig_decide(&r))[0], 21.5) && rig_action(&r.s->decision)[8] == 8);
        r.confirmed[0] = 18;
        NOW(r, 0) = 27; /* responds, one rate */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 17.5 && near(act[1], 0.45) && near(act[4], 21.5)); /* the other room does not */
        assert_true(act[8] == 7 && act[9] == 0);                                 /* the plant does */
        r.snap.slow_step = false;
        assert_true(rig_action(rig_decide(&r))[8] == 8); /* on the slow step */
        NOW(r, 0) = 27.99;
        assert_true(rig_action(rig_decide(&r))[9] == 0);
        NOW(r, 0) = 28; /* two rates, every unit */
        assert_true(rig_action(rig_decide(&r))[0] == 17 && rig_action(&r.s->decision)[9] == 1);
        NOW(r, 0) = 29.5; /* three rates, every unit */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 16.5 && near(act[1], 0.55) && act[8] == 8 && act[9] == 1);
        NOW(r, 0) = 30.99;
        assert_true(rig_action(rig_decide(&r))[0] == 16 && near(rig_action(&r.s->decision)[1], 0.6));
        NOW(r, 0) = 31; /* 1 K below the hard limit: everything */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 16 && act[1] == 1 && act[8] == 7);
        assert_true(near(act[4], 21.5));
        NOW(r, 0) = 26;
        r.y_ok[0] = COND_STALE; /* 1 of 3 of the room is more than 30 %: what the plant has on its own, and colder */
        r.confirmed[0] = 20;
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 18 && near(act[1], 0.8) && near(act[4], 21.5) && act[8] == 8);
        rig_close(&r);
}

/* An output that is watched for its trip only is kept 1 K below that; a variable without a rate goes by its ramp. */
static void test_fallback_of_trip_only_outputs(void **state)
{
        struct rig r;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.cert[0] = (struct safety_y){.row = 0, .hi = (double)NAN, .trip = 32, .soft_k = 5};
        r.u[0].rate = 0;
        rig_create(&r);
        r.snap.interlock = true;
        (void)rig_decide(&r);
        r.snap.interlock = false;
        r.p.present = false;
        set_inlets(&r, 20);
        r.confirmed[0] = r.confirmed[2] = 17;
        NOW(r, 0) = 29.99; /* trims */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 17 && act[2] == 17.5); /* without a rate nothing moves toward less cooling */
        NOW(r, 0) = 30;
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 17 && act[2] == 17);
        NOW(r, 0) = 31;
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 16 && act[2] == 16 && act[1] == 1);
        NOW(r, 0) = 20;
        NOW(r, 1) = 25.99;   /* an ordinary neighbour, limit 27: stays */
        r.confirmed[0] = 20; /* warmer than the plant on its own: one ramp toward it */
        assert_true(rig_action(rig_decide(&r))[0] == 19);
        rig_close(&r);
}

static void test_unconfirmed_base_is_the_last_decision(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.confirmed[0] = (double)NAN; /* never seen: nominal 18; the history has a gap, so no warmer */
        r.prop[0] = 23;
        assert_true(rig_action(rig_decide(&r))[0] == 18);
        r.prop[0] = 17;
        assert_true(rig_action(rig_decide(&r))[0] == 17);
        r.prop[0] = 23;
        assert_true(rig_action(rig_decide(&r))[0] == 17);
        rig_close(&r);
}

/* Two blind rooms: the first is named. A reading that is gone is named before a gap in the history. */
static void test_which_reading_is_named(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.inlets = 5;
        rig_open(&r, a, 1);
        rig_create(&r);
        r.y_ok[2] = r.y_ok[7] = COND_STALE;
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 2);
        r.y_ok[2] = r.y_ok[7] = COND_TRUE;
        r.confirmed[0] = (double)NAN; /* every row of room 0 lacks it */
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 0);
        r.y_ok[3] = r.y_ok[4] = COND_STALE;
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 3);
        rig_close(&r);
}

/* What cannot be certified outranks what cannot be read, in whatever order the rooms come. */
static void test_not_certifiable_outranks_blind(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.inlets = 5;
        rig_open(&r, a, 1);
        rig_create(&r);
        for (size_t room = 0; room < 2; room++) {
                rig_settle(&r, 22, 0.6);
                r.d_hi[room] = 3;
                r.y_ok[5 * (1 - room)] = COND_STALE;
                expect(rig_decide(&r), DECISION_PROJECT, DR_NOT_CERTIFIABLE);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_y / 5, (int)room);
        }
        rig_close(&r);
}

/* In FALLBACK with some readings missing, not too many: not less cooling than now, and no hurry either. */
static void test_fallback_with_a_reading_missing(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        const double *act;

        (void)state;
        a.inlets = 5;
        rig_open(&r, a, 1);
        rig_create(&r);
        r.snap.interlock = true;
        (void)rig_decide(&r);
        r.snap.interlock = false;
        r.p.present = false;
        set_inlets(&r, 20);
        r.y_ok[1] = COND_STALE;
        r.confirmed[0] = r.confirmed[4] = 17;
        r.confirmed[2] = 19;
        r.confirmed[r.nu - 1] = r.status[r.nu - 1] = 0; /* the plant on its own would run it */
        act = rig_action(rig_decide(&r));
        assert_true(act[0] == 17 && act[4] == 17.5 && act[2] == 18.5 && act[r.nu - 1] == 0);
        r.snap.mono_s += 600;
        assert_true(rig_action(rig_decide(&r))[r.nu - 1] == 1);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_trip_single_needs_persistence_two_agree),
            cmocka_unit_test(test_interlock_demands_full_cooling),
            cmocka_unit_test(test_ladder),
            cmocka_unit_test(test_unclean_step_restarts_recovery),
            cmocka_unit_test(test_bad_reading_blocks_warmer_in_its_group_only),
            cmocka_unit_test(test_many_bad_readings),
            cmocka_unit_test(test_total_loss_of_readings),
            cmocka_unit_test(test_a_dark_room),
            cmocka_unit_test(test_first_decision_without_a_proposal),
            cmocka_unit_test(test_share_of_bad_readings),
            cmocka_unit_test(test_hold_is_certified),
            cmocka_unit_test(test_fallback_trims_and_responds),
            cmocka_unit_test(test_unconfirmed_base_is_the_last_decision),
            cmocka_unit_test(test_what_counts_as_a_reading),
            cmocka_unit_test(test_no_proposal_at_all),
            cmocka_unit_test(test_no_read_back_and_no_status),
            cmocka_unit_test(test_fallback_of_trip_only_outputs),
            cmocka_unit_test(test_which_reading_is_named),
            cmocka_unit_test(test_not_certifiable_outranks_blind),
            cmocka_unit_test(test_fallback_with_a_reading_missing),
            cmocka_unit_test(test_trip_over_a_gap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
