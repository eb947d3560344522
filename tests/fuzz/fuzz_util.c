/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { FILES_MAX = 8 };

static char dir[128];
static char path[FILES_MAX][256];

uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
        uint8_t *p = malloc(size ? size : 1);
        MUST(p);
        if (size)
                memcpy(p, data, size);
        return p;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
        char *p = malloc(size + 1);
        MUST(p);
        if (size)
                memcpy(p, data, size);
        p[size] = '\0';
        return p;
}

static void remove_all(void)
{
        for (size_t i = 0; i < FILES_MAX; i++)
                if (path[i][0])
                        (void)unlink(path[i]);
        (void)rmdir(dir);
}

const char *fuzz_path(const char *name)
{
        size_t i = 0;
        if (dir[0] == '\0') {
                const char *tmp = getenv("TMPDIR");
                (void)snprintf(dir, sizeof dir, "%s/coolplane-fuzz.XXXXXX", tmp && strlen(tmp) < 64 ? tmp : "/tmp");
                MUST(mkdtemp(dir));
                MUST(atexit(remove_all) == 0);
        }
        char full[sizeof path[0]];
        (void)snprintf(full, sizeof full, "%s/%s", dir, name);
        while (i < FILES_MAX && path[i][0] && strcmp(path[i], full) != 0)
                i++;
        MUST(i < FILES_MAX);
        memcpy(path[i], full, sizeof full);
        return path[i];
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
        const char *p = fuzz_path(name);
        FILE *f = fopen(p, "wb");
        MUST(f);
        MUST(size == 0 || fwrite(data, 1, size, f) == size);
        MUST(fclose(f) == 0);
        return p;
}

void fuzz_patch(uint8_t *buf, size_t len, const uint8_t *data, size_t size)
{
        while (size >= 3) {
                size_t at = (size_t)(data[0] | data[1] << 8) % len, n = data[2] % 17u;
                data += 3;
                size -= 3;
                n = n < size ? n : size;
                for (size_t i = 0; i < n && at + i < len; i++)
                        buf[at + i] = data[i];
                data += n;
                size -= n;
        }
}

bool fuzz_same(double a, double b)
{
        return memcmp(&a, &b, sizeof a) == 0;
}
