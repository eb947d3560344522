/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What training needs beside the dataset: which equipment runs, and the metered powers. One pass over the store each.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/planner/train.h"
#include "agent/points/total.h"

#define FAN_RUNS_RATIO 0.05
#define STATUS_HOLD_STEPS 10

/* --- running ----------------------------------------------------------------------------------------------------- */

struct status_pass {
        const struct dataset *ds;
        int64_t step_ms;
        size_t npoint;
        int *slot; /* [npoint] −1 = not a status */
        size_t nslot;
        signed char *state; /* [nslot] −1 unknown */
        int64_t *seen_ms;   /* [nslot] */
        uint8_t *row;       /* [n × nslot] 0, 1, 2 = unknown */
        size_t at;          /* first row not yet closed */
};

static void close_rows(struct status_pass *p, int64_t t_ms)
{
        for (; p->at < p->ds->n && p->ds->t_ms[p->at] + p->step_ms <= t_ms; p->at++)
                for (size_t s = 0; s < p->nslot; s++) {
                        bool fresh =
                            p->state[s] >= 0 && p->ds->t_ms[p->at] - p->seen_ms[s] <= STATUS_HOLD_STEPS * p->step_ms;
                        p->row[p->at * p->nslot + s] = fresh ? (uint8_t)p->state[s] : 2;
                }
}

static int take_status(void *ctx, const struct sample *v, size_t n)
{
        struct status_pass *p = ctx;
        for (size_t i = 0; i < n; i++) {
                if (v[i].point >= p->npoint || p->slot[v[i].point] < 0 || v[i].quality != QUALITY_GOOD)
                        continue;
                close_rows(p, v[i].t_ms);
                p->state[p->slot[v[i].point]] = v[i].value > 0.5;
                p->seen_ms[p->slot[v[i].point]] = v[i].t_ms;
        }
        return 0;
}

/* The equipment's fan in the dataset: command or measurement; NaN = none. */
static double fan_of(const struct layout *l, const struct dataset *ds, size_t row, int equipment)
{
        for (size_t j = 0; j < l->nu; j++)
                if (l->u[j].kind == U_FAN && l->u[j].equipment == equipment)
                        return ds->u[row * ds->nu + j];
        for (size_t j = 0; j < l->nd; j++)
                if (l->d[j].kind == D_FAN && l->d[j].equipment == equipment)
                        return ds->d[row * ds->nd + j];
        return (double)NAN;
}

static void fill_running(const struct layout *l, const struct status_pass *p, uint8_t *ret)
{
        const struct dataset *ds = p->ds;
        for (size_t i = 0; i < l->ny; i++) {
                int equipment = l->y[i].equipment;
                int point = equipment >= 0 ? site_point_of(l->site, equipment, ROLE_CRAH_STATUS) : -1;
                bool masked = l->y[i].kind != Y_INLET && equipment >= 0;
                for (size_t k = 0; k < ds->n; k++) {
                        uint8_t *out = &ret[k * ds->ny + i];
                        *out = 1;
                        if (!masked)
                                continue;
                        if (point >= 0 && p->slot[point] >= 0 && p->row[k * p->nslot + (size_t)p->slot[point]] < 2) {
                                *out = p->row[k * p->nslot + (size_t)p->slot[point]];
                                continue;
                        }
                        double fan = fan_of(l, ds, k, equipment);
                        *out = !(fan < FAN_RUNS_RATIO);
                }
        }
}

