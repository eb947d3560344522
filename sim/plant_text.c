/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/plant_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/parse.h"

#define ERR_SIZE 256
#define LINE_BYTES 1200

static const struct {
        const char *name, *text;
} sites[] = {{"tiny", "name: tiny\n"
                      "rooms: 1\ncrahs: 4\nracks: 8\nchillers: 1\n"
                      "rack_design_w: 10e3\n"
                      "crah_airflow_m3s: 1.5\ncrah_fan_w: 1.25e3\ncrah_capacity_w: 30e3\n"
                      "chiller_capacity_w: 130e3\n"
                      "containment_ratio: 0.65\neconomiser: false\n"
                      "hosts_per_rack: 4\nvms: 96\n"
                      "loop_volume_m3: 0.8\nseed: 1\n"},
             {"hall", "name: hall\n"
                      "rooms: 3\ncrahs: 12\nracks: 48\nchillers: 3\n"
                      "rack_design_w: 20e3\n"
                      "crah_airflow_m3s: 6\ncrah_fan_w: 5e3\ncrah_capacity_w: 120e3\n"
                      "chiller_capacity_w: 500e3\n"
                      "containment_ratio: 0.65\neconomiser: false\n"
                      "hosts_per_rack: 10\nvms: 1920\n"
                      "loop_volume_m3: 6.5\nseed: 1\n"},
             {"campus", "name: campus\n"
                        "rooms: 24\ncrahs: 96\nracks: 384\nchillers: 12\n"
                        "rack_design_w: 20e3\n"
                        "crah_airflow_m3s: 6\ncrah_fan_w: 5e3\ncrah_capacity_w: 120e3\n"
                        "chiller_capacity_w: 1000e3\n"
                        "containment_ratio: 0.65\neconomiser: false\n"
                        "hosts_per_rack: 10\nvms: 15360\n"
                        "loop_volume_m3: 52\nseed: 1\n"}};
#define NSITE (sizeof(sites) / sizeof(sites[0]))

enum kind { COUNT, NUMBER, FLAG, NAME, TEXT };
enum { K_LIKE, K_NAME, K_ROOMS, K_CRAHS, K_RACKS, K_VOLUME = 14, K_CURVES = 17, K_ROWS };

/* lo and hi of what may be said; counts by the arrays of plant.h, the rest by sense. */
static const struct key {
        const char *name;
        size_t offset;
        double lo, hi;
        enum kind kind;
        bool optional;
} keys[] = {
    {"like", 0, 0, 0, TEXT, true},
    {"name", offsetof(struct plant_spec, name), 0, 0, NAME, false},
    {"rooms", offsetof(struct plant_spec, nroom), 1, PLANT_ROOM_MAX, COUNT, false},
    {"crahs", offsetof(struct plant_spec, ncrah), 1, PLANT_CRAH_MAX, COUNT, false},
    {"racks", offsetof(struct plant_spec, nrack), 1, PLANT_RACK_MAX, COUNT, false},
    {"chillers", offsetof(struct plant_spec, nchiller), 1, PLANT_CHILLER_MAX, COUNT, false},
    {"hosts_per_rack", offsetof(struct plant_spec, hosts_per_rack), 1, 64, COUNT, false},
    {"vms", offsetof(struct plant_spec, vms), 0, 100000, COUNT, false},
    {"seed", offsetof(struct plant_spec, seed), 1, 9e15, COUNT, false},
    {"rack_design_w", offsetof(struct plant_spec, rack_design_w), 100, 1e6, NUMBER, false},
    {"crah_airflow_m3s", offsetof(struct plant_spec, crah_airflow_m3s), 0.01, 1e3, NUMBER, false},
    {"crah_fan_w", offsetof(struct plant_spec, crah_fan_w), 1, 1e6, NUMBER, false},
    {"crah_capacity_w", offsetof(struct plant_spec, crah_capacity_w), 100, 1e7, NUMBER, false},
    {"chiller_capacity_w", offsetof(struct plant_spec, chiller_capacity_w), 1e3, 1e8, NUMBER, false},
    {"loop_volume_m3", offsetof(struct plant_spec, loop_volume_m3), 0.01, 1e5, NUMBER, false},
    {"containment_ratio", offsetof(struct plant_spec, containment), 0, 1, NUMBER, false},
    {"economiser", offsetof(struct plant_spec, economiser), 0, 0, FLAG, false},
    {"chiller_curves", 0, 0, 0, TEXT, true},
    {"chiller_rows", 0, 0, 0, TEXT, true},
};
#define NKEY (sizeof(keys) / sizeof(keys[0]))
_Static_assert(NKEY == K_ROWS + 1, "K_… name the rows of keys");
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "COUNT writes both");

