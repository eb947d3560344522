/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/gate/inventory.h"

static struct equipment racks[] = {{.name = "rack-1", .cls = EQ_RACK}, {.name = "rack-2", .cls = EQ_RACK}};
static const struct site site = {.equipment = racks, .nequipment = 2};

static const char good[] =
    "{\"timestamp\":1000,\"hosts\":[{\"name\":\"h2\",\"rack\":\"rack-2\",\"cores\":32,\"mem_gib\":256,\"idle_w\":100,"
    "\"max_w\":300,\"sleep_w\":9},{\"name\":\"h1\",\"rack\":\"elsewhere\",\"cores\":16,\"mem_gib\":64,\"idle_w\":50,"
    "\"max_w\":150,"
    "\"reserved\":true}],\"vms\":[{\"name\":\"v9\",\"host\":\"h2\",\"cores\":4,\"mem_gib\":8,\"cpu_cores\":1.6,"
    "\"movable\":true,\"group\":3}]}";

static void test_parse(void **state)
{
        struct inventory *inv;
        const char *why;

        (void)state;
        assert_int_equal(inventory_parse(&site, good, strlen(good), &inv, &why), 0);
        assert_int_equal(inv->nhost, 2);
        assert_string_equal(inv->host[0].name, "h1");
        assert_int_equal(inv->host[0].rack, -1);
        assert_true(inv->host[0].reserved);
        assert_int_equal(inv->host[1].rack, 1);
        assert_true(inv->host[0].sleep_w == 0.0 && inv->host[1].sleep_w == 9.0);
        assert_int_equal(inventory_find_host(inv, "h2"), 1);
        assert_int_equal(inventory_find_vm(inv, "v9"), 0);
        assert_int_equal(inventory_find_vm(inv, "none"), -1);
        assert_int_equal(inv->vm[0].group, 3);
        assert_true(inventory_vm_power_w(inv, 0, 1) > 19.999 && inventory_vm_power_w(inv, 0, 1) < 20.001);
        inventory_free(inv);
}

/* Every truncation is refused and leaves the output alone. */
static void test_truncated(void **state)
{
        struct inventory *inv = (struct inventory *)0x1;
        const char *why;

        (void)state;
        for (size_t n = 0; n + 1 < sizeof good - 1; n++) {
                assert_int_equal(inventory_parse(&site, good, n, &inv, &why), -EINVAL);
                assert_ptr_equal(inv, (struct inventory *)0x1);
                assert_non_null(why);
        }
}

static void test_refused(void **state)
{
        static const char *const bad[] = {
            "[]",
            "{\"timestamp\":1,\"hosts\":{},\"vms\":[]}",
            "{\"timestamp\":1.5,\"hosts\":[],\"vms\":[]}",
            "{\"timestamp\":1,\"hosts\":[],\"vms\":[{\"name\":\"v\",\"host\":\"h\",\"cores\":1,\"mem_gib\":1,\"cpu_"
            "cores\":1}]}",
            "{\"timestamp\":1,\"hosts\":[{\"name\":\"a\\\"b\",\"rack\":\"r\",\"cores\":1,\"mem_gib\":1,\"idle_w\":1,"
            "\"max_w\":2}],\"vms\":[]}",
            "{\"timestamp\":1,\"hosts\":[{\"name\":\"a\",\"rack\":\"r\",\"cores\":-1,\"mem_gib\":1,\"idle_w\":1,\"max_"
            "w\":2}],\"vms\":[]}",
            "{\"timestamp\":1,\"hosts\":[{\"name\":\"a\",\"rack\":\"r\",\"cores\":1,\"mem_gib\":1,\"idle_w\":3,\"max_"
            "w\":2}],\"vms\":[]}",
            "{\"timestamp\":1,\"hosts\":[{\"name\":\"a\",\"rack\":\"r\",\"cores\":1,\"mem_gib\":1,\"idle_w\":1,\"max_"
            "w\":2,\"sleep_w\":1.5}],\"vms\":[]}",
            "{\"timestamp\":1,\"hosts\":[{\"name\":\"a\",\"rack\":\"r\",\"cores\":1,\"mem_gib\":1,\"idle_w\":1,\"max_"
            "w\":2},"
            "{\"name\":\"a\",\"rack\":\"r\",\"cores\":1,\"mem_gib\":1,\"idle_w\":1,\"max_w\":2}],\"vms\":[]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct inventory *inv;
                const char *why;

                assert_int_equal(inventory_parse(&site, bad[i], strlen(bad[i]), &inv, &why), -EINVAL);
        }
}

