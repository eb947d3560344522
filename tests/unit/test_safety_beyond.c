/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the plant has lies beyond the box of a variable: both sides of every bound, in the filter and in the second
 * checker, and what no decision may do, from any present value. */
#include "tests/unit/test_safety_common.h"

/* Variable 0: supply air, box 18 … 24, 0.5 K a step, 0.1 K resolution; variable 1: its fan, 0.3 … 0.9, 0.05 and 0.01.
 */
static void open_rig(struct rig *r, double noise)
{
        struct rig_args a = rig_default();

        a.w = noise; /* 2: nothing can be certified */
        rig_open(r, a, 1);
        r->u[0].lo = 18;
        r->u[1].hi = 0.9;
        rig_create(r);
}

static double decided(struct rig *r, size_t j)
{
        return rig_action(rig_decide(r))[j];
}

static void expect(struct rig *r, size_t j, double value, enum decision_kind kind, enum decision_reason reason)
{
        const struct safety_decision *d = rig_decide(r);

        if (fabs(rig_action(d)[j] - value) > 2e-6 || decision_kind(d) != kind || decision_reason(d) != reason)
                fail_msg("%.17g %s/%s, expected %g %s/%s", rig_action(d)[j], decision_kind_str(decision_kind(d)),
                         decision_reason_str(decision_reason(d)), value, decision_kind_str(kind),
                         decision_reason_str(reason));
        assert_true(decision_certificate(d)->verified);
        assert_int_equal(decision_in_box(d, j), value >= r->u[j].lo && value <= r->u[j].hi);
}

/* The case that was found: 14 °C under a box from 18, nothing certifiable. */
static void test_taken_over_far_beyond(void **state)
{
        (void)state;
        for (int certifiable = 0; certifiable < 2; certifiable++) {
                struct rig r;

                open_rig(&r, certifiable ? 0.05 : 2);
                r.confirmed[0] = 14;
                r.confirmed[1] = 1;
                r.prop[0] = 20;
                r.prop[1] = 0.6;
                expect(&r, 0, 14, DECISION_PROJECT, certifiable ? DR_LIMIT : DR_NOT_CERTIFIABLE);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
                assert_true(rig_action(&r.s->decision)[1] == 1 && !decision_in_box(&r.s->decision, 1));
                r.p.present = false;
                for (unsigned k = 0; k < r.env.hold_steps; k++)
                        expect(&r, 0, 14, DECISION_HOLD, DR_NO_PROPOSAL);
                expect(&r, 0, 14, DECISION_FALLBACK, DR_NO_PROPOSAL); /* trims toward 18, which is out of reach */
                r.snap.interlock = true;                              /* full cooling does not take any away */
                expect(&r, 0, 14, DECISION_FALLBACK, DR_INTERLOCK);
                expect(&r, 1, 1, DECISION_FALLBACK, DR_INTERLOCK);
                assert_true(rig_action(&r.s->decision)[2] == 16 && rig_action(&r.s->decision)[3] == 1);
                rig_close(&r);
        }
}

static void test_within_one_rate_of_the_box(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r, 0.05);
        r.confirmed[0] = 17.5; /* the box begins exactly one rate away */
        r.prop[0] = 20;
        expect(&r, 0, 18, DECISION_PROJECT, DR_RATE);
        r.prop[0] = 18;
        expect(&r, 0, 18, DECISION_ACCEPT, DR_ACCEPTED);
        r.prop[0] = 17.5; /* what it has is no change, though it lies outside */
        expect(&r, 0, 17.5, DECISION_ACCEPT, DR_ACCEPTED);
        r.prop[0] = 17; /* colder still is not permitted, nor is it a reason to enter the box */
        expect(&r, 0, 17.5, DECISION_PROJECT, DR_LIMIT);
        r.confirmed[0] = 17.49;
        r.prop[0] = 20;
        expect(&r, 0, 17.49, DECISION_PROJECT, DR_LIMIT);
        r.confirmed[0] = 17.8;
        expect(&r, 0, 18.3, DECISION_PROJECT, DR_RATE);
        r.snap.interlock = true; /* full cooling is where it is */
        expect(&r, 0, 17.8, DECISION_FALLBACK, DR_INTERLOCK);
        r.confirmed[1] = 0.94;
        expect(&r, 1, 0.94, DECISION_FALLBACK, DR_INTERLOCK);
        r.confirmed[1] = 0.5; /* from inside: the end of the box */
        expect(&r, 1, 0.9, DECISION_FALLBACK, DR_INTERLOCK);
        rig_close(&r);
        open_rig(&r, 0.05);
        r.confirmed[1] = 0.95;
        r.prop[1] = 0.7;
        expect(&r, 1, 0.9, DECISION_PROJECT, DR_RATE);
        r.confirmed[1] = 0.951;
        expect(&r, 1, 0.951, DECISION_PROJECT, DR_LIMIT);
        rig_close(&r);
}

