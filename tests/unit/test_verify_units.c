/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The second checker and machines that are on or off: their timers, starts and stops, and what is restored of them. */
#include "tests/unit/test_verify.h"

static void test_units(void **state)
{
        struct bench b;
        size_t j;

        (void)state;
        open_bench(&b, rig_default());
        j = b.r.nu - 1;
        b.r.snap.mono_s = 1000;
        assert_true(judge(&b, j, 1)); /* first seen on, now; two of three starts are assumed spent */
        assert_false(judge(&b, j, 0.5));
        assert_false(judge(&b, j, 2));
        b.r.snap.mono_s = 1299;
        assert_false(judge(&b, j, 0));
        b.r.snap.mono_s = 1300;
        assert_true(judge(&b, j, 0));
        b.r.snap.cooling_load_w = 100e3 / 1.15 + 1;
        assert_false(judge(&b, j, 0));
        b.r.snap.cooling_load_w = (double)NAN;
        assert_false(judge(&b, j, 0));
        b.r.snap.cooling_load_w = 80e3;
        b.r.status[j - 1] = 0;
        assert_false(judge(&b, j, 0));
        b.r.status[j - 1] = 1;
        b.act[j - 1] = 0; /* both at once */
        assert_false(judge(&b, j, 0));
        b.act[j - 1] = 1;
        b.r.confirmed[j] = 0;
        b.r.status[j] = 0;
        assert_true(judge(&b, j, 0)); /* seen off at 1300 */
        b.r.snap.mono_s = 1899;
        assert_false(judge(&b, j, 1));
        b.r.snap.mono_s = 1900;
        assert_true(judge(&b, j, 1));
        b.r.confirmed[j] = 1; /* on at 1900: the third start */
        assert_true(judge(&b, j, 1));
        b.r.snap.mono_s = 2500;
        assert_false(judge(&b, j, 0)); /* it could not come back */
        b.r.snap.mono_s = 4601;
        assert_true(judge(&b, j, 0));
        rig_close(&b.r);
}

static bool unit(struct bench *b, double mono_s, double ordered, uint8_t status, double value)
{
        const size_t j = b->r.nu - 1;

        b->r.snap.mono_s = mono_s;
        b->r.confirmed[j] = ordered;
        b->r.status[j] = status;
        return judge(b, j, value);
}

static void open_units(struct bench *b, double starts_per_h)
{
        rig_open(&b->r, rig_default(), 3);
        b->r.u[b->r.nu - 1].max_starts_per_h = starts_per_h;
        take_bench(b);
}

/* A start counts once: from its order until the machine is seen to run, then from there. */
static void test_a_start_counts_from_where_it_was_seen(void **state)
{
        struct bench b;

        (void)state;
        open_units(&b, 3);
        assert_true(unit(&b, 1000, 0, 0, 0)); /* two starts are assumed here */
        assert_true(unit(&b, 5000, 0, 0, 1));
        (void)unit(&b, 5000, 1, 0, 1); /* ordered */
        (void)unit(&b, 5100, 1, 1, 1); /* seen */
        assert_false(unit(&b, 5399, 1, 1, 0));
        assert_true(unit(&b, 5400, 1, 1, 0)); /* 300 s from where it was seen */
        (void)unit(&b, 5500, 1, 0, 1);        /* stops by itself and comes back, twice: two more starts */
        (void)unit(&b, 5600, 1, 1, 1);
        (void)unit(&b, 5700, 1, 0, 1);
        (void)unit(&b, 5800, 1, 1, 1);
        assert_false(unit(&b, 8699, 1, 1, 0));
        assert_true(unit(&b, 8700, 1, 1, 0)); /* the hour from 5100, not from 5000 */
        rig_close(&b.r);
        open_units(&b, 2);
        (void)unit(&b, 1000, 1, 0, 1); /* first seen with a start under way: one of two, and it is this one */
        (void)unit(&b, 1500, 1, 1, 1);
        assert_false(unit(&b, 1799, 1, 1, 0));
        assert_true(unit(&b, 1800, 1, 1, 0));
        rig_close(&b.r);
        open_units(&b, 1);
        (void)unit(&b, 1000, 1, 1, 1);
        (void)unit(&b, 2000, 0, 1, 0); /* ordered off, still running, and on again: no start */
        (void)unit(&b, 2030, 1, 1, 1);
        assert_false(unit(&b, 2329, 1, 1, 0));
        assert_true(unit(&b, 2330, 1, 1, 0));
        rig_close(&b.r);
        for (int k = 0; k < 4; k++) { /* but one that is not heard before or after may have stopped between */
                static const uint8_t before[] = {255, 1, 255, 0}, after[] = {1, 255, 255, 1};

                open_units(&b, 1);
                (void)unit(&b, 1000, 1, 1, 1);
                (void)unit(&b, 4000, 0, before[k], 0);
                (void)unit(&b, 4030, 1, after[k], 1);
                (void)unit(&b, 4060, 1, 255, 1);
                (void)unit(&b, 4090, 1, 1, 1); /* heard again: the same start */
                (void)unit(&b, 4120, 1, 1, 1);
                assert_false(unit(&b, after[k] == 1 ? 7629.9 : 7689.9, 1, 1, 0));
                assert_true(unit(&b, after[k] == 1 ? 7630 : 7690, 1, 1, 0));
                rig_close(&b.r);
        }
}

