/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Who may write what and when: take-over, operators, refusals, writes under way; and what is kept of it. What happens
 * while the store fails: test_gate_outage.c. */
#include "tests/unit/gate_rig_store.h"

#include <errno.h>

#include "agent/gate/actuate_internal.h"
#include "agent/gate/gate_internal.h"
#include "agent/gate/latch.h"

static const char *why_fixed(const struct rig *r, const char *tail)
{
        size_t pt;

        for (size_t j = 0; j < r->gate->layout->nu; j++) {
                const char *why = gate_fixed(r->gate, j, &pt);

                if ((int)pt == point(r, tail))
                        return why ? why : "";
        }
        return "no such variable";
}

static void test_takes_over_once_the_echo_follows(void **state)
{
        struct rig *r = rig_site();
        int enable = point(r, "bms/remote");

        (void)state;
        r->value[enable] = r->value[point(r, "bms/remote_status")] = 0;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 2, 1.0);
        assert_int_equal(last_write(r, 0, enable), -1); /* the first beat is out, its echo not seen */
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "heartbeat not echoed");
        steps(r, 20, 1.0);
        assert_true(last_write(r, 0, enable) >= 0);
        assert_int_equal(last_write(r, (size_t)last_write(r, 0, enable) + 1, enable), -1);
        for (size_t i = 0; i < (size_t)last_write(r, 0, enable); i++)
                assert_int_not_equal(r->write[i].point, enable); /* set once */
        assert_true(r->value[point(r, "crac-west/fan_speed_sp")] == 1.0);
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "");
        rig_free(r);
}

/* Only a counter that was sent lately is an echo: no constant, however large, passes for one. */
static void test_only_our_own_counter_is_an_echo(void **state)
{
        static const double stuck[] = {65535, 40000, 30001, -1, -32768, 0, 0.5};
        struct rig *r = rig_new(true);
        int echo = point(r, "bms/heartbeat_echo");
        double may_lag = 2 + ceil((double)r->site->device[r->site->point[echo].device].period_ms / STEP_MS);

        (void)state;
        for (size_t k = 0; k < sizeof stuck / sizeof stuck[0]; k++) {
                steps(r, 12, (double)NAN);
                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "");
                for (int i = 0; i < 4; i++) {
                        r->value[echo] = stuck[k];
                        steps(r, 1, (double)NAN);
                }
                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "heartbeat not echoed");
        }
        for (int late = 0; late < 2; late++) /* both sides of the lag, over the counter's end */
                for (int i = 0; i < 6; i++) {
                        int beat;

                        if (i == 0) {
                                steps(r, 12, (double)NAN);
                                r->gate->actuate->beat = 29998;
                        }
                        beat = r->gate->actuate->beat;
                        r->value[echo] = (beat - 1 - (int)may_lag - late + 30000) % 30000 + 1;
                        steps(r, 1, (double)NAN);
                        if (i > 3)
                                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"),
                                                    late ? "heartbeat not echoed" : "");
                }
        rig_free(r);
}

/* A device that hears us but of which we can move nothing must not stay at our last setpoint for ever. */
enum hindered { DEAD_ECHO, UNREADABLE, REFUSED, DEAD_ECHO_STUBBORN, HINDERED_COUNT_ };

static void hindered_step(struct rig *r, enum hindered how, double fan, size_t *beats_while_held)
{
        int echo = point(r, "bms/heartbeat_echo"), cmd = point(r, "bms/heartbeat"), enable = point(r, "bms/remote"),
            status_pt = point(r, "bms/remote_status");
        struct ipc_proposal p;
        size_t before = r->nwrite;
        bool held = r->value[enable] != 0;

        if (how == DEAD_ECHO || how == DEAD_ECHO_STUBBORN)
                r->value[echo] = 7;
        for (size_t j = 0; how == UNREADABLE && j < r->gate->layout->nu; j++)
                r->value[r->gate->layout->u[j].point] = (double)NAN;
        advance(r, ROLE_NONE), proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (p.u[j] <= 1)
                        p.u[j] = fan;
        gate_step_end(r->gate, &p, false);
        if (how == DEAD_ECHO_STUBBORN)
                r->value[enable] = r->value[status_pt] = 1;
        *beats_while_held += held && last_write(r, before, cmd) >= 0;
        for (; r->done < r->nwrite; r->done++) {
                struct write_request *w = &r->write[r->done];
                bool ours = supervises(r, r->done);
                enum write_result result = how == REFUSED && !ours                                     ? WRITE_MISMATCH
                                           : how == DEAD_ECHO_STUBBORN && w->point == (uint32_t)enable ? WRITE_MISMATCH
                                                                                                       : WRITE_ACCEPTED;

                if (how == REFUSED && !ours)
                        r->value[w->point] = r->site->point[w->point].role == ROLE_FAN_CMD ? 0.9 : 17.8;
                gate_write_done(r->gate, &(struct write_outcome){.id = w->id,
                                                                 .point = w->point,
                                                                 .result = result,
                                                                 .written = w->value,
                                                                 .read_back = w->value,
                                                                 .t_ms = clk_t_ms(&r->clk)});
        }
}

