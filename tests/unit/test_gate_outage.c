/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* While the store fails: what is kept, what is written all the same, and when the plant is let go. */
#include "tests/unit/gate_rig_store.h"

#include "agent/gate/actuate_internal.h"
#include "agent/store/store_internal.h"

static const char *const FAN[] = {"crac-west/fan_speed_sp", "crac-east/fan_speed_sp", "crac-spare/fan_speed_sp"};

enum { NFAN = 3 };

/* A gate that acts and whose plant is in hand. */
static struct rig *taken(struct folder *f)
{
        struct rig *r = rig_site();

        folder_open(f);
        r->store = f->store;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 20, (double)NAN);
        assert_true(status(r).mode != GATE_RELEASE);
        return r;
}

/* Was each fan sent this since `from`? NaN: nothing. */
static void fans_sent(const struct rig *r, size_t from, double v)
{
        for (size_t i = 0; i < NFAN; i++) {
                const ptrdiff_t w = last_write(r, from, point(r, FAN[i]));

                if (isnan(v))
                        assert_int_equal(w, -1);
                else
                        assert_true(w >= 0 && fabs(r->write[w].value - v) < 1e-9);
        }
}

static int64_t count(const struct rig *r, const char *sql)
{
        char *json, *at;
        int64_t n;

        assert_int_equal(store_query_json(r->store, sql, NULL, 0, &json), 0);
        at = strstr(json, "\"n\":");
        assert_non_null(at);
        n = strtoll(at + 4, NULL, 10);
        free(json);
        return n;
}

/* A disk without room: nothing is lost until the ring is full, then the oldest goes, counted and told once. */
static void test_a_full_disk_costs_the_oldest_samples(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = rig_site();
        struct store_counts before, after;
        int64_t given = 0;
        size_t cap, waiting;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, false, 0), 0);
        cap = r->gate->queue_cap;
        assert_true(cap >= 4096);
        assert_int_equal(store_counts(f.store, &before), 0);
        disk_full(&old);
        while (given < (int64_t)cap + 500) { /* a full ring does not try the store: that is the flush's to do */
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + 1000);
                scan(r, ROLE_NONE);
                given += (int64_t)r->site->npoint;
                if (given < 100)
                        assert_true(gate_flush(r->gate) < 0);
        }
        assert_int_equal(status(r).samples_waiting, cap);
        assert_int_equal(status(r).samples_dropped, given - (int64_t)cap);
        assert_true(status(r).unstored_s > 0);
        assert_int_equal(logged(r, "3 store: samples and events cannot be stored"), 1);
        assert_int_equal(logged(r, "the oldest are dropped"), 1);
        disk_free(&old);
        while ((waiting = status(r).samples_waiting) > 0) { /* the backlog goes in by pieces */
                int more = gate_flush(r->gate);

                assert_int_equal(more, status(r).samples_waiting > 0);
                assert_true(waiting - status(r).samples_waiting <= GATE_FLUSH_MAX);
        }
        assert_int_equal(gate_flush(r->gate), 0);
        assert_true(isnan(status(r).unstored_s));
        assert_int_equal(logged(r, "samples and events are stored again"), 1);
        assert_int_equal(store_counts(f.store, &after), 0);
        assert_int_equal(after.samples - before.samples, (int64_t)cap);
        assert_int_equal(after.last_t_ms, clk_t_ms(&r->clk));
        disk_full(&old);
        gate_vm_message(r->gate, "inventory", "{\"timestamp\":1,\"hosts\":[],\"vms\":[]}", 35);
        assert_true(gate_flush(r->gate) < 0);
        assert_int_equal(logged(r, "decisions cannot be stored"), 0);
        r->gate = gate_free(r->gate);
        assert_int_equal(logged(r, "the last of this run could not be stored"), 1);
        disk_free(&old);
        rig_free(r);
        folder_close(&f);
}

static void test_decisions_that_cannot_be_stored_end_in_release(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = rig_site();
        size_t before;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 20, (double)NAN);
        assert_true(status(r).mode != GATE_RELEASE);
        disk_full(&old);
        before = r->nwrite;
        steps(r, 28, 0.8);
        assert_int_equal(setpoint_writes(r, before), 0); /* durable first */
        assert_int_equal(logged(r, "without a record"), 0);
        assert_true(status(r).mode != GATE_RELEASE);
        steps(r, 4, 0.8);
        assert_int_equal(status(r).mode, GATE_RELEASE);
        assert_int_equal(logged(r, "3 store: decisions cannot be stored"), 1);
        assert_int_equal(logged(r, "-> RELEASE"), 1);
        assert_true(r->value[point(r, "bms/remote")] == 0);
        disk_free(&old);
        rig_free(r);
        folder_close(&f);
}

