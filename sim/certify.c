/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/certify_assume.h"
#include "sim/certify_gate.h"
#include "sim/certify_world.h"

#define ROUNDING_K 1e-6
#define SETTLE_STEPS 60 /* the plant at its nominal action before the gate starts */
#define LATE_STEP ((uint64_t)(3 * 3600 / CERTIFY_STEP_S))
#define DAY_STEPS (24 * 3600 / CERTIFY_STEP_S)
#define NEAR_K 2.0 /* CERTIFY_BREAK_TURNING */

enum { SLOW_EVERY = 10 };

const char *const certify_plant_name[CERTIFY_PLANTS] = {"random", "upper", "lower", "drift", "unbounded"};
const char *const certify_noise_name[CERTIFY_NOISES] = {"zero", "uniform", "telegraph", "adversarial", "constant"};
const char *const certify_load_name[CERTIFY_LOADS] = {"still", "steps", "ramps", "diurnal"};
const char *const certify_proposer_name[CERTIFY_PROPOSERS] = {
    "sensible", "least", "random", "nan-inf", "bang-bang", "extreme", "flipped", "oscillating", "stale", "missing"};
const char *const certify_break_name[CERTIFY_BREAKS] = {"nothing", "noise", "plant", "filter", "backup", "turning"};

/* Noise as it accumulates in the plant since a certificate, against what the certificate counts: its worst case is at
 * least the noiseless trajectory plus `counted`, the plant is the noiseless trajectory plus `seen`. */
struct accumulated {
        double w_bar[CERTIFY_Y_MAX], w_step[CERTIFY_Y_MAX]; /* of the model that gave it */
        double seen[CERTIFY_Y_MAX], counted[CERTIFY_Y_MAX];
        uint64_t steps;
};

struct episode {
        const struct certify_args *a;
        struct certify_result *res;
        struct certify_site site;
        struct certify_world world;
        struct certify_proposals prop;
        struct certify_signs signs;
        struct certify_automaton unit[2];
        struct rng rng;
        struct certify_gate gate;
        double theta[CERTIFY_TERMS_MAX], from[CERTIFY_TERMS_MAX], to[CERTIFY_TERMS_MAX];
        double y[CERTIFY_Y_MAX], d[CERTIFY_D_MAX], d_hi[CERTIFY_D_MAX];
        double confirmed[CERTIFY_U_MAX], act[CERTIFY_U_MAX];
        double w_bar[CERTIFY_Y_MAX], w_step[CERTIFY_Y_MAX];
        struct accumulated since;     /* the last certificate, */
        bool since_set, since_anchor; /* which assumed truly */
        uint8_t y_ok[CERTIFY_Y_MAX], status[CERTIFY_U_MAX];
};

struct certify_kinds certify_kinds(uint64_t e)
{
        const uint64_t k = e % CERTIFY_PRODUCT * 617 % CERTIFY_PRODUCT; /* 617 and the product have no common factor */

        return (struct certify_kinds){
            .proposer = (enum certify_proposer)(k % CERTIFY_PROPOSERS),
            .plant = (enum certify_plant)(k / CERTIFY_PROPOSERS % CERTIFY_PLANTS),
            .noise = (enum certify_noise)(k / (CERTIFY_PROPOSERS * CERTIFY_PLANTS) % CERTIFY_NOISES),
            .load = (enum certify_load)(k / (CERTIFY_PROPOSERS * CERTIFY_PLANTS * CERTIFY_NOISES)),
        };
}

bool certify_failed(const struct certify_result *r)
{
        const bool lost = r->out || r->no_set || r->no_anchor || r->no_first || r->no_sum || r->resets;

        return r->hard || r->within || r->unfounded || certify_illegal_any(&r->illegal) ||
               (r->strict && r->kind.plant != CERTIFY_DRIFT && lost);
}

__attribute__((format(printf, 2, 3))) static void note(struct episode *e, const char *format, ...)
{
        va_list args;

        if (e->res->first[0])
                return;
        va_start(args, format);
        (void)vsnprintf(e->res->first, sizeof(e->res->first), format, args);
        va_end(args);
}

static bool broken_now(const struct episode *e, enum certify_break how, uint64_t k)
{
        return e->a->broken == how && (how == CERTIFY_BREAK_TURNING || k >= e->a->steps / 2);
}

