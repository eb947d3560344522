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

#include "agent/base/text.h"
#include "agent/gate/gate_internal.h"
#include "agent/gate/safety_model.h"
#include "agent/gate/vm.h"

enum { ALIGN = 64 };

const char *gate_mode_str(enum gate_mode m)
{
        return m == GATE_SHADOW ? "SHADOW" : ladder_mode_str((enum ladder_mode)m);
}

static void on_event(void *ctx, int severity, const char *text)
{
        gate_event(ctx, severity, "actuate", text);
}

void gate_event(struct gate *g, int severity, const char *component, const char *text)
{
        struct gate_event *e;

        if (g->a.log)
                g->a.log(g->a.log_ctx, severity, component, text);
        if (!g->a.store)
                return;
        if (g->nevent == GATE_EVENTS) {
                g->event_head = (g->event_head + 1) % GATE_EVENTS;
                g->nevent--;
                g->events_lost++;
        }
        e = &g->event[(g->event_head + g->nevent++) % GATE_EVENTS];
        e->t_ms = clk_t_ms(g->a.clk);
        e->severity = severity;
        (void)snprintf(e->component, sizeof e->component, "%s", component);
        (void)snprintf(e->text, sizeof e->text, "%s", text);
}

int gate_put_events(struct gate *g)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < g->nevent; i++) {
                const struct gate_event *e = &g->event[(g->event_head + i) % GATE_EVENTS];

                r = store_put_event(g->a.store, g->run_id, e->t_ms, e->severity, e->component, e->text);
        }
        return r;
}

void gate_events_stored(struct gate *g)
{
        char text[96];

        g->event_head = g->nevent = 0;
        if (g->events_lost == 0)
                return;
        (void)snprintf(text, sizeof text, "%lld events are in the journal alone", (long long)g->events_lost);
        g->events_lost = 0;
        gate_event(g, 4, "store", text);
}

static int create_arrays(struct gate *g)
{
        const struct layout *l = g->layout;

        g->window_y = calloc(g->window_cap * (l->ny + 1), sizeof(double));
        g->window_seen = calloc(g->window_cap * (l->ny + 1), sizeof(double));
        g->window_u = calloc(g->window_cap * (l->nu + 1), sizeof(double));
        g->window_u_seen = calloc(g->window_cap * (l->nu + 1), sizeof(double));
        g->window_d = calloc(g->window_cap * (l->nd + 1), sizeof(double));
        g->age = calloc(l->ny + 1, sizeof *g->age);
        g->u_confirmed = calloc(l->nu + 1, sizeof(double));
        g->d_free = calloc(l->nd + 1, sizeof(double));
        g->d_hi = calloc(l->nd + 1, sizeof(double));
        g->d_change2 = calloc(l->nd + 1, sizeof(double));
        g->d_steps = calloc(l->nd + 1, sizeof(double));
        g->d_own = calloc(l->nd + 1, sizeof(double));
        g->y_seen = calloc(l->ny + 1, sizeof(double));
        g->u_seen = calloc(l->nu + 1, sizeof(double));
        g->y_ok = calloc(l->ny + 1, 1);
        g->onoff = calloc(l->nu + 1, 1);
        g->ran = malloc(l->nu + 1);
        g->evap_cap = (size_t)ceil(GATE_RAMP_S / l->step_s);
        g->evap_rows = calloc(g->evap_cap * (l->nu + 1), sizeof(double));
        g->evap_row_s = calloc(g->evap_cap, sizeof(double));
        g->evap_now = calloc(l->nu + 1, sizeof(double));
        g->u_floor = calloc(l->nu + 1, sizeof *g->u_floor);
        g->u_fixed = calloc(l->nu + 1, 1);
        g->fixed = calloc(l->nu + 1, sizeof *g->fixed);
        g->advice = calloc(l->nu + 1, sizeof *g->advice);
        g->told = calloc(l->ny + 1, sizeof *g->told);
        g->queue = calloc(g->queue_cap, sizeof *g->queue);
        if (!g->window_y || !g->window_u || !g->window_d || !g->age || !g->u_confirmed || !g->d_free || !g->d_hi ||
            !g->d_change2 || !g->d_steps || !g->d_own || !g->y_seen || !g->window_seen || !g->y_ok || !g->onoff ||
            !g->ran || !g->u_floor || !g->u_fixed || !g->fixed || !g->advice || !g->told || !g->queue ||
            !g->window_u_seen || !g->u_seen || !g->evap_rows || !g->evap_row_s || !g->evap_now)
                return -ENOMEM;
        if (gate_assumed_create(l->nd, g->span.horizon, &g->assumed) < 0)
                return -ENOMEM;
        memset(g->ran, 255, l->nu);
        g->evap_share = g->flow_held_m3s = (double)NAN;
        g->freezing_point = -1;
        return 0;
}

