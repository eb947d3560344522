/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/certify_command.h"

struct child {
        pid_t pid; /* 0 = none */
        FILE *file;
};

static int run_some(size_t first, size_t n, size_t stride, size_t size,
                    int (*run)(const void *ctx, size_t i, void *ret), const void *ctx, FILE *f)
{
        void *one = malloc(size);
        int r = one ? 0 : -ENOMEM;

        for (size_t i = first; r == 0 && i < n; i += stride) {
                r = run(ctx, i, one);
                if (r == 0 && fwrite(one, size, 1, f) != 1)
                        r = -EIO;
        }
        free(one);
        return r == 0 && fflush(f) != 0 ? -EIO : r;
}

/* The child's results are those of first, first + stride, … */
static int collect(struct child *c, size_t first, size_t n, size_t stride, size_t size, char *ret)
{
        int status = 0, r = 0;

        while (waitpid(c->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return -ECHILD;
        rewind(c->file);
        for (size_t i = first; r == 0 && i < n; i += stride)
                if (fread(ret + i * size, size, 1, c->file) != 1)
                        r = -EIO;
        return r;
}

int certify_jobs(size_t n, size_t jobs, size_t size, int (*run)(const void *ctx, size_t i, void *ret), const void *ctx,
                 void *ret)
{
        struct child child[CERTIFY_JOBS_MAX] = {{0}};
        int r = 0;

        if (jobs <= 1) {
                for (size_t i = 0; r == 0 && i < n; i++)
                        r = run(ctx, i, (char *)ret + i * size);
                return r;
        }
        jobs = jobs < CERTIFY_JOBS_MAX ? jobs : CERTIFY_JOBS_MAX;
        (void)fflush(NULL);
        for (size_t j = 0; r == 0 && j < jobs; j++) {
                child[j].file = tmpfile();
                child[j].pid = child[j].file ? fork() : -1;
                if (child[j].pid == 0)
                        _exit(run_some(j, n, jobs, size, run, ctx, child[j].file) == 0 ? 0 : 1);
                if (child[j].pid < 0)
                        r = -errno;
        }
        for (size_t j = 0; j < jobs; j++) {
                int one = child[j].pid > 0 ? collect(&child[j], j, n, jobs, size, ret) : 0;

                r = r == 0 ? one : r;
                if (child[j].file)
                        (void)fclose(child[j].file);
        }
        return r;
}
