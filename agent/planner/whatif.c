/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/whatif.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/planner/inlet_bend.h"
#include "agent/planner/plant.h"
#include "agent/planner/transfer.h"
#include "models/plan/plan.h"

#define WATER_S 300.0        /* time constant of a loop behind its setpoint */
#define SATURATED_K 0.5      /* condenser water this far above its setpoint is as cold as the tower can make it */
#define APPROACH_QUANTILE 20 /* one in so many steps comes closer to the wet bulb */
#define APPROACH_K 4.0       /* of a tower whose log does not show what it can: no nearer */
#define FLOW_LEAST 0.25      /* return air: air flow of the log over ours, at least and (inverse) at most */
#define VALVE_SHUT 0.05
#define VALVE_WIDE 0.98
#define BEND_S 120.0 /* of a room's air */
#define COIL_S 600.0 /* time constant of what is known of a coil */
#define POWER_STALE_STEPS 4
#define MEMBERS_T 2.365 /* Student's t of the members' seven degrees of freedom, 95 % */
#define TRANSFER_T 2.0
#define DECIDED 0.12
#define LEAST_S 86400.0
#define OUTSIDE_MOST 0.2
#define FITTED_LEAST 0.9
/* A setpoint within this is an operator's "the same". */
static const double same[WHATIF_KINDS] = {
    [U_SAT] = 0.5, [U_FAN] = 0.05, [U_CHWST] = 0.5, [U_CWST] = 0.5, [U_CHILLER] = 0.1};
#define RARE 0.05        /* of the log: what lies beyond these quantiles was hardly tried */
#define INSIDE_LEAST 0.8 /* of the steps */

#define ABOVE_MOST 2.0 /* power over the model's, and inverse */
#define LITTLE 0.1     /* of a part's new power: machines that drew less stood, and their share of it is unknown */

/* What a point is to us. */
struct use {
        enum { USE_NONE, USE_U, USE_Y, USE_D, USE_POWER, USE_CHILLER_STATUS } kind;
        size_t index; /* of the variable, or the power's part */
};

struct whatif {
        struct whatif_args a;
        const struct layout *l;
        const struct arx *arx;
        const struct energy *energy;
        size_t lags, n;
        struct use *use;                /* [npoint] */
        double *log_y, *log_u, *log_d;  /* the log, gaps within a segment filled; [n × n_] */
        double *y, *u, *d;              /* ours */
        double *in_log, *in_ours;       /* [lags × nu] settings as the model takes them */
        double *work, *pred_log, *pred; /* …, [ny] */
        bool *ours;                     /* [nu] set by us since the last break */
        double *set;                    /* [nu] */
        struct inlet_bend *bend;
        double *bend_k;      /* [ny] of inlets: what it adds to y now */
        double *coil;        /* [ny] of valves: opening over the coil formula's; 0 = not yet */
        double approach_k;   /* the least of the log; NaN: unknown */
        size_t row, segment; /* the present one; first of its segment */
        bool any;
        struct {
                double factor, more_w; /* what a meter of the part shows: the log's × factor + more_w */
        } shows[ENERGY_PARTS];
        struct meters meters;
        struct plant_mean mean;
        size_t nmeter[ENERGY_PARTS];
        struct whatif_result r;
        struct energy_sample *slow; /* [nslow] ours, means over slow steps */
        size_t nslow, slow_max;
        size_t outside;
        double member_w[ENERGY_MEMBERS];      /* sums over steps: the log's minus ours */
        struct energy_sample shift, shift_sq; /* … of the state, ours minus the log's, and squared */
        double measured_w;
        double *low_u, *high_u;        /* [nu] quantiles of the log */
        double *change_u, *distance_u; /* [nu] sums over closed steps */
        size_t *inside_u, *known_u;    /* [nu] steps between the quantiles, and of the sums */
};

static void meters_as_logged(struct whatif *w)
{
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                w->shows[p].factor = 1;
                w->shows[p].more_w = 0;
        }
}

/* Our power, by as much above the model as the log's is, over the part's meters: each as it drew; all alike where
 * hardly any did. */
static void meters_show(struct whatif *w, enum energy_part p, double measured_w, double log_w, double model_w)
{
        const double above = log_w > 0 ? fmin(fmax(measured_w / log_w, 1 / ABOVE_MOST), ABOVE_MOST) : 1,
                     ours_w = model_w * above;
        const bool same_as_logged = model_w == log_w, drew = measured_w > LITTLE * ours_w;

        w->shows[p].factor = same_as_logged ? 1 : drew ? ours_w / measured_w : 0;
        w->shows[p].more_w = same_as_logged || drew ? 0 : ours_w / (double)w->nmeter[p];
}

