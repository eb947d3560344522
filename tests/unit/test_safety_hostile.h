/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Hostile proposers on random envelopes, while someone else moves setpoints too, beyond their boxes as well, the plant
 * takes what is written late or cannot be read back, readings are no numbers, the clock stands still or goes back, and
 * the filter is restarted, with its state or without. Linked three times: with both checkers, with the filter's action
 * replaced, and with the second checker passing everything; the actuator must never see an illegal value in any of
 * them.
 */
#ifndef COOLPLANE_TEST_SAFETY_HOSTILE_H
#define COOLPLANE_TEST_SAFETY_HOSTILE_H

#include "tests/unit/test_safety_common.h"

/* For those who replace a checker: the case, and whether they changed the action. */
static struct rig *hostile_rig;
static bool hostile_replaced;
static size_t
    hostile_disagreed; /* the second checker refused what the filter made: no harm, but one of them is wrong */

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

        *p = (struct safety_lift){cw, chw, min_k, min_k + rng_range(&r->rng, 0, 8), 0};
        p->max_k = fmax(p->max_k, r->u[cw].lo - r->u[chw].lo);
        p->surge_less_k =
            rng_below(&r->rng, 3) * 0.5 * rng_uniform(&r->rng) * (p->max_k - fmax(min_k, r->u[cw].lo - r->u[chw].lo));
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
        for (size_t j = r->nu - 2; j < r->nu; j++)
                r->u[j].max_flow_ramp_per_min = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0.05, 0.5) : 0;
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

/* What the judge knows and the filter may not. */
struct hostile_world {
        double has[64];              /* setpoints of the plant, */
        double decided[64];          /* the last decision; NaN = none of this filter's life */
        bool late[64], silent[64];   /* the plant does not take what is written for now; there is no read-back */
        double y[RIG_HIST * 16];     /* true outputs, */
        double shown[RIG_HIST * 16]; /* and as they read */
        double real_s;               /* the equipment's own clock */
};

/* A step of the true plant; the window shows readings of it, some of which are no numbers, marked or not. */
static inline void hostile_outputs(struct rig *r, struct hostile_world *w, const double *d)
{
        static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e300, -1e300};
        const size_t n = RIG_HIST * r->ny, now = n - r->ny;

        assert_true(r->ny <= 16);
        memcpy(w->shown, r->wy, n * sizeof(double));
        memcpy(r->wy, w->y, n * sizeof(double));
        rig_advance(r, w->has, d, 0);
        memcpy(w->y, r->wy, n * sizeof(double));
        memmove(r->wy, w->shown + r->ny, now * sizeof(double));
        for (size_t i = 0; i < r->ny; i++) {
                r->y_ok[i] = rng_below(&r->rng, 40) ? COND_TRUE : (uint8_t)rng_below(&r->rng, COND_ERROR + 1);
                if (rng_below(&r->rng, 60) == 0)
                        r->wy[now + i] = odd[rng_below(&r->rng, sizeof(odd) / sizeof(odd[0]))];
        }
}

