/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/serve_fault.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"

int fault_parse(const char *text, struct fault *ret)
{
        struct fault f = {0};
        const char *at = strrchr(text, '@');
        double s;

        if (!at || at == text || (size_t)(at - text) >= sizeof(f.name))
                return -EINVAL;
        memcpy(f.name, text, (size_t)(at - text));
        if (parse_double(at + 1, &s) == 0) {
                if (!(s >= 0 && s < 1e10))
                        return -EINVAL;
                f.relative = true;
                f.t_ms = llround(s * 1000);
        } else if (clk_parse_time(at + 1, &f.t_ms) < 0)
                return -EINVAL;
        *ret = f;
        return 0;
}

/* What a mode takes behind the device's name. */
enum arg { ARG_NONE, ARG_CODE, ARG_FACTOR };

static const struct wire {
        const char *name;
        enum modbusd_mode mode;
        enum arg arg;
} wires[] = {{"refuse", MODBUSD_REFUSE, ARG_NONE},
             {"blackhole", MODBUSD_BLACKHOLE, ARG_NONE},
             {"reset", MODBUSD_RESET, ARG_NONE},
             {"exception", MODBUSD_EXCEPTION, ARG_CODE},
             {"truncated", MODBUSD_TRUNCATED, ARG_NONE},
             {"short", MODBUSD_SHORT, ARG_NONE},
             {"overlong", MODBUSD_OVERLONG, ARG_NONE},
             {"wrong-length", MODBUSD_WRONG_LENGTH, ARG_NONE},
             {"wrong-unit", MODBUSD_WRONG_UNIT, ARG_NONE},
             {"wrong-tid", MODBUSD_WRONG_TID, ARG_NONE},
             {"late", MODBUSD_LATE, ARG_NONE},
             {"garbage", MODBUSD_GARBAGE, ARG_NONE},
             {"slow", MODBUSD_SLOW, ARG_FACTOR},
             {"flood", MODBUSD_FLOOD, ARG_NONE}};

static bool argument(enum arg kind, const char *text, double *ret)
{
        int64_t code = 4;

        *ret = 0;
        switch (kind) {
        case ARG_NONE:
                return text == NULL;
        case ARG_CODE:
                if (text && parse_int64(text, 1, 11, &code) < 0)
                        return false;
                *ret = (double)code;
                return true;
        case ARG_FACTOR:
                return text && parse_double(text, ret) == 0 && *ret >= 1 && *ret <= 10000;
        }
        return false;
}

/* rest: DEV or DEV:ARG; -ENOENT when kind is no fault of the wire. */
static int apply_wire(const char *kind, char *rest, const struct registers *r, struct modbusd *m)
{
        char *colon = strchr(rest, ':');
        const char *text = colon ? colon + 1 : NULL;
        double arg;
        size_t k = 0;
        int d;

        while (k < sizeof(wires) / sizeof(wires[0]) && strcmp(kind, wires[k].name) != 0)
                k++;
        const bool half_open = strcmp(kind, "half-open") == 0;
        if (k == sizeof(wires) / sizeof(wires[0]) && !half_open)
                return -ENOENT;
        if (colon)
                *colon = '\0';
        d = registers_find(r, rest);
        if (d < 0 || !argument(half_open ? ARG_NONE : wires[k].arg, text, &arg))
                return -EINVAL;
        if (m == NULL)
                return 0;
        if (!half_open)
                return modbusd_set_mode(m, (size_t)d, wires[k].mode, arg);
        modbusd_half_open(m, (size_t)d);
        return 0;
}

/* What a fault of the registers means to the wire. */
static int beside(const char *kind, const char *device, const struct registers *r, struct modbusd *m)
{
        int d = registers_find(r, device);

        if (strcmp(kind, "heal") == 0)
                return modbusd_set_mode(m, (size_t)d, MODBUSD_NORMAL, 0);
        if (strcmp(kind, "reboot") == 0)
                modbusd_reset_connections(m, (size_t)d);
        return 0;
}

int fault_apply(const struct fault *f, struct registers *r, struct modbusd *m)
{
        char name[sizeof(f->name)];
        char *colon;
        int err = registers_fault(r, f->name);

        memcpy(name, f->name, sizeof(name));
        colon = strchr(name, ':');
        if (colon)
                *colon = '\0';
        if (err == 0)
                return m != NULL ? beside(name, colon + 1, r, m) : 0;
        if (err != -ENOENT)
                return err;
        err = colon ? apply_wire(name, colon + 1, r, m) : -ENOENT;
        return err == -ENOENT ? plant_fault(r->plant, f->name) : err;
}

/* Each by itself: what else is broken by then is not known here. */
int fault_check(const struct fault *f, size_t n, const struct plant *p, const struct fault **ret_bad)
{
        struct registers *r = NULL;
        struct plant *copy = NULL;
        int err = n > 0 ? plant_clone(p, &copy) : 0;

        if (err == 0 && n > 0)
                err = registers_create(plant_spec(copy), copy, &r);
        for (size_t k = 0; err == 0 && k < n; k++) {
                (void)plant_fault(copy, "clear");
                err = fault_apply(&f[k], r, NULL);
                if (err == -EINVAL)
                        *ret_bad = &f[k];
        }
        registers_free(r);
        plant_free(copy);
        return err;
}