/* A message between gate and planner has room for this many (ipc.h). */
static int check_size(struct gate *g)
{
        const struct layout *l = g->layout;
        char text[160];

        if (l->nu <= IPC_U_MAX && l->ny <= IPC_Y_MAX && l->nd <= IPC_D_MAX)
                return 0;
        (void)snprintf(text, sizeof text,
                       "the site has %zu setpoint%s, %zu output%s and %zu disturbance%s; at most %d, %d and %d fit",
                       l->nu, PLURAL_S(l->nu), l->ny, PLURAL_S(l->ny), l->nd, PLURAL_S(l->nd), IPC_U_MAX, IPC_Y_MAX,
                       IPC_D_MAX);
        gate_event(g, 3, "gate", text);
        return -E2BIG;
}

/* What every device sends in GATE_QUEUE_S. */
static size_t queue_size(const struct site *site)
{
        double n = 0;

        for (size_t i = 0; i < site->npoint; i++) {
                int device = site->point[i].device;
                int64_t period_ms = device >= 0 ? site->device[device].period_ms : 0;

                n += GATE_QUEUE_S * 1000.0 / (double)(period_ms > 0 ? period_ms : 10000);
        }
        return (size_t)fmax(n, GATE_QUEUE_MIN);
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
                char text[160]; /* in a point map's words: gate_check_site */

                (void)snprintf(text, sizeof text, "safety envelope: %s of entry %zu", what, index);
                gate_event(g, 3, "gate", text);
                return r;
        }
        size = safety_memsize(&g->envelope.safety, g->structure);
        g->safety_mem = aligned_alloc(ALIGN, (size + ALIGN - 1) / ALIGN * ALIGN);
        if (!g->safety_mem)
                return -ENOMEM;
        r = safety_create(g->safety_mem, size, &g->envelope.safety, g->model, &g->safety);
        if (r < 0 || !g->a.store || g->a.unaudited)
                return r;
        return evidence_create(&(struct evidence_shape){.nu = g->layout->nu,
                                                        .ny = g->layout->ny,
                                                        .nd = g->layout->nd,
                                                        .rows = g->window_cap,
                                                        .nbasis = safety_basis_save(g->safety, 0, NULL, 0),
                                                        .set_bytes = arx_set_save(g->model, NULL, 0)},
                               &g->evidence);
}

