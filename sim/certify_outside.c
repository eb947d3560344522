/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_outside.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/assumed.h"
#include "agent/points/quality.h"
#include "sim/certify_gate.h"
#include "sim/certify_pi.h"

#define HOUR ((uint64_t)(3600 / CERTIFY_STEP_S))
#define QUIET_FROM (3 * HOUR)
#define EVENT_FROM (6 * HOUR)
#define STEP_MS 30000

#define GAIN 1.3
#define BIAS_K (-2.0)
#define FOLLOWS 0.5 /* of the way to the room in a step: supply air of a unit that does not cool */
#define LOW_FROM 0.3
#define LOW_TO 0.5
#define WATER_K 4.0
#define WATER_STEPS 20
#define REGISTER_K 0.1 /* of an inlet, deploy/examples */
#define FROZEN_AFTER_MS (30 * 60 * 1000)

#define WARM_C 27.0
#define HARD_C 32.0

enum { SLOW_EVERY = 10, PER_KIND_NOISES = 2 };

const char *const outside_kind_name[OUTSIDE_KINDS] = {"none",   "gain", "unit",       "stuck",
                                                      "biased", "load", "undeclared", "water"};
const char *const outside_controller_name[OUTSIDE_CONTROLLERS] = {"sensible", "pi-filtered", "pi"};
const char *const outside_detector_name[OUTSIDE_DETECTORS] = {"miss",  "declared", "drift",   "low",
                                                              "reset", "assumed",  "quality", "ladder"};

/* The plant and what happens to it: the same for both controllers but for what they write. */
struct hall {
        struct certify_site site;
        enum outside_kind kind;
        enum certify_noise noise;
        uint64_t event;
        size_t at; /* the air handler or inlet of the event */
        double theta[CERTIFY_TERMS_MAX], gained[CERTIFY_TERMS_MAX];
        struct certify_world world;
        struct certify_signs signs;
        struct rng load, chance;
        double y[CERTIFY_Y_MAX], frozen_c;            /* true */
        double d[CERTIFY_D_MAX], d_hi[CERTIFY_D_MAX]; /* d_hi: declared at the step's start */
        double d_past[CERTIFY_WINDOW_MAX][CERTIFY_D_MAX],
            hi_past[CERTIFY_WINDOW_MAX][CERTIFY_D_MAX];      /* rings by step */
        double steps[CERTIFY_D_MAX], change2[CERTIFY_D_MAX]; /* gate_rise */
        double confirmed[CERTIFY_U_MAX];
};

static bool since_event(const struct hall *h, uint64_t k)
{
        return k >= h->event;
}

static bool load_kind(const struct hall *h)
{
        return h->kind == OUTSIDE_LOAD || h->kind == OUTSIDE_UNDECLARED;
}

/* What is in force, with the loads of the kind. */
static void read_world(struct hall *h, uint64_t k)
{
        struct certify_world seen = h->world;
        double unused[CERTIFY_D_MAX];

        for (size_t i = 0; i < h->site.units && load_kind(h); i++)
                seen.level[i] = since_event(h, k)
                                    ? 1
                                    : LOW_FROM + (seen.level[i] - LOW_FROM) / (1 - LOW_FROM) * (LOW_TO - LOW_FROM);
        certify_world_read(&seen, h->site.env.horizon, h->d, unused);
}

static void move_world(struct hall *h, uint64_t k)
{
        const double setpoint_c = h->confirmed[2 * h->site.units];

        if (h->kind == OUTSIDE_WATER && since_event(h, k))
                h->world.floor_c = setpoint_c + WATER_K * fmin((double)(k - h->event + 1) / WATER_STEPS, 1);
        certify_world_advance(&h->world, k, setpoint_c, &h->load);
        read_world(h, k);
}

