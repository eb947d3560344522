/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* All that coolplane evaluate found, as one JSON document. Temperatures and their differences in °C and K, variables in
 * their points' units, times RFC 3339 UTC; null: nothing is known. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/cli/cli.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"
#include "agent/cli/stray.h"
#include "agent/points/units.h"

static void number(const char *key, double v)
{
        (void)printf(",\"%s\":", key);
        cli_json_number(stdout, v);
}

static void count(const char *key, size_t n)
{
        (void)printf(",\"%s\":%zu", key, n);
}

static void string(const char *key, const char *v)
{
        (void)printf(",\"%s\":", key);
        cli_json_string(stdout, v);
}

static void moment(const char *key, int64_t t_ms, bool known)
{
        char utc[32];

        if (known)
                (void)printf(",\"%s\":\"%s\"", key, clk_format(t_ms, utc));
        else
                (void)printf(",\"%s\":null", key);
}

/* Of item k of a list. */
static void open_item(size_t k)
{
        (void)printf(k > 0 ? ",\n" : "\n");
}

static const char *yes(bool v)
{
        return v ? "true" : "false";
}

static double seconds(const struct evaluation *e, size_t steps)
{
        return (double)steps * e->layout->step_s;
}

static void print_forecast(const struct evaluation *e, const struct hindsight_score *s)
{
        (void)printf(",\"ahead\":[");
        for (size_t k = 0; k < e->nahead; k++) {
                const struct score_error *q = &s->error[k];

                (void)printf("%s{\"seconds\":%.15g", k > 0 ? "," : "", seconds(e, e->ahead[k]));
                count("readings", q->n);
                number("rmse_k", score_rmse(q));
                number("mae_k", score_mae(q));
                number("bias_k", score_bias(q));
                number("persistence_rmse_k", score_persistence(q));
                number("skill", score_skill(q));
                number("rmse_anchored_k", score_rmse(&s->anchored[k]));
                number("skill_anchored", score_skill(&s->anchored[k]));
                (void)printf("}");
        }
        (void)printf("],\"coverage\":{\"readings\":%zu", s->upper.n);
        number("below_one_step_bound", score_share(s->upper.inside, s->upper.n));
        number("inside_horizon", score_share(s->inside.inside, s->inside.n));
        count("readings_horizon", s->inside.n);
        number("width_one_step_k", score_width(&s->step));
        number("width_horizon_k", score_width(&s->end));
        (void)printf("}");
}

static void print_heat(const struct evaluate_sum *s)
{
        for (int h = 0; h < HEAT_COUNT; h++) {
                const struct score_heat *q = &s->heat[h];

                (void)printf("%s\"%s\":{\"steps\":%zu", h > 0 ? "," : "", evaluate_heat_str((enum evaluate_heat)h),
                             q->n);
                count("above_soft", q->soft);
                count("above_hard", q->hard);
                number("hottest_c", q->n > 0 ? q->max_c : (double)NAN);
                moment("hottest_at", q->max_t_ms, q->n > 0);
                (void)printf("}");
        }
}

static void print_power(const struct evaluate_sum *s)
{
        const double n = (double)s->power.n;

        (void)printf("\"steps\":%zu", s->power.n);
        number("of_steps", score_share(s->power.n, s->steps));
        number("predicted_mean_w", n > 0 ? s->power.predicted_w / n : (double)NAN);
        number("measured_mean_w", n > 0 ? s->power.measured_w / n : (double)NAN);
        number("predicted_over_measured_ratio",
               n > 0 && s->power.measured_w > 0 ? s->power.predicted_w / s->power.measured_w : (double)NAN);
        count("metered_steps", s->metered.n);
        number("metered_mean_w", series_mean(&s->metered));
}

static void print_kinds(const struct evaluate_sum *s)
{
        for (int k = 0; k < EVALUATE_KINDS; k++)
                count(decision_kind_str((enum decision_kind)k), s->by_kind[k]);
        count("without_proposal", s->no_proposal);
}

static void print_outputs(const struct evaluation *e)
{
        size_t shown = 0;

        (void)printf(",\n\"groups\":[");
        for (int g = 0; g < GROUP_COUNT; g++) {
                (void)printf("%s{\"group\":\"%s\"", g > 0 ? ",\n" : "\n", evaluate_group_str((enum evaluate_group)g));
                print_forecast(e, &e->all.forecast[g]);
                string("is",
                       "hindcast: the model set of each decision, out of sample, but under the loads, weather and "
                       "setpoints that came; no forecast knew those");
                (void)printf("}");
        }
        (void)printf("],\n\"outputs\":[");
        for (size_t i = 0; i < e->layout->ny; i++) {
                open_item(shown++);
                (void)printf("{\"point\":");
                cli_json_string(stdout, e->site->point[e->layout->y[i].point].name);
                if (e->layout->y[i].kind == Y_VALVE)
                        string("group", "valve");
                else
                        string("group", evaluate_group_str(evaluate_group(e, i)));
                number("unusable_share", score_share(e->y[i].unusable, e->evidence));
                if (e->layout->y[i].kind != Y_VALVE)
                        print_forecast(e, &e->y[i].forecast);
                (void)printf("}");
        }
        (void)printf("]");
}

