/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_world.h"

#include <math.h>
#include <string.h>

#define HOUR (3600 / CERTIFY_STEP_S)
#define DAY (24 * HOUR)
#define TWO_PI 6.283185307179586

#define STILL 0.7
#define STEPS_LOW 0.3
#define STEPS_EVERY 240 /* steps, in the mean */
#define RAMP_LOW 0.4
#define RAMP_STEP (0.6 / (HOUR / 2))
#define DIURNAL_HALF 0.3
#define WATER_LOW_C 7.0
#define WATER_STEP_K ((CERTIFY_WATER_MAX_C - WATER_LOW_C) / 0.6 * RAMP_STEP)
#define WATER_FOLLOWS 0.3 /* of the way to the setpoint in a step */
#define AIM_C 26.5

/* Level of all racks at step k; two hours of a ramp: low, up, high, down. */
static double common_level(enum certify_load load, uint64_t k)
{
        double half_hours = fmod((double)k / (HOUR / 2), 4);

        switch (load) {
        case CERTIFY_RAMPS:
                return RAMP_LOW + 0.6 * fmin(fmax(half_hours < 3 ? half_hours - 1 : 4 - half_hours, 0), 1);
        case CERTIFY_DIURNAL:
                return STILL + DIURNAL_HALF * sin(TWO_PI * (double)k / DAY);
        default:
                return STILL;
        }
}

void certify_world_init(struct certify_world *w, const struct certify_site *site, enum certify_load load, struct rng *r)
{
        *w = (struct certify_world){.site = site, .load = load, .floor_c = WATER_LOW_C, .water_c = 8};
        for (size_t i = 0; i < site->units; i++)
                w->level[i] = load == CERTIFY_STEPS ? rng_range(r, STEPS_LOW, 1) : common_level(load, 0);
}

void certify_world_advance(struct certify_world *w, uint64_t k, double setpoint_c, struct rng *r)
{
        for (size_t i = 0; i < w->site->units; i++) {
                if (w->load != CERTIFY_STEPS)
                        w->level[i] = common_level(w->load, k);
                else if (rng_below(r, STEPS_EVERY) == 0)
                        w->level[i] = rng_range(r, STEPS_LOW, 1);
        }
        if (w->load == CERTIFY_RAMPS)
                w->floor_c = WATER_LOW_C + (CERTIFY_WATER_MAX_C - WATER_LOW_C) * (w->level[0] - RAMP_LOW) / 0.6;
        w->water_c += WATER_FOLLOWS * (fmax(setpoint_c, w->floor_c) - w->water_c);
}

void certify_world_read(const struct certify_world *w, size_t steps, double *ret_d, double *ret_d_hi)
{
        static const double rise[CERTIFY_LOADS] = {
            [CERTIFY_STEPS] = 1, [CERTIFY_RAMPS] = RAMP_STEP, [CERTIFY_DIURNAL] = DIURNAL_HALF * TWO_PI / DAY};
        const size_t n = w->site->units;
        const double span = (double)steps;

        ret_d[n] = ret_d_hi[n] = 0;
        for (size_t i = 0; i < n; i++) {
                ret_d[i] = CERTIFY_RACK_W * w->level[i];
                ret_d_hi[i] = CERTIFY_RACK_W * fmin(1, w->level[i] + span * rise[w->load]);
                ret_d[n] += ret_d[i];
                ret_d_hi[n] += ret_d_hi[i];
        }
        ret_d[n + 1] = w->water_c;
        ret_d_hi[n + 1] =
            fmax(w->water_c,
                 w->load == CERTIFY_RAMPS ? fmin(CERTIFY_WATER_MAX_C, w->floor_c + span * WATER_STEP_K) : w->floor_c);
}

void certify_draw_noise(const struct certify_site *s, enum certify_noise kind, const double *y, struct rng *r,
                        struct certify_signs *signs, double *ret_w)
{
        size_t hot = 0;

