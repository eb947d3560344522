/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/evaluate.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/drivers/driver.h"
#include "agent/gate/evidence.h"
#include "agent/gate/safety_model.h"
#include "agent/points/total.h"

#define SETS_BYTES ((size_t)64 << 20)
#define AHEAD_S                                                                                                        \
        {                                                                                                              \
                0, 300, 900                                                                                            \
        } /* the first: one step */
#define DAY_MS ((int64_t)86400000)
#define HOUR_MS ((int64_t)3600000)
#define SAME_K 0.01 /* what is stored of a temperature in two places */

_Static_assert((int)SERIES_HEATS == (int)HEAT_COUNT, "a series holds what an evaluation tells apart");

struct evaluator {
        const struct evaluate_args *a;
        struct evaluation *e;
        char config[2 * HASH_LEN + 1];
        struct safety_model model;
        struct evidence *evidence;
        struct hindsight *hindsight;
        struct advice *advice; /* [nu] */
        uint8_t *judged;       /* [ny] */
        double *reading;       /* [ny] */
        double *u_ahead, *d_ahead, *y, *work, *offset;
        int64_t set_id;
        int64_t from_ms, to_ms;      /* the span without decisions of a wrong clock */
        struct series_moment moment; /* what this decision adds to the series */
        /* the decision before this one */
        bool any, follows_evidence;
        int64_t run_id, t_ms;
        size_t pending; /* changed ones since then */
        struct evaluate_day *today;
        /* newest reading of each point, for powers; NaN: not good */
        double *value; /* [npoint] */
        int64_t *seen_ms;
        int64_t samples_ms; /* read up to here */
};

/* --- set-up ------------------------------------------------------------------------------------------------------ */

static const enum role power_part[EVALUATE_PARTS] = {ROLE_CRAH_POWER, ROLE_CHILLER_POWER, ROLE_PUMP_POWER,
                                                     ROLE_TOWER_POWER};

static void find_meters(struct evaluation *e)
{
        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                for (size_t i = 0; i < e->site->npoint && !e->metered[k]; i++)
                        e->metered[k] = e->site->point[i].role == power_part[k];
}

static void choose_steps(struct evaluation *e)
{
        static const double s[HINDSIGHT_AHEAD] = AHEAD_S;

        for (size_t k = 0; k < HINDSIGHT_AHEAD; k++) {
                const size_t n = (size_t)fmax(1, round(s[k] / e->layout->step_s));

                if (e->nahead == 0 || n > e->ahead[e->nahead - 1])
                        e->ahead[e->nahead++] = n;
        }
        e->horizon = e->envelope.safety.horizon;
}

static void on_forecast(void *ctx, size_t i, int64_t t_ms, const struct hindsight_score *s);

static int create_models(struct evaluator *v)
{
        struct evaluation *e = v->e;
        const struct layout *l = e->layout;
        size_t nbasis, size, most = e->ahead[e->nahead - 1];
        struct safety *safety;
        void *mem;
        int r = safety_model_create(l, &v->model);

        if (r < 0)
                return r;
        size = (safety_memsize(&e->envelope.safety, v->model.structure) + 63) / 64 * 64;
        mem = aligned_alloc(64, size);
        r = mem ? safety_create(mem, size, &e->envelope.safety, v->model.arx, &safety) : -ENOMEM;
        nbasis = r == 0 ? safety_basis_save(safety, 0, NULL, 0) : 0;
        free(mem);
        if (r < 0)
                return r;
        r = evidence_create(&(struct evidence_shape){.nu = l->nu,
                                                     .ny = l->ny,
                                                     .nd = l->nd,
                                                     .rows = v->model.window,
                                                     .nbasis = nbasis,
                                                     .set_bytes = arx_set_save(v->model.arx, NULL, 0)},
                            &v->evidence);
        if (r < 0)
                return r;
        v->u_ahead = calloc(most * l->nu + 1, sizeof(double));
        v->d_ahead = calloc(most * l->nd + 1, sizeof(double));
        v->y = calloc(most * l->ny + 1, sizeof(double));
        v->work = calloc(arx_predict_work(v->model.arx, most) + 1, sizeof(double));
        v->offset = calloc(l->ny + 1, sizeof(double));
        if (!v->u_ahead || !v->d_ahead || !v->y || !v->work || !v->offset)
                return -ENOMEM;
        r = hindsight_create(&(struct hindsight_args){.model = v->model.arx,
                                                      .window = v->model.window,
                                                      .judged = v->judged,
                                                      .nahead = e->nahead,
                                                      .ahead = {e->ahead[0], e->ahead[1], e->ahead[2]},
                                                      .horizon = e->horizon,
                                                      .memory = SETS_BYTES},
                             on_forecast, v, &v->hindsight);
        if (r == 0)
                e->stride = hindsight_stride(v->hindsight);
        return r;
}

