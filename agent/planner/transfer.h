/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* How far the energy model of a log carries: from where the plant was to where other settings would take it. No clock,
 * no logging; allocates. */
#ifndef COOLPLANE_PLANNER_TRANSFER_H
#define COOLPLANE_PLANNER_TRANSFER_H

#include "models/energy/energy.h"

/* How wrong the model may be about a plant whose state lies, in the mean, by `shift` beside the samples' (fields:
 * differences, powers ignored; NaN: none): the samples are split across that direction, each half is foretold by the
 * model fitted on the other, and the error, a share of what the metered parts drew, is scaled from the halves' distance
 * to the shift's. Part by part, so that one's error does not hide another's.
 * 0; -ENODATA: too few samples, or none that way; -ENOMEM. */
int transfer_error(const struct energy *e, const struct energy_sample *shift, double *ret_ratio);

/* What the log's own residuals say of the model where it would be used: at each of our states the mean of the residuals
 * of what was sampled near it (Gaussian kernel over what the part depends on). A part's model and correction together
 * are its doubly robust estimate (Dudik, Langford and Li 2011; for continuous actions Kallus and Zhou 2018): right
 * where the model is, and where the log has been. */
struct transfer_correction {
        double power_w[ENERGY_PARTS]; /* to be added to the mean of ours; 0 where nothing is near */
        double support[ENERGY_PARTS]; /* share of our states with an hour of samples near them; NaN: never metered */
};
/* ours: [n] means over slow steps; beyond some thousands every so many are taken. 0, -ENOMEM. */
int transfer_correct(const struct energy *e, const struct energy_sample *ours, size_t n,
                     struct transfer_correction *ret);

#endif
