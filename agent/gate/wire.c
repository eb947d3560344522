/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/wire.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/text.h"
#include "agent/drivers/modbus.h"
#include "agent/drivers/mqtt.h"
#include "agent/gate/actuate.h"
#include "agent/gate/gate.h"
#include "agent/gate/notify.h"
#include "agent/gate/server.h"
#include "agent/gate/status.h"

enum { NOTICES_PER_STEP = 4 };
enum { FLUSH_MS = 500, FLUSH_MORE_MS = 20, HANDBACK_MAX_MS = 8000, DEADLINE_MAX_MS = 5000 };

enum { SOURCE_EVENTS_PER_MINUTE = 60 }; /* of each; a device that flaps must not flood the database */

enum leaving { STAYING, HANDING_BACK, RELEASING };

struct wire;
struct event_source {
        struct wire *w;
        struct event_ration ration;
};

struct wire {
        const struct wire_args *a;
        struct clk clk;
        struct loop *loop;
        struct store *store;
        struct modbus_driver *modbus;
        struct mqtt_driver *mqtt;
        struct null_actuator *null;
        struct gate *gate;
        struct server *server;
        struct event_source modbus_events, mqtt_events, server_events;
        struct loop_timer *step, *deadline, *flush, *heartbeat, *leave;
        struct ipc_step msg;
        bool waiting; /* a step has begun, the planner's answer is awaited */
        bool garbage; /* what came so far was malformed */
        int64_t next_step_mono_ms;
        enum device_state *device_state;
        uint64_t *device_resets;
        unsigned planner_notices; /* of the present step: a planner that floods must not flood the log */
        enum leaving leaving;
        int64_t leave_started_ms, release_tried_ms;
        int exit_code;
};

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct wire *w = ctx;

        if (w->gate)
                gate_samples(w->gate, s, n);
}

static void on_write_done(void *ctx, const struct write_outcome *o)
{
        struct wire *w = ctx;

        if (w->gate)
                gate_write_done(w->gate, o);
}

static void on_vm(void *ctx, const char *subtopic, const char *json, size_t len)
{
        struct wire *w = ctx;

        if (w->gate)
                gate_vm_message(w->gate, subtopic, json, len);
}

static int publish_move(void *ctx, const char *json)
{
        struct wire *w = ctx;

        return w->mqtt ? mqtt_driver_publish_vm(w->mqtt, "move/request", json) : -ENOTCONN;
}

/* The journal has every event from notice up, stored or not. */
static void on_event(void *ctx, int severity, const char *component, const char *text)
{
        (void)ctx;
        if (severity <= LOG_LEVEL_NOTICE)
                log_msg((enum log_level)severity, component, "%s", text);
}

/* Of a driver or the server: stored and logged; what is too much is in the journal alone, which has its own limits. */
static void on_source_event(void *ctx, int severity, const char *component, const char *text)
{
        struct event_source *s = ctx;
        char more[64];
        unsigned over;

        if (!s->w->gate || !event_ration_take(&s->ration, SOURCE_EVENTS_PER_MINUTE, clk_real_mono_ms(), &over)) {
                on_event(s->w, severity, component, text);
                return;
        }
        if (over > 0) {
                (void)snprintf(more, sizeof more, "%u event%s before this are in the journal alone", over,
                               PLURAL_S(over));
                gate_event(s->w->gate, 4, component, more);
        }
        gate_event(s->w->gate, severity, component, text);
}

/* ---- the cycle ---- */

static void end_step(struct wire *w, const struct ipc_proposal *p)
{
        struct gate_status st;
        char text[160], slack[32] = "not certified yet";

        if (!w->waiting)
                return;
        w->waiting = false;
        loop_timer_disarm(w->deadline);
        gate_step_end(w->gate, p, !p && w->garbage);
        gate_status(w->gate, &st);
        if (isfinite(st.margin_k))
                (void)snprintf(slack, sizeof slack, "slack %.2f K", st.margin_k);
        (void)snprintf(text, sizeof text, "%s, step %llu, %s, hottest inlet %.1f C, %s", gate_mode_str(st.mode),
                       (unsigned long long)st.step, decision_kind_str(st.kind), st.max_inlet_c, slack);
        notify_status(text);
        notify_watchdog();
}