static inline void hostile_plant(struct rig *r, struct hostile_world *w)
{
        double d[16];

        for (size_t k = 0; k < r->nd; k++) {
                d[k] = k < r->a.rooms ? rng_uniform(&r->rng) : rng_range(&r->rng, 8, 12);
                r->d_hi[k] = k < r->a.rooms ? 1 : 12;
        }
        hostile_outputs(r, w, d);
        for (size_t j = 0; j < r->nu; j++)
                r->status[j] = rng_below(&r->rng, 20) ? w->has[j] >= 0.5 : 255;
        r->snap.slow_step = rng_below(&r->rng, 5) == 0;
        r->snap.no_warmer_water = rng_below(&r->rng, 3) == 0;
        r->snap.interlock = rng_below(&r->rng, 200) == 0;
        r->snap.no_colder_water = rng_below(&r->rng, 5) == 0;
        r->snap.chw_flow_m3s = rng_below(&r->rng, 10) ? rng_range(&r->rng, 0, 0.05) : (double)NAN;
        r->snap.evap_flow_m3s = rng_below(&r->rng, 10) ? r->snap.chw_flow_m3s : (double)NAN;
        r->snap.evap_flow_ramp_per_min = rng_below(&r->rng, 10) ? rng_range(&r->rng, 0, 0.5) : (double)NAN;
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

/* Nothing is known of its past: all starts of this hour but one are taken as made, and it has just been switched. */
static inline void hostile_unit_forget(struct hostile_unit *q, const struct safety_u *u, bool on, double now_s)
{
        *q = (struct hostile_unit){.on = on, .since_s = now_s};
        for (unsigned k = 2; k <= u->max_starts_per_h; k++)
                q->start_s[q->n++ % 64] = now_s;
}

/* An order against the times of the unit; taken: the plant follows it. */
static inline void hostile_unit_check(struct hostile_unit *q, const struct safety_u *u, double v, double now_s,
                                      bool taken)
{
        bool on = v >= 0.5;
        unsigned in_hour = 1;

        if (on == q->on)
                return;
        assert_true(now_s - q->since_s >= (on ? u->min_off_s : u->min_on_s) - 1e-6); /* two clocks' rounding */
        for (size_t i = 0; i < 64 && i < q->n; i++)
                in_hour += now_s - q->start_s[i] < 3600 - 1;
        if (on && in_hour > u->max_starts_per_h)
                fail_msg("start %u within the hour", in_hour);
        if (!taken)
                return;
        if (on)
                q->start_s[q->n++ % 64] = now_s;
        q->on = on;
        q->since_s = now_s;
}

/* What the plant shows of its setpoints, and what the filter is to take them to be: was. A unit is silent only after
 * its filter has decided, and while it takes its orders: of another one nobody could say when it was switched. */
static inline void hostile_read_back(struct rig *r, struct hostile_world *w, double *was)
{
        for (size_t j = 0; j < r->nu; j++) {
                const bool unit = r->u[j].kind == SAFETY_U_ONOFF;

                if (!unit && rng_below(&r->rng, 50) == 0)
                        w->has[j] = hostile_local(r, &r->u[j]);
                w->silent[j] = w->silent[j] ? rng_below(&r->rng, 4) > 0 : rng_below(&r->rng, 60) == 0;
                if (unit && (isnan(w->decided[j]) || w->late[j]))
                        w->silent[j] = false;
                r->confirmed[j] = w->silent[j] ? (double)NAN : w->has[j];
                was[j] = !w->silent[j] ? w->has[j] : isnan(w->decided[j]) ? r->u[j].nominal : w->decided[j];
        }
}

/* Time goes on: a step mostly; or none, or the clock of the filter alone goes back. */
static inline void hostile_clock(struct rig *r, struct hostile_world *w)
{
        const double step_s = rng_below(&r->rng, 30) ? r->env.step_s : 0;

        w->real_s += step_s;
        r->snap.mono_s += step_s;
        if (rng_below(&r->rng, 300) == 0)
                r->snap.mono_s -= rng_range(&r->rng, 0, 4000);
}

/* A new filter on a clock of its own, with what the old one saved and how long that is ago, if anyone knows; or with
 * nothing that it can use. */
static inline void hostile_restart(struct rig *r, struct hostile_world *w, struct hostile_unit unit[2])
{
        double buf[1 + 64 * SAFETY_STATE_PER_U];
        const size_t n = safety_state_save(r->s, r->snap.mono_s, buf, sizeof(buf) / sizeof(buf[0]));
        const double gap_s = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0, 7200) : 0;
        const double elapsed[] = {gap_s, gap_s, gap_s, 0, (double)NAN, -gap_s - 1, (double)INFINITY};
        const bool lost = rng_below(&r->rng, 4) == 0;

        rig_create(r);
        w->real_s += gap_s;
        r->snap.mono_s = rng_below(&r->rng, 3) ? rng_range(&r->rng, -1e4, 1e4) : 0;
        safety_state_restore(r->s, r->snap.mono_s, elapsed[rng_below(&r->rng, 7)], buf, lost ? n - 1 : n);
        for (size_t j = 0; j < r->nu; j++)
                w->decided[j] = (double)NAN;
        for (size_t j = r->nu - 2; lost && j < r->nu; j++)
                hostile_unit_forget(&unit[j - (r->nu - 2)], &r->u[j], w->has[j] >= 0.5, w->real_s);
}

