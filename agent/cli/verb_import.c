/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane import: foreign logs into a database, every row accounted for. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/points/units.h"
#include "agent/store/import.h"

#define BAD_ROWS_TOLD 20 /* a file */
#define NAMES_TOLD 5

static const char help[] =
    "example:\n"
    "  coolplane import ahu.csv --map deploy/examples/ahu-mzvav/import.yaml --db ahu.db\n"
    "\n"
    "usage: coolplane import FILE… --map MAP.yaml --db DB [--tz ZONE] [--whole] [--add-points] [--json]\n"
    "\n"
    "Reads what buildings export: wide CSV (one column a point), long CSV (one row a reading), per-point histories\n"
    "(Niagara) and BACnet trend logs; UTF-8, UTF-16 or Latin-1. MAP.yaml says which and names the site and its points\n"
    "(deploy/import.md, agent/store/import_map.h). --tz wins over the map's zone: an IANA name (Europe/Berlin) or a\n"
    "fixed offset (+01:00, UTC).\n"
    "Per file: rows = ok + bad + duplicates + events; whatever was not kept is counted by reason, with the line of "
    "the\n"
    "first. Bad rows are named on stderr, the first 20 of a file, and the map's columns that the file does not have.\n"
    "Interrupted? The same command goes on.\n"
    "A last row without a line end is held back: a file that is being written may end in the middle of a number. It "
    "is\n"
    "imported when the file has grown, or with --whole.\n"
    "A good reading takes the place of a stored one that was not a number: after a wrong decimal mark, mend the map "
    "and\n"
    "import again. A database that holds points, but none of the map's site, is another site's: refused, or with\n"
    "--add-points both are kept in it.\n"
    "exit: 0 imported, 2 usage, 65 a file without a usable header, any good row or any number, or with a column most\n"
    "of whose cells are no number; or a database of another site, damaged, or none; 69 database busy,\n"
    "74 I/O, also a file that is not there, 78 map or site wrong. A new database into which nothing came is removed.\n";

struct import {
        const char *map_path, *db, *tz;
        bool json, progress, whole;
        int64_t told;
        int percent;
        struct import_map *map;
        struct site *site;
        struct store *store;
        FILE *units; /* JSON members of the file's conversions; NULL in text, where they are told at once */
        size_t nunit;
        struct names {
                struct text shown, json; /* the first five; all */
                size_t n;
        } names[IMPORT_NAME_COUNT_];
        struct text unreadable; /* JSON */
        size_t nunreadable;
        bool add_points, made; /* made: by this import */
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
        char shown[61];
        (void)snprintf(shown, sizeof shown, "%s", text);
        (void)text_printable(shown);
        fprintf(stderr, "%s:%lld: %s%s%s%s\n", path, (long long)line, import_bad_str(why), shown[0] ? ": '" : "", shown,
                shown[0] ? "'" : "");
}

/* A bar where the size is known, MiB where it is not (a pipe). */
static void on_progress(void *ctx, const char *path, int64_t bytes, int64_t total)
{
        static const char full[] = "####################", empty[] = "....................";
        struct import *im = ctx;
        int percent = total > 0 ? (int)(100 * bytes / total) : (int)(bytes >> 20);
        if (!im->progress || percent == im->percent)
                return;
        im->percent = percent;
        if (total > 0 && percent <= 100)
                fprintf(stderr, "\r\033[K%s [%.*s%.*s] %3d %%", path, percent / 5, full, 20 - percent / 5, empty,
                        percent);
        else
                fprintf(stderr, "\r\033[K%s %lld MiB", path, (long long)(bytes >> 20));
}

static void on_unit(void *ctx, const char *path, const char *column, const char *unit, const struct point *point)
{
        struct import *im = ctx;
        const char *to = unit_str((enum unit)point->unit);
        if (!im->units) {
                char shown[128];
                (void)snprintf(shown, sizeof shown, "%s", column);
                clear_progress(im);
                fprintf(stderr, "%s: '%s' is in %s (the point map says %s): converted\n", path, text_printable(shown),
                        unit, to);
                return;
        }
        fputs(im->nunit++ ? ",{\"column\":" : "{\"column\":", im->units);
        cli_json_string(im->units, column);
        fputs(",\"point\":", im->units);
        cli_json_string(im->units, point->name);
        fprintf(im->units, ",\"from\":\"%s\",\"to\":\"%s\"}", unit, to);
}

