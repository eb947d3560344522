/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A baseline period against a reporting period. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/savings/private.h"

#define RANGE_MARGIN 0.1     /* of the baseline's span, beyond its ends */
#define LOAD_MARGIN 0.01     /* of the mean load, at least */
#define WEATHER_MARGIN_K 0.5 /* at least */
/* What n days do not show: without it, the intervals that come out narrow enough to be told are those whose r was
 * underestimated (14 days of r = 0.7: 79 % of them held the truth, with it 98 %). */
#define RHO_UNSEEN_DAYS 10.0
#define RHO_UNSEEN_MAX 0.5
#define SLOPE_MAX 2.0  /* of cooling by load, beside its mean a joule of IT */
#define INSIDE_MIN 0.5 /* of the reporting days */
#define INLET_MIN 0.8  /* of a period's days */
/* Guideline 14-2014's limits for hourly calibration, the wider ones of its two: daily has none. */
#define CV_RMSE_MAX 0.30
#define NMBE_MAX 0.10

static bool any_fans(const struct savings_day *d, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (isfinite(d[i].energy_j[SAVINGS_IT_FANS]))
                        return true;
        return false;
}

/* Whole days as rows; returns their number. */
static size_t whole_days(const struct savings_day *d, size_t n, enum savings_load load, bool fans,
                         struct savings_row *ret)
{
        size_t rows = 0;

        for (size_t i = 0; i < n; i++) {
                const double cooling = d[i].energy_j[SAVINGS_COOLING], it = d[i].energy_j[SAVINGS_IT];
                const double fan = fans ? d[i].energy_j[SAVINGS_IT_FANS] : 0.0;
                struct savings_row *r = &ret[rows];

                *r = (struct savings_row){.day = d[i].day};
                r->x[SV_LOAD] = load == SAVINGS_LOAD_IT ? it : load == SAVINGS_LOAD_DEMAND ? d[i].load : 0.0;
                r->x[SV_WEATHER] = d[i].weather_c;
                r->x[SV_WEEKEND] = d[i].weekend;
                r->y[SAVINGS_COOLING] = cooling;
                r->y[SAVINGS_IT_FANS] = fan;
                r->y[SAVINGS_IT] = it;
                /* with IT given: what is not given */
                r->y[SAVINGS_TOTAL] = cooling + fan + (load == SAVINGS_LOAD_IT ? 0.0 : it);
                rows += isfinite(r->x[SV_LOAD]) && isfinite(r->x[SV_WEATHER]) && cooling >= 0.0 && it > 0.0 &&
                        fan >= 0.0 && isfinite(cooling + fan + it);
        }
        return rows;
}

static void range(const struct savings_row *row, size_t n, size_t k, double *ret)
{
        ret[0] = ret[1] = n ? row[0].x[k] : (double)NAN;
        for (size_t i = 1; i < n; i++) {
                ret[0] = fmin(ret[0], row[i].x[k]);
                ret[1] = fmax(ret[1], row[i].x[k]);
        }
}

static bool inside(const struct savings_row *r, const struct savings_report *rep)
{
        const double *l = rep->load[0], *t = rep->weather_c[0];
        const double dl = fmax(RANGE_MARGIN * (l[1] - l[0]), LOAD_MARGIN * 0.5 * fabs(l[0] + l[1]));
        const double dt = fmax(RANGE_MARGIN * (t[1] - t[0]), WEATHER_MARGIN_K);

        return r->x[SV_LOAD] >= l[0] - dl && r->x[SV_LOAD] <= l[1] + dl && r->x[SV_WEATHER] >= t[0] - dt &&
               r->x[SV_WEATHER] <= t[1] + dt;
}

/* Keeps the rows that the baseline can speak of, in order. */
static size_t keep_inside(struct savings_row *row, size_t n, const struct savings_report *rep)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (inside(&row[i], rep))
                        row[kept++] = row[i];
        return kept;
}

