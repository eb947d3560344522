/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/inventory.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
        /* both structs start with the name */
        return strcmp(a, b);
}

/* A number of obj[key] inside lo…hi; false when absent, of another type or outside. */
static bool number(const json_t *obj, const char *key, double lo, double hi, double *ret)
{
        const json_t *v = json_object_get(obj, key);
        double x;

        if (!json_is_number(v))
                return false;
        x = json_number_value(v);
        if (!(x >= lo && x <= hi))
                return false;
        *ret = x;
        return true;
}

/* obj[key] when it is there; false when it is neither true nor false. */
static bool flag(const json_t *obj, const char *key, bool *ret)
{
        const json_t *v = json_object_get(obj, key);

        if (v && !json_is_boolean(v))
                return false;
        *ret = json_is_true(v);
        return true;
}

/* A plain name of at most cap − 1 bytes: printable, no quotes or backslashes, so that it can be quoted anywhere. */
static bool text(const json_t *obj, const char *key, char *ret, size_t cap)
{
        const json_t *v = json_object_get(obj, key);
        const char *s = json_string_value(v);
        size_t n;

        if (!s)
                return false;
        n = json_string_length(v);
        if (n == 0 || n >= cap)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)s[i] < 0x20 || s[i] == '"' || s[i] == '\\')
                        return false;
        memcpy(ret, s, n + 1);
        return true;
}

static bool name(const json_t *obj, const char *key, char *ret)
{
        return text(obj, key, ret, INVENTORY_NAME_MAX);
}

static const char *read_hosts(const struct site *site, const json_t *hosts, struct inventory *inv)
{
        for (size_t i = 0; i < inv->nhost; i++) {
                const json_t *o = json_array_get(hosts, i);
                struct inventory_host *h = &inv->host[i];
                char rack[INVENTORY_NAME_MAX];

                if (!name(o, "name", h->name) || !name(o, "rack", rack))
                        return "a host without name or rack";
                if (!number(o, "cores", 0, 1e5, &h->cores))
                        return "a host's cores: not a number from 0 to 1e5";
                if (!number(o, "mem_gib", 0, 1e6, &h->mem_gib))
                        return "a host's mem_gib: not a number from 0 to 1e6";
                if (!number(o, "idle_w", 0, 1e5, &h->idle_w))
                        return "a host's idle_w: not a number from 0 to 1e5";
                if (!number(o, "max_w", h->idle_w, 1e5, &h->max_w))
                        return "a host's max_w: not a number from idle_w to 1e5";
                if (json_object_get(o, "sleep_w") && !number(o, "sleep_w", 0, h->idle_w, &h->sleep_w))
                        return "a host's sleep_w: not between 0 and idle_w";
                if (!flag(o, "reserved", &h->reserved))
                        return "a host's reserved: neither true nor false";
                if (!flag(o, "asleep", &h->asleep))
                        return "a host's asleep: neither true nor false";
                h->rack = -1;
                for (size_t k = 0; k < site->nequipment; k++)
                        if (site->equipment[k].cls == EQ_RACK && strcmp(site->equipment[k].name, rack) == 0)
                                h->rack = (int)k;
        }
        qsort(inv->host, inv->nhost, sizeof *inv->host, by_name);
        for (size_t i = 1; i < inv->nhost; i++)
                if (strcmp(inv->host[i - 1].name, inv->host[i].name) == 0)
                        return "two hosts of one name";
        return NULL;
}

