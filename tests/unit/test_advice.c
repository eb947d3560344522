/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The operator's answers to advice: each is one, leaves a row of its own, and is counted (R35). */
#include "tests/unit/recorded_rig.h"

#include "agent/gate/advice.h"
#include "agent/gate/evaluate.h"
#include "models/num/rng.h"

#define STEP ((int64_t)30000)
#define BAND 0.25 /* exact in binary, as all values here */

struct walk {
        struct advice a;
        int64_t t_ms;
        size_t n[ADVICE_ANSWERS];
};

/* So many steps of the same; the last answer. */
static enum advice_answer steps(struct walk *w, int n, double action, double in_force)
{
        enum advice_answer last = ADVICE_NONE;

        for (int i = 0; i < n; i++, w->t_ms += STEP) {
                const enum advice_answer one = advice_step(&w->a, w->t_ms, BAND, action, in_force);

                w->n[one]++;
                last = one != ADVICE_NONE ? one : last;
        }
        return last;
}

static void test_each_answer(void **state)
{
        struct walk w = {0};

        (void)state;
        assert_int_equal(steps(&w, 11, 20.5, 20), ADVICE_NONE); /* five minutes: it stands */
        assert_true(w.a.stands && w.a.dir == 1);
        assert_int_equal(steps(&w, 1, 20.5, 20.125), ADVICE_NONE);
        assert_int_equal(steps(&w, 1, 20.5, 20.25), ADVICE_ACCEPTED);
        assert_int_equal(steps(&w, 11, 19.5, 20.25), ADVICE_NONE);
        assert_int_equal(steps(&w, 1, 19.5, 20.5), ADVICE_REJECTED);
        assert_int_equal(steps(&w, 11 + 119, 21, 20.5), ADVICE_NONE);
        assert_int_equal(steps(&w, 1, 21, 20.5), ADVICE_IGNORED); /* an hour after it stood */
        assert_int_equal(steps(&w, 500, 21, 20.5), ADVICE_NONE);  /* once */
        assert_int_equal(steps(&w, 1, 21, 21), ADVICE_NONE);      /* too late to be an answer */
        assert_int_equal(steps(&w, 12, 21.5, 21), ADVICE_NONE);   /* new advice can be answered again */
        assert_int_equal(steps(&w, 1, 21.5, 21.5), ADVICE_ACCEPTED);
}

/* A water setpoint may move in one step of ten: in the others its action is what is in force. A reversal is new advice.
 */
static void test_slow_variables(void **state)
{
        struct walk w = {0};

        (void)state;
        for (int i = 0; i < 2; i++) {
                steps(&w, 1, 20.5, 20);
                steps(&w, 9, 20, 20);
        }
        assert_true(w.a.stands);
        assert_int_equal(steps(&w, 1, 20.5, 20.25), ADVICE_ACCEPTED);
        steps(&w, 11, 21, 20.25);
        assert_true(w.a.stands && w.a.dir == 1);
        steps(&w, 11, 19.5, 20.25);
        assert_true(w.a.stands && w.a.dir == -1);
        assert_int_equal(steps(&w, 1, 19.5, 20), ADVICE_ACCEPTED);
}

static void test_what_is_no_advice(void **state)
{
        struct walk w = {0};

        (void)state;
        assert_int_equal(steps(&w, 10, 20.5, 20), ADVICE_NONE); /* not yet five minutes */
        assert_int_equal(steps(&w, 1, 20.5, 20.5), ADVICE_NONE);
        w = (struct walk){0};
        steps(&w, 500, 20.125, 20); /* within the dead band */
        steps(&w, 10, 20.125, 21);
        for (int i = 0; i < 200; i++) { /* to and fro */
                steps(&w, 5, 20.5, 20);
                steps(&w, 5, 19.5, 20);
        }
        steps(&w, 300, (double)NAN, 20);
        assert_int_equal(w.n[ADVICE_ACCEPTED] + w.n[ADVICE_REJECTED] + w.n[ADVICE_IGNORED], 0);
}