/* A trip that cannot be stored cannot be written either: the devices' own controls get the plant at once. */
static void test_an_emergency_that_cannot_be_stored_releases_at_once(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = rig_site();

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 20, (double)NAN);
        disk_full(&old);
        steps(r, 2, (double)NAN);
        assert_true(status(r).mode != GATE_RELEASE);
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_INLET_TEMP)
                        r->value[i] = 33;
        for (int i = 0; i < 4 && status(r).kind != DECISION_FALLBACK; i++)
                step(r, (double)NAN, WRITE_ACCEPTED);
        assert_int_equal(status(r).kind, DECISION_FALLBACK);
        assert_int_equal(status(r).mode, GATE_RELEASE);
        assert_true(r->value[point(r, "bms/remote")] == 0);
        disk_free(&old);
        rig_free(r);
        folder_close(&f);
}

/* "This action, then the backup": what cools more reaches the plant though its decision cannot be stored, and is told.
 */
static void test_more_cooling_does_not_wait_for_the_store(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = taken(&f);
        size_t before;

        (void)state;
        disk_full(&old);
        before = r->nwrite;
        step(r, 1.0, WRITE_ACCEPTED);
        fans_sent(r, before, 1.0);
        assert_int_equal(logged(r, "3 actuate: written without a record: annex/comms/"), 1);
        assert_int_equal(logged(r, "crac-west/fan_speed_sp 1"), 1);
        assert_int_equal(logged(r, "crac-east/fan_speed_sp 1"), 1);
        before = r->nwrite; /* it is there: nothing more to write or tell */
        step(r, 1.0, WRITE_ACCEPTED);
        fans_sent(r, before, (double)NAN);
        step(r, 0.9, WRITE_ACCEPTED); /* less cooling waits */
        fans_sent(r, before, (double)NAN);
        assert_int_equal(setpoint_writes(r, before), 0);
        assert_int_equal(logged(r, "without a record"), 1);
        assert_true(status(r).mode != GATE_RELEASE);
        disk_free(&old);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM event WHERE text LIKE 'written without a record: %'"
                                  " AND text LIKE '%crac-west/fan_speed_sp 1%'"),
                         1);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM v_actions WHERE point LIKE '%fan_speed_sp' AND value = 1"),
                         0);
        before = r->nwrite; /* and the ledger goes on from what was confirmed without a row */
        step(r, 0.96, WRITE_ACCEPTED);
        fans_sent(r, before, 0.96);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM v_actions WHERE point LIKE '%fan_speed_sp'"
                                  " AND abs(value - 0.96) < 1e-6 AND result = 'ACCEPTED'"),
                         NFAN);
        rig_free(r);
        folder_close(&f);
}

/* Read-back of what has no row still tells our value from someone else's, and a refusal. */
static void test_what_has_no_row_is_read_back_all_the_same(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = taken(&f);

        (void)state;
        disk_full(&old);
        step(r, 1.0, WRITE_ACCEPTED);
        steps(r, 10, (double)NAN);
        assert_int_equal(logged(r, "foreign write found"), 0);
        for (size_t j = 0; j < r->gate->layout->nu; j++)
                if (r->gate->layout->u[j].point == point(r, FAN[0]))
                        assert_true(r->gate->u_confirmed[j] == 1.0);
        r->value[point(r, FAN[0])] = 0.7;
        steps(r, 5, (double)NAN);
        assert_int_equal(logged(r, "fan_speed_sp: foreign write found, value 0.7 instead of ours 1"), 1);
        assert_int_equal(r->gate->actuate->noutcome, 0);
        disk_free(&old);
        rig_free(r);
        folder_close(&f);
}

