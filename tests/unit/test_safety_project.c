/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The nearest certified action: never farther from the proposal than the bisection's, and certified like any other. */
#include "tests/unit/test_safety_common.h"

#define TOL 1e-9

/* Slopes that the guesses are made from: as they are, or whatever. Link with -Wl,--wrap=arx_rollout_slopes. */
static enum { RIGHT, TURNED, NONE, HUGE_ONES, SMALL, NO_NUMBERS, SLOPES } wrong = RIGHT;
static unsigned asked[128][4]; /* rows, steps: how often */

void __real_arx_rollout_slopes(const struct arx_rollout *ro, size_t i, size_t t, const double *u_future,
                               const double *d_future, double *ret_slope);
void __wrap_arx_rollout_slopes(const struct arx_rollout *ro, size_t i, size_t t, const double *u_future,
                               const double *d_future, double *ret_slope);

void __wrap_arx_rollout_slopes(const struct arx_rollout *ro, size_t i, size_t t, const double *u_future,
                               const double *d_future, double *ret_slope)
{
        static const double factor[SLOPES] = {1, -1, 0, 1e12, 0.5, (double)NAN};
        const struct arx_structure *st = arx_structure(ro->m);

        assert_true(i < 128 && t < 4); /* no slopes of later steps */
        asked[i][t]++;
        __real_arx_rollout_slopes(ro, i, t, u_future, d_future, ret_slope);
        for (size_t k = 0; k < st->row_start[i + 1] - st->row_start[i]; k++)
                ret_slope[k] *= factor[wrong];
}

/* A room whose air handlers do not all matter alike. */
static void open_room(struct rig *r, struct rig_args a, uint64_t seed, bool anchor)
{
        rig_open(r, a, seed);
        for (size_t k = 0; k < r->nterm; k++) {
                if (r->term[k].src == ARX_SRC_U && !r->term[k].sum1) {
                        const double part = rng_range(&r->rng, 0, 2);

                        r->lo[k] *= part;
                        r->hi[k] *= part;
                }
        }
        rig_model(r, anchor);
        rig_create(r);
}

/* Inlets about some level, on some action; the proposal is less cooling almost everywhere. */
static void random_state(struct rig *r)
{
        rig_settle(r, rng_range(&r->rng, 23, 26), rng_range(&r->rng, 0.5, 1.2));
        for (size_t i = 0; i < RIG_HIST * r->ny; i++)
                r->wy[i] += i % r->ny < r->ninlet ? rng_range(&r->rng, -0.4, 0.4) : 0;
        for (size_t j = 0; j < r->nu; j++) {
                const struct safety_u *u = &r->u[j];

                if (u->kind == SAFETY_U_ONOFF)
                        continue;
                r->confirmed[j] = u->nominal + u->safe_dir * rng_range(&r->rng, -5, 3) * u->rate;
                r->confirmed[j] = fmin(fmax(r->confirmed[j], u->lo), u->hi);
                r->prop[j] = r->confirmed[j] - u->safe_dir * rng_range(&r->rng, -0.1, 1) * u->rate;
        }
        for (size_t k = 0; k < RIG_HIST; k++)
                memcpy(r->wu + k * r->nu, r->confirmed, r->nu * sizeof(double));
}

/* Certified once more, over the whole horizon, by the worst case as it is. */
static void check_exactly(struct rig *r, double *up, double *work, uint8_t *active)
{
        struct safety *s = r->s;

        for (size_t g = 0; g < s->ngroup; g++)
                s->group[g].need = -(double)INFINITY;
        memset(active, 1, r->ny);
        tighten_rollout(s, r->d_hi, rig_action(&s->decision), true);
        arx_worst(r->model, &r->snap.window, r->env.horizon, s->u_future, s->d_future, 1, active, work, up);
        for (size_t g = 0; g < s->ngroup; g++) {
                const struct group p = s->group[g];

                if (p.phase != PHASE_PROJECT)
                        continue;
                assert_true(p.certified && p.decided && p.fraction >= 0 && p.fraction < 1);
                assert_true(tighten_judge(s, g));
                assert_true(s->group[g].margin >= p.wanted && fabs(s->group[g].margin - p.margin) <= TOL);
                assert_true(s->group[g].terminal == p.terminal);
                for (size_t i = 0; i < r->ninlet; i++) {
                        for (size_t k = 0; k < r->env.horizon && s->row_group[i] == g; k++)
                                assert_true(r->cert[i].hi - up[k * r->ny + i] >= p.wanted - TOL);
                }
                s->group[g] = p;
        }
}

