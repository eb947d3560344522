/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a control step sees and remembers: sums over silent points, disturbance bounds, learning. */
#include "tests/unit/gate_rig.h"

#include "agent/gate/gate_internal.h"

/* One step at which the points of a role are silent from the `silent_from`-th on. */
static void step_with_silence(struct rig *r, enum role role, size_t silent_from)
{
        size_t n = 0;

        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s = {.point = (uint32_t)i, .t_ms = clk_t_ms(&r->clk), .value = r->value[i]};

                if (r->site->point[i].role == role && n++ >= silent_from) {
                        s.quality = QUALITY_BAD;
                        s.reason = QR_COMM_FAIL;
                }
                gate_samples(r->gate, &s, 1);
        }
        gate_step_begin(r->gate, &r->step);
        gate_step_end(r->gate, NULL, false);
        finish_writes(r, WRITE_ACCEPTED);
}

static void test_half_the_racks_silent_is_an_unknown_load(void **state)
{
        struct rig *r = rig_new(true);

        (void)state;
        step_with_silence(r, ROLE_RACK_POWER, 5);
        assert_true(fabs(r->gate->snap.cooling_load_w - (5 * 4000 + 3 * 1000)) < 1e-6);
        assert_true(fabs(r->gate->total_power_w - 23000) < 1e-6);
        step_with_silence(r, ROLE_RACK_POWER, 2);
        assert_true(isnan(r->gate->snap.cooling_load_w));
        assert_true(isnan(r->gate->total_power_w));
        step_with_silence(r, ROLE_CRAH_POWER, 1);
        assert_true(isnan(r->step.power_w[0]));
        assert_true(isnan(r->gate->snap.cooling_load_w));
        rig_free(r);
}

/* Before the first fit nothing toward less cooling is certified, however cool it is; more cooling is. */
static void test_unfitted_certifies_nothing_warmer(void **state)
{
        struct rig *r = rig_site();
        struct ipc_proposal p;
        int sat, fan;

        (void)state;
        r->cold = true;
        rig_start(r, true, 0);
        sat = point(r, "crac-east/discharge_air_sp");
        fan = point(r, "crac-east/fan_speed_sp");
        for (int i = 0; i < 40; i++) {
                advance(r, ROLE_NONE);
                proposal(r, &p);
                for (size_t j = 0; j < r->gate->layout->nu; j++)
                        p.u[j] += r->gate->layout->u[j].kind == U_SAT   ? 0.5
                                  : r->gate->layout->u[j].kind == U_FAN ? -0.05
                                                                        : 0;
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
        assert_int_equal(status(r).model_rows_fitted, 0);
        assert_int_equal(status(r).reason, DR_NOT_CERTIFIABLE);
        assert_true(last_write(r, 0, sat) < 0);
        assert_true(last_write(r, 0, fan) < 0);
        rig_free(r);
}

/* Racks without a meter count by their rating; without a rating they are silent ones. */
static void test_unmetered_racks_count_by_rating(void **state)
{
        struct rig *r = rig_new(true);
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_RACK_POWER && n++ >= 2)
                        r->site->point[i].role = ROLE_NONE;
        assert_int_equal(n, 5);
        step_with_silence(r, ROLE_NONE, 0);
        assert_true(fabs(r->gate->snap.cooling_load_w - (2 * 4000 + 3 * 8000 + 3 * 1000)) < 1e-6);
        for (size_t i = 0; i < r->site->nequipment; i++)
                if (r->site->equipment[i].cls == EQ_RACK)
                        r->site->equipment[i].power_w = (double)NAN;
        step_with_silence(r, ROLE_NONE, 0);
        assert_true(isnan(r->gate->snap.cooling_load_w));
        rig_free(r);
}

static size_t d_of(const struct rig *r, int kind, const char *equipment)
{
        const struct layout *l = r->gate->layout;

        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == kind &&
                    (!equipment || strcmp(r->site->equipment[l->d[k].equipment].name, equipment) == 0))
                        return k;
        fail();
        return 0;
}

static double rise(const struct rig *r, size_t k)
{
        return r->gate->d_free[k] - r->step.d[k];
}

static void steps(struct rig *r, int n)
{
        struct ipc_proposal p;

        for (int i = 0; i < n; i++) {
                advance(r, ROLE_NONE);
                proposal(r, &p);
                gate_step_end(r->gate, &p, false);
                finish_writes(r, WRITE_ACCEPTED);
        }
}

