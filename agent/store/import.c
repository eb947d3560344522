/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/import.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/points/codec.h"
#include "agent/store/csvlog.h"

#define BATCH_SAMPLES 8192
#define READ_SIZE 65536
#define INTERVAL_SLOTS 8192 /* power of two */
#define INTERVAL_EXACT                                                                                                 \
        4096 /* distinct intervals kept exactly; further ones are rounded down to an eighth of an octave */
#define ERR_MAX 256

struct column {
        int32_t point; /* −1 = not used */
        bool zero_is_missing;
};

struct interval {
        int64_t ms, n; /* n 0 = free */
};

struct work {
        const struct import_args *a;
        const char *path;
        struct import_report rep;
        char *err;

        bool have_header;
        size_t ncell;
        struct column *column; /* [ncell] */
        size_t time_at[IMPORT_TIME_COLUMNS_MAX];

        int64_t newest_ms, prev_ms;
        bool any_time;

        struct sample *batch;
        uint8_t *duplicate;
        size_t nbatch;
        size_t *row_end; /* end of each row in the batch, and whether it was late */
        bool *row_late;
        size_t nrow;

        struct interval interval[INTERVAL_SLOTS];
        size_t ninterval;
};

const char *import_bad_str(enum import_bad b)
{
        static const char *const name[] = {"unreadable_time", "ambiguous_time", "nonexistent_time",
                                           "cell_count",      "quoting",        "too_long"};
        return b < IMPORT_BAD_COUNT_ ? name[b] : "unknown";
}

/* --- intervals --------------------------------------------------------------------------------------------------- */

static int64_t eighth_of_octave(int64_t ms)
{
        int shift = 0;
        while ((ms >> shift) >= 16)
                shift++;
        return (ms >> shift) << shift;
}

static void add_interval(struct work *w, int64_t ms)
{
        for (int pass = 0; pass < 2; pass++) {
                size_t at = (size_t)((uint64_t)ms * 0x9e3779b97f4a7c15u >> 51) % INTERVAL_SLOTS;
                while (w->interval[at].n > 0 && w->interval[at].ms != ms)
                        at = (at + 1) % INTERVAL_SLOTS;
                if (w->interval[at].n > 0 || w->ninterval < INTERVAL_EXACT || pass == 1) {
                        w->ninterval += w->interval[at].n == 0;
                        w->interval[at].ms = ms;
                        w->interval[at].n++;
                        return;
                }
                ms = eighth_of_octave(ms);
        }
}

static int by_ms(const void *a, const void *b)
{
        const struct interval *x = a, *y = b;
        return (x->ms > y->ms) - (x->ms < y->ms);
}

/* Median and gaps; leaves the table sorted (no more adding). */
static void finish_intervals(struct work *w)
{
        int64_t total = 0, seen = 0;
        qsort(w->interval, INTERVAL_SLOTS, sizeof w->interval[0], by_ms);
        for (size_t i = 0; i < INTERVAL_SLOTS; i++)
                total += w->interval[i].n;
        for (size_t i = 0; i < INTERVAL_SLOTS && total > 0; i++) {
                seen += w->interval[i].n;
                if (2 * seen >= total) {
                        w->rep.median_interval_ms = w->interval[i].ms;
                        break;
                }
        }
        int64_t limit = w->a->map->gap_ms > 0 ? w->a->map->gap_ms : 10 * w->rep.median_interval_ms;
        for (size_t i = 0; i < INTERVAL_SLOTS; i++)
                if (w->interval[i].ms > limit)
                        w->rep.gaps += w->interval[i].n;
}

/* --- storing ----------------------------------------------------------------------------------------------------- */

