/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The status document of a running gate: what status.sock answers and `coolplane status` shows. One JSON object. */
#ifndef COOLPLANE_GATE_STATUS_H
#define COOLPLANE_GATE_STATUS_H

#include "agent/drivers/modbus.h"
#include "agent/drivers/mqtt.h"
#include "agent/gate/gate.h"

/* mqtt may be NULL. Returns the length written (always NUL-terminated; truncation yields a document of "error"). */
size_t status_json(const struct site *site, const struct clk *clk, const struct gate *g,
                   const struct modbus_driver *modbus, const struct mqtt_driver *mqtt, bool planner_connected,
                   char *buf, size_t cap);
/* Room that the document of this site needs. */
size_t status_cap(const struct site *site);

#endif
