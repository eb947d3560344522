/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Reader of workload CSV files, two layouts told apart by the header:
 *   vm,t0,t1,…          one VM a row, percent, 5 min (PlanetLab)
 *   timestamp,value,…   one aggregate a row: seconds evenly spaced (Azure), or an hour count from a nameless first
 *                       column (Alibaba). Values up to 1 are ratios, up to 100 percent; larger ones are counts of cores
 *                       with no published capacity, and are scaled so that their maximum is 0.7.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "sim/workload_internal.h"

#define ERR_SIZE 256
#define LINE_MAX_BYTES 65536
#define COUNT_PEAK_RATIO 0.7
#define VALUE_MAX 1e12

struct table { /* values as read, [nrow × ncol] */
        size_t nrow, ncol, cap;
        double *v;
};

static int fail(char *reterr, const char *path, size_t line, const char *what)
{
        (void)snprintf(reterr, ERR_SIZE, "%.150s:%zu: %.80s", path, line, what);
        return -EINVAL;
}

static int table_push(struct table *t, double v)
{
        size_t used = t->nrow * t->ncol;

        if (used == t->cap) {
                const size_t cap = t->cap == 0 ? 4096 : 2 * t->cap;
                double *grown = realloc(t->v, cap * sizeof(*grown));

                if (grown == NULL)
                        return -ENOMEM;
                t->v = grown;
                t->cap = cap;
        }
        t->v[used] = v;
        return 0;
}

/* Next comma-separated field, cut in place; NULL at the end. */
static char *next_field(char **p)
{
        char *field = *p, *comma;

        if (field == NULL)
                return NULL;
        comma = strchr(field, ',');
        if (comma != NULL)
                *comma++ = '\0';
        *p = comma;
        return field;
}

/* The table is used as a flat list while reading: ncol = 1, nrow = count. */
static int read_rows(FILE *f, const char *path, char *line, size_t skip, size_t take, struct table *t, size_t *ret_line,
                     char *reterr)
{
        size_t n = 1, width = 0;

        t->ncol = 1;
        while (fgets(line, LINE_MAX_BYTES, f) != NULL) {
                char *p = line, *field;
                size_t col = 0, kept = 0;

                n++;
                line[strcspn(line, "\r\n")] = '\0';
                if (line[0] == '\0')
                        continue;
                while (kept < take && (field = next_field(&p)) != NULL) {
                        double v;

                        if (col++ < skip)
                                continue;
                        if (parse_double(field, &v) != 0 || !(fabs(v) <= VALUE_MAX))
                                return fail(reterr, path, n, "not a number");
                        if (table_push(t, v) != 0)
                                return -ENOMEM;
                        t->nrow++;
                        kept++;
                }
                if (width == 0)
                        width = kept;
                if (kept == 0 || kept != width)
                        return fail(reterr, path, n, "number of columns differs from the first row");
        }
        if (width == 0)
                return fail(reterr, path, n, "no rows");
        t->nrow /= width;
        t->ncol = width;
        *ret_line = n;
        return 0;
}

static int from_traces(const struct table *t, const char *path, struct workload **ret, char *reterr)
{
        int r;

        for (size_t i = 0; i < t->nrow * t->ncol; i++)
                if (!(t->v[i] >= 0.0 && t->v[i] <= 100.0))
                        return fail(reterr, path, i / t->ncol + 2, "percent outside 0 to 100");
        r = workload_alloc(t->nrow, t->ncol, 300.0, ret);
        for (size_t i = 0; r == 0 && i < t->nrow * t->ncol; i++)
                (*ret)->ratio[i % t->ncol * t->nrow + i / t->ncol] = workload_encode(t->v[i] / 100.0);
        return r;
}

static int from_aggregate(const struct table *t, double unit_s, const char *path, struct workload **ret, char *reterr)
{
        const double step = t->nrow > 1 ? t->v[t->ncol] - t->v[0] : 0.0;
        double max = 0.0, scale;
        int r;

        if (t->ncol < 2 || !(step * unit_s >= 1.0 && step * unit_s <= 86400.0))
                return fail(reterr, path, 3, "expected rising time stamps, 1 s to 1 day, and a value");
        for (size_t i = 0; i < t->nrow; i++) {
                if (i > 0 && fabs(t->v[i * t->ncol] - t->v[(i - 1) * t->ncol] - step) > 1e-6 * step)
                        return fail(reterr, path, i + 2, "time stamps are not evenly spaced");
                if (!(t->v[i * t->ncol + 1] >= 0.0))
                        return fail(reterr, path, i + 2, "negative value");
                max = fmax(max, t->v[i * t->ncol + 1]);
        }
        scale = max <= 1.0 ? 1.0 : max <= 100.0 ? 0.01 : COUNT_PEAK_RATIO / max;
        r = workload_alloc(1, t->nrow, step * unit_s, ret);
        for (size_t i = 0; r == 0 && i < t->nrow; i++)
                (*ret)->ratio[i] = workload_encode(t->v[i * t->ncol + 1] * scale);
        return r;
}

int workload_load(const char *path, struct workload **ret, char *reterr)
{
        struct table t = {0};
        struct workload *w = NULL;
        char *line = NULL;
        FILE *f = fopen(path, "r");
        size_t last;
        bool traces;
        int r;

        if (f == NULL) {
                r = -errno;
                (void)snprintf(reterr, ERR_SIZE, "%.150s: %s", path, strerror(-r));
                return r;
        }
        line = malloc(LINE_MAX_BYTES);
        if (line == NULL) {
                r = -ENOMEM;
                goto out;
        }
        if (fgets(line, LINE_MAX_BYTES, f) == NULL || strchr(line, ',') == NULL) {
                r = fail(reterr, path, 1, "expected a header line with commas");
                goto out;
        }
        traces = strncmp(line, "vm,", 3) == 0;
        /* a nameless first column counts hours */
        const double unit_s = line[0] == ',' || strncmp(line, "\"\",", 3) == 0 ? 3600.0 : 1.0;

        r = read_rows(f, path, line, traces ? 1 : 0, traces ? SIZE_MAX : 2, &t, &last, reterr);
        if (r == 0)
                r = traces ? from_traces(&t, path, &w, reterr) : from_aggregate(&t, unit_s, path, &w, reterr);
        if (r == 0)
                *ret = w;
out:
        if (r == -ENOMEM)
                (void)snprintf(reterr, ERR_SIZE, "%.150s: out of memory", path);
        free(line);
        free(t.v);
        (void)fclose(f);
        return r;
}
