/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What coolplane evaluate tells people: first what stands out, then the figures, in each list the worst first. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"
#include "agent/cli/stray.h"
#include "agent/points/units.h"

enum { WORST = 5, DAYS = 31 };

const char *evaluate_heat_str(enum evaluate_heat h)
{
        static const char *const name[] = {"measured", "forecast_in_force", "forecast_action", "forecast_proposal",
                                           "worst_case"};

        return (unsigned)h < HEAT_COUNT ? name[h] : "unknown";
}

const char *evaluate_group_str(enum evaluate_group g)
{
        return g == GROUP_INLET ? "inlet" : "supply_air";
}

static enum unit unit_of(const struct evaluation *e, size_t j)
{
        return (enum unit)e->site->point[e->layout->u[j].point].unit;
}

double evaluate_delta(const struct evaluation *e, size_t j, double si)
{
        return unit_delta_from_si(unit_of(e, j), si);
}

const char *evaluate_unit(const struct evaluation *e, size_t j)
{
        const enum unit u = unit_of(e, j);

        if (u == UNIT_DEGC || u == UNIT_KELVIN || u == UNIT_DELTA_K)
                return "K";
        return u == UNIT_DEGF ? unit_str(UNIT_DELTA_F) : u == UNIT_NONE ? "" : unit_str(u);
}

static bool is_ratio(const struct evaluation *e, size_t j)
{
        return unit_of(e, j) == UNIT_RATIO;
}

double evaluate_read_delta(const struct evaluation *e, size_t j, double si)
{
        return is_ratio(e, j) ? 100 * si : evaluate_delta(e, j, si);
}

const char *evaluate_read_unit(const struct evaluation *e, size_t j)
{
        return is_ratio(e, j) ? "%" : evaluate_unit(e, j);
}

/* --- words ------------------------------------------------------------------------------------------------------- */

/* A number with two decimals, "-" when there is none. */
static const char *num(double v, int decimals, char buf[32])
{
        if (isfinite(v))
                (void)snprintf(buf, 32, "%.*f", decimals, v);
        else
                (void)snprintf(buf, 32, "-");
        return buf;
}

static const char *percent(double share, char buf[32])
{
        if (isfinite(share))
                (void)snprintf(buf, 32, "%.1f %%", 100 * share);
        else
                (void)snprintf(buf, 32, "-");
        return buf;
}

static const char *span(double s, char buf[32])
{
        if (s < 120)
                (void)snprintf(buf, 32, "%.0f s", s);
        else if (s < 2 * 3600)
                (void)snprintf(buf, 32, "%.0f min", s / 60);
        else
                (void)snprintf(buf, 32, "%.1f h", s / 3600);
        return buf;
}

static const char *const group_name[GROUP_COUNT] = {"inlets", "supply air"};

/* --- sections ---------------------------------------------------------------------------------------------------- */

static void print_head(const struct evaluation *e)
{
        char from[32], to[32], words[STRAY_WORDS];

        (void)printf("%s, %s to %s: %zu decision%s, %zu in shadow, %zu with readings and model set\n", e->site->name,
                     clk_format(e->first_ms, from), clk_format(e->last_ms, to), e->decisions, PLURAL_S(e->decisions),
                     e->shadow, e->evidence);
        for (size_t k = 0; k < e->nskip; k++)
                (void)printf("  %zu not scored, or only in part: %s\n", e->skip[k].n, e->skip[k].why);
        for (int k = 0; k < STORE_ROWS; k++)
                if (e->stray[k].rows > 0)
                        (void)printf("  %s\n", stray_words(&e->stray[k], (enum store_rows)k, words));
        if (e->stride > 1)
                (void)printf("  the model sets are large: forecasts begin at every %zuth decision\n", e->stride);
}