static int flush(struct work *w)
{
        if (w->nbatch == 0)
                return 0;
        int r = store_append_samples_marked(w->a->store, w->batch, w->nbatch, w->duplicate);
        if (r < 0) {
                snprintf(w->err, ERR_MAX, "%.120s: storing: %.120s", w->path, store_errmsg(w->a->store));
                return r;
        }
        size_t at = 0;
        for (size_t k = 0; k < w->nrow; k++) {
                size_t fresh = 0;
                for (; at < w->row_end[k]; at++) {
                        const struct sample *s = &w->batch[at];
                        if (w->duplicate[at]) {
                                w->rep.samples_duplicate++;
                                continue;
                        }
                        fresh++;
                        w->rep.samples++;
                        w->rep.samples_good += s->quality == QUALITY_GOOD;
                        if (s->quality != QUALITY_GOOD)
                                w->rep.samples_by_reason[s->reason < IMPORT_REASONS ? s->reason : 0]++;
                }
                w->rep.ok += fresh > 0;
                w->rep.duplicates += fresh == 0;
                w->rep.out_of_order += fresh > 0 && w->row_late[k];
        }
        w->nbatch = w->nrow = 0;
        return 0;
}

/* --- header ------------------------------------------------------------------------------------------------------ */

static const struct import_column *options_of(const struct import_map *m, const char *name)
{
        for (size_t i = 0; i < m->ncolumn; i++)
                if (strcmp(m->column[i].name, name) == 0)
                        return &m->column[i];
        return NULL;
}

static int32_t point_of_key(const struct site *site, const char *key)
{
        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].table == POINT_TABLE_LOG && strcmp(site->point[i].key, key) == 0)
                        return (int32_t)i;
        return -1;
}

static int map_columns(struct work *w, char *const *cell, size_t n)
{
        const struct import_map *m = w->a->map;
        const struct site *site = w->a->site;
        for (size_t t = 0; t < m->ntime_column; t++) {
                size_t i = 0;
                while (i < n && strcmp(cell[i], m->time_column[t]) != 0)
                        i++;
                if (i == n) {
                        snprintf(w->err, ERR_MAX, "%.120s: the header has no column '%.100s'", w->path,
                                 m->time_column[t]);
                        return -EBADMSG;
                }
                w->time_at[t] = i;
        }
        for (size_t i = 0; i < n; i++) {
                const struct import_column *o = options_of(m, cell[i]);
                w->column[i].point = o && o->ignore ? -1 : point_of_key(site, cell[i]);
                w->column[i].zero_is_missing = o && o->zero_is_missing;
                for (size_t k = 0; k < i && w->column[i].point >= 0; k++) {
                        if (w->column[k].point == w->column[i].point) {
                                snprintf(w->err, ERR_MAX, "%.120s: two columns are named '%.100s'", w->path, cell[i]);
                                return -EBADMSG;
                        }
                }
                w->rep.columns_used += w->column[i].point >= 0;
        }
        for (size_t i = 0; i < site->npoint; i++)
                w->rep.points_without_column += site->point[i].table == POINT_TABLE_LOG;
        w->rep.points_without_column -= w->rep.columns_used;
        if (w->rep.columns_used == 0) {
                snprintf(w->err, ERR_MAX, "%.120s: no column is the key of a point of table log", w->path);
                return -EBADMSG;
        }
        return 0;
}