/* First seen: one start is left in this hour, however many the machine may make. */
static void test_one_start_left_when_first_seen(void **state)
{
        (void)state;
        for (unsigned n = 4; n <= 2 * SAFETY_STARTS_MAX; n++) { /* half a start is none */
                struct bench b;

                open_units(&b, 0.5 * n);
                (void)unit(&b, 1000, 0, 0, 0);
                assert_true(unit(&b, 1600, 0, 0, 1));
                (void)unit(&b, 1600, 1, 1, 1);
                (void)unit(&b, 1700, 0, 0, 0);
                assert_false(unit(&b, 4599, 0, 0, 1));
                assert_true(unit(&b, 4600, 0, 0, 1));
                rig_close(&b.r);
        }
}

/* A read-back between off and on: from the middle on it is on. */
static void test_read_back_of_a_unit(void **state)
{
        struct bench b;

        (void)state;
        open_units(&b, 3);
        assert_false(unit(&b, 1000, 0.5, 1, 0)); /* a stop, and too early */
        rig_close(&b.r);
        open_units(&b, 3);
        assert_true(unit(&b, 1000, 0.49, 0, 0)); /* it is off */
        for (int on = 0; on < 2; on++) {         /* what is ordered is off or on, nothing between or beside */
                (void)unit(&b, 5000, on, (uint8_t)on, on);
                assert_true(unit(&b, 9000, on, (uint8_t)on, 0) && unit(&b, 9000, on, (uint8_t)on, 1));
                assert_false(unit(&b, 9000, on, (uint8_t)on, 0.5) || unit(&b, 9000, on, (uint8_t)on, 0.999));
                assert_false(unit(&b, 9000, on, (uint8_t)on, -1) || unit(&b, 9000, on, (uint8_t)on, 2));
                assert_false(unit(&b, 9000, on, (uint8_t)on, (double)NAN));
        }
        rig_close(&b.r);
}

/* A stop counts from the order, and anew from where the machine was seen to stop. */
static void test_a_stop_counts_from_the_later_of_both(void **state)
{
        struct bench b;

        (void)state;
        open_units(&b, 4);
        (void)unit(&b, 1000, 1, 0, 1);
        (void)unit(&b, 5000, 0, 0, 0); /* ordered off, it never ran */
        assert_false(unit(&b, 5599, 0, 0, 1));
        assert_true(unit(&b, 5600, 0, 0, 1));
        rig_close(&b.r);
        open_units(&b, 4);
        (void)unit(&b, 1000, 1, 1, 1);
        (void)unit(&b, 5000, 0, 1, 0); /* ordered off */
        (void)unit(&b, 5100, 0, 0, 0); /* seen off */
        assert_false(unit(&b, 5699, 0, 0, 1));
        assert_true(unit(&b, 5700, 0, 0, 1));
        rig_close(&b.r);
}

static void test_no_start_left(void **state)
{
        struct bench b;

        (void)state;
        open_units(&b, 1);
        (void)unit(&b, 1000, 0, 0, 0);
        (void)unit(&b, 2000, 1, 1, 1); /* the only one of this hour */
        (void)unit(&b, 2600, 0, 0, 0);
        assert_false(unit(&b, 5599, 0, 0, 1));
        assert_true(unit(&b, 5600, 0, 0, 1));
        rig_close(&b.r);
}

