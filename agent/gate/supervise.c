/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Who commands a device: heartbeat, its echo, remote enable and remote status. A device that goes local is either
 * explained (it, or the way to it, was away: it may be taken again once the echo is back) or it is someone's decision
 * at the plant, and then we leave it alone. A device that hears us but of which we can move nothing would stay at our
 * last setpoint for as long as we beat it: it is let go.
 */
#include <math.h>

#include "agent/gate/actuate_internal.h"

enum {
        BEATS = 30000,
        BEAT_MAX_MS = 10000,
        SILENT_MAX = 3,
        RETRY_MS = 60 * 1000,
        RETRY_REFUSED_MS = 5 * 60 * 1000,
        LET_GO_REFUSED_MS = 30 * 60 * 1000, /* takes nothing that is written: not taken again sooner */
        WATCHDOG_MS = 60 * 1000,            /* when the site does not say */
};

static int64_t longer(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static int64_t watchdog_ms(const struct device *d)
{
        return d->watchdog_ms > 0 ? d->watchdog_ms : WATCHDOG_MS;
}

int64_t supervise_scan_ms(const struct actuate *a, size_t device)
{
        return longer(a->a.layout->site->device[device].period_ms, a->heartbeat_ms);
}

/* Until a change at the device is seen, with scans or heartbeats missed. */
static int64_t round_ms(const struct actuate *a, size_t i)
{
        return 3 * supervise_scan_ms(a, i);
}

int64_t supervise_patience_ms(const struct actuate *a, size_t device)
{
        return watchdog_ms(&a->a.layout->site->device[device]) + round_ms(a, device);
}

int64_t actuate_heartbeat_ms(const struct site *site)
{
        int64_t period = BEAT_MAX_MS;

        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];

                if (p->role == ROLE_HEARTBEAT_CMD && p->device >= 0 &&
                    watchdog_ms(&site->device[p->device]) / 3 < period)
                        period = watchdog_ms(&site->device[p->device]) / 3;
        }
        return period > 0 ? period : 1;
}

void supervise_create(struct actuate *a)
{
        const struct site *site = a->a.layout->site;

        a->heartbeat_ms = actuate_heartbeat_ms(site);
        for (size_t i = 0; i < site->ndevice; i++)
                a->dev[i] = (struct device_sup){.heartbeat_cmd = -1,
                                                .heartbeat_echo = -1,
                                                .remote_enable = -1,
                                                .remote_status = -1,
                                                .beat_mono_ms = -1,
                                                .hindered_mono_ms = -1,
                                                .enable_action = -1,
                                                .probe = site->device[i].watchdog_probe ? PROBE_NONE : PROBE_PROVED,
                                                .enable_last = WRITE_ACCEPTED,
                                                .beat_last = WRITE_ACCEPTED};
        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];
                struct device_sup *d;

                if (p->device < 0)
                        continue;
                d = &a->dev[p->device];
                if (p->role == ROLE_HEARTBEAT_CMD && p->writable)
                        d->heartbeat_cmd = (int)i;
                else if (p->role == ROLE_HEARTBEAT_ECHO && p->readable)
                        d->heartbeat_echo = (int)i;
                else if (p->role == ROLE_REMOTE_ENABLE && p->writable && p->readable)
                        d->remote_enable = (int)i;
                else if (p->role == ROLE_REMOTE_STATUS && p->readable)
                        d->remote_status = (int)i;
        }
        for (size_t i = 0; i < site->ndevice; i++) {
                struct device_sup *d = &a->dev[i];

                d->complete =
                    d->heartbeat_cmd >= 0 && d->heartbeat_echo >= 0 && d->remote_enable >= 0 && d->remote_status >= 0;
        }
}

bool actuate_supervises(const struct actuate *a, int device)
{
        return device >= 0 && a->dev[device].complete;
}

bool supervise_remote(const struct actuate *a, int device, int64_t t_ms)
{
        struct sample s;

        if (device < 0 || a->dev[device].remote_status < 0)
                return false;
        s = ptable_get(a->a.points, (size_t)a->dev[device].remote_status, t_ms);
        return s.quality == QUALITY_GOOD && s.value > 0.5;
}

enum actuate_fixed supervise_fixed(const struct actuate *a, int device, int64_t t_ms)
{
        const struct device_sup *d;