int train_running(struct store *s, const struct layout *l, const struct dataset *ds, uint8_t *ret)
{
        struct status_pass p = {.ds = ds, .step_ms = llround(l->step_s * 1000.0), .npoint = l->site->npoint};
        p.slot = calloc(p.npoint + 1, sizeof *p.slot);
        if (!p.slot)
                return -ENOMEM;
        for (size_t k = 0; k < p.npoint; k++)
                p.slot[k] = l->site->point[k].role == ROLE_CRAH_STATUS ? (int)p.nslot++ : -1;
        p.state = malloc(p.nslot + 1);
        p.seen_ms = calloc(p.nslot + 1, sizeof *p.seen_ms);
        p.row = malloc(ds->n * p.nslot + 1);
        int r = p.state && p.seen_ms && p.row ? 0 : -ENOMEM;
        if (r == 0) {
                memset(p.state, -1, p.nslot + 1);
                memset(p.row, 2, ds->n * p.nslot + 1);
        }
        if (r == 0 && p.nslot && ds->n)
                r = store_read_samples(s, ds->t_ms[0], ds->t_ms[ds->n - 1] + p.step_ms, take_status, &p);
        if (r == 0) {
                close_rows(&p, INT64_MAX);
                fill_running(l, &p, ret);
        }
        free(p.slot);
        free(p.state);
        free(p.seen_ms);
        free(p.row);
        return r;
}

/* --- energy ------------------------------------------------------------------------------------------------------ */

double train_capacity_w(const struct site *site)
{
        double chillers = 0.0, air = 0.0;
        for (size_t k = 0; k < site->nequipment; k++) {
                double c = isfinite(site->equipment[k].capacity_w) ? site->equipment[k].capacity_w : 0.0;
                if (site->equipment[k].cls == EQ_CHILLER)
                        chillers += c;
                else if (site->equipment[k].cls == EQ_CRAH)
                        air += c;
        }
        return chillers > 0.0 ? chillers : air;
}

#define CHILLERS_ON ENERGY_PARTS /* slot behind the powers */

static int slot_of(enum role role)
{
        switch (role) {
        case ROLE_CRAH_POWER:
                return ENERGY_FANS;
        case ROLE_CHILLER_POWER:
                return ENERGY_CHILLERS;
        case ROLE_PUMP_POWER:
                return ENERGY_PUMPS;
        case ROLE_TOWER_POWER:
                return ENERGY_TOWERS;
        case ROLE_CHILLER_STATUS:
                return CHILLERS_ON;
        default:
                return -1;
        }
}

struct energy_pass {
        const struct layout *l;
        const struct dataset *ds;
        struct energy *e;
        int64_t slow_ms, bucket;
        bool open;
        double *sum; /* [npoint] of the bucket */
        uint32_t *n;
        size_t row; /* first dataset row of this or a later bucket */
        size_t added;
};

struct mean {
        double sum;
        size_t n;
};

static void mean_add(struct mean *m, double v)
{
        if (isfinite(v)) {
                m->sum += v;
                m->n++;
        }
}

static double mean_of(const struct mean *m)
{
        return m->n ? m->sum / (double)m->n : (double)NAN;
}

/* Power share of the fans at this row: Σ rated · speed³ / Σ rated; ret_w = in watts when data sheets give them. */
static double fan_share(const struct layout *l, const double *u, double *ret_w)
{
        double share = 0.0, rated = 0.0, w = 0.0;
        for (size_t j = 0; j < l->nu; j++) {
                if (l->u[j].kind != U_FAN)
                        continue;
                double p = l->u[j].equipment >= 0 ? l->site->equipment[l->u[j].equipment].fan_power_w : (double)NAN;
                share += (isfinite(p) ? p : 1.0) * u[j] * u[j] * u[j];
                rated += isfinite(p) ? p : 1.0;
                w += isfinite(p) ? p * u[j] * u[j] * u[j] : 0.0;
        }
        *ret_w = w;
        return rated > 0.0 ? share / rated : (double)NAN;
}

