/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Fast plan. Each free variable gets one target, approached at its rate: u[k] = u_now + clamp(target − u_now,
 * ±rate(k+1)). The cost in W is minimised over the targets' box by spectral projected gradient (Birgin, Martínez,
 * Raydan 2000) with monotone backtracking; the gradient is exact, by the adjoint of the ARX recursion.
 */
#include "models/plan/plan_impl.h"

#include <math.h>
#include <string.h>

#define KNEE_BLEND_K 0.5  /* server fans do not jump at the knee: quadratic over this width, then linear */
#define WIDEST_SHARP 40.0 /* of the soft maximum over valves: 0.05 apart counts as apart */
#define COIL_DROP 0.5     /* exponents of a coil's valve opening, see plan_coil_opening */
#define COIL_AIR 0.7
#define COIL_APPROACH_MIN_K 0.5
#define COIL_APPROACH_UNKNOWN_K 5.0 /* a valve that opens by a tenth per K of warmer water */
#define RETURN_PER_STEP 0.2         /* a room's air in some minutes */
#define SPREAD_FAN 60.0             /* W per ratio² of a fan's power; of a coil's capacity per K² */
#define SPREAD_SAT 5e-3
#define FAN_HALF 0.5
#define ARMIJO 1e-4
#define BACKTRACK_MAX 12
#define STALL_W 1.0 /* gained by a step: less, so often in a row, and the rest is not worth the time */
#define STALL_MAX 3

double plan_fan_input(double ratio)
{
        return ratio > PLAN_FAN_MIN ? FAN_HALF * (2.0 - FAN_HALF / ratio) : FAN_HALF * (2.0 - FAN_HALF / PLAN_FAN_MIN);
}

double plan_fan_ratio(double input)
{
        return FAN_HALF / (2.0 - input / FAN_HALF);
}

/* d input / d ratio */
static double fan_slope(double ratio)
{
        return ratio > PLAN_FAN_MIN ? FAN_HALF * FAN_HALF / (ratio * ratio) : 0.0;
}

void plan_put_u(struct plan *p, size_t r, size_t j, double v)
{
        *plan_u_at(p, r, j) = p->u[j].kind == PLAN_U_FAN ? plan_fan_input(v) : v;
}

double plan_clamp(double v, double lo, double hi)
{
        return v < lo ? lo : v > hi ? hi : v;
}

/* Opening of a coil's valve, up to a factor that what is measured now gives: v ~ (drop/approach)^0.5 · fan^0.7, where
 * the air is cooled by drop = return − supply to approach = supply − water. A counterflow coil asks for water as (ε/(1
 * − ε))^0.9 · air^1.2, within a fifth from ε = 0.3 to 0.8, and drop/approach is ε/(1 − ε); the usual equal-percentage
 * valve opens as about the 0.57th power of its flow. More air through one coil gives it more to do: only what it takes
 * off the others, through a cooler return, closes theirs. The identified row knows the loop's dynamics but not this
 * balance: it sees return air as given. */
double plan_coil_opening(double drop_k, double approach_k, double fan_ratio)
{
        return pow(fmax(drop_k, COIL_APPROACH_MIN_K) / fmax(approach_k, COIL_APPROACH_MIN_K), COIL_DROP) *
               pow(fan_ratio, COIL_AIR);
}

double plan_valve_factor(const struct plan *p, double warmer_k)
{
        const double approach = fmax(p->approach_k, COIL_APPROACH_MIN_K);
        return pow(approach / fmax(approach - warmer_k, 0.2 * COIL_APPROACH_MIN_K), COIL_DROP);
}

double plan_valve_slope(const struct plan *p)
{
        return COIL_DROP / fmax(p->approach_k, COIL_APPROACH_MIN_K);
}

struct coil {
        double drop_k, approach_k, fan;
};