static void test_bounds_start_wide_and_end_at_a_rating(void **state)
{
        struct rig *r = rig_new(true);
        size_t rack = d_of(r, D_RACK_POWER, "row1"), zone = d_of(r, D_ZONE_POWER, NULL),
               ret = d_of(r, D_RAT, "crac-east");
        double early;

        (void)state;
        steps(r, 1);
        assert_true(fabs(rise(r, rack) - 800) < 1e-6); /* a fifth of 4 kW */
        assert_true(fabs(rise(r, zone) - 2000) < 1e-6);
        assert_true(fabs(rise(r, ret) - 1.0) < 1e-9);
        steps(r, 400);
        early = rise(r, rack);
        assert_true(early < 800 && early > 400);         /* a quiet hour halves the variance */
        r->value[r->gate->layout->d[rack].point] = 7990; /* rated 8 kW */
        steps(r, 1);
        assert_true(fabs(r->gate->d_free[rack] - 8000) < 1e-6);
        r->value[r->gate->layout->d[rack].point] = 9000; /* the rating was wrong: no cap */
        steps(r, 1);
        assert_true(rise(r, rack) > 200);
        rig_free(r);
}

static void test_unrated_rack_rises(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        size_t rack;

        (void)state;
        assert_non_null(r);
        rig_open(r);
        for (size_t i = 0; i < r->site->nequipment; i++)
                r->site->equipment[i].power_w = (double)NAN;
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_RACK_POWER)
                        r->value[i] = 35000;
        rig_start(r, true, 0);
        rack = d_of(r, D_RACK_POWER, "row1");
        steps(r, 1);
        assert_true(fabs(rise(r, rack) - 7000) < 1e-6);
        rig_free(r);
}

/* Inlets that report every third step: a model that took the carried readings would learn that nothing moves. */
static void test_carried_readings_teach_nothing(void **state)
{
        struct rig *r = rig_new(true);
        const struct layout *l = r->gate->layout;
        struct arx_row_info info;

        (void)state;
        for (int i = 0; i < 150; i++)
                step_with_silence(r, ROLE_INLET_TEMP, i % 3 ? 0 : 1000);
        for (size_t i = 0; i < l->ny; i++) {
                arx_row_info(r->gate->model, i, &info);
                if (l->y[i].kind == Y_INLET)
                        assert_int_equal(info.samples, 0);
                else
                        assert_true(info.samples > 100);
        }
        for (int i = 0; i < 30; i++)
                step_with_silence(r, ROLE_NONE, 0);
        arx_row_info(r->gate->model, 0, &info);
        assert_int_equal(l->y[0].kind, Y_INLET);
        assert_in_range(info.samples, 28, 30);
        rig_free(r);
}

/* A device that is away may run anything: its last command explains nothing of what the others' sensors see. */
static void test_unreadable_commands_teach_nothing(void **state)
{
        struct rig *r = rig_new(true);
        const struct layout *l = r->gate->layout;
        struct arx_row_info info;

        (void)state;
        for (int i = 0; i < 120; i++)
                step_with_silence(r, ROLE_FAN_CMD, i < 20 ? 1000 : 0);
        arx_row_info(r->gate->model, 0, &info);
        assert_int_equal(l->y[0].kind, Y_INLET);
        assert_in_range(info.samples, 15, 20);
        for (int i = 0; i < 30; i++)
                step_with_silence(r, ROLE_NONE, 0);
        arx_row_info(r->gate->model, 0, &info);
        assert_in_range(info.samples, 40, 50);
        rig_free(r);
}

/* A step that comes late, and the next on time: the window goes on. */
static void test_a_late_step_is_no_gap(void **state)
{
        struct rig *r = rig_new(true);

        (void)state;
        for (int i = 0; i < 20; i++)
                step_with_silence(r, ROLE_NONE, 0);
        const size_t n = r->gate->window_n;
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS * 7 / 10);
        step_with_silence(r, ROLE_NONE, 0); /* 1.7 steps after the last one */
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS * 3 / 10);
        gate_step_begin(r->gate, &r->step);
        gate_step_end(r->gate, NULL, false);
        step_with_silence(r, ROLE_NONE, 0);
        assert_true(n > 3);
        assert_int_equal(r->gate->window_n, n + 2);
        rig_free(r);
}

static void restart(struct rig *r, const char *db, int64_t explore_ms)
{
        char why[256];

        if (r->gate) {
                r->gate = gate_free(r->gate);
                r->store = store_close(r->store);
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + 600000);
        }
        assert_int_equal(store_open(db, STORE_WRITE, &r->store, why), 0);
        rig_start(r, true, explore_ms);
}

