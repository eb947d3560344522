/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/whatif_sums.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/planner/calm.h"
#include "agent/planner/plant.h"
#include "agent/planner/transfer.h"

#define MEMBERS_T 2.365 /* Student's t of the members' seven degrees of freedom, 95 % */
#define DECIDED 0.12
#define LEAST_S 86400.0
#define OUTSIDE_MOST 0.2
#define FITTED_LEAST 0.9
#define RARE 0.05        /* of the log: what lies beyond these quantiles was hardly tried */
#define INSIDE_LEAST 0.8 /* of the steps */

struct whatif_sums {
        const struct layout *l;
        const struct arx *arx;
        const struct energy *energy;
        struct plant_mean mean;
        struct whatif_result r;
        struct energy_sample *slow; /* [nslow] ours, means over slow steps */
        size_t nslow, slow_max;
        size_t outside;
        double member_w[ENERGY_MEMBERS];      /* sums over steps: the log's minus ours */
        struct energy_sample shift, shift_sq; /* … of the state, ours minus the log's, and squared */
        double measured_w;
        double it_w, rise_w;           /* sums of zones' power, and of it times their inlets' rise (K) */
        double *low_u, *high_u;        /* [nu] quantiles of the log */
        double *change_u, *distance_u; /* [nu] sums over closed steps */
        size_t *inside_u, *known_u;    /* [nu] steps between the quantiles, and of the sums */
};

/* --- set-up ------------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Where the log kept each setpoint nine tenths of the time that the energy model remembers. */
static int find_ranges(struct whatif_sums *s, const struct dataset *log, const double *log_u)
{
        const size_t nu = s->l->nu;
        double *v = malloc((log->n + 1) * sizeof *v);
        size_t first = 0;

        if (!v)
                return -ENOMEM;
        while (first < log->n &&
               log->t_ms[log->n - 1] - log->t_ms[first] > (int64_t)ENERGY_SAMPLES * s->l->site->slow_step_ms)
                first++;
        for (size_t j = 0; j < nu; j++) {
                size_t n = 0;

                for (size_t row = first; row < log->n; row++)
                        if (isfinite(log_u[row * nu + j]))
                                v[n++] = log_u[row * nu + j];
                qsort(v, n, sizeof *v, ascending);
                s->low_u[j] = n > 0 ? v[(size_t)(RARE * (double)(n - 1))] : (double)NAN;
                s->high_u[j] = n > 0 ? v[(size_t)((1 - RARE) * (double)(n - 1))] : (double)NAN;
        }
        free(v);
        return 0;
}

static int allocate(struct whatif_sums *s, const struct dataset *log)
{
        const struct layout *l = s->l;

        s->slow_max = (size_t)((double)log->n * l->step_s * 1000 / (double)l->site->slow_step_ms) + 2;
        s->slow = calloc(s->slow_max, sizeof *s->slow);
        s->low_u = calloc(l->nu + 1, sizeof(double));
        s->high_u = calloc(l->nu + 1, sizeof(double));
        s->change_u = calloc(l->nu + 1, sizeof(double));
        s->distance_u = calloc(l->nu + 1, sizeof(double));
        s->inside_u = calloc(l->nu + 1, sizeof *s->inside_u);
        s->known_u = calloc(l->nu + 1, sizeof *s->known_u);
        if (!s->slow || !s->low_u || !s->high_u || !s->change_u || !s->distance_u || !s->inside_u || !s->known_u)
                return -ENOMEM;
        return 0;
}

