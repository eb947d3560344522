/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/site.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/points/site_internal.h"

#define OVERLAYS_MAX 256

static const char *path_of(const struct builder *b, struct pos at)
{
        return at.file >= 0 && (size_t)at.file < b->s->nfile ? b->s->file[at.file] : b->path;
}

void bad(struct builder *b, struct pos at, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        errors_add(b->errors, path_of(b, at), at, false, fmt, ap);
        va_end(ap);
}

void warn(struct builder *b, struct pos at, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        errors_add(b->errors, path_of(b, at), at, true, fmt, ap);
        va_end(ap);
}

void site_errors_warn(struct site_errors *e, const struct site *s, int file, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        errors_add(e, s->file[file], (struct pos){.file = file, .line = line}, true, fmt, ap);
        va_end(ap);
}

bool grow(struct builder *b, void **array, size_t n, size_t *cap, size_t size)
{
        if (b->rc != 0)
                return false;
        if (n < *cap)
                return true;
        size_t want = *cap != 0 ? 2 * *cap : 16;
        void *p = reallocarray(*array, want, size);
        if (p == NULL) {
                b->rc = -ENOMEM;
                return false;
        }
        *array = p;
        *cap = want;
        return true;
}

bool name_ok(const char *s, bool slash)
{
        char before = '/';
        for (const char *c = s; *c != '\0'; before = *c, c++) {
                bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                            *c == '_' || *c == '.' || *c == '-';
                if (!word && !(slash && *c == '/' && before != '/'))
                        return false;
        }
        return s[0] != '\0' && before != '/';
}

const char *device_name(const void *site, size_t i)
{
        const struct site *s = site;
        return i < s->ndevice ? s->device[i].name : NULL;
}

const char *equipment_name(const void *site, size_t i)
{
        const struct site *s = site;
        return i < s->nequipment ? s->equipment[i].name : NULL;
}

const char *zone_name(const void *site, size_t i)
{
        const struct site *s = site;
        return i < s->nzone ? s->zone[i].name : NULL;
}

const char *profile_name(const void *builder, size_t i)
{
        const struct builder *b = builder;
        return i < b->nprofile ? b->profile[i].name : NULL;
}

int find_name(const char *name, name_fn names, const void *ctx)
{
        for (size_t i = 0; names(ctx, i) != NULL; i++)
                if (strcmp(name, names(ctx, i)) == 0)
                        return (int)i;
        return -1;
}

static int slurp(FILE *f, char **ret_text, size_t *ret_len)
{
        size_t cap = 1 << 16, len = 0;
        char *text = malloc(cap);
        while (text != NULL) {
                errno = 0;
                len += fread(text + len, 1, cap - 1 - len, f);
                if (len < cap - 1)
                        break;
                if (len > SITE_FILE_SIZE_MAX) {
                        free(text);
                        return -EFBIG;
                }
                char *more = realloc(text, cap * 2);
                if (more == NULL)
                        free(text);
                text = more;
                cap *= 2;
        }
        if (text == NULL)
                return -ENOMEM;
        if (ferror(f) || len > SITE_FILE_SIZE_MAX) {
                int rc = !ferror(f) ? -EFBIG : errno == EISDIR ? -EISDIR : -EIO;
                free(text);
                return rc;
        }
        text[len] = '\0';
        *ret_text = text;
        *ret_len = len;
        return 0;
}

static int copy_given(const struct builder *b, const char *path, char **ret_text, size_t *ret_len)
{
        for (size_t i = 0; i < b->ngiven; i++) {
                if (strcmp(b->given[i].path, path) != 0)
                        continue;
                char *text = malloc(b->given[i].len + 1);
                if (text == NULL)
                        return -ENOMEM;
                memcpy(text, b->given[i].text, b->given[i].len);
                text[b->given[i].len] = '\0';
                *ret_text = text;
                *ret_len = b->given[i].len;
                return 0;
        }
        return -ENOENT;
}

static int open_and_slurp(const char *path, char **ret_text, size_t *ret_len)
{
        FILE *f = fopen(path, "rbe");
        int rc = f == NULL ? -errno : slurp(f, ret_text, ret_len);
        if (f != NULL)
                (void)fclose(f);
        return rc;
}

