/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Import maps. Oracles: failure leaves the output alone and says something, success says nothing and leaves a map whose
 * members hold what import.c relies on. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/points/units.h"
#include "agent/store/import_map.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct import_map *m)
{
        MUST(m->site_path[0] && strnlen(m->site_path, sizeof m->site_path) < sizeof m->site_path);
        MUST(m->delimiter != '\0' && strchr("\"\r\n. ", m->delimiter) == NULL);
        MUST(m->ntime_column >= 1 && m->ntime_column <= IMPORT_TIME_COLUMNS_MAX);
        MUST(m->nformat >= 1 && m->nformat <= IMPORT_FORMATS_MAX && m->nmissing <= IMPORT_MISSING_MAX);
        MUST(m->gap_ms >= 0 && m->ambiguous <= AMBIGUOUS_REJECT);
        for (size_t i = 0; i < m->nformat; i++) {
                struct logtime_text t;
                MUST(logtime_check_pattern(m->format[i]) == 0);
                (void)logtime_parse(m->format[i], "2026-01-31 23:59:59.5", &t);
        }
        MUST(m->shape <= IMPORT_HISTORY && (m->decimal == '.' || m->decimal == ',') && m->decimal != m->delimiter);
        MUST(m->encoding[0] && strnlen(m->encoding, sizeof m->encoding) < sizeof m->encoding);
        MUST(m->nword <= IMPORT_WORDS_MAX && m->nsummary <= IMPORT_MISSING_MAX && m->ngood <= IMPORT_MISSING_MAX &&
             m->nevent <= IMPORT_MISSING_MAX);
        for (size_t i = 0; i < m->nword; i++)
                MUST(isfinite(m->word[i].value) && memchr(m->word[i].text, 0, IMPORT_WORD_MAX));
        for (size_t i = 0; i < PART_COUNT_; i++)
                MUST(memchr(m->part[i], 0, IMPORT_NAME_MAX) && (m->shape != IMPORT_WIDE || !m->part[i][0]));
        MUST((m->shape == IMPORT_HISTORY) == (m->nfile > 0));
        for (size_t i = 0; i < m->nfile; i++) {
                MUST(m->file[i].ignore || m->file[i].point[0]);
                MUST(memchr(m->file[i].name, 0, IMPORT_NAME_MAX) && memchr(m->file[i].point, 0, POINT_NAME_MAX));
                MUST(m->file[i].unit >= -1 && m->file[i].unit < UNIT_COUNT_);
        }
        for (size_t i = 0; i < m->ncolumn; i++) {
                MUST(m->column[i].unit >= -1 && m->column[i].unit < UNIT_COUNT_);
                MUST(memchr(m->column[i].point, 0, POINT_NAME_MAX));
                MUST(strnlen(m->column[i].name, IMPORT_NAME_MAX) < IMPORT_NAME_MAX);
                for (size_t k = 0; k < i; k++)
                        MUST(strcmp(m->column[i].name, m->column[k].name) != 0);
        }
        if (m->has_zone)
                MUST(strnlen(m->zone.name, LOGTIME_ZONE_MAX) < LOGTIME_ZONE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct import_map sentinel, *m = &sentinel;
        char *text = NULL;
        size_t n = 0;
        FILE *err = open_memstream(&text, &n);
        MUST(err);
        int r = import_map_load(fuzz_file("import.yaml", data, size), err, &m);
        MUST(fclose(err) == 0);
        free(text);
        MUST((r == 0) == (n == 0));
        if (r < 0) {
                MUST(m == &sentinel && r == -EINVAL);
                return 0;
        }
        check(m);
        import_map_free(m);
        return 0;
}
