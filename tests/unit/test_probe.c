/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* M9: no setpoint before the device was seen to go local when heartbeats stop; what does not go local is left alone. */
#include "tests/unit/gate_rig.h"

#include <errno.h>

#include "agent/gate/actuate_internal.h"
#include "agent/gate/gate_internal.h"
#include "agent/gate/probe.h"

enum { DEVICES = 64, WATCHDOG_MS = 60000, DAY_MS = 86400000 };

/* The plant side: who has heard a heartbeat when, whose watchdog does nothing, who was switched to local by hand. */
static struct {
        int64_t heard_ms[DEVICES];
        bool inert[DEVICES], by_hand[DEVICES], keeps_enable[DEVICES], clears_enable[DEVICES];
        size_t seen;
} plant;

static void rig_probed(struct rig *r)
{
        memset(&plant, 0, sizeof plant);
        assert_true(r->site->ndevice <= DEVICES);
        for (size_t i = 0; i < r->site->ndevice; i++) {
                r->site->device[i].watchdog_probe = true;
                plant.heard_ms[i] = -WATCHDOG_MS - 1;
        }
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_REMOTE_ENABLE || r->site->point[i].role == ROLE_REMOTE_STATUS)
                        r->value[i] = 0;
}

static struct rig *annex(void)
{
        struct rig *r = rig_site();

        rig_probed(r);
        assert_int_equal(rig_gate(r, true, 0), 0);
        return r;
}

static int of_device(const struct rig *r, int device, enum role role)
{
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].device == device && r->site->point[i].role == role)
                        return (int)i;
        return -1;
}

/* What the watchdogs make of the heartbeats so far. */
static void watchdogs(struct rig *r)
{
        for (; plant.seen < r->nwrite; plant.seen++) {
                const struct point *p = &r->site->point[r->write[plant.seen].point];

                if (p->role == ROLE_HEARTBEAT_CMD)
                        plant.heard_ms[p->device] = clk_mono_ms(&r->clk);
        }
        for (int d = 0; d < (int)r->site->ndevice; d++) {
                int enable = of_device(r, d, ROLE_REMOTE_ENABLE), status_pt = of_device(r, d, ROLE_REMOTE_STATUS);

                if (enable < 0 || status_pt < 0)
                        continue;
                if (plant.keeps_enable[d])
                        r->value[enable] = 1;
                if (plant.clears_enable[d] && r->value[status_pt] > 0.5 &&
                    clk_mono_ms(&r->clk) - plant.heard_ms[d] > WATCHDOG_MS)
                        r->value[enable] = 0;
                r->value[status_pt] = r->value[enable] > 0.5 && !plant.by_hand[d] &&
                                      (plant.inert[d] || clk_mono_ms(&r->clk) - plant.heard_ms[d] <= WATCHDOG_MS);
        }
}

static void steps(struct rig *r, int n)
{
        struct ipc_proposal p;

        for (int i = 0; i < n; i++) {
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
                watchdogs(r);
                scan(r, ROLE_NONE);
                gate_heartbeat(r->gate);
                gate_step_begin(r->gate, &r->step);
                proposal(r, &p);
                for (uint32_t j = 0; j < p.nu; j++)
                        if (r->site->point[r->gate->layout->u[j].point].role == ROLE_FAN_CMD)
                                p.u[j] = 1;
                gate_step_end(r->gate, &p, false);
                watchdogs(r);
                finish_writes(r, WRITE_ACCEPTED);
        }
}

static enum actuate_fixed fixed(const struct rig *r)
{
        return r->gate->fixed[0].now;
}

static enum probe_state probe(const struct rig *r)
{
        return r->gate->actuate->dev[r->site->point[point(r, "bms/remote")].device].probe;
}

/* Steps until the probe is in this state; at most n. */
static int until(struct rig *r, enum probe_state state, int n)
{
        for (int i = 0; i < n; i++) {
                if (probe(r) == state)
                        return i;
                steps(r, 1);
        }
        assert_int_equal(probe(r), state);
        return n;
}

