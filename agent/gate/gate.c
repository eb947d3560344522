/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* One control cycle: samples → snapshot → decision → store → act. See gate.h; set-up in envelope.c, model in learn.c.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"
#include "agent/gate/vm.h"

enum { ALIGN = 64 };

const char *gate_mode_str(enum gate_mode m)
{
        static const char *const name[] = {"ACTIVE", "HOLD", "FALLBACK", "RELEASE", "SHADOW"};

        return (unsigned)m < sizeof name / sizeof name[0] ? name[m] : "?";
}

static void on_event(void *ctx, int severity, const char *text)
{
        gate_event(ctx, severity, "actuate", text);
}

void gate_event(struct gate *g, int severity, const char *component, const char *text)
{
        if (g->a.store)
                (void)store_put_event(g->a.store, g->run_id, clk_t_ms(g->a.clk), severity, component, text);
}

static int create_arrays(struct gate *g)
{
        const struct layout *l = g->layout;

        g->window_cap = g->structure->lag_max + g->span.window;
        g->window_y = calloc(g->window_cap * (l->ny + 1), sizeof(double));
        g->window_u = calloc(g->window_cap * (l->nu + 1), sizeof(double));
        g->window_d = calloc(g->window_cap * (l->nd + 1), sizeof(double));
        g->age = calloc(l->ny + 1, sizeof *g->age);
        g->u_confirmed = calloc(l->nu + 1, sizeof(double));
        g->d_free = calloc(l->nd + 1, sizeof(double));
        g->d_hi = calloc(l->nd + 1, sizeof(double));
        g->d_change2 = calloc(l->nd + 1, sizeof(double));
        g->y_ok = calloc(l->ny + 1, 1);
        g->onoff = calloc(l->nu + 1, 1);
        if (!g->window_y || !g->window_u || !g->window_d || !g->age || !g->u_confirmed || !g->d_free || !g->d_hi ||
            !g->d_change2 || !g->y_ok || !g->onoff)
                return -ENOMEM;
        return 0;
}

static int create_safety(struct gate *g)
{
        const char *what;
        size_t index, size;
        int r = gate_envelope_build(g->layout, &g->envelope);

        if (r < 0)
                return r;
        if (g->envelope.safety.nu < 1 || g->envelope.safety.ncert < 1) {
                g->a.acting = false;
                g->status.watching = true;
                gate_event(g, 5, "gate", "nothing to command under a certified limit: watching only");
                g->watch_y = calloc(g->layout->ny + 1, sizeof(double));
                g->watch_work = calloc(arx_predict_work(g->model, 1) + 1, sizeof(double));
                return g->watch_y && g->watch_work ? 0 : -ENOMEM;
        }
        r = safety_envelope_validate(&g->envelope.safety, &what, &index);
        if (r < 0) {
                char text[160];

                (void)snprintf(text, sizeof text, "safety envelope: %s of entry %zu", what, index);
                gate_event(g, 3, "gate", text);
                return r;
        }
        size = safety_memsize(&g->envelope.safety, g->structure);
        g->safety_mem = aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
        if (!g->safety_mem)
                return -ENOMEM;
        return safety_create(g->safety_mem, size, &g->envelope.safety, g->model, &g->safety);
}

/* Equipment timers of the run before this one. */
static void restore_timers(struct gate *g)
{
        double buf[GATE_TIMERS_MAX];
        int64_t t_ms;
        size_t len;

        if (!g->safety || !g->a.store || store_get_state(g->a.store, "equipment", &t_ms, buf, sizeof buf, &len) < 0)
                return;
        safety_state_restore(g->safety, (double)clk_mono_ms(g->a.clk) / 1000.0,
                             fmax(0, (double)(clk_t_ms(g->a.clk) - t_ms) / 1000.0), buf, len / sizeof(double));
}

