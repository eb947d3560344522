/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Faults of a served plant: NAME@TIME with TIME in seconds of plant time since the start, or RFC 3339. On the wire of a
 * device (the rows of the fault catalogue they make on the right):
 *
 *   refuse:DEV blackhole:DEV                                                                       M1
 *   reset:DEV (in the middle of an answer)  half-open:DEV (the connections open now)               M2
 *   exception:DEV[:CODE] (1 to 11; default 4)                                                      M3
 *   truncated:DEV short:DEV overlong:DEV wrong-length:DEV wrong-unit:DEV wrong-tid:DEV late:DEV
 *   garbage:DEV                                                                                    M4
 *   slow:DEV:FACTOR (an answer takes FACTOR times 5 ms, byte by byte, real time)                   M11
 *   flood:DEV (frames nobody asked for, without end)                                               M13
 *   heal:DEV (ends these and those of its registers)
 *
 * A device has one of these at a time; reset, half-open, refuse and flood take along the units behind the same port.
 * Then the names of registers_fault (sim/registers.h): M3 M5 to M9, S7 to S9. Every other name goes to plant_fault.
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
/* 0 or -EINVAL: no such device, address or plant fault. m NULL: faults of the wire are looked at, not made. */
int fault_apply(const struct fault *f, struct registers *r, struct modbusd *m);
/* What fault_apply would say of each, tried on a copy of the plant. 0; -EINVAL and the first that does not exist there;
 * -ENOMEM. */
int fault_check(const struct fault *f, size_t n, const struct plant *p, const struct fault **ret_bad);

#endif
