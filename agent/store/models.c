/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Things kept by name: models, state that survives a restart, VM messages. */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Copies column i with a NUL behind it; *ret_len without the NUL. */
static char *copy_column(sqlite3_stmt *st, int i, size_t *ret_len)
{
        const void *v = sqlite3_column_blob(st, i);
        size_t n = (size_t)sqlite3_column_bytes(st, i);
        char *copy = malloc(n + 1);
        if (!copy)
                return NULL;
        if (n > 0)
                memcpy(copy, v, n);
        copy[n] = '\0';
        if (ret_len)
                *ret_len = n;
        return copy;
}

/* The oldest beyond those kept, a few at a time: an earlier version kept all of them. */
static int forget_models(struct store *s, const char *kind)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db,
                                    "DELETE FROM model WHERE id IN (SELECT id FROM model WHERE kind = ?1"
                                    " ORDER BY id DESC LIMIT 4 OFFSET ?2)",
                                    -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "model");
        store_bind_text(st, 1, kind);
        sqlite3_bind_int(st, 2, STORE_MODELS_KEPT);
        int r = store_run_stmt(s, st, "model");
        sqlite3_finalize(st);
        return r;
}

int store_put_model(struct store *s, const struct store_model *m, int64_t *ret_id)
{
        if (m->len > INT_MAX)
                return -EINVAL;
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = NULL;
        int rc =
            sqlite3_prepare_v2(s->db,
                               "INSERT INTO model (kind, t_ms, train_from_ms, train_to_ms, hash, report_json, blob)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                               -1, &st, NULL);
        if (rc != SQLITE_OK) {
                r = store_fail(s, rc, "model");
                goto out;
        }
        store_bind_text(st, 1, m->kind);
        sqlite3_bind_int64(st, 2, m->t_ms);
        sqlite3_bind_int64(st, 3, m->train_from_ms);
        sqlite3_bind_int64(st, 4, m->train_to_ms);
        store_bind_hash(st, 5, m->hash);
        store_bind_text(st, 6, m->report_json);
        sqlite3_bind_blob(st, 7, m->len > 0 ? m->blob : "", (int)m->len, SQLITE_STATIC);
        r = store_run_stmt(s, st, "model");
        int64_t id = sqlite3_last_insert_rowid(s->db);
        if (r == 0)
                r = forget_models(s, m->kind);
        if (r == 0)
                r = store_commit(s);
        if (r == 0 && ret_id)
                *ret_id = id;
out:
        sqlite3_finalize(st);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_latest_model(struct store *s, const char *kind, struct store_model *ret, void **ret_blob, char **ret_report)
{
        sqlite3_stmt *st = NULL;
        char *blob = NULL, *report = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(s->db,
                                    "SELECT t_ms, train_from_ms, train_to_ms, hash, report_json, blob FROM model"
                                    " WHERE kind = ?1 ORDER BY id DESC LIMIT 1",
                                    -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "model");
        store_bind_text(st, 1, kind);
        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) {
                r = rc == SQLITE_DONE ? -ENOENT : store_fail(s, rc, "model");
                goto out;
        }
        size_t len = 0;
        report = copy_column(st, 4, NULL);
        blob = copy_column(st, 5, &len);
        if (!report || !blob) {
                r = -ENOMEM;
                goto out;
        }
        *ret = (struct store_model){
            .kind = kind,
            .t_ms = sqlite3_column_int64(st, 0),
            .train_from_ms = sqlite3_column_int64(st, 1),
            .train_to_ms = sqlite3_column_int64(st, 2),
            /* our own 16 hex digits, CHECKed by the schema */
            .hash = strtoull((const char *)sqlite3_column_text(st, 3), NULL, 16),
            .blob = ret_blob ? blob : NULL,
            .len = len,
            .report_json = ret_report ? report : NULL,
        };
        if (ret_blob) {
                *ret_blob = blob;
                blob = NULL;
        }
        if (ret_report) {
                *ret_report = report;
                report = NULL;
        }
out:
        sqlite3_finalize(st);
        free(blob);
        free(report);
        return r;
}

int store_put_state(struct store *s, const char *name, int64_t t_ms, const void *blob, size_t len)
{
        if (len > INT_MAX)
                return -EINVAL;
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = store_prepared(s, STMT_STATE_PUT);
        if (!st) {
                r = -EIO;
        } else {
                store_bind_text(st, 1, name);
                sqlite3_bind_int64(st, 2, t_ms);
                sqlite3_bind_blob(st, 3, len > 0 ? blob : "", (int)len, SQLITE_STATIC);
                r = store_run_stmt(s, st, "state");
                sqlite3_clear_bindings(st); /* blob was borrowed */
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_get_state(struct store *s, const char *name, int64_t *ret_t_ms, void *blob, size_t cap, size_t *ret_len)
{
        sqlite3_stmt *st = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(s->db, "SELECT t_ms, blob FROM state WHERE name = ?1", -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "state");
        store_bind_text(st, 1, name);
        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) {
                r = rc == SQLITE_DONE ? -ENOENT : store_fail(s, rc, "state");
                goto out;
        }
        const void *v = sqlite3_column_blob(st, 1);
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        if (n > cap) {
                r = -ENOBUFS;
                goto out;
        }
        if (n > 0)
                memcpy(blob, v, n);
        if (ret_t_ms)
                *ret_t_ms = sqlite3_column_int64(st, 0);
        if (ret_len)
                *ret_len = n;
out:
        sqlite3_finalize(st);
        return r;
}

int store_put_vm_message(struct store *s, int64_t t_ms, const char *subtopic, const char *json)
{
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st;
        if (strcmp(subtopic, "inventory") == 0) { /* large and sent every minute: only the newest is worth its bytes */
                st = store_prepared(s, STMT_VM_DELETE);
                if (st) {
                        store_bind_text(st, 1, subtopic);
                        r = store_run_stmt(s, st, "vm message");
                } else {
                        r = -EIO;
                }
        }
        st = r == 0 ? store_prepared(s, STMT_VM_INSERT) : NULL;
        if (st) {
                sqlite3_bind_int64(st, 1, t_ms);
                store_bind_text(st, 2, subtopic);
                store_bind_text(st, 3, json);
                r = store_run_stmt(s, st, "vm message");
        } else if (r == 0) {
                r = -EIO;
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_latest_vm_message(struct store *s, const char *subtopic, int64_t *ret_t_ms, char **ret_json)
{
        sqlite3_stmt *st = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(
            s->db, "SELECT t_ms, json FROM vm_message WHERE subtopic = ?1 ORDER BY t_ms DESC, id DESC LIMIT 1", -1, &st,
            NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "vm message");
        store_bind_text(st, 1, subtopic);
        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) {
                r = rc == SQLITE_DONE ? -ENOENT : store_fail(s, rc, "vm message");
                goto out;
        }
        char *json = copy_column(st, 1, NULL);
        if (!json) {
                r = -ENOMEM;
                goto out;
        }
        *ret_json = json;
        if (ret_t_ms)
                *ret_t_ms = sqlite3_column_int64(st, 0);
out:
        sqlite3_finalize(st);
        return r;
}
