/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Decisions judged again by an object that saw nothing but what would be stored: whatever the filter certified is found
 * true, with the same numbers, and a changed action, margin, model or reading is found out. */
#include <errno.h>

#include "tests/unit/test_safety_common.h"

#define BASIS_MAX 512

struct pair {
        struct rig live, audit; /* the same envelope; audit's model holds what was loaded */
        uint8_t *set;
        size_t set_len, nbasis;
        double basis[BASIS_MAX];
        struct safety_recheck r;
};

static void pair_open(struct pair *p, struct rig_args a)
{
        memset(p, 0, sizeof(*p));
        rig_open(&p->live, a, 1);
        rig_open(&p->audit, a, 1);
        rig_create(&p->live);
        rig_create(&p->audit);
        p->set_len = arx_set_save(p->live.model, NULL, 0);
        p->set = malloc(p->set_len);
        assert_non_null(p->set);
        p->nbasis = safety_basis_save(p->live.s, 0, p->basis, 0);
        assert_true(p->nbasis > 0 && p->nbasis < BASIS_MAX);
}

static void pair_close(struct pair *p)
{
        rig_close(&p->live);
        rig_close(&p->audit);
        free(p->set);
}

static const struct safety_decision *decide(struct pair *p)
{
        const struct safety_decision *d = rig_decide(&p->live);

        p->basis[0] = 0;
        p->basis[p->nbasis] = 77;
        assert_int_equal(safety_basis_save(p->live.s, p->live.snap.mono_s, p->basis, p->nbasis), p->nbasis);
        assert_true(p->basis[0] == 1 && p->basis[p->nbasis] == 77); /* it takes what it says, no more */
        assert_int_equal(arx_set_save(p->live.model, p->set, p->set_len), p->set_len);
        return d;
}

static void recheck(struct pair *p, const double *act)
{
        assert_int_equal(arx_set_load(p->audit.model, p->set, p->set_len), 0);
        assert_int_equal(safety_recheck(p->audit.s, &p->live.snap, p->basis, p->nbasis, act, &p->r), 0);
}

static bool same(double a, double b)
{
        return a == b || (isnan(a) && isnan(b));
}

/* What was decided is found as it was said. */
static void agrees(struct pair *p, const struct safety_decision *d)
{
        const struct safety_certificate *c = decision_certificate(d);

        recheck(p, rig_action(d));
        assert_true(arx_hash(p->audit.model) == c->model_hash);
        assert_true(p->r.base_same && p->r.holds);
        assert_true(p->r.verified == c->verified);
        if (!same(p->r.margin, c->margin))
                fail_msg("margin %.17g, recomputed %.17g (%s, %s)", c->margin, p->r.margin,
                         decision_kind_str(decision_kind(d)), decision_reason_str(decision_reason(d)));
        if (!p->r.certified)
                return;
        assert_int_equal(p->r.binding_y, c->binding_y);
        assert_true(p->r.terminal == c->terminal);
}

static void test_certified_proposal(void **state)
{
        struct pair p;
        const struct safety_decision *d;

        (void)state;
        pair_open(&p, rig_default());
        p.live.prop[0] = 18.2;
        d = decide(&p);
        assert_int_equal(decision_kind(d), DECISION_ACCEPT);
        agrees(&p, d);
        assert_true(p.r.certified && p.r.terminal && p.r.margin > 0);
        pair_close(&p);
}

static void test_what_is_changed_is_found(void **state)
{
        struct pair p;
        const struct safety_decision *d;
        double act[16], margin;
        uint8_t *theta;

        (void)state;
        pair_open(&p, rig_default());
        p.live.prop[0] = 18.4;
        d = decide(&p);
        agrees(&p, d);
        margin = p.r.margin;
        memcpy(act, rig_action(d), p.live.nu * sizeof(double));
        act[0] = 18.3; /* one count: nothing that the rules forbid, but not what the margin is of */
        recheck(&p, act);
        assert_true(p.r.verified && p.r.margin != margin);
        act[0] = 28.4; /* beyond the box */
        recheck(&p, act);
        assert_false(p.r.verified);
        act[0] = 18.9; /* faster than its rate */
        recheck(&p, act);
        assert_false(p.r.verified);
        act[0] = 18.4;
        act[9] = 0; /* a chiller that had not run long enough */
        recheck(&p, act);
        assert_false(p.r.verified);
        /* the model */
        theta = p.set + p.set_len - 8;
        theta[0] ^= 1;
        (void)arx_set_load(p.audit.model, p.set, p.set_len);
        assert_true(arx_hash(p.audit.model) != decision_certificate(d)->model_hash);
        theta[0] ^= 1;
        for (size_t j = 0; j < 8; j++) { /* what was confirmed */
                p.live.confirmed[j] += 0.1;
                recheck(&p, rig_action(d));
                assert_false(p.r.base_same);
                p.live.confirmed[j] -= 0.1;
        }
        /* a reading */
        p.live.wy[(RIG_HIST - 1) * p.live.ny] += 0.25;
        recheck(&p, rig_action(d));
        assert_true(p.r.margin != margin);
        /* one so hot that nothing is true of it any more */
        p.live.wy[(RIG_HIST - 1) * p.live.ny] += 20;
        recheck(&p, rig_action(d));
        assert_true(p.r.certified && !p.r.holds);
        p.live.wy[(RIG_HIST - 1) * p.live.ny] = (double)NAN; /* certified, and yet it could not be read */
        recheck(&p, rig_action(d));
        assert_true(p.r.certified && !p.r.holds);
        pair_close(&p);
}

