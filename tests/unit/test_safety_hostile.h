/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Hostile proposers on random envelopes, while someone else moves setpoints too, beyond their boxes as well. Linked
 * three times: with both checkers, with the filter's action replaced, and with the second checker passing everything;
 * the actuator must never see an illegal value in any of them.
 */
#ifndef COOLPLANE_TEST_SAFETY_HOSTILE_H
#define COOLPLANE_TEST_SAFETY_HOSTILE_H

#include "tests/unit/test_safety_common.h"

/* For those who replace a checker: the case, and whether they changed the action. */
static struct rig *hostile_rig;
static bool hostile_replaced;

static inline double hostile_value(struct rig *r, const struct safety_u *u, unsigned how, size_t n)
{
        static const double odd[] = {0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 1e-3, -1};

        switch (how) {
        case 0:
                return rng_range(&r->rng, u->lo, u->hi);
        case 1: /* bang-bang */
                return rng_below(&r->rng, 2) ? u->lo : u->hi;
        case 2:
                return rng_below(&r->rng, 20) ? u->nominal : (double)NAN;
        case 3:
                return rng_below(&r->rng, 20) ? u->hi : rng_below(&r->rng, 2) ? (double)INFINITY : -(double)INFINITY;
        case 4: /* sign-flipped: always the warm end */
                return u->safe_dir > 0 ? u->lo : u->hi;
        case 5: /* oscillating */
                return n % 2 ? u->hi + 1 : u->lo - 1;
        case 6:
                return odd[rng_below(&r->rng, sizeof(odd) / sizeof(odd[0]))];
        default:
                return rng_normal(&r->rng) * 1e6;
        }
}

static struct safety_lift hostile_pair[2];
static double hostile_floor[64];

/* Bounds of the lift between the condenser water and a chilled water that pass validation; pairs share the former. */
static inline void hostile_lift(struct rig *r, size_t chw)
{
        const size_t cw = r->nu - 4;
        const double min_k = rng_range(&r->rng, -4, 16);
        struct safety_lift *p = &hostile_pair[r->env.nlift++];

        *p = (struct safety_lift){cw, chw, min_k, min_k + rng_range(&r->rng, 0, 8)};
        p->max_k = fmax(p->max_k, r->u[cw].lo - r->u[chw].lo);
        r->env.lift = hostile_pair;
}

static inline bool hostile_lifts(const struct rig *r, size_t chw)
{
        for (size_t i = 0; i < r->env.nlift; i++)
                if (hostile_pair[i].chw == chw)
                        return true;
        return false;
}

/* Boxes, grids and rates no one would configure, but which pass validation. */
static inline void hostile_envelope(struct rig *r)
{
        for (size_t j = 0; j < r->nu; j++) {
                struct safety_u *u = &r->u[j];

                if (u->kind == SAFETY_U_ONOFF)
                        continue;
                u->step = rng_below(&r->rng, 4) ? rng_range(&r->rng, 0.01, 0.1) * (u->hi - u->lo) : 0;
                u->origin = rng_range(&r->rng, -1, 1);
                u->rate = rng_below(&r->rng, 8) ? u->step + rng_range(&r->rng, 0.01, 1) : 0;
                u->backup_rate = rng_range(&r->rng, 0.01, 2);
                u->nominal = rng_range(&r->rng, u->lo, u->hi);
                u->fast = (uint8_t)rng_below(&r->rng, 2);
                if (rng_below(&r->rng, 6) == 0)
                        u->safe_dir = 0;
        }
        if (r->a.sat_rows && r->u[r->nu - 3].safe_dir < 0)
                r->u[r->nu - 3].drives_d = SAFETY_DRIVES(r->a.rooms);
        for (size_t j = r->nu - 2; j < r->nu; j++)
                r->u[j].min_flow_m3s = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0.005, 0.02) : 0;
        if (r->a.towers && r->u[r->nu - 3].safe_dir < 0)
                hostile_lift(r, r->nu - 3);
        if (r->a.waters && r->u[r->nu - 5].safe_dir < 0)
                hostile_lift(r, r->nu - 5);
        for (size_t i = 0; i < r->ninlet; i++)
                r->cert[i].hi = rng_range(&r->rng, 20, 30);
        for (size_t i = 0; i < r->ninlet; i++)
                r->cert[i].soft_k = rng_range(&r->rng, 0, 8);
        for (size_t i = 0; i < r->ninlet; i++)
                r->cert[i].trip = rng_below(&r->rng, 2) ? r->cert[i].hi + 3 : (double)NAN;
}

