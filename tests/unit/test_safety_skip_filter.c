/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Linked so that something else than what the filter made goes to the second checker: the proposal as it came, one
 * variable of it, or one variable anywhere within two rates of what the plant has. */
#define HOSTILE_DEFAULT 20000
#include "tests/unit/test_safety_hostile.h"

bool __real_verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act);
bool __wrap_verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act);

static struct rng rng;
static size_t whole, one, whole_refused, one_refused;

static double near_present(const struct rig *r, size_t j)
{
        const struct safety_u *u = &r->u[j];
        double v = r->confirmed[j] + rng_range(&rng, -2, 2) * (u->rate + u->step);

        if (u->kind == SAFETY_U_ONOFF)
                return rng_below(&rng, 2);
        return u->step > 0 && rng_below(&rng, 8) ? u->origin + round((v - u->origin) / u->step) * u->step : v;
}

bool __wrap_verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act)
{
        static int64_t judged_ms = -1; /* the first call of a decision brings the action, a second one the backup */
        const struct rig *r = hostile_rig;
        double *into = r->s->act;
        bool first = snap->t_ms != judged_ms, ok;
        uint32_t how = rng_below(&rng, 4);

        judged_ms = snap->t_ms;
        if (first) {
                size_t j = rng_below(&rng, (uint32_t)r->nu);

                assert_ptr_equal(act, into);
                hostile_replaced = true;
                if (how == 0)
                        memcpy(into, r->prop, r->nu * sizeof(double));
                else
                        into[j] = how == 1 ? r->prop[j] : near_present(r, j);
                whole += how == 0;
                one += how > 0;
        }
        ok = __real_verify_action(v, snap, act);
        whole_refused += first && how == 0 && !ok;
        one_refused += first && how > 0 && !ok;
        return ok;
}

int main(void)
{
        int failed;

        rng_seed(&rng, rig_seed(), 11);
        failed = hostile_main();
        printf("proposals as they came %zu, refused %zu; one variable changed %zu, refused %zu\n", whole, whole_refused,
               one, one_refused);
        /* they did reach the second checker, and it had both to pass and to refuse */
        return failed || whole_refused * 2 < whole || one_refused * 4 < one || one_refused * 10 > one * 9;
}
