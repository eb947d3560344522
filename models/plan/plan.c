/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/plan/plan_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/num/rng.h"

#define CHILLER_SLOPE_PER_K 0.024 /* chiller power saved per K of warmer chilled water (published curves: 1–4 %) */
#define COP_UNKNOWN 5.0
#define CHAIN_OPEN 0.8    /* part of a warmer supply that ends up as warmer water while the water may still rise */
#define CHAIN_CLOSED 0.15 /* … once it may not: less flow and less dehumidification remain */
#define EXPLORE_BIAS 0.15 /* drift of the random walk, part of its amplitude */
#define RELAX_NEAR 0.15   /* of the rate, toward less cooling, near the targets … */
#define CALM_K 0.7        /* below its target by this much an inlet lets more cooling take its time */
#define RELAX_FAR 0.2     /* … and with kelvins of room: a room warmed fast is a room warmed too far */
#define RISE_FREE_K 0.3   /* an inlet's rise over the window (12 min) that leaves relaxing its pace … */
#define RISE_STOP_K 1.0   /* … and that stops it */
#define RMSE_UNTRUSTED_K 1.0
#define JUMP_UNTRUSTED_K 8.0

void plan_args_default(struct plan_args *ret)
{
        *ret = (struct plan_args){
            .horizon = 20,
            .iter_max = 40,
            .explore_k = 0.1,
            .spread_k = 1.0,
            .trust = 3.0,
            .capacity_margin = 0.15,
            .tower_approach_k = 3.0,
            .slow_step_s = 300.0,
            .seed = 1,
        };
}

struct slicer {
        unsigned char *base; /* NULL: only counting */
        size_t used;
};

static void *slice(struct slicer *s, size_t n, size_t size)
{
        void *at = s->base ? s->base + s->used : NULL;
        s->used += (n * size + 15u) / 16u * 16u;
        return at;
}

static void lay_out_sums(struct slicer *s, const struct plan *p, struct plan_sums *sums, size_t longest)
{
        const size_t slots = plan_sums_slots(p, longest);

        sums->target = slice(s, p->width, sizeof *sums->target);
        sums->slot = slice(s, p->width, sizeof *sums->slot);
        sums->count = slice(s, p->width, sizeof *sums->count);
        sums->first = slice(s, p->width / 4 + 2, sizeof *sums->first);
        sums->coef = slice(s, slots, sizeof *sums->coef);
        sums->off = slice(s, slots, sizeof *sums->off);
}

static void lay_out(struct slicer *s, struct plan *p)
{
        const size_t rows = p->lag_max + p->args.horizon;

        p->u = slice(s, p->nu, sizeof *p->u);
        p->y = slice(s, p->npy, sizeof *p->y);
        p->handler = slice(s, p->nu, sizeof *p->handler);
        p->rat = slice(s, p->nd * p->args.horizon, sizeof(double));
        p->rise_k = slice(s, p->npy, sizeof(double));
        p->acts = slice(s, p->nu * p->npy, 1);
        p->row_ok = slice(s, p->ny, 1);
        p->free = slice(s, p->nu, 1);
        p->z = slice(s, rows * p->width, sizeof(double));
        p->g = slice(s, (rows + p->lag_max) * p->width, sizeof(double));
        p->theta = slice(s, p->nterm, sizeof *p->theta);
        p->by_lag = slice(s, p->nterm, sizeof *p->by_lag);
        p->row_of = slice(s, p->nterm, sizeof *p->row_of);
        p->wanted = slice(s, p->width, 1);
        lay_out_sums(s, p, &p->ahead, ARX_TERMS_MAX);
        lay_out_sums(s, p, &p->back, p->ny * p->lag_max);
        p->offset = slice(s, p->ny, sizeof *p->offset);
        p->slope = slice(s, p->args.horizon * p->npy, sizeof *p->slope);
        p->share = slice(s, p->args.horizon * p->npy, sizeof *p->share);
        p->shares = slice(s, p->args.horizon, sizeof *p->shares);
        double **v[] = {&p->now,       &p->value, &p->target, &p->trial, &p->grad,
                        &p->grad_prev, &p->best,  &p->saved,  &p->was,   &p->vain_until};
        for (size_t i = 0; i < sizeof v / sizeof *v; i++)
                *v[i] = slice(s, p->nu, sizeof(double));
}

