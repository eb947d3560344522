/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Proposals fired at the filter: no claim about temperatures, only about what reaches the actuator. The site of
 * certify_site.h, and three variables that no row of its model reads: a condenser water setpoint, another chilled water
 * setpoint and a third chiller. */
#include "sim/certify.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 500, LEARN = 200, ALIGN = 64, HOWS = 10, NY = 2, NU = 8, ND = 3, LIFTS = 2 };
enum { CHW = 2, CHILLER = 3, CW = 5, CHW2 = 6, CHILLER3 = 7 };

struct gun {
        struct certify_hostile *res;
        uint64_t chunk;
        struct certify_site site;
        struct rng rng;
        void *model_mem, *safety_mem;
        size_t model_size, safety_size;
        struct arx *model;
        struct safety *safety;
        struct certify_automaton unit[NU];
        struct safety_lift lift[LIFTS];
        double theta[CERTIFY_TERMS_MAX];
        double wy[NY * 2], wu[NU * 2], wd[ND * 2]; /* window of two rows */
        double y[CERTIFY_Y_MAX], d[CERTIFY_D_MAX], d_hi[CERTIFY_D_MAX];
        double read[NY];                            /* outputs as they read */
        double has[CERTIFY_U_MAX];                  /* what the plant has, */
        double confirmed[NU], was[NU], decided[NU]; /* shows, is to be taken to have; the last decision, NaN = none */
        double floor[NU];
        double mono_s, real_s; /* the filter's clock and the equipment's */
        uint8_t y_ok[NY], status[NU], fixed[NU];
        bool lost[NU], mute;       /* no status of any machine */
        bool late[NU], silent[NU]; /* the plant does not take what is written for now; nothing is read back */
};

/* A number between, or one that no meter shows, or none. */
static double whatever(struct rng *r, double lo, double hi)
{
        static const double odd[] = {
            (double)NAN, (double)INFINITY, -(double)INFINITY, 0.0, -0.0, -1, 1e300, -1e300, 5e-324, -1e-9};

        return rng_below(r, 4) ? rng_range(r, lo, hi) : odd[rng_below(r, sizeof(odd) / sizeof(odd[0]))];
}

static void site(struct certify_site *s)
{
        certify_site_init(s, 1, 4, true);
        s->u[CW] = (struct safety_u){.lo = 14, .hi = 30, .nominal = 20, .backup_rate = 1};
        s->u[CHW2] = s->u[CHW];
        s->u[CHW2].drives_d = SAFETY_NO_D;
        s->u[CHILLER3] = s->u[CHILLER];
        s->st.nu = s->env.nu = NU;
}

/* Timers, ratings and water of one chiller, plausible or not. */
static void chiller(struct rng *r, struct safety_u *u)
{
        u->min_on_s = rng_below(r, 4) ? rng_range(r, 0, 600) : rng_below(r, 2) ? 0 : 1e9;
        u->min_off_s = rng_below(r, 4) ? rng_range(r, 0, 900) : 0;
        u->max_starts_per_h = rng_below(r, 2) ? rng_range(r, 1, 4) : rng_range(r, 1, 16);
        u->capacity_w = rng_below(r, 6) ? rng_range(r, 0, 2 * CERTIFY_RACK_W) : rng_below(r, 2) ? 0 : 1e308;
        u->min_flow_m3s = rng_below(r, 3) ? rng_range(r, 0.005, 0.02) : rng_below(r, 6) ? 0 : 1e308;
        u->max_flow_ramp_per_min = rng_below(r, 3) ? rng_range(r, 0.02, 0.5) : rng_below(r, 6) ? 0 : 1e308;
        u->nominal = rng_below(r, 4) > 0;
        u->fast = (uint8_t)rng_below(r, 2);
}

/* How much less the lift may be at no load: down to `least` at most, or anything where there is no bound. */
static void surge(struct rng *r, struct safety_lift *p, double least)
{
        const double most = isfinite(p->max_k) ? p->max_k - least : 8;

        p->surge_less_k = rng_below(r, 3) ? most * (rng_below(r, 4) ? rng_uniform(r) : 1) : 0;
}

