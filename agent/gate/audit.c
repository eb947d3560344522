/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/gate/recorded.h"

#define SET_DAMAGED "the model set stored with it is damaged"
#define OTHER_VERSION "its evidence is of another version, or damaged"
#define CHANGED "the record was changed after it was written"
#define MARGIN_TOL_K 1e-6 /* another build or processor rounds otherwise */

struct audit {
        const struct site *site;
        struct store *store;
        const struct audit_sink *sink;
        char config[2 * HASH_LEN + 1];
        struct recorded rec;
        const struct layout *layout;         /* of it */
        struct evidence *evidence;           /* of it */
        struct gate_envelope rules_envelope; /* without limits of outputs, so without any model */
        void *rules_mem;
        struct safety *rules;
        double *basis, *action; /* of a decision without evidence */
        uint8_t *kept;          /* [nu] and what it leaves as it was */
        /* the decision before this one */
        int64_t run_id, t_ms, set_id;
        uint64_t step;
        double *last; /* [nu] its action */
        bool any, have_last;
        struct audit_counts counts;
        int64_t from_ms;
};

const char *audit_verdict_str(enum audit_verdict v)
{
        static const char *const name[] = {"holds", "no-certificate", "not-rechecked", "differs"};

        return (unsigned)v < AUDIT_VERDICTS ? name[v] : "unknown";
}

/* --- set-up ------------------------------------------------------------------------------------------------------ */

static int create(struct audit *a)
{
        int r = recorded_create(a->site, &a->rec);

        if (r < 0)
                return r;
        a->layout = a->rec.layout;
        a->evidence = a->rec.evidence;
        r = gate_envelope_build(a->layout, &a->rules_envelope);
        if (r < 0)
                return r;
        for (size_t i = 0; i < a->rules_envelope.safety.ncert; i++)
                a->rules_envelope.cert[i].hi = (double)NAN;
        r = recorded_safety(&a->rules_envelope, &a->rec.model, &a->rules_mem, &a->rules);
        if (r < 0)
                return r;
        a->basis = calloc(a->rec.nbasis, sizeof(double));
        a->action = calloc(a->layout->nu, sizeof(double));
        a->kept = calloc(a->layout->nu, 1);
        a->last = calloc(a->layout->nu, sizeof(double));
        return a->basis && a->action && a->kept && a->last ? 0 : -ENOMEM;
}

static void destroy(struct audit *a)
{
        free(a->last);
        free(a->kept);
        free(a->action);
        free(a->basis);
        free(a->rules_mem);
        gate_envelope_free(&a->rules_envelope);
        recorded_free(&a->rec);
}

/* --- one decision ------------------------------------------------------------------------------------------------ */

static const char *output_name(const struct audit *a, int row)
{
        return row >= 0 && (size_t)row < a->layout->ny ? a->site->point[a->layout->y[row].point].name : "";
}

static bool near(double a, double b)
{
        return (isnan(a) && isnan(b)) || fabs(a - b) <= MARGIN_TOL_K;
}

static void settle(struct audit_decision *o, enum audit_verdict v, const char *why)
{
        o->verdict = v;
        o->why = why;
}

/* Nothing but the record itself: what is changed stays within box and grid, and within rate of what was confirmed.
 * Machines that are switched are left out: their timers are not known. */
static void check_record(struct audit *a, const struct store_record *rec, struct audit_decision *o)
{
        const struct store_decision *d = &rec->d;
        const size_t nu = a->layout->nu;
        const int64_t ratio = a->site->slow_step_ms / a->site->fast_step_ms;
        double *base = a->basis + a->rec.nstate;
        struct safety_recheck r;
        struct safety_snapshot snap = {.u_confirmed = base,
                                       .u_fixed = a->kept,
                                       .d_hi = a->rec.envelope.d_max,
                                       .cooling_load_w = (double)NAN,
                                       .slow_step = ratio <= 1 || d->step % (uint64_t)ratio == 0};

        memset(a->basis, 0, a->rec.nbasis * sizeof(double));
        a->basis[0] = 1;
        for (size_t j = 0; j < nu; j++) {
                bool onoff = a->rec.envelope.u[j].kind == SAFETY_U_ONOFF;

                base[j] = isfinite(d->confirmed[j]) ? d->confirmed[j] : a->have_last ? a->last[j] : d->action[j];
                a->action[j] = onoff ? base[j] >= 0.5 : d->action[j];
                a->kept[j] = onoff || d->action[j] == base[j];
        }
        if (d->cert->verified && safety_recheck(a->rules, &snap, a->basis, a->rec.nbasis, a->action, &r) == 0 &&
            !r.verified)
                settle(o, AUDIT_DIFFERS, "the action is beyond a limit or a rate of what was confirmed");
}