/* d_hi of the decision of step k, from what is in force until then. */
static void declare(struct hall *h, uint64_t k)
{
        const size_t n = h->site.units, over = h->site.span.window - 1;
        const double *past = h->d_past[(k + CERTIFY_WINDOW_MAX - over) % CERTIFY_WINDOW_MAX];

        memcpy(h->d_past[k % CERTIFY_WINDOW_MAX], h->d, sizeof(h->d));
        for (size_t j = 0; j < h->site.st.nd; j++) {
                const double start = j < n ? GATE_RISE_RACK * h->d[j] : j == n ? GATE_RISE_ZONE * h->d[j] : GATE_RISE_K;

                if (k >= over)
                        gate_rise_learn(&h->site.span, h->d[j] - past[j], over, &h->steps[j], &h->change2[j]);
                if (h->kind == OUTSIDE_UNDECLARED || j == n + 1)
                        h->d_hi[j] = h->d[j] + gate_rise(&h->site.span, start, h->steps[j], h->change2[j]);
                else
                        h->d_hi[j] = h->site.d_max[j];
                if (j <= n)
                        h->d_hi[j] = fmin(h->d_hi[j], h->site.d_max[j]);
        }
        memcpy(h->hi_past[k % CERTIFY_WINDOW_MAX], h->d_hi, sizeof(h->d_hi));
}

/* Is something in force in step k that a decision of the last horizon did not expect? */
static bool beyond_declared(const struct hall *h, uint64_t k)
{
        for (uint64_t back = 0; back < h->site.env.horizon && back <= k; back++)
                for (size_t j = 0; j < h->site.st.nd; j++)
                        if (h->d[j] > h->hi_past[(k - back) % CERTIFY_WINDOW_MAX][j] + 1e-9)
                                return true;
        return false;
}

static void step_plant(struct hall *h, uint64_t k)
{
        const size_t n = h->site.units;
        const bool failed = h->kind == OUTSIDE_UNIT && since_event(h, k);
        double next[CERTIFY_Y_MAX] = {0}, w[CERTIFY_Y_MAX], u[CERTIFY_U_MAX];

        move_world(h, k);
        memcpy(u, h->confirmed, sizeof(u));
        if (failed)
                u[2 * h->at + 1] = 0;
        certify_draw_noise(&h->site, h->noise, h->y, &h->chance, &h->signs, w);
        certify_advance(&h->site, h->kind == OUTSIDE_GAIN && since_event(h, k) ? h->gained : h->theta, h->y, u, h->d, w,
                        next);
        if (failed)
                next[n + h->at] = h->y[n + h->at] + FOLLOWS * (h->y[h->at] - h->y[n + h->at]) + w[n + h->at];
        if (k == h->event)
                h->frozen_c = h->y[h->at];
        memcpy(h->y, next, sizeof(next));
}

/* What the instruments say at step k, the first one that the event can have moved being event + 1. */
static void sense(const struct hall *h, uint64_t k, double *ret_y)
{
        memcpy(ret_y, h->y, h->site.st.ny * sizeof(*ret_y));
        if (k <= h->event)
                return;
        if (h->kind == OUTSIDE_STUCK)
                ret_y[h->at] = h->frozen_c;
        if (h->kind == OUTSIDE_BIAS)
                ret_y[h->at] += BIAS_K;
}

