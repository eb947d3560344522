/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The page of coolplane evaluate: variables, outputs and points, in each table the worst first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/plot.h"
#include "agent/cli/evaluate_html.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"

#define NONE ((double)NAN)
#define DAY_MS INT64_C(86400000)

enum { ROWS = 20, PLOTS = 4 };

static const char *const group_name[GROUP_COUNT] = {"inlets", "supply air"};

typedef void row_fn(const struct evaluation *e, size_t i, struct text *t);

/* The worst ROWS of n, and how many more there are in the list. */
static void table(const struct evaluation *e, size_t n, evrank_fn *badness, const char *head, row_fn *row,
                  struct text *t)
{
        size_t *worst = calloc(n + 1, sizeof *worst);
        const size_t found = worst ? evrank_worst(e, n, badness, worst, n) : 0;

        t->failed |= !worst;
        text_printf(t, "<table><thead><tr>%s</tr></thead><tbody>\n", head);
        for (size_t k = 0; k < found && k < ROWS; k++) {
                text_put(t, "<tr>");
                row(e, worst[k], t);
                text_put(t, "</tr>\n");
        }
        text_put(t, "</tbody></table>\n");
        if (found > ROWS)
                text_printf(t, "<p class=note>And %zu more, all better.</p>\n", found - ROWS);
        free(worst);
}

/* --- proposals --------------------------------------------------------------------------------------------------- */

static void projection_row(const struct evaluation *e, size_t u, struct text *t)
{
        const struct score_variable *v = &e->u[u];

        page_cell_text(t, evrank_u_name(e, u));
        page_cell(t, evaluate_read_delta(e, u, score_dist_mean(&v->cost)), 2);
        page_cell(t, evaluate_read_delta(e, u, score_dist_abs_quantile(&v->cost, 0.95)), 2);
        page_cell_text(t, evaluate_read_unit(e, u));
        page_cell_percent(t, score_share(v->projected, v->cost.n));
        text_printf(t, "<td class=n>%zu</td>", v->cost.n);
}

static void kinds(const struct evaluation *e, struct text *t)
{
        static const char *const words[EVALUATE_KINDS] = {[DECISION_ACCEPT] = "accepted",
                                                          [DECISION_PROJECT] = "changed",
                                                          [DECISION_HOLD] = "held: what ran was kept",
                                                          [DECISION_FALLBACK] = "fallback: decided without the model"};

        text_put(t, "<table><thead><tr><th>Decision</th><th>because of</th><th class=n>steps</th><th class=n>share</th>"
                    "</tr></thead><tbody>\n");
        for (int k = 0; k < EVALUATE_KINDS; k++)
                for (int r = 0; r < EVALUATE_REASONS; r++) {
                        if (e->reason[k][r] == 0)
                                continue;
                        text_put(t, "<tr>");
                        page_cell_text(t, words[k]);
                        page_cell_text(t, k == DECISION_ACCEPT ? "" : decision_reason_str((enum decision_reason)r));
                        text_printf(t, "<td class=n>%zu</td>", e->reason[k][r]);
                        page_cell_percent(t, score_share(e->reason[k][r], e->scored));
                        text_put(t, "</tr>\n");
                }
        text_put(t, "</tbody></table>\n");
}

void page_proposals(const struct evaluate_page *p, struct text *t)
{
        const struct evaluation *e = p->e;
        struct text lines = {0};
        size_t one;

        text_put(t,
                 "<section id=proposals><h2>What stands out, and what the safety layer did with the proposals</h2>\n");
        evaluate_stand_out(e, &lines);
        t->failed |= lines.failed;
        if (lines.v)
                text_put(t, "<ul>");
        for (char *line = lines.v, *end; line && *line; line = end + 1) {
                end = strchr(line, '\n');
                *end = '\0';
                text_put(t, "<li>");
                text_html(t, line);
                text_put(t, "</li>");
        }
        text_put(t, lines.v ? "</ul>\n" : "<p>Nothing stands out.</p>\n");
        text_free(&lines);
        kinds(e, t);
        text_printf(t,
                    "<p>%zu of %zu decisions carry a certificate, %zu of these are holds. <code>coolplane audit verify"
                    "</code> computes each of them again.</p>\n",
                    evrank_certified(e), e->scored, e->certified[DECISION_HOLD]);
        if (evrank_worst(e, e->layout->nu, evrank_projection, &one, 1) > 0)
                table(e, e->layout->nu, evrank_projection,
                      "<th>From proposal to action</th><th class=n>mean</th><th class=n>95 % within ±</th><th>unit</th>"
                      "<th class=n>changed</th><th class=n>of steps</th>",
                      projection_row, t);
        text_put(t, "</section>\n");
}

