/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The yardstick's statistics and what it prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "models/num/rng.h"
#include "sim/compare.h"
#include "sim/compare_resume.h"

#define assert_near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))
#define SEEDS 12

static const struct yard_controller *named(const char *name)
{
        for (size_t i = 0; i < yard_ncontroller; i++)
                if (strcmp(yard_controllers[i].name, name) == 0)
                        return &yard_controllers[i];
        fail_msg("no controller %s", name);
        return NULL;
}

/* 1000 experiments of 12 seeds each: total energy 100 ± 3 under the baseline, 10 % less ± 0.8 beside it. The interval
 * must hold the true saving about as often as it says. (A plain percentile bootstrap of 12 pairs falls short of 95 % by
 * a few points; one that forgets the pairing would hold it always.) And of five seeds, where the plain one holds 83 %.
 */
static unsigned intervals_held(size_t seeds, uint64_t stream, double *ret_width)
{
        unsigned held = 0;
        struct rng rng;

        *ret_width = 0.0;
        rng_seed(&rng, stream, 1);
        for (unsigned e = 0; e < 1000; e++) {
                double base[SEEDS], value[SEEDS], saving, lo, hi;

                for (size_t k = 0; k < seeds; k++) {
                        base[k] = 100.0 + 3.0 * rng_normal(&rng);
                        value[k] = 0.9 * base[k] + 0.8 * rng_normal(&rng);
                }
                compare_saving(base, value, seeds, e, &saving, &lo, &hi);
                assert_true(lo <= saving && saving <= hi);
                held += lo <= 10.0 && 10.0 <= hi;
                *ret_width += (hi - lo) / 1000.0;
        }
        print_message("%zu seeds: held %u of 1000, mean width %.3f\n", seeds, held, *ret_width);
        return held;
}

static void interval_holds_the_true_saving(void **state)
{
        double width;

        (void)state;
        assert_in_range(intervals_held(SEEDS, 7, &width), 930, 965);
        assert_true(width > 0.9 && width < 1.1); /* 2 · 2.20 · 0.8 / √12 = 1.016 % */
        assert_in_range(intervals_held(COMPARE_CI_SEEDS, 8, &width), 890, 965);
}

static void interval_needs_five_seeds_and_repeats(void **state)
{
        const double base[] = {100, 110, 90, 100, 100}, value[] = {90, 99, 81, 90, 90}, uneven[] = {90, 95, 88, 91, 92};
        double saving, lo, hi, lo2, hi2;

        (void)state;
        compare_saving(base, value, 4, 1, &saving, &lo, &hi);
        assert_near(saving, 10.0, 1e-9);
        assert_true(isnan(lo) && isnan(hi));
        compare_saving(base, value, 5, 1, &saving, &lo, &hi); /* paired: no spread at all */
        assert_near(lo, 10.0, 1e-9);
        assert_near(hi, 10.0, 1e-9);
        compare_saving(base, uneven, 5, 1, &saving, &lo, &hi);
        compare_saving(base, uneven, 5, 1, &saving, &lo2, &hi2);
        assert_true(lo == lo2 && hi == hi2 && lo < saving && saving < hi);
}

/* Two seeds each of b0, b2, b2s, b4; the oracle is worse than the constants, and warm. */
static const char *const names[] = {"b0", "b2", "b2s", "b4"};
#define NAMES 4
static struct yard_result results[NAMES * 2];
static struct compare_row rows[NAMES];

static void fill(void)
{
        static const double total[NAMES][2] = {{1300, 1320}, {1200, 1210}, {1190, 1196}, {1195, 1199}};

        memset(results, 0, sizeof(results));
        for (size_t i = 0; i < NAMES; i++) {
                for (size_t k = 0; k < 2; k++) {
                        struct plant_account *a = &results[2 * i + k].account;

                        a->total_kwh = total[i][k];
                        a->it_kwh = 900;
                        a->it_fan_kwh = 50;
                        a->cooling_kwh = a->total_kwh - 950;
                        a->chiller_kwh = a->cooling_kwh - 60;
                        a->pump_kwh = 30;
                        a->tower_kwh = a->crah_fan_kwh = 15;
                        a->max_inlet_c = 25.0 + (double)k;
                        a->hard_violations = k;
                        a->stored_kwh = i == 2 ? 30.0 : 1.0; /* of b2s: 29 · 183 / 950 of 12 kWh */
                        a->degmin27 = i == 3 ? 5.0 : 0.0;
                        a->max_dewpoint_c = 12.0 + (double)k;
                        a->cold_surface_min = i == 3 ? 7.0 + (double)k : 0.0;
                        a->latent_kwh = (double)k;
                        a->chiller_starts = i == 2 ? 4 : k;
                }
                compare_aggregate(named(names[i]), &results[2 * i], 2, &rows[i]);
        }
        compare_judge(rows, NAMES, results, 2);
}

