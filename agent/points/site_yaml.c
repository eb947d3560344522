/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* site.yaml → the builder. Each section is a table of fields; what a key means stands in one line. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/points/site_internal.h"
#include "agent/points/yaml.h"

enum field_type {
        F_TEXT,
        F_NAME, /* letters, digits, _ . - */
        F_PATH, /* relative to the site file */
        F_NUMBER,
        F_INT,
        F_UINT8,
        F_UINT64,
        F_MS,      /* duration → int64_t ms */
        F_INT_MS,  /* duration → int ms */
        F_SECONDS, /* duration → double s */
        F_BYTES,   /* size → int64_t */
        F_BOOL,
        F_PARITY,
        F_STYLE,
        F_NODE, /* a map or list the caller reads */
};

struct field {
        const char *key;
        enum field_type type;
        size_t offset, cap;
        double lo, hi; /* of numbers, and of durations in ms */
};

struct yreader {
        struct builder *b;
        struct yaml y;
        int file;
};

#define FIELD(k, t, s, m, ...)                                                                                         \
        {                                                                                                              \
                k, t, offsetof(s, m), sizeof(((s *)0)->m), __VA_ARGS__                                                 \
        }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NODE(k)                                                                                                        \
        {                                                                                                              \
                k, F_NODE, 0, 0, 0, 0                                                                                  \
        }

static struct pos at_node(const struct yreader *r, const struct ynode *n)
{
        return (struct pos){.file = r->file, .line = n->line, .col = n->col};
}

static struct pos at_key(const struct yreader *r, const struct ynode *n)
{
        return (struct pos){.file = r->file, .line = n->key_line, .col = n->key_col};
}

/* Text of a scalar with ${ENV} replaced; NULL after an error. */
static const char *expand(struct yreader *r, const struct ynode *n, const char *key, char *buf, size_t cap)
{
        size_t len = 0;
        if (n->kind != YNODE_SCALAR || yaml_is_null(n)) {
                bad(r->b, at_node(r, n), "%s: a value is missing", key);
                return NULL;
        }
        for (const char *s = n->text; *s != '\0';) {
                const char *piece = s;
                size_t plen = 1;
                char name[64];
                if (s[0] == '$' && s[1] == '{') {
                        const char *end = strchr(s, '}');
                        size_t nlen = end != NULL ? (size_t)(end - s - 2) : 0;
                        if (nlen == 0 || nlen >= sizeof(name)) {
                                bad(r->b, at_node(r, n), "%s: '${' without a variable's name and '}'", key);
                                return NULL;
                        }
                        memcpy(name, s + 2, nlen);
                        name[nlen] = '\0';
                        piece = getenv(name);
                        if (piece == NULL) {
                                bad(r->b, at_node(r, n), "%s: the environment has no %s", key, name);
                                return NULL;
                        }
                        plen = strlen(piece);
                        hash_add(&r->b->hash, piece, plen); /* the same file elsewhere is another configuration */
                        s = end + 1;
                } else {
                        s++;
                }
                if (len + plen >= cap) {
                        bad(r->b, at_node(r, n), "%s: too long", key);
                        return NULL;
                }
                memcpy(buf + len, piece, plen);
                len += plen;
        }
        buf[len] = '\0';
        return buf;
}

static void set_text(struct yreader *r, const struct ynode *n, const struct field *f, const char *text, char *dst)
{
        if (f->type == F_NAME && !name_ok(text, false)) {
                bad(r->b, at_node(r, n), "%s: '%.64s' may hold letters, digits and _ . - only", f->key, text);
                return;
        }
        char path[2 * SITE_PATH_MAX];
        if (f->type == F_PATH && text[0] != '/' && text[0] != '\0') {
                (void)snprintf(path, sizeof(path), "%s%s", r->b->dir, text);
                text = path;
        }
        if (text[0] == '\0')
                bad(r->b, at_node(r, n), "%s: empty", f->key);
        else if (parse_copy(dst, f->cap, text) != 0)
                bad(r->b, at_node(r, n), "%s: longer than %zu characters", f->key, f->cap - 1);
}