int gate_create(const struct gate_args *args, struct gate **ret)
{
        struct gate *g = calloc(1, sizeof *g);
        int r = -ENOMEM;

        if (!g)
                return r;
        g->a = *args;
        for (size_t i = 0; i < GATE_STORE_KINDS; i++)
                g->store_failing_since_mono_ms[i] = -1;
        g->status.last_purge_s = (double)NAN;
        g->queue_cap = queue_size(args->site);
        g->fit_countdown = GATE_FIT_EVERY;
        g->fitted_told = SIZE_MAX;
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
        r = check_size(g);
        if (r < 0)
                goto fail;
        r = ptable_create(args->site->point, args->site->npoint, &g->points);
        if (r < 0)
                goto fail;
        r = resampler_create(g->layout, GATE_HOLD_STEPS, SIZE_MAX, &g->resampler);
        if (r < 0)
                goto fail;
        r = gate_model_create(g);
        if (r < 0)
                goto fail;
        r = create_arrays(g);
        if (r < 0)
                goto fail;
        r = gate_holdout_create(g);
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
        r = actuate_latches_restore(g->actuate);
        if (r < 0)
                goto fail;
        r = vm_inventory_create(g->layout, &g->vm);
        if (r < 0)
                goto fail;
        r = gate_memory_restore(g);
        if (r < 0)
                goto fail;
        gate_model_seed(g);
        /* not before: setpoints may change within the seed's rows, which are cut by the clock's grid */
        r = safety_model_bound_noise(g->layout, g->model, &g->member_mem);
        if (r < 0)
                goto fail;
        gate_model_store(g, clk_mono_ms(args->clk));
        g->status.mode = !g->a.acting ? GATE_SHADOW : actuate_release_latched(g->actuate) ? GATE_RELEASE : GATE_HOLD;
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
        if (g->run_id > 0) {
                int r;

                do
                        r = gate_flush(g);
                while (r > 0);
                if (store_end_run(g->a.store, g->run_id, clk_t_ms(g->a.clk), "stopped") < 0 || r < 0)
                        gate_event(g, 3, "store", "the last of this run could not be stored");
        }
        vm_inventory_free(g->vm);
        actuate_free(g->actuate);
        resampler_free(g->resampler);
        ptable_free(g->points);
        evidence_free(g->evidence);
        free(g->safety_mem);
        free(g->watch_y);
        free(g->watch_work);
        free(g->member_mem);
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
        free(g->d_steps);
        free(g->d_own);
        gate_assumed_free(g->assumed);
        free(g->y_seen);
        free(g->window_seen);
        free(g->u_seen);
        free(g->window_u_seen);
        gate_holdout_free(g);
        free(g->y_ok);
        free(g->onoff);
        free(g->ran);
        free(g->evap_rows);
        free(g->evap_row_s);
        free(g->evap_now);
        free(g->u_floor);
        free(g->u_fixed);
        free(g->fixed);
        free(g->advice);
        free(g->told);
        free(g->queue);
        free(g->timers);
        layout_free(g->layout);
        if (g->decisions.ctx)
                hash_free(&g->decisions);
        free(g);
        return NULL;
}

/* ---- samples ---- */

void gate_store_trouble(struct gate *g, enum gate_store_kind kind, bool failed)
{
        static const char *const what[GATE_STORE_KINDS] = {"samples and events", "decisions",   "actions",
                                                           "outcomes of writes", "inventories", "move requests"};
        int64_t *since = &g->store_failing_since_mono_ms[kind];
        char text[224];

        if (failed == (*since >= 0))
                return;
        *since = failed ? clk_mono_ms(g->a.clk) : -1;
        (void)snprintf(text, sizeof text, "%s %s%s%.160s", what[kind], failed ? "cannot be stored" : "are stored again",
                       failed ? ": " : "", failed ? store_errmsg(g->a.store) : "");
        gate_event(g, failed ? 3 : 5, "store", text);
}

int64_t gate_store_failing_ms(const struct gate *g)
{
        int64_t longest = -1, now = clk_mono_ms(g->a.clk);

        for (size_t i = 0; i < GATE_STORE_INVENTORY; i++)
                if (g->store_failing_since_mono_ms[i] >= 0 && now - g->store_failing_since_mono_ms[i] > longest)
                        longest = now - g->store_failing_since_mono_ms[i];
        return longest;
}

/* A group: one stretch of the ring, the events, an inventory. *ret_kind: what failed. */
static int put_queue(struct gate *g, size_t n, const char *inventory, int64_t inventory_t_ms, size_t *ret_duplicates,
                     enum gate_store_kind *ret_kind)
{
        int r = store_group_begin(g->a.store);

