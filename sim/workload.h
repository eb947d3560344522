/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * CPU use of VMs over time, from a CSV (rows = VMs, columns t0… in percent at 5 min, as PlanetLab; or timestamp,value
 * aggregates) or a built-in seeded generator (daily and weekly shape, bursts, AR noise). Periodic beyond its end.
 */
#ifndef COOLPLANE_SIM_WORKLOAD_H
#define COOLPLANE_SIM_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

struct workload;

int workload_synthetic(uint64_t seed, size_t nvm, struct workload **ret);
int workload_load(const char *path, struct workload **ret, char *reterr); /* as weather_load */
struct workload *workload_free(struct workload *w);
size_t workload_nvm(const struct workload *w); /* VM k of a plant uses trace k mod this, phase-shifted beyond */
double workload_cpu_ratio(const struct workload *w, size_t vm, int64_t t_ms);            /* 0–1 */
void workload_cpu_ratios(const struct workload *w, int64_t t_ms, size_t n, double *ret); /* of VMs 0…n−1, the same */

#endif
