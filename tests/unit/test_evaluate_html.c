/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The page of coolplane evaluate, of a recorded gate: all of its sections, names that are markup, no number that is
 * none, records that are short or lack something; and the conditions to go live. */
#include "tests/unit/evaluate_rig.h"

#include <ctype.h>

#include "agent/cli/evaluate_golive.h"
#include "agent/cli/evaluate_html.h"
#include "models/num/rng.h"

enum { STEPS = 130, SILENT = 20 };

static struct evaluation *const e = &evaluated;
static struct text page;

static int record_run(void **state)
{
        const struct layout *l;
        struct ipc_proposal p;
        struct rng g;
        char why[256];

        (void)state;
        recorded = rig_site();
        recorded->cold = true;
        rng_seed(&g, 20261130, 2);
        assert_int_equal(store_open(NULL, STORE_WRITE, &recorded->store, why), 0);
        rig_start(recorded, false, 0);
        l = recorded->gate->layout;
        for (int t = 0; t < STEPS; t++) {
                for (size_t i = 0; i < l->ny; i++)
                        recorded->value[l->y[i].point] =
                            (l->y[i].kind == Y_INLET ? 21.0 : 17.8) + 0.03 * rng_normal(&g);
                for (size_t k = 0; k < l->nd; k++)
                        if (l->d[k].kind == D_RACK_POWER)
                                recorded->value[l->d[k].point] = rng_range(&g, 3900, 4100);
                advance(recorded, ROLE_NONE);
                proposal(recorded, &p);
                for (size_t j = 0; j < p.nu; j++)
                        if (l->u[j].kind == U_SAT)
                                p.u[j] -= 0.5;
                p.predicted_w = 1000;
                gate_step_end(recorded->gate, t < SILENT ? NULL : &p, false);
        }
        return 0;
}

static int forget_page(void **state)
{
        text_free(&page);
        return forget_run(state);
}

static size_t count(const char *what)
{
        size_t n = 0;

        for (const char *s = strstr(page.v, what); s; s = strstr(s + 1, what))
                n++;
        return n;
}

/* `word` by itself, in whatever case. */
static size_t words(const char *word)
{
        const size_t len = strlen(word);
        size_t n = 0;

        for (const char *s = page.v; *s; s++)
                n += strncasecmp(s, word, len) == 0 && !isalpha((unsigned char)s[len]) &&
                     (s == page.v || !isalpha((unsigned char)s[-1]));
        return n;
}

static void render(const struct savrep_story *savings)
{
        assert_null(evaluate_refusal(e));
        text_free(&page);
        evaluate_html(&(struct evaluate_page){.e = e,
                                              .savings = savings,
                                              .db = "/var/lib/a b's <db>.db",
                                              .command = "coolplane evaluate --html '<x>.html'"},
                      &page);
        assert_false(page.failed);
        assert_int_equal(strncmp(page.v, EVALUATE_PAGE_BEGINS, strlen(EVALUATE_PAGE_BEGINS)), 0);
        assert_in_range(strstr(page.v, EVALUATE_PAGE_HOLDS) - page.v, 1, 900); /* outfile.h looks no farther */
        assert_non_null(strstr(page.v, "</html>"));
        assert_int_equal(words("nan"), 0);
        assert_int_equal(words("inf"), 0);
        assert_int_equal(count("<svg"), count("</svg>"));
        assert_int_equal(count("<table"), count("</table>"));
        assert_int_equal(count("<section"), count("</section>"));
        assert_int_equal(count("<script"), 0);
        assert_int_equal(count("http"), 0);
        assert_int_equal(count("src="), 0);
        assert_int_equal(count("url("), 0);
        assert_int_equal(count("<db>"), 0);
        assert_int_equal(count("<x>"), 0);
}

