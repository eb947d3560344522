/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A log under other settings, beside the same plant really run with them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/planner/plant.h"
#include "agent/planner/whatif.h"

#define ROWS 3600
#include "tests/unit/train_fixture.h"

struct bench {
        struct world *log, *truth;
        struct train_file model;
        struct whatif *w;
        struct whatif_result r;
};

/* From the rows themselves: `coolplane train` reads a store. */
static void train_powers(struct world *w, struct train_file *f)
{
        const struct layout *l = w->l;

        f->capacity_w = plant_capacity_w(&w->site);
        f->energy_mem = aligned_alloc(16, energy_memsize());
        assert_int_equal(energy_create(f->energy_mem, energy_memsize(), 1, f->capacity_w, &f->energy), 0);
        for (size_t k = 0; k < ROWS; k += 10) {
                const double power_w[ENERGY_PARTS] = {w->value[k][P_CRAH_POWER], w->value[k][P_CHILLER_POWER],
                                                      (double)NAN, (double)NAN};
                const struct energy_sample s = plant_sample(l, w->ds.y + k * l->ny, w->ds.u + k * l->nu,
                                                            w->ds.d + k * l->nd, power_w, w->value[k][P_CHILLER_ON]);

                energy_add(f->energy, &s);
        }
        assert_int_equal(energy_fit(f->energy), 2);
}

static void open_bench(struct bench *b, double fan_factor, double sat_shift_k)
{
        struct train_args a;
        struct train_report report;

        *b = (struct bench){.log = world_create(1, 0), .truth = world_create(fan_factor, sat_shift_k)};
        train_args_default(&a);
        a.lags = 2;
        a.refit = true;
        assert_int_equal(train_arx(&b->log->ds, b->log->l, &a, &b->model.model, &report), 0);
        train_powers(b->log, &b->model);
        assert_int_equal(whatif_create(&(struct whatif_args){.layout = b->log->l,
                                                             .model = &b->model,
                                                             .log = &b->log->ds,
                                                             .closes_ms = T0 + (int64_t)CLOSES * STEP_MS},
                                       &b->w),
                         0);
}

static void close_bench(struct bench *b)
{
        whatif_free(b->w);
        model_free(b->model.model);
        free(b->model.energy_mem);
        world_free(b->log);
        world_free(b->truth);
}

static struct sample sample_of(const struct world *w, size_t k, uint32_t point)
{
        return (struct sample){.point = point,
                               .quality = QUALITY_GOOD,
                               .t_ms = T0 + (int64_t)k * STEP_MS + 10000,
                               .value = w->value[k][point],
                               .raw = w->value[k][point]};
}

/* Walks the log; with `moves` under the settings of the true plant. worst: by how much inlet and supply air are beside
 * that plant, noise and all, which is the same in both. */
static void walk(struct bench *b, bool moves, double *ret_worst_k)
{
        *ret_worst_k = 0;
        for (size_t k = 0; k < ROWS; k++) {
                if (moves) {
                        whatif_set(b->w, P_FAN, b->truth->value[k][P_FAN]);
                        whatif_set(b->w, P_SAT_SP, b->truth->value[k][P_SAT_SP]);
                }
                whatif_step(b->w, T0 + (int64_t)k * STEP_MS);
                for (uint32_t i = 0; i < POINTS; i++) {
                        const struct sample had = sample_of(b->log, k, i);
                        struct sample s = had;

                        whatif_sample(b->w, &s);
                        if (k < CLOSES || !moves)
                                assert_memory_equal(&s.value, &had.value, sizeof s.value); /* NaN, too */
                        else if (k < b->log->ds.n && !b->log->ds.segment_start[k] && (i == P_FAN || i == P_SAT_SP))
                                assert_true(s.value == b->truth->value[k][i]);
                        if (i == P_INLET || i == P_SAT)
                                *ret_worst_k = fmax(*ret_worst_k, fabs(s.value - b->truth->value[k][i]));
                }
        }
        whatif_step(b->w, T0 + (int64_t)ROWS * STEP_MS);
        whatif_result(b->w, &b->r);
}

