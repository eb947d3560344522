/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane replay --what-if: the log as it would have gone under the decisions of the replay, and what that saves. */
#ifndef COOLPLANE_CLI_REPLAY_WHATIF_H
#define COOLPLANE_CLI_REPLAY_WHATIF_H

#include <stdbool.h>

#include "agent/planner/whatif.h"

struct replay_whatif {
        struct train_file *model;
        struct dataset *log;
        struct whatif *plant;
};

/* Reads the model file and the log's span; tells on stderr what is wrong with them. Exit code. Close in any case. */
int replay_whatif_open(const char *model, const struct site *site, const struct layout *l, struct store *log,
                       int64_t from_ms, int64_t to_ms, int64_t closes_ms, struct replay_whatif *ret);
void replay_whatif_close(struct replay_whatif *w);
/* A JSON object, or lines for people. Exit code: EXIT_CANNOT_EVALUATE, with the reason, where the log cannot tell. */
int replay_whatif_print(const struct replay_whatif *w, bool json);

#endif
