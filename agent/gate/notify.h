/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* systemd readiness and watchdog (sd_notify). Silent where no supervisor listens. */
#ifndef COOLPLANE_GATE_NOTIFY_H
#define COOLPLANE_GATE_NOTIFY_H

#include <stdint.h>

/* cycle_ms: real time of a control cycle; a service watchdog shorter than three of them is made three. */
void notify_ready(const char *status, int64_t cycle_ms);
void notify_status(const char *status);
void notify_watchdog(void); /* only after a completed control cycle */
void notify_stopping(void);

#endif
