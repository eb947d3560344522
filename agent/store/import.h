/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A foreign log into the database: streamed, bounded memory, one batch a transaction, and every row accounted for:
 *
 *     rows = ok + bad + duplicates + events
 *
 * rows: lines after the header that are not blank. bad: rejected as a whole (reasons below), nothing of it stored.
 * duplicates: every sample of the row was in the database already (also: the file imported twice). events: what a trend
 * log says of itself. ok: stored; out_of_order of them came with a time before the newest of their column or tag.
 * A cell that is missing, not a number or flagged by its source is stored as a bad-quality sample and counted by
 * reason; it does not make its row bad. Nothing is repaired; but a good reading takes the place of a stored one that
 * was not a number (QR_PARSE: it held none), so that a file which was read with the wrong map can be read again.
 *
 * A regular file whose import was interrupted is gone on with: what was done is kept in the database beside each batch
 * (as state, under the file's path) until the file is finished, and used when the lines until there are the same.
 */
#ifndef COOLPLANE_STORE_IMPORT_H
#define COOLPLANE_STORE_IMPORT_H

#include "agent/store/import_map.h"
#include "agent/store/import_words.h"
#include "agent/store/store.h"

enum import_bad {
        IMPORT_BAD_TIME,        /* no pattern fits */
        IMPORT_BAD_CLOCK,       /* more than a day after now, or before 1990 (not of elapsed seconds) */
        IMPORT_BAD_ZONE,        /* an abbreviation that the zone does not have at that time */
        IMPORT_BAD_AMBIGUOUS,   /* the hour that happens twice, policy reject */
        IMPORT_BAD_NONEXISTENT, /* the hour the clocks jump over */
        IMPORT_BAD_CELLS,       /* fewer or more cells than the header; a truncated last line is one */
        IMPORT_BAD_QUOTES,
        IMPORT_BAD_TOO_LONG,
        IMPORT_BAD_SUMMARY, /* a total, an average, "End of Report" */
        IMPORT_BAD_HEADER,  /* the header again */
        IMPORT_BAD_TAG,     /* no point has this tag */
        IMPORT_BAD_IGNORED, /* the map ignores this tag; not told by on_bad */
        IMPORT_BAD_COUNT_,
};
const char *import_bad_str(enum import_bad b);

/* What file, map and site do not have in common. */
enum import_name {
        IMPORT_NAME_NOT_THERE, /* a column of the map that is not in the header; long: a tag of it that no row has */
        IMPORT_NAME_UNUSED,    /* a column of the file that is nobody's; not: what the map ignores */
        IMPORT_NAME_NO_DATA,   /* a point of table log that this file has nothing for */
        IMPORT_NAME_COUNT_,
};

#define IMPORT_REASONS 16 /* > last enum quality_reason */

/* A cell that was stored as bad. */
struct import_cell {
        uint32_t point;            /* site index */
        char column[48], text[32]; /* maybe their beginnings; column "": not known any more */
};

/* A column most of whose cells are no number. */
struct import_unreadable {
        const char *point;
        int64_t cells, unreadable, line; /* cells: that are not missing; line of the first unreadable one */
};

/* Lines; 0 = it never happened. */
struct import_first {
        int64_t bad[IMPORT_BAD_COUNT_], event[IMPORT_EVENT_COUNT_], reason[IMPORT_REASONS];
        int64_t duplicate, conflict, out_of_order, gap, step_back, ambiguous, unknown_quality, sequence, unreadable,
            several_patterns, replaced, pattern[IMPORT_FORMATS_MAX];
        struct import_cell cell[IMPORT_REASONS]; /* of reason[] */
};

struct import_report {
        int64_t rows, ok, bad, duplicates, events, out_of_order, gaps;
        int64_t bad_by[IMPORT_BAD_COUNT_], events_by[IMPORT_EVENT_COUNT_];
        int64_t steps_back; /* times a column's or tag's clock went back between two rows that were read */
        int64_t pattern_rows[IMPORT_FORMATS_MAX]; /* of the map's time patterns */
        int64_t several_patterns; /* rows that more than one of them reads, as different times: the first counts */
        int64_t ambiguous_hours;  /* rows of an hour that happens twice, whatever became of them */
        int64_t blank_lines, preamble_lines, header_line;
        int64_t first_t_ms, last_t_ms; /* of ok and duplicate rows; 0 when none */
        int64_t median_interval_ms;    /* between rows in order; 0 when fewer than two */
        int64_t samples, samples_good, samples_duplicate;
        int64_t samples_conflict; /* of samples_duplicate: not what is stored, which stays */
        int64_t samples_replaced; /* of none of these: good, and what was stored was not a number */
        int64_t samples_by_reason[IMPORT_REASONS];
        int64_t cells_read, cells_unreadable; /* numbers, in or out of range; what is neither that nor `missing` */
        char unreadable_text[32];             /* the first of those, maybe its beginning */
        size_t columns_unreadable;            /* see on_unreadable */
        int64_t unknown_quality;              /* rows whose status has a word nobody knows: bad samples */
        int64_t sequence_gaps, sequence_lost; /* sequence numbers that rise by more than one, and what is missing */
        int64_t resumed_rows;                 /* of rows: accounted for when the import was interrupted */
        int64_t undecodable;                  /* characters that are none of the encoding */
        size_t columns, columns_used, points_without_column; /* long: columns_used = points met */
        struct import_first first;
        char encoding[32];
        bool encoding_detected, ended_without_newline;
        int64_t
            held_back_line; /* the last row, which has no line end, was not imported; 0 = none. It is none of rows */
};

struct import_args {
        struct store *store; /* bound to site */
        const struct site *site;
        const struct import_map *map;
        struct logtime_zone zone;
        int64_t now_ms; /* wall clock; 0 = any time may come */
        /* The file will not grow: a last row without a line end is a row. Else its last cell may be the beginning of a
         * longer number, and what is stored once stays. */
        bool whole;
        /* A bad row; NULL = silent. */
        void (*on_bad)(void *ctx, const char *path, int64_t line, enum import_bad why, const char *text);
        /* A column, tag or file in another unit than the point map has for its point: converted. NULL = silent. */
        void (*on_unit)(void *ctx, const char *path, const char *column, const char *unit, const struct point *point);
        /* Each such name, at the end of the file, also of one that is refused for want of a column. NULL = silent. */
        void (*on_name)(void *ctx, enum import_name what, const char *name);
        /* At the end of the file, each such column. NULL = silent. */
        void (*on_unreadable)(void *ctx, const char *path, const struct import_unreadable *u);
        /* Now and then; total 0 = unknown. NULL = none. */
        void (*on_progress)(void *ctx, const char *path, int64_t bytes, int64_t total);
        void *ctx;
};

/* 0; -ENOENT, -EIO (reading), -EBADMSG (no usable header, units that contradict each other, or
 * no number in all of the first batch or of the file, of which nothing is stored then), or an error of the
 * store; *reterr (≥ 256 bytes) says what. A failure before the first byte (-ENOENT, -ENOMEM) leaves *ret alone; a later
 * one fills it: what was stored until then stays, and the report accounts for it. */
int import_file(const struct import_args *a, const char *path, struct import_report *ret, char *reterr);

#endif