/* A clock that goes back starts the timers over. */
static void test_clock_goes_back(void **state)
{
        struct bench b;

        (void)state;
        open_units(&b, 4);
        (void)unit(&b, 9000, 1, 1, 1);
        (void)unit(&b, 5000, 1, 1, 1);
        assert_false(unit(&b, 5299, 1, 1, 0));
        assert_true(unit(&b, 5300, 1, 1, 0));
        (void)unit(&b, 9000, 0, 0, 0);
        (void)unit(&b, 6000, 0, 0, 0);
        assert_false(unit(&b, 6599, 0, 0, 1));
        b.r.u[b.r.nu - 1].max_starts_per_h = 4;
        assert_true(unit(&b, 6600, 0, 0, 1));
        rig_close(&b.r);
}

/* What lets a unit stop: its step, and others that are seen to run and stay. */
static void test_when_a_unit_may_stop(void **state)
{
        struct bench b;
        size_t j;

        (void)state;
        open_units(&b, 3);
        j = b.r.nu - 1;
        (void)unit(&b, 1000, 1, 1, 1);
        b.r.snap.slow_step = false;
        assert_false(unit(&b, 5000, 1, 1, 0));
        b.r.snap.slow_step = true;
        assert_true(unit(&b, 5000, 1, 1, 0));
        b.r.confirmed[j - 1] = 0; /* the other one runs, but its order is off; ordering it on now comes too late */
        assert_false(unit(&b, 5000, 1, 1, 0));
        b.r.snap.cooling_load_w = 0; /* the last one never for want of load */
        assert_false(unit(&b, 5700, 1, 1, 0));
        b.r.snap.cooling_load_w = 80e3;
        assert_false(unit(&b, 5700, 1, 1, 0));
        b.r.confirmed[j - 1] = 1;
        assert_true(unit(&b, 5700, 1, 1, 0));
        b.r.snap.onoff_status = NULL; /* nothing is seen to run */
        b.r.confirmed[j] = 1;
        verify_observe(b.v, &b.r.snap);
        b.act[j] = 0;
        assert_false(verify_action(b.v, &b.r.snap, b.act));
        b.r.snap.cooling_load_w = 0;
        assert_false(verify_action(b.v, &b.r.snap, b.act));
        rig_close(&b.r);
        rig_open(&b.r, rig_default(), 3);
        b.r.u[j].fast = 1;
        take_bench(&b);
        (void)unit(&b, 1000, 1, 1, 1);
        b.r.snap.slow_step = false;
        assert_true(unit(&b, 5000, 1, 1, 0)); /* a fast one in any step */
        rig_close(&b.r);
}

/* A rig whose variables 0, 9 and 10 are machines, each with 0.01 m³/s at least. */
static void open_three(struct bench *b)
{
        open_free_first(b);
        b->r.u[0] = b->r.u[b->r.nu - 1];
        b->r.confirmed[0] = 1;
        for (size_t j = 0; j < b->r.nu; j++)
                b->r.u[j].min_flow_m3s = b->r.u[j].kind == SAFETY_U_ONOFF ? 0.01 : 0;
        take_bench(b);
        b->r.snap.evap_flow_m3s = b->r.snap.chw_flow_m3s = (double)NAN;
}

/* A machine that is the first of the variables counts like any other: for the load, for the water, and for what all
 * that run need of it. */