static void set_duration(struct yreader *r, const struct ynode *n, const struct field *f, const char *text, void *dst)
{
        int64_t ms;
        if (parse_duration_ms(text, &ms) != 0)
                bad(r->b, at_node(r, n), "%s: '%.64s' is not a duration like 500ms, 5s, 15m", f->key, text);
        else if (!((double)ms >= f->lo && (double)ms <= f->hi))
                bad(r->b, at_node(r, n), "%s: '%.64s' is not from %g ms to %g ms", f->key, text, f->lo, f->hi);
        else if (f->type == F_MS)
                *(int64_t *)dst = ms;
        else if (f->type == F_INT_MS)
                *(int *)dst = (int)ms;
        else
                *(double *)dst = (double)ms / 1e3;
}

static void set_bytes(struct yreader *r, const struct ynode *n, const struct field *f, const char *text, void *dst)
{
        int64_t v;
        if (parse_bytes(text, &v) != 0)
                bad(r->b, at_node(r, n), "%s: '%.64s' is not a size like 512MiB, 2GiB", f->key, text);
        else if (!((double)v >= f->lo && (double)v <= f->hi))
                bad(r->b, at_node(r, n), "%s: '%.64s' is not from %.0f to %.0f bytes", f->key, text, f->lo, f->hi);
        else
                *(int64_t *)dst = v;
}

static void set_integer(struct yreader *r, const struct ynode *n, const struct field *f, const char *text, void *dst)
{
        int64_t v;
        if (parse_int64(text, (int64_t)f->lo, (int64_t)f->hi, &v) != 0)
                bad(r->b, at_node(r, n), "%s: '%.64s' is not a whole number from %.0f to %.0f", f->key, text, f->lo,
                    f->hi);
        else if (f->type == F_UINT8)
                *(uint8_t *)dst = (uint8_t)v;
        else if (f->type == F_UINT64)
                *(uint64_t *)dst = (uint64_t)v;
        else
                *(int *)dst = (int)v;
}

static void set(struct yreader *r, const struct ynode *n, const struct field *f, void *base)
{
        char buf[512];
        void *dst = (char *)base + f->offset;
        const char *text = expand(r, n, f->key, buf, sizeof(buf));
        double v;
        int style;
        if (text == NULL)
                return;
        switch (f->type) {
        case F_TEXT:
        case F_NAME:
        case F_PATH:
                set_text(r, n, f, text, dst);
                break;
        case F_NUMBER:
                if (parse_double(text, &v) != 0)
                        bad(r->b, at_node(r, n), "%s: '%.64s' is not a finite number", f->key, text);
                else if (!(v >= f->lo && v <= f->hi))
                        bad(r->b, at_node(r, n), "%s: %.64s is not from %g to %g", f->key, text, f->lo, f->hi);
                else
                        *(double *)dst = v;
                break;
        case F_INT:
        case F_UINT8:
        case F_UINT64:
                set_integer(r, n, f, text, dst);
                break;
        case F_MS:
        case F_INT_MS:
        case F_SECONDS:
                set_duration(r, n, f, text, dst);
                break;
        case F_BYTES:
                set_bytes(r, n, f, text, dst);
                break;
        case F_BOOL:
                if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
                        *(bool *)dst = text[0] == 't';
                else
                        bad(r->b, at_node(r, n), "%s: '%.64s' is neither true nor false", f->key, text);
                break;
        case F_PARITY:
                if (strlen(text) == 1 && strchr("NEO", text[0]) != NULL)
                        *(char *)dst = text[0];
                else
                        bad(r->b, at_node(r, n), "%s: '%.64s' is not N, E or O", f->key, text);
                break;
        case F_STYLE:
                style = address_style_from_str(text);
                if (style > 0)
                        *(enum address_style *)dst = (enum address_style)style;
                else
                        bad(r->b, at_node(r, n), "%s: '%.64s' is not wire, one_based, modicon5 or modicon6", f->key,
                            text);
                break;
        case F_NODE:
                break;
        }
}

struct field_list {
        const struct field *f;
        size_t n;
};

static const char *field_name(const void *ctx, size_t i)
{
        const struct field_list *l = ctx;
        return i < l->n ? l->f[i].key : NULL;
}

