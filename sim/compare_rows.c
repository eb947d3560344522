/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "models/num/rng.h"

#define RESAMPLES 4000
#define DISTRUST_PCT 30.0
#define INTERVAL_SEED 95

void compare_aggregate(const struct yard_controller *c, const struct yard_result *seed, size_t n,
                       struct compare_row *ret)
{
        struct compare_row r = {.controller = c,
                                .nseed = n,
                                .max_inlet_c = -(double)INFINITY,
                                .max_dewpoint_c = -(double)INFINITY,
                                .saving_total = (double)NAN,
                                .saving_cooling = (double)NAN,
                                .ci95_low = (double)NAN,
                                .ci95_high = (double)NAN,
                                .saving_b2v = (double)NAN,
                                .b2v_low = (double)NAN,
                                .b2v_high = (double)NAN,
                                .saving_strongest = (double)NAN,
                                .strongest_low = (double)NAN,
                                .strongest_high = (double)NAN,
                                .best = seed[0].best};

        for (size_t k = 0; k < n; k++) {
                const struct plant_account *a = &seed[k].account;
                const double share = 1.0 / (double)n, an_hour = a->hours > 0.0 ? share / a->hours : (double)NAN;

                r.chiller_kwh += a->chiller_kwh * share;
                r.pump_kwh += a->pump_kwh * share;
                r.tower_kwh += a->tower_kwh * share;
                r.crah_fan_kwh += a->crah_fan_kwh * share;
                r.cooling_kwh += a->cooling_kwh * share;
                r.it_kwh += a->it_kwh * share;
                r.it_fan_kwh += a->it_fan_kwh * share;
                r.total_kwh += a->total_kwh * share;
                r.stored_kwh += a->stored_kwh * share;
                r.latent_kwh += a->latent_kwh * share;
                r.chiller_starts += (double)a->chiller_starts * share;
                r.migrations += (double)a->migrations * share;
                r.sat_travel_k_h += a->sat_travel_k * an_hour;
                r.fan_travel_h += a->fan_travel_ratio * an_hour;
                r.valve_travel_h += a->valve_travel_ratio * an_hour;
                r.chwst_travel_k_h += a->chwst_travel_k * an_hour;
                r.cpu_s += seed[k].cpu_s * share;
                r.max_inlet_c = fmax(r.max_inlet_c, a->max_inlet_c);
                r.degmin27 = fmax(r.degmin27, a->degmin27);
                r.degmin32 = fmax(r.degmin32, a->degmin32);
                r.max_rise_15min_k = fmax(r.max_rise_15min_k, a->max_rise_15min_k);
                r.max_swing_15min_k = fmax(r.max_swing_15min_k, a->max_swing_15min_k);
                r.max_dewpoint_c = fmax(r.max_dewpoint_c, a->max_dewpoint_c);
                r.cold_surface_min = fmax(r.cold_surface_min, a->cold_surface_min);
                r.wet_coil_min = fmax(r.wet_coil_min, a->wet_coil_min);
                r.residual = fmax(r.residual, a->energy_residual_ratio);
                r.hard_violations += a->hard_violations;
                r.flow_trips += a->flow_trips;
                r.since_takeover += a->hard_violations_since_takeover;
                for (size_t i = 0; i < 4; i++)
                        r.decisions[i] += seed[k].decisions[i];
        }
        r.cooling_per_it_kwh = r.cooling_kwh / (r.it_kwh + r.it_fan_kwh);
        r.pue = 1.0 + r.cooling_per_it_kwh;
        *ret = r;
}

