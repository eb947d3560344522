/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Second half of a control step: decide, store, act, and only then report. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/gate/gate_internal.h"

enum { RELEASE_AFTER_MS = 5 * 60 * 1000 };

static void count_decision(struct gate *g, const struct safety_decision *d)
{
        size_t nu;
        const double *u = decision_u(d, &nu);
        int64_t t = decision_t_ms(d);
        uint8_t head[2] = {(uint8_t)decision_kind(d), (uint8_t)decision_reason(d)};

        hash_add(&g->decisions, &t, sizeof t);
        hash_add(&g->decisions, &g->step, sizeof g->step);
        hash_add(&g->decisions, head, sizeof head);
        hash_add(&g->decisions, u, nu * sizeof *u);
        g->status.steps_by_kind[decision_kind(d)]++;
}

static const char *binding_name(const struct gate *g, const struct safety_decision *d)
{
        const struct safety_certificate *c = decision_certificate(d);
        const struct layout *l = g->layout;
        const enum decision_reason r = decision_reason(d);
        const bool variable = r == DR_LIMIT || r == DR_RATE || r == DR_EQUIPMENT || r == DR_SLOW_STEP || r == DR_WATER;

        if (c->binding_y >= 0 && (size_t)c->binding_y < l->ny && !variable)
                return g->a.site->point[l->y[c->binding_y].point].name;
        if (c->binding_u >= 0 && (size_t)c->binding_u < l->nu)
                return g->a.site->point[l->u[c->binding_u].point].name;
        return "";
}

static enum gate_mode mode_after(struct gate *g, const struct safety_decision *d)
{
        bool audit_lost = gate_store_failing_ms(g) > RELEASE_AFTER_MS;
        bool blind = decision_kind(d) == DECISION_FALLBACK && g->blind && g->first_scan_done;

        g->blind_steps = blind ? g->blind_steps + 1 : 0;

        if (!g->a.acting)
                return GATE_SHADOW;
        bool lost = audit_lost || g->blind_steps * g->a.site->fast_step_ms > RELEASE_AFTER_MS;

        if (ladder_next((enum ladder_mode)g->status.mode, lost ? LADDER_LOST : LADDER_CLEAN) == LADDER_RELEASE)
                return GATE_RELEASE;
        switch (decision_kind(d)) { /* the rest of the ladder is the filter's */
        case DECISION_HOLD:
                return GATE_HOLD;
        case DECISION_FALLBACK:
                return GATE_FALLBACK;
        default:
                return GATE_ACTIVE;
        }
}

static void enter_mode(struct gate *g, enum gate_mode mode, const struct safety_decision *d, const char *binding)
{
        char text[256];

        if (mode == g->status.mode)
                return;
        (void)snprintf(text, sizeof text, "%s -> %s: %s%s%s", gate_mode_str(g->status.mode), gate_mode_str(mode),
                       decision_reason_str(decision_reason(d)), binding[0] ? " at " : "", binding);
        gate_event(g, mode == GATE_ACTIVE ? 5 : 4, "mode", text);
        g->status.mode = mode;
}

/* Before a row is fitted the worst case is that of the widest model there can be: it certifies nothing and bounds
 * nothing, so its margin is not one. */
static double margin_of(const struct gate *g, const struct safety_decision *d)
{
        return g->status.model_rows_fitted > 0 ? decision_certificate(d)->margin : (double)NAN;
}

/* What the decision just made was made on. */
static void take_evidence(struct gate *g, struct store_evidence *ret)
{
        const uint64_t hash = arx_hash(g->model);

        (void)safety_basis_save(g->safety, g->snap.mono_s, evidence_basis(g->evidence), SIZE_MAX);
        if (!evidence_knows(g->evidence, hash))
                (void)arx_set_save(g->model, evidence_set(g->evidence), SIZE_MAX);
        evidence_pack(g->evidence, &g->snap, hash, ret);
}

