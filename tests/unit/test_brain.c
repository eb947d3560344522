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

#include "agent/gate/gate.h"
#include "agent/planner/plant.h"
#include "agent/planner/brain_internal.h"
#include "tests/unit/brain_bench.h"

static void explores_identifies_and_saves(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        struct brain_info info;
        double before = 0.0, after = 0.0, hottest = 0.0;

        for (int t = 0; t < 360; t++) {
                turn(b, brain, true);
                brain_learn(brain);
                assert_string_equal(b->proposal.move_name, "explore");
        }
        brain_info(brain, &info);
        assert_int_equal(info.steps, 360);
        assert_int_equal(info.rows_fitted, info.rows);
        assert_true(info.inlet_rmse_c < 0.05);
        assert_true(info.energy_samples >= 34);

        const struct plant keep = b->plant;
        plant_start(&b->plant);
        b->plant.seq = keep.seq;
        b->plant.rng = keep.rng;
        before = 4000.0 * 2 * pow(0.8, 3) + chiller_w(&b->plant);
        for (int t = 0; t < 360; t++) {
                turn(b, brain, false);
                brain_learn(brain);
                if (t >= 120)
                        hottest = fmax(hottest, b->step.inlet_max_c);
        }
        for (int c = 0; c < CRAHS; c++)
                after += 4000.0 * pow(b->plant.fan[c], 3);
        for (int i = 0; i < RACKS; i++)
                b->plant.rack_w[i] = 12e3;
        after += chiller_w(&b->plant);
        printf("plant power %.0f -> %.0f W; SAT %.1f, fan %.2f, CHWST %.1f; hottest inlet %.2f C\n", before, after,
               b->plant.sp[0], b->plant.fan[0], b->plant.chwst, hottest);
        assert_true(after < 0.8 * before);
        assert_true(b->plant.chwst > 9.0);
        assert_true(hottest < 26.5);
        assert_true(b->proposal.in_distribution);
        assert_true(isfinite(b->proposal.predicted_w) && isfinite(b->proposal.predicted_max_inlet_c));
        brain_free(brain);
}

static void a_rack_nothing_is_known_of_is_not_a_rack_without_influence(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        const struct layout *l = b->layout;

        for (size_t i = 0; i < l->ny; i++)
                for (size_t k = 0; k < l->nd; k++)
                        if (l->y[i].kind == Y_INLET && l->d[k].kind == D_RACK_POWER) {
                                const double gain = brain_influence(brain, i, k);
                                assert_true(gain > 0.0 || l->y[i].zone != l->d[k].zone);
                                if (l->y[i].equipment == l->d[k].equipment)
                                        assert_true(gain > 1e-4); /* 10 kW more warm its own inlet by a kelvin */
                        }
        brain_free(brain);
}

static void same_messages_same_answers_whenever_it_learns(void **state)
{
        struct bench *b = *state;
        struct brain *eager = brain_new(b, NULL), *lazy = brain_new(b, NULL);
        struct ipc_proposal other;

        for (int t = 0; t < 200; t++) {
                turn(b, eager, t < 150);
                brain_learn(eager);
                brain_step(lazy, &b->step, &other);
                assert_memory_equal(&b->proposal, &other, sizeof other);
        }
        brain_free(eager);
        brain_free(lazy);
}

static void foreign_step_gets_a_well_formed_non_answer(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        const char *why;

        make_step(b, false);
        b->step.ny++;
        brain_step(brain, &b->step, &b->proposal);
        assert_int_equal(ipc_check(&b->proposal, sizeof b->proposal, IPC_PROPOSAL, b->site->hash, &why), 0);
        assert_false(b->proposal.in_distribution);

        make_step(b, false);
        for (size_t i = 0; i < b->layout->ny; i++)
                b->step.y[i] = (double)NAN;
        for (size_t j = 0; j < b->layout->nu; j++)
                b->step.u[j] = (double)NAN;
        brain_step(brain, &b->step, &b->proposal);
        assert_int_equal(ipc_check(&b->proposal, sizeof b->proposal, IPC_PROPOSAL, b->site->hash, &why), 0);
        for (size_t j = 0; j < b->layout->nu; j++)
                assert_true(isfinite(b->proposal.u[j]));
        assert_false(b->proposal.in_distribution);
        brain_free(brain);
}

static double caution_of(const struct brain *brain)
{
        struct brain_info info;
        brain_info(brain, &info);
        return info.caution_k;
}

static void keeps_its_distance_from_what_the_gate_refuses(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);

        assert_int_equal(IPC_MODE_ACTIVE, GATE_ACTIVE);
        for (int t = 0; t < 30; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) == 0.0);
        b->plant.fan[0] += 0.2; /* as the gate does: more cooling than asked */
        turn(b, brain, true);
        const double once = caution_of(brain);
        assert_true(once > 0.1 && once < 0.2);
        b->plant.fan[0] += 0.2; /* the same episode */
        turn(b, brain, true);
        assert_true(caution_of(brain) == once);
        for (int t = 0; t < 20; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) < once && caution_of(brain) > 0.5 * once);
        for (int t = 0; t < 50; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) == 0.0);

        make_step(b, false);
        for (size_t j = 0; j < b->layout->nu; j++)
                b->step.u[j] = j < 4 ? 15.0 : b->step.u[j];
        b->step.mode = GATE_SHADOW; /* nobody follows us there */
        brain_step(brain, &b->step, &b->proposal);
        assert_true(caution_of(brain) == 0.0);
        brain_free(brain);
}