static void on_name(void *ctx, enum import_name what, const char *name)
{
        struct names *t = &((struct import *)ctx)->names[what];
        char shown[160];
        text_put(&t->json, t->n ? "," : "");
        text_json_string(&t->json, name);
        (void)snprintf(shown, sizeof shown, "%s'%s'", t->n ? ", " : "", name);
        if (t->n++ < NAMES_TOLD)
                text_put(&t->shown, text_printable(shown));
}

/* "'a', 'b' and 3 more" */
static void put_names(FILE *f, const struct names *t)
{
        fputs(t->shown.v ? t->shown.v : "", f);
        if (t->n > NAMES_TOLD)
                fprintf(f, " and %zu more", t->n - NAMES_TOLD);
}

/* In JSON they are listed at the end of the file. */
static void on_unreadable(void *ctx, const char *path, const struct import_unreadable *u)
{
        struct import *im = ctx;
        clear_progress(im);
        if (im->nunreadable++ < NAMES_TOLD)
                fprintf(stderr, "%s:%lld: %lld of %lld cells of %s are no number, this one the first\n", path,
                        (long long)u->line, (long long)u->unreadable, (long long)u->cells, u->point);
        text_put(&im->unreadable, im->unreadable.n ? "," : "");
        text_put(&im->unreadable, "{\"point\":");
        text_json_string(&im->unreadable, u->point);
        text_printf(&im->unreadable, ",\"cells\":%lld,\"unreadable\":%lld,\"first_line\":%lld}", (long long)u->cells,
                    (long long)u->unreadable, (long long)u->line);
}

static void warn_not_there(const struct import *im, const char *path, const struct import_report *r)
{
        const struct names *t = &im->names[IMPORT_NAME_NOT_THERE];
        const bool tags = im->map->shape == IMPORT_LONG;
        if (t->n == 0)
                return;
        fprintf(stderr, "%s", path);
        if (!tags)
                fprintf(stderr, ":%lld", (long long)r->header_line);
        fprintf(stderr, ": the map's %s%s ", tags ? "tag" : "column", PLURAL_S(t->n));
        put_names(stderr, t);
        fprintf(stderr, " %s %s\n", t->n == 1 ? "is" : "are", tags ? "in no row" : "not in the header");
}

/* 01/07 is told apart by the rows around it: not where they need several patterns, or none of them decides. */
static void warn_patterns(const struct import *im, const char *path, const struct import_report *r)
{
        size_t used = 0;
        int64_t rows = 0;
        for (size_t i = 0; i < im->map->nformat; i++) {
                used += r->pattern_rows[i] > 0;
                rows += r->pattern_rows[i];
        }
        if (r->several_patterns == 0 || (used == 1 && rows > r->several_patterns))
                return;
        fprintf(stderr, "%s:%lld: %lld row%s may be misread, this one the first: ", path,
                (long long)r->first.several_patterns, (long long)r->several_patterns, PLURAL_S(r->several_patterns));
        fprintf(stderr, used == 1 ? "every row fits several of the map's time patterns; taken as"
                                  : "the file needs several time patterns,");
        for (size_t i = 0, n = 0; i < im->map->nformat; i++)
                if (r->pattern_rows[i] > 0)
                        fprintf(stderr, "%s '%s' (first: line %lld)", n++ > 0 ? "," : "", im->map->format[i],
                                (long long)r->first.pattern[i]);
        fputs("\n", stderr);
}

static void json_patterns(const struct import_map *m, const struct import_report *r)
{
        bool comma = false;
        printf("\"time_patterns\":[");
        for (size_t i = 0; i < m->nformat; i++) {
                if (r->pattern_rows[i] == 0)
                        continue;
                printf("%s{\"pattern\":", comma ? "," : "");
                cli_json_string(stdout, m->format[i]);
                printf(",\"rows\":%lld,\"first_line\":%lld}", (long long)r->pattern_rows[i],
                       (long long)r->first.pattern[i]);
                comma = true;
        }
        printf("],");
}

static void print_names(const char *label, const struct names *t)
{
        if (t->n == 0)
                return;
        printf("    %-17s ", label);
        put_names(stdout, t);
        printf("\n");
}

static void json_names(const char *name, const struct names *t)
{
        printf("\"%s\":[%s],", name, t->json.v ? t->json.v : "");
}

