/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The gate on the annex site (tests/data/annex) with a virtual clock and an actuator that only records. */
#include "tests/unit/gate_rig.h"

static void test_absent_planner_holds_then_falls_back(void **state)
{
        struct rig *r = rig_new(true);
        unsigned holds = 0;

        (void)state;
        for (int i = 0; i < 60; i++) {
                advance(r, ROLE_NONE);
                gate_step_end(r->gate, NULL, false);
                finish_writes(r, WRITE_ACCEPTED);
                holds += status(r).kind == DECISION_HOLD;
                if (holds == 0)
                        continue;
                if (status(r).kind == DECISION_FALLBACK)
                        break;
        }
        assert_true(holds >= 1 && holds <= 31); /* at most 5 min of 10 s steps */
        assert_int_equal(status(r).kind, DECISION_FALLBACK);
        assert_int_equal(status(r).mode, GATE_FALLBACK);
        rig_free(r);
}

static void test_nan_proposal_is_ordinary(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;

        (void)state;
        for (int i = 0; i < 5; i++) {
                advance(r, ROLE_NONE);
                proposal(r, &p);
                p.u[i % 2] = i % 3 ? (double)NAN : (double)INFINITY;
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
                assert_int_equal(status(r).reason, DR_NOT_FINITE);
        }
        for (size_t i = 0; i < r->nwrite; i++) {
                const struct point *pt = &r->site->point[r->write[i].point];

                assert_true(r->write[i].value >= pt->min && r->write[i].value <= pt->max);
        }
        rig_free(r);
}

static void test_more_cooling_at_once_less_by_steps(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-west/fan_speed_sp");
        struct ipc_proposal p;
        size_t before;
        ptrdiff_t w;

        (void)state;
        for (int i = 0; i < 40; i++) { /* past any recovery steps */
                advance(r, ROLE_NONE);
                proposal(r, &p);
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        /* nothing is fitted yet, so nothing is certified, and no margin is told */
        assert_true(status(r).model_rows > 0 && status(r).model_rows_fitted == 0 && isnan(status(r).margin_k));
        assert_int_equal(logged(r, "6 model: 0 of "), 1);
        before = r->nwrite;
        advance(r, ROLE_NONE);
        proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (p.u[j] <= 1) /* every fan */
                        p.u[j] = 1.0;
        gate_step_end(r->gate, &p, false);
        w = last_write(r, before, fan);
        assert_true(w >= 0);
        assert_true(fabs(r->write[w].value - 1.0) < 1e-9);
        finish_writes(r, WRITE_ACCEPTED);
        for (int i = 0; i < 40; i++) {
                double now = r->value[fan];

                before = r->nwrite;
                advance(r, ROLE_NONE);
                proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        if (p.u[j] <= 1)
                                p.u[j] = 0.4;
                gate_step_end(r->gate, &p, false);
                w = last_write(r, before, fan);
                if (w >= 0)
                        assert_true(r->write[w].value >= now - 0.05 - 1e-9);
                finish_writes(r, WRITE_ACCEPTED);
        }
        assert_true(r->value[fan] < 1.0); /* it did go down, by steps */
        rig_free(r);
}

static void test_foreign_write_is_left_alone(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-east/fan_speed_sp");
        struct ipc_proposal p;
        size_t before;

        (void)state;
        r->value[fan] = 0.5;
        for (int i = 0; i < 40; i++)
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false),
                    finish_writes(r, WRITE_ACCEPTED);
        advance(r, ROLE_NONE);
        proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (fabs(p.u[j] - r->value[fan]) < 0.01)
                        p.u[j] = 0.8;
        gate_step_end(r->gate, &p, false);
        finish_writes(r, WRITE_ACCEPTED);
        advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        r->value[fan] = 0.65; /* another master */
        for (int i = 0; i < 5; i++)
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false),
                    finish_writes(r, WRITE_ACCEPTED);
        before = r->nwrite;
        for (int i = 0; i < 10; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        if (fabs(p.u[j] - 0.65) < 0.01)
                                p.u[j] = 1.0;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        }
        assert_int_equal(last_write(r, before, fan), -1);
        rig_free(r);
}

