/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What becomes of a proposal: limits, groups, nearest certified action, units, water, the second checker. */
#include <errno.h>

#include "tests/unit/test_safety_filter.h"

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

/* Water that no row sees comes up to what the plant runs on its own, and stays where it is found. */
static void test_water_that_nothing_sees(void **state)
{
        struct rig r;

        (void)state;
        for (int has_c = 7; has_c <= 10; has_c++) {
                open_water_rig(&r);
                r.u[8].drives_d = SAFETY_NO_D;
                r.u[8].unseen = 1;
                rig_create(&r);
                r.confirmed[8] = has_c;
                r.prop[8] = 30;
                (void)rig_decide(&r);
                assert_true(rig_action(&r.s->decision)[8] == fmax(has_c, 8));
                assert_int_equal(decision_reason(&r.s->decision), DR_LIMIT);
                set_inlets(&r, 26.6); /* warm: not warmer than it is */
                (void)rig_decide(&r);
                assert_true(rig_action(&r.s->decision)[8] == has_c);
                set_inlets(&r, 22);
                r.y_ok[3] = COND_STALE;
                (void)rig_decide(&r);
                assert_true(rig_action(&r.s->decision)[8] == has_c);
                assert_true(decision_certificate(&r.s->decision)->verified);
                rig_close(&r);
        }
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
        r.confirmed[8] = 7; /* nor up to what the plant runs on its own, in a room that is not seen */
        expect(rig_decide(&r), DECISION_PROJECT, DR_SENSOR);
        assert_true(rig_action(&r.s->decision)[8] == 7);
        r.y_ok[0] = COND_TRUE;
        r.prop[8] = 37;
        expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
        assert_true(rig_action(&r.s->decision)[8] == 8);
        set_inlets(&r, 26.6); /* or is not comfortable */
        (void)rig_decide(&r);
        assert_true(rig_action(&r.s->decision)[8] == 7);
        set_inlets(&r, 22);
        r.prop[8] = 12;
        r.confirmed[8] = 8;
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

/* What the plant has stays while it leaves half of the reserve. Then it goes as far as leaves that again, to the whole
 * backup only where that leaves less. */
static void test_half_of_the_reserve_stays(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();
        double least = INFINITY, before;

        (void)state;
        a.step = 0;
        rig_open(&r, a, 1);
        r.env.reserve = 0.5;
        rig_create(&r);
        r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 23;
        (void)rig_decide(&r);
        assert_true(r.s->group[0].chained);
        NOW(r, 0) = 22;
        for (int n = 0; n < 500; n++) {
                NOW(r, 0) += 0.01;
                (void)rig_decide(&r);
                if (r.s->group[0].fraction < 1)
                        break;
                assert_true(rig_action(&r.s->decision)[0] == 23);
                least = r.s->group[0].margin;
        }
        assert_true(least >= 0.25 && least < 0.27);
        for (int k = 0; k < 2; k++) {
                r.prop[0] = k ? 23.4 : 23; /* less cooling is proposed: the same */
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && r.s->group[0].margin >= 0.25 && r.s->group[0].margin < 0.28);
                assert_true(rig_action(&r.s->decision)[0] < 23 && rig_action(&r.s->decision)[0] > 22.5);
        }
        before = rig_action(&r.s->decision)[0];
        for (int n = 0; n < 100 && r.s->group[0].fraction > 0; n++) {
                assert_true(r.s->group[0].certified && r.s->group[0].margin >= 0.25);
                NOW(r, 0) += 0.05; /* what it has would pass the limit, and in the end the backup leaves less, too */
                (void)rig_decide(&r);
        }
        assert_true(r.s->group[0].certified && r.s->group[0].margin > 0 && r.s->group[0].margin < 0.25);
        assert_true(r.s->group[0].fraction == 0 && rig_action(&r.s->decision)[0] < before);
        rig_close(&r);
}