/* Mean inlet of the days among the rows that know theirs; NaN when too few do. */
static double mean_inlet(const struct savings_day *d, size_t n, const struct savings_row *row, size_t rows)
{
        double sum = 0.0, known = 0.0;

        for (size_t i = 0, k = 0; i < n && k < rows; i++)
                if (d[i].day == row[k].day) {
                        if (isfinite(d[i].inlet_c)) {
                                sum += d[i].inlet_c;
                                known++;
                        }
                        k++;
                }
        return known >= INLET_MIN * (double)rows ? sv_ratio(sum, known) : (double)NAN;
}

static double saved(const struct sv_fit *f, const struct sv_scale *s, enum savings_part part,
                    const struct savings_row *row, size_t m, double *ret_baseline)
{
        double base = 0.0, took = 0.0;

        for (size_t i = 0; i < m; i++) {
                base += sv_predict(f, s, part, row[i].x);
                took += row[i].y[part];
        }
        *ret_baseline = base;
        return base - took;
}

struct estimate {
        const struct savings_row *a, *b; /* baseline [n], reporting [m] */
        size_t n, m;
        struct sv_scale scale;
        struct sv_form form[SV_FORMS_MAX];
        double weight[SV_FORMS_MAX];
        size_t nform, best;
        struct sv_out out;
        struct sv_fit fit;
        struct sv_noise noise;
        double rho_min;
};

static void estimate_part(struct estimate *e, enum savings_part part, struct savings_figure *f)
{
        double x[SV_TERMS] = {0}, term[SV_TERMS], spread = 0.0, weights = 0.0, base;

        f->saving_j = saved(&e->fit, &e->scale, part, e->b, e->m, &f->baseline_j);
        f->measured_j = f->baseline_j - f->saving_j;
        sv_judge(e->a, e->n, &e->fit, &e->scale, &e->out, part, e->rho_min, f, &e->noise);
        for (size_t k = 0; k < e->nform; k++) {
                struct sv_fit other;

                if (!(e->weight[k] > 1e-6) || sv_fit(e->a, e->n, 0, 0, &e->form[k], &e->scale, &other) < 0)
                        continue;
                spread += e->weight[k] * pow(saved(&other, &e->scale, part, e->b, e->m, &base) - f->saving_j, 2.0);
                weights += e->weight[k];
        }
        for (size_t i = 0; i < e->m; i++)
                for (size_t k = 0, n = sv_terms(&e->fit.form, &e->scale, e->b[i].x, term); k < n; k++)
                        x[k] += term[k];
        sv_interval(f, &e->noise, e->noise.var_j2 * ((double)e->m + sv_quadratic(&e->fit, x)) + spread / weights, e->n,
                    e->m);
}

/* IT as it was measured, in the total too; and what of it may be the servers' answer to warmer or colder air. */
static void give_it(const struct estimate *e, const struct savings_args *args, struct savings_report *rep)
{
        struct savings_figure *it = &rep->part[SAVINGS_IT], *total = &rep->part[SAVINGS_TOTAL];
        double cooling_j = 0.0, it_j = 0.0, slope;

        *it = (struct savings_figure){.known = true, .given = true, .fsu = (double)NAN};
        for (size_t i = 0; i < e->m; i++)
                it->measured_j += e->b[i].y[SAVINGS_IT];
        it->baseline_j = it->measured_j;
        total->baseline_j += it->measured_j;
        total->measured_j += it->measured_j;
        if (!isfinite(rep->inlet_change_k))
                return;
        /* what servers drew more is load that the baseline's cooling answers too: by its slope (the load is the first
         * term), which a small range of load tells badly: at most twice its mean a joule of IT; without a slope, that
         * mean */
        for (size_t i = 0; i < e->n; i++) {
                cooling_j += e->a[i].y[SAVINGS_TOTAL];
                it_j += e->a[i].y[SAVINGS_IT];
        }
        slope = cooling_j / it_j;
        if (rep->by_load)
                slope = fmin(fmax(e->fit.coef[SAVINGS_TOTAL][1] / e->scale.size[SV_LOAD], 0.0), SLOPE_MAX * slope);
        rep->it_unseen_j = (1.0 + slope) * args->it_response_ratio_k * rep->inlet_change_k * it->measured_j;
        total->low_j -= fmax(rep->it_unseen_j, 0.0);
        total->high_j -= fmin(rep->it_unseen_j, 0.0);
}

