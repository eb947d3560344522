/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>

#include "tests/unit/test_safety_common.h"

#define NOW(r, row) ((r).wy[(RIG_HIST - 1) * (r).ny + (row)])

static void open_rig(struct rig *r)
{
        rig_open(r, rig_default(), 1);
        rig_create(r);
}

static void expect(const struct safety_decision *d, enum decision_kind kind, enum decision_reason reason)
{
        if (decision_kind(d) != kind || decision_reason(d) != reason)
                fail_msg("%s/%s, expected %s/%s", decision_kind_str(decision_kind(d)),
                         decision_reason_str(decision_reason(d)), decision_kind_str(kind), decision_reason_str(reason));
}

static bool near(double a, double b)
{
        return fabs(a - b) < 1e-9;
}

static void set_inlets(struct rig *r, double y_c)
{
        for (size_t i = 0; i < RIG_HIST * r->ny; i++)
                r->wy[i] = y_c;
}

static void test_accepts_a_certified_proposal(void **state)
{
        struct rig r;
        const struct safety_decision *d;
        const struct safety_certificate *c;
        size_t nu;

        (void)state;
        open_rig(&r);
        r.prop[0] = 18.2; /* 0.2 K warmer */
        d = rig_decide(&r);
        expect(d, DECISION_ACCEPT, DR_ACCEPTED);
        c = decision_certificate(d);
        assert_true(decision_u(d, &nu)[0] == 18.2);
        assert_int_equal(nu, r.nu);
        assert_true(c->verified && c->terminal && c->fraction == 1 && c->margin > 0 && c->delta == 0.05);
        assert_true(c->model_hash == arx_hash(r.model) && c->horizon == r.env.horizon);
        assert_true(c->binding_y == 0 && c->binding_u == -1); /* of equal ones the first */
        assert_int_equal(decision_t_ms(d), r.snap.t_ms);
        rig_close(&r);
}

static void test_cut_by_rate_names_the_variable(void **state)
{
        struct rig r;
        const struct safety_decision *d;

        (void)state;
        open_rig(&r);
        r.prop[2] = 20;
        d = rig_decide(&r);
        expect(d, DECISION_PROJECT, DR_RATE);
        assert_int_equal(decision_certificate(d)->binding_u, 2);
        assert_true(rig_action(d)[2] == 18.5);
        r.prop[2] = 16; /* the safe direction passes whole */
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        r.prop[2] = 25;
        r.confirmed[2] = 24;
        d = rig_decide(&r);
        assert_true(decision_kind(d) == DECISION_PROJECT);
        rig_close(&r);
}