/* The set of the decision into the model; false: settled. */
static bool load_set(struct audit *a, const struct store_record *rec, struct audit_decision *o)
{
        if (evidence_read_set(a->evidence, rec->blob, rec->len) < 0 ||
            arx_set_load(a->rec.model.arx, evidence_set(a->evidence), arx_set_save(a->rec.model.arx, NULL, 0)) < 0) {
                settle(o, AUDIT_DIFFERS, SET_DAMAGED);
                return false;
        }
        o->model_hash = arx_hash(a->rec.model.arx);
        if (o->model_hash == rec->d.cert->model_hash)
                return true;
        settle(o, AUDIT_DIFFERS, "the model set stored is not the one that the decision names");
        return false;
}

static bool any_fitted(const struct audit *a)
{
        struct arx_row_info info = {0};

        for (size_t i = 0; i < a->layout->ny && !info.fitted; i++)
                arx_row_info(a->rec.model.arx, i, &info);
        return info.fitted;
}

/* An accepted proposal was changed by rounding and dead bands only, and by what cannot be moved. */
static bool as_proposed(const struct audit *a, const struct store_decision *d, const struct safety_snapshot *snap,
                        const double *base)
{
        for (size_t j = 0; j < d->nu && d->kind == DECISION_ACCEPT; j++) {
                const struct safety_u *u = &a->rec.envelope.u[j];
                const double p = d->proposal ? d->proposal[j] : (double)NAN, count = 1.001 * u->step;

                if (!(snap->u_fixed[j] || fabs(d->action[j] - p) <= count + 1e-9 * (1 + fabs(p)) ||
                      (fabs(p - base[j]) < u->dead_band && fabs(d->action[j] - base[j]) <= count)))
                        return false;
        }
        return true;
}

static void check_certificate(struct audit *a, const struct store_record *rec, const struct safety_snapshot *snap,
                              struct audit_decision *o)
{
        const struct safety_certificate *c = rec->d.cert;
        const struct safety_envelope *e = &a->rec.envelope.safety;
        const bool fitted = any_fitted(a);
        struct safety_recheck r = {0};

        (void)safety_recheck(a->rec.safety, snap, evidence_basis(a->evidence), a->rec.nbasis, rec->d.action,
                             &r); /* fits */
        o->recomputed = true;
        o->margin = fitted && c->verified ? r.margin : (double)NAN; /* without a fit a margin is none */
        o->binding = output_name(a, r.binding_y);
        if (!r.base_same)
                settle(o, AUDIT_DIFFERS, "the filter counted from another value than what is stored as confirmed");
        else if (c->verified && !r.verified)
                settle(o, AUDIT_DIFFERS, "the second checker refuses the action");
        else if (c->horizon != e->horizon || !(c->delta == e->delta))
                settle(o, AUDIT_DIFFERS, "horizon or confidence is not that of the site");
        else if (!as_proposed(a, &rec->d, snap, evidence_basis(a->evidence) + a->rec.nstate))
                settle(o, AUDIT_DIFFERS, "accepted, but the action is not the proposal");
        else if (!near(c->margin, o->margin))
                settle(o, AUDIT_DIFFERS, "another margin");
        else if (!c->verified)
                settle(o, AUDIT_RULES, "the second checker had disagreed");
        else if (!r.certified)
                settle(o, AUDIT_RULES,
                       rec->d.kind == DECISION_FALLBACK ? "fallback decides without the model"
                       : rec->d.reason == DR_SENSOR     ? "a room could not be read"
                                                        : "a room could not be certified");
        else if (!fitted)
                settle(o, AUDIT_RULES, "no row of the model is fitted yet");
        else if (c->binding_y != r.binding_y)
                settle(o, AUDIT_DIFFERS, "another output binds");
        else if (c->terminal != r.terminal)
                settle(o, AUDIT_DIFFERS,
                       c->terminal ? "the terminal box does not hold" : "the terminal box would hold");
        else if (!r.holds)
                settle(o, AUDIT_DIFFERS, "the worst case passes a limit");
        else
                settle(o, AUDIT_HOLDS, "");
}

/* The set that the decision's evidence starts from; false: settled, it is not there. */
static int take_base(struct audit *a, const struct store_record *rec, struct audit_decision *o, bool *ret_there)
{
        uint64_t hash;
        void *blob = NULL;
        size_t len;
        int r = 0;

        *ret_there = true;
        if (a->set_id == rec->set_id)
                return 0;
        a->set_id = 0;
        *ret_there = false;
        r = store_get_set(a->store, rec->set_id, &hash, &blob, &len);
        if (r == -ENOENT) {
                settle(o, AUDIT_PARTLY, "its model set is no longer stored");
                return 0;
        }
        if (r < 0)
                return r;
        if (evidence_read_base(a->evidence, blob, len) == 0) {
                a->set_id = rec->set_id;
                *ret_there = true;
        } else {
                settle(o, AUDIT_DIFFERS, SET_DAMAGED);
        }
        free(blob);
        return 0;
}

