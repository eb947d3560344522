/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The database: SQLite, WAL, exactly one connection that writes and checkpoints (the gate's); readers open read-only.
 * synchronous=FULL: when a call that writes returns 0, the data survive kill -9 and power loss. Samples are appended in
 * time order (key: t_ms, point). Schema by numbered migrations; a database that is dirty or newer is refused.
 * sqlite3.h is included by store/ alone. Not thread-safe.
 */
#ifndef COOLPLANE_STORE_STORE_H
#define COOLPLANE_STORE_STORE_H

#include "agent/drivers/driver.h"
#include "agent/points/site.h"
#include "safety/safety.h"

struct store;

enum store_access { STORE_READ, STORE_WRITE };

/* path NULL (with STORE_WRITE): an empty database of this handle alone, gone with it, in memory as long as it is small
 * and never synced: for a run whose log nobody keeps.
 * 0; -ENOENT (read, no file), -EBUSY (another writer holds the lock), -EUCLEAN (dirty or failed quick_check; *reterr
 * says what), -EPROTO (newer schema), -ESTALE (read: older, the gate has yet to upgrade it), -EIO.
 * reterr: ≥ 256 bytes, a sentence naming the file. */
int store_open(const char *path, enum store_access access, struct store **ret, char *reterr);
/* For what can be made again, as a replay's decisions: commits no longer wait for the disk, and some hundred of them
 * are one. An error loses those that wait and from then on every call that writes returns it. */
int store_unsynced(struct store *s);
/* What waits is committed; 0 or the error that lost something. store_close does it, too. */
int store_settle(struct store *s);
struct store *store_close(struct store *s);

/* The writer's lock without the database (closing *ret_fd lets go): 0, -EBUSY (a writer lives), -ENOENT, -EROFS (a
 * read-only disk without a lock file; where there is one it is held), -EIO. */
int store_lock(const char *path, int *ret_fd, char *reterr);

/* A run of the agent: one row with mode, start, build, configuration hash and a copy of the configuration text. */
struct store_run {
        const char *mode; /* "live", "shadow", "replay", "import", "sim" */
        int64_t t_ms;
        const char *version;
        const uint8_t *config_hash; /* 32 bytes */
};
int store_begin_run(struct store *s, const struct store_run *run, int64_t *ret_run_id);
int store_end_run(struct store *s, int64_t run_id, int64_t t_ms, const char *reason);

/* The files of a configuration (64 hex digits, as in a record) as the database keeps them, for site_load_texts; *ret is
 * one block: free(). -ENOENT: not kept. */
int store_get_config(struct store *s, const char *config, struct site_text **ret, size_t *ret_n);

/* Gives every point of the site an id in the database (by name; metadata updated, ids never reused). Needed before
 * store_append_samples; sample.point is the site index. */
int store_bind_site(struct store *s, const struct site *site);

/* One transaction. Two samples with the same (t_ms, point): the second replaces nothing; it is counted as duplicate. */
int store_append_samples(struct store *s, const struct sample *v, size_t n, size_t *ret_duplicates);
/* The same, saying which: ret_duplicate [n] 0, 1, or 2 = what is stored has another value or quality, or 3: a good one
 * that took the place of one that could not be read as a number (bad, QR_PARSE), which held none. */
int store_append_samples_marked(struct store *s, const struct sample *v, size_t n, uint8_t *ret_duplicate);

/* What is put between the two is one transaction. r: what the calls between returned, the first error or 0. 0 = all of
 * it is durable; else (r, or the error of the commit) nothing of it is stored. When begin fails there is no group. A
 * group holds no other. */
int store_group_begin(struct store *s);
int store_group_end(struct store *s, int r);

/* --- decisions --------------------------------------------------------------------------------------------------- */

/* What a decision was made on (agent/gate/evidence.h). */
struct store_evidence {
        const void *set; /* a model set to be stored with it; NULL: it follows the one of set_id */
        size_t set_len;
        uint64_t set_hash;
        int64_t set_id; /* of a new set: filled in */
        const void *blob;
        size_t len;
};

struct store_decision {
        int64_t t_ms;
        uint64_t step;    /* control step counter of the run */
        const char *mode; /* ladder state: ACTIVE, HOLD, FALLBACK, RELEASE; with "SHADOW" in shadow */
        enum decision_kind kind;
        enum decision_reason reason;
        const char *binding; /* point name or "" */
        const struct safety_certificate *cert;
        const double *proposal;  /* [nu] raw, NaN allowed; NULL = none */
        const double *action;    /* [nu] */
        const double *confirmed; /* [nu] before the action */
        size_t nu;
        double predicted_w, predicted_std_w; /* planner's; NaN = none */
        const char *move;                    /* planner's name for the slow move, "" = none */
        double worst_inlet_c;                /* measured hottest inlet; NaN = unknown */
        double solve_s;
        struct store_evidence *evidence; /* NULL = none, else cert, action and confirmed are not NULL */
};
/* Inserts decision, its per-variable rows and its evidence in one durable transaction. */
int store_put_decision(struct store *s, int64_t run_id, const struct store_decision *d, int64_t *ret_decision_id);

/* A decision as it stands in the database. */
struct store_record {
        int64_t id, run_id;
        const char *run_mode, *version, *config; /* of its run; configuration hash, 64 hex digits */
        struct store_decision d;                 /* .evidence NULL */
        bool in_span;                            /* false: it only leads to the span */
        bool stored;                             /* there is evidence: */
        bool intact;                             /* and the decision and it are as they were written */
        int64_t set_id;
        const void *blob;
        size_t len;
};
/* Decisions with from ≤ t_ms < to in the order they were stored, and `lead` ones before them, one at a time: next
 * returns 1 with *ret borrowed until the next call, 0 at the end, -errno. Memory does not grow with their number. Open:
 * 0, -ENOMEM, -errno. Close before the store is closed. */
struct store_records;
int store_records_open(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead, struct store_records **ret);
int store_records_next(struct store_records *c, const struct store_record **ret);
struct store_records *store_records_close(struct store_records *c);
/* The same by a callback: 0 to go on, else the walk stops and returns that value. */
typedef int (*store_record_fn)(void *ctx, const struct store_record *r);
int store_read_records(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead, store_record_fn fn, void *ctx);
/* A stored model set; *ret_blob malloc'ed. -ENOENT. */
int store_get_set(struct store *s, int64_t id, uint64_t *ret_hash, void **ret_blob, size_t *ret_len);

struct store_action {
        int64_t decision_id; /* −1 for heartbeat/hand-back writes outside a decision: not stored per heartbeat */
        int64_t t_ms;
        uint32_t point;
        double value;
        const char *why; /* "decision", "take-over", "handback" */
};
int store_put_actions(struct store *s, int64_t run_id, const struct store_action *a, size_t n, int64_t *ret_ids);
int store_put_outcomes(struct store *s, const int64_t *action_ids, const struct write_outcome *o, size_t n);

/* Events: mode changes, alarms, foreign writes, device up/down. severity as log_level. */
int store_put_event(struct store *s, int64_t run_id, int64_t t_ms, int severity, const char *component,
                    const char *text);

/* --- VM inventory ------------------------------------------------------------------------------------------------ */
/* "inventory": only the newest stays; "move/request". */
int store_put_vm_message(struct store *s, int64_t t_ms, const char *subtopic, const char *json);
/* Latest message of a subtopic; *ret_json malloc'ed. -ENOENT. */
int store_latest_vm_message(struct store *s, const char *subtopic, int64_t *ret_t_ms, char **ret_json);

/* --- models ------------------------------------------------------------------------------------------------------ */
struct store_model {
        const char *kind; /* "arx-planner", "arx-safety", "energy" */
        int64_t t_ms, train_from_ms, train_to_ms;
        uint64_t hash;
        const void *blob;
        size_t len;
        const char *report_json; /* hold-out errors and sizes */
};
/* Of each kind the newest STORE_MODELS_KEPT stay, eight days of hourly ones. */
#define STORE_MODELS_KEPT 200
int store_put_model(struct store *s, const struct store_model *m, int64_t *ret_id);
/* Latest of a kind; *ret_blob malloc'ed. -ENOENT. */
int store_latest_model(struct store *s, const char *kind, struct store_model *ret, void **ret_blob, char **ret_report);

/* Small state that must survive a restart (equipment timers, u_confirmed …): name → blob. */
int store_put_state(struct store *s, const char *name, int64_t t_ms, const void *blob, size_t len);
int store_get_state(struct store *s, const char *name, int64_t *ret_t_ms, void *blob, size_t cap, size_t *ret_len);

/* --- reading ----------------------------------------------------------------------------------------------------- */
struct store_counts {
        int64_t samples, good, bad, decisions, actions, events; /* rows */
        int64_t purged_good, purged_bad;                        /* samples deleted by retention */
        int64_t first_t_ms, last_t_ms;                          /* of samples; 0 when none */
        int64_t bytes;                                          /* file size */
};
/* Cheap (kept in a counters table; no COUNT over samples). */
int store_counts(struct store *s, struct store_counts *ret);

/* Rows of a wrong clock: far from all others, at either end of the log, and no more there than 1 % of all (of fewer
 * than 200 one, of fewer than three none). Far: more than 366 days, or more than 30 times the log's own length (without
 * 1 % at either end), but no less than 30 days; of fewer than 200 rows only the former. */
enum store_rows { STORE_SAMPLES, STORE_DECISIONS, STORE_ROWS };
struct store_stray {
        int64_t rows, first_ms, last_ms; /* times: only with rows > 0 */
        int64_t apart_ms;                /* how near one comes to the others; a year and more is not told apart */
        int64_t points;                  /* of samples: how many points, and of the first sample: */
        char point[POINT_NAME_MAX];
};
/* Narrows a span to the log without them; an end that is not INT64_MIN or INT64_MAX stays: who names one knows it. A
 * few seeks. 0, -errno. */
int store_true_span(struct store *s, enum store_rows rows, int64_t *from_ms, int64_t *to_ms, struct store_stray *ret);

/* Samples with from ≤ t_ms < to in time order, as site indices of the bound site (points unknown to it are skipped).
 * The callback returns 0 to go on, else the walk stops and returns that value. */
typedef int (*store_sample_fn)(void *ctx, const struct sample *v, size_t n); /* batches */
int store_read_samples(struct store *s, int64_t from_ms, int64_t to_ms, store_sample_fn fn, void *ctx);

/* Rows of a query as JSON objects appended to a growing text; for status, why and the web pages. Parameters bind to
 * ?1…?n as int64 or text. Read-only statements only (-EACCES otherwise). *ret_json malloc'ed array text. */
struct store_param {
        bool is_text;
        int64_t i;
        const char *text;
};
int store_query_json(struct store *s, const char *sql, const struct store_param *p, size_t np, char **ret_json);

/* The same rows one by one: column names and values as text (numbers in shortest form; NULL = null). The function
 * returns 0 to go on, else the walk stops and returns that value. */
typedef int (*store_row_fn)(void *ctx, size_t n, const char *const *name, const char *const *text);
int store_query_rows(struct store *s, const char *sql, const struct store_param *p, size_t np, store_row_fn fn,
                     void *ctx);

/* --- upkeep ------------------------------------------------------------------------------------------------------ */

/* What may be deleted. Times are the first that stay. */
struct store_keep {
        int64_t samples_ms; /* by age */
        int64_t floor_ms; /* … and, while the database is larger than max_bytes, by size: nothing younger than this */
        int64_t max_bytes;
        int64_t records_ms; /* decisions with their actions, events, VM move requests */
};
/* The evidence of decisions goes with the samples of its time. */
struct store_purged {
        int64_t samples, records;  /* deleted now */
        int64_t samples_before_ms; /* of samples: older than this */
        bool full;                 /* larger than max_bytes */
        bool more;                 /* call again: there may be more to do */
};
/* One piece of retention: some thousand of the oldest samples, or some hundred records, or, when nothing is too old, a
 * few free pages back to the file system; one transaction of some milliseconds. */
int store_purge(struct store *s, const struct store_keep *keep, struct store_purged *ret);

/* A consistent copy in one file, while the writer goes on (SQLite's online backup in one read transaction; to restore,
 * stop coolplaned and put the copy in the database's place, without the old -wal and -shm). dest must not exist
 * (-EEXIST); it appears complete or not at all. progress may be NULL. */
int store_backup(struct store *s, const char *dest, void (*progress)(void *ctx, int64_t done, int64_t pages), void *ctx,
                 char *reterr);
/* Full check: integrity, references, counters against rows. Reads everything. 0 with *ret_problems = number of
 * findings, each told to fn. */
int store_verify(struct store *s, void (*fn)(void *ctx, const char *finding), void *ctx, size_t *ret_problems);

/* Database text of the last error on this handle. */
const char *store_errmsg(const struct store *s);

#endif
