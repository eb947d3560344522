/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a filter is created from, what it refuses, and the block that it asks for. */
#include <errno.h>

#include "tests/unit/test_safety_filter.h"

/* The filter keeps what it was created with: what becomes of the caller's arrays is nothing to it. */
static void test_envelope_is_copied(void **state)
{
        struct rig_args a = rig_default();
        struct safety_lift pair = {8, 9, 8, 12, 0}; /* condenser water, chilled water: 20 and 8 */
        struct rig r;

        (void)state;
        a.towers = true;
        rig_open(&r, a, 1);
        r.env.lift = &pair;
        r.env.nlift = 1;
        rig_create(&r);
        pair = (struct safety_lift){0, 0, -100, 100, 0};
        for (size_t j = 0; j < r.nu; j++)
                r.u[j].rate = 100;
        for (size_t i = 0; i < r.ninlet; i++)
                r.cert[i] = (struct safety_y){.row = 0, .hi = 0, .trip = 0};
        for (size_t d = 0; d < r.nd; d++)
                r.d_max[d] = 1e3;
        r.prop[0] = 18.2;
        expect(rig_decide(&r), DECISION_ACCEPT, DR_ACCEPTED);
        assert_true(decision_certificate(&r.s->decision)->terminal && decision_certificate(&r.s->decision)->verified);
        r.prop[8] = 21;
        expect(rig_decide(&r), DECISION_PROJECT, DR_EQUIPMENT);
        assert_true(rig_action(&r.s->decision)[8] == 20);
        r.prop[8] = 20;
        r.prop[0] = 20;
        expect(rig_decide(&r), DECISION_PROJECT, DR_RATE);
        assert_true(rig_action(&r.s->decision)[0] == 18.5);
        rig_close(&r);
}

/* Water that a room's model reads as its own is refused, whichever pair and whichever term of the model it is. */
static void test_create_refuses_shared_water_everywhere(void **state)
{
        struct rig_args a = rig_default();
        struct safety_lift pair = {8, 9, -100, 100, 0};
        struct rig r;

        (void)state;
        a.towers = true;
        rig_open(&r, a, 1);
        r.env.lift = &pair;
        r.env.nlift = 1;
        for (size_t k = 0; k < r.nterm; k++) { /* as the first term, or any other */
                const struct arx_term was = r.term[k];

                if (was.src == ARX_SRC_ONE)
                        continue;
                r.term[k] = (struct arx_term){ARX_SRC_U, 1, was.sum1, was.sign, 8};
                rig_model(&r, false);
                assert_int_equal(safety_memsize(&r.env, &r.st), safety_memsize(&r.env, arx_structure(r.model)));
                free(r.mem);
                r.mem_size = safety_memsize(&r.env, &r.st);
                r.mem = aligned_alloc(64, (r.mem_size + 63) / 64 * 64);
                assert_int_equal(safety_create(r.mem, r.mem_size, &r.env, r.model, &r.s), -EINVAL);
                r.term[k] = was;
        }
        rig_model(&r, false);
        rig_create(&r);
        rig_close(&r);
}

/* Whatever the shape of a model, the block that its shape asks for has room for what it works with. */
static void test_room_for_models_of_every_shape(void **state)
{
        static const struct {
                size_t ny, nu, nd, terms, horizon; /* terms: of a row */
                unsigned lag;
        } at[] = {
            {60, 1, 0, 1, 1, 8}, {1, 1, 300, 1, 1, 1}, {3, 1, 0, 90, 1, 1}, {1, 60, 1, 2, 20, 3}, {40, 1, 1, 1, 60, 1}};

        (void)state;
        for (size_t n = 0; n < sizeof at / sizeof *at; n++) {
                const size_t ny = at[n].ny, nu = at[n].nu, nd = at[n].nd, nterm = ny * at[n].terms;
                struct safety_u *u = rig_alloc(nu, sizeof *u);
                struct arx_term *term = rig_alloc(nterm, sizeof *term);
                double *scale = rig_alloc(nterm, sizeof(double)), *d_max = rig_alloc(nd, sizeof(double));
                double *lo = rig_alloc(nterm, sizeof(double)), *hi = rig_alloc(nterm, sizeof(double));
                size_t *row_start = rig_alloc(ny + 1, sizeof(size_t)), size;
                const struct safety_y cert = {.row = 0, .hi = 27, .trip = 32};
                const struct arx_structure st = {ny, nu, nd, at[n].lag, nterm, row_start, term, scale};
                const struct safety_envelope e = {.nu = nu,
                                                  .ny = ny,
                                                  .nd = nd,
                                                  .ncert = 1,
                                                  .u = u,
                                                  .cert = &cert,
                                                  .d_max = d_max,
                                                  .step_s = 30,
                                                  .horizon = at[n].horizon};
                struct arx_args args;
                struct safety *s;
                struct arx *m;
                void *arx_mem, *mem;

                arx_args_default(&args);
                for (size_t k = 0; k < nterm; k++) {
                        term[k] = (struct arx_term){.src = ARX_SRC_U, .lag = 1, .index = (uint16_t)(k % nu)};
                        scale[k] = hi[k] = 1;
                        row_start[k / at[n].terms + 1] = k + 1;
                }
                for (size_t j = 0; j < nu; j++)
                        u[j] = (struct safety_u){.safe_dir = -1,
                                                 .lo = 16,
                                                 .hi = 24,
                                                 .rate = 0.5,
                                                 .backup_rate = 1,
                                                 .nominal = 18,
                                                 .fast = 1};
                arx_mem = aligned_alloc(64, (arx_memsize(&st) + 63) / 64 * 64);
                assert_int_equal(arx_create(arx_mem, arx_memsize(&st), &st, &args, lo, hi, &m), 0);
                size = safety_memsize(&e, &st);
                assert_true(size < 64 << 20);
                mem = aligned_alloc(64, (size + 63) / 64 * 64);
                assert_non_null(mem);
                assert_int_equal(safety_create(mem, size, &e, m, &s), 0);
                assert_true(s->projector.slope - s->arx_work >=
                            (ptrdiff_t)arx_predict_work(m, e.horizon)); /* the next */
                assert_true((char *)mem + size - (char *)s->verifier >= (ptrdiff_t)verify_memsize(&e, &st));
                assert_int_equal(safety_create(mem, size - 1, &e, m, &s), -ENOMEM);
                free(mem);
                free(arx_mem);
                free(row_start);
                free(hi);
                free(lo);
                free(d_max);
                free(scale);
                free(term);
                free(u);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_envelope_is_copied),
            cmocka_unit_test(test_create_refuses_shared_water_everywhere),
            cmocka_unit_test(test_room_for_models_of_every_shape),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
