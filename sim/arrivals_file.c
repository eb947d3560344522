/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Reader of the four files of an arrivals folder; arrivals.h says where they come from. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "sim/arrivals_internal.h"

#define ERR_SIZE 256
#define PATH_BYTES 1024

const char *const arrivals_file[ARRIVALS_FILES] = {[ARRIVALS_FLAVOURS] = "flav_map.txt",
                                                   [ARRIVALS_LIVES] = "v1.interval_map.txt",
                                                   [ARRIVALS_WHAT] = "v1.dev.txt",
                                                   [ARRIVALS_LIFE] = "v1.dev.c2100000.txt"};

struct file { /* read line by line */
        FILE *f;
        char path[PATH_BYTES], *line;
        size_t cap, lineno;
};

struct reader {
        struct arrivals *a;
        char *reterr;
        uint8_t letter[256]; /* flavour + 1; 0 = no such */
};

static int fail(const struct reader *r, const struct file *f, const char *what, const char *detail)
{
        (void)snprintf(r->reterr, ERR_SIZE, "%.140s:%zu: %.60s%.20s", f->path, f->lineno, what, detail);
        return -EINVAL;
}

static int open_file(const struct reader *r, const char *dir, const char *name, struct file *f)
{
        *f = (struct file){0};
        if ((size_t)snprintf(f->path, sizeof(f->path), "%s/%s", dir, name) >= sizeof(f->path))
                return fail(r, f, "path too long", "");
        f->f = fopen(f->path, "re");
        if (f->f == NULL) {
                const int err = errno;

                (void)snprintf(r->reterr, ERR_SIZE, "%.180s: %s", f->path, strerror(err));
                return -err;
        }
        return 0;
}

static void close_file(struct file *f)
{
        if (f->f != NULL)
                (void)fclose(f->f);
        free(f->line);
}

/* 1, 0 at the end of the file, or -Exxx. */
static int next_line(const struct reader *r, struct file *f)
{
        ssize_t n;

        errno = 0;
        n = getline(&f->line, &f->cap, f->f);
        if (n < 0)
                return feof(f->f) ? 0 : errno == ENOMEM ? -ENOMEM : fail(r, f, "cannot be read", "");
        f->lineno++;
        if (strlen(f->line) != (size_t)n)
                return fail(r, f, "not text", "");
        f->line[strcspn(f->line, "\r\n")] = '\0';
        return 1;
}

/* Cuts the line at its first blank. */
static char *second(char *line)
{
        char *blank = strchr(line, ' ');

        if (blank == NULL)
                return NULL;
        *blank = '\0';
        return blank + 1;
}

static int read_flavours(struct reader *r, const char *dir)
{
        struct arrivals *a = r->a;
        struct file f;
        int e = open_file(r, dir, arrivals_file[ARRIVALS_FLAVOURS], &f);

        while (e >= 0 && (e = next_line(r, &f)) > 0) {
                char *letter = second(f.line), *mem = strchr(f.line, ',');
                double cores, mem_gib;

                if (mem != NULL)
                        *mem++ = '\0';
                if (letter == NULL || mem == NULL || strlen(letter) != 1 || letter[0] == '|' || letter[0] == ',' ||
                    parse_double(f.line, &cores) < 0 || parse_double(mem, &mem_gib) < 0 ||
                    !(cores >= 0.1 && cores <= 1024.0 && mem_gib >= 0.0 && mem_gib <= 65536.0))
                        e = fail(r, &f, "expected CORES,GIB LETTER", "");
                else if (a->nflavour == FLAVOURS_MAX || r->letter[(unsigned char)letter[0]] != 0)
                        e = fail(r, &f, "too many flavours, or twice the same: ", letter);
                else {
                        a->flavour[a->nflavour].cores = cores;
                        a->flavour[a->nflavour].mem_gib = mem_gib;
                        r->letter[(unsigned char)letter[0]] = (uint8_t)++a->nflavour;
                }
        }
        if (e == 0 && a->nflavour == 0)
                e = fail(r, &f, "no flavour", "");
        close_file(&f);
        return e;
}

