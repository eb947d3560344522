/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* One decision of an evaluation: what the meters said at its time, what its evidence tells, what it asked for. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/evaluate_internal.h"
#include "agent/points/total.h"

#define HOUR_MS ((int64_t)3600000)
#define SAME_K 0.01      /* what is stored of a temperature in two places */
#define NEAR_K 0.5       /* … and what a window, which holds means of a step, makes of it */
#define MARGIN_K (-1e-9) /* of a certificate: no less, but for rounding */

/* --- samples ----------------------------------------------------------------------------------------------------- */

static const enum role power_part[EVALUATE_PARTS] = {ROLE_CRAH_POWER, ROLE_CHILLER_POWER, ROLE_PUMP_POWER,
                                                     ROLE_TOWER_POWER};

void evaluate_find_meters(struct evaluation *e)
{
        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                for (size_t i = 0; i < e->site->npoint && !e->metered[k]; i++)
                        e->metered[k] = e->site->point[i].role == power_part[k];
}

static int on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct evaluator *v = ctx;

        for (size_t k = 0; k < n; k++) {
                v->e->quality[s[k].point][s[k].quality <= QUALITY_BAD ? s[k].quality : QUALITY_BAD]++;
                v->value[s[k].point] = s[k].quality == QUALITY_GOOD ? s[k].value : (double)NAN;
                v->seen_ms[s[k].point] = s[k].t_ms;
        }
        v->e->samples += n;
        return 0;
}

/* Up to and with this time. */
static int read_samples(struct evaluator *v, int64_t t_ms)
{
        int r = 0;

        if (v->samples_ms == INT64_MIN)
                v->samples_ms = t_ms - v->a->site->fast_step_ms;
        if (t_ms + 1 > v->samples_ms) {
                r = store_read_samples(v->a->samples, v->samples_ms, t_ms + 1, on_samples, v);
                v->samples_ms = t_ms + 1;
        }
        return r;
}

/* Cooling: what planner and energy model call power. As the gate counts it: what most of the meters of a part say
 * stands for a few that are silent. NaN: a part cannot be told, or there is no meter at all. */
static double measured_w(const struct evaluator *v, int64_t t_ms)
{
        const struct site *site = v->a->site;
        double sum_w = (double)NAN;

        for (size_t k = 0; k < EVALUATE_PARTS; k++) {
                struct total t = {0};

                for (size_t i = 0; i < site->npoint; i++) {
                        const int64_t stale_ms = site->point[i].stale_after_ms;

                        if (site->point[i].role != power_part[k])
                                continue;
                        total_add(&t, t_ms - v->seen_ms[i] <= (stale_ms > 0 ? stale_ms : 5 * site->fast_step_ms)
                                          ? v->value[i]
                                          : (double)NAN);
                }
                if (t.all > 0)
                        sum_w = (isnan(sum_w) ? 0 : sum_w) + total_value(&t);
                if (t.all > 0 && isnan(sum_w))
                        return (double)NAN;
        }
        return sum_w;
}

/* --- the decision ------------------------------------------------------------------------------------------------ */

/* The model set of the record into the model; else why not. */
static int load_set(struct evaluator *v, const struct store_record *rec, const char **ret_why)
{
        const size_t bytes = arx_set_save(v->model.arx, NULL, 0);
        uint64_t hash;
        void *blob = NULL;
        size_t len;
        int r = 0;

        *ret_why = NULL;
        if (v->set_id != rec->set_id) {
                v->set_id = 0;
                r = store_get_set(v->a->store, rec->set_id, &hash, &blob, &len);
                if (r < 0 && r != -ENOENT)
                        return r;
                if (r == 0 && evidence_read_base(v->evidence, blob, len) == 0)
                        v->set_id = rec->set_id;
                free(blob);
        }
        if (v->set_id == 0)
                *ret_why = "model set no longer stored, or damaged";
        else if (evidence_read_set(v->evidence, rec->blob, rec->len) < 0 ||
                 arx_set_load(v->model.arx, evidence_set(v->evidence), bytes) < 0 ||
                 arx_hash(v->model.arx) != rec->d.cert->model_hash)
                *ret_why = "model set is not the one that the decision names";
        return 0;
}

/* Hottest certified output (inlets; supply air of rooms without) that the model, anchored as certificates are (offset),
 * foresees within five minutes with these setpoints held, loads as they are; NaN: none. ret_row: which. */