static void rows_mean_sum_and_rank(void **state)
{
        static const unsigned rank[NAMES] = {4, 3, 1, 2};

        (void)state;
        fill();
        for (size_t i = 0; i < NAMES; i++) {
                assert_int_equal(rows[i].rank, rank[i]);
                assert_int_equal(rows[i].hard_violations, 1);
                assert_near(rows[i].max_inlet_c, 26.0, 1e-12);
                assert_near(rows[i].max_dewpoint_c, 13.0, 1e-12);
                assert_near(rows[i].cold_surface_min, i == 3 ? 8.0 : 0.0, 1e-12);
                assert_near(rows[i].latent_kwh, 0.5, 1e-12);
                assert_near(rows[i].chiller_kwh + rows[i].pump_kwh + rows[i].tower_kwh + rows[i].crah_fan_kwh,
                            rows[i].cooling_kwh, 1e-9);
                assert_near(rows[i].cooling_kwh + rows[i].it_kwh + rows[i].it_fan_kwh, rows[i].total_kwh, 1e-9);
                assert_near(rows[i].pue, rows[i].total_kwh / 950.0, 1e-9);
        }
        assert_near(rows[0].total_kwh, 1310.0, 1e-9);
        assert_near(rows[0].chiller_starts, 0.5, 1e-12);
        assert_near(rows[1].saving_total, 0.0, 1e-12);
        assert_near(rows[2].saving_total, 100.0 * (1.0 - 1193.0 / 1205.0), 1e-9);
        assert_true(isnan(rows[2].ci95_low) && isnan(rows[2].ci95_high)); /* of two seeds there is none */
        assert_near(rows[2].saving_cooling, 100.0 * (1.0 - 243.0 / 255.0), 1e-9);
}

static void rows_without_b2_save_nothing(void **state)
{
        struct compare_row alone;

        (void)state;
        fill();
        compare_aggregate(named("b0"), results, 2, &alone);
        compare_judge(&alone, 1, results, 2);
        assert_int_equal(alone.rank, 1);
        assert_true(isnan(alone.saving_total) && isnan(alone.ci95_low));
}

static void seasons_add_up(void **state)
{
        struct yard_result sum;

        (void)state;
        fill();
        compare_sum(results, 3, &sum);
        assert_near(sum.account.total_kwh, 1300.0 + 1320.0 + 1200.0, 1e-9);
        assert_near(sum.account.max_inlet_c, 26.0, 1e-12);
        assert_int_equal(sum.account.hard_violations, 1);
}

static struct yard_sample samples[NAMES][3];
static struct yard_trace traces[NAMES];

static struct compare_report report(struct compare_cell *cell)
{
        fill();
        *cell = (struct compare_cell){.season = "summer",
                                      .weather = "a<b",
                                      .start_ms = 1784073600000,
                                      .nrow = NAMES,
                                      .row = rows,
                                      .trace = traces};
        for (size_t i = 0; i < NAMES; i++) {
                traces[i] = (struct yard_trace){samples[i], 3, 3};
                for (size_t k = 0; k < 3; k++)
                        samples[i][k] = (struct yard_sample){.t_h = 8.0 * (double)(k + 1),
                                                             .inlet_max_c = 25,
                                                             .inlet_mean_c = 22,
                                                             .chiller_kw = 10,
                                                             .oat_c = 20,
                                                             .wetbulb_c = 15};
        }
        return (struct compare_report){
            .site = "tiny", .hours = 24, .warmup_h = 6, .seed = 1, .nseed = 2, .ncell = 1, .cell = cell};
}

