/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane import: foreign logs into a database, every row accounted for. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/store/import.h"

#define BAD_ROWS_TOLD 20 /* a file */

static const char help[] =
    "example:\n"
    "  coolplane import ahu.csv --map deploy/examples/ahu-mzvav/import.yaml --db ahu.db\n"
    "\n"
    "usage: coolplane import FILE… --map MAP.yaml --db DB [--tz ZONE] [--json]\n"
    "\n"
    "Reads logs with one time column and many value columns. MAP.yaml names the site whose points of table 'log'\n"
    "carry the column names, the time format and zone (agent/store/import_map.h). --tz wins over the map's zone:\n"
    "an IANA name (Europe/Berlin) or a fixed offset (+01:00, UTC).\n"
    "Per file: rows = ok + bad + duplicates. Bad rows are named on stderr, the first 20 of a file.\n"
    "exit: 0 imported, 2 usage, 65 a file without a usable header or without any good row, 69 database busy,\n"
    "74 I/O, 78 map or site wrong\n";

struct import {
        const char *map_path, *db, *tz;
        bool json, progress;
        int64_t told;
        int percent;
        struct import_map *map;
        struct site *site;
        struct store *store;
};

static void clear_progress(struct import *im)
{
        if (im->progress && im->percent >= 0)
                fprintf(stderr, "\r\033[K");
        im->percent = -1;
}

static void on_bad(void *ctx, const char *path, int64_t line, enum import_bad why, const char *text)
{
        struct import *im = ctx;
        if (im->told++ >= BAD_ROWS_TOLD)
                return;
        clear_progress(im);
        fprintf(stderr, "%s:%lld: %s", path, (long long)line, import_bad_str(why));
        if (text[0])
                fprintf(stderr, ": '");
        for (size_t i = 0; text[i] && i < 60; i++)
                fputc(text[i] >= ' ' ? text[i] : '?', stderr);
        fprintf(stderr, "%s\n", text[0] ? "'" : "");
}

static void on_progress(void *ctx, const char *path, int64_t bytes, int64_t total)
{
        struct import *im = ctx;
        int percent = total > 0 ? (int)(100 * bytes / total) : 0;
        if (!im->progress || percent == im->percent)
                return;
        im->percent = percent;
        fprintf(stderr, "\r\033[K%s %3d %%", path, percent);
}

static void print_text(const char *path, const struct import_report *r)
{
        char from[32], to[32];
        printf("%s\n", path);
        printf("  rows              %lld = %lld ok + %lld bad + %lld duplicate%s\n", (long long)r->rows,
               (long long)r->ok, (long long)r->bad, (long long)r->duplicates, PLURAL_S(r->duplicates));
        for (int i = 0; i < IMPORT_BAD_COUNT_; i++)
                if (r->bad_by[i] > 0)
                        printf("    %-16s%lld\n", import_bad_str((enum import_bad)i), (long long)r->bad_by[i]);
        printf("  out of order      %lld\n  gaps              %lld\n", (long long)r->out_of_order, (long long)r->gaps);
        if (r->ok + r->duplicates > 0)
                printf("  span              %s to %s\n", clk_format(r->first_t_ms, from), clk_format(r->last_t_ms, to));
        printf("  median interval   %g s\n", (double)r->median_interval_ms / 1000);
        printf("  samples           %lld new, %lld of them good\n", (long long)r->samples, (long long)r->samples_good);
        for (int i = 0; i < IMPORT_REASONS; i++)
                if (r->samples_by_reason[i] > 0)
                        printf("    %-16s%lld\n", quality_reason_str((enum quality_reason)i),
                               (long long)r->samples_by_reason[i]);
        printf("  columns           %zu of %zu used; %zu log points of the site without a column\n", r->columns_used,
               r->columns, r->points_without_column);
        if (r->ambiguous_hours > 0)
                printf("  repeated hour     %lld row%s in an hour that daylight saving repeats\n",
                       (long long)r->ambiguous_hours, r->ambiguous_hours == 1 ? " lies" : "s lie");
        if (r->ended_without_newline)
                printf("  note              the last line has no line end: its last cell may be cut\n");
}

static void print_json(const char *path, const struct import_report *r, const char *error, bool first)
{
        char from[32], to[32];
        bool any = r->ok + r->duplicates > 0;
        printf("%s{\"file\":", first ? "" : ",\n");
        cli_json_string(stdout, path);
        printf(",\"rows\":%lld,\"ok\":%lld,\"bad\":%lld,\"duplicates\":%lld,\"out_of_order\":%lld,\"gaps\":%lld,",
               (long long)r->rows, (long long)r->ok, (long long)r->bad, (long long)r->duplicates,
               (long long)r->out_of_order, (long long)r->gaps);
        if (any)
                printf("\"span\":[\"%s\",\"%s\"],", clk_format(r->first_t_ms, from), clk_format(r->last_t_ms, to));
        else
                printf("\"span\":null,");
        printf("\"median_interval_s\":%g,\"bad_by_reason\":{", (double)r->median_interval_ms / 1000);
        for (int i = 0; i < IMPORT_BAD_COUNT_; i++)
                printf("%s\"%s\":%lld", i ? "," : "", import_bad_str((enum import_bad)i), (long long)r->bad_by[i]);
        printf("},\"samples\":%lld,\"samples_good\":%lld,\"samples_duplicate\":%lld,\"bad_samples_by_reason\":{",
               (long long)r->samples, (long long)r->samples_good, (long long)r->samples_duplicate);
        bool comma = false;
        for (int i = 0; i < IMPORT_REASONS; i++) {
                if (r->samples_by_reason[i] == 0)
                        continue;
                printf("%s\"%s\":%lld", comma ? "," : "", quality_reason_str((enum quality_reason)i),
                       (long long)r->samples_by_reason[i]);
                comma = true;
        }
        printf("},\"columns\":%zu,\"columns_used\":%zu,\"points_without_column\":%zu,\"ambiguous_hour_rows\":%lld,"
               "\"blank_lines\":%lld,\"ended_without_newline\":%s,\"error\":",
               r->columns, r->columns_used, r->points_without_column, (long long)r->ambiguous_hours,
               (long long)r->blank_lines, r->ended_without_newline ? "true" : "false");
        if (error[0])
                cli_json_string(stdout, error);
        else
                printf("null");
        printf("}");
}

