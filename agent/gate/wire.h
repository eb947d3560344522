/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Live and shadow: the gate joined to a real clock, Modbus and MQTT drivers, the planner's socket and systemd. The two
 * differ in one line: live gives the Modbus driver a write path, shadow gives the gate the null driver.
 */
#ifndef COOLPLANE_GATE_WIRE_H
#define COOLPLANE_GATE_WIRE_H

#include <sys/types.h>

#include "agent/base/clock.h"
#include "agent/points/site.h"

struct wire_args {
        const struct site *site;
        struct clk clk;
        bool live;          /* false: shadow */
        uid_t planner_uid;  /* the user planner.sock listens to */
        int64_t explore_ms; /* identification phase, plant time */
};

/* Runs until SIGTERM/SIGINT (hand-back done) or a fatal error; returns an exit code of exitcode.h. */
int wire_run(const struct wire_args *a);

#endif