/* Every member of the good message, wrong: refused by its name. What is left out is false, or no group. */
static void test_every_member_is_judged(void **state)
{
        static const struct {
                const char *find, *replace, *why; /* NULL = accepted */
        } v[] = {
            {"\"reserved\":true", "\"reserved\":1", "a host's reserved"},
            {"\"reserved\":true", "\"reserved\":\"true\"", "a host's reserved"},
            {"\"reserved\":true", "\"reserved\":null", "a host's reserved"},
            {"\"reserved\":true", "\"asleep\":0", "a host's asleep"},
            {"\"reserved\":true", "\"asleep\":\"no\"", "a host's asleep"},
            {"\"reserved\":true", "\"sleep_w\":\"9\"", "a host's sleep_w"},
            {"\"reserved\":true", "\"sleep_w\":null", "a host's sleep_w"},
            {"\"cores\":32", "\"cores\":\"32\"", "a host's cores"},
            {"\"mem_gib\":256", "\"mem_gib\":true", "a host's mem_gib"},
            {"\"mem_gib\":256", "\"mem\":256", "a host's mem_gib"},
            {"\"idle_w\":100", "\"idle_w\":null", "a host's idle_w"},
            {"\"max_w\":300", "\"max_w\":[300]", "a host's max_w"},
            {"\"max_w\":300", "\"max_w\":99", "a host's max_w"},
            {"\"movable\":true", "\"movable\":1", "a VM's movable"},
            {"\"movable\":true", "\"movable\":\"false\"", "a VM's movable"},
            {"\"group\":3", "\"group\":\"db\"", "a VM's group"},
            {"\"group\":3", "\"group\":3.5", "a VM's group"},
            {"\"group\":3", "\"group\":-1", "a VM's group"},
            {"\"group\":3", "\"group\":4294967296", "a VM's group"},
            {"\"group\":3", "\"group\":null", "a VM's group"},
            {"\"cores\":4", "\"cores\":\"4\"", "a VM's cores"},
            {"\"mem_gib\":8", "\"mem_gib\":{}", "a VM's mem_gib"},
            {"\"cpu_cores\":1.6", "\"cpu_cores\":\"1.6\"", "a VM's cpu_cores"},
            {"\"cpu_cores\":1.6", "\"cpu_cores\":-0.1", "a VM's cpu_cores"},
            {",\"group\":3", "", NULL},
            {"\"group\":3", "\"group\":0", NULL},
            {"\"movable\":true,", "", NULL},
            {"\"reserved\":true", "\"reserved\":false", NULL},
            {"\"reserved\":true", "\"asleep\":true,\"colour\":\"red\"", NULL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
                struct inventory *const none = (struct inventory *)0x1, *inv = none;
                const char *at = strstr(good, v[i].find), *why = "";
                char text[1024];
                int r, n;

                assert_non_null(at);
                n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, v[i].replace,
                             at + strlen(v[i].find));
                assert_in_range(n, 1, sizeof text - 1);
                r = inventory_parse(&site, text, (size_t)n, &inv, &why);
                if (v[i].why && (r != -EINVAL || inv != none || !strstr(why, v[i].why)))
                        fail_msg("%s: %d, %s", v[i].replace, r, why ? why : "accepted");
                if (!v[i].why)
                        assert_int_equal(r, 0);
                if (!v[i].why)
                        inventory_free(inv);
        }
}

static void test_result(void **state)
{
        static const char ok[] = "{\"id\":\"1-2-3\",\"vm\":\"v1\",\"state\":\"done\"}";
        struct inventory_result r;

        (void)state;
        assert_int_equal(inventory_parse_result(ok, strlen(ok), &r), 0);
        assert_string_equal(r.state, "done");
        assert_string_equal(r.error, "");
        assert_int_equal(inventory_parse_result("{\"id\":\"1\"}", 10, &r), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_parse), cmocka_unit_test(test_truncated), cmocka_unit_test(test_refused),
            cmocka_unit_test(test_every_member_is_judged), cmocka_unit_test(test_result)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
