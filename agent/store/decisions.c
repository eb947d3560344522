/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Decisions, the writes that came of them, and events. */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <math.h>

static int insert_decision(struct store *s, int64_t run_id, const struct store_decision *d, int64_t *ret_id)
{
        static const struct safety_certificate none = {
            .margin = (double)NAN, .delta = (double)NAN, .binding_y = -1, .binding_u = -1, .fraction = (double)NAN};
        const struct safety_certificate *c = d->cert ? d->cert : &none;
        sqlite3_stmt *st = store_prepared(s, STMT_DECISION_INSERT);
        if (!st)
                return -EIO;
        sqlite3_bind_int64(st, 1, run_id);
        sqlite3_bind_int64(st, 2, (int64_t)d->step);
        sqlite3_bind_int64(st, 3, d->t_ms);
        store_bind_text(st, 4, d->mode);
        sqlite3_bind_int(st, 5, (int)d->kind);
        sqlite3_bind_int(st, 6, (int)d->reason);
        store_bind_text(st, 7, d->binding);
        store_bind_hash(st, 8, c->model_hash);
        store_bind_real(st, 9, c->delta);
        sqlite3_bind_int64(st, 10, (int64_t)c->horizon);
        store_bind_real(st, 11, c->margin);
        sqlite3_bind_int(st, 12, c->binding_y);
        sqlite3_bind_int(st, 13, c->binding_u);
        store_bind_real(st, 14, c->fraction);
        sqlite3_bind_int(st, 15, c->terminal ? 1 : 0);
        sqlite3_bind_int(st, 16, c->verified ? 1 : 0);
        sqlite3_bind_int(st, 17, d->proposal ? 1 : 0);
        store_bind_real(st, 18, d->predicted_w);
        store_bind_real(st, 19, d->predicted_std_w);
        store_bind_text(st, 20, d->move);
        store_bind_real(st, 21, d->worst_inlet_c);
        store_bind_real(st, 22, d->solve_s);
        int r = store_run_stmt(s, st, "decision");
        if (r == 0)
                *ret_id = sqlite3_last_insert_rowid(s->db);
        return r;
}

static int insert_vars(struct store *s, int64_t id, const struct store_decision *d)
{
        sqlite3_stmt *st = store_prepared(s, STMT_DECISION_VAR_INSERT);
        if (!st)
                return -EIO;
        int r = 0;
        for (size_t i = 0; r == 0 && i < d->nu; i++) {
                sqlite3_bind_int64(st, 1, id);
                sqlite3_bind_int64(st, 2, (int64_t)i);
                if (s->nu == d->nu && s->u_point_id[i] > 0)
                        sqlite3_bind_int64(st, 3, s->u_point_id[i]);
                else
                        sqlite3_bind_null(st, 3);
                store_bind_real(st, 4, d->proposal ? d->proposal[i] : (double)NAN);
                store_bind_real(st, 5, d->action ? d->action[i] : (double)NAN);
                store_bind_real(st, 6, d->confirmed ? d->confirmed[i] : (double)NAN);
                r = store_run_stmt(s, st, "decision variable");
        }
        return r;
}

int store_put_decision(struct store *s, int64_t run_id, const struct store_decision *d, int64_t *ret_decision_id)
{
        int64_t id = 0;
        int r = store_begin(s);
        if (r < 0)
                return r;
        r = insert_decision(s, run_id, d, &id);
        if (r == 0)
                r = insert_vars(s, id, d);
        if (r == 0 && d->evidence)
                r = store_insert_evidence(s, run_id, id, d);
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        else if (ret_decision_id)
                *ret_decision_id = id;
        return r;
}

int store_put_actions(struct store *s, int64_t run_id, const struct store_action *a, size_t n, int64_t *ret_ids)
{
        for (size_t i = 0; i < n; i++)
                if (a[i].point >= s->npoint || s->point_id[a[i].point] <= 0 || !isfinite(a[i].value))
                        return -EINVAL;
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = store_prepared(s, STMT_ACTION_INSERT);
        if (!st)
                r = -EIO;
        for (size_t i = 0; r == 0 && i < n; i++) {
                sqlite3_bind_int64(st, 1, run_id);
                if (a[i].decision_id > 0)
                        sqlite3_bind_int64(st, 2, a[i].decision_id);
                else
                        sqlite3_bind_null(st, 2);
                sqlite3_bind_int64(st, 3, a[i].t_ms);
                sqlite3_bind_int64(st, 4, s->point_id[a[i].point]);
                sqlite3_bind_double(st, 5, a[i].value);
                store_bind_text(st, 6, a[i].why);
                r = store_run_stmt(s, st, "action");
                if (r == 0 && ret_ids)
                        ret_ids[i] = sqlite3_last_insert_rowid(s->db);
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}

int store_put_outcomes(struct store *s, const int64_t *action_ids, const struct write_outcome *o, size_t n)
{
        bool missing = false;
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = store_prepared(s, STMT_ACTION_OUTCOME);
        if (!st)
                r = -EIO;
        for (size_t i = 0; r == 0 && i < n; i++) {
                if (action_ids[i] <= 0)
                        continue; /* a write that was not stored as an action (heartbeat) */
                sqlite3_bind_int64(st, 1, action_ids[i]);
                sqlite3_bind_int(st, 2, (int)o[i].result);
                store_bind_real(st, 3, o[i].written);
                store_bind_real(st, 4, o[i].read_back);
                sqlite3_bind_int64(st, 5, o[i].t_ms);
                r = store_run_stmt(s, st, "outcome");
                if (r == 0 && sqlite3_changes(s->db) == 0)
                        missing = true;
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r == 0 && missing ? -ENOENT : r;
}

int store_put_event(struct store *s, int64_t run_id, int64_t t_ms, int severity, const char *component,
                    const char *text)
{
        int r = store_begin(s);
        if (r < 0)
                return r;
        sqlite3_stmt *st = store_prepared(s, STMT_EVENT_INSERT);
        if (!st) {
                r = -EIO;
        } else {
                if (run_id > 0)
                        sqlite3_bind_int64(st, 1, run_id);
                sqlite3_bind_int64(st, 2, t_ms);
                sqlite3_bind_int(st, 3, severity);
                store_bind_text(st, 4, component);
                store_bind_text(st, 5, text);
                r = store_run_stmt(s, st, "event");
        }
        if (r == 0)
                r = store_commit(s);
        if (r < 0)
                store_rollback(s);
        return r;
}
