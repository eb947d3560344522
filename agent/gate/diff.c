/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/recorded.h"

enum { VARS_MAX = 2048, NO_INDEX = -1 };

struct side {
        struct store *store;
        struct store_records *walk;
        const struct store_record *rec; /* the next in the span that was not there before; NULL: no more */
        int64_t t_ms, run_id;           /* of it */
        bool begun;                     /* one of them was compared or counted */
        /* of its run */
        char config[65];
        struct site_text *text;
        size_t ntext;
        struct site *site;
        struct recorded made;
        bool readable; /* `made` can read evidence */
        bool read;     /* of rec it was read */
        struct safety_snapshot snap;
        int *var; /* [nu] its variables in diff.var */
        size_t nu, filled;
        int at[VARS_MAX]; /* and back */
        int failed;       /* of on_var */
};

struct walk {
        struct side side[2];
        struct diff *d;
        size_t cap;
        bool configured; /* d->config is of these two */
        int *y, *d_of;   /* [ny], [nd] of A: index of the same reading in B */
};

const char *diff_part_str(enum diff_part p)
{
        static const char *const name[DIFF_PARTS] = {
            [DIFF_READINGS] = "readings",      [DIFF_HISTORY] = "history",
            [DIFF_EXPECTED] = "load expected", [DIFF_CONFIRMED] = "setpoints in force",
            [DIFF_FREE] = "what may be moved", [DIFF_TIMERS] = "machine timers",
            [DIFF_MODEL] = "model set",        [DIFF_PROPOSAL] = "proposal"};

        return (unsigned)p < DIFF_PARTS ? name[p] : "unknown";
}

const char *diff_unit(const char *unit)
{
        return strcmp(unit, "degC") == 0 ? "K" : unit;
}

static bool same(double a, double b)
{
        return a == b || (isnan(a) && isnan(b));
}

static bool same_all(const double *a, const double *b, size_t n)
{
        size_t i = 0;

        while (i < n && same(a[i], b[i]))
                i++;
        return i == n;
}

/* --- a run's configuration and variables ------------------------------------------------------------------------- */

static void forget_config(struct side *s)
{
        recorded_free(&s->made);
        s->readable = false;
        s->site = site_free(s->site);
        free(s->text);
        s->text = NULL;
        s->ntext = 0;
}

/* What cannot be read stays unknown; only want of memory and a failing database are errors. */
static int take_config(struct walk *w, struct side *s)
{
        struct site_errors *errors = NULL;
        int r;

        forget_config(s);
        (void)snprintf(s->config, sizeof s->config, "%s", s->rec->config);
        free(w->y);
        free(w->d_of);
        w->y = w->d_of = NULL;
        w->configured = false;
        r = store_get_config(s->store, s->config, &s->text, &s->ntext);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = site_load_texts(s->text, s->ntext, &s->site, &errors);
        site_errors_free(errors);
        if (r == 0) {
                r = recorded_create(s->site, &s->made);
                s->readable = r == 0;
        }
        return r == -ENOMEM ? r : 0;
}

static int find_var(struct walk *w, const char *name, const char *unit)
{
        struct diff *d = w->d;
        struct diff_var *v;
        size_t i = 0;

        while (i < d->nvar && strcmp(d->var[i].name, name) != 0)
                i++;
        if (i < d->nvar)
                return (int)i;
        if (i == VARS_MAX)
                return -E2BIG;
        if (i == w->cap) {
                v = realloc(d->var, (2 * i + 32) * sizeof *v);
                if (!v)
                        return -ENOMEM;
                d->var = v;
                w->cap = 2 * i + 32;
        }
        v = &d->var[d->nvar++];
        *v = (struct diff_var){.most = 0};
        (void)snprintf(v->name, sizeof v->name, "%s", name);
        (void)snprintf(v->unit, sizeof v->unit, "%s", unit ? unit : "");
        for (int k = 0; k < 2; k++)
                v->at[k] = v->first_proposal[k] = v->first_action[k] = v->first_confirmed[k] = (double)NAN;
        return (int)i;
}

struct naming {
        struct walk *w;
        struct side *s;
};

static int on_var(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct naming *c = ctx;
        struct side *s = c->s;
        int i = s->filled < s->nu ? find_var(c->w, text[0] ? text[0] : "", text[1]) : 0;

        (void)n;
        (void)name;
        s->failed = i < 0 ? i : 0;
        if (i < 0)
                return 1;
        if (s->filled < s->nu) {
                s->at[i] = (int)s->filled;
                s->var[s->filled++] = i;
                c->w->d->var[i].in[s - c->w->side] = true;
        }
        return 0;
}