static void store_decision(struct gate *g, const struct safety_decision *d, const struct ipc_proposal *prop,
                           const char *binding, int64_t *ret_id)
{
        struct safety_certificate cert = *decision_certificate(d);
        struct store_evidence evidence = {0};
        size_t nu;
        struct store_decision row = {
            .t_ms = g->snap.t_ms,
            .step = g->step,
            .mode = gate_mode_str(g->status.mode),
            .kind = decision_kind(d),
            .reason = decision_reason(d),
            .binding = binding,
            .cert = &cert,
            .proposal = prop ? prop->u : NULL,
            .action = decision_u(d, &nu),
            .confirmed = g->u_confirmed,
            .predicted_w = prop ? prop->predicted_w : (double)NAN,
            .predicted_std_w = prop ? prop->predicted_std_w : (double)NAN,
            .move = prop ? prop->move_name : "",
            .worst_inlet_c = g->max_inlet_c,
            .solve_s = g->status.last_solve_s,
            .evidence = g->evidence ? &evidence : NULL,
        };
        int64_t id = -1;
        int r;

        cert.margin = margin_of(g, d);
        row.nu = nu;
        *ret_id = -1;
        if (!g->a.store)
                return;
        if (g->evidence)
                take_evidence(g, &evidence);
        r = store_group_begin(g->a.store);
        if (r == 0) {
                r = gate_put_events(g);
                if (r == 0)
                        r = store_put_decision(g->a.store, g->run_id, &row, &id);
                r = store_group_end(g->a.store, r);
        }
        if (r == 0) {
                gate_events_stored(g);
                *ret_id = id;
        }
        if (g->evidence && r == 0)
                evidence_stored(g->evidence, evidence.set_id);
        else if (g->evidence)
                evidence_lost(g->evidence);
        gate_store_trouble(g, GATE_STORE_DECISIONS, r < 0);
}

static void tell_answer(struct gate *g, size_t j, const struct advice *stood, enum advice_answer answer)
{
        char text[256], since[32];

        (void)snprintf(text, sizeof text, "%s: %s, %s advised since %s, was %.6g, is %.6g", advice_answer_str(answer),
                       g->a.site->point[g->layout->u[j].point].name, stood->dir > 0 ? "higher" : "lower",
                       clk_format(stood->since_ms, since), stood->from, g->u_confirmed[j]);
        gate_event(g, 6, "advice", text);
}

/* In shadow what is decided is advice; what the operator does with it is of the record. */
static void advise(struct gate *g, const struct safety_decision *d)
{
        const bool plan = decision_kind(d) == DECISION_ACCEPT || decision_kind(d) == DECISION_PROJECT;
        size_t nu;
        const double *u = decision_u(d, &nu);

        for (size_t j = 0; j < nu; j++) {
                const struct advice stood = g->advice[j];
                const enum advice_answer answer =
                    advice_step(&g->advice[j], g->snap.t_ms, advice_band(&g->envelope.u[j]), plan ? u[j] : (double)NAN,
                                g->u_confirmed[j]);

                if (answer != ADVICE_NONE)
                        tell_answer(g, j, &stood, answer);
        }
}

static void finish_step(struct gate *g, int64_t mono_ms, const double *u)
{
        gate_holdout_predict(g, u);
        g->status.max_inlet_c = g->max_inlet_c;
        g->status.total_power_w = g->total_power_w;
        g->status.last_cycle_t_ms = g->snap.t_ms;
        if (g->snap.slow_step) {
                gate_memory_save(g);
                gate_model_store(g, mono_ms);
        }
        g->step++;
        g->status.step = g->step;
}

