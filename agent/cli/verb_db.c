/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane db: upkeep of a database without stopping who writes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"

static const char help[] =
    "example:\n"
    "  coolplane db backup /backup/coolplane-monday.db --config /etc/coolplane/site.yaml\n"
    "\n"
    "usage: coolplane db counts|verify|backup DEST --db FILE|--config site.yaml [--json]\n"
    "\n"
    "counts   rows, time span and bytes\n"
    "verify   reads everything: integrity, references, counters against rows; exit 3 when something is wrong\n"
    "backup   a consistent copy in one file while coolplaned goes on writing; DEST must not exist.\n"
    "         To restore: stop coolplaned, move the database with its -wal and -shm away, put the copy in its place.\n";

static int counts(const struct db_args *a)
{
        struct store_counts c;
        char from[32], to[32];
        int r = store_counts(a->store, &c);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
                return db_exit(r);
        }
        clk_format(c.first_t_ms, from);
        clk_format(c.last_t_ms, to);
        if (a->json) {
                printf("{\"samples\":%lld,\"good\":%lld,\"bad\":%lld,\"decisions\":%lld,\"actions\":%lld,"
                       "\"events\":%lld,\"first_t_ms\":%lld,\"last_t_ms\":%lld,\"bytes\":%lld}\n",
                       (long long)c.samples, (long long)c.good, (long long)c.bad, (long long)c.decisions,
                       (long long)c.actions, (long long)c.events, (long long)c.first_t_ms, (long long)c.last_t_ms,
                       (long long)c.bytes);
                return EXIT_OK;
        }
        printf("samples    %lld (%lld good, %lld not)\n", (long long)c.samples, (long long)c.good, (long long)c.bad);
        if (c.samples > 0)
                printf("span       %s to %s\n", from, to);
        printf("decisions  %lld\nactions    %lld\nevents     %lld\nbytes      %lld\n", (long long)c.decisions,
               (long long)c.actions, (long long)c.events, (long long)c.bytes);
        return EXIT_OK;
}

struct found {
        bool json;
        size_t n;
};

static void finding(void *ctx, const char *text)
{
        struct found *f = ctx;
        if (f->json) {
                printf("%s", f->n ? "," : "");
                cli_json_string(stdout, text);
        } else {
                printf("%s\n", text);
        }
        f->n++;
}

static int verify(const struct db_args *a)
{
        struct found f = {.json = a->json};
        size_t n = 0;
        if (a->json)
                printf("{\"findings\":[");
        int r = store_verify(a->store, finding, &f, &n);
        if (a->json)
                printf("],\"ok\":%s}\n", r == 0 && n == 0 ? "true" : "false");
        else if (r == 0 && n == 0)
                printf("%s: ok\n", a->db);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
                return db_exit(r);
        }
        return n > 0 ? EXIT_VIOLATIONS : EXIT_OK;
}

static void progress(void *ctx, int64_t done, int64_t pages)
{
        (void)ctx;
        fprintf(stderr, "\r\033[K%lld of %lld pages", (long long)done, (long long)pages);
}

static int backup(const struct db_args *a, const char *dest)
{
        char err[256];
        bool bar = !a->json && isatty(STDERR_FILENO);
        int r = store_backup(a->store, dest, bar ? progress : NULL, NULL, err);
        if (bar)
                fprintf(stderr, "\r\033[K");
        if (r < 0) {
                fprintf(stderr, "%s\n", err);
                return EXIT_IO;
        }
        if (a->json) {
                printf("{\"backup\":");
                cli_json_string(stdout, dest);
                printf("}\n");
        } else {
                printf("%s written; check it with: coolplane db verify --db %s\n", dest, dest);
        }
        return EXIT_OK;
}

int verb_db(int argc, char **argv)
{
        struct db_args a;
        int code = EXIT_USAGE_;
        if (!db_args_parse(argc, argv, &a, &code))
                return code;
        if (a.help) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        const char *what = a.nrest > 0 ? a.rest[0] : "";
        bool is_backup = strcmp(what, "backup") == 0;
        if ((!is_backup && strcmp(what, "counts") != 0 && strcmp(what, "verify") != 0) ||
            a.nrest != (is_backup ? 2 : 1)) {
                fprintf(stderr, "coolplane db: give counts, verify or backup DEST (see coolplane db --help)\n");
                return EXIT_USAGE_;
        }
        if (db_args_load(&a, &code) && db_args_open(&a, &code)) {
                if (is_backup)
                        code = backup(&a, a.rest[1]);
                else
                        code = strcmp(what, "counts") == 0 ? counts(&a) : verify(&a);
        }
        db_args_free(&a);
        return code;
}