static inline void hostile_plant(struct rig *r)
{
        double d[16];

        for (size_t k = 0; k < r->nd; k++) {
                d[k] = k < r->a.rooms ? rng_uniform(&r->rng) : rng_range(&r->rng, 8, 12);
                r->d_hi[k] = k < r->a.rooms ? 1 : 12;
        }
        rig_advance(r, r->confirmed, d, 0);
        for (size_t j = 0; j < r->nu; j++)
                r->status[j] = rng_below(&r->rng, 20) ? r->confirmed[j] >= 0.5 : 255;
        for (size_t i = 0; i < r->ny; i++)
                r->y_ok[i] = rng_below(&r->rng, 40) ? COND_TRUE : COND_STALE;
        if (rng_below(&r->rng, 50) == 0)
                r->wy[(RIG_HIST - 1) * r->ny + rng_below(&r->rng, (uint32_t)r->ny)] = (double)NAN;
        r->snap.slow_step = rng_below(&r->rng, 5) == 0;
        r->snap.no_warmer_water = rng_below(&r->rng, 3) == 0;
        r->snap.interlock = rng_below(&r->rng, 200) == 0;
        r->snap.no_colder_water = rng_below(&r->rng, 5) == 0;
        r->snap.chw_flow_m3s = rng_below(&r->rng, 10) ? rng_range(&r->rng, 0, 0.05) : (double)NAN;
        r->snap.evap_flow_m3s = rng_below(&r->rng, 10) ? r->snap.chw_flow_m3s : (double)NAN;
        for (size_t j = 0; j < r->nu; j++)
                hostile_floor[j] = rng_below(&r->rng, 3) ? (double)NAN : rng_range(&r->rng, r->u[j].lo, r->u[j].hi);
        r->snap.u_floor = rng_below(&r->rng, 3) ? hostile_floor : NULL;
        r->snap.cooling_load_w = rng_below(&r->rng, 10) ? rng_range(&r->rng, 0, 200e3) : (double)NAN;
}

/* Someone else sets a variable: beyond either end of its box, near or far, or inside. */
static inline double hostile_local(struct rig *r, const struct safety_u *u)
{
        double far = rng_below(&r->rng, 2) ? u->rate + u->step : 2 * (u->hi - u->lo), by = rng_uniform(&r->rng) * far;

        switch (rng_below(&r->rng, 3)) {
        case 0:
                return u->lo - by;
        case 1:
                return u->hi + by;
        default:
                return rng_range(&r->rng, u->lo, u->hi);
        }
}

/* Starts and stops of one unit as the plant would count them. */
struct hostile_unit {
        bool on;
        double since_s, start_s[64];
        size_t n;
};

static inline void hostile_unit_check(struct hostile_unit *q, const struct safety_u *u, double v, double now_s)
{
        bool on = v >= 0.5;
        unsigned in_hour = 0;

        if (on == q->on)
                return;
        if (!on) {
                assert_true(now_s - q->since_s >= u->min_on_s);
        } else {
                assert_true(now_s - q->since_s >= u->min_off_s);
                q->start_s[q->n++ % 64] = now_s;
                for (size_t i = 0; i < 64 && i < q->n; i++)
                        in_hour += now_s - q->start_s[i] < 3600 - 1;
                assert_true(in_hour <= u->max_starts_per_h);
        }
        q->on = on;
        q->since_s = now_s;
}

