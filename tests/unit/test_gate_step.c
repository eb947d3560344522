/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a control step sees and remembers: sums over silent points, disturbance bounds, learning. */
#include "tests/unit/gate_rig.h"

#include "agent/gate/gate_internal.h"

/* One step at which the points of a role are silent from the `silent_from`-th on. */
static void step_with_silence(struct rig *r, enum role role, size_t silent_from)
{
        size_t n = 0;

        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s = {.point = (uint32_t)i, .t_ms = clk_t_ms(&r->clk), .value = r->value[i]};

                if (r->site->point[i].role == role && n++ >= silent_from) {
                        s.quality = QUALITY_BAD;
                        s.reason = QR_COMM_FAIL;
                }
                gate_samples(r->gate, &s, 1);
        }
        gate_step_begin(r->gate, &r->step);
        gate_step_end(r->gate, NULL, false);
        finish_writes(r, WRITE_ACCEPTED);
}

static void test_half_the_racks_silent_is_an_unknown_load(void **state)
{
        struct rig *r = rig_new(true);

        (void)state;
        step_with_silence(r, ROLE_RACK_POWER, 5);
        assert_true(fabs(r->gate->snap.cooling_load_w - (5 * 4000 + 3 * 1000)) < 1e-6);
        assert_true(fabs(r->gate->total_power_w - 23000) < 1e-6);
        step_with_silence(r, ROLE_RACK_POWER, 2);
        assert_true(isnan(r->gate->snap.cooling_load_w));
        assert_true(isnan(r->gate->total_power_w));
        step_with_silence(r, ROLE_CRAH_POWER, 1);
        assert_true(isnan(r->step.power_w[0]));
        assert_true(isnan(r->gate->snap.cooling_load_w));
        rig_free(r);
}

/* Racks without a meter count by their rating; without a rating they are silent ones. */
static void test_unmetered_racks_count_by_rating(void **state)
{
        struct rig *r = rig_new(true);
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_RACK_POWER && n++ >= 2)
                        r->site->point[i].role = ROLE_NONE;
        assert_int_equal(n, 5);
        step_with_silence(r, ROLE_NONE, 0);
        assert_true(fabs(r->gate->snap.cooling_load_w - (2 * 4000 + 3 * 8000 + 3 * 1000)) < 1e-6);
        for (size_t i = 0; i < r->site->nequipment; i++)
                if (r->site->equipment[i].cls == EQ_RACK)
                        r->site->equipment[i].power_w = (double)NAN;
        step_with_silence(r, ROLE_NONE, 0);
        assert_true(isnan(r->gate->snap.cooling_load_w));
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_half_the_racks_silent_is_an_unknown_load),
            cmocka_unit_test(test_unmetered_racks_count_by_rating),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