static void test_all_sections_in_order(void **state)
{
        static const char *const id[] = {"golive",        "energy",   "limits",  "hours", "proposals",
                                         "disagreements", "forecast", "quality", "untold"};
        const char *at;

        (void)state;
        evaluate(INT64_MIN, INT64_MAX);
        render(NULL);
        at = page.v;
        for (size_t k = 0; k < sizeof id / sizeof *id; k++) {
                char tag[48];

                (void)snprintf(tag, sizeof tag, "<section id=%s>", id[k]);
                at = strstr(at, tag);
                assert_non_null(at);
        }
        assert_int_equal(count("coolplane why 2025-07-15T00:"), 2); /* the one hour, measured and foreseen */
        assert_true(count("--db &#39;/var/lib/a b&#39;\\&#39;&#39;s &lt;db&gt;.db&#39;") > 0);
        assert_true(count("conditions to go live are met") == 1);
        assert_int_equal(count(", by day<"), 0); /* one day is no line */
        assert_true(count("@media print") == 1 && count("break-inside:avoid") >= 1);
        assert_non_null(strstr(page.v, "is not known: its days could not be read"));
}

static void test_names_are_no_markup(void **state)
{
        struct site *site = recorded->site;
        static const char hostile[] = "</td><script>&\"'";
        char(*kept)[POINT_NAME_MAX] = calloc(site->npoint, sizeof *kept), name[SITE_NAME_MAX];

        (void)state;
        assert_non_null(kept);
        evaluate(INT64_MIN, INT64_MAX);
        (void)snprintf(name, sizeof name, "%s", site->name);
        (void)snprintf(site->name, sizeof site->name, "<script>alert(1)</script>");
        for (size_t i = 0; i < site->npoint; i++) {
                (void)snprintf(kept[i], sizeof *kept, "%s", site->point[i].name);
                (void)snprintf(site->point[i].name, sizeof site->point[i].name, "%s", hostile);
        }
        render(NULL);
        assert_true(count("&lt;/td&gt;&lt;script&gt;&amp;&quot;&#39;") > 5);
        for (size_t i = 0; i < site->npoint; i++)
                (void)snprintf(site->point[i].name, sizeof site->point[i].name, "%s", kept[i]);
        (void)snprintf(site->name, sizeof site->name, "%s", name);
        free(kept);
}

static void test_short_records(void **state)
{
        int64_t first = -1;

        (void)state;
        assert_int_equal(store_get_int(recorded->store, "SELECT min(t_ms) FROM decision", -1, &first), 0);
        for (int64_t n = 1; n < 4; n++) {
                evaluate(first, first + n * STEP_MS);
                assert_int_equal(e->decisions, n);
                render(NULL);
        }
        evaluate(first, first + STEP_MS);
        assert_int_equal(e->series.n, 1);
}

static void test_several_days(void **state)
{
        struct evaluate_day *day = calloc(4, sizeof *day);

        (void)state;
        assert_non_null(day);
        evaluate(INT64_MIN, INT64_MAX);
        for (int k = 0; k < 4; k++) {
                day[k] = e->day[0];
                day[k].t_ms += k * INT64_C(86400000);
        }
        day[1].sum.forecast[GROUP_INLET] = (struct hindsight_score){0}; /* a day without forecasts */
        day[2].sum.forecast[GROUP_INLET].error[0].sq *= 1e6;
        free(e->day);
        e->day = day;
        e->nday = 4;
        e->last_ms += 3 * INT64_C(86400000);
        render(NULL);
        assert_int_equal(count("Skill 5 min ahead, by day</title>"), 1);
        assert_int_equal(count(">07-16<"), count("</svg>") - 1); /* but of the hours of the day */
}

static void test_nothing_stored(void **state)
{
        struct golive g;

        (void)state;
        sql("DELETE FROM evidence; DELETE FROM sample; UPDATE decision SET predicted_w = NULL, worst_inlet_c = NULL");
        evaluate(INT64_MIN, INT64_MAX);
        render(NULL);
        golive_judge(e, &g);
        assert_true(g.n[GOLIVE_NOT_KNOWN] >= 6);
        assert_non_null(strstr(page.v, "cannot be told"));
        assert_non_null(strstr(page.v, "No samples are stored"));
        assert_non_null(strstr(page.v, "None is known."));
        e->stray[STORE_SAMPLES] = (struct store_stray){.rows = 3, .points = 2, .point = "<b>"};
        render(NULL);
        assert_int_equal(count("; left out: 3 samples of &lt;b&gt; and 1 more point, 1970-01-01T00:00:00.000Z to 1970"),
                         1);
}

