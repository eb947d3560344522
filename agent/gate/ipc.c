/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/ipc.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static_assert(sizeof(struct ipc_head) == 64, "no padding in the head");
static_assert(sizeof(struct ipc_step) == 64 + 6 * 4 + (IPC_U_MAX + IPC_Y_MAX + IPC_D_MAX + 4 + 2) * 8,
              "no padding in the step");
static_assert(sizeof(struct ipc_move) == 3 * 32 + 2 * 8, "no padding in the move");
static_assert(sizeof(struct ipc_proposal) ==
                  64 + 4 * 4 + IPC_U_MAX * 8 + 3 * 8 + IPC_MOVE_MAX * sizeof(struct ipc_move) + 64,
              "no padding in the proposal");

static size_t size_of_kind(uint32_t kind)
{
        switch (kind) {
        case IPC_STEP:
                return sizeof(struct ipc_step);
        case IPC_PROPOSAL:
                return sizeof(struct ipc_proposal);
        default:
                return 0;
        }
}

static bool terminated(const char *s, size_t cap)
{
        return memchr(s, '\0', cap) != NULL;
}

static const char *check_proposal(const struct ipc_proposal *p)
{
        if (p->nu > IPC_U_MAX)
                return "more variables than fit";
        if (p->nmove > IPC_MOVE_MAX)
                return "more moves than fit";
        if (p->in_distribution > 1)
                return "flag in_distribution is neither 0 nor 1";
        if (p->reserved != 0)
                return "reserved field is not 0";
        if (!terminated(p->move_name, sizeof p->move_name))
                return "move name is not terminated";
        for (size_t i = 0; i < p->nmove; i++) {
                const struct ipc_move *m = &p->move[i];
                if (!terminated(m->vm, sizeof m->vm) || !terminated(m->from, sizeof m->from) ||
                    !terminated(m->to, sizeof m->to))
                        return "name in a VM move is not terminated";
        }
        return NULL;
}

static const char *check_step(const struct ipc_step *s)
{
        if (s->nu > IPC_U_MAX || s->ny > IPC_Y_MAX || s->nd > IPC_D_MAX)
                return "more variables than fit";
        if (s->slow_step > 1 || s->explore > 1)
                return "flag is neither 0 nor 1";
        return NULL;
}

int ipc_check(const void *buf, size_t len, uint32_t kind, const uint8_t *expect_hash, const char **ret_why)
{
        const struct ipc_head *h = buf;
        const size_t size = size_of_kind(kind);
        const char *why = NULL;

        assert(size > 0);
        if (len != size)
                why = "wrong size";
        else if (h->magic != IPC_MAGIC)
                why = "wrong magic";
        else if (h->version != IPC_VERSION)
                why = "wrong version";
        else if (h->kind != kind)
                why = "wrong kind";
        else if (h->size != size)
                why = "wrong size in the head";
        else if (expect_hash && memcmp(h->config_hash, expect_hash, sizeof h->config_hash) != 0)
                why = "other configuration";
        else if (kind == IPC_PROPOSAL)
                why = check_proposal(buf);
        else if (kind == IPC_STEP)
                why = check_step(buf);

        if (!why)
                return 0;
        if (ret_why)
                *ret_why = why;
        return -EPROTO;
}

void ipc_head_init(struct ipc_head *h, uint32_t kind, uint64_t seq, int64_t t_ms, const uint8_t *config_hash)
{
        assert(size_of_kind(kind) > 0);
        memset(h, 0, sizeof *h);
        h->magic = IPC_MAGIC;
        h->version = IPC_VERSION;
        h->kind = kind;
        h->size = (uint32_t)size_of_kind(kind);
        h->seq = seq;
        h->t_ms = t_ms;
        if (config_hash)
                memcpy(h->config_hash, config_hash, sizeof h->config_hash);
}