static void test_first_variable_is_a_unit(void **state)
{
        struct bench b;

        (void)state;
        open_three(&b);
        b.act[9] = b.r.confirmed[9] = b.r.status[9] = 0;
        (void)unit(&b, 1000, 1, 1, 1);
        assert_true(judge(&b, 0, 1));
        assert_true(unit(&b, 1400, 1, 1, 1) && judge(&b, 0, 0)); /* one start is left */
        assert_true(unit(&b, 5000, 1, 1, 0));                    /* the first one carries the load */
        b.r.snap.cooling_load_w = 100e3 / 1.15 - 0.5;
        assert_true(unit(&b, 5000, 1, 1, 0));
        b.r.snap.cooling_load_w = 100e3 / 1.15 + 0.5;
        assert_false(unit(&b, 5000, 1, 1, 0));
        b.r.snap.evap_flow_m3s = 0.0219; /* of 0.01 · 2 · 1.1 */
        assert_true(unit(&b, 5000, 1, 1, 0));
        b.r.snap.evap_flow_m3s = (0.01 + 0.01) * 1.1; /* just enough */
        assert_false(unit(&b, 5000, 1, 1, 0));
        b.act[10] = 0;
        (void)unit(&b, 6000, 0, 0, 0);
        b.r.snap.chw_flow_m3s = 0.0229; /* of 0.01 · 2 · 1.15 */
        assert_false(unit(&b, 7000, 0, 0, 1));
        b.r.snap.chw_flow_m3s = (0.01 + 0.01) * (1 + 0.15);
        assert_true(unit(&b, 7000, 0, 0, 1));
        rig_close(&b.r);
}

/* Exactly what the load asks for is enough, and anything is enough of nothing. */
static void test_capacity_to_the_last_bit(void **state)
{
        struct bench b;

        (void)state;
        for (int small = 0; small < 2; small++) {
                open_three(&b);
                b.r.u[9].capacity_w = b.r.u[0].capacity_w = small ? 0.25 : 50e3;
                b.r.env.capacity_margin = 0;
                take_bench(&b);
                (void)unit(&b, 1000, 1, 1, 1);
                b.r.snap.cooling_load_w = small ? 0 : 100e3;
                assert_true(unit(&b, 5000, 1, 1, 0));
                b.r.snap.cooling_load_w = small ? 0.500001 : 100000.01;
                assert_false(unit(&b, 5000, 1, 1, 0));
                rig_close(&b.r);
        }
}

/* No machine stops while the water of one beside it changes faster than that one takes, in whatever place; the one that
 * stops, one that nobody hears and what is no machine are not asked. */
static void test_changing_water_beside_a_unit(void **state)
{
        struct bench b;

        (void)state;
        for (size_t limited = 0; limited < 11; limited++) {
                const bool beside = limited == 0 || limited == 9;

                open_three(&b);
                b.r.u[limited].max_flow_ramp_per_min = 0.1;
                b.r.u[limited == 0 ? 9 : 0].max_flow_ramp_per_min += 0.3; /* another one takes more */
                b.r.snap.cooling_load_w = 0;
                take_bench(&b);
                (void)unit(&b, 1000, 1, 1, 1);
                b.r.snap.evap_flow_ramp_per_min = 0.1;
                assert_true(unit(&b, 5000, 1, 1, 0));
                b.r.snap.evap_flow_ramp_per_min = nextafter(0.1, 1);
                assert_int_equal(unit(&b, 5000, 1, 1, 0), !beside);
                b.r.snap.evap_flow_ramp_per_min = (double)NAN;
                assert_true(unit(&b, 5000, 1, 1, 0));
                b.r.snap.evap_flow_ramp_per_min = (double)INFINITY;
                assert_false(unit(&b, 5000, 1, 1, 0)); /* more than that one takes, too */
                b.r.snap.evap_flow_ramp_per_min = 0.2;
                if (beside) {
                        b.r.status[limited] = 255;
                        assert_true(unit(&b, 5000, 1, 1, 0));
                }
                rig_close(&b.r);
        }
}

/* Off for long before a restart, the first variable may start at once; of one never seen nobody knows. */
static void test_first_variable_is_restored(void **state)
{
        enum { NU = 11 };
        double buf[1 + NU * SAFETY_STATE_PER_U] = {1};
        struct bench b;

        (void)state;
        open_three(&b);
        buf[1] = 1; /* off for long, no start in the last hour */
        buf[5] = buf[6] = 4000;
        for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                buf[7 + i] = -1;
        verify_restore(b.v, 10000, 0, buf, sizeof(buf) / sizeof(buf[0]));
        b.act[0] = b.r.confirmed[0] = b.r.status[0] = 0;
        (void)unit(&b, 10010, 1, 1, 1);
        assert_true(judge(&b, 0, 1));
        rig_close(&b.r);
        open_three(&b);
        b.act[0] = b.r.confirmed[0] = b.r.status[0] = 0;
        (void)unit(&b, 10010, 1, 1, 1);
        assert_false(judge(&b, 0, 1));
        rig_close(&b.r);
}