static int create(struct evaluator *v)
{
        struct evaluation *e = v->e;
        const size_t npoint = v->a->site->npoint;
        const struct layout *l;
        int r = layout_create(v->a->site, &e->layout);

        if (r < 0)
                return r;
        l = e->layout;
        r = gate_envelope_build(l, &e->envelope);
        if (r < 0)
                return r;
        if (e->envelope.safety.nu < 1 || e->envelope.safety.ncert < 1)
                return -ENODEV;
        e->soft_c = v->a->site->limits.inlet_recommended_c;
        e->hard_c = v->a->site->limits.inlet_allowable_c;
        e->y = calloc(l->ny, sizeof *e->y);
        e->u = calloc(l->nu, sizeof *e->u);
        e->answers = calloc(l->nu, sizeof *e->answers);
        v->advice = calloc(l->nu, sizeof *v->advice);
        e->quality = calloc(npoint + 1, sizeof *e->quality);
        v->judged = calloc(l->ny, 1);
        v->reading = calloc(l->ny, sizeof(double));
        v->value = calloc(npoint + 1, sizeof(double));
        v->seen_ms = calloc(npoint + 1, sizeof(int64_t));
        if (!e->y || !e->u || !e->answers || !v->advice || !e->quality || !v->judged || !v->reading || !v->value ||
            !v->seen_ms)
                return -ENOMEM;
        for (size_t i = 0; i < l->ny; i++)
                v->judged[i] = l->y[i].kind != Y_VALVE;
        for (size_t i = 0; i < npoint; i++)
                v->value[i] = (double)NAN;
        choose_steps(e);
        find_meters(e);
        r = series_create(&e->series, l->nu, v->a->site->fast_step_ms);
        return r < 0 ? r : create_models(v);
}

static void destroy(struct evaluator *v)
{
        hindsight_free(v->hindsight);
        evidence_free(v->evidence);
        safety_model_free(&v->model);
        free(v->advice);
        free(v->judged);
        free(v->reading);
        free(v->u_ahead);
        free(v->d_ahead);
        free(v->y);
        free(v->work);
        free(v->offset);
        free(v->value);
        free(v->seen_ms);
}

void evaluate_free(struct evaluation *e)
{
        free(e->y);
        free(e->u);
        free(e->answers);
        free(e->day);
        free(e->quality);
        series_free(&e->series);
        gate_envelope_free(&e->envelope);
        layout_free(e->layout);
        *e = (struct evaluation){0};
}

enum evaluate_group evaluate_group(const struct evaluation *e, size_t y)
{
        return e->layout->y[y].kind == Y_INLET ? GROUP_INLET : GROUP_SUPPLY;
}

/* --- days -------------------------------------------------------------------------------------------------------- */

/* Days come in order; a clock that was set back may come again to one that is there. NULL: no memory. */
static struct evaluate_day *day_of(struct evaluation *e, int64_t t_ms)
{
        const int64_t day_ms = series_floor(t_ms, DAY_MS);
        struct evaluate_day *more;

        for (size_t k = e->nday; k-- > 0;)
                if (e->day[k].t_ms == day_ms)
                        return &e->day[k];
        if ((e->nday & (e->nday + 1)) == 0) { /* full: the next power of two */
                more = realloc(e->day, (2 * e->nday + 2) * sizeof *more);
                if (!more)
                        return NULL;
                e->day = more;
        }
        e->day[e->nday] = (struct evaluate_day){.t_ms = day_ms};
        return &e->day[e->nday++];
}