static struct plan dims(const struct arx_structure *st, size_t nu, size_t ny, const struct plan_args *a)
{
        struct plan p = {.args = *a, .nu = nu, .ny = st->ny, .nd = st->nd, .npy = ny, .lag_max = st->lag_max};
        p.nterm = st->nterm;
        p.width = st->ny + nu + st->nd + 1;
        return p;
}

size_t plan_memsize(const struct arx_structure *st, size_t nu, size_t ny, const struct plan_args *a)
{
        struct slicer s = {NULL, 0};
        struct plan p = dims(st, nu, ny, a);

        (void)slice(&s, 1, sizeof p);
        lay_out(&s, &p);
        return s.used;
}

static bool args_ok(const struct plan_args *a, const struct arx_structure *st)
{
        return a->horizon >= 2 && a->horizon <= 64 && a->iter_max > 0 && a->explore_k >= 0.0 && a->explore_k <= 1.0 &&
               a->spread_k >= 0.0 && a->trust >= 0.0 && a->capacity_margin >= 0.0 && a->tower_approach_k >= 0.0 &&
               a->slow_step_s > 0.0 && a->slow_step_s <= 86400.0 && a->nd_chw <= st->nd &&
               (a->nd_chw == 0 || a->d_chw <= st->nd - a->nd_chw);
}

static bool u_ok(const struct plan_u *u, size_t nd)
{
        return u->d_rat < (int)nd && u->lo <= u->hi && isfinite(u->lo) && isfinite(u->hi) && u->rate >= 0.0 &&
               isfinite(u->rate) && u->dead_band >= 0.0 && u->dead_band <= u->rate && u->nominal >= u->lo &&
               u->nominal <= u->hi && u->rated_w >= 0.0 && isfinite(u->rated_w);
}

static bool y_ok(const struct plan_y *y, size_t ny)
{
        return y->row < ny && isfinite(y->target_max) && y->weight >= 0.0 && isfinite(y->weight) &&
               (isnan(y->knee) || (y->knee_w_per_k >= 0.0 && isfinite(y->knee_w_per_k))) && y->leak_w_per_k >= 0.0 &&
               isfinite(y->leak_w_per_k);
}

/* The valve whose row has this setpoint among its regressors. */
static size_t own_valve(const struct plan *p, const struct arx_structure *st, size_t sat)
{
        for (size_t a = 0; a < p->npy; a++) {
                const size_t row = p->y[a].row;
                if (p->y[a].kind != PLAN_Y_VALVE)
                        continue;
                for (size_t t = st->row_start[row]; t < st->row_start[row + 1]; t++)
                        if (st->term[t].src == ARX_SRC_U && st->term[t].index == sat)
                                return row;
        }
        return SIZE_MAX;
}

/* Air handlers with both commands and a return air temperature, those of a zone side by side. */
static void find_handlers(struct plan *p, const struct arx_structure *st)
{
        for (size_t j = 0; j < p->nu; j++) {
                if (p->u[j].kind != PLAN_U_SAT || p->u[j].d_rat < 0)
                        continue;
                for (size_t f = 0; f < p->nu; f++) {
                        if (p->u[f].kind != PLAN_U_FAN || p->u[f].d_rat != p->u[j].d_rat)
                                continue;
                        size_t at = p->nhandler++;
                        for (; at > 0 && p->handler[at - 1].zone > p->u[j].zone; at--)
                                p->handler[at] = p->handler[at - 1];
                        p->handler[at] = (struct plan_handler){.sat = j,
                                                               .fan = f,
                                                               .d = (size_t)p->u[j].d_rat,
                                                               .zone = p->u[j].zone,
                                                               .valve = own_valve(p, st, j)};
                        break;
                }
        }
}

