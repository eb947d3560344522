/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Weather files, JSON when the input begins with '{', else EPW; as they are, and made a year long: the last line of an
 * EPW is repeated, and in JSON ",*]" repeats the element before it. Oracles: a refusal leaves the output alone and
 * names the file; accepted weather is finite and physical at any time, with wet bulb and dew point not above dry bulb.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "sim/weather.h"
#include "tests/fuzz/fuzz.h"

enum { HOURS = 8760, OUT_MAX = 2 << 20, EPW_HEADER = 8 };

struct out {
        char *text;
        size_t n;
};

static void put(struct out *o, const char *s, size_t n)
{
        if (n <= OUT_MAX - o->n) {
                memcpy(o->text + o->n, s, n);
                o->n += n;
        }
}

static void year_of_epw(struct out *o, const char *s, size_t n)
{
        size_t last = 0, lines = 0;
        for (size_t i = 0; i + 1 < n; i++)
                if (s[i] == '\n') {
                        lines++;
                        last = i + 1;
                }
        put(o, s, n);
        if (n > 0 && s[n - 1] != '\n')
                put(o, "\n", 1);
        if (lines < EPW_HEADER)
                return;
        for (size_t k = lines - EPW_HEADER + 1; k < HOURS; k++) {
                put(o, s + last, n - last);
                if (s[n - 1] != '\n')
                        put(o, "\n", 1);
        }
}

static void year_of_json(struct out *o, const char *s, size_t n)
{
        size_t from = 0, have = 0;
        for (size_t i = 0; i < n; i++) {
                bool star = s[i] == ',' && i + 2 < n && s[i + 1] == '*' && s[i + 2] == ']';
                if (s[i] == '[') {
                        from = i + 1;
                        have = 0;
                } else if (star) {
                        for (have++; have < HOURS; have++) {
                                put(o, ",", 1);
                                put(o, s + from, i - from);
                        }
                        i++;
                        continue;
                } else if (s[i] == ',') {
                        from = i + 1;
                        have++;
                }
                put(o, s + i, 1);
        }
}

static void try_file(const char *path)
{
        static const int64_t times[] = {0, 1752537600123, -1, -62135596800000, 951782400000, 253402300799999};
        char err[256] = "";
        struct weather *w = NULL;
        int r = weather_load(path, &w, err);
        if (r < 0) {
                MUST(w == NULL && r == -EINVAL && strnlen(err, sizeof err) < sizeof err && strstr(err, "weather."));
                return;
        }
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
                struct weather_now now;
                weather_at(w, times[i], &now);
                MUST(now.oat_c >= -70 && now.oat_c <= 70 && now.rh_ratio >= 0 && now.rh_ratio <= 1);
                MUST(now.pressure_pa >= 31000 && now.pressure_pa <= 120000);
                MUST(isfinite(now.wetbulb_c) && now.wetbulb_c <= now.oat_c + 0.05);
                MUST(isfinite(now.dewpoint_c) && now.dewpoint_c <= now.oat_c + 0.05);
        }
        weather_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        bool json = size > 0 && data[0] == '{';
        const char *name = json ? "weather.json" : "weather.epw";
        try_file(fuzz_file(name, data, size));
        struct out o = {.text = malloc(OUT_MAX)};
        MUST(o.text);
        if (json)
                year_of_json(&o, (const char *)data, size);
        else
                year_of_epw(&o, (const char *)data, size);
        if (o.n > size + 1)
                try_file(fuzz_file(name, o.text, o.n));
        free(o.text);
        return 0;
}