static void print_stand_out(const struct evaluation *e)
{
        struct text lines = {0};

        (void)printf("WHAT STANDS OUT\n");
        evaluate_stand_out(e, &lines);
        for (const char *line = lines.v; line && *line; line = strchr(line, '\n') + 1)
                (void)printf("  %.*s\n", (int)strcspn(line, "\n"), line);
        if (!lines.v)
                (void)printf("  %s\n", lines.failed ? "not known: no memory" : "nothing");
        text_free(&lines);
}

static void print_heat(const struct evaluation *e)
{
        static const char *const what[] = {"measured", "foreseen, setpoints in force", "foreseen, our action",
                                           "foreseen, raw proposal", "certificate's worst case"};

        (void)printf("\nHOTTEST INLET (supply air of rooms without): steps above %.1f C (soft) and %.1f C (hard)\n",
                     e->soft_c, e->hard_c);
        for (int h = 0; h < HEAT_COUNT; h++) {
                const struct score_heat *q = &e->all.heat[h];
                char utc[32], c[32];

                if (q->n > 0)
                        (void)printf("  %-29s %7zu soft %7zu hard of %7zu, hottest %s C at %s\n", what[h], q->soft,
                                     q->hard, q->n, num(q->max_c, 2, c), clk_format(q->max_t_ms, utc));
        }
        (void)printf(
            "  Foreseen: by the gate's model, anchored as certificates are, five minutes, loads as they were. The "
            "planner's own\n  forecast of inlets is not stored.\n");
}

static void print_forecast(const struct evaluation *e)
{
        size_t worst[WORST], n;
        char v[6][32], s[32];

        (void)printf("\nFORECAST of the gate's model, in hindsight: loads, weather and setpoints that came are given; "
                     "skill 1 = perfect, 0 = no better "
                     "than \"stays as it is\"\n");
        for (int g = 0; g < GROUP_COUNT; g++)
                for (size_t k = 0; k < e->nahead && evrank_judged(e, (enum evaluate_group)g); k++) {
                        const struct score_error *q = &e->all.forecast[g].error[k];

                        (void)printf(
                            "  %-11s %-7s skill %6s (anchored %6s)  RMSE %6s K (stays: %6s K)  MAE %6s K  bias "
                            "%7s K  %zu readings\n",
                            group_name[g], span((double)e->ahead[k] * e->layout->step_s, s),
                            num(score_skill(q), 2, v[0]), num(score_skill(&e->all.forecast[g].anchored[k]), 2, v[1]),
                            num(score_rmse(q), 3, v[2]), num(score_persistence(q), 3, v[3]), num(score_mae(q), 3, v[4]),
                            num(score_bias(q), 3, v[5]), q->n);
                }
        if (!evrank_judged(e, GROUP_INLET) && !evrank_judged(e, GROUP_SUPPLY))
                (void)printf("  none: no model was fitted, or nothing is stored of what decisions were made on\n");
        n = evrank_worst(e, e->layout->ny, evrank_forecast, worst, WORST);
        for (size_t k = 0; k < n; k++) {
                const struct score_error *q = &e->y[worst[k]].forecast.error[evrank_distance(e)];

                (void)printf("  %s %s ahead: RMSE %s K, skill %s: %s\n", k == 0 ? "worst," : "      ",
                             span((double)e->ahead[evrank_distance(e)] * e->layout->step_s, s),
                             num(score_rmse(q), 3, v[0]), num(score_skill(q), 2, v[1]), evrank_y_name(e, worst[k]));
        }
        (void)printf("  Anchored: with what the model missed in its window added, as certificates count it.\n");
}

