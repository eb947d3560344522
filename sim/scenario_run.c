/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Runs a scenario in virtual time and measures it from the plant's truth. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "models/num/rng.h"
#include "sim/closed_loop.h"
#include "sim/registers.h"
#include "sim/scenario.h"
#include "sim/serve_world.h"

#define STEP_S 30.0 /* between looks at the plant */
#define WARM_C 27.0

struct run {
        const struct scenario *s;
        struct world world;
        struct closed_loop *loop; /* NULL under a baseline */
        struct registers *regs;   /* of the loop, borrowed; of a plant that is only checked */
        enum scenario_proposer proposer;
        struct rng rng;
        double t_s, last_event_s, last_warm_s; /* of the part that counts */
        double sat_travel_k, fan_travel;
        double *sat_c, *fan_ratio; /* [ncrah] in force at the look before */
        struct gate_status before;
        uint64_t vain_before;
};

/* Replaces the brain's answer while a hostile proposer is asked for. */
static bool propose(void *ctx, const struct ipc_step *step, struct ipc_proposal *p, bool *malformed)
{
        struct run *r = ctx;

        if (r->proposer == SP_ON)
                return true;
        if (r->proposer == SP_OFF)
                return false;
        memset(p, 0, sizeof(*p));
        p->nu = step->nu;
        p->in_distribution = 1;
        p->predicted_w = p->predicted_std_w = p->predicted_max_inlet_c = (double)NAN;
        for (uint32_t j = 0; j < step->nu; j++) {
                const double big = rng_range(&r->rng, -1e3, 1e3);

                if (r->proposer == SP_NAN)
                        p->u[j] = rng_below(&r->rng, 2) ? (double)NAN : (double)INFINITY;
                else if (r->proposer == SP_RANDOM)
                        p->u[j] = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0, 30) : big;
                else if (r->proposer == SP_BANGBANG)
                        p->u[j] = step->head.seq % 2 ? -1e6 : 1e6;
                else if (r->proposer == SP_WARMEST) /* supply air and water up, fans and chillers off */
                        p->u[j] = step->u[j] > 2 ? 100 : 0;
        }
        *malformed = r->proposer == SP_MALFORMED;
        return true;
}

static double hottest_c(const struct plant *p)
{
        double m = -100.0;

        for (size_t i = 0; i < plant_spec(p)->nrack; i++)
                m = fmax(m, plant_true_inlet_c(p, i));
        return m;
}

static void advance(struct run *r, double dt_s)
{
        if (r->loop != NULL) {
                closed_loop_run(r->loop, dt_s / 3600.0);
                return;
        }
        for (unsigned k = 0; 5.0 * k < dt_s - 1e-6; k++)
                plant_advance(r->world.plant, fmin(5.0, dt_s - 5.0 * k));
}

/* Setpoint travel and warm inlets since the last look. */
static void look(struct run *r)
{
        const struct plant *p = r->world.plant;

        for (size_t i = 0; i < plant_spec(p)->ncrah; i++) {
                struct plant_crah_meas m;

                plant_crah_meas(p, i, &m);
                if (isfinite(r->sat_c[i])) {
                        r->sat_travel_k += fabs(m.sat_sp_c - r->sat_c[i]);
                        r->fan_travel += fabs(m.fan_cmd_ratio - r->fan_ratio[i]);
                }
                r->sat_c[i] = m.sat_sp_c;
                r->fan_ratio[i] = m.fan_cmd_ratio;
        }
        if (hottest_c(p) > WARM_C)
                r->last_warm_s = r->t_s;
}

static int unknown(const struct run *r, const struct scenario_event *e, const char *what)
{
        fprintf(stderr, "%s: at %g s: no %s \"%s\"\n", r->s->name, e->at_s, what, e->arg);
        return EXIT_DATA;
}

static int silence(struct run *r, const struct scenario_event *e)
{
        const struct site *site = closed_loop_site(r->loop);
        const bool inlets = strcmp(e->arg, "inlets") == 0;

        if (e->arg[0] == '\0') {
                closed_loop_silence(r->loop, -1);
                return 0;
        }
        for (size_t i = 0; i < site->npoint; i++)
                if (inlets && site->point[i].role == ROLE_INLET_TEMP) {
                        closed_loop_silence(r->loop, site->point[i].device);
                        return 0;
                }
        for (size_t i = 0; i < site->ndevice; i++)
                if (strcmp(site->device[i].name, e->arg) == 0 && site->device[i].protocol != DEVICE_MQTT) {
                        closed_loop_silence(r->loop, (int)i);
                        return 0;
                }
        return unknown(r, e, "device");
}