/* --- set-up ------------------------------------------------------------------------------------------------------- */

static void find_uses(struct whatif *w)
{
        const struct layout *l = w->l;

        for (size_t i = 0; i < l->site->npoint; i++) {
                const struct point *p = &l->site->point[i];
                const int part = plant_power_part(p->role);

                if (part >= 0) {
                        w->use[i] = (struct use){USE_POWER, (size_t)part};
                        w->nmeter[part]++;
                } else if (p->role == ROLE_CHILLER_STATUS && layout_find_u(l, U_CHILLER, p->equipment) >= 0)
                        w->use[i] = (struct use){USE_CHILLER_STATUS, (size_t)layout_find_u(l, U_CHILLER, p->equipment)};
        }
        for (size_t j = 0; j < l->nd; j++)
                if (l->d[j].point >= 0)
                        w->use[l->d[j].point] = (struct use){USE_D, j};
        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].point >= 0)
                        w->use[l->y[i].point] = (struct use){USE_Y, i};
        for (size_t j = 0; j < l->nu; j++)
                if (l->u[j].point >= 0)
                        w->use[l->u[j].point] = (struct use){USE_U, j};
}

/* Gaps within a segment stand at the value before them. */
static double *filled(const struct dataset *ds, const double *v, size_t width)
{
        double *to = malloc((ds->n * width + 1) * sizeof *to);

        for (size_t k = 0; to && k < ds->n; k++)
                for (size_t i = 0; i < width; i++) {
                        const double here = v[k * width + i];
                        const bool known = isfinite(here) || k == 0 || ds->segment_start[k];

                        to[k * width + i] = known ? here : to[(k - 1) * width + i];
                }
        return to;
}

static double *copy(const double *v, size_t n)
{
        double *to = malloc((n + 1) * sizeof *to);

        if (to && n > 0)
                memcpy(to, v, n * sizeof *to);
        return to;
}

/* Mean of the variables of a kind in one row; NaN where there is none or one is not known. */
static double mean_of(const struct layout_var *var, const double *v, size_t n, int kind)
{
        double sum = 0;
        size_t count = 0;

        for (size_t j = 0; j < n; j++)
                if (var[j].kind == kind) {
                        sum += v[j];
                        count++;
                }
        return count > 0 ? sum / (double)count : (double)NAN;
}

