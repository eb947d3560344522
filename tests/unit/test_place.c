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

#include <cmocka.h>

#include "models/num/rng.h"
#include "models/place/place.h"

#define HOSTS 24
#define VMS 80
#define RACKS 6

#define near(a, b, tol) assert_true(fabs((a) - (b)) <= (tol)) /* cmocka's own compares floats */

struct room {
        struct place_host host[HOSTS];
        struct place_vm vm[VMS];
        double inlet_c[RACKS], influence[RACKS * RACKS], cooling[RACKS];
        struct place_problem p;
        struct place_move move[32];
};

static size_t solve(struct room *r)
{
        const size_t size = place_work_size(r->p.nhost, r->p.nvm, r->p.nrack);
        void *work = malloc(size);
        size_t n;
        assert_non_null(work);
        memset(work, 0xa5, size);
        n = place_plan(&r->p, work, size, r->move);
        free(work);
        assert_true(n <= r->p.budget);
        return n;
}

/* Two racks, two hosts each, no VM, nothing hot, nothing recirculates. */
static void small(struct room *r)
{
        memset(r, 0, sizeof *r);
        r->p = (struct place_problem){
            .nhost = 4,
            .nrack = 2,
            .host = r->host,
            .vm = r->vm,
            .inlet_c = r->inlet_c,
            .influence = r->influence,
            .cooling_w_per_w = r->cooling,
            .inlet_max_c = 27.0,
            .k_per_w_value = 1000.0,
            .move_cost_w = 10.0,
            .budget = 8,
            .evacuate_max = 8,
        };
        for (int h = 0; h < 4; h++)
                r->host[h] = (struct place_host){.id = (uint32_t)h,
                                                 .rack = h / 2,
                                                 .cores = 16,
                                                 .mem_gib = 64,
                                                 .idle_w = 100,
                                                 .max_w = 260,
                                                 .can_sleep = true};
        r->inlet_c[0] = r->inlet_c[1] = 24.0;
        r->cooling[0] = r->cooling[1] = 0.25;
}

static void add_vm(struct room *r, int host, double cores, double cpu)
{
        const size_t v = r->p.nvm++;
        r->vm[v] = (struct place_vm){
            .id = (uint32_t)v, .host = host, .cores = cores, .mem_gib = 4, .cpu_cores = cpu, .movable = true};
}

static void emptied_host_saves_its_idle_power_and_cooling(void **state)
{
        (void)state;
        struct room r;
        small(&r);
        add_vm(&r, 0, 4, 2);
        add_vm(&r, 1, 4, 2);
        assert_int_equal(solve(&r), 1);
        /* equal hosts: the VM's own heat only changes place; 100 W idle and a quarter of it for cooling are saved */
        near(r.move[0].gain_w, 125.0, 1e-9);
        near(r.move[0].saved_w, 125.0, 1e-9);
        near(r.move[0].power_w, 20.0, 1e-9);
        assert_int_equal(r.move[0].to / 2,
                         0); /* stays in the rack or not: either is equal, but never a sleeping host */
        assert_true(r.move[0].to == 0 || r.move[0].to == 1);
}

static void whole_host_is_emptied_by_several_moves(void **state)
{
        (void)state;
        struct room r;
        small(&r);
        for (int i = 0; i < 3; i++)
                add_vm(&r, 0, 2, 1);
        for (int i = 0; i < 4; i++)
                add_vm(&r, 2, 2, 1);
        assert_int_equal(solve(&r), 3); /* the host with three, not the one with four */
        for (int i = 0; i < 3; i++) {
                assert_int_equal(r.move[i].from, 0);
                assert_int_equal(r.move[i].to, 2);
                near(r.move[i].gain_w, 125.0 / 3.0, 1e-9);
                near(r.move[i].saved_w, 125.0 / 3.0, 1e-9);
        }
        r.p.evacuate_max = 2; /* nothing is worth doing */
        assert_int_equal(solve(&r), 0);
        r.p.evacuate_max = 3;
        r.p.budget = 2; /* two now, and the next plan goes on */
        assert_int_equal(solve(&r), 2);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(r.move[i].from, 0);
                near(r.move[i].saved_w, 125.0 / 3.0, 1e-9);
        }
        struct room next = r;
        next.p.host = next.host, next.p.vm = next.vm, next.p.inlet_c = next.inlet_c, next.p.influence = next.influence,
        next.p.cooling_w_per_w = next.cooling;
        for (int i = 0; i < 2; i++)
                next.vm[r.move[i].vm].host = (int)r.move[i].to;
        assert_int_equal(solve(&next), 1);
        assert_int_equal(next.move[0].from, 0);
        near(next.move[0].saved_w, 125.0, 1e-9);
        r.p.budget = 8;
        r.p.move_cost_w = 125.0 / 3.0 + 0.1;
        assert_int_equal(solve(&r), 0);
        r.p.move_cost_w = 125.0 / 3.0 - 0.1;
        assert_int_equal(solve(&r), 3);
}

