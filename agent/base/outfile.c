/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/outfile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD 1024

static bool is_same(const struct stat *st, const char *path)
{
        static const char *const with[] = {"", "-wal", "-shm", ".lock"};

        for (size_t k = 0; k < sizeof with / sizeof *with; k++) {
                char name[4096];
                struct stat other;
                const int n = snprintf(name, sizeof name, "%s%s", path, with[k]);

                if (n > 0 && (size_t)n < sizeof name && stat(name, &other) == 0 && other.st_dev == st->st_dev &&
                    other.st_ino == st->st_ino)
                        return true;
        }
        return false;
}

/* What cannot be read is not known to be one. */
static bool is_kind(const struct outfile *o)
{
        char head[HEAD + 1];
        FILE *f = fopen(o->path, "rbe");
        size_t n;

        if (!f)
                return false;
        n = fread(head, 1, HEAD, f);
        (void)fclose(f);
        head[n] = '\0';
        return strncmp(head, o->begins, strlen(o->begins)) == 0 && (!o->holds || strstr(head, o->holds));
}

bool outfile_may(const struct outfile *o, char ret_why[512])
{
        struct stat st;

        if (stat(o->path, &st) < 0 || !S_ISREG(st.st_mode))
                return true; /* or cannot be written, which is told then */
        for (size_t i = 0; i < o->ninput; i++)
                if (o->input[i] && is_same(&st, o->input[i])) {
                        (void)snprintf(ret_why, 512, "%s is read, or belongs to what is (%s): name another file",
                                       o->path, o->input[i]);
                        return false;
                }
        if (st.st_size == 0 || is_kind(o))
                return true;
        (void)snprintf(ret_why, 512, "%s exists and is not %s: remove it, or name another file", o->path, o->what);
        return false;
}
