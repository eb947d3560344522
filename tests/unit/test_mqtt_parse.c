/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/drivers/mqtt_parse.h"
#include "agent/points/quality.h"
#include "agent/points/units.h"
#include "models/num/rng.h"

#define NOW 1795308175123

static struct point points[4] = {
    {.table = POINT_TABLE_MQTT,
     .key = "a",
     .type = POINT_FLOAT64,
     .scale = 1,
     .unit = UNIT_KW,
     .valid_min = 0,
     .valid_max = 5000},
    {.table = POINT_TABLE_MQTT,
     .key = "b",
     .type = POINT_FLOAT64,
     .scale = 0.1,
     .unit = UNIT_DEGC,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN,
     .stale_after_ms = 5000},
    {.table = POINT_TABLE_MQTT,
     .key = "a",
     .device = 1,
     .type = POINT_FLOAT64,
     .scale = 1,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN},
    {.table = POINT_TABLE_HOLDING,
     .key = "c",
     .type = POINT_UINT16,
     .scale = 1,
     .valid_min = (double)NAN,
     .valid_max = (double)NAN},
};
static struct device devices[2];
static struct site site = {.point = points, .npoint = 4, .device = devices, .ndevice = 2};

static struct sample got[4];
static int ngot[4];

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        (void)ctx;
        for (size_t i = 0; i < n; i++) {
                assert_true(s[i].point < 4);
                got[s[i].point] = s[i];
                ngot[s[i].point]++;
        }
}

static const struct sample_sink sink = {.samples = on_samples};
static const char *why;
static int64_t ahead_ms;

static int parse_len(const char *json, size_t len, bool retained)
{
        memset(ngot, 0, sizeof(ngot));
        why = NULL;
        return mqtt_parse_message(&site, 0, json, len, NOW, ahead_ms, retained, sink, &why);
}

static int parse(const char *json)
{
        return parse_len(json, strlen(json), false);
}

static void values_and_errors(void **state)
{
        (void)state;
        assert_int_equal(parse("{\"timestamp\":1795308175000,\"values\":{\"a\":1.5,\"b\":183,\"c\":9,\"z\":1}}"), 2);
        assert_int_equal(ngot[0] + ngot[1], 2); /* c is no MQTT point, z unknown, points[2] another device's */
        assert_true(fabs(got[0].value - 1500) < 1e-9);
        assert_true(fabs(got[1].value - 18.3) < 1e-9);
        assert_true(fabs(got[1].raw - 183) < 1e-9);
        assert_int_equal(got[0].quality, QUALITY_GOOD);
        assert_true(got[0].t_ms == 1795308175000);

        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":1},\"errors\":{\"a\":\"sensor open\",\"b\":3}}"), 2);
        assert_int_equal(got[0].quality, QUALITY_BAD);
        assert_int_equal(got[0].reason, QR_SOURCE);
        assert_true(isnan(got[0].value));
        assert_int_equal(got[1].reason, QR_SOURCE);

        assert_int_equal(parse("{\"timestamp\":1,\"errors\":{\"a\":\"x\"}}"), 1);
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{}}"), 0);
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":null,\"b\":\"18.3\"}}"), 2);
        assert_int_equal(got[0].reason, QR_SOURCE);
        assert_int_equal(got[1].reason, QR_PARSE);
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":[1],\"b\":true}}"), 2);
        assert_int_equal(got[0].reason, QR_PARSE);
        assert_true(fabs(got[1].value - 0.1) < 1e-12);
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":5.001}}"), 1);
        assert_int_equal(got[0].reason, QR_OUT_OF_RANGE);
}