/* --- disagreements ----------------------------------------------------------------------------------------------- */

static void variable_row(const struct evaluation *e, size_t u, struct text *t)
{
        const struct score_variable *v = &e->u[u];
        const int dir = e->site->point[e->layout->u[u].point].safe_dir;
        const size_t beyond = v->above + v->below;

        page_cell_text(t, evrank_u_name(e, u));
        page_cell(t, evaluate_read_delta(e, u, score_dist_mean(&v->change)), 2);
        page_cell(t, evaluate_read_delta(e, u, score_dist_abs_quantile(&v->change, 0.9)), 2);
        page_cell_text(t, evaluate_read_unit(e, u));
        page_cell_percent(t, score_share(beyond, v->steps));
        text_put(t, "<td>");
        if (beyond > 0 && dir != 0) {
                page_percent(t, score_share(dir > 0 ? v->above : v->below, beyond), 0);
                text_put(t, " more cooling, ");
                page_percent(t, score_share(dir > 0 ? v->below : v->above, beyond), 0);
                text_put(t, " less");
        } else if (beyond > 0) {
                page_percent(t, score_share(v->above, beyond), 0);
                text_put(t, " higher, ");
                page_percent(t, score_share(v->below, beyond), 0);
                text_put(t, " lower");
        } else {
                text_put(t, "–");
        }
        text_put(t, "</td><td>");
        if (v->spell.longest_ms > 0) {
                page_duration(t, (double)v->spell.longest_ms / 1000);
                text_printf(t, " %s<small>from ", v->spell.longest_dir > 0 ? "higher" : "lower");
                page_time(t, v->spell.longest_from_ms);
                text_put(t, "</small>");
        } else {
                text_put(t, "–");
        }
        text_put(t, "</td>");
}

void page_disagreements(const struct evaluate_page *p, struct text *t)
{
        const struct evaluation *e = p->e;
        size_t worst[PLOTS], answers[ADVICE_ANSWERS];
        const size_t n = evrank_worst(e, e->layout->nu, evrank_change, worst, PLOTS);

        text_put(t, "<section id=disagreements><h2>Where we would have acted otherwise</h2>\n");
        if (e->all.compared == 0 || n == 0) {
                text_put(t, e->all.compared == 0 && e->shadow > 0
                                ? "<p>Nothing to compare: no setpoint in force could be read.</p></section>\n"
                            : e->all.compared == 0 ? "<p>Nothing to compare: no decision in shadow; our actions were "
                                                     "what was in force.</p></section>\n"
                                                   : "<p>Nowhere: every action was what was in force.</p></section>\n");
                return;
        }
        text_put(t, "<p>Our action minus what was in force. Each step starts from what was in force: toward less "
                    "cooling an action is one step's rate away from it at most, toward more it may be any "
                    "distance.</p>\n");
        evrank_answers(e, answers);
        text_printf(
            t,
            "<p>Advice is an action that asks for one direction for five minutes. Setpoints were then moved that "
            "way %zu times, against it %zu times, and not for an hour %zu times.</p>\n",
            answers[ADVICE_ACCEPTED], answers[ADVICE_REJECTED], answers[ADVICE_IGNORED]);
        table(e, e->layout->nu, evrank_change,
              "<th>Variable</th><th class=n>mean</th><th class=n>90 % within ±</th><th>unit</th>"
              "<th class=n>beyond dead band</th><th>of these</th><th>longest spell</th>",
              variable_row, t);
        page_hours_of_day(p, t);
        text_put(t, "<h3>The variables that differ most</h3><div class=two>\n");
        for (size_t k = 0; k < n; k++)
                page_variable(p, worst[k], t);
        text_put(t, "</div></section>\n");
}

/* --- forecast ---------------------------------------------------------------------------------------------------- */

static void error_cells(const struct hindsight_score *s, size_t ahead, struct text *t)
{
        const struct score_error *q = &s->error[ahead];

        page_cell(t, score_skill(q), 2);
        page_cell(t, score_skill(&s->anchored[ahead]), 2);
        page_cell(t, score_rmse(q), 3);
        page_cell(t, score_persistence(q), 3);
        page_cell(t, score_bias(q), 3);
}

