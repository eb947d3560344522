/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Time stamps of foreign logs: text by a strptime-like pattern (English month names whatever the locale, whole text
 * must match, numbers need no leading zeros), and local time to UTC with the hours that happen twice or never made
 * visible.
 *
 * Patterns: %Y %m %d %H %M %S %y (69–99 → 19xx) %I %p %b %f (fraction after a '.') %z (Z, ±hh:mm, ±hhmm) %Z (UTC, GMT,
 * or an abbreviation such as CDT that the zone must know) %s (epoch or elapsed seconds, may have a fraction) %Q (epoch
 * ms)
 * %%; a blank matches one or more blanks. Hour 24 with minute and second 0 is midnight at the end of the day.
 */
#ifndef COOLPLANE_STORE_LOGTIME_H
#define COOLPLANE_STORE_LOGTIME_H

#include <stdbool.h>
#include <stdint.h>

#define LOGTIME_ZONE_MAX 64
#define LOGTIME_ABBREV_MAX 8

/* Fixed offset, or an IANA zone of the system's tz database. */
struct logtime_zone {
        char name[LOGTIME_ZONE_MAX];
        bool fixed;
        int32_t offset_s; /* fixed: east of UTC */
};

/* "UTC", "Z", "+01:00", "-0600", or "Europe/Berlin". -EINVAL when it is neither or the system does not know it. */
int logtime_zone_parse(const char *s, struct logtime_zone *ret);

/* What the text says. */
struct logtime_text {
        bool epoch;                      /* %s, %Q: seconds since 1970, or since a beginning of their own */
        bool absolute;                   /* %z, %s, %Q, or %Z that said UTC or GMT: wall_ms is UTC */
        int64_t wall_ms;                 /* else ms since 1970-01-01T00:00 on the local wall clock */
        char abbrev[LOGTIME_ABBREV_MAX]; /* %Z that said anything else; "" = none */
};
/* 0 or -EINVAL. */
int logtime_parse(const char *pattern, const char *text, struct logtime_text *ret);
/* -EINVAL when the pattern has an unknown letter or cannot give a time: %I needs %p, and %p needs %I. */
int logtime_check_pattern(const char *pattern);

/* Number of UTC times with this wall time: 1; 2 in the hour the clocks go back (ret_ms ascending); 0 in the hour they
 * jump over. The process must be in the zone when it is not fixed (logtime_zone_enter): one thread. */
int logtime_to_utc(const struct logtime_zone *z, int64_t wall_ms, int64_t ret_ms[2]);
/* Of those times (n from logtime_to_utc), the ones at which the zone calls itself `abbrev`: how many are left. An
 * abbreviation means different offsets in different countries, so that it only ever chooses. */
int logtime_called(const struct logtime_zone *z, const char *abbrev, int n, int64_t ret_ms[2]);
/* Puts the process into the zone; the caller is a command-line program. Leave restores the former TZ. */
void logtime_zone_enter(const struct logtime_zone *z);
void logtime_zone_leave(void);

#endif
