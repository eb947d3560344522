/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Faults of a device's registers by name: what is read, what becomes of a write, who else writes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "sim/registers.h"

enum { ARGS_MAX = 4, ARG_BYTES = 32 };

struct args { /* fault, device, and what follows */
        size_t n;
        char s[ARGS_MAX + 1][ARG_BYTES];
};

static bool split(const char *name, struct args *ret)
{
        for (ret->n = 0; ret->n <= ARGS_MAX; ret->n++) {
                size_t len = strcspn(name, ":");
                if (len == 0 || len >= ARG_BYTES)
                        return false;
                memcpy(ret->s[ret->n], name, len);
                ret->s[ret->n][len] = '\0';
                if (name[len] == '\0') {
                        ret->n++;
                        return true;
                }
                name += len + 1;
        }
        return false;
}

void registers_fault_clear(struct reg_device *d)
{
        free(d->fault.image);
        d->fault = (struct reg_fault){.illegal = -1, .clamp = -1, .master = -1};
}

/* A register that can be written. */
static const struct reg *writable(const struct registers *r, const struct reg_device *d, const char *address)
{
        struct reg_write w;
        int64_t a;

        if (parse_int64(address, 0, 65535, &a) < 0)
                return NULL;
        for (size_t k = 0; k < d->nreg; k++)
                if (d->reg[k].holding && d->reg[k].address == a)
                        return reg_write_of(d->reg[k].q, &r->spec, &w) ? &d->reg[k] : NULL;
        return NULL;
}

static int freeze(const struct registers *r, struct reg_device *d)
{
        uint16_t(*image)[2] = calloc(d->nreg, sizeof(*image));
        if (!image)
                return -ENOMEM;
        for (size_t k = 0; k < d->nreg; k++)
                reg_encode(&d->reg[k], reg_value(r, d, &d->reg[k]), image[k]);
        free(d->fault.image);
        d->fault.image = image;
        return 0;
}

/* Power cycled: nobody's heartbeat is known, setpoints are its own. */
static int reboot(struct registers *r, struct reg_device *d)
{
        char name[32];

        if (!d->supervised)
                return 0;
        d->heartbeat = 0;
        d->remote_cmd = false;
        plant_remote_enable(r->plant, d->dev, d->index, false);
        if (d->dev != PLANT_DEV_CRAH)
                return 0;
        (void)snprintf(name, sizeof(name), "crah-reboot:%zu", d->index);
        return plant_fault(r->plant, name);
}

static int reorder(struct reg_device *d, const char *order)
{
        static const char *const names[] = {"AB", "BA", "ABCD", "CDAB", "BADC", "DCBA"}; /* as enum reg_order */

        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
                if (strcmp(order, names[k]) == 0) {
                        d->fault.reordered[k >= REG_ABCD] = true;
                        d->fault.order[k >= REG_ABCD] = (enum reg_order)k;
                        return 0;
                }
        return -EINVAL;
}

static int no_arg(struct registers *r, struct reg_device *d, const char *kind)
{
        if (strcmp(kind, "heal") == 0)
                registers_fault_clear(d);
        else if (strcmp(kind, "partial") == 0)
                d->fault.first_word = true;
        else if (strcmp(kind, "ignore") == 0)
                d->fault.ignore = true;
        else if (strcmp(kind, "inert") == 0 && d->supervised)
                d->fault.inert = true;
        else if (strcmp(kind, "frozen") == 0)
                return freeze(r, d);
        else if (strcmp(kind, "reboot") == 0)
                return reboot(r, d);
        else
                return -EINVAL;
        return 0;
}

static int one_arg(struct reg_device *d, const char *kind, const char *arg)
{
        int64_t n;

        if (strcmp(kind, "order") == 0)
                return reorder(d, arg);
        if (strcmp(kind, "shift") == 0 && parse_int64(arg, -100, 100, &n) == 0)
                d->fault.shift = (int)n;
        else if (strcmp(kind, "illegal") == 0 && parse_int64(arg, 0, 65535, &n) == 0)
                d->fault.illegal = (int)n;
        else
                return -EINVAL;
        return 0;
}

static int at_register(const struct registers *r, struct reg_device *d, const struct args *a)
{
        const struct reg *g = writable(r, d, a->s[2]);
        struct reg_fault *f = &d->fault;
        double v[2];

        if (!g || parse_double(a->s[3], &v[0]) < 0 || !isfinite(v[0]))
                return -EINVAL;
        if (a->n == 4 && strcmp(a->s[0], "master") == 0) {
                f->master = g->address;
                f->master_si = v[0];
                return 0;
        }
        if (a->n != 5 || strcmp(a->s[0], "clamp") != 0 || parse_double(a->s[4], &v[1]) < 0 || !(v[1] >= v[0]))
                return -EINVAL;
        f->clamp = g->address;
        f->clamp_min = v[0];
        f->clamp_max = v[1];
        return 0;
}

bool registers_fault_named(const char *name)
{
        static const char *const kinds[] = {"illegal", "partial", "clamp",  "ignore", "master", "reboot",
                                            "order",   "shift",   "frozen", "inert",  "heal"};

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
                if (strncmp(name, kinds[k], strlen(kinds[k])) == 0 && name[strlen(kinds[k])] == ':')
                        return true;
        return false;
}

int registers_fault(struct registers *r, const char *name)
{
        struct args a;
        int d;

        if (!registers_fault_named(name))
                return -ENOENT;
        if (!split(name, &a) || (d = registers_find(r, a.s[1])) < 0)
                return -EINVAL;
        switch (a.n) {
        case 2:
                return no_arg(r, &r->device[d], a.s[0]);
        case 3:
                return one_arg(&r->device[d], a.s[0], a.s[2]);
        default:
                return at_register(r, &r->device[d], &a);
        }
}

void registers_step(struct registers *r)
{
        for (size_t i = 0; i < r->ndevice; i++) {
                const struct reg_device *d = &r->device[i];
                /* a counter that nobody sent keeps the lease of one that was beaten once; the echo shows what was */
                for (uint16_t k = 0; k < 2 && d->fault.inert && d->heartbeat != 0; k++)
                        plant_heartbeat(r->plant, d->dev, d->index, (uint16_t)(65534 + k));
                for (size_t k = 0; k < d->nreg && d->fault.master >= 0; k++)
                        if (d->reg[k].holding && d->reg[k].address == d->fault.master) {
                                uint16_t w[2];
                                reg_encode(&d->reg[k], d->fault.master_si, w);
                                (void)registers_put(r, i, d->reg[k].address, reg_count(&d->reg[k]), w);
                        }
        }
}