static void test_another_basis_is_refused(void **state)
{
        struct pair p;
        const double *act;

        (void)state;
        pair_open(&p, rig_default());
        act = rig_action(decide(&p));
        assert_int_equal(safety_recheck(p.audit.s, &p.live.snap, p.basis, p.nbasis - 1, act, &p.r), -EINVAL);
        p.basis[0] = 2;
        assert_int_equal(safety_recheck(p.audit.s, &p.live.snap, p.basis, p.nbasis, act, &p.r), -EINVAL);
        pair_close(&p);
}

/* Of what does not hold the margin is told as well, the least along the whole horizon, whichever room it is. */
static void test_margin_of_what_does_not_hold(void **state)
{
        (void)state;
        for (size_t room = 0; room < 2; room++) {
                struct pair p;
                const struct safety_decision *d;
                double act[16], y[20 * 6], work[8192], least = (double)INFINITY;
                uint8_t all[6];

                pair_open(&p, rig_default());
                d = decide(&p);
                memcpy(act, rig_action(d), p.live.nu * sizeof(double));
                p.live.d_hi[room] = 4; /* more than it was certified for: warmer and warmer */
                recheck(&p, act);
                assert_true(p.r.certified && !p.r.holds && !p.r.terminal);
                memset(all, 1, sizeof(all));
                assert_true(p.live.ny == 6 && p.live.env.horizon == 20 && arx_predict_work(p.live.model, 20) <= 8192);
                arx_worst(p.audit.model, &p.live.snap.window, 20, p.audit.s->u_future, p.audit.s->d_future, 1, all,
                          work, y);
                for (size_t k = 0; k < sizeof(y) / sizeof(y[0]); k++)
                        least = fmin(least, 27 - y[k]);
                assert_true(least < 0 && fabs(p.r.margin - least) < 1e-9);
                assert_int_equal(p.r.binding_y / 3, room);
                pair_close(&p);
        }
}

/* Of two rooms with the same margin the first is named, as in the certificate. */
static void test_rooms_alike(void **state)
{
        struct pair p;
        const struct safety_decision *d;

        (void)state;
        pair_open(&p, rig_default());
        d = decide(&p);
        assert_true(p.live.s->group[0].margin == p.live.s->group[1].margin);
        agrees(&p, d);
        assert_true(p.r.certified && p.r.binding_y >= 0 && p.r.binding_y < 3);
        pair_close(&p);
}

/* A decision whose plan does not end in the terminal box was good where the one before did not either. An object that
 * has held it since, as one that decided goes on to do, says so all the same. */
static void test_nothing_is_said_of_the_step_before(void **state)
{
        struct pair p;
        const struct safety_decision *d;
        struct safety_snapshot snap;
        double act[16], basis[BASIS_MAX], confirmed[16], wu[RIG_HIST * 16];

        (void)state;
        pair_open(&p, rig_default());
        p.live.env.horizon = p.audit.env.horizon = 5;
        rig_create(&p.live);
        rig_create(&p.audit);
        for (size_t i = 0; i < RIG_HIST * p.live.ny; i++)
                p.live.wy[i] = 20;
        for (size_t j = 0; j < 8; j += 2)
                p.live.confirmed[j] = p.live.prop[j] = 24; /* 24, 23, 22, 21, 20: not at 16 yet */
        d = decide(&p);
        assert_false(decision_certificate(d)->terminal);
        agrees(&p, d);
        assert_true(p.r.certified && !p.r.terminal);
        memcpy(act, rig_action(d), p.live.nu * sizeof(double));
        memcpy(basis, p.basis, sizeof(basis));
        memcpy(confirmed, p.live.confirmed, p.live.nu * sizeof(double));
        memcpy(wu, p.live.wu, RIG_HIST * p.live.nu * sizeof(double));
        snap = p.live.snap;
        snap.u_confirmed = confirmed;
        snap.window.u = wu;
        for (size_t j = 0; j < 8; j += 2)
                p.live.confirmed[j] = p.live.prop[j] = 18;
        for (size_t k = 0; k < 2; k++)
                assert_true(decision_certificate(decide(&p))->terminal);
        assert_true(p.live.s->group[0].held && p.live.s->group[1].held);
        assert_int_equal(safety_recheck(p.live.s, &snap, basis, p.nbasis, act, &p.r), 0);
        assert_true(p.r.base_same && p.r.certified && p.r.holds && !p.r.terminal && p.r.verified);
        pair_close(&p);
}