/* Room 1 hot, room 2 cool: only room 1 is cut, and no more than it must be. */
static void test_groups_do_not_punish_each_other(void **state)
{
        struct rig r;
        const struct safety_decision *d;
        const double *act;

        (void)state;
        open_rig(&r);
        assert_int_equal(r.s->ngroup, 2);
        assert_int_equal(r.s->u_group[8], SAFETY_NO_GROUP);
        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                r.wy[i] = i % r.ny < 3 ? 26.5 : 22;
        r.d_hi[0] = 1.1;
        for (size_t j = 0; j < 8; j += 2) {
                r.confirmed[j] = 20;
                r.prop[j] = 20.4;
        }
        d = rig_decide(&r); /* comfortable, no earlier certificate, and from nominal up nothing can be certified */
        expect(d, DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        act = rig_action(d);
        assert_true(near(act[0], 19.5) && near(act[2], 19.5) && near(act[4], 20.4) && near(act[6], 20.4));
        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                r.wy[i] = i % r.ny < 3 ? 25 : 22;
        d = rig_decide(&r); /* certified part of the way */
        expect(d, DECISION_PROJECT, DR_WORST_CASE);
        act = rig_action(d);
        assert_true(act[0] > 18 && act[0] < 20.4 && near(act[4], 20.4) && near(act[6], 20.4));
        assert_true(decision_certificate(d)->fraction > 0 && decision_certificate(d)->fraction < 1);
        assert_true(decision_certificate(d)->margin >= 0 && decision_certificate(d)->margin < 0.1);
        assert_true(decision_certificate(d)->terminal);
        assert_true(decision_certificate(d)->binding_y < 3);
        rig_close(&r);
}

static void test_nothing_certifiable_stays_nominal_or_cools(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        const struct safety_decision *d;
        const double *act;

        (void)state;
        a.w = 2; /* noise no backup can hold */
        rig_open(&r, a, 1);
        rig_create(&r);
        r.prop[0] = 18.4;
        r.prop[2] = 17; /* more cooling than nominal: known safe, so passes */
        r.prop[3] = 0.7;
        r.confirmed[4] = r.prop[4] = 19; /* less cooling than nominal now */
        d = rig_decide(&r);
        expect(d, DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        act = rig_action(d);
        assert_true(act[0] == 18 && act[2] == 17 && near(act[3], 0.8) && near(act[4], 18.5));
        assert_false(decision_certificate(d)->terminal);
        assert_true(decision_certificate(d)->margin < 0);
        assert_true(decision_certificate(d)->verified);
        /* both sides of comfort: 0.5 K below the limit of 27 */
        memcpy(r.confirmed, r.prop, r.nu * sizeof(double));
        set_inlets(&r, 26.5);
        r.prop[0] = r.confirmed[0] = 18;
        assert_true(rig_action(rig_decide(&r))[0] == 18);
        set_inlets(&r, 26.51);
        assert_true(rig_action(rig_decide(&r))[0] == 17); /* the backup's ramp */
        rig_close(&r);
}

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

static void test_denormal_and_huge_are_ordinary_numbers(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.prop[0] = 5e-324;
        expect(rig_decide(&r), DECISION_PROJECT, DR_LIMIT);
        assert_true(rig_action(&r.s->decision)[0] == 16);
        r.prop[0] = 1e308;
        assert_int_equal(decision_kind(rig_decide(&r)), DECISION_PROJECT);
        assert_true(rig_action(&r.s->decision)[0] == 18.5);
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

/* Rows that no certified output depends on, and their variables, are left to limits and rates. */
static void test_uncertified_rows(void **state)
{
        struct rig r;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.env.ncert = 3; /* room 0 only */
        rig_create(&r);
        assert_int_equal(r.s->ngroup, 1);
        assert_true(r.s->u_group[0] == 0 && r.s->u_group[4] == SAFETY_NO_GROUP);
        for (size_t i = 3; i < 6; i++)
                NOW(r, i) = 60;
        r.y_ok[3] = COND_STALE;
        r.prop[0] = r.prop[4] = 18.5;
        act = rig_action(rig_decide(&r));
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(act[0] == 18.5 && act[4] == 18.5 && decision_certificate(&r.s->decision)->terminal);
        rig_close(&r);
}

/* Outputs that are watched for their trip only bound nothing: every certificate is empty, and so is its margin. */
static void test_nothing_certified(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        for (size_t i = 0; i < r.ninlet; i++)
                r.cert[i].hi = (double)NAN;
        rig_create(&r);
        set_inlets(&r, 31.9);
        r.prop[0] = 18.5;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(&r.s->decision)[0] == 18.5);
        assert_true(isnan(decision_certificate(&r.s->decision)->margin));
        assert_false(decision_certificate(&r.s->decision)->terminal);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, -1);
        rig_close(&r);
}

/* Less cooling than now must leave the reserve, also where it would be certified without. */
static void test_reserve(void **state)
{
        double margin = 0;

        (void)state;
        for (int k = 0; k < 3; k++) { /* none; what is left exactly; more */
                const bool reserve = k == 2;
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.env.reserve = k == 0 ? 0 : margin + (reserve ? 0.001 : 0);
                rig_create(&r);
                set_inlets(&r, 25);
                r.prop[1] = 0.76;
                (void)rig_decide(&r);
                margin = decision_certificate(&r.s->decision)->margin;
                expect(&r.s->decision, reserve ? DECISION_PROJECT : DECISION_ACCEPT,
                       reserve ? DR_WORST_CASE : DR_ACCEPTED);
                assert_true(near(rig_action(&r.s->decision)[1], 0.76) == !reserve);
                assert_true(margin >= r.env.reserve);
                r.prop[1] = 0.8; /* what it has needs none */
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                rig_close(&r);
        }
}

/* The terminal box is not given up once it was held, though along the horizon alone warmer would be certified. */
static void test_terminal_box_is_never_given_up(void **state)
{
        struct rig r;

        (void)state;
        for (int held = 0; held < 2; held++) {
                rig_open(&r, rig_default(), 1);
                r.env.horizon = 4; /* from 18.5 at 1 K a step: 16 at the last step, from 19.5 not */
                rig_create(&r);
                if (!held)
                        for (size_t j = 0; j < 8; j += 2)
                                r.confirmed[j] = r.prop[j] = 19.5;
                (void)rig_decide(&r);
                assert_int_equal(r.s->group[0].held, held);
                for (size_t j = 0; j < 8; j += 2) {
                        r.confirmed[j] = 19;
                        r.prop[j] = 19.5;
                }
                (void)rig_decide(&r);
                expect(&r.s->decision, held ? DECISION_PROJECT : DECISION_ACCEPT, held ? DR_WORST_CASE : DR_ACCEPTED);
                assert_int_equal(decision_certificate(&r.s->decision)->terminal, held);
                assert_true(held ? rig_action(&r.s->decision)[0] <= 19 : rig_action(&r.s->decision)[0] == 19.5);
                rig_close(&r);
        }
}

/* The rows' own and cross coefficients must be ≥ 0 for the box to be invariant: no terminal box where one may not be.
 */
static void test_terminal_box_needs_cooperative_rows(void **state)
{
        (void)state;
        for (int negative = 0; negative < 2; negative++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                for (size_t k = r.row_start[2]; k < r.row_start[3]; k++) {
                        if (r.term[k].src == ARX_SRC_D) {
                                r.term[k].sign = 0;
                                r.lo[k] = negative ? -1e-9 : 0;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && r.s->group[0].terminal == !negative);
                assert_true(r.s->group[1].terminal);
                rig_close(&r);
        }
}

/* One row that does not stay below its limit is enough, and takes the box from its own room only. */
static void test_terminal_box_of_the_worst_row(void **state)
{
        (void)state;
        for (size_t row = 0; row < 3; row++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.cert[row].hi = 25; /* 0.84 · 25 + 4.09 is more, 0.84 · 27 + 4.09 not */
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(!r.s->group[0].invariant && r.s->group[1].invariant);
                rig_close(&r);
        }
}

/* Supply air beyond its box on the cold side: no terminal box where colder air may warm a row. */
static void test_terminal_box_of_air_beyond_its_box(void **state)
{
        (void)state;
        for (int warms = 0; warms < 2; warms++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                for (size_t k = r.row_start[0]; k < r.row_start[1]; k++) {
                        if (r.term[k].src == ARX_SRC_U && r.term[k].index == 0) {
                                r.term[k].sign = 0;
                                r.lo[k] = warms ? -1e-9 : 0;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].terminal);
                r.confirmed[0] = r.prop[0] = 15;
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && r.s->group[0].terminal == !warms);
                assert_true(r.s->group[1].terminal);
                rig_close(&r);
        }
}

/* A variable of neither direction leaves its room without a terminal box; it is held, not ramped, by every backup. */
static void test_neutral_variable_in_a_room(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[0].safe_dir = 0;
        rig_create(&r);
        r.prop[0] = 18.2;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(!r.s->group[0].terminal && r.s->group[1].terminal);
        set_inlets(&r, 26.9); /* not comfortable, and room 0 can do nothing that would be enough */
        r.d_hi[0] = 2;
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[0] == 18 && rig_action(&r.s->decision)[2] == 17);
        assert_int_equal(decision_reason(&r.s->decision), DR_NOT_CERTIFIABLE);
        rig_close(&r);
}

/* Three lags: certified with the whole window, and the backup must have been in force for all of them at the end. */
static void test_three_lags(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.lags = 3;
        a.horizon = 5;
        rig_open(&r, a, 1);
        rig_create(&r);
        (void)rig_decide(&r); /* 18, 17, 16, 16, 16 */
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->terminal);
        r.env.horizon = 4;
        rig_create(&r);
        (void)rig_decide(&r);
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->terminal); /* 16, 16: enough of them */
        r.confirmed[0] = r.prop[0] = 18.1;
        rig_create(&r);
        (void)rig_decide(&r); /* 16.1 where the first of the last two is */
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_false(decision_certificate(&r.s->decision)->terminal);
        r.env.horizon = 2; /* shorter than the lags: no box at all */
        rig_create(&r);
        (void)rig_decide(&r);
        assert_false(r.s->group[1].terminal);
        rig_close(&r);
}

