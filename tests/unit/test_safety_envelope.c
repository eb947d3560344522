/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What an envelope may hold: both sides of every bound, and which field is named. */
#include "tests/unit/test_safety_common.h"

#include <errno.h>

static void expect_bad(const struct safety_envelope *e, const char *what, size_t index)
{
        const char *got = "nothing";
        size_t at = 99;

        assert_int_equal(safety_envelope_validate(e, &got, &at), -EINVAL);
        assert_string_equal(got, what);
        assert_int_equal(at, index);
}

#define BAD_U(field, value, what)                                                                                      \
        do {                                                                                                           \
                struct safety_u saved = r.u[j];                                                                        \
                r.u[j].field = (value);                                                                                \
                expect_bad(&r.env, what, j);                                                                           \
                r.u[j] = saved;                                                                                        \
        } while (0)
#define BAD_E(field, value, what)                                                                                      \
        do {                                                                                                           \
                struct safety_envelope saved = r.env;                                                                  \
                r.env.field = (value);                                                                                 \
                expect_bad(&r.env, what, 0);                                                                           \
                r.env = saved;                                                                                         \
        } while (0)
#define BAD_Y(field, value, what)                                                                                      \
        do {                                                                                                           \
                struct safety_y saved = r.cert[1];                                                                     \
                r.cert[1].field = (value);                                                                             \
                expect_bad(&r.env, what, 1);                                                                           \
                r.cert[1] = saved;                                                                                     \
        } while (0)

