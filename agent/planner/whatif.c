/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/whatif.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/planner/calm.h"
#include "agent/planner/inlet_bend.h"
#include "agent/planner/plant.h"
#include "agent/planner/whatif_sums.h"
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
        double *y, *u, *d;              /* ours; y as the model goes on from */
        double *seen;                   /* … and as instruments show it [n × ny] */
        double *in_log, *in_ours;       /* [lags × nu] settings as the model takes them */
        double *work, *pred_log, *pred; /* …, [ny] */
        bool *ours;                     /* [nu] set by us since the last break */
        double *set;                    /* [nu] */
        struct inlet_bend *bend;
        double *bend_k; /* [ny] of inlets: what it adds to what is seen now */
        /* What the operator's steps shake is left out where our settings are others (away: 0 … 1). To be added
         * (calm.h): to outputs [n × ny], to valves' opening over the coil formula's, to the heat of air handlers (K ×
         * fan) [n × nd]. */
        double *calm_y, *calm_heat;
        double away;
        double *coil;        /* [ny] of valves: opening over the coil formula's; 0 = not yet */
        double approach_k;   /* the least of the log; NaN: unknown */
        size_t row, segment; /* the present one; first of its segment */
        bool any;
        struct {
                double factor, more_w; /* what a meter of the part shows: the log's × factor + more_w */
        } shows[ENERGY_PARTS];
        struct meters meters;
        size_t nmeter[ENERGY_PARTS];
        struct whatif_sums *sums;
        size_t breaks;
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
        double *to = calloc(n + 1, sizeof *to);

        for (size_t k = 0; to && k < n; k++)
                to[k] = v[k];
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

static int allocate(struct whatif *w)
{
        const struct layout *l = w->l;
        const struct dataset *ds = w->a.log;

        w->coil = calloc(l->ny + 1, sizeof(double));
        w->bend_k = calloc(l->ny + 1, sizeof(double));
        w->calm_y = calloc(ds->n * l->ny + 1, sizeof(double));
        w->calm_heat = calloc(ds->n * l->nd + 1, sizeof(double));
        w->use = calloc(l->site->npoint + 1, sizeof *w->use);
        w->log_y = filled(ds, ds->y, l->ny);
        w->log_u = filled(ds, ds->u, l->nu);
        w->log_d = filled(ds, ds->d, l->nd);
        if (!w->coil || !w->bend_k || !w->calm_y || !w->calm_heat || !w->use || !w->log_y || !w->log_u || !w->log_d)
                return -ENOMEM;
        w->y = copy(w->log_y, ds->n * l->ny);
        w->seen = copy(w->log_y, ds->n * l->ny);
        w->u = copy(w->log_u, ds->n * l->nu);
        w->d = copy(w->log_d, ds->n * l->nd);
        w->in_log = calloc(w->lags * l->nu + 1, sizeof(double));
        w->in_ours = calloc(w->lags * l->nu + 1, sizeof(double));
        w->work = calloc(arx_predict_work(w->arx, 1) + 1, sizeof(double));
        w->pred_log = calloc(l->ny + 1, sizeof(double));
        w->pred = calloc(l->ny + 1, sizeof(double));
        w->ours = calloc(l->nu + 1, sizeof *w->ours);
        w->set = calloc(l->nu + 1, sizeof(double));
        if (!w->y || !w->seen || !w->u || !w->d || !w->in_log || !w->in_ours || !w->work || !w->pred_log || !w->pred ||
            !w->ours || !w->set)
                return -ENOMEM;
        return 0;
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
        w->away +=
            (calm_differ(w->l, w->u + row * nu, w->log_u + row * nu) - w->away) * (1 - exp(-w->l->step_s / BEND_S));
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
                        const int fan = layout_find_u(l, U_FAN, e);
                        const double ratio = flow_ratio(w, row, e), more_k = (log_d[j] - w->log_y[at]) * (ratio - 1),
                                     calm = w->away * w->calm_heat[row * l->nd + j] * ratio,
                                     calm_k = calm != 0 ? calm / w->log_u[row * l->nu + (size_t)fan] : 0;

                        if (isfinite(more_k + calm_k) && isfinite(w->seen[at]))
                                d[j] += w->seen[at] - w->log_y[at] + more_k + calm_k;
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
                             is = opening(w, row, l->y[i].equipment, w->seen, w->u, w->d);

                if (!(was > 0 && is > 0 && isfinite(log)))
                        continue;
                if (log > VALVE_SHUT && log < VALVE_WIDE)
                        w->coil[i] += (log / was - w->coil[i]) * (w->coil[i] > 0 ? 1 - exp(-w->l->step_s / COIL_S) : 1);
                if (is == was)
                        w->y[at] = log;
                else
                        w->y[at] = fmin(
                            (log < VALVE_WIDE ? log / was + w->away * w->calm_y[at] : fmax(w->coil[i], log / was)) * is,
                            1);
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
        for (size_t i = 0; i < ny; i++) {
                const size_t at = row * ny + i;
                const double toward_k =
                    l->y[i].kind == Y_INLET ? inlet_bend_k(w->bend, i, w->u + row * l->nu, w->log_u + row * l->nu) : 0;

                w->bend_k[i] += (toward_k - w->bend_k[i]) * (1 - exp(-l->step_s / BEND_S));
                w->seen[at] = w->y[at];
                if (l->y[i].kind != Y_VALVE)
                        w->seen[at] += w->bend_k[i] + w->away * w->calm_y[at];
        }
        valves(w, row);
        for (size_t i = 0; i < ny; i++)
                if (l->y[i].kind == Y_VALVE)
                        w->seen[row * ny + i] = w->y[row * ny + i];
}