/* A step of a site where nothing can be commanded: what was seen and what the model expects next are its result. */
static void watch_step(struct gate *g, int64_t mono_ms)
{
        const struct layout *l = g->layout;
        size_t last = g->window_n - 1;
        struct arx_window w = {.n = g->window_n, .y = g->window_y, .u = g->window_u, .d = g->window_d};

        arx_predict(g->model, &w, 1, g->window_u + last * l->nu, g->window_d + last * l->nd, NULL, g->watch_work,
                    g->watch_y);
        hash_add(&g->decisions, &g->snap.t_ms, sizeof g->snap.t_ms);
        hash_add(&g->decisions, &g->step, sizeof g->step);
        hash_add(&g->decisions, g->window_y + last * l->ny, l->ny * sizeof(double));
        hash_add(&g->decisions, g->watch_y, l->ny * sizeof(double));
        g->status.kind = DECISION_HOLD;
        g->status.reason = DR_NO_PROPOSAL;
        g->status.margin_k = g->status.predicted_w = (double)NAN;
        finish_step(g, mono_ms, NULL);
}

void gate_step_end(struct gate *g, const struct ipc_proposal *prop, bool malformed)
{
        int64_t mono_ms = clk_mono_ms(g->a.clk), started = clk_real_mono_ms(), id;
        struct safety_proposal sp = {.present = prop != NULL || malformed,
                                     .malformed = malformed,
                                     .u = prop ? prop->u : NULL,
                                     .in_distribution = prop && prop->in_distribution != 0};
        const struct safety_decision *d;
        const char *binding;
        size_t nu;
        bool act, write; /* write: all of it */

        assert(g->in_step);
        g->in_step = false;
        if (!g->safety) {
                watch_step(g, mono_ms);
                return;
        }
        g->status.late_proposals += !prop && !malformed;
        g->status.malformed_proposals += malformed;
        d = safety_filter(g->safety, &g->snap, &sp);
        g->status.last_solve_s = (double)(clk_real_mono_ms() - started) / 1000.0;
        binding = binding_name(g, d);
        enter_mode(g, mode_after(g, d), d, binding);
        if (g->status.mode == GATE_SHADOW)
                advise(g, d);
        store_decision(g, d, prop, binding, &id);
        count_decision(g, d);
        /* Durable first: of a decision that could not be stored only what cools more is written, as the certificate
         * before it counts on that. One that answers an emergency is not only values: the devices' own controls must
         * have the plant now, not when the outage itself means RELEASE. */
        if (g->a.acting && g->a.store && id < 0 && decision_kind(d) == DECISION_FALLBACK &&
            g->status.mode != GATE_RELEASE) {
                gate_event(g, 3, "mode", "a decision to cool more cannot be stored, so not written");
                g->status.mode = GATE_RELEASE;
        }
        act = g->first_scan_done && g->status.mode != GATE_RELEASE;
        write = act && (id >= 0 || !g->a.store);
        if (write || (act && g->a.acting))
                (void)actuate_apply(g->actuate, d, id, &g->snap, g->handback);
        if (write)
                gate_store_trouble(g, GATE_STORE_ACTIONS, actuate_unstored(g->actuate));
        if (g->a.acting && g->status.mode == GATE_RELEASE) {
                if (!g->remote_released)
                        gate_event(g, 3, "gate", "RELEASE: heartbeat stopped, the plant runs on its local controls");
                actuate_latch_release(g->actuate);
                actuate_latches_save(g->actuate, g->snap.t_ms);
                gate_release(g); /* each step, for those that have not confirmed it */
        }
        if (write && g->a.acting && prop && prop->nmove > 0 && g->a.publish_move &&
            decision_kind(d) <= DECISION_PROJECT)
                gate_place_moves(g, prop, g->snap.t_ms);
        g->status.kind = decision_kind(d);
        g->status.reason = decision_reason(d);
        (void)snprintf(g->status.binding, sizeof g->status.binding, "%s", binding);
        g->status.margin_k = margin_of(g, d);
        g->status.predicted_w = prop ? prop->predicted_w : (double)NAN;
        finish_step(g, mono_ms, write && g->a.acting ? decision_u(d, &nu) : NULL);
}
