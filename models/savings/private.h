/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Least squares shared by both designs, with errors on days left out. */
#ifndef COOLPLANE_SAVINGS_PRIVATE_H
#define COOLPLANE_SAVINGS_PRIVATE_H

#include "models/savings/savings.h"

enum { SV_LOAD, SV_WEATHER, SV_WEEKEND, SV_REGRESSORS };
/* terms of a form; the constant is always there and first */
enum { SV_BY_LOAD = 1, SV_BY_WEATHER = 2, SV_BY_CHANGE = 4, SV_BY_WEEKEND = 8 };
#define SV_TERMS 5
#define SV_FORMS_MAX 64

/* Scales of load and weather, so that normal equations are well conditioned. */
struct sv_scale {
        double centre[2], size[2]; /* size 0: constant, no term can be fitted */
        bool weekends;             /* some days are and some are not */
};
struct sv_form {
        unsigned by; /* SV_BY_… */
        double change_c;
        size_t p; /* parameters, the change point one of them */
};
struct sv_fit {
        struct sv_form form;
        size_t nterm;
        double factor[SV_TERMS * SV_TERMS]; /* Cholesky factor of XᵀX */
        double coef[SAVINGS_PARTS][SV_TERMS];
};
/* How a form does on rows left out, per part. */
struct sv_out {
        double sq[SAVINGS_PARTS], sum[SAVINGS_PARTS]; /* Σ e², Σ e */
};

/* NaN for a divisor of nothing. */
double sv_ratio(double a, double b);
void sv_scale(const struct savings_row *row, size_t n, struct sv_scale *ret);
size_t sv_terms(const struct sv_form *f, const struct sv_scale *s, const double *x, double *ret);
/* Forms that n rows allow, fewest terms first; change: also with a change point. Returns their number. */
size_t sv_forms(size_t n, const struct sv_scale *s, bool load, bool change, struct sv_form *ret);
/* Of rows outside [from, to). -EDOM: singular. */
int sv_fit(const struct savings_row *row, size_t n, size_t from, size_t to, const struct sv_form *form,
           const struct sv_scale *s, struct sv_fit *ret);
double sv_predict(const struct sv_fit *f, const struct sv_scale *s, enum savings_part part, const double *x);
/* Blocks of consecutive rows left out in turn. -EDOM: some block leaves a singular rest. */
int sv_left_out(const struct savings_row *row, size_t n, const struct sv_form *form, const struct sv_scale *s,
                struct sv_out *ret);
struct sv_noise {
        double var_j2; /* s² (1 + r)/(1 − r) */
        double t95;
};
void sv_judge(const struct savings_row *row, size_t n, const struct sv_fit *f, const struct sv_scale *s,
              const struct sv_out *out, enum savings_part part, double rho_min, struct savings_figure *ret,
              struct sv_noise *ret_noise);
double sv_quadratic(const struct sv_fit *f, const double *x); /* xᵀ (XᵀX)⁻¹ x */

/* The form with the least error of `target` on rows left out, and the weights of all (0: singular). The index, or n
 * when none can be fitted. */
size_t sv_choose(const struct savings_row *row, size_t n, const struct sv_form *form, size_t nform,
                 const struct sv_scale *s, enum savings_part target, double *ret_weight, struct sv_out *ret_out);
/* Interval and FSU around saving_j and baseline_j. */
void sv_interval(struct savings_figure *f, const struct sv_noise *noise, double var_j2, size_t n, size_t m);
bool sv_args_ok(const struct savings_args *a);
bool sv_told(const struct savings_figure *total, double precision_ratio);

#endif
