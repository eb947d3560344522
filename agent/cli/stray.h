/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What is told of rows of a wrong clock that a verb left out (store_true_span). */
#ifndef COOLPLANE_CLI_STRAY_H
#define COOLPLANE_CLI_STRAY_H

#include "agent/store/store.h"

#define STRAY_WORDS 384

/* With .rows > 0: how many of what from when, and why they are left out. */
const char *stray_words(const struct store_stray *s, enum store_rows rows, char buf[STRAY_WORDS]);
/* The same of samples on stderr; nothing where there are none. */
void stray_tell(const char *verb, const char *db, const struct store_stray *s);
/* An object on stdout, each of both null where there are none. */
void stray_print_json(const struct store_stray s[STORE_ROWS]);

#endif
