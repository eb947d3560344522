/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <stdio.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"

static const struct {
        const char *name, *summary;
        int (*run)(int argc, char **argv);
} verbs[] = {
#define VERB(function, name, summary) {name, summary, function},
#include "agent/cli/verbs.def"
#undef VERB
};

#define NVERB (sizeof(verbs) / sizeof(verbs[0]))

static void help(FILE *f)
{
        (void)fputs("coolplane check-config /etc/coolplane/site.yaml\n"
                    "coolplane points list --config site.yaml\n"
                    "\n"
                    "usage: coolplane VERB [OPTIONS]; coolplane VERB --help explains one\n\n",
                    f);
        for (size_t i = 0; i < NVERB; i++)
                (void)fprintf(f, "  %-14s %s\n", verbs[i].name, verbs[i].summary);
        (void)fputs("\n  --help, --version\n", f);
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                help(stderr);
                return EXIT_USAGE_;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
                help(stdout);
                return EXIT_OK;
        }
        if (strcmp(argv[1], "--version") == 0) {
                (void)printf("coolplane %s\n", COOLPLANE_VERSION);
                return EXIT_OK;
        }
        for (size_t i = 0; i < NVERB; i++)
                if (strcmp(argv[1], verbs[i].name) == 0) {
                        int rc = verbs[i].run(argc - 1, argv + 1);
                        /* a full disk is not success, and no answer */
                        if ((fflush(stdout) != 0 || ferror(stdout)) &&
                            (rc == EXIT_OK || rc == EXIT_VIOLATIONS || rc == EXIT_CANNOT_EVALUATE))
                                rc = EXIT_IO;
                        return rc;
                }
        (void)fprintf(stderr, "coolplane: unknown verb '%s'; coolplane --help lists them\n", argv[1]);
        return EXIT_USAGE_;
}