/* --- create and free --------------------------------------------------------------------------------------------- */

/* What the model's free run from each segment's first rows misses of the outputs; free_y: scratch, begins as the log's.
 */
static void free_run_misses(struct whatif *w, double *free_y, double *ret)
{
        const struct layout *l = w->l;
        size_t segment = 0;

        for (size_t row = 0; row < w->n; row++) {
                segment = w->a.log->segment_start[row] ? row : segment;
                if (row >= segment + w->lags)
                        predict(w, row, free_y, w->log_u, w->log_d, w->in_log, w->pred_log);
                for (size_t i = 0; i < l->ny; i++) {
                        const size_t at = row * l->ny + i;

                        if (l->y[i].kind == Y_VALVE) {
                                ret[at] =
                                    w->log_y[at] / opening(w, row, l->y[i].equipment, w->log_y, w->log_u, w->log_d);
                                continue;
                        }
                        if (row >= segment + w->lags && isfinite(w->pred_log[i]))
                                free_y[at] = w->pred_log[i];
                        ret[at] = w->log_y[at] - free_y[at];
                }
        }
}

/* What air handlers took out of the air: warmth over their flow, K × fan; NaN where it is not known. */
static void heat_taken(const struct whatif *w, double *ret)
{
        const struct layout *l = w->l;

        for (size_t row = 0; row < w->n; row++)
                for (size_t j = 0; j < l->nd; j++) {
                        const int e = l->d[j].equipment;
                        const int sat = e >= 0 ? layout_find_y(l, Y_SAT, e) : -1,
                                  fan = e >= 0 ? layout_find_u(l, U_FAN, e) : -1;
                        const bool air = l->d[j].kind == D_RAT && sat >= 0 && fan >= 0 && !w->a.log->segment_start[row];

                        ret[row * l->nd + j] =
                            air ? (w->log_d[row * l->nd + j] - w->log_y[(row - 1) * l->ny + (size_t)sat]) *
                                      w->log_u[row * l->nu + (size_t)fan]
                                : (double)NAN;
                }
}