/* The worst disturbance stands behind every lag of the terminal box. */
static void test_terminal_box_of_lagged_disturbances(void **state)
{
        (void)state;
        for (int heavy = 0; heavy < 2; heavy++) {
                struct rig r;
                struct rig_args a = rig_default();

                a.lags = 3;
                rig_open(&r, a, 1);
                for (size_t k = 0; k < r.row_start[3]; k++)
                        if (r.term[k].src == ARX_SRC_D)
                                r.term[k].lag = 2;
                r.d_max[0] = heavy ? 5 : 1;
                rig_model(&r, false);
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].invariant == !heavy && r.s->group[1].invariant);
                rig_close(&r);
        }
}

/* A model without any disturbance. */
static void test_no_disturbances(void **state)
{
        struct rig r;
        double none = 0;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t k = 0; k < r.nterm; k++) {
                if (r.term[k].src == ARX_SRC_D) {
                        r.term[k].src = ARX_SRC_ONE;
                        r.term[k].index = 0;
                        r.lo[k] *= 0.6; /* the load it stood for */
                        r.hi[k] *= 0.6;
                }
        }
        r.nd = r.st.nd = r.env.nd = 0;
        r.env.d_max = NULL;
        rig_model(&r, false);
        rig_create(&r);
        r.prop[0] = 18.2;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->terminal && decision_certificate(&r.s->decision)->verified);
        assert_true(safety_check_load(r.s, &r.snap, &none));
        r.cert[0].hi = 22;
        r.cert[0].trip = 30;
        rig_create(&r);
        r.prop[0] = 18.5;
        expect(rig_decide(&r), DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        rig_close(&r);
}

/* Room 0 leans on the last unit: in its rows it stands in place of the fan of the first air handler, with that gain. */
static void open_unit_rig(struct rig *r, double noise, double gain, double nominal, double step)
{
        struct rig_args a = rig_default();

        a.w = noise;
        a.step = step;
        rig_open(r, a, 1);
        for (size_t k = 0; k < r->row_start[3]; k++) {
                if (r->term[k].src == ARX_SRC_U && r->term[k].index == 1) {
                        r->term[k].index = (uint16_t)(r->nu - 1);
                        r->lo[k] = -1.2 * gain;
                        r->hi[k] = -0.8 * gain;
                }
        }
        r->u[r->nu - 1].nominal = nominal;
        rig_model(r, false);
        rig_create(r);
        assert_int_equal(r->s->u_group[r->nu - 1], 0);
        r->snap.mono_s = -30;
}

static void set_unit(struct rig *r, double on)
{
        r->confirmed[r->nu - 1] = on;
        r->status[r->nu - 1] = on > 0;
}

/* A unit that a room leans on stops when the room stays certified without it, from the first step on. */
static void test_unit_of_a_room(void **state)
{
        (void)state;
        for (int hot = 0; hot < 2; hot++) {
                struct rig r;
                const struct safety_decision *d;
                size_t b;

                open_unit_rig(&r, 0.05, 1, 1, 0.1);
                b = r.nu - 1;
                r.d_hi[0] = hot ? 1.4 : 0.6; /* without it 30 °C in the end, or 23 */
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                assert_true(r.s->group[0].terminal); /* counts it as off: the box holds at the worst load of 1 */
                r.snap.mono_s = 4000;
                r.prop[b] = 0;
                d = rig_decide(&r);
                expect(d, hot ? DECISION_PROJECT : DECISION_ACCEPT, hot ? DR_WORST_CASE : DR_ACCEPTED);
                assert_true(rig_action(d)[b] == hot && decision_certificate(d)->fraction == !hot);
                assert_true(decision_certificate(d)->verified);
                r.prop[b] = 1; /* once off, a start is not counted on before it is seen */
                set_unit(&r, 0);
                (void)rig_decide(&r);
                r.snap.mono_s += 600;
                d = rig_decide(&r);
                assert_true(rig_action(d)[b] == 1 && r.s->group[0].certified == !hot);
                rig_close(&r);
        }
}

/* Nothing can be certified. Comfortable: the unit stays where the plant on its own has it as well, else it goes as
 * proposed; not comfortable: it stays, and one that is off starts as soon as it may. */
static void test_unit_where_nothing_is_certified(void **state)
{
        (void)state;
        for (int nominal = 0; nominal < 2; nominal++) {
                struct rig r;
                size_t b;

                open_unit_rig(&r, 2, 0.3, nominal, 0.1);
                b = r.nu - 1;
                set_unit(&r, 1);
                r.prop[b] = 1;
                (void)rig_decide(&r);
                r.snap.mono_s = 4000;
                r.prop[b] = 0;
                assert_true(rig_action(rig_decide(&r))[b] == nominal);
                expect(&r.s->decision, DECISION_PROJECT, DR_NOT_CERTIFIABLE);
                set_inlets(&r, 26.6);
                assert_true(rig_action(rig_decide(&r))[b] == 1);
                set_inlets(&r, 22);
                set_unit(&r, 0);
                (void)rig_decide(&r);
                assert_true(rig_action(rig_decide(&r))[b] == 0);
                set_inlets(&r, 26.6);
                assert_true(rig_action(rig_decide(&r))[b] == 0); /* seen off just now */
                r.snap.mono_s += 600;
                assert_true(rig_action(rig_decide(&r))[b] == 1);
                set_inlets(&r, 22);
                assert_true(rig_action(rig_decide(&r))[b] == 0); /* comfortable: nobody asked for it */
                r.prop[b] = 1;
                assert_true(rig_action(rig_decide(&r))[b] == 1);
                rig_close(&r);
        }
}

/* Only the backup is certified: a unit that may start does so where nothing short of the whole backup will do. */
static void test_unit_of_the_backup(void **state)
{
        double lo = 22, hi = 27;
        struct rig r;
        size_t b;

        (void)state;
        for (unsigned n = 0; n < 50; n++) { /* the hottest reading from where the backup still holds */
                double mid = 0.5 * (lo + hi);

                open_unit_rig(&r, 0.05, 0.3, 0, 0);
                set_unit(&r, 0);
                r.prop[r.nu - 1] = 0;
                r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 24;
                (void)rig_decide(&r);
                r.snap.mono_s += 600;
                NOW(r, 0) = n == 49 ? lo : mid;
                (void)rig_decide(&r);
                *(r.s->group[0].certified ? &lo : &hi) = mid;
                if (n < 49)
                        rig_close(&r);
        }
        b = r.nu - 1;
        assert_true(lo > 24 && r.s->group[0].certified && r.s->group[0].chained);
        assert_true(r.s->group[0].fraction == 0 && rig_action(&r.s->decision)[0] == 23);
        assert_true(rig_action(&r.s->decision)[b] == 1);
        NOW(r, 0) -= 0.1; /* part of the way is enough */
        (void)rig_decide(&r);
        assert_true(r.s->group[0].certified && r.s->group[0].fraction > 0 && r.s->group[0].fraction < 1);
        assert_true(rig_action(&r.s->decision)[0] > 23 && rig_action(&r.s->decision)[b] == 0);
        rig_close(&r);
}

