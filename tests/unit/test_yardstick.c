/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's own controllers: what they command, and that what they claim to have found is so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/num/rng.h"
#include "plant_fixture.h"
#include "sim/yardstick.h"

#define assert_near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static struct plant_account account(const struct plant *p)
{
        struct plant_account a;

        plant_account(p, &a);
        return a;
}

/* A copy lives on exactly as the original does, noise and load included, and neither feels the other. */
static void a_copy_has_the_same_future(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant *copy;
        struct plant_account a, b;
        struct plant_rack_meas ma, mb;

        (void)state;
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        yard_advance(r.plant, 1.0);
        assert_int_equal(plant_clone(r.plant, &copy), 0);
        yard_advance(copy, 2.0);
        assert_true(account(copy).total_kwh > account(r.plant).total_kwh);
        yard_advance(r.plant, 2.0);
        a = account(r.plant);
        b = account(copy);
        assert_memory_equal(&a, &b, sizeof(a));
        plant_rack_meas(r.plant, 3, &ma);
        plant_rack_meas(copy, 3, &mb);
        assert_memory_equal(&ma, &mb, sizeof(ma));
        yard_advance(copy, 1.0);
        plant_copy(copy, r.plant);
        yard_advance(copy, 1.0);
        yard_advance(r.plant, 1.0);
        assert_true(account(copy).total_kwh == account(r.plant).total_kwh);
        plant_free(copy);
        rig_free(&r);
}

static void a_held_command_is_in_force(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct yard_command cmd;
        struct plant_crah_meas m;
        struct plant_water_meas w;

        (void)state;
        yard_command_uniform(plant_spec(r.plant), 19.0, 0.7, 9.0, 22.0, 0x5, &cmd);
        for (size_t i = 4; i < 8; i++)
                cmd.sat_c[i] = 20.0;
        yard_hold(r.plant, &cmd, 1.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                assert_true(plant_is_remote(r.plant, PLANT_DEV_CRAH, i));
                plant_crah_meas(r.plant, i, &m);
                assert_near(m.sat_sp_c, i >= 4 && i < 8 ? 20.0 : 19.0, 1e-9);
                assert_near(m.fan_cmd_ratio, 0.7, 1e-9);
        }
        for (size_t i = 0; i < 3; i++) {
                struct plant_chiller_meas c;

                plant_chiller_meas(r.plant, i, &c);
                assert_int_equal(c.enabled, i != 1);
        }
        plant_water_meas(r.plant, &w);
        assert_near(w.chwst_sp_c, 9.0, 0.05);
        assert_near(w.cwst_sp_c, 22.0, 0.05);
        assert_int_equal(account(r.plant).hard_violations, 0);
        rig_free(&r);
}

/* One setting an hour, each again after five; its level owes nothing to what else happens; racks stay cool. */
static void the_hand_steps_one_setting_after_the_other(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        double was[4] = {18, 0.9, 7, 24}, low[4] = {99, 99, 99, 99}, high[4] = {0};
        unsigned moves[4] = {0}, hotter = 0;
        struct yard_hand *h;

        (void)state;
        assert_int_equal(yard_hand_create(r.plant, rig_seed(), &h), 0);
        for (unsigned k = 0; k < 40; k++) {
                struct plant_crah_meas m;
                struct plant_water_meas w;

                yard_hand_advance(h, r.plant, 1.0);
                plant_crah_meas(r.plant, 5, &m);
                plant_water_meas(r.plant, &w);
                const double is[4] = {m.sat_sp_c, m.fan_cmd_ratio, w.chwst_sp_c, w.cwst_sp_c};

                for (size_t i = 0; i < 4; i++) {
                        moves[i] += fabs(is[i] - was[i]) > 0.01;
                        low[i] = fmin(low[i], is[i]);
                        high[i] = fmax(high[i], is[i]);
                        was[i] = is[i];
                }
                hotter += account(r.plant).max_inlet_c > 31.0;
        }
        print_message(
            "supply air %.1f to %.1f °C, fans %.2f to %.2f, water %.1f to %.1f and %.1f to %.1f °C; hottest %.1f °C\n",
            low[0], high[0], low[1], high[1], low[2], high[2], low[3], high[3], account(r.plant).max_inlet_c);
        for (size_t i = 0; i < 4; i++)
                assert_in_range(moves[i], 3, 30);
        assert_true(high[0] - low[0] > 3 && high[1] - low[1] > 0.2 && high[2] - low[2] > 2 && high[3] - low[3] > 4);
        assert_true(low[0] >= 14 && high[0] <= 22 && low[2] >= 5 && high[2] <= 12 && low[3] >= 14 && high[3] <= 28);
        assert_int_equal(hotter, 0);
        assert_int_equal(account(r.plant).hard_violations, 0);
        yard_hand_free(h);
        rig_free(&r);
}

