/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/csvlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum where { CELL_START, CELL_PLAIN, CELL_QUOTED, CELL_QUOTE_SEEN };

struct csvlog {
        csvlog_row_fn fn;
        void *ctx;
        char delimiter;
        enum where where;
        enum csvlog_flaw flaw;
        int64_t line, row_line, blank;
        size_t bom;        /* bytes of a byte-order mark matched so far; 3 or more = past the start */
        bool row_has_text; /* anything but blanks and line ends */
        bool no_newline;
        char *text;                   /* cells of the row, each with its NUL */
        size_t n, cap, cell_at, keep; /* keep: end of what trimming may not touch (quoted text) */
        char **cell;
        size_t *start;
        size_t ncell, cell_cap;
        int rc;
};

int csvlog_create(char delimiter, csvlog_row_fn fn, void *ctx, struct csvlog **ret)
{
        struct csvlog *l = calloc(1, sizeof *l);
        if (!l)
                return -ENOMEM;
        l->fn = fn;
        l->ctx = ctx;
        l->delimiter = delimiter;
        l->line = l->row_line = 1;
        *ret = l;
        return 0;
}

struct csvlog *csvlog_free(struct csvlog *l)
{
        if (l) {
                free(l->text);
                free(l->cell);
                free(l->start);
                free(l);
        }
        return NULL;
}

int64_t csvlog_blank_lines(const struct csvlog *l)
{
        return l->blank;
}

bool csvlog_ended_without_newline(const struct csvlog *l)
{
        return l->no_newline;
}

static void flaw(struct csvlog *l, enum csvlog_flaw what)
{
        if (l->flaw == CSVLOG_FINE)
                l->flaw = what;
}

static void add_byte(struct csvlog *l, char c)
{
        if (l->n == l->cap) {
                size_t cap = l->cap ? 2 * l->cap : 4096;
                char *grown = realloc(l->text, cap);
                if (!grown) {
                        l->rc = -ENOMEM;
                        return;
                }
                l->text = grown;
                l->cap = cap;
        }
        l->text[l->n++] = c;
}

static void put(struct csvlog *l, char c)
{
        if (c == '\0')
                flaw(l, CSVLOG_NUL);
        if (l->n >= CSVLOG_ROW_MAX)
                flaw(l, CSVLOG_TOO_LONG);
        else
                add_byte(l, c);
}

static void end_cell(struct csvlog *l)
{
        while (l->n > l->keep && (l->text[l->n - 1] == ' ' || l->text[l->n - 1] == '\t'))
                l->n--;
        add_byte(l, '\0');
        if (l->ncell == CSVLOG_CELLS_MAX) {
                flaw(l, CSVLOG_TOO_LONG);
                l->n = l->cell_at;
        } else {
                if (l->ncell == l->cell_cap) {
                        size_t cap = l->cell_cap ? 2 * l->cell_cap : 64;
                        char **cell = realloc(l->cell, cap * sizeof *cell);
                        if (cell)
                                l->cell = cell;
                        size_t *start = realloc(l->start, cap * sizeof *start);
                        if (start)
                                l->start = start;
                        if (!cell || !start) {
                                l->rc = -ENOMEM;
                                return;
                        }
                        l->cell_cap = cap;
                }
                l->start[l->ncell++] = l->cell_at;
        }
        l->cell_at = l->keep = l->n;
        l->where = CELL_START;
}

static void end_row(struct csvlog *l)
{
        end_cell(l);
        if (l->rc == 0 && !l->row_has_text && l->ncell == 1 && l->flaw == CSVLOG_FINE) {
                l->blank++;
        } else if (l->rc == 0) {
                for (size_t i = 0; i < l->ncell; i++)
                        l->cell[i] = l->text + l->start[i];
                l->rc = l->fn(l->ctx, l->row_line, l->cell, l->ncell, l->flaw);
        }
        l->n = l->ncell = l->cell_at = l->keep = 0;
        l->flaw = CSVLOG_FINE;
        l->row_has_text = false;
        l->row_line = l->line;
}

static void plain_byte(struct csvlog *l, char c)
{
        bool blank = c == ' ' || c == '\t';
        if (c == '"' && l->where == CELL_START) {
                l->where = CELL_QUOTED;
                l->row_has_text = true;
                return;
        }
        if (blank && l->where == CELL_START)
                return;
        if (l->where == CELL_QUOTE_SEEN) {
                if (blank)
                        return;
                flaw(l, CSVLOG_QUOTING);
        }
        if (c == '"')
                flaw(l, CSVLOG_QUOTING);
        l->where = CELL_PLAIN;
        l->row_has_text = true;
        put(l, c);
}

static void byte(struct csvlog *l, char c)
{
        if (c == '\n')
                l->line++;
        if (c == '\n' && l->where == CELL_QUOTED) {
                flaw(l, CSVLOG_OPEN);
                end_row(l);
        } else if (l->where == CELL_QUOTED) {
                if (c == '"') {
                        l->where = CELL_QUOTE_SEEN;
                        l->keep = l->n;
                } else {
                        put(l, c);
                        l->keep = l->n;
                }
        } else if (l->where == CELL_QUOTE_SEEN && c == '"') { /* doubled */
                put(l, c);
                l->keep = l->n;
                l->where = CELL_QUOTED;
        } else if (c == '\n') {
                /* the CR of a CRLF is the last byte of the last cell unless that was quoted */
                if (l->n > l->keep && l->text[l->n - 1] == '\r')
                        l->n--;
                end_row(l);
        } else if (c == l->delimiter) {
                l->row_has_text = true;
                end_cell(l);
        } else if (c == '\r' && l->where != CELL_PLAIN) {
                return; /* of a CRLF after an empty or quoted cell */
        } else {
                plain_byte(l, c);
        }
}

int csvlog_feed(struct csvlog *l, const char *data, size_t len)
{
        static const char mark[] = "\xef\xbb\xbf";
        for (size_t i = 0; i < len && l->rc == 0; i++) {
                if (l->bom < 3) {
                        if (data[i] == mark[l->bom]) {
                                l->bom++;
                                continue;
                        }
                        size_t had = l->bom; /* not a mark after all */
                        l->bom = 3;
                        for (size_t k = 0; k < had; k++)
                                byte(l, mark[k]);
                }
                byte(l, data[i]);
        }
        return l->rc;
}

int csvlog_finish(struct csvlog *l)
{
        if (l->rc != 0)
                return l->rc;
        if (l->bom < 3) {
                static const char mark[] = "\xef\xbb\xbf";
                for (size_t k = 0; k < l->bom; k++)
                        byte(l, mark[k]);
        }
        if (l->where == CELL_QUOTED)
                flaw(l, CSVLOG_OPEN);
        if (l->n > 0 || l->ncell > 0 || l->row_has_text) {
                l->no_newline = true;
                if (l->n > l->keep && l->text[l->n - 1] == '\r')
                        l->n--;
                end_row(l);
        }
        return l->rc;
}