static void test_what_cannot_be_moved_is_let_go(void **state)
{
        (void)state;
        for (enum hindered how = 0; how < HINDERED_COUNT_; how++) {
                struct rig *r = rig_new(true);
                int enable = point(r, "bms/remote"), fan = point(r, "crac-west/fan_speed_sp");
                size_t before, beats = 0, clears = 0;

                steps(r, 40, (double)NAN);
                before = r->nwrite;
                for (size_t i = 0; i < r->site->npoint; i++)
                        if (r->site->point[i].role == ROLE_INLET_TEMP)
                                r->value[i] = 36;
                for (int i = 0; i < 60; i++)
                        hindered_step(r, how, 0.5, &beats);
                for (size_t i = before; i < r->nwrite; i++)
                        if (r->write[i].point == (uint32_t)enable) {
                                assert_true(r->write[i].value == 0);
                                clears++;
                        }
                /* the watchdog's 60 s, and what it takes to see that the echo is dead or the writes are refused */
                assert_in_range(beats, 6, 12);
                assert_int_equal(logged(r, "for longer than its watchdog; let go"), 1);
                assert_int_equal(logged(r, "taken local at the plant"), 0);
                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"),
                                    how == UNREADABLE ? "unreadable"
                                                      : "let go, because nothing of the device could be moved");
                if (how == DEAD_ECHO_STUBBORN) { /* keeps its enable: told again now and then, never beaten */
                        assert_in_range(clears, 2, 9);
                        rig_free(r);
                        continue;
                }
                assert_int_equal(clears, 1);
                assert_true(r->value[enable] == 0);
                for (size_t j = 0; j < r->gate->layout->nu; j++) /* its own controls */
                        r->value[r->gate->layout->u[j].point] =
                            r->site->point[r->gate->layout->u[j].point].role == ROLE_FAN_CMD ? 0.9 : 17.8;
                before = r->nwrite;
                steps(r, how == REFUSED ? 60 : 12, 1.0); /* one that refuses is left alone for half an hour */
                assert_true((last_write(r, before, enable) >= 0) == (how != REFUSED));
                steps(r, 120, 1.0);
                assert_int_equal(logged(r, "can be moved again; it is taken again"), 1);
                assert_true(last_write(r, before, enable) >= 0 && r->value[enable] == 1);
                assert_true(last_write(r, before, fan) >= 0 && r->value[fan] == 1.0);
                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "");
                rig_free(r);
        }
}

static void test_operator_wins(void **state)
{
        struct rig *r = rig_new(true);
        int enable = point(r, "bms/remote"), status_pt = point(r, "bms/remote_status");
        size_t before;

        (void)state;
        steps(r, 30, (double)NAN); /* past what the start itself explains */
        r->value[enable] = r->value[status_pt] = 0;
        steps(r, 2, 1.0);
        before = r->nwrite;
        steps(r, 100, 1.0);
        assert_int_equal(r->nwrite, before); /* neither remote enable nor setpoints nor heartbeats */
        assert_int_equal(logged(r, "taken local at the plant while"), 1);
        assert_non_null(strstr(why_fixed(r, "crac-west/fan_speed_sp"), "taken local at the plant"));
        r->value[enable] = r->value[status_pt] = 1; /* only a restart re-arms */
        steps(r, 30, 1.0);
        assert_int_equal(r->nwrite, before);
        gate_handback_begin(r->gate, "test");
        gate_release(r->gate);
        assert_int_equal(r->nwrite, before);
        rig_free(r);
}

static void test_taken_again_after_an_outage(void **state)
{
        struct rig *r = rig_new(true);
        int enable = point(r, "bms/remote"), status_pt = point(r, "bms/remote_status");
        size_t before;

        (void)state;
        steps(r, 30, (double)NAN);
        for (int i = 0; i < 12; i++) { /* the device is away, its watchdog ends remote control */
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
                gate_heartbeat(r->gate);
                finish_writes(r, WRITE_TIMED_OUT);
        }
        r->value[enable] = r->value[status_pt] = 0;
        r->value[point(r, "bms/heartbeat_echo")] = 0;
        before = r->nwrite;
        steps(r, 20, 1.0);
        assert_int_equal(logged(r, "taken local at the plant while"), 0);
        assert_true(last_write(r, before, enable) >= 0);
        assert_true(r->value[enable] == 1);
        assert_true(r->value[point(r, "crac-west/fan_speed_sp")] == 1.0);
        rig_free(r);
}

/* M8: restarted between two scans. The echo follows again before anyone saw it stand still; its connection was reset.
 */
static void test_taken_again_after_a_restart(void **state)
{
        struct rig *r = rig_new(true);
        int enable = point(r, "bms/remote"), status_pt = point(r, "bms/remote_status");
        size_t before;

        (void)state;
        steps(r, 30, (double)NAN);
        r->value[enable] = r->value[status_pt] = 0;
        gate_outage(r->gate, r->gate->a.site->point[enable].device);
        before = r->nwrite;
        steps(r, 20, 1.0);
        assert_int_equal(logged(r, "taken local at the plant while"), 0);
        assert_int_equal(logged(r, "local after an outage; it is taken again"), 1);
        assert_true(last_write(r, before, enable) >= 0);
        assert_true(r->value[enable] == 1);
        rig_free(r);
}

