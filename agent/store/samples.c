/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Points and samples: binding a site to the database's point ids, appending batches, walking history. */
#include "agent/store/store_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/points/layout.h"
#include "agent/points/units.h"

#define READ_BATCH 1024
#define CONFIG_FILE_MAX (4L << 20)

/* --- binding ----------------------------------------------------------------------------------------------------- */

static int upsert_points(struct store *s, const struct site *site)
{
        sqlite3_stmt *st = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(
            s->db,
            "INSERT INTO point (name, unit, role, brick, equipment, zone, device, writable)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name) DO UPDATE SET unit = excluded.unit,"
            " role = excluded.role, brick = excluded.brick, equipment = excluded.equipment, zone = excluded.zone,"
            " device = excluded.device, writable = excluded.writable",
            -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "point");
        for (size_t i = 0; r == 0 && i < site->npoint; i++) {
                const struct point *p = &site->point[i];
                store_bind_text(st, 1, p->name);
                store_bind_text(st, 2, unit_si_str((enum unit)p->unit));
                store_bind_text(st, 3, role_str(p->role));
                store_bind_text(st, 4, p->brick);
                store_bind_text(st, 5, p->equipment >= 0 ? site->equipment[p->equipment].name : "");
                store_bind_text(st, 6, p->zone >= 0 ? site->zone[p->zone].name : "");
                store_bind_text(st, 7, p->device >= 0 ? site->device[p->device].name : "");
                sqlite3_bind_int(st, 8, p->writable ? 1 : 0);
                r = store_run_stmt(s, st, p->name);
        }
        sqlite3_finalize(st);
        return r;
}

/* What to put before relative paths, for whoever reads them elsewhere: all of them or, where one would be too long to
 * be read again, none (includes are found by them). */
static void folder_of_paths(const struct site *site, char ret[SITE_PATH_MAX])
{
        size_t n = getcwd(ret, SITE_PATH_MAX - 1) ? strlen(ret) : 0;
        for (size_t i = 0; i < site->nfile; i++)
                if (site->file[i][0] != '/' && n + 1 + strlen(site->file[i]) >= SITE_PATH_MAX)
                        n = 0;
        if (n > 0 && ret[n - 1] != '/')
                ret[n++] = '/';
        ret[n] = '\0';
}

/* A copy of the configuration, for whoever reads the database years later. A file that has meanwhile become unreadable
 * is recorded as an empty text: the hash in the run row stays what it was. */
static int put_config(struct store *s, const struct site *site)
{
        static const char digit[] = "0123456789abcdef";
        char hash[65] = {0};
        for (size_t i = 0; i < 32; i++) {
                hash[2 * i] = digit[site->hash[i] >> 4];
                hash[2 * i + 1] = digit[site->hash[i] & 15];
        }
        char folder[SITE_PATH_MAX], path[2 * SITE_PATH_MAX];
        folder_of_paths(site, folder);
        sqlite3_stmt *st = NULL;
        int r = 0;
        int rc = sqlite3_prepare_v2(s->db,
                                    "INSERT INTO config (hash, ord, path, text) VALUES (?1, ?2, ?3, ?4) ON CONFLICT "
                                    "(hash, ord) DO UPDATE SET path = excluded.path WHERE path <> excluded.path",
                                    -1, &st, NULL);
        if (rc != SQLITE_OK)
                return store_fail(s, rc, "config");
        for (size_t i = 0; r == 0 && i < site->nfile; i++) {
                char *text = NULL;
                size_t n = 0;
                FILE *f = fopen(site->file[i], "rbe");
                if (f && fseek(f, 0, SEEK_END) == 0) {
                        long size = ftell(f);
                        if (size > 0 && size <= CONFIG_FILE_MAX && fseek(f, 0, SEEK_SET) == 0 &&
                            (text = malloc((size_t)size)))
                                n = fread(text, 1, (size_t)size, f);
                }
                if (f)
                        (void)fclose(f);
                sqlite3_bind_text(st, 1, hash, 64, SQLITE_STATIC);
                sqlite3_bind_int64(st, 2, (int64_t)i);
                (void)snprintf(path, sizeof path, "%s%s", site->file[i][0] == '/' ? "" : folder, site->file[i]);
                store_bind_text(st, 3, path);
                sqlite3_bind_text(st, 4, text ? text : "", (int)n, SQLITE_TRANSIENT);
                r = store_run_stmt(s, st, "config");
                free(text);
        }
        sqlite3_finalize(st);
        return r;
}

