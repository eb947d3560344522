/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The safety model: an interval ARX with one lag, identified inside the gate from samples the gate saw itself. Nothing
 * the planner learned enters it. At start it is what an earlier run of the gate stored last, and the samples since.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/gate_internal.h"
#include "agent/gate/safety_model.h"

enum {
        SEED_MS = 24 * 3600 * 1000,
        SEED_ROWS = 1000000, /* samples read at most: about half a second, before the first scan */
};

static void add_vars(struct hash *h, const struct site *site, const struct layout_var *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const char *name[] = {v[i].point >= 0 ? site->point[v[i].point].name : "",
                                      v[i].equipment >= 0 ? site->equipment[v[i].equipment].name : "",
                                      v[i].zone >= 0 ? site->zone[v[i].zone].name : ""};

                hash_add(h, &v[i].kind, sizeof v[i].kind);
                for (size_t k = 0; k < sizeof name / sizeof name[0]; k++)
                        hash_add(h, name[k], strlen(name[k]) + 1);
        }
}

/* A stored model knows its variables by number: this says which those were. */
static int name_layout(struct gate *g)
{
        const struct layout *l = g->layout;
        uint8_t digest[HASH_LEN];
        struct hash h;
        int r = hash_init(&h);

        if (r < 0)
                return r;
        hash_add(&h, &l->step_s, sizeof l->step_s);
        add_vars(&h, l->site, l->u, l->nu);
        add_vars(&h, l->site, l->y, l->ny);
        add_vars(&h, l->site, l->d, l->nd);
        hash_digest(&h, digest);
        hash_free(&h);
        (void)hash_hex(digest, 8, g->layout_id);
        return 0;
}

int gate_model_create(struct gate *g)
{
        struct safety_model m;
        int r = safety_model_create(g->layout, &m);

        g->structure = m.structure;
        g->model_mem = m.mem;
        g->model = m.arx;
        g->window_cap = m.window;
        return r < 0 ? r : name_layout(g);
}

static void see_drift(struct gate *g)
{
        const struct layout *l = g->layout;
        char text[192 + POINT_NAME_MAX];
        bool reset = false;

        g->status.drift_score = 0;
        for (size_t i = 0; i < l->ny; i++) {
                const char *name = l->y[i].point >= 0 ? l->site->point[l->y[i].point].name : "?";
                struct arx_row_info info;

                arx_row_info(g->model, i, &info);
                g->status.drift_score = fmax(g->status.drift_score, fmax(info.drift, info.drift_low));
                if (info.resets != g->told[i].resets) {
                        (void)snprintf(
                            text, sizeof text,
                            "%s: readings contradict what was learned of it; forgotten, learned anew from data sheets",
                            name);
                        gate_event(g, 4, "model", text);
                        reset = true;
                }
                if (info.contradictions != g->told[i].contradictions) {
                        (void)snprintf(text, sizeof text,
                                       "%s: nothing that data sheets allow explains its readings within noise_max_k %g "
                                       "K: that is too small, or the plant has changed; begun anew",
                                       name, l->site->limits.noise_max_k);
                        gate_event(g, 4, "model", text);
                }
                g->told[i].resets = info.resets;
                g->told[i].contradictions = info.contradictions;
        }
        if (reset) /* the decision of this step is made on what is left, and says so */
                gate_model_rows(g);
}

/* A reading carried for a while is fine for control, but a model learns only from what was really seen: a carried value
 * says that nothing moved. */
void gate_model_step(struct gate *g, int64_t took_ms)
{
        const int64_t step_ms = g->a.site->fast_step_ms, off_ms = took_ms - step_ms;
        struct arx_window w = {.n = g->window_n, .y = g->window_seen, .u = g->window_u_seen, .d = g->window_d};

        /* what is said of noise is said of rows of one step */
        arx_member_pass(g->model, (off_ms < 0 ? -off_ms : off_ms) * 10 > step_ms);
        (void)arx_add(g->model, &w, g->y_seen);
        g->learned_t_ms = g->last_row_t_ms;
        if (g->fit_countdown > 0)
                g->fit_countdown--;
        if (g->fit_countdown == 0) {
                g->fit_countdown = GATE_FIT_EVERY;
                if (arx_fit(g->model, GATE_FIT_MIN) > 0)
                        g->store_models = true;
                gate_model_rows(g);
        }
        see_drift(g);
}

/* Takes over the model that an earlier run of the gate stored, if it is of these variables and learned since from_ms.
 * The time of the last step it learned from, or from_ms. */
static int64_t stored_model(struct gate *g, int64_t from_ms, int64_t last_t_ms)
{
        struct store_model m;
        void *blob = NULL;
        char *report = NULL, id[40];

        if (store_latest_model(g->a.store, "arx-safety", &m, &blob, &report) < 0)
                return from_ms;
        (void)snprintf(id, sizeof id, "\"layout\":\"%s\"", g->layout_id);
        if (m.train_to_ms > from_ms && m.train_to_ms <= last_t_ms && strstr(report, id) &&
            arx_load(g->model, blob, m.len) >= 0)
                from_ms = m.train_to_ms;
        free(blob);
        free(report);
        return from_ms;
}

/* How long the site takes for SEED_ROWS samples. */
static int64_t rows_span_ms(const struct gate *g)
{
        const struct site *site = g->a.site;
        double per_ms = 0;

        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].device >= 0 && site->device[site->point[i].device].period_ms > 0)
                        per_ms += 1 / (double)site->device[site->point[i].device].period_ms;
        return (int64_t)fmin(SEED_MS, SEED_ROWS / fmax(per_ms, 1e-9));
}