/* Entering is less cooling: only with a certificate, or toward what the plant runs on its own. */
static void test_entering_is_certified(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r, 2);
        r.confirmed[0] = 17.7;
        r.prop[0] = 18.2;
        expect(&r, 0, 18, DECISION_PROJECT, DR_NOT_CERTIFIABLE); /* nominal is 18 */
        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                r.wy[i] = 26.6; /* not comfortable: the backup, which is to stay */
        expect(&r, 0, 17.7, DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        rig_close(&r);
}

/* From the other side the box is more cooling. */
static void test_from_the_warm_side_at_once(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r, 0.05);
        r.confirmed[0] = r.prop[0] = 29;
        r.confirmed[1] = r.prop[1] = 0.1;
        expect(&r, 0, 24, DECISION_PROJECT, DR_LIMIT);
        assert_true(rig_action(&r.s->decision)[1] == 0.3);
        r.prop[0] = 21;
        assert_true(decided(&r, 0) == 21);
        r.p.present = false;
        r.confirmed[0] = 24.1;
        assert_true(decided(&r, 0) <= 24);
        rig_close(&r);
}

static void test_slow_and_water(void **state)
{
        struct rig r;
        size_t w;

        (void)state;
        open_rig(&r, 0.05);
        w = r.nu - 3; /* chilled water 7 … 14, 1 K, 0.5 K resolution, slow */
        r.confirmed[w] = 6;
        r.prop[w] = 8;
        r.snap.slow_step = false;
        expect(&r, w, 6, DECISION_PROJECT, DR_SLOW_STEP);
        r.snap.slow_step = r.snap.no_warmer_water = true;
        expect(&r, w, 6, DECISION_PROJECT, DR_WATER);
        r.snap.no_warmer_water = false;
        expect(&r, w, 7, DECISION_PROJECT, DR_RATE);
        r.confirmed[w] = 5.5;
        expect(&r, w, 5.5, DECISION_PROJECT, DR_LIMIT);
        rig_close(&r);
}

static void test_neutral_variable_from_both_sides(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[0].safe_dir = 0;
        r.u[0].lo = 18;
        rig_create(&r);
        r.prop[0] = 20;
        r.confirmed[0] = 17.4;
        assert_true(decided(&r, 0) == 17.4);
        r.confirmed[0] = 17.6;
        assert_true(fabs(decided(&r, 0) - 18.1) < 1e-9);
        r.confirmed[0] = 24.5;
        assert_true(decided(&r, 0) == 24);
        r.confirmed[0] = 24.6;
        assert_true(decided(&r, 0) == 24.6);
        r.prop[0] = 17; /* on the other side of the box: enters it, no further than the rate */
        r.confirmed[0] = 24.3;
        assert_true(fabs(decided(&r, 0) - 23.8) < 1e-9);
        r.snap.interlock = true;
        r.confirmed[0] = 30;
        assert_true(decided(&r, 0) == 30);
        rig_close(&r);
}

/* Bounds off the grid: the box ends with the last value the register has. */
static void test_box_off_the_grid(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[0].lo = r.u[0].nominal = 18.05;
        r.u[1].hi = r.u[1].nominal = 0.57; /* 57 · 0.01 is a rounding more than 0.57 */
        rig_create(&r);
        r.confirmed[0] = 17.6; /* 18.1 is one rate away */
        r.prop[0] = 18.2;
        r.confirmed[1] = r.prop[1] = 0.5;
        expect(&r, 0, 18.1, DECISION_PROJECT, DR_RATE);
        r.confirmed[0] = 17.5;
        expect(&r, 0, 17.5, DECISION_PROJECT, DR_LIMIT);
        r.confirmed[0] = r.prop[0] = 18.07; /* what neither side may write stays as well */
        expect(&r, 0, 18.07, DECISION_ACCEPT, DR_ACCEPTED);
        r.snap.interlock = true;
        expect(&r, 1, 0.57, DECISION_FALLBACK, DR_INTERLOCK);
        r.confirmed[1] = 0.57;
        expect(&r, 1, 0.57, DECISION_FALLBACK, DR_INTERLOCK);
        rig_close(&r);
}

