/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Schema versions. Each migration and its row in `migration` commit together, so an interrupted one leaves no trace and
 * is repeated at the next start. `dirty` marks a database that somebody (a restore, a repair, a future step that cannot
 * be transactional) left half done: it is refused until a person clears it.
 */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int fail(sqlite3 *db, int rc, const char *doing, char *err)
{
        snprintf(err, STORE_ERR_MAX, "%s: %s", doing, sqlite3_errmsg(db));
        return store_errno(rc);
}

static int get_int(sqlite3 *db, const char *sql, int *ret, char *err)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) {
                sqlite3_finalize(st);
                return fail(db, rc, "reading the schema version", err);
        }
        *ret = sqlite3_column_int(st, 0);
        sqlite3_finalize(st);
        return 0;
}

static int last_version(const struct store_migration *list)
{
        int v = 0;
        for (; list->version > 0; list++)
                v = list->version;
        return v;
}

/* *ret_version: 0 = empty database. */
static int check(sqlite3 *db, const struct store_migration *list, int *ret_version, char *err)
{
        int tables = 0, ours = 0, version = 0, dirty = 0;
        int r = get_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
        if (r < 0)
                return r;
        if (tables == 0) {
                *ret_version = 0;
                return 0;
        }
        r = get_int(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migration'", &ours, err);
        if (r < 0)
                return r;
        if (ours == 0) {
                snprintf(err, STORE_ERR_MAX, "is not a coolplane database");
                return -EUCLEAN;
        }
        r = get_int(db, "SELECT coalesce(max(version), 0) FROM migration", &version, err);
        if (r == 0)
                r = get_int(db, "SELECT coalesce(max(version), 0) FROM migration WHERE dirty <> 0", &dirty, err);
        if (r < 0)
                return r;
        if (dirty > 0) {
                snprintf(err, STORE_ERR_MAX,
                         "schema version %d is marked dirty: restore a backup, or repair it and clear the mark", dirty);
                return -EUCLEAN;
        }
        if (version > last_version(list)) {
                snprintf(err, STORE_ERR_MAX, "schema version %d is newer than this program's %d", version,
                         last_version(list));
                return -EPROTO;
        }
        *ret_version = version;
        return 0;
}

int store_check_version(sqlite3 *db, const struct store_migration *list, char *err)
{
        int version = 0;
        int r = check(db, list, &version, err);
        if (r < 0)
                return r;
        if (version == 0) {
                snprintf(err, STORE_ERR_MAX, "the database is still empty");
                return -ENOENT;
        }
        if (version < last_version(list)) {
                snprintf(err, STORE_ERR_MAX,
                         "schema version %d is older than this program's %d: start coolplaned once to upgrade it",
                         version, last_version(list));
                return -ESTALE;
        }
        return 0;
}

static int apply(sqlite3 *db, const struct store_migration *m, char *err)
{
        sqlite3_stmt *st = NULL;
        int r = 0;
        int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
                return fail(db, rc, m->name, err);
        rc = sqlite3_exec(db,
                          "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY CHECK (version > 0),"
                          " name TEXT NOT NULL, applied_t_ms INTEGER NOT NULL,"
                          " dirty INTEGER NOT NULL CHECK (dirty IN (0, 1))) STRICT",
                          NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, m->sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_prepare_v2(db, "INSERT INTO migration VALUES (?1, ?2, ?3, 0)", -1, &st, NULL);
        if (rc == SQLITE_OK) {
                sqlite3_bind_int(st, 1, m->version);
                store_bind_text(st, 2, m->name);
                sqlite3_bind_int64(st, 3, (int64_t)time(NULL) * 1000);
                rc = sqlite3_step(st);
                rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
        }
        sqlite3_finalize(st);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
                r = fail(db, rc, m->name, err);
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        }
        return r;
}

int store_migrate(sqlite3 *db, const struct store_migration *list, char *err)
{
        int version = 0;
        int r = check(db, list, &version, err);
        if (r < 0)
                return r;
        for (; list->version > 0; list++) {
                if (list->version <= version)
                        continue;
                r = apply(db, list, err);
                if (r < 0)
                        return r;
        }
        if (sqlite3_db_readonly(db, "main") == 0) {
                char sql[64];
                snprintf(sql, sizeof sql, "PRAGMA application_id = %d", STORE_APPLICATION_ID);
                int id = 0;
                if (get_int(db, "PRAGMA application_id", &id, err) == 0 && id != STORE_APPLICATION_ID) {
                        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
                        if (rc != SQLITE_OK)
                                return fail(db, rc, sql, err);
                }
        }
        return 0;
}
