/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A plant taken over with a setpoint beyond the map's min..max on the side of more cooling: what the gate writes. */
#include "tests/unit/gate_rig.h"

#include "agent/gate/gate_internal.h"

#define F(x) (((x)-32) / 1.8)

static struct rig *taken_over(double sat_f, int64_t lease_ms)
{
        struct rig *r = rig_site();
        int sat = point(r, "crac-east/discharge_air_sp"); /* 60 … 77 °F, 1 °F a step, own setpoint 64 */

        r->value[sat] = F(sat_f);
        r->site->point[sat].lease_ms = lease_ms;
        rig_start(r, true, 0);
        return r;
}

/* One step with `sat_f` proposed; NaN: no proposal. */
static void step(struct rig *r, double sat_f)
{
        int sat = point(r, "crac-east/discharge_air_sp");
        struct ipc_proposal p;

        advance(r, ROLE_NONE);
        proposal(r, &p);
        for (size_t j = 0; j < r->gate->layout->nu; j++)
                if (r->gate->layout->u[j].point == sat)
                        p.u[j] = F(sat_f);
        gate_step_end(r->gate, isnan(sat_f) ? NULL : &p, false);
        finish_writes(r, WRITE_ACCEPTED);
}

static void test_nothing_is_written_from_far_beyond(void **state)
{
        struct rig *r = taken_over(57, 2 * STEP_MS); /* a lease: what is the same is written again and again */
        int sat = point(r, "crac-east/discharge_air_sp"), guard = point(r, "crac-spare/power");

        (void)state;
        for (int i = 0; i < 15; i++)
                step(r, 64);
        assert_int_equal(status(r).reason, DR_LIMIT);
        assert_string_equal(status(r).binding, r->site->point[sat].name);
        assert_int_equal(status(r).mode, GATE_ACTIVE);
        for (int i = 0; i < 5; i++) { /* the planner is dead */
                step(r, (double)NAN);
                assert_int_equal(status(r).mode, GATE_HOLD);
                assert_int_equal(status(r).reason, DR_NO_PROPOSAL);
        }
        for (int i = 0; i < 40; i++)
                step(r, (double)NAN);
        assert_int_equal(status(r).mode, GATE_FALLBACK);
        (void)snprintf(r->site->point[sat].interlock, sizeof r->site->point[sat].interlock, "%s",
                       r->site->point[guard].name);
        r->value[guard] = 1;
        step(r, 64);
        assert_int_equal(status(r).reason, DR_INTERLOCK);
        gate_handback_begin(r->gate, "test");
        assert_true(last_write(r, 0, sat) < 0);
        assert_true(r->value[sat] == F(57));
        rig_free(r);
}

/* Within one rate it enters by a value of the box; a write on its way is not taken back by one beyond. */
static void test_enters_within_one_rate(void **state)
{
        struct rig *r = taken_over(59.5, 2 * STEP_MS);
        int sat = point(r, "crac-east/discharge_air_sp");
        ptrdiff_t w;

        (void)state;
        for (int i = 0; i < 15 && last_write(r, 0, sat) < 0; i++)
                step(r, 64);
        w = last_write(r, 0, sat);
        assert_true(w >= 0);
        assert_true(r->write[w].value > F(60) - 1e-6 && r->write[w].value < F(60.5) + 1e-6);
        rig_free(r);
        r = taken_over(59.5, 0);
        r->obey = false; /* nothing answers: the order stays under way, and the plant shows what it had */
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_REMOTE_STATUS)
                        r->value[i] = 1;
        for (int i = 0; i < 15; i++) {
                struct ipc_proposal p;

                advance(r, ROLE_NONE);
                for (size_t k = 0; k < r->site->npoint; k++) /* the heartbeat is echoed all the same */
                        if (r->site->point[k].role == ROLE_HEARTBEAT_ECHO)
                                for (size_t n = 0; n < r->nwrite; n++)
                                        if (r->site->point[r->write[n].point].role == ROLE_HEARTBEAT_CMD)
                                                r->value[k] = r->write[n].value;
                proposal(r, &p);
                for (size_t j = 0; j < r->gate->layout->nu; j++)
                        if (r->gate->layout->u[j].point == sat && i % 2)
                                p.u[j] = F(64);
                gate_step_end(r->gate, &p, false);
        }
        assert_true(last_write(r, 0, sat) >= 0);
        for (size_t i = 0; i < r->nwrite; i++)
                if (r->write[i].point == (uint32_t)sat)
                        assert_true(r->write[i].value > F(60) - 1e-6 && r->write[i].value < F(60.5) + 1e-6);
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_written_from_far_beyond),
                                           cmocka_unit_test(test_enters_within_one_rate)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