static void on_deadline(void *ctx)
{
        end_step(ctx, NULL);
}

static void on_proposal(void *ctx, const struct ipc_proposal *p, const char *why)
{
        struct wire *w = ctx;

        if (!p) {
                w->garbage = true;
                if (w->planner_notices++ < NOTICES_PER_STEP) {
                        char text[160];

                        (void)snprintf(text, sizeof text, "malformed message: %s", why);
                        gate_event(w->gate, 4, "planner", text);
                }
                return;
        }
        if (w->waiting && p->head.seq == w->msg.head.seq && p->nu == w->msg.nu)
                end_step(w, p);
}

static void on_planner(void *ctx, bool connected)
{
        struct wire *w = ctx;

        if (w->planner_notices++ >= NOTICES_PER_STEP)
                return;
        if (w->gate)
                gate_event(w->gate, connected ? 5 : 4, "planner", connected ? "connected" : "gone");
}

static void arm_next_step(struct wire *w)
{
        int64_t now = clk_mono_ms(&w->clk), period = w->a->site->fast_step_ms;

        w->next_step_mono_ms += period;
        if (w->next_step_mono_ms <= now) /* slept through: skip what was missed, never catch up in a burst */
                w->next_step_mono_ms += (now - w->next_step_mono_ms) / period * period + period;
        loop_timer_arm(w->step, w->next_step_mono_ms - now);
}

static void on_step(void *ctx)
{
        struct wire *w = ctx;
        double deadline_ms = fmin((double)w->a->site->fast_step_ms / w->clk.scale * 0.6, DEADLINE_MAX_MS);

        arm_next_step(w);
        if (w->leaving != STAYING)
                return;
        end_step(w, NULL);
        gate_step_begin(w->gate, &w->msg);
        w->waiting = true;
        w->garbage = false;
        w->planner_notices = 0;
        if (server_send_step(w->server, &w->msg))
                loop_timer_arm(w->deadline, (int64_t)deadline_ms + 1);
        else
                end_step(w, NULL);
}

/* ---- housekeeping ---- */

static void watch_devices(struct wire *w)
{
        static const char *const name[] = {"up", "degraded", "down"};

        for (size_t i = 0; i < w->a->site->ndevice; i++) {
                const struct device *d = &w->a->site->device[i];
                struct device_stats st;
                char text[256];

                if (d->protocol == DEVICE_MQTT)
                        continue;
                modbus_driver_stats(w->modbus, (int)i, &st);
                if (!st.known || st.state == w->device_state[i])
                        continue;
                (void)snprintf(text, sizeof text, "%s is %s%s%s", d->name, name[st.state],
                               st.state == DEVICE_UP ? "" : ": ", st.state == DEVICE_UP ? "" : st.last_error);
                gate_event(w->gate, st.state == DEVICE_UP ? 5 : 4, "modbus", text);
                w->device_state[i] = st.state;
        }
}

static void watch_clock(struct wire *w)
{
        char text[128];
        int64_t step_ms = clk_follow(&w->clk);

        if (step_ms == 0)
                return;
        (void)snprintf(text, sizeof text, "the wall clock was set %s by %.1f s%s", step_ms < 0 ? "back" : "forward",
                       fabs((double)step_ms) / 1000.0, step_ms < 0 ? "; times here go on and are slewed to it" : "");
        gate_event(w->gate, 4, "clock", text);
}

static void on_flush(void *ctx)
{
        struct wire *w = ctx;

        watch_clock(w);
        watch_devices(w);
        int r = gate_flush(w->gate);

        if (r == 0)
                gate_upkeep(w->gate);
        loop_timer_arm(w->flush, r > 0 ? FLUSH_MORE_MS : FLUSH_MS);
}

/* A device that a moment ago reset its connection may be local because it was restarted. */
static void watch_resets(struct wire *w)
{
        for (size_t i = 0; w->modbus && i < w->a->site->ndevice; i++) {
                struct device_stats st;

                modbus_driver_stats(w->modbus, (int)i, &st);
                if (st.resets != w->device_resets[i])
                        gate_outage(w->gate, (int)i);
                w->device_resets[i] = st.resets;
        }
}