int gate_create(const struct gate_args *args, struct gate **ret)
{
        struct gate *g = calloc(1, sizeof *g);
        int r = -ENOMEM;

        if (!g)
                return r;
        g->a = *args;
        g->store_failing_since_mono_ms = -1;
        g->fit_countdown = GATE_FIT_EVERY;
        g->last_row_t_ms = -1;
        r = hash_init(&g->decisions);
        if (r < 0)
                goto fail;
        if (g->a.store) {
                r = store_bind_site(g->a.store, g->a.site);
                if (r < 0)
                        goto fail;
                r = store_begin_run(g->a.store,
                                    &(struct store_run){.mode = args->run_mode,
                                                        .t_ms = clk_t_ms(args->clk),
                                                        .version = COOLPLANE_VERSION,
                                                        .config_hash = args->site->hash},
                                    &g->run_id);
                if (r < 0)
                        goto fail;
        }
        r = layout_create(args->site, &g->layout);
        if (r < 0)
                goto fail;
        g->span = gate_spans(g->layout->step_s);
        r = ptable_create(args->site->point, args->site->npoint, &g->points);
        if (r < 0)
                goto fail;
        r = resampler_create(g->layout, GATE_HOLD_STEPS, &g->resampler);
        if (r < 0)
                goto fail;
        r = gate_model_create(g);
        if (r < 0)
                goto fail;
        r = create_arrays(g);
        if (r < 0)
                goto fail;
        r = create_safety(g);
        if (r < 0)
                goto fail;
        r = actuate_create(&(struct actuate_args){.layout = g->layout,
                                                  .points = g->points,
                                                  .store = args->store,
                                                  .actuator = args->actuator,
                                                  .acting = g->a.acting,
                                                  .event = on_event,
                                                  .event_ctx = g},
                           &g->actuate);
        if (r < 0)
                goto fail;
        actuate_bind_run(g->actuate, g->run_id);
        r = vm_inventory_create(g->layout, &g->vm);
        if (r < 0)
                goto fail;
        restore_timers(g);
        gate_model_seed(g);
        gate_model_store(g, clk_mono_ms(args->clk));
        g->status.mode = g->a.acting ? GATE_HOLD : GATE_SHADOW;
        *ret = g;
        return 0;
fail:
        gate_free(g);
        return r;
}

struct gate *gate_free(struct gate *g)
{
        if (!g)
                return NULL;
        if (g->actuate && g->a.store) {
                (void)gate_flush(g);
                (void)store_end_run(g->a.store, g->run_id, clk_t_ms(g->a.clk), "stopped");
        }
        vm_inventory_free(g->vm);
        actuate_free(g->actuate);
        resampler_free(g->resampler);
        ptable_free(g->points);
        free(g->safety_mem);
        free(g->watch_y);
        free(g->watch_work);
        free(g->model_mem);
        free(g->structure);
        gate_envelope_free(&g->envelope);
        free(g->window_y);
        free(g->window_u);
        free(g->window_d);
        free(g->age);
        free(g->u_confirmed);
        free(g->d_free);
        free(g->d_hi);
        free(g->d_change2);
        free(g->y_ok);
        free(g->onoff);
        layout_free(g->layout);
        if (g->decisions.ctx)
                hash_free(&g->decisions);
        free(g);
        return NULL;
}

/* ---- samples ---- */

void gate_store_trouble(struct gate *g, bool failed)
{
        if (!failed)
                g->store_failing_since_mono_ms = -1;
        else if (g->store_failing_since_mono_ms < 0)
                g->store_failing_since_mono_ms = clk_mono_ms(g->a.clk);
}

int gate_flush(struct gate *g)
{
        int64_t start = clk_real_mono_ms();
        size_t n = g->nqueue, dup = 0;
        int r = 0;

        if (n > 0 && g->a.store && !g->a.decisions_only) {
                r = store_append_samples(g->a.store, g->queue, n, &dup);
                gate_store_trouble(g, r < 0);
                if (r < 0 && n < GATE_QUEUE)
                        return r; /* kept in memory, tried again */
                if (r >= 0)
                        g->status.samples_committed += (int64_t)(n - dup);
        }
        g->nqueue = 0; /* when the queue is full and the disk is not there, the oldest telemetry is what gives way */
        actuate_flush(g->actuate);
        g->status.last_commit_s = (double)(clk_real_mono_ms() - start) / 1000.0;
        return r;
}