static double true_saving(const struct bench *b)
{
        double had = 0, has = 0;

        for (size_t k = CLOSES; k < ROWS; k++) {
                had += b->log->value[k][P_CRAH_POWER] + b->log->value[k][P_CHILLER_POWER];
                has += b->truth->value[k][P_CRAH_POWER] + b->truth->value[k][P_CHILLER_POWER];
        }
        return 1 - has / had;
}

/* Of the truth: mean rise of the inlet by rack power, and what servers may draw more. */
static void true_servers(const struct bench *b, double *ret_rise_k, double *ret_wh)
{
        double it_w = 0, rise_w = 0;

        *ret_wh = 0;
        for (size_t k = CLOSES; k < ROWS; k++) {
                const double power_w = b->log->value[k][P_RACK],
                             rise_k = b->truth->value[k][P_INLET] - b->log->value[k][P_INLET];

                it_w += power_w;
                rise_w += power_w * rise_k;
                *ret_wh += 0.005 * power_w * fmax(rise_k, 0) * STEP_MS / 3600e3;
        }
        *ret_rise_k = rise_w / it_w;
}

static void test_the_operators_settings_give_the_log(void **state)
{
        struct bench b;
        double worst_k;

        (void)state;
        open_bench(&b, 1, 0);
        for (size_t k = 1000; k < 1020; k++) /* a machine that stands, and starts again */
                b.log->value[k][P_CHILLER_POWER] = b.truth->value[k][P_CHILLER_POWER] = 0;
        walk(&b, false, &worst_k);
        assert_true(worst_k == 0);
        assert_int_equal(b.r.steps, ROWS - CLOSES);
        assert_int_equal(b.r.unknown + b.r.breaks, 0);
        assert_true(b.r.saving_ratio == 0 && b.r.member_ratio[0] == 0 && b.r.member_ratio[ENERGY_MEMBERS - 1] == 0);
        assert_int_equal(b.r.refusal, WHATIF_TOLD);
        assert_true(b.r.hottest_ours_c == b.r.hottest_log_c && b.r.hottest_log_c > 24);
        assert_true(b.r.rise_k == 0 && b.r.servers_wh == 0);
        close_bench(&b);
}

static void test_other_settings_give_the_plant_under_them(void **state)
{
        static const struct {
                double fan_factor, sat_shift_k, worst_k, points;
        } cases[] = {{0.9, 0, 0.05, 0.2}, {1, 1.5, 0.2, 0.01}, {0.85, -1, 0.15, 0.25}, {1.1, 1, 0.15, 0.25}};

        (void)state;
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
                struct bench b;
                double worst_k, truth, rise_k, servers_wh;

                open_bench(&b, cases[c].fan_factor, cases[c].sat_shift_k);
                walk(&b, true, &worst_k);
                truth = true_saving(&b);
                printf("fans × %.2f, supply air %+.1f K: saving %.2f ± %.2f %%, truly %.2f %%; temperatures at most "
                       "%.3f K off\n",
                       cases[c].fan_factor, cases[c].sat_shift_k, 100 * b.r.saving_ratio, 100 * b.r.half_width_ratio,
                       100 * truth, worst_k);
                assert_true(worst_k < cases[c].worst_k);
                assert_true(fabs(100 * (b.r.saving_ratio - truth)) < cases[c].points);
                assert_true(fabs(b.r.saving_ratio - truth) <= b.r.half_width_ratio && b.r.half_width_ratio < 0.03);
                true_servers(&b, &rise_k, &servers_wh);
                assert_true(fabs(b.r.rise_k - rise_k) < 0.005 && fabs(rise_k) > 0.15);
                assert_true(fabs(b.r.servers_wh - servers_wh) < 0.02 * servers_wh + 1);
                assert_true(fabs(b.r.robust_ratio - truth) < 0.01 && b.r.support_ratio > 0.5);
                assert_int_equal(b.r.steps, ROWS - CLOSES);
                assert_int_equal(b.r.breaks, 0);
                assert_true(fabs(b.r.moved[U_SAT].mean_change - cases[c].sat_shift_k) < 1e-9);
                assert_true(b.r.moved[U_SAT].log_high - b.r.moved[U_SAT].log_low > 1.5);
                close_bench(&b);
        }
}

