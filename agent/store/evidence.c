/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What decisions were made on: stored with them, read back with them. */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"

enum {
        RECORDS_A_READ = 256, /* one read transaction: the writer's log can be taken up in between */
        VARS_MAX = 1024,      /* of a decision; IPC_U_MAX is less */
};

/* --- digest ------------------------------------------------------------------------------------------------------ */

/* As SQLite gives it back: one NaN (NULL), one zero. */
static void add_real(struct hash *h, double v)
{
        static const double nan = (double)NAN, zero = 0;
        hash_add(h, isnan(v) ? &nan : v == 0 ? &zero : &v, sizeof v);
}

static void add_int(struct hash *h, int64_t v)
{
        hash_add(h, &v, sizeof v);
}

static void add_text(struct hash *h, const char *text)
{
        add_int(h, (int64_t)strlen(text ? text : ""));
        hash_add(h, text ? text : "", strlen(text ? text : ""));
}

static void add_certificate(struct hash *h, const struct safety_certificate *c)
{
        add_int(h, (int64_t)c->model_hash);
        add_real(h, c->delta);
        add_int(h, (int64_t)c->horizon);
        add_real(h, c->margin);
        add_int(h, c->binding_y);
        add_int(h, c->binding_u);
        add_real(h, c->fraction);
        add_int(h, c->terminal);
        add_int(h, c->verified);
}

/* The run whose decision it is, as its row says. */
struct origin {
        int64_t run_id;
        const char *mode, *config, *version;
};

static int digest(const struct origin *o, const struct store_decision *d, const void *blob, size_t len, uint8_t *ret)
{
        struct hash h;
        int r = hash_init(&h);
        if (r < 0)
                return r;
        add_int(&h, o->run_id);
        add_text(&h, o->mode);
        add_text(&h, o->config);
        add_text(&h, o->version);
        add_int(&h, (int64_t)d->step);
        add_int(&h, d->t_ms);
        add_text(&h, d->mode);
        add_int(&h, d->kind);
        add_int(&h, d->reason);
        add_text(&h, d->binding);
        add_certificate(&h, d->cert);
        add_int(&h, d->proposal != NULL);
        add_real(&h, d->predicted_w);
        add_real(&h, d->predicted_std_w);
        add_text(&h, d->move);
        add_real(&h, d->worst_inlet_c);
        add_real(&h, d->solve_s);
        add_int(&h, (int64_t)d->nu);
        for (size_t j = 0; j < d->nu; j++) {
                add_real(&h, d->proposal ? d->proposal[j] : (double)NAN);
                add_real(&h, d->action[j]);
                add_real(&h, d->confirmed[j]);
        }
        hash_add(&h, blob, len);
        hash_digest(&h, ret);
        hash_free(&h);
        return 0;
}