static void test_refused_enable_is_told_once_and_not_hammered(void **state)
{
        struct rig *r = rig_site();
        int enable = point(r, "bms/remote");
        unsigned n = 0;

        (void)state;
        r->value[enable] = r->value[point(r, "bms/remote_status")] = 0;
        assert_int_equal(rig_gate(r, true, 0), 0);
        for (int i = 0; i < 90; i++) { /* 15 min */
                advance(r, ROLE_NONE);
                gate_step_end(r->gate, NULL, false);
                for (; r->done < r->nwrite; r->done++) {
                        bool refuse = r->write[r->done].point == (uint32_t)enable;

                        n += refuse;
                        if (refuse)
                                r->value[enable] = r->value[point(r, "bms/remote_status")] = 0;
                        gate_write_done(r->gate,
                                        &(struct write_outcome){
                                            .id = r->write[r->done].id,
                                            .point = r->write[r->done].point,
                                            .result = refuse ? WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE : WRITE_ACCEPTED,
                                            .written = r->write[r->done].value,
                                            .t_ms = clk_t_ms(&r->clk)});
                }
        }
        assert_in_range(n, 2, 4); /* every five minutes */
        assert_int_equal(logged(r, "ended REJECTED_NOT_ENABLED"), 1);
        rig_free(r);
}

static void test_without_echo_or_registers_nothing_is_written(void **state)
{
        static const enum role lost[] = {ROLE_HEARTBEAT_ECHO, ROLE_HEARTBEAT_CMD, ROLE_REMOTE_ENABLE,
                                         ROLE_REMOTE_STATUS};
        struct rig *r = rig_new(true);

        (void)state;
        r->obey = false; /* a heartbeat that is never echoed */
        steps(r, 40, 1.0);
        assert_int_equal(setpoint_writes(r, 0), 0);
        assert_int_equal(logged(r, "heartbeat is not echoed"), 1);
        rig_free(r);
        for (size_t k = 0; k < sizeof lost / sizeof lost[0]; k++) {
                r = rig_site();
                for (size_t i = 0; i < r->site->npoint; i++)
                        if (r->site->point[i].role == lost[k])
                                r->site->point[i].role = ROLE_NONE;
                assert_int_equal(rig_gate(r, true, 0), 0);
                steps(r, 20, 1.0);
                assert_int_equal(r->nwrite, 0);
                assert_non_null(strstr(why_fixed(r, "crac-west/fan_speed_sp"), "without supervision"));
                rig_free(r);
        }
}

static void test_more_cooling_overtakes_a_write_under_way(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-west/fan_speed_sp");
        struct ipc_proposal p;
        size_t before;
        ptrdiff_t w;

        (void)state;
        steps(r, 40, (double)NAN);
        r->obey = false; /* still settling: the plant shows the old value */
        advance(r, ROLE_NONE), proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (p.u[j] <= 1)
                        p.u[j] = 0.86;
        before = r->nwrite;
        gate_step_end(r->gate, &p, false);
        w = last_write(r, before, fan);
        assert_true(w >= 0 && r->write[w].value < 0.9);
        before = r->nwrite;
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_INLET_TEMP)
                        r->value[i] = 35; /* above the trip */
        advance(r, ROLE_NONE), proposal(r, &p);
        gate_step_end(r->gate, &p, false);
        w = last_write(r, before, fan);
        assert_true(w >= 0 && r->write[w].value == 1.0);
        before = r->nwrite; /* the same value is not sent again while it is under way */
        advance(r, ROLE_NONE), proposal(r, &p);
        gate_step_end(r->gate, &p, false);
        assert_int_equal(last_write(r, before, fan), -1);
        rig_free(r);
}

static void test_no_warmer_write_from_a_value_the_decision_did_not_know(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-west/fan_speed_sp"), other = point(r, "crac-east/fan_speed_sp");
        struct ipc_proposal p;
        size_t before;

        (void)state;
        steps(r, 40, (double)NAN);
        advance(r, ROLE_NONE), proposal(r, &p);
        for (uint32_t j = 0; j < p.nu; j++)
                if (p.u[j] <= 1)
                        p.u[j] = 0.86;
        r->value[fan] = 1.0; /* read between proposal and decision */
        scan(r, ROLE_NONE);
        before = r->nwrite;
        gate_step_end(r->gate, &p, false);
        assert_int_equal(last_write(r, before, fan), -1);
        assert_true(last_write(r, before, other) >= 0);
        rig_free(r);
}

/* A step in which one point does not take a move away from what it shows; all else is accepted. Was it written? */
static bool refusing_step(struct rig *r, double fan, int pt, double shown, enum write_result refusal)
{
        struct ipc_proposal p;
        size_t before;

        advance(r, ROLE_NONE), proposal(r, &p);
        for (uint32_t j = 0; j < p.nu && isfinite(fan); j++)
                if (p.u[j] <= 1)
                        p.u[j] = fan;
        before = r->nwrite;
        gate_step_end(r->gate, &p, false);
        for (; r->done < r->nwrite; r->done++) {
                const struct write_request *w = &r->write[r->done];
                bool refuse = w->point == (uint32_t)pt && fabs(w->value - shown) > 1e-9;

                if (refuse)
                        r->value[pt] = shown;
                gate_write_done(r->gate, &(struct write_outcome){.id = w->id,
                                                                 .point = w->point,
                                                                 .result = refuse ? refusal : WRITE_ACCEPTED,
                                                                 .written = w->value,
                                                                 .read_back = shown,
                                                                 .t_ms = clk_t_ms(&r->clk)});
        }
        return last_write(r, before, pt) >= 0;
}