static struct coil coil_at(const struct plan *p, const struct plan_handler *h, size_t r)
{
        const double supply = *plan_u_at(p, r, h->sat);
        return (struct coil){fmax(*plan_d_at(p, r, h->d) - supply, COIL_APPROACH_MIN_K),
                             fmax(supply - *plan_d_at(p, r, p->args.d_chw), COIL_APPROACH_MIN_K),
                             plan_fan_ratio(*plan_u_at(p, r, h->fan))};
}

static void simulate_valves(struct plan *p)
{
        for (size_t i = 0; i < p->nhandler; i++) {
                const struct plan_handler *h = &p->handler[i];
                for (size_t r = p->lag_max; h->v > 0.0 && r < p->lag_max + p->args.horizon; r++) {
                        const struct coil c = coil_at(p, h, r - 1);
                        *plan_y_at(p, r, h->valve) = h->v * plan_coil_opening(c.drop_k, c.approach_k, c.fan);
                }
        }
}

static void valves_gradient(struct plan *p)
{
        const size_t d0 = p->ny + p->nu;

        for (size_t i = 0; i < p->nhandler; i++) {
                const struct plan_handler *h = &p->handler[i];
                for (size_t r = p->lag_max; h->v > 0.0 && r < p->lag_max + p->args.horizon; r++) {
                        const struct coil c = coil_at(p, h, r - 1);
                        const double w = p->g[r * p->width + h->valve] * *plan_y_at(p, r, h->valve);
                        const double by_drop = c.drop_k > COIL_APPROACH_MIN_K ? w * COIL_DROP / c.drop_k : 0.0;
                        const double by_approach =
                            c.approach_k > COIL_APPROACH_MIN_K ? w * COIL_DROP / c.approach_k : 0.0;
                        double *g = &p->g[(r - 1) * p->width];
                        g[p->ny + h->sat] -= by_drop + by_approach;
                        g[p->ny + h->fan] += w * COIL_AIR * c.fan / (FAN_HALF * FAN_HALF);
                        g[d0 + h->d] += by_drop;
                        p->g[r * p->width + h->valve] = 0.0; /* its row is not what predicted it */
                }
        }
}

/* The widest valve's supply air above its water; where its coil is not known, the coldest supply air's. */
static double widest_approach(const struct plan *p)
{
        const size_t now = p->lag_max - 1;
        double widest = 0.0, supply = (double)INFINITY, water = (double)NAN;

        for (size_t j = 0; j < p->nu; j++) {
                if (p->u[j].kind == PLAN_U_SAT)
                        supply = fmin(supply, p->now[j]);
                else if (p->u[j].kind == PLAN_U_CHWST && !(p->now[j] >= water))
                        water = p->now[j];
        }
        if (p->args.nd_chw > 0 && isfinite(*plan_d_at(p, now, p->args.d_chw)))
                water = *plan_d_at(p, now, p->args.d_chw);
        for (size_t i = 0; i < p->nhandler; i++) {
                const struct plan_handler *h = &p->handler[i];
                if (h->v > 0.0 && *plan_y_at(p, now, h->valve) > widest) {
                        widest = *plan_y_at(p, now, h->valve);
                        supply = p->now[h->sat];
                }
        }
        return isfinite(supply - water) ? supply - water : COIL_APPROACH_UNKNOWN_K;
}

void plan_anchor_valves(struct plan *p)
{
        const size_t now = p->lag_max - 1;

        for (size_t i = 0; i < p->nhandler; i++) {
                struct plan_handler *h = &p->handler[i];
                double v = 0.0;
                h->v = 0.0;
                if (h->valve == SIZE_MAX || p->args.nd_chw == 0)
                        continue;
                const double back = *plan_d_at(p, now, h->d), supply = *plan_u_at(p, now, h->sat);
                const double water = *plan_d_at(p, now, p->args.d_chw);
                const struct coil c = coil_at(p, h, now);
                for (size_t r = 0; r < p->lag_max; r++)
                        v += *plan_y_at(p, r, h->valve) / (double)p->lag_max;
                if (back - supply > 1.0 && supply - water > 1.0 && c.fan > 0.05 && v > 0.05 && v <= 1.05)
                        h->v = v / plan_coil_opening(c.drop_k, c.approach_k, c.fan);
        }
        p->approach_k = widest_approach(p);
}

