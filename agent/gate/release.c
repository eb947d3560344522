/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/release.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/drivers/modbus.h"
#include "agent/gate/actuate.h"
#include "agent/store/store.h"

enum { TICK_MS = 20 };

struct release {
        const struct site *site;
        const struct clk *clk;
        struct loop *loop;
        struct loop_timer *tick;
        struct layout *layout;
        struct ptable *points;
        struct modbus_driver *modbus;
        struct actuate *actuate;
        bool *read; /* [npoint] a reading came, good or bad */
        struct outcome {
                bool written;
                enum write_result result;
        } * enable;         /* [npoint] the last write of a remote enable */
        char (*error)[128]; /* [ndevice] the last one of a device, "" = none */
        bool clearing, failed;
        int64_t phase_ms, tried_ms;
};

static bool is(const struct release *r, size_t i, enum role role)
{
        const struct point *p = &r->site->point[i];

        return p->role == role && actuate_supervises(r->actuate, p->device) &&
               r->site->device[p->device].protocol != DEVICE_MQTT;
}

static const char *device_name(const struct release *r, size_t point)
{
        return r->site->device[r->site->point[point].device].name;
}

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct release *r = ctx;

        for (size_t i = 0; i < n; i++) {
                struct sample v = s[i];

                ptable_update(r->points, &v, clk_t_ms(r->clk));
                r->read[v.point] = true;
        }
}

static void on_done(void *ctx, const struct write_outcome *o)
{
        struct release *r = ctx;

        if (o->result == WRITE_ACCEPTED)
                log_notice("release", "%s: remote enable cleared, local control", device_name(r, o->point));
        r->enable[o->point] = (struct outcome){true, o->result};
        if (r->actuate)
                actuate_done(r->actuate, o, clk_mono_ms(r->clk));
}

static void on_event(void *ctx, int severity, const char *component, const char *text)
{
        (void)ctx;
        log_msg((enum log_level)severity, component, "%s", text);
}

static bool all_read(const struct release *r)
{
        for (size_t i = 0; i < r->site->npoint; i++)
                if ((is(r, i, ROLE_REMOTE_ENABLE) || is(r, i, ROLE_REMOTE_STATUS)) && !r->read[i])
                        return false;
        return true;
}

/* The report comes after the driver is gone. */
static void keep_errors(struct release *r)
{
        for (size_t d = 0; d < r->site->ndevice && r->modbus; d++) {
                struct device_stats st;
                modbus_driver_stats(r->modbus, (int)d, &st);
                (void)snprintf(r->error[d], sizeof r->error[d], "%s", st.last_error);
        }
}

static void report(struct release *r)
{
        for (size_t i = 0; i < r->site->npoint; i++) {
                if (!is(r, i, ROLE_REMOTE_ENABLE) || (r->enable[i].written && r->enable[i].result == WRITE_ACCEPTED))
                        continue;
                if (!r->enable[i].written && r->clearing) {
                        log_info("release", "%s: local already", device_name(r, i));
                        continue;
                }
                const char *last = r->error[r->site->point[i].device];
                log_warning("release", "%s: remote enable not cleared (%s%s%s); its own watchdog takes over",
                            device_name(r, i),
                            r->enable[i].written ? write_result_str(r->enable[i].result) : "not reached in time",
                            last[0] != '\0' ? "; last error: " : "", last);
                r->failed = true;
        }
}

static void on_tick(void *ctx)
{
        struct release *r = ctx;
        int64_t now_ms = clk_real_mono_ms(), spent_ms = now_ms - r->phase_ms;

        if (!r->clearing && (all_read(r) || spent_ms > RELEASE_READ_MS)) {
                r->clearing = true;
                r->phase_ms = r->tried_ms = now_ms;
                actuate_release(r->actuate, clk_t_ms(r->clk));
        } else if (r->clearing && (actuate_released(r->actuate) || spent_ms > RELEASE_WRITE_MS)) {
                loop_stop(r->loop);
                return;
        } else if (r->clearing && now_ms - r->tried_ms >= ACTUATE_RELEASE_RETRY_MS) {
                r->tried_ms = now_ms;
                actuate_release(r->actuate, clk_t_ms(r->clk));
        }
        loop_timer_arm(r->tick, TICK_MS);
}

static int set_up(struct release *r)
{
        struct actuator act = {0};
        int rc = layout_create(r->site, &r->layout);

        r->read = calloc(r->site->npoint + 1, sizeof *r->read);
        r->enable = calloc(r->site->npoint + 1, sizeof *r->enable);
        r->error = calloc(r->site->ndevice + 1, sizeof *r->error);
        if (!r->read || !r->enable || !r->error)
                return -ENOMEM;
        if (rc >= 0)
                rc = ptable_create(r->site->point, r->site->npoint, &r->points);
        if (rc >= 0)
                rc = loop_create(r->clk, &r->loop);
        if (rc >= 0)
                rc = loop_timer_create(r->loop, true, on_tick, r, &r->tick);
        if (rc >= 0)
                rc = modbus_driver_create(&(struct modbus_args){.site = r->site,
                                                                .loop = r->loop,
                                                                .clk = r->clk,
                                                                .samples = {on_samples, r},
                                                                .writable = true,
                                                                .writes = {on_done, r},
                                                                .events = {on_event, NULL},
                                                                .seed = r->site->seed},
                                          &r->modbus, &act);
        if (rc >= 0)
                rc = actuate_create(
                    &(struct actuate_args){.layout = r->layout, .points = r->points, .actuator = act, .acting = true},
                    &r->actuate);
        return rc;
}

int release_run(const struct site *site, const struct clk *clk)
{
        struct release r = {.site = site, .clk = clk, .phase_ms = clk_real_mono_ms()};
        char why[256];
        int lock = -1, code = EXIT_GENERIC, rc;

        rc = store_lock(site->database, &lock, why);
        if (rc == -EROFS) { /* no gate can have it open either */
                log_warning("release", "%s; going on without it", why);
        } else if (rc < 0) {
                log_error("release", "%s; nothing is written", why);
                return rc == -EBUSY ? EXIT_TEMPFAIL : EXIT_IO;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        rc = set_up(&r);
        if (rc >= 0) {
                modbus_driver_scan_now(r.modbus);
                loop_timer_arm(r.tick, 0);
                rc = loop_run(r.loop);
        }
        if (rc < 0)
                log_error("release", "%s", strerror(-rc));
        keep_errors(&r);
        modbus_driver_free(r.modbus); /* writes still under way end here */
        if (rc >= 0) {
                report(&r);
                code = r.failed ? EXIT_UNAVAILABLE : EXIT_OK;
        }
        actuate_free(r.actuate);
        loop_timer_free(r.tick);
        loop_free(r.loop);
        ptable_free(r.points);
        layout_free(r.layout);
        free(r.read);
        free(r.enable);
        free(r.error);
        if (lock >= 0)
                (void)close(lock);
        return code;
}
