/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/chiller_curves.h"

static void builtin_sets_hold_at_their_rating(void **state)
{
        const struct chiller_curves *set;
        const size_t n = chiller_curves_builtin(&set);

        (void)state;
        assert_true(n >= 4);
        for (size_t i = 0; i < n; i++) {
                const struct chiller_curves *c = &set[i];
                const double q = chiller_capacity_w(c, c->capacity_w, c->te_rating_c, c->tc_rating_c);
                const double w = chiller_power_w(c, c->capacity_w, c->capacity_w, c->te_rating_c, c->tc_rating_c);

                print_message("%s: capacity %+.1f %%, COP %.2f\n", c->name, 100.0 * (q / c->capacity_w - 1.0),
                              c->capacity_w / w);
                assert_true(fabs(q / c->capacity_w - 1.0) < 0.05);
                assert_true(fabs(c->capacity_w / w / c->cop - 1.0) < 0.02);
        }
}

/* Published slopes (p10 to p90 of the collection): −4 … −0.2 %/K chilled water, +1.4 … +3.5 %/K condenser water. A set
 * is built in because it stays near them far beyond its own limits. */
static void builtin_slopes_are_plausible_everywhere(void **state)
{
        const struct chiller_curves *set;
        const size_t n = chiller_curves_builtin(&set);
        size_t checked = 0;

        (void)state;
        for (size_t i = 0; i < n; i++)
                for (double te = 5.0; te < 19.5; te += 1.0)
                        for (double tc = 16.0; tc < 31.5; tc += 1.0) {
                                const struct chiller_curves *c = &set[i];
                                const double load = 0.65 * c->capacity_w;
                                const double w = chiller_power_w(c, c->capacity_w, load, te, tc);
                                const double warm = chiller_power_w(c, c->capacity_w, load, te + 1.0, tc) / w - 1.0;
                                const double lift = chiller_power_w(c, c->capacity_w, load, te, tc + 1.0) / w - 1.0;

                                if (load > 0.85 * chiller_capacity_w(c, c->capacity_w, te, tc + 1.0))
                                        continue; /* cold water from a hot condenser: near the end of the curves */
                                checked++;
                                assert_true(w > 0.0);
                                assert_true(warm < -0.004 && warm > -0.05);
                                assert_true(lift > 0.005 && lift < 0.05);
                        }
        assert_true(checked > 190 * n); /* of 240 */
}

static void inputs_beyond_the_limits_count_as_the_limit(void **state)
{
        const struct chiller_curves *c;

        (void)state;
        (void)chiller_curves_builtin(&c);
        const double q = c->capacity_w, load = 0.7 * q;

        assert_true(chiller_capacity_w(c, q, c->te_max_c, 20.0) == chiller_capacity_w(c, q, c->te_max_c + 5.0, 20.0));
        assert_true(chiller_capacity_w(c, q, 10.0, c->tc_min_c) == chiller_capacity_w(c, q, 10.0, c->tc_min_c - 5.0));
        assert_true(chiller_power_w(c, q, load, c->te_min_c, 20.0) ==
                    chiller_power_w(c, q, load, c->te_min_c - 1.0, 20.0));
        assert_true(chiller_power_w(c, q, load, 10.0, c->tc_max_c) ==
                    chiller_power_w(c, q, load, 10.0, c->tc_max_c + 1.0));
        /* below its least load the machine cycles: mean power in proportion, without a step */
        const double available = chiller_capacity_w(c, q, 10.0, 15.0), least_w = c->plr_min * available;
        const double at_least = chiller_power_w(c, q, least_w, 10.0, 15.0);
        assert_true(chiller_power_w(c, q, 0.0, 10.0, 15.0) == 0.0);
        assert_true(fabs(chiller_power_w(c, q, 0.5 * least_w, 10.0, 15.0) - 0.5 * at_least) < 1e-6 * at_least);
        assert_true(chiller_power_w(c, q, 1.01 * least_w, 10.0, 15.0) > at_least);
        /* false load between that and the unloading limit, which lift makes higher; no more than plr_max */
        const double hot = chiller_least_plr(c, 7.0, 30.0) * chiller_capacity_w(c, q, 7.0, 30.0);
        assert_true(c->surges && hot > 1.2 * c->plr_min * chiller_capacity_w(c, q, 7.0, 30.0));
        assert_true(chiller_power_w(c, q, 0.9 * hot, 7.0, 30.0) == chiller_power_w(c, q, hot, 7.0, 30.0));
        assert_true(chiller_power_w(c, q, 2.0 * available, 10.0, 15.0) ==
                    chiller_power_w(c, q, c->plr_max * available, 10.0, 15.0));
        assert_true(chiller_power_w(c, q, 0.99 * c->plr_max * available, 10.0, 15.0) <
                    chiller_power_w(c, q, c->plr_max * available, 10.0, 15.0));
}

