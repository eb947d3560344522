/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What was saved, from daily energies of a baseline and a reporting period (after IPMVP option B/C; not a
 * compliant M&V report: short periods, sub-meters), or from days on which two controls took turns. Three outcomes: an
 * interval, an interval with a reason not to believe it, or a reason why there is none.
 *
 *   baseline:  y = b0 [+ b1 load] [+ b2 T] [+ b3 max(0, T − Tc)] [+ b4 weekend] + e    least squares on the baseline's
 *              days; the terms and the change point Tc are those with the least error on days left out in blocks, at
 *              most n/4 of them; S = Σ (ŷ − y) over the reporting days, > 0: saved
 *
 *   interval:  S ± t(n' − p) · √( s² (1 + r)/(1 − r) (m + xᵀ(XᵀX)⁻¹x) + V ),   x = Σ of the reporting days' terms,
 *              s² = Σe²/n · n'/(n' − p), n' = n (1 − r)/(1 + r), n' − p at least 2; r the residuals' lag-1
 *              autocorrelation, plus its bias for few days, never below what n days do not show: 10/n, at most 0.5;
 *              V the spread of S over the other forms, weighted by their error on days left out
 *
 *   FSU:       t · 1.26 · CV(RMSE)/F · √( n/n' · (1 + 2/n')/m )   as in Guideline 14, annex B, of Reddy and Claridge
 *              2000 (HVAC&R Research 6); F = S/Σŷ. For comparison only: daily residuals are too dependent for it
 *              (Touzani et al. 2019, Applied Energy 233).
 *
 * Daily, not hourly: hours of a day are nearly one observation. Pure: caller's memory, no I/O, deterministic.
 */
#ifndef COOLPLANE_SAVINGS_SAVINGS_H
#define COOLPLANE_SAVINGS_SAVINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The boundary. Cooling: chillers, pumps, towers, air handlers' fans. IT without server fans where these are metered by
 * themselves, else with them. */
enum savings_part { SAVINGS_COOLING, SAVINGS_IT_FANS, SAVINGS_IT, SAVINGS_TOTAL, SAVINGS_PARTS };

struct savings_day {
        int64_t day; /* running number: neighbours differ by one; ascending within a period */
        bool weekend;
        double load;                    /* what the plant was asked for, in any unit; NaN = not known */
        double weather_c;               /* mean wet bulb (or dry bulb) */
        double inlet_c;                 /* mean of the server inlets; NaN = not known */
        double energy_j[SAVINGS_TOTAL]; /* per part; IT_FANS NaN: not metered apart (then on no day) */
};

/* What `load` is. */
enum savings_load {
        /* IT is an outcome: calendar and weather are all that is known of it. What else moves it wanders. */
        SAVINGS_LOAD_NONE,
        SAVINGS_LOAD_DEMAND, /* a demand that the control cannot change: IT is an outcome of it */
        /* IT power itself (the module takes it from energy_j): IT is taken as given. Right for setpoints alone; what
         * servers draw more of in warmer air is not seen as load but bounded, by it_response_ratio_k. */
        SAVINGS_LOAD_IT,
};

struct savings_args {
        enum savings_load load;
        size_t baseline_min, reporting_min; /* days (10, 7); pairs: baseline_min */
        double
            precision_ratio; /* half interval of the total that is worth telling (0.03); or a quarter of the saving */
        double wander_rho;   /* LOAD_NONE: least r of what else moves IT (0.7) */
        double it_response_ratio_k; /* share of IT power a kelvin of inlet may cost (0.005) */
};
void savings_args_default(struct savings_args *ret);

enum savings_reason {
        SAVINGS_TOLD,            /* an interval that can be believed */
        SAVINGS_FEW_BASELINE,    /* too few whole days of baseline, or of pairs */
        SAVINGS_FEW_REPORTING,   /* too few whole days of reporting */
        SAVINGS_NO_OVERLAP,      /* load or weather of most reporting days was never seen in the baseline; of pairs,
                                  the weekend tells the controls apart */
        SAVINGS_POOR_FIT,        /* the baseline does not explain its own days: CV(RMSE) > 30 % or |NMBE| > 10 % */
        SAVINGS_INLET_NOT_KNOWN, /* IT given, and too few days tell how warm its air was to bound what it answered */
        SAVINGS_IMPRECISE,       /* the interval is wider than the claim is worth */
};
const char *savings_reason_str(enum savings_reason r);

struct savings_figure {
        bool known;                     /* else nothing below */
        bool given;                     /* not estimated, taken as measured: saving 0 by assumption */
        double cv_rmse, nmbe;           /* of the fit, ratio; nmbe = Σ(y − ŷ)/((n − p) ȳ) */
        double cv_rmse_out;             /* on days left out */
        double nmbe_out;                /* the same of nmbe */
        double rho, n_eff;              /* autocorrelation as corrected and not below its least; n' */
        double baseline_j;              /* adjusted baseline: what the reporting days would have taken */
        double measured_j;              /* what they took */
        double saving_j, low_j, high_j; /* 95 % */
        double fsu;                     /* Guideline 14, 95 %; NaN without a saving */
};
struct savings_report {
        enum savings_reason reason;
        size_t n, p;      /* days (pairs) fitted; parameters with the change point */
        size_t m;         /* reporting days counted: those whose load and weather the baseline knows */
        size_t m_outside; /* … and those left out */
        size_t unpaired;  /* savings_pairs: days without a partner */
        bool by_load, by_weather, by_change, by_weekend; /* terms */
        double change_c;                                 /* by_change */
        double load[2][2], weather_c[2][2];              /* [baseline, reporting][least, greatest] of whole days */
        double inlet_change_k; /* reporting minus baseline; NaN: fewer than 0.8 of either's days know theirs */
        double it_unseen_j; /* LOAD_IT: IT's answer to that with its cooling, at most; > 0 is in low_j of the total, < 0
                               in high_j */
        struct savings_figure part[SAVINGS_PARTS];
};

/* What must be said beside or instead of a headline (R31 of the requirements): parts that move apart, each with an
 * interval that excludes zero. */
enum savings_shift { SAVINGS_SHIFT_NONE, SAVINGS_SHIFT_TO_IT, SAVINGS_SHIFT_TO_COOLING };
enum savings_shift savings_shift(const struct savings_report *r);

/* Working rows, no meaning on return. */
struct savings_row {
        double x[3], y[SAVINGS_PARTS]; /* load, weather, weekend */
        int64_t day;
};

/* baseline [n], reporting [m]; work [n + m]. ret_counted [m] or NULL: 1 = in the sums. Days with a number missing are
 * left out. 0 (see reason), -EINVAL: absurd arguments. */
int savings_baseline(const struct savings_day *baseline, size_t n, const struct savings_day *reporting, size_t m,
                     const struct savings_args *args, struct savings_row *work, uint8_t *ret_counted,
                     struct savings_report *ret);

/* Days on which two controls took turns. Neighbours (at most three days apart) of different arms are paired, and the
 * differences regressed on those of load, weather and weekend: slow drifts of anything else cancel. LOAD_IT is -EINVAL:
 * here IT can be an outcome without loss. day [n], treated [n] 0 or 1, work [n]; n of the report counts pairs. The
 * energies are those of the treated days that have a partner. */
int savings_pairs(const struct savings_day *day, const uint8_t *treated, size_t n, const struct savings_args *args,
                  struct savings_row *work, struct savings_report *ret);

/* Two-sided 95 % quantile of Student's t, within 1 % of tables; that of 2 for less than 2. */
double savings_t95(double dof);

#endif
