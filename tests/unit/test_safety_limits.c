/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "tests/unit/test_safety_common.h"

#include <errno.h>

static struct safety_u sat(void)
{
        return (struct safety_u){
            .safe_dir = -1, .lo = 16, .hi = 24, .step = 0.5, .rate = 0.5, .backup_rate = 1, .nominal = 18, .fast = 1};
}

static double move(const struct safety_u *u, double base, double want, enum decision_reason *why)
{
        *why = DR_ACCEPTED;
        return limits_move(u, base, want, true, false, why);
}

static void test_quantise_rounds_toward_more_cooling(void **state)
{
        struct safety_u u = sat();

        (void)state;
        assert_true(limits_quantise(&u, 20.49, 0) == 20);
        assert_true(limits_quantise(&u, 20.5, 0) == 20.5);
        assert_true(limits_quantise(&u, 20.4999, 0) == 20.5); /* read-back noise */
        u.safe_dir = 1;
        assert_true(limits_quantise(&u, 20.01, 0) == 20.5);
        assert_true(limits_quantise(&u, 20.0001, 0) == 20);
        u.safe_dir = 0; /* toward the base */
        assert_true(limits_quantise(&u, 20.2, 23) == 20.5);
        assert_true(limits_quantise(&u, 20.2, 18) == 20);
        u.step = 0;
        assert_true(limits_quantise(&u, 20.123, 0) == 20.123);
        assert_true(limits_quantise(&u, 99, 0) == 24);
        assert_true(limits_quantise(&u, (double)NAN, 0) == 16);
        u = sat(); /* bounds off the grid: the grid ends inside */
        u.lo = 16.2;
        u.hi = 23.8;
        assert_true(limits_side(&u, 16.4) == -1 && limits_side(&u, 16.5) == 0);
        assert_true(limits_side(&u, 23.6) == 1 && limits_side(&u, 23.5) == 0);
        assert_true(limits_quantise(&u, 0, 20) == 16.5);
        assert_true(limits_full(&u, 20) == 16.5);
        u.safe_dir = 1;
        assert_true(limits_full(&u, 20) == 23.5);
}

/* A base beyond the box is one more permitted value, where it is not less cooling than the box. */
static void test_base_beyond_the_box(void **state)
{
        struct safety_u u = sat();
        enum decision_reason why;

        (void)state;
        assert_true(limits_beyond(&u, 15.99) && !limits_beyond(&u, 16) && !limits_beyond(&u, 25));
        assert_false(limits_beyond(&u, 15.9998)); /* read-back noise */
        assert_true(limits_quantise(&u, 15.9, 15.7) == 15.7);
        assert_true(limits_quantise(&u, 12, 15.7) == 15.7);
        assert_true(limits_quantise(&u, 16, 15.7) == 16);
        assert_true(limits_quantise(&u, 12, 30) == 16);
        assert_true(limits_full(&u, 12) == 12 && limits_full(&u, 30) == 16 && limits_ramp(&u, 12) == 12);
        assert_true(move(&u, 15.5, 20, &why) == 16 && why == DR_RATE);
        assert_true(move(&u, 15.5, 16, &why) == 16 && why == DR_ACCEPTED);
        assert_true(move(&u, 15.4, 16, &why) == 15.4 && why == DR_LIMIT);
        assert_true(move(&u, 15.4, 15.4, &why) == 15.4 && why == DR_ACCEPTED);
        assert_true(move(&u, 15.7, 10, &why) == 15.7 && why == DR_LIMIT);
        assert_true(move(&u, 30, 30, &why) == 24 && why == DR_LIMIT);
        assert_true(move(&u, 30, 20, &why) == 20 && why == DR_ACCEPTED);
        u.safe_dir = 1;
        assert_true(limits_beyond(&u, 24.01) && !limits_beyond(&u, 24) && !limits_beyond(&u, 0));
        assert_true(limits_full(&u, 26) == 26 && limits_full(&u, 0) == 24 && limits_ramp(&u, 26) == 26);
        assert_true(move(&u, 24.5, 16, &why) == 24 && why == DR_RATE);
        assert_true(move(&u, 24.6, 16, &why) == 24.6 && why == DR_LIMIT);
        u.safe_dir = 0;
        assert_true(limits_beyond(&u, 24.01) && limits_beyond(&u, 15.99));
        assert_true(move(&u, 24.6, 16, &why) == 24.6 && move(&u, 24.4, 16, &why) == 24);
        assert_true(move(&u, 15.4, 20, &why) == 15.4 && move(&u, 15.6, 20, &why) == 16);
        u = sat();
        u.step = 0.01;
        u.hi = 0.57; /* 57 · 0.01 is more than 0.57 by a rounding */
        u.lo = u.nominal = 0.3;
        u.safe_dir = 1;
        assert_true(limits_full(&u, 0.4) == 0.57);
        u.lo = u.nominal = 0.56; /* and 0.56 / 0.01 more than 56 */
        u.hi = 1;
        u.safe_dir = -1;
        assert_true(limits_full(&u, 0.7) == 0.56 && limits_side(&u, 0.56) == 0);
}