/* Certified a step ago, not now, and comfortable: what the plant runs on its own is as good as before. */
static void test_nothing_certifiable_any_more(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(r.s->group[0].chained);
        r.d_hi[0] = 3;
        expect(rig_decide(&r), DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        assert_true(rig_action(&r.s->decision)[0] == 18 && near(rig_action(&r.s->decision)[1], 0.8));
        rig_close(&r);
}

/* A variable without a rate goes back by its ramp. */
static void test_retreat_without_a_rate(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.w = 2;
        rig_open(&r, a, 1);
        r.u[0].rate = 0;
        rig_create(&r);
        for (size_t j = 0; j < 4; j += 2)
                r.confirmed[j] = r.prop[j] = 21;
        expect(rig_decide(&r), DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        assert_true(rig_action(&r.s->decision)[0] == 20 && rig_action(&r.s->decision)[2] == 20.5);
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

/* Chilled water and who reads it: a room that does not has no say, one that does has. */
static void open_water_rig(struct rig *r)
{
        struct rig_args a = rig_default();

        a.sat_rows = true;
        rig_open(r, a, 1);
        for (size_t k = r->row_start[r->ninlet + 2]; k < r->nterm; k++)
                if (r->term[k].src == ARX_SRC_D)
                        r->term[k].index = 1; /* room 1 has its own */
        r->u[8].hi = 40;
        r->u[8].rate = 30;
        r->u[8].drives_d = SAFETY_DRIVES(2);
        r->u[9] = r->u[8]; /* a second loop that mixes into the same supply */
        rig_model(r, false);
        rig_settle(r, 22, 0.6);
        rig_create(r);
}

static void test_water_and_who_reads_it(void **state)
{
        struct rig r;

        (void)state;
        open_water_rig(&r);
        r.prop[8] = 12;
        r.y_ok[3] = COND_STALE; /* room 1 */
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[8] == 12);
        r.y_ok[3] = COND_TRUE;
        r.y_ok[0] = COND_STALE;
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        r.y_ok[0] = COND_TRUE;
        /* two loops, one colder, one warmer: each by itself */
        r.prop[9] = 7;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(&r.s->decision)[8] == 12 && rig_action(&r.s->decision)[9] == 7);
        r.prop[8] = 38;
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[8] == 8 && rig_action(&r.s->decision)[9] == 7);
        r.prop[0] = 20; /* what was cut before is named */
        expect(rig_decide(&r), DECISION_PROJECT, DR_RATE);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        rig_close(&r);
}

/* One row that reads it is enough. */
static void test_water_that_one_row_reads(void **state)
{
        (void)state;
        for (size_t row = 0; row < 3; row += 2) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                for (size_t k = r.row_start[row]; k < r.row_start[row + 1]; k++)
                        if (r.term[k].src == ARX_SRC_D) {
                                r.term[k].index = 2;
                                r.hi[k] = r.lo[k] = 0.01;
                        }
                r.u[8].drives_d = SAFETY_DRIVES(2);
                rig_model(&r, false);
                rig_create(&r);
                r.prop[8] = 9;
                assert_true(rig_action(rig_decide(&r))[8] == 9);
                r.y_ok[1] = COND_STALE;
                assert_true(rig_action(rig_decide(&r))[8] == 8);
                rig_close(&r);
        }
}

/* A row that reads another variable of the same number does not read it. */
static void test_water_and_namesakes(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.crahs = a.inlets = 1;
        rig_open(&r, a, 1); /* room 1 reads setpoint 2, and room 0 nothing of that number but the disturbance */
        for (size_t k = 0; k < r.row_start[1]; k++)
                if (r.term[k].src == ARX_SRC_D) {
                        r.term[k].index = 2;
                        r.lo[k] = 0;
                        r.hi[k] = 0.1;
                }
        r.u[4].rate = 6;
        r.u[4].drives_d = SAFETY_DRIVES(2);
        r.cert[0].hi = 24;
        rig_model(&r, false);
        rig_create(&r);
        r.prop[4] = 14;
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[4] == 8 && r.s->group[1].certified);
        r.d_hi[1] = 3; /* room 1 has no say */
        r.prop[4] = 8.5;
        (void)rig_decide(&r);
        assert_true(!r.s->group[1].certified && r.s->group[0].certified && rig_action(&r.s->decision)[4] == 8.5);
        rig_close(&r);
}

/* Back to what the plant runs on its own it may go without a certificate, as long as readings are comfortable. */
static void test_water_to_nominal(void **state)
{
        (void)state;
        for (int hot = 0; hot < 2; hot++) {
                struct rig r;

                open_water_rig(&r);
                r.confirmed[8] = 7;
                r.d_hi[0] = 3; /* nothing can be certified in room 0 */
                if (hot)
                        NOW(r, 0) = 26.6;
                r.prop[8] = 8;
                (void)rig_decide(&r);
                assert_false(r.s->group[0].certified);
                assert_true(rig_action(&r.s->decision)[8] == (hot ? 7 : 8));
                rig_close(&r);
        }
}

/* Warmer water must leave the reserve in every room that reads it. */
static void test_water_leaves_the_reserve(void **state)
{
        double margin = 0;

        (void)state;
        for (int k = 0; k < 3; k++) {
                const bool reserve = k == 2;
                struct rig r;

                open_water_rig(&r);
                r.env.reserve = k == 0 ? 0 : margin + (reserve ? 0.001 : 0);
                rig_create(&r);
                r.d_hi[2] = 8;
                r.prop[8] = 14;
                (void)rig_decide(&r);
                margin = r.s->group[0].margin;
                assert_true(margin > 0 && rig_action(&r.s->decision)[8] == (reserve ? 8 : 14));
                rig_close(&r);
        }
}

/* One disturbance only. */
static void test_one_disturbance(void **state)
{
        static const double d_hi[] = {0.6, 3}, d_max[] = {1, 5};
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.rooms = 1;
        rig_open(&r, a, 1);
        r.nd = r.st.nd = r.env.nd = 1;
        rig_model(&r, false);
        r.prop[0] = 18.2;
        for (int k = 0; k < 4; k++) {
                r.d_hi[0] = d_hi[k % 2];
                r.d_max[0] = d_max[k / 2];
                rig_create(&r);
                (void)rig_decide(&r);
                assert_int_equal(r.s->group[0].certified, k % 2 == 0);
                assert_int_equal(r.s->group[0].terminal, k == 0);
        }
        rig_close(&r);
}

