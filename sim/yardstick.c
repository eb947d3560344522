/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/yardstick.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/exitcode.h"
#include "sim/closed_loop.h"

#define TRACE_MIN_H (1.0 / 12.0)
#define ORACLE_START_LEVELS 2
#define ORACLE_START_H 24.0
#define IDENTIFY_MAX_H 3.0
#define SETTLE_MAX_H 2.0
#define MOVES_MS 300000 /* between looks for moves, as the agent's slow step */

const struct yard_controller yard_controllers[] = {
    {"b0", "fixed setpoints", YARD_LOCAL, PLANT_LOCAL_FIXED, false},
    {"b0h", "fixed setpoints, stepped by hand", YARD_HAND, PLANT_LOCAL_FIXED, false},
    {"b1", "local loops", YARD_PID, PLANT_LOCAL_FIXED, false},
    {"b2", "trim-and-respond", YARD_LOCAL, PLANT_LOCAL_TRIM_RESPOND, false},
    {"b2v", "trim-and-respond, plain VM consolidation", YARD_LOCAL, PLANT_LOCAL_TRIM_RESPOND, true},
    {"b2s", "best constants in hindsight", YARD_CONSTANT, PLANT_LOCAL_FIXED, false},
    {"b3", "planner without safety layer", YARD_UNFILTERED, PLANT_LOCAL_FIXED, false},
    {"c0", "coolplane, no VM moves", YARD_AGENT, PLANT_LOCAL_FIXED, false},
    {"c", "coolplane", YARD_AGENT, PLANT_LOCAL_FIXED, true},
    {"b4", "oracle", YARD_ORACLE, PLANT_LOCAL_FIXED, false},
    {"b4f", "oracle under the safety layer", YARD_JUDGED, PLANT_LOCAL_FIXED, false},
};
const size_t yard_ncontroller = sizeof(yard_controllers) / sizeof(yard_controllers[0]);

struct driver {
        const struct yard_controller *c;
        struct plant *plant;
        struct closed_loop *loop; /* the agent, or a gate in shadow that records */
        struct yard_hand *hand;
        struct yard_oracle *oracle;
        struct yard_consolidator *consolidator;
        struct yard_command command;
        int64_t moves_due_ms;
        bool settled; /* what is not for the beginning of a warm-up may begin */
};

bool yard_has_agent(const struct yard_controller *c)
{
        return c->kind == YARD_AGENT || c->kind == YARD_UNFILTERED || c->kind == YARD_JUDGED;
}

bool yard_foresees(const struct yard_controller *c)
{
        return c->kind == YARD_CONSTANT || c->kind == YARD_ORACLE || c->kind == YARD_JUDGED;
}

static void drive_step(struct driver *d, double hours)
{
        switch (d->c->kind) {
        case YARD_LOCAL:
                if (d->consolidator != NULL && d->settled && plant_t_ms(d->plant) >= d->moves_due_ms) {
                        yard_consolidator_step(d->consolidator, d->plant);
                        d->moves_due_ms = plant_t_ms(d->plant) + MOVES_MS;
                }
                yard_advance(d->plant, hours);
                break;
        case YARD_PID:
                yard_pid_advance(d->plant, &yard_pid_tuned, hours);
                break;
        case YARD_HAND:
                yard_hand_advance(d->hand, d->plant, hours);
                break;
        case YARD_CONSTANT:
                yard_hold(d->plant, &d->command, hours);
                break;
        case YARD_ORACLE:
                if (d->settled)
                        yard_oracle_advance(d->oracle, d->plant, hours);
                else
                        yard_hold(d->plant, &d->command, hours);
                break;
        case YARD_UNFILTERED:
        case YARD_JUDGED:
        case YARD_AGENT:
                break;
        }
}

/* closed_loop's proposer: the oracle's command, once it may begin. */
static bool oracle_proposes(void *ctx, const struct ipc_step *step, struct ipc_proposal *prop, bool *ret_malformed)
{
        struct driver *d = ctx;

        *ret_malformed = false;
        if (d->settled) {
                const struct yard_command *c =
                    yard_oracle_command(d->oracle, d->plant, closed_loop_step_s(d->loop) / 3600.0);

                closed_loop_toward(d->loop, step,
                                   &(struct closed_loop_target){.sat_c = c->sat_c,
                                                                .fan_ratio = c->fan_ratio,
                                                                .chwst_c = c->chwst_c,
                                                                .cwst_c = c->cwst_c,
                                                                .chillers = c->chillers},
                                   prop);
        }
        return true;
}

/* An agent has its own pace; the others go in steps of YARD_STEP_S, watched or not. */
static void drive(struct driver *d, double hours)
{
        const int64_t end_ms = plant_t_ms(d->plant) + llround(hours * 3600e3);

        if (d->loop != NULL && yard_has_agent(d->c)) {
                closed_loop_run(d->loop, hours);
                return;
        }
        while (plant_t_ms(d->plant) < end_ms) {
                const double left_s = (double)(end_ms - plant_t_ms(d->plant)) / 1000.0;

                drive_step(d, fmin(YARD_STEP_S, left_s) / 3600.0);
                if (d->loop != NULL)
                        closed_loop_watch(d->loop);
        }
}