static void test_the_first_setpoint_waits_for_the_proof(void **state)
{
        struct rig *r = annex();
        int beat = point(r, "bms/heartbeat"), fan = point(r, "crac-west/fan_speed_sp");
        size_t before;
        int n;

        (void)state;
        (void)until(r, PROBE_WITHHELD, 10);
        assert_int_equal(fixed(r), ACTUATE_UNPROVED);
        before = r->nwrite;
        n = until(r, PROBE_RETURNING, 12);
        assert_in_range(n, 5, 8); /* its watchdog takes 60 s, of which some had passed */
        for (size_t i = before; i + 1 < r->nwrite; i++)
                assert_int_not_equal(r->write[i].point, beat);
        assert_int_equal(fixed(r), ACTUATE_UNPROVED);
        assert_in_range(until(r, PROBE_PROVED, 4), 1, 3);
        assert_int_equal(logged(r, "its watchdog acts, it was seen local"), 1);
        for (size_t i = 0; i < r->nwrite; i++)
                assert_true(supervises(r, i) || i >= before);
        n = 0;
        for (size_t i = 0; i < r->nwrite; i++)
                n += r->write[i].point == (uint32_t)point(r, "bms/remote");
        assert_int_equal(n, 1); /* it kept its remote enable */
        steps(r, 3);
        assert_int_equal(fixed(r), ACTUATE_FREE);
        assert_true(r->value[fan] == 1.0);
        steps(r, 100);
        assert_int_equal(probe(r), PROBE_PROVED);
        assert_int_equal(logged(r, "taken local"), 0);
        assert_int_equal(logged(r, "local after an outage"), 0);
        assert_int_equal(logged(r, "not echoed"), 0);
        plant.by_hand[r->site->point[beat].device] = true; /* the operator is still seen */
        steps(r, 3);
        assert_int_equal(logged(r, "taken local at the plant while"), 1);
        rig_free(r);
}

/* A device whose watchdog clears its remote enable is given it again. */
static void test_a_watchdog_that_clears_remote_enable(void **state)
{
        struct rig *r = annex();
        int enable = point(r, "bms/remote");
        size_t before;

        (void)state;
        (void)until(r, PROBE_WITHHELD, 10);
        plant.clears_enable[r->site->point[enable].device] = true;
        before = r->nwrite;
        (void)until(r, PROBE_RETURNING, 12);
        assert_true(r->value[enable] == 0);
        (void)until(r, PROBE_PROVED, 6);
        assert_true(last_write(r, before, enable) >= 0 && r->value[enable] == 1);
        assert_int_equal(logged(r, "taken local"), 0);
        rig_free(r);
}

static void test_an_inert_watchdog_is_left_alone(void **state)
{
        struct rig *r = annex();
        int beat = point(r, "bms/heartbeat"), enable = point(r, "bms/remote"), d = r->site->point[enable].device;
        size_t before;
        unsigned clears = 0;

        (void)state;
        plant.inert[d] = true;
        (void)until(r, PROBE_WITHHELD, 10);
        plant.keeps_enable[d] = true; /* and the first order to let it go is lost on it */
        assert_in_range(until(r, PROBE_INERT, 24), 19, 22);
        assert_int_equal(logged(r, "after the last heartbeat; asked once more"), 1);
        assert_int_equal(logged(r, "its watchdog does not act, still remote"), 1);
        before = r->nwrite;
        steps(r, 30);
        assert_int_equal(last_write(r, before, beat), -1);
        for (size_t i = before; i < r->nwrite; i++) {
                assert_true(r->write[i].point == (uint32_t)enable && r->write[i].value == 0 && r->write[i].insist);
                clears++;
        }
        assert_in_range(clears, 4, 6); /* once a minute until it reads 0 */
        plant.keeps_enable[d] = false;
        steps(r, 10);
        assert_true(r->value[enable] == 0 && r->value[point(r, "bms/remote_status")] == 0);
        before = r->nwrite;
        steps(r, 200);
        assert_int_equal(r->nwrite, before);
        assert_int_equal(setpoint_writes(r, 0), 0);
        assert_int_equal(fixed(r), ACTUATE_INERT);
        assert_string_equal(actuate_fixed_str(fixed(r)), "its watchdog does not act, until a restart");
        assert_int_equal(logged(r, "fixed: annex/comms/crac-west/fan_speed_sp: its watchdog does not act"), 1);
        assert_int_equal(logged(r, "taken local"), 0);
        gate_handback_begin(r->gate, "test");
        gate_release(r->gate);
        assert_int_equal(r->nwrite, before); /* it is local already */
        rig_free(r);
}

/* Seen late once, by whatever it may have been: no verdict yet. */
static void test_one_look_is_no_verdict(void **state)
{
        struct rig *r = annex();
        int d = r->site->point[point(r, "bms/remote")].device;

        (void)state;
        plant.inert[d] = true;
        for (int i = 0; i < 30 && logged(r, "asked once more") == 0; i++)
                steps(r, 1);
        plant.inert[d] = false;
        (void)until(r, PROBE_PROVED, 14);
        steps(r, 3);
        assert_int_equal(fixed(r), ACTUATE_FREE);
        rig_free(r);
}

