/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Foreign logs of every shape: the first byte chooses the map, the rest is the file. Oracles: every row is ok, bad, a
 * duplicate or an event, each part sums up, what is counted has a line and what is not has none; the database holds
 * what the report says; importing again changes nothing; and the decoded text does not depend on how the bytes are cut.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/points/units.h"
#include "agent/store/import.h"
#include "agent/store/transcode.h"
#include "tests/fuzz/fuzz.h"

static const char *const maps[] = {
    "site: s\ntime: { column: time, format: [\"%m/%d/%Y %H:%M\", \"%Y-%m-%dT%H:%M:%S%z\", \"%s\"], zone: UTC }\n"
    "missing: [\"\", \"***\"]\nwords: { On: 1 }\ncolumns: { supply: { zero_is_missing: true } }\n",
    "site: s\nshape: long\ntime: { column: DateTime, format: [\"%Y-%m-%d %H:%M:%S\", \"%s\"], zone: UTC }\n"
    "columns: { A: { point: t/room/return, unit: degF }, B: { ignore: true }, C: nowhere, D: { point: supply } }\n",
    "site: s\nshape: history\ntime: { column: Timestamp, format: [\"%d-%b-%y %I:%M:%S %p %Z\", \"%s\"], zone: "
    "\"-05:00\" }\n"
    "event: Record Type\nfiles: { \"l*.csv\": inlet }\ngap: 10m\n",
    "site: s\ndelimiter: \";\"\ndecimal: \",\"\ntime: { column: [Date, Time], format: \"%d.%m.%Y %H:%M\", zone: UTC "
    "}\n",
    "site: s\nshape: long\ndelimiter: tab\nencoding: latin-1\nquality: Q\nsequence: N\n"
    "time: { column: DateTime, format: \"%Q\", zone: UTC }\ngood: [\"1\"]\nevents: [restart]\nsummary: [End]\n",
    "site: s\nencoding: utf-16le\ntime: { column: time, format: \"%s\", zone: UTC }\n",
};

static struct import_map *loaded[sizeof maps / sizeof maps[0]];

static void make_site(struct site *site, struct point point[4])
{
        static const char *const name[] = {"t/room/inlet", "t/room/power", "t/room/supply", "t/room/return"};
        static const int unit[] = {UNIT_DEGC, UNIT_KW, UNIT_DEGF, UNIT_DEGC};
        memset(point, 0, 4 * sizeof *point);
        for (size_t i = 0; i < 4; i++) {
                struct point *p = &point[i];
                MUST(snprintf(p->name, sizeof p->name, "%s", name[i]) > 0);
                MUST(snprintf(p->key, sizeof p->key, "%s", name[i] + 7) > 0);
                p->table = i < 3 ? POINT_TABLE_LOG : POINT_TABLE_INPUT;
                p->type = i < 3 ? POINT_FLOAT64 : POINT_INT16;
                p->device = p->equipment = p->zone = -1;
                p->unit = unit[i];
                p->scale = i < 3 ? 1 : 0.1;
                p->valid_min = p->valid_max = p->min = p->max = (double)NAN;
        }
        point[0].valid_max = 60;
        *site = (struct site){.point = point, .npoint = 4, .fast_step_ms = 30000};
        MUST(snprintf(site->name, sizeof site->name, "t") > 0);
}

static void check_first(const int64_t *n, const int64_t *line, size_t count, int64_t sum)
{
        int64_t total = 0;
        for (size_t i = 0; i < count; i++) {
                MUST(n[i] >= 0 && (n[i] > 0) == (line[i] > 0));
                total += n[i];
        }
        MUST(total == sum);
}

static void check(const struct import_report *r)
{
        MUST(r->rows == r->ok + r->bad + r->duplicates + r->events);
        check_first(r->bad_by, r->first.bad, IMPORT_BAD_COUNT_, r->bad);
        check_first(r->events_by, r->first.event, IMPORT_EVENT_COUNT_, r->events);
        check_first(r->samples_by_reason, r->first.reason, IMPORT_REASONS, r->samples - r->samples_good);
        const int64_t n[] = {r->duplicates, r->samples_conflict, r->out_of_order,    r->gaps,
                             r->steps_back, r->ambiguous_hours,  r->unknown_quality, r->sequence_gaps};
        const int64_t line[] = {r->first.duplicate, r->first.conflict,  r->first.out_of_order,    r->first.gap,
                                r->first.step_back, r->first.ambiguous, r->first.unknown_quality, r->first.sequence};
        for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
                MUST(n[i] >= 0 && (n[i] > 0) == (line[i] > 0));
        MUST(r->samples_conflict <= r->samples_duplicate && r->sequence_lost >= r->sequence_gaps);
        MUST(r->out_of_order <= r->ok && r->median_interval_ms >= 0 && r->resumed_rows == 0);
        MUST(r->ok + r->duplicates == 0 || r->first_t_ms <= r->last_t_ms);
        MUST(r->points_without_column <= 3);
}