int whatif_sums_create(const struct whatif_args *a, const double *log_u, const size_t nmeter[ENERGY_PARTS],
                       struct whatif_sums **ret)
{
        struct whatif_sums *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return -ENOMEM;
        *s = (struct whatif_sums){.l = a->layout,
                                  .arx = a->model->model->arx,
                                  .energy = a->model->energy,
                                  .r = {.hottest_log_c = (double)NAN, .hottest_ours_c = (double)NAN}};
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                s->r.metered[p] = nmeter[p] > 0;
        plant_mean_init(&s->mean, s->l->site);
        r = allocate(s, a->log);
        if (r == 0)
                r = find_ranges(s, a->log, log_u);
        if (r < 0) {
                whatif_sums_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

struct whatif_sums *whatif_sums_free(struct whatif_sums *s)
{
        if (s) {
                free(s->slow);
                free(s->low_u);
                free(s->high_u);
                free(s->change_u);
                free(s->distance_u);
                free(s->inside_u);
                free(s->known_u);
                free(s);
        }
        return NULL;
}

/* --- one step ----------------------------------------------------------------------------------------------------- */

/* Mean over a zone's inlets; NaN: it has none, or one is not known. */
static double zone_rise_k(const struct layout *l, int zone, const struct whatif_sums_step *step)
{
        double sum = 0;
        size_t n = 0;

        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET && l->y[i].zone == zone) {
                        sum += step->y[i] - step->log_y[i];
                        n++;
                }
        return n > 0 ? sum / (double)n : (double)NAN;
}

static void note_servers(struct whatif_sums *s, const struct whatif_sums_step *step)
{
        const struct layout *l = s->l;

        for (size_t j = 0; j < l->nd; j++) {
                const double rise_k = l->d[j].kind == D_ZONE_POWER ? zone_rise_k(l, l->d[j].zone, step) : (double)NAN;

                if (!isfinite(rise_k * step->log_d[j]))
                        continue;
                s->it_w += step->log_d[j];
                s->rise_w += step->log_d[j] * rise_k;
                s->r.servers_wh += step->log_d[j] * WHATIF_IT_RESPONSE * fmax(rise_k, 0) * l->step_s / 3600;
        }
}

static bool inside(const struct whatif_sums *s, size_t j, double v)
{
        const double same_as = calm_same((enum u_kind)s->l->u[j].kind);

        return v >= s->low_u[j] - same_as && v <= s->high_u[j] + same_as;
}

static void note_settings(struct whatif_sums *s, const double *u, const double *log_u)
{
        for (size_t j = 0; j < s->l->nu; j++) {
                const double change = u[j] - log_u[j];

                if (!isfinite(change))
                        continue;
                s->known_u[j]++;
                s->inside_u[j] += inside(s, j, u[j]);
                s->change_u[j] += change;
                s->distance_u[j] += fabs(change);
        }
}

static void note_temperatures(struct whatif_sums *s, const struct whatif_sums_step *step)
{
        const struct layout *l = s->l;

        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET) {
                        s->r.hottest_log_c = fmax(s->r.hottest_log_c, step->log_y[i]);
                        s->r.hottest_ours_c = fmax(s->r.hottest_ours_c, step->y[i]);
                }
}

/* All parts that have a meter are known, by it and by the model: else a part's silence would look like a saving. */
static bool usable(const struct whatif_sums *s, const struct whatif_sums_step *step)
{
        bool any = false;

        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                if (s->r.metered[p] && !isfinite(step->measured_w[p] + step->log_w[0][p] + step->ours_w[0][p]))
                        return false;
                any |= s->r.metered[p];
        }
        return any;
}

static void add_change(double *sum, double *sq, double log, double ours)
{
        const double change = isfinite(ours - log) ? ours - log : 0;

        *sum += change;
        *sq += change * change;
}

static void note_shift(struct whatif_sums *s, const struct energy_sample *log, const struct energy_sample *ours)
{
        add_change(&s->shift.fan_ratio_cubed, &s->shift_sq.fan_ratio_cubed, log->fan_ratio_cubed,
                   ours->fan_ratio_cubed);
        add_change(&s->shift.heat_w, &s->shift_sq.heat_w, log->heat_w, ours->heat_w);
        add_change(&s->shift.chwst_c, &s->shift_sq.chwst_c, log->chwst_c, ours->chwst_c);
        add_change(&s->shift.cwst_c, &s->shift_sq.cwst_c, log->cwst_c, ours->cwst_c);
        add_change(&s->shift.chillers_on, &s->shift_sq.chillers_on, log->chillers_on, ours->chillers_on);
        add_change(&s->shift.valve_mean_ratio, &s->shift_sq.valve_mean_ratio, log->valve_mean_ratio,
                   ours->valve_mean_ratio);
}