/* The snapshot is there: rules first, which no model is asked for, then the certificate. */
static int check_evidence(struct audit *a, const struct store_record *rec, struct audit_decision *o)
{
        struct safety_snapshot snap;
        struct safety_recheck rules;
        bool there;
        int r;

        evidence_snapshot(a->evidence, &snap);
        snap.t_ms = rec->d.t_ms;
        snap.u_confirmed = rec->d.confirmed;
        if (safety_recheck(a->rules, &snap, evidence_basis(a->evidence), a->rec.nbasis, rec->d.action, &rules) < 0) {
                settle(o, AUDIT_PARTLY, OTHER_VERSION);
                return 0;
        }
        r = take_base(a, rec, o, &there);
        if (r == 0 && there && load_set(a, rec, o))
                check_certificate(a, rec, &snap, o);
        if (rec->d.cert->verified && !rules.verified)
                settle(o, AUDIT_DIFFERS, "the action breaks a limit, a rate or an equipment rule");
        return r;
}

static int judge(struct audit *a, const struct store_record *rec, struct audit_decision *o)
{
        int r = rec->stored ? evidence_read(a->evidence, rec->blob, rec->len) : 0;

        if (strcmp(rec->config, a->config) != 0) {
                settle(o, AUDIT_PARTLY, "its run had another configuration");
                if (rec->stored && !rec->intact)
                        settle(o, AUDIT_DIFFERS, CHANGED);
                return 0;
        }
        if (rec->d.nu != a->layout->nu) {
                settle(o, AUDIT_DIFFERS, "its variables are not those of the site");
                return 0;
        }
        if (rec->stored && r == 0) {
                r = check_evidence(a, rec, o);
        } else {
                settle(o, AUDIT_PARTLY,
                       !rec->stored    ? "nothing is stored of what it was made on"
                       : r == -ENODATA ? "its evidence follows one that is not stored"
                                       : OTHER_VERSION);
                check_record(a, rec, o);
                r = 0;
        }
        if (rec->stored && !rec->intact && o->verdict != AUDIT_DIFFERS)
                settle(o, AUDIT_DIFFERS, CHANGED);
        /* it may count otherwise, and nothing was changed */
        if (rec->intact && o->verdict == AUDIT_DIFFERS && strcmp(rec->version, COOLPLANE_VERSION) != 0)
                settle(o, AUDIT_PARTLY, "another version of coolplane made it and comes to something else");
        return r;
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

static void tell_gap(struct audit *a, const struct audit_gap *g)
{
        a->counts.gaps++;
        a->counts.steps_missing += g->steps;
        a->sink->gap(a->sink->ctx, g);
}

/* Between the decision before and this one, or between the beginning of the span and its first. */
static void check_gap(struct audit *a, const struct store_record *rec)
{
        const int64_t step_ms = a->site->fast_step_ms, since_ms = a->any ? a->t_ms : a->from_ms;
        const bool same_run = a->any && a->run_id == rec->run_id;
        const uint64_t steps = same_run && rec->d.step > a->step + 1 ? rec->d.step - a->step - 1 : 0;

        if (!a->any && a->from_ms == INT64_MIN)
                return;
        if (steps > 0 || rec->d.t_ms - since_ms > step_ms + step_ms / 2)
                tell_gap(a, &(struct audit_gap){.from_ms = since_ms,
                                                .to_ms = rec->d.t_ms,
                                                .run_from = a->any ? a->run_id : 0,
                                                .run_to = rec->run_id,
                                                .steps = steps});
}

static int on_record(void *ctx, const struct store_record *rec)
{
        struct audit *a = ctx;
        struct audit_decision o = {.t_ms = rec->d.t_ms,
                                   .run_id = rec->run_id,
                                   .d = &rec->d,
                                   .margin = (double)NAN,
                                   .binding = "",
                                   .binding_said = output_name(a, rec->d.cert->binding_y)};
        int r;

        if (rec->run_id != a->run_id) {
                evidence_lost(a->evidence);
                a->set_id = 0;
                a->have_last = false;
        }
        if (rec->in_span)
                check_gap(a, rec);
        r = judge(a, rec, &o);
        if (r < 0)
                return r;
        a->any = true;
        a->run_id = rec->run_id;
        a->t_ms = rec->d.t_ms;
        a->step = rec->d.step;
        a->have_last = rec->d.nu == a->layout->nu;
        if (a->have_last)
                memcpy(a->last, rec->d.action, rec->d.nu * sizeof(double));
        if (!rec->in_span)
                return 0;
        a->counts.decisions++;
        a->counts.verdict[o.verdict]++;
        a->sink->decision(a->sink->ctx, &o);
        return 0;
}

int audit_run(const struct site *site, struct store *store, int64_t from_ms, int64_t to_ms,
              const struct audit_sink *sink, struct audit_counts *ret)
{
        struct audit a = {.site = site, .store = store, .sink = sink, .from_ms = from_ms};
        int r = create(&a);

        (void)hash_hex(site->hash, HASH_LEN, a.config);
        if (r == 0)
                r = store_read_records(store, from_ms, to_ms, EVIDENCE_KEY, on_record, &a);
        if (r == 0 && a.any && to_ms < INT64_MAX && to_ms - a.t_ms > site->fast_step_ms + site->fast_step_ms / 2)
                tell_gap(&a, &(struct audit_gap){.from_ms = a.t_ms, .to_ms = to_ms, .run_from = a.run_id});
        if (r == 0)
                *ret = a.counts;
        destroy(&a);
        return r;
}