/* A core of the host that idles high may be the cheaper one: what counts is that the rest stays together. */
static void a_vm_goes_where_it_fits_tightest(void **state)
{
        (void)state;
        struct room r;
        small(&r);
        add_vm(&r, 0, 2, 1);
        for (int i = 0; i < 2; i++)
                add_vm(&r, 1, 2, 2);
        for (int i = 0; i < 5; i++)
                add_vm(&r, 2, 2, 2);
        r.host[1].max_w = r.host[1].idle_w + 1.0; /* its cores cost next to nothing */
        r.p.budget = 1;
        assert_int_equal(solve(&r), 1);
        assert_int_equal(r.move[0].from, 0);
        assert_int_equal(r.move[0].to, 2);
}

static void nothing_to_gain_when_hosts_stay_awake_and_heat_does_not_spread(void **state)
{
        (void)state;
        struct room r;
        small(&r);
        for (int h = 0; h < 4; h++) {
                r.host[h].can_sleep = false;
                add_vm(&r, h, 4, h + 1);
        }
        r.inlet_c[0] = 26.9;
        assert_int_equal(solve(&r), 0);
}

static void heat_leaves_the_rack_that_warms_the_hottest_inlet(void **state)
{
        (void)state;
        struct room r;
        small(&r);
        for (int h = 0; h < 4; h++) {
                r.host[h].can_sleep = false;
                add_vm(&r, h, 4, 4); /* 40 W each */
        }
        r.inlet_c[0] = 26.0;
        r.influence[0] = 1e-3; /* rack 0 warms itself */
        r.p.budget = 1;
        assert_int_equal(solve(&r), 1);
        assert_int_equal(r.move[0].from / 2, 0);
        assert_int_equal(r.move[0].to / 2, 1);
        near(r.move[0].gain_w, 40.0, 1e-9); /* 40 W × 1 mK/W × 1000 W/K */
        near(r.move[0].saved_w, 0.0, 1e-9); /* which no meter will show */

        r.influence[3] = 0.1; /* rack 1 would be pushed by 4 K … */
        r.inlet_c[1] = 23.1;  /* … over 27 °C */
        assert_int_equal(solve(&r), 0);
        r.inlet_c[1] = (double)NAN; /* unknown: nothing is added there */
        assert_int_equal(solve(&r), 0);
}

static void constraints_hold_one_by_one(void **state)
{
        (void)state;
        struct room r;

        small(&r);
        add_vm(&r, 0, 4, 2);
        add_vm(&r, 1, 4, 2);
        r.host[0].reserved = true; /* takes none, gives none */
        assert_int_equal(solve(&r), 0);

        r.host[0].reserved = false;
        r.vm[0].movable = r.vm[1].movable = false;
        assert_int_equal(solve(&r), 0);
        r.vm[0].movable = true;
        assert_int_equal(solve(&r), 1);
        assert_int_equal(r.move[0].vm, 0);

        r.vm[0].group = r.vm[1].group = 7;
        assert_int_equal(solve(&r), 0);
        r.vm[1].group = 8;
        assert_int_equal(solve(&r), 1);

        r.vm[0].cores = 12.5; /* 12.5 + 4 > 16 */
        assert_int_equal(solve(&r), 0);
        r.vm[0].cores = 12;
        assert_int_equal(solve(&r), 1);
        r.vm[0].mem_gib = 60.5;
        assert_int_equal(solve(&r), 0);
        r.vm[0].mem_gib = 60;
        assert_int_equal(solve(&r), 1);
        r.p.budget = 0;
        assert_int_equal(solve(&r), 0);
}

/* --- property over random rooms ---------------------------------------------------------------------------------- */