/* Every value is legal, and between the ends of its segment. */
static void check_values(const struct rig *r)
{
        for (size_t j = 0; j < r->nu; j++) {
                const double v = rig_action(&r->s->decision)[j];
                const size_t g = r->s->u_group[j];

                assert_true(value_legal(&r->u[j], v, r->confirmed[j]));
                if (g == SAFETY_NO_GROUP || r->s->group[g].phase != PHASE_PROJECT)
                        continue;
                assert_true(v >= fmin(r->s->start[j], r->s->end[j]) - TOL);
                assert_true(v <= fmax(r->s->start[j], r->s->end[j]) + TOL);
        }
}

/* The decision that the bisection alone comes to; what the filter remembers is as before. */
static void without_solver(struct rig *r, double *ret_act)
{
        const size_t qp_size = r->s->projector.qp_size;

        r->s->projector.qp_size = 0;
        memcpy(ret_act, rig_action(rig_decide(r)), r->nu * sizeof(double));
        r->s->projector.qp_size = qp_size;
        for (size_t g = 0; g < r->s->ngroup; g++)
                r->s->group[g].chained = r->s->group[g].held = false;
}

/* A random state and a reserve that the proposal for the first room does not leave and the present action does. */
static bool split_reserve(struct rig *r)
{
        double proposed, present, *want = rig_alloc(r->nu, sizeof(double));

        random_state(r);
        memcpy(want, r->prop, r->nu * sizeof(double));
        r->s->env.reserve = 0;
        (void)rig_decide(r);
        proposed = r->s->group[0].fraction == 1 ? r->s->group[0].margin : 0;
        memcpy(r->prop, r->confirmed, r->nu * sizeof(double));
        (void)rig_decide(r);
        present = r->s->group[0].fraction == 1 ? r->s->group[0].margin : 0;
        memcpy(r->prop, want, r->nu * sizeof(double));
        r->env.reserve = r->s->env.reserve = proposed + rng_range(&r->rng, 0.05, 0.95) * (present - proposed);
        for (size_t g = 0; g < r->s->ngroup; g++)
                r->s->group[g].chained = r->s->group[g].held = false;
        free(want);
        return present > proposed;
}

static void try_everywhere(void)
{
        double with = 0, without = 0;
        size_t count = 0, nearer = 0;

        for (uint64_t k = 0; k < (wrong == RIGHT ? 36 : 12); k++) {
                struct rig_args a = rig_default();
                struct rig r;
                double *up, *work, *bisected;
                uint8_t *active;

                a.lags = 1 + k % 3;
                a.sat_rows = k % 2;
                a.step = k % 4 ? 0.1 : 0;
                a.spread = k % 5 ? 0.1 : 0.02;
                a.inlets = k % 9 ? 3 : 40; /* more than one guess looks at */
                open_room(&r, a, k, k % 3 == 0);
                up = rig_alloc(r.env.horizon * r.ny, sizeof(double));
                work = rig_alloc(arx_predict_work(r.model, r.env.horizon), sizeof(double));
                active = rig_alloc(r.ny, 1);
                bisected = rig_alloc(r.nu, sizeof(double));
                for (size_t i = 0; i < (k % 9 ? 30 : 6); i++) {
                        if (!split_reserve(&r))
                                continue;
                        without_solver(&r, bisected);
                        (void)rig_decide(&r);
                        for (size_t g = 0; g < r.s->ngroup; g++) {
                                const double far = project_distance(r.s, g, bisected),
                                             now = project_distance(r.s, g, rig_action(&r.s->decision));

                                if (r.s->group[g].phase != PHASE_PROJECT)
                                        continue;
                                assert_true(now <= far);
                                without += far;
                                with += now;
                                nearer += now < far;
                                count++;
                        }
                        check_values(&r);
                        check_exactly(&r, up, work, active);
                }
                free(bisected);
                free(active);
                free(work);
                free(up);
                rig_close(&r);
        }
        printf("slopes %d: %zu projections, %zu nearer: mean distance %.4f, of the bisection %.4f\n", (int)wrong, count,
               nearer, with / (double)count, without / (double)count);
        assert_true(count > 100);
        assert_true(wrong != RIGHT || (nearer > count * 65 / 100 && with < 0.84 * without)); /* 67 %, 0.83 */
}

