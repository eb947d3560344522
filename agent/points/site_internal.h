/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the parts of site_load share: the errors found so far and the site under construction. Private to the room.
 */
#ifndef COOLPLANE_POINTS_SITE_INTERNAL_H
#define COOLPLANE_POINTS_SITE_INTERNAL_H

#include <stdarg.h>

#include "agent/base/hash.h"
#include "agent/points/site.h"

#define SITE_FILE_SIZE_MAX (16u * 1024 * 1024)

/* Place of a thing in a file: index into site.file, 1-based line and column, 0 = unknown. */
struct pos {
        int file, line, col;
};

struct site_errors *errors_create(void);
void errors_add(struct site_errors *e, const char *path, struct pos at, bool warning, const char *fmt, va_list ap)
    __attribute__((format(printf, 5, 0)));
void errors_sort(struct site_errors *e);

/* " (did you mean 'x'?)" for the nearest of `names` (NULL-terminated by name(i)), or "". buf ≥ 128. Returns buf. */
typedef const char *(*name_fn)(const void *ctx, size_t i);
const char *suggest(const char *word, name_fn name, const void *ctx, char *buf);
const char *suggest_list(const char *word, const char *const *names, char *buf); /* NULL-terminated array */

enum address_style { ADDRESS_UNSET, ADDRESS_WIRE, ADDRESS_ONE_BASED, ADDRESS_MODICON5, ADDRESS_MODICON6 };
int address_style_from_str(const char *s); /* −1 if unknown */

/* One row of a point map before it belongs to a device. Empty cell = "". */
struct map_row {
        struct point p; /* everything but name, device, equipment, zone, role and unit_id when !has_unit_id */
        char name[POINT_NAME_MAX], device[SITE_NAME_MAX], equipment[SITE_NAME_MAX], zone[SITE_NAME_MAX];
        char address[24]; /* as written; converted when the device's address style is known */
        enum address_style style;
        bool has_unit_id, has_tol, ok;
        bool miscounted; /* more cells than the header: nothing of it is known but, where it comes first, the name */
        struct pos at;
};

struct map {
        struct map_row *row;
        size_t n, cap;
};

/* Profile named in the site file. */
struct profile {
        char name[SITE_NAME_MAX], path[SITE_PATH_MAX];
        struct map map;
        struct pos at;
        bool used;
};

/* What a device or piece of equipment says besides its public members. */
struct device_more {
        struct pos at;
        char profile[SITE_NAME_MAX], equipment[SITE_NAME_MAX];
        enum address_style style;
};
struct equipment_more {
        struct pos at;
        char zone[SITE_NAME_MAX], brick[64];
};

struct points_file {
        char path[SITE_PATH_MAX];
        struct pos at;
};

struct builder {
        const char *path;              /* the site file as given */
        const struct site_text *given; /* [ngiven] read instead of files; NULL: files are read */
        size_t ngiven;
        struct site *s;
        struct site_errors *errors;
        struct hash hash;
        char dir[SITE_PATH_MAX]; /* of the site file, with the final slash; "" = current folder */
        size_t device_cap, device_more_cap, equipment_cap, equipment_more_cap, zone_cap, zone_at_cap, point_cap,
            point_at_cap, left_out_cap, file_cap, profile_cap, points_file_cap;
        struct device_more *device_more;
        struct equipment_more *equipment_more;
        struct pos *zone_at;
        struct pos *point_at;
        char (*left_out)[POINT_NAME_MAX]; /* [nleft_out] points whose row is wrong: not in s->point, but named */
        size_t nleft_out;
        bool left_out_unnamed; /* … and one of which not even the name is known */
        struct profile *profile;
        size_t nprofile;
        struct points_file *points_file;
        size_t npoints_file;
        bool named;             /* site.name was given, right or wrong */
        struct pos dewpoint_at; /* of its margin, where the site file gives one */
        struct pos limits_at, mqtt_at, vm_at, site_at, retention_at;
        int rc; /* -ENOMEM and the like: loading stops */
};

void bad(struct builder *b, struct pos at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void warn(struct builder *b, struct pos at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Room for one more element; false on -ENOMEM (b->rc). */
bool grow(struct builder *b, void **array, size_t n, size_t *cap, size_t size);

/* Whole file into *ret_text (NUL-terminated, malloc) after adding it to site.file and to the hash; its file index, or
 * −1 after reporting (at: where it is named). */
int read_file(struct builder *b, const char *path, struct pos at, char **ret_text, size_t *ret_len);

/* Letters, digits and _ . - only, not empty; with slash: such parts joined by single slashes. */
bool name_ok(const char *s, bool slash);

/* Names for suggest(), ctx = struct site or struct builder, and the index of a name (−1 = none). */
const char *device_name(const void *site, size_t i);
const char *equipment_name(const void *site, size_t i);
const char *zone_name(const void *site, size_t i);
const char *profile_name(const void *builder, size_t i);
int find_name(const char *name, name_fn names, const void *ctx);

/* yaml side (site_yaml.c) */
void site_read_yaml(struct builder *b, const char *path, struct pos at);
/* map side (map.c, points.c) */
void map_read(struct builder *b, const char *path, struct pos at, bool is_profile, struct map *ret);
void map_free(struct map *m);
void points_from_profile(struct builder *b, size_t device, const struct profile *p);
void points_from_map(struct builder *b, const struct map *m);
/* checks across parts (check.c) */
void check_site(struct builder *b);
void check_points(struct builder *b);

#endif