static const char inventory_json[] =
    "{\"timestamp\":%" PRId64 ",\"hosts\":["
    "{\"name\":\"h1\",\"rack\":\"rack-1\",\"cores\":32,\"mem_gib\":256,\"idle_w\":120,\"max_w\":350,"
    "\"reserved\":false,\"asleep\":false},"
    "{\"name\":\"h2\",\"rack\":\"rack-2\",\"cores\":32,\"mem_gib\":256,\"idle_w\":120,\"max_w\":350,"
    "\"reserved\":false,\"asleep\":false}],"
    "\"vms\":[{\"name\":\"v1\",\"host\":\"h1\",\"cores\":4,\"mem_gib\":16,\"cpu_cores\":1.2,\"movable\":true,"
    "\"group\":0},{\"name\":\"v2\",\"host\":\"h2\",\"cores\":4,\"mem_gib\":16,\"cpu_cores\":1.2,\"movable\":false,"
    "\"group\":0}]}";

static void starts_from_the_database_and_places_vms(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        struct store *reader = NULL;
        struct brain_info info;
        struct store_run run = {"sim", T0_MS, "test", b->site->hash};
        char err[256] = "", json[1024];
        int64_t id;

        if (store_open(b->site->database, STORE_WRITE, &b->store, err) < 0)
                fail_msg("%s", err);
        assert_int_equal(store_begin_run(b->store, &run, &id), 0);
        assert_int_equal(store_bind_site(b->store, b->site), 0);
        for (int t = 0; t < 200; t++)
                turn(b, brain, true);
        brain_free(brain);

        assert_int_equal(store_open(b->site->database, STORE_READ, &reader, err), 0);
        assert_int_equal(store_bind_site(reader, b->site), 0);
        brain = brain_new(b, reader);
        brain_info(brain, &info);
        assert_in_range(info.seeded_rows, 198, 201);
        assert_int_equal(info.rows_fitted, info.rows);
        assert_true(info.inlet_rmse_c < 0.1);
        assert_in_range(info.energy_samples, 17, 20);

        (void)snprintf(json, sizeof json, inventory_json, T0_MS + 200 * STEP_MS);
        assert_int_equal(store_put_vm_message(b->store, T0_MS + 200 * STEP_MS, "inventory", json), 0);
        turn(b, brain, false); /* step 200 is a slow one */
        assert_int_equal(b->step.slow_step, 1);
        assert_int_equal(b->proposal.nmove, 0);
        turn(b, brain, false); /* found after that answer, told with the next */
        assert_int_equal(b->proposal.nmove, 1);
        assert_string_equal(b->proposal.move[0].vm, "v1");
        assert_string_equal(b->proposal.move[0].from, "h1");
        assert_string_equal(b->proposal.move[0].to, "h2");
        /* one host's idle power and its cooling at the measured ratio, nothing for cooler inlets */
        assert_true(b->proposal.move[0].gain_w > 122.0 && b->proposal.move[0].gain_w < 160.0);
        assert_true(fabs(b->proposal.move[0].power_w - 1.2 / 32.0 * 230.0) < 1e-9);
        for (int t = 0; t < 29; t++)
                turn(b, brain, false);
        assert_int_equal(b->step.slow_step, 1);
        turn(b, brain, false);
        assert_int_equal(b->proposal.nmove, 0); /* the inventory is 15 minutes old */
        brain_free(brain);
        store_close(reader);
}

/* Without statuses the commands are counted; one that cannot be read is not one that stopped. */
static void a_chiller_that_cannot_be_read_is_not_off(void **state)
{
        (void)state;
        const struct site site = {0};
        struct layout_var u[3];
        const double power[ENERGY_PARTS] = {0};
        double on[3] = {1, 1, 0};

        for (int k = 0; k < 3; k++)
                u[k] = (struct layout_var){.point = -1, .kind = U_CHILLER, .equipment = -1, .zone = -1};
        const struct layout l = {.site = &site, .nu = 3, .u = u};
        assert_true(plant_sample(&l, NULL, on, NULL, power, (double)NAN).chillers_on == 2.0);
        assert_true(plant_sample(&l, NULL, on, NULL, power, 1.0).chillers_on == 1.0);
        on[1] = (double)NAN;
        assert_true(isnan(plant_sample(&l, NULL, on, NULL, power, (double)NAN).chillers_on));
        assert_true(plant_sample(&l, NULL, on, NULL, power, 1.0).chillers_on == 1.0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_chiller_that_cannot_be_read_is_not_off),
            cmocka_unit_test_setup_teardown(explores_identifies_and_saves, bench_setup, bench_teardown),
            cmocka_unit_test_setup_teardown(a_rack_nothing_is_known_of_is_not_a_rack_without_influence, bench_setup,
                                            bench_teardown),
            cmocka_unit_test_setup_teardown(same_messages_same_answers_whenever_it_learns, bench_setup, bench_teardown),
            cmocka_unit_test_setup_teardown(keeps_its_distance_from_what_the_gate_refuses, bench_setup, bench_teardown),
            cmocka_unit_test_setup_teardown(foreign_step_gets_a_well_formed_non_answer, bench_setup, bench_teardown),
            cmocka_unit_test_setup_teardown(starts_from_the_database_and_places_vms, bench_setup, bench_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
