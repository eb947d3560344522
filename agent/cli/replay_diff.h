/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane replay --diff: the decisions of two databases side by side, told to an operator. */
#ifndef COOLPLANE_CLI_REPLAY_DIFF_H
#define COOLPLANE_CLI_REPLAY_DIFF_H

#include <stdbool.h>
#include <stdint.h>

/* Decisions with from ≤ t_ms < to; an exit code. */
int replay_diff(const char *a, const char *b, int64_t from_ms, int64_t to_ms, bool json);

#endif
