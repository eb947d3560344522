/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#define _GNU_SOURCE /* nftw */
#include "sim/closed_loop.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/drivers/mqtt.h"
#include "agent/drivers/readplan.h"
#include "agent/gate/envelope.h"
#include "agent/gate/inventory.h"
#include "agent/planner/brain.h"
#include "agent/points/codec.h"
#include "sim/orchestrator.h"
#include "sim/print_site.h"

enum { TICK_S = 5, HEARTBEAT_S = 10, MQTT_PORT = 1883, BASE_PORT = 15020 };

struct closed_loop {
        struct closed_loop_args a;
        char dir[64];
        struct registers *regs;
        struct orchestrator *orch;
        struct site *site;
        struct layout *layout;
        struct gate_envelope envelope; /* of closed_loop_toward */
        struct clk clk;
        struct store *store;
        struct gate *gate;
        struct brain *brain;
        struct scan {
                struct readplan *plan; /* NULL: not a Modbus device */
                int served;            /* its index in regs, −1 = none */
                int64_t due_ms;        /* virtual time */
                int answer;            /* closed_loop_answer */
        } * scan;                      /* [ndevice] */
        struct inventory *vms;         /* hosts and VMs as last told; NULL = they go by message */
        size_t *host_at;               /* [vms.nhost] where in vms a host of the plant is */
        size_t *vm_at;                 /* [vms.nvm] and a VM */
        uint32_t *vm_id;               /* [vms.nvm] the plant's VMs it was made of */
        struct ipc_step step;
        struct ipc_proposal proposal;
        bool dead;
        struct null_actuator *null; /* shadow */
        uint64_t unsent;
        int64_t since_ms; /* start of virtual time */
};

/* As the driver names the end of a write that got this answer, busy and acknowledged without a confirmation. */
static enum write_result refused(int answer)
{
        switch (answer) {
        case CLOSED_LOOP_SILENT:
        case 5:
        case 6:
                return WRITE_TIMED_OUT;
        case 3:
                return WRITE_REJECTED_INVALID_SETTING;
        case 10:
        case 11:
                return WRITE_REJECTED_INVALID_DEVICE;
        default:
                return WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE;
        }
}

static int plant_write(void *self, const struct write_request *req)
{
        struct closed_loop *c = self;
        const struct point *p = &c->site->point[req->point];
        struct write_outcome o = {
            .id = req->id, .point = req->point, .read_back = (double)NAN, .t_ms = clk_t_ms(&c->clk)};
        uint16_t regs[4];
        int device = c->scan[p->device].served, ex;

        if (codec_encode(p, req->value, regs, &o.written) < 0 || device < 0) {
                o.result = WRITE_REJECTED_INVALID_SETTING;
                gate_write_done(c->gate, &o);
                return 0;
        }
        if (c->scan[p->device].answer != CLOSED_LOOP_ANSWERS) {
                o.result = refused(c->scan[p->device].answer);
                gate_write_done(c->gate, &o);
                return 0;
        }
        ex = registers_write(c->regs, (size_t)device, p->address, (unsigned)point_nregs(p), regs);
        o.result = ex ? WRITE_REJECTED_INVALID_SETTING : WRITE_ACCEPTED;
        if (!ex && req->read_back &&
            registers_read(c->regs, (size_t)device, true, p->address, (unsigned)point_nregs(p), regs) == 0) {
                struct sample s;

                codec_decode(p, regs, o.t_ms, &s);
                o.read_back = s.value;
                if (!(fabs(s.value - o.written) <=
                      fmax(p->tol, 0) + 1e-9 * fmax(1, fabs(o.written)))) /* as the driver */
                        o.result = WRITE_MISMATCH;
        }
        gate_write_done(c->gate, &o);
        return 0;
}

static void on_unsent(void *ctx, const struct write_outcome *o)
{
        struct closed_loop *c = ctx;

        c->unsent += o->result == WRITE_NOT_SENT;
        gate_write_done(c->gate, o);
}

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct closed_loop *c = ctx;

        gate_samples(c->gate, s, n);
}

static int on_publish(void *ctx, const char *topic, const char *payload, size_t len, int qos, bool retained)
{
        struct closed_loop *c = ctx;
        size_t vm = strlen(c->site->vm.topic);
        const char *why;

        (void)qos;
        (void)retained;
        if (c->dead)
                return 0;
        if (c->site->vm.enabled && strncmp(topic, c->site->vm.topic, vm) == 0 && topic[vm] == '/') {
                gate_vm_message(c->gate, topic + vm + 1, payload, len);
                return 0;
        }
        for (size_t i = 0; i < c->site->ndevice; i++)
                if (c->site->device[i].protocol == DEVICE_MQTT && strcmp(c->site->device[i].topic, topic) == 0)
                        (void)mqtt_parse_samples(c->site, (int)i, payload, len, clk_t_ms(&c->clk),
                                                 (struct sample_sink){on_samples, c}, &why);
        return 0;
}

