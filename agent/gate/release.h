/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Fail-back: after a gate that ended without handing the plant back, remote enable of every device is cleared and
 * nothing else is written, so that the plant is local at once and not only after its own watchdogs. A device whose
 * remote enable and remote status both read 0 is left alone; what a device does not accept is written again until time
 * is up. Runs only when no gate does (the database's lock), and never longer than RELEASE_MAX_MS.
 */
#ifndef COOLPLANE_GATE_RELEASE_H
#define COOLPLANE_GATE_RELEASE_H

#include "agent/base/clock.h"
#include "agent/points/site.h"

enum { RELEASE_READ_MS = 3000, RELEASE_WRITE_MS = 5000, RELEASE_MAX_MS = RELEASE_READ_MS + RELEASE_WRITE_MS };

/* An exit code of exitcode.h: 0 every device is local, 69 one did not confirm it, 75 a gate runs, 74 no lock. */
int release_run(const struct site *site, const struct clk *clk);

#endif
