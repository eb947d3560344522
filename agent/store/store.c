/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/hash.h"

enum { COMMITS_TOGETHER = 256 }; /* of an unsynced store */

static const char *const stmt_sql[STMT_COUNT_] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_SAMPLE_INSERT] = "INSERT INTO sample (t_ms, point_id, value, raw, quality, reason)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (t_ms, point_id) DO NOTHING",
    [STMT_SAMPLE_SAME] = "SELECT value IS ?3 AND quality = ?4 FROM sample WHERE t_ms = ?1 AND point_id = ?2",
    [STMT_SAMPLE_READ] =
        "UPDATE sample SET value = ?3, raw = ?4, quality = ?5, reason = ?6"
        " WHERE t_ms = ?1 AND point_id = ?2 AND quality = 2 AND reason = 11", /* QUALITY_BAD, QR_PARSE */
    [STMT_LATEST_UPSERT] = "INSERT INTO latest (point_id, t_ms, value, raw, quality, reason)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (point_id) DO UPDATE SET"
                           " t_ms = excluded.t_ms, value = excluded.value, raw = excluded.raw,"
                           " quality = excluded.quality, reason = excluded.reason WHERE excluded.t_ms > t_ms"
                           " OR (excluded.t_ms = t_ms AND quality = 2 AND reason = 11)",
    [STMT_COUNTER_ADD] = "UPDATE counter SET value = value + ?2 WHERE name = ?1",
    [STMT_DECISION_INSERT] =
        "INSERT INTO decision (run_id, step, t_ms, mode, kind, reason, binding, model_hash, delta, horizon,"
        " margin, binding_y, binding_u, fraction, terminal, verified, has_proposal, predicted_w,"
        " predicted_std_w, move, worst_inlet_c, solve_s)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,"
        " ?21, ?22)",
    [STMT_DECISION_VAR_INSERT] = "INSERT INTO decision_var (decision_id, var, point_id, proposal, action,"
                                 " confirmed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STMT_RUN_GET] = "SELECT mode, config, version FROM run WHERE id = ?1",
    [STMT_SET_INSERT] = "INSERT INTO model_set (hash, blob) VALUES (?1, ?2)",
    [STMT_EVIDENCE_INSERT] = "INSERT INTO evidence (decision_id, set_id, digest, blob) VALUES (?1, ?2, ?3, ?4)",
    [STMT_ACTION_INSERT] = "INSERT INTO action (run_id, decision_id, t_ms, point_id, value, why)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STMT_ACTION_OUTCOME] = "UPDATE action SET result = ?2, written = ?3, read_back = ?4, outcome_t_ms = ?5"
                            " WHERE id = ?1",
    [STMT_EVENT_INSERT] = "INSERT INTO event (run_id, t_ms, severity, component, text) VALUES (?1, ?2, ?3, ?4, ?5)",
    [STMT_VM_DELETE] = "DELETE FROM vm_message WHERE subtopic = ?1",
    [STMT_VM_INSERT] = "INSERT INTO vm_message (t_ms, subtopic, json) VALUES (?1, ?2, ?3)",
    [STMT_STATE_PUT] = "INSERT INTO state (name, t_ms, blob) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET"
                       " t_ms = excluded.t_ms, blob = excluded.blob",
};

int store_errno(int rc)
{
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_RANGE:
        case SQLITE_TOOBIG:
                return -EINVAL;
        case SQLITE_CANTOPEN:
                return -ENOENT;
        default:
                return -EIO;
        }
}

int store_fail(struct store *s, int rc, const char *doing)
{
        snprintf(s->err, sizeof s->err, "%s: %s", doing, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
        if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_FULL)
                s->in_doubt = true;
        return store_errno(rc);
}

const char *store_errmsg(const struct store *s)
{
        return s->err;
}

void store_bind_real(sqlite3_stmt *st, int i, double v)
{
        if (isnan(v))
                sqlite3_bind_null(st, i);
        else
                sqlite3_bind_double(st, i, v);
}

void store_bind_text(sqlite3_stmt *st, int i, const char *text)
{
        sqlite3_bind_text(st, i, text ? text : "", -1, SQLITE_TRANSIENT);
}

void store_bind_hash(sqlite3_stmt *st, int i, uint64_t hash)
{
        char buf[17];
        snprintf(buf, sizeof buf, "%016" PRIx64, hash);
        sqlite3_bind_text(st, i, buf, 16, SQLITE_TRANSIENT);
}

