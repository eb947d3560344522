/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* systemd readiness and watchdog (sd_notify). Silent where no supervisor listens. */
#ifndef COOLPLANE_GATE_NOTIFY_H
#define COOLPLANE_GATE_NOTIFY_H

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_watchdog(void); /* only after a completed control cycle */
void notify_stopping(void);

#endif