/* Reads a map's keys into base. Unknown keys are errors. Returns a bit per field seen. */
static uint64_t apply(struct yreader *r, const struct ynode *map, const char *what, const struct field *f, size_t n,
                      void *base)
{
        char hint[128];
        uint64_t seen = 0;
        struct field_list list = {f, n};
        if (map->kind != YNODE_MAP) {
                bad(r->b, at_node(r, map), "%s: must be a map of keys and values", what);
                return 0;
        }
        for (const struct ynode *c = yaml_child(&r->y, map); c != NULL; c = yaml_next(&r->y, c)) {
                size_t i = 0;
                while (i < n && strcmp(c->key, f[i].key) != 0)
                        i++;
                if (i < n && f[i].type != F_NODE)
                        set(r, c, &f[i], base);
                if (i < n)
                        seen |= UINT64_C(1) << i;
                else if (strstr(c->key, "password") != NULL)
                        bad(r->b, at_key(r, c),
                            "%s: no secrets in files; put it in $CREDENTIALS_DIRECTORY/mqtt_password", c->key);
                else
                        bad(r->b, at_key(r, c), "unknown key '%.64s' in %s%s", c->key, what,
                            suggest(c->key, field_name, &list, hint));
        }
        return seen;
}

static void need(struct yreader *r, const struct ynode *map, const char *what, const struct field *f, uint64_t seen,
                 size_t i)
{
        if (map->kind == YNODE_MAP && !(seen >> i & 1))
                bad(r->b, at_node(r, map), "%s: '%s' is missing", what, f[i].key);
}

static void read_sections(struct yreader *r, const struct ynode *root)
{
        struct site *s = r->b->s;
        static const struct field site[] = {
            FIELD("name", F_NAME, struct site, name, 0, 0),
            FIELD("latitude", F_NUMBER, struct site, latitude_deg, -90, 90),
            FIELD("longitude", F_NUMBER, struct site, longitude_deg, -180, 180),
            FIELD("elevation_m", F_NUMBER, struct site, elevation_m, -500, 9000),
            FIELD("database", F_PATH, struct site, database, 0, 0),
            FIELD("run_dir", F_PATH, struct site, run_dir, 0, 0),
            FIELD("seed", F_UINT64, struct site, seed, 0, 9e18),
            FIELD("fast_step", F_MS, struct site, fast_step_ms, 1000, 300000),
            FIELD("slow_step", F_MS, struct site, slow_step_ms, 1000, 3600000),
        };
        static const struct field web[] = {
            FIELD("bind", F_TEXT, struct site, web_bind, 0, 0),
            FIELD("port", F_INT, struct site, web_port, 0, 65535),
        };
        static const struct field limits[] = {
            FIELD("inlet_recommended", F_NUMBER, struct site_limits, inlet_recommended_c, 0, 60),
            FIELD("inlet_allowable", F_NUMBER, struct site_limits, inlet_allowable_c, 0, 60),
            FIELD("inlet_min", F_NUMBER, struct site_limits, inlet_min_c, -20, 60),
            FIELD("chwst_min", F_NUMBER, struct site_limits, chwst_min_c, -10, 40),
            FIELD("chwst_max", F_NUMBER, struct site_limits, chwst_max_c, -10, 40),
            FIELD("chwst_freeze", F_NUMBER, struct site_limits, chwst_freeze_c, -20, 40),
            FIELD("chwst_ramp_k_per_min", F_NUMBER, struct site_limits, chwst_ramp_k_per_min, 0.001, 0.5),
            FIELD("dewpoint_margin_k", F_NUMBER, struct site_limits, dewpoint_margin_k, 0, 20),
            FIELD("noise_max_k", F_NUMBER, struct site_limits, noise_max_k, 0.001, 10),
            FIELD("valve_max_ratio", F_NUMBER, struct site_limits, valve_max_ratio, 0.01, 1),
            FIELD("tower_approach_k", F_NUMBER, struct site_limits, tower_approach_k, 0.5, 20),
            FIELD("it_fan_knee", F_NUMBER, struct site_limits, it_fan_knee_c, 0, 60),
        };
        static const struct {
                const char *key, *why;
        } unenforced[] = {
            {"inlet_min", "it is shown, and nothing keeps inlets above it"},
            {"tower_approach_k", "the planner asks for nothing below it"},
        };
        static const struct field retention[] = {
            FIELD("samples", F_MS, struct site_retention, samples_ms, SITE_RETENTION_MIN_MS, 36500 * 86400e3),
            FIELD("decisions", F_MS, struct site_retention, decisions_ms, SITE_RETENTION_MIN_MS, 36500 * 86400e3),
            FIELD("max_bytes", F_BYTES, struct site_retention, max_bytes, 64 << 20, 1e15),
        };
        static const struct field vm[] = {
            FIELD("topic", F_TEXT, struct site_vm, topic, 0, 0),
            FIELD("max_moves_per_hour", F_INT, struct site_vm, max_moves_per_hour, 0, 10000),
            FIELD("max_concurrent", F_INT, struct site_vm, max_concurrent, 1, 1000),
        };
        const struct ynode *n;
        if ((n = yaml_get(&r->y, root, "site")) != NULL) {
                r->b->site_at = at_node(r, n);
                r->b->named |= apply(r, n, "site", site, COUNT(site), s) & 1;
        }
        if ((n = yaml_get(&r->y, root, "web")) != NULL)
                (void)apply(r, n, "web", web, COUNT(web), s);
        if ((n = yaml_get(&r->y, root, "limits")) != NULL) {
                r->b->limits_at = at_node(r, n);
                (void)apply(r, n, "limits", limits, COUNT(limits), &s->limits);
                if (yaml_get(&r->y, n, "dewpoint_margin_k") != NULL)
                        r->b->dewpoint_at = at_key(r, yaml_get(&r->y, n, "dewpoint_margin_k"));
                for (size_t i = 0; i < COUNT(unenforced); i++) {
                        const struct ynode *c = yaml_get(&r->y, n, unenforced[i].key);
                        if (c != NULL)
                                warn(r->b, at_key(r, c), "%s: not enforced by the gate: %s", unenforced[i].key,
                                     unenforced[i].why);
                }
        }
        if ((n = yaml_get(&r->y, root, "retention")) != NULL) {
                r->b->retention_at = at_node(r, n);
                (void)apply(r, n, "retention", retention, COUNT(retention), &s->retention);
        }
        if ((n = yaml_get(&r->y, root, "vm")) != NULL) {
                r->b->vm_at = at_node(r, n);
                s->vm.enabled = true;
                (void)apply(r, n, "vm", vm, COUNT(vm), &s->vm);
        }
}