/* Nothing that a guess is made from is believed: legal, certified and never farther, whatever the slopes are. */
static void test_never_farther_than_the_bisection(void **state)
{
        (void)state;
        for (wrong = 0; wrong < SLOPES; wrong++)
                try_everywhere();
        wrong = RIGHT;
}

/* The second air handler moves nothing that is certified: it gets what was proposed, only the first is cut. */
static void test_what_does_not_matter_is_not_cut(void **state)
{
        struct rig_args a = rig_default();
        const struct safety_decision *d;
        struct rig r;

        (void)state;
        a.rooms = 1;
        rig_open(&r, a, 1);
        for (size_t k = 0; k < r.nterm; k++) {
                if (r.term[k].src == ARX_SRC_U && r.term[k].index == 3)
                        r.lo[k] = r.hi[k] = 0; /* its fan */
        }
        rig_model(&r, false);
        rig_create(&r);
        rig_settle(&r, 25, 0.6);
        r.prop[1] = r.prop[3] = r.confirmed[1] - 0.05;
        r.s->env.reserve = 0;
        (void)rig_decide(&r);
        r.s->env.reserve = r.s->group[0].margin + 1e-3; /* a little more than the proposal leaves */
        d = rig_decide(&r);
        assert_int_equal(decision_kind(d), DECISION_PROJECT);
        assert_int_equal(decision_reason(d), DR_WORST_CASE);
        assert_true(fabs(rig_action(d)[3] - r.prop[3]) < TOL);
        assert_true(rig_action(d)[1] > r.prop[1] && rig_action(d)[1] < r.confirmed[1]);
        assert_true(decision_certificate(d)->fraction > 0 && decision_certificate(d)->fraction < 1);
        assert_true(decision_certificate(d)->margin >= r.s->env.reserve);
        rig_close(&r);
}

/* A room in which a reading is missing: bisected on what can be read, never guessed at. */
static void test_no_guess_for_a_blind_room(void **state)
{
        struct rig_args a = rig_default();
        size_t bisected = 0;
        struct rig r;

        (void)state;
        a.rooms = 1;
        a.inlets = 6;
        rig_open(&r, a, 1);
        rig_create(&r);
        for (int level = 0; level < 80; level++) {
                rig_settle(&r, 23 + 0.05 * level, 1);
                r.y_ok[0] = COND_STALE;
                r.wy[(RIG_HIST - 1) * r.ny] = (double)NAN;
                r.d_hi[0] = 1.1;
                for (size_t j = 0; j < 4; j += 2) {
                        r.confirmed[j] = r.prop[j] = 20;
                        r.confirmed[j + 1] = r.prop[j + 1] = 0.6;
                }
                r.s->group[0].chained = true; /* from one ramp of the backup on, not from the nominal action */
                (void)rig_decide(&r);
                assert_true(r.s->group[0].blind && r.s->group[0].phase != PHASE_PROJECT);
                bisected += r.s->group[0].phase == PHASE_BISECT && r.s->group[0].lo > 0;
        }
        assert_true(bisected > 0);
        rig_close(&r);
}

