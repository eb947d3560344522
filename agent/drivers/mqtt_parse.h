/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The parser of sample messages as the driver uses it; mqtt.h has the plain form. */
#ifndef COOLPLANE_DRIVERS_MQTT_PARSE_H
#define COOLPLANE_DRIVERS_MQTT_PARSE_H

#include "agent/drivers/mqtt.h"

#define MQTT_PARSE_MAX (256 * 1024)            /* bytes */
#define MQTT_PARSE_DEPTH 8                     /* objects and arrays inside each other */
#define MQTT_PARSE_RETAINED_AGE_MS (60 * 1000) /* for points without stale_after */

/* retained: values older than the point's stale_after are left out. ahead_ms: our clock minus the senders' (clock.h),
 * added to their times. Otherwise as mqtt_parse_samples. */
int mqtt_parse_message(const struct site *site, int device, const char *json, size_t len, int64_t now_ms,
                       int64_t ahead_ms, bool retained, struct sample_sink sink, const char **ret_why);

#endif