/* What a certified row reads through rows that come before and after it belongs to it: a chain 0, 6, 1, 2. */
static void test_chain_of_rows(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        size_t to = 1;

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        r.env.ncert = 1;
        for (size_t i = 6; i > 0; i = i == 6 ? 1 : 0, to = 2)
                for (size_t k = r.row_start[i]; k < r.row_start[i + 1]; k++)
                        if (r.term[k].src == ARX_SRC_D) {
                                r.term[k].src = ARX_SRC_Y;
                                r.term[k].index = (uint16_t)to;
                                r.term[k].sum1 = 0;
                                r.hi[k] = 1e-3; /* hardly */
                                r.lo[k] = 0;
                        }
        for (size_t k = r.row_start[2]; k < r.row_start[3]; k++)
                if (r.term[k].src == ARX_SRC_U && r.term[k].index == 1)
                        r.term[k].index = 5; /* a fan of the other room blows there, and nowhere else that counts */
        rig_model(&r, false);
        rig_create(&r);
        assert_true(r.s->row_group[2] == 0 && r.s->row_group[3] == SAFETY_NO_GROUP);
        assert_true(r.s->u_group[5] == 0 && r.s->u_group[4] == SAFETY_NO_GROUP);
        r.prop[4] = 18.2;
        r.prop[5] = 0.75;
        r.y_ok[3] = COND_STALE;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        r.y_ok[2] = COND_STALE;
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 2);
        assert_true(near(rig_action(&r.s->decision)[5], 0.8) && near(rig_action(&r.s->decision)[4], 18.2));
        NOW(r, 0) = 40; /* the second checker knows the chain, too */
        rig_point(&r);
        verify_observe(r.s->verifier, &r.snap);
        assert_false(verify_action(r.s->verifier, &r.snap, r.prop));
        r.prop[5] = 0.8;
        assert_true(verify_action(r.s->verifier, &r.snap, r.prop));
        rig_close(&r);
}

/* What is left of a cut proposal is the nearest action that is certified: itself is, 1/64 of the way farther is not. */
static void test_nearest_certified_action(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        double f, near_by[2], farther[2];

        (void)state;
        a.step = 0;
        rig_open(&r, a, 1);
        rig_create(&r);
        r.s->projector.qp_size = 0; /* the bisection alone */
        set_inlets(&r, 25);
        r.d_hi[0] = 1.1;
        r.confirmed[0] = r.confirmed[2] = 20;
        r.prop[0] = 20.4;
        r.prop[2] = 20.2;
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        f = decision_certificate(&r.s->decision)->fraction;
        assert_true(f > 0.05 && f < 0.95);
        for (size_t k = 0; k < 2; k++) {
                double start = r.s->start[2 * k], end = r.s->end[2 * k];

                assert_true(start < end);
                near_by[k] = start + f * (end - start);
                farther[k] = start + (f + 1.0 / 64) * (end - start);
                assert_true(near(rig_action(&r.s->decision)[2 * k], near_by[k]));
        }
        for (int k = 0; k < 2; k++) {
                r.prop[0] = k ? farther[0] : near_by[0];
                r.prop[2] = k ? farther[1] : near_by[1];
                expect(rig_decide(&r), k ? DECISION_PROJECT : DECISION_ACCEPT, k ? DR_WORST_CASE : DR_ACCEPTED);
        }
        rig_close(&r);
}

/* The terminal box of a certified row ends at its limit, though from there one step leads below it. */
static void test_terminal_box_ends_at_the_limit(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.env.horizon = 1;
        for (size_t j = 0; j < 8; j += 2) {
                r.confirmed[j] = r.prop[j] = 16;
                r.confirmed[j + 1] = r.prop[j + 1] = 1;
        }
        for (int k = 0; k < 4; k++) {
                const double left_k = k % 2 ? -0.01 : 0.01;
                double y_c = 25;

                for (int n = 0; n < 20; n++) { /* a hundredth below the limit after one step, or above */
                        set_inlets(&r, 20);
                        NOW(r, k < 2 ? 0 : 2) = y_c; /* the first of the room, the last */
                        rig_create(&r);
                        (void)rig_decide(&r);
                        y_c += r.s->group[0].margin - left_k;
                }
                assert_true(fabs(r.s->group[0].margin - left_k) < 1e-6);
                assert_true(r.s->group[0].invariant && r.s->group[0].terminal == (left_k > 0));
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

/* The terminal box is computed for every room when what a room can do has changed, also for one that was decided before
 * the others. */
static void test_terminal_box_of_every_room_anew(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};

        (void)state;
        open_rig(&r);
        set_inlets(&r, 22);
        for (size_t i = 0; i < 3; i++)
                NOW(r, i) = 25;
        r.d_hi[0] = 1.1;
        r.confirmed[0] = r.confirmed[2] = 20;
        r.prop[0] = r.prop[2] = 20.4;
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE); /* room 0, in many steps; room 1 in one */
        assert_true(r.s->group[0].fraction < 1 && r.s->group[1].fraction == 1 && r.s->group[1].invariant);
        r.snap.u_fixed = fixed;
        memset(fixed + 4, 1, 4);
        r.confirmed[4] = r.confirmed[6] = 24;
        r.confirmed[5] = r.confirmed[7] = 0.3;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].invariant && !r.s->group[1].invariant);
        rig_close(&r);
}

/* What the plant has may stay without the reserve; once it may not, the way back to it asks for the reserve, too: what
 * stops right at the limit is over it with the next noise. */
static void test_reserve_on_the_way_back(void **state)
{
        static const double reserve[] = {0.2, 0.5}; /* the backup leaves 0.34 */

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct rig r;
                struct rig_args a = rig_default();
                double least = INFINITY;

                a.step = 0;
                rig_open(&r, a, 1);
                r.env.reserve = reserve[i];
                rig_create(&r);
                r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 23;
                (void)rig_decide(&r);
                assert_true(r.s->group[0].chained);
                NOW(r, 0) = 22;
                for (int n = 0; n < 500; n++) {
                        NOW(r, 0) += 0.02;
                        r.prop[0] = 23;
                        (void)rig_decide(&r); /* to where what it has is not certified any more */
                        if (r.s->group[0].fraction < 1)
                                break;
                        least = r.s->group[0].margin;
                }
                assert_true(least < 0.1); /* it stayed */
                r.prop[0] = 23.4;         /* less cooling is proposed */
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && rig_action(&r.s->decision)[0] < 23);
                if (i == 0) {
                        assert_true(r.s->group[0].fraction > 0 && r.s->group[0].fraction < 1);
                        assert_true(r.s->group[0].margin >= 0.2 && r.s->group[0].margin < 0.3);
                } else {
                        assert_true(r.s->group[0].fraction == 0);
                        assert_true(r.s->group[0].margin > 0.3 && r.s->group[0].margin < 0.5);
                }
                rig_close(&r);
        }
}