static void on_heartbeat(void *ctx)
{
        struct wire *w = ctx;

        watch_resets(w);
        if (w->leaving != RELEASING)
                gate_heartbeat(w->gate);
        loop_timer_arm(w->heartbeat, gate_heartbeat_ms(w->gate));
}

/* Leaving: fallback setpoints, then remote enable off, then stop; each waits for its writes, bounded. */
static void on_leave(void *ctx)
{
        struct wire *w = ctx;
        int64_t now_ms = clk_real_mono_ms();
        bool late = now_ms - w->leave_started_ms > HANDBACK_MAX_MS;
        bool done = w->leaving == RELEASING ? gate_released(w->gate) : gate_handback_done(w->gate);

        if (done || late) {
                if (w->leaving == RELEASING || !w->a->live) {
                        if (late)
                                log_warning("gate",
                                            "hand-back not confirmed in time; the devices' watchdogs take over");
                        loop_stop(w->loop);
                        return;
                }
                w->leaving = RELEASING;
                w->leave_started_ms = w->release_tried_ms = now_ms;
                gate_release(w->gate);
        } else if (w->leaving == RELEASING && now_ms - w->release_tried_ms >= ACTUATE_RELEASE_RETRY_MS) {
                w->release_tried_ms = now_ms;
                gate_release(w->gate);
        }
        loop_timer_arm(w->leave, 10);
}

static void on_signal(void *ctx, int signo)
{
        struct wire *w = ctx;

        if (signo == SIGHUP) {
                log_notice("gate", "SIGHUP: configuration is read at start only; restart to apply changes");
                return;
        }
        if (w->leaving != STAYING)
                return;
        notify_stopping();
        log_notice("gate", "stopping on signal %d", signo);
        w->waiting = false;
        w->leaving = HANDING_BACK;
        w->leave_started_ms = clk_real_mono_ms();
        gate_handback_begin(w->gate, "the gate is stopping");
        loop_timer_arm(w->leave, 0);
}

static size_t on_status(void *ctx, char *buf, size_t cap)
{
        struct wire *w = ctx;

        return status_json(w->a->site, &w->clk, w->gate, w->modbus, w->mqtt, server_planner_connected(w->server), buf,
                           cap);
}

/* ---- set-up ---- */

static int open_store(struct wire *w)
{
        char why[256];
        int r = store_open(w->a->site->database, STORE_WRITE, &w->store, why);

        if (r < 0)
                log_error("store", "%s%s", why,
                          r == -EBUSY ? "; most likely another coolplaned with this configuration" : "");
        return r;
}

static int open_drivers(struct wire *w, struct actuator *ret_act)
{
        const struct site *site = w->a->site;
        int r;

        r = modbus_driver_create(&(struct modbus_args){.site = site,
                                                       .loop = w->loop,
                                                       .clk = &w->clk,
                                                       .samples = {on_samples, w},
                                                       .writable = w->a->live,
                                                       .writes = {on_write_done, w},
                                                       .events = {on_source_event, &w->modbus_events},
                                                       .seed = site->seed},
                                 &w->modbus, ret_act);
        if (r < 0) {
                log_error("modbus", "driver: %s", strerror(-r));
                return r;
        }
        if (!w->a->live) {
                r = null_actuator_create(site, (struct write_sink){on_write_done, w}, &w->null, ret_act);
                if (r < 0)
                        return r;
        }
        if (!site->mqtt.enabled)
                return 0;
        r = mqtt_driver_create(&(struct mqtt_args){.site = site,
                                                   .loop = w->loop,
                                                   .clk = &w->clk,
                                                   .samples = {on_samples, w},
                                                   .vm = {on_vm, w},
                                                   .events = {on_source_event, &w->mqtt_events},
                                                   .may_publish_moves = w->a->live},
                               &w->mqtt);
        if (r < 0)
                log_error("mqtt", "driver: %s", strerror(-r));
        return r;
}

