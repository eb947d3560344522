/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * By what a log is known again, wherever it lies and whatever its name: the number and a sum of its samples in up to
 * 128 minutes spread over a span. The last five minutes of the span are not looked at: a log that is still written to
 * gets samples late. Two logs of one site and span differ in it by their noise; it is no signature.
 */
#ifndef COOLPLANE_CLI_LOG_PRINT_H
#define COOLPLANE_CLI_LOG_PRINT_H

#include "agent/store/store.h"

struct log_print {
        int64_t from_ms, to_ms; /* the span, from ≤ t < to */
        uint64_t samples, sum;  /* of the minutes looked at */
};

/* s is bound to site. 0 or the error of the store. */
int log_print_make(struct store *s, const struct site *site, int64_t from_ms, int64_t to_ms, struct log_print *ret);
/* Whether this log is the one of `was`, over its span: 1, 0, or the error. What differs as a clause, when 0. */
int log_print_is(struct store *s, const struct site *site, const struct log_print *was, char ret_differs[160]);

#endif