/* The variables' names, from the rows of the decision. */
static int take_vars(struct walk *w, struct side *s)
{
        struct naming c = {w, s};
        const struct store_param p = {.i = s->rec->id};
        int r;

        for (size_t i = 0; i < VARS_MAX; i++)
                s->at[i] = NO_INDEX;
        free(s->var);
        s->nu = s->rec->d.nu;
        s->filled = 0;
        s->failed = 0;
        s->var = calloc(s->nu + 1, sizeof *s->var);
        if (!s->var)
                return -ENOMEM;
        r = store_query_rows(s->store, "SELECT point, unit FROM v_setpoints WHERE decision_id = ?1 ORDER BY var", &p, 1,
                             on_var, &c);
        s->nu = s->filled;
        return r < 0 ? r : s->failed;
}

/* --- one side ---------------------------------------------------------------------------------------------------- */

static int look_at(struct walk *w, struct side *s)
{
        const struct store_record *rec = s->rec;
        int r = 0;

        if (strcmp(rec->config, s->config) != 0)
                r = take_config(w, s);
        if (r == 0 && (rec->run_id != s->run_id || rec->d.nu != s->nu)) {
                if (s->readable)
                        evidence_lost(s->made.evidence);
                r = take_vars(w, s);
        }
        s->run_id = rec->run_id;
        s->read = r == 0 && s->readable && rec->stored && evidence_read(s->made.evidence, rec->blob, rec->len) == 0;
        if (s->read)
                evidence_snapshot(s->made.evidence, &s->snap);
        return r;
}

static int advance(struct walk *w, int k)
{
        struct side *s = &w->side[k];
        const int64_t before = s->t_ms;
        const bool any = s->rec != NULL;
        int r;

        while ((r = store_records_next(s->walk, &s->rec)) == 1) {
                r = look_at(w, s);
                if (r < 0)
                        return r;
                if (!s->rec->in_span)
                        continue;
                if (any && s->rec->d.t_ms <= before) {
                        w->d->again[k]++;
                        continue;
                }
                s->t_ms = s->rec->d.t_ms;
                return 0;
        }
        s->rec = NULL;
        return r;
}

/* --- two decisions ----------------------------------------------------------------------------------------------- */

static int find_reading(const struct side *b, const struct side *a, const struct layout_var *v, bool output)
{
        const struct layout *l = b->made.layout;
        const struct layout_var *in = output ? l->y : l->d;

        for (size_t i = 0; i < (output ? l->ny : l->nd); i++) {
                if (in[i].kind != v->kind || (in[i].point < 0) != (v->point < 0))
                        continue;
                if (v->point >= 0 ? strcmp(b->site->point[in[i].point].name, a->site->point[v->point].name) == 0
                                  : v->zone >= 0 && in[i].zone >= 0 &&
                                        strcmp(b->site->zone[in[i].zone].name, a->site->zone[v->zone].name) == 0)
                        return (int)i;
        }
        return NO_INDEX;
}

static int pair_readings(struct walk *w)
{
        const struct side *a = &w->side[0], *b = &w->side[1];
        const struct layout *l = a->made.layout;

        if (w->y)
                return 0;
        w->y = calloc(l->ny + 1, sizeof(int));
        w->d_of = calloc(l->nd + 1, sizeof(int));
        if (!w->y || !w->d_of)
                return -ENOMEM;
        for (size_t i = 0; i < l->ny; i++)
                w->y[i] = find_reading(b, a, &l->y[i], true);
        for (size_t i = 0; i < l->nd; i++)
                w->d_of[i] = find_reading(b, a, &l->d[i], false);
        return 0;
}

static void tell(struct walk *w, const char *name, double a, double b)
{
        if (w->d->reading[0])
                return;
        (void)snprintf(w->d->reading, sizeof w->d->reading, "%s", name);
        w->d->reading_v[0] = a;
        w->d->reading_v[1] = b;
}

static void tell_reading(struct walk *w, const struct layout_var *v, double a, double b)
{
        const struct site *site = w->side[0].site;
        char name[POINT_NAME_MAX];

        if (v->point >= 0)
                (void)snprintf(name, sizeof name, "%s", site->point[v->point].name);
        else
                (void)snprintf(name, sizeof name, "power of %s", v->zone >= 0 ? site->zone[v->zone].name : "a zone");
        tell(w, name, a, b);
}

/* Rows [first, first + n) of two windows, counted from the newest (0). What only one of them reads is left out: that is
 * a difference of the configuration. */
