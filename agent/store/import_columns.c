/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Whose number a column, a tag or a file holds, and in which unit. */
#include "agent/store/import_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/fnv.h"
#include "agent/points/units.h"

/* --- names ------------------------------------------------------------------------------------------------------- */

static size_t slot_of(const struct import_names *t, const char *name)
{
        uint64_t h = fnv_add(FNV_START, name, strlen(name));
        size_t at = (size_t)(h ^ h >> 32) & (t->cap - 1);
        while (t->name[at] && strcmp(t->name[at], name) != 0)
                at = (at + 1) & (t->cap - 1);
        return at;
}

const uint32_t *import_names_get(const struct import_names *t, const char *name)
{
        if (t->cap == 0)
                return NULL;
        size_t at = slot_of(t, name);
        return t->name[at] ? &t->value[at] : NULL;
}

static void names_free(struct import_names *t)
{
        free(t->name);
        free(t->value);
        *t = (struct import_names){0};
}

static int names_grow(struct import_names *t, size_t n)
{
        struct import_names bigger = {.cap = 64};
        while (bigger.cap < 2 * n)
                bigger.cap *= 2;
        if (bigger.cap <= t->cap)
                return 0;
        bigger.name = calloc(bigger.cap, sizeof *bigger.name);
        bigger.value = calloc(bigger.cap, sizeof *bigger.value);
        if (!bigger.name || !bigger.value) {
                names_free(&bigger);
                return -ENOMEM;
        }
        for (size_t i = 0; i < t->cap; i++) {
                if (!t->name[i])
                        continue;
                size_t at = slot_of(&bigger, t->name[i]);
                bigger.name[at] = t->name[i];
                bigger.value[at] = t->value[i];
        }
        names_free(t);
        *t = bigger;
        return 0;
}

int import_names_put(struct import_names *t, size_t n_after, const char *name, uint32_t value)
{
        int r = names_grow(t, n_after);
        if (r < 0)
                return r;
        size_t at = slot_of(t, name);
        if (!t->name[at]) {
                t->name[at] = name;
                t->value[at] = value;
        }
        return 0;
}

int import_columns_create(struct import_work *w)
{
        const struct site *site = w->a->site;
        const struct import_map *m = w->a->map;
        int r = 0;
        for (size_t i = 0; r == 0 && i < site->npoint; i++) {
                r = import_names_put(&w->name, i + 1, site->point[i].name, (uint32_t)i);
                if (r == 0 && site->point[i].table == POINT_TABLE_LOG)
                        r = import_names_put(&w->key, i + 1, site->point[i].key, (uint32_t)i);
        }
        w->used = calloc(site->npoint + 1, 1);
        w->met = calloc(m->ncolumn + 1, 1);
        if (!w->used || !w->met)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < m->ncolumn; i++)
                r = import_names_put(&w->option, i + 1, m->column[i].name, (uint32_t)i);
        return r;
}

void import_columns_free(struct import_work *w)
{
        names_free(&w->name);
        names_free(&w->key);
        names_free(&w->option);
        names_free(&w->tag);
        for (struct import_own *o = w->own, *next; o; o = next) {
                next = o->next;
                free(o);
        }
        free(w->field);
        free(w->header);
        free(w->used);
        free(w->met);
}

/* --- units ------------------------------------------------------------------------------------------------------- */

size_t import_split_unit(const char *header, char *ret_unit, size_t cap)
{
        size_t n = strlen(header);
        char open = n > 0 && header[n - 1] == ')' ? '(' : n > 0 && header[n - 1] == ']' ? '[' : '\0';
        const char *at = open ? strrchr(header, open) : NULL;
        size_t len = at ? n - 1 - (size_t)(at + 1 - header) : 0;
        if (!at || at == header || len == 0 || len >= cap)
                return 0;
        memcpy(ret_unit, at + 1, len);
        ret_unit[len] = '\0';
        n = (size_t)(at - header);
        while (n > 0 && header[n - 1] == ' ')
                n--;
        if (n == 0)
                ret_unit[0] = '\0';
        return n;
}

int import_find_column(char *const *cell, size_t n, const char *name, char *ret_unit, size_t cap)
{
        ret_unit[0] = '\0';
        for (size_t i = 0; i < n; i++)
                if (strcmp(cell[i], name) == 0)
                        return (int)i;
        for (size_t i = 0; i < n; i++) {
                size_t base = import_split_unit(cell[i], ret_unit, cap);
                if (base > 0 && base == strlen(name) && memcmp(cell[i], name, base) == 0)
                        return (int)i;
        }
        ret_unit[0] = '\0';
        return -1;
}