static void inlets(struct rig *r, double c)
{
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_INLET_TEMP)
                        r->value[i] = c;
}

static void test_refusals_do_not_storm(void **state)
{
        struct rig *r = rig_new(true);
        int fan = point(r, "crac-west/fan_speed_sp");
        unsigned less = 0, more = 0;

        (void)state;
        steps(r, 40, (double)NAN);
        for (int i = 0; i < 180; i++) /* half an hour each way */
                less += refusing_step(r, 0.86, fan, 0.9, WRITE_REJECTED_INVALID_SETTING);
        assert_in_range(less, 2, 4);
        for (int i = 0; i < 180; i++) {
                more += refusing_step(r, 1.0, fan, 0.9, WRITE_REJECTED_INVALID_SETTING);
                assert_true(i > 1 || more == (unsigned)i + 1); /* one that refuses less is still asked for more */
        }
        assert_in_range(more, 4, 8);
        rig_free(r);
}

/* What was refused toward less cooling, or long ago, does not delay more cooling. */
static void test_old_refusals_do_not_delay_more_cooling(void **state)
{
        (void)state;
        for (int how = 0; how < 2; how++) {
                struct rig *r = rig_new(true);
                int fan = point(r, "crac-west/fan_speed_sp");
                unsigned n = 0;

                steps(r, 40, (double)NAN);
                for (int i = 0; i < 3 && how == 0; i++)
                        n += refusing_step(r, 0.86, fan, 0.9, WRITE_REJECTED_INVALID_SETTING);
                for (int i = 0; i < 1 && how == 1; i++)
                        n += refusing_step(r, 1.0, fan, 0.9, WRITE_MISMATCH);
                assert_int_equal(n, how == 0 ? 2 : 1);
                for (int i = 0; i < 70; i++)
                        assert_false(refusing_step(r, 0.9, fan, 0.9, WRITE_MISMATCH));
                inlets(r, 35); /* above the trip */
                for (int i = 0; i < 2; i++)
                        assert_true(refusing_step(r, (double)NAN, fan, 0.9, WRITE_MISMATCH));
                assert_false(refusing_step(r, (double)NAN, fan, 0.9, WRITE_MISMATCH));
                assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "device does not take what is written");
                rig_free(r);
        }
}

/* A move toward less cooling that is refused, or waits for its interval, leaves the setpoint's lease alone. */
static void test_the_lease_goes_on_while_less_cooling_waits(void **state)
{
        (void)state;
        for (int how = 0; how < 3; how++) {
                struct rig *r = rig_new(true);
                int fan = point(r, "crac-west/fan_speed_sp"), since = 0;
                double shown = 0.9, fans = 0.86;

                steps(r, 40, (double)NAN);
                r->site->point[fan].lease_ms = 60000;
                if (how == 2) { /* accepted, and then each step a little less is wanted */
                        r->site->point[fan].min_interval_ms = 600000;
                        steps(r, 1, 0.88);
                        shown = r->value[fan];
                        assert_true(shown < 0.9);
                }
                for (int i = 0; i < 100; i++, since++) {
                        size_t before = r->nwrite;
                        ptrdiff_t w;

                        if (how == 1 && i > 5)
                                fans = 0.9;
                        (void)refusing_step(r, fans, fan, shown, WRITE_REJECTED_INVALID_SETTING);
                        w = last_write(r, before, fan);
                        if (w >= 0 && fabs(r->write[w].value - shown) < 1e-9)
                                since = 0;
                        assert_true(since < 6);
                        assert_true(how != 2 || i > 55 || w < 0 || since == 0); /* refreshes are no moves */
                        if (how == 2 && w >= 0 && since > 0)
                                break;
                        assert_true(how != 2 || i < 70); /* … and do not put them off */
                }
                rig_free(r);
        }
}

/* The lease runs from what the device accepted. One that refuses refreshes is let be a while, but for more cooling. */
static void test_a_refresh_that_failed_is_tried_at_the_next_step(void **state)
{
        static const struct {
                enum write_result result;
                int bad; /* steps in which it ends like this */
                const char *writes;
        } v[] = {{WRITE_ACCEPTED, 0, "....1....1....1."},
                 {WRITE_TIMED_OUT, 7, "....1111....1..."},
                 {WRITE_REJECTED_INVALID_SETTING, 16, "....11.........."}};

        (void)state;
        for (size_t k = 0; k < sizeof v / sizeof v[0]; k++) {
                struct rig *r = rig_new(true);
                int fan = point(r, "crac-west/fan_speed_sp");
                char writes[17] = "";
                size_t before;

                steps(r, 40, (double)NAN);
                r->site->point[fan].lease_ms = 100000;
                steps(r, 1, (double)NAN);
                for (int i = 0; i < 16; i++) {
                        before = r->nwrite;
                        step(r, (double)NAN, i < v[k].bad ? v[k].result : WRITE_ACCEPTED);
                        writes[i] = last_write(r, before, fan) >= 0 ? '1' : '.';
                }
                assert_string_equal(writes, v[k].writes);
                before = r->nwrite;
                inlets(r, 35);
                steps(r, 1, (double)NAN);
                assert_true(last_write(r, before, fan) >= 0);
                rig_free(r);
        }
}

