/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/serve_report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/clock.h"

#define ROW_S 300

struct row {
        int64_t t_ms; /* end of the interval */
        double max_inlet_c, mean_inlet_c, mean_sat_c, mean_sat_sp_c, mean_fan_ratio, chwst_c, chwst_sp_c, cwst_c,
            cwst_sp_c;
        double it_w, it_fan_w, crah_fan_w, chiller_w, pump_w, tower_w; /* means of the interval */
        double oat_c, wetbulb_c;
        size_t chillers_on, crahs_remote;
};

struct report {
        struct plant *plant;
        const struct weather *weather;
        int64_t start_ms, row_start_ms, end_ms; /* end_ms: of a closed window */
        bool closed;
        struct plant_account at_row, at_end;
        double max_inlet_c;
        struct row *row;
        size_t n, cap;
};

int report_create(struct plant *p, const struct weather *w, struct report **ret)
{
        struct report *r = calloc(1, sizeof(*r));
        if (!r)
                return -ENOMEM;
        r->plant = p;
        r->weather = w;
        report_reset(r);
        *ret = r;
        return 0;
}

struct report *report_free(struct report *r)
{
        if (r)
                free(r->row);
        free(r);
        return NULL;
}

void report_reset(struct report *r)
{
        plant_account_reset(r->plant);
        plant_account(r->plant, &r->at_row);
        r->start_ms = r->row_start_ms = plant_t_ms(r->plant);
        r->max_inlet_c = -(double)INFINITY;
        r->n = 0;
        r->closed = false;
}

bool report_close(struct report *r)
{
        if (r->closed)
                return false;
        plant_account(r->plant, &r->at_end);
        r->end_ms = plant_t_ms(r->plant);
        r->closed = true;
        return true;
}

static void fill_state(const struct report *r, struct row *w)
{
        const struct plant_spec *s = plant_spec(r->plant);
        struct plant_water_meas wm;
        struct weather_now now;

        for (size_t i = 0; i < s->nrack; i++)
                w->mean_inlet_c += plant_true_inlet_c(r->plant, i) / (double)s->nrack;
        for (size_t i = 0; i < s->ncrah; i++) {
                struct plant_crah_meas m;
                plant_crah_meas(r->plant, i, &m);
                w->mean_sat_c += m.sat_c / (double)s->ncrah;
                w->mean_sat_sp_c += m.sat_sp_c / (double)s->ncrah;
                w->mean_fan_ratio += m.fan_ratio / (double)s->ncrah;
                w->crahs_remote += plant_is_remote(r->plant, PLANT_DEV_CRAH, i);
        }
        for (size_t i = 0; i < s->nchiller; i++) {
                struct plant_chiller_meas m;
                plant_chiller_meas(r->plant, i, &m);
                w->chillers_on += m.running;
        }
        plant_water_meas(r->plant, &wm);
        w->chwst_c = wm.chwst_c;
        w->chwst_sp_c = wm.chwst_sp_c;
        w->cwst_c = wm.cwst_c;
        w->cwst_sp_c = wm.cwst_sp_c;
        weather_at(r->weather, plant_t_ms(r->plant), &now);
        w->oat_c = now.oat_c;
        w->wetbulb_c = now.wetbulb_c;
}

void report_step(struct report *r)
{
        const struct plant_spec *s = plant_spec(r->plant);
        int64_t now = plant_t_ms(r->plant);
        struct plant_account a;

        if (r->closed)
                return;
        for (size_t i = 0; i < s->nrack; i++)
                r->max_inlet_c = fmax(r->max_inlet_c, plant_true_inlet_c(r->plant, i));
        if (now - r->row_start_ms < ROW_S * 1000)
                return;
        if (r->n == r->cap) {
                size_t cap = r->cap ? 2 * r->cap : 512;
                struct row *p = realloc(r->row, cap * sizeof(*p));
                if (!p)
                        return; /* a plot loses a point; the account does not */
                r->row = p;
                r->cap = cap;
        }
        struct row w = {.t_ms = now, .max_inlet_c = r->max_inlet_c};
        double to_w = 1000.0 * 3600e3 / (double)(now - r->row_start_ms);
        plant_account(r->plant, &a);
        w.it_w = (a.it_kwh - r->at_row.it_kwh) * to_w;
        w.it_fan_w = (a.it_fan_kwh - r->at_row.it_fan_kwh) * to_w;
        w.crah_fan_w = (a.crah_fan_kwh - r->at_row.crah_fan_kwh) * to_w;
        w.chiller_w = (a.chiller_kwh - r->at_row.chiller_kwh) * to_w;
        w.pump_w = (a.pump_kwh - r->at_row.pump_kwh) * to_w;
        w.tower_w = (a.tower_kwh - r->at_row.tower_kwh) * to_w;
        fill_state(r, &w);
        r->row[r->n++] = w;
        r->at_row = a;
        r->row_start_ms = now;
        r->max_inlet_c = -(double)INFINITY;
}

static void member(FILE *f, const char *name, double v)
{
        if (isfinite(v))
                fprintf(f, "\"%s\":%.6f,", name, v);
        else
                fprintf(f, "\"%s\":null,", name);
}

