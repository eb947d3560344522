/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/outfile.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/log_print.h"
#include "agent/cli/log_site.h"
#include "agent/cli/stray.h"
#include "agent/planner/plant.h"
#include "agent/planner/train.h"
#include "agent/points/site.h"

#define HOLD_STEPS 2

static const char help[] =
    "coolplane train --db coolplane.db --out coolplane.model\n"
    "coolplane train --db log.db --config site.yaml --out ahu.model --split 0.7 --json\n"
    "\n"
    "Identifies the thermal model from stored history: fitted on the first part, judged on the rest in time order.\n"
    "\n"
    "  --db DB           telemetry database (read only)\n"
    "  --out MODEL       model file to write; only a model file is written over\n"
    "  --config FILE     site file; default: the one the database's last run used\n"
    "  --split R         share of the usable steps to fit, 0 < R < 1 (0.7)\n"
    "  --lags N          lags of outputs and inputs, 1 to 20 (5)\n"
    "  --from, --to T    RFC 3339 with offset, or epoch ms; default: everything, without a few samples far from all\n"
    "                    others (a wrong clock), which are told\n"
    "  --refit           after judging, learn the rest too; the errors stay those of the first part\n"
    "  --json            one JSON document\n"
    "exit: 0 trained, 1 set-up failed, 2 usage, 4 too little in the log for this site, 65 not a database, or one of "
    "another\n"
    "site or damaged, 69 no such database, or busy, 74 I/O, 78 site wrong\n";

struct options {
        const char *db, *out, *config;
        int64_t from_ms, to_ms;
        struct train_args args;
        struct store_stray stray[STORE_ROWS];
        bool json;
};

static int parse_options(int argc, char **argv, struct options *o)
{
        static const struct option longopts[] = {
            {"db", required_argument, NULL, 'd'},
            {"out", required_argument, NULL, 'o'},
            {"config", required_argument, NULL, 'c'},
            {"split", required_argument, NULL, 's'},
            {"lags", required_argument, NULL, 'l'},
            {"from", required_argument, NULL, 'f'},
            {"to", required_argument, NULL, 't'},
            {"refit", no_argument, NULL, 'r'},
            {"json", no_argument, NULL, 'j'},
            {"help", no_argument, NULL, 'h'},
            {NULL, 0, NULL, 0},
        };
        *o = (struct options){.from_ms = INT64_MIN, .to_ms = INT64_MAX};
        train_args_default(&o->args);
        int c;
        int64_t lags = 5;
        optind = 1;
        while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                const char *takes = "";
                int r = 0;
                switch (c) {
                case 'd':
                        o->db = optarg;
                        break;
                case 'o':
                        o->out = optarg;
                        break;
                case 'c':
                        o->config = optarg;
                        break;
                case 's':
                        takes = "--split takes a share, 0 < R < 1";
                        r = parse_double(optarg, &o->args.split);
                        if (!(o->args.split > 0.0 && o->args.split < 1.0))
                                r = -ERANGE;
                        break;
                case 'l':
                        takes = "--lags takes a whole number from 1 to 20";
                        r = parse_int64(optarg, 1, 20, &lags);
                        break;
                case 'f':
                        takes = "--from takes RFC 3339 with offset, or epoch ms";
                        r = clk_parse_time(optarg, &o->from_ms);
                        break;
                case 't':
                        takes = "--to takes RFC 3339 with offset, or epoch ms";
                        r = clk_parse_time(optarg, &o->to_ms);
                        break;
                case 'r':
                        o->args.refit = true;
                        break;
                case 'j':
                        o->json = true;
                        break;
                case 'h':
                        fputs(help, stdout);
                        exit(EXIT_OK);
                default:
                        return EXIT_USAGE_;
                }
                if (r < 0) {
                        fprintf(stderr, "coolplane train: %s, not '%s'; see --help\n", takes, optarg);
                        return EXIT_USAGE_;
                }
        }
        o->args.lags = (unsigned)lags;
        if (o->from_ms >= o->to_ms) {
                fputs("coolplane train: --from is not before --to; see --help\n", stderr);
                return EXIT_USAGE_;
        }
        if (optind < argc || !o->db || !o->out) {
                fputs("coolplane train: --db and --out are needed; see --help\n", stderr);
                return EXIT_USAGE_;
        }
        return EXIT_OK;
}

static void show_progress(void *ctx, size_t done, size_t total)
{
        int *shown = ctx;
        int percent = total ? (int)(100 * done / total) : 100;
        if (percent == *shown)
                return;
        *shown = percent;
        fprintf(stderr, "\rtraining %3d %%", percent);
}

