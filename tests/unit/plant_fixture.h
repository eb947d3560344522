/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A seeded plant with its weather and load, for the plant tests. Include after cmocka.h. */
#ifndef COOLPLANE_TESTS_PLANT_FIXTURE_H
#define COOLPLANE_TESTS_PLANT_FIXTURE_H

#include <stdlib.h>

#include "sim/plant.h"

#define SPRING_MS INT64_C(1649635200000) /* 2022-04-11, a Monday */
#define WINTER_MS INT64_C(1642982400000) /* 2022-01-24, a Monday */
#define SUMMER_MS INT64_C(1658102400000) /* 2022-07-18, a Monday */

struct rig {
        struct weather *weather;
        struct workload *load;
        struct plant *plant;
};

static inline uint64_t rig_seed(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        const uint64_t seed = s != NULL ? strtoull(s, NULL, 10) : 1;

        print_message("seed %llu\n", (unsigned long long)seed);
        return seed;
}

/* The last year and load made: most tests want the same, and making them takes longer than a day of plant. A rig of
 * another seed or size ends those before it, so free it first. */
static struct {
        struct weather *weather;
        struct workload *load;
        uint64_t seed;
        size_t vms;
} rig_cache;

/* Group teardown. */
static inline int rig_forget(void **state)
{
        (void)state;
        rig_cache.weather = weather_free(rig_cache.weather);
        rig_cache.load = workload_free(rig_cache.load);
        rig_cache.vms = 0;
        return 0;
}

static inline struct rig rig_new(const char *site, uint64_t seed, int64_t start_ms)
{
        struct rig r = {0};
        struct plant_spec spec;

        assert_int_equal(plant_spec_named(site, &spec), 0);
        spec.seed = seed;
        if (rig_cache.seed != seed || rig_cache.vms != spec.vms) {
                (void)rig_forget(NULL);
                assert_int_equal(weather_synthetic(seed, &rig_cache.weather), 0);
                assert_int_equal(workload_synthetic(seed, spec.vms, &rig_cache.load), 0);
                rig_cache.seed = seed;
                rig_cache.vms = spec.vms;
        }
        r.weather = rig_cache.weather;
        r.load = rig_cache.load;
        assert_int_equal(plant_create(&spec, r.weather, r.load, start_ms, &r.plant), 0);
        return r;
}

static inline void rig_free(struct rig *r)
{
        r->plant = plant_free(r->plant);
}

#endif
