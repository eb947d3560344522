/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The brain on a site of two air handlers and four racks, made of files as any site is, against a small linear plant
 * written here: explores, identifies, saves, places VMs, starts again from the database.
 */
#ifndef COOLPLANE_TESTS_UNIT_BRAIN_BENCH_H
#define COOLPLANE_TESTS_UNIT_BRAIN_BENCH_H

#include "agent/planner/brain.h"
#include "models/num/rng.h"

#define CRAHS 2
#define RACKS 4
#define STEP_MS 30000
#define T0_MS INT64_C(1760000010000)

struct plant {
        struct rng rng;
        uint64_t seq;
        double inlet[RACKS], sat[CRAHS], valve[CRAHS], sp[CRAHS], fan[CRAHS], chwst, cwst, chiller[2], rack_w[RACKS];
};

struct bench {
        char dir[64];
        struct site *site;
        struct layout *layout;
        struct store *store; /* writer, when wanted */
        struct plant plant;
        struct ipc_step step;
        struct ipc_proposal proposal;
};
void plant_start(struct plant *p);
void make_step(struct bench *b, bool explore);
void turn(struct bench *b, struct brain *brain, bool explore);
int bench_setup(void **state);
int bench_teardown(void **state);
struct brain *brain_new(const struct bench *b, struct store *store);
double chiller_w(const struct plant *p);

#endif
