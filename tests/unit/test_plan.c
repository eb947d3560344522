/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/plan_room.h"

static void gradient_is_exact(void **state)
{
        (void)state;
        struct room *r = room_new(3, 6, 400);
        start_state(r, 23.46, 0.557, 14); /* off the kinks; knee, targets and valves all active somewhere */
        struct plan_input in = input_of(r, 0);
        struct plan_output out;
        double target[U_MAX], grad[U_MAX];
        int compared = 0;

        plan_step(r->plan, &in, &out); /* loads the window */
        for (int round = 0; round < 20; round++) {
                for (size_t j = 0; j < r->nu; j++) {
                        const struct plan_u *u = &r->u[j];
                        target[j] = r->plan->now[j];
                        if (r->plan->free[j])
                                target[j] =
                                    plan_clamp(target[j] + u->rate * rng_range(&r->rng, -9.9, 9.9), u->lo, u->hi);
                }
                (void)plan_fast_cost(r->plan, target, grad);
                for (size_t j = 0; j < r->nu; j++) {
                        if (!r->plan->free[j]) {
                                near(grad[j], 0.0, 0.0);
                                continue;
                        }
                        const double h = 1e-6 * (r->u[j].hi - r->u[j].lo), at = target[j];
                        target[j] = at + h;
                        const double up = plan_fast_cost(r->plan, target, NULL);
                        target[j] = at - h;
                        const double down = plan_fast_cost(r->plan, target, NULL);
                        target[j] = at;
                        near(grad[j], (up - down) / (2.0 * h), 1e-3 * (fabs(grad[j]) + 100.0));
                        compared++;
                }
        }
        assert_int_equal(compared, 20 * 6);
        room_free(r);
}

/* A counterflow coil, solved: two film coefficients, water through an equal-percentage valve in a branch. What the plan
 * uses is a formula; this is what the formula stands for. Per W/K of full air flow. */
static double coil_effectiveness(double fan, double valve)
{
        const double phi = pow(40.0, valve - 1.0), flow = 1.0 / sqrt(0.4 + 0.6 / (phi * phi));
        const double air = fan, water = 2.0 * flow, ua = 1.0 / (0.5 / pow(fan, 0.6) + 0.35 / pow(flow, 0.8));
        const double least = fmin(air, water), ratio = least / fmax(air, water), ntu = ua / least;
        const double e = exp(-ntu * (1.0 - ratio));
        return (ratio > 0.999 ? ntu / (1.0 + ntu) : (1.0 - e) / (1.0 - ratio * e)) * least / air;
}

static double coil_valve(double fan, double back, double supply, double water)
{
        double lo = 0.0, hi = 2.0;

        for (int k = 0; k < 60; k++) {
                const double mid = 0.5 * (lo + hi);
                if (coil_effectiveness(fan, mid) < (back - supply) / (back - water))
                        lo = mid;
                else
                        hi = mid;
        }
        return 0.5 * (lo + hi);
}

struct coil_case {
        const char *what;
        double fan[3], sat[3];
};

