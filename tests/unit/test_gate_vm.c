/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* VM moves through the gate: what a move is reckoned with, and that it counts until it has ended. */
#include "tests/unit/gate_rig.h"

#include <errno.h>

#include "agent/gate/gate_internal.h"
#include "agent/gate/vm.h"

#define RACK "\"cores\":32,\"mem_gib\":256,\"idle_w\":100,\"max_w\":300"
#define VM(name, host, group)                                                                                          \
        "{\"name\":\"" name "\",\"host\":\"" host "\",\"cores\":12,\"mem_gib\":8,\"cpu_cores\":1.6,\"movable\":true,"  \
        "\"group\":" group "}"

/* h2 in row2 runs v3; h3 in row3 sleeps; h4 in row4 is reserved; h5 in row5 is empty, h6 there a giant. v1_host NULL:
 * v1 has left, and another came to h1. */
static void inventory(struct rig *r, const char *v1_host, int64_t age_ms)
{
        char json[2048];
        int n =
            snprintf(json, sizeof json,
                     "{\"timestamp\":%lld,\"hosts\":[{\"name\":\"h1\",\"rack\":\"row1\"," RACK
                     "},{\"name\":\"h2\",\"rack\":\"row2\"," RACK "},{\"name\":\"h3\",\"rack\":\"row3\"," RACK
                     ",\"asleep\":true},{\"name\":\"h4\",\"rack\":\"row4\"," RACK
                     ",\"reserved\":true},{\"name\":\"h5\",\"rack\":\"row5\"," RACK
                     "},{\"name\":\"h6\",\"rack\":\"row5\",\"cores\":32,\"mem_gib\":256,\"idle_w\":90000,"
                     "\"max_w\":90000,\"asleep\":true}],\"vms\":[" VM("%s", "%s", "7") "," VM("v2", "h1", "0") "," VM(
                         "v3", "h2", "0") "," VM("v4", "h1", "7") "," VM("v5", "h1", "0") "]}",
                     (long long)(clk_t_ms(&r->clk) - age_ms), v1_host ? "v1" : "v9", v1_host ? v1_host : "h1");

        assert_true(n > 0 && (size_t)n < sizeof json);
        gate_vm_message(r->gate, "inventory", json, (size_t)n);
}

static void result(struct rig *r, size_t move, const char *state)
{
        char json[256], id[64];
        const char *at = strstr(r->move[move], "\"id\":\"");

        assert_non_null(at);
        (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
        (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"vm\":\"v1\",\"state\":\"%s\"}", id, state);
        gate_vm_message(r->gate, "move/result", json, strlen(json));
}

static void add_move(struct ipc_proposal *p, const char *vm, const char *from, const char *to)
{
        struct ipc_move *m = &p->move[p->nmove++];

        (void)snprintf(m->vm, sizeof m->vm, "%s", vm);
        (void)snprintf(m->from, sizeof m->from, "%s", from);
        (void)snprintf(m->to, sizeof m->to, "%s", to);
}

static double added_w(const struct rig *r, int kind, const char *rack)
{
        const struct layout *l = r->gate->layout;

        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == kind &&
                    (kind == D_ZONE_POWER || strcmp(r->site->equipment[l->d[k].equipment].name, rack) == 0))
                        return r->gate->d_hi[k] - r->gate->d_free[k];
        fail();
        return 0;
}

static void one_step(struct rig *r, const char *vm, const char *from, const char *to)
{
        struct ipc_proposal p;

        advance(r, ROLE_NONE);
        proposal(r, &p);
        if (vm)
                add_move(&p, vm, from, to);
        gate_step_end(r->gate, &p, false);
        finish_writes(r, WRITE_ACCEPTED);
}

/* A gate that certifies what it does, so that moves are judged at all. */
static struct rig *settled(void)
{
        struct rig *r = rig_new(true);

        for (int i = 0; i < 80; i++)
                one_step(r, NULL, NULL, NULL);
        assert_true(status(r).kind <= DECISION_PROJECT);
        return r;
}

static bool near(double a, double b)
{
        return fabs(a - b) < 1e-6;
}

static void test_load_counts_until_done_and_seen(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        for (int i = 0; i < 5; i++) {
                one_step(r, NULL, NULL, NULL); /* 2 × 1.6/32 × 200 W; h2 runs already */
                assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20));
                assert_true(near(added_w(r, D_ZONE_POWER, NULL), 20));
                assert_true(near(added_w(r, D_RACK_POWER, "row1"), 0)); /* not relieved */
        }
        inventory(r, "h2", 0); /* moved, but no result yet */
        one_step(r, NULL, NULL, NULL);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20));
        result(r, 0, "done");
        one_step(r, NULL, NULL, NULL);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20));
        inventory(r, "h2", 0);
        one_step(r, NULL, NULL, NULL);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 0));
        rig_free(r);
}