/* " (first: line 5, 'Supply' of hall/a/supply: 'n/a')"; of those without a text of their own only what is known */
static void print_bad_samples(const struct import *im, const struct import_report *r)
{
        for (int i = 0; i < IMPORT_REASONS; i++) {
                struct import_cell c = r->first.cell[i];
                if (r->samples_by_reason[i] == 0)
                        continue;
                printf("    %-17s %lld (first: line %lld, ", quality_reason_str((enum quality_reason)i),
                       (long long)r->samples_by_reason[i], (long long)r->first.reason[i]);
                if (c.column[0])
                        printf("'%s' of ", text_printable(c.column));
                printf("%s", im->site->point[c.point].name);
                if (c.column[0])
                        printf(": '%s'", text_printable(c.text));
                printf(")\n");
        }
}

static void json_bad_samples(const struct import *im, const struct import_report *r)
{
        bool comma = false;
        printf("\"bad_samples_first\":{");
        for (int i = 0; i < IMPORT_REASONS; i++) {
                const struct import_cell *c = &r->first.cell[i];
                if (r->samples_by_reason[i] == 0)
                        continue;
                printf("%s\"%s\":{\"line\":%lld,\"point\":", comma ? "," : "",
                       quality_reason_str((enum quality_reason)i), (long long)r->first.reason[i]);
                cli_json_string(stdout, im->site->point[c->point].name);
                if (c->column[0]) {
                        printf(",\"column\":");
                        cli_json_string(stdout, c->column);
                        printf(",\"text\":");
                        cli_json_string(stdout, c->text);
                }
                printf("}");
                comma = true;
        }
        printf("},\"columns_unreadable\":[%s],", im->unreadable.v ? im->unreadable.v : "");
}

/* Of the parts of something only those that there are. */
static void print_part(const char *label, int64_t n, int64_t line)
{
        if (n > 0)
                printf("    %-17s %lld (first: line %lld)\n", label, (long long)n, (long long)line);
}

static void print_patterns(const struct import_map *m, const struct import_report *r)
{
        for (size_t i = 0; i < m->nformat && m->nformat > 1; i++)
                if (r->pattern_rows[i] > 0)
                        printf("    %-17s %lld (first: line %lld)\n", m->format[i], (long long)r->pattern_rows[i],
                               (long long)r->first.pattern[i]);
        print_part("fit several", r->several_patterns, r->first.several_patterns);
}

static void print_count(const char *label, int64_t n, int64_t line)
{
        printf("  %-18s%lld", label, (long long)n);
        if (n > 0)
                printf(" (first: line %lld)", (long long)line);
        printf("\n");
}

static void print_text(const struct import *im, const char *path, const struct import_report *r)
{
        char from[32], to[32];
        printf("%s\n", path);
        printf("  rows              %lld = %lld ok + %lld bad + %lld duplicate%s + %lld event%s\n", (long long)r->rows,
               (long long)r->ok, (long long)r->bad, (long long)r->duplicates, PLURAL_S(r->duplicates),
               (long long)r->events, PLURAL_S(r->events));
        for (int i = 0; i < IMPORT_BAD_COUNT_; i++)
                print_part(import_bad_str((enum import_bad)i), r->bad_by[i], r->first.bad[i]);
        print_part("duplicates", r->duplicates, r->first.duplicate);
        for (int i = 0; i < IMPORT_EVENT_COUNT_; i++)
                print_part(import_event_str((enum import_event)i), r->events_by[i], r->first.event[i]);
        if (r->resumed_rows > 0)
                printf("  resumed           after %lld rows of an import that was interrupted\n",
                       (long long)r->resumed_rows);
        print_count("out of order", r->out_of_order, r->first.out_of_order);
        print_count("gaps", r->gaps, r->first.gap);
        print_part("clock steps back", r->steps_back, r->first.step_back);
        print_part("repeated hour", r->ambiguous_hours, r->first.ambiguous);
        print_part("sequence gaps", r->sequence_gaps, r->first.sequence);
        if (r->sequence_lost > 0)
                printf("    %-17s %lld\n", "records lost", (long long)r->sequence_lost);
        if (r->ok + r->duplicates > 0)
                printf("  span              %s to %s\n", clk_format(r->first_t_ms, from), clk_format(r->last_t_ms, to));
        print_patterns(im->map, r);
        printf("  median interval   %g s\n", (double)r->median_interval_ms / 1000);
        printf("  samples           %lld new, %lld of them good\n", (long long)r->samples, (long long)r->samples_good);
        print_part("contradicting", r->samples_conflict, r->first.conflict);
        print_part("replaced", r->samples_replaced, r->first.replaced);
        print_bad_samples(im, r);
        print_part("unknown status", r->unknown_quality, r->first.unknown_quality);
        printf("  columns           %zu; %zu point%s used; %zu log point%s of the site without data\n", r->columns,
               r->columns_used, PLURAL_S(r->columns_used), r->points_without_column,
               PLURAL_S(r->points_without_column));
        print_names("not in the file", &im->names[IMPORT_NAME_NOT_THERE]);
        print_names("not used", &im->names[IMPORT_NAME_UNUSED]);
        print_names("without data", &im->names[IMPORT_NAME_NO_DATA]);
        printf("  encoding          %s%s\n", r->encoding, r->encoding_detected ? " (detected)" : "");
        if (r->undecodable > 0)
                printf("  undecodable       %lld character%s\n", (long long)r->undecodable, PLURAL_S(r->undecodable));
        if (r->preamble_lines > 0)
                printf("  preamble          %lld line%s before the header\n", (long long)r->preamble_lines,
                       PLURAL_S(r->preamble_lines));
        if (r->held_back_line > 0)
                printf("  held back         line %lld has no line end and may be cut: imported when the file has "
                       "grown, or "
                       "with --whole\n",
                       (long long)r->held_back_line);
}