static void forecast_row(const struct evaluation *e, size_t y, struct text *t)
{
        const struct hindsight_score *s = &e->y[y].forecast;

        page_cell_text(t, evrank_y_name(e, y));
        error_cells(s, evrank_distance(e), t);
        page_cell_percent(t, score_share(s->upper.inside, s->upper.n));
}

#define ERROR_HEAD                                                                                                     \
        "<th class=n>skill</th><th class=n>anchored</th><th class=n>RMSE K</th><th class=n>\"stays\" K</th>"           \
        "<th class=n>bias K</th>"

static void groups(const struct evaluation *e, struct text *t)
{
        text_put(t, "<table><thead><tr><th>All</th><th>ahead</th>" ERROR_HEAD "<th class=n>below one-step bound</th>"
                    "<th class=n>inside over the horizon</th></tr></thead><tbody>\n");
        for (int g = 0; g < GROUP_COUNT; g++)
                for (size_t k = 0; k < e->nahead && evrank_judged(e, (enum evaluate_group)g); k++) {
                        const struct hindsight_score *s = &e->all.forecast[g];

                        text_printf(t, "<tr><td>%s</td><td class=w>", k == 0 ? group_name[g] : "");
                        page_duration(t, (double)e->ahead[k] * e->layout->step_s);
                        text_put(t, "</td>");
                        error_cells(s, k, t);
                        if (k == 0) {
                                page_cell_percent(t, score_share(s->upper.inside, s->upper.n));
                                page_cell_percent(t, score_share(s->inside.inside, s->inside.n));
                        } else {
                                text_put(t, "<td></td><td></td>");
                        }
                        text_put(t, "</tr>\n");
                }
        text_put(t, "</tbody></table>\n");
}

struct day {
        double t_h, skill[GROUP_COUNT], share[GROUP_COUNT];
};

/* Skill has no lower bound; what is below is drawn at it. */
#define SKILL_LEAST (-1.0)

static void day_plot(const struct evaluation *e, const struct plot *p, const struct day *day, struct text *t)
{
        const struct plot_rows of = {day, e->nday, sizeof *day};
        const struct plot_scale s = plot_scale(p, &of, 1);

        text_put(t, "<figure>");
        plot_draw(p, &s, &of, e->day[0].t_ms, (double)(e->day[e->nday - 1].t_ms - e->day[0].t_ms + DAY_MS) / 3600e3, t);
        text_put(t, "</figure>\n");
}

static void days(const struct evaluation *e, struct text *t)
{
        static const struct plot_series skill[] = {PLOT_SERIES("inlets", PLOT_BLUE, struct day, skill[GROUP_INLET], 1),
                                                   PLOT_SERIES("supply air", PLOT_ORANGE, struct day,
                                                               skill[GROUP_SUPPLY], 1)},
                                        share[] = {
                                            PLOT_SERIES("inlets", PLOT_BLUE, struct day, share[GROUP_INLET], 100),
                                            PLOT_SERIES("supply air", PLOT_ORANGE, struct day, share[GROUP_SUPPLY],
                                                        100)};
        struct plot plot = {.title = "Skill 5 min ahead, by day",
                            .unit = "",
                            .height = 130,
                            .lo = 0,
                            .hi = 0.5,
                            .limit = {NONE, NONE},
                            .series = skill,
                            .nseries = 2,
                            .dates = true,
                            .width = 480,
                            .x_offset = offsetof(struct day, t_h)};
        struct day *day = calloc(e->nday + 1, sizeof *day);

        t->failed |= !day;
        for (size_t k = 0; day && k < e->nday; k++) {
                day[k].t_h = (double)(e->day[k].t_ms - e->day[0].t_ms) / 3600e3 + 12;
                for (int g = 0; g < GROUP_COUNT; g++) {
                        const struct hindsight_score *s = &e->day[k].sum.forecast[g];
                        const double v = score_skill(&s->error[evrank_distance(e)]);

                        day[k].skill[g] = v < SKILL_LEAST ? SKILL_LEAST : v;
                        day[k].share[g] = score_share(s->upper.inside, s->upper.n);
                }
        }
        text_put(t, "<div class=two>\n");
        if (day)
                day_plot(e, &plot, day, t);
        plot.title = "Below the one-step bound, by day";
        plot.unit = "%";
        plot.lo = 96;
        plot.hi = 100;
        plot.limit[0] = 100 * EVALUATE_COVERAGE;
        plot.limit_name[0] = "nominal";
        plot.series = share;
        if (day)
                day_plot(e, &plot, day, t);
        text_put(t, "</div>\n");
        free(day);
}

