/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rollouts that stop early say what the whole horizon says. */
#include "tests/unit/test_safety_common.h"

#define TOL 1e-9

struct told {
        size_t lost, settled, whole;
};

/* Least margin of group g in `up` [N × ny] and the first row that has it. */
static double margin_of(const struct rig *r, size_t g, const double *up)
{
        double least = (double)INFINITY;

        for (size_t i = 0; i < r->ninlet; i++)
                for (size_t k = 0; k < r->env.horizon && r->s->row_group[i] == g; k++)
                        least = fmin(least, r->a.limit_c - up[k * r->ny + i]);
        return least;
}

static void random_state(struct rig *r)
{
        const double level = rng_range(&r->rng, 18, r->a.limit_c + 0.5), swing = rng_range(&r->rng, 0, 0.5);

        rig_settle(r, level, rng_range(&r->rng, 0.3, 1.1));
        for (size_t i = 0; i < RIG_HIST * r->ny; i++)
                r->wy[i] += rng_range(&r->rng, -swing, swing);
        for (size_t j = 0; j < r->nu; j++) {
                r->s->base[j] = rng_range(&r->rng, r->u[j].lo, r->u[j].hi);
                r->prop[j] = rng_range(&r->rng, r->u[j].lo, r->u[j].hi);
        }
}

static void compare(struct rig *r, double *up, double *work, uint8_t *active, struct told *n)
{
        struct safety *s = r->s;

        tighten_model(s);
        tighten_observe(s, &r->snap);
        tighten_window(s, &r->snap);
        for (size_t g = 0; g < s->ngroup; g++)
                s->group[g].need = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0, 1) : -(double)INFINITY;
        tighten_rollout(s, r->d_hi, r->prop, true);
        memset(active, 1, r->ny);
        arx_worst(r->model, &r->snap.window, r->env.horizon, s->u_future, s->d_future, 1, active, work, up);
        for (size_t g = 0; g < s->ngroup; g++) {
                struct group *p = &s->group[g];
                const bool stopped = !p->rolling, ok = tighten_judge(s, g) && p->margin >= p->need,
                           terminal = p->terminal;
                const double margin = p->margin, whole = margin_of(r, g, up);

                n->lost += stopped && p->lost;
                n->settled += stopped && !p->lost;
                n->whole += !stopped;
                if (p->lost) {
                        assert_false(ok);
                        assert_true(whole < p->need);
                        continue;
                }
                assert_true(fabs(margin - whole) <= TOL);
                for (size_t k = 0; k < r->env.horizon * r->ny; k++)
                        assert_true(s->row_group[k % r->ny] != g || s->y_up[k] >= up[k] - TOL);
                /* the same, of the whole */
                for (size_t k = 0; k < r->env.horizon * r->ny; k++)
                        s->y_up[k] = s->row_group[k % r->ny] == g ? up[k] : s->y_up[k];
                assert_true(ok == (tighten_judge(s, g) && p->margin >= p->need));
                assert_true(terminal == p->terminal);
        }
}

static void test_stopping_changes_no_verdict(void **state)
{
        struct told n = {0};

        (void)state;
        for (size_t k = 0; k < 48; k++) {
                struct rig_args a = rig_default();
                struct rig r;
                double *up, *work;
                uint8_t *active;

                a.lags = 1 + k % 3;
                a.sat_rows = k % 2;
                a.spread = k % 4 < 2 ? 0.1 : 0.4;
                a.limit_c = k % 5 ? 27 : 32;
                rig_open(&r, a, k);
                for (size_t j = 0; j < r.nu && k % 3 == 0; j++)
                        r.u[j].backup_rate = r.u[j].hi - r.u[j].lo; /* in force at once */
                rig_model(&r, k % 4 == 1 || k % 4 == 2);
                rig_create(&r);
                up = rig_alloc(r.env.horizon * r.ny, sizeof(double));
                work = rig_alloc(arx_predict_work(r.model, r.env.horizon), sizeof(double));
                active = rig_alloc(r.ny, 1);
                for (size_t i = 0; i < 60; i++) {
                        random_state(&r);
                        compare(&r, up, work, active, &n);
                }
                free(active);
                free(work);
                free(up);
                rig_close(&r);
        }
        printf("%zu lost early, %zu settled, %zu to the end\n", n.lost, n.settled, n.whole);
        assert_true(n.lost > 100 && n.settled > 100 && n.whole > 100);
}

/* An output that may cool another: a row that falls says nothing of what follows. */
static void test_outputs_that_cool_do_not_settle(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.rooms = 1;
        for (int cools = 0; cools < 2; cools++) {
                rig_open(&r, a, 1);
                for (size_t k = 0; k < r.nterm; k++) {
                        if (cools && r.term[k].src == ARX_SRC_Y) {
                                r.term[k].sign = 0;
                                r.lo[k] = -1e-3;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                rig_settle(&r, 24, 0.3);
                (void)rig_decide(&r);
                assert_true(r.s->group[0].certified);
                assert_true(r.s->group[0].rolling == cools);
                rig_close(&r);
        }
}

/* A reading that is missing: no bound, so no fall, and no margin that could be lost. */
static void test_blind_rollout_runs_to_the_end(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.rooms = 1;
        rig_open(&r, a, 1);
        rig_create(&r);
        rig_settle(&r, 29, 1); /* far beyond the limit */
        r.y_ok[0] = COND_STALE;
        r.wy[(RIG_HIST - 1) * r.ny] = (double)NAN;
        tighten_model(r.s);
        tighten_observe(r.s, &r.snap);
        tighten_window(r.s, &r.snap);
        r.s->group[0].need = 0;
        memcpy(r.s->base, r.confirmed, r.nu * sizeof(double));
        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
        assert_true(r.s->group[0].rolling && r.s->group[0].lost);
        assert_true(isnan(r.s->least[0]) && r.s->least[1] < 0);
        assert_false(tighten_judge(r.s, 0));
        assert_true(r.s->group[0].binding > 0);
        rig_close(&r);
}

/* The backup takes two steps here: inputs stay from the second on, and every room is done before the horizon ends. */
static void test_from_where_inputs_stay(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        memcpy(r.s->base, r.confirmed, r.nu * sizeof(double));
        tighten_model(r.s);
        tighten_observe(r.s, &r.snap);
        tighten_window(r.s, &r.snap);
        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
        for (size_t g = 0; g < 2; g++) {
                assert_int_equal(r.s->group[g].steady, 2);
                assert_false(r.s->group[g].rolling);
        }
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_stopping_changes_no_verdict),
            cmocka_unit_test(test_outputs_that_cool_do_not_settle),
            cmocka_unit_test(test_blind_rollout_runs_to_the_end),
            cmocka_unit_test(test_from_where_inputs_stay),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
