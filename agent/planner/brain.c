/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/brain_internal.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/points/total.h"

#define FIT_EVERY 20     /* steps */
#define ENERGY_EVERY 3   /* slow steps */
#define FORGET 0.9998    /* 5000 steps, some 40 h */
#define MEAN_STEPS_MIN 5 /* of a slow step, to be a sample */
#define HORIZON_MAX 64
#define REFUSED_SAT_K 0.3
#define REFUSED_FAN_RATIO 0.03
#define CAUTION_STEP_K 0.15
#define CAUTION_MAX_K 1.0
#define CAUTION_PAUSE 10  /* steps: one episode counts once */
#define CAUTION_FORGET 60 /* steps without a refusal that undo one: half an hour */

/* --- the plant as the energy model sees it ------------------------------------------------------------------------ */

static double *field(struct energy_sample *s, size_t i)
{
        double *const f[] = {&s->fan_ratio_cubed, &s->heat_w,      &s->chwst_c,          &s->cwst_c,
                             &s->wetbulb_c,       &s->chillers_on, &s->valve_mean_ratio, &s->power_w[0],
                             &s->power_w[1],      &s->power_w[2],  &s->power_w[3]};
        static_assert(sizeof f / sizeof *f == BRAIN_FIELDS, "one a field");
        return f[i];
}

static struct total total_of_d(const struct brain *b, const double *d, enum d_kind kind)
{
        const struct layout *l = b->a.layout;
        struct total t = {0};

        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == (int)kind)
                        total_add(&t, d[k]);
        return t;
}

static double mean_of_d(const struct brain *b, const double *d, enum d_kind kind)
{
        struct total t = total_of_d(b, d, kind);

        return t.known ? t.sum / (double)t.known : (double)NAN;
}

static double mean_of_u(const struct brain *b, const double *u, enum plan_u_kind kind)
{
        double sum = 0.0;
        size_t n = 0;
        for (size_t j = 0; j < b->a.layout->nu; j++) {
                if (b->pu[j].kind != kind || !isfinite(u[j]))
                        continue;
                sum += u[j];
                n++;
        }
        return n ? sum / (double)n : (double)NAN;
}

struct energy_sample brain_plant_sample(const struct brain *b, const struct observation *o)
{
        const struct layout *l = b->a.layout;
        struct energy_sample s = {.fan_ratio_cubed = (double)NAN, .chillers_on = o->chillers_on};
        struct total it = total_of_d(b, o->d, D_RACK_POWER);
        double fan = 0.0, rated = 0.0, valve = 0.0, on = 0.0;
        size_t nvalve = 0, nchiller = 0;

        memcpy(s.power_w, o->power_w, sizeof s.power_w);
        for (size_t j = 0; j < l->nu; j++) {
                if (b->pu[j].kind == PLAN_U_FAN) {
                        fan += b->pu[j].rated_w * o->u[j] * o->u[j] * o->u[j];
                        rated += b->pu[j].rated_w;
                } else if (b->pu[j].kind == PLAN_U_CHILLER) {
                        on += o->u[j] > 0.5;
                        nchiller++;
                }
        }
        if (rated > 0.0)
                s.fan_ratio_cubed = fan / rated;
        if (!isfinite(s.chillers_on) && nchiller)
                s.chillers_on = on;
        s.heat_w = total_value(&it) + (isfinite(o->power_w[ENERGY_FANS]) ? o->power_w[ENERGY_FANS]
                                       : rated > 0.0                     ? fan
                                                                         : 0.0);
        s.chwst_c = mean_of_d(b, o->d, D_CHW_TEMP);
        if (!isfinite(s.chwst_c))
                s.chwst_c = mean_of_u(b, o->u, PLAN_U_CHWST);
        s.cwst_c = mean_of_u(b, o->u, PLAN_U_CWST);
        s.wetbulb_c = mean_of_d(b, o->d, D_WETBULB);
        for (size_t i = 0; i < l->ny; i++) {
                if (l->y[i].kind != Y_VALVE || !isfinite(o->y[i]))
                        continue;
                valve += o->y[i];
                nvalve++;
        }
        s.valve_mean_ratio = nvalve ? valve / (double)nvalve : (double)NAN;
        return s;
}