/* A register of single precision shows the bound a rounding beside it: that is the bound, on either side. */
static void test_rounding_of_a_register_is_no_distance(void **state)
{
        (void)state;
        for (unsigned n = 0; n < 4; n++) {
                struct rig r;
                uint8_t fixed[16];
                size_t w;

                open_rig(&r, 0.05);
                w = r.nu - 3; /* slow */
                for (size_t j = 0; j < r.nu - 2; j++) {
                        double at = (r.u[j].safe_dir > 0) == (n < 2) ? r.u[j].hi : r.u[j].lo;

                        r.u[j].step = 0;
                        r.u[j].dead_band = 0.01;
                        r.confirmed[j] = r.prop[j] = at * (n % 2 ? 1 + 6e-8 : 1 - 6e-8);
                }
                for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                        r.wy[i] = 18;
                r.d_hi[0] = r.d_hi[1] = r.d_max[0] = r.d_max[1] = 0.3;
                rig_create(&r);
                r.snap.slow_step = false;
                expect(&r, w, n < 2 ? 7 : 14, DECISION_ACCEPT, DR_ACCEPTED);
                assert_true(decision_certificate(&r.s->decision)->terminal);
                for (size_t j = 0; j < r.nu - 2; j++)
                        assert_true(decision_in_box(&r.s->decision, j));
                memset(fixed, 1, sizeof(fixed)); /* what cannot be moved has what it shows */
                r.snap.u_fixed = fixed;
                (void)rig_decide(&r);
                assert_memory_equal(rig_action(&r.s->decision), r.confirmed, r.nu * sizeof(double));
                assert_true(decision_certificate(&r.s->decision)->verified);
                rig_close(&r);
        }
}

/* Bounds off the grid, and a value between such a bound and the first of the grid proposed from beyond: in the box and
 * within one rate, yet rounding toward more cooling leads back to where it is. That is not the proposal. */
static void test_proposed_between_bound_and_grid(void **state)
{
        struct rig r;
        const struct safety_decision *d;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[2].lo = 16.2;
        r.u[2].step = 0.5; /* 16.5 is the first */
        r.u[2].rate = 2;
        rig_create(&r);
        r.confirmed[2] = 14.6;
        r.prop[2] = 16.3;
        d = rig_decide(&r);
        assert_true(rig_action(d)[2] == 14.6);
        assert_int_equal(decision_kind(d), DECISION_PROJECT);
        assert_int_equal(decision_reason(d), DR_LIMIT);
        assert_int_equal(decision_certificate(d)->binding_u, 2);
        r.prop[2] = 16.5;
        d = rig_decide(&r);
        assert_true(rig_action(d)[2] == 16.5);
        assert_int_equal(decision_kind(d), DECISION_ACCEPT);
        r.prop[2] = 16.3;
        r.confirmed[2] = 16.1; /* rounded by less than one step: the proposal as far as the register has it */
        d = rig_decide(&r);
        assert_true(rig_action(d)[2] == 16.1);
        assert_int_equal(decision_kind(d), DECISION_ACCEPT);
        rig_close(&r);
}

/* The worst case counts the variable where it is; the terminal set only where more cooling never warms. */
static void test_counted_where_it_is(void **state)
{
        struct rig r;
        double margin = (double)NAN;

        (void)state;
        open_rig(&r, 0.05);
        r.d_max[0] = 0.9;
        r.u[2].lo = 18; /* both air handlers of the room: their worst is what 18 °C can carry off */
        rig_create(&r);
        r.prop[0] = r.prop[2] = 18;
        for (int n = 0; n < 140 && !(margin < 0); n++) { /* to the first load that it cannot */
                r.d_hi[0] = 0.6 + 0.01 * n;
                rig_create(&r);
                (void)rig_decide(&r);
                margin = r.s->group[0].margin;
        }
        assert_true(margin < 0 && !r.s->group[0].certified);
        r.confirmed[0] = r.confirmed[2] = 12; /* colder: certified, and where it stays says by how much */
        r.prop[0] = r.prop[2] = 20;
        rig_create(&r);
        (void)rig_decide(&r);
        assert_true(r.s->group[0].certified && r.s->group[0].margin > margin + 1 && r.s->group[0].terminal);
        assert_true(rig_action(&r.s->decision)[0] == 12);
        /* a fan beyond its box has no terminal set where more of it might warm a row */
        rig_settle(&r, 22, 0.6);
        r.confirmed[1] = r.prop[1] = 1;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].certified && r.s->group[0].terminal);
        rig_close(&r);
        open_rig(&r, 0.05);
        r.d_max[0] = 0.5;
        for (size_t k = 0; k < r.nterm; k++)
                if (r.term[k].src == ARX_SRC_U && r.term[k].index == 1) {
                        r.term[k].sign = 0;
                        r.hi[k] = 0.01;
                }
        rig_model(&r, false);
        rig_create(&r);
        (void)rig_decide(&r);
        assert_true(r.s->group[0].terminal);
        r.confirmed[1] = r.prop[1] = 1;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].certified && !r.s->group[0].terminal && r.s->group[1].terminal);
        r.confirmed[1] = r.prop[1] = 0.9;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].terminal);
        rig_close(&r);
}

