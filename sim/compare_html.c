/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's page: nothing loaded from anywhere, plots as inline SVG, the same scales for all controllers of a
 * cell so that panels can be laid side by side; prints one panel after the other. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/base/clock.h"
#include "sim/compare.h"

#define WIDTH 860.0
#define LEFT 52.0
#define RIGHT 20.0
#define TOP 18.0
#define BOTTOM 18.0
#define BLUE "#0072b2"
#define SKY "#56b4e9"
#define GREEN "#009e73"
#define ORANGE "#e69f00"
#define RED "#d55e00"
#define PINK "#cc79a7"
#define GREY "#888888"

struct series {
        const char *label, *colour;
        size_t offset; /* of a double in struct yard_sample */
        double factor;
};
#define SERIES(label, colour, member, factor)                                                                          \
        {                                                                                                              \
                label, colour, offsetof(struct yard_sample, member), factor                                            \
        }

struct plot {
        const char *title, *unit;
        double height;
        bool stacked;
        double lo, hi;   /* at least this range; NaN = from the data */
        double limit[2]; /* horizontal lines; NaN = none */
        const struct series *series;
        size_t nseries;
};

static const struct series inlets[] = {SERIES("hottest inlet (at any time)", RED, inlet_max_c, 1),
                                       SERIES("mean inlet", BLUE, inlet_mean_c, 1)};
static const struct series powers[] = {
    SERIES("chillers", BLUE, chiller_kw, 1), SERIES("pumps", SKY, pump_kw, 1), SERIES("towers", GREEN, tower_kw, 1),
    SERIES("CRAH fans", ORANGE, crah_fan_kw, 1), SERIES("server fans", PINK, it_fan_kw, 1)};
static const struct series setpoints[] = {SERIES("supply air", RED, sat_sp_c, 1),
                                          SERIES("chilled water", BLUE, chwst_sp_c, 1),
                                          SERIES("condenser water", GREEN, cwst_sp_c, 1)};