static void hall_init(struct hall *h, const struct outside_args *a)
{
        const uint64_t stream = 4 * a->number;
        double w[CERTIFY_Y_MAX] = {0}, next[CERTIFY_Y_MAX] = {0};
        struct rng r;

        *h = (struct hall){.kind = (enum outside_kind)(a->number % OUTSIDE_KINDS),
                           .noise = a->number / OUTSIDE_KINDS % PER_KIND_NOISES ? CERTIFY_TELEGRAPH : CERTIFY_UNIFORM};
        certify_site_init(&h->site, a->units, 0, true);
        rng_seed(&r, a->seed, stream);
        rng_seed(&h->load, a->seed, stream + 1);
        rng_seed(&h->chance, a->seed, stream + 2);
        h->event = EVENT_FROM + rng_below(&r, (uint32_t)(2 * HOUR));
        h->at = rng_below(&r, (uint32_t)a->units);
        certify_draw(&h->site, CERTIFY_RANDOM, &r, h->theta);
        memcpy(h->gained, h->theta, sizeof(h->gained));
        for (size_t t = 0; t < h->site.row_start[a->units]; t++)
                if (h->site.term[t].src == ARX_SRC_D)
                        h->gained[t] = GAIN * h->site.hi[t];
        certify_world_init(&h->world, &h->site, CERTIFY_STEPS, &h->load);
        for (size_t j = 0; j < h->site.st.nu; j++)
                h->confirmed[j] = h->site.u[j].nominal;
        for (size_t i = 0; i < h->site.st.ny; i++)
                h->y[i] = i < a->units ? 23 : 18;
        read_world(h, 0);
        for (size_t k = 0; k < HOUR / 2; k++) { /* settled on its nominal action */
                certify_advance(&h->site, h->theta, h->y, h->confirmed, h->d, w, next);
                memcpy(h->y, next, sizeof(next));
        }
}

/* --- both controllers ----------------------------------------------------------------------------------------------
 */

/* After step k. */
static void account(const struct hall *h, uint64_t k, struct outside_run *r)
{
        const double minutes = CERTIFY_STEP_S / 60, n = (double)(h->event - QUIET_FROM);
        double hottest = -(double)INFINITY;

        for (size_t i = 0; i < h->site.units; i++) {
                hottest = fmax(hottest, h->y[i]);
                if (!since_event(h, k))
                        continue;
                r->degmin27 += minutes * fmax(h->y[i] - WARM_C, 0);
                r->degmin32 += minutes * fmax(h->y[i] - HARD_C, 0);
        }
        if (since_event(h, k)) {
                r->hottest_c = fmax(r->hottest_c, hottest);
        } else if (k >= QUIET_FROM) {
                r->before_c += hottest / n;
                r->cooling += certify_cooling(&h->site, h->confirmed) / n;
        }
}

static void show(const struct hall *h, const struct outside_args *a, enum outside_controller who, uint64_t k)
{
        double y[CERTIFY_Y_MAX];

        if (!a->see)
                return;
        sense(h, k + 1, y);
        a->see(a->ctx, &(struct outside_view){.who = who,
                                              .k = k,
                                              .event = h->event,
                                              .y = h->y,
                                              .read = y,
                                              .u = h->confirmed,
                                              .d = h->d,
                                              .d_hi = who == OUTSIDE_PI ? NULL : h->d_hi});
}

/* --- the baseline --------------------------------------------------------------------------------------------------
 */

static void run_pi(struct hall *h, const struct outside_args *a, uint64_t steps, struct outside_run *ret)
{
        struct certify_pi l;
        double y[CERTIFY_Y_MAX];

        certify_pi_begin(&h->site, h->y, h->confirmed, a->kp, a->ti_s, &l);
        for (uint64_t k = 0; k < steps; k++) {
                sense(h, k, y);
                certify_pi_step(&h->site, y, h->confirmed, &l);
                memcpy(h->confirmed, l.u, sizeof(h->confirmed));
                step_plant(h, k);
                account(h, k, ret);
                show(h, a, OUTSIDE_PI, k);
        }
}

/* --- the filter, and who speaks -------------------------------------------------------------------------------------
 */

/* What of the gate is run. */
struct parts {
        struct certify_gate model;
        struct point inlet[CERTIFY_UNITS_MAX];
        struct ptable *points;
        struct gate_assumed *assumed;
};

struct watch {
        bool now[OUTSIDE_DETECTORS], was[OUTSIDE_DETECTORS]; /* speaks */
        double drift[CERTIFY_Y_MAX], drift_low[CERTIFY_Y_MAX];
        size_t misses[CERTIFY_Y_MAX], resets[CERTIFY_Y_MAX];
};