        for (size_t i = 1; i < s->units; i++)
                hot = y[i] > y[hot] ? i : hot;
        for (size_t i = 0; i < s->st.ny; i++) {
                const bool supply = i >= s->units;
                const size_t unit = supply ? i - s->units : i, far = unit > hot ? unit - hot : hot - unit;

                switch (kind) {
                case CERTIFY_UNIFORM:
                        ret_w[i] = rng_range(r, -CERTIFY_NOISE_K, CERTIFY_NOISE_K);
                        break;
                case CERTIFY_TELEGRAPH:
                        if (signs->row[i] == 0)
                                signs->row[i] = rng_below(r, 2) ? 1 : -1;
                        else if (rng_below(r, 10) == 0)
                                signs->row[i] = -signs->row[i];
                        ret_w[i] = CERTIFY_NOISE_K * signs->row[i];
                        break;
                case CERTIFY_ADVERSARIAL:
                        ret_w[i] = far == 0 || (supply && far == 1) ? CERTIFY_NOISE_K : -CERTIFY_NOISE_K;
                        break;
                case CERTIFY_CONSTANT:
                        ret_w[i] = CERTIFY_NOISE_K;
                        break;
                default:
                        ret_w[i] = 0;
                }
        }
}

static double warm_end(const struct safety_u *u)
{
        return u->safe_dir > 0 ? u->lo : u->hi;
}

static double cold_end(const struct safety_u *u)
{
        return u->safe_dir > 0 ? u->hi : u->lo;
}

/* Supply air and fans of each air handler after the hottest inlet that it feeds; water as warm as the box allows. */
static void sensible(const struct certify_site *s, const double *y, const double *confirmed, bool slow_step, double *u)
{
        const size_t n = s->units;

        for (size_t i = 0; i < n; i++) {
                double hot = y[i], spare;

                hot = fmax(hot, fmax(i > 0 ? y[i - 1] : hot, i + 1 < n ? y[i + 1] : hot));
                spare = AIM_C - hot;
                u[2 * i] = confirmed[2 * i] + fmin(fmax(0.25 * spare, -2), 0.5);
                u[2 * i + 1] = confirmed[2 * i + 1] + (spare > 0.5 ? -0.03 : spare < 0 ? 0.05 : 0);
        }
        u[2 * n] = slow_step ? fmin(confirmed[2 * n] + 0.5, 12) : confirmed[2 * n];
        u[2 * n + 1] = u[2 * n + 2] = 1;
        for (size_t j = 0; j < 2 * n; j++)
                u[j] = fmin(fmax(u[j], s->u[j].lo), s->u[j].hi);
}

static double hostile(const struct safety_u *u, enum certify_proposer kind, uint64_t k, double confirmed,
                      double sensible_u, struct rng *r)
{
        switch (kind) {
        case CERTIFY_ANYWHERE:
                return rng_range(r, u->lo - 0.1 * (u->hi - u->lo), u->hi + 0.1 * (u->hi - u->lo));
        case CERTIFY_NAN: /* about every second step has one */
                return rng_below(r, 16)  ? warm_end(u)
                       : rng_below(r, 2) ? (double)NAN
                       : rng_below(r, 2) ? (double)INFINITY
                                         : -(double)INFINITY;
        case CERTIFY_BANGBANG:
                return k / 20 % 2 ? cold_end(u) : warm_end(u);
        case CERTIFY_EXTREME:
                return u->safe_dir > 0 ? -1e6 : 1e6;
        case CERTIFY_FLIPPED:
                return 2 * confirmed - sensible_u;
        case CERTIFY_OSCILLATING:
                return k % 2 ? u->hi + 1 : u->lo - 1;
        default:
                return warm_end(u);
        }
}

bool certify_propose(const struct certify_site *s, enum certify_proposer kind, uint64_t k, const double *y,
                     const double *confirmed, bool slow_step, struct rng *r, struct certify_proposals *p)
{
        double *past = p->past[k % CERTIFY_STALE_STEPS], now[CERTIFY_U_MAX] = {0};

        sensible(s, y, confirmed, slow_step, now);
        if (kind == CERTIFY_STALE)
                memcpy(p->u, k >= CERTIFY_STALE_STEPS ? past : now, sizeof(now));
        else if (kind == CERTIFY_SENSIBLE || kind == CERTIFY_MISSING)
                memcpy(p->u, now, sizeof(now));
        else
                for (size_t j = 0; j < s->st.nu; j++)
                        p->u[j] = hostile(&s->u[j], kind, k, confirmed[j], now[j], r);
        memcpy(past, now, sizeof(now));
        return kind != CERTIFY_MISSING || (uint64_t)((double)k / (HOUR / 2)) % 2 == 1;
}