/* Pairs share a setpoint, or one's condenser side is the other's chilled water. */
static void lifts(struct gun *g)
{
        struct certify_site *s = &g->site;
        struct rng *r = &g->rng;
        const size_t pair[LIFTS][2] = {{CW, CHW}, {rng_below(r, 4) ? CW : CHW, CHW2}};

        s->env.nlift = 0;
        s->env.lift = g->lift;
        for (size_t i = 0; i < LIFTS; i++) {
                const struct safety_u *cw = &s->u[pair[i][0]], *chw = &s->u[pair[i][1]];
                const double least = rng_range(r, -8, 16), most = fmax(least, cw->lo - chw->lo);

                if (chw->safe_dir != -1 || rng_below(r, 4) == 0)
                        continue;
                g->lift[s->env.nlift++] = (struct safety_lift){
                    pair[i][0], pair[i][1], rng_below(r, 6) && least <= cw->hi - chw->lo ? least : -(double)INFINITY,
                    rng_below(r, 6) ? most + rng_range(r, 0, 8) : (double)INFINITY, 0};
                surge(r, &g->lift[s->env.nlift - 1], most);
        }
}

/* Boxes, grids, rates and limits no one would configure, but which pass validation. */
static void envelope(struct gun *g)
{
        struct certify_site *s = &g->site;
        struct rng *r = &g->rng;

        site(s);
        for (size_t j = 0; j < NU; j++) {
                struct safety_u *u = &s->u[j];

                if (u->kind == SAFETY_U_ONOFF) {
                        chiller(r, u);
                        continue;
                }
                u->step = rng_below(r, 4) ? rng_range(r, 0.01, 0.1) * (u->hi - u->lo) : 0;
                u->origin = rng_range(r, -1, 1);
                u->rate = rng_below(r, 8) ? u->step + rng_range(r, 0.01, 1) : 0;
                u->backup_rate = rng_range(r, 0.01, 2);
                u->nominal = rng_range(r, u->lo, u->hi);
                u->dead_band = rng_below(r, 2) ? u->step : 0;
                u->fast = (uint8_t)rng_below(r, 2);
                if (rng_below(r, 6) == 0) {
                        u->safe_dir = 0;
                        u->drives_d = SAFETY_NO_D;
                }
        }
        s->u[CW].safe_dir = (int)rng_below(r, 3) - 1;
        lifts(g);
        s->env.capacity_margin = rng_below(r, 4) ? 0.15 : rng_range(r, 0, 10);
        s->env.hold_steps = 3; /* so that not half of them meet the FALLBACK */
        s->env.required_persist = 4;
        s->cert[0].hi = rng_range(r, 22, 34);
        s->cert[0].trip = rng_below(r, 2) ? s->cert[0].hi + 3 : (double)NAN;
        s->cert[0].soft_k = rng_range(r, 0, 8);
}

static void loads(struct gun *g)
{
        g->d[0] = g->d[1] = CERTIFY_RACK_W * rng_uniform(&g->rng);
        g->d[2] = rng_range(&g->rng, 8, 12);
        g->d_hi[0] = g->d_hi[1] = CERTIFY_RACK_W;
        g->d_hi[2] = 12;
}

/* One step of the plant; the window holds the step before and now. */
static void plant(struct gun *g)
{
        double w[CERTIFY_Y_MAX] = {rng_range(&g->rng, -0.05, 0.05), rng_range(&g->rng, -0.05, 0.05)},
               next[CERTIFY_Y_MAX] = {0};

        memcpy(g->wy, g->y, NY * sizeof(double));
        memcpy(g->wu, g->has, NU * sizeof(double));
        memcpy(g->wd, g->d, ND * sizeof(double));
        certify_advance(&g->site, g->theta, g->y, g->has, g->d, w, next);
        memcpy(g->y, next, NY * sizeof(double));
        loads(g);
        memcpy(g->wy + NY, g->y, NY * sizeof(double));
        memcpy(g->wu + NU, g->has, NU * sizeof(double));
        memcpy(g->wd + ND, g->d, ND * sizeof(double));
}