static void test_validate_names_the_field(void **state)
{
        struct rig r;
        const char *what = NULL;
        size_t at = 0, j;

        (void)state;
        rig_open(&r, rig_default(), 1);
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        assert_null(what);
        j = 2;
        BAD_U(kind, (enum safety_u_kind)7, "u.kind");
        BAD_U(safe_dir, 2, "u.safe_dir");
        BAD_U(safe_dir, -2, "u.safe_dir");
        BAD_U(lo, 24.1, "u.lo");
        BAD_U(lo, (double)NAN, "u.lo");
        BAD_U(hi, (double)INFINITY, "u.lo");
        BAD_U(step, -0.1, "u.step");
        BAD_U(step, (double)NAN, "u.step");
        BAD_U(step, 1e-12, "u.step");
        BAD_U(origin, 1e8 + 20, "u.step");  /* the grid is exact up to 1e9 steps from its origin: lo is farther, */
        BAD_U(origin, -1e8 + 20, "u.step"); /* hi is */
        BAD_U(origin, (double)INFINITY, "u.origin");
        BAD_U(rate, -1, "u.rate");
        BAD_U(rate, (double)NAN, "u.rate");
        BAD_U(rate, 0.09, "u.rate"); /* below the step of 0.1: could never move */
        BAD_U(backup_rate, 0, "u.backup_rate");
        BAD_U(dead_band, -0.1, "u.dead_band");
        BAD_U(dead_band, (double)NAN, "u.dead_band");
        BAD_U(drives_d, SAFETY_DRIVES(r.nd), "u.drives_d");
        BAD_U(backup_rate, (double)INFINITY, "u.backup_rate");
        BAD_U(nominal, 15.9, "u.nominal");
        BAD_U(nominal, 24.1, "u.nominal");
        BAD_U(nominal, (double)NAN, "u.nominal");
        r.u[j].step = 0.125; /* exact in binary: 1e9 steps below the one end, above the other */
        r.u[j].origin = r.u[j].hi - 0.125 * 1e9;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].origin = r.u[j].lo + 0.125 * 1e9;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].step = 0.1;
        r.u[j].origin = 0;
        r.u[j].rate = 0.3 - 0.2; /* a rounding below the step */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].rate = 0.1; /* at the bound */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].rate = 0;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].lo = r.u[j].hi = r.u[j].nominal = 18.05; /* no grid value inside */
        expect_bad(&r.env, "u.origin", j);
        r.u[j].lo = r.u[j].hi = r.u[j].nominal = 18;
        r.u[j].backup_rate = 0; /* pinned: nothing to ramp */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        j = r.nu - 1;
        BAD_U(safe_dir, -1, "u.safe_dir");
        BAD_U(safe_dir, 0, "u.safe_dir");
        BAD_U(hi, 2, "u.lo");
        BAD_U(lo, 1, "u.lo");
        BAD_U(step, 0.5, "u.step");
        BAD_U(origin, 1, "u.step");
        BAD_U(capacity_w, -1, "u.capacity_w");
        BAD_U(capacity_w, (double)INFINITY, "u.capacity_w");
        BAD_U(min_on_s, (double)NAN, "u.min_on_s");
        BAD_U(min_on_s, -1, "u.min_on_s");
        BAD_U(min_off_s, -1, "u.min_off_s");
        BAD_U(min_off_s, (double)INFINITY, "u.min_off_s");
        BAD_U(max_starts_per_h, 0.9, "u.max_starts_per_h");
        BAD_U(max_starts_per_h, 16.1, "u.max_starts_per_h");
        BAD_U(max_starts_per_h, (double)NAN, "u.max_starts_per_h");
        BAD_U(drives_d, SAFETY_DRIVES(0), "u.drives_d"); /* a unit */
        r.u[j].max_starts_per_h = 1;
        r.u[j].capacity_w = r.u[j].min_on_s = r.u[j].min_off_s = 0; /* at the bounds */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.u[j].max_starts_per_h = 16;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        j = 1;
        BAD_U(drives_d, SAFETY_DRIVES(0), "u.drives_d"); /* a fan: more is more cooling */
        BAD_U(unseen, 1, "u.unseen");
        j = 0;
        r.u[j].unseen = 1;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        BAD_U(drives_d, SAFETY_DRIVES(0), "u.unseen"); /* what drives a reading is seen */
        r.u[j].unseen = 0;
        BAD_U(drives_d, r.nd + 1, "u.drives_d");
        r.u[j].drives_d = r.nd;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        BAD_Y(row, r.ny, "cert.row");
        BAD_Y(row, 0, "cert.row"); /* twice */
        r.cert[2].row = 1;
        expect_bad(&r.env, "cert.row", 2); /* and that of any before it */
        r.cert[2].row = 2;
        BAD_Y(hi, (double)INFINITY, "cert.hi");
        BAD_Y(hi, -(double)INFINITY, "cert.hi");
        BAD_Y(trip, 26.9, "cert.trip");
        BAD_Y(trip, (double)INFINITY, "cert.trip");
        BAD_Y(soft_k, -0.1, "cert.soft_k");
        BAD_Y(soft_k, 1000, "cert.soft_k");
        BAD_Y(soft_k, (double)NAN, "cert.soft_k");
        BAD_E(nu, 0, "nu");
        BAD_E(ny, 0, "ny");
        BAD_E(ncert, 0, "ncert");
        BAD_E(u, NULL, "nu");
        BAD_E(cert, NULL, "ncert");
        BAD_E(d_max, NULL, "d_max");
        BAD_E(step_s, 0, "step_s");
        BAD_E(step_s, (double)INFINITY, "step_s");
        BAD_E(horizon, 0, "horizon");
        BAD_E(horizon, 1001, "horizon");
        BAD_E(capacity_margin, -0.1, "capacity_margin");
        BAD_E(capacity_margin, 10.1, "capacity_margin");
        BAD_E(capacity_margin, (double)NAN, "capacity_margin");
        BAD_E(reserve, -0.1, "reserve");
        BAD_E(reserve, 1000, "reserve");
        BAD_E(reserve, (double)NAN, "reserve");
        BAD_E(hold_steps, 11, "hold_steps"); /* 330 s */
        BAD_E(delta, 1, "delta");
        BAD_E(delta, -0.1, "delta");
        BAD_E(delta, (double)NAN, "delta");
        r.env.reserve = r.cert[1].soft_k = 999.9;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.capacity_margin = r.env.reserve = r.cert[1].soft_k = r.env.delta = 0;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.capacity_margin = 10;
        r.env.horizon = 1;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.horizon = 1000;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.hold_steps = 10;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        BAD_E(step_s, 30.05, "hold_steps"); /* half a second over five minutes */
        r.cert[1].trip = 27;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.cert[1] = (struct safety_y){.row = 1, .hi = (double)NAN, .trip = (double)NAN};
        expect_bad(&r.env, "cert.hi", 1);
        r.cert[1].trip = 30;
        r.d_max[2] = (double)NAN;
        expect_bad(&r.env, "d_max", 2);
        r.d_max[2] = -(double)INFINITY;
        expect_bad(&r.env, "d_max", 2);
        r.d_max[2] = (double)INFINITY; /* unknown */
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.nd = 0; /* then there is nothing to point at */
        r.env.d_max = NULL;
        r.u[0].drives_d = SAFETY_NO_D;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        rig_close(&r);
}

/* One of everything. */
static void test_smallest_envelope(void **state)
{
        const struct safety_lift own = {0, 0, -1, 1, 0};
        const char *what;
        size_t at;
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.env.nu = r.env.ny = r.env.nd = r.env.ncert = 1;
        r.env.lift = NULL;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        r.env.step_s = 1e-3;
        assert_int_equal(safety_envelope_validate(&r.env, &what, &at), 0);
        BAD_E(nlift, 1, "nlift");
        BAD_E(d_max, NULL, "d_max");
        r.cert[0].row = 1; /* the first of each is looked at */
        expect_bad(&r.env, "cert.row", 0);
        r.cert[0].row = 0;
        r.d_max[0] = (double)NAN;
        expect_bad(&r.env, "d_max", 0);
        r.d_max[0] = 0;
        r.env.lift = &own;
        BAD_E(nlift, 1, "lift.chw");
        BAD_E(cert, NULL, "ncert");
        BAD_E(ny, 0, "ny");
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_validate_names_the_field),
            cmocka_unit_test(test_smallest_envelope),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
