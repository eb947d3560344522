/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rows of the model, whatever they read, and the terminal box. */
#include "tests/unit/test_safety_filter.h"

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

/* The same where it is the first of the rows, or the first room and its variables, that no certified output depends on.
 */
static void test_first_row_not_certified(void **state)
{
        struct rig r;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t i = 0; i < 5; i++)
                r.cert[i].row = i + 1;
        r.env.ncert = 5;
        rig_create(&r);
        assert_true(r.s->ngroup == 2 && r.s->row_group[0] == SAFETY_NO_GROUP && r.s->row_group[1] == 0);
        assert_true(r.s->u_group[0] == 0 && r.s->u_group[1] == 0 && r.s->u_group[4] == 1);
        NOW(r, 0) = 60;
        r.y_ok[0] = COND_STALE;
        r.prop[0] = 18.5;
        act = rig_action(rig_decide(&r));
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(act[0] == 18.5 && decision_certificate(&r.s->decision)->terminal);
        for (size_t i = 0; i < 3; i++)
                r.cert[i].row = i + 3;
        r.env.ncert = 3; /* room 1 only */
        rig_create(&r);
        assert_true(r.s->ngroup == 1 && r.s->row_group[2] == SAFETY_NO_GROUP && r.s->row_group[3] == 0);
        assert_true(r.s->u_group[0] == SAFETY_NO_GROUP && r.s->u_group[3] == SAFETY_NO_GROUP && r.s->u_group[4] == 0);
        act = rig_action(rig_decide(&r));
        expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(act[0] == 18.5 && decision_certificate(&r.s->decision)->terminal);
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

/* A room whose outputs are watched for their trip only, beside one that has limits: however hot it is, and however long
 * it would take to come below what that one's box is looked for at, it is bounded by nothing. */