int read_file(struct builder *b, const char *path, struct pos at, char **ret_text, size_t *ret_len)
{
        char *text = NULL;
        size_t len = 0;
        int rc = b->given != NULL ? copy_given(b, path, &text, &len) : open_and_slurp(path, &text, &len);
        if (rc == -ENOMEM)
                b->rc = rc;
        if (text == NULL) {
                bool own = strcmp(path, path_of(b, at)) == 0; /* the message begins with it */
                const char *name = own ? "" : path, *colon = own ? "" : ": ";
                if (rc == -EFBIG)
                        bad(b, at, "%s%slarger than %u MiB", name, colon, SITE_FILE_SIZE_MAX >> 20);
                else if (rc == -EISDIR)
                        bad(b, at, "%s%sa folder, not a file", name, colon);
                else
                        bad(b, at, "%s%s%s", name, colon, strerror(-rc));
                if (b->s->nfile == 0 && b->rc == 0) /* the site file itself */
                        b->rc = rc == -ENOENT || rc == -EISDIR ? rc : -EIO;
                return -1;
        }
        if (!grow(b, (void **)&b->s->file, b->s->nfile, &b->file_cap, sizeof(b->s->file[0])) ||
            parse_copy(b->s->file[b->s->nfile], SITE_PATH_MAX, path) != 0) {
                if (b->rc == 0)
                        bad(b, at, "%s: the path is too long", path);
                free(text);
                return -1;
        }
        int file = (int)b->s->nfile++;
        hash_add(&b->hash, text, len);
        const char *nul = memchr(text, '\0', len);
        if (nul != NULL) {
                struct pos where = {.file = file, .line = 1};
                for (const char *c = text; c < nul; c++)
                        where.line += *c == '\n';
                bad(b, where, "a NUL byte: this is not a text file");
                free(text);
                return -1;
        }
        *ret_text = text;
        *ret_len = len;
        return file;
}

static void defaults(struct site *s)
{
        s->latitude_deg = s->longitude_deg = (double)NAN;
        s->elevation_m = 0;
        s->fast_step_ms = 30 * 1000;
        s->slow_step_ms = 5 * 60 * 1000;
        s->web_port = 8480;
        (void)parse_copy(s->web_bind, sizeof(s->web_bind), "127.0.0.1");
        s->seed = 1;
        s->limits = (struct site_limits){
            .inlet_recommended_c = 27,
            .inlet_allowable_c = 32,
            .inlet_min_c = 18,
            .chwst_min_c = 5,
            .chwst_max_c = 18,
            .chwst_freeze_c = (double)NAN,
            .chwst_ramp_k_per_min = 0.2,
            .dewpoint_margin_k = 2,
            .noise_max_k = (double)NAN,
            .valve_max_ratio = 0.9,
            .tower_approach_k = 3,
            .it_fan_knee_c = 25,
        };
        s->retention = (struct site_retention){
            .samples_ms = INT64_C(400) * 24 * 3600 * 1000,
            .max_bytes = INT64_C(200) << 30,
            .decisions_ms = INT64_C(1825) * 24 * 3600 * 1000,
        };
        s->mqtt.port = 1883;
        s->mqtt.silence_ms = 60 * 1000;
        s->vm.max_moves_per_hour = 20;
        s->vm.max_concurrent = 2;
}

