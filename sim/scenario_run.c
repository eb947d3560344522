/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Runs a scenario in virtual time and measures it from the plant's truth. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "models/num/rng.h"
#include "sim/closed_loop.h"
#include "sim/registers.h"
#include "sim/scenario.h"
#include "sim/scenario_measure.h"
#include "sim/serve_world.h"

struct run {
        const struct scenario *s;
        struct world world;
        struct closed_loop *loop; /* NULL under a baseline */
        struct registers *regs;   /* of the loop, borrowed; of a plant that is only checked */
        enum scenario_proposer proposer;
        struct rng rng;
        struct book book;
        bool events;
        double t_s; /* of the part that counts */
};

/* Replaces the brain's answer while a hostile proposer is asked for. */
static bool propose(void *ctx, const struct ipc_step *step, struct ipc_proposal *p, bool *malformed)
{
        struct run *r = ctx;

        if (r->proposer == SC_ON)
                return true;
        if (r->proposer == SC_OFF)
                return false;
        memset(p, 0, sizeof(*p));
        p->nu = step->nu;
        p->in_distribution = 1;
        p->predicted_w = p->predicted_std_w = p->predicted_max_inlet_c = (double)NAN;
        for (uint32_t j = 0; j < step->nu; j++) {
                const double big = rng_range(&r->rng, -1e3, 1e3);

                if (r->proposer == SC_NAN)
                        p->u[j] = rng_below(&r->rng, 2) ? (double)NAN : (double)INFINITY;
                else if (r->proposer == SC_RANDOM)
                        p->u[j] = rng_below(&r->rng, 3) ? rng_range(&r->rng, 0, 30) : big;
                else if (r->proposer == SC_BANGBANG)
                        p->u[j] = step->head.seq % 2 ? -1e6 : 1e6;
                else if (r->proposer == SC_WARMEST) /* supply air and water up, fans and chillers off */
                        p->u[j] = step->u[j] > 2 ? 100 : 0;
        }
        *malformed = r->proposer == SC_MALFORMED;
        return true;
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

static int unknown(const struct run *r, const struct scenario_event *e, const char *what)
{
        fprintf(stderr, "%s:%d: no %s \"%s\"\n", r->s->path, e->line, what, e->arg);
        return EXIT_DATA;
}

static int silence(struct run *r, const struct scenario_event *e)
{
        const struct site *site = closed_loop_site(r->loop);
        const bool inlets = strcmp(e->arg, "inlets") == 0;

        if (e->arg[0] == '\0') {
                for (size_t i = 0; i < site->ndevice; i++)
                        closed_loop_answer(r->loop, i, CLOSED_LOOP_ANSWERS);
                return 0;
        }
        for (size_t i = 0; i < site->npoint; i++)
                if (inlets && site->point[i].role == ROLE_INLET_TEMP) {
                        closed_loop_answer(r->loop, (size_t)site->point[i].device, CLOSED_LOOP_SILENT);
                        return 0;
                }
        for (size_t i = 0; i < site->ndevice; i++)
                if (strcmp(site->device[i].name, e->arg) == 0 && site->device[i].protocol != DEVICE_MQTT) {
                        closed_loop_answer(r->loop, i, CLOSED_LOOP_SILENT);
                        return 0;
                }
        return unknown(r, e, "device");
}

static int device_named(const struct registers *regs, const char *name, size_t len)
{
        for (size_t i = 0; i < regs->ndevice; i++)
                if (strlen(regs->device[i].name) == len && strncmp(regs->device[i].name, name, len) == 0)
                        return (int)i;
        return -1;
}

static int of_site(const struct run *r, int device)
{
        const struct site *site = closed_loop_site(r->loop);

        for (size_t i = 0; i < site->ndevice; i++)
                if (strcmp(site->device[i].name, r->regs->device[device].name) == 0)
                        return (int)i;
        return -1;
}

/* Those of the wire that a loop without one can show: blackhole:DEV, exception:DEV[:N]. -ENOENT: none of them. */
static int wire_fault(struct run *r, const char *name)
{
        const bool silent = strncmp(name, "blackhole:", 10) == 0;
        const char *device = strchr(name, ':'), *code;
        int64_t n = 4;
        int d;

        if (!silent && strncmp(name, "exception:", 10) != 0)
                return -ENOENT;
        if (r->regs == NULL)
                return 0;
        device++;
        code = strchr(device, ':');
        if (code != NULL && (silent || parse_int64(code + 1, 1, 11, &n) < 0))
                return -EINVAL;
        d = device_named(r->regs, device, code != NULL ? (size_t)(code - device) : strlen(device));
        if (d < 0)
                return -EINVAL;
        if (r->loop != NULL && (d = of_site(r, d)) >= 0)
                closed_loop_answer(r->loop, (size_t)d, silent ? CLOSED_LOOP_SILENT : (int)n);
        return 0;
}

static void heal(struct run *r, const char *fault)
{
        const bool all = strcmp(fault, "clear") == 0;

        for (size_t i = 0; r->regs != NULL && i < r->regs->ndevice; i++) {
                if (!all && (strncmp(fault, "heal:", 5) != 0 || strcmp(fault + 5, r->regs->device[i].name) != 0))
                        continue;
                registers_fault_clear(&r->regs->device[i]);
                if (r->loop != NULL && of_site(r, (int)i) >= 0)
                        closed_loop_answer(r->loop, (size_t)of_site(r, (int)i), CLOSED_LOOP_ANSWERS);
        }
}

static bool only_on_the_wire(const char *fault)
{
        static const char *const kinds[] = {"refuse",   "reset",        "half-open",  "truncated", "short",
                                            "overlong", "wrong-length", "wrong-unit", "wrong-tid", "late",
                                            "garbage",  "slow",         "flood"};

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
                if (strncmp(fault, kinds[k], strlen(kinds[k])) == 0 && fault[strlen(kinds[k])] == ':')
                        return true;
        return false;
}

/* Of a device's registers or answers, or of the plant. A baseline has no registers and knows nothing of theirs. */
static int fault(struct run *r, const struct scenario_event *e)
{
        int err = wire_fault(r, e->arg);

        if (err == -ENOENT && registers_fault_named(e->arg))
                err = r->regs != NULL ? registers_fault(r->regs, e->arg) : 0;
        if (err == -ENOENT && only_on_the_wire(e->arg))
                return unknown(r, e, "fault without a wire (coolplane-sim serve --fault has it):");
        if (err == -ENOENT)
                err = plant_fault(r->world.plant, e->arg);
        if (err == 0)
                heal(r, e->arg);
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

/* Parts that begin or end now. */
static void turn(struct run *r)
{
        const struct scenario *s = r->s;

        for (int p = SP_SINCE; p < SCENARIO_PARTS && s->nevent > 0; p++) {
                const double first_s = fmax(s->event[0].at_s, 0.0), last_s = fmax(s->event[s->nevent - 1].at_s, 0.0);
                const struct book_part *part = &r->book.part[p];

                if (!part->open && r->t_s >= (p == SP_AFTER ? last_s : first_s))
                        book_open(&r->book, (enum scenario_part)p, r->t_s);
                if (p == SP_DURING && part->open && !part->closed && r->t_s >= last_s && last_s > first_s)
                        book_close(&r->book, SP_DURING, r->t_s);
        }
}

/* The part that counts, scan by scan. */
static int count(struct run *r)
{
        const struct scenario *s = r->s;
        size_t next = 0;

        r->book.last_event_s = s->nevent > 0 ? fmax(s->event[s->nevent - 1].at_s, 0.0) : 0.0;
        while (next < s->nevent && s->event[next].at_s < 0.0)
                next++;
        book_look(&r->book, 0.0);
        book_open(&r->book, SP_WHOLE, 0.0);
        while (r->t_s < s->run_s - 1e-6) {
                const double to_s = fmin(r->t_s + SCENARIO_SCAN_S, s->run_s);

                turn(r);
                for (; next < s->nevent && s->event[next].at_s <= r->t_s; next++) {
                        const int code = r->events ? apply(r, &s->event[next]) : 0;

                        if (code != 0)
                                return code;
                }
                advance(r, to_s - r->t_s);
                r->t_s = to_s;
                book_look(&r->book, r->t_s);
        }
        book_close(&r->book, SP_WHOLE, r->t_s);
        for (int p = SP_SINCE; p < SCENARIO_PARTS; p++)
                if (r->book.part[p].open && !r->book.part[p].closed && p != SP_DURING)
                        book_close(&r->book, (enum scenario_part)p, r->t_s);
        return 0;
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
        for (size_t i = 0; r->events && i < s->nevent && s->event[i].at_s < 0.0; i++) {
                code = apply(r, &s->event[i]);
                if (code != EXIT_OK)
                        return code;
        }
        advance(r, s->identify_s + s->settle_s);
        if (r->loop != NULL) {
                const bool hindered = s->nevent > 0 && s->event[0].at_s < 0.0;
                bool remote = true;

                for (size_t i = 0; i < spec->ncrah; i++)
                        remote = remote && plant_is_remote(r->world.plant, PLANT_DEV_CRAH, i);
                if (!remote && !hindered) {
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

int scenario_run(const struct scenario *s, enum scenario_controller who, uint64_t seed, bool events,
                 struct scenario_result *ret)
{
        struct run r = {.s = s, .events = events};
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
        code = start(&r, &spec, who, seed);
        if (code == EXIT_OK && book_create(&r.book, r.world.plant, r.loop, r.regs) < 0)
                code = EXIT_GENERIC;
        if (code == EXIT_OK)
                code = count(&r);
        for (int p = 0; code == EXIT_OK && p < SCENARIO_PARTS; p++)
                book_read(&r.book, (enum scenario_part)p, ret->v[p]);
        book_free(&r.book);
        if (r.loop != NULL)
                closed_loop_free(r.loop);
        world_free(&r.world);
        return code;
}
