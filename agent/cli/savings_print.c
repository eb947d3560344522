/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <inttypes.h>
#include <math.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/savings_report.h"
#include "agent/cli/stray.h"

#define DAY_MS INT64_C(86400000)
#define KWH_J 3.6e6

static const char *const part_name[SAVINGS_PARTS] = {"cooling", "server fans", "it", "total"};

static const char *date(int64_t day, char *buf)
{
        (void)clk_format(day * DAY_MS, buf);
        buf[10] = '\0';
        return buf;
}

static void print_period(const char *name, const struct savrep_period *p)
{
        const struct {
                size_t n;
                const char *what;
        } missing[] = {
            {p->no_cooling, "cooling power"}, {p->no_it, "IT power"}, {p->no_weather, "weather"}, {p->no_load, "load"}};
        char from[32], to[32];

        if (p->n == 0) {
                printf("%-10s no days\n", name);
                return;
        }
        printf("%-10s %s … %s: %zu day%s, %zu whole", name, date(p->first, from), date(p->last, to), p->n,
               PLURAL_S(p->n), p->whole);
        for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
                if (missing[i].n)
                        printf(", %zu without %s", missing[i].n, missing[i].what);
        printf("\n");
}

const char *savrep_part_str(const struct savrep_story *s, enum savings_part k)
{
        return k == SAVINGS_IT ? s->fans_metered ? "IT" : "IT and its fans" : part_name[k];
}

static void print_part(const struct savrep_story *s, int k)
{
        const struct savings_figure *f = &s->r.part[k];
        const char *name = savrep_part_str(s, (enum savings_part)k);

        if (!f->known && k == SAVINGS_IT_FANS) {
                printf("%-16s not metered apart: part of IT\n", name);
                return;
        }
        printf("%-16s %12.0f %12.0f", name, f->baseline_j / KWH_J, f->measured_j / KWH_J);
        if (f->given)
                printf("   as measured: no saving is claimed\n");
        else
                printf(" %12.0f %8.2f   [%.2f, %.2f]\n", f->saving_j / KWH_J, 100.0 * f->saving_j / f->baseline_j,
                       100.0 * f->low_j / f->baseline_j, 100.0 * f->high_j / f->baseline_j);
}

static void print_model(const struct savrep_story *s)
{
        const struct savings_report *r = &s->r;
        const struct savings_figure *f = &r->part[SAVINGS_TOTAL];

        printf("model      %s%s%s%s%s%s", s->ab ? "difference of pairs" : "daily energy", r->by_load ? ", load" : "",
               r->by_weather || r->by_change ? ", " : "", r->by_weather || r->by_change ? s->weather : "",
               r->by_change ? " with a change point" : "", r->by_weekend ? ", weekend" : "");
        if (r->by_change)
                printf(" (%.1f °C)", r->change_c);
        printf("; n %zu, p %zu, m %zu", r->n, r->p, r->m);
        if (r->m_outside)
                printf(" (%zu more have a load or weather that the baseline never saw)", r->m_outside);
        if (r->unpaired)
                printf(" (%zu day%s without a partner)", r->unpaired, PLURAL_S(r->unpaired));
        printf("\n%s CV(RMSE) %.2f %%, NMBE %+.2f %%; on days left out %.2f %% and %+.2f %%; autocorrelation "
               "%.2f, "
               "n' %.1f",
               r->part[SAVINGS_IT].given ? "fit (of what is not given)" : "fit       ", 100.0 * f->cv_rmse,
               100.0 * f->nmbe, 100.0 * f->cv_rmse_out, 100.0 * f->nmbe_out, f->rho, f->n_eff);
        if (isfinite(f->fsu))
                printf("; Guideline 14's fractional savings uncertainty at 95 %%, for comparison: %.0f %%",
                       100.0 * f->fsu);
        printf("\n");
}

const char *savrep_shift_str(const struct savrep_story *s)
{
        switch (savings_shift(&s->r)) {
        case SAVINGS_SHIFT_TO_IT:
                return "Cooling fell and IT or its fans rose: what cooling saved is not what was saved. Only the total "
                       "counts.";
        case SAVINGS_SHIFT_TO_COOLING:
                return "IT or its fans fell and cooling rose: nothing was saved in cooling. Only the total counts.";
        case SAVINGS_SHIFT_NONE:
                break;
        }
        return NULL;
}

/* IT as an outcome of calendar and weather. */
static void print_it(const struct savings_figure *it, double cooling_j)
{
        const bool up = it->high_j<0.0, down = it->low_j> 0.0;

        printf("IT against calendar and weather alone: saved %.2f %% [%.2f, %.2f].%s\n",
               100.0 * it->saving_j / it->baseline_j, 100.0 * it->low_j / it->baseline_j,
               100.0 * it->high_j / it->baseline_j,
               up && cooling_j > 0.0     ? " It rose while cooling fell."
               : down && cooling_j < 0.0 ? " It fell while cooling rose."
               : up || down              ? ""
                                         : " A move within that is not seen.");
}