static void read_noise_bounds(struct episode *e)
{
        for (size_t i = 0; i < e->site.st.ny; i++) {
                struct arx_row_info info;

                arx_row_info(e->gate.model, i, &info);
                e->w_bar[i] = info.w_bar;
                e->w_step[i] = info.w_step;
        }
}

/* The plant as the gate finds it: on its nominal action, settled. */
static void settle(struct episode *e)
{
        const struct certify_kinds *kind = &e->res->kind;
        const size_t n = e->site.units;
        double next[CERTIFY_Y_MAX], w[CERTIFY_Y_MAX] = {0};

        certify_draw(&e->site, kind->plant, &e->rng, e->from);
        certify_draw(&e->site, kind->plant, &e->rng, e->to);
        memcpy(e->theta, e->from, sizeof(e->theta));
        certify_world_init(&e->world, &e->site, kind->load, &e->rng);
        certify_world_read(&e->world, e->site.env.horizon, e->d, e->d_hi);
        for (size_t j = 0; j < e->site.st.nu; j++)
                e->confirmed[j] = e->site.u[j].nominal;
        for (size_t i = 0; i < 2 * n; i++)
                e->y[i] = i < n ? 23 : 18;
        for (size_t k = 0; k < SETTLE_STEPS; k++) {
                certify_advance(&e->site, e->theta, e->y, e->confirmed, e->d, w, next);
                memcpy(e->y, next, sizeof(next));
        }
        memset(e->y_ok, COND_TRUE, e->site.st.ny);
        e->unit[0].on = e->unit[1].on = true;
}

static const struct safety_decision *decide(struct episode *e, uint64_t k)
{
        const size_t n = e->site.units;
        const struct safety_decision *dec;
        struct safety_snapshot snap = {.t_ms = (int64_t)((double)k * CERTIFY_STEP_S * 1000),
                                       .mono_s = (double)k * CERTIFY_STEP_S,
                                       .window = certify_gate_window(&e->gate),
                                       .u_confirmed = e->confirmed,
                                       .d_hi = e->d_hi,
                                       .y_ok = e->y_ok,
                                       .onoff_status = e->status,
                                       .cooling_load_w = e->d[n],
                                       .slow_step = k % SLOW_EVERY == 0};
        struct safety_proposal p = {.u = e->prop.u, .in_distribution = true};
        double start, cpu_start;

        for (size_t j = 2 * n + 1; j < 2 * n + 3; j++)
                e->status[j] = e->confirmed[j] >= 0.5;
        p.present =
            certify_propose(&e->site, e->res->kind.proposer, k, e->y, e->confirmed, snap.slow_step, &e->rng, &e->prop);
        start = certify_clock_s(false);
        cpu_start = certify_clock_s(true);
        dec = safety_filter(e->gate.safety, &snap, &p);
        certify_time_add(&e->res->cpu, certify_clock_s(true) - cpu_start);
        certify_time_add(&e->res->time, certify_clock_s(false) - start);
        return dec;
}

/* ARCHITECTURE.md: not-certifiable, sensor and FALLBACK carry none; of a HOLD the margin and the fraction say it. */
static bool is_certified(const struct safety_decision *dec)
{
        const struct safety_certificate *c = decision_certificate(dec);

        return c->verified && c->margin >= -1e-9 && decision_kind(dec) != DECISION_FALLBACK &&
               decision_reason(dec) != DR_NOT_CERTIFIABLE && decision_reason(dec) != DR_SENSOR &&
               (decision_kind(dec) != DECISION_HOLD || c->fraction > 0);
}

static bool less_cooling(const struct safety_u *u, double a, double than)
{
        return u->safe_dir * (a - than) < -1e-9;
}

/* What the decision writes, and whether it may. */
static void actuate(struct episode *e, uint64_t k, const struct safety_decision *dec, bool certified)
{
        size_t nu;
        const double *u = decision_u(dec, &nu);
        const size_t n = e->site.units;

        for (size_t j = 0; j < nu; j++) {
                const struct safety_u *v = &e->site.u[j];
                const double was = e->confirmed[j], now_s = (double)k * CERTIFY_STEP_S;
                uint64_t bad;

                e->act[j] = u[j];
                if (broken_now(e, CERTIFY_BREAK_FILTER, k))
                        e->act[j] = isfinite(e->prop.u[j]) ? e->prop.u[j] : was;
                bad = certify_judge_value(v, e->act[j], was, &e->res->illegal);
                if (v->kind == SAFETY_U_ONOFF)
                        bad += certify_judge_unit(v, e->act[j], now_s, &e->unit[j - (2 * n + 1)], &e->res->illegal);
                if (j < 2 * n && k >= LATE_STEP)
                        e->res->late_travel += fabs(e->act[j] - was) / (v->hi - v->lo);
                if (bad > 0)
                        note(e, "step %" PRIu64 ": variable %zu illegal: %.9g after %.9g", k, j, e->act[j], was);
                if (j < 2 * n && !certified && less_cooling(v, e->act[j], was) &&
                    less_cooling(v, e->act[j], v->nominal)) {
                        e->res->unfounded++;
                        note(e, "step %" PRIu64 ": variable %zu less cooling without a certificate: %.9g after %.9g", k,
                             j, e->act[j], was);
                }
        }
}