        *ret_kind = GATE_STORE_SAMPLES;
        if (r < 0)
                return r;
        if (n > 0)
                r = store_append_samples(g->a.store, g->queue + g->queue_head, n, ret_duplicates);
        if (r == 0)
                r = gate_put_events(g);
        if (r == 0 && inventory) {
                r = store_put_vm_message(g->a.store, inventory_t_ms, "inventory", inventory);
                *ret_kind = r < 0 ? GATE_STORE_INVENTORY : GATE_STORE_SAMPLES;
        }
        return store_group_end(g->a.store, r);
}

/* What is stored leaves. */
static int store_queue(struct gate *g)
{
        size_t n = g->queue_cap - g->queue_head, dup = 0;
        int64_t t_ms = 0;
        const char *inventory = g->vm ? vm_inventory_accepted(g->vm, &t_ms) : NULL;
        enum gate_store_kind kind;
        int r;

        if (n > g->nqueue)
                n = g->nqueue;
        if (n > GATE_FLUSH_MAX)
                n = GATE_FLUSH_MAX;
        if (n == 0 && g->nevent == 0 && !inventory)
                return 0;
        r = put_queue(g, n, inventory, t_ms, &dup, &kind);
        if (inventory) /* one that fails must not keep the rest from the store: the next one comes soon */
                vm_inventory_stored(g->vm);
        if (r < 0) {
                gate_store_trouble(g, kind, true);
                return r;
        }
        g->status.samples_committed += (int64_t)(n - dup);
        g->nqueue -= n;
        g->queue_head = g->nqueue > 0 ? (g->queue_head + n) % g->queue_cap : 0;
        gate_events_stored(g);
        gate_store_trouble(g, GATE_STORE_SAMPLES, false);
        if (inventory)
                gate_store_trouble(g, GATE_STORE_INVENTORY, false);
        return 0;
}

int gate_flush(struct gate *g)
{
        int64_t start = clk_real_mono_ms();
        char text[192];
        int r, r2 = 0;

        if (g->vm && vm_inventory_turn(g->vm, clk_mono_ms(g->a.clk), text, sizeof text) > 0)
                gate_event(g, 6, "vm", text);
        if (!g->a.store || g->a.decisions_only)
                g->nqueue = g->queue_head = 0;
        if (!g->a.store)
                return 0;
        r = store_queue(g);
        if (g->actuate) {
                r2 = actuate_flush(g->actuate);
                gate_store_trouble(g, GATE_STORE_OUTCOMES, r2 < 0);
        }
        if (r < 0 || r2 < 0)
                return r < 0 ? r : r2;
        g->status.last_commit_s = (double)(clk_real_mono_ms() - start) / 1000.0;
        if (g->dropping && g->nqueue == 0) {
                g->dropping = false;
                (void)snprintf(text, sizeof text, "%lld sample%s lost in this run",
                               (long long)g->status.samples_dropped,
                               g->status.samples_dropped == 1 ? " was" : "s were");
                gate_event(g, 4, "store", text);
        }
        return g->nqueue > 0 ? 1 : 0;
}

/* While the store fails, the oldest telemetry is what gives way; whether it works again is tried by the next flush, not
 * by every sample. */
static void enqueue(struct gate *g, const struct sample *v)
{
        if (g->nqueue == g->queue_cap && g->store_failing_since_mono_ms[GATE_STORE_SAMPLES] < 0)
                (void)gate_flush(g);
        assert(g->queue_cap > 0);
        if (g->nqueue == g->queue_cap) {
                g->queue_head = (g->queue_head + 1) % g->queue_cap;
                g->nqueue--;
                g->status.samples_dropped++;
                if (!g->dropping)
                        gate_event(g, 3, "store", "samples wait too long for the store: the oldest are dropped");
                g->dropping = true;
        }
        g->queue[(g->queue_head + g->nqueue++) % g->queue_cap] = *v;
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
                enqueue(g, &v);
        }
}

