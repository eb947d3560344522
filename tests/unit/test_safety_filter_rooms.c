/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rooms beside each other, whatever their place: the first and the last variable, row, room and pair alike. */
#include "tests/unit/test_safety_filter.h"

/* One sensor above its trip for one step is not believed, whichever it is. */
static void test_one_reading_alone_trips_nothing(void **state)
{
        struct rig_args a = rig_default();

        (void)state;
        a.inlets = 8;
        for (size_t i = 0; i < 16; i++) {
                double buf[512];
                struct rig r;
                size_t n;

                rig_open(&r, a, 1);
                rig_create(&r);
                n = safety_state_save(r.s, 0, buf, 512);
                safety_state_restore(r.s, 0, 0, buf, n); /* a restart makes no difference */
                NOW(r, i) = 32.01;
                assert_int_not_equal(decision_reason(rig_decide(&r)), DR_TRIP);
                expect(rig_decide(&r), DECISION_FALLBACK, DR_TRIP);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_y, (int)i);
                rig_close(&r);
        }
}

/* Any one reading near its soft limit takes the floor away from full cooling. */
static void test_any_warm_reading_outweighs_the_floor(void **state)
{
        double floors[16];
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t i = 0; i < r.ninlet; i++)
                r.cert[i].soft_k = 3; /* of 27: comfortable up to 23.5 */
        for (size_t j = 0; j < r.nu; j++)
                floors[j] = j == 0 ? 17.4 : (double)NAN;
        rig_create(&r);
        r.snap.u_floor = floors;
        r.snap.interlock = true;
        assert_true(near(rig_action(rig_decide(&r))[0], 17.4));
        for (size_t i = 0; i < r.ninlet; i++) {
                NOW(r, i) = 23.6;
                assert_true(rig_action(rig_decide(&r))[0] == 16);
                NOW(r, i) = 22;
        }
        rig_close(&r);
}

/* What is proposed at the floor, from below, is just accepted; what comes up to it is told, by however little; and what
 * was told first stays told. */
static void test_at_the_floor(void **state)
{
        double floors[16];
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        for (size_t j = 0; j < r.nu; j++)
                floors[j] = (double)NAN;
        rig_create(&r);
        r.snap.u_floor = floors;
        floors[0] = r.prop[0] = 18.2;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(near(rig_action(&r.s->decision)[0], 18.2));
        floors[0] = 18.1;
        r.prop[0] = 18; /* one value of the register */
        expect(rig_decide(&r), DECISION_PROJECT, DR_LIMIT);
        assert_true(near(rig_action(&r.s->decision)[0], 18.1));
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        r.prop[2] = 20;
        expect(rig_decide(&r), DECISION_PROJECT, DR_LIMIT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        rig_close(&r);
        rig_open(&r, rig_default(), 1);
        r.u[0].dead_band = 0.25;
        r.u[0].step = 0.05;
        rig_create(&r);
        r.snap.u_floor = floors;
        floors[0] = 18.25; /* as far as a change that is made */
        assert_true(near(rig_action(rig_decide(&r))[0], 18.25));
        floors[0] = 18.24;
        assert_true(rig_action(rig_decide(&r))[0] == 18);
        rig_close(&r);
}

/* All variables of a room that went dark go, whichever room it is. */
static void test_every_variable_of_a_dark_room(void **state)
{
        struct rig_args a = rig_default();

        (void)state;
        a.rooms = 4;
        for (size_t dark = 0; dark < 4; dark++) {
                struct rig r;

                rig_open(&r, a, 1);
                rig_create(&r);
                for (size_t j = 0; j < 16; j += 2)
                        r.confirmed[j] = r.prop[j] = 20;
                (void)rig_decide(&r);
                memset(r.y_ok + 3 * dark, COND_STALE, 3);
                expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
                for (size_t j = 0; j < 16; j += 2) {
                        assert_true(rig_action(&r.s->decision)[j] == (j / 4 == dark ? 18 : 20));
                        assert_true(near(rig_action(&r.s->decision)[j + 1], j / 4 == dark ? 0.85 : 0.8));
                }
                rig_close(&r);
        }
}

/* What a room can still do is looked at anew when it has changed in every variable at once, at the same end of their
 * boxes: stuck where they cool least, where they cool most, or taken over beyond. */
static void test_terminal_box_when_everything_changes(void **state)
{
        static const struct {
                double supply_c, fan;
                bool fixed, terminal;
        } at[] = {{24, 1, true, false},    /* the upper ends */
                  {16, 0.3, true, false},  /* the lower ends */
                  {16, 1, true, true},     /* full cooling */
                  {15, 1.1, false, false}, /* beyond them, and colder air may warm a row */
                  {16, 1, false, true}};
        struct rig_args a = rig_default();
        uint8_t fixed[2] = {1, 1};

        (void)state;
        a.rooms = a.crahs = 1;
        a.plant = false;
        for (size_t n = 0; n < sizeof at / sizeof *at; n++) {
                struct rig r;

                rig_open(&r, a, 1);
                for (size_t k = 0; k < r.nterm; k++) {
                        if (r.term[k].src == ARX_SRC_U && r.term[k].index == 0 && !at[n].fixed) {
                                r.term[k].sign = 0;
                                r.lo[k] = -1e-9;
                        }
                }
                r.d_max[0] = at[n].fixed ? 1.1 : 1;
                rig_model(&r, false);
                rig_create(&r);
                set_inlets(&r, 20);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && r.s->group[0].terminal);
                r.snap.u_fixed = at[n].fixed ? fixed : NULL;
                r.confirmed[0] = r.prop[0] = at[n].supply_c;
                r.confirmed[1] = r.prop[1] = at[n].fan;
                r.d_hi[0] = 0.2;
                (void)rig_decide(&r);
                assert_true(r.s->group[0].invariant == at[n].terminal);
                assert_true(decision_certificate(&r.s->decision)->terminal == at[n].terminal);
                r.snap.u_fixed = NULL;
                r.confirmed[0] = r.prop[0] = 18;
                r.confirmed[1] = r.prop[1] = 0.8;
                (void)rig_decide(&r);
                assert_true(r.s->group[0].invariant);
                rig_close(&r);
        }
}