static const char *text_of(sqlite3_stmt *st, int i)
{
        const char *text = (const char *)sqlite3_column_text(st, i);
        return text ? text : "";
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static int insert_set(struct store *s, struct store_evidence *e)
{
        sqlite3_stmt *st = store_prepared(s, STMT_SET_INSERT);
        if (!st)
                return -EIO;
        store_bind_hash(st, 1, e->set_hash);
        sqlite3_bind_blob(st, 2, e->set, (int)e->set_len, SQLITE_STATIC);
        int r = store_run_stmt(s, st, "model set");
        sqlite3_clear_bindings(st); /* the blob was borrowed */
        if (r == 0)
                e->set_id = sqlite3_last_insert_rowid(s->db);
        return r;
}

/* Of a decision that is being written. */
static int digest_new(struct store *s, int64_t run_id, const struct store_decision *d, uint8_t *ret)
{
        sqlite3_stmt *st = store_prepared(s, STMT_RUN_GET);
        if (!st)
                return -EIO;
        sqlite3_bind_int64(st, 1, run_id);
        int rc = sqlite3_step(st);
        struct origin o = {run_id, text_of(st, 0), text_of(st, 1), text_of(st, 2)};
        int r = rc == SQLITE_ROW ? digest(&o, d, d->evidence->blob, d->evidence->len, ret)
                                 : store_fail(s, rc == SQLITE_DONE ? SQLITE_CONSTRAINT : rc, "run");
        sqlite3_reset(st);
        return r;
}

int store_insert_evidence(struct store *s, int64_t run_id, int64_t decision_id, const struct store_decision *d)
{
        struct store_evidence *e = d->evidence;
        uint8_t sum[HASH_LEN];
        int r = e->set ? insert_set(s, e) : 0;
        if (r == 0)
                r = digest_new(s, run_id, d, sum);
        if (r < 0)
                return r;
        sqlite3_stmt *st = store_prepared(s, STMT_EVIDENCE_INSERT);
        if (!st)
                return -EIO;
        sqlite3_bind_int64(st, 1, decision_id);
        sqlite3_bind_int64(st, 2, e->set_id);
        sqlite3_bind_blob(st, 3, sum, sizeof sum, SQLITE_STATIC);
        sqlite3_bind_blob(st, 4, e->blob, (int)e->len, SQLITE_STATIC);
        r = store_run_stmt(s, st, "evidence");
        sqlite3_clear_bindings(st);
        return r;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

struct store_records {
        struct store *s;
        sqlite3_stmt *decision, *vars;
        int64_t from_ms, to_ms, next, last, begun; /* ids: to read next, the last, first of this read transaction */
        bool reading;                              /* the main statement stands on a row or before one */
        double v[3][VARS_MAX];                     /* proposal, action, confirmed */
        struct store_record rec;
        struct safety_certificate cert;
};

static double real_of(sqlite3_stmt *st, int i)
{
        return sqlite3_column_type(st, i) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(st, i);
}

/* Variables in order of their number, one array a column. */
static int read_vars(struct store_records *r, bool has_proposal)
{
        struct store_decision *d = &r->rec.d;
        int rc;
        sqlite3_reset(r->vars);
        sqlite3_bind_int64(r->vars, 1, r->rec.id);
        for (d->nu = 0; (rc = sqlite3_step(r->vars)) == SQLITE_ROW; d->nu++) {
                if (d->nu == VARS_MAX)
                        return -E2BIG;
                for (int k = 0; k < 3; k++)
                        r->v[k][d->nu] = real_of(r->vars, k);
        }
        if (rc != SQLITE_DONE)
                return store_fail(r->s, rc, "decision variables");
        d->proposal = has_proposal ? r->v[0] : NULL;
        d->action = r->v[1];
        d->confirmed = r->v[2];
        return 0;
}

/* One row of the main statement; its texts and blobs live until the next step. */
static int read_record(struct store_records *r)
{
        sqlite3_stmt *st = r->decision;
        struct store_record *rec = &r->rec;
        uint8_t sum[HASH_LEN];
        rec->id = sqlite3_column_int64(st, 0);
        rec->run_id = sqlite3_column_int64(st, 1);
        rec->run_mode = text_of(st, 23);
        rec->config = text_of(st, 24);
        rec->version = text_of(st, 28);
        r->cert = (struct safety_certificate){.model_hash = strtoull(text_of(st, 8), NULL, 16),
                                              .delta = real_of(st, 9),
                                              .horizon = (size_t)sqlite3_column_int64(st, 10),
                                              .margin = real_of(st, 11),
                                              .binding_y = sqlite3_column_int(st, 12),
                                              .binding_u = sqlite3_column_int(st, 13),
                                              .fraction = real_of(st, 14),
                                              .terminal = sqlite3_column_int(st, 15) != 0,
                                              .verified = sqlite3_column_int(st, 16) != 0};
        rec->d = (struct store_decision){.step = (uint64_t)sqlite3_column_int64(st, 2),
                                         .t_ms = sqlite3_column_int64(st, 3),
                                         .mode = text_of(st, 4),
                                         .kind = (enum decision_kind)sqlite3_column_int(st, 5),
                                         .reason = (enum decision_reason)sqlite3_column_int(st, 6),
                                         .binding = text_of(st, 7),
                                         .cert = &r->cert,
                                         .predicted_w = real_of(st, 18),
                                         .predicted_std_w = real_of(st, 19),
                                         .move = text_of(st, 20),
                                         .worst_inlet_c = real_of(st, 21),
                                         .solve_s = real_of(st, 22)};
        int rc = read_vars(r, sqlite3_column_int(st, 17) != 0);
        if (rc < 0)
                return rc;
        rec->blob = sqlite3_column_blob(st, 27);
        rec->len = (size_t)sqlite3_column_bytes(st, 27);
        rec->set_id = sqlite3_column_int64(st, 25);
        rec->stored = sqlite3_column_type(st, 25) != SQLITE_NULL;
        rec->intact = false;
        if (!rec->stored)
                return 0;
        rc = digest(&(struct origin){rec->run_id, rec->run_mode, rec->config, rec->version}, &rec->d, rec->blob,
                    rec->len, sum);
        rec->intact = rc == 0 && sqlite3_column_bytes(st, 26) == HASH_LEN &&
                      memcmp(sqlite3_column_blob(st, 26), sum, HASH_LEN) == 0;
        return rc;
}

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
        int rc = sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);
        return rc == SQLITE_OK ? 0 : store_fail(s, rc, "decisions");
}