/* A group that was given up: the margin is what was said, for no candidate like it is judged again. */
static void test_given_up(void **state)
{
        struct pair p;
        struct rig_args a = rig_default();
        const struct safety_decision *d;

        (void)state;
        a.w = 2; /* noise no backup can hold */
        pair_open(&p, a);
        p.live.prop[0] = 18.2;
        d = decide(&p);
        assert_int_equal(decision_reason(d), DR_NOT_CERTIFIABLE);
        agrees(&p, d);
        assert_false(p.r.certified);
        assert_true(p.r.margin < 0);
        for (size_t i = 0; i < RIG_HIST * p.live.ny; i++) /* the second room is the worse one */
                p.live.wy[i] += i % p.live.ny >= p.live.a.inlets ? 1 : 0;
        d = decide(&p);
        assert_int_equal(decision_reason(d), DR_NOT_CERTIFIABLE);
        assert_true(p.live.s->group[1].margin < p.live.s->group[0].margin);
        agrees(&p, d);
        pair_close(&p);
}

/* Timers are those of the decision: a stop in time is found legal, one half a second before it is not. */
static void test_timers_of_the_decision(void **state)
{
        (void)state;
        for (int early = 0; early < 2; early++) {
                struct pair p;
                double act[16];

                pair_open(&p, rig_default());
                (void)decide(&p);
                p.live.snap.mono_s += 300 - p.live.env.step_s - 0.5 * early;
                p.live.prop[9] = 0;
                memcpy(act, rig_action(decide(&p)), p.live.nu * sizeof(double));
                assert_true(act[9] == early);
                act[9] = 0;
                recheck(&p, act);
                assert_int_equal(p.r.verified, !early);
                pair_close(&p);
        }
}

/* Too little room: only how much it takes is told. */
static void test_basis_that_does_not_fit(void **state)
{
        struct pair p;

        (void)state;
        pair_open(&p, rig_default());
        (void)decide(&p);
        for (size_t less = 1; less <= p.nbasis; less++) {
                p.basis[0] = -1;
                assert_int_equal(safety_basis_save(p.live.s, 0, p.basis, p.nbasis - less), p.nbasis);
                assert_true(p.basis[0] == -1);
        }
        pair_close(&p);
}

static void test_fallback_has_no_margin(void **state)
{
        struct pair p;
        const struct safety_decision *d;

        (void)state;
        pair_open(&p, rig_default());
        p.live.snap.interlock = true;
        d = decide(&p);
        assert_int_equal(decision_kind(d), DECISION_FALLBACK);
        agrees(&p, d);
        assert_true(!p.r.certified && isnan(p.r.margin) && p.r.verified);
        assert_int_equal(p.r.binding_y, -1);
        pair_close(&p);
}

static void test_a_room_that_cannot_be_read(void **state)
{
        struct pair p;
        const struct safety_decision *d;

        (void)state;
        pair_open(&p, rig_default());
        p.live.y_ok[0] = COND_STALE;
        d = decide(&p);
        assert_int_equal(decision_reason(d), DR_SENSOR);
        agrees(&p, d);
        assert_false(p.r.certified);
        pair_close(&p);
}

/* A room with a dark reading that gets warmer and warmer: from what it is let alone to where only part of the way to
 * the backup holds its other readings. */
static void test_a_room_half_read_gets_warm(void **state)
{
        size_t part = 0, whole = 0, gone = 0;

        (void)state;
        for (double y_c = 23; y_c < 28; y_c += 0.05) {
                struct pair p;
                const struct safety_decision *d;

                pair_open(&p, rig_default());
                for (size_t i = 0; i < RIG_HIST * p.live.ny; i++)
                        p.live.wy[i] = y_c;
                for (size_t j = 0; j < 8; j += 2)
                        p.live.confirmed[j] = p.live.prop[j] = 20;
                p.live.y_ok[0] = COND_STALE;
                p.live.d_hi[0] = 1.1;
                d = decide(&p);
                agrees(&p, d);
                assert_false(p.r.certified);
                if (p.live.s->group[0].decided) { /* said another margin of it: found, but of what was given up */
                        const struct group *g = &p.live.s->group[0];
                        const bool given_up = g->fraction < 1 && g->hi - g->lo == 1;

                        p.basis[p.nbasis - 2 * p.live.s->ngroup + 1] = -77;
                        recheck(&p, rig_action(d));
                        assert_true((p.r.margin == -77) == given_up);
                        whole += g->fraction == 1;
                        gone += given_up;
                }
                part += p.live.s->group[0].fraction < 1 && p.live.s->group[0].hi - p.live.s->group[0].lo < 1;
                pair_close(&p);
        }
        assert_true(part > 0 && whole > 0 && gone > 0);
}