static void read_mqtt(struct yreader *r, const struct ynode *n)
{
        static const struct field mqtt[] = {
            FIELD("host", F_TEXT, struct site_mqtt, host, 0, 0),
            FIELD("port", F_INT, struct site_mqtt, port, 1, 65535),
            FIELD("client_id", F_TEXT, struct site_mqtt, client_id, 0, 0),
            FIELD("username", F_TEXT, struct site_mqtt, username, 0, 0),
            FIELD("silence", F_MS, struct site_mqtt, silence_ms, 1000, 86400000),
            NODE("tls"),
        };
        static const struct field tls[] = {
            FIELD("ca_file", F_PATH, struct site_mqtt, tls_ca_file, 0, 0),
            FIELD("cert_file", F_PATH, struct site_mqtt, tls_cert_file, 0, 0),
            FIELD("key_file", F_PATH, struct site_mqtt, tls_key_file, 0, 0),
        };
        struct site_mqtt *m = &r->b->s->mqtt;
        r->b->mqtt_at = at_node(r, n);
        m->enabled = true;
        (void)apply(r, n, "mqtt", mqtt, COUNT(mqtt), m);
        const struct ynode *t = yaml_get(&r->y, n, "tls");
        if (t != NULL)
                (void)apply(r, t, "mqtt.tls", tls, COUNT(tls), m);
}

static void read_zone(struct yreader *r, const struct ynode *n)
{
        static const struct field zone[] = {FIELD("name", F_NAME, struct zone, name, 0, 0)};
        struct builder *b = r->b;
        if (!grow(b, (void **)&b->s->zone, b->s->nzone, &b->zone_cap, sizeof(struct zone)) ||
            !grow(b, (void **)&b->zone_at, b->s->nzone, &b->zone_at_cap, sizeof(struct pos)))
                return;
        struct zone *z = &b->s->zone[b->s->nzone];
        b->zone_at[b->s->nzone++] = at_node(r, n);
        *z = (struct zone){.line = n->line};
        need(r, n, "zone", zone, apply(r, n, "zone", zone, COUNT(zone), z), 0);
}

static const char *equipment_brick(const void *ctx, size_t i)
{
        (void)ctx;
        return equipment_brick_name(i);
}