/* ---- hosts and VMs, as inventory_parse would have read them from the orchestrator's message ---- */

static int by_name(const void *a, const void *b)
{
        return strcmp(a, b); /* both structs start with the name */
}

static bool same_machines(const struct closed_loop *c)
{
        struct plant_vm v;

        if (!c->vms || c->vms->nhost != plant_nhost(c->a.plant) || c->vms->nvm != plant_nvm(c->a.plant))
                return false;
        for (size_t i = 0; i < c->vms->nvm; i++) {
                plant_vm(c->a.plant, i, &v);
                if (v.id != c->vm_id[i])
                        return false;
        }
        return true;
}

/* An inventory of the right size with names, sorted, and where everything is in it. */
static bool name_machines(struct closed_loop *c)
{
        const struct plant *p = c->a.plant;
        struct inventory *inv = calloc(1, sizeof *inv);

        if (!inv)
                return false;
        c->vms = inventory_free(c->vms);
        free(c->host_at);
        free(c->vm_at);
        free(c->vm_id);
        c->vms = inv;
        inv->nhost = plant_nhost(p);
        inv->nvm = plant_nvm(p);
        inv->host = calloc(inv->nhost + 1, sizeof *inv->host);
        inv->vm = calloc(inv->nvm + 1, sizeof *inv->vm);
        c->host_at = calloc(inv->nhost + 1, sizeof *c->host_at);
        c->vm_at = calloc(inv->nvm + 1, sizeof *c->vm_at);
        c->vm_id = calloc(inv->nvm + 1, sizeof *c->vm_id);
        if (!inv->host || !inv->vm || !c->host_at || !c->vm_at || !c->vm_id)
                return false;
        for (size_t i = 0; i < inv->nhost; i++) {
                struct plant_host h;

                plant_host(p, i, &h);
                (void)snprintf(inv->host[i].name, sizeof inv->host[i].name, "h%u", (unsigned)h.id);
        }
        for (size_t i = 0; i < inv->nvm; i++) {
                struct plant_vm v;

                plant_vm(p, i, &v);
                c->vm_id[i] = v.id;
                (void)snprintf(inv->vm[i].name, sizeof inv->vm[i].name, "v%u", (unsigned)v.id);
        }
        qsort(inv->host, inv->nhost, sizeof *inv->host, by_name);
        qsort(inv->vm, inv->nvm, sizeof *inv->vm, by_name);
        for (size_t i = 0; i < inv->nhost; i++) {
                struct plant_host h;
                char name[INVENTORY_NAME_MAX];

                plant_host(p, i, &h);
                (void)snprintf(name, sizeof name, "h%u", (unsigned)h.id);
                c->host_at[i] = (size_t)inventory_find_host(inv, name);
        }
        for (size_t i = 0; i < inv->nvm; i++) {
                char name[INVENTORY_NAME_MAX];

                (void)snprintf(name, sizeof name, "v%u", (unsigned)c->vm_id[i]);
                c->vm_at[i] = (size_t)inventory_find_vm(inv, name);
        }
        return true;
}

static int rack_of(const struct site *site, size_t rack)
{
        char name[INVENTORY_NAME_MAX];

        (void)snprintf(name, sizeof name, "rack-%zu", rack + 1);
        for (size_t k = 0; k < site->nequipment; k++)
                if (site->equipment[k].cls == EQ_RACK && strcmp(site->equipment[k].name, name) == 0)
                        return (int)k;
        return -1;
}

/* The message says %.4g. */
static double four_digits(double v)
{
        double scale = 1;

        for (int i = 0; i < 12 && fabs(v) * scale < 1000 && v != 0; i++)
                scale *= 10;
        return round(v * scale) / scale;
}