/* A hand-back comes between two steps: it keeps the window, and the device gets remote enable 0 whatever it shows. */
static void test_handback_keeps_the_window_and_always_lets_go(void **state)
{
        struct rig *r = rig_new(true);
        int enable = point(r, "bms/remote");
        size_t n, before;

        (void)state;
        steps(r, 40, (double)NAN);
        n = r->gate->window_n;
        assert_true(n > 1);
        r->value[enable] = 0; /* a reading from before our write, say */
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS / 5);
        scan(r, ROLE_NONE);
        gate_handback_begin(r->gate, "test");
        assert_int_equal(r->gate->window_n, n);
        assert_int_equal(r->gate->snap.window.n, n);
        finish_writes(r, WRITE_ACCEPTED);
        before = r->nwrite;
        gate_release(r->gate);
        assert_true(last_write(r, before, enable) >= 0);
        assert_true(r->write[last_write(r, before, enable)].value == 0);
        rig_free(r);
}

static void test_letting_go_is_tried_until_it_is_accepted(void **state)
{
        static const enum write_result refusal[] = {WRITE_REJECTED_DEVICE_OFFLINE, WRITE_TIMED_OUT,
                                                    WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE, WRITE_MISMATCH};
        struct rig *r = rig_new(true);
        int enable = point(r, "bms/remote");
        size_t before;
        ptrdiff_t w;

        (void)state;
        steps(r, 40, (double)NAN);
        gate_handback_begin(r->gate, "test");
        finish_writes(r, WRITE_ACCEPTED);
        for (size_t k = 0; k < sizeof refusal / sizeof refusal[0]; k++) {
                before = r->nwrite;
                gate_release(r->gate);
                w = last_write(r, before, enable);
                assert_true(w >= 0 && r->write[w].value == 0 && r->write[w].insist);
                gate_release(r->gate); /* not twice at a time */
                assert_int_equal(r->nwrite, before + 1);
                finish_writes(r, refusal[k]);
                assert_false(gate_released(r->gate));
        }
        gate_release(r->gate);
        finish_writes(r, WRITE_ACCEPTED);
        assert_true(gate_released(r->gate));
        before = r->nwrite;
        gate_release(r->gate);
        assert_int_equal(r->nwrite, before);
        rig_free(r);
}

/* ---- the store ---- */

static void test_equipment_timers_of_a_hall_survive_a_restart(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        struct site_errors *errors;
        struct folder f;
        double *a, *b;
        size_t n;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(site_load(SOURCE_DIR "/deploy/examples/hall/site.yaml", &r->site, &errors), 0);
        site_errors_free(errors);
        clk_init_virtual(&r->clk, 1752537600000);
        r->value = calloc(r->site->npoint, sizeof *r->value);
        assert_int_equal(rig_gate(r, false, 0), 0);
        assert_int_equal(r->gate->layout->nu, 29);
        for (int i = 0; i < 21; i++) { /* a start of every chiller on the way, and two slow steps */
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + 30000);
                for (size_t k = 0; k < r->site->npoint; k++)
                        r->value[k] = r->site->point[k].role == ROLE_CHILLER_STATUS && i > 5;
                scan(r, ROLE_NONE);
                gate_step_begin(r->gate, &r->step);
                gate_step_end(r->gate, NULL, false);
        }
        n = safety_state_save(r->gate->safety, 0, NULL, 0);
        assert_true(n > 256);
        a = calloc(n, sizeof *a), b = calloc(n, sizeof *b);
        (void)safety_state_save(r->gate->safety, r->gate->snap.mono_s, a, n);
        gate_free(r->gate);
        assert_int_equal(rig_gate(r, false, 0), 0);
        (void)safety_state_save(r->gate->safety, (double)clk_mono_ms(&r->clk) / 1000.0, b, n);
        for (size_t i = 0; i < n; i++)
                assert_true(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])) || fabs(a[i] - b[i]) < 1e-6);
        assert_int_equal(logged(r, "equipment timers"), 0);
        free(a), free(b);
        rig_free(r);
        folder_close(&f);
}

/* What was ordered of a chiller counts before a reading shows it: "as it was" would be a start right after a stop. */
static void test_an_order_under_way_is_what_a_chiller_has(void **state)
{
        struct rig *r = rig_hall(true);
        struct ipc_proposal p;
        size_t j = 0;
        int enable;

        (void)state;
        while (r->gate->layout->u[j].kind != U_CHILLER)
                j++;
        enable = (int)r->gate->layout->u[j].point;
        do { /* until it may stop: five minutes on, a slow step */
                advance(r, ROLE_NONE), proposal(r, &p);
                p.u[j] = 0;
                gate_step_end(r->gate, &p, false);
                r->value[enable] = 1; /* no reading shows the order yet */
        } while (last_write(r, 0, enable) < 0);
        assert_true(r->write[last_write(r, 0, enable)].value == 0);
        assert_true(r->step.u[j] == 1);
        size_t n = r->nwrite;
        for (int i = 0; i < 4; i++) { /* under way, then ended after the reading; nobody asks for anything else */
                advance(r, ROLE_NONE);
                assert_true(r->step.u[j] == 0);
                if (i < 2)
                        gate_step_end(r->gate, NULL, false);
                else
                        proposal(r, &p), p.u[j] = 1, gate_step_end(r->gate, &p, false);
                r->value[enable] = 1;
                assert_int_equal(last_write(r, n, enable), -1);
        }
        finish_writes(r, WRITE_TIMED_OUT); /* nobody knows: the order stands until a reading that is newer */
        gate_step_begin(r->gate, &r->step);
        assert_true(r->step.u[j] == 0);
        gate_step_end(r->gate, NULL, false);
        advance(r, ROLE_NONE);
        assert_true(r->step.u[j] == 1);
        gate_step_end(r->gate, NULL, false);
        rig_free(r);
}