static void test_failed_and_forgotten_moves_stop_counting(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h2");
        result(r, 0, "failed");
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 2);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20)); /* the second alone */
        for (int i = 0; i < 91; i++)
                one_step(r, NULL, NULL, NULL);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 0));
        rig_free(r);
}

/* A VM that leaves while it is moved, and one that is gone before. */
static void test_a_vm_that_left_counts_until_its_move_failed_and_is_not_asked_for(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        inventory(r, NULL, 0);
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20)); /* nobody has said that it will not arrive */
        result(r, 0, "failed");
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 0));
        one_step(r, "v9", "h1", "h2");
        assert_int_equal(r->nmove, 2);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 20));
        rig_free(r);
}

static void test_waking_or_empty_host_brings_its_idle_power(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h3");
        assert_int_equal(r->nmove, 1);
        assert_true(near(added_w(r, D_RACK_POWER, "row3"), 120));
        one_step(r, "v2", "h1", "h3"); /* a host wakes once */
        assert_int_equal(r->nmove, 2);
        assert_true(near(added_w(r, D_RACK_POWER, "row3"), 140));
        result(r, 0, "failed");
        one_step(r, NULL, NULL, NULL); /* … and still does for the other */
        assert_true(near(added_w(r, D_RACK_POWER, "row3"), 120));
        one_step(r, "v5", "h1", "h5");
        assert_int_equal(r->nmove, 3);
        assert_true(near(added_w(r, D_RACK_POWER, "row5"), 120));
        rig_free(r);
}

static void test_room_and_affinity_see_what_is_on_its_way(void **state)
{
        struct rig *r = settled();
        struct ipc_proposal p;

        (void)state;
        inventory(r, "h1", 0);
        advance(r, ROLE_NONE);
        proposal(r, &p);
        add_move(&p, "v1", "h1", "h2");
        add_move(&p, "v1", "h1", "h5"); /* moving already */
        add_move(&p, "v4", "h1", "h2"); /* anti-affinity with v1 on its way */
        add_move(&p, "v2", "h1", "h2"); /* 12 + 12 + 12 of 32 cores */
        add_move(&p, "v2", "h1", "h4"); /* reserved */
        gate_step_end(r->gate, &p, false);
        assert_int_equal(r->nmove, 1);
        assert_non_null(strstr(r->move[0], "\"vm\":\"v1\",\"to\":\"h2\""));
        finish_writes(r, WRITE_ACCEPTED);
        one_step(r, "v2", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        result(r, 0, "failed");
        one_step(r, "v2", "h1", "h2");
        assert_int_equal(r->nmove, 2);
        rig_free(r);
}

static void test_stale_inventory_moves_nothing(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        for (int i = 0; i < 61; i++)
                one_step(r, NULL, NULL, NULL);
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 0);
        inventory(r, "h1", 10 * 60 * 1000 - 2 * STEP_MS);
        one_step(r, "v1", "h1", "h2");
        assert_int_equal(r->nmove, 1);
        rig_free(r);
}

/* Inventories wait until a move asks for one: the newest counts, a refused one leaves the one before. */
static void test_the_newest_inventory_is_read_when_a_move_asks(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        for (int i = 0; i < 4; i++) {
                inventory(r, "h2", 0);
                inventory(r, "h1", 0);
        }
        inventory(r, "h3", 0);
        one_step(r, "v1", "h1", "h2"); /* it is at h3 now */
        assert_int_equal(r->nmove, 0);
        inventory(r, "h1", 0);
        gate_vm_message(r->gate, "inventory", "[", 1);
        one_step(r, "v1", "h3", "h2"); /* the broken one is refused: as far as we know it is at h3 */
        assert_int_equal(r->nmove, 1);
        rig_free(r);
}

