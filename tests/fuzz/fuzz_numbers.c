/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Numbers, durations, times, time stamps of foreign logs. Input: a text, and after a line end a pattern for it (log
 * time stamps). Oracles: a refusal leaves the output alone; strtod and strtoll agree with what is accepted; what is
 * accepted is finite, in range, and comes back from its own printed form.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"
#include "agent/store/logtime.h"
#include "tests/fuzz/fuzz.h"

#define UNTOUCHED INT64_C(-0x5a5a5a5a5a5a5a)
#define TIME_LIMIT (INT64_C(1) << 50)

static void doubles(const char *s)
{
        double v = -12345.5, w = 0;
        char buf[32];
        int r = parse_double(s, &v);
        if (r < 0) {
                MUST((r == -EINVAL || r == -ERANGE) && fuzz_same(v, -12345.5));
                return;
        }
        MUST(isfinite(v) && fuzz_same(v, strtod(s, NULL)));
        MUST(strlen(format_double(v, buf)) < sizeof buf);
        MUST(parse_double(buf, &w) == 0 && fuzz_same(v, w));
}

static void integers(const char *s)
{
        static const int64_t bound[][2] = {{INT64_MIN, INT64_MAX}, {0, 65535}, {-1, 1}};
        for (size_t i = 0; i < 3; i++) {
                int64_t v = UNTOUCHED;
                int r = parse_int64(s, bound[i][0], bound[i][1], &v);
                if (r < 0) {
                        MUST((r == -EINVAL || r == -ERANGE) && v == UNTOUCHED);
                        continue;
                }
                MUST(v >= bound[i][0] && v <= bound[i][1]);
                bool hex = strchr(s, 'x') || strchr(s, 'X');
                errno = 0;
                MUST(v == strtoll(s, NULL, hex ? 16 : 10) && errno == 0);
        }
}

static void durations(const char *s)
{
        int64_t v = UNTOUCHED, again;
        char buf[32];
        int r = parse_duration_ms(s, &v);
        if (r < 0) {
                MUST((r == -EINVAL || r == -ERANGE) && v == UNTOUCHED);
                return;
        }
        MUST(v >= 0);
        (void)snprintf(buf, sizeof buf, "%" PRId64 "ms", v);
        MUST(parse_duration_ms(buf, &again) == 0 && again == v);
}

static void times(const char *s)
{
        int64_t t = UNTOUCHED, again, wall = UNTOUCHED, plant = UNTOUCHED;
        double scale = -1;
        char buf[32];
        if (clk_parse_time(s, &t) < 0) {
                MUST(t == UNTOUCHED);
        } else {
                MUST(t >= -TIME_LIMIT && t <= TIME_LIMIT);
                MUST(strlen(clk_format(t, buf)) < sizeof buf);
                if (t >= INT64_C(-62167219200000) && t <= INT64_C(253402300799999)) /* years 0 to 9999 */
                        MUST(clk_parse_time(buf, &again) == 0 && again == t);
        }
        if (clk_parse_origin(s, &wall, &plant) < 0)
                MUST(wall == UNTOUCHED && plant == UNTOUCHED);
        else
                MUST(wall >= 0 && wall <= TIME_LIMIT && plant >= 0 && plant <= TIME_LIMIT);
        if (clk_parse_scale(s, &scale) < 0)
                MUST(fuzz_same(scale, -1));
        else
                MUST(scale > 0 && scale <= 1e6);
}

static void log_time(const char *pattern, const char *s)
{
        const struct logtime_text none = {.wall_ms = UNTOUCHED};
        struct logtime_text t = none;
        struct logtime_zone z = {.offset_s = 77}, fixed = {.fixed = true, .offset_s = 3600};
        int64_t utc[2];
        if (logtime_parse(pattern, s, &t) < 0)
                MUST(t.wall_ms == UNTOUCHED && !t.absolute);
        else {
                MUST(t.wall_ms >= INT64_C(-1000000000000000) && t.wall_ms <= INT64_C(1000000000000000));
                MUST(logtime_to_utc(&fixed, t.wall_ms, utc) == 1 && utc[0] == t.wall_ms - 3600000);
        }
        if (logtime_zone_parse(s, &z) < 0)
                MUST(z.offset_s == 77 && !z.fixed && z.name[0] == '\0');
        else
                MUST(strcmp(z.name, s) == 0 && z.offset_s >= -15 * 3600 && z.offset_s <= 15 * 3600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
        size_t n = nl ? (size_t)(nl - data) : size;
        char *s = fuzz_text(data, n), *pattern = nl ? fuzz_text(nl + 1, size - n - 1) : fuzz_text(NULL, 0);
        char small[8], dst[8] = "before";
        doubles(s);
        integers(s);
        durations(s);
        times(s);
        log_time(pattern, s);
        if (logtime_check_pattern(pattern) == 0)
                MUST(strchr(pattern, '%'));
        memcpy(small, dst, sizeof small);
        if (parse_copy(dst, sizeof dst, s) < 0)
                MUST(strlen(s) >= sizeof dst && memcmp(dst, small, sizeof dst) == 0);
        else
                MUST(strcmp(dst, s) == 0);
        free(s);
        free(pattern);
        return 0;
}
