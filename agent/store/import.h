/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A foreign wide log into the database: streamed, bounded memory, one batch a transaction, and every row accounted for:
 *
 *     rows = ok + bad + duplicates
 *
 * rows: lines after the header that are not blank. bad: rejected as a whole (reasons below), nothing of it stored.
 * duplicates: every sample of the row was in the database already (also: the file imported twice). ok: stored;
 * out_of_order of them came with a time before the newest. A cell that is missing or not a number is stored as a
 * bad-quality sample and counted by reason; it does not make its row bad.
 */
#ifndef COOLPLANE_STORE_IMPORT_H
#define COOLPLANE_STORE_IMPORT_H

#include "agent/store/import_map.h"
#include "agent/store/store.h"

enum import_bad {
        IMPORT_BAD_TIME,        /* no pattern fits */
        IMPORT_BAD_AMBIGUOUS,   /* the hour that happens twice, policy reject */
        IMPORT_BAD_NONEXISTENT, /* the hour the clocks jump over */
        IMPORT_BAD_CELLS,       /* fewer or more cells than the header; a truncated last line is one */
        IMPORT_BAD_QUOTES,
        IMPORT_BAD_TOO_LONG,
        IMPORT_BAD_COUNT_,
};
const char *import_bad_str(enum import_bad b);

#define IMPORT_REASONS 16 /* > last enum quality_reason */

struct import_report {
        int64_t rows, ok, bad, duplicates, out_of_order, gaps;
        int64_t bad_by[IMPORT_BAD_COUNT_];
        int64_t ambiguous_hours; /* rows of an hour that happens twice, whatever became of them */
        int64_t blank_lines;
        int64_t first_t_ms, last_t_ms; /* of ok and duplicate rows; 0 when none */
        int64_t median_interval_ms;    /* between rows in order; 0 when fewer than two */
        int64_t samples, samples_good, samples_duplicate, samples_by_reason[IMPORT_REASONS];
        size_t columns, columns_used, points_without_column;
        bool ended_without_newline;
};

struct import_args {
        struct store *store; /* bound to site */
        const struct site *site;
        const struct import_map *map;
        struct logtime_zone zone;
        /* A bad row; NULL = silent. */
        void (*on_bad)(void *ctx, const char *path, int64_t line, enum import_bad why, const char *text);
        /* Now and then; total 0 = unknown. NULL = none. */
        void (*on_progress)(void *ctx, const char *path, int64_t bytes, int64_t total);
        void *ctx;
};

/* 0; -ENOENT, -EIO (reading), -EBADMSG (no usable header), or an error of the store; *reterr (≥ 256 bytes) says what.
 * A failure before the first byte (-ENOENT, -ENOMEM) leaves *ret alone; a later one fills it: what was stored until
 * then stays, and the report accounts for it. */
int import_file(const struct import_args *a, const char *path, struct import_report *ret, char *reterr);

#endif
