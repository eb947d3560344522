/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* VMs that come and go: nobody is lost or doubled, no host holds more than it can, and moves of those that leave end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "models/num/rng.h"
#include "plant_fixture.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

static unsigned long allocations;

void *__wrap_malloc(size_t n)
{
        allocations++;
        return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
        allocations++;
        return __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
        allocations++;
        return __real_realloc(p, n);
}

struct busy {
        struct rig rig; /* its plant goes through arrivals */
        struct arrivals *arrivals;
};

static struct busy busy_new(const char *site, uint64_t seed, double vms)
{
        struct busy b = {.rig = rig_new(site, seed, SPRING_MS)};
        struct plant_spec spec = *plant_spec(b.rig.plant);

        rig_free(&b.rig);
        assert_int_equal(arrivals_synthetic(seed, &b.arrivals), 0);
        spec.arrivals = b.arrivals;
        spec.vms = (size_t)(vms * (double)spec.vms);
        assert_int_equal(plant_create(&spec, b.rig.weather, b.rig.load, SPRING_MS, &b.rig.plant), 0);
        return b;
}

static void busy_free(struct busy *b)
{
        rig_free(&b->rig);
        b->arrivals = arrivals_free(b->arrivals);
}

/* Returns the cores of all VMs. */
static double check(const struct plant *p, double *cores, double *mem_gib)
{
        struct plant_vm_counts n;
        double sum = 0.0;

        plant_vm_counts(p, &n);
        assert_true(n.arrived - n.left == plant_nvm(p));
        memset(cores, 0, plant_nhost(p) * sizeof(*cores));
        memset(mem_gib, 0, plant_nhost(p) * sizeof(*mem_gib));
        for (size_t k = 0; k < plant_nvm(p); k++) {
                struct plant_vm v;

                plant_vm(p, k, &v);
                assert_true(v.id >= 1 && v.host < plant_nhost(p));
                assert_true(v.cpu_cores >= 0.0 && v.cpu_cores <= v.cores);
                cores[v.host] += v.cores;
                mem_gib[v.host] += v.mem_gib;
                sum += v.cores;
        }
        for (size_t i = 0; i < plant_nhost(p); i++) {
                struct plant_host h;

                plant_host(p, i, &h);
                assert_true(cores[i] <= 1.25 * h.cores + 1e-9 && mem_gib[i] <= h.mem_gib + 1e-9);
                assert_true(cores[i] == 0.0 || (!h.asleep && !h.reserved));
        }
        return sum;
}

static int by_id(const void *a, const void *b)
{
        const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static void none_is_lost_or_doubled(void **state)
{
        const uint64_t seed = rig_seed();
        struct busy b = busy_new("tiny", seed, 1.0);
        struct plant *p = b.rig.plant;
        double *cores = calloc(plant_nhost(p), sizeof(*cores)), *mem = calloc(plant_nhost(p), sizeof(*mem));
        uint32_t *id = calloc(100000, sizeof(*id));
        struct plant_vm_counts before, after;
        uint64_t asked = 0, done = 0, failed = 0, gone = 0;
        unsigned long allocated;
        struct plant_account a;
        double sum = 0.0;
        struct rng rng;

        (void)state;
        rng_seed(&rng, seed, 9);
        plant_vm_counts(p, &before);
        for (int i = 0; i < 6 * 240; i++) {
                struct plant_move_event e;

                for (int k = 0; k < 3 && plant_nvm(p) > 0; k++)
                        asked += plant_move_vm(p, rng_below(&rng, (uint32_t)plant_nvm(p)),
                                               rng_below(&rng, (uint32_t)plant_nhost(p)), 7) == 0;
                allocated = allocations;
                plant_advance(p, 15.0);
                assert_int_equal(allocations, allocated);
                while (plant_next_move_event(p, &e)) {
                        assert_true(e.done != e.failed && (!e.gone || e.failed) && e.request_id == 7);
                        done += e.done;
                        failed += e.failed;
                        gone += e.gone;
                }
                sum += check(p, cores, mem) / (6.0 * 240.0);
        }
        for (size_t k = 0; k < plant_nvm(p); k++) {
                struct plant_vm v;

                plant_vm(p, k, &v);
                id[k] = v.id;
        }
        qsort(id, plant_nvm(p), sizeof(*id), by_id);
        for (size_t k = 1; k < plant_nvm(p); k++)
                assert_true(id[k] > id[k - 1]);
        plant_vm_counts(p, &after);
        plant_account(p, &a);
        print_message(
            "%zu VMs, %llu came, %llu left, %llu refused; moves: %llu asked, %llu done, %llu of VMs that left\n",
            plant_nvm(p), (unsigned long long)(after.arrived - before.arrived), (unsigned long long)after.left,
            (unsigned long long)after.refused, (unsigned long long)asked, (unsigned long long)done,
            (unsigned long long)gone);
        assert_true(after.arrived - before.arrived > 100 && after.left > 100);
        assert_true(done > 100 && gone > 0 && done + failed <= asked && asked - done - failed <= 64);
        assert_true(a.migrations == done && a.energy_residual_ratio < 1e-9);
        /* as much as the site's lasting VMs, 96 of 11.2 cores in the mean, give or take the time of day */
        assert_true(sum > 0.5 * 96 * 11.2 && sum < 1.5 * 96 * 11.2);
        free(id);
        free(mem);
        free(cores);
        busy_free(&b);
}

static void a_full_site_refuses(void **state)
{
        struct busy b = busy_new("tiny", 2, 4.0);
        struct plant *p = b.rig.plant;
        double *cores = calloc(plant_nhost(p), sizeof(*cores)), *mem = calloc(plant_nhost(p), sizeof(*mem));
        struct plant_vm_counts n;

        (void)state;
        for (int i = 0; i < 6; i++) {
                plant_advance(p, 3600.0);
                (void)check(p, cores, mem);
        }
        plant_vm_counts(p, &n);
        assert_true(n.refused > 100);
        free(mem);
        free(cores);
        busy_free(&b);
}

static void same_seed_same_arrivals_and_a_clone_goes_the_same_way(void **state)
{
        struct busy a = busy_new("tiny", 5, 1.0), b = busy_new("tiny", 5, 1.0);
        struct plant *c = NULL;
        struct plant_account x, y, z;
        struct plant_vm v, w;

        (void)state;
        plant_advance(a.rig.plant, 4000.0);
        plant_advance(b.rig.plant, 4000.0);
        assert_int_equal(plant_clone(a.rig.plant, &c), 0);
        plant_advance(a.rig.plant, 20000.0);
        plant_advance(b.rig.plant, 20000.0);
        plant_advance(c, 20000.0);
        assert_int_equal(plant_nvm(a.rig.plant), plant_nvm(b.rig.plant));
        assert_int_equal(plant_nvm(a.rig.plant), plant_nvm(c));
        for (size_t k = 0; k < plant_nvm(c); k++) {
                plant_vm(a.rig.plant, k, &v);
                plant_vm(c, k, &w);
                assert_true(v.id == w.id && v.host == w.host && v.cpu_cores == w.cpu_cores);
        }
        plant_account(a.rig.plant, &x);
        plant_account(b.rig.plant, &y);
        plant_account(c, &z);
        assert_memory_equal(&x, &y, sizeof(x));
        assert_memory_equal(&x, &z, sizeof(x));
        c = plant_free(c);
        busy_free(&a);
        busy_free(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(none_is_lost_or_doubled),
            cmocka_unit_test(a_full_site_refuses),
            cmocka_unit_test(same_seed_same_arrivals_and_a_clone_goes_the_same_way),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