/* What is only recorded has no other outcome: it is no refresh that failed. */
static void test_shadow_refreshes_at_half_the_lease(void **state)
{
        struct rig *r = rig_site();

        (void)state;
        for (size_t i = 0; i < r->site->npoint; i++)
                r->site->point[i].lease_ms = r->site->point[i].role == ROLE_FAN_CMD ? 120000 : 0;
        assert_int_equal(gate_create(
                             &(struct gate_args){
                                 .site = r->site, .clk = &r->clk, .actuator = {say_not_sent, r}, .run_mode = "shadow"},
                             &r->gate),
                         0);
        for (int i = 0; i < 60; i++)
                step(r, (double)NAN, WRITE_NOT_SENT);
        assert_in_range(r->nwrite, 3 * 9, 3 * 11);
        rig_free(r);
}

/* The null driver has no clock: what shadow would have written is dated by the gate. */
static void test_shadow_outcomes_are_dated(void **state)
{
        struct rig *r = rig_site();
        struct folder f;
        char *json;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(gate_create(&(struct gate_args){.site = r->site,
                                                         .clk = &r->clk,
                                                         .store = f.store,
                                                         .actuator = {say_not_sent, r},
                                                         .run_mode = "shadow"},
                                     &r->gate),
                         0);
        for (int i = 0; i < 10; i++)
                step(r, 1.0, WRITE_NOT_SENT);
        assert_true(r->nwrite > 0);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(store_query_json(f.store,
                                          "SELECT count(*) AS n, sum(outcome_time = time) AS dated FROM v_actions"
                                          " WHERE result = 'NOT_SENT' HAVING n > 0 AND n = dated",
                                          NULL, 0, &json),
                         0);
        assert_non_null(strstr(json, "dated"));
        free(json);
        rig_free(r);
        folder_close(&f);
}

static void test_every_write_of_remote_enable_has_its_outcome(void **state)
{
        struct rig *r = rig_site();
        struct folder f;
        char *json;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        r->value[point(r, "bms/remote")] = r->value[point(r, "bms/remote_status")] = 0;
        assert_int_equal(rig_gate(r, true, 0), 0);
        for (int i = 0; i < 10 && last_write(r, 0, point(r, "bms/remote")) < 0; i++) {
                finish_writes(r, WRITE_ACCEPTED);
                advance(r, ROLE_NONE);
                gate_step_end(r->gate, NULL, false);
        }
        assert_true(last_write(r, 0, point(r, "bms/remote")) >= 0);
        gate_release(r->gate); /* while the take-over is under way */
        finish_writes(r, WRITE_ACCEPTED);
        assert_true(gate_released(r->gate));
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(store_query_json(f.store,
                                          "SELECT group_concat(why || ' ' || result, ', ') AS ended FROM v_actions"
                                          " WHERE why IN ('take-over', 'handback') AND point LIKE '%bms/remote'",
                                          NULL, 0, &json),
                         0);
        assert_non_null(strstr(json, "take-over PENDING, handback ACCEPTED"));
        free(json);
        rig_free(r);
        folder_close(&f);
}

/* A day of samples, a hundred a point, that ended at t_ms. */
static void past(struct rig *r, int64_t t_ms)
{
        for (int64_t i = 99; i >= 0; i--) {
                struct sample v[64];
                size_t n = r->site->npoint < 64 ? r->site->npoint : 64;

                for (size_t k = 0; k < n; k++)
                        v[k] = (struct sample){.point = (uint32_t)k, .t_ms = t_ms - i * 864000, .value = 1, .raw = 1};
                assert_int_equal(store_append_samples(r->store, v, n, NULL), 0);
        }
}

static int64_t purge(struct rig *r)
{
        int64_t before = status(r).samples_purged;

        do
                gate_upkeep(r->gate);
        while (r->gate->upkeep.purging);
        return status(r).samples_purged - before;
}