/* After a reading was learned from. */
static void watch_model(const struct certify_gate *g, struct watch *w)
{
        for (size_t i = 0; i < g->site->st.ny; i++) {
                struct arx_row_info info;

                arx_row_info(g->model, i, &info);
                w->now[OUTSIDE_MISS] |= info.misses > w->misses[i];
                w->now[OUTSIDE_DRIFT] |= info.drift > 0 && !(w->drift[i] > 0);
                w->now[OUTSIDE_LOW] |= info.drift_low > 0 && !(w->drift_low[i] > 0);
                w->now[OUTSIDE_RESET] |= info.resets > w->resets[i];
                w->misses[i] = info.misses;
                w->drift[i] = info.drift;
                w->drift_low[i] = info.drift_low;
                w->resets[i] = info.resets;
        }
}

/* Reading of step k. */
static void count(const struct hall *h, uint64_t k, struct watch *w, struct outside_result *r)
{
        bool any = false;

        for (size_t q = 0; q < OUTSIDE_DETECTORS; q++) {
                /* what happens at once is an onset each time, what lasts when it begins */
                const bool lasts = q == OUTSIDE_DECLARED || q >= OUTSIDE_QUALITY,
                           onset = w->now[q] && !(lasts && w->was[q]);

                any |= onset && q >= OUTSIDE_TOLD;
                if (k > QUIET_FROM && k <= h->event)
                        r->onset[q] += onset;
                if (k > h->event && onset && r->first[q] == 0)
                        r->first[q] = (uint32_t)(k - h->event);
                w->was[q] = w->now[q];
                w->now[q] = false;
        }
        if (k > QUIET_FROM && k <= h->event) {
                r->quiet_steps++;
                r->false_alarms += any;
        }
        if (k > h->event && any && r->detected == 0)
                r->detected = (uint32_t)(k - h->event);
}

static bool slow_step(uint64_t k)
{
        return k % SLOW_EVERY == 0;
}

static void decide(struct hall *h, struct certify_gate *g, uint64_t k, const double *u, const uint8_t *y_ok,
                   struct watch *w)
{
        const size_t n = h->site.units;
        uint8_t status[CERTIFY_U_MAX] = {0};
        struct safety_snapshot snap = {.t_ms = (int64_t)k * STEP_MS,
                                       .mono_s = (double)k * CERTIFY_STEP_S,
                                       .window = certify_gate_window(g),
                                       .u_confirmed = h->confirmed,
                                       .d_hi = h->d_hi,
                                       .y_ok = y_ok,
                                       .onoff_status = status,
                                       .cooling_load_w = h->d[n],
                                       .slow_step = slow_step(k)};
        struct safety_proposal prop = {.present = true, .u = u, .in_distribution = true};
        const struct safety_decision *dec;
        size_t nu;

        for (size_t j = 2 * n + 1; j < 2 * n + 3; j++)
                status[j] = h->confirmed[j] >= 0.5;
        dec = safety_filter(g->safety, &snap, &prop);
        w->now[OUTSIDE_LADDER] = decision_kind(dec) > DECISION_PROJECT;
        memcpy(h->confirmed, decision_u(dec, &nu), h->site.st.nu * sizeof(double));
}

/* The inlets' readings through the point table: their condition, and NaN for what is not to be learned from. */
static void judge_readings(const struct hall *h, uint64_t k, struct ptable *t, const double *y, double *ret_seen,
                           uint8_t *ret_ok, struct watch *w)
{
        memcpy(ret_seen, y, h->site.st.ny * sizeof(*y));
        for (size_t i = 0; i < h->site.units; i++) {
                struct sample s = {
                    .point = (uint32_t)i, .t_ms = (int64_t)k * STEP_MS, .value = y[i], .raw = round(y[i] / REGISTER_K)};

                ptable_update(t, &s, s.t_ms);
                ret_ok[i] = s.quality == QUALITY_BAD ? COND_ERROR : COND_TRUE;
                if (s.quality != QUALITY_BAD)
                        continue;
                ret_seen[i] = (double)NAN;
                w->now[OUTSIDE_QUALITY] = true;
        }
}