        if (!actuate_supervises(a, device))
                return ACTUATE_UNSUPERVISED;
        d = &a->dev[device];
        if (d->operator_took)
                return ACTUATE_OPERATOR;
        if (d->let_go)
                return ACTUATE_LET_GO;
        if (d->probe == PROBE_INERT)
                return ACTUATE_INERT;
        if (d->probe == PROBE_WITHHELD || d->probe == PROBE_RETURNING)
                return ACTUATE_UNPROVED;
        if (!d->following)
                return ACTUATE_NO_ECHO;
        if (!supervise_remote(a, device, t_ms))
                return ACTUATE_LOCAL;
        return d->probe == PROBE_PROVED ? ACTUATE_FREE : ACTUATE_UNPROVED;
}

/* ---- what the device says ---- */

/* Is this a counter we sent, and lately? */
static bool echoes(const struct actuate *a, double value, double may_lag)
{
        if (!(value >= 1 && value <= BEATS) || value != floor(value))
                return false;
        return fmod(a->beat - value + BEATS, BEATS) <= may_lag;
}

static void judge_echo(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct device *dev = &a->a.layout->site->device[i];
        struct device_sup *d = &a->dev[i];
        struct sample s = ptable_get(a->a.points, (size_t)d->heartbeat_echo, t_ms);
        /* the last scan may be a period old and the writes take their time */
        double may_lag = 2 + ceil((double)dev->period_ms / (double)a->heartbeat_ms);

        if (s.quality == QUALITY_GOOD && echoes(a, s.value, may_lag)) {
                d->silent = 0;
                d->following = true;
                d->reported = false;
                return;
        }
        d->lapse_mono_ms = mono_ms;
        if (++d->silent < SILENT_MAX)
                return;
        d->following = false;
        if (!d->reported) {
                d->reported = true;
                actuate_report(a, 4, "%s: heartbeat is not echoed; its setpoints are left alone meanwhile", dev->name);
        }
}

/* Gone local: since when might it not have heard us? */
static void judge_remote(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct device *dev = &a->a.layout->site->device[i];
        struct device_sup *d = &a->dev[i];
        struct sample status = ptable_get(a->a.points, (size_t)d->remote_status, t_ms),
                      enable = ptable_get(a->a.points, (size_t)d->remote_enable, t_ms);
        bool cleared;

        if (status.quality == QUALITY_BAD || enable.quality == QUALITY_BAD)
                d->lapse_mono_ms = mono_ms;
        if (status.quality != QUALITY_GOOD)
                return;
        if (status.value > 0.5) {
                d->was_remote = true;
                return;
        }
        cleared = d->enabled && !d->enable_request && enable.quality == QUALITY_GOOD && enable.value < 0.5 &&
                  mono_ms - d->enabled_mono_ms > round_ms(a, i);
        if (!d->was_remote && !cleared)
                return;
        d->was_remote = d->enabled = false;
        if (mono_ms - d->lapse_mono_ms <= supervise_patience_ms(a, i)) {
                actuate_report(a, 5, "%s: local after an outage; it is taken again", dev->name);
                return;
        }
        d->operator_took = a->latches_unsaved = true;
        actuate_report(a, 4,
                       "%s: taken local at the plant while it heard every heartbeat; left alone until coolplane rearm",
                       dev->name);
}

void actuate_outage(struct actuate *a, int device, int64_t mono_ms)
{
        a->dev[device].lapse_mono_ms = mono_ms;
}

/* What keeps us from moving anything of a device? One variable that we, or someone else, can move is enough. */
static enum actuate_fixed hindrance(const struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct layout *l = a->a.layout;
        enum actuate_fixed why = ACTUATE_FREE;

        if (!a->dev[i].following)
                return ACTUATE_NO_ECHO;
        if (ptable_get(a->a.points, (size_t)a->dev[i].remote_status, t_ms).quality != QUALITY_GOOD)
                return ACTUATE_UNREADABLE;
        for (size_t j = 0; j < l->nu; j++) {
                if (l->site->point[a->u[j].point].device != (int)i)
                        continue;
                why = actuate_fixed_itself(a, j, t_ms, mono_ms);
                if (why == ACTUATE_FREE || why == ACTUATE_FOREIGN)
                        return ACTUATE_FREE;
        }
        return why;
}

static bool reads_off(const struct actuate *a, int point, int64_t t_ms)
{
        struct sample s = ptable_get(a->a.points, (size_t)point, t_ms);

        return s.quality == QUALITY_GOOD && s.value < 0.5;
}

static void write_enable(struct actuate *a, struct device_sup *d, bool on, int64_t t_ms);