sqlite3_stmt *store_prepared(struct store *s, enum store_stmt which)
{
        if (!s->stmt[which]) {
                int rc =
                    sqlite3_prepare_v3(s->db, stmt_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[which], NULL);
                if (rc != SQLITE_OK) {
                        (void)store_fail(s, rc, "prepare");
                        return NULL;
                }
        }
        sqlite3_reset(s->stmt[which]);
        sqlite3_clear_bindings(s->stmt[which]);
        return s->stmt[which];
}

int store_run_stmt(struct store *s, sqlite3_stmt *st, const char *doing)
{
        int rc = sqlite3_step(st);
        int r = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_fail(s, sqlite3_extended_errcode(s->db), doing);
        sqlite3_reset(st);
        return r;
}

int store_exec(struct store *s, const char *sql)
{
        int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        return rc == SQLITE_OK ? 0 : store_fail(s, rc, sql);
}

int store_get_int(struct store *s, const char *sql, int64_t def, int64_t *ret)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, sql);
        rc = sqlite3_step(st);
        int64_t v = rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL ? sqlite3_column_int64(st, 0) : def;
        sqlite3_finalize(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
                return store_fail(s, rc, sql);
        *ret = v;
        return 0;
}

static void close_db(struct store *s)
{
        for (int i = 0; i < STMT_COUNT_; i++) {
                sqlite3_finalize(s->stmt[i]);
                s->stmt[i] = NULL;
        }
        sqlite3_close(s->db);
        s->db = NULL;
}

/* Exactly one connection writes and checkpoints (SQLite ≤ 3.51.2 can corrupt a WAL with two): this lock is held for
 * the life of the writer and readers open read-only, so they can neither write nor checkpoint. */
int store_lock(const char *path, int *ret_fd, char *reterr)
{
        size_t len = strlen(path) + 6;
        char *name = malloc(len);
        if (!name)
                return -ENOMEM;
        snprintf(name, len, "%s.lock", path);
        /* 0600: whoever may open it, even to read, could hold the lock and keep the gate from starting */
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int r = fd < 0 ? -errno : 0;
        if (r == -EROFS || r == -EACCES) { /* a disk that went read-only: the lock can be held all the same */
                fd = open(name, O_RDONLY | O_CLOEXEC);
                r = fd < 0 ? r : 0;
        }
        if (r < 0)
                snprintf(reterr, STORE_ERR_MAX, "%s: cannot open the lock file: %s", name, strerror(-r));
        free(name);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR || r == -EROFS ? r : -EIO;
        (void)fchmod(fd, 0600); /* one made by an earlier version */
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                r = errno == EWOULDBLOCK ? -EBUSY : -EIO;
                snprintf(reterr, STORE_ERR_MAX, "%s: another process is writing this database", path);
                (void)close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

/* Pages of a corrupt file may fail anywhere: every error here names the file. */
static int quick_check(struct store *s)
{
        struct stat sb;
        if (stat(s->path, &sb) < 0 || sb.st_size > STORE_QUICK_CHECK_MAX_BYTES)
                return 0;
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(st);
        int r = 0;
        if (rc != SQLITE_ROW) {
                r = store_fail(s, rc, s->path);
        } else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
                snprintf(s->err, sizeof s->err, "%s: failed quick_check: %s", s->path,
                         (const char *)sqlite3_column_text(st, 0));
                r = -EUCLEAN;
        }
        sqlite3_finalize(st);
        return r;
}

/* Of a file that is no database nothing is made: no lock, no -wal. An empty one will be one. */
static int check_magic(struct store *s)
{
        static const char magic[16] = "SQLite format 3";
        char is[sizeof magic] = {0};
        int fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, is, sizeof is);
        if (fd >= 0)
                (void)close(fd);
        if (n <= 0 || memcmp(is, magic, sizeof magic) == 0) /* what cannot be read SQLite tells */
                return 0;
        snprintf(s->err, sizeof s->err, "%.200s: file is not a database", s->path);
        return -EUCLEAN;
}

static int pragmas(struct store *s)
{
        if (s->access == STORE_READ) {
                sqlite3_busy_timeout(s->db, 2000);
                return store_exec(s, "PRAGMA foreign_keys = ON; PRAGMA query_only = ON");
        }
        if (s->path[0] == '\0') /* nothing to recover: the journal need not be a file */
                return store_exec(s, "PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = ON");
        /* auto_vacuum only takes effect before the first table; FULL: a commit that returned survives power loss */
        sqlite3_busy_timeout(s->db, 2000); /* a reader may be looking whether there is anything in it yet */
        int r = store_exec(s, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                              "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864;"
                              "PRAGMA foreign_keys = ON");
        sqlite3_busy_timeout(s->db, 0);
        if (r < 0)
                return r;
        /* -wal and -shm stay (empty) after close, so that a reader without write access to the folder can still open */
        int on = 1;
        (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
        return 0;
}

static int open_db(struct store *s)
{
        int flags = s->access == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        int rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, s->path);
        sqlite3_extended_result_codes(s->db, 1);
        return pragmas(s);
}

