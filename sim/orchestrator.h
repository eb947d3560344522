/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the plant says over MQTT: power of every rack, weather, and the orchestrator that owns hosts and VMs (inventory,
 * move/request → move/result). Time stamps are plant time; the rate is bounded in wall time, so that an accelerated
 * plant does not flood its broker.
 */
#ifndef COOLPLANE_SIM_ORCHESTRATOR_H
#define COOLPLANE_SIM_ORCHESTRATOR_H

#include <stddef.h>
#include <stdint.h>

#include "sim/plant.h"

struct orchestrator;

struct orchestrator_args {
        struct plant *plant; /* borrowed */
        const char *site;
        /* 0 or -Exxx (then it is dropped) */
        int (*publish)(void *ctx, const char *topic, const char *payload, size_t len, int qos, bool retained);
        /* told instead of a message when hosts and VMs are due; NULL = they are published */
        void (*inventory)(void *ctx);
        void *ctx;
};

int orchestrator_create(const struct orchestrator_args *a, struct orchestrator **ret);
struct orchestrator *orchestrator_free(struct orchestrator *o);

/* After every advance of the plant; wall_ms: a real monotonic clock. Publishes what is due. */
void orchestrator_tick(struct orchestrator *o, int64_t wall_ms);
/* A (re)connected broker may have lost what was retained. */
void orchestrator_connected(struct orchestrator *o);
/* A message on <site>/vm/move/request. */
void orchestrator_request(struct orchestrator *o, const char *json, size_t len);
const char *orchestrator_request_topic(const struct orchestrator *o);

#endif