/* Each step asks for more cooling than the other master allows, so each step writes again and no three readings in a
 * row are the other's. */
static void test_foreign_write_is_found_while_we_write_too(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-east/fan_speed_sp");
        struct ipc_proposal p;
        unsigned writes = 0;

        (void)state;
        r->value[fan] = 0.5;
        for (int i = 0; i < 80; i++) {
                size_t before = r->nwrite;

                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu && i >= 40; j++)
                        if (fabs(p.u[j] - r->value[fan]) < 0.01)
                                p.u[j] = 0.8;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
                if (i < 40)
                        continue;
                writes += last_write(r, before, fan) >= 0;
                r->value[fan] = 0.65;
        }
        assert_in_range(writes, 1, 4);
        rig_free(r);
}

/* Readings that now and then differ without a write of ours in between are no second master. */
static void test_flicker_is_no_second_master(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-east/fan_speed_sp");
        struct ipc_proposal p;
        size_t before;

        (void)state;
        r->value[fan] = 0.5;
        for (int i = 0; i < 41; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu && i == 40; j++)
                        if (fabs(p.u[j] - r->value[fan]) < 0.01)
                                p.u[j] = 0.8;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        }
        const double ours = r->value[fan];
        for (int i = 0; i < 8; i++) { /* the planner follows what it sees: nothing is written */
                r->value[fan] = i % 2 ? ours : ours + 0.05;
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        before = r->nwrite;
        for (int i = 0; i < 4; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        if (fabs(p.u[j] - r->value[fan]) < 0.01)
                                p.u[j] = 1.0;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        }
        assert_true(last_write(r, before, fan) >= 0);
        rig_free(r);
}

/* Nor is a wrong answer now and then that is right again at the next scan, while every step writes. */
static void test_flicker_between_writes_is_no_second_master(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-east/fan_speed_sp");
        struct ipc_proposal p;
        unsigned writes = 0;

        (void)state;
        r->value[fan] = 0.5;
        for (int i = 0; i < 80; i++) {
                size_t before = r->nwrite;
                double shown = r->value[fan];

                if (i > 40) {
                        r->value[fan] = shown + 0.05;
                        scan(r, ROLE_NONE);
                        r->value[fan] = shown;
                }
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu && i >= 40; j++)
                        if (fabs(p.u[j] - r->value[fan]) < 0.01)
                                p.u[j] = i % 2 ? 0.8 : 1.0;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
                writes += i >= 40 && last_write(r, before, fan) >= 0;
        }
        assert_in_range(writes, 20, 40);
        rig_free(r);
}

/* A room that begins to do what the model set does not hold is told of, and what was learned of it is forgotten. */
static void test_drift_is_seen_and_contradiction_told(void **state)
{
        struct rig *r = rig_new(false);
        int inlet = point(r, "row1/inlet");
        struct ipc_proposal p;
        int seen = 0, told = 0;

        (void)state;
        for (int i = 0; i < 130 && !told; i++) {
                if (i > 85)
                        r->value[inlet] = 21 + 0.02 * (i - 85) * (i - 85);
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false);
                if (i == 85)
                        assert_true(status(r).drift_score == 0 && status(r).model_rows_fitted > 0);
                seen = seen == 0 && status(r).drift_score > 0 ? i : seen;
                told = logged(r, "row1/inlet: readings contradict") > 0 ? i : 0;
        }
        assert_in_range(seen, 87, 92);    /* three readings, the first may be within the noise */
        assert_int_equal(told, seen + 8); /* eleven in all */
        assert_int_equal(logged(r, "readings contradict"), 1);
        rig_free(r);
}