static int ascending(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* How near the tower has come to the wet bulb. */
static int find_approach(struct whatif *w)
{
        const struct layout *l = w->l;
        double *k = malloc((w->n + 1) * sizeof *k);
        size_t n = 0;

        if (!k)
                return -ENOMEM;
        for (size_t row = 0; row < w->n; row++) {
                const double *d = w->log_d + row * l->nd;
                const double approach = mean_of(l->d, d, l->nd, D_CW_TEMP) - mean_of(l->d, d, l->nd, D_WETBULB);

                if (isfinite(approach))
                        k[n++] = approach;
        }
        qsort(k, n, sizeof *k, ascending);
        w->approach_k = n > 0 ? fmin(k[n / APPROACH_QUANTILE], APPROACH_K) : (double)NAN;
        free(k);
        return 0;
}

/* Where the log kept each setpoint nine tenths of the time that the energy model remembers. */
static int find_ranges(struct whatif *w)
{
        const size_t nu = w->l->nu;
        double *v = malloc((w->n + 1) * sizeof *v);
        size_t first = 0;

        if (!v)
                return -ENOMEM;
        while (first < w->n &&
               w->a.log->t_ms[w->n - 1] - w->a.log->t_ms[first] > (int64_t)ENERGY_SAMPLES * w->l->site->slow_step_ms)
                first++;
        for (size_t j = 0; j < nu; j++) {
                size_t n = 0;

                for (size_t row = first; row < w->n; row++)
                        if (isfinite(w->log_u[row * nu + j]))
                                v[n++] = w->log_u[row * nu + j];
                qsort(v, n, sizeof *v, ascending);
                w->low_u[j] = n > 0 ? v[(size_t)(RARE * (double)(n - 1))] : (double)NAN;
                w->high_u[j] = n > 0 ? v[(size_t)((1 - RARE) * (double)(n - 1))] : (double)NAN;
        }
        free(v);
        return 0;
}

static int allocate(struct whatif *w)
{
        const struct layout *l = w->l;
        const struct dataset *ds = w->a.log;

        w->coil = calloc(l->ny + 1, sizeof(double));
        w->bend_k = calloc(l->ny + 1, sizeof(double));
        w->slow_max = (size_t)((double)ds->n * l->step_s * 1000 / (double)l->site->slow_step_ms) + 2;
        w->slow = calloc(w->slow_max, sizeof *w->slow);
        w->use = calloc(l->site->npoint + 1, sizeof *w->use);
        w->log_y = filled(ds, ds->y, l->ny);
        w->log_u = filled(ds, ds->u, l->nu);
        w->log_d = filled(ds, ds->d, l->nd);
        if (!w->coil || !w->bend_k || !w->slow || !w->use || !w->log_y || !w->log_u || !w->log_d)
                return -ENOMEM;
        w->y = copy(w->log_y, ds->n * l->ny);
        w->u = copy(w->log_u, ds->n * l->nu);
        w->d = copy(w->log_d, ds->n * l->nd);
        w->in_log = calloc(w->lags * l->nu + 1, sizeof(double));
        w->in_ours = calloc(w->lags * l->nu + 1, sizeof(double));
        w->work = calloc(arx_predict_work(w->arx, 1) + 1, sizeof(double));
        w->pred_log = calloc(l->ny + 1, sizeof(double));
        w->pred = calloc(l->ny + 1, sizeof(double));
        w->ours = calloc(l->nu + 1, sizeof *w->ours);
        w->set = calloc(l->nu + 1, sizeof(double));
        w->low_u = calloc(l->nu + 1, sizeof(double));
        w->high_u = calloc(l->nu + 1, sizeof(double));
        w->change_u = calloc(l->nu + 1, sizeof(double));
        w->distance_u = calloc(l->nu + 1, sizeof(double));
        w->inside_u = calloc(l->nu + 1, sizeof *w->inside_u);
        w->known_u = calloc(l->nu + 1, sizeof *w->known_u);
        if (!w->y || !w->u || !w->d || !w->in_log || !w->in_ours || !w->work || !w->pred_log || !w->pred || !w->ours ||
            !w->set || !w->low_u || !w->high_u || !w->change_u || !w->distance_u || !w->inside_u || !w->known_u)
                return -ENOMEM;
        return 0;
}

int whatif_create(const struct whatif_args *a, struct whatif **ret)
{
        const struct layout *l = a->layout;
        struct whatif *w;
        int r;

        if (!a->model->energy || !a->model->model || a->log->ny != l->ny || a->log->nu != l->nu || a->log->nd != l->nd)
                return -EINVAL;
        const struct arx_structure *st = arx_structure(a->model->model->arx);
        if (st->ny != l->ny || st->nu != l->nu || st->nd != l->nd)
                return -EINVAL;
        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        *w = (struct whatif){.a = *a,
                             .l = l,
                             .arx = a->model->model->arx,
                             .energy = a->model->energy,
                             .lags = st->lag_max,
                             .n = a->log->n,
                             .r = {.hottest_log_c = (double)NAN, .hottest_ours_c = (double)NAN}};
        meters_as_logged(w);
        plant_mean_init(&w->mean, l->site);
        r = allocate(w);
        if (r == 0)
                r = meters_create(l->site, &w->meters);
        if (r == 0)
                r = find_approach(w);
        if (r == 0)
                r = find_ranges(w);
        if (r == 0)
                r = inlet_bend_create(l, w->arx, a->log, w->log_y, w->log_u, w->log_d, &w->bend);
        if (r < 0) {
                whatif_free(w);
                return r;
        }
        find_uses(w);
        *ret = w;
        return 0;
}

struct whatif *whatif_free(struct whatif *w)
{
        if (w) {
                inlet_bend_free(w->bend);
                free(w->bend_k);
                free(w->coil);
                free(w->slow);
                free(w->use);
                free(w->log_y);
                free(w->log_u);
                free(w->log_d);
                free(w->y);
                free(w->u);
                free(w->d);
                free(w->in_log);
                free(w->in_ours);
                free(w->work);
                free(w->pred_log);
                free(w->pred);
                free(w->ours);
                free(w->set);
                free(w->low_u);
                free(w->high_u);
                free(w->change_u);
                free(w->distance_u);
                free(w->inside_u);
                free(w->known_u);
                meters_destroy(&w->meters);
                free(w);
        }
        return NULL;
}

/* --- one step ----------------------------------------------------------------------------------------------------- */

void whatif_set(struct whatif *w, size_t point, double value)
{
        if (point < w->l->site->npoint && w->use[point].kind == USE_U && isfinite(value)) {
                w->set[w->use[point].index] = value;
                w->ours[w->use[point].index] = true;
        }
}

static void settings(struct whatif *w, size_t row)
{
        const size_t nu = w->l->nu;

        for (size_t j = 0; j < nu; j++)
                w->u[row * nu + j] = w->ours[j] ? w->set[j] : w->log_u[row * nu + j];
}

/* Air flow of the log over ours, as the air handler's fan command goes; bounded. */
static double flow_ratio(const struct whatif *w, size_t row, int equipment)
{
        const struct layout *l = w->l;
        const int j = layout_find_u(l, U_FAN, equipment);
        double ratio;

        if (j < 0)
                return 1;
        ratio = w->log_u[row * l->nu + (size_t)j] / w->u[row * l->nu + (size_t)j];
        return isfinite(ratio) ? fmin(fmax(ratio, FLOW_LEAST), 1 / FLOW_LEAST) : 1;
}

/* Water behind its setpoint: the difference that is there goes toward the one that is set. */
static double water(const struct whatif *w, size_t row, size_t j, double set_k)
{
        const size_t at = row * w->l->nd + j, before = at - w->l->nd;
        const double before_k = row > w->segment ? w->d[before] - w->log_d[before] : 0,
                     had_k = isfinite(before_k) ? before_k : 0; /* before the first reading of a segment */

        return had_k + (set_k - had_k) * (1 - exp(-w->l->step_s / WATER_S));
}

/* Condenser water that our setpoint leads to, less the log's: no colder than the tower can. */
static double tower_k(const struct whatif *w, size_t row, double cw_c)
{
        const struct layout *l = w->l;
        const double set_log = mean_of(l->u, w->log_u + row * l->nu, l->nu, U_CWST),
                     set = mean_of(l->u, w->u + row * l->nu, l->nu, U_CWST),
                     wetbulb_c = mean_of(l->d, w->log_d + row * l->nd, l->nd, D_WETBULB);
        const double nearest_c = wetbulb_c + w->approach_k; /* NaN: nobody knows what the tower can */
        const double least = cw_c > set_log + SATURATED_K ? cw_c
                             : isfinite(nearest_c)        ? fmin(nearest_c, cw_c)
                                                          : nearest_c;
        double k;

        if (!isfinite(set) || !isfinite(set_log))
                return 0;
        k = set - set_log;
        if (cw_c > set_log + SATURATED_K) /* a warmer setpoint is felt from where the water is */
                k = fmax(set - cw_c, 0);
        return isfinite(least) ? fmax(k, least - cw_c) : k;
}

static void disturbances(struct whatif *w, size_t row)
{
        const struct layout *l = w->l;
        const double *log_d = w->log_d + row * l->nd;
        double *d = w->d + row * l->nd;
        const double chw_k =
            mean_of(l->u, w->u + row * l->nu, l->nu, U_CHWST) - mean_of(l->u, w->log_u + row * l->nu, l->nu, U_CHWST);

        for (size_t j = 0; j < l->nd; j++) {
                const int e = l->d[j].equipment, sat = e >= 0 ? layout_find_y(l, Y_SAT, e) : -1;

                d[j] = log_d[j];
                if (l->d[j].kind == D_CHW_TEMP && isfinite(chw_k))
                        d[j] += water(w, row, j, chw_k);
                else if (l->d[j].kind == D_CW_TEMP)
                        d[j] += water(w, row, j, tower_k(w, row, log_d[j]));
                else if (l->d[j].kind == D_RAT && sat >= 0 && row > w->segment) {
                        const size_t at = (row - 1) * l->ny + (size_t)sat;
                        const double more_k = (log_d[j] - w->log_y[at]) * (flow_ratio(w, row, e) - 1);

                        if (isfinite(more_k) && isfinite(w->y[at]))
                                d[j] += w->y[at] - w->log_y[at] + more_k;
                }
        }
}

/* One step of the model from the rows before `row`, with the settings in force in it. */
static void predict(struct whatif *w, size_t row, const double *y, const double *u, const double *d, double *in,
                    double *ret)
{
        const struct layout *l = w->l;
        const size_t first = row - w->lags;

        model_inputs(l, w->lags, u + (first + 1) * l->nu, in);
        const struct arx_window win = {.n = w->lags, .y = y + first * l->ny, .u = in, .d = d + (first + 1) * l->nd};
        arx_predict(w->arx, &win, 1, in + (w->lags - 1) * l->nu, d + row * l->nd, NULL, w->work, ret);
}

/* What the coil formula makes of a valve's surroundings in a row; NaN: something is not known. */
static double opening(const struct whatif *w, size_t row, int equipment, const double *y, const double *u,
                      const double *d)
{
        const struct layout *l = w->l;
        const int sat = layout_find_y(l, Y_SAT, equipment), rat = layout_find_d(l, D_RAT, equipment),
                  fan = layout_find_u(l, U_FAN, equipment);
        const double chw_c = mean_of(l->d, d + row * l->nd, l->nd, D_CHW_TEMP);

        if (sat < 0 || rat < 0 || fan < 0)
                return (double)NAN;
        const double sat_c = y[row * l->ny + (size_t)sat], rat_c = d[row * l->nd + (size_t)rat];

        return isfinite(rat_c + sat_c + chw_c)
                   ? plan_coil_opening(rat_c - sat_c, sat_c - chw_c, u[row * l->nu + (size_t)fan])
                   : (double)NAN;
}

/* Valves follow the balance of their coils, which no linear row knows. Where the log's is wide open it does not say
 * what was asked for: what it last said about the coil does. Without the coil's temperatures the row it has. */
static void valves(struct whatif *w, size_t row)
{
        const struct layout *l = w->l;

        for (size_t i = 0; i < l->ny; i++) {
                const size_t at = row * l->ny + i;
                const double log = w->log_y[at];

                if (l->y[i].kind != Y_VALVE || l->y[i].equipment < 0)
                        continue;
                const double was = opening(w, row, l->y[i].equipment, w->log_y, w->log_u, w->log_d),
                             is = opening(w, row, l->y[i].equipment, w->y, w->u, w->d);

                if (!(was > 0 && is > 0 && isfinite(log)))
                        continue;
                if (log > VALVE_SHUT && log < VALVE_WIDE)
                        w->coil[i] += (log / was - w->coil[i]) * (w->coil[i] > 0 ? 1 - exp(-w->l->step_s / COIL_S) : 1);
                if (is == was)
                        w->y[at] = log;
                else
                        w->y[at] = fmin((log < VALVE_WIDE ? log / was : fmax(w->coil[i], log / was)) * is, 1);
        }
}

static void outputs(struct whatif *w, size_t row)
{
        const struct layout *l = w->l;
        const size_t ny = l->ny;
        const bool whole = row >= w->segment + w->lags;

        if (whole) {
                predict(w, row, w->log_y, w->log_u, w->log_d, w->in_log, w->pred_log);
                predict(w, row, w->y, w->u, w->d, w->in_ours, w->pred);
        }
        for (size_t i = 0; i < ny; i++) {
                const size_t at = row * ny + i;
                double k = row > w->segment ? w->y[at - ny] - w->log_y[at - ny] : 0;

                if (whole && isfinite(w->pred[i] - w->pred_log[i]))
                        k = w->pred[i] - w->pred_log[i];
                w->y[at] = w->log_y[at];
                if (isfinite(k) && k != 0)
                        w->y[at] = l->y[i].kind == Y_VALVE ? fmin(fmax(w->log_y[at] + k, 0), 1) : w->log_y[at] + k;
        }
        valves(w, row);
        for (size_t i = 0; i < ny; i++) {
                const double toward_k =
                    l->y[i].kind == Y_INLET ? inlet_bend_k(w->bend, i, w->u + row * l->nu, w->log_u + row * l->nu) : 0;

                w->bend_k[i] += (toward_k - w->bend_k[i]) * (1 - exp(-l->step_s / BEND_S));
        }
}

/* --- power -------------------------------------------------------------------------------------------------------- */

/* What the row's settings, temperatures and machines draw by each member's word. Our fans warm the water that the
 * chillers cool, too. measured_w: of the log. */
static bool model_powers(struct whatif *w, size_t row, double measured_w[ENERGY_PARTS],
                         double log_w[ENERGY_MEMBERS][ENERGY_PARTS], double ours_w[ENERGY_MEMBERS][ENERGY_PARTS],
                         struct energy_sample *ret_log, struct energy_sample *ret_ours)
{
        const struct layout *l = w->l;
        const double *u = w->u + row * l->nu, *log_u = w->log_u + row * l->nu;
        const int64_t step_ms = llround(l->step_s * 1000);
        struct energy_sample log, ours;
        double chillers_on, fans_w = 0;

        meters_sum(&w->meters, w->a.log->t_ms[row] + step_ms, POWER_STALE_STEPS * step_ms, measured_w, &chillers_on);
        log = plant_sample(l, w->log_y + row * l->ny, log_u, w->log_d + row * l->nd, measured_w, chillers_on);
        ours = plant_sample(l, w->y + row * l->ny, u, w->d + row * l->nd, measured_w, chillers_on);
        for (size_t j = 0; j < l->nu && isfinite(chillers_on); j++)
                if (l->u[j].kind == U_CHILLER)
                        ours.chillers_on += (u[j] > 0.5) - (log_u[j] > 0.5);
        if (!energy_members(w->energy, &log, log_w) || !energy_members(w->energy, &ours, ours_w))
                return false;
        for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                fans_w += (ours_w[m][ENERGY_FANS] - log_w[m][ENERGY_FANS]) / ENERGY_MEMBERS;
        ours.heat_w += isfinite(fans_w) ? fans_w : 0;
        *ret_log = log;
        *ret_ours = ours;
        return energy_members(w->energy, &ours, ours_w);
}

static bool inside(const struct whatif *w, size_t j, double v)
{
        const double same_as = same[w->l->u[j].kind];

        return v >= w->low_u[j] - same_as && v <= w->high_u[j] + same_as;
}

static void note_settings(struct whatif *w, size_t row)
{
        const size_t nu = w->l->nu;

        for (size_t j = 0; j < nu; j++) {
                const double change = w->u[row * nu + j] - w->log_u[row * nu + j];

                if (!isfinite(change))
                        continue;
                w->known_u[j]++;
                w->inside_u[j] += inside(w, j, w->u[row * nu + j]);
                w->change_u[j] += change;
                w->distance_u[j] += fabs(change);
        }
}

static void note_temperatures(struct whatif *w, size_t row)
{
        const struct layout *l = w->l;

        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET) {
                        w->r.hottest_log_c = fmax(w->r.hottest_log_c, w->log_y[row * l->ny + i]);
                        w->r.hottest_ours_c = fmax(w->r.hottest_ours_c, w->y[row * l->ny + i] + w->bend_k[i]);
                }
}

