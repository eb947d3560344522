/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/orchestrator.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"

#define ID_MAX 65
#define RECENT 128 /* request ids remembered, so that a repeated request is not a second move */

/* period in plant time and least distance in wall time, ms */
static const struct {
        int64_t plant_ms, wall_ms;
} every[] = {{10000, 50}, {60000, 100}, {60000, 200}};
enum topic { TOPIC_POWER, TOPIC_WEATHER, TOPIC_INVENTORY, TOPIC_COUNT };

struct request {
        uint64_t number; /* the plant's request id; 0 = free */
        char id[ID_MAX];
        uint32_t vm, from, to; /* ids */
};

struct orchestrator {
        struct orchestrator_args a;
        char request_topic[128];
        int64_t last_plant_ms[TOPIC_COUNT], last_wall_ms[TOPIC_COUNT];
        uint64_t number;
        struct request recent[RECENT];
};

int orchestrator_create(const struct orchestrator_args *a, struct orchestrator **ret)
{
        struct orchestrator *o = calloc(1, sizeof(*o));
        if (!o)
                return -ENOMEM;
        o->a = *a;
        for (size_t k = 0; k < TOPIC_COUNT; k++)
                o->last_plant_ms[k] = o->last_wall_ms[k] = INT64_MIN / 2;
        if ((size_t)snprintf(o->request_topic, sizeof(o->request_topic), "%s/vm/move/request", a->site) >=
            sizeof(o->request_topic)) {
                free(o);
                return -ENAMETOOLONG;
        }
        *ret = o;
        return 0;
}

struct orchestrator *orchestrator_free(struct orchestrator *o)
{
        free(o);
        return NULL;
}

const char *orchestrator_request_topic(const struct orchestrator *o)
{
        return o->request_topic;
}

/* ---- telemetry ---- */

static int send(struct orchestrator *o, const char *sub, FILE *f, char **text, size_t *len, int qos, bool retained)
{
        char topic[160];
        int err = fclose(f) == 0 ? 0 : -ENOMEM;
        if (err == 0) {
                snprintf(topic, sizeof(topic), "%s/%s", o->a.site, sub);
                err = o->a.publish(o->a.ctx, topic, *text, *len, qos, retained);
        }
        free(*text);
        return err;
}

/* ,"key":value into values; a key without a number is reported in `errors`, as the readers of an MQTT sample message
 * expect. */
static void put_value(FILE *f, const char *key, double v, bool *first)
{
        if (!isfinite(v))
                return;
        fprintf(f, "%s\"%s\":%.10g", *first ? "" : ",", key, v);
        *first = false;
}

static void put_error(FILE *f, const char *key, double v, bool *first)
{
        if (isfinite(v))
                return;
        fprintf(f, "%s\"%s\":\"no value\"", *first ? "" : ",", key);
        *first = false;
}

static int publish_values(struct orchestrator *o, const char *sub, size_t n, const char *(*key)(size_t, char *),
                          const double *v)
{
        char *text = NULL, name[32];
        size_t len = 0;
        bool first = true;
        FILE *f = open_memstream(&text, &len);
        if (!f)
                return -ENOMEM;
        fprintf(f, "{\"timestamp\":%" PRId64 ",\"values\":{", plant_t_ms(o->a.plant));
        for (size_t i = 0; i < n; i++)
                put_value(f, key(i, name), v[i], &first);
        fprintf(f, "},\"errors\":{");
        first = true;
        for (size_t i = 0; i < n; i++)
                put_error(f, key(i, name), v[i], &first);
        fprintf(f, "}}");
        return send(o, sub, f, &text, &len, 0, false);
}

static const char *rack_key(size_t i, char *buf)
{
        snprintf(buf, 32, "rack-%zu", i + 1);
        return buf;
}

static const char *weather_key(size_t i, char *buf)
{
        static const char *const k[] = {"oat_c", "wetbulb_c", "rh_ratio"};
        (void)buf;
        return k[i];
}

static int publish_power(struct orchestrator *o)
{
        double w[PLANT_RACK_MAX];
        size_t n = plant_spec(o->a.plant)->nrack;
        for (size_t i = 0; i < n; i++) {
                struct plant_rack_meas m;
                plant_rack_meas(o->a.plant, i, &m);
                w[i] = m.power_w;
        }
        return publish_values(o, "it/power", n, rack_key, w);
}

