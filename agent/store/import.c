/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/import_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/fnv.h"
#include "agent/base/parse.h"
#include "agent/store/transcode.h"

#define READ_SIZE 65536
#define PATH_SHOWN 100
#define PREAMBLE_MAX 64 /* lines before the header: a title, the name of a station */

const char *import_bad_str(enum import_bad b)
{
        static const char *const name[] = {"unreadable_time",  "implausible_time", "other_zone",   "ambiguous_time",
                                           "nonexistent_time", "cell_count",       "quoting",      "too_long",
                                           "summary_line",     "repeated_header",  "unmapped_tag", "ignored_tag"};
        return (unsigned)b < IMPORT_BAD_COUNT_ ? name[b] : "unknown";
}

static void first(int64_t *at, int64_t line)
{
        if (*at == 0)
                *at = line;
}

int import_wrong(struct import_work *w, const char *fmt, ...)
{
        va_list ap;
        size_t len = strlen(w->path), cut = len > PATH_SHOWN ? len - PATH_SHOWN : 0;
        int n = snprintf(w->err, IMPORT_ERR_MAX, "%s%s:%lld: ", cut ? "…" : "", w->path + cut, (long long)w->at_line);
        va_start(ap, fmt);
        vsnprintf(w->err + n, IMPORT_ERR_MAX - (size_t)n, fmt, ap);
        va_end(ap);
        return -EBADMSG;
}

int import_reject(struct import_work *w, int64_t line, enum import_bad why, const char *text)
{
        w->rep.bad++;
        w->rep.bad_by[why]++;
        first(&w->rep.first.bad[why], line);
        if (w->a->on_bad && why != IMPORT_BAD_IGNORED)
                w->a->on_bad(w->a->ctx, w->path, line, why, text);
        return 0;
}

int import_count_event(struct import_work *w, int64_t line, enum import_event e)
{
        w->rep.events++;
        w->rep.events_by[e]++;
        first(&w->rep.first.event[e], line);
        return 0;
}

/* --- storing ----------------------------------------------------------------------------------------------------- */

static size_t reason_of(const struct sample *s)
{
        return s->reason < IMPORT_REASONS ? s->reason : 0;
}

void import_push(struct import_work *w, const struct sample *s, const char *column, const char *text)
{
        struct import_odd *odd = &w->odd[reason_of(s)];
        if (s->quality != QUALITY_GOOD && odd->at == 0 && w->rep.first.reason[reason_of(s)] == 0) {
                odd->at = w->nbatch + 1;
                odd->cell.point = s->point;
                (void)snprintf(odd->cell.column, sizeof odd->cell.column, "%s", column);
                (void)snprintf(odd->cell.text, sizeof odd->cell.text, "%s", text);
        }
        w->batch[w->nbatch++] = *s;
}

static void account(const struct import_work *w, struct import_report *rep)
{
        size_t at = 0;
        for (size_t k = 0; k < w->nrow; k++) {
                const struct import_row *row = &w->row[k];
                size_t fresh = 0;
                for (; at < row->end; at++) {
                        const struct sample *s = &w->batch[at];
                        if (w->duplicate[at] == 3) {
                                fresh++;
                                rep->samples_replaced++;
                                first(&rep->first.replaced, row->line);
                                continue;
                        }
                        if (w->duplicate[at]) {
                                rep->samples_duplicate++;
                                rep->samples_conflict += w->duplicate[at] > 1;
                                if (w->duplicate[at] > 1)
                                        first(&rep->first.conflict, row->line);
                                continue;
                        }
                        fresh++;
                        rep->samples++;
                        rep->samples_good += s->quality == QUALITY_GOOD;
                        if (s->quality != QUALITY_GOOD) {
                                size_t why = reason_of(s);
                                rep->samples_by_reason[why]++;
                                if (rep->first.reason[why] == 0 && w->odd[why].at == at + 1)
                                        rep->first.cell[why] = w->odd[why].cell;
                                else if (rep->first.reason[why] == 0)
                                        rep->first.cell[why].point = s->point;
                                first(&rep->first.reason[why], row->line);
                        }
                }
                rep->ok += fresh > 0;
                rep->duplicates += fresh == 0;
                if (fresh == 0)
                        first(&rep->first.duplicate, row->line);
                rep->out_of_order += fresh > 0 && row->late;
                if (fresh > 0 && row->late)
                        first(&rep->first.out_of_order, row->line);
        }
}