/* Nothing can be certified, and it is comfortable: a fan that is slower than the plant has it comes up by its rate; a
 * unit that it runs stays, whatever rates stand beside it. */
static void test_fans_and_units_retreat(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;
        size_t b;

        (void)state;
        a.w = 2;
        rig_open(&r, a, 1);
        b = r.nu - 1;
        for (size_t k = 0; k < r.row_start[3]; k++) {
                if (r.term[k].src == ARX_SRC_U && r.term[k].index == 1)
                        r.term[k].index = (uint16_t)b; /* room 0 leans on the unit */
        }
        r.u[b].backup_rate = -1; /* no rate of a unit counts */
        rig_model(&r, false);
        rig_create(&r);
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.confirmed[3] = r.prop[3] = 0.6;
        r.prop[b] = 0;
        expect(rig_decide(&r), DECISION_PROJECT, DR_NOT_CERTIFIABLE);
        assert_true(near(rig_action(&r.s->decision)[3], 0.65) && rig_action(&r.s->decision)[b] == 1);
        rig_close(&r);
}

/* What is accepted is the proposal to the last bit, where registers have no steps, however far it is from what there
 * is.
 */
static void test_accepted_to_the_last_bit(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.step = 0;
        rig_open(&r, a, 20240607u);
        for (size_t j = 1; j < 8; j += 2)
                r.u[j].rate = 0.7;
        rig_create(&r);
        r.d_hi[0] = r.d_hi[1] = 0.3;
        for (int n = 0; n < 100; n++) {
                for (size_t j = 0; j < 8; j++) {
                        r.confirmed[j] = j % 2 ? 0.97 : 17;
                        r.prop[j] = j % 2 ? rng_range(&r.rng, 0.3, 0.48) : rng_range(&r.rng, 16, 17.5);
                }
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                assert_memory_equal(rig_action(&r.s->decision), r.prop, 8 * sizeof(double));
        }
        rig_close(&r);
}