static void accumulate_from(const struct episode *e, struct accumulated *n)
{
        *n = (struct accumulated){0};
        memcpy(n->w_bar, e->w_bar, sizeof(n->w_bar));
        memcpy(n->w_step, e->w_step, sizeof(n->w_step));
}

static void accumulate(const struct episode *e, const double *w, struct accumulated *n)
{
        const struct arx_structure *st = &e->site.st;
        double seen[CERTIFY_Y_MAX], counted[CERTIFY_Y_MAX];

        for (size_t i = 0; i < st->ny; i++) {
                seen[i] = w[i];
                counted[i] = n->steps == 0 ? n->w_bar[i] : n->w_step[i];
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++)
                        if (st->term[t].src == ARX_SRC_Y) {
                                seen[i] += e->theta[t] * n->seen[st->term[t].index];
                                counted[i] += e->theta[t] * n->counted[st->term[t].index];
                        }
        }
        memcpy(n->seen, seen, st->ny * sizeof(*seen));
        memcpy(n->counted, counted, st->ny * sizeof(*counted));
        n->steps++;
}

static bool noise_counted(const struct accumulated *n, size_t i)
{
        return n->seen[i] <= n->counted[i] + 1e-12;
}

/* What becomes of `act` followed by full cooling under the worst that was declared. */
struct branch {
        double hottest_c;
        bool out, unexplained; /* beyond the bound; and there although no more noise than counted */
        bool no_first, no_sum; /* some inlet met more noise than counted, in the first step, later */
};

static void look_at(const struct episode *e, const double *y, double bound_c, const struct accumulated *n,
                    struct branch *b)
{
        for (size_t i = 0; i < e->site.units; i++) {
                const bool counted = noise_counted(n, i);

                b->hottest_c = fmax(b->hottest_c, y[i]);
                b->no_first = b->no_first || (!counted && n->steps == 1);
                b->no_sum = b->no_sum || (!counted && n->steps > 1);
                if (y[i] <= bound_c + ROUNDING_K)
                        continue;
                b->out = true;
                b->unexplained = b->unexplained || counted;
        }
}

static void follow_backup(const struct episode *e, uint64_t at, const double *act, double bound_c, struct branch *ret)
{
        const struct certify_site *s = &e->site;
        double y[CERTIFY_Y_MAX], next[CERTIFY_Y_MAX] = {0}, u[CERTIFY_U_MAX], d[CERTIFY_D_MAX], w[CERTIFY_Y_MAX];
        struct certify_signs signs = e->signs;
        struct rng r = e->rng; /* a copy: the episode's own noise does not depend on what is tried */
        struct accumulated n;

        accumulate_from(e, &n);
        *ret = (struct branch){.hottest_c = -(double)INFINITY};
        memcpy(y, e->y, sizeof(y));
        memcpy(u, act, s->st.nu * sizeof(*u));
        memcpy(d, e->d_hi, sizeof(d));
        d[s->units + 1] = fmax(d[s->units + 1], act[2 * s->units]);
        for (size_t k = 0; k < s->env.horizon; k++) {
                certify_draw_noise(s, e->res->kind.noise, y, &r, &signs, w);
                for (size_t i = 0; i < s->st.ny && e->a->broken == CERTIFY_BREAK_TURNING; i++)
                        w[i] = CERTIFY_NOISE_K;
                accumulate(e, w, &n);
                certify_advance(s, e->theta, y, u, d, w, next);
                memcpy(y, next, sizeof(y));
                look_at(e, y, bound_c, &n, ret);
                for (size_t i = 0; i < s->units && !broken_now(e, CERTIFY_BREAK_BACKUP, at); i++) {
                        u[2 * i] = s->u[2 * i].lo;
                        u[2 * i + 1] = s->u[2 * i + 1].hi;
                }
        }
}