static enum golive_state state_of(const struct golive *g, const char *what)
{
        for (size_t k = 0; k < GOLIVE_ITEMS; k++)
                if (strstr(g->item[k].what, what))
                        return g->item[k].state;
        fail_msg("no condition says %s", what);
        return GOLIVE_STATES;
}

static void test_conditions(void **state)
{
        struct golive g;

        (void)state;
        evaluate(INT64_MIN, INT64_MAX);
        golive_judge(e, &g);
        assert_int_equal(g.n[GOLIVE_MET] + g.n[GOLIVE_NOT_MET] + g.n[GOLIVE_NOT_KNOWN], GOLIVE_ITEMS);
        for (size_t k = 0; k < GOLIVE_ITEMS; k++)
                assert_true(g.item[k].what && g.item[k].limit && g.item[k].why && g.item[k].figure[0]);
        assert_int_equal(state_of(&g, "long enough"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "no gaps"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "proposal was at hand"), GOLIVE_NOT_MET); /* 20 of 130 steps without */
        assert_int_equal(state_of(&g, "wrote nothing"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "measured above"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "can be read"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "could be judged"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "as it was written"), GOLIVE_MET);
        /* each at its limit and beyond */
        e->changed = 1;
        e->writes.left = 1;
        e->all.heat[HEAT_MEASURED].hard = 1;
        e->gap_ms = (int64_t)(0.02 * (double)(e->last_ms - e->first_ms));
        e->all.no_proposal = e->all.steps / 100;
        e->y[0].unusable = e->evidence / 10;
        e->evidence = e->decisions - e->changed - 2;
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, "as it was written"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "wrote nothing"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "measured above"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "no gaps"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "proposal was at hand"), GOLIVE_MET);
        assert_int_equal(state_of(&g, "can be read"), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "could be judged"), GOLIVE_NOT_MET);
        e->changed = e->decisions / 10; /* they are in no share: what is left could all be judged */
        e->evidence = e->decisions - e->changed;
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, "could be judged"), GOLIVE_MET);
        e->all.steps = (size_t)ceil(14 * 86400 / e->layout->step_s);
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, "long enough"), GOLIVE_MET);
        render(NULL);
}

/* Meters that are named and never read are no meters; setpoints that were never read cannot have been compared. */
static void test_nothing_good(void **state)
{
        const char *const metered = "Everything inside the energy boundary";
        struct golive g;

        (void)state;
        evaluate(INT64_MIN, INT64_MAX);
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, metered), GOLIVE_MET);
        sql("UPDATE sample SET quality = 2 WHERE point_id = (SELECT id FROM point WHERE role = 'rack_power' LIMIT 1)");
        evaluate(INT64_MIN, INT64_MAX);
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, metered), GOLIVE_NOT_MET);
        sql("UPDATE sample SET quality = 2");
        evaluate(INT64_MIN, INT64_MAX);
        e->all.compared = 0;
        render(NULL);
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, metered), GOLIVE_NOT_MET);
        assert_int_equal(state_of(&g, "Every setpoint moved"), GOLIVE_NOT_KNOWN);
        assert_int_equal(count("meters are named in the site file, but none had a good sample"), 1);
        assert_int_equal(count("no setpoint in force could be read"), 2);
        assert_int_equal(count("no decision in shadow"), 0);
        sql("DELETE FROM sample");
        evaluate(INT64_MIN, INT64_MAX);
        golive_judge(e, &g);
        assert_int_equal(state_of(&g, metered), GOLIVE_NOT_KNOWN);
        evaluate(INT64_MIN, INT64_MAX);
}

/* A judged forecast of this skill. */
static struct score_error skilled(double skill)
{
        return (struct score_error){.n = 100, .sq = 100 * (1 - skill) * (1 - skill), .still_sq = 100};
}

