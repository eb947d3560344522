/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What only the whole configuration shows: references, duplicates, units against roles, who may be written. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/points/codec.h"
#include "agent/points/site_internal.h"
#include "agent/points/units.h"

/* ---- site, zones, equipment, devices ---- */

/* Rules of machines on what is none would be read and never kept. */
static void check_chiller_keys(struct builder *b, const struct equipment *e, const struct equipment_more *more)
{
        const struct {
                const char *key;
                double value;
        } own[] = {{"min_flow_m3s", e->min_flow_m3s},
                   {"max_flow_ramp_per_min", e->max_flow_ramp_per_min},
                   {"min_lift_k", e->min_lift_k},
                   {"max_lift_k", e->max_lift_k},
                   {"surge_lift_k", e->surge_lift_k}};
        const bool unknown = e->cls == EQ_NONE && more->brick[0] != '\0'; /* that is said already */

        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
                if (isfinite(own[i].value) && e->cls != EQ_CHILLER && !unknown)
                        bad(b, more->at, "equipment '%s': only a chiller has %s", e->name, own[i].key);
}

static void check_zones_equipment(struct builder *b)
{
        struct site *s = b->s;
        char hint[128];
        for (size_t i = 0; i < s->nzone; i++)
                if (find_name(s->zone[i].name, zone_name, s) != (int)i)
                        bad(b, b->zone_at[i], "zone '%s' is given twice", s->zone[i].name);
        for (size_t i = 0; i < s->nequipment; i++) {
                struct equipment *e = &s->equipment[i];
                const struct equipment_more *more = &b->equipment_more[i];
                if (e->name[0] != '\0' && find_name(e->name, equipment_name, s) != (int)i)
                        bad(b, more->at, "equipment '%s' is given twice", e->name);
                check_chiller_keys(b, e, more);
                if (e->min_lift_k > e->max_lift_k)
                        bad(b, more->at, "equipment '%s': min_lift_k %g is above max_lift_k %g", e->name, e->min_lift_k,
                            e->max_lift_k);
                if (isfinite(e->surge_lift_k) && !isfinite(e->max_lift_k))
                        bad(b, more->at, "equipment '%s': surge_lift_k (at no load) needs max_lift_k (at full load)",
                            e->name);
                if (e->surge_lift_k > e->max_lift_k)
                        bad(b, more->at, "equipment '%s': surge_lift_k %g is above max_lift_k %g", e->name,
                            e->surge_lift_k, e->max_lift_k);
                if (e->min_lift_k > e->surge_lift_k)
                        bad(b, more->at, "equipment '%s': min_lift_k %g is above surge_lift_k %g", e->name,
                            e->min_lift_k, e->surge_lift_k);
                if (more->zone[0] != '\0') {
                        e->zone = find_name(more->zone, zone_name, s);
                        if (e->zone < 0)
                                bad(b, more->at, "equipment '%s': zone '%s' is not in the site file%s", e->name,
                                    more->zone, suggest(more->zone, zone_name, s, hint));
                } else if (e->cls == EQ_RACK) {
                        warn(b, more->at, "rack '%s' has no zone: no air handler is known to cool it", e->name);
                }
        }
}

static void check_line(struct builder *b, size_t i)
{
        const struct device *d = &b->s->device[i];
        struct pos at = b->device_more[i].at;
        for (size_t j = 0; j < i; j++) {
                const struct device *o = &b->s->device[j];
                if (o->protocol != d->protocol || d->protocol == DEVICE_MQTT || strcmp(o->host, d->host) != 0)
                        continue;
                if (d->protocol == DEVICE_MODBUS_RTU &&
                    (o->baud != d->baud || o->parity != d->parity || o->stop_bits != d->stop_bits))
                        bad(b, at, "device '%s': %s has other line settings at device '%s'", d->name, d->host, o->name);
                if (o->unit_id == d->unit_id && (d->protocol == DEVICE_MODBUS_RTU || o->port == d->port))
                        warn(b, at, "device '%s' has the same address and unit id as '%s'", d->name, o->name);
        }
}

