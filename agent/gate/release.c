/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/release.h"

#include <errno.h>
#include <signal.h>
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
        bool *read;    /* [npoint] a reading came, good or bad */
        bool *written; /* [npoint] */
        bool clearing, failed;
        int64_t phase_ms;
};

static bool is_enable(const struct release *r, size_t i)
{
        const struct point *p = &r->site->point[i];

        return p->role == ROLE_REMOTE_ENABLE && actuate_supervises(r->actuate, p->device) &&
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

        if (o->result == WRITE_ACCEPTED) {
                log_notice("release", "%s: remote enable cleared, local control", device_name(r, o->point));
        } else {
                log_warning("release", "%s: remote enable not cleared (%s); its own watchdog takes over",
                            device_name(r, o->point), write_result_str(o->result));
                r->failed = true;
        }
        r->written[o->point] = true;
        if (r->actuate)
                actuate_done(r->actuate, o, clk_mono_ms(r->clk));
}

static bool all_read(const struct release *r)
{
        for (size_t i = 0; i < r->site->npoint; i++)
                if (is_enable(r, i) && !r->read[i])
                        return false;
        return true;
}

static void report(struct release *r)
{
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s;

                if (!is_enable(r, i) || r->written[i])
                        continue;
                s = ptable_get(r->points, i, clk_t_ms(r->clk));
                if (s.quality == QUALITY_GOOD && s.value < 0.5) {
                        log_info("release", "%s: local already", device_name(r, i));
                } else {
                        log_warning("release", "%s: not reached in time; its own watchdog takes over",
                                    device_name(r, i));
                        r->failed = true;
                }
        }
}

static void on_tick(void *ctx)
{
        struct release *r = ctx;
        int64_t spent_ms = clk_real_mono_ms() - r->phase_ms;

        if (!r->clearing && (all_read(r) || spent_ms > RELEASE_READ_MS)) {
                r->clearing = true;
                r->phase_ms = clk_real_mono_ms();
                actuate_release(r->actuate, clk_t_ms(r->clk));
        } else if (r->clearing && (actuate_pending(r->actuate) == 0 || spent_ms > RELEASE_WRITE_MS)) {
                loop_stop(r->loop);
                return;
        }
        loop_timer_arm(r->tick, TICK_MS);
}

static int set_up(struct release *r)
{
        struct actuator act = {0};
        int rc = layout_create(r->site, &r->layout);

        r->read = calloc(r->site->npoint + 1, sizeof *r->read);
        r->written = calloc(r->site->npoint + 1, sizeof *r->written);
        if (!r->read || !r->written)
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
        if (rc < 0) {
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
        free(r.written);
        (void)close(lock);
        return code;
}