static void print_coverage(const struct evaluation *e)
{
        size_t worst[WORST], n;
        char a[32], b[32], c[32], d[32], s[32];

        (void)printf("\nBOUNDS: readings below the one-step bound (nominal %.0f %%) and inside the interval over %s\n",
                     100 * EVALUATE_COVERAGE, span((double)e->horizon * e->layout->step_s, s));
        for (int g = 0; g < GROUP_COUNT; g++) {
                const struct hindsight_score *q = &e->all.forecast[g];

                if (!evrank_judged(e, (enum evaluate_group)g))
                        continue;
                (void)printf("  %-11s below %s, inside %s; width %s K after one step, %s K at the end\n", group_name[g],
                             percent(score_share(q->upper.inside, q->upper.n), a),
                             percent(score_share(q->inside.inside, q->inside.n), b), num(score_width(&q->step), 2, c),
                             num(score_width(&q->end), 2, d));
        }
        n = evrank_worst(e, e->layout->ny, evrank_coverage, worst, WORST);
        for (size_t k = 0; k < n; k++) {
                const struct score_cover *q = &e->y[worst[k]].forecast.upper;

                (void)printf("  %s %s below: %s\n", k == 0 ? "least," : "      ",
                             percent(score_share(q->inside, q->n), a), evrank_y_name(e, worst[k]));
        }
}

static void print_proposals(const struct evaluation *e)
{
        size_t worst[WORST], n;
        char a[32], b[32];

        (void)printf("\nPROPOSALS and what the safety layer made of them\n");
        for (int k = 0; k < EVALUATE_KINDS; k++)
                for (int r = 0; r < EVALUATE_REASONS; r++)
                        if (e->reason[k][r] > 0)
                                (void)printf("  %-9s %-16s %7zu step%s, %s\n", decision_kind_str((enum decision_kind)k),
                                             decision_reason_str((enum decision_reason)r), e->reason[k][r],
                                             PLURAL_S(e->reason[k][r]),
                                             percent(score_share(e->reason[k][r], e->scored), a));
        (void)printf("  certificate: %zu of %zu decision%s carry one, %zu of these are holds\n", evrank_certified(e),
                     e->scored, PLURAL_S(e->scored), e->certified[DECISION_HOLD]);
        n = evrank_worst(e, e->layout->nu, evrank_projection, worst, WORST);
        for (size_t k = 0; k < n; k++) {
                const struct score_variable *v = &e->u[worst[k]];

                (void)printf(
                    "  %s from proposal to action: mean %s, 95 %% within %s %s, changed in %zu of %zu step%s%s: "
                    "%s\n",
                    k == 0 ? "most," : "     ", num(evaluate_read_delta(e, worst[k], score_dist_mean(&v->cost)), 2, a),
                    num(evaluate_read_delta(e, worst[k], score_dist_abs_quantile(&v->cost, 0.95)), 2, b),
                    evaluate_read_unit(e, worst[k]), v->projected, v->cost.n, PLURAL_S(v->cost.n),
                    v->not_finite > 0 ? ", not a number in others" : "", evrank_u_name(e, worst[k]));
        }
}

static void print_hours(const struct evaluation *e)
{
        size_t hour[3] = {24, 24, 24};

        for (size_t h = 0; h < 24; h++) {
                size_t at = h;

                for (size_t k = 0; k < 3; k++) {
                        const size_t other = hour[k];

                        if (e->hour_differing[at] > 0 &&
                            (other == 24 || score_share(e->hour_differing[at], e->hour_compared[at]) >
                                                score_share(e->hour_differing[other], e->hour_compared[other]))) {
                                hour[k] = at;
                                at = other;
                                if (at == 24)
                                        break;
                        }
                }
        }
        for (size_t k = 0; k < 3 && hour[k] < 24; k++) {
                char a[32];

                (void)printf("%s%02zu:00 (%s)", k == 0 ? "  most in the hours (UTC) " : ", ", hour[k],
                             percent(score_share(e->hour_differing[hour[k]], e->hour_compared[hour[k]]), a));
        }
        (void)printf(hour[0] < 24 ? "\n" : "");
}