/* Half of the pieces run on a model that was learned, so that certificates and bisection are exercised too. */
static void learn(struct gun *g)
{
        for (size_t k = 0; k < LEARN; k++) {
                const struct arx_window w = {1, g->wy, g->wu, g->wd};

                for (size_t j = 0; j < 2 && k % 5 == 0; j++)
                        g->has[j] = rng_range(&g->rng, g->site.u[j].lo, g->site.u[j].hi);
                plant(g);
                (void)arx_add(g->model, &w, g->y);
        }
        (void)arx_fit(g->model, GATE_FIT_MIN);
}

static int piece_start(struct gun *g)
{
        struct arx_args args;
        int r;

        envelope(g);
        args = gate_arx_args(&g->site.span);
        r = arx_create(g->model_mem, g->model_size, &g->site.st, &args, g->site.lo, g->site.hi, &g->model);
        if (r == 0)
                r = safety_create(g->safety_mem, g->safety_size, &g->site.env, g->model, &g->safety);
        if (r < 0)
                return r;
        certify_draw(&g->site, CERTIFY_RANDOM, &g->rng, g->theta);
        for (size_t j = 0; j < NU; j++)
                g->has[j] = g->site.u[j].nominal;
        g->y[0] = 23;
        g->y[1] = 18;
        loads(g);
        plant(g);
        if (rng_below(&g->rng, 2))
                learn(g);
        memset(g->fixed, 0, sizeof(g->fixed));
        memset(g->late, 0, sizeof(g->late));
        memset(g->silent, 0, sizeof(g->silent));
        memcpy(g->read, g->y, sizeof(g->read));
        g->mono_s += 86400;
        g->real_s += 86400;
        g->mute = rng_below(&g->rng, 10) == 0;
        for (size_t j = 0; j < NU; j++) {
                const bool on = g->has[j] >= 0.5;

                g->decided[j] = (double)NAN;
                g->unit[j] = (struct certify_automaton){.turns = on};
                certify_judge_forget(&g->site.u[j], on, g->real_s, &g->unit[j]);
        }
        return 0;
}

static double value(struct gun *g, size_t j, unsigned how, uint64_t k)
{
        static const double odd[] = {0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 1e-3, -1};
        const struct safety_u *u = &g->site.u[j];
        struct rng *r = &g->rng;

        switch (how) {
        case 0:
                return rng_range(r, u->lo, u->hi);
        case 1: /* bang-bang */
                return rng_below(r, 2) ? u->lo : u->hi;
        case 2:
                return rng_below(r, 20) ? u->nominal : (double)NAN;
        case 3:
                return rng_below(r, 20) ? u->hi : rng_below(r, 2) ? (double)INFINITY : -(double)INFINITY;
        case 4: /* sign-flipped: always the warm end */
                return u->safe_dir > 0 ? u->lo : u->hi;
        case 5: /* oscillating beyond both ends */
                return k % 2 ? u->hi + 1 : u->lo - 1;
        case 6: /* constant extremes */
                return odd[(size_t)(k / PIECE) % (sizeof(odd) / sizeof(odd[0]))];
        case 7:
                return rng_normal(r) * 1e6;
        default: /* what a planner would say: a step from what it has, most of it is taken */
                return rng_below(r, 8) ? g->was[j] : g->was[j] + rng_range(r, -1, 1) * (u->rate + u->step);
        }
}