void plan_simulate(struct plan *p)
{
        const size_t rows = p->lag_max + p->args.horizon;

        for (size_t r = p->lag_max; r < rows; r++) {
                double *z = &p->z[r * p->width];
                memcpy(z, p->offset, p->ny * sizeof *z);
                plan_sums_add(&p->ahead, z);
        }
        simulate_valves(p);
}

/* Return air follows the supply air and, heat being given, rises when less air carries it: ΔT_ret = mean over the
 * zone's handlers of (ΔSAT + (T_ret − SAT) Δ(1/fan) fan), a few minutes later. Without it the model holds return air
 * where it is and believes that more air opens the valves. */
static size_t zone_end(const struct plan *p, size_t h)
{
        size_t end = h;
        while (end < p->nhandler && p->handler[end].zone == p->handler[h].zone)
                end++;
        return end;
}

static void forecast_return_air(struct plan *p)
{
        const size_t l = p->lag_max, n = p->args.horizon;

        for (size_t h = 0, end; h < p->nhandler; h = end) {
                double shift = 0.0;
                end = zone_end(p, h);
                for (size_t k = 0; k < n; k++) {
                        double target = 0.0;
                        for (size_t i = h; i < end; i++) {
                                const struct plan_handler *v = &p->handler[i];
                                target += *plan_u_at(p, l - 1 + k, v->sat) - p->now[v->sat] -
                                          v->k_per_input * (*plan_u_at(p, l - 1 + k, v->fan) - v->input);
                        }
                        shift += RETURN_PER_STEP * (target / (double)(end - h) - shift);
                        for (size_t i = h; i < end; i++)
                                *plan_d_at(p, l - 1 + k, p->handler[i].d) = p->rat[p->handler[i].d * n + k] + shift;
                }
        }
}

/* Its adjoint: what the future return air does to the cost, onto the inputs. */
static void return_air_gradient(struct plan *p)
{
        const size_t l = p->lag_max, n = p->args.horizon, d0 = p->ny + p->nu;

        for (size_t h = 0, end; h < p->nhandler; h = end) {
                double lambda = 0.0;
                end = zone_end(p, h);
                for (size_t k = n; k-- > 0;) {
                        double *g = &p->g[(l - 1 + k) * p->width];
                        lambda *= 1.0 - RETURN_PER_STEP;
                        for (size_t i = h; i < end; i++)
                                lambda += g[d0 + p->handler[i].d];
                        for (size_t i = h; i < end; i++) {
                                const struct plan_handler *v = &p->handler[i];
                                const double w = RETURN_PER_STEP * lambda / (double)(end - h);
                                g[p->ny + v->sat] += w;
                                g[p->ny + v->fan] -= w * v->k_per_input;
                        }
                }
        }
}

/* The last step stands for what follows it. */
static double step_weight(size_t k, size_t n)
{
        const double tail = 2.0 * (double)n;
        return (k + 1 == n ? 1.0 + tail : 1.0) / ((double)n + tail);
}

static double reach(const struct plan *p, size_t j, size_t k, double target)
{
        const double r = p->u[j].rate * (double)(k + 1);
        return p->now[j] + plan_clamp(target - p->now[j], -r, r);
}

/* true when the rate still lets the target act at step k */
static bool reached(const struct plan *p, size_t j, size_t k, double target)
{
        return fabs(target - p->now[j]) <= p->u[j].rate * (double)(k + 1);
}

