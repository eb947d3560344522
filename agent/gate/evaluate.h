/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Scores of a recorded gate, from the database alone and in bounded memory: how well its model foresaw the plant (out
 * of sample: each forecast by the model set as it was at its decision), how what it decided compares with what was in
 * force, and what the record lacks. Writes nothing, opens no device.
 *
 * A shadow decision starts from what is in force: toward less cooling it is one step's rate away from it at most,
 * toward more it may be any distance; what it would have led to later was never tried. What a forecast says of it is
 * the model's word. Which readings were carried over a step is not stored: such a reading counts as one.
 */
#ifndef COOLPLANE_GATE_EVALUATE_H
#define COOLPLANE_GATE_EVALUATE_H

#include "agent/gate/advice.h"
#include "agent/gate/envelope.h"
#include "agent/gate/evaluate_series.h"
#include "agent/gate/hindsight.h"
#include "agent/store/store.h"

enum { EVALUATE_KINDS = 4, EVALUATE_PARTS = 4, EVALUATE_REASONS = 32, EVALUATE_WHYS = 8 };

/* Where a hottest inlet comes from (SERIES_HEATS). Forecasts are the gate's nominal model, anchored (arx_offset), over
 * the next five minutes, setpoints held, loads as they are; the worst case is the certificate's (action for a step,
 * then more cooling). */
enum evaluate_heat { HEAT_MEASURED, HEAT_IN_FORCE, HEAT_ACTION, HEAT_PROPOSAL, HEAT_WORST_CASE, HEAT_COUNT };

enum evaluate_group { GROUP_INLET, GROUP_SUPPLY, GROUP_COUNT };

struct evaluate_sum {
        size_t steps, by_kind[EVALUATE_KINDS], no_proposal; /* absent or malformed */
        struct score_heat heat[HEAT_COUNT];
        struct hindsight_score forecast[GROUP_COUNT];
        struct score_power power;   /* of cooling: the planner's for its proposal, the meters' */
        struct series_mean metered; /* W, of cooling: of all steps whose meters tell it */
        size_t compared, differing; /* variables × shadow steps; beyond the dead band */
};

struct evaluate_day {
        int64_t t_ms; /* begins, UTC */
        struct evaluate_sum sum;
};

struct evaluate_output {
        struct hindsight_score forecast;
        size_t unusable; /* steps without a usable reading */
};

struct evaluate_skip {
        const char *why; /* static */
        size_t n;
};

/* Actions of steps that may write nothing. The null driver leaves NOT_SENT, or refuses before a register has it. */
struct evaluate_writes {
        size_t recorded;   /* what would have been written */
        size_t unfinished; /* no outcome stored, as after kill -9 */
        size_t left;       /* with an outcome that only a device can give */
        char first[192];   /* of those that left: time, point, result */
        int64_t first_t_ms;
};

struct evaluation {
        const struct site *site;
        struct layout *layout;
        struct gate_envelope envelope;
        double soft_c, hard_c;
        size_t nahead, ahead[HINDSIGHT_AHEAD], horizon, stride; /* steps */
        int64_t first_ms, last_ms;            /* with a step for each changed decision at either end */
        size_t decisions;                     /* in the span, without: */
        struct store_stray stray[STORE_ROWS]; /* of a wrong clock (store_true_span), in no other figure */
        size_t scored;                        /* of this site file's configuration */
        size_t shadow;                        /* of these: not acting */
        size_t evidence;                      /* of these: with readings and model set */
        size_t changed; /* of the decisions: not as they were written; in no other figure, their time is a gap */
        struct evaluate_skip skip[EVALUATE_WHYS];
        size_t nskip;
        size_t reason[EVALUATE_KINDS][EVALUATE_REASONS];
        size_t certified[EVALUATE_KINDS]; /* of the scored: evaluate_certified */
        struct evaluate_sum all;
        struct evaluate_day *day;
        size_t nday;
        struct evaluate_output *y;                    /* [ny] */
        struct score_variable *u;                     /* [nu] */
        size_t (*answers)[ADVICE_ANSWERS];            /* [nu] the operator's, to advice of shadow (advice.h) */
        size_t hour_compared[24], hour_differing[24]; /* UTC */
        size_t gaps;
        int64_t gap_ms, longest_gap_ms, longest_gap_t_ms; /* beyond one step each */
        size_t (*quality)[3];                             /* [npoint] samples by enum quality */
        size_t samples;
        bool metered[EVALUATE_PARTS]; /* fans, chillers, pumps, towers; the planner's estimate holds all of them */
        size_t fitted;                /* certified rows of the newest model set that are, of envelope.safety.ncert */
        struct series series;
        struct evaluate_writes writes;
        bool unended; /* of a replay that did not end */
};

struct evaluate_args {
        const struct site *site; /* borrowed as long as the result */
        struct store *store;     /* of the decisions */
        struct store *samples; /* of the samples of their time: the same, or the log that was replayed; bound to site */
        int64_t from_ms, to_ms; /* INT64_MIN, INT64_MAX: all */
        bool unended;           /* decisions of a replay that did not end: told with the rest */
        void (*progress)(void *ctx, int64_t t_ms);
        void *ctx;
};

/* 0; -ENODEV: nothing can be commanded at this site, of ret only the writes are there; -errno of a store, -ENOMEM. Free
 * ret in any case. */
int evaluate_run(const struct evaluate_args *a, struct evaluation *ret);
void evaluate_free(struct evaluation *e);

/* Static text: why there is nothing to be said but of writes, NULL when there is something. */
const char *evaluate_refusal(const struct evaluation *e);
enum evaluate_group evaluate_group(const struct evaluation *e, size_t y);
/* The decision carries a certificate: those that the audit computes again, and whose worst case is told. A HOLD may. */
bool evaluate_certified(const struct store_decision *d);

#endif