static bool judge(struct rig *r, size_t j, double value)
{
        double act[64];

        memcpy(act, r->confirmed, r->nu * sizeof(double));
        act[j] = value;
        rig_point(r);
        verify_observe(r->s->verifier, &r->snap);
        return verify_action(r->s->verifier, &r->snap, act);
}

static void test_second_checker(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r, 0.05);
        r.confirmed[0] = 17.5;
        assert_true(judge(&r, 0, 17.5) && judge(&r, 0, 18));
        assert_false(judge(&r, 0, 18.1) || judge(&r, 0, 17.6) || judge(&r, 0, 17.4) || judge(&r, 0, 17));
        r.confirmed[0] = 17.4;
        assert_true(judge(&r, 0, 17.4));
        assert_false(judge(&r, 0, 18));
        r.confirmed[0] = 14;
        assert_true(judge(&r, 0, 14));
        assert_false(judge(&r, 0, 18));
        r.confirmed[0] = 29;
        assert_true(judge(&r, 0, 24) && judge(&r, 0, 18));
        assert_false(judge(&r, 0, 29) || judge(&r, 0, 28.5) || judge(&r, 0, 17.9));
        r.confirmed[0] = 18;
        r.confirmed[1] = 0.94;
        assert_true(judge(&r, 1, 0.94) && judge(&r, 1, 0.9) && judge(&r, 1, 0.89));
        assert_false(judge(&r, 1, 0.88) || judge(&r, 1, 0.93) || judge(&r, 1, 0.95));
        r.confirmed[1] = 0.96;
        assert_true(judge(&r, 1, 0.96));
        assert_false(judge(&r, 1, 0.9));
        r.confirmed[1] = 0.2;
        assert_true(judge(&r, 1, 0.3));
        assert_false(judge(&r, 1, 0.2));
        /* over its limit: entering the box is less cooling, even toward what the plant runs on its own */
        r.confirmed[1] = 0.8;
        r.confirmed[0] = 17.8;
        for (size_t k = 0; k < RIG_HIST; k++)
                r.wy[k * r.ny] = 40;
        assert_true(judge(&r, 0, 17.8));
        assert_false(judge(&r, 0, 18) || judge(&r, 0, 18.1));
        r.confirmed[0] = 23.9; /* at the warm end one step is a step */
        assert_false(judge(&r, 0, 24));
        rig_close(&r);
}

/* Where neither way is more cooling both sides of the box are beyond it: there it may stay, or enter within one rate.
 */
static void test_second_checker_of_no_direction(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[0].safe_dir = 0;
        r.u[0].lo = 18;
        rig_create(&r);
        r.confirmed[0] = 17.4;
        assert_true(judge(&r, 0, 17.4));
        assert_false(judge(&r, 0, 17.5) || judge(&r, 0, 17.3) || judge(&r, 0, 18));
        r.confirmed[0] = 17.5;
        assert_true(judge(&r, 0, 17.5) && judge(&r, 0, 18));
        assert_false(judge(&r, 0, 18.1));
        r.confirmed[0] = 24.6;
        assert_true(judge(&r, 0, 24.6));
        assert_false(judge(&r, 0, 24.5) || judge(&r, 0, 24.7) || judge(&r, 0, 24));
        r.confirmed[0] = 24.5;
        assert_true(judge(&r, 0, 24.5) && judge(&r, 0, 24));
        assert_false(judge(&r, 0, 23.9));
        rig_close(&r);
}

/* What the plant has lies below the box, and the lift forbids its first value by less than rounding tells: one count
 * back is no value, the setpoint stays. */