int savrep_exposure_rose(const struct savrep_story *s)
{
        const double a = s->period[0].over_k_min, b = s->period[1].over_k_min;

        return isfinite(a) && isfinite(b) ? b > 1.05 * a + 1.0 : -1;
}

static void print_over(double k_min)
{
        if (isfinite(k_min))
                printf("%.0f", k_min);
        else
                printf("not known");
}

static void print_notes(const struct savrep_story *s)
{
        const struct savings_report *r = &s->r;
        const struct savrep_period *a = &s->period[0], *b = &s->period[1];

        if (savrep_shift_str(s))
                printf("%s\n", savrep_shift_str(s));
        if (r->part[SAVINGS_IT].given && !isfinite(r->inlet_change_k))
                printf("IT power was taken as given. Servers draw more in warmer air and that is not metered: inlets "
                       "are not known, so nothing of it is in the interval.\n");
        else if (r->part[SAVINGS_IT].given)
                printf("IT power was taken as given. Servers draw more in warmer air and that is not metered: inlets "
                       "%+.1f K, "
                       "up to %+.0f kWh with their cooling, which are in the interval.\n",
                       r->inlet_change_k, r->it_unseen_j / KWH_J);
        if (s->it_checked && s->it.part[SAVINGS_IT].known)
                print_it(&s->it.part[SAVINGS_IT], r->part[SAVINGS_COOLING].saving_j);
        else if (s->it_checked)
                printf("Whether IT moved cannot be seen: calendar and weather do not tell what it would have taken.\n");
        if (isfinite(a->ppue) && isfinite(b->ppue))
                printf("pPUE of these days %.3f and %.3f: not adjusted for load or weather, and no claim.\n", a->ppue,
                       b->ppue);
        printf("The baseline is what ran on its days; whether it was a good one is not judged.\n");
        printf("Inlets above the recommended limit: ");
        print_over(a->over_k_min);
        printf(" and ");
        print_over(b->over_k_min);
        printf(" degree-minutes a day%s.\n", savrep_exposure_rose(s) <= 0 ? ""
                                             : r->inlet_change_k <= 0
                                                 ? "; that is more, though inlets were no warmer on average"
                                                 : "; some of it was paid for with warmer inlets");
}

static void print_strays(const struct savrep_story *s)
{
        char words[STRAY_WORDS];

        for (int db = 0; db < 2; db++)
                for (int k = 0; k < STORE_ROWS; k++)
                        if (s->stray[db][k].rows > 0)
                                printf("%s%s\n", db ? "of the baseline " : "",
                                       stray_words(&s->stray[db][k], (enum store_rows)k, words));
}

static void print_figures(const struct savrep_story *s)
{
        print_model(s);
        printf("%-16s %12s %12s %12s %8s   %s\n", "kWh", "baseline", "measured", "saving", "%", "95 % interval");
        for (int k = 0; k < SAVINGS_PARTS; k++)
                print_part(s, k);
        print_notes(s);
}

void savrep_print(const struct savrep_story *s)
{
        const struct savings_figure *f = &s->r.part[SAVINGS_TOTAL];

        printf("%s: %s against %s\n", s->site, s->db, s->baseline);
        print_period(s->ab ? "control A" : "baseline", &s->period[0]);
        print_period(s->ab ? "control B" : "reporting", &s->period[1]);
        printf("boundary   chillers, pumps, towers, air handler fans; IT; load: %s\n", s->load);
        if (s->partly)
                printf("%zu day%s with control in force for part only, left out\n", s->partly, PLURAL_S(s->partly));
        if (s->cut)
                printf("%zu day%s with decisions recorded for part only, left out\n", s->cut, PLURAL_S(s->cut));
        print_strays(s);
        if (s->measure)
                printf("measure    %s\n", s->measure);
        if (f->known)
                print_figures(s);
        if (s->refusal[0]) {
                printf("cannot be told (%s): %s\n", s->refusal, s->why);
                return;
        }
        printf("total saving %.2f %% [%.2f, %.2f] of the adjusted baseline, %.0f kWh in %zu days",
               100.0 * f->saving_j / f->baseline_j, 100.0 * f->low_j / f->baseline_j, 100.0 * f->high_j / f->baseline_j,
               f->saving_j / KWH_J, s->r.m);
        printf("%s\n", savrep_exposure_rose(s) > 0    ? "; inlets were above the recommended limit for longer"
                       : savrep_exposure_rose(s) == 0 ? ""
                                                      : "; whether inlets were warmer is not known");
}

/* ---- JSON ---- */

static void member(const char *name, double v)
{
        printf(",\"%s\":", name);
        cli_json_number(stdout, v);
}

static void member_text(const char *name, const char *v)
{
        printf(",\"%s\":", name);
        if (v)
                cli_json_string(stdout, v);
        else
                printf("null");
}