/* "Twice" is in a row: a fall in between, whoever caused it, starts the count again. */
static void test_late_looks_with_a_fall_between_are_no_verdict(void **state)
{
        struct rig *r = annex();
        int d = r->site->point[point(r, "bms/remote")].device;

        (void)state;
        plant.inert[d] = true;
        for (int i = 0; i < 30 && logged(r, "asked once more") == 0; i++)
                steps(r, 1);
        (void)until(r, PROBE_WITHHELD, 10);
        plant.by_hand[d] = true;
        (void)until(r, PROBE_RETURNING, 3);
        (void)until(r, PROBE_NONE, 12);
        plant.by_hand[d] = false;
        for (int i = 0; i < 30 && logged(r, "asked once more") == 1; i++)
                steps(r, 1);
        assert_int_equal(logged(r, "asked once more"), 2);
        assert_int_equal(probe(r), PROBE_NONE);
        plant.inert[d] = false;
        (void)until(r, PROBE_PROVED, 14);
        rig_free(r);
}

/* One of the hall's devices is inert: it alone is left out. */
static void test_the_others_are_taken(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        struct site_errors *errors;
        int inert;

        (void)state;
        assert_int_equal(site_load(SOURCE_DIR "/deploy/examples/hall/site.yaml", &r->site, &errors), 0);
        site_errors_free(errors);
        clk_init_virtual(&r->clk, 1752537600000);
        r->obey = true;
        r->value = calloc(r->site->npoint, sizeof *r->value);
        for (size_t k = 0; k < r->site->npoint; k++) {
                enum role role = r->site->point[k].role;

                r->value[k] = role == ROLE_INLET_TEMP                                      ? 21
                              : role == ROLE_SAT || role == ROLE_SAT_SP                    ? 18
                              : role == ROLE_FAN_CMD                                       ? 0.9
                              : role == ROLE_RACK_POWER                                    ? 4000
                              : role == ROLE_CHILLER_STATUS || role == ROLE_CHILLER_ENABLE ? 1
                                                                                           : 0.1;
        }
        rig_probed(r);
        inert = site_find_device(r->site, "crah-7");
        assert_true(inert >= 0);
        plant.inert[inert] = true;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 35);
        for (size_t j = 0; j < r->gate->layout->nu; j++) {
                const struct point *p = &r->site->point[r->gate->layout->u[j].point];

                assert_int_equal(r->gate->fixed[j].now, p->device == inert ? ACTUATE_INERT : ACTUATE_FREE);
        }
        for (size_t i = 0; i < r->nwrite; i++)
                assert_true(r->site->point[r->write[i].point].device != inert || supervises(r, i));
        assert_int_equal(r->value[of_device(r, inert, ROLE_REMOTE_ENABLE)], 0);
        assert_true(r->value[of_device(r, site_find_device(r->site, "crah-6"), ROLE_FAN_CMD)] == 1.0);
        assert_int_equal(logged(r, "its watchdog acts, it was"), 15);
        assert_int_equal(logged(r, "its watchdog does not act, still"), 1);
        rig_free(r);
}

/* Someone switches the device to local while heartbeats are withheld: that is no proof, and it is not taken from him.
 */
static void test_a_hand_is_no_watchdog(void **state)
{
        struct rig *r = annex();
        int d = r->site->point[point(r, "bms/remote")].device;

        (void)state;
        plant.inert[d] = true;
        (void)until(r, PROBE_WITHHELD, 10);
        plant.by_hand[d] = true;
        (void)until(r, PROBE_RETURNING, 3);
        (void)until(r, PROBE_NONE, 12);
        assert_int_equal(logged(r, "and stayed so; probed again when it is remote"), 1);
        steps(r, 60);
        assert_int_equal(probe(r), PROBE_NONE);
        assert_int_equal(fixed(r), ACTUATE_LOCAL);
        plant.by_hand[d] = false;
        (void)until(r, PROBE_WITHHELD, 3);
        (void)until(r, PROBE_INERT, 24);
        assert_int_equal(setpoint_writes(r, 0), 0);
        rig_free(r);
}

/* What a device does after its connection was cut, or unread, proves nothing. */
static void test_an_outage_is_no_proof(void **state)
{
        for (int how = 0; how < 2; how++) {
                struct rig *r = annex();
                int status_pt = point(r, "bms/remote_status"), d = r->site->point[status_pt].device;

                (void)state;
                plant.inert[d] = true;
                (void)until(r, PROBE_WITHHELD, 10);
                steps(r, 2);
                if (how == 0)
                        gate_outage(r->gate, d);
                else
                        for (int i = 0; i < 3; i++) {
                                struct sample s = {.point = (uint32_t)status_pt,
                                                   .quality = QUALITY_BAD,
                                                   .reason = QR_COMM_FAIL,
                                                   .t_ms = clk_t_ms(&r->clk) + STEP_MS};

                                clk_advance_to(&r->clk, s.t_ms);
                                s.t_ms = clk_t_ms(&r->clk);
                                gate_samples(r->gate, &s, 1);
                                gate_heartbeat(r->gate);
                                finish_writes(r, WRITE_ACCEPTED);
                        }
                if (how == 0)
                        steps(r, 1);
                assert_int_equal(probe(r), PROBE_NONE);
                assert_int_equal(logged(r, "an outage while its watchdog was probed"), 1);
                (void)until(r, PROBE_WITHHELD, 6);
                (void)until(r, PROBE_INERT, 24);
                assert_int_equal(setpoint_writes(r, 0), 0);
                rig_free(r);
        }
}

