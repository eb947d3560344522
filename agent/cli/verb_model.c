/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/hash.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/planner/train.h"

static const char help[] = "coolplane model inspect coolplane.model\n"
                           "coolplane model inspect coolplane.model --json\n"
                           "\n"
                           "Shows what a model file holds: shape, training range, hash, errors at training, and every\n"
                           "output's state. A damaged file is refused.\n";

static void print_json(const struct train_file *f)
{
        const struct arx_structure *st = f->model->structure;
        char config[65], number[3][32];
        (void)hash_hex(f->config_hash, HASH_LEN, config);
        printf("{\"hash\":\"%016llx\",\"config_hash\":\"%s\",\"step_ms\":%lld,\"lags\":{\"outputs\":%u,\"inputs\":%u},"
               "\"outputs\":%zu,\"inputs\":%zu,\"disturbances\":%zu,\"terms\":%zu,\"from_ms\":%lld,\"to_ms\":%lld,"
               "\"refit\":%s,\"report\":%s,\"rows\":[",
               (unsigned long long)arx_hash(f->model->arx), config, (long long)f->step_ms, f->na, f->nb, st->ny, st->nu,
               st->nd, st->nterm, (long long)f->from_ms, (long long)f->to_ms,
               !f->told   ? "null"
               : f->refit ? "true"
                          : "false",
               f->report_json[0] ? f->report_json : "null");
        for (size_t i = 0; i < st->ny; i++) {
                struct arx_row_info info;
                arx_row_info(f->model->arx, i, &info);
                printf("%s{\"samples\":%zu,\"fitted\":%s,\"rmse\":%s,\"w_bar\":%s,\"width\":%s}", i ? "," : "",
                       info.samples, info.fitted ? "true" : "false",
                       isfinite(info.rmse) ? format_double(info.rmse, number[0]) : "null",
                       format_double(info.w_bar, number[1]),
                       isfinite(info.width) ? format_double(info.width, number[2]) : "null");
        }
        printf("]}\n");
}

static void print_text(const struct train_file *f)
{
        const struct arx_structure *st = f->model->structure;
        char config[65], from[32], to[32];
        (void)hash_hex(f->config_hash, HASH_LEN, config);
        printf("hash         %016llx\n", (unsigned long long)arx_hash(f->model->arx));
        printf("site         configuration %.16s…, step %lld ms\n", config, (long long)f->step_ms);
        printf("trained on   %s … %s\n", clk_format(f->from_ms, from), clk_format(f->to_ms, to));
        printf("shape        %zu output%s, %zu input%s, %zu disturbance%s, %zu term%s, %u/%u lags\n", st->ny,
               PLURAL_S(st->ny), st->nu, PLURAL_S(st->nu), st->nd, PLURAL_S(st->nd), st->nterm, PLURAL_S(st->nterm),
               f->na, f->nb);
        printf("refit        %s\n", !f->told ? "not known: an earlier version's file" : f->refit ? "yes" : "no");
        if (f->energy) {
                struct energy_info info;
                energy_info(f->energy, &info);
                printf("energy       %zu slow step%s, capacity %.0f kW\n", info.samples, PLURAL_S(info.samples),
                       f->capacity_w / 1e3);
        } else {
                printf("energy       none\n");
        }
        printf("report       %s\n", f->report_json);
        printf("output  samples fitted  one-step RMSE  noise bound  set width\n");
        for (size_t i = 0; i < st->ny; i++) {
                struct arx_row_info info;
                arx_row_info(f->model->arx, i, &info);
                printf("%6zu %8zu %6s %14.4f %12.4f %10.3g\n", i, info.samples, info.fitted ? "yes" : "no", info.rmse,
                       info.w_bar, info.width);
        }
}

int verb_model(int argc, char **argv)
{
        const char *path = NULL;
        bool json = false;
        if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        bool usage = argc < 3 || strcmp(argv[1], "inspect") != 0;
        for (int k = 2; k < argc; k++) {
                if (!strcmp(argv[k], "--json"))
                        json = true;
                else if (!strcmp(argv[k], "--help")) {
                        fputs(help, stdout);
                        return EXIT_OK;
                } else if (argv[k][0] != '-' && !path)
                        path = argv[k];
                else
                        usage = true;
        }
        if (usage || !path) {
                fputs(help, stderr);
                return EXIT_USAGE_;
        }
        struct train_file *f = NULL;
        int r = train_file_read(path, &f);
        if (r < 0) {
                fprintf(stderr, "coolplane model: %s: %s\n", path,
                        r == -EBADMSG ? "not a model file of this version, or damaged" : strerror(-r));
                return r == -EBADMSG ? EXIT_DATA : EXIT_IO;
        }
        if (json)
                print_json(f);
        else
                print_text(f);
        train_file_free(f);
        return EXIT_OK;
}