/* acts: u is a regressor of the output's row, or of the row of an output that is a regressor of it. */
static void find_influence(struct plan *p, const struct arx_structure *st)
{
        for (size_t a = 0; a < p->npy; a++) {
                const size_t row = p->y[a].row;
                for (size_t t = st->row_start[row]; t < st->row_start[row + 1]; t++) {
                        const struct arx_term *q = &st->term[t];
                        if (q->src == ARX_SRC_U)
                                p->acts[q->index * p->npy + a] = 1;
                        if (q->src != ARX_SRC_Y || q->index == row)
                                continue;
                        for (size_t s = st->row_start[q->index]; s < st->row_start[q->index + 1u]; s++)
                                if (st->term[s].src == ARX_SRC_U)
                                        p->acts[st->term[s].index * p->npy + a] = 1;
                }
        }
}

int plan_create(void *mem, size_t size, const struct arx_structure *st, const struct plan_u *u, size_t nu,
                const struct plan_y *y, size_t ny, const struct plan_args *a, struct plan **ret)
{
        struct slicer s = {mem, 0};

        if (nu == 0 || nu > 512 || nu != st->nu || st->ny == 0 || st->lag_max == 0 || !args_ok(a, st))
                return -EINVAL;
        for (size_t j = 0; j < nu; j++)
                if (!u_ok(&u[j], st->nd))
                        return -EINVAL;
        for (size_t i = 0; i < ny; i++)
                if (!y_ok(&y[i], st->ny))
                        return -EINVAL;
        if (size < plan_memsize(st, nu, ny, a))
                return -EINVAL;

        memset(mem, 0, size);
        struct plan *p = slice(&s, 1, sizeof *p);
        *p = dims(st, nu, ny, a);
        lay_out(&s, p);
        memcpy(p->u, u, nu * sizeof *u);
        if (ny)
                memcpy(p->y, y, ny * sizeof *y);
        p->staging.asked = SIZE_MAX;
        plan_order_terms(p, st);
        find_influence(p, st);
        find_handlers(p, st);
        *ret = p;
        return 0;
}

/* Copies one signal's last lag_max values into column `at` of the table, filling holes with the value before them, else
 * after them. */
static bool fill(struct plan *p, const double *src, size_t n, size_t nsrc, size_t col, size_t at)
{
        const size_t rows = p->lag_max;
        double last = (double)NAN;

        for (size_t r = 0; r < n; r++) {
                const double v = src[r * nsrc + col];
                if (isfinite(v))
                        last = v;
                if (r + rows >= n)
                        p->z[(r + rows - n) * p->width + at] = last;
        }
        if (!isfinite(last))
                return false;
        for (size_t r = rows; r-- > 0;) {
                double *v = &p->z[r * p->width + at];
                if (isfinite(*v))
                        last = *v;
                else
                        *v = last;
        }
        return true;
}

static bool term_known(const struct plan *p, const struct plan_input *in, const struct arx_term *q)
{
        const size_t r = p->lag_max - 1;
        switch (q->src) {
        case ARX_SRC_U:
                return isfinite(in->u_now[q->index]);
        case ARX_SRC_Y:
                return isfinite(*plan_y_at(p, r, q->index));
        case ARX_SRC_D:
                return isfinite(*plan_d_at(p, r, q->index));
        default:
                return true;
        }
}

static void find_usable_rows(struct plan *p, const struct plan_input *in)
{
        const struct arx_structure *st = arx_structure(in->model);

        for (size_t i = 0; i < p->ny; i++) {
                struct arx_row_info info;
                arx_row_info(in->model, i, &info);
                p->row_ok[i] = info.fitted && isfinite(*plan_y_at(p, p->lag_max - 1, i));
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1] && p->row_ok[i]; t++)
                        p->row_ok[i] = term_known(p, in, &st->term[t]);
        }
}

