/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Shared by the files of an evaluation: evaluate.c walks the record, evaluate_decision.c scores one decision,
 * evaluate_writes.c counts what may have left. */
#ifndef COOLPLANE_GATE_EVALUATE_INTERNAL_H
#define COOLPLANE_GATE_EVALUATE_INTERNAL_H

#include "agent/base/hash.h"
#include "agent/gate/evaluate.h"
#include "agent/gate/evidence.h"
#include "agent/gate/safety_model.h"

#define EVALUATE_DAY_MS ((int64_t)86400000)

struct evaluator {
        const struct evaluate_args *a;
        struct evaluation *e;
        char config[2 * HASH_LEN + 1];
        struct safety_model model;
        struct evidence *evidence;
        struct hindsight *hindsight;
        struct advice *advice; /* [nu] */
        uint8_t *judged;       /* [ny] */
        double *reading;       /* [ny] */
        double *u_ahead, *d_ahead, *y, *work, *offset;
        int64_t set_id;
        int64_t from_ms, to_ms;      /* the span without decisions of a wrong clock */
        struct series_moment moment; /* what this decision adds to the series */
        /* the decision before this one */
        bool any, follows_evidence;
        int64_t run_id, t_ms;
        size_t pending; /* changed ones since then */
        struct evaluate_day *today;
        /* newest reading of each point, for powers; NaN: not good */
        double *value; /* [npoint] */
        int64_t *seen_ms;
        int64_t samples_ms; /* read up to here */
};

/* The day of this time: days come in order, but a clock that was set back may come again to one that is there. NULL: no
 * memory. */
struct evaluate_day *evaluate_day_of(struct evaluation *e, int64_t t_ms);
/* One more that was not scored, or only in part. why: static. */
void evaluate_not_scored(struct evaluation *e, const char *why);

/* Which parts of cooling have a meter. */
void evaluate_find_meters(struct evaluation *e);
/* One decision, to the whole, its day and v->moment. follows: it comes one step after the one before; readable: what
 * evidence_read said of it, -ENODATA when nothing is stored. 0, -ENOMEM, -errno of a store. */
int evaluate_decision(struct evaluator *v, const struct store_record *rec, bool follows, int readable);

/* Actions of steps that may write nothing, in the span that was asked for. 0, -errno. */
int evaluate_count_writes(const struct evaluate_args *a, struct evaluate_writes *ret);

#endif
