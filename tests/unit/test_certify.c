/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim certify in small: the claim holds, the plants are what the claim assumes, and whatever is broken on
 * purpose is found. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/certify.h"

#define STEPS 720 /* 6 h */

static uint64_t seed;

static uint64_t env(const char *name, uint64_t normal)
{
        const char *e = getenv(name);

        return e ? strtoull(e, NULL, 10) : normal;
}

static struct certify_result episode(uint64_t number, size_t units, size_t steps, enum certify_break broken)
{
        const struct certify_args a = {
            .seed = seed, .number = number, .units = units, .steps = steps, .broken = broken};
        struct certify_result r;

        assert_int_equal(certify_episode(&a, &r), 0);
        return r;
}

static void test_claim_holds(void **state)
{
        const uint64_t n = env("COOLPLANE_EPISODES", 40);
        uint64_t certified = 0, steps = 0, outside = 0, worst_case = 0;

        (void)state;
        for (uint64_t e = 0; e < n; e++) {
                const struct certify_result r = episode(e, 1 + e % 4, STEPS, CERTIFY_INTACT);

                if (certify_failed(&r))
                        fail_msg("episode %llu: %s", (unsigned long long)e, r.first);
                certified += r.certified;
                steps += r.steps;
                outside += r.hard_outside;
                worst_case += r.reason_steps[DR_WORST_CASE];
        }
        printf("%llu episodes, %llu steps, %llu certified, %llu cut, %llu hard violations outside the assumptions\n",
               (unsigned long long)n, (unsigned long long)steps, (unsigned long long)certified,
               (unsigned long long)worst_case, (unsigned long long)outside);
        /* it says something only where certificates are given and proposals have to be cut */
        assert_true(certified > steps / 2);
        assert_true(n < 40 || worst_case > steps / 50);
}

static void test_hostile(void **state)
{
        const uint64_t n = env("COOLPLANE_HOSTILE", 50000);
        uint64_t left = n;

        (void)state;
        for (uint64_t chunk = 0; left > 0; chunk++) {
                const uint64_t some = left < CERTIFY_CHUNK ? left : CERTIFY_CHUNK;
                struct certify_hostile h;

                assert_int_equal(certify_hostile(seed, chunk, some, &h), 0);
                assert_int_equal(h.proposals, some);
                if (certify_illegal_any(&h.illegal))
                        fail_msg("chunk %llu: %s", (unsigned long long)chunk, h.first);
                left -= some;
        }
}

/* Each break is found, in the way in which it breaks. */
static void test_breaks_are_found(void **state)
{
        uint64_t found[CERTIFY_BREAKS] = {0}, illegal = 0, within = 0;

        (void)state;
        for (int b = CERTIFY_BREAK_NOISE; b <= CERTIFY_BREAK_BACKUP; b++)
                for (uint64_t e = 0; e < 10; e++) {
                        const struct certify_result r = episode(e, 2, STEPS, (enum certify_break)b);

                        found[b] += r.hard + r.hard_outside > 0;
                        if (b == CERTIFY_BREAK_FILTER)
                                illegal += certify_failed(&r) && certify_illegal_any(&r.illegal);
                        if (b == CERTIFY_BREAK_BACKUP)
                                within += certify_failed(&r) && r.within > 0;
                }
        assert_true(found[CERTIFY_BREAK_NOISE] > 0);
        assert_true(found[CERTIFY_BREAK_PLANT] > 0);
        assert_true(found[CERTIFY_BREAK_FILTER] > 0);
        assert_true(illegal > 0);
        assert_true(within > 0);
}

static void test_episodes_repeat(void **state)
{
        struct certify_result a = episode(9, 2, 300, CERTIFY_INTACT), b = episode(9, 2, 300, CERTIFY_INTACT);

        (void)state;
        a.time = a.cpu = b.time = b.cpu = (struct certify_time){0};
        assert_memory_equal(&a, &b, sizeof(a));
}

static void test_kinds_cover_the_product(void **state)
{
        static uint8_t seen[CERTIFY_PLANTS][CERTIFY_NOISES][CERTIFY_LOADS][CERTIFY_PROPOSERS];

        (void)state;
        for (uint64_t e = 0; e < CERTIFY_PRODUCT; e++) {
                const struct certify_kinds k = certify_kinds(e);

                assert_int_equal(seen[k.plant][k.noise][k.load][k.proposer]++, 0);
        }
}

