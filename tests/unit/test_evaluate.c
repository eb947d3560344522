/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What is scored of what a gate in shadow stored: counts against what was done, the full projection cost of a proposer
 * that always asks for what is not allowed (R30), what is not there, and a write that must not have been. */
#include "tests/unit/evaluate_rig.h"

#include "models/num/rng.h"

enum { STEPS = 215, HEAT_FROM = 175, SILENT_FROM = 10, SILENT_TO = 50, DARK = 30, NAN_AT = 100 };

/* Setpoints the operator moves a little, readings that answer with noise, and a planner that asks for 2 K below what
 * any air handler may supply. */
static void run_steps(struct rig *r, struct rng *g, double unmodelled_c)
{
        const struct layout *l = r->gate->layout;
        const int calm_from = unmodelled_c != 0 ? HEAT_FROM : STEPS; /* a load that is held must be the usual one */
        struct ipc_proposal p;

        for (int t = 0; t < STEPS; t++) {
                for (size_t i = 0; i < l->ny; i++)
                        r->value[l->y[i].point] =
                            (l->y[i].kind == Y_INLET ? 21 + (t >= HEAT_FROM ? unmodelled_c : 0) : 17.8) +
                            0.03 * rng_normal(g);
                for (size_t k = 0; k < l->nd; k++)
                        if (l->d[k].kind == D_RACK_POWER)
                                r->value[l->d[k].point] = t >= calm_from ? 4000 : rng_range(g, 3900, 4100);
                advance(r, t % 100 == DARK ? ROLE_INLET_TEMP : ROLE_NONE);
                proposal(r, &p);
                for (size_t j = 0; j < p.nu; j++)
                        if (l->u[j].kind == U_SAT)
                                p.u[j] = r->gate->envelope.u[j].lo - 2;
                if (t == NAN_AT)
                        p.u[0] = (double)NAN;
                p.predicted_w = 1000;
                gate_step_end(r->gate, t >= SILENT_FROM && t < SILENT_TO ? NULL : &p, false);
        }
}

static struct rig *run_recorded(double unmodelled_c)
{
        struct rng g;
        char why[256];
        struct rig *r = rig_site();

        r->cold = true;
        rng_seed(&g, 20261130, 1);
        assert_int_equal(store_open(NULL, STORE_WRITE, &r->store, why), 0);
        rig_start(r, false, 0);
        run_steps(r, &g, unmodelled_c);
        assert_int_equal(r->nwrite, 0);
        return r;
}

static int record_run(void **state)
{
        (void)state;
        recorded = run_recorded(0);
        return 0;
}

static int64_t number(const char *text)
{
        int64_t v = -1;

        assert_int_equal(store_get_int(recorded->store, text, -1, &v), 0);
        return v;
}

static size_t skipped(const struct evaluation *e, const char *why)
{
        for (size_t k = 0; k < e->nskip; k++)
                if (strcmp(e->skip[k].why, why) == 0)
                        return e->skip[k].n;
        return 0;
}

static void test_counts(void **state)
{
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);
        size_t decisions = 0;

        (void)state;
        assert_null(evaluate_refusal(e));
        assert_int_equal(e->decisions, STEPS);
        assert_int_equal(e->scored, STEPS);
        assert_int_equal(e->shadow, STEPS);
        assert_int_equal(e->evidence, STEPS);
        assert_int_equal(e->nskip, 0);
        assert_int_equal(e->gaps, 0);
        assert_int_equal(e->all.no_proposal, SILENT_TO - SILENT_FROM);
        assert_int_equal(e->ahead[0], 1);
        assert_int_equal(e->ahead[1], 300000 / STEP_MS);
        assert_int_equal(e->ahead[2], 900000 / STEP_MS);
        for (int k = 0; k < EVALUATE_KINDS; k++)
                for (int r = 0; r < EVALUATE_REASONS; r++) {
                        char text[128];

                        (void)snprintf(text, sizeof text,
                                       "SELECT count(*) FROM decision WHERE kind = %d AND reason = %d", k, r);
                        assert_int_equal(e->reason[k][r], number(text));
                        decisions += e->reason[k][r];
                }
        assert_int_equal(decisions, STEPS);
        assert_int_equal(e->all.heat[HEAT_MEASURED].soft, 0);
        assert_true(e->all.heat[HEAT_MEASURED].max_c > 21 && e->all.heat[HEAT_MEASURED].max_c < 21.3);
        assert_int_equal(e->samples, number("SELECT count(*) FROM sample"));
        assert_int_equal(e->writes.left, 0);
        assert_int_equal(e->writes.recorded, number("SELECT count(*) FROM action"));
        assert_true(e->writes.recorded > 0);
}