/* Fills point_id[] and index_of[] from the database. */
static int resolve(struct store *s)
{
        int64_t max = 0;
        int r = store_get_int(s, "SELECT max(id) FROM point", 0, &max);
        if (r < 0)
                return r;
        int32_t *index_of = malloc(((size_t)max + 1) * sizeof *index_of);
        if (!index_of)
                return -ENOMEM;
        for (int64_t i = 0; i <= max; i++)
                index_of[i] = -1;
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(s->db, "SELECT id FROM point WHERE name = ?1", -1, &st, NULL);
        for (size_t i = 0; rc == SQLITE_OK && i < s->npoint; i++) {
                sqlite3_bind_text(st, 1, s->name[i], -1, SQLITE_STATIC);
                int step = sqlite3_step(st);
                s->point_id[i] = step == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
                if (s->point_id[i] > 0 && s->point_id[i] <= max)
                        index_of[s->point_id[i]] = (int32_t)i;
                if (step != SQLITE_ROW && step != SQLITE_DONE)
                        rc = step;
                sqlite3_reset(st);
        }
        sqlite3_finalize(st);
        if (rc != SQLITE_OK) {
                free(index_of);
                return store_fail(s, rc, "point");
        }
        free(s->index_of);
        s->index_of = index_of;
        s->nindex = (size_t)max + 1;
        return 0;
}

/* Decisions are vectors in the order of the site's layout: this gives their variables names. A site that has no layout
 * (or a vector of another length) keeps numbered variables. */
static int name_variables(struct store *s, const struct site *site)
{
        struct layout *l = NULL;
        free(s->u_point_id);
        s->u_point_id = NULL;
        s->nu = 0;
        if (layout_create(site, &l) < 0)
                return 0;
        s->u_point_id = calloc(l->nu + 1, sizeof *s->u_point_id);
        if (s->u_point_id) {
                s->nu = l->nu;
                for (size_t i = 0; i < l->nu; i++)
                        if (l->u[i].point >= 0)
                                s->u_point_id[i] = s->point_id[l->u[i].point];
        }
        layout_free(l);
        return s->u_point_id ? 0 : -ENOMEM;
}