/* Someone else moves a variable: beyond either end of its box, near or far, or inside. */
static void others(struct gun *g)
{
        struct rng *r = &g->rng;

        for (size_t j = 0; j < NU; j++) {
                const struct safety_u *u = &g->site.u[j];
                double far = rng_below(r, 2) ? u->rate + u->step : 2 * (u->hi - u->lo), by = rng_uniform(r) * far;

                if (u->kind == SAFETY_U_ONOFF || rng_below(r, 50) > 0)
                        continue;
                g->has[j] = rng_below(r, 3) == 0   ? u->lo - by
                            : rng_below(r, 2) == 0 ? u->hi + by
                                                   : rng_range(r, u->lo, u->hi);
        }
}

/* Readings that are no numbers, or none that a thermometer has; said to be good or not. */
static void readings(struct gun *g)
{
        static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e300, -1e300};
        struct rng *r = &g->rng;

        memcpy(g->wy, g->read, sizeof(g->read));
        for (size_t i = 0; i < NY; i++) {
                g->y_ok[i] = rng_below(r, 40) ? COND_TRUE : (uint8_t)rng_below(r, COND_ERROR + 1);
                if (rng_below(r, 100) == 0)
                        g->wy[NY + i] = odd[rng_below(r, sizeof(odd) / sizeof(odd[0]))];
        }
        memcpy(g->read, g->wy + NY, sizeof(g->read));
}

/* What is read back. A machine is silent only once its filter has decided, and while it takes its orders: of another
 * one nobody could say when it was switched. */
static void read_back(struct gun *g)
{
        struct rng *r = &g->rng;

        for (size_t j = 0; j < NU; j++) {
                const struct safety_u *u = &g->site.u[j];

                g->silent[j] = g->silent[j] ? rng_below(r, 4) > 0 : rng_below(r, 60) == 0;
                if (u->kind == SAFETY_U_ONOFF && (isnan(g->decided[j]) || g->late[j]))
                        g->silent[j] = false;
                g->confirmed[j] = g->silent[j] ? (double)NAN : g->has[j];
                g->was[j] = !g->silent[j] ? g->has[j] : isnan(g->decided[j]) ? u->nominal : g->decided[j];
        }
        memcpy(g->wu + NU, g->confirmed, sizeof(g->confirmed));
}

/* A step passes mostly; or no time, or the filter's clock goes back. */
static void clocks(struct gun *g)
{
        const double step_s = rng_below(&g->rng, 30) ? CERTIFY_STEP_S : 0;

        g->real_s += step_s;
        g->mono_s += step_s;
        if (rng_below(&g->rng, 300) == 0)
                g->mono_s -= rng_range(&g->rng, 0, 4000);
}

/* A new filter on a clock of its own, with what the old one saved and how long that is ago, if anyone knows; or with
 * nothing it can use: then the judge knows as little. */
static int restart(struct gun *g)
{
        enum { STATE = 1024 };
        struct rng *r = &g->rng;
        const double gap_s = rng_below(r, 3) ? rng_range(r, 0, 7200) : 0;
        const double elapsed[] = {gap_s, gap_s, gap_s, 0, (double)NAN, -gap_s - 1, (double)INFINITY};
        const bool lost = rng_below(r, 4) == 0;
        double buf[STATE];
        const size_t n = safety_state_save(g->safety, g->mono_s, buf, STATE);
        const int e = safety_create(g->safety_mem, g->safety_size, &g->site.env, g->model, &g->safety);

        if (e < 0 || n > STATE)
                return e < 0 ? e : -E2BIG;
        g->real_s += gap_s;
        g->mono_s = rng_below(r, 3) ? rng_range(r, -1e4, 1e4) : 0;
        safety_state_restore(g->safety, g->mono_s, elapsed[rng_below(r, 7)], buf, lost ? n - 1 : n);
        for (size_t j = 0; j < NU; j++) {
                g->decided[j] = (double)NAN;
                if (lost)
                        certify_judge_forget(&g->site.u[j], g->has[j] >= 0.5, g->real_s, &g->unit[j]);
        }
        return 0;
}