/* Of a device's registers, or of the plant. A baseline has no registers and knows nothing of theirs. */
static int fault(struct run *r, const struct scenario_event *e)
{
        int err = r->regs != NULL ? registers_fault(r->regs, e->arg) : -ENOENT;

        if (r->regs == NULL && registers_fault_named(e->arg))
                return 0;
        if (err == -ENOENT)
                err = plant_fault(r->world.plant, e->arg);
        for (size_t i = 0; r->regs != NULL && strcmp(e->arg, "clear") == 0 && i < r->regs->ndevice; i++)
                registers_fault_clear(&r->regs->device[i]);
        return err < 0 ? unknown(r, e, "fault") : 0;
}

static int apply(struct run *r, const struct scenario_event *e)
{
        if (e->kind == SE_FAULT)
                return fault(r, e);
        if (r->loop == NULL)
                return 0; /* a baseline has no planner, no samples and no agent */
        if (e->kind == SE_SILENCE)
                return silence(r, e);
        if (e->kind == SE_AGENT)
                closed_loop_kill(r->loop, strcmp(e->arg, "dead") == 0);
        else
                r->proposer = (enum scenario_proposer)scenario_proposer(e->arg);
        return 0;
}

/* The part that counts: to the next event or look, whichever is first. */
static int count(struct run *r)
{
        const struct scenario *s = r->s;
        size_t next = 0;

        look(r);
        while (r->t_s < s->run_s - 1e-6) {
                double to = fmin(r->t_s + STEP_S, s->run_s);
                int code;

                for (; next < s->nevent && s->event[next].at_s <= r->t_s + 1e-6; next++) {
                        code = apply(r, &s->event[next]);
                        if (code != 0)
                                return code;
                        r->last_event_s = r->t_s;
                }
                if (next < s->nevent)
                        to = fmin(to, s->event[next].at_s);
                advance(r, to - r->t_s);
                r->t_s = to;
                look(r);
        }
        return 0;
}

static uint64_t vain_writes(const struct run *r)
{
        uint64_t n = 0;

        for (size_t i = 0; r->regs != NULL && i < r->regs->ndevice; i++)
                n += r->regs->device[i].vain_writes;
        return n;
}

static void measure(const struct run *r, double *m)
{
        const struct plant *p = r->world.plant;
        const size_t ncrah = plant_spec(p)->ncrah;
        const double hours = r->s->run_s / 3600.0;
        struct plant_account a;
        size_t remote = 0;

        plant_account(p, &a);
        for (size_t i = 0; i < ncrah; i++)
                remote += plant_is_remote(p, PLANT_DEV_CRAH, i);
        m[SM_MAX_INLET_C] = a.max_inlet_c;
        m[SM_DEGMIN27] = a.degmin27;
        m[SM_DEGMIN32] = a.degmin32;
        m[SM_MAX_RISE_15MIN_K] = a.max_rise_15min_k;
        m[SM_MAX_DEWPOINT_C] = a.max_dewpoint_c;
        m[SM_COLD_SURFACE_MIN] = a.cold_surface_min;
        m[SM_WET_COIL_MIN] = a.wet_coil_min;
        m[SM_HARD_VIOLATIONS] = (double)(r->loop != NULL ? a.hard_violations_since_takeover : a.hard_violations);
        m[SM_COOLING_KWH] = a.cooling_kwh;
        m[SM_TOTAL_KWH] = a.total_kwh;
        m[SM_PUE] = a.total_kwh / (a.it_kwh + a.it_fan_kwh);
        m[SM_CHILLER_STARTS] = (double)a.chiller_starts;
        m[SM_FLOW_TRIPS] = (double)a.flow_trips;
        m[SM_MIGRATIONS] = (double)a.migrations;
        m[SM_RESIDUAL] = a.energy_residual_ratio;
        m[SM_ECON_HOURS] = a.econ_hours;
        m[SM_RECOVERY_S] = fmax(r->last_warm_s - r->last_event_s, 0.0);
        m[SM_LAST_INLET_C] = hottest_c(p);
        m[SM_SAT_TRAVEL_K_H] = r->sat_travel_k / (double)ncrah / hours;
        m[SM_FAN_TRAVEL_H] = r->fan_travel / (double)ncrah / hours;
        m[SM_REMOTE_SHARE] = (double)remote / (double)ncrah;
        m[SM_VAIN_WRITES] = (double)(vain_writes(r) - r->vain_before);
        m[SM_ACCEPT_SHARE] = m[SM_HOLD_SHARE] = m[SM_FALLBACK_SHARE] = m[SM_RELEASED] = 0.0;
        if (r->loop != NULL) {
                struct gate_status s;
                double n = 0.0;
                uint64_t by[4];

                gate_status(closed_loop_gate(r->loop), &s);
                for (size_t k = 0; k < 4; k++) {
                        by[k] = s.steps_by_kind[k] - r->before.steps_by_kind[k];
                        n += (double)by[k];
                }
                m[SM_RELEASED] = s.mode == GATE_RELEASE;
                if (n > 0) {
                        m[SM_ACCEPT_SHARE] = (double)by[DECISION_ACCEPT] / n;
                        m[SM_HOLD_SHARE] = (double)by[DECISION_HOLD] / n;
                        m[SM_FALLBACK_SHARE] = (double)by[DECISION_FALLBACK] / n;
                }
        }
}