/* Less cooling in one variable, whichever, is less cooling, and must leave the whole reserve. */
static void test_reserve_of_every_variable(void **state)
{
        (void)state;
        for (size_t j = 0; j < 8; j++) {
                double margin = 0;

                for (int k = 0; k < 3; k++) { /* none; what is left exactly; a little more */
                        struct rig r;

                        rig_open(&r, rig_default(), 1);
                        r.env.reserve = k == 0 ? 0 : margin + 0.001 * (k - 1);
                        rig_create(&r);
                        set_inlets(&r, 25);
                        r.prop[j] -= r.u[j].safe_dir * r.u[j].rate;
                        (void)rig_decide(&r);
                        margin = r.s->group[j / 4].margin;
                        expect(&r.s->decision, k == 2 ? DECISION_PROJECT : DECISION_ACCEPT,
                               k == 2 ? DR_WORST_CASE : DR_ACCEPTED);
                        rig_close(&r);
                }
        }
}

/* More load in one room, whichever: what the reserve asked of the decision is not asked, and what it takes to pass the
 * limit is, to the end of the horizon. */
static void test_load_check_of_every_room(void **state)
{
        (void)state;
        for (size_t room = 0; room < 2; room++) {
                bool was = true;
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.env.reserve = 4; /* half of it is left now */
                rig_create(&r);
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                for (int n = 0; n < 70; n++) {
                        double d[3] = {0.6, 0.6, 10};
                        bool is;

                        d[room] += 0.05 * n;
                        is = safety_check_load(r.s, &r.snap, d);
                        assert_true(was || !is); /* once it is too much, more of it is, too */
                        was = is;
                        for (size_t g = 0; g < 2; g++)
                                r.s->group[g].need = -(double)INFINITY;
                        tighten_rollout(r.s, d, r.s->last, true);
                        for (size_t i = 3 * room; i < 3 * room + 3; i++)
                                assert_true(!is || r.s->least[i] >= 0);
                        for (size_t g = 0; g < 2; g++)
                                r.s->group[g].need = 2;
                }
                assert_false(was);
                rig_close(&r);
        }
}

/* To ask about a load changes nothing of what is decided next, also where every output is a room of its own. */
static void test_load_check_leaves_no_trace(void **state)
{
        struct safety_certificate said[2];
        double act[2][40], basis[2][1024];
        struct rig_args a = rig_default();

        (void)state;
        a.rooms = 16;
        a.inlets = a.crahs = 1;
        for (int asked = 0; asked < 2; asked++) {
                struct rig r;

                rig_open(&r, a, 1);
                r.env.reserve = 0.5;
                rig_create(&r);
                assert_true(r.s->ngroup == r.ny && r.nu <= 40);
                for (size_t i = 0; i < r.ny; i++)
                        NOW(r, i) = 26 + 0.01 * (double)i;
                for (size_t d = 0; d < r.ny; d++)
                        r.d_hi[d] = 1;
                (void)rig_decide(&r);
                if (asked) {
                        const size_t n = safety_basis_save(r.s, 0, basis[0], 1024);
                        double d[17];

                        assert_true(n <= 1024);

                        memcpy(d, r.d_hi, sizeof d);
                        (void)safety_check_load(r.s, &r.snap, d);
                        d[15] = 4;
                        assert_false(safety_check_load(r.s, &r.snap, d));
                        (void)safety_basis_save(r.s, 0, basis[1], 1024); /* nor of what is said of this one */
                        assert_memory_equal(basis[0], basis[1], n * sizeof(double));
                }
                for (size_t j = 0; j < 2 * r.ny; j++)
                        r.prop[j] -= r.u[j].safe_dir * r.u[j].rate;
                (void)rig_decide(&r);
                memcpy(act[asked], rig_action(&r.s->decision), r.nu * sizeof(double));
                said[asked] = *decision_certificate(&r.s->decision);
                expect(&r.s->decision, DECISION_PROJECT, DR_WORST_CASE);
                for (size_t g = 0; g < r.ny; g++)
                        assert_true(r.s->group[g].certified && r.s->group[g].fraction < 1);
                rig_close(&r);
        }
        assert_memory_equal(act[0], act[1], 35 * sizeof(double));
        assert_true(said[0].margin == said[1].margin && said[0].fraction == said[1].fraction);
        assert_true(said[0].binding_y == said[1].binding_y && said[0].terminal == said[1].terminal);
}