/* Heat being given, more air comes back cooler, but through one coil it also brings that coil more heat. */
static void valves_answer_as_coils_do(void **state)
{
        (void)state;
        struct room *r = room_new(3, 6, 400);
        struct plan_output out;
        double target[U_MAX];
        const size_t end = LAGS + r->args.horizon - 1, valve = r->nrack + r->ncrah;
        const struct {
                double sat, fan, chw;
        } from[] = {{20.0, 0.5, 12.0}, {17.0, 0.45, 11.5}, {22.0, 0.7, 9.0}, {18.0, 0.4, 12.0}};
        const struct coil_case c[] = {{"all fans faster", {0.05, 0.05, 0.05}, {0}},
                                      {"one fan faster", {0.05, 0, 0}, {0}},
                                      {"one fan slower", {-0.05, 0, 0}, {0}},
                                      {"one supply colder", {0}, {-1, 0, 0}},
                                      {"all supplies warmer", {0}, {1, 1, 1}}};

        for (size_t f = 0; f < sizeof from / sizeof *from; f++) {
                const double sat = from[f].sat, fan = from[f].fan, chw = from[f].chw, lift = 6.0 / fan;
                const double now = coil_valve(fan, sat + lift, sat, chw);
                start_state(r, sat, fan, chw);
                for (size_t t = 0; t < WINDOW; t++)
                        for (size_t i = 0; i < 3; i++)
                                r->wy[t * r->ny + valve + i] = now;
                struct plan_input in = input_of(r, 0);
                plan_step(r->plan, &in, &out);
                assert_true(now > 0.4 && now < 0.95);
                for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
                        double back = sat;
                        memcpy(target, r->plan->now, r->nu * sizeof *target);
                        for (size_t i = 0; i < 3; i++) {
                                target[2 * i] += c[k].sat[i];
                                target[2 * i + 1] += c[k].fan[i];
                                back += (c[k].sat[i] + lift * fan / target[2 * i + 1]) / 3.0;
                        }
                        (void)plan_fast_cost(r->plan, target, NULL);
                        for (size_t i = 0; i < 3; i++) {
                                const double want = coil_valve(target[2 * i + 1], back, target[2 * i], chw) - now;
                                const double got = *plan_y_at(r->plan, end, valve + i) - now;
                                if (!(fabs(got - want) <= 0.006 + 0.35 * fabs(want)))
                                        fail_msg("%s at %.0f/%.2f/%.0f: valve %zu by %+.4f, the coil by %+.4f",
                                                 c[k].what, sat, fan, chw, i, got, want);
                        }
                }
                (void)plan_fast_cost(r->plan, r->plan->now, NULL);
                near(*plan_y_at(r->plan, end, valve), now, 1e-6); /* anchored at what is measured */
                near(plan_valve_factor(r->plan, 0.5), coil_valve(fan, sat + lift, sat, chw + 0.5) / now, 0.02);
        }
        room_free(r);
}

/* The gate makes no smaller change: such steps are saved up, not lost, and come no faster than without a dead-band. */
static void small_steps_are_saved_up_to_the_dead_band(void **state)
{
        (void)state;
        struct room *r = room_new(3, 6, 400);
        struct plan_output out;
        double smooth, moved = 0.0;
        size_t asked = 0;

        start_state(r, 18.0, 0.8, 8);
        struct plan_input in = input_of(r, 0);
        plan_step(r->plan, &in, &out);
        smooth = out.u[1] - 0.8;
        assert_true(smooth < 0.0 && smooth > -0.02);
        for (size_t c = 0; c < 3; c++)
                r->plan->u[2 * c + 1].dead_band = 0.02;
        for (uint64_t k = 1; k <= 24; k++) {
                in = input_of(r, k);
                plan_step(r->plan, &in, &out);
                const double step = out.u[1] - 0.8;
                assert_true(step == 0.0 || step <= -0.02);
                asked += step != 0.0;
                moved += step;
        }
        assert_true(asked >= 8);
        near(moved, 24.0 * smooth, 0.04);
        room_free(r);
}

static void less_cooling_comes_slowly_and_more_at_once(void **state)
{
        (void)state;
        struct room *r = room_new(3, 6, 400);
        struct plan_output out, careful;
        double wish[U_MAX];

        start_state(r, 18.0, 0.8, 8); /* inlets near 20.6: kelvins of room */
        struct plan_input in = input_of(r, 0);
        plan_step(r->plan, &in, &out);
        for (size_t c = 0; c < 3; c++) {
                near(out.u[2 * c + 1], 0.8 - 0.2 * 0.05, 1e-9);
                assert_true(out.u[2 * c] <= 18.0 + 0.2 * 0.5 + 1e-9);
        }
        start_state(r, 24.0, 0.4, 8); /* inlets near 30 */
        in = input_of(r, 1);
        in.energy = NULL;
        plan_step(r->plan, &in, &out);
        assert_true(out.in_distribution); /* cooling needs no confidence */
        for (size_t c = 0; c < 3; c++) {
                near(out.u[2 * c + 1], 0.45, 1e-9);
                near(out.u[2 * c], 23.5, 1e-9);
        }
        start_state(r, 20.7, 0.5, 8); /* inlets near 25.5, half a kelvin below the target */
        in = input_of(r, 2);
        plan_step(r->plan, &in, &out);
        memcpy(wish, r->plan->best, r->nu * sizeof *wish);
        in.caution_k = 1.0;
        plan_step(r->plan, &in, &careful);
        for (size_t c = 0; c < 3; c++) {
                assert_true(careful.u[2 * c + 1] >= out.u[2 * c + 1] && careful.u[2 * c] <= out.u[2 * c]);
                assert_true(r->plan->best[2 * c + 1] > wish[2 * c + 1] || r->plan->best[2 * c] < wish[2 * c]);
        }
        room_free(r);
}