static void test_both_sides_of_box_and_rate(void **state)
{
        struct safety_u u = sat();
        enum decision_reason why;

        (void)state;
        assert_true(move(&u, 24, 24, &why) == 24 && why == DR_ACCEPTED);
        assert_true(move(&u, 24, 24.001, &why) == 24 && why == DR_LIMIT);
        assert_true(move(&u, 18, 16, &why) == 16 && why == DR_ACCEPTED); /* more cooling: the whole way at once */
        assert_true(move(&u, 18, 15.999, &why) == 16 && why == DR_LIMIT);
        assert_true(move(&u, 18, 18.5, &why) == 18.5 && why == DR_ACCEPTED);
        assert_true(move(&u, 18, 19, &why) == 18.5 && why == DR_RATE);
        assert_true(move(&u, 18, 5e-324, &why) == 16 && why == DR_LIMIT);
        u.lo = 16.2; /* bounds off the grid are inside, and the register has the value next to them */
        u.hi = 23.8;
        assert_true(move(&u, 23.5, 23.8, &why) == 23.5 && why == DR_ACCEPTED);
        assert_true(move(&u, 18, 16.2, &why) == 16.5 && why == DR_ACCEPTED);
        u = sat();
        u.safe_dir = 1; /* the same steps, the other way round */
        assert_true(move(&u, 18, 24, &why) == 24 && why == DR_ACCEPTED);
        assert_true(move(&u, 18, 17.5, &why) == 17.5 && why == DR_ACCEPTED);
        assert_true(move(&u, 18, 17, &why) == 17.5 && why == DR_RATE);
        u.safe_dir = 0;
        assert_true(move(&u, 18, 17, &why) == 17.5 && why == DR_RATE);
        assert_true(move(&u, 18, 19, &why) == 18.5 && why == DR_RATE);
        u.rate = 0;
        assert_true(move(&u, 18, 19, &why) == 18 && why == DR_RATE);
        u = sat(); /* one rate from any value of the grid is one rate, however the difference rounds */
        u.step = 0.1;
        for (int k = 160; k <= 235; k++)
                assert_true(move(&u, k * u.step, (k + 5) * u.step, &why) == (k + 5) * u.step && why == DR_ACCEPTED);
}

static void test_slow_step_and_water(void **state)
{
        struct safety_u u = sat();
        enum decision_reason why = DR_ACCEPTED;

        (void)state;
        u.fast = 0;
        assert_true(limits_move(&u, 18, 18.5, false, false, &why) == 18 && why == DR_SLOW_STEP);
        why = DR_ACCEPTED;
        assert_true(limits_move(&u, 18, 16, false, true, &why) == 16 && why == DR_ACCEPTED);
        assert_true(limits_move(&u, 18, 18.5, true, false, &why) == 18.5 && why == DR_ACCEPTED);
        assert_true(limits_move(&u, 18, 18.5, true, true, &why) == 18 && why == DR_WATER);
        why = DR_ACCEPTED;
        assert_true(limits_move(&u, 18, 18, true, true, &why) == 18 && why == DR_ACCEPTED); /* not warmer */
        why = DR_ACCEPTED;
        u.safe_dir = 1; /* nor is a slow fan */
        assert_true(limits_move(&u, 18, 18.5, true, true, &why) == 18.5 && why == DR_ACCEPTED);
        u.safe_dir = 0; /* condenser water is */
        assert_true(limits_move(&u, 18, 18.5, true, true, &why) == 18 && why == DR_WATER);
        why = DR_ACCEPTED;
        u.safe_dir = -1;
        u.fast = 1; /* supply air is not water */
        assert_true(limits_move(&u, 18, 18.5, true, true, &why) == 18.5 && why == DR_ACCEPTED);
}