static double y_cost(const struct plan *p, const struct plan_y *y, double v, double *ret_slope)
{
        const double e = v - y->target_max + (y->kind == PLAN_Y_INLET ? p->caution_k : 0.0), c = v - y->knee;
        const double scale = p->knee_scale * p->fan_price, knee = scale * y->knee_w_per_k,
                     leak = scale * y->leak_w_per_k;
        double cost = 0.0, slope = 0.0;

        if (y->kind == PLAN_Y_VALVE) {
                cost += p->pump_price_w * v;
                slope += p->pump_price_w;
        }
        if (y->kind == PLAN_Y_INLET) {
                cost += leak * v;
                slope += leak;
        }
        if (e > 0.0) {
                cost += y->weight * e * e;
                slope += 2.0 * y->weight * e;
        }
        if (c > 0.0 && c < KNEE_BLEND_K) { /* false for a NaN knee */
                cost += knee * c * c / (2.0 * KNEE_BLEND_K);
                slope += knee * c / KNEE_BLEND_K;
        } else if (c >= KNEE_BLEND_K) {
                cost += knee * (c - KNEE_BLEND_K / 2.0);
                slope += knee;
        }
        *ret_slope = slope;
        return cost;
}

/* Price of the widest valve at step k: price · log(Σ exp(s·v))/s; keeps the terms of the sum for the gradient. */
static double widest_cost(struct plan *p, size_t k, double weight)
{
        const double *y = plan_y_at(p, p->lag_max + k, 0);
        double widest = -(double)INFINITY, sum = 0.0, *share = &p->share[k * p->npy];

        if (!(p->valve_price_w > 0.0))
                return 0.0;
        for (size_t a = 0; a < p->npy; a++)
                if (p->y[a].kind == PLAN_Y_VALVE && p->row_ok[p->y[a].row] && y[p->y[a].row] > widest)
                        widest = y[p->y[a].row];
        for (size_t a = 0; a < p->npy; a++)
                if (p->y[a].kind == PLAN_Y_VALVE && p->row_ok[p->y[a].row]) {
                        share[a] = exp(WIDEST_SHARP * (y[p->y[a].row] - widest));
                        sum += share[a];
                }
        p->shares[k] = sum;
        return weight * p->valve_price_w * (widest + log(sum) / WIDEST_SHARP);
}

static void widest_gradient(const struct plan *p, size_t k, double weight, double *g)
{
        for (size_t a = 0; a < p->npy && p->valve_price_w > 0.0; a++)
                if (p->y[a].kind == PLAN_Y_VALVE && p->row_ok[p->y[a].row])
                        g[p->y[a].row] += weight * p->valve_price_w * p->share[k * p->npy + a] / p->shares[k];
}

static double move_weight(const struct plan *p, size_t j)
{
        const struct plan_u *u = &p->u[j];
        if (u->kind == PLAN_U_FAN)
                return 0.5 * u->rated_w;
        return u->rate > 0.0 ? 0.1 * p->value[j] / u->rate : 0.0;
}

/* Air handlers of a zone do alike unless inlets pay: what the model says of the difference between neighbours is the
 * least certain it says, fan power is convex, and the warm place between unequal ones costs server fans. */
static double spread_cost(const struct plan *p, const double *target, double *grad)
{
        double cost = 0.0;

        for (size_t h = 0, end; h < p->nhandler; h = end) {
                double fan = 0.0, sat = 0.0;
                end = zone_end(p, h);
                for (size_t i = h; i < end; i++) {
                        fan += target[p->handler[i].fan] / (double)(end - h);
                        sat += target[p->handler[i].sat] / (double)(end - h);
                }
                for (size_t i = h; i < end; i++) {
                        const struct plan_handler *v = &p->handler[i];
                        const double qf = SPREAD_FAN * p->u[v->fan].rated_w, df = target[v->fan] - fan;
                        const double qs = SPREAD_SAT * p->u[v->sat].rated_w, ds = target[v->sat] - sat;
                        cost += 0.5 * (qf * df * df + qs * ds * ds);
                        if (grad && p->free[v->fan])
                                grad[v->fan] += qf * df;
                        if (grad && p->free[v->sat])
                                grad[v->sat] += qs * ds;
                }
        }
        return cost;
}

