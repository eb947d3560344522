/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/drivers/mqtt_parse.h"

#include <errno.h>
#include <math.h>

#include <jansson.h>

#include "agent/points/codec.h"
#include "agent/points/quality.h"

#define BATCH 64
#define T_MAX_MS (INT64_C(1) << 53)

struct batch {
        struct sample s[BATCH];
        size_t n;
        int total;
        struct sample_sink sink;
};

static void flush(struct batch *b)
{
        if (b->n > 0)
                b->sink.samples(b->sink.ctx, b->s, b->n);
        b->n = 0;
}

static struct sample *next(struct batch *b)
{
        if (b->n == BATCH)
                flush(b);
        b->total++;
        return &b->s[b->n++];
}

/* jansson parses by recursion; refuse deep text before it starts. Brackets inside strings do not count. */
static bool too_deep(const char *json, size_t len)
{
        int depth = 0;
        bool in_string = false;
        for (size_t i = 0; i < len; i++) {
                char c = json[i];
                if (in_string && c == '\\')
                        i++;
                else if (c == '"')
                        in_string = !in_string;
                else if (!in_string && (c == '{' || c == '['))
                        depth++;
                else if (!in_string && (c == '}' || c == ']'))
                        depth--;
                if (depth > MQTT_PARSE_DEPTH)
                        return true;
        }
        return false;
}

/* One member of `values`. */
static void accept_value(const struct point *p, const json_t *v, int64_t t_ms, struct sample *s)
{
        if (json_is_number(v) || json_is_boolean(v)) {
                codec_accept(p, json_is_boolean(v) ? (double)json_is_true(v) : json_number_value(v), t_ms, s);
                return;
        }
        s->quality = QUALITY_BAD;
        s->reason = json_is_null(v) ? QR_SOURCE : QR_PARSE;
        s->t_ms = t_ms;
        s->value = s->raw = (double)NAN;
}

static bool stale(const struct point *p, int64_t age_ms)
{
        return age_ms > (p->stale_after_ms > 0 ? p->stale_after_ms : MQTT_PARSE_RETAINED_AGE_MS);
}

static int take_samples(const struct site *site, int device, const json_t *root, int64_t now_ms, int64_t ahead_ms,
                        bool retained, struct batch *b, const char **ret_why)
{
        const json_t *ts = json_object_get(root, "timestamp"), *values = json_object_get(root, "values"),
                     *errors = json_object_get(root, "errors");

        if (!json_is_integer(ts)) {
                *ret_why = "no integer timestamp";
                return -EINVAL;
        }
        int64_t t_ms = json_integer_value(ts);
        if (t_ms < 0 || t_ms > T_MAX_MS) {
                *ret_why = "timestamp out of range";
                return -EINVAL;
        }
        t_ms += ahead_ms;
        if (t_ms - now_ms > SAMPLE_AHEAD_MS) { /* it would pass for the newest until then */
                *ret_why = "timestamp is more than a minute ahead of our clock";
                return -EINVAL;
        }
        if ((values && !json_is_object(values)) || (errors && !json_is_object(errors)) || (!values && !errors)) {
                *ret_why = "no values object";
                return -EINVAL;
        }
        for (size_t i = 0; i < site->npoint; i++) {
                const struct point *p = &site->point[i];
                if (p->device != device || p->table != POINT_TABLE_MQTT)
                        continue;
                const json_t *e = json_object_get(errors, p->key), *v = json_object_get(values, p->key);
                if ((!e && !v) || (retained && stale(p, now_ms - t_ms)))
                        continue;
                struct sample *s = next(b);
                *s = (struct sample){.point = (uint32_t)i,
                                     .quality = QUALITY_BAD,
                                     .reason = QR_SOURCE,
                                     .t_ms = t_ms,
                                     .value = (double)NAN,
                                     .raw = (double)NAN};
                if (!e) /* the source's own flag wins over a number beside it */
                        accept_value(p, v, t_ms, s);
        }
        flush(b);
        return b->total;
}

int mqtt_parse_message(const struct site *site, int device, const char *json, size_t len, int64_t now_ms,
                       int64_t ahead_ms, bool retained, struct sample_sink sink, const char **ret_why)
{
        json_error_t err;
        struct batch b = {.sink = sink};

        if (len > MQTT_PARSE_MAX) {
                *ret_why = "too long";
                return -EINVAL;
        }
        if (too_deep(json, len)) {
                *ret_why = "nested too deep";
                return -EINVAL;
        }
        json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &err);
        if (!root) {
                *ret_why = json_error_code(&err) == json_error_invalid_utf8 ? "not UTF-8" : "not JSON";
                return -EINVAL;
        }
        int r = -EINVAL;
        if (json_is_object(root))
                r = take_samples(site, device, root, now_ms, ahead_ms, retained, &b, ret_why);
        else
                *ret_why = "not an object";
        json_decref(root);
        return r;
}

int mqtt_parse_samples(const struct site *site, int device, const char *json, size_t len, int64_t now_ms,
                       struct sample_sink sink, const char **ret_why)
{
        return mqtt_parse_message(site, device, json, len, now_ms, 0, false, sink, ret_why);
}