static void print_difference(const struct evaluation *e)
{
        size_t worst[WORST], n, answers[ADVICE_ANSWERS];
        char a[32], b[32], c[32], d[32], s[32];

        (void)printf(
            "\nOUR ACTION BESIDE WHAT WAS IN FORCE, in shadow; each step starts from that: toward less cooling it "
            "is one step's rate\naway at most, toward more it may be any distance\n");
        if (e->all.compared == 0) {
                (void)printf("  nothing to compare: %s\n",
                             e->shadow > 0 ? "no setpoint in force could be read" : "no decision in shadow");
                return;
        }
        n = evrank_worst(e, e->layout->nu, evrank_change, worst, WORST);
        for (size_t k = 0; k < n; k++) {
                const size_t j = worst[k];
                const struct score_variable *v = &e->u[j];
                const int dir = e->site->point[e->layout->u[j].point].safe_dir;

                (void)printf("  %s\n    action mean %s, 95 %% within %s %s; proposal mean %s; beyond the dead band %s",
                             evrank_u_name(e, j), num(evaluate_read_delta(e, j, score_dist_mean(&v->change)), 2, a),
                             num(evaluate_read_delta(e, j, score_dist_abs_quantile(&v->change, 0.95)), 2, b),
                             evaluate_read_unit(e, j), num(evaluate_read_delta(e, j, score_dist_mean(&v->ask)), 2, c),
                             percent(score_share(v->above + v->below, v->steps), d));
                if (dir != 0)
                        (void)printf(", of it less cooling %s",
                                     percent(score_share(dir > 0 ? v->below : v->above, v->above + v->below), a));
                if (v->spell.longest_ms > 0)
                        (void)printf("; longest %s from %s", span((double)v->spell.longest_ms / 1000, s),
                                     clk_format(v->spell.longest_from_ms, b));
                (void)printf("\n");
        }
        if (n == 0)
                (void)printf("  none: every action was what was in force\n");
        evrank_answers(e, answers);
        (void)printf("  advice (five minutes in one direction): %zu accepted, %zu rejected, %zu ignored for an hour\n",
                     answers[ADVICE_ACCEPTED], answers[ADVICE_REJECTED], answers[ADVICE_IGNORED]);
        print_hours(e);
}

const char *evaluate_power_why(const struct evaluation *e)
{
        bool any = false;

        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                any |= e->metered[k];
        if (!any)
                return "the site file names no meter of cooling";
        if (e->samples == 0)
                return "no samples are stored here (a replay stores none: --log names the database it was made from)";
        if (e->all.metered.n == 0)
                return "in no step had every part of cooling a meter that could be read";
        if (e->all.no_proposal == e->all.steps)
                return "there were no proposals, so nothing was foreseen";
        return "no proposal came with an estimate while meters could be read: the planner had no energy model yet";
}

static void print_power(const struct evaluation *e)
{
        static const char *const part[EVALUATE_PARTS] = {"fans", "chillers", "pumps", "towers"};
        const struct score_power *p = &e->all.power;
        const double n = (double)p->n, share = p->predicted_w / p->measured_w - 1;
        char a[32];

        (void)printf("\nPOWER of cooling: fans of air handlers, chillers, pumps, towers\n");
        if (p->n == 0) {
                (void)printf("  nothing to compare: %s\n", evaluate_power_why(e));
                if (e->all.metered.n > 0)
                        (void)printf("  meters under what was in force %.1f kW, mean of %zu steps\n",
                                     series_mean(&e->all.metered) / 1000, e->all.metered.n);
                return;
        }
        (void)printf(
            "  planner's estimate for its proposals %.1f kW, meters under what was in force %.1f kW (%s%s), mean "
            "of %zu steps\n",
            p->predicted_w / n / 1000, p->measured_w / n / 1000, share > 0 ? "+" : "", percent(share, a), p->n);
        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                if (!e->metered[k])
                        (void)printf("  no meter of %s: they are in the estimate only\n", part[k]);
        (void)printf(
            evrank_in_force(e)
                ? "  An estimate of what the safety layer may have changed, with the energy model's error in it: "
                  "no saving. That is\n  what coolplane savings is for.\n"
                : "  An estimate of what was never tried, with the energy model's error in it: no saving. That is "
                  "what\n  coolplane savings is for.\n");
}

