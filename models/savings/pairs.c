/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Days on which two controls took turns. */
#include <errno.h>
#include <math.h>

#include "models/savings/private.h"

#define APART_MAX_DAYS 3

static bool whole(const struct savings_day *d, bool load, bool fans)
{
        return isfinite(d->weather_c) && (!load || isfinite(d->load)) && d->energy_j[SAVINGS_COOLING] >= 0.0 &&
               d->energy_j[SAVINGS_IT] > 0.0 && (!fans || d->energy_j[SAVINGS_IT_FANS] >= 0.0) &&
               isfinite(d->energy_j[SAVINGS_COOLING] + d->energy_j[SAVINGS_IT]);
}

static double part_j(const struct savings_day *d, int part, bool fans)
{
        const double fan = fans ? d->energy_j[SAVINGS_IT_FANS] : 0.0;

        if (part == SAVINGS_TOTAL)
                return d->energy_j[SAVINGS_COOLING] + fan + d->energy_j[SAVINGS_IT];
        return part == SAVINGS_IT_FANS ? fan : d->energy_j[part];
}

static void widen(double *range, double v)
{
        range[0] = fmin(range[0], v);
        range[1] = fmax(range[1], v);
}

/* Baseline minus treated. */
static void difference(const struct savings_day *base, const struct savings_day *treated, bool load, bool fans,
                       int64_t seq, struct savings_row *ret)
{
        ret->day = seq;
        ret->x[SV_LOAD] = load ? base->load - treated->load : 0.0;
        ret->x[SV_WEATHER] = base->weather_c - treated->weather_c;
        ret->x[SV_WEEKEND] = (double)base->weekend - (double)treated->weekend;
        for (int k = 0; k < SAVINGS_PARTS; k++)
                ret->y[k] = part_j(base, k, fans) - part_j(treated, k, fans);
}

/* Differences of pairs into row; sums of what the paired days took, per arm. Returns the number of pairs. */
static size_t pair_up(const struct savings_day *d, const uint8_t *treated, size_t n, bool load, bool fans,
                      struct savings_row *row, double took_j[2][SAVINGS_PARTS], struct savings_report *rep)
{
        size_t pairs = 0, last = n, used = 0, all = 0;

        for (size_t i = 0; i < n; i++) {
                if (!whole(&d[i], load, fans))
                        continue;
                all++;
                widen(rep->load[treated[i]], load ? d[i].load : 0.0);
                widen(rep->weather_c[treated[i]], d[i].weather_c);
                if (last < n && treated[last] != treated[i] && d[i].day - d[last].day <= APART_MAX_DAYS) {
                        const struct savings_day *base = treated[i] ? &d[last] : &d[i];
                        const struct savings_day *other = treated[i] ? &d[i] : &d[last];

                        difference(base, other, load, fans, (int64_t)pairs, &row[pairs]);
                        pairs++;
                        for (int k = 0; k < SAVINGS_PARTS; k++) {
                                took_j[0][k] += part_j(base, k, fans);
                                took_j[1][k] += part_j(other, k, fans);
                        }
                        used += 2;
                        last = n;
                } else {
                        last = i;
                }
        }
        rep->unpaired = all - used;
        return pairs;
}

/* The constant is the saving of a day: scales begin at a difference of nothing. */
static void scale_about_zero(const struct savings_row *row, size_t n, struct sv_scale *ret)
{
        sv_scale(row, n, ret);
        for (size_t k = 0; k < 2; k++)
                ret->centre[k] = 0.0;
}

/* One control always on weekends and the other never: no telling them from the calendar. */
static bool by_weekend_alone(const struct savings_row *row, size_t n)
{
        for (size_t i = 1; i < n; i++)
                if (row[i].x[SV_WEEKEND] != row[0].x[SV_WEEKEND])
                        return false;
        return row[0].x[SV_WEEKEND] != 0.0;
}