static int publish_weather(struct orchestrator *o)
{
        struct plant_weather_meas m;
        plant_weather_meas(o->a.plant, &m);
        return publish_values(o, "weather", 3, weather_key, (const double[]){m.oat_c, m.wetbulb_c, m.rh_ratio});
}

/* ,"key":value as %.10g prints it; most are whole, and printing those as such is much cheaper */
static void put_number(FILE *f, const char *key, double v)
{
        if (v > -1e9 && v < 1e9 && v == (double)(int32_t)v)
                fprintf(f, ",\"%s\":%" PRId32, key, (int32_t)v);
        else
                fprintf(f, ",\"%s\":%.10g", key, v);
}

static int publish_inventory(struct orchestrator *o)
{
        const struct plant *p = o->a.plant;
        char *text = NULL;
        size_t len = 0;
        FILE *f;
        if (o->a.inventory) {
                o->a.inventory(o->a.ctx);
                return 0;
        }
        f = open_memstream(&text, &len);
        if (!f)
                return -ENOMEM;
        fprintf(f, "{\"timestamp\":%" PRId64 ",\"hosts\":[", plant_t_ms(p));
        for (size_t i = 0; i < plant_nhost(p); i++) {
                struct plant_host h;
                plant_host(p, i, &h);
                fprintf(f, "%s{\"name\":\"h%" PRIu32 "\",\"rack\":\"rack-%zu\"", i ? "," : "", h.id, h.rack + 1);
                put_number(f, "cores", h.cores);
                put_number(f, "mem_gib", h.mem_gib);
                put_number(f, "idle_w", h.idle_w);
                put_number(f, "max_w", h.max_w);
                put_number(f, "sleep_w", h.sleep_w);
                fprintf(f, ",\"reserved\":%s,\"asleep\":%s}", h.reserved ? "true" : "false",
                        h.asleep ? "true" : "false");
        }
        fprintf(f, "],\"vms\":[");
        for (size_t i = 0; i < plant_nvm(p); i++) {
                struct plant_vm v;
                struct plant_host h;
                plant_vm(p, i, &v);
                plant_host(p, v.host, &h);
                fprintf(f, "%s{\"name\":\"v%" PRIu32 "\",\"host\":\"h%" PRIu32 "\"", i ? "," : "", v.id, h.id);
                put_number(f, "cores", v.cores);
                put_number(f, "mem_gib", v.mem_gib);
                fprintf(f, ",\"cpu_cores\":%.4g,\"movable\":%s,\"group\":0}", v.cpu_cores,
                        v.movable && !v.moving ? "true" : "false");
        }
        fprintf(f, "]}");
        return send(o, "vm/inventory", f, &text, &len, 1, true);
}

/* ---- moves ---- */

/* Ids are printed by us alone or checked to be plain, so nothing needs escaping. */
static void publish_result(struct orchestrator *o, const struct request *q, const char *vm, const char *to,
                           const char *state, const char *error)
{
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        if (!f)
                return;
        fprintf(f, "{\"timestamp\":%" PRId64 ",\"id\":\"%s\"", plant_t_ms(o->a.plant), q->id);
        if (q->number)
                fprintf(f, ",\"vm\":\"v%" PRIu32 "\",\"from\":\"h%" PRIu32 "\",\"to\":\"h%" PRIu32 "\"", q->vm, q->from,
                        q->to);
        else
                fprintf(f, ",\"vm\":\"%s\",\"from\":\"?\",\"to\":\"%s\"", vm, to);
        fprintf(f, ",\"state\":\"%s\",\"error\":\"%s\"}", state, error);
        send(o, "vm/move/result", f, &text, &len, 1, false);
}

static bool plain(const char *s)
{
        size_t n = s ? strlen(s) : 0;
        if (n < 1 || n >= ID_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == '"' || *s == '\\' || (unsigned char)*s >= 0x7f)
                        return false;
        return true;
}