/* What is neither more nor less cooling is not less cooling. */
static void test_less_cooling(void **state)
{
        struct safety_u u = sat();

        (void)state;
        assert_true(limits_less_cooling(&u, 19, 18) && !limits_less_cooling(&u, 18, 18) &&
                    !limits_less_cooling(&u, 17, 18));
        assert_true(limits_more_of(&u, 17, 18) == 17 && limits_more_of(&u, 19, 18) == 18);
        u.safe_dir = 1;
        assert_true(limits_less_cooling(&u, 17, 18) && !limits_less_cooling(&u, 18, 18) &&
                    !limits_less_cooling(&u, 19, 18));
        u.safe_dir = 0;
        assert_true(!limits_less_cooling(&u, 17, 18) && !limits_less_cooling(&u, 19, 18));
}

static void test_ramp(void **state)
{
        struct safety_u u = sat();

        (void)state;
        assert_true(limits_ramp(&u, 20) == 19);
        assert_true(limits_ramp(&u, 16.4) == 16);
        u.backup_rate = 0.5;
        assert_true(limits_ramp(&u, 20) == 19.5);
        u.backup_rate = 1;
        u.safe_dir = 1;
        assert_true(limits_ramp(&u, 20) == 21);
        assert_true(limits_ramp(&u, 23.5) == 24);
}

static size_t more_work;
size_t __real_arx_predict_work(const struct arx *m, size_t n);
size_t __wrap_arx_predict_work(const struct arx *m, size_t n);

size_t __wrap_arx_predict_work(const struct arx *m, size_t n)
{
        return __real_arx_predict_work(m, n) + more_work;
}

static void test_create_refuses(void **state)
{
        struct rig r;
        struct safety *s = NULL;
        size_t size;
        void *mem;

        (void)state;
        rig_open(&r, rig_default(), 1);
        size = safety_memsize(&r.env, &r.st);
        mem = rig_alloc(1, size);
        assert_int_equal(safety_create(mem, size - 1, &r.env, r.model, &s), -ENOMEM);
        r.env.ny--;
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -EINVAL);
        r.env.ny += 2; /* more than the model has, so that every certified row exists */
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -EINVAL);
        r.env.ny--;
        r.env.nu--;
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -EINVAL);
        r.env.nu++;
        r.env.nd--;
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -EINVAL);
        r.env.nd++;
        assert_int_equal(safety_create(NULL, size, &r.env, r.model, &s), -ENOMEM);
        more_work = 1000000; /* a model library that needs more than what was set aside for it without seeing it */
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -ENOMEM);
        more_work = 0;
        r.u[0].nominal = (double)NAN;
        assert_int_equal(safety_create(mem, size, &r.env, r.model, &s), -EINVAL);
        assert_null(s);
        free(mem);
        rig_close(&r);
}

static struct safety_u chiller(void)
{
        return (struct safety_u){
            .kind = SAFETY_U_ONOFF, .hi = 1, .min_on_s = 300, .min_off_s = 600, .max_starts_per_h = 3};
}