static void local_loops_hold_pressure_and_offset(void **state)
{
        const struct yard_pid pid = {.offset_k = 10.0, .dp_pa = 8.0};
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct plant_crah_meas m;
        double dp = 0.0;

        (void)state;
        yard_pid_advance(r.plant, &pid, 2.0);
        for (size_t i = 0; i < plant_spec(r.plant)->ncrah; i++) {
                plant_crah_meas(r.plant, i, &m);
                dp += m.dp_pa / (double)plant_spec(r.plant)->ncrah;
                assert_near(m.sat_sp_c - m.chw_in_c, 10.0, 1.0);
        }
        assert_near(dp, 8.0, 0.6);
        assert_false(plant_is_remote(r.plant, PLANT_DEV_PLANT, 0)); /* water stays with the plant */
        rig_free(&r);
}

/* What a loop cannot read moves nothing: least of all the fans to their minimum. */
static void a_local_loop_without_a_reading_holds(void **state)
{
        static const char *const lost[] = {"lost:dp:0", "const:dp:0:inf", "lost:coil-in:0", "const:coil-in:0:-inf"};
        const struct yard_pid pid = {.offset_k = 10.0, .dp_pa = 8.0};
        struct plant_crah_meas m;

        (void)state;
        for (size_t k = 0; k < 4; k++) {
                struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);

                yard_pid_advance(r.plant, &pid, 2.0);
                const struct plant_crah_cmd before = *plant_crah_cmd(r.plant, 0);

                assert_int_equal(plant_fault(r.plant, lost[k]), 0);
                yard_pid_advance(r.plant, &pid, 0.5);
                plant_crah_meas(r.plant, 0, &m);
                if (k < 2)
                        assert_true(m.fan_cmd_ratio == before.fan_ratio && before.fan_ratio > 0.4);
                else
                        assert_true(m.sat_sp_c == before.sat_sp_c &&
                                    plant_crah_cmd(r.plant, 0)->sat_sp_c == m.sat_sp_c);
                rig_free(&r);
        }
}

/* No constants drawn at random beat those that b2s found, unless they break its limit. */
static void no_other_constants_are_better(void **state)
{
        const uint64_t seed = rig_seed();
        struct rig r = rig_new("tiny", seed, SUMMER_MS);
        struct yard_command best, cmd;
        struct plant *p;
        struct rng rng;
        unsigned evaluations, fair = 0;
        double least;

        (void)state;
        assert_int_equal(yard_constant_search(r.plant, 1.0, 1.5, 4, &best, &evaluations), 0);
        assert_int_equal(plant_clone(r.plant, &p), 0);
        yard_hold(p, &best, 1.0);
        plant_account_reset(p);
        yard_hold(p, &best, 1.5);
        least = account(p).total_kwh;
        print_message("%u evaluations: %.2f kWh at %.2f °C, fans %.3f, water %.2f and %.2f °C\n", evaluations, least,
                      best.sat_c[0], best.fan_ratio[0], best.chwst_c, best.cwst_c);
        assert_true(account(p).max_inlet_c <= 27.0);
        rng_seed(&rng, seed, 5);
        for (unsigned k = 0; k < 40; k++) {
                yard_command_uniform(plant_spec(r.plant), rng_range(&rng, 14, 24), rng_range(&rng, 0.3, 0.9),
                                     rng_range(&rng, 6, 14), rng_range(&rng, 16, 28), 1, &cmd);
                plant_copy(p, r.plant);
                yard_hold(p, &cmd, 1.0);
                plant_account_reset(p);
                yard_hold(p, &cmd, 1.5);
                if (!(account(p).max_inlet_c <= 27.0))
                        continue;
                fair++;
                assert_true(account(p).total_kwh > least - 0.001 * least);
        }
        assert_true(fair >= 7);
        plant_free(p);
        rig_free(&r);
}

