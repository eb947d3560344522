/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Gate ⇄ planner over AF_UNIX SOCK_SEQPACKET (<run_dir>/planner.sock, the gate listens, one planner at a time, of
 * one user). Fixed-size, versioned, little-endian host structs; a message of another size, magic or version is
 * malformed and counted. The planner is hostile: everything it sends is checked here, then filtered by safety/.
 */
#ifndef COOLPLANE_GATE_IPC_H
#define COOLPLANE_GATE_IPC_H

#include <stddef.h>
#include <stdint.h>

#define IPC_MAGIC 0x636f6f6cu /* "cool" */
#define IPC_VERSION 1u
#define IPC_U_MAX 512
#define IPC_Y_MAX 2048
#define IPC_D_MAX 2048
#define IPC_MOVE_MAX 16
#define IPC_MODE_ACTIVE 0u /* GATE_ACTIVE: decisions follow proposals as far as safety lets them */

enum ipc_kind { IPC_STEP = 1, IPC_PROPOSAL = 2 };

struct ipc_head {
        uint32_t magic, version, kind, size;
        uint64_t seq; /* control step */
        int64_t t_ms; /* plant time */
        uint8_t config_hash[32];
};

/* gate → planner at every fast step */
struct ipc_step {
        struct ipc_head head;
        uint32_t nu, ny, nd;
        uint32_t slow_step;  /* 1: slow variables may change */
        uint32_t explore;    /* 1: identification phase */
        uint32_t mode;       /* enum gate_mode */
        double u[IPC_U_MAX]; /* confirmed */
        double y[IPC_Y_MAX]; /* NaN = invalid */
        double d[IPC_D_MAX];
        double power_w[4]; /* measured plant power: fans, chillers, pumps, towers; NaN = not metered or not known now */
        double chillers_on; /* running chillers; NaN = unknown */
        double inlet_max_c; /* hottest good inlet; NaN = none */
};

struct ipc_move {
        char vm[32], from[32], to[32]; /* names; NUL-terminated */
        double power_w, gain_w;
};

/* planner → gate */
struct ipc_proposal {
        struct ipc_head head; /* seq of the step it answers */
        uint32_t nu, nmove;
        uint32_t in_distribution;
        uint32_t reserved;
        double u[IPC_U_MAX];
        double predicted_w, predicted_std_w, predicted_max_inlet_c;
        struct ipc_move move[IPC_MOVE_MAX];
        char move_name[64]; /* the slow move, for why */
};

/* 0, or -EPROTO with *ret_why static text. expect_hash NULL: not compared. buf must be aligned for the struct. */
int ipc_check(const void *buf, size_t len, uint32_t kind, const uint8_t *expect_hash, const char **ret_why);
void ipc_head_init(struct ipc_head *h, uint32_t kind, uint64_t seq, int64_t t_ms, const uint8_t *config_hash);

#endif
