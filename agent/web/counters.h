/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Counters of the present run of the gate, added up from rows as they appear: every row of decision and action is
 * read once, by its key. A new run starts them at zero, as a restarted program would. Decisions are counted from the
 * run's start; writes from its start or from the newest COUNTERS_ACTIONS_MAX rows when this process joins a longer run.
 * A write counts when its outcome is known, or as PENDING after ten minutes without one.
 */
#ifndef COOLPLANE_WEB_COUNTERS_H
#define COOLPLANE_WEB_COUNTERS_H

#include "agent/store/store.h"

enum { COUNTERS_REASONS = 32, COUNTERS_ACTIONS_MAX = 500000, COUNTERS_BUCKETS = 8 };

struct counters_write {
        char point[POINT_NAME_MAX], result[48];
        uint64_t n, unsettled; /* behind a write without an outcome: counted anew each time */
};

struct counters {
        int64_t run_id, last_step, last_action_id;
        uint64_t kind[4];                        /* enum decision_kind */
        uint64_t intervention[COUNTERS_REASONS]; /* decisions that are not ACCEPT, by reason */
        uint64_t failback[COUNTERS_REASONS];     /* entries into FALLBACK, by reason */
        int last_kind;                           /* −1 = none yet */
        uint64_t solve_bucket[COUNTERS_BUCKETS]; /* not cumulated; beyond the last bound: in solve_n only */
        uint64_t solve_n;
        double solve_sum_s;
        struct counters_write *write;
        size_t nwrite, cap;
        /* of one update */
        int64_t now_t_ms;
        bool behind_unsettled, failed;
};

/* Upper bounds of the solve-time histogram, s. */
extern const double counters_bound_s[COUNTERS_BUCKETS];

void counters_init(struct counters *c);
/* run_id 0 = no run yet; newest_t_ms: plant time of the newest sample. */
int counters_update(struct counters *c, struct store *store, int64_t run_id, int64_t newest_t_ms);
void counters_clear(struct counters *c);

#endif