int store_bind_site(struct store *s, const struct site *site)
{
        size_t n = site->npoint > 0 ? site->npoint : 1;
        int r = 0;
        int64_t *id = calloc(n, sizeof *id);
        char(*name)[POINT_NAME_MAX] = calloc(n, sizeof *name);
        uint32_t *seen_batch = calloc(n, sizeof *seen_batch), *seen_at = calloc(n, sizeof *seen_at);
        if (!id || !name || !seen_batch || !seen_at) {
                r = -ENOMEM;
                goto out;
        }
        for (size_t i = 0; i < site->npoint; i++)
                memcpy(name[i], site->point[i].name, sizeof name[i]);
        if (s->access == STORE_WRITE) {
                r = store_begin(s);
                if (r == 0)
                        r = upsert_points(s, site);
                if (r == 0)
                        r = put_config(s, site);
                if (r == 0)
                        r = store_commit(s);
                if (r < 0) {
                        store_rollback(s);
                        goto out;
                }
        }
        free(s->point_id);
        free(s->name);
        free(s->seen_batch);
        free(s->seen_at);
        s->npoint = site->npoint;
        s->point_id = id;
        s->name = name;
        s->seen_batch = seen_batch;
        s->seen_at = seen_at;
        s->batch = 0;
        r = resolve(s);
        return r < 0 ? r : name_variables(s, site);
out:
        free(id);
        free(name);
        free(seen_batch);
        free(seen_at);
        return r;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void bind_reading(sqlite3_stmt *st, const struct sample *v)
{
        store_bind_real(st, 3, v->value);
        store_bind_real(st, 4, v->raw);
        sqlite3_bind_int(st, 5, v->quality);
        sqlite3_bind_int(st, 6, v->reason);
}

/* What is stored for the point and time of v: 1 = the same, 2 = something else. */
static int compare(struct store *s, const struct sample *v, uint8_t *ret)
{
        sqlite3_stmt *st = store_prepared(s, STMT_SAMPLE_SAME);
        if (!st)
                return -EIO;
        sqlite3_bind_int64(st, 1, v->t_ms);
        sqlite3_bind_int64(st, 2, s->point_id[v->point]);
        store_bind_real(st, 3, v->value);
        sqlite3_bind_int(st, 4, v->quality);
        int rc = sqlite3_step(st);
        *ret = rc == SQLITE_ROW && sqlite3_column_int(st, 0) ? 1 : 2;
        sqlite3_reset(st);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_fail(s, rc, "sample");
}

_Static_assert(QUALITY_BAD == 2 && QR_PARSE == 11, "numbers of STMT_SAMPLE_READ and STMT_LATEST_UPSERT");

/* Where what is stored could not be read and v could: it is put there, *ret 3. */
static int replace(struct store *s, const struct sample *v, uint8_t *ret)
{
        sqlite3_stmt *st = v->quality == QUALITY_GOOD ? store_prepared(s, STMT_SAMPLE_READ) : NULL;
        int r;
        if (!st)
                return v->quality == QUALITY_GOOD ? -EIO : 0;
        sqlite3_bind_int64(st, 1, v->t_ms);
        sqlite3_bind_int64(st, 2, s->point_id[v->point]);
        bind_reading(st, v);
        r = store_run_stmt(s, st, "sample");
        if (r == 0 && sqlite3_changes(s->db) > 0)
                *ret = 3;
        return r;
}

static int insert_samples(struct store *s, const struct sample *v, size_t n, uint8_t *duplicate, size_t *ret_new,
                          size_t *ret_good)
{
        sqlite3_stmt *st = store_prepared(s, STMT_SAMPLE_INSERT);
        if (!st)
                return -EIO;
        size_t fresh = 0, good = 0;
        for (size_t i = 0; i < n; i++) {
                uint32_t p = v[i].point;
                sqlite3_bind_int64(st, 1, v[i].t_ms);
                sqlite3_bind_int64(st, 2, s->point_id[p]);
                bind_reading(st, &v[i]);
                int r = store_run_stmt(s, st, "sample");
                if (r < 0)
                        return r;
                bool known = sqlite3_changes(s->db) == 0;
                if (duplicate)
                        duplicate[i] = 0;
                if (known && duplicate)
                        r = compare(s, &v[i], &duplicate[i]);
                if (r == 0 && known && duplicate && duplicate[i] == 2)
                        r = replace(s, &v[i], &duplicate[i]);
                if (r < 0)
                        return r;
                if (known && !(duplicate && duplicate[i] == 3))
                        continue;
                fresh += !known;
                good += v[i].quality == QUALITY_GOOD;
                /* one that was replaced may stand in the same batch */
                if (s->seen_batch[p] != s->batch || v[i].t_ms > v[s->seen_at[p]].t_ms ||
                    (known && v[i].t_ms == v[s->seen_at[p]].t_ms)) {
                        s->seen_batch[p] = s->batch;
                        s->seen_at[p] = (uint32_t)i;
                }
        }
        *ret_new = fresh;
        *ret_good = good;
        return 0;
}

static int update_latest(struct store *s, const struct sample *v, size_t n)
{
        sqlite3_stmt *st = store_prepared(s, STMT_LATEST_UPSERT);
        if (!st)
                return -EIO;
        for (size_t i = 0; i < n; i++) {
                uint32_t p = v[i].point;
                if (s->seen_batch[p] != s->batch || s->seen_at[p] != i)
                        continue;
                sqlite3_bind_int64(st, 1, s->point_id[p]);
                sqlite3_bind_int64(st, 2, v[i].t_ms);
                bind_reading(st, &v[i]);
                int r = store_run_stmt(s, st, "latest");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_counter(struct store *s, const char *name, size_t n)
{
        if (n == 0)
                return 0;
        sqlite3_stmt *st = store_prepared(s, STMT_COUNTER_ADD);
        if (!st)
                return -EIO;
        sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, (int64_t)n);
        return store_run_stmt(s, st, "counter");
}

static int append(struct store *s, const struct sample *v, size_t n, uint8_t *duplicate, size_t *ret_duplicates)
{
        if (n > UINT32_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (v[i].point >= s->npoint || s->point_id[v[i].point] <= 0 || v[i].quality > QUALITY_BAD) {
                        snprintf(s->err, sizeof s->err, "sample %zu: unknown point %u or quality %u", i,
                                 (unsigned)v[i].point, (unsigned)v[i].quality);
                        return -EINVAL;
                }
        }
        size_t fresh = 0, good = 0;
        int r = store_begin(s);
        if (r < 0)
                return r;
        if (++s->batch == 0) { /* wrapped: forget old stamps */
                memset(s->seen_batch, 0, s->npoint * sizeof *s->seen_batch);
                s->batch = 1;
        }
        r = insert_samples(s, v, n, duplicate, &fresh, &good);
        if (r == 0)
                r = update_latest(s, v, n);
        if (r == 0)
                r = add_counter(s, "samples", fresh);
        if (r == 0)
                r = add_counter(s, "good", good);
        if (r == 0)
                r = add_counter(s, "duplicates", n - fresh);
        if (r == 0)
                r = store_commit(s);
        if (r < 0) {
                store_rollback(s);
                return r;
        }
        if (ret_duplicates)
                *ret_duplicates = n - fresh;
        return 0;
}

int store_append_samples(struct store *s, const struct sample *v, size_t n, size_t *ret_duplicates)
{
        return append(s, v, n, NULL, ret_duplicates);
}

int store_append_samples_marked(struct store *s, const struct sample *v, size_t n, uint8_t *ret_duplicate)
{
        return append(s, v, n, ret_duplicate, NULL);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static double column_real(sqlite3_stmt *st, int i)
{
        return sqlite3_column_type(st, i) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(st, i);
}

int store_read_samples(struct store *s, int64_t from_ms, int64_t to_ms, store_sample_fn fn, void *ctx)
{
        if (!s->point_id)
                return -EINVAL;
        if (s->access == STORE_READ) { /* the writer may have added points since */
                int r = resolve(s);
                if (r < 0)
                        return r;
        }
        struct sample *batch = malloc(READ_BATCH * sizeof *batch);
        if (!batch)
                return -ENOMEM;
        sqlite3_stmt *st = NULL;
        size_t n = 0;
        int r = 0;
        int rc = sqlite3_prepare_v2(s->db,
                                    "SELECT t_ms, point_id, value, raw, quality, reason FROM sample"
                                    " WHERE t_ms >= ?1 AND t_ms < ?2 ORDER BY t_ms, point_id",
                                    -1, &st, NULL);
        if (rc != SQLITE_OK) {
                r = store_fail(s, rc, "reading samples");
                goto out;
        }
        sqlite3_bind_int64(st, 1, from_ms);
        sqlite3_bind_int64(st, 2, to_ms);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
                int64_t id = sqlite3_column_int64(st, 1);
                if (id <= 0 || (uint64_t)id >= s->nindex || s->index_of[id] < 0)
                        continue;
                batch[n++] = (struct sample){
                    .point = (uint32_t)s->index_of[id],
                    .t_ms = sqlite3_column_int64(st, 0),
                    .value = column_real(st, 2),
                    .raw = column_real(st, 3),
                    .quality = (uint8_t)sqlite3_column_int(st, 4),
                    .reason = (uint8_t)sqlite3_column_int(st, 5),
                };
                if (n == READ_BATCH) {
                        r = fn(ctx, batch, n);
                        n = 0;
                        if (r != 0)
                                goto out;
                }
        }
        if (rc != SQLITE_DONE)
                r = store_fail(s, rc, "reading samples");
        else if (n > 0)
                r = fn(ctx, batch, n);
out:
        sqlite3_finalize(st);
        free(batch);
        return r;
}