/* Inlets are predicted from where they are: what the model has been missing there stays (arx_offset). */
static void find_offsets(struct plan *p, const struct plan_input *in)
{
        memset(p->offset, 0, p->ny * sizeof *p->offset);
        for (size_t a = 0; a < p->npy; a++)
                if (p->y[a].kind == PLAN_Y_INLET && p->row_ok[p->y[a].row])
                        p->offset[p->y[a].row] = arx_offset(in->model, p->y[a].row, &in->window);
}

/* A variable moves only when every output it acts on is modelled: what is not seen must not be driven. */
static void find_free(struct plan *p, const struct arx *m)
{
        const struct arx_structure *st = arx_structure(m);

        for (size_t j = 0; j < p->nu; j++) {
                bool cools = false;
                p->free[j] = p->u[j].kind == PLAN_U_SAT || p->u[j].kind == PLAN_U_FAN;
                for (size_t a = 0; a < p->npy; a++) {
                        if (!p->acts[j * p->npy + a])
                                continue;
                        cools = cools || p->y[a].kind == PLAN_Y_INLET;
                        if (p->y[a].kind == PLAN_Y_INLET && !p->row_ok[p->y[a].row])
                                p->free[j] = 0;
                }
                if (!cools)
                        p->free[j] = 0;
        }
        for (size_t i = 0; i < p->ny; i++) {
                if (p->row_ok[i])
                        continue;
                bool valve = false;
                for (size_t a = 0; a < p->npy; a++)
                        valve = valve || (p->y[a].row == i && p->y[a].kind == PLAN_Y_VALVE);
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1] && !valve; t++)
                        if (st->term[t].src == ARX_SRC_U)
                                p->free[st->term[t].index] = 0;
        }
}

/* Means of three readings now and at the window's start: noise is no rise. */
static void find_rises(struct plan *p, const struct arx_window *w)
{
        for (size_t a = 0; a < p->npy; a++) {
                double change = 0.0;
                p->rise_k[a] = 0.0;
                if (p->y[a].kind != PLAN_Y_INLET || w->n < 6)
                        continue;
                for (size_t r = 0; r < 3; r++)
                        change += (w->y[(w->n - 1 - r) * p->ny + p->y[a].row] - w->y[r * p->ny + p->y[a].row]) / 3.0;
                if (isfinite(change))
                        p->rise_k[a] = change;
        }
}

bool plan_load_window(struct plan *p, const struct plan_input *in)
{
        const struct arx_structure *st = in->model ? arx_structure(in->model) : NULL;
        const size_t l = p->lag_max, n = in->window.n;

        if (!st || st->ny != p->ny || st->nu != p->nu || st->nd != p->nd || st->lag_max != l || st->nterm != p->nterm ||
            n < l)
                return false;
        for (size_t i = 0; i < p->ny; i++)
                if (!fill(p, in->window.y, n, p->ny, i, i))
                        *plan_y_at(p, l - 1, i) = (double)NAN;
        for (size_t j = 0; j < p->nu; j++)
                if (!fill(p, in->window.u, n, p->nu, j, p->ny + j))
                        for (size_t r = 0; r < l; r++)
                                plan_put_u(p, r, j, p->now[j]);
        for (size_t i = 0; i < p->nd; i++) {
                const bool known = fill(p, in->window.d, n, p->nd, i, p->ny + p->nu + i);
                double last = known ? *plan_d_at(p, l - 1, i) : (double)NAN;
                for (size_t k = 0; k < p->args.horizon; k++) {
                        const double v = in->d_future ? in->d_future[k * p->nd + i] : (double)NAN;
                        if (isfinite(v) && known)
                                last = v;
                        *plan_d_at(p, l - 1 + k, i) = last;
                }
        }
        for (size_t h = 0; h < p->nhandler; h++) {
                struct plan_handler *v = &p->handler[h];
                const double lift = *plan_d_at(p, l - 1, v->d) - p->now[v->sat], fan = p->now[v->fan];
                v->input = plan_fan_input(fan);
                v->k_per_input = lift > 0.0 && lift < 40.0 && fan > PLAN_FAN_MIN ? lift * fan / (0.5 * 0.5) : 0.0;
                for (size_t k = 0; k < p->args.horizon; k++)
                        p->rat[v->d * p->args.horizon + k] = *plan_d_at(p, l - 1 + k, v->d);
        }
        for (size_t r = 0; r < l + p->args.horizon; r++)
                p->z[r * p->width + p->width - 1] = 1.0;
        for (size_t k = 0; k < p->args.horizon; k++)
                for (size_t j = 0; j < p->nu; j++)
                        plan_put_u(p, l - 1 + k, j, p->now[j]);
        find_rises(p, &in->window);
        plan_anchor_valves(p);
        find_usable_rows(p, in);
        find_offsets(p, in);
        find_free(p, in->model);
        plan_compile(p, in->model);
        return true;
}

