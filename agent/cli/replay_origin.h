/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a replay leaves in its database of itself: the log it was made from, whether its readings are that log's or a
 * model's (--what-if), and whether it came to its end. Databases of earlier versions have no such record. */
#ifndef COOLPLANE_CLI_REPLAY_ORIGIN_H
#define COOLPLANE_CLI_REPLAY_ORIGIN_H

#include <stdbool.h>

#include "agent/cli/log_print.h"

struct replay_origin {
        bool replay;  /* decisions of a replay, of whatever version */
        bool ended;   /* false: the replay was interrupted, or is going on */
        bool what_if; /* readings as modelled, not measured */
        bool logged;  /* .log is known */
        struct log_print log;
};

/* Once as it begins and again, .ended, when all is stored; .replay is taken for set. 0 or the error of the store. */
int replay_origin_put(struct store *s, const struct replay_origin *o);
int replay_origin_get(struct store *s, struct replay_origin *ret);

#endif
