/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Training from stored history: fits the ARX model on the first part of a dataset and judges it on the rest, in time
 * order (never shuffled), against persistence; collects energy samples; reads and writes model files. Model, samples
 * and way of predicting are the running planner's (model.h, plant.h); it goes on learning, the judged one does not. No
 * clock, no logging; allocates.
 */
#ifndef COOLPLANE_PLANNER_TRAIN_H
#define COOLPLANE_PLANNER_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/planner/model.h"
#include "agent/points/layout.h"
#include "agent/store/dataset.h"
#include "models/energy/energy.h"

#define TRAIN_HORIZONS 3 /* one step, 5 min, 15 min */
#define TRAIN_KINDS 3    /* enum y_kind */

struct train_args {
        unsigned lags;      /* of outputs and inputs, at most */
        double split;       /* share of the usable steps that is fitted, 0 < split < 1 */
        bool refit;         /* after judging, learn the rest too: what a controller wants to use */
        size_t min_samples; /* fewer: the row stays unfitted */
        size_t origins_max; /* starting points of free runs; more are thinned evenly */
        struct arx_args arx;
        const uint8_t *running; /* [n × ny] 1 = learn from and judge this output here; NULL = model_runs */
        void (*progress)(void *ctx, size_t done, size_t total); /* may be NULL */
        void *ctx;
};
void train_args_default(struct train_args *ret); /* the planner's; 0.7 */

/* Errors over all outputs of a kind, in the unit of y (K or ratio). Free runs start from measured values and see no
 * output after that. `held`: inputs stay at their last value, disturbances as model_forecast says (no knowledge of the
 * future). `planned`: the inputs that really came: what a planner knows, that sets the inputs itself. `known`: both as
 * they came. */
struct train_error {
        size_t n;
        double held, planned, known, persistence; /* RMSE; NaN when n = 0 */
};
struct train_kind {
        size_t outputs, fitted;
        struct train_error h[TRAIN_HORIZONS];
};
struct train_report {
        size_t rows, rows_fit; /* of the dataset; before the split */
        size_t pairs;          /* one-step pairs offered to the fit */
        int64_t from_ms, split_ms, to_ms;
        size_t horizon_steps[TRAIN_HORIZONS];
        bool refitted;
        struct train_kind kind[TRAIN_KINDS];
};

/* 0; -ENODATA when no row could be fitted (*ret_report is still filled, no model); -EINVAL, -ENOMEM. */
int train_arx(const struct dataset *ds, const struct layout *l, const struct train_args *a, struct model **ret_model,
              struct train_report *ret_report);

/* model_runs for every row, where a fan is commanded; else, in a log of another controller, by the status point first.
 * ret [n × ny]. */
int train_running(struct store *s, const struct layout *l, const struct dataset *ds, uint8_t *ret);

/* Means over slow steps of the dataset and the powers metered in the store, added to e in time order. */
int train_energy(struct store *s, const struct layout *l, const struct dataset *ds, struct energy *e,
                 size_t *ret_samples);

/* --- model files -------------------------------------------------------------------------------------------------- */

#define TRAIN_FILE_BEGINS "CPMD"

struct train_file {
        unsigned na, nb;
        int64_t step_ms, from_ms, to_ms;
        uint8_t config_hash[32];
        struct arx_args arx_args;
        double capacity_w; /* of energy; 0 = none */
        struct model *model;
        void *energy_mem; /* may be NULL */
        struct energy *energy;
        char *report_json; /* what training printed */
        /* Since format version 2 (a file with told false is written as version 1): whether everything was learned, and
         * the log from from_ms to to_ms as log_print.h knows it. */
        bool told, refit;
        uint64_t log_samples, log_sum;
};
/* Writes path.new, syncs, renames. 0 or -Exxx. */
int train_file_write(const char *path, const struct train_file *f);
/* 0; -ENOENT, -EIO, -EBADMSG (not a model file, damaged, or from another version). */
int train_file_read(const char *path, struct train_file **ret);
struct train_file *train_file_free(struct train_file *f);

/* One JSON object, no newline: rows, steps, holdout{inlet,sat,valve}, energy. e may be NULL. */
void train_report_json(FILE *out, const struct train_report *r, const struct energy *e);

#endif