/* Everything is where it is and one fan of the first room is to go down: the rollout that a guess is made after. */
static void aim(struct rig *r, double *act)
{
        memcpy(r->s->base, r->confirmed, r->nu * sizeof(double));
        memcpy(r->s->start, r->confirmed, r->nu * sizeof(double));
        memcpy(r->s->end, r->confirmed, r->nu * sizeof(double));
        memcpy(act, r->confirmed, r->nu * sizeof(double));
        r->s->end[1] -= 0.05;
        tighten_model(r->s);
        tighten_observe(r->s, &r->snap);
        tighten_window(r->s, &r->snap);
        r->s->group[0].need = -(double)INFINITY;
        tighten_rollout(r->s, r->d_hi, r->confirmed, true);
        r->s->group[0].need = 0;
}

/* Scratch has no meaning before: a guess is the same whatever stands in it. Slopes are asked for once, of rows that the
 * room's limits depend on; and without a variable that moves there is no guess, and nothing is written. */
static void test_what_a_guess_asks_for(void **state)
{
        struct rig_args a = rig_default();
        double act[16], again[16];
        struct rig r;

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        rig_create(&r);
        assert_true(r.nu <= 16 && r.s->ngroup == 2);
        aim(&r, act);
        memset(asked, 0, sizeof(asked));
        assert_true(project_guess(r.s, 0, r.confirmed, act) && act[1] != r.confirmed[1]);
        for (size_t i = 0; i < r.ny; i++) {
                unsigned most = 0;

                for (size_t t = 0; t < 4; t++)
                        most = asked[i][t] > most ? asked[i][t] : most;
                assert_int_equal(most, r.s->row_group[i] == 0);
        }
        aim(&r, again);
        memset(r.s->projector.adjoint, 0x7f, r.env.horizon * r.ny * sizeof(double));
        memset(r.s->projector.known, 1, r.ny);
        for (size_t k = 0; k < r.nterm; k++)
                r.s->projector.slope[k] = -1e3;
        for (size_t j = 0; j < r.nu; j++)
                r.s->projector.g[j] = r.s->projector.lb[j] = r.s->projector.ub[j] = r.s->projector.grad[j] = -1e3;
        assert_true(project_guess(r.s, 0, r.confirmed, again));
        assert_memory_equal(act, again, r.nu * sizeof(double));
        r.s->end[1] = r.s->start[1];
        assert_false(project_guess(r.s, 0, r.confirmed, again));
        assert_memory_equal(act, again, r.nu * sizeof(double));
        rig_close(&r);
}

/* The slopes of the rows that a guess looks at, nearest to their limits first, are those of the margins themselves. */
static void test_slopes_of_the_margins(void **state)
{
        (void)state;
        for (int level = 0; level < 3; level++) {
                struct rig_args a = rig_default();
                double act[16], least[8], grad[8 * 16];
                size_t order[8], n = 0;
                struct rig r;

                a.rooms = 1;
                a.sat_rows = level > 0;
                a.lags = 1 + (unsigned)level;
                rig_open(&r, a, 1);
                for (size_t k = 0; k < 4; k++)
                        r.u[k].backup_rate *= 0.7; /* its last step is cut at the end of the box */
                rig_create(&r);
                rig_settle(&r, 25, 1);
                for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                        r.wy[i] += i % r.ny < 3 ? 0.5 * (double)((i % r.ny * 2) % 3) : 0; /* 0, 1, 0.5 */
                aim(&r, act);
                r.s->end[0] += 0.1;
                r.s->end[2] += 0.1;
                r.s->end[3] -= 0.05;
                assert_true(r.ninlet <= 8 && r.nu <= 16);
                (void)project_guess(r.s, 0, r.confirmed, act);
                memcpy(least, r.s->least, r.ninlet * sizeof(double));
                memcpy(grad, r.s->projector.grad, r.ninlet * r.nu * sizeof(double));
                for (size_t i = 0; i < r.ninlet; i++) {
                        size_t at = n++;

                        while (at > 0 && least[order[at - 1]] > least[i]) {
                                order[at] = order[at - 1];
                                at--;
                        }
                        order[at] = i;
                }
                for (size_t i = 0; i < n;
                     i++) { /* and so are the rows of the program, in ranges from where it aims at */
                        double left = least[order[i]];

                        for (size_t j = 0; j < 4; j++) {
                                const double slope = grad[i * r.nu + j];

                                assert_true(fabs(r.s->projector.a[4 * i + j] - slope * (r.u[j].hi - r.u[j].lo)) < TOL);
                                left += slope * (r.confirmed[j] - r.s->end[j]);
                        }
                        assert_true(fabs(r.s->projector.cu[i] - left) < TOL);
                }
                for (size_t j = 0; j < 4; j++) {
                        memcpy(act, r.confirmed, r.nu * sizeof(double));
                        act[j] += 1e-4;
                        r.s->group[0].need = -(double)INFINITY;
                        tighten_rollout(r.s, r.d_hi, act, true);
                        for (size_t i = 0; i < n; i++) {
                                const double slope = (least[order[i]] - r.s->least[order[i]]) / 1e-4;

                                if (!(fabs(grad[i * r.nu + j] - slope) < 1e-6))
                                        fail_msg("level %d, row %zu at step %zu by variable %zu: %g, is %g", level,
                                                 order[i], r.s->when[order[i]], j, grad[i * r.nu + j], slope);
                        }
                }
                rig_close(&r);
        }
}