/* After a gap nobody knows where our settings would have led: the operator's begin it anew. */
static void test_a_gap_begins_anew(void **state)
{
        struct bench b;
        struct sample s;

        (void)state;
        open_bench(&b, 0.9, 1);
        b.log->ds.segment_start[1000] = 1;
        for (size_t k = 0; k < 1500; k++) {
                if (k < 1000)
                        whatif_set(b.w, P_FAN, 0.5);
                whatif_step(b.w, T0 + (int64_t)k * STEP_MS);
                s = sample_of(b.log, k, P_FAN);
                whatif_sample(b.w, &s);
                assert_true(s.value == (k >= CLOSES && k < 1000 ? 0.5 : b.log->value[k][P_FAN]));
        }
        /* a step that the log does not have */
        whatif_step(b.w, T0 + (int64_t)1600 * STEP_MS + 1);
        s = sample_of(b.log, 1600, P_FAN);
        whatif_set(b.w, P_FAN, 0.5);
        whatif_sample(b.w, &s);
        assert_true(s.value == b.log->value[1600][P_FAN]);
        whatif_result(b.w, &b.r);
        assert_int_equal(b.r.breaks, 2);
        close_bench(&b);
}

static void test_what_is_not_ours_stays(void **state)
{
        struct bench b;
        struct sample s;

        (void)state;
        open_bench(&b, 0.9, 1);
        for (size_t k = 0; k < CLOSES + 50; k++) {
                whatif_set(b.w, P_SAT_SP, 30);
                whatif_set(b.w, P_RACK, 1);          /* no variable of ours */
                whatif_set(b.w, POINTS + 5, 1);      /* no point */
                whatif_set(b.w, P_FAN, (double)NAN); /* no value */
                whatif_step(b.w, T0 + (int64_t)k * STEP_MS);
                s = sample_of(b.log, k, P_RACK);
                whatif_sample(b.w, &s);
                assert_true(s.value == b.log->value[k][P_RACK]);
                s = sample_of(b.log, k, P_FAN);
                whatif_sample(b.w, &s);
                assert_true(s.value == b.log->value[k][P_FAN]);
                s = sample_of(b.log, k, P_INLET);
                s.quality = QUALITY_BAD;
                whatif_sample(b.w, &s);
                assert_true(s.value == b.log->value[k][P_INLET]);
        }
        s = sample_of(b.log, CLOSES + 49, P_INLET);
        whatif_sample(b.w, &s);
        assert_true(s.value > b.log->value[CLOSES + 49][P_INLET] + 3);
        close_bench(&b);
}

static void refuses(double fan_factor, double sat_shift_k, void (*spoil)(struct bench *), enum whatif_refusal expect)
{
        struct bench b;
        double worst_k;

        open_bench(&b, fan_factor, sat_shift_k);
        whatif_free(b.w);
        spoil(&b);
        assert_int_equal(whatif_create(&(struct whatif_args){.layout = b.log->l,
                                                             .model = &b.model,
                                                             .log = &b.log->ds,
                                                             .closes_ms = T0 + (int64_t)CLOSES * STEP_MS},
                                       &b.w),
                         0);
        walk(&b, true, &worst_k);
        if (b.r.refusal != expect)
                fail_msg("refusal %d, expected %d", (int)b.r.refusal, (int)expect);
        close_bench(&b);
}

static void nothing(struct bench *b)
{
        (void)b;
}