static void test_restart_keeps_what_was_learned(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        char dir[] = "/tmp/coolplane-gate-step.XXXXXX", db[64], command[96];
        double before;
        int64_t explored;
        size_t rack;

        (void)state;
        assert_non_null(r);
        assert_non_null(mkdtemp(dir));
        (void)snprintf(db, sizeof db, "%s/t.db", dir);
        rig_open(r);
        restart(r, db, 20 * 60000);
        rack = d_of(r, D_RACK_POWER, "row1");
        steps(r, 90);
        assert_true(status(r).exploring);
        explored = r->gate->explored_ms;
        assert_true(explored > 0);
        before = r->gate->d_change2[rack] + r->gate->d_steps[rack];
        assert_true(before > 60);
        restart(r, db, 20 * 60000);
        assert_true(r->gate->explored_ms > explored - 70000 && r->gate->explored_ms <= explored);
        assert_true(r->gate->d_steps[rack] > 60);
        for (int i = 0; i < 90 && (i == 0 || status(r).exploring); i++)
                steps(r, 1);
        assert_false(status(r).exploring); /* 20 min in all, not 20 min more */
        restart(r, db, 20 * 60000);
        steps(r, 20);
        assert_false(status(r).exploring);
        r->site->hash[0] ^= 1; /* another configuration: what it added was never explored */
        restart(r, db, 20 * 60000);
        steps(r, 1);
        assert_true(status(r).exploring);
        r->site->hash[0] ^= 1;
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + INT64_C(3) * 24 * 3600 * 1000);
        steps(r, 1);
        restart(r, db, 20 * 60000); /* the last day holds one step: nothing is known, exploration begins anew */
        steps(r, 1);
        assert_true(status(r).exploring);
        rig_free(r);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
}

/* A start takes the stored model and the samples since, not a day of samples; a model of other variables is not taken.
 */
static void test_a_start_takes_the_stored_model(void **state)
{
        struct rig *r = calloc(1, sizeof *r);
        char dir[] = "/tmp/coolplane-gate-step.XXXXXX", db[64], command[96], *name;
        struct store_purged gone = {.more = true};
        struct arx_row_info info;
        struct store_counts n;

        (void)state;
        assert_non_null(r);
        assert_non_null(mkdtemp(dir));
        (void)snprintf(db, sizeof db, "%s/t.db", dir);
        rig_open(r);
        restart(r, db, 0);
        steps(r, 150);
        assert_int_equal(store_counts(r->store, &n), 0);
        while (gone.more)
                assert_int_equal(store_purge(r->store,
                                             &(struct store_keep){.samples_ms = n.last_t_ms - 5 * STEP_MS,
                                                                  .max_bytes = INT64_MAX,
                                                                  .records_ms = INT64_MIN},
                                             &gone),
                                 0);
        restart(r, db, 0);
        arx_row_info(r->gate->model, 0, &info);
        assert_true(info.fitted);
        assert_in_range(info.samples, 60, 150); /* each seen once */
        name = r->site->point[r->gate->layout->y[0].point].name;
        name[strlen(name) - 1] = 'x';
        restart(r, db, 0);
        arx_row_info(r->gate->model, 0, &info);
        assert_false(info.fitted);
        assert_in_range(info.samples, 0, 5);
        rig_free(r);
        (void)snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test's own command
}

static void test_exploration_counts_time_in_control(void **state)
{
        struct rig *r = calloc(1, sizeof *r);

        (void)state;
        assert_non_null(r);
        rig_open(r);
        rig_start(r, true, 60 * 60000);
        for (int i = 0; i < 60; i++)
                step_with_silence(r, ROLE_NONE, 0); /* no planner: HOLD, then FALLBACK */
        assert_true(status(r).mode != GATE_ACTIVE);
        assert_int_equal(r->gate->explored_ms, 0);
        steps(r, 100);
        assert_int_equal(status(r).mode, GATE_ACTIVE);
        assert_true(r->gate->explored_ms > 0 && r->gate->explored_ms < 100 * STEP_MS);
        rig_free(r);
}

static void test_interlock_demands_full_cooling(void **state)
{
        struct rig *r = rig_new(true);
        int guard = point(r, "crac-spare/power"), fan = point(r, "crac-west/fan_speed_sp");

        (void)state;
        (void)snprintf(r->site->point[fan].interlock, sizeof r->site->point[fan].interlock, "%s",
                       r->site->point[guard].name);
        r->value[guard] = 0;
        steps(r, 15);
        assert_false(r->gate->snap.interlock);
        assert_true(r->value[fan] < 0.99);
        r->value[guard] = 1;
        steps(r, 2);
        assert_int_equal(status(r).reason, DR_INTERLOCK);
        assert_true(r->value[fan] > 0.99);
        r->value[guard] = 0;
        steps(r, 1);
        assert_false(r->gate->snap.interlock);
        step_with_silence(r, ROLE_CRAH_POWER, 0); /* unreadable is not clear */
        assert_true(r->gate->snap.interlock);
        rig_free(r);
}

