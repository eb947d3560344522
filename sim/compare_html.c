/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's page: nothing loaded from anywhere, plots as inline SVG, the same scales for all controllers of a
 * cell so that panels can be laid side by side; prints one panel after the other. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/plot.h"
#include "sim/compare.h"

#define SERIES(label, colour, member, factor) PLOT_SERIES(label, colour, struct yard_sample, member, factor)

static const struct plot_series inlets[] = {SERIES("hottest inlet (at any time)", PLOT_RED, inlet_max_c, 1),
                                            SERIES("mean inlet", PLOT_BLUE, inlet_mean_c, 1)};
static const struct plot_series powers[] = {
    SERIES("chillers", PLOT_BLUE, chiller_kw, 1), SERIES("pumps", PLOT_SKY, pump_kw, 1),
    SERIES("towers", PLOT_GREEN, tower_kw, 1), SERIES("CRAH fans", PLOT_ORANGE, crah_fan_kw, 1),
    SERIES("server fans", PLOT_PINK, it_fan_kw, 1)};
static const struct plot_series setpoints[] = {SERIES("supply air", PLOT_RED, sat_sp_c, 1),
                                               SERIES("chilled water", PLOT_BLUE, chwst_sp_c, 1),
                                               SERIES("condenser water", PLOT_GREEN, cwst_sp_c, 1)};
static const struct plot_series fans[] = {SERIES("mean speed", PLOT_ORANGE, fan_ratio, 100)};
static const struct plot_series chillers[] = {SERIES("running", PLOT_GREY, chillers, 1)};
static const struct plot_series outdoors[] = {SERIES("dry bulb", PLOT_ORANGE, oat_c, 1),
                                              SERIES("wet bulb", PLOT_SKY, wetbulb_c, 1)};
#define NONE ((double)NAN)
#define PLOT(what, in, high, how, least, most, soft, hard, drawn)                                                      \
        {                                                                                                              \
                .title = (what), .unit = (in), .height = (high), .kind = (how), .lo = (least), .hi = (most),           \
                .limit = {(soft), (hard)}, .series = (drawn), .nseries = sizeof(drawn) / sizeof((drawn)[0]),           \
                .x_offset = offsetof(struct yard_sample, t_h)                                                          \
        }
static const struct plot plots[] = {
    PLOT("Rack inlets", "°C", 130, PLOT_LINES, 18, 33, 27, 32, inlets),
    PLOT("Power beside IT", "kW", 170, PLOT_STACK, 0, 10, NONE, NONE, powers),
    PLOT("Setpoints in force", "°C", 130, PLOT_LINES, 5, 28, NONE, NONE, setpoints),
    PLOT("CRAH fans", "%", 80, PLOT_LINES, 0, 100, NONE, NONE, fans),
    PLOT("Chillers", "", 65, PLOT_LINES, 0, 2, NONE, NONE, chillers),
    PLOT("Outdoors", "°C", 100, PLOT_LINES, NONE, NONE, NONE, NONE, outdoors),
};
#define NPLOT (sizeof(plots) / sizeof(plots[0]))

static const char style[] =
    "body{font:14px/1.4 sans-serif;margin:1.5em auto;max-width:1280px;padding:0 1em;color:#222}"
    "h1{font-size:1.5em}h2{font-size:1.2em;border-bottom:1px solid #999;margin-top:2em}h3{font-size:1em;margin:1em 0 "
    ".2em}table{border-collapse:collapse;font-size:11px}th,td{padding:.2em .35em;text-align:right;border-bottom:1px "
    "solid #ddd;vertical-align:bottom}td{white-space:nowrap}th:first-child,td:first-child{text-align:left}tr.first "
    "td{font-weight:bold}"
    ".scroll{overflow-x:auto}code{font-size:12px}ul{margin:.5em 0}.panel{break-inside:avoid;margin-top:1em}svg{display:"
    "block;width:100%;height:auto}"
    "@media print{body{max-width:none;margin:0;font-size:11px}table{font-size:8px}th,td{padding:.1em .25em}}";