static void steady_operator(struct bench *b)
{
        const struct layout *l = b->log->l;

        for (size_t k = 0; k < ROWS; k++)
                for (size_t j = 0; j < l->nu; j++)
                        if (l->u[j].kind == U_SAT)
                                b->log->ds.u[k * l->nu + j] = 20;
}

/* After a gap nobody has read it yet. */
static void steady_and_unknown(struct bench *b)
{
        const struct layout *l = b->log->l;

        steady_operator(b);
        b->log->ds.segment_start[1000] = 1;
        for (size_t k = 1000; k < 1005; k++)
                for (size_t j = 0; j < l->nu; j++)
                        b->log->ds.u[k * l->nu + j] = (double)NAN;
}

static void no_load(struct bench *b)
{
        for (size_t k = 0; k < ROWS; k++)
                for (size_t j = 0; j < b->log->l->nd; j++)
                        if (b->log->l->d[j].kind == D_RACK_POWER)
                                b->log->ds.d[k * b->log->l->nd + j] = (double)NAN;
}

static void short_log(struct bench *b)
{
        b->log->ds.n = 2880;
}

static void no_meter(struct bench *b)
{
        b->log->point[P_CRAH_POWER].role = ROLE_NONE;
}

static void silent_meter(struct bench *b)
{
        for (size_t k = 0; k < ROWS; k++)
                b->log->value[k][P_CHILLER_POWER] = (double)NAN;
}

/* The energy model remembers less than a year: of that there is one row, and it knows no setting. */
static void lone_row(struct bench *b)
{
        const struct layout *l = b->log->l;

        b->log->ds.t_ms[ROWS - 1] += INT64_C(400) * 86400000;
        b->log->ds.segment_start[ROWS - 1] = 1;
        for (size_t j = 0; j < l->nu; j++)
                b->log->ds.u[(ROWS - 1) * l->nu + j] = (double)NAN;
}

static void test_refusals(void **state)
{
        (void)state;
        refuses(0.9, 1, nothing, WHATIF_TOLD);
        refuses(0.9, 1, steady_operator, WHATIF_NO_EXCITATION);
        refuses(0.9, 0.2, steady_operator, WHATIF_NO_EXCITATION); /* the truth's own walk is 2 K off a steady 20 °C */
        refuses(0.9, 1, steady_and_unknown, WHATIF_NO_EXCITATION);
        refuses(0.9, 1, lone_row, WHATIF_NO_RANGE);
        refuses(0.9, 1, no_load, WHATIF_SHORT); /* what the chillers would draw is not known: no step counts */
        refuses(0.9, 1, short_log, WHATIF_SHORT);
        refuses(0.9, 1, no_meter, WHATIF_NOT_METERED);
        refuses(0.9, 1, silent_meter, WHATIF_SHORT); /* no step counts */
        refuses(0.3, 0, nothing, WHATIF_NO_EXCITATION);
}

static void test_no_energy_model(void **state)
{
        struct bench b;
        struct whatif *w = NULL;
        struct train_file bare;

        (void)state;
        open_bench(&b, 1, 0);
        bare = b.model;
        bare.energy = NULL;
        assert_int_equal(
            whatif_create(&(struct whatif_args){.layout = b.log->l, .model = &bare, .log = &b.log->ds}, &w), -EINVAL);
        assert_null(w);
        close_bench(&b);
}

int main(void)
{
        const char *s = getenv("COOLPLANE_SEED");
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_operators_settings_give_the_log),
            cmocka_unit_test(test_other_settings_give_the_plant_under_them),
            cmocka_unit_test(test_a_gap_begins_anew),
            cmocka_unit_test(test_what_is_not_ours_stays),
            cmocka_unit_test(test_refusals),
            cmocka_unit_test(test_no_energy_model),
        };

        seed = s ? strtoull(s, NULL, 10) : 20260701u;
        printf("seed %llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