static void json_says_what_the_rows_say(void **state)
{
        struct compare_cell cell;
        struct compare_report r = report(&cell);
        struct text t = {0};
        json_t *doc, *row;

        (void)state;
        rows[3].ci95_high = 1.5;
        compare_json(&r, &t);
        assert_false(t.failed);
        doc = json_loads(t.v, 0, NULL);
        assert_non_null(doc);
        assert_int_equal(json_array_size(json_object_get(doc, "rows")), NAMES);
        row = json_array_get(json_object_get(doc, "rows"), 2);
        assert_string_equal(json_string_value(json_object_get(row, "controller")), "b2s");
        assert_string_equal(json_string_value(json_object_get(row, "weather")), "a<b");
        assert_int_equal((int)json_number_value(json_object_get(row, "rank")), 1);
        assert_near(json_number_value(json_object_get(row, "total_kwh")), 1193.0, 1e-9);
        assert_true(json_is_object(json_object_get(row, "best")));
        row = json_array_get(json_object_get(doc, "rows"), 3);
        assert_true(json_is_null(json_object_get(row, "ci95_low")));
        assert_true(json_is_number(json_object_get(row, "ci95_high")));
        assert_null(json_object_get(row, "best"));
        json_decref(doc);
        text_free(&t);
}

static unsigned count(const char *in, const char *what)
{
        unsigned n = 0;

        for (const char *s = in; (s = strstr(s, what)) != NULL; s++)
                n++;
        return n;
}

static void notes_name_the_weak_points(void **state)
{
        struct compare_cell cell;
        struct text t = {0};

        (void)state;
        (void)report(&cell);
        compare_notes(&cell, &t);
        assert_non_null(strstr(t.v,
                               "b4: more exposure than b2, so its saving does not count in full: 5.0 degree-minutes "
                               "over 27 °C (b2 0.0), 8 min with a surface near the dew point (b2 0)\n"));
        assert_non_null(strstr(t.v, "b2s: more chiller starts than b2"));
        assert_non_null(strstr(t.v, "b4: not below b2s"));
        assert_null(strstr(t.v, "\nb2:")); /* 255 against 360 kWh of cooling: 29 % */
        assert_non_null(strstr(t.v, "b2s: 5.6 of the 12.0 kWh saved against b2 are heat left in the plant"));
        assert_int_equal(count(t.v, "\n"), 4);
        text_free(&t);
        rows[2].max_inlet_c = 26.9;
        rows[2].max_rise_15min_k = 1.25;
        rows[2].degmin32 = 0.5;
        compare_notes(&cell, &t);
        assert_non_null(strstr(t.v,
                               "b2s: more exposure than b2, so its saving does not count in full: 0.5 degree-minutes "
                               "over 32 °C (b2 0.0), 1.25 K of the fastest rise in 15 min (b2 0.00), 26.90 °C at "
                               "the hottest inlet (b2 26.00)\n"));
        text_free(&t);
}

/* What any consolidation of VMs saves is not the agent's: c is set against b2v, seed by seed. */
static void c_is_set_against_a_plain_consolidation(void **state)
{
        static const char *const name[] = {"b2", "b2v", "c"};
        static const double total[3][2] = {{1200, 1210}, {1040, 1050}, {1019.2, 1034.25}}; /* 2.0, 1.5 % */
        enum { N = 8 };
        struct yard_result seed[3 * N];
        struct compare_row row[3];
        struct compare_cell cell = {.season = "summer", .weather = "w", .nrow = 3, .row = row};
        struct text t = {0};

        (void)state;
        memset(seed, 0, sizeof(seed));
        for (size_t i = 0; i < 3; i++) {
                for (size_t k = 0; k < N; k++)
                        seed[N * i + k].account = (struct plant_account){
                            .total_kwh = total[i][k % 2], .it_kwh = 900, .migrations = i ? 100 : 0};
                compare_aggregate(named(name[i]), &seed[N * i], N, &row[i]);
        }
        compare_judge(row, 3, seed, N);
        assert_near(row[2].saving_b2v, 100.0 * (1.0 - (1019.2 + 1034.25) / 2090.0), 1e-9);
        assert_true(row[2].b2v_low >= 1.5 - 1e-9 && row[2].b2v_low < row[2].saving_b2v);
        assert_true(row[2].b2v_high <= 2.0 + 1e-9 && row[2].b2v_high > row[2].saving_b2v);
        assert_near(row[1].saving_b2v, 0.0, 1e-12);
        compare_notes(&cell, &t);
        assert_non_null(strstr(t.v, "c: saves 1.75 % of total energy against b2v (1.5"));
        assert_non_null(strstr(t.v, "c: against the strongest baseline, b2v, it saves 1.75 % of total energy (1.5"));
        assert_null(strstr(t.v, "b2v: against the strongest"));
        text_free(&t);
        row[1] = row[2];
        cell.nrow = 2;
        compare_notes(&cell, &t);
        assert_non_null(strstr(t.v, "c: moves VMs, which b2 does not"));
        text_free(&t);
}