/* The point as the log has it: in the log's unit, and already scaled when it lives on a wire. */
static int own_point(struct import_work *w, const struct point *p, int unit, const struct point **ret)
{
        struct import_own *own = malloc(sizeof *own);
        if (!own)
                return -ENOMEM;
        own->point = *p;
        own->point.unit = unit;
        if (p->table != POINT_TABLE_LOG) {
                own->point.table = POINT_TABLE_LOG;
                own->point.type = POINT_FLOAT64;
                own->point.scale = 1;
                own->point.offset = 0;
        }
        own->next = w->own;
        w->own = own;
        *ret = &own->point;
        return 0;
}

static const char *unit_name(enum unit u)
{
        return u == UNIT_NONE ? "no unit" : unit_str(u);
}

/* The unit that the log has, from the map's `unit` and the header. */
static int log_unit(struct import_work *w, const char *shown, const struct import_column *o, const char *header,
                    const struct point *p, int *ret_unit)
{
        int said = header[0] ? unit_from_str(header) : -1;
        int unit = o && o->unit >= 0 ? o->unit : said >= 0 ? said : p->unit;
        if (header[0] && said < 0 && !(o && o->unit >= 0))
                return import_wrong(w, "column '%s': unknown unit '%s'; the map's columns may say it ({ unit: … })",
                                    shown, header);
        if (said >= 0 && o && o->unit >= 0 && said != o->unit)
                return import_wrong(w, "column '%s' is in %s, but the import map says %s", shown,
                                    unit_name((enum unit)said), unit_name((enum unit)o->unit));
        if (strcmp(unit_si_str((enum unit)unit), unit_si_str((enum unit)p->unit)) != 0)
                return import_wrong(w, "column '%.60s' is in %s, but point %s is in %s", shown,
                                    unit_name((enum unit)unit), p->name, unit_name((enum unit)p->unit));
        *ret_unit = unit;
        return 0;
}

static const uint32_t *find_point(const struct import_work *w, const char *what)
{
        const uint32_t *i = import_names_get(&w->key, what);
        return i ? i : import_names_get(&w->name, what);
}

int import_field_of(struct import_work *w, const char *shown, const char *key, const struct import_column *o,
                    const char *unit, struct import_field *ret)
{
        struct import_field f = {.zero_is_missing = o && o->zero_is_missing, .ignore = o && o->ignore};
        const uint32_t *i = f.ignore           ? NULL
                            : o && o->point[0] ? find_point(w, o->point[0] == '*' && !o->point[1] ? key : o->point)
                                               : import_names_get(&w->key, key);
        if (!i && !f.ignore && o && o->point[0])
                return import_wrong(w, "'%.60s': the site has no point '%s'", shown,
                                    o->point[0] == '*' && !o->point[1] ? key : o->point);
        if (!i) {
                *ret = f;
                return 0;
        }
        const struct point *p = &w->a->site->point[*i];
        int u = p->unit;
        int r = log_unit(w, shown, o, unit, p, &u);
        if (r < 0)
                return r;
        f.point = *i;
        f.as = p;
        if (u != p->unit || p->table != POINT_TABLE_LOG)
                r = own_point(w, p, u, &f.as);
        if (r < 0)
                return r;
        if (u != p->unit && w->a->on_unit)
                w->a->on_unit(w->a->ctx, w->path, shown, unit_str((enum unit)u), p);
        *ret = f;
        return 0;
}

/* --- what there is nothing of ------------------------------------------------------------------------------------ */

static bool has_meaning(const struct import_work *w, size_t column)
{
        for (size_t t = 0; t < w->a->map->ntime_column; t++)
                if (w->time_at[t] == column)
                        return true;
        if (w->a->map->shape == IMPORT_WIDE)
                return w->field[column].as || w->field[column].ignore;
        for (int p = 0; p < PART_COUNT_; p++)
                if (w->part_at[p] == (int)column)
                        return true;
        return false;
}

static bool column_met(const struct import_work *w, size_t i)
{
        const struct import_column *o = &w->a->map->column[i];
        const uint32_t *at = w->a->map->shape == IMPORT_LONG ? import_names_get(&w->tag, o->name) : NULL;
        return o->ignore || w->met[i] || (at && w->stream[w->field[*at].point].any);
}

void import_tell_names(const struct import_work *w)
{
        const struct import_map *m = w->a->map;
        const struct site *site = w->a->site;
        if (!w->a->on_name || !w->header_known)
                return;
        for (size_t i = 0; i < m->ncolumn && m->shape != IMPORT_HISTORY; i++)
                if (!column_met(w, i))
                        w->a->on_name(w->a->ctx, IMPORT_NAME_NOT_THERE, m->column[i].name);
        for (size_t i = 0; i < w->ncell; i++)
                if (!has_meaning(w, i))
                        w->a->on_name(w->a->ctx, IMPORT_NAME_UNUSED, w->header[i]);
        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].table == POINT_TABLE_LOG && !w->used[i] &&
                    !(m->shape == IMPORT_LONG && w->stream[i].any))
                        w->a->on_name(w->a->ctx, IMPORT_NAME_NO_DATA, site->point[i].name);
}