/* What is tied to others: water of the evaporators, lift, and the floors of this step. */
static inline void hostile_ties_check(const struct rig *r, const double *act, const double *was, const uint8_t *fixed)
{
        double need = 0, running = 0;
        size_t stops = 0, stay = 0;
        bool starts = false, runs = false, cool = r->snap.u_floor;

        for (size_t j = r->nu - 2; j < r->nu; j++) {
                if (act[j] == 1 || was[j] == 1) /* one that stops runs on for a while */
                        need += r->u[j].min_flow_m3s;
                starts = starts || (act[j] == 1 && was[j] == 0 && r->u[j].min_flow_m3s > 0);
                runs = runs || (was[j] == 1 && r->u[j].min_flow_m3s > 0);
        }
        for (size_t j = r->nu - 2; j < r->nu; j++) {
                running += was[j] == 1 ? r->u[j].min_flow_m3s : 0;
                stops += act[j] == 0 && was[j] == 1;
                stay += act[j] == 1 && was[j] == 1;
        }
        /* for its load none may stop here */
        if (isnan(r->snap.cooling_load_w) && stops > 0 &&
            !(stops == 1 && stay > 0 && r->snap.evap_flow_m3s < running * 1.10))
                fail_msg("%zu stops with %g of %g m3/s, %zu stay", stops, r->snap.evap_flow_m3s, running, stay);
        if (starts && runs && r->snap.chw_flow_m3s < need * 1.15)
                fail_msg("a start with %g of %g m3/s", r->snap.chw_flow_m3s, need);
        for (size_t i = 0; i < r->env.ncert; i++) {
                const double y = r->wy[(RIG_HIST - 1) * r->ny + i];

                cool = cool && r->y_ok[i] == COND_TRUE && y <= r->cert[i].hi - r->cert[i].soft_k - 0.5;
        }
        for (size_t j = 0; j < r->nu - 2; j++) {
                double least = cool && hostile_floor[j] > r->u[j].lo ? hostile_floor[j] : r->u[j].lo;

                if (r->snap.no_colder_water && !r->u[j].fast)
                        least = r->u[j].hi;
                if (r->u[j].safe_dir == -1 && !fixed[j] && act[j] < fmin(least, was[j]) - r->u[j].step * 1.001 - 1e-9)
                        fail_msg("variable %zu: %g from %g is below %g", j, act[j], was[j], least);
        }
        for (size_t i = 0; i < r->env.nlift; i++) {
                const size_t cw = hostile_pair[i].cw, chw = hostile_pair[i].chw;
                double rest[2], lift = act[cw] - act[chw], slack = r->u[cw].step + r->u[chw].step + 1e-6;

                for (size_t k = 0; k < 2; k++) {
                        const size_t j = k ? chw : cw;

                        rest[k] = fixed[j] || beyond_box(&r->u[j], was[j])
                                      ? was[j]
                                      : fmin(fmax(was[j], box_end(&r->u[j], false)), box_end(&r->u[j], true));
                }
                if (lift < fmin(hostile_pair[i].min_k, rest[0] - rest[1] - slack) - 1e-6 ||
                    lift > fmax(hostile_pair[i].max_k, rest[0] - rest[1] + slack) + 1e-6)
                        fail_msg("lift %g from %g, bounds %g to %g", lift, rest[0] - rest[1], hostile_pair[i].min_k,
                                 hostile_pair[i].max_k);
        }
}