/* Which claim of the strict kind does not hold, of a plant that stays as it is; NULL: none. */
static const char *lost(const struct episode *e, const struct branch *b)
{
        if (!e->a->strict || e->res->kind.plant == CERTIFY_DRIFT)
                return NULL;
        return !e->since_set      ? "the plant is outside the learned set"
               : !e->since_anchor ? "the window's noise is more than counted"
               : b->no_first      ? "the noise of the first step is more than counted"
               : b->no_sum        ? "the noise of later steps is more than counted"
               : b->out           ? "the certificate breaks"
                                  : NULL;
}

static void try_certificate(struct episode *e, uint64_t k, const struct safety_decision *dec)
{
        const struct arx_window w = certify_gate_window(&e->gate);
        const double limit_c = e->site.cert[0].hi, margin_k = decision_certificate(dec)->margin;
        struct certify_result *r = e->res;
        struct branch b;
        size_t nu;
        bool within;

        follow_backup(e, k, decision_u(dec, &nu), limit_c - margin_k, &b);
        accumulate_from(e, &e->since);
        e->since_set = certify_in_set(e->gate.model, e->theta);
        e->since_anchor = certify_in_anchor(e->gate.model, &w, e->theta);
        within = e->since_set && e->since_anchor && b.unexplained;
        r->certified++;
        r->terminal += decision_certificate(dec)->terminal;
        r->first_certified = r->certified == 1 ? k : r->first_certified;
        r->margin_sum_k += margin_k;
        r->margin_min_k = fmin(r->margin_min_k, margin_k);
        r->no_set += !e->since_set;
        r->no_anchor += !e->since_anchor;
        r->no_first += b.no_first;
        r->no_sum += b.no_sum;
        r->out += b.out;
        r->within += within;
        if (b.out)
                r->out_k = fmax(r->out_k, b.hottest_c - (limit_c - margin_k));
        r->over += b.out && b.hottest_c > limit_c + ROUNDING_K;
        if (lost(e, &b))
                note(e, "step %" PRIu64 ": %s", k, lost(e, &b));
        if (within)
                note(e, "step %" PRIu64 ": the certificate says %.6f C at most, the plant reaches %.6f", k,
                     limit_c - margin_k, b.hottest_c);
}

static void count_decision(struct episode *e, uint64_t k, const struct safety_decision *dec)
{
        struct certify_result *r = e->res;
        const enum decision_reason why = decision_reason(dec);
        const bool sensible = r->kind.proposer == CERTIFY_SENSIBLE && decision_kind(dec) <= DECISION_PROJECT,
                   cut = sensible && decision_kind(dec) == DECISION_PROJECT;

        r->steps++;
        r->kind_steps[decision_kind(dec)]++;
        r->reason_steps[why]++;
        r->judged += sensible;
        r->cut += cut;
        r->cut_robust += cut && (why == DR_WORST_CASE || why == DR_NOT_CERTIFIABLE);
        r->judged_late += sensible && k >= LATE_STEP;
        r->cut_late += cut && k >= LATE_STEP;
}

static void move_plant(struct episode *e, uint64_t k)
{
        const double part = 0.5 - 0.5 * cos(6.283185307179586 * (double)k / DAY_STEPS);

        if (e->res->kind.plant == CERTIFY_DRIFT)
                for (size_t t = 0; t < e->site.st.nterm; t++)
                        e->theta[t] = e->from[t] + part * (e->to[t] - e->from[t]);
        if (broken_now(e, CERTIFY_BREAK_PLANT, k))
                for (size_t t = 0; t < e->site.st.nterm; t++)
                        e->theta[t] = e->from[t] * (e->site.term[t].src == ARX_SRC_D && !e->site.term[t].sum1 ? 3 : 1);
}

static void draw_noise(struct episode *e, uint64_t k, double *ret_w)
{
        double hottest = -(double)INFINITY;

        certify_draw_noise(&e->site, e->res->kind.noise, e->y, &e->rng, &e->signs, ret_w);
        for (size_t i = 0; i < e->site.units; i++)
                hottest = fmax(hottest, e->y[i]);
        for (size_t i = 0; i < e->site.st.ny; i++) {
                if (broken_now(e, CERTIFY_BREAK_NOISE, k))
                        ret_w[i] = 20 * CERTIFY_NOISE_K;
                if (broken_now(e, CERTIFY_BREAK_TURNING, k))
                        ret_w[i] = hottest > e->site.cert[0].hi - NEAR_K ? CERTIFY_NOISE_K : -CERTIFY_NOISE_K;
        }
}