/* From b0's setpoints on, an oracle must find its way down to less than half of what lies between b0 and b2s. */
static void the_oracle_finds_its_way(void **state)
{
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        struct yard_command first, best;
        struct yard_oracle *oracle;
        struct plant *p;
        unsigned evaluations;
        double b0, b2s;

        (void)state;
        assert_int_equal(yard_constant_search(r.plant, 1.0, 2.0, 2, &best, &evaluations), 0);
        yard_command_uniform(plant_spec(r.plant), 18.0, 0.9, 7.0, 24.0, 1, &first);
        assert_int_equal(plant_clone(r.plant, &p), 0);
        yard_hold(p, &first, 3.0);
        plant_account_reset(p);
        yard_hold(p, &first, 1.0);
        b0 = account(p).total_kwh;
        plant_copy(p, r.plant);
        yard_hold(p, &best, 3.0);
        plant_account_reset(p);
        yard_hold(p, &best, 1.0);
        b2s = account(p).total_kwh;
        plant_copy(p, r.plant);
        assert_int_equal(yard_oracle_create(p, &first, &oracle), 0);
        yard_oracle_advance(oracle, p, 3.0);
        plant_account_reset(p);
        yard_oracle_advance(oracle, p, 1.0);
        print_message("b0 %.3f, b2s %.3f, b4 %.3f kWh, %u evaluations\n", b0, b2s, account(p).total_kwh,
                      yard_oracle_evaluations(oracle));
        assert_true(account(p).total_kwh < b2s + 0.05 * (b0 - b2s)); /* a local search, an hour: not always quite */
        assert_true(account(p).max_inlet_c <= 27.0);
        assert_int_equal(account(p).hard_violations, 0);
        yard_oracle_free(oracle);
        plant_free(p);
        rig_free(&r);
}

static double used_cores(const struct plant *p, size_t host)
{
        double cores = 0.0;

        for (size_t k = 0; k < plant_nvm(p); k++) {
                struct plant_vm v;

                plant_vm(p, k, &v);
                cores += v.host == host ? v.cores : 0.0;
        }
        return cores;
}

/* b2v keeps the rules of the agent's gate, and empties hosts until they sleep. */
static void consolidation_keeps_the_budget(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        const size_t nhost = plant_nhost(r.plant);
        double *before = calloc(nhost, sizeof(*before));
        struct yard_consolidator *k;
        size_t slept = 0, asleep = 0;

        (void)state;
        assert_non_null(before);
        plant_set_local(r.plant, PLANT_LOCAL_TRIM_RESPOND);
        yard_advance(r.plant, 1.0);
        for (size_t i = 0; i < nhost; i++) {
                struct plant_host h;

                plant_host(r.plant, i, &h);
                before[i] = used_cores(r.plant, i);
                slept += h.asleep;
        }
        assert_int_equal(yard_consolidator_create(r.plant, &k), 0);
        plant_account_reset(r.plant);
        for (unsigned step = 0; step < 36; step++) {
                const uint64_t done = account(r.plant).migrations;
                unsigned moving = 0;

                yard_consolidator_step(k, r.plant);
                for (size_t i = 0; i < plant_nvm(r.plant); i++) {
                        struct plant_vm v;

                        plant_vm(r.plant, i, &v);
                        moving += v.moving;
                        assert_true(v.movable || !v.moving);
                }
                assert_true(moving <= 2);
                yard_advance(r.plant, 1.0 / 12.0);
                assert_true(account(r.plant).migrations - done <= 2);
        }
        yard_advance(r.plant, 0.5); /* those last emptied fall asleep */
        for (size_t i = 0; i < nhost; i++) {
                struct plant_host h;

                plant_host(r.plant, i, &h);
                asleep += h.asleep;
                assert_true(!(used_cores(r.plant, i) > before[i]) ||
                            (used_cores(r.plant, i) <= h.cores && !h.reserved));
        }
        print_message("%llu moves, %zu hosts asleep, %zu before\n", (unsigned long long)account(r.plant).migrations,
                      asleep, slept);
        assert_in_range(account(r.plant).migrations, 45, 60); /* 20 an hour, some fail */
        assert_true(asleep >= slept + 10);
        yard_consolidator_free(k);
        free(before);
        rig_free(&r);
}

static void a_warm_up_ends_with_ordinary_control(void **state)
{
        struct yard_warmup w;

        (void)state;
        yard_warmup(8.0, &w);
        assert_true(w.local_h == 3.0 && w.identify_h == 3.0 && w.settle_h == 2.0);
        yard_warmup(2.0, &w);
        assert_true(w.local_h == 0.5 && w.identify_h == 1.0 && w.settle_h == 0.5);
        yard_warmup(0.1, &w);
        assert_near(w.local_h + w.identify_h + w.settle_h, 0.1, 1e-12);
        assert_near(w.identify_h, 0.05, 1e-12);
        yard_warmup(0.0, &w);
        assert_true(w.local_h == 0.0 && w.identify_h == 0.0 && w.settle_h == 0.0);
}