void compare_sum(const struct yard_result *season, size_t n, struct yard_result *ret)
{
        struct yard_result m = season[0];
        struct plant_account *a = &m.account;

        for (size_t k = 1; k < n; k++) {
                const struct plant_account *b = &season[k].account;

                a->chiller_kwh += b->chiller_kwh;
                a->pump_kwh += b->pump_kwh;
                a->tower_kwh += b->tower_kwh;
                a->crah_fan_kwh += b->crah_fan_kwh;
                a->cooling_kwh += b->cooling_kwh;
                a->it_kwh += b->it_kwh;
                a->it_fan_kwh += b->it_fan_kwh;
                a->total_kwh += b->total_kwh;
                a->stored_kwh += b->stored_kwh;
                a->latent_kwh += b->latent_kwh;
                a->sat_travel_k += b->sat_travel_k;
                a->fan_travel_ratio += b->fan_travel_ratio;
                a->valve_travel_ratio += b->valve_travel_ratio;
                a->chwst_travel_k += b->chwst_travel_k;
                a->hours += b->hours;
                a->max_inlet_c = fmax(a->max_inlet_c, b->max_inlet_c);
                a->degmin27 = fmax(a->degmin27, b->degmin27);
                a->degmin32 = fmax(a->degmin32, b->degmin32);
                a->max_rise_15min_k = fmax(a->max_rise_15min_k, b->max_rise_15min_k);
                a->max_swing_15min_k = fmax(a->max_swing_15min_k, b->max_swing_15min_k);
                a->max_dewpoint_c = fmax(a->max_dewpoint_c, b->max_dewpoint_c);
                a->cold_surface_min = fmax(a->cold_surface_min, b->cold_surface_min);
                a->wet_coil_min = fmax(a->wet_coil_min, b->wet_coil_min);
                a->energy_residual_ratio = fmax(a->energy_residual_ratio, b->energy_residual_ratio);
                a->hard_violations += b->hard_violations;
                a->hard_violations_since_takeover += b->hard_violations_since_takeover;
                a->flow_trips += b->flow_trips;
                a->chiller_starts += b->chiller_starts;
                a->migrations += b->migrations;
                m.cpu_s += season[k].cpu_s;
                for (size_t i = 0; i < 4; i++)
                        m.decisions[i] += season[k].decisions[i];
        }
        *ret = m;
}

static int ascending(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Share of the resamples beyond either end of the interval: Φ(−√(n/(n−1)) t), t the 97.5 % quantile of Student's
 * distribution with n − 1 degrees of freedom, by its expansion in 1/ν (Abramowitz and Stegun 26.7.5; 2.77 for 2.776 at
 * ν = 4). */
static double expanded_tail(size_t n)
{
        const double z = 1.959964, v = (double)n - 1.0, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
        const double t = z + (z3 + z) / (4.0 * v) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v) +
                         (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v);

        return 0.5 * erfc(t * sqrt((double)n / v) / sqrt(2.0));
}

void compare_saving(const double *base, const double *value, size_t n, uint64_t seed, double *ret_saving,
                    double *ret_low, double *ret_high)
{
        double resampled[RESAMPLES], b = 0.0, v = 0.0;
        struct rng rng;
        size_t tail;

        for (size_t k = 0; k < n; k++) {
                b += base[k];
                v += value[k];
        }
        *ret_saving = 100.0 * (1.0 - v / b);
        *ret_low = *ret_high = (double)NAN;
        if (n < COMPARE_CI_SEEDS)
                return;
        rng_seed(&rng, seed, 0x626f6f74u);
        for (size_t i = 0; i < RESAMPLES; i++) {
                b = v = 0.0;
                for (size_t k = 0; k < n; k++) {
                        const uint32_t pick = rng_below(&rng, (uint32_t)n);

                        b += base[pick];
                        v += value[pick];
                }
                resampled[i] = 100.0 * (1.0 - v / b);
        }
        qsort(resampled, RESAMPLES, sizeof(*resampled), ascending);
        tail = (size_t)(expanded_tail(n) * RESAMPLES);
        *ret_low = resampled[tail];
        *ret_high = resampled[RESAMPLES - 1 - tail];
}

static const struct compare_row *find(const struct compare_row *row, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(row[i].controller->name, name) == 0)
                        return &row[i];
        return NULL;
}