/* At full cooling there is nothing to ease back to: it stays, certified with what there is. */
static void test_full_cooling_stays_with_less(void **state)
{
        struct rig r;
        struct rig_args a = rig_default();

        (void)state;
        a.step = 0;
        rig_open(&r, a, 1);
        r.env.reserve = 0.5;
        rig_create(&r);
        for (size_t j = 0; j < 4; j++)
                r.confirmed[j] = r.prop[j] = r.u[j].safe_dir > 0 ? r.u[j].hi : r.u[j].lo;
        NOW(r, 0) = 22;
        for (int n = 0; n < 1000 && !(r.s->group[0].decided && r.s->group[0].margin < 0.2); n++) {
                NOW(r, 0) += 0.01;
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified);
                for (size_t j = 0; j < 4; j++)
                        assert_true(rig_action(&r.s->decision)[j] == r.confirmed[j]);
        }
        assert_true(r.s->group[0].margin > 0.1 && r.s->group[0].margin < 0.2);
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

/* … and where two units wait, the one whose time has come. */
static void test_refused_action_starts_what_may_start(void **state)
{
        struct rig r;
        struct safety_u *own;

        (void)state;
        open_rig(&r);
        memcpy(&own, &r.s->own_u, sizeof(own));
        own[0].rate = 3;
        r.prop[0] = 21;
        for (size_t j = 9; j <= 10; j++)
                r.confirmed[j] = r.prop[j] = r.status[j] = 0;
        (void)rig_decide(&r); /* both off, for 600 s at least */
        r.confirmed[10] = r.status[10] = 1;
        r.snap.mono_s = 400;
        (void)rig_decide(&r);
        r.confirmed[10] = r.status[10] = 0;
        r.snap.mono_s = 500;
        (void)rig_decide(&r);
        r.snap.mono_s = 700;
        assert_int_equal(decision_reason(rig_decide(&r)), DR_VERIFY);
        assert_true(rig_action(&r.s->decision)[0] == 16);
        assert_true(rig_action(&r.s->decision)[9] == 1 && rig_action(&r.s->decision)[10] == 0);
        rig_close(&r);
}

/* A machine that the two checkers do not agree about does not keep the rest of the backup from the plant. */
static void test_backup_without_the_machines(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        r.confirmed[9] = r.prop[9] = r.status[9] = 0;
        (void)rig_decide(&r);
        r.s->equip[9].off_s = -1e6; /* the filter has lost when it was stopped */
        r.prop[9] = 1;
        r.confirmed[0] = 18;
        assert_int_equal(decision_reason(rig_decide(&r)), DR_VERIFY);
        for (size_t j = 0; j < 8; j++)
                assert_true(rig_action(&r.s->decision)[j] == (r.u[j].safe_dir > 0 ? r.u[j].hi : r.u[j].lo));
        assert_true(rig_action(&r.s->decision)[9] == 0 && rig_action(&r.s->decision)[10] == 1);
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
        assert_string_equal(decision_kind_str((enum decision_kind)(DECISION_FALLBACK + 1)), "unknown");
        assert_string_equal(decision_reason_str((enum decision_reason)(DR_WATER + 1)), "unknown");
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
            cmocka_unit_test(test_denormal_and_huge_are_ordinary_numbers),
            cmocka_unit_test(test_load_check_for_moves),
            cmocka_unit_test(test_worst_case_outranks_rate),
            cmocka_unit_test(test_second_checker_catches_a_corrupt_filter),
            cmocka_unit_test(test_fixed_variables_keep_their_value),
            cmocka_unit_test(test_dead_band),
            cmocka_unit_test(test_water_is_certified_through_what_it_drives),
            cmocka_unit_test(test_reserve),
            cmocka_unit_test(test_unit_of_a_room),
            cmocka_unit_test(test_unit_where_nothing_is_certified),
            cmocka_unit_test(test_unit_of_the_backup),
            cmocka_unit_test(test_nothing_certifiable_any_more),
            cmocka_unit_test(test_retreat_without_a_rate),
            cmocka_unit_test(test_water_and_who_reads_it),
            cmocka_unit_test(test_water_that_nothing_sees),
            cmocka_unit_test(test_water_to_nominal),
            cmocka_unit_test(test_water_leaves_the_reserve),
            cmocka_unit_test(test_refused_action_starts_units),
            cmocka_unit_test(test_refused_action_starts_what_may_start),
            cmocka_unit_test(test_backup_without_the_machines),
            cmocka_unit_test(test_nearest_certified_action),
            cmocka_unit_test(test_half_of_the_reserve_stays),
            cmocka_unit_test(test_full_cooling_stays_with_less),
            cmocka_unit_test(test_water_that_one_row_reads),
            cmocka_unit_test(test_water_and_namesakes),
            cmocka_unit_test(test_strings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