void account_json(FILE *f, const struct plant_account *a)
{
        member(f, "hours", a->hours);
        member(f, "it_kwh", a->it_kwh);
        member(f, "it_fan_kwh", a->it_fan_kwh);
        member(f, "crah_fan_kwh", a->crah_fan_kwh);
        member(f, "chiller_kwh", a->chiller_kwh);
        member(f, "pump_kwh", a->pump_kwh);
        member(f, "tower_kwh", a->tower_kwh);
        member(f, "cooling_kwh", a->cooling_kwh);
        member(f, "total_kwh", a->total_kwh);
        member(f, "max_inlet_c", a->max_inlet_c);
        member(f, "pue", a->total_kwh / (a->it_kwh + a->it_fan_kwh));
        member(f, "degmin27", a->degmin27);
        member(f, "degmin32", a->degmin32);
        member(f, "max_rise_15min_k", a->max_rise_15min_k);
        member(f, "max_dewpoint_c", a->max_dewpoint_c);
        member(f, "cold_surface_min", a->cold_surface_min);
        member(f, "wet_coil_min", a->wet_coil_min);
        member(f, "latent_kwh", a->latent_kwh);
        member(f, "flow_trips", (double)a->flow_trips);
        member(f, "energy_residual_ratio", a->energy_residual_ratio);
        member(f, "cooling_per_it_kwh", a->cooling_kwh / (a->it_kwh + a->it_fan_kwh));
        fprintf(f,
                "\"hard_violations\":%" PRIu64 ",\"hard_violations_since_takeover\":%" PRIu64
                ",\"chiller_starts\":%" PRIu64 ",\"migrations\":%" PRIu64,
                a->hard_violations, a->hard_violations_since_takeover, a->chiller_starts, a->migrations);
}

/* Since take-over, beside the window: what the demo fails by must be named wherever it happened. */
static void breaches_json(FILE *f, const struct plant *p)
{
        const struct plant_breach *b;
        const size_t n = plant_breaches(p, &b);
        char t[32];

        for (size_t k = 0; k < n; k++) {
                fprintf(f, "%s{\"rule\":\"%s\",\"at\":\"%s-%zu\",\"first\":\"%s\",\"steps\":%" PRIu64 ",", k ? "," : "",
                        plant_rule_str(b[k].rule), b[k].rule == PLANT_RULE_INLET ? "rack" : "chiller", b[k].index + 1,
                        clk_format(b[k].t_ms, t), b[k].steps);
                fprintf(f, "\"worst\":%.3f}", b[k].worst);
        }
}

/* One name a value, in this order. */
#define COLUMNS                                                                                                        \
        "\"t_ms\",\"max_inlet_c\",\"mean_sat_sp_c\",\"mean_fan_ratio\",\"chwst_sp_c\",\"cwst_sp_c\","                  \
        "\"crah_fan_w\",\"chiller_w\",\"pump_w\",\"tower_w\",\"it_w\",\"oat_c\",\"wetbulb_c\",\"it_fan_w\","           \
        "\"mean_inlet_c\",\"mean_sat_c\",\"chwst_c\",\"cwst_c\",\"chillers_on\",\"crahs_remote\""

static void row_json(FILE *f, const struct row *w)
{
        const double v[] = {w->max_inlet_c, w->mean_sat_sp_c, w->mean_fan_ratio, w->chwst_sp_c,   w->cwst_sp_c,
                            w->crah_fan_w,  w->chiller_w,     w->pump_w,         w->tower_w,      w->it_w,
                            w->oat_c,       w->wetbulb_c,     w->it_fan_w,       w->mean_inlet_c, w->mean_sat_c,
                            w->chwst_c,     w->cwst_c};
        fprintf(f, "[%" PRId64, w->t_ms);
        for (size_t k = 0; k < sizeof(v) / sizeof(v[0]); k++)
                if (isfinite(v[k]))
                        fprintf(f, ",%.6f", v[k]);
                else
                        fprintf(f, ",null");
        fprintf(f, ",%zu,%zu]", w->chillers_on, w->crahs_remote);
}

int report_write(const struct report *r, const char *path)
{
        struct plant_account a;
        int64_t now = r->closed ? r->end_ms : plant_t_ms(r->plant);
        char start[32], end[32];
        FILE *f = fopen(path, "w");

        if (!f)
                return -errno;
        a = r->at_end;
        if (!r->closed)
                plant_account(r->plant, &a);
        fprintf(f, "{\"site\":\"%s\",\"window_start\":\"%s\",\"window_end\":\"%s\",", plant_spec(r->plant)->name,
                clk_format(r->start_ms, start), clk_format(now, end));
        fprintf(f, "\"window_start_ms\":%" PRId64 ",\"window_end_ms\":%" PRId64 ",\"account\":{", r->start_ms, now);
        account_json(f, &a);
        fprintf(f, "},\"breaches\":[");
        breaches_json(f, r->plant);
        fprintf(f, "],\"series\":{\"columns\":[" COLUMNS "],\"rows\":[");
        for (size_t k = 0; k < r->n; k++) {
                fprintf(f, "%s\n", k ? "," : "");
                row_json(f, &r->row[k]);
        }
        fprintf(f, "\n]}}\n");
        int err = ferror(f) ? -EIO : 0;
        return fclose(f) != 0 ? -errno : err;
}
