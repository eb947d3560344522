/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/text.h"
#include "agent/points/site_internal.h"

#define ERRORS_MAX 1000 /* more than anyone reads; the rest is counted */

struct site_error {
        char path[SITE_PATH_MAX];
        struct pos at;
        size_t order;
        bool warning;
        char msg[256];
};

struct site_errors {
        struct site_error *list;
        size_t n, cap, nerror, nwarning, dropped;
};

struct site_errors *errors_create(void)
{
        return calloc(1, sizeof(struct site_errors));
}

struct site_errors *site_errors_free(struct site_errors *e)
{
        if (e != NULL)
                free(e->list);
        free(e);
        return NULL;
}

size_t site_errors_count(const struct site_errors *e)
{
        return e->nerror;
}

size_t site_errors_warnings(const struct site_errors *e)
{
        return e->nwarning;
}

void errors_add(struct site_errors *e, const char *path, struct pos at, bool warning, const char *fmt, va_list ap)
{
        if (warning)
                e->nwarning++;
        else
                e->nerror++;
        if (e->n == e->cap && e->n < ERRORS_MAX) {
                size_t cap = e->cap != 0 ? 2 * e->cap : 16;
                struct site_error *list = realloc(e->list, cap * sizeof(list[0]));
                if (list != NULL) {
                        e->list = list;
                        e->cap = cap;
                }
        }
        if (e->n == e->cap || e->n >= ERRORS_MAX) {
                e->dropped++; /* still counted: the load fails all the same */
                return;
        }
        struct site_error *x = &e->list[e->n];
        memset(x, 0, sizeof(*x));
        (void)snprintf(x->path, sizeof(x->path), "%s", path);
        x->at = at;
        x->order = e->n++;
        x->warning = warning;
        (void)vsnprintf(x->msg, sizeof(x->msg), fmt, ap);
}

void site_errors_add(struct site_errors *e, const struct site *s, int file, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        errors_add(e, s->file[file], (struct pos){.file = file, .line = line}, false, fmt, ap);
        va_end(ap);
}

static int by_place(const void *va, const void *vb)
{
        const struct site_error *a = va, *b = vb;
        if (a->at.file != b->at.file)
                return a->at.file < b->at.file ? -1 : 1;
        if (a->at.line != b->at.line)
                return a->at.line < b->at.line ? -1 : 1;
        if (a->at.col != b->at.col)
                return a->at.col < b->at.col ? -1 : 1;
        return a->order < b->order ? -1 : 1;
}

void errors_sort(struct site_errors *e)
{
        size_t n = 0;
        if (e->n > 1)
                qsort(e->list, e->n, sizeof(e->list[0]), by_place);
        for (size_t i = 0; i < e->n; i++) { /* a profile's row is wrong once, however many devices use it */
                bool again = false;
                for (size_t j = n; j-- > 0 && e->list[i].at.line > 0 && !again;) {
                        if (e->list[j].at.file != e->list[i].at.file || e->list[j].at.line != e->list[i].at.line)
                                break;
                        again = strcmp(e->list[j].msg, e->list[i].msg) == 0;
                }
                if (!again)
                        e->list[n++] = e->list[i];
                else if (e->list[i].warning)
                        e->nwarning--;
                else
                        e->nerror--;
        }
        e->n = n;
}

void site_errors_print(const struct site_errors *e, FILE *out)
{
        for (size_t i = 0; i < e->n; i++) {
                const struct site_error *x = &e->list[i];
                (void)fprintf(out, "%s:", x->path);
                if (x->at.line > 0)
                        (void)fprintf(out, "%d:", x->at.line);
                if (x->at.line > 0 && x->at.col > 0)
                        (void)fprintf(out, "%d:", x->at.col);
                (void)fprintf(out, " %s%s\n", x->warning ? "warning: " : "", x->msg);
        }
        if (e->dropped > 0)
                (void)fprintf(out, "… and %zu more\n", e->dropped);
}

void site_errors_print_json(const struct site_errors *e, FILE *out)
{
        (void)fputc('[', out);
        for (size_t i = 0; i < e->n; i++) {
                const struct site_error *x = &e->list[i];
                (void)fprintf(out, "%s{\"file\":", i > 0 ? "," : "");
                text_fput_json(out, x->path);
                (void)fprintf(out, ",\"line\":%d,\"column\":%d,\"severity\":\"%s\",\"message\":", x->at.line, x->at.col,
                              x->warning ? "warning" : "error");
                text_fput_json(out, x->msg);
                (void)fputc('}', out);
        }
        (void)fputc(']', out);
}

/* Edit distance with transpositions, letters' case ignored; INT_MAX-like for words too long to compare. */
static size_t distance(const char *a, const char *b)
{
        enum { LEN = 64 };
        size_t na = strlen(a), nb = strlen(b), d[3][LEN + 1];
        if (na > LEN || nb > LEN)
                return LEN;
        for (size_t j = 0; j <= nb; j++)
                d[0][j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t *cur = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];
                cur[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
                        size_t best = up[j - 1] + (ca != cb);
                        if (up[j] + 1 < best)
                                best = up[j] + 1;
                        if (cur[j - 1] + 1 < best)
                                best = cur[j - 1] + 1;
                        if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                            cb == tolower((unsigned char)a[i - 2]) && up2[j - 2] + 1 < best)
                                best = up2[j - 2] + 1;
                        cur[j] = best;
                }
        }
        return d[na % 3][nb];
}

const char *suggest(const char *word, name_fn name, const void *ctx, char *buf)
{
        const char *best = NULL;
        size_t least = 2 + strlen(word) / 5; /* farther than this is another word */
        for (size_t i = 0; name(ctx, i) != NULL; i++) {
                size_t d = distance(word, name(ctx, i));
                if (strlen(word) >= 3 && strncmp(word, name(ctx, i), strlen(word)) == 0)
                        d = 1; /* cut short */
                if (d < least && d < strlen(name(ctx, i))) {
                        least = d;
                        best = name(ctx, i);
                }
        }
        buf[0] = '\0';
        if (best != NULL)
                (void)snprintf(buf, 128, " (did you mean '%s'?)", best);
        return buf;
}

static const char *list_name(const void *ctx, size_t i)
{
        return ((const char *const *)ctx)[i];
}

const char *suggest_list(const char *word, const char *const *names, char *buf)
{
        return suggest(word, list_name, names, buf);
}
