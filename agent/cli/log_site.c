/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/log_site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/base/hash.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"

static int keep_text(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        char **to = ctx;

        (void)n;
        (void)name;
        if (text[0] != NULL && *to == NULL)
                *to = strdup(text[0]);
        return 0;
}

static int keep_number(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)n;
        (void)name;
        return parse_int64(text[0] ? text[0] : "", 0, INT64_MAX, ctx);
}

/* The same site may have been configured anew since; which of the two it is, log_site_check tells apart. */
static void note_changed(const char *verb, const char *db, struct store *s, const char *path, const struct site *site)
{
        char hash[2 * HASH_LEN + 1];
        const struct store_param p = {.is_text = true, .text = hash_hex(site->hash, HASH_LEN, hash)};
        int64_t other = 0, same = 0;

        if (store_query_rows(s, "SELECT count(*) FROM run", NULL, 0, keep_number, &other) == 0 && other > 0 &&
            store_query_rows(s, "SELECT count(*) FROM run WHERE config = ?1", &p, 1, keep_number, &same) == 0 &&
            same == 0)
                (void)fprintf(stderr, "coolplane %s: note: no run in %s had this configuration, %s: changed since?\n",
                              verb, db, path);
}

int log_site_load(const char *verb, const char *db, struct store *s, const char *config, struct site **ret)
{
        char *stored = NULL;
        int code;

        if (config == NULL)
                (void)store_query_rows(s,
                                       "SELECT c.path FROM run r JOIN config c ON c.hash = r.config "
                                       "ORDER BY r.id DESC, c.ord LIMIT 1",
                                       NULL, 0, keep_text, &stored);
        if (config == NULL && stored == NULL) {
                (void)fprintf(stderr, "coolplane %s: %s names no site file; give --config\n", verb, db);
                return EXIT_USAGE_;
        }
        if (config == NULL && access(stored, R_OK) < 0) {
                (void)fprintf(stderr,
                              "coolplane %s: %s: %s; it is the site file of the last run in %s%s: give --config\n",
                              verb, stored, strerror(errno), db, stored[0] == '/' ? "" : ", from the folder it ran in");
                free(stored);
                return EXIT_CONFIG;
        }
        code = cli_load_site(config ? config : stored, ret);
        if (code == EXIT_OK)
                note_changed(verb, db, s, config ? config : stored, *ret);
        free(stored);
        return code;
}

struct names {
        const struct site *site;
        size_t n, hits;
};

static int look(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct names *w = ctx;

        (void)n;
        (void)name;
        w->n++;
        w->hits += text[0] != NULL && site_find_point(w->site, text[0]) >= 0;
        return 0;
}

int log_site_check(const char *verb, const char *db, struct store *s, const struct site *site, bool with_samples)
{
        struct names w = {.site = site};
        int r = store_query_rows(s,
                                 with_samples ? "SELECT name FROM point WHERE id IN (SELECT point_id FROM latest)"
                                              : "SELECT name FROM point",
                                 NULL, 0, look, &w);

        if (r < 0) {
                (void)fprintf(stderr, "coolplane %s: %s: %s\n", verb, db, store_errmsg(s));
                return db_exit(r);
        }
        if (w.n == 0 || w.hits > 0)
                return EXIT_OK;
        (void)fprintf(stderr, "coolplane %s: %s holds none of the %zu point%s of %s: a log of another site?\n", verb,
                      db, site->npoint, PLURAL_S(site->npoint), site->name);
        return EXIT_DATA;
}
