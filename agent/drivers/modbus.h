/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Modbus TCP and RTU (serial lines through libmodbus, see modbus_link.c), driven from the event loop. One connection
 * per (host, port) or serial line, one request in flight on it, writes before reads but at most 4 in a row. Only
 * function codes 1–4 read, only 16 writes. A failed poll yields a bad-quality sample for each of its points. Exceptions
 * 02/03 in a merged block: bisect, quarantine the point (QR_BAD_ADDR), retry it every 10 min. When each of its points
 * is fine, reads without holes, then shorter ones; as configured again every 10 min, at one or two refused reads. A
 * silent device costs one time-out per back-off (1 s doubling to 60 s, ±20 % jitter, real time), a host that cannot be
 * connected to costs one attempt for all units behind it; the others keep their scan. Where there are heartbeats no
 * back-off is longer than a third of the watchdog (never below 1 s). A newer write of a point takes over from an older
 * one that is not confirmed yet. Host names are resolved at each connect. Whether a device is up is in its stats;
 * points and merged reads that it refuses are events.
 */
#ifndef COOLPLANE_DRIVERS_MODBUS_H
#define COOLPLANE_DRIVERS_MODBUS_H

#include "agent/base/loop.h"
#include "agent/drivers/driver.h"

struct modbus_driver;

struct modbus_args {
        const struct site *site; /* borrowed */
        struct loop *loop;       /* borrowed */
        const struct clk *clk;   /* borrowed */
        struct sample_sink samples;
        bool writable; /* false: no write path is opened at all (ret_act->write stays NULL); without one: -EPERM */
        struct write_sink writes;
        struct event_sink events;
        uint64_t seed; /* jitter */
};

/* False where the code that writes is not linked (CMake option COOLPLANE_NO_WRITE). */
bool modbus_can_write(void);

int modbus_driver_create(const struct modbus_args *a, struct modbus_driver **ret, struct actuator *ret_act);
/* Writes still under way end as NOT_SENT or PENDING. Not from inside a callback of the driver. */
struct modbus_driver *modbus_driver_free(struct modbus_driver *d);

/* Ask for a scan of every device now (start-up, after a gap). */
void modbus_driver_scan_now(struct modbus_driver *d);

enum device_state { DEVICE_UP, DEVICE_DEGRADED, DEVICE_DOWN };
struct device_stats {
        enum device_state state; /* DEVICE_DOWN until its first scan has ended well */
        bool known;              /* its first scan has ended, well or not */
        uint64_t reads, read_errors, writes, write_errors;
        /* requests that failed, by how: */
        uint64_t timeouts, no_connections, lost, bad_replies; /* bad: wrong CRC, length, unit id, function */
        uint64_t resets;         /* of its connection, by the peer: it may have been restarted */
        uint64_t exceptions[12]; /* by Modbus exception code; [0]: codes Modbus does not know */
        size_t quarantined;
        double scan_period_s, scan_jitter_s; /* plant time: mean period, max deviation since start */
        char last_error[128];                /* device, unit id, address range, cause */
};
void modbus_driver_stats(const struct modbus_driver *d, int device, struct device_stats *ret);

#endif
