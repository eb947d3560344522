/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Rows of a CSV log as a push parser: any chunking, bounded memory, the line number of every row, and a row that is not
 * well formed is delivered with its flaw instead of ending the file. (libcsv, used for point maps, knows neither lines
 * nor a bound on a row.) RFC 4180 quotes, LF or CRLF, a byte-order mark dropped; blanks around unquoted cells trimmed.
 * A line end always ends the row, also inside quotes: one stray quote must not swallow the rest of a log.
 */
#ifndef COOLPLANE_STORE_CSVLOG_H
#define COOLPLANE_STORE_CSVLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSVLOG_ROW_MAX (1u << 20) /* bytes of a row */
#define CSVLOG_CELLS_MAX 16384

enum csvlog_flaw {
        CSVLOG_FINE,
        CSVLOG_QUOTING,  /* a quote inside an unquoted cell, or text after a closing quote */
        CSVLOG_OPEN,     /* the line ends inside a quoted cell */
        CSVLOG_TOO_LONG, /* more than CSVLOG_ROW_MAX bytes or CSVLOG_CELLS_MAX cells; the rest of the row is dropped */
        CSVLOG_NUL,      /* holds a NUL byte */
};

/* Blank lines are counted, not delivered. Cells live until the call returns; non-zero ends the parse. */
typedef int (*csvlog_row_fn)(void *ctx, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw);

struct csvlog;
int csvlog_create(char delimiter, csvlog_row_fn fn, void *ctx, struct csvlog **ret);
struct csvlog *csvlog_free(struct csvlog *l);
/* 0, -ENOMEM, or what the row function returned. */
int csvlog_feed(struct csvlog *l, const char *data, size_t len);
/* Delivers a last row without a line end. */
int csvlog_finish(struct csvlog *l);

int64_t csvlog_blank_lines(const struct csvlog *l);
bool csvlog_ended_without_newline(const struct csvlog *l); /* from the delivery of that row on */

#endif