static const struct yard_controller *named(const char *name)
{
        for (size_t i = 0; i < yard_ncontroller; i++)
                if (strcmp(yard_controllers[i].name, name) == 0)
                        return &yard_controllers[i];
        fail_msg("no controller %s", name);
        return NULL;
}

/* A gate that records beside a baseline must not change what the baseline is measured by; nothing goes into a database
 * that is there. */
static void a_log_changes_nothing(void **state)
{
        static const char *const name[] = {"b1", "b2v", "b4"};
        char dir[] = "/tmp/coolplane-yard.XXXXXX", log[64], path[128];
        struct yard_setup s = {
            .world = {.site = "tiny"}, .start_ms = SUMMER_MS, .hours = 0.5, .warmup_h = 1.0, .seed = 1};

        (void)state;
        assert_non_null(mkdtemp(dir));
        (void)snprintf(log, sizeof(log), "%s/", dir);
        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
                struct yard_result a, b;

                s.log = NULL;
                assert_int_equal(yard_run(&s, named(name[i]), NULL, &a), 0);
                s.log = log;
                assert_int_equal(yard_run(&s, named(name[i]), NULL, &b), 0);
                assert_memory_equal(&a.account, &b.account, sizeof(a.account));
                assert_int_not_equal(yard_run(&s, named(name[i]), NULL, &b), 0);
                yard_log_path(&s, named(name[i]), path, sizeof(path));
                for (size_t k = 0; k < 4; k++) {
                        static const char *const ending[] = {"", "-wal", "-shm", ".lock"};
                        char file[160];

                        (void)snprintf(file, sizeof(file), "%s%s", path, ending[k]);
                        (void)unlink(file);
                }
        }
        assert_int_equal(rmdir(dir), 0);
}

/* The oracle's commands reach the plant through the safety layer, which leaves them nearly all as they are. */
static void the_judged_oracle_is_in_force(void **state)
{
        struct yard_setup s = {
            .world = {.site = "tiny"}, .start_ms = SUMMER_MS, .hours = 4.0, .warmup_h = 8.0, .seed = 1};
        struct yard_sample sample[3][8];
        struct yard_trace trace[3] = {{sample[0], 0, 8}, {sample[1], 0, 8}, {sample[2], 0, 8}};
        struct yard_result judged, oracle, agent;
        double to_oracle_k = 0.0, to_agent_k = 0.0;

        (void)state;
        assert_int_equal(yard_run(&s, named("b4f"), &trace[0], &judged), 0);
        assert_int_equal(yard_run(&s, named("b4"), &trace[1], &oracle), 0);
        assert_int_equal(yard_run(&s, named("c0"), &trace[2], &agent), 0);
        for (size_t k = 0; k < 8; k++) {
                to_oracle_k += fabs(sample[0][k].sat_sp_c - sample[1][k].sat_sp_c) / 8;
                to_agent_k += fabs(sample[0][k].sat_sp_c - sample[2][k].sat_sp_c) / 8;
        }
        print_message("accepted %" PRIu64 " of 480; supply air %.2f K from b4, %.2f K from c0\n", judged.decisions[0],
                      to_oracle_k, to_agent_k);
        assert_true(judged.evaluations > 100);
        assert_true(judged.decisions[0] + judged.decisions[1] == 480 && judged.decisions[1] < 24);
        assert_true(to_oracle_k < to_agent_k);
        assert_true(judged.account.hard_violations == 0 && judged.account.max_inlet_c < 28);
}

static void faults_come_when_they_should(void **state)
{
        const struct yard_fault fault[] = {{"crah-fail:0", 600000}, {"clear", 1200000}};
        struct yard_setup s = {
            .world = {.site = "tiny"}, .start_ms = SUMMER_MS, .hours = 0.5, .warmup_h = 0.5, .seed = 1};
        struct yard_sample sample[2][6];
        struct yard_trace trace[2] = {{sample[0], 0, 6}, {sample[1], 0, 6}};
        struct yard_result r;

        (void)state;
        assert_int_equal(yard_run(&s, named("b0"), &trace[0], &r), 0);
        s.fault = fault;
        s.nfault = 2;
        assert_int_equal(yard_run(&s, named("b0"), &trace[1], &r), 0);
        assert_int_equal(trace[1].n, 6);
        for (size_t k = 0; k < 6; k++) /* a failed unit's fan stands still */
                assert_true((sample[1][k].crah_fan_kw < 0.9 * sample[0][k].crah_fan_kw) == (k == 2 || k == 3));
}