/* All parts that have a meter are known, by it and by the model: else a part's silence would look like a saving. */
static bool usable(const struct whatif *w, const double measured_w[ENERGY_PARTS], const double log_w[ENERGY_PARTS],
                   const double ours_w[ENERGY_PARTS])
{
        bool any = false;

        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                if (w->nmeter[p] > 0 && !isfinite(measured_w[p] + log_w[p] + ours_w[p]))
                        return false;
                any |= w->nmeter[p] > 0;
        }
        return any;
}

static void add_change(double *sum, double *sq, double log, double ours)
{
        const double change = isfinite(ours - log) ? ours - log : 0;

        *sum += change;
        *sq += change * change;
}

static void note_shift(struct whatif *w, const struct energy_sample *log, const struct energy_sample *ours)
{
        add_change(&w->shift.fan_ratio_cubed, &w->shift_sq.fan_ratio_cubed, log->fan_ratio_cubed,
                   ours->fan_ratio_cubed);
        add_change(&w->shift.heat_w, &w->shift_sq.heat_w, log->heat_w, ours->heat_w);
        add_change(&w->shift.chwst_c, &w->shift_sq.chwst_c, log->chwst_c, ours->chwst_c);
        add_change(&w->shift.cwst_c, &w->shift_sq.cwst_c, log->cwst_c, ours->cwst_c);
        add_change(&w->shift.chillers_on, &w->shift_sq.chillers_on, log->chillers_on, ours->chillers_on);
        add_change(&w->shift.valve_mean_ratio, &w->shift_sq.valve_mean_ratio, log->valve_mean_ratio,
                   ours->valve_mean_ratio);
}