static void shake(struct pair *p, uint8_t *fixed)
{
        struct rig *r = &p->live;
        struct rng *g = &r->rng;
        const double reach = rng_uniform(g) < 0.4 ? 0 : 2;

        for (size_t j = 0; j < r->nu; j++) {
                const struct safety_u *u = &r->u[j];

                r->prop[j] = r->confirmed[j] + rng_range(g, -1, 1) * (u->kind == SAFETY_U_ONOFF ? 1 : u->rate) * reach;
                fixed[j] = rng_uniform(g) < 0.02;
                r->status[j] = rng_uniform(g) < 0.02 ? 255 : r->confirmed[j] >= 0.5;
                if (rng_uniform(g) < 0.02)
                        r->confirmed[j] = (double)NAN;
                else if (rng_uniform(g) < 0.01)
                        r->confirmed[j] = u->hi + 0.7;
        }
        for (size_t i = 0; i < r->ny; i++)
                r->y_ok[i] = rng_uniform(g) < 0.01 ? COND_ERROR : COND_TRUE;
        for (size_t d = 0; d < r->nd; d++)
                r->d_hi[d] = d < r->a.rooms ? rng_range(g, 0.2, 1.1) : 11;
        r->p.present = rng_uniform(g) < 0.95;
        r->snap.slow_step = rng_uniform(g) < 0.3;
        r->snap.no_warmer_water = rng_uniform(g) < 0.1;
        r->snap.no_colder_water = rng_uniform(g) < 0.1;
        r->snap.interlock = rng_uniform(g) < 0.01;
        r->snap.cooling_load_w = rng_uniform(g) < 0.1 ? (double)NAN : rng_range(g, 40e3, 120e3);
}

/* A plant of the set under random proposals, gaps, local devices and a model that learns: everything is found again. */
static void campaign(struct rig_args a, uint64_t seed, bool anchor, size_t steps)
{
        struct pair p;
        uint8_t fixed[16] = {0};
        size_t by_kind[4] = {0}, certified = 0;

        pair_open(&p, a);
        rig_model(&p.live, anchor);
        rig_model(&p.audit, anchor);
        rig_create(&p.live);
        rig_create(&p.audit);
        rng_seed(&p.live.rng, seed, 3);
        rig_draw(&p.live, false);
        p.live.snap.u_fixed = fixed;
        for (size_t t = 0; t < steps; t++) {
                const struct safety_decision *d;
                double load[4];

                shake(&p, fixed);
                d = decide(&p);
                agrees(&p, d);
                by_kind[decision_kind(d)]++;
                certified += p.r.certified;
                for (size_t k = 0; k < p.live.nd; k++)
                        load[k] = k < a.rooms ? p.live.d_hi[k] * 0.8 : 10;
                rig_advance(&p.live, rig_action(d), load, 0);
                (void)arx_add(p.live.model, &(struct arx_window){RIG_HIST - 1, p.live.wy, p.live.wu, p.live.wd},
                              p.live.wy + (RIG_HIST - 1) * p.live.ny);
                if (t % 50 == 49)
                        (void)arx_fit(p.live.model, 40);
        }
        for (size_t k = 0; k < 4; k++)
                assert_true(by_kind[k] > 0);
        assert_true(certified > steps / 20);
        pair_close(&p);
}

static void test_everything_is_found_again(void **state)
{
        struct rig_args a = rig_default();

        (void)state;
        campaign(a, rig_seed(), false, 1500);
        a.sat_rows = true;
        campaign(a, rig_seed() + 1, true, 1500);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_certified_proposal),
            cmocka_unit_test(test_what_is_changed_is_found),
            cmocka_unit_test(test_another_basis_is_refused),
            cmocka_unit_test(test_given_up),
            cmocka_unit_test(test_timers_of_the_decision),
            cmocka_unit_test(test_basis_that_does_not_fit),
            cmocka_unit_test(test_fallback_has_no_margin),
            cmocka_unit_test(test_a_room_that_cannot_be_read),
            cmocka_unit_test(test_margin_of_what_does_not_hold),
            cmocka_unit_test(test_rooms_alike),
            cmocka_unit_test(test_nothing_is_said_of_the_step_before),
            cmocka_unit_test(test_a_room_half_read_gets_warm),
            cmocka_unit_test(test_everything_is_found_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