static int is_yaml(const struct dirent *d)
{
        size_t n = strlen(d->d_name);
        return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

/* The same of files that were read before: they are in the order of reading. */
static void overlays_given(struct builder *b)
{
        char folder[2 * SITE_PATH_MAX];
        (void)snprintf(folder, sizeof(folder), "%ssite.d/", b->dir);
        for (size_t i = 1; i < b->ngiven && b->rc == 0; i++)
                if (strncmp(b->given[i].path, folder, strlen(folder)) == 0)
                        site_read_yaml(b, b->given[i].path, (struct pos){.file = -1});
}

/* site.d/ *.yaml beside the site file, by name. */
static void overlays(struct builder *b)
{
        char path[3 * SITE_PATH_MAX];
        struct dirent **list = NULL;
        if (b->given != NULL) {
                overlays_given(b);
                return;
        }
        (void)snprintf(path, sizeof(path), "%ssite.d", b->dir);
        int n = scandir(path, &list, is_yaml, alphasort);
        for (int i = 0; i < n; i++) {
                (void)snprintf(path, sizeof(path), "%ssite.d/%s", b->dir, list[i]->d_name);
                if (b->rc == 0)
                        site_read_yaml(b, path, (struct pos){.file = -1});
                free(list[i]);
        }
        free(list);
}

static void read_maps(struct builder *b)
{
        char hint[128];
        for (size_t i = 0; i < b->nprofile && b->rc == 0; i++)
                if (b->profile[i].path[0] != '\0')
                        map_read(b, b->profile[i].path, b->profile[i].at, true, &b->profile[i].map);
        for (size_t d = 0; d < b->s->ndevice && b->rc == 0; d++) {
                const char *want = b->device_more[d].profile;
                size_t i = 0;
                while (i < b->nprofile && strcmp(b->profile[i].name, want) != 0)
                        i++;
                if (want[0] == '\0')
                        continue;
                if (i == b->nprofile) {
                        bad(b, b->device_more[d].at, "device '%s': profile '%s' is not in the site file%s",
                            b->s->device[d].name, want, suggest(want, profile_name, b, hint));
                        continue;
                }
                b->profile[i].used = true;
                points_from_profile(b, d, &b->profile[i]);
        }
        for (size_t i = 0; i < b->npoints_file && b->rc == 0; i++) {
                struct map m = {0};
                if (b->points_file[i].path[0] != '\0') {
                        map_read(b, b->points_file[i].path, b->points_file[i].at, false, &m);
                        points_from_map(b, &m);
                }
                map_free(&m);
        }
        for (size_t i = 0; i < b->nprofile; i++)
                if (!b->profile[i].used)
                        warn(b, b->profile[i].at, "profile '%s' is used by no device", b->profile[i].name);
}

static void build(struct builder *b)
{
        site_read_yaml(b, b->path, (struct pos){.file = -1});
        if (b->rc == 0)
                overlays(b);
        if (b->rc == 0)
                check_site(b); /* resolves names, so that points can refer to them */
        if (b->rc == 0)
                read_maps(b);
        if (b->rc == 0)
                check_points(b);
}

static void release(struct builder *b)
{
        for (size_t i = 0; i < b->nprofile; i++)
                map_free(&b->profile[i].map);
        free(b->profile);
        free(b->points_file);
        free(b->device_more);
        free(b->equipment_more);
        free(b->zone_at);
        free(b->point_at);
        free(b->left_out);
        hash_free(&b->hash);
}

static int load(const char *path, const struct site_text *given, size_t ngiven, site_check_fn *check,
                struct site **ret_site, struct site_errors **ret_errors)
{
        struct builder b = {.path = path,
                            .given = given,
                            .ngiven = ngiven,
                            .site_at.file = -1,
                            .limits_at.file = -1,
                            .mqtt_at.file = -1,
                            .vm_at.file = -1,
                            .retention_at.file = -1};
        *ret_errors = b.errors = errors_create();
        if (b.errors == NULL)
                return -ENOMEM;
        b.s = calloc(1, sizeof(*b.s));
        if (b.s == NULL || hash_init(&b.hash) != 0) {
                b.rc = -ENOMEM;
                goto out;
        }
        const char *slash = strrchr(path, '/');
        size_t dir = slash != NULL ? (size_t)(slash - path) + 1 : 0;
        if (dir >= sizeof(b.dir)) {
                bad(&b, (struct pos){.file = -1}, "the path is too long");
                b.rc = -EINVAL;
                goto out;
        }
        memcpy(b.dir, path, dir);
        defaults(b.s);
        build(&b);
        hash_digest(&b.hash, b.s->hash);
        if (b.rc == 0 && check != NULL)
                b.rc = check(b.s, b.errors);
        if (b.rc == 0 && site_errors_count(b.errors) > 0)
                b.rc = -EINVAL;
        errors_sort(b.errors);
out:
        release(&b);
        if (b.rc != 0)
                b.s = site_free(b.s);
        else
                *ret_site = b.s;
        return b.rc;
}

int site_load(const char *path, struct site **ret_site, struct site_errors **ret_errors)
{
        return site_load_checked(path, NULL, ret_site, ret_errors);
}

int site_load_checked(const char *path, site_check_fn *check, struct site **ret_site, struct site_errors **ret_errors)
{
        return load(path, NULL, 0, check, ret_site, ret_errors);
}

int site_load_texts(const struct site_text *v, size_t n, struct site **ret_site, struct site_errors **ret_errors)
{
        return load(n > 0 ? v[0].path : "", v, n, NULL, ret_site, ret_errors);
}

struct site *site_free(struct site *s)
{
        if (s == NULL)
                return NULL;
        free(s->device);
        free(s->equipment);
        free(s->zone);
        free(s->point);
        free(s->file);
        free(s->point_by_name);
        free(s);
        return NULL;
}

int site_find_point(const struct site *s, const char *name)
{
        size_t lo = 0, hi = s->npoint;
        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                int c = strcmp(name, s->point[s->point_by_name[mid]].name);
                if (c == 0)
                        return (int)s->point_by_name[mid];
                if (c < 0)
                        hi = mid;
                else
                        lo = mid + 1;
        }
        return -1;
}

int site_find_device(const struct site *s, const char *name)
{
        for (size_t i = 0; i < s->ndevice; i++)
                if (strcmp(s->device[i].name, name) == 0)
                        return (int)i;
        return -1;
}

int site_point_of(const struct site *s, int equipment, enum role role)
{
        int first = -1;
        for (size_t i = 0; i < s->npoint; i++) {
                if (s->point[i].equipment != equipment || s->point[i].role != role)
                        continue;
                if (s->point[i].writable)
                        return (int)i;
                if (first < 0)
                        first = (int)i;
        }
        return first;
}
