/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Water through the evaporators: how fast it may change, how little a machine stands, and what keeps it from that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "plant_fixture.h"
#include "sim/plant_internal.h"

static struct plant_account account(const struct plant *p)
{
        struct plant_account a;

        plant_account(p, &a);
        return a;
}

static size_t running(const struct plant *p)
{
        size_t n = 0;

        for (size_t i = 0; i < plant_spec(p)->nchiller; i++)
                n += p->chiller[i].state == CHILLER_RUNNING;
        return n;
}

/* Holds machine 0's evaporator at a share of its design flow, whatever the pumps do. */
static void hold_flow(struct plant *p, double seconds, double share)
{
        for (unsigned k = 0; 5.0 * k < seconds; k++) {
                char name[48];

                (void)snprintf(name, sizeof(name), "evap-flow:0:%.6f", share / p->water.primary_ratio);
                assert_int_equal(plant_fault(p, name), 0);
                plant_advance(p, 5.0);
        }
}

static void below_its_minimum_flow_a_machine_trips(void **state)
{
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct plant *p = r.plant;

        (void)state;
        plant_advance(p, 3600.0);
        assert_true(p->water.primary_ratio >= PRIMARY_MIN && running(p) >= 2);
        hold_flow(p, 1800.0, EVAP_FLOW_MIN + 0.01);
        assert_true(p->chiller[0].state == CHILLER_RUNNING && !p->chiller[0].tripped);
        assert_int_equal(account(p).flow_trips, 0);
        hold_flow(p, 5.0, EVAP_FLOW_MIN - 0.01); /* shorter than the switch's delay */
        hold_flow(p, 60.0, EVAP_FLOW_MIN + 0.01);
        assert_false(p->chiller[0].tripped);
        hold_flow(p, 20.0, EVAP_FLOW_MIN - 0.01);
        assert_true(p->chiller[0].tripped && p->chiller[0].state == CHILLER_OFF);
        assert_int_equal(account(p).flow_trips, 1);
        assert_int_equal(account(p).hard_violations, 0); /* nobody's order was wrong */
        plant_advance(p, 1800.0);
        assert_true(p->chiller[0].tripped && account(p).energy_residual_ratio < 0.005);
        assert_int_equal(account(p).flow_trips, 1);
        assert_int_equal(plant_fault(p, "clear"), 0); /* reset by hand */
        plant_advance(p, 1800.0);
        assert_false(p->chiller[0].tripped);
        assert_int_equal(account(p).flow_trips, 1);
        rig_free(&r);
}

/* Coils that ask for little: the bypass keeps the machines' minimum; shut, they share too little and trip. */
static void the_bypass_keeps_the_minimum(void **state)
{
        for (int shut = 0; shut < 2; shut++) {
                struct rig r = rig_new("hall", rig_seed(), SPRING_MS);
                struct plant *p = r.plant;
                double least = 1.0;

                plant_advance(p, 3600.0);
                assert_int_equal(plant_fault(p, "load-step:0.1"), 0);
                if (shut)
                        assert_int_equal(plant_fault(p, "bypass-shut"), 0);
                for (int k = 0; k < 720; k++) {
                        plant_advance(p, 5.0);
                        least = fmin(least, p->water.primary_ratio);
                }
                print_message("bypass %s: least flow %.3f, %llu trips, %zu running\n", shut ? "shut" : "works", least,
                              (unsigned long long)account(p).flow_trips, running(p));
                if (shut)
                        assert_true(least < EVAP_FLOW_MIN && account(p).flow_trips >= 1);
                else
                        assert_true(least >= PRIMARY_MIN && account(p).flow_trips == 0);
                if (!shut)
                        assert_int_equal(account(p).hard_violations, 0);
                assert_true(account(p).energy_residual_ratio < 0.005);
                rig_free(&r);
        }
        (void)state;
}

/* Normal and abnormal operation: no evaporator's flow changes faster than it may, none comes near its minimum. */
static void flow_changes_slowly(void **state)
{
        static const char *const happens[] = {"load-step:1.5", "load-step:0.4", "chiller-trip:0", "crah-fail:1",
                                              "clear"};
        struct rig r = rig_new("hall", rig_seed(), SUMMER_MS);
        struct plant *p = r.plant;
        double fastest = 0.0;

        (void)state;
        plant_set_local(p, PLANT_LOCAL_TRIM_RESPOND);
        for (size_t k = 0; k < 5 * 1440; k++) { /* ten hours */
                const double before = p->water.primary_ratio;

                if (k % 1440 == 720)
                        assert_int_equal(plant_fault(p, happens[k / 1440]), 0);
                plant_advance(p, 5.0);
                fastest = fmax(fastest, fabs(p->water.primary_ratio - before) * 12.0);
                for (size_t i = 0; i < plant_spec(p)->nchiller; i++)
                        assert_true(p->chiller[i].state != CHILLER_RUNNING ||
                                    p->chiller[i].flow_m3s >= PRIMARY_MIN * p->primary_m3s * (1.0 - 1e-9) ||
                                    p->chiller[i].state_s < 65.0);
        }
        print_message("fastest %.3f of design a minute\n", fastest);
        assert_true(fastest > 0.05 && fastest <= 0.1 + 1e-9);
        assert_int_equal(account(p).flow_trips, 0);
        rig_free(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(below_its_minimum_flow_a_machine_trips),
            cmocka_unit_test(the_bypass_keeps_the_minimum),
            cmocka_unit_test(flow_changes_slowly),
        };

        return cmocka_run_group_tests(tests, NULL, rig_forget);
}
