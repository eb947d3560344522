/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The verb's own parts: running episodes side by side, and what is printed. */
#ifndef COOLPLANE_SIM_CERTIFY_COMMAND_H
#define COOLPLANE_SIM_CERTIFY_COMMAND_H

#include <jansson.h>
#include <stdio.h>

#include "sim/certify.h"
#include "sim/certify_outside.h"

#define CERTIFY_JOBS_MAX 64

struct certify_options {
        int64_t episodes, first, units, horizon, seed, jobs, hostile, first_chunk, outside;
        double hours, pi_gain, pi_s; /* 0 = tuned */
        enum certify_break broken;
        bool json, strict;
};

/* Calls run for 0 … n − 1, `jobs` processes side by side; ret is an array of n results of `size` bytes each (plain
 * data, moved through unlinked files). Results do not depend on `jobs`. 0, or the first error of run, or -errno. */
int certify_jobs(size_t n, size_t jobs, size_t size, int (*run)(const void *ctx, size_t i, void *ret), const void *ctx,
                 void *ret);

struct certify_report {
        const struct certify_options *options;
        const struct certify_result *episode; /* [n] */
        size_t n;
        const struct certify_hostile *hostile; /* NULL = none asked for */
        double hostile_s;                      /* wall time they took */
        const struct outside_result *outside;  /* [outside_n] */
        size_t outside_n;
};
void certify_print_text(FILE *f, const struct certify_report *r);
int certify_print_json(FILE *f, const struct certify_report *r); /* 0, -ENOMEM, -EIO */
/* certify_outside_text.c: their parts of it */
void certify_print_outside(FILE *f, const struct certify_report *r);
json_t *certify_json_outside(const struct certify_report *r);

#endif
