/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/actuate_internal.h"

/* As stored: the configuration's hash, then one of these a device. */
struct entry_v1 {
        int64_t t_ms, acts;
};

static size_t blob_size(const struct site *site)
{
        return sizeof site->hash + site->ndevice * sizeof(struct entry_v1);
}

int probe_read(struct store *s, const struct site *site, struct probe_result *ret)
{
        size_t size = blob_size(site), len = 0;
        uint8_t *blob = malloc(size);
        int64_t t_ms;
        int r;

        if (!blob)
                return -ENOMEM;
        r = store_get_state(s, "watchdog", &t_ms, blob, size, &len);
        if (r >= 0 && (len != size || memcmp(blob, site->hash, sizeof site->hash) != 0))
                r = -ENOENT;
        for (size_t i = 0; r >= 0 && i < site->ndevice; i++) {
                struct entry_v1 e;

                memcpy(&e, blob + sizeof site->hash + i * sizeof e, sizeof e);
                ret[i] = (struct probe_result){.t_ms = e.t_ms, .acts = e.acts == 1};
        }
        free(blob);
        return r;
}

bool probe_counts(const struct probe_result *r, int64_t t_ms)
{
        return r->acts && r->t_ms > 0 && r->t_ms <= t_ms && t_ms - r->t_ms <= PROBE_GOOD_FOR_MS;
}

void probe_restore(struct actuate *a, int64_t t_ms)
{
        const struct site *site = a->a.layout->site;
        struct probe_result *was = calloc(site->ndevice + 1, sizeof *was);

        if (was && a->a.store && probe_read(a->a.store, site, was) >= 0)
                for (size_t i = 0; i < site->ndevice; i++) {
                        a->dev[i].probed = was[i];
                        if (a->dev[i].probe == PROBE_NONE && probe_counts(&was[i], t_ms))
                                a->dev[i].probe = PROBE_PROVED;
                }
        free(was);
}

void probe_save(struct actuate *a, int64_t t_ms)
{
        const struct site *site = a->a.layout->site;
        uint8_t *blob;

        if (!a->probes_unsaved || !a->a.store)
                return;
        blob = malloc(blob_size(site));
        if (!blob)
                return;
        memcpy(blob, site->hash, sizeof site->hash);
        for (size_t i = 0; i < site->ndevice; i++) {
                struct entry_v1 e = {.t_ms = a->dev[i].probed.t_ms, .acts = a->dev[i].probed.acts};

                memcpy(blob + sizeof site->hash + i * sizeof e, &e, sizeof e);
        }
        a->probes_unsaved = store_put_state(a->a.store, "watchdog", t_ms, blob, blob_size(site)) < 0;
        free(blob);
}

/* ---- one device ---- */

static void enter(struct device_sup *d, enum probe_state state, int64_t t_ms, int64_t mono_ms)
{
        d->probe = state;
        d->probe_t_ms = t_ms;
        d->probe_mono_ms = mono_ms;
}

static void found(struct actuate *a, struct device_sup *d, bool acts, int64_t t_ms)
{
        d->probed = (struct probe_result){.t_ms = t_ms, .acts = acts};
        a->probes_unsaved = true;
}

/* No heartbeat goes out. Its remote status falls, or its watchdog does not act. */
static void withheld(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct device *dev = &a->a.layout->site->device[i];
        struct device_sup *d = &a->dev[i];
        struct sample status = ptable_get(a->a.points, (size_t)d->remote_status, t_ms),
                      enable = ptable_get(a->a.points, (size_t)d->remote_enable, t_ms);
        int64_t last_ms = d->beat_mono_ms > d->probe_mono_ms ? d->beat_mono_ms : d->probe_mono_ms;
        int64_t limit_ms = supervise_patience_ms(a, i);
        double silent_s = (double)(mono_ms - last_ms) / 1000;

        if (status.quality != QUALITY_GOOD || enable.quality == QUALITY_BAD || d->lapse_mono_ms > d->probe_mono_ms) {
                /* what it does now may come from the outage: that proves nothing */
                d->lapse_mono_ms = mono_ms;
                d->following = false; /* until the echo is back */
                actuate_report(a, 6, "%s: an outage while its watchdog was probed; it is probed again", dev->name);
                enter(d, PROBE_NONE, t_ms, mono_ms);
        } else if (status.value < 0.5) {
                d->went_ms = mono_ms - d->beat_mono_ms;
                d->enabled = d->was_remote = false; /* whatever it made of remote enable, it is looked at anew */
                d->retry_mono_ms = mono_ms + supervise_scan_ms(a, i);
                d->lapse_mono_ms = mono_ms;
                d->silent = d->overdue = 0;
                enter(d, PROBE_RETURNING, t_ms, mono_ms);
        } else if (mono_ms - last_ms <= limit_ms || status.t_ms - d->probe_t_ms <= limit_ms) {
                return;
        } else if (d->overdue++ == 0) { /* what holds until a restart is not concluded from one look */
                actuate_report(a, 6, "%s: still remote %.0f s after the last heartbeat; asked once more", dev->name,
                               silent_s);
                enter(d, PROBE_NONE, t_ms, mono_ms);
        } else {
                found(a, d, false, t_ms);
                enter(d, PROBE_INERT, t_ms, mono_ms);
                d->was_remote = d->following = false;
                d->clear_retry_mono_ms = mono_ms;
                actuate_report(a, 4,
                               "%s: its watchdog does not act, still remote %.0f s after the last heartbeat; remote "
                               "enable is cleared and it is left alone until a restart",
                               dev->name, silent_s);
        }
}

/* Heartbeats again: had someone at the plant taken it local, it would stay so. */
static void returning(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct device *dev = &a->a.layout->site->device[i];
        struct device_sup *d = &a->dev[i];

        if (supervise_remote(a, (int)i, t_ms)) {
                found(a, d, true, t_ms);
                enter(d, PROBE_PROVED, t_ms, mono_ms);
                actuate_report(a, 5, "%s: its watchdog acts, it was seen local %.0f s after the last heartbeat; taken",
                               dev->name, (double)d->went_ms / 1000);
        } else if (mono_ms - d->probe_mono_ms > supervise_patience_ms(a, i)) {
                enter(d, PROBE_NONE, t_ms, mono_ms);
                actuate_report(a, 5,
                               "%s: went local while its watchdog was probed and stayed so; probed again when "
                               "it is remote",
                               dev->name);
        }
}

bool probe_step(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        struct device_sup *d = &a->dev[i];

        switch (d->probe) {
        case PROBE_NONE:
                if (d->let_go || !d->enabled || d->enable_request || !d->following || d->silent > 0 ||
                    d->beat_mono_ms < 0 || !supervise_remote(a, (int)i, t_ms))
                        return false;
                enter(d, PROBE_WITHHELD, t_ms, mono_ms);
                actuate_report(a, 6, "%s: heartbeats are withheld to see whether its watchdog acts",
                               a->a.layout->site->device[i].name);
                return true;
        case PROBE_WITHHELD:
                withheld(a, i, t_ms, mono_ms);
                return true;
        case PROBE_RETURNING:
                if (d->let_go)
                        enter(d, PROBE_NONE, t_ms, mono_ms);
                else
                        returning(a, i, t_ms, mono_ms);
                return false;
        case PROBE_INERT:
                return true;
        case PROBE_PROVED:
                break;
        }
        return false;
}
