/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the files of the store share. This header is the one place that includes sqlite3.h, and only files in
 * agent/store/ (and the tests that tamper with a database) include this header.
 */
#ifndef COOLPLANE_STORE_STORE_INTERNAL_H
#define COOLPLANE_STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "agent/store/store.h"

#define STORE_ERR_MAX 256
#define STORE_APPLICATION_ID 0x636f6f6c /* "cool" */

/* PRAGMA quick_check reads the whole file, so it runs at open only below this size (about 0.1 s): the start of an
 * agent must not take longer as history grows. Larger files: `coolplane db verify`. */
#define STORE_QUICK_CHECK_MAX_BYTES (16LL << 20)

enum store_stmt {
        STMT_BEGIN,
        STMT_COMMIT,
        STMT_ROLLBACK,
        STMT_SAMPLE_INSERT,
        STMT_SAMPLE_SAME,
        STMT_SAMPLE_READ,
        STMT_LATEST_UPSERT,
        STMT_COUNTER_ADD,
        STMT_DECISION_INSERT,
        STMT_DECISION_VAR_INSERT,
        STMT_RUN_GET,
        STMT_SET_INSERT,
        STMT_EVIDENCE_INSERT,
        STMT_ACTION_INSERT,
        STMT_ACTION_OUTCOME,
        STMT_EVENT_INSERT,
        STMT_VM_DELETE,
        STMT_VM_INSERT,
        STMT_STATE_PUT,
        STMT_COUNT_,
};

struct store {
        sqlite3 *db;
        sqlite3_stmt *stmt[STMT_COUNT_]; /* prepared on first use */
        enum store_access access;
        int lock_fd; /* flock on <path>.lock; −1 for readers */
        char *path;
        bool in_doubt;     /* an I/O error happened: reopen before the next write, never trust a repeated fsync */
        bool unsynced;     /* commits are put together: */
        unsigned pending;  /* so many wait in the open transaction … */
        int lost;          /* … and this error took them with it: nothing is stored any more */
        bool grouped;      /* between store_group_begin and store_group_end … */
        bool group_failed; /* … and something in it failed: all of it was rolled back */
        char err[STORE_ERR_MAX];

        /* bound site */
        size_t npoint;
        int64_t *point_id;   /* [npoint] database id; 0 = not in the database (readers) */
        int64_t *u_point_id; /* [nu] of the site's layout, names the variables of a decision */
        size_t nu;
        char (*name)[POINT_NAME_MAX]; /* [npoint] */
        int32_t *index_of;            /* [nindex] database id → site index, −1 = none */
        size_t nindex;
        uint32_t *seen_batch; /* [npoint] last batch that held the point … */
        uint32_t *seen_at;    /* … and where in it */
        uint32_t batch;
};

struct store_migration {
        int version;
        const char *name, *sql;
};
extern const struct store_migration store_migrations[]; /* ascending; ends with version 0 */

/* Brings db up to the last of `list`, one transaction a migration. 0, -EUCLEAN (dirty, or not a coolplane database),
 * -EPROTO (newer), -errno of SQLite. err: ≥ STORE_ERR_MAX. */
int store_migrate(sqlite3 *db, const struct store_migration *list, char *err);
/* The same checks without writing; -ENOENT when the database is still empty, -ESTALE when it is older. */
int store_check_version(sqlite3 *db, const struct store_migration *list, char *err);

/* evidence.c: within the decision's transaction; the set first when it is new. */
int store_insert_evidence(struct store *s, int64_t run_id, int64_t decision_id, const struct store_decision *d);

int store_errno(int sqlite_rc);
/* Keeps the message of the failed call, marks the handle in doubt on I/O errors; returns store_errno(rc). */
int store_fail(struct store *s, int sqlite_rc, const char *doing);

/* The prepared statement, reset and without bindings; NULL with s->err set. */
sqlite3_stmt *store_prepared(struct store *s, enum store_stmt which);
/* Steps a statement that returns no rows and resets it. */
int store_run_stmt(struct store *s, sqlite3_stmt *st, const char *doing);

int store_begin(struct store *s); /* -EROFS for readers */
int store_commit(struct store *s);
void store_rollback(struct store *s);
int store_exec(struct store *s, const char *sql);
/* First column of the first row, `def` when there is none. */
int store_get_int(struct store *s, const char *sql, int64_t def, int64_t *ret);

void store_bind_real(sqlite3_stmt *st, int i, double v); /* NaN → NULL */
void store_bind_text(sqlite3_stmt *st, int i, const char *text);
void store_bind_hash(sqlite3_stmt *st, int i, uint64_t hash); /* 16 hex digits */

#endif
