/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's rows as a terminal table and as JSON. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/base/clock.h"
#include "sim/compare.h"

static void interval(struct text *t, const struct compare_row *r)
{
        char saving[16] = "-", ci[32] = "-";

        if (isfinite(r->saving_total))
                (void)snprintf(saving, sizeof(saving), "%.2f", r->saving_total);
        if (isfinite(r->ci95_low))
                (void)snprintf(ci, sizeof(ci), "%.2f..%.2f", r->ci95_low, r->ci95_high);
        text_printf(t, " %8s %14s", saving, ci);
}

static void table_cell(const struct compare_cell *c, struct text *t)
{
        text_printf(
            t,
            "%-10s %4s %10s %9s %8s %8s %9s %10s %10s %10s %6s %14s %8s %14s %11s %8s %8s %16s %17s %15s %14s %14s "
            "%10s %10s %11s %12s %14s %10s %14s %16s %12s %8s %12s\n",
            "controller", "rank", "chillers", "pumps", "towers", "crah_fan", "cooling", "it", "it_fan", "total", "pue",
            "cooling_per_it", "saving_%", "ci95_%", "max_inlet_c", "degmin27", "degmin32", "max_rise_15min_k",
            "max_swing_15min_k", "hard_violations", "since_takeover", "chiller_starts", "migrations", "stored",
            "sat_k_per_h", "valve_per_h", "chwst_k_per_h", "flow_trips", "max_dewpoint_c", "cold_surface_min",
            "wet_coil_min", "latent", "saving_b2v_%");
        for (size_t i = 0; i < c->nrow; i++) {
                const struct compare_row *r = &c->row[i];
                char since[24] = "-", b2v[16] = "-";

                text_printf(t, "%-10s %4u %10.1f %9.1f %8.1f %8.1f %9.1f %10.1f %10.1f %10.1f %6.3f %14.4f",
                            r->controller->name, r->rank, r->chiller_kwh, r->pump_kwh, r->tower_kwh, r->crah_fan_kwh,
                            r->cooling_kwh, r->it_kwh, r->it_fan_kwh, r->total_kwh, r->pue, r->cooling_per_it_kwh);
                interval(t, r);
                if (yard_has_agent(r->controller) && r->controller->kind != YARD_UNFILTERED)
                        (void)snprintf(since, sizeof(since), "%" PRIu64, r->since_takeover);
                if (isfinite(r->saving_b2v))
                        (void)snprintf(b2v, sizeof(b2v), "%.2f", r->saving_b2v);
                text_printf(t,
                            " %11.2f %8.1f %8.1f %16.2f %17.2f %15" PRIu64
                            " %14s %14.1f %10.1f %10.1f %11.2f %12.2f %14.2f %10" PRIu64
                            " %14.1f %16.0f %12.0f %8.1f %12s\n",
                            r->max_inlet_c, r->degmin27, r->degmin32, r->max_rise_15min_k, r->max_swing_15min_k,
                            r->hard_violations, since, r->chiller_starts, r->migrations, r->stored_kwh,
                            r->sat_travel_k_h, r->valve_travel_h, r->chwst_travel_k_h, r->flow_trips, r->max_dewpoint_c,
                            r->cold_surface_min, r->wet_coil_min, r->latent_kwh, b2v);
        }
        for (size_t i = 0; i < c->nrow; i++)
                if (c->row[i].controller->kind == YARD_CONSTANT)
                        text_printf(t,
                                    "%s (first seed): supply air %.2f °C, fans %.4g, chilled water %.2f °C, condenser "
                                    "water %.2f °C, chillers %#" PRIx32 "\n",
                                    c->row[i].controller->name, c->row[i].best.sat_c[0], c->row[i].best.fan_ratio[0],
                                    c->row[i].best.chwst_c, c->row[i].best.cwst_c, c->row[i].best.chillers);
        compare_notes(c, t);
}

void compare_table(const struct compare_report *r, const struct compare_cell *c, struct text *t)
{
        char start[32];

        text_printf(t, "site %s, weather %s, %s, %g h", r->site, c->weather, c->season[0] ? c->season : "given start",
                    r->hours);
        if (c->start_ms != INT64_MIN)
                text_printf(t, " from %s", clk_format(c->start_ms, start));
        text_printf(t, ", %zu seed%s; kWh\n", r->nseed, r->nseed == 1 ? "" : "s");
        table_cell(c, t);
}

struct field {
        const char *name;
        double v;
};

