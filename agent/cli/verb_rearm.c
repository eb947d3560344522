/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane rearm: what the gate left alone until an operator says otherwise. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/gate/latch.h"

static const char help[] =
    "example:\n"
    "  systemctl stop coolplaned && coolplane rearm --config /etc/coolplane/site.yaml && systemctl start coolplaned\n"
    "\n"
    "usage: coolplane rearm --config site.yaml|--db FILE [--dry-run] [--json]\n"
    "\n"
    "The gate leaves alone, over restarts of its own too, a device that someone at the plant took local and a "
    "setpoint\n"
    "that someone else writes; once it has released the plant it stays released. This lists what is latched and, "
    "unless\n"
    "--dry-run is given, clears it: the next start takes the plant again. Look at the plant first. The gate must not "
    "be\n"
    "running (exit 75).\n";

struct shown {
        bool json;
        size_t n;
};

static void show(void *ctx, const struct latch *l)
{
        struct shown *s = ctx;

        if (s->json) {
                printf("%s{\"why\":", s->n ? "," : "");
                cli_json_string(stdout, latch_kind_str(l->kind));
                printf(",\"name\":");
                cli_json_string(stdout, l->name);
                printf("}");
        } else {
                printf("%s: %s\n", l->kind == LATCH_RELEASE ? "the plant" : l->name, latch_kind_str(l->kind));
        }
        s->n++;
}

/* The options of every database verb, and --dry-run. */
static bool take_dry_run(int *argc, char **argv)
{
        for (int i = 1; i < *argc; i++)
                if (strcmp(argv[i], "--dry-run") == 0) {
                        memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof *argv);
                        --*argc;
                        return true;
                }
        return false;
}

static int rearm(struct db_args *a, bool dry_run)
{
        struct shown s = {.json = a->json};
        char err[256];
        int64_t t_ms = 0;
        int r = store_open(a->db, dry_run ? STORE_READ : STORE_WRITE, &a->store, err);

        if (r < 0) {
                fprintf(stderr, "%s%s\n", err, r == -EBUSY ? ": stop coolplaned first" : "");
                return r == -EBUSY ? EXIT_TEMPFAIL : db_exit(r);
        }
        if (a->json)
                printf("{\"latched\":[");
        r = latch_read(a->store, &t_ms, show, &s);
        if (r >= 0 && s.n > 0 && !dry_run)
                r = latch_write(a->store, t_ms, NULL, 0);
        if (a->json)
                printf("],\"cleared\":%s}\n", r >= 0 && !dry_run ? "true" : "false");
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
                return db_exit(r);
        }
        if (!a->json)
                printf("%s\n", s.n == 0  ? "nothing is latched"
                               : dry_run ? "left as it is"
                                         : "cleared; the next start of coolplaned takes the plant");
        return EXIT_OK;
}

int verb_rearm(int argc, char **argv)
{
        const bool dry_run = take_dry_run(&argc, argv);
        struct db_args a;
        int code = EXIT_USAGE_;

        if (!db_args_parse(argc, argv, &a, &code))
                return code;
        if (a.help) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        if (a.nrest != 0) {
                fprintf(stderr, "coolplane rearm: takes no names (see coolplane rearm --help)\n");
                return EXIT_USAGE_;
        }
        if (db_args_load(&a, &code))
                code = rearm(&a, dry_run);
        db_args_free(&a);
        return code;
}