static void read_equipment(struct yreader *r, const struct ynode *n)
{
        static const struct field own[] = {
            FIELD("name", F_NAME, struct equipment, name, 0, 0),
            NODE("brick"),
            NODE("zone"),
            FIELD("capacity_w", F_NUMBER, struct equipment, capacity_w, 1, 1e9),
            FIELD("airflow_m3s", F_NUMBER, struct equipment, airflow_m3s, 1e-3, 1e5),
            FIELD("fan_power_w", F_NUMBER, struct equipment, fan_power_w, 1, 1e8),
            FIELD("power_w", F_NUMBER, struct equipment, power_w, 1, 1e9),
            FIELD("min_on", F_SECONDS, struct equipment, min_on_s, 0, 86400e3),
            FIELD("min_off", F_SECONDS, struct equipment, min_off_s, 0, 86400e3),
            FIELD("max_starts_per_h", F_NUMBER, struct equipment, max_starts_per_h, 1, 16),
            FIELD("min_flow_m3s", F_NUMBER, struct equipment, min_flow_m3s, 1e-6, 1e3),
            FIELD("max_flow_ramp_per_min", F_NUMBER, struct equipment, max_flow_ramp_per_min, 1e-3, 1),
            FIELD("min_lift_k", F_NUMBER, struct equipment, min_lift_k, -30, 60),
            FIELD("max_lift_k", F_NUMBER, struct equipment, max_lift_k, -30, 60),
            FIELD("surge_lift_k", F_NUMBER, struct equipment, surge_lift_k, -30, 60),
        };
        static const struct field refs[] = {
            FIELD("brick", F_TEXT, struct equipment_more, brick, 0, 0),
            FIELD("zone", F_TEXT, struct equipment_more, zone, 0, 0),
        };
        struct builder *b = r->b;
        char hint[128];
        if (!grow(b, (void **)&b->s->equipment, b->s->nequipment, &b->equipment_cap, sizeof(struct equipment)) ||
            !grow(b, (void **)&b->equipment_more, b->s->nequipment, &b->equipment_more_cap,
                  sizeof(struct equipment_more)))
                return;
        struct equipment *e = &b->s->equipment[b->s->nequipment];
        struct equipment_more *more = &b->equipment_more[b->s->nequipment++];
        *e = (struct equipment){.zone = -1, .line = n->line};
        e->capacity_w = e->airflow_m3s = e->fan_power_w = e->power_w = (double)NAN;
        e->min_on_s = e->min_off_s = e->max_starts_per_h = (double)NAN;
        e->min_flow_m3s = e->max_flow_ramp_per_min = (double)NAN;
        e->min_lift_k = e->max_lift_k = e->surge_lift_k = (double)NAN;
        *more = (struct equipment_more){.at = at_node(r, n)};
        uint64_t seen = apply(r, n, "equipment", own, COUNT(own), e);
        need(r, n, "equipment", own, seen, 0);
        need(r, n, "equipment", own, seen, 1);
        for (size_t i = 0; i < COUNT(refs); i++) {
                const struct ynode *c = yaml_get(&r->y, n, refs[i].key);
                if (c != NULL)
                        set(r, c, &refs[i], more);
        }
        e->cls = equipment_class_from_brick(more->brick);
        if (more->brick[0] != '\0' && e->cls == EQ_NONE)
                bad(b, at_node(r, yaml_get(&r->y, n, "brick")), "brick: unknown equipment class '%s'%s", more->brick,
                    suggest(more->brick, equipment_brick, NULL, hint));
        if (e->cls == EQ_CHILLER) { /* compressors are spared even when the site file is silent */
                e->min_on_s = isnan(e->min_on_s) ? 300 : e->min_on_s;
                e->min_off_s = isnan(e->min_off_s) ? 600 : e->min_off_s;
                e->max_starts_per_h = isnan(e->max_starts_per_h) ? 3 : e->max_starts_per_h;
        }
}

static const char *const protocols[] = {"modbus-tcp", "modbus-rtu", "mqtt", NULL};

static void read_protocol(struct yreader *r, const struct ynode *n, struct device *d)
{
        char buf[64], hint[128];
        const char *text = expand(r, n, "protocol", buf, sizeof(buf));
        if (text == NULL)
                return;
        for (int i = 0; protocols[i] != NULL; i++)
                if (strcmp(text, protocols[i]) == 0) {
                        d->protocol = (enum device_protocol)i;
                        return;
                }
        bad(r->b, at_node(r, n), "protocol: unknown '%s'%s", text, suggest_list(text, protocols, hint));
}