/* write_result_str() lives with the drivers, which the store must not link; a test compares the two. */
static const char *result_name(int i)
{
        static const char *const name[] = {"PENDING",
                                           "ACCEPTED",
                                           "TIMED_OUT",
                                           "REJECTED_INVALID_SETTING",
                                           "REJECTED_NOT_ENABLED_OR_AVAILABLE",
                                           "REJECTED_OVERRIDE",
                                           "REJECTED_INVALID_DEVICE",
                                           "REJECTED_DEVICE_OFFLINE",
                                           "REJECTED_BY_SAFETY",
                                           "MISMATCH",
                                           "NOT_SENT"};
        return name[i];
}

static const char *severity_name(int i)
{
        static const char *const name[] = {"emergency", "alert",  "critical", "error",
                                           "warning",   "notice", "info",     "debug"};
        return name[i];
}

static const char *quality_name(int i)
{
        return quality_str((enum quality)i);
}

static const char *quality_reason_name(int i)
{
        return quality_reason_str((enum quality_reason)i);
}

static const char *kind_name(int i)
{
        return decision_kind_str((enum decision_kind)i);
}

static const char *reason_name(int i)
{
        return decision_reason_str((enum decision_reason)i);
}

/* The names of stored numbers, the same as in logs and on the console. */
static int put_codes(struct store *s)
{
        static const struct {
                const char *kind;
                const char *(*name)(int i);
                int last;
        } table[] = {{"quality", quality_name, QUALITY_BAD},        {"quality_reason", quality_reason_name, QR_PARSE},
                     {"decision", kind_name, DECISION_FALLBACK},    {"decision_reason", reason_name, DR_WATER},
                     {"write_result", result_name, WRITE_NOT_SENT}, {"severity", severity_name, 7}};

        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db,
                                    "INSERT INTO code (kind, id, name) VALUES (?1, ?2, ?3)"
                                    " ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name"
                                    " WHERE name <> excluded.name",
                                    -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "code");
        int r = store_begin(s);
        for (size_t k = 0; r == 0 && k < sizeof table / sizeof table[0]; k++) {
                for (int i = 0; r == 0 && i <= table[k].last; i++) {
                        store_bind_text(st, 1, table[k].kind);
                        sqlite3_bind_int(st, 2, i);
                        store_bind_text(st, 3, table[k].name(i));
                        r = store_run_stmt(s, st, "code");
                }
        }
        sqlite3_finalize(st);
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_open(const char *path, enum store_access access, struct store **ret, char *reterr)
{
        int r = 0;
        reterr[0] = '\0';
        struct store *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->access = access;
        s->lock_fd = -1;
        const bool scratch = !path;
        if (scratch)
                path = ""; /* SQLite's name for a private temporary database */
        s->path = strdup(path);
        if (!s->path) {
                r = -ENOMEM;
                goto out;
        }
        if (access == STORE_READ && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
                r = errno == ENOENT ? -ENOENT : -EIO;
                snprintf(s->err, sizeof s->err, "%s: %s", path, strerror(errno));
                goto out;
        }
        r = scratch ? 0 : check_magic(s);
        if (r < 0)
                goto out;
        if (access == STORE_WRITE && !scratch) {
                r = store_lock(path, &s->lock_fd, s->err);
                if (r < 0)
                        goto out;
        }
        r = open_db(s);
        if (r < 0)
                goto out;
        if (access == STORE_READ) {
                r = store_check_version(s->db, store_migrations, s->err);
                if (r == -EROFS) /* a WAL database without its -wal and -shm, in a folder that is not ours to write */
                        snprintf(s->err, sizeof s->err,
                                 "%.100s: its -wal and -shm are missing and only a user who may write the folder can"
                                 " make them: start the gate, or open it once as its owner",
                                 path);
                goto out;
        }
        r = quick_check(s);
        if (r == 0)
                r = store_migrate(s->db, store_migrations, s->err);
        if (r == 0)
                r = put_codes(s);
out:
        if (r < 0) {
                if (strstr(s->err, path))
                        snprintf(reterr, STORE_ERR_MAX, "%s", s->err);
                else
                        snprintf(reterr, STORE_ERR_MAX, "%.100s: %.150s", path, s->err);
                store_close(s);
                return r;
        }
        *ret = s;
        return 0;
}

int store_unsynced(struct store *s)
{
        int r = store_exec(s, "PRAGMA synchronous = OFF");
        s->unsynced = r == 0;
        return r;
}

