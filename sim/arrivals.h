/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * VMs that come and go: flavours arriving in bins of 5 min, each with a lifetime known to a bin of its own, from the
 * Azure V1 traces (Cortez et al., SOSP 2017, as laid out by huaweicloud/trace_generation_rnn) or a seeded generator.
 * Periodic: the trace repeats after its last whole day.
 *
 * A lifetime marked C is censored: the VM was still running at that age when the recording ended. How much longer it
 * lives is drawn from the lifetimes of those that got older (actuarial life table); where none did, at the rate of the
 * oldest that were seen.
 */
#ifndef COOLPLANE_SIM_ARRIVALS_H
#define COOLPLANE_SIM_ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#include "models/num/rng.h"

#define ARRIVALS_BIN_S 300

struct arrivals;

/* What DIR holds. */
enum { ARRIVALS_FLAVOURS, ARRIVALS_LIVES, ARRIVALS_WHAT, ARRIVALS_LIFE, ARRIVALS_FILES };
extern const char *const arrivals_file[ARRIVALS_FILES];
/* 0, -ENOMEM, -errno of opening, or -EINVAL, the last two with "file:line: reason" in reterr (256 bytes). */
int arrivals_load(const char *dir, struct arrivals **ret, char *reterr);
int arrivals_synthetic(uint64_t seed, struct arrivals **ret);
struct arrivals *arrivals_free(struct arrivals *a);

size_t arrivals_nbin(const struct arrivals *a); /* of one period */
/* Those of bin k, k < nbin: indices from *ret_first on. */
size_t arrivals_in_bin(const struct arrivals *a, size_t k, size_t *ret_first);
void arrivals_size(const struct arrivals *a, size_t i, double *ret_cores, double *ret_mem_gib);
/* Draws the lifetime of arrival i, > 0. */
double arrivals_life_s(const struct arrivals *a, size_t i, struct rng *rng);
double arrivals_life_max_s(const struct arrivals *a);
/* Running at once in the long run when every arrival is taken. */
void arrivals_running(const struct arrivals *a, double *ret_vms, double *ret_cores);

#endif