static void mean_close(struct brain *b)
{
        if (b->mean.steps >= MEAN_STEPS_MIN && b->a.learn) {
                for (size_t i = 0; i < BRAIN_FIELDS; i++)
                        *field(&b->ready, i) = b->mean.n[i] ? b->mean.sum[i] / b->mean.n[i] : (double)NAN;
                b->energy_due = true;
        }
        memset(&b->mean, 0, sizeof b->mean);
}

static void mean_add(struct brain *b, const struct observation *o)
{
        struct energy_sample s = brain_plant_sample(b, o);
        const int64_t slow = o->t_ms / b->a.site->slow_step_ms;

        if (slow != b->slow_index || !o->follows)
                mean_close(b);
        b->slow_index = slow;
        b->mean.steps++;
        for (size_t i = 0; i < BRAIN_FIELDS; i++) {
                const double v = *field(&s, i);
                if (!isfinite(v))
                        continue;
                b->mean.sum[i] += v;
                b->mean.n[i]++;
        }
        b->last = s;
}

/* --- learning ----------------------------------------------------------------------------------------------------- */

void brain_learn(struct brain *b)
{
        const struct layout *l = b->a.layout;

        if (b->learn_due) {
                const struct arx_window w = {.n = b->n - 1, .y = b->wy, .u = b->wu, .d = b->wd};
                b->learn_due = false;
                (void)arx_add(b->arx, &w, b->wy + (b->n - 1) * l->ny);
                if (--b->fit_countdown == 0) {
                        b->fit_countdown = FIT_EVERY;
                        (void)arx_fit(b->arx, BRAIN_FIT_MIN);
                }
        }
        if (b->place_due) { /* the search takes longer than an answer may: the moves go out with the next one */
                b->place_due = false;
                brain_place(b);
        }
        if (b->energy_due) {
                b->energy_due = false;
                energy_add(b->energy, &b->ready);
                if (--b->energy_countdown == 0) {
                        b->energy_countdown = ENERGY_EVERY;
                        (void)energy_fit(b->energy);
                }
        }
}

static void push(double *w, size_t n, size_t width, const double *row)
{
        if (n == BRAIN_WINDOW) {
                memmove(w, w + width, (BRAIN_WINDOW - 1) * width * sizeof *w);
                n--;
        }
        memcpy(w + n * width, row, width * sizeof *w);
}

void brain_observe(struct brain *b, const struct observation *o)
{
        const struct layout *l = b->a.layout;

        brain_learn(b);
        if (!o->follows)
                b->n = 0; /* nothing before a gap explains what comes after */
        if (b->n > 0) {
                /* what was in force since the last step is known only now */
                memcpy(b->wu + (b->n - 1) * l->nu, o->u, l->nu * sizeof *o->u);
                memcpy(b->wd + (b->n - 1) * l->nd, o->d, l->nd * sizeof *o->d);
        }
        push(b->wy, b->n, l->ny, o->y);
        push(b->wu, b->n, l->nu, o->u);
        push(b->wd, b->n, l->nd, o->d);
        if (b->n < BRAIN_WINDOW)
                b->n++;
        b->learn_due = b->a.learn && b->n > b->st->lag_max;
        mean_add(b, o);
}

/* --- being refused ------------------------------------------------------------------------------------------------ */

/* When the gate cools harder than asked, the proposal was too near to what it can certify: keep more distance for a
 * while. Quantised setpoints stay below the thresholds; in shadow nothing follows what we ask, so nothing is refused.
 */
