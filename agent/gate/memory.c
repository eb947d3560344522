/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the gate remembers over a restart: equipment timers, how long it has explored, how far disturbances move. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"

/* Disturbances are remembered by index, so only for the configuration they were learned under. */
static size_t disturbances_size(const struct gate *g)
{
        return sizeof g->a.site->hash + 2 * g->layout->nd * sizeof(double);
}

static void save_disturbances(struct gate *g)
{
        size_t hash = sizeof g->a.site->hash, n = g->layout->nd * sizeof(double);
        uint8_t *buf = malloc(disturbances_size(g));

        if (!buf)
                return;
        memcpy(buf, g->a.site->hash, hash);
        memcpy(buf + hash, g->d_change2, n);
        memcpy(buf + hash + n, g->d_steps, n);
        (void)store_put_state(g->a.store, "disturbances", g->snap.t_ms, buf, disturbances_size(g));
        free(buf);
}

static void restore_disturbances(struct gate *g)
{
        size_t hash = sizeof g->a.site->hash, n = g->layout->nd * sizeof(double), size = disturbances_size(g), len;
        uint8_t *buf = malloc(size);
        int64_t t_ms;

        if (buf && store_get_state(g->a.store, "disturbances", &t_ms, buf, size, &len) >= 0 && len == size &&
            memcmp(buf, g->a.site->hash, hash) == 0) {
                memcpy(g->d_change2, buf + hash, n);
                memcpy(g->d_steps, buf + hash + n, n);
                for (size_t k = 0; k < g->layout->nd; k++)
                        if (!(g->d_change2[k] >= 0 && g->d_change2[k] < 1e18 && g->d_steps[k] >= 0 &&
                              g->d_steps[k] < 1e9))
                                g->d_change2[k] = g->d_steps[k] = 0;
        }
        free(buf);
}

/* So is exploration: what was added to the site was never explored. */
struct explored {
        uint8_t hash[32];
        int64_t ms;
};

static void save_explored(struct gate *g)
{
        struct explored x = {.ms = g->explored_ms};

        static_assert(sizeof x.hash == sizeof g->a.site->hash, "the configuration's hash");
        memcpy(x.hash, g->a.site->hash, sizeof x.hash);
        (void)store_put_state(g->a.store, "explored", g->snap.t_ms, &x, sizeof x);
}

static void restore_explored(struct gate *g)
{
        struct explored x;
        int64_t t_ms;
        size_t len;

        if (store_get_state(g->a.store, "explored", &t_ms, &x, sizeof x, &len) >= 0 && len == sizeof x && x.ms >= 0 &&
            memcmp(x.hash, g->a.site->hash, sizeof x.hash) == 0)
                g->explored_ms = x.ms;
}

static size_t timers_size(const struct gate *g)
{
        return sizeof *g->timers + g->ntimers * sizeof g->timers->v[0];
}

static void save_timers(struct gate *g)
{
        bool lost;

        if (!g->timers)
                return;
        clk_stamp(g->a.clk, &g->timers->at);
        (void)safety_state_save(g->safety, (double)clk_mono_ms(g->a.clk) / 1000.0, g->timers->v, g->ntimers);
        lost = store_put_state(g->a.store, "equipment", g->snap.t_ms, g->timers, timers_size(g)) < 0;
        if (lost && !g->timers_lost)
                gate_event(g, 4, "gate", "equipment timers cannot be stored; a restart would not know them");
        g->timers_lost = lost;
}

/* Equipment timers of the run before this one. */
static int restore_timers(struct gate *g)
{
        int64_t t_ms;
        size_t len, size;
        int r;

        if (!g->safety || !g->a.store)
                return 0;
        g->ntimers = safety_state_save(g->safety, 0, NULL, 0);
        size = timers_size(g);
        g->timers = malloc(size);
        if (!g->timers)
                return -ENOMEM;
        r = store_get_state(g->a.store, "equipment", &t_ms, g->timers, size, &len);
        if (r == -ENOENT)
                return 0;
        if (r < 0 || len != size) /* another site's, or an older build's: the library starts conservative */
                gate_event(g, 4, "gate", "the equipment timers of the run before cannot be taken over");
        else
                safety_state_restore(g->safety, (double)clk_mono_ms(g->a.clk) / 1000.0,
                                     (double)clk_passed_ms(g->a.clk, &g->timers->at) / 1000.0, g->timers->v,
                                     g->ntimers);
        return 0;
}

void gate_memory_save(struct gate *g)
{
        save_timers(g);
        if (!g->a.store)
                return;
        save_disturbances(g);
        if (g->a.acting)
                save_explored(g);
}

int gate_memory_restore(struct gate *g)
{
        if (!g->a.store)
                return 0;
        restore_explored(g);
        restore_disturbances(g);
        return restore_timers(g);
}
