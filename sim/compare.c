/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim compare: controllers over the same weather and load, in process and in virtual time. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/base/outfile.h"
#include "sim/compare.h"
#include "sim/compare_options.h"
#include "sim/compare_resume.h"
#include "sim/serve.h"

#define SEASONS COMPARE_SEASONS
#define TRACE_SAMPLES 288 /* a day at five minutes */

struct campaign {
        const struct compare_options *o;
        struct compare_report report;
        struct yard_result *result; /* [SEASONS][ncontroller × nseed] of the weather under way */
        const char *command;        /* line that started it */
        struct resume *resume;      /* NULL: none */
        bool progress;
};

static void weather_label(const char *path, char *ret, size_t size)
{
        const char *base = path == NULL ? "synthetic" : strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

        const char *dot = strrchr(base, '.');

        (void)snprintf(ret, size, "%.*s", (int)(dot != NULL ? (size_t)(dot - base) : strlen(base)), base);
}

static int new_cell(struct campaign *c, const char *weather, const char *season, int64_t start_ms, bool traced,
                    struct compare_cell **ret)
{
        const size_t n = c->o->ncontroller;
        struct compare_cell *cell = &c->report.cell[c->report.ncell++];

        *cell = (struct compare_cell){.season = season, .start_ms = start_ms, .nrow = n};
        weather_label(weather, cell->weather, sizeof(cell->weather));
        cell->row = calloc(n, sizeof(*cell->row));
        cell->trace = traced ? calloc(n, sizeof(*cell->trace)) : NULL;
        for (size_t i = 0; cell->trace != NULL && i < n; i++) {
                cell->trace[i].cap = TRACE_SAMPLES;
                cell->trace[i].sample = calloc(TRACE_SAMPLES, sizeof(*cell->trace[i].sample));
                if (cell->trace[i].sample == NULL)
                        return -ENOMEM;
        }
        *ret = cell;
        return cell->row != NULL && (cell->trace != NULL || !traced) ? 0 : -ENOMEM;
}

static int write_file(const char *path, const struct text *t)
{
        const int r = text_save(t, path);

        if (r < 0)
                fprintf(stderr, "coolplane-sim compare: %s: %s\n", path, strerror(-r));
        return r == 0 ? EXIT_OK : EXIT_IO;
}

static int print(struct text *t)
{
        const bool ok = !t->failed && fwrite(t->v, 1, t->n, stdout) == t->n && fflush(stdout) == 0;

        text_free(t);
        return ok ? EXIT_OK : EXIT_IO;
}

/* A campaign may take hours: what is known is shown at once. */
static int finish_cell(const struct campaign *c, struct compare_cell *cell, const struct yard_result *result)
{
        const size_t nseed = (size_t)c->o->nseed;
        struct text table = {0}, page = {0};
        int code = EXIT_OK;

        for (size_t i = 0; i < cell->nrow; i++)
                compare_aggregate(c->o->controller[i], &result[i * nseed], nseed, &cell->row[i]);
        compare_judge(cell->row, cell->nrow, result, nseed);
        if (c->progress)
                fprintf(stderr, "\r%60s\r", "");
        if (!c->o->json) {
                text_put(&table, cell == c->report.cell ? "" : "\n");
                compare_table(&c->report, cell, &table);
                code = print(&table);
        }
        if (code == EXIT_OK && c->o->html != NULL) {
                compare_html(&c->report, c->command, &page);
                code = page.failed ? EXIT_GENERIC : write_file(c->o->html, &page);
                text_free(&page);
        }
        return code;
}

static void log_prefix(const struct compare_options *o, const char *weather, const char *season, char *ret, size_t size)
{
        const bool several = o->nweather > 1 || o->season[0] + o->season[1] + o->season[2] + o->season[3] > 1;

        (void)snprintf(ret, size, several ? "%s/%s-%s-" : "%s/", o->log, weather, season);
}

