/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Readers of EPW and open-meteo JSON. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "sim/weather_internal.h"

#define ERR_SIZE 256
#define EPW_HEADER_LINES 8
#define EPW_FIELDS 10 /* those we read; the rest of the line is ignored */

/* line 0: it has none */
static int fail(char *reterr, const char *path, size_t line, const char *what)
{
        char at[32] = "";

        if (line > 0)
                (void)snprintf(at, sizeof(at), "%zu:", line);
        (void)snprintf(reterr, ERR_SIZE, "%.140s:%s %.80s", path, at, what);
        return -EINVAL;
}

static bool has_suffix(const char *s, const char *suffix)
{
        const size_t n = strlen(s), m = strlen(suffix);

        return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Splits in place at commas; returns the number of fields found, at most cap. */
static size_t split(char *line, char **fields, size_t cap)
{
        size_t n = 0;

        line[strcspn(line, "\r\n")] = '\0';
        for (char *p = line; n < cap;) {
                char *comma = strchr(p, ',');

                while (*p == ' ')
                        p++;
                fields[n++] = p;
                if (comma == NULL)
                        break;
                *comma = '\0';
                p = comma + 1;
        }
        return n;
}

static int field_in(const char *s, double lo, double hi, double *ret)
{
        double v;

        if (parse_double(s, &v) != 0 || !(v >= lo && v <= hi))
                return -EINVAL;
        *ret = v;
        return 0;
}

static int read_epw(FILE *f, const char *path, struct weather *w, char *reterr)
{
        char line[4096], *field[EPW_FIELDS];
        size_t hours = 0, n;

        w->first_hour_h = 1.0;
        for (n = 1; fgets(line, sizeof(line), f) != NULL; n++) {
                const size_t nfield = split(line, field, EPW_FIELDS);
                double rh_percent;

                if (n == 1) {
                        if (strcmp(field[0], "LOCATION") != 0 || nfield < 9 ||
                            field_in(field[8], -12.0, 14.0, &w->utc_offset_h) != 0)
                                return fail(reterr, path, n, "expected an EPW LOCATION line with a time zone");
                        continue;
                }
                if (n <= EPW_HEADER_LINES || (nfield == 1 && field[0][0] == '\0'))
                        continue;
                if (hours == WEATHER_HOURS)
                        return fail(reterr, path, n, "more than 8760 hours");
                if (nfield < EPW_FIELDS || field_in(field[6], -70.0, 70.0, &w->oat_c[hours]) != 0)
                        return fail(reterr, path, n, "dry bulb (column 7) is not between -70 and 70");
                if (field_in(field[8], 0.0, 110.0, &rh_percent) != 0)
                        return fail(reterr, path, n, "relative humidity (column 9) is not between 0 and 110");
                if (field_in(field[9], 31000.0, 120000.0, &w->pressure_pa[hours]) != 0)
                        return fail(reterr, path, n, "pressure (column 10) is not between 31000 and 120000");
                w->rh_ratio[hours++] = fmin(rh_percent / 100.0, 1.0);
        }
        if (n == 1)
                return fail(reterr, path, 0, "is empty");
        if (hours != WEATHER_HOURS)
                return fail(reterr, path, n - 1, "fewer than 8760 hours");
        return 0;
}

/* What jansson has read does not know its lines: values are named by their place. */
static int json_column(const json_t *hourly, const char *name, double lo, double hi, double scale, double *ret,
                       const char *path, char *reterr)
{
        const json_t *a = json_object_get(hourly, name);
        char what[96];

        if (json_array_size(a) != WEATHER_HOURS) {
                (void)snprintf(what, sizeof(what), "hourly.%s must have 8760 values", name);
                return fail(reterr, path, 0, what);
        }
        for (size_t i = 0; i < WEATHER_HOURS; i++) {
                const json_t *v = json_array_get(a, i);
                const double x = json_number_value(v);

                if (!json_is_number(v) || !(x >= lo && x <= hi)) {
                        (void)snprintf(what, sizeof(what), "hourly.%s[%zu] is not between %g and %g", name, i, lo, hi);
                        return fail(reterr, path, 0, what);
                }
                ret[i] = x * scale;
        }
        return 0;
}

static int read_json(FILE *f, const char *path, struct weather *w, char *reterr)
{
        json_error_t err;
        json_t *root = json_loadf(f, JSON_REJECT_DUPLICATES, &err);
        const json_t *hourly = json_object_get(root, "hourly");
        const json_t *offset = json_object_get(root, "utc_offset_seconds");
        const json_t *elevation = json_object_get(root, "elevation");
        const char *first = json_string_value(json_array_get(json_object_get(hourly, "time"), 0));
        double pressure_pa;
        int r;

        if (root == NULL) {
                r = fail(reterr, path, err.line > 0 ? (size_t)err.line : 1, err.text);
                goto out;
        }
        if (first == NULL || strlen(first) < 13 || strncmp(first + 4, "-01-01T00", 9) != 0) {
                r = fail(reterr, path, 0, "hourly.time must begin on 1 January at 00:00");
                goto out;
        }
        if (!json_is_number(offset) || !(fabs(json_number_value(offset)) <= 14.0 * 3600.0)) {
                r = fail(reterr, path, 0, "utc_offset_seconds is missing or out of range");
                goto out;
        }
        w->utc_offset_h = json_number_value(offset) / 3600.0;
        r = json_column(hourly, "temperature_2m", -70.0, 70.0, 1.0, w->oat_c, path, reterr);
        if (r != 0)
                goto out;
        r = json_column(hourly, "relative_humidity_2m", 0.0, 100.0, 0.01, w->rh_ratio, path, reterr);
        if (r != 0)
                goto out;
        pressure_pa = psychro_standard_pressure_pa(json_is_number(elevation) ? json_number_value(elevation) : 0.0);
        if (!(pressure_pa >= 31000.0 && pressure_pa <= 120000.0)) {
                r = fail(reterr, path, 0, "elevation is out of range");
                goto out;
        }
        for (size_t i = 0; i < WEATHER_HOURS; i++)
                w->pressure_pa[i] = pressure_pa;
out:
        json_decref(root);
        return r;
}

int weather_load(const char *path, struct weather **ret, char *reterr)
{
        struct weather *w = NULL;
        FILE *f = fopen(path, "r");
        int r;

        if (f == NULL) {
                r = -errno;
                (void)snprintf(reterr, ERR_SIZE, "%.150s: %s", path, strerror(-r));
                return r;
        }
        w = calloc(1, sizeof(*w));
        if (w == NULL) {
                r = -ENOMEM;
                (void)snprintf(reterr, ERR_SIZE, "out of memory");
        } else if (has_suffix(path, ".epw")) {
                r = read_epw(f, path, w, reterr);
        } else if (has_suffix(path, ".json")) {
                r = read_json(f, path, w, reterr);
        } else {
                r = fail(reterr, path, 0, "expected a name ending in .epw or .json");
        }
        (void)fclose(f);
        if (r != 0) {
                (void)weather_free(w);
                return r;
        }
        weather_derive(w);
        *ret = w;
        return 0;
}