/* Costs of the variables themselves; their slopes into grad unless NULL. */
static double u_cost(const struct plan *p, const double *target, double *grad)
{
        const size_t n = p->args.horizon;
        double cost = spread_cost(p, target, grad);

        for (size_t j = 0; j < p->nu; j++) {
                const struct plan_u *u = &p->u[j];
                if (!p->free[j])
                        continue;
                for (size_t k = 0; k < n; k++) {
                        const double w = step_weight(k, n), v = reach(p, j, k, target[j]);
                        double slope;
                        if (u->kind == PLAN_U_FAN) {
                                cost += w * p->fan_price * u->rated_w * v * v * v;
                                slope = w * p->fan_price * u->rated_w * 3.0 * v * v;
                        } else {
                                cost -= w * p->value[j] * v;
                                slope = -w * p->value[j];
                        }
                        if (grad && reached(p, j, k, target[j]))
                                grad[j] += slope;
                }
                const double move = target[j] - p->now[j], q = move_weight(p, j);
                cost += 0.5 * q * move * move;
                if (grad)
                        grad[j] += q * move;
        }
        return cost;
}

double plan_fast_cost(struct plan *p, const double *target, double *grad)
{
        const size_t n = p->args.horizon, l = p->lag_max;
        double cost = u_cost(p, target, NULL);

        for (size_t k = 0; k < n; k++)
                for (size_t j = 0; j < p->nu; j++)
                        plan_put_u(p, l - 1 + k, j, p->free[j] ? reach(p, j, k, target[j]) : p->now[j]);
        forecast_return_air(p);
        plan_simulate(p);
        for (size_t k = 0; k < n; k++) {
                const double w = step_weight(k, n), *y = plan_y_at(p, l + k, 0);
                cost += widest_cost(p, k, w);
                for (size_t a = 0; a < p->npy; a++)
                        if (p->row_ok[p->y[a].row])
                                cost += w * y_cost(p, &p->y[a], y[p->y[a].row], &p->slope[k * p->npy + a]);
        }
        if (grad)
                plan_fast_gradient(p, target, grad);
        return cost;
}

void plan_fast_gradient(struct plan *p, const double *target, double *grad)
{
        const size_t n = p->args.horizon, l = p->lag_max;

        memset(grad, 0, p->nu * sizeof *grad);
        memset(p->g, 0, (l + n + l) * p->width * sizeof *p->g);
        (void)u_cost(p, target, grad);
        for (size_t k = 0; k < n; k++) {
                double *g = &p->g[(l + k) * p->width];
                const double w = step_weight(k, n);
                widest_gradient(p, k, w, g);
                for (size_t a = 0; a < p->npy; a++)
                        if (p->row_ok[p->y[a].row])
                                g[p->y[a].row] += w * p->slope[k * p->npy + a];
        }
        valves_gradient(p);
        for (size_t r = l + n; r-- > l - 1;)
                plan_sums_add(&p->back, &p->g[r * p->width]);
        return_air_gradient(p);
        for (size_t j = 0; j < p->nu; j++)
                for (size_t k = 0; k < n && p->free[j]; k++)
                        if (reached(p, j, k, target[j]))
                                grad[j] += p->g[(l - 1 + k) * p->width + p->ny + j] *
                                           (p->u[j].kind == PLAN_U_FAN ? fan_slope(reach(p, j, k, target[j])) : 1.0);
}

static double span(const struct plan_u *u)
{
        return u->hi > u->lo ? u->hi - u->lo : 1.0;
}

/* The box of a target: what the rate reaches within the horizon, so that its gradient never vanishes. */
static double box(const struct plan *p, size_t j, double v)
{
        const double r = p->u[j].rate * (double)p->args.horizon;
        v = plan_clamp(v, p->now[j] - r, p->now[j] + r);
        return plan_clamp(v, p->u[j].lo, p->u[j].hi);
}