static void print_kind(const char *name, const char *unit, const struct train_kind *k)
{
        if (!k->outputs)
                return;
        printf("%-8s %4zu/%zu", name, k->fitted, k->outputs);
        for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                const struct train_error *e = &k->h[h];
                if (!e->n)
                        printf("   %35s", "no data");
                else
                        printf("   %8.4f %8.4f %8.4f %8.4f", e->held, e->planned, e->known, e->persistence);
        }
        printf("  %s\n", unit);
}

static void print_report(const struct options *o, const struct train_report *r, const struct train_file *f)
{
        char from[32], split[32], to[32];
        printf("fitted on    %s … %s (%zu row%s, %zu pair%s)\n", clk_format(r->from_ms, from),
               clk_format(r->split_ms, split), r->rows_fit, PLURAL_S(r->rows_fit), r->pairs, PLURAL_S(r->pairs));
        printf("judged on    %s … %s (%zu row%s), free runs from measured values\n", split, clk_format(r->to_ms, to),
               r->rows - r->rows_fit, PLURAL_S(r->rows - r->rows_fit));
        printf("RMSE of the model with inputs held, with the inputs that came, with the loads that came too, and of "
               "persistence:\n");
        printf("%-8s %9s", "", "fitted");
        static const char *const horizon[TRAIN_HORIZONS] = {"one step", "5 min", "15 min"};
        for (size_t h = 0; h < TRAIN_HORIZONS; h++)
                printf("   %35s", horizon[h]);
        printf("\n%-8s %9s", "", "");
        for (size_t h = 0; h < TRAIN_HORIZONS; h++)
                printf("   %8s %8s %8s %8s", "held", "inputs", "came", "persist");
        printf("\n");
        print_kind("inlet", "K", &r->kind[Y_INLET]);
        print_kind("supply", "K", &r->kind[Y_SAT]);
        print_kind("valve", "ratio", &r->kind[Y_VALVE]);
        if (f->energy) {
                struct energy_info info;
                energy_info(f->energy, &info);
                if (isfinite(info.cv_rmse_ratio))
                        printf("energy   %zu slow step%s, last 30 %%: CV(RMSE) %.2f %%, NMBE %+.2f %%\n", info.samples,
                               PLURAL_S(info.samples), 100.0 * info.cv_rmse_ratio, 100.0 * info.nmbe_ratio);
                else
                        printf("energy   %zu slow step%s: too few to judge\n", info.samples, PLURAL_S(info.samples));
        } else {
                printf("energy   no metered power\n");
        }
        if (r->refitted)
                printf("The file holds the model refitted on everything; the errors above are of the first part's.\n");
        printf("model        %s, hash %016llx\n", o->out, (unsigned long long)arx_hash(f->model->arx));
}

/* The stored report plus what names the file. */
static void print_json(const struct options *o, const struct train_file *f)
{
        printf("%.*s,\"model\":", (int)strlen(f->report_json) - 1, f->report_json);
        cli_json_string(stdout, o->out);
        printf(",\"hash\":\"%016llx\",\"left_out\":", (unsigned long long)arx_hash(f->model->arx));
        stray_print_json(o->stray);
        printf("}\n");
}

/* Energy model of the same stretch; NULL when nothing is metered. 0 or -Exxx. */
static int fit_energy(struct store *s, const struct site *site, const struct layout *l, const struct dataset *ds,
                      struct train_file *f)
{
        double capacity = plant_capacity_w(site);
        size_t n = 0;
        f->energy_mem = aligned_alloc(16, energy_memsize());
        if (!f->energy_mem)
                return -ENOMEM;
        int r = energy_create(f->energy_mem, energy_memsize(), site->seed, capacity, &f->energy);
        if (r == 0)
                r = train_energy(s, l, ds, f->energy, &n);
        if (r < 0)
                return r;
        f->capacity_w = capacity;
        if (energy_fit(f->energy) == 0) {
                free(f->energy_mem);
                f->energy_mem = NULL;
                f->energy = NULL;
        }
        return 0;
}