static enum savings_reason estimate(const struct savings_row *row, size_t n, const struct savings_args *args, bool fans,
                                    double took_j[2][SAVINGS_PARTS], struct savings_report *rep)
{
        const double x[SV_REGRESSORS] = {0.0};
        struct sv_form form[SV_FORMS_MAX];
        double weight[SV_FORMS_MAX], unit[SV_TERMS] = {(double)n};
        struct sv_noise noise = {0};
        struct sv_scale scale;
        struct sv_out out;
        struct sv_fit fit;
        size_t nform, best;

        scale_about_zero(row, n, &scale);
        nform = sv_forms(n, &scale, args->load == SAVINGS_LOAD_DEMAND, false, form);
        best = sv_choose(row, n, form, nform, &scale, SAVINGS_TOTAL, weight, &out);
        if (best == nform || sv_fit(row, n, 0, 0, &form[best], &scale, &fit) < 0)
                return SAVINGS_FEW_BASELINE;
        rep->p = fit.form.p;
        rep->by_load = fit.form.by & SV_BY_LOAD;
        rep->by_weather = fit.form.by & SV_BY_WEATHER;
        rep->by_weekend = fit.form.by & SV_BY_WEEKEND;
        for (int k = 0; k < SAVINGS_PARTS; k++) {
                struct savings_figure *f = &rep->part[k];
                double spread = 0.0, weights = 0.0, mean;

                if (k == SAVINGS_IT_FANS && !fans)
                        continue;
                sv_judge(row, n, &fit, &scale, &out, (enum savings_part)k, 0.0, f, &noise);
                f->saving_j = (double)n * sv_predict(&fit, &scale, (enum savings_part)k, x);
                f->measured_j = took_j[1][k];
                f->baseline_j = f->measured_j + f->saving_j;
                /* errors as shares of a day's energy, not of the difference */
                mean = sv_ratio(took_j[0][k] - took_j[1][k], took_j[0][k]);
                f->cv_rmse *= mean;
                f->nmbe *= mean;
                f->cv_rmse_out *= mean;
                f->nmbe_out *= mean;
                for (size_t i = 0; i < nform; i++) {
                        struct sv_fit other;

                        if (!(weight[i] > 1e-6) || sv_fit(row, n, 0, 0, &form[i], &scale, &other) < 0)
                                continue;
                        spread +=
                            weight[i] *
                            pow((double)n * sv_predict(&other, &scale, (enum savings_part)k, x) - f->saving_j, 2.0);
                        weights += weight[i];
                }
                sv_interval(f, &noise, noise.var_j2 * sv_quadratic(&fit, unit) + spread / weights, n, n);
                f->fsu = (double)NAN; /* Guideline 14 knows no pairs */
        }
        return rep->part[SAVINGS_TOTAL].known && sv_told(&rep->part[SAVINGS_TOTAL], args->precision_ratio)
                   ? SAVINGS_TOLD
                   : SAVINGS_IMPRECISE;
}

int savings_pairs(const struct savings_day *day, const uint8_t *treated, size_t n, const struct savings_args *args,
                  struct savings_row *work, struct savings_report *ret)
{
        struct savings_report rep = {.reason = SAVINGS_TOLD, .inlet_change_k = (double)NAN};
        double took_j[2][SAVINGS_PARTS] = {{0}}, inlet[2] = {0.0}, count[2] = {0.0};
        bool fans = false;

        if (!sv_args_ok(args) || args->load == SAVINGS_LOAD_IT)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (treated[i] > 1)
                        return -EINVAL;
                fans = fans || isfinite(day[i].energy_j[SAVINGS_IT_FANS]);
                if (isfinite(day[i].inlet_c)) {
                        inlet[treated[i]] += day[i].inlet_c;
                        count[treated[i]] += 1.0;
                }
        }
        for (int arm = 0; arm < 2; arm++) {
                rep.load[arm][0] = rep.weather_c[arm][0] = (double)INFINITY;
                rep.load[arm][1] = rep.weather_c[arm][1] = -(double)INFINITY;
        }
        rep.inlet_change_k = sv_ratio(inlet[1], count[1]) - sv_ratio(inlet[0], count[0]);
        rep.n = rep.m = pair_up(day, treated, n, args->load == SAVINGS_LOAD_DEMAND, fans, work, took_j, &rep);
        if (rep.n < args->baseline_min)
                rep.reason = SAVINGS_FEW_BASELINE;
        else if (by_weekend_alone(work, rep.n))
                rep.reason = SAVINGS_NO_OVERLAP;
        else
                rep.reason = estimate(work, rep.n, args, fans, took_j, &rep);
        *ret = rep;
        return 0;
}