/* Ids of the first and the last decision of the span; the first less the lead. 0 and −1 when there is none. */
static int find_span(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead, int64_t *ret_first,
                     int64_t *ret_last)
{
        static const char sql[] =
            "SELECT coalesce((SELECT min(id) FROM (SELECT id FROM decision WHERE id < a ORDER BY id DESC LIMIT ?3)), "
            "a),"
            " b FROM (SELECT min(id) AS a, max(id) AS b FROM decision WHERE t_ms >= ?1 AND t_ms < ?2)"
            " WHERE a IS NOT NULL";
        sqlite3_stmt *st = NULL;
        int r = prepare(s, sql, &st);
        if (r < 0)
                return r;
        sqlite3_bind_int64(st, 1, from_ms);
        sqlite3_bind_int64(st, 2, to_ms);
        sqlite3_bind_int64(st, 3, (int64_t)lead);
        int rc = sqlite3_step(st);
        *ret_first = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
        *ret_last = rc == SQLITE_ROW ? sqlite3_column_int64(st, 1) : -1;
        sqlite3_finalize(st);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_fail(s, rc, "decisions");
}

int store_records_open(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead, struct store_records **ret)
{
        static const char sql[] =
            "SELECT d.id, d.run_id, d.step, d.t_ms, d.mode, d.kind, d.reason, d.binding, d.model_hash, d.delta,"
            " d.horizon, d.margin, d.binding_y, d.binding_u, d.fraction, d.terminal, d.verified, d.has_proposal,"
            " d.predicted_w, d.predicted_std_w, d.move, d.worst_inlet_c, d.solve_s, r.mode, r.config, e.set_id,"
            " e.digest, e.blob, r.version FROM decision d JOIN run r ON r.id = d.run_id"
            " LEFT JOIN evidence e ON e.decision_id = d.id WHERE d.id >= ?1 AND d.id <= ?2 ORDER BY d.id LIMIT ?3";
        struct store_records *c = calloc(1, sizeof *c);
        int r;
        if (!c)
                return -ENOMEM;
        c->s = s;
        c->from_ms = from_ms;
        c->to_ms = to_ms;
        r = find_span(s, from_ms, to_ms, lead, &c->next, &c->last);
        if (r == 0)
                r = prepare(s, sql, &c->decision);
        if (r == 0)
                r = prepare(s,
                            "SELECT proposal, action, confirmed FROM decision_var WHERE decision_id = ?1 ORDER BY var",
                            &c->vars);
        if (r < 0)
                store_records_close(c);
        else
                *ret = c;
        return r;
}

static void end_read(struct store_records *c)
{
        sqlite3_reset(c->decision);
        sqlite3_reset(c->vars);
        c->reading = false;
}