static const char *read_vms(const json_t *vms, struct inventory *inv)
{
        for (size_t i = 0; i < inv->nvm; i++) {
                const json_t *o = json_array_get(vms, i), *group = json_object_get(o, "group");
                struct inventory_vm *v = &inv->vm[i];
                char host[INVENTORY_NAME_MAX];
                ptrdiff_t h;

                if (!name(o, "name", v->name) || !name(o, "host", host))
                        return "a VM without name or host";
                h = inventory_find_host(inv, host);
                if (h < 0)
                        return "a VM on an unknown host";
                v->host = (size_t)h;
                if (!number(o, "cores", 0, 1e5, &v->cores))
                        return "a VM's cores: not a number from 0 to 1e5";
                if (!number(o, "mem_gib", 0, 1e6, &v->mem_gib))
                        return "a VM's mem_gib: not a number from 0 to 1e6";
                if (!number(o, "cpu_cores", 0, 1e5, &v->cpu_cores))
                        return "a VM's cpu_cores: not a number from 0 to 1e5";
                if (!flag(o, "movable", &v->movable))
                        return "a VM's movable: neither true nor false";
                if (group && !(json_is_integer(group) && json_integer_value(group) >= 0 &&
                               json_integer_value(group) <= UINT32_MAX))
                        return "a VM's group: not a whole number from 0 to 4294967295";
                v->group = (uint32_t)json_integer_value(group);
        }
        qsort(inv->vm, inv->nvm, sizeof *inv->vm, by_name);
        for (size_t i = 1; i < inv->nvm; i++)
                if (strcmp(inv->vm[i - 1].name, inv->vm[i].name) == 0)
                        return "two VMs of one name"; /* a move names its VM */
        return NULL;
}

int inventory_parse(const struct site *site, const char *json, size_t len, struct inventory **ret, const char **ret_why)
{
        struct inventory *inv = NULL;
        const char *why = NULL;
        json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL), *hosts, *vms, *stamp;
        int r = -EINVAL;

        *ret_why = "not JSON";
        if (!root)
                return r;
        hosts = json_object_get(root, "hosts");
        vms = json_object_get(root, "vms");
        stamp = json_object_get(root, "timestamp");
        *ret_why = "timestamp, hosts or vms missing or too many";
        if (!json_is_array(hosts) || !json_is_array(vms) || !json_is_integer(stamp) ||
            json_array_size(hosts) > INVENTORY_HOST_MAX || json_array_size(vms) > INVENTORY_VM_MAX)
                goto out;
        *ret_why = "out of memory";
        r = -ENOMEM;
        inv = calloc(1, sizeof *inv);
        if (!inv)
                goto out;
        inv->t_ms = json_integer_value(stamp);
        inv->nhost = json_array_size(hosts);
        inv->nvm = json_array_size(vms);
        inv->host = calloc(inv->nhost + 1, sizeof *inv->host);
        inv->vm = calloc(inv->nvm + 1, sizeof *inv->vm);
        if (!inv->host || !inv->vm)
                goto out;
        r = -EINVAL;
        why = read_hosts(site, hosts, inv);
        if (!why)
                why = read_vms(vms, inv);
        *ret_why = why;
        if (why)
                goto out;
        *ret = inv;
        inv = NULL;
        r = 0;
out:
        inventory_free(inv);
        json_decref(root);
        return r;
}

int inventory_parse_result(const char *json, size_t len, struct inventory_result *ret)
{
        struct inventory_result res = {.error = ""};
        json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
        bool ok = root && text(root, "id", res.id, sizeof res.id) && name(root, "vm", res.vm) &&
                  text(root, "state", res.state, sizeof res.state);

        if (ok && !text(root, "error", res.error, sizeof res.error))
                res.error[0] = '\0';
        json_decref(root);
        if (!ok)
                return -EINVAL;
        *ret = res;
        return 0;
}

struct inventory *inventory_free(struct inventory *inv)
{
        if (inv) {
                free(inv->host);
                free(inv->vm);
                free(inv);
        }
        return NULL;
}

static ptrdiff_t find(const void *base, size_t n, size_t size, const char *key)
{
        const char *p;

        if (n == 0)
                return -1;
        p = bsearch(key, base, n, size, by_name);
        return p ? (p - (const char *)base) / (ptrdiff_t)size : -1;
}

ptrdiff_t inventory_find_host(const struct inventory *inv, const char *key)
{
        return find(inv->host, inv->nhost, sizeof *inv->host, key);
}

ptrdiff_t inventory_find_vm(const struct inventory *inv, const char *key)
{
        return find(inv->vm, inv->nvm, sizeof *inv->vm, key);
}

double inventory_vm_power_w(const struct inventory *inv, size_t vm, size_t host)
{
        const struct inventory_host *h = &inv->host[host];

        if (!(h->cores > 0))
                return 0;
        return fmin(2 * inv->vm[vm].cpu_cores / h->cores, 1.0) * (h->max_w - h->idle_w);
}