/* The sums of a step that is over; metered parts only. */
static void account(struct whatif *w, size_t row)
{
        const double hours = w->l->step_s / 3600;
        double measured_w[ENERGY_PARTS], log_w[ENERGY_MEMBERS][ENERGY_PARTS], ours_w[ENERGY_MEMBERS][ENERGY_PARTS];
        struct energy_sample log, ours, done;
        struct energy_estimate e;

        note_settings(w, row);
        note_temperatures(w, row);
        if (!model_powers(w, row, measured_w, log_w, ours_w, &log, &ours) ||
            !usable(w, measured_w, log_w[0], ours_w[0])) {
                w->r.unknown++;
                return;
        }
        w->r.steps++;
        note_shift(w, &log, &ours);
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                double log_mean_w = 0, ours_mean_w = 0;

                if (w->nmeter[p] == 0)
                        continue;
                w->measured_w += measured_w[p];
                for (size_t m = 0; m < ENERGY_MEMBERS; m++) {
                        w->member_w[m] += log_w[m][p] - ours_w[m][p];
                        log_mean_w += log_w[m][p] / ENERGY_MEMBERS;
                        ours_mean_w += ours_w[m][p] / ENERGY_MEMBERS;
                }
                w->r.measured_wh[p] += measured_w[p] * hours;
                w->r.log_wh[p] += log_mean_w * hours;
                w->r.ours_wh[p] += ours_mean_w * hours;
                meters_show(w, (enum energy_part)p, measured_w[p], log_mean_w, ours_mean_w);
        }
        if (plant_mean_add(&w->mean, w->a.log->t_ms[row] + llround(w->l->step_s * 1000), w->l->site->slow_step_ms,
                           row > w->segment, &ours, &done) &&
            energy_predict(w->energy, &done, &e)) {
                w->r.slow_steps++;
                if (w->nslow < w->slow_max)
                        w->slow[w->nslow++] = done;
                w->outside += !(e.distance <= 1);
        }
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static bool closed(const struct whatif *w, size_t row)
{
        return w->a.log->t_ms[row] >= w->a.closes_ms;
}

