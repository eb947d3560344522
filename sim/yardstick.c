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

const struct yard_controller yard_controllers[] = {
    {"b0", "fixed setpoints", YARD_LOCAL, PLANT_LOCAL_FIXED, false},
    {"b1", "local loops", YARD_PID, PLANT_LOCAL_FIXED, false},
    {"b2", "trim-and-respond", YARD_LOCAL, PLANT_LOCAL_TRIM_RESPOND, false},
    {"b2s", "best constants in hindsight", YARD_CONSTANT, PLANT_LOCAL_FIXED, false},
    {"b3", "planner without safety layer", YARD_UNFILTERED, PLANT_LOCAL_FIXED, false},
    {"c0", "coolplane, no VM moves", YARD_AGENT, PLANT_LOCAL_FIXED, false},
    {"c", "coolplane", YARD_AGENT, PLANT_LOCAL_FIXED, true},
    {"b4", "oracle", YARD_ORACLE, PLANT_LOCAL_FIXED, false},
};
const size_t yard_ncontroller = sizeof(yard_controllers) / sizeof(yard_controllers[0]);

struct driver {
        const struct yard_controller *c;
        struct plant *plant;
        struct closed_loop *loop;
        struct yard_oracle *oracle;
        struct yard_command command;
};

static void drive(struct driver *d, double hours)
{
        switch (d->c->kind) {
        case YARD_LOCAL:
                yard_advance(d->plant, hours);
                break;
        case YARD_PID:
                yard_pid_advance(d->plant, &yard_pid_tuned, hours);
                break;
        case YARD_CONSTANT:
                yard_hold(d->plant, &d->command, hours);
                break;
        case YARD_ORACLE:
                yard_oracle_advance(d->oracle, d->plant, hours);
                break;
        case YARD_UNFILTERED:
        case YARD_AGENT:
                closed_loop_run(d->loop, hours);
                break;
        }
}

static void sample(const struct plant *p, const struct plant_account *before, double t_h, struct yard_sample *ret)
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
                                    .inlet_max_c = -100.0,
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
        for (size_t i = 0; i < s->nrack; i++) {
                ret->inlet_max_c = fmax(ret->inlet_max_c, plant_true_inlet_c(p, i));
                ret->inlet_mean_c += plant_true_inlet_c(p, i) / (double)s->nrack;
        }
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

static void run_counted(struct driver *d, double hours, struct yard_trace *trace)
{
        const double every_h = trace != NULL && trace->cap > 0 ? fmax(hours / (double)trace->cap, TRACE_MIN_H) : hours;
        const size_t n = (size_t)ceil(hours / every_h - 1e-9);
        struct plant_account before;

        plant_account_reset(d->plant);
        for (size_t k = 0; k < n; k++) {
                plant_account(d->plant, &before);
                drive(d, k + 1 < n ? every_h : hours - (double)k * every_h);
                if (trace != NULL && trace->n < trace->cap)
                        sample(d->plant, &before, fmin((double)(k + 1) * every_h, hours), &trace->sample[trace->n++]);
        }
}

static int start_loop(const struct yard_setup *s, double explore_h, struct driver *d)
{
        const bool agent = d->c->kind == YARD_AGENT;
        char db[512];
        int r;

        (void)snprintf(db, sizeof(db), "%s%s-%" PRIu64 ".db", s->log ? s->log : "", d->c->name, s->seed);
        r = closed_loop_create(&(struct closed_loop_args){.plant = d->plant,
                                                          .database = s->log ? db : NULL,
                                                          .acting = agent,
                                                          .unfiltered = !agent,
                                                          .explore_ms = llround(explore_h * 3600e3),
                                                          .seed = s->seed,
                                                          .planner = true,
                                                          .no_moves = !d->c->moves},
                               &d->loop);
        if (r < 0)
                fprintf(stderr, "coolplane-sim: the agent does not start: %s\n", strerror(-r));
        return r < 0 ? EXIT_GENERIC : EXIT_OK;
}

/* What has to be known before the first hour: the constants of b2s, and those that b4 starts from. */
static int look_ahead(const struct yard_setup *s, struct driver *d, unsigned *ret_evaluations)
{
        const bool oracle = d->c->kind == YARD_ORACLE;
        int r = yard_constant_search(d->plant, s->warmup_h, oracle ? fmin(s->hours, ORACLE_START_H) : s->hours,
                                     oracle ? ORACLE_START_LEVELS : 4, &d->command, ret_evaluations);

        if (r == 0 && oracle)
                r = yard_oracle_create(d->plant, &d->command, &d->oracle);
        if (r < 0)
                fprintf(stderr, "coolplane-sim: %s: %s\n", d->c->name,
                        r == -ERANGE ? "no constants keep every inlet below 27 °C" : strerror(-r));
        return r < 0 ? EXIT_GENERIC : EXIT_OK;
}

/* Warm-up, not counted; the agent identifies the plant live in its last part, beside the plant's own controls before.
 */
static int warm_up(const struct yard_setup *s, struct driver *d, unsigned *ret_evaluations)
{
        const double explore_h = fmin(3.0, 0.6 * s->warmup_h);
        int code = EXIT_OK;

        switch (d->c->kind) {
        case YARD_AGENT:
        case YARD_UNFILTERED:
                yard_advance(d->plant, s->warmup_h - explore_h);
                code = start_loop(s, explore_h, d);
                if (code == EXIT_OK)
                        drive(d, explore_h);
                return code;
        case YARD_CONSTANT:
        case YARD_ORACLE:
                code = look_ahead(s, d, ret_evaluations);
                if (code == EXIT_OK)
                        yard_hold(d->plant, &d->command, s->warmup_h);
                return code;
        case YARD_LOCAL:
        case YARD_PID:
                break;
        }
        drive(d, s->warmup_h);
        return EXIT_OK;
}

/* Decisions by kind since there were as many as `before`. */
static void count_decisions(const struct driver *d, const uint64_t *before, uint64_t *ret)
{
        struct gate_status s;

        if (d->loop == NULL)
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
                run_counted(&d, s->hours, trace);
                count_decisions(&d, before, r.decisions);
                plant_account(d.plant, &r.account);
                if (d.oracle != NULL)
                        r.evaluations += yard_oracle_evaluations(d.oracle);
                r.best = d.command;
                r.cpu_s = (double)(clock() - began) / CLOCKS_PER_SEC;
                *ret = r;
        }
        (void)yard_oracle_free(d.oracle);
        closed_loop_free(d.loop);
        world_free(&w);
        return code;
}