int store_records_next(struct store_records *c, const struct store_record **ret)
{
        while (c->next <= c->last) {
                if (!c->reading) {
                        c->begun = c->next;
                        sqlite3_bind_int64(c->decision, 1, c->next);
                        sqlite3_bind_int64(c->decision, 2, c->last);
                        sqlite3_bind_int(c->decision, 3, RECORDS_A_READ);
                        c->reading = true;
                }
                int rc = sqlite3_step(c->decision);
                int r = rc == SQLITE_ROW ? read_record(c) : rc == SQLITE_DONE ? 0 : store_fail(c->s, rc, "decisions");
                if (rc == SQLITE_ROW && r == 0) {
                        c->rec.in_span = c->rec.d.t_ms >= c->from_ms && c->rec.d.t_ms < c->to_ms;
                        c->next = c->rec.id + 1;
                        *ret = &c->rec;
                        return 1;
                }
                end_read(c);
                if (r < 0)
                        return r;
                if (c->next == c->begun)
                        break;
        }
        return 0;
}

struct store_records *store_records_close(struct store_records *c)
{
        if (c) {
                sqlite3_finalize(c->decision);
                sqlite3_finalize(c->vars);
                free(c);
        }
        return NULL;
}

int store_read_records(struct store *s, int64_t from_ms, int64_t to_ms, size_t lead, store_record_fn fn, void *ctx)
{
        struct store_records *c = NULL;
        const struct store_record *rec;
        int r = store_records_open(s, from_ms, to_ms, lead, &c);
        if (r < 0)
                return r;
        while ((r = store_records_next(c, &rec)) == 1 && (r = fn(ctx, rec)) == 0) {
        }
        store_records_close(c);
        return r;
}

int store_get_set(struct store *s, int64_t id, uint64_t *ret_hash, void **ret_blob, size_t *ret_len)
{
        sqlite3_stmt *st = NULL;
        int r = prepare(s, "SELECT hash, blob FROM model_set WHERE id = ?1", &st);
        if (r < 0)
                return r;
        sqlite3_bind_int64(st, 1, id);
        int rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) {
                r = rc == SQLITE_DONE ? -ENOENT : store_fail(s, rc, "model set");
                goto out;
        }
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        void *copy = malloc(n + 1);
        if (!copy) {
                r = -ENOMEM;
                goto out;
        }
        if (n > 0)
                memcpy(copy, sqlite3_column_blob(st, 1), n);
        *ret_hash = strtoull(text_of(st, 0), NULL, 16);
        *ret_blob = copy;
        *ret_len = n;
out:
        sqlite3_finalize(st);
        return r;
}

/* A block of n elements and behind them their texts; two walks: sizes, then bytes. */
static int copy_config(sqlite3_stmt *st, size_t n, size_t bytes, struct site_text **ret)
{
        struct site_text *v = calloc(1, n * sizeof *v + bytes + 1);
        char *to = (char *)(v + n);
        if (!v)
                return -ENOMEM;
        for (size_t i = 0; i < n && sqlite3_step(st) == SQLITE_ROW; i++) {
                size_t path = (size_t)sqlite3_column_bytes(st, 0), text = (size_t)sqlite3_column_bytes(st, 1);
                if (path + 1 + text > bytes) /* not the rows of the first walk */
                        break;
                v[i] = (struct site_text){.path = to, .text = to + path + 1, .len = text};
                memcpy(v[i].path, text_of(st, 0), path);
                memcpy(v[i].text, text_of(st, 1), text);
                to += path + 1 + text;
                bytes -= path + 1 + text;
        }
        *ret = v;
        return 0;
}

int store_get_config(struct store *s, const char *config, struct site_text **ret, size_t *ret_n)
{
        sqlite3_stmt *st = NULL;
        size_t n = 0, bytes = 0;
        int rc, r = prepare(s, "SELECT path, text FROM config WHERE hash = ?1 ORDER BY ord", &st);
        if (r < 0)
                return r;
        store_bind_text(st, 1, config);
        for (; (rc = sqlite3_step(st)) == SQLITE_ROW; n++)
                bytes += (size_t)sqlite3_column_bytes(st, 0) + 1 + (size_t)sqlite3_column_bytes(st, 1);
        sqlite3_reset(st);
        r = rc != SQLITE_DONE ? store_fail(s, rc, "configuration") : n == 0 ? -ENOENT : copy_config(st, n, bytes, ret);
        if (r == 0)
                *ret_n = n;
        sqlite3_finalize(st);
        return r;
}
