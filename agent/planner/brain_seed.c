/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The last day of the store, fed to the brain as if it had watched: one pass over the samples. */
#include "agent/planner/brain_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

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
        struct meters meters;
        double *y, *u, *d;
};

static void close_row(struct seeding *s)
{
        struct observation o = {.t_ms = s->end_t_ms, .y = s->y, .u = s->u, .d = s->d, .follows = s->follows};

        resampler_row(s->r, s->end_t_ms, s->y, s->u, s->d, NULL);
        meters_sum(&s->meters, s->end_t_ms, POWER_STALE_STEPS * s->step_ms, o.power_w, &o.chillers_on);
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
                meters_push(&s->meters, &v[i]);
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
        r = meters_create(b->a.site, &s.meters);
        if (r < 0)
                return r;
        s.y = calloc(l->ny + 1, sizeof *s.y);
        s.u = calloc(l->nu + 1, sizeof *s.u);
        s.d = calloc(l->nd + 1, sizeof *s.d);
        r = s.y && s.u && s.d ? resampler_create(l, HOLD_STEPS, HOLD_STEPS, &s.r) : -ENOMEM;
        if (r < 0)
                goto out;
        b->a.learn = true;
        r = store_read_samples(b->a.store, c.last_t_ms - SEED_MS, c.last_t_ms + 1, on_samples, &s);
        brain_learn(b);
        b->a.learn = learn;
        if (b->seeded_rows) {
                (void)arx_fit(b->model->arx, MODEL_FIT_MIN);
                (void)energy_fit(b->energy);
        }
out:
        resampler_free(s.r);
        meters_destroy(&s.meters);
        free(s.y);
        free(s.u);
        free(s.d);
        return r;
}