static void on_inventory(void *ctx)
{
        struct closed_loop *c = ctx;
        const struct plant *p = c->a.plant;
        bool fresh = !c->vms;

        if (c->dead || !c->site->vm.enabled)
                return;
        if (!same_machines(c)) {
                fresh = true;
                gate_vm_inventory(c->gate, NULL);
                if (!name_machines(c)) {
                        c->vms = inventory_free(c->vms);
                        return;
                }
        }
        c->vms->t_ms = plant_t_ms(p);
        for (size_t i = 0; i < c->vms->nhost; i++) {
                struct inventory_host *to = &c->vms->host[c->host_at[i]];
                struct plant_host h;

                plant_host(p, i, &h);
                if (fresh)
                        to->rack = rack_of(c->site, h.rack);
                to->cores = h.cores;
                to->mem_gib = h.mem_gib;
                to->idle_w = h.idle_w;
                to->max_w = h.max_w;
                to->sleep_w = h.sleep_w;
                to->reserved = h.reserved;
                to->asleep = h.asleep;
        }
        for (size_t i = 0; i < c->vms->nvm; i++) {
                struct inventory_vm *to = &c->vms->vm[c->vm_at[i]];
                struct plant_vm v;

                plant_vm(p, i, &v);
                to->host = c->host_at[v.host];
                to->cores = v.cores;
                to->mem_gib = v.mem_gib;
                to->cpu_cores = four_digits(v.cpu_cores);
                to->movable = v.movable && !v.moving;
        }
        gate_vm_inventory(c->gate, c->vms);
}

static const struct inventory *inventory(void *ctx)
{
        const struct closed_loop *c = ctx;

        return c->vms;
}

static int on_move(void *ctx, const char *json)
{
        struct closed_loop *c = ctx;

        orchestrator_request(c->orch, json, strlen(json));
        return 0;
}

static void scan_device(struct closed_loop *c, size_t device)
{
        const struct readplan *plan = c->scan[device].plan;
        const int index = c->scan[device].served;
        const int answer = c->scan[device].answer;
        const int64_t t_ms = clk_t_ms(&c->clk);

        for (size_t b = 0; b < plan->nblock; b++) {
                const struct readblock *blk = &plan->block[b];
                uint16_t regs[125];
                struct sample batch[128];
                size_t n = 0;
                int ex = answer;

                if (index < 0)
                        ex = 4;
                else if (answer == CLOSED_LOOP_ANSWERS)
                        ex = registers_read(c->regs, (size_t)index, blk->table == POINT_TABLE_HOLDING, blk->address,
                                            blk->count, regs);

                for (size_t k = 0; k < blk->npoint; k++) {
                        const uint32_t id = plan->point[blk->first + k];
                        const struct point *p = &c->site->point[id];
                        struct sample *s = &batch[n++];

                        *s = (struct sample){.point = id,
                                             .quality = QUALITY_BAD,
                                             .reason = QR_COMM_FAIL,
                                             .t_ms = t_ms,
                                             .value = (double)NAN,
                                             .raw = (double)NAN};
                        if (ex >= 1 && ex <= 3) { /* as the driver: the others of a refused block alone */
                                if (answer == CLOSED_LOOP_ANSWERS &&
                                    registers_read(c->regs, (size_t)index, blk->table == POINT_TABLE_HOLDING,
                                                   p->address, (unsigned)point_nregs(p), regs) == 0)
                                        codec_decode(p, regs, t_ms, s);
                                else
                                        s->reason = QR_BAD_ADDR;
                        } else if (!ex) {
                                codec_decode(p, regs + (p->address - blk->address), t_ms, s);
                        }
                        s->point = id;
                        if (n == sizeof batch / sizeof *batch || k + 1 == blk->npoint) {
                                gate_samples(c->gate, batch, n);
                                n = 0;
                        }
                }
        }
}

/* At each device's own period, as its driver does. */
static void scan_due(struct closed_loop *c)
{
        const int64_t now_ms = clk_t_ms(&c->clk);

        for (size_t i = 0; i < c->site->ndevice; i++) {
                struct scan *s = &c->scan[i];

                if (!s->plan || s->due_ms > now_ms)
                        continue;
                scan_device(c, i);
                s->due_ms += c->site->device[i].period_ms;
                if (s->due_ms < now_ms) /* missed scans are not caught up */
                        s->due_ms = now_ms;
        }
}

/* b3: what the safety layer would have judged is written as proposed. A value the register cannot hold is lost. */
static void write_unfiltered(struct closed_loop *c)
{
        for (size_t j = 0; j < c->layout->nu && j < c->proposal.nu; j++) {
                const struct point *p = &c->site->point[c->layout->u[j].point];
                const int device = c->scan[p->device].served;
                double written;
                uint16_t regs[4];

                if (device >= 0 && codec_encode(p, c->proposal.u[j], regs, &written) == 0)
                        (void)registers_write(c->regs, (size_t)device, p->address, (unsigned)point_nregs(p), regs);
        }
}