/* Chiller power saved per K of warmer chilled water. */
static double water_slope(const struct plan_input *in, double chiller_w)
{
        struct energy_sample s = in->plant;
        struct energy_estimate cold, warm;
        double slope = CHILLER_SLOPE_PER_K * chiller_w;

        if (in->energy && energy_predict(in->energy, &s, &cold)) {
                s.chwst_c += 0.5;
                if (energy_predict(in->energy, &s, &warm) && isfinite(cold.power_w - warm.power_w))
                        slope = plan_clamp((cold.power_w - warm.power_w) / 0.5, 0.005 * chiller_w, 0.04 * chiller_w);
        }
        return slope;
}

/* Pump power per opening of one valve, about the measured point. */
static double pump_slope(const struct plan *p, const struct plan_input *in)
{
        const double pump = in->plant.power_w[ENERGY_PUMPS], valve = in->plant.valve_mean_ratio;
        size_t nvalve = 0;

        for (size_t a = 0; a < p->npy; a++)
                nvalve += p->y[a].kind == PLAN_Y_VALVE;
        if (nvalve == 0 || !(pump > 0.0 && isfinite(pump)) || !(valve > 0.1 && valve <= 1.05))
                return 0.0;
        return pump * PLAN_PUMP_EXPONENT * pow(valve, PLAN_PUMP_EXPONENT - 1.0) / (double)nvalve;
}

static double valve_sum(const struct plan *p)
{
        double sum = 0.0;

        for (size_t a = 0; a < p->npy; a++)
                if (p->y[a].kind == PLAN_Y_VALVE)
                        sum += *plan_y_at(p, p->lag_max - 1, p->y[a].row);
        return sum;
}

/* Every valve that matters is modelled, and the chilled water could rise if the widest of them closed. */
static bool valves_bind(const struct plan *p)
{
        double chwst_room = 0.0, coldest = (double)INFINITY;
        size_t nvalve = 0;

        for (size_t j = 0; j < p->nu; j++)
                if (p->u[j].kind == PLAN_U_SAT && p->now[j] < coldest)
                        coldest = p->now[j];
        for (size_t j = 0; j < p->nu; j++)
                if (p->u[j].kind == PLAN_U_CHWST)
                        chwst_room = fmax(chwst_room, fmin(p->u[j].hi, coldest - PLAN_SUPPLY_APPROACH_K) - p->now[j]);
        for (size_t a = 0; a < p->npy; a++) {
                if (p->y[a].kind != PLAN_Y_VALVE)
                        continue;
                nvalve++;
                if (!p->row_ok[p->y[a].row])
                        return false;
        }
        return nvalve > 0 && chwst_room > 0.25;
}

