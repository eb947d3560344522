/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The two seams of the agent. A source brings samples; an actuator takes writes. Live, shadow, replay and simulation
 * are choices of drivers: modbus and mqtt are sources; modbus is the live actuator, null (records, holds no handle) is
 * shadow's and replay's; a log or an in-process plant is a source too.
 */
#ifndef COOLPLANE_DRIVERS_DRIVER_H
#define COOLPLANE_DRIVERS_DRIVER_H

#include "agent/drivers/event.h"
#include "agent/points/site.h"

/* Where samples go. Samples are decoded (codec.h) but not yet judged by history (the gate does that). */
struct sample_sink {
        void (*samples)(void *ctx, const struct sample *s, size_t n);
        void *ctx;
};

/* Names of sbsim's ActionResponseType, plus ours. Stored: append only. */
enum write_result {
        WRITE_PENDING = 0,  /* as an outcome: sent, but a newer write of the point took over before it was confirmed */
        WRITE_ACCEPTED = 1, /* written, read back within tolerance */
        WRITE_TIMED_OUT = 2,
        WRITE_REJECTED_INVALID_SETTING = 3,          /* exception 03, or the codec refused */
        WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE = 4, /* exception 01/02, or read-only */
        WRITE_REJECTED_OVERRIDE = 5,                 /* a foreign value was found on the point */
        WRITE_REJECTED_INVALID_DEVICE = 6,
        WRITE_REJECTED_DEVICE_OFFLINE = 7,
        WRITE_REJECTED_BY_SAFETY = 8,
        WRITE_MISMATCH = 9,  /* read back outside tolerance after settle and one retry of the read */
        WRITE_NOT_SENT = 10, /* null driver: what would have been written; or a newer write of the point came first */
};
const char *write_result_str(enum write_result r);

struct write_request {
        uint64_t id;    /* the caller's; returned in the outcome */
        uint32_t point; /* site.point index; must be writable */
        double value;   /* SI, already quantised by codec_quantise */
        bool read_back; /* false: heartbeat-like points, confirmed elsewhere */
        bool insist;    /* tried although the device is in a back-off: letting go waits for nothing */
};

struct write_outcome {
        uint64_t id;
        uint32_t point;
        enum write_result result;
        double written;   /* SI value the registers expressed */
        double read_back; /* SI; NaN when none */
        int64_t t_ms;     /* plant time of the outcome */
};

/* An actuator: never blocks; exactly one outcome per accepted request, through done(), possibly from inside write(). */
struct actuator {
        /* 0, or -EINVAL (not writable), -EAGAIN (queue full: nothing happens). */
        int (*write)(void *self, const struct write_request *req);
        void *self;
};
struct write_sink {
        void (*done)(void *ctx, const struct write_outcome *o);
        void *ctx;
};

/* ---- null actuator: says what would have been written (NOT_SENT; t_ms 0: it has no clock, the gate fills it in) ----
 */
struct null_actuator;
int null_actuator_create(const struct site *site, struct write_sink sink, struct null_actuator **ret,
                         struct actuator *ret_act);
struct null_actuator *null_actuator_free(struct null_actuator *n);

#endif
