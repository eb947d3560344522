/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Options that verbs reading a database share: --db FILE or --config site.yaml (whose database it is), --from, --to and
 * --json. */
#ifndef COOLPLANE_CLI_DB_ARGS_H
#define COOLPLANE_CLI_DB_ARGS_H

#include <stdbool.h>

#include <stdint.h>

#include "agent/store/store.h"

struct db_args {
        const char *db, *config;
        bool json, help;
        int64_t from_ms, to_ms; /* where a verb takes --from and --to */
        struct site *site;      /* with --config */
        struct store *store;    /* open read-only */
        char **rest;            /* arguments that are no options */
        int nrest;
};

#define DB_ARGS_ALL_TIME .from_ms = INT64_MIN, .to_ms = INT64_MAX

/* What getopt_long found: db d, config c, from f, to t, json j, help h. What is wrong with it, or NULL. */
const char *db_args_option(struct db_args *a, int option);
/* Parses argv[1…]; *ret_exit is the exit code when it returns false (usage, told on stderr). */
bool db_args_parse(int argc, char **argv, struct db_args *ret, int *ret_exit);
/* Loads the site (with --config) and the path of the database; then opens it. Both tell on stderr. */
bool db_args_load(struct db_args *a, int *ret_exit);
bool db_args_open(struct db_args *a, int *ret_exit);
void db_args_free(struct db_args *a);

/* SQL: in words that nothing is certified yet, where d is a row of v_decisions whose margin is NULL for that reason. */
#define DB_UNCERTIFIED                                                                                                 \
        "(SELECT 'not certified yet: ' || text FROM (SELECT text FROM v_events WHERE run = d.run"                      \
        " AND component = 'model' AND t_ms <= d.t_ms ORDER BY id DESC LIMIT 1) WHERE text LIKE '0 of %')"

/* Exit code for an error of the store. */
int db_exit(int r);
/* The same of an open one, which is named with the error on stderr. */
int db_failed(const char *verb, const char *db, const struct store *s, int r);

/* A document from parts: array text "[{…}]" as its only object, or null. Writes to stdout. */
void print_json_object(const char *array);

#endif