static bool skill_met(struct golive *g)
{
        golive_judge(e, g);
        return state_of(g, "Forecasts beat") == GOLIVE_MET;
}

/* Neither one stretch nor a few outputs carry the forecasts, and what reads 0.00 is not above 0. */
static void test_skill_is_of_days_and_outputs(void **state)
{
        struct evaluate_day *day = calloc(8, sizeof *day);
        const size_t whole = (size_t)ceil(86400 / recorded->gate->layout->step_s);
        size_t d, first = SIZE_MAX, outputs = 0;
        struct golive g;

        (void)state;
        assert_non_null(day);
        evaluate(INT64_MIN, INT64_MAX);
        d = e->nahead > 1 ? 1 : 0;
        for (int k = 0; k < 4; k++) {
                day[k] = e->day[0];
                day[k].t_ms += k * INT64_C(86400000);
                day[k].sum.steps = k == 0 ? whole / 4 : whole;
                for (int group = 0; group < GROUP_COUNT; group++)
                        day[k].sum.forecast[group].error[d] = skilled(0.3);
        }
        free(e->day);
        e->day = day;
        e->nday = 4;
        for (int group = 0; group < GROUP_COUNT; group++)
                e->all.forecast[group].error[d] = skilled(0.06);
        for (size_t i = 0; i < e->layout->ny; i++) {
                e->y[i].forecast.error[d] = skilled(0.2);
                if (e->layout->y[i].kind == Y_INLET) {
                        first = outputs++ == 0 ? i : first;
                }
        }
        assert_true(skill_met(&g));
        for (int k = 2; k < 4; k++) /* two of three whole days; the short one is none */
                day[k].sum.forecast[GROUP_INLET].error[d] = skilled(-0.1);
        assert_false(skill_met(&g));
        render(NULL);
        assert_true(count("inlets 0.06 (anchored ") == 1 && count("2 of 3 whole days and 0 of ") == 2);
        assert_int_equal(count("<li>nominal forecasts of inlets do not beat"), 1);
        assert_int_equal(count("<li>nominal forecasts of supply air"), 0);
        day[3].sum.forecast[GROUP_INLET].error[d] = skilled(0.1);
        assert_true(skill_met(&g));
        for (size_t i = first, bad = 0; i < e->layout->ny && 2 * bad < outputs; i++)
                if (e->layout->y[i].kind == Y_INLET) {
                        e->y[i].forecast.error[d] = skilled(-0.2);
                        bad++;
                }
        assert_false(skill_met(&g));
        for (size_t i = 0; i < e->layout->ny; i++)
                e->y[i].forecast.error[d] = skilled(0.2);
        e->all.forecast[GROUP_INLET].error[d] = skilled(0.004);
        assert_false(skill_met(&g));
}

/* One count of certificates: the tile, the plot's row and the words. A worst case that passes a limit is none. */
static void test_certificates_are_counted_once(void **state)
{
        const size_t before = evaluate(INT64_MIN, INT64_MAX)->all.heat[HEAT_WORST_CASE].n;
        size_t n = 0;
        char words[64];

        (void)state;
        sql("DELETE FROM evidence; UPDATE decision SET margin = 2, verified = 1;"
            "UPDATE decision SET margin = -1 WHERE id % 10 = 3");
        evaluate(INT64_MIN, INT64_MAX);
        for (int k = 0; k < EVALUATE_KINDS; k++)
                n += e->certified[k];
        assert_true(n > 0 && n < e->scored);
        assert_int_equal(e->all.heat[HEAT_WORST_CASE].n, n);
        assert_int_equal(e->all.heat[HEAT_WORST_CASE].hard, 0);
        assert_int_equal(e->certified[DECISION_FALLBACK], 0);
        assert_true(e->certified[DECISION_HOLD] > 0 && before <= e->scored);
        render(NULL);
        (void)snprintf(words, sizeof words, "%zu of %zu", n, e->scored);
        assert_int_equal(count(words), 3); /* the condition, the plot's note and the safety layer's section */
        (void)snprintf(words, sizeof words, "%zu of these are holds", e->certified[DECISION_HOLD]);
        assert_int_equal(count(words), 1);
}

