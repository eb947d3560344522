/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The operator's command line. Each verb is one function in its own verb_*.c and one line in verbs.def: argv[0] is the
 * verb, it reads its own options with getopt_long, answers --help, writes data to stdout and messages to stderr, and
 * returns an exit code (agent/base/exitcode.h).
 */
#ifndef COOLPLANE_CLI_CLI_H
#define COOLPLANE_CLI_CLI_H

#include <stdio.h>

#define VERB(function, name, summary) int function(int argc, char **argv);
#include "agent/cli/verbs.def"
#undef VERB

struct site;

#define CLI_CONFIG_DEFAULT "/etc/coolplane/site.yaml"

/* Loads a site and prints its messages on stderr: EXIT_OK, EXIT_CONFIG or EXIT_IO. */
int cli_load_site(const char *path, struct site **ret);

/* The document of the running coolplaned (malloc'ed), NULL when none answers within two seconds. */
char *cli_ask_daemon(const char *run_dir);

/* A quoted JSON string; a number, null when not finite. */
void cli_json_string(FILE *f, const char *s);
void cli_json_number(FILE *f, double v);

#endif
