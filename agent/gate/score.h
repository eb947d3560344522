/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The figures of an evaluation: running sums in constant memory, from one value or decision after another. A value that
 * is not finite says nothing and is not counted; a figure of nothing is NaN. Pure: no I/O, no clock, no allocation;
 * zero-initialised structs are empty.
 */
#ifndef COOLPLANE_GATE_SCORE_H
#define COOLPLANE_GATE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Errors of forecasts (forecast − reading), beside those of persistence over the same readings. */
struct score_error {
        size_t n;
        double sum, abs, sq, still_sq;
};
void score_error_add(struct score_error *e, double forecast, double before, double reading); /* before: at the origin */
void score_error_merge(struct score_error *to, const struct score_error *from);
double score_rmse(const struct score_error *e);
double score_mae(const struct score_error *e);
double score_bias(const struct score_error *e); /* > 0: forecast too warm */
double score_persistence(const struct score_error *e);
double score_skill(const struct score_error *e); /* 1 − RMSE/RMSE of persistence; NaN where that is 0 */

/* Readings beside bounds. Both bounds count as inside. An infinite bound is none: such a reading is not counted. */
struct score_cover {
        size_t n, inside;
        double width; /* sum */
};
void score_cover_add(struct score_cover *c, double lo, double hi, double reading);
void score_upper_add(struct score_cover *c, double hi, double reading); /* no lower bound, no width */
void score_cover_merge(struct score_cover *to, const struct score_cover *from);
double score_share(size_t part, size_t all);
double score_width(const struct score_cover *c); /* mean */

/* Distribution of a signed value: quantiles to 1 % of the value. What is below 1e-6 counts as 0 there, and what is
 * beyond 1e9 as that everywhere: a proposal may be anything, and a mean has to stay a number. */
enum { SCORE_BINS = 1750 };
struct score_dist {
        size_t n;
        double sum, max_abs;
        uint32_t zero, above[SCORE_BINS], below[SCORE_BINS];
};
void score_dist_add(struct score_dist *d, double v);
double score_dist_mean(const struct score_dist *d);
double score_dist_quantile(const struct score_dist *d, double q);     /* of the value, 0 < q ≤ 1 */
double score_dist_abs_quantile(const struct score_dist *d, double q); /* of its size */

/* The longest time in which steps differed without a break, all in one direction. A step stands for step_ms; one that
 * comes more than a step and a half after the one before begins anew. */
struct score_spell {
        int dir; /* of the present one, 0 = none */
        int64_t from_ms, last_ms;
        int longest_dir;
        int64_t longest_from_ms, longest_ms; /* 0 = none */
};
void score_spell_add(struct score_spell *s, int64_t t_ms, int64_t step_ms, int dir);

/* A temperature beside a soft and a hard limit. */
struct score_heat {
        size_t n, soft, hard; /* steps; above the limits */
        double max_c;         /* when n > 0 */
        int64_t max_t_ms;
};
void score_heat_add(struct score_heat *h, double soft_c, double hard_c, double v_c, int64_t t_ms);

/* Two powers of the same steps. */
struct score_power {
        size_t n;
        double predicted_w, measured_w; /* sums */
};
void score_power_add(struct score_power *p, double predicted_w, double measured_w);

/* How far apart two settings of one variable are. */
struct score_variable {
        struct score_dist change;     /* our action − what was in force; shadow only */
        struct score_dist ask;        /* proposal − what was in force; shadow only */
        struct score_dist cost;       /* action − proposal: what the safety layer changed (R30) */
        size_t steps, above, below;   /* of change: by at least the dead band */
        size_t not_finite, projected; /* proposals that were NaN or infinite; that were changed by more than rounding */
        struct score_spell spell;
};
/* in_force NaN: the gate was acting, or nothing is confirmed. proposal NULL: none. dead_band 0: any difference counts.
 * grain: what rounding and the dead band may change of a proposal. Returns the direction of change beyond dead_band. */
int score_variable_add(struct score_variable *v, int64_t t_ms, int64_t step_ms, double dead_band, double grain,
                       const double *proposal, double action, double in_force);

#endif