static void test_a_room_without_limits(void **state)
{
        static const double hot_c[] = {30, 36.9, 50, 70};

        (void)state;
        for (size_t n = 0; n < sizeof(hot_c) / sizeof(hot_c[0]); n++) {
                for (int limit = 0; limit < 2; limit++) { /* one limit is enough */
                        struct rig r;

                        rig_open(&r, rig_default(), 1);
                        r.env.horizon = 3;
                        for (size_t i = 3; i < 6; i++) {
                                r.cert[i].trip = 100;
                                if (!limit || i > 3)
                                        r.cert[i].hi = (double)NAN;
                        }
                        rig_create(&r);
                        for (size_t i = 4; i < 6; i++)
                                NOW(r, i) = hot_c[n];
                        for (size_t j = 0; j < 8; j++)
                                r.confirmed[j] = r.prop[j] = j % 2 ? 1 : 16; /* the backup is in force */
                        r.prop[4] = 16.5;
                        (void)rig_decide(&r);
                        if (limit && hot_c[n] > 45) { /* 37 °C is not reached */
                                expect(&r.s->decision, DECISION_PROJECT, DR_NOT_CERTIFIABLE);
                        } else {
                                expect(&r.s->decision, DECISION_ACCEPT, DR_ACCEPTED);
                                assert_true(rig_action(&r.s->decision)[4] == 16.5);
                        }
                        rig_close(&r);
                }
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

/* The backup is in force and every margin is left, but air is warmer than the box: only a longer horizon ends in it. */
static void test_terminal_box_and_warm_air(void **state)
{
        (void)state;
        for (size_t n = 3; n <= 20; n += 17) {
                struct rig r;
                struct rig_args a = rig_default();

                a.sat_rows = true;
                a.horizon = n;
                rig_open(&r, a, 1);
                rig_create(&r);
                set_inlets(&r, 20);
                for (size_t i = r.ninlet; i < r.ny; i++)
                        NOW(r, i) = 32;
                for (size_t j = 0; j < 8; j++)
                        r.confirmed[j] = r.prop[j] = j % 2 ? r.u[j].hi : r.u[j].lo; /* the backup is in force */
                (void)rig_decide(&r);
                assert_true(r.s->group[0].invariant && r.s->group[0].margin > 1);
                expect(&r.s->decision, n == 20 ? DECISION_ACCEPT : DECISION_PROJECT,
                       n == 20 ? DR_ACCEPTED : DR_NOT_CERTIFIABLE);
                assert_int_equal(decision_certificate(&r.s->decision)->terminal, n == 20);
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

/* Supply air beyond its box on the cold side, a fan beyond its own on the fast side: no terminal box where more of that
 * may warm a row, whichever. */
static void test_terminal_box_of_air_beyond_its_box(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < 12; kind++) {
                const bool warms = kind % 2, fan = kind / 2 % 2;
                const size_t row = kind / 4;
                struct rig r;

                rig_open(&r, rig_default(), 1);
                for (size_t k = r.row_start[row]; k < r.row_start[row + 1]; k++) {
                        if (r.term[k].src == ARX_SRC_U && r.term[k].index == fan) {
                                r.term[k].sign = 0;
                                if (fan)
                                        r.hi[k] = warms ? 1e-9 : 0;
                                else
                                        r.lo[k] = warms ? -1e-9 : 0;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].terminal);
                r.confirmed[fan] = r.prop[fan] = fan ? 1.1 : 15;
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

/* Supply air with up to 9 K of heat behind the coil, and strong fans: it ends at (0.45 · 16 + 9 + 0.05) / 0.45 = 36.1.
 */
static void open_hot_rows(struct rig *r)
{
        struct rig_args a = rig_default();

        a.sat_rows = true;
        rig_open(r, a, 1);
        for (size_t k = 0; k < r->nterm; k++) {
                if (k >= r->row_start[r->ninlet] && r->term[k].src == ARX_SRC_D) {
                        r->term[k].sum1 = 0;
                        r->lo[k] = r->hi[k] = 0.75;
                } else if (r->term[k].src == ARX_SRC_U && r->term[k].index % 2 == 1) {
                        r->lo[k] = -2.8;
                        r->hi[k] = -2.4;
                }
        }
        rig_model(r, false);
}

/* Rows that are not certified may be hotter than the limit of those that are, and the box is found all the same. */
static void test_terminal_box_of_hot_rows(void **state)
{
        struct rig r;

        (void)state;
        open_hot_rows(&r);
        r.cert[0].hi = (double)NAN; /* nor need the first of them have one */
        rig_create(&r);
        (void)rig_decide(&r);
        assert_true(r.s->group[0].invariant && r.s->group[1].invariant);
        assert_true(r.s->box[r.ninlet] > 36 && r.s->box[1] == 27);
        rig_close(&r);
}

/* It is looked for up to 10 K above the highest limit, whichever has that. */
static void test_terminal_box_starts_above_the_highest_limit(void **state)
{
        struct rig r;

        (void)state;
        open_hot_rows(&r);
        for (size_t high = 0; high <= r.ninlet; high++) { /* at last none */
                for (size_t i = 0; i < r.ninlet; i++)
                        r.cert[i].hi = i == high ? 26.2 : 26;
                rig_create(&r);
                (void)rig_decide(&r);
                assert_int_equal(r.s->group[0].invariant, high < r.ninlet);
                assert_int_equal(r.s->group[1].invariant, high < r.ninlet);
        }
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

/* The box is invariant while 0.84·27 + 0.16·16 − 0.32 + 0.36 + 0.05 + 1.44 d ≤ 27, by hand from the rig's intervals; in
 * one lag or in three. */
static void test_terminal_box_both_sides(void **state)
{
        static const double d_max[] = {1.1597, 1.1598};

        (void)state;
        for (unsigned lags = 1; lags <= 3; lags += 2) {
                struct rig_args a = rig_default();
                struct rig r;

                a.lags = lags;
                rig_open(&r, a, 1);
                for (size_t k = 0; k < 2; k++) {
                        r.d_max[0] = d_max[k];
                        rig_create(&r);
                        (void)rig_decide(&r);
                        assert_int_equal(r.s->group[0].terminal, k == 0);
                        assert_true(r.s->group[1].terminal);
                }
                rig_close(&r);
        }
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

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_new_model_set),
            cmocka_unit_test(test_terminal_box),
            cmocka_unit_test(test_terminal_box_both_sides),
            cmocka_unit_test(test_certificate_does_not_count_on_fixed_variables),
            cmocka_unit_test(test_uncertified_rows),
            cmocka_unit_test(test_first_row_not_certified),
            cmocka_unit_test(test_nothing_certified),
            cmocka_unit_test(test_a_room_without_limits),
            cmocka_unit_test(test_terminal_box_is_never_given_up),
            cmocka_unit_test(test_terminal_box_needs_cooperative_rows),
            cmocka_unit_test(test_terminal_box_of_air_beyond_its_box),
            cmocka_unit_test(test_neutral_variable_in_a_room),
            cmocka_unit_test(test_three_lags),
            cmocka_unit_test(test_no_disturbances),
            cmocka_unit_test(test_one_disturbance),
            cmocka_unit_test(test_chain_of_rows),
            cmocka_unit_test(test_terminal_box_ends_at_the_limit),
            cmocka_unit_test(test_terminal_box_of_every_room_anew),
            cmocka_unit_test(test_fixed_off_the_grid_is_not_beyond),
            cmocka_unit_test(test_terminal_box_of_hot_rows),
            cmocka_unit_test(test_terminal_box_starts_above_the_highest_limit),
            cmocka_unit_test(test_terminal_box_and_warm_air),
            cmocka_unit_test(test_terminal_box_of_the_worst_row),
            cmocka_unit_test(test_terminal_box_of_lagged_disturbances),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