static bool same_rows(struct walk *w, size_t first, size_t n, bool tell)
{
        const struct side *a = &w->side[0], *b = &w->side[1];
        const struct layout *la = a->made.layout, *lb = b->made.layout;
        bool equal = true;

        for (size_t row = first; row < first + n; row++) {
                const double *ya = a->snap.window.y + (a->snap.window.n - 1 - row) * la->ny,
                             *yb = b->snap.window.y + (b->snap.window.n - 1 - row) * lb->ny,
                             *da = a->snap.window.d + (a->snap.window.n - 1 - row) * la->nd,
                             *db = b->snap.window.d + (b->snap.window.n - 1 - row) * lb->nd;

                for (size_t i = 0; i < la->ny + la->nd; i++) {
                        const bool output = i < la->ny;
                        const size_t at = output ? i : i - la->ny;
                        const int to = output ? w->y[at] : w->d_of[at];
                        const double va = output ? ya[at] : da[at];

                        if (to < 0 || same(va, output ? yb[to] : db[to]))
                                continue;
                        equal = false;
                        if (!tell)
                                return false;
                        tell_reading(w, output ? &la->y[at] : &la->d[at], va, output ? yb[to] : db[to]);
                }
        }
        return equal;
}

static bool same_readings(struct walk *w)
{
        const struct safety_snapshot *a = &w->side[0].snap, *b = &w->side[1].snap;
        const struct layout *l = w->side[0].made.layout;
        const bool ramp_known =
            evidence_version(w->side[0].made.evidence) > 1 && evidence_version(w->side[1].made.evidence) > 1;
        const struct {
                const char *name;
                double a, b;
        } value[] = {{"cooling load", a->cooling_load_w, b->cooling_load_w},
                     {"chilled water flow", a->chw_flow_m3s, b->chw_flow_m3s},
                     {"evaporator flow", a->evap_flow_m3s, b->evap_flow_m3s},
                     {"evaporator flow ramp", ramp_known ? a->evap_flow_ramp_per_min : 0,
                      ramp_known ? b->evap_flow_ramp_per_min : 0},
                     {"interlock", a->interlock, b->interlock},
                     {"water may not get warmer", a->no_warmer_water, b->no_warmer_water},
                     {"water may not get colder", a->no_colder_water, b->no_colder_water}};
        bool equal = a->window.n > 0 && b->window.n > 0 ? same_rows(w, 0, 1, true) : a->window.n == b->window.n;

        for (size_t i = 0; i < sizeof value / sizeof value[0]; i++)
                if (!same(value[i].a, value[i].b)) {
                        tell(w, value[i].name, value[i].a, value[i].b);
                        equal = false;
                }
        for (size_t i = 0; i < l->ny; i++)
                if (w->y[i] >= 0 && a->y_ok[i] != b->y_ok[w->y[i]]) {
                        tell_reading(w, &l->y[i], (double)NAN, (double)NAN); /* one of them cannot be used */
                        equal = false;
                }
        return equal;
}

static bool same_history(struct walk *w)
{
        const size_t n = w->side[0].snap.window.n;

        return n == w->side[1].snap.window.n && (n < 2 || same_rows(w, 1, n - 1, false));
}

static bool same_expected(const struct walk *w)
{
        const struct safety_snapshot *a = &w->side[0].snap, *b = &w->side[1].snap;

        for (size_t k = 0; k < w->side[0].made.layout->nd; k++)
                if (w->d_of[k] >= 0 && !same(a->d_hi[k], b->d_hi[w->d_of[k]]))
                        return false;
        return a->slow_step == b->slow_step;
}

static enum diff_state state_of(bool equal)
{
        return equal ? DIFF_EQUAL : DIFF_DIFFERS;
}

/* Values of variables that both have. */
static bool same_vars(const struct walk *w, const double *a, const double *b)
{
        const struct side *s = &w->side[0];

        for (size_t j = 0; j < s->nu; j++) {
                int to = w->side[1].at[s->var[j]];

                if (to >= 0 && !same(a[j], b[to]))
                        return false;
        }
        return true;
}

/* Evidence of both was read: it has as many variables as the decision. */
static bool can_pair_vars(const struct side *s)
{
        return s->nu == s->rec->d.nu && s->nu == s->made.layout->nu;
}

static bool same_free(const struct walk *w)
{
        const struct side *s = &w->side[0];
        const struct safety_snapshot *a = &s->snap, *b = &w->side[1].snap;

        for (size_t j = 0; j < s->nu; j++) {
                const int to = w->side[1].at[s->var[j]];

                if (to >= 0 && (a->u_fixed[j] != b->u_fixed[to] || a->onoff_status[j] != b->onoff_status[to] ||
                                !same(a->u_floor[j], b->u_floor[to])))
                        return false;
        }
        return true;
}