static int find_calm(struct whatif *w)
{
        const struct layout *l = w->l;
        double *free_y = copy(w->log_y, w->n * l->ny), *missed = malloc((w->n * l->ny + 1) * sizeof *missed),
               *heat = malloc((w->n * l->nd + 1) * sizeof *heat);
        struct calm *c = NULL;
        int r = free_y && missed && heat ? calm_create(l, w->a.log, w->log_u, &c) : -ENOMEM;

        if (r == 0) {
                free_run_misses(w, free_y, missed);
                heat_taken(w, heat);
                for (size_t i = 0; i < l->ny; i++)
                        calm_adds(c, missed + i, l->ny, w->calm_y + i);
                for (size_t j = 0; j < l->nd; j++)
                        calm_adds(c, heat + j, l->nd, w->calm_heat + j);
        }
        calm_free(c);
        free(free_y);
        free(missed);
        free(heat);
        return r;
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
                             .n = a->log->n};
        meters_as_logged(w);
        r = allocate(w);
        if (r == 0)
                r = meters_create(l->site, &w->meters);
        if (r == 0)
                r = find_approach(w);
        if (r == 0)
                r = inlet_bend_create(l, w->arx, a->log, w->log_y, w->log_u, w->log_d, &w->bend);
        if (r == 0)
                r = find_calm(w);
        if (r == 0) {
                find_uses(w);
                r = whatif_sums_create(a, w->log_u, w->nmeter, &w->sums);
        }
        if (r < 0) {
                whatif_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

struct whatif *whatif_free(struct whatif *w)
{
        if (w) {
                inlet_bend_free(w->bend);
                whatif_sums_free(w->sums);
                free(w->bend_k);
                free(w->calm_y);
                free(w->seen);
                free(w->calm_heat);
                free(w->coil);
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
                meters_destroy(&w->meters);
                free(w);
        }
        return NULL;
}

/* --- power -------------------------------------------------------------------------------------------------------- */

/* What a step's settings, temperatures and machines draw by each member's word. Our fans warm the water that the
 * chillers cool, too. */
static bool model_powers(struct whatif *w, size_t row, struct whatif_sums_step *s)
{
        const struct layout *l = w->l;
        const double *d = w->d + row * l->nd, *log_d = w->log_d + row * l->nd;
        double chillers_on, fans_w = 0;

        meters_sum(&w->meters, s->end_ms, POWER_STALE_STEPS * llround(l->step_s * 1000), s->measured_w, &chillers_on);
        s->log = plant_sample(l, s->log_y, s->log_u, log_d, s->measured_w, chillers_on);
        s->ours = plant_sample(l, s->y, s->u, d, s->measured_w, chillers_on);
        for (size_t j = 0; j < l->nu && isfinite(chillers_on); j++)
                if (l->u[j].kind == U_CHILLER)
                        s->ours.chillers_on += (s->u[j] > 0.5) - (s->log_u[j] > 0.5);
        if (!energy_members(w->energy, &s->log, s->log_w) || !energy_members(w->energy, &s->ours, s->ours_w))
                return false;
        for (size_t m = 0; m < ENERGY_MEMBERS; m++)
                fans_w += (s->ours_w[m][ENERGY_FANS] - s->log_w[m][ENERGY_FANS]) / ENERGY_MEMBERS;
        s->ours.heat_w += isfinite(fans_w) ? fans_w : 0;
        if (!energy_members(w->energy, &s->ours, s->ours_w))
                return false;
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                for (size_t m = 0; m < ENERGY_MEMBERS; m++) {
                        s->log_mean_w[p] += s->log_w[m][p] / ENERGY_MEMBERS;
                        s->ours_mean_w[p] += s->ours_w[m][p] / ENERGY_MEMBERS;
                }
        return true;
}

static void account(struct whatif *w, size_t row)
{
        const struct layout *l = w->l;
        struct whatif_sums_step s = {.end_ms = w->a.log->t_ms[row] + llround(l->step_s * 1000),
                                     .follows = row > w->segment,
                                     .log_u = w->log_u + row * l->nu,
                                     .u = w->u + row * l->nu,
                                     .log_y = w->log_y + row * l->ny,
                                     .log_d = w->log_d + row * l->nd,
                                     .y = w->seen + row * l->ny};

        s.modelled = model_powers(w, row, &s);
        if (!whatif_sums_add(w->sums, &s))
                return;
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                if (w->nmeter[p] > 0)
                        meters_show(w, (enum energy_part)p, s.measured_w[p], s.log_mean_w[p], s.ours_mean_w[p]);
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
                w->breaks += w->any && closed(w, w->row) && row < w->n;
                w->segment = row;
                memset(w->ours, 0, w->l->nu * sizeof *w->ours);
                memset(w->bend_k, 0, w->l->ny * sizeof *w->bend_k);
                w->away = 0;
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
                k = w->seen[w->row * l->ny + use->index] - w->log_y[w->row * l->ny + use->index];
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

void whatif_result(const struct whatif *w, struct whatif_result *ret)
{
        whatif_sums_result(w->sums, ret);
        ret->breaks = w->breaks;
}