/* What warmer water is worth, and through what: the widest valve while that keeps the water cold, else supply air. */
static void value_warmth(struct plan *p, const struct plan_input *in)
{
        double heat = in->plant.heat_w, capacity = 0.0, fans = 0.0, chiller, slope, chain = CHAIN_CLOSED;
        size_t nsat = 0;

        for (size_t j = 0; j < p->nu; j++) {
                const struct plan_u *u = &p->u[j];
                if (u->kind == PLAN_U_SAT) {
                        nsat++;
                        capacity += u->rated_w;
                } else if (u->kind == PLAN_U_FAN) {
                        fans += u->rated_w;
                } else if (u->kind == PLAN_U_CHWST && p->now[j] < u->hi - 0.25) {
                        chain = CHAIN_OPEN;
                }
        }
        if (!(heat > 0.0))
                heat = capacity > 0.0 ? 0.5 * capacity : 15.0 * fans;
        chiller = in->plant.power_w[ENERGY_CHILLERS];
        if (!(chiller > 0.0 && isfinite(chiller)))
                chiller = heat / COP_UNKNOWN;
        slope = water_slope(in, chiller);
        p->fan_price = 1.0 + plan_clamp(chiller / heat, 0.0, 0.5);

        p->pump_price_w = pump_slope(p, in);
        p->valve_price_w = 0.0;
        if (valves_bind(p) && plan_valve_now(p) > 0.05) {
                /* Either the water gets warmer or the pumps rest: what closing all valves saves there counts once. */
                const double opens = plan_valve_slope(p), pumps = p->pump_price_w * opens * valve_sum(p);
                p->valve_price_w = fmax(CHAIN_OPEN * slope - pumps, 0.0) / (plan_valve_now(p) * opens);
                chain = CHAIN_CLOSED;
        }
        for (size_t j = 0; j < p->nu; j++) {
                p->value[j] = 0.0;
                if (p->u[j].kind == PLAN_U_SAT)
                        p->value[j] =
                            chain * slope * (capacity > 0.0 ? p->u[j].rated_w / capacity : 1.0 / (double)nsat);
        }
}

double plan_room_k(const struct plan *p, size_t j)
{
        double room = (double)INFINITY;
        for (size_t a = 0; a < p->npy; a++) {
                const double v = *plan_y_at(p, p->lag_max - 1, p->y[a].row);
                if (p->acts[j * p->npy + a] && p->y[a].kind == PLAN_Y_INLET &&
                    p->y[a].target_max - p->caution_k - v < room)
                        room = p->y[a].target_max - p->caution_k - v;
        }
        return room;
}

/* +1 when every inlet the variable acts on has room (drift warmer), −1 when one is over its target. */
static double room_of(const struct plan *p, size_t j)
{
        return plan_clamp(plan_room_k(p, j), -1.0, 1.0);
}

static double toward_less_cooling(const struct plan_u *u, double change)
{
        return u->kind == PLAN_U_FAN || u->kind == PLAN_U_CHILLER ? -change : change;
}

/* How much of its pace toward less cooling a variable keeps while inlets it acts on are getting warmer: servers are
 * spared fast changes, and what is on its way has not arrived yet. */
static double patience(const struct plan *p, size_t j)
{
        double rise = 0.0;

        for (size_t a = 0; a < p->npy; a++)
                if (p->acts[j * p->npy + a] && p->rise_k[a] > rise)
                        rise = p->rise_k[a];
        return plan_clamp((RISE_STOP_K - rise) / (RISE_STOP_K - RISE_FREE_K), 0.0, 1.0);
}

/* First action: toward more cooling at the variable's rate unless there is room; toward less cooling slowly where
 * inlets are near their targets, because the model is linear and the room is not. What is slower than the gate's
 * dead-band is saved up; a wish that turns round starts anew, so that a plan that cannot decide moves nothing. */