static void print_dist(const struct evaluation *e, size_t j, const char *key, const struct score_dist *d)
{
        (void)printf(",\"%s\":{\"steps\":%zu", key, d->n);
        number("mean", evaluate_delta(e, j, score_dist_mean(d)));
        number("p05", evaluate_delta(e, j, score_dist_quantile(d, 0.05)));
        number("p95", evaluate_delta(e, j, score_dist_quantile(d, 0.95)));
        number("p95_size", evaluate_delta(e, j, score_dist_abs_quantile(d, 0.95)));
        number("most", d->n > 0 ? evaluate_delta(e, j, d->max_abs) : (double)NAN);
        (void)printf("}");
}

static void print_variable(const struct evaluation *e, size_t j)
{
        const struct score_variable *v = &e->u[j];
        const struct point *p = &e->site->point[e->layout->u[j].point];
        const double above = score_share(v->above, v->steps), below = score_share(v->below, v->steps);

        (void)printf("{\"point\":");
        cli_json_string(stdout, p->name);
        string("unit", evaluate_unit(e, j));
        number("dead_band", evaluate_delta(e, j, e->envelope.u[j].dead_band));
        print_dist(e, j, "action_minus_in_force", &v->change);
        print_dist(e, j, "proposal_minus_in_force", &v->ask);
        number("beyond_dead_band", score_share(v->above + v->below, v->steps));
        number("higher", above);
        number("lower", below);
        number("more_cooling", p->safe_dir > 0 ? above : p->safe_dir < 0 ? below : (double)NAN);
        number("less_cooling", p->safe_dir > 0 ? below : p->safe_dir < 0 ? above : (double)NAN);
        number("longest_spell_s", (double)v->spell.longest_ms / 1000);
        moment("longest_spell_from", v->spell.longest_from_ms, v->spell.longest_ms > 0);
        (void)printf(",\"longest_spell\":\"%s\"", v->spell.longest_dir > 0   ? "higher"
                                                  : v->spell.longest_dir < 0 ? "lower"
                                                                             : "");
        print_dist(e, j, "projection", &v->cost);
        count("projected", v->projected);
        count("proposals_not_finite", v->not_finite);
        (void)printf(",\"advice\":{\"accepted\":%zu,\"rejected\":%zu,\"ignored\":%zu}}", e->answers[j][ADVICE_ACCEPTED],
                     e->answers[j][ADVICE_REJECTED], e->answers[j][ADVICE_IGNORED]);
}

static void print_decisions(const struct evaluation *e)
{
        size_t shown = 0;

        (void)printf(",\n\"decisions_by_reason\":[");
        for (int k = 0; k < EVALUATE_KINDS; k++)
                for (int r = 0; r < EVALUATE_REASONS; r++) {
                        if (e->reason[k][r] == 0)
                                continue;
                        open_item(shown++);
                        (void)printf("{\"decision\":\"%s\",\"reason\":\"%s\",\"steps\":%zu}",
                                     decision_kind_str((enum decision_kind)k),
                                     decision_reason_str((enum decision_reason)r), e->reason[k][r]);
                }
        (void)printf("],\n\"variables\":[");
        for (size_t j = 0; j < e->layout->nu; j++) {
                open_item(j);
                print_variable(e, j);
        }
        (void)printf("],\n\"hours_utc\":[");
        for (size_t h = 0; h < 24; h++) {
                (void)printf("%s{\"hour\":%zu", h > 0 ? "," : "", h);
                number("beyond_dead_band", score_share(e->hour_differing[h], e->hour_compared[h]));
                (void)printf("}");
        }
        (void)printf("]");
}

