/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Runs of the yardstick side by side: each in a child, which leaves its result in an unlinked file. Runs share nothing,
 * so the figures do not depend on how many go at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "sim/compare.h"

#define AT_ONCE_MAX 64

struct child {
        pid_t pid; /* 0 = free */
        FILE *file;
        const struct compare_job *job;
};

static int here(const struct compare_job *j)
{
        return yard_run(&j->setup, j->controller, j->trace, j->result);
}

static int in_child(const struct compare_job *j, FILE *f)
{
        int code = here(j);

        if (code == EXIT_OK && (fwrite(j->result, sizeof(*j->result), 1, f) != 1 ||
                                (j->trace != NULL && (fwrite(&j->trace->n, sizeof(j->trace->n), 1, f) != 1 ||
                                                      fwrite(j->trace->sample, sizeof(*j->trace->sample), j->trace->n,
                                                             f) != j->trace->n)) ||
                                fflush(f) != 0))
                code = EXIT_IO;
        return code;
}

static int start(const struct compare_job *j, struct child *c)
{
        *c = (struct child){.file = tmpfile(), .job = j};
        (void)fflush(NULL);
        c->pid = c->file != NULL ? fork() : -1;
        if (c->pid == 0)
                _exit(in_child(j, c->file));
        if (c->pid > 0)
                return EXIT_OK;
        fprintf(stderr, "coolplane-sim compare: cannot start a run: %s\n", strerror(errno));
        if (c->file != NULL)
                (void)fclose(c->file);
        *c = (struct child){0};
        return EXIT_GENERIC;
}

static int collect(struct child *c, int status)
{
        const struct compare_job *j = c->job;
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_GENERIC;
        size_t n;

        rewind(c->file);
        if (code == EXIT_OK && fread(j->result, sizeof(*j->result), 1, c->file) != 1)
                code = EXIT_IO;
        if (code == EXIT_OK && j->trace != NULL) {
                if (fread(&n, sizeof(n), 1, c->file) == 1 && n <= j->trace->cap &&
                    fread(j->trace->sample, sizeof(*j->trace->sample), n, c->file) == n)
                        j->trace->n = n;
                else
                        code = EXIT_IO;
        }
        (void)fclose(c->file);
        *c = (struct child){0};
        return code;
}

/* Waits for one of ours; *ret_job is what it ran, or NULL. */
static int reap(struct child *child, size_t n, const struct compare_job **ret_job)
{
        int status;
        pid_t pid;

        *ret_job = NULL;
        do
                pid = wait(&status);
        while (pid < 0 && errno == EINTR);
        for (size_t i = 0; i < n; i++)
                if (child[i].pid == pid && pid > 0) {
                        *ret_job = child[i].job;
                        return collect(&child[i], status);
                }
        if (pid > 0)
                return EXIT_OK; /* not ours */
        /* nobody left to wait for: what became of them cannot be known */
        fprintf(stderr, "coolplane-sim compare: runs are lost: %s\n", strerror(errno));
        for (size_t i = 0; i < n; i++) {
                if (child[i].file != NULL)
                        (void)fclose(child[i].file);
                child[i] = (struct child){0};
        }
        return EXIT_GENERIC;
}

static void count(const char *label, size_t done, size_t n)
{
        if (label != NULL)
                fprintf(stderr, "\r%s: %zu of %zu runs   ", label, done, n);
}

static int run_here(const struct compare_job *job, size_t n, const char *label,
                    int (*ended)(void *ctx, const struct compare_job *j), void *ctx)
{
        int code = EXIT_OK;

        for (size_t i = 0; code == EXIT_OK && i < n; i++) {
                count(label, i, n);
                code = here(&job[i]);
                if (code == EXIT_OK)
                        code = ended(ctx, &job[i]);
        }
        return code;
}

int compare_run(const struct compare_job *job, size_t n, size_t at_once, const char *label,
                int (*ended)(void *ctx, const struct compare_job *j), void *ctx)
{
        struct sigaction before, wait_for_them = {.sa_handler = SIG_DFL};
        struct child child[AT_ONCE_MAX] = {{0}};
        size_t running = 0;
        int code = EXIT_OK, r;

        if (at_once <= 1)
                return run_here(job, n, label, ended, ctx);
        at_once = at_once < AT_ONCE_MAX ? at_once : AT_ONCE_MAX;
        /* who started us may ignore it, and then nobody could be waited for */
        (void)sigemptyset(&wait_for_them.sa_mask);
        (void)sigaction(SIGCHLD, &wait_for_them, &before);
        for (size_t i = 0; (code == EXIT_OK && i < n) || running > 0;) {
                const struct compare_job *done;

                if (code == EXIT_OK && i < n && running < at_once) {
                        size_t k = 0;

                        while (child[k].pid != 0)
                                k++;
                        code = start(&job[i], &child[k]);
                        running += code == EXIT_OK;
                        i += code == EXIT_OK;
                        continue;
                }
                count(label, i - running, n);
                r = reap(child, at_once, &done);
                if (r == EXIT_OK && done != NULL)
                        r = ended(ctx, done);
                running = 0;
                for (size_t k = 0; k < at_once; k++)
                        running += child[k].pid != 0;
                code = code != EXIT_OK ? code : r;
        }
        (void)sigaction(SIGCHLD, &before, NULL);
        return code;
}
