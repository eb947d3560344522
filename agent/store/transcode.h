/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The bytes of a foreign log as UTF-8, through iconv; any chunking, bounded memory. What cannot be decoded becomes
 * U+FFFD and is counted: it never passes for a number. A byte-order mark is dropped.
 *
 * "auto": UTF-16 and UTF-8 by their mark; UTF-16 without one when the first four bytes are two ASCII characters of it;
 * else the first bytes beyond ASCII decide: a well-formed UTF-8 character means UTF-8, anything else Latin-1.
 */
#ifndef COOLPLANE_STORE_TRANSCODE_H
#define COOLPLANE_STORE_TRANSCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 text, never empty; non-zero ends the run. */
typedef int (*transcode_fn)(void *ctx, const char *text, size_t n);

struct transcode;
/* 0, -EINVAL (iconv knows no such encoding), -ENOMEM. */
int transcode_create(const char *encoding, transcode_fn fn, void *ctx, struct transcode **ret);
struct transcode *transcode_free(struct transcode *t);
/* 0, or what the function returned. */
int transcode_feed(struct transcode *t, const char *data, size_t len);
int transcode_finish(struct transcode *t);

const char *transcode_name(const struct transcode *t); /* what it is or was found to be; "ASCII" when nothing decided */
bool transcode_detected(const struct transcode *t);    /* "auto" found it */
int64_t transcode_undecodable(const struct transcode *t); /* U+FFFD put in */

#endif