static double power_of(const struct room *r, const double *u)
{
        double w = 0.0;
        for (size_t c = 0; c < r->ncrah; c++)
                w += 7500.0 * u[2 * c + 1] * u[2 * c + 1] * u[2 * c + 1];
        return w;
}

static void closed_loop_saves_fan_power_inside_the_targets(void **state)
{
        (void)state;
        struct room *r = room_new(4, 8, 600);
        double hottest = 0.0, u[U_MAX], before;

        start_state(r, 18, 0.8, 8);
        r->wu[(WINDOW - 1) * r->nu + 1] = 1.0; /* one fan far from the others */
        r->wu[(WINDOW - 1) * r->nu + 3] = 0.5;
        before = power_of(r, &r->wu[(WINDOW - 1) * r->nu]);
        for (uint64_t t = 0; t < 240; t++) {
                struct plan_input in = input_of(r, t);
                struct plan_output out;
                plan_step(r->plan, &in, &out);
                assert_true(out.in_distribution);
                memcpy(u, out.u, r->nu * sizeof *u);
                room_step(r, u);
                memcpy(&r->wu[(WINDOW - 1) * r->nu], u, r->nu * sizeof *u);
                for (size_t i = 0; i < r->nrack && t > 60; i++)
                        hottest = fmax(hottest, r->wy[(WINDOW - 1) * r->ny + i]);
        }
        printf("fan power %.0f -> %.0f W, SAT %.2f, fan %.3f, hottest %.2f\n", before, power_of(r, u), u[0], u[1],
               hottest);
        assert_true(power_of(r, u) < 0.7 * before);
        assert_true(hottest < 26.3 && hottest > 24.5);
        for (size_t c = 1; c < r->ncrah; c++)
                near(u[2 * c + 1], u[1], 0.06); /* cubes: equal fans are cheapest */
        room_free(r);
}

/* A fan that cannot be read: what shares an inlet with it stays, and the proposal counts. Supply air: its own stays,
 * the reading of it goes on as it is. A chiller or a water setpoint: the proposal does not count. */
static void an_unreadable_air_handler_stops_its_neighbours_only(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 400);
        double u[U_MAX];
        bool moved = false;

        for (size_t j = 0; j < r->nu; j++) {
                const bool slow = r->u[j].kind != PLAN_U_SAT && r->u[j].kind != PLAN_U_FAN;
                struct plan_input in = input_of(r, 3);
                struct plan_output out;

                memcpy(u, in.u_now, r->nu * sizeof *u);
                plan_step(r->plan, &in, &out);
                for (size_t k = 0; k < r->nu; k++)
                        moved = moved || fabs(out.u[k] - u[k]) > 1e-6;
                u[j] = (double)NAN;
                in.u_now = u;
                plan_step(r->plan, &in, &out);
                assert_int_equal(out.in_distribution, !slow);
                for (size_t k = 0; k < r->nu && !slow; k++)
                        if (k != j && r->u[j].kind == PLAN_U_FAN)
                                near(out.u[k], u[k], 0.0); /* every inlet of this room reads every fan */
                near(out.u[j], slow ? out.u[j] : r->u[j].nominal, 0.0);
                in.explore = true;
                plan_step(r->plan, &in, &out);
                assert_false(out.in_distribution);
                in.explore = false;
                for (size_t k = 0; k < r->nu; k++) /* half of all */
                        u[k] = k != j && k % 2 == 0 && k < chw_u(r) ? (double)NAN : u[k];
                plan_step(r->plan, &in, &out);
                assert_false(out.in_distribution);
        }
        assert_true(moved);
        room_free(r);
}

static void unfitted_model_or_unknown_state_proposes_nothing_new(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 0);
        struct plan_input in = input_of(r, 3);
        struct plan_output out;

        plan_step(r->plan, &in, &out);
        for (size_t j = 0; j < r->nu; j++)
                near(out.u[j], in.u_now[j], 0.0);
        assert_true(isnan(out.predicted_w));

        double u[U_MAX];
        memcpy(u, in.u_now, r->nu * sizeof *u);
        u[1] = (double)NAN;
        in.u_now = u;
        in.model = NULL;
        plan_step(r->plan, &in, &out);
        near(out.u[1], 0.8, 0.0); /* nominal */
        assert_false(out.in_distribution);
        room_free(r);
}