/* A fixed variable is a box of one point, on the grid or not: it lies in it, not beyond it. */
static void test_fixed_off_the_grid_is_not_beyond(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {1};

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t k = r.row_start[0]; k < r.row_start[1]; k++) {
                if (r.term[k].src == ARX_SRC_U && r.term[k].index == 0) {
                        r.term[k].sign = 0;
                        r.lo[k] = -1e-9; /* colder air may warm it: beyond its box it would have no terminal box */
                }
        }
        r.d_max[0] = 0.5;
        rig_model(&r, false);
        rig_create(&r);
        r.snap.u_fixed = fixed;
        r.confirmed[0] = r.prop[0] = 18.37;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].certified && r.s->group[0].terminal);
        rig_close(&r);
}

/* Rows that are not certified may be hotter than the limit of those that are, and the box is found all the same. */
static void test_terminal_box_of_hot_rows(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        for (size_t k = 0; k < r.nterm; k++) {
                if (k >= r.row_start[r.ninlet] && r.term[k].src == ARX_SRC_D) { /* up to 9 K of heat behind the coil */
                        r.term[k].sum1 = 0;
                        r.lo[k] = r.hi[k] = 0.75;
                } else if (r.term[k].src == ARX_SRC_U && r.term[k].index % 2 == 1) {
                        r.lo[k] = -2.8; /* strong fans */
                        r.hi[k] = -2.4;
                }
        }
        r.cert[0].hi = (double)NAN; /* nor need the first of them have one */
        rig_model(&r, false);
        rig_create(&r);
        (void)rig_decide(&r);
        assert_true(r.s->group[0].invariant && r.s->group[1].invariant);
        assert_true(r.s->box[r.ninlet] > 36 && r.s->box[1] == 27);
        rig_close(&r);
}

static void test_load_check_for_moves(void **state)
{
        struct rig r;
        double d[3] = {0.6, 0.6, 10};

        (void)state;
        open_rig(&r);
        assert_false(safety_check_load(r.s, &r.snap, d)); /* nothing decided yet */
        (void)rig_decide(&r);
        assert_true(safety_check_load(r.s, &r.snap, d));
        d[1] = 2.5; /* more than the backup can carry off */
        assert_false(safety_check_load(r.s, &r.snap, d));
        d[1] = (double)NAN;
        assert_false(safety_check_load(r.s, &r.snap, d));
        d[1] = 0.6;
        r.y_ok[0] = COND_STALE;
        (void)rig_decide(&r);
        assert_false(safety_check_load(r.s, &r.snap, d));
        rig_close(&r);
}

static void test_worst_case_outranks_rate(void **state)
{
        struct rig r;
        (void)state;
        open_rig(&r);
        set_inlets(&r, 25);
        r.d_hi[0] = 1.1;
        r.confirmed[0] = r.confirmed[2] = 20;
        r.prop[0] = r.prop[2] = 24; /* cut by the rate first, by the worst case further */
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[0] < 20.5);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        rig_close(&r);
}

/* A refit between calls is noticed: the certificate names the new set and the terminal box is computed anew. */
static void test_new_model_set(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        const struct safety_certificate *c;
        (void)state;
        rig_open(&r, a, 1);
        rig_create(&r);
        c = decision_certificate(rig_decide(&r));
        assert_true(c->terminal && c->model_hash == arx_hash(r.model));
        for (size_t k = 0; k < 200; k++) { /* plants change at every step: the noise bound must grow */
                double d[3] = {rng_uniform(&r.rng), rng_uniform(&r.rng), 10};
                struct arx_window before;
                double *wy = rig_alloc(RIG_HIST * r.ny, sizeof(double)),
                       *wu = rig_alloc(RIG_HIST * r.nu, sizeof(double)),
                       *wd = rig_alloc(RIG_HIST * r.nd, sizeof(double));
                for (size_t j = 0; j < r.nu; j++)
                        r.prop[j] = rng_range(&r.rng, r.u[j].lo, r.u[j].hi);
                memcpy(r.wu + (RIG_HIST - 1) * r.nu, r.prop, r.nu * sizeof(double));
                memcpy(r.wd + (RIG_HIST - 1) * r.nd, d, sizeof(d));
                memcpy(wy, r.wy, RIG_HIST * r.ny * sizeof(double));
                memcpy(wu, r.wu, RIG_HIST * r.nu * sizeof(double));
                memcpy(wd, r.wd, RIG_HIST * r.nd * sizeof(double));
                before = (struct arx_window){RIG_HIST, wy, wu, wd};
                r.a.w = 3;
                rig_advance(&r, r.prop, d, 0);
                (void)arx_add(r.model, &before, r.wy + (RIG_HIST - 1) * r.ny);
                free(wy);
                free(wu);
                free(wd);
        }
        assert_int_equal(arx_fit(r.model, 50), r.ny);
        rig_settle(&r, 22, 0.6);
        c = decision_certificate(rig_decide(&r));
        assert_true(c->model_hash == arx_hash(r.model));
        assert_false(c->terminal); /* noise of 3 K: the limit box is not invariant any more */
        rig_close(&r);
}

/* Terminal box: exists at d_max 1, not where the worst load exceeds what full cooling carries off. */
static void test_terminal_box(void **state)
{
        struct rig r;

        (void)state;
        for (unsigned sat = 0; sat < 2; sat++) {
                struct rig_args a = rig_default();

                a.sat_rows = sat > 0;
                rig_open(&r, a, 1);
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(decision_certificate(&r.s->decision)->terminal);
                r.env.horizon = 5; /* the ramp from 24 at 1 K a step does not end inside */
                rig_create(&r);
                for (size_t j = 0; j < 8; j += 2)
                        r.confirmed[j] = r.prop[j] = 24;
                set_inlets(&r, 20);
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                assert_false(decision_certificate(&r.s->decision)->terminal);
                r.env.horizon = 20;
                r.env.delta = 0; /* not given */
                r.d_max[0] = 5;
                rig_settle(&r, 22, 0.6);
                rig_create(&r);
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED); /* along the horizon, and it says so */
                assert_true(isnan(decision_certificate(&r.s->decision)->delta));
                assert_false(decision_certificate(&r.s->decision)->terminal);
                rig_close(&r);
        }
}