void whatif_step(struct whatif *w, int64_t t_ms)
{
        const struct dataset *ds = w->a.log;
        size_t row = w->row;

        if (w->any && closed(w, w->row))
                account(w, w->row);
        while (row < w->n && ds->t_ms[row] < t_ms)
                row++;
        const bool there = row < w->n && ds->t_ms[row] == t_ms;
        if (!there || ds->segment_start[row] || !w->any || row != w->row + 1) {
                w->r.breaks += w->any && closed(w, w->row) && row < w->n;
                w->segment = row;
                memset(w->ours, 0, w->l->nu * sizeof *w->ours);
                memset(w->bend_k, 0, w->l->ny * sizeof *w->bend_k);
                meters_as_logged(w);
        }
        w->row = row;
        w->any = there;
        if (!there)
                return;
        if (!closed(w, row)) /* what was decided before counted for nothing */
                memset(w->ours, 0, w->l->nu * sizeof *w->ours);
        settings(w, row);
        disturbances(w, row);
        outputs(w, row);
}

void whatif_sample(struct whatif *w, struct sample *s)
{
        const struct layout *l = w->l;
        const struct use *use = &w->use[s->point];
        double k;

        meters_push(&w->meters, s);
        if (!w->any || !closed(w, w->row) || s->quality == QUALITY_BAD)
                return;
        switch (use->kind) {
        case USE_U:
                if (w->ours[use->index])
                        s->value = w->set[use->index];
                break;
        case USE_CHILLER_STATUS: /* a machine that was ordered to stand, or not to, says so; else it says what it said
                                  */
                if (w->ours[use->index] && (w->set[use->index] > 0.5) != (w->log_u[w->row * l->nu + use->index] > 0.5))
                        s->value = w->set[use->index];
                break;
        case USE_Y:
                k = w->y[w->row * l->ny + use->index] - w->log_y[w->row * l->ny + use->index] + w->bend_k[use->index];
                if (isfinite(k) && k != 0)
                        s->value = l->y[use->index].kind == Y_VALVE ? fmin(fmax(s->value + k, 0), 1) : s->value + k;
                break;
        case USE_D:
                k = w->d[w->row * l->nd + use->index] - w->log_d[w->row * l->nd + use->index];
                s->value += isfinite(k) ? k : 0;
                break;
        case USE_POWER:
                s->value = s->value * w->shows[use->index].factor + w->shows[use->index].more_w;
                break;
        case USE_NONE:
                break;
        }
        s->raw = (double)NAN;
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

static enum whatif_refusal refusal(const struct whatif *w, const struct whatif_result *r)
{
        if (!isfinite(r->saving_ratio) && r->steps > 0)
                return WHATIF_NOT_METERED;
        if (!r->metered[ENERGY_FANS] || (!r->metered[ENERGY_CHILLERS] && r->moved[U_CHWST].n > 0))
                return WHATIF_NOT_METERED;
        if ((double)r->steps * w->l->step_s < LEAST_S)
                return WHATIF_SHORT;
        if ((double)r->fitted < FITTED_LEAST * (double)r->outputs)
                return WHATIF_NOT_FITTED;
        if (worst_kind(r) >= 0)
                return WHATIF_NO_EXCITATION;
        if (r->slow_steps == 0 || !isfinite(r->half_width_ratio))
                return WHATIF_NOT_JUDGED;
        return r->outside_ratio <= OUTSIDE_MOST ? WHATIF_TOLD : WHATIF_OUTSIDE;
}

static void sum_settings(const struct whatif *w, struct whatif_moved *moved)
{
        const struct layout *l = w->l;

        for (size_t j = 0; j < l->nu; j++) {
                struct whatif_moved *k = &moved[l->u[j].kind];
                const double n = (double)w->known_u[j], distance = w->distance_u[j] / n;

                if (w->known_u[j] == 0)
                        continue;
                if (k->n++ == 0)
                        k->inside_ratio = 1;
                k->log_low += w->low_u[j];
                k->log_high += w->high_u[j];
                k->mean_change += w->change_u[j] / n;
                k->distance += distance;
                if (distance > same[l->u[j].kind])
                        k->inside_ratio = fmin(k->inside_ratio, (double)w->inside_u[j] / n);
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

static double transfer(const struct whatif *w)
{
        const struct energy_sample *s = &w->shift, *sq = &w->shift_sq;
        const size_t n = w->r.steps;
        double ratio;

        if (n == 0)
                return (double)NAN;
        const struct energy_sample shift = {.fan_ratio_cubed = reach(s->fan_ratio_cubed, sq->fan_ratio_cubed, n),
                                            .heat_w = reach(s->heat_w, sq->heat_w, n),
                                            .chwst_c = reach(s->chwst_c, sq->chwst_c, n),
                                            .cwst_c = reach(s->cwst_c, sq->cwst_c, n),
                                            .wetbulb_c = (double)NAN,
                                            .chillers_on = reach(s->chillers_on, sq->chillers_on, n),
                                            .valve_mean_ratio = reach(s->valve_mean_ratio, sq->valve_mean_ratio, n)};

        return transfer_error(w->energy, &shift, &ratio) == 0 ? ratio : (double)NAN;
}

static double half_width(const struct whatif_result *r)
{
        double sq = 0;

        for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                sq += (r->member_ratio[m] - r->saving_ratio) * (r->member_ratio[m] - r->saving_ratio);
        const double open = MEMBERS_T * sqrt(sq / (ENERGY_MEMBERS - 1)), errs = TRANSFER_T * r->transfer_ratio,
                     decided = DECIDED * r->saving_ratio;

        return sqrt(open * open + errs * errs + decided * decided);
}

/* The doubly robust saving: what was measured, less ours as modelled and corrected. */
static void correct(const struct whatif *w, struct whatif_result *r)
{
        const double hours = (double)w->r.steps * w->l->step_s / 3600;
        double had_wh = 0, has_wh = 0;
        struct transfer_correction c;

        r->robust_ratio = r->support_ratio = (double)NAN;
        if (w->nslow == 0 || transfer_correct(w->energy, w->slow, w->nslow, &c) < 0)
                return;
        r->support_ratio = 1;
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                if (w->nmeter[p] == 0)
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

void whatif_result(const struct whatif *w, struct whatif_result *ret)
{
        int kind;

        *ret = w->r;
        ret->outputs = w->l->ny;
        for (size_t i = 0; i < w->l->ny; i++) {
                struct arx_row_info info;

                arx_row_info(w->arx, i, &info);
                ret->fitted += info.fitted;
        }
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                ret->metered[p] = w->nmeter[p] > 0;
        ret->saving_ratio = 0;
        for (size_t m = 0; m < ENERGY_MEMBERS; m++) {
                ret->member_ratio[m] = w->measured_w > 0 ? w->member_w[m] / w->measured_w : (double)NAN;
                ret->saving_ratio += ret->member_ratio[m] / ENERGY_MEMBERS;
        }
        qsort(ret->member_ratio, ENERGY_MEMBERS, sizeof *ret->member_ratio, ascending);
        ret->transfer_ratio = transfer(w);
        correct(w, ret);
        ret->half_width_ratio = half_width(ret);
        ret->outside_ratio = w->r.slow_steps > 0 ? (double)w->outside / (double)w->r.slow_steps : (double)NAN;
        sum_settings(w, ret->moved);
        kind = worst_kind(ret);
        ret->kind = kind >= 0 ? (enum u_kind)kind : U_SAT;
        ret->refusal = refusal(w, ret);
}