/* For want of water the last one never stops: a fan at full that "runs" is no machine that stays. */
static void test_relief_by_machines_only(void **state)
{
        struct bench b;

        (void)state;
        open_three(&b);
        b.act[0] = b.r.confirmed[0] = b.r.status[0] = 0;
        b.act[9] = b.r.confirmed[9] = b.r.status[9] = 0;
        b.act[1] = b.r.confirmed[1] = 1;
        b.r.snap.evap_flow_m3s = 0.005;
        (void)unit(&b, 1000, 1, 1, 1);
        assert_false(unit(&b, 5000, 1, 1, 0));
        rig_close(&b.r);
}

/* Nor one beside another that goes, though that one was ordered only and did not run. */
static void test_relief_beside_a_start_given_up(void **state)
{
        struct bench b;

        (void)state;
        open_three(&b);
        b.r.u[9].fast = 1;
        take_bench(&b);
        b.r.snap.slow_step = false; /* the third one can stop for water only */
        b.r.status[9] = 0;
        b.r.snap.evap_flow_m3s = 0.021;
        (void)unit(&b, 1000, 1, 1, 1);
        assert_true(unit(&b, 5000, 1, 1, 0));
        b.act[9] = 0;
        assert_true(unit(&b, 5000, 1, 1, 1)); /* the start is given up: the first one carries the load */
        assert_false(unit(&b, 5000, 1, 1, 0));
        rig_close(&b.r);
}

/* A machine seen to run moves its newest start, whatever the place of that: the older ones stay as they are. */
static void test_the_start_that_was_awaited_is_the_newest(void **state)
{
        enum { J = 10 };
        double buf[1 + (J + 1) * SAFETY_STATE_PER_U], *u = buf + 1 + J * SAFETY_STATE_PER_U;

        (void)state;
        for (size_t at = 0; at < SAFETY_STARTS_MAX; at++) {
                struct bench b;

                open_units(&b, 2);
                memset(buf, 0, sizeof(buf));
                buf[0] = u[0] = u[1] = 1; /* ordered on 100 s ago, not seen to run */
                u[4] = 100;
                u[5] = 4000;
                for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                        u[6 + i] = i == at ? 100 : 5000;
                verify_restore(b.v, 10000, 0, buf, sizeof(buf) / sizeof(buf[0]));
                (void)unit(&b, 10030, 1, 1, 1);
                assert_false(unit(&b, 10329, 1, 1, 0)); /* on since it was seen */
                assert_true(unit(&b, 10330, 1, 1, 0));  /* one of two is left */
                (void)unit(&b, 10400, 0, 0, 0);
                (void)unit(&b, 11000, 1, 1, 1);
                assert_false(unit(&b, 13629, 1, 1, 0)); /* the hour from 10030 */
                assert_true(unit(&b, 13630, 1, 1, 0));
                rig_close(&b.r);
        }
}