/* Predictions are compared with readings that came later, and only with readings. */
static void test_holdout_errors_are_of_the_running_model(void **state)
{
        struct rig *r = rig_new(true);
        struct gate *g = r->gate;
        size_t inlets = 0;
        double n;

        (void)state;
        for (size_t i = 0; i < g->layout->ny; i++)
                inlets += g->layout->y[i].kind == Y_INLET;
        assert_int_equal(g->holdout[1].steps, 30);
        steps(r, 50);
        assert_true(isnan(status(r).holdout_c[0])); /* nothing is fitted, nothing was foreseen */
        steps(r, 80);
        assert_true(status(r).holdout_c[0] < 0.05 && status(r).holdout_persistence_c[0] == 0);
        assert_true(status(r).holdout_c[1] < 0.5 && status(r).holdout_persistence_c[1] == 0);
        n = g->holdout[0].n;
        step_with_silence(r, ROLE_INLET_TEMP, 0);
        step_with_silence(r, ROLE_INLET_TEMP, 0);
        assert_true(g->holdout[0].n <= n + (double)inlets);
        steps(r, 3);
        n = g->holdout[0].model_sq;
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_INLET_TEMP)
                        r->value[i] += 1; /* nobody could foresee it */
        steps(r, 1);
        assert_true(g->holdout[0].model_sq - n > 0.8 * (double)inlets);
        assert_true(fabs(g->holdout[0].still_sq - (double)inlets) < 0.05 * (double)inlets);
        n = g->holdout[0].still_sq;
        steps(r, 1);
        assert_true(g->holdout[0].still_sq <= n);
        rig_free(r);
}

/* Chilled water may rise only while every coil is known to have headroom. */
static void test_water_waits_for_every_valve(void **state)
{
        struct rig *r = rig_hall(false);
        const struct site *s = r->site;
        int valve = 0, sat, sp;

        (void)state;
        while (s->point[valve].role != ROLE_VALVE)
                valve++;
        sat = site_point_of(s, s->point[valve].equipment, ROLE_SAT);
        sp = site_point_of(s, s->point[valve].equipment, ROLE_SAT_SP);
        assert_true(sat >= 0 && sp >= 0);
        const struct {
                double valve, sat;
                bool waits;
        } at[] = {
            {0.1, 18, false},        {0.9, 18, false},          {0.91, 18, true},
            {0.1, 19.5, false},      {0.1, 19.51, true},        {(double)NAN, 18, false}, /* its supply air tells */
            {(double)NAN, 20, true}, {0.1, (double)NAN, false}, {(double)NAN, (double)NAN, true}};
        for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
                r->value[valve] = at[k].valve;
                r->value[sat] = at[k].sat;
                for (int i = 0; i < 8; i++) { /* two steps in a row; a rate of change may hold a reading back */
                        advance(r, ROLE_NONE);
                        gate_step_end(r->gate, NULL, false);
                }
                if (r->gate->snap.no_warmer_water != at[k].waits)
                        fail_msg("case %zu", k);
        }
        r->value[valve] = 0.1;
        for (int pass = 0; pass < 2; pass++) { /* without any valve the supply air must be known */
                for (size_t i = 0; i < s->npoint; i++)
                        if (r->site->point[i].role == ROLE_VALVE)
                                r->site->point[i].role = ROLE_NONE;
                r->value[sat] = pass ? (double)NAN : 18;
                for (int i = 0; i < 8; i++) {
                        advance(r, ROLE_NONE);
                        gate_step_end(r->gate, NULL, false);
                }
                assert_int_equal(r->gate->snap.no_warmer_water, pass);
        }
        rig_free(r);
}

/* ---- what ties machines and water together: the example hall, three machines of 0.007963 m³/s each ---- */

#define LEAST_M3S 0.007963

static int point_on(const struct rig *r, const char *equipment, enum role role)
{
        for (size_t e = 0; e < r->site->nequipment; e++)
                if (strcmp(r->site->equipment[e].name, equipment) == 0)
                        return site_point_of(r->site, (int)e, role);
        fail_msg("no %s", equipment);
        return -1;
}

static void show(struct rig *r, const char *equipment, enum role role, double value)
{
        const int p = point_on(r, equipment, role);

        assert_true(p >= 0);
        r->value[p] = value;
}

