/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/savings/savings.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/num/num.h"
#include "models/savings/private.h"

#define BLOCKS 7         /* of rows left out in turn */
#define ROWS_PER_PARAM 4 /* no more parameters than a quarter of the rows */
#define TIE 0.98         /* another term must be worth two per cent of the squared error */
#define CONSTANT_RATIO 1e-6
#define RHO_MAX 0.9
#define DOF_MIN 2.0
#define FSU_FACTOR 1.26
#define Z95 1.9599639845

void savings_args_default(struct savings_args *ret)
{
        *ret = (struct savings_args){.load = SAVINGS_LOAD_NONE,
                                     .baseline_min = 10,
                                     .reporting_min = 7,
                                     .precision_ratio = 0.03,
                                     .wander_rho = 0.7,
                                     .it_response_ratio_k = 0.005};
}

bool sv_args_ok(const struct savings_args *a)
{
        return a->baseline_min >= 8 && a->reporting_min >= 1 && a->precision_ratio > 0.0 && a->precision_ratio <= 1.0 &&
               a->wander_rho >= 0.0 && a->wander_rho <= RHO_MAX && a->it_response_ratio_k >= 0.0 &&
               a->it_response_ratio_k <= 0.1;
}

const char *savings_reason_str(enum savings_reason r)
{
        switch (r) {
        case SAVINGS_TOLD:
                return "told";
        case SAVINGS_FEW_BASELINE:
                return "few-baseline-days";
        case SAVINGS_FEW_REPORTING:
                return "few-reporting-days";
        case SAVINGS_NO_OVERLAP:
                return "no-overlap";
        case SAVINGS_POOR_FIT:
                return "poor-fit";
        case SAVINGS_INLET_NOT_KNOWN:
                return "inlet-not-known";
        case SAVINGS_IMPRECISE:
                return "imprecise";
        }
        return "?";
}

/* Cornish-Fisher expansion about the normal quantile (Abramowitz and Stegun 26.7.5). */
double savings_t95(double dof)
{
        const double z = Z95, z2 = z * z, v = dof;
        const double g1 = z * (z2 + 1.0) / 4.0;
        const double g2 = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
        const double g3 = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
        const double g4 = z * ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92160.0;

        if (!(dof > DOF_MIN)) /* where the expansion is poor */
                return 4.3027;
        return z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v;
}

enum savings_shift savings_shift(const struct savings_report *r)
{
        const struct savings_figure *cooling = &r->part[SAVINGS_COOLING];
        bool it_up = false, it_down = false;

        for (int k = SAVINGS_IT_FANS; k <= SAVINGS_IT; k++) {
                it_up = it_up || (r->part[k].known && !r->part[k].given && r->part[k].high_j < 0.0);
                it_down = it_down || (r->part[k].known && !r->part[k].given && r->part[k].low_j > 0.0);
        }
        if (!cooling->known)
                return SAVINGS_SHIFT_NONE;
        if (cooling->low_j > 0.0 && it_up)
                return SAVINGS_SHIFT_TO_IT;
        return cooling->high_j < 0.0 && it_down ? SAVINGS_SHIFT_TO_COOLING : SAVINGS_SHIFT_NONE;
}

double sv_ratio(double a, double b)
{
        return b != 0.0 ? a / b : (double)NAN;
}

void sv_scale(const struct savings_row *row, size_t n, struct sv_scale *ret)
{
        size_t weekends = 0;

        for (size_t k = 0; k < 2; k++) {
                double sum = 0.0, sq = 0.0;

                for (size_t i = 0; i < n; i++)
                        sum += row[i].x[k];
                ret->centre[k] = sum / (double)n;
                for (size_t i = 0; i < n; i++)
                        sq += (row[i].x[k] - ret->centre[k]) * (row[i].x[k] - ret->centre[k]);
                ret->size[k] = sqrt(sq / (double)n);
                if (!(ret->size[k] > CONSTANT_RATIO * fabs(ret->centre[k])))
                        ret->size[k] = 0.0;
        }
        for (size_t i = 0; i < n; i++)
                weekends += row[i].x[SV_WEEKEND] != row[0].x[SV_WEEKEND];
        ret->weekends = weekends > 0;
}

size_t sv_terms(const struct sv_form *f, const struct sv_scale *s, const double *x, double *ret)
{
        size_t n = 0;

        ret[n++] = 1.0;
        if (f->by & SV_BY_LOAD)
                ret[n++] = (x[SV_LOAD] - s->centre[SV_LOAD]) / s->size[SV_LOAD];
        if (f->by & SV_BY_WEATHER)
                ret[n++] = (x[SV_WEATHER] - s->centre[SV_WEATHER]) / s->size[SV_WEATHER];
        if (f->by & SV_BY_CHANGE)
                ret[n++] = fmax(x[SV_WEATHER] - f->change_c, 0.0) / s->size[SV_WEATHER];
        if (f->by & SV_BY_WEEKEND)
                ret[n++] = x[SV_WEEKEND];
        return n;
}