static void row_state(const struct energy_pass *p, size_t k, struct mean *fan, struct mean *heat, struct mean *t)
{
        const struct layout *l = p->l;
        const double *u = p->ds->u + k * l->nu, *y = p->ds->y + k * l->ny, *d = p->ds->d + k * l->nd;
        struct mean chw_sp = {0}, chw = {0}, cw = {0}, wet = {0}, valve = {0};
        struct total it = {0};
        double fan_w;
        mean_add(fan, fan_share(l, u, &fan_w));
        for (size_t j = 0; j < l->nu; j++) {
                if (l->u[j].kind == U_CHWST)
                        mean_add(&chw_sp, u[j]);
                else if (l->u[j].kind == U_CWST)
                        mean_add(&cw, u[j]);
        }
        for (size_t j = 0; j < l->nd; j++) {
                if (l->d[j].kind == D_RACK_POWER) {
                        total_add(&it, d[j]);
                } else if (l->d[j].kind == D_CHW_TEMP) {
                        mean_add(&chw, d[j]);
                } else if (l->d[j].kind == D_WETBULB) {
                        mean_add(&wet, d[j]);
                }
        }
        for (size_t i = 0; i < l->ny; i++)
                if (l->y[i].kind == Y_VALVE)
                        mean_add(&valve, y[i]);
        mean_add(heat, total_value(&it) + fan_w);
        mean_add(&t[0], mean_of(chw.n ? &chw : &chw_sp));
        mean_add(&t[1], mean_of(&cw));
        mean_add(&t[2], mean_of(&wet));
        mean_add(&t[3], mean_of(&valve));
}

static void close_bucket(struct energy_pass *p)
{
        const struct site *site = p->l->site;
        struct total part[ENERGY_PARTS + 1] = {0};
        for (size_t k = 0; k < site->npoint; k++) {
                int slot = slot_of(site->point[k].role);
                if (slot < 0)
                        continue;
                total_add(&part[slot], p->n[k] ? p->sum[k] / p->n[k] : (double)NAN);
                p->sum[k] = 0.0;
                p->n[k] = 0;
        }
        struct mean fan = {0}, heat = {0}, t[4] = {{0}};
        while (p->row < p->ds->n && p->ds->t_ms[p->row] / p->slow_ms < p->bucket)
                p->row++;
        for (; p->row < p->ds->n && p->ds->t_ms[p->row] / p->slow_ms == p->bucket; p->row++)
                row_state(p, p->row, &fan, &heat, t);
        struct energy_sample s = {
            .fan_ratio_cubed = mean_of(&fan),
            .heat_w = mean_of(&heat),
            .chwst_c = mean_of(&t[0]),
            .cwst_c = mean_of(&t[1]),
            .wetbulb_c = mean_of(&t[2]),
            .chillers_on = total_all_known(&part[CHILLERS_ON]),
            .valve_mean_ratio = mean_of(&t[3]),
        };
        for (size_t k = 0; k < ENERGY_PARTS; k++)
                s.power_w[k] = total_value(&part[k]);
        struct energy_info before, after;
        energy_info(p->e, &before);
        energy_add(p->e, &s);
        energy_info(p->e, &after);
        p->added += after.samples > before.samples;
}

static int take_power(void *ctx, const struct sample *v, size_t n)
{
        struct energy_pass *p = ctx;
        for (size_t i = 0; i < n; i++) {
                if (v[i].point >= p->l->site->npoint || v[i].quality != QUALITY_GOOD || !isfinite(v[i].value) ||
                    slot_of(p->l->site->point[v[i].point].role) < 0)
                        continue;
                int64_t bucket = v[i].t_ms / p->slow_ms;
                if (p->open && bucket != p->bucket)
                        close_bucket(p);
                p->open = true;
                p->bucket = bucket;
                p->sum[v[i].point] += v[i].value;
                p->n[v[i].point]++;
        }
        return 0;
}

int train_energy(struct store *s, const struct layout *l, const struct dataset *ds, struct energy *e,
                 size_t *ret_samples)
{
        struct energy_pass p = {.l = l, .ds = ds, .e = e, .slow_ms = l->site->slow_step_ms};
        if (p.slow_ms <= 0)
                return -EINVAL;
        p.sum = calloc(l->site->npoint + 1, sizeof *p.sum);
        p.n = calloc(l->site->npoint + 1, sizeof *p.n);
        int r = p.sum && p.n ? 0 : -ENOMEM;
        if (r == 0 && ds->n)
                r = store_read_samples(s, ds->t_ms[0], ds->t_ms[ds->n - 1] + llround(l->step_s * 1000.0), take_power,
                                       &p);
        if (r == 0 && p.open)
                close_bucket(&p);
        free(p.sum);
        free(p.n);
        if (r == 0)
                *ret_samples = p.added;
        return r;
}
