/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the plant says over MQTT, without a broker: read back by the agent's own inventory parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/inventory.h"
#include "sim/orchestrator.h"
#include "sim/serve_world.h"

#define LAST_MAX 64

struct message {
        char topic[64];
        char *payload;
        bool retained;
        int qos;
};

struct rig {
        struct world world;
        struct orchestrator *orch;
        struct message msg[LAST_MAX];
        size_t n;
        bool down;
};

static int publish(void *ctx, const char *topic, const char *payload, size_t len, int qos, bool retained)
{
        struct rig *g = ctx;
        struct message *m = &g->msg[g->n];
        if (g->down)
                return -ENOTCONN;
        assert_true(g->n < LAST_MAX);
        assert_int_equal(strlen(payload), len);
        snprintf(m->topic, sizeof(m->topic), "%s", topic);
        m->payload = strdup(payload);
        m->retained = retained;
        m->qos = qos;
        g->n++;
        return 0;
}

static void forget(struct rig *g)
{
        for (size_t k = 0; k < g->n; k++)
                free(g->msg[k].payload);
        g->n = 0;
}

static const struct message *last(const struct rig *g, const char *topic)
{
        for (size_t k = g->n; k-- > 0;)
                if (strcmp(g->msg[k].topic, topic) == 0)
                        return &g->msg[k];
        return NULL;
}

static size_t count(const struct rig *g, const char *topic)
{
        size_t n = 0;
        for (size_t k = 0; k < g->n; k++)
                n += strcmp(g->msg[k].topic, topic) == 0;
        return n;
}

static int setup_with(void **state, const char *arrivals)
{
        struct rig *g = calloc(1, sizeof(*g));
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t seed = env ? strtoull(env, NULL, 0) : 11;
        struct world_args wa = {.site = "tiny", .seed = seed, .arrivals = arrivals};

        print_message("seed %" PRIu64 "\n", seed);
        assert_int_equal(world_create(&wa, 1768435200000, &g->world), 0);
        plant_advance(g->world.plant, 300);
        struct orchestrator_args oa = {.plant = g->world.plant, .site = "tiny", .publish = publish, .ctx = g};
        assert_int_equal(orchestrator_create(&oa, &g->orch), 0);
        *state = g;
        return 0;
}

static int setup(void **state)
{
        return setup_with(state, NULL);
}

static int setup_arrivals(void **state)
{
        return setup_with(state, "synthetic");
}

static int teardown(void **state)
{
        struct rig *g = *state;
        forget(g);
        orchestrator_free(g->orch);
        world_free(&g->world);
        free(g);
        return 0;
}

static struct inventory *parse_inventory(const struct rig *g)
{
        static struct equipment rack[8];
        struct site site = {.equipment = rack, .nequipment = 8};
        struct inventory *inv = NULL;
        const char *why = NULL;
        const struct message *m = last(g, "tiny/vm/inventory");

        for (size_t k = 0; k < 8; k++) {
                snprintf(rack[k].name, sizeof(rack[k].name), "rack-%zu", k + 1);
                rack[k].cls = EQ_RACK;
        }
        assert_non_null(m);
        assert_true(m->retained);
        int err = inventory_parse(&site, m->payload, strlen(m->payload), &inv, &why);
        if (err < 0)
                fail_msg("%s", why);
        return inv;
}

static void test_inventory_and_power(void **state)
{
        struct rig *g = *state;
        struct plant_rack_meas rack;
        char want[64];

        orchestrator_tick(g->orch, 1000);
        struct inventory *inv = parse_inventory(g);
        assert_int_equal(inv->nhost, plant_nhost(g->world.plant));
        assert_int_equal(inv->nvm, plant_nvm(g->world.plant));
        assert_int_equal(inv->t_ms, plant_t_ms(g->world.plant));
        for (size_t k = 0; k < inv->nhost; k++)
                assert_true(inv->host[k].rack >= 0);
        inventory_free(inv);

        const struct message *m = last(g, "tiny/it/power");
        assert_non_null(m);
        assert_false(m->retained);
        plant_rack_meas(g->world.plant, 2, &rack);
        snprintf(want, sizeof(want), "\"rack-3\":%.10g,", rack.power_w);
        assert_non_null(strstr(m->payload, want));
        assert_non_null(last(g, "tiny/weather"));
}