/* Machines follow their orders late, start and stop by themselves now and then, and are not heard for a while. */
static void machines(struct gun *g)
{
        struct rng *r = &g->rng;

        for (size_t j = 0; j < NU; j++) {
                struct certify_automaton *q = &g->unit[j];

                if (rng_below(r, 3) == 0)
                        q->turns = q->on;
                else if (rng_below(r, 200) == 0)
                        q->turns = !q->turns;
                if (rng_below(r, 50) == 0) /* the wire breaks, or holds again */
                        g->lost[j] = !g->lost[j];
                g->status[j] = g->lost[j] || rng_below(r, 20) == 0 ? 255 : q->turns;
                if (!g->mute && g->status[j] != 255) {
                        q->told = true;
                        q->runs = q->turns;
                }
        }
}

static void snapshot(struct gun *g, struct safety_snapshot *ret)
{
        struct rng *r = &g->rng;
        const double flow_m3s = whatever(r, 0, 0.08);

        clocks(g);
        machines(g);
        for (size_t j = 0; j < NU; j++) {
                if (rng_below(r, 100) == 0)
                        g->fixed[j] = !g->fixed[j] && rng_below(r, 2);
                g->floor[j] = rng_below(r, 3) ? (double)NAN : whatever(r, g->site.u[j].lo - 1, g->site.u[j].hi + 1);
        }
        *ret = (struct safety_snapshot){.t_ms = (int64_t)(1000 * g->mono_s),
                                        .mono_s = g->mono_s,
                                        .window = {2, g->wy, g->wu, g->wd},
                                        .u_confirmed = g->confirmed,
                                        .u_fixed = g->fixed,
                                        .d_hi = g->d_hi,
                                        .y_ok = g->y_ok,
                                        .onoff_status = g->mute ? NULL : g->status,
                                        .cooling_load_w = whatever(r, 0, 2 * g->d[1]),
                                        .chw_flow_m3s = flow_m3s,
                                        .evap_flow_m3s = rng_below(r, 4) ? flow_m3s : whatever(r, 0, 0.08),
                                        .evap_flow_ramp_per_min = whatever(r, 0, 0.5),
                                        .slow_step = rng_below(r, 5) == 0,
                                        .interlock = rng_below(r, 200) == 0,
                                        .no_warmer_water = rng_below(r, 3) == 0,
                                        .no_colder_water = rng_below(r, 5) == 0,
                                        .u_floor = rng_below(r, 3) ? g->floor : NULL};
}

static void tell(struct gun *g, const char *what, size_t j, double v)
{
        struct certify_hostile *h = g->res;

        if (!h->first[0])
                (void)snprintf(h->first, sizeof(h->first),
                               "chunk %" PRIu64 ", proposal %" PRIu64 ": variable %zu: %.9g after %.9g (%s)", g->chunk,
                               h->proposals, j, v, g->was[j], what);
}

/* What becomes of the decision; machines are judged by the clock, too. */
static void take(struct gun *g, const struct safety_decision *dec)
{
        size_t nu;
        const double *act = decision_u(dec, &nu);

        for (size_t j = 0; j < nu; j++) {
                const struct safety_u *u = &g->site.u[j];
                const struct certify_automaton kept = g->unit[j];

                g->late[j] = g->late[j] ? rng_below(&g->rng, 3) > 0 : rng_below(&g->rng, 40) == 0;
                if (u->kind == SAFETY_U_ONOFF && g->silent[j])
                        g->late[j] = false;
                if (u->kind == SAFETY_U_ONOFF &&
                    certify_judge_unit(u, act[j], g->real_s, &g->unit[j], &g->res->illegal) > 0)
                        tell(g, "times", j, act[j]);
                g->decided[j] = act[j];
                if (g->late[j])
                        g->unit[j] = kept;
                else if (!g->fixed[j] && decision_in_box(dec, j))
                        g->has[j] = act[j];
        }
}

