/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/evaluate_internal.h"

#define SETS_BYTES ((size_t)64 << 20)
#define AHEAD_S                                                                                                        \
        {                                                                                                              \
                0, 300, 900                                                                                            \
        } /* the first: one step */

_Static_assert((int)SERIES_HEATS == (int)HEAT_COUNT, "a series holds what an evaluation tells apart");

/* --- set-up ------------------------------------------------------------------------------------------------------ */

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
        evaluate_find_meters(e);
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

struct evaluate_day *evaluate_day_of(struct evaluation *e, int64_t t_ms)
{
        const int64_t day_ms = series_floor(t_ms, EVALUATE_DAY_MS);
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
        struct evaluate_day *day = evaluate_day_of(v->e, t_ms); /* is there since its decision */

        hindsight_score_merge(&v->e->y[i].forecast, s);
        hindsight_score_merge(&v->e->all.forecast[g], s);
        if (day)
                hindsight_score_merge(&day->sum.forecast[g], s);
}

/* --- the walk ---------------------------------------------------------------------------------------------------- */

void evaluate_not_scored(struct evaluation *e, const char *why)
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

/* Neither its figures nor its time are the gate's. What follows it begins anew. */
static void leave_out_changed(struct evaluator *v)
{
        v->e->changed++;
        v->pending++;
        evaluate_not_scored(v->e, "the record was changed after it was written");
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
                evaluate_not_scored(e, "its run had another configuration");
        else if (rec->d.nu != e->layout->nu)
                evaluate_not_scored(e, "its variables are not those of the site");
        else if (again)
                evaluate_not_scored(e, "a hand-back in the same step as another");
        else if ((r = evaluate_decision(v, rec, follows, readable)) == 0)
                series_add(&e->series, &v->moment);
        v->any = true;
        if (!again)
                v->t_ms = rec->d.t_ms;
        if (v->a->progress)
                v->a->progress(v->a->ctx, rec->d.t_ms);
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
        r = evaluate_count_writes(a, &ret->writes); /* first: they count where nothing can be scored */
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
