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

struct replay_whatif_args {
        const char *model, *log_path, *config; /* files; the latter two for messages */
        const struct site *site;
        const struct layout *layout;
        struct store *log;
        int64_t from_ms, to_ms, closes_ms;
};

/* Reads the model file and the log's span; tells on stderr what is wrong with them: a model that is not of this log, or
 * does not know all of from_ms … to_ms (five minutes aside), is refused. Exit code. Close in any case. */
int replay_whatif_open(const struct replay_whatif_args *a, struct replay_whatif *ret);
void replay_whatif_close(struct replay_whatif *w);
/* A JSON object, or lines for people. Exit code: EXIT_CANNOT_EVALUATE, with the reason, where the log cannot tell. */
int replay_whatif_print(const struct replay_whatif *w, bool json);

#endif