/* "name":{"reason":n,…},"name_first_line":{…}: all reasons, or those that occurred. */
static void json_reasons(const char *name, const int64_t *n, const int64_t *line, int count, bool all,
                         const char *(*str)(int))
{
        for (int pass = 0; pass < 2; pass++) {
                bool comma = false;
                printf("\"%s%s\":{", name, pass ? "_first_line" : "");
                for (int i = 0; i < count; i++) {
                        if (n[i] == 0 && (pass || !all))
                                continue;
                        printf("%s\"%s\":%lld", comma ? "," : "", str(i), (long long)(pass ? line[i] : n[i]));
                        comma = true;
                }
                printf("},");
        }
}

static const char *bad_name(int i)
{
        return import_bad_str((enum import_bad)i);
}

static const char *event_name(int i)
{
        return import_event_str((enum import_event)i);
}

static const char *reason_name(int i)
{
        return quality_reason_str((enum quality_reason)i);
}

static void json_counts(const struct import_report *r)
{
        const struct {
                const char *name;
                int64_t n, line;
        } count[] = {{"duplicates", r->duplicates, r->first.duplicate},
                     {"out_of_order", r->out_of_order, r->first.out_of_order},
                     {"gaps", r->gaps, r->first.gap},
                     {"clock_steps_back", r->steps_back, r->first.step_back},
                     {"ambiguous_hour_rows", r->ambiguous_hours, r->first.ambiguous},
                     {"several_time_patterns", r->several_patterns, r->first.several_patterns},
                     {"unknown_status", r->unknown_quality, r->first.unknown_quality},
                     {"samples_contradicting", r->samples_conflict, r->first.conflict},
                     {"samples_replaced", r->samples_replaced, r->first.replaced},
                     {"sequence_gaps", r->sequence_gaps, r->first.sequence}};
        bool comma = false;
        for (size_t i = 0; i < sizeof count / sizeof count[0]; i++)
                printf("\"%s\":%lld,", count[i].name, (long long)count[i].n);
        printf("\"first_line\":{");
        for (size_t i = 0; i < sizeof count / sizeof count[0]; i++) {
                if (count[i].n == 0)
                        continue;
                printf("%s\"%s\":%lld", comma ? "," : "", count[i].name, (long long)count[i].line);
                comma = true;
        }
        printf("},");
}