static const struct series fans[] = {SERIES("mean speed", ORANGE, fan_ratio, 100)};
static const struct series chillers[] = {SERIES("running", GREY, chillers, 1)};
static const struct series outdoors[] = {SERIES("dry bulb", ORANGE, oat_c, 1), SERIES("wet bulb", SKY, wetbulb_c, 1)};
static const struct plot plots[] = {
    {"Rack inlets", "°C", 130, false, 18, 33, {27, 32}, inlets, 2},
    {"Power beside IT", "kW", 170, true, 0, 10, {(double)NAN, (double)NAN}, powers, 5},
    {"Setpoints in force", "°C", 130, false, 5, 28, {(double)NAN, (double)NAN}, setpoints, 3},
    {"CRAH fans", "%", 80, false, 0, 100, {(double)NAN, (double)NAN}, fans, 1},
    {"Chillers", "", 65, false, 0, 2, {(double)NAN, (double)NAN}, chillers, 1},
    {"Outdoors", "°C", 100, false, (double)NAN, (double)NAN, {(double)NAN, (double)NAN}, outdoors, 2},
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

static void escaped(struct text *t, const char *s)
{
        for (; *s; s++) {
                const char *e = *s == '&'   ? "&amp;"
                                : *s == '<' ? "&lt;"
                                : *s == '>' ? "&gt;"
                                : *s == '"' ? "&quot;"
                                            : NULL;

                if (e != NULL)
                        text_put(t, e);
                else
                        text_putn(t, s, 1);
        }
}

static double value(const struct yard_sample *s, const struct series *of)
{
        double v;

        memcpy(&v, (const char *)s + of->offset, sizeof(v));
        return v * of->factor;
}

static double nice_step(double span)
{
        const double raw = span / 5.0, ten = pow(10.0, floor(log10(raw))), m = raw / ten;

        return ten * (m <= 1.0 ? 1.0 : m <= 2.0 ? 2.0 : m <= 5.0 ? 5.0 : 10.0);
}

struct frame {
        const struct plot *p;
        double lo, hi, step, hours;
};

/* One scale for all controllers of the cell. */
static void scale(const struct compare_cell *c, const struct plot *p, struct frame *ret)
{
        double lo = isfinite(p->lo) ? p->lo : (double)INFINITY, hi = isfinite(p->hi) ? p->hi : -(double)INFINITY, step;

        for (size_t i = 0; i < c->nrow; i++)
                for (size_t k = 0; k < c->trace[i].n; k++) {
                        double sum = 0.0;

                        for (size_t j = 0; j < p->nseries; j++) {
                                const double v = value(&c->trace[i].sample[k], &p->series[j]);

                                sum = p->stacked ? sum + v : v;
                                lo = fmin(lo, sum);
                                hi = fmax(hi, sum);
                        }
                }
        if (!(hi > lo))
                hi = lo + 1.0;
        step = nice_step(hi - lo);
        ret->step = step;
        ret->lo = floor(lo / step + 1e-9) * step;
        ret->hi = ceil(hi / step - 1e-9) * step;
}

static double px(const struct frame *f, double t_h)
{
        return LEFT + (WIDTH - LEFT - RIGHT) * t_h / f->hours;
}

static double py(const struct frame *f, double v)
{
        return TOP + (f->p->height - TOP - BOTTOM) * (f->hi - v) / (f->hi - f->lo);
}

static void axes(const struct frame *f, int64_t start_ms, struct text *t)
{
        const double step = f->step, bottom = py(f, f->lo);
        const double every_h = f->hours <= 6    ? 1
                               : f->hours <= 12 ? 2
                               : f->hours <= 48 ? 4
                               : f->hours <= 96 ? 12
                                                : 24.0 * ceil(f->hours / 24.0 / 14.0);
        double x = LEFT;

        for (long k = 0; k <= lround((f->hi - f->lo) / step); k++) {
                const double v = f->lo + (double)k * step;

                text_printf(t,
                            "<line x1='%g' x2='%g' y1='%.1f' y2='%.1f' stroke='#ddd'/><text x='%g' y='%.1f' "
                            "text-anchor='end'>%g</text>",
                            LEFT, WIDTH - RIGHT, py(f, v), py(f, v), LEFT - 4, py(f, v) + 3.5,
                            fabs(v) < 1e-9 ? 0.0 : v);
        }
        for (long k = 0; (double)k * every_h <= f->hours + 1e-9; k++) {
                const double h = (double)k * every_h;
                char at[32];

                (void)clk_format(start_ms + llround(h * 3600e3), at);
                text_printf(t,
                            "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='#999'/><text x='%.1f' y='%.1f' "
                            "text-anchor='middle'>%.*s</text>",
                            px(f, h), px(f, h), bottom, bottom + 3, px(f, h), bottom + 14, 5,
                            f->hours > 96 ? at + 5 : at + 11);
        }
        text_printf(t, "<text x='%g' y='%.1f' text-anchor='end' fill='#777'>UTC</text>", LEFT - 12, bottom + 14);
        text_printf(t, "<text x='%g' y='11' font-weight='bold'>%s</text>", x, f->p->title);
        x += 8.0 + 7.0 * (double)strlen(f->p->title);
        if (f->p->unit[0])
                text_printf(t, "<text x='%g' y='11'>%s</text>", x, f->p->unit);
        x += 40.0;
        for (size_t j = 0; j < f->p->nseries; j++) {
                text_printf(t, "<rect x='%g' y='3' width='9' height='9' fill='%s'/><text x='%g' y='11'>%s</text>", x,
                            f->p->series[j].colour, x + 12, f->p->series[j].label);
                x += 30.0 + 6.2 * (double)strlen(f->p->series[j].label);
        }
}

static void draw_lines(const struct frame *f, const struct yard_trace *trace, struct text *t)
{
        for (size_t j = 0; j < f->p->nseries; j++) {
                text_printf(t, "<polyline fill='none' stroke='%s' stroke-width='1.4' points='", f->p->series[j].colour);
                for (size_t k = 0; k < trace->n; k++)
                        text_printf(t, "%.1f,%.1f ", px(f, trace->sample[k].t_h),
                                    py(f, value(&trace->sample[k], &f->p->series[j])));
                text_put(t, "'/>");
        }
}

static double below(const struct yard_sample *s, const struct plot *p, size_t j)
{
        double sum = 0.0;

        for (size_t i = 0; i < j; i++)
                sum += value(s, &p->series[i]);
        return sum;
}

static void draw_stack(const struct frame *f, const struct yard_trace *trace, struct text *t)
{
        for (size_t j = 0; j < f->p->nseries; j++) {
                text_printf(t, "<polygon fill='%s' points='", f->p->series[j].colour);
                for (size_t k = 0; k < trace->n; k++)
                        text_printf(t, "%.1f,%.1f ", px(f, trace->sample[k].t_h),
                                    py(f, below(&trace->sample[k], f->p, j + 1)));
                for (size_t k = trace->n; k-- > 0;)
                        text_printf(t, "%.1f,%.1f ", px(f, trace->sample[k].t_h),
                                    py(f, below(&trace->sample[k], f->p, j)));
                text_put(t, "'/>");
        }
}

static void draw(const struct compare_report *r, const struct compare_cell *c, const struct plot *p,
                 const struct yard_trace *trace, struct text *t)
{
        struct frame f = {.p = p, .hours = r->hours};

        scale(c, p, &f);
        text_printf(t,
                    "<svg viewBox='0 0 %g %g' role='img' font-family='sans-serif' "
                    "font-size='10.5' fill='#222'><title>%s</title>",
                    WIDTH, p->height, p->title);
        axes(&f, c->start_ms, t);
        if (p->stacked)
                draw_stack(&f, trace, t);
        else
                draw_lines(&f, trace, t);
        for (size_t i = 0; i < 2; i++)
                if (isfinite(p->limit[i]) && p->limit[i] <= f.hi)
                        text_printf(t,
                                    "<line x1='%g' x2='%g' y1='%.1f' y2='%.1f' stroke='#b00' stroke-dasharray='6 "
                                    "4'/><text x='%g' y='%.1f' text-anchor='end' fill='#b00'>%g</text>",
                                    LEFT, WIDTH - RIGHT, py(&f, p->limit[i]), py(&f, p->limit[i]), WIDTH - RIGHT,
                                    py(&f, p->limit[i]) - 3, p->limit[i]);
        text_put(t, "</svg>\n");
}

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

static void panels(const struct compare_report *r, const struct compare_cell *c, struct text *t)
{
        for (size_t i = 0; i < c->nrow; i++) {
                const struct yard_trace *trace = &c->trace[i];
                double it_kw = 0.0;

                for (size_t k = 0; k < trace->n; k++)
                        it_kw += trace->sample[k].it_kw / (double)trace->n;
                text_printf(t, "<div class='panel'><h3>%s, %s</h3><p>seed %" PRIu64 ", mean IT load %.0f kW",
                            c->row[i].controller->name, c->row[i].controller->what, r->seed, it_kw);
                decisions(&c->row[i], t);
                text_put(t, "</p>\n");
                for (size_t k = 0; k < NPLOT; k++)
                        draw(r, c, &plots[k], trace, t);
                text_put(t, "</div>\n");
        }
}

void compare_html(const struct compare_report *r, const char *command, struct text *t)
{
        char start[32];

        text_printf(t,
                    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>coolplane yardstick</title>"
                    "<style>%s</style></head><body><h1>Cooling controllers on the same weather and load: site ",
                    style);
        escaped(t, r->site);
        text_printf(t, "</h1><p>%g h after %g h of warm-up, %zu seed%s. A simulated plant. Made by <code>", r->hours,
                    r->warmup_h, r->nseed, r->nseed == 1 ? "" : "s");
        escaped(t, command);
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
                escaped(t, c->weather);
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
