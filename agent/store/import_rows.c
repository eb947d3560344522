/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The three shapes: what the header means, and what a row of it brings. */
#include "agent/store/import_internal.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/points/codec.h"
#include "agent/points/units.h"

#define UNIT_TEXT_MAX 24

/* --- headers ----------------------------------------------------------------------------------------------------- */

static const struct import_column *options_of(const struct import_work *w, const char *name)
{
        const uint32_t *i = import_names_get(&w->option, name);
        return i ? &w->a->map->column[*i] : NULL;
}

static size_t log_points(const struct site *site)
{
        size_t n = 0;
        for (size_t i = 0; i < site->npoint; i++)
                n += site->point[i].table == POINT_TABLE_LOG;
        return n;
}

/* A column: by its whole name, or by its name without a unit. */
static int map_column(struct import_work *w, const char *name, struct import_field *ret)
{
        char base[IMPORT_NAME_MAX], unit[UNIT_TEXT_MAX];
        const struct import_column *o = options_of(w, name);
        if (o)
                w->met[o - w->a->map->column] = 1;
        size_t n = import_split_unit(name, unit, sizeof unit);
        if (n > 0 && n < sizeof base) {
                memcpy(base, name, n);
                base[n] = '\0';
                bool whole = o || import_names_get(&w->key, name);
                const struct import_column *of_base = whole ? NULL : options_of(w, base);
                if (of_base)
                        w->met[of_base - w->a->map->column] = 1;
                if (of_base || (!whole && import_names_get(&w->key, base)))
                        return import_field_of(w, name, base, of_base, unit, ret);
                /* found by its whole name, what stands in brackets need not be a unit; if it is one, it counts */
                if (whole && unit_from_str(unit) >= 0)
                        return import_field_of(w, name, name, o, unit, ret);
        }
        return import_field_of(w, name, name, o, "", ret);
}

static int wide_header(struct import_work *w, char *const *cell, size_t n)
{
        const struct site *site = w->a->site;
        size_t used_log = 0;
        w->field = calloc(n, sizeof *w->field);
        int r = w->field ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = map_column(w, cell[i], &w->field[i]);
                if (r < 0 || !w->field[i].as)
                        continue;
                uint32_t p = w->field[i].point;
                if (w->used[p])
                        r = import_wrong(w, "two columns are point %s, one named '%s'", site->point[p].name, cell[i]);
                w->used[p] = 1;
                used_log += site->point[p].table == POINT_TABLE_LOG;
                w->rep.columns_used++;
        }
        w->header_known = r == 0;
        w->nfield = n;
        w->row_samples = w->rep.columns_used;
        w->rep.points_without_column = log_points(site) - used_log;
        if (r == 0 && w->rep.columns_used == 0)
                r = import_wrong(w, "no column is the key of a point of table log");
        return r;
}

/* Columns with a meaning of their own: named by the map, or usual in this shape. */
static int find_parts(struct import_work *w, char *const *cell, size_t n, char *ret_unit, size_t cap)
{
        static const char *const usual[2][PART_COUNT_] = {
            {"TagName", "TagVal", "TagQuality", NULL, NULL, NULL},
            {NULL, "Value", "Status", "Trend Flags", "Sequence", NULL},
        };
        const struct import_map *m = w->a->map;
        for (size_t i = 0; i < PART_COUNT_; i++) {
                char unit[UNIT_TEXT_MAX];
                const char *name = m->part[i][0] ? m->part[i] : usual[m->shape == IMPORT_HISTORY][i];
                bool needed = m->part[i][0] || i == PART_VALUE || (i == PART_TAG && m->shape == IMPORT_LONG);
                w->part_at[i] = name ? import_find_column(cell, n, name, unit, sizeof unit) : -1;
                if (w->part_at[i] < 0 && needed)
                        return import_wrong(w, "the header has no column '%s'", name);
                if (i == PART_VALUE && parse_copy(ret_unit, cap, unit) < 0)
                        return -EBADMSG;
        }
        return 0;
}