/* Every value of the decision; a fixed variable's says nothing. */
static void judge(struct gun *g, const struct safety_snapshot *snap, const struct safety_decision *dec)
{
        size_t nu;
        const double *act = decision_u(dec, &nu);
        struct certify_hostile *h = g->res;
        struct safety_snapshot seen = *snap;
        const struct certify_move m = {
            .env = &g->site.env, .snap = &seen, .was = g->was, .act = act, .unit = g->unit, .kind = decision_kind(dec)};
        const char *what;

        seen.mono_s = g->real_s;
        h->proposals++;
        h->kind_steps[m.kind]++;
        for (size_t j = 0; j < nu; j++) {
                const struct safety_u *u = &g->site.u[j];

                if (!g->fixed[j] && certify_judge_value(u, act[j], g->was[j], &h->illegal) > 0)
                        tell(g, "value", j, act[j]);
                if (g->fixed[j] && act[j] != g->was[j]) {
                        h->illegal.rate++;
                        tell(g, "fixed", j, act[j]);
                }
                what = u->kind == SAFETY_U_ONOFF ? certify_judge_stage(&m, j, &h->illegal)
                                                 : certify_judge_setpoint(&m, j, &h->illegal);
                if (what)
                        tell(g, what, j, act[j]);
        }
        for (size_t i = 0; i < g->site.env.nlift; i++) {
                what = certify_judge_lift(&m, &g->lift[i], &h->illegal);
                if (what)
                        tell(g, what, g->lift[i].cw, act[g->lift[i].cw]);
        }
        take(g, dec);
}

static int fire(struct gun *g, uint64_t n)
{
        unsigned how = 0;

        for (uint64_t k = 0; k < n; k++) {
                struct safety_snapshot snap;
                double u[NU], start;
                struct safety_proposal p = {.u = u, .in_distribution = true};
                const struct safety_decision *dec;

                if (k % 16 == 0)
                        how = rng_below(&g->rng, HOWS);
                if (k > 0 && rng_below(&g->rng, 150) == 0) {
                        const int r = restart(g);

                        if (r < 0)
                                return r;
                }
                others(g);
                plant(g);
                readings(g);
                read_back(g);
                snapshot(g, &snap);
                for (size_t j = 0; j < NU; j++)
                        u[j] = value(g, j, how, g->res->proposals);
                p.present = rng_below(&g->rng, 30) > 0;
                p.malformed = rng_below(&g->rng, 30) == 0;
                start = certify_clock_s(false);
                dec = safety_filter(g->safety, &snap, &p);
                certify_time_add(&g->res->time, certify_clock_s(false) - start);
                judge(g, &snap, dec);
        }
        return 0;
}

int certify_hostile(uint64_t seed, uint64_t chunk, uint64_t n, struct certify_hostile *ret)
{
        struct certify_hostile res = {0};
        struct gun *g = calloc(1, sizeof(*g));
        int r = g ? 0 : -ENOMEM;

        if (g) {
                g->res = &res;
                g->chunk = chunk;
                site(&g->site);
                g->site.env.nlift = LIFTS;
                g->site.env.lift = g->lift;
                g->model_size = arx_memsize(&g->site.st);
                g->safety_size = safety_memsize(&g->site.env, &g->site.st);
                g->model_mem = aligned_alloc(ALIGN, (g->model_size + ALIGN - 1) / ALIGN * ALIGN);
                g->safety_mem = aligned_alloc(ALIGN, (g->safety_size + ALIGN - 1) / ALIGN * ALIGN);
                if (!g->model_mem || !g->safety_mem)
                        r = -ENOMEM;
        }
        for (uint64_t piece = chunk * (CERTIFY_CHUNK / PIECE); r == 0 && res.proposals < n; piece++) {
                uint64_t left = n - res.proposals;

                rng_seed(&g->rng, seed, piece);
                r = piece_start(g);
                if (r == 0)
                        r = fire(g, left < PIECE ? left : PIECE);
        }
        if (r == 0)
                *ret = res;
        if (g) {
                free(g->model_mem);
                free(g->safety_mem);
        }
        free(g);
        return r;
}