static void cells(struct text *t, const double *v, size_t n, int digits)
{
        for (size_t i = 0; i < n; i++) {
                if (isfinite(v[i]))
                        text_printf(t, "<td>%.*f</td>", digits, v[i]);
                else
                        text_put(t, "<td>–</td>");
        }
}

static void table(const struct compare_cell *c, struct text *t)
{
        text_put(
            t, "<div class='scroll'><table><tr><th>controller</th><th>rank</th><th>total kWh</th><th>saving %</th>"
               "<th>95 %</th><th>saving over b2v "
               "%</th><th>cooling</th><th>chillers</th><th>pumps</th><th>towers</th><th>CRAH fans</th>"
               "<th>server fans</th><th>IT</th><th>PUE</th><th>cooling per IT kWh</th><th>hottest °C</th>"
               "<th>deg-min &gt; 27</th><th>deg-min &gt; 32</th><th>rise K/15 min</th><th>swing K/15 min</th><th>hard "
               "violations</th>"
               "<th>chiller starts</th><th>trips by low flow</th><th>supply-air setpoint K/h</th><th>valves "
               "strokes/h</th><th>chilled-water setpoint K/h</th><th>VM moves</th><th>stored kWh</th>"
               "<th>highest dew point °C</th><th>cold surface min</th><th>wet coil min</th><th>latent kWh</th></tr>\n");
        for (size_t i = 0; i < c->nrow; i++) {
                const struct compare_row *r = &c->row[i];

                text_printf(t, "<tr%s><td>%s, %s</td><td>%u</td>", r->rank == 1 ? " class='first'" : "",
                            r->controller->name, r->controller->what, r->rank);
                cells(t, (const double[]){r->total_kwh}, 1, 1);
                cells(t, (const double[]){r->saving_total}, 1, 2);
                if (isfinite(r->ci95_low))
                        text_printf(t, "<td>%.2f … %.2f</td>", r->ci95_low, r->ci95_high);
                else
                        text_put(t, "<td>–</td>");
                cells(t, (const double[]){r->saving_b2v}, 1, 2);
                cells(t,
                      (const double[]){r->cooling_kwh, r->chiller_kwh, r->pump_kwh, r->tower_kwh, r->crah_fan_kwh,
                                       r->it_fan_kwh, r->it_kwh},
                      7, 1);
                cells(t, (const double[]){r->pue, r->cooling_per_it_kwh}, 2, 3);
                cells(t, (const double[]){r->max_inlet_c}, 1, 2);
                cells(t, (const double[]){r->degmin27, r->degmin32, r->max_rise_15min_k, r->max_swing_15min_k}, 4, 1);
                text_printf(t, "<td>%" PRIu64 "</td>", r->hard_violations);
                cells(t, (const double[]){r->chiller_starts}, 1, 1);
                text_printf(t, "<td>%" PRIu64 "</td>", r->flow_trips);
                cells(t, (const double[]){r->sat_travel_k_h, r->valve_travel_h, r->chwst_travel_k_h}, 3, 2);
                cells(t, (const double[]){r->migrations, r->stored_kwh, r->max_dewpoint_c}, 3, 1);
                cells(t, (const double[]){r->cold_surface_min, r->wet_coil_min}, 2, 0);
                cells(t, (const double[]){r->latent_kwh}, 1, 1);
                text_put(t, "</tr>\n");
        }
        text_put(t, "</table></div>\n");
}

static void notes(const struct compare_cell *c, struct text *t)
{
        struct text n = {0};

        compare_notes(c, &n);
        if (n.n > 0) {
                text_put(t, "<ul>");
                for (const char *line = n.v; *line;) {
                        const size_t len = strcspn(line, "\n");

                        text_put(t, "<li>");
                        text_putn(t, line, len);
                        text_put(t, "</li>");
                        line += len + (line[len] == '\n');
                }
                text_put(t, "</ul>\n");
        }
        t->failed |= n.failed;
        text_free(&n);
}