static void check_devices(struct builder *b)
{
        struct site *s = b->s;
        char hint[128];
        for (size_t i = 0; i < s->ndevice; i++) {
                struct device *d = &s->device[i];
                const struct device_more *more = &b->device_more[i];
                if (d->name[0] != '\0' && site_find_device(s, d->name) != (int)i)
                        bad(b, more->at, "device '%s' is given twice", d->name);
                if (d->protocol != DEVICE_MQTT && d->host[0] == '\0')
                        bad(b, more->at, "device '%s': 'host' is missing", d->name);
                if (d->protocol == DEVICE_MQTT && d->topic[0] == '\0')
                        bad(b, more->at, "device '%s': 'topic' is missing", d->name);
                if (d->protocol == DEVICE_MQTT && strpbrk(d->topic, "+#") != NULL)
                        bad(b, more->at, "device '%s': topic '%s' must be one topic, without + or #", d->name,
                            d->topic);
                if (d->protocol == DEVICE_MQTT && !s->mqtt.enabled)
                        bad(b, more->at, "device '%s' needs the section mqtt", d->name);
                if (d->protocol == DEVICE_MODBUS_RTU && !(d->unit_id >= 1 && d->unit_id <= 247))
                        bad(b, more->at, "device '%s': unit_id %d is not from 1 to 247 on a serial line", d->name,
                            d->unit_id);
                if (more->equipment[0] != '\0' && find_name(more->equipment, equipment_name, s) < 0)
                        bad(b, more->at, "device '%s': equipment '%s' is not in the site file%s", d->name,
                            more->equipment, suggest(more->equipment, equipment_name, s, hint));
                check_line(b, i);
        }
}

/* The folder of a path the site file does not give: in a service what its manager says; for the installed site file the
 * same folder, so that the operator's commands find it too; else NULL: beside the site file. */
static const char *service_folder(const char *dir, const char *variable, const char *installed)
{
        const char *given = getenv(variable);
        if (given != NULL && given[0] == '/')
                return given;
        return strcmp(dir, "/etc/coolplane/") == 0 ? installed : NULL;
}

static void default_paths(struct builder *b)
{
        struct site *s = b->s;
        const char *state = service_folder(b->dir, "STATE_DIRECTORY", "/var/lib/coolplane");
        const char *run = service_folder(b->dir, "RUNTIME_DIRECTORY", "/run/coolplane");
        if (s->database[0] == '\0')
                (void)snprintf(s->database, sizeof(s->database), "%.200s%scoolplane.db", state ? state : b->dir,
                               state ? "/" : "");
        if (s->run_dir[0] == '\0')
                (void)snprintf(s->run_dir, sizeof(s->run_dir), "%.200s%s", run ? run : b->dir, run ? "" : "run");
}

#define FREEZE_BELOW_K 2 /* the coldest setpoint minus what a loop overshoots by */

void check_site(struct builder *b)
{
        struct site *s = b->s;
        struct site_limits *l = &s->limits;
        if (!b->named)
                bad(b, b->site_at, "site: 'name' is missing");
        if (s->slow_step_ms % s->fast_step_ms != 0)
                bad(b, b->site_at, "slow_step must be a whole number of fast_steps");
        if (!(l->inlet_min_c < l->inlet_recommended_c && l->inlet_recommended_c <= l->inlet_allowable_c))
                bad(b, b->limits_at, "limits: inlet_min %g < inlet_recommended %g <= inlet_allowable %g does not hold",
                    l->inlet_min_c, l->inlet_recommended_c, l->inlet_allowable_c);
        if (!(l->chwst_min_c < l->chwst_max_c))
                bad(b, b->limits_at, "limits: chwst_min %g is not below chwst_max %g", l->chwst_min_c, l->chwst_max_c);
        if (isnan(l->chwst_freeze_c))
                l->chwst_freeze_c = l->chwst_min_c - FREEZE_BELOW_K;
        if (!(l->chwst_freeze_c < l->chwst_min_c))
                bad(b, b->limits_at, "limits: chwst_freeze %g is not below chwst_min %g", l->chwst_freeze_c,
                    l->chwst_min_c);
        if (s->mqtt.enabled && s->mqtt.host[0] == '\0')
                bad(b, b->mqtt_at, "mqtt: 'host' is missing");
        if ((s->mqtt.tls_cert_file[0] == '\0') != (s->mqtt.tls_key_file[0] == '\0'))
                bad(b, b->mqtt_at, "mqtt.tls: cert_file and key_file go together");
        if (s->vm.enabled && s->vm.topic[0] == '\0')
                bad(b, b->vm_at, "vm: 'topic' is missing");
        if (s->vm.enabled && !s->mqtt.enabled)
                bad(b, b->vm_at, "vm needs the section mqtt");
        default_paths(b);
        check_zones_equipment(b);
        check_devices(b);
}