static enum savings_reason estimate(struct estimate *e, const struct savings_args *args, bool fans,
                                    struct savings_report *rep)
{
        const bool given = args->load == SAVINGS_LOAD_IT;
        const struct savings_figure *total = &rep->part[SAVINGS_TOTAL];

        e->rho_min =
            args->load == SAVINGS_LOAD_NONE ? args->wander_rho : fmin(RHO_UNSEEN_DAYS / (double)e->n, RHO_UNSEEN_MAX);
        sv_scale(e->a, e->n, &e->scale);
        e->nform = sv_forms(e->n, &e->scale, args->load != SAVINGS_LOAD_NONE, true, e->form);
        e->best = sv_choose(e->a, e->n, e->form, e->nform, &e->scale, SAVINGS_TOTAL, e->weight, &e->out);
        if (e->best == e->nform || sv_fit(e->a, e->n, 0, 0, &e->form[e->best], &e->scale, &e->fit) < 0)
                return SAVINGS_FEW_BASELINE;
        rep->p = e->fit.form.p;
        rep->by_load = e->fit.form.by & SV_BY_LOAD;
        rep->by_weather = e->fit.form.by & SV_BY_WEATHER;
        rep->by_change = e->fit.form.by & SV_BY_CHANGE;
        rep->by_weekend = e->fit.form.by & SV_BY_WEEKEND;
        rep->change_c = e->fit.form.change_c;
        for (int k = 0; k < SAVINGS_PARTS; k++)
                if ((k != SAVINGS_IT || !given) && (k != SAVINGS_IT_FANS || fans))
                        estimate_part(e, (enum savings_part)k, &rep->part[k]);
        if (given)
                give_it(e, args, rep);

        if (!(total->cv_rmse <= CV_RMSE_MAX && fabs(total->nmbe_out) <= NMBE_MAX))
                return SAVINGS_POOR_FIT;
        if (given && args->it_response_ratio_k > 0.0 && !isfinite(rep->inlet_change_k))
                return SAVINGS_INLET_NOT_KNOWN;
        return total->known && sv_told(total, args->precision_ratio) ? SAVINGS_TOLD : SAVINGS_IMPRECISE;
}

int savings_baseline(const struct savings_day *baseline, size_t n, const struct savings_day *reporting, size_t m,
                     const struct savings_args *args, struct savings_row *work, uint8_t *ret_counted,
                     struct savings_report *ret)
{
        const bool fans = any_fans(baseline, n) || any_fans(reporting, m);
        struct savings_report rep = {.reason = SAVINGS_TOLD};
        struct estimate e;
        size_t whole;

        if (!sv_args_ok(args))
                return -EINVAL;
        e.n = rep.n = whole_days(baseline, n, args->load, fans, work);
        e.a = work;
        e.b = work + e.n;
        whole = whole_days(reporting, m, args->load, fans, work + e.n);
        range(e.a, e.n, SV_LOAD, rep.load[0]);
        range(e.b, whole, SV_LOAD, rep.load[1]);
        range(e.a, e.n, SV_WEATHER, rep.weather_c[0]);
        range(e.b, whole, SV_WEATHER, rep.weather_c[1]);
        e.m = rep.m = keep_inside(work + e.n, whole, &rep);
        rep.m_outside = whole - e.m;
        rep.inlet_change_k = mean_inlet(reporting, m, e.b, e.m) - mean_inlet(baseline, n, e.a, e.n);
        for (size_t i = 0, k = 0; ret_counted != NULL && i < m; i++) {
                ret_counted[i] = k < e.m && reporting[i].day == e.b[k].day;
                k += ret_counted[i];
        }
        if (e.n < args->baseline_min)
                rep.reason = SAVINGS_FEW_BASELINE;
        else if (whole < args->reporting_min)
                rep.reason = SAVINGS_FEW_REPORTING;
        else if (e.m < args->reporting_min || (double)e.m < INSIDE_MIN * (double)whole)
                rep.reason = SAVINGS_NO_OVERLAP;
        else
                rep.reason = estimate(&e, args, fans, &rep);
        *ret = rep;
        return 0;
}
