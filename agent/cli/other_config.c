/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/other_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/gate/diff.h"

#define FILE_MAX ((size_t)64 << 20)

static int keep(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)n;
        (void)name;
        (void)snprintf(ctx, 2 * HASH_LEN + 1, "%s", text[0] ? text[0] : "");
        return 0;
}

static int read_file(const char *path, struct site_text *ret)
{
        FILE *f = fopen(path, "re");
        size_t cap = 0, n = 0;
        char *text = NULL;
        bool read = f != NULL;

        while (read && !feof(f)) {
                char *more = n == cap ? realloc(text, 2 * cap + 4096) : text;

                if (more && more != text)
                        text = more;
                cap = n == cap ? 2 * cap + 4096 : cap;
                read = more && cap <= FILE_MAX;
                n += read ? fread(text + n, 1, cap - n, f) : 0;
                read = read && !ferror(f);
        }
        if (f)
                (void)fclose(f);
        *ret = (struct site_text){(char *)(uintptr_t)path, text, n};
        return read ? 0 : -EIO;
}

/* c: compared by their texts alone. */
static void tell(const struct diff_config *c)
{
        const struct diff_file *f = &c->file[0];
        size_t more = c->nfile - 1;

        if (c->nfile == 0) /* what the environment put in */
                (void)fprintf(stderr, "  the files are the same: what the environment puts in differs\n");
        else
                (void)fprintf(stderr, "  first difference: %s line %zu: there '%s', now '%s'\n", f->name, f->line,
                              f->text[0], f->text[1]);
        for (size_t i = 0; i < c->nfile; i++)
                more += c->file[i].more;
        if (c->nfile > 0 && more > 0)
                (void)fprintf(stderr, "  and %zu more line%s\n", more, PLURAL_S(more));
}

void other_config_tell(const char *verb, const char *db, struct store *s, const struct site *site)
{
        char now[2 * HASH_LEN + 1], then[2 * HASH_LEN + 1] = "";
        const struct store_param p = {.is_text = true, .text = hash_hex(site->hash, HASH_LEN, now)};
        struct site_text *stored = NULL, *files = calloc(site->nfile + 1, sizeof *files);
        struct diff_config *c = calloc(1, sizeof *c);
        size_t n = 0, nread = 0;

        if (files && c &&
            store_query_rows(s,
                             "SELECT config FROM run WHERE config <> ?1 AND id IN (SELECT run_id FROM decision)"
                             " ORDER BY id DESC LIMIT 1",
                             &p, 1, keep, then) == 0 &&
            then[0]) {
                (void)fprintf(stderr, "coolplane %s: %s was made with configuration %.12s, %s is %.12s\n", verb, db,
                              then, site->file[0], now);
                while (nread < site->nfile && read_file(site->file[nread], &files[nread]) == 0)
                        nread++;
                if (nread == site->nfile && store_get_config(s, then, &stored, &n) == 0) {
                        diff_sites((const struct site *const[]){NULL, NULL},
                                   (const struct site_text *const[]){stored, files}, (const size_t[]){n, nread}, c);
                        tell(c);
                }
        }
        for (size_t i = 0; files && i < site->nfile; i++)
                free(files[i].text);
        free(stored);
        free(files);
        free(c);
}
