/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/fnv.h"

#define REPEATS_PER_WINDOW 20
#define TEXTS_PER_WINDOW 200
#define WINDOW_MS 60000
#define KEYS 256 /* distinct (component, format) pairs that are counted; more share the oldest slot */

struct repeat {
        const char *fmt;
        uint64_t shape; /* of the text, where the format says nothing; 0 = any */
        char component[24];
        int64_t window_ms;
        unsigned count;
};

/* The one place with process-wide state: stderr is process-wide too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[KEYS], texts_in_all;
static enum log_level max_level = LOG_LEVEL_INFO;
static int to_journal = -1; /* unknown yet */

void log_set_level(enum log_level max)
{
        (void)pthread_mutex_lock(&lock);
        max_level = max;
        (void)pthread_mutex_unlock(&lock);
}

/* $JOURNAL_STREAM is "device:inode" of the journal's socket; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
        const char *s = getenv("JOURNAL_STREAM");
        struct stat st;
        char want[64];

        if (!s || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void)snprintf(want, sizeof(want), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        return strcmp(s, want) == 0;
}

/* FNV-1a of the text without its digits; never 0. */
static uint64_t shape_of(const char *text, size_t n)
{
        uint64_t h = FNV_START;

        for (size_t i = 0; i < n; i++)
                if (text[i] < '0' || text[i] > '9')
                        h = fnv_add(h, &text[i], 1);
        return h ? h : 1;
}

/* False: over the cap. *ret_suppressed: how many were dropped since the last one that got through. */
static bool count(struct repeat *slot, unsigned cap, int64_t now_ms, unsigned *ret_suppressed)
{
        *ret_suppressed = 0;
        if (now_ms - slot->window_ms >= WINDOW_MS) {
                if (slot->count > cap)
                        *ret_suppressed = slot->count - cap;
                slot->window_ms = now_ms;
                slot->count = 0;
        }
        slot->count++;
        return slot->count <= cap;
}

static bool admit(const char *component, const char *fmt, uint64_t shape, int64_t now_ms, unsigned *ret_suppressed)
{
        struct repeat *slot = NULL, *reuse = &repeats[0];

        for (size_t i = 0; i < KEYS && !slot; i++) {
                struct repeat *p = &repeats[i];
                if (p->fmt == fmt && p->shape == shape &&
                    strncmp(p->component, component, sizeof(p->component) - 1) == 0)
                        slot = p;
                else if (reuse->fmt && (!p->fmt || p->window_ms < reuse->window_ms))
                        reuse = p; /* a free one, else the one quiet for longest */
        }
        if (!slot) {
                slot = reuse;
                *slot = (struct repeat){.fmt = fmt, .shape = shape, .window_ms = now_ms};
                (void)snprintf(slot->component, sizeof(slot->component), "%s", component);
        }
        return count(slot, REPEATS_PER_WINDOW, now_ms, ret_suppressed);
}

void log_msg(enum log_level level, const char *component, const char *fmt, ...)
{
        char line[1200];
        const bool texts = strcmp(fmt, "%s") == 0;
        const int64_t now_ms = clk_real_mono_ms();
        unsigned suppressed, others;
        va_list ap;

        (void)pthread_mutex_lock(&lock);
        if (level > max_level)
                goto out;
        if (to_journal < 0)
                to_journal = stderr_is_journal();

        size_t cap = sizeof(line) - 64, n = 0; /* 64: room for the count and the newline */
        int k = to_journal ? snprintf(line, cap, "<%d>%s: ", (int)level, component)
                           : snprintf(line, cap, "%s: ", component);
        if (k < 0)
                goto out;
        n = (size_t)k < cap ? (size_t)k : cap - 1;
        va_start(ap, fmt);
        k = vsnprintf(line + n, cap - n, fmt, ap);
        va_end(ap);
        if (k < 0)
                goto out;
        size_t end = n + ((size_t)k < cap - n ? (size_t)k : cap - n - 1);
        if (!admit(component, fmt, texts ? shape_of(line + n, end - n) : 0, now_ms, &suppressed))
                goto out;
        if (texts && !count(&texts_in_all, TEXTS_PER_WINDOW, now_ms, &others))
                goto out;
        for (size_t i = n; i < end; i++)
                if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
                        line[i] = '?'; /* outside text must not forge lines or move the terminal's cursor */
        if (suppressed > 0) {
                k = snprintf(line + end, sizeof(line) - end, " (%u like this suppressed)", suppressed);
                end += k > 0 ? (size_t)k : 0;
        }
        line[end++] = '\n';
        ssize_t w = write(STDERR_FILENO, line, end);
        (void)w; /* nowhere to report it */
out:
        (void)pthread_mutex_unlock(&lock);
}
