/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/readplan.h"

#include <errno.h>
#include <stdlib.h>

#define WORDS_MAX 125 /* Modbus application protocol, 6.3 */
#define BITS_MAX 2000 /* 6.1 */

struct entry {
        uint32_t point;
        uint32_t address, end; /* [address, end) in registers or bits */
        uint8_t unit_id;
        enum point_table table;
        bool alone;
};

static bool is_bits(enum point_table t)
{
        return t == POINT_TABLE_COIL || t == POINT_TABLE_DISCRETE;
}

static bool on_wire(enum point_table t)
{
        return is_bits(t) || t == POINT_TABLE_HOLDING || t == POINT_TABLE_INPUT;
}

static int by_address(const void *x, const void *y)
{
        const struct entry *a = x, *b = y;
        if (a->unit_id != b->unit_id)
                return a->unit_id < b->unit_id ? -1 : 1;
        if (a->table != b->table)
                return a->table < b->table ? -1 : 1;
        if (a->address != b->address)
                return a->address < b->address ? -1 : 1;
        if (a->end != b->end)
                return a->end > b->end ? -1 : 1; /* the wider first: the narrower lies inside it */
        return a->point < b->point ? -1 : a->point > b->point;
}

static size_t limited(int value, size_t max)
{
        return value < 1 || (size_t)value > max ? max : (size_t)value;
}

struct readplan_caps readplan_caps_of(const struct device *d)
{
        return (struct readplan_caps){
            .max_words = limited(d->quirks.max_word_registers_per_request, WORDS_MAX),
            .max_bits = limited(d->quirks.max_bit_registers_per_request, BITS_MAX),
            .max_gap = d->quirks.max_gap > 0 ? (size_t)d->quirks.max_gap : 0,
            .one_request_per_field = d->quirks.one_request_per_field,
        };
}

/* Whether e may join the block that runs [start, end) and ends with entry prev. */
static bool joins(const struct entry *e, const struct entry *prev, uint32_t start, uint32_t end,
                  const struct readplan_caps *caps)
{
        if (e->alone || prev->alone || e->unit_id != prev->unit_id || e->table != prev->table)
                return false;
        if (e->end <= end)
                return true; /* an alias costs nothing */
        if (caps->one_request_per_field || e->address > end + caps->max_gap)
                return false;
        return e->end - start <= (is_bits(e->table) ? caps->max_bits : caps->max_words);
}

static void build(struct readplan *p, const struct entry *e, size_t n, const struct readplan_caps *caps)
{
        uint32_t end = 0;
        for (size_t i = 0; i < n; i++) {
                struct readblock *b = p->nblock > 0 ? &p->block[p->nblock - 1] : NULL;
                if (!b || !joins(&e[i], &e[i - 1], b->address, end, caps)) {
                        b = &p->block[p->nblock++];
                        *b = (struct readblock){.unit_id = e[i].unit_id,
                                                .table = e[i].table,
                                                .address = (uint16_t)e[i].address,
                                                .first = i};
                        end = e[i].end;
                }
                if (e[i].end > end)
                        end = e[i].end;
                b->count = (uint16_t)(end - b->address);
                b->npoint++;
                p->point[i] = e[i].point;
        }
        p->npoint = n;
}

int readplan_create_capped(const struct site *site, int device, const uint8_t *quarantined,
                           const struct readplan_caps *caps, struct readplan **ret)
{
        int r = -ENOMEM;
        size_t n = 0;
        struct entry *e = calloc(site->npoint + 1, sizeof(*e)); /* + 1: calloc(0) may be NULL */
        struct readplan *p = calloc(1, sizeof(*p));
        if (!e || !p)
                goto out;

        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *pt = &site->point[i];
                if (pt->device != device || !pt->readable || !on_wire(pt->table))
                        continue;
                size_t width = is_bits(pt->table) ? 1 : point_nregs(pt);
                if (width < 1 || width > WORDS_MAX || pt->address + width > 65536) {
                        r = -ERANGE;
                        goto out;
                }
                e[n++] = (struct entry){.point = (uint32_t)i,
                                        .address = pt->address,
                                        .end = (uint32_t)(pt->address + width),
                                        .unit_id = pt->unit_id,
                                        .table = pt->table,
                                        .alone = quarantined && quarantined[i]};
        }
        qsort(e, n, sizeof(*e), by_address);

        p->block = calloc(n + 1, sizeof(*p->block));
        p->point = calloc(n + 1, sizeof(*p->point));
        if (!p->block || !p->point)
                goto out;
        build(p, e, n, caps);
        *ret = p;
        p = NULL;
        r = 0;
out:
        readplan_free(p);
        free(e);
        return r;
}

int readplan_create(const struct site *site, int device, const uint8_t *quarantined, struct readplan **ret)
{
        struct readplan_caps caps = readplan_caps_of(&site->device[device]);
        return readplan_create_capped(site, device, quarantined, &caps, ret);
}

struct readplan *readplan_free(struct readplan *p)
{
        if (!p)
                return NULL;
        free(p->block);
        free(p->point);
        free(p);
        return NULL;
}