static void random_room(struct room *r, struct rng *g)
{
        memset(r, 0, sizeof *r);
        r->p = (struct place_problem){
            .nhost = 4 + rng_below(g, HOSTS - 3),
            .nvm = 0,
            .nrack = RACKS,
            .host = r->host,
            .vm = r->vm,
            .inlet_c = r->inlet_c,
            .influence = r->influence,
            .cooling_w_per_w = r->cooling,
            .inlet_max_c = 27.0,
            .k_per_w_value = rng_range(g, 0, 3000),
            .move_cost_w = rng_range(g, 0, 30),
            .budget = rng_below(g, 17),
            .evacuate_max = rng_below(g, 17),
        };
        double cores[HOSTS] = {0}, mem[HOSTS] = {0};
        for (size_t h = 0; h < r->p.nhost; h++)
                r->host[h] = (struct place_host){.id = (uint32_t)h,
                                                 .rack = (int)rng_below(g, RACKS),
                                                 .cores = 16 + 16 * rng_below(g, 2),
                                                 .mem_gib = 64,
                                                 .idle_w = rng_range(g, 50, 150),
                                                 .max_w = rng_range(g, 200, 400),
                                                 .reserved = rng_below(g, 10) == 0,
                                                 .can_sleep = rng_below(g, 3) > 0};
        for (size_t v = 0; v < VMS; v++) {
                const size_t h = rng_below(g, (uint32_t)r->p.nhost);
                struct place_vm m = {.id = (uint32_t)v,
                                     .host = (int)h,
                                     .cores = 1 + rng_below(g, 4),
                                     .mem_gib = 1 + rng_below(g, 8),
                                     .movable = rng_below(g, 5) > 0,
                                     .group = rng_below(g, 4) ? 0 : 1 + rng_below(g, 5)};
                m.cpu_cores = m.cores * rng_uniform(g);
                bool clash = cores[h] + m.cores > r->host[h].cores || mem[h] + m.mem_gib > r->host[h].mem_gib;
                for (size_t o = 0; o < r->p.nvm; o++)
                        clash = clash || (m.group && r->vm[o].group == m.group && r->vm[o].host == m.host);
                if (clash)
                        continue;
                cores[h] += m.cores;
                mem[h] += m.mem_gib;
                r->vm[r->p.nvm++] = m;
        }
        for (size_t i = 0; i < RACKS; i++) {
                r->inlet_c[i] = rng_range(g, 20, 27.5);
                r->cooling[i] = rng_range(g, 0.1, 0.4);
                for (size_t j = 0; j < RACKS; j++)
                        r->influence[i * RACKS + j] = rng_below(g, 3) ? rng_range(g, 0, 2e-3) : 0.0;
        }
}

static void rack_power(const struct room *r, double *ret_w)
{
        memset(ret_w, 0, RACKS * sizeof *ret_w);
        for (size_t h = 0; h < r->p.nhost; h++) {
                double cpu = 0.0;
                size_t n = 0;
                for (size_t v = 0; v < r->p.nvm; v++) {
                        if (r->vm[v].host == (int)h) {
                                cpu += r->vm[v].cpu_cores;
                                n++;
                        }
                }
                if (n || !r->host[h].can_sleep)
                        ret_w[r->host[h].rack] +=
                            r->host[h].idle_w + (r->host[h].max_w - r->host[h].idle_w) * cpu / r->host[h].cores;
        }
}

/* Facility power plus the value of the hottest inlet, from scratch. */
static double objective(const struct room *r, const double *start_w)
{
        double w[RACKS], cost = 0.0, hottest = -(double)INFINITY;
        rack_power(r, w);
        for (size_t i = 0; i < RACKS; i++) {
                double t = r->inlet_c[i];
                cost += w[i] * (1.0 + r->cooling[i]);
                for (size_t j = 0; j < RACKS; j++)
                        t += r->influence[i * RACKS + j] * (w[j] - start_w[j]);
                hottest = fmax(hottest, t);
        }
        return cost + hottest * r->p.k_per_w_value;
}

static void check_hosts(const struct room *r)
{
        for (size_t h = 0; h < r->p.nhost; h++) {
                double cores = 0.0, mem = 0.0;
                for (size_t v = 0; v < r->p.nvm; v++) {
                        if (r->vm[v].host != (int)h)
                                continue;
                        cores += r->vm[v].cores;
                        mem += r->vm[v].mem_gib;
                        for (size_t o = 0; o < v; o++)
                                assert_false(r->vm[v].group && r->vm[o].group == r->vm[v].group &&
                                             r->vm[o].host == (int)h);
                }
                assert_true(cores <= r->host[h].cores && mem <= r->host[h].mem_gib);
        }
}

static void random_rooms_keep_every_constraint(void **state)
{
        (void)state;
        const char *env = getenv("COOLPLANE_SEED");
        const uint64_t seed = env ? strtoull(env, NULL, 10) : 11;
        size_t total = 0, whole = 0;
        struct rng g;

        printf("seed %" PRIu64 "\n", seed);
        rng_seed(&g, seed, 0);
        for (int round = 0; round < 300; round++) {
                struct room r;
                double start_w[RACKS], gain = 0.0;
                random_room(&r, &g);
                rack_power(&r, start_w);
                const double before = objective(&r, start_w);
                const size_t n = solve(&r);
                uint8_t moved[VMS] = {0};
                for (size_t i = 0; i < n; i++) {
                        const struct place_move *m = &r.move[i];
                        assert_true(m->gain_w >= r.p.move_cost_w);
                        assert_true(m->vm < r.p.nvm && m->to < r.p.nhost && m->to != m->from);
                        assert_int_equal(r.vm[m->vm].host, m->from);
                        assert_true(r.vm[m->vm].movable && !moved[m->vm]);
                        assert_false(r.host[m->from].reserved || r.host[m->to].reserved);
                        moved[m->vm] = 1;
                        r.vm[m->vm].host = (int)m->to;
                        gain += m->gain_w;
                }
                check_hosts(&r);
                /* the gains promised are the gains there are; an evacuation may go on in the next plan */
                if (n < r.p.budget) {
                        near(before - objective(&r, start_w), gain, 1e-6 * (1.0 + before));
                        whole += n;
                }
                total += n;
        }
        assert_true(total > 300 && whole > 100);
}

