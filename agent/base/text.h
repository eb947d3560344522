/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A growing text and the escapes of what others read: JSON, HTML and the Prometheus text format. Out of memory is
 * remembered in `failed` and checked once, at the end. */
#ifndef COOLPLANE_BASE_TEXT_H
#define COOLPLANE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The ending of a noun behind a count: "%zu point%s". */
#define PLURAL_S(n) ((n) == 1 ? "" : "s")

struct text {
        char *v; /* NUL-terminated when not NULL */
        size_t n, cap;
        bool failed;
};

void text_putn(struct text *t, const char *s, size_t n);
void text_put(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_json_string(struct text *t, const char *s);
void text_json_stringn(struct text *t, const char *s, size_t n); /* NUL bytes inside are escaped */
/* The same on a stream; nothing is written when memory runs out. */
void text_fput_json(FILE *f, const char *s);
/* A JSON number; NaN and infinities, which JSON has not, become null. */
void text_json_number(struct text *t, double v);

/* The inside of a Prometheus label value: backslash, quote and newline escaped, not-UTF-8 replaced. */
void text_label(struct text *t, const char *s);
/* A Prometheus sample value: NaN, +Inf and -Inf are words there. */
void text_prom_number(struct text *t, double v);

/* HTML, between tags or inside a quoted attribute: no byte of `s` is markup. Control characters become U+FFFD. */
void text_html(struct text *t, const char *s);

/* A word of a command line, quoted where a shell needs it. */
void text_shell(struct text *t, const char *s);

/* Outside bytes that a terminal will show: control characters, C1 ones too, become '?', a tab a blank. In place. */
char *text_printable(char *s);

/* As one file that is whole or not there: written beside `path` (.new) and renamed over it; what is no regular file
 * (/dev/stdout, a pipe) is written in place. 0, -ENOMEM when the text failed, -ENAMETOOLONG, -errno. */
int text_save(const struct text *t, const char *path);

void text_free(struct text *t);

#endif
