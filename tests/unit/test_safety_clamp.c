/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The last clamp over every class of double: each sign and exponent (zeros, subnormals, infinities and NaN among them)
 * with the mantissas at which rounding turns, as the proposal and as the base, for random valid variables. What comes
 * out is finite, in the box (or the base, where that lies beyond), on the register's grid and within the rate.
 */
#include "tests/unit/test_safety_common.h"

#include <string.h>

#define SIGN_EXPONENTS 4096u
static const uint64_t mantissa[] = {0, 1, UINT64_C(1) << 51, (UINT64_C(1) << 52) - 1};
#define MANTISSAS (sizeof mantissa / sizeof mantissa[0])
#define CLASSES (SIGN_EXPONENTS * MANTISSAS)

static double of_class(uint64_t c)
{
        const uint64_t bits = (c / MANTISSAS) << 52 | mantissa[c % MANTISSAS];
        double v;

        memcpy(&v, &bits, sizeof v);
        return v;
}

static double log_uniform(struct rng *r, double lo, double hi)
{
        return lo * pow(hi / lo, rng_uniform(r));
}

static struct safety_u random_u(struct rng *r)
{
        for (;;) {
                const double width = log_uniform(r, 1e-3, 1e4), lo = width * 4 * (rng_uniform(r) - 0.5);
                struct safety_u u = {.safe_dir = (int8_t)((int)rng_below(r, 3) - 1),
                                     .lo = lo,
                                     .hi = lo + width,
                                     .step = rng_below(r, 3) ? log_uniform(r, width * 1e-6, width / 3) : 0,
                                     .fast = 1};

                u.origin = rng_below(r, 2) ? 0 : lo;
                u.rate = fmax(u.step, width * rng_uniform(r)) * 1.01;
                u.backup_rate = fmax(u.rate, width * rng_uniform(r));
                u.nominal = lo + width * rng_uniform(r);
                if (safety_u_check(&u) == NULL)
                        return u;
        }
}

static void holds(const struct safety_u *u, double base, double v)
{
        const double tol = 1e-9 * (fabs(u->lo) + fabs(u->hi) + fabs(base));
        enum decision_reason why = DR_ACCEPTED;
        const double q = limits_quantise(u, v, base), m = limits_move(u, base, v, true, false, &why);
        const double out[2] = {q, m};

        for (size_t k = 0; k < 2; k++) {
                if (out[k] == base && limits_beyond(u, base))
                        continue;
                if (!(isfinite(out[k]) && out[k] >= u->lo && out[k] <= u->hi))
                        fail_msg("%.17g from %.17g gives %.17g outside %.17g..%.17g", v, base, out[k], u->lo, u->hi);
                if (u->step > 0) {
                        const double counts = (out[k] - u->origin) / u->step;

                        if (!(fabs(counts - round(counts)) < 1e-6))
                                fail_msg("%.17g is not on the grid", out[k]);
                }
        }
        if (isfinite(base) && base >= u->lo && base <= u->hi && (u->safe_dir == 0 || limits_less_cooling(u, m, base)))
                if (!(fabs(m - base) <= u->rate + SAFETY_SNAP * u->step + tol))
                        fail_msg("%.17g from %.17g gives %.17g: more than %.17g (step %.17g, safe_dir %d)", v, base, m,
                                 u->rate, u->step, u->safe_dir);
}

static void every_class_as_proposal(void **state)
{
        struct rng r;

        (void)state;
        rng_seed(&r, rig_seed(), 11);
        for (unsigned i = 0; i < 200; i++) {
                const struct safety_u u = random_u(&r);
                const double base = limits_quantise(&u, u.lo + (u.hi - u.lo) * rng_uniform(&r), u.nominal);

                for (uint64_t c = 0; c < CLASSES; c++)
                        holds(&u, base, of_class(c));
        }
}

static void every_class_as_base(void **state)
{
        struct rng r;

        (void)state;
        rng_seed(&r, rig_seed(), 12);
        for (unsigned i = 0; i < 200; i++) {
                const struct safety_u u = random_u(&r);
                const double v = u.lo + (u.hi - u.lo) * (3 * rng_uniform(&r) - 1);

                for (uint64_t c = 0; c < CLASSES; c++)
                        if (isfinite(of_class(c))) /* a base that is none never comes so far: HOLD */
                                holds(&u, of_class(c), v);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_class_as_proposal),
            cmocka_unit_test(every_class_as_base),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