/* The box is invariant while 0.84·27 + 0.16·16 − 0.32 + 0.36 + 0.05 + 1.44 d ≤ 27, by hand from the rig's intervals. */
static void test_terminal_box_both_sides(void **state)
{
        static const double d_max[] = {1.1597, 1.1598};
        struct rig r;
        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t k = 0; k < 2; k++) {
                r.d_max[0] = d_max[k];
                rig_create(&r);
                (void)rig_decide(&r);
                assert_int_equal(decision_certificate(&r.s->decision)->terminal, k == 0);
        }
        rig_close(&r);
}

/* The second checker's word: an envelope copy that differs (bit flip in the filter's memory) is caught. */
static void test_second_checker_catches_a_corrupt_filter(void **state)
{
        struct rig r;
        struct safety_u *own;
        const struct safety_decision *d;

        (void)state;
        open_rig(&r);
        memcpy(&own, &r.s->own_u, sizeof(own)); /* the filter's copy, not the verifier's */
        own[0].rate = 3;
        r.prop[0] = 21;
        d = rig_decide(&r);
        assert_int_equal(decision_reason(d), DR_VERIFY);
        assert_false(decision_certificate(d)->verified || decision_certificate(d)->terminal);
        assert_true(isnan(decision_certificate(d)->margin) && decision_certificate(d)->fraction == 0);
        assert_true(rig_action(d)[0] == 16); /* the backup */
        own[0].rate = 0.5;
        own[0].lo = 10; /* and a backup outside the box: what is confirmed stays */
        r.prop[0] = 12;
        d = rig_decide(&r);
        assert_int_equal(decision_reason(d), DR_VERIFY);
        assert_memory_equal(rig_action(d), r.confirmed, r.nu * sizeof(double));
        rig_close(&r);
}

/* The backup that stands in for a refused action starts every unit that may be started. */
static void test_refused_action_starts_units(void **state)
{
        struct rig r;
        struct safety_u *own;

        (void)state;
        open_rig(&r);
        memcpy(&own, &r.s->own_u, sizeof(own));
        own[0].rate = 3;
        r.prop[0] = 21;
        r.confirmed[9] = r.prop[9] = r.status[9] = 0;
        (void)rig_decide(&r); /* at 30: seen off, for 600 s at least */
        r.snap.mono_s = 629.9 - 30;
        assert_int_equal(decision_reason(rig_decide(&r)), DR_VERIFY);
        assert_true(rig_action(&r.s->decision)[0] == 16 && rig_action(&r.s->decision)[9] == 0);
        assert_true(rig_action(&r.s->decision)[10] == 1);
        r.snap.mono_s = 0;
        r.snap.mono_s = 630 - 30;
        assert_int_equal(decision_reason(rig_decide(&r)), DR_VERIFY);
        assert_true(rig_action(&r.s->decision)[0] == 16 && rig_action(&r.s->decision)[9] == 1);
        rig_close(&r);
}

/* A device that cannot be moved keeps what it has in every kind of decision. */
static void test_fixed_variables_keep_their_value(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};
        const struct safety_decision *d;

        (void)state;
        open_rig(&r);
        r.snap.u_fixed = fixed;
        fixed[0] = fixed[3] = fixed[10] = 1;
        r.confirmed[0] = r.prop[0] = 18.37; /* not on the grid */
        r.confirmed[10] = 0;                /* a unit under local control, off */
        r.prop[0] = 16;
        r.prop[3] = 0.5;
        r.prop[2] = 17;
        d = rig_decide(&r);
        expect(d, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(d)[0] == 18.37 && rig_action(d)[3] == 0.8 && rig_action(d)[10] == 0);
        assert_true(rig_action(d)[2] == 17 && decision_certificate(d)->verified);
        r.snap.interlock = true; /* everything else goes to full cooling */
        d = rig_decide(&r);
        expect(d, DECISION_FALLBACK, DR_INTERLOCK);
        assert_true(rig_action(d)[0] == 18.37 && rig_action(d)[3] == 0.8 && rig_action(d)[10] == 0);
        assert_true(rig_action(d)[1] == 1 && rig_action(d)[2] == 16 && rig_action(d)[9] == 1);
        assert_true(decision_certificate(d)->verified);
        r.snap.mono_s += 3600; /* the unit could start by its timers */
        assert_true(rig_action(rig_decide(&r))[10] == 0);
        fixed[10] = 0;
        assert_true(rig_action(rig_decide(&r))[10] == 1);
        rig_close(&r);
}

/* What holds a room is the backup of the units that can still be moved. */
static void test_certificate_does_not_count_on_fixed_variables(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};
        double margin;

        (void)state;
        open_rig(&r);
        set_inlets(&r, 25);
        r.prop[1] = 0.76; /* less cooling in room 1 */
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        margin = decision_certificate(&r.s->decision)->margin;
        r.snap.u_fixed = fixed;
        fixed[2] = fixed[3] = 1;
        r.confirmed[2] = 26; /* beyond its box: there is no other value it could have */
        r.confirmed[3] = 0.3;
        (void)rig_decide(&r);
        assert_int_not_equal(decision_kind(&r.s->decision), DECISION_ACCEPT);
        assert_true(decision_certificate(&r.s->decision)->margin < margin);
        assert_true(rig_action(&r.s->decision)[2] == 26 && rig_action(&r.s->decision)[3] == 0.3);
        assert_false(r.s->group[0].terminal);
        assert_true(r.s->group[1].terminal);
        fixed[2] = fixed[3] = 0; /* released: the terminal box is back */
        r.confirmed[2] = 18;
        r.confirmed[3] = 0.8;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(r.s->group[0].terminal);
        rig_close(&r);
}

static void test_dead_band(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[0].dead_band = 0.25;
        rig_create(&r);
        r.prop[0] = 18.2;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(&r.s->decision)[0] == 18);
        r.prop[0] = 17.8;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(&r.s->decision)[0] == 18);
        r.prop[0] = 18.25; /* not smaller: made, as far as the grid has it */
        assert_true(near(rig_action(rig_decide(&r))[0], 18.2));
        r.prop[0] = 17.7;
        assert_true(near(rig_action(rig_decide(&r))[0], 17.7));
        r.confirmed[0] = 16.1; /* full cooling is not noise */
        r.snap.interlock = true;
        assert_true(rig_action(rig_decide(&r))[0] == 16);
        rig_close(&r);
}