static double first_action(struct plan *p, size_t j)
{
        const struct plan_u *u = &p->u[j];
        const double wish = p->best[j] - p->now[j], change = plan_clamp(wish, -u->rate, u->rate);
        const bool less = toward_less_cooling(u, change) > 0.0;
        const double pace =
            plan_clamp(0.1 * plan_room_k(p, j), RELAX_NEAR, RELAX_FAR) * u->rate * (less ? patience(p, j) : 1.0);
        const bool urgent = !less && !(plan_room_k(p, j) > CALM_K);
        double step;

        if (fabs(wish) < u->dead_band || urgent || p->saved[j] * change < 0.0)
                p->saved[j] = 0.0;
        if (fabs(wish) < u->dead_band)
                return p->now[j];
        if (urgent)
                return p->now[j] + change;
        p->saved[j] += plan_clamp(change, -pace, pace);
        if (fabs(p->saved[j]) < u->dead_band)
                return p->now[j];
        step = plan_clamp(p->saved[j], -fabs(change), fabs(change));
        p->saved[j] = 0.0;
        return p->now[j] + step;
}

/* true when some variable moves toward less cooling; a proposal that does not needs no confidence */
static bool relaxes(const struct plan *p, const double *u)
{
        for (size_t j = 0; j < p->nu; j++)
                if (toward_less_cooling(&p->u[j], u[j] - p->now[j]) > 1e-9)
                        return true;
        return false;
}

static void explore(struct plan *p, const struct plan_input *in, bool window_known, double *u)
{
        const double valve = window_known ? plan_valve_now(p) : (double)NAN;
        struct rng rng;

        rng_seed(&rng, p->args.seed, in->step);
        for (size_t j = 0; j < p->nu; j++) {
                const struct plan_u *v = &p->u[j];
                const double r = rng_range(&rng, -1.0, 1.0); /* drawn for all, so that streams do not depend on kinds */
                double reach = p->args.explore_k * (v->hi - v->lo), drift = 0.0;

                if (reach > v->rate)
                        reach = v->rate;
                switch (v->kind) {
                case PLAN_U_SAT:
                        drift = window_known ? EXPLORE_BIAS * room_of(p, j) : 0.0;
                        break;
                case PLAN_U_FAN:
                        drift = window_known ? -EXPLORE_BIAS * room_of(p, j) : 0.0;
                        break;
                case PLAN_U_CHWST:
                        drift = valve < PLAN_VALVE_RAISE_BELOW ? 0.5 : valve >= PLAN_VALVE_RAISE_BELOW ? -0.5 : 0.0;
                        break;
                case PLAN_U_CWST:
                        break;
                case PLAN_U_CHILLER:
                        continue;
                }
                if ((v->kind == PLAN_U_CHWST || v->kind == PLAN_U_CWST) && !in->slow_step)
                        continue;
                u[j] = p->now[j] + plan_clamp(r + drift, -1.0, 1.0) * reach;
                /* a wall reflects, so that the walk does not stick to it */
                if (u[j] > v->hi)
                        u[j] = 2.0 * v->hi - u[j];
                if (u[j] < v->lo)
                        u[j] = 2.0 * v->lo - u[j];
                if (v->kind == PLAN_U_CHWST && window_known && u[j] > p->now[j] && plan_least_room_k(p) < 0.0)
                        u[j] = p->now[j];
                if (v->kind == PLAN_U_CWST && u[j] < in->plant.wetbulb_c + p->args.tower_approach_k)
                        u[j] = p->now[j];
        }
        if (in->slow_step)
                plan_stage_if_short(p, &in->plant, u);
        (void)snprintf(p->move, sizeof p->move, "explore");
}

static void predict_energy(struct plan *p, const struct plan_input *in, struct plan_output *ret)
{
        struct energy_sample s = plan_sample_with(p, &in->plant, ret->u);
        struct energy_estimate e, here;

        if (!in->energy || !energy_predict(in->energy, &s, &e))
                return;
        ret->predicted_w = e.power_w;
        ret->predicted_std_w = e.std_w;
        /* being somewhere new is not the proposal's doing; going further is */
        if (!(e.distance <= p->args.trust) &&
            !(energy_predict(in->energy, &in->plant, &here) && e.distance <= here.distance + 0.01))
                ret->in_distribution = false;
}