static void watch_assumed(const struct hall *h, struct gate_assumed *a, struct watch *w)
{
        const size_t n = h->site.units;
        double own[CERTIFY_D_MAX];

        for (size_t j = 0; j < n; j++)
                own[j] = (double)INFINITY;
        own[n] = -(double)INFINITY;
        own[n + 1] = h->confirmed[2 * n];
        w->now[OUTSIDE_ASSUMED] = gate_assumed_step(a, h->d, h->d_hi, own) >= 0;
}

static void run_filter(struct hall *h, struct parts *g, const struct outside_args *a, enum outside_controller who,
                       struct outside_result *r)
{
        struct certify_proposals p = {0};
        struct certify_pi l;
        struct watch w = {0};
        double y[CERTIFY_Y_MAX], seen[CERTIFY_Y_MAX];
        uint8_t y_ok[CERTIFY_Y_MAX];

        memset(y_ok, COND_TRUE, sizeof(y_ok));
        certify_pi_begin(&h->site, h->y, h->confirmed, a->kp, a->ti_s, &l);
        sense(h, 0, y);
        for (uint64_t k = 0; k < r->steps; k++) {
                declare(h, k);
                watch_assumed(h, g->assumed, &w);
                certify_gate_push(&g->model, y, h->confirmed, h->d);
                if (who == OUTSIDE_FILTERED)
                        certify_pi_step(&h->site, y, h->confirmed, &l);
                else
                        (void)certify_propose(&h->site, CERTIFY_SENSIBLE, k, y, h->confirmed, slow_step(k), &h->chance,
                                              &p);
                decide(h, &g->model, k, who == OUTSIDE_FILTERED ? l.u : p.u, y_ok, &w);
                if (who == OUTSIDE_SENSIBLE)
                        count(h, k, &w, r);
                step_plant(h, k);
                w.now[OUTSIDE_DECLARED] = beyond_declared(h, k);
                account(h, k, &r->run[who]);
                show(h, a, who, k);
                certify_gate_in_force(&g->model, h->confirmed, h->d);
                sense(h, k + 1, y);
                judge_readings(h, k + 1, g->points, y, seen, y_ok, &w);
                (void)certify_gate_learn(&g->model, seen);
                watch_model(&g->model, &w);
        }
}

static int create(struct parts *g, const struct certify_site *site)
{
        int r;

        for (size_t i = 0; i < site->units; i++) {
                g->inlet[i].max_rate = (double)NAN;
                g->inlet[i].frozen_after_ms = FROZEN_AFTER_MS;
        }
        r = certify_gate_create(&g->model, site, 0);
        if (r == 0)
                r = ptable_create(g->inlet, site->units, &g->points);
        if (r == 0)
                r = gate_assumed_create(site->st.nd, site->env.horizon, &g->assumed);
        return r;
}

static int run(const struct outside_args *a, enum outside_controller who, struct outside_result *r)
{
        struct hall *h = calloc(1, sizeof(*h));
        struct parts *g = calloc(1, sizeof(*g));
        int ret = -ENOMEM;

        if (!h || !g)
                goto out;
        hall_init(h, a);
        r->kind = h->kind;
        r->event = h->event;
        r->steps = h->event + OUTSIDE_AFTER;
        ret = who == OUTSIDE_PI ? 0 : create(g, &h->site);
        if (ret == 0 && who == OUTSIDE_PI)
                run_pi(h, a, r->steps, &r->run[who]);
        else if (ret == 0)
                run_filter(h, g, a, who, r);
        gate_assumed_free(g->assumed);
        ptable_free(g->points);
        certify_gate_free(&g->model);
out:
        free(g);
        free(h);
        return ret;
}

int outside_episode(const struct outside_args *a, struct outside_result *ret)
{
        struct outside_result res = {.number = a->number};
        int r = 0;

        if (a->units < 2 || a->units > CERTIFY_UNITS_MAX)
                return -EINVAL;
        for (int who = 0; r == 0 && who < OUTSIDE_CONTROLLERS; who++)
                r = run(a, (enum outside_controller)who, &res);
        if (r == 0)
                *ret = res;
        return r;
}
