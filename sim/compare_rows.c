/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/compare.h"

#include <math.h>
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
                                .best = seed[0].best};

        for (size_t k = 0; k < n; k++) {
                const struct plant_account *a = &seed[k].account;
                const double share = 1.0 / (double)n;

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
                r.cpu_s += seed[k].cpu_s * share;
                r.max_inlet_c = fmax(r.max_inlet_c, a->max_inlet_c);
                r.degmin27 = fmax(r.degmin27, a->degmin27);
                r.degmin32 = fmax(r.degmin32, a->degmin32);
                r.max_rise_15min_k = fmax(r.max_rise_15min_k, a->max_rise_15min_k);
                r.max_dewpoint_c = fmax(r.max_dewpoint_c, a->max_dewpoint_c);
                r.cold_surface_min = fmax(r.cold_surface_min, a->cold_surface_min);
                r.wet_coil_min = fmax(r.wet_coil_min, a->wet_coil_min);
                r.residual = fmax(r.residual, a->energy_residual_ratio);
                r.hard_violations += a->hard_violations;
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
                a->hours += b->hours;
                a->max_inlet_c = fmax(a->max_inlet_c, b->max_inlet_c);
                a->degmin27 = fmax(a->degmin27, b->degmin27);
                a->degmin32 = fmax(a->degmin32, b->degmin32);
                a->max_rise_15min_k = fmax(a->max_rise_15min_k, b->max_rise_15min_k);
                a->max_dewpoint_c = fmax(a->max_dewpoint_c, b->max_dewpoint_c);
                a->cold_surface_min = fmax(a->cold_surface_min, b->cold_surface_min);
                a->wet_coil_min = fmax(a->wet_coil_min, b->wet_coil_min);
                a->energy_residual_ratio = fmax(a->energy_residual_ratio, b->energy_residual_ratio);
                a->hard_violations += b->hard_violations;
                a->hard_violations_since_takeover += b->hard_violations_since_takeover;
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

void compare_saving(const double *base, const double *value, size_t n, uint64_t seed, double *ret_saving,
                    double *ret_low, double *ret_high)
{
        double resampled[RESAMPLES], b = 0.0, v = 0.0;
        struct rng rng;

        for (size_t k = 0; k < n; k++) {
                b += base[k];
                v += value[k];
        }
        *ret_saving = 100.0 * (1.0 - v / b);
        *ret_low = *ret_high = (double)NAN;
        if (n < 2)
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
        *ret_low = resampled[(size_t)(0.025 * RESAMPLES)];
        *ret_high = resampled[(size_t)(0.975 * RESAMPLES) - 1];
}

static const struct compare_row *find(const struct compare_row *row, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(row[i].controller->name, name) == 0)
                        return &row[i];
        return NULL;
}

void compare_judge(struct compare_row *row, size_t nrow, const struct yard_result *seed, size_t nseed)
{
        const struct compare_row *b2 = find(row, nrow, "b2");
        double *base = calloc(2 * nseed, sizeof(*base)), *value = base != NULL ? base + nseed : NULL;

        for (size_t i = 0; i < nrow; i++) {
                row[i].rank = 1;
                for (size_t k = 0; k < nrow; k++)
                        row[i].rank += row[k].total_kwh < row[i].total_kwh;
                if (b2 == NULL || base == NULL)
                        continue;
                row[i].saving_cooling = 100.0 * (1.0 - row[i].cooling_kwh / b2->cooling_kwh);
                for (size_t k = 0; k < nseed; k++) {
                        base[k] = seed[(size_t)(b2 - row) * nseed + k].account.total_kwh;
                        value[k] = seed[i * nseed + k].account.total_kwh;
                }
                compare_saving(base, value, nseed, INTERVAL_SEED, &row[i].saving_total, &row[i].ci95_low,
                               &row[i].ci95_high);
        }
        free(base);
}

/* What the chillers will take for the heat that one left in the plant and the other did not. */
static double borrowed_kwh(const struct compare_row *r, const struct compare_row *b2)
{
        return (r->stored_kwh - b2->stored_kwh) * r->chiller_kwh / (r->it_kwh + r->it_fan_kwh);
}

/* plant.md: exposure and wear no worse than trim-and-respond's, bounds that bind, nothing too good to be true. */
void compare_notes(const struct compare_cell *cell, struct text *t)
{
        const struct compare_row *row = cell->row;
        const struct compare_row *b0 = find(row, cell->nrow, "b0"), *b2 = find(row, cell->nrow, "b2");
        const struct compare_row *b2s = find(row, cell->nrow, "b2s"), *b4 = find(row, cell->nrow, "b4");

        for (size_t i = 0; i < cell->nrow && b2 != NULL; i++) {
                const char *name = row[i].controller->name;

                if (row[i].degmin27 > b2->degmin27)
                        text_printf(
                            t, "%s: more degree-minutes over 27 °C than b2: its saving does not count in full\n", name);
                if (row[i].cold_surface_min > b2->cold_surface_min)
                        text_printf(t,
                                    "%s: more minutes with a surface less than %g K above the dew point than b2: its "
                                    "saving does not count in full\n",
                                    name, PLANT_DRY_K);
                if (row[i].chiller_starts > b2->chiller_starts)
                        text_printf(t, "%s: more chiller starts than b2\n", name);
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