static void test_a_stop_in_the_middle_lets_go(void **state)
{
        static const enum probe_state when[] = {PROBE_WITHHELD, PROBE_RETURNING};

        (void)state;
        for (size_t k = 0; k < sizeof when / sizeof when[0]; k++) {
                struct rig *r = annex();
                int enable = point(r, "bms/remote");

                (void)until(r, when[k], 20);
                gate_handback_begin(r->gate, "test");
                finish_writes(r, WRITE_ACCEPTED);
                gate_release(r->gate);
                finish_writes(r, WRITE_ACCEPTED);
                assert_true(gate_released(r->gate));
                assert_true(r->value[enable] == 0);
                assert_int_equal(setpoint_writes(r, 0), 0);
                rig_free(r);
        }
}

static void test_a_proof_is_remembered_for_a_month(void **state)
{
        static const struct {
                int64_t later_ms;
                uint8_t other_hash;
                bool again;
        } restart[] = {{DAY_MS, 0, false},
                       {PROBE_GOOD_FOR_MS - DAY_MS - DAY_MS / 2, 0, false},
                       {DAY_MS, 0, true}, /* a restart with a proof does not renew it */
                       {DAY_MS, 1, true},
                       {DAY_MS, 0, false}};
        char dir[] = "/tmp/coolplane-probe.XXXXXX", db[64], why[256], command[96];
        struct probe_result known[DEVICES];
        struct rig *r = rig_site();

        (void)state;
        assert_non_null(mkdtemp(dir));
        (void)snprintf(db, sizeof db, "%s/a.db", dir);
        assert_int_equal(store_open(db, STORE_WRITE, &r->store, why), 0);
        rig_probed(r);
        assert_int_equal(probe_read(r->store, r->site, known), -ENOENT);
        assert_int_equal(rig_gate(r, true, 0), 0);
        (void)until(r, PROBE_PROVED, 30);
        for (size_t k = 0; k < sizeof restart / sizeof restart[0]; k++) {
                int d = r->site->point[point(r, "bms/remote")].device;

                assert_int_equal(probe_read(r->store, r->site, known), 0);
                assert_true(known[d].acts && known[d].t_ms > 0);
                assert_true(known[1 - d].t_ms == 0 && !known[1 - d].acts); /* the meters */
                r->gate = gate_free(r->gate);
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + restart[k].later_ms);
                r->site->hash[0] ^= restart[k].other_hash;
                rig_probed(r);
                for (size_t j = 0; j < r->site->npoint; j++)
                        if (r->site->point[j].role == ROLE_FAN_CMD)
                                r->value[j] = 0.9; /* there is something to write */
                r->nwrite = r->done = 0;
                r->log[0] = '\0';
                assert_int_equal(rig_gate(r, true, 0), 0);
                steps(r, 8);
                assert_int_equal(probe(r) == PROBE_PROVED, !restart[k].again);
                assert_int_equal(setpoint_writes(r, 0) > 0, !restart[k].again);
                assert_int_equal(logged(r, "withheld"), restart[k].again);
                (void)until(r, PROBE_PROVED, 20);
        }
        /* neither from the future nor a failure */
        assert_false(probe_counts(&(struct probe_result){.t_ms = 2, .acts = true}, 1));
        assert_false(probe_counts(&(struct probe_result){.t_ms = 1, .acts = false}, 1));
        assert_false(probe_counts(&(struct probe_result){.t_ms = 0, .acts = true}, 1));
        assert_true(probe_counts(&(struct probe_result){.t_ms = 1, .acts = true}, 1));
        rig_free(r);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_first_setpoint_waits_for_the_proof),
            cmocka_unit_test(test_a_watchdog_that_clears_remote_enable),
            cmocka_unit_test(test_an_inert_watchdog_is_left_alone),
            cmocka_unit_test(test_one_look_is_no_verdict),
            cmocka_unit_test(test_late_looks_with_a_fall_between_are_no_verdict),
            cmocka_unit_test(test_the_others_are_taken),
            cmocka_unit_test(test_a_hand_is_no_watchdog),
            cmocka_unit_test(test_an_outage_is_no_proof),
            cmocka_unit_test(test_a_stop_in_the_middle_lets_go),
            cmocka_unit_test(test_a_proof_is_remembered_for_a_month),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