void gate_model_seed(struct gate *g)
{
        const struct layout *l = g->layout;
        struct store_counts c;
        struct dataset *ds = NULL;
        int64_t from_ms;

        if (!g->a.store || store_counts(g->a.store, &c) < 0 || c.samples == 0)
                return;
        from_ms = stored_model(g, c.last_t_ms - SEED_MS, c.last_t_ms);
        from_ms = from_ms > c.last_t_ms - rows_span_ms(g) ? from_ms : c.last_t_ms - rows_span_ms(g);
        if (dataset_load(g->a.store, l, from_ms, c.last_t_ms + 1, GATE_HOLD_STEPS, &ds) < 0)
                return;
        /* A dataset row holds the means of one step; inputs in force from row r to r + 1 are those of row r + 1. */
        for (size_t r = 0; r + 1 < ds->n; r++) {
                struct arx_window w = {
                    .n = 1, .y = &ds->y[r * l->ny], .u = &ds->u[(r + 1) * l->nu], .d = &ds->d[(r + 1) * l->nd]};

                if (!ds->segment_start[r + 1])
                        (void)arx_add(g->model, &w, &ds->y[(r + 1) * l->ny]);
        }
        if (ds->n > 0)
                g->learned_t_ms = ds->t_ms[ds->n - 1];
        dataset_free(ds);
        if (arx_fit(g->model, GATE_FIT_MIN) > 0)
                g->store_models = true;
        else
                g->explored_ms = 0; /* what exploration taught is too old to be seen */
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* JSON has no NaN: what is not known is null. */
static const char *number(double v, char *buf, size_t cap)
{
        if (!isfinite(v))
                return "null";
        (void)snprintf(buf, cap, "%.4f", v);
        return buf;
}

static void write_report(const struct gate *g, size_t fitted, size_t inlets, char *ret, size_t cap)
{
        const struct gate_status *s = &g->status;
        char text[5][32];

        (void)snprintf(ret, cap,
                       "{\"layout\":\"%s\",\"rows\":%zu,\"rows_fitted\":%zu,\"inlet_rows\":%zu,\"inlet_one_step_rmse_"
                       "median_c\":%s,"
                       "\"holdout\":[{\"steps\":%zu,\"model_c\":%s,\"persistence_c\":%s},"
                       "{\"steps\":%zu,\"model_c\":%s,\"persistence_c\":%s}]}",
                       g->layout_id, g->layout->ny, fitted, inlets, number(s->model_rmse_c, text[0], sizeof text[0]),
                       g->holdout[0].steps, number(s->holdout_c[0], text[1], sizeof text[1]),
                       number(s->holdout_persistence_c[0], text[2], sizeof text[2]), g->holdout[1].steps,
                       number(s->holdout_c[1], text[3], sizeof text[3]),
                       number(s->holdout_persistence_c[1], text[4], sizeof text[4]));
}

void gate_model_rows(struct gate *g)
{
        size_t fitted = 0;
        char text[64];

        for (size_t i = 0; i < g->layout->ny; i++) {
                struct arx_row_info info;

                arx_row_info(g->model, i, &info);
                fitted += info.fitted;
        }
        g->status.model_rows = g->layout->ny;
        g->status.model_rows_fitted = fitted;
        if (fitted == g->fitted_told)
                return;
        g->fitted_told = fitted;
        (void)snprintf(text, sizeof text, "%zu of %zu rows fitted", fitted, g->layout->ny); /* `why` reads it */
        gate_event(g, 6, "model", text);
}

void gate_model_store(struct gate *g, int64_t mono_ms)
{
        size_t ny = g->layout->ny, n = 0, len, inlets = 0;
        double *rmse = calloc(ny ? ny : 1, sizeof *rmse);
        char report[512];
        void *blob;

        if (!rmse)
                return;
        for (size_t i = 0; i < ny; i++) {
                struct arx_row_info info;

                arx_row_info(g->model, i, &info);
                inlets += g->layout->y[i].kind == Y_INLET;
                if (info.fitted && g->layout->y[i].kind == Y_INLET && isfinite(info.rmse))
                        rmse[n++] = info.rmse;
        }
        qsort(rmse, n, sizeof *rmse, by_value);
        gate_model_rows(g);
        g->status.model_rmse_c = n ? rmse[n / 2] : (double)NAN;
        free(rmse);
        if (!g->store_models || !g->a.store ||
            (g->model_stored_mono_ms > 0 && mono_ms - g->model_stored_mono_ms < 3600000))
                return;
        len = arx_save(g->model, NULL, 0);
        blob = malloc(len);
        if (!blob)
                return;
        (void)arx_save(g->model, blob, len);
        write_report(g, g->status.model_rows_fitted, inlets, report, sizeof report);
        if (store_put_model(g->a.store,
                            &(struct store_model){.kind = "arx-safety",
                                                  .t_ms = clk_t_ms(g->a.clk),
                                                  .train_to_ms = g->learned_t_ms,
                                                  .hash = arx_hash(g->model),
                                                  .blob = blob,
                                                  .len = len,
                                                  .report_json = report},
                            NULL) >= 0) {
                g->model_stored_mono_ms = mono_ms;
                g->store_models = false;
        }
        free(blob);
}