static void test_forecasts(void **state)
{
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);
        const struct hindsight_score *s = &e->all.forecast[GROUP_INLET];
        struct hindsight_score sum = {0};
        size_t n = 0;

        (void)state;
        /* white noise about a mean: a model that knew the mean would have 0.29, but a room is not that fast */
        assert_true(s->error[0].n > 500 && score_skill(&s->error[0]) > 0 && score_skill(&s->error[0]) < 0.35);
        assert_true(score_rmse(&s->error[0]) > 0.025 && score_rmse(&s->error[0]) < 0.045);
        assert_true(s->error[1].n < s->error[0].n && s->error[2].n < s->error[1].n && s->error[2].n > 0);
        assert_true(score_share(s->upper.inside, s->upper.n) >= 0.98);
        for (size_t i = 0; i < e->layout->ny; i++) {
                assert_true(e->layout->y[i].kind != Y_VALVE || e->y[i].forecast.error[0].n == 0);
                if (e->layout->y[i].kind == Y_INLET)
                        hindsight_score_merge(&sum, &e->y[i].forecast);
        }
        assert_int_equal(sum.error[0].n, s->error[0].n);
        for (size_t k = 0; k < e->nday; k++)
                n += e->day[k].sum.forecast[GROUP_INLET].error[0].n;
        assert_int_equal(n, s->error[0].n);
}

/* Heat that no input of the model tells of, and that stays: what is foreseen stays with it. The heat is drawn off, as
 * the hottest of five minutes hides a forecast that falls, and shows one that comes back to what was learned. */
static void test_foreseen_with_unmodelled_heat(void **state)
{
        struct rig *quiet = recorded;
        const struct evaluation *e;
        double in_force_c, measured_c;
        int64_t last;

        (void)state;
        recorded = run_recorded(-1);
        last = number("SELECT max(t_ms) FROM decision");
        e = evaluate(last - 2 * STEP_MS, last + 1);
        assert_int_equal(e->all.heat[HEAT_IN_FORCE].n, 3);
        in_force_c = e->all.heat[HEAT_IN_FORCE].max_c;
        measured_c = e->all.heat[HEAT_MEASURED].max_c;
        evaluate(0, 1);
        rig_free(recorded);
        recorded = quiet;
        assert_true(fabs(measured_c - 20) < 0.1);
        assert_true(fabs(in_force_c - measured_c) < 0.1);
}

static void test_projection_cost(void **state)
{
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);

        (void)state;
        for (size_t j = 0; j < e->layout->nu; j++) {
                const struct score_variable *v = &e->u[j];
                const size_t asked = STEPS - (SILENT_TO - SILENT_FROM) - (j == 0);

                assert_int_equal(v->not_finite, j == 0);
                assert_int_equal(v->cost.n, asked);
                if (e->layout->u[j].kind != U_SAT)
                        continue;
                assert_int_equal(v->projected, asked); /* every single one */
                assert_true(score_dist_mean(&v->cost) >= 2 && score_dist_quantile(&v->cost, 0.01) >= 1.95);
                assert_true(score_dist_mean(&v->ask) < -2);
        }
}

