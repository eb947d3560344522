/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Gives every file of a corpus folder to one fuzz target, whole and cut short, so that the corpora count in every build
 * and under every sanitizer without libFuzzer. An empty or missing folder is a failure. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { CUTS = 16, FILE_MAX = 1 << 20 };

static size_t read_whole(const char *path, uint8_t *buf)
{
        FILE *f = fopen(path, "rb");
        MUST(f);
        size_t n = fread(buf, 1, FILE_MAX, f);
        MUST(!ferror(f) && n < FILE_MAX);
        MUST(fclose(f) == 0);
        return n;
}

static int visible(const struct dirent *d)
{
        return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
        struct dirent **list = NULL;
        uint8_t *buf = malloc(FILE_MAX);
        MUST(buf);
        if (argc != 2) {
                (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
                return 2;
        }
        int n = scandir(argv[1], &list, visible, alphasort);
        for (int i = 0; i < n; i++) {
                char path[1024];
                MUST((size_t)snprintf(path, sizeof path, "%s/%s", argv[1], list[i]->d_name) < sizeof path);
                free(list[i]);
                (void)printf("%s\n", path);
                (void)fflush(stdout); /* names the culprit when the next line aborts */
                size_t len = read_whole(path, buf);
                for (size_t cut = 0; cut <= CUTS; cut++) {
                        size_t part = len - len * cut / CUTS;
                        uint8_t *exact = fuzz_copy(buf, part);
                        MUST(LLVMFuzzerTestOneInput(exact, part) == 0);
                        free(exact);
                }
        }
        free(list);
        free(buf);
        if (n <= 0) {
                (void)fprintf(stderr, "%s: no corpus\n", argv[1]);
                return 1;
        }
        (void)printf("%d files, each whole and at %d cuts\n", n, CUTS);
        return 0;
}
