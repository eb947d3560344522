/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES_A_STEP 4096

/* Copies in one read transaction of the source: without it every commit of the writer would start the copy anew. */
static int copy_pages(struct store *s, sqlite3 *to, void (*progress)(void *ctx, int64_t done, int64_t pages), void *ctx)
{
        int64_t any = 0;
        bool opened = sqlite3_get_autocommit(s->db) != 0;
        int r = opened ? store_exec(s, "BEGIN") : 0;
        if (r == 0)
                r = store_get_int(s, "SELECT count(*) FROM sqlite_schema", 0, &any); /* takes the snapshot */
        if (r < 0)
                return r;
        sqlite3_backup *b = sqlite3_backup_init(to, "main", s->db, "main");
        int rc = b ? SQLITE_OK : sqlite3_errcode(to);
        while (rc == SQLITE_OK) {
                rc = sqlite3_backup_step(b, PAGES_A_STEP);
                if (progress)
                        progress(ctx, sqlite3_backup_pagecount(b) - sqlite3_backup_remaining(b),
                                 sqlite3_backup_pagecount(b));
        }
        int end = sqlite3_backup_finish(b);
        if (opened)
                (void)store_exec(s, "COMMIT");
        if (rc != SQLITE_DONE || end != SQLITE_OK) {
                rc = end != SQLITE_OK ? end : rc;
                snprintf(s->err, sizeof s->err, "backup: %s", sqlite3_errstr(rc));
                return store_errno(rc) < 0 ? store_errno(rc) : -EIO;
        }
        return 0;
}

/* Makes the name durable: the folder is synced too. */
static int publish(const char *from, const char *to)
{
        if (link(from, to) < 0) /* unlike rename, never replaces */
                return -errno;
        (void)unlink(from);
        char *dir = strdup(to);
        if (!dir)
                return -ENOMEM;
        char *slash = strrchr(dir, '/');
        if (slash)
                slash[slash == dir] = '\0';
        int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 || fsync(fd) < 0 ? -EIO : 0;
        if (fd >= 0)
                close(fd);
        free(dir);
        return r;
}

int store_backup(struct store *s, const char *dest, void (*progress)(void *ctx, int64_t done, int64_t pages), void *ctx,
                 char *reterr)
{
        size_t len = strlen(dest) + 6;
        char *part = malloc(len);
        sqlite3 *to = NULL;
        int r = 0;
        reterr[0] = '\0';
        if (!part)
                return -ENOMEM;
        snprintf(part, len, "%s.part", dest);
        if (access(dest, F_OK) == 0) {
                r = -EEXIST;
                goto out;
        }
        (void)unlink(part); /* of an interrupted backup */
        int rc = sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
        r = store_errno(rc);
        if (r == 0)
                r = copy_pages(s, to, progress, ctx);
        /* the copy carries the source's WAL mark; one plain file is what one wants to keep */
        if (r == 0)
                r = store_errno(sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL));
        rc = sqlite3_close(to);
        if (r == 0)
                r = store_errno(rc);
        if (r == 0)
                r = publish(part, dest);
        if (r < 0)
                (void)unlink(part);
out:
        if (r < 0)
                snprintf(reterr, STORE_ERR_MAX, "%.120s: %.120s", dest,
                         r == -EEXIST || s->err[0] == '\0' ? strerror(-r) : s->err);
        free(part);
        return r;
}

/* --- verify ------------------------------------------------------------------------------------------------------ */

struct findings {
        void (*fn)(void *ctx, const char *finding);
        void *ctx;
        size_t n;
};

static int tell(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct findings *f = ctx;
        (void)n;
        (void)name;
        f->n++;
        if (f->fn)
                f->fn(f->ctx, text[0] ? text[0] : "?");
        return 0;
}

int store_verify(struct store *s, void (*fn)(void *ctx, const char *finding), void *ctx, size_t *ret_problems)
{
        static const char *const check[] = {
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
            "SELECT 'table ' || \"table\" || ' row ' || coalesce(rowid, '?') || ': points to a missing ' || parent"
            " FROM pragma_foreign_key_check",
            "SELECT 'counter ' || name || ' says ' || value || ', rows: ' || n FROM (SELECT c.name, c.value -"
            " coalesce((SELECT value FROM counter WHERE name = 'purged_' || c.name), 0) AS value, CASE c.name WHEN "
            "'samples' THEN (SELECT count(*) FROM sample)"
            " WHEN 'good' THEN (SELECT count(*) FROM sample WHERE quality = 0)"
            " WHEN 'decisions' THEN (SELECT count(*) FROM decision)"
            " WHEN 'actions' THEN (SELECT count(*) FROM action)"
            " WHEN 'events' THEN (SELECT count(*) FROM event) ELSE c.value END AS n FROM counter c)"
            " WHERE n <> value",
            "SELECT 'sample of unknown point ' || point_id || ': ' || count(*) || ' rows' FROM sample"
            " WHERE point_id NOT IN (SELECT id FROM point) GROUP BY point_id",
        };
        struct findings f = {.fn = fn, .ctx = ctx};
        bool opened = sqlite3_get_autocommit(s->db) != 0;
        int r = opened ? store_exec(s, "BEGIN") : 0; /* one snapshot: the writer goes on meanwhile */
        for (size_t i = 0; r == 0 && i < sizeof check / sizeof check[0]; i++) {
                r = store_query_rows(s, check[i], NULL, 0, tell, &f);
                if (r == -EUCLEAN) { /* so broken that the check itself cannot be read */
                        const char *text = store_errmsg(s);
                        (void)tell(&f, 1, NULL, &text);
                        r = 0;
                        break;
                }
        }
        if (opened)
                (void)store_exec(s, "COMMIT");
        if (r == 0)
                *ret_problems = f.n;
        return r;
}
