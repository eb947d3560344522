/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Reader of site files: the text, and the chillers' curves that it names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/plant_text.h"

#define ERR_SIZE 256
#define FILE_BYTES 65536

static int read_text(const char *path, char *buf, char *reterr)
{
        FILE *f = fopen(path, "re");
        size_t n;
        int r = 0;

        if (f == NULL) {
                r = -errno;
                (void)snprintf(reterr, ERR_SIZE, "%.180s: %s", path, strerror(-r));
                return r;
        }
        errno = 0;
        n = fread(buf, 1, FILE_BYTES, f);
        if (ferror(f)) {
                r = errno != 0 ? -errno : -EIO;
                (void)snprintf(reterr, ERR_SIZE, "%.180s: %s", path, strerror(-r));
        } else if (n == FILE_BYTES || memchr(buf, '\0', n) != NULL) {
                r = -EINVAL;
                (void)snprintf(reterr, ERR_SIZE, "%.180s:1: not a site file", path);
        } else {
                buf[n] = '\0';
        }
        (void)fclose(f);
        return r;
}

/* The named rows of the list, in their order, take its place. */
static int choose_rows(const struct plant_text *t, const char *path, struct chiller_curves **list, size_t *n,
                       char *reterr)
{
        struct chiller_curves *chosen = NULL;
        const char *s = t->rows;
        size_t nchosen = 0;

        while (*s != '\0') {
                size_t len, i;

                s += strspn(s, " \t,");
                len = strcspn(s, ",");
                while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
                        len--;
                for (i = 0; i < *n && !(strlen((*list)[i].name) == len && strncmp((*list)[i].name, s, len) == 0); i++)
                        ;
                if (i == *n || nchosen == PLANT_CHILLER_MAX) {
                        (void)snprintf(reterr, ERR_SIZE, "%.120s:%zu: chiller_rows: %s \"%.*s\"", path, t->rows_line,
                                       i == *n ? "no row" : "too many rows:", len < 60 ? (int)len : 60, s);
                        free(chosen);
                        return -EINVAL;
                }
                if (chosen == NULL)
                        chosen = calloc(PLANT_CHILLER_MAX, sizeof(*chosen));
                if (chosen == NULL)
                        return -ENOMEM;
                chosen[nchosen++] = (*list)[i];
                s += strcspn(s, ",");
        }
        free(*list);
        *list = chosen;
        *n = nchosen;
        return 0;
}

/* Relative to the site file. */
static void curves_path(const struct plant_text *t, const char *path, char *ret)
{
        const char *slash = strrchr(path, '/');

        (void)snprintf(ret, PLANT_PATH_BYTES, "%.*s%s",
                       t->curves[0] != '/' && slash != NULL ? (int)(slash - path + 1) : 0, path, t->curves);
}

static int load_curves(struct plant_text *t, const char *path, struct chiller_curves **ret, char *reterr)
{
        char full[PLANT_PATH_BYTES], why[ERR_SIZE];
        struct chiller_curves *list = NULL;
        size_t n = 0;
        int r;

        curves_path(t, path, full);
        r = chiller_curves_load(full, &list, &n, why);
        if (r < 0) {
                (void)snprintf(reterr, ERR_SIZE, "%.80s:%zu: chiller_curves: %.140s", path, t->curves_line, why);
                return r == -ENOMEM ? r : -EINVAL;
        }
        r = t->rows[0] != '\0' ? choose_rows(t, path, &list, &n, reterr) : 0;
        if (r == 0 && n == 0) {
                (void)snprintf(reterr, ERR_SIZE, "%.120s:%zu: chiller_rows: no name", path, t->rows_line);
                r = -EINVAL;
        }
        if (r < 0) {
                free(list);
                return r;
        }
        t->spec.curves = list;
        t->spec.ncurves = n;
        *ret = list;
        return 0;
}

static int read_site(const char *path, struct plant_text *ret, char *reterr)
{
        char *text = malloc(FILE_BYTES);
        int r;

        if (text == NULL)
                return -ENOMEM;
        r = read_text(path, text, reterr);
        if (r == 0)
                r = plant_text_parse(text, path, ret, reterr);
        free(text);
        return r;
}

int plant_curves_path(const char *site, char *ret)
{
        struct plant_text t;
        char why[ERR_SIZE];
        int r;

        if (plant_spec_named(site, &t.spec) == 0)
                return 0;
        r = read_site(site, &t, why);
        if (r < 0 || t.curves[0] == '\0')
                return r;
        curves_path(&t, site, ret);
        return 1;
}

int plant_spec_load(const char *path, struct plant_spec *ret, struct chiller_curves **ret_curves, char *reterr)
{
        struct chiller_curves *curves = NULL;
        struct plant_text t;
        int r = read_site(path, &t, reterr);

        if (r == 0 && t.curves[0] != '\0')
                r = load_curves(&t, path, &curves, reterr);
        if (r < 0)
                return r;
        *ret = t.spec;
        *ret_curves = curves;
        return 0;
}
