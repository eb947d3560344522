/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A campaign that may be interrupted: every run that has ended is a line of a file, and an interrupted call continues
 * where it stopped. JSON lines: the first says which build and which options, each other one a run: controller,
 * weather, season, seed, and the whole result, as exact as in memory. More seeds, controllers, seasons and weathers may
 * be added to a file; whatever else changes a result must be as it was. A line that was cut off is dropped.
 */
#ifndef COOLPLANE_SIM_COMPARE_RESUME_H
#define COOLPLANE_SIM_COMPARE_RESUME_H

#include "sim/compare.h"
#include "sim/compare_options.h"

struct resume;

/* What the runs depend on, beside the build and what names a run: files by the digest of their content, those that a
 * site file or an arrivals folder names too. */
void resume_options(const struct compare_options *o, struct text *t);
/* Opens or makes the file and locks it. options: as resume_options says. An exit code, with the reason on stderr. */
int resume_open(const char *path, const char *options, struct resume **ret);
struct resume *resume_close(struct resume *r);

/* What names a run. weather: resume_identity of its file. */
struct resume_key {
        const char *controller, *weather, *season;
        uint64_t seed;
};
/* True, and result and trace filled, when the file has the run; trace NULL: not wanted. */
bool resume_find(const struct resume *r, const struct resume_key *key, struct yard_result *ret,
                 struct yard_trace *trace);
/* Appended and on disk when it returns EXIT_OK. */
int resume_add(struct resume *r, const struct resume_key *key, const struct yard_result *result,
               const struct yard_trace *trace);

/* NAME and the SHA-256 of the file's content; only the name of what is no file that can be read. */
void resume_identity(const char *path, const char *name, struct text *t);

#endif
