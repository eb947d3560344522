/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The site file of an old log, and whether log and site belong together. What is wrong is told on stderr, after the
 * name of the verb. */
#ifndef COOLPLANE_CLI_LOG_SITE_H
#define COOLPLANE_CLI_LOG_SITE_H

#include "agent/store/store.h"

/* config NULL: the site file of the newest run in the database. A configuration that no run in it had is a note.
 * EXIT_OK, EXIT_USAGE_ (the database names none), or what cli_load_site returns. */
int log_site_load(const char *verb, const char *db, struct store *s, const char *config, struct site **ret);

/* EXIT_DATA when the database knows points, and none of the site's; with_samples: only those that have any count. */
int log_site_check(const char *verb, const char *db, struct store *s, const struct site *site, bool with_samples);

#endif
