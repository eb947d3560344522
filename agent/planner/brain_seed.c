/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The last day of the store, fed to the brain as if it had watched: one pass over the samples. */
#include "agent/planner/brain_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/points/total.h"
#include "agent/store/dataset.h"

#define SEED_MS ((int64_t)24 * 3600 * 1000)
#define HOLD_STEPS 4
#define GAP_STEPS 10
#define POWER_STALE_STEPS 4

struct seeding {
        struct brain *b;
        struct resampler *r;
        int64_t step_ms, end_t_ms; /* end of the step being filled; −1 = none yet */
        bool follows;
        double *value; /* [npoint] newest good value of metered points */
        int64_t *t_ms; /* [npoint] */
        double *y, *u, *d;
};

static int part_of(enum role role)
{
        switch (role) {
        case ROLE_CRAH_POWER:
                return ENERGY_FANS;
        case ROLE_CHILLER_POWER:
                return ENERGY_CHILLERS;
        case ROLE_PUMP_POWER:
                return ENERGY_PUMPS;
        case ROLE_TOWER_POWER:
                return ENERGY_TOWERS;
        case ROLE_CHILLER_STATUS:
                return ENERGY_PARTS;
        default:
                return -1;
        }
}

/* Sums of the metered points, and the number of running chillers. */
static void sum_parts(const struct seeding *s, double *ret_sum)
{
        const struct site *site = s->b->a.site;
        struct total t[ENERGY_PARTS + 1] = {0};

        for (size_t i = 0; i < site->npoint; i++) {
                const int k = part_of(site->point[i].role);
                if (k >= 0)
                        total_add(&t[k], s->end_t_ms - s->t_ms[i] <= POWER_STALE_STEPS * s->step_ms ? s->value[i]
                                                                                                    : (double)NAN);
        }
        for (int k = 0; k < ENERGY_PARTS; k++)
                ret_sum[k] = total_value(&t[k]);
        ret_sum[ENERGY_PARTS] = total_all_known(&t[ENERGY_PARTS]);
}

static void close_row(struct seeding *s)
{
        double part[ENERGY_PARTS + 1];
        struct observation o = {.t_ms = s->end_t_ms, .y = s->y, .u = s->u, .d = s->d, .follows = s->follows};

        resampler_row(s->r, s->end_t_ms, s->y, s->u, s->d, NULL);
        sum_parts(s, part);
        for (int k = 0; k < ENERGY_PARTS; k++)
                o.power_w[k] = part[k];
        o.chillers_on = part[ENERGY_PARTS];
        brain_observe(s->b, &o);
        s->b->last_t_ms = s->end_t_ms;
        s->b->stepped = true;
        s->b->seeded_rows++;
        s->follows = true;
}

static int on_samples(void *ctx, const struct sample *v, size_t n)
{
        struct seeding *s = ctx;

        for (size_t i = 0; i < n; i++) {
                if (s->end_t_ms < 0)
                        s->end_t_ms = (v[i].t_ms / s->step_ms + 1) * s->step_ms;
                if (v[i].t_ms - s->end_t_ms > GAP_STEPS * s->step_ms) {
                        close_row(s);
                        s->end_t_ms = (v[i].t_ms / s->step_ms + 1) * s->step_ms;
                        s->follows = false;
                }
                while (v[i].t_ms >= s->end_t_ms) {
                        close_row(s);
                        s->end_t_ms += s->step_ms;
                }
                resampler_push(s->r, &v[i]);
                if (v[i].quality == QUALITY_GOOD && isfinite(v[i].value)) {
                        s->value[v[i].point] = v[i].value;
                        s->t_ms[v[i].point] = v[i].t_ms;
                }
        }
        return 0;
}

int brain_seed(struct brain *b)
{
        const struct layout *l = b->a.layout;
        const bool learn = b->a.learn;
        struct seeding s = {.b = b, .end_t_ms = -1, .step_ms = llround(l->step_s * 1e3)};
        struct store_counts c;
        int r = store_counts(b->a.store, &c);

        if (r < 0 || c.samples == 0)
                return r;
        s.value = calloc(b->a.site->npoint + 1, sizeof *s.value);
        s.t_ms = calloc(b->a.site->npoint + 1, sizeof *s.t_ms);
        s.y = calloc(l->ny + 1, sizeof *s.y);
        s.u = calloc(l->nu + 1, sizeof *s.u);
        s.d = calloc(l->nd + 1, sizeof *s.d);
        r = s.value && s.t_ms && s.y && s.u && s.d ? resampler_create(l, HOLD_STEPS, &s.r) : -ENOMEM;
        if (r < 0)
                goto out;
        for (size_t i = 0; i < b->a.site->npoint; i++)
                s.t_ms[i] = INT64_MIN / 2;
        b->a.learn = true;
        r = store_read_samples(b->a.store, c.last_t_ms - SEED_MS, c.last_t_ms + 1, on_samples, &s);
        brain_learn(b);
        b->a.learn = learn;
        if (b->seeded_rows) {
                (void)arx_fit(b->arx, BRAIN_FIT_MIN);
                (void)energy_fit(b->energy);
        }
out:
        resampler_free(s.r);
        free(s.value);
        free(s.t_ms);
        free(s.y);
        free(s.u);
        free(s.d);
        return r;
}
