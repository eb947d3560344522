/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/import_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/fnv.h"
#include "agent/base/parse.h"
#include "agent/points/units.h"
#include "agent/points/yaml.h"
#include "agent/store/transcode.h"

#define MAP_SIZE_MAX (1L << 20)

struct load {
        const char *path;
        FILE *err;
        int rc;
        struct yaml y;
        struct import_map *m;
};

static void bad(struct load *l, const struct ynode *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void bad(struct load *l, const struct ynode *at, const char *fmt, ...)
{
        va_list ap;
        fprintf(l->err, "%s:%d:%d: ", l->path, at ? at->line : 1, at ? at->col : 1);
        va_start(ap, fmt);
        vfprintf(l->err, fmt, ap);
        va_end(ap);
        fputc('\n', l->err);
        l->rc = -EINVAL;
}

static void syntax(void *ctx, int line, int col, const char *msg)
{
        struct load *l = ctx;
        fprintf(l->err, "%s:%d:%d: %s\n", l->path, line, col, msg);
        l->rc = -EINVAL;
}

static bool copy(struct load *l, const struct ynode *n, char *dst, size_t cap, const char *what)
{
        if (n->kind != YNODE_SCALAR) {
                bad(l, n, "%s must be a text", what);
                return false;
        }
        if (parse_copy(dst, cap, n->text) < 0) {
                bad(l, n, "%s is longer than %zu bytes", what, cap - 1);
                return false;
        }
        return true;
}

/* A text or a list of texts into dst[max][cap]; returns how many. */
static size_t texts(struct load *l, const struct ynode *n, char *dst, size_t cap, size_t max, const char *what)
{
        if (n->kind == YNODE_SCALAR)
                return copy(l, n, dst, cap, what) ? 1 : 0;
        if (n->kind != YNODE_SEQ) {
                bad(l, n, "%s must be a text or a list of texts", what);
                return 0;
        }
        size_t k = 0;
        for (const struct ynode *c = yaml_child(&l->y, n); c; c = yaml_next(&l->y, c)) {
                if (k == max) {
                        bad(l, c, "%s: at most %zu", what, max);
                        break;
                }
                if (copy(l, c, dst + k * cap, cap, what))
                        k++;
        }
        return k;
}

static bool boolean(struct load *l, const struct ynode *n)
{
        bool yes = n->kind == YNODE_SCALAR && strcmp(n->text, "true") == 0;
        if (!yes && (n->kind != YNODE_SCALAR || strcmp(n->text, "false") != 0))
                bad(l, n, "%s must be true or false", n->key);
        return yes;
}

static void read_time(struct load *l, const struct ynode *time)
{
        static const char *const policy[] = {"order", "first", "second", "reject"};
        struct import_map *m = l->m;
        if (time->kind != YNODE_MAP) {
                bad(l, time, "time must be a map of column, format, zone, ambiguous");
                return;
        }
        for (const struct ynode *n = yaml_child(&l->y, time); n; n = yaml_next(&l->y, n)) {
                if (strcmp(n->key, "column") == 0) {
                        m->ntime_column =
                            texts(l, n, m->time_column[0], sizeof m->time_column[0], IMPORT_TIME_COLUMNS_MAX, "column");
                } else if (strcmp(n->key, "format") == 0) {
                        m->nformat = texts(l, n, m->format[0], sizeof m->format[0], IMPORT_FORMATS_MAX, "format");
                        for (size_t i = 0; i < m->nformat; i++)
                                if (logtime_check_pattern(m->format[i]) < 0)
                                        bad(l, n,
                                            "format '%s' gives no time (known: %%Y %%y %%m %%b %%d %%H %%I %%p "
                                            "%%M %%S %%f %%z %%Z %%s %%Q; %%I and %%p go together)",
                                            m->format[i]);
                } else if (strcmp(n->key, "zone") == 0) {
                        char zone[LOGTIME_ZONE_MAX];
                        if (!copy(l, n, zone, sizeof zone, "zone"))
                                continue;
                        m->has_zone = logtime_zone_parse(zone, &m->zone) == 0;
                        if (!m->has_zone)
                                bad(l, n, "unknown time zone '%s'", zone);
                } else if (strcmp(n->key, "ambiguous") == 0) {
                        size_t i = 0;
                        while (i < 4 && (n->kind != YNODE_SCALAR || strcmp(n->text, policy[i]) != 0))
                                i++;
                        if (i == 4)
                                bad(l, n, "ambiguous must be order, first, second or reject");
                        else
                                m->ambiguous = (enum import_ambiguous)i;
                } else {
                        bad(l, n, "unknown key '%s' (known: column, format, zone, ambiguous)", n->key);
                }
        }
        if (m->ntime_column == 0)
                bad(l, time, "time.column is missing");
        if (m->nformat == 0)
                bad(l, time, "time.format is missing");
}

static void read_unit(struct load *l, const struct ynode *n, struct import_column *col)
{
        char unit[32];
        if (!copy(l, n, unit, sizeof unit, "unit"))
                return;
        col->unit = unit_from_str(unit);
        if (col->unit < 0)
                bad(l, n, "unknown unit '%s'", unit);
}

static void read_options(struct load *l, const struct ynode *c, struct import_column *col)
{
        for (const struct ynode *o = yaml_child(&l->y, c); o; o = yaml_next(&l->y, o)) {
                if (strcmp(o->key, "zero_is_missing") == 0)
                        col->zero_is_missing = boolean(l, o);
                else if (strcmp(o->key, "ignore") == 0)
                        col->ignore = boolean(l, o);
                else if (strcmp(o->key, "point") == 0)
                        (void)copy(l, o, col->point, sizeof col->point, "point");
                else if (strcmp(o->key, "unit") == 0)
                        read_unit(l, o, col);
                else
                        bad(l, o, "unknown key '%s' (known: point, unit, zero_is_missing, ignore)", o->key);
        }
}

/* Names with options, of `columns` or `files`. */
static void read_named(struct load *l, const struct ynode *map, struct import_column **ret, size_t *ret_n)
{
        if (map->kind != YNODE_MAP) {
                bad(l, map, "%s must be a map from names to options", map->key);
                return;
        }
        if (*ret) /* the key is given twice; yaml_parse has told */
                return;
        size_t n = 0;
        for (const struct ynode *c = yaml_child(&l->y, map); c; c = yaml_next(&l->y, c))
                n++;
        *ret = calloc(n ? n : 1, sizeof **ret);
        if (!*ret) {
                l->rc = -ENOMEM;
                return;
        }
        for (const struct ynode *c = yaml_child(&l->y, map); c; c = yaml_next(&l->y, c)) {
                struct import_column *col = &(*ret)[(*ret_n)++];
                col->unit = -1;
                if (parse_copy(col->name, sizeof col->name, c->key) < 0)
                        bad(l, c, "name too long");
                if (c->kind == YNODE_MAP)
                        read_options(l, c, col);
                else if (c->kind != YNODE_SCALAR || yaml_is_null(c) || !c->text[0])
                        bad(l, c, "must be a point or options, e.g. { zero_is_missing: true }");
                else
                        (void)copy(l, c, col->point, sizeof col->point, "point");
        }
}

static void read_words(struct load *l, const struct ynode *map)
{
        struct import_map *m = l->m;
        if (map->kind != YNODE_MAP) {
                bad(l, map, "words must be a map from texts to numbers");
                return;
        }
        for (const struct ynode *c = yaml_child(&l->y, map); c; c = yaml_next(&l->y, c)) {
                if (m->nword == IMPORT_WORDS_MAX) {
                        bad(l, c, "words: at most %d", IMPORT_WORDS_MAX);
                        return;
                }
                struct import_word *w = &m->word[m->nword];
                if (parse_copy(w->text, sizeof w->text, c->key) < 0 || c->kind != YNODE_SCALAR ||
                    parse_double(c->text, &w->value) < 0)
                        bad(l, c, "words must be a map from texts of less than %d bytes to numbers", IMPORT_WORD_MAX);
                else
                        m->nword++;
        }
}

static void read_site_path(struct load *l, const struct ynode *n)
{
        char rel[SITE_PATH_MAX];
        if (!copy(l, n, rel, sizeof rel, "site"))
                return;
        const char *slash = strrchr(l->path, '/');
        int dir = rel[0] == '/' || !slash ? 0 : (int)(slash - l->path) + 1;
        int len = snprintf(l->m->site_path, sizeof l->m->site_path, "%.*s%s", dir, l->path, rel);
        if (len < 0 || (size_t)len >= sizeof l->m->site_path)
                bad(l, n, "the site's path is too long");
}

static void read_choice(struct load *l, const struct ynode *n, const char *const *name, size_t count, int *ret)
{
        for (size_t i = 0; n->kind == YNODE_SCALAR && i < count; i++) {
                if (strcmp(n->text, name[i]) == 0) {
                        *ret = (int)i;
                        return;
                }
        }
        char list[128] = "";
        for (size_t i = 0, at = 0; i < count && at < sizeof list; i++)
                at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", name[i]);
        bad(l, n, "%s must be one of: %s", n->key, list);
}

static int ignore_text(void *ctx, const char *text, size_t n)
{
        (void)ctx;
        (void)text;
        (void)n;
        return 0;
}

static void read_encoding(struct load *l, const struct ynode *n)
{
        struct transcode *t = NULL;
        if (!copy(l, n, l->m->encoding, sizeof l->m->encoding, "encoding"))
                return;
        int r = transcode_create(l->m->encoding, ignore_text, NULL, &t);
        if (r == -ENOMEM)
                l->rc = r;
        else if (r < 0)
                bad(l, n, "unknown encoding '%s' (auto, utf-8, latin-1, utf-16le, utf-16be, or what `iconv -l` lists)",
                    l->m->encoding);
        transcode_free(t);
}

static void read_delimiter(struct load *l, const struct ynode *n)
{
        char d[8];
        if (!copy(l, n, d, sizeof d, "delimiter"))
                return;
        l->m->delimiter = strcmp(d, "tab") == 0 ? '\t' : d[0];
        if ((strcmp(d, "tab") != 0 && strlen(d) != 1) || strchr("\"\r\n. ", l->m->delimiter))
                bad(l, n, "delimiter must be one character such as ',' or ';', or tab");
}

/* How a file is written; true when the key is one of these. */
static bool read_form(struct load *l, const struct ynode *n)
{
        static const char *const shape[] = {"wide", "long", "history"}, *const decimal[] = {".", ","};
        struct import_map *m = l->m;
        int i = -1;
        if (strcmp(n->key, "shape") == 0) {
                read_choice(l, n, shape, 3, &i);
                m->shape = i > 0 ? (enum import_shape)i : IMPORT_WIDE;
        } else if (strcmp(n->key, "decimal") == 0) {
                read_choice(l, n, decimal, 2, &i);
                m->decimal = i == 1 ? ',' : '.';
        } else if (strcmp(n->key, "encoding") == 0) {
                read_encoding(l, n);
        } else if (strcmp(n->key, "delimiter") == 0) {
                read_delimiter(l, n);
        } else if (strcmp(n->key, "missing") == 0) {
                m->nmissing = texts(l, n, m->missing[0], sizeof m->missing[0], IMPORT_MISSING_MAX, "missing");
        } else if (strcmp(n->key, "summary") == 0) {
                m->nsummary = texts(l, n, m->summary[0], sizeof m->summary[0], IMPORT_MISSING_MAX, "summary");
        } else if (strcmp(n->key, "good") == 0) {
                m->ngood = texts(l, n, m->good[0], sizeof m->good[0], IMPORT_MISSING_MAX, "good");
        } else if (strcmp(n->key, "events") == 0) {
                m->nevent = texts(l, n, m->event[0], sizeof m->event[0], IMPORT_MISSING_MAX, "events");
        } else if (strcmp(n->key, "words") == 0) {
                read_words(l, n);
        } else if (strcmp(n->key, "gap") == 0) {
                if (n->kind != YNODE_SCALAR || parse_duration_ms(n->text, &m->gap_ms) < 0 || m->gap_ms <= 0)
                        bad(l, n, "gap must be a duration such as 10m");
        } else {
                return false;
        }
        return true;
}

static bool read_part(struct load *l, const struct ynode *n)
{
        static const char *const part[PART_COUNT_] = {"tag", "value", "quality", "flags", "sequence", "event"};
        for (size_t i = 0; i < PART_COUNT_; i++) {
                if (strcmp(n->key, part[i]) != 0)
                        continue;
                if (copy(l, n, l->m->part[i], sizeof l->m->part[i], part[i]) && !l->m->part[i][0])
                        bad(l, n, "%s must name a column", part[i]);
                return true;
        }
        return false;
}

/* What only together makes sense. */
static void check_shape(struct load *l, const struct ynode *root)
{
        const struct import_map *m = l->m;
        if (m->decimal == m->delimiter)
                bad(l, root, "decimal and delimiter are both '%c'", m->decimal);
        if (m->shape == IMPORT_WIDE)
                for (size_t i = 0; i < PART_COUNT_; i++)
                        if (m->part[i][0])
                                bad(l, root, "a column '%s' has no meaning in shape wide", m->part[i]);
        if (m->shape == IMPORT_HISTORY && m->nfile == 0)
                bad(l, root, "shape history needs files: a pattern of the file's name and its point");
        if (m->shape != IMPORT_HISTORY && m->file)
                bad(l, root, "files are of shape history");
        for (size_t i = 0; m->file && i < m->nfile; i++)
                if (!m->file[i].point[0] && !m->file[i].ignore)
                        bad(l, root, "files: '%s' names no point", m->file[i].name);
}

static void read_root(struct load *l)
{
        struct import_map *m = l->m;
        const struct ynode *root = l->y.n > 0 ? &l->y.node[0] : NULL;
        bool has_time = false;
        if (!root || root->kind != YNODE_MAP) {
                bad(l, root, "an import map has the keys site, time, shape, columns, …");
                return;
        }
        for (const struct ynode *n = yaml_child(&l->y, root); n; n = yaml_next(&l->y, n)) {
                if (strcmp(n->key, "site") == 0) {
                        read_site_path(l, n);
                } else if (strcmp(n->key, "time") == 0) {
                        has_time = true;
                        read_time(l, n);
                } else if (strcmp(n->key, "columns") == 0) {
                        read_named(l, n, &m->column, &m->ncolumn);
                } else if (strcmp(n->key, "files") == 0) {
                        read_named(l, n, &m->file, &m->nfile);
                } else if (!read_form(l, n) && !read_part(l, n)) {
                        bad(l, n,
                            "unknown key '%s' (known: site, shape, encoding, delimiter, decimal, time, missing, words, "
                            "summary, gap, columns, files, tag, value, quality, flags, sequence, event, good, events)",
                            n->key);
                }
        }
        if (m->site_path[0] == '\0')
                bad(l, root, "site is missing");
        if (!has_time)
                bad(l, root, "time is missing");
        check_shape(l, root);
}

int import_map_load(const char *path, FILE *err, struct import_map **ret)
{
        struct load l = {.path = path, .err = err};
        char *text = NULL;
        size_t n = 0;
        FILE *f = fopen(path, "rbe");
        if (!f) {
                l.rc = errno == ENOENT ? -ENOENT : -EIO;
                fprintf(err, "%s: %s\n", path, strerror(errno));
                return l.rc;
        }
        l.m = calloc(1, sizeof *l.m);
        text = malloc(MAP_SIZE_MAX + 1);
        if (!l.m || !text) {
                l.rc = -ENOMEM;
                goto out;
        }
        n = fread(text, 1, MAP_SIZE_MAX + 1, f);
        if (ferror(f) || n > MAP_SIZE_MAX) {
                fprintf(err, "%s: %s\n", path, ferror(f) ? "read error" : "larger than 1 MiB");
                l.rc = ferror(f) ? -EIO : -EINVAL;
                goto out;
        }
        l.m->delimiter = ',';
        l.m->decimal = '.';
        memcpy(l.m->encoding, "auto", sizeof "auto");
        l.m->hash = fnv_add(FNV_START, text, n);
        l.m->nmissing = 1; /* the empty cell */
        int r = yaml_parse(text, n, syntax, &l, &l.y);
        if (r == 0)
                read_root(&l);
        else
                l.rc = r;
        yaml_free(&l.y);
out:
        (void)fclose(f);
        free(text);
        if (l.rc < 0)
                import_map_free(l.m);
        else
                *ret = l.m;
        return l.rc;
}

struct import_map *import_map_free(struct import_map *m)
{
        if (m) {
                free(m->column);
                free(m->file);
                free(m);
        }
        return NULL;
}
