/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Reading for people: counts, and rows of a query as JSON. */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/hash.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"

int store_counts(struct store *s, struct store_counts *ret)
{
        struct store_counts c = {0};
        int64_t purged = 0;
        const struct {
                const char *sql;
                int64_t *to;
        } q[] = {
            {"SELECT value FROM counter WHERE name = 'samples'", &c.samples},
            {"SELECT value FROM counter WHERE name = 'good'", &c.good},
            {"SELECT value FROM counter WHERE name = 'purged_samples'", &purged},
            {"SELECT value FROM counter WHERE name = 'purged_good'", &c.purged_good},
            {"SELECT value FROM counter WHERE name = 'decisions'", &c.decisions},
            {"SELECT value FROM counter WHERE name = 'actions'", &c.actions},
            {"SELECT value FROM counter WHERE name = 'events'", &c.events},
            /* both are one seek: t_ms leads the primary key */
            {"SELECT t_ms FROM sample ORDER BY t_ms LIMIT 1", &c.first_t_ms},
            {"SELECT t_ms FROM sample ORDER BY t_ms DESC LIMIT 1", &c.last_t_ms},
        };
        for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
                int r = store_get_int(s, q[i].sql, 0, q[i].to);
                if (r < 0)
                        return r;
        }
        c.purged_bad = purged - c.purged_good;
        c.samples -= purged;
        c.good -= c.purged_good;
        c.bad = c.samples - c.good;
        struct stat sb;
        if (stat(s->path, &sb) == 0)
                c.bytes = (int64_t)sb.st_size;
        size_t len = strlen(s->path) + 5;
        char *wal = malloc(len);
        if (wal) {
                snprintf(wal, len, "%s-wal", s->path);
                if (stat(wal, &sb) == 0)
                        c.bytes += (int64_t)sb.st_size;
                free(wal);
        }
        *ret = c;
        return 0;
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void put_value(struct text *t, sqlite3_stmt *st, int i)
{
        char buf[3];
        switch (sqlite3_column_type(st, i)) {
        case SQLITE_INTEGER:
                text_printf(t, "%lld", sqlite3_column_int64(st, i));
                break;
        case SQLITE_FLOAT:
                text_json_number(t, sqlite3_column_double(st, i));
                break;
        case SQLITE_TEXT:
                text_json_stringn(t, (const char *)sqlite3_column_text(st, i), (size_t)sqlite3_column_bytes(st, i));
                break;
        case SQLITE_BLOB: {
                const unsigned char *b = sqlite3_column_blob(st, i);
                int n = sqlite3_column_bytes(st, i);
                text_put(t, "\"");
                for (int k = 0; k < n; k++)
                        text_put(t, hash_hex(b + k, 1, buf));
                text_put(t, "\"");
                break;
        }
        default:
                text_put(t, "null");
        }
}

static void put_row(struct text *t, sqlite3_stmt *st)
{
        text_put(t, "{");
        for (int i = 0; i < sqlite3_column_count(st); i++) {
                const char *name = sqlite3_column_name(st, i);
                if (i > 0)
                        text_put(t, ",");
                text_json_string(t, name);
                text_put(t, ":");
                put_value(t, st, i);
        }
        text_put(t, "}");
}

/* A single reading statement with its parameters; *ret NULL on failure. */
static int prepare_query(struct store *s, const char *sql, const struct store_param *p, size_t np, sqlite3_stmt **ret)
{
        sqlite3_stmt *st = NULL;
        const char *tail = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, &tail);
        *ret = NULL;
        if (rc != SQLITE_OK || !st) {
                snprintf(s->err, sizeof s->err, "query: %s", sqlite3_errmsg(s->db));
                return rc == SQLITE_OK || (rc & 0xff) == SQLITE_ERROR ? -EINVAL : store_errno(rc);
        }
        /* BEGIN, ATTACH and the like count as read-only but return no rows */
        if (!sqlite3_stmt_readonly(st) || sqlite3_column_count(st) == 0 || tail[strspn(tail, " \t\r\n;")] != '\0') {
                snprintf(s->err, sizeof s->err, "query: only a single reading statement is allowed");
                r = -EACCES;
        }
        for (size_t i = 0; r == 0 && i < np; i++) {
                rc = p[i].is_text ? sqlite3_bind_text(st, (int)i + 1, p[i].text, -1, SQLITE_TRANSIENT)
                                  : sqlite3_bind_int64(st, (int)i + 1, p[i].i);
                if (rc != SQLITE_OK)
                        r = store_fail(s, rc, "query parameter");
        }
        if (r < 0)
                sqlite3_finalize(st);
        else
                *ret = st;
        return r;
}

int store_query_json(struct store *s, const char *sql, const struct store_param *p, size_t np, char **ret_json)
{
        struct text t = {0};
        sqlite3_stmt *st;
        int rc, r = prepare_query(s, sql, p, np, &st);
        if (r < 0)
                return r;
        text_put(&t, "[");
        for (bool first = true; (rc = sqlite3_step(st)) == SQLITE_ROW; first = false) {
                text_put(&t, first ? "" : ",\n");
                put_row(&t, st);
        }
        text_put(&t, "]");
        if (rc != SQLITE_DONE)
                r = store_fail(s, rc, "query");
        else if (t.failed)
                r = -ENOMEM;
        sqlite3_finalize(st);
        if (r < 0)
                text_free(&t);
        else
                *ret_json = t.v;
        return r;
}

#define ROW_COLUMNS_MAX 64

static int give_row(sqlite3_stmt *st, size_t n, store_row_fn fn, void *ctx)
{
        const char *name[ROW_COLUMNS_MAX], *text[ROW_COLUMNS_MAX];
        char number[ROW_COLUMNS_MAX][32];
        for (size_t i = 0; i < n; i++) {
                int c = (int)i;
                name[i] = sqlite3_column_name(st, c);
                if (sqlite3_column_type(st, c) == SQLITE_NULL)
                        text[i] = NULL;
                else if (sqlite3_column_type(st, c) == SQLITE_FLOAT && isfinite(sqlite3_column_double(st, c)))
                        text[i] = format_double(sqlite3_column_double(st, c), number[i]);
                else
                        text[i] = (const char *)sqlite3_column_text(st, c);
        }
        return fn(ctx, n, name, text);
}

int store_query_rows(struct store *s, const char *sql, const struct store_param *p, size_t np, store_row_fn fn,
                     void *ctx)
{
        sqlite3_stmt *st;
        int rc = SQLITE_DONE, r = prepare_query(s, sql, p, np, &st);
        if (r < 0)
                return r;
        size_t n = (size_t)sqlite3_column_count(st);
        if (n > ROW_COLUMNS_MAX)
                r = -EINVAL;
        while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW)
                r = give_row(st, n, fn, ctx);
        if (r == 0 && rc != SQLITE_DONE)
                r = store_fail(s, rc, "query");
        sqlite3_finalize(st);
        return r;
}