void gate_samples(struct gate *g, const struct sample *s, size_t n)
{
        int64_t t_ms = clk_t_ms(g->a.clk), mono_ms = clk_mono_ms(g->a.clk);

        for (size_t i = 0; i < n; i++) {
                struct sample v = s[i];

                ptable_update(g->points, &v, t_ms);
                if (v.quality == QUALITY_BAD)
                        g->status.samples_bad++;
                resampler_push(g->resampler, &v);
                actuate_reading(g->actuate, &v, mono_ms);
                if (g->nqueue == GATE_QUEUE)
                        (void)gate_flush(g);
                g->queue[g->nqueue++] = v;
        }
}

void gate_write_done(struct gate *g, const struct write_outcome *o)
{
        actuate_done(g->actuate, o, clk_mono_ms(g->a.clk));
}

void gate_vm_message(struct gate *g, const char *subtopic, const char *json, size_t len)
{
        int64_t t_ms = clk_t_ms(g->a.clk);
        char text[192];

        if (vm_inventory_message(g->vm, subtopic, json, len, text, sizeof text) > 0)
                gate_event(g, 6, "vm", text);
        if (g->a.store)
                (void)store_put_vm_message(g->a.store, t_ms, subtopic, json);
}

/* ---- supervision ---- */

void gate_heartbeat(struct gate *g)
{
        int64_t t_ms = clk_t_ms(g->a.clk);

        if (!g->a.acting || g->status.mode == GATE_RELEASE || g->remote_released || !g->first_scan_done)
                return;
        actuate_heartbeat(g->actuate, t_ms);
        if (!g->handback)
                (void)actuate_remote(g->actuate, true, t_ms);
}

void gate_handback_begin(struct gate *g, const char *why)
{
        struct ipc_step step;
        struct ipc_proposal nominal;
        char text[128];

        if (!g->a.acting || g->handback)
                return;
        g->handback = true;
        (void)snprintf(text, sizeof text, "hand-back: %s", why);
        gate_event(g, 5, "gate", text);
        if (g->status.mode != GATE_RELEASE && g->first_scan_done) {
                /* fallback setpoints first: what the plant will run on its own */
                gate_step_begin(g, &step);
                memset(&nominal, 0, sizeof nominal);
                ipc_head_init(&nominal.head, IPC_PROPOSAL, g->step, g->snap.t_ms, g->a.site->hash);
                nominal.nu = (uint32_t)g->layout->nu;
                nominal.in_distribution = 1;
                for (size_t j = 0; j < g->layout->nu; j++)
                        nominal.u[j] = g->envelope.u[j].nominal;
                nominal.predicted_w = nominal.predicted_std_w = nominal.predicted_max_inlet_c = (double)NAN;
                (void)snprintf(nominal.move_name, sizeof nominal.move_name, "hand-back to local setpoints");
                gate_step_end(g, &nominal, false);
        }
}

bool gate_handback_done(const struct gate *g)
{
        return actuate_pending(g->actuate) == 0;
}

void gate_release(struct gate *g)
{
        if (!g->a.acting || g->remote_released)
                return;
        g->remote_released = true;
        (void)actuate_remote(g->actuate, false, clk_t_ms(g->a.clk));
}

void gate_status(const struct gate *g, struct gate_status *ret)
{
        *ret = g->status;
}

void gate_decision_sha256(const struct gate *g, char *ret_hex)
{
        uint8_t digest[HASH_LEN];

        hash_digest(&g->decisions, digest);
        (void)hash_hex(digest, HASH_LEN, ret_hex);
}
