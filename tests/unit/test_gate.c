/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The gate on the annex site (tests/data/annex) with a virtual clock and an actuator that only records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/gate/gate.h"

enum { WRITES_MAX = 4096, STEP_MS = 10000 };

struct rig {
        struct site *site;
        struct clk clk;
        struct gate *gate;
        struct write_request write[WRITES_MAX];
        size_t nwrite, done;
        double *value; /* [npoint] what the plant shows, SI */
        bool obey;     /* writes change what the plant shows */
        struct ipc_step step;
};

static int record(void *self, const struct write_request *req)
{
        struct rig *r = self;

        assert_true(r->nwrite < WRITES_MAX);
        r->write[r->nwrite++] = *req;
        if (r->obey)
                r->value[req->point] = req->value;
        return 0;
}

static int point(const struct rig *r, const char *tail)
{
        char name[POINT_NAME_MAX];
        int i;

        (void)snprintf(name, sizeof name, "annex/comms/%s", tail);
        i = site_find_point(r->site, name);
        assert_true(i >= 0);
        return i;
}

static void load_site(struct rig *r)
{
        char dir[] = "/tmp/coolplane-gate.XXXXXX", path[64], command[512];
        struct site_errors *errors;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(command, sizeof command,
                       "sed 's/@PORT@/1502/' '%s/tests/data/annex/site.yaml' >%s/site.yaml && cp "
                       "'%s/tests/data/annex/points.csv' %s/",
                       SOURCE_DIR, dir, SOURCE_DIR, dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
        (void)snprintf(path, sizeof path, "%s/site.yaml", dir);
        if (site_load(path, &r->site, &errors) < 0)
                site_errors_print(errors, stderr);
        site_errors_free(errors);
        assert_non_null(r->site);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
}

static struct rig *rig_new(bool acting)
{
        struct rig *r = calloc(1, sizeof *r);

        assert_non_null(r);
        load_site(r);
        clk_init_virtual(&r->clk, 1752537600000);
        assert_int_equal(gate_create(&(struct gate_args){.site = r->site,
                                                         .clk = &r->clk,
                                                         .actuator = {acting ? record : NULL, r},
                                                         .run_mode = "sim",
                                                         .acting = acting},
                                     &r->gate),
                         0);
        r->obey = true;
        r->value = calloc(r->site->npoint, sizeof *r->value);
        for (size_t i = 0; i < r->site->npoint; i++)
                switch (r->site->point[i].role) {
                case ROLE_INLET_TEMP:
                        r->value[i] = 21;
                        break;
                case ROLE_SAT:
                case ROLE_SAT_SP:
                        r->value[i] = 17.8;
                        break;
                case ROLE_RAT:
                        r->value[i] = 27;
                        break;
                case ROLE_FAN_CMD:
                        r->value[i] = 0.9;
                        break;
                case ROLE_RACK_POWER:
                        r->value[i] = 4000;
                        break;
                case ROLE_REMOTE_STATUS:
                case ROLE_REMOTE_ENABLE:
                        r->value[i] = 1;
                        break;
                default:
                        r->value[i] = 1000;
                }
        return r;
}

static void rig_free(struct rig *r)
{
        gate_free(r->gate);
        site_free(r->site);
        free(r->value);
        free(r);
}

/* Everything the plant shows, except points of `skip` role. */
static void scan(struct rig *r, enum role skip)
{
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s = {.point = (uint32_t)i, .t_ms = clk_t_ms(&r->clk), .value = r->value[i], .raw = 0};

                if (r->site->point[i].role != skip || skip == ROLE_NONE)
                        gate_samples(r->gate, &s, 1);
        }
}

static void finish_writes(struct rig *r, enum write_result result)
{
        for (; r->done < r->nwrite; r->done++)
                gate_write_done(r->gate, &(struct write_outcome){.id = r->write[r->done].id,
                                                                 .point = r->write[r->done].point,
                                                                 .result = result,
                                                                 .written = r->write[r->done].value,
                                                                 .read_back = r->write[r->done].value,
                                                                 .t_ms = clk_t_ms(&r->clk)});
}

static void advance(struct rig *r, enum role skip)
{
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        scan(r, skip);
        gate_step_begin(r->gate, &r->step);
}

/* A proposal equal to the present setpoints. */
static void proposal(struct rig *r, struct ipc_proposal *p)
{
        memset(p, 0, sizeof *p);
        ipc_head_init(&p->head, IPC_PROPOSAL, r->step.head.seq, r->step.head.t_ms, r->site->hash);
        p->nu = r->step.nu;
        p->in_distribution = 1;
        memcpy(p->u, r->step.u, sizeof p->u);
        p->predicted_w = p->predicted_std_w = p->predicted_max_inlet_c = (double)NAN;
}

/* Last write to a point since `from`, or −1. */
static ptrdiff_t last_write(const struct rig *r, size_t from, int pt)
{
        for (size_t i = r->nwrite; i > from; i--)
                if (r->write[i - 1].point == (uint32_t)pt)
                        return (ptrdiff_t)i - 1;
        return -1;
}

static struct gate_status status(const struct rig *r)
{
        struct gate_status s;

        gate_status(r->gate, &s);
        return s;
}

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
        for (int i = 0; i < 15; i++) { /* past any recovery steps */
                advance(r, ROLE_NONE);
                proposal(r, &p);
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
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
        for (int i = 0; i < 15; i++)
                advance(r, ROLE_NONE), proposal(r, &p), gate_step_end(r->gate, &p, false),
                    finish_writes(r, WRITE_ACCEPTED);
        advance(r, ROLE_NONE);
        proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (fabs(p.u[j] - 0.5) < 0.01)
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
        assert_int_equal(r->nwrite, 0);
        gate_heartbeat(r->gate);
        assert_int_equal(r->nwrite, 1); /* heartbeat; remote enable reads 1 already */
        assert_int_equal(r->site->point[r->write[0].point].role, ROLE_HEARTBEAT_CMD);
        rig_free(r);
}

static void test_blind_gate_releases(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;
        int enable = point(r, "bms/remote");
        int i;

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
        }
        assert_int_equal(status(r).mode, GATE_RELEASE);
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

static void test_shadow_has_nothing_to_write_with(void **state)
{
        struct rig *r = rig_new(false);
        struct ipc_proposal p;

        (void)state;
        for (int i = 0; i < 20; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        p.u[j] += 0.05;
                gate_step_end(r->gate, &p, false);
                gate_heartbeat(r->gate);
        }
        gate_handback_begin(r->gate, "test");
        gate_release(r->gate);
        assert_int_equal(r->nwrite, 0);
        assert_int_equal(status(r).mode, GATE_SHADOW);
        rig_free(r);
}

static void test_handback_writes_local_setpoints_then_lets_go(void **state)
{
        struct rig *r = rig_new(true);
        struct ipc_proposal p;
        int fan = point(r, "crac-spare/fan_speed_sp"), enable = point(r, "bms/remote");
        ptrdiff_t w;

        (void)state;
        for (int i = 0; i < 15; i++)
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
            cmocka_unit_test(test_local_device_is_not_written),
            cmocka_unit_test(test_blind_gate_releases),
            cmocka_unit_test(test_same_inputs_same_decisions),
            cmocka_unit_test(test_shadow_has_nothing_to_write_with),
            cmocka_unit_test(test_handback_writes_local_setpoints_then_lets_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
