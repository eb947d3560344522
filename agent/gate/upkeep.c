/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Retention and the room on the disk, looked after between flushes. */
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "agent/gate/gate_internal.h"

enum { CHECK_MS = 60 * 1000, DAY_MS = 24 * 3600 * 1000, JUMP_MS = 3600 * 1000 };

#define FREE_LOW (2.0 * (1 << 30))
#define FREE_ENOUGH (2.5 * (1 << 30))

static void watch_disk(struct gate *g)
{
        struct statvfs fs;
        double room;
        char text[128];

        if (statvfs(g->a.site->database, &fs) < 0)
                return;
        room = (double)fs.f_bavail * (double)fs.f_frsize;
        if (!(g->upkeep.disk_low ? room >= FREE_ENOUGH : room < FREE_LOW))
                return;
        g->upkeep.disk_low = !g->upkeep.disk_low;
        (void)snprintf(text, sizeof text, "the disk of the database has %s: %.1f GB",
                       g->upkeep.disk_low ? "little room left" : "room again", room / 1e9);
        gate_event(g, g->upkeep.disk_low ? 3 : 5, "store", text);
}

/* What is deleted by a wrong clock does not come back: after a jump ahead, or a start long after the last sample, age
 * counts only when a day has passed. */
static bool clock_trusted(struct gate *g, int64_t t_ms, int64_t mono_ms)
{
        struct gate_upkeep *u = &g->upkeep;
        struct store_counts c;

        if (u->t_ms == 0)
                u->t_ms = store_counts(g->a.store, &c) == 0 && c.last_t_ms > 0 ? c.last_t_ms : t_ms;
        else
                u->t_ms += mono_ms - u->checked_mono_ms;
        if (t_ms - u->t_ms > (u->checked_mono_ms == 0 ? 7 * (int64_t)DAY_MS : JUMP_MS))
                u->trusted_mono_ms = mono_ms + DAY_MS;
        u->t_ms = t_ms;
        return mono_ms >= u->trusted_mono_ms;
}

static void tell(struct gate *g, int64_t mono_ms)
{
        struct gate_upkeep *u = &g->upkeep;
        char text[160], utc[32];

        if (u->full != u->full_told && (!u->full || !u->purging)) {
                u->full_told = u->full;
                gate_event(g, u->full ? 4 : 5, "store",
                           u->full ? "the database is larger than retention.max_bytes with a week of samples"
                                   : "the database is smaller than retention.max_bytes again");
        }
        if (u->samples == 0 || (u->told_mono_ms > 0 && mono_ms - u->told_mono_ms < DAY_MS))
                return;
        u->told_mono_ms = mono_ms;
        (void)snprintf(text, sizeof text, "retention: %lld samples before %s deleted", (long long)u->samples,
                       clk_format(u->before_ms, utc));
        u->samples = 0;
        gate_event(g, 6, "store", text);
}

void gate_upkeep(struct gate *g)
{
        const struct site_retention *keep = &g->a.site->retention;
        struct gate_upkeep *u = &g->upkeep;
        int64_t t_ms = clk_t_ms(g->a.clk), mono_ms = clk_mono_ms(g->a.clk), start = clk_real_mono_ms();
        struct store_purged p;
        int r;
        bool due = u->checked_mono_ms == 0 || mono_ms - u->checked_mono_ms >= CHECK_MS;

        if (!g->a.store || !(due || u->purging))
                return;
        if (due) {
                watch_disk(g);
                u->trusted = clock_trusted(g, t_ms, mono_ms);
                u->checked_mono_ms = mono_ms > 0 ? mono_ms : 1;
        }
        r = store_purge(g->a.store,
                        &(struct store_keep){.samples_ms = u->trusted ? t_ms - keep->samples_ms : INT64_MIN,
                                             .floor_ms = u->trusted ? t_ms - SITE_RETENTION_MIN_MS : INT64_MIN,
                                             .max_bytes = keep->max_bytes,
                                             .records_ms = u->trusted ? t_ms - keep->decisions_ms : INT64_MIN},
                        &p);
        if (r < 0) {
                char text[224];

                (void)snprintf(text, sizeof text, "what is old cannot be deleted: %.160s", store_errmsg(g->a.store));
                if (!u->failing)
                        gate_event(g, 4, "store", text);
                u->failing = true;
                u->purging = false; /* at the next check */
                return;
        }
        u->failing = false;
        u->purging = p.more;
        u->full = p.full;
        if (p.samples > 0) {
                u->samples += p.samples;
                u->before_ms = p.samples_before_ms;
                g->status.samples_purged += p.samples;
        }
        if (p.more)
                g->status.last_purge_s = (double)(clk_real_mono_ms() - start) / 1000.0;
        else
                tell(g, mono_ms);
}
