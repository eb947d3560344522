/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Seeded random numbers: PCG-XSH-RR 64/32 (O'Neill 2014, HMC-CS-2014-0905). The seed and stream are inputs; the same
 * pair gives the same numbers on every machine. No globals.
 */
#ifndef COOLPLANE_NUM_RNG_H
#define COOLPLANE_NUM_RNG_H

#include <stdint.h>

struct rng {
        uint64_t state, inc;
};

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
uint32_t rng_u32(struct rng *r);
/* Uniform on [0, n), unbiased; n ≥ 1. */
uint32_t rng_below(struct rng *r, uint32_t n);
/* Uniform on [0, 1), 53 bits. */
double rng_uniform(struct rng *r);
double rng_range(struct rng *r, double lo, double hi);
/* Standard normal (Marsaglia polar). */
double rng_normal(struct rng *r);
/* Exponential with mean `mean`. */
double rng_exponential(struct rng *r, double mean);

#endif
