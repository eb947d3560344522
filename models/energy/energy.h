/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Plant power as a function of what we set and what we measure: per part a ridge regression toward physics over
 * physically shaped features (fan cubes, load × water temperatures, part load, the valves' flow and its cube, the cube
 * of the air that a tower needs), in fractions of the plant's capacity. Coefficients are boxed to the signs and sizes
 * physics allows (warmer chilled water never costs chiller power), so that little data, or data without excitation,
 * degrade to physics, in proportion to what the plant draws: −2.4 % chiller power per kelvin of warmer chilled water,
 * +2.2 % per kelvin of condenser water, the means of published chillers (1 to 4 %). Each number of machines (the newest
 * sample's, one less and one more) has coefficients of its own, but for the fans, from its own samples: another part
 * load, and often other slopes; where there are few, the newest's hold. Members differ by a block bootstrap and by the
 * physics they start from; the spread says how far to trust the mean.
 *
 * Keeps the last ENERGY_SAMPLES samples. Pure: caller's memory, no I/O, deterministic by seed.
 */
#ifndef COOLPLANE_ENERGY_ENERGY_H
#define COOLPLANE_ENERGY_ENERGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENERGY_SAMPLES 4096

/* The state of the plant averaged over one slow step. SI. NaN = not measured (the features that need it drop out). */
struct energy_sample {
        double fan_ratio_cubed; /* Σ over CRAHs of fan³ × rated power share (dimensionless, 0–1) */
        double heat_w;          /* load on the chillers: IT + CRAH fan power */
        double chwst_c, cwst_c, wetbulb_c;
        double chillers_on; /* number running */
        double valve_mean_ratio;
        double power_w[4]; /* measured: fans, chillers, pumps, towers (NaN where not metered) */
};
enum energy_part { ENERGY_FANS, ENERGY_CHILLERS, ENERGY_PUMPS, ENERGY_TOWERS, ENERGY_PARTS };

struct energy;
size_t energy_memsize(void);
/* mem: energy_memsize() bytes aligned to 16, borrowed. total_capacity_w: rated cooling, > 0. -EINVAL. */
int energy_create(void *mem, size_t size, uint64_t seed, double total_capacity_w, struct energy **ret);
/* Absurd values (infinite, negative power) count as not measured. A sample without any measured power is not kept. */
void energy_add(struct energy *e, const struct energy_sample *s);
/* Refits all parts with enough data; returns the number of parts fitted. */
size_t energy_fit(struct energy *e);

struct energy_estimate {
        double power_w; /* total of all parts; a part never metered counts with its physics */
        double std_w;   /* ensemble spread */
        double part_w[ENERGY_PARTS];
        double distance; /* out-of-distribution score: 0 inside the data, 1 = one data spread away */
};
/* false when nothing is fitted yet. power_w[] of s is ignored. */
bool energy_predict(const struct energy *e, const struct energy_sample *s, struct energy_estimate *ret);

/* What each member says of each part: what they disagree about is what the data leave open. NaN: a
 * part whose features are not known. false as above. */
enum { ENERGY_MEMBERS = 8 };
bool energy_members(const struct energy *e, const struct energy_sample *s, double ret_w[ENERGY_MEMBERS][ENERGY_PARTS]);

double energy_capacity_w(const struct energy *e);
/* Oldest first; k < energy_info's samples. */
const struct energy_sample *energy_sample_at(const struct energy *e, size_t k);

/* The state without its powers as a vector, in the order of the fields; heat as a share of the capacity. */
enum { ENERGY_STATES = 7 };
void energy_state(const struct energy *e, const struct energy_sample *s, double ret[ENERGY_STATES]);
/* Means and standard deviations (data spreads) of the samples' states; no spread is less than a move that an operator
 * would call small. ret_mean may be NULL. */
void energy_spread(const struct energy *e, double ret_mean[ENERGY_STATES], double ret_spread[ENERGY_STATES]);

struct energy_info {
        size_t samples;
        /* Of the metered total on the last 30 %, chronological, model fitted on the rest; NaN below 40 samples.
         * nmbe > 0: predicted too high. Computed by energy_fit. */
        double cv_rmse_ratio, nmbe_ratio;
};
void energy_info(const struct energy *e, struct energy_info *ret);

/* Serialised form (versioned, little-endian, CRC-32): the samples; load refits. save: returns bytes needed; writes when
 * cap suffices. load: -EINVAL (version, CRC, other capacity, bad numbers). Untouched on failure. */
size_t energy_save(const struct energy *e, void *buf, size_t cap);
int energy_load(struct energy *e, const void *buf, size_t len);

#endif
