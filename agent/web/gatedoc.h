/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The gate's status document: one JSON object read from <run_dir>/status.sock, and what the console needs of it.
 * A gate that is not there, does not answer in time or answers nonsense is an outcome, not an error. jansson.h is
 * included by gatedoc.c alone.
 */
#ifndef COOLPLANE_WEB_GATEDOC_H
#define COOLPLANE_WEB_GATEDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_link {
        GATE_NOT_RUNNING, /* no socket, or nobody listens */
        GATE_SILENT,      /* connected, no document in time */
        GATE_GARBLED,     /* not a status document */
        GATE_RUNNING,
};
const char *gate_link_str(enum gate_link l);

enum { GATE_ERRORS_MAX = 24 };

struct gate_device {
        char name[64], state[16]; /* "up", "degraded", "down" */
        int64_t unit_id;
        struct {
                char code[24]; /* "timeout", "exception-02", … */
                int64_t n;
        } error[GATE_ERRORS_MAX];
        size_t nerror;
};

struct gatedoc {
        enum gate_link link;
        char mode[24];
        int64_t step, last_cycle_t_ms;                           /* −1 = not said */
        double max_inlet_c, margin_k, model_rmse_c, drift_score; /* NaN = unknown */
        double last_commit_s, last_purge_s;
        int64_t samples_dropped; /* −1 = not said */
        double unstored_s;       /* for how long nothing could be stored; NaN = it can */
        bool planner, has_mqtt, mqtt_connected;
        struct gate_device *device;
        size_t ndevice;
        char *json; /* the document, checked and printed anew; NULL unless running */
};

/* Always leaves a document; never blocks longer than timeout_ms. -ENOMEM only. */
int gatedoc_read(const char *socket_path, int timeout_ms, struct gatedoc *ret);
int gatedoc_parse(const char *text, size_t n, struct gatedoc *ret);
void gatedoc_clear(struct gatedoc *d);

#endif
