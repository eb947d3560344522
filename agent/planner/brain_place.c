/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* VM moves of a slow step: the orchestrator's newest inventory, the racks' influence from the identified model. */
#include "agent/planner/brain_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/place/place.h"

#define INVENTORY_STALE_MS ((int64_t)10 * 60 * 1000)
#define MOVE_COST_W 30.0   /* some 50 W on two hosts for minutes, and the risk: earned back within the hour */
#define SELF_MAX 0.98      /* own lags of an inlet row: above it the row has no usable gain */
#define INFLUENCE_MAX 2e-3 /* K per W: 10 kW of neighbour at 20 K is beyond any real rack */
#define RHO_CP 1206.0      /* J/(m³ K) */
#define DESIGN_RISE_K 12.0 /* through a rack */
#define OWN_EXHAUST 0.3
#define INLET_RISE_K 0.1
#define VALUE_RATIO_PER_K 0.02 /* chiller power that one K of hottest-inlet room is worth (0.024 × 0.8) */

struct tables {
        size_t nrack;
        int *rack_of; /* [nequipment] dense rack index, −1 = no rack */
        double *inlet_c, *influence, *cooling;
        struct place_host *host;
        struct place_vm *vm;
        struct place_move *move;
        void *work;
};

/* What the racks' and air handlers' ratings allow at most, as in the safety layer's prior: a third of a rack's own
 * exhaust comes back, and the zone's air warms by its heat. A row that says nothing must not look like one that says
 * "no influence": the inlet check would pass whatever is put there. */
static double design_gain(const struct brain *b, size_t row, size_t rack_d)
{
        const struct layout_var *inlet = &b->a.layout->y[row], *rack = &b->a.layout->d[rack_d];
        const struct site *site = b->a.site;
        double gain = 0.0, flow = 0.0, zone_w = 0.0;

        for (size_t e = 0; e < site->nequipment; e++) {
                if (site->equipment[e].zone != rack->zone)
                        continue;
                if (site->equipment[e].cls == EQ_CRAH && site->equipment[e].airflow_m3s > 0.0)
                        flow += site->equipment[e].airflow_m3s;
                else if (site->equipment[e].cls == EQ_RACK)
                        zone_w += plant_rack_w(site, (int)e);
        }
        if (inlet->zone == rack->zone)
                gain += flow > 0.0 ? 1.0 / (RHO_CP * flow) : DESIGN_RISE_K / zone_w;
        if (inlet->equipment == rack->equipment)
                gain += OWN_EXHAUST * DESIGN_RISE_K / plant_rack_w(site, rack->equipment);
        return fmin(gain, INFLUENCE_MAX);
}

double brain_influence(const struct brain *b, size_t row, size_t rack_d)
{
        const struct arx_structure *st = b->model->structure;
        const struct layout *l = b->a.layout;
        const double *theta, *lo, *hi;
        struct arx_row_info info;
        const int zone = l->d[rack_d].zone;
        double self = 0.0, direct = 0.0;

        arx_row_info(b->model->arx, row, &info);
        if (!info.fitted)
                return design_gain(b, row, rack_d);
        arx_row(b->model->arx, row, &theta, &lo, &hi);
        for (size_t t = st->row_start[row]; t < st->row_start[row + 1]; t++, theta++) {
                const struct arx_term *q = &st->term[t];
                if (q->src == ARX_SRC_Y && q->index == row)
                        self += *theta;
                else if (q->src == ARX_SRC_D &&
                         (q->index == rack_d || (l->d[q->index].kind == D_ZONE_POWER && l->d[q->index].zone == zone)))
                        direct += *theta;
        }
        if (!(self < SELF_MAX))
                return design_gain(b, row, rack_d);
        return fmin(fmax(direct / (1.0 - self), 0.0), INFLUENCE_MAX);
}

/* Inlets now and their steady answer to each rack's power; several sensors of a rack count by the worst. */
static void fill_racks(const struct brain *b, const struct ipc_step *step, struct tables *t)
{
        const struct layout *l = b->a.layout;
        double cooling = 0.0;

        /* as measured; nothing is claimed for what is not metered */
        for (int k = ENERGY_CHILLERS; k < ENERGY_PARTS; k++)
                cooling += isfinite(step->power_w[k]) ? step->power_w[k] : 0.0;
        cooling = b->last.heat_w > 0.0 ? fmin(fmax(cooling / b->last.heat_w, 0.0), 1.0) : 0.0;
        for (size_t i = 0; i < t->nrack; i++) {
                t->inlet_c[i] = (double)NAN;
                t->cooling[i] = cooling;
        }
        for (size_t i = 0; i < l->ny; i++) {
                if (l->y[i].kind != Y_INLET || l->y[i].equipment < 0 || t->rack_of[l->y[i].equipment] < 0)
                        continue;
                const size_t to = (size_t)t->rack_of[l->y[i].equipment];
                if (!(step->y[i] <= t->inlet_c[to]) && isfinite(step->y[i]))
                        t->inlet_c[to] = step->y[i];
                for (size_t k = 0; k < l->nd; k++) {
                        if (l->d[k].kind != D_RACK_POWER || l->d[k].equipment < 0 || t->rack_of[l->d[k].equipment] < 0)
                                continue;
                        double *cell = &t->influence[to * t->nrack + (size_t)t->rack_of[l->d[k].equipment]];
                        *cell = fmax(*cell, brain_influence(b, i, k));
                }
        }
}

