/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Lift, freezing, dew point: both sides of every bound, in both checkers; and the envelope of all these. */
#include "tests/unit/test_safety_machines.h"

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
        pair = (struct safety_lift){A, W, min_k, max_k, 0};
        pairs[0] = (struct safety_lift){A, W, -(double)INFINITY, (double)INFINITY, 0};
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
        lift_of(&r, 9.5, 19, 9.5, 19);
        lift_of(&r, 10, 19, 9.5, 19); /* not against what may come later */
        lift_of(&r, 7, 15.5, 7, 16);
        assert_true(lift_ok(&r, 9.5, 17.5) && lift_ok(&r, 8, 16));
        assert_false(lift_ok(&r, 9.6, 19) || lift_ok(&r, 7, 15.9));
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
        lift_of(&r, 7, 18.5, 8, 18.5); /* nor that */
        lift_of(&r, 9.5, 21.5, 9.5, 21);
        assert_true(lift_ok(&r, 8, 20) && lift_ok(&r, 9, 21));
        assert_false(lift_ok(&r, 7.9, 20) || lift_ok(&r, 9, 21.5));
        r.snap.interlock = true; /* whoever asks */
        lift_of(&r, 9, 20, 8, 20);
        rig_close(&r);
}

/* ---- the greatest lift by load: 12 K at full load of machine B (100 kW), 8 K at none ---- */

static void open_surge(struct rig *r, double load_w)
{
        open_lift(r, -(double)INFINITY, 12, 9, 17); /* 8 K */
        pair.surge_less_k = 4;
        rig_create(r);
        r->snap.cooling_load_w = load_w;
}

static void test_lift_by_load(void **state)
{
        struct rig r;

        (void)state;
        open_surge(&r, 0);
        lift_of(&r, 9, 17, 9, 17); /* exactly 8 K */
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        lift_of(&r, 9, 17.5, 9, 17);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, A);
        lift_of(&r, 8.9, 17, 9, 17);
        assert_true(lift_ok(&r, 9, 17));
        assert_false(lift_ok(&r, 9, 17.5) || lift_ok(&r, 8.9, 17)); /* not a count of either */
        r.snap.cooling_load_w = 50e3;                               /* 10 K */
        lift_of(&r, 9, 19, 9, 19);
        lift_of(&r, 8.5, 19, 8.5, 18.5); /* condenser water first */
        lift_of(&r, 7, 17, 7, 17);
        assert_true(lift_ok(&r, 9, 19) && lift_ok(&r, 7, 17));
        assert_false(lift_ok(&r, 8.9, 19) || lift_ok(&r, 7, 17.5));
        r.snap.cooling_load_w = 75e3; /* 11 K */
        lift_of(&r, 8, 19, 8, 19);
        lift_of(&r, 7.9, 19, 7.9, 18.5);
        assert_true(lift_ok(&r, 8, 19));
        assert_false(lift_ok(&r, 7.9, 19));
        r.snap.cooling_load_w = 50e3;
        r.snap.interlock = true; /* whoever asks */
        r.confirmed[A] = 18;
        rig_point(&r);
        lift_of(&r, 9, 18, 8, 17); /* against what the plant has; the condenser water comes down to let more in */
        rig_close(&r);
}