/* Of each row against row `to`, seed by seed. work: [2 × nseed]. */
static void save_against(const struct yard_result *seed, size_t nseed, size_t i, size_t to, double *work,
                         double *ret_saving, double *ret_low, double *ret_high)
{
        double *base = work, *value = work + nseed;

        for (size_t k = 0; k < nseed; k++) {
                base[k] = seed[to * nseed + k].account.total_kwh;
                value[k] = seed[i * nseed + k].account.total_kwh;
        }
        compare_saving(base, value, nseed, INTERVAL_SEED, ret_saving, ret_low, ret_high);
}

static bool anybody_runs(const struct yard_controller *c)
{
        return c->kind == YARD_LOCAL || c->kind == YARD_PID;
}

/* Of those who may do as much: against moved VMs, who moves none has already lost what packing them saves. */
static const struct compare_row *strongest(const struct compare_row *row, size_t n, bool moves)
{
        const struct compare_row *best = NULL;

        for (size_t i = 0; i < n; i++) {
                const bool safer = best != NULL && row[i].hard_violations == 0 && best->hard_violations > 0,
                           as_safe = best == NULL || (row[i].hard_violations == 0) == (best->hard_violations == 0);

                if (anybody_runs(row[i].controller) && (moves || !row[i].controller->moves) &&
                    (safer || (as_safe && (best == NULL || row[i].total_kwh < best->total_kwh))))
                        best = &row[i];
        }
        return best;
}

void compare_judge(struct compare_row *row, size_t nrow, const struct yard_result *seed, size_t nseed)
{
        const struct compare_row *b2 = find(row, nrow, "b2"), *b2v = find(row, nrow, "b2v");
        double *work = calloc(2 * nseed, sizeof(*work));

        for (size_t i = 0; i < nrow; i++) {
                struct compare_row *r = &row[i];
                const struct compare_row *best = strongest(row, nrow, r->controller->moves);

                r->rank = 1;
                for (size_t k = 0; k < nrow; k++)
                        r->rank += row[k].total_kwh < r->total_kwh;
                if (b2 != NULL)
                        r->saving_cooling =
                            b2->cooling_kwh > 0 ? 100.0 * (1.0 - r->cooling_kwh / b2->cooling_kwh) : (double)NAN;
                if (b2 != NULL && work != NULL)
                        save_against(seed, nseed, i, (size_t)(b2 - row), work, &r->saving_total, &r->ci95_low,
                                     &r->ci95_high);
                if (b2v != NULL && work != NULL)
                        save_against(seed, nseed, i, (size_t)(b2v - row), work, &r->saving_b2v, &r->b2v_low,
                                     &r->b2v_high);
                if (best != NULL) {
                        r->strongest = best->controller;
                        if (work != NULL)
                                save_against(seed, nseed, i, (size_t)(best - row), work, &r->saving_strongest,
                                             &r->strongest_low, &r->strongest_high);
                }
        }
        free(work);
}

/* What the chillers will take for the heat that one left in the plant and the other did not. */
static double borrowed_kwh(const struct compare_row *r, const struct compare_row *b2)
{
        return (r->stored_kwh - b2->stored_kwh) * r->chiller_kwh / (r->it_kwh + r->it_fan_kwh);
}

/* Exposure that a saving may not be paid with. */
static const struct exposure {
        const char *what;
        size_t offset; /* of a double in struct compare_row */
        int digits;
} exposures[] = {
    {"degree-minutes over 27 °C", offsetof(struct compare_row, degmin27), 1},
    {"degree-minutes over 32 °C", offsetof(struct compare_row, degmin32), 1},
    {"K of the fastest rise in 15 min", offsetof(struct compare_row, max_rise_15min_k), 2},
    {"°C at the hottest inlet", offsetof(struct compare_row, max_inlet_c), 2},
    {"min with a surface near the dew point", offsetof(struct compare_row, cold_surface_min), 0},
};

static double member(const struct compare_row *r, size_t offset)
{
        double v;

        memcpy(&v, (const char *)r + offset, sizeof(v));
        return v;
}