void gate_record_stale(struct gate *g, int64_t t_ms)
{
        struct sample v;

        if (!g->a.store || g->a.decisions_only)
                return;
        for (size_t i = 0; i < g->a.site->npoint; i++) {
                if (!ptable_turned_stale(g->points, i, t_ms, &v))
                        continue;
                g->status.samples_bad++;
                enqueue(g, &v);
        }
}

void gate_write_done(struct gate *g, const struct write_outcome *o)
{
        struct write_outcome v = *o;

        if (v.t_ms == 0)
                v.t_ms = clk_t_ms(g->a.clk); /* the null driver has no clock */
        actuate_done(g->actuate, &v, clk_mono_ms(g->a.clk));
}

void gate_vm_message(struct gate *g, const char *subtopic, const char *json, size_t len)
{
        char text[192];

        if (vm_inventory_message(g->vm, clk_t_ms(g->a.clk), subtopic, json, len, text, sizeof text) > 0)
                gate_event(g, 6, "vm", text);
}

void gate_vm_inventory(struct gate *g, const struct inventory *inv)
{
        vm_inventory_take(g->vm, inv);
}

/* ---- supervision ---- */

void gate_outage(struct gate *g, int device)
{
        actuate_outage(g->actuate, device, clk_mono_ms(g->a.clk));
}

void gate_heartbeat(struct gate *g)
{
        int64_t t_ms = clk_t_ms(g->a.clk), mono_ms = clk_mono_ms(g->a.clk);

        if (!g->a.acting || g->status.mode == GATE_RELEASE || g->remote_released || !g->first_scan_done)
                return;
        actuate_heartbeat(g->actuate, t_ms, mono_ms);
        if (!g->handback)
                actuate_take(g->actuate, t_ms, mono_ms);
}

int64_t gate_heartbeat_ms(const struct gate *g)
{
        return actuate_heartbeat_ms(g->a.site);
}

void gate_read_fixed(struct gate *g, int64_t t_ms, int64_t mono_ms)
{
        for (size_t j = 0; j < g->layout->nu; j++) {
                enum actuate_fixed now = actuate_fixed(g->actuate, j, t_ms, mono_ms);
                struct gate_fixed *f = &g->fixed[j];
                char text[192];

                g->u_fixed[j] = now != ACTUATE_FREE;
                f->steps = now == f->now ? f->steps + 1 : 1;
                f->now = now;
                if (now == f->told || (now != ACTUATE_FREE && f->steps < GATE_FIXED_STEPS))
                        continue;
                f->told = now;
                (void)snprintf(text, sizeof text, "%s: %s", g->a.site->point[g->layout->u[j].point].name,
                               actuate_fixed_str(now));
                gate_event(g, 6, "fixed", text);
        }
}

const char *gate_fixed(const struct gate *g, size_t j, size_t *ret_point)
{
        *ret_point = (size_t)g->layout->u[j].point;
        return g->fixed[j].now == ACTUATE_FREE ? NULL : actuate_fixed_str(g->fixed[j].now);
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
        if (!g->a.acting)
                return;
        g->remote_released = true;
        actuate_release(g->actuate, clk_t_ms(g->a.clk));
}

bool gate_released(const struct gate *g)
{
        return actuate_released(g->actuate) && actuate_pending(g->actuate) == 0;
}

void gate_status(const struct gate *g, struct gate_status *ret)
{
        int64_t failing_ms = gate_store_failing_ms(g);

        *ret = g->status;
        ret->variables = g->layout->nu;
        ret->samples_waiting = g->nqueue;
        ret->unstored_s = failing_ms >= 0 ? (double)failing_ms / 1000.0 : (double)NAN;
}

void gate_decision_sha256(const struct gate *g, char *ret_hex)
{
        uint8_t digest[HASH_LEN];

        hash_digest(&g->decisions, digest);
        (void)hash_hex(digest, HASH_LEN, ret_hex);
}