static void test_usable_and_quality(void **state)
{
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);
        const int inlet = e->layout->y[0].point;

        (void)state;
        assert_int_equal(e->layout->y[0].kind, Y_INLET);
        assert_true(e->quality[inlet][QUALITY_GOOD] > 0);
        assert_int_equal(e->quality[inlet][QUALITY_UNCERTAIN], 0);
        sql("SAVEPOINT before; UPDATE sample SET quality = 1 WHERE t_ms = (SELECT max(t_ms) FROM sample)");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->quality[inlet][QUALITY_UNCERTAIN], 1);
        sql("ROLLBACK TO before; RELEASE before");
}

static void test_power(void **state)
{
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);
        bool meters = false;
        size_t n;

        (void)state;
        for (size_t k = 0; k < EVALUATE_PARTS; k++)
                meters |= e->metered[k];
        assert_int_equal(e->all.power.n, STEPS - (SILENT_TO - SILENT_FROM));
        assert_true(meters);
        assert_true(fabs(e->all.power.predicted_w - 1000.0 * (double)e->all.power.n) < 1e-6);
        n = e->all.power.n;
        sql("SAVEPOINT before; UPDATE sample SET quality = 1 WHERE t_ms = (SELECT max(t_ms) FROM sample)");
        assert_int_equal(evaluate(INT64_MIN, INT64_MAX)->all.power.n, n - 1); /* uncertain is not good */
        sql("ROLLBACK TO before; RELEASE before");
}

static void test_a_span_and_gaps(void **state)
{
        const int64_t first = number("SELECT min(t_ms) FROM decision");
        const struct evaluation *e = evaluate(first + 5 * STEP_MS, first + 15 * STEP_MS);

        (void)state;
        assert_int_equal(e->decisions, 10);
        assert_int_equal(e->evidence, 10); /* the steps before the span lead to it */
        e = evaluate(first, first + STEP_MS);
        assert_int_equal(e->decisions, 1);
        assert_int_equal(e->all.forecast[GROUP_INLET].upper.n, 0);
        assert_null(evaluate_refusal(e));
        e = evaluate(0, 1);
        assert_string_equal(evaluate_refusal(e), "there are no decisions in this span");
        sql("DELETE FROM decision_var WHERE decision_id = 150; DELETE FROM evidence WHERE decision_id = 150;"
            "DELETE FROM decision WHERE id = 150");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->gaps, 1);
        assert_int_equal(e->gap_ms, STEP_MS);
        assert_int_equal(e->longest_gap_t_ms, first + 148 * STEP_MS);
        assert_int_equal(e->decisions, STEPS - 1);
        /* what follows a decision that is not there cannot be read until the next that is whole */
        assert_true(skipped(e, "its evidence follows one that is not stored") > 0 ||
                    skipped(e, "its evidence is of another version, or damaged") > 0);
        assert_true(e->evidence < STEPS - 1 && e->evidence > 150);
}

static void test_nothing_stored(void **state)
{
        const struct evaluation *e;

        (void)state;
        sql("DELETE FROM evidence");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(skipped(e, "nothing is stored of what it was made on"), STEPS);
        assert_int_equal(e->evidence, 0);
        assert_int_equal(e->all.forecast[GROUP_INLET].error[0].n, 0);
        assert_int_equal(e->all.steps, STEPS); /* what the decisions themselves say is scored */
        assert_null(evaluate_refusal(e));
        sql("UPDATE run SET config = replace(config, substr(config, 1, 1), 'x')");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_string_equal(evaluate_refusal(e), "its run had another configuration");
}