static void import_twice(const struct import_map *map, const char *path)
{
        static struct site site;
        static struct point point[4];
        static struct store *s; /* opening one takes longer than all the rest */
        struct import_report one = {0}, two = {0};
        struct store_counts n;
        struct store_purged gone;
        char err[256];
        if (!s) {
                make_site(&site, point);
                MUST(store_open(NULL, STORE_WRITE, &s, err) == 0 && store_bind_site(s, &site) == 0);
        }
        static const struct store_keep everything = {
            .samples_ms = INT64_MAX, .floor_ms = INT64_MAX, .max_bytes = INT64_MAX, .records_ms = INT64_MIN};
        struct import_args a = {.store = s, .site = &site, .map = map, .zone = map->zone, .whole = map->hash % 2 == 1};
        int r = import_file(&a, path, &one, err);
        MUST(r == 0 || r == -EBADMSG);
        MUST((r == 0) == (err[0] == '\0'));
        check(&one);
        MUST(store_counts(s, &n) == 0 && n.samples == one.samples && n.good == one.samples_good);
        MUST(import_file(&a, path, &two, err) == r);
        check(&two);
        MUST(two.rows == one.rows && two.bad == one.bad && two.events == one.events && two.ok == 0 && two.samples == 0);
        MUST(two.gaps == one.gaps && two.steps_back == one.steps_back && two.undecodable == one.undecodable);
        do
                MUST(store_purge(s, &everything, &gone) == 0);
        while (gone.more);
        MUST(store_counts(s, &n) == 0 && n.samples == 0);
}

struct text {
        uint64_t hash;
        size_t n;
};

static int add(void *ctx, const char *text, size_t n)
{
        struct text *t = ctx;
        MUST(n > 0);
        for (size_t i = 0; i < n; i++)
                t->hash = (t->hash ^ (uint8_t)text[i]) * 1099511628211ULL;
        t->n += n;
        return 0;
}

static struct text decode(const char *encoding, const uint8_t *data, size_t size, size_t piece, int64_t *ret_bad)
{
        struct text out = {.hash = 14695981039346656037ULL};
        struct transcode *t = NULL;
        MUST(transcode_create(encoding, add, &out, &t) == 0);
        for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;
                char *part = (char *)fuzz_copy(data + at, n);
                MUST(transcode_feed(t, part, n) == 0);
                free(part);
        }
        MUST(transcode_finish(t) == 0);
        *ret_bad = transcode_undecodable(t);
        transcode_free(t);
        return out;
}

static void cut_differently(const char *encoding, const uint8_t *data, size_t size)
{
        int64_t bad = 0, bad_cut = 0;
        struct text whole = decode(encoding, data, size, size + 1, &bad);
        for (size_t piece = 1; piece < 8; piece += 4) {
                struct text cut = decode(encoding, data, size, piece, &bad_cut);
                MUST(cut.hash == whole.hash && cut.n == whole.n && bad_cut == bad);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        size_t which = data[0] % (sizeof maps / sizeof maps[0]);
        if (!loaded[which])
                MUST(import_map_load(fuzz_file("map.yaml", maps[which], strlen(maps[which])), stderr, &loaded[which]) ==
                     0);
        static const char *const encoding[] = {"auto", "utf-8", "utf-16be", "latin-1", "utf-16le"};
        static struct transcode *open[sizeof encoding / sizeof encoding[0]]; /* keeps iconv's modules loaded */
        for (size_t e = 0; e < sizeof encoding / sizeof encoding[0]; e++)
                if (!open[e])
                        MUST(transcode_create(encoding[e], add, NULL, &open[e]) == 0);
        cut_differently(encoding[data[0] / 8 % (sizeof encoding / sizeof encoding[0])], data + 1, size - 1);
        import_twice(loaded[which], fuzz_file("log.csv", data + 1, size - 1));
        return 0;
}