static void fill_machines(const struct inventory *inv, struct tables *t)
{
        for (size_t h = 0; h < inv->nhost; h++) {
                const struct inventory_host *from = &inv->host[h];
                const int rack = from->rack >= 0 ? t->rack_of[from->rack] : -1;
                t->host[h] = (struct place_host){.id = (uint32_t)h,
                                                 .rack = rack >= 0 ? rack : 0,
                                                 .cores = from->cores,
                                                 .mem_gib = from->mem_gib,
                                                 .idle_w = from->idle_w,
                                                 .max_w = from->max_w,
                                                 .sleep_w = from->sleep_w,
                                                 .reserved = from->reserved || rack < 0, /* no rack: hands off */
                                                 .can_sleep = true};
        }
        for (size_t v = 0; v < inv->nvm; v++) {
                const struct inventory_vm *from = &inv->vm[v];
                t->vm[v] = (struct place_vm){.id = (uint32_t)v,
                                             .host = (int)from->host,
                                             .cores = from->cores,
                                             .mem_gib = from->mem_gib,
                                             .cpu_cores = from->cpu_cores,
                                             .movable = from->movable,
                                             .group = from->group};
        }
}

static bool allocate(const struct site *site, const struct inventory *inv, struct tables *t, size_t *ret_work)
{
        t->rack_of = calloc(site->nequipment + 1, sizeof *t->rack_of);
        if (!t->rack_of)
                return false;
        for (size_t i = 0; i < site->nequipment; i++)
                t->rack_of[i] = site->equipment[i].cls == EQ_RACK ? (int)t->nrack++ : -1;
        if (t->nrack == 0)
                return false;
        *ret_work = place_work_size(inv->nhost, inv->nvm, t->nrack);
        t->inlet_c = calloc(t->nrack, sizeof *t->inlet_c);
        t->influence = calloc(t->nrack * t->nrack, sizeof *t->influence);
        t->cooling = calloc(t->nrack, sizeof *t->cooling);
        t->host = calloc(inv->nhost + 1, sizeof *t->host);
        t->vm = calloc(inv->nvm + 1, sizeof *t->vm);
        t->move = calloc(IPC_MOVE_MAX, sizeof *t->move);
        t->work = malloc(*ret_work);
        return t->inlet_c && t->influence && t->cooling && t->host && t->vm && t->move && t->work;
}

/* Twice what the hour's allowance leaves for one slow step: the gate refuses some, and more would only be searched for.
 */
static size_t moves_due(const struct site *site)
{
        double due = ceil(2.0 * site->vm.max_moves_per_hour * (double)site->slow_step_ms / 3600e3);

        return (size_t)fmin(fmax(due, 0.0), IPC_MOVE_MAX);
}

static void place(struct brain *b, const struct inventory *inv)
{
        const struct site *site = b->a.site;
        const struct ipc_step *step = &b->step;
        struct tables t = {0};
        size_t work_size, n;
        double chiller = step->power_w[ENERGY_CHILLERS];

        if (!allocate(site, inv, &t, &work_size))
                goto out;
        fill_racks(b, step, &t);
        fill_machines(inv, &t);
        if (!(chiller > 0.0))
                chiller = b->last.heat_w > 0.0 ? b->last.heat_w / 5.0 : 0.0;
        const struct place_problem p = {
            .nhost = inv->nhost,
            .nvm = inv->nvm,
            .nrack = t.nrack,
            .host = t.host,
            .vm = t.vm,
            .inlet_c = t.inlet_c,
            .influence = t.influence,
            .cooling_w_per_w = t.cooling,
            .inlet_max_c = site->limits.inlet_recommended_c - BRAIN_INLET_MARGIN_K, /* where the setpoints steer */
            .inlet_rise_k = INLET_RISE_K,
            .k_per_w_value = VALUE_RATIO_PER_K * chiller,
            .move_cost_w = MOVE_COST_W,
            .budget = moves_due(site),
            .evacuate_max = (size_t)site->vm.max_moves_per_hour,
        };
        n = place_plan(&p, t.work, work_size, t.move);
        for (size_t i = 0; i < n; i++) {
                struct ipc_move *m = &b->move[i];
                (void)snprintf(m->vm, sizeof m->vm, "%s", inv->vm[t.move[i].vm].name);
                (void)snprintf(m->from, sizeof m->from, "%s", inv->host[t.move[i].from].name);
                (void)snprintf(m->to, sizeof m->to, "%s", inv->host[t.move[i].to].name);
                m->power_w = t.move[i].power_w;
                m->gain_w = t.move[i].saved_w; /* what is told is what the meters can show */
        }
        b->nmove = (uint32_t)n;
out:
        free(t.rack_of);
        free(t.inlet_c);
        free(t.influence);
        free(t.cooling);
        free(t.host);
        free(t.vm);
        free(t.move);
        free(t.work);
}

static void place_if_fresh(struct brain *b, int64_t t_ms, const struct inventory *inv)
{
        b->vms = 0;
        if (!inv || b->step.head.t_ms - t_ms > INVENTORY_STALE_MS)
                return;
        b->vms = inv->nvm;
        place(b, inv);
}

void brain_place(struct brain *b)
{
        const struct inventory *given = b->a.inventory ? b->a.inventory(b->a.inventory_ctx) : NULL;
        struct inventory *inv = NULL;
        const char *why;
        char *json = NULL;
        int64_t t_ms;

        b->nmove = 0;
        if (given) {
                place_if_fresh(b, given->t_ms, given);
                return;
        }
        if (b->a.inventory || store_latest_vm_message(b->a.store, "inventory", &t_ms, &json) < 0)
                return;
        if (b->step.head.t_ms - t_ms <= INVENTORY_STALE_MS)
                (void)inventory_parse(b->a.site, json, strlen(json), &inv, &why);
        place_if_fresh(b, t_ms, inv);
        inventory_free(inv);
        free(json);
}