static void test_rates(void **state)
{
        struct rig *g = *state;

        /* real time: power every 10 s of plant time, weather and inventory every 60 s */
        for (int s = 0; s < 120; s += 5) {
                orchestrator_tick(g->orch, 1000 + s * 1000);
                plant_advance(g->world.plant, 5);
        }
        assert_int_equal(count(g, "tiny/it/power"), 12);
        assert_int_equal(count(g, "tiny/weather"), 2);
        assert_int_equal(count(g, "tiny/vm/inventory"), 2);
        forget(g);
        /* 3600 times as fast: bounded by the wall, at most 20 power messages and five inventories a second */
        for (int ms = 0; ms < 1000; ms += 5) {
                plant_advance(g->world.plant, 18);
                orchestrator_tick(g->orch, 1000000 + ms);
                if (g->n > LAST_MAX - 4)
                        break;
        }
        assert_int_equal(count(g, "tiny/it/power"), 20);
        assert_int_equal(count(g, "tiny/vm/inventory"), 5);
        forget(g);
        /* nothing is lost while the broker is away: it is due at once when it comes back */
        g->down = true;
        orchestrator_tick(g->orch, 2000000);
        g->down = false;
        orchestrator_connected(g->orch);
        orchestrator_tick(g->orch, 2000001);
        assert_int_equal(g->n, 3);
}

static void ask(struct rig *g, const char *json)
{
        orchestrator_request(g->orch, json, strlen(json));
}

static struct inventory_result result(const struct rig *g)
{
        struct inventory_result r;
        const struct message *m = last(g, "tiny/vm/move/result");
        assert_non_null(m);
        assert_int_equal(m->qos, 1);
        assert_false(m->retained);
        assert_int_equal(inventory_parse_result(m->payload, strlen(m->payload), &r), 0);
        return r;
}

static void test_move(void **state)
{
        struct rig *g = *state;
        struct plant_vm vm;
        struct plant_host to;
        char json[160], vm_name[16], host_name[16];
        size_t v = 0, h = 0;

        /* a movable VM and a host elsewhere with room */
        for (plant_vm(g->world.plant, v, &vm); !vm.movable; plant_vm(g->world.plant, ++v, &vm))
                ;
        int err = -1;
        for (h = 0; h < plant_nhost(g->world.plant) && err < 0; h++) {
                if (h == vm.host)
                        continue;
                forget(g);
                plant_host(g->world.plant, h, &to);
                snprintf(vm_name, sizeof(vm_name), "v%" PRIu32, vm.id);
                snprintf(host_name, sizeof(host_name), "h%" PRIu32, to.id);
                snprintf(json, sizeof(json), "{\"timestamp\":1,\"id\":\"r%zu\",\"vm\":\"%s\",\"to\":\"%s\"}", h,
                         vm_name, host_name);
                ask(g, json);
                err = strcmp(result(g).state, "started") == 0 ? 0 : -1;
        }
        assert_int_equal(err, 0);
        assert_string_equal(result(g).vm, vm_name);
        forget(g);
        ask(g, json); /* delivered twice: no second answer, no second move */
        assert_int_equal(g->n, 0);
        snprintf(json, sizeof(json), "{\"id\":\"other\",\"vm\":\"%s\",\"to\":\"%s\"}", vm_name, host_name);
        ask(g, json);
        assert_string_equal(result(g).state, "failed"); /* it is on its way */
        forget(g);

        for (int k = 0; k < 720 && !last(g, "tiny/vm/move/result"); k++) { /* an hour at most */
                forget(g);
                plant_advance(g->world.plant, 5);
                orchestrator_tick(g->orch, 100000 + k * 5000);
        }
        struct inventory_result r = result(g);
        assert_true(strcmp(r.state, "done") == 0 || strcmp(r.state, "failed") == 0);
        plant_vm(g->world.plant, v, &vm);
        struct inventory *inv = parse_inventory(g); /* told at once */
        ptrdiff_t i = inventory_find_vm(inv, vm_name);
        assert_true(i >= 0);
        assert_int_equal(strcmp(inv->host[inv->vm[i].host].name, host_name) == 0, strcmp(r.state, "done") == 0);
        inventory_free(inv);
}

static bool here(const struct plant *p, uint32_t id)
{
        struct plant_vm v;

        for (size_t k = 0; k < plant_nvm(p); k++) {
                plant_vm(p, k, &v);
                if (v.id == id)
                        return true;
        }
        return false;
}

/* Inventories follow the VMs that come and go; a VM that left since the inventory cannot be moved, and one that leaves
 * while it is moved makes the move fail. */