/* The timers behind their version, as many for each variable. */
static bool same_timers(const struct walk *w)
{
        const struct side *s = &w->side[0];
        const struct recorded *ma = &s->made, *mb = &w->side[1].made;
        const double *a = evidence_basis(ma->evidence), *b = evidence_basis(mb->evidence);
        const size_t n = s->nu > 0 ? (ma->nstate - 1) / s->nu : 0;

        if (a[0] != b[0] || (w->side[1].nu > 0 && (mb->nstate - 1) / w->side[1].nu != n))
                return false;
        for (size_t j = 0; j < s->nu; j++) {
                const int to = w->side[1].at[s->var[j]];

                if (to >= 0 && !same_all(a + 1 + j * n, b + 1 + (size_t)to * n, n))
                        return false;
        }
        return true;
}

static int compare_parts(struct walk *w, enum diff_state *state)
{
        struct side *a = &w->side[0], *b = &w->side[1];
        const struct store_decision *da = &a->rec->d, *db = &b->rec->d;
        int r;

        state[DIFF_READINGS] = state[DIFF_HISTORY] = state[DIFF_EXPECTED] = state[DIFF_FREE] = state[DIFF_TIMERS] =
            DIFF_UNKNOWN;
        state[DIFF_CONFIRMED] = state_of(same_vars(w, da->confirmed, db->confirmed));
        state[DIFF_MODEL] = state_of(da->cert->model_hash == db->cert->model_hash);
        state[DIFF_PROPOSAL] = state_of((da->proposal != NULL) == (db->proposal != NULL) &&
                                        (!da->proposal || same_vars(w, da->proposal, db->proposal)));
        if (!a->read || !b->read)
                return 0;
        r = pair_readings(w);
        if (r < 0)
                return r;
        state[DIFF_READINGS] = state_of(same_readings(w));
        state[DIFF_HISTORY] = state_of(same_history(w));
        state[DIFF_EXPECTED] = state_of(same_expected(w));
        if (can_pair_vars(a) && can_pair_vars(b)) {
                state[DIFF_FREE] = state_of(same_free(w));
                state[DIFF_TIMERS] = state_of(same_timers(w));
        }
        return 0;
}

static void count_parts(struct diff *d, const enum diff_state *state, int64_t t_ms)
{
        for (int i = 0; i < DIFF_PARTS; i++) {
                d->part[i].unknown += state[i] == DIFF_UNKNOWN;
                if (state[i] == DIFF_DIFFERS && d->part[i].differs++ == 0)
                        d->part[i].first_ms = t_ms;
        }
}

static void compare_actions(struct walk *w, bool *ret_equal)
{
        const struct side *a = &w->side[0], *b = &w->side[1];

        *ret_equal = a->nu == b->nu;
        for (size_t j = 0; j < a->nu; j++) {
                struct diff_var *v = &w->d->var[a->var[j]];
                const int to = b->at[a->var[j]];
                const double va = a->rec->d.action[j], vb = to >= 0 ? b->rec->d.action[to] : (double)NAN;

                if (to < 0) {
                        *ret_equal = false;
                        continue;
                }
                if (same(va, vb))
                        continue;
                *ret_equal = false;
                if (v->n++ > 0 && !(fabs(va - vb) > v->most))
                        continue;
                v->most = fabs(va - vb);
                v->most_ms = a->t_ms;
                v->at[0] = va;
                v->at[1] = vb;
        }
}

static void keep_first(struct walk *w, const enum diff_state *state)
{
        struct diff *d = w->d;

        d->first_ms = w->side[0].t_ms;
        memcpy(d->first_part, state, sizeof d->first_part);
        for (int k = 0; k < 2; k++) {
                const struct side *s = &w->side[k];
                const struct store_record *rec = s->rec;
                const struct store_decision *c = &rec->d;
                struct diff_decision *f = &d->first[k];
                const int y = c->cert->binding_y;

                *f = (struct diff_decision){.run_id = rec->run_id,
                                            .step = c->step,
                                            .kind = c->kind,
                                            .reason = c->reason,
                                            .margin = c->cert->margin,
                                            .model_hash = c->cert->model_hash,
                                            .has_proposal = c->proposal != NULL,
                                            .verified = c->cert->verified};
                (void)snprintf(f->mode, sizeof f->mode, "%s", c->mode);
                (void)snprintf(f->version, sizeof f->version, "%s", rec->version);
                (void)snprintf(f->config, sizeof f->config, "%s", rec->config);
                (void)snprintf(f->binding, sizeof f->binding, "%s", c->binding);
                if (isfinite(c->cert->margin) && s->readable && y >= 0 && (size_t)y < s->made.layout->ny)
                        (void)snprintf(f->margin_at, sizeof f->margin_at, "%s",
                                       s->site->point[s->made.layout->y[y].point].name);
                for (size_t j = 0; j < s->nu; j++) {
                        struct diff_var *v = &d->var[s->var[j]];

                        v->first_proposal[k] = c->proposal ? c->proposal[j] : (double)NAN;
                        v->first_action[k] = c->action[j];
                        v->first_confirmed[k] = c->confirmed[j];
                }
        }
}

