/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Faults of a served plant: NAME@TIME with TIME in seconds of plant time since the start, or RFC 3339.
 * Wire faults: blackhole:DEVICE garbage:DEVICE exception:DEVICE refuse:DEVICE illegal:DEVICE:ADDRESS heal:DEVICE.
 * Every other name goes to plant_fault.
 */
#ifndef COOLPLANE_SIM_SERVE_FAULT_H
#define COOLPLANE_SIM_SERVE_FAULT_H

#include "sim/modbusd.h"

#define FAULT_MAX 64

struct fault {
        char name[96];
        int64_t t_ms; /* since the start when relative, else UTC */
        bool relative, done;
};

/* 0, -EINVAL. */
int fault_parse(const char *text, struct fault *ret);
/* 0 or -EINVAL: no such device, address or plant fault. */
int fault_apply(const struct fault *f, struct registers *r, struct modbusd *m);

#endif