static void hold_leases(struct closed_loop *c)
{
        const struct plant_spec *s = plant_spec(c->a.plant);
        const uint16_t counter = (uint16_t)(plant_t_ms(c->a.plant) / 1000 + 1);

        for (int dev = PLANT_DEV_CRAH; dev <= PLANT_DEV_PLANT; dev++) {
                const size_t n = dev == PLANT_DEV_CRAH ? s->ncrah : dev == PLANT_DEV_CHILLER ? s->nchiller : 1;

                for (size_t i = 0; i < n; i++) {
                        plant_remote_enable(c->a.plant, (enum plant_dev)dev, i, true);
                        plant_heartbeat(c->a.plant, (enum plant_dev)dev, i, counter);
                }
        }
}

static void control_step(struct closed_loop *c)
{
        bool malformed = false, present;

        while (gate_flush(c->gate) > 0)
                ;
        gate_step_begin(c->gate, &c->step);
        if (c->a.unfiltered)
                c->step.explore = clk_t_ms(&c->clk) - c->since_ms < c->a.explore_ms;
        present = c->brain != NULL;
        if (present)
                brain_step(c->brain, &c->step, &c->proposal);
        if (c->a.proposer)
                present = c->a.proposer(c->a.proposer_ctx, &c->step, &c->proposal, &malformed);
        gate_step_end(c->gate, present && !malformed ? &c->proposal : NULL, malformed);
        if (c->a.unfiltered && present && !malformed)
                write_unfiltered(c);
}

void closed_loop_watch(struct closed_loop *c)
{
        int64_t elapsed_s;

        registers_step(c->regs);
        clk_advance_to(&c->clk, plant_t_ms(c->a.plant));
        elapsed_s = (plant_t_ms(c->a.plant) - c->since_ms) / 1000;
        orchestrator_tick(c->orch, elapsed_s * 1000);
        if (c->dead)
                return;
        scan_due(c);
        if (elapsed_s % HEARTBEAT_S == 0) {
                gate_heartbeat(c->gate);
                if (c->a.unfiltered)
                        hold_leases(c);
        }
        if (elapsed_s % (c->site->fast_step_ms / 1000) == 0)
                control_step(c);
}

void closed_loop_run(struct closed_loop *c, double hours)
{
        int64_t end_ms = plant_t_ms(c->a.plant) + (int64_t)(hours * 3600000.0);

        while (plant_t_ms(c->a.plant) < end_ms) {
                plant_advance(c->a.plant, TICK_S);
                closed_loop_watch(c);
        }
}

static int open_agent(struct closed_loop *c)
{
        const struct closed_loop_args *a = &c->a;
        struct actuator act = {plant_write, c};
        char why[256];
        int r;

        if (a->database && access(a->database, F_OK) == 0)
                return -EEXIST; /* the agent would learn from what is there */
        r = store_open(a->database, STORE_WRITE, &c->store, why);
        if (r < 0) {
                (void)fprintf(stderr, "closed loop: %s\n", why);
                return r;
        }
        if (!a->acting) {
                r = null_actuator_create(c->site, (struct write_sink){on_unsent, c}, &c->null, &act);
                if (r < 0)
                        return r;
        }
        r = gate_create(&(struct gate_args){.site = c->site,
                                            .clk = &c->clk,
                                            .store = c->store,
                                            .actuator = act,
                                            .run_mode = "sim",
                                            .acting = a->acting,
                                            .decisions_only = !a->database,
                                            .unaudited = !a->database,
                                            .explore_ms = a->explore_ms,
                                            .publish_move = a->acting ? on_move : NULL,
                                            .publish_ctx = c},
                        &c->gate);
        if (r < 0 || !a->planner)
                return r;
        return brain_create(&(struct brain_args){.site = c->site,
                                                 .layout = c->layout,
                                                 .store = c->store,
                                                 .seed = a->seed,
                                                 .learn = true,
                                                 .inventory = a->database ? NULL : inventory,
                                                 .inventory_ctx = c},
                            &c->brain);
}