/* Was the last certificate given in the last horizon, and did something it assumes not hold? */
static bool excused(const struct episode *e, size_t inlet)
{
        return e->res->certified > 0 && e->since.steps <= e->site.env.horizon &&
               !(e->since_set && e->since_anchor && noise_counted(&e->since, inlet));
}

static void count_hard(struct episode *e, uint64_t k, bool certified)
{
        struct certify_result *r = e->res;

        for (size_t i = 0; i < e->site.units; i++) {
                const bool outside = excused(e, i);

                r->hottest_c = fmax(r->hottest_c, e->y[i]);
                if (e->y[i] <= e->site.cert[i].hi + ROUNDING_K)
                        continue;
                r->hard += !outside;
                r->hard_outside += outside;
                r->hard_covered += certified;
                note(e, "step %" PRIu64 ": inlet %zu at %.4f C, %s%s", k + 1, i, e->y[i],
                     certified ? "certified" : "not certified",
                     !outside           ? ""
                     : !e->since_set    ? ", plant outside the learned set"
                     : !e->since_anchor ? ", window noise beyond its bound"
                                        : ", noise beyond its bound");
        }
}

/* From one decision to the next; the window's last row becomes what was in force. */
static void run_plant(struct episode *e, uint64_t k)
{
        const struct arx_structure *st = &e->site.st;
        double next[CERTIFY_Y_MAX] = {0}, w[CERTIFY_Y_MAX];

        move_plant(e, k);
        memcpy(e->confirmed, e->act, st->nu * sizeof(double));
        certify_world_advance(&e->world, k, e->confirmed[2 * e->site.units], &e->rng);
        certify_world_read(&e->world, e->site.env.horizon, e->d, e->d_hi);
        draw_noise(e, k, w);
        accumulate(e, w, &e->since);
        certify_advance(&e->site, e->theta, e->y, e->confirmed, e->d, w, next);
        certify_gate_in_force(&e->gate, e->confirmed, e->d);
        memcpy(e->y, next, sizeof(next));
}

static void run(struct episode *e)
{
        for (uint64_t k = 0; k < e->a->steps; k++) {
                const struct safety_decision *dec;
                bool certified;

                certify_gate_push(&e->gate, e->y, e->confirmed, e->d);
                dec = decide(e, k);
                certified = is_certified(dec);
                count_decision(e, k, dec);
                if (certified)
                        try_certificate(e, k, dec);
                actuate(e, k, dec, certified);
                run_plant(e, k);
                count_hard(e, k, certified);
                if (certify_gate_learn(&e->gate, e->y))
                        read_noise_bounds(e);
        }
}

static uint64_t count_resets(const struct episode *e)
{
        uint64_t n = 0;

        for (size_t i = 0; i < e->site.st.ny; i++) {
                struct arx_row_info info;

                arx_row_info(e->gate.model, i, &info);
                n += info.resets + info.contradictions;
        }
        return n;
}

int certify_episode(const struct certify_args *a, struct certify_result *ret)
{
        struct certify_result res = {.number = a->number,
                                     .kind = certify_kinds(a->number),
                                     .strict = a->strict,
                                     .first_certified = a->steps,
                                     .hottest_c = -(double)INFINITY,
                                     .margin_min_k = (double)INFINITY};
        struct episode *e;
        int r;

        if (a->units < 1 || a->units > CERTIFY_UNITS_MAX || a->steps < 1)
                return -EINVAL;
        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->a = a;
        e->res = &res;
        rng_seed(&e->rng, a->seed, a->number);
        certify_site_init(&e->site, a->units, a->horizon, res.kind.plant != CERTIFY_UNBOUNDED);
        r = certify_gate_create(&e->gate, &e->site, a->strict ? CERTIFY_NOISE_K : 0);
        if (r == 0) {
                read_noise_bounds(e);
                settle(e);
                run(e);
                res.resets = count_resets(e);
                if (certify_failed(&res))
                        note(e, "a row began anew");
                *ret = res;
        }
        certify_gate_free(&e->gate);
        free(e);
        return r;
}