/* A handler whose racks are not all modelled must not be driven by the others' comfort. */
static void blind_spot_freezes_the_variables_that_reach_it(void **state)
{
        (void)state;
        struct room *r = room_new(12, 12, 400);
        struct plan_input in = input_of(r, 0);
        struct plan_output out;

        for (size_t t = 0; t < WINDOW; t++)
                r->wy[t * r->ny + 0] = (double)NAN; /* rack 0 sees handlers 0–3 */
        plan_step(r->plan, &in, &out);
        for (size_t c = 0; c < 12; c++) {
                const bool moved = out.u[2 * c + 1] != in.u_now[2 * c + 1] || out.u[2 * c] != in.u_now[2 * c];
                assert_int_equal(moved, c > 3);
        }
        room_free(r);
}

static void box_and_rate_hold_whatever_comes_in(void **state)
{
        (void)state;
        const char *env = getenv("COOLPLANE_SEED");
        const uint64_t seed = env ? strtoull(env, NULL, 10) : 21;
        struct room *r = room_new(3, 6, 400);
        struct rng g;

        printf("seed %" PRIu64 "\n", seed);
        rng_seed(&g, seed, 0);
        for (uint64_t t = 0; t < 150; t++) {
                struct plan_output out, again;
                double u[U_MAX], target[U_MAX], was[U_MAX], vain[U_MAX];
                start_state(r, rng_range(&g, 10, 40), rng_range(&g, -1, 2), rng_range(&g, 0, 30));
                for (int k = 0; k < 10; k++)
                        r->wy[rng_below(&g, (uint32_t)(WINDOW * r->ny))] =
                            rng_below(&g, 2) ? (double)NAN : rng_range(&g, -1e6, 1e6);
                for (int k = 0; k < 3; k++)
                        r->wd[rng_below(&g, (uint32_t)(WINDOW * r->nd))] = rng_below(&g, 2) ? (double)INFINITY : 1e300;
                for (size_t j = 0; j < r->nu; j++)
                        u[j] = rng_below(&g, 20) ? rng_range(&g, r->u[j].lo, r->u[j].hi) : (double)NAN;
                for (size_t c = 0; c < 3 && t % 2; c++) /* at rest: then water may get warmer */
                        u[chw_u(r) + 2 + c] = c < 2;
                struct plan_input in = input_of(r, t);
                in.u_now = u;
                in.followed = rng_below(&g, 2);
                in.slow_step = rng_below(&g, 2);
                in.explore = rng_below(&g, 2);
                in.window.n = rng_below(&g, 4) ? WINDOW : rng_below(&g, WINDOW);
                const bool planned = r->plan->planned;
                const struct plan_staging staging = r->plan->staging;
                const uint64_t warm_from = r->plan->warm_from;
                memcpy(was, r->plan->was, r->nu * sizeof *was);
                memcpy(vain, r->plan->vain_until, r->nu * sizeof *vain);
                memcpy(target, r->plan->target, r->nu * sizeof *target);
                plan_step(r->plan, &in, &out);
                for (size_t j = 0; j < r->nu; j++) {
                        assert_true(out.u[j] >= r->u[j].lo && out.u[j] <= r->u[j].hi);
                        if (!isnan(u[j]))
                                assert_true(fabs(out.u[j] - u[j]) <= r->u[j].rate + 1e-12);
                        if (r->u[j].kind >= PLAN_U_CHWST && !in.slow_step && !isnan(u[j]))
                                near(out.u[j], u[j], 0.0);
                }
                const uint64_t slow = r->plan->slow_count;
                r->plan->slow_count -= in.slow_step;
                r->plan->staging = staging;
                r->plan->warm_from = warm_from;
                memcpy(r->plan->was, was, r->nu * sizeof *was);
                memcpy(r->plan->vain_until, vain, r->nu * sizeof *vain);
                r->plan->planned = planned;
                memcpy(r->plan->target, target, r->nu * sizeof *target);
                plan_step(r->plan, &in, &again);
                assert_int_equal(r->plan->slow_count, slow);
                assert_memory_equal(out.u, again.u, r->nu * sizeof *u); /* a function of its input */
        }
        room_free(r);
}