/* An orchestrator that sends nonsense is told about although nobody asks for a move, and not for every message. */
static void test_a_broken_inventory_is_noticed(void **state)
{
        struct layout *l;
        struct vm_inventory *v;
        struct rig *r = rig_new(true);
        static const char good[] = "{\"timestamp\":1,\"hosts\":[],\"vms\":[]}";
        char text[192], *large = calloc(1, INVENTORY_BYTES_MAX + 1);
        int64_t t_ms, mono_ms = 0;

        (void)state;
        assert_non_null(large);
        assert_int_equal(layout_create(r->site, &l), 0);
        assert_int_equal(vm_inventory_create(l, &v), 0);
        for (int i = 0; i < 3; i++, mono_ms += 10000) {
                assert_int_equal(vm_inventory_message(v, i, "inventory", "{", 1, text, sizeof text), 0);
                assert_int_equal(vm_inventory_turn(v, mono_ms, text, sizeof text), i == 0);
        }
        assert_int_equal(vm_inventory_message(v, 3, "inventory", large, INVENTORY_BYTES_MAX + 1, text, sizeof text), 1);
        assert_null(vm_inventory_accepted(v, &t_ms));
        for (int i = 0; i < 3; i++, mono_ms += 4000) { /* read at the first turn and again 12 s later */
                assert_int_equal(vm_inventory_message(v, 10 + i, "inventory", good, sizeof good - 1, text, sizeof text),
                                 0);
                assert_int_equal(vm_inventory_turn(v, mono_ms, text, sizeof text), 0);
                assert_string_equal(vm_inventory_accepted(v, &t_ms), good);
                assert_int_equal(t_ms, 10);
        }
        assert_int_equal(vm_inventory_turn(v, mono_ms, text, sizeof text), 0);
        assert_non_null(vm_inventory_accepted(v, &t_ms));
        assert_int_equal(t_ms, 12);
        vm_inventory_stored(v);
        assert_null(vm_inventory_accepted(v, &t_ms));
        mono_ms += 10000;
        assert_int_equal(vm_inventory_message(v, 20, "inventory", "{", 1, text, sizeof text), 0);
        assert_int_equal(vm_inventory_turn(v, mono_ms, text, sizeof text), 1); /* anew */
        assert_null(vm_inventory_accepted(v, &t_ms));
        for (int i = 0; i < 3; i++)
                assert_int_equal(vm_inventory_message(v, 20, "move/result",
                                                      "{\"id\":\"x\",\"vm\":\"y\",\"state\":\"done\"}", 36, text,
                                                      sizeof text),
                                 i == 0);
        vm_inventory_free(v);
        layout_free(l);
        free(large);
        rig_free(r);
}

static void test_unpublished_move_is_not_asked_for(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        r->site->vm.max_moves_per_hour = 1;
        r->publish = -ENOTCONN;
        one_step(r, "v1", "h1", "h2");
        one_step(r, NULL, NULL, NULL);
        assert_true(near(added_w(r, D_RACK_POWER, "row2"), 0));
        r->publish = 0;
        one_step(r, "v1", "h1", "h2"); /* neither counted in the hour nor taken for moving */
        assert_int_equal(r->nmove, 1);
        one_step(r, "v2", "h1", "h3"); /* one an hour */
        assert_int_equal(r->nmove, 1);
        rig_free(r);
}

static void test_load_that_cannot_be_certified_is_refused(void **state)
{
        struct rig *r = settled();

        (void)state;
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h6"); /* a sleeping host of 90 kW */
        assert_true(status(r).kind <= DECISION_PROJECT);
        assert_int_equal(r->nmove, 0);
        assert_true(near(added_w(r, D_RACK_POWER, "row5"), 0));
        one_step(r, "v1", "h1", "h5");
        assert_int_equal(r->nmove, 1);
        rig_free(r);
}

static void test_request_is_durable_before_it_goes_out(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        char dir[] = "/tmp/coolplane-gate-vm.XXXXXX", db[64], why[256], command[96], *json;

        (void)state;
        assert_non_null(r);
        assert_non_null(mkdtemp(dir));
        (void)snprintf(db, sizeof db, "%s/t.db", dir);
        rig_open(r);
        assert_int_equal(store_open(db, STORE_WRITE, &r->store, why), 0);
        rig_start(r, true, 0);
        for (int i = 0; i < 80; i++)
                one_step(r, NULL, NULL, NULL);
        gate_vm_message(r->gate, "event", "{}", 2);
        inventory(r, "h1", 0);
        one_step(r, "v1", "h1", "h2"); /* record_move compares with the store */
        assert_int_equal(r->nmove, 1);
        result(r, 0, "done");
        gate_vm_message(r->gate, "inventory", "{}", 2); /* refused: the planner keeps the one before, as we do */
        one_step(r, NULL, NULL, NULL);
        assert_int_equal(
            store_query_json(r->store,
                             "SELECT (SELECT count(*) FROM vm_message WHERE subtopic = 'inventory' AND"
                             " json LIKE '%v1%') AS good, (SELECT count(*) FROM vm_message) AS n,"
                             " (SELECT count(*) FROM event WHERE text LIKE 'move % of v1: done%') AS ended",
                             NULL, 0, &json),
            0);
        assert_string_equal(json, "[{\"good\":1,\"n\":2,\"ended\":1}]");
        free(json);
        rig_free(r);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_load_counts_until_done_and_seen),
            cmocka_unit_test(test_failed_and_forgotten_moves_stop_counting),
            cmocka_unit_test(test_a_vm_that_left_counts_until_its_move_failed_and_is_not_asked_for),
            cmocka_unit_test(test_waking_or_empty_host_brings_its_idle_power),
            cmocka_unit_test(test_room_and_affinity_see_what_is_on_its_way),
            cmocka_unit_test(test_stale_inventory_moves_nothing),
            cmocka_unit_test(test_the_newest_inventory_is_read_when_a_move_asks),
            cmocka_unit_test(test_a_broken_inventory_is_noticed),
            cmocka_unit_test(test_unpublished_move_is_not_asked_for),
            cmocka_unit_test(test_load_that_cannot_be_certified_is_refused),
            cmocka_unit_test(test_request_is_durable_before_it_goes_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
