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

static int apply_wire(const char *kind, char *rest, struct registers *r, struct modbusd *m)
{
        static const struct {
                const char *name;
                enum modbusd_mode mode;
        } modes[] = {{"blackhole", MODBUSD_BLACKHOLE},
                     {"garbage", MODBUSD_GARBAGE},
                     {"exception", MODBUSD_EXCEPTION},
                     {"refuse", MODBUSD_REFUSE},
                     {"heal", MODBUSD_NORMAL}};
        int64_t address = -1;
        bool illegal = strcmp(kind, "illegal") == 0;

        if (illegal) {
                char *colon = strrchr(rest, ':');
                if (!colon || parse_int64(colon + 1, 0, 65535, &address) < 0)
                        return -EINVAL;
                *colon = '\0';
        }
        int d = registers_find(r, rest);
        if (d < 0)
                return -EINVAL;
        if (illegal) {
                r->device[d].illegal = (int)address;
                return 0;
        }
        for (size_t k = 0; k < sizeof(modes) / sizeof(modes[0]); k++)
                if (strcmp(kind, modes[k].name) == 0) {
                        if (modes[k].mode == MODBUSD_NORMAL)
                                r->device[d].illegal = -1;
                        return modbusd_set_mode(m, (size_t)d, modes[k].mode);
                }
        return -ENOENT;
}

int fault_apply(const struct fault *f, struct registers *r, struct modbusd *m)
{
        static const char *const wire[] = {"blackhole:", "garbage:", "exception:", "refuse:", "illegal:", "heal:"};
        char name[sizeof(f->name)];

        memcpy(name, f->name, sizeof(name));
        for (size_t k = 0; k < sizeof(wire) / sizeof(wire[0]); k++)
                if (strncmp(name, wire[k], strlen(wire[k])) == 0) {
                        char *colon = strchr(name, ':');
                        *colon = '\0';
                        return apply_wire(name, colon + 1, r, m);
                }
        return plant_fault(r->plant, name);
}