static int read_lives(struct reader *r, const char *dir)
{
        struct arrivals *a = r->a;
        int64_t s, k, last = -1;
        struct file f;
        int e = open_file(r, dir, arrivals_file[ARRIVALS_LIVES], &f);

        while (e >= 0 && (e = next_line(r, &f)) > 0) {
                const char *bin = second(f.line);

                if (bin == NULL || parse_int64(f.line, 0, INT64_C(4000000000), &s) < 0 ||
                    parse_int64(bin, 0, LIVES_MAX - 1, &k) < 0)
                        e = fail(r, &f, "expected SECONDS BIN", "");
                else if (s <= last || (k != (int64_t)a->nlife && k + 1 != (int64_t)a->nlife))
                        e = fail(r, &f, "seconds and bins must rise, bins one by one", "");
                else {
                        if (k == (int64_t)a->nlife)
                                a->life_from_s[a->nlife++] = (double)s;
                        last = s;
                }
        }
        if (e == 0 && a->nlife < 2)
                e = fail(r, &f, "fewer than two bins", "");
        if (e == 0) /* whole bins of five minutes, rounded down */
                a->life_from_s[a->nlife] = (double)last + ARRIVALS_BIN_S;
        close_file(&f);
        return e;
}

/* The next of a line's comma-separated words; NULL at the end (a closing comma ends the last word). */
static char *next_word(char **p)
{
        char *word = *p, *comma = strchr(word, ',');

        if (word[0] == '\0')
                return NULL;
        *p = comma != NULL ? comma + 1 : word + strlen(word);
        if (comma != NULL)
                *comma = '\0';
        return word;
}

static int read_life(const struct reader *r, const struct file *f, const char *word, struct arrival *x)
{
        int64_t k;

        if ((word[0] != 'U' && word[0] != 'C') || parse_int64(word + 1, 0, (int64_t)r->a->nlife - 1, &k) < 0)
                return fail(r, f, "expected U or C and a bin: ", word);
        x->censored = word[0] == 'C';
        x->life = (uint8_t)k;
        return 0;
}

/* One bin: the same words in both files, flavours in one, lifetimes in the other. */
static int read_bin(struct reader *r, struct file *what, struct file *life)
{
        char *w = second(what->line), *l = second(life->line), *word, *other;
        int e;

        if (w == NULL || l == NULL || strcmp(what->line, life->line) != 0)
                return fail(r, life, "expected the time stamp of the other file and a blank: ", what->line);
        e = arrivals_push_bin(r->a);
        while (e == 0) {
                struct arrival x = {0};

                word = next_word(&w);
                other = next_word(&l);
                if (word == NULL && other == NULL)
                        break;
                if (word == NULL || other == NULL || (strcmp(word, "|") == 0) != (strcmp(other, "|") == 0))
                        return fail(r, life, "not as many as in the other file", "");
                if (strcmp(word, "|") == 0)
                        continue;
                if (strlen(word) != 1 || r->letter[(unsigned char)word[0]] == 0)
                        return fail(r, what, "no such flavour: ", word);
                x.flavour = (uint8_t)(r->letter[(unsigned char)word[0]] - 1);
                e = read_life(r, life, other, &x);
                if (e == 0)
                        e = arrivals_push(r->a, x);
        }
        return e;
}

static int read_bins(struct reader *r, const char *dir)
{
        struct file what, life = {0};
        int64_t t_s = 0, last_s = 0;
        int e = open_file(r, dir, arrivals_file[ARRIVALS_WHAT], &what);

        if (e == 0)
                e = open_file(r, dir, arrivals_file[ARRIVALS_LIFE], &life);
        while (e >= 0 && (e = next_line(r, &what)) > 0) {
                e = next_line(r, &life);
                if (e == 0)
                        e = fail(r, &life, "ends before the other file", "");
                if (e < 0)
                        break;
                e = read_bin(r, &what, &life);
                if (e == 0 && (parse_int64(what.line, 0, INT64_C(4000000000), &t_s) < 0 ||
                               (r->a->nbin > 1 && t_s != last_s + ARRIVALS_BIN_S)))
                        e = fail(r, &what, "time stamps must be whole seconds, 300 apart", "");
                last_s = t_s;
        }
        if (e == 0 && next_line(r, &life) > 0)
                e = fail(r, &life, "goes on after the other file", "");
        if (e == 0 && arrivals_finish(r->a) < 0)
                e = fail(r, &what, "nothing arrives", "");
        close_file(&what);
        close_file(&life);
        return e;
}

int arrivals_load(const char *dir, struct arrivals **ret, char *reterr)
{
        struct reader r = {.a = calloc(1, sizeof(*r.a)), .reterr = reterr};
        int e;

        if (r.a == NULL)
                return -ENOMEM;
        e = read_flavours(&r, dir);
        if (e == 0)
                e = read_lives(&r, dir);
        if (e == 0)
                e = read_bins(&r, dir);
        if (e < 0) {
                (void)arrivals_free(r.a);
                return e;
        }
        *ret = r.a;
        return 0;
}