static void test_what_is_old_is_deleted_and_told(void **state)
{
        const int64_t day = 86400000, t0 = 1752537600000;
        struct folder f;
        struct rig *r = rig_site();
        struct store_counts n;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        r->site->retention.samples_ms = 10 * day;
        assert_int_equal(store_bind_site(f.store, r->site), 0);
        for (int d = 20; d >= 0; d--)
                past(r, t0 - d * day);
        assert_int_equal(store_counts(f.store, &n), 0);
        assert_int_equal(rig_gate(r, false, 0), 0);
        assert_int_equal(purge(r),
                         n.samples / 21 * 10 + n.samples / 2100 * 99); /* of the eleventh one is young enough */
        assert_int_equal(logged(r, "retention: "), 1);
        assert_int_equal(store_counts(f.store, &n), 0);
        assert_int_equal(n.first_t_ms, t0 - 10 * day);
        gate_upkeep(r->gate);
        assert_false(r->gate->upkeep.purging); /* a minute later */
        clk_advance_to(&r->clk, t0 + day);
        assert_int_equal(purge(r), n.samples / 1001 * 100);
        assert_int_equal(logged(r, "retention: "), 2);
        r->site->retention.max_bytes = 1;
        clk_advance_to(&r->clk, t0 + day + 60000);
        assert_true(purge(r) > 0);
        assert_int_equal(logged(r, "larger than retention.max_bytes"), 1);
        assert_int_equal(store_counts(f.store, &n), 0);
        assert_in_range(n.first_t_ms, t0 + day + 60000 - SITE_RETENTION_MIN_MS,
                        t0 + day + 864000 - SITE_RETENTION_MIN_MS);
        r->gate = gate_free(r->gate);

        /* a start with a clock far ahead of the last sample: it may be the clock that is wrong */
        clk_advance_to(&r->clk, t0 + 40 * day);
        assert_int_equal(rig_gate(r, false, 0), 0);
        assert_int_equal(purge(r), 0);
        clk_advance_to(&r->clk, t0 + 41 * day - 1);
        assert_int_equal(purge(r), 0);
        clk_advance_to(&r->clk, t0 + 41 * day + 60000);
        assert_int_equal(purge(r), n.samples);
        rig_free(r);
        folder_close(&f);
}

/* A publisher dies while its broker lives: nothing arrives, nothing fails, and yet the database must not say GOOD. */
static void test_silence_is_in_the_database(void **state)
{
        struct folder f;
        struct rig *r = rig_site();
        char *json;
        int64_t sa = r->site->point[point(r, "row1/power")].stale_after_ms;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, false, 0), 0);
        for (int i = 0; i < 3; i++)
                advance(r, ROLE_NONE), gate_step_end(r->gate, NULL, false);
        for (int64_t t = 0; t < 4 * sa + STEP_MS; t += STEP_MS)
                advance(r, ROLE_RACK_POWER), gate_step_end(r->gate, NULL, false);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(
            store_query_json(f.store,
                             "SELECT quality, reason, (SELECT count(*) FROM v_samples s WHERE s.point ="
                             " v_latest.point AND s.reason = 'stale') AS n, (SELECT count(*) FROM v_samples"
                             " WHERE reason = 'stale' AND point NOT LIKE '%power') AS others"
                             " FROM v_latest WHERE point LIKE '%row1/power'",
                             NULL, 0, &json),
            0);
        assert_string_equal(json, "[{\"quality\":\"BAD\",\"reason\":\"stale\",\"n\":4,\"others\":0}]");
        free(json);
        advance(r, ROLE_NONE), gate_step_end(r->gate, NULL, false);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(
            store_query_json(f.store, "SELECT quality FROM v_latest WHERE point LIKE '%row1/power'", NULL, 0, &json),
            0);
        assert_string_equal(json, "[{\"quality\":\"GOOD\"}]");
        free(json);
        rig_free(r);
        folder_close(&f);
}

/* Events wait for the flush, in their order; a decision takes along what came before it. */
static void test_events_wait_for_the_flush_or_the_decision(void **state)
{
        struct folder f;
        struct rig *r = rig_site();
        struct store_counts n;
        int64_t events;
        char *json;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, true, 0), 0);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(store_counts(f.store, &n), 0);
        events = n.events;
        gate_event(r->gate, 6, "test", "first");
        gate_event(r->gate, 6, "test", "second");
        assert_int_equal(store_counts(f.store, &n), 0);
        assert_int_equal(n.events, events);
        assert_int_equal(gate_flush(r->gate), 0);
        assert_int_equal(store_query_json(f.store,
                                          "SELECT group_concat(text) AS told FROM (SELECT text FROM event"
                                          " WHERE component = 'test' ORDER BY id)",
                                          NULL, 0, &json),
                         0);
        assert_string_equal(json, "[{\"told\":\"first,second\"}]");
        free(json);
        advance(r, ROLE_NONE);
        gate_event(r->gate, 6, "test", "before the decision");
        gate_step_end(r->gate, NULL, false);
        assert_int_equal(store_query_json(f.store,
                                          "SELECT text FROM event WHERE text = 'before the decision'"
                                          " AND (SELECT count(*) FROM decision) = 1",
                                          NULL, 0, &json),
                         0);
        assert_non_null(strstr(json, "before"));
        free(json);
        for (int i = 0; i < GATE_EVENTS + 3; i++)
                gate_event(r->gate, 7, "flood", "x");
        assert_int_equal(gate_flush(r->gate), 0);
        assert_true(logged(r, "events are in the journal alone") == 1);
        gate_event(r->gate, 6, "test", "last words");
        r->gate = gate_free(r->gate);
        assert_int_equal(store_query_json(f.store, "SELECT text FROM event WHERE text = 'last words'", NULL, 0, &json),
                         0);
        assert_non_null(strstr(json, "last words"));
        free(json);
        rig_free(r);
        folder_close(&f);
}

static void no_latch(void *ctx, const struct latch *l)
{
        (void)l;
        ++*(int *)ctx;
}