/* True when the capacity, the group and the peak (the target loaded, the source not yet relieved) allow one move. */
static bool allowed(const struct room *r, size_t v, size_t to)
{
        const struct place_vm *m = &r->vm[v];
        double cores = m->cores, mem = m->mem_gib, cpu = m->cpu_cores, before_w[RACKS], w[RACKS];
        struct room moved = *r;

        if (!m->movable || (int)to == m->host || r->host[m->host].reserved || r->host[to].reserved)
                return false;
        for (size_t o = 0; o < r->p.nvm; o++) {
                if (r->vm[o].host != (int)to)
                        continue;
                cores += r->vm[o].cores;
                mem += r->vm[o].mem_gib;
                cpu += r->vm[o].cpu_cores;
                if (m->group && r->vm[o].group == m->group)
                        return false;
        }
        if (cores > r->host[to].cores || mem > r->host[to].mem_gib || cpu > r->host[to].cores)
                return false;
        rack_power(r, before_w);
        moved.vm[v].host = (int)to;
        rack_power(&moved, w);
        for (size_t i = 0; i < RACKS; i++) {
                double peak = r->inlet_c[i], added = 0.0;
                for (size_t j = 0; j < RACKS; j++)
                        added += r->influence[i * RACKS + j] * fmax(w[j] - before_w[j], 0.0);
                if (added > 0.0 && !(peak + added <= r->p.inlet_max_c))
                        return false;
        }
        return true;
}

/* The bounds that prune the search never prune the best move. */
static void one_move_is_the_best_of_all(void **state)
{
        (void)state;
        struct rng g;
        size_t found = 0;

        rng_seed(&g, 13, 0);
        for (int round = 0; round < 60; round++) {
                struct room r;
                double start_w[RACKS], best = 0.0;
                random_room(&r, &g);
                r.p.budget = 1;
                r.p.evacuate_max = 0;
                rack_power(&r, start_w);
                const double before = objective(&r, start_w);
                for (size_t v = 0; v < r.p.nvm; v++) {
                        for (size_t to = 0; to < r.p.nhost; to++) {
                                struct room moved = r;
                                if (!allowed(&r, v, to))
                                        continue;
                                moved.vm[v].host = (int)to;
                                best = fmax(best, before - objective(&moved, start_w));
                        }
                }
                const size_t n = solve(&r);
                assert_int_equal(n, best > r.p.move_cost_w);
                if (n)
                        near(r.move[0].gain_w, best, 1e-6 * (1.0 + before));
                found += n;
        }
        assert_true(found > 20);
}

/* With containment (no influence) and hosts that stay awake, a planner that still promises gains deceives itself. */
static void contained_rooms_promise_almost_nothing(void **state)
{
        (void)state;
        struct rng g;

        rng_seed(&g, 12, 0);
        for (int round = 0; round < 100; round++) {
                struct room r;
                random_room(&r, &g);
                memset(r.influence, 0, sizeof r.influence);
                for (size_t h = 0; h < r.p.nhost; h++) {
                        r.host[h].can_sleep = false;
                        r.host[h].idle_w = 100;
                        r.host[h].max_w = 300;
                        r.host[h].cores = 32;
                }
                for (size_t i = 0; i < RACKS; i++)
                        r.cooling[i] = 0.25;
                r.p.move_cost_w = 1e-6;
                assert_int_equal(solve(&r), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(emptied_host_saves_its_idle_power_and_cooling),
            cmocka_unit_test(whole_host_is_emptied_by_several_moves),
            cmocka_unit_test(a_vm_goes_where_it_fits_tightest),
            cmocka_unit_test(nothing_to_gain_when_hosts_stay_awake_and_heat_does_not_spread),
            cmocka_unit_test(heat_leaves_the_rack_that_warms_the_hottest_inlet),
            cmocka_unit_test(constraints_hold_one_by_one),
            cmocka_unit_test(random_rooms_keep_every_constraint),
            cmocka_unit_test(one_move_is_the_best_of_all),
            cmocka_unit_test(contained_rooms_promise_almost_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
