/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/log_print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/fnv.h"

#define PLACES 128
#define PLACE_MS ((int64_t)60000)
#define LATE_MS ((int64_t)300000)

struct maker {
        const struct site *site;
        struct log_print *print;
};

/* A sum over samples in any order: rows of one time lie as their points have ids, which a copy may have otherwise. */
static int add(void *ctx, const struct sample *v, size_t n)
{
        const struct maker *m = ctx;

        for (size_t i = 0; i < n; i++) {
                const char *name = m->site->point[v[i].point].name;
                const double value = isnan(v[i].value) ? 0 : v[i].value;
                uint64_t h = fnv_add(FNV_START, name, strlen(name));

                h = fnv_add(h, &v[i].t_ms, sizeof v[i].t_ms);
                h = fnv_add(h, &value, sizeof value);
                m->print->sum += fnv_add(h, &v[i].quality, sizeof v[i].quality);
        }
        m->print->samples += n;
        return 0;
}

int log_print_make(struct store *s, const struct site *site, int64_t from_ms, int64_t to_ms, struct log_print *ret)
{
        struct log_print print = {.from_ms = from_ms, .to_ms = to_ms};
        struct maker m = {site, &print};
        const int64_t end_ms = to_ms - from_ms > 2 * LATE_MS ? to_ms - LATE_MS : to_ms;
        const int64_t apart_ms = (end_ms - from_ms - PLACE_MS) / (PLACES - 1);
        int r = 0;

        if (apart_ms <= PLACE_MS)
                r = store_read_samples(s, from_ms, end_ms, add, &m);
        else
                for (int64_t k = 0; r == 0 && k < PLACES; k++)
                        r = store_read_samples(s, from_ms + k * apart_ms, from_ms + k * apart_ms + PLACE_MS, add, &m);
        if (r == 0)
                *ret = print;
        return r;
}

int log_print_is(struct store *s, const struct site *site, const struct log_print *was, char ret_differs[160])
{
        struct log_print now = {.samples = 0};
        char from[32], to[32];
        int r = log_print_make(s, site, was->from_ms, was->to_ms, &now);

        if (r < 0)
                return r;
        if (now.samples == was->samples && now.sum == was->sum)
                return 1;
        (void)clk_format(was->from_ms, from);
        (void)clk_format(was->to_ms, to);
        if (now.samples != was->samples)
                (void)snprintf(ret_differs, 160,
                               "from %s to %s it has %" PRIu64
                               " samples in the minutes compared, that one had %" PRIu64,
                               from, to, now.samples, was->samples);
        else
                (void)snprintf(ret_differs, 160, "from %s to %s its samples have other values", from, to);
        return 0;
}
