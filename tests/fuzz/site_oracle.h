/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#ifndef COOLPLANE_TESTS_SITE_ORACLE_H
#define COOLPLANE_TESTS_SITE_ORACLE_H

#include "agent/points/site.h"

/* site_load with every promise of site.h checked; NULL when the files were refused. */
struct site *site_checked_load(const char *path);

#endif