/* Metered parts only. */
static void note_powers(struct whatif_sums *s, const struct whatif_sums_step *step)
{
        const double hours = s->l->step_s / 3600;

        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                if (!s->r.metered[p])
                        continue;
                s->measured_w += step->measured_w[p];
                for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                        s->member_w[m] += step->log_w[m][p] - step->ours_w[m][p];
                s->r.measured_wh[p] += step->measured_w[p] * hours;
                s->r.log_wh[p] += step->log_mean_w[p] * hours;
                s->r.ours_wh[p] += step->ours_mean_w[p] * hours;
        }
}

static void note_slow(struct whatif_sums *s, const struct whatif_sums_step *step)
{
        struct energy_sample done;
        struct energy_estimate e;

        if (plant_mean_add(&s->mean, step->end_ms, s->l->site->slow_step_ms, step->follows, &step->ours, &done) &&
            energy_predict(s->energy, &done, &e)) {
                s->r.slow_steps++;
                if (s->nslow < s->slow_max)
                        s->slow[s->nslow++] = done;
                s->outside += !(e.distance <= 1);
        }
}

bool whatif_sums_add(struct whatif_sums *s, const struct whatif_sums_step *step)
{
        note_settings(s, step->u, step->log_u);
        note_temperatures(s, step);
        if (!step->modelled || !usable(s, step)) {
                s->r.unknown++;
                return false;
        }
        s->r.steps++;
        note_shift(s, &step->log, &step->ours);
        note_servers(s, step);
        note_powers(s, step);
        note_slow(s, step);
        return true;
}

/* --- what comes of it --------------------------------------------------------------------------------------------- */

static int unknown_kind(const struct whatif_result *r)
{
        for (size_t k = 0; k < WHATIF_KINDS; k++)
                if (r->moved[k].n > 0 && !isfinite(r->moved[k].log_low + r->moved[k].log_high))
                        return (int)k;
        return -1;
}

static int worst_kind(const struct whatif_result *r)
{
        for (size_t k = 0; k < WHATIF_KINDS; k++) {
                const struct whatif_moved *m = &r->moved[k];

                if (m->n > 0 && m->inside_ratio < INSIDE_LEAST)
                        return (int)k;
        }
        return -1;
}

static enum whatif_refusal refusal(const struct whatif_sums *s, const struct whatif_result *r)
{
        if (!isfinite(r->saving_ratio) && r->steps > 0)
                return WHATIF_NOT_METERED;
        if (!r->metered[ENERGY_FANS] || (!r->metered[ENERGY_CHILLERS] && r->moved[U_CHWST].n > 0))
                return WHATIF_NOT_METERED;
        if ((double)r->steps * s->l->step_s < LEAST_S)
                return WHATIF_SHORT;
        if ((double)r->fitted < FITTED_LEAST * (double)r->outputs)
                return WHATIF_NOT_FITTED;
        if (unknown_kind(r) >= 0)
                return WHATIF_NO_RANGE;
        if (worst_kind(r) >= 0)
                return WHATIF_NO_EXCITATION;
        if (r->slow_steps == 0 || !isfinite(r->half_width_ratio))
                return WHATIF_NOT_JUDGED;
        return r->outside_ratio <= OUTSIDE_MOST ? WHATIF_TOLD : WHATIF_OUTSIDE;
}

static void sum_settings(const struct whatif_sums *s, struct whatif_moved *moved)
{
        const struct layout *l = s->l;

        for (size_t j = 0; j < l->nu; j++) {
                struct whatif_moved *k = &moved[l->u[j].kind];
                const double n = (double)s->known_u[j], distance = s->distance_u[j] / n;

                if (s->known_u[j] == 0)
                        continue;
                if (k->n++ == 0)
                        k->inside_ratio = 1;
                k->log_low += s->low_u[j];
                k->log_high += s->high_u[j];
                k->mean_change += s->change_u[j] / n;
                k->distance += distance;
                if (distance > calm_same((enum u_kind)l->u[j].kind))
                        k->inside_ratio = fmin(k->inside_ratio, (double)s->inside_u[j] / n);
        }
        for (size_t k = 0; k < WHATIF_KINDS; k++)
                if (moved[k].n > 0) {
                        moved[k].log_low /= (double)moved[k].n;
                        moved[k].log_high /= (double)moved[k].n;
                        moved[k].mean_change /= (double)moved[k].n;
                        moved[k].distance /= (double)moved[k].n;
                }
}