/* Direction of a projected step of length alpha into p->trial; slope along it in *ret_slope; largest move, scaled. */
static double direction(struct plan *p, double alpha, double *ret_slope)
{
        double slope = 0.0, largest = 0.0;

        for (size_t j = 0; j < p->nu; j++) {
                p->trial[j] = 0.0;
                if (!p->free[j])
                        continue;
                const double s = span(&p->u[j]);
                const double d = box(p, j, p->target[j] - alpha * s * s * p->grad[j]) - p->target[j];
                p->trial[j] = d;
                slope += d * p->grad[j];
                if (fabs(d) / s > largest)
                        largest = fabs(d) / s;
        }
        *ret_slope = slope;
        return largest;
}

static double spectral_step(struct plan *p, const double *before, const double *grad_before, double alpha)
{
        double sts = 0.0, sty = 0.0;

        for (size_t j = 0; j < p->nu; j++) {
                if (!p->free[j])
                        continue;
                const double ds = p->target[j] - before[j];
                sts += ds * ds / (span(&p->u[j]) * span(&p->u[j]));
                sty += ds * (p->grad[j] - grad_before[j]);
        }
        return sty > 0.0 ? plan_clamp(sts / sty, 1e-12, 1e3) : 4.0 * alpha;
}

void plan_fast(struct plan *p)
{
        double cost, steepest = 0.0, alpha;
        unsigned stalled = 0;

        for (size_t j = 0; j < p->nu; j++)
                p->target[j] =
                    p->free[j] ? box(p, j, p->planned && isfinite(p->target[j]) ? p->target[j] : p->now[j]) : p->now[j];
        p->planned = true;
        cost = plan_fast_cost(p, p->target, p->grad);
        for (size_t j = 0; j < p->nu; j++)
                if (p->free[j] && fabs(p->grad[j]) * span(&p->u[j]) > steepest)
                        steepest = fabs(p->grad[j]) * span(&p->u[j]);
        alpha = steepest > 0.0 ? 0.05 / steepest : 0.0;

        for (size_t it = 0; it < p->args.iter_max && alpha > 0.0; it++) {
                double slope, length = 1.0, next = cost;
                bool accepted = false;

                if (!(direction(p, alpha, &slope) > 1e-5) || !(slope < 0.0))
                        break;
                for (int b = 0; b < BACKTRACK_MAX && !accepted; b++) {
                        for (size_t j = 0; j < p->nu; j++)
                                p->best[j] = p->target[j] + length * p->trial[j];
                        next = plan_fast_cost(p, p->best, NULL);
                        accepted = next <= cost + ARMIJO * length * slope;
                        length *= 0.5;
                }
                if (!accepted)
                        break;
                memcpy(p->grad_prev, p->grad, p->nu * sizeof *p->grad);
                memcpy(p->trial, p->target, p->nu * sizeof *p->trial);
                memcpy(p->target, p->best, p->nu * sizeof *p->target);
                stalled = cost - next < STALL_W ? stalled + 1 : 0;
                if (stalled == STALL_MAX)
                        break;
                cost = next; /* the future simulated last is this one's */
                plan_fast_gradient(p, p->target, p->grad);
                alpha = spectral_step(p, p->trial, p->grad_prev, alpha);
        }
        memcpy(p->best, p->target, p->nu * sizeof *p->best);
        (void)plan_fast_cost(p, p->best, NULL);
}

double plan_hottest(const struct plan *p)
{
        double hottest = (double)NAN;

        for (size_t a = 0; a < p->npy; a++) {
                if (p->y[a].kind != PLAN_Y_INLET || !p->row_ok[p->y[a].row])
                        continue;
                for (size_t k = 0; k < p->args.horizon; k++) {
                        const double v = *plan_y_at(p, p->lag_max + k, p->y[a].row);
                        if (!(v <= hottest))
                                hottest = v;
                }
        }
        return hottest;
}
