/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Forecasts judged afterwards: from each decision, with the model set as it was then, what it foresaw under the inputs
 * that really were in force in the steps after it (the windows of later decisions tell), beside the readings that came.
 * Nominal forecast at some distances; the one-step upper bound; the model set's whole interval over the horizon.
 * Keeps as many decisions as the longest distance has steps, with their sets: of large sets only every stride-th
 * decision begins a forecast. Allocates at create only. The model is the caller's: hindsight puts the sets of earlier
 * decisions into it.
 */
#ifndef COOLPLANE_GATE_HINDSIGHT_H
#define COOLPLANE_GATE_HINDSIGHT_H

#include "agent/gate/score.h"
#include "models/arx/arx.h"

enum { HINDSIGHT_AHEAD = 3 };

struct hindsight_args {
        struct arx *model;
        size_t window;                         /* rows of a window at most */
        const uint8_t *judged;                 /* [ny] 1: an output to be judged; borrowed */
        size_t nahead, ahead[HINDSIGHT_AHEAD]; /* steps, rising */
        size_t horizon;                        /* steps of the interval */
        size_t memory;                         /* bytes that kept sets may take */
};

/* What was found of one output, or of several together. */
struct hindsight_score {
        struct score_error error[HINDSIGHT_AHEAD];    /* nominal */
        struct score_error anchored[HINDSIGHT_AHEAD]; /* and what it lately missed added in each step (arx_offset) */
        struct score_cover upper;                     /* one step, upper bound */
        struct score_cover step, end;                 /* interval one step ahead, and at the end of the horizon */
        struct score_cover inside;                    /* interval at every step of the horizon */
};
void hindsight_score_merge(struct hindsight_score *to, const struct hindsight_score *from);

/* All that one forecast told of output i: t_ms is its decision's. */
typedef void (*hindsight_fn)(void *ctx, size_t i, int64_t t_ms, const struct hindsight_score *s);

struct hindsight;
int hindsight_create(const struct hindsight_args *a, hindsight_fn fn, void *ctx, struct hindsight **ret);
struct hindsight *hindsight_free(struct hindsight *h);
size_t hindsight_stride(const struct hindsight *h);

/* The next decision: its window (last row = now), what was read of each output (NaN: nothing that can be used) and the
 * bytes of its model set (arx_set_save; NULL: no forecast begins here). follows: one step after the decision before,
 * whose inputs in force are then in the window's last row but one. */
void hindsight_step(struct hindsight *h, int64_t t_ms, bool follows, const struct arx_window *w, const double *reading,
                    const uint8_t *set);
/* The record ends or breaks off: what began is judged as far as readings came. */
void hindsight_end(struct hindsight *h);

#endif