/* ---- points ---- */

struct by_name {
        const char *name;
        uint32_t i;
};

static int name_order(const void *va, const void *vb)
{
        const struct by_name *a = va, *b = vb;
        int c = strcmp(a->name, b->name);
        return c != 0 ? c : a->i < b->i ? -1 : a->i > b->i;
}

static void check_names(struct builder *b)
{
        struct site *s = b->s;
        struct by_name *sorted = calloc(s->npoint + 1, sizeof(sorted[0]));
        s->point_by_name = calloc(s->npoint + 1, sizeof(s->point_by_name[0]));
        if (sorted == NULL || s->point_by_name == NULL) {
                b->rc = -ENOMEM;
                free(sorted);
                return;
        }
        for (size_t i = 0; i < s->npoint; i++)
                sorted[i] = (struct by_name){s->point[i].name, (uint32_t)i};
        qsort(sorted, s->npoint, sizeof(sorted[0]), name_order);
        for (size_t i = 0; i < s->npoint; i++) {
                s->point_by_name[i] = sorted[i].i;
                if (i > 0 && strcmp(sorted[i].name, sorted[i - 1].name) == 0) {
                        const struct point *first = &s->point[sorted[i - 1].i];
                        bad(b, b->point_at[sorted[i].i], "point '%s' is given twice (first at %s:%d)", first->name,
                            s->file[first->file], first->line);
                }
        }
        free(sorted);
}

struct span {
        int device;
        uint8_t unit_id;
        uint32_t first, last;
        uint32_t i;
};

static int span_order(const void *va, const void *vb)
{
        const struct span *a = va, *b = vb;
        if (a->device != b->device)
                return a->device < b->device ? -1 : 1;
        if (a->unit_id != b->unit_id)
                return a->unit_id < b->unit_id ? -1 : 1;
        if (a->first != b->first)
                return a->first < b->first ? -1 : 1;
        return a->i < b->i ? -1 : 1;
}

/* Two names for one register may be read, but only one may write it. */
static void check_write_overlap(struct builder *b)
{
        struct site *s = b->s;
        size_t n = 0;
        struct span *w = calloc(s->npoint + 1, sizeof(w[0]));
        if (w == NULL) {
                b->rc = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                if (p->writable && p->device >= 0)
                        w[n++] = (struct span){p->device, p->unit_id, p->address,
                                               p->address + (uint32_t)point_nregs(p) - 1, (uint32_t)i};
        }
        qsort(w, n, sizeof(w[0]), span_order);
        for (size_t i = 1; i < n; i++)
                if (w[i].device == w[i - 1].device && w[i].unit_id == w[i - 1].unit_id && w[i].first <= w[i - 1].last)
                        bad(b, b->point_at[w[i].i], "point '%s' writes a register that '%s' writes too",
                            s->point[w[i].i].name, s->point[w[i - 1].i].name);
        free(w);
}

/* SI unit a role is made of; NULL = any. */
static const char *role_unit(enum role r)
{
        switch (r) {
        case ROLE_INLET_TEMP:
        case ROLE_OUTLET_TEMP:
        case ROLE_SAT:
        case ROLE_SAT_SP:
        case ROLE_RAT:
        case ROLE_MAT:
        case ROLE_CHWST:
        case ROLE_CHWRT:
        case ROLE_CHWST_SP:
        case ROLE_CWST:
        case ROLE_CWRT:
        case ROLE_CWST_SP:
        case ROLE_OAT:
        case ROLE_WETBULB:
        case ROLE_DEWPOINT:
                return "degC";
        case ROLE_RACK_POWER:
        case ROLE_CRAH_POWER:
        case ROLE_CHILLER_POWER:
        case ROLE_TOWER_POWER:
        case ROLE_PUMP_POWER:
        case ROLE_METER_POWER:
        case ROLE_SERVER_FAN_POWER:
                return "W";
        case ROLE_FAN_CMD:
        case ROLE_FAN:
        case ROLE_VALVE:
        case ROLE_HEAT_VALVE:
        case ROLE_DAMPER:
        case ROLE_CHILLER_PLR:
        case ROLE_TOWER_FAN:
        case ROLE_OA_RH:
                return "ratio";
        case ROLE_AIR_DP:
                return "Pa";
        case ROLE_CHW_FLOW:
                return "m3/s";
        case ROLE_WATCHDOG_TIME:
                return "s";
        case ROLE_NONE:
        case ROLE_CRAH_STATUS:
        case ROLE_CHILLER_ENABLE:
        case ROLE_CHILLER_STATUS:
        case ROLE_ECON_STATUS:
        case ROLE_HEARTBEAT_CMD:
        case ROLE_HEARTBEAT_ECHO:
        case ROLE_REMOTE_ENABLE:
        case ROLE_REMOTE_STATUS:
        case ROLE_OCCUPANCY:
        case ROLE_COUNT_:
                break;
        }
        return NULL;
}

