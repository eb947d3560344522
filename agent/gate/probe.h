/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Does a device's watchdog act? Many are shipped with it switched off, and then nothing would end our last setpoint if
 * we died. So before the first setpoint the gate withholds the heartbeat of a device that it has made remote, and takes
 * it for good only when it was seen to go local and to come back. What came of it is remembered in the database, for
 * the configuration it was found under.
 */
#ifndef COOLPLANE_GATE_PROBE_H
#define COOLPLANE_GATE_PROBE_H

#include "agent/points/site.h"
#include "agent/store/store.h"

#define PROBE_GOOD_FOR_MS (INT64_C(30) * 86400 * 1000) /* a proof: within this time a restart does not ask again */

struct probe_result {
        int64_t t_ms; /* when; 0 = never, or under another configuration */
        bool acts;    /* it went local and came back; false: it stayed remote */
};

/* What the database remembers of each device. ret [ndevice]. 0, or the store's error (-ENOENT: nothing). */
int probe_read(struct store *s, const struct site *site, struct probe_result *ret);
/* A proof that still counts at t_ms: neither too old nor from the future. */
bool probe_counts(const struct probe_result *r, int64_t t_ms);

#endif