static void json_row(const struct compare_cell *c, const struct compare_row *r, struct text *t)
{
        const struct field field[] = {{"rank", r->rank},
                                      {"cooling_kwh", r->cooling_kwh},
                                      {"chiller_kwh", r->chiller_kwh},
                                      {"pump_kwh", r->pump_kwh},
                                      {"tower_kwh", r->tower_kwh},
                                      {"crah_fan_kwh", r->crah_fan_kwh},
                                      {"it_kwh", r->it_kwh},
                                      {"it_fan_kwh", r->it_fan_kwh},
                                      {"total_kwh", r->total_kwh},
                                      {"pue", r->pue},
                                      {"cooling_per_it_kwh", r->cooling_per_it_kwh},
                                      {"max_inlet_c", r->max_inlet_c},
                                      {"degmin27", r->degmin27},
                                      {"degmin32", r->degmin32},
                                      {"max_rise_15min_k", r->max_rise_15min_k},
                                      {"max_swing_15min_k", r->max_swing_15min_k},
                                      {"hard_violations", (double)r->hard_violations},
                                      {"hard_violations_since_takeover", (double)r->since_takeover},
                                      {"chiller_starts", r->chiller_starts},
                                      {"migrations", r->migrations},
                                      {"sat_travel_k_per_h", r->sat_travel_k_h},
                                      {"fan_travel_per_h", r->fan_travel_h},
                                      {"valve_travel_per_h", r->valve_travel_h},
                                      {"chwst_travel_k_per_h", r->chwst_travel_k_h},
                                      {"flow_trips", (double)r->flow_trips},
                                      {"saving_total_pct", r->saving_total},
                                      {"saving_cooling_pct", r->saving_cooling},
                                      {"ci95_low", r->ci95_low},
                                      {"ci95_high", r->ci95_high},
                                      {"stored_kwh", r->stored_kwh},
                                      {"energy_residual_ratio", r->residual},
                                      {"cpu_s", r->cpu_s},
                                      {"max_dewpoint_c", r->max_dewpoint_c},
                                      {"cold_surface_min", r->cold_surface_min},
                                      {"wet_coil_min", r->wet_coil_min},
                                      {"latent_kwh", r->latent_kwh},
                                      {"saving_b2v_pct", r->saving_b2v},
                                      {"b2v_ci95_low", r->b2v_low},
                                      {"b2v_ci95_high", r->b2v_high},
                                      {"saving_strongest_pct", r->saving_strongest},
                                      {"strongest_ci95_low", r->strongest_low},
                                      {"strongest_ci95_high", r->strongest_high}};
        char start[32];

        text_put(t, "{\"controller\":");
        text_json_string(t, r->controller->name);
        text_put(t, ",\"weather\":");
        text_json_string(t, c->weather);
        text_put(t, ",\"season\":");
        text_json_string(t, c->season);
        if (c->start_ms != INT64_MIN)
                text_printf(t, ",\"start\":\"%s\"", clk_format(c->start_ms, start));
        for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
                text_printf(t, ",\"%s\":", field[i].name);
                text_json_number(t, field[i].v);
        }
        if (r->strongest != NULL) {
                text_put(t, ",\"strongest_baseline\":");
                text_json_string(t, r->strongest->name);
        }
        if (yard_has_agent(r->controller))
                text_printf(t,
                            ",\"decisions\":{\"accept\":%" PRIu64 ",\"project\":%" PRIu64 ",\"hold\":%" PRIu64
                            ",\"fallback\":%" PRIu64 "}",
                            r->decisions[0], r->decisions[1], r->decisions[2], r->decisions[3]);
        if (r->controller->kind == YARD_CONSTANT) {
                text_put(t, ",\"best\":{\"sat_c\":");
                text_json_number(t, r->best.sat_c[0]);
                text_put(t, ",\"fan_ratio\":");
                text_json_number(t, r->best.fan_ratio[0]);
                text_put(t, ",\"chwst_c\":");
                text_json_number(t, r->best.chwst_c);
                text_put(t, ",\"cwst_c\":");
                text_json_number(t, r->best.cwst_c);
                text_printf(t, ",\"chillers\":%" PRIu32 "}", r->best.chillers);
        }
        text_put(t, "}");
}

void compare_json(const struct compare_report *r, struct text *t)
{
        bool first = true;

        text_put(t, "{\"site\":");
        text_json_string(t, r->site);
        text_put(t, ",\"hours\":");
        text_json_number(t, r->hours);
        text_put(t, ",\"warmup_hours\":");
        text_json_number(t, r->warmup_h);
        text_printf(t, ",\"seed\":%" PRIu64 ",\"seeds\":%zu,\"rows\":[", r->seed, r->nseed);
        for (size_t i = 0; i < r->ncell; i++)
                for (size_t k = 0; k < r->cell[i].nrow; k++, first = false) {
                        text_put(t, first ? "\n" : ",\n");
                        json_row(&r->cell[i], &r->cell[i].row[k], t);
                }
        text_put(t, "\n],\"notes\":[");
        first = true;
        for (size_t i = 0; i < r->ncell; i++) {
                const struct compare_cell *c = &r->cell[i];
                struct text notes = {0};

                compare_notes(c, &notes);
                for (const char *line = notes.v; line != NULL && *line; first = false) {
                        const size_t n = strcspn(line, "\n");
                        struct text one = {0};

                        text_printf(&one, "%s %s ", c->weather, c->season);
                        text_putn(&one, line, n);
                        text_put(t, first ? "\n" : ",\n");
                        text_json_string(t, one.v != NULL ? one.v : "");
                        text_free(&one);
                        line += n + (line[n] == '\n');
                }
                text_free(&notes);
        }
        text_put(t, "]}\n");
}
