/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The page of coolplane evaluate: what is drawn over time, and the worst hours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/plot.h"
#include "agent/cli/evaluate_html.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"
#include "agent/points/units.h"

#define HOUR_MS 3600e3
#define NONE ((double)NAN)
#define ABOVE_HARD_K 4.0 /* warmer than that above the hard limit is drawn at the upper edge */

/* --- rows -------------------------------------------------------------------------------------------------------- */

/* One stretch of the series; of a stretch without decisions one row of NaN, so that lines break. */
struct row {
        double t_h, heat_c[SERIES_HEATS], predicted_kw, measured_kw, metered_kw, action, in_force;
};

static double hours(const struct evaluation *e)
{
        return fmax((double)(e->last_ms - e->first_ms) / HOUR_MS, e->layout->step_s / 3600);
}

static struct row row_of(const struct evaluation *e, size_t k, size_t u)
{
        const struct series *s = &e->series;
        const struct series_bucket *b = &s->bucket[k];
        struct row r = {.predicted_kw = series_mean(&b->predicted_w) / 1000,
                        .measured_kw = series_mean(&b->measured_w) / 1000,
                        .metered_kw = series_mean(&b->metered_w) / 1000,
                        .action = NONE,
                        .in_force = NONE};
        const double mid_h = ((double)(b->t_ms - e->first_ms) + 0.5 * (double)s->width_ms) / HOUR_MS;

        r.t_h = fmin(fmax(mid_h, 0), hours(e)); /* stretches at the ends may stick out of the record */
        memcpy(r.heat_c, b->heat_c, sizeof r.heat_c);
        if (u < s->nu) {
                const struct series_pair *q = &s->u[k * s->nu + u];
                const enum unit unit = (enum unit)e->site->point[e->layout->u[u].point].unit;
                const double scale = unit == UNIT_RATIO ? 100 : 1;

                r.action = scale * unit_from_si(unit, series_mean(&q->action));
                r.in_force = scale * unit_from_si(unit, series_mean(&q->in_force));
        }
        return r;
}

/* u: variable of action and in_force, SIZE_MAX: none. Owned by the caller; .row NULL: no memory. */
static struct plot_rows rows(const struct evaluation *e, size_t u)
{
        const struct series *s = &e->series;
        struct row *r = calloc(2 * s->n + 1, sizeof *r);
        size_t n = 0;

        for (size_t k = 0; r && k < s->n; k++) {
                if (k > 0 && s->bucket[k].t_ms - s->bucket[k - 1].t_ms > s->width_ms) {
                        r[n] = r[n - 1];
                        for (size_t h = 0; h < SERIES_HEATS; h++)
                                r[n].heat_c[h] = NONE;
                        r[n].predicted_kw = r[n].measured_kw = r[n].metered_kw = r[n].action = r[n].in_force = NONE;
                        n++;
                }
                r[n++] = row_of(e, k, u);
        }
        return (struct plot_rows){r, n, sizeof *r};
}

static void figure(const struct evaluation *e, const struct plot *p, const struct plot_rows *of, struct text *t)
{
        const struct plot_scale s = plot_scale(p, of, 1);

        plot_draw(p, &s, of, e->first_ms, hours(e), t);
}

/* --- limits ------------------------------------------------------------------------------------------------------ */

static void heat_row(const struct evaluation *e, enum evaluate_heat h, const char *what, struct text *t)
{
        const struct score_heat *q = &e->all.heat[h];

        if (q->n == 0)
                return;
        text_put(t, "<tr>");
        page_cell_text(t, what);
        text_printf(t, "<td class=n>%zu</td><td class=n>%zu</td><td class=n>%zu</td>", q->soft, q->hard, q->n);
        page_cell(t, q->max_c, 1);
        text_put(t, "<td class=w>");
        page_time(t, q->max_t_ms);
        text_put(t, "</td></tr>\n");
}

static void heat_table(const struct evaluation *e, struct text *t)
{
        static const char *const what[HEAT_COUNT] = {"measured", "foreseen under the setpoints in force",
                                                     "foreseen under our actions", "foreseen under the raw proposals",
                                                     "the certificates' worst case"};

        text_put(t, "<table><thead><tr><th>Hottest inlet</th><th class=n>steps above soft limit, ");
        page_number(t, e->soft_c, 1);
        text_put(t, " °C</th><th class=n>above hard limit, ");
        page_number(t, e->hard_c, 1);
        text_put(t, " °C</th><th class=n>of steps</th><th class=n>hottest °C</th><th>at (UTC)</th></tr></thead>"
                    "<tbody>\n");
        for (int h = 0; h < HEAT_COUNT; h++)
                heat_row(e, (enum evaluate_heat)h, what[h], t);
        text_put(t, "</tbody></table>\n");
}