/* Direction that cools more, when the role decides it; 0 = the map decides. */
static int role_safe_dir(enum role r)
{
        if (r == ROLE_SAT_SP || r == ROLE_CHWST_SP)
                return -1;
        return r == ROLE_FAN_CMD ? 1 : 0;
}

/* What decisions move; its confirmed value is its read-back. */
static bool is_setpoint(enum role r)
{
        return r == ROLE_SAT_SP || r == ROLE_FAN_CMD || r == ROLE_CHWST_SP || r == ROLE_CWST_SP ||
               r == ROLE_CHILLER_ENABLE;
}

static bool is_command(enum role r)
{
        return is_setpoint(r) || r == ROLE_HEARTBEAT_CMD || r == ROLE_REMOTE_ENABLE;
}

static void check_written(struct builder *b, size_t i)
{
        const struct point *p = &b->s->point[i];
        struct pos at = b->point_at[i];
        int dir = role_safe_dir(p->role);
        if (!p->writable)
                return;
        if (is_setpoint(p->role) && !p->readable)
                bad(b, at, "access: a writable %s must be RW: what cannot be read back is never moved",
                    role_str(p->role));
        if (dir != 0 && p->safe_dir == 0)
                bad(b, at, "safe_dir: a writable %s needs it (%c)", role_str(p->role), dir > 0 ? '+' : '-');
        else if (dir != 0 && p->safe_dir != dir)
                bad(b, at, "safe_dir: for a %s the direction of more cooling is %c", role_str(p->role),
                    dir > 0 ? '+' : '-');
        if (p->lease_ms > 0 && p->lease_ms < 2 * b->s->fast_step_ms)
                bad(b, at, "lease: shorter than two fast steps (%.9g s), it would lapse between two writes",
                    2 * (double)b->s->fast_step_ms / 1000);
        if (p->role == ROLE_CHILLER_ENABLE && p->safe_dir != 1)
                bad(b, at, "safe_dir: a writable %s needs it (+)", role_str(p->role));
        if (p->role == ROLE_CHILLER_ENABLE &&
            !(p->min == 0 && p->max == 1 && codec_quantise(p, 0) == 0 && codec_quantise(p, 1) == 1))
                bad(b, at, "a writable %s goes from min 0 to max 1, and its register must have both values",
                    role_str(p->role));
        if (p->role == ROLE_CHWST_SP && !(p->min <= b->s->limits.chwst_max_c && p->max >= b->s->limits.chwst_min_c))
                bad(b, at, "min..max (%g to %g °C) lies outside limits.chwst_min..chwst_max (%g to %g °C)", p->min,
                    p->max, b->s->limits.chwst_min_c, b->s->limits.chwst_max_c);
        if (!is_command(p->role))
                warn(b, at, "'%s' is writable but plays no role that coolplane writes", p->name);
        else if (p->equipment < 0 && p->role != ROLE_HEARTBEAT_CMD && p->role != ROLE_REMOTE_ENABLE)
                bad(b, at, "a writable %s must belong to a piece of equipment", role_str(p->role));
}

/* Command points by (equipment, role): each at most once, else nobody knows which one acts. One that only shows a
 * setpoint may stand beside it. */
