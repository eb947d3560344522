/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What shadow and replay recorded as writes, and what of it only a device can have answered. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/drivers/driver.h"
#include "agent/gate/evaluate_internal.h"

/* recorded, unfinished, left, and of the first that left: time, point, result. */
static int on_writes(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct evaluate_writes *w = ctx;

        (void)n;
        (void)name;
        w->recorded = (size_t)strtoull(text[0] ? text[0] : "0", NULL, 10);
        w->unfinished = (size_t)strtoull(text[1] ? text[1] : "0", NULL, 10);
        w->left = (size_t)strtoull(text[2] ? text[2] : "0", NULL, 10);
        return 0;
}

static int on_first(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct evaluate_writes *w = ctx;

        (void)n;
        (void)name;
        w->first_t_ms = strtoll(text[0] ? text[0] : "0", NULL, 10);
        (void)snprintf(w->first, sizeof w->first, "%s: %s", text[1] ? text[1] : "?", text[2] ? text[2] : "?");
        return 0;
}

#define NO_WRITES                                                                                                      \
        " FROM action a JOIN run r ON r.id = a.run_id LEFT JOIN decision d ON d.id = a.decision_id"                    \
        " WHERE a.t_ms >= ?1 AND a.t_ms < ?2 AND (r.mode IN ('shadow', 'replay') OR d.mode = 'SHADOW')"
/* ?3 WRITE_PENDING, ?4 WRITE_NOT_SENT, ?5 WRITE_REJECTED_INVALID_SETTING: with no register's value it is the codec's */
#define UNFINISHED "(a.result = ?3 AND a.outcome_t_ms IS NULL)"
#define LEFT                                                                                                           \
        "NOT (" UNFINISHED " OR (a.read_back IS NULL AND (a.result = ?4 OR (a.result = ?5 AND a.written IS NULL))))"

int evaluate_count_writes(const struct evaluate_args *a, struct evaluate_writes *ret)
{
        const struct store_param param[] = {{.i = a->from_ms},
                                            {.i = a->to_ms},
                                            {.i = WRITE_PENDING},
                                            {.i = WRITE_NOT_SENT},
                                            {.i = WRITE_REJECTED_INVALID_SETTING}};
        const size_t n = sizeof param / sizeof *param;
        int r = store_query_rows(a->store, "SELECT count(*), sum(" UNFINISHED "), sum(" LEFT ")" NO_WRITES, param, n,
                                 on_writes, ret);

        if (r == 0 && ret->left > 0)
                r = store_query_rows(a->store,
                                     "SELECT a.t_ms, (SELECT name FROM point WHERE id = a.point_id),"
                                     " (SELECT name FROM code WHERE kind = 'write_result' AND id = a.result)" NO_WRITES
                                     " AND " LEFT " ORDER BY a.id LIMIT 1",
                                     param, n, on_first, ret);
        return r;
}