static void print_json(const struct import *im, const char *path, const struct import_report *r, const char *units,
                       const char *error, bool comma)
{
        char from[32], to[32];
        printf("%s{\"file\":", comma ? ",\n" : "");
        cli_json_string(stdout, path);
        printf(",\"rows\":%lld,\"ok\":%lld,\"bad\":%lld,", (long long)r->rows, (long long)r->ok, (long long)r->bad);
        json_counts(r);
        printf("\"events\":%lld,", (long long)r->events);
        if (r->ok + r->duplicates > 0)
                printf("\"span\":[\"%s\",\"%s\"],", clk_format(r->first_t_ms, from), clk_format(r->last_t_ms, to));
        else
                printf("\"span\":null,");
        printf("\"median_interval_s\":%g,", (double)r->median_interval_ms / 1000);
        json_reasons("bad_by_reason", r->bad_by, r->first.bad, IMPORT_BAD_COUNT_, true, bad_name);
        json_reasons("events_by_kind", r->events_by, r->first.event, IMPORT_EVENT_COUNT_, false, event_name);
        printf("\"samples\":%lld,\"samples_good\":%lld,\"samples_duplicate\":%lld,", (long long)r->samples,
               (long long)r->samples_good, (long long)r->samples_duplicate);
        json_reasons("bad_samples_by_reason", r->samples_by_reason, r->first.reason, IMPORT_REASONS, false,
                     reason_name);
        json_bad_samples(im, r);
        printf("\"sequence_lost\":%lld,\"resumed_rows\":%lld,\"columns\":%zu,\"columns_used\":%zu,"
               "\"points_without_column\":%zu,\"units\":[%s],\"blank_lines\":%lld,\"preamble_lines\":%lld,",
               (long long)r->sequence_lost, (long long)r->resumed_rows, r->columns, r->columns_used,
               r->points_without_column, units, (long long)r->blank_lines, (long long)r->preamble_lines);
        json_patterns(im->map, r);
        json_names("map_columns_not_in_file", &im->names[IMPORT_NAME_NOT_THERE]);
        json_names("unused_columns", &im->names[IMPORT_NAME_UNUSED]);
        json_names("points_without_data", &im->names[IMPORT_NAME_NO_DATA]);
        printf("\"encoding\":\"%s\",\"encoding_detected\":%s,\"undecodable\":%lld,\"ended_without_newline\":%s,"
               "\"held_back_line\":%lld,\"error\":",
               r->encoding, r->encoding_detected ? "true" : "false", (long long)r->undecodable,
               r->ended_without_newline ? "true" : "false", (long long)r->held_back_line);
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

struct others {
        const struct site *site;
        size_t n, hits;
        char first[POINT_NAME_MAX];
};

static int look(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct others *o = ctx;
        (void)n;
        (void)name;
        if (o->n++ == 0)
                (void)snprintf(o->first, sizeof o->first, "%s", text[0] ? text[0] : "");
        o->hits += text[0] && site_find_point(o->site, text[0]) >= 0;
        return 0;
}

/* A mistaken --db would mix two sites in one log for good. */
static int check_site(const struct import *im)
{
        struct others o = {.site = im->site};
        int r = store_query_rows(im->store, "SELECT name FROM point ORDER BY id", NULL, 0, look, &o);
        if (r < 0)
                return db_failed("import", im->db, im->store, r);
        if (o.n == 0 || o.hits > 0)
                return EXIT_OK;
        fprintf(
            stderr,
            "coolplane import: %s is of another site: it holds %zu point%s (%s …) and none of the %zu of %s (%s …) in "
            "%s; nothing was imported (--add-points: all the same)\n",
            im->db, o.n, PLURAL_S(o.n), o.first, im->site->npoint, im->site->name,
            im->site->npoint > 0 ? im->site->point[0].name : "", im->map->site_path);
        return EXIT_DATA;
}

/* A database that this import made and nothing came into. The lock goes last: until then nobody else makes one. */
static void remove_made(const struct import *im)
{
        static const char *const end[] = {"", "-wal", "-shm", ".lock"};
        struct store_counts n;
        struct stat st;
        if (!im->made || !im->store || lstat(im->db, &st) < 0 || !S_ISREG(st.st_mode) ||
            store_counts(im->store, &n) < 0 || n.samples > 0)
                return;
        for (size_t i = 0; i < sizeof end / sizeof *end; i++) {
                struct text path = {0};
                text_printf(&path, "%s%s", im->db, end[i]);
                if (path.v)
                        (void)unlink(path.v);
                text_free(&path);
        }
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
        im->made = access(im->db, F_OK) < 0;
        int r = store_open(im->db, STORE_WRITE, &im->store, err);
        if (r < 0) {
                fprintf(stderr, "%s\n", err);
                return r == -ENOENT ? EXIT_IO : db_exit(r); /* no folder to make it in */
        }
        if (!im->add_points && (code = check_site(im)) != EXIT_OK)
                return code;
        r = store_bind_site(im->store, im->site);
        return r < 0 ? db_failed("import", im->db, im->store, r) : 0;
}

/* One file; 0 or the exit code. */
static int import_one(struct import *im, const struct import_args *a, const char *path, bool comma)
{
        struct import_report rep = {0};
        char err[256], *units = NULL;
        size_t nunits = 0;
        int code = 0;
        im->told = 0;
        im->percent = -1;
        im->nunit = 0;
        im->units = im->json ? open_memstream(&units, &nunits) : NULL;
        int e = import_file(a, path, &rep, err);
        clear_progress(im);
        if (e < 0) {
                char shown[sizeof err];
                (void)snprintf(shown, sizeof shown, "%s", err);
                fprintf(stderr, "%s\n", text_printable(shown));
                code = e == -EBADMSG ? EXIT_DATA : EXIT_IO;
        } else if (rep.ok + rep.duplicates == 0 || rep.columns_unreadable > 0) {
                code = EXIT_DATA;
        }
        if (e == 0 && rep.rows == 0 && rep.held_back_line == 0)
                fprintf(stderr, "%s:%lld: no row after the header\n", path, (long long)rep.header_line);
        if (e == 0 && rep.held_back_line > 0)
                fprintf(stderr,
                        "%s:%lld: warning: this last row has no line end and may be cut: not imported until the file "
                        "has grown, or with --whole\n",
                        path, (long long)rep.held_back_line);
        if (im->nunreadable > NAMES_TOLD)
                fprintf(stderr, "%s: … and of %zu more column%s\n", path, im->nunreadable - NAMES_TOLD,
                        PLURAL_S(im->nunreadable - NAMES_TOLD));
        if (im->nunreadable > 0)
                fprintf(
                    stderr,
                    "%s: decimal or missing of the map? What is no number is stored as bad; the same file read with "
                    "another map replaces it\n",
                    path);
        if (rep.samples_replaced > 0 && rep.samples_conflict > 0)
                fprintf(stderr, "%s: warning: %lld readings differ from numbers that are stored already, which stay\n",
                        path, (long long)rep.samples_conflict);
        warn_not_there(im, path, &rep);
        warn_patterns(im, path, &rep);
        if (im->told > BAD_ROWS_TOLD)
                fprintf(stderr, "%s: … and %lld more bad row%s\n", path, (long long)(im->told - BAD_ROWS_TOLD),
                        PLURAL_S(im->told - BAD_ROWS_TOLD));
        if (im->units)
                (void)fclose(im->units);
        im->units = NULL;
        if (im->json)
                print_json(im, path, &rep, units ? units : "", err, comma);
        else if (e == 0 || rep.rows > 0)
                print_text(im, path, &rep);
        free(units);
        text_free(&im->unreadable);
        im->unreadable = (struct text){0};
        im->nunreadable = 0;
        for (int i = 0; i < IMPORT_NAME_COUNT_; i++) {
                text_free(&im->names[i].shown);
                text_free(&im->names[i].json);
                im->names[i] = (struct names){0};
        }
        return code;
}

static int import_all(struct import *im, const struct logtime_zone *zone, char **file, int nfile)
{
        struct import_args a = {.store = im->store,
                                .site = im->site,
                                .map = im->map,
                                .zone = *zone,
                                .whole = im->whole,
                                .on_bad = on_bad,
                                .on_unit = on_unit,
                                .on_name = on_name,
                                .on_unreadable = on_unreadable,
                                .on_progress = on_progress,
                                .ctx = im};
        struct clk clk;
        struct store_run run = {.mode = "import", .version = COOLPLANE_VERSION, .config_hash = im->site->hash};
        int64_t run_id = 0;
        int code = 0;
        clk_init(&clk, 1, -1, 0);
        a.now_ms = run.t_ms = clk_t_ms(&clk);
        int r = store_begin_run(im->store, &run, &run_id);
        if (im->json)
                printf("{\"files\":[");
        for (int i = 0; r == 0 && i < nfile; i++) {
                int c = import_one(im, &a, file[i], i > 0);
                code = c ? c : code;
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
            {"whole", no_argument, NULL, 'w'},     {"add-points", no_argument, NULL, 'a'},
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
                case 'w':
                        im.whole = true;
                        break;
                case 'a':
                        im.add_points = true;
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
        if (code != 0)
                remove_made(&im);
        store_close(im.store);
        site_free(im.site);
        import_map_free(im.map);
        return code;
}
