/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Closed loop on plants drawn from Θ, the vertex model with w = +w̄ at every step among them. Once a decision carries a
 * certificate that ends in the terminal box: no certified output ever exceeds its limit, and a certified action exists
 * at every later step (recursive feasibility), whatever is proposed.
 */
#include "tests/unit/test_safety_common.h"

struct outcome {
        size_t steps, certified, cut;
        double peak_c;
};

static void propose(struct rig *r, unsigned how, size_t k)
{
        for (size_t j = 0; j < r->nu; j++) {
                const struct safety_u *u = &r->u[j];
                double warm = u->safe_dir > 0 ? u->lo : u->hi, cold = u->safe_dir > 0 ? u->hi : u->lo;

                if (u->kind == SAFETY_U_ONOFF)
                        r->prop[j] = 1;
                else if (how == 0)
                        r->prop[j] = warm;
                else if (how == 1)
                        r->prop[j] = rng_range(&r->rng, u->lo, u->hi);
                else if (how == 2)
                        r->prop[j] = k / 40 % 2 ? warm : cold;
                else
                        r->prop[j] = rng_below(&r->rng, 10) ? warm : (double)NAN;
        }
        r->p.present = rng_below(&r->rng, 50) > 0;
}

static void episode(struct rig *r, size_t steps, struct outcome *sum)
{
        int noise = rng_below(&r->rng, 2) ? 1 : 0;
        unsigned how = rng_below(&r->rng, 4);
        bool covered = false;
        double d[16];

        rig_settle(r, 22, 0.6);
        rig_create(r);
        rig_draw(r, false);
        for (size_t k = 0; k < steps; k++) {
                const struct safety_decision *dec;
                const struct safety_certificate *c;

                for (size_t i = 0; i < r->nd; i++) {
                        double top = r->d_max[i];

                        d[i] = noise > 0 || k / 60 % 2 ? top : rng_range(&r->rng, 0.5 * top, top);
                        r->d_hi[i] = top;
                }
                propose(r, how, k);
                r->snap.slow_step = k % 10 == 0;
                dec = rig_decide(r);
                c = decision_certificate(dec);
                if (decision_kind(dec) == DECISION_FALLBACK) {
                        covered = false; /* trim and respond carries no certificate */
                } else {
                        bool certified = c->verified && c->terminal && c->margin >= -1e-9;

                        if (covered && !certified)
                                fail_msg("step %zu: chain broken: %s %s margin %g terminal %d fraction %g", k,
                                         decision_kind_str(decision_kind(dec)),
                                         decision_reason_str(decision_reason(dec)), c->margin, c->terminal,
                                         c->fraction);
                        covered = certified;
                        sum->certified += certified;
                        sum->cut += certified && decision_reason(dec) == DR_WORST_CASE;
                }
                sum->steps++;
                rig_advance(r, rig_action(dec), d, noise);
                for (size_t i = 0; i < r->ninlet; i++) {
                        double y = r->wy[(RIG_HIST - 1) * r->ny + i];

                        sum->peak_c = covered ? fmax(sum->peak_c, y) : sum->peak_c;
                        if (covered && y > r->a.limit_c + 1e-6)
                                fail_msg("step %zu inlet %zu at %.9f C above %g", k, i, y, r->a.limit_c);
                }
        }
}

static void test_plants_from_the_set(void **state)
{
        size_t episodes = rig_env("COOLPLANE_EPISODES", 14);
        uint64_t seed = rig_seed();
        struct outcome sum = {0};

        (void)state;
        for (size_t e = 0; e < episodes; e++) {
                struct rig_args a = rig_default();
                struct rig r;

                a.lags = 1 + e % 3;
                a.sat_rows = e / 3 % 2;
                a.spread = 0.1 + 0.05 * (double)(e % 4);
                a.step = e % 5 ? 0.1 : 0.4;
                a.horizon = e % 2 ? 20 : 6; /* 6: shorter than the ramp from the warm end */
                rig_open(&r, a, seed + e);
                if (e % 7 == 3) { /* slow air handlers */
                        for (size_t j = 0; j < 2 * a.rooms * a.crahs; j += 2)
                                r.u[j].fast = 0;
                }
                episode(&r, 200, &sum);
                rig_close(&r);
        }
        printf("%zu episodes, %zu steps: %zu certified, %zu of them cut, peak %.4f C\n", episodes, sum.steps,
               sum.certified, sum.cut, sum.peak_c);
        /* the test says something only if the filter was in force and had to cut, right up to the limit */
        assert_true(sum.certified > sum.steps / 2);
        assert_true(sum.cut > sum.steps / 20);
        assert_true(sum.peak_c > 24);
}

/* Without the filter the same proposals do exceed: the plants are not harmless. */
static void test_plants_are_dangerous(void **state)
{
        struct rig r;
        double peak_c = 0, d[3] = {1, 1, 12};

        (void)state;
        rig_open(&r, rig_default(), rig_seed());
        for (size_t k = 0; k < 200; k++) {
                propose(&r, 0, k);
                rig_advance(&r, r.prop, d, 1);
                for (size_t i = 0; i < r.ninlet; i++)
                        peak_c = fmax(peak_c, r.wy[(RIG_HIST - 1) * r.ny + i]);
        }
        assert_true(peak_c > r.a.limit_c + 2);
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_plants_from_the_set),
                                           cmocka_unit_test(test_plants_are_dangerous)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