int closed_loop_create(const struct closed_loop_args *a, struct closed_loop **ret)
{
        struct closed_loop *c = calloc(1, sizeof *c);
        struct site_errors *errors = NULL;
        char path[96];
        int r;

        if (!c)
                return -ENOMEM;
        assert(!(a->unfiltered && a->acting));
        c->a = *a;
        c->since_ms = plant_t_ms(a->plant);
        clk_init_virtual(&c->clk, c->since_ms);
        (void)snprintf(c->dir, sizeof c->dir, "/tmp/coolplane-loop.XXXXXX");
        if (!mkdtemp(c->dir)) {
                r = -errno;
                c->dir[0] = '\0';
                goto fail;
        }
        r = registers_create(plant_spec(a->plant), a->plant, &c->regs);
        if (r < 0)
                goto fail;
        r = print_site(c->regs, c->dir, BASE_PORT, "127.0.0.1", MQTT_PORT);
        if (r < 0)
                goto fail;
        (void)snprintf(path, sizeof path, "%s/site.yaml", c->dir);
        r = site_load(path, &c->site, &errors);
        if (r < 0)
                site_errors_print(errors, stderr);
        site_errors_free(errors);
        if (r < 0)
                goto fail;
        c->site->vm.enabled = c->site->vm.enabled && !a->no_moves;
        r = layout_create(c->site, &c->layout);
        if (r == 0)
                r = gate_envelope_build(c->layout, &c->envelope);
        if (r < 0)
                goto fail;
        r = orchestrator_create(
            &(struct orchestrator_args){.plant = a->plant,
                                        .site = c->site->name,
                                        .inventory = a->database && c->site->vm.enabled ? NULL : on_inventory,
                                        .publish = on_publish,
                                        .ctx = c},
            &c->orch);
        if (r < 0)
                goto fail;
        c->scan = calloc(c->site->ndevice + 1, sizeof *c->scan);
        r = c->scan ? 0 : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < c->site->ndevice; i++) {
                c->scan[i].served = registers_find(c->regs, c->site->device[i].name);
                c->scan[i].due_ms = c->since_ms;
                if (c->site->device[i].protocol != DEVICE_MQTT)
                        r = readplan_create(c->site, (int)i, NULL, &c->scan[i].plan);
        }
        if (r >= 0)
                r = open_agent(c);
        if (r < 0)
                goto fail;
        *ret = c;
        return 0;
fail:
        closed_loop_free(c);
        return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

struct closed_loop *closed_loop_free(struct closed_loop *c)
{
        if (!c)
                return NULL;
        brain_free(c->brain);
        gate_free(c->gate);
        null_actuator_free(c->null);
        store_close(c->store);
        orchestrator_free(c->orch);
        for (size_t i = 0; c->scan && i < c->site->ndevice; i++)
                readplan_free(c->scan[i].plan);
        free(c->scan);
        inventory_free(c->vms);
        free(c->host_at);
        free(c->vm_at);
        free(c->vm_id);
        gate_envelope_free(&c->envelope);
        layout_free(c->layout);
        site_free(c->site);
        registers_free(c->regs);
        if (c->dir[0])
                (void)nftw(c->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        free(c);
        return NULL;
}

struct gate *closed_loop_gate(struct closed_loop *c)
{
        return c->gate;
}

const struct site *closed_loop_site(const struct closed_loop *c)
{
        return c->site;
}

struct registers *closed_loop_registers(struct closed_loop *c)
{
        return c->regs;
}

/* The layout lists equipment in the order of the plant, whose site file is ours. */
void closed_loop_toward(const struct closed_loop *c, const struct ipc_step *step, const struct closed_loop_target *t,
                        struct ipc_proposal *ret)
{
        size_t seen[U_CHILLER + 1] = {0};

        for (size_t j = 0; j < c->layout->nu; j++) {
                const enum u_kind kind = (enum u_kind)c->layout->u[j].kind;
                const struct safety_u *u = &c->envelope.u[j];
                const size_t i = seen[kind]++;
                const double now = step->u[j], v = kind == U_SAT     ? t->sat_c[i]
                                                   : kind == U_FAN   ? t->fan_ratio[i]
                                                   : kind == U_CHWST ? t->chwst_c
                                                   : kind == U_CWST  ? t->cwst_c
                                                                     : (double)(t->chillers >> i & 1u);

                if (!u->fast && !step->slow_step)
                        ret->u[j] = now;
                else if (u->kind == SAFETY_U_ONOFF || !(u->rate > 0))
                        ret->u[j] = v;
                else
                        ret->u[j] = fmin(fmax(fmin(fmax(v, now - u->rate), now + u->rate), u->lo), u->hi);
        }
        ret->nmove = 0;
        ret->in_distribution = 1;
}

double closed_loop_step_s(const struct closed_loop *c)
{
        return c->layout->step_s;
}

uint64_t closed_loop_unsent(const struct closed_loop *c)
{
        return c->unsent;
}

void closed_loop_answer(struct closed_loop *c, size_t device, int how)
{
        c->scan[device].answer = how;
}

void closed_loop_kill(struct closed_loop *c, bool dead)
{
        c->dead = dead;
}
