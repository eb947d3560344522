/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Inside of the Modbus driver, shared by modbus.c (life, connections), modbus_scan.c (reads), modbus_write.c (writes).
 */
#ifndef COOLPLANE_DRIVERS_MODBUS_PRIVATE_H
#define COOLPLANE_DRIVERS_MODBUS_PRIVATE_H

#include "agent/drivers/modbus.h"
#include "agent/drivers/modbus_link.h"
#include "agent/drivers/readplan.h"
#include "models/num/rng.h"

#define MB_WRITES_IN_A_ROW 4
#define MB_QUARANTINE_RETRY_MS (10 * 60 * 1000) /* plant time; of refused points and of refused merged reads */
#define MB_BISECT_DEPTH 32                      /* halves of a 32-bit count of points */
#define MB_BUSY_PAUSE_MS 50                     /* before a busy device is asked again, real time */

/* Time-outs in a row on one connection after which it is closed: the peer may be gone without a word. */
#define MB_TIMEOUTS_TO_RECONNECT 2

struct mb_backoff {
        int64_t delay_ms, retry_ms; /* real time; delay 0: none in force */
        int64_t max_ms;             /* of the delay, before jitter */
};

/* A run of points of one block, read with one request. */
struct mb_piece {
        size_t first, n; /* plan->point[first … first+n) */
};

enum mb_job_state { JOB_FREE, JOB_QUEUED, JOB_WRITING, JOB_SETTLING, JOB_READ_DUE, JOB_READING };

/* One write, from the queue to its outcome. */
struct mb_job {
        enum mb_job_state state;
        struct write_request req;
        uint64_t seq; /* order of arrival */
        uint16_t regs[4];
        double written;
        int reads, busy_left;
        bool superseded;  /* a newer write of the point came while this one was on the wire */
        bool unconfirmed; /* sent, but no answer came: only the read-back can tell */
        struct loop_timer *settle;
        struct modbus_driver *driver;
        struct mb_conn *conn;
        struct mb_job *prev, *next; /* in the connection's queue (order of arrival), or next free */
};

struct mb_device {
        int index; /* in site.device */
        struct modbus_driver *driver;
        struct mb_conn *conn; /* NULL: not a Modbus device */
        struct readplan *plan;
        struct readplan_caps caps, learned; /* in force; those it is known to take, while wider ones are tried */
        bool trying;
        int64_t try_at_ms;        /* when the configured caps are tried again, if caps are lower; plant, monotonic */
        struct loop_timer *timer; /* next scan, plant time */

        bool scanning, replan;
        size_t block;
        struct mb_piece stack[MB_BISECT_DEPTH];
        size_t nstack;
        bool bisecting, found_bad, some_failed, retried;
        bool lowered; /* caps, in this scan: the other blocks were refused for the same reason */
        int busy_left;

        int fails; /* in a row */
        bool seen; /* has answered since start */
        struct mb_backoff backoff;
        int64_t due_ms, last_start_ms, first_start_ms; /* plant, monotonic */
        uint64_t scans;
        double max_deviation_ms;
        struct device_stats stats;
};

enum mb_request { MB_NONE, MB_READ, MB_WRITE, MB_READ_BACK };

struct mb_conn {
        struct modbus_driver *driver;
        struct mblink *link;
        struct loop_timer *kick;
        struct mb_device **device; /* [ndevice] that share it */
        size_t ndevice, turn;
        struct mb_job *first_job, *last_job;
        int writes_in_row, timeouts_in_row;
        struct mb_backoff backoff;
        const char *why; /* static text: what the last attempt to connect failed of */

        enum mb_request current;
        struct mb_device *current_device;
        struct mb_job *current_job;
        struct mb_piece piece;
        struct mbrequest request;
};

struct modbus_driver {
        struct modbus_args a;
        struct rng rng;
        struct mb_device *device; /* [site->ndevice] */
        struct mb_conn *conn;     /* [nconn] */
        size_t nconn;
        uint8_t *quarantined;   /* [site->npoint] */
        int64_t *retry_at_ms;   /* [site->npoint], of quarantined points; plant, monotonic */
        struct sample *scratch; /* [site->npoint] */
        struct mb_job *job, *free_job;
        size_t njob;
        uint64_t writes;
};

/* modbus.c */
void mb_conn_kick(struct mb_conn *c);
void mb_conn_request(struct mb_conn *c, enum mb_request kind, struct mb_device *d, const struct mbrequest *req,
                     const uint16_t *regs);
int64_t mb_backoff_left_ms(const struct mb_backoff *b); /* 0: not in force */
bool mb_backoff_holds(const struct mb_backoff *b);
/* After a failed attempt. One made inside a back-off, by what insists, does not make it longer. */
void mb_backoff_grow(struct modbus_driver *drv, struct mb_backoff *b);
/* Device d did not answer (or not believably) a request to the registers of req. */
void mb_device_failed(struct mb_device *d, const struct mbrequest *req, const struct mblink_reply *reply);
void mb_device_answered(struct mb_device *d);
void mb_note_error(struct mb_device *d, const struct mbrequest *req, const char *cause, unsigned exception);
enum point_table mb_table_of(uint8_t function);

/* modbus_scan.c */
int mb_scan_init(struct mb_device *d);
void mb_scan_start(void *device);       /* timer callback */
bool mb_scan_held(struct mb_device *d); /* in a back-off: a running scan ends here, with bad samples */
bool mb_scan_next(struct mb_device *d); /* sends the next read of a running scan; false: it ended */
void mb_scan_reply(struct mb_device *d, const struct mblink_reply *reply);

/* modbus_write.c, or modbus_readonly.c */
int mb_write_init(struct modbus_driver *drv);
void mb_write_fini(struct modbus_driver *drv);
struct mb_job *mb_write_ready(struct mb_conn *c);
void mb_write_send(struct mb_job *j);
void mb_write_reply(struct mb_job *j, const struct mblink_reply *reply);
int mb_write(void *driver, const struct write_request *req);

#endif