static void decisions(const struct compare_row *r, struct text *t)
{
        static const char *const kind[4] = {"accept", "project", "hold", "fallback"};

        if (!yard_has_agent(r->controller))
                return;
        text_put(t, r->controller->kind == YARD_UNFILTERED ? "; the safety layer would have said:"
                                                           : "; decisions of all seeds:");
        for (size_t k = 0; k < 4; k++)
                text_printf(t, " %" PRIu64 " %s", r->decisions[k], kind[k]);
}

static void panel(const struct compare_report *r, const struct compare_cell *c, size_t i, const struct plot_rows *rows,
                  struct text *t)
{
        const struct yard_trace *trace = &c->trace[i];
        double it_kw = 0.0;

        for (size_t k = 0; k < trace->n; k++)
                it_kw += trace->sample[k].it_kw / (double)trace->n;
        text_printf(t, "<div class='panel'><h3>%s, %s</h3><p>seed %" PRIu64 ", mean IT load %.0f kW",
                    c->row[i].controller->name, c->row[i].controller->what, r->seed, it_kw);
        decisions(&c->row[i], t);
        text_put(t, "</p>\n");
        for (size_t k = 0; k < NPLOT; k++) {
                const struct plot_scale s = plot_scale(&plots[k], rows, c->nrow); /* one for all controllers */

                plot_draw(&plots[k], &s, &rows[i], c->start_ms, r->hours, t);
        }
        text_put(t, "</div>\n");
}

static void panels(const struct compare_report *r, const struct compare_cell *c, struct text *t)
{
        struct plot_rows *rows = calloc(c->nrow, sizeof *rows);

        t->failed |= !rows;
        for (size_t i = 0; rows && i < c->nrow; i++)
                rows[i] = (struct plot_rows){c->trace[i].sample, c->trace[i].n, sizeof *c->trace[i].sample};
        for (size_t i = 0; rows && i < c->nrow; i++)
                panel(r, c, i, rows, t);
        free(rows);
}

void compare_html(const struct compare_report *r, const char *command, struct text *t)
{
        char start[32];

        text_printf(t,
                    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>coolplane yardstick</title>"
                    "<style>%s</style></head><body><h1>Cooling controllers on the same weather and load: site ",
                    style);
        text_html(t, r->site);
        text_printf(t, "</h1><p>%g h after %g h of warm-up, %zu seed%s. A simulated plant. Made by <code>", r->hours,
                    r->warmup_h, r->nseed, r->nseed == 1 ? "" : "s");
        text_html(t, command);
        text_put(
            t, "</code></p><p>Ranked by total energy: chillers, pumps, towers and CRAH fans (cooling), server fans and "
               "IT. kWh are means over the seeds, temperatures and degree-minutes those of the worst seed, hard "
               "violations their sum. Saving: total energy against b2, with the 95 % bootstrap interval over the "
               "seeds (from five on), for this very weather. Over b2v: beyond what a plain consolidation of VMs saves. "
               "Stored: heat left in water, air and "
               "masses at the end.</p>\n");
        for (size_t i = 0; i < r->ncell; i++) {
                const struct compare_cell *c = &r->cell[i];

                text_put(t, "<h2>");
                text_html(t, c->weather);
                text_printf(t, "%s%s", c->season[0] ? ", " : "", c->season);
                if (c->start_ms != INT64_MIN)
                        text_printf(t, ", from %.16sZ", clk_format(c->start_ms, start));
                text_put(t, "</h2>\n");
                table(c, t);
                notes(c, t);
                if (c->trace != NULL)
                        panels(r, c, t);
        }
        text_put(t, "</body></html>\n");
}