void page_limits(const struct evaluate_page *p, struct text *t)
{
        static const struct plot_series series[] = {
            {"certificate's worst case", PLOT_GREY, offsetof(struct row, heat_c[HEAT_WORST_CASE]), 1, true},
            {"foreseen under our action", PLOT_ORANGE, offsetof(struct row, heat_c[HEAT_ACTION]), 1, false},
            {"measured", PLOT_BLUE, offsetof(struct row, heat_c[HEAT_MEASURED]), 1, false}};
        const struct evaluation *e = p->e;
        const struct plot plot = {.title = "Hottest inlet",
                                  .unit = "°C",
                                  .height = 210,
                                  .lo = e->soft_c - 5,
                                  .hi = e->hard_c + 1,
                                  .limit = {e->soft_c, e->hard_c},
                                  .series = series,
                                  .nseries = 3,
                                  .limit_name = {"soft", "hard"},
                                  .dates = true,
                                  .x_offset = offsetof(struct row, t_h)};
        struct plot_rows of = rows(e, SIZE_MAX);
        struct row *r = (struct row *)(uintptr_t)of.row;
        const double top_c = e->hard_c + ABOVE_HARD_K;
        bool cut = false;

        t->failed |= !r;
        for (size_t k = 0; r && k < of.n; k++)
                for (size_t h = 0; h < SERIES_HEATS; h++)
                        if (r[k].heat_c[h] > top_c) {
                                r[k].heat_c[h] = top_c;
                                cut = true;
                        }
        text_put(t, "<section id=limits><h2>Limits</h2><figure>");
        if (r)
                figure(e, &plot, &of, t);
        text_put(t, "</figure><p class=note>Each point is the hottest of ");
        page_duration(t, (double)e->series.width_ms / 1000);
        text_put(t, ". The worst case is that of decisions with a certificate, ");
        text_printf(t, "%zu of %zu", evrank_certified(e), e->scored);
        if (cut)
                text_printf(t, "; above %.0f °C it is drawn there", top_c);
        text_put(t, ".</p>\n");
        heat_table(e, t);
        text_put(t, "</section>\n");
        free(r);
}

/* --- power ------------------------------------------------------------------------------------------------------- */

static void power_words(const struct evaluation *e, struct text *t)
{
        static const char *const part[EVALUATE_PARTS] = {"fans", "chillers", "pumps", "towers"};
        const double n = (double)e->all.power.n, share = e->all.power.predicted_w / e->all.power.measured_w - 1;

        text_put(t, "<p>Mean over ");
        text_printf(t, "%zu steps: the planner foresaw ", e->all.power.n);
        page_number(t, e->all.power.predicted_w / n / 1000, 1);
        text_put(t, " kW for its proposals; the meters showed ");
        page_number(t, e->all.power.measured_w / n / 1000, 1);
        text_put(t, " kW under what was in force");
        if (isfinite(share)) {
                text_put(t, share > 0 ? " (+" : " (");
                page_percent(t, share, 1);
                text_put(t, ")");
        }
        text_put(t, evrank_in_force(e) ? ". The difference is no saving: the safety layer may have changed the "
                                         "proposals, and the energy model's error is in it."
                                       : ". The difference is no saving: the proposals were never tried, and the "
                                         "energy model's error is in it.");
        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                if (!e->metered[k])
                        text_printf(t, " There is no meter of %s: they are in the estimate only.", part[k]);
        text_put(t, "</p>\n");
}

void page_power(const struct evaluate_page *p, struct text *t)
{
        static const struct plot_series series[] = {
            PLOT_SERIES("measured", PLOT_BLUE, struct row, measured_kw, 1),
            {"planner's estimate for its proposals", PLOT_ORANGE, offsetof(struct row, predicted_kw), 1, true}};
        static const struct plot_series alone[] = {PLOT_SERIES("measured", PLOT_BLUE, struct row, metered_kw, 1)};
        const struct evaluation *e = p->e;
        const bool both = e->all.power.n > 0;
        const struct plot plot = {.title = "Cooling power",
                                  .unit = "kW",
                                  .height = 150,
                                  .lo = 0,
                                  .hi = NONE,
                                  .limit = {NONE, NONE},
                                  .series = both ? series : alone,
                                  .nseries = both ? 2 : 1,
                                  .dates = true,
                                  .x_offset = offsetof(struct row, t_h)};
        struct plot_rows of = {0};

        text_put(t, "<h3>Cooling power, foreseen and measured</h3>\n");
        if (both) {
                power_words(e, t);
        } else {
                text_printf(t, "<p>Nothing to compare: %s.", evaluate_power_why(e));
                if (e->all.metered.n > 0) {
                        text_printf(t, " Mean of the meters over %zu steps: ", e->all.metered.n);
                        page_number(t, series_mean(&e->all.metered) / 1000, 1);
                        text_put(t, " kW.");
                }
                text_put(t, "</p>\n");
        }
        if (e->all.metered.n == 0)
                return;
        of = rows(e, SIZE_MAX);
        t->failed |= !of.row;
        text_put(t, "<figure>");
        if (of.row)
                figure(e, &plot, &of, t);
        text_put(t, "</figure>\n");
        free((void *)(uintptr_t)of.row);
}

