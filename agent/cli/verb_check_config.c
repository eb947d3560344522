/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/hash.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/gate/envelope.h"
#include "agent/points/site.h"

static const char help[] =
    "coolplane check-config /etc/coolplane/site.yaml\n"
    "coolplane check-config --json site.yaml\n"
    "\n"
    "Reads a site file, site.d/*.yaml beside it and every point map it names. No network, nothing is written.\n"
    "Every error is told at once as file:line:column: message. Exit 0: usable (perhaps with warnings); 78: not.\n"
    "\n"
    "  --json   one JSON document on stdout\n";

static void print_json(const char *path, const struct site *s, const struct site_errors *e)
{
        char hex[2 * HASH_LEN + 1];
        (void)printf("{\"file\":");
        cli_json_string(stdout, path);
        (void)printf(",\"ok\":%s,\"errors\":%zu,\"warnings\":%zu,\"messages\":", s != NULL ? "true" : "false",
                     site_errors_count(e), site_errors_warnings(e));
        site_errors_print_json(e, stdout);
        if (s != NULL) {
                (void)printf(",\"site\":");
                cli_json_string(stdout, s->name);
                (void)printf(",\"devices\":%zu,\"equipment\":%zu,\"zones\":%zu,\"points\":%zu,\"hash\":\"%s\"",
                             s->ndevice, s->nequipment, s->nzone, s->npoint, hash_hex(s->hash, HASH_LEN, hex));
        }
        (void)printf("}\n");
}

int verb_check_config(int argc, char **argv)
{
        static const struct option options[] = {
            {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
        bool json = false;
        int c;
        while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
                if (c == 'h') {
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                }
                if (c != 'j')
                        return EXIT_USAGE_;
                json = true;
        }
        if (argc - optind != 1) {
                (void)fputs(help, stderr);
                return EXIT_USAGE_;
        }
        const char *path = argv[optind];
        struct site *s = NULL;
        struct site_errors *e = NULL;
        int rc = site_load_checked(path, gate_check_site, &s, &e);
        if (e == NULL) {
                (void)fprintf(stderr, "coolplane: out of memory\n");
                return EXIT_GENERIC;
        }
        if (json) {
                print_json(path, s, e);
        } else {
                site_errors_print(e, stderr);
                if (rc == 0)
                        (void)printf(
                            "%s: ok, site %s: %zu device%s, %zu piece%s of equipment, %zu zone%s, %zu point%s\n", path,
                            s->name, s->ndevice, PLURAL_S(s->ndevice), s->nequipment, PLURAL_S(s->nequipment), s->nzone,
                            PLURAL_S(s->nzone), s->npoint, PLURAL_S(s->npoint));
                else
                        (void)fprintf(stderr, "%s: %zu error%s, %zu warning%s\n", path, site_errors_count(e),
                                      PLURAL_S(site_errors_count(e)), site_errors_warnings(e),
                                      PLURAL_S(site_errors_warnings(e)));
        }
        site_errors_free(e);
        site_free(s);
        return rc == 0 ? EXIT_OK : rc == -EIO ? EXIT_IO : EXIT_CONFIG;
}