static int header(struct work *w, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        w->ncell = n;
        w->rep.columns = n;
        if (flaw != CSVLOG_FINE) {
                snprintf(w->err, ERR_MAX, "%.200s: the header line is not readable CSV", w->path);
                return -EBADMSG;
        }
        if (n > BATCH_SAMPLES) {
                snprintf(w->err, ERR_MAX, "%.200s: more than %d columns", w->path, BATCH_SAMPLES);
                return -EBADMSG;
        }
        w->column = calloc(n, sizeof *w->column);
        if (!w->column)
                return -ENOMEM;
        w->have_header = true;
        return map_columns(w, cell, n);
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static int reject(struct work *w, int64_t line, enum import_bad why, const char *text)
{
        w->rep.bad++;
        w->rep.bad_by[why]++;
        if (w->a->on_bad)
                w->a->on_bad(w->a->ctx, w->path, line, why, text);
        return 0;
}

/* The UTC time of a row, or the reason why it has none. `order`: the one that keeps the rows in order. */
static bool row_time(struct work *w, char *const *cell, char *text, size_t cap, int64_t *ret_ms,
                     enum import_bad *ret_why)
{
        const struct import_map *m = w->a->map;
        struct logtime_text t;
        int64_t utc[2];
        int len = m->ntime_column == 2 ? snprintf(text, cap, "%s %s", cell[w->time_at[0]], cell[w->time_at[1]])
                                       : snprintf(text, cap, "%s", cell[w->time_at[0]]);
        size_t f = 0;
        *ret_why = IMPORT_BAD_TIME;
        if (len < 0 || (size_t)len >= cap)
                return false;
        while (f < m->nformat && logtime_parse(m->format[f], text, &t) < 0)
                f++;
        if (f == m->nformat)
                return false;
        if (t.absolute) {
                *ret_ms = t.wall_ms;
                return true;
        }
        int n = logtime_to_utc(&w->a->zone, t.wall_ms, utc);
        if (n == 0) {
                *ret_why = IMPORT_BAD_NONEXISTENT;
                return false;
        }
        bool second = false;
        if (n == 2) {
                w->rep.ambiguous_hours++;
                *ret_why = IMPORT_BAD_AMBIGUOUS;
                if (m->ambiguous == AMBIGUOUS_REJECT)
                        return false;
                second = m->ambiguous == AMBIGUOUS_SECOND || (m->ambiguous == AMBIGUOUS_ORDER && w->any_time &&
                                                              utc[0] <= w->prev_ms && utc[1] > w->prev_ms);
        }
        *ret_ms = utc[second];
        return true;
}

static bool is_missing(const struct import_map *m, const char *text)
{
        for (size_t i = 0; i < m->nmissing; i++)
                if (strcmp(text, m->missing[i]) == 0)
                        return true;
        return false;
}

static struct sample cell_sample(const struct work *w, const struct column *c, const char *text, int64_t t_ms)
{
        struct sample s = {.point = (uint32_t)c->point,
                           .quality = QUALITY_BAD,
                           .t_ms = t_ms,
                           .value = (double)NAN,
                           .raw = (double)NAN};
        double v = 0;
        if (is_missing(w->a->map, text)) {
                s.reason = QR_SOURCE;
        } else if (parse_double(text, &v) < 0) {
                s.reason = QR_PARSE;
        } else {
                codec_accept(&w->a->site->point[c->point], v, t_ms, &s);
                s.point = (uint32_t)c->point;
                if (c->zero_is_missing && fabs(v) <= 0) {
                        s.quality = QUALITY_BAD;
                        s.reason = QR_SENTINEL;
                }
        }
        return s;
}

static void note_time(struct work *w, int64_t t_ms)
{
        if (w->any_time && t_ms > w->newest_ms)
                add_interval(w, t_ms - w->newest_ms);
        w->row_late[w->nrow] = w->any_time && t_ms < w->newest_ms;
        if (!w->any_time || t_ms > w->newest_ms)
                w->newest_ms = t_ms;
        if (!w->any_time || t_ms < w->rep.first_t_ms)
                w->rep.first_t_ms = t_ms;
        w->rep.last_t_ms = w->newest_ms;
        w->prev_ms = t_ms;
        w->any_time = true;
}

static int on_row(void *ctx, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        struct work *w = ctx;
        if (!w->have_header)
                return header(w, cell, n, flaw);
        w->rep.rows++;
        if (flaw == CSVLOG_TOO_LONG)
                return reject(w, line, IMPORT_BAD_TOO_LONG, "");
        if (flaw != CSVLOG_FINE)
                return reject(w, line, IMPORT_BAD_QUOTES, cell[0]);
        if (n != w->ncell)
                return reject(w, line, IMPORT_BAD_CELLS, cell[0]);
        char text[160];
        int64_t t_ms = 0;
        enum import_bad why;
        if (!row_time(w, cell, text, sizeof text, &t_ms, &why))
                return reject(w, line, why, text);
        if (w->nbatch + w->rep.columns_used > BATCH_SAMPLES) {
                int r = flush(w);
                if (r < 0)
                        return r;
        }
        note_time(w, t_ms);
        for (size_t i = 0; i < n; i++)
                if (w->column[i].point >= 0)
                        w->batch[w->nbatch++] = cell_sample(w, &w->column[i], cell[i], t_ms);
        w->row_end[w->nrow++] = w->nbatch;
        return 0;
}

/* --- file -------------------------------------------------------------------------------------------------------- */

static int read_all(struct work *w, int fd, struct csvlog *csv, int64_t total)
{
        char *buf = malloc(READ_SIZE);
        int64_t bytes = 0;
        int r = buf ? 0 : -ENOMEM;
        while (r == 0) {
                ssize_t n = read(fd, buf, READ_SIZE);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        snprintf(w->err, ERR_MAX, "%.150s: %s", w->path, strerror(errno));
                        r = -EIO;
                } else if (n == 0) {
                        break;
                } else if (bytes == 0 && n >= 2 &&
                           (memcmp(buf, "\xff\xfe", 2) == 0 || memcmp(buf, "\xfe\xff", 2) == 0)) {
                        snprintf(w->err, ERR_MAX, "%.150s: is UTF-16; convert it first (iconv -f UTF-16 -t UTF-8)",
                                 w->path);
                        r = -EBADMSG;
                } else {
                        r = csvlog_feed(csv, buf, (size_t)n);
                        bytes += n;
                        if (w->a->on_progress)
                                w->a->on_progress(w->a->ctx, w->path, bytes, total);
                }
        }
        if (r == 0)
                r = csvlog_finish(csv);
        free(buf);
        return r;
}