static int start(struct run *r, const struct plant_spec *spec, enum scenario_controller who, uint64_t seed)
{
        const struct scenario *s = r->s;
        const bool agent = who == SCENARIO_C || who == SCENARIO_C0;
        const struct world_args a = {.spec = spec,
                                     .seed = seed,
                                     .local = who == SCENARIO_B2   ? PLANT_LOCAL_TRIM_RESPOND
                                              : who == SCENARIO_B0 ? PLANT_LOCAL_FIXED
                                                                   : s->local};
        int err, code = world_create(&a, s->start_ms - llround((s->warmup_s + s->identify_s + s->settle_s) * 1e3),
                                     &r->world);

        if (code != EXIT_OK)
                return code;
        advance(r, s->warmup_s);
        if (agent) {
                err = closed_loop_create(&(struct closed_loop_args){.plant = r->world.plant,
                                                                    .acting = true,
                                                                    .explore_ms = llround(s->identify_s * 1e3),
                                                                    .seed = seed,
                                                                    .planner = true,
                                                                    .no_moves = who == SCENARIO_C0,
                                                                    .proposer = propose,
                                                                    .proposer_ctx = r},
                                         &r->loop);
                if (err < 0) {
                        fprintf(stderr, "%s: the agent does not start: %s\n", s->name, strerror(-err));
                        return EXIT_GENERIC;
                }
                r->regs = closed_loop_registers(r->loop);
        }
        advance(r, s->identify_s + s->settle_s);
        if (r->loop != NULL) {
                bool remote = true;

                gate_status(closed_loop_gate(r->loop), &r->before);
                r->vain_before = vain_writes(r);
                for (size_t i = 0; i < spec->ncrah; i++)
                        remote = remote && plant_is_remote(r->world.plant, PLANT_DEV_CRAH, i);
                if (!remote) {
                        fprintf(stderr, "%s: the agent has not taken the plant over\n", s->name);
                        return EXIT_GENERIC;
                }
        }
        plant_account_reset(r->world.plant);
        return EXIT_OK;
}

int scenario_check(const struct scenario *s)
{
        struct run r = {.s = s};
        int code = world_create(&(struct world_args){.site = s->site}, s->start_ms, &r.world);

        if (code == EXIT_OK && registers_create(plant_spec(r.world.plant), r.world.plant, &r.regs) < 0)
                code = EXIT_GENERIC;
        for (size_t i = 0; code == EXIT_OK && i < s->nevent; i++)
                if (s->event[i].kind == SE_FAULT)
                        code = apply(&r, &s->event[i]);
        registers_free(r.regs);
        world_free(&r.world);
        return code;
}

int scenario_run(const struct scenario *s, enum scenario_controller who, uint64_t seed, double *ret)
{
        struct run r = {.s = s};
        struct plant_spec spec;
        int code;

        rng_seed(&r.rng, seed, 0x7363656eu);
        if (plant_spec_named(s->site, &spec) < 0) {
                fprintf(stderr, "%s: no site \"%s\"\n", s->name, s->site);
                return EXIT_DATA;
        }
        if (isfinite(s->containment))
                spec.containment = s->containment;
        if (isfinite(s->crah_fan_w))
                spec.crah_fan_w = s->crah_fan_w;
        if (isfinite(s->loop_volume_m3))
                spec.loop_volume_m3 = s->loop_volume_m3;
        if (isfinite(s->vms))
                spec.vms = (size_t)s->vms;
        spec.economiser = spec.economiser || s->economiser;
        r.sat_c = malloc(spec.ncrah * sizeof(*r.sat_c));
        r.fan_ratio = malloc(spec.ncrah * sizeof(*r.fan_ratio));
        code = r.sat_c != NULL && r.fan_ratio != NULL ? EXIT_OK : EXIT_GENERIC;
        for (size_t i = 0; code == EXIT_OK && i < spec.ncrah; i++)
                r.sat_c[i] = r.fan_ratio[i] = (double)NAN;
        if (code == EXIT_OK)
                code = start(&r, &spec, who, seed);
        if (code == EXIT_OK)
                code = count(&r);
        if (code == EXIT_OK)
                measure(&r, ret);
        if (r.loop != NULL)
                closed_loop_free(r.loop);
        world_free(&r.world);
        free(r.sat_c);
        free(r.fan_ratio);
        return code;
}
