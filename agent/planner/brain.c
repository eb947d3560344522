/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/brain_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIT_EVERY 20   /* steps */
#define ENERGY_EVERY 3 /* slow steps */
#define HORIZON_MAX 64
#define REFUSED_SAT_K 0.3
#define REFUSED_FAN_RATIO 0.03
#define CAUTION_STEP_K 0.15
#define CAUTION_MAX_K 1.0
#define CAUTION_PAUSE 10  /* steps: one episode counts once */
#define CAUTION_FORGET 60 /* steps without a refusal that undo one: half an hour */

/* --- learning ----------------------------------------------------------------------------------------------------- */

/* What the window's last row taught; rows of equipment that stood before or since learn nothing. */
static void learn_step(struct brain *b)
{
        const struct layout *l = b->a.layout;
        const struct arx_window w = {.n = b->n - 1, .y = b->wy, .u = b->inputs, .d = b->wd};
        const size_t since = w.n - 1, before = since > 0 ? since - 1 : 0;

        for (size_t i = 0; i < l->ny; i++)
                b->next[i] = model_runs(l, b->wu + since * l->nu, b->wd + since * l->nd, i) &&
                                     model_runs(l, b->wu + before * l->nu, b->wd + before * l->nd, i)
                                 ? b->wy[(b->n - 1) * l->ny + i]
                                 : (double)NAN;
        model_inputs(l, w.n, b->wu, b->inputs);
        (void)arx_add(b->model->arx, &w, b->next);
        if (--b->fit_countdown == 0) {
                b->fit_countdown = FIT_EVERY;
                (void)arx_fit(b->model->arx, MODEL_FIT_MIN);
        }
}

void brain_learn(struct brain *b)
{
        if (b->learn_due) {
                b->learn_due = false;
                learn_step(b);
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
        if (n == MODEL_WINDOW) {
                memmove(w, w + width, (MODEL_WINDOW - 1) * width * sizeof *w);
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
        if (b->n < MODEL_WINDOW)
                b->n++;
        b->learn_due = b->a.learn && b->n > b->model->structure->lag_max;
        b->last = plant_sample(l, o->y, o->u, o->d, o->power_w, o->chillers_on);
        struct energy_sample done;
        if (plant_mean_add(&b->mean, o->t_ms, b->a.site->slow_step_ms, o->follows, &b->last, &done) && b->a.learn) {
                b->ready = done;
                b->energy_due = true;
        }
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

/* What the slow plan starts from: the mean over the second half of the slow step, because one reading is noise and the
 * plant follows a move of the water for minutes. Between slow steps: now. */
static struct energy_sample settled_plant(struct brain *b, const struct ipc_step *step, bool follows)
{
        const int64_t slow_ms = b->a.site->slow_step_ms, half = slow_ms / 2 / b->a.site->fast_step_ms;
        struct energy_sample mean = b->last, before;

        if (++b->since_slow == (unsigned)half + 1)
                plant_mean_init(&b->settled, b->a.site);
        (void)plant_mean_add(&b->settled, 0, INT64_MAX, follows, &b->last, &before);
        if (!step->slow_step)
                return b->last;
        b->settled.steps_min = 1;
        (void)plant_mean_close(&b->settled, &mean);
        b->since_slow = 0;
        return mean;
}

/* Metered IT over what the server-fan penalty was sized for. */
static double knee_scale(const struct brain *b)
{
        const double fans = b->last.power_w[ENERGY_FANS], it = b->last.heat_w - (fans > 0.0 ? fans : 0.0);
        return it > 0.0 && b->it_design_w > 0.0 ? fmin(it / b->it_design_w, 2.0) : 1.0;
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
        const struct energy_sample plant = settled_plant(b, step, o.follows);
        model_inputs(l, b->n, b->wu, b->inputs);
        model_forecast(l, b->n, b->wd, b->plan_args.horizon, b->future);
        const struct plan_input in = {
            .model = b->model->arx,
            .energy = b->energy,
            .window = {.n = b->n, .y = b->wy, .u = b->inputs, .d = b->wd},
            .u_now = step->u,
            .d_future = b->future,
            .plant = plant,
            .knee_scale = knee_scale(b),
            .slow_step = step->slow_step != 0,
            .followed = o.follows && step->mode == IPC_MODE_ACTIVE,
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
        b->place_due = in.slow_step && !in.explore && (b->a.store || b->a.inventory) && b->a.site->vm.enabled;
        if (b->place_due)
                b->step = *step;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int create_models(struct brain *b)
{
        struct arx_args args;

        model_args_default(&args);
        b->energy_mem = malloc(energy_memsize());
        if (!b->energy_mem)
                return -ENOMEM;
        int r = model_create(b->a.layout, MODEL_LAGS, &args, &b->model);
        if (r < 0)
                return r;
        return energy_create(b->energy_mem, energy_memsize(), b->a.seed, plant_capacity_w(b->a.site), &b->energy);
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
        plant_mean_init(&b->mean, a->site);
        plant_mean_init(&b->settled, a->site);
        b->next = calloc(l->ny + 1, sizeof *b->next);
        b->inputs = calloc(MODEL_WINDOW * (l->nu + 1), sizeof(double));
        b->wy = calloc(MODEL_WINDOW * (l->ny + 1), sizeof(double));
        b->wu = calloc(MODEL_WINDOW * (l->nu + 1), sizeof(double));
        b->wd = calloc(MODEL_WINDOW * (l->nd + 1), sizeof(double));
        b->future = calloc(HORIZON_MAX * (l->nd + 1), sizeof(double));
        b->out = calloc(1, sizeof *b->out);
        b->asked = calloc(l->nu, sizeof *b->asked);
        for (size_t j = 0; b->asked && j < l->nu; j++)
                b->asked[j] = (double)NAN;
        r = b->next && b->inputs && b->wy && b->wu && b->wd && b->future && b->out && b->asked ? create_models(b)
                                                                                               : -ENOMEM;
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
                model_free(b->model);
                free(b->energy_mem);
                free(b->plan_mem);
                free(b->pu);
                free(b->py);
                free(b->wy);
                free(b->wu);
                free(b->wd);
                free(b->future);
                free(b->next);
                free(b->inputs);
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
                arx_row_info(b->model->arx, i, &info);
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