static void test_automaton_times(void **state)
{
        struct safety_u u = chiller();
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, true, 1, 0); /* nothing known: one start left, timers from now */
        assert_false(equipment_may_stop(&q, &u, 299.9));
        assert_true(equipment_may_stop(&q, &u, 300));
        equipment_observe(&q, &u, false, 0, 400);
        assert_false(equipment_may_start(&q, &u, 999.9));
        assert_true(equipment_may_start(&q, &u, 1000));
        equipment_observe(&q, &u, true, 0, 1000); /* third start in the hour */
        assert_false(equipment_may_stop(&q, &u, 1400));
        equipment_observe(&q, &u, false, 0, 1400); /* it stopped by itself */
        assert_false(equipment_may_start(&q, &u, 3599.9));
        assert_true(equipment_may_start(&q, &u, 3600)); /* the two assumed starts have left the window */
        equipment_observe(&q, &u, false, 1, 3700);      /* local start without a command counts */
        assert_true(q.running && q.on_s == 3700);
        equipment_observe(&q, &u, false, 1, 3600); /* clock went back: conservative */
        assert_true(q.on_s == 3600);
        equipment_observe(&q, &u, false, 0, 5000); /* off, and then the clock goes back */
        equipment_observe(&q, &u, false, 0, 4500);
        assert_true(q.off_s == 4500);
}

/* One that is fixed has no other state, whatever its timers say; one that is ordered on needs no start. */
static void test_automaton_of_a_fixed_unit(void **state)
{
        struct safety_u u = chiller();
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, true, 1, 0);
        assert_true(equipment_may_start(&q, &u, 1)); /* it is on: though its one start is just made */
        assert_true(equipment_may_stop(&q, &u, 9000));
        u.lo = 1;
        assert_false(equipment_may_stop(&q, &u, 9000));
        u.lo = u.hi = 0;
        assert_false(equipment_may_start(&q, &u, 9000));
}

/* First seen: one start is left in this hour, however many the machine may make. */
static void test_one_start_left_when_first_seen(void **state)
{
        struct safety_u u = chiller();

        (void)state;
        u.min_on_s = u.min_off_s = 0;
        for (unsigned n = 1; n <= SAFETY_STARTS_MAX; n++) {
                struct equipment q;

                u.max_starts_per_h = n;
                equipment_reset(&q);
                equipment_observe(&q, &u, false, 0, 1000);
                assert_true(equipment_may_start(&q, &u, 1000));
                equipment_observe(&q, &u, true, 1, 1100);
                equipment_observe(&q, &u, false, 0, 1200);
                assert_false(equipment_may_start(&q, &u, n > 1 ? 4599.9 : 4699.9));
                assert_true(equipment_may_start(&q, &u, n > 1 ? 4600 : 4700));
        }
}

/* The order and what the machine does are apart by its own timers and by a scan: the later of the two counts. */
static void test_automaton_counts_from_what_the_machine_did(void **state)
{
        struct safety_u u = chiller();
        struct equipment q;

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, true, 1, 0);
        equipment_observe(&q, &u, false, 1, 4000); /* ordered off, still reported running */
        assert_false(equipment_may_start(&q, &u, 4030));
        equipment_observe(&q, &u, false, 0, 4090); /* seen off */
        assert_false(equipment_may_start(&q, &u, 4689.9));
        assert_true(equipment_may_start(&q, &u, 4690));
        equipment_observe(&q, &u, true, 0, 4690); /* ordered on; it waits for its own timer */
        equipment_observe(&q, &u, true, 255, 4700);
        assert_false(equipment_may_stop(&q, &u, 4989.9));
        assert_true(equipment_may_stop(&q, &u, 4990));
        equipment_observe(&q, &u, true, 1, 4850); /* seen to run */
        assert_false(equipment_may_stop(&q, &u, 5149.9));
        assert_true(equipment_may_stop(&q, &u, 5150));
        equipment_observe(&q, &u, true, 255, 5200); /* not known for once: as before */
        equipment_observe(&q, &u, true, 1, 5230);
        assert_true(equipment_may_stop(&q, &u, 5230));
        equipment_observe(&q, &u, true, 0, 6000); /* it stops by itself and comes back: a start of its own */
        equipment_observe(&q, &u, true, 1, 6100);
        assert_false(equipment_may_stop(&q, &u, 6399.9));
        equipment_observe(&q, &u, true, 0, 7000);
        equipment_observe(&q, &u, true, 1, 7100);
        assert_false(equipment_may_stop(&q, &u, 8449.9)); /* 4850, 6100, 7100: three in the hour */
        assert_true(equipment_may_stop(&q, &u, 8450));    /* the first counted from where it was seen to run */
}