/* What nobody knows narrows nothing: full load. */
static void test_lift_at_a_load_nobody_knows(void **state)
{
        static const double odd[] = {(double)NAN, -1e-9, -1e300, -(double)INFINITY, 100e3, 1e300, (double)INFINITY};
        struct rig r;

        (void)state;
        open_surge(&r, 0);
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                r.snap.cooling_load_w = odd[i];
                lift_of(&r, 7, 19, 7, 19); /* 12 K */
                assert_true(lift_ok(&r, 7, 19));
        }
        r.snap.cooling_load_w = 0;
        for (unsigned k = 0; k < 2; k++) { /* it stands; nobody hears it */
                r.status[B] = k ? 255 : 0;
                lift_of(&r, 7, 19, 7, 19);
                assert_true(lift_ok(&r, 7, 19));
        }
        r.status[B] = 1;
        r.snap.onoff_status = NULL; /* nor any machine */
        decide_again(&r);
        assert_true(rig_action(&r.s->decision)[W] == 7 && rig_action(&r.s->decision)[A] == 19);
        assert_true(lift_ok(&r, 7, 19));
        r.snap.onoff_status = r.status;
        assert_false(lift_ok(&r, 7, 19));
        rig_close(&r);
        open_surge(&r, 0);
        r.u[B].capacity_w = 0; /* its size is not known */
        rig_create(&r);
        lift_of(&r, 7, 19, 7, 19);
        assert_true(lift_ok(&r, 7, 19));
        r.snap.cooling_load_w = 1;
        lift_of(&r, 7, 19, 7, 19);
        rig_close(&r);
        open_surge(&r, 0);
        r.u[B].capacity_w = 1e308;
        pair.max_k = (double)INFINITY; /* less than any lift is any */
        rig_create(&r);
        lift_of(&r, 7, 19, 7, 19);
        assert_true(lift_ok(&r, 7, 19));
        rig_close(&r);
}

/* The load falls below what the lift is for: it stays, and gets no worse. */
static void test_lift_when_the_load_falls(void **state)
{
        struct rig r;

        (void)state;
        open_surge(&r, 100e3);
        r.confirmed[W] = r.prop[W] = 7;
        r.confirmed[A] = r.prop[A] = 18; /* 11 K */
        rig_point(&r);
        lift_of(&r, 7, 19, 7, 19);
        r.snap.cooling_load_w = 0;
        lift_of(&r, 7, 18, 7, 18);
        assert_int_equal(decision_reason(&r.s->decision), DR_ACCEPTED);
        lift_of(&r, 7, 18.5, 7, 18);
        lift_of(&r, 7, 16, 7, 16); /* back by its own rate, */
        lift_of(&r, 8, 18, 8, 18); /* or by the chilled water's */
        r.confirmed[W] = 8;
        rig_point(&r);
        lift_of(&r, 7, 18, 8, 18);
        assert_true(lift_ok(&r, 8, 18));
        assert_false(lift_ok(&r, 7, 18) || lift_ok(&r, 8, 19));
        rig_close(&r);
}