static void test_what_ends_it(void **state)
{
        struct walk w = {0};

        (void)state;
        steps(&w, 11, 20.5, 20);
        steps(&w, 9, 20, 20); /* away for less than five minutes: it still stands */
        assert_int_equal(steps(&w, 1, 20.5, 20.25), ADVICE_ACCEPTED);
        steps(&w, 11, 20.75, 20.25);
        steps(&w, 12, 20.25, 20.25); /* withdrawn */
        assert_int_equal(steps(&w, 1, 20.75, 20.75), ADVICE_NONE);
        steps(&w, 11, 21.25, 20.75);
        steps(&w, 1, 21.25, (double)NAN); /* nobody knows what is in force */
        assert_int_equal(steps(&w, 1, 21.25, 21.25), ADVICE_NONE);
        steps(&w, 11, 21.75, 21.25);
        w.t_ms += 6 * 60000; /* a gap */
        assert_int_equal(steps(&w, 1, 21.75, 21.75), ADVICE_NONE);
        steps(&w, 11, 22.25, 21.75);
        w.t_ms -= 3600000; /* a clock that was set back */
        assert_int_equal(steps(&w, 1, 22.25, 22.25), ADVICE_NONE);
        assert_true(w.n[ADVICE_ACCEPTED] == 1 && w.n[ADVICE_REJECTED] + w.n[ADVICE_IGNORED] == 0);
}

static void test_band(void **state)
{
        (void)state;
        assert_true(advice_band(&(struct safety_u){.dead_band = 0.3, .step = 0.1}) == 0.3);
        assert_true(fabs(advice_band(&(struct safety_u){.dead_band = 0, .step = 0.1}) - 0.1) < 1e-6);
        assert_true(advice_band(&(struct safety_u){.kind = SAFETY_U_ONOFF, .step = 1}) == 0.5);
        assert_true(advice_band(&(struct safety_u){0}) > 0);
        assert_true(advice_band(&(struct safety_u){.dead_band = (double)NAN}) > 0);
}

static size_t rows(struct rig *r, const char *like)
{
        char text[256];
        int64_t n = -1;

        (void)snprintf(text, sizeof text, "SELECT count(*) FROM v_events WHERE component = 'advice' AND text LIKE '%s'",
                       like);
        assert_int_equal(store_get_int(r->store, text, -1, &n), 0);
        return (size_t)n;
}

/* A gate in shadow that would cool more at every air handler; the operator follows at the first, does the opposite at
 * the second, and nothing at the others. */
static void test_rows_and_counts(void **state)
{
        struct rig *r = rig_site();
        struct evaluation e;
        struct ipc_proposal p;
        size_t sat[8], nsat = 0, sum[ADVICE_ANSWERS] = {0}, others;
        char why[256];

        (void)state;
        assert_int_equal(store_open(NULL, STORE_WRITE, &r->store, why), 0);
        rig_start(r, false, 0);
        const struct layout *l = r->gate->layout;
        for (size_t j = 0; j < l->nu && nsat < 8; j++)
                if (l->u[j].kind == U_SAT)
                        sat[nsat++] = j;
        assert_true(nsat >= 3);
        for (int t = 0; t < 420; t++) {
                if (t == 60) {
                        r->value[l->u[sat[0]].point] -= 0.5;
                        r->value[l->u[sat[1]].point] += 0.5;
                }
                advance(r, ROLE_NONE);
                proposal(r, &p);
                for (size_t k = 0; k < nsat; k++)
                        p.u[sat[k]] -= 0.5;
                gate_step_end(r->gate, &p, false);
        }
        others = logged(r, "advice: ignored: ");
        assert_true(others >= nsat - 2);
        assert_int_equal(logged(r, "advice: accepted: "), 1);
        assert_int_equal(logged(r, "advice: rejected: "), 1);
        assert_int_equal(rows(r, "accepted: %, lower advised since 2025-07-15T00:05:%, was 17.8, is 17.3"), 1);
        assert_int_equal(rows(r, "rejected: %, lower advised since %, was 17.8, is 18.3"), 1);
        assert_int_equal(rows(r, "ignored: %, was 17.8, is 17.8"), others);
        assert_int_equal(
            evaluate_run(
                &(struct evaluate_args){
                    .site = r->site, .store = r->store, .samples = r->store, .from_ms = INT64_MIN, .to_ms = INT64_MAX},
                &e),
            0);
        for (size_t j = 0; j < l->nu; j++)
                for (int k = 0; k < ADVICE_ANSWERS; k++)
                        sum[k] += e.answers[j][k];
        assert_int_equal(e.answers[sat[0]][ADVICE_ACCEPTED], 1);
        assert_int_equal(e.answers[sat[1]][ADVICE_REJECTED], 1);
        assert_int_equal(sum[ADVICE_ACCEPTED], 1);
        assert_int_equal(sum[ADVICE_REJECTED], 1);
        assert_int_equal(sum[ADVICE_IGNORED], others);
        evaluate_free(&e);
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_slow_variables),
            cmocka_unit_test(test_each_answer),
            cmocka_unit_test(test_what_is_no_advice),
            cmocka_unit_test(test_what_ends_it),
            cmocka_unit_test(test_band),
            cmocka_unit_test(test_rows_and_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
