/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* How near to the proposal a certified action is, what is said of it, and what it takes at most to find it. */
#include "tests/unit/test_safety_filter.h"

/* Rollouts of a decision: every one begins with step 0. Link with -Wl,--wrap=arx_rollout_step. */
static size_t rollouts;

void __real_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u_future, const double *d_future,
                             const uint8_t *active, double *ret_y);
void __wrap_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u_future, const double *d_future,
                             const uint8_t *active, double *ret_y);

void __wrap_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u_future, const double *d_future,
                             const uint8_t *active, double *ret_y)
{
        rollouts += t == 0;
        __real_arx_rollout_step(ro, t, u_future, d_future, active, ret_y);
}

static void forget(struct rig *r)
{
        for (size_t g = 0; g < r->s->ngroup; g++)
                r->s->group[g].chained = r->s->group[g].held = false;
}

/* The bisection alone gives away less than 1/256 of the way: that much farther is not certified any more. */
static void test_bisection_to_a_part_in_256(void **state)
{
        size_t cut = 0;

        (void)state;
        for (int level = 0; level < 20; level++) {
                struct rig_args a = rig_default();
                double f, to[2][2];
                struct rig r;

                a.step = 0;
                rig_open(&r, a, 1);
                rig_create(&r);
                r.s->projector.qp_size = 0;
                set_inlets(&r, 24.9 + 0.01 * level);
                r.d_hi[0] = 1.1;
                r.confirmed[0] = r.confirmed[2] = 20;
                r.prop[0] = 20.4;
                r.prop[2] = 20.2;
                (void)rig_decide(&r);
                f = r.s->group[0].fraction;
                if (!(r.s->group[0].certified && f > 0.02 && f < 0.98)) {
                        rig_close(&r);
                        continue;
                }
                cut++;
                for (size_t k = 0; k < 2; k++) {
                        to[0][k] = r.s->start[2 * k] + f * (r.s->end[2 * k] - r.s->start[2 * k]);
                        to[1][k] = to[0][k] + (r.s->end[2 * k] - r.s->start[2 * k]) / 256;
                        assert_true(near(rig_action(&r.s->decision)[2 * k], to[0][k]));
                }
                for (int farther = 0; farther < 2; farther++) {
                        forget(&r);
                        r.prop[0] = to[farther][0];
                        r.prop[2] = to[farther][1];
                        expect(rig_decide(&r), farther ? DECISION_PROJECT : DECISION_ACCEPT,
                               farther ? DR_WORST_CASE : DR_ACCEPTED);
                }
                rig_close(&r);
        }
        assert_true(cut >= 10);
}

/* The fan of the second air handler blows nowhere. */
static void open_idle(struct rig *r, double reserve)
{
        struct rig_args a = rig_default();

        a.rooms = 1;
        a.step = 0;
        rig_open(r, a, 1);
        for (size_t k = 0; k < r->nterm; k++) {
                if (r->term[k].src == ARX_SRC_U && r->term[k].index == 3)
                        r->lo[k] = r->hi[k] = 0;
        }
        r->env.reserve = reserve;
        rig_model(r, false);
        rig_create(r);
}

static double away(const struct rig *r, size_t j, double v)
{
        return (v - r->s->end[j]) / (r->u[j].hi - r->u[j].lo);
}