/* θ ∈ Θ with its sums; and with the nominal action, full load and noise that persists the limit holds. */
static void test_plants_are_of_the_set(void **state)
{
        struct rng r;

        (void)state;
        rng_seed(&r, seed, 1);
        for (int kind = 0; kind < CERTIFY_PLANTS; kind++)
                for (int rep = 0; rep < 20; rep++) {
                        static struct certify_site s;
                        double theta[CERTIFY_TERMS_MAX], y[CERTIFY_Y_MAX], u[CERTIFY_U_MAX], w[CERTIFY_Y_MAX];

                        certify_site_init(&s, 1 + (size_t)rep % 5, 0, kind != CERTIFY_UNBOUNDED);
                        certify_draw(&s, (enum certify_plant)kind, &r, theta);
                        for (size_t i = 0; i < s.st.ny; i++) {
                                double sum = 0;

                                for (size_t k = s.row_start[i]; k < s.row_start[i + 1]; k++) {
                                        assert_true(theta[k] >= s.lo[k] - 1e-12 && theta[k] <= s.hi[k] + 1e-12);
                                        sum += s.term[k].src == ARX_SRC_Y || s.term[k].sum1 ? theta[k] : 0;
                                }
                                if (s.contracting)
                                        assert_true(fabs(sum - 1) < 1e-9);
                                y[i] = i < s.units ? 23 : 18;
                                w[i] = CERTIFY_NOISE_K;
                        }
                        for (size_t j = 0; j < s.st.nu; j++)
                                u[j] = s.u[j].nominal;
                        for (size_t k = 0; k < 500; k++) {
                                double next[CERTIFY_Y_MAX] = {0};

                                certify_advance(&s, theta, y, u, s.d_max, w, next);
                                memcpy(y, next, sizeof(y));
                        }
                        for (size_t i = 0; i < s.units; i++)
                                assert_true(y[i] < s.cert[i].hi - GATE_RESERVE_K);
                }
}

static void test_judges(void **state)
{
        const struct safety_u sat = {.safe_dir = -1, .lo = 16, .hi = 28, .step = 0.1, .rate = 0.5},
                              still = {.lo = 0.3, .hi = 1},
                              unit = {.kind = SAFETY_U_ONOFF,
                                      .safe_dir = 1,
                                      .hi = 1,
                                      .step = 1,
                                      .min_on_s = 300,
                                      .min_off_s = 600,
                                      .max_starts_per_h = 1};
        struct certify_automaton q = {.on = true};
        struct certify_illegal n = {0};

        (void)state;
        assert_int_equal(certify_judge_value(&sat, 16, 28, &n), 0); /* more cooling at once */
        assert_int_equal(certify_judge_value(&sat, 20.5, 20, &n), 0);
        assert_int_equal(certify_judge_value(&sat, 15, 15, &n), 0);          /* stays beyond its box */
        assert_int_equal(certify_judge_value(&still, 1, 1.00000018, &n), 0); /* single precision, at a bound */
        assert_false(certify_illegal_any(&n));
        assert_int_equal(certify_judge_value(&still, 1, 1.000001, &n), 1);
        n = (struct certify_illegal){0};
        assert_int_equal(certify_judge_value(&sat, 20.6, 20, &n), 1);
        assert_int_equal(n.rate, 1);
        assert_int_equal(certify_judge_value(&sat, 20.05, 20, &n), 1);
        assert_int_equal(n.grid, 1);
        assert_int_equal(certify_judge_value(&sat, 15.9, 20, &n), 1);
        assert_int_equal(n.box, 1);
        assert_int_equal(certify_judge_value(&sat, (double)NAN, 20, &n), 1);
        assert_int_equal(n.not_finite, 1);
        assert_int_equal(certify_judge_unit(&unit, 0, 300, &q, &n), 0);
        assert_int_equal(certify_judge_unit(&unit, 1, 900, &q, &n), 0);
        assert_int_equal(certify_judge_unit(&unit, 0, 1190, &q, &n), 1); /* on for 290 s */
        assert_int_equal(certify_judge_unit(&unit, 1, 1800, &q, &n), 1); /* a second start in the hour */
        assert_int_equal(n.automaton, 2);
}

static void test_rejects(void **state)
{
        struct certify_result r;

        (void)state;
        assert_true(certify_episode(&(struct certify_args){.units = 0, .steps = 1}, &r) < 0);
        assert_true(certify_episode(&(struct certify_args){.units = CERTIFY_UNITS_MAX + 1, .steps = 1}, &r) < 0);
        assert_true(certify_episode(&(struct certify_args){.units = 1}, &r) < 0);
        assert_int_equal(certify_episode(&(struct certify_args){.units = CERTIFY_UNITS_MAX, .steps = 3}, &r), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_claim_holds),
            cmocka_unit_test(test_hostile),
            cmocka_unit_test(test_breaks_are_found),
            cmocka_unit_test(test_episodes_repeat),
            cmocka_unit_test(test_kinds_cover_the_product),
            cmocka_unit_test(test_plants_are_of_the_set),
            cmocka_unit_test(test_judges),
            cmocka_unit_test(test_rejects),
        };

        seed = env("COOLPLANE_SEED", 1);
        printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
