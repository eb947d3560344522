/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the words in building logs mean: numbers, qualities, log events, lines that sum up. Case, braces and the kind of
 * dash do not matter. Pure.
 */
#ifndef COOLPLANE_STORE_IMPORT_WORDS_H
#define COOLPLANE_STORE_IMPORT_WORDS_H

#include "agent/store/import_map.h"

enum import_event {
        IMPORT_EVENT_ENABLED,
        IMPORT_EVENT_DISABLED,
        IMPORT_EVENT_PURGED,
        IMPORT_EVENT_INTERRUPTED,
        IMPORT_EVENT_CLOCK,
        IMPORT_EVENT_OTHER, /* another log status, or a text of the map's `events` */
        IMPORT_EVENT_COUNT_,
};
const char *import_event_str(enum import_event e);

/* A number with the map's decimal mark, without thousands marks; or one of the map's `words`. 0 or -EINVAL. */
int import_number(const struct import_map *m, const char *text, double *ret);

/* The log event that a text names; −1 = none. ("log-disabled", "Buffer purged", "time-change 3600", …) */
int import_event_of(const struct import_map *m, const char *text);

/* First cell of a line that sums up: "Total", "Average:", "Min", "End of Report", "-----". */
bool import_is_summary(const struct import_map *m, const char *text);

/* What a status says of its value. Several words ("{fault,alarm}", "Good, non-specific"): the worst. Known as good: ok,
 * good, alarm, unackedAlarm, normal, valid, 192, and the map's `good`; "overridden" is good for what is commanded (that
 * is what the plant got) and bad for what is measured. Four truth values are BACnet's in-alarm, fault, overridden,
 * out-of-service. A word nobody knows, or none at all, is bad. */
struct import_quality {
        uint8_t quality, reason; /* enum quality, quality_reason */
        bool unknown;
};
struct import_quality import_quality_of(const struct import_map *m, const char *text, bool commanded);

/* Niagara's trend flags: start and outOfOrder change nothing; hidden, modified, interpolated were not measured. */
struct import_quality import_flags_of(const char *text);

#endif