/* What is decided for a room does not depend on another one where nothing can be certified. */
static void test_a_hopeless_room_changes_no_other(void **state)
{
        (void)state;
        for (size_t hopeless = 0; hopeless < 2; hopeless++) {
                const size_t other = 1 - hopeless;
                size_t cut = 0;

                for (int level = 0; level < 40; level++) {
                        double alone[4];

                        for (int both = 0; both < 2; both++) {
                                struct rig r;

                                rig_open(&r, rig_default(), 1);
                                rig_create(&r);
                                for (size_t i = 0; i < 3; i++)
                                        NOW(r, 3 * other + i) = 24 + 0.05 * level;
                                r.d_hi[other] = 1.1;
                                r.d_hi[hopeless] = both ? 3 : 0.6;
                                for (size_t j = 4 * other; j < 4 * other + 4; j += 2) {
                                        r.confirmed[j] = 20;
                                        r.prop[j] = 20.5;
                                        r.prop[j + 1] = 0.75;
                                }
                                (void)rig_decide(&r);
                                assert_true(r.s->group[hopeless].certified == !both);
                                if (both)
                                        assert_memory_equal(rig_action(&r.s->decision) + 4 * other, alone,
                                                            sizeof alone);
                                memcpy(alone, rig_action(&r.s->decision) + 4 * other, sizeof alone);
                                cut += r.s->group[other].certified && r.s->group[other].fraction < 1;
                                rig_close(&r);
                        }
                }
                assert_true(cut > 10);
        }
}

/* One room is in trouble with what a setpoint drives, whichever: it is not warmed. Nor is that said of water which goes
 * just to where the plant has it. */
static void test_water_and_every_room(void **state)
{
        (void)state;
        for (size_t place = 0; place <= 8; place += 8) { /* of the water among the variables */
                for (size_t room = 0; room < 3; room++) {
                        struct rig_args a = rig_default();
                        struct rig r;

                        a.sat_rows = true;
                        rig_open(&r, a, 1);
                        swap_variables(&r, place, 8);
                        r.u[place].drives_d = SAFETY_DRIVES(2);
                        rig_model(&r, false);
                        rig_settle(&r, 22, 0.6);
                        rig_create(&r);
                        if (room < 2)
                                r.d_hi[room] = 3;
                        r.prop[place] = 8.5;
                        (void)rig_decide(&r);
                        assert_true(rig_action(&r.s->decision)[place] == (room < 2 ? 8 : 8.5));
                        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, room < 2 ? (int)place : -1);
                        r.confirmed[place] = 7.5;
                        r.prop[place] = 8;
                        (void)rig_decide(&r);
                        assert_true(rig_action(&r.s->decision)[place] == 8);
                        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, -1);
                        rig_close(&r);
                }
        }
}

/* Both setpoints colder: what keeps the least lift makes it too much, and that is kept as well. One pair is enough. */
static void test_one_pair_from_both_sides(void **state)
{
        struct rig_args a = rig_default();
        struct safety_lift pair = {8, 9, 8, 14, 0}; /* condenser water, chilled water */
        struct rig r;

        (void)state;
        a.towers = true;
        rig_open(&r, a, 1);
        r.u[8].rate = 10;
        r.u[8].nominal = 22.5;
        r.u[9].nominal = 12;
        r.env.lift = &pair;
        r.env.nlift = 1;
        rig_settle(&r, 22, 0.6);
        rig_create(&r);
        r.prop[8] = 18;  /* 6 K, were it to come first */
        r.prop[9] = 7.5; /* 15 K, were this one */
        expect(rig_decide(&r), DECISION_PROJECT, DR_EQUIPMENT);
        assert_true(rig_action(&r.s->decision)[8] == 20 && rig_action(&r.s->decision)[9] == 8.5);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 8);
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_one_reading_alone_trips_nothing),
            cmocka_unit_test(test_any_warm_reading_outweighs_the_floor),
            cmocka_unit_test(test_at_the_floor),
            cmocka_unit_test(test_every_variable_of_a_dark_room),
            cmocka_unit_test(test_terminal_box_when_everything_changes),
            cmocka_unit_test(test_fans_and_units_retreat),
            cmocka_unit_test(test_accepted_to_the_last_bit),
            cmocka_unit_test(test_reserve_of_every_variable),
            cmocka_unit_test(test_load_check_of_every_room),
            cmocka_unit_test(test_load_check_leaves_no_trace),
            cmocka_unit_test(test_a_hopeless_room_changes_no_other),
            cmocka_unit_test(test_water_and_every_room),
            cmocka_unit_test(test_one_pair_from_both_sides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