/* Change points stand at these many spreads from the mean. */
static const double change_at[] = {-0.6, 0.0, 0.6};

size_t sv_forms(size_t n, const struct sv_scale *s, bool load, bool change, struct sv_form *ret)
{
        size_t count = 0;

        for (size_t p = 1; p <= SV_TERMS + 1 && p * ROWS_PER_PARAM <= n; p++)
                for (unsigned by = 0; by < 16; by++) {
                        const unsigned terms = (by & 1U) + (by >> 1 & 1U) + 2 * (by >> 2 & 1U) + (by >> 3 & 1U);
                        const size_t at = by & SV_BY_CHANGE ? sizeof change_at / sizeof change_at[0] : 1;

                        if (terms + 1 != p || (by & SV_BY_LOAD && (!load || s->size[SV_LOAD] == 0.0)) ||
                            (by & (SV_BY_WEATHER | SV_BY_CHANGE) && s->size[SV_WEATHER] == 0.0) ||
                            (by & SV_BY_CHANGE && !change) || (by & SV_BY_WEEKEND && !s->weekends))
                                continue;
                        for (size_t k = 0; k < at && count < SV_FORMS_MAX; k++)
                                ret[count++] = (struct sv_form){.by = by,
                                                                .change_c = s->centre[SV_WEATHER] +
                                                                            change_at[k] * s->size[SV_WEATHER],
                                                                .p = p};
                }
        return count;
}

int sv_fit(const struct savings_row *row, size_t n, size_t from, size_t to, const struct sv_form *form,
           const struct sv_scale *s, struct sv_fit *ret)
{
        double x[SV_TERMS], diag[SV_TERMS];
        struct sv_fit f = {.form = *form};

        for (size_t i = 0; i < n; i++) {
                if (i >= from && i < to)
                        continue;
                f.nterm = sv_terms(form, s, row[i].x, x);
                for (size_t a = 0; a < f.nterm; a++) {
                        for (size_t b = 0; b <= a; b++)
                                f.factor[a * f.nterm + b] += x[a] * x[b];
                        for (size_t k = 0; k < SAVINGS_PARTS; k++)
                                f.coef[k][a] += x[a] * row[i].y[k];
                }
        }
        for (size_t a = 0; a < f.nterm; a++)
                diag[a] = f.factor[a * f.nterm + a];
        if (f.nterm == 0 || num_cholesky(f.nterm, f.factor) < 0)
                return -EDOM;
        for (size_t a = 0; a < f.nterm; a++) /* what the other terms leave of this one */
                if (!(f.factor[a * f.nterm + a] * f.factor[a * f.nterm + a] > 1e-8 * diag[a]))
                        return -EDOM;
        for (size_t k = 0; k < SAVINGS_PARTS; k++)
                num_cholesky_solve(f.nterm, f.factor, f.coef[k]);
        *ret = f;
        return 0;
}

double sv_predict(const struct sv_fit *f, const struct sv_scale *s, enum savings_part part, const double *x)
{
        double term[SV_TERMS];

        return num_dot(sv_terms(&f->form, s, x, term), term, f->coef[part]);
}

double sv_quadratic(const struct sv_fit *f, const double *x)
{
        double z[SV_TERMS];

        memcpy(z, x, sizeof(double) * f->nterm);
        num_cholesky_solve(f->nterm, f->factor, z);
        return num_dot(f->nterm, x, z);
}

int sv_left_out(const struct savings_row *row, size_t n, const struct sv_form *form, const struct sv_scale *s,
                struct sv_out *ret)
{
        const size_t blocks = n / 2 < BLOCKS ? n / 2 : BLOCKS;
        struct sv_out out = {{0}, {0}};
        struct sv_fit f;

        for (size_t b = 0; b < blocks; b++) {
                const size_t from = b * n / blocks, to = (b + 1) * n / blocks;

                if (sv_fit(row, n, from, to, form, s, &f) < 0)
                        return -EDOM;
                for (size_t i = from; i < to; i++)
                        for (size_t k = 0; k < SAVINGS_PARTS; k++) {
                                const double e = row[i].y[k] - sv_predict(&f, s, (enum savings_part)k, row[i].x);

                                out.sq[k] += e * e;
                                out.sum[k] += e;
                        }
        }
        *ret = out;
        return 0;
}