static void on_forecast(void *ctx, size_t i, int64_t t_ms, const struct hindsight_score *s)
{
        struct evaluator *v = ctx;
        const enum evaluate_group g = evaluate_group(v->e, i);
        struct evaluate_day *day = day_of(v->e, t_ms); /* is there since its decision */

        hindsight_score_merge(&v->e->y[i].forecast, s);
        hindsight_score_merge(&v->e->all.forecast[g], s);
        if (day)
                hindsight_score_merge(&day->sum.forecast[g], s);
}

/* --- samples ----------------------------------------------------------------------------------------------------- */

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

/* --- one decision ------------------------------------------------------------------------------------------------ */

static void skip(struct evaluation *e, const char *why)
{
        size_t k = 0;

        while (k < e->nskip && strcmp(e->skip[k].why, why) != 0)
                k++;
        if (k == EVALUATE_WHYS)
                return;
        if (k == e->nskip)
                e->skip[e->nskip++] = (struct evaluate_skip){why, 0};
        e->skip[k].n++;
}

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

/* Which inlet was the hottest is not stored with the decision: the row that was read so, if it was read as that. */
static void find_measured(struct evaluator *v, const struct store_decision *d)
{
        const int row = hottest_row(v);

        if (!isfinite(d->worst_inlet_c)) /* rooms without inlet sensors */
                add_heat(v, HEAT_MEASURED, row >= 0 ? v->reading[row] : (double)NAN, row, d->t_ms);
        else if (row >= 0 && fabs(v->reading[row] - d->worst_inlet_c) < SAME_K)
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
                skip(v->e, why);
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
        const size_t hour = (size_t)((d->t_ms - series_floor(d->t_ms, DAY_MS)) / HOUR_MS);

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

static int score_decision(struct evaluator *v, const struct store_record *rec, bool follows, int readable)
{
        const struct store_decision *d = &rec->d;
        struct evaluation *e = v->e;
        const bool shadow = strcmp(d->mode, "SHADOW") == 0;
        int r;

        v->today = day_of(e, d->t_ms);
        if (!v->today)
                return -ENOMEM;
        begin_moment(v, d, shadow);
        e->scored++;
        e->shadow += shadow;
        e->reason[(unsigned)d->kind % EVALUATE_KINDS][(unsigned)d->reason % EVALUATE_REASONS]++;
        count_step(&e->all, d);
        count_step(&v->today->sum, d);
        add_heat(v, HEAT_MEASURED, d->worst_inlet_c, -1, d->t_ms);
        add_heat(v, HEAT_WORST_CASE, e->hard_c - d->cert->margin, d->cert->binding_y, d->t_ms);
        score_variables(v, d, shadow);
        r = read_samples(v, d->t_ms);
        if (r < 0)
                return r;
        v->moment.measured_w = measured_w(v, d->t_ms);
        score_power_add(&e->all.power, d->predicted_w, v->moment.measured_w);
        score_power_add(&v->today->sum.power, d->predicted_w, v->moment.measured_w);
        if (readable == 0) {
                r = score_evidence(v, rec, follows && v->follows_evidence);
                v->follows_evidence = true;
                return r;
        }
        skip(e, !rec->stored           ? "nothing is stored of what it was made on"
                : readable == -ENODATA ? "its evidence follows one that is not stored"
                                       : "its evidence is of another version, or damaged");
        v->follows_evidence = false;
        hindsight_end(v->hindsight);
        return 0;
}

/* Neither its figures nor its time are the gate's. What follows it begins anew. */
static void leave_out_changed(struct evaluator *v)
{
        v->e->changed++;
        v->pending++;
        skip(v->e, "the record was changed after it was written");
        v->follows_evidence = false;
        hindsight_end(v->hindsight);
}

/* Of a wrong clock: at no time that is one of this record. */
static void leave_out_stray(struct evaluator *v, int64_t t_ms)
{
        struct store_stray *s = &v->e->stray[STORE_DECISIONS];

        s->first_ms = s->rows == 0 || t_ms < s->first_ms ? t_ms : s->first_ms;
        s->last_ms = s->rows == 0 || t_ms > s->last_ms ? t_ms : s->last_ms;
        s->rows++;
        v->follows_evidence = false;
        hindsight_end(v->hindsight);
}

static void add_gap(struct evaluation *e, int64_t after_ms, int64_t missing_ms)
{
        e->gaps++;
        e->gap_ms += missing_ms;
        if (missing_ms > e->longest_gap_ms) {
                e->longest_gap_ms = missing_ms;
                e->longest_gap_t_ms = after_ms;
        }
}

static void note_gap(struct evaluator *v, int64_t t_ms)
{
        const int64_t step_ms = v->a->site->fast_step_ms, gap_ms = t_ms - v->t_ms;

        if (v->any && gap_ms > step_ms * 3 / 2)
                add_gap(v->e, v->t_ms, gap_ms - step_ms);
}

/* Changed decisions at either end: a step each, as the times they bear may be what was changed. */
static void begin_span(struct evaluator *v, int64_t t_ms)
{
        const int64_t missing_ms = (int64_t)v->pending * v->a->site->fast_step_ms;

        v->e->first_ms = t_ms - missing_ms;
        if (missing_ms > 0)
                add_gap(v->e, v->e->first_ms, missing_ms);
}

static void end_span(struct evaluator *v)
{
        const int64_t missing_ms = (int64_t)v->pending * v->a->site->fast_step_ms;

        if (!v->any || missing_ms == 0)
                return;
        add_gap(v->e, v->t_ms, missing_ms);
        v->e->last_ms += missing_ms;
}

static int on_record(void *ctx, const struct store_record *rec)
{
        struct evaluator *v = ctx;
        struct evaluation *e = v->e;
        const int64_t step_ms = v->a->site->fast_step_ms, since_ms = rec->d.t_ms - v->t_ms;
        const bool same_run = rec->run_id == v->run_id;
        /* as the gate takes rows: a step soon after another sees the same window, one late begins a new one */
        const bool again = v->any && same_run && since_ms >= 0 && since_ms <= step_ms / 2,
                   follows = v->any && same_run && since_ms > step_ms / 2 && since_ms < 2 * step_ms;
        int r = 0, readable;

        if (!same_run) {
                evidence_lost(v->evidence);
                memset(v->advice, 0, e->layout->nu * sizeof *v->advice);
                v->set_id = 0;
        }
        v->run_id = rec->run_id;
        readable = rec->stored ? evidence_read(v->evidence, rec->blob, rec->len) : 0;
        if (!rec->stored)
                readable = -ENODATA;
        if (!rec->in_span)
                return 0;
        if ((rec->d.t_ms < v->from_ms || rec->d.t_ms >= v->to_ms) && (rec->intact || !rec->stored)) {
                leave_out_stray(v, rec->d.t_ms);
                return 0;
        }
        e->decisions++;
        if (rec->stored && !rec->intact) {
                leave_out_changed(v);
                return 0;
        }
        if (!v->any)
                begin_span(v, rec->d.t_ms);
        v->pending = 0;
        e->last_ms = rec->d.t_ms;
        note_gap(v, rec->d.t_ms);
        if (strcmp(rec->config, v->config) != 0)
                skip(e, "its run had another configuration");
        else if (rec->d.nu != e->layout->nu)
                skip(e, "its variables are not those of the site");
        else if (again)
                skip(e, "a hand-back in the same step as another");
        else if ((r = score_decision(v, rec, follows, readable)) == 0)
                series_add(&e->series, &v->moment);
        v->any = true;
        if (!again)
                v->t_ms = rec->d.t_ms;
        if (v->a->progress)
                v->a->progress(v->a->ctx, rec->d.t_ms);
        return r;
}

/* --- writes ------------------------------------------------------------------------------------------------------ */

/* recorded, unfinished, left, and of the first that left: time, point, result. */
static int on_writes(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct evaluate_writes *w = ctx;

        (void)n;
        (void)name;
        w->recorded = (size_t)strtoull(text[0] ? text[0] : "0", NULL, 10);
        w->unfinished = (size_t)strtoull(text[1] ? text[1] : "0", NULL, 10);
        w->left = (size_t)strtoull(text[2] ? text[2] : "0", NULL, 10);
        return 0;
}

static int on_first(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct evaluate_writes *w = ctx;

        (void)n;
        (void)name;
        w->first_t_ms = strtoll(text[0] ? text[0] : "0", NULL, 10);
        (void)snprintf(w->first, sizeof w->first, "%s: %s", text[1] ? text[1] : "?", text[2] ? text[2] : "?");
        return 0;
}

#define NO_WRITES                                                                                                      \
        " FROM action a JOIN run r ON r.id = a.run_id LEFT JOIN decision d ON d.id = a.decision_id"                    \
        " WHERE a.t_ms >= ?1 AND a.t_ms < ?2 AND (r.mode IN ('shadow', 'replay') OR d.mode = 'SHADOW')"
/* ?3 WRITE_PENDING, ?4 WRITE_NOT_SENT, ?5 WRITE_REJECTED_INVALID_SETTING: with no register's value it is the codec's */
#define UNFINISHED "(a.result = ?3 AND a.outcome_t_ms IS NULL)"
#define LEFT                                                                                                           \
        "NOT (" UNFINISHED " OR (a.read_back IS NULL AND (a.result = ?4 OR (a.result = ?5 AND a.written IS NULL))))"

static int count_writes(struct evaluator *v)
{
        const struct store_param param[] = {{.i = v->a->from_ms},
                                            {.i = v->a->to_ms},
                                            {.i = WRITE_PENDING},
                                            {.i = WRITE_NOT_SENT},
                                            {.i = WRITE_REJECTED_INVALID_SETTING}};
        const size_t n = sizeof param / sizeof *param;
        struct evaluate_writes *w = &v->e->writes;
        int r = store_query_rows(v->a->store, "SELECT count(*), sum(" UNFINISHED "), sum(" LEFT ")" NO_WRITES, param, n,
                                 on_writes, w);

        if (r == 0 && w->left > 0)
                r = store_query_rows(v->a->store,
                                     "SELECT a.t_ms, (SELECT name FROM point WHERE id = a.point_id),"
                                     " (SELECT name FROM code WHERE kind = 'write_result' AND id = a.result)" NO_WRITES
                                     " AND " LEFT " ORDER BY a.id LIMIT 1",
                                     param, n, on_first, w);
        return r;
}

/* What a write left is told whenever it was; scores are of the record's own time. */
static int find_span(struct evaluator *v)
{
        struct store_stray *stray = v->e->stray;
        int64_t from_ms = v->a->from_ms, to_ms = v->a->to_ms;
        int r = store_true_span(v->a->samples, STORE_SAMPLES, &from_ms, &to_ms, &stray[STORE_SAMPLES]);

        v->from_ms = v->a->from_ms;
        v->to_ms = v->a->to_ms;
        if (r == 0)
                r = store_true_span(v->a->store, STORE_DECISIONS, &v->from_ms, &v->to_ms, &stray[STORE_DECISIONS]);
        stray[STORE_DECISIONS] = (struct store_stray){0}; /* counted where it is known whether they were changed */
        return r;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

int evaluate_run(const struct evaluate_args *a, struct evaluation *ret)
{
        struct evaluator v = {.a = a, .e = ret, .samples_ms = INT64_MIN};
        int r;

        *ret = (struct evaluation){.site = a->site, .unended = a->unended};
        r = count_writes(&v); /* first: they count where nothing can be scored */
        if (r == 0)
                r = create(&v);
        (void)hash_hex(a->site->hash, HASH_LEN, v.config);
        if (r == 0)
                r = find_span(&v);
        if (r == 0)
                r = store_read_records(a->store, a->from_ms, a->to_ms, EVIDENCE_KEY, on_record, &v);
        if (r == 0) {
                end_span(&v);
                hindsight_end(v.hindsight);
        }
        destroy(&v);
        return r;
}

const char *evaluate_refusal(const struct evaluation *e)
{
        size_t most = 0;

        if (e->scored > 0)
                return NULL;
        for (size_t k = 1; k < e->nskip; k++)
                if (e->skip[k].n > e->skip[most].n)
                        most = k;
        return e->decisions == 0 ? "there are no decisions in this span" : e->nskip > 0 ? e->skip[most].why : "";
}