/* Machines in every place, of any size, heard or not, at any load: both checkers have the same bound. */
static void test_lift_by_load_of_both_checkers(void **state)
{
        struct rig r;
        uint64_t seed = rig_seed();

        (void)state;
        open_surge(&r, 0);
        r.u[0] = r.u[1] = r.u[B]; /* the first of the variables, too */
        r.u[0].max_flow_ramp_per_min = r.u[1].max_flow_ramp_per_min = 0;
        r.u[W].step = r.u[A].step = 0;
        r.u[W].rate = r.u[A].rate = 100;
        for (size_t k = 0; k < 2000; k++) {
                static const size_t machine[] = {0, 1, B};
                double bound, full_k;

                rng_seed(&r.rng, seed, k);
                pair.max_k = full_k = rng_range(&r.rng, 12, 20);
                pair.surge_less_k = rng_range(&r.rng, 0, 7);
                for (size_t i = 0; i < 3; i++) {
                        r.u[machine[i]].capacity_w = rng_below(&r.rng, 8) ? rng_range(&r.rng, 0, 100e3) : 0;
                        r.status[machine[i]] = rng_below(&r.rng, 4) ? 1 : rng_below(&r.rng, 2) ? 0 : 255;
                }
                rig_create(&r);
                r.confirmed[W] = 10;
                r.confirmed[A] = r.prop[A] = 12;
                r.snap.cooling_load_w = rng_below(&r.rng, 8) ? rng_range(&r.rng, 0, 250e3) : (double)NAN;
                rig_point(&r);
                bound = limits_greatest_lift(&r.env, &r.snap, &pair);
                assert_true(bound >= full_k - pair.surge_less_k && bound <= full_k);
                decide_again(&r);
                assert_true(lift_ok(&r, 10, 10 + bound - 1e-5));
                assert_false(lift_ok(&r, 10, 10 + bound + 1e-5));
        }
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
/* What the plant has may lie between two values of the register; the second checker sees it as it is. */
static void test_lift_off_the_grid(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, -(double)INFINITY, 10, 9, 17.5);
        r.confirmed[A] = 17.75;
        lift_of(&r, 7.6, 17.75, 7.8, 17.5);
        rig_close(&r);
        open_lift(&r, 8, (double)INFINITY, 9, 18);
        r.confirmed[W] = 8.95;
        lift_of(&r, 8.9, 16.5, 8.9, 17);
        lift_of(&r, 8.95, 18, 8.9, 18);
        rig_close(&r);
        /* the other one moves against what it may be: the worse of both, the value and the one that the register has */
        open_lift(&r, 8, (double)INFINITY, 9, 17.5);
        r.confirmed[A] = 17.75;
        lift_of(&r, 9.7, 19, 9.5, 19);
        rig_close(&r);
        open_lift(&r, -(double)INFINITY, 11.55, 9, 20);
        r.confirmed[W] = 8.95;
        lift_of(&r, 9.5, 20.5, 9.5, 20);
        rig_close(&r);
        open_lift(&r, 8.1, (double)INFINITY, 9, 18);
        r.confirmed[W] = 8.95;
        lift_of(&r, 8.5, 16, 8.5, 17.5);
        rig_close(&r);
        open_lift(&r, 8, (double)INFINITY, 9, 16.5); /* 7.55, less than may be: it stays */
        r.confirmed[W] = 8.95;
        lift_of(&r, 8.95, 16.5, 8.9, 16.5);
        rig_close(&r);
}

/* A count of a register is rounding only where the plant has something between two of them, and goes to one. */
static void test_lift_creeps_by_no_count(void **state)
{
        uint8_t fixed[16] = {0};
        struct rig r;

        (void)state;
        for (int high = 0; high < 2; high++) {
                const double way = high ? 1 : -1, lo = high ? -(double)INFINITY : 8, hi = high ? 8 : (double)INFINITY;

                open_lift(&r, lo, hi, 9, 17);
                r.snap.u_fixed = fixed;
                lift_of(&r, 9, 17, 9, 17); /* at its bound */
                assert_true(lift_ok(&r, 9, 17));
                assert_false(lift_ok(&r, 9, 17 + 0.5 * way) || lift_ok(&r, 9 - 0.1 * way, 17));
                r.confirmed[A] = r.prop[A] = 17 + 3 * way; /* beyond it, */
                rig_point(&r);
                lift_of(&r, 9, 17 + 3 * way, 9, 17 + 3 * way);
                assert_true(lift_ok(&r, 9, 17 + 3 * way));
                assert_false(lift_ok(&r, 9, 17 + 3.5 * way) || lift_ok(&r, 9 - 0.1 * way, 17 + 3 * way));
                r.confirmed[A] += 0.2; /* between two counts: to either, and no farther */
                rig_point(&r);
                decide_again(&r);
                assert_true(lift_ok(&r, 9, 17 + 3 * way) && lift_ok(&r, 9, 17.5 + 3 * way));
                assert_false(lift_ok(&r, 9, high ? 21 : 13.5) || lift_ok(&r, high ? 8.4 : 9.6, 17 + 3 * way));
                r.confirmed[A] -= 0.2 - 0.0004; /* read-back noise is none */
                rig_point(&r);
                decide_again(&r);
                assert_true(lift_ok(&r, 9, 17 + 3 * way));
                assert_false(lift_ok(&r, 9, 17 + 3.5 * way) || lift_ok(&r, 9 - 0.1 * way, 17 + 3 * way));
                r.confirmed[A] += 0.2 - 0.0004; /* it cannot be moved and stays there, for ever */
                fixed[A] = 1;
                rig_point(&r);
                decide_again(&r);
                assert_true(lift_ok(&r, 9, r.confirmed[A]));
                assert_false(lift_ok(&r, 9 - 0.1 * way, r.confirmed[A]));
                fixed[A] = 0;
                r.confirmed[A] = high ? 30.2 : 11.8; /* nor does it beyond its box */
                r.confirmed[W] = r.prop[W] = high ? 9 : 10;
                rig_point(&r);
                decide_again(&r);
                assert_true(lift_ok(&r, r.confirmed[W], r.confirmed[A]));
                assert_false(lift_ok(&r, r.confirmed[W] - 0.1 * way, r.confirmed[A]));
                rig_close(&r);
        }
}