static void lift_limits_unloading_of_a_centrifugal(void **state)
{
        const struct chiller_curves *set;
        const size_t n = chiller_curves_builtin(&set);

        (void)state;
        for (size_t i = 0; i < n; i++) {
                const struct chiller_curves *c = &set[i];
                double before = c->plr_unloading;

                assert_true(chiller_least_plr(c, 7.0, 19.0) == c->plr_unloading); /* 12 K: free */
                for (double tc = 19.0; tc <= 40.0; tc += 1.0) {
                        const double x = chiller_least_plr(c, 7.0, tc);
                        assert_true(x >= before);
                        before = x;
                }
                assert_true(c->surges ? fabs(before - 0.45) < 1e-12 : before == c->plr_unloading);
        }
}

/* ---- reader ---- */

static const char header[] =
    "name,QEva_flow_nominal_W,COP_nominal,PLRMin,PLRMinUnl,PLRMax,mEva_kg_s,mCon_kg_s,TEvaLvg_nominal_C,"
    "TConEnt_nominal_C,TEvaLvgMin_C,TEvaLvgMax_C,TConEntMin_C,TConEntMax_C,cap0,cap1,cap2,cap3,cap4,cap5,eirT0,eirT1,"
    "eirT2,eirT3,eirT4,eirT5,plr0,plr1,plr2\n";
static const char row[] =
    "Screw_23XL,-500000.0,6,0.2,0.2,1.02,1000,1000,7,25,5,12,12,30,1,0,0,0,0,0,1,0,0,0,0,0,0.1,0.9,0\n";

static int load_text(const char *text, struct chiller_curves **ret, size_t *ret_n, char *err)
{
        char path[] = "/tmp/coolplane-curves-XXXXXX";
        const int fd = mkstemp(path);
        FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
        int r;

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        r = chiller_curves_load(path, ret, ret_n, err);
        assert_int_equal(unlink(path), 0);
        return r;
}

static void a_table_is_read(void **state)
{
        struct chiller_curves *c = NULL;
        char text[2048], err[256] = "";
        size_t n = 0;

        (void)state;
        (void)snprintf(text, sizeof(text), "%s%s\n%s", header, row, row);
        assert_int_equal(load_text(text, &c, &n, err), 0);
        assert_int_equal(n, 2);
        assert_string_equal(c[1].name, "Screw_23XL");
        assert_true(c[0].capacity_w == 500000.0 && c[0].cop == 6.0 && c[0].plr_max == 1.02 && !c[0].surges);
        assert_true(c[0].te_rating_c == 7.0 && c[0].te_max_c == 12.0 && c[0].tc_min_c == 12.0);
        /* flat curves: half load costs 0.1 + 0.45 of full power */
        assert_true(fabs(chiller_power_w(&c[0], 500e3, 250e3, 9.0, 20.0) - 500e3 / 6.0 * 0.55) < 1e-6);
        free(c);
}

static void a_bad_table_names_its_line(void **state)
{
        static const struct {
                const char *from, *to, *says;
        } bad[] = {{"-500000.0", "500000.0", ":2: cannot be a chiller: QEva"},
                   {",6,0.2", ",0,0.2", "COP_nominal"},
                   {",6,0.2", ",six,0.2", ":2: not a number: COP_nominal"},
                   {",1.02,", ",0.9,", "PLRMax"},
                   {",7,25,", ",13,25,", "TEvaLvg"},
                   {",7,25,", ",7,31,", "TConEnt"},
                   {",1,0,0,0,0,0,1,", ",-1,0,0,0,0,0,1,", "not positive"},
                   {",0.1,0.9,0\n", ",-1,0,0\n", "plr: not positive"},
                   {",0.1,0.9,0\n", ",0.1,0.9\n", "number of fields"},
                   {"COP_nominal", "COP", ":1: no column COP_nominal"}};
        struct chiller_curves *c = NULL;
        char text[2048], err[256] = "";
        size_t n = 7;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                char whole[2048];
                const char *at;

                (void)snprintf(whole, sizeof(whole), "%s%s", header, row);
                at = strstr(whole, bad[i].from);
                assert_non_null(at);
                (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, bad[i].to,
                               at + strlen(bad[i].from));
                assert_int_equal(load_text(text, &c, &n, err), -EINVAL);
                if (strstr(err, bad[i].says) == NULL)
                        fail_msg("\"%s\" does not say \"%s\"", err, bad[i].says);
        }
        assert_int_equal(load_text(header, &c, &n, err), -EINVAL);
        assert_int_equal(load_text("", &c, &n, err), -EINVAL);
        assert_int_equal(chiller_curves_load("/nonexistent/curves.csv", &c, &n, err), -ENOENT);
        assert_true(c == NULL && n == 7); /* untouched on failure */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(builtin_sets_hold_at_their_rating),
            cmocka_unit_test(builtin_slopes_are_plausible_everywhere),
            cmocka_unit_test(inputs_beyond_the_limits_count_as_the_limit),
            cmocka_unit_test(lift_limits_unloading_of_a_centrifugal),
            cmocka_unit_test(a_table_is_read),
            cmocka_unit_test(a_bad_table_names_its_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