/* Its status is lost while it runs: what it did since its order off nobody knows, so an order on is a start, once. */
static void test_a_start_that_nobody_hears(void **state)
{
        struct safety_u u = chiller();

        (void)state;
        u.min_off_s = 0;
        u.max_starts_per_h = 1;
        for (int k = 0; k < 5; k++) {
                static const uint8_t before[] = {1, 255, 1, 255, 0}, after[] = {1, 1, 255, 255, 1};
                struct equipment q;

                equipment_reset(&q);
                equipment_observe(&q, &u, true, 1, 0);
                equipment_observe(&q, &u, false, before[k], 4000);
                assert_true(equipment_may_start(&q, &u, 4030));
                equipment_observe(&q, &u, true, after[k], 4030);
                /* only what reported running before and after has not stopped between */
                assert_int_equal(equipment_may_stop(&q, &u, 4400), k == 0);
                equipment_observe(&q, &u, true, 255, 4060);
                equipment_observe(&q, &u, true, 1, 4090); /* heard again: not another one, but it may have waited */
                equipment_observe(&q, &u, true, 1, 4120);
                assert_int_equal(equipment_may_stop(&q, &u, after[k] == 1 ? 7629.9 : 7689.9), k == 0);
                assert_true(equipment_may_stop(&q, &u, after[k] == 1 ? 7630 : 7690));
        }
}

/* The same through the filter and the second checker: back on at once after an order off is not an order they pass. */
static void test_no_restart_while_the_stop_is_under_way(void **state)
{
        struct rig r;
        size_t k;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        k = r.nu - 1;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.confirmed[k] = r.prop[k] = 0; /* ordered off by the decision before; the status still says running */
        r.status[k] = 1;
        (void)rig_decide(&r);
        r.prop[k] = 1;
        assert_true(rig_action(rig_decide(&r))[k] == 0);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, (int)k);
        r.status[k] = 0;
        assert_true(rig_action(rig_decide(&r))[k] == 0);
        r.snap.mono_s += 530;
        assert_true(rig_action(rig_decide(&r))[k] == 0);
        r.snap.mono_s += 60;
        assert_true(rig_action(rig_decide(&r))[k] == 1);
        rig_close(&r);
}

static void test_state_survives_restart(void **state)
{
        struct rig r;
        double buf[512];
        size_t n;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        r.snap.mono_s = 5000;
        (void)rig_decide(&r); /* at 5030, both on */
        r.confirmed[r.nu - 1] = r.prop[r.nu - 1] = 0;
        r.status[r.nu - 1] = 0;
        (void)rig_decide(&r); /* 5060: seen off */
        n = safety_state_save(r.s, 5090, NULL, 0);
        buf[0] = 77;
        assert_true(safety_state_save(r.s, 5090, buf, n - 1) == n && buf[0] == 77); /* too small: nothing is written */
        buf[n] = 78;
        buf[1] = buf[7] = 79; /* variable 0 has no automaton: never seen, no start */
        assert_true(safety_state_save(r.s, 5090, buf, n) == n && buf[0] == 1 && buf[n] == 78);
        assert_true(buf[1] == 0 && buf[7] == -1);
        rig_create(&r); /* a new process, whose clock starts elsewhere, 200 s later */
        safety_state_restore(r.s, 10, 200, buf, n);
        r.snap.mono_s = 10 + 600 - 230 - 30 - 30.1; /* the next decision is 30 s on, 0.1 s early */
        r.prop[r.nu - 1] = 1;
        r.snap.mono_s += 30;
        act = rig_action(rig_decide(&r));
        assert_true(act[r.nu - 1] == 0);
        r.snap.mono_s = 10 + 600 - 230 - 30;
        act = rig_action(rig_decide(&r));
        assert_true(act[r.nu - 1] == 1);
        /* another shape, another version: the conservative start */
        rig_create(&r);
        safety_state_restore(r.s, 10, 1e9, buf, n - 1);
        r.snap.mono_s = 10;
        act = rig_action(rig_decide(&r));
        assert_true(act[r.nu - 1] == 0 && decision_reason(&r.s->decision) == DR_EQUIPMENT);
        buf[0] = 2;
        rig_create(&r);
        safety_state_restore(r.s, 10, 1e9, buf, n);
        act = rig_action(rig_decide(&r));
        assert_true(act[r.nu - 1] == 0 && decision_reason(&r.s->decision) == DR_EQUIPMENT);
        rig_close(&r);
}