static void read_quirks(struct yreader *r, const struct ynode *n, struct device_quirks *q)
{
        static const struct field quirks[] = {
            FIELD("pause_after_connect", F_INT_MS, struct device_quirks, pause_after_connect_ms, 0, 60000),
            FIELD("pause_between_requests", F_INT_MS, struct device_quirks, pause_between_requests_ms, 0, 60000),
            FIELD("close_connection_after_gather", F_BOOL, struct device_quirks, close_connection_after_gather, 0, 0),
            FIELD("one_request_per_field", F_BOOL, struct device_quirks, one_request_per_field, 0, 0),
            FIELD("max_word_registers_per_request", F_INT, struct device_quirks, max_word_registers_per_request, 1,
                  125),
            FIELD("max_regs", F_INT, struct device_quirks, max_word_registers_per_request, 1, 125),
            FIELD("max_bit_registers_per_request", F_INT, struct device_quirks, max_bit_registers_per_request, 1, 2000),
            FIELD("max_gap", F_INT, struct device_quirks, max_gap, 0, 124),
            FIELD("busy_retries", F_INT, struct device_quirks, busy_retries, 0, 10),
        };
        (void)apply(r, n, "quirks", quirks, COUNT(quirks), q);
}

static void read_device(struct yreader *r, const struct ynode *n)
{
        static const struct field own[] = {
            FIELD("name", F_NAME, struct device, name, 0, 0),
            NODE("protocol"),
            NODE("profile"),
            NODE("equipment"),
            NODE("address_style"),
            NODE("quirks"),
            FIELD("host", F_TEXT, struct device, host, 0, 0),
            FIELD("port", F_INT, struct device, port, 1, 65535),
            FIELD("baud", F_INT, struct device, baud, 300, 4000000),
            FIELD("parity", F_PARITY, struct device, parity, 0, 0),
            FIELD("stop_bits", F_INT, struct device, stop_bits, 1, 2),
            FIELD("unit_id", F_UINT8, struct device, unit_id, 0, 255),
            FIELD("period", F_MS, struct device, period_ms, 100, 3600000),
            FIELD("timeout", F_INT_MS, struct device, timeout_ms, 10, 60000),
            FIELD("topic", F_TEXT, struct device, topic, 0, 0),
            FIELD("watchdog", F_MS, struct device, watchdog_ms, 1, 86400000),
            FIELD("watchdog_probe", F_BOOL, struct device, watchdog_probe, 0, 0),
        };
        static const struct field refs[] = {
            FIELD("profile", F_TEXT, struct device_more, profile, 0, 0),
            FIELD("equipment", F_TEXT, struct device_more, equipment, 0, 0),
            FIELD("address_style", F_STYLE, struct device_more, style, 0, 0),
        };
        struct builder *b = r->b;
        if (!grow(b, (void **)&b->s->device, b->s->ndevice, &b->device_cap, sizeof(struct device)) ||
            !grow(b, (void **)&b->device_more, b->s->ndevice, &b->device_more_cap, sizeof(struct device_more)))
                return;
        struct device *d = &b->s->device[b->s->ndevice];
        struct device_more *more = &b->device_more[b->s->ndevice++];
        *d = (struct device){.port = 502,
                             .baud = 9600,
                             .parity = 'N',
                             .stop_bits = 1,
                             .unit_id = 1,
                             .period_ms = 5000,
                             .timeout_ms = 500,
                             .watchdog_ms = -1,
                             .watchdog_probe = true,
                             .line = n->line};
        d->quirks = (struct device_quirks){
            .max_word_registers_per_request = 125, .max_bit_registers_per_request = 2000, .max_gap = 8};
        *more = (struct device_more){.at = at_node(r, n), .style = ADDRESS_WIRE};
        uint64_t seen = apply(r, n, "device", own, COUNT(own), d);
        need(r, n, "device", own, seen, 0);
        need(r, n, "device", own, seen, 1);
        for (size_t i = 0; i < COUNT(refs); i++) {
                const struct ynode *c = yaml_get(&r->y, n, refs[i].key);
                if (c != NULL)
                        set(r, c, &refs[i], more);
        }
        const struct ynode *c = yaml_get(&r->y, n, "protocol");
        if (c != NULL)
                read_protocol(r, c, d);
        if ((c = yaml_get(&r->y, n, "quirks")) != NULL)
                read_quirks(r, c, &d->quirks);
}

