/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/num/rng.h"

#include <math.h>

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream)
{
        r->state = 0;
        r->inc = (stream << 1) | 1u;
        (void)rng_u32(r);
        r->state += seed;
        (void)rng_u32(r);
}

uint32_t rng_u32(struct rng *r)
{
        uint64_t old = r->state;
        r->state = old * 6364136223846793005ULL + r->inc;
        uint32_t xorshifted = (uint32_t)(((old >> 18) ^ old) >> 27);
        uint32_t rot = (uint32_t)(old >> 59);
        return (xorshifted >> rot) | (xorshifted << ((32u - rot) & 31u));
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
        /* reject the short remainder so that every residue has the same number of preimages */
        uint32_t threshold = (uint32_t)(0u - n) % n;
        uint32_t v = rng_u32(r);
        while (v < threshold)
                v = rng_u32(r);
        return v % n;
}

double rng_uniform(struct rng *r)
{
        uint64_t hi = rng_u32(r) >> 5, lo = rng_u32(r) >> 6;
        return (double)(hi * 67108864u + lo) * (1.0 / 9007199254740992.0);
}

double rng_range(struct rng *r, double lo, double hi)
{
        return lo + (hi - lo) * rng_uniform(r);
}

double rng_normal(struct rng *r)
{
        double u, s;
        do {
                u = 2.0 * rng_uniform(r) - 1.0;
                double v = 2.0 * rng_uniform(r) - 1.0;
                s = u * u + v * v;
        } while (s >= 1.0 || s <= 0.0);
        return u * sqrt(-2.0 * log(s) / s);
}

double rng_exponential(struct rng *r, double mean)
{
        return -mean * log(1.0 - rng_uniform(r));
}