/* Start times survive as ages: three starts spread over the hour, restarts in between. */
static void test_starts_survive_restart(void **state)
{
        struct safety_u u = chiller();
        struct equipment q, p;
        double buf[SAFETY_STATE_PER_U];
        (void)state;
        u.min_on_s = u.min_off_s = 0;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0); /* two starts assumed at 0 */
        equipment_save(&q, 3599.5, buf);
        assert_true(buf[6 + SAFETY_STARTS_MAX - 1] == 3599.5 &&
                    buf[6 + SAFETY_STARTS_MAX - 3] == -1); /* oldest first */
        equipment_save(&q, 3600, buf);
        assert_true(buf[6 + SAFETY_STARTS_MAX - 1] == -1);
        equipment_observe(&q, &u, true, 0, 4000);
        equipment_observe(&q, &u, false, 0, 4100);
        equipment_observe(&q, &u, true, 0, 5000);
        equipment_observe(&q, &u, false, 0, 5100);
        equipment_observe(&q, &u, true, 0, 6000);
        equipment_observe(&q, &u, false, 0, 6100);
        equipment_save(&q, 6200, buf);
        equipment_restore(&p, 50, 100, buf); /* 6300 on the old clock is 50 on the new one */
        assert_false(equipment_may_start(&p, &u, 50 + 7599.9 - 6300));
        assert_true(equipment_may_start(&p, &u, 50 + 7600 - 6300)); /* the one at 4000 is an hour old */
        equipment_observe(&p, &u, true, 0, 50 + 7600 - 6300);
        equipment_observe(&p, &u, false, 0, 50 + 7700 - 6300);
        assert_false(equipment_may_start(&p, &u, 50 + 8599.9 - 6300));
        assert_true(equipment_may_start(&p, &u, 50 + 8600 - 6300));
        equipment_observe(&q, &u, true, 0,
                          7000); /* and one that waits for its machine: the newest, after a restart too */
        equipment_save(&q, 7100, buf);
        equipment_restore(&p, 7100, 0, buf);
        u.max_starts_per_h = 4;
        equipment_observe(&p, &u, true, 1, 7200); /* 4000, 5000, 6000 and, now, 7200 */
        assert_false(equipment_may_stop(&p, &u, 7599.9));
        assert_true(equipment_may_stop(&p, &u, 7600));
        u.max_starts_per_h = 1;
        assert_false(equipment_may_stop(&p, &u, 10799.9));
        assert_true(equipment_may_stop(&p, &u, 10800));
        u.max_starts_per_h = 3;
        buf[4] = (double)NAN; /* damaged: as never seen */
        equipment_restore(&p, 50, 100, buf);
        assert_false(p.seen);
        buf[4] = 0;
        buf[5] = -1;
        equipment_restore(&p, 50, 100, buf);
        assert_false(p.seen);
        buf[5] = 0;
        equipment_restore(&p, 50, 100, buf);
        assert_true(p.seen);
}

/* One that ran when it was saved and runs now has not started in between. */
static void test_running_survives_restart(void **state)
{
        struct safety_u u = chiller();
        struct equipment q, p;
        double buf[SAFETY_STATE_PER_U];

        (void)state;
        equipment_reset(&q);
        equipment_observe(&q, &u, false, 0, 0);
        equipment_observe(&q, &u, true, 1, 600);
        equipment_save(&q, 4000, buf);
        equipment_restore(&p, 50, 100, buf);
        assert_true(p.running && p.commanded && p.proved && p.on_s == 50 - 3500 && p.off_s == 50 - 4100);
        equipment_observe(&p, &u, true, 1, 60);
        assert_true(p.on_s == 50 - 3500 && equipment_may_stop(&p, &u, 60));
}