static void sample(struct plant *p, const struct plant_account *before, double t_h, struct yard_sample *ret)
{
        const struct plant_spec *s = plant_spec(p);
        struct plant_account a;
        struct plant_water_meas w;
        struct plant_weather_meas o;
        double h;

        plant_account(p, &a);
        plant_water_meas(p, &w);
        plant_weather_meas(p, &o);
        h = a.hours - before->hours;
        *ret = (struct yard_sample){.t_h = t_h,
                                    .inlet_max_c = plant_take_peak_inlet_c(p),
                                    .chwst_sp_c = w.chwst_sp_c,
                                    .cwst_sp_c = w.cwst_sp_c,
                                    .oat_c = o.oat_c,
                                    .wetbulb_c = o.wetbulb_c,
                                    .chiller_kw = (a.chiller_kwh - before->chiller_kwh) / h,
                                    .pump_kw = (a.pump_kwh - before->pump_kwh) / h,
                                    .tower_kw = (a.tower_kwh - before->tower_kwh) / h,
                                    .crah_fan_kw = (a.crah_fan_kwh - before->crah_fan_kwh) / h,
                                    .it_fan_kw = (a.it_fan_kwh - before->it_fan_kwh) / h,
                                    .it_kw = (a.it_kwh - before->it_kwh) / h};
        for (size_t i = 0; i < s->nrack; i++)
                ret->inlet_mean_c += plant_true_inlet_c(p, i) / (double)s->nrack;
        for (size_t i = 0; i < s->ncrah; i++) {
                struct plant_crah_meas m;

                plant_crah_meas(p, i, &m);
                ret->sat_sp_c += m.sat_sp_c / (double)s->ncrah;
                ret->fan_ratio += m.fan_cmd_ratio / (double)s->ncrah;
        }
        for (size_t i = 0; i < s->nchiller; i++) {
                struct plant_chiller_meas m;

                plant_chiller_meas(p, i, &m);
                ret->chillers += m.running;
        }
}

/* To `end_h` of what counts, each fault at its time. */
static int drive_to(const struct yard_setup *s, struct driver *d, double end_h, size_t *next)
{
        for (;;) {
                const double at_h = (double)(plant_t_ms(d->plant) - s->start_ms) / 3600e3;
                const bool due = *next < s->nfault && (double)s->fault[*next].at_ms / 3600e3 < end_h - 1e-9;

                drive(d, (due ? (double)s->fault[*next].at_ms / 3600e3 : end_h) - at_h);
                if (!due)
                        return EXIT_OK;
                if (plant_fault(d->plant, s->fault[*next].name) < 0) {
                        fprintf(stderr, "coolplane-sim: no fault \"%s\"\n", s->fault[*next].name);
                        return EXIT_USAGE_;
                }
                ++*next;
        }
}

static int run_counted(const struct yard_setup *s, struct driver *d, struct yard_trace *trace)
{
        double every_h = s->hours;
        struct plant_account before;
        size_t n, next = 0;
        int code = EXIT_OK;

        if (trace != NULL && trace->cap > 0) /* whole minutes: looks at the plant stay in step */
                every_h = ceil(fmax(s->hours / (double)trace->cap, TRACE_MIN_H) * 60.0 - 1e-6) / 60.0;
        n = (size_t)ceil(s->hours / every_h - 1e-9);
        plant_account_reset(d->plant);
        for (size_t k = 0; k < n && code == EXIT_OK; k++) {
                const double end_h = fmin((double)(k + 1) * every_h, s->hours);

                plant_account(d->plant, &before);
                code = drive_to(s, d, end_h, &next);
                if (trace != NULL && trace->n < trace->cap)
                        sample(d->plant, &before, end_h, &trace->sample[trace->n++]);
        }
        return code;
}

void yard_log_path(const struct yard_setup *s, const struct yard_controller *c, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s%s-%" PRIu64 ".db", s->log, c->name, s->seed);
}

/* The agent, or with a log a gate in shadow beside what drives the plant. */
static int start_loop(const struct yard_setup *s, double explore_h, struct driver *d)
{
        const bool watches = !yard_has_agent(d->c);
        char db[512];
        int r;

        if (watches && s->log == NULL)
                return EXIT_OK;
        if (s->log != NULL)
                yard_log_path(s, d->c, db, sizeof(db));
        r = closed_loop_create(
            &(struct closed_loop_args){.plant = d->plant,
                                       .database = s->log != NULL ? db : NULL,
                                       .acting = !watches && d->c->kind != YARD_UNFILTERED,
                                       .proposer = d->c->kind == YARD_JUDGED ? oracle_proposes : NULL,
                                       .proposer_ctx = d,
                                       .unfiltered = d->c->kind == YARD_UNFILTERED,
                                       .explore_ms = watches ? 0 : llround(explore_h * 3600e3),
                                       .seed = s->seed,
                                       .planner = !watches,
                                       .no_moves = !watches && !d->c->moves},
            &d->loop);
        if (r < 0)
                fprintf(stderr, "coolplane-sim: the agent does not start: %s%s%s\n", s->log != NULL ? db : "",
                        s->log != NULL ? ": " : "", strerror(-r));
        return r < 0 ? EXIT_GENERIC : EXIT_OK;
}