/* Of what anybody can run, not of oracles and hindsight, and not one that breaks limits while another keeps them. */
static void the_strongest_baseline_is_named(void **state)
{
        static const char *const name[] = {"b0", "b2s", "b1", "b2", "c0", "b4"};
        struct {
                double total[6];
                uint64_t violations[6];
                const char *expect;
        } const cases[] = {
            {{1200, 1000, 1150, 1100, 1050, 990}, {0}, "b2"},
            {{1200, 1000, 1090, 1100, 1050, 990}, {0}, "b1"},
            {{1080, 1000, 1090, 1100, 1050, 990}, {0}, "b0"},
            {{1080, 1000, 1090, 1100, 1050, 990}, {1, 0, 3, 0, 0, 0}, "b2"},
            {{1080, 1000, 1090, 1100, 1050, 990}, {1, 0, 3, 2, 0, 0}, "b0"},
            {{1200, 1000, 1150, 1100, 1050, 990}, {0, 0, 0, 2, 0, 0}, "b1"},
        };
        struct yard_result seed[6];
        struct compare_row row[6];

        (void)state;
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
                memset(seed, 0, sizeof(seed));
                for (size_t i = 0; i < 6; i++) {
                        seed[i].account = (struct plant_account){
                            .total_kwh = cases[k].total[i], .it_kwh = 900, .hard_violations = cases[k].violations[i]};
                        compare_aggregate(named(name[i]), &seed[i], 1, &row[i]);
                }
                compare_judge(row, 6, seed, 1);
                for (size_t i = 0; i < 6; i++)
                        assert_string_equal(row[i].strongest->name, cases[k].expect);
                for (size_t i = 0; i < 6; i++)
                        if (strcmp(name[i], cases[k].expect) == 0)
                                assert_near(row[4].saving_strongest, 100.0 * (1.0 - 1050.0 / cases[k].total[i]), 1e-9);
        }
        compare_aggregate(named("c0"), &seed[4], 1, &row[4]);
        compare_judge(row + 4, 2, seed + 4, 1);
        assert_null(row[4].strongest); /* none ran */
        assert_true(isnan(row[4].saving_strongest));
}

/* b2v saves by moves that c0, b3 and b4f do not have: they are set against b2, and c against b2v. */
static void who_moves_nothing_is_set_against_its_like(void **state)
{
        static const char *const name[] = {"b1", "b2", "b2v", "c0", "c", "b3", "b4f"};
        static const double total[] = {1150, 1100, 800, 1089, 792, 1080, 1070};
        struct yard_result seed[7];
        struct compare_row row[7];
        struct compare_cell cell = {.season = "summer", .nrow = 7, .row = row};
        struct text t = {0};

        (void)state;
        memset(seed, 0, sizeof(seed));
        for (size_t i = 0; i < 7; i++) {
                seed[i].account = (struct plant_account){.total_kwh = total[i], .it_kwh = 700, .cooling_kwh = 80};
                compare_aggregate(named(name[i]), &seed[i], 1, &row[i]);
        }
        compare_judge(row, 7, seed, 1);
        for (size_t i = 0; i < 7; i++)
                assert_string_equal(row[i].strongest->name, row[i].controller->moves ? "b2v" : "b2");
        assert_near(row[3].saving_strongest, 1.0, 1e-9);
        assert_near(row[4].saving_strongest, 1.0, 1e-9);
        compare_notes(&cell, &t);
        assert_non_null(strstr(t.v, "c0: against the strongest baseline that moves no VMs, b2, it saves 1.00 %"));
        assert_non_null(strstr(t.v, "c: against the strongest baseline, b2v, it saves 1.00 %"));
        text_free(&t);
        compare_aggregate(named("c0"), &seed[3], 1, &row[3]);
        compare_judge(row + 2, 2, seed + 2, 1); /* b2v and c0 only */
        assert_null(row[3].strongest);
}