static int open_timers(struct wire *w)
{
        struct loop *l = w->loop;
        int r = loop_timer_create(l, false, on_step, w, &w->step);

        if (r >= 0)
                r = loop_timer_create(l, true, on_deadline, w, &w->deadline);
        if (r >= 0)
                r = loop_timer_create(l, true, on_flush, w, &w->flush);
        if (r >= 0)
                r = loop_timer_create(l, false, on_heartbeat, w, &w->heartbeat);
        if (r >= 0)
                r = loop_timer_create(l, true, on_leave, w, &w->leave);
        return r;
}

int wire_run(const struct wire_args *a)
{
        struct wire *w = calloc(1, sizeof *w);
        struct actuator act = {0};
        sigset_t set;
        int r;

        if (!w)
                return EXIT_GENERIC;
        w->a = a;
        w->clk = a->clk;
        w->modbus_events.w = w->mqtt_events.w = w->server_events.w = w;
        w->exit_code = EXIT_UNAVAILABLE;
        w->device_state = calloc(a->site->ndevice + 1, sizeof *w->device_state);
        w->device_resets = calloc(a->site->ndevice + 1, sizeof *w->device_resets);
        r = w->device_state && w->device_resets ? loop_create(&w->clk, &w->loop) : -ENOMEM;
        if (r < 0)
                goto out;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN);
        r = loop_signals(w->loop, &set, on_signal, w);
        if (r < 0)
                goto out;
        r = open_store(w);
        if (r < 0) {
                w->exit_code = r == -EBUSY ? EXIT_TEMPFAIL : EXIT_IO;
                goto out;
        }
        r = open_drivers(w, &act);
        if (r < 0)
                goto out;
        r = gate_create(&(struct gate_args){.site = a->site,
                                            .clk = &w->clk,
                                            .store = w->store,
                                            .actuator = act,
                                            .run_mode = a->live ? "live" : "shadow",
                                            .acting = a->live,
                                            .explore_ms = a->explore_ms,
                                            .publish_move = a->live && a->site->vm.enabled ? publish_move : NULL,
                                            .publish_ctx = w,
                                            .log = on_event},
                        &w->gate);
        if (r < 0) {
                log_error("gate", "set-up: %s", r == -EIO ? store_errmsg(w->store) : strerror(-r));
                if (r == -EINVAL || r == -E2BIG)
                        w->exit_code = EXIT_CONFIG;
                goto out;
        }
        r = server_create(&(struct server_args){.site = a->site,
                                                .loop = w->loop,
                                                .planner_uid = a->planner_uid,
                                                .proposal = on_proposal,
                                                .planner = on_planner,
                                                .status = on_status,
                                                .status_cap = status_cap(a->site),
                                                .events = {on_source_event, &w->server_events},
                                                .ctx = w},
                          &w->server);
        if (r < 0) {
                log_error("gate", "%s: %s", a->site->run_dir, strerror(-r));
                goto out;
        }
        r = open_timers(w);
        if (r < 0)
                goto out;
        modbus_driver_scan_now(w->modbus);
        w->next_step_mono_ms = clk_mono_ms(&w->clk);
        arm_next_step(w);
        loop_timer_arm(w->flush, FLUSH_MS);
        on_heartbeat(w);
        log_notice("gate", "%s: %s, %zu point%s, %zu device%s", a->live ? "live" : "shadow", a->site->name,
                   a->site->npoint, PLURAL_S(a->site->npoint), a->site->ndevice, PLURAL_S(a->site->ndevice));
        notify_ready(a->live ? "live, first scan" : "shadow, first scan",
                     (int64_t)((double)a->site->fast_step_ms / w->clk.scale));
        r = loop_run(w->loop);
        w->exit_code = r < 0 ? EXIT_GENERIC : EXIT_OK;
out:
        if (r < 0)
                log_error("gate", "stopped: %s", strerror(-r));
        server_free(w->server);
        mqtt_driver_free(w->mqtt);
        modbus_driver_free(w->modbus);
        gate_free(w->gate);
        null_actuator_free(w->null);
        store_close(w->store);
        loop_timer_free(w->leave);
        loop_timer_free(w->heartbeat);
        loop_timer_free(w->flush);
        loop_timer_free(w->deadline);
        loop_timer_free(w->step);
        loop_free(w->loop);
        free(w->device_state);
        free(w->device_resets);
        r = w->exit_code;
        free(w);
        return r;
}