static void test_vms_come_and_go(void **state)
{
        struct rig *g = *state;
        struct plant *p = g->world.plant;
        unsigned unknown = 0, left = 0, shown = 0;
        char json[160];

        for (int i = 0; i < 400 && (unknown == 0 || left == 0); i++) {
                struct plant_vm_counts n;
                struct inventory *inv;

                forget(g);
                orchestrator_connected(g->orch);
                orchestrator_tick(g->orch, 1000000 + i * 100000);
                inv = parse_inventory(g);
                plant_vm_counts(p, &n);
                assert_int_equal(inv->nvm, n.arrived - n.left);
                shown += inv->nvm > 0;
                /* 20 s before the next VMs leave: moves that straddle it */
                plant_advance(p, 280.0);
                for (size_t k = 0; k < 40 && k < inv->nvm; k++) {
                        forget(g);
                        snprintf(json, sizeof(json), "{\"id\":\"a%d-%zu\",\"vm\":\"%s\",\"to\":\"h%zu\"}", i, k,
                                 inv->vm[k].name, 1 + (k * 7 + (size_t)i) % plant_nhost(p));
                        ask(g, json);
                }
                forget(g);
                plant_advance(p, 20.0);
                orchestrator_tick(g->orch, 1000000 + i * 100000 + 50000);
                for (size_t k = 0; k < g->n; k++) {
                        struct inventory_result r;

                        if (strcmp(g->msg[k].topic, "tiny/vm/move/result") != 0 ||
                            !strstr(g->msg[k].payload, "vm left"))
                                continue;
                        assert_int_equal(inventory_parse_result(g->msg[k].payload, strlen(g->msg[k].payload), &r), 0);
                        assert_string_equal(r.state, "failed");
                        assert_false(here(p, (uint32_t)strtoul(r.vm + 1, NULL, 10)));
                        left++;
                }
                for (size_t k = 0; k < inv->nvm; k++) {
                        if (here(p, (uint32_t)strtoul(inv->vm[k].name + 1, NULL, 10)))
                                continue;
                        forget(g);
                        snprintf(json, sizeof(json), "{\"id\":\"b%d-%zu\",\"vm\":\"%s\",\"to\":\"h1\"}", i, k,
                                 inv->vm[k].name);
                        ask(g, json);
                        assert_string_equal(result(g).state, "failed");
                        assert_string_equal(result(g).error, "unknown vm");
                        unknown++;
                        break;
                }
                inventory_free(inv);
        }
        assert_true(shown > 0 && unknown > 0 && left > 0);
}

static void test_bad_requests(void **state)
{
        struct rig *g = *state;
        static const char *const silent[] = {"",
                                             "garbage",
                                             "[]",
                                             "{}",
                                             "{\"id\":7,\"vm\":\"v1\",\"to\":\"h1\"}",
                                             "{\"id\":\"\",\"vm\":\"v1\",\"to\":\"h1\"}",
                                             "{\"id\":\"a\\\"b\",\"vm\":\"v1\",\"to\":\"h1\"}",
                                             "{\"id\":\"a\",\"id\":\"b\",\"vm\":\"v1\",\"to\":\"h1\"}"};
        static const char *const refused[] = {"{\"id\":\"a\"}",
                                              "{\"id\":\"b\",\"vm\":\"v999999\",\"to\":\"h1\"}",
                                              "{\"id\":\"c\",\"vm\":\"v1\",\"to\":\"h999999\"}",
                                              "{\"id\":\"d\",\"vm\":\"h1\",\"to\":\"h1\"}",
                                              "{\"id\":\"e\",\"vm\":\"v-1\",\"to\":\"h1\"}",
                                              "{\"id\":\"f\",\"vm\":\"v1\\n\",\"to\":\"h1\"}"};
        for (size_t k = 0; k < sizeof(silent) / sizeof(silent[0]); k++)
                ask(g, silent[k]);
        assert_int_equal(g->n, 0);
        for (size_t k = 0; k < sizeof(refused) / sizeof(refused[0]); k++) {
                ask(g, refused[k]);
                assert_int_equal(g->n, k + 1);
                assert_string_equal(result(g).state, "failed");
                assert_true(result(g).error[0] != '\0');
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_inventory_and_power, setup, teardown),
            cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
            cmocka_unit_test_setup_teardown(test_move, setup, teardown),
            cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
            cmocka_unit_test_setup_teardown(test_vms_come_and_go, setup_arrivals, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
