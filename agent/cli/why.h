/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What the files of coolplane why share: queries told as sections of text or as members of a JSON document. */
#ifndef COOLPLANE_CLI_WHY_H
#define COOLPLANE_CLI_WHY_H

#include "agent/cli/db_args.h"

/* Half a register count, as the gate judges whether there is anything to write. ?2: object of what half a count is by
 * point, as far as known; below 1e-6 it is the noise of a float32. */
#define DIFFERS(d)                                                                                                     \
        "(abs(" d ") >= 1e-6 AND abs(" d ") >= coalesce((SELECT value FROM json_each(?2) WHERE key = v.point), 0))"
#define CHANGED "v.action IS NOT NULL AND (v.confirmed IS NULL OR " DIFFERS("v.change") ")"

/* r, after the database's error was told. */
int why_failed(const struct db_args *a, int r);

/* Rows under a title; `none` (or nothing) when there are none. 0 or the told error. */
int why_section(const struct db_args *a, const char *title, const char *none, const char *sql,
                const struct store_param *p, size_t np);

/* Members of a JSON document, each from one query; the caller closes the document. */
struct why_member {
        const char *name, *sql;
        bool object; /* a single row, not a list */
        size_t np;   /* parameters it takes */
};
int why_json(const struct db_args *a, const struct why_member *m, size_t n, const struct store_param *p);

/* The record of a control step: p[0] its id, p[1] what half a register count is by point (JSON object). */
int why_step_text(const struct db_args *a, const struct store_param *p);
int why_step_json(const struct db_args *a, const struct store_param *p);

#endif
