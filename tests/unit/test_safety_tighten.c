/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What is said of a room before and along its worst case: comfort, what is missing, inputs and loads of the plan. */
#include "tests/unit/test_safety_filter.h"

static void observe(struct rig *r)
{
        rig_point(r);
        memcpy(r->s->base, r->confirmed, r->nu * sizeof(double));
        tighten_model(r->s);
        tighten_observe(r->s, &r->snap);
}

/* Comfortable: every reading at least half a kelvin below what is recommended, which is the limit less soft_k. */
static void test_comfort_counts_from_the_soft_limit(void **state)
{
        (void)state;
        for (size_t row = 0; row < 6; row++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.cert[row].soft_k = 3; /* of 27 */
                rig_create(&r);
                NOW(r, row) = 23.5;
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                NOW(r, row) = 23.501;
                observe(&r);
                assert_true(r.s->group[0].comfortable == (row >= 3) && r.s->group[1].comfortable == (row < 3));
                NOW(r, row) = 22;
                NOW(r, (row + 1) % 6) = 26.5; /* the others' is the limit itself */
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                NOW(r, (row + 1) % 6) = 26.501;
                observe(&r);
                assert_true(!r.s->group[0].comfortable || !r.s->group[1].comfortable);
                r.y_ok[(row + 1) % 6] = COND_STALE; /* what is not read says nothing of comfort */
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                rig_close(&r);
        }
}

/* One coefficient by which a warmer output may cool another, whichever, and its room is neither cooperative nor has it
 * a terminal box; the other room is and has. */
static void test_any_output_that_cools(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.sat_rows = true;
        a.lags = 2;
        rig_open(&r, a, 1);
        rig_create(&r);
        for (size_t i = 0; i < r.ny; i++) {
                for (size_t k = r.row_start[i]; k < r.row_start[i + 1]; k++) {
                        const double was = r.lo[k];
                        const size_t g = r.s->row_group[i];

                        if (r.term[k].src != ARX_SRC_Y)
                                continue;
                        r.term[k].sign = 0;
                        r.lo[k] = -1e-9;
                        rig_model(&r, false);
                        rig_create(&r);
                        observe(&r);
                        assert_true(!r.s->group[g].cooperative && !r.s->group[g].invariant);
                        assert_true(r.s->group[1 - g].cooperative && r.s->group[1 - g].invariant);
                        r.lo[k] = 0;
                        rig_model(&r, false);
                        rig_create(&r);
                        observe(&r);
                        assert_true(r.s->group[g].cooperative && r.s->group[g].invariant);
                        r.lo[k] = was;
                }
        }
        rig_close(&r);
}

/* A row that is not certified, the first of all, comes down from above the limits until the rows that read it stay
 * below theirs: 0.84·27 + 2.56 − 0.32 + 0.36 + 0.05 leaves 1.67 K, and 0.055 of it is 2.04 at 37 °C, 1.41 at its own
 * end of 25.6. The box of the others ends at their limits all the same. */
static void test_first_row_comes_down(void **state)
{
        (void)state;
        for (int heavy = 0; heavy < 2; heavy++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                for (size_t i = 0; i < 5; i++)
                        r.cert[i].row = i + 1;
                r.env.ncert = 5;
                for (size_t k = r.row_start[1]; k < r.row_start[2]; k++) {
                        if (r.term[k].src == ARX_SRC_D) {
                                r.term[k].src = ARX_SRC_Y;
                                r.term[k].index = 0;
                                r.term[k].sum1 = 0;
                                r.lo[k] = r.hi[k] = heavy ? 0.07 : 0.055;
                        }
                }
                rig_model(&r, false);
                rig_create(&r);
                observe(&r);
                assert_true(r.s->row_group[0] == 0 && r.s->u_group[0] == 0);
                assert_int_equal(r.s->group[0].invariant, !heavy);
                assert_true(r.s->group[1].invariant);
                if (!heavy)
                        assert_true(r.s->box[0] > 25.5 && r.s->box[0] < 1.67 / 0.055);
                assert_true(r.s->box[1] == 27 && r.s->box[2] == 27 && r.s->box[3] == 27);
                rig_close(&r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_comfort_counts_from_the_soft_limit),
            cmocka_unit_test(test_any_output_that_cools),
            cmocka_unit_test(test_first_row_comes_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