static int fail(char *reterr, const char *path, size_t line, const char *what, const char *detail)
{
        (void)snprintf(reterr, ERR_SIZE, "%.120s:%zu: %.40s: %.70s", path, line, what, detail);
        return -EINVAL;
}

static char *trim(char *s)
{
        char *end;

        s += strspn(s, " \t");
        end = s + strlen(s);
        while (end > s && isspace((unsigned char)end[-1]))
                *--end = '\0';
        return s;
}

static bool plain_name(const char *s)
{
        const size_t n = strlen(s);

        if (n == 0 || n >= sizeof(((struct plant_spec *)NULL)->name))
                return false;
        for (; *s != '\0'; s++)
                if (!isalnum((unsigned char)*s) && *s != '-' && *s != '_')
                        return false;
        return true;
}

static int set(struct plant_text *t, const struct key *k, const char *v, size_t line, const char *path, char *reterr)
{
        char *at = (char *)&t->spec + k->offset, range[64];
        const bool curves = k == &keys[K_CURVES];
        int64_t n;
        double d;

        switch (k->kind) {
        case COUNT:
                if (parse_int64(v, (int64_t)k->lo, (int64_t)k->hi, &n) == 0) {
                        memcpy(at, &(uint64_t){(uint64_t)n}, sizeof(uint64_t));
                        return 0;
                }
                break;
        case NUMBER:
                if (parse_double(v, &d) == 0 && d >= k->lo && d <= k->hi) {
                        memcpy(at, &d, sizeof(d));
                        return 0;
                }
                break;
        case FLAG:
                t->spec.economiser = strcmp(v, "true") == 0;
                return t->spec.economiser || strcmp(v, "false") == 0
                           ? 0
                           : fail(reterr, path, line, k->name, "true or false");
        case NAME:
                if (!plain_name(v))
                        return fail(reterr, path, line, k->name, "1 to 31 letters, digits, - or _");
                memcpy(t->spec.name, v, strlen(v) + 1);
                return 0;
        case TEXT:
                *(curves ? &t->curves_line : &t->rows_line) = line;
                return v[0] != '\0' && parse_copy(curves ? t->curves : t->rows,
                                                  curves ? sizeof(t->curves) : sizeof(t->rows), v) == 0
                           ? 0
                           : fail(reterr, path, line, k->name, "empty or too long");
        }
        (void)snprintf(range, sizeof(range), "%s from %g to %g", k->kind == COUNT ? "a whole number" : "a number",
                       k->lo, k->hi);
        return fail(reterr, path, line, k->name, range);
}

/* The next line that says something, cut into key and value; false at the end. */
static bool next(const char **text, size_t *line, char *buf, char **ret_key, char **ret_value, bool *ret_bad)
{
        *ret_bad = false;
        while (**text != '\0') {
                const size_t len = strcspn(*text, "\n");
                char *colon, *s;

                *ret_bad = len >= LINE_BYTES;
                (void)snprintf(buf, LINE_BYTES, "%.*s", (int)(*ret_bad ? 0 : len), *text);
                *text += len + ((*text)[len] == '\n');
                (*line)++;
                for (s = buf; *s != '\0' && !(*s == '#' && (s == buf || isspace((unsigned char)s[-1]))); s++)
                        ;
                *s = '\0';
                s = trim(buf);
                if (!*ret_bad && (*s == '\0' || strcmp(s, "---") == 0))
                        continue;
                colon = strchr(s, ':');
                if (*ret_bad || colon == NULL) {
                        *ret_bad = true;
                        return true;
                }
                *colon = '\0';
                *ret_key = trim(s);
                s = trim(colon + 1);
                if (s[0] == '"' && strlen(s) > 1 && s[strlen(s) - 1] == '"') {
                        s[strlen(s) - 1] = '\0';
                        s++;
                }
                *ret_value = s;
                return true;
        }
        return false;
}

