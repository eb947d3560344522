/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/counters.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"

enum { GIVE_UP_MS = 10 * 60 * 1000 };

const double counters_bound_s[COUNTERS_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5};

void counters_init(struct counters *c)
{
        memset(c, 0, sizeof(*c));
        c->last_step = -1;
        c->last_kind = -1;
}

void counters_clear(struct counters *c)
{
        free(c->write);
        counters_init(c);
}

static int take_int(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)n;
        (void)name;
        return text[0] ? parse_int64(text[0], INT64_MIN, INT64_MAX, ctx) : 0;
}

static int get_int(struct store *store, const char *sql, int64_t param, int64_t *ret)
{
        struct store_param p = {.i = param};

        return store_query_rows(store, sql, &p, 1, take_int, ret);
}

/* Where the writes of the run begin: three seeks, no scan. */
static int begin_run(struct counters *c, struct store *store, int64_t run_id)
{
        int64_t decision = 0, first = 0, last = 0;
        int r = get_int(store, "SELECT id FROM decision WHERE run_id = ?1 ORDER BY step LIMIT 1", run_id, &decision);

        if (r < 0 || decision == 0)
                return r;
        r = get_int(store, "SELECT id FROM action WHERE decision_id >= ?1 ORDER BY decision_id, id LIMIT 1", decision,
                    &first);
        if (r == 0)
                r = get_int(store, "SELECT id FROM action WHERE ?1 > 0 ORDER BY id DESC LIMIT 1", 1, &last);
        if (r < 0)
                return r;
        if (first == 0)
                first = last + 1; /* none yet */
        counters_clear(c);
        c->run_id = run_id;
        c->last_action_id = last - first > COUNTERS_ACTIONS_MAX ? last - COUNTERS_ACTIONS_MAX : first - 1;
        return 0;
}

static int take_decision(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct counters *c = ctx;
        int64_t step, kind, reason;
        double solve_s;

        (void)n;
        (void)name;
        if (parse_int64(text[0], 0, INT64_MAX, &step) < 0 || parse_int64(text[1], 0, 3, &kind) < 0 ||
            parse_int64(text[2], 0, COUNTERS_REASONS - 1, &reason) < 0)
                return -EBADMSG;
        c->last_step = step;
        c->kind[kind]++;
        if (kind != DECISION_ACCEPT)
                c->intervention[reason]++;
        if (kind == DECISION_FALLBACK && c->last_kind != DECISION_FALLBACK)
                c->failback[reason]++;
        c->last_kind = (int)kind;
        if (text[3] && parse_double(text[3], &solve_s) == 0 && solve_s >= 0) {
                for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
                        if (solve_s <= counters_bound_s[i]) {
                                c->solve_bucket[i]++;
                                break;
                        }
                }
                c->solve_n++;
                c->solve_sum_s += solve_s;
        }
        return 0;
}

static struct counters_write *find_write(struct counters *c, const char *point, const char *result)
{
        for (size_t i = 0; i < c->nwrite; i++)
                if (strcmp(c->write[i].point, point) == 0 && strcmp(c->write[i].result, result) == 0)
                        return &c->write[i];
        if (c->nwrite == c->cap) {
                size_t cap = c->cap ? 2 * c->cap : 64;
                struct counters_write *grown = realloc(c->write, cap * sizeof *grown);

                if (!grown)
                        return NULL;
                c->write = grown;
                c->cap = cap;
        }
        struct counters_write *w = &c->write[c->nwrite++];
        memset(w, 0, sizeof *w);
        (void)snprintf(w->point, sizeof w->point, "%s", point);
        (void)snprintf(w->result, sizeof w->result, "%s", result);
        return w;
}

static int take_action(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct counters *c = ctx;
        int64_t id, t_ms;
        bool settled = text[3] != NULL;

        (void)n;
        (void)name;
        if (parse_int64(text[0], 1, INT64_MAX, &id) < 0 || !text[1] || !text[2] ||
            parse_int64(text[4], INT64_MIN, INT64_MAX, &t_ms) < 0)
                return -EBADMSG;
        if (!settled && c->now_t_ms - t_ms < GIVE_UP_MS) {
                c->behind_unsettled = true;
                return 0;
        }
        struct counters_write *w = find_write(c, text[1], text[2]);
        if (!w)
                return -ENOMEM;
        if (c->behind_unsettled) {
                w->unsettled++;
        } else {
                w->n++;
                c->last_action_id = id;
        }
        return 0;
}

int counters_update(struct counters *c, struct store *store, int64_t run_id, int64_t newest_t_ms)
{
        struct store_param p[2];
        int r = 0;

        if (run_id <= 0) {
                counters_clear(c);
                return 0;
        }
        if (run_id != c->run_id) {
                r = begin_run(c, store, run_id);
                if (r < 0 || c->run_id != run_id)
                        return r;
        }
        c->now_t_ms = newest_t_ms;
        c->behind_unsettled = false;
        for (size_t i = 0; i < c->nwrite; i++)
                c->write[i].unsettled = 0;
        p[0] = (struct store_param){.i = run_id};
        p[1] = (struct store_param){.i = c->last_step};
        r = store_query_rows(store,
                             "SELECT step, kind, reason, solve_s FROM decision WHERE run_id = ?1 AND step > ?2"
                             " ORDER BY step",
                             p, 2, take_decision, c);
        if (r < 0)
                return r;
        p[0] = (struct store_param){.i = c->last_action_id};
        return store_query_rows(store,
                                "SELECT a.id, p.name, coalesce((SELECT name FROM code WHERE kind = 'write_result'"
                                " AND id = a.result), a.result), a.outcome_t_ms, a.t_ms FROM action a JOIN point p"
                                " ON p.id = a.point_id WHERE a.id > ?1 ORDER BY a.id",
                                p, 1, take_action, c);
}
