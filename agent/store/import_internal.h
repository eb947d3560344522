/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the files of the importer share: import.c reads the file and accounts for its rows, import_rows.c knows the
 * three shapes, import_columns.c whose number a column holds and in which unit, import_clock.c when a row was,
 * import_resume.c what an interrupted import had done.
 */
#ifndef COOLPLANE_STORE_IMPORT_INTERNAL_H
#define COOLPLANE_STORE_IMPORT_INTERNAL_H

#include "agent/store/csvlog.h"
#include "agent/store/import.h"

#define IMPORT_ERR_MAX 256
#define IMPORT_BATCH 32768         /* samples */
#define IMPORT_INTERVAL_SLOTS 2048 /* power of two */
#define IMPORT_INTERVAL_EXACT                                                                                          \
        1024 /* distinct ones kept exactly; further ones rounded down to an eighth of an octave                        \
              */

/* Names → numbers; the names are borrowed, the first of two that are the same counts. */
struct import_names {
        const char **name;
        uint32_t *value;
        size_t cap; /* power of two */
};

/* Whose number it is. */
struct import_field {
        const struct point *as; /* the point, with the unit of the log; NULL = not used */
        uint32_t point;         /* site index */
        bool zero_is_missing, ignore;
};

/* The clock of one column of times: the file's (wide, history), or a tag's (long). */
struct import_stream {
        int64_t newest_ms, prev_ms, step_ms;       /* step: the last one forward, 0 = none yet */
        bool any, second;                          /* second: the row before was of a repeated hour, its second time */
        int64_t read, unreadable, unreadable_line; /* cells of the point with this index, not of the clock */
};

struct import_interval {
        int64_t ms, n, line; /* n 0 = free; line of the first */
};

struct import_work {
        const struct import_args *a;
        const char *path;
        const struct csvlog *csv;
        char *err;
        struct import_report rep;

        bool have_header;
        size_t ncell;
        char **header;     /* [ncell] */
        bool header_known; /* what its columns are */
        size_t time_at[IMPORT_TIME_COLUMNS_MAX];
        int part_at[PART_COUNT_]; /* −1 = the header has none */
        size_t row_samples;       /* most samples of one row */

        uint8_t *used, *met; /* points of the header [npoint], columns of the map that it has [ncolumn] */
        struct import_names key, name, option; /* points of table log by key, all by name; columns of the map */
        struct import_field *field;            /* wide: [ncell]; long: the map's columns, then tags met; history: one */
        size_t nfield, field_cap;
        struct import_names tag; /* long: those → field */
        struct import_own {
                struct import_own *next;
                struct point point;
        } * own; /* points that the log has in another unit than the point map */

        struct import_stream *stream; /* [npoint] */
        struct import_interval interval[IMPORT_INTERVAL_SLOTS];
        size_t ninterval;
        int64_t sequence; /* of the last row; −1 = none yet */

        struct sample *batch; /* [batch_max] */
        size_t batch_max;
        uint8_t *duplicate;
        size_t nbatch;
        struct import_odd {
                size_t at; /* in the batch, + 1; 0 = none in it */
                struct import_cell cell;
        } odd[IMPORT_REASONS]; /* the batch's first bad sample of each reason that was not met before */
        struct import_row {
                size_t end; /* in the batch */
                int64_t line;
                bool late;
        } * row;
        size_t nrow;

        int64_t line;       /* of the row that was accounted for last */
        int64_t at_line;    /* of the one that is being read */
        uint64_t rows_hash; /* over the header and all rows so far */
        struct import_resume {
                bool possible;     /* a regular file */
                char state[48];    /* its name in the database; "" until needed */
                bool stored;       /* there is one */
                int64_t skip_line; /* rows until here were accounted for; 0 = none */
                struct import_saved *saved;
                size_t saved_len;
        } resume;
};

/* --- import.c */
/* The error that ends the file: "path:line: …" in w->err (of a long path its end). -EBADMSG. */
int import_wrong(struct import_work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int import_reject(struct import_work *w, int64_t line, enum import_bad why, const char *text);
int import_count_event(struct import_work *w, int64_t line, enum import_event e);
/* A sample of the row that import_rows.c has opened and import.c closes; column and text: where it was read. */
void import_push(struct import_work *w, const struct sample *s, const char *column, const char *text);

/* --- import_rows.c */
/* The columns of the header. 0, -EBADMSG with w->err, -ENOMEM. */
int import_header(struct import_work *w, char *const *cell, size_t n);
/* A row of ncell cells: pushed, rejected or an event. 0 or an error that ends the file. */
int import_row(struct import_work *w, int64_t line, char *const *cell);
/* A row with more cells than the header because lists in braces were not quoted ({alarm,unackedAlarm}): put together
 * again. false: it is not that. */
#define IMPORT_BRACES_MAX 256
bool import_join_braces(const struct import_work *w, char *const *cell, size_t n, char *ret_cell[IMPORT_BRACES_MAX],
                        char ret_text[IMPORT_BRACES_MAX]);

/* --- import_columns.c */
int import_columns_create(struct import_work *w);
void import_columns_free(struct import_work *w);
const uint32_t *import_names_get(const struct import_names *t, const char *name);
int import_names_put(struct import_names *t, size_t n_after, const char *name, uint32_t value);
/* "Supply Temp (°F)" → length of "Supply Temp" and the unit's text; 0 when there is no unit. */
size_t import_split_unit(const char *header, char *ret_unit, size_t cap);
/* The column called `name`, with or without a unit (its text, "" = none, in ret_unit); −1 = none. */
int import_find_column(char *const *cell, size_t n, const char *name, char *ret_unit, size_t cap);
/* The field of a column (long: tag) by its options (NULL = none) and name; unit: text in the header or "".
 * as stays NULL when nothing has that name. 0, -EBADMSG with w->err, -ENOMEM. */
int import_field_of(struct import_work *w, const char *shown, const char *key, const struct import_column *o,
                    const char *unit, struct import_field *ret);
/* At the end of the file: on_name. */
void import_tell_names(const struct import_work *w);

/* --- import_clock.c */
/* The UTC time of a row of stream s, or why it has none; text [cap]: what stood there. */
bool import_time(struct import_work *w, struct import_stream *s, int64_t line, char *const *cell, char *text,
                 size_t cap, int64_t *ret_ms, enum import_bad *ret_why);
/* A row that was read; true: late. */
bool import_note_time(struct import_work *w, struct import_stream *s, int64_t line, int64_t t_ms);
/* An interval as an interrupted import had counted it: rounded already, or exact. */
void import_restore_interval(struct import_work *w, const struct import_interval *v);
/* Median and gaps; leaves the table sorted (no more noting). */
void import_finish_clock(struct import_work *w);

/* --- import_resume.c */
/* Finds out whether this file was begun before: sets resume.skip_line. 0, -ENOMEM or an error of the store. */
int import_resume_find(struct import_work *w);
/* The rows up to skip_line were skipped and are the same: goes on from there. */
void import_resume_take(struct import_work *w);
bool import_resume_same(const struct import_work *w);
/* Within the transaction of a batch: what was done so far; at the end of the file that there is nothing to go on with.
 */
int import_resume_put(struct import_work *w, const struct import_report *rep, bool finished);
void import_resume_free(struct import_work *w);

#endif