static double flow_after(struct rig *r, enum role skip)
{
        advance(r, skip);
        gate_step_end(r->gate, NULL, false);
        finish_writes(r, WRITE_ACCEPTED);
        return r->gate->snap.chw_flow_m3s;
}

static bool evap_is(const struct rig *r, double flow_m3s)
{
        return fabs(r->gate->snap.evap_flow_m3s - flow_m3s) < 1e-9;
}

static const char *const machine[] = {"chiller-1", "chiller-2", "chiller-3"};

static void show_flows(struct rig *r, double flow_m3s)
{
        for (size_t i = 0; i < 3; i++)
                show(r, machine[i], ROLE_CHW_FLOW, flow_m3s);
}

static bool ramp_after(struct rig *r, int64_t ms, double per_min)
{
        double v;

        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + ms - STEP_MS);
        (void)flow_after(r, ROLE_NONE);
        v = r->gate->snap.evap_flow_ramp_per_min;
        if (isnan(per_min) ? isnan(v) : fabs(v - per_min) < 1e-9)
                return true;
        print_message("ramp %.9g, not %.9g\n", v, per_min);
        return false;
}

static bool ramp_is(struct rig *r, double per_min)
{
        return ramp_after(r, 30000, per_min); /* the hall's own step */
}

/* How fast the water of a machine changes: of each by its own meter, over the last minute (two steps). */
static void test_how_fast_evaporator_flow_changes(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        show_flows(r, 0.010);
        show(r, "plant", ROLE_CHW_FLOW, 0.030);
        assert_true(ramp_is(r, (double)NAN) && ramp_is(r, (double)NAN)); /* no minute yet */
        assert_true(ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0.011);
        assert_true(ramp_is(r, 0.1) && ramp_is(r, 0.1) && ramp_is(r, 0));
        show(r, machine[1], ROLE_CHW_FLOW, 0.008);
        show(r, machine[0], ROLE_CHW_FLOW, 0.0121);
        assert_true(ramp_is(r, 0.2) && ramp_is(r, 0.2) && ramp_is(r, 0)); /* the largest, either way */
        show_flows(r, 0.010);
        assert_true(ramp_is(r, 0.25) && ramp_is(r, 0.25) && ramp_is(r, 0));
        show(r, machine[2], ROLE_CHILLER_STATUS, 0); /* one stops; all of them have as much as before */
        show(r, machine[2], ROLE_CHW_FLOW, 0);
        show(r, machine[0], ROLE_CHW_FLOW, 0.015);
        show(r, machine[1], ROLE_CHW_FLOW, 0.015);
        assert_true(ramp_is(r, 0.5) && ramp_is(r, 0.5) && ramp_is(r, 0));
        show(r, machine[2], ROLE_CHW_FLOW, 0.5); /* what stands has none */
        assert_true(ramp_is(r, 0));
        show_flows(r, 0.010);
        show(r, machine[2], ROLE_CHILLER_STATUS, 1); /* one starts: the others show it */
        assert_true(ramp_is(r, 1.0 / 3) && ramp_is(r, 1.0 / 3) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0.012);
        (void)flow_after(r, ROLE_NONE); /* ten seconds after another step it is against 40 s; that one is not kept */
        assert_true(fabs(r->gate->snap.evap_flow_ramp_per_min - 0.2 * 60 / 40) < 1e-9);
        assert_true(ramp_is(r, 0.2 * 60 / 70) && ramp_is(r, 0.2 * 60 / 70) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0); /* a meter that dies is no change, nor is one that comes back */
        assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0.012);
        assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
        for (int i = 0; i < 12; i++)
                (void)flow_after(r, ROLE_CHW_FLOW);
        assert_true(isnan(r->gate->snap.evap_flow_ramp_per_min)); /* no meter can be read */
        rig_free(r);
}

/* What a machine could not run with is a dead meter's, before and now; without its least water known only nothing is.
 */