static void exposure_notes(const struct compare_row *r, const struct compare_row *b2, struct text *t)
{
        bool any = false;

        for (size_t k = 0; k < sizeof(exposures) / sizeof(exposures[0]); k++) {
                const struct exposure *e = &exposures[k];
                const double v = member(r, e->offset), of_b2 = member(b2, e->offset);

                if (!(v > of_b2))
                        continue;
                text_printf(t, "%s%s%.*f %s (b2 %.*f)", any ? ", " : r->controller->name,
                            any ? "" : ": more exposure than b2, so its saving does not count in full: ", e->digits, v,
                            e->what, e->digits, of_b2);
                any = true;
        }
        if (any)
                text_put(t, "\n");
}

/* A saving against a weak baseline is the easiest lie. */
static void strongest_note(const struct compare_row *r, struct text *t)
{
        if (r->strongest == NULL || !yard_has_agent(r->controller))
                return;
        text_printf(t, "%s: against the strongest baseline%s, %s, it saves %.2f %% of total energy",
                    r->controller->name, r->controller->moves ? "" : " that moves no VMs", r->strongest->name,
                    r->saving_strongest);
        if (isfinite(r->strongest_low))
                text_printf(t, " (%.2f..%.2f)", r->strongest_low, r->strongest_high);
        text_put(t, "\n");
}

static void consolidation_note(const struct compare_row *r, const struct compare_row *b2v, struct text *t)
{
        if (!r->controller->moves || r->controller->kind != YARD_AGENT)
                return;
        if (b2v == NULL) {
                if (r->migrations > 0.0)
                        text_printf(t,
                                    "%s: moves VMs, which b2 does not: b2v says what emptying hosts alone would save\n",
                                    r->controller->name);
                return;
        }
        text_printf(t, "%s: saves %.2f %% of total energy against b2v", r->controller->name, r->saving_b2v);
        if (isfinite(r->b2v_low))
                text_printf(t, " (%.2f..%.2f)", r->b2v_low, r->b2v_high);
        text_put(t, ": what knowing temperatures and setpoints is worth; the rest any consolidation of VMs gets\n");
}

/* Exposure and wear no worse than trim-and-respond's, bounds that bind, nothing too good to be true, and what of a
 * saving is not ours. */
void compare_notes(const struct compare_cell *cell, struct text *t)
{
        const struct compare_row *row = cell->row;
        const struct compare_row *b0 = find(row, cell->nrow, "b0"), *b2 = find(row, cell->nrow, "b2");
        const struct compare_row *b2s = find(row, cell->nrow, "b2s"), *b4 = find(row, cell->nrow, "b4");
        const struct compare_row *b2v = find(row, cell->nrow, "b2v");

        for (size_t i = 0; i < cell->nrow; i++) {
                strongest_note(&row[i], t);
                consolidation_note(&row[i], b2v, t);
        }
        for (size_t i = 0; i < cell->nrow && b2 != NULL; i++) {
                const char *name = row[i].controller->name;

                exposure_notes(&row[i], b2, t);
                if (row[i].chiller_starts > b2->chiller_starts)
                        text_printf(t, "%s: more chiller starts than b2\n", name);
                if (row[i].flow_trips > 0)
                        text_printf(t, "%s: %" PRIu64 " chillers tripped by too little water\n", name,
                                    row[i].flow_trips);
                if (borrowed_kwh(&row[i], b2) > 0.1 * (b2->total_kwh - row[i].total_kwh) && row[i].rank < b2->rank)
                        text_printf(t, "%s: %.1f of the %.1f kWh saved against b2 are heat left in the plant\n", name,
                                    borrowed_kwh(&row[i], b2), b2->total_kwh - row[i].total_kwh);
                if (row[i].saving_cooling > DISTRUST_PCT)
                        text_printf(t, "%s: over %g %% cooling energy under b2: look for the weak baseline first\n",
                                    name, DISTRUST_PCT);
        }
        if (b0 != NULL && b2 != NULL && b2->cooling_kwh > 0.85 * b0->cooling_kwh)
                text_put(t, "b2: less than 15 % cooling energy under b0 here: a weak baseline or little to gain\n");
        if (b4 != NULL && b2s != NULL && b4->total_kwh > b2s->total_kwh)
                text_put(t, "b4: not below b2s: no bound here\n");
}