/* Believable: the rows that matter have small errors, and nothing is predicted to jump. */
static bool believable(const struct plan *p, const struct arx *m)
{
        for (size_t a = 0; a < p->npy; a++) {
                const size_t i = p->y[a].row;
                struct arx_row_info info;
                if (p->y[a].kind != PLAN_Y_INLET || !p->row_ok[i])
                        continue;
                arx_row_info(m, i, &info);
                if (info.rmse > RMSE_UNTRUSTED_K)
                        return false;
                const double now = *plan_y_at(p, p->lag_max - 1, i);
                const double end = *plan_y_at(p, p->lag_max + p->args.horizon - 1, i);
                if (!(fabs(end - now) <= JUMP_UNTRUSTED_K))
                        return false;
        }
        return true;
}

/* Air handlers that cannot be read: what reads them is not modelled, and nothing that acts on that moves. Nothing
 * counts when it is half of them or more, a chiller or a water setpoint, or when the identification needs them all. */
static bool enough_known(const struct plan *p, const struct plan_input *in, bool usable)
{
        size_t nfast = 0, nread = 0;

        if (!usable || in->explore)
                return p->all_known;
        for (size_t j = 0; j < p->nu; j++) {
                const bool is_fast = p->u[j].kind == PLAN_U_SAT || p->u[j].kind == PLAN_U_FAN;
                if (!is_fast && !isfinite(in->u_now[j]))
                        return false;
                nfast += is_fast;
                nread += is_fast && isfinite(in->u_now[j]);
        }
        return nread == nfast || 2 * nread > nfast;
}

void plan_step(struct plan *p, const struct plan_input *in, struct plan_output *ret)
{
        bool known, usable;

        memset(ret, 0, sizeof *ret);
        ret->predicted_w = ret->predicted_std_w = ret->predicted_max_inlet_c = (double)NAN;
        p->all_known = true;
        for (size_t j = 0; j < p->nu; j++) {
                const bool is_known = isfinite(in->u_now[j]);
                p->all_known = p->all_known && is_known;
                p->now[j] = is_known ? plan_clamp(in->u_now[j], p->u[j].lo, p->u[j].hi) : p->u[j].nominal;
                ret->u[j] = p->now[j];
        }
        p->caution_k = in->caution_k >= 0.0 && in->caution_k < 20.0 ? in->caution_k : 0.0;
        p->knee_scale = in->knee_scale > 0.0 && isfinite(in->knee_scale) ? in->knee_scale : 1.0;
        p->move[0] = '\0';
        ret->move = p->move;
        p->slow_count += in->slow_step;
        if (in->slow_step) {
                plan_observe_staging(p, in);
                plan_observe_economiser(p, in);
        }

        usable = plan_load_window(p, in);
        known = enough_known(p, in, usable);
        ret->in_distribution = known;
        p->planned = p->planned && usable && !in->explore;
        if (usable && !in->explore) {
                value_warmth(p, in);
                plan_fast(p);
                for (size_t j = 0; j < p->nu; j++)
                        if (p->free[j])
                                ret->u[j] = first_action(p, j);
                ret->predicted_max_inlet_c = plan_hottest(p);
                ret->in_distribution = ret->in_distribution && believable(p, in->model);
                if (in->slow_step && known)
                        plan_slow(p, in, ret->u);
        } else if (in->explore) {
                explore(p, in, usable, ret->u);
                if (usable) {
                        for (size_t k = 0; k < p->args.horizon; k++)
                                for (size_t j = 0; j < p->nu; j++)
                                        plan_put_u(p, p->lag_max - 1 + k, j, ret->u[j]);
                        plan_simulate(p);
                        ret->predicted_max_inlet_c = plan_hottest(p);
                }
        }
        for (size_t j = 0; j < p->nu; j++)
                ret->u[j] = plan_clamp(ret->u[j], p->u[j].lo, p->u[j].hi);
        predict_energy(p, in, ret);
        if (in->explore || !relaxes(p, ret->u))
                ret->in_distribution = known; /* leaving the data is the purpose */
}
