/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/db_args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"

const char *db_args_option(struct db_args *a, int option)
{
        switch (option) {
        case 'd':
                a->db = optarg;
                return NULL;
        case 'c':
                a->config = optarg;
                return NULL;
        case 'f':
                return clk_parse_time(optarg, &a->from_ms) < 0 ? "--from takes RFC 3339 with offset, or epoch ms"
                                                               : NULL;
        case 't':
                return clk_parse_time(optarg, &a->to_ms) < 0 ? "--to takes RFC 3339 with offset, or epoch ms" : NULL;
        case 'j':
                a->json = true;
                return NULL;
        case 'h':
                a->help = true;
                return NULL;
        default:
                return "unknown option";
        }
}

bool db_args_parse(int argc, char **argv, struct db_args *ret, int *ret_exit)
{
        static const struct option options[] = {{"db", required_argument, NULL, 'd'},
                                                {"config", required_argument, NULL, 'c'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {NULL, 0, NULL, 0}};
        int o;
        *ret = (struct db_args){0};
        optind = 0;
        while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
                if (db_args_option(ret, o)) { /* getopt_long has told */
                        *ret_exit = EXIT_USAGE_;
                        return false;
                }
        ret->rest = argv + optind;
        ret->nrest = argc - optind;
        if (!ret->help && !ret->db && !ret->config) {
                fprintf(stderr, "coolplane %s: give --db FILE or --config site.yaml\n", argv[0]);
                *ret_exit = EXIT_USAGE_;
                return false;
        }
        return true;
}

bool db_args_load(struct db_args *a, int *ret_exit)
{
        if (!a->config)
                return true;
        int code = cli_load_site(a->config, &a->site);
        if (code != EXIT_OK) {
                *ret_exit = code;
                return false;
        }
        if (!a->db)
                a->db = a->site->database;
        return true;
}

int db_exit(int r)
{
        switch (r) {
        case 0:
                return EXIT_OK;
        case -ENOENT:
        case -EBUSY:
                return EXIT_UNAVAILABLE;
        case -EUCLEAN:
        case -EPROTO:
        case -ESTALE:
                return EXIT_DATA;
        default:
                return EXIT_IO;
        }
}

int db_failed(const char *verb, const char *db, const struct store *s, int r)
{
        fprintf(stderr, "coolplane %s: %s: %s\n", verb, db,
                r == -ENOMEM || store_errmsg(s)[0] == '\0' ? strerror(-r) : store_errmsg(s));
        return r == -ENOMEM ? EXIT_GENERIC : db_exit(r);
}

bool db_args_open(struct db_args *a, int *ret_exit)
{
        char err[256];
        int r = store_open(a->db, STORE_READ, &a->store, err);
        if (r < 0) {
                fprintf(stderr, "%s%s\n", err,
                        r == -ENOENT && a->site && a->db == a->site->database
                            ? ": no gate has run with this configuration yet"
                            : "");
                *ret_exit = db_exit(r);
        }
        return r == 0;
}

void db_args_free(struct db_args *a)
{
        a->store = store_close(a->store);
        a->site = site_free(a->site);
}

void print_json_object(const char *array)
{
        size_t n = strlen(array);
        if (n > 2)
                printf("%.*s", (int)(n - 2), array + 1);
        else
                printf("null");
}