size_t sv_choose(const struct savings_row *row, size_t n, const struct sv_form *form, size_t nform,
                 const struct sv_scale *s, enum savings_part target, double *ret_weight, struct sv_out *ret_out)
{
        double least = INFINITY, total = 0.0;
        size_t best = nform;

        for (size_t i = 0; i < n; i++)
                total += row[i].y[target] * row[i].y[target];
        for (size_t k = 0; k < nform; k++) {
                struct sv_out out;

                ret_weight[k] = 0.0;
                if (sv_left_out(row, n, &form[k], s, &out) < 0)
                        continue;
                ret_weight[k] = out.sq[target] + 1e-18 * total; /* an exact fit leaves rounding alone */
                if (best == nform || ret_weight[k] < TIE * least) {
                        best = k;
                        least = ret_weight[k];
                        *ret_out = out;
                }
        }
        for (size_t k = 0; k < nform; k++)
                if (ret_weight[k] > 0.0)
                        ret_weight[k] = pow(fmin(least / ret_weight[k], 1.0), 0.5 * (double)n);
        return best;
}

/* Lag-1 autocorrelation between neighbours, within [0, 0.9]. Its bias is about −(1 + 3 r)/n about a mean (Kendall
 * 1954); each further term takes about as much. */
static double autocorrelation(const struct savings_row *row, size_t n, const struct sv_fit *f, const struct sv_scale *s,
                              enum savings_part part)
{
        double sq = 0.0, lagged = 0.0, before = 0.0, r;
        size_t pairs = 0;

        for (size_t i = 0; i < n; i++) {
                const double e = row[i].y[part] - sv_predict(f, s, part, row[i].x);

                sq += e * e;
                if (i > 0 && row[i].day - row[i - 1].day == 1) {
                        lagged += e * before;
                        pairs++;
                }
                before = e;
        }
        if (pairs < 4 || !(sq > 0.0))
                return 0.0;
        r = lagged / (double)pairs / (sq / (double)n);
        r = (r * (double)n + (double)f->form.p) / ((double)n - 3.0);
        return fmin(fmax(r, 0.0), RHO_MAX);
}

void sv_judge(const struct savings_row *row, size_t n, const struct sv_fit *f, const struct sv_scale *s,
              const struct sv_out *out, enum savings_part part, double rho_min, struct savings_figure *ret,
              struct sv_noise *ret_noise)
{
        const double p = (double)f->form.p, free = (double)n - p;
        double sq = 0.0, sum = 0.0, mean = 0.0, dof;

        for (size_t i = 0; i < n; i++) {
                const double e = row[i].y[part] - sv_predict(f, s, part, row[i].x);

                sq += e * e;
                sum += e;
                mean += row[i].y[part] / (double)n;
        }
        ret->cv_rmse = sv_ratio(sqrt(sq / free), mean);
        ret->nmbe = sv_ratio(sum / free, mean);
        ret->cv_rmse_out = sv_ratio(sqrt(out->sq[part] / (double)n), mean);
        ret->nmbe_out = sv_ratio(out->sum[part] / (double)n, mean);
        ret->rho = fmax(autocorrelation(row, n, f, s, part), rho_min);
        ret->n_eff = (double)n * (1.0 - ret->rho) / (1.0 + ret->rho);
        dof = fmax(ret->n_eff - p, DOF_MIN);
        *ret_noise = (struct sv_noise){.var_j2 = sq / (double)n * (dof + p) / dof * (1.0 + ret->rho) / (1.0 - ret->rho),
                                       .t95 = savings_t95(dof)};
}

void sv_interval(struct savings_figure *f, const struct sv_noise *noise, double var_j2, size_t n, size_t m)
{
        const double half_j = noise->t95 * sqrt(var_j2), share = fabs(sv_ratio(f->saving_j, f->baseline_j));

        f->known = isfinite(half_j) && isfinite(f->saving_j);
        f->low_j = f->saving_j - half_j;
        f->high_j = f->saving_j + half_j;
        f->fsu = share > 0.0 ? noise->t95 * FSU_FACTOR * f->cv_rmse / share *
                                   sqrt((double)n / f->n_eff * (1.0 + 2.0 / f->n_eff) / (double)m)
                             : (double)NAN;
}

/* Within the precision asked for, or a saving four times as large as what is not known of it. */
bool sv_told(const struct savings_figure *total, double precision_ratio)
{
        const double half_j = 0.5 * (total->high_j - total->low_j);

        return half_j <= precision_ratio * total->baseline_j || half_j <= 0.25 * fabs(total->saving_j);
}