/* Counts from an origin between whole steps; and of continuous setpoints, what a single-precision register makes of a
 * bound. */
static void test_lift_of_other_registers(void **state)
{
        struct rig r;

        (void)state;
        open_lift(&r, 8, (double)INFINITY, 9, 16.7);
        r.u[A].origin = 12.2;
        rig_create(&r);
        lift_of(&r, 9, 16.7, 9, 16.7); /* 7.7 K, on its grid */
        assert_true(lift_ok(&r, 9, 16.7));
        assert_false(lift_ok(&r, 9, 16.2) || lift_ok(&r, 9.1, 16.7));
        rig_close(&r);
        open_lift(&r, 22, (double)INFINITY, 9, 29);
        r.u[W].step = r.u[A].step = 0;
        rig_create(&r);
        r.confirmed[A] = 30 + 3e-6;
        rig_point(&r);
        lift_of(&r, 9, 30, 9, 30); /* 21 K and as much as is no change */
        assert_true(lift_ok(&r, 9, 30));
        assert_false(lift_ok(&r, 9 + 1e-5, 30) || lift_ok(&r, 9, 30 - 1e-5));
        rig_close(&r);
}

static void test_lifts_that_share(void **state)
{
        struct rig r;
        struct safety_lift two[2] = {{A, W, 9, (double)INFINITY, 0}, {A, B, -(double)INFINITY, 12, 0}};
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
                lift_of(&r, 12, 21, 10, 20);
                act = rig_action(&r.s->decision);
                assert_true(act[B] == 8);
                assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
                assert_false(lift_ok(&r, 11, 20) || lift_ok(&r, 10, 21));
                assert_true(lift_ok(&r, 10, 20));
                lift_of(&r, 12, 19.5, 10, 19.5); /* one of them alone */
        }
        rig_close(&r);
}