static bool parse_id(const char *s, char prefix, uint32_t *ret)
{
        int64_t v;
        if (s[0] != prefix || parse_int64(s + 1, 0, UINT32_MAX, &v) < 0)
                return false;
        *ret = (uint32_t)v;
        return true;
}

static bool find_vm(const struct plant *p, uint32_t id, size_t *ret, size_t *ret_host)
{
        for (size_t i = 0; i < plant_nvm(p); i++) {
                struct plant_vm v;
                plant_vm(p, i, &v);
                if (v.id == id) {
                        *ret = i;
                        *ret_host = v.host;
                        return true;
                }
        }
        return false;
}

static bool find_host(const struct plant *p, uint32_t id, size_t *ret)
{
        for (size_t i = 0; i < plant_nhost(p); i++) {
                struct plant_host h;
                plant_host(p, i, &h);
                if (h.id == id) {
                        *ret = i;
                        return true;
                }
        }
        return false;
}

static void start_move(struct orchestrator *o, const char *id, const char *vm, const char *to)
{
        struct plant *p = o->a.plant;
        struct request q = {0};
        struct plant_host h;
        size_t v, from, dest;
        const char *error = NULL;

        memcpy(q.id, id, strlen(id) + 1);
        for (size_t k = 0; k < RECENT; k++)
                if (o->recent[k].number && strcmp(o->recent[k].id, id) == 0)
                        return; /* QoS 1 may deliver twice */
        if (!parse_id(vm, 'v', &q.vm) || !find_vm(p, q.vm, &v, &from))
                error = "unknown vm";
        else if (!parse_id(to, 'h', &q.to) || !find_host(p, q.to, &dest))
                error = "unknown host";
        else {
                int err = plant_move_vm(p, v, dest, o->number + 1);
                if (err < 0)
                        error = err == -EBUSY ? "busy" : err == -ENOSPC ? "no space" : "refused";
        }
        if (error) {
                publish_result(o, &q, vm, to, "failed", error);
                return;
        }
        q.number = ++o->number;
        plant_host(p, from, &h);
        q.from = h.id;
        o->recent[q.number % RECENT] = q;
        publish_result(o, &q, NULL, NULL, "started", "");
}

void orchestrator_request(struct orchestrator *o, const char *json, size_t len)
{
        json_error_t e;
        json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);
        const char *id = json_string_value(json_object_get(root, "id"));
        const char *vm = json_string_value(json_object_get(root, "vm"));
        const char *to = json_string_value(json_object_get(root, "to"));

        /* without a usable id nobody could be told */
        if (plain(id) && plain(vm) && plain(to))
                start_move(o, id, vm, to);
        else if (plain(id)) {
                struct request q = {0};
                memcpy(q.id, id, strlen(id) + 1);
                publish_result(o, &q, "?", "?", "failed", "bad request");
        }
        json_decref(root);
}

void orchestrator_tick(struct orchestrator *o, int64_t wall_ms)
{
        int64_t now = plant_t_ms(o->a.plant);
        struct plant_move_event e;

        while (plant_next_move_event(o->a.plant, &e)) {
                const struct request *q = &o->recent[e.request_id % RECENT];
                if (q->number == e.request_id)
                        publish_result(o, q, NULL, NULL, e.done ? "done" : "failed",
                                       e.done   ? ""
                                       : e.gone ? "vm left"
                                                : "migration did not converge");
                o->last_plant_ms[TOPIC_INVENTORY] = INT64_MIN / 2; /* who looks next sees where it went */
        }
        for (size_t k = 0; k < TOPIC_COUNT; k++) {
                if (now - o->last_plant_ms[k] < every[k].plant_ms || wall_ms - o->last_wall_ms[k] < every[k].wall_ms)
                        continue;
                int err = k == TOPIC_POWER     ? publish_power(o)
                          : k == TOPIC_WEATHER ? publish_weather(o)
                                               : publish_inventory(o);
                o->last_wall_ms[k] = wall_ms;
                if (err == 0)
                        o->last_plant_ms[k] = now;
        }
}

void orchestrator_connected(struct orchestrator *o)
{
        for (size_t k = 0; k < TOPIC_COUNT; k++)
                o->last_plant_ms[k] = o->last_wall_ms[k] = INT64_MIN / 2;
}