/* The decision is durable, its actions are not: a transaction that ends at its second row. */
static void test_actions_that_cannot_be_stored_cool_more_all_the_same(void **state)
{
        struct folder f;
        struct rig *r = taken(&f);
        int64_t rows;
        size_t before;

        (void)state;
        step(r, 0.86, WRITE_ACCEPTED);
        assert_int_equal(gate_flush(r->gate), 0);
        rows = count(r, "SELECT count(*) AS n FROM action");
        assert_true(rows >= NFAN);
        assert_int_equal(store_exec(r->store, "CREATE TRIGGER full BEFORE INSERT ON action"
                                              " WHEN (SELECT max(id) FROM action) > (SELECT min(id) FROM action) AND"
                                              " (SELECT count(*) FROM action WHERE decision_id ="
                                              " (SELECT max(id) FROM decision)) > 0"
                                              " BEGIN SELECT RAISE(ABORT, 'no room'); END"),
                         0);
        before = r->nwrite;
        step(r, 0.98, WRITE_ACCEPTED);
        fans_sent(r, before, 0.98);
        assert_int_equal(logged(r, "3 actuate: written without a record: "), 1);
        assert_int_equal(logged(r, "3 store: actions cannot be stored"), 1);
        assert_int_equal(r->gate->actuate->noutcome, 0); /* the rows that were rolled back get no outcome */
        before = r->nwrite;
        step(r, 0.9, WRITE_ACCEPTED);
        fans_sent(r, before, (double)NAN);
        assert_int_equal(logged(r, "without a record"), 1);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM action"), rows);
        assert_int_equal(store_exec(r->store, "DROP TRIGGER full"), 0);
        step(r, 0.94, WRITE_ACCEPTED);
        fans_sent(r, before, 0.94);
        assert_int_equal(logged(r, "actions are stored again"), 1);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM event WHERE text LIKE 'written without a record: %'"), 1);
        rig_free(r);
        folder_close(&f);
}

/* Without its decision no action has a row, though the store would take it: then less cooling would go out, too. */
static void test_without_its_decision_no_action_is_stored(void **state)
{
        struct folder f;
        struct rig *r = taken(&f);
        int64_t rows;
        size_t before = r->nwrite;

        (void)state;
        assert_int_equal(gate_flush(r->gate), 0);
        rows = count(r, "SELECT count(*) AS n FROM action");
        assert_int_equal(store_exec(r->store, "CREATE TRIGGER full BEFORE INSERT ON decision"
                                              " BEGIN SELECT RAISE(ABORT, 'no room'); END"),
                         0);
        step(r, 1.0, WRITE_ACCEPTED);
        fans_sent(r, before, 1.0);
        before = r->nwrite;
        step(r, 0.96, WRITE_ACCEPTED);
        fans_sent(r, before, (double)NAN);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM action"), rows);
        assert_int_equal(count(r, "SELECT count(*) AS n FROM event WHERE text LIKE 'written without a record: %'"), 1);
        rig_free(r);
        folder_close(&f);
}

static void test_a_fallback_without_actions_cools_more(void **state)
{
        struct folder f;
        struct rig *r = taken(&f);
        size_t before = r->nwrite;

        (void)state;
        assert_int_equal(store_exec(r->store, "CREATE TRIGGER full BEFORE INSERT ON action"
                                              " BEGIN SELECT RAISE(ABORT, 'no room'); END"),
                         0);
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_INLET_TEMP)
                        r->value[i] = 33;
        for (int i = 0; i < 4 && status(r).kind != DECISION_FALLBACK; i++)
                step(r, (double)NAN, WRITE_ACCEPTED);
        assert_int_equal(status(r).mode, GATE_FALLBACK);
        fans_sent(r, before, 1.0);
        assert_true(logged(r, "fan_speed_sp 1") >= 1);
        rig_free(r);
        folder_close(&f);
}

