/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The orchestrator's inventory and move results. Oracles: refused means untouched and a reason; accepted means names
 * unique, sorted, quotable and found again, numbers inside their ranges, and a power no larger than the host's.
 */
#include <math.h>
#include <string.h>

#include "agent/gate/inventory.h"
#include "tests/fuzz/fuzz.h"

static struct equipment racks[] = {
    {.name = "rack-1", .cls = EQ_RACK}, {.name = "crah-1", .cls = EQ_CRAH}, {.name = "rack-2", .cls = EQ_RACK}};
static const struct site site = {.equipment = racks, .nequipment = 3};

static void check_name(const char *s, size_t cap)
{
        size_t n = strnlen(s, cap);
        MUST(n > 0 && n < cap);
        for (size_t i = 0; i < n; i++)
                MUST((unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\');
}

static void check_inventory(const struct inventory *inv)
{
        for (size_t i = 0; i < inv->nhost; i++) {
                const struct inventory_host *h = &inv->host[i];
                check_name(h->name, sizeof h->name);
                MUST(i == 0 || strcmp(inv->host[i - 1].name, h->name) < 0);
                MUST(inventory_find_host(inv, h->name) == (ptrdiff_t)i);
                MUST(h->rack == -1 || h->rack == 0 || h->rack == 2);
                MUST(h->cores >= 0 && h->mem_gib >= 0 && h->idle_w >= 0 && h->max_w >= h->idle_w && h->max_w <= 1e5);
        }
        for (size_t i = 0; i < inv->nvm; i++) {
                const struct inventory_vm *v = &inv->vm[i];
                check_name(v->name, sizeof v->name);
                MUST(i == 0 || strcmp(inv->vm[i - 1].name, v->name) < 0);
                MUST(inventory_find_vm(inv, v->name) == (ptrdiff_t)i);
                MUST(v->host < inv->nhost);
                MUST(v->cores >= 0 && v->mem_gib >= 0 && v->cpu_cores >= 0 && isfinite(v->cpu_cores));
                for (size_t h = 0; h < inv->nhost; h++) {
                        double w = inventory_vm_power_w(inv, i, h);
                        MUST(w >= 0 && w <= inv->host[h].max_w - inv->host[h].idle_w);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *json = (char *)fuzz_copy(data, size);
        struct inventory sentinel, *inv = &sentinel;
        const char *why = NULL;
        int r = inventory_parse(&site, json, size, &inv, &why);
        if (r < 0) {
                MUST(inv == &sentinel && why);
        } else {
                check_inventory(inv);
                inventory_free(inv);
        }
        struct inventory_result before, res;
        memset(&before, 0x5a, sizeof before);
        res = before;
        if (inventory_parse_result(json, size, &res) < 0) {
                MUST(memcmp(&res, &before, sizeof res) == 0);
        } else {
                check_name(res.id, sizeof res.id);
                check_name(res.vm, sizeof res.vm);
                check_name(res.state, sizeof res.state);
                MUST(strnlen(res.error, sizeof res.error) < sizeof res.error);
        }
        free(json);
        return 0;
}