static void check_command_twice(struct builder *b)
{
        struct site *s = b->s;
        int *owner = malloc((s->nequipment * ROLE_COUNT_ + 1) * sizeof(owner[0]));
        if (owner == NULL) {
                b->rc = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < s->nequipment * ROLE_COUNT_; i++)
                owner[i] = -1;
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                if (!p->writable || !is_command(p->role) || p->equipment < 0)
                        continue;
                int *o = &owner[(size_t)p->equipment * ROLE_COUNT_ + (size_t)p->role];
                if (*o >= 0)
                        bad(b, b->point_at[i], "equipment '%s' has two writable %s: '%s' and '%s'",
                            s->equipment[p->equipment].name, role_str(p->role), s->point[*o].name, p->name);
                *o = (int)i;
        }
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                if (p->writable || !is_setpoint(p->role) || p->equipment < 0)
                        continue;
                int o = owner[(size_t)p->equipment * ROLE_COUNT_ + (size_t)p->role];
                if (o >= 0)
                        warn(b, b->point_at[i],
                             "equipment '%s' has two %s: '%s' is commanded and read back, '%s' (not writable) is only "
                             "stored and shown",
                             s->equipment[p->equipment].name, role_str(p->role), s->point[o].name, p->name);
        }
        free(owner);
}

/* A device goes local when our heartbeat stops; one that cannot would keep our last setpoint for ever, so the gate does
 * not take it. */
static void check_heartbeats(struct builder *b)
{
        struct site *s = b->s;
        for (size_t d = 0; d < s->ndevice; d++) {
                bool beats = false, echo = false, enable = false, status = false, commands = false;
                for (size_t i = 0; i < s->npoint; i++) {
                        const struct point *p = &s->point[i];
                        if (p->device != (int)d)
                                continue;
                        beats |= p->role == ROLE_HEARTBEAT_CMD && p->writable;
                        echo |= p->role == ROLE_HEARTBEAT_ECHO && p->readable;
                        enable |= p->role == ROLE_REMOTE_ENABLE && p->writable && p->readable;
                        status |= p->role == ROLE_REMOTE_STATUS && p->readable;
                        commands |= is_command(p->role) && p->writable;
                }
                if (s->device[d].watchdog_ms < 0)
                        s->device[d].watchdog_ms = beats ? 60 * 1000 : 0;
                if (commands && !(beats && echo && enable && status))
                        warn(b, b->device_more[d].at,
                             "device '%s' takes setpoints but lacks%s%s%s%s: live mode leaves it alone",
                             s->device[d].name, beats ? "" : " heartbeat (RW)", echo ? "" : " heartbeat echo",
                             enable ? "" : " remote enable (RW)", status ? "" : " remote status");
                else if (commands && !s->device[d].watchdog_probe)
                        warn(b, b->device_more[d].at,
                             "device '%s': watchdog_probe is false: live mode takes it without having seen that its "
                             "watchdog acts",
                             s->device[d].name);
        }
}

static bool left_out(const struct builder *b, const char *name)
{
        bool found = b->left_out_unnamed;
        for (size_t i = 0; i < b->nleft_out && !found; i++)
                found = strcmp(b->left_out[i], name) == 0;
        return found;
}

static void check_one(struct builder *b, size_t i)
{
        struct site *s = b->s;
        struct point *p = &s->point[i];
        const char *want = role_unit(p->role), *has = unit_si_str((enum unit)p->unit);
        if (want != NULL && p->unit == UNIT_NONE)
                bad(b, b->point_at[i], "unit: missing; a %s needs one", role_str(p->role));
        else if (want != NULL && strcmp(want, has) != 0)
                bad(b, b->point_at[i], "unit: %s is not a unit of %s (%s)", unit_str((enum unit)p->unit),
                    role_str(p->role), want);
        /* Nothing stays good for ever: five scans, at least half a minute; ten minutes in a log. */
        if (p->interlock[0] && site_find_point(s, p->interlock) < 0 && !left_out(b, p->interlock))
                bad(b, b->point_at[i], "interlock: no point is named '%s'", p->interlock);
        if (p->stale_after_ms == 0 && p->device >= 0) {
                int64_t least = s->device[p->device].protocol == DEVICE_MQTT ? 60 * 1000 : 30 * 1000;
                int64_t scans = 5 * s->device[p->device].period_ms;
                p->stale_after_ms = scans > least ? scans : least;
        } else if (p->stale_after_ms == 0) {
                p->stale_after_ms = 600 * 1000;
        }
        check_written(b, i);
}

#define SAMPLE_BYTES 30   /* a row of the database, measured */
#define EVIDENCE_BYTES 20 /* of a decision, for each point (ARCHITECTURE.md, 480 points) */