static void print_quality(const struct evaluation *e)
{
        size_t shown = 0;

        (void)printf(",\n\"points\":[");
        for (size_t i = 0; i < e->site->npoint; i++) {
                const size_t *q = e->quality[i], all = q[QUALITY_GOOD] + q[QUALITY_UNCERTAIN] + q[QUALITY_BAD];

                if (e->samples == 0 || !e->site->point[i].readable)
                        continue;
                open_item(shown++);
                (void)printf("{\"point\":");
                cli_json_string(stdout, e->site->point[i].name);
                count("samples", all);
                number("good_share", score_share(q[QUALITY_GOOD], all));
                number("uncertain_share", score_share(q[QUALITY_UNCERTAIN], all));
                number("bad_share", score_share(q[QUALITY_BAD], all));
                (void)printf("}");
        }
        (void)printf("]");
}

static void print_days(const struct evaluation *e)
{
        (void)printf(",\n\"days\":[");
        for (size_t k = 0; k < e->nday; k++) {
                const struct evaluate_sum *s = &e->day[k].sum;
                char utc[32];

                open_item(k);
                (void)printf("{\"day\":\"%.10s\",\"steps\":%zu", clk_format(e->day[k].t_ms, utc), s->steps);
                print_kinds(s);
                for (int g = 0; g < GROUP_COUNT; g++) {
                        (void)printf(",\"%s\":{\"group\":\"%s\"", evaluate_group_str((enum evaluate_group)g),
                                     evaluate_group_str((enum evaluate_group)g));
                        print_forecast(e, &s->forecast[g]);
                        (void)printf("}");
                }
                (void)printf(",\"hottest_inlet\":{");
                print_heat(s);
                (void)printf("}");
                number("beyond_dead_band", score_share(s->differing, s->compared));
                (void)printf(",\"power\":{");
                print_power(s);
                (void)printf("}}");
        }
        (void)printf("]");
}

static void print_writes(const struct evaluate_writes *w)
{
        (void)printf(",\n\"write_free\":{\"recorded\":%zu", w->recorded);
        count("without_outcome", w->unfinished);
        count("left", w->left);
        if (w->left > 0) {
                string("first", w->first);
                moment("first_at", w->first_t_ms, true);
        }
        (void)printf("}");
}

void evaluate_print_writes_json(const struct evaluation *e)
{
        (void)printf("{\"site\":");
        cli_json_string(stdout, e->site->name);
        count("decisions", e->decisions);
        count("scored", e->scored);
        print_writes(&e->writes);
        (void)printf("}\n");
}

void evaluate_print_json(const struct evaluation *e)
{
        (void)printf("{\"site\":");
        cli_json_string(stdout, e->site->name);
        moment("from", e->first_ms, true);
        moment("to", e->last_ms, true);
        number("step_s", e->layout->step_s);
        count("decisions", e->decisions);
        count("scored", e->scored);
        count("shadow", e->shadow);
        count("certified", evrank_certified(e));
        count("certified_holds", e->certified[DECISION_HOLD]);
        count("with_evidence", e->evidence);
        count("changed", e->changed);
        (void)printf(",\"replay_unended\":%s", yes(e->unended));
        count("forecast_stride", e->stride);
        number("horizon_s", seconds(e, e->horizon));
        number("coverage_nominal", EVALUATE_COVERAGE);
        number("soft_limit_c", e->soft_c);
        number("hard_limit_c", e->hard_c);
        (void)printf(",\n\"not_scored\":[");
        for (size_t k = 0; k < e->nskip; k++)
                (void)printf("%s{\"why\":\"%s\",\"decisions\":%zu}", k > 0 ? "," : "", e->skip[k].why, e->skip[k].n);
        (void)printf("],\n\"left_out\":");
        stray_print_json(e->stray);
        print_outputs(e);
        (void)printf(",\n\"hottest_inlet\":{");
        print_heat(&e->all);
        (void)printf("}");
        print_decisions(e);
        (void)printf(",\n\"power\":{");
        print_power(&e->all);
        (void)printf(",\"metered\":{\"fans\":%s,\"chillers\":%s,\"pumps\":%s,\"towers\":%s}", yes(e->metered[0]),
                     yes(e->metered[1]), yes(e->metered[2]), yes(e->metered[3]));
        (void)printf(
            ",\"is\":\"cooling power: the planner's estimate for its own proposals, beside the meters under what "
            "was in force in the same steps; not a saving\"}");
        (void)printf(",\n\"availability\":{\"steps\":%zu", e->all.steps);
        print_kinds(&e->all);
        count("gaps", e->gaps);
        number("gap_s", (double)e->gap_ms / 1000);
        number("longest_gap_s", (double)e->longest_gap_ms / 1000);
        moment("longest_gap_at", e->longest_gap_t_ms, e->gaps > 0);
        count("samples", e->samples);
        (void)printf("}");
        print_quality(e);
        print_days(e);
        print_writes(&e->writes);
        (void)printf("}\n");
}