/* systemd restarts a gate that died within seconds: what an operator did must not be undone by that. */
static void test_latches_survive_a_restart(void **state)
{
        struct folder f;
        struct rig *r = rig_site();
        int64_t t_ms;
        int n = 0;

        (void)state;
        folder_open(&f);
        r->store = f.store;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 40, 0.8); /* past what the start itself explains */
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "");
        r->value[point(r, "bms/remote_status")] = r->value[point(r, "bms/remote")] =
            0; /* someone at the plant, with every heartbeat heard */
        steps(r, 20, 0.8);
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "taken local at the plant, until coolplane rearm");
        gate_free(r->gate);
        r->value[point(r, "bms/remote_status")] = r->value[point(r, "bms/remote")] = 1;
        r->done = r->nwrite = 0;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 20, 0.9);
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "taken local at the plant, until coolplane rearm");
        assert_int_equal(setpoint_writes(r, 0), 0);
        assert_int_equal(last_write(r, 0, point(r, "bms/heartbeat")), -1);
        actuate_latch_release(r->gate->actuate);
        actuate_latches_save(r->gate->actuate, clk_t_ms(&r->clk));
        gate_free(r->gate);
        assert_int_equal(rig_gate(r, true, 0), 0);
        assert_int_equal(status(r).mode, GATE_RELEASE);
        steps(r, 5, 0.9);
        assert_int_equal(status(r).mode, GATE_RELEASE);
        gate_free(r->gate);
        assert_int_equal(latch_read(f.store, &t_ms, no_latch, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(latch_write(f.store, t_ms, NULL, 0), 0); /* as coolplane rearm does */
        r->done = r->nwrite = 0;
        assert_int_equal(rig_gate(r, true, 0), 0);
        steps(r, 20, 0.9);
        assert_string_equal(why_fixed(r, "crac-west/fan_speed_sp"), "");
        assert_true(setpoint_writes(r, 0) > 0);
        rig_free(r);
        folder_close(&f);
}

static void test_a_site_too_large_is_refused_in_words(void **state)
{
        struct rig *r = rig_site();
        size_t inlet = (size_t)point(r, "row1/inlet"), n = r->site->npoint;

        (void)state;
        r->site->point = realloc(r->site->point, (n + IPC_Y_MAX) * sizeof *r->site->point);
        assert_non_null(r->site->point);
        for (size_t i = n; i < n + IPC_Y_MAX; i++)
                r->site->point[i] = r->site->point[inlet];
        r->site->npoint += IPC_Y_MAX;
        assert_int_equal(rig_gate(r, false, 0), -E2BIG);
        assert_int_equal(logged(r, "outputs and"), 1);
        r->gate = NULL;
        rig_free(r);
}

static void test_heartbeats_keep_the_shortest_watchdog(void **state)
{
        struct rig *r = rig_new(true);

        (void)state;
        assert_int_equal(gate_heartbeat_ms(r->gate), 10000);
        for (size_t i = 0; i < r->site->ndevice; i++)
                r->site->device[i].watchdog_ms = i ? 3000 : 12000; /* the meters take no heartbeat */
        assert_int_equal(gate_heartbeat_ms(r->gate), 4000);
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_takes_over_once_the_echo_follows),
            cmocka_unit_test(test_only_our_own_counter_is_an_echo),
            cmocka_unit_test(test_what_cannot_be_moved_is_let_go),
            cmocka_unit_test(test_operator_wins),
            cmocka_unit_test(test_taken_again_after_an_outage),
            cmocka_unit_test(test_taken_again_after_a_restart),
            cmocka_unit_test(test_refused_enable_is_told_once_and_not_hammered),
            cmocka_unit_test(test_without_echo_or_registers_nothing_is_written),
            cmocka_unit_test(test_more_cooling_overtakes_a_write_under_way),
            cmocka_unit_test(test_no_warmer_write_from_a_value_the_decision_did_not_know),
            cmocka_unit_test(test_refusals_do_not_storm),
            cmocka_unit_test(test_old_refusals_do_not_delay_more_cooling),
            cmocka_unit_test(test_the_lease_goes_on_while_less_cooling_waits),
            cmocka_unit_test(test_a_refresh_that_failed_is_tried_at_the_next_step),
            cmocka_unit_test(test_shadow_refreshes_at_half_the_lease),
            cmocka_unit_test(test_handback_keeps_the_window_and_always_lets_go),
            cmocka_unit_test(test_letting_go_is_tried_until_it_is_accepted),
            cmocka_unit_test(test_every_write_of_remote_enable_has_its_outcome),
            cmocka_unit_test(test_equipment_timers_of_a_hall_survive_a_restart),
            cmocka_unit_test(test_an_order_under_way_is_what_a_chiller_has),
            cmocka_unit_test(test_shadow_outcomes_are_dated),
            cmocka_unit_test(test_what_is_old_is_deleted_and_told),
            cmocka_unit_test(test_silence_is_in_the_database),
            cmocka_unit_test(test_events_wait_for_the_flush_or_the_decision),
            cmocka_unit_test(test_latches_survive_a_restart),
            cmocka_unit_test(test_a_site_too_large_is_refused_in_words),
            cmocka_unit_test(test_heartbeats_keep_the_shortest_watchdog),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