/* The name is borrowed. */
static int add_tag(struct import_work *w, const char *name, const struct import_field *f)
{
        if (w->nfield == w->field_cap) {
                size_t cap = w->field_cap ? 2 * w->field_cap : 64;
                struct import_field *grown = realloc(w->field, cap * sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                w->field = grown;
                w->field_cap = cap;
        }
        w->field[w->nfield++] = *f;
        return import_names_put(&w->tag, w->nfield, name, (uint32_t)w->nfield - 1);
}

/* All columns of the map, before any row is stored: what they contradict, and what is converted. */
static int long_columns(struct import_work *w)
{
        const struct import_map *m = w->a->map;
        int r = 0;
        for (size_t i = 0; r == 0 && i < m->ncolumn; i++) {
                struct import_field f = {0};
                r = import_field_of(w, m->column[i].name, m->column[i].name, &m->column[i], "", &f);
                if (r == 0 && (f.as || f.ignore))
                        r = add_tag(w, m->column[i].name, &f);
        }
        return r;
}

static int long_header(struct import_work *w, char *const *cell, size_t n)
{
        char unit[UNIT_TEXT_MAX];
        int r = find_parts(w, cell, n, unit, sizeof unit);
        if (r < 0)
                return r;
        if (unit[0])
                return import_wrong(w, "column '%s' names one unit for all tags; the map's columns say it per tag",
                                    cell[w->part_at[PART_VALUE]]);
        w->row_samples = 1;
        w->rep.points_without_column = log_points(w->a->site);
        if (w->rep.points_without_column == 0 && w->a->map->ncolumn == 0)
                return import_wrong(w, "the site has no point of table log");
        r = long_columns(w);
        w->header_known = r == 0;
        return r;
}

/* Whose history a file is; key: what the star of its pattern matched. */
static const struct import_column *rule_of(const struct import_work *w, const char *base, char *key, size_t cap)
{
        const struct import_map *m = w->a->map;
        for (size_t i = 0; i < m->nfile; i++) {
                const char *glob = m->file[i].name, *star = strchr(glob, '*');
                if (fnmatch(glob, base, 0) != 0)
                        continue;
                size_t before = star ? (size_t)(star - glob) : 0, after = star ? strlen(star + 1) : 0;
                size_t len = strlen(base);
                size_t n = star && len >= before + after ? len - before - after : 0;
                if (n >= cap)
                        n = cap - 1;
                memcpy(key, base + before, n);
                key[n] = '\0';
                return &m->file[i];
        }
        return NULL;
}

static int history_header(struct import_work *w, char *const *cell, size_t n)
{
        const char *slash = strrchr(w->path, '/'), *base = slash ? slash + 1 : w->path;
        char key[IMPORT_NAME_MAX] = "", unit[UNIT_TEXT_MAX];
        int r = find_parts(w, cell, n, unit, sizeof unit);
        if (r < 0)
                return r;
        const struct import_column *o = rule_of(w, base, key, sizeof key);
        w->field = calloc(1, sizeof *w->field);
        if (!w->field)
                return -ENOMEM;
        if (!o || o->ignore)
                return import_wrong(w, "the map's files %s", o ? "ignore it" : "have no pattern for this name");
        r = import_field_of(w, cell[w->part_at[PART_VALUE]], key, o, unit, &w->field[0]);
        w->nfield = w->row_samples = w->rep.columns_used = 1;
        w->rep.points_without_column = log_points(w->a->site);
        if (r < 0)
                return r;
        w->rep.points_without_column -= w->a->site->point[w->field[0].point].table == POINT_TABLE_LOG;
        w->used[w->field[0].point] = 1;
        w->header_known = true;
        return 0;
}

int import_header(struct import_work *w, char *const *cell, size_t n)
{
        static int (*const of[])(struct import_work *, char *const *, size_t) = {wide_header, long_header,
                                                                                 history_header};
        return of[w->a->map->shape](w, cell, n);
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static bool is_missing(const struct import_map *m, const char *text)
{
        for (size_t i = 0; i < m->nmissing; i++)
                if (strcmp(text, m->missing[i]) == 0)
                        return true;
        return false;
}

/* "72.5 °F", where the field is in °F. */
static int number_and_unit(const struct import_work *w, const struct import_field *f, const char *text, double *ret)
{
        char number[64];
        const char *blank = strrchr(text, ' ');
        size_t n = blank ? (size_t)(blank - text) : sizeof number;
        if (n >= sizeof number || unit_from_str(blank + 1) != f->as->unit)
                return -EINVAL;
        memcpy(number, text, n);
        number[n] = '\0';
        return import_number(w->a->map, number, ret);
}

static void note_unreadable(struct import_work *w, uint32_t point, int64_t line, const char *text)
{
        if (w->stream[point].unreadable++ == 0)
                w->stream[point].unreadable_line = line;
        if (w->rep.cells_unreadable++ > 0)
                return;
        w->rep.first.unreadable = line;
        (void)snprintf(w->rep.unreadable_text, sizeof w->rep.unreadable_text, "%s", text);
}

static struct sample cell_sample(struct import_work *w, const struct import_field *f, int64_t line, const char *text,
                                 int64_t t_ms)
{
        struct sample s = {
            .point = f->point, .quality = QUALITY_BAD, .t_ms = t_ms, .value = (double)NAN, .raw = (double)NAN};
        double v = 0;
        if (is_missing(w->a->map, text)) {
                s.reason = QR_SOURCE;
        } else if (import_number(w->a->map, text, &v) < 0 && number_and_unit(w, f, text, &v) < 0) {
                s.reason = QR_PARSE;
                note_unreadable(w, f->point, line, text);
        } else {
                w->rep.cells_read++;
                w->stream[f->point].read++;
                codec_accept(f->as, v, t_ms, &s);
                if (f->zero_is_missing && fabs(v) <= 0) {
                        s.quality = QUALITY_BAD;
                        s.reason = QR_SENTINEL;
                }
        }
        return s;
}

static int reject_time(struct import_work *w, int64_t line, char *const *cell, enum import_bad why, const char *text)
{
        if (why == IMPORT_BAD_TIME && strcmp(cell[w->time_at[0]], w->header[w->time_at[0]]) == 0)
                why = IMPORT_BAD_HEADER;
        else if (why == IMPORT_BAD_TIME && import_is_summary(w->a->map, cell[0]))
                why = IMPORT_BAD_SUMMARY;
        return import_reject(w, line, why, text);
}

static void open_row(struct import_work *w, struct import_stream *s, int64_t line, int64_t t_ms)
{
        bool late = import_note_time(w, s, line, t_ms);
        w->row[w->nrow].line = line;
        w->row[w->nrow].late = late;
}

static int wide_row(struct import_work *w, int64_t line, char *const *cell)
{
        char text[160];
        int64_t t_ms = 0;
        enum import_bad why;
        if (!import_time(w, &w->stream[0], line, cell, text, sizeof text, &t_ms, &why))
                return reject_time(w, line, cell, why, text);
        open_row(w, &w->stream[0], line, t_ms);
        for (size_t i = 0; i < w->nfield; i++) {
                if (!w->field[i].as)
                        continue;
                struct sample s = cell_sample(w, &w->field[i], line, cell[i], t_ms);
                import_push(w, &s, w->header[i], cell[i]);
        }
        return 0;
}

/* The field of a tag: one of the map's columns, or a key of the site that is met for the first time. NULL: nobody's. */
static int tag_field(struct import_work *w, const char *tag, const struct import_field **ret)
{
        const uint32_t *at = import_names_get(&w->tag, tag);
        struct import_field f = {0};
        *ret = NULL;
        int r = at ? 0 : import_field_of(w, tag, tag, NULL, "", &f);
        if (r == 0 && f.as) {
                r = add_tag(w, w->a->site->point[f.point].key, &f);
                at = import_names_get(&w->tag, tag);
        }
        if (r == 0 && at)
                *ret = &w->field[*at];
        return r;
}

static const char *part(const struct import_work *w, char *const *cell, enum import_part p)
{
        return w->part_at[p] >= 0 ? cell[w->part_at[p]] : NULL;
}

static bool log_event(struct import_work *w, int64_t line, char *const *cell)
{
        const char *value = part(w, cell, PART_VALUE), *record = part(w, cell, PART_EVENT);
        double v;
        int e = record ? import_event_of(w->a->map, record) : -1;
        if (e < 0 && import_number(w->a->map, value, &v) < 0 && !is_missing(w->a->map, value))
                e = import_event_of(w->a->map, value);
        if (e >= 0)
                import_count_event(w, line, (enum import_event)e);
        return e >= 0;
}

/* Buffer numbers rise by one; what is missing was overwritten before it was read. */
static void note_sequence(struct import_work *w, int64_t line, const char *text)
{
        int64_t n;
        if (!text || parse_int64(text, 0, UINT32_MAX, &n) < 0)
                return;
        if (w->sequence >= 0 && n > w->sequence + 1) {
                w->rep.sequence_gaps++;
                w->rep.sequence_lost += n - w->sequence - 1;
                if (w->rep.first.sequence == 0)
                        w->rep.first.sequence = line;
        }
        w->sequence = n;
}

/* What the source says of its value. */
static void judge(struct import_work *w, int64_t line, char *const *cell, const struct import_field *f,
                  struct sample *s)
{
        const char *status = part(w, cell, PART_QUALITY), *flags = part(w, cell, PART_FLAGS);
        struct import_quality q = {0};
        if (status)
                q = import_quality_of(w->a->map, status, f->as->writable);
        if (flags) {
                struct import_quality g = import_flags_of(flags);
                g.unknown |= q.unknown;
                q = q.quality == QUALITY_GOOD ? g : q;
                q.unknown = g.unknown;
        }
        if (q.unknown) {
                w->rep.unknown_quality++;
                if (w->rep.first.unknown_quality == 0)
                        w->rep.first.unknown_quality = line;
        }
        if (q.quality != QUALITY_GOOD) {
                s->quality = q.quality;
                s->reason = q.reason;
        }
}

static int reading_row(struct import_work *w, int64_t line, char *const *cell)
{
        const struct import_field *f = w->field;
        const char *tag = part(w, cell, PART_TAG);
        char text[160];
        int64_t t_ms = 0;
        enum import_bad why;
        note_sequence(w, line, part(w, cell, PART_SEQUENCE));
        if (log_event(w, line, cell))
                return 0;
        if (w->a->map->shape == IMPORT_LONG) {
                int r = tag_field(w, tag, &f);
                if (r < 0)
                        return r;
        }
        size_t stream = w->a->map->shape == IMPORT_LONG && f && f->as ? f->point : 0;
        bool read = import_time(w, &w->stream[stream], line, cell, text, sizeof text, &t_ms, &why);
        if (!read)
                return reject_time(w, line, cell, why, text);
        if (!f || !f->as)
                return import_reject(w, line, f ? IMPORT_BAD_IGNORED : IMPORT_BAD_TAG, tag ? tag : "");
        struct sample s = cell_sample(w, f, line, part(w, cell, PART_VALUE), t_ms);
        judge(w, line, cell, f, &s);
        if (w->a->map->shape == IMPORT_LONG && !w->stream[stream].any) {
                w->rep.columns_used++;
                w->rep.points_without_column -= w->a->site->point[f->point].table == POINT_TABLE_LOG;
        }
        open_row(w, &w->stream[stream], line, t_ms);
        import_push(w, &s, tag ? tag : w->header[w->part_at[PART_VALUE]], part(w, cell, PART_VALUE));
        return 0;
}

int import_row(struct import_work *w, int64_t line, char *const *cell)
{
        return w->a->map->shape == IMPORT_WIDE ? wide_row(w, line, cell) : reading_row(w, line, cell);
}

bool import_join_braces(const struct import_work *w, char *const *cell, size_t n, char *ret_cell[IMPORT_BRACES_MAX],
                        char ret_text[IMPORT_BRACES_MAX])
{
        size_t k = 0, at = 0;
        if (w->a->map->shape == IMPORT_WIDE || n <= w->ncell || w->ncell > IMPORT_BRACES_MAX)
                return false;
        for (size_t i = 0; i < n; i++, k++) {
                if (k == w->ncell)
                        return false;
                ret_cell[k] = cell[i];
                if (cell[i][0] != '{' || strchr(cell[i], '}'))
                        continue;
                ret_cell[k] = ret_text + at;
                for (bool open = true; open; i += open) {
                        int len = i < n ? snprintf(ret_text + at, IMPORT_BRACES_MAX - at, "%s,", cell[i]) : -1;
                        if (len < 0 || (size_t)len >= IMPORT_BRACES_MAX - at)
                                return false;
                        open = !strchr(cell[i], '}');
                        at += (size_t)len;
                }
                ret_text[at - 1] = '\0';
        }
        return k == w->ncell;
}
