/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/parse.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Room for n bytes more and the NUL. */
static bool reserve(struct text *t, size_t n)
{
        size_t cap = t->cap ? t->cap : 1024;
        char *grown;

        if (t->failed)
                return false;
        if (t->n + n + 1 <= t->cap)
                return true;
        while (cap < t->n + n + 1)
                cap *= 2;
        grown = realloc(t->v, cap);
        if (!grown) {
                t->failed = true;
                return false;
        }
        t->v = grown;
        t->cap = cap;
        return true;
}

void text_putn(struct text *t, const char *s, size_t n)
{
        if (!reserve(t, n))
                return;
        memcpy(t->v + t->n, s, n);
        t->n += n;
        t->v[t->n] = '\0';
}

void text_put(struct text *t, const char *s)
{
        text_putn(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
        va_list ap, again;
        int n;

        va_start(ap, fmt);
        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0)
                t->failed = true;
        else if (reserve(t, (size_t)n)) {
                (void)vsnprintf(t->v + t->n, (size_t)n + 1, fmt, again);
                t->n += (size_t)n;
        }
        va_end(again);
}

/* Length of the UTF-8 sequence that starts the n ≥ 1 bytes at v, 0 if it is not valid. */
static size_t utf8_len(const unsigned char *v, size_t n)
{
        size_t len = v[0] < 0x80                   ? 1
                     : v[0] >= 0xc2 && v[0] < 0xe0 ? 2
                     : v[0] >= 0xe0 && v[0] < 0xf0 ? 3
                     : v[0] >= 0xf0 && v[0] < 0xf5 ? 4
                                                   : 0;

        if (len > n)
                return 0;
        for (size_t i = 1; i < len; i++)
                if ((v[i] & 0xc0) != 0x80)
                        return 0;
        if ((v[0] == 0xe0 && v[1] < 0xa0) || (v[0] == 0xed && v[1] >= 0xa0) || (v[0] == 0xf0 && v[1] < 0x90) ||
            (v[0] == 0xf4 && v[1] >= 0x90))
                return 0;
        return len;
}

/* Walks s; `escape` writes the form of one ASCII byte and says whether it did. */
static void put_utf8(struct text *t, const char *s, size_t n, bool (*escape)(struct text *t, unsigned char c))
{
        while (n > 0) {
                size_t len = utf8_len((const unsigned char *)s, n), step = len ? len : 1;

                if (len == 0)
                        text_put(t, REPLACEMENT);
                else if (len > 1 || !escape(t, (unsigned char)*s))
                        text_putn(t, s, len);
                s += step;
                n -= step;
        }
}

static bool escape_json(struct text *t, unsigned char c)
{
        if (c == '"' || c == '\\')
                text_printf(t, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
                text_printf(t, "\\u%04x", c);
        else
                return false;
        return true;
}

void text_json_stringn(struct text *t, const char *s, size_t n)
{
        text_put(t, "\"");
        put_utf8(t, s, n, escape_json);
        text_put(t, "\"");
}

void text_json_string(struct text *t, const char *s)
{
        text_json_stringn(t, s, strlen(s));
}

void text_fput_json(FILE *f, const char *s)
{
        struct text t = {0};

        text_json_string(&t, s);
        if (!t.failed)
                (void)fputs(t.v, f);
        text_free(&t);
}

void text_json_number(struct text *t, double v)
{
        char buf[32];

        text_put(t, isfinite(v) ? format_double(v, buf) : "null");
}

static bool escape_label(struct text *t, unsigned char c)
{
        if (c == '\n')
                text_put(t, "\\n");
        else if (c == '"' || c == '\\')
                text_printf(t, "\\%c", c);
        else
                return false;
        return true;
}

void text_label(struct text *t, const char *s)
{
        put_utf8(t, s, strlen(s), escape_label);
}

void text_prom_number(struct text *t, double v)
{
        char buf[32];

        if (isnan(v))
                text_put(t, "NaN");
        else if (isinf(v))
                text_put(t, v > 0 ? "+Inf" : "-Inf");
        else
                text_put(t, format_double(v, buf));
}

char *text_printable(char *s)
{
        for (unsigned char *c = (unsigned char *)s; *c; c++) {
                if (*c == '\t')
                        *c = ' ';
                else if (*c < ' ' || *c == 127)
                        *c = '?';
                else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* U+0080 … U+009F */
                        *c = c[1] = '?';
        }
        return s;
}

void text_html(struct text *t, const char *s)
{
        for (; *s; s++) {
                const unsigned char c = (unsigned char)*s;
                const char *e = c == '&'                                                        ? "&amp;"
                                : c == '<'                                                      ? "&lt;"
                                : c == '>'                                                      ? "&gt;"
                                : c == '"'                                                      ? "&quot;"
                                : c == '\''                                                     ? "&#39;"
                                : (c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7f ? REPLACEMENT
                                                                                                : NULL;

                if (e)
                        text_put(t, e);
                else
                        text_putn(t, s, 1);
        }
}

void text_shell(struct text *t, const char *s)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+-@%";

        if (*s && strspn(s, plain) == strlen(s)) {
                text_put(t, s);
                return;
        }
        text_put(t, "'");
        for (; *s; s++)
                if (*s == '\'')
                        text_put(t, "'\\''");
                else
                        text_putn(t, s, 1);
        text_put(t, "'");
}

static int write_out(const struct text *t, const char *path, bool sync)
{
        FILE *f = fopen(path, "we");
        int r;

        if (!f)
                return -errno;
        r = fwrite(t->v, 1, t->n, f) == t->n && fflush(f) == 0 && (!sync || fsync(fileno(f)) == 0) ? 0 : -errno;
        if (fclose(f) != 0 && r == 0)
                r = -errno;
        return r;
}

int text_save(const struct text *t, const char *path)
{
        struct stat st;
        char beside[4096];
        int r, n;

        if (t->failed || !t->v)
                return -ENOMEM;
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return write_out(t, path, false);
        n = snprintf(beside, sizeof beside, "%s.new", path);
        if (n < 0 || (size_t)n >= sizeof beside)
                return -ENAMETOOLONG;
        r = write_out(t, beside, true);
        if (r == 0 && rename(beside, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(beside);
        return r;
}

void text_free(struct text *t)
{
        free(t->v);
        *t = (struct text){0};
}