static void test_flow_ramp_of_a_dead_meter(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        show_flows(r, 0.010);
        show(r, machine[0], ROLE_CHW_FLOW, 1e-6);
        assert_true(ramp_is(r, (double)NAN) && ramp_is(r, (double)NAN) && ramp_is(r, 0));
        for (int i = 0; i < 6; i++) { /* it flickers */
                show(r, machine[0], ROLE_CHW_FLOW, i % 2 ? 1e-6 : 3e-6);
                assert_true(ramp_is(r, 0));
        }
        show(r, machine[0], ROLE_CHW_FLOW, 0.69 * LEAST_M3S);
        assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0.71 * LEAST_M3S); /* little, and believed from here on */
        assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 1.42 * LEAST_M3S);
        assert_true(ramp_is(r, 1) && ramp_is(r, 1) && ramp_is(r, 0));
        for (size_t j = 0; j < r->gate->layout->nu; j++)
                r->gate->envelope.u[j].min_flow_m3s = 0;
        show(r, machine[0], ROLE_CHW_FLOW, 0.00142 * LEAST_M3S);
        assert_true(ramp_is(r, 0.999) && ramp_is(r, 0.999) && ramp_is(r, 0));
        show(r, machine[0], ROLE_CHW_FLOW, 0.00284 * LEAST_M3S);
        assert_true(ramp_is(r, 1) && ramp_is(r, 1) && ramp_is(r, 0));
        for (int k = 0; k < 2; k++) {
                show(r, machine[0], ROLE_CHW_FLOW, k ? -0.002 : 0);
                assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
                show(r, machine[0], ROLE_CHW_FLOW, 0.002);
                assert_true(ramp_is(r, 0) && ramp_is(r, 0) && ramp_is(r, 0));
        }
        rig_free(r);
}

/* Over less than half a minute, or after steps were missing, no change is known. */
static void test_flow_ramp_of_other_times(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        show_flows(r, 0.010);
        assert_true(ramp_is(r, (double)NAN) && ramp_is(r, (double)NAN) && ramp_is(r, 0));
        show_flows(r, 0.020);
        assert_true(ramp_after(r, 20 * 60000, (double)NAN) && ramp_is(r, (double)NAN) && ramp_is(r, 0));
        show_flows(r, 0.010);
        assert_true(ramp_after(r, 90000, 0.25) && ramp_is(r, 0.25)); /* against what is two minutes old */
        assert_true(ramp_after(r, 90001, (double)NAN));              /* and older */
        assert_true(ramp_after(r, 15000, (double)NAN));
        show_flows(r, 0.011);
        assert_true(ramp_after(r, 14999, (double)NAN)); /* the oldest is half a minute old but for a millisecond */
        rig_free(r);
        r = rig_hall(true);
        show_flows(r, 0.010);
        assert_true(ramp_is(r, (double)NAN) && ramp_after(r, 15000, (double)NAN));
        show_flows(r, 0.011);
        assert_true(ramp_after(r, 15000, 0.2));
        rig_free(r);
}

static void test_water_that_evaporators_can_share(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        show_flows(r, 0.011);
        show(r, machine[0], ROLE_CHW_FLOW, 0.010);
        show(r, "plant", ROLE_CHW_FLOW, 0.025);
        /* the best supplied machine's share for all of them, and never less than what the coils take */
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.033) < 1e-9);
        show(r, "plant", ROLE_CHW_FLOW, 0.040);
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.040) < 1e-9);
        assert_true(evap_is(r, 0.033)); /* of that only the machines' own meters tell */
        show(r, "plant", ROLE_CHW_FLOW, 0.010);
        show(r, machine[2], ROLE_CHILLER_STATUS, 0); /* what stands has no share */
        show(r, machine[2], ROLE_CHW_FLOW, 0.5);
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.022) < 1e-9);
        /* below seven tenths of what runs need it is a dead meter's: they would have tripped */
        show_flows(r, 0.71 * LEAST_M3S);
        show(r, "plant", ROLE_CHW_FLOW, 0);
        assert_true(fabs(flow_after(r, ROLE_NONE) - 2 * 0.71 * LEAST_M3S) < 1e-9);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, 2 * 0.71 * LEAST_M3S));
        show_flows(r, 0.69 * LEAST_M3S);
        for (int i = 0; i < 3; i++) { /* what was known last holds for some steps, of starts */
                assert_true(fabs(flow_after(r, ROLE_NONE) - 2 * 0.71 * LEAST_M3S) < 1e-9);
                assert_true(isnan(r->gate->snap.evap_flow_m3s));
        }
        assert_true(isnan(flow_after(r, ROLE_NONE)));
        show(r, "plant", ROLE_CHW_FLOW, 0.012); /* the other meter tells what could be shared, not what they get */
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.012) < 1e-9 && isnan(r->gate->snap.evap_flow_m3s));
        for (size_t i = 0; i < 3; i++) /* nothing runs: what the coils take is all there is to tell */
                show(r, machine[i], ROLE_CHILLER_STATUS, 0);
        show(r, "plant", ROLE_CHW_FLOW, 0.003);
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.003) < 1e-9);
        for (int i = 0; i < 15; i++)
                (void)flow_after(r, ROLE_CHW_FLOW); /* no meter can be read */
        assert_true(isnan(r->gate->snap.chw_flow_m3s));
        rig_free(r);
}