static const char *text_of(const char *name)
{
        for (size_t i = 0; i < NSITE; i++)
                if (strcmp(name, sites[i].name) == 0)
                        return sites[i].text;
        return NULL;
}

/* said[k]: line where key k was given, 0 = not. */
static int apply(const char *text, const char *path, struct plant_text *t, size_t *said, char *reterr)
{
        char buf[LINE_BYTES], *key, *value;
        size_t line = 0, k;
        bool bad;

        while (next(&text, &line, buf, &key, &value, &bad)) {
                int r;

                if (bad)
                        return fail(reterr, path, line, "not a line", "expected \"key: value\"");
                for (k = 0; k < NKEY && strcmp(key, keys[k].name) != 0; k++)
                        ;
                if (k == NKEY)
                        return fail(reterr, path, line, "no such key", key);
                if (said[k] != 0)
                        return fail(reterr, path, line, "given twice", key);
                said[k] = line;
                if (k == K_LIKE)
                        continue; /* plant_text_parse has looked */
                r = set(t, &keys[k], value, line, path, reterr);
                if (r != 0)
                        return r;
        }
        return 0;
}

int plant_text_parse(const char *text, const char *path, struct plant_text *ret, char *reterr)
{
        struct plant_text t = {.spec = {.seed = 1}};
        size_t said[NKEY] = {0}, base[NKEY] = {0}, line = 0;
        const char *first = text, *like = NULL;
        char buf[LINE_BYTES], least[64], *key = NULL, *value = NULL;
        bool bad = false;
        int r;

        if (next(&first, &line, buf, &key, &value, &bad) && !bad && strcmp(key, "like") == 0) {
                like = text_of(value);
                if (like == NULL)
                        return fail(reterr, path, line, "like", "tiny, hall or campus");
                r = apply(like, path, &t, base, reterr);
                if (r != 0)
                        return r;
        }
        r = apply(text, path, &t, said, reterr);
        if (r != 0)
                return r;
        if (said[K_LIKE] != 0 && like == NULL)
                return fail(reterr, path, said[K_LIKE], "like", "must be the first key");
        for (size_t k = 0; k < NKEY; k++)
                if (said[k] == 0 && base[k] == 0 && !keys[k].optional)
                        return fail(reterr, path, line, "missing", keys[k].name);
        if (t.spec.ncrah < t.spec.nroom || t.spec.nrack < t.spec.nroom)
                return fail(reterr, path, said[K_ROOMS] ? said[K_ROOMS] : line, "rooms", "more than CRAHs or racks");
        if (!(t.spec.loop_volume_m3 >= plant_min_volume_m3(&t.spec))) {
                (void)snprintf(least, sizeof(least), "at least %.4g with these pumps (17 s of their flow)",
                               plant_min_volume_m3(&t.spec));
                return fail(reterr, path, said[K_VOLUME] ? said[K_VOLUME] : line, keys[K_VOLUME].name, least);
        }
        if (t.rows[0] != '\0' && t.curves[0] == '\0')
                return fail(reterr, path, t.rows_line, "chiller_rows", "without chiller_curves");
        *ret = t;
        return 0;
}

int plant_spec_named(const char *name, struct plant_spec *ret)
{
        const char *text = text_of(name);
        struct plant_text t;
        char why[ERR_SIZE];
        int r;

        if (text == NULL)
                return -ENOENT;
        r = plant_text_parse(text, name, &t, why);
        if (r == 0)
                *ret = t.spec;
        return r;
}
