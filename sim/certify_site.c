/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_site.h"

#include <math.h>
#include <string.h>

/* Commissioning estimate: what an inlet gains in one step, K, at full value of the regressor. */
#define OWN_LAG 0.8
#define OWN_LAG_HALF 0.04
#define FAN_K (-0.8)
#define RACK_K 0.6
#define ROW_K 0.4
#define CONSTANT_K 0.2
#define SUPPLY_LAG 0.5
#define SUPPLY_SETPOINT 0.4
#define SUPPLY_WATER 0.1
#define SUPPLY_FAN_K 0.3 /* either sign */
#define SPREAD 0.5
/* Without sums: slow, gains in proportion to 1 − the lag. */
#define LOOSE_LAG 0.97
#define LOOSE_HALF (0.05 * LOOSE_LAG)

#define INLET_LIMIT_C 32.0 /* ASHRAE A1 allowable */
#define INLET_SOFT_K 5.0   /* down to the recommended 27 °C */

static void term(struct certify_site *s, enum arx_src src, size_t index, bool sum1, int sign, double mid, double half,
                 double scale)
{
        size_t k = s->st.nterm++;

        s->term[k] = (struct arx_term){(uint8_t)src, 1, sum1 && s->contracting, (int8_t)sign, (uint16_t)index};
        s->lo[k] = mid - half;
        s->hi[k] = mid + half;
        s->scale[k] = scale;
}

/* Share of air handler k in the air that rack i draws. */
static double share(const struct certify_site *s, size_t i, size_t k)
{
        const size_t beside = (i > 0 ? 1u : 0u) + (i + 1 < s->units ? 1u : 0u);

        return k == i ? 1 - 0.2 * (double)beside : 0.2;
}

static void inlet_row(struct certify_site *s, size_t i)
{
        const double lag = s->contracting ? OWN_LAG : LOOSE_LAG, gain = s->contracting ? 1 : (1 - lag) / (1 - OWN_LAG);
        const double row_w = CERTIFY_RACK_W * (double)s->units;

        s->row_start[i] = s->st.nterm;
        term(s, ARX_SRC_Y, i, true, 1, lag, s->contracting ? OWN_LAG_HALF : LOOSE_HALF, 1);
        for (size_t k = i > 0 ? i - 1 : 0; k <= i + 1 && k < s->units; k++) {
                double b = (1 - lag) * share(s, i, k), fan = gain * FAN_K * share(s, i, k);

                term(s, ARX_SRC_Y, s->units + k, true, 1, b, SPREAD * b, 1);
                term(s, ARX_SRC_U, 2 * k + 1, false, -1, fan, -SPREAD * fan, 0.2);
        }
        term(s, ARX_SRC_D, i, false, 1, gain * RACK_K / CERTIFY_RACK_W, SPREAD * gain * RACK_K / CERTIFY_RACK_W,
             CERTIFY_RACK_W);
        term(s, ARX_SRC_D, s->units, false, 1, gain * ROW_K / row_w, SPREAD * gain * ROW_K / row_w, row_w);
        term(s, ARX_SRC_ONE, 0, false, 0, gain * CONSTANT_K, SPREAD * gain * CONSTANT_K, 1);
}

static void supply_row(struct certify_site *s, size_t i)
{
        s->row_start[s->units + i] = s->st.nterm;
        term(s, ARX_SRC_Y, s->units + i, true, 1, SUPPLY_LAG, SPREAD * SUPPLY_LAG, 1);
        term(s, ARX_SRC_U, 2 * i, true, 1, SUPPLY_SETPOINT, SPREAD * SUPPLY_SETPOINT, 1);
        term(s, ARX_SRC_D, s->units + 1, true, 1, SUPPLY_WATER, SPREAD * SUPPLY_WATER, 1);
        term(s, ARX_SRC_U, 2 * i + 1, false, 0, 0, SUPPLY_FAN_K, 0.2);
}

static void variables(struct certify_site *s)
{
        const size_t n = s->units;

        for (size_t i = 0; i < n; i++) {
                s->u[2 * i] = (struct safety_u){.safe_dir = -1,
                                                .lo = 16,
                                                .hi = 28,
                                                .step = 0.1,
                                                .rate = 0.5,
                                                .backup_rate = 12,
                                                .nominal = 18,
                                                .dead_band = 0.2 * (1 - 1e-6),
                                                .fast = 1};
                s->u[2 * i + 1] = (struct safety_u){.safe_dir = 1,
                                                    .lo = 0.3,
                                                    .hi = 1,
                                                    .step = 0.01,
                                                    .rate = 0.05,
                                                    .backup_rate = 0.7,
                                                    .nominal = 0.8,
                                                    .dead_band = 0.02 * (1 - 1e-6),
                                                    .fast = 1};
        }
        s->u[2 * n] = (struct safety_u){.safe_dir = -1,
                                        .lo = 7,
                                        .hi = 14,
                                        .step = 0.1,
                                        .rate = 1,
                                        .backup_rate = 7,
                                        .nominal = 8,
                                        .dead_band = 0.2 * (1 - 1e-6),
                                        .drives_d = SAFETY_DRIVES(n + 1)};
        for (size_t j = 2 * n + 1; j < 2 * n + 3; j++)
                s->u[j] = (struct safety_u){.kind = SAFETY_U_ONOFF,
                                            .safe_dir = 1,
                                            .hi = 1,
                                            .step = 1,
                                            .nominal = 1,
                                            .capacity_w = 0.8 * CERTIFY_RACK_W * (double)n,
                                            .min_on_s = 300,
                                            .min_off_s = 600,
                                            .max_starts_per_h = 3};
}