static char *report_text(const struct train_report *r, const struct energy *e)
{
        char *text = NULL;
        size_t len = 0;
        FILE *m = open_memstream(&text, &len);
        if (!m)
                return NULL;
        train_report_json(m, r, e);
        if (fclose(m) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int train(struct store *s, const struct site *site, struct options *o)
{
        struct layout *l = NULL;
        struct dataset *ds = NULL;
        struct train_file *f = calloc(1, sizeof *f);
        uint8_t *running = NULL;
        struct train_report report;
        struct log_print print;
        int shown = -1, exit_code = EXIT_GENERIC, r = f ? layout_create(site, &l) : -ENOMEM;
        if (r == 0)
                r = store_true_span(s, STORE_SAMPLES, &o->from_ms, &o->to_ms, &o->stray[STORE_SAMPLES]);
        if (r == 0)
                stray_tell("train", o->db, &o->stray[STORE_SAMPLES]);
        if (r == 0)
                r = dataset_load(s, l, o->from_ms, o->to_ms, HOLD_STEPS, &ds);
        if (r == 0) {
                running = malloc(ds->n * ds->ny + 1);
                r = running ? train_running(s, l, ds, running) : -ENOMEM;
        }
        if (r < 0)
                goto out;
        o->args.running = running;
        if (!o->json && isatty(STDERR_FILENO)) {
                o->args.progress = show_progress;
                o->args.ctx = &shown;
        }
        r = train_arx(ds, l, &o->args, &f->model, &report);
        if (shown >= 0)
                fputs("\r              \r", stderr);
        if (r == -ENODATA) {
                fprintf(stderr, "coolplane train: %s holds too little for this site: %zu row%s, %zu usable pair%s\n",
                        o->db, report.rows, PLURAL_S(report.rows), report.pairs, PLURAL_S(report.pairs));
                exit_code = EXIT_CANNOT_EVALUATE;
                goto out_quiet;
        }
        if (r == 0)
                r = fit_energy(s, site, l, ds, f);
        if (r < 0)
                goto out;
        f->na = f->nb = f->model->structure->lag_max;
        f->step_ms = site->fast_step_ms;
        f->from_ms = report.from_ms;
        f->to_ms = o->args.refit ? report.to_ms : report.split_ms;
        r = log_print_make(s, site, f->from_ms, f->to_ms, &print);
        if (r < 0)
                goto out;
        f->told = true;
        f->refit = o->args.refit;
        f->log_samples = print.samples;
        f->log_sum = print.sum;
        memcpy(f->config_hash, site->hash, sizeof f->config_hash);
        f->arx_args = o->args.arx;
        f->report_json = report_text(&report, f->energy);
        r = f->report_json ? train_file_write(o->out, f) : -ENOMEM;
        if (r < 0) {
                fprintf(stderr, "coolplane train: cannot write %s: %s\n", o->out, strerror(-r));
                exit_code = EXIT_IO;
                goto out_quiet;
        }
        if (o->json)
                print_json(o, f);
        else
                print_report(o, &report, f);
        exit_code = EXIT_OK;
        goto out_quiet;
out:
        exit_code = db_failed("train", o->db, s, r);
        exit_code = r == -EINVAL ? EXIT_GENERIC : exit_code; /* of the layout or the fit, not of the file */
out_quiet:
        free(running);
        train_file_free(f);
        dataset_free(ds);
        layout_free(l);
        return exit_code;
}

/* The model goes nowhere but into the place of another one. */
static int check_out(const struct options *o, const struct site *site)
{
        const char **input = calloc(site->nfile + 1, sizeof *input);
        char why[512];
        bool may;
        if (!input)
                return EXIT_GENERIC;
        input[0] = o->db;
        for (size_t i = 0; i < site->nfile; i++)
                input[i + 1] = site->file[i];
        may = outfile_may(&(struct outfile){.path = o->out,
                                            .what = "a model file",
                                            .begins = TRAIN_FILE_BEGINS,
                                            .input = input,
                                            .ninput = site->nfile + 1},
                          why);
        free(input);
        if (!may)
                fprintf(stderr, "coolplane train: %s\n", why);
        return may ? EXIT_OK : EXIT_IO;
}

int verb_train(int argc, char **argv)
{
        struct options o;
        int code = parse_options(argc, argv, &o);
        if (code != EXIT_OK)
                return code;
        char reterr[256] = "";
        struct store *s = NULL;
        int r = store_open(o.db, STORE_READ, &s, reterr);
        if (r < 0) {
                fprintf(stderr, "coolplane train: %s\n", reterr);
                return db_exit(r);
        }
        struct site *site = NULL;
        code = log_site_load("train", o.db, s, o.config, &site);
        if (code == EXIT_OK)
                code = log_site_check("train", o.db, s, site, true);
        if (code == EXIT_OK && (r = store_bind_site(s, site)) < 0)
                code = db_failed("train", o.db, s, r);
        if (code == EXIT_OK)
                code = check_out(&o, site);
        if (code == EXIT_OK)
                code = train(s, site, &o);
        site_free(site);
        store_close(s);
        return code;
}
