/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The table of traces behind struct workload, shared by the generator and the reader.
 */
#ifndef COOLPLANE_SIM_WORKLOAD_INTERNAL_H
#define COOLPLANE_SIM_WORKLOAD_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "sim/workload.h"

#define WORKLOAD_FULL 50000.0 /* stored value of ratio 1 */

struct workload {
        size_t ntrace, nsample;
        double step_s;
        double shift_max_s; /* VMs beyond ntrace see their trace at most this much later */
        uint16_t *ratio;    /* [nsample × ntrace]: what is read together lies together */
};

int workload_alloc(size_t ntrace, size_t nsample, double step_s, struct workload **ret);
uint16_t workload_encode(double ratio);

#endif