/* A device is held by our heartbeats as long as it is not known to be local. */
static void judge_hold(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        const struct device *dev = &a->a.layout->site->device[i];
        struct device_sup *d = &a->dev[i];
        enum actuate_fixed why = hindrance(a, i, t_ms, mono_ms);

        if (!d->let_go) {
                if (why == ACTUATE_FREE || reads_off(a, d->remote_status, t_ms))
                        d->hindered_mono_ms = -1;
                else if (d->hindered_mono_ms < 0)
                        d->hindered_mono_ms = mono_ms;
                if (d->hindered_mono_ms < 0 || mono_ms - d->hindered_mono_ms <= watchdog_ms(dev))
                        return;
                d->let_go = true;
                d->was_remote = false;
                d->let_go_until_ms = mono_ms + (why == ACTUATE_REFUSED ? LET_GO_REFUSED_MS : 0);
                actuate_report(a, 4, "%s: %s for longer than its watchdog; let go, its own controls run it", dev->name,
                               actuate_fixed_str(why));
        } else if (reads_off(a, d->remote_enable, t_ms)) {
                if (why != ACTUATE_FREE || d->enable_request || mono_ms < d->let_go_until_ms)
                        return;
                d->let_go = false;
                d->hindered_mono_ms = -1;
                actuate_report(a, 5, "%s: can be moved again; it is taken again", dev->name);
                return;
        } else if (d->enable_request || mono_ms < d->clear_retry_mono_ms) {
                return;
        }
        d->clear_retry_mono_ms = mono_ms + RETRY_MS;
        write_enable(a, d, false, t_ms);
}

/* Without heartbeats it does not go local: only clearing remote enable ends what we commanded. */
static void clear_inert(struct actuate *a, struct device_sup *d, int64_t t_ms, int64_t mono_ms)
{
        if (d->enable_request || mono_ms < d->clear_retry_mono_ms ||
            (!d->enabled && reads_off(a, d->remote_enable, t_ms)))
                return;
        d->clear_retry_mono_ms = mono_ms + RETRY_MS;
        write_enable(a, d, false, t_ms);
}

/* One that is let go gets heartbeats only while they cannot make it remote. */
static bool beats(const struct actuate *a, const struct device_sup *d, int64_t t_ms)
{
        return d->complete && !d->operator_took && d->probe != PROBE_WITHHELD && d->probe != PROBE_INERT &&
               (!d->let_go || reads_off(a, d->remote_enable, t_ms));
}

static void judge(struct actuate *a, size_t i, int64_t t_ms, int64_t mono_ms)
{
        struct device_sup *d = &a->dev[i];

        if (probe_step(a, i, t_ms, mono_ms)) {
                if (d->probe == PROBE_INERT)
                        clear_inert(a, d, t_ms, mono_ms);
                return;
        }
        if (beats(a, d, t_ms))
                judge_echo(a, i, t_ms, mono_ms);
        else
                d->following = false;
        if (d->let_go)
                d->lapse_mono_ms = mono_ms;
        else
                judge_remote(a, i, t_ms, mono_ms);
        if (!d->operator_took)
                judge_hold(a, i, t_ms, mono_ms);
}

void actuate_heartbeat(struct actuate *a, int64_t t_ms, int64_t mono_ms)
{
        const struct site *site = a->a.layout->site;
        bool first = a->beat == 0;

        if (first) { /* not where the run before this one stopped: an old echo must not pass for ours */
                a->beat = (uint16_t)(t_ms / 1000 % BEATS);
                probe_restore(a, t_ms);
        }
        for (size_t i = 0; i < site->ndevice; i++) {
                if (!a->dev[i].complete || a->dev[i].operator_took)
                        continue;
                if (first)
                        a->dev[i].lapse_mono_ms = mono_ms;
                else
                        judge(a, i, t_ms, mono_ms);
        }
        probe_save(a, t_ms);
        actuate_latches_save(a, t_ms);
        a->beat = (uint16_t)(a->beat % BEATS + 1);
        for (size_t i = 0; i < site->ndevice; i++) {
                struct device_sup *d = &a->dev[i];
                uint64_t id;

                if (beats(a, d, t_ms))
                        (void)actuate_send(a, (uint32_t)d->heartbeat_cmd, a->beat, 0, &id);
        }
}

/* ---- remote enable ---- */