/* One bad scan of every meter is not yet what the evaporators get: one machine is stopped for two. */
static void test_one_bad_scan_of_the_water(void **state)
{
        static const double enough = 3 * 1.2 * LEAST_M3S, low = 3 * 0.9 * LEAST_M3S;
        struct rig *r = rig_hall(true);

        (void)state;
        show(r, "plant", ROLE_CHW_FLOW, 0);
        show_flows(r, 0.9 * LEAST_M3S);
        assert_true(fabs(flow_after(r, ROLE_NONE) - low) < 1e-9); /* no start, at once; … */
        assert_true(isnan(r->gate->snap.evap_flow_m3s));          /* … of the step before nothing is known */
        show_flows(r, 1.2 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, enough));
        show_flows(r, 0.9 * LEAST_M3S);
        assert_true(fabs(flow_after(r, ROLE_NONE) - low) < 1e-9);
        assert_true(evap_is(r, enough));
        show_flows(r, 1.2 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, enough));
        show_flows(r, 0.9 * LEAST_M3S); /* of one meter it does not even show */
        show(r, machine[1], ROLE_CHW_FLOW, 1.2 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, enough));
        show_flows(r, 0.9 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, enough));
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, low));
        show_flows(r, 1.14 * LEAST_M3S); /* too little for a start: what comes next counts at once */
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, 3 * 1.14 * LEAST_M3S));
        show_flows(r, 0.9 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, low));
        show_flows(r, 1.16 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        show_flows(r, 0.9 * LEAST_M3S);
        (void)flow_after(r, ROLE_NONE);
        assert_true(evap_is(r, 3 * 1.16 * LEAST_M3S));
        rig_free(r);
}

/* A machine that does not say whether it runs is taken for what it said last; its water counts for starts, not for
 * stops. */
static void test_water_of_a_machine_that_is_silent(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        show_flows(r, 0.011);
        show(r, "plant", ROLE_CHW_FLOW, 0);
        show(r, machine[2], ROLE_CHILLER_STATUS, 0);
        assert_true(fabs(flow_after(r, ROLE_NONE) - 0.022) < 1e-9);
        for (size_t i = 0; i < 3; i++)
                show(r, machine[i], ROLE_CHILLER_STATUS, (double)NAN);
        for (int i = 0; i < 15; i++)
                (void)flow_after(r, ROLE_NONE);
        for (size_t j = 0; j < r->gate->layout->nu; j++)
                assert_int_equal(r->gate->onoff[j], 255);
        assert_true(fabs(r->gate->snap.chw_flow_m3s - 0.022) < 1e-9);
        assert_true(!(r->gate->snap.evap_flow_m3s > 0));
        rig_free(r);
        r = rig_hall(true);
        show_flows(r, 0.011);
        show(r, "plant", ROLE_CHW_FLOW, 0);
        for (size_t i = 0; i < 3; i++) { /* they never said it: their orders */
                show(r, machine[i], ROLE_CHILLER_STATUS, (double)NAN);
                show(r, machine[i], ROLE_CHILLER_ENABLE, i < 2);
        }
        assert_true(fabs(flow_after(r, ROLE_CHILLER_STATUS) - 0.022) < 1e-9);
        rig_free(r);
}

static bool freezes_after(struct rig *r, int steps)
{
        while (steps-- > 0)
                (void)flow_after(r, ROLE_NONE);
        return r->gate->snap.no_colder_water;
}