static void print_availability(const struct evaluation *e)
{
        size_t worst[WORST], n;
        char a[32], b[32], utc[32];

        (void)printf("\nAVAILABILITY\n  of %zu steps: no proposal in %zu, HOLD %zu, FALLBACK %zu\n", e->all.steps,
                     e->all.no_proposal, e->all.by_kind[DECISION_HOLD], e->all.by_kind[DECISION_FALLBACK]);
        if (e->gaps > 0)
                (void)printf("  %zu gap%s, %s in all, longest %s after %s\n", e->gaps, PLURAL_S(e->gaps),
                             span((double)e->gap_ms / 1000, a), span((double)e->longest_gap_ms / 1000, b),
                             clk_format(e->longest_gap_t_ms, utc));
        n = evrank_worst(e, e->layout->ny, evrank_unusable, worst, WORST);
        for (size_t k = 0; k < n; k++)
                (void)printf("  not usable in %s of the steps: %s\n", percent(evrank_unusable(e, worst[k]), a),
                             evrank_y_name(e, worst[k]));
        n = evrank_worst(e, e->site->npoint, evrank_quality, worst, WORST);
        for (size_t k = 0; k < n; k++)
                (void)printf("  samples not good: %s: %s\n", percent(evrank_quality(e, worst[k]), a),
                             e->site->point[worst[k]].name);
}

void evaluate_print_writes_text(const struct evaluation *e)
{
        const struct evaluate_writes *w = &e->writes;
        char utc[32];

        (void)printf("WRITES of shadow and replay: %zu left, %zu recorded as what would have been written", w->left,
                     w->recorded);
        if (w->unfinished > 0)
                (void)printf(", %zu without an outcome", w->unfinished);
        (void)printf("\n");
        if (w->left > 0)
                (void)printf("  first: %s %s\n", clk_format(w->first_t_ms, utc), w->first);
}

static void print_days(const struct evaluation *e)
{
        const enum evaluate_group group = evrank_judged(e, GROUP_INLET) ? GROUP_INLET : GROUP_SUPPLY;
        const size_t first = e->nday > DAYS ? e->nday - DAYS : 0;
        char ahead[32];

        if (e->nday < 2)
                return;
        (void)printf("\nBY DAY%s; skill and bound of %s, %s ahead\n", first > 0 ? " (the last 31; all in --json)" : "",
                     group_name[group], span((double)e->ahead[evrank_distance(e)] * e->layout->step_s, ahead));
        (void)printf(
            "  day         steps        skill  below bound  hottest  foreseen  beyond band  no proposal  predicted / "
            "measured kW\n");
        for (size_t k = first; k < e->nday; k++) {
                const struct evaluate_sum *s = &e->day[k].sum;
                const struct hindsight_score *f = &s->forecast[group];
                const struct score_heat *m = &s->heat[HEAT_MEASURED], *h = &s->heat[HEAT_ACTION];
                const double n = (double)s->power.n;
                char utc[32], v[7][32];

                (void)printf(
                    "  %.10s %6zu  %11s  %11s  %7s  %8s  %11s  %11zu  %s / %s\n", clk_format(e->day[k].t_ms, utc),
                    s->steps, num(score_skill(&f->error[evrank_distance(e)]), 2, v[0]),
                    percent(score_share(f->upper.inside, f->upper.n), v[1]),
                    num(m->n > 0 ? m->max_c : (double)NAN, 1, v[2]), num(h->n > 0 ? h->max_c : (double)NAN, 1, v[3]),
                    percent(score_share(s->differing, s->compared), v[4]), s->no_proposal,
                    num(n > 0 ? s->power.predicted_w / n / 1000 : (double)NAN, 1, v[5]),
                    num(n > 0 ? s->power.measured_w / n / 1000 : (double)NAN, 1, v[6]));
        }
}

void evaluate_print_text(const struct evaluation *e)
{
        print_head(e);
        print_stand_out(e);
        print_heat(e);
        print_forecast(e);
        print_coverage(e);
        print_proposals(e);
        print_difference(e);
        print_power(e);
        print_availability(e);
        (void)printf("\n");
        evaluate_print_writes_text(e);
        print_days(e);
}