/* Q6 */
static void refused_with_a_reason(void **state)
{
        (void)state;
        static const struct {
                const char *json, *why;
        } cases[] = {
            {"", "not JSON"},
            {"{", "not JSON"},
            {"[1]", "not an object"},
            {"1", "not JSON"},
            {"{\"values\":{\"a\":1}}", "no integer timestamp"},
            {"{\"timestamp\":1.5,\"values\":{\"a\":1}}", "no integer timestamp"},
            {"{\"timestamp\":\"1\",\"values\":{\"a\":1}}", "no integer timestamp"},
            {"{\"timestamp\":-1,\"values\":{\"a\":1}}", "timestamp out of range"},
            {"{\"timestamp\":9223372036854775807,\"values\":{\"a\":1}}", "timestamp out of range"},
            {"{\"timestamp\":99999999999999999999,\"values\":{\"a\":1}}", "not JSON"},
            {"{\"timestamp\":1,\"values\":[1]}", "no values object"},
            {"{\"timestamp\":1}", "no values object"},
            {"{\"timestamp\":1,\"values\":{\"a\":1},\"errors\":1}", "no values object"},
            {"{\"timestamp\":1,\"values\":{\"a\":1,\"a\":2}}", "not JSON"},
            {"{\"timestamp\":1,\"values\":{\"a\":NaN}}", "not JSON"},
            {"{\"timestamp\":1,\"values\":{\"a\":1e999}}", "not JSON"},
            {"{\"timestamp\":1,\"values\":{\"a\":1}} x", "not JSON"},
            {"{\"timestamp\":1,\"values\":{\"\xff\":1}}", "not UTF-8"},
            {"{\"timestamp\":1,\"values\":{\"a\":[[[[[[[[1]]]]]]]]}}", "nested too deep"},
        };
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_int_equal(parse(cases[i].json), -EINVAL);
                assert_string_equal(why, cases[i].why);
                assert_int_equal(ngot[0] + ngot[1] + ngot[2] + ngot[3], 0);
        }
        assert_int_equal(parse_len("{\"timestamp\":1,\"values\":{\"a\":1}}\0", 33, false), -EINVAL);

        /* Both sides of the future, the depth and the length. */
        char json[128];
        (void)snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1}}",
                       (int64_t)NOW + SAMPLE_AHEAD_MS);
        assert_int_equal(parse(json), 1);
        (void)snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1}}",
                       (int64_t)NOW + SAMPLE_AHEAD_MS + 1);
        assert_int_equal(parse(json), -EINVAL);
        assert_string_equal(why, "timestamp is more than a minute ahead of our clock");
        /* T1: our clock was set back by 1 h and is being slewed: theirs is judged, and labelled, on our scale. */
        ahead_ms = 3600000;
        (void)snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1}}", (int64_t)NOW - 3601000);
        assert_int_equal(parse_len(json, strlen(json), true), 1);
        assert_true(got[0].t_ms == NOW - 1000);
        (void)snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1}}",
                       (int64_t)NOW - 3600000 + SAMPLE_AHEAD_MS + 1);
        assert_int_equal(parse(json), -EINVAL);
        ahead_ms = 0;
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":[[[[[[1]]]]]]}}"), 1);
        assert_int_equal(parse("{\"timestamp\":1,\"values\":{\"a\":1,\"[[[[[[[[[[[[\\\"[[[\":2}}"), 1);

        char *big = malloc(MQTT_PARSE_MAX + 1);
        assert_non_null(big);
        memset(big, ' ', MQTT_PARSE_MAX + 1);
        static const char text[] = "{\"timestamp\":1,\"values\":{\"a\":1}}";
        memcpy(big, text, strlen(text));
        assert_int_equal(parse_len(big, MQTT_PARSE_MAX, false), 1);
        assert_int_equal(parse_len(big, MQTT_PARSE_MAX + 1, false), -EINVAL);
        assert_string_equal(why, "too long");
        memset(big, '[', MQTT_PARSE_MAX);
        assert_int_equal(parse_len(big, MQTT_PARSE_MAX, false), -EINVAL);
        assert_string_equal(why, "nested too deep");
        free(big);
}

/* Q5 */
static void retained_samples_only_if_fresh(void **state)
{
        (void)state;
        char json[128];
        static const struct {
                int64_t age_ms;
                int a, b;
        } cases[] = {{5000, 1, 1}, {5001, 1, 0}, {60000, 1, 0}, {60001, 0, 0}};
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                (void)snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1,\"b\":1}}",
                               (int64_t)NOW - cases[i].age_ms);
                assert_int_equal(parse_len(json, strlen(json), true), cases[i].a + cases[i].b);
                assert_int_equal(ngot[0], cases[i].a);
                assert_int_equal(ngot[1], cases[i].b);
        }
}

static void random_mutations(void **state)
{
        (void)state;
        static const char good[] =
            "{\"timestamp\":1795308175000,\"values\":{\"a\":1.5e2,\"b\":-18.25},\"errors\":{\"c\":\"x\\u00e9\"}}";
        const char *s = getenv("COOLPLANE_SEED");
        uint64_t seed = s ? strtoull(s, NULL, 10) : 20261122;
        (void)printf("seed %" PRIu64 "\n", seed);
        struct rng rng;
        rng_seed(&rng, seed, 3);
        int ok = 0, refused = 0;
        for (int i = 0; i < 50000; i++) {
                size_t n = strlen(good);
                char *b = malloc(n);
                assert_non_null(b);
                memcpy(b, good, n);
                for (uint32_t k = rng_below(&rng, 4); k > 0; k--)
                        b[rng_below(&rng, (uint32_t)n)] = (char)rng_u32(&rng);
                size_t len = rng_below(&rng, 3) ? n : rng_below(&rng, (uint32_t)n + 1);
                int r = parse_len(b, len, false);
                free(b);
                assert_true(r == -EINVAL ? why != NULL : r >= 0 && r <= 2);
                ok += r >= 0;
                refused += r < 0;
        }
        assert_true(ok > 1000 && refused > 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(values_and_errors),
            cmocka_unit_test(refused_with_a_reason),
            cmocka_unit_test(retained_samples_only_if_fresh),
            cmocka_unit_test(random_mutations),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