static void read_points_file(struct yreader *r, const struct ynode *n)
{
        struct builder *b = r->b;
        static const struct field path = FIELD("points", F_PATH, struct points_file, path, 0, 0);
        if (!grow(b, (void **)&b->points_file, b->npoints_file, &b->points_file_cap, sizeof(b->points_file[0])))
                return;
        struct points_file *f = &b->points_file[b->npoints_file++];
        *f = (struct points_file){.at = at_node(r, n)};
        set(r, n, &path, f);
}

static void read_profiles(struct yreader *r, const struct ynode *map)
{
        struct builder *b = r->b;
        static const struct field path = FIELD("profile", F_PATH, struct profile, path, 0, 0);
        if (map->kind != YNODE_MAP) {
                bad(b, at_node(r, map), "profiles: must be a map of names and files");
                return;
        }
        for (const struct ynode *c = yaml_child(&r->y, map); c != NULL; c = yaml_next(&r->y, c)) {
                if (!grow(b, (void **)&b->profile, b->nprofile, &b->profile_cap, sizeof(b->profile[0])))
                        return;
                struct profile *p = &b->profile[b->nprofile];
                *p = (struct profile){.at = at_key(r, c)};
                if (!name_ok(c->key, false) || parse_copy(p->name, sizeof(p->name), c->key) != 0) {
                        bad(b, at_key(r, c), "profiles: '%.64s' is not a name", c->key);
                        continue;
                }
                b->nprofile++;
                set(r, c, &path, p);
        }
}

static void read_list(struct yreader *r, const struct ynode *root, const char *key,
                      void (*one)(struct yreader *, const struct ynode *))
{
        const struct ynode *list = yaml_get(&r->y, root, key);
        if (list == NULL || yaml_is_null(list))
                return;
        if (list->kind != YNODE_SEQ) {
                bad(r->b, at_node(r, list), "%s: must be a list", key);
                return;
        }
        for (const struct ynode *c = yaml_child(&r->y, list); c != NULL && r->b->rc == 0; c = yaml_next(&r->y, c))
                one(r, c);
}

static void on_yaml_error(void *ctx, int line, int col, const char *msg)
{
        struct yreader *r = ctx;
        bad(r->b, (struct pos){.file = r->file, .line = line, .col = col}, "%s", msg);
}

void site_read_yaml(struct builder *b, const char *path, struct pos at)
{
        static const struct field top[] = {NODE("site"),   NODE("web"),     NODE("limits"),    NODE("mqtt"),
                                           NODE("vm"),     NODE("zones"),   NODE("equipment"), NODE("profiles"),
                                           NODE("points"), NODE("devices"), NODE("retention")};
        struct yreader r = {.b = b};
        char *text = NULL;
        size_t len = 0;
        r.file = read_file(b, path, at, &text, &len);
        int rc = r.file < 0 ? -EINVAL : yaml_parse(text, len, on_yaml_error, &r, &r.y);
        if (rc == -ENOMEM)
                b->rc = rc;
        if (rc != 0) {
                b->named = true; /* perhaps: nobody can tell */
                goto out;
        }
        if (r.y.n == 0) {
                (r.file == 0 ? bad : warn)(b, (struct pos){.file = r.file}, "the file is empty");
                b->named |= r.file == 0;
                goto out;
        }
        const struct ynode *root = &r.y.node[0], *n;
        b->named |= root->kind != YNODE_MAP; /* that is told */
        (void)apply(&r, root, "the site file", top, COUNT(top), NULL);
        read_sections(&r, root);
        if ((n = yaml_get(&r.y, root, "mqtt")) != NULL)
                read_mqtt(&r, n);
        read_list(&r, root, "zones", read_zone);
        read_list(&r, root, "equipment", read_equipment);
        if ((n = yaml_get(&r.y, root, "profiles")) != NULL && !yaml_is_null(n))
                read_profiles(&r, n);
        read_list(&r, root, "points", read_points_file);
        read_list(&r, root, "devices", read_device);
out:
        yaml_free(&r.y);
        free(text);
}