/* What has to be known before the first hour: the constants of b2s, and those that b4 starts from. */
static int look_ahead(const struct yard_setup *s, struct driver *d, unsigned *ret_evaluations)
{
        const bool foresees = yard_foresees(d->c), oracle = foresees && d->c->kind != YARD_CONSTANT;
        int r = 0;

        if (foresees)
                r = yard_constant_search(d->plant, s->warmup_h, oracle ? fmin(s->hours, ORACLE_START_H) : s->hours,
                                         oracle ? ORACLE_START_LEVELS : 4, &d->command, ret_evaluations);
        if (r == 0 && oracle)
                r = yard_oracle_create(d->plant, &d->command, &d->oracle);
        if (r == 0 && d->c->kind == YARD_HAND)
                r = yard_hand_create(d->plant, s->seed, &d->hand);
        if (r == 0 && d->c->kind == YARD_LOCAL && d->c->moves)
                r = yard_consolidator_create(d->plant, &d->consolidator);
        if (r < 0)
                fprintf(stderr, "coolplane-sim: %s: %s\n", d->c->name,
                        r == -ERANGE ? "no constants keep every inlet at 27 °C or less" : strerror(-r));
        return r < 0 ? EXIT_GENERIC : EXIT_OK;
}

void yard_warmup(double hours, struct yard_warmup *ret)
{
        const double identify_h = floor(60.0 * fmin(IDENTIFY_MAX_H, 0.5 * hours) + 1e-6) / 60.0;
        const double settle_h = floor(60.0 * fmin(SETTLE_MAX_H, 0.25 * hours) + 1e-6) / 60.0;

        *ret = (struct yard_warmup){
            .local_h = hours - identify_h - settle_h, .identify_h = identify_h, .settle_h = settle_h};
}

/* Not counted. */
static int warm_up(const struct yard_setup *s, struct driver *d, unsigned *ret_evaluations)
{
        struct yard_warmup w;
        int code = look_ahead(s, d, ret_evaluations);

        if (code != EXIT_OK)
                return code;
        yard_warmup(s->warmup_h, &w);
        if (yard_has_agent(d->c))
                yard_advance(d->plant, w.local_h);
        else
                drive(d, w.local_h);
        code = start_loop(s, w.identify_h, d);
        if (code != EXIT_OK)
                return code;
        drive(d, w.identify_h);
        d->settled = true;
        drive(d, w.settle_h);
        return EXIT_OK;
}

/* Decisions by kind since there were as many as `before`. */
static void count_decisions(const struct driver *d, const uint64_t *before, uint64_t *ret)
{
        struct gate_status s;

        if (d->loop == NULL || !yard_has_agent(d->c))
                return;
        gate_status(closed_loop_gate(d->loop), &s);
        for (size_t k = 0; k < 4; k++)
                ret[k] = s.steps_by_kind[k] - before[k];
}

int yard_run(const struct yard_setup *s, const struct yard_controller *c, struct yard_trace *trace,
             struct yard_result *ret)
{
        struct world_args a = s->world;
        struct driver d = {.c = c};
        struct yard_result r = {0};
        struct world w;
        const clock_t began = clock();
        uint64_t before[4] = {0};
        int code;

        a.seed = s->seed;
        a.local = c->local;
        code = world_create(&a, s->start_ms - llround(s->warmup_h * 3600e3), &w);
        if (code != EXIT_OK)
                return code;
        d.plant = w.plant;
        if (trace != NULL)
                trace->n = 0;
        code = warm_up(s, &d, &r.evaluations);
        if (code == EXIT_OK) {
                count_decisions(&d, before, before);
                code = run_counted(s, &d, trace);
        }
        if (code == EXIT_OK) {
                count_decisions(&d, before, r.decisions);
                plant_account(d.plant, &r.account);
                if (!(r.account.energy_residual_ratio < PLANT_RESIDUAL_MAX)) {
                        fprintf(stderr,
                                "coolplane-sim: %s, seed %" PRIu64 ": the plant lost %.2g of its heat: a defect\n",
                                c->name, s->seed, r.account.energy_residual_ratio);
                        code = EXIT_GENERIC;
                }
        }
        if (code == EXIT_OK) {
                if (d.oracle != NULL)
                        r.evaluations += yard_oracle_evaluations(d.oracle);
                r.best = d.command;
                r.cpu_s = (double)(clock() - began) / CLOCKS_PER_SEC;
                *ret = r;
        }
        (void)yard_hand_free(d.hand);
        (void)yard_oracle_free(d.oracle);
        (void)yard_consolidator_free(d.consolidator);
        closed_loop_free(d.loop);
        world_free(&w);
        return code;
}
