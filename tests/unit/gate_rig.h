/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A gate on the annex site (tests/data/annex) with a virtual clock and an actuator that only records. */
#ifndef TESTS_UNIT_GATE_RIG_H
#define TESTS_UNIT_GATE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/gate/gate_internal.h"
#include "models/arx/arx_private.h"

enum { WRITES_MAX = 4096, STEP_MS = 10000 };

struct rig {
        struct site *site;
        struct clk clk;
        struct gate *gate;
        struct write_request write[WRITES_MAX];
        size_t nwrite, done;
        double *value; /* [npoint] what the plant shows, SI */
        bool obey;     /* writes change what the plant shows; heartbeats are echoed, remote enable is followed */
        struct ipc_step step;
        char move[16][384]; /* VM move requests that went out */
        size_t nmove;
        int publish; /* what publishing a request returns */
        struct store *store;
        char log[65536]; /* events, one a line */
        bool cold;       /* leave the rows that are not fitted as they are: then nothing warmer is certified */
};

static inline void rig_log(void *ctx, int severity, const char *component, const char *text)
{
        struct rig *r = ctx;
        size_t n = strlen(r->log);

        (void)snprintf(r->log + n, sizeof r->log - n, "%d %s: %s\n", severity, component, text);
}

/* Events that contain `text`. */
static inline unsigned logged(const struct rig *r, const char *text)
{
        unsigned n = 0;

        for (const char *p = strstr(r->log, text); p; p = strstr(p + 1, text))
                n++;
        return n;
}

static inline int record(void *self, const struct write_request *req)
{
        struct rig *r = self;

        assert_true(r->nwrite < WRITES_MAX);
        r->write[r->nwrite++] = *req;
        if (!r->obey)
                return 0;
        r->value[req->point] = req->value;
        for (size_t i = 0; i < r->site->npoint; i++) {
                enum role written = r->site->point[req->point].role, shown = r->site->point[i].role;

                if (r->site->point[i].device == r->site->point[req->point].device &&
                    ((written == ROLE_HEARTBEAT_CMD && shown == ROLE_HEARTBEAT_ECHO) ||
                     (written == ROLE_REMOTE_ENABLE && shown == ROLE_REMOTE_STATUS)))
                        r->value[i] = req->value;
        }
        return 0;
}

static inline int point(const struct rig *r, const char *tail)
{
        char name[POINT_NAME_MAX];
        int i;

        (void)snprintf(name, sizeof name, "annex/comms/%s", tail);
        i = site_find_point(r->site, name);
        assert_true(i >= 0);
        return i;
}

