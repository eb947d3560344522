/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Faults by name. The plant has no parser of the agent's to lean on, so it reads its few numbers itself. */
#include <errno.h>
#include <string.h>

#include "sim/plant_internal.h"

#define DIGITS_MAX 9

/* [-]digits[.digits], at most nine digits a part; moves *s past it. */
static bool number(const char **s, double *ret)
{
        const bool negative = **s == '-';
        double v = 0.0, unit = 1.0;
        unsigned n = 0;

        *s += negative;
        for (; **s >= '0' && **s <= '9' && n <= DIGITS_MAX; (*s)++, n++)
                v = v * 10.0 + (double)(**s - '0');
        if (n == 0 || n > DIGITS_MAX)
                return false;
        if (**s == '.') {
                (*s)++;
                for (n = 0; **s >= '0' && **s <= '9' && n <= DIGITS_MAX; (*s)++, n++)
                        v += (double)(**s - '0') * (unit /= 10.0);
                if (n == 0 || n > DIGITS_MAX)
                        return false;
        }
        *ret = negative ? -v : v;
        return true;
}

static bool numbers(const char *s, size_t n, double *ret)
{
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && *s++ != ':')
                        return false;
                if (!number(&s, &ret[i]))
                        return false;
        }
        return *s == '\0';
}

static bool index_in(double v, size_t n, size_t *ret)
{
        if (!(v >= 0.0 && v < (double)n) || v != (double)(size_t)v)
                return false;
        *ret = (size_t)v;
        return true;
}

static void clear(struct plant *p)
{
        p->load_step = 1.0;
        for (size_t i = 0; i < p->spec.ncrah; i++)
                p->crah[i].failed = false;
        for (size_t i = 0; i < p->spec.nchiller; i++)
                p->chiller[i].tripped = false;
        for (size_t i = 0; i < p->spec.nrack; i++) {
                p->rack[i].stuck = false;
                p->rack[i].bias_k = 0.0;
        }
}

int plant_fault(struct plant *p, const char *name)
{
        const char *colon = strchr(name, ':');
        const size_t len = colon != NULL ? (size_t)(colon - name) : strlen(name);
        const char *args = colon != NULL ? colon + 1 : "";
        double v[2];
        size_t i;

#define NAMED(s) (len == sizeof(s) - 1 && memcmp(name, s, len) == 0)
        if (NAMED("clear") && colon == NULL) {
                clear(p);
        } else if (NAMED("crah-fail") && numbers(args, 1, v) && index_in(v[0], p->spec.ncrah, &i)) {
                p->crah[i].failed = true;
        } else if (NAMED("chiller-trip") && numbers(args, 1, v) && index_in(v[0], p->spec.nchiller, &i)) {
                p->chiller[i].tripped = true;
        } else if (NAMED("inlet-stuck") && numbers(args, 1, v) && index_in(v[0], p->spec.nrack, &i)) {
                p->rack[i].stuck_c = plant_inlet_reading_c(p, i);
                p->rack[i].stuck = true;
        } else if (NAMED("inlet-bias") && numbers(args, 2, v) && index_in(v[0], p->spec.nrack, &i)) {
                p->rack[i].bias_k = v[1];
        } else if (NAMED("load-step") && numbers(args, 1, v) && v[0] >= 0.0 && v[0] <= 10.0) {
                p->load_step = v[0];
        } else {
                return -EINVAL;
        }
#undef NAMED
        return 0;
}