void certify_site_init(struct certify_site *s, size_t units, size_t horizon, bool contracting)
{
        *s = (struct certify_site){.units = units, .contracting = contracting, .span = gate_spans(CERTIFY_STEP_S)};
        for (size_t i = 0; i < units; i++) {
                inlet_row(s, i);
                s->cert[i] =
                    (struct safety_y){.row = i, .hi = INLET_LIMIT_C, .trip = INLET_LIMIT_C, .soft_k = INLET_SOFT_K};
                s->d_max[i] = CERTIFY_RACK_W;
        }
        for (size_t i = 0; i < units; i++)
                supply_row(s, i);
        s->row_start[2 * units] = s->st.nterm;
        s->d_max[units] = CERTIFY_RACK_W * (double)units;
        s->d_max[units + 1] = CERTIFY_WATER_MAX_C;
        variables(s);
        s->st = (struct arx_structure){.ny = 2 * units,
                                       .nu = 2 * units + 3,
                                       .nd = units + 2,
                                       .lag_max = 1,
                                       .nterm = s->st.nterm,
                                       .row_start = s->row_start,
                                       .term = s->term,
                                       .scale = s->scale};
        s->env = (struct safety_envelope){.nu = s->st.nu,
                                          .ny = s->st.ny,
                                          .nd = s->st.nd,
                                          .ncert = units,
                                          .u = s->u,
                                          .cert = s->cert,
                                          .d_max = s->d_max,
                                          .step_s = CERTIFY_STEP_S,
                                          .horizon = horizon ? horizon : s->span.horizon,
                                          .delta = GATE_DELTA,
                                          .reserve = GATE_RESERVE_K,
                                          .capacity_margin = 0.15,
                                          .hold_steps = s->span.hold,
                                          .required_persist = s->span.persist};
}

/* Where each sum can be shared out in several ways, its members are raised in this order: of an inlet the own lag, then
 * supply airs; of supply air the setpoint, the own lag, the water. Warmest first, for `cold` from the other end. */
static size_t member(const struct certify_site *s, size_t row, size_t at, size_t n, bool cold)
{
        static const size_t supply[] = {1, 0, 2};
        size_t place = cold ? n - 1 - at : at, seen = 0;

        if (row >= s->units)
                return s->row_start[row] + supply[place];
        for (size_t k = s->row_start[row]; k < s->row_start[row + 1]; k++)
                if (s->term[k].src == ARX_SRC_Y && seen++ == place)
                        return k;
        return s->row_start[row];
}

/* Raises or lowers the members of row's sum, in the order of member() or from a random one on, until they add to 1. */
static void close_sum(const struct certify_site *s, size_t row, size_t first, bool cold, double *theta)
{
        size_t n = 0;
        double missing = 1;

        for (size_t k = s->row_start[row]; k < s->row_start[row + 1]; k++)
                if (s->term[k].sum1) {
                        missing -= theta[k];
                        n++;
                }
        for (size_t at = 0; at < n; at++) {
                size_t k = member(s, row, (first + at) % n, n, cold);
                double put = fmin(fmax(missing, s->lo[k] - theta[k]), s->hi[k] - theta[k]);

                theta[k] += put;
                missing -= put;
        }
}

/* A plant whose weights add to 1 although the prior does not know it; gains go with how fast the row settles. */
static void draw_loose(const struct certify_site *s, size_t row, struct rng *r, double *theta)
{
        const size_t own = s->row_start[row];
        const double settle = rng_range(r, 0.02, 0.045), part = settle / (1 - LOOSE_LAG);

        for (size_t k = own; k < s->row_start[row + 1]; k++) {
                double mid = 0.5 * (s->lo[k] + s->hi[k]);
                bool weight = s->term[k].src == ARX_SRC_Y;

                theta[k] = fmin(fmax(mid * part * (weight ? 1 : rng_range(r, 0.7, 1.1)), s->lo[k]), s->hi[k]);
        }
        theta[own] = 1 - settle;
}

void certify_draw(const struct certify_site *s, enum certify_plant kind, struct rng *r, double *ret_theta)
{
        for (size_t i = 0; i < s->st.ny; i++) {
                size_t first = 0;
                const bool cold = kind == CERTIFY_LOWER;

                for (size_t k = s->row_start[i]; k < s->row_start[i + 1]; k++) {
                        if (kind == CERTIFY_UPPER || cold) /* members of a sum start low and are raised */
                                ret_theta[k] = s->term[k].sum1 || cold ? s->lo[k] : s->hi[k];
                        else
                                ret_theta[k] = rng_range(r, s->lo[k], s->hi[k]);
                }
                if (kind != CERTIFY_UPPER && !cold)
                        first = rng_below(r, 4);
                if (s->contracting)
                        close_sum(s, i, first, cold, ret_theta);
                else if (i < s->units)
                        draw_loose(s, i, r, ret_theta);
                else /* supply air: the same plants as elsewhere, 0.5 + 0.4 + 0.1 */
                        for (size_t k = s->row_start[i]; k < s->row_start[i + 1]; k++)
                                ret_theta[k] = 0.5 * (s->lo[k] + s->hi[k]);
        }
}

void certify_advance(const struct certify_site *s, const double *theta, const double *y, const double *u,
                     const double *d, const double *w, double *ret_y)
{
        for (size_t i = 0; i < s->st.ny; i++) {
                double next = w[i];

                for (size_t k = s->row_start[i]; k < s->row_start[i + 1]; k++) {
                        const struct arx_term *t = &s->term[k];

                        next += theta[k] * (t->src == ARX_SRC_Y   ? y[t->index]
                                            : t->src == ARX_SRC_U ? u[t->index]
                                            : t->src == ARX_SRC_D ? d[t->index]
                                                                  : 1);
                }
                ret_y[i] = next;
        }
}