static void learn_caution(struct brain *b, const struct ipc_step *step)
{
        bool refused = false;

        for (size_t j = 0; j < b->a.layout->nu; j++) {
                const double cooler = step->u[j] - b->asked[j]; /* NaN compares false */
                refused = refused || (b->pu[j].kind == PLAN_U_SAT && cooler < -REFUSED_SAT_K) ||
                          (b->pu[j].kind == PLAN_U_FAN && cooler > REFUSED_FAN_RATIO);
        }
        if (b->caution_pause > 0)
                b->caution_pause--;
        if (refused && step->mode == IPC_MODE_ACTIVE) {
                if (b->caution_pause == 0)
                        b->caution_k = fmin(b->caution_k + CAUTION_STEP_K, CAUTION_MAX_K);
                b->caution_pause = CAUTION_PAUSE;
        } else {
                b->caution_k = fmax(b->caution_k - CAUTION_STEP_K / CAUTION_FORGET, 0.0);
        }
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

static void answer_nothing(const struct ipc_step *step, struct ipc_proposal *ret)
{
        memset(ret, 0, sizeof *ret);
        ipc_head_init(&ret->head, IPC_PROPOSAL, step->head.seq, step->head.t_ms, step->head.config_hash);
        ret->nu = step->nu <= IPC_U_MAX ? step->nu : 0;
        memcpy(ret->u, step->u, ret->nu * sizeof *ret->u);
        ret->predicted_w = ret->predicted_std_w = ret->predicted_max_inlet_c = (double)NAN;
}

void brain_step(struct brain *b, const struct ipc_step *step, struct ipc_proposal *ret)
{
        const struct layout *l = b->a.layout;
        const double step_ms = l->step_s * 1e3;
        const int64_t dt_ms = step->head.t_ms - b->last_t_ms;

        answer_nothing(step, ret);
        if (step->nu != l->nu || step->ny != l->ny || step->nd != l->nd)
                return; /* another configuration: nothing here fits it */

        struct observation o = {.t_ms = step->head.t_ms,
                                .y = step->y,
                                .u = step->u,
                                .d = step->d,
                                .chillers_on = step->chillers_on,
                                .follows =
                                    b->stepped && (double)dt_ms > 0.5 * step_ms && (double)dt_ms < 2.0 * step_ms};
        memcpy(o.power_w, step->power_w, sizeof o.power_w);
        brain_observe(b, &o);
        b->last_t_ms = step->head.t_ms;
        b->stepped = true;
        b->steps++;

        if (o.follows)
                learn_caution(b, step);
        for (size_t k = 0; k < b->plan_args.horizon; k++) /* persistence */
                memcpy(b->future + k * l->nd, step->d, l->nd * sizeof *step->d);
        const struct plan_input in = {
            .model = b->arx,
            .energy = b->energy,
            .window = {.n = b->n, .y = b->wy, .u = b->wu, .d = b->wd},
            .u_now = step->u,
            .d_future = b->future,
            .plant = b->last,
            .slow_step = step->slow_step != 0,
            .step = step->head.seq,
            .explore = step->explore != 0,
            .caution_k = b->caution_k,
        };
        plan_step(b->plan, &in, b->out);
        memcpy(ret->u, b->out->u, l->nu * sizeof *ret->u);
        memcpy(b->asked, b->out->u, l->nu * sizeof *b->asked);
        ret->in_distribution = b->out->in_distribution;
        ret->predicted_w = b->out->predicted_w;
        ret->predicted_std_w = b->out->predicted_std_w;
        ret->predicted_max_inlet_c = b->out->predicted_max_inlet_c;
        (void)snprintf(ret->move_name, sizeof ret->move_name, "%s", b->out->move);
        ret->nmove = b->nmove;
        memcpy(ret->move, b->move, b->nmove * sizeof *b->move);
        b->nmove = 0;
        b->place_due = in.slow_step && !in.explore && b->a.store && b->a.site->vm.enabled;
        if (b->place_due)
                b->step = *step;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int create_models(struct brain *b)
{
        const struct layout *l = b->a.layout;
        struct arx_args args;
        int r = -EINVAL;

        /* Five lags (Lazic 2018); a zone with many air handlers gets as many as its rows have terms for. */
        for (unsigned lags = 5; lags >= 1 && (r == -EINVAL || r == -E2BIG); lags--)
                r = layout_arx_structure(l, lags, lags, &b->st);
        if (r < 0)
                return r;
        arx_args_default(&args);
        args.forget = FORGET;
        b->arx_mem = malloc(arx_memsize(b->st));
        b->energy_mem = malloc(energy_memsize());
        if (!b->arx_mem || !b->energy_mem)
                return -ENOMEM;
        r = arx_create(b->arx_mem, arx_memsize(b->st), b->st, &args, NULL, NULL, &b->arx);
        if (r < 0)
                return r;
        return energy_create(b->energy_mem, energy_memsize(), b->a.seed, brain_chiller_capacity_w(b->a.site),
                             &b->energy);
}

int brain_create(const struct brain_args *a, struct brain **ret)
{
        const struct layout *l = a->layout;
        struct brain *b;
        int r;

        if (l->nu == 0 || l->nu > IPC_U_MAX || l->ny > IPC_Y_MAX || l->nd > IPC_D_MAX)
                return -EINVAL;
        b = calloc(1, sizeof *b);
        if (!b)
                return -ENOMEM;
        b->a = *a;
        b->fit_countdown = FIT_EVERY;
        b->energy_countdown = ENERGY_EVERY;
        b->last_t_ms = -1;
        b->wy = calloc(BRAIN_WINDOW * (l->ny + 1), sizeof(double));
        b->wu = calloc(BRAIN_WINDOW * (l->nu + 1), sizeof(double));
        b->wd = calloc(BRAIN_WINDOW * (l->nd + 1), sizeof(double));
        b->future = calloc(HORIZON_MAX * (l->nd + 1), sizeof(double));
        b->out = calloc(1, sizeof *b->out);
        b->asked = calloc(l->nu, sizeof *b->asked);
        for (size_t j = 0; b->asked && j < l->nu; j++)
                b->asked[j] = (double)NAN;
        r = b->wy && b->wu && b->wd && b->future && b->out && b->asked ? create_models(b) : -ENOMEM;
        if (r == 0)
                r = brain_setup_plan(b);
        if (r == 0 && a->store)
                r = brain_seed(b);
        if (r < 0) {
                brain_free(b);
                return r;
        }
        *ret = b;
        return 0;
}

struct brain *brain_free(struct brain *b)
{
        if (b) {
                free(b->st);
                free(b->arx_mem);
                free(b->energy_mem);
                free(b->plan_mem);
                free(b->pu);
                free(b->py);
                free(b->wy);
                free(b->wu);
                free(b->wd);
                free(b->future);
                free(b->out);
                free(b->asked);
                free(b);
        }
        return NULL;
}

static int by_value(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

void brain_info(const struct brain *b, struct brain_info *ret)
{
        const struct layout *l = b->a.layout;
        struct energy_info e;
        double *rmse = calloc(l->ny + 1, sizeof *rmse);
        size_t n = 0;

        *ret = (struct brain_info){
            .steps = b->steps, .seeded_rows = b->seeded_rows, .rows = l->ny, .vms = b->vms, .caution_k = b->caution_k};
        for (size_t i = 0; i < l->ny; i++) {
                struct arx_row_info info;
                arx_row_info(b->arx, i, &info);
                ret->rows_fitted += info.fitted;
                if (rmse && info.fitted && l->y[i].kind == Y_INLET && isfinite(info.rmse))
                        rmse[n++] = info.rmse;
        }
        if (n)
                qsort(rmse, n, sizeof *rmse, by_value);
        ret->inlet_rmse_c = n ? rmse[n / 2] : (double)NAN;
        free(rmse);
        energy_info(b->energy, &e);
        ret->energy_samples = e.samples;
        ret->energy_cv_rmse_ratio = e.cv_rmse_ratio;
}