/* ---- runs side by side, and a campaign that goes on ---- */

static int ended(void *ctx, const struct compare_job *j)
{
        (void)j;
        ++*(unsigned *)ctx;
        return EXIT_OK;
}

/* Who started us may have SIGCHLD ignored: then the kernel reaps, and waiting for children finds none. */
static void children_are_waited_for_whatever_we_inherit(void **state)
{
        struct yard_result result[3];
        struct compare_job job[3];
        struct sigaction now;
        unsigned n = 0;

        (void)state;
        memset(result, 0, sizeof(result));
        for (size_t i = 0; i < 3; i++)
                job[i] = (struct compare_job){.setup = {.world = {.site = "tiny"},
                                                        .start_ms = 1784073600000,
                                                        .hours = 0.1,
                                                        .warmup_h = 0.1,
                                                        .seed = i + 1},
                                              .controller = named("b0"),
                                              .result = &result[i]};
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        (void)alarm(60);
        assert_int_equal(compare_run(job, 3, 2, NULL, ended, &n), EXIT_OK);
        (void)alarm(0);
        assert_int_equal(n, 3);
        for (size_t i = 0; i < 3; i++)
                assert_true(result[i].account.total_kwh > 0.0);
        assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
        assert_true(now.sa_handler == SIG_IGN);
        (void)signal(SIGCHLD, SIG_DFL);
}

static void an_interrupted_campaign_goes_on(void **state)
{
        const struct resume_key key = {.controller = "b2", .weather = "w", .season = "winter", .seed = 7};
        const struct resume_key other = {.controller = "b2", .weather = "w", .season = "winter", .seed = 8};
        char path[] = "/tmp/coolplane-resume.XXXXXX";
        const int fd = mkstemp(path);
        struct yard_sample in[2] = {{.t_h = 1.0 / 3.0, .chiller_kw = 1e-17}, {.t_h = 2, .wetbulb_c = -3}}, out[2];
        struct yard_trace trace = {in, 2, 2}, back = {out, 0, 2};
        struct yard_result r = {.cpu_s = 0.1, .evaluations = 5, .decisions = {1, 2, 3, 4}}, found;
        struct resume *f, *twice;
        FILE *tail;

        (void)state;
        assert_true(fd >= 0);
        (void)close(fd);
        r.account.total_kwh = 100.0 / 3.0;
        r.account.max_dewpoint_c = (double)NAN;
        r.account.hard_violations = 3;
        r.account.energy_residual_ratio = 1e-9;
        r.best.chwst_c = 7.25;
        r.best.sat_c[0] = 20.5;
        assert_int_equal(resume_open(path, "a day", &f), EXIT_OK);
        assert_false(resume_find(f, &key, &found, NULL));
        assert_int_equal(resume_add(f, &key, &r, &trace), EXIT_OK);
        assert_int_equal(resume_add(f, &other, &r, NULL), EXIT_OK);
        assert_int_equal(resume_open(path, "a day", &twice), EXIT_IO); /* locked */
        (void)resume_close(f);
        tail = fopen(path, "a");
        assert_non_null(tail);
        assert_true(fputs("{\"controller\":\"b2\",\"cut o", tail) >= 0);
        assert_int_equal(fclose(tail), 0);

        assert_int_equal(resume_open(path, "two days", &f), EXIT_USAGE_);
        for (unsigned k = 0; k < 2; k++) { /* the second time, what was cut off is gone */
                assert_int_equal(resume_open(path, "a day", &f), EXIT_OK);
                assert_true(resume_find(f, &key, &found, &back));
                assert_true(isnan(found.account.max_dewpoint_c));
                found.account.max_dewpoint_c = r.account.max_dewpoint_c;
                assert_memory_equal(&found.account, &r.account, sizeof(r.account));
                assert_true(found.cpu_s == r.cpu_s && found.evaluations == 5 && found.decisions[3] == 4);
                assert_true(found.best.chwst_c == 7.25 && found.best.sat_c[0] == 20.5);
                assert_int_equal(back.n, 2);
                assert_memory_equal(out, in, sizeof(in));
                assert_true(resume_find(f, &other, &found, NULL));
                assert_false(resume_find(f, &other, &found, &back)); /* has no trace */
                assert_int_equal(resume_add(f, &other, &r, NULL), EXIT_OK);
                (void)resume_close(f);
        }
        tail = fopen(path, "a");
        assert_non_null(tail);
        assert_true(fputs("nonsense\n", tail) >= 0);
        assert_int_equal(fclose(tail), 0);
        assert_int_equal(resume_open(path, "a day", &f), EXIT_DATA);
        (void)unlink(path);
}