/* The fraction that is told is how far on its way the action lies, in the norm of ranges: 1 less what is left of it. */
static void test_fraction_of_what_is_nearer(void **state)
{
        size_t nearer = 0;

        (void)state;
        for (int level = 0; level < 10; level++) {
                double left = 0, whole = 0;
                struct rig r;

                open_idle(&r, 0);
                rig_settle(&r, 25, 0.6);
                r.prop[0] += 0.4;
                r.prop[1] = r.prop[3] = r.confirmed[1] - 0.05;
                (void)rig_decide(&r);
                r.s->env.reserve = r.s->group[0].margin + 1e-3 * (1 + level);
                forget(&r);
                expect(rig_decide(&r), DECISION_PROJECT, DR_WORST_CASE);
                for (size_t j = 0; j < 4; j++) {
                        left += pow(away(&r, j, rig_action(&r.s->decision)[j]), 2);
                        whole += pow(away(&r, j, r.s->start[j]), 2);
                }
                assert_true(left > 0 && left < whole);
                if (near(rig_action(&r.s->decision)[3], r.prop[3]))
                        nearer++; /* not on the segment */
                assert_true(fabs(decision_certificate(&r.s->decision)->fraction - (1 - sqrt(left / whole))) <
                            (near(rig_action(&r.s->decision)[3], r.prop[3]) ? 1e-9 : 1.0 / 256));
                rig_close(&r);
        }
        assert_true(nearer > 5);
}

/* Only the whole backup leaves enough of what matters; what does not matter stays as it is. */
static void test_only_what_matters_goes_to_the_backup(void **state)
{
        struct rig r;
        bool found = false;

        (void)state;
        open_idle(&r, 0.5);
        rig_settle(&r, 22, 0.6);
        for (size_t j = 0; j < 4; j++)
                r.confirmed[j] = r.prop[j] = j % 2 ? 0.6 : 22;
        (void)rig_decide(&r);
        for (int n = 0; n < 1000 && !found; n++) {
                r.s->group[0].chained = true;
                NOW(r, 0) += 0.01;
                (void)rig_decide(&r);
                found = r.s->group[0].certified && r.s->group[0].lo == 0 && r.s->group[0].margin < 0.25;
        }
        assert_true(found);
        assert_true(r.s->group[0].margin > 0);
        assert_true(near(rig_action(&r.s->decision)[0], 21) && near(rig_action(&r.s->decision)[1], 0.7));
        assert_true(near(rig_action(&r.s->decision)[2], 21) && near(rig_action(&r.s->decision)[3], 0.6));
        rig_close(&r);
}

/* What comes next is warm whatever is done, and it does not pass the limit: more cooling would leave no more margin, so
 * what the plant has stays. Half of the reserve is there for what can be helped. */
static void test_what_cannot_be_helped_changes_nothing(void **state)
{
        (void)state;
        for (int n = 0; n < 4; n++) {
                const bool helped = n % 2;
                struct rig_args a = rig_default();
                struct rig r;
                double margin;

                a.rooms = 1;
                a.sat_rows = true; /* a setpoint is felt in the supply air first, and in the room a step later */
                rig_open(&r, a, 1);
                for (size_t k = 0; k < r.nterm && !helped; k++) {
                        if (r.term[k].src == ARX_SRC_U && r.term[k].index % 2)
                                r.lo[k] = r.hi[k] = 0; /* no fans */
                }
                r.d_max[0] = 0;
                rig_model(&r, false);
                rig_create(&r);
                if (n / 2)
                        r.s->projector.qp_size = 0; /* with and without a guess */
                rig_settle(&r, 22, 0);
                r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 20;
                NOW(r, 1) = 26.5;
                (void)rig_decide(&r);
                margin = r.s->group[0].margin;
                assert_true(r.s->group[0].certified && margin > 0);
                r.s->env.reserve = 3 * margin; /* half of it is not there */
                for (int warmer = 0; warmer < 2; warmer++) {
                        r.prop[0] = warmer ? 20.4 : 20;
                        r.s->group[0].chained = true;
                        (void)rig_decide(&r);
                        assert_true(r.s->group[0].certified);
                        if (helped)
                                assert_true(r.s->group[0].margin > margin);
                        else
                                assert_true(near(r.s->group[0].margin, margin) && r.s->group[0].fraction == 0);
                        expect(&r.s->decision, DECISION_PROJECT, DR_WORST_CASE);
                        for (size_t j = 0; j < 4; j++)
                                assert_true(helped || near(rig_action(&r.s->decision)[j], r.confirmed[j]));
                        assert_true((rig_action(&r.s->decision)[1] > 0.8) == helped);
                }
                rig_close(&r);
        }
}