/* What the site file says of noise is held against the readings, and the event says that it was that. */
static void test_noise_bound_too_small_is_told(void **state)
{
        struct rig *r = rig_site();
        int inlet = point(r, "row1/inlet");
        struct ipc_proposal p;

        (void)state;
        r->site->limits.noise_max_k = 0.3;
        rig_start(r, false, 0);
        for (int i = 0; i < 130; i++) {
                if (i > 85) /* up and down, as no room does */
                        r->value[inlet] = i % 2 ? 21 : 25;
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false);
                if (i == 85)
                        assert_int_equal(logged(r, "noise_max_k"), 0);
        }
        assert_true(
            logged(r, "row1/inlet: nothing that data sheets allow explains its readings within noise_max_k 0.3 K") > 0);
        rig_free(r);
}

/* The load of a room doubles at once: more than the certificates of the last minutes counted on. Told once. */
static void test_load_beyond_what_was_counted_on_is_told(void **state)
{
        struct rig *r = rig_new(false);
        struct ipc_proposal p;

        (void)state;
        for (int i = 0; i < 160; i++) {
                if (i == 120) {
                        assert_int_equal(logged(r, " load: "), 0);
                        for (int row = 1; row <= 5; row++) {
                                char name[32];

                                (void)snprintf(name, sizeof name, "row%d/power", row);
                                r->value[point(r, name)] *= 2;
                        }
                }
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false);
                if (i == 122)
                        assert_int_equal(logged(r, "4 load: comms: "), 1);
        }
        assert_int_equal(logged(r, " load: "), 1);
        rig_free(r);
}

static void test_local_device_is_not_written(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;

        (void)state;
        r->value[point(r, "bms/remote_status")] = 0;
        for (int i = 0; i < 20; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        p.u[j] = 1.0;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        }
        assert_int_equal(setpoint_writes(r, 0), 0);
        assert_int_equal(last_write(r, 0, point(r, "bms/remote")), -1); /* reads 1 already */
        assert_true(r->nwrite > 0);
        rig_free(r);
}

static void test_blind_gate_releases(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;
        int enable = point(r, "bms/remote");
        int i, fallback = 0;

        (void)state;
        for (i = 0; i < 3; i++)
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false),
                    finish_writes(r, WRITE_ACCEPTED);
        for (i = 0; i < 200 && status(r).mode != GATE_RELEASE; i++) {
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
                for (size_t k = 0; k < r->site->npoint; k++) {
                        struct sample s = {.point = (uint32_t)k, .t_ms = clk_t_ms(&r->clk), .value = r->value[k]};

                        if (r->site->point[k].role == ROLE_INLET_TEMP) {
                                s.quality = QUALITY_BAD;
                                s.reason = QR_COMM_FAIL;
                        }
                        gate_samples(r->gate, &s, 1);
                }
                gate_step_begin(r->gate, &r->step);
                proposal(r, &p), gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
                fallback += status(r).mode == GATE_FALLBACK;
                assert_int_not_equal(status(r).mode, GATE_HOLD); /* never what was economical, unseen */
        }
        assert_int_equal(status(r).mode, GATE_RELEASE);
        assert_int_equal(fallback * STEP_MS,
                         300000); /* five minutes toward local setpoints and colder, then the plant has it */
        assert_true(i <= 40);
        assert_true(last_write(r, 0, enable) >= 0);
        assert_true(r->write[last_write(r, 0, enable)].value == 0);
        rig_free(r);
}

static void run_some(struct rig *r, double bump, char *ret_sha)
{
        struct ipc_proposal p;

        for (int i = 0; i < 40; i++) {
                r->value[point(r, "row2/inlet")] = 21 + 0.1 * (i % 7) + (i == 20 ? bump : 0);
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        p.u[j] -= 0.01;
                gate_step_end(r->gate, &p, false), finish_writes(r, WRITE_ACCEPTED);
        }
        gate_decision_sha256(r->gate, ret_sha);
}

