/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A stretch of history resampled to the control step in the site's layout: rows at t0 + k·step, each value the mean of
 * the good samples of that step (setpoints and on/off: the last). A step without a sample is NaN for outputs, which a
 * model learns from and is judged by; disturbances are held for at most `hold` steps.
 * Gaps between separate days stay gaps (NaN rows are not created for gaps longer than 10 steps: a new segment starts).
 * Steps begin at multiples of the step since the epoch. Setpoints are carried without limit inside a segment, but once
 * their reading failed (quality BAD) like disturbances: nobody knows what a silent device does.
 *
 * For an ARX pair the last row is "now" at the end of its step, so the inputs in force from row r to r + 1 (arx_window
 * wants them in row r) are u and d of row r + 1 here.
 */
#ifndef COOLPLANE_STORE_DATASET_H
#define COOLPLANE_STORE_DATASET_H

#include "agent/points/layout.h"
#include "agent/store/store.h"

struct dataset {
        size_t n, nu, ny, nd;
        double *y, *u, *d;      /* [n × ny], [n × nu], [n × nd] row-major */
        int64_t *t_ms;          /* [n] start of the step */
        uint8_t *segment_start; /* [n] 1 = no continuity with the row before */
};

int dataset_load(struct store *s, const struct layout *l, int64_t from_ms, int64_t to_ms, size_t hold,
                 struct dataset **ret);
struct dataset *dataset_free(struct dataset *d);

/* Streaming form used by the gate, the planner's first training and replay: push samples, take a row at each control
 * step. lost_hold: steps for which a setpoint is carried that could not be read; the gate, which knows its devices and
 * must have a value for each, passes SIZE_MAX. */
struct resampler;
int resampler_create(const struct layout *l, size_t hold, size_t lost_hold, struct resampler **ret);
struct resampler *resampler_free(struct resampler *r);
void resampler_push(struct resampler *r, const struct sample *s);
/* Closes the step that ends at t_ms: y [ny], u [nu], d [nd]; NaN where nothing valid. ret_age [ny] (or NULL): steps
 * since the output's last good sample by its source time, 0 = in this step, UINT32_MAX = never. */
void resampler_row(struct resampler *r, int64_t t_ms, double *ret_y, double *ret_u, double *ret_d, uint32_t *ret_age);

#endif
