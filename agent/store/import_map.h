/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * How to read foreign logs, from a small YAML file (deploy/import.md has one per format):
 *
 *     site: site.yaml                 # the points; relative to this file
 *     shape: wide                     # wide: one column a point; long: one row a reading; history: one file a point
 *     encoding: auto                  # or latin-1, utf-16le, … (agent/store/transcode.h)
 *     delimiter: ","                  # one character, or "tab"
 *     decimal: "."                    # or ","
 *     time:
 *       column: Datetime              # or a list, joined by a blank: [Date, Time]
 *       format: "%m/%d/%Y %H:%M"      # or a list, tried in order (agent/store/logtime.h)
 *       zone: America/Chicago         # or a fixed offset; --tz wins
 *       ambiguous: order              # the hour that happens twice: order | first | second | reject
 *     missing: ["", "#VALUE!"]        # cells that mean "no value"
 *     words: { "On": 1, "Off": 0 }    # cells that mean a number
 *     summary: ["Totals"]             # further first words of lines that sum up (agent/store/import_words.h)
 *     gap: 10m                        # default: ten times the median interval
 *     columns:                        # long: tags
 *       "Supply Temp": { zero_is_missing: true }
 *       "CHWS": { point: plant/chws_temp, unit: degF }
 *       "Comment": { ignore: true }
 *
 * long and history, columns of the header (default, taken when it is there):
 *     tag: TagName                    # long
 *     value: TagVal                   # (long TagVal, history Value)
 *     quality: TagQuality             # (long TagQuality, history Status)
 *     flags: Trend Flags              # (history Trend Flags)
 *     sequence: Sequence              # numbers of a trend-log buffer (history Sequence)
 *     event: Record Type              # where log events are named; they are found in the value too
 *     good: ["1"]                     # further words of quality that mean good
 *     events: ["Restarted"]           # further texts of log events
 * history:
 *     files:                          # pattern of the file's name → point; the first that fits
 *       "AHU1_SAT*.csv": { point: ahu1/sat, unit: degF }
 *       "AHU2_*.csv": "*"             # what the star matches
 *
 * A column, tag or file belongs to the point of table `log` whose key is its trimmed name, or which `point` names: by
 * that key, or by the point's name (then of any table). `Name (unit)` and `Name [unit]` are the column `Name` in that
 * unit. Immutable after load.
 */
#ifndef COOLPLANE_STORE_IMPORT_MAP_H
#define COOLPLANE_STORE_IMPORT_MAP_H

#include "agent/points/site.h"
#include "agent/store/logtime.h"

#define IMPORT_NAME_MAX 128
#define IMPORT_FORMATS_MAX 8
#define IMPORT_MISSING_MAX 16
#define IMPORT_WORDS_MAX 32
#define IMPORT_WORD_MAX 48
#define IMPORT_TIME_COLUMNS_MAX 2

enum import_shape { IMPORT_WIDE, IMPORT_LONG, IMPORT_HISTORY };
enum import_ambiguous { AMBIGUOUS_ORDER, AMBIGUOUS_FIRST, AMBIGUOUS_SECOND, AMBIGUOUS_REJECT };

/* Columns of the header with a meaning of their own. */
enum import_part { PART_TAG, PART_VALUE, PART_QUALITY, PART_FLAGS, PART_SEQUENCE, PART_EVENT, PART_COUNT_ };

struct import_column {
        char name[IMPORT_NAME_MAX]; /* column, tag, or pattern of a file's name */
        char point[POINT_NAME_MAX]; /* "" = the name itself; "*" (files) what the star matches */
        int unit;                   /* enum unit; −1 = not said */
        bool zero_is_missing, ignore;
};

struct import_word {
        char text[IMPORT_WORD_MAX];
        double value;
};

struct import_map {
        char site_path[SITE_PATH_MAX];
        enum import_shape shape;
        char encoding[32];
        char delimiter, decimal;
        char time_column[IMPORT_TIME_COLUMNS_MAX][IMPORT_NAME_MAX];
        size_t ntime_column;
        char format[IMPORT_FORMATS_MAX][64];
        size_t nformat;
        bool has_zone;
        struct logtime_zone zone;
        enum import_ambiguous ambiguous;
        char missing[IMPORT_MISSING_MAX][32];
        size_t nmissing;
        struct import_word word[IMPORT_WORDS_MAX];
        size_t nword;
        char summary[IMPORT_MISSING_MAX][IMPORT_WORD_MAX], good[IMPORT_MISSING_MAX][IMPORT_WORD_MAX],
            event[IMPORT_MISSING_MAX][IMPORT_WORD_MAX];
        size_t nsummary, ngood, nevent;
        int64_t gap_ms;                          /* 0 = ten times the median interval */
        char part[PART_COUNT_][IMPORT_NAME_MAX]; /* "" = the default where there is one and the header has it */
        struct import_column *column, *file;
        size_t ncolumn, nfile;
        uint64_t hash; /* of the file's text */
};

/* 0; -EINVAL after writing every error as path:line:column: message to `err`; -ENOENT, -EIO, -ENOMEM likewise told. */
int import_map_load(const char *path, FILE *err, struct import_map **ret);
struct import_map *import_map_free(struct import_map *m);

#endif