/* The floor of age goes before the size: say so where the two cannot both be kept. */
static void check_retention(struct builder *b)
{
        const struct site *s = b->s;
        const struct site_retention *keep = &s->retention;
        double bytes = EVIDENCE_BYTES * (double)s->npoint * (double)SITE_RETENTION_MIN_MS / (double)s->fast_step_ms;
        for (size_t i = 0; i < s->npoint; i++)
                if (s->point[i].device >= 0 && s->device[s->point[i].device].period_ms > 0)
                        bytes += SAMPLE_BYTES * (double)SITE_RETENTION_MIN_MS /
                                 (double)s->device[s->point[i].device].period_ms;
        if (keep->decisions_ms < keep->samples_ms)
                bad(b, b->retention_at, "retention: decisions are kept at least as long as samples");
        if (bytes > (double)keep->max_bytes)
                warn(
                    b, b->retention_at,
                    "retention: max_bytes is less than a week of samples and of what decisions were made on, about %.1f"
                    " GiB, and a week is kept",
                    bytes / (1 << 30));
}

static bool has_role(const struct site *s, enum role role, int equipment, int zone)
{
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                if (p->role == role && (equipment < 0 || p->equipment == equipment) && (zone < 0 || p->zone == zone))
                        return true;
        }
        return false;
}

/* The greatest lift goes by the load: what carries it, and what it is. A machine of which something is not known does
 * not count as one that carries. */
static void check_surge_told(struct builder *b)
{
        const struct site *s = b->s;
        const struct equipment *asks = NULL;
        bool load = has_role(s, ROLE_RACK_POWER, -1, -1);

        for (size_t i = 0; i < s->nequipment; i++) {
                const struct equipment *e = &s->equipment[i];

                if (asks == NULL && isfinite(e->surge_lift_k))
                        asks = e;
                load = load || (e->cls == EQ_RACK && isfinite(e->power_w));
        }
        if (asks != NULL && !load)
                warn(b, b->equipment_more[asks - s->equipment].at,
                     "equipment '%s': surge_lift_k, but no rack has a power point or a power_w: the load is not known, "
                     "and max_lift_k is the limit",
                     asks->name);
        for (size_t i = 0; i < s->nequipment && asks != NULL; i++) {
                const struct equipment *e = &s->equipment[i];
                const int enable = site_point_of(s, (int)i, ROLE_CHILLER_ENABLE);
                char lacks[64];
                const int n = snprintf(lacks, sizeof(lacks), "%s%s%s", isfinite(e->capacity_w) ? "" : ", capacity_w",
                                       enable >= 0 && s->point[enable].writable ? "" : ", command (RW)",
                                       has_role(s, ROLE_CHILLER_STATUS, (int)i, -1) ? "" : ", status");

                if (e->cls == EQ_CHILLER && n > 0)
                        warn(
                            b, b->equipment_more[i].at,
                            "equipment '%s' has no %s: what it carries is counted on the others, and surge_lift_k lets "
                            "the lift be greater than it should, up to max_lift_k",
                            e->name, lacks + 2);
        }
}

/* A change that is less than a count of its meter cannot be told: the least one holds stops back. */
static void check_ramp_resolution(struct builder *b, size_t equipment)
{
        const struct equipment *e = &b->s->equipment[equipment];
        const int flow = site_point_of(b->s, (int)equipment, ROLE_CHW_FLOW);
        const double least_m3s = e->max_flow_ramp_per_min * e->min_flow_m3s;

        if (flow >= 0 && point_resolution(&b->s->point[flow]) > least_m3s)
                warn(b, b->point_at[flow],
                     "point '%s': one count, %g m3/s, is more than what max_flow_ramp_per_min of equipment '%s' lets "
                     "its "
                     "min_flow_m3s change in a minute, %g m3/s: the least change holds stops back",
                     b->s->point[flow].name, point_resolution(&b->s->point[flow]), e->name, least_m3s);
}

/* Some machine says whether it runs and how much water it gets. */
static bool evaporator_flow_told(const struct site *s)
{
        for (size_t i = 0; i < s->nequipment; i++)
                if (s->equipment[i].cls == EQ_CHILLER && has_role(s, ROLE_CHW_FLOW, (int)i, -1) &&
                    has_role(s, ROLE_CHILLER_STATUS, (int)i, -1))
                        return true;
        return false;
}