/* Nothing of it is stored. */
static int no_number(struct import_work *w)
{
        const struct import_map *m = w->a->map;
        struct import_map other = *m;
        double v;
        other.decimal = m->decimal == ',' ? '.' : ',';
        w->at_line = w->rep.first.unreadable;
        if (import_number(&other, w->rep.unreadable_text, &v) == 0)
                return import_wrong(
                    w, "no value is a number: '%s' is none with decimal '%c', but with '%c' (the map's decimal)",
                    w->rep.unreadable_text, m->decimal, other.decimal);
        return import_wrong(w, "no value is a number: '%s' is none with decimal '%c' and none of the map's words",
                            w->rep.unreadable_text, m->decimal);
}

/* The batch, and what is done with it, in one transaction. */
static int flush(struct import_work *w, bool finished)
{
        struct import_report rep = w->rep;
        if (w->nbatch == 0 && !(finished && w->resume.stored))
                return 0;
        if (w->nbatch > 0 && w->rep.cells_read == 0 && w->rep.cells_unreadable > 0)
                return no_number(w);
        int r = store_group_begin(w->a->store);
        if (r == 0) {
                if (w->nbatch > 0)
                        r = store_append_samples_marked(w->a->store, w->batch, w->nbatch, w->duplicate);
                if (r == 0) {
                        account(w, &rep);
                        r = import_resume_put(w, &rep, finished);
                }
                r = store_group_end(w->a->store, r);
        }
        if (r < 0) {
                snprintf(w->err, IMPORT_ERR_MAX, "%.120s: storing: %.120s", w->path, store_errmsg(w->a->store));
                return r;
        }
        w->rep = rep;
        w->nbatch = w->nrow = 0;
        memset(w->odd, 0, sizeof w->odd);
        return 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static uint64_t hash_row(uint64_t before, int64_t line, char *const *cell, size_t n)
{
        uint64_t h = fnv_add(before, &line, sizeof line);
        for (size_t i = 0; i < n; i++)
                h = fnv_add(h, cell[i], strlen(cell[i]) + 1);
        return h;
}

static bool time_columns(struct import_work *w, char *const *cell, size_t n, const char **ret_missing)
{
        const struct import_map *m = w->a->map;
        for (size_t t = 0; t < m->ntime_column; t++) {
                size_t i = 0;
                while (i < n && strcmp(cell[i], m->time_column[t]) != 0)
                        i++;
                if (i == n) {
                        *ret_missing = m->time_column[t];
                        return false;
                }
                w->time_at[t] = i;
        }
        return true;
}

/* One allocation: pointers, then their texts. */
static char **copy_cells(char *const *cell, size_t n)
{
        size_t bytes = 0;
        for (size_t i = 0; i < n; i++)
                bytes += strlen(cell[i]) + 1;
        char **copy = malloc(n * sizeof *copy + bytes + 1);
        char *to = copy ? (char *)(copy + n) : NULL;
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = to;
                to = stpcpy(to, cell[i]) + 1;
        }
        return copy;
}

/* The first line that has the columns of time is the header. */
static int header(struct import_work *w, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        const char *missing = "";
        if (flaw != CSVLOG_FINE || !time_columns(w, cell, n, &missing)) {
                if (w->rep.preamble_lines == 0)
                        (void)(flaw != CSVLOG_FINE ? import_wrong(w, "the header line is not readable CSV")
                                                   : import_wrong(w, "the header has no column '%s'", missing));
                return ++w->rep.preamble_lines > PREAMBLE_MAX ? -EBADMSG : 0;
        }
        w->err[0] = '\0';
        if (n > w->batch_max)
                return import_wrong(w, "more than %zu columns", w->batch_max);
        w->ncell = n;
        w->rep.columns = n;
        w->have_header = true;
        w->rows_hash = hash_row(FNV_START, w->at_line, cell, n); /* rows mean what the header says */
        w->rep.header_line = w->at_line;
        w->header = copy_cells(cell, n);
        return w->header ? import_header(w, cell, n) : -ENOMEM;
}

