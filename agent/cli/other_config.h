/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#ifndef COOLPLANE_CLI_OTHER_CONFIG_H
#define COOLPLANE_CLI_OTHER_CONFIG_H

#include "agent/store/store.h"

/* On stderr, after the name of the verb: in what the configuration of the newest run in db with decisions that is
 * another one differs from the site's files. Nothing where there is no such run, or the files cannot be read. */
void other_config_tell(const char *verb, const char *db, struct store *s, const struct site *site);

#endif