static int commit_now(struct store *s)
{
        sqlite3_stmt *st = store_prepared(s, STMT_COMMIT);
        s->pending = 0;
        return st ? store_run_stmt(s, st, "commit") : -EIO;
}

int store_settle(struct store *s)
{
        if (s->lost == 0 && s->pending > 0) {
                int r = commit_now(s);
                if (r < 0) {
                        s->lost = r;
                        store_rollback(s);
                }
        }
        return s->lost;
}

struct store *store_close(struct store *s)
{
        if (!s)
                return NULL;
        if (s->db)
                (void)store_settle(s);
        close_db(s);
        if (s->lock_fd >= 0)
                close(s->lock_fd);
        free(s->point_id);
        free(s->u_point_id);
        free(s->name);
        free(s->index_of);
        free(s->seen_batch);
        free(s->seen_at);
        free(s->path);
        free(s);
        return NULL;
}

/* After an I/O error the page cache and the kernel may disagree about what is on disk: start from the file again. */
static int reopen(struct store *s)
{
        close_db(s);
        int r = open_db(s);
        if (r == 0)
                r = quick_check(s);
        if (r == 0)
                s->in_doubt = false;
        return r;
}

int store_begin(struct store *s)
{
        if (s->access != STORE_WRITE)
                return -EROFS;
        if (s->grouped)
                return s->group_failed ? -ECANCELED : 0;
        if (s->lost < 0)
                return s->lost;
        if (s->pending > 0) /* the transaction is open */
                return 0;
        if (s->in_doubt || !s->db) {
                int r = reopen(s);
                if (r < 0)
                        return r;
        }
        sqlite3_stmt *st = store_prepared(s, STMT_BEGIN);
        return st ? store_run_stmt(s, st, "begin") : -EIO;
}

int store_commit(struct store *s)
{
        if (s->grouped)
                return 0;
        if (s->unsynced && ++s->pending < COMMITS_TOGETHER)
                return 0;
        return commit_now(s);
}

void store_rollback(struct store *s)
{
        s->group_failed = s->grouped;
        if (s->unsynced && s->lost == 0)
                s->lost = -EIO;
        s->pending = 0;
        if (!s->db || sqlite3_get_autocommit(s->db))
                return;
        char keep[STORE_ERR_MAX]; /* the first error is the one to tell */
        memcpy(keep, s->err, sizeof keep);
        sqlite3_stmt *st = store_prepared(s, STMT_ROLLBACK);
        if (!st || store_run_stmt(s, st, "rollback") < 0)
                s->in_doubt = true;
        memcpy(s->err, keep, sizeof keep);
}

int store_group_begin(struct store *s)
{
        int r = store_begin(s);
        s->grouped = r == 0;
        s->group_failed = false;
        return r;
}

int store_group_end(struct store *s, int r)
{
        s->grouped = false;
        if (r == 0)
                r = s->group_failed ? -ECANCELED : store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_begin_run(struct store *s, const struct store_run *run, int64_t *ret_run_id)
{
        char hash[2 * HASH_LEN + 1];
        (void)hash_hex(run->config_hash, HASH_LEN, hash);
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(
            s->db, "INSERT INTO run (mode, start_t_ms, version, config) VALUES (?1, ?2, ?3, ?4)", -1, &st, NULL);
        if (rc != SQLITE_OK) {
                r = store_fail(s, rc, "run");
                goto out;
        }
        store_bind_text(st, 1, run->mode);
        sqlite3_bind_int64(st, 2, run->t_ms);
        store_bind_text(st, 3, run->version);
        store_bind_text(st, 4, hash);
        r = store_run_stmt(s, st, "run");
        int64_t id = sqlite3_last_insert_rowid(s->db);
        if (r == 0)
                r = store_commit(s);
        if (r == 0)
                *ret_run_id = id;
out:
        sqlite3_finalize(st);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_end_run(struct store *s, int64_t run_id, int64_t t_ms, const char *reason)
{
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = NULL;
        int rc =
            sqlite3_prepare_v2(s->db, "UPDATE run SET end_t_ms = ?2, end_reason = ?3 WHERE id = ?1", -1, &st, NULL);
        if (rc != SQLITE_OK) {
                r = store_fail(s, rc, "run");
                goto out;
        }
        sqlite3_bind_int64(st, 1, run_id);
        sqlite3_bind_int64(st, 2, t_ms);
        store_bind_text(st, 3, reason);
        r = store_run_stmt(s, st, "run");
        if (r == 0 && sqlite3_changes(s->db) == 0)
                r = -ENOENT;
        if (r == 0)
                r = store_commit(s);
out:
        sqlite3_finalize(st);
        if (r < 0)
                store_rollback(s);
        return r;
}
