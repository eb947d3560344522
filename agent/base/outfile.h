/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a program may write over: a result never takes the place of what it is made from, or of somebody else's file. */
#ifndef COOLPLANE_BASE_OUTFILE_H
#define COOLPLANE_BASE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

struct outfile {
        const char *path;
        const char *what;   /* "a model file" */
        const char *begins; /* bytes that one begins with, … */
        const char *holds;  /* … and has among its first 1024; NULL: none are asked for */
        const char *const
            *input; /* [ninput] files read; a database's -wal, -shm and .lock with it; NULL ones count not */
        size_t ninput;
};

/* May it be written: nothing is there, an empty file, no regular one (/dev/stdout), or one of its kind. Else why not,
 * as a sentence naming the file. */
bool outfile_may(const struct outfile *o, char ret_why[512]);

#endif