static void test_water_near_freezing(void **state)
{
        struct rig *r = rig_hall(true);
        size_t n = 0;

        (void)state;
        assert_true(r->site->limits.chwst_freeze_c == 4); /* chwst_min 6 */
        for (size_t i = 0; i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_CHWST) {
                        r->value[i] = 4.0;
                        n++;
                }
        assert_int_equal(n, 4);
        assert_false(freezes_after(r, 3));
        show(r, "chiller-2", ROLE_CHWST, 3.99); /* any machine's */
        assert_false(freezes_after(r, 1));      /* two steps in a row */
        show(r, "chiller-2", ROLE_CHWST, 4);
        assert_false(freezes_after(r, 1));
        show(r, "chiller-2", ROLE_CHWST, 3.99);
        assert_false(freezes_after(r, 1));
        assert_null(strstr(r->log, "chwst_freeze"));
        assert_true(freezes_after(r, 1) && freezes_after(r, 2));
        assert_non_null(strstr(r->log, "chiller-2"));
        assert_non_null(strstr(r->log, "reads 4.0 °C, below chwst_freeze"));
        assert_null(strstr(r->log, "above chwst_freeze again"));
        show(r, "chiller-2", ROLE_CHILLER_STATUS, 0); /* it stands: nothing cools that water */
        assert_false(freezes_after(r, 1));
        assert_non_null(strstr(r->log, "above chwst_freeze again"));
        assert_false(freezes_after(r, 3));
        show(r, "plant", ROLE_CHWST, 3.99); /* the header's, while any machine runs */
        assert_false(freezes_after(r, 1));
        assert_true(freezes_after(r, 1));
        for (size_t i = 0; i < 3; i++)
                show(r, machine[i], ROLE_CHILLER_STATUS, 0);
        assert_false(freezes_after(r, 3));
        show(r, "chiller-1", ROLE_CHILLER_STATUS, (double)NAN); /* not known: its order */
        show(r, "chiller-1", ROLE_CHILLER_ENABLE, 1);
        assert_true(freezes_after(r, 15));
        show(r, "chiller-1", ROLE_CHILLER_ENABLE, 0);
        assert_false(freezes_after(r, 2));
        show(r, "chiller-1", ROLE_CHILLER_ENABLE, (double)NAN); /* nor that: it may */
        assert_true(freezes_after(r, 15));
        for (int i = 0; i < 12; i++)
                (void)flow_after(r, ROLE_CHWST); /* what cannot be read forbids nothing */
        assert_false(r->gate->snap.no_colder_water);
        rig_free(r);
}

/* Nothing is known of what cools it: it counts. */
static void test_freezing_water_without_chillers(void **state)
{
        struct rig *r = rig_hall(true);

        (void)state;
        for (size_t e = 0; e < r->site->nequipment; e++)
                if (r->site->equipment[e].cls == EQ_CHILLER)
                        r->site->equipment[e].cls = EQ_TOWER;
        show(r, "plant", ROLE_CHWST, 3.99);
        assert_true(freezes_after(r, 2));
        rig_free(r);
}

static void test_air_above_the_dew_point(void **state)
{
        struct rig *r = rig_hall(true);
        const struct layout *l = r->gate->layout;
        size_t with = 0;

        (void)state;
        show(r, "room-1-air", ROLE_DEWPOINT, 14.81);
        (void)flow_after(r, ROLE_NONE);
        for (size_t j = 0; j < l->nu; j++) {
                const double floor_c = r->gate->snap.u_floor[j];

                if (l->u[j].kind != U_SAT)
                        assert_true(isnan(floor_c)); /* coils may sweat: no floor for water */
                else if (l->u[j].zone == 0)
                        with += fabs(floor_c - 16.9) < 1e-9; /* 2 K above it, rounded up */
                else
                        assert_true(fabs(floor_c - 2.1) < 1e-9); /* another room, another dew point */
        }
        assert_true(with > 0);
        for (int i = 0; i < 12; i++)
                (void)flow_after(r, ROLE_DEWPOINT);
        for (size_t j = 0; j < l->nu; j++)
                assert_true(isnan(r->gate->snap.u_floor[j]));
        rig_free(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_water_waits_for_every_valve),
            cmocka_unit_test(test_half_the_racks_silent_is_an_unknown_load),
            cmocka_unit_test(test_unmetered_racks_count_by_rating),
            cmocka_unit_test(test_unfitted_certifies_nothing_warmer),
            cmocka_unit_test(test_interlock_demands_full_cooling),
            cmocka_unit_test(test_holdout_errors_are_of_the_running_model),
            cmocka_unit_test(test_bounds_start_wide_and_end_at_a_rating),
            cmocka_unit_test(test_unrated_rack_rises),
            cmocka_unit_test(test_carried_readings_teach_nothing),
            cmocka_unit_test(test_unreadable_commands_teach_nothing),
            cmocka_unit_test(test_a_late_step_is_no_gap),
            cmocka_unit_test(test_restart_keeps_what_was_learned),
            cmocka_unit_test(test_a_start_takes_the_stored_model),
            cmocka_unit_test(test_exploration_counts_time_in_control),
            cmocka_unit_test(test_how_fast_evaporator_flow_changes),
            cmocka_unit_test(test_flow_ramp_of_a_dead_meter),
            cmocka_unit_test(test_flow_ramp_of_other_times),
            cmocka_unit_test(test_water_that_evaporators_can_share),
            cmocka_unit_test(test_one_bad_scan_of_the_water),
            cmocka_unit_test(test_water_of_a_machine_that_is_silent),
            cmocka_unit_test(test_water_near_freezing),
            cmocka_unit_test(test_freezing_water_without_chillers),
            cmocka_unit_test(test_air_above_the_dew_point),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