/* What is restored: ages of order, status and starts; damaged ones count as never seen. */
static void test_restored_units(void **state)
{
        enum { J = 10 }; /* the last variable of the rig */
        struct bench b;
        double buf[1 + (J + 1) * SAFETY_STATE_PER_U], *u = buf + 1 + J * SAFETY_STATE_PER_U;
        const size_t n = sizeof(buf) / sizeof(buf[0]);

        (void)state;
        for (unsigned kind = 0; kind < 7; kind++) {
                open_units(&b, 2);
                assert_int_equal(b.r.nu, J + 1);
                memset(buf, 0, sizeof(buf));
                buf[0] = 1;
                u[0] = u[1] = 1; /* seen, ordered on 200 s ago, started 100 s ago, not seen to run */
                u[4] = kind == 4 ? 0 : 200;
                u[5] = kind == 0 ? 0 : 4000;
                for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                        u[6 + i] = i == 0 ? 100 : -1;
                if (kind == 1)
                        u[0] = 0;
                if (kind == 2)
                        u[4] = (double)NAN;
                if (kind == 3) { /* off, since when is not known */
                        u[1] = 0;
                        u[5] = (double)NAN;
                }
                if (kind == 4)
                        u[3] = 1; /* it was seen to run since: what comes now is another start */
                if (kind == 5)
                        buf[0] = 2;
                if (kind == 6) { /* ordered off, last started 100 s ago */
                        u[1] = 0;
                        u[5] = 500;
                }
                if (kind != 5) /* nothing is left of what was seen before */
                        (void)unit(&b, 9000, 1, 1, 1);
                verify_restore(b.v, 10000, 50, buf, n);
                if (kind == 6) {
                        assert_false(unit(&b, 10049, 0, 0, 1));
                        assert_true(unit(&b, 10050, 0, 0, 1)); /* off for 550 + 50 s */
                } else if (kind == 0 || kind == 4) {
                        assert_true(unit(&b, 10010, 1, 0, 1));
                        if (kind == 0) /* 200 + 50 + 50 s on */
                                assert_true(!unit(&b, 10049, 1, 0, 0) && unit(&b, 10050, 1, 0, 0));
                        (void)unit(&b, 10100, 1, 1, 1);
                        assert_false(unit(&b, 10399, 1, 1, 0));                /* 300 s from where it was seen */
                        assert_int_equal(unit(&b, 10400, 1, 1, 0), kind == 0); /* one start of two, or both */
                } else if (kind == 3) {
                        (void)unit(&b, 10010, 0, 0, 0);
                        assert_false(unit(&b, 10609, 0, 0, 1)); /* timers from now on */
                        assert_true(unit(&b, 10610, 0, 0, 1));
                } else {
                        (void)unit(&b, 10010, 1, 0, 1);
                        assert_false(unit(&b, 10309, 1, 0, 0));
                        assert_true(unit(&b, 10310, 1, 0, 0));
                }
                rig_close(&b.r);
        }
        open_units(&b, 2);
        u[1] = u[4] = 0; /* off for long, started 3000 and 100 s ago */
        u[5] = 4000;
        u[6] = 3000;
        u[7] = 100;
        verify_restore(b.v, 10000, 50, buf, n);
        (void)unit(&b, 10010, 0, 0, 0);
        assert_false(unit(&b, 10549, 0, 0, 1));
        assert_true(unit(&b, 10550, 0, 0, 1));
        rig_close(&b.r);
        open_units(&b, 2);
        u[7] = 0; /* one just when it was saved */
        verify_restore(b.v, 10000, 50, buf, n);
        (void)unit(&b, 10010, 0, 0, 0);
        assert_false(unit(&b, 10549, 0, 0, 1));
        assert_true(unit(&b, 10550, 0, 0, 1));
        (void)unit(&b, 10600, 0, 1, 0); /* ordered off, no start was awaited: it comes on by itself, and that is one */
        (void)unit(&b, 10630, 1, 1, 1);
        assert_false(unit(&b, 13549, 1, 1, 0)); /* the hour from 9950 */
        assert_true(unit(&b, 13550, 1, 1, 0));
        rig_close(&b.r);
        open_units(&b, 2);
        verify_restore(b.v, 10000, 50, buf, n - 1); /* another shape */
        (void)unit(&b, 10010, 0, 0, 0);
        assert_false(unit(&b, 10609, 0, 0, 1));
        assert_true(unit(&b, 10610, 0, 0, 1));
        rig_close(&b.r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_units),
            cmocka_unit_test(test_a_start_counts_from_where_it_was_seen),
            cmocka_unit_test(test_one_start_left_when_first_seen),
            cmocka_unit_test(test_read_back_of_a_unit),
            cmocka_unit_test(test_a_stop_counts_from_the_later_of_both),
            cmocka_unit_test(test_no_start_left),
            cmocka_unit_test(test_clock_goes_back),
            cmocka_unit_test(test_when_a_unit_may_stop),
            cmocka_unit_test(test_the_start_that_was_awaited_is_the_newest),
            cmocka_unit_test(test_first_variable_is_a_unit),
            cmocka_unit_test(test_capacity_to_the_last_bit),
            cmocka_unit_test(test_changing_water_beside_a_unit),
            cmocka_unit_test(test_first_variable_is_restored),
            cmocka_unit_test(test_relief_by_machines_only),
            cmocka_unit_test(test_relief_beside_a_start_given_up),
            cmocka_unit_test(test_restored_units),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
