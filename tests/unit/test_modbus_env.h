/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A site made by hand, a Modbus driver on it, and what came out: shared by the driver's tests. */
#ifndef COOLPLANE_TESTS_MODBUS_ENV_H
#define COOLPLANE_TESTS_MODBUS_ENV_H

#include "agent/drivers/modbus.h"

#define ENV_POINTS 400
#define ENV_DEVICES 24
#define ENV_OUTCOMES 200

struct env {
        struct clk clk;
        struct loop *loop;
        struct site site;
        struct point point[ENV_POINTS];
        struct device device[ENV_DEVICES];
        struct modbus_driver *driver;
        struct actuator act;

        bool sampled;
        struct device_stats first; /* when the first sample came, of its device */
        struct sample last[ENV_POINTS];
        uint64_t good[ENV_POINTS], bad[ENV_POINTS];
        struct write_outcome outcome[ENV_OUTCOMES];
        size_t noutcome;
        char events[8192]; /* one a line */

        bool (*until)(struct env *e);
        bool reached;
        int64_t deadline_ms;
        struct loop_timer *poll;
        int64_t last_poll_ms, max_gap_ms;
};

void env_init(struct env *e, double scale);
/* Returns the index. period 20 ms, time-out 300 ms: a busy machine must not cause one. */
int env_device(struct env *e, enum device_protocol protocol, const char *host, int port, uint8_t unit_id);
int env_point(struct env *e, int device, enum point_table table, uint16_t address, enum point_type type);
/* Writable in 0..100, settle 10 ms. */
int env_writable(struct env *e, int device, uint16_t address, enum point_type type);
void env_start(struct env *e, bool writable);
void env_stop_driver(struct env *e); /* before peers are stopped */
void env_free(struct env *e);
/* Runs the loop until the condition holds; fails the test after ms. until NULL: just runs so long. */
void env_run(struct env *e, bool (*until)(struct env *e), int ms);
void env_write(struct env *e, int point, double value, uint64_t id, bool read_back);

#endif
