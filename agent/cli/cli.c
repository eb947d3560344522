/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/cli.h"

#include <errno.h>
#include <math.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/points/site.h"

int cli_load_site(const char *path, struct site **ret)
{
        struct site_errors *errors = NULL;
        int rc = site_load(path, ret, &errors);
        if (errors != NULL)
                site_errors_print(errors, stderr);
        else
                (void)fprintf(stderr, "coolplane: out of memory\n");
        site_errors_free(errors);
        return rc == 0 ? EXIT_OK : rc == -EIO ? EXIT_IO : rc == -ENOMEM ? EXIT_GENERIC : EXIT_CONFIG;
}

void cli_json_string(FILE *f, const char *s)
{
        text_fput_json(f, s);
}

void cli_json_number(FILE *f, double v)
{
        char buf[32];
        (void)fputs(isfinite(v) ? format_double(v, buf) : "null", f);
}