int import_file(const struct import_args *a, const char *path, struct import_report *ret, char *reterr)
{
        struct csvlog *csv = NULL;
        struct stat sb = {0};
        int fd = -1, r = -ENOMEM;
        struct work *w = calloc(1, sizeof *w);
        reterr[0] = '\0';
        if (!w)
                return -ENOMEM;
        w->a = a;
        w->path = path;
        w->err = reterr;
        w->batch = malloc(BATCH_SAMPLES * sizeof *w->batch);
        w->duplicate = malloc(BATCH_SAMPLES);
        w->row_end = malloc((BATCH_SAMPLES + 1) * sizeof *w->row_end);
        w->row_late = malloc((BATCH_SAMPLES + 1) * sizeof *w->row_late);
        if (!w->batch || !w->duplicate || !w->row_end || !w->row_late)
                goto out;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &sb) < 0) {
                r = errno == ENOENT ? -ENOENT : -EIO;
                snprintf(reterr, ERR_MAX, "%.150s: %s", path, strerror(errno));
                goto out;
        }
        r = csvlog_create(a->map->delimiter, on_row, w, &csv);
        if (r < 0)
                goto out;
        logtime_zone_enter(&a->zone);
        r = read_all(w, fd, csv, S_ISREG(sb.st_mode) ? (int64_t)sb.st_size : 0);
        logtime_zone_leave();
        if (r == 0)
                r = flush(w);
        if (r == 0 && !w->have_header) {
                snprintf(reterr, ERR_MAX, "%.200s: is empty", path);
                r = -EBADMSG;
        }
        finish_intervals(w);
        w->rep.blank_lines = csvlog_blank_lines(csv);
        w->rep.ended_without_newline = csvlog_ended_without_newline(csv);
        *ret = w->rep;
out:
        if (r < 0 && reterr[0] == '\0')
                snprintf(reterr, ERR_MAX, "%.150s: %s", path, strerror(-r));
        csvlog_free(csv);
        if (fd >= 0)
                close(fd);
        free(w->batch);
        free(w->duplicate);
        free(w->row_end);
        free(w->row_late);
        free(w->column);
        free(w);
        return r;
}