static int read_row(struct import_work *w, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        w->rep.rows++;
        if (flaw == CSVLOG_TOO_LONG)
                return import_reject(w, line, IMPORT_BAD_TOO_LONG, "");
        if (flaw != CSVLOG_FINE)
                return import_reject(w, line, IMPORT_BAD_QUOTES, cell[0]);
        char *joined[IMPORT_BRACES_MAX], text[IMPORT_BRACES_MAX];
        if (import_join_braces(w, cell, n, joined, text))
                cell = joined;
        else if (n != w->ncell)
                return import_reject(
                    w, line, import_is_summary(w->a->map, cell[0]) ? IMPORT_BAD_SUMMARY : IMPORT_BAD_CELLS, cell[0]);
        size_t had = w->nbatch;
        int r = import_row(w, line, cell);
        if (w->nbatch > had)
                w->row[w->nrow++].end = w->nbatch;
        w->rep.rows -= r < 0; /* it is nothing that was accounted for */
        return r;
}

/* A row that an interrupted import accounted for. */
static int skip_row(struct import_work *w)
{
        struct import_resume *resume = &w->resume;
        if (w->line < resume->skip_line)
                return 0;
        if (w->line > resume->skip_line || !import_resume_same(w))
                return -ESTALE;
        import_resume_take(w);
        resume->skip_line = 0;
        return 0;
}

static int on_row(void *ctx, int64_t line, char *const *cell, size_t n, enum csvlog_flaw flaw)
{
        struct import_work *w = ctx;
        w->at_line = line;
        if (!w->have_header)
                return header(w, cell, n, flaw);
        if (!w->a->whole && csvlog_ended_without_newline(w->csv)) {
                w->rep.held_back_line = line;
                return 0;
        }
        uint64_t hash = w->resume.possible ? hash_row(w->rows_hash, line, cell, n) : 0;
        int r = w->resume.skip_line > 0 ? 0 : read_row(w, line, cell, n, flaw);
        if (r < 0)
                return r;
        w->line = line;
        w->rows_hash = hash;
        if (w->resume.skip_line > 0)
                return skip_row(w);
        return w->nbatch + w->row_samples > w->batch_max ? flush(w, false) : 0;
}

/* --- file -------------------------------------------------------------------------------------------------------- */

struct pipeline {
        struct csvlog *csv;
        struct transcode *text;
};

static int to_csv(void *ctx, const char *text, size_t n)
{
        struct pipeline *p = ctx;
        return csvlog_feed(p->csv, text, n);
}

static int read_all(struct import_work *w, int fd, struct pipeline *p, int64_t total)
{
        char *buf = malloc(READ_SIZE);
        int64_t bytes = 0;
        int r = buf ? 0 : -ENOMEM;
        while (r == 0) {
                ssize_t n = read(fd, buf, READ_SIZE);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        snprintf(w->err, IMPORT_ERR_MAX, "%.150s: %s", w->path, strerror(errno));
                        r = -EIO;
                } else if (n == 0) {
                        break;
                } else {
                        r = transcode_feed(p->text, buf, (size_t)n);
                        bytes += n;
                        if (w->a->on_progress)
                                w->a->on_progress(w->a->ctx, w->path, bytes, total);
                }
        }
        if (r == 0)
                r = transcode_finish(p->text);
        if (r == 0)
                r = csvlog_finish(p->csv);
        if (r == 0 && w->resume.skip_line > 0)
                r = -ESTALE; /* shorter than it was */
        free(buf);
        return r;
}

static struct import_work *work_free(struct import_work *w)
{
        if (w) {
                import_columns_free(w);
                import_resume_free(w);
                free(w->stream);
                free(w->batch);
                free(w->duplicate);
                free(w->row);
                free(w);
        }
        return NULL;
}

static int work_create(const struct import_args *a, const char *path, const struct stat *sb, char *err,
                       struct import_work **ret)
{
        struct import_work *w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        w->a = a;
        w->path = path;
        w->err = err;
        w->sequence = -1;
        w->resume.possible = S_ISREG(sb->st_mode);
        w->batch_max = IMPORT_BATCH; /* a sample takes a byte at least */
        if (S_ISREG(sb->st_mode) && sb->st_size < IMPORT_BATCH)
                w->batch_max = (size_t)sb->st_size + 1;
        w->stream = calloc(a->site->npoint + 1, sizeof *w->stream);
        w->batch = malloc(w->batch_max * sizeof *w->batch);
        w->duplicate = malloc(w->batch_max);
        w->row = malloc((w->batch_max + 1) * sizeof *w->row);
        int r = w->stream && w->batch && w->duplicate && w->row ? import_columns_create(w) : -ENOMEM;
        if (r < 0)
                work_free(w);
        else
                *ret = w;
        return r;
}