static double foreseen_c(struct evaluator *v, const struct arx_window *w, const double *u, int *ret_row)
{
        const struct layout *l = v->e->layout;
        const size_t steps = v->e->ahead[v->e->nahead > 1 ? 1 : 0];
        double hottest = (double)NAN;

        for (size_t j = 0; j < l->nu; j++)
                if (!isfinite(u[j]))
                        return (double)NAN;
        for (size_t t = 0; t < steps; t++) {
                memcpy(v->u_ahead + t * l->nu, u, l->nu * sizeof(double));
                memcpy(v->d_ahead + t * l->nd, w->d + (w->n - 1) * l->nd, l->nd * sizeof(double));
        }
        arx_predict(v->model.arx, w, steps, v->u_ahead, v->d_ahead, v->offset, v->work, v->y);
        for (size_t k = 0; k < v->e->envelope.safety.ncert; k++) {
                const size_t i = v->e->envelope.cert[k].row;
                struct arx_row_info info;

                arx_row_info(v->model.arx, i, &info);
                for (size_t t = 0; info.fitted && t < steps; t++) {
                        const double c = v->y[t * l->ny + i];

                        if (isfinite(c) && !(c <= hottest)) {
                                hottest = c;
                                *ret_row = (int)i;
                        }
                }
        }
        return hottest;
}

/* To the whole, the day and the series. row: of the hottest, −1 = not known. */
static void add_heat(struct evaluator *v, enum evaluate_heat from, double c, int row, int64_t t_ms)
{
        score_heat_add(&v->e->all.heat[from], v->e->soft_c, v->e->hard_c, c, t_ms);
        score_heat_add(&v->today->sum.heat[from], v->e->soft_c, v->e->hard_c, c, t_ms);
        v->moment.heat_c[from] = c;
        v->moment.row[from] = row;
}

static void add_foreseen(struct evaluator *v, enum evaluate_heat from, const struct arx_window *w, const double *u,
                         int64_t t_ms)
{
        int row = -1;
        const double c = foreseen_c(v, w, u, &row);

        add_heat(v, from, c, row, t_ms);
}

/* The certified row that is read the hottest; −1: none. */
static int hottest_row(const struct evaluator *v)
{
        int row = -1;

        for (size_t k = 0; k < v->e->envelope.safety.ncert; k++) {
                const size_t i = v->e->envelope.cert[k].row;

                if (isfinite(v->reading[i]) && (row < 0 || v->reading[i] > v->reading[row]))
                        row = (int)i;
        }
        return row;
}

/* The inlet whose newest sample is the stored hottest; −1: none. */
static int sampled_row(const struct evaluator *v, double worst_inlet_c)
{
        const struct layout *l = v->e->layout;

        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_INLET && fabs(v->value[l->y[i].point] - worst_inlet_c) < SAME_K)
                        return (int)i;
        return -1;
}

/* Which inlet was the hottest is not stored with the decision: the one that was sampled as that, else the row that was
 * read the hottest. */
static void find_measured(struct evaluator *v, const struct store_decision *d)
{
        const int row = hottest_row(v);

        if (!isfinite(d->worst_inlet_c)) /* rooms without inlet sensors */
                add_heat(v, HEAT_MEASURED, row >= 0 ? v->reading[row] : (double)NAN, row, d->t_ms);
        else if (v->moment.row[HEAT_MEASURED] < 0 && row >= 0 && fabs(v->reading[row] - d->worst_inlet_c) < NEAR_K)
                v->moment.row[HEAT_MEASURED] = row;
}

static size_t count_fitted(const struct evaluator *v)
{
        size_t n = 0;

        for (size_t k = 0; k < v->e->envelope.safety.ncert; k++) {
                struct arx_row_info info;

                arx_row_info(v->model.arx, v->e->envelope.cert[k].row, &info);
                n += info.fitted;
        }
        return n;
}

/* What the evidence of a decision tells; follows: of the decision one step before there is some, too. */
static int score_evidence(struct evaluator *v, const struct store_record *rec, bool follows)
{
        const struct layout *l = v->e->layout;
        const struct store_decision *d = &rec->d;
        struct safety_snapshot snap;
        const char *why;
        int r = load_set(v, rec, &why);

        if (r < 0)
                return r;
        evidence_snapshot(v->evidence, &snap);
        for (size_t i = 0; i < l->ny; i++) {
                const bool usable = snap.y_ok[i] == COND_TRUE && snap.window.n > 0;

                v->e->y[i].unusable += snap.y_ok[i] != COND_TRUE;
                v->reading[i] = usable ? snap.window.y[(snap.window.n - 1) * l->ny + i] : (double)NAN;
        }
        find_measured(v, d);
        if (why) {
                evaluate_not_scored(v->e, why);
        } else if (snap.window.n > 0) {
                for (size_t i = 0; i < l->ny; i++)
                        v->offset[i] = arx_offset(v->model.arx, i, &snap.window);
                v->e->fitted = count_fitted(v);
                add_foreseen(v, HEAT_IN_FORCE, &snap.window, d->confirmed, d->t_ms);
                add_foreseen(v, HEAT_ACTION, &snap.window, d->action, d->t_ms);
                if (d->proposal)
                        add_foreseen(v, HEAT_PROPOSAL, &snap.window, d->proposal, d->t_ms);
        }
        v->e->evidence++;
        hindsight_step(v->hindsight, d->t_ms, follows, &snap.window, v->reading,
                       why ? NULL : evidence_set(v->evidence));
        return 0;
}

