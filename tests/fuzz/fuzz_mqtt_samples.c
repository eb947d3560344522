/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Sample messages of MQTT devices. Oracles: a refused message delivers nothing and says why; delivered samples belong
 * to the device, are finite when good and lie in their range, are never from the future, and are as many as said; a
 * retained message delivers no more than a fresh one.
 */
#include <math.h>
#include <string.h>

#include "agent/drivers/mqtt_parse.h"
#include "agent/points/quality.h"
#include "agent/points/units.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1795308175123)

static struct point points[] = {
    {.table = POINT_TABLE_MQTT, .key = "a", .type = POINT_FLOAT64, .scale = 1, .unit = UNIT_KW, .valid_max = 5e6},
    {.table = POINT_TABLE_MQTT,
     .key = "b",
     .type = POINT_FLOAT64,
     .scale = 0.1,
     .offset = -4,
     .unit = UNIT_DEGF,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN,
     .ninvalid = 2,
     .invalid = {{.kind = INVALID_NAN}, {.kind = INVALID_VALUE, .value = -999}},
     .stale_after_ms = 5000},
    {.table = POINT_TABLE_MQTT,
     .key = "on",
     .type = POINT_BIT,
     .scale = 1,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN},
    {.table = POINT_TABLE_MQTT, .key = "a", .device = 1, .scale = 1, .type = POINT_FLOAT64, .valid_max = 1},
    {.table = POINT_TABLE_HOLDING,
     .key = "c",
     .type = POINT_UINT16,
     .scale = 1,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN},
};
static struct device devices[2];
static const struct site site = {.point = points, .npoint = 5, .device = devices, .ndevice = 2};

struct got {
        int device, n;
};

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct got *g = ctx;
        g->n += (int)n;
        for (size_t i = 0; i < n; i++) {
                MUST(s[i].point < site.npoint);
                const struct point *p = &points[s[i].point];
                MUST(p->device == g->device && p->table == POINT_TABLE_MQTT);
                MUST(s[i].t_ms >= 0 && s[i].t_ms <= NOW + SAMPLE_AHEAD_MS);
                MUST(s[i].quality <= QUALITY_BAD && (s[i].quality == QUALITY_GOOD) == (s[i].reason == QR_NONE));
                if (s[i].quality == QUALITY_GOOD)
                        MUST(isfinite(s[i].value) && !(s[i].value < p->valid_min || s[i].value > p->valid_max));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *json = (char *)fuzz_copy(data, size);
        for (int device = 0; device < 2; device++) {
                int r[2];
                for (int retained = 0; retained < 2; retained++) {
                        struct got g = {.device = device};
                        const char *why = NULL;
                        r[retained] = mqtt_parse_message(&site, device, json, size, NOW, 0, retained,
                                                         (struct sample_sink){on_samples, &g}, &why);
                        MUST(r[retained] < 0 ? g.n == 0 && why != NULL : g.n == r[retained]);
                }
                MUST(r[0] < 0 ? r[1] < 0 : r[1] >= 0 && r[1] <= r[0]);
        }
        free(json);
        return 0;
}
