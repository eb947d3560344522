/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <csv.h>

struct reader {
        csv_row_fn row;
        void *ctx;
        char *cell[CSV_CELLS_MAX];
        size_t n;
        int line, row_line; /* being fed; where the open row began (0 = none open) */
        int rc;
        const char *why;
};

static void drop(struct reader *r)
{
        for (size_t i = 0; i < r->n; i++)
                free(r->cell[i]);
        r->n = 0;
}

static void on_cell(void *text, size_t len, void *ctx)
{
        struct reader *r = ctx;
        if (r->rc != 0)
                return;
        char *copy = r->n < CSV_CELLS_MAX ? malloc(len + 1) : NULL;
        if (copy == NULL) {
                r->rc = r->n < CSV_CELLS_MAX ? -ENOMEM : -EINVAL;
                r->why = "too many cells in one row";
                return;
        }
        memcpy(copy, text, len);
        copy[len] = '\0';
        r->cell[r->n++] = copy;
}

static void on_row(int terminator, void *ctx)
{
        struct reader *r = ctx;
        (void)terminator;
        if (r->rc == 0)
                r->row(r->ctx, r->row_line, r->cell, r->n);
        drop(r);
        r->row_line = 0;
}

int csv_read(const char *text, size_t len, csv_row_fn row, void *ctx, int *ret_line, const char **ret_why)
{
        struct reader r = {.row = row, .ctx = ctx};
        struct csv_parser p;
        if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
                return -ENOMEM;
        if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
                text += 3, len -= 3;

        /* One line at a time, because libcsv does not say where it is. A quoted cell may hold line ends. */
        for (size_t at = 0; at < len && r.rc == 0;) {
                const char *nl = memchr(text + at, '\n', len - at);
                size_t n = nl != NULL ? (size_t)(nl - (text + at)) + 1 : len - at;
                r.line++;
                if (r.row_line == 0) {
                        size_t blank = strspn(text + at, " \t");
                        if (blank < n && text[at + blank] == '#') {
                                at += n;
                                continue;
                        }
                        r.row_line = r.line;
                }
                bool fresh = r.row_line == r.line;
                if (csv_parse(&p, text + at, n, on_cell, on_row, &r) != n && r.rc == 0) {
                        r.rc = csv_error(&p) == CSV_ENOMEM ? -ENOMEM : -EINVAL;
                        r.why = "a quote in the wrong place";
                }
                if (fresh && r.n == 0 && strspn(text + at, " \t\r\n") >= n)
                        r.row_line = 0; /* blank */
                at += n;
        }
        if (r.rc == 0 && csv_fini(&p, on_cell, on_row, &r) != 0) {
                r.rc = csv_error(&p) == CSV_ENOMEM ? -ENOMEM : -EINVAL;
                r.why = "a quoted cell is not closed";
        }
        drop(&r);
        csv_free(&p);
        if (r.rc != 0) {
                *ret_line = r.row_line != 0 ? r.row_line : r.line;
                *ret_why = r.why;
        }
        return r.rc;
}