/* No run may find a database: an agent would learn from what is there. Looked at before the first begins. */
static int check_logs(const struct compare_options *o)
{
        char prefix[512], path[600], weather[64];
        int64_t start_ms;

        for (size_t i = 0; o->log != NULL && i < o->nweather * SEASONS * o->ncontroller * (size_t)o->nseed; i++) {
                const size_t c = i / (size_t)o->nseed, cell = c / o->ncontroller;
                struct yard_setup s = {.log = prefix, .seed = o->seed + i % (size_t)o->nseed};

                if (!compare_cell_start(o, cell % SEASONS, &start_ms))
                        continue;
                weather_label(o->weather[cell / SEASONS], weather, sizeof(weather));
                log_prefix(o, weather, o->start_ms != INT64_MIN ? "" : compare_season[cell % SEASONS], prefix,
                           sizeof(prefix));
                yard_log_path(&s, o->controller[c % o->ncontroller], path, sizeof(path));
                if (access(path, F_OK) == 0) {
                        fprintf(stderr, "coolplane-sim compare: %s exists; a run is kept in a new database\n", path);
                        return EXIT_IO;
                }
        }
        return EXIT_OK;
}

struct ended {
        const struct campaign *c;
        const struct compare_cell *cell;
        const char *weather; /* its identity */
};

static struct resume_key key_of(const struct ended *e, const struct compare_job *j)
{
        return (struct resume_key){
            .controller = j->controller->name, .weather = e->weather, .season = e->cell->season, .seed = j->setup.seed};
}

/* The page goes nowhere but into the place of another one. */
static int check_page(const struct compare_options *o)
{
        char why[512];

        if (o->html == NULL || outfile_may(&(struct outfile){.path = o->html,
                                                             .what = "a page of coolplane-sim compare",
                                                             .begins = "<!doctype html>",
                                                             .holds = "<title>coolplane yardstick</title>"},
                                           why))
                return EXIT_OK;
        fprintf(stderr, "coolplane-sim compare: %s\n", why);
        return EXIT_IO;
}

static int on_ended(void *ctx, const struct compare_job *j)
{
        const struct ended *e = ctx;
        const struct resume_key key = key_of(e, j);

        return e->c->resume != NULL ? resume_add(e->c->resume, &key, j->result, j->trace) : EXIT_OK;
}

static int run_cell(const struct campaign *c, struct compare_cell *cell, const char *weather,
                    struct yard_result *result)
{
        const struct compare_options *o = c->o;
        const size_t n = o->ncontroller * (size_t)o->nseed;
        struct compare_job *job = calloc(n, sizeof(*job));
        struct yard_fault fault[FAULT_MAX];
        struct text identity = {0};
        char log[512], label[128];
        size_t njob = 0;
        int code;
        struct yard_setup s = {.world = o->world,
                               .start_ms = cell->start_ms,
                               .hours = o->hours,
                               .warmup_h = o->warmup_h,
                               .fault = fault,
                               .nfault = o->nfault,
                               .log = o->log != NULL ? log : NULL};

        if (job == NULL)
                return EXIT_GENERIC;
        s.world.weather = weather;
        (void)compare_faults(o, cell->start_ms, fault);
        if (o->log != NULL)
                log_prefix(o, cell->weather, cell->season, log, sizeof(log));
        resume_identity(weather, cell->weather, &identity);
        struct ended ended = {.c = c, .cell = cell, .weather = identity.v != NULL ? identity.v : ""};

        for (size_t i = 0; i < n; i++) {
                const size_t seed = i % (size_t)o->nseed;
                struct compare_job *j = &job[njob];

                s.seed = o->seed + seed;
                *j = (struct compare_job){.setup = s,
                                          .controller = o->controller[i / (size_t)o->nseed],
                                          .trace = seed == 0 ? &cell->trace[i / (size_t)o->nseed] : NULL,
                                          .result = &result[i]};
                const struct resume_key key = key_of(&ended, j);

                njob += c->resume == NULL || !resume_find(c->resume, &key, j->result, j->trace);
        }
        (void)snprintf(label, sizeof(label), "%s %s", cell->weather, cell->season);
        code = compare_run(job, njob, (size_t)o->jobs, c->progress ? label : NULL, on_ended, &ended);
        free(job);
        text_free(&identity);
        if (code != EXIT_OK)
                return code;
        return finish_cell(c, cell, result);
}