/* What becomes of the decision. */
static inline void hostile_take(struct rig *r, struct hostile_world *w, const struct safety_decision *d,
                                const uint8_t *fixed, struct hostile_unit unit[2])
{
        size_t nu;
        const double *act = decision_u(d, &nu);

        for (size_t j = 0; j < nu; j++) {
                const bool onoff = r->u[j].kind == SAFETY_U_ONOFF;

                w->late[j] = w->late[j] ? rng_below(&r->rng, 3) > 0 : rng_below(&r->rng, 40) == 0;
                if (onoff && w->silent[j])
                        w->late[j] = false;
                w->decided[j] = act[j];
                if (fixed[j] || !decision_in_box(d, j))
                        continue;
                if (onoff)
                        hostile_unit_check(&unit[j - (nu - 2)], &r->u[j], act[j], w->real_s, !w->late[j]);
                if (!w->late[j])
                        w->has[j] = act[j];
        }
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
        for (size_t j = r->nu - 2; j < r->nu; j++) {
                const size_t other = 2 * r->nu - 3 - j;

                if (was[j] == 1 && act[j] == 0 && r->status[other] == 1 && r->u[other].max_flow_ramp_per_min > 0 &&
                    r->snap.evap_flow_ramp_per_min > r->u[other].max_flow_ramp_per_min &&
                    !(stay > 0 && r->snap.evap_flow_m3s < running * 1.10))
                        fail_msg("a stop at %g of %g per minute", r->snap.evap_flow_ramp_per_min,
                                 r->u[other].max_flow_ramp_per_min);
        }
        if (starts && runs && r->snap.chw_flow_m3s < need * 1.15)
                fail_msg("a start with %g of %g m3/s", r->snap.chw_flow_m3s, need);
        for (size_t i = 0; i < r->env.ncert; i++) {
                const double y = r->wy[(RIG_HIST - 1) * r->ny + i];

                cool = cool && r->y_ok[i] == COND_TRUE && isfinite(y) && y <= r->cert[i].hi - r->cert[i].soft_k - 0.5;
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
                double rest[2], lift = act[cw] - act[chw], slack = 1e-5;
                double able_w = 0, greatest;

                for (size_t j = r->nu - 2; j < r->nu; j++)
                        able_w += r->status[j] == 1 ? r->u[j].capacity_w : 0;
                greatest = hostile_pair[i].max_k;
                if (r->snap.cooling_load_w < able_w)
                        greatest -= hostile_pair[i].surge_less_k * (able_w - r->snap.cooling_load_w) / able_w;

                for (size_t k = 0; k < 2; k++) {
                        const size_t j = k ? chw : cw;

                        const bool stays = fixed[j] || beyond_box(&r->u[j], was[j]);
                        const double at = r->u[j].step > 0 ? (was[j] - r->u[j].origin) / r->u[j].step : 0;

                        rest[k] =
                            stays ? was[j] : fmin(fmax(was[j], box_end(&r->u[j], false)), box_end(&r->u[j], true));
                        /* a count, where it lies between two */
                        slack += r->u[j].step * (!stays && fabs(at - round(at)) > 1e-3 ? 1 : 1e-3);
                }
                if (lift < fmin(hostile_pair[i].min_k, rest[0] - rest[1] - slack) - 1e-6 ||
                    lift > fmax(greatest, rest[0] - rest[1] + slack) + 1e-6)
                        fail_msg("lift %g from %g, bounds %g to %g", lift, rest[0] - rest[1], hostile_pair[i].min_k,
                                 greatest);
        }
}

static inline const struct safety_decision *hostile_decide(struct rig *r)
{
        r->snap.t_ms += 30000;
        rig_point(r);
        return safety_filter(r->s, &r->snap, &r->p);
}

static inline void hostile_episode(struct rig *r, size_t n)
{
        uint8_t fixed[64] = {0};
        struct hostile_unit unit[2];
        struct hostile_world w = {0};
        unsigned how = rng_below(&r->rng, 8);

        hostile_rig = r;
        for (size_t j = 0; j < r->nu; j++) {
                w.has[j] = r->confirmed[j];
                w.decided[j] = (double)NAN;
        }
        memcpy(w.y, r->wy, RIG_HIST * r->ny * sizeof(double));
        for (size_t k = 0; k < n; k++) {
                const struct safety_decision *d;
                const double *act;
                size_t nu;
                bool finite = true;
                double was[64];

                if (k > 0 && rng_below(&r->rng, 150) == 0)
                        hostile_restart(r, &w, unit);
                hostile_plant(r, &w);
                hostile_read_back(r, &w, was);
                if (k % 16 == 0)
                        how = rng_below(&r->rng, 8);
                for (size_t j = 0; j < r->nu; j++) {
                        r->prop[j] = hostile_value(r, &r->u[j], how, k);
                        finite = finite && isfinite(r->prop[j]);
                        if (rng_below(&r->rng, 100) == 0)
                                fixed[j] = !fixed[j] && rng_below(&r->rng, 2);
                }
                r->snap.u_fixed = fixed;
                r->p.present = rng_below(&r->rng, 30) > 0;
                r->p.malformed = rng_below(&r->rng, 30) == 0;
                hostile_clock(r, &w);
                for (size_t j = r->nu - 2; k == 0 && j < r->nu; j++)
                        hostile_unit_forget(&unit[j - (r->nu - 2)], &r->u[j], true, w.real_s);
                hostile_replaced = false;
                d = hostile_decide(r);
                hostile_disagreed += !hostile_replaced && decision_reason(d) == DR_VERIFY;
                act = decision_u(d, &nu);
                assert_int_equal(nu, r->nu);
                for (size_t j = 0; j < nu; j++) {
                        const struct safety_u *u = &r->u[j];

                        assert_int_equal(decision_in_box(d, j), act[j] >= u->lo && act[j] <= u->hi);
                        if (fixed[j]) {
                                assert_true(act[j] == was[j]);
                                continue;
                        }
                        if (!decision_in_box(d, j) && act[j] != was[j]) /* where it stays is checked below */
                                fail_msg("step %zu variable %zu: not written, but %.17g from %.17g in [%g, %g]: %s", k,
                                         j, act[j], was[j], u->lo, u->hi, decision_reason_str(decision_reason(d)));
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
                }
                hostile_ties_check(r, act, was, fixed);
                hostile_take(r, &w, d, fixed, unit);
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
        printf("refused by the second checker %zu\n", hostile_disagreed);
}

static inline int hostile_main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