static inline void load_site(struct rig *r)
{
        char dir[] = "/tmp/coolplane-gate.XXXXXX", path[64], command[512];
        struct site_errors *errors;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(command, sizeof command,
                       "sed 's/@PORT@/1502/' '%s/tests/data/annex/site.yaml' >%s/site.yaml && cp "
                       "'%s/tests/data/annex/points.csv' %s/",
                       SOURCE_DIR, dir, SOURCE_DIR, dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
        (void)snprintf(path, sizeof path, "%s/site.yaml", dir);
        if (site_load(path, &r->site, &errors) < 0)
                site_errors_print(errors, stderr);
        site_errors_free(errors);
        assert_non_null(r->site);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
}

static inline int record_move(void *ctx, const char *json)
{
        struct rig *r = ctx;
        char *stored = NULL;
        int64_t t_ms;

        if (r->store) {
                assert_int_equal(store_latest_vm_message(r->store, "move/request", &t_ms, &stored), 0);
                assert_string_equal(stored, json);
                free(stored);
        }
        if (r->publish == 0 && r->nmove < sizeof r->move / sizeof *r->move)
                (void)snprintf(r->move[r->nmove++], sizeof *r->move, "%s", json);
        return r->publish;
}

/* The priors as certain as if a quiet room had been measured, so that tests need not wait for a fit. */
static inline void measured(struct gate *g)
{
        for (size_t i = 0; i < g->layout->ny; i++)
                g->model->row[i].w_bar = g->model->row[i].w_step = g->model->args.w_min;
}

static inline int rig_gate(struct rig *r, bool acting, int64_t explore_ms)
{
        int e = gate_create(&(struct gate_args){.site = r->site,
                                                .clk = &r->clk,
                                                .store = r->store,
                                                .actuator = {acting ? record : NULL, r},
                                                .run_mode = "sim",
                                                .acting = acting,
                                                .explore_ms = explore_ms,
                                                .publish_move = record_move,
                                                .publish_ctx = r,
                                                .log = rig_log,
                                                .log_ctx = r},
                            &r->gate);
        if (e == 0 && !r->cold)
                measured(r->gate);
        return e;
}

static inline void rig_start(struct rig *r, bool acting, int64_t explore_ms)
{
        assert_int_equal(rig_gate(r, acting, explore_ms), 0);
}

static inline void rig_open(struct rig *r)
{
        load_site(r);
        for (size_t i = 0; i < r->site->ndevice; i++)
                r->site->device[i].watchdog_probe = false; /* test_probe has its own plant */
        clk_init_virtual(&r->clk, 1752537600000);
        r->obey = true;
        r->value = calloc(r->site->npoint, sizeof *r->value);
        for (size_t i = 0; i < r->site->npoint; i++)
                switch (r->site->point[i].role) {
                case ROLE_INLET_TEMP:
                        r->value[i] = 21;
                        break;
                case ROLE_SAT:
                case ROLE_SAT_SP:
                        r->value[i] = 17.8;
                        break;
                case ROLE_RAT:
                        r->value[i] = 27;
                        break;
                case ROLE_FAN_CMD:
                        r->value[i] = 0.9;
                        break;
                case ROLE_RACK_POWER:
                        r->value[i] = 4000;
                        break;
                case ROLE_REMOTE_STATUS:
                case ROLE_REMOTE_ENABLE:
                        r->value[i] = 1;
                        break;
                default:
                        r->value[i] = 1000;
                }
}

/* The site and what it shows, no gate yet. */
static inline struct rig *rig_site(void)
{
        struct rig *r = calloc(1, sizeof *r);

        assert_non_null(r);
        rig_open(r);
        return r;
}

static inline struct rig *rig_new(bool acting)
{
        struct rig *r = rig_site();

        rig_start(r, acting, 0);
        return r;
}

static inline void rig_free(struct rig *r)
{
        gate_free(r->gate);
        store_close(r->store);
        site_free(r->site);
        free(r->value);
        free(r);
}

/* A gate on the example of a whole plant, calm. store NULL: none. */
static inline struct rig *rig_hall_with(struct store *store, bool acting)
{
        struct rig *r = calloc(1, sizeof *r);
        struct site_errors *errors;

        assert_non_null(r);
        assert_int_equal(site_load(SOURCE_DIR "/deploy/examples/hall/site.yaml", &r->site, &errors), 0);
        site_errors_free(errors);
        for (size_t i = 0; i < r->site->ndevice; i++)
                r->site->device[i].watchdog_probe = false;
        clk_init_virtual(&r->clk, 1752537600000);
        r->obey = true;
        r->value = calloc(r->site->npoint, sizeof *r->value);
        for (size_t k = 0; k < r->site->npoint; k++) {
                enum role role = r->site->point[k].role;

                r->value[k] = role == ROLE_INLET_TEMP                                      ? 21
                              : role == ROLE_SAT || role == ROLE_SAT_SP                    ? 18
                              : role == ROLE_FAN_CMD                                       ? 0.9
                              : role == ROLE_RACK_POWER                                    ? 4000
                              : role == ROLE_CHILLER_STATUS || role == ROLE_CHILLER_ENABLE ? 1
                              : role == ROLE_REMOTE_STATUS || role == ROLE_REMOTE_ENABLE   ? 1
                                                                                           : 0.1;
        }
        r->store = store;
        rig_start(r, acting, 0);
        return r;
}

static inline struct rig *rig_hall(bool acting)
{
        return rig_hall_with(NULL, acting);
}

/* Everything the plant shows, except points of `skip` role. */
static inline void scan(struct rig *r, enum role skip)
{
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s = {.point = (uint32_t)i, .t_ms = clk_t_ms(&r->clk), .value = r->value[i], .raw = 0};

                if (r->site->point[i].role != skip || skip == ROLE_NONE)
                        gate_samples(r->gate, &s, 1);
        }
}

static inline void finish_writes(struct rig *r, enum write_result result)
{
        for (; r->done < r->nwrite; r->done++)
                gate_write_done(r->gate, &(struct write_outcome){.id = r->write[r->done].id,
                                                                 .point = r->write[r->done].point,
                                                                 .result = result,
                                                                 .written = r->write[r->done].value,
                                                                 .read_back = r->write[r->done].value,
                                                                 .t_ms = clk_t_ms(&r->clk)});
}

static inline void advance(struct rig *r, enum role skip)
{
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        scan(r, skip);
        gate_heartbeat(r->gate);
        gate_step_begin(r->gate, &r->step);
}

/* A proposal equal to the present setpoints. */
static inline void proposal(struct rig *r, struct ipc_proposal *p)
{
        memset(p, 0, sizeof *p);
        ipc_head_init(&p->head, IPC_PROPOSAL, r->step.head.seq, r->step.head.t_ms, r->site->hash);
        p->nu = r->step.nu;
        p->in_distribution = 1;
        memcpy(p->u, r->step.u, sizeof p->u);
        p->predicted_w = p->predicted_std_w = p->predicted_max_inlet_c = (double)NAN;
}

static inline bool supervises(const struct rig *r, size_t write)
{
        enum role role = r->site->point[r->write[write].point].role;

        return role == ROLE_HEARTBEAT_CMD || role == ROLE_REMOTE_ENABLE;
}

/* Writes since `from` that are setpoints. */
static inline size_t setpoint_writes(const struct rig *r, size_t from)
{
        size_t n = 0;

        for (size_t i = from; i < r->nwrite; i++)
                n += !supervises(r, i);
        return n;
}

/* Last write to a point since `from`, or −1. */
static inline ptrdiff_t last_write(const struct rig *r, size_t from, int pt)
{
        for (size_t i = r->nwrite; i > from; i--)
                if (r->write[i - 1].point == (uint32_t)pt)
                        return (ptrdiff_t)i - 1;
        return -1;
}

static inline struct gate_status status(const struct rig *r)
{
        struct gate_status s;

        gate_status(r->gate, &s);
        return s;
}

#endif