/* --- variables --------------------------------------------------------------------------------------------------- */

void page_variable(const struct evaluate_page *p, size_t u, struct text *t)
{
        static const struct plot_series series[] = {
            PLOT_SERIES("in force", PLOT_BLUE, struct row, in_force, 1),
            {"our action", PLOT_ORANGE, offsetof(struct row, action), 1, false}};
        const enum unit unit = (enum unit)p->e->site->point[p->e->layout->u[u].point].unit;
        const struct plot plot = {.title = "",
                                  .unit = unit == UNIT_RATIO    ? "%"
                                          : unit == UNIT_NONE   ? ""
                                          : unit == UNIT_DEGC   ? "°C"
                                          : unit == UNIT_KELVIN ? "°C"
                                                                : unit_str(unit),
                                  .height = 130,
                                  .lo = NONE,
                                  .hi = NONE,
                                  .limit = {NONE, NONE},
                                  .series = series,
                                  .nseries = 2,
                                  .width = 480,
                                  .dates = true,
                                  .x_offset = offsetof(struct row, t_h)};
        struct plot_rows of = rows(p->e, u);

        t->failed |= !of.row;
        text_put(t, "<figure><figcaption>");
        text_html(t, evrank_u_name(p->e, u));
        text_put(t, "</figcaption>");
        if (of.row)
                figure(p->e, &plot, &of, t);
        text_put(t, "</figure>\n");
        free((void *)(uintptr_t)of.row);
}

void page_hours_of_day(const struct evaluate_page *p, struct text *t)
{
        struct hour {
                double h, share;
        } hour[24];
        static const struct plot_series series[] = {
            PLOT_SERIES("share of our actions", PLOT_BLUE, struct hour, share, 100)};
        static const struct plot plot = {.title = "Beyond the dead band, by hour of the day",
                                         .unit = "%",
                                         .height = 120,
                                         .kind = PLOT_BARS,
                                         .lo = 0,
                                         .hi = NONE,
                                         .limit = {NONE, NONE},
                                         .series = series,
                                         .nseries = 1,
                                         .x_offset = offsetof(struct hour, h)};
        const struct plot_rows of = {hour, 24, sizeof *hour};
        struct plot_scale s;

        for (size_t h = 0; h < 24; h++)
                hour[h] = (struct hour){(double)h, score_share(p->e->hour_differing[h], p->e->hour_compared[h])};
        s = plot_scale(&plot, &of, 1);
        text_put(t, "<figure>");
        plot_draw(&plot, &s, &of, INT64_MIN, 24, t);
        text_put(t, "</figure>\n");
}

/* --- worst hours ------------------------------------------------------------------------------------------------- */

static void hour_row(const struct evaluate_page *p, const struct series_hour *h, struct text *t)
{
        const struct evaluation *e = p->e;
        char utc[32];

        text_put(t, "<tr><td class=w>");
        page_time(t, h->t_ms);
        text_put(t, "</td>");
        page_cell(t, h->c, 1);
        (void)clk_format(h->at_ms, utc);
        text_printf(t, "<td class=w>%.8s</td>", utc + 11);
        page_cell_text(t, h->row >= 0 && (size_t)h->row < e->layout->ny ? evrank_y_name(e, (size_t)h->row) : "–");
        text_printf(t, "<td>%s", decision_kind_str(h->kind));
        if (h->kind != DECISION_ACCEPT)
                text_printf(t, ", %s", decision_reason_str(h->reason));
        text_put(t, "</td>");
        text_printf(t, "<td><code>coolplane why %.19sZ --db ", utc);
        page_shell(t, p->db);
        text_put(t, "</code></td></tr>\n");
}

static void hours_table(const struct evaluate_page *p, enum evaluate_heat from, const char *title, struct text *t)
{
        const struct series *s = &p->e->series;

        text_printf(t, "<h3>%s</h3>\n", title);
        if (s->nworst[from] == 0) {
                text_put(t, "<p>None is known.</p>\n");
                return;
        }
        text_put(t, "<table><thead><tr><th>Hour (UTC)</th><th class=n>°C</th><th>at</th><th>Point</th>"
                    "<th>Decision then</th><th>To see all of it</th></tr></thead><tbody>\n");
        for (size_t k = 0; k < s->nworst[from]; k++)
                hour_row(p, &s->worst[from][k], t);
        text_put(t, "</tbody></table>\n");
}

void page_hours(const struct evaluate_page *p, struct text *t)
{
        text_put(t, "<section id=hours><h2>Worst hours</h2>\n");
        hours_table(p, HEAT_MEASURED, "The hottest inlets measured", t);
        hours_table(p, HEAT_ACTION, "The hottest inlets foreseen under our actions", t);
        text_put(t, "<p class=note>The ten hottest hours, each told by its hottest step. Times are UTC; the site file "
                    "names no time zone.</p></section>\n");
}