static inline void hostile_episode(struct rig *r, size_t n)
{
        uint8_t fixed[64] = {0};
        struct hostile_unit unit[2] = {{.on = true}, {.on = true}};
        unsigned how = rng_below(&r->rng, 8);

        hostile_rig = r;
        for (size_t k = 0; k < n; k++) {
                const struct safety_decision *d;
                const double *act;
                size_t nu;
                bool finite = true;
                double was[64];

                for (size_t j = 0; j < r->nu; j++)
                        if (r->u[j].kind == SAFETY_U_CONTINUOUS && rng_below(&r->rng, 50) == 0)
                                r->confirmed[j] = hostile_local(r, &r->u[j]);
                hostile_plant(r);
                if (k % 16 == 0)
                        how = rng_below(&r->rng, 8);
                for (size_t j = 0; j < r->nu; j++) {
                        r->prop[j] = hostile_value(r, &r->u[j], how, k);
                        finite = finite && isfinite(r->prop[j]);
                        was[j] = r->confirmed[j];
                        if (rng_below(&r->rng, 100) == 0)
                                fixed[j] = !fixed[j] && rng_below(&r->rng, 2);
                }
                r->snap.u_fixed = fixed;
                r->p.present = rng_below(&r->rng, 30) > 0;
                r->p.malformed = rng_below(&r->rng, 30) == 0;
                if (k == 0)
                        unit[0].since_s = unit[1].since_s = r->snap.mono_s;
                hostile_replaced = false;
                d = rig_decide(r);
                act = decision_u(d, &nu);
                assert_int_equal(nu, r->nu);
                for (size_t j = 0; j < nu; j++) {
                        const struct safety_u *u = &r->u[j];

                        assert_int_equal(decision_in_box(d, j), act[j] >= u->lo && act[j] <= u->hi);
                        if (fixed[j]) {
                                assert_true(act[j] == was[j]);
                                continue;
                        }
                        if (!decision_in_box(d, j)) /* nothing is written; where it stays is checked below */
                                assert_true(act[j] == was[j]);
                        if (!value_legal(u, act[j], was[j]))
                                fail_msg(
                                    "step %zu variable %zu: %.17g from %.17g in [%g, %g] step %g rate %g dir %d: %s", k,
                                    j, act[j], was[j], u->lo, u->hi, u->step, u->rate, u->safe_dir,
                                    decision_reason_str(decision_reason(d)));
                        if (u->kind == SAFETY_U_CONTINUOUS && !u->fast &&
                            fabs(act[j] - was[j]) > u->step * 1.001 + 1e-9) {
                                /* more than rounding: on the slow step, or toward more cooling */
                                if (!r->snap.slow_step && !(u->safe_dir * (act[j] - was[j]) > 0))
                                        fail_msg("step %zu variable %zu of %zu: %.17g from %.17g in [%g, %g] step %g "
                                                 "dir %d, off the slow step: %s",
                                                 k, j, nu, act[j], was[j], u->lo, u->hi, u->step, u->safe_dir,
                                                 decision_reason_str(decision_reason(d)));
                                if (r->snap.no_warmer_water && u->safe_dir <= 0)
                                        assert_true(act[j] < was[j]);
                        }
                        /* toward more cooling nothing else is cut, whenever the proposal is looked at at all */
                        if (!hostile_replaced && !r->snap.no_colder_water && !r->snap.u_floor && !hostile_lifts(r, j) &&
                            u->kind == SAFETY_U_CONTINUOUS && u->safe_dir != 0 &&
                            (decision_kind(d) == DECISION_ACCEPT || decision_kind(d) == DECISION_PROJECT) && finite &&
                            r->p.present && !r->p.malformed && decision_certificate(d)->verified) {
                                double want = fmin(fmax(r->prop[j], u->lo), u->hi);

                                if (u->safe_dir * (want - was[j]) > 0 && u->safe_dir * (act[j] - want) < 0)
                                        assert_true(fabs(act[j] - want) <= u->step * 1.001 &&
                                                    (act[j] + u->step > u->hi || act[j] - u->step < u->lo ||
                                                     fabs(act[j] - want) <= 1e-3 * u->step));
                        }
                        if (u->kind == SAFETY_U_ONOFF)
                                hostile_unit_check(&unit[j - (nu - 2)], u, act[j], r->snap.mono_s);
                }
                hostile_ties_check(r, act, was, fixed);
                memcpy(r->confirmed, act, nu * sizeof(double));
        }
}

static void test_hostile(void **state)
{
        size_t left = rig_env("COOLPLANE_HOSTILE", HOSTILE_DEFAULT);
        uint64_t seed = rig_seed();

        (void)state;
        for (uint64_t episode = 0; left > 0; episode++) {
                size_t n = left < 500 ? left : 500;
                struct rig_args a = rig_default();
                struct rig r;

                a.rooms = 1 + episode % 3;
                a.crahs = 1;
                a.inlets = 1 + episode % 2;
                a.lags = 1 + episode % 2;
                a.horizon = 4;
                a.sat_rows = episode % 4 == 3;
                a.towers = episode % 5 < 3;
                a.waters = a.towers && episode % 5 > 0;
                rig_open(&r, a, seed + episode);
                hostile_envelope(&r);
                rig_create(&r);
                hostile_episode(&r, n);
                rig_close(&r);
                left -= n;
        }
}

static inline int hostile_main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