static void write_enable(struct actuate *a, struct device_sup *d, bool on, int64_t t_ms)
{
        struct store_action row = {.decision_id = -1,
                                   .t_ms = t_ms,
                                   .point = (uint32_t)d->remote_enable,
                                   .value = on,
                                   .why = on ? "take-over" : "handback"};
        int64_t action_id = -1;

        if (d->enable_request) /* one under way, which this one overtakes */
                actuate_put_outcome(a, d->enable_action,
                                    &(struct write_outcome){.point = row.point,
                                                            .result = WRITE_PENDING,
                                                            .written = (double)NAN,
                                                            .read_back = (double)NAN,
                                                            .t_ms = t_ms});
        d->enable_request = 0;
        d->enable_action = -1;
        /* Taking is durable before it is sent; letting go waits for nothing. */
        if (a->a.store && store_put_actions(a->a.store, a->run_id, &row, 1, &action_id) < 0) {
                action_id = -1;
                if (on)
                        return;
        }
        d->enabled = on;
        d->enable_action = action_id;
        if (actuate_send(a, row.point, row.value, SEND_READ_BACK | (on ? 0 : SEND_INSIST), &d->enable_request) < 0) {
                d->enabled = false;
                d->enable_request = 0;
                actuate_put_outcome(a, action_id,
                                    &(struct write_outcome){.point = row.point,
                                                            .result = WRITE_NOT_SENT,
                                                            .written = (double)NAN,
                                                            .read_back = (double)NAN,
                                                            .t_ms = t_ms});
        }
}

void actuate_take(struct actuate *a, int64_t t_ms, int64_t mono_ms)
{
        for (size_t i = 0; i < a->a.layout->site->ndevice; i++) {
                struct device_sup *d = &a->dev[i];
                struct sample s;

                if (!d->complete || d->operator_took || d->let_go || d->probe == PROBE_INERT || !d->following ||
                    d->enabled || mono_ms < d->retry_mono_ms)
                        continue;
                s = ptable_get(a->a.points, (size_t)d->remote_enable, t_ms);
                if (s.quality == QUALITY_BAD)
                        continue;
                d->enabled_mono_ms = mono_ms;
                d->retry_mono_ms = mono_ms + RETRY_MS;
                if (s.value > 0.5)
                        d->enabled = true; /* set already: by a run before this one, or kept over an outage */
                else
                        write_enable(a, d, true, t_ms);
        }
}

void actuate_release(struct actuate *a, int64_t t_ms)
{
        for (size_t i = 0; i < a->a.layout->site->ndevice; i++) {
                struct device_sup *d = &a->dev[i];

                if (!d->complete || d->operator_took || d->released || (d->releasing && d->enable_request))
                        continue;
                /* What the table shows may be older than what we wrote: it alone never keeps the 0 from going out. */
                if (!d->releasing && !d->enabled && !d->was_remote && reads_off(a, d->remote_enable, t_ms) &&
                    reads_off(a, d->remote_status, t_ms))
                        continue;
                d->releasing = true;
                write_enable(a, d, false, t_ms);
        }
}

bool actuate_released(const struct actuate *a)
{
        for (size_t i = 0; i < a->a.layout->site->ndevice; i++)
                if (a->dev[i].releasing && !a->dev[i].released)
                        return false;
        return true;
}

static bool failed(enum write_result r)
{
        return r != WRITE_ACCEPTED && r != WRITE_PENDING && r != WRITE_NOT_SENT;
}

static void tell(struct actuate *a, const struct write_outcome *o, enum write_result *last)
{
        const struct point *p = &a->a.layout->site->point[o->point];

        if (failed(o->result) && o->result != *last)
                actuate_report(a, 4, "%s: write of %s ended %s", p->name, role_str(p->role),
                               write_result_str(o->result));
        if (failed(o->result) || o->result == WRITE_ACCEPTED)
                *last = o->result;
}

void supervise_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms)
{
        int device = a->a.layout->site->point[o->point].device;
        struct device_sup *d;

        if (device < 0)
                return;
        d = &a->dev[device];
        if ((int)o->point == d->heartbeat_cmd) {
                tell(a, o, &d->beat_last);
                if (o->result != WRITE_ACCEPTED)
                        return;
                if (mono_ms - d->beat_mono_ms > watchdog_ms(&a->a.layout->site->device[device]) / 2)
                        d->lapse_mono_ms = mono_ms;
                d->beat_mono_ms = mono_ms;
        } else if ((int)o->point == d->remote_enable && d->enable_request == o->id) {
                tell(a, o, &d->enable_last);
                actuate_put_outcome(a, d->enable_action, o);
                d->enable_request = 0;
                d->enable_action = -1;
                d->enabled_mono_ms = mono_ms;
                if (o->result != WRITE_ACCEPTED)
                        d->enabled = false;
                else if (d->releasing)
                        d->released = true;
                if (failed(o->result) && o->result != WRITE_TIMED_OUT && o->result != WRITE_REJECTED_DEVICE_OFFLINE)
                        d->retry_mono_ms = mono_ms + RETRY_REFUSED_MS;
        }
}