void page_forecast(const struct evaluate_page *p, struct text *t)
{
        const struct evaluation *e = p->e;

        text_put(t, "<section id=forecast><h2>Forecast skill and coverage</h2>\n");
        if (!evrank_judged(e, GROUP_INLET) && !evrank_judged(e, GROUP_SUPPLY)) {
                text_put(t, "<p>None: no model was fitted, or nothing is stored of what decisions were made on.</p>"
                            "</section>\n");
                return;
        }
        text_put(t, "<p>Each forecast is by the model set of its own decision, so nothing is judged on what it was "
                    "learned from. Skill 1 is perfect, 0 no better than \"stays as it is\". Anchored: with what the "
                    "model missed lately added, as certificates count it.</p>\n");
        groups(e, t);
        if (e->nday > 1)
                days(e, t);
        text_put(t, "<h3>By point, ");
        page_duration(t, (double)e->ahead[evrank_distance(e)] * e->layout->step_s);
        text_put(t, " ahead, largest error first</h3>\n");
        table(e, e->layout->ny, evrank_forecast, "<th>Point</th>" ERROR_HEAD "<th class=n>below one-step bound</th>",
              forecast_row, t);
        text_put(t, "</section>\n");
}

/* --- data -------------------------------------------------------------------------------------------------------- */

static void quality_row(const struct evaluation *e, size_t point, struct text *t)
{
        const size_t *q = e->quality[point], all = q[QUALITY_GOOD] + q[QUALITY_UNCERTAIN] + q[QUALITY_BAD];

        page_cell_text(t, e->site->point[point].name);
        page_cell_percent(t, score_share(q[QUALITY_GOOD], all));
        text_printf(t, "<td class=n>%zu</td><td class=n>%zu</td><td class=n>%zu</td>", q[QUALITY_UNCERTAIN],
                    q[QUALITY_BAD], all);
}

static void unusable_row(const struct evaluation *e, size_t y, struct text *t)
{
        page_cell_text(t, evrank_y_name(e, y));
        text_printf(t, "<td class=n>%zu</td>", e->y[y].unusable);
        page_cell_percent(t, score_share(e->y[y].unusable, e->evidence));
}

static void gaps(const struct evaluation *e, struct text *t)
{
        if (e->gaps == 0) {
                text_put(t, "<p>No gap between decisions.</p>\n");
                return;
        }
        text_printf(t, "<p>%zu gap%s between decisions, ", e->gaps, PLURAL_S(e->gaps));
        page_duration(t, (double)e->gap_ms / 1000);
        text_put(t, " in all; the longest, ");
        page_duration(t, (double)e->longest_gap_ms / 1000);
        text_put(t, ", after ");
        page_time(t, e->longest_gap_t_ms);
        text_put(t, " UTC.</p>\n");
}

/* Points that are in no list are good: nothing to show of them. */
static bool any(const struct evaluation *e, size_t n, evrank_fn *badness)
{
        size_t one;

        return evrank_worst(e, n, badness, &one, 1) > 0;
}

void page_quality(const struct evaluate_page *p, struct text *t)
{
        const struct evaluation *e = p->e;

        text_put(t, "<section id=quality><h2>Data quality</h2>\n");
        gaps(e, t);
        text_printf(t, "<p>Of %zu steps: no proposal in %zu, HOLD in %zu, FALLBACK in %zu.</p>\n", e->all.steps,
                    e->all.no_proposal, e->all.by_kind[DECISION_HOLD], e->all.by_kind[DECISION_FALLBACK]);
        if (e->samples == 0)
                text_put(t, "<p>No samples are stored with these decisions (a replay stores none: <code>--log</code> "
                            "names the database it was made from).</p>\n");
        else if (!any(e, e->site->npoint, evrank_quality))
                text_printf(t, "<p>%zu samples, of no point more than 0.1 %% that are not good.</p>\n", e->samples);
        else
                table(e, e->site->npoint, evrank_quality,
                      "<th>Samples of</th><th class=n>good</th><th class=n>uncertain</th><th class=n>bad</th>"
                      "<th class=n>all</th>",
                      quality_row, t);
        if (e->evidence > 0 && !any(e, e->layout->ny, evrank_unusable))
                text_put(t, "<p>No inlet, supply air or valve was unusable in more than 0.1 % of the steps.</p>\n");
        else if (e->evidence > 0)
                table(e, e->layout->ny, evrank_unusable,
                      "<th>Not usable</th><th class=n>steps</th><th class=n>share</th>", unusable_row, t);
        text_put(t, "</section>\n");
}