/* The sum of the seasons, seed by seed, is a cell of its own: its interval is over whole seeds. */
static int sum_cell(struct campaign *c, const char *weather, size_t nseason)
{
        const size_t n = c->o->ncontroller * (size_t)c->o->nseed;
        struct yard_result *sum = calloc(n, sizeof(*sum)), season[SEASONS];
        struct compare_cell *cell;
        int code;

        if (sum == NULL || new_cell(c, weather, "all", INT64_MIN, false, &cell) < 0) {
                free(sum);
                return EXIT_GENERIC;
        }
        for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < nseason; k++)
                        season[k] = c->result[k * n + i];
                compare_sum(season, nseason, &sum[i]);
        }
        code = finish_cell(c, cell, sum);
        free(sum);
        return code;
}

static int run_weather(struct campaign *c, const char *weather)
{
        const struct compare_options *o = c->o;
        const size_t n = o->ncontroller * (size_t)o->nseed;
        struct compare_cell *cell;
        size_t done = 0;

        for (size_t k = 0; k < SEASONS; k++) {
                int64_t start_ms;
                int code;

                if (!compare_cell_start(o, k, &start_ms))
                        continue;
                if (new_cell(c, weather, o->start_ms != INT64_MIN ? "" : compare_season[k], start_ms, true, &cell) < 0)
                        return EXIT_GENERIC;
                code = run_cell(c, cell, weather, &c->result[done++ * n]);
                if (code != EXIT_OK)
                        return code;
        }
        return done > 1 ? sum_cell(c, weather, done) : EXIT_OK;
}

int verb_compare(int argc, char **argv)
{
        struct compare_options o;
        struct campaign c = {.o = &o};
        struct text command = {0}, depends = {0};
        struct plant_spec spec;
        int code;

        code = compare_parse(argc, argv, &o);
        if (code >= 0)
                return code;
        assert(o.ncontroller > 0 && o.nweather > 0 && o.nseed > 0);
        if (!o.seed)
                o.seed = plant_spec_named(o.world.site, &spec) == 0 ? spec.seed : 1;
        c.report = (struct compare_report){
            .site = o.world.site, .hours = o.hours, .warmup_h = o.warmup_h, .seed = o.seed, .nseed = (size_t)o.nseed};
        text_put(&command, "coolplane-sim");
        for (int i = 0; i < argc; i++)
                text_printf(&command, " %s", argv[i]);
        c.command = command.v != NULL ? command.v : "";
        c.progress = !o.json && isatty(STDERR_FILENO);
        c.report.cell = calloc(o.nweather * (SEASONS + 1), sizeof(*c.report.cell));
        c.result = calloc(SEASONS * o.ncontroller * (size_t)o.nseed, sizeof(*c.result));
        code = c.report.cell != NULL && c.result != NULL ? check_logs(&o) : EXIT_GENERIC;
        if (code == EXIT_OK)
                code = check_page(&o);
        if (code == EXIT_OK && o.resume != NULL) {
                resume_options(&o, &depends);
                code = depends.failed ? EXIT_GENERIC : resume_open(o.resume, depends.v, &c.resume);
        }
        for (size_t i = 0; code == EXIT_OK && i < o.nweather; i++)
                code = run_weather(&c, o.weather[i]);
        if (code == EXIT_OK && o.json) {
                struct text t = {0};

                compare_json(&c.report, &t);
                code = print(&t);
        }
        (void)resume_close(c.resume);
        text_free(&depends);
        text_free(&command);
        for (size_t i = 0; c.report.cell != NULL && i < c.report.ncell; i++) {
                for (size_t k = 0; c.report.cell[i].trace != NULL && k < c.report.cell[i].nrow; k++)
                        free(c.report.cell[i].trace[k].sample);
                free(c.report.cell[i].trace);
                free(c.report.cell[i].row);
        }
        free(c.report.cell);
        free(c.result);
        return code;
}