#define UNREADABLE_MIN 2 /* one cell says nothing of a column */

/* Told with the file: what was stored of them as bad, the right map replaces. */
static void tell_unreadable(struct import_work *w)
{
        for (size_t i = 0; i < w->a->site->npoint; i++) {
                const struct import_stream *c = &w->stream[i];
                const struct import_unreadable u = {w->a->site->point[i].name, c->read + c->unreadable, c->unreadable,
                                                    c->unreadable_line};
                if (c->unreadable <= c->read || c->unreadable < UNREADABLE_MIN)
                        continue;
                w->rep.columns_unreadable++;
                if (w->a->on_unreadable)
                        w->a->on_unreadable(w->a->ctx, w->path, &u);
        }
}

static void finish(struct import_work *w, const struct pipeline *p)
{
        import_finish_clock(w);
        w->rep.blank_lines = csvlog_blank_lines(p->csv);
        w->rep.ended_without_newline = csvlog_ended_without_newline(p->csv);
        w->rep.undecodable = transcode_undecodable(p->text);
        w->rep.encoding_detected = transcode_detected(p->text);
        (void)parse_copy(w->rep.encoding, sizeof w->rep.encoding, transcode_name(p->text));
}

/* One go at the file. -ESTALE: it was begun before, but is not what it was. */
static int import_open(const struct import_args *a, const char *path, int fd, bool resume, struct import_report *ret,
                       char *reterr)
{
        struct pipeline p = {0};
        struct import_work *w = NULL;
        struct stat sb;
        int r = fstat(fd, &sb) < 0 ? -EIO : work_create(a, path, &sb, reterr, &w);
        if (r < 0)
                return r;
        r = csvlog_create(a->map->delimiter, on_row, w, &p.csv);
        w->csv = p.csv;
        if (r == 0)
                r = transcode_create(a->map->encoding, to_csv, &p, &p.text);
        if (r < 0)
                goto out;
        r = import_resume_find(w);
        if (r < 0) {
                snprintf(reterr, IMPORT_ERR_MAX, "%.120s: %.120s", path, store_errmsg(a->store));
                goto out;
        }
        if (!resume)
                w->resume.skip_line = 0;
        logtime_zone_enter(&a->zone);
        r = read_all(w, fd, &p, S_ISREG(sb.st_mode) ? (int64_t)sb.st_size : 0);
        logtime_zone_leave();
        if (r == 0 && !w->have_header) {
                if (reterr[0] == '\0')
                        snprintf(reterr, IMPORT_ERR_MAX, "%.200s: is empty", path);
                r = -EBADMSG;
        }
        if (r == 0)
                r = flush(w, true);
        else if (r == -EIO || r == -EBADMSG) /* what was read before; a file that is wrong is not gone on with */
                (void)flush(w, r == -EBADMSG);
        finish(w, &p);
        if (r < 0) /* without what could not be stored */
                w->rep.rows = w->rep.ok + w->rep.bad + w->rep.duplicates + w->rep.events;
        if (r != -ESTALE) {
                import_tell_names(w);
                if (r == 0)
                        tell_unreadable(w);
                *ret = w->rep;
        }
out:
        csvlog_free(p.csv);
        transcode_free(p.text);
        work_free(w);
        return r;
}

int import_file(const struct import_args *a, const char *path, struct import_report *ret, char *reterr)
{
        reterr[0] = '\0';
        int r, fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
                r = errno == ENOENT ? -ENOENT : -EIO;
                snprintf(reterr, IMPORT_ERR_MAX, "%.150s: %s", path, strerror(errno));
                return r;
        }
        r = import_open(a, path, fd, true, ret, reterr);
        if (r == -ESTALE)
                r = lseek(fd, 0, SEEK_SET) < 0 ? -EIO : import_open(a, path, fd, false, ret, reterr);
        if (r < 0 && reterr[0] == '\0')
                snprintf(reterr, IMPORT_ERR_MAX, "%.150s: %s", path, strerror(-r));
        close(fd);
        return r;
}
