/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A plant's arrays lie in one block, so that a plant can be copied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/plant_internal.h"

#define ALIGN 16u

/* The next n elements; nothing but the count while there is no block yet. */
static void *take(unsigned char *block, size_t *used, size_t n, size_t size)
{
        void *at = block != NULL ? block + *used : NULL;

        *used += (n * size + ALIGN - 1) / ALIGN * ALIGN;
        return at;
}

/* Points every array into the block and returns its size. */
static size_t lay_out(struct plant *p, unsigned char *block)
{
        const struct plant_spec *s = &p->spec;
        struct air *a = &p->air;
        double **const by_rack[] = {&a->cold_c,    &a->inlet_c,        &a->out_c,         &a->host_w,
                                    &a->it_w,      &a->fan_w,          &a->flow_m3s,      &a->beta0,
                                    &a->local_c,   &a->speed_ratio,    &a->supply_m3s,    &a->to_hot,
                                    &a->supply_mc, &p->demand.rack0_w, &p->demand.rack1_w};
        size_t n = 0;

        for (size_t i = 0; i < sizeof(by_rack) / sizeof(by_rack[0]); i++)
                *by_rack[i] = take(block, &n, s->nrack, sizeof(double));
        a->minute_c = take(block, &n, s->nrack * RISE_SLOTS, sizeof(double));
        p->rack = take(block, &n, s->nrack, sizeof(*p->rack));
        p->crah = take(block, &n, s->ncrah, sizeof(*p->crah));
        p->room = take(block, &n, s->nroom, sizeof(*p->room));
        p->crah_share = take(block, &n, s->ncrah * p->share_stride, sizeof(*p->crah_share));
        p->host = take(block, &n, p->nhost, sizeof(*p->host));
        p->vm = take(block, &n, p->vm_max, sizeof(*p->vm));
        p->vm_trace = take(block, &n, p->vm_max, sizeof(*p->vm_trace));
        p->vm_end_ms = take(block, &n, s->arrivals != NULL ? p->vm_max : 0, sizeof(*p->vm_end_ms));
        p->demand.ratio0 = take(block, &n, p->demand.ntrace, sizeof(double));
        p->demand.ratio1 = take(block, &n, p->demand.ntrace, sizeof(double));
        return n;
}

int plant_allocate(struct plant *p)
{
        const struct plant_spec *s = &p->spec;

        p->nhost = s->nrack * s->hosts_per_rack;
        p->vm_max = plant_vms_max(s);
        p->demand.ntrace = s->vms > 0 ? s->vms : 1;
        p->share_stride = s->nrack / s->nroom + 1;
        p->block = calloc(1, lay_out(p, NULL));
        if (p->block == NULL)
                return -ENOMEM;
        (void)lay_out(p, p->block);
        return 0;
}

struct plant *plant_free(struct plant *p)
{
        if (p != NULL)
                free(p->block);
        free(p);
        return NULL;
}

/* The two ends of the interval of demand change places as time goes on. */
static double *same_place(const struct plant *to, const struct plant *from, const double *array)
{
        return (void *)(to->block + ((const unsigned char *)array - from->block));
}

void plant_copy(struct plant *to, const struct plant *from)
{
        unsigned char *block = to->block;

        *to = *from;
        to->block = block;
        memcpy(block, from->block, lay_out(to, block));
        to->demand.ratio0 = same_place(to, from, from->demand.ratio0);
        to->demand.ratio1 = same_place(to, from, from->demand.ratio1);
        to->demand.rack0_w = same_place(to, from, from->demand.rack0_w);
        to->demand.rack1_w = same_place(to, from, from->demand.rack1_w);
}

int plant_clone(const struct plant *p, struct plant **ret)
{
        struct plant *copy = calloc(1, sizeof(*copy));

        if (copy == NULL)
                return -ENOMEM;
        copy->spec = p->spec;
        if (plant_allocate(copy) != 0) {
                (void)plant_free(copy);
                return -ENOMEM;
        }
        plant_copy(copy, p);
        *ret = copy;
        return 0;
}