/* Beyond a box whose first value is not its end: what lies between the two cannot be had, and it is told that it stays.
 */
static void test_told_where_nothing_was_cut(void **state)
{
        struct rig r;

        (void)state;
        for (size_t j = 0; j < 4; j += 2) {
                rig_open(&r, rig_default(), 1);
                r.u[j].lo = 16.03; /* the first value is 16.1 */
                rig_create(&r);
                r.confirmed[j] = 15.9;
                r.prop[j] = 16.03;
                expect(rig_decide(&r), DECISION_PROJECT, DR_LIMIT);
                assert_true(rig_action(&r.s->decision)[j] == 15.9);
                assert_int_equal(decision_certificate(&r.s->decision)->binding_u, (int)j);
                r.prop[j] = 15.9;
                expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
                rig_close(&r);
        }
}

/* Of rooms that are alike the first is named. */
static void test_the_first_of_equal_rooms_is_named(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(r.s->group[0].margin == r.s->group[1].margin);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_y, 0);
        rig_close(&r);
}

/* The filter's own copy of the variables, which the second checker does not read. */
static struct safety_u *own_of(struct rig *r)
{
        struct safety_u *own;

        memcpy(&own, &r->s->own_u, sizeof(struct safety_u *));
        return own;
}

/* What the second checker refuses keeps its kind, but that an accepted proposal is changed then. */
static void test_kind_of_what_is_refused(void **state)
{
        for (enum decision_kind k = DECISION_ACCEPT; k <= DECISION_FALLBACK; k++) {
                struct safety_u *own;
                struct rig r;

                (void)state;
                open_rig(&r);
                (void)rig_decide(&r);
                own = own_of(&r);
                own[0].rate = 3;
                own[0].lo = 10;
                if (k == DECISION_HOLD)
                        r.p.present = false;
                if (k == DECISION_FALLBACK)
                        r.snap.interlock = true;
                r.prop[0] = r.s->last[0] = k == DECISION_PROJECT ? 23 : 20; /* within that rate, or not even that */
                expect(rig_decide(&r), k == DECISION_ACCEPT ? DECISION_PROJECT : k, DR_VERIFY);
                assert_false(decision_certificate(&r.s->decision)->verified);
                assert_memory_equal(rig_action(&r.s->decision), r.confirmed, r.nu * sizeof(double));
                rig_close(&r);
        }
}

/* The backup that stands in for what is refused keeps the lift, and so it is not refused as well. */
static void test_backup_of_what_is_refused_keeps_the_lift(void **state)
{
        struct rig_args a = rig_default();
        const struct safety_lift pair = {8, 9, 8, 12, 0}; /* condenser water, chilled water */
        struct safety_u *own;
        struct rig r;

        (void)state;
        a.towers = true;
        rig_open(&r, a, 1);
        r.u[9].nominal = 10;
        r.env.lift = &pair;
        r.env.nlift = 1;
        rig_settle(&r, 22, 0.6);
        rig_create(&r);
        own = own_of(&r);
        own[0].rate = 3;
        r.prop[0] = 21;
        expect(rig_decide(&r), DECISION_PROJECT, DR_VERIFY);
        assert_true(rig_action(&r.s->decision)[0] == 16);
        assert_true(rig_action(&r.s->decision)[8] == 20 && rig_action(&r.s->decision)[9] == 8);
        rig_close(&r);
}

