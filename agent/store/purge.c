/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Retention, a bounded piece at a time. Samples are keyed by time, so the oldest stand together. */
#include "agent/store/store_internal.h"

#include <errno.h>

enum {
        SAMPLES_A_PIECE = 2000,
        EVIDENCE_WALK = 20000, /* a week of steps of 30 s */
        SETS_WALK = 200,
        VACUUM_KEEP = 1024, /* free pages (4 MiB) kept for what comes next: giving them back moves others */
        VACUUM_PAGES = 32,
};

/* Runs one statement with ?1 = a, ?2 = b. */
static int change(struct store *s, const char *sql, int64_t a, int64_t b, int64_t *ret_rows)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "purge");
        sqlite3_bind_int64(st, 1, a);
        if (sqlite3_bind_parameter_count(st) > 1)
                sqlite3_bind_int64(st, 2, b);
        int r = store_run_stmt(s, st, "purge");
        if (r == 0 && ret_rows)
                *ret_rows += sqlite3_changes(s->db);
        sqlite3_finalize(st);
        return r;
}

/* Up to two numbers of a row; *ret_any false when there is none. */
static int row_of(struct store *s, const char *sql, int64_t a, int64_t b, int64_t *ret_x, int64_t *ret_y, bool *ret_any)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "purge");
        sqlite3_bind_int64(st, 1, a);
        sqlite3_bind_int64(st, 2, b);
        rc = sqlite3_step(st);
        *ret_any = rc == SQLITE_ROW;
        if (*ret_any) {
                *ret_x = sqlite3_column_int64(st, 0);
                *ret_y = sqlite3_column_int64(st, 1);
        }
        sqlite3_finalize(st);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_fail(s, rc, "purge");
}

static int delete_samples(struct store *s, int64_t before_ms, struct store_purged *p)
{
        int64_t t_ms = before_ms, point = 0, n = 0, good = 0, gone = 0;
        bool any;
        /* the first row that stays: the one after the piece, or the first that is young enough */
        int r = row_of(s, "SELECT t_ms, point_id FROM sample WHERE t_ms < ?1 ORDER BY t_ms, point_id LIMIT 1 OFFSET ?2",
                       before_ms, SAMPLES_A_PIECE, &t_ms, &point, &any);
        if (r == 0)
                r = row_of(s, "SELECT count(*), sum(quality = 0) FROM sample WHERE (t_ms, point_id) < (?1, ?2)", t_ms,
                           point, &n, &good, &any);
        if (r == 0)
                r = change(s, "DELETE FROM sample WHERE (t_ms, point_id) < (?1, ?2)", t_ms, point, &gone);
        if (r == 0)
                r = change(s, "UPDATE counter SET value = value + ?1 WHERE name = 'purged_samples'", gone, 0, NULL);
        if (r == 0)
                r = change(s, "UPDATE counter SET value = value + ?1 WHERE name = 'purged_good'", good, 0, NULL);
        if (r == 0) {
                p->samples = gone;
                p->samples_before_ms = t_ms;
        }
        return r;
}

/* Evidence of decisions before before_ms, oldest first, and sets that nothing follows any more. What was dated ahead
 * stays, and nothing behind it waits for it: it is walked over, as far as the newest decision of the time, and
 * EVIDENCE_WALK at most. The newest set stays: the gate may be about to refer to it. */
static int delete_evidence(struct store *s, int64_t before_ms, struct store_purged *p)
{
        int r = change(s,
                       "DELETE FROM evidence WHERE decision_id IN (SELECT d.id FROM (SELECT decision_id FROM evidence"
                       " WHERE decision_id <= (SELECT id FROM decision WHERE t_ms < ?1 ORDER BY t_ms DESC LIMIT 1)"
                       " ORDER BY decision_id LIMIT ?2) e CROSS JOIN decision d ON d.id = e.decision_id"
                       " WHERE d.t_ms < ?1 LIMIT 50)",
                       before_ms, EVIDENCE_WALK, &p->records);
        if (r == 0)
                r = change(s,
                           "DELETE FROM model_set WHERE id IN (SELECT id FROM (SELECT id FROM model_set WHERE id <"
                           " (SELECT max(id) FROM model_set) ORDER BY id LIMIT ?1) m"
                           " WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE set_id = m.id) LIMIT 8)",
                           SETS_WALK, 0, &p->records);
        return r;
}

static int delete_records(struct store *s, int64_t before_ms, struct store_purged *p)
{
        static const char *const sql[] = {
            /* of the same decisions, children first */
            "DELETE FROM evidence WHERE decision_id IN"
            " (SELECT id FROM decision WHERE t_ms < ?1 ORDER BY t_ms, id LIMIT 50)",
            "DELETE FROM decision_var WHERE decision_id IN"
            " (SELECT id FROM decision WHERE t_ms < ?1 ORDER BY t_ms, id LIMIT 50)",
            "DELETE FROM action WHERE decision_id IN"
            " (SELECT id FROM decision WHERE t_ms < ?1 ORDER BY t_ms, id LIMIT 50)",
            "DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE t_ms < ?1 ORDER BY t_ms, id LIMIT 50)",
            "DELETE FROM action WHERE id IN (SELECT id FROM action WHERE decision_id IS NULL AND t_ms < ?1 LIMIT 200)",
            "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE t_ms < ?1 ORDER BY t_ms LIMIT 200)",
            /* requests; of earlier versions also the other two */
            "DELETE FROM vm_message WHERE id IN (SELECT id FROM vm_message WHERE subtopic IN"
            " ('move/request', 'move/result', 'event') AND t_ms < ?1 LIMIT 200)",
        };
        int r = 0;
        for (size_t i = 0; r == 0 && i < sizeof sql / sizeof sql[0]; i++)
                r = change(s, sql[i], before_ms, 0, &p->records);
        return r;
}

int store_purge(struct store *s, const struct store_keep *keep, struct store_purged *ret)
{
        struct store_purged p = {0};
        int64_t oldest = INT64_MAX, pages = 0, free_pages = 0, page_size = 0;
        int r = store_begin(s);
        if (r < 0)
                return r;
        r = store_get_int(s, "SELECT t_ms FROM sample ORDER BY t_ms LIMIT 1", INT64_MAX, &oldest);
        if (r == 0)
                r = store_get_int(s, "PRAGMA page_count", 0, &pages);
        if (r == 0)
                r = store_get_int(s, "PRAGMA freelist_count", 0, &free_pages);
        if (r == 0)
                r = store_get_int(s, "PRAGMA page_size", 0, &page_size);
        p.full = (pages - free_pages) * page_size > keep->max_bytes;
        int64_t before_ms = p.full && keep->floor_ms > keep->samples_ms ? keep->floor_ms : keep->samples_ms;
        if (r == 0 && oldest < before_ms)
                r = delete_samples(s, before_ms, &p);
        else if (r == 0)
                r = delete_records(s, keep->records_ms, &p);
        if (r == 0)
                r = delete_evidence(s, p.samples > 0 ? p.samples_before_ms : before_ms, &p);
        p.more = p.samples > 0 || p.records > 0;
        if (r == 0 && !p.more && free_pages > VACUUM_KEEP) {
                char sql[48];
                snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
                r = store_exec(s, sql);
                p.more = true;
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        else
                *ret = p;
        return r;
}
