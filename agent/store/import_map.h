/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How to read a foreign wide log (one time stamp, many columns), from a small YAML file:
 *
 *     site: site.yaml                 # the points; relative to this file
 *     delimiter: ","                  # one character, or "tab"
 *     time:
 *       column: Datetime              # or a list, joined by a blank: [Date, Time]
 *       format: "%m/%d/%Y %H:%M"      # or a list, tried in order (agent/store/logtime.h)
 *       zone: America/Chicago         # or a fixed offset; --tz wins
 *       ambiguous: order              # the hour that happens twice: order | first | second | reject
 *     missing: ["", "#VALUE!"]        # cells that mean "no value"
 *     gap: 10m                        # default: ten times the median interval
 *     columns:
 *       "Supply Temp": { zero_is_missing: true }
 *       "Comment": { ignore: true }
 *
 * A column belongs to the point of table `log` whose key is the trimmed header name. Immutable after load.
 */
#ifndef COOLPLANE_STORE_IMPORT_MAP_H
#define COOLPLANE_STORE_IMPORT_MAP_H

#include "agent/points/site.h"
#include "agent/store/logtime.h"

#define IMPORT_NAME_MAX 128
#define IMPORT_FORMATS_MAX 8
#define IMPORT_MISSING_MAX 16
#define IMPORT_TIME_COLUMNS_MAX 2

enum import_ambiguous { AMBIGUOUS_ORDER, AMBIGUOUS_FIRST, AMBIGUOUS_SECOND, AMBIGUOUS_REJECT };

struct import_column {
        char name[IMPORT_NAME_MAX];
        bool zero_is_missing, ignore;
};

struct import_map {
        char site_path[SITE_PATH_MAX];
        char delimiter;
        char time_column[IMPORT_TIME_COLUMNS_MAX][IMPORT_NAME_MAX];
        size_t ntime_column;
        char format[IMPORT_FORMATS_MAX][64];
        size_t nformat;
        bool has_zone;
        struct logtime_zone zone;
        enum import_ambiguous ambiguous;
        char missing[IMPORT_MISSING_MAX][32];
        size_t nmissing;
        int64_t gap_ms; /* 0 = ten times the median interval */
        struct import_column *column;
        size_t ncolumn;
};

/* 0; -EINVAL after writing every error as path:line:column: message to `err`; -ENOENT, -EIO, -ENOMEM likewise told. */
int import_map_load(const char *path, FILE *err, struct import_map **ret);
struct import_map *import_map_free(struct import_map *m);

#endif