static void score_variables(struct evaluator *v, const struct store_decision *d, bool shadow)
{
        struct evaluation *e = v->e;
        const int64_t step_ms = v->a->site->fast_step_ms;
        const bool plan = d->kind == DECISION_ACCEPT || d->kind == DECISION_PROJECT;
        const size_t hour = (size_t)((d->t_ms - series_floor(d->t_ms, EVALUATE_DAY_MS)) / HOUR_MS);

        for (size_t j = 0; j < d->nu; j++) {
                const struct safety_u *u = &e->envelope.u[j];
                const double p = d->proposal ? d->proposal[j] : (double)NAN,
                             in_force = shadow ? d->confirmed[j] : (double)NAN,
                             grain = fmax(1.001 * u->step, u->dead_band) + 1e-9 * (1 + fabs(d->action[j]));
                const int dir = score_variable_add(&e->u[j], d->t_ms, step_ms, u->dead_band, grain,
                                                   d->proposal ? &p : NULL, d->action[j], in_force);
                const bool compared = isfinite(d->action[j] - in_force);

                if (shadow)
                        e->answers[j][advice_step(&v->advice[j], d->t_ms, advice_band(u),
                                                  plan ? d->action[j] : (double)NAN, in_force)]++;
                e->all.compared += compared;
                e->all.differing += dir != 0;
                v->today->sum.compared += compared;
                v->today->sum.differing += dir != 0;
                e->hour_compared[hour] += compared;
                e->hour_differing[hour] += dir != 0;
        }
}

bool evaluate_certified(const struct store_decision *d)
{
        const struct safety_certificate *c = d->cert;

        return c->verified && c->margin >= MARGIN_K && d->kind != DECISION_FALLBACK &&
               d->reason != DR_NOT_CERTIFIABLE && d->reason != DR_SENSOR;
}

static void count_step(struct evaluate_sum *s, const struct store_decision *d)
{
        s->steps++;
        s->by_kind[(unsigned)d->kind % EVALUATE_KINDS]++;
        s->no_proposal += !d->proposal;
}

static void begin_moment(struct evaluator *v, const struct store_decision *d, bool shadow)
{
        v->moment = (struct series_moment){.t_ms = d->t_ms,
                                           .predicted_w = d->predicted_w,
                                           .kind = d->kind,
                                           .reason = d->reason,
                                           .action = d->action,
                                           .in_force = shadow ? d->confirmed : NULL};
        for (size_t h = 0; h < SERIES_HEATS; h++) {
                v->moment.heat_c[h] = (double)NAN;
                v->moment.row[h] = -1;
        }
}

int evaluate_decision(struct evaluator *v, const struct store_record *rec, bool follows, int readable)
{
        const struct store_decision *d = &rec->d;
        struct evaluation *e = v->e;
        const bool shadow = strcmp(d->mode, "SHADOW") == 0;
        int r;

        v->today = evaluate_day_of(e, d->t_ms);
        if (!v->today)
                return -ENOMEM;
        begin_moment(v, d, shadow);
        e->scored++;
        e->shadow += shadow;
        e->reason[(unsigned)d->kind % EVALUATE_KINDS][(unsigned)d->reason % EVALUATE_REASONS]++;
        e->certified[(unsigned)d->kind % EVALUATE_KINDS] += evaluate_certified(d);
        count_step(&e->all, d);
        count_step(&v->today->sum, d);
        add_heat(v, HEAT_MEASURED, d->worst_inlet_c, -1, d->t_ms);
        if (evaluate_certified(d)) /* what else is computed of a worst case is nobody's word */
                add_heat(v, HEAT_WORST_CASE, e->hard_c - d->cert->margin, d->cert->binding_y, d->t_ms);
        score_variables(v, d, shadow);
        r = read_samples(v, d->t_ms);
        if (r < 0)
                return r;
        v->moment.row[HEAT_MEASURED] = sampled_row(v, d->worst_inlet_c);
        v->moment.measured_w = measured_w(v, d->t_ms);
        series_mean_add(&e->all.metered, v->moment.measured_w);
        series_mean_add(&v->today->sum.metered, v->moment.measured_w);
        score_power_add(&e->all.power, d->predicted_w, v->moment.measured_w);
        score_power_add(&v->today->sum.power, d->predicted_w, v->moment.measured_w);
        if (readable == 0) {
                r = score_evidence(v, rec, follows && v->follows_evidence);
                v->follows_evidence = true;
                return r;
        }
        evaluate_not_scored(e, !rec->stored           ? "nothing is stored of what it was made on"
                               : readable == -ENODATA ? "its evidence follows one that is not stored"
                                                      : "its evidence is of another version, or damaged");
        v->follows_evidence = false;
        hindsight_end(v->hindsight);
        return 0;
}