static void test_lift_leaves_it_beyond(void **state)
{
        const struct safety_u u[] = {
            {.lo = 14, .hi = 30, .step = 0.6, .origin = 0.51, .rate = 2, .nominal = 20},
            {.safe_dir = -1, .lo = 7, .hi = 14, .step = 0.5, .rate = 1, .backup_rate = 0.5, .nominal = 8}};
        /* 14.3096 at most, which reads as the first value inside; the register has 13.71 and 14.31 */
        const struct safety_lift pair = {0, 1, 0, 6.3096, 0};
        const double base[] = {13.02, 8};
        double act[] = {14.31, 8};
        enum decision_reason why = DR_ACCEPTED;
        int binding = -1;

        (void)state;
        assert_true(limits_lift(&pair, u, base, act, &why, &binding));
        assert_true(act[0] == 13.02 && act[1] == 8 && why == DR_EQUIPMENT && binding == 0);
        assert_false(limits_lift(&pair, u, base, act, &why, &binding));
}

/* A clock that went back makes starts of before no younger than now; a restart then does not forget them. */
static void test_starts_of_a_clock_that_went_back_are_kept(void **state)
{
        static const double at_s[] = {2630, 5599, 5601};
        double buf[1 + 16 * SAFETY_STATE_PER_U];
        struct rig r;
        size_t unit, n;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        unit = r.nu - 1;
        r.confirmed[unit] = r.status[unit] = 0;
        r.snap.mono_s = 5000;
        (void)rig_decide(&r);
        r.confirmed[unit] = r.status[unit] = 1; /* the third start of this hour, with two that may have been */
        (void)rig_decide(&r);
        r.snap.mono_s = 2000 - 30;
        (void)rig_decide(&r);
        n = safety_state_save(r.s, 2000, buf, sizeof buf / sizeof buf[0]);
        rig_create(&r);
        safety_state_restore(r.s, 2000, 0, buf, n);
        r.confirmed[unit] = r.status[unit] = 0; /* it stops by itself */
        r.prop[unit] = 1;
        (void)rig_decide(&r);
        for (size_t k = 0; k < 3; k++) {
                r.snap.mono_s = at_s[k] - 30;
                assert_true(rig_action(rig_decide(&r))[unit] == (k == 2));
                assert_true(decision_certificate(&r.s->decision)->verified);
        }
        rig_close(&r);
}

/* What is no number is not read, whatever is said of it: a soft floor gives way to full cooling there. */
static void test_no_number_is_not_cool(void **state)
{
        static const double y[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 20};
        double floor[16], act[16];
        struct rig r;

        (void)state;
        open_rig(&r, 0.05);
        assert_true(r.nu <= 16);
        for (size_t j = 0; j < r.nu; j++)
                floor[j] = j == 0 ? 20 : (double)NAN;
        r.snap.u_floor = floor;
        r.confirmed[0] = 21;
        rig_point(&r);
        verify_observe(r.s->verifier, &r.snap);
        memcpy(act, r.confirmed, r.nu * sizeof(double));
        act[0] = 18;
        for (size_t k = 0; k < 4; k++) {
                r.wy[(RIG_HIST - 1) * r.ny + 1] = y[k];
                assert_int_equal(verify_action(r.s->verifier, &r.snap, act), k < 3);
        }
        rig_close(&r);
}

/* A HOLD stays a HOLD with its reason, whatever the certificate makes of it. */
static void test_hold_keeps_its_name(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r, 2);
        r.confirmed[0] = 20; /* warmer than the plant on its own, and nothing can be certified: it goes back */
        r.p.present = false;
        expect(&r, 0, 19.5, DECISION_HOLD, DR_NO_PROPOSAL);
        r.p = (struct safety_proposal){.present = true, .malformed = true};
        expect(&r, 0, 19.5, DECISION_HOLD, DR_MALFORMED);
        rig_close(&r);
}

/* From any present value, in a box or beyond it, whatever is asked for and whatever state the ladder is in: nothing
 * moves toward less cooling by more than one rate, and nothing outside the box is written. */
