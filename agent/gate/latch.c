/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Stored as text, one latch a line: its kind, a blank, its name. */
#include "agent/gate/latch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "latches"
#define BYTES_MAX ((size_t)1 << 20)

static const char *const word[] = {
    [LATCH_OPERATOR] = "operator", [LATCH_FOREIGN] = "foreign", [LATCH_RELEASE] = "release"};

const char *latch_kind_str(enum latch_kind k)
{
        static const char *const text[] = {[LATCH_OPERATOR] = "taken local at the plant",
                                           [LATCH_FOREIGN] = "written by someone else",
                                           [LATCH_RELEASE] = "released to its local controls"};

        return (unsigned)k < sizeof text / sizeof text[0] ? text[k] : "?";
}

int latch_read(struct store *s, int64_t *ret_t_ms, void (*each)(void *ctx, const struct latch *l), void *ctx)
{
        char *text = malloc(BYTES_MAX + 1), *line, *rest;
        size_t len = 0;
        int r;

        if (!text)
                return -ENOMEM;
        r = store_get_state(s, STATE, ret_t_ms, text, BYTES_MAX, &len);
        text[r < 0 ? 0 : len] = '\0';
        for (rest = text; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
                char *name = strchr(line, ' ');

                if (!name)
                        continue;
                *name++ = '\0';
                for (size_t k = 0; k < sizeof word / sizeof word[0]; k++)
                        if (strcmp(line, word[k]) == 0)
                                each(ctx, &(struct latch){.kind = (enum latch_kind)k, .name = name});
        }
        free(text);
        return r == -ENOENT ? 0 : r;
}

int latch_write(struct store *s, int64_t t_ms, const struct latch *l, size_t n)
{
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        int r;

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                (void)fprintf(f, "%s %s\n", word[l[i].kind], l[i].name);
        r = fclose(f) != 0 ? -ENOMEM : len > BYTES_MAX ? -E2BIG : store_put_state(s, STATE, t_ms, text, len);
        free(text);
        return r;
}
