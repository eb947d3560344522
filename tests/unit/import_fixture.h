/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A site of three log points (inlet in degC, power in kW, supply in degF), a map, and a log written by the test. */
#ifndef COOLPLANE_TESTS_UNIT_IMPORT_FIXTURE_H
#define COOLPLANE_TESTS_UNIT_IMPORT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "agent/store/import.h"
#include "tests/unit/store_fixture.h"

struct ctx {
        struct fixture *f;
        struct store *s;
        struct import_map *map;
        char told[1024]; /* line:reason; of bad rows */
        bool whole;      /* see import_args */
        int64_t now_ms;
        int converted;    /* columns that are */
        char named[1024]; /* kind:name; of what there is nothing of */
        char unread[256]; /* point:unreadable/cells@line; */
};

static inline void write_file(struct ctx *c, const char *name, const char *text, size_t len, char *ret_path)
{
        snprintf(ret_path, 128, "%s/%s", c->f->dir, name);
        FILE *o = fopen(ret_path, "wb");
        assert_non_null(o);
        assert_int_equal(fwrite(text, 1, len, o), len);
        assert_int_equal(fclose(o), 0);
}

static inline int load_map(struct ctx *c, const char *yaml, char *errors, size_t cap)
{
        char path[128];
        write_file(c, "import.yaml", yaml, strlen(yaml), path);
        char *text = NULL;
        size_t len = 0;
        FILE *err = open_memstream(&text, &len);
        import_map_free(c->map);
        c->map = NULL;
        int r = import_map_load(path, err, &c->map);
        fclose(err);
        if (errors)
                snprintf(errors, cap, "%s", text);
        else if (r < 0)
                fail_msg("%s", text);
        free(text);
        return r;
}

static inline int setup(void **state)
{
        struct ctx *c = calloc(1, sizeof *c);
        c->f = fixture_create();
        static const char *const key[] = {"inlet", "power", "supply"};
        for (int i = 0; i < 3; i++) {
                c->f->point[i].table = POINT_TABLE_LOG;
                c->f->point[i].device = -1;
                c->f->point[i].type = POINT_FLOAT64;
                snprintf(c->f->point[i].key, sizeof c->f->point[i].key, "%s", key[i]);
        }
        c->f->point[0].valid_min = 0;
        c->f->point[0].valid_max = 60;
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &c->s, c->f->err), 0);
        assert_int_equal(store_bind_site(c->s, &c->f->site), 0);
        load_map(c,
                 "site: site.yaml\n"
                 "time: { column: time, format: [\"%m/%d/%Y %H:%M\", \"%Y-%m-%dT%H:%M:%S%z\"], zone: UTC }\n"
                 "missing: [\"\", \"#VALUE!\", \"***\"]\n"
                 "columns: { supply: { zero_is_missing: true } }\n",
                 NULL, 0);
        *state = c;
        return 0;
}

static inline int teardown(void **state)
{
        struct ctx *c = *state;
        import_map_free(c->map);
        store_close(c->s);
        fixture_free(c->f);
        free(c);
        return 0;
}

static inline void on_bad(void *ctx, const char *path, int64_t line, enum import_bad why, const char *text)
{
        struct ctx *c = ctx;
        size_t at = strlen(c->told);
        (void)path;
        (void)text;
        snprintf(c->told + at, sizeof c->told - at, "%lld:%s;", (long long)line, import_bad_str(why));
}

static inline void on_converted(void *ctx, const char *path, const char *column, const char *unit,
                                const struct point *point)
{
        struct ctx *c = ctx;
        (void)path;
        (void)column;
        (void)unit;
        (void)point;
        c->converted++;
}

static inline void on_name(void *ctx, enum import_name what, const char *name)
{
        struct ctx *c = ctx;
        size_t at = strlen(c->named);
        snprintf(c->named + at, sizeof c->named - at, "%d:%s;", (int)what, name);
}

static inline void on_unreadable(void *ctx, const char *path, const struct import_unreadable *u)
{
        struct ctx *c = ctx;
        size_t at = strlen(c->unread);
        (void)path;
        snprintf(c->unread + at, sizeof c->unread - at, "%s:%lld/%lld@%lld;", u->point, (long long)u->unreadable,
                 (long long)u->cells, (long long)u->line);
}

static inline int run(struct ctx *c, const char *text, size_t len, struct import_report *ret)
{
        char path[128];
        write_file(c, "log.csv", text, len, path);
        struct import_args a = {.store = c->s,
                                .site = &c->f->site,
                                .map = c->map,
                                .zone = c->map->zone,
                                .now_ms = c->now_ms,
                                .whole = c->whole,
                                .on_bad = on_bad,
                                .on_unit = on_converted,
                                .on_name = on_name,
                                .on_unreadable = on_unreadable,
                                .ctx = c};
        c->converted = 0;
        c->told[0] = c->named[0] = c->unread[0] = '\0';
        int r = import_file(&a, path, ret, c->f->err);
        assert_int_equal(ret->rows, ret->ok + ret->bad + ret->duplicates + ret->events);
        int64_t bad = 0;
        for (int i = 0; i < IMPORT_BAD_COUNT_; i++)
                bad += ret->bad_by[i];
        assert_int_equal(ret->bad, bad);
        return r;
}

static inline struct import_report ok(struct ctx *c, const char *text)
{
        struct import_report r;
        if (run(c, text, strlen(text), &r) != 0)
                fail_msg("%s", c->f->err);
        return r;
}

#define assert_query(s, sql, want)                                                                                     \
        do {                                                                                                           \
                char *got_ = NULL;                                                                                     \
                assert_int_equal(store_query_json(s, sql, NULL, 0, &got_), 0);                                         \
                assert_string_equal(got_, want);                                                                       \
                free(got_);                                                                                            \
        } while (0)

#endif