/* Meters speak where nobody proposed. */
static void test_measured_without_proposals(void **state)
{
        (void)state;
        sql("DELETE FROM evidence; UPDATE decision SET has_proposal = 0, predicted_w = NULL;"
            "UPDATE decision_var SET proposal = NULL");
        evaluate(INT64_MIN, INT64_MAX);
        assert_true(e->all.power.n == 0 && e->all.metered.n > 0);
        render(NULL);
        assert_int_equal(
            count("Nothing to compare: there were no proposals, so nothing was foreseen. Mean of the meters"), 1);
        assert_int_equal(count("no meters in this database"), 0);
        assert_int_equal(count("<b>–</b><span>mean cooling power"), 0);
        assert_int_equal(count("Cooling power</title>"), 1);
}

/* A record of coolplane in force is no question whether it may act. */
static void test_in_force(void **state)
{
        struct golive g;

        (void)state;
        sql("DELETE FROM evidence; UPDATE decision SET mode = 'ACTIVE'; UPDATE run SET mode = 'live'");
        evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(e->shadow, 0);
        render(NULL);
        golive_judge(e, &g);
        assert_int_equal(g.n[GOLIVE_NONE], 3);
        assert_int_equal(state_of(&g, "wrote nothing"), GOLIVE_NONE);
        assert_int_equal(count("may it act?"), 0);
        assert_int_equal(count("how did it do in force?"), 1);
        assert_int_equal(count("were never tried"), 0);
        assert_int_equal(count("of 14 conditions to go live that apply to it are met"), 1);
        assert_int_equal(count("– does not apply"), 3);
}

/* The hottest inlet is named where a sample says which it was, also where the windows hold other values. */
static void test_the_hottest_inlet_is_named(void **state)
{
        (void)state;
        evaluate(INT64_MIN, INT64_MAX);
        assert_true(e->series.nworst[HEAT_MEASURED] > 0);
        for (size_t k = 0; k < e->series.nworst[HEAT_MEASURED]; k++)
                assert_true(e->series.worst[HEAT_MEASURED][k].row >= 0);
        sql("DELETE FROM evidence");
        evaluate(INT64_MIN, INT64_MAX);
        for (size_t k = 0; k < e->series.nworst[HEAT_MEASURED]; k++)
                assert_true(e->series.worst[HEAT_MEASURED][k].row >= 0);
}

/* A replay without its log: no figure of nothing, and what to do. */
static void test_savings_of_no_samples(void **state)
{
        const struct savrep_options o = {
            .db = "x.db", .baseline = "shadow", .by_shadow = true, .within = {INT64_MIN, INT64_MAX}};
        struct savrep_options then = o;
        struct savrep_work w;

        (void)state;
        then.within = (struct savrep_span){0, 86400000};
        assert_int_equal(savrep_shadow(&w, &then, recorded->site, recorded->store), 0);
        assert_non_null(strstr(w.s.why, "x.db holds no samples between 1970-01-01T00:00:00.000Z and "
                                        "1970-01-02T00:00:00.000Z: its log is from 2025-07-15T"));
        savrep_free(&w);
        sql("DELETE FROM sample; UPDATE counter SET value = 0 WHERE name IN ('samples', 'good')");
        evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(savrep_shadow(&w, &o, recorded->site, recorded->store), 0);
        assert_string_equal(w.s.refusal, "no-samples");
        assert_string_equal(w.s.why, "x.db holds no samples");
        assert_true(isnan(w.s.period[0].ppue) && isnan(w.s.period[1].ppue));
        render(&w.s);
        assert_int_equal(count("partial PUE"), 0);
        assert_int_equal(count("<code>--log</code> names the database whose readings they are"), 1);
        savrep_free(&w);
}