static void test_capacity_before_anything_stops(void **state)
{
        struct rig r;
        size_t a, b;
        const double *act;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        a = r.nu - 2;
        b = r.nu - 1;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[b] = 0;
        r.snap.cooling_load_w = 100e3 / 1.15 + 1;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, (int)b);
        r.snap.cooling_load_w = (double)NAN;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        r.snap.cooling_load_w = 100e3 / 1.15 - 1;
        r.status[a] = 0; /* the other one is enabled and does not run */
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        r.status[a] = 255;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        r.status[a] = 1;
        r.snap.slow_step = false;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_SLOW_STEP);
        r.snap.slow_step = true;
        act = rig_action(rig_decide(&r));
        assert_true(act[b] == 0 && act[a] == 1);
        r.prop[a] = 0; /* both at once: the first may go, the last never */
        act = rig_action(rig_decide(&r));
        assert_true(act[a] + act[b] == 1);
        r.prop[a] = 1;
        r.prop[b] = 0.01; /* rounding goes toward more cooling */
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        r.prop[b] = 0;
        r.confirmed[a] = 0; /* the other one still runs, but was ordered off */
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        r.confirmed[a] = 1;
        r.prop[a] = 0; /* the same with the other first */
        r.prop[b] = 1;
        r.confirmed[b] = 0;
        assert_true(rig_action(rig_decide(&r))[a] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        r.confirmed[b] = r.prop[a] = 1;
        r.prop[b] = 0;
        (void)rig_decide(&r);
        r.snap.mono_s += 4000;
        r.snap.cooling_load_w = 0;
        assert_true(rig_action(rig_decide(&r))[b] == 0);
        r.snap.onoff_status = NULL; /* nobody is seen to run: nobody carries a load */
        r.snap.cooling_load_w = 1;
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[b] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        r.snap.cooling_load_w = 0; /* nor the last one for want of it: the meters may be wrong */
        assert_true(rig_action(safety_filter(r.s, &r.snap, &r.p))[b] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        rig_close(&r);
}

/* Every unit but the one that stops counts, whatever its place. */
static void test_capacity_of_every_place(void **state)
{
        struct safety_u u[3];
        struct equipment q[3];
        const struct safety_envelope e = {.nu = 3, .u = u, .capacity_margin = 0.15};
        const double base[3] = {1, 1, 1};
        const uint8_t status[3] = {1, 1, 1};
        struct safety_snapshot snap = {.mono_s = 4000, .slow_step = true, .onoff_status = status};

        (void)state;
        for (size_t stop = 0; stop < 3; stop++) {
                for (int heavy = 0; heavy < 2; heavy++) {
                        double want[3] = {1, 1, 1}, act[3], carried_w = 0;
                        enum decision_reason why = DR_ACCEPTED;
                        int binding = -1;

                        for (size_t k = 0; k < 3; k++) {
                                u[k] = chiller();
                                u[k].capacity_w =
                                    (stop == 0 ? 1e5 : 0.2) * (double)(1 + k); /* anything is enough of nothing */
                                equipment_reset(&q[k]);
                                equipment_observe(&q[k], &u[k], true, 1, 0);
                                carried_w += k == stop ? 0 : u[k].capacity_w;
                        }
                        want[stop] = 0;
                        snap.cooling_load_w = carried_w / 1.15 * (heavy ? 1.001 : 0.999);
                        equipment_move(&e, q, &snap, base, want, act, &why, &binding);
                        assert_true(act[stop] == heavy && why == (heavy ? DR_EQUIPMENT : DR_ACCEPTED));
                        assert_int_equal(binding, heavy ? (int)stop : -1);
                }
        }
}

/* A fast unit may stop in any step. The variable that was cut first is named, the unit's reason is told. */
static void test_fast_unit_and_what_is_named(void **state)
{
        struct rig r;
        size_t b;

        (void)state;
        rig_open(&r, rig_default(), 1);
        b = r.nu - 1;
        r.u[b].fast = 1;
        rig_create(&r);
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.snap.slow_step = false;
        r.prop[b] = 0;
        assert_true(rig_action(rig_decide(&r))[b] == 0);
        assert_int_equal(decision_kind(&r.s->decision), DECISION_ACCEPT);
        r.prop[0] = 20; /* half a kelvin a step */
        r.snap.cooling_load_w = 100e3;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        assert_int_equal(decision_reason(&r.s->decision), DR_EQUIPMENT);
        assert_int_equal(decision_certificate(&r.s->decision)->binding_u, 0);
        rig_close(&r);
}

/* A hold keeps the last decision, but not of a unit that someone else has switched and holds. */
static void test_hold_beside_a_unit_held_by_others(void **state)
{
        struct rig r;
        uint8_t fixed[16] = {0};
        size_t b;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        b = r.nu - 1;
        r.snap.mono_s = 0;
        (void)rig_decide(&r);
        r.snap.mono_s = 4000;
        r.prop[b] = 0;
        assert_true(rig_action(rig_decide(&r))[b] == 0);
        r.snap.mono_s = 9000; /* it stays on: local */
        r.snap.u_fixed = fixed;
        fixed[b] = 1;
        r.p.present = false;
        assert_true(rig_action(rig_decide(&r))[b] == 1);
        assert_int_equal(decision_kind(&r.s->decision), DECISION_HOLD);
        assert_true(decision_certificate(&r.s->decision)->verified);
        rig_close(&r);
}

/* Ages that no clock gives count as no time passed. */
static void test_restored_after_an_unknown_time(void **state)
{
        static const double elapsed_s[] = {-500, (double)INFINITY, (double)NAN, 0};
        struct rig r;
        double buf[512];
        size_t n;

        (void)state;
        rig_open(&r, rig_default(), 1);
        rig_create(&r);
        r.confirmed[r.nu - 1] = r.prop[r.nu - 1] = r.status[r.nu - 1] = 0;
        (void)rig_decide(&r); /* at 30: seen off */
        r.prop[r.nu - 1] = 1;
        n = safety_state_save(r.s, 130, buf, 512);
        for (size_t k = 0; k < sizeof(elapsed_s) / sizeof(elapsed_s[0]); k++) {
                rig_create(&r);
                safety_state_restore(r.s, 1000, elapsed_s[k], buf, n);
                r.snap.mono_s = 1499.9 - 30;
                assert_true(rig_action(rig_decide(&r))[r.nu - 1] == 0);
                assert_true(rig_action(rig_decide(&r))[r.nu - 1] == 1);
                assert_true(decision_certificate(&r.s->decision)->verified);
        }
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_quantise_rounds_toward_more_cooling),
            cmocka_unit_test(test_base_beyond_the_box),
            cmocka_unit_test(test_both_sides_of_box_and_rate),
            cmocka_unit_test(test_slow_step_and_water),
            cmocka_unit_test(test_less_cooling),
            cmocka_unit_test(test_ramp),
            cmocka_unit_test(test_create_refuses),
            cmocka_unit_test(test_automaton_times),
            cmocka_unit_test(test_one_start_left_when_first_seen),
            cmocka_unit_test(test_automaton_counts_from_what_the_machine_did),
            cmocka_unit_test(test_a_start_that_nobody_hears),
            cmocka_unit_test(test_no_restart_while_the_stop_is_under_way),
            cmocka_unit_test(test_state_survives_restart),
            cmocka_unit_test(test_starts_survive_restart),
            cmocka_unit_test(test_automaton_of_a_fixed_unit),
            cmocka_unit_test(test_running_survives_restart),
            cmocka_unit_test(test_capacity_before_anything_stops),
            cmocka_unit_test(test_capacity_of_every_place),
            cmocka_unit_test(test_fast_unit_and_what_is_named),
            cmocka_unit_test(test_hold_beside_a_unit_held_by_others),
            cmocka_unit_test(test_restored_after_an_unknown_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