static void put_file(const char *dir, const char *name, const char *text)
{
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* What a site file or an arrivals folder names is part of what a campaign depends on. */
static void a_campaign_depends_on_every_file(void **state)
{
        static const char *const file[] = {"site.yaml",           "curves.csv", "flav_map.txt",
                                           "v1.interval_map.txt", "v1.dev.txt", "v1.dev.c2100000.txt"};
        char dir[] = "/tmp/coolplane-depends.XXXXXX", site[64], gone[64];
        struct compare_options o = {.world = {.site = "hall"}, .start_ms = INT64_MIN, .hours = 672, .warmup_h = 8};
        struct text before = {0};

        (void)state;
        resume_options(&o, &before);
        assert_string_equal(before.v, "site hall, 672 h after 8 h, start by season, load synthetic, arrivals none");
        text_free(&before);
        assert_non_null(mkdtemp(dir));
        (void)snprintf(site, sizeof(site), "%s/site.yaml", dir);
        o.world.site = site;
        o.world.arrivals = dir;
        for (size_t k = 0; k < 6; k++)
                put_file(dir, file[k], k == 0 ? "like: hall\nchiller_curves: curves.csv\n" : "one\n");
        resume_options(&o, &before);
        for (size_t k = 0; k < 6; k++) {
                struct text now = {0}, again = {0};

                put_file(dir, file[k], k == 0 ? "like: tiny\nchiller_curves: curves.csv\n" : "two\n");
                resume_options(&o, &now);
                resume_options(&o, &again);
                assert_string_not_equal(now.v, before.v);
                assert_string_equal(now.v, again.v);
                text_free(&before);
                text_free(&again);
                before = now;
        }
        text_free(&before);
        for (size_t k = 0; k < 6; k++) {
                (void)snprintf(gone, sizeof(gone), "%s/%s", dir, file[k]);
                assert_int_equal(unlink(gone), 0);
        }
        assert_int_equal(rmdir(dir), 0);
}

static void page_is_whole_and_needs_nothing_else(void **state)
{
        struct compare_cell cell;
        struct compare_report r = report(&cell);
        struct text t = {0};

        (void)state;
        compare_html(&r, "coolplane-sim compare --site <tiny>", &t);
        assert_false(t.failed);
        assert_int_equal(strncmp(t.v, "<!doctype html>", 15), 0);
        assert_non_null(strstr(t.v, "</html>"));
        assert_int_equal(count(t.v, "<svg"), NAMES * 6);
        assert_int_equal(count(t.v, "</svg>"), NAMES * 6);
        assert_int_equal(count(t.v, "http"), 0);
        assert_int_equal(count(t.v, "src="), 0);
        assert_int_equal(count(t.v, "<tiny>"), 0);
        assert_int_equal(count(t.v, "a<b"), 0);
        assert_int_equal(count(t.v, "nan"), 0);
        text_free(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(interval_holds_the_true_saving),
            cmocka_unit_test(interval_needs_five_seeds_and_repeats),
            cmocka_unit_test(rows_mean_sum_and_rank),
            cmocka_unit_test(rows_without_b2_save_nothing),
            cmocka_unit_test(seasons_add_up),
            cmocka_unit_test(json_says_what_the_rows_say),
            cmocka_unit_test(notes_name_the_weak_points),
            cmocka_unit_test(page_is_whole_and_needs_nothing_else),
            cmocka_unit_test(a_campaign_depends_on_every_file),
            cmocka_unit_test(c_is_set_against_a_plain_consolidation),
            cmocka_unit_test(the_strongest_baseline_is_named),
            cmocka_unit_test(who_moves_nothing_is_set_against_its_like),
            cmocka_unit_test(children_are_waited_for_whatever_we_inherit),
            cmocka_unit_test(an_interrupted_campaign_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