/* A limit that the site file asks for and that no point tells about limits nothing. */
static void check_told(struct builder *b)
{
        const struct site *s = b->s;
        bool loop = false;
        for (size_t i = 0; i < s->nequipment; i++)
                loop |= s->equipment[i].cls == EQ_PLANT && has_role(s, ROLE_CHW_FLOW, (int)i, -1);
        for (size_t i = 0; i < s->nequipment; i++) {
                const struct equipment *e = &s->equipment[i];
                if (isfinite(e->min_flow_m3s) && !loop && !has_role(s, ROLE_CHW_FLOW, (int)i, -1))
                        warn(b, b->equipment_more[i].at,
                             "equipment '%s': min_flow_m3s, but no point tells its flow or the plant's: no start is "
                             "refused for it",
                             e->name);
                if (isfinite(e->min_flow_m3s) && !has_role(s, ROLE_CHILLER_STATUS, (int)i, -1))
                        warn(
                            b, b->equipment_more[i].at,
                            "equipment '%s': min_flow_m3s, but no point tells whether it runs: it is taken to do as it "
                            "is ordered, and never stopped for want of water",
                            e->name);
                if (isfinite(e->max_flow_ramp_per_min) &&
                    !(evaporator_flow_told(s) && has_role(s, ROLE_CHILLER_STATUS, (int)i, -1)))
                        warn(b, b->equipment_more[i].at,
                             "equipment '%s': max_flow_ramp_per_min, but no point tells whether it runs, or the flow "
                             "of any "
                             "chiller that says so: no stop waits for it",
                             e->name);
                check_ramp_resolution(b, i);
                if ((isfinite(e->min_lift_k) || isfinite(e->max_lift_k)) &&
                    !(has_role(s, ROLE_CWST_SP, -1, -1) && has_role(s, ROLE_CHWST_SP, -1, -1)))
                        warn(b, b->equipment_more[i].at,
                             "equipment '%s': min_lift_k, max_lift_k: without setpoints of chilled and of condenser "
                             "water "
                             "nothing is limited",
                             e->name);
        }
        check_surge_told(b);
        for (size_t z = 0; z < s->nzone && b->dewpoint_at.line > 0; z++)
                if (has_role(s, ROLE_SAT_SP, -1, (int)z) && !has_role(s, ROLE_DEWPOINT, -1, (int)z))
                        warn(b, b->dewpoint_at,
                             "dewpoint_margin_k: no point tells the dew point of zone '%s': nothing is limited there",
                             s->zone[z].name);
}

#define NOISE_COUNTS 3 /* rounding alone makes one; the instrument's own noise and what rows leave out come on top */

static void check_noise(struct builder *b)
{
        const double most_k = b->s->limits.noise_max_k;
        const struct point *coarsest = NULL;

        for (size_t i = 0; i < b->s->npoint; i++) {
                const struct point *p = &b->s->point[i];
                if ((p->role == ROLE_INLET_TEMP || p->role == ROLE_SAT) &&
                    (coarsest == NULL || point_resolution(p) > point_resolution(coarsest)))
                        coarsest = p;
        }
        if (coarsest != NULL && point_resolution(coarsest) > most_k * (1 + 1e-9))
                bad(b, b->limits_at, "limits: noise_max_k %g is less than one count of point '%s', %g K", most_k,
                    coarsest->name, point_resolution(coarsest));
        else if (coarsest != NULL && point_resolution(coarsest) * NOISE_COUNTS > most_k * (1 + 1e-9))
                warn(b, b->limits_at,
                     "limits: noise_max_k %g is less than %d counts of point '%s': a bound that is too small misleads "
                     "before it is found out",
                     most_k, NOISE_COUNTS, coarsest->name);
}

void check_points(struct builder *b)
{
        if (b->s->npoint == 0 && site_errors_count(b->errors) == 0)
                bad(b, b->site_at, "the site has no points");
        check_names(b);
        if (b->rc == 0)
                check_write_overlap(b);
        if (b->rc == 0)
                check_command_twice(b);
        for (size_t i = 0; i < b->s->npoint && b->rc == 0; i++)
                check_one(b, i);
        if (b->rc == 0)
                check_heartbeats(b);
        check_told(b);
        check_noise(b);
        check_retention(b);
}