static void test_same_inputs_same_decisions(void **state)
{
        char a[65], b[65], c[65];
        struct rig *r = rig_new(true);

        (void)state;
        run_some(r, 0, a);
        rig_free(r);
        r = rig_new(true);
        run_some(r, 0, b);
        rig_free(r);
        r = rig_new(true);
        run_some(r, 12, c); /* one reading above the trip value */
        rig_free(r);
        assert_string_equal(a, b);
        assert_string_not_equal(a, c);
}

/* In shadow the writer is the null driver, which records what live would have written (test_null: nothing leaves).
 * Given one that does write, the gate asks it for decided setpoints alone: never a heartbeat, a hand-back or a release.
 */
static void test_shadow_takes_nothing_over(void **state)
{
        struct rig *r = rig_site();
        struct ipc_proposal p;
        size_t decided;

        (void)state;
        r->obey = false;
        assert_int_equal(gate_create(&(struct gate_args){.site = r->site,
                                                         .clk = &r->clk,
                                                         .actuator = {record, r},
                                                         .run_mode = "sim",
                                                         .publish_move = record_move,
                                                         .publish_ctx = r,
                                                         .log = rig_log,
                                                         .log_ctx = r},
                                     &r->gate),
                         0);
        for (int i = 0; i < 20; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        p.u[j] -= 0.5; /* some of them toward more cooling */
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_NOT_SENT);
        }
        decided = r->nwrite;
        assert_true(decided > 0);
        for (size_t i = 0; i < decided; i++) {
                enum role role = r->site->point[r->write[i].point].role;

                assert_true(role == ROLE_SAT_SP || role == ROLE_FAN_CMD);
        }
        assert_int_equal(status(r).mode, GATE_SHADOW);
        r->value[point(r, "crac-spare/fan_speed_sp")] = 0.5; /* a hand-back would put it to 0.9 */
        advance(r, ROLE_NONE);
        gate_handback_begin(r->gate, "test");
        gate_release(r->gate);
        assert_int_equal(r->nwrite, decided);
        assert_int_equal(r->nmove, 0);
        rig_free(r);
}

static void test_handback_writes_local_setpoints_then_lets_go(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;
        int fan = point(r, "crac-spare/fan_speed_sp"), enable = point(r, "bms/remote");
        ptrdiff_t w;

        (void)state;
        for (int i = 0; i < 40; i++)
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false),
                    finish_writes(r, WRITE_ACCEPTED);
        r->value[fan] = 0.5;
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        scan(r, ROLE_NONE);
        gate_handback_begin(r->gate, "test");
        w = last_write(r, 0, fan);
        assert_true(w >= 0);
        assert_true(fabs(r->write[w].value - 0.9) < 0.011);
        assert_int_equal(last_write(r, 0, enable), -1);
        assert_false(gate_handback_done(r->gate));
        finish_writes(r, WRITE_ACCEPTED);
        assert_true(gate_handback_done(r->gate));
        gate_release(r->gate);
        w = last_write(r, 0, enable);
        assert_true(w >= 0);
        assert_true(r->write[w].value == 0);
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_absent_planner_holds_then_falls_back),
            cmocka_unit_test(test_nan_proposal_is_ordinary),
            cmocka_unit_test(test_more_cooling_at_once_less_by_steps),
            cmocka_unit_test(test_foreign_write_is_left_alone),
            cmocka_unit_test(test_foreign_write_is_found_while_we_write_too),
            cmocka_unit_test(test_flicker_is_no_second_master),
            cmocka_unit_test(test_flicker_between_writes_is_no_second_master),
            cmocka_unit_test(test_drift_is_seen_and_contradiction_told),
            cmocka_unit_test(test_noise_bound_too_small_is_told),
            cmocka_unit_test(test_load_beyond_what_was_counted_on_is_told),
            cmocka_unit_test(test_local_device_is_not_written),
            cmocka_unit_test(test_blind_gate_releases),
            cmocka_unit_test(test_same_inputs_same_decisions),
            cmocka_unit_test(test_shadow_takes_nothing_over),
            cmocka_unit_test(test_handback_writes_local_setpoints_then_lets_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