static unsigned reason_index(enum decision_reason r)
{
        return (unsigned)r < DIFF_REASONS ? (unsigned)r : DIFF_REASONS - 1;
}

static int compare(struct walk *w)
{
        const struct side *a = &w->side[0], *b = &w->side[1];
        const struct store_decision *da = &a->rec->d, *db = &b->rec->d;
        struct diff *d = w->d;
        enum diff_state state[DIFF_PARTS];
        bool actions, equal;
        int r = compare_parts(w, state);

        if (r < 0)
                return r;
        if (d->both++ == 0)
                d->begin_ms = a->t_ms;
        d->end_ms = a->t_ms;
        if (!w->configured && d->equal + 1 == d->both) {
                diff_sites((const struct site *const[]){a->site, b->site},
                           (const struct site_text *const[]){a->text, b->text}, (const size_t[]){a->ntext, b->ntext},
                           &d->config);
                d->config.same = strcmp(a->config, b->config) == 0;
                w->configured = true;
        }
        count_parts(d, state, a->t_ms);
        compare_actions(w, &actions);
        equal = da->kind == db->kind && da->reason == db->reason && strcmp(da->binding, db->binding) == 0 && actions;
        if (equal) {
                d->equal++;
                return 0;
        }
        if (d->equal + 1 == d->both)
                keep_first(w, state);
        d->kind += da->kind != db->kind;
        d->reason += da->reason != db->reason;
        d->binding += strcmp(da->binding, db->binding) != 0;
        d->action += !actions;
        if (da->kind != db->kind)
                d->by_kind[(unsigned)da->kind & 3][(unsigned)db->kind & 3]++;
        if (da->reason != db->reason)
                d->by_reason[reason_index(da->reason)][reason_index(db->reason)]++;
        return 0;
}

/* --- both -------------------------------------------------------------------------------------------------------- */

/* The decision of side k has none beside it. */
static void count_alone(struct walk *w, int k)
{
        struct diff *d = w->d;
        const struct side *s = &w->side[k], *other = &w->side[1 - k];

        if (!other->rec)
                d->after[k]++;
        else if (!other->begun)
                d->before[k]++;
        else if (d->only[k]++ == 0)
                d->only_ms[k] = s->t_ms;
}

static int step(struct walk *w, int *ret_side)
{
        struct side *a = &w->side[0], *b = &w->side[1];
        const bool take[2] = {a->rec && (!b->rec || a->t_ms <= b->t_ms), b->rec && (!a->rec || b->t_ms <= a->t_ms)};
        int r = 0;

        if (take[0] && take[1])
                r = compare(w);
        else
                count_alone(w, take[0] ? 0 : 1);
        for (int k = 0; r == 0 && k < 2; k++)
                if (take[k]) {
                        w->side[k].begun = true;
                        *ret_side = k;
                        r = advance(w, k);
                }
        return r;
}

int diff_run(const struct diff_args *args, struct diff *ret, int *ret_side)
{
        struct walk *w = calloc(1, sizeof *w);
        int r = w ? 0 : -ENOMEM;

        *ret = (struct diff){.config = {.same = true}};
        *ret_side = 0;
        if (!w)
                return r;
        w->d = ret;
        for (int k = 0; r == 0 && k < 2; k++) {
                *ret_side = k;
                w->side[k].store = args->store[k];
                r = store_records_open(args->store[k], args->from_ms, args->to_ms, EVIDENCE_KEY, &w->side[k].walk);
                if (r == 0)
                        r = advance(w, k);
        }
        while (r == 0 && (w->side[0].rec || w->side[1].rec)) {
                if (args->progress)
                        args->progress(args->ctx, w->side[w->side[0].rec ? 0 : 1].t_ms);
                r = step(w, ret_side);
        }
        for (int k = 0; k < 2; k++) {
                forget_config(&w->side[k]);
                free(w->side[k].var);
                store_records_close(w->side[k].walk);
        }
        free(w->y);
        free(w->d_of);
        free(w);
        return r;
}

void diff_free(struct diff *d)
{
        free(d->var);
        d->var = NULL;
        d->nvar = 0;
}