/* All that was written is named, in more events than one where the names are many. */
static void test_every_value_without_a_record_is_named(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r;
        size_t before, sent = 0;

        (void)state;
        folder_open(&f);
        r = rig_hall_with(f.store, true);
        for (int i = 0; i < 20; i++) {
                struct ipc_proposal p;

                advance(r, ROLE_NONE), proposal(r, &p);
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        disk_full(&old);
        before = r->nwrite;
        step(r, 1.0, WRITE_ACCEPTED);
        for (size_t i = before; i < r->nwrite; i++) {
                char text[POINT_NAME_MAX + 32];

                if (supervises(r, i))
                        continue;
                (void)snprintf(text, sizeof text, "%s %.6g", r->site->point[r->write[i].point].name, r->write[i].value);
                assert_int_equal(logged(r, text), 1);
                sent++;
        }
        assert_true(sent > 6);
        assert_in_range(logged(r, "written without a record: hall/"), 2, sent / 2);
        disk_free(&old);
        rig_free(r);
        folder_close(&f);
}

/* A machine that the decision starts is started; one that it stops goes on until that is stored. */
static void test_starts_do_not_wait_for_the_store_and_stops_do(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r;
        struct ipc_proposal p;
        size_t unit[2] = {0}, n = 0, before;
        int enable[2] = {0};
        bool slow = false;

        (void)state;
        folder_open(&f);
        r = rig_hall_with(f.store, true);
        for (size_t j = 0; j < r->gate->layout->nu && n < 2; j++)
                if (r->gate->layout->u[j].kind == U_CHILLER) {
                        enable[n] = (int)r->gate->layout->u[j].point;
                        unit[n++] = j;
                }
        assert_int_equal(n, 2);
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].equipment == r->site->point[enable[0]].equipment &&
                    r->site->point[i].role == ROLE_CHILLER_STATUS)
                        r->value[i] = 0;
        r->value[enable[0]] = 0;
        for (int i = 0; i < 70; i++) { /* past minimum times */
                advance(r, ROLE_NONE), proposal(r, &p);
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        disk_full(&old);
        before = r->nwrite;
        for (int i = 0; i < 20; i++) {
                advance(r, ROLE_NONE), proposal(r, &p);
                slow = slow || r->gate->snap.slow_step;
                p.u[unit[0]] = 1;
                p.u[unit[1]] = i > 0 ? 0 : 1;
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        assert_true(slow);
        assert_true(last_write(r, before, enable[0]) >= 0);
        assert_int_equal(last_write(r, before, enable[1]), -1);
        assert_true(r->value[enable[0]] == 1 && r->value[enable[1]] == 1);
        disk_free(&old);
        for (int i = 0; i < 40 && r->value[enable[1]] == 1; i++) { /* the very stop, stored */
                advance(r, ROLE_NONE), proposal(r, &p);
                p.u[unit[1]] = 0;
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        assert_true(r->value[enable[1]] == 0);
        rig_free(r);
        folder_close(&f);
}

/* What only watches writes nothing, least of all what it could not store. */
static void test_shadow_writes_nothing_in_an_outage(void **state)
{
        struct rlimit old;
        struct folder f;
        struct rig *r = rig_site();
        size_t before;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(gate_create(&(struct gate_args){.site = r->site,
                                                         .clk = &r->clk,
                                                         .store = f.store,
                                                         .actuator = {say_not_sent, r},
                                                         .run_mode = "shadow",
                                                         .log = rig_log,
                                                         .log_ctx = r},
                                     &r->gate),
                         0);
        measured(r->gate);
        steps(r, 10, 1.0);
        assert_true(r->nwrite > 0);
        before = r->nwrite;
        disk_full(&old);
        steps(r, 5, 1.0);
        disk_free(&old);
        assert_int_equal(store_exec(r->store, "CREATE TRIGGER full BEFORE INSERT ON action"
                                              " BEGIN SELECT RAISE(ABORT, 'no room'); END"),
                         0);
        steps(r, 5, 1.0);
        assert_int_equal(r->nwrite, before);
        assert_int_equal(logged(r, "without a record"), 0);
        rig_free(r);
        folder_close(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_full_disk_costs_the_oldest_samples),
            cmocka_unit_test(test_decisions_that_cannot_be_stored_end_in_release),
            cmocka_unit_test(test_an_emergency_that_cannot_be_stored_releases_at_once),
            cmocka_unit_test(test_more_cooling_does_not_wait_for_the_store),
            cmocka_unit_test(test_what_has_no_row_is_read_back_all_the_same),
            cmocka_unit_test(test_actions_that_cannot_be_stored_cool_more_all_the_same),
            cmocka_unit_test(test_without_its_decision_no_action_is_stored),
            cmocka_unit_test(test_a_fallback_without_actions_cools_more),
            cmocka_unit_test(test_every_value_without_a_record_is_named),
            cmocka_unit_test(test_starts_do_not_wait_for_the_store_and_stops_do),
            cmocka_unit_test(test_shadow_writes_nothing_in_an_outage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