static void json_period(const char *name, const struct savrep_period *p)
{
        char from[32], to[32];

        printf(",\"%s\":{\"days\":%zu,\"whole\":%zu", name, p->n, p->whole);
        member_text("first", p->n ? date(p->first, from) : NULL);
        member_text("last", p->n ? date(p->last, to) : NULL);
        printf(",\"without\":{\"cooling\":%zu,\"it\":%zu,\"weather\":%zu,\"load\":%zu}", p->no_cooling, p->no_it,
               p->no_weather, p->no_load);
        member("over_recommended_k_min_per_day", p->over_k_min);
        member("ppue_unadjusted", p->ppue);
        printf("}");
}

static void json_figure(const struct savings_figure *f)
{
        if (!f->known) {
                printf("null");
                return;
        }
        printf("{\"given\":%s", f->given ? "true" : "false");
        member("baseline_kwh", f->baseline_j / KWH_J);
        member("measured_kwh", f->measured_j / KWH_J);
        if (!f->given) {
                member("saving_kwh", f->saving_j / KWH_J);
                member("low_kwh", f->low_j / KWH_J);
                member("high_kwh", f->high_j / KWH_J);
                member("saving_pct", 100.0 * f->saving_j / f->baseline_j);
                member("low_pct", 100.0 * f->low_j / f->baseline_j);
                member("high_pct", 100.0 * f->high_j / f->baseline_j);
                member("cv_rmse_pct", 100.0 * f->cv_rmse);
                member("nmbe_pct", 100.0 * f->nmbe);
                member("cv_rmse_left_out_pct", 100.0 * f->cv_rmse_out);
                member("nmbe_left_out_pct", 100.0 * f->nmbe_out);
                member("autocorrelation", f->rho);
                member("n_effective", f->n_eff);
                member("fsu_guideline14_pct", 100.0 * f->fsu);
        }
        printf("}");
}

static void json_range(const char *name, const double v[2][2])
{
        printf(",\"%s\":[[", name);
        for (int k = 0; k < 4; k++) {
                cli_json_number(stdout, v[k / 2][k % 2]);
                printf("%s", k == 1 ? "],[" : k == 3 ? "]]" : ",");
        }
}

void savrep_print_json(const struct savrep_story *s)
{
        static const char *const shift[] = {"none", "cooling-fell-it-rose", "it-fell-cooling-rose"};
        static const char *const key[SAVINGS_PARTS] = {"cooling", "it_fans", "it", "total"};
        const struct savings_report *r = &s->r;
        const struct savings_figure *f = &r->part[SAVINGS_TOTAL];

        printf("{\"site\":");
        cli_json_string(stdout, s->site);
        member_text("db", s->db);
        member_text("against", s->baseline);
        member_text("design", s->ab ? "days in turn" : "baseline");
        member_text("verdict", s->refusal[0] ? s->refusal : "told");
        member_text("why", s->refusal[0] ? s->why : NULL);
        member_text("load", s->load);
        member_text("weather", s->weather);
        member_text("measure", s->measure);
        json_period("baseline", &s->period[0]);
        json_period("reporting", &s->period[1]);
        printf(",\"n\":%zu,\"p\":%zu,\"m\":%zu,\"m_outside\":%zu,\"unpaired\":%zu", r->n, r->p, r->m, r->m_outside,
               r->unpaired);
        printf(",\"partly_in_force\":%zu,\"partly_recorded\":%zu,\"left_out\":", s->partly, s->cut);
        stray_print_json(s->stray[0]);
        printf(",\"left_out_of_baseline\":");
        stray_print_json(s->stray[1]);
        printf(",\"terms\":{\"load\":%s,\"weather\":%s,\"change_point\":%s,\"weekend\":%s}",
               r->by_load ? "true" : "false", r->by_weather ? "true" : "false", r->by_change ? "true" : "false",
               r->by_weekend ? "true" : "false");
        member("change_point_c", r->by_change ? r->change_c : (double)NAN);
        json_range("load_range", r->load);
        json_range("weather_range_c", r->weather_c);
        member("inlet_change_k", r->inlet_change_k);
        member("it_response_kwh", r->it_unseen_j / KWH_J);
        printf(",\"parts\":{");
        for (int k = 0; k < SAVINGS_PARTS; k++) {
                printf("%s\"%s\":", k ? "," : "", key[k]);
                json_figure(&r->part[k]);
        }
        printf("},\"it_by_calendar\":");
        json_figure(&s->it.part[SAVINGS_IT]);
        member_text("shift", f->known ? shift[savings_shift(r)] : NULL);
        printf(",\"headline\":");
        if (s->refusal[0]) {
                printf("null");
        } else {
                printf("{\"what\":\"total\"");
                member("saving_pct", 100.0 * f->saving_j / f->baseline_j);
                member("low_pct", 100.0 * f->low_j / f->baseline_j);
                member("high_pct", 100.0 * f->high_j / f->baseline_j);
                printf(",\"exposure_rose\":%s}", savrep_exposure_rose(s) < 0 ? "null"
                                                 : savrep_exposure_rose(s)   ? "true"
                                                                             : "false");
        }
        printf("}\n");
}