static void test_from_anywhere(void **state)
{
        size_t left = rig_env("COOLPLANE_HOSTILE", 20000), stayed = 0, entered = 0, held = 0;
        uint64_t seed = rig_seed();
        struct rng rng;

        (void)state;
        rng_seed(&rng, seed, 3);
        while (left > 0) {
                struct rig_args a = rig_default();
                struct rig r;

                a.crahs = 1 + rng_below(&rng, 2);
                a.inlets = 1;
                a.horizon = 4;
                a.w = rng_below(&rng, 2) ? 2 : 0.05;
                a.sat_rows = rng_below(&rng, 4) == 0;
                a.step = rng_below(&rng, 3) ? 0.1 : 0;
                rig_open(&r, a, seed + left);
                for (size_t j = 0; j < r.nu; j++)
                        if (r.u[j].kind == SAFETY_U_CONTINUOUS && rng_below(&rng, 8) == 0)
                                r.u[j].safe_dir = 0;
                rig_create(&r);
                for (size_t k = 0; k < 20 && left > 0; k++, left--) {
                        const struct safety_decision *d;
                        double y_c = rng_range(&rng, 18, 34);

                        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                                r.wy[i] = y_c;
                        for (size_t i = 0; i < r.ny; i++)
                                r.y_ok[i] = rng_below(&rng, 10) ? COND_TRUE : COND_STALE;
                        for (size_t j = 0; j < r.nu; j++) {
                                double span = r.u[j].hi - r.u[j].lo;

                                if (r.u[j].kind != SAFETY_U_CONTINUOUS)
                                        continue;
                                r.prop[j] = rng_range(&rng, r.u[j].lo - span, r.u[j].hi + span);
                                r.confirmed[j] =
                                    rng_below(&rng, 3)   ? rng_range(&rng, r.u[j].lo - span, r.u[j].hi + span)
                                    : rng_below(&rng, 2) ? rng_range(&rng, r.u[j].lo - r.u[j].rate, r.u[j].lo)
                                                         : rng_range(&rng, r.u[j].hi, r.u[j].hi + r.u[j].rate);
                        }
                        r.p.present = rng_below(&rng, 3) > 0;
                        r.snap.interlock = rng_below(&rng, 8) == 0;
                        r.snap.slow_step = rng_below(&rng, 2);
                        r.snap.no_warmer_water = rng_below(&rng, 4) == 0;
                        d = rig_decide(&r);
                        held += decision_kind(d) == DECISION_HOLD;
                        if (!r.p.present && decision_kind(d) < DECISION_HOLD)
                                fail_msg("%s without a proposal", decision_kind_str(decision_kind(d)));
                        for (size_t j = 0; j < r.nu; j++) {
                                const struct safety_u *u = &r.u[j];
                                double v = rig_action(d)[j], was = r.confirmed[j];
                                bool outside = u->kind == SAFETY_U_CONTINUOUS && beyond_box(u, was);

                                if (!value_legal(u, v, was))
                                        fail_msg("variable %zu: %.17g from %.17g in [%g, %g] rate %g dir %d: %s %s", j,
                                                 v, was, u->lo, u->hi, u->rate, u->safe_dir,
                                                 decision_kind_str(decision_kind(d)),
                                                 decision_reason_str(decision_reason(d)));
                                if (!decision_in_box(d, j))
                                        assert_true(v == was && outside);
                                /* full cooling leaves it, but for read-back noise at the bound */
                                if (outside && u->safe_dir != 0 &&
                                    (decision_reason(d) == DR_INTERLOCK || decision_reason(d) == DR_TRIP))
                                        assert_true(fabs(v - was) <= 2e-3 * u->step + 1e-7 * (1 + fabs(was)));
                                stayed += outside && v == was;
                                entered += outside && v != was;
                        }
                }
                rig_close(&r);
        }
        printf("%zu stayed beyond the box, %zu entered it, %zu holds\n", stayed, entered, held);
        assert_true(stayed > 100 && entered > 100 && held > 10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_taken_over_far_beyond),
            cmocka_unit_test(test_within_one_rate_of_the_box),
            cmocka_unit_test(test_entering_is_certified),
            cmocka_unit_test(test_from_the_warm_side_at_once),
            cmocka_unit_test(test_slow_and_water),
            cmocka_unit_test(test_neutral_variable_from_both_sides),
            cmocka_unit_test(test_box_off_the_grid),
            cmocka_unit_test(test_proposed_between_bound_and_grid),
            cmocka_unit_test(test_counted_where_it_is),
            cmocka_unit_test(test_rounding_of_a_register_is_no_distance),
            cmocka_unit_test(test_second_checker),
            cmocka_unit_test(test_second_checker_of_no_direction),
            cmocka_unit_test(test_lift_leaves_it_beyond),
            cmocka_unit_test(test_starts_of_a_clock_that_went_back_are_kept),
            cmocka_unit_test(test_no_number_is_not_cool),
            cmocka_unit_test(test_hold_keeps_its_name),
            cmocka_unit_test(test_from_anywhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