/* How far we are from the log, each way: as far as steps are in the mean square, whatever their sum. */
static double reach(double sum, double sq, size_t n)
{
        return copysign(sqrt(sq / (double)n), sum);
}

static double transfer(const struct whatif_sums *s)
{
        const struct energy_sample *sum = &s->shift, *sq = &s->shift_sq;
        const size_t n = s->r.steps;
        double ratio;

        if (n == 0)
                return (double)NAN;
        const struct energy_sample shift = {.fan_ratio_cubed = reach(sum->fan_ratio_cubed, sq->fan_ratio_cubed, n),
                                            .heat_w = reach(sum->heat_w, sq->heat_w, n),
                                            .chwst_c = reach(sum->chwst_c, sq->chwst_c, n),
                                            .cwst_c = reach(sum->cwst_c, sq->cwst_c, n),
                                            .wetbulb_c = (double)NAN,
                                            .chillers_on = reach(sum->chillers_on, sq->chillers_on, n),
                                            .valve_mean_ratio = reach(sum->valve_mean_ratio, sq->valve_mean_ratio, n)};

        return transfer_error(s->energy, &shift, &ratio) == 0 ? ratio : (double)NAN;
}

static double half_width(const struct whatif_result *r)
{
        double sq = 0;

        for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                sq += (r->member_ratio[m] - r->saving_ratio) * (r->member_ratio[m] - r->saving_ratio);
        const double open = MEMBERS_T * sqrt(sq / (ENERGY_MEMBERS - 1)), errs = r->transfer_ratio,
                     decided = DECIDED * r->saving_ratio;

        return sqrt(open * open + errs * errs + decided * decided);
}

/* The doubly robust saving: what was measured, less ours as modelled and corrected. */
static void correct(const struct whatif_sums *s, struct whatif_result *r)
{
        const double hours = (double)s->r.steps * s->l->step_s / 3600;
        double had_wh = 0, has_wh = 0;
        struct transfer_correction c;

        r->robust_ratio = r->support_ratio = (double)NAN;
        if (s->nslow == 0 || transfer_correct(s->energy, s->slow, s->nslow, &c) < 0)
                return;
        r->support_ratio = 1;
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                if (!r->metered[p])
                        continue;
                if (!isfinite(c.support[p])) { /* the model never had this meter */
                        r->support_ratio = 0;
                        return;
                }
                had_wh += r->measured_wh[p];
                has_wh += r->ours_wh[p] + c.power_w[p] * hours;
                r->support_ratio = fmin(r->support_ratio, c.support[p]);
        }
        r->robust_ratio = had_wh > 0 ? 1 - has_wh / had_wh : (double)NAN;
}

void whatif_sums_result(const struct whatif_sums *s, struct whatif_result *ret)
{
        int kind;

        *ret = s->r;
        ret->outputs = s->l->ny;
        ret->rise_k = s->it_w > 0 ? s->rise_w / s->it_w : (double)NAN;
        for (size_t i = 0; i < s->l->ny; i++) {
                struct arx_row_info info;

                arx_row_info(s->arx, i, &info);
                ret->fitted += info.fitted;
        }
        ret->saving_ratio = 0;
        for (size_t m = 0; m < ENERGY_MEMBERS; m++) {
                ret->member_ratio[m] = s->measured_w > 0 ? s->member_w[m] / s->measured_w : (double)NAN;
                ret->saving_ratio += ret->member_ratio[m] / ENERGY_MEMBERS;
        }
        qsort(ret->member_ratio, ENERGY_MEMBERS, sizeof *ret->member_ratio, ascending);
        ret->transfer_ratio = transfer(s);
        correct(s, ret);
        ret->half_width_ratio = half_width(ret);
        ret->outside_ratio = s->r.slow_steps > 0 ? (double)s->outside / (double)s->r.slow_steps : (double)NAN;
        sum_settings(s, ret->moved);
        kind = unknown_kind(ret);
        if (kind < 0)
                kind = worst_kind(ret);
        ret->kind = kind >= 0 ? (enum u_kind)kind : U_SAT;
        ret->refusal = refusal(s, ret);
}