/* Chilled water drives the supply air of both rooms: warmer only while both stay certified with it. */
static void test_water_is_certified_through_what_it_drives(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        double margin;

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        r.u[8].hi = 40;
        r.u[8].rate = 30;
        r.u[8].drives_d = SAFETY_DRIVES(2);
        rig_create(&r);
        r.prop[8] = 12;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(rig_action(&r.s->decision)[8] == 12);
        margin = decision_certificate(&r.s->decision)->margin;
        r.prop[8] = 9; /* not above what d_hi says anyway */
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->margin > margin);
        r.prop[8] = 38; /* no room survives this */
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 8);
        assert_true(decision_certificate(&r.s->decision)->verified);
        r.prop[8] = 36;
        r.confirmed[8] = 7; /* colder than the plant on its own: back to that, as long as readings are comfortable */
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        set_inlets(&r, 26.8);
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[8] == 7);
        rig_settle(&r, 22, 0.6);
        r.prop[8] = 12;
        r.y_ok[0] = COND_STALE; /* one room cannot be certified at all */
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        r.prop[8] = 7; /* colder passes */
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[8] == 7);
        r.u[8].drives_d = SAFETY_DRIVES(3);
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -EINVAL);
        r.u[8].drives_d = SAFETY_NO_D;
        r.u[0].drives_d = SAFETY_DRIVES(2); /* a setpoint the model reads itself cannot be decided before the rooms */
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -EINVAL);
        rig_close(&r);
}

static void test_strings(void **state)
{
        (void)state;
        for (int k = DECISION_ACCEPT; k <= DECISION_FALLBACK; k++)
                assert_string_not_equal(decision_kind_str((enum decision_kind)k), "unknown");
        for (int k = DR_ACCEPTED; k <= DR_WATER; k++) {
                for (int j = DR_ACCEPTED; j < k; j++)
                        assert_string_not_equal(decision_reason_str((enum decision_reason)k),
                                                decision_reason_str((enum decision_reason)j));
        }
        assert_string_equal(decision_reason_str(DR_WORST_CASE), "worst-case");
        assert_string_equal(decision_reason_str(DR_TRIP), "trip");
        assert_string_equal(decision_reason_str(DR_WATER), "water");
        assert_string_equal(decision_kind_str(DECISION_HOLD), "hold");
        assert_string_equal(decision_kind_str((enum decision_kind)9), "unknown");
        assert_string_equal(decision_reason_str((enum decision_reason)99), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_accepts_a_certified_proposal),
            cmocka_unit_test(test_cut_by_rate_names_the_variable),
            cmocka_unit_test(test_groups_do_not_punish_each_other),
            cmocka_unit_test(test_nothing_certifiable_stays_nominal_or_cools),
            cmocka_unit_test(test_trip_single_needs_persistence_two_agree),
            cmocka_unit_test(test_interlock_demands_full_cooling),
            cmocka_unit_test(test_ladder),
            cmocka_unit_test(test_unclean_step_restarts_recovery),
            cmocka_unit_test(test_denormal_and_huge_are_ordinary_numbers),
            cmocka_unit_test(test_bad_reading_blocks_warmer_in_its_group_only),
            cmocka_unit_test(test_many_bad_readings),
            cmocka_unit_test(test_total_loss_of_readings),
            cmocka_unit_test(test_a_dark_room),
            cmocka_unit_test(test_first_decision_without_a_proposal),
            cmocka_unit_test(test_share_of_bad_readings),
            cmocka_unit_test(test_hold_is_certified),
            cmocka_unit_test(test_fallback_trims_and_responds),
            cmocka_unit_test(test_unconfirmed_base_is_the_last_decision),
            cmocka_unit_test(test_load_check_for_moves),
            cmocka_unit_test(test_worst_case_outranks_rate),
            cmocka_unit_test(test_new_model_set),
            cmocka_unit_test(test_terminal_box),
            cmocka_unit_test(test_terminal_box_both_sides),
            cmocka_unit_test(test_second_checker_catches_a_corrupt_filter),
            cmocka_unit_test(test_fixed_variables_keep_their_value),
            cmocka_unit_test(test_certificate_does_not_count_on_fixed_variables),
            cmocka_unit_test(test_dead_band),
            cmocka_unit_test(test_water_is_certified_through_what_it_drives),
            cmocka_unit_test(test_what_counts_as_a_reading),
            cmocka_unit_test(test_no_proposal_at_all),
            cmocka_unit_test(test_no_read_back_and_no_status),
            cmocka_unit_test(test_fallback_of_trip_only_outputs),
            cmocka_unit_test(test_which_reading_is_named),
            cmocka_unit_test(test_uncertified_rows),
            cmocka_unit_test(test_nothing_certified),
            cmocka_unit_test(test_reserve),
            cmocka_unit_test(test_terminal_box_is_never_given_up),
            cmocka_unit_test(test_terminal_box_needs_cooperative_rows),
            cmocka_unit_test(test_terminal_box_of_air_beyond_its_box),
            cmocka_unit_test(test_neutral_variable_in_a_room),
            cmocka_unit_test(test_three_lags),
            cmocka_unit_test(test_no_disturbances),
            cmocka_unit_test(test_unit_of_a_room),
            cmocka_unit_test(test_unit_where_nothing_is_certified),
            cmocka_unit_test(test_unit_of_the_backup),
            cmocka_unit_test(test_nothing_certifiable_any_more),
            cmocka_unit_test(test_retreat_without_a_rate),
            cmocka_unit_test(test_not_certifiable_outranks_blind),
            cmocka_unit_test(test_water_and_who_reads_it),
            cmocka_unit_test(test_water_to_nominal),
            cmocka_unit_test(test_water_leaves_the_reserve),
            cmocka_unit_test(test_refused_action_starts_units),
            cmocka_unit_test(test_one_disturbance),
            cmocka_unit_test(test_chain_of_rows),
            cmocka_unit_test(test_nearest_certified_action),
            cmocka_unit_test(test_terminal_box_ends_at_the_limit),
            cmocka_unit_test(test_fallback_with_a_reading_missing),
            cmocka_unit_test(test_terminal_box_of_every_room_anew),
            cmocka_unit_test(test_reserve_on_the_way_back),
            cmocka_unit_test(test_fixed_off_the_grid_is_not_beyond),
            cmocka_unit_test(test_terminal_box_of_hot_rows),
            cmocka_unit_test(test_terminal_box_of_the_worst_row),
            cmocka_unit_test(test_water_that_one_row_reads),
            cmocka_unit_test(test_water_and_namesakes),
            cmocka_unit_test(test_trip_over_a_gap),
            cmocka_unit_test(test_terminal_box_of_lagged_disturbances),
            cmocka_unit_test(test_strings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