static void exploration_excites_every_variable_on_its_own(void **state)
{
        (void)state;
        struct room *r = room_new(3, 6, 0);
        double last[U_MAX], step[6][360], lo[U_MAX], hi[U_MAX];
        int slow_changes = 0;

        for (size_t j = 0; j < r->nu; j++) {
                last[j] = lo[j] = hi[j] = r->wu[(WINDOW - 1) * r->nu + j];
        }
        for (uint64_t t = 0; t < 360; t++) {
                struct plan_input in = input_of(r, t);
                struct plan_output out;
                in.explore = true;
                in.slow_step = t % 10 == 0;
                plan_step(r->plan, &in, &out);
                assert_true(out.in_distribution);
                for (size_t j = 0; j < r->nu; j++) {
                        assert_true(fabs(out.u[j] - last[j]) <= r->u[j].rate + 1e-12);
                        if (j < 6)
                                step[j][t] = (out.u[j] - last[j]) / r->u[j].rate;
                        else if (out.u[j] != last[j]) {
                                assert_true(in.slow_step);
                                slow_changes++;
                        }
                        last[j] = out.u[j];
                        lo[j] = fmin(lo[j], last[j]);
                        hi[j] = fmax(hi[j], last[j]);
                }
                room_step(r, out.u);
                memcpy(&r->wu[(WINDOW - 1) * r->nu], out.u, r->nu * sizeof *last);
        }
        assert_true(slow_changes > 50);
        for (size_t a = 0; a < 6; a++) {
                assert_true(hi[a] - lo[a] > 0.3 * (r->u[a].hi - r->u[a].lo));
                for (size_t b = 0; b < a; b++) {
                        double ab = 0.0, aa = 0.0, bb = 0.0;
                        for (size_t t = 0; t < 360; t++) {
                                ab += step[a][t] * step[b][t];
                                aa += step[a][t] * step[a][t];
                                bb += step[b][t] * step[b][t];
                        }
                        assert_true(fabs(ab) < 0.3 * sqrt(aa * bb));
                }
        }
        room_free(r);
}

static void hall_takes_milliseconds(void **state)
{
        (void)state;
        struct room *r = room_new(12, 48, 260);
        struct plan_output out;
        double worst = 0.0;

        for (uint64_t t = 0; t < 10; t++) {
                start_state(r, 18 + (double)t * 0.5, 0.8, 8);
                struct plan_input in = input_of(r, t);
                in.slow_step = true;
                const clock_t c0 = clock();
                plan_step(r->plan, &in, &out);
                worst = fmax(worst, (double)(clock() - c0) / CLOCKS_PER_SEC);
        }
        printf("hall: %zu u, %zu y, %zu terms, worst %.1f ms CPU\n", r->nu, r->ny, r->st.nterm, 1e3 * worst);
#ifdef __OPTIMIZE__
        assert_true(worst < 0.05);
#else
        assert_true(worst < 0.25);
#endif
        room_free(r);
}

static void bad_arguments_are_refused(void **state)
{
        (void)state;
        struct room *r = room_new(2, 4, 0);
        const size_t size = plan_memsize(&r->st, r->nu, r->npy, &r->args);
        struct plan *p = NULL;
        struct plan_args a = r->args;
        struct plan_u keep = r->u[0];

        assert_int_equal(plan_create(r->plan_mem, size - 1, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu - 1, r->y, r->npy, &a, &p), -22);
        a.horizon = 1;
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        a = r->args;
        a.d_chw = r->nd;
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        a = r->args;
        r->u[0].hi = (double)NAN;
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        r->u[0] = keep;
        r->u[0].nominal = r->u[0].hi + 1;
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        r->u[0] = keep;
        r->y[0].row = r->ny;
        assert_int_equal(plan_create(r->plan_mem, size, &r->st, r->u, r->nu, r->y, r->npy, &a, &p), -22);
        assert_null(p);
        room_free(r);
}
int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(gradient_is_exact),
            cmocka_unit_test(valves_answer_as_coils_do),
            cmocka_unit_test(small_steps_are_saved_up_to_the_dead_band),
            cmocka_unit_test(less_cooling_comes_slowly_and_more_at_once),
            cmocka_unit_test(closed_loop_saves_fan_power_inside_the_targets),
            cmocka_unit_test(an_unreadable_air_handler_stops_its_neighbours_only),
            cmocka_unit_test(unfitted_model_or_unknown_state_proposes_nothing_new),
            cmocka_unit_test(blind_spot_freezes_the_variables_that_reach_it),
            cmocka_unit_test(box_and_rate_hold_whatever_comes_in),
            cmocka_unit_test(exploration_excites_every_variable_on_its_own),
            cmocka_unit_test(hall_takes_milliseconds),
            cmocka_unit_test(bad_arguments_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