/* A step that was not certified, or refused, is nothing that the next one could build on: it decides like the first. */
static void test_nothing_follows_from_what_was_not_certified(void **state)
{
        double first[16];

        (void)state;
        for (int before = 0; before < 4; before++) { /* nothing, not certified, refused, certified */
                struct rig_args a = rig_default();
                struct rig r;

                a.step = 0;
                rig_open(&r, a, 1);
                rig_create(&r);
                set_inlets(&r, 25.5);
                r.confirmed[0] = r.confirmed[2] = r.prop[0] = r.prop[2] = 20;
                if (before == 1) {
                        r.d_hi[0] = 3;
                        (void)rig_decide(&r);
                        assert_true(!r.s->group[0].certified && decision_certificate(&r.s->decision)->verified);
                } else if (before == 2) {
                        struct safety_u *own;

                        own = own_of(&r);
                        own[4].rate = 3;
                        r.prop[4] = 20;
                        (void)rig_decide(&r);
                        assert_true(r.s->group[0].certified && !decision_certificate(&r.s->decision)->verified);
                        own[4].rate = 0.5;
                        r.prop[4] = 18;
                } else if (before == 3) {
                        (void)rig_decide(&r);
                        assert_true(r.s->group[0].certified && decision_certificate(&r.s->decision)->verified);
                }
                r.d_hi[0] = 1.14; /* between what the plant has and full cooling */
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified && r.s->group[0].comfortable && r.s->group[0].fraction < 1);
                if (before == 0)
                        memcpy(first, rig_action(&r.s->decision), r.nu * sizeof(double));
                assert_true((memcmp(first, rig_action(&r.s->decision), r.nu * sizeof(double)) == 0) == (before < 3));
                rig_close(&r);
        }
}

/* Rooms of any kind: at most four verdicts, eight halvings and six tries at something nearer. */
static void test_work_of_a_decision_is_bounded(void **state)
{
        size_t most = 0, at_most = 0;

        (void)state;
        for (uint64_t k = 0; k < 24; k++) {
                struct rig_args a = rig_default();
                struct rig r;

                a.step = 0;
                a.lags = 1 + k % 3;
                a.crahs = 4;
                a.sat_rows = k % 2;
                rig_open(&r, a, k);
                for (size_t n = 0; n < r.nterm; n++) {
                        if (r.term[n].src == ARX_SRC_U && !r.term[n].sum1) {
                                const double part = rng_range(&r.rng, 0, 2);

                                r.lo[n] *= part;
                                r.hi[n] *= part;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                for (int n = 0; n < 60; n++) {
                        rig_settle(&r, rng_range(&r.rng, 23, 26), rng_range(&r.rng, 0.5, 1.2));
                        for (size_t j = 0; j < 16; j++) {
                                r.confirmed[j] =
                                    r.u[j].nominal + r.u[j].safe_dir * rng_range(&r.rng, -3, 3) * r.u[j].rate;
                                r.confirmed[j] = fmin(fmax(r.confirmed[j], r.u[j].lo), r.u[j].hi);
                                r.prop[j] = r.confirmed[j] - r.u[j].safe_dir * rng_range(&r.rng, 0, 1) * r.u[j].rate;
                        }
                        r.s->env.reserve = rng_range(&r.rng, 0, 1);
                        rollouts = 0;
                        (void)rig_decide(&r);
                        most = rollouts > most ? rollouts : most;
                        at_most += rollouts == 4 + 8 + 6;
                        assert_true(rollouts <= 4 + 8 + 6);
                }
                rig_close(&r);
        }
        printf("at most %zu rollouts, %zu times\n", most, at_most);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_bisection_to_a_part_in_256),
            cmocka_unit_test(test_fraction_of_what_is_nearer),
            cmocka_unit_test(test_only_what_matters_goes_to_the_backup),
            cmocka_unit_test(test_what_cannot_be_helped_changes_nothing),
            cmocka_unit_test(test_told_where_nothing_was_cut),
            cmocka_unit_test(test_the_first_of_equal_rooms_is_named),
            cmocka_unit_test(test_kind_of_what_is_refused),
            cmocka_unit_test(test_backup_of_what_is_refused_keeps_the_lift),
            cmocka_unit_test(test_nothing_follows_from_what_was_not_certified),
            cmocka_unit_test(test_work_of_a_decision_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
