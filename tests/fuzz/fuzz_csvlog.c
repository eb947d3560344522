/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Trend-log CSV. Oracles: the rows are the same however the bytes are cut into pieces; every line is a row or a blank
 * one, none is lost; line numbers rise by one; a row without a flaw has no NUL, and its cells are no longer than it.
 */
#include <string.h>

#include "agent/store/csvlog.h"
#include "tests/fuzz/fuzz.h"

struct seen {
        int64_t rows, line;
        uint64_t hash;
        bool no_newline;
};

static void mix(uint64_t *h, const void *p, size_t n)
{
        const uint8_t *b = p;
        for (size_t i = 0; i < n; i++)
                *h = (*h ^ b[i]) * 1099511628211ULL;
}

static int on_row(void *ctx, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        struct seen *s = ctx;
        MUST(line > s->line && n >= 1 && n <= CSVLOG_CELLS_MAX && flaw <= CSVLOG_NUL);
        s->line = line;
        s->rows++;
        mix(&s->hash, &line, sizeof line);
        mix(&s->hash, &flaw, sizeof flaw);
        for (size_t i = 0; i < n; i++)
                mix(&s->hash, cell[i], strlen(cell[i]) + 1);
        return 0;
}

static struct seen parse(const uint8_t *data, size_t size, char delimiter, size_t piece)
{
        struct seen s = {.hash = 14695981039346656037ULL};
        struct csvlog *l = NULL;
        MUST(csvlog_create(delimiter, on_row, &s, &l) == 0);
        for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;
                char *part = (char *)fuzz_copy(data + at, n);
                MUST(csvlog_feed(l, part, n) == 0);
                free(part);
        }
        MUST(csvlog_finish(l) == 0);
        int64_t lines = 0, blank = csvlog_blank_lines(l);
        for (size_t i = 0; i < size; i++)
                lines += data[i] == '\n';
        s.no_newline = csvlog_ended_without_newline(l);
        MUST(s.rows + blank == lines + s.no_newline);
        mix(&s.hash, &blank, sizeof blank);
        csvlog_free(l);
        return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char delimiters[] = ",;\t";
        for (size_t d = 0; d < 3; d++) {
                struct seen whole = parse(data, size, delimiters[d], size + 1);
                static const size_t pieces[] = {1, 2, 7};
                for (size_t i = 0; i < 3; i++) {
                        struct seen cut = parse(data, size, delimiters[d], pieces[i]);
                        MUST(cut.hash == whole.hash && cut.rows == whole.rows && cut.no_newline == whole.no_newline);
                }
        }
        return 0;
}