/* Slopes that are no numbers: no guess, and nothing written. */
static void test_no_guess_without_slopes(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.rooms = 1;
        for (int known = 0; known < 2; known++) {
                double act[16];

                rig_open(&r, a, 1);
                for (size_t k = 0; k < r.nterm; k++) {
                        if (!known && r.term[k].src == ARX_SRC_U && !r.term[k].sum1)
                                r.lo[k] = -(double)INFINITY;
                        if (!known && r.term[k].src == ARX_SRC_ONE)
                                r.hi[k] = (double)INFINITY;
                }
                rig_model(&r, false);
                rig_create(&r);
                assert_true(r.nu <= 16);
                aim(&r, act);
                assert_true(project_guess(r.s, 0, r.confirmed, act) == known);
                assert_true((act[1] != r.confirmed[1]) == known);
                rig_close(&r);
        }
}

/* A unit goes with its segment, off, also where a guess is halved; an output without a limit is no row of the guess. */
static void test_unit_in_the_room(void **state)
{
        (void)state;
        for (wrong = 0; wrong < SLOPES; wrong++) {
                struct rig_args a = rig_default();
                const struct safety_decision *d;
                struct rig r;
                size_t b;

                a.rooms = 1;
                rig_open(&r, a, 1);
                b = r.nu - 1;
                for (size_t k = 0; k < r.nterm; k++) {
                        if (r.term[k].src != ARX_SRC_U || r.term[k].index != 2)
                                continue;
                        r.term[k] = (struct arx_term){ARX_SRC_U, 1, 0, -1, (uint16_t)b};
                        r.lo[k] = r.hi[k] = -0.05;
                }
                r.cert[2].hi = (double)NAN;
                rig_model(&r, false);
                rig_create(&r);
                assert_int_equal(r.s->u_group[b], 0);
                rig_settle(&r, 25, 0.6);
                (void)rig_decide(&r);
                r.snap.mono_s = 4000;
                r.prop[b] = 0;
                r.prop[0] += 0.4;
                r.prop[1] = r.prop[3] = r.confirmed[1] - 0.05;
                r.s->env.reserve = 0;
                d = rig_decide(&r);
                assert_true(decision_kind(d) == DECISION_ACCEPT && rig_action(d)[b] == 0);
                r.s->env.reserve = r.s->group[0].margin + 0.01;
                d = rig_decide(&r);
                assert_int_equal(decision_reason(d), DR_WORST_CASE);
                assert_true(r.s->group[0].phase == PHASE_PROJECT && rig_action(d)[b] == 0);
                assert_true(decision_certificate(d)->margin >= r.s->env.reserve);
                rig_close(&r);
        }
        wrong = RIGHT;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_what_does_not_matter_is_not_cut),
            cmocka_unit_test(test_no_guess_for_a_blind_room),
            cmocka_unit_test(test_no_guess_without_slopes),
            cmocka_unit_test(test_what_a_guess_asks_for),
            cmocka_unit_test(test_slopes_of_the_margins),
            cmocka_unit_test(test_unit_in_the_room),
            cmocka_unit_test(test_never_farther_than_the_bisection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