/* Against what is seen from outside, minute by minute: the fastest rise spans fifteen minutes, not fourteen. */
static void a_rise_spans_fifteen_minutes(void **state)
{
        enum { MINUTES = 60, RACKS = 8 };
        struct rig r = rig_new("tiny", rig_seed(), SUMMER_MS);
        static double inlet_c[MINUTES + 1][RACKS];
        double rise[2] = {0.0, 0.0}; /* over 14 and 15 minutes at most */

        (void)state;
        assert_int_equal(plant_spec(r.plant)->nrack, RACKS);
        yard_advance(r.plant, 1.0);
        assert_int_equal(plant_fault(r.plant, "chiller-trip:0"), 0); /* the only one: water warms steadily */
        plant_account_reset(r.plant);
        for (size_t m = 0; m <= MINUTES; m++) {
                for (size_t i = 0; i < RACKS; i++)
                        inlet_c[m][i] = plant_true_inlet_c(r.plant, i);
                for (size_t back = 1; back <= 15 && back <= m; back++)
                        for (size_t i = 0; i < RACKS; i++) {
                                const double k = inlet_c[m][i] - inlet_c[m - back][i];

                                rise[0] = back <= 14 ? fmax(rise[0], k) : rise[0];
                                rise[1] = fmax(rise[1], k);
                        }
                if (m < MINUTES)
                        yard_advance(r.plant, 1.0 / 60.0);
        }
        print_message("%.3f K in 14 min, %.3f in 15, %.3f by the account\n", rise[0], rise[1],
                      account(r.plant).max_rise_15min_k);
        assert_true(rise[1] > rise[0]);
        assert_near(account(r.plant).max_rise_15min_k, rise[1], 0.2 * (rise[1] - rise[0]));
        rig_free(&r);
}

/* A commanded plant takes long steps once what is asked for is in force: as good as short ones. After an hour the air
 * and a fan, after two hours the water is asked for otherwise. */
static void long_steps_under_command_are_as_good(void **state)
{
        struct rig r[2] = {rig_new("tiny", 3, SUMMER_MS), rig_new("tiny", 3, SUMMER_MS)};
        struct plant_account a[2];

        (void)state;
        for (size_t k = 0; k < 2; k++) {
                struct plant *p = r[k].plant;
                struct yard_command c;

                yard_command_uniform(plant_spec(p), 18.0, 0.6, 9.0, 24.0, 1, &c);
                yard_hold(p, &c, 4.0);
                plant_account_reset(p);
                for (int t = 0; t < 4 * 720; t += k == 0 ? 6 : 1) {
                        yard_command_uniform(plant_spec(p), t < 720 ? 18.0 : 16.0, 0.6, t < 1440 ? 9.0 : 11.0,
                                             t < 1440 ? 24.0 : 22.0, 1, &c);
                        c.fan_ratio[0] = t < 720 ? 0.6 : 0.9;
                        yard_hold(p, &c, (k == 0 ? 30.0 : 5.0) / 3600.0);
                }
                a[k] = account(p);
                assert_true(a[k].energy_residual_ratio < 1e-9);
        }
        print_message("total %+.4f %%, hottest inlet %+.3f K\n", 100.0 * (a[0].total_kwh / a[1].total_kwh - 1.0),
                      a[0].max_inlet_c - a[1].max_inlet_c);
        assert_near(a[0].total_kwh / a[1].total_kwh, 1.0, 0.0005);
        assert_near(a[0].max_inlet_c, a[1].max_inlet_c, 0.05);
        assert_int_equal(a[0].hard_violations, a[1].hard_violations);
        rig_free(&r[0]);
        rig_free(&r[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_copy_has_the_same_future),
            cmocka_unit_test(a_held_command_is_in_force),
            cmocka_unit_test(long_steps_under_command_are_as_good),
            cmocka_unit_test(the_hand_steps_one_setting_after_the_other),
            cmocka_unit_test(local_loops_hold_pressure_and_offset),
            cmocka_unit_test(a_local_loop_without_a_reading_holds),
            cmocka_unit_test(no_other_constants_are_better),
            cmocka_unit_test(the_oracle_finds_its_way),
            cmocka_unit_test(consolidation_keeps_the_budget),
            cmocka_unit_test(a_warm_up_ends_with_ordinary_control),
            cmocka_unit_test(a_log_changes_nothing),
            cmocka_unit_test(a_rise_spans_fifteen_minutes),
            cmocka_unit_test(the_judged_oracle_is_in_force),
            cmocka_unit_test(faults_come_when_they_should),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