static void test_a_changed_record(void **state)
{
        const struct evaluation *e;
        const int64_t first = number("SELECT min(t_ms) FROM decision"), last = number("SELECT max(t_ms) FROM decision");
        double most[HEAT_COUNT];

        (void)state;
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->changed, 0);
        for (int h = 0; h < HEAT_COUNT; h++)
                most[h] = e->all.heat[h].max_c;
        assert_true(most[HEAT_MEASURED] < 22 && most[HEAT_WORST_CASE] < e->hard_c + 50);
        sql("UPDATE decision SET margin = -50, worst_inlet_c = 99, predicted_w = 1e12 WHERE id = 120");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(skipped(e, "the record was changed after it was written"), 1);
        assert_int_equal(e->changed, 1);
        assert_int_equal(e->decisions, STEPS);
        assert_int_equal(e->scored, STEPS - 1);
        assert_int_equal(e->evidence, STEPS - 1);
        assert_int_equal(e->all.steps, STEPS - 1);
        for (int h = 0; h < HEAT_COUNT; h++)
                assert_true(e->all.heat[h].max_c <= most[h]);
        assert_int_equal(e->all.power.n, STEPS - 1 - (SILENT_TO - SILENT_FROM));
        assert_true(e->all.power.predicted_w < 1e6);
        assert_int_equal(e->gaps, 1); /* nothing is known of its time */
        /* nor is its time the record's */
        sql("UPDATE decision SET t_ms = 0 WHERE id = 1");
        assert_true(evaluate(INT64_MIN, INT64_MAX)->first_ms > INT64_C(1000000000000));
        assert_int_equal(evaluate(INT64_MIN, INT64_MAX)->changed, 2);
        /* at either end their time is a gap as it is within */
        sql("UPDATE decision SET margin = -50 WHERE id = 2 OR id > (SELECT max(id) FROM decision) - 3");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->changed, 6);
        assert_int_equal(e->first_ms, first);
        assert_int_equal(e->last_ms, last);
        assert_int_equal(e->gaps, 3);
        assert_int_equal(e->gap_ms, 6 * STEP_MS);
        assert_int_equal(e->longest_gap_ms, 3 * STEP_MS);
        assert_int_equal(e->longest_gap_t_ms, last - 3 * STEP_MS);
        sql("UPDATE run SET version = 'other'");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_string_equal(evaluate_refusal(e), "the record was changed after it was written");
        assert_int_equal(e->changed, STEPS);
}

static int again_in_2099(void *ctx, const struct store_record *rec)
{
        struct store_evidence e = {.set_id = rec->set_id, .blob = rec->blob, .len = rec->len};
        struct store_decision d = rec->d;

        d.t_ms = INT64_C(4070908800000);
        d.step += 1000; /* unique in its run */
        d.evidence = &e;
        return store_put_decision(recorded->store, rec->run_id, &d, ctx);
}

/* What is scored is the record without what a wrong clock dated, and that is told; what was changed is never stray. */
static void test_a_wrong_clock(void **state)
{
        const int64_t first = number("SELECT min(t_ms) FROM decision"), last = number("SELECT max(t_ms) FROM decision");
        const struct evaluation *e = evaluate(INT64_MIN, INT64_MAX);
        const int64_t width_ms = e->series.width_ms;
        const size_t samples = e->samples, powers = e->all.power.n;
        int64_t id = 0;

        (void)state;
        assert_int_equal(e->stray[STORE_DECISIONS].rows + e->stray[STORE_SAMPLES].rows, 0);
        assert_int_equal(store_read_records(recorded->store, last, last + 1, 0, again_in_2099, &id), 0);
        sql("INSERT INTO sample (t_ms, point_id, value, raw, quality, reason)"
            " SELECT 0, min(id), 1, 1, 0, 0 FROM point");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->stray[STORE_DECISIONS].rows, 1);
        assert_true(e->stray[STORE_DECISIONS].first_ms == INT64_C(4070908800000));
        assert_int_equal(e->stray[STORE_SAMPLES].rows, 1);
        assert_true(e->stray[STORE_SAMPLES].first_ms == 0);
        assert_true(site_find_point(recorded->site, e->stray[STORE_SAMPLES].point) >= 0);
        assert_int_equal(e->decisions, STEPS);
        assert_int_equal(e->scored, STEPS);
        assert_int_equal(e->first_ms, first);
        assert_int_equal(e->last_ms, last);
        assert_int_equal(e->gaps, 0);
        assert_int_equal(e->nday, 1);
        assert_int_equal(e->series.width_ms, width_ms);
        assert_int_equal(e->samples, samples);
        assert_int_equal(e->all.power.n, powers);
        /* asked for, it is there */
        assert_int_equal(evaluate(first, INT64_C(4070908800001))->decisions, STEPS + 1);
        sql("UPDATE decision SET worst_inlet_c = 99 WHERE t_ms = 4070908800000");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->changed, 1);
        assert_int_equal(e->stray[STORE_DECISIONS].rows, 0);
        sql("DELETE FROM evidence WHERE decision_id = (SELECT id FROM decision WHERE t_ms = 4070908800000);"
            "DELETE FROM decision_var WHERE decision_id = (SELECT id FROM decision WHERE t_ms = 4070908800000);"
            "DELETE FROM decision WHERE t_ms = 4070908800000; DELETE FROM sample WHERE t_ms = 0");
}