static void test_savings(void **state)
{
        const struct savrep_options o = {
            .db = "x.db", .baseline = "shadow", .by_shadow = true, .within = {INT64_MIN, INT64_MAX}};
        struct savrep_work w;
        struct savrep_story told = {.site = "s", .db = "x.db", .baseline = "shadow", .load = "it"};

        (void)state;
        evaluate(INT64_MIN, INT64_MAX);
        assert_int_equal(savrep_shadow(&w, &o, recorded->site, recorded->store), 0);
        assert_true(w.s.refusal[0] != '\0');
        render(&w.s);
        assert_non_null(strstr(page.v, strcmp(w.s.refusal, "never-in-force") == 0
                                           ? "Nothing was changed, so nothing was saved yet."
                                           : "No saving can be told."));
        savrep_free(&w);
        (void)snprintf(told.refusal, sizeof told.refusal, "never-in-force");
        (void)snprintf(told.why, sizeof told.why, "on no day <b>");
        told.period[0].ppue = told.period[1].ppue = told.period[0].over_k_min = (double)NAN;
        render(&told);
        assert_int_equal(count("Nothing was changed, so nothing was saved yet."), 1);
        assert_int_equal(count("<b>on no day"), 0);
        assert_int_equal(count("of which ten whole ones are needed"), 1);
        assert_int_equal(count("<code>coolplane replay --what-if</code>"), 1);
        told.refusal[0] = '\0';
        for (int k = 0; k < SAVINGS_PARTS; k++)
                told.r.part[k] = (struct savings_figure){.known = k != SAVINGS_IT_FANS,
                                                         .given = k == SAVINGS_IT,
                                                         .baseline_j = 3.6e9,
                                                         .measured_j = 3.2e9,
                                                         .saving_j = 0.4e9,
                                                         .low_j = -0.1e9,
                                                         .high_j = 0.9e9};
        told.r.m = 9;
        render(&told);
        assert_non_null(strstr(page.v, "Total energy saved: 11.1 % of the adjusted baseline, 95 % interval −2.8 % to "
                                       "25.0 %, over 9 days; whether inlets were warmer is not known."));
        assert_int_equal(count("as measured: no saving is claimed"), 1);
        assert_int_equal(count("not metered apart: part of IT"), 1);
}

static void numbers_for_readers(void **state)
{
        (void)state;
        text_free(&page);
        page_number(&page, -0.004, 2);
        text_put(&page, "|");
        page_number(&page, -1.5, 1);
        text_put(&page, "|");
        page_number(&page, (double)NAN, 1);
        text_put(&page, "|");
        page_percent(&page, (double)INFINITY, 1);
        text_put(&page, "|");
        page_percent(&page, 0.5, 0);
        text_put(&page, "|");
        page_duration(&page, 90);
        text_put(&page, "|");
        page_duration(&page, 86400 * 3.5);
        text_put(&page, "|");
        page_time(&page, 1752537600000);
        assert_string_equal(page.v, "0.00|−1.5|–|–|50 %|90 s|3.5 days|2025-07-15 00:00");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_all_sections_in_order),
            cmocka_unit_test(test_names_are_no_markup),
            cmocka_unit_test(test_short_records),
            cmocka_unit_test(test_several_days),
            cmocka_unit_test_setup_teardown(test_nothing_stored, begin, take_back),
            cmocka_unit_test(test_conditions),
            cmocka_unit_test_setup_teardown(test_nothing_good, begin, take_back),
            cmocka_unit_test(test_skill_is_of_days_and_outputs),
            cmocka_unit_test_setup_teardown(test_certificates_are_counted_once, begin, take_back),
            cmocka_unit_test_setup_teardown(test_measured_without_proposals, begin, take_back),
            cmocka_unit_test_setup_teardown(test_in_force, begin, take_back),
            cmocka_unit_test_setup_teardown(test_the_hottest_inlet_is_named, begin, take_back),
            cmocka_unit_test(test_savings),
            cmocka_unit_test(
                test_savings_of_no_samples), /* it binds the site, a transaction of its own; the last of the record */
            cmocka_unit_test(numbers_for_readers),
        };
        return cmocka_run_group_tests(tests, record_run, forget_page);
}