static int usage(const char *what)
{
        fprintf(stderr, "coolplane import: %s (see coolplane import --help)\n", what);
        return EXIT_USAGE_;
}

/* Map, zone, site and database; 0 or the exit code. */
static int prepare(struct import *im, struct logtime_zone *ret_zone)
{
        char err[256];
        if (import_map_load(im->map_path, stderr, &im->map) < 0)
                return EXIT_CONFIG;
        if (im->tz) {
                if (logtime_zone_parse(im->tz, ret_zone) < 0) {
                        fprintf(stderr, "coolplane import: unknown time zone '%s'\n", im->tz);
                        return EXIT_USAGE_;
                }
        } else if (im->map->has_zone) {
                *ret_zone = im->map->zone;
        } else {
                return usage("the map names no time.zone: give --tz, e.g. --tz America/Chicago or --tz UTC");
        }
        int code = cli_load_site(im->map->site_path, &im->site);
        if (code != EXIT_OK)
                return code;
        int r = store_open(im->db, STORE_WRITE, &im->store, err);
        if (r < 0) {
                fprintf(stderr, "%s\n", err);
                return db_exit(r);
        }
        r = store_bind_site(im->store, im->site);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", im->db, store_errmsg(im->store));
                return db_exit(r);
        }
        return 0;
}

static int import_all(struct import *im, const struct logtime_zone *zone, char **file, int nfile)
{
        struct import_args a = {.store = im->store,
                                .site = im->site,
                                .map = im->map,
                                .zone = *zone,
                                .on_bad = on_bad,
                                .on_progress = on_progress,
                                .ctx = im};
        struct clk clk;
        struct store_run run = {.mode = "import", .version = COOLPLANE_VERSION, .config_hash = im->site->hash};
        int64_t run_id = 0;
        int code = 0;
        clk_init(&clk, 1, -1, 0);
        run.t_ms = clk_t_ms(&clk);
        int r = store_begin_run(im->store, &run, &run_id);
        if (im->json)
                printf("{\"files\":[");
        for (int i = 0; r == 0 && i < nfile; i++) {
                struct import_report rep = {0};
                char err[256];
                im->told = 0;
                im->percent = -1;
                int e = import_file(&a, file[i], &rep, err);
                clear_progress(im);
                if (e < 0) {
                        fprintf(stderr, "%s\n", err);
                        code = e == -EBADMSG ? EXIT_DATA : e == -ENOENT ? EXIT_DATA : EXIT_IO;
                } else if (rep.rows > 0 && rep.ok + rep.duplicates == 0) {
                        code = EXIT_DATA;
                }
                if (im->told > BAD_ROWS_TOLD)
                        fprintf(stderr, "%s: … and %lld more bad row%s\n", file[i],
                                (long long)(im->told - BAD_ROWS_TOLD), PLURAL_S(im->told - BAD_ROWS_TOLD));
                if (im->json)
                        print_json(file[i], &rep, err, i == 0);
                else if (e == 0)
                        print_text(file[i], &rep);
        }
        if (im->json)
                printf("]}\n");
        if (r == 0)
                r = store_end_run(im->store, run_id, clk_t_ms(&clk), code == 0 ? "done" : "failed");
        if (r < 0)
                fprintf(stderr, "%s: %s\n", im->db, store_errmsg(im->store));
        return code ? code : db_exit(r);
}

int verb_import(int argc, char **argv)
{
        static const struct option options[] = {
            {"map", required_argument, NULL, 'm'}, {"db", required_argument, NULL, 'd'},
            {"tz", required_argument, NULL, 't'},  {"json", no_argument, NULL, 'j'},
            {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0}};
        struct import im = {.percent = -1};
        struct logtime_zone zone;
        int o;
        optind = 0;
        while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
                switch (o) {
                case 'm':
                        im.map_path = optarg;
                        break;
                case 'd':
                        im.db = optarg;
                        break;
                case 't':
                        im.tz = optarg;
                        break;
                case 'j':
                        im.json = true;
                        break;
                case 'h':
                        fputs(help, stdout);
                        return EXIT_OK;
                default:
                        return EXIT_USAGE_;
                }
        }
        if (optind == argc)
                return usage("no file given");
        if (!im.map_path || !im.db)
                return usage("--map and --db are needed");
        im.progress = !im.json && isatty(STDERR_FILENO);
        int code = prepare(&im, &zone);
        if (code == 0)
                code = import_all(&im, &zone, argv + optind, argc - optind);
        store_close(im.store);
        site_free(im.site);
        import_map_free(im.map);
        return code;
}
