/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * CSV text row by row through libcsv: comma, double quotes, `#` comment lines and blank lines skipped, a byte-order
 * mark dropped. Spaces around unquoted cells are trimmed. Push style: the caller's function gets each row.
 */
#ifndef COOLPLANE_POINTS_CSV_H
#define COOLPLANE_POINTS_CSV_H

#include <stddef.h>

#define CSV_CELLS_MAX 256

/* cell[n] are NUL-terminated and live until the function returns. line: where the row begins, from 1. */
typedef void (*csv_row_fn)(void *ctx, int line, char *const *cell, size_t n);

/* text: len bytes and a NUL. 0; -EINVAL with *ret_line and a static *ret_why (rows before it were delivered); -ENOMEM.
 */
int csv_read(const char *text, size_t len, csv_row_fn row, void *ctx, int *ret_line, const char **ret_why);

#endif