/* It says whether it moved something, why, and which variable if none was named before. */
static void test_lift_says_what_it_moved(void **state)
{
        static const struct safety_u u[2] = {
            {.lo = 12, .hi = 30, .step = 0.5, .rate = 2, .nominal = 20},
            {.safe_dir = -1, .lo = 7, .hi = 14, .step = 0.5, .rate = 2, .backup_rate = 1, .nominal = 9}};
        static const struct safety_lift p = {0, 1, 8, 12, 0};
        static const double base[2] = {20, 9};

        (void)state;
        for (int named = -1; named < 3; named++) {
                double act[2] = {20, 12}, warm[2] = {20, 12.5}, high[2] = {21.5, 9};
                enum decision_reason why = DR_RATE;
                int binding = named;

                assert_false(limits_lift(&p, u, base, act, &why, &binding));
                assert_true(act[0] == 20 && act[1] == 12 && why == DR_RATE && binding == named);
                assert_true(limits_lift(&p, u, base, warm, &why, &binding));
                assert_true(warm[0] == 20 && warm[1] == 12 && why == DR_EQUIPMENT);
                assert_int_equal(binding, named < 0 ? 1 : named);
                binding = named;
                assert_true(limits_lift(&p, u, base, high, &why, &binding));
                assert_true(high[0] == 21 && high[1] == 9);
                assert_int_equal(binding, named < 0 ? 0 : named);
        }
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
        lift_of(&r, 9, 16.5, 9, 16.5); /* 7.5 K, better than 6 */
        lift_of(&r, 9.5, 16.5, 9, 16.5);
        r.confirmed[A] = 24;
        lift_of(&r, 9, 24, 9, 24);
        lift_of(&r, 8.9, 24.5, 9, 24);
        lift_of(&r, 8, 22, 9, 22);
        lift_of(&r, 9, 22, 9, 22);
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

/* Taken over beyond the warm end of its box it comes back to the last value that the register has there. */
static void test_no_colder_water_from_beyond(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[W].hi = 13.8;
        rig_create(&r);
        r.snap.no_colder_water = true;
        r.confirmed[W] = r.prop[W] = 16;
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[W] == 13.5);
        assert_true(decision_certificate(&r.s->decision)->verified);
        assert_true(verdict(&r, W, 13.5));
        assert_false(verdict(&r, W, 13));
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
                r.u[B].min_flow_m3s = 0;
                r.u[B].max_flow_ramp_per_min = bad_flow[i];
                expect_bad(&r, "u.max_flow_ramp_per_min", B);
                r.u[B].max_flow_ramp_per_min = 0;
        }
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
        two[1].max_k = two[1].min_k; /* one lift only */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
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
        BAD_LIFT(surge_less_k, -1e-9, "lift.surge_less_k");
        BAD_LIFT(surge_less_k, (double)NAN, "lift.surge_less_k");
        BAD_LIFT(surge_less_k, (double)INFINITY, "lift.surge_less_k");
        BAD_LIFT(surge_less_k, 4.1, "lift.surge_less_k"); /* 12 − 8 */
        two[1].surge_less_k = 4;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
        two[1].min_k = -5;
        two[1].surge_less_k = 7; /* 12 − 5 */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
        two[1].surge_less_k = 7.1;
        expect_bad(&r, "lift.surge_less_k", 1);
        two[1].max_k = (double)INFINITY;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &index), 0);
        r.u[B] = r.u[W]; /* a setpoint behind the last variable is none */
        r.env.nu = B;
        BAD_LIFT(chw, B, "lift.chw");
        BAD_LIFT(cw, B, "lift.cw");
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
        pair = (struct safety_lift){0, W, -100, 100, 0};
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        pair = (struct safety_lift){A, W, 8, 12, 0};
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), 0);
        rig_close(&r);
        rig_open(&r, rig_default(), 1);
        r.u[1] = r.u[B];
        rig_create(&r);
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), 0);
        r.u[1].min_flow_m3s = 0.01;
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        r.u[1].min_flow_m3s = 0;
        r.u[1].max_flow_ramp_per_min = 0.1;
        assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -22);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_lift_minimum),
            cmocka_unit_test(test_lift_maximum),
            cmocka_unit_test(test_lift_by_load),
            cmocka_unit_test(test_lift_at_a_load_nobody_knows),
            cmocka_unit_test(test_lift_when_the_load_falls),
            cmocka_unit_test(test_lift_by_load_of_both_checkers),
            cmocka_unit_test(test_lift_beside_a_count),
            cmocka_unit_test(test_lift_off_the_grid),
            cmocka_unit_test(test_lift_creeps_by_no_count),
            cmocka_unit_test(test_lift_of_other_registers),
            cmocka_unit_test(test_lifts_that_share),
            cmocka_unit_test(test_lift_says_what_it_moved),
            cmocka_unit_test(test_lift_taken_over),
            cmocka_unit_test(test_lift_of_a_variable_that_is_fixed),
            cmocka_unit_test(test_no_colder_water),
            cmocka_unit_test(test_no_colder_water_from_beyond),
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