static void test_a_set_that_is_not_there(void **state)
{
        (void)state;
        sql("UPDATE evidence SET set_id = 99999");
        assert_int_equal(evaluate(INT64_MIN, INT64_MAX)->all.forecast[GROUP_INLET].error[0].n, 0);
}

static void test_a_write_in_shadow(void **state)
{
        const struct evaluation *e;
        size_t last;

        (void)state;
        last = evaluate(INT64_MIN, INT64_MAX)->writes.unfinished; /* those of the last step come with the next */
        sql("UPDATE action SET result = 0, outcome_t_ms = NULL WHERE id = 3");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->writes.unfinished, last + 1);
        assert_int_equal(e->writes.left, 0);
        sql("UPDATE action SET result = 3, written = NULL WHERE id = 4"); /* the codec refused it */
        assert_int_equal(evaluate(INT64_MIN, INT64_MAX)->writes.left, 0);
        sql("UPDATE action SET result = 1, read_back = 18 WHERE id IN (5, 7)");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->writes.left, 2);
        assert_non_null(strstr(e->writes.first, "ACCEPTED"));
        assert_non_null(strstr(e->writes.first, "annex/comms/"));
        assert_int_equal(e->writes.first_t_ms, number("SELECT t_ms FROM action WHERE id = 5"));
        sql("SAVEPOINT before; UPDATE run SET config = replace(config, substr(config, 1, 1), 'x')");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_non_null(evaluate_refusal(e));
        assert_int_equal(e->writes.left, 2);
        sql("ROLLBACK TO before; RELEASE before");
        sql("UPDATE action SET result = 10 WHERE id IN (5, 7)"); /* not sent, and read back? */
        assert_int_equal(evaluate(INT64_MIN, INT64_MAX)->writes.left, 2);
        /* of a gate that acts it is no breach, and nothing is compared with what was in force */
        sql("UPDATE decision SET mode = 'ACTIVE'");
        e = evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->writes.recorded, 0);
        assert_int_equal(e->shadow, 0);
        assert_int_equal(e->all.compared, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_counts),
            cmocka_unit_test(test_forecasts),
            cmocka_unit_test(test_foreseen_with_unmodelled_heat),
            cmocka_unit_test(test_projection_cost),
            cmocka_unit_test(test_usable_and_quality),
            cmocka_unit_test(test_power),
            cmocka_unit_test_setup_teardown(test_a_span_and_gaps, begin, take_back),
            cmocka_unit_test_setup_teardown(test_nothing_stored, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_changed_record, begin, take_back),
            cmocka_unit_test(test_a_wrong_clock),
            cmocka_unit_test_setup_teardown(test_a_set_that_is_not_there, begin, take_back),
            cmocka_unit_test_setup_teardown(test_a_write_in_shadow, begin, take_back),
            cmocka_unit_test(test_counts), /* all is as it was */
        };
        return cmocka_run_group_tests(tests, record_run, forget_run);
}
